//! The one who writes: the fence, the units of a batch behind it, and what becomes of a batch
//! when the connection is lost.

use super::{
    backup, connect, fault,
    line::{self, Line},
    partition::Partitions,
    pipeline::{self, Step},
    steps, words,
};
use crate::{
    Options,
    bisect::Bisect,
    check::{self, check, refused},
    index::{Taken, Touched},
    migrate,
    repeats::Repeats,
};
use deadpool_postgres::tokio_postgres::{Config, Row};
use engine::{
    port::{Batch, Fault, Verdict, Written},
    unit::Pos,
};
use std::time::Duration;

pub(super) struct Writing {
    config: Config,
    node: i32,
    epoch: i64,
    answer: Duration,
    /// `None` while the database is away.
    line: Option<Line>,
    partitions: Partitions,
    /// The verdicts of the last batch that may have been committed, by its number.
    verdicts: (i64, Vec<Verdict>),
    touched: Touched,
}

impl Writing {
    /// Connects, takes the lock, migrates, raises the epoch: whoever wrote before is fenced.
    pub(super) async fn take(config: Config, options: &Options) -> Result<Self, Fault> {
        const SQL: &str = "
            INSERT INTO writer (node, epoch, batch, pos) VALUES ($1, 1, 0, 0)
            ON CONFLICT (node) DO UPDATE SET epoch = writer.epoch + 1
            RETURNING epoch";
        let node =
            i32::try_from(options.node.0).map_err(|_| refused("a node's number has 31 bits"))?;
        let line = line::connect(&config).await?;
        line.check(options.relaxed).await?;
        backup::is_whole(&line.client).await?;
        migrate::knows(&migrate::POSTGRES, &line.versions().await?)?;
        let wait = Duration::from_millis(options.handover_ms_max);
        if !line::lock(&line.client, node, wait).await? {
            return Err(refused("another process writes to this database"));
        }
        // It may have been a restore that held it.
        backup::is_whole(&line.client).await?;
        connect::migrate(&config, &migrate::POSTGRES).await?;
        let row = line.client.query_one(SQL, &[&node]).await.map_err(fault)?;
        Ok(Self {
            config,
            node,
            epoch: row.get(0),
            answer: Duration::from_millis(options.answer_ms_max),
            line: Some(line),
            partitions: Partitions::default(),
            verdicts: (0, Vec::new()),
            touched: Touched::default(),
        })
    }

    /// The connection, made anew when it was lost. It is put back by who has an answer; whoever
    /// has none, or is dropped while waiting, leaves it to be closed.
    async fn line(&mut self) -> Result<Line, Fault> {
        if let Some(line) = self.line.take().filter(|line| !line.client.is_closed()) {
            return Ok(line);
        }
        let node = self.node;
        let again = async {
            let line = line::connect(&self.config).await?;
            // Fenced at once, instead of waiting for a lock that the other process holds.
            last(&line, node, self.epoch).await?;
            line.end_others(node).await?;
            if !line::lock(&line.client, node, self.answer).await? {
                return Err(Fault::Away("another connection holds the lock".into()));
            }
            Ok(line)
        };
        // Twice the time: the lock may take all of it once.
        within(self.answer * 2, again).await
    }

    pub(super) async fn last(&mut self) -> Result<(i64, Pos), Fault> {
        let line = self.line().await?;
        let last = within(self.answer, last(&line, self.node, self.epoch)).await;
        self.keep(line, &last);
        last
    }

    /// The last position, and the logs that have been written to. With an answer nothing of an
    /// earlier batch is under way any more.
    pub(super) async fn touched(&mut self) -> Result<(Pos, Touched), Fault> {
        let (_, last) = self.last().await?;
        Ok((last, self.touched.take()))
    }

    pub(super) async fn secret(&mut self, fresh: [u8; 32]) -> Result<[u8; 32], Fault> {
        let line = self.line().await?;
        let secret = within(self.answer, secret(&line, fresh)).await;
        self.keep(line, &secret);
        secret
    }

