//! Changes of rows, one at a time.

use super::{fault, inbox, session};
use crate::{
    check::{exists, is_host, no_account, no_log, other_cell, other_password},
    purge::{ERASED_AT_ONCE, ERASED_LATER},
    rooms::{AFFILIATIONS_GONE, MARKS_GONE, OWN_GONE, own_keys},
    rows::{ACCOUNT, HOST, ROOM, changed, state_bits},
    scram, swap,
};
use engine::{
    port::Fault,
    roster::{Item, REMOVED_ITEMS_MAX},
    unit::{Change, Credentials, OUTCAST, Table},
    wire::{Bare, Jid},
};
use sqlx::SqliteConnection;

type Work = SqliteConnection;

pub(super) async fn apply(work: &mut Work, change: &Change, node: i32) -> Result<(), Fault> {
    match change {
        Change::Create(account, given) => create(work, account, given, node).await,
        Change::Password(account, given) => password(work, account, given).await,
        Change::Upgrade(account, given) => upgrade(work, account, given).await,
        Change::Rehash(account, given) => rehash(work, account, given).await,
        Change::Disabled(account, it) => disabled(work, account, *it).await,
        Change::Room(room) => log(work, room, ROOM, node).await,
        Change::Delete(account) => delete(work, account).await,
        Change::Roster(account, item) => roster(work, account, item).await,
        Change::Unroster(account, jid, ver) => unroster(work, account, jid, *ver).await,
        Change::Forsake(account, contact) => forsake(work, account, contact).await,
        Change::Put(table, of, key, value) => {
            host(work, of, node).await?;
            put(work, *table, of, key, value).await
        }
        Change::Cut(table, of, key) => cut(work, *table, of, key).await,
        Change::Swap(table, of, key, old, new) => {
            host(work, of, node).await?;
            swap(work, (*table, of, key), old.as_deref(), new.as_deref()).await
        }
        Change::Session(account, given) => session::session(work, account, given).await,
        Change::Unsession(account, id) => session::unsession(work, account, *id).await,
        Change::Delivered(account, pos) => session::delivered(work, account, *pos).await,
        Change::Gathered(account, given) => inbox::gathered(work, account, given).await,
        Change::Expunge(log, places) => session::expunge(work, log, places).await,
        Change::Redact(log, pos, stanza) => session::redact(work, log, *pos, stanza).await,
    }
}

/// Makes the log of a host, if `of` is one that has none.
pub(super) async fn host(work: &mut Work, of: &Bare, node: i32) -> Result<(), Fault> {
    if is_host(of) { log(work, of, HOST, node).await } else { Ok(()) }
}

async fn log(work: &mut Work, of: &Bare, kind: i16, node: i32) -> Result<(), Fault> {
    const SQL: &str = "
        INSERT INTO log (kind, jid, node) VALUES ($1, $2, $3) ON CONFLICT (jid) DO NOTHING";
    let query = sqlx::query(SQL).bind(kind).bind(of.as_str()).bind(node);
    query.execute(work).await.map_err(fault)?;
    Ok(())
}

async fn create(
    work: &mut Work,
    account: &Bare,
    given: &Credentials,
    node: i32,
) -> Result<(), Fault> {
    const LOG: &str = "
        INSERT INTO log (kind, jid, node) VALUES ($1, $2, $3)
        ON CONFLICT (jid) DO NOTHING RETURNING id";
    const ROW: &str = "
        INSERT INTO account (log, domain, local, changed, argon2id) VALUES ($1, $2, $3, $4, $5)";
    let made = sqlx::query_scalar(LOG).bind(ACCOUNT).bind(account.as_str()).bind(node);
    let made: Option<i64> = made.fetch_optional(&mut *work).await.map_err(fault)?;
    let log = made.ok_or_else(exists)?;
    let row = sqlx::query(ROW).bind(log).bind(account.domain()).bind(account.local());
    let row = row.bind(changed(given)).bind(given.argon2id.as_deref());
    row.execute(&mut *work).await.map_err(fault)?;
    credentials(work, log, given).await
}

async fn password(work: &mut Work, account: &Bare, given: &Credentials) -> Result<(), Fault> {
    const SQL: &str = "UPDATE account SET changed = MAX($2, changed + 1) WHERE log = $1";
    let log = account_log(work, account).await?;
    let set = sqlx::query(SQL).bind(log).bind(changed(given));
    set.execute(&mut *work).await.map_err(fault)?;
    replace(work, log, given).await
}

async fn disabled(work: &mut Work, account: &Bare, it: bool) -> Result<(), Fault> {
    const SQL: &str = "UPDATE account SET disabled = $2 WHERE log = $1";
    let log = account_log(work, account).await?;
    let set = sqlx::query(SQL).bind(log).bind(it);
    set.execute(work).await.map_err(fault)?;
    Ok(())
}

