//! PostgreSQL: one connection that writes, pipelined and behind the fence; a pool that reads.

pub(crate) mod backup;
mod connect;
mod inbox;
mod line;
mod partition;
mod pipeline;
mod purge;
mod read;
mod search;
mod session;
mod steps;
mod words;
mod write;

use crate::{
    Options,
    check::refused,
    index::{Round, index},
    large::Large,
    purge::purge as sweep,
};
use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Timeouts,
    tokio_postgres,
};
use engine::{
    archive::{Found, Search},
    inbox::Inbox,
    port::{Batch, Device, Fault, Loaded, Logged, Reads, Retention, Store, Stored, Verdict},
    unit::{Credentials, Pos, Table},
    wire::Bare,
};
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};
use tokio::sync::Mutex;
use write::Writing;

/// A store in a PostgreSQL database.
///
/// Its writer holds an advisory lock for as long as it is connected, so it needs a connection of
/// its own: a pooler that shares one between transactions will not do.
pub struct Postgres {
    writing: Mutex<Writing>,
    readers: Pool,
    at_hand: Vec<&'static str>,
    large: Large,
    /// Where the log ended when it was purged last.
    purged: AtomicI64,
    /// How far the index of words has come. It stands still while something is purged: the index
    /// must not get what is gone.
    round: Mutex<Round>,
}

impl Postgres {
    /// Opens the database at `url`: `postgres://user:password@host/database`, with `?host=/path`
    /// for the socket in a folder. Migrates it and raises the epoch.
    ///
    /// # Errors
    /// `Refused` when another process writes to it, when it is of a newer version, when it does
    /// not keep what it has committed; `Away` when it cannot be reached.
    pub async fn open(url: &str, options: &Options) -> Result<Self, Fault> {
        let answer = Duration::from_millis(options.answer_ms_max);
        let config = connect::config(url, answer)?;
        let writing = Writing::take(config.clone(), options).await?;
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(config, connect::Planned, recycling);
        let readers = Pool::builder(manager)
            .max_size(options.readers_max.max(1) as usize)
            .timeouts(Timeouts { wait: Some(answer), create: Some(answer), recycle: Some(answer) })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| refused(error.to_string()))?;
        let at_hand = options.at_hand.iter().map(|table| table.name()).collect();
        Ok(Self {
            writing: Mutex::new(writing),
            readers,
            at_hand,
            large: Large::default(),
            purged: AtomicI64::new(0),
            round: Mutex::default(),
        })
    }

    async fn reader(&self) -> Result<Object, Fault> {
        self.readers.get().await.map_err(|error| match error {
            PoolError::Backend(error) => fault(error),
            other => Fault::Away(other.to_string()),
        })
    }
}

/// What a failed statement means: the rows were refused, or the database is out of reach.
fn fault(error: tokio_postgres::Error) -> Fault {
    // Classes of SQLSTATE: feature not supported, data exception, integrity constraint, access
    // rule, program limit. Of all others the same statement may succeed a minute later.
    const REFUSED: [&str; 5] = ["0A", "22", "23", "42", "54"];
    let Some(told) = error.as_db_error() else {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        return Fault::Away(format!("{error}{}", cause.unwrap_or_default()));
    };
    // Not the detail: it may hold what a user wrote.
    let why = told.message().to_owned();
    let class = told.code().code().get(..2).unwrap_or("");
    if REFUSED.contains(&class) { refused(why) } else { Fault::Away(why) }
}

impl Reads for Postgres {
    fn credentials<'a>(&'a self, of: &'a Bare) -> Stored<'a, Option<Credentials>> {
        Box::pin(async { read::credentials(&self.reader().await?, of).await })
    }

    fn load<'a>(&'a self, account: &'a Bare) -> Stored<'a, Option<Loaded>> {
        Box::pin(async { read::load(&self.reader().await?, account, &self.at_hand).await })
    }

