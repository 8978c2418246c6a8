//! Members who are away, and may want to know of what is said (XEP-0357, XEP-0492).

use super::{FOUNDER, affiliate, enter, founded, leave, say};
use crate::stage_room::House;
use engine::unit::AFFILIATIONS;

const ROMEO: &str = "romeo@wax.example/orchard";
/// So many members that not all are told.
const MANY: usize = 9;

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

/// A room of many members, all of whom have been here, the first by these nicks.
fn crowded(nicks: &[&str]) -> House {
    let mut house = founded(&[]);
    for number in 0..MANY.max(nicks.len()) {
        let nick = nicks.get(number).map_or_else(|| format!("nick{number}"), |it| (*it).to_owned());
        affiliate(&mut house, FOUNDER, &member(number), "member");
        enter(&mut house, &member(number), &nick);
        leave(&mut house, &member(number), &nick);
    }
    house
}

fn member(number: usize) -> String {
    format!("member{number}@wax.example/orchard")
}

/// By what those are known who are told of this.
fn told_of(house: &mut House, by: &str, content: &str) -> Vec<String> {
    house.news.clear();
    let id = house.log.len();
    house.says(by, &format!("<message type='groupchat' id='{id}'>{content}</message>"));
    house.news.drain(..).map(|(_, news)| news.nick.to_string()).collect()
}

fn told_by(house: &mut House, body: &str) -> Vec<String> {
    told_of(house, FOUNDER, &format!("<body>{body}</body>"))
}

#[test]
fn of_many_members_those_are_told_to_whom_it_is_addressed_xep_0492_section_4() {
    let mut house = crowded(&["Ann", "Ann Lee", "bob"]);
    assert_eq!(told_by(&mut house, "hark"), [""; 0]);
    assert_eq!(told_by(&mut house, "BOB: hark! (@bob)"), ["bob"]);
    assert_eq!(told_by(&mut house, "bob's ann lee"), ["bob", "Ann", "Ann Lee"]);
    assert_eq!(told_by(&mut house, "bobby and annabel"), [""; 0]);
    let reply = |to: &str| format!("<body>yes</body><reply xmlns='urn:xmpp:reply:0' to='{to}'/>");
    let nick = reply(&format!("{}/Ann Lee", house.jid));
    assert_eq!(told_of(&mut house, FOUNDER, &nick), ["Ann Lee"]);
    let uri = "uri='xmpp:member2@wax.example' type='mention'";
    let points = format!("<body>you</body><reference xmlns='urn:xmpp:reference:0' {uri}/>");
    assert_eq!(told_of(&mut house, FOUNDER, &points), ["bob"]);
    // Whom it names, what is encrypted tells nobody.
    let omemo = "<encrypted xmlns='eu.siacs.conversations.axolotl'>bob</encrypted>";
    let encrypted = format!("{omemo}<body>This is encrypted.</body>");
    assert_eq!(told_of(&mut house, FOUNDER, &encrypted), [""; 0]);
}

#[test]
fn of_many_members_nobody_is_told_who_says_it_or_hears_it() {
    let mut house = crowded(&["ann", "bob"]);
    enter(&mut house, &member(0), "ann");
    assert_eq!(told_by(&mut house, "ann, bob, founder"), ["bob"]);
    let said = "<body>ann, bob, founder</body>";
    assert_eq!(told_of(&mut house, &member(0), said), ["bob"]);
    leave(&mut house, &member(0), "ann");
    assert_eq!(told_by(&mut house, "ann, bob, founder"), ["ann", "bob"]);
    affiliate(&mut house, FOUNDER, &member(1), "none");
    assert_eq!(told_by(&mut house, "ann, bob"), ["ann"]);
    affiliate(&mut house, FOUNDER, &member(2), "none");
    assert_eq!(told_by(&mut house, "hark").len(), MANY - 2, "they are not many any more");
}

#[test]
fn of_many_members_each_is_told_by_what_it_is_called_now() {
    let mut house = crowded(&["ann"]);
    enter(&mut house, &member(0), "anna");
    leave(&mut house, &member(0), "anna");
    assert_eq!(told_by(&mut house, "ann, nick3"), ["nick3"]);
    assert_eq!(told_by(&mut house, "anna, nick3"), ["anna", "nick3"]);
    // What older programs wrote does not say by what nick it was here.
    let cell = (AFFILIATIONS.name(), house.jid.clone(), "tybalt@wax.example".to_owned());
    house.cells.insert(cell, b"member here\n\n".to_vec());
    house.restarts(&[]);
    assert_eq!(told_by(&mut house, "ann, Tybalt, anna"), ["tybalt", "anna"]);
}

#[test]
fn who_names_hundreds_wakes_no_more_than_fifty() {
    let nicks: Vec<_> = (0..60).map(|number| format!("nick{number}")).collect();
    let mut house = crowded(&nicks.iter().map(String::as_str).collect::<Vec<_>>());
    let all = nicks.join(", ");
    assert_eq!(told_by(&mut house, &format!("{all}, {all}")), nicks[..50]);
    // Who is here is not among them.
    enter(&mut house, &member(7), "nick7");
    assert_eq!(told_by(&mut house, &all).len(), 50);
}
