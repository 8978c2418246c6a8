//! The index of the words of archives, as far as it is the same for both databases.
//!
//! It follows the log as a cursor does, log by log, and never holds up a message. It knows keys
//! only, and only proposes: what has the keys may have the words, and is looked at before it is
//! told.

use crate::purge::{Numbers, Sweeps};
use engine::{
    port::{Batch, Fault},
    unit::{Flags, Pos},
    wire::{Bare, Stanza},
    words::{Words, key, keys},
};
use std::collections::{BTreeMap, BTreeSet};

/// Entries that are gone through at once: the writer waits that long.
pub(crate) const PIECE_ENTRIES: usize = 200;
/// Logs that are gone on with at once.
const LOGS: usize = 50;
/// Keys of one message that are kept. One that has more is always looked at: a row of PostgreSQL
/// has an end.
const KEYS_MAX: usize = 10_000;
/// Keys that are asked for at once; the others are seen when the message is looked at.
const ASKED_KEYS_MAX: usize = 32;

/// Logs that have been written to and not been gone on with, as many as are remembered. When there
/// are more, all logs are asked.
const TOUCHED_LOGS_MAX: usize = 10_000;

/// Logs with what is not in the index yet. Only behind $2 there can be any.
pub(crate) const BEHIND: &str = "
    SELECT id, indexed FROM log
    WHERE id > $1
        AND (SELECT MAX(pos) FROM entry WHERE entry.log = log.id AND pos > $2) > indexed
    ORDER BY id LIMIT $3";

/// The logs that have been written to. It belongs to who writes: what it has been told of is
/// written, or never will be, when the writer has an answer from the database again.
#[derive(Default)]
pub(crate) enum Touched {
    /// As after a start.
    #[default]
    Any,
    Only(BTreeSet<Bare>),
}

impl Touched {
    /// The batch may be written.
    pub(crate) fn add(&mut self, batch: &Batch) {
        let Self::Only(logs) = self else { return };
        let entries = batch.units.iter().flat_map(|(unit, _)| &unit.entries);
        for entry in entries {
            if !logs.contains(&entry.log) {
                logs.insert(entry.log.clone());
            }
        }
        if logs.len() > TOUCHED_LOGS_MAX {
            *self = Self::Any;
        }
    }

    /// All until now. From now on it is none.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Only(BTreeSet::new()))
    }
}

/// How far the way through the logs has come.
#[derive(Default)]
pub(crate) struct Round {
    /// Everything up to here is in the index.
    upto: Pos,
    under_way: Option<Way>,
}

/// What is to be gone through.
struct Way {
    /// Where the last log ended when it began.
    until: Pos,
    logs: Touched,
    /// Of all logs, the number of that which it is at.
    at: i64,
}

/// Who keeps an index.
pub(crate) trait Indexes: Sweeps {
    /// The last position given, and what has been written to since this was asked last.
    async fn touched(&self) -> Result<(Pos, Touched), Fault>;
    /// Those of these logs with what is not in the index yet, as `BEHIND` has them.
    async fn behind(&self, logs: &[&Bare], upto: Pos) -> Result<Vec<(i64, i64)>, Fault>;
    /// Goes on with these logs, from these places on, in one transaction.
    async fn take(&self, behind: &[(i64, i64)]) -> Result<Taken, Fault>;
}

/// What was done at once.
#[derive(Default)]
pub(crate) struct Taken {
    /// So many entries were gone through.
    pub(crate) entries: usize,
    /// The last log of which nothing is left.
    done: i64,
}

impl Taken {
    /// So many of the next log. Whether there is room for more.
    pub(crate) fn add(&mut self, log: i64, entries: usize) -> bool {
        self.entries += entries;
        let has_room = self.entries < PIECE_ENTRIES;
        if has_room {
            self.done = log;
        }
        has_room
    }
}

/// Goes on by one piece.
pub(crate) async fn index(by: &impl Indexes, round: &mut Round) -> Result<u64, Fault> {
    loop {
        if round.under_way.is_none() {
            let (until, logs) = by.touched().await?;
            round.under_way = Some(Way { until, logs, at: 0 });
        }
        let Some(way) = &mut round.under_way else { return Ok(0) };
        let behind = way.next(by, round.upto).await?;
        if behind.is_empty() {
            *round = Round { upto: way.until, under_way: None };
            return Ok(0);
        }
        let taken = by.take(&behind).await?;
        way.at = taken.done.max(way.at);
        // Else all of it was removed meanwhile.
        if taken.entries > 0 {
            return Ok(taken.entries as u64);
        }
    }
}

