//! Who was away, or has no stream: what the log has and what it has not are told in the order in
//! which their sender said them (RFC 6120 §10.1).

use super::{lasting::*, *};
use crate::{
    hearing::Beside,
    parcel::Claim,
    passage::Walk,
    replay::{AHEAD_BYTES_MAX, PAGE_BYTES_MAX, PAGE_ENTRIES},
    unacked::{UNACKED_BYTES_MAX, UNACKED_STANZAS_MAX},
};

const NURSE: &str = "nurse@x/kitchen";
/// Streams that begin with `begin` may be left for others, and messages are kept.
const AWAY: Xep = Xep {
    number: 9992,
    name: "Away",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[Hook::At(Station::Keep, keeps), LASTS, COUNTS, ACKS, RESUMES],
};

/// A client that acknowledges nothing answers when it has got so far.
const PACES: Xep = Xep {
    number: 9993,
    name: "Paces",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[
        Hook::Pace(|session, _| {
            let head = Head::new(wire::Kind::Iq).with_type("get").with_id("pace");
            let asks = Stanza::new(head.with_to(session.jid.clone()));
            vec![Spoken::Stanza(asks.into())]
        }),
        Hook::At(Station::Keep, |passage, _| {
            let answers = passage.stanza.head.type_str() == "result";
            let from = passage.stanza.head.from.clone().filter(|_| answers);
            from.iter().for_each(|from| passage.account.paced(from));
            Verdict::Go
        }),
    ],
};

/// What has no body, whoever it is for keeps until they have got it.
fn keeps(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    if passage.walk == Walk::Received && passage.stanza.child(BODY).is_none() {
        passage.keep(Flags::TRANSIT, |stanza, _, _, _| stanza);
    }
    keep(passage, ctx)
}

fn asks(id: &str) -> String {
    format!("<iq type='get' id='{id}' to='{ROMEO}'><q xmlns='q'/></iq>")
}

/// The ids of what a stream has heard.
fn ids(world: &mut World, by: Link) -> Vec<String> {
    let heard = world.heard(by).into_iter();
    let id = |xml: String| Some(xml.split(" id='").nth(1)?.split('\'').next()?.to_owned());
    heard.filter_map(id).collect()
}

/// Romeo's stream, which can be left for another.
fn binds(world: &mut World) -> Link {
    let (jid, link) = (Jid::parse(ROMEO).unwrap(), Link { node: Node(1), number: 9 });
    let (resource, inline) = (jid.resource().map(Text::from), vec![Draft::new(BEGIN).finish()]);
    let bind = Said::Bind { resource, since: 1, device: None, inline, reads: false };
    world.feed(Input::Parcel(Parcel::FromSocket(jid.bare(), link, bind)));
    world.says(link, ROMEO, "<presence/>");
    link
}

/// He comes back by another stream, and has got so many since he was there first.
fn resumes(world: &mut World, number: u64, h: usize) -> Link {
    let (romeo, link) = (Bare::parse("romeo@x").unwrap(), Link { node: Node(1), number });
    let claim = Claim { id: "id".into(), h: h.try_into().unwrap() };
    let resume = Said::Resume { claim, since: 1, device: None };
    world.feed(Input::Parcel(Parcel::FromSocket(romeo, link, resume)));
    link
}

fn world() -> (World, Link, Link) {
    let mut world = World::of(&[&AWAY]);
    world.pos = Pos::before(1).0;
    let (juliet, nurse) = (world.online(JULIET, 1), world.online(NURSE, 2));
    world.looks = false;
    (world, juliet, nurse)
}

#[test]
fn what_was_kept_while_nobody_was_there_comes_before_what_is_said_now() {
    let (mut world, juliet, nurse) = world();
    world.says(juliet, JULIET, &message("romeo@x", "1"));
    let romeo = world.online(ROMEO, 3);
    world.says(juliet, JULIET, &asks("2"));
    world.says(juliet, JULIET, &format!("<presence id='3' to='{ROMEO}'/>"));
    world.says(nurse, NURSE, &asks("n"));
    assert_eq!(ids(&mut world, romeo), [""; 0], "whose it is has not been read yet");
    world.look_all();
    assert_eq!(ids(&mut world, romeo), ["n", "1", "2", "3"]);
}

