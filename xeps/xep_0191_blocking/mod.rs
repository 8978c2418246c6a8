//! XEP-0191: Blocking Command. <https://xmpp.org/extensions/xep-0191.html>
//!
//! Who is blocked meets what an account meets that does not exist. A block is in force from its
//! commit on, which the result tells; what was accepted before that is not lost.
//!
//! Never blocked, though a list may name them, are the account itself with all its resources
//! (section 5) and the host that serves it, or the user's own requests would be unanswered. A block
//! of the own domain hits everybody else there. A block of a resource alone hides nothing that is
//! said to all resources of its account at once. Blocking is polite (section 4): no subscription
//! ends by it. What the removal of a roster item says to the contact (RFC 6121 §2.5.2) is said to a
//! blocked one too, or the two rosters would contradict each other for ever.

mod blocklist;
mod sight;

use blocklist::{blocks, is_empty, items};
use engine::{
    account::Account,
    ctx::Ctx,
    delivery::{Untaken, untaken_by_nobody},
    hook::*,
    passage::{Passage, Walk},
    request::Line,
    slot::Slot,
    unit::Table,
    wire::*,
};
use std::{collections::BTreeSet, sync::Arc};

/// Whom the user wants to hear nothing of, and to tell nothing.
pub const XEP: Xep = Xep {
    number: 191,
    name: "Blocking Command",
    version: "1.3",
    status: Status::Complete,
    hooks: &[
        Hook::Feature(Of::Host, NS),
        Hook::AtHand(BLOCKED),
        Hook::slot::<Listening>(),
        Hook::get(Of::Account, BLOCKLIST, Answer::Pure(list)),
        Hook::set(Of::Account, BLOCK, Answer::Pure(block)),
        Hook::set(Of::Account, UNBLOCK, Answer::Pure(unblock)),
        Hook::At(Station::Guard, keep_apart),
    ],
};

/// Addresses that one account may have blocked.
const BLOCKED_ITEMS_MAX: usize = 1_000;
/// All of them together, in bytes.
const BLOCKED_BYTES_MAX: usize = 128 << 10;

/// By address; see `blocklist.rs` for its keys.
const BLOCKED: Table = Table::named("blocked");

const NS: &str = "urn:xmpp:blocking";
const BLOCKLIST: Name = Name::new(NS, "blocklist");
const BLOCK: Name = Name::new(NS, "block");
const UNBLOCK: Name = Name::new(NS, "unblock");
const ITEM: Name = Name::new(NS, "item");
const IS_BLOCKED: Name = Name::new("urn:xmpp:blocking:errors", "blocked");

/// Whether the resource has asked for the list, and so is told of its changes (section 3.3).
#[derive(Default)]
struct Listening(bool);

impl Slot for Listening {
    const KEY: &'static str = "blocklist";

    fn save(&self) -> Option<Vec<u8>> {
        Some(vec![u8::from(self.0)])
    }

    fn load(saved: &[u8]) -> Option<Self> {
        Some(Self(saved == [1]))
    }
}

/// Section 3.2.
fn list(iq: &Stanza, line: &mut Line<'_>, _: &Ctx<'_>) -> Replied {
    let asker = line.asker(iq).ok_or(StanzaCondition::ServiceUnavailable)?;
    asker.slot::<Listening>().0 = true;
    let home = line.home.ok_or(StanzaCondition::ServiceUnavailable)?;
    Ok(Reply::Payload(command(BLOCKLIST, items(home.cells))))
}

/// Section 3.3. All of it or nothing.
fn block(iq: &Stanza, line: &mut Line<'_>, _: &Ctx<'_>) -> Replied {
    let command = asked_by_owner(iq, line)?;
    let home = line.home.ok_or(StanzaCondition::ServiceUnavailable)?;
    let mut named = named(command)?;
    if named.is_empty() {
        return Err(StanzaCondition::BadRequest.into());
    }
    named.retain(|jid| !blocklist::has(home.cells, jid.as_str()));
    if !named.is_empty() && is_too_much(items(home.cells), &named) {
        return Err(StanzaCondition::ResourceConstraint.into());
    }
    for jid in &named {
        let (key, value) = blocklist::cell(jid);
        line.put(BLOCKED, &key, value)?;
    }
    Ok(told(BLOCK, named, false))
}

fn is_too_much<'a>(mut list: Vec<&'a str>, more: &'a BTreeSet<Jid>) -> bool {
    list.extend(more.iter().map(Jid::as_str));
    let bytes: usize = list.iter().map(|jid| jid.len()).sum();
    list.len() > BLOCKED_ITEMS_MAX || bytes > BLOCKED_BYTES_MAX
}

/// Sections 3.4 and 3.5. Who was not blocked is not blocked afterwards either.
fn unblock(iq: &Stanza, line: &mut Line<'_>, _: &Ctx<'_>) -> Replied {
    let command = asked_by_owner(iq, line)?;
    let home = line.home.ok_or(StanzaCondition::ServiceUnavailable)?;
    let all = command.children().next().is_none();
    let named = match all {
        true => items(home.cells).into_iter().filter_map(|jid| Jid::parse(jid).ok()).collect(),
        false => {
            let mut named = named(command)?;
            if named.is_empty() {
                return Err(StanzaCondition::BadRequest.into());
            }
            named.retain(|jid| blocklist::has(home.cells, jid.as_str()));
            named
        }
    };
    named.iter().for_each(|jid| line.cut(BLOCKED, &blocklist::key(jid.as_str())));
    Ok(told(UNBLOCK, named, all))
}

