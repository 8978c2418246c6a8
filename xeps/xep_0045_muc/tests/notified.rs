//! Members who are away, and may want to know of what is said (XEP-0357, XEP-0492).

use super::{FOUNDER, affiliate, enter, founded, leave, say};
use crate::stage_room::House;

const ROMEO: &str = "romeo@wax.example/orchard";

/// Who is told of the next message, and by what name he is known.
fn told(house: &mut House) -> Vec<(String, String)> {
    house.news.clear();
    // Nothing is said twice.
    let body = format!("hark {}", house.log.len());
    say(house, FOUNDER, &body);
    let told = house.news.drain(..);
    told.map(|(who, news)| (who.to_string(), news.nick.to_string())).collect()
}

#[test]
fn who_is_away_is_spoken_of_by_the_nick_that_it_had_last_xep_0492_section_4() {
    let mut house = founded(&[]);
    affiliate(&mut house, FOUNDER, ROMEO, "member");
    assert_eq!(told(&mut house), [], "who never came is told nothing");
    let known = |nick: &str| vec![("romeo@wax.example".to_owned(), nick.to_owned())];
    enter(&mut house, ROMEO, "montague");
    leave(&mut house, ROMEO, "montague");
    assert_eq!(told(&mut house), known("montague"));
    enter(&mut house, ROMEO, "montague");
    house.says(ROMEO, "<presence to='garden@conference.wax.example/pilgrim'/>");
    leave(&mut house, ROMEO, "pilgrim");
    assert_eq!(told(&mut house), known("pilgrim"));
    house.restarts(&[]);
    assert_eq!(told(&mut house), known("pilgrim"), "the store has it");
    // It stays what others call him, whatever he is to the room.
    affiliate(&mut house, FOUNDER, ROMEO, "admin");
    assert_eq!(told(&mut house), known("pilgrim"));
}

#[test]
fn who_was_here_before_becoming_a_member_is_known_by_the_nick_of_then() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "montague");
    affiliate(&mut house, FOUNDER, ROMEO, "member");
    leave(&mut house, ROMEO, "montague");
    let known = [("romeo@wax.example".to_owned(), "montague".to_owned())];
    assert_eq!(told(&mut house), known);
}