impl Way {
    /// Some of the logs that are left, with what is not in the index yet; none: that is all.
    async fn next(&mut self, by: &impl Indexes, upto: Pos) -> Result<Vec<(i64, i64)>, Fault> {
        let Touched::Only(logs) = &mut self.logs else {
            let rows = by.read(BEHIND, &[self.at, upto.0, LOGS as i64]).await?;
            return Ok(rows.iter().filter_map(cursor).collect());
        };
        while !logs.is_empty() {
            let some: Vec<_> = logs.iter().take(LOGS).collect();
            let behind = by.behind(&some, upto).await?;
            if !behind.is_empty() {
                return Ok(behind);
            }
            // They are done.
            *logs = logs
                .iter()
                .nth(LOGS)
                .cloned()
                .map_or_else(BTreeSet::new, |next| logs.split_off(&next));
        }
        Ok(Vec::new())
    }
}

pub(crate) fn cursor(row: &Numbers) -> Option<(i64, i64)> {
    match row[..] {
        [Some(log), Some(upto)] => Some((log, upto)),
        _ => None,
    }
}

/// An entry, as far as the index goes.
pub(crate) struct IndexedRow {
    pub(crate) log: i64,
    pub(crate) pos: i64,
    pub(crate) flags: i16,
    pub(crate) peer: String,
    pub(crate) stanza: Vec<u8>,
}

/// What is written at once.
#[derive(Default)]
pub(crate) struct Piece {
    /// Of which log, where, its tokens.
    pub(crate) words: Vec<(i64, i64, String)>,
    /// Up to where each log is in the index then.
    pub(crate) upto: BTreeMap<i64, i64>,
}

impl Piece {
    pub(crate) fn take(&mut self, row: &IndexedRow) {
        self.upto.insert(row.log, row.pos);
        self.words.extend(tokens(row).map(|tokens| (row.log, row.pos, tokens)));
    }
}

/// `None`: it cannot be found by words.
fn tokens(row: &IndexedRow) -> Option<String> {
    if !Flags(row.flags).has(Flags::ARCHIVE) {
        return None;
    }
    let stanza = Stanza::parse_one(std::str::from_utf8(&row.stanza).ok()?).ok()?;
    let keys = keys(&stanza);
    let mut tokens: Vec<_> = match keys.len() {
        0 => return None,
        1..=KEYS_MAX => keys.into_iter().map(|key| word(row.log, key)).collect(),
        _ => vec![many(row.log)],
    };
    tokens.push(peer(row.log, &row.peer));
    Some(tokens.join(" "))
}

fn word(log: i64, key: u32) -> String {
    format!("{log:x}x{key:08x}")
}

fn peer(log: i64, of: &str) -> String {
    format!("{log:x}y{:08x}", key(of))
}

fn many(log: i64) -> String {
    format!("{log:x}z")
}

