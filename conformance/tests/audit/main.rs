//! The auditor finds what is wrong, and nothing where nothing is: planted bugs, in histories and in
//! a server.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod histories;
mod rooms;
mod servers;
mod toy;

use conformance::audit::{
    crowd::{Crowd, Outcome, Plan},
    history::{Fault, acked},
};
use std::{fs, time::Duration};
use toy::{Bug, Toy};

/// Messages a second, for long enough that every bug shows.
const PLAN: Plan = Plan {
    pairs: 3,
    devices: 2,
    rooms: 0,
    ghosts_after: Duration::ZERO,
    rate: 400.0,
    domain: String::new(),
    deaf: 0,
    seed: 7,
};
const STRIKES: u32 = 4;
/// Messages that are acknowledged before each, and behind the last.
const ACKED: usize = 150;
const PATIENCE: Duration = Duration::from_secs(120);

/// What is done to the toy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strike {
    Kill,
    Cut,
}

/// The devices talk to a toy with this bug, while this is done to it.
fn play(name: &str, bug: Bug, strike: Strike) -> Outcome {
    let toy = Toy::start(bug);
    let plan = Plan { domain: "localhost".into(), ..PLAN };
    let folder = std::env::temp_dir().join(format!("waxwing-toy-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let crowd = Crowd::gather(&plan, toy.door(), &folder.join("history.jsonl")).unwrap();
    for _ in 0..STRIKES {
        crowd.live_until(|events| acked(events) >= ACKED).unwrap();
        crowd.all_online(PATIENCE).unwrap();
        if strike == Strike::Cut {
            crowd.cut();
            continue;
        }
        crowd.goes(Fault::Kill);
        toy.kill();
        crowd.returns(toy.door());
    }
    crowd.live_until(|events| acked(events) >= ACKED).unwrap();
    let outcome = crowd.settle().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    outcome
}
