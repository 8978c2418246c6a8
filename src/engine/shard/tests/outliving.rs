//! Sessions that wait for their clients (XEP-0198 §5), who believe in all that they saw and said
//! before: seen by nobody any more, or read from the store again.

use super::{lasting::*, *};
use crate::{parcel::Claim, unit::Resumable};

const PHONE: &str = "romeo@x/phone";

/// Streams that begin with `begin` can be lost, and their sessions go on.
const LASTING: Xep = Xep {
    number: 9994,
    name: "Lasting",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[RESUMES, LASTS, COUNTS],
};

/// Romeo's phone is there.
fn phone(world: &mut World) -> Link {
    let (jid, link) = (Jid::parse(PHONE).unwrap(), Link { node: Node(1), number: 9 });
    let (resource, inline) = (jid.resource().map(Text::from), vec![Draft::new(BEGIN).finish()]);
    let bind = Said::Bind { resource, since: 1, device: None, inline, reads: false };
    world.feed(Input::Parcel(Parcel::FromSocket(jid.bare(), link, bind)));
    world.says(link, PHONE, "<presence/>");
    link
}

/// It has lost its stream, and is seen no longer.
fn hides(world: &mut World, link: Link) {
    world.leaves(link, PHONE);
    world.now += world.settings.limits.detached_shown_ms;
    world.feed(Input::Tick);
}

/// It comes back; what it hears besides.
fn resumes(world: &mut World, h: usize) -> Vec<String> {
    let (romeo, link) = (Bare::parse("romeo@x").unwrap(), Link { node: Node(1), number: 10 });
    let claim = Claim { id: "id".into(), h: h.try_into().unwrap() };
    let resume = Said::Resume { claim, since: 1, device: None };
    world.feed(Input::Parcel(Parcel::FromSocket(romeo, link, resume)));
    let mut heard = world.heard(link);
    assert!(heard.remove(0).contains("resumed"), "{heard:?}");
    heard
}

/// As the fuzz target F7 has found it.
#[test]
fn who_comes_back_hears_that_others_have_left_since_nobody_saw_it_rfc6121_4_5_3() {
    let mut world = World::of(&[&LASTING]);
    let (juliet, other) = (world.online(JULIET, 1), world.online("romeo@x/other", 2));
    let phone = phone(&mut world);
    world.says(other, "romeo@x/other", "<presence to='juliet@x' type='subscribe'/>");
    world.says(juliet, JULIET, "<presence to='romeo@x' type='subscribed'/>");
    let got = world.heard(phone).len();
    hides(&mut world, phone);
    world.leaves(juliet, JULIET);
    world.leaves(other, "romeo@x/other");
    let heard = resumes(&mut world, got);
    for gone in [JULIET, "romeo@x/other"] {
        let of = |xml: &&String| xml.contains(gone) && xml.contains("type='unavailable'");
        assert_eq!(heard.iter().filter(of).count(), 1, "{gone}: {heard:?}");
    }
    let of_itself = heard.iter().filter(|xml| xml.contains("from='romeo@x/phone'"));
    let ends: Vec<_> = of_itself.map(|xml| xml.contains("type=")).collect();
    assert_eq!(ends, [false], "it is there itself: {heard:?}");
}

#[test]
fn who_comes_back_sees_who_was_away_meanwhile_and_is_there_again() {
    let mut world = World::of(&[&LASTING]);
    world.online("romeo@x/other", 2);
    let phone = phone(&mut world);
    let got = world.heard(phone).len();
    hides(&mut world, phone);
    let other = Link { node: Node(1), number: 2 };
    world.says(other, "romeo@x/other", "<presence type='unavailable'/>");
    world.says(other, "romeo@x/other", "<presence/>");
    let heard = resumes(&mut world, got);
    let of = heard.iter().filter(|xml| xml.contains("from='romeo@x/other'"));
    let kinds: Vec<_> = of.map(|xml| xml.contains("unavailable")).collect();
    assert_eq!(kinds, [true, false], "{heard:?}");
}

/// As the fuzz target F7 has found it: the log had both.
#[test]
fn what_waits_when_the_account_is_read_anew_is_said_again_by_who_can_come_back_and_by_nobody_else()
{
    for (lasts, said) in [(true, Vec::new()), (false, vec!["hark".to_owned()])] {
        let mut world = World::of(&[&LASTING]);
        let juliet = world.online(JULIET, 1);
        let romeo = if lasts { phone(&mut world) } else { world.online(PHONE, 9) };
        // Its session is in the store.
        world.now += 1_000;
        world.feed(Input::Tick);
        world.commits = false;
        world.says(romeo, PHONE, "<presence to='juliet@x' type='subscribe'/>");
        world.says(romeo, PHONE, &message(JULIET, "hark"));
        world.said.clear();
        world.fail();
        assert_eq!(world.heard(romeo), ["end: internal-server-error"]);
        assert_eq!(world.bodies(juliet), said, "{lasts}");
    }
}

/// Its sibling, which nobody can come back to, ends with the account as it was.
#[test]
fn who_comes_back_after_the_account_was_read_anew_hears_that_its_siblings_are_gone() {
    let mut world = World::of(&[&LASTING]);
    phone(&mut world);
    let other = world.online("romeo@x/other", 2);
    world.now += 1_000;
    world.commits = false;
    world.feed(Input::Tick);
    let mut changes = world.held.iter().flat_map(|(_, _, unit, _)| &unit.changes);
    let row = changes.find_map(|change| match change {
        Change::Session(_, row) => Some(Resumable::clone(row)),
        _ => None,
    });
    let row = row.expect("it is written within the second");
    world.commits = true;
    world.feed(Input::Tick);
    (world.commits, world.loads) = (false, false);
    world.says(other, "romeo@x/other", "<presence to='juliet@x' type='subscribe'/>");
    world.fail();
    let loaded = Loaded { sessions: vec![row], ..Loaded::default() };
    world.commits = true;
    world.feed(Input::Loaded(Bare::parse("romeo@x").unwrap(), Ok(Some(loaded))));
    let heard = resumes(&mut world, 0);
    let of = |xml: &&String| xml.contains("from='romeo@x/other'");
    let last = heard.iter().rfind(of).map(|xml| xml.contains("type='unavailable'"));
    assert_eq!(last, Some(true), "{heard:?}");
}
