//! What becomes of what waits when an account is deleted, ruined or not there any more.

use super::*;
use crate::roster::State;

const ROSTER_SET: &str =
    "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='nurse@x'/></query></iq>";

#[test]
fn a_deleted_account_is_nobody_at_once() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.stored.remove("romeo@x");
    world.orders("romeo@x", deleted());
    assert_eq!(world.heard(romeo), ["end: not-authorized"]);
    world.says(juliet, JULIET, &message("romeo@x", "hark"));
    let heard = world.heard(juliet);
    assert!(heard[0].contains("service-unavailable"), "{heard:?}");
    assert_eq!(world.settled(juliet), 1);
    assert_eq!(world.shard.accounts(), 1);
}

#[test]
fn what_a_ruined_account_still_owes_is_settled_before_it_is_read_anew() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.commits = false;
    world.says(romeo, ROMEO, ROSTER_SET);
    world.says(romeo, ROMEO, &message(JULIET, "hark"));
    world.fail();
    assert_eq!(world.heard(romeo), ["end: internal-server-error"]);
    let again = world.connected(ROMEO, 3);
    assert!(!matches!(world.said[..], [(_, Say::Bound(..))]), "not bound to what is leaving");
    world.commit();
    assert_eq!(world.bodies(juliet), ["hark"], "it was with the writer, so it is delivered");
    assert!(world.said.iter().any(|(link, say)| *link == again && matches!(say, Say::Bound(..))));
    world.says(again, ROMEO, &message(JULIET, "hither"));
    world.commit();
    assert_eq!(world.bodies(juliet), ["hither"], "nothing of the old line is in the way");
}

#[test]
fn two_accounts_that_leave_at_once_do_not_wait_for_each_other() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    let nurse = world.online("nurse@x/kitchen", 3);
    world.commits = false;
    world.says(romeo, ROMEO, ROSTER_SET);
    world.says(juliet, JULIET, ROSTER_SET);
    world.says(romeo, ROMEO, &message(JULIET, "1"));
    world.says(juliet, JULIET, &message(ROMEO, "2"));
    world.fail();
    world.says(nurse, "nurse@x/kitchen", &message("romeo@x", "3"));
    let heard = world.heard(nurse);
    assert!(heard.len() == 1 && heard[0].contains("type='wait'"), "{heard:?}");
    world.fail();
    world.commit();
    world.commit();
    assert!(world.held.is_empty());
    assert_eq!(world.shard.accounts(), 1, "both are gone");
}

#[test]
fn what_comes_for_an_account_that_leaves_is_for_the_one_that_is_read_after_it() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.commits = false;
    world.says(romeo, ROMEO, ROSTER_SET);
    world.says(romeo, ROMEO, &ROSTER_SET.replace("nurse", "juliet"));
    world.fail();
    world.routed("<presence type='subscribe' from='juliet@x' to='romeo@x'/>");
    assert_eq!(world.heard(juliet), [""; 0]);
    world.commit();
    assert_eq!(world.held.len(), 1, "the request is written for the account that was read anew");
    world.commit();
    let items = &world.stored["romeo@x"];
    assert!(items["juliet@x"].request.is_some() && items["juliet@x"].name.is_some());
}

#[test]
fn the_answer_for_an_account_does_not_answer_a_question_to_the_host() {
    const HOST: Xep = Xep {
        number: 9998,
        name: "Host",
        version: "1",
        status: Status::Partial("tests"),
        hooks: &[
            Hook::get(Of::Host, READ, Answer::World(|_, _| Box::pin(std::future::ready(read())))),
            Hook::get(
                Of::Account,
                READ,
                Answer::World(|_, _| Box::pin(std::future::ready(read()))),
            ),
        ],
    };
    let mut world = World::of(&[&HOST]);
    let juliet = world.online(JULIET, 1);
    world.says(juliet, JULIET, "<iq type='get' id='host' to='x'><read xmlns='toy'/></iq>");
    for id in 1..9 {
        world.says(juliet, JULIET, &format!("<iq type='get' id='{id}'><read xmlns='toy'/></iq>"));
    }
    let mut answers = 0;
    while let Some((account, number)) = world.questions.pop() {
        world.feed(Input::Answered(account, number, read()));
        answers += 1;
    }
    assert_eq!(world.heard(juliet).len(), answers, "each question is answered once");
    assert!(world.shard.questions.len() == 0);
}

