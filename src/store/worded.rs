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

/// How many entries are looked at at once.
const PAGE_ENTRIES: usize = 200;

/// A stretch of which the words are all in the index, or none.
struct Part<'a> {
    stretch: Stretch<'a>,
    /// What is asked of the index.
    asked: Option<String>,
}

/// What has been found.
#[derive(Default)]
struct Tally {
    entries: Vec<Logged>,
    total: u64,
}

impl Tally {
    /// Whether one more would tell anything.
    fn is_open(&self, what: &Search) -> bool {
        self.total <= what.max as u64 || self.total <= what.count_max
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
            let (page, last) = part.page(by).await?;
            for logged in page.into_iter().filter(|logged| says(&logged.entry, words)) {
                tally.total += 1;
                tally.entries.extend(Some(logged).filter(|_| tally.total <= what.max as u64));
            }
            match last {
                Some(last) => part.stretch.pass(last),
                None => break,
            }
        }
    }
    let Tally { entries, total } = tally;
    Ok(Found { more: total > what.max as u64, entries, count: counted(total, what.count_max) })
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
        before.map(|stretch| Part { stretch, asked: Some(asked) }),
        behind.map(|stretch| Part { stretch, asked: None }),
    ];
    let mut parts: Vec<_> = parts.into_iter().flatten().collect();
    if newest {
        parts.reverse();
    }
    Ok(parts)
}

impl Part<'_> {
    /// The first entries of it that may have the words, and where it goes on.
    async fn page(&self, by: &impl Stretches) -> Result<(Vec<Logged>, Option<Pos>), Fault> {
        let stretch = &self.stretch;
        let Some(asked) = &self.asked else {
            let page = by.rows(stretch, PAGE_ENTRIES).await?;
            let last = page.last().map(|logged| logged.pos);
            let is_full = page.len() == PAGE_ENTRIES;
            return Ok((page, last.filter(|_| is_full)));
        };
        let places = by.proposed(stretch, asked, PAGE_ENTRIES).await?;
        let mut page = by.at(stretch.log, &places).await?;
        page.retain(|logged| stretch.has(&logged.entry));
        if stretch.newest {
            page.reverse();
        }
        Ok((page, places.last().copied().filter(|_| places.len() == PAGE_ENTRIES)))
    }
}
