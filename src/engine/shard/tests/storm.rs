//! Many streams that want one resource (AT-63).

use super::*;

/// What a contact has seen last of her: whether she is there.
fn last_seen(world: &mut World, by: Link) -> Option<bool> {
    let heard = world.heard(by).into_iter().filter_map(|xml| Stanza::parse_one(&xml).ok());
    let mut hers = heard.filter(|stanza| {
        let from = stanza.head.from.as_ref().map(Jid::as_str);
        stanza.kind() == Kind::Presence && from == Some(JULIET)
    });
    hers.next_back().map(|stanza| stanza.head.type_str().is_empty())
}

/// Whoever binds last has it (RFC 6120 §7.7.2.2, third option); those before hear of a conflict,
/// and what they say, or that they end, however late, is nothing to it.
#[test]
fn at_63_a_storm_for_one_resource_leaves_one_owner_whom_contacts_see() {
    let mut world = World::of(NONE);
    let (first, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.says(romeo, ROMEO, "<presence to='juliet@x' type='subscribe'/>");
    world.says(first, JULIET, "<presence to='romeo@x' type='subscribed'/>");
    world.said.clear();
    let (mut owner, mut olds, mut seen) = (Some(first), Vec::new(), true);
    let (mut word, mut taken) = (63_u64, 0);
    let mut roll = |sides: usize| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (word >> 33) as usize % sides
    };
    for round in 0..10_000 {
        // It takes a while to log in.
        world.now += 500;
        match roll(4) {
            0 | 1 => {
                let link = world.connected(JULIET, 3 + round);
                if let Some(old) = owner.replace(link) {
                    assert_eq!(world.heard(old).last().unwrap(), "end: conflict");
                    olds.push(old);
                    taken += 1;
                }
                world.says(link, JULIET, "<presence/>");
            }
            2 if !olds.is_empty() => {
                let old = olds.swap_remove(roll(olds.len()));
                world.says(old, JULIET, "<presence type='unavailable'/>");
                world.leaves(old, JULIET);
            }
            _ if roll(8) == 0 => {
                owner.take().into_iter().for_each(|link| world.leaves(link, JULIET));
            }
            _ => {}
        }
        seen = last_seen(&mut world, romeo).unwrap_or(seen);
        assert_eq!(seen, owner.is_some(), "round {round}");
        world.said.retain(|(link, _)| Some(*link) == owner);
        let sessions = match owner {
            Some(_) => world.account("juliet@x").sessions.len(),
            None => 0,
        };
        assert_eq!(sessions, usize::from(owner.is_some()), "round {round}");
    }
    assert!(taken > 1_000, "{taken}");
}
