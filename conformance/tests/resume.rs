//! To resume is never to have been away (XEP-0198 §5): clients talk while streams break at any
//! point, commits are late or fail, time passes, and the process ends, in peace or not. In the end
//! everybody has what somebody would have whose stream had never broken: all that the log has for
//! it, in its order, and nothing twice. Only a process that is killed may tell something again, and
//! then it says so: by the same stanza-id, with a delay.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "resume/client.rs"]
mod client;
#[path = "resume/judge.rs"]
mod judge;
#[path = "../fuzz/registry.rs"]
#[expect(dead_code, reason = "nothing is asked for that it would cause")]
mod registry;
#[path = "resume/walk.rs"]
mod walk;
#[path = "resume/world.rs"]
mod world;

use walk::{Fates, Walk};

/// Walks of each kind, and their steps. `RESUME_WALKS` asks for others than the first.
const WALKS: u64 = 400;
const STEPS: usize = 80;

fn walks(fates: Fates) {
    let walks = std::env::var("RESUME_WALKS").ok().and_then(|walks| walks.parse().ok());
    let first = std::env::var("RESUME_FIRST").ok().and_then(|first| first.parse().ok());
    let first = first.unwrap_or(0);
    for seed in first..first + walks.unwrap_or(WALKS) {
        Walk::of(seed, fates).goes(STEPS);
    }
}

#[test]
fn who_resumes_has_what_it_would_have_had_on_one_stream() {
    walks(Fates { restarts: false, kills: false, faults: false });
}

#[test]
fn who_resumes_after_a_restart_in_peace_has_the_same() {
    walks(Fates { restarts: true, kills: false, faults: true });
}

#[test]
fn who_resumes_after_a_kill_has_the_same_and_is_told_what_it_had_before() {
    walks(Fates { restarts: true, kills: true, faults: true });
}
