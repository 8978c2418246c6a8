//! XEP-0160: Best Practices for Handling Offline Messages.
//! <https://xmpp.org/extensions/xep-0160.html>
//!
//! What nobody takes now stands in the log of its account, and the next resource that takes
//! messages is told it from there, in the order of arrival and with the time of it (XEP-0203). How
//! far the account has been told is a place in the log.
//!
//! What has been written to a socket has not been delivered yet. So a ping (XEP-0199) follows
//! what is told, and only when the client has answered it, with a result or an error, has it
//! been: a stream is in order, so who answers has got all before. Of a managed stream (XEP-0198)
//! the client's count says it. Who vanishes instead has lost nothing: the next one is told all of
//! it again, with the same times and ids. Who comes before the first has answered is told too, as
//! live messages go to every resource. No client is told anything twice.
//!
//! Nor what it reads itself, in the archive (XEP-0313 §6.1.1): who has caught up there before it is
//! available is told only what no archive shows; so is who has bound by Bind 2, of what there was
//! then (XEP-0386 §3.2). Who is known to do so, by its device or by the
//! resource that it asks for, but is available first, has ten seconds for it; what is new waits,
//! too. Who does not do it then is told everything, and known no more: see
//! `engine/account/readers.rs`.

use crate::xep_0334_hints::{NO_COPY, NO_STORE, STORE, hints};
use engine::{
    ctx::Ctx,
    hook::*,
    passage::{Passage, Walk},
    session::Session,
    slot::Slot,
    unit::{Flags, Pos},
    wire::*,
};

/// Messages for who is away.
pub const XEP: Xep = Xep {
    number: 160,
    name: "Best Practices for Handling Offline Messages",
    version: "1.0.1",
    status: Status::Complete,
    hooks: &[
        Hook::Feature(Of::Host, "msgoffline"),
        Hook::slot::<Asked>(),
        Hook::At(Station::Keep, keep),
        Hook::At(Station::Keep, hear),
        Hook::Pace(ask),
    ],
};

const PING: Name = Name::new("urn:xmpp:ping", "ping");
/// The ids of our pings begin so; the number of the ping follows.
const PING_ID: &str = "offline-";

const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
const DELAY: &str = "urn:xmpp:delay";
const HINTS: &str = "urn:xmpp:hints";
const STANZA_IDS: &str = "urn:xmpp:sid:0";
const THREAD: Name = Name::new("jabber:client", "thread");

/// How many pings a session was sent.
#[derive(Default)]
struct Asked(u64);

impl Slot for Asked {
    const KEY: &'static str = "offline messages asked";
}

/// Section 2: for an account none of whose resources takes it, also what no archive shows. What is
/// not to be kept, its sender hears of what it hears when nothing is kept (RFC 6121 §8.5.2.2.1):
/// `service-unavailable`.
fn keep(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let message = &passage.stanza;
    let is_message = passage.walk == Walk::Received && message.kind() == Kind::Message;
    let is_taken = is_message && passage.is_taken();
    if !is_message || is_taken && passage.account.sessions.iter().all(Session::is_attached) {
        return Verdict::Go;
    }
    match fate(message) {
        Fate::Keep if !is_taken => passage.keep(Flags::TRANSIT, as_it_was),
        Fate::Forget if !is_heard(passage) => {
            return Verdict::Drop(Why("it told of a moment that is over"));
        }
        Fate::Keep | Fate::Refuse | Fate::Forget => {}
    }
    Verdict::Go
}

/// Whether one that takes it has a stream. A moment is over when a client comes back to its session
/// (XEP-0198): who types to one that sleeps would fill what is kept for it.
fn is_heard(passage: &Passage<'_>) -> bool {
    let takers = passage.takers();
    let hears = |session: &Session| session.is_attached() && takers.contains(&session.jid);
    passage.account.sessions.iter().any(hears)
}

fn as_it_was(message: Stanza, _: &Bare, _: Pos, _: &Ctx<'_>) -> Stanza {
    message
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
    let hinted = hints(message, NO_STORE) || to_resource && hints(message, NO_COPY);
    match (hinted, message.children().any(is_content), hints(message, STORE)) {
        (false, true, _) | (false, _, true) => Fate::Keep,
        (true, true, _) => Fate::Refuse,
        (_, false, _) => Fate::Forget,
    }
}

/// Not what only accompanies it, or tells of the moment, as chat states do (XEP-0085).
fn is_content(child: Element<'_>) -> bool {
    !child.is(THREAD) && ![CHAT_STATES, DELAY, HINTS, STANZA_IDS].contains(&child.ns())
}

/// A ping behind what has been told.
fn ask(session: &mut Session, _: &Ctx<'_>) -> Vec<Output> {
    let asked = session.slot::<Asked>();
    asked.0 += 1;
    let id = format!("{PING_ID}{}", asked.0);
    let head = Head::new(Kind::Iq).with_type("get").with_id(id);
    let head = head.with_from(session.jid.bare()).with_to(session.jid.clone());
    vec![Output::Stanza(Stanza::new(head).with(Draft::new(PING).finish()).into())]
}

/// The last ping is answered: what came before it has been delivered.
fn hear(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let (number, from) = (answered(passage), passage.stanza.head.from.clone());
    let sessions = &mut passage.account.sessions;
    let session = sessions.iter_mut().find(|session| Some(&session.jid) == from.as_ref());
    let asked = session.map(|session| session.slot::<Asked>().0);
    if let (Some(from), true) = (from, number.is_some() && number == asked) {
        passage.account.paced(&from);
    }
    Verdict::Go
}

/// The number of the ping of ours that this answers.
fn answered(passage: &Passage<'_>) -> Option<u64> {
    let Head { kind, to, id, .. } = &*passage.stanza.head;
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