/// As the fuzz target F7 has found it: the one is committed by its sender, with a half of its own,
/// the other by its recipient alone.
#[test]
fn what_both_keep_and_what_the_recipient_keeps_stand_in_order_in_its_log() {
    let mut world = World::of(&[&AWAY]);
    let juliet = world.online(JULIET, 1);
    world.says(juliet, JULIET, &message("romeo@x", "0"));
    // What she says to the nurse is first, and waits for the nurse's half.
    world.loads = false;
    world.says(juliet, JULIET, &message("nurse@x", "first"));
    let seen = |id: &str| format!("<message to='romeo@x' id='{id}'><seen xmlns='q'/></message>");
    world.says(juliet, JULIET, &message("romeo@x", "1"));
    world.says(juliet, JULIET, &seen("2"));
    world.says(juliet, JULIET, &message("romeo@x", "3"));
    world.says(juliet, JULIET, &seen("4"));
    world.load();
    let kept: Vec<_> = world.log.iter().filter(|one| one.entry.log.as_str() == "romeo@x").collect();
    let id = |one: &&Logged| Stanza::parse_one(&one.entry.stanza).unwrap().head.id.clone().unwrap();
    let kept: Vec<_> = kept.iter().map(id).collect();
    assert_eq!(kept.iter().map(|id| &**id).collect::<Vec<_>>(), ["0", "1", "2", "3", "4"]);
}

/// A room has told something that stands behind what the session has not heard: what else comes
/// from there waits until it has.
#[test]
fn what_follows_what_a_room_has_yet_to_tell_is_told_in_order_and_once() {
    let mut world = World::of(&[&AWAY]);
    let romeo = world.online(ROMEO, 3);
    let room = |id: &str, kind: &str, what: &str| {
        let from = "from='garden@rooms.x/nurse'";
        format!("<{kind} {from} to='{ROMEO}' id='{id}'>{what}</{kind}>")
    };
    let tells = |world: &mut World, pos: i64, after: i64| {
        let message = room(&format!("room{pos}"), "message", "<body/>");
        let message = Stanza::parse_one(&message).unwrap();
        let told = Told { pos: Pos(pos), after: Pos(after), more: false };
        let to = Bare::parse("romeo@x").unwrap();
        world.feed(Input::Parcel(Parcel::Told { to, message, told, news: None }));
    };
    tells(&mut world, 1, 0);
    tells(&mut world, 3, 2);
    for id in ["a", "b", "c"] {
        world.routed(&room(id, "message", "<q xmlns='q'/>"));
    }
    assert_eq!(ids(&mut world, romeo), ["room1"]);
    tells(&mut world, 2, 1);
    tells(&mut world, 3, 2);
    assert_eq!(ids(&mut world, romeo), ["room2", "room3", "a", "b", "c"]);
    // What the room never tells is not waited for.
    tells(&mut world, 6, 5);
    world.routed(&room("d", "message", "<q xmlns='q'/>"));
    world.routed(&room("e", "message", "<q xmlns='q'/>"));
    assert_eq!(ids(&mut world, romeo), [""; 0]);
    world.now += 5_001;
    world.feed(Input::Tick);
    assert_eq!(ids(&mut world, romeo), ["d", "e"]);
}

/// The room has not heard yet that it has left.
#[test]
fn who_has_left_a_room_lacks_nothing_of_it_and_hears_at_once_that_it_is_out() {
    let mut world = World::of(&[&AWAY]);
    let romeo = world.online(ROMEO, 3);
    let from = "from='garden@rooms.x/nurse'";
    let message = format!("<message {from} to='{ROMEO}' id='late'><body/></message>");
    let message = Stanza::parse_one(&message).unwrap();
    let told = Told { pos: Pos(3), after: Pos(2), more: false };
    let to = Bare::parse("romeo@x").unwrap();
    world.feed(Input::Parcel(Parcel::Told { to, message, told, news: None }));
    world.routed(&format!("<presence type='unavailable' {from} to='{ROMEO}' id='out'/>"));
    assert_eq!(ids(&mut world, romeo), ["out"]);
}

