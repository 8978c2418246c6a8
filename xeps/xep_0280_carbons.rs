//! XEP-0280: Message Carbons. <https://xmpp.org/extensions/xep-0280.html>
//!
//! Who sends a message, and who gets it by RFC 6121, has it: the others that want copies get one
//! each. A message to oneself is had by all that take it, and the others get one copy, of what was
//! sent. A copy is of the place in the log that the message has, so it is not told again from
//! there; and it takes nothing from those that are to be told later: a message that only copies
//! were made of waits for who is away as before.
//!
//! Copies that somebody else claims to have made go on as the words of theirs that they are:
//! section 11 has clients believe only those that come from their own bare address, and nobody
//! but us can send from there.

use engine::{
    ctx::Ctx,
    hook::*,
    passage::{Passage, Walk},
    request::Line,
    session::Session,
    slot::Slot,
    wire::*,
};
use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
};

/// All devices have both sides of all conversations.
pub const XEP: Xep = Xep {
    number: 280,
    name: "Message Carbons",
    version: "1.0.1",
    status: Status::Complete,
    hooks: &[
        Hook::Feature(Of::Host, NS),
        Hook::Feature(Of::Host, "urn:xmpp:carbons:rules:0"),
        Hook::set(Of::Account, ENABLE, Answer::Pure(enable)),
        Hook::set(Of::Account, DISABLE, Answer::Pure(disable)),
        Hook::Inline(ENABLE, NS, begin),
        Hook::slot::<Carbons>(),
        Hook::At(Station::Copy, copy),
    ],
};

const NS: &str = "urn:xmpp:carbons:2";
const ENABLE: Name = Name::new(NS, "enable");
const DISABLE: Name = Name::new(NS, "disable");
const PRIVATE: Name = Name::new(NS, "private");
const RECEIVED: Name = Name::new(NS, "received");
const SENT: Name = Name::new(NS, "sent");
const FORWARDED: Name = Name::new("urn:xmpp:forward:0", "forwarded");
const NO_COPY: Name = Name::new("urn:xmpp:hints", "no-copy");
const BODY: Name = Name::new(ns::CLIENT, "body");
const INVITATION: Name = Name::new("jabber:x:conference", "x");
const MUC: Name = Name::new("http://jabber.org/protocol/muc#user", "x");
const INVITE: Name = Name::new("http://jabber.org/protocol/muc#user", "invite");

/// Section 6.1: "payload elements typically used in IM". The first three are named there.
const OF_IM: [&str; 8] = [
    "urn:xmpp:receipts",
    "http://jabber.org/protocol/chatstates",
    "urn:xmpp:chat-markers:0",
    "urn:xmpp:jingle-message:0",
    "urn:xmpp:reactions:0",
    "urn:xmpp:message-retract:1",
    "eu.siacs.conversations.axolotl",
    "urn:xmpp:omemo:2",
];

/// Of so many messages that a session has sent or got, an error that answers one is copied, too.
const ANSWERABLE_MESSAGES_MAX: usize = 64;

/// What a session wants, and what it may be told of by errors.
#[derive(Default)]
struct Carbons {
    enabled: bool,
    /// The marks of the latest messages that were eligible, the oldest first.
    answerable: VecDeque<u64>,
}

impl Slot for Carbons {
    const KEY: &'static str = "carbons";

    fn save(&self) -> Option<Vec<u8>> {
        let answerable = self.answerable.iter().flat_map(|mark| mark.to_le_bytes());
        Some([u8::from(self.enabled)].into_iter().chain(answerable).collect())
    }

    fn load(saved: &[u8]) -> Option<Self> {
        let (&enabled, answerable) = saved.split_first()?;
        let (marks, _) = answerable.as_chunks();
        let answerable = marks.iter().map(|mark| u64::from_le_bytes(*mark));
        Some(Self { enabled: enabled == 1, answerable: answerable.collect() })
    }
}

/// Section 4. A stranger hears what it would hear if the account did not exist.
fn enable(iq: &Stanza, line: &mut Line<'_>, _: &Ctx<'_>) -> Replied {
    switch(iq, line, true)
}

/// Section 5.
fn disable(iq: &Stanza, line: &mut Line<'_>, _: &Ctx<'_>) -> Replied {
    switch(iq, line, false)
}

/// Section 10.1: as often as it wants.
fn switch(iq: &Stanza, line: &mut Line<'_>, enabled: bool) -> Replied {
    let session = line.asker(iq).ok_or(StanzaCondition::ServiceUnavailable)?;
    session.slot::<Carbons>().enabled = enabled;
    Ok(Reply::Empty)
}

/// XEP-0386 §3.2: a session that wants copies from its first moment on.
fn begin(_: Element<'_>, session: &mut Session, _: &Ctx<'_>) -> Vec<Payload> {
    session.slot::<Carbons>().enabled = true;
    Vec::new()
}

/// Sections 7 and 8.
fn copy(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    if passage.stanza.kind() != Kind::Message || is_told_of_already(passage) {
        return Verdict::Go;
    }
    let have = who_have(passage);
    if !is_eligible(passage, &have) {
        return Verdict::Go;
    }
    remember(passage, &have);
    let room = passage.stanza.head.to.as_ref().filter(|_| is_private_to_room(passage));
    let room = room.map(Jid::bare);
    let wants = |session: &mut Session| {
        let shares = |room: &Bare| session.directed.iter().any(|to| to.bare() == *room);
        let concerned = room.as_ref().is_none_or(shares) && !have.contains(&session.jid);
        (concerned && session.slot::<Carbons>().enabled).then(|| session.jid.clone())
    };
    let to: Vec<Jid> = passage.account.sessions.iter_mut().filter_map(wants).collect();
    if !to.is_empty() {
        send(passage, &to);
    }
    Verdict::Go
}

