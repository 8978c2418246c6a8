//! AT-20: names of streams, and tokens, that could be guessed.

use super::{
    Doors, Intruder, SETTINGS,
    siege::Siege,
    tokens::{Shown, token},
};
use crate::{server::Server, watch::is_calm};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
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

const TOKENS: usize = 500;
const KIND: &str = "HT-SHA-256-NONE";

/// A token for each of the tokens before.
fn gathers(intruder: &mut Intruder) -> Vec<String> {
    let device = 2000 + intruder.over as u32;
    let mut tokens = vec![token(intruder, KIND, device)];
    for count in 1..TOKENS {
        let last = tokens.last().expect("one");
        let shown = Shown { kind: KIND, user: "romeo", token: last, device };
        tokens.push(shown.becomes_another(intruder, count));
    }
    tokens
}

#[tokio::test]
async fn at_20_hundreds_of_tokens_have_nothing_in_common_whatever_the_way_in() {
    let mut siege = Siege::of(Server::start(&SETTINGS.replace("trace", "debug")).await).await;
    let gathered = siege.bears(gathers).await;
    siege.ends().await;
    let digits = |token: &str| -> Vec<u8> {
        let decoded = BASE64_URL_SAFE_NO_PAD.decode(token).expect("base64url");
        assert!(decoded.len() >= DIGITS_MIN / 2, "{token}");
        decoded.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect()
    };
    for tokens in &gathered {
        let digits: Vec<_> = tokens.iter().map(|token| digits(token)).collect();
        for at in 0..digits[0].len() {
            let values: HashSet<u8> = digits.iter().map(|digits| digits[at]).collect();
            assert_eq!(values.len(), 16, "digit {at} of {:?}", &tokens[..8]);
        }
    }
    let all: HashSet<&String> = gathered.iter().flatten().collect();
    assert_eq!(all.len(), TOKENS * gathered.len());
}
