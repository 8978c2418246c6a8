//! The file of the database: whose it is, and whether we understand it.

use crate::{check::refused, migrate};
use engine::port::Fault;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

/// The file at `path`, made with its folder when absent. Only its owner may read it: it holds
/// keys.
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

/// Opens or makes a file that only its owner may read. SQLite gives its other files the same mode.
pub(super) fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.read(true).write(true).create(true).truncate(false).open(path)
}

/// Takes the lock file beside the database: one process per store.
pub(super) fn lock(path: &Path) -> Result<File, Fault> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let cannot = |error| refused(format!("{} cannot be locked: {error}", path.display()));
    let lock = private(Path::new(&name)).map_err(cannot)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            Err(refused(format!("another process has {} open", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(cannot(error)),
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
