//! The writer's connection: the fence, and the units of a batch behind it.

use super::{change, fault, file, words};
use crate::{
    bisect::Bisect,
    check::{self, check, no_log},
    index::{Taken, Touched},
    repeats::Repeats,
};
use engine::{
    port::{Batch, Fault, Verdict, Written},
    unit::{Entry, Once, Pos, Unit},
};
use futures_util::TryStreamExt;
use sqlx::{
    Connection, Either, Executor, QueryBuilder, Row, Sqlite, SqliteConnection,
    sqlite::SqliteConnectOptions,
};
use std::ops::Range;

/// Rows of one statement, at most. A power of two, as all are: so few statements are prepared.
const ROWS_MAX: usize = 64;

/// The one who writes, with what it needs to know it still may.
pub(super) struct Writing {
    /// By which the connection was made.
    options: SqliteConnectOptions,
    connection: SqliteConnection,
    /// A transaction on it has failed. SQLite may have ended that on its own, as it does when the
    /// disk is full: nobody knows where the connection stands.
    is_lost: bool,
    /// The journal could not be synced, for this reason: nothing more is written.
    unsynced: Option<String>,
    node: i32,
    epoch: i64,
    /// The verdicts of the last batch that may have been committed, by its number.
    verdicts: (i64, Vec<Verdict>),
    touched: Touched,
}

impl Writing {
    /// Raises the epoch: whoever wrote before is fenced.
    pub(super) async fn take(
        options: SqliteConnectOptions,
        mut connection: SqliteConnection,
        node: i32,
    ) -> Result<Self, Fault> {
        const SQL: &str = "
            INSERT INTO writer (node, epoch, batch, pos) VALUES ($1, 1, 0, 0)
            ON CONFLICT (node) DO UPDATE SET epoch = epoch + 1
            RETURNING epoch";
        let query = sqlx::query_scalar(SQL).bind(node);
        let epoch = query.fetch_one(&mut connection).await.map_err(fault)?;
        let (is_lost, unsynced, verdicts) = (false, None, (0, Vec::new()));
        let touched = Touched::default();
        Ok(Self { options, connection, is_lost, unsynced, node, epoch, verdicts, touched })
    }

    /// The connection, made anew when the one before is lost.
    async fn line(&mut self) -> Result<&mut SqliteConnection, Fault> {
        if let Some(why) = &self.unsynced {
            return Err(Fault::Unsynced(why.clone()));
        }
        if self.is_lost {
            self.connection = SqliteConnection::connect_with(&self.options).await.map_err(fault)?;
            self.is_lost = false;
        }
        Ok(&mut self.connection)
    }

    pub(super) async fn last(&mut self) -> Result<(i64, Pos), Fault> {
        const SQL: &str = "SELECT batch, pos FROM writer WHERE node = $1 AND epoch = $2";
        let query = sqlx::query_as(SQL).bind(self.node).bind(self.epoch);
        let row: Option<(i64, i64)> =
            query.fetch_optional(self.line().await?).await.map_err(fault)?;
        let (batch, pos) = row.ok_or(Fault::Fenced)?;
        Ok((batch, Pos(pos)))
    }

    /// The last position, and the logs that have been written to. With an answer nothing of an
    /// earlier batch is under way any more.
    pub(super) async fn touched(&mut self) -> Result<(Pos, Touched), Fault> {
        let (_, last) = self.last().await?;
        Ok((last, self.touched.take()))
    }

    pub(super) async fn secret(&mut self, fresh: [u8; 32]) -> Result<[u8; 32], Fault> {
        const MAKE: &str = "
            INSERT INTO server (key, value) VALUES ('secret', $1) ON CONFLICT (key) DO NOTHING";
        const READ: &str = "SELECT value FROM server WHERE key = 'secret'";
        let make = sqlx::query(MAKE).bind(&fresh[..]);
        make.execute(&mut self.connection).await.map_err(fault)?;
        let read = sqlx::query_scalar(READ);
        let kept: Vec<u8> = read.fetch_one(&mut self.connection).await.map_err(fault)?;
        check::secret(&kept)
    }

