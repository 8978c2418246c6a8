//! The tables of the rules that we hold: what they name exists and cites the section.

use crate::{Breach, hold, source::Repository};
use std::{collections::BTreeSet, ops::RangeInclusive};

const TABLE: &str = "conformance/rules.md";
const ROOMS: &str = "conformance/rooms.md";
const SCRIPTS: &str = "conformance/scripts/";
/// Of the checklist: RC-01 and so on.
const ITEMS: usize = 108;
/// Of XEP-0045 1.35.5: those that say what somebody must or should do.
const SECTIONS: &str = "\
    5.1 5.1.1 5.1.2 5.1.3 5.2 5.2.1 5.2.2 6 6.2 6.3 6.4 6.5 6.6 6.7 7.1 7.2.1 7.2.2 7.2.3 7.2.4 \
    7.2.5 7.2.6 7.2.7 7.2.8 7.2.9 7.2.10 7.2.11 7.2.12 7.2.13 7.2.14 7.2.15 7.2.16 7.2.18 7.4 \
    7.5 7.6 7.8.2 7.9 7.10 7.12 7.13 7.14 8 8.1 8.2 8.3 8.4 8.5 8.6 9 9.1 9.2 9.3 9.4 9.5 9.6 \
    9.7 9.8 9.9 10 10.1.1 10.1.2 10.1.3 10.2 10.2.1 10.3 10.4 10.5 10.6 10.7 10.8 10.9 11.1 \
    11.2 13 14.2 14.3 14.5 16.3 16.7.1 16.7.2 17.1 17.2 17.3 17.4 18.1.1 18.1.2 18.2.1";
/// Of the same.
const EXAMPLES: usize = 220;

/// One row of a table.
struct Rule<'a> {
    line: usize,
    /// As in `RFC 6121`, or `XEP-0045`; nothing for what clients must.
    of: &'a str,
    section: &'a str,
    /// As in `8-10`.
    examples: &'a str,
    held_by: Vec<&'a str>,
}

fn rules(table: &str) -> Vec<Rule<'_>> {
    let (mut of, mut rules) = (None, Vec::new());
    for (index, line) in table.lines().enumerate() {
        if let Some(title) = line.strip_prefix("## ") {
            let is_named = title.starts_with("RFC ") || title.starts_with("XEP-");
            of = is_named.then_some(title).or((title == "Of clients alone").then_some(""));
        }
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let (section, examples, held_by) = match cells[..] {
            ["", section, _, held_by, ""] if of != Some("") => (section, "", held_by),
            ["", section, examples, _, held_by, ""] => (section, examples, held_by),
            ["", section, examples, _, ""] => (section, examples, ""),
            _ => continue,
        };
        if let Some(of) = of.filter(|_| section.contains(|c: char| c.is_ascii_digit())) {
            let held_by = held_by.split('`').skip(1).step_by(2).collect();
            rules.push(Rule { line: index + 1, of, section, examples, held_by });
        }
    }
    rules
}

#[test]
fn every_rule_is_held_by_what_cites_it() {
    let repository = Repository::read();
    let mut breaches = Vec::new();
    for table in [TABLE, ROOMS] {
        for rule in rules(repository.text(table)).iter().filter(|rule| !rule.of.is_empty()) {
            if rule.held_by.is_empty() {
                breaches.push(Breach::new(table, rule.line, "held by nothing"));
            }
            let wrong = rule.held_by.iter().filter_map(|name| wrong(repository, rule, name));
            breaches.extend(wrong.map(|why| Breach::new(table, rule.line, why)));
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
    let short = rule.of.to_lowercase().replace(' ', "").replace('-', "_");
    let is_of = text.contains(rule.of) || path.contains(&short) || name.contains(&short);
    let cites = is_of && (cites(text, rule.section) || is_named(name, rule.section));
    (!cites).then(|| format!("{path} does not cite {} §{}", rule.of, rule.section))
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
fn every_script_of_an_rfc_or_of_rooms_holds_a_rule() {
    let repository = Repository::read();
    let mut breaches = Vec::new();
    for (table, prefix) in [(TABLE, "rfc"), (ROOMS, "xep_0045")] {
        let rules = rules(repository.text(table));
        let named: BTreeSet<_> = rules.iter().flat_map(|rule| &rule.held_by).collect();
        let scripts = repository.texts.iter().filter_map(|(path, _)| path.strip_prefix(SCRIPTS));
        let scripts = scripts.filter(|name| name.starts_with(prefix) && !named.contains(name));
        let why = format!("holds no rule of {table}; add the row");
        breaches.extend(scripts.map(|name| Breach::new(&format!("{SCRIPTS}{name}"), 1, &*why)));
    }
    hold(breaches);
}

#[test]
fn every_section_and_every_example_of_rooms_has_its_row() {
    let repository = Repository::read();
    let rules = rules(repository.text(ROOMS));
    let mut breaches = Vec::new();
    for section in SECTIONS.split(' ') {
        if !rules.iter().any(|rule| rule.section == section) {
            breaches.push(Breach::new(ROOMS, 1, format!("§{section} has no row")));
        }
    }
    for example in 1..=EXAMPLES {
        let rows = rules.iter().filter(|rule| range(rule.examples).contains(&example)).count();
        if rows != 1 {
            breaches.push(Breach::new(ROOMS, 1, format!("example {example} has {rows} rows")));
        }
    }
    hold(breaches);
}

/// `8-10`, `8`, or nothing.
fn range(examples: &str) -> RangeInclusive<usize> {
    let (first, last) = examples.split_once('-').unwrap_or((examples, examples));
    let none = RangeInclusive::new(1, 0);
    first.parse().ok().zip(last.parse().ok()).map_or(none, |(first, last)| first..=last)
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
