//! The rules of this repository, as tests. There is no list of exceptions: mend what fails.
//!
//! Each message names the line and the mend.

mod arrows;
mod names;
mod rules;
mod sizes;
#[cfg(test)]
mod source;
mod words;
mod xep_files;

use source::{Line, Repository};

/// One breach.
struct Breach {
    at: String,
    why: String,
}

impl Breach {
    fn new(path: &str, line: usize, why: impl Into<String>) -> Self {
        Self { at: format!("{path}:{line}"), why: why.into() }
    }
}

fn hold(breaches: Vec<Breach>) {
    let list: Vec<_> =
        breaches.iter().map(|breach| format!("{}: {}", breach.at, breach.why)).collect();
    assert!(list.is_empty(), "{} to mend:\n{}", list.len(), list.join("\n"));
}

/// Every line of Rust that is chosen, if `wrong` says what is wrong with it.
fn lines(chosen: impl Fn(&str) -> bool, wrong: impl Fn(&Line) -> Option<String>) -> Vec<Breach> {
    let repository = Repository::read();
    let mut breaches = Vec::new();
    for file in repository.rust.iter().filter(|file| chosen(&file.path)) {
        for line in &file.lines {
            let breach = wrong(line).map(|why| Breach::new(&file.path, line.number, why));
            breaches.extend(breach);
        }
    }
    breaches
}
