//! AT-20: names of streams that could be guessed.

use super::{Doors, Intruder, SETTINGS};
use crate::{server::Server, watch::is_calm};
use conformance::{
    actor::Next,
    driver::{Patience, Transport},
    tree::Heard,
};
use std::collections::HashSet;

const STREAMS: usize = 1000;
/// 128 bits.
const DIGITS_MIN: usize = 32;

impl Intruder {
    /// What the server calls a new stream; a session of BOSH is called so for its whole life.
    fn id(&mut self) -> String {
        self.header("to='localhost'");
        match self.actor.next(&mut *self.driver, Patience::Answer).unwrap() {
            Next::Heard(Heard::Header(header)) => header.attribute("id").unwrap().to_owned(),
            other => panic!("a header expected, {}", other.words()),
        }
    }
}

#[tokio::test]
async fn at_20_a_thousand_streams_of_each_way_have_names_that_nobody_can_guess() {
    let server = Server::start(&SETTINGS.replace("trace", "info")).await;
    let doors = Doors::of(&server);
    let ways = [Transport::Tcp, Transport::WebSocket, Transport::Bosh].map(|over| {
        tokio::task::spawn_blocking(move || {
            let mut intruder = Intruder::new(over, doors, false);
            (0..STREAMS).map(|_| intruder.id()).collect::<Vec<_>>()
        })
    });
    let mut all = HashSet::new();
    for way in ways {
        let ids = way.await.unwrap();
        let hex = |id: &String| id.bytes().all(|digit| digit.is_ascii_hexdigit());
        let long = |id: &String| id.len() >= DIGITS_MIN;
        assert!(ids.iter().all(|id| hex(id) && long(id)), "{ids:?}");
        // Nothing in them stays, or goes slowly as time does: every digit takes every value.
        for at in 0..ids[0].len() {
            let values: HashSet<u8> = ids.iter().map(|id| id.as_bytes()[at]).collect();
            assert_eq!(values.len(), 16, "digit {at} of {:?}", &ids[..8]);
        }
        all.extend(ids);
    }
    assert_eq!(all.len(), 3 * STREAMS);
    is_calm(&server);
}
