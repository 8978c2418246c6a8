//! The connection that writes, and the lock that keeps others from writing.

use super::{connect, fault};
use crate::check::refused;
use deadpool_postgres::{
    ClientWrapper,
    tokio_postgres::{Client, Config, error::SqlState},
};
use engine::port::Fault;
use std::time::Duration;

/// Half of the key of the advisory lock, "waxw"; the other half is the node.
const LOCK: i32 = 0x7761_7877;

/// A connection that holds the lock. Closed when it is dropped.
pub(super) struct Line {
    pub(super) client: ClientWrapper,
}

/// Connects, without the lock yet.
pub(super) async fn connect(config: &Config) -> Result<Line, Fault> {
    let (client, task) = connect::planned(config).await.map_err(fault)?;
    Ok(Line { client: ClientWrapper::new(client, task) })
}

/// Waits for the advisory lock of this node. While it is held, no transaction of an earlier
/// connection can still commit. `false`: another connection held it for all of `wait`.
pub(super) async fn lock(client: &Client, node: i32, wait: Duration) -> Result<bool, Fault> {
    let wait = format!("{}ms", wait.as_millis().max(1));
    let limit = "SELECT set_config('lock_timeout', $1, false)";
    client.query_one(limit, &[&wait]).await.map_err(fault)?;
    let lock = "SELECT pg_advisory_lock($1, $2)";
    match client.query_one(lock, &[&LOCK, &node]).await {
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => return Ok(false),
        Err(error) => return Err(fault(error)),
        Ok(_) => {}
    }
    client.batch_execute("RESET lock_timeout").await.map_err(fault)?;
    Ok(true)
}

impl Line {
    /// Ends whoever holds the lock or waits for it: connections of ours that the server does not
    /// know to be lost. For the owner of the epoch only: another process that holds the lock has
    /// not raised it yet, and has come too early.
    pub(super) async fn end_others(&self, node: i32) -> Result<(), Fault> {
        const SQL: &str = "
            SELECT pg_terminate_backend(pid) FROM pg_locks
            WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
                AND classid = $1::int4::oid AND objid = $2::int4::oid AND objsubid = 2
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        self.client.query(SQL, &[&LOCK, &node]).await.map_err(fault)?;
        Ok(())
    }

    /// Looks whether the database keeps what it has committed, and text as we mean it.
    ///
    /// # Errors
    /// `Refused`, with what to do about it.
    pub(super) async fn check(&self, relaxed: bool) -> Result<(), Fault> {
        const SQL: &str = "
            SELECT current_setting('fsync'), current_setting('synchronous_commit'),
                current_setting('server_encoding'), current_setting('server_version_num')::int4";
        let row = self.client.query_one(SQL, &[]).await.map_err(fault)?;
        let [fsync, commit, encoding]: [&str; 3] = [row.get(0), row.get(1), row.get(2)];
        if row.get::<_, i32>(3) < 140_000 {
            return Err(refused("PostgreSQL must be of version 14 or newer"));
        }
        if encoding != "UTF8" {
            return Err(refused(format!("the database must be UTF8, it is {encoding}")));
        }
        for (setting, value) in [("fsync", fsync), ("synchronous_commit", commit)] {
            if value == "off" && !relaxed {
                return Err(refused(format!(
                    "PostgreSQL runs with {setting} = off: acknowledged messages could be lost"
                )));
            }
        }
        Ok(())
    }

    /// The migrations that the database has had.
    pub(super) async fn versions(&self) -> Result<Vec<i64>, Fault> {
        let there = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
        let there = self.client.query_one(there, &[]).await.map_err(fault)?;
        if !there.get::<_, bool>(0) {
            return Ok(Vec::new());
        }
        let all = "SELECT version FROM _sqlx_migrations";
        let rows = self.client.query(all, &[]).await.map_err(fault)?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
