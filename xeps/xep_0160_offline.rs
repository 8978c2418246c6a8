//! XEP-0160: Best Practices for Handling Offline Messages.
//! <https://xmpp.org/extensions/xep-0160.html>
//!
//! A message that nobody takes now is kept in a cell of its account, whole, and told to the next
//! resource that takes messages, in the order of arrival and with the time of it (XEP-0203).
//!
//! What has been written to a socket has not been delivered yet. So a ping (XEP-0199) follows
//! what is told, and only when the client has answered it, with a result or an error, are the
//! cells cut: a stream is in order, so who answers has got all before. Who vanishes instead has
//! lost nothing: the next one is told all of it again, with the same times. Who comes before the
//! first has answered is told too, as live messages go to every resource. No client is told
//! anything twice.

use crate::xep_0334_hints::{self, NO_COPY, NO_STORE, STORE, hints};
use engine::{
    account::Account,
    ctx::Ctx,
    hook::*,
    passage::{Passage, Walk},
    setting::{Kind as Choosing, Setting},
    slot::Slot,
    unit::Table,
    wire::*,
};
use std::collections::BTreeMap;

/// Messages for who is away.
pub const XEP: Xep = Xep {
    number: 160,
    name: "Best Practices for Handling Offline Messages",
    version: "1.0.1",
    status: Status::Complete,
    hooks: &[
        Hook::Setting(&MESSAGES_MAX),
        Hook::Setting(&BYTES_MAX),
        Hook::Feature(Of::Host, "msgoffline"),
        Hook::AtHand(MESSAGES),
        Hook::slot::<Told>(),
        Hook::At(Station::Keep, keep),
        Hook::At(Station::Keep, notice),
        Hook::At(Station::Keep, hear),
        Hook::At(Station::Copy, tell),
        Hook::At(Station::Push, count_as_told),
    ],
};

/// Messages that are kept for one account. Not none: clients are told that they are kept.
pub const MESSAGES_MAX: Setting = Setting {
    xep: 160,
    key: "offline_messages_max",
    kind: Choosing::Number { default: 1_000, from: 1, to: 100_000 },
    doc: "Messages kept for one account while it is away; at most half of mailbox_stanzas_max.",
};
/// The same in bytes.
pub const BYTES_MAX: Setting = Setting {
    xep: 160,
    key: "offline_bytes_max",
    kind: Choosing::Number { default: 1 << 20, from: 1 << 10, to: 1 << 30 },
    doc: "The same in bytes; at most half of mailbox_bytes_max.",
};

/// By number of arrival, in hexadecimal digits: when it came, in milliseconds since 1970, a space,
/// and the message.
const MESSAGES: Table = Table::named("offline-messages");

const PING: Name = Name::new("urn:xmpp:ping", "ping");
/// The ids of our pings begin so; the number of the ping follows.
const PING_ID: &str = "offline-";

const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
const DELAY: &str = "urn:xmpp:delay";
const STANZA_IDS: &str = "urn:xmpp:sid:0";
const THREAD: Name = Name::new("jabber:client", "thread");

/// What of the kept messages one session has been told.
#[derive(Default)]
struct Told {
    /// The resource is about to take messages.
    due: bool,
    /// How many pings it was sent.
    asked: u64,
    /// The number of the last that it has answered.
    answered: u64,
    /// The messages whose cells are there, by key, with the number of the ping behind each.
    messages: BTreeMap<String, u64>,
}

impl Slot for Told {
    const KEY: &'static str = "offline messages told";
}

