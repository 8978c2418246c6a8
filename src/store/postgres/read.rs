//! Reads. Each is one statement: one round trip, and one state of the database.

use super::fault;
use crate::rows::{CELLS_FROM, CredentialRow, RosterRow, bad_address, rooms};
use deadpool_postgres::{
    Object,
    tokio_postgres::{
        Row,
        row::RowIndex,
        types::{FromSql, ToSql},
    },
};
use engine::{
    port::{Device, Fault, Loaded},
    unit::{Credentials, OCCUPANTS, Pos, Resumable, Table},
    wire::{Bare, Text},
};
use std::fmt::Display;

pub(super) async fn query(
    client: &Object,
    sql: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Fault> {
    let statement = client.prepare_cached(sql).await.map_err(fault)?;
    client.query(&statement, values).await.map_err(fault)
}

/// A column, by its number or name.
pub(super) fn get<'a, T: FromSql<'a>>(
    row: &'a Row,
    at: impl RowIndex + Display,
) -> Result<T, Fault> {
    row.try_get(at).map_err(fault)
}

pub(super) async fn credentials(client: &Object, of: &Bare) -> Result<Option<Credentials>, Fault> {
    const SQL: &str = "
        SELECT mechanism, salt, iterations, stored_key, server_key, changed, argon2id, disabled
        FROM log
        JOIN account ON account.log = log.id
        LEFT JOIN credential ON credential.log = log.id
        WHERE log.jid = $1";
    let rows = query(client, SQL, &[&of.as_str()]).await?;
    gathered(&rows)
}

/// What is kept of a password: a row for each of its hashes; no row is no account.
fn gathered(rows: &[Row]) -> Result<Option<Credentials>, Fault> {
    let Some(first) = rows.first() else { return Ok(None) };
    let mut found = Credentials {
        changed: get::<i64>(first, 5)?.unsigned_abs(),
        argon2id: get(first, 6)?,
        disabled: get(first, 7)?,
        ..Credentials::default()
    };
    for row in rows {
        // An account without hashes of SCRAM has NULLs there.
        let Some(mechanism) = get::<Option<String>>(row, 0)? else { continue };
        let row = CredentialRow {
            mechanism,
            salt: get(row, 1)?,
            iterations: get(row, 2)?,
            stored_key: get(row, 3)?,
            server_key: get(row, 4)?,
        };
        row.put(&mut found)?;
    }
    Ok(Some(found))
}

pub(super) async fn device(
    client: &Object,
    of: &Bare,
    at: Table,
    key: &str,
) -> Result<Option<Device>, Fault> {
    const SQL: &str = "
        SELECT mechanism, salt, iterations, stored_key, server_key, changed, argon2id, disabled,
            value
        FROM log
        JOIN account ON account.log = log.id
        LEFT JOIN credential ON credential.log = log.id
        LEFT JOIN cell ON cell.log = log.id AND cell.name = $2 AND cell.key = $3
        WHERE log.jid = $1";
    let rows = query(client, SQL, &[&of.as_str(), &at.name(), &key]).await?;
    let cell = rows.first().map(|row| get(row, 8)).transpose()?;
    Ok(gathered(&rows)?.map(|found| (found, cell.flatten())))
}

/// The account (0), its items (1), its removals by age (2), its cells at hand (3), its sessions
/// (4). Who sent entries is looked for behind the oldest mark of a session: an index of its own
/// would cost every message more than this costs those who come back.
pub(super) async fn load(
    client: &Object,
    account: &Bare,
    at_hand: &[&str],
) -> Result<Option<Loaded>, Fault> {
    const SQL: &str = r#"
        WITH mine AS (
            SELECT id AS log, offline FROM log WHERE jid = $1 AND kind <= 2
        ), told AS (
            SELECT sm, MAX(h) AS h FROM entry
            WHERE log = (SELECT log FROM mine) AND sm IS NOT NULL
                AND pos > (SELECT MIN(mark) FROM mine JOIN session USING (log))
            GROUP BY sm
        )
        SELECT 0 AS what, 0::int8 AS age, '' COLLATE "C" AS sort, '' COLLATE "C" AS jid,
            NULL::text AS name, NULL::text[] AS groups, 0::int2 AS state, FALSE AS approved,
            NULL::bytea AS bytes, (SELECT MAX(pos) FROM writer) AS ver, FALSE AS removed,
            NULL::bytea AS token, 0::int8 AS h, 0::int8 AS out, offline AS mark, 0::int8 AS expires
        FROM mine
        UNION ALL
        SELECT 1, 0, jid, jid, name, groups, state, approved, request, ver, removed,
            NULL, 0, 0, 0, 0
        FROM mine JOIN roster USING (log) WHERE NOT removed
        UNION ALL
        SELECT 2, ver, jid, jid, name, groups, state, approved, request, ver, removed,
            NULL, 0, 0, 0, 0
        FROM mine JOIN roster USING (log) WHERE removed
        UNION ALL
        SELECT 3, 0, name, key, name, NULL, 0::int2, FALSE, value, 0, FALSE,
            NULL, 0, 0, 0, 0
        FROM mine JOIN cell USING (log) WHERE name = ANY ($2)
        UNION ALL
        SELECT 4, id, '', resource COLLATE "C", device, NULL, 0::int2, FALSE, state, 0, FALSE,
            sm_hash, GREATEST(session.h, told.h), out, mark, expires
        FROM mine JOIN session USING (log) LEFT JOIN told ON told.sm = session.id
        ORDER BY what, age, sort, jid"#;
    let rows = query(client, SQL, &[&account.as_str(), &at_hand]).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut loaded = Loaded::default();
    for row in &rows {
        match get::<i32>(row, "what")? {
            0 => {
                loaded.delivered = Pos(get(row, "mark")?);
                loaded.last = Pos(get(row, "ver")?);
            }
            3 => loaded.cells.push((get(row, "name")?, get(row, "jid")?, get(row, "bytes")?)),
            4 => loaded.sessions.push(session(row)?),
            _ => roster(row)?.put(&mut loaded)?,
        }
    }
    Ok(Some(loaded))
}

fn session(row: &Row) -> Result<Resumable, Fault> {
    Ok(Resumable {
        id: get(row, "age")?,
        token: get::<Option<_>>(row, "token")?.unwrap_or_default(),
        resource: Text::from(get::<String>(row, "jid")?),
        device: get::<Option<String>>(row, "name")?.map(Text::from),
        h: get(row, "h")?,
        out: get(row, "out")?,
        mark: Pos(get(row, "mark")?),
        state: get::<Option<_>>(row, "bytes")?.unwrap_or_default(),
        expires: get::<i64>(row, "expires")?.unsigned_abs(),
    })
}

fn roster(row: &Row) -> Result<RosterRow, Fault> {
    Ok(RosterRow {
        jid: get(row, "jid")?,
        name: get(row, "name")?,
        groups: get(row, "groups")?,
        state: get(row, "state")?,
        approved: get(row, "approved")?,
        request: get(row, "bytes")?,
        ver: get(row, "ver")?,
        removed: get(row, "removed")?,
    })
}

pub(super) async fn accounts(
    client: &Object,
    domain: &Bare,
    after: Option<&str>,
    max: usize,
) -> Result<Vec<Bare>, Fault> {
    const SQL: &str = "
        SELECT local || '@' || domain FROM account
        WHERE domain = $1 AND local > $2
        ORDER BY local LIMIT $3";
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = query(client, SQL, &[&domain.domain(), &after.unwrap_or(""), &max]).await?;
    addresses(&rows)
}

fn addresses(rows: &[Row]) -> Result<Vec<Bare>, Fault> {
    let account = |row: &Row| {
        let account: &str = get(row, 0)?;
        Bare::parse(account).map_err(|error| bad_address(account, error))
    };
    rows.iter().map(account).collect()
}

pub(super) async fn resumable(
    client: &Object,
    unix_ms: u64,
    after: Option<&Bare>,
    max: usize,
) -> Result<Vec<Bare>, Fault> {
    // The index of the addresses is walked: all pages together look at each log once.
    const SQL: &str = "
        SELECT jid FROM log
        WHERE jid > $1 AND (
            EXISTS (SELECT 1 FROM session WHERE session.log = log.id AND expires > $2)
            OR kind = 2 AND EXISTS (SELECT 1 FROM cell WHERE cell.log = log.id AND name = $4))
        ORDER BY jid LIMIT $3";
    let after = after.map_or("", |after| after.as_str());
    let unix_ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = query(client, SQL, &[&after, &unix_ms, &max, &OCCUPANTS.name()]).await?;
    addresses(&rows)
}

pub(super) async fn disabled(
    client: &Object,
    domain: &Bare,
    max: usize,
) -> Result<(u64, Vec<Bare>), Fault> {
    const COUNT: &str = "SELECT count(*) FROM account WHERE domain = $1 AND disabled";
    const FIRST: &str = "
        SELECT local || '@' || domain FROM account WHERE domain = $1 AND disabled
        ORDER BY local LIMIT $2";
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let count = query(client, COUNT, &[&domain.domain()]).await?;
    let count: Option<i64> = count.first().map(|row| get(row, 0)).transpose()?;
    let first = query(client, FIRST, &[&domain.domain(), &max]).await?;
    Ok((count.unwrap_or_default().unsigned_abs(), addresses(&first)?))
}

pub(super) async fn count(client: &Object, domain: &Bare) -> Result<u64, Fault> {
    const SQL: &str = "SELECT count(*) FROM account WHERE domain = $1";
    let rows = query(client, SQL, &[&domain.domain()]).await?;
    let count: Option<i64> = rows.first().map(|row| get(row, 0)).transpose()?;
    Ok(count.unwrap_or_default().unsigned_abs())
}

pub(super) async fn keeps_argon2id(client: &Object) -> Result<bool, Fault> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM account WHERE argon2id IS NOT NULL)";
    let rows = query(client, SQL, &[]).await?;
    Ok(rows.first().map(|row| get(row, 0)).transpose()?.unwrap_or(false))
}

