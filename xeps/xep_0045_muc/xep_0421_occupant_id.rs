//! XEP-0421: Anonymous unique occupant identifiers for MUCs.
//! <https://xmpp.org/extensions/xep-0421.html>
//!
//! Made, not stored: of the room, of who it is, and of a secret of the server. So it is the same
//! for as long as the server has that secret, and tells nobody who it is.

use engine::{ctx::Ctx, hook::*, settings::Settings, wire::*};
use sha2::{Digest, Sha256};

/// Who is who, though nicks change.
pub const XEP: Xep = Xep {
    number: 421,
    name: "Occupant identifiers for semi-anonymous MUCs",
    version: "1.0.1",
    status: Status::Complete,
    hooks: &[Hook::Feature(Of::Room, NS)],
};

const NS: &str = "urn:xmpp:occupant-id:0";
const DIGITS: &[u8; 16] = b"0123456789abcdef";
const OCCUPANT_ID: Name = Name::new(NS, "occupant-id");

/// Whether it says that it is one. Only a room says so (section 4).
pub fn is_one(child: Element<'_>) -> bool {
    child.ns() == NS
}

/// The id of somebody in a room: 160 bits, in hexadecimal digits.
pub fn id(room: &Bare, who: &Bare, settings: &Settings) -> String {
    let mut hash = Sha256::new_with_prefix(settings.secret);
    for part in ["occupant-id", room.as_str(), who.as_str()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    // Cut: nobody can go on hashing from what is told.
    hash.finalize()[..20].iter().fold(String::with_capacity(40), |mut id, byte| {
        id.extend([byte >> 4, byte & 15].map(|half| char::from(DIGITS[usize::from(half)])));
        id
    })
}

/// The same as an element.
pub fn of(room: &Bare, who: &Bare, ctx: &Ctx<'_>) -> Payload {
    Draft::new(OCCUPANT_ID).attribute("id", id(room, who, ctx.settings)).finish()
}

/// Whose a message of a room is.
pub fn in_message(said: &Stanza) -> Option<String> {
    said.child(OCCUPANT_ID)?.attribute("id").map(String::from)
}
