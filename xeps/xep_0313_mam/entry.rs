//! Which messages are entries of a log (XEP-0313 §6.1).

use crate::xep_0334_hints::{NO_COPY, NO_STORE, STORE, hints};
use engine::{
    passage::{Passage, Walk},
    wire::*,
};

const BODY: Name = Name::new("jabber:client", "body");
const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
const INVITES: [&str; 2] = ["invite", "decline"];

/// What somebody says without a body. A name of `*` is every element of the namespace.
const CONTENTS: &[(&str, &str)] = &[
    // XEP-0184: that it has come.
    ("urn:xmpp:receipts", "received"),
    // XEP-0333: that it has been read.
    ("urn:xmpp:chat-markers:0", "received"),
    ("urn:xmpp:chat-markers:0", "displayed"),
    ("urn:xmpp:chat-markers:0", "acknowledged"),
    // XEP-0424, and as it was: taken back.
    ("urn:xmpp:message-retract:1", "retract"),
    ("urn:xmpp:fasten:0", "apply-to"),
    // XEP-0444: what one thinks of it.
    ("urn:xmpp:reactions:0", "reactions"),
    // XEP-0384, XEP-0373, XEP-0027: for nobody else's eyes; XEP-0380 names what else there is.
    ("eu.siacs.conversations.axolotl", "encrypted"),
    ("urn:xmpp:omemo:1", "encrypted"),
    ("urn:xmpp:omemo:2", "encrypted"),
    ("urn:xmpp:openpgp:0", "openpgp"),
    ("jabber:x:encrypted", "x"),
    ("urn:xmpp:eme:0", "encryption"),
    // XEP-0353, XEP-0482: a call, and what became of it.
    ("urn:xmpp:jingle-message:0", "*"),
    ("urn:xmpp:call-invites:0", "*"),
    // XEP-0249: come in; see `is_mediated` for the other way.
    ("jabber:x:conference", "x"),
    // XEP-0447: a file.
    ("urn:xmpp:sfs:0", "file-sharing"),
    ("urn:xmpp:sfs:0", "sources"),
];

/// Whether it is kept in the log of the account that it passes. What would be refused is not: an
/// archive tells what its owner could have received (XEP-0313 §6).
pub(super) fn is_entry(passage: &Passage<'_>) -> bool {
    is_worthy(&passage.stanza) && !is_refused(passage)
}

/// By its type, its content and what its sender wishes. A type that is not known is normal (RFC
/// 6121 §5.2.2).
fn is_worthy(message: &Stanza) -> bool {
    let is_wished = hints(message, STORE);
    let by_type = match message.head.type_str() {
        "error" | "groupchat" => false,
        "headline" => is_wished,
        _ => true,
    };
    by_type && is_said(message)
}

/// By its content and what its sender wishes.
pub(super) fn is_said(message: &Stanza) -> bool {
    let is_wished = hints(message, STORE);
    !hints(message, NO_STORE) && (is_wished || message.children().any(is_content))
}

fn is_content(child: Element<'_>) -> bool {
    let (ns, local) = (child.ns(), child.local());
    let is_one = |(of, name): &(&str, &str)| *of == ns && ["*", local].contains(name);
    child.is(BODY) || CONTENTS.iter().any(is_one) || is_mediated(child)
}

/// XEP-0045 §7.8.2: an invitation by a room. Without one it says that a message is private (§7.5),
/// of chat states, too.
fn is_mediated(child: Element<'_>) -> bool {
    let invites = |inner: Element<'_>| inner.ns() == MUC_USER && INVITES.contains(&inner.local());
    child.is(Name::new(MUC_USER, "x")) && child.children().any(invites)
}

/// RFC 6121 §8.5.3.2: for a resource that is gone, only chat goes to the account, and not what is
/// for that resource alone (XEP-0334 §4.3).
fn is_refused(passage: &Passage<'_>) -> bool {
    let message = &passage.stanza;
    let to_resource = message.head.to.as_ref().is_some_and(|to| !to.is_bare());
    let is_for_others = message.head.type_str() == "chat" && !hints(message, NO_COPY);
    passage.walk == Walk::Received && to_resource && !is_for_others && !passage.is_taken()
}
