//! Reads. Each is one statement, so each sees one state of the database.

use super::fault;
use crate::rows::{CELLS_FROM, CredentialRow, RosterRow, bad_address, rooms};
use engine::{
    port::{Device, Fault, Loaded},
    unit::{Credentials, Pos, Resumable, Table},
    wire::{Bare, Text},
};
use sqlx::{FromRow, Row, SqlitePool, sqlite::SqliteRow};

pub(super) async fn credentials(
    readers: &SqlitePool,
    of: &Bare,
) -> Result<Option<Credentials>, Fault> {
    const SQL: &str = "
        SELECT changed, argon2id, disabled, mechanism, salt, iterations, stored_key, server_key
        FROM log
        JOIN account ON account.log = log.id
        LEFT JOIN credential ON credential.log = log.id
        WHERE log.jid = $1";
    let rows = sqlx::query(SQL).bind(of.as_str()).fetch_all(readers).await.map_err(fault)?;
    gathered(&rows)
}

/// What is kept of a password: a row for each of its hashes; no row is no account.
fn gathered(rows: &[SqliteRow]) -> Result<Option<Credentials>, Fault> {
    let Some(first) = rows.first() else { return Ok(None) };
    let mut found = Credentials {
        changed: first.try_get::<i64, _>("changed").map_err(fault)?.unsigned_abs(),
        argon2id: first.try_get("argon2id").map_err(fault)?,
        disabled: first.try_get("disabled").map_err(fault)?,
        ..Credentials::default()
    };
    for row in rows {
        // An account without hashes of SCRAM has NULLs there.
        if row.try_get::<Option<&str>, _>("mechanism").map_err(fault)?.is_some() {
            CredentialRow::from_row(row).map_err(fault)?.put(&mut found)?;
        }
    }
    Ok(Some(found))
}

pub(super) async fn device(
    readers: &SqlitePool,
    of: &Bare,
    at: Table,
    key: &str,
) -> Result<Option<Device>, Fault> {
    const SQL: &str = "
        SELECT changed, argon2id, disabled, mechanism, salt, iterations, stored_key, server_key,
            value
        FROM log
        JOIN account ON account.log = log.id
        LEFT JOIN credential ON credential.log = log.id
        LEFT JOIN cell ON cell.log = log.id AND cell.name = $2 AND cell.key = $3
        WHERE log.jid = $1";
    let query = sqlx::query(SQL).bind(of.as_str()).bind(at.name()).bind(key);
    let rows = query.fetch_all(readers).await.map_err(fault)?;
    let cell = rows.first().map(|row| row.try_get("value").map_err(fault)).transpose()?;
    Ok(gathered(&rows)?.map(|found| (found, cell.flatten())))
}