    pub(super) async fn commit(&mut self, batch: &Batch) -> Result<Vec<Verdict>, Fault> {
        self.touched.add(batch);
        let outcome = self.attempt(batch).await;
        self.noted(outcome)
    }

    /// What a failure says of the connection, and of the disk.
    fn noted<T>(&mut self, outcome: Result<T, Fault>) -> Result<T, Fault> {
        match &outcome {
            Err(Fault::Away(_)) => self.is_lost = true,
            Err(Fault::Unsynced(why)) if self.unsynced.is_none() => {
                self.unsynced = Some(why.clone());
                file::is_unsynced(self.options.get_filename());
            }
            _ => {}
        }
        outcome
    }

    async fn attempt(&mut self, batch: &Batch) -> Result<Vec<Verdict>, Fault> {
        self.line().await?;
        match self.transaction(batch, false).await {
            // Which unit it was is found out in a second transaction. The first has no savepoint:
            // for one SQLite writes down, page by page, how all was before.
            Err(Fault::Refused(_)) => self.transaction(batch, true).await,
            other => other,
        }
    }

    async fn transaction(&mut self, batch: &Batch, in_parts: bool) -> Result<Vec<Verdict>, Fault> {
        // Until it has ended.
        self.is_lost = true;
        let mut repeats = Repeats::of(batch);
        let work = &mut self.connection;
        if !begin(work, batch, self.node, self.epoch, &mut repeats).await? {
            run(work, "ROLLBACK").await?;
            self.is_lost = false;
            return self.settled(batch.number).await;
        }
        let written = match in_parts {
            true => parts(work, batch, &repeats, self.node).await,
            false => whole(work, batch, &repeats, self.node).await,
        };
        if let Err(Fault::Refused(_)) = written {
            run(work, "ROLLBACK").await?;
            self.is_lost = false;
            return written;
        }
        // Kept before the commit: its outcome may stay unknown.
        self.verdicts = (batch.number, written?);
        run(work, "COMMIT").await?;
        self.is_lost = false;
        Ok(self.verdicts.1.clone())
    }

    /// Goes on with the index of words by a piece.
    pub(super) async fn index(&mut self, behind: &[(i64, i64)]) -> Result<Taken, Fault> {
        let outcome = words::take(self.line().await?, behind).await;
        self.noted(outcome)
    }

    /// Removes a piece of what is kept no longer.
    pub(super) async fn sweep(&mut self, sql: &'static str, values: &[i64]) -> Result<u64, Fault> {
        let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind(*value));
        let swept = query.execute(self.line().await?).await.map_err(fault);
        Ok(self.noted(swept)?.rows_affected())
    }

    /// Moves the journal into the file, which syncs both.
    pub(super) async fn sync(&mut self) -> Result<(), Fault> {
        let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)");
        let row = checkpoint.fetch_one(self.line().await?).await.map_err(fault);
        let row = self.noted(row)?;
        match row.try_get::<i64, _>(0).map_err(fault)? {
            0 => Ok(()),
            _ => Err(Fault::Away("somebody reads the journal".into())),
        }
    }

    /// What became of a batch that the fence holds back: it may have been committed before.
    async fn settled(&mut self, number: i64) -> Result<Vec<Verdict>, Fault> {
        let (batch, _) = self.last().await?;
        let (known, verdicts) = &self.verdicts;
        if batch == number && *known == number { Ok(verdicts.clone()) } else { Err(Fault::Fenced) }
    }

    /// As if the disk were full: until the connection is made anew, the file grows no more.
    #[cfg(test)]
    pub(super) async fn fills_the_disk(&mut self) {
        let full = sqlx::query("PRAGMA max_page_count = 1");
        full.execute(&mut self.connection).await.expect("pragmas are set");
    }

    /// The journal's mode, and how much is synced.
    #[cfg(test)]
    pub(super) async fn durability(&mut self) -> (String, i64) {
        let sql = "SELECT journal_mode, synchronous FROM pragma_journal_mode, pragma_synchronous";
        sqlx::query_as(sql).fetch_one(&mut self.connection).await.expect("pragmas are read")
    }
}

