//! What a stretch of a batch is in SQL: entries of neighbours together in one statement, each
//! change where it stands.

use super::{
    inbox,
    pipeline::{Step, Value},
    session,
};
use crate::{
    check::{exists, is_host, no_account, no_log, other_cell, other_password},
    purge::{ERASED_AT_ONCE, ERASED_LATER},
    rooms::{AFFILIATIONS_GONE, MARKS_GONE, OWN_GONE, own_keys},
    rows::{ACCOUNT, HOST, ROOM, changed, state_bits},
    scram, swap,
};
use deadpool_postgres::tokio_postgres::types::ToSql;
use engine::{
    port::{Verdict, Written},
    roster::{Item, REMOVED_ITEMS_MAX},
    unit::{Change, Credentials, Entry, OUTCAST, Once, Pos, ScramKeys, Unit},
    wire::{Bare, Jid},
};

/// The newest entry of each of these keys. Sorted by what no index has: without statistics that of
/// the positions would do as well, and walk through the whole log.
pub(super) const SAID_BEFORE: &str = "
    SELECT unit, said.pos
    FROM UNNEST($1::int8[], $2::text[], $3::int8[], $4::int8[], $5::int8[])
        AS given (unit, jid, key, since, besides)
    JOIN log ON log.jid = given.jid
    CROSS JOIN LATERAL (
        SELECT pos FROM entry
        WHERE entry.log = log.id AND entry.key = given.key AND pos > since
            AND (besides IS NULL OR sm IS DISTINCT FROM besides)
        ORDER BY pos + 0 DESC LIMIT 1
    ) AS said";

/// Asks for it.
pub(super) fn said_before<'a>(asked: impl Iterator<Item = (usize, &'a Once)>) -> Option<Step<'a>> {
    let (units, all): (Vec<i64>, Vec<&Once>) =
        asked.map(|(unit, once)| (unit as i64, once)).unzip();
    if all.is_empty() {
        return None;
    }
    let values: Vec<Value<'a>> = vec![
        Box::new(units),
        Box::new(all.iter().map(|once| once.log.as_str()).collect::<Vec<_>>()),
        Box::new(all.iter().map(|once| once.key).collect::<Vec<_>>()),
        Box::new(all.iter().map(|once| once.since.0).collect::<Vec<_>>()),
        Box::new(all.iter().map(|once| once.besides).collect::<Vec<_>>()),
    ];
    Some(Step::new(SAID_BEFORE, values).asks())
}

/// The statements of these units, of those that are to be written.
pub(super) fn of<'a>(
    units: &'a [(Unit, Vec<Pos>)],
    verdicts: &[Verdict],
    node: i32,
) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    let mut rows = Vec::new();
    let units = units.iter().zip(verdicts);
    for ((unit, positions), _) in units.filter(|(_, told)| **told == Ok(Written::Now)) {
        if !unit.changes.is_empty() {
            steps.extend(entries(std::mem::take(&mut rows)));
        }
        unit.changes.iter().for_each(|change| apply(&mut steps, change, node));
        unit.entries.iter().for_each(|entry| host(&mut steps, &entry.log, node));
        rows.extend(unit.entries.iter().zip(positions.iter().copied()));
    }
    steps.extend(entries(rows));
    steps
}

fn entries<'a>(rows: Vec<(&'a Entry, Pos)>) -> Option<Step<'a>> {
    const SQL: &str = "
        INSERT INTO entry (log, pos, flags, peer, key, sm, h, ext_id, stanza)
        SELECT log.id, pos, flags, peer, given.key, sm, h, ext_id, stanza
        FROM UNNEST($1::text[], $2::int8[], $3::int2[], $4::text[], $5::int8[], $6::int8[],
                $7::int8[], $8::text[], $9::bytea[])
            AS given (jid, pos, flags, peer, key, sm, h, ext_id, stanza)
        JOIN log ON log.jid = given.jid";
    if rows.is_empty() {
        return None;
    }
    let values = vec![
        column(&rows, |entry, _| entry.log.as_str()),
        column(&rows, |_, pos| pos.0),
        column(&rows, |entry, _| entry.flags.0),
        column(&rows, |entry, _| entry.peer.as_str()),
        column(&rows, |entry, _| entry.key),
        column(&rows, |entry, _| entry.settles.map(|(session, _)| session)),
        column(&rows, |entry, _| entry.settles.map(|(_, h)| h)),
        column(&rows, |entry, _| entry.foreign_id.as_deref()),
        column(&rows, |entry, _| &entry.stanza.as_bytes()[..]),
    ];
    Some(Step::new(SQL, values).touches(rows.len(), no_log()))
}