/// The account (0), its items (1), its removals by age (2), its cells at hand (3), its sessions
/// (4). Who sent entries is looked for behind the oldest mark of a session: an index of its own
/// would cost every message more than this costs those who come back.
pub(super) async fn load(
    readers: &SqlitePool,
    account: &Bare,
    at_hand: &str,
) -> Result<Option<Loaded>, Fault> {
    const SQL: &str = "
        WITH mine AS (
            SELECT id AS log, offline FROM log WHERE jid = $1 AND kind <= 2
        ), told AS (
            SELECT sm, MAX(h) AS h FROM entry
            WHERE log = (SELECT log FROM mine) AND sm IS NOT NULL
                AND pos > (SELECT MIN(mark) FROM mine JOIN session USING (log))
            GROUP BY sm
        )
        SELECT 0 AS what, 0 AS age, '' AS sort, NULL AS jid, NULL AS name, NULL AS groups,
            NULL AS state, NULL AS approved, NULL AS bytes,
            (SELECT MAX(pos) FROM writer) AS ver, NULL AS removed,
            NULL AS token, NULL AS h, NULL AS out, offline AS mark, NULL AS expires
        FROM mine
        UNION ALL
        SELECT 1, 0, jid, jid, name, groups, state, approved, request, ver, removed,
            NULL, NULL, NULL, NULL, NULL
        FROM mine JOIN roster USING (log) WHERE NOT removed
        UNION ALL
        SELECT 2, ver, jid, jid, name, groups, state, approved, request, ver, removed,
            NULL, NULL, NULL, NULL, NULL
        FROM mine JOIN roster USING (log) WHERE removed
        UNION ALL
        SELECT 3, 0, name, key, name, NULL, NULL, NULL, value, NULL, NULL,
            NULL, NULL, NULL, NULL, NULL
        FROM mine JOIN cell USING (log) WHERE name IN (SELECT value FROM json_each($2))
        UNION ALL
        SELECT 4, id, '', resource, device, NULL, NULL, NULL, state, NULL, NULL,
            sm_hash, MAX(session.h, COALESCE(told.h, 0)), out, mark, expires
        FROM mine JOIN session USING (log) LEFT JOIN told ON told.sm = session.id
        ORDER BY what, age, sort, jid";
    let query = sqlx::query(SQL).bind(account.as_str()).bind(at_hand);
    let rows = query.fetch_all(readers).await.map_err(fault)?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut loaded = Loaded::default();
    for row in &rows {
        match row.try_get::<i64, _>("what").map_err(fault)? {
            0 => {
                loaded.delivered = Pos(row.try_get("mark").map_err(fault)?);
                loaded.last = Pos(row.try_get("ver").map_err(fault)?);
            }
            3 => loaded.cells.push(cell_at_hand(row).map_err(fault)?),
            4 => loaded.sessions.push(session(row).map_err(fault)?),
            _ => RosterRow::from_row(row).map_err(fault)?.put(&mut loaded)?,
        }
    }
    Ok(Some(loaded))
}

fn session(row: &SqliteRow) -> sqlx::Result<Resumable> {
    Ok(Resumable {
        id: row.try_get("age")?,
        token: row.try_get::<Option<_>, _>("token")?.unwrap_or_default(),
        resource: Text::from(row.try_get::<String, _>("jid")?),
        device: row.try_get::<Option<String>, _>("name")?.map(Text::from),
        h: row.try_get("h")?,
        out: row.try_get("out")?,
        mark: Pos(row.try_get("mark")?),
        state: row.try_get::<Option<_>, _>("bytes")?.unwrap_or_default(),
        expires: row.try_get::<i64, _>("expires")?.unsigned_abs(),
    })
}

fn cell_at_hand(row: &SqliteRow) -> sqlx::Result<(String, String, Vec<u8>)> {
    Ok((row.try_get("name")?, row.try_get("jid")?, row.try_get("bytes")?))
}

pub(super) async fn accounts(
    readers: &SqlitePool,
    domain: &Bare,
    after: Option<&str>,
    max: usize,
) -> Result<Vec<Bare>, Fault> {
    const SQL: &str = "
        SELECT local || '@' || domain FROM account
        WHERE domain = $1 AND local > $2
        ORDER BY local LIMIT $3";
    let query = sqlx::query_scalar(SQL)
        .bind(domain.domain())
        .bind(after.unwrap_or(""))
        .bind(i64::try_from(max).unwrap_or(i64::MAX));
    addresses(&query.fetch_all(readers).await.map_err(fault)?)
}

fn addresses(found: &[String]) -> Result<Vec<Bare>, Fault> {
    let address = |account: &String| Bare::parse(account).map_err(|it| bad_address(account, it));
    found.iter().map(address).collect()
}

pub(super) async fn count(readers: &SqlitePool, domain: &Bare) -> Result<u64, Fault> {
    const SQL: &str = "SELECT count(*) FROM account WHERE domain = $1";
    let query = sqlx::query_scalar(SQL).bind(domain.domain());
    let count: i64 = query.fetch_one(readers).await.map_err(fault)?;
    Ok(count.unsigned_abs())
}

