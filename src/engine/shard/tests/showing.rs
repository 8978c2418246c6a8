//! How much presence an account may make others hear (RFC 6120 §13.12).

use super::{lasting::*, *};
use crate::account::{PRESENCE_BYTES_MAX, SHOWN_BYTES_MAX};

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
