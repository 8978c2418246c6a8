//! The store: one verb to write, a few to read.

use crate::{
    archive::{Found, Search},
    inbox::Inbox,
    roster::Item,
    unit::{Credentials, Entry, Pos, Resumable, Table, Unit},
};
use std::{fmt, future::Future, pin::Pin};
use wire::{Bare, ErrorType, Jid, StanzaCondition, StanzaError};

/// A read or write under way.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// The same of a store.
pub type Stored<'a, T> = Pending<'a, Result<T, Fault>>;

/// Our side failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The store could not be reached, or did not answer in time. What was asked of it may or
    /// may not have happened.
    Away(String),
    /// The store refused, and nothing of it happened.
    Refused(String),
    /// Another process owns the store now. Nothing more may be written: the process ends.
    Fenced,
    /// What was written is not on the disk, and the system may count it as if it were from now on:
    /// to sync it once more would prove nothing. The process ends, and the next one writes it
    /// again.
    Unsynced(String),
}

impl Fault {
    /// Whether nothing more may be written by this process. What became of what was under way is
    /// not known.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Fenced | Self::Unsynced(_))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) => write!(f, "the store is away: {why}"),
            Self::Refused(why) => write!(f, "the store refused: {why}"),
            Self::Fenced => write!(f, "the store belongs to another process now"),
            Self::Unsynced(why) => write!(f, "the store could not be synced: {why}"),
        }
    }
}

impl std::error::Error for Fault {}

/// Who asked is told nothing of it, but that it may be asked again (RFC 6120 §8.3.3.7).
impl From<Fault> for StanzaError {
    fn from(_: Fault) -> Self {
        Self::new(ErrorType::Wait, StanzaCondition::InternalServerError)
    }
}

/// Everything an account must know to work, read in one round trip.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// The roster's items.
    pub roster: Vec<Item>,
    /// What was removed from it, with the `ver` of that.
    pub unrostered: Vec<(Jid, i64)>,
    /// Cells of the tables that XEPs asked to have at hand.
    pub cells: Vec<(String, String, Vec<u8>)>,
    /// Its sessions, also those that can be resumed no more.
    pub sessions: Vec<Resumable>,
    /// Everything up to there has been delivered to it, or need not be.
    pub delivered: Pos,
    /// The last place that the writer had given in any log, also by a clock that was ahead.
    pub last: Pos,
}

/// An entry with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Its place in the log.
    pub pos: Pos,
    /// The entry.
    pub entry: Entry,
}

/// What is kept of an account's password, and a cell of the account; read in one round trip.
pub type Device = (Credentials, Option<Vec<u8>>);

/// What a store is to keep. What it is not to keep is removed by [`Store::purge`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// What time it is, in unix ms.
    pub unix_ms: u64,
    /// Entries before this place are too old.
    pub before: Pos,
    /// A log keeps at most so many entries, its newest; 0: any number.
    pub entries_max: u64,
}

impl Retention {
    /// Entries for so many days, and so many of one log; 0: forever, any number.
    pub fn of(unix_ms: u64, days_max: u64, entries_max: u64) -> Self {
        let kept_ms = days_max.saturating_mul(86_400_000);
        let before = match days_max {
            0 => Pos(0),
            _ => Pos::next(Pos(0), unix_ms.saturating_sub(kept_ms)),
        };
        Self { unix_ms, before, entries_max }
    }

    /// Whether any entry of the archive can be too old or too much.
    pub fn is_limited(&self) -> bool {
        self.before > Pos(0) || self.entries_max > 0
    }
}

