//! The file of the database: whose it is, and whether we understand it.

use crate::{
    check::refused,
    migrate,
    partial::{beside, private},
};
use engine::port::Fault;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::ErrorKind,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// What SQLite calls the journal of a database.
const JOURNAL: &str = "-wal";
/// That this is there says that the journal could not be synced.
const UNSYNCED: &str = ".unsynced";

/// The file at `path`, made with its folder when absent. Only its owner may read it: it holds
/// keys. SQLite gives its other files the same mode.
pub(super) fn made(path: &str) -> Result<PathBuf, Fault> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path == ":memory:" {
        return Err(refused("the URL of a SQLite store names a file: sqlite:data/waxwing.db"));
    }
    let path = PathBuf::from(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| private(&path))
        .map_err(|error| refused(format!("{} cannot be opened: {error}", path.display())))?;
    Ok(path)
}

/// Takes the lock file beside the database: one process per store.
pub(super) fn lock(path: &Path) -> Result<File, Fault> {
    let cannot = |error| refused(format!("{} cannot be locked: {error}", path.display()));
    let lock = private(&beside(path, ".lock")).map_err(cannot)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            Err(refused(format!("another process has {} open", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

/// Says of a database that its journal could not be synced. Systems report that once, and count
/// what was written as synced from then on, though it may be in memory only: whoever opens it next
/// must write it again. The word itself need not be synced: with the memory goes what it is about.
pub(super) fn is_unsynced(path: &Path) {
    // A disk that does not even take this cannot be opened again.
    drop(private(&beside(path, UNSYNCED)));
}

/// Writes a journal again that could not be synced.
pub(super) fn write_again(path: &Path) -> Result<(), Fault> {
    let word = beside(path, UNSYNCED);
    if !word.exists() {
        return Ok(());
    }
    let written = match OpenOptions::new().read(true).write(true).open(beside(path, JOURNAL)) {
        Ok(journal) => rewritten(&journal),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    let settled = written.and_then(|()| fs::remove_file(&word));
    settled.map_err(|error| refused(format!("{} cannot be synced: {error}", path.display())))
}

/// Each byte where it was.
fn rewritten(file: &File) -> std::io::Result<()> {
    let mut bytes = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let read = file.read_at(&mut bytes, at)?;
        if read == 0 {
            return file.sync_all();
        }
        file.write_all_at(&bytes[..read], at)?;
        at += read as u64;
    }
}

/// Looks before anything is written, be it only the journal's mode.
pub(super) async fn never_newer(path: &Path) -> Result<(), Fault> {
    if fs::metadata(path).is_ok_and(|file| file.len() == 0) {
        return Ok(());
    }
    let versions = versions(path).await.map_err(|error| opened(path, error))?;
    migrate::knows(&migrate::SQLITE, &versions)
}

/// The migrations that the database has had.
async fn versions(path: &Path) -> sqlx::Result<Vec<i64>> {
    const TABLES: &str = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
    const VERSIONS: &str = "SELECT version FROM _sqlx_migrations";
    let look = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut look = SqliteConnection::connect_with(&look).await?;
    let migrated: i64 = sqlx::query_scalar(TABLES).fetch_one(&mut look).await?;
    let mut versions = Vec::new();
    if migrated > 0 {
        versions = sqlx::query_scalar(VERSIONS).fetch_all(&mut look).await?;
    }
    look.close().await?;
    Ok(versions)
}

/// What it means that a database could not be opened.
pub(super) fn opened(path: &Path, error: sqlx::Error) -> Fault {
    refused(format!("{} cannot be opened: {error}", path.display()))
}