    fn accounts<'a>(
        &'a self,
        domain: &'a Bare,
        after: Option<&'a str>,
        max: usize,
    ) -> Stored<'a, Vec<Bare>> {
        Box::pin(async move { read::accounts(&self.reader().await?, domain, after, max).await })
    }

    fn count<'a>(&'a self, domain: &'a Bare) -> Stored<'a, u64> {
        Box::pin(async move { read::count(&self.reader().await?, domain).await })
    }

    fn disabled<'a>(&'a self, domain: &'a Bare, max: usize) -> Stored<'a, (u64, Vec<Bare>)> {
        Box::pin(async move { read::disabled(&self.reader().await?, domain, max).await })
    }

    fn cell<'a>(&'a self, at: Table, of: &'a Bare, key: &'a str) -> Stored<'a, Option<Vec<u8>>> {
        Box::pin(async move { read::cell(&self.reader().await?, at, of, key).await })
    }

    fn device<'a>(&'a self, of: &'a Bare, at: Table, key: &'a str) -> Stored<'a, Option<Device>> {
        Box::pin(async move { read::device(&self.reader().await?, of, at, key).await })
    }

    fn cells<'a>(&'a self, at: Table, of: &'a Bare) -> Stored<'a, Vec<(String, Vec<u8>)>> {
        Box::pin(async move { read::cells(&self.reader().await?, at, of).await })
    }

    fn affiliated<'a>(
        &'a self,
        who: &'a Bare,
        after: Option<&'a Bare>,
        max: usize,
    ) -> Stored<'a, Vec<(Bare, Vec<u8>)>> {
        Box::pin(async move { read::affiliated(&self.reader().await?, who, after, max).await })
    }

    fn cells_from<'a>(
        &'a self,
        at: Table,
        of: &'a Bare,
        from: &'a str,
        max: usize,
    ) -> Stored<'a, Vec<(String, Vec<u8>)>> {
        Box::pin(async move { read::cells_from(&self.reader().await?, at, of, from, max).await })
    }

    fn page<'a>(&'a self, log: &'a Bare, after: Pos, max: usize) -> Stored<'a, Vec<Logged>> {
        Box::pin(async move { search::page(&self.reader().await?, log, after, max).await })
    }

    fn search<'a>(&'a self, log: &'a Bare, what: &'a Search) -> Stored<'a, Found> {
        Box::pin(search::search(self, log, what))
    }

    fn inbox<'a>(&'a self, of: &'a Bare) -> Stored<'a, Inbox> {
        Box::pin(async move { inbox::inbox(&self.reader().await?, of).await })
    }

    fn entries<'a>(&'a self, log: &'a Bare, at: &'a [Pos]) -> Stored<'a, Vec<Logged>> {
        Box::pin(async move { search::entries(&self.reader().await?, log, at).await })
    }
}

impl Store for Postgres {
    fn last(&self) -> Stored<'_, (i64, Pos)> {
        Box::pin(async { self.writing.lock().await.last().await })
    }

    fn commit<'a>(&'a self, batch: &'a Batch) -> Stored<'a, Vec<Verdict>> {
        Box::pin(async { self.writing.lock().await.commit(batch).await })
    }

    fn resumable<'a>(
        &'a self,
        unix_ms: u64,
        after: Option<&'a Bare>,
        max: usize,
    ) -> Stored<'a, Vec<Bare>> {
        Box::pin(async move { read::resumable(&self.reader().await?, unix_ms, after, max).await })
    }

    fn keeps_argon2id(&self) -> Stored<'_, bool> {
        Box::pin(async { read::keeps_argon2id(&self.reader().await?).await })
    }

    fn secret(&self, fresh: [u8; 32]) -> Stored<'_, [u8; 32]> {
        Box::pin(async move { self.writing.lock().await.secret(fresh).await })
    }

    fn index(&self) -> Stored<'_, u64> {
        Box::pin(async { index(self, &mut *self.round.lock().await).await })
    }

    fn purge<'a>(&'a self, what: &'a Retention) -> Stored<'a, u64> {
        Box::pin(async move {
            let _round = self.round.lock().await;
            let (_, last) = self.last().await?;
            self.drop_partitions(what.before, last).await?;
            let looked = Pos(self.purged.load(Ordering::Relaxed));
            let gone = sweep(self, what, looked).await?;
            self.purged.store(last.0, Ordering::Relaxed);
            Ok(gone)
        })
    }

    fn sync(&self) -> Stored<'_, ()> {
        Box::pin(async { self.writing.lock().await.sync().await })
    }
}

#[cfg(test)]
mod tests;
