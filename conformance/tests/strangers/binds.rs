//! AT-61: one account that is everywhere.

use crate::stage::{JULIET, ROMEO, Stage};
use conformance::actor::{Actor, Trouble};

const BINDS: usize = 1_000;

#[test]
fn at_61_an_account_has_so_many_resources_and_the_next_is_refused_rfc6120_7_6_2_1() {
    let mut stage = Stage::new();
    let mut character = stage.actors[JULIET].character().clone();
    let (mut bound, mut refused) = (Vec::new(), 0);
    for number in 0..BINDS {
        character.properties.insert("resource".into(), format!("balcony {number}"));
        let mut actor = Actor::new(character.clone());
        match actor.log_in(&mut stage.world) {
            Ok(()) => bound.push(actor),
            Err(Trouble::Refused(iq)) => {
                assert!(iq.to_string().contains("<resource-constraint "), "{iq}");
                actor.cut(&mut stage.world);
                refused += 1;
            }
            Err(other) => panic!("{}", String::from(other)),
        }
    }
    // `sessions_max`; she had one before.
    assert_eq!((bound.len(), refused), (63, BINDS - 63));
    stage.forget();
    stage.says(ROMEO, "<message id='1' to='mercutio@localhost/balcony'/>");
    assert_eq!(stage.heard(crate::stage::MERCUTIO).len(), 1, "others are served");
    // Who leaves makes room.
    bound.pop().unwrap().cut(&mut stage.world);
    Actor::new(character).log_in(&mut stage.world).unwrap();
}
