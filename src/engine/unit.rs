//! What must be durable together. The writer gives the positions and commits it.

use crate::{inbox::Gathered, roster::Item};
use wire::{Bare, Jid, Text};

/// The longest key of a table, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;

/// Order, time and partition of an entry in one number: `max(unix_ms << 20, last + 1)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pos(pub i64);

impl Pos {
    /// The next position after `last`, not before the clock's.
    pub fn next(last: Self, unix_ms: u64) -> Self {
        let clock = i64::try_from(unix_ms).unwrap_or(i64::MAX >> 20).min(i64::MAX >> 20) << 20;
        Self(clock.max(last.0 + 1))
    }

    /// Before every position that is given from now on, if the clock has not stepped back.
    pub fn before(unix_ms: u64) -> Self {
        Self(Self::next(Self::default(), unix_ms).0 - 1)
    }

    /// When it was given, in milliseconds since 1970; not exactly where the clock stepped back.
    pub fn unix_ms(self) -> u64 {
        u64::try_from(self.0 >> 20).unwrap_or_default()
    }
}

/// A shape of the store: (table, account, key) → bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(&'static str);

impl Table {
    /// The table of this name. Tables need no migration.
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    /// Its name in the store.
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// With a host: the local parts of accounts that were made for somebody who stays unknown, so that
/// they are removed even when the process ends before their sessions do.
pub const ANONYMOUS: Table = Table::named("anonymous");

/// With a room: who is in it, so that a room comes back with the process when somebody is.
pub const OCCUPANTS: Table = Table::named("occupant");

/// With a room: what each is to it, by bare address. The rooms of somebody are found by it. It goes
/// with an account, unless it begins with [`OUTCAST`].
pub const AFFILIATIONS: Table = Table::named("affiliation");

/// How it begins for who is banned: nobody gets rid of that by removing an account.
pub const OUTCAST: &[u8] = b"outcast";

/// With a room: up to where each member has read, by bare address. It goes with an account.
pub const MARKS: Table = Table::named("mark");

/// With a room: its configuration, its subject, whether it is locked; and what somebody has in it,
/// by one of [`OWN_KEYS`] and the bare address. That goes with an account.
pub const ROOM: Table = Table::named("room");

/// In a key of [`ROOM`], before an address: which hats somebody wears.
pub const HATS_OF: &str = "hats/";

/// The same: the role that somebody was given.
pub const ROLE_OF: &str = "role/";

/// The same: that somebody has asked to be a member, and waits for an answer.
pub const REQUEST_OF: &str = "register/";

/// All that is kept so of somebody.
pub const OWN_KEYS: [&str; 3] = [HATS_OF, ROLE_OF, REQUEST_OF];

/// What an entry is to its log. A set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub i16);

impl Flags {
    /// The log's owner sent it.
    pub const SENT: Self = Self(1);
    /// The log's owner received it.
    pub const RECEIVED: Self = Self(2);
    /// The archive shows it.
    pub const ARCHIVE: Self = Self(4);
    /// Delivered, then dropped.
    pub const TRANSIT: Self = Self(8);
    /// It says something that is to be read. Of the log of a room, so that what of it somebody has
    /// not seen is counted without being looked at.
    pub const SPEAKS: Self = Self(16);

    /// Whether all of these are among them.
    pub const fn has(self, all: Self) -> bool {
        self.0 & all.0 == all.0
    }

    /// Those that are not among these.
    pub const fn without(self, these: Self) -> Self {
        Self(self.0 & !these.0)
    }

    /// Both sets.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One stanza in one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose log.
    pub log: Bare,
    /// Sent, received, archive, transit.
    pub flags: Flags,
    /// The other side.
    pub peer: Bare,
    /// A hash of who says what to whom, by which what is said again is known.
    pub key: Option<i64>,
    /// The session it came by, and the `h` it settles there (XEP-0198).
    pub settles: Option<(i64, i64)>,
    /// The archive id an imported entry had elsewhere.
    pub foreign_id: Option<Text>,
    /// The whole stanza, canonical.
    pub stanza: Text,
}

/// The keys of one SCRAM hash (RFC 5802 §3). From these nobody can log in elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramKeys {
    /// Random, at least 16 bytes.
    pub salt: Vec<u8>,
    /// PBKDF2 iterations.
    pub iterations: u32,
    /// H(HMAC(salted password, "Client Key")).
    pub stored_key: Vec<u8>,
    /// HMAC(salted password, "Server Key").
    pub server_key: Vec<u8>,
}

/// What a stream that can be resumed leaves behind (XEP-0198 §5): its session's row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resumable {
    /// Of the session. Random, never given twice.
    pub id: i64,
    /// What is kept of the id that the client resumes by.
    pub token: Vec<u8>,
    /// The resource.
    pub resource: Text,
    /// The device that it is on, if it said so.
    pub device: Option<Text>,
    /// So many of the client's stanzas have been dealt with. As it is loaded: also those that the
    /// log tells of (see [`Entry::settles`]).
    pub h: i64,
    /// So many stanzas have been sent to the client, and it has acknowledged them.
    pub out: i64,
    /// What the log has behind this may not have reached the client.
    pub mark: Pos,
    /// Its presence, its desks and slots.
    pub state: Vec<u8>,
    /// Until when it may be resumed, in unix ms. Its `h` is kept for `KEPT_MS` longer.
    pub expires: u64,
}

impl Resumable {
    /// How long a session's `h` is known after it could have been resumed, in milliseconds.
    pub const KEPT_MS: u64 = 7 * 86_400_000;
}