pub(super) async fn cell(
    client: &Object,
    at: Table,
    of: &Bare,
    key: &str,
) -> Result<Option<Vec<u8>>, Fault> {
    const SQL: &str = "
        SELECT value FROM cell
        WHERE log = (SELECT id FROM log WHERE jid = $1) AND name = $2 AND key = $3";
    let rows = query(client, SQL, &[&of.as_str(), &at.name(), &key]).await?;
    rows.first().map(|row| get(row, 0)).transpose()
}

pub(super) async fn cells(
    client: &Object,
    at: Table,
    of: &Bare,
) -> Result<Vec<(String, Vec<u8>)>, Fault> {
    const SQL: &str = "
        SELECT key, value FROM cell
        WHERE log = (SELECT id FROM log WHERE jid = $1) AND name = $2
        ORDER BY key";
    let rows = query(client, SQL, &[&of.as_str(), &at.name()]).await?;
    rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
}

pub(super) async fn affiliated(
    client: &Object,
    who: &Bare,
    after: Option<&Bare>,
    max: usize,
) -> Result<Vec<(Bare, Vec<u8>)>, Fault> {
    // The table's name stands here, for the index is of its cells alone.
    const SQL: &str = "
        SELECT jid, value FROM cell JOIN log ON log.id = cell.log
        WHERE name = 'affiliation' AND key = $1 AND kind = 2 AND jid > $2
        ORDER BY jid LIMIT $3";
    let after = after.map_or("", |after| after.as_str());
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = query(client, SQL, &[&who.as_str(), &after, &max]).await?;
    rooms(rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect::<Result<_, Fault>>()?)
}

pub(super) async fn cells_from(
    client: &Object,
    at: Table,
    of: &Bare,
    from: &str,
    max: usize,
) -> Result<Vec<(String, Vec<u8>)>, Fault> {
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = query(client, CELLS_FROM, &[&of.as_str(), &at.name(), &from, &max]).await?;
    rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
}
