//! What has been gathered of the logs of accounts.

use super::{
    pipeline::{Step, Value},
    read::{get, query},
};
use crate::rows::{ConversationRow, inbox as made, unread};
use deadpool_postgres::Object;
use engine::{
    inbox::{Gathered, Inbox},
    port::Fault,
    wire::Bare,
};

pub(super) async fn inbox(client: &Object, of: &Bare) -> Result<Inbox, Fault> {
    const SQL: &str = "
        SELECT inbox, peer, upto, last, unread::int8, displayed
        FROM log LEFT JOIN conversation ON conversation.log = log.id WHERE log.jid = $1";
    let rows = query(client, SQL, &[&of.as_str()]).await?;
    let rows: Result<Vec<_>, Fault> = rows
        .iter()
        .map(|row| {
            Ok(ConversationRow {
                inbox: get(row, 0)?,
                peer: get(row, 1)?,
                upto: get(row, 2)?,
                last: get(row, 3)?,
                unread: get(row, 4)?,
                displayed: get(row, 5)?,
            })
        })
        .collect();
    made(rows?)
}

/// One statement: nothing of it happens when more has been gathered. What it forgets and what it
/// writes are never the same rows.
pub(super) fn gathered<'a>(account: &'a Bare, given: &'a Gathered) -> Step<'a> {
    const SQL: &str = "
        WITH moved AS (
            UPDATE log SET inbox = $2
            FROM account
            WHERE log.jid = $1 AND log.inbox < $2 AND account.log = log.id
            RETURNING log.id
        ), forgotten AS (
            DELETE FROM conversation USING moved WHERE log = moved.id AND upto < $3
                AND peer <> ALL ($4::text[])
        )
        INSERT INTO conversation (log, peer, upto, last, unread, displayed)
        SELECT moved.id, given.peer, given.upto, given.last, given.unread, given.displayed
        FROM moved, UNNEST($4::text[], $5::int8[], $6::int8[], $7::int4[], $8::int8[])
            AS given (peer, upto, last, unread, displayed)
        ON CONFLICT (log, peer) DO UPDATE SET
            upto = excluded.upto, last = excluded.last, unread = excluded.unread,
            displayed = excluded.displayed";
    let all = &given.conversations;
    let values: Vec<Value<'a>> = vec![
        Box::new(account.as_str()),
        Box::new(given.upto.0),
        Box::new(given.oldest.0),
        Box::new(all.iter().map(|one| one.peer.as_str()).collect::<Vec<_>>()),
        Box::new(all.iter().map(|one| one.upto.0).collect::<Vec<_>>()),
        Box::new(all.iter().map(|one| one.last.0).collect::<Vec<_>>()),
        Box::new(all.iter().map(|one| unread(one.unread)).collect::<Vec<_>>()),
        Box::new(all.iter().map(|one| one.displayed.0).collect::<Vec<_>>()),
    ];
    Step::new(SQL, values)
}