async fn rehash(work: &mut Work, account: &Bare, given: &Credentials) -> Result<(), Fault> {
    let log = same_password(work, account, given).await?;
    replace(work, log, given).await
}

async fn upgrade(work: &mut Work, account: &Bare, given: &Credentials) -> Result<(), Fault> {
    const SQL: &str = "UPDATE account SET argon2id = COALESCE(argon2id, $2) WHERE log = $1";
    let log = same_password(work, account, given).await?;
    let set = sqlx::query(SQL).bind(log).bind(given.argon2id.as_deref());
    set.execute(&mut *work).await.map_err(fault)?;
    credentials(work, log, given).await
}

/// The account's log, if its password is the one that is meant.
async fn same_password(work: &mut Work, account: &Bare, of: &Credentials) -> Result<i64, Fault> {
    const SQL: &str = "
        SELECT account.log FROM log JOIN account ON account.log = log.id
        WHERE log.jid = $1 AND changed = $2";
    let query = sqlx::query_scalar(SQL).bind(account.as_str()).bind(changed(of));
    let found: Option<i64> = query.fetch_optional(work).await.map_err(fault)?;
    found.ok_or_else(other_password)
}

/// Nothing of what was kept stays.
async fn replace(work: &mut Work, log: i64, given: &Credentials) -> Result<(), Fault> {
    const SQL: &str = "UPDATE account SET argon2id = $2 WHERE log = $1";
    let set = sqlx::query(SQL).bind(log).bind(given.argon2id.as_deref());
    set.execute(&mut *work).await.map_err(fault)?;
    let gone = sqlx::query("DELETE FROM credential WHERE log = $1").bind(log);
    gone.execute(&mut *work).await.map_err(fault)?;
    credentials(work, log, given).await
}

/// Writes the hashes that are not there yet.
async fn credentials(work: &mut Work, log: i64, given: &Credentials) -> Result<(), Fault> {
    const SQL: &str = "
        INSERT INTO credential (log, mechanism, salt, iterations, stored_key, server_key)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (log, mechanism) DO NOTHING";
    for (mechanism, keys) in scram::rows(given) {
        let query = sqlx::query(SQL)
            .bind(log)
            .bind(mechanism)
            .bind(&keys.salt)
            .bind(i64::from(keys.iterations))
            .bind(&keys.stored_key)
            .bind(&keys.server_key);
        query.execute(&mut *work).await.map_err(fault)?;
    }
    Ok(())
}

async fn delete(work: &mut Work, account: &Bare) -> Result<(), Fault> {
    const OWED: &str = "DELETE FROM outbox WHERE log = (SELECT id FROM log WHERE jid = $1)";
    // Everything else goes with the log.
    const LOG: &str = "DELETE FROM log WHERE jid = $1";
    for sql in [OWED, ERASED_AT_ONCE, ERASED_LATER, LOG, MARKS_GONE] {
        sqlx::query(sql).bind(account.as_str()).execute(&mut *work).await.map_err(fault)?;
    }
    let affiliations = sqlx::query(AFFILIATIONS_GONE).bind(account.as_str()).bind(OUTCAST);
    affiliations.execute(&mut *work).await.map_err(fault)?;
    let own = own_keys(account).into_iter().fold(sqlx::query(OWN_GONE), |sql, key| sql.bind(key));
    own.execute(&mut *work).await.map_err(fault)?;
    Ok(())
}

pub(super) async fn account_log(work: &mut Work, account: &Bare) -> Result<i64, Fault> {
    const SQL: &str = "
        SELECT account.log FROM log JOIN account ON account.log = log.id WHERE log.jid = $1";
    let query = sqlx::query_scalar(SQL).bind(account.as_str());
    let found: Option<i64> = query.fetch_optional(work).await.map_err(fault)?;
    found.ok_or_else(no_account)
}

async fn roster(work: &mut Work, account: &Bare, item: &Item) -> Result<(), Fault> {
    const SQL: &str = "
        INSERT INTO roster (log, jid, name, groups, state, approved, request, ver, removed)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, FALSE)
        ON CONFLICT (log, jid, removed) DO UPDATE SET
            name = excluded.name, groups = excluded.groups, state = excluded.state,
            approved = excluded.approved, request = excluded.request, ver = excluded.ver";
    let log = account_log(work, account).await?;
    let groups: Vec<&str> = item.groups.iter().map(|group| &**group).collect();
    let query = sqlx::query(SQL)
        .bind(log)
        .bind(item.jid.as_str())
        .bind(item.name.as_deref())
        .bind(serde_json::json!(groups).to_string())
        .bind(state_bits(item.state))
        .bind(item.approved)
        .bind(item.request.as_ref().map(|request| request.to_text().as_bytes().to_vec()))
        .bind(item.ver);
    query.execute(work).await.map_err(fault)?;
    Ok(())
}

