//! A copy by PostgreSQL's own tools, which know how: `pg_dump`, while the server writes, and
//! `pg_restore`.

use super::{connect, fault, line, read::get};
use crate::{
    backup::Verified,
    check::refused,
    migrate::{POSTGRES, knows},
    options::Options,
    partial::{arrives, begun},
};
use deadpool_postgres::tokio_postgres::{Client, Config, Row, config::Host};
use engine::port::Fault;
use std::{io::ErrorKind, path::Path, process::Stdio, time::Duration};
use tokio::process::Command;

/// For the connection.
const ANSWER: Duration = Duration::from_secs(10);
/// For the lock of a server that has ended, and PostgreSQL has yet to hear of it.
const HANDOVER: Duration = Duration::from_secs(1);
/// Whether anything of ours is.
const IS_THERE: &str = "SELECT count(*) FROM pg_class WHERE oid = to_regclass('writer')";
/// What a copy must have.
const TABLES: [&str; 4] = ["account", "entry", "log", "writer"];
/// Whether a restore was broken off.
const BEFORE_IS_THERE: &str = "SELECT count(*) FROM pg_namespace WHERE nspname = 'waxwing_before'";
const PUT_ASIDE: &str = "ALTER SCHEMA public RENAME TO waxwing_before; CREATE SCHEMA public";
const PUT_BACK: &str = "DROP SCHEMA public CASCADE; ALTER SCHEMA waxwing_before RENAME TO public";
/// Extensions are the operator's: no copy has them.
const FORGET: &str = "
    DO $$ DECLARE extension name; BEGIN
        FOR extension IN
            SELECT extname FROM pg_extension WHERE extnamespace = 'waxwing_before'::regnamespace
        LOOP
            EXECUTE format('ALTER EXTENSION %I SET SCHEMA public', extension);
        END LOOP;
    END $$;
    DROP SCHEMA waxwing_before CASCADE";
/// Extensions that would be lost with what was there before.
const FIXED: &str = "
    SELECT string_agg(extname, ', ') FROM pg_extension
    WHERE extnamespace = 'public'::regnamespace
        AND NOT (extrelocatable AND pg_has_role(extowner, 'USAGE'))";

pub(crate) async fn backup(url: &str, to: &Path) -> Result<Verified, Fault> {
    let config = connect::config(url, ANSWER)?;
    let client = connected(&config).await?;
    let verified = counts(&client).await?;
    // `pg_dump` writes into a file that is there, which is already nobody else's.
    let partial = begun(to)?;
    let file = format!("--file={}", partial.display());
    let words = ["--format=custom", "--no-owner", "--schema=public", &file];
    run(tool("pg_dump", &config, &words)).await?;
    listed(&partial).await?;
    arrives(&partial, to)?;
    Ok(verified)
}

pub(crate) async fn restore(from: &Path, url: &str, force: bool) -> Result<Verified, Fault> {
    listed(from).await?;
    let config = connect::config(url, ANSWER)?;
    let client = connected(&config).await?;
    is_nobodys(&client).await?;
    let old = match one(&client, IS_THERE).await? {
        0 => 0,
        _ if !force => {
            return Err(refused("the database has data; --force overwrites it, and it is lost"));
        }
        _ => one(&client, "SELECT coalesce(max(epoch), 0) FROM writer").await?,
    };
    is_whole(&client).await?;
    if let Some(fixed) = get::<Option<String>>(&row(&client, FIXED).await?, 0)? {
        return Err(refused(format!(
            "extensions in the schema public would be lost, for they cannot be moved from here: \
             {fixed}. Move or drop them, or restore into a database of its own"
        )));
    }
    fence(&client).await?;
    // Partitions that the copy does not know would stand in the way, and what is there is needed
    // when the copy turns out to be broken.
    client.batch_execute(PUT_ASIDE).await.map_err(fault)?;
    let restored = refill(from, &config, &client, old).await;
    let end = if restored.is_ok() { FORGET } else { PUT_BACK };
    // The connection that has the locks may be what was lost.
    let ended = async { connected(&config).await?.batch_execute(end).await.map_err(fault) }.await;
    drop(client);
    match (restored, ended) {
        (restored, Ok(())) => restored,
        (Ok(_), Err(fault)) => Err(refused(format!(
            "the copy has been restored and is sound, but what was there before could not be \
             removed: {fault}. Remove it: DROP SCHEMA waxwing_before CASCADE"
        ))),
        (Err(first), Err(then)) => {
            Err(refused(format!("{first}; and then: {then}. {}", broken_off())))
        }
    }
}

/// No server has the database open, or opens it while this connection is there: it has the locks
/// that servers hold.
async fn is_nobodys(client: &Client) -> Result<(), Fault> {
    let mut nodes = vec![i32::try_from(Options::default().node.0).unwrap_or(i32::MAX)];
    if one(client, IS_THERE).await? > 0 {
        let known = client.query("SELECT node FROM writer", &[]).await.map_err(fault)?;
        let known: Vec<i32> = known.iter().map(|row| get(row, 0)).collect::<Result<_, _>>()?;
        nodes.extend(known);
    }
    for node in nodes {
        if !line::lock(client, node, HANDOVER).await? {
            return Err(refused("a server has this database open; stop it first"));
        }
    }
    Ok(())
}