#[test]
fn an_account_that_is_read_twice_stays_the_one_it_was() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    let loaded = world.loaded(Bare::parse("romeo@x").unwrap());
    world.feed(loaded);
    world.says(juliet, JULIET, &message(ROMEO, "hark"));
    assert_eq!(world.bodies(romeo), ["hark"]);
}

#[test]
fn what_only_a_session_could_take_does_not_load_an_account() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    world.loads = false;
    for xml in [
        "<presence to='romeo@x'/>",
        "<presence type='unavailable' to='romeo@x'/>",
        "<presence type='error' to='romeo@x'/>",
        "<iq type='result' id='1' to='romeo@x/orchard'/>",
    ] {
        world.says(juliet, JULIET, xml);
        assert_eq!(world.heard(juliet), [""; 0], "{xml}");
    }
    world.says(juliet, JULIET, "<iq type='get' id='1' to='romeo@x/orchard'><q xmlns='q'/></iq>");
    assert!(world.heard(juliet)[0].contains("service-unavailable"));
    assert!(world.loading.is_empty());
    assert_eq!(world.settled(juliet), 5);
}

#[test]
fn what_waits_for_accounts_to_be_read_is_bounded() {
    let mut world = World::of(NONE);
    world.loads = false;
    let body = "x".repeat(60_000);
    let mut refused = 0_usize;
    for number in 0..2_000_usize {
        world.routed(&format!(
            "<message from='{ROMEO}' to='{number}@x'><body>{body}</body></message>"
        ));
        refused = number + 1 - world.loading.len();
    }
    assert!(world.shard.parked_bytes <= parked::PARKED_BYTES_MAX);
    assert!(refused > 800, "{refused}");
    world.connected(JULIET, 1);
    assert_eq!(world.loading.back().unwrap().as_str(), "juliet@x", "who logs in is not kept out");
    while !world.loading.is_empty() {
        world.load();
    }
    assert_eq!(world.shard.parked_bytes, 0);
}

#[test]
fn idle_accounts_are_bounded_in_bytes_too() {
    let mut world = World::of(NONE);
    let bytes = |world: &World| world.shard.idle_bytes;
    world.online(JULIET, 1);
    assert_eq!(bytes(&world), 0);
    world.routed("<message type='error' from='nurse@x' to='romeo@x'/>");
    assert!(bytes(&world) > 0);
    let romeo = world.online(ROMEO, 2);
    assert_eq!(bytes(&world), 0, "he is no longer idle");
    world.leaves(romeo, ROMEO);
    assert!(bytes(&world) > 0);
    world.shard.idle_bytes += IDLE_BYTES_MAX;
    world.routed("<message type='error' from='nurse@x' to='romeo@x'/>");
    assert_eq!(world.shard.accounts(), 1, "only Juliet, who is here");
}

fn farewell(kind: &str, to: &str) -> Stanza {
    Stanza::parse_one(&format!("<presence type='{kind}' from='juliet@x' to='{to}'/>")).unwrap()
}

#[test]
fn the_contacts_of_a_deleted_account_hear_unavailable_before_unsubscribed_rfc6121_3_2_2() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.says(romeo, ROMEO, "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>");
    world.says(romeo, ROMEO, "<presence to='juliet@x' type='subscribe'/>");
    world.says(juliet, JULIET, "<presence to='romeo@x' type='subscribed'/>");
    world.said.clear();
    world.stored.remove("juliet@x");
    // What the store had of her roster is older than what she has in memory.
    world.orders("juliet@x", deleted());
    let heard = world.heard(romeo).into_iter();
    let presence = heard.filter(|xml| xml.starts_with("<presence"));
    let types: Vec<_> =
        presence.map(|xml| Stanza::parse_one(&xml).unwrap().head.type_str().to_owned()).collect();
    assert_eq!(types, ["unavailable", "unsubscribed"]);
    assert_eq!(world.stored["romeo@x"]["juliet@x"].state, State::default());
}

