//! The index of the words of archives, as far as it is the same for both databases.
//!
//! It follows the log as a cursor does, log by log, and never holds up a message. It knows keys
//! only, and only proposes: what has the keys may have the words, and is looked at before it is
//! told.

use crate::purge::{Numbers, Sweeps};
use engine::{
    port::Fault,
    unit::{Flags, Pos},
    wire::{Bare, Stanza},
    words::{Words, key, keys},
};
use std::collections::BTreeMap;

/// Entries that are gone through at once: the writer waits that long.
pub(crate) const PIECE_ENTRIES: usize = 200;
/// Logs that are gone on with at once.
const LOGS: usize = 50;
/// Keys of one message that are kept. One that has more is always looked at: a row of PostgreSQL
/// has an end.
const KEYS_MAX: usize = 10_000;
/// Keys that are asked for at once; the others are seen when the message is looked at.
const ASKED_KEYS_MAX: usize = 32;

/// Logs with what is not in the index yet. Only behind $2 there can be any.
pub(crate) const BEHIND: &str = "
    SELECT id, indexed FROM log
    WHERE id > $1
        AND (SELECT MAX(pos) FROM entry WHERE entry.log = log.id AND pos > $2) > indexed
    ORDER BY id LIMIT $3";

/// How far the way through all logs has come.
#[derive(Default)]
pub(crate) struct Round {
    /// Everything up to here is in the index.
    upto: Pos,
    /// On the way: where the last log ended when it began, and the number of the log that it is at.
    under_way: Option<(Pos, i64)>,
}

/// Who keeps an index.
pub(crate) trait Indexes: Sweeps {
    /// The last position given.
    async fn last_pos(&self) -> Result<Pos, Fault>;
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
        let (until, log) = match round.under_way {
            Some(at) => at,
            None => (by.last_pos().await?, 0),
        };
        let rows = by.read(BEHIND, &[log, round.upto.0, LOGS as i64]).await?;
        let behind: Vec<_> = rows.iter().filter_map(cursor).collect();
        if behind.is_empty() {
            *round = Round { upto: until, under_way: None };
            return Ok(0);
        }
        let taken = by.take(&behind).await?;
        round.under_way = Some((until, taken.done.max(log)));
        // Else all of it was removed meanwhile.
        if taken.entries > 0 {
            return Ok(taken.entries as u64);
        }
    }
}

fn cursor(row: &Numbers) -> Option<(i64, i64)> {
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
