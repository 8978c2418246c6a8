//! AT-31: roster pushes of another server (RFC 6121 §2.1.6). What goes back is not looked at.

use super::*;

const PUSH: &str = "<query xmlns='jabber:iq:roster'><item jid='tybalt@evil'/></query>";

#[test]
fn at_31_another_server_pushes_nothing_to_an_account() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    for from in ["evil", "juliet@evil", "juliet@evil/balcony", "x.evil"] {
        world.routed(&format!("<iq type='set' id='1' from='{from}' to='juliet@x'>{PUSH}</iq>"));
        assert_eq!(world.heard(juliet), [""; 0], "{from}");
    }
    let known = Bare::parse("tybalt@evil").unwrap().into();
    assert!(world.account("juliet@x").roster.item(&known).is_none());
}

/// What is for a resource is delivered (§8.5.3.1), and its client must ignore what is not from
/// its account: so `from` stays what it was.
#[test]
fn at_31_what_another_server_pushes_to_a_resource_keeps_its_from() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    for from in ["evil", "juliet@evil", "juliet@evil/balcony"] {
        world.routed(&format!("<iq type='set' id='1' from='{from}' to='{JULIET}'>{PUSH}</iq>"));
        let heard = world.heard(juliet);
        assert!(heard.len() == 1 && heard[0].contains(&format!("from='{from}'")), "{heard:?}");
    }
}