async fn run(work: &mut SqliteConnection, sql: &'static str) -> Result<(), Fault> {
    sqlx::query(sql).execute(work).await.map_err(fault)?;
    Ok(())
}

/// Begins a transaction, and asks the log for what is said again. Says whether the fence lets it
/// pass. As few statements are sent as can be: each costs two switches between threads.
async fn begin(
    work: &mut SqliteConnection,
    batch: &Batch,
    node: i32,
    epoch: i64,
    repeats: &mut Repeats<'_>,
) -> Result<bool, Fault> {
    let asked: Vec<_> = repeats.asked().collect();
    let (now, mut later) = asked.split_at(rows_now(asked.len()));
    let mut sql =
        QueryBuilder::<Sqlite>::new("BEGIN IMMEDIATE; UPDATE writer SET batch = batch + 1, pos = ");
    sql.push_bind(batch.last.0).push(" WHERE node = ").push_bind(node);
    sql.push(" AND epoch = ").push_bind(epoch);
    sql.push(" AND batch = ").push_bind(batch.number - 1);
    if !now.is_empty() {
        sql.push("; ");
        said_before(&mut sql, now);
    }
    let (touched, mut found) = told(work, &mut sql).await.map_err(fault)?;
    while !later.is_empty() {
        let (now, rest) = later.split_at(rows_now(later.len()));
        later = rest;
        let mut sql = QueryBuilder::new("");
        said_before(&mut sql, now);
        found.extend(told(work, &mut sql).await.map_err(fault)?.1);
    }
    for (unit, pos) in found {
        repeats.found(usize::try_from(unit).unwrap_or(usize::MAX), Pos(pos));
    }
    // The first statement has touched none.
    Ok(touched.get(1) == Some(&1))
}

/// Runs statements. How many rows each has touched, and pairs that they tell.
async fn told(
    work: &mut SqliteConnection,
    sql: &mut QueryBuilder<Sqlite>,
) -> sqlx::Result<(Vec<u64>, Vec<(i64, i64)>)> {
    let (mut touched, mut pairs) = (Vec::new(), Vec::new());
    let mut answers = work.fetch_many(sql.build());
    while let Some(answer) = answers.try_next().await? {
        match answer {
            Either::Left(done) => touched.push(done.rows_affected()),
            Either::Right(row) => pairs.push((row.try_get(0)?, row.try_get(1)?)),
        }
    }
    Ok((touched, pairs))
}

/// What can be said of the units before the database sees them.
fn checked(batch: &Batch) -> Vec<Verdict> {
    batch.units.iter().map(|(unit, _)| check(unit).map(|()| Written::Now)).collect()
}

/// Writes all units, in order, or fails.
async fn whole(
    work: &mut SqliteConnection,
    batch: &Batch,
    repeats: &Repeats<'_>,
    node: i32,
) -> Result<Vec<Verdict>, Fault> {
    let (mut verdicts, all) = (checked(batch), 0..batch.units.len());
    repeats.judge(all.clone(), &mut verdicts);
    part_of(work, batch, &verdicts, all, node).await?;
    Ok(verdicts)
}

/// Writes all units that the database takes, in order.
async fn parts(
    work: &mut SqliteConnection,
    batch: &Batch,
    repeats: &Repeats<'_>,
    node: i32,
) -> Result<Vec<Verdict>, Fault> {
    let mut verdicts = checked(batch);
    let mut bisect = Bisect::of(batch.units.len());
    while let Some(range) = bisect.next() {
        repeats.judge(range.clone(), &mut verdicts);
        run(work, "SAVEPOINT part").await?;
        match part_of(work, batch, &verdicts, range.clone(), node).await {
            Ok(()) => run(work, "RELEASE part").await?,
            Err(Fault::Refused(why)) => {
                run(work, "ROLLBACK TO part").await?;
                run(work, "RELEASE part").await?;
                if let Some(bad) = bisect.refused(range) {
                    verdicts[bad] = Err(Fault::Refused(why));
                }
            }
            Err(other) => return Err(other),
        }
    }
    Ok(verdicts)
}