async fn unroster(work: &mut Work, account: &Bare, jid: &Jid, ver: i64) -> Result<(), Fault> {
    const GONE: &str = "DELETE FROM roster WHERE log = $1 AND jid = $2 AND NOT removed";
    const REMEMBER: &str = "
        INSERT INTO roster (log, jid, groups, state, approved, ver, removed)
        VALUES ($1, $2, '[]', 0, FALSE, $3, TRUE)
        ON CONFLICT (log, jid, removed) DO UPDATE SET ver = excluded.ver";
    let log = account_log(work, account).await?;
    let gone = sqlx::query(GONE).bind(log).bind(jid.as_str());
    gone.execute(&mut *work).await.map_err(fault)?;
    let remember = sqlx::query(REMEMBER).bind(log).bind(jid.as_str()).bind(ver);
    remember.execute(&mut *work).await.map_err(fault)?;
    forget(work, log).await
}

/// Keeps the newest removals.
async fn forget(work: &mut Work, log: i64) -> Result<(), Fault> {
    const SQL: &str = "
        DELETE FROM roster WHERE log = $1 AND removed AND ver <= (
            SELECT ver FROM roster WHERE log = $1 AND removed
            ORDER BY ver DESC LIMIT 1 OFFSET $2
        )";
    let forget = sqlx::query(SQL).bind(log).bind(REMOVED_ITEMS_MAX as i64);
    forget.execute(work).await.map_err(fault)?;
    Ok(())
}

/// An item that was only a request becomes the trace of its removal.
async fn forsake(work: &mut Work, account: &Bare, contact: &Bare) -> Result<(), Fault> {
    const LOG: &str = "
        SELECT roster.log FROM log JOIN roster ON roster.log = log.id
        WHERE log.jid = $1 AND roster.jid = $2 AND NOT removed
            AND (state <> 0 OR approved OR request IS NOT NULL)";
    const TRACE: &str = "
        DELETE FROM roster WHERE log = $1 AND jid = $2 AND removed AND EXISTS (
            SELECT 1 FROM roster AS item
            WHERE item.log = $1 AND item.jid = $2 AND NOT item.removed AND item.name IS NULL
                AND item.groups = '[]' AND item.state = 0 AND NOT item.approved
        )";
    const SQL: &str = "
        UPDATE roster SET
            state = 0, approved = FALSE, request = NULL,
            removed = name IS NULL AND groups = '[]' AND state = 0 AND NOT approved,
            ver = (SELECT MAX(ver) + 1 FROM roster WHERE log = $1)
        WHERE log = $1 AND jid = $2 AND NOT removed";
    let found = sqlx::query_scalar(LOG).bind(account.as_str()).bind(contact.as_str());
    let found: Option<i64> = found.fetch_optional(&mut *work).await.map_err(fault)?;
    let Some(log) = found else { return Ok(()) };
    for sql in [TRACE, SQL] {
        let query = sqlx::query(sql).bind(log).bind(contact.as_str());
        query.execute(&mut *work).await.map_err(fault)?;
    }
    forget(work, log).await
}

async fn put(
    work: &mut Work,
    table: Table,
    of: &Bare,
    key: &str,
    value: &[u8],
) -> Result<(), Fault> {
    const SQL: &str = "
        INSERT INTO cell (name, log, key, value)
        SELECT $1, id, $2, $3 FROM log WHERE jid = $4
        ON CONFLICT (log, name, key) DO UPDATE SET value = excluded.value";
    let query = sqlx::query(SQL).bind(table.name()).bind(key).bind(value).bind(of.as_str());
    let written = query.execute(work).await.map_err(fault)?.rows_affected();
    if written == 1 { Ok(()) } else { Err(no_log()) }
}

async fn cut(work: &mut Work, table: Table, of: &Bare, key: &str) -> Result<(), Fault> {
    const SQL: &str = "
        DELETE FROM cell
        WHERE log = (SELECT id FROM log WHERE jid = $1) AND name = $2 AND key = $3";
    let query = sqlx::query(SQL).bind(of.as_str()).bind(table.name()).bind(key);
    query.execute(work).await.map_err(fault)?;
    Ok(())
}

async fn swap(
    work: &mut Work,
    (table, of, key): (Table, &Bare, &str),
    old: Option<&[u8]>,
    new: Option<&[u8]>,
) -> Result<(), Fault> {
    let query = sqlx::query(swap::sql(old, new));
    let query = query.bind(of.as_str()).bind(table.name()).bind(key);
    let values = [old, new].into_iter().flatten();
    let query = values.fold(query, |query, value| query.bind(value));
    if old.or(new).is_none() {
        let found = query.fetch_optional(work).await.map_err(fault)?;
        return if found.is_none() { Ok(()) } else { Err(other_cell()) };
    }
    let touched = query.execute(work).await.map_err(fault)?.rows_affected();
    if touched == 1 { Ok(()) } else { Err(other_cell()) }
}
