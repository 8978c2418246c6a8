//! Reads of a log.

use super::{
    Postgres,
    read::{get, query},
    words,
};
use crate::{
    rows::EntryRow,
    search::{self, COLUMNS, Stretch, Stretches},
};
use deadpool_postgres::{
    Object,
    tokio_postgres::{Row, types::ToSql},
};
use engine::{
    archive::{Found, Search},
    port::{Fault, Logged},
    unit::Pos,
    wire::Bare,
};

pub(super) async fn page(
    client: &Object,
    log: &Bare,
    after: Pos,
    max: usize,
) -> Result<Vec<Logged>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS} FROM entry
        WHERE log = (SELECT id FROM log WHERE jid = $1) AND pos > $2
        ORDER BY pos LIMIT $3"
    );
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    logged(log, &query(client, &sql, &[&log.as_str(), &after.0, &max]).await?)
}

pub(super) async fn entries(client: &Object, log: &Bare, at: &[Pos]) -> Result<Vec<Logged>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS} FROM entry
        WHERE log = (SELECT id FROM log WHERE jid = $1) AND pos = ANY ($2)
        ORDER BY pos"
    );
    let at: Vec<i64> = at.iter().map(|pos| pos.0).collect();
    logged(log, &query(client, &sql, &[&log.as_str(), &at]).await?)
}

pub(super) async fn search(store: &Postgres, log: &Bare, what: &Search) -> Result<Found, Fault> {
    if let Some(known) = store.large.knows(log, what) {
        return Ok(known);
    }
    let found = search::search(&store.reader().await?, log, what).await?;
    store.large.learns(log, what, &found);
    Ok(found)
}

impl Stretches for Object {
    async fn rows(&self, of: &Stretch<'_>, max: usize) -> Result<Vec<Logged>, Fault> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        logged(of.log, &ask(self, &of.rows_sql(""), of, max).await?)
    }

    async fn count(&self, of: &Stretch<'_>, max: u64) -> Result<u64, Fault> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let rows = ask(self, &of.count_sql(""), of, max).await?;
        let count: Option<i64> = rows.first().map(|row| get(row, 0)).transpose()?;
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
        ["&", "|"]
    }
}

async fn ask(client: &Object, sql: &str, of: &Stretch<'_>, max: i64) -> Result<Vec<Row>, Fault> {
    let log = of.log.as_str();
    let mut values: Vec<&(dyn ToSql + Sync)> =
        vec![&log, &of.after.0, &of.until.0, &of.flags.0, &max];
    let with = of.with.map(|with| with.as_str());
    values.extend(with.iter().map(|with| with as &(dyn ToSql + Sync)));
    query(client, sql, &values).await
}

fn logged(log: &Bare, rows: &[Row]) -> Result<Vec<Logged>, Fault> {
    rows.iter().map(|row| entry(row)?.logged(log)).collect()
}

fn entry(row: &Row) -> Result<EntryRow, Fault> {
    Ok(EntryRow {
        pos: get(row, 0)?,
        flags: get(row, 1)?,
        peer: get(row, 2)?,
        key: get(row, 3)?,
        sm: get(row, 4)?,
        h: get(row, 5)?,
        ext_id: get(row, 6)?,
        stanza: get(row, 7)?,
    })
}
