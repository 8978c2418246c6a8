//! What waits for what (RFC 6120 §10.1), and what may have changed meanwhile.

use super::*;
use crate::unit::Table;

/// Keeps what is received, not what is sent.
const INBOX: Xep = Xep {
    number: 9997,
    name: "Inbox",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[Hook::At(Station::Keep, keep_received)],
};

/// Keeps what is sent, not what is received.
const OUTBOX: Xep = Xep {
    number: 9996,
    name: "Outbox",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[Hook::At(Station::Keep, keep_sent)],
};

fn keep_received(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    match passage.walk {
        crate::passage::Walk::Received => keep(passage, ctx),
        crate::passage::Walk::Sent => Verdict::Go,
    }
}

fn keep_sent(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    match passage.walk {
        crate::passage::Walk::Sent => keep(passage, ctx),
        crate::passage::Walk::Received => Verdict::Go,
    }
}

#[test]
fn iq_and_presence_keep_their_place_behind_a_message_of_their_pair_rfc6120_10_1() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    let nurse = world.online("nurse@x/kitchen", 3);
    world.commits = false;
    let iq = format!("<iq type='get' id='1' to='{ROMEO}'><q xmlns='q'/></iq>");
    world.says(juliet, JULIET, &message(ROMEO, "hark"));
    world.says(juliet, JULIET, &iq);
    world.says(juliet, JULIET, &format!("<presence to='{ROMEO}'/>"));
    world.says(nurse, "nurse@x/kitchen", &iq);
    let heard = world.heard(romeo);
    assert!(heard.len() == 1 && heard[0].contains("nurse"), "{heard:?}");
    world.commit();
    let names = world.heard(romeo).join("").replace(['<', ' '], "\n");
    let names: Vec<_> =
        names.lines().filter(|at| ["message", "iq", "presence"].contains(at)).collect();
    assert_eq!(names, ["message", "iq", "presence"]);
}

/// RFC 6120 §10.1: the bare and the full address are one recipient.
#[test]
fn what_is_addressed_to_a_resource_keeps_its_place_behind_what_is_for_the_account_rfc6120_10_1() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.commits = false;
    world.says(juliet, JULIET, &message("romeo@x", "first"));
    world.says(juliet, JULIET, &format!("<iq type='get' id='1' to='{ROMEO}'><q xmlns='q'/></iq>"));
    world.says(juliet, JULIET, "<presence to='romeo@x' type='subscribe'/>");
    assert_eq!(world.heard(romeo), [""; 0]);
    world.feed_commits();
    let names: Vec<_> = world.heard(romeo).iter().map(|xml| xml[1..3].to_owned()).collect();
    assert_eq!(names, ["me", "iq", "pr"]);
}

#[test]
fn an_iq_to_a_resource_that_left_while_it_waited_is_answered_rfc6121_8_5_3_2_3() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.commits = false;
    world.says(juliet, JULIET, &message(ROMEO, "hark"));
    world.says(juliet, JULIET, &format!("<iq type='get' id='1' to='{ROMEO}'><q xmlns='q'/></iq>"));
    world.leaves(romeo, ROMEO);
    world.commit();
    let heard = world.heard(juliet);
    assert!(heard.len() == 1 && heard[0].contains("service-unavailable"), "{heard:?}");
}

#[test]
fn what_nobody_took_after_all_and_no_log_has_is_refused_not_lost() {
    let mut world = World::of(&[&OUTBOX]);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.commits = false;
    world.says(juliet, JULIET, &message("romeo@x", "hark"));
    world.leaves(romeo, ROMEO);
    world.commit();
    let heard = world.heard(juliet);
    assert!(heard.len() == 1 && heard[0].contains("service-unavailable"), "{heard:?}");
    assert_eq!(world.settled(juliet), 1);
}

#[test]
fn what_the_recipient_alone_keeps_is_refused_when_it_could_not_be_committed() {
    let mut world = World::of(&[&INBOX]);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.commits = false;
    world.says(juliet, JULIET, &message("romeo@x", "hark"));
    assert_eq!(world.held[0].0.as_str(), "romeo@x");
    world.fail();
    let heard = world.heard(juliet);
    assert!(heard.len() == 1 && heard[0].contains("type='wait'"), "{heard:?}");
    assert_eq!((world.heard(romeo), world.settled(juliet)), (vec![], 1));
    world.says(juliet, JULIET, &message("romeo@x", "hark again"));
    world.commit();
    assert_eq!(world.bodies(romeo), ["hark again"]);
}

