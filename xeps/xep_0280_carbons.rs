//! XEP-0280: Message Carbons. <https://xmpp.org/extensions/xep-0280.html>
//!
//! Who sends a message, and who gets it by RFC 6121, has it: the others that want copies get one
//! each. A message to oneself is had by all that take it, and the others get one copy, of what was
//! sent. A copy is of the place in the log that the message has, so it is not told again from
//! there; and it takes nothing from those that are to be told later: a message that only copies
//! were made of waits for who is away as before. Who has no stream gets copies of what a log has,
//! and of errors: what tells of the moment, as chat states do, is over when it comes back.
//!
//! Copies that somebody else claims to have made go on as the words of theirs that they are:
//! section 11 has clients believe only those that come from their own bare address, and nobody
//! but us can send from there.

use crate::{
    xep_0297_forwarding::forwarded,
    xep_0334_hints::{NO_COPY, hints},
};
use engine::{
    ctx::Ctx,
    hook::*,
    passage::{Passage, Walk},
    request::Line,
    session::Session,
    slot::Slot,
    unit::Flags,
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
        Hook::Aside(aside),
    ],
};

const NS: &str = "urn:xmpp:carbons:2";
const ENABLE: Name = Name::new(NS, "enable");
const DISABLE: Name = Name::new(NS, "disable");
const PRIVATE: Name = Name::new(NS, "private");
const RECEIVED: Name = Name::new(NS, "received");
const SENT: Name = Name::new(NS, "sent");
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
    let message = Way { walk: passage.walk, message: &passage.stanza };
    let is_error = message.message.head.type_str() == "error";
    if !is_error && !message.is_eligible() {
        return Verdict::Go;
    }
    let have = who_have(passage);
    if is_error && !answers_eligible(&message, &mut passage.account.sessions, &have) {
        return Verdict::Go;
    }
    remember(&message, &mut passage.account.sessions, &have);
    // What no log has is of the moment, or not to be stored (XEP-0334 §4.2): who comes back later
    // does without, as who was away.
    let lasts = is_error || passage.pos.is_some();
    let wants = |session: &mut Session| {
        let is_there = lasts || session.is_attached();
        let wants = is_there && !have.contains(&session.jid) && message.is_wanted_by(session);
        wants.then(|| session.jid.clone())
    };
    let to: Vec<Jid> = passage.account.sessions.iter_mut().filter_map(wants).collect();
    let Some(copies) = (!to.is_empty()).then(|| message.copies(&passage.account.jid)) else {
        return Verdict::Go;
    };
    to.iter().for_each(|to| passage.copy(to, addressed(&copies, to)));
    Verdict::Go
}

/// What a session has missed that others said or got is told to it as a copy, too. The log has no
/// errors.
fn aside(message: &Stanza, flags: Flags, session: &mut Session, _: &Ctx<'_>) -> Option<Stanza> {
    let walk = if flags.has(Flags::SENT) { Walk::Sent } else { Walk::Received };
    let message = Way { walk, message };
    let is_copied = message.is_eligible() && message.is_wanted_by(session);
    is_copied.then(|| addressed(&message.copies(&session.jid.bare()), &session.jid))
}

/// Of what one of its own sessions has sent, the walk of the sender has told.
fn is_told_of_already(passage: &Passage<'_>) -> bool {
    let from = passage.stanza.head.from.as_ref();
    let mine = from.is_some_and(|from| !from.is_bare() && from.is_of(&passage.account.jid));
    passage.walk == Walk::Received && mine
}

/// The sessions that need no copy: the one that sends it, and those that take it.
fn who_have(passage: &Passage<'_>) -> Vec<Jid> {
    let Head { from, to, .. } = &*passage.stanza.head;
    let sender = from.clone().filter(|_| passage.walk == Walk::Sent);
    let here = to.as_ref().is_some_and(|to| to.is_of(&passage.account.jid));
    let takers = if here { passage.takers() } else { Vec::new() };
    sender.into_iter().chain(takers).collect()
}