/// Section 2: for an account none of whose resources takes it. Where there is no room for it, or
/// it is not to be kept, the sender hears what it hears when nothing is kept (RFC 6121
/// §8.5.2.2.1): `service-unavailable`.
fn keep(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    let message = &passage.stanza;
    let is_message = passage.walk == Walk::Received && message.kind() == Kind::Message;
    if !is_message || passage.is_taken() {
        return Verdict::Go;
    }
    match fate(message) {
        Fate::Keep => {}
        Fate::Refuse => return Verdict::Go,
        Fate::Forget => return Verdict::Drop(Why("it told of a moment that is over")),
    }
    let cell = format!("{} {}", ctx.unix_ms, message.to_text()).into_bytes();
    if !has_room(passage.account, cell.len(), ctx) {
        // Not into the archive either, where nobody would be told of it.
        let error = StanzaCondition::ServiceUnavailable.into();
        return Verdict::Refuse(error, Why("no room for an offline message"));
    }
    let last = passage.account.cells.of(MESSAGES).next_back();
    let last = last.and_then(|(key, _)| u64::from_str_radix(key, 16).ok());
    let key = format!("{:016x}", passage.account.rise(last.unwrap_or_default(), ctx));
    match passage.hold(MESSAGES, key, cell) {
        Ok(()) => Verdict::Go,
        Err(error) => Verdict::Refuse(error, Why("no cell for an offline message")),
    }
}

/// What becomes of a message that nobody takes.
enum Fate {
    Keep,
    /// The sender is told.
    Refuse,
    /// It only tells of the moment, which is over: to refuse it would show people an error for
    /// every letter that they type to who is away.
    Forget,
}

/// Section 3, and the hints of XEP-0334. A message of an unknown type is normal (RFC 6121 §5.2.2).
fn fate(message: &Stanza) -> Fate {
    let to_resource = message.head.to.as_ref().is_some_and(|to| !to.is_bare());
    match message.head.type_str() {
        // RFC 6121 §8.5.2.2.1, §8.5.3.2.1: these are refused or ignored, whatever they hint at.
        "error" | "groupchat" | "headline" => return Fate::Refuse,
        // RFC 6121 §8.5.3.2.1: for a resource that is gone, only chat goes to the account.
        kind if to_resource && kind != "chat" => return Fate::Refuse,
        _ => {}
    }
    // XEP-0334 §4.2; §4.3: for this resource alone. `no-permanent-store` is about archives: it may
    // wait for who is away (§3.3).
    let hinted = hints(message, NO_STORE) || hints(message, NO_COPY);
    match (hinted, message.children().any(is_content), hints(message, STORE)) {
        (false, true, _) | (false, _, true) => Fate::Keep,
        (true, true, _) => Fate::Refuse,
        (_, false, _) => Fate::Forget,
    }
}

/// Not what only accompanies it, or tells of the moment, as chat states do (XEP-0085).
fn is_content(child: Element<'_>) -> bool {
    !child.is(THREAD) && ![CHAT_STATES, DELAY, xep_0334_hints::NS, STANZA_IDS].contains(&child.ns())
}

/// Whether the account may keep one more of so many bytes, those on their way counted.
fn has_room(account: &Account, bytes: usize, ctx: &Ctx<'_>) -> bool {
    let limit = |of| usize::try_from(ctx.settings.number(of)).unwrap_or(usize::MAX);
    let holding = account.holding();
    let kept: usize = account.cells.of(MESSAGES).map(|(_, cell)| cell.len()).sum();
    account.cells.count(MESSAGES) + holding.count() < limit(&MESSAGES_MAX)
        && kept + holding.bytes() + bytes <= limit(&BYTES_MAX)
}

/// Before the commit the session still has the presence it had before.
fn notice(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let available = passage.stanza.head.type_str() == "";
    if let Some(session) = passage.broadcaster() {
        let took = session.presence.is_some() && session.priority >= 0;
        session.slot::<Told>().due = available && !took;
    }
    Verdict::Go
}

