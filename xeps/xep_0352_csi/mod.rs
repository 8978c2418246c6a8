//! XEP-0352: Client State Indication. <https://xmpp.org/extensions/xep-0352.html>
//!
//! A client whose user looks elsewhere need not be woken for all. What can wait is held, in order:
//!
//! | Held | Why |
//! |---|---|
//! | presence, the newest of each resource | nobody looks at who is there |
//! | chat states (XEP-0085), the newest of each | typing is over when somebody looks |
//! | receipts and markers (XEP-0184, XEP-0333) | a tick on a screen that is off |
//! | notifications of PubSub from others | they change what is shown, later |
//!
//! All else goes on at once: what people say to each other, encrypted or not, invitations, calls
//! (XEP-0353), errors, requests, and the client's own presence in a room, for which it waits. So
//! does what another device of the user has read: it takes a notification off this one. And
//! whatever the server does not know, for it cannot tell that it does not matter.
//!
//! What goes on at once takes along all that was held before it, so that order is kept for all
//! pairs: the radio is awake then anyway. So does whatever comes when as much is held as may be.
//! What is said in a room goes on at once if its reader wants to be notified of it (XEP-0492): all
//! among members, elsewhere what is addressed to him. The rest is not held here: the room's log has
//! it, and the client is told it from there, in order, before what wakes it or when it is awake. So
//! a busy room costs a sleeping client nothing. In rooms without an archive all goes on at once.
//! What an occupant says in private, or shows, and that the client is out of the room, is told
//! behind what sleeps of that room: so that is told first.
//!
//! In the end a client has all that it would have had awake, but for the presence and the chat
//! states that newer ones took the place of, and for what sleeps of a room that it leaves: that it
//! finds in the room's archive.
//!
//! Section 5.2: the state is the stream's. A stream that is resumed is active, so none of this
//! needs to survive a restart; what the log has of it is told from there.

pub mod xep_0357_push;

mod weight;

use crate::xep_0492_notification_settings::{self as notifications, Choice};
use engine::{
    ctx::{Ctx, Moment},
    hook::*,
    passage::Passage,
    session::Session,
    setting::{Kind as Choosing, Setting},
    slot::Slot,
    wire::*,
};
use std::collections::VecDeque;
use weight::{Summons, Topic, summons, weigh};

/// What can wait until somebody looks.
pub const XEP: Xep = Xep {
    number: 352,
    name: "Client State Indication",
    version: "1.0.0",
    status: Status::Complete,
    hooks: &[
        Hook::Setting(&STANZAS_MAX),
        Hook::Setting(&BYTES_MAX),
        Hook::StreamFeature(Stage::Bind, |_, _| Some(Draft::new(CSI).finish())),
        Hook::Nonza(ACTIVE, wake),
        Hook::Nonza(INACTIVE, sleep),
        Hook::Inline(INACTIVE, NS, begin),
        Hook::slot::<Client>(),
        Hook::Write(Desk::Hold, hold),
        Hook::Wakes(wakes),
        Hook::Bound(arrive),
        Hook::Resumed(resume),
    ],
};

/// What is held for one client; more, and all of it goes.
pub const STANZAS_MAX: Setting = Setting {
    xep: 352,
    key: "held_stanzas_max",
    kind: Choosing::Number { default: 200, from: 0, to: 10_000 },
    doc: "Stanzas held for one client that is inactive; with one more, all of them are sent. At \
          most half of limits.mailbox_stanzas_max.",
};
/// The same in bytes.
pub const BYTES_MAX: Setting = Setting {
    xep: 352,
    key: "held_bytes_max",
    kind: Choosing::Number { default: 64 << 10, from: 0, to: 16 << 20 },
    doc: "The same in bytes. At most half of limits.mailbox_bytes_max.",
};

const NS: &str = "urn:xmpp:csi:0";
const CSI: Name = Name::new(NS, "csi");
const ACTIVE: Name = Name::new(NS, "active");
const INACTIVE: Name = Name::new(NS, "inactive");

