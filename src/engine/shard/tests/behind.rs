//! A session that is told its log: what is in none keeps its place behind what of the same sender
//! stands there (RFC 6120 §10.1).

use super::{lasting::*, *};
use crate::{
    behind::{BEHIND_MS_MAX, BEHIND_STANZAS_MAX},
    parcel::Claim,
    unit::Resumable,
};

const NURSE: &str = "nurse@x/kitchen";

/// Romeo has become available, and his log has not been read yet.
fn romeo_reads(xeps: &'static [&'static Xep]) -> (World, Link, Link, Link) {
    let mut world = World::of(xeps);
    world.pos = Pos::before(1).0;
    let (juliet, nurse) = (world.online(JULIET, 1), world.online(NURSE, 2));
    world.looks = false;
    let romeo = world.online(ROMEO, 3);
    assert_eq!(world.looking.len(), 1);
    (world, juliet, nurse, romeo)
}

fn asks(id: &str, to: &str) -> String {
    format!("<iq type='get' id='{id}' to='{to}'><q xmlns='q'/></iq>")
}

/// The ids of what a stream has heard.
fn ids(world: &mut World, by: Link) -> Vec<String> {
    let heard = world.heard(by).into_iter();
    let id = |xml: String| Some(xml.split(" id='").nth(1)?.split('\'').next()?.to_owned());
    heard.filter_map(id).collect()
}

/// As the fuzz target F7 has found it: the message is in the log, the request is not.
#[test]
fn a_request_to_oneself_waits_behind_the_message_that_a_new_stream_is_to_be_told() {
    let mut world = World::of(TOYS);
    let old = world.online(NURSE, 1);
    (world.commits, world.looks) = (false, false);
    world.says(old, NURSE, &message(NURSE, "1"));
    world.says(old, NURSE, &asks("2", NURSE));
    let new = world.online(NURSE, 2);
    world.commit();
    assert_eq!(ids(&mut world, new), [""; 0]);
    world.look_all();
    assert_eq!(ids(&mut world, new), ["1", "2"]);
}

#[test]
fn requests_answers_presence_and_what_is_kept_nowhere_wait_to_either_address_of_the_recipient() {
    let (mut world, juliet, nurse, romeo) = romeo_reads(TOYS);
    world.says(juliet, JULIET, &message("romeo@x", "1"));
    for (id, xml) in [
        ("2", asks("2", ROMEO)),
        ("3", format!("<iq type='result' id='3' to='{ROMEO}'/>")),
        ("4", format!("<presence id='4' to='{ROMEO}'/>")),
        ("5", "<presence id='5' type='subscribe' to='romeo@x'/>".into()),
        ("6", "<message id='6' type='chat' to='romeo@x'><q xmlns='q'/></message>".into()),
    ] {
        world.says(juliet, JULIET, &xml);
        world.says(nurse, NURSE, &xml.replace(&format!("'{id}'"), &format!("'n{id}'")));
    }
    world.says(juliet, JULIET, &message("romeo@x", "7"));
    world.says(juliet, JULIET, &asks("8", ROMEO));
    assert_eq!(ids(&mut world, romeo), [""; 0]);
    world.look_all();
    let told = ids(&mut world, romeo);
    let others = ["n2", "n3", "n4", "n5", "n6"];
    assert_eq!(told[..5], others, "she has said nothing that stands before");
    assert_eq!(told[5..], ["1", "2", "3", "4", "5", "6", "7", "8"]);
    world.says(juliet, JULIET, &asks("9", ROMEO));
    assert_eq!(ids(&mut world, romeo), ["9"], "nothing stands before it any more");
}

#[test]
fn what_the_account_and_its_host_answer_waits_for_nobody() {
    let (mut world, _, _, romeo) = romeo_reads(TOYS);
    world.says(romeo, ROMEO, &message(ROMEO, "1"));
    for to in ["", "romeo@x", "x", "juliet@x"] {
        world.says(romeo, ROMEO, &asks(&format!("for {to}"), to));
    }
    let answers = ids(&mut world, romeo);
    assert_eq!(answers, ["for ", "for romeo@x", "for x", "for juliet@x"]);
    world.says(romeo, ROMEO, &asks("2", ROMEO));
    world.look_all();
    assert_eq!(ids(&mut world, romeo), ["1", "2"]);
}

/// The store has it already, and the account has not heard of that.
#[test]
fn what_is_read_before_it_is_released_does_not_overtake_what_no_log_has() {
    let (mut world, juliet, _, romeo) = romeo_reads(TOYS);
    world.commits = false;
    world.says(juliet, JULIET, &message(ROMEO, "1"));
    world.says(juliet, JULIET, &asks("2", ROMEO));
    world.says(juliet, JULIET, &message(ROMEO, "3"));
    let committed: Vec<_> = std::iter::from_fn(|| world.next_commit()).flatten().collect();
    world.look_all();
    assert_eq!(ids(&mut world, romeo), [""; 0]);
    committed.into_iter().for_each(|input| world.feed(input));
    world.look_all();
    assert_eq!(ids(&mut world, romeo), ["1", "2", "3"]);
}

