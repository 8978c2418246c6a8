//! Rooms that not everybody in them is shown to: by their owners' wish (XEP-0045 §15.5.3, presence
//! broadcast), or because there are too many.

use super::{FOUNDER, affiliate, codes, enter, founded, give_role, leave, say, to};
use crate::{stage_room::House, xep_0045_muc::SHOWN_OCCUPANTS_MAX};
use engine::{setting::Value, wire::*};

const ROMEO: &str = "romeo@wax.example/orchard";
const JULIET: &str = "juliet@wax.example/balcony";
const PARIS: &str = "paris@wax.example/street";

fn presences(heard: &[Stanza], who: &str) -> Vec<String> {
    let all = to(heard, who).into_iter().filter(|one| one.kind() == Kind::Presence);
    let nick = |one: &Stanza| one.head.from.as_ref()?.resource().map(String::from);
    all.filter_map(|one| Some(format!("{}{}", nick(one)?, one.head.type_str()))).collect()
}

/// Two have been shown, all that may be.
fn channel() -> House {
    let mut house = founded(&[]);
    house.settings.choose(&SHOWN_OCCUPANTS_MAX, Value::Number(2));
    enter(&mut house, ROMEO, "romeo");
    house
}

#[test]
fn who_comes_when_there_are_many_is_shown_to_nobody_else() {
    let mut house = channel();
    let heard = enter(&mut house, JULIET, "juliet");
    assert_eq!(presences(&heard, JULIET), ["founder", "romeo", "juliet"]);
    assert_eq!(codes(to(&heard, JULIET)[2]), [170, 110]);
    assert!(presences(&heard, ROMEO).is_empty() && presences(&heard, FOUNDER).is_empty());
    let heard = enter(&mut house, PARIS, "paris");
    assert_eq!(presences(&heard, PARIS), ["founder", "romeo", "paris"]);
    let heard = say(&mut house, JULIET, "hark");
    assert!([JULIET, ROMEO, PARIS, FOUNDER].iter().all(|who| to(&heard, who).len() == 1));
    // Nor does anybody hear that it is there in another way, or gone.
    let heard = house.says(JULIET, "<presence to='garden@conference.wax.example/capulet'/>");
    assert_eq!(presences(&heard, JULIET), ["julietunavailable", "capulet"]);
    assert!(presences(&heard, PARIS).is_empty());
    let heard = leave(&mut house, JULIET, "capulet");
    assert_eq!(presences(&heard, JULIET), ["capuletunavailable"]);
    assert_eq!(heard.len(), 1, "{heard:?}");
    // Who was shown is seen to go, also by who came later.
    let heard = leave(&mut house, ROMEO, "romeo");
    assert_eq!(presences(&heard, PARIS), ["romeounavailable"]);
}

#[test]
fn a_moderator_is_shown_and_stays_so_and_a_restart_changes_nothing() {
    let mut house = channel();
    enter(&mut house, JULIET, "juliet");
    enter(&mut house, PARIS, "paris");
    house.restarts(&[]);
    let heard = give_role(&mut house, FOUNDER, "juliet", "moderator");
    assert_eq!(presences(&heard, ROMEO), ["juliet"]);
    let seen = presences(&heard, JULIET);
    assert!(!seen.contains(&"paris".to_owned()), "{seen:?}");
    let heard = give_role(&mut house, FOUNDER, "juliet", "participant");
    assert_eq!(presences(&heard, PARIS), ["juliet"]);
    let heard = leave(&mut house, JULIET, "juliet");
    assert_eq!(presences(&heard, PARIS), ["julietunavailable"]);
    // Who is cast out is told so first, and nobody else.
    let heard = affiliate(&mut house, FOUNDER, PARIS, "outcast");
    assert_eq!(codes(&heard[0]), [301, 110]);
    assert_eq!(heard.iter().filter(|one| one.kind() == Kind::Presence).count(), 1);
}

#[test]
fn owners_choose_which_roles_are_shown_section_15_5_3() {
    let mut house = founded(&[("presencebroadcast", "moderator"), ("moderatedroom", "1")]);
    let heard = enter(&mut house, ROMEO, "romeo");
    assert_eq!(presences(&heard, ROMEO), ["founder", "romeo"]);
    assert!(presences(&heard, FOUNDER).is_empty());
    give_role(&mut house, FOUNDER, "romeo", "participant");
    let heard = enter(&mut house, JULIET, "juliet");
    assert_eq!(presences(&heard, JULIET), ["founder", "juliet"]);
    let heard = give_role(&mut house, FOUNDER, "romeo", "moderator");
    assert_eq!(presences(&heard, JULIET), ["romeo"]);
}
