//! Which rooms hear that an account is no more, and when.

use super::*;
use crate::room::{Identity, Room, Service};

const HALLS: Xep = Xep {
    number: 9994,
    name: "Halls",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[Hook::Service(&Halls)],
};
const XEPS: &[&Xep] = &[&TOY, &HALLS];
const GARDEN: &str = "garden@halls.x";

/// Rooms that tell Juliet what they hear. The garden knows everybody, others nobody.
struct Halls;

#[derive(Debug)]
struct Hall {
    jid: Bare,
    /// The store has not answered it yet.
    waits: bool,
}

impl Service for Halls {
    fn hosts(&self, _: &Settings) -> Vec<Bare> {
        vec![Bare::host("halls.x").unwrap()]
    }

    fn identity(&self) -> Identity {
        Identity { category: "conference", kind: "text", name: "Halls" }
    }

    fn sits(&self, _: &Stanza) -> Option<bool> {
        None
    }

    fn room(&self, jid: Bare, _: Option<Loaded>, _: &Ctx<'_>) -> Box<dyn Room> {
        Box::new(Hall { jid, waits: false })
    }
}

impl Room for Hall {
    fn handle(&mut self, _: &Ctx<'_>, input: account::Input, out: &mut Vec<account::Output>) {
        let heard = match input {
            account::Input::Departed(who) => format!("{who} is gone"),
            account::Input::Routed(stanza, owed) => {
                let half = owed.map(|Owed { sender: to, ticket }| Parcel::Half {
                    to,
                    ticket,
                    half: Ok(Unit::default()),
                });
                out.extend(half.map(account::Output::Parcel));
                let body = stanza.child(BODY).unwrap().text().into_owned();
                if body == "fall" {
                    self.waits = true;
                    let unit = Change::Room(self.jid.clone()).into();
                    out.push(account::Output::Commit(Ticket(1), unit, None));
                    out.push(account::Output::Leave(Vec::new()));
                }
                body
            }
            _ => return self.waits = false,
        };
        let head = Head::new(Kind::Message).with_from(self.jid.clone());
        let head = head.with_to(Jid::parse(JULIET).unwrap());
        let stanza = Stanza::new(head).with(Draft::new(BODY).text(heard).finish());
        let parcel = Parcel::Routed { to: Bare::parse("juliet@x").unwrap(), stanza, owed: None };
        out.push(account::Output::Parcel(parcel));
    }

    fn knows(&self, _: &Bare) -> bool {
        self.jid.local() == Some("garden")
    }

    fn is_idle(&self) -> bool {
        !self.waits
    }

    fn weight(&self) -> usize {
        1
    }
}

/// Juliet is online.
fn world() -> (World, Link) {
    let mut world = World::of(XEPS);
    world.settings.services = world.hooks.services(&world.settings);
    let juliet = world.online(JULIET, 1);
    (world, juliet)
}

fn tell(world: &mut World, room: &str, body: &str) {
    let body = format!("<body>{body}</body>");
    world.routed(&format!("<message from='nurse@x/kitchen' to='{room}'>{body}</message>"));
}

fn remove(world: &mut World) {
    world.stored.remove("romeo@x");
    world.orders("romeo@x", deleted());
}

#[test]
fn a_room_that_has_something_of_an_account_hears_that_it_is_gone() {
    for online in [false, true] {
        let (mut world, juliet) = world();
        for room in [GARDEN, "hall@halls.x"] {
            tell(&mut world, room, "hark");
        }
        assert_eq!(world.bodies(juliet), ["hark", "hark"]);
        if online {
            world.online(ROMEO, 2);
        }
        remove(&mut world);
        assert_eq!(world.bodies(juliet), ["romeo@x is gone"], "{online}");
    }
}

#[test]
fn a_room_that_is_being_read_hears_it_when_it_has_been() {
    let (mut world, juliet) = world();
    world.loads = false;
    tell(&mut world, "hall@halls.x", "hark");
    remove(&mut world);
    assert_eq!(world.bodies(juliet), [""; 0]);
    world.load();
    assert_eq!(world.bodies(juliet), ["hark", "romeo@x is gone"]);
}

#[test]
fn a_room_that_is_to_be_read_anew_hears_it_then() {
    let (mut world, juliet) = world();
    world.commits = false;
    tell(&mut world, GARDEN, "fall");
    remove(&mut world);
    tell(&mut world, GARDEN, "hark");
    assert_eq!(world.bodies(juliet), [""; 0], "what it has said waits for the store");
    while !world.held.is_empty() {
        world.commit();
    }
    assert_eq!(world.bodies(juliet), ["fall", "romeo@x is gone", "hark"]);
}

#[test]
fn a_room_hears_it_behind_all_that_the_account_has_said() {
    let (mut world, juliet) = world();
    tell(&mut world, GARDEN, "hark");
    let romeo = world.online(ROMEO, 2);
    world.bodies(juliet);
    world.commits = false;
    world.says(romeo, ROMEO, &message(GARDEN, "1"));
    world.says(romeo, ROMEO, &message(JULIET, "2"));
    remove(&mut world);
    let again = world.connected(ROMEO, 3);
    while !world.held.is_empty() {
        world.commit();
    }
    let bodies = world.bodies(juliet);
    assert_eq!(bodies.last().map(String::as_str), Some("romeo@x is gone"), "{bodies:?}");
    assert!(["1", "2"].iter().all(|body| bodies.iter().any(|one| one == body)), "{bodies:?}");
    assert_eq!(world.heard(again), ["end: not-authorized"], "nobody has made it anew");
}