/// A message on its way from the account, or to it.
struct Way<'a> {
    walk: Walk,
    message: &'a Stanza,
}

impl Way<'_> {
    /// Section 6.1, and section 9: all of it is required where `urn:xmpp:carbons:rules:0` is
    /// announced. Not of an error.
    fn is_eligible(&self) -> bool {
        let Self { walk, message } = self;
        let kind = message.head.type_str();
        if matches!(kind, "groupchat" | "error") {
            return false;
        }
        // XEP-0334 §4.3: the hint alone is enough.
        if message.child(PRIVATE).is_some() || hints(message, NO_COPY) {
            return false;
        }
        if message.child(INVITATION).is_some() || self.is_invite() {
            return true;
        }
        match (walk, self.is_private_of_room()) {
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
    fn is_invite(&self) -> bool {
        self.message.children().any(|child| child.is(MUC) && child.child(INVITE).is_some())
    }

    /// XEP-0045 §7.5: between an occupant and a user.
    fn is_private_of_room(&self) -> bool {
        let occupant = self.other().is_some_and(|other| !other.is_bare());
        occupant && self.message.child(MUC).is_some()
    }

    /// The one that the account speaks with.
    fn other(&self) -> Option<&Jid> {
        let Head { from, to, .. } = &*self.message.head;
        if self.walk == Walk::Sent { to.as_ref() } else { from.as_ref() }
    }

    /// Section 6.1: copies of what was sent to an occupant are for clients that are in the room.
    fn is_wanted_by(&self, session: &mut Session) -> bool {
        let private = self.walk == Walk::Sent && self.is_private_of_room() && !self.is_invite();
        let room = self.other().filter(|_| private).map(Jid::bare);
        let shares = |room: &Bare| session.directed.iter().any(|to| to.bare() == *room);
        room.as_ref().is_none_or(shares) && session.slot::<Carbons>().enabled
    }

    /// By which a message and the error that answers it are known as such: its id, and the other
    /// side.
    fn mark(&self) -> Option<u64> {
        let other = self.other()?;
        let mut hasher = DefaultHasher::new();
        (self.message.head.id.as_deref()?, other.local(), other.domain()).hash(&mut hasher);
        Some(hasher.finish())
    }

    /// What the copies are but for whom they are for: they share what is in them.
    fn copies(&self, account: &Bare) -> Stanza {
        let name = if self.walk == Walk::Sent { SENT } else { RECEIVED };
        let copy = Draft::new(name).child(forwarded(self.message, None)).finish();
        let mut head = Head::new(Kind::Message).with_from(account.clone());
        head.type_.clone_from(&self.message.head.type_);
        Stanza::new(head).with(copy)
    }
}

/// Whether an error answers a message that was eligible. Section 10.3: nothing in it can be relied
/// on to tell, but its id.
fn answers_eligible(error: &Way<'_>, sessions: &mut [Session], have: &[Jid]) -> bool {
    let Some(mark) = error.mark() else { return false };
    sessions.iter_mut().any(|session| {
        have.contains(&session.jid) && session.slot::<Carbons>().answerable.contains(&mark)
    })
}

/// An error to one of these sessions, or of one, may answer it. Who is alone needs no copies.
fn remember(message: &Way<'_>, sessions: &mut [Session], have: &[Jid]) {
    let Some(mark) = message.mark() else { return };
    if sessions.len() < 2 || message.message.head.type_str() == "error" {
        return;
    }
    for session in sessions.iter_mut().filter(|session| have.contains(&session.jid)) {
        let answerable = &mut session.slot::<Carbons>().answerable;
        if answerable.len() == ANSWERABLE_MESSAGES_MAX {
            answerable.pop_front();
        }
        answerable.push_back(mark);
    }
}

fn addressed(copies: &Stanza, to: &Jid) -> Stanza {
    let mut copy = copies.clone();
    copy.head.to = Some(to.clone());
    copy
}

#[cfg(test)]
mod tests;
