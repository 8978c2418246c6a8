//! Sessions that can be resumed, and what of a log is delivered, taken away or told anew.

use super::pipeline::{Step, Value};
use crate::{
    check::no_account,
    rows::{session_expires, session_token},
};
use engine::{
    unit::{Pos, Resumable},
    wire::{Bare, Text},
};

pub(super) fn session<'a>(account: &'a Bare, session: &'a Resumable) -> Step<'a> {
    const SQL: &str = "
        INSERT INTO session (id, log, sm_hash, resource, device, h, out, mark, state, expires)
        SELECT $2, account.log, $3, $4, $5, $6, $7, $8, $9, $10
        FROM log JOIN account ON account.log = log.id WHERE log.jid = $1
        ON CONFLICT (id) DO UPDATE SET
            log = excluded.log, sm_hash = excluded.sm_hash, resource = excluded.resource,
            device = excluded.device, h = excluded.h, out = excluded.out, mark = excluded.mark,
            state = excluded.state, expires = excluded.expires";
    let values: Vec<Value<'a>> = vec![
        Box::new(account.as_str()),
        Box::new(session.id),
        Box::new(session_token(session)),
        Box::new(&*session.resource),
        Box::new(session.device.as_deref()),
        Box::new(session.h),
        Box::new(session.out),
        Box::new(session.mark.0),
        Box::new(&session.state[..]),
        Box::new(session_expires(session)),
    ];
    Step::new(SQL, values).touches(1, no_account())
}

pub(super) fn unsession(account: &Bare, id: i64) -> Step<'_> {
    const SQL: &str = "
        DELETE FROM session WHERE log = (SELECT id FROM log WHERE jid = $1) AND id = $2";
    Step::new(SQL, vec![Box::new(account.as_str()), Box::new(id)])
}

pub(super) fn delivered(account: &Bare, pos: Pos) -> Step<'_> {
    const SQL: &str = "UPDATE log SET offline = $2 WHERE jid = $1 AND offline < $2";
    Step::new(SQL, vec![Box::new(account.as_str()), Box::new(pos.0)])
}

pub(super) fn expunge<'a>(log: &'a Bare, places: &'a [Pos]) -> Step<'a> {
    const SQL: &str = "
        DELETE FROM entry
        WHERE log = (SELECT id FROM log WHERE jid = $1) AND pos = ANY ($2)";
    let places: Vec<i64> = places.iter().map(|pos| pos.0).collect();
    Step::new(SQL, vec![Box::new(log.as_str()), Box::new(places)])
}

pub(super) fn redact<'a>(log: &'a Bare, pos: Pos, stanza: &'a Text) -> Step<'a> {
    const SQL: &str = "
        UPDATE entry SET stanza = $3, flags = flags & ~16
        WHERE log = (SELECT id FROM log WHERE jid = $1) AND pos = $2";
    let values: Vec<Value<'a>> =
        vec![Box::new(log.as_str()), Box::new(pos.0), Box::new(&stanza.as_bytes()[..])];
    Step::new(SQL, values)
}
