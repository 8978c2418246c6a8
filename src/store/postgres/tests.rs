mod backup;
mod cut;
mod search;
mod words;

use super::*;
use crate::{
    migrate,
    private_postgres::PrivatePostgres,
    rooms::{AFFILIATIONS_GONE, MARKS_GONE, OWN_GONE},
    suite::{self, AT_HAND, Bed, Desk, bare, said},
};
use deadpool_postgres::tokio_postgres::Client;
use engine::unit::Change;
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, Ordering},
};
use tokio::sync::OnceCell;

/// One server for all tests; it ends with them.
fn server() -> &'static PrivatePostgres {
    static SERVER: OnceLock<PrivatePostgres> = OnceLock::new();
    SERVER.get_or_init(|| PrivatePostgres::start(false).expect("tests need a PostgreSQL"))
}

/// A database of its own.
struct Database {
    url: String,
}

impl Database {
    /// A copy of one that has been migrated.
    async fn make() -> Self {
        static TEMPLATE: OnceCell<()> = OnceCell::const_new();
        TEMPLATE
            .get_or_init(|| async {
                let url = server().database("template", None).unwrap();
                // With their runtime connections end: it is copied while nobody is in it.
                let open = move || {
                    let runtime = tokio::runtime::Runtime::new().unwrap();
                    drop(runtime.block_on(Postgres::open(&url, &options())).unwrap());
                };
                tokio::task::spawn_blocking(open).await.unwrap();
            })
            .await;
        Self::of(Some("template"))
    }

    fn of(template: Option<&str>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        Self { url: server().database(&name, template).unwrap() }
    }

    /// Another connection.
    async fn beside(&self) -> Client {
        let config = connect::config(&self.url, Duration::from_secs(10)).unwrap();
        connect::planned(&config).await.unwrap().0
    }

    async fn number(&self, sql: &str) -> i64 {
        self.beside().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    async fn run(&self, sql: &str) {
        self.beside().await.batch_execute(sql).await.unwrap();
    }
}

/// The server of the tests does not sync, for their speed.
fn options() -> Options {
    Options { at_hand: vec![AT_HAND], relaxed: true, ..Options::default() }
}

impl Bed for Database {
    async fn new() -> Self {
        Self::make().await
    }

    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::new(Postgres::open(&self.url, &options()).await.unwrap())
    }

    async fn usurp(&self) {
        self.run("UPDATE writer SET epoch = epoch + 1").await;
    }
}

suite::suite!(Database);

