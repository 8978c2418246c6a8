//! Of what there is more than is counted.
//!
//! A page of an archive tells how many messages there are, up to a thousand (XEP-0059 §2.2), and to
//! count those takes longer than to read the page. Who pages through years would have them counted
//! with each page. That there are more was found out with the first, and the number may always be
//! left out: so nobody is told anything wrong when there are fewer by now.

use engine::{
    archive::{Found, Search},
    unit::Pos,
    wire::Bare,
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long it is believed.
const BELIEVED: Duration = Duration::from_secs(60);
/// Searches that are remembered.
const KNOWN_SEARCHES_MAX: usize = 10_000;

/// A log, whom it was said with, what the entries have, and up to how many are counted.
type Key = (Bare, Option<Bare>, i16, u64);

/// Searches that have found more than they count, and when.
#[derive(Debug, Default)]
pub(crate) struct Large(Mutex<HashMap<Key, Instant>>);

impl Large {
    /// What a search finds that only counts, if that is known to be too much.
    pub(crate) fn knows(&self, log: &Bare, what: &Search) -> Option<Found> {
        let key = key(log, what)?;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(&key).filter(|found| found.elapsed() < BELIEVED);
        found.map(|_| Found { more: true, ..Found::default() })
    }

    /// What it has found.
    pub(crate) fn learns(&self, log: &Bare, what: &Search, found: &Found) {
        let Some(key) = key(log, what).filter(|_| found.count.is_none()) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_SEARCHES_MAX {
            known.retain(|_, found| found.elapsed() < BELIEVED);
        }
        if known.len() < KNOWN_SEARCHES_MAX {
            known.insert(key, Instant::now());
        }
    }
}

/// None of a search that does more than count, or not all that there is.
fn key(log: &Bare, what: &Search) -> Option<Key> {
    let Search { after, before, with, flags, words, max, count_max, .. } = what;
    let counts_all = *max == 0 && *count_max > 0 && *after == Pos::default() && before.is_none();
    let counts_all = counts_all && words.is_none();
    counts_all.then(|| (log.clone(), with.clone(), flags.0, *count_max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::unit::Flags;

    #[test]
    fn what_was_too_much_to_count_is_not_counted_again_for_a_while() {
        let (large, log) = (Large::default(), Bare::parse("a@x").unwrap());
        let counts = Search { count_max: 10, ..Search::default() };
        let with = Search { with: Some(Bare::parse("b@x").unwrap()), ..counts.clone() };
        assert_eq!(large.knows(&log, &counts), None);
        let counted = Found { count: Some(10), ..Found::default() };
        large.learns(&log, &counts, &counted);
        assert_eq!(large.knows(&log, &counts), None);
        let too_many = Found { more: true, ..Found::default() };
        large.learns(&log, &counts, &too_many);
        assert_eq!(large.knows(&log, &counts), Some(too_many.clone()));
        let others = [
            with,
            Search { count_max: 20, ..counts.clone() },
            Search { max: 1, ..counts.clone() },
            Search { after: Pos(1), ..counts.clone() },
            Search { before: Some(Pos(9)), ..counts.clone() },
            Search { flags: Flags::ARCHIVE, ..counts.clone() },
        ];
        for other in &others {
            assert_eq!(large.knows(&log, other), None, "{other:?}");
        }
        assert_eq!(large.knows(&Bare::parse("b@x").unwrap(), &counts), None);
        let page = &others[2];
        large.learns(&log, page, &too_many);
        assert_eq!(large.knows(&log, page), None);
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let (large, too_many) = (Large::default(), Found { more: true, ..Found::default() });
        for number in 1..=KNOWN_SEARCHES_MAX as u64 + 1 {
            let what = Search { count_max: number, ..Search::default() };
            large.learns(&Bare::parse("a@x").unwrap(), &what, &too_many);
        }
        assert_eq!(large.0.lock().unwrap().len(), KNOWN_SEARCHES_MAX);
    }
}