/// A server that has lost its connection finds, when it comes back, that its epoch is over, and
/// does not take the lock for its own.
async fn fence(client: &Client) -> Result<(), Fault> {
    if one(client, IS_THERE).await? > 0 {
        client.batch_execute("UPDATE writer SET epoch = epoch + 1").await.map_err(fault)?;
    }
    Ok(())
}

/// No restore has left the database half done.
///
/// # Errors
/// `Refused`, with what to do about it.
pub(super) async fn is_whole(client: &Client) -> Result<(), Fault> {
    match one(client, BEFORE_IS_THERE).await? {
        0 => Ok(()),
        _ => Err(refused(broken_off())),
    }
}

fn broken_off() -> String {
    format!(
        "a restore was broken off: what was in the database before is in its schema \
         waxwing_before. To have it back: {PUT_BACK}"
    )
}

async fn refill(
    from: &Path,
    config: &Config,
    client: &Client,
    old: i64,
) -> Result<Verified, Fault> {
    let from = from.to_string_lossy().into_owned();
    // A copy may have more than the schema, of which it would make another.
    let words = ["--single-transaction", "--exit-on-error", "--no-owner", "--schema=public", &from];
    run(tool("pg_restore", config, &words)).await?;
    let anew = format!(
        "UPDATE writer SET epoch = greatest(epoch, {old}) + 1; DELETE FROM session; ANALYZE"
    );
    client.batch_execute(&anew).await.map_err(fault)?;
    counts(client).await
}

/// The words of a command, and its environment: a password is in no list of processes.
fn tool(program: &str, config: &Config, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    match config.get_hosts().first() {
        Some(Host::Tcp(host)) => command.arg(format!("--host={host}")),
        Some(Host::Unix(folder)) => command.arg(format!("--host={}", folder.display())),
        None => &mut command,
    };
    if let Some(port) = config.get_ports().first() {
        command.arg(format!("--port={port}"));
    }
    if let Some(user) = config.get_user() {
        command.arg(format!("--username={user}"));
    }
    if let Some(name) = config.get_dbname() {
        command.arg(format!("--dbname={name}"));
    }
    if let Some(password) = config.get_password() {
        command.env("PGPASSWORD", String::from_utf8_lossy(password).as_ref());
    }
    command.arg("--no-password").args(words);
    command
}

/// The table of contents of a copy has all that it must.
async fn listed(copy: &Path) -> Result<(), Fault> {
    if !copy.exists() {
        return Err(refused(format!("{} is not there", copy.display())));
    }
    let mut command = Command::new("pg_restore");
    command.arg("--list").arg(copy);
    let list = run(command).await?;
    let has = |what: &str, name: &str| list.contains(&format!(" {what} public {name} "));
    // The rows of entries are in its partitions.
    let is_there = |name: &str| has("TABLE DATA", name) || name == "entry" && has("TABLE", name);
    match TABLES.iter().find(|name| !is_there(name)) {
        Some(name) => Err(refused(format!("{} has no table {name}", copy.display()))),
        None => Ok(()),
    }
}

/// What it prints.
async fn run(mut command: Command) -> Result<String, Fault> {
    command.stdin(Stdio::null());
    let shown = shown(&command);
    let output = command.output().await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => refused(format!(
            "{shown}: it is not installed here; run it where it is (Debian: postgresql-client)"
        )),
        _ => refused(format!("{shown}: {error}")),
    })?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(refused(format!("{shown}: {}", why.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn shown(command: &Command) -> String {
    let command = command.as_std();
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

async fn connected(config: &Config) -> Result<Client, Fault> {
    connect::plain(config).await.map(|(client, _)| client).map_err(fault)
}

async fn counts(client: &Client) -> Result<Verified, Fault> {
    let versions = client.query("SELECT version FROM _sqlx_migrations", &[]).await;
    let versions = versions.map_err(fault)?;
    let versions: Vec<i64> = versions.iter().map(|row| get(row, 0)).collect::<Result<_, _>>()?;
    knows(&POSTGRES, &versions)?;
    let count = async |sql| one(client, sql).await.map(i64::unsigned_abs);
    Ok(Verified {
        schema: versions.into_iter().max().unwrap_or_default(),
        accounts: count("SELECT count(*) FROM account").await?,
        entries: count("SELECT count(*) FROM entry").await?,
        sessions: count("SELECT count(*) FROM session").await?,
        epoch: one(client, "SELECT coalesce(max(epoch), 0) FROM writer").await?,
        unix_ms: count("SELECT coalesce(max(pos), 0) FROM writer").await? >> 20,
    })
}

async fn one(client: &Client, sql: &str) -> Result<i64, Fault> {
    get(&row(client, sql).await?, 0)
}

async fn row(client: &Client, sql: &str) -> Result<Row, Fault> {
    client.query_one(sql, &[]).await.map_err(fault)
}