fn why<T>(outcome: Result<T, Fault>) -> String {
    match outcome {
        Err(Fault::Refused(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not refused"),
    }
}

#[tokio::test]
async fn a_second_process_is_kept_out_with_one_clear_error() {
    let mut database = Database::make().await;
    let store = database.open().await;
    let epoch = database.number("SELECT epoch FROM writer").await;
    let hasty = Options { handover_ms_max: 1, ..options() };
    let second = why(Postgres::open(&database.url, &hasty).await);
    assert_eq!(second, "another process writes to this database");
    assert_eq!(database.number("SELECT epoch FROM writer").await, epoch);
    drop(store);
    database.open().await;
    assert_eq!(database.number("SELECT epoch FROM writer").await, epoch + 1);
}

#[tokio::test]
async fn every_connection_plans_as_we_mean_it_unless_the_url_says_otherwise() {
    async fn plans(client: &Client) -> Vec<String> {
        const SQL: &str = "
            SELECT setting FROM pg_settings
            WHERE name IN ('plan_cache_mode', 'enable_seqscan', 'jit') ORDER BY name";
        client.query(SQL, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }
    let database = Database::make().await;
    for (more, jit) in [("", "off"), ("&options=-c%20jit%3Don", "on")] {
        let url = format!("{}{more}", database.url);
        let store = Postgres::open(&url, &options()).await.unwrap();
        let meant = ["off", jit, "force_generic_plan"];
        // One of both is what was given back.
        drop(store.reader().await.unwrap());
        let (one, other) = (store.reader().await.unwrap(), store.reader().await.unwrap());
        assert_eq!(plans(&one).await, meant);
        assert_eq!(plans(&other).await, meant);
        let config = connect::config(&url, Duration::from_secs(10)).unwrap();
        assert_eq!(plans(&line::connect(&config).await.unwrap().client).await, meant);
    }
}

#[tokio::test]
async fn a_newer_database_is_refused_and_not_touched() {
    let database = Database::make().await;
    let newer = "
        INSERT INTO _sqlx_migrations
        SELECT 9999, 'later', installed_on, TRUE, checksum, 0 FROM _sqlx_migrations LIMIT 1";
    database.run(newer).await;
    let epoch = database.number("SELECT epoch FROM writer").await;
    let refusal = why(Postgres::open(&database.url, &options()).await);
    assert!(refusal.starts_with("the database is of a newer version"), "{refusal}");
    assert_eq!(database.number("SELECT epoch FROM writer").await, epoch);
}

#[tokio::test]
async fn an_older_database_is_migrated_with_all_that_it_has() {
    const OLD: &str = "
        INSERT INTO log (kind, jid, node) VALUES (1, 'a@example.com', 1);
        INSERT INTO account (log, domain, local, changed)
        SELECT id, 'example.com', 'a', 7 FROM log;
        CREATE TABLE entry_0 PARTITION OF entry FOR VALUES FROM (0) TO (4503599627370496);
        INSERT INTO entry (log, pos, flags, peer, stanza)
        SELECT id, 5, 6, 'b@example.com', '<message/>' FROM log";
    for versions in 2..migrate::POSTGRES.iter().count() as i64 {
        let mut database = Database::of(None);
        let config = connect::config(&database.url, Duration::from_secs(10)).unwrap();
        connect::migrate(&config, &migrate::first(&migrate::POSTGRES, versions)).await.unwrap();
        database.run(OLD).await;
        let mut desk = Desk::at(database.open().await).await;
        assert_eq!(desk.texts("a@example.com").await, ["<message/>"]);
        let kept = desk.store.credentials(&bare("a@example.com")).await.unwrap();
        assert_eq!(kept.map(|kept| kept.changed), Some(7));
        desk.one(said("a@example.com", "<message id='2'/>")).await.unwrap();
        assert_eq!(desk.texts("a@example.com").await.len(), 2);
    }
}

#[tokio::test]
async fn what_is_left_of_a_removed_account_goes_to_the_last_row() {
    const ROWS: &str = "SELECT (SELECT count(*) FROM entry) + (SELECT count(*) FROM erase)";
    let (database, mut desk) = Desk::with::<Database>(&["a@example.com"]).await;
    for _ in 0..3 {
        desk.commit((0..900).map(|_| said("a@example.com", "<message/>")).collect()).await;
        desk.unix_ms += 60 * 86_400_000;
    }
    desk.change(Change::Delete(bare("a@example.com"))).await.unwrap();
    assert_eq!(database.number(ROWS).await, 2_501, "not all in the writer's time");
    assert_eq!(desk.store.purge(&Retention::default()).await, Ok(2_500));
    assert_eq!(database.number(ROWS).await, 0);
}

#[tokio::test]
async fn partitions_that_are_too_old_are_dropped_unless_they_are_in_use() {
    const PARTITIONS: &str = "
        SELECT count(*) FROM pg_inherits WHERE inhparent = 'entry'::regclass";
    let (database, mut desk) = Desk::with::<Database>(&["a@example.com"]).await;
    for _ in 0..4 {
        desk.one(said("a@example.com", "<message/>")).await.unwrap();
        desk.unix_ms += 50 * 86_400_000;
    }
    assert_eq!(database.number(PARTITIONS).await, 4);
    let reading = database.beside().await;
    reading.batch_execute("BEGIN; SELECT count(*) FROM entry").await.unwrap();
    let all = Retention::of(desk.unix_ms, 1, 0);
    assert_eq!(desk.store.purge(&all).await, Ok(4), "row by row, and nobody waits");
    assert_eq!(database.number(PARTITIONS).await, 4);
    reading.batch_execute("COMMIT").await.unwrap();
    assert_eq!(desk.store.purge(&all).await, Ok(0));
    assert_eq!(database.number(PARTITIONS).await, 1, "that of the last entry stays");
    desk.one(said("a@example.com", "<message/>")).await.unwrap();
    assert_eq!(desk.texts("a@example.com").await.len(), 1);
}

#[tokio::test]
async fn a_database_that_forgets_is_refused() {
    let database = Database::of(None);
    let strict = Options { relaxed: false, ..options() };
    let refusal = why(Postgres::open(&database.url, &strict).await);
    assert!(refusal.starts_with("PostgreSQL runs with fsync = off"), "{refusal}");
    assert_eq!(database.number("SELECT count(*) FROM pg_tables WHERE tablename = 'log'").await, 0);
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused() {
    let database = Database::of(None);
    let name = database.url.split(['/', '?']).nth(3).unwrap();
    let sql = format!("CREATE DATABASE {name}_ascii TEMPLATE template0 ENCODING 'SQL_ASCII'");
    database.run(&sql).await;
    let url = database.url.replacen(name, &format!("{name}_ascii"), 1);
    let refusal = why(Postgres::open(&url, &options()).await);
    assert_eq!(refusal, "the database must be UTF8, it is SQL_ASCII");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_away() {
    let url = "postgres://waxwing@localhost/x?host=/nonexistent";
    assert!(matches!(Postgres::open(url, &options()).await, Err(Fault::Away(_))));
}

#[tokio::test]
async fn a_log_number_is_never_given_twice() {
    let (database, mut desk) = Desk::with::<Database>(&["a@example.com"]).await;
    let first = database.number("SELECT id FROM log").await;
    desk.change(Change::Delete(bare("a@example.com"))).await.unwrap();
    desk.change(Change::Create(bare("a@example.com"), <_>::default())).await.unwrap();
    assert!(database.number("SELECT id FROM log").await > first);
}

#[tokio::test]
async fn deleting_leaves_no_row_behind() {
    const ROWS: &str = "
        SELECT (SELECT count(*) FROM entry) + (SELECT count(*) FROM cell)
            + (SELECT count(*) FROM account) + (SELECT count(*) FROM log)";
    let (database, mut desk) = Desk::with::<Database>(&["a@example.com"]).await;
    let a = bare("a@example.com");
    desk.one(said("a@example.com", "<message/>")).await.unwrap();
    desk.change(Change::Put(AT_HAND, a.clone(), "k".into(), vec![1])).await.unwrap();
    assert_eq!(database.number(ROWS).await, 4);
    desk.change(Change::Delete(a)).await.unwrap();
    assert_eq!(database.number(ROWS).await, 0);
}

#[tokio::test]
async fn what_rooms_have_of_an_account_is_found_by_an_index() {
    let (database, _desk) = Desk::with::<Database>(&["a@example.com"]).await;
    let client = database.beside().await;
    // Of a table that is empty every way is as good.
    client.batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off").await.unwrap();
    for (sql, index) in [
        (MARKS_GONE, "cell_affiliation"),
        (AFFILIATIONS_GONE, "cell_affiliation"),
        (OWN_GONE, "cell_room"),
    ] {
        let second = if index == "cell_room" { "'b'" } else { "'\\x00'" };
        let given = [("$1", "'a'"), ("$2", second), ("$3", "'c'")];
        let sql = given.iter().fold(sql.to_owned(), |sql, (at, value)| sql.replace(at, value));
        let rows = client.query(&format!("EXPLAIN {sql}"), &[]).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|step| step.contains(&format!("using {index} "))), "{plan:?}");
    }
}

#[tokio::test]
async fn pages_are_read_in_order_from_the_partitions_they_need() {
    const PLAN: &str = "
        EXPLAIN SELECT pos FROM entry WHERE log = 1 AND pos > $1 ORDER BY pos LIMIT 50";
    let (database, mut desk) = Desk::with::<Database>(&["a@example.com"]).await;
    let start = desk.unix_ms;
    for month in 0..6 {
        desk.unix_ms = start + month * 60 * 86_400_000;
        desk.one(said("a@example.com", "<message/>")).await.unwrap();
    }
    let partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'entry'::regclass";
    assert_eq!(database.number(partitions).await, 6);
    let third = desk.page("a@example.com", 0, 9).await[2].pos;
    let plan = PLAN.replace("$1", &third.0.to_string());
    let rows = database.beside().await.query(&plan, &[]).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(!plan.iter().any(|line| line.contains("Sort") || line.contains("Merge")), "{plan:?}");
    assert_eq!(plan.iter().filter(|line| line.contains("entry_")).count(), 4, "{plan:?}");
}

#[tokio::test]
async fn what_was_committed_without_waiting_is_flushed_when_it_has_been_synced() {
    let mut database = Database::make().await;
    let name = database.url.split(['/', '?']).nth(3).unwrap();
    database.run(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).await;
    let store = database.open().await;
    let mut desk = Desk::at(store.clone()).await;
    desk.change(Change::Create(bare("a@example.com"), <_>::default())).await.unwrap();
    desk.one(said("a@example.com", "<message/>")).await.unwrap();
    let beside = database.beside().await;
    let written = "SELECT pg_current_wal_insert_lsn()::text";
    let written: String = beside.query_one(written, &[]).await.unwrap().get(0);
    store.sync().await.unwrap();
    let flushed = format!("SELECT pg_current_wal_flush_lsn() >= '{written}'::pg_lsn");
    assert!(beside.query_one(&flushed, &[]).await.unwrap().get::<_, bool>(0));
    desk.one(said("a@example.com", "<message/>")).await.unwrap();
    assert_eq!(desk.texts("a@example.com").await.len(), 2);
}
