//! What happens to an account, and what it causes.

use crate::{
    ctx::Moment,
    hearing::{Attends, Beside, News, Told},
    hook::Replied,
    parcel::{Link, Order, Owed, Parcel, Said, Ticket},
    port::{Fault, Logged},
    shard::WorldAnswer,
    unit::{Committed, Pos, Resumable, Unit},
};
use wire::{Bare, Jid, Stanza, StanzaError};

/// What happens to an account.
#[derive(Debug)]
pub enum Input {
    /// One of its streams says something.
    Said(Link, Said),
    /// A stanza for it.
    Routed(Stanza, Option<Owed>),
    /// For one of its sessions, by a room whose log does not have it.
    Beside(Stanza, Beside),
    /// A message to one of its sessions, that the log of a room has there.
    Told(Stanza, Told, Option<News>),
    /// A message that the log of a room has, of which no session hears.
    News(Stanza, News),
    /// A room has told this session more than could be taken, or ends.
    Missed(Jid, Bare),
    /// To a room: whether a session of an occupant's takes what is said there.
    Attends(Jid, Attends),
    /// To a room: this account is no more, and nothing that it has said is on its way.
    Departed(Bare),
    /// The recipient's half of one of its units.
    Half(Ticket, Result<Unit, StanzaError>),
    /// A unit that it gave half of to a sender has been committed, or not.
    Release(Owed, Result<Committed, Fault>),
    /// A unit of its own has been committed, or not.
    Committed(Ticket, Result<Committed, Fault>),
    /// The store has been read for an iq.
    Answered(u64, Replied),
    /// The operator did something to it.
    Order(Order),
    /// The sessions that the store has of it, and those of its resources that were there when it
    /// was left to be read anew.
    Revive(Vec<Resumable>, Vec<Jid>),
    /// The log has been read for the session of this number, as it was asked.
    Seen(i64, Look, Result<Vec<Logged>, Fault>),
    /// The moment has come.
    Tick,
    /// What the store has otherwise is to be written now.
    Note,
}

/// What of its log an account reads for one of its sessions: what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Behind this.
    pub after: Pos,
    /// At most so many.
    pub max: usize,
    /// Its number: what was asked before it is not what is waited for.
    pub number: u64,
}

/// What an account causes.
pub enum Output {
    /// To be carried.
    Parcel(Parcel),
    /// To be committed; comes back as `Input::Committed`, and to who gave half of it as
    /// `Input::Release`.
    Commit(Ticket, Unit, Option<Bare>),
    /// To be read beside the line; comes back as `Input::Answered`.
    World(u64, Stanza, WorldAnswer),
    /// Of its log, for the session of this number; comes back as `Input::Seen`.
    Look(i64, Look),
    /// To be told `Input::Tick` then. The earliest counts.
    Wake(Moment),
    /// What it holds in memory is not what the store has: forget it once it is idle, and load
    /// it again when it is needed. Its streams have been ended; these of its resources were seen.
    Leave(Vec<Jid>),
}
