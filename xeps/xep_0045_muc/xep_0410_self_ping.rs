//! XEP-0410: MUC Self-Ping. <https://xmpp.org/extensions/xep-0410.html>
//!
//! The room answers who asks whether it still sits there, and hands that on to no client, for the
//! other sessions of a nick may be phones that sleep (section 5). Who does not sit there is told
//! so by `<not-acceptable/>` (section 3), like all whose requests to occupants come from outside.

use engine::{hook::*, wire::*};

/// Whether one is still in a room.
pub const XEP: Xep = Xep {
    number: 410,
    name: "MUC Self-Ping (Schrödinger's Chat)",
    version: "1.1.0",
    status: Status::Complete,
    hooks: &[],
};

/// What a room tells by it: pings of one's own nick are answered by the room itself (section 5).
pub const FEATURE: &str = "http://jabber.org/protocol/muc#self-ping-optimization";

const PING: Name = Name::new("urn:xmpp:ping", "ping");

/// Whether an occupant asks so whether it is in, when this is its nick.
pub fn is_self_ping(own: &str, nick: &str, iq: &Stanza) -> bool {
    own == nick && iq.child(PING).is_some()
}