/// The command. To others the account says what one says that does not exist.
fn asked_by_owner<'a>(iq: &'a Stanza, line: &mut Line<'_>) -> Result<Element<'a>, StanzaError> {
    line.asker(iq).ok_or(StanzaCondition::ServiceUnavailable)?;
    iq.children().next().ok_or_else(|| StanzaCondition::BadRequest.into())
}

/// The items of a command; what they hold (reports of XEP-0377) is not for us.
fn named(command: Element<'_>) -> Result<BTreeSet<Jid>, StanzaError> {
    let items = command.children().filter(|child| child.is(ITEM));
    let jids = items.map(|item| {
        let jid = item.attribute("jid").ok_or(StanzaCondition::BadRequest)?;
        Ok(Jid::parse(&jid).map_err(|_| StanzaCondition::JidMalformed)?)
    });
    jids.collect()
}

/// A command with these items.
fn command<'a>(name: Name, jids: impl IntoIterator<Item = &'a str>) -> Payload {
    let items = jids.into_iter().map(|jid| Draft::new(ITEM).attribute("jid", jid));
    items.fold(Draft::new(name), Draft::child).finish()
}

/// What follows from a change of the list, when it is committed.
#[derive(Debug)]
struct Change {
    verb: Name,
    /// Those that the list has gained or lost.
    jids: BTreeSet<Jid>,
    /// It is empty now.
    all: bool,
}

/// Nothing changes: nobody is told.
fn told(verb: Name, jids: BTreeSet<Jid>, all: bool) -> Reply {
    match jids.is_empty() {
        true => Reply::Empty,
        false => Reply::Told(Arc::new(Change { verb, jids, all })),
    }
}

impl Tell for Change {
    /// A push to every resource that has asked for the list, then what the contacts see.
    fn tell(&self, line: &mut Line<'_>, ctx: &Ctx<'_>) -> Vec<Stanza> {
        let named = self.jids.iter().filter(|_| !self.all).map(Jid::as_str);
        let push = command(self.verb, named);
        let account = line.asked;
        let listening = line
            .sessions
            .iter_mut()
            .filter_map(|session| session.slot::<Listening>().0.then(|| session.jid.clone()));
        let pushes = listening.map(|to| {
            let head = Head::new(Kind::Iq).with_type("set").with_id(ctx.token());
            Stanza::new(head.with_from(account.clone()).with_to(to)).with(push.clone())
        });
        let mut stanzas: Vec<_> = pushes.collect();
        stanzas.extend(match self.verb == BLOCK {
            true => sight::lost(&self.jids, line),
            false => sight::regained(&self.jids, line),
        });
        stanzas
    }
}

/// Section 3.3: nothing goes out, and nothing comes in.
fn keep_apart(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let Passage { walk, account, stanza, .. } = passage;
    if is_empty(&account.cells) {
        return Verdict::Go;
    }
    let other = match walk {
        Walk::Sent => &stanza.head.to,
        Walk::Received => &stanza.head.from,
    };
    match other {
        Some(other) if blocks(&account.cells, &account.jid, other) => match walk {
            Walk::Sent => refuse_outbound(),
            Walk::Received => turn_away_inbound(stanza, is_occupant(other, account)),
        },
        _ => Verdict::Go,
    }
}

/// The user has forgotten whom he blocked.
fn refuse_outbound() -> Verdict {
    let error = StanzaError::new(ErrorType::Cancel, StanzaCondition::NotAcceptable);
    let error = error.with_app(Draft::new(IS_BLOCKED).finish());
    Verdict::Refuse(error, Why("to whom the user has blocked"))
}

/// Whether it is an occupant of a room that a session is in.
fn is_occupant(other: &Jid, account: &Account) -> bool {
    let mut shown_to = account.sessions.iter().flat_map(|session| &session.directed);
    shown_to.any(|to| !to.is_bare() && to.bare_str() == other.bare_str())
}

/// The user appears not to be there. But a room that passes on what one of its occupants says
/// would take the error for a sign that the session is gone, put it out, and tell that one so
/// (XEP-0045 §18.1.2): what section 3.3 only recommends is left out there.
fn turn_away_inbound(stanza: &Stanza, is_by_occupant: bool) -> Verdict {
    let why = Why("from whom the user has blocked");
    match (stanza.kind(), untaken_by_nobody(stanza)) {
        (Kind::Presence, _) | (_, Untaken::Ignore) => Verdict::Drop(why),
        (Kind::Message, _) if is_by_occupant => Verdict::Drop(why),
        (_, Untaken::Refuse(condition)) => Verdict::Refuse(condition.into(), why),
    }
}

#[cfg(test)]
mod tests;
