//! Five people with seven sessions do whatever they like in a room (XEP-0045), while the store is
//! late or refuses and the process ends: what each may do, and what everybody then sees, is what a
//! model says that was written from the document.
//!
//! `cargo +nightly fuzz run f9_rooms` in `conformance`.

#![no_main]

#[path = "../../xeps/xep_0045_muc/tests/document.rs"]
#[expect(dead_code, reason = "some of it is for the tests that go through the tables")]
mod document;
#[path = "../../xeps/stage_room.rs"]
#[expect(dead_code, reason = "what goes wrong is no part of this")]
mod stage_room;
#[path = "../../xeps/stage_store.rs"]
mod stage_store;
#[path = "../../xeps/xep_0045_muc/tests/walk.rs"]
mod walk;

use libfuzzer_sys::fuzz_target;
use xeps::xep_0045_muc;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes;
    let mut walk = walk::Walk::begin(xeps::ALL);
    while !bytes.is_empty() {
        // Behind the end it is the first, always.
        walk.step(&mut |below| {
            let Some((first, rest)) = bytes.split_first() else { return 0 };
            bytes = rest;
            usize::from(*first) % below
        });
    }
});