fn column<'a, T>(rows: &[(&'a Entry, Pos)], cell: impl Fn(&'a Entry, Pos) -> T) -> Value<'a>
where
    T: ToSql + Sync + Send + 'a,
{
    Box::new(rows.iter().map(|&(entry, pos)| cell(entry, pos)).collect::<Vec<T>>())
}

fn apply<'a>(steps: &mut Vec<Step<'a>>, change: &'a Change, node: i32) {
    match change {
        Change::Create(account, given) => create(steps, account, given, node),
        Change::Password(account, given) => password(steps, account, given),
        Change::Upgrade(account, given) => upgrade(steps, account, given),
        Change::Rehash(account, given) => rehash(steps, account, given),
        Change::Disabled(account, it) => steps.push(disabled(account, *it)),
        Change::Room(room) => steps.push(log(room, ROOM, node)),
        Change::Delete(account) => delete(steps, account),
        Change::Roster(account, item) => steps.push(roster(account, item)),
        Change::Unroster(account, jid, ver) => unroster(steps, account, jid, *ver),
        Change::Forsake(account, contact) => forsake(steps, account, contact),
        Change::Put(table, of, key, value) => {
            host(steps, of, node);
            steps.push(put(table.name(), of, key, value));
        }
        Change::Cut(table, of, key) => steps.push(cut(table.name(), of, key)),
        Change::Swap(table, of, key, old, new) => {
            host(steps, of, node);
            steps.push(swap((table.name(), of, key), old.as_deref(), new.as_deref()));
        }
        Change::Session(account, given) => steps.push(session::session(account, given)),
        Change::Unsession(account, id) => steps.push(session::unsession(account, *id)),
        Change::Delivered(account, pos) => steps.push(session::delivered(account, *pos)),
        Change::Gathered(account, given) => steps.push(inbox::gathered(account, given)),
        Change::Expunge(log, places) => steps.push(session::expunge(log, places)),
        Change::Redact(log, pos, stanza) => steps.push(session::redact(log, *pos, stanza)),
    }
}

/// Makes the log of a host, if `of` is one that has none.
fn host<'a>(steps: &mut Vec<Step<'a>>, of: &'a Bare, node: i32) {
    if is_host(of) {
        steps.push(log(of, HOST, node));
    }
}

fn log(of: &Bare, kind: i16, node: i32) -> Step<'_> {
    const SQL: &str = "
        INSERT INTO log (kind, jid, node) VALUES ($1, $2, $3) ON CONFLICT (jid) DO NOTHING";
    Step::new(SQL, vec![Box::new(kind), Box::new(of.as_str()), Box::new(node)])
}

fn create<'a>(steps: &mut Vec<Step<'a>>, of: &'a Bare, given: &'a Credentials, node: i32) {
    const SQL: &str = "
        WITH made AS (
            INSERT INTO log (kind, jid, node) VALUES ($1, $2, $3)
            ON CONFLICT (jid) DO NOTHING RETURNING id
        )
        INSERT INTO account (log, domain, local, changed, argon2id)
        SELECT id, $4, $5, $6, $7 FROM made";
    let values: Vec<Value<'a>> = vec![
        Box::new(ACCOUNT),
        Box::new(of.as_str()),
        Box::new(node),
        Box::new(of.domain()),
        Box::new(of.local()),
        Box::new(changed(given)),
        Box::new(given.argon2id.as_deref()),
    ];
    steps.push(Step::new(SQL, values).touches(1, exists()));
    steps.extend(credentials(of, given));
}

fn password<'a>(steps: &mut Vec<Step<'a>>, of: &'a Bare, given: &'a Credentials) {
    const SQL: &str = "
        UPDATE account SET changed = GREATEST($2, changed + 1), argon2id = $3
        FROM log WHERE account.log = log.id AND log.jid = $1";
    steps.push(account(SQL, of, given).touches(1, no_account()));
    steps.push(no_hashes(of));
    steps.extend(credentials(of, given));
}

fn disabled(of: &Bare, it: bool) -> Step<'_> {
    const SQL: &str = "
        UPDATE account SET disabled = $2
        FROM log WHERE account.log = log.id AND log.jid = $1";
    Step::new(SQL, vec![Box::new(of.as_str()), Box::new(it)]).touches(1, no_account())
}

fn rehash<'a>(steps: &mut Vec<Step<'a>>, of: &'a Bare, given: &'a Credentials) {
    const SQL: &str = "
        UPDATE account SET argon2id = $3
        FROM log WHERE account.log = log.id AND log.jid = $1 AND changed = $2";
    steps.push(account(SQL, of, given).touches(1, other_password()));
    steps.push(no_hashes(of));
    steps.extend(credentials(of, given));
}

