//! XEP-0430: Inbox. <https://xmpp.org/extensions/xep-0430.html>
//!
//! All of it follows from the log. It is gathered from there when it is asked for, and when much
//! has been added since, and kept with the place up to which it was: so no message pays for it,
//! and what a crash loses of it is gathered again.
//!
//! What is said in rooms stands in their logs, once for all: of that it is read how it is now. Of
//! a room there may be two entries, for what was said to everybody, and for private messages, which
//! stand in the account's log.

mod content;
mod gathering;
mod page;

pub(super) use content::speaks as is_to_be_read;

use super::told;
use engine::{
    ctx::Ctx,
    hook::*,
    inbox::Conversation,
    passage::{Passage, Walk},
    port::{Fault, Pending},
    slot::Slot,
    wire::*,
};
use gathering::Gathering;
use page::Asked;

/// With whom one talks, and what one has not seen.
pub const XEP: Xep = Xep {
    number: 430,
    name: "Inbox",
    version: "0.2.0",
    status: Status::Complete,
    hooks: &[
        Hook::Feature(Of::Account, NS),
        Hook::slot::<Growth>(),
        Hook::At(Station::Guard, keep_others_out),
        Hook::At(Station::Copy, notice),
        Hook::get(Of::Account, INBOX, Answer::World(inbox)),
        Hook::set(Of::Account, GATHER, Answer::World(gather)),
    ],
};

const NS: &str = "urn:xmpp:inbox:1";
const INBOX: Name = Name::new(NS, "inbox");
const FIN: Name = Name::new(NS, "fin");
/// What the account asks itself to do.
const GATHER: Name = Name::new("urn:waxwing:inbox", "gather");

/// Entries that are added to a log before it is gathered from without being asked for.
const GROWTH_ENTRIES: u32 = 1_000;

/// How many entries were added to the log since.
#[derive(Default)]
struct Growth(u32);

impl Slot for Growth {
    const KEY: &'static str = "inbox growth";
}

/// Of strangers, as an account that does not exist (RFC 6120 §13.11).
fn keep_others_out(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let Passage { walk, stanza: iq, account, .. } = passage;
    let asks = iq.kind() == Kind::Iq && matches!(iq.head.type_str(), "get" | "set");
    let of_account = iq.head.to.as_ref().is_some_and(|to| to.is_bare());
    let own = iq.head.from.as_ref().is_some_and(|from| from.is_of(&account.jid));
    if *walk != Walk::Received || !asks || !of_account || own {
        return Verdict::Go;
    }
    if ![INBOX, GATHER].into_iter().any(|name| iq.child(name).is_some()) {
        return Verdict::Go;
    }
    Verdict::Refuse(StanzaCondition::ServiceUnavailable.into(), Why("the inbox of another"))
}

/// So that never much is left to gather.
fn notice(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    if passage.pos.is_none() {
        return Verdict::Go;
    }
    let growth = passage.account.slot::<Growth>(ctx);
    growth.0 += 1;
    if growth.0 >= GROWTH_ENTRIES {
        growth.0 = 0;
        let account = passage.account.jid.clone();
        let head = Head::new(Kind::Iq).with_type("set").with_id(ctx.token());
        let head = head.with_from(account.clone()).with_to(account);
        passage.send(Stanza::new(head).with(Draft::new(GATHER).finish()));
    }
    Verdict::Go
}

fn gather<'a>(_: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let mut gathering = Gathering::of(world).await?;
        gathering.go_on().await?;
        Ok(noting(gathering, Ok(Reply::Empty)))
    })
}

/// Section 3.1.
fn inbox<'a>(iq: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let asked = Asked::read(iq.child(INBOX).ok_or(StanzaCondition::BadRequest)?)?;
        let mut gathering = Gathering::of(world).await?;
        let replied = match gathering.go_on().await? {
            true => {
                let rooms = elsewhere(world).await?;
                page::answer(iq, &asked, gathering.conversations(), &rooms, world).await
            }
            // What has been gathered is kept: whoever asks again comes further.
            false => {
                let late = StanzaCondition::ResourceConstraint.into();
                Err(StanzaError { type_: ErrorType::Wait, ..late })
            }
        };
        Ok(noting(gathering, replied))
    })
}

/// What does not stand in the account's own log: what is said in its rooms.
async fn elsewhere(world: &World<'_>) -> Result<Vec<Conversation>, Fault> {
    let mut conversations = Vec::new();
    for read in world.hooks.conversations() {
        conversations.extend(read(world).await?);
    }
    Ok(conversations)
}

fn noting(gathering: Gathering<'_>, replied: Replied) -> Reply {
    let changes = gathering.change().into_iter().collect();
    Reply::Noting(changes, Box::new(replied))
}

#[cfg(test)]
mod tests;
