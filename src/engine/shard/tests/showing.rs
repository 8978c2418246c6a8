//! How much presence an account may make others hear, and how often (RFC 6120 §13.12).

use super::{lasting::*, *};
use crate::{
    account::{PRESENCE_BYTES_MAX, SHOWN_AT_ONCE_MAX, SHOWN_BYTES_MAX},
    parcel::Claim,
};

const AT_ONCE: usize = SHOWN_AT_ONCE_MAX as usize;
/// Streams that begin with `begin` can be lost, and their sessions go on.
const LASTING: Xep = Xep {
    number: 9995,
    name: "Lasting",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[RESUMES, LASTS, COUNTS],
};

/// Romeo sees Juliet; her stream can be left for another.
fn watched() -> (World, Link, Link) {
    let mut world = World::of(&[&LASTING]);
    let romeo = world.online(ROMEO, 2);
    let (jid, juliet) = (Jid::parse(JULIET).unwrap(), Link { node: Node(1), number: 1 });
    let (resource, inline) = (jid.resource().map(Text::from), vec![Draft::new(BEGIN).finish()]);
    let bind = Said::Bind { resource, since: 1, device: None, inline, reads: false };
    world.feed(Input::Parcel(Parcel::FromSocket(jid.bare(), juliet, bind)));
    world.says(juliet, JULIET, "<presence/>");
    world.says(romeo, ROMEO, "<presence to='juliet@x' type='subscribe'/>");
    world.says(juliet, JULIET, "<presence to='romeo@x' type='subscribed'/>");
    // As if nothing had been said.
    passes(&mut world, 60_000);
    world.said.clear();
    (world, juliet, romeo)
}

fn passes(world: &mut World, ms: u64) {
    world.now += ms;
    world.feed(Input::Tick);
}

fn status(what: &str) -> String {
    format!("<presence><status>{what}</status></presence>")
}

/// What is seen of her, in order: what she says, or nothing when she is not there.
fn seen(world: &mut World, by: Link) -> Vec<String> {
    let heard = world.heard(by).into_iter().filter_map(|xml| Stanza::parse_one(&xml).ok());
    let hers = heard.filter(|one| one.head.from.as_ref().is_some_and(|it| it.as_str() == JULIET));
    let status = Name::new("jabber:client", "status");
    let text = |one: Stanza| match one.head.type_str() {
        "" => one.child(status).map_or_else(String::new, |status| status.text().into_owned()),
        kind => kind.to_owned(),
    };
    hers.map(text).collect()
}

#[test]
fn presence_that_is_too_large_is_refused_and_changes_nothing_rfc6120_13_12() {
    let (mut world, juliet, romeo) = watched();
    let much = "x".repeat(PRESENCE_BYTES_MAX);
    for head in [
        String::new(),
        "type='unavailable'".into(),
        format!("to='{ROMEO}'"),
        format!("to='{ROMEO}' type='unavailable'"),
        "to='nurse@x' type='subscribe'".into(),
    ] {
        world.says(juliet, JULIET, &format!("<presence {head}><status>{much}</status></presence>"));
        let heard = world.heard(juliet);
        assert_eq!(heard.len(), 1, "{head}");
        assert!(heard[0].contains("type='modify'") && heard[0].contains("policy-violation"));
        assert_eq!(world.heard(romeo), [""; 0], "{head}");
    }
    let error = format!("type='error' to='{ROMEO}'");
    world.says(juliet, JULIET, &format!("<presence {error}><status>{much}</status></presence>"));
    assert_eq!((world.heard(juliet), world.heard(romeo)), (vec![], vec![]));
    world.says(juliet, JULIET, &status(&much[200..]));
    assert_eq!(seen(&mut world, romeo).len(), 1);
}