fn upgrade<'a>(steps: &mut Vec<Step<'a>>, of: &'a Bare, given: &'a Credentials) {
    const SQL: &str = "
        UPDATE account SET argon2id = COALESCE(argon2id, $3)
        FROM log WHERE account.log = log.id AND log.jid = $1 AND changed = $2";
    steps.push(account(SQL, of, given).touches(1, other_password()));
    steps.extend(missing(of, given));
}

fn account<'a>(sql: &'static str, of: &'a Bare, given: &'a Credentials) -> Step<'a> {
    let values: Vec<Value<'a>> =
        vec![Box::new(of.as_str()), Box::new(changed(given)), Box::new(given.argon2id.as_deref())];
    Step::new(sql, values)
}

fn no_hashes(of: &Bare) -> Step<'_> {
    const SQL: &str = "DELETE FROM credential WHERE log = (SELECT id FROM log WHERE jid = $1)";
    Step::new(SQL, vec![Box::new(of.as_str())])
}

/// Writes the hashes, where there are none.
fn credentials<'a>(of: &'a Bare, given: &'a Credentials) -> Option<Step<'a>> {
    let count = scram::rows(given).count();
    missing(of, given).map(|step| step.touches(count, no_account()))
}

/// Writes the hashes that are not there yet.
fn missing<'a>(of: &'a Bare, given: &'a Credentials) -> Option<Step<'a>> {
    const SQL: &str = "
        INSERT INTO credential (log, mechanism, salt, iterations, stored_key, server_key)
        SELECT log.id, given.*
        FROM log, UNNEST($2::text[], $3::bytea[], $4::int8[], $5::bytea[], $6::bytea[]) AS given
        WHERE log.jid = $1
        ON CONFLICT (log, mechanism) DO NOTHING";
    let rows: Vec<(&str, &ScramKeys)> = scram::rows(given).collect();
    if rows.is_empty() {
        return None;
    }
    let keys = || rows.iter().map(|&(_, keys)| keys);
    let values: Vec<Value<'a>> = vec![
        Box::new(of.as_str()),
        Box::new(rows.iter().map(|&(mechanism, _)| mechanism).collect::<Vec<_>>()),
        Box::new(keys().map(|keys| &keys.salt[..]).collect::<Vec<_>>()),
        Box::new(keys().map(|keys| i64::from(keys.iterations)).collect::<Vec<_>>()),
        Box::new(keys().map(|keys| &keys.stored_key[..]).collect::<Vec<_>>()),
        Box::new(keys().map(|keys| &keys.server_key[..]).collect::<Vec<_>>()),
    ];
    Some(Step::new(SQL, values))
}

fn delete<'a>(steps: &mut Vec<Step<'a>>, account: &'a Bare) {
    const OWED: &str = "DELETE FROM outbox WHERE log = (SELECT id FROM log WHERE jid = $1)";
    // Everything else goes with the log.
    const LOG: &str = "DELETE FROM log WHERE jid = $1";
    let of_jid = |sql| Step::new(sql, vec![Box::new(account.as_str())]);
    steps.extend([OWED, ERASED_AT_ONCE, ERASED_LATER, LOG, MARKS_GONE].map(of_jid));
    let outcast: Vec<Value<'a>> = vec![Box::new(account.as_str()), Box::new(OUTCAST)];
    steps.push(Step::new(AFFILIATIONS_GONE, outcast));
    let own = own_keys(account).into_iter().map(|key| Box::new(key) as Value<'a>);
    steps.push(Step::new(OWN_GONE, own.collect()));
}

fn roster<'a>(account: &'a Bare, item: &'a Item) -> Step<'a> {
    const SQL: &str = "
        INSERT INTO roster (log, jid, name, groups, state, approved, request, ver, removed)
        SELECT account.log, $2, $3, $4, $5, $6, $7, $8, FALSE
        FROM log JOIN account ON account.log = log.id WHERE log.jid = $1
        ON CONFLICT (log, jid, removed) DO UPDATE SET
            name = excluded.name, groups = excluded.groups, state = excluded.state,
            approved = excluded.approved, request = excluded.request, ver = excluded.ver";
    let groups: Vec<&str> = item.groups.iter().map(|group| &**group).collect();
    let request = item.request.as_ref().map(|request| request.to_text().as_bytes().to_vec());
    let values: Vec<Value<'a>> = vec![
        Box::new(account.as_str()),
        Box::new(item.jid.as_str()),
        Box::new(item.name.as_deref()),
        Box::new(groups),
        Box::new(state_bits(item.state)),
        Box::new(item.approved),
        Box::new(request),
        Box::new(item.ver),
    ];
    Step::new(SQL, values).touches(1, no_account())
}

