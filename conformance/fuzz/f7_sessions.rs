//! Several clients say anything to their streams, accounts and each other, while the store is
//! late, fails, or goes away. Whatever they say: who asks is answered once, an answer never;
//! nothing is delivered twice, behind its successor, before its commit, or to who may not see
//! it; what may not be lost is not; credit is given back once; and when all have left, nothing
//! remains.
//!
//! `cargo +nightly fuzz run f7_sessions` in `conformance`.

#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use waxwing_conformance_fuzz::events::{Event, Start, happens};

// Events until the bytes end: a vector would end by chance.
fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Unstructured::new(bytes);
    let Ok(start) = Start::arbitrary(&mut bytes) else { return };
    let mut world = start.world();
    while !bytes.is_empty() {
        let Ok(event) = Event::arbitrary(&mut bytes) else { break };
        happens(&mut world, event);
        world.flow();
    }
    world.end();
});
