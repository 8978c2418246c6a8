//! Copies, and databases that get them back.

use super::*;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

const EXTENSIONS: &str = "
    SELECT count(*) FROM pg_extension WHERE extnamespace = 'public'::regnamespace";
const BEFORE: &str = "SELECT count(*) FROM pg_namespace WHERE nspname = 'waxwing_before'";

/// A database with so many messages, and a copy of it.
async fn copied(messages: usize) -> (Database, PathBuf) {
    let (database, mut desk) = Desk::with::<Database>(&["a@example.com"]).await;
    for _ in 0..messages {
        desk.one(said("a@example.com", "<message/>")).await.unwrap();
    }
    let name = database.url.split(['/', '?']).nth(3).unwrap();
    let copy = server().folder().join(format!("{name}.copy"));
    crate::backup::backup(&database.url, &copy).await.unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o077, 0, "it holds keys");
    (database, copy)
}

#[tokio::test]
async fn a_copy_that_is_not_whole_does_not_get_its_name() {
    let (database, copy) = copied(1).await;
    // Of what is there, this is not looked at before.
    database.run("ALTER TABLE log RENAME TO logs").await;
    let second = copy.with_extension("second");
    let refusal = why(crate::backup::backup(&database.url, &second).await);
    assert!(refusal.contains("has no table log"), "{refusal}");
    assert!(!second.exists());
}

async fn messages(database: &mut Database) -> usize {
    Desk::at(database.open().await).await.texts("a@example.com").await.len()
}

#[tokio::test]
async fn a_copy_comes_back_and_extensions_stay() {
    let (mut database, copy) = copied(2).await;
    database.run("CREATE EXTENSION citext; CREATE EXTENSION pg_trgm").await;
    let verified = crate::backup::restore(&copy, &database.url, true).await.unwrap();
    assert_eq!(verified.entries, 2);
    assert_eq!(database.number(EXTENSIONS).await, 2);
    assert_eq!(database.number(BEFORE).await, 0);
    database.run("SELECT 'a'::citext").await;
    assert_eq!(messages(&mut database).await, 2);
}

#[tokio::test]
async fn what_a_server_has_open_is_not_restored() {
    let (mut database, copy) = copied(1).await;
    let server = database.open().await;
    let epoch = database.number("SELECT epoch FROM writer").await;
    let refusal = why(crate::backup::restore(&copy, &database.url, true).await);
    assert_eq!(refusal, "a server has this database open; stop it first");
    assert_eq!(database.number("SELECT epoch FROM writer").await, epoch);
    server.last().await.unwrap();
    drop(server);
    crate::backup::restore(&copy, &database.url, true).await.unwrap();
    assert_eq!(messages(&mut database).await, 1);
}

#[tokio::test]
async fn a_server_that_had_lost_its_connection_finds_itself_fenced_after_a_restore() {
    let (mut database, copy) = copied(1).await;
    let server = database.open().await;
    const END: &str = "
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.run(END).await;
    crate::backup::restore(&copy, &database.url, true).await.unwrap();
    assert_eq!(server.last().await, Err(Fault::Fenced));
}

#[tokio::test]
async fn a_copy_of_the_whole_database_comes_back_too() {
    // As `pg_dump` makes it when it is asked for nothing else, extensions and all.
    let (database, copy) = copied(1).await;
    database.run("CREATE EXTENSION citext; CREATE SCHEMA another; CREATE TABLE another.x ()").await;
    let whole = copy.with_extension("whole");
    let mut dump = std::process::Command::new("pg_dump");
    dump.arg("--format=custom").arg("--file").arg(&whole).arg(&database.url);
    assert!(dump.status().unwrap().success());
    for extensions in [0, 1] {
        let mut other = Database::of(None);
        if extensions == 1 {
            other.run("CREATE EXTENSION citext").await;
        }
        crate::backup::restore(&whole, &other.url, false).await.unwrap();
        assert_eq!(other.number(EXTENSIONS).await, extensions);
        assert_eq!(messages(&mut other).await, 1);
    }
}

#[tokio::test]
async fn an_extension_that_cannot_be_moved_is_named_before_anything_is_touched() {
    let (mut database, copy) = copied(1).await;
    database.run("CREATE EXTENSION citext").await;
    database.run("UPDATE pg_extension SET extrelocatable = FALSE WHERE extname = 'citext'").await;
    let refusal = why(crate::backup::restore(&copy, &database.url, true).await);
    assert!(refusal.contains("cannot be moved from here: citext."), "{refusal}");
    assert_eq!(database.number(EXTENSIONS).await, 1);
    assert_eq!(messages(&mut database).await, 1);
}

#[tokio::test]
async fn while_a_restore_is_half_done_the_database_is_not_opened() {
    let (mut database, copy) = copied(1).await;
    database.run("ALTER SCHEMA public RENAME TO waxwing_before; CREATE SCHEMA public").await;
    let refusal = why(Postgres::open(&database.url, &options()).await);
    assert!(refusal.starts_with("a restore was broken off: "), "{refusal}");
    assert_eq!(
        database.number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await,
        0
    );
    assert_eq!(why(crate::backup::restore(&copy, &database.url, true).await), refusal);
    // It says what to do.
    let (_, what) = refusal.split_once("To have it back: ").unwrap();
    database.run(what).await;
    assert_eq!(messages(&mut database).await, 1);
}

/// While a restore is under way this is done at the first of these commands.
async fn trap(database: &Database, command: &str, what: &str) {
    let name = command.replace(' ', "_").to_lowercase();
    let sql = format!(
        "CREATE SCHEMA IF NOT EXISTS trap;
        CREATE FUNCTION trap.{name}() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
            IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'waxwing_before') THEN
                {what};
            END IF;
        END $$;
        CREATE EVENT TRIGGER {name} ON ddl_command_start WHEN TAG IN ('{command}')
        EXECUTE FUNCTION trap.{name}()"
    );
    database.run(&sql).await;
}

const OTHERS_ARE_LOST: &str = "
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    RAISE EXCEPTION 'the first'";

#[tokio::test]
async fn what_was_there_comes_back_also_when_the_connection_is_lost() {
    let (mut database, copy) = copied(1).await;
    trap(&database, "CREATE TABLE", OTHERS_ARE_LOST).await;
    let refusal = why(crate::backup::restore(&copy, &database.url, true).await);
    assert!(refusal.contains("the first"), "{refusal}");
    assert_eq!(database.number(BEFORE).await, 0);
    assert_eq!(messages(&mut database).await, 1);
}

#[tokio::test]
async fn what_failed_first_is_told_first() {
    let (database, copy) = copied(1).await;
    trap(&database, "CREATE TABLE", OTHERS_ARE_LOST).await;
    trap(&database, "DROP SCHEMA", "RAISE EXCEPTION 'the second'").await;
    let refusal = why(crate::backup::restore(&copy, &database.url, true).await);
    let at = |what| refusal.find(what).unwrap_or_else(|| panic!("{what}: {refusal}"));
    assert!(at("the first") < at("the second"), "{refusal}");
    assert!(at("the second") < at("a restore was broken off: "), "{refusal}");
}
