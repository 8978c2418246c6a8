//! Clients lose their streams, come back to their sessions (XEP-0198 §5) and to those of others,
//! with right and wrong counts, while the store is late, fails, or goes away, and the process ends,
//! in peace or not. Besides what holds in `f7_sessions`: a session goes to nobody but its owner,
//! once, while it is there; what is acknowledged is kept, or was refused; nothing is told twice,
//! but by the log after a kill; no log has anything twice.
//!
//! `cargo +nightly fuzz run f7_resume` in `conformance`.

#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use engine::stream::machine::Input;
use libfuzzer_sys::fuzz_target;
use waxwing_conformance_fuzz::{
    events::{Event, Start, happens},
    world::{Count, Token, Way, World},
};

#[derive(Arbitrary, Debug)]
enum Step {
    Enables(u8),
    Loses(u8),
    HearsOfLoss(u8),
    Breaks(u8),
    Returns(u8, Way),
    /// The same, while nobody knows of the first yet.
    ReturnsTwice(u8, Way, Way),
    Claims {
        life: u8,
        by: Option<u8>,
        token: Token,
        count: Count,
        way: Way,
    },
    Acks(u8),
    AcksWrong(u8, Count),
    Asks(u8),
    Chats(u8, u8, bool),
    Restarts(bool),
    Kill(bool),
    Passes(u8),
    Rests,
    Usual(Event),
    UsualToo(Event),
}

#[derive(Arbitrary, Debug)]
struct Fates {
    restarts: bool,
    kills: bool,
    lies: bool,
}

fn goes_on(world: &mut World, fates: &Fates, step: Step) {
    let at = usize::from;
    let right = (Token::Right, Count::Right);
    match step {
        Step::Enables(stream) => {
            let enable = b"<enable xmlns='urn:xmpp:sm:3' resume='true' max='600'/>";
            world.stream_hears(at(stream), Input::Bytes(enable));
        }
        Step::Loses(stream) => world.loses(at(stream)),
        Step::HearsOfLoss(which) => drop(world.hears_of_loss(at(which))),
        Step::Breaks(stream) => happens(world, Event::Breaks(stream)),
        Step::Returns(life, way) => world.resumes(at(life), None, right, way),
        Step::ReturnsTwice(life, one, other) => {
            world.resumes(at(life), None, right, one);
            world.resumes(at(life), None, right, other);
        }
        Step::Claims { life, by, token, count, way } => {
            let is_wrong = matches!(count, Count::Behind(_) | Count::Ahead(_) | Count::Huge);
            let count = if is_wrong && !fates.lies { Count::Right } else { count };
            world.resumes(at(life), by.map(at), (token, count), way);
        }
        Step::Acks(stream) => world.acks(at(stream), Count::Right),
        Step::AcksWrong(stream, count) => world.acks(at(stream), count),
        Step::Asks(stream) => {
            world.stream_hears(at(stream), Input::Bytes(b"<r xmlns='urn:xmpp:sm:3'/>"));
        }
        Step::Chats(by, to, full) => happens(world, Event::Chats(by, to, full)),
        Step::Restarts(revives) if fates.restarts => world.restarts(false, revives),
        Step::Kill(revives) if fates.kills => world.restarts(true, revives),
        Step::Restarts(_) | Step::Kill(_) => {}
        Step::Passes(seconds) => world.passes(u64::from(seconds) * 1_000),
        Step::Rests => {
            world.holds = false;
            world.rest();
        }
        Step::Usual(event) | Step::UsualToo(event) => happens(world, event),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Unstructured::new(bytes);
    let Ok(start) = Start::arbitrary(&mut bytes) else { return };
    let Ok(fates) = Fates::arbitrary(&mut bytes) else { return };
    let mut world = start.world();
    while !bytes.is_empty() {
        let Ok(step) = Step::arbitrary(&mut bytes) else { break };
        goes_on(&mut world, &fates, step);
        world.flow();
    }
    world.end();
});
