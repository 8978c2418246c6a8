//! The contract with `xeps/`: a XEP is a value, its hooks are a list.

pub use crate::managed::Claims;
use crate::{
    ctx::Ctx,
    hearing::Told,
    hooks::Hooks,
    inbox::Conversation,
    passage::{Passage, Stamp},
    port::{Fault, Pending, Reads, Registrar},
    request::Line,
    room::Service,
    session::Session,
    setting::Setting,
    settings::Settings,
    shard::WorldAnswer,
    slot::{Plan, Slot},
    stream::sasl::{Advertised, profile::Profile},
    unit::{Change, Flags, Pos, Table},
};
use smallvec::SmallVec;
use std::{fmt::Debug, net::IpAddr, sync::Arc};
use wire::{Bare, Element, Jid, Name, Payload, Stanza, StanzaError, StreamError};

/// A XEP that this server speaks.
pub struct Xep {
    /// 199 for XEP-0199.
    pub number: u16,
    /// Its title.
    pub name: &'static str,
    /// The version implemented.
    pub version: &'static str,
    /// How much of it.
    pub status: Status,
    /// What it hangs where.
    pub hooks: &'static [Hook],
}

/// How much of a XEP is implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All that concerns a server; held by a conformance script.
    Complete,
    /// The part that the string names.
    Partial(&'static str),
}