pub(super) async fn disabled(
    readers: &SqlitePool,
    domain: &Bare,
    max: usize,
) -> Result<(u64, Vec<Bare>), Fault> {
    const COUNT: &str = "SELECT count(*) FROM account WHERE domain = $1 AND disabled";
    const FIRST: &str = "
        SELECT local || '@' || domain FROM account WHERE domain = $1 AND disabled
        ORDER BY local LIMIT $2";
    let count = sqlx::query_scalar(COUNT).bind(domain.domain());
    let count: i64 = count.fetch_one(readers).await.map_err(fault)?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let first = sqlx::query_scalar(FIRST).bind(domain.domain()).bind(max);
    let first = addresses(&first.fetch_all(readers).await.map_err(fault)?)?;
    Ok((count.unsigned_abs(), first))
}

pub(super) async fn keeps_argon2id(readers: &SqlitePool) -> Result<bool, Fault> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM account WHERE argon2id IS NOT NULL)";
    sqlx::query_scalar(SQL).fetch_one(readers).await.map_err(fault)
}

pub(super) async fn cell(
    readers: &SqlitePool,
    at: Table,
    of: &Bare,
    key: &str,
) -> Result<Option<Vec<u8>>, Fault> {
    const SQL: &str = "
        SELECT value FROM cell
        WHERE log = (SELECT id FROM log WHERE jid = $1) AND name = $2 AND key = $3";
    let query = sqlx::query_scalar(SQL).bind(of.as_str()).bind(at.name()).bind(key);
    query.fetch_optional(readers).await.map_err(fault)
}

pub(super) async fn cells(
    readers: &SqlitePool,
    at: Table,
    of: &Bare,
) -> Result<Vec<(String, Vec<u8>)>, Fault> {
    const SQL: &str = "
        SELECT key, value FROM cell
        WHERE log = (SELECT id FROM log WHERE jid = $1) AND name = $2
        ORDER BY key";
    let query = sqlx::query_as(SQL).bind(of.as_str()).bind(at.name());
    query.fetch_all(readers).await.map_err(fault)
}

pub(super) async fn affiliated(
    readers: &SqlitePool,
    who: &Bare,
    after: Option<&Bare>,
    max: usize,
) -> Result<Vec<(Bare, Vec<u8>)>, Fault> {
    // The table's name stands here, for the index is of its cells alone.
    const SQL: &str = "
        SELECT jid, value FROM cell INDEXED BY cell_affiliation JOIN log ON log.id = cell.log
        WHERE name = 'affiliation' AND key = $1 AND kind = 2 AND jid > $2
        ORDER BY jid LIMIT $3";
    let query = sqlx::query_as(SQL)
        .bind(who.as_str())
        .bind(after.map_or("", |after| after.as_str()))
        .bind(i64::try_from(max).unwrap_or(i64::MAX));
    rooms(query.fetch_all(readers).await.map_err(fault)?)
}

pub(super) async fn cells_from(
    readers: &SqlitePool,
    at: Table,
    of: &Bare,
    from: &str,
    max: usize,
) -> Result<Vec<(String, Vec<u8>)>, Fault> {
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let query = sqlx::query_as(CELLS_FROM).bind(of.as_str()).bind(at.name()).bind(from).bind(max);
    query.fetch_all(readers).await.map_err(fault)
}

impl FromRow<'_, SqliteRow> for CredentialRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            mechanism: row.try_get("mechanism")?,
            salt: row.try_get("salt")?,
            iterations: row.try_get("iterations")?,
            stored_key: row.try_get("stored_key")?,
            server_key: row.try_get("server_key")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for RosterRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let groups = serde_json::from_str(row.try_get("groups")?)
            .map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Self {
            jid: row.try_get("jid")?,
            name: row.try_get("name")?,
            groups,
            state: row.try_get("state")?,
            approved: row.try_get("approved")?,
            request: row.try_get("bytes")?,
            ver: row.try_get("ver")?,
            removed: row.try_get("removed")?,
        })
    }
}