/// A private message in a room is in the log once, whichever sessions of its recipient get it.
#[test]
fn copies_of_what_is_said_in_private_come_before_what_is_said_to_all_then_or_not_at_all() {
    for is_committed in [true, false] {
        let mut world = World::of(&[&AWAY]);
        let romeo = world.online(ROMEO, 3);
        let phone = world.online("romeo@x/phone", 4);
        let to = || Bare::parse("romeo@x").unwrap();
        let says = |to: &str, id: &str| {
            let from = "from='garden@rooms.x/nurse'";
            let xml = format!("<message type='chat' {from} to='{to}' id='{id}'><body/></message>");
            Stanza::parse_one(&xml).unwrap()
        };
        let owed = Owed { sender: Bare::parse("nurse@x").unwrap(), ticket: Ticket(9) };
        let stanza = says(ROMEO, "private");
        let waits = Some(owed.clone());
        world.feed(Input::Parcel(Parcel::Routed { to: to(), stanza, owed: waits.clone() }));
        let stanza = says("romeo@x/phone", "copy").with(Draft::new(Name::new("q", "q")).finish());
        let beside = Beside { owed: waits, is_copy: true };
        world.feed(Input::Parcel(Parcel::Beside { to: to(), stanza, beside: beside.clone() }));
        let (message, told) = (says("romeo@x/phone", "to all"), Told { pos: Pos(1), ..TOLD });
        world.feed(Input::Parcel(Parcel::Told { to: to(), message, told, news: None }));
        assert_eq!(ids(&mut world, phone), [""; 0], "it is not committed yet");
        let outcome = match is_committed {
            true => Ok(Committed::default()),
            false => Err(Fault::Refused("it is full".into())),
        };
        world.feed(Input::Parcel(Parcel::Release { to: to(), owed, outcome }));
        let (first, second) = (ids(&mut world, romeo), ids(&mut world, phone));
        match is_committed {
            true => assert_eq!((&*first[0], &*second.concat()), ("private", "copyto all")),
            false => assert_eq!((first.len(), &*second.concat()), (0, "to all")),
        }
        let stanza = says("romeo@x/phone", "late");
        world.feed(Input::Parcel(Parcel::Beside { to: to(), stanza, beside }));
        assert_eq!(ids(&mut world, phone), [""; 0], "of what was refused there are no copies");
    }
}

const TOLD: Told = Told { pos: Pos(0), after: Pos(0), more: false };

/// Nothing is lost, refused or out of order for somebody whose log is long.
#[test]
fn who_enters_rooms_before_its_log_has_been_read_sees_all_in_order() {
    let (mut world, juliet, _) = world();
    world.says(juliet, JULIET, &message("romeo@x", "1"));
    let romeo = world.online(ROMEO, 3);
    let all: Vec<_> = (0..600).map(|number| number.to_string()).collect();
    for id in &all {
        world.routed(&format!("<presence from='hall@far.y/{id}' to='{ROMEO}' id='{id}'/>"));
    }
    world.look_all();
    let told = ids(&mut world, romeo);
    assert_eq!(told[..600], all);
    assert_eq!(told[600..], ["1"]);
}

#[test]
fn nobody_sees_for_ever_who_left_before_its_presence_had_its_turn() {
    for before in [message(ROMEO, "1"), "<presence type='subscribe' to='romeo@x' id='1'/>".into()] {
        let mut world = World::of(&[&AWAY]);
        let (juliet, romeo) = (world.connected(JULIET, 1), world.online(ROMEO, 3));
        world.commits = false;
        world.says(juliet, JULIET, &before);
        world.says(juliet, JULIET, &format!("<presence id='2' to='{ROMEO}'/>"));
        world.leaves(juliet, JULIET);
        world.feed_commits();
        let heard = world.heard(romeo);
        let at = |what: &str| heard.iter().position(|xml| xml.contains(what));
        assert!(at("id='1'").is_some() && at("id='2'") <= at("unavailable"), "{heard:?}");
    }
}

/// As the fuzz target F7 has found it: whoever shows itself has heard that the other is gone.
#[test]
fn presence_for_a_session_that_is_no_more_is_not_for_who_has_its_resource_now_rfc6121_4_6_1() {
    let mut world = World::of(&[&AWAY]);
    let (juliet, old) = (world.connected(JULIET, 1), world.online(ROMEO, 3));
    world.commits = false;
    world.says(juliet, JULIET, &message("romeo@x", "1"));
    world.says(juliet, JULIET, &format!("<presence id='2' to='{ROMEO}'/>"));
    world.says(juliet, JULIET, &asks("3"));
    let new = world.online(ROMEO, 4);
    world.feed_commits();
    let heard = ids(&mut world, new);
    assert!(heard.contains(&"3".into()) && !heard.contains(&"2".into()), "{heard:?}");
    assert_eq!(ids(&mut world, old), [""; 0]);
}