/// All that is kept of a password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// SCRAM-SHA-1.
    pub sha1: Option<ScramKeys>,
    /// SCRAM-SHA-256.
    pub sha256: Option<ScramKeys>,
    /// SCRAM-SHA-512.
    pub sha512: Option<ScramKeys>,
    /// Argon2id (RFC 9106), in the PHC string format.
    pub argon2id: Option<String>,
    /// When the password was set, in unix ms; 0: before this was kept. It only rises: who has
    /// seen it knows by it whether the password is still the same.
    pub changed: u64,
    /// Whether nobody may log in by them, nor by anything else (RFC 6120 §6.5.2).
    pub disabled: bool,
}

impl Credentials {
    /// Whether nothing is kept by which a password could be known.
    pub fn is_empty(&self) -> bool {
        let Self { sha1, sha256, sha512, argon2id, changed: _, disabled: _ } = self;
        [sha1, sha256, sha512].iter().all(|keys| keys.is_none()) && argon2id.is_none()
    }
}

/// One change of a row. Applied in the order of the unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Makes an account and its log. Fails the unit when it exists.
    Create(Bare, Credentials),
    /// New credentials. Their `changed` rises, if only by one: two that were set at the same moment
    /// are told apart by it. Fails the unit when there is no such account.
    Password(Bare, Credentials),
    /// Adds what is kept of the same password: only what the account does not have yet. Fails
    /// the unit when `changed` is not the account's: then it is another password.
    Upgrade(Bare, Credentials),
    /// Keeps the same password in another way: all that was kept of it is replaced. Fails the
    /// unit as `Upgrade` does.
    Rehash(Bare, Credentials),
    /// Lets nobody log in to an account, or lets them again: what else changes its credentials
    /// leaves that as it is. Fails the unit when there is no such account.
    Disabled(Bare, bool),
    /// Makes the log of a room, unless it has one. Entries and cells of an address that has no log
    /// fail the unit; only a host's is made when it is first written to.
    Room(Bare),
    /// Removes an account or room with everything it owned, and what rooms have of an account: see
    /// [`AFFILIATIONS`], [`MARKS`] and [`ROOM`]. Its log number is never given again.
    Delete(Bare),
    /// Writes a roster item, whole, with its `ver`.
    Roster(Bare, Item),
    /// Forgets a roster item; what is kept is that it was removed, at this `ver`.
    Unroster(Bare, Jid, i64),
    /// In the roster of the first, the second is no account any more: its item keeps name and
    /// groups, without subscription, approval and request; one that was only a request goes. The
    /// `ver` follows the roster's newest. Does nothing when there is no such account or item.
    Forsake(Bare, Bare),
    /// Writes a cell of a table.
    Put(Table, Bare, String, Vec<u8>),
    /// Removes a cell of a table.
    Cut(Table, Bare, String),
    /// Writes the session of an account, whole, by its id.
    Session(Bare, Box<Resumable>),
    /// Forgets the session of this id. Does nothing when there is none.
    Unsession(Bare, i64),
    /// Everything up to there has been delivered to the account, or need not be (XEP-0160). It
    /// only moves on. Does nothing when there is no such account.
    Delivered(Bare, Pos),
    /// Writes what was gathered of an account's log. Does nothing when more has been gathered, or
    /// when there is no such account.
    Gathered(Bare, Box<Gathered>),
    /// Removes the entries of these places from a log; a place without one is nothing.
    Expunge(Bare, Vec<Pos>),
    /// Writes the stanza of an entry anew, which has to be there still: else it does nothing. It
    /// is not to have words then (XEP-0424 §5), for they might not be found, and is no longer
    /// [`Flags::SPEAKS`].
    Redact(Bare, Pos, Text),
    /// Changes a cell of a table from the first value to the second; `None`: it is not there.
    /// Fails the unit when the cell is something else.
    Swap(Table, Bare, String, Option<Vec<u8>>, Option<Vec<u8>>),
}

/// What is said again because its acknowledgement was lost is not written again: the unit is
/// written only when the log has no entry like it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The sender's log. The entry there has this key too.
    pub log: Bare,
    /// See [`Entry::key`].
    pub key: i64,
    /// Only what stands behind it in the log counts.
    pub since: Pos,
    /// What this session has sent does not count (see [`Entry::settles`]): it means to say it
    /// again.
    pub besides: Option<i64>,
}

/// What must be durable together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unit {
    /// Nothing of it is written when this was said before.
    pub once: Option<Once>,
    /// Entries of the sender's log and of the local recipient's or room's. One to oneself is one.
    pub entries: Vec<Entry>,
    /// Rows that change with them.
    pub changes: Vec<Change>,
}

impl Unit {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.changes.is_empty()
    }

    /// Of changes only.
    pub fn of(changes: Vec<Change>) -> Self {
        Self { changes, ..Self::default() }
    }

    /// The sender's half takes in the recipient's. A message to oneself stays one entry.
    pub fn join(mut self, other: Self) -> Self {
        for entry in other.entries {
            match self.entries.iter_mut().find(|mine| mine.log == entry.log) {
                Some(mine) => mine.flags = mine.flags.and(entry.flags),
                None => self.entries.push(entry),
            }
        }
        self.changes.extend(other.changes);
        self.once = self.once.or(other.once);
        self
    }
}

impl From<Change> for Unit {
    fn from(change: Change) -> Self {
        Self::of(vec![change])
    }
}

/// Where the unit's entries stand in their logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// In which log where.
    pub places: Vec<(Bare, Pos)>,
    /// It had been said before (see [`Once`]), and stands there since. What it caused then it does
    /// not cause again.
    pub repeated: bool,
}

impl Committed {
    /// The position in this log.
    pub fn in_log(&self, log: &Bare) -> Option<Pos> {
        self.places.iter().find(|(of, _)| of == log).map(|&(_, pos)| pos)
    }
}
