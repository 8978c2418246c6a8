//! SQLite, in one file beside the process: WAL, `synchronous = FULL`, one writer, readers beside
//! it. A lock file keeps a second process out.

pub(crate) mod backup;
mod change;
mod file;
mod inbox;
mod purge;
mod read;
mod search;
mod session;
mod words;
mod write;

use crate::{
    Options,
    check::refused,
    index::{Round, index},
    large::Large,
    migrate,
    purge::purge as sweep,
};
use engine::{
    archive::{Found, Search},
    inbox::Inbox,
    port::{Batch, Device, Fault, Loaded, Logged, Reads, Retention, Store, Stored, Verdict},
    unit::{Credentials, Pos, Table},
    wire::Bare,
};
use sqlx::{
    Connection, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs::File,
    sync::atomic::{AtomicI64, Ordering},
};
use tokio::sync::Mutex;
use write::Writing;

/// The writer's cache: 16 MiB, which SQLite takes as negative KiB.
const CACHE: &str = "-16384";
/// That of each reader: 512 KiB, for what it reads again and again. All else the system has in
/// memory, once for all of them.
const READER_CACHE: &str = "-512";
/// Pages of 4 KiB in the journal before they are copied into the file: 32 MiB.
const JOURNAL_PAGES: &str = "8192";

/// A store in a file.
pub struct Sqlite {
    writing: Mutex<Writing>,
    readers: SqlitePool,
    /// The tables at hand, a JSON array of names.
    at_hand: String,
    large: Large,
    /// Where the log ended when it was purged last.
    purged: AtomicI64,
    /// How far the index of words has come.
    round: Mutex<Round>,
    /// Released when it is closed, and by the system when the process ends.
    _lock: File,
}

impl Sqlite {
    /// Opens the database at `path`, made with its folder when absent. Takes the lock file beside
    /// it, migrates, raises the epoch.
    ///
    /// # Errors
    /// `Refused` when another process has it open, when it is of a newer version, or when it
    /// cannot be read.
    pub async fn open(path: &str, options: &Options) -> Result<Self, Fault> {
        let path = file::made(path)?;
        let lock = file::lock(&path)?;
        file::write_again(&path)?;
        file::never_newer(&path).await?;
        let synchronous =
            if options.relaxed { SqliteSynchronous::Normal } else { SqliteSynchronous::Full };
        let connect = SqliteConnectOptions::new()
            .filename(&path)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous);
        // Pages of many logs are written again and again: the longer they stay in the journal,
        // the fewer times they go into the file. What is removed is overwritten, also in pages
        // that are free then: that costs commits nothing, and a purge a tenth of its CPU time.
        let writes = connect
            .clone()
            .pragma("cache_size", CACHE)
            .pragma("wal_autocheckpoint", JOURNAL_PAGES)
            .pragma("secure_delete", "ON");
        let connection = SqliteConnection::connect_with(&writes).await;
        let mut connection = connection.map_err(|error| file::opened(&path, error))?;
        migrate::SQLITE.run(&mut connection).await.map_err(migrate::failed)?;
        let node =
            i32::try_from(options.node.0).map_err(|_| refused("a node's number has 31 bits"))?;
        let writing = Writing::take(writes, connection, node).await.inspect_err(|fault| {
            if fault.is_final() {
                file::is_unsynced(&path);
            }
        })?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers_max.max(1))
            // A file does not go away, and to ask costs as much as to read.
            .test_before_acquire(false)
            .connect_lazy_with(connect.read_only(true).pragma("cache_size", READER_CACHE));
        let names: Vec<_> = options.at_hand.iter().map(|table| table.name()).collect();
        let at_hand = serde_json::json!(names).to_string();
        Ok(Self {
            writing: Mutex::new(writing),
            readers,
            at_hand,
            large: Large::default(),
            purged: AtomicI64::new(0),
            round: Mutex::default(),
            _lock: lock,
        })
    }
}

/// These places, as one value.
fn json(places: &[Pos]) -> String {
    let places: Vec<_> = places.iter().map(|pos| pos.0).collect();
    serde_json::json!(places).to_string()
}

