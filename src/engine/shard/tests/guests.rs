//! Accounts of people who stay unknown: how long they live, and whom they reach (XEP-0175).

use super::*;

fn world() -> World {
    let mut world = World::of(NONE);
    world.settings.anonymous = vec![Bare::parse("x").unwrap()];
    world
}

#[test]
fn an_account_of_a_guest_goes_with_its_last_session_xep_0175_2() {
    let mut world = world();
    let (one, other) = (world.online("juliet@x/1", 1), world.online("juliet@x/2", 2));
    // One that takes the other's resource is no end.
    let newcomer = world.online("juliet@x/2", 3);
    world.leaves(one, "juliet@x/1");
    world.leaves(other, "juliet@x/2");
    assert!(world.expired.is_empty());
    world.leaves(newcomer, "juliet@x/2");
    assert_eq!(world.expired, [Bare::parse("juliet@x").unwrap()]);
    // Whoever is told later is told of nobody.
    world.leaves(newcomer, "juliet@x/2");
    assert_eq!(world.expired.len(), 1);
}

#[test]
fn accounts_elsewhere_stay_when_nobody_is_there() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    world.leaves(juliet, JULIET);
    assert!(world.expired.is_empty());
}

#[test]
fn a_guest_reaches_nobody_on_other_servers_xep_0175_2() {
    for (anonymous, reached) in [(true, 0), (false, 4)] {
        let mut world = if anonymous { world() } else { World::of(NONE) };
        world.settings.federates = true;
        let juliet = world.online(JULIET, 1);
        world.carried.clear();
        for stanza in [
            "<message to='tybalt@y' type='chat' id='1'><body>x</body></message>",
            "<presence to='tybalt@y'/>",
            "<presence to='tybalt@y' type='subscribe'/>",
            "<iq to='tybalt@y' type='get' id='2'><query xmlns='x'/></iq>",
        ] {
            world.says(juliet, JULIET, stanza);
        }
        let abroad = world.carried.iter().filter(|said| said.contains("to='tybalt@y'"));
        assert_eq!(abroad.count(), reached);
    }
}