#[test]
fn the_store_is_read_when_what_the_session_said_before_is_in_it() {
    let mut world = World::of(TOYS);
    let (romeo, other) = (world.online(ROMEO, 1), world.online("romeo@x/other", 2));
    let read = |id| format!("<iq type='get' id='{id}'><read xmlns='toy'/></iq>");
    world.commits = false;
    world.says(romeo, ROMEO, &message("nurse@x", "hark"));
    world.says(romeo, ROMEO, &read("mine"));
    assert!(world.questions.is_empty());
    world.says(other, "romeo@x/other", &read("other"));
    assert_eq!(world.questions.len(), 1, "another session waits for nothing");
    world.commit();
    assert_eq!(world.questions.len(), 2);
}

#[test]
fn requests_of_one_asker_are_answered_in_order() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    let read = |id| format!("<iq type='get' id='{id}' to='romeo@x'><read xmlns='toy'/></iq>");
    world.says(juliet, JULIET, &read("1"));
    world.says(juliet, JULIET, &read("2"));
    world.says(romeo, ROMEO, &read("3"));
    assert_eq!(world.questions.len(), 2, "one of each asker");
    while !world.questions.is_empty() {
        let (account, number) = world.questions.remove(0);
        world.feed(Input::Answered(account, number, super::read()));
    }
    let heard = world.heard(juliet);
    assert!(heard[0].contains("id='1'") && heard[1].contains("id='2'"), "{heard:?}");
    assert_eq!(world.settled(romeo), 1);
    assert_eq!(world.heard(romeo).len(), 1);
}

#[test]
fn a_resource_that_leaves_while_its_approval_is_committed_is_not_seen_as_there() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.says(romeo, ROMEO, "<presence to='juliet@x' type='subscribe'/>");
    world.commits = false;
    world.says(juliet, JULIET, "<presence to='romeo@x' type='subscribed'/>");
    world.leaves(juliet, JULIET);
    world.commits = true;
    world.feed_commits();
    let heard = world.heard(romeo);
    let last = heard.iter().rfind(|xml| xml.contains(&format!("from='{JULIET}'")));
    assert!(last.is_none_or(|xml| xml.contains("unavailable")), "{heard:?}");
}

#[test]
fn a_resource_that_leaves_while_its_cancellation_is_committed_is_seen_to_be_gone() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.says(romeo, ROMEO, "<presence to='juliet@x' type='subscribe'/>");
    world.says(juliet, JULIET, "<presence to='romeo@x' type='subscribed'/>");
    world.heard(romeo);
    world.commits = false;
    world.says(juliet, JULIET, "<presence to='romeo@x' type='unsubscribed'/>");
    world.leaves(juliet, JULIET);
    world.commits = true;
    world.feed_commits();
    let heard = world.heard(romeo);
    let last = heard.iter().rfind(|xml| xml.contains(&format!("from='{JULIET}'")));
    assert!(last.is_some_and(|xml| xml.contains("unavailable")), "{heard:?}");
}

#[test]
fn a_subscription_stanza_is_delivered_to_the_account_as_it_was_addressed_rfc6121_3_1_3() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    let other = world.online("juliet@x/garden", 3);
    world.connected("juliet@x/cellar", 4);
    world.says(
        romeo,
        ROMEO,
        "<presence to='juliet@x' type='subscribe'><status>O</status></presence>",
    );
    for link in [juliet, other] {
        let heard = world.heard(link);
        assert!(heard.len() == 1 && heard[0].contains(" to='juliet@x'"), "{heard:?}");
    }
}

#[test]
fn four_thousand_stanzas_may_wait_and_go_in_order() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.commits = false;
    for number in 0..4_000 {
        let to = if number % 2 == 0 { ROMEO.into() } else { format!("romeo@x/{number}") };
        world.says(juliet, JULIET, &message(&to, &number.to_string()));
    }
    assert_eq!(world.held.len(), 4_000);
    world.commits = true;
    world.feed_commits();
    let bodies = world.bodies(romeo);
    assert!(bodies.iter().map(|body| body.parse::<u32>().unwrap()).is_sorted());
    assert_eq!((bodies.len(), world.settled(juliet)), (4_000, 4_000));
}