/// What a failed statement means: the rows were refused, or the file is out of reach.
fn fault(error: sqlx::Error) -> Fault {
    // Result codes of SQLite: too big, constraint, mismatch.
    const REFUSED: [i32; 3] = [18, 19, 20];
    // Extended ones: a file, or a folder, could not be synced.
    const UNSYNCED: [i32; 2] = [10 | 4 << 8, 10 | 5 << 8];
    let code = match &error {
        sqlx::Error::Database(error) => error.code(),
        _ => None,
    };
    match code.and_then(|code| code.parse::<i32>().ok()) {
        Some(code) if UNSYNCED.contains(&code) => Fault::Unsynced(error.to_string()),
        // The low byte of an extended code is the code.
        Some(code) if REFUSED.contains(&(code & 0xff)) => refused(error.to_string()),
        _ => Fault::Away(error.to_string()),
    }
}

impl Reads for Sqlite {
    fn credentials<'a>(&'a self, of: &'a Bare) -> Stored<'a, Option<Credentials>> {
        Box::pin(read::credentials(&self.readers, of))
    }

    fn load<'a>(&'a self, account: &'a Bare) -> Stored<'a, Option<Loaded>> {
        Box::pin(read::load(&self.readers, account, &self.at_hand))
    }

    fn accounts<'a>(
        &'a self,
        domain: &'a Bare,
        after: Option<&'a str>,
        max: usize,
    ) -> Stored<'a, Vec<Bare>> {
        Box::pin(read::accounts(&self.readers, domain, after, max))
    }

    fn count<'a>(&'a self, domain: &'a Bare) -> Stored<'a, u64> {
        Box::pin(read::count(&self.readers, domain))
    }

    fn disabled<'a>(&'a self, domain: &'a Bare, max: usize) -> Stored<'a, (u64, Vec<Bare>)> {
        Box::pin(read::disabled(&self.readers, domain, max))
    }

    fn cell<'a>(&'a self, at: Table, of: &'a Bare, key: &'a str) -> Stored<'a, Option<Vec<u8>>> {
        Box::pin(read::cell(&self.readers, at, of, key))
    }

    fn device<'a>(&'a self, of: &'a Bare, at: Table, key: &'a str) -> Stored<'a, Option<Device>> {
        Box::pin(read::device(&self.readers, of, at, key))
    }

    fn cells<'a>(&'a self, at: Table, of: &'a Bare) -> Stored<'a, Vec<(String, Vec<u8>)>> {
        Box::pin(read::cells(&self.readers, at, of))
    }

    fn affiliated<'a>(
        &'a self,
        who: &'a Bare,
        after: Option<&'a Bare>,
        max: usize,
    ) -> Stored<'a, Vec<(Bare, Vec<u8>)>> {
        Box::pin(read::affiliated(&self.readers, who, after, max))
    }

    fn cells_from<'a>(
        &'a self,
        at: Table,
        of: &'a Bare,
        from: &'a str,
        max: usize,
    ) -> Stored<'a, Vec<(String, Vec<u8>)>> {
        Box::pin(read::cells_from(&self.readers, at, of, from, max))
    }

    fn page<'a>(&'a self, log: &'a Bare, after: Pos, max: usize) -> Stored<'a, Vec<Logged>> {
        Box::pin(search::page(&self.readers, log, after, max))
    }

    fn search<'a>(&'a self, log: &'a Bare, what: &'a Search) -> Stored<'a, Found> {
        Box::pin(search::search(self, log, what))
    }

    fn inbox<'a>(&'a self, of: &'a Bare) -> Stored<'a, Inbox> {
        Box::pin(inbox::inbox(&self.readers, of))
    }

    fn entries<'a>(&'a self, log: &'a Bare, at: &'a [Pos]) -> Stored<'a, Vec<Logged>> {
        Box::pin(search::entries(&self.readers, log, at))
    }
}

impl Store for Sqlite {
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
        Box::pin(session::resumable(&self.readers, unix_ms, after, max))
    }

    fn keeps_argon2id(&self) -> Stored<'_, bool> {
        Box::pin(read::keeps_argon2id(&self.readers))
    }

    fn secret(&self, fresh: [u8; 32]) -> Stored<'_, [u8; 32]> {
        Box::pin(async move { self.writing.lock().await.secret(fresh).await })
    }

    fn index(&self) -> Stored<'_, u64> {
        Box::pin(async { index(self, &mut *self.round.lock().await).await })
    }

    fn purge<'a>(&'a self, what: &'a Retention) -> Stored<'a, u64> {
        Box::pin(async move {
            let (_, last) = self.last().await?;
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