#[test]
fn other_sessions_of_the_account_are_not_held_up() {
    let mut world = World::of(TOYS);
    let (juliet, other) = (world.online(JULIET, 1), world.online("romeo@x/other", 2));
    world.looks = false;
    world.online(ROMEO, 3);
    world.heard(other);
    world.says(juliet, JULIET, &message("romeo@x", "1"));
    world.says(juliet, JULIET, &asks("2", "romeo@x/other"));
    assert_eq!(ids(&mut world, other), ["1", "2"]);
}

#[test]
fn what_waited_for_who_leaves_is_answered_rfc6121_8_5_3_2_3() {
    let (mut world, juliet, _, romeo) = romeo_reads(TOYS);
    world.says(juliet, JULIET, &message(ROMEO, "1"));
    world.says(juliet, JULIET, &asks("2", ROMEO));
    world.says(juliet, JULIET, &format!("<presence id='3' to='{ROMEO}'/>"));
    assert_eq!(world.heard(juliet), [""; 0]);
    world.leaves(romeo, ROMEO);
    let heard = world.heard(juliet);
    assert!(heard.len() == 1 && heard[0].contains("service-unavailable"), "{heard:?}");
    assert!(heard[0].contains("id='2'"), "{heard:?}");
}

#[test]
fn who_asks_is_told_to_wait_when_the_store_does_not_come_and_nothing_is_late_that_can_be_told() {
    let (mut world, juliet, _, romeo) = romeo_reads(TOYS);
    world.says(juliet, JULIET, &message(ROMEO, "1"));
    world.says(juliet, JULIET, &asks("2", ROMEO));
    world.says(juliet, JULIET, &format!("<iq type='result' id='3' to='{ROMEO}'/>"));
    let (jid, session, look) = world.looking.pop_front().unwrap();
    world.feed(Input::Seen(jid, session, look, Err(Fault::Away("gone".into()))));
    world.now = BEHIND_MS_MAX - 1;
    world.feed(Input::Tick);
    assert_eq!((world.heard(juliet), world.heard(romeo)), (vec![], vec![]));
    world.now += 1;
    world.feed(Input::Tick);
    let heard = world.heard(juliet);
    let refused = "<error type='wait'><resource-constraint";
    assert!(heard.len() == 1 && heard[0].contains(refused), "{heard:?}");
    world.look_all();
    assert_eq!(ids(&mut world, romeo), ["1", "3"]);
}

#[test]
fn what_waits_for_one_session_is_bounded_and_presence_and_answers_are_not_lost_by_that() {
    let (mut world, juliet, nurse, romeo) = romeo_reads(TOYS);
    world.says(juliet, JULIET, &message(ROMEO, "first"));
    world.says(nurse, NURSE, &message(ROMEO, "nurse"));
    world.says(nurse, NURSE, &format!("<presence id='old' to='{ROMEO}'/>"));
    for number in 1..BEHIND_STANZAS_MAX {
        world.says(juliet, JULIET, &asks(&number.to_string(), ROMEO));
    }
    assert_eq!((world.heard(juliet), world.heard(romeo)), (vec![], vec![]));
    world.says(juliet, JULIET, &asks("more", ROMEO));
    let heard = world.heard(juliet);
    assert!(heard.len() == 1 && heard[0].contains("resource-constraint"), "{heard:?}");
    world.says(nurse, NURSE, &format!("<presence id='new' to='{ROMEO}'/>"));
    world.says(juliet, JULIET, &format!("<iq type='result' id='result' to='{ROMEO}'/>"));
    assert_eq!(ids(&mut world, romeo), ["result"], "there is no room for it");
    world.look_all();
    let told = ids(&mut world, romeo);
    assert_eq!(told.len(), 2 + BEHIND_STANZAS_MAX, "{told:?}");
    assert_eq!(told.last().unwrap(), "new");
    assert!(!told.iter().any(|id| id == "old"), "of presence the last counts");
}

#[test]
fn what_a_room_told_and_there_was_no_room_for_it_is_asked_for_at_the_end() {
    let (mut world, _, _, romeo) = romeo_reads(TOYS);
    let from = "from='garden@rooms.x/nurse'";
    let said =
        |id: &str| format!("<message {from} to='{ROMEO}' id='{id}'><body>{id}</body></message>");
    world.routed(&said("private"));
    let tells = |world: &mut World, pos: i64| {
        let message = Stanza::parse_one(&said(&format!("room{pos}"))).unwrap();
        let told = Told { pos: Pos(pos), after: Pos(pos - 1), more: false };
        let to = Bare::parse("romeo@x").unwrap();
        world.feed(Input::Parcel(Parcel::Told { to, message, told, news: None }));
    };
    tells(&mut world, 1);
    for number in 1..BEHIND_STANZAS_MAX {
        world.routed(&asks(&number.to_string(), ROMEO).replace("<iq", &format!("<iq {from}")));
    }
    tells(&mut world, 2);
    assert_eq!(ids(&mut world, romeo), [""; 0]);
    assert_eq!(world.attends, []);
    world.look_all();
    let told = ids(&mut world, romeo);
    assert_eq!((&*told[0], &*told[1], told.len()), ("private", "room1", 1 + BEHIND_STANZAS_MAX));
    let room = Bare::parse("garden@rooms.x").unwrap();
    assert_eq!(world.attends, [(room, Attends::Back(Some(Pos(1))))]);
    tells(&mut world, 2);
    assert_eq!(ids(&mut world, romeo), ["room2"]);
}

