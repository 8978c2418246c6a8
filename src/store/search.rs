//! Searches of a log, as far as they are the same for both databases.

use crate::worded::worded;
use engine::{
    archive::{Found, Search},
    port::{Fault, Logged},
    unit::{Entry, Flags, Pos},
    wire::{Bare, Stanza},
    words::Words,
};

/// The columns of an entry, as they are read.
pub(crate) const COLUMNS: &str = "pos, flags, peer, key, sm, h, ext_id, stanza";

/// A stretch of a log, and what of it is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Stretch<'a> {
    pub(crate) log: &'a Bare,
    /// It begins behind this.
    pub(crate) after: Pos,
    /// It ends here.
    pub(crate) until: Pos,
    pub(crate) flags: Flags,
    pub(crate) with: Option<&'a Bare>,
    pub(crate) newest: bool,
}

impl<'a> Stretch<'a> {
    /// `None`: there is nothing in between.
    pub(crate) fn of(log: &'a Bare, what: &'a Search) -> Option<Self> {
        let Search { after, before, with, flags, newest, .. } = what;
        let until = before.map_or(Some(i64::MAX), |before| before.0.checked_sub(1))?;
        let stretch = Self {
            log,
            after: *after,
            until: Pos(until),
            flags: *flags,
            with: with.as_ref(),
            newest: *newest,
        };
        stretch.unless_empty()
    }

    fn unless_empty(self) -> Option<Self> {
        (self.after < self.until).then_some(self)
    }

    /// What of it stands up to there, and what behind.
    pub(crate) fn split(self, at: Pos) -> (Option<Self>, Option<Self>) {
        let (upto, behind) = (self.until.min(at), self.after.max(at));
        (Self { until: upto, ..self }.unless_empty(), Self { after: behind, ..self }.unless_empty())
    }

    /// Whether an entry that stands in it is wanted.
    pub(crate) fn has(&self, entry: &Entry) -> bool {
        entry.flags.has(self.flags) && self.with.is_none_or(|with| *with == entry.peer)
    }

    /// Goes on behind this entry.
    pub(crate) fn pass(&mut self, pos: Pos) {
        match self.newest {
            true => self.until = Pos(pos.0 - 1),
            false => self.after = pos,
        }
    }

    /// Reads at most `$5` entries: the newest first, or the oldest. `$1` to `$4` are the fields in
    /// their order, `$6` whom it was said with.
    /// `hint` stands behind the table's name.
    pub(crate) fn rows_sql(&self, hint: &str) -> String {
        let order = if self.newest { "DESC" } else { "ASC" };
        format!("SELECT {COLUMNS} {} ORDER BY pos {order} LIMIT $5", self.entries_sql(hint))
    }

    /// Counts at most `$5` entries. In an order, so that no index but that of the log will do.
    pub(crate) fn count_sql(&self, hint: &str) -> String {
        let from = self.entries_sql(hint);
        format!("SELECT count(*) FROM (SELECT 1 {from} ORDER BY pos LIMIT $5) AS found")
    }

    fn entries_sql(&self, hint: &str) -> String {
        let with = if self.with.is_some() { "AND peer = $6" } else { "" };
        // In these words the index of what is to be read is known to have it.
        let speaks = self.flags.has(Flags::SPEAKS);
        let speaks = if speaks { "AND (flags & 16) = 16" } else { "" };
        format!(
            "FROM entry {hint}
            WHERE log = (SELECT id FROM log WHERE jid = $1) AND pos > $2 AND pos <= $3
                AND (flags & $4) = $4 {speaks} {with}"
        )
    }
}

/// Who reads stretches.
pub(crate) trait Stretches {
    /// The first entries of it.
    async fn rows(&self, of: &Stretch<'_>, max: usize) -> Result<Vec<Logged>, Fault>;
    /// How many there are, counted up to `max`.
    async fn count(&self, of: &Stretch<'_>, max: u64) -> Result<u64, Fault>;
    /// The entries at these places, in the order of the log.
    async fn at(&self, log: &Bare, places: &[Pos]) -> Result<Vec<Logged>, Fault>;
    /// The number of a log, and up to where the index has its words.
    async fn indexed(&self, log: &Bare) -> Result<Option<(i64, Pos)>, Fault>;
    /// The first places of it that the index proposes.
    async fn proposed(&self, of: &Stretch<'_>, asked: &str, max: usize) -> Result<Vec<Pos>, Fault>;
    /// And, or, as the index is asked.
    fn operators(&self) -> [&'static str; 2];
}

pub(crate) async fn search(by: &impl Stretches, log: &Bare, what: &Search) -> Result<Found, Fault> {
    let mut found = match (Stretch::of(log, what), &what.words) {
        (None, _) => Found { count: counted(0, what.count_max), ..Found::default() },
        (Some(stretch), None) => plain(by, &stretch, what).await?,
        (Some(stretch), Some(words)) => worded(by, stretch, what, words).await?,
    };
    if what.newest {
        found.entries.reverse();
    }
    Ok(found)
}

async fn plain(by: &impl Stretches, stretch: &Stretch<'_>, what: &Search) -> Result<Found, Fault> {
    let mut entries = by.rows(stretch, what.max.saturating_add(1)).await?;
    let more = entries.len() > what.max;
    let total = match more && what.count_max > 0 {
        true => by.count(stretch, what.count_max.saturating_add(1)).await?,
        false => entries.len() as u64,
    };
    entries.truncate(what.max);
    let count = counted(total, what.count_max);
    Ok(Found { entries, more, count, ..Found::default() })
}

/// Whether this entry has all of these words.
pub(crate) fn says(entry: &Entry, words: &Words) -> bool {
    Stanza::parse_one(&entry.stanza).is_ok_and(|stanza| words.are_in(&stanza))
}

pub(crate) fn counted(total: u64, count_max: u64) -> Option<u64> {
    Some(total).filter(|_| count_max > 0 && total <= count_max)
}