/// One thing that a XEP hangs into the engine.
pub enum Hook {
    /// A line in the disco reply of this entity.
    Feature(Of, &'static str),
    /// One that is told while the operator has chosen so.
    FeatureIf(Of, &'static str, IsChosen),
    /// Archives are searched for words while the operator has chosen so: the store's index of them
    /// goes on then.
    Index(IsChosen),
    /// Finds nodes of this entity, for service discovery (XEP-0030 §3.2).
    Nodes(Of, Find),
    /// Answers an iq with this payload.
    Iq {
        /// On whose behalf.
        of: Of,
        /// Get or set.
        kind: IqKind,
        /// Its one child.
        payload: Name,
        /// By what.
        answer: Answer,
    },
    /// Looks at every message and presence that passes this station.
    At(Station, Look),
    /// What of the messages to a room its log keeps.
    Keeps(Keeps),
    /// Conversations of an account that stand in other logs than its own.
    Conversations(Conversations),
    /// Whether what a room's log has is told at once to a session that is inactive.
    Wakes(Wakes),
    /// What a message with this child changes of those before it, once the log of an account has
    /// it: by a `Reply::Write`. Any other answer changes nothing.
    Amend(Name, WorldAnswer),
    /// Presence with this child is shown to a domain of that kind: the store is read beside the
    /// line, and what `Reply::After` has is told.
    Comes(Of, Name, WorldAnswer),
    /// Hears a first-level element that is not a stanza (XEP-0198 `<r/>`).
    Nonza(Name, Hear),
    /// To an element of ours that is not a stanza its peer answers by that other one: who says
    /// nothing for `unanswered_seconds_max` after it is taken for gone.
    Asks(Name, Name),
    /// A last look before a stanza is written to a session. What is not returned is held.
    Write(Desk, Write),
    /// State kept with a session.
    Slot(Plan),
    /// Hosts rooms at domains of its own.
    Service(&'static dyn Service),
    /// What the operator may choose about it.
    Setting(&'static Setting),
    /// The cells of this table are read with an account and stay in memory with it: looks and
    /// answers find them in [`Cells`](crate::cells::Cells).
    AtHand(Table),
    /// Of the cells of this table, one of those at hand, those go with a device that they are of
    /// when it loses its access to the account (XEP-0494 §4.2).
    OfDevice(Table, IsOf),
    /// Another way in which SASL travels in XML.
    Profile(&'static dyn Profile),
    /// How a session is claimed that outlived its stream.
    Resumption(&'static dyn Claims),
    /// Begins a session with this element of its own, when a resource is bound together with the
    /// login; the string is how it is offered (XEP-0386 §3.2).
    Inline(Name, &'static str, Begin),
    /// Whether a request of a client's own, for which the store has been read, is how it catches
    /// up with the archive: what waits for the account there it need not be told.
    CatchUp(CatchUp),
    /// What a client that reads the archive is told of it as it binds (XEP-0386 §3.2).
    Ends(Ends),
    /// An element of `<stream:features/>`, offered at this stage.
    StreamFeature(Stage, Offer),
    /// A resource has been bound.
    Bound(Feel),
    /// Something that a managed stream said has been dealt with.
    Settled(Feel),
    /// A stanza has been written to a managed stream.
    Sent(Feel),
    /// A session's stream has broken; it waits for its client.
    Detached(Feel),
    /// Its client has come back to it.
    Resumed(Feel),
    /// A client that is told what it has missed shall answer when it has got so far.
    Pace(Feel),
    /// What a stanza carries when it is told again, out of the log.
    Again(Stamp),
    /// What a session gets of what the log has, but is not for it: said by another, or for another.
    Aside(Aside),
    /// A session ends; its presence has been withdrawn already.
    Unbound(Feel),
    /// Nothing has been heard of the client for long (`idle_seconds_max`): what is said now must be
    /// answered within the same time again.
    Silent(Feel),
}

impl Hook {
    /// Answers an iq of type get.
    pub const fn get(of: Of, payload: Name, answer: Answer) -> Self {
        Self::Iq { of, kind: IqKind::Get, payload, answer }
    }

    /// Answers an iq of type set.
    pub const fn set(of: Of, payload: Name, answer: Answer) -> Self {
        Self::Iq { of, kind: IqKind::Set, payload, answer }
    }

    /// State of type `T` with every session.
    pub const fn slot<T: Slot>() -> Self {
        Self::Slot(Plan::of::<T>())
    }
}

/// Whether a cell is of the device of this id.
pub type IsOf = fn(&[u8], &str) -> bool;
/// Whether the operator has chosen so.
pub type IsChosen = fn(&Settings) -> bool;
/// What stands at a node, for who asks with this iq; `None`: nothing that this XEP knows of.
pub type Find = fn(&str, &Stanza, &Ctx<'_>) -> Option<Result<Node, StanzaError>>;
/// Of a message to a room, that the second has sent, what the room's log keeps; `None`: nothing.
pub type Keeps = fn(&Stanza, &Bare, &Ctx<'_>) -> Option<Kept>;
/// Those of the account that is asked, each in the log of its `peer`.
pub type Conversations = for<'a> fn(&'a World<'a>) -> Pending<'a, Result<Vec<Conversation>, Fault>>;
/// Whether it is worth that the client is woken; what is not it is told when it is active again.
pub type Wakes = fn(&Passage<'_>) -> bool;
/// A look at a passage: may change the stanza, cause more, or end it.
pub type Look = fn(&mut Passage<'_>, &Ctx<'_>) -> Verdict;
/// What a session answers to a nonza.
pub type Hear = fn(Element<'_>, &mut Session, &Ctx<'_>) -> Result<Vec<Output>, StreamError>;
/// What a session answers to an element that it begins with.
pub type Begin = fn(Element<'_>, &mut Session, &Ctx<'_>) -> Vec<Payload>;
/// Whether this request is such a one.
pub type CatchUp = fn(&Stanza, &Reply, &Settings) -> bool;
/// Of this account, whose archive shows something from the first of these places to the last;
/// `None`: it shows nothing.
pub type Ends = fn(&Bare, Option<(Pos, Pos)>, &Settings) -> Payload;
/// What goes on to the next desk.
pub type Write = fn(Leaving, &mut Session, &Ctx<'_>) -> Leavings;
/// The feature's element, or none for this stream, which offers these ways to log in.
pub type Offer = fn(&Ctx<'_>, &Advertised<'_>) -> Option<Payload>;
/// What a session says because of an event of its own.
pub type Feel = fn(&mut Session, &Ctx<'_>) -> Vec<Output>;
/// An iq's answer.
pub type Replied = Result<Reply, StanzaError>;

/// Of an entry of the log, with these flags, what a session gets that it was not for.
pub type Aside = fn(&Stanza, Flags, &mut Session, &Ctx<'_>) -> Option<Stanza>;

/// How a room's log keeps a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What the entry is to the log.
    pub flags: Flags,
    /// When it can be known again: its key, since where in the log it counts, and whether within
    /// one stream the same may be meant twice (see `Passage::once`).
    pub once: Option<(i64, Pos, bool)>,
}

/// Whom a hook serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Of {
    /// A domain of ours.
    Host,
    /// An account, at its bare address. The asker may be a stranger.
    Account,
    /// A room.
    Room,
    /// A service at a domain of its own.
    Service,
    /// A stream that is secure, but has not logged in. By `Answer::World`; the account that is
    /// asked is its host.
    Stream,
}

/// What stands at a node of an entity, as service discovery tells it (XEP-0030 §3, §4).
#[derive(Clone, Debug)]
pub struct Node {
    /// The category of its identity.
    pub category: &'static str,
    /// The type of its identity.
    pub kind: &'static str,
    /// Its name, for humans.
    pub name: &'static str,
    /// What it can do.
    pub features: &'static [&'static str],
    /// The nodes below it, of the same entity.
    pub items: Vec<Item>,
}

/// A node below another.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// What it is called.
    pub node: &'static str,
    /// Its name, for humans.
    pub name: &'static str,
}

/// Where a message or presence stops on its way, in this order. The commit lies between Keep and
/// Copy: before it hooks decide and may refuse, after it nothing is refused, for it is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Station {
    /// May refuse it.
    Guard,
    /// May strip what is forged.
    Mark,
    /// May put it into the log.
    Keep,
    /// May send more because of it. Delivery follows.
    Copy,
    /// Nobody was there to take it.
    Miss,
    /// May wake a device that was not reached.
    Push,
}

/// Where a stanza stops on its way out of a session: what is held is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Desk {
    /// May hold it (XEP-0352).
    Hold,
    /// Counts it (XEP-0198).
    Count,
}

/// What goes on from a desk, in order: most often what came there, and that alone.
pub type Leavings = SmallVec<[Leaving; 1]>;

/// A stanza on its way out of a session.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// The stanza.
    pub stanza: Stanza,
    /// Where the account's log has it, if it does.
    pub pos: Option<Pos>,
    /// Where the log of the room that tells it has it, if it does.
    pub told: Option<Told>,
}

impl Leaving {
    /// Who says it in the room that tells it, and where the room's log has it.
    pub(crate) fn room(&self) -> Option<(Jid, Pos)> {
        self.told.and_then(|told| Some((self.stanza.head.from.clone()?, told.pos)))
    }
}

impl From<Stanza> for Leaving {
    fn from(stanza: Stanza) -> Self {
        Self { stanza, pos: None, told: None }
    }
}

/// When a stream feature is offered (RFC 6120 §4.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The stream is secure; the client has not said who it is.
    Authenticate,
    /// It has; a resource may be bound, or is.
    Bind,
}

/// What a look decides.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on.
    Go,
    /// It ends here, silently.
    Drop(Why),
    /// It ends here, and the sender is told.
    Refuse(StanzaError, Why),
}

/// A reason, for the log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Why(pub &'static str);

/// The two kinds of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IqKind {
    /// Asks.
    Get,
    /// Changes.
    Set,
}

/// How an iq is answered.
#[derive(Clone, Copy)]
pub enum Answer {
    /// Only thinks, on the line.
    Pure(fn(&Stanza, &mut Line<'_>, &Ctx<'_>) -> Replied),
    /// Reads the store, beside the line. In order per session; starts when what the same session
    /// wrote before is committed.
    World(for<'a> fn(&'a Stanza, &'a World<'a>) -> Pending<'a, Replied>),
}

/// What an `Answer::World` can reach.
pub struct World<'a> {
    /// Reads of the store.
    pub store: &'a dyn Reads,
    /// Accounts as wholes.
    pub registrar: &'a dyn Registrar,
    /// The account that is asked.
    pub account: &'a Bare,
    /// Where a stream comes from that has not logged in (IPv6: which /64).
    pub peer: Option<IpAddr>,
    /// Milliseconds since 1970, when its turn came.
    pub unix_ms: u64,
    /// What the operator chose.
    pub settings: &'a Settings,
    /// What the XEPs hung where.
    pub hooks: &'a Hooks,
}

/// An iq's good answer.
#[derive(Clone, Debug)]
pub enum Reply {
    /// An empty result.
    Empty,
    /// A result with this child.
    Payload(Payload),
    /// These stanzas, and behind them a result with this child.
    After(Vec<Stanza>, Option<Payload>),
    /// The other answer. These changes are written besides, and nobody waits for them: what has
    /// been found out need not be found out again. Of an account, by an `Answer::World`.
    Noting(Vec<Change>, Box<Replied>),
    /// A result with this child, once these changes are committed. Of an account, by an
    /// `Answer::World`: what it has read decides what is written.
    Write(Vec<Change>, Option<Payload>),
    /// What this tells once what was written is committed, and behind it an empty result. Of an
    /// account, by an `Answer::Pure`.
    Told(Arc<dyn Tell>),
}

/// What is told of a change, by the sessions and the presence of the moment when it is committed:
/// those of the moment when it was asked for may be over.
pub trait Tell: Debug + Send + Sync {
    /// The stanzas, in order. What is written to `line` now is not committed.
    fn tell(&self, line: &mut Line<'_>, ctx: &Ctx<'_>) -> Vec<Stanza>;
}

/// What a session says to its peer.
#[derive(Clone, Debug)]
pub enum Output {
    /// Written as it is, never counted.
    Nonza(Payload),
    /// Was held, or is made by us; goes on at the desk after Hold.
    Stanza(Leaving),
}