/// The resource takes messages from now on: what is kept comes before all that is newer. Of what
/// is on its way yet it is told when its turn has come, as of any other message. What it may not
/// hear any more, for somebody was blocked meanwhile, counts as told.
fn tell(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    let Some(session) = passage.broadcaster() else { return Verdict::Go };
    let (to, takes) = (session.jid.clone(), session.priority >= 0);
    let told = session.slot::<Told>();
    if !std::mem::take(&mut told.due) || !takes {
        return Verdict::Go;
    }
    let known = told.messages.clone();
    let account = &*passage.account;
    let fresh = |key: &str| !known.contains_key(key) && !account.holding().holds(key);
    let kept = account.cells.of(MESSAGES).filter(|(key, _)| fresh(key));
    let kept: Vec<_> = kept.filter_map(|(key, cell)| Some((key.to_owned(), read(cell)?))).collect();
    let mut keys = Vec::with_capacity(kept.len());
    for (key, (unix_ms, message)) in kept {
        passage.tell_again(&to, message, unix_ms, ctx);
        keys.push(key);
    }
    if !keys.is_empty() {
        ask(passage, &to, keys);
    }
    Verdict::Go
}

/// When the message of a cell came, and the message.
fn read(cell: &[u8]) -> Option<(u64, Stanza)> {
    let (unix_ms, message) = std::str::from_utf8(cell).ok()?.split_once(' ')?;
    Some((unix_ms.parse().ok()?, Stanza::parse_one(message).ok()?))
}

/// It was to be kept, but somebody came before its turn and took it: that is to be answered, too.
fn count_as_told(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let Some(key) = passage.held.clone() else { return Verdict::Go };
    for to in passage.reached.clone() {
        ask(passage, &to, vec![key.clone()]);
    }
    Verdict::Go
}

/// A ping behind these messages.
fn ask(passage: &mut Passage<'_>, to: &Jid, keys: Vec<String>) {
    let account = &mut *passage.account;
    let Some(session) = account.sessions.iter_mut().find(|session| session.jid == *to) else {
        return;
    };
    let told = session.slot::<Told>();
    told.asked += 1;
    let number = told.asked;
    told.messages.retain(|key, _| account.cells.get(MESSAGES, key).is_some());
    told.messages.extend(keys.into_iter().map(|key| (key, number)));
    let head = Head::new(Kind::Iq).with_type("get").with_id(format!("{PING_ID}{number}"));
    let head = head.with_from(to.bare()).with_to(to.clone());
    passage.also(to, Stanza::new(head).with(Draft::new(PING).finish()));
}

/// A ping is answered: what came before it has been delivered.
fn hear(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let Some(number) = answered(passage) else { return Verdict::Go };
    let (account, from) = (&mut *passage.account, passage.stanza.head.from.as_ref());
    let cells = &account.cells;
    let session = account.sessions.iter_mut().find(|session| Some(&session.jid) == from);
    let Some(told) = session.map(|session| session.slot::<Told>()) else { return Verdict::Go };
    let (first, last) = (told.answered + 1, number.min(told.asked));
    told.answered = told.answered.max(last);
    told.messages.retain(|key, _| cells.get(MESSAGES, key).is_some());
    let delivered = told.messages.iter().filter(|(_, ping)| (first..=last).contains(*ping));
    let delivered: Vec<_> = delivered.map(|(key, _)| key.clone()).collect();
    delivered.iter().for_each(|key| passage.cut(MESSAGES, key));
    Verdict::Go
}

/// The number of the ping of ours that this answers.
fn answered(passage: &Passage<'_>) -> Option<u64> {
    let Head { kind, to, id, .. } = &passage.stanza.head;
    let account = &passage.account.jid;
    let ours = to.as_ref().is_none_or(|to| to.is_bare() && to.bare() == *account);
    let answers = matches!(passage.stanza.head.type_str(), "result" | "error");
    if passage.walk != Walk::Sent || *kind != Kind::Iq || !answers || !ours {
        return None;
    }
    id.as_deref()?.strip_prefix(PING_ID)?.parse().ok()
}

#[cfg(test)]
mod tests;