/// Reads: all that an `Answer::World` can reach.
pub trait Reads: Send + Sync {
    /// What is kept of an account's password; `None`: no such account.
    fn credentials<'a>(&'a self, of: &'a Bare) -> Stored<'a, Option<Credentials>>;
    /// An account, loaded; `None`: no such account.
    fn load<'a>(&'a self, account: &'a Bare) -> Stored<'a, Option<Loaded>>;
    /// The accounts of a domain after this local part, in order, at most `max`.
    fn accounts<'a>(
        &'a self,
        domain: &'a Bare,
        after: Option<&'a str>,
        max: usize,
    ) -> Stored<'a, Vec<Bare>>;
    /// How many accounts of a domain there are.
    fn count<'a>(&'a self, domain: &'a Bare) -> Stored<'a, u64>;
    /// How many accounts of a domain are disabled; the first of them in order, at most `max`.
    fn disabled<'a>(&'a self, domain: &'a Bare, max: usize) -> Stored<'a, (u64, Vec<Bare>)>;
    /// A cell of a table.
    fn cell<'a>(&'a self, at: Table, of: &'a Bare, key: &'a str) -> Stored<'a, Option<Vec<u8>>>;
    /// What is kept of an account's password, with the cell of a table; `None`: no such account.
    fn device<'a>(&'a self, of: &'a Bare, at: Table, key: &'a str) -> Stored<'a, Option<Device>>;
    /// All cells of a table of this account, by key.
    fn cells<'a>(&'a self, at: Table, of: &'a Bare) -> Stored<'a, Vec<(String, Vec<u8>)>>;
    /// What an account is to rooms: those that have a cell of [`AFFILIATIONS`] by its address, with
    /// that; after this room, in order of their addresses as bytes, at most `max`.
    ///
    /// [`AFFILIATIONS`]: crate::unit::AFFILIATIONS
    fn affiliated<'a>(
        &'a self,
        who: &'a Bare,
        after: Option<&'a Bare>,
        max: usize,
    ) -> Stored<'a, Vec<(Bare, Vec<u8>)>>;
    /// Cells of a table of this account whose keys are `from` or greater, as bytes, by key; at most
    /// `max`.
    fn cells_from<'a>(
        &'a self,
        at: Table,
        of: &'a Bare,
        from: &'a str,
        max: usize,
    ) -> Stored<'a, Vec<(String, Vec<u8>)>>;
    /// Entries of a log behind `after`, in order, at most `max`.
    fn page<'a>(&'a self, log: &'a Bare, after: Pos, max: usize) -> Stored<'a, Vec<Logged>>;
    /// What of a log is searched for.
    fn search<'a>(&'a self, log: &'a Bare, what: &'a Search) -> Stored<'a, Found>;
    /// What has been gathered of an account's log.
    fn inbox<'a>(&'a self, of: &'a Bare) -> Stored<'a, Inbox>;
    /// The entries of a log at these places, in order. A place without one is left out.
    fn entries<'a>(&'a self, log: &'a Bare, at: &'a [Pos]) -> Stored<'a, Vec<Logged>>;
}

/// What the writer commits at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Its number: one more than that of the batch before.
    pub number: i64,
    /// The last position given.
    pub last: Pos,
    /// Units in the order of the queue; a position for each of their entries.
    pub units: Vec<(Unit, Vec<Pos>)>,
}

/// What became of one unit of a committed batch.
pub type Verdict = Result<Written, Fault>;

/// How a unit came into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// By this batch.
    Now,
    /// What it says had been said before (see [`Once`](crate::unit::Once)): its entry is this one,
    /// and nothing has been written. Of two like that in one batch the first is written.
    Before(Pos),
}

/// The one writer's side. Made by opening it, which takes the fence.
pub trait Store: Reads {
    /// Where the writer goes on: the last batch's number and position.
    fn last(&self) -> Stored<'_, (i64, Pos)>;
    /// Commits a batch in one transaction, that begins with the fence:
    /// `UPDATE writer SET batch = n, pos = p WHERE node = me AND epoch = e AND batch = n - 1`.
    /// A unit that the database refuses is left out and told so; its neighbours stand.
    ///
    /// # Errors
    /// `Away`: the outcome is unknown; ask `last` when the store is back. `Fenced`, `Unsynced`:
    /// stop.
    fn commit<'a>(&'a self, batch: &'a Batch) -> Stored<'a, Vec<Verdict>>;
    /// The accounts after this one that have sessions which can be resumed at that time of the Unix
    /// clock, in milliseconds, and the rooms that have [`OCCUPANTS`](crate::unit::OCCUPANTS); in
    /// order of their addresses as bytes, at most `max`.
    fn resumable<'a>(
        &'a self,
        unix_ms: u64,
        after: Option<&'a Bare>,
        max: usize,
    ) -> Stored<'a, Vec<Bare>>;
    /// Whether any account's password is kept by Argon2id.
    fn keeps_argon2id(&self) -> Stored<'_, bool>;
    /// The key of this server, made at the first start and kept with the data: 32 random bytes
    /// (`fresh` is used when there is none yet).
    fn secret(&self, fresh: [u8; 32]) -> Stored<'_, [u8; 32]>;
    /// Goes on with the index of the words of archives, behind where it ended, by a piece between
    /// two batches. Says how many entries it has gone through; 0: it has caught up. What is not in
    /// it yet is found all the same.
    fn index(&self) -> Stored<'_, u64>;
    /// Removes what is not to be kept any longer, in pieces between which the writer goes on:
    /// entries that are too old or too many; those that were only to be delivered, and are;
    /// those of logs that are no more; sessions whose `h` has been kept long enough. Says how many
    /// rows it removed, not counting those that went as whole partitions.
    fn purge<'a>(&'a self, what: &'a Retention) -> Stored<'a, u64>;
    /// Puts on disk what has been committed, also where a commit does not wait for that.
    fn sync(&self) -> Stored<'_, ()>;
}
