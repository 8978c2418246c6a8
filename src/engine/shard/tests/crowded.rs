//! An account that has as many sessions as it may: one that nobody has come back to makes room.

use super::{lasting::*, *};
use crate::{managed::Resumption, parcel::Claim};

/// Sessions that begin with `begin` are claimed by their resource, and messages are kept.
const CROWDED: Xep = Xep {
    number: 9990,
    name: "Crowded",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[
        Hook::At(Station::Keep, keep),
        Hook::Inline(BEGIN, "toy", |_, session, _| {
            let id = session.jid.resource().unwrap_or_default().to_owned();
            session.manage(Some(Resumption::by(&id, 3_600_000)));
            Vec::new()
        }),
        COUNTS,
        RESUMES,
    ],
};

/// So many sessions there may be.
fn world(sessions_max: usize) -> World {
    let mut world = World::of(&[&CROWDED]);
    world.settings.limits.sessions_max = sessions_max;
    world.pos = Pos::before(1).0;
    world.looks = false;
    world
}

/// A stream of Romeo's that can be left for another; whether it is bound.
fn binds(world: &mut World, resource: &str, number: u64) -> (Link, bool) {
    let (romeo, link) = (Bare::parse("romeo@x").unwrap(), Link { node: Node(1), number });
    let (resource, inline) = (Some(Text::from(resource)), vec![Draft::new(BEGIN).finish()]);
    let bind = Said::Bind { resource, since: 1, device: None, inline, reads: false };
    world.feed(Input::Parcel(Parcel::FromSocket(romeo, link, bind)));
    let bound = |(to, say): &(Link, Say)| *to == link && matches!(say, Say::Bound(..));
    (link, world.said.iter().any(bound))
}

/// What a stream hears that claims the session of this resource.
fn claims(world: &mut World, resource: &str, number: u64) -> Vec<String> {
    let (romeo, link) = (Bare::parse("romeo@x").unwrap(), Link { node: Node(1), number });
    let claim = Claim { id: resource.into(), h: 0 };
    let resume = Said::Resume { claim, since: 1, device: None };
    world.feed(Input::Parcel(Parcel::FromSocket(romeo, link, resume)));
    world.heard(link)
}

#[test]
fn the_session_that_has_been_without_a_stream_for_longest_ends_for_who_comes() {
    let mut world = world(3);
    let streams = [("a", 1), ("b", 2), ("c", 3)];
    let [a, b, _] = streams.map(|(resource, number)| binds(&mut world, resource, number).0);
    world.says(b, "romeo@x/b", "<iq type='get' id='1' to='x'><q xmlns='q'/></iq>");
    world.now = 1_000;
    world.leaves(b, "romeo@x/b");
    world.now = 2_000;
    world.leaves(a, "romeo@x/a");
    assert!(binds(&mut world, "d", 4).1, "one is gone for longer than the other");
    let refused = claims(&mut world, "b", 5);
    assert_eq!(refused, ["<refused xmlns='toy' h='1'/>"], "what it said has been dealt with");
    assert_eq!(claims(&mut world, "a", 6), ["<resumed xmlns='toy'/>"]);
    let (refused, is_bound) = binds(&mut world, "e", 7);
    assert!(!is_bound, "all of them have streams");
    assert_eq!(world.heard(refused), ["unbound: resource-constraint"]);
}

#[test]
fn a_client_that_ends_without_a_word_and_comes_back_as_another_is_never_shut_out() {
    let mut world = world(3);
    let (_, is_bound) = binds(&mut world, "phone", 1);
    assert!(is_bound);
    for number in 2..100 {
        world.now += 1_000;
        let resource = format!("bot {number}");
        let (bot, is_bound) = binds(&mut world, &resource, number);
        assert!(is_bound, "{number}");
        world.leaves(bot, &format!("romeo@x/{resource}"));
        assert!(world.account("romeo@x").sessions.len() <= 3);
    }
    let phone = world.account("romeo@x").sessions[0].jid.clone();
    assert_eq!(phone.resource(), Some("phone"), "who has a stream keeps it");
}

#[test]
fn a_session_that_its_client_is_coming_back_to_does_not_end_for_another() {
    let mut world = world(1);
    let (old, _) = binds(&mut world, "a", 1);
    world.commits = false;
    world.says(old, "romeo@x/a", &message(JULIET, "hark"));
    world.leaves(old, "romeo@x/a");
    assert_eq!(claims(&mut world, "a", 2), [""; 0], "what it said is not dealt with");
    let (refused, is_bound) = binds(&mut world, "b", 3);
    assert!(!is_bound);
    assert_eq!(world.heard(refused), ["unbound: resource-constraint"]);
    world.commits = true;
    world.feed_commits();
    let new = Link { node: Node(1), number: 2 };
    assert_eq!(world.heard(new), ["<resumed xmlns='toy'/>"]);
}

#[test]
fn what_waited_for_a_session_that_ends_for_another_is_told_that_one_or_refused() {
    let mut world = world(1);
    let juliet = world.online(JULIET, 9);
    let (old, _) = binds(&mut world, "a", 1);
    world.says(old, "romeo@x/a", "<presence/>");
    world.look_all();
    world.leaves(old, "romeo@x/a");
    world.says(juliet, JULIET, &message("romeo@x", "to all"));
    world.says(juliet, JULIET, &message("romeo@x/a", "to it"));
    world.says(juliet, JULIET, "<iq type='get' id='1' to='romeo@x/a'><q xmlns='q'/></iq>");
    assert_eq!(world.heard(juliet), [""; 0], "its client may come back");
    let (new, is_bound) = binds(&mut world, "b", 2);
    assert!(is_bound);
    let [refused] = &world.heard(juliet)[..] else { panic!("one is refused") };
    assert!(refused.contains("id='1'") && refused.contains("service-unavailable"), "{refused}");
    world.says(new, "romeo@x/b", "<presence/>");
    world.look_all();
    assert_eq!(world.bodies(new), ["to all", "to it"]);
}

/// Else it would be there again after a restart, as its time is not over.
#[test]
fn the_store_is_told_to_forget_a_session_that_ends_for_another() {
    let mut world = world(1);
    let (old, _) = binds(&mut world, "a", 1);
    world.leaves(old, "romeo@x/a");
    world.commits = false;
    assert!(binds(&mut world, "b", 2).1);
    let changes = world.held.iter().flat_map(|(_, _, unit, _)| &unit.changes);
    let forgotten = changes.filter(|change| matches!(change, Change::Unsession(..)));
    assert_eq!(forgotten.count(), 1);
}