#[test]
fn while_there_are_more_pages_nobody_overtakes_what_may_stand_on_them() {
    let (mut world, juliet, nurse) = world();
    for number in 0..=PAGE_ENTRIES {
        world.says(nurse, NURSE, &message("romeo@x", &format!("n{number}")));
    }
    world.says(juliet, JULIET, &message("romeo@x", "1"));
    let romeo = binds(&mut world);
    world.says(juliet, JULIET, &asks("2"));
    world.says(nurse, NURSE, &asks("n"));
    world.look();
    let first: Vec<_> = (0..PAGE_ENTRIES).map(|number| format!("n{number}")).collect();
    assert_eq!(ids(&mut world, romeo), first);
    world.look();
    assert_eq!(ids(&mut world, romeo), [&format!("n{PAGE_ENTRIES}"), "n", "1", "2"]);
}

/// More has come than is kept whole for a client without a stream: the log has the rest.
#[test]
fn what_comes_while_there_is_no_stream_waits_behind_what_only_the_log_has() {
    let (mut world, juliet, nurse) = world();
    let old = binds(&mut world);
    world.look_all();
    let heard = world.heard(old);
    let (got, presence) = (heard.len(), heard.iter().filter(|xml| xml.starts_with("<presence")));
    let whole = UNACKED_STANZAS_MAX - (got - presence.count());
    world.leaves(old, ROMEO);
    let all = whole + 9;
    for number in 0..all {
        world.says(juliet, JULIET, &message(ROMEO, &number.to_string()));
    }
    world.says(juliet, JULIET, &asks("j"));
    world.says(nurse, NURSE, &asks("n"));
    world.says(juliet, JULIET, &message(ROMEO, "last"));
    let new = resumes(&mut world, 10, got);
    let kept: Vec<_> = (0..whole).map(|number| number.to_string()).collect();
    assert_eq!(ids(&mut world, new), kept);
    world.look_all();
    let rest = (whole..all).map(|number| number.to_string());
    let rest: Vec<_> = ["n".into()].into_iter().chain(rest).collect();
    assert_eq!(ids(&mut world, new), [rest, vec!["j".into(), "last".into()]].concat());
    assert_eq!((world.heard(juliet), world.heard(nurse)), (vec![], vec![]));
}

/// With that it ends, and it is the only one that its account has.
#[test]
fn a_session_that_has_no_room_for_more_while_it_has_no_stream_ends() {
    let (mut world, juliet, _) = world();
    let romeo = binds(&mut world);
    world.look_all();
    world.leaves(romeo, ROMEO);
    for number in 0..=UNACKED_STANZAS_MAX {
        world.says(juliet, JULIET, &format!("<iq type='result' id='{number}' to='{ROMEO}'/>"));
    }
    world.heard(juliet);
    world.says(juliet, JULIET, &asks("later"));
    assert!(world.heard(juliet)[0].contains("service-unavailable"), "nobody is there");
}

/// Nobody sees it any more: what is for the account is for others, or waits.
#[test]
fn what_comes_while_nobody_sees_it_waits_behind_what_the_account_got() {
    let (mut world, juliet, _) = world();
    let old = binds(&mut world);
    world.look_all();
    let got = world.heard(old).len();
    world.leaves(old, ROMEO);
    world.now = world.settings.limits.detached_shown_ms;
    world.feed(Input::Tick);
    world.says(juliet, JULIET, &message("romeo@x", "1"));
    world.says(juliet, JULIET, &asks("2"));
    world.says(juliet, JULIET, &message("romeo@x", "3"));
    let new = resumes(&mut world, 10, got);
    assert_eq!(ids(&mut world, new), [""; 0]);
    world.look_all();
    assert_eq!(ids(&mut world, new), ["1", "2", "3"]);
}

/// It waits in its place still when the client loses one stream after the other.
#[test]
fn what_waits_when_the_stream_is_lost_waits_on() {
    let (mut world, juliet, _) = world();
    world.says(juliet, JULIET, &message("romeo@x", "1"));
    let first = binds(&mut world);
    let got = world.heard(first).len();
    world.says(juliet, JULIET, &asks("2"));
    world.leaves(first, ROMEO);
    world.says(juliet, JULIET, &asks("3"));
    let second = resumes(&mut world, 10, got);
    world.leaves(second, ROMEO);
    world.says(juliet, JULIET, &asks("4"));
    let third = resumes(&mut world, 11, got);
    assert_eq!(ids(&mut world, third), [""; 0]);
    world.look_all();
    assert_eq!(ids(&mut world, third), ["1", "2", "3", "4"]);
}

