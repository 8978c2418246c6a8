//! Plays every script of this folder's neighbour in a simulated world, each in one of its own, over
//! every transport that is simulated.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use conformance::{
    driver::Transport,
    run::{Untold, play},
    script::Script,
    simulated::Simulated,
};
use std::{fs, path::Path};

/// `false`: the script says nothing over this transport.
fn simulate(source: &str, over: Transport) -> Result<bool, String> {
    let script = Script::parse(source).map_err(|misspelt| misspelt.to_string())?;
    if !script.is_over(over) {
        return Ok(false);
    }
    let world = Simulated::over(over, "localhost", script.accounts());
    let mut world = world.map_err(|broken| format!("0: {broken}"))?;
    let played = play(&script, &mut world, Untold::Wrong);
    played.map(|_| true).map_err(|failure| failure.to_string())
}

/// Plays them all; gives how many scripts are not played over it.
fn play_all(over: Transport) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "scs")).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no scripts in {}", folder.display());
    let (mut failures, mut left_out) = (Vec::new(), Vec::new());
    for path in &paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match simulate(&fs::read_to_string(path).unwrap(), over) {
            Ok(true) => {}
            Ok(false) => left_out.push(name),
            Err(why) => failures.push(format!("conformance/scripts/{name}, {why}")),
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), paths.len(), failures.join("\n"));
    left_out
}

#[test]
fn every_script_passes_simulated() {
    assert_eq!(play_all(Transport::Tcp), [""; 0]);
}

#[test]
fn every_script_passes_simulated_with_tls_from_the_first_byte() {
    let left_out = play_all(Transport::Direct);
    println!("not with TLS from the first byte: {left_out:?}");
}

#[test]
fn every_script_passes_simulated_over_websocket() {
    let left_out = play_all(Transport::WebSocket);
    println!("not over WebSocket: {left_out:?}");
}
