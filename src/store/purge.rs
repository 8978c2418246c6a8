//! What is kept no longer, removed in pieces: between them the writer goes on. The statements are
//! the same for both databases.

use engine::{
    port::{Fault, Retention},
    unit::{Pos, Resumable},
};

/// Entries of one piece. They stand in as many pages of SQLite's file: the writer waits that long.
const PIECE_ENTRIES: u64 = 100;
/// Logs that are looked at at once.
const LOGS: usize = 500;
/// How long what is only delivered stays at least: by it is known what is said again.
pub(crate) const TRANSIT_MS: u64 = 3_600_000;
/// Of a log that is removed so many entries go with it, and the others later.
pub(crate) const ERASED_AT_ONCE: &str = "
    DELETE FROM entry
    WHERE log = (SELECT id FROM log WHERE jid = $1) AND pos <= COALESCE((
        SELECT pos FROM entry WHERE log = (SELECT id FROM log WHERE jid = $1)
        ORDER BY pos LIMIT 1 OFFSET 199
    ), 9223372036854775807)";
/// Remembers the others.
pub(crate) const ERASED_LATER: &str = "
    INSERT INTO erase (log) SELECT id FROM log
    WHERE jid = $1 AND EXISTS (SELECT 1 FROM entry WHERE entry.log = log.id)";

/// Logs of accounts that have what was only to be delivered.
pub(crate) const TRANSIT_LOGS: &str = "
    SELECT id, offline, (SELECT MIN(mark) FROM session WHERE session.log = log.id)
    FROM log JOIN account ON account.log = log.id
    WHERE id > $1
        AND EXISTS (SELECT 1 FROM entry WHERE entry.log = log.id AND (flags & 12) = 8)
    ORDER BY id LIMIT $2";
/// Removes it.
pub(crate) const TRANSIT_GONE: &str =
    "DELETE FROM entry WHERE log = $1 AND pos <= $2 AND (flags & 12) = 8";

/// A row of numbers.
pub(crate) type Numbers = Vec<Option<i64>>;

/// The database, as far as numbers go.
pub(crate) trait Sweeps {
    /// Reads rows of numbers.
    async fn read(&self, sql: &'static str, values: &[i64]) -> Result<Vec<Numbers>, Fault>;
    /// Writes; says how many rows were touched.
    async fn write(&self, sql: &'static str, values: &[i64]) -> Result<u64, Fault>;
}

/// Removes it all. `looked`: what has come since then may make a log too long; no other has to be
/// counted.
pub(crate) async fn purge(by: &impl Sweeps, what: &Retention, looked: Pos) -> Result<u64, Fault> {
    let gone = sessions(by, what).await? + erased(by).await? + transit(by, what).await?;
    Ok(gone + if what.is_limited() { entries(by, what, looked).await? } else { 0 })
}

async fn sessions(by: &impl Sweeps, what: &Retention) -> Result<u64, Fault> {
    const SQL: &str = "DELETE FROM session WHERE expires < $1";
    let before = what.unix_ms.saturating_sub(Resumable::KEPT_MS);
    by.write(SQL, &[i64::try_from(before).unwrap_or(i64::MAX)]).await
}

/// Entries of logs that are no more.
async fn erased(by: &impl Sweeps) -> Result<u64, Fault> {
    let mut gone = 0;
    for row in by.read("SELECT log FROM erase", &[]).await? {
        let [Some(log)] = row[..] else { continue };
        gone += stretch(by, log, i64::MAX).await?;
        by.write("DELETE FROM erase WHERE log = $1", &[log]).await?;
    }
    Ok(gone)
}

/// What was only to be delivered, and is. What a session may not have got yet stays, and what may
/// tell of its `h`.
async fn transit(by: &impl Sweeps, what: &Retention) -> Result<u64, Fault> {
    let (mut gone, mut last) = (0, 0);
    let known = Pos::next(Pos(0), what.unix_ms.saturating_sub(TRANSIT_MS));
    loop {
        let rows = by.read(TRANSIT_LOGS, &[last, LOGS as i64]).await?;
        for row in &rows {
            let [Some(log), Some(delivered), mark] = row[..] else { continue };
            let until = mark.unwrap_or(i64::MAX).min(delivered).min(known.0);
            gone += by.write(TRANSIT_GONE, &[log, until]).await?;
            last = log;
        }
        if rows.len() < LOGS {
            return Ok(gone);
        }
    }
}

/// What is too old or too much, log by log.
async fn entries(by: &impl Sweeps, what: &Retention, looked: Pos) -> Result<u64, Fault> {
    const LOGS_SQL: &str = "
        SELECT id, (SELECT MIN(pos) FROM entry WHERE entry.log = log.id),
            CASE WHEN CAST($3 AS BIGINT) > 0
                AND (SELECT MAX(pos) FROM entry WHERE entry.log = log.id) > $4
            THEN (
                SELECT pos FROM entry WHERE entry.log = log.id ORDER BY pos DESC LIMIT 1 OFFSET $3
            ) END
        FROM log WHERE id > $1 ORDER BY id LIMIT $2";
    let (mut gone, mut last) = (0, 0);
    let entries_max = i64::try_from(what.entries_max).unwrap_or(i64::MAX);
    loop {
        let rows = by.read(LOGS_SQL, &[last, LOGS as i64, entries_max, looked.0]).await?;
        for row in &rows {
            let [Some(log), oldest, beyond] = row[..] else { continue };
            last = log;
            let before = beyond.map_or(0, |beyond| beyond.saturating_add(1)).max(what.before.0);
            if oldest.is_some_and(|oldest| oldest < before) {
                gone += stretch(by, log, before).await?;
            }
        }
        if rows.len() < LOGS {
            return Ok(gone);
        }
    }
}

/// The entries of a log before this place.
async fn stretch(by: &impl Sweeps, log: i64, before: i64) -> Result<u64, Fault> {
    const SQL: &str = "
        DELETE FROM entry
        WHERE log = $1 AND pos < $2 AND pos <= COALESCE((
            SELECT pos FROM entry WHERE log = $1 AND pos < $2 ORDER BY pos LIMIT 1 OFFSET 99
        ), $2)";
    let mut gone = 0;
    loop {
        let piece = by.write(SQL, &[log, before]).await?;
        gone += piece;
        if piece < PIECE_ENTRIES {
            return Ok(gone);
        }
    }
}