/// Of what one of its own sessions has sent, the walk of the sender has told.
fn is_told_of_already(passage: &Passage<'_>) -> bool {
    let from = passage.stanza.head.from.as_ref();
    let mine = from.is_some_and(|from| !from.is_bare() && from.bare() == passage.account.jid);
    passage.walk == Walk::Received && mine
}

/// The sessions that need no copy: the one that sends it, and those that take it.
fn who_have(passage: &Passage<'_>) -> Vec<Jid> {
    let Head { from, to, .. } = &passage.stanza.head;
    let sender = from.clone().filter(|_| passage.walk == Walk::Sent);
    let here = to.as_ref().is_some_and(|to| to.bare() == passage.account.jid);
    let takers = if here { passage.takers() } else { Vec::new() };
    sender.into_iter().chain(takers).collect()
}

/// Section 6.1, and section 9: all of it is required where `urn:xmpp:carbons:rules:0` is announced.
fn is_eligible(passage: &mut Passage<'_>, have: &[Jid]) -> bool {
    let message = &passage.stanza;
    let kind = message.head.type_str();
    // XEP-0334 §4.3: the hint alone is enough.
    let private = message.child(PRIVATE).is_some() || message.child(NO_COPY).is_some();
    if private || kind == "groupchat" {
        return false;
    }
    if kind == "error" {
        return answers_eligible(passage, have);
    }
    if message.child(INVITATION).is_some() || is_invite(message) {
        return true;
    }
    match (passage.walk, is_private_of_room(passage)) {
        (Walk::Sent, true) => return true,
        // The room has told all clients that are in it.
        (Walk::Received, true) => return false,
        (_, false) => {}
    }
    // RFC 6121 §5.2.2: a type that nobody knows is normal.
    let normal = !matches!(kind, "chat" | "headline");
    kind == "chat"
        || normal && message.child(BODY).is_some()
        || message.children().any(|child| OF_IM.contains(&child.ns()))
}

/// XEP-0045 §7.8.2.
fn is_invite(message: &Stanza) -> bool {
    message.children().any(|child| child.is(MUC) && child.child(INVITE).is_some())
}

/// XEP-0045 §7.5: between an occupant and a user.
fn is_private_of_room(passage: &Passage<'_>) -> bool {
    let Head { from, to, .. } = &passage.stanza.head;
    let other = if passage.walk == Walk::Sent { to } else { from };
    let occupant = other.as_ref().is_some_and(|other| !other.is_bare());
    occupant && passage.stanza.child(MUC).is_some()
}

/// Section 6.1: copies of it are for the clients that are in the room, too.
fn is_private_to_room(passage: &Passage<'_>) -> bool {
    let is_private = passage.walk == Walk::Sent && is_private_of_room(passage);
    is_private && !is_invite(&passage.stanza)
}

/// Whether an error answers a message that was eligible. Section 10.3: nothing in it can be relied
/// on to tell, but its id.
fn answers_eligible(passage: &mut Passage<'_>, have: &[Jid]) -> bool {
    let Some(mark) = mark(passage) else { return false };
    let mut sessions = passage.account.sessions.iter_mut();
    sessions.any(|session| {
        have.contains(&session.jid) && session.slot::<Carbons>().answerable.contains(&mark)
    })
}

/// An error to one of these sessions, or of one, may answer it. Who is alone needs no copies.
fn remember(passage: &mut Passage<'_>, have: &[Jid]) {
    let Some(mark) = mark(passage) else { return };
    if passage.account.sessions.len() < 2 || passage.stanza.head.type_str() == "error" {
        return;
    }
    let sessions = passage.account.sessions.iter_mut();
    for session in sessions.filter(|session| have.contains(&session.jid)) {
        let answerable = &mut session.slot::<Carbons>().answerable;
        if answerable.len() == ANSWERABLE_MESSAGES_MAX {
            answerable.pop_front();
        }
        answerable.push_back(mark);
    }
}

/// By which a message and the error that answers it are known as such: its id, and the other side.
fn mark(passage: &Passage<'_>) -> Option<u64> {
    let Head { id, from, to, .. } = &passage.stanza.head;
    let other = if passage.walk == Walk::Sent { to } else { from };
    let other = other.as_ref()?;
    let mut hasher = DefaultHasher::new();
    (id.as_deref()?, other.local(), other.domain()).hash(&mut hasher);
    Some(hasher.finish())
}

/// One copy, which differs in the addresses only.
fn send(passage: &mut Passage<'_>, to: &[Jid]) {
    let name = if passage.walk == Walk::Sent { SENT } else { RECEIVED };
    let forwarded = Draft::new(FORWARDED).payload(&passage.stanza.to_payload());
    let copy = Draft::new(name).child(forwarded).finish();
    let mut head = Head::new(Kind::Message).with_from(passage.account.jid.clone());
    head.type_.clone_from(&passage.stanza.head.type_);
    for to in to {
        passage.copy(to, Stanza::new(head.clone().with_to(to.clone())).with(copy.clone()));
    }
}

#[cfg(test)]
mod tests;