#[test]
fn farewells_are_said_also_for_an_account_that_is_not_in_memory() {
    let farewells = ["romeo@x", "elsewhere.example"].map(|to| farewell("unsubscribed", to));
    let order = Order::Deleted { last: None, farewells: farewells.into() };
    for loading in [None, Some(Ok(None)), Some(Err(Fault::Away("lost".into())))] {
        let mut world = World::of(NONE);
        world.loads = false;
        if loading.is_some() {
            world.connected(JULIET, 1);
        }
        world.orders("juliet@x", order.clone());
        if let Some(loaded) = loading.clone() {
            assert_eq!(world.carried, [""; 0], "it may be here in a moment");
            world.feed(Input::Loaded(Bare::parse("juliet@x").unwrap(), loaded));
        }
        let [said] = &world.carried[..] else { panic!("{loading:?}: {:?}", world.carried) };
        assert!(said.contains("to='romeo@x'") && said.contains("unsubscribed"), "{said}");
    }
}

#[test]
fn who_logged_in_to_an_account_that_is_gone_is_not_authorized() {
    let mut world = World::of(NONE);
    let nobody = world.connected("nobody@x/r", 1);
    assert_eq!(world.heard(nobody), ["end: not-authorized"]);
}

#[test]
fn the_sessions_of_an_account_that_is_disabled_end_and_its_contacts_see_it() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    world.says(juliet, JULIET, "<presence to='romeo@x'/>");
    world.carried.clear();
    world.orders("juliet@x", Order::Disabled { unix_ms: 1 });
    assert_eq!(world.heard(juliet), ["end: not-authorized"]);
    let [gone] = &world.carried[..] else { panic!("{:?}", world.carried) };
    assert!(gone.contains("type='unavailable'") && gone.contains("to='romeo@x'"), "{gone}");
}

#[test]
fn who_logged_in_before_the_account_was_closed_or_made_binds_nothing() {
    for order in [
        Order::PasswordChanged { spared: None, unix_ms: 100_000 },
        Order::Created { unix_ms: 100_000 },
        Order::Disabled { unix_ms: 100_000 },
    ] {
        for online in [true, false] {
            let mut world = World::of(NONE);
            if online {
                world.online(JULIET, 1);
            }
            world.orders("juliet@x", order.clone());
            let old = world.connected_since(JULIET, 2, 99_999);
            assert_eq!(world.heard(old), ["end: not-authorized"], "{order:?} {online}");
            // 69,000: after a clock was put back; no login takes so long.
            for (number, since) in [(3, 100_000), (4, 69_000)] {
                let new = world.connected_since(JULIET, number, since);
                let bound = |(to, say): &(Link, Say)| *to == new && matches!(say, Say::Bound(..));
                assert!(world.said.iter().any(bound), "{order:?} {online} {since}");
            }
        }
    }
}

/// Streams that begin with `begin` are counted, and their clients never acknowledge anything.
const COUNTED: Xep = Xep {
    number: 9995,
    name: "Counted",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[
        Hook::Inline(BEGIN, "toy", |_, session, _| {
            session.manage(None);
            Vec::new()
        }),
        lasting::COUNTS,
    ],
};

#[test]
fn a_request_that_was_answered_is_not_answered_again_when_its_session_ends_rfc6120_8_2_3() {
    let mut world = World::of(&[&COUNTED]);
    let juliet = world.online(JULIET, 1);
    let (jid, romeo) = (Jid::parse(ROMEO).unwrap(), Link { node: Node(1), number: 2 });
    let (resource, inline) = (jid.resource().map(Text::from), vec![Draft::new(BEGIN).finish()]);
    let bind = Said::Bind { resource, since: 1, device: None, inline, reads: false };
    world.feed(Input::Parcel(Parcel::FromSocket(jid.bare(), romeo, bind)));
    for id in 1..=2 {
        let iq = format!("<iq type='get' id='{id}' to='{ROMEO}'><q xmlns='q'/></iq>");
        world.says(juliet, JULIET, &iq);
    }
    world.says(romeo, ROMEO, &format!("<iq type='result' id='1' to='{JULIET}'/>"));
    let heard = world.heard(juliet);
    assert!(heard.len() == 1 && heard[0].contains("result"), "{heard:?}");
    world.leaves(romeo, ROMEO);
    let heard = world.heard(juliet);
    assert!(heard.len() == 1 && heard[0].contains("service-unavailable"), "{heard:?}");
    assert!(heard[0].contains("id='2'"), "{heard:?}");
}
