//! Nothing that a peer says grows without end, and a limit shuts out nobody else.

use super::*;
use crate::account::WAITING_STANZAS_MAX;

#[test]
fn what_strangers_make_an_account_hold_is_bounded_and_does_not_silence_its_owner() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.commits = false;
    for _ in 0..WAITING_STANZAS_MAX + 1 {
        world.routed(&format!("<message from='a@y/b' to='{ROMEO}'><body>x</body></message>"));
    }
    assert_eq!(world.held.len(), WAITING_STANZAS_MAX, "the last is refused");
    world.says(juliet, JULIET, &message(ROMEO, "hark"));
    let heard = world.heard(juliet);
    assert!(heard.len() == 1 && heard[0].contains("resource-constraint"), "{heard:?}");
    world.says(juliet, JULIET, "<iq type='get' id='1' to='romeo@x'><read xmlns='toy'/></iq>");
    assert!(world.heard(juliet)[0].contains("resource-constraint"));
    world.says(juliet, JULIET, "<presence to='romeo@x' type='subscribe'/>");
    world.says(romeo, ROMEO, &message(JULIET, "hist"));
    assert_eq!(world.heard(romeo), [""; 0]);
    assert_eq!(world.held.len(), WAITING_STANZAS_MAX + 2, "her request's state and his message");
    world.commits = true;
    world.feed_commits();
    assert_eq!(world.bodies(juliet), ["hist"]);
    world.says(juliet, JULIET, &message(ROMEO, "hark"));
    assert_eq!(world.bodies(romeo).last().unwrap(), "hark", "there is room again");
}

#[test]
fn what_strangers_make_an_account_hold_is_bounded_in_bytes() {
    let mut world = World::of(TOYS);
    world.online(ROMEO, 2);
    world.commits = false;
    let body = "x".repeat(200_000);
    for _ in 0..100 {
        world.routed(&format!("<message from='a@y/b' to='{ROMEO}'><body>{body}</body></message>"));
    }
    assert!((40..50).contains(&world.held.len()), "{}", world.held.len());
}

/// The room may have no more to say, of which that could be missed.
#[test]
fn what_a_room_tells_while_there_is_no_room_is_asked_for_when_there_is() {
    let mut world = World::of(TOYS);
    let romeo = world.online(ROMEO, 2);
    let said = format!("<message from='garden@rooms.x/nurse' to='{ROMEO}'><body>hark</body>");
    let tells = |world: &mut World| {
        let message = Stanza::parse_one(&format!("{said}</message>")).unwrap();
        let told = Told { pos: Pos(1), after: Pos(0), more: false };
        let to = Bare::parse("romeo@x").unwrap();
        world.feed(Input::Parcel(Parcel::Told { to, message, told, news: None }));
    };
    world.commits = false;
    for _ in 0..WAITING_STANZAS_MAX {
        world.routed(&format!("<message from='a@y/b' to='{ROMEO}'><body>x</body></message>"));
    }
    tells(&mut world);
    assert_eq!(world.attends, []);
    world.commits = true;
    world.feed_commits();
    assert!(!world.bodies(romeo).contains(&"hark".to_owned()));
    let room = Bare::parse("garden@rooms.x").unwrap();
    assert_eq!(world.attends, [(room, Attends::Back(Some(Pos(0))))]);
    tells(&mut world);
    assert_eq!(world.bodies(romeo), ["hark"]);
}

#[test]
fn what_waits_behind_its_pair_is_bounded_too() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.commits = false;
    world.says(juliet, JULIET, &message(ROMEO, "hark"));
    let iq = format!("<iq type='get' id='1' to='{ROMEO}'><q xmlns='q'/></iq>");
    for _ in 0..WAITING_STANZAS_MAX + 9 {
        world.says(juliet, JULIET, &iq);
    }
    assert_eq!(world.heard(juliet).len(), 10, "refused");
    world.commit();
    assert_eq!(world.heard(romeo).len(), WAITING_STANZAS_MAX);
}

#[test]
fn requests_that_read_the_store_are_bounded_and_strangers_leave_room_for_the_owner() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    let read = "<iq type='get' id='1' to='romeo@x'><read xmlns='toy'/></iq>";
    for _ in 0..40 {
        world.says(juliet, JULIET, read);
    }
    let heard = world.heard(juliet);
    assert_eq!(heard.len(), 8, "a stranger leaves room for others");
    assert!(heard.iter().all(|xml| xml.contains("resource-constraint")));
    for number in 0..300 {
        let iq = read.replace("type=", &format!("from='{number}@y/r' type="));
        world.routed(&iq);
    }
    assert_eq!(world.questions.len(), 1 + 256 - 32);
    world.says(romeo, ROMEO, read);
    assert_eq!(world.heard(romeo), [""; 0], "his is read for");
    assert_eq!(world.questions.len(), 2 + 256 - 32);
}