#[test]
fn all_that_an_account_shows_is_bounded_as_one_probe_is_answered_with_it_rfc6120_13_12() {
    let (mut world, _, romeo) = watched();
    let large = "x".repeat(PRESENCE_BYTES_MAX - 400);
    let refused = (0..30).filter(|number| {
        let jid = format!("juliet@x/{number}");
        let link = world.connected(&jid, 10 + number);
        world.says(link, &jid, &status(&large));
        world.heard(link).concat().contains("policy-violation")
    });
    assert_eq!(refused.count(), 30 - SHOWN_BYTES_MAX / PRESENCE_BYTES_MAX);
    let more = world.connected("juliet@x/more", 9);
    world.says(more, "juliet@x/more", &status("I am here, too"));
    assert!(!world.heard(more).concat().contains("policy-violation"));
    world.heard(romeo);
    world.says(romeo, ROMEO, "<presence to='juliet@x' type='probe'/>");
    let told: usize = world.heard(romeo).iter().map(String::len).sum();
    assert!(told > SHOWN_BYTES_MAX / 2 && told < SHOWN_BYTES_MAX * 5 / 4, "{told}");
}

#[test]
fn who_changes_its_presence_too_often_is_seen_as_it_is_in_the_end_rfc6120_13_12() {
    let (mut world, juliet, romeo) = watched();
    let all: Vec<_> = (0..AT_ONCE + 50).map(|number| number.to_string()).collect();
    all.iter().for_each(|what| world.says(juliet, JULIET, &status(what)));
    assert_eq!(seen(&mut world, romeo), all[..AT_ONCE]);
    assert_eq!(world.settled(juliet) as usize, all.len() - 1, "the last is not dealt with yet");
    passes(&mut world, 499);
    assert_eq!(seen(&mut world, romeo), [""; 0]);
    passes(&mut world, 1);
    assert_eq!((seen(&mut world, romeo), world.settled(juliet)), (vec!["149".to_owned()], 1));
    passes(&mut world, 1_000);
    for what in ["again", "and again", "and more"] {
        world.says(juliet, JULIET, &status(what));
    }
    assert_eq!(seen(&mut world, romeo), ["again", "and again"]);
    world.says(juliet, JULIET, "<presence><priority>high</priority></presence>");
    assert!(world.heard(juliet).concat().contains("bad-request"));
    passes(&mut world, 500);
    assert_eq!(seen(&mut world, romeo), ["and more"], "what is wrong takes nothing's place");
    assert_eq!(world.heard(juliet).len(), 1, "it hears itself");
}

#[test]
fn that_somebody_goes_is_always_heard_and_at_once() {
    for says_so in [true, false] {
        let (mut world, juliet, romeo) = watched();
        for number in 0..AT_ONCE + 50 {
            world.says(juliet, JULIET, &status(&number.to_string()));
        }
        seen(&mut world, romeo);
        match says_so {
            true => world.says(juliet, JULIET, "<presence type='unavailable'/>"),
            false => {
                let gone = Said::Gone(End::Closed);
                let bare = Bare::parse("juliet@x").unwrap();
                world.feed(Input::Parcel(Parcel::FromSocket(bare, juliet, gone)));
            }
        }
        assert_eq!(seen(&mut world, romeo), ["unavailable"]);
        // A stream that is gone has no use for credit.
        let settled = if says_so { AT_ONCE + 51 } else { AT_ONCE + 49 };
        assert_eq!(world.settled(juliet) as usize, settled);
        passes(&mut world, 60_000);
        assert_eq!(seen(&mut world, romeo), [""; 0], "it says nothing any more");
    }
}

/// Who comes and goes is heard as often as who changes.
#[test]
fn coming_and_going_is_heard_no_oftener() {
    let (mut world, juliet, romeo) = watched();
    for _ in 0..AT_ONCE + 50 {
        world.says(juliet, JULIET, "<presence type='unavailable'/>");
        world.says(juliet, JULIET, &status("here"));
    }
    let heard = seen(&mut world, romeo);
    assert_eq!(heard.len(), 2 * AT_ONCE + 1, "{heard:?}");
    assert_eq!(heard.last().unwrap(), "unavailable");
    passes(&mut world, 500);
    assert_eq!(seen(&mut world, romeo), ["here"]);
}