/// It came while the log was read, and was purged before the log was read again.
#[test]
fn what_has_been_purged_meanwhile_is_not_waited_for() {
    let (mut world, juliet, _, romeo) = romeo_reads(TOYS);
    world.says(juliet, JULIET, &message(ROMEO, "1"));
    world.says(juliet, JULIET, &asks("2", ROMEO));
    world.log.clear();
    world.look();
    assert_eq!(world.looking.len(), 1, "the store had been asked before it had the message");
    assert_eq!(ids(&mut world, romeo), [""; 0]);
    world.look();
    assert_eq!(world.looking.len(), 0, "the store has been asked behind it");
    assert_eq!(ids(&mut world, romeo), ["2"]);
    world.says(juliet, JULIET, &message(ROMEO, "3"));
    assert_eq!(ids(&mut world, romeo), ["3"], "nothing stands before it any more");
}

/// Streams that begin with `begin` may be left for others.
const KEPT: Xep = Xep {
    number: 9993,
    name: "Kept",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[Hook::At(Station::Keep, keep), LASTS, COUNTS, RESUMES],
};

/// Juliet has said `1` and asked `2`, romeo has been told neither, and a second later the process
/// is killed. He has been loaded again, and has no stream.
fn killed() -> (World, Link) {
    let mut world = World::of(&[&KEPT]);
    world.pos = Pos::before(1).0;
    let juliet = world.online(JULIET, 1);
    let (jid, romeo) = (Jid::parse(ROMEO).unwrap(), Link { node: Node(1), number: 2 });
    let (resource, inline) = (jid.resource().map(Text::from), vec![Draft::new(BEGIN).finish()]);
    let bind = Said::Bind { resource, since: 1, device: None, inline, reads: false };
    world.feed(Input::Parcel(Parcel::FromSocket(jid.bare(), romeo, bind)));
    world.looks = false;
    world.says(romeo, ROMEO, "<presence/>");
    world.says(juliet, JULIET, &message(ROMEO, "1"));
    world.says(juliet, JULIET, &asks("2", ROMEO));
    world.commits = false;
    world.now = 1_000;
    world.feed(Input::Tick);
    let mut changes = world.held.iter().flat_map(|(_, _, unit, _)| &unit.changes);
    let row = changes.find_map(|change| match change {
        Change::Session(of, row) if *of == jid.bare() => Some(Resumable::clone(row)),
        _ => None,
    });
    let row = row.expect("it is written within the second");
    let mut again = World::of(&[&KEPT]);
    (again.pos, again.log) = (world.pos, std::mem::take(&mut world.log));
    let juliet = again.online(JULIET, 1);
    (again.loads, again.looks) = (false, false);
    again.feed(Input::Revive(jid.bare()));
    let loaded = Loaded { sessions: vec![row], last: Pos(again.pos), ..Loaded::default() };
    again.feed(Input::Loaded(jid.bare(), Ok(Some(loaded))));
    again.says(juliet, JULIET, &asks("3", ROMEO));
    assert_eq!(again.heard(juliet), [""; 0]);
    (again, juliet)
}

#[test]
fn what_waits_outlives_the_process_in_its_place() {
    let (mut world, juliet) = killed();
    let (romeo, bare) = (Link { node: Node(1), number: 3 }, Bare::parse("romeo@x").unwrap());
    // He has got more than was written: none of it is what waited.
    let claim = Claim { id: "id".into(), h: 7 };
    let resumes = Said::Resume { claim, since: 1, device: None };
    world.feed(Input::Parcel(Parcel::FromSocket(bare, romeo, resumes)));
    assert_eq!(ids(&mut world, romeo), [""; 0]);
    world.look_all();
    assert_eq!(ids(&mut world, romeo), ["1", "2", "3"]);
    assert_eq!(world.heard(juliet), [""; 0]);
}

#[test]
fn who_asked_before_the_process_ended_is_answered_though_nobody_comes_back() {
    let (mut world, juliet) = killed();
    world.now = BEHIND_MS_MAX - 1;
    world.feed(Input::Tick);
    assert_eq!(world.heard(juliet), [""; 0]);
    world.now = BEHIND_MS_MAX;
    assert_eq!(world.shard.wakes(), Some(Moment(world.now)));
    world.feed(Input::Tick);
    let heard = world.heard(juliet);
    assert_eq!(heard.len(), 2, "{heard:?}");
    for (refused, id) in heard.iter().zip(["id='2'", "id='3'"]) {
        assert!(refused.contains(id) && refused.contains("resource-constraint"), "{refused}");
    }
}
