//! Sessions that can be resumed, and what of a log is delivered, taken away or told anew.

use super::{change::account_log, fault};
use crate::rows::{bad_address, session_expires, session_token};
use engine::{
    port::Fault,
    unit::{OCCUPANTS, Pos, Resumable},
    wire::{Bare, Text},
};
use sqlx::{SqliteConnection, SqlitePool};

type Work = SqliteConnection;

pub(super) async fn session(
    work: &mut Work,
    account: &Bare,
    session: &Resumable,
) -> Result<(), Fault> {
    const SQL: &str = "
        INSERT INTO session (id, log, sm_hash, resource, device, h, out, mark, state, expires)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (id) DO UPDATE SET
            log = excluded.log, sm_hash = excluded.sm_hash, resource = excluded.resource,
            device = excluded.device, h = excluded.h, out = excluded.out, mark = excluded.mark,
            state = excluded.state, expires = excluded.expires";
    let log = account_log(work, account).await?;
    let query = sqlx::query(SQL)
        .bind(session.id)
        .bind(log)
        .bind(session_token(session))
        .bind(&*session.resource)
        .bind(session.device.as_deref())
        .bind(session.h)
        .bind(session.out)
        .bind(session.mark.0)
        .bind(&session.state)
        .bind(session_expires(session));
    query.execute(work).await.map_err(fault)?;
    Ok(())
}

/// Walks the index of the addresses, so that all pages together look at each log once.
pub(super) async fn resumable(
    readers: &SqlitePool,
    unix_ms: u64,
    after: Option<&Bare>,
    max: usize,
) -> Result<Vec<Bare>, Fault> {
    const SQL: &str = "
        SELECT jid FROM log
        WHERE jid > $1 AND (
            EXISTS (SELECT 1 FROM session WHERE session.log = log.id AND expires > $2)
            OR kind = 2 AND EXISTS (SELECT 1 FROM cell WHERE cell.log = log.id AND name = $4))
        ORDER BY jid LIMIT $3";
    let query = sqlx::query_scalar(SQL)
        .bind(after.map_or("", |after| after.as_str()))
        .bind(i64::try_from(unix_ms).unwrap_or(i64::MAX))
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .bind(OCCUPANTS.name());
    let found: Vec<String> = query.fetch_all(readers).await.map_err(fault)?;
    found.iter().map(|of| Bare::parse(of).map_err(|error| bad_address(of, error))).collect()
}

pub(super) async fn unsession(work: &mut Work, account: &Bare, id: i64) -> Result<(), Fault> {
    const SQL: &str = "
        DELETE FROM session WHERE log = (SELECT id FROM log WHERE jid = $1) AND id = $2";
    let query = sqlx::query(SQL).bind(account.as_str()).bind(id);
    query.execute(work).await.map_err(fault)?;
    Ok(())
}

pub(super) async fn delivered(work: &mut Work, account: &Bare, pos: Pos) -> Result<(), Fault> {
    const SQL: &str = "UPDATE log SET offline = $2 WHERE jid = $1 AND offline < $2";
    let query = sqlx::query(SQL).bind(account.as_str()).bind(pos.0);
    query.execute(work).await.map_err(fault)?;
    Ok(())
}

pub(super) async fn expunge(work: &mut Work, log: &Bare, places: &[Pos]) -> Result<(), Fault> {
    const SQL: &str = "
        DELETE FROM entry
        WHERE log = (SELECT id FROM log WHERE jid = $1)
            AND pos IN (SELECT value FROM json_each($2))";
    let query = sqlx::query(SQL).bind(log.as_str()).bind(super::json(places));
    query.execute(work).await.map_err(fault)?;
    Ok(())
}

pub(super) async fn redact(
    work: &mut Work,
    log: &Bare,
    pos: Pos,
    stanza: &Text,
) -> Result<(), Fault> {
    const SQL: &str = "
        UPDATE entry SET stanza = $3, flags = flags & ~16
        WHERE log = (SELECT id FROM log WHERE jid = $1) AND pos = $2";
    let query = sqlx::query(SQL).bind(log.as_str()).bind(pos.0).bind(&stanza.as_bytes()[..]);
    query.execute(work).await.map_err(fault)?;
    Ok(())
}
