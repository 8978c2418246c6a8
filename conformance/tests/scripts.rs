//! Plays every script of this folder's neighbour in a simulated world, each in one of its own.

use conformance::{
    run::{Untold, play},
    script::Script,
    simulated::Simulated,
};
use std::{fs, path::Path};

fn simulate(source: &str) -> Result<(), String> {
    let script = Script::parse(source).map_err(|misspelt| misspelt.to_string())?;
    let mut world =
        Simulated::new("localhost", script.accounts()).map_err(|broken| format!("0: {broken}"))?;
    play(&script, &mut world, Untold::Wrong).map(drop).map_err(|failure| failure.to_string())
}

#[test]
fn every_script_passes_simulated() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "scs")).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no scripts in {}", folder.display());
    let mut failures = Vec::new();
    for path in &paths {
        let name = path.file_name().unwrap().to_string_lossy();
        if let Err(why) = simulate(&fs::read_to_string(path).unwrap()) {
            failures.push(format!("conformance/scripts/{name}, {why}"));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), paths.len(), failures.join("\n"));
}