/// One statement for all keys. The index is named: without statistics that of the positions would
/// do as well, and walk through the whole log.
fn said_before(sql: &mut QueryBuilder<Sqlite>, asked: &[(usize, &Once)]) {
    sql.push("WITH given (unit, jid, key, since, besides) AS (");
    sql.push_values(asked, |mut row, (unit, once)| {
        row.push_bind(*unit as i64)
            .push_bind(once.log.as_str())
            .push_bind(once.key)
            .push_bind(once.since.0)
            .push_bind(once.besides);
    });
    sql.push(
        ") SELECT unit, MAX(pos)
        FROM given CROSS JOIN log ON log.jid = given.jid
        CROSS JOIN entry INDEXED BY entry_key
            ON entry.log = log.id AND entry.key = given.key AND pos > since
            AND (besides IS NULL OR sm IS NOT besides)
        GROUP BY unit",
    );
}

/// How many of so many rows the next statement takes.
fn rows_now(rows: usize) -> usize {
    rows.checked_ilog2().map_or(0, |power| ROWS_MAX.min(1 << power))
}

/// Writes these units or fails: entries of neighbours together, each change where it stands.
async fn part_of(
    work: &mut SqliteConnection,
    batch: &Batch,
    verdicts: &[Verdict],
    range: Range<usize>,
    node: i32,
) -> Result<(), Fault> {
    let mut rows: Vec<(&Entry, Pos)> = Vec::new();
    let units = batch.units[range.clone()].iter().zip(&verdicts[range]);
    for ((unit, positions), _) in units.filter(|(_, verdict)| **verdict == Ok(Written::Now)) {
        if !unit.changes.is_empty() {
            entries(work, &std::mem::take(&mut rows)).await?;
        }
        changes(work, unit, node).await?;
        rows.extend(unit.entries.iter().zip(positions.iter().copied()));
    }
    entries(work, &rows).await
}

/// The changes of a unit, and the logs of hosts that it writes to.
async fn changes(work: &mut SqliteConnection, unit: &Unit, node: i32) -> Result<(), Fault> {
    for change in &unit.changes {
        change::apply(work, change, node).await?;
    }
    for entry in &unit.entries {
        change::host(work, &entry.log, node).await?;
    }
    Ok(())
}

async fn entries(work: &mut SqliteConnection, mut rows: &[(&Entry, Pos)]) -> Result<(), Fault> {
    while !rows.is_empty() {
        let (now, later) = rows.split_at(rows_now(rows.len()));
        rows = later;
        let written = insert(work, now).await.map_err(fault)?;
        if written != now.len() as u64 {
            return Err(no_log());
        }
    }
    Ok(())
}

/// One statement for all rows. Says how many found their log. When one is refused, it leaves those
/// before it, which are undone with the rest: so SQLite need not keep each page as it was.
async fn insert(work: &mut SqliteConnection, rows: &[(&Entry, Pos)]) -> sqlx::Result<u64> {
    let mut sql = QueryBuilder::<Sqlite>::new(
        "WITH given (jid, pos, flags, peer, key, sm, h, ext_id, stanza) AS (",
    );
    sql.push_values(rows, |mut row, (entry, pos)| {
        row.push_bind(entry.log.as_str())
            .push_bind(pos.0)
            .push_bind(entry.flags.0)
            .push_bind(entry.peer.as_str())
            .push_bind(entry.key)
            .push_bind(entry.settles.map(|(session, _)| session))
            .push_bind(entry.settles.map(|(_, h)| h))
            .push_bind(entry.foreign_id.as_deref())
            .push_bind(&entry.stanza.as_bytes()[..]);
    });
    sql.push(
        ") INSERT OR FAIL INTO entry (log, pos, flags, peer, key, sm, h, ext_id, stanza)
        SELECT log.id, pos, flags, peer, key, sm, h, ext_id, stanza
        FROM given CROSS JOIN log ON log.jid = given.jid",
    );
    Ok(sql.build().execute(work).await?.rows_affected())
}
