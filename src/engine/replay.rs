//! What a session is told out of the log: what it has missed, before what is new.

use crate::unit::Pos;

/// Entries that are read at once.
pub(crate) const PAGE_ENTRIES: usize = 100;
/// Stanzas that a managed stream may leave unacknowledged before more of the log is told.
pub(crate) const AHEAD_STANZAS_MAX: usize = 128;

/// How far a session has been told what the log has. Until it has caught up it gets nothing of the
/// log another way, so that it gets all of it in order, and once.
#[derive(Debug)]
pub(crate) struct Replay {
    /// It has been told up to here.
    pub after: Pos,
    /// What is behind `after` and has been told before.
    pub skip: Vec<Pos>,
    /// The newest that it did not get because it had not caught up.
    pub missed: Pos,
    /// The newest that it got since it has.
    pub since: Pos,
    pub state: Telling,
    /// Something has been told of it.
    pub told: bool,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// The store.
    Reads,
    /// The store, which has failed, to be asked again.
    Fails,
    /// The client, to have got so far.
    Paced,
    /// The same, but all has been told.
    Done,
}

impl Replay {
    pub fn from(after: Pos, skip: Vec<Pos>) -> Self {
        let (missed, since) = Default::default();
        Self { after, skip, missed, since, state: Telling::Reads, told: false }
    }

    /// Whether what is new waits behind it.
    pub fn goes_on(&self) -> bool {
        self.state != Telling::Done
    }
}
