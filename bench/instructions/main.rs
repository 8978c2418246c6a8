//! The steps of a message's path, each a function of its own, so that `bench/count`
//! can tell them apart under callgrind. What is measured is called `STEPS` times, with everything
//! that is not measured around it.

mod stage;

use engine::{
    hearing::Told,
    parcel::{Parcel, Said, Say, Ticket},
    port::Written,
    shard::{Input, Output},
    unit::{Committed, Pos, Unit},
    wire::*,
    writer::{Writer, WriterLimits},
};
use stage::{Stage, UNIX_MS};
use std::hint::black_box;

/// How often each step is gone.
const STEPS: u64 = 200;

const HEADER: &str = "<stream:stream xmlns='jabber:client' \
     xmlns:stream='http://etherx.jabber.org/streams' to='capulet.example' version='1.0'>";
const ROOM: &str = "garden@conference.capulet.example/nurse";
const SAID: &str = "<body>Wherefore art thou, Romeo? Deny thy father &amp; refuse thy name.</body>\
     <active xmlns='http://jabber.org/protocol/chatstates'/>\
     <request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/>";

fn main() {
    let mut stage = Stage::set();
    let mut decoder = Decoder::new(Content::Client, Limits::CLIENT);
    let opened = decoder.next(&mut HEADER.as_bytes());
    assert!(matches!(opened, Ok(Some(Frame::Open(_)))), "{opened:?}");
    let mut writer = Writer::resume((0, Pos(0)), WriterLimits::default());
    for number in 1..=STEPS {
        chat(&mut stage, &mut decoder, &mut writer, number);
        room(&mut stage, number);
    }
}

/// One message of Juliet's, from her socket to Romeo's, archived by both.
fn chat(stage: &mut Stage, decoder: &mut Decoder, writer: &mut Writer<Ticket>, number: u64) {
    let (juliet, romeo) = (stage.juliet.clone(), stage.romeo.clone());
    let bytes = format!(
        "<message to='{romeo}' id='6d1f2c0e-{number:08}' type='chat' xml:lang='en'>{SAID}\
         <origin-id xmlns='urn:xmpp:sid:0' id='6d1f2c0e-{number:08}'/></message>"
    );
    let Some(Frame::Stanza(mut message)) = decode(decoder, bytes.as_bytes()) else {
        panic!("not a stanza: {bytes}");
    };
    message.head.from = Some(juliet.clone());
    let said = Parcel::FromSocket(juliet.bare(), stage.link(&juliet), Said::Stanza(message));

    let routed = one(passage_sent(stage, said), |output| match output {
        Output::Parcel(routed @ Parcel::Routed { .. }) => Some(routed),
        _ => None,
    });
    let half = one(passage_received(stage, routed), |output| match output {
        Output::Parcel(half @ Parcel::Half { .. }) => Some(half),
        _ => None,
    });
    let (ticket, unit) = one(passage_joined(stage, half), |output| match output {
        Output::Commit(_, ticket, unit, _) => Some((ticket, unit)),
        _ => None,
    });
    let committed = append(writer, ticket, unit);
    let outcome = engine::shard::outcome(juliet.bare(), ticket, Some(romeo.bare()), Ok(committed));
    let mut written = Vec::new();
    for (_, input) in outcome {
        written.extend(delivery(stage, input).into_iter().filter_map(stanza));
    }
    let [written] = &written[..] else { panic!("{written:?}") };
    let other = Jid::parse("romeo@capulet.example/garden").expect("an address");
    assert!(head(written, &other) > bytes.len());
}

/// One copy of what somebody says in a room that Romeo is in.
fn room(stage: &mut Stage, number: u64) {
    let pos = |number: u64| Pos(number.cast_signed());
    let told = Told { pos: pos(number), after: pos(number - 1), more: false };
    let xml = format!(
        "<message from='{ROOM}' id='m{number:08}' type='groupchat'>{SAID}\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='f00d'/><stanza-id \
         xmlns='urn:xmpp:sid:0' by='garden@conference.capulet.example' id='{number:08}'/></message>"
    );
    let mut message = Stanza::parse_one(&xml).expect("a message");
    let romeo = stage.romeo.clone();
    message.head.to = Some(romeo.clone());
    let parcel = Parcel::Told { to: romeo.bare(), message, told, news: None };
    let heard = room_delivery(stage, parcel);
    assert_eq!(heard.into_iter().filter_map(stanza).count(), 1);
}

fn one<T>(outputs: Vec<Output>, is_it: impl Fn(Output) -> Option<T>) -> T {
    let mut found = outputs.into_iter().filter_map(is_it);
    let first = found.next().expect("the step has another outcome");
    assert!(found.next().is_none(), "the step has two outcomes");
    first
}

fn stanza(output: Output) -> Option<Stanza> {
    match output {
        Output::Parcel(Parcel::ToSocket(_, Say::Stanza(stanza))) => Some(stanza),
        _ => None,
    }
}

// What is counted. Each says its name, or the compiler would find that some are the same.

#[inline(never)]
fn decode(decoder: &mut Decoder, mut bytes: &[u8]) -> Option<Frame> {
    decoder.next(black_box(&mut bytes)).expect("well-formed")
}

#[inline(never)]
fn passage_sent(stage: &mut Stage, said: Parcel) -> Vec<Output> {
    stage.handle("passage_sent", Input::Parcel(said))
}

#[inline(never)]
fn passage_received(stage: &mut Stage, routed: Parcel) -> Vec<Output> {
    stage.handle("passage_received", Input::Parcel(routed))
}

#[inline(never)]
fn passage_joined(stage: &mut Stage, half: Parcel) -> Vec<Output> {
    stage.handle("passage_joined", Input::Parcel(half))
}

/// What of it is the engine's: the store stands behind its port.
#[inline(never)]
fn append(writer: &mut Writer<Ticket>, ticket: Ticket, unit: Unit) -> Committed {
    writer.push(ticket, unit, Default::default()).expect("there is room");
    let batch = writer.next_batch(UNIX_MS).expect("a batch");
    let verdicts = batch.units.iter().map(|_| Ok(Written::Now)).collect();
    let (_, outcome) = writer.outcome(Ok(verdicts)).pop().expect("an outcome");
    outcome.expect("committed")
}

#[inline(never)]
fn delivery(stage: &mut Stage, outcome: Input) -> Vec<Output> {
    stage.handle("delivery", outcome)
}

#[inline(never)]
fn room_delivery(stage: &mut Stage, told: Parcel) -> Vec<Output> {
    stage.handle("room_delivery", Input::Parcel(told))
}

/// A head of its own before the one body, and all of it as bytes.
#[inline(never)]
fn head(message: &Stanza, to: &Jid) -> usize {
    let mut copy = black_box(message).clone();
    copy.head.to = Some(to.clone());
    let mut bytes = Vec::with_capacity(1024);
    copy.write(Framing::Stream, &mut bytes);
    black_box(bytes).len()
}
