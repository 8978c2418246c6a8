//! A store as a file, and back: what is copied is looked at as a whole before it counts.

use crate::{check::refused, postgres, sqlite};
use engine::port::Fault;
use std::path::Path;

/// What has been found in a copy, after all of it has been found sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The newest migration that it has had.
    pub schema: i64,
    /// Accounts.
    pub accounts: u64,
    /// Entries of logs.
    pub entries: u64,
    /// Sessions that can be resumed, or could.
    pub sessions: u64,
    /// Who writes to it next has a higher one.
    pub epoch: i64,
    /// When the last entry was written, in ms of the Unix clock.
    pub unix_ms: u64,
}

/// Copies the store at `url`, as it is at one moment, into a file that is not there yet. A server
/// may write to it meanwhile.
///
/// # Errors
/// In words for the operator: it cannot be read, or the copy is not sound.
pub async fn backup(url: &str, to: &Path) -> Result<Verified, Fault> {
    if to.exists() {
        return Err(refused(format!("{} exists", to.display())));
    }
    match url.split_once(':') {
        Some(("sqlite", path)) => sqlite::backup::backup(path, to).await,
        Some(("postgres" | "postgresql", _)) => postgres::backup::backup(url, to).await,
        _ => Err(refused("only a store in SQLite or PostgreSQL can be copied")),
    }
}

/// Puts such a file in the place of the store at `url`, which no server may have open. What is
/// there is overwritten only by `force`.
///
/// # Errors
/// In words for the operator: the file is not sound, or there is something, and no force.
pub async fn restore(from: &Path, url: &str, force: bool) -> Result<Verified, Fault> {
    match url.split_once(':') {
        Some(("sqlite", path)) => sqlite::backup::restore(from, path, force).await,
        Some(("postgres" | "postgresql", _)) => postgres::backup::restore(from, url, force).await,
        _ => Err(refused("only a store in SQLite or PostgreSQL can be restored")),
    }
}