/// A client, as its server sees it.
#[derive(Default)]
struct Client {
    /// When it came last, or woke.
    came: Option<Moment>,
    held: VecDeque<Held>,
    bytes: usize,
}

struct Held {
    leaving: Leaving,
    topic: Option<Topic>,
    bytes: usize,
}

impl Slot for Client {
    const KEY: &'static str = "client state";
}

impl Client {
    fn take(&mut self) -> impl Iterator<Item = Leaving> {
        self.bytes = 0;
        std::mem::take(&mut self.held).into_iter().map(|held| held.leaving)
    }

    /// What this takes the place of.
    fn supersede(&mut self, topic: &Topic) {
        let bytes = &mut self.bytes;
        self.held.retain(|held| {
            let stays = held.topic.as_ref() != Some(topic);
            *bytes -= if stays { 0 } else { held.bytes };
            stays
        });
    }

    fn put(&mut self, leaving: Leaving, topic: Option<Topic>) {
        let bytes = leaving.stanza.wire_len();
        self.bytes += bytes;
        self.held.push_back(Held { leaving, topic, bytes });
    }

    fn has_too_much(&self, ctx: &Ctx<'_>) -> bool {
        let max = |of| usize::try_from(ctx.settings.number(of)).unwrap_or(usize::MAX);
        self.held.len() > max(&STANZAS_MAX) || self.bytes > max(&BYTES_MAX)
    }
}

/// Section 5.1: what was held comes before the answer to what the client asks next.
fn wake(_: Element<'_>, session: &mut Session, ctx: &Ctx<'_>) -> Result<Vec<Output>, StreamError> {
    Ok(resume(session, ctx))
}

fn arrive(session: &mut Session, ctx: &Ctx<'_>) -> Vec<Output> {
    session.slot::<Client>().came = Some(ctx.now);
    Vec::new()
}

/// Section 5.2: whatever it was before.
fn resume(session: &mut Session, ctx: &Ctx<'_>) -> Vec<Output> {
    session.inactive = false;
    let client = session.slot::<Client>();
    client.came = Some(ctx.now);
    client.take().map(Output::Stanza).collect()
}

fn sleep(_: Element<'_>, session: &mut Session, _: &Ctx<'_>) -> Result<Vec<Output>, StreamError> {
    session.inactive = true;
    Ok(Vec::new())
}

/// XEP-0386 §3.2: asleep from its first moment on, as a phone that a notification has woken.
fn begin(_: Element<'_>, session: &mut Session, _: &Ctx<'_>) -> Vec<Payload> {
    session.inactive = true;
    Vec::new()
}

/// Whether it is worth it to wake the client for what is said in a room.
fn wakes(passage: &Passage<'_>) -> bool {
    match summons(&passage.stanza) {
        Some(Summons::Call) => true,
        Some(Summons::Message) => is_wanted(passage),
        None => false,
    }
}

/// Whether the account's owner wants to be notified of what is said in a room (XEP-0492).
fn is_wanted(passage: &Passage<'_>) -> bool {
    let (Some(news), Some(from)) = (&passage.news, &passage.stanza.head.from) else {
        return false;
    };
    let account = &passage.account;
    match notifications::of_room(&account.cells, &from.bare(), news.is_private) {
        Choice::Always => true,
        Choice::OnMention => notifications::mentions(&passage.stanza, &news.nick, &account.jid),
        Choice::Never => false,
    }
}

fn hold(leaving: Leaving, session: &mut Session, ctx: &Ctx<'_>) -> Leavings {
    if !session.inactive {
        return [leaving].into();
    }
    let weight = weigh(&leaving.stanza, &session.jid.bare());
    let client = session.slot::<Client>();
    if let Some(topic) = &weight.topic {
        client.supersede(topic);
    }
    client.put(leaving, weight.topic);
    if weight.waits && !client.has_too_much(ctx) {
        return Leavings::new();
    }
    client.take().collect()
}

#[cfg(test)]
mod tests;