#[test]
fn all_sessions_of_an_account_take_turns() {
    let (mut world, juliet, romeo) = watched();
    let garden = world.connected("juliet@x/garden", 3);
    for number in 0..AT_ONCE {
        world.says(juliet, JULIET, &status(&number.to_string()));
        world.says(garden, "juliet@x/garden", &status(&number.to_string()));
    }
    assert_eq!(world.heard(romeo).len(), AT_ONCE);
    passes(&mut world, 500);
    assert_eq!(seen(&mut world, romeo), ["99"]);
    passes(&mut world, 500);
    assert!(world.heard(romeo).concat().contains("juliet@x/garden"));
    passes(&mut world, 5_000);
    assert_eq!(world.heard(romeo), [""; 0]);
}

#[test]
fn who_shows_itself_to_one_too_often_is_told_to_wait_rfc6120_13_12() {
    let (mut world, juliet, _) = watched();
    let nurse = world.online("nurse@x/kitchen", 3);
    let to = |kind: &str| format!("<presence to='nurse@x/kitchen'{kind}/>");
    for _ in 0..AT_ONCE + 10 {
        world.says(juliet, JULIET, &to(""));
    }
    let refused = world.heard(juliet);
    assert_eq!((world.heard(nurse).len(), refused.len()), (AT_ONCE, 10));
    assert!(refused[0].contains("type='wait'") && refused[0].contains("policy-violation"));
    world.says(juliet, JULIET, &format!("<presence to='{ROMEO}'/>"));
    world.says(juliet, JULIET, &status("well"));
    assert_eq!(world.heard(juliet).len(), 1, "others hear of her, and all");
    for (kind, is_heard) in [(" type='unavailable'", true), (" type='unavailable'", false)] {
        world.says(juliet, JULIET, &to(kind));
        assert_eq!(world.heard(nurse).len(), usize::from(is_heard), "what was shown ends");
    }
    for kind in [" type='error'", " type='probe'", " type='subscribe'"] {
        world.says(juliet, JULIET, &to(kind));
        assert_eq!(world.heard(nurse), [""; 0], "{kind}");
    }
    passes(&mut world, 500);
    world.heard(juliet);
    world.says(juliet, JULIET, &to(""));
    assert_eq!((world.heard(nurse).len(), world.heard(juliet).len()), (1, 0));
}

#[test]
fn who_enters_many_rooms_at_once_and_changes_need_not_wait() {
    let (mut world, juliet, _) = watched();
    for round in 0..3 {
        for room in 0..1_000 {
            let to = format!("room{room}@rooms.x/juliet");
            world.says(juliet, JULIET, &format!("<presence to='{to}' id='{round}'/>"));
        }
    }
    assert!(world.heard(juliet).iter().all(|xml| !xml.contains("policy-violation")));
}

/// Its client is acknowledged all that it has said when it comes back.
#[test]
fn what_waits_when_a_stream_breaks_is_told_then() {
    let (mut world, juliet, romeo) = watched();
    for number in 0..AT_ONCE + 50 {
        world.says(juliet, JULIET, &status(&number.to_string()));
    }
    let handled = |world: &World| world.account("juliet@x").sessions[0].handled.is_done();
    assert!(!handled(&world), "a count says nothing of what is not told");
    seen(&mut world, romeo);
    world.leaves(juliet, JULIET);
    assert_eq!(seen(&mut world, romeo), ["149"]);
    assert!(handled(&world));
    let link = Link { node: Node(1), number: 11 };
    let claim = Claim { id: "id".into(), h: 0 };
    let resume = Said::Resume { claim, since: 1, device: None };
    world.feed(Input::Parcel(Parcel::FromSocket(Bare::parse("juliet@x").unwrap(), link, resume)));
    assert!(world.heard(link)[0].contains("resumed"));
}
