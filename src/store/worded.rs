//! Searches for words: what is in the index is proposed by it, what is not yet is looked through.

use crate::{
    index,
    search::{Stretch, Stretches, counted, says},
};
use engine::{
    archive::{Found, Search},
    port::{Fault, Logged},
    unit::{Flags, Pos},
    words::Words,
};
use std::collections::VecDeque;

/// How many entries are looked at at once.
const PAGE_ENTRIES: usize = 200;

/// A stretch of which the words are all in the index, or none.
struct Part<'a> {
    stretch: Stretch<'a>,
    /// What is asked of the index.
    asked: Option<Asked>,
}

/// A question to the index.
struct Asked {
    what: String,
    /// What it has proposed, and is not looked at yet.
    places: VecDeque<Pos>,
    /// So many are asked for next. Twice as many each time: the index of PostgreSQL goes through
    /// all that it has of the words to tell the first of them.
    next: usize,
}

/// What has been found.
#[derive(Default)]
struct Tally {
    entries: Vec<Logged>,
    total: u64,
    looked_at: usize,
    /// The last that was looked at.
    last: Option<Pos>,
}

impl Tally {
    /// Whether one more would tell anything.
    fn is_open(&self, what: &Search) -> bool {
        self.total <= what.max as u64 || self.total <= what.count_max
    }

    /// So many more may be looked at.
    fn room(&self, what: &Search) -> usize {
        what.looked_at_max.map_or(usize::MAX, |max| max.saturating_sub(self.looked_at))
    }

    fn take(&mut self, page: Vec<Logged>, max: usize, words: &Words) {
        self.last = page.last().map(|logged| logged.pos).or(self.last);
        for logged in page.into_iter().filter(|logged| says(&logged.entry, words)) {
            self.total += 1;
            self.entries.extend(Some(logged).filter(|_| self.total <= max as u64));
        }
    }

    /// Nothing more is looked at.
    fn told(self, what: &Search, is_whole: bool) -> Found {
        let Self { entries, total, looked_at, last } = self;
        let is_full = total > what.max as u64;
        let count = counted(total, what.count_max).filter(|_| is_whole);
        let stopped = last.filter(|_| !is_whole && !is_full);
        Found { more: is_full || !is_whole, entries, count, looked_at, stopped }
    }
}

/// Goes through the stretch, a page at a time, until it has enough.
pub(crate) async fn worded(
    by: &impl Stretches,
    stretch: Stretch<'_>,
    what: &Search,
    words: &Words,
) -> Result<Found, Fault> {
    let mut tally = Tally::default();
    // No words are in nothing.
    let parts = match words.is_empty() {
        true => Vec::new(),
        false => parts(by, stretch, words).await?,
    };
    for mut part in parts {
        while tally.is_open(what) {
            let room = tally.room(what);
            if room == 0 {
                return Ok(tally.told(what, false));
            }
            let (page, looked_at) = part.page(by, room).await?;
            tally.looked_at += looked_at;
            tally.take(page, what.max, words);
            if looked_at < room.min(PAGE_ENTRIES) {
                break;
            }
        }
    }
    Ok(tally.told(what, true))
}

/// In the order in which they are gone through. The index has what archives show.
async fn parts<'a>(
    by: &impl Stretches,
    stretch: Stretch<'a>,
    words: &Words,
) -> Result<Vec<Part<'a>>, Fault> {
    let indexed = match stretch.flags.has(Flags::ARCHIVE) {
        true => by.indexed(stretch.log).await?,
        false => None,
    };
    let Some((log, upto)) = indexed else {
        return Ok(vec![Part { stretch, asked: None }]);
    };
    let asked = index::asked(log, words, stretch.with, by.operators());
    let newest = stretch.newest;
    let (before, behind) = stretch.split(upto);
    let parts = [
        before.map(|stretch| Part { stretch, asked: Some(Asked::of(asked)) }),
        behind.map(|stretch| Part { stretch, asked: None }),
    ];
    let mut parts: Vec<_> = parts.into_iter().flatten().collect();
    if newest {
        parts.reverse();
    }
    Ok(parts)
}

impl Asked {
    fn of(what: String) -> Self {
        Self { what, places: VecDeque::new(), next: PAGE_ENTRIES }
    }
}

impl Part<'_> {
    /// The next entries of it that may have the words, of at most so many that are looked at; and
    /// how many were. It goes on behind them.
    async fn page(
        &mut self,
        by: &impl Stretches,
        room: usize,
    ) -> Result<(Vec<Logged>, usize), Fault> {
        let (stretch, max) = (&mut self.stretch, room.min(PAGE_ENTRIES));
        let Some(asked) = &mut self.asked else {
            let page = by.rows(stretch, max).await?;
            page.last().into_iter().for_each(|last| stretch.pass(last.pos));
            let looked_at = page.len();
            return Ok((page, looked_at));
        };
        if asked.places.len() < max {
            asked.places = by.proposed(stretch, &asked.what, asked.next.min(room)).await?.into();
            asked.next = asked.next.saturating_mul(2);
        }
        let places: Vec<_> = asked.places.drain(..max.min(asked.places.len())).collect();
        let mut page = by.at(stretch.log, &places).await?;
        page.retain(|logged| stretch.has(&logged.entry));
        if stretch.newest {
            page.reverse();
        }
        places.last().into_iter().for_each(|last| stretch.pass(*last));
        Ok((page, places.len()))
    }
}
