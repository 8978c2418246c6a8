//! Searches of a log, as far as they are the same for both databases.

use engine::{
    archive::{Found, Search},
    port::{Fault, Logged},
    unit::{Entry, Flags, Pos},
    wire::{Bare, Stanza},
    words::Words,
};

/// The columns of an entry, as they are read.
pub(crate) const COLUMNS: &str = "pos, flags, peer, key, sm, h, ext_id, stanza";
/// How many entries are looked through for words at once.
const PAGE_ENTRIES: usize = 200;

/// A stretch of a log, and what of it is wanted.
pub(crate) struct Stretch<'a> {
    pub(crate) log: &'a Bare,
    /// It begins behind this.
    pub(crate) after: Pos,
    /// It ends here.
    pub(crate) until: Pos,
    pub(crate) flags: Flags,
    pub(crate) with: Option<&'a Bare>,
    newest: bool,
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
        (stretch.after < stretch.until).then_some(stretch)
    }

    /// Goes on behind this entry.
    fn pass(&mut self, pos: Pos) {
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
        format!(
            "FROM entry {hint}
            WHERE log = (SELECT id FROM log WHERE jid = $1) AND pos > $2 AND pos <= $3
                AND (flags & $4) = $4 {with}"
        )
    }
}

/// Who reads stretches.
pub(crate) trait Stretches {
    /// The first entries of it.
    async fn rows(&self, of: &Stretch<'_>, max: usize) -> Result<Vec<Logged>, Fault>;
    /// How many there are, counted up to `max`.
    async fn count(&self, of: &Stretch<'_>, max: u64) -> Result<u64, Fault>;
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
    Ok(Found { entries, more, count: counted(total, what.count_max) })
}

/// Looks through the whole stretch, a page at a time, until it has enough.
async fn worded(
    by: &impl Stretches,
    mut stretch: Stretch<'_>,
    what: &Search,
    words: &Words,
) -> Result<Found, Fault> {
    let (mut entries, mut total) = (Vec::new(), 0_u64);
    loop {
        let page = by.rows(&stretch, PAGE_ENTRIES).await?;
        let last = page.last().map(|logged| logged.pos).filter(|_| page.len() == PAGE_ENTRIES);
        for logged in page {
            if says(&logged.entry, words) {
                total += 1;
                entries.extend(Some(logged).filter(|_| total <= what.max as u64));
            }
        }
        let more = total > what.max as u64;
        match last {
            Some(last) if !more || (what.count_max > 0 && total <= what.count_max) => {
                stretch.pass(last);
            }
            _ => return Ok(Found { entries, more, count: counted(total, what.count_max) }),
        }
    }
}

/// Whether this entry has all of these words.
pub(crate) fn says(entry: &Entry, words: &Words) -> bool {
    Stanza::parse_one(&entry.stanza).is_ok_and(|stanza| words.are_in(&stanza))
}

fn counted(total: u64, count_max: u64) -> Option<u64> {
    Some(total).filter(|_| count_max > 0 && total <= count_max)
}
