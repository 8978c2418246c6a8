//! A copy of the database beside the process that writes it, and back.

use super::{
    fault,
    file::{lock, made, never_newer, opened},
};
use crate::{
    backup::Verified,
    check::refused,
    migrate::{SQLITE, failed},
    partial::{arrives, begun, beside, cannot, private},
};
use engine::port::Fault;
use sqlx::{
    Connection, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// What has been told wrong of a database, at most so many lines.
const FLAWS_MAX: i64 = 20;

/// Copies the database at `path` as it is at one moment. The one who writes it is not held up, and
/// need not know.
pub(crate) async fn backup(path: &str, to: &Path) -> Result<Verified, Fault> {
    let path = named(path)?;
    never_newer(&path).await?;
    let partial = begun(to)?;
    // SQLite writes into an empty file, which is already nobody else's.
    let mut look = open(&path, true).await?;
    let copy = sqlx::query("VACUUM INTO $1").bind(partial.to_string_lossy().into_owned());
    copy.execute(&mut look).await.map_err(fault)?;
    look.close().await.map_err(fault)?;
    let verified = verify(&partial).await?;
    arrives(&partial, to)?;
    Ok(verified)
}

/// Puts a copy in the place of the database at `path`, which nobody may have open. An existing one
/// is overwritten only by `force`.
pub(crate) async fn restore(from: &Path, path: &str, force: bool) -> Result<Verified, Fault> {
    let before = verify(from).await?;
    let path = made(path)?;
    let _lock = lock(&path)?;
    let empty = fs::metadata(&path).is_ok_and(|file| file.len() == 0);
    if !empty && !force {
        return Err(refused(format!(
            "{} exists; --force overwrites it, and what it has is lost",
            path.display()
        )));
    }
    let partial = begun(&path)?;
    copy(from, &partial).map_err(|error| cannot(&partial, &error))?;
    // Also when what is there cannot be read any more: it is to be replaced.
    let old = if empty { 0 } else { epoch(&path).await.unwrap_or_default() };
    begin_anew(&partial, old).await?;
    let after = verify(&partial).await?;
    if (before.accounts, before.entries) != (after.accounts, after.entries) {
        return Err(refused("the copy has not the rows of what it was copied from"));
    }
    // A journal of the old one would be applied to the new one.
    for journal in ["-wal", "-shm", "-journal"] {
        match fs::remove_file(beside(&path, journal)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot(&path, &error));
            }
            _ => {}
        }
    }
    arrives(&partial, &path)?;
    Ok(after)
}

/// Its bytes, not who may read or write it: a copy that everybody may read makes no database that
/// everybody may.
fn copy(from: &Path, to: &Path) -> io::Result<u64> {
    io::copy(&mut File::open(from)?, &mut private(to)?)
}

/// Looks at all of a database that nobody writes.
///
/// # Errors
/// What is wrong with it.
pub(crate) async fn verify(path: &Path) -> Result<Verified, Fault> {
    if !fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return Err(refused(format!("{} is not there, or empty", path.display())));
    }
    never_newer(path).await?;
    let mut look = open(path, true).await?;
    let flaws = "SELECT integrity_check FROM pragma_integrity_check LIMIT $1";
    let flaws = sqlx::query_scalar(flaws).bind(FLAWS_MAX);
    let flaws: Vec<String> = flaws.fetch_all(&mut look).await.map_err(fault)?;
    if flaws != ["ok"] {
        return Err(refused(format!("{} is damaged: {}", path.display(), flaws.join("; "))));
    }
    let strays = sqlx::query_scalar("SELECT count(*) FROM pragma_foreign_key_check");
    let strays: i64 = strays.fetch_one(&mut look).await.map_err(fault)?;
    if strays > 0 {
        return Err(refused(format!("{}: {strays} rows belong to nothing", path.display())));
    }
    let verified = counts(&mut look).await.map_err(|error| opened(path, error))?;
    look.close().await.map_err(fault)?;
    Ok(verified)
}

async fn counts(look: &mut SqliteConnection) -> sqlx::Result<Verified> {
    const SQL: &str = "
        SELECT (SELECT max(version) FROM _sqlx_migrations) AS schema,
            (SELECT count(*) FROM account) AS accounts, (SELECT count(*) FROM entry) AS entries,
            (SELECT count(*) FROM session) AS sessions,
            (SELECT coalesce(max(epoch), 0) FROM writer) AS epoch,
            (SELECT coalesce(max(pos), 0) FROM writer) AS pos";
    let row = sqlx::query(SQL).fetch_one(look).await?;
    let count = |name| Ok::<_, sqlx::Error>(row.try_get::<i64, _>(name)?.unsigned_abs());
    Ok(Verified {
        schema: row.try_get("schema")?,
        accounts: count("accounts")?,
        entries: count("entries")?,
        sessions: count("sessions")?,
        epoch: row.try_get("epoch")?,
        unix_ms: count("pos")? >> 20,
    })
}

async fn epoch(path: &Path) -> Result<i64, Fault> {
    let mut look = open(path, true).await?;
    let epoch = sqlx::query_scalar("SELECT coalesce(max(epoch), 0) FROM writer");
    epoch.fetch_one(&mut look).await.map_err(fault)
}

/// Above the epoch of whoever wrote either. What clients knew of their sessions since then is not
/// here: they begin anew, and read what there is.
async fn begin_anew(path: &Path, old: i64) -> Result<(), Fault> {
    let mut work = open(path, false).await?;
    SQLITE.run(&mut work).await.map_err(failed)?;
    let raise = sqlx::query("UPDATE writer SET epoch = max(epoch, $1) + 1").bind(old);
    raise.execute(&mut work).await.map_err(fault)?;
    sqlx::query("DELETE FROM session").execute(&mut work).await.map_err(fault)?;
    work.close().await.map_err(fault)
}

async fn open(path: &Path, read_only: bool) -> Result<SqliteConnection, Fault> {
    let mut options = SqliteConnectOptions::new().filename(path).read_only(read_only);
    if !read_only {
        options = options.journal_mode(SqliteJournalMode::Delete).foreign_keys(true);
    }
    SqliteConnection::connect_with(&options).await.map_err(|error| opened(path, error))
}

fn named(path: &str) -> Result<PathBuf, Fault> {
    let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
    match path.exists() {
        true => Ok(path),
        false => Err(refused(format!("there is no database {}", path.display()))),
    }
}