/// The page that had been asked for when its client came back once more begins behind what that has
/// not got.
#[test]
fn a_page_that_was_asked_for_before_a_client_came_back_is_not_told_it() {
    let (mut world, juliet, _) = world();
    let old = binds(&mut world);
    world.look_all();
    let got = world.heard(old).len();
    world.leaves(old, ROMEO);
    let large = "x".repeat(PAGE_BYTES_MAX);
    let whole = UNACKED_BYTES_MAX / (PAGE_BYTES_MAX + 100);
    for number in 1..=whole + 2 {
        let body = format!("<body>{large}</body>");
        world.says(
            juliet,
            JULIET,
            &format!("<message to='{ROMEO}' id='{number}'>{body}</message>"),
        );
    }
    let first = resumes(&mut world, 10, got);
    world.look();
    assert_eq!(ids(&mut world, first).len(), whole + 1, "the last is on another page");
    acks(&mut world, first, ROMEO, got + whole);
    let second = resumes(&mut world, 11, got + whole);
    assert_eq!(world.looking.len(), 2);
    world.look_all();
    let rest: Vec<_> = (whole + 1..=whole + 2).map(|number| number.to_string()).collect();
    assert_eq!(ids(&mut world, second), rest);
}

/// Else anybody could fill the mailbox of who comes back.
#[test]
fn what_is_large_is_told_as_fast_as_it_is_acknowledged() {
    let (mut world, juliet, _) = world();
    let large = "x".repeat(PAGE_BYTES_MAX);
    for number in 1..=5 {
        let body = format!("<body>{large}</body>");
        world.says(
            juliet,
            JULIET,
            &format!("<message to='romeo@x' id='{number}'>{body}</message>"),
        );
    }
    let romeo = binds(&mut world);
    let got = world.heard(romeo).len();
    let told = |world: &mut World| {
        world.look_all();
        ids(world, romeo)
    };
    assert_eq!(told(&mut world), ["1", "2"]);
    acks(&mut world, romeo, ROMEO, got + 1);
    assert_eq!(told(&mut world), ["3"]);
    acks(&mut world, romeo, ROMEO, got + 3);
    assert_eq!(told(&mut world), ["4", "5"]);
}

/// A room tells Romeo the last of a page.
fn tells_page(world: &mut World, pos: i64, after: i64) {
    let body = "x".repeat(AHEAD_BYTES_MAX);
    let from = "from='garden@rooms.x/nurse'";
    let message = format!("<message {from} to='{ROMEO}' id='{pos}'><body>{body}</body></message>");
    let (to, message) = (Bare::parse("romeo@x").unwrap(), Stanza::parse_one(&message).unwrap());
    let told = Told { pos: Pos(pos), after: Pos(after), more: true };
    world.feed(Input::Parcel(Parcel::Told { to, message, told, news: None }));
}

/// Where he asks for more of it.
fn asked_for(world: &mut World) -> Vec<Attends> {
    world.attends.drain(..).map(|(_, attends)| attends).collect()
}

#[test]
fn a_room_is_asked_for_more_when_the_client_has_acknowledged_what_it_told() {
    let (mut world, ..) = world();
    let romeo = binds(&mut world);
    world.look_all();
    world.says(romeo, ROMEO, "<presence to='garden@rooms.x/romeo'/>");
    let got = world.heard(romeo).len();
    world.attends.clear();
    tells_page(&mut world, 1, 0);
    assert_eq!((ids(&mut world, romeo), asked_for(&mut world)), (vec!["1".into()], Vec::new()));
    acks(&mut world, romeo, ROMEO, got + 1);
    assert_eq!(asked_for(&mut world), [Attends::Back(Some(Pos(1)))]);
}

#[test]
fn a_room_is_asked_for_more_when_a_client_that_acknowledges_nothing_has_answered() {
    let mut world = World::of(&[&AWAY, &PACES]);
    let romeo = world.online(ROMEO, 3);
    world.says(romeo, ROMEO, "<presence to='garden@rooms.x/romeo'/>");
    world.attends.clear();
    for pos in 1..=2 {
        tells_page(&mut world, pos, pos - 1);
        assert_eq!(ids(&mut world, romeo), [&pos.to_string(), "pace"]);
        assert_eq!(asked_for(&mut world), []);
        world.says(romeo, ROMEO, "<iq type='result' id='pace' to='romeo@x'/>");
        assert_eq!(asked_for(&mut world), [Attends::Back(Some(Pos(pos)))]);
    }
}
