//! One XEP, one file, one number, one script.

use crate::{
    Breach, hold,
    source::{File, Repository, root},
};
use engine::hook::Status;

/// The number in a name like `xep_0199_ping`.
fn number(name: &str) -> Option<u16> {
    name.split_once("xep_")?.1.get(..4)?.parse().ok()
}

fn file_number(path: &str) -> Option<u16> {
    let inside = path.strip_prefix("xeps/")?;
    let name = inside.trim_end_matches("/mod.rs").trim_end_matches(".rs");
    number(name.rsplit_once('/').map_or(name, |(_, name)| name))
}

#[test]
fn the_number_in_the_file_name_is_the_constant() {
    let repository = Repository::read();
    let mut breaches = Vec::new();
    for file in &repository.rust {
        let Some(named) = file_number(&file.path) else { continue };
        for line in file.lines.iter().filter(|line| !line.is_test) {
            let constant = line.code.trim().strip_prefix("number: ");
            let constant = constant.and_then(|rest| rest.trim_end_matches(',').parse::<u16>().ok());
            if constant.is_some_and(|constant| constant != named) {
                let why = format!("the file is named after XEP-{named:04}; rename one of the two");
                breaches.push(Breach::new(&file.path, line.number, why));
            }
        }
    }
    hold(breaches);
}

#[test]
fn every_listed_xep_has_its_file() {
    let repository = Repository::read();
    let missing = xeps::ALL.iter().filter(|xep| {
        !repository.rust.iter().any(|file| file_number(&file.path) == Some(xep.number))
    });
    let breaches = missing.map(|xep| {
        let why = format!("XEP-{:04} has no file xeps/xep_{:04}_….rs", xep.number, xep.number);
        Breach::new("xeps/lib.rs", 1, why)
    });
    hold(breaches.collect());
}

#[test]
fn every_complete_xep_has_a_script() {
    let complete = xeps::ALL
        .iter()
        .filter(|xep| xep.status == Status::Complete && !xep.hooks.is_empty())
        .map(|xep| format!("conformance/scripts/xep_{:04}.scs", xep.number));
    let missing = complete.filter(|path| !root().join(path).exists());
    let breaches = missing.map(|path| {
        Breach::new(&path, 1, "missing; write it, or say Status::Partial and what is left")
    });
    hold(breaches.collect());
}

/// A XEP knows another only if that one is a vocabulary, without hooks, or of its own family,
/// in the same folder. Facts that two share have a name in the engine.
#[test]
fn a_xep_imports_only_vocabularies_and_its_family() {
    let repository = Repository::read();
    let mut breaches = Vec::new();
    for file in repository.rust.iter().filter(|file| file.path.starts_with("xeps/xep_")) {
        for (line, other) in imports(file) {
            let hooked = xeps::ALL.iter().any(|xep| xep.number == other && !xep.hooks.is_empty());
            if hooked && !is_family(repository, &file.path, other) {
                let why = format!(
                    "imports XEP-{other:04}, which has hooks; share the fact by the engine"
                );
                breaches.push(Breach::new(&file.path, line, why));
            }
        }
    }
    hold(breaches);
}

fn imports(file: &File) -> Vec<(usize, u16)> {
    let own = file_number(&file.path);
    let code = file.lines.iter().filter(|line| !line.is_test);
    let found = code.flat_map(|line| {
        let names = line.code.match_indices("xep_").map(|(at, _)| &line.code[at..]);
        names.filter_map(number).map(|other| (line.number, other)).collect::<Vec<_>>()
    });
    found.filter(|(_, other)| Some(*other) != own).collect()
}

fn is_family(repository: &Repository, path: &str, other: u16) -> bool {
    let family = path.trim_start_matches("xeps/").split_once('/').map(|(folder, _)| folder);
    let Some(family) = family else { return false };
    let home = format!("xeps/{family}/");
    number(family) == Some(other)
        || repository
            .rust
            .iter()
            .any(|file| file.path.starts_with(&home) && file_number(&file.path) == Some(other))
}
