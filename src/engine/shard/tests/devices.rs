//! A resource that is bound together with the login: which device it is on, and what its session
//! begins with (XEP-0386 §4).

use super::*;

fn begins(world: &mut World, number: u64, resource: &str, device: Option<&str>, inline: &[&str]) {
    let link = Link { node: Node(1), number };
    let payload = |xml: &&str| {
        let whole = Stanza::parse_one(&format!("<message>{xml}</message>")).unwrap();
        whole.children().next().unwrap().to_payload()
    };
    let said = Said::Bind {
        resource: Some(resource.into()),
        since: 1,
        device: device.map(Text::from),
        inline: inline.iter().map(payload).collect(),
        reads: false,
    };
    let account = Bare::parse("juliet@x").unwrap();
    world.feed(Input::Parcel(Parcel::FromSocket(account, link, said)));
}

fn link(number: u64) -> Link {
    Link { node: Node(1), number }
}

#[test]
fn an_older_session_of_the_same_device_ends_and_no_other() {
    let mut world = World::of(TOYS);
    begins(&mut world, 1, "a", Some("phone"), &[]);
    begins(&mut world, 2, "b", Some("tablet"), &[]);
    begins(&mut world, 3, "c", None, &[]);
    begins(&mut world, 4, "d", Some("phone"), &[]);
    begins(&mut world, 5, "e", None, &[]);
    assert_eq!(world.heard(link(1)), ["end: conflict"]);
    for other in [2, 3, 4, 5] {
        assert_eq!(world.heard(link(other)), Vec::<String>::new());
    }
    world.orders("juliet@x", Order::Revoked { device: "tablet".into(), unix_ms: 1 });
    assert_eq!(world.heard(link(2)), ["end: not-authorized"]);
    assert_eq!(world.heard(link(3)), Vec::<String>::new());
}

#[test]
fn a_login_of_a_device_that_was_revoked_meanwhile_binds_nothing() {
    let mut world = World::of(TOYS);
    // Nobody is online, and yet it is remembered.
    world.orders("juliet@x", Order::Revoked { device: "phone".into(), unix_ms: 2 });
    begins(&mut world, 1, "a", Some("phone"), &[]);
    assert_eq!(world.heard(link(1)), ["end: not-authorized"]);
    begins(&mut world, 2, "b", Some("tablet"), &[]);
    begins(&mut world, 3, "c", None, &[]);
    // Another is revoked, long after: no login can be as old.
    let later = 3 + world.settings.limits.auth_ms_max;
    world.orders("juliet@x", Order::Revoked { device: "watch".into(), unix_ms: later });
    begins(&mut world, 4, "d", Some("phone"), &[]);
    for other in [2, 3, 4] {
        assert_eq!(world.heard(link(other)), Vec::<String>::new());
    }
}

#[test]
fn a_session_begins_with_what_is_known_and_leaves_out_what_is_not() {
    let mut world = World::of(TOYS);
    begins(&mut world, 1, "a", None, &["<begin xmlns='toy'/>", "<other xmlns='toy'/>"]);
    let bound = world.said.iter().find_map(|(_, say)| match say {
        Say::Bound(jid, begun) => Some((jid.to_string(), begun.clone())),
        _ => None,
    });
    let (jid, begun) = bound.expect("it is bound");
    assert_eq!(jid, "juliet@x/a");
    assert_eq!(begun.iter().map(Payload::as_str).collect::<Vec<_>>(), ["<begun xmlns='toy'/>"]);
}