#[test]
fn directed_presence_is_bounded_and_may_be_repeated_rfc6121_4_6() {
    let mut world = World::of(NONE);
    world.settings.limits.directed_max = 2;
    let juliet = world.online(JULIET, 1);
    for to in ["a@x", "b@x", "a@x"] {
        world.says(juliet, JULIET, &format!("<presence to='{to}'/>"));
    }
    assert_eq!(world.heard(juliet), [""; 0]);
    world.says(juliet, JULIET, "<presence to='c@x'/>");
    assert!(world.heard(juliet)[0].contains("resource-constraint"));
    world.says(juliet, JULIET, "<presence to='b@x' type='unavailable'/>");
    world.says(juliet, JULIET, "<presence to='c@x'/>");
    assert_eq!(world.heard(juliet), [""; 0]);
}

#[test]
fn who_writes_to_too_many_within_a_minute_is_told_to_wait_rfc6120_13_12() {
    let mut world = World::of(NONE);
    world.settings.limits.recipients_per_minute_max = 2;
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    let hello = |to: &str| format!("<message to='{to}' type='headline'><body>hi</body></message>");
    for to in ["romeo@x", "a@x", "romeo@x/orchard", "juliet@x", "x"] {
        world.says(juliet, JULIET, &hello(to));
        world.heard(juliet);
    }
    for stanza in [
        hello("b@x"),
        "<presence to='b@x'/>".to_owned(),
        "<iq type='get' to='b@y' id='1'><q xmlns='q'/></iq>".to_owned(),
    ] {
        world.says(juliet, JULIET, &stanza);
        let [refused] = &world.heard(juliet)[..] else { panic!("{stanza}") };
        let error = "<error type='wait'><policy-violation ";
        assert!(refused.contains("type='error'") && refused.contains(error), "{refused}");
    }
    world.heard(romeo);
    world.says(juliet, JULIET, &hello("romeo@x"));
    assert_eq!(world.heard(romeo).len(), 1, "whom it has written to it may write to");
    for answer in ["<iq type='result' to='b@x' id='1'/>", "<presence/>"] {
        world.says(juliet, JULIET, answer);
        let heard = world.heard(juliet);
        assert!(heard.iter().all(|xml| !xml.contains("policy-violation")), "{heard:?}");
    }
    world.says(romeo, ROMEO, &hello("b@x"));
    assert_eq!(world.heard(romeo), [""; 0], "another client has its own count");
}

#[test]
fn the_addresses_of_directed_presence_are_bounded_in_bytes() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    for number in 0..100 {
        let long = "r".repeat(1_000);
        world.says(juliet, JULIET, &format!("<presence to='romeo@x/{number}{long}'/>"));
    }
    let refused = world.heard(juliet);
    assert!((30..40).contains(&refused.len()), "{}", refused.len());
}

#[test]
fn the_end_of_directed_presence_is_told_to_own_resources_once_rfc6121_4_6_3() {
    let mut world = World::of(NONE);
    let romeo = world.online(ROMEO, 1);
    let (other, quiet) = (world.online("romeo@x/other", 2), world.connected("romeo@x/quiet", 3));
    for to in ["romeo@x/other", "romeo@x/quiet", "romeo@x"] {
        world.says(romeo, ROMEO, &format!("<presence to='{to}'/>"));
    }
    world.said.clear();
    world.leaves(romeo, ROMEO);
    assert_eq!(world.heard(other).len(), 1);
    assert_eq!(world.heard(quiet).len(), 1, "it is not available: nobody else tells it");
}

#[test]
fn a_roster_is_bounded_in_bytes() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    let groups: String =
        (0..60).map(|group| format!("<group>{group}{}</group>", "g".repeat(1_000))).collect();
    let set = |jid: usize| {
        let item = format!("<item jid='{jid}@x'>{groups}</item>");
        format!("<iq type='set' id='1'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
    };
    (0..10).for_each(|jid| world.says(juliet, JULIET, &set(jid)));
    let heard = world.heard(juliet);
    let refused = heard.iter().filter(|xml| xml.contains("resource-constraint")).count();
    assert!((1..4).contains(&refused), "{refused}");
    let remove = "<item jid='0@x' subscription='remove'/>";
    let remove = format!("<query xmlns='jabber:iq:roster'>{remove}</query>");
    world.says(juliet, JULIET, &format!("<iq type='set' id='2'>{remove}</iq>"));
    world.heard(juliet);
    world.says(juliet, JULIET, &set(41));
    let heard = world.heard(juliet);
    assert!(!heard[0].contains("resource-constraint"), "there is room again");
}

#[test]
fn unavailable_presence_needs_no_right_priority_rfc6121_4_7_2_3() {
    let mut world = World::of(NONE);
    let (juliet, other) = (world.online(JULIET, 1), world.online("juliet@x/garden", 2));
    world.says(juliet, JULIET, "<presence type='unavailable'><priority>x</priority></presence>");
    assert!(world.heard(other)[0].contains("unavailable"));
}
