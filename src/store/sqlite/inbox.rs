//! What has been gathered of the logs of accounts.

use super::fault;
use crate::rows::{ConversationRow, inbox as made, unread};
use engine::{
    inbox::{Gathered, Inbox},
    port::Fault,
    wire::Bare,
};
use sqlx::{FromRow, Row, SqliteConnection, SqlitePool, sqlite::SqliteRow};

pub(super) async fn inbox(readers: &SqlitePool, of: &Bare) -> Result<Inbox, Fault> {
    const SQL: &str = "
        SELECT inbox, peer, upto, last, unread, displayed
        FROM log LEFT JOIN conversation ON conversation.log = log.id WHERE log.jid = $1";
    let query = sqlx::query_as(SQL).bind(of.as_str());
    made(query.fetch_all(readers).await.map_err(fault)?)
}

pub(super) async fn gathered(
    work: &mut SqliteConnection,
    account: &Bare,
    given: &Gathered,
) -> Result<(), Fault> {
    const MOVE: &str = "
        UPDATE log SET inbox = $2
        WHERE jid = $1 AND inbox < $2 AND EXISTS (SELECT 1 FROM account WHERE log = log.id)
        RETURNING id";
    const FORGET: &str = "DELETE FROM conversation WHERE log = $1 AND upto < $2";
    const WRITE: &str = "
        INSERT INTO conversation (log, peer, upto, last, unread, displayed)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (log, peer) DO UPDATE SET
            upto = excluded.upto, last = excluded.last, unread = excluded.unread,
            displayed = excluded.displayed";
    let query = sqlx::query_scalar(MOVE).bind(account.as_str()).bind(given.upto.0);
    let log: Option<i64> = query.fetch_optional(&mut *work).await.map_err(fault)?;
    let Some(log) = log else { return Ok(()) };
    let forget = sqlx::query(FORGET).bind(log).bind(given.oldest.0);
    forget.execute(&mut *work).await.map_err(fault)?;
    for one in &given.conversations {
        let write = sqlx::query(WRITE)
            .bind(log)
            .bind(one.peer.as_str())
            .bind(one.upto.0)
            .bind(one.last.0)
            .bind(unread(one.unread))
            .bind(one.displayed.0);
        write.execute(&mut *work).await.map_err(fault)?;
    }
    Ok(())
}

impl FromRow<'_, SqliteRow> for ConversationRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            inbox: row.try_get(0)?,
            peer: row.try_get(1)?,
            upto: row.try_get(2)?,
            last: row.try_get(3)?,
            unread: row.try_get(4)?,
            displayed: row.try_get(5)?,
        })
    }
}