    /// A commit that waits for the disk waits for all before it.
    pub(super) async fn sync(&mut self) -> Result<(), Fault> {
        let (node, epoch) = (self.node, self.epoch);
        let sql = format!(
            "BEGIN; SET LOCAL synchronous_commit = on;
            UPDATE writer SET batch = batch WHERE node = {node} AND epoch = {epoch}; COMMIT"
        );
        let line = self.line().await?;
        let synced =
            within(self.answer, async { line.client.batch_execute(&sql).await.map_err(fault) });
        let synced = synced.await;
        self.keep(line, &synced);
        synced
    }

    /// Keeps the connection, unless it is what failed.
    fn keep<T>(&mut self, line: Line, outcome: &Result<T, Fault>) {
        if !matches!(outcome, Err(Fault::Away(_))) {
            self.line = Some(line);
        }
    }

    /// Goes on with the index of words by a piece.
    pub(super) async fn index(&mut self, behind: &[(i64, i64)]) -> Result<Taken, Fault> {
        let line = self.line().await?;
        let taken = within(self.answer, words::take(&line, behind)).await;
        self.keep(line, &taken);
        taken
    }

    pub(super) async fn commit(&mut self, batch: &Batch) -> Result<Vec<Verdict>, Fault> {
        self.touched.add(batch);
        let line = self.line().await?;
        let answer = self.answer;
        let outcome = within(answer, self.attempt(&line, batch)).await;
        let outcome = match outcome {
            Err(Fault::Fenced) => within(answer, self.settled(&line, batch.number)).await,
            other => other,
        };
        self.keep(line, &outcome);
        outcome
    }

    async fn attempt(&mut self, line: &Line, batch: &Batch) -> Result<Vec<Verdict>, Fault> {
        self.partitions.make(line, batch).await?;
        match self.transaction(line, batch, false).await {
            // What it was, is found out in a second transaction: in the first one there is nothing
            // that could be undone by itself, which costs statements and numbers of transactions.
            Err(Fault::Refused(_)) => self.transaction(line, batch, true).await,
            other => other,
        }
    }

    async fn transaction(
        &mut self,
        line: &Line,
        batch: &Batch,
        in_parts: bool,
    ) -> Result<Vec<Verdict>, Fault> {
        let written = match in_parts {
            true => self.parts(line, batch).await,
            false => self.whole(line, batch).await,
        };
        if let Err(Fault::Refused(_) | Fault::Fenced) = written {
            pipeline::run(&line.client, &[command("ROLLBACK")], &mut Vec::new()).await?;
        }
        // Kept before the commit: its outcome may stay unknown.
        self.verdicts = (batch.number, written?);
        pipeline::run(&line.client, &[command("COMMIT")], &mut Vec::new()).await?;
        Ok(self.verdicts.1.clone())
    }

    /// What each transaction begins with. Asked and written at once: that something is a repeat is
    /// rare, and known in time to undo it.
    fn begin<'a>(&self, batch: &'a Batch, repeats: &Repeats<'a>) -> Vec<Step<'a>> {
        let mut steps = vec![command("BEGIN"), self.fence(batch)];
        steps.extend(steps::said_before(repeats.asked()));
        steps
    }

    /// Writes all units, in order, or fails; also when one of them is a repeat.
    async fn whole(&self, line: &Line, batch: &Batch) -> Result<Vec<Verdict>, Fault> {
        let (mut verdicts, repeats) = (checked(batch), Repeats::of(batch));
        repeats.judge(0..batch.units.len(), &mut verdicts);
        let mut steps = self.begin(batch, &repeats);
        steps.extend(steps::of(&batch.units, &verdicts, self.node));
        let mut told = Vec::new();
        pipeline::run(&line.client, &steps, &mut told).await?;
        if told.is_empty() { Ok(verdicts) } else { Err(refused("it was said before")) }
    }