/// What finds all that may have these words, in the language of the database. Nothing of what a
/// client says stands in it.
pub(crate) fn asked(log: i64, words: &Words, with: Option<&Bare>, [and, or]: [&str; 2]) -> String {
    let keys = words.keys().into_iter().take(ASKED_KEYS_MAX);
    let all: Vec<_> = keys.map(|key| word(log, key)).collect();
    let said = format!("(({}) {or} {})", all.join(&format!(" {and} ")), many(log));
    match with {
        Some(with) => format!("{} {and} {said}", peer(log, with.as_str())),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::unit::{Entry, Unit};
    use std::cell::{Cell, RefCell};

    /// A database that counts at how many logs it has looked. The last entry of each stands at the
    /// number of the log.
    #[derive(Default)]
    struct Counting {
        logs: RefCell<BTreeMap<Bare, (i64, i64)>>,
        touched: RefCell<Touched>,
        looked_at: Cell<usize>,
    }

    impl Counting {
        fn write(&self, names: impl IntoIterator<Item = usize>) {
            let log = |name| Bare::parse(&format!("{name:05}@x")).unwrap();
            let logs: Vec<_> = names.into_iter().map(log).collect();
            for log in &logs {
                let id = 1 + self.logs.borrow().len() as i64;
                self.logs.borrow_mut().entry(log.clone()).or_insert((id, 0)).1 = 0;
            }
            let entries = logs.into_iter().map(|log| Entry {
                log: log.clone(),
                flags: Flags::ARCHIVE,
                peer: log,
                key: None,
                settles: None,
                foreign_id: None,
                stanza: "<message/>".into(),
            });
            let unit = Unit { entries: entries.collect(), ..Unit::default() };
            let batch = Batch { number: 1, last: Pos(1), units: vec![(unit, Vec::new())] };
            self.touched.borrow_mut().add(&batch);
        }

        async fn catch_up(&self, round: &mut Round) -> usize {
            self.looked_at.set(0);
            while index(self, round).await.unwrap() > 0 {}
            let logs = self.logs.borrow();
            assert!(logs.values().all(|(id, indexed)| id == indexed), "{logs:?}");
            self.looked_at.get()
        }
    }

    impl Sweeps for Counting {
        async fn read(&self, _: &'static str, values: &[i64]) -> Result<Vec<Numbers>, Fault> {
            let logs = self.logs.borrow();
            let mut behind: Vec<_> = logs.values().filter(|(id, _)| *id > values[0]).collect();
            self.looked_at.update(|count| count + behind.len());
            behind.retain(|(id, indexed)| id > indexed);
            behind.sort();
            let behind = behind.into_iter().take(LOGS);
            Ok(behind.map(|(id, indexed)| vec![Some(*id), Some(*indexed)]).collect())
        }

        async fn write(&self, _: &'static str, _: &[i64]) -> Result<u64, Fault> {
            unreachable!("it only reads");
        }
    }

    impl Indexes for Counting {
        async fn touched(&self) -> Result<(Pos, Touched), Fault> {
            Ok((Pos(0), self.touched.borrow_mut().take()))
        }

        async fn behind(&self, logs: &[&Bare], _: Pos) -> Result<Vec<(i64, i64)>, Fault> {
            self.looked_at.update(|count| count + logs.len());
            let all = self.logs.borrow();
            let cursors = logs.iter().filter_map(|log| all.get(*log)).copied();
            Ok(cursors.filter(|(id, indexed)| id > indexed).collect())
        }

        async fn take(&self, behind: &[(i64, i64)]) -> Result<Taken, Fault> {
            let mut taken = Taken::default();
            behind.iter().for_each(|(id, _)| _ = taken.add(*id, 1));
            let ids: BTreeSet<_> = behind.iter().map(|(id, _)| *id).collect();
            let mut logs = self.logs.borrow_mut();
            logs.values_mut().filter(|log| ids.contains(&log.0)).for_each(|log| log.1 = log.0);
            Ok(taken)
        }
    }

    #[tokio::test]
    async fn only_logs_that_have_been_written_to_are_asked() {
        let (database, mut round) = (Counting::default(), Round::default());
        database.write(0..2_000);
        assert!(database.catch_up(&mut round).await >= 2_000, "all, after a start");
        assert_eq!(database.catch_up(&mut round).await, 0);
        database.write([7, 1_999, 3_000]);
        assert!(database.catch_up(&mut round).await <= 6);
        database.write((0..2_000).filter(|name| name % 10 == 0));
        assert!(database.catch_up(&mut round).await <= 400);
        assert_eq!(database.catch_up(&mut round).await, 0);
    }

    #[tokio::test]
    async fn of_more_logs_than_are_remembered_none_is_forgotten() {
        let (database, mut round) = (Counting::default(), Round::default());
        database.catch_up(&mut round).await;
        database.write(0..TOUCHED_LOGS_MAX + 1);
        assert!(matches!(*database.touched.borrow(), Touched::Any));
        assert!(database.catch_up(&mut round).await > TOUCHED_LOGS_MAX);
        database.write([7]);
        assert!(database.catch_up(&mut round).await <= 2);
    }

    #[test]
    fn nothing_of_what_is_searched_for_stands_in_the_question() {
        let with = Bare::parse("romeo@example.net").unwrap();
        for text in ["rose", "\"a\" OR b*", "NEAR(a b) & !c | 'd' : <->", "^a {b} (c) -d \\ %"] {
            for with in [None, Some(&with)] {
                let asked = asked(255, &Words::of(text), with, ["AND", "OR"]);
                let is_ours = |word: &str| {
                    let word = word.trim_matches(['(', ')']);
                    ["AND", "OR", "ffz"].contains(&word)
                        || word.len() == 11
                            && (word.starts_with("ffx") || word.starts_with("ffy"))
                            && word[3..].bytes().all(|byte| byte.is_ascii_hexdigit())
                };
                assert!(asked.split(' ').all(is_ours), "{asked}");
            }
        }
    }

    #[test]
    fn no_more_keys_are_kept_or_asked_for_than_the_limits_say() {
        let said = |count| {
            let body: String = (0..count).map(|n| format!("w{n} ")).collect();
            let stanza = format!("<message><body>{body}</body></message>").into_bytes();
            let (flags, peer) = (Flags::ARCHIVE.0, "romeo@example.net".to_owned());
            let row = IndexedRow { log: 16, pos: 1, flags, peer, stanza };
            tokens(&row).map(|tokens| tokens.split(' ').count())
        };
        assert_eq!([0, 1, 500].map(said), [None, Some(2), Some(501)]);
        // Of so many words some have the same key.
        assert!(said(KEYS_MAX - 100).is_some_and(|count| count > KEYS_MAX - 150));
        assert_eq!(said(2 * KEYS_MAX), Some(2));
        let words: String = (0..500).map(|n| format!("w{n} ")).collect();
        let asked = asked(1, &Words::of(&words), None, ["&", "|"]);
        assert_eq!(asked.matches(" & ").count(), ASKED_KEYS_MAX - 1);
    }
}