fn unroster<'a>(steps: &mut Vec<Step<'a>>, account: &'a Bare, jid: &'a Jid, ver: i64) {
    const REMEMBER: &str = "
        INSERT INTO roster (log, jid, groups, state, approved, ver, removed)
        SELECT account.log, $2, '{}', 0, FALSE, $3, TRUE
        FROM log JOIN account ON account.log = log.id WHERE log.jid = $1
        ON CONFLICT (log, jid, removed) DO UPDATE SET ver = excluded.ver";
    const GONE: &str = "
        DELETE FROM roster
        WHERE log = (SELECT id FROM log WHERE jid = $1) AND jid = $2 AND NOT removed";
    let values: Vec<Value<'a>> =
        vec![Box::new(account.as_str()), Box::new(jid.as_str()), Box::new(ver)];
    steps.push(Step::new(REMEMBER, values).touches(1, no_account()));
    steps.push(Step::new(GONE, vec![Box::new(account.as_str()), Box::new(jid.as_str())]));
    steps.push(forget(account));
}

/// Keeps the newest removals.
fn forget(account: &Bare) -> Step<'_> {
    const SQL: &str = "
        WITH mine AS (
            SELECT roster.log, ver FROM log JOIN roster ON roster.log = log.id
            WHERE log.jid = $1 AND removed ORDER BY ver DESC LIMIT 1 OFFSET $2
        )
        DELETE FROM roster USING mine
        WHERE roster.log = mine.log AND removed AND roster.ver <= mine.ver";
    Step::new(SQL, vec![Box::new(account.as_str()), Box::new(REMOVED_ITEMS_MAX as i64)])
}

/// An item that was only a request becomes the trace of its removal.
fn forsake<'a>(steps: &mut Vec<Step<'a>>, account: &'a Bare, contact: &'a Bare) {
    const TRACE: &str = "
        DELETE FROM roster USING log, roster AS item
        WHERE log.jid = $1 AND roster.log = log.id AND roster.jid = $2 AND roster.removed
            AND item.log = log.id AND item.jid = $2 AND NOT item.removed
            AND item.name IS NULL AND item.groups = '{}' AND item.state = 0
            AND NOT item.approved AND item.request IS NOT NULL";
    const SQL: &str = "
        UPDATE roster SET
            state = 0, approved = FALSE, request = NULL,
            removed = name IS NULL AND groups = '{}' AND state = 0 AND NOT approved,
            ver = (SELECT MAX(all_of.ver) + 1 FROM roster AS all_of WHERE all_of.log = roster.log)
        FROM log
        WHERE log.jid = $1 AND roster.log = log.id AND roster.jid = $2 AND NOT removed
            AND (state <> 0 OR approved OR request IS NOT NULL)";
    let of_both =
        |sql| Step::new(sql, vec![Box::new(account.as_str()), Box::new(contact.as_str())]);
    steps.extend([TRACE, SQL].map(of_both));
    steps.push(forget(account));
}

fn put<'a>(table: &'a str, of: &'a Bare, key: &'a str, value: &'a [u8]) -> Step<'a> {
    const SQL: &str = "
        INSERT INTO cell (name, log, key, value)
        SELECT $2, id, $3, $4 FROM log WHERE jid = $1
        ON CONFLICT (log, name, key) DO UPDATE SET value = excluded.value";
    let values: Vec<Value<'a>> =
        vec![Box::new(of.as_str()), Box::new(table), Box::new(key), Box::new(value)];
    Step::new(SQL, values).touches(1, no_log())
}

fn cut<'a>(table: &'a str, of: &'a Bare, key: &'a str) -> Step<'a> {
    const SQL: &str = "
        DELETE FROM cell
        WHERE log = (SELECT id FROM log WHERE jid = $1) AND name = $2 AND key = $3";
    Step::new(SQL, vec![Box::new(of.as_str()), Box::new(table), Box::new(key)])
}

fn swap<'a>(
    (table, of, key): (&'a str, &'a Bare, &'a str),
    old: Option<&'a [u8]>,
    new: Option<&'a [u8]>,
) -> Step<'a> {
    let rows = usize::from(old.or(new).is_some());
    let mut values: Vec<Value<'a>> = vec![Box::new(of.as_str()), Box::new(table), Box::new(key)];
    values.extend([old, new].into_iter().flatten().map(|value| Box::new(value) as Value<'a>));
    Step::new(swap::sql(old, new), values).touches(rows, other_cell())
}
