//! Rooms, from outside: what is said to one, and what everybody hears.

mod bad_input;
mod channel;
mod configured;
mod departed;
mod document;
mod ghosts;
mod greeted;
mod hats;
mod large;
mod markers;
mod notified;
mod orders;
mod races;
mod registered;
mod tables;
mod versions;
mod visible;
mod walk;

use crate::stage_room::{House, refusal};
use engine::wire::*;

/// Who makes the room.
const FOUNDER: &str = "founder@wax.example/throne";

/// A room that its owner has just made, with these fields of its configuration chosen.
fn founded(fields: &[(&str, &str)]) -> House {
    let mut house = House::empty(crate::ALL);
    enter(&mut house, FOUNDER, "founder");
    let heard = configure(&mut house, FOUNDER, fields);
    assert_eq!(refusal(&heard, FOUNDER), None, "{fields:?}");
    house
}

fn enter(house: &mut House, who: &str, nick: &str) -> Vec<Stanza> {
    let to = format!("{}/{nick}", house.jid);
    house.says(
        who,
        &format!("<presence to='{to}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"),
    )
}

fn leave(house: &mut House, who: &str, nick: &str) -> Vec<Stanza> {
    let to = format!("{}/{nick}", house.jid);
    house.says(who, &format!("<presence type='unavailable' to='{to}'/>"))
}

fn configure(house: &mut House, who: &str, fields: &[(&str, &str)]) -> Vec<Stanza> {
    let fields = fields.iter().map(|(var, value)| {
        let var =
            if var.starts_with('{') { (*var).into() } else { format!("muc#roomconfig_{var}") };
        format!("<field var='{var}'><value>{value}</value></field>")
    });
    let fields: String = fields.collect();
    house.says(
        who,
        &format!(
            "<iq type='set' id='c'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'>{fields}</x></query></iq>"
        ),
    )
}

/// Somebody asks for these items.
fn admin(house: &mut House, who: &str, items: &str) -> Vec<Stanza> {
    house.says(who, &format!(
        "<iq type='set' id='a'><query xmlns='http://jabber.org/protocol/muc#admin'>{items}</query>\
         </iq>"
    ))
}

fn affiliate(house: &mut House, who: &str, whom: &str, to: &str) -> Vec<Stanza> {
    let whom = Jid::parse(whom).unwrap().bare();
    admin(house, who, &format!("<item jid='{whom}' affiliation='{to}'/>"))
}

fn give_role(house: &mut House, who: &str, nick: &str, to: &str) -> Vec<Stanza> {
    admin(house, who, &format!("<item nick='{nick}' role='{to}'/>"))
}

fn say(house: &mut House, who: &str, body: &str) -> Vec<Stanza> {
    house.says(who, &format!("<message type='groupchat' id='{body}'><body>{body}</body></message>"))
}

/// What of it somebody hears.
fn to<'a>(heard: &'a [Stanza], who: &str) -> Vec<&'a Stanza> {
    let who = Jid::parse(who).unwrap();
    heard.iter().filter(|one| one.head.to.as_ref() == Some(&who)).collect()
}

/// The codes of a presence or message.
fn codes(stanza: &Stanza) -> Vec<u16> {
    let x = stanza.child(Name::new("http://jabber.org/protocol/muc#user", "x"));
    let statuses =
        x.into_iter().flat_map(|x| x.children()).filter(|child| child.local() == "status");
    statuses.filter_map(|status| status.attribute("code")?.parse().ok()).collect()
}

/// An attribute of the item in a presence.
fn item(stanza: &Stanza, attribute: &str) -> Option<String> {
    let x = stanza.child(Name::new("http://jabber.org/protocol/muc#user", "x"))?;
    let item = x.children().find(|child| child.local() == "item")?;
    item.attribute(attribute).map(|value| value.into_owned())
}
