//! What a session is told out of the log: what it has missed, before what is new.

use crate::{behind::Behind, ctx::Moment, unit::Pos};

/// Entries that are read at once.
pub(crate) const PAGE_ENTRIES: usize = 100;
/// Bytes of stanzas that are told at once; the last may be more.
pub(crate) const PAGE_BYTES_MAX: usize = 256 << 10;
/// Stanzas that a managed stream may leave unacknowledged before more of the log is told.
pub(crate) const AHEAD_STANZAS_MAX: usize = 128;
/// The same in bytes. With a page besides, and what else comes, it has room in a mailbox.
pub(crate) const AHEAD_BYTES_MAX: usize = 512 << 10;

/// How far a session has been told what the log has. Until it has caught up it gets nothing of the
/// log another way, so that it gets all of it in order, and once.
#[derive(Debug)]
pub(crate) struct Replay {
    /// It has been told up to here.
    pub after: Pos,
    /// Up to here it is known exactly what it lacks: what stands in `only`.
    pub exact: Pos,
    /// See `exact`.
    pub only: Vec<Pos>,
    /// What is behind `exact`, and it has.
    pub skip: Vec<Pos>,
    /// The newest that it did not get because it had not caught up.
    pub missed: Pos,
    /// The newest that had been released when the store was asked last: what of that stands on no
    /// page is no longer in the log.
    pub asked: Pos,
    /// The newest that it got since it has.
    pub since: Pos,
    pub state: Telling,
    /// The number of the page that is waited for.
    pub look: u64,
    /// What stands behind this is news, not something that was missed.
    pub news: Pos,
    /// Something that was missed has been told.
    pub told: bool,
    /// Of what came while nobody was there; not of what it has missed itself.
    pub away: bool,
    /// Its client has read, or does, what the archive shows up to here.
    pub reads: Pos,
    /// Until when it may be expected to.
    pub patience: Option<Moment>,
    /// Something that was missed was not told, because it reads that itself.
    pub spared: bool,
    /// What comes meanwhile, and no log has.
    pub behind: Behind,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// A client that is to take it.
    Rests,
    /// The store.
    Reads,
    /// The store, which has failed, to be asked again.
    Fails,
    /// The client, to read the archive itself.
    Hopes,
    /// The client, to have got so far.
    Paced,
    /// The same, but all has been told.
    Done,
}

impl Replay {
    /// What a session has missed behind `after`.
    pub fn missed(after: Pos) -> Self {
        let (only, skip, missed, asked, since, news) = Default::default();
        let (look, told, away, reads, patience, spared, behind) = Default::default();
        Self {
            after,
            exact: after,
            only,
            skip,
            missed,
            asked,
            since,
            state: Telling::Rests,
            look,
            news,
            told,
            away,
            reads,
            patience,
            spared,
            behind,
        }
    }

    /// What came behind `after` while nobody was there, until `now`.
    pub fn away(after: Pos, now: Pos) -> Self {
        let mut away = Self { away: true, news: now, ..Self::missed(after) };
        away.behind.is_unread(now);
        away
    }

    /// Whether it stands among what came while nobody was there, and its client has not read it.
    pub fn is_missed(&self, pos: Pos) -> bool {
        self.away && pos <= self.news && pos > self.reads
    }

    /// Whether its client has read it, or does, if the archive shows it.
    pub fn spares(&self, pos: Pos) -> bool {
        self.away && pos <= self.news && pos <= self.reads
    }

    /// Its client comes back, and lacks these: up to where it has been told, nothing else of what
    /// stands there.
    pub fn lacks(&mut self, places: &[Pos]) {
        let told = self.after;
        self.exact = self.exact.max(told);
        self.only.retain(|pos| *pos > told);
        self.only.extend(places.iter().filter(|pos| **pos <= self.exact));
        if let Some(first) = places.iter().min() {
            self.after = told.min(Pos(first.0 - 1));
        }
        places.iter().for_each(|pos| self.behind.is_unread(*pos));
    }

    /// Whether it is to be told what stands there.
    pub fn tells(&self, pos: Pos) -> bool {
        match pos <= self.exact {
            true => self.only.contains(&pos),
            false => !self.skip.contains(&pos),
        }
    }

    /// Whether what is new waits behind it.
    pub fn goes_on(&self) -> bool {
        self.state != Telling::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(replay: &Replay, until: i64) -> Vec<i64> {
        let behind = replay.after.0 + 1..until;
        behind.filter(|&pos| replay.tells(Pos(pos))).collect()
    }

    #[test]
    fn what_is_known_exactly_is_told_alone_and_all_behind_it() {
        let mut replay = Replay::missed(Pos(10));
        replay.lacks(&[Pos(4), Pos(7)]);
        replay.skip = vec![Pos(12)];
        assert_eq!(told(&replay, 15), [4, 7, 11, 13, 14]);
        let mut all = Replay::missed(Pos(10));
        all.lacks(&[]);
        assert_eq!((all.after, all.tells(Pos(10)), all.tells(Pos(11))), (Pos(10), false, true));
    }

    #[test]
    fn who_comes_back_once_more_is_told_what_it_lacks_still_and_nothing_twice() {
        let mut replay = Replay::missed(Pos(10));
        replay.lacks(&[Pos(4), Pos(7)]);
        // It was told of the first, and lacks it again.
        replay.after = Pos(5);
        replay.lacks(&[Pos(4)]);
        assert_eq!(told(&replay, 13), [4, 7, 11, 12]);
        // It was told up to there, and has all but one; what comes behind that it does not have.
        replay.after = Pos(20);
        replay.lacks(&[Pos(14), Pos(22)]);
        assert_eq!(told(&replay, 24), [14, 21, 22, 23]);
    }
}
