//! The table of the RFCs' rules: what it names exists and cites the section.

use crate::{Breach, hold, source::Repository};
use std::collections::BTreeSet;

const TABLE: &str = "conformance/rules.md";
const SCRIPTS: &str = "conformance/scripts/";
/// Of the checklist: RC-01 and so on.
const ITEMS: usize = 108;

/// One row of the table.
struct Rule<'a> {
    line: usize,
    /// As in `RFC 6121`.
    rfc: &'a str,
    section: &'a str,
    held_by: Vec<&'a str>,
}

fn rules(table: &str) -> Vec<Rule<'_>> {
    let (mut rfc, mut rules) = ("", Vec::new());
    for (index, line) in table.lines().enumerate() {
        if let Some(title) = line.strip_prefix("## ") {
            rfc = if title.starts_with("RFC ") { title } else { "" };
        }
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        if let ["", section, _, held_by, ""] = cells[..]
            && !rfc.is_empty()
            && section.contains(|c: char| c.is_ascii_digit())
        {
            let held_by = held_by.split('`').skip(1).step_by(2).collect();
            rules.push(Rule { line: index + 1, rfc, section, held_by });
        }
    }
    rules
}

#[test]
fn every_rule_is_held_by_what_cites_it() {
    let repository = Repository::read();
    let mut breaches = Vec::new();
    for rule in rules(repository.text(TABLE)) {
        if rule.held_by.is_empty() {
            breaches.push(Breach::new(TABLE, rule.line, "held by nothing"));
        }
        for name in &rule.held_by {
            let wrong = wrong(repository, &rule, name);
            breaches.extend(wrong.map(|why| Breach::new(TABLE, rule.line, why)));
        }
    }
    hold(breaches);
}

/// What is wrong with the script or test of this name, if anything.
fn wrong(repository: &Repository, rule: &Rule<'_>, name: &str) -> Option<String> {
    let path = match name.ends_with(".scs") {
        true => format!("{SCRIPTS}{name}"),
        false => path_of_test(repository, name).unwrap_or_default().to_owned(),
    };
    let Some((_, text)) = repository.texts.iter().find(|(at, _)| *at == path) else {
        return Some(format!("there is no {name}; name what holds the rule now"));
    };
    let short = rule.rfc.to_lowercase().replace(' ', "");
    let of_rfc = text.contains(rule.rfc) || path.contains(&short) || name.contains(&short);
    let cites = of_rfc && (cites(text, rule.section) || is_named(name, rule.section));
    (!cites).then(|| format!("{path} does not cite {} §{}", rule.rfc, rule.section))
}

fn path_of_test<'a>(repository: &'a Repository, name: &str) -> Option<&'a str> {
    let declared = format!("fn {name}()");
    let holds = |line: &crate::Line| line.is_test && line.code.contains(&declared);
    let file = repository.rust.iter().find(|file| file.lines.iter().any(holds))?;
    Some(&file.path)
}

/// Whether a text names this section, and not only one inside or beside it.
fn cites(text: &str, section: &str) -> bool {
    let appendix = if section.starts_with('A') { "Appendix " } else { "§" };
    text.match_indices(&format!("{appendix}{section}")).any(|(at, found)| {
        let mut rest = text[at + found.len()..].chars();
        match rest.next() {
            Some('.') => !rest.next().is_some_and(|next| next.is_ascii_digit()),
            next => !next.is_some_and(|next| next.is_ascii_digit()),
        }
    })
}

/// Whether a test is named after the section: `…_8_5_3` or `…_8_5_3_…`.
fn is_named(name: &str, section: &str) -> bool {
    let suffix = format!("_{}", section.to_lowercase().replace('.', "_"));
    name.match_indices(&suffix).any(|(at, found)| {
        let rest = &name[at + found.len()..];
        let next = rest.strip_prefix('_').unwrap_or(rest);
        !next.starts_with(|c: char| c.is_ascii_digit())
    })
}

#[test]
fn every_script_of_an_rfc_holds_a_rule() {
    let repository = Repository::read();
    let table = rules(repository.text(TABLE));
    let named: BTreeSet<_> = table.iter().flat_map(|rule| &rule.held_by).collect();
    let scripts = repository.texts.iter().filter_map(|(path, _)| path.strip_prefix(SCRIPTS));
    let scripts = scripts.filter(|name| name.starts_with("rfc") && !named.contains(name));
    let why = "holds no rule of conformance/rules.md; add the row";
    hold(scripts.map(|name| Breach::new(&format!("{SCRIPTS}{name}"), 1, why)).collect());
}

#[test]
fn every_item_of_the_checklist_has_its_place() {
    let repository = Repository::read();
    let text = repository.text(TABLE);
    let (_, items) = text.split_once("## By number").unwrap_or_default();
    let (items, _) = items.split_once("Read beside").unwrap_or_default();
    let table = rules(text);
    let mut breaches = Vec::new();
    for number in 1..=ITEMS {
        let item = format!("RC-{number:02} ");
        let places = items.split_once(&item).map(|(_, rest)| rest.split([';', '|']).next());
        let Some(Some(places)) = places else {
            breaches.push(Breach::new(TABLE, 1, format!("{item}has no place")));
            continue;
        };
        let named = places.split(", ").filter_map(|part| part.split_whitespace().next_back());
        for place in named.filter(|place| *place != "later") {
            let script = place.trim_matches('`');
            let holds = table.iter().any(|rule| rule.section == place);
            let plays = repository.texts.iter().any(|(path, _)| path.ends_with(script));
            if !holds && !plays && place != "7622" {
                let why = format!("{item}is to stand at {place}, where nothing is");
                breaches.push(Breach::new(TABLE, 1, why));
            }
        }
    }
    hold(breaches);
}

#[test]
fn a_section_is_not_the_one_beside_it() {
    assert!(cites("as in §4.7.2: so", "4.7.2") && cites("end of §4.7.2.", "4.7.2"));
    assert!(!cites("§4.7.21, §4.7.2.1", "4.7.2"));
    assert!(cites("Appendix A.3.4 and Appendix A.3", "A.3"));
    assert!(is_named("this_rfc6121_8_5_3", "8.5.3") && !is_named("this_rfc6121_8_5_3", "8.5"));
}
