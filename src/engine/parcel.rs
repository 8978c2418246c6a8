//! What passes between a socket and a home, and between two homes. Everything is addressed;
//! nobody assumes that the other is in this process.

use crate::{
    hearing::{Attends, Beside, News, Told},
    port::{Fault, Node},
    unit::{Committed, Unit},
};
use wire::{Bare, Jid, Payload, Stanza, StanzaError, StreamError, Text};

/// One stream of one node, never used twice while the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// Where its socket is.
    pub node: Node,
    /// Counted by that node.
    pub number: u64,
}

/// A place in an account's line of uncommitted units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// An addressed thing on its way.
#[derive(Clone, Debug)]
pub enum Parcel {
    /// A stream said this to the account it is authenticated as.
    FromSocket(Bare, Link, Said),
    /// An account says this to one of its streams.
    ToSocket(Link, Say),
    /// A stanza for the account or host that `to` names. When the sender holds its unit back for
    /// the recipient's half, `owed` says who waits.
    Routed {
        /// Whose home it goes to.
        to: Bare,
        /// The stanza.
        stanza: Stanza,
        /// Who waits for the recipient's half.
        owed: Option<Owed>,
    },
    /// The recipient's half, for the sender that waits.
    Half {
        /// The sender.
        to: Bare,
        /// Its place in the sender's line.
        ticket: Ticket,
        /// What the recipient adds, or why it refuses.
        half: Result<Unit, StanzaError>,
    },
    /// The joined unit has been committed (or not): the recipient may go on.
    Release {
        /// The recipient.
        to: Bare,
        /// What it waits for.
        owed: Owed,
        /// Whether it is in the store now, and where.
        outcome: Result<Committed, Fault>,
    },
    /// A room tells an occupant of this server's what its log has.
    Told {
        /// The occupant's account.
        to: Bare,
        /// The message, as the occupant hears it.
        message: Stanza,
        /// Where it stands.
        told: Told,
        /// What those of the account's devices should know that do not hear it.
        news: Option<News>,
    },
    /// A room says this to a session of an occupant of this server's, beside what its log has.
    Beside {
        /// The occupant's account.
        to: Bare,
        /// What it says.
        stanza: Stanza,
        /// When it is told.
        beside: Beside,
    },
    /// A room tells somebody of this server's, none of whose sessions hears it, what its log has.
    News {
        /// The account.
        to: Bare,
        /// The message, as occupants hear it.
        message: Stanza,
        /// What else is to be known of it.
        news: News,
    },
    /// What a room told a session was too much for its account, or is not to be had later: it asks
    /// for what it lacks.
    Missed {
        /// The account.
        to: Bare,
        /// The session.
        session: Jid,
        /// The room.
        room: Bare,
    },
    /// An occupant's session tells a room whether it takes what is said there.
    Attends {
        /// The room.
        room: Bare,
        /// The session.
        session: Jid,
        /// Whether it does.
        attends: Attends,
    },
    /// The operator did something to the account.
    Order(Bare, Order),
}

impl Parcel {
    /// The account or host whose home it goes to; none when it goes to a socket.
    pub fn account(&self) -> Option<&Bare> {
        match self {
            Self::FromSocket(account, ..) | Self::Order(account, _) => Some(account),
            Self::Routed { to, .. } | Self::Half { to, .. } | Self::Release { to, .. } => Some(to),
            Self::Told { to, .. } | Self::News { to, .. } | Self::Missed { to, .. } => Some(to),
            Self::Beside { to, .. } => Some(to),
            Self::Attends { room, .. } => Some(room),
            Self::ToSocket(..) => None,
        }
    }
}

/// Who waits for the recipient's half.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owed {
    /// The sender's account.
    pub sender: Bare,
    /// Its place in the sender's line.
    pub ticket: Ticket,
}

/// What a stream tells its account.
#[derive(Clone, Debug)]
pub enum Said {
    /// It wants a resource (RFC 6120 §7).
    Bind {
        /// Which; `None`: the server makes one.
        resource: Option<Text>,
        /// When its login began, in ms of the Unix clock.
        since: u64,
        /// The device that it is on, if it said so: an older session of that ends.
        device: Option<Text>,
        /// What the session begins with.
        inline: Vec<Payload>,
        /// It reads the archive: of what came while nobody was there it need not be told what that
        /// shows (XEP-0386 §3.2).
        reads: bool,
    },
    /// It wants a session that another stream has left (XEP-0198 §5).
    Resume {
        /// By what it claims it.
        claim: Claim,
        /// When its login began, in ms of the Unix clock.
        since: u64,
        /// The device that it is on, if it said so.
        device: Option<Text>,
    },
    /// The client sent a stanza.
    Stanza(Stanza),
    /// The client sent another element.
    Nonza(Payload),
    /// The client has said nothing for long.
    Silent,
    /// The stream has ended.
    Gone(End),
}

/// By what a client claims a session that it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The session's id, as it was told.
    pub id: Text,
    /// So many stanzas of ours have reached the client.
    pub h: u32,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Either side closed it properly.
    Closed,
    /// It broke off.
    Broken,
}

/// What an account tells a stream.
#[derive(Clone, Debug)]
pub enum Say {
    /// The resource is bound; what the session answers to what it began with.
    Bound(Jid, Vec<Payload>),
    /// It is not (RFC 6120 §7.6.2, §7.7.2).
    Unbound(StanzaError),
    /// The session is its own again; what it is told of that. What it has missed follows.
    Resumed(Jid, Payload),
    /// It is not; what it is told of that.
    Unresumed(Payload),
    /// Write this stanza.
    Stanza(Stanza),
    /// Write this element.
    Nonza(Payload),
    /// So many stanzas of this stream have been settled: its credit is given back.
    Settled(u32),
    /// End the stream with this error.
    End(StreamError),
}

/// What an operator did.
#[derive(Clone, Debug)]
pub enum Order {
    /// The account has been made: who logged in to one of its name before has no part in it.
    Created {
        /// When it was in the store, in ms of the Unix clock.
        unix_ms: u64,
    },
    /// The account is gone: its sessions end with `not-authorized`.
    Deleted {
        /// Sent before they end.
        last: Option<Stanza>,
        /// What its contacts hear after they have ended. An account that is in memory says it by
        /// its own roster, which is newer.
        farewells: Vec<Stanza>,
    },
    /// The password is another: its sessions end with `reset`, to log in again.
    PasswordChanged {
        /// The resource that changed it, and goes on.
        spared: Option<Jid>,
        /// When it was in the store, in ms of the Unix clock.
        unix_ms: u64,
    },
    /// Nobody may log in to it any more: its sessions end with `not-authorized`.
    Disabled {
        /// When that was in the store, in ms of the Unix clock.
        unix_ms: u64,
    },
    /// Its sessions end, or the one of this resource.
    End(Option<Jid>),
    /// A device of it may log in no more by what it was given: its sessions end with
    /// `not-authorized`.
    Revoked {
        /// The id.
        device: Text,
        /// When that was in the store, in ms of the Unix clock.
        unix_ms: u64,
    },
    /// Every available resource of it hears this.
    Hear(Stanza),
}
