//! XEP-0359: Unique and Stable Stanza IDs. <https://xmpp.org/extensions/xep-0359.html>
//!
//! The id of an account is the name of the place in its log, put on when that is known.

use engine::{ctx::Ctx, hook::*, passage::Passage, unit::Pos, wire::*};
use std::borrow::Cow;

/// What a message is called.
pub const XEP: Xep = Xep {
    number: 359,
    name: "Unique and Stable Stanza IDs",
    version: "0.7.0",
    status: Status::Complete,
    hooks: &[
        Hook::Feature(Of::Account, NS),
        Hook::Feature(Of::Room, NS),
        Hook::At(Station::Mark, strip_forged),
        Hook::Again(stamp),
    ],
};

const NS: &str = "urn:xmpp:sid:0";
/// What a server calls it.
pub(super) const STANZA_ID: Name = Name::new(NS, "stanza-id");
/// What its sender calls it.
const ORIGIN_ID: Name = Name::new(NS, "origin-id");

/// Section 3, rule 2: nobody speaks for the account, whether it adds an id or not.
fn strip_forged(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let account = &passage.account.jid;
    let forged = |child: Element<'_>| is_by(child, account);
    if passage.stanza.kind() == Kind::Message && passage.stanza.children().any(forged) {
        passage.stanza = passage.stanza.clone().retain(|child| !forged(child));
    }
    Verdict::Go
}

/// Whether it is an id that this account would have given. Rule 7: addresses are compared as they
/// are prepared. That of a resource would be taken for the account's by who compares carelessly.
fn is_by(child: Element<'_>, account: &Bare) -> bool {
    child.is(STANZA_ID) && child.attribute("by").is_some_and(|by| account.owns(&by))
}

/// The message with the name of its place in the log of `account` (XEP-0313 §3.3).
pub(super) fn stamp(message: Stanza, account: &Bare, pos: Pos, ctx: &Ctx<'_>) -> Stanza {
    let id = ctx.settings.names.name(account, pos);
    let stamp = Draft::new(STANZA_ID).attribute("by", account.as_str()).attribute("id", id);
    message.with(stamp.finish())
}

/// What its sender calls it.
pub(super) fn origin_id(message: &Stanza) -> Option<Cow<'_, str>> {
    message.child(ORIGIN_ID)?.attribute("id").filter(|id| !id.is_empty())
}
