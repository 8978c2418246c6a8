//! XEP-0313: Message Archive Management. <https://xmpp.org/extensions/xep-0313.html>
//!
//! The archive of an account is its log: what is kept here is durable before anybody gets it, and
//! what is acknowledged stands in it. What the archive does not show stands there, too, until it
//! has been delivered.

mod entry;
mod retry;
pub mod xep_0359_ids;
pub mod xep_0441_preferences;

use crate::xep_0334_hints::{NO_PERMANENT_STORE, hints};
use engine::{
    ctx::Ctx,
    hook::*,
    passage::{Passage, Walk},
    unit::{Flags, Pos},
    wire::*,
};

/// What was said.
pub const XEP: Xep = Xep {
    number: 313,
    name: "Message Archive Management",
    version: "1.1.3",
    status: Status::Partial("archives are kept, and cannot be queried"),
    hooks: &[Hook::At(Station::Keep, keep)],
};

/// The namespace of archives, their queries and preferences.
const NS: &str = "urn:xmpp:mam:2";

/// Section 6.1. The sender's log and the recipient's have it both, each as its owner wants it.
fn keep(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    if passage.stanza.kind() != Kind::Message || !entry::is_entry(passage) {
        return Verdict::Go;
    }
    let is_shown = !hints(&passage.stanza, NO_PERMANENT_STORE)
        && xep_0441_preferences::is_archived(passage, ctx);
    match is_shown {
        true => passage.keep(Flags::ARCHIVE, xep_0359_ids::stamp),
        false => passage.keep(Flags::TRANSIT, unnamed),
    }
    if passage.walk != Walk::Sent {
        return Verdict::Go;
    }
    let retry = retry::retry(&passage.stanza, &passage.account.jid, ctx.unix_ms);
    if let Some(retry::Retry { key, since, repeatable }) = retry {
        passage.once(key, since, repeatable);
    }
    Verdict::Go
}

/// Section 3.3: an id is told of what the archive shows, for clients ask it for what came after.
fn unnamed(message: Stanza, _: &Bare, _: Pos, _: &Ctx<'_>) -> Stanza {
    message
}

#[cfg(test)]
mod tests;
