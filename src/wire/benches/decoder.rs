//! How long one chat message of 400 bytes with five children takes through the decoder and back
//! to bytes, and what it allocates. `cargo bench -p waxwing-wire`

#![expect(clippy::disallowed_methods, reason = "measuring is asking how long something took")]

use std::alloc::System;
use std::hint::black_box;
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use wire::{Content, Decoder, Frame, Framing, Jid, Limits, Stanza};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const HEADER: &str = "<stream:stream xmlns='jabber:client' \
     xmlns:stream='http://etherx.jabber.org/streams' to='example.com' version='1.0'>";
const MESSAGE: &str = "<message from='juliet@capulet.example/balcony-3f9c' \
     to='romeo@montague.example' id='6d1f2c0e-9a57-4b1c' type='chat' xml:lang='en'>\
     <body>Wherefore art thou, Romeo? Deny thy father &amp; refuse thy name.</body>\
     <active xmlns='http://jabber.org/protocol/chatstates'/>\
     <request xmlns='urn:xmpp:receipts'/>\
     <origin-id xmlns='urn:xmpp:sid:0' id='6d1f2c0e-9a57'/>\
     <markable xmlns='urn:xmpp:chat-markers:0'/></message>";
/// Messages in one round, which is short so that some are not interrupted, and rounds, of which
/// the fastest counts.
const MESSAGES: usize = 500;
const ROUNDS: usize = 2_000;

fn main() {
    println!("message of {} bytes", MESSAGE.len());
    let whole = MESSAGE.repeat(MESSAGES);
    report("decode, read whole", decode(&[whole.as_bytes()]));
    let segments: Vec<&[u8]> = whole.as_bytes().chunks(1448).collect();
    report("decode, in 1448-byte segments", decode(&segments));
    let one: Vec<&[u8]> = whole.as_bytes().chunks(MESSAGE.len()).collect();
    report("decode, one by one", decode(&one));
    let stanza = Stanza::parse_one(MESSAGE).expect("a stanza");
    report("write", write(&stanza));
    report("clone with another `to`", readdress(&stanza));
    report("parse a full JID", parse_jid());
}

/// The fastest round, and allocations in it.
struct Measure {
    time: Duration,
    allocations: usize,
}

fn report(what: &str, measure: Measure) {
    let each = measure.time.as_nanos() as f64 / MESSAGES as f64;
    let rate = MESSAGE.len() as f64 * 1000.0 / each;
    let allocations = measure.allocations as f64 / MESSAGES as f64;
    println!("{what:<30} {each:7.0} ns  {rate:6.0} MB/s  {allocations:5.2} allocations");
}

fn measure(mut round: impl FnMut()) -> Measure {
    let mut best = Measure { time: Duration::MAX, allocations: 0 };
    for _ in 0..ROUNDS {
        let region = Region::new(ALLOCATOR);
        let started = Instant::now();
        round();
        let time = started.elapsed();
        if time < best.time {
            let change = region.change();
            best = Measure { time, allocations: change.allocations + change.reallocations };
        }
    }
    best
}

fn decode(chunks: &[&[u8]]) -> Measure {
    let mut decoder = Decoder::new(Content::Client, Limits::CLIENT);
    let opened = decoder.next(&mut HEADER.as_bytes());
    assert!(matches!(opened, Ok(Some(Frame::Open(_)))));
    measure(|| {
        let mut stanzas = 0;
        for chunk in chunks {
            let mut input = *chunk;
            while let Some(frame) = decoder.next(&mut input).expect("well-formed") {
                stanzas += 1;
                black_box(&frame);
            }
        }
        assert_eq!(stanzas, MESSAGES);
    })
}

fn write(stanza: &Stanza) -> Measure {
    let mut out = Vec::with_capacity(2 * MESSAGE.len());
    measure(|| {
        for _ in 0..MESSAGES {
            out.clear();
            black_box(stanza).write(Framing::Stream, &mut out);
            black_box(&out);
        }
    })
}

fn readdress(stanza: &Stanza) -> Measure {
    let to = Jid::parse("romeo@montague.example/orchard").expect("a jid");
    measure(|| {
        for _ in 0..MESSAGES {
            let mut copy = black_box(stanza).clone();
            copy.head.to = Some(to.clone());
            black_box(&copy);
        }
    })
}

fn parse_jid() -> Measure {
    measure(|| {
        for _ in 0..MESSAGES {
            black_box(Jid::parse(black_box("juliet@capulet.example/balcony-3f9c"))).expect("a jid");
        }
    })
}