    /// Writes all units that the database takes, in order.
    async fn parts(&self, line: &Line, batch: &Batch) -> Result<Vec<Verdict>, Fault> {
        let (mut verdicts, mut repeats) = (checked(batch), Repeats::of(batch));
        let mut bisect = Bisect::of(batch.units.len());
        let mut next = self.begin(batch, &repeats);
        while let Some(range) = bisect.next() {
            repeats.judge(range.clone(), &mut verdicts);
            let units = &batch.units[range.clone()];
            next.push(command("SAVEPOINT part"));
            next.extend(steps::of(units, &verdicts[range.clone()], self.node));
            let mut told = Vec::new();
            let outcome = pipeline::run(&line.client, &next, &mut told).await;
            note(&told, &mut repeats)?;
            next = vec![command("ROLLBACK TO part"), command("RELEASE part")];
            match outcome {
                Ok(()) if told.is_empty() => next = vec![command("RELEASE part")],
                Err(Fault::Refused(why)) if told.is_empty() => {
                    if let Some(bad) = bisect.refused(range) {
                        verdicts[bad] = Err(Fault::Refused(why));
                    }
                }
                Ok(()) | Err(Fault::Refused(_)) => bisect.again(range),
                Err(other) => return Err(other),
            }
        }
        pipeline::run(&line.client, &next, &mut Vec::new()).await?;
        Ok(verdicts)
    }

    fn fence(&self, batch: &Batch) -> Step<'static> {
        const SQL: &str = "
            UPDATE writer SET batch = $1, pos = $2
            WHERE node = $3 AND epoch = $4 AND batch = $1::int8 - 1";
        let values: Vec<pipeline::Value<'static>> = vec![
            Box::new(batch.number),
            Box::new(batch.last.0),
            Box::new(self.node),
            Box::new(self.epoch),
        ];
        Step::new(SQL, values).touches(1, Fault::Fenced)
    }

    /// What became of a batch that the fence holds back: it may have been committed before.
    async fn settled(&self, line: &Line, number: i64) -> Result<Vec<Verdict>, Fault> {
        let (batch, _) = last(line, self.node, self.epoch).await?;
        let (known, verdicts) = &self.verdicts;
        if batch == number && *known == number { Ok(verdicts.clone()) } else { Err(Fault::Fenced) }
    }
}

async fn last(line: &Line, node: i32, epoch: i64) -> Result<(i64, Pos), Fault> {
    const SQL: &str = "SELECT batch, pos FROM writer WHERE node = $1 AND epoch = $2";
    let statement = line.client.prepare_cached(SQL).await.map_err(fault)?;
    let row = line.client.query_opt(&statement, &[&node, &epoch]).await.map_err(fault)?;
    let row = row.ok_or(Fault::Fenced)?;
    Ok((row.get(0), Pos(row.get(1))))
}

async fn secret(line: &Line, fresh: [u8; 32]) -> Result<[u8; 32], Fault> {
    const MAKE: &str = "
        INSERT INTO server (key, value) VALUES ('secret', $1) ON CONFLICT (key) DO NOTHING";
    const READ: &str = "SELECT value FROM server WHERE key = 'secret'";
    line.client.execute(MAKE, &[&&fresh[..]]).await.map_err(fault)?;
    let row = line.client.query_one(READ, &[]).await.map_err(fault)?;
    check::secret(row.get(0))
}

/// What the log had of what is said again.
fn note(rows: &[Row], repeats: &mut Repeats<'_>) -> Result<(), Fault> {
    for row in rows {
        let unit: i64 = row.try_get(0).map_err(fault)?;
        repeats.found(
            usize::try_from(unit).unwrap_or(usize::MAX),
            Pos(row.try_get(1).map_err(fault)?),
        );
    }
    Ok(())
}

/// What can be said of the units before the database sees them.
fn checked(batch: &Batch) -> Vec<Verdict> {
    batch.units.iter().map(|(unit, _)| check(unit).map(|()| Written::Now)).collect()
}

fn command(sql: &'static str) -> Step<'static> {
    Step::new(sql, Vec::new())
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let late = || Fault::Away(format!("no answer within {} ms", limit.as_millis()));
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late()))
}
