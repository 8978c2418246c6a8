//! XEP-0045: Multi-User Chat. <https://xmpp.org/extensions/xep-0045.html>
//!
//! A room is a value like an account, with a log of its own: what is said in it is durable before
//! anybody hears it. `room.rs` is the value, `line.rs` the order in which it does things; each
//! chapter of the document has a file of its own.

mod admin;
mod aliases;
mod attends;
mod config;
mod departed;
mod disco;
mod ends;
mod enter;
mod fall;
mod fields;
mod ghosts;
mod greet;
pub mod history;
mod invite;
mod iq;
mod line;
mod lists;
pub mod making;
mod members;
mod message;
mod names;
mod nick;
mod occupants;
mod owner;
mod presence;
mod rank;
mod register;
mod removed;
mod reply;
mod requests;
mod room;
mod service;
mod show;
mod sight;
mod standing;
mod steps;
mod subject;
mod telling;
#[cfg(test)]
mod tests;
mod unread;
mod visits;
mod voice;
mod welcome;
mod whisper;
pub mod xep_0249_direct_invitations;
pub mod xep_0317_hats;
pub mod xep_0333_markers;
pub mod xep_0410_self_ping;
pub mod xep_0421_occupant_id;
pub mod xep_0425_moderation;
pub mod xep_0433_search;
pub mod xep_0437_activity;
pub mod xep_0463_versions;
pub mod xep_0486_avatar;
pub mod xep_0500_slow_mode;

use engine::{
    hook::*,
    setting::{Kind, Setting},
    unit::OCCUPANTS,
    wire::Bare,
};

/// Rooms.
pub const XEP: Xep = Xep {
    number: 45,
    name: "Multi-User Chat",
    version: "1.35.5",
    status: Status::Complete,
    hooks: &[
        Hook::Setting(&HOSTS),
        Hook::Setting(&CREATION),
        Hook::Setting(&PERSISTENCE),
        Hook::Setting(&OCCUPANTS_MAX),
        Hook::Setting(&SHOWN_OCCUPANTS_MAX),
        Hook::Setting(&xep_0333_markers::FANOUT_MAX),
        Hook::Setting(&ROOMS_PER_OWNER_MAX),
        Hook::Service(&service::ROOMS),
        Hook::Conversations(unread::conversations),
        Hook::AtHand(room::ROOM),
        Hook::AtHand(members::AFFILIATIONS),
        Hook::AtHand(OCCUPANTS),
        Hook::AtHand(greet::LEFT),
        Hook::Feature(Of::Service, names::MUC),
        Hook::Feature(Of::Service, "http://jabber.org/protocol/muc#stable_id"),
        Hook::get(Of::Service, service::ITEMS, Answer::World(service::items)),
    ],
};

/// Where rooms are.
const HOSTS: Setting = Setting {
    xep: 45,
    key: "hosts",
    kind: Kind::Texts { each: "a domain such as conference.example.org", is: is_host },
    doc: "The domains of rooms. When none is given: conference. and each domain that is served.",
};

/// Who may make rooms.
const CREATION: Setting = Setting {
    xep: 45,
    key: "creation",
    kind: Kind::Choice(&["users", "everybody", "admins"]),
    doc: "Who may make rooms: who has an account here, everybody, or server.admins alone.",
};

/// What becomes of a room that nobody is in.
const PERSISTENCE: Setting = Setting {
    xep: 45,
    key: "rooms",
    kind: Kind::Choice(&["persistent", "temporary"]),
    doc: "Whether a new room stays when its last occupant leaves. Its owner can choose otherwise.",
};

/// How many may be in one room.
const OCCUPANTS_MAX: Setting = Setting {
    xep: 45,
    key: "occupants_max",
    kind: Kind::Number { default: 5_000, from: 2, to: 100_000 },
    doc: "How many may be in one room.",
};

/// How many of one room see each other.
pub const SHOWN_OCCUPANTS_MAX: Setting = Setting {
    xep: 45,
    key: "shown_occupants_max",
    kind: Kind::Number { default: 1_000, from: 1, to: 100_000 },
    doc: "When so many are in a room, who comes, unless as a moderator, is shown to nobody else, \
          and sees moderators alone.",
};

/// How many rooms one may make.
const ROOMS_PER_OWNER_MAX: Setting = Setting {
    xep: 45,
    key: "rooms_per_owner_max",
    kind: Kind::Number { default: 200, from: 1, to: 100_000 },
    doc: "How many rooms one may make that are there at once; server.admins any number.",
};

fn is_host(text: &str) -> bool {
    Bare::host(text).is_ok()
}
