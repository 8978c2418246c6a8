//! The index of the words of archives: rows of `words`, which FTS5 finds by their tokens.

use super::{Sqlite, fault};
use crate::{
    index::{IndexedRow, Indexes, PIECE_ENTRIES, Piece, Taken, Touched},
    search::Stretch,
};
use engine::{port::Fault, unit::Pos, wire::Bare};
use sqlx::{
    AssertSqlSafe, Connection, FromRow, Row, SqliteConnection, SqlitePool, sqlite::SqliteRow,
};

impl Indexes for Sqlite {
    async fn touched(&self) -> Result<(Pos, Touched), Fault> {
        self.writing.lock().await.touched().await
    }

    async fn behind(&self, logs: &[&Bare], upto: Pos) -> Result<Vec<(i64, i64)>, Fault> {
        const SQL: &str = "
            SELECT id, indexed FROM log
            WHERE jid IN (SELECT value FROM json_each($1))
                AND (SELECT MAX(pos) FROM entry WHERE entry.log = log.id AND pos > $2) > indexed
            ORDER BY id";
        let logs: Vec<_> = logs.iter().map(|log| log.as_str()).collect();
        let query = sqlx::query_as(SQL).bind(serde_json::json!(logs).to_string()).bind(upto.0);
        query.fetch_all(&self.readers).await.map_err(fault)
    }

    async fn take(&self, behind: &[(i64, i64)]) -> Result<Taken, Fault> {
        self.writing.lock().await.index(behind).await
    }
}

/// Reads and writes on the connection of the writer: nothing is removed from a log in between.
pub(super) async fn take(
    work: &mut SqliteConnection,
    behind: &[(i64, i64)],
) -> Result<Taken, Fault> {
    const ROWS: &str = "
        SELECT log, pos, flags, peer, stanza FROM entry WHERE log = $1 AND pos > $2
        ORDER BY pos LIMIT $3";
    const WORDS: &str = "INSERT INTO words (log, pos, words) VALUES ($1, $2, $3)";
    const UPTO: &str = "UPDATE log SET indexed = $2 WHERE id = $1";
    let mut work = work.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
    let (mut piece, mut taken) = (Piece::default(), Taken::default());
    for &(log, after) in behind {
        let max = PIECE_ENTRIES - taken.entries;
        let query = sqlx::query_as(ROWS).bind(log).bind(after).bind(max as i64);
        let rows: Vec<IndexedRow> = query.fetch_all(&mut *work).await.map_err(fault)?;
        rows.iter().for_each(|row| piece.take(row));
        if !taken.add(log, rows.len()) {
            break;
        }
    }
    for (log, pos, words) in &piece.words {
        let write = sqlx::query(WORDS).bind(log).bind(pos).bind(words);
        write.execute(&mut *work).await.map_err(fault)?;
    }
    for (log, upto) in &piece.upto {
        let write = sqlx::query(UPTO).bind(log).bind(upto);
        write.execute(&mut *work).await.map_err(fault)?;
    }
    work.commit().await.map_err(fault)?;
    Ok(taken)
}

pub(super) async fn indexed(readers: &SqlitePool, log: &Bare) -> Result<Option<(i64, Pos)>, Fault> {
    let query = sqlx::query_as("SELECT id, indexed FROM log WHERE jid = $1").bind(log.as_str());
    let found: Option<(i64, i64)> = query.fetch_optional(readers).await.map_err(fault)?;
    Ok(found.map(|(log, upto)| (log, Pos(upto))))
}

/// Within a log the rows of the index are in the order of the log: it is walked through from one
/// end, and never sorted.
pub(super) fn proposed_sql(of: &Stretch<'_>) -> String {
    let order = if of.newest { "DESC" } else { "ASC" };
    format!(
        "SELECT words.pos FROM words_index CROSS JOIN words ON words.id = words_index.rowid
        WHERE words_index MATCH $4
            AND words_index.rowid > COALESCE((
                SELECT id FROM words WHERE log = (SELECT id FROM log WHERE jid = $1) AND pos <= $2
                ORDER BY pos DESC LIMIT 1
            ), 0)
            AND words_index.rowid < COALESCE((
                SELECT id FROM words WHERE log = (SELECT id FROM log WHERE jid = $1) AND pos > $3
                ORDER BY pos LIMIT 1
            ), 9223372036854775807)
        ORDER BY words_index.rowid {order} LIMIT $5"
    )
}

pub(super) async fn proposed(
    readers: &SqlitePool,
    of: &Stretch<'_>,
    asked: &str,
    max: usize,
) -> Result<Vec<Pos>, Fault> {
    let query = sqlx::query_scalar(AssertSqlSafe(proposed_sql(of)))
        .bind(of.log.as_str())
        .bind(of.after.0)
        .bind(of.until.0)
        .bind(asked)
        .bind(i64::try_from(max).unwrap_or(i64::MAX));
    let places: Vec<i64> = query.fetch_all(readers).await.map_err(fault)?;
    Ok(places.into_iter().map(Pos).collect())
}

impl FromRow<'_, SqliteRow> for IndexedRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            log: row.try_get(0)?,
            pos: row.try_get(1)?,
            flags: row.try_get(2)?,
            peer: row.try_get(3)?,
            stanza: row.try_get(4)?,
        })
    }
}
