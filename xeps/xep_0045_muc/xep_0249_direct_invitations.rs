//! XEP-0249: Direct MUC Invitations. <https://xmpp.org/extensions/xep-0249.html>
//!
//! From one to another a direct invitation is a message like any: archived, copied to the other
//! devices, waking a phone. What a room itself sends is one for clients, too, that know no other
//! (XEP-0045 §7.8.2, implementation note; Converse.js is one of them).

use super::names::{CONTINUE, REASON};
use engine::{hook::*, wire::*};

/// An invitation that is not sent by the room.
pub const XEP: Xep = Xep {
    number: 249,
    name: "Direct MUC Invitations",
    version: "1.2",
    status: Status::Complete,
    hooks: &[],
};

const INVITATION: Name = Name::new("jabber:x:conference", "x");

/// That of somebody into this room, whose password is this, with what was said of it in a mediated
/// one, which maps to its attributes (section 2).
pub fn direct(room: &Bare, password: Option<&str>, words: &[Payload]) -> Payload {
    let mut direct = Draft::new(INVITATION).attribute("jid", room.as_str());
    if let Some(password) = password {
        direct = direct.attribute("password", password);
    }
    let said = |name| words.iter().map(Payload::element).find(|element| element.is(name));
    if let Some(reason) = said(REASON) {
        direct = direct.attribute("reason", reason.text());
    }
    if let Some(goes_on) = said(CONTINUE) {
        direct = direct.attribute("continue", "true");
        if let Some(thread) = goes_on.attribute("thread") {
            direct = direct.attribute("thread", thread);
        }
    }
    direct.finish()
}