/// RFC 6120 §10.1. What is handled late does not go to the end of the line again.
#[test]
fn what_waited_keeps_its_place_when_it_is_handled_rfc6120_10_1() {
    let mut world = World::of(TOYS);
    let (a, b) = (world.online("juliet@x/a", 1), world.online("juliet@x/b", 2));
    world.commits = false;
    for xml in [
        &message("juliet@x/b", "1"),
        "<presence to='juliet@x/b' id='2'/>",
        &message("juliet@x/b", "3"),
        "<iq to='juliet@x/b' type='get' id='4'><q xmlns='q'/></iq>",
        "<presence to='juliet@x/b' id='5'/>",
    ] {
        world.says(a, "juliet@x/a", xml);
    }
    world.feed_commits();
    let heard = world.heard(b);
    let ids: Vec<_> = heard.iter().map(|xml| xml.split("id='").nth(1).unwrap()).collect();
    let ids: String = ids.iter().map(|id| id.chars().next().unwrap()).collect();
    assert_eq!(ids, "12345", "{heard:?}");
}

/// A request that waited is written to the store; what waited behind it waits still.
#[test]
fn a_request_that_waited_comes_before_what_was_said_after_it_rfc6120_10_1() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.commits = false;
    world.says(romeo, ROMEO, &message("juliet@x", "1"));
    world.routed("<presence type='subscribe' from='romeo@x' to='juliet@x' id='2'/>");
    world.says(romeo, ROMEO, &message("juliet@x", "3"));
    world.routed(&format!("<presence from='{ROMEO}' to='juliet@x' id='4'/>"));
    world.feed_commits();
    let heard = world.heard(juliet);
    let ids: Vec<_> = heard.iter().map(|xml| xml.split("id='").nth(1).unwrap()).collect();
    let ids: String = ids.iter().map(|id| id.chars().next().unwrap()).collect();
    assert_eq!(ids, "1234", "{heard:?}");
}

#[test]
fn a_resource_that_left_while_its_presence_waited_is_not_seen_again_rfc6121_4_6_3() {
    let mut world = World::of(TOYS);
    let (a, b) = (world.online("juliet@x/a", 1), world.online("juliet@x/b", 2));
    world.commits = false;
    world.says(a, "juliet@x/a", &message("juliet@x/b", "1"));
    world.says(a, "juliet@x/a", "<presence to='juliet@x/b'/>");
    world.leaves(a, "juliet@x/a");
    world.feed_commits();
    let heard = world.heard(b);
    let last = heard.iter().rfind(|xml| xml.starts_with("<presence")).unwrap();
    assert!(last.contains("type='unavailable'"), "{heard:?}");
}

#[test]
fn what_was_asked_before_the_answer_that_writes_comes_after_its_commit_all_the_same() {
    let mut world = World::of(TOYS);
    let romeo = world.online(ROMEO, 1);
    world.commits = false;
    for id in 1..=3 {
        world.says(romeo, ROMEO, &format!("<iq type='get' id='{id}'><read xmlns='toy'/></iq>"));
    }
    for id in 1..=3 {
        assert_eq!(world.questions.len(), 1, "one at a time");
        let (account, number) = world.questions.remove(0);
        let cell = Change::Put(Table::named("notes"), account.clone(), "key".into(), Vec::new());
        let written = crate::hook::Reply::Write(vec![cell], None);
        world.feed(Input::Answered(account, number, Ok(written)));
        assert!(world.questions.is_empty(), "the next would not find what was written");
        world.commit();
        assert!(world.heard(romeo)[0].contains(&format!("id='{id}'")));
    }
}

#[test]
fn what_follows_a_subscription_that_has_not_left_yet_does_not_overtake_it_rfc6120_10_1() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.commits = false;
    world.says(romeo, ROMEO, "<presence type='subscribe' to='juliet@x'/>");
    world.says(romeo, ROMEO, "<presence type='subscribe' to='juliet@x' id='again'/>");
    world.says(romeo, ROMEO, &message(JULIET, "hark"));
    let question = format!("<iq type='get' id='q' to='{JULIET}'><read xmlns='toy'/></iq>");
    world.says(romeo, ROMEO, &question);
    world.says(romeo, ROMEO, &format!("<presence to='{JULIET}'/>"));
    assert!(world.heard(juliet).is_empty(), "all of it is behind what is not committed");
    world.leaves(romeo, ROMEO);
    world.feed_commits();
    let heard = world.heard(juliet);
    let places = ["type='subscribe'", ">hark<", "<iq "].map(|what| {
        heard.iter().position(|xml| xml.contains(what)).unwrap_or_else(|| panic!("{heard:?}"))
    });
    assert!(places.is_sorted(), "{heard:?}");
    let shown = heard.iter().filter(|xml| xml.starts_with("<presence") && !xml.contains("type="));
    assert_eq!(shown.count(), 0, "who has left is not shown: {heard:?}");
    assert_eq!(world.settled(romeo), 5);
}
