//! Reads of a log.

use super::{Sqlite, fault, words};
use crate::{
    rows::EntryRow,
    search::{self, COLUMNS, Stretch, Stretches},
};
use engine::{
    archive::{Found, Search},
    port::{Fault, Logged},
    unit::{Flags, Pos},
    wire::Bare,
};
use sqlx::{AssertSqlSafe, FromRow, Row, SqlitePool, sqlite::SqliteRow};

pub(super) async fn page(
    readers: &SqlitePool,
    log: &Bare,
    after: Pos,
    max: usize,
) -> Result<Vec<Logged>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS} FROM entry
        WHERE log = (SELECT id FROM log WHERE jid = $1) AND pos > $2
        ORDER BY pos LIMIT $3"
    );
    let query = sqlx::query_as(AssertSqlSafe(sql)).bind(log.as_str()).bind(after.0);
    let query = query.bind(i64::try_from(max).unwrap_or(i64::MAX));
    logged(log, query.fetch_all(readers).await)
}

pub(super) async fn entries(
    readers: &SqlitePool,
    log: &Bare,
    at: &[Pos],
) -> Result<Vec<Logged>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS} FROM entry
        WHERE log = (SELECT id FROM log WHERE jid = $1)
            AND pos IN (SELECT value FROM json_each($2))
        ORDER BY pos"
    );
    let query = sqlx::query_as(AssertSqlSafe(sql)).bind(log.as_str()).bind(super::json(at));
    logged(log, query.fetch_all(readers).await)
}

pub(super) async fn search(store: &Sqlite, log: &Bare, what: &Search) -> Result<Found, Fault> {
    if let Some(known) = store.large.knows(log, what) {
        return Ok(known);
    }
    let found = search::search(&store.readers, log, what).await?;
    store.large.learns(log, what, &found);
    Ok(found)
}

impl Stretches for SqlitePool {
    async fn rows(&self, of: &Stretch<'_>, max: usize) -> Result<Vec<Logged>, Fault> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let rows = ask(self, of.rows_sql(hint(of)), of, max).await?;
        logged(of.log, rows.iter().map(EntryRow::from_row).collect())
    }

    async fn count(&self, of: &Stretch<'_>, max: u64) -> Result<u64, Fault> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let rows = ask(self, of.count_sql(hint(of)), of, max).await?;
        let count = rows.first().map(|row| row.try_get::<i64, _>(0)).transpose().map_err(fault)?;
        Ok(count.unwrap_or_default().unsigned_abs())
    }

    async fn at(&self, log: &Bare, places: &[Pos]) -> Result<Vec<Logged>, Fault> {
        entries(self, log, places).await
    }

    async fn indexed(&self, log: &Bare) -> Result<Option<(i64, Pos)>, Fault> {
        words::indexed(self, log).await
    }

    async fn proposed(&self, of: &Stretch<'_>, asked: &str, max: usize) -> Result<Vec<Pos>, Fault> {
        words::proposed(self, of, asked, max).await
    }

    fn operators(&self) -> [&'static str; 2] {
        ["AND", "OR"]
    }
}

/// Without statistics the index of the log would seem to be as good.
pub(super) fn hint(of: &Stretch<'_>) -> &'static str {
    match (of.with, of.flags.has(Flags::SPEAKS)) {
        (Some(_), _) => "INDEXED BY entry_peer",
        (None, true) => "INDEXED BY entry_speaks",
        (None, false) => "",
    }
}

async fn ask(
    readers: &SqlitePool,
    sql: String,
    of: &Stretch<'_>,
    max: i64,
) -> Result<Vec<SqliteRow>, Fault> {
    let mut query = sqlx::query(AssertSqlSafe(sql))
        .bind(of.log.as_str())
        .bind(of.after.0)
        .bind(of.until.0)
        .bind(of.flags.0)
        .bind(max);
    if let Some(with) = of.with {
        query = query.bind(with.as_str());
    }
    query.fetch_all(readers).await.map_err(fault)
}

fn logged(log: &Bare, rows: sqlx::Result<Vec<EntryRow>>) -> Result<Vec<Logged>, Fault> {
    rows.map_err(fault)?.into_iter().map(|row| row.logged(log)).collect()
}

impl FromRow<'_, SqliteRow> for EntryRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            pos: row.try_get(0)?,
            flags: row.try_get(1)?,
            peer: row.try_get(2)?,
            key: row.try_get(3)?,
            sm: row.try_get(4)?,
            h: row.try_get(5)?,
            ext_id: row.try_get(6)?,
            stanza: row.try_get(7)?,
        })
    }
}
