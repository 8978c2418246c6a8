mod search;
mod words;

use super::*;
use crate::{
    rooms::{AFFILIATIONS_GONE, MARKS_GONE, OWN_GONE},
    suite::{self, AT_HAND, Bed, Desk, bare, said},
};
use engine::{
    port::{Node, Written},
    unit::Change,
};
use sqlx::Row;
use std::{fs, path::Path, sync::Arc, time::Duration};

/// A folder with a database, removed at the end.
struct Folder(tempfile::TempDir);

impl Folder {
    fn path(&self) -> String {
        self.0.path().join("data/waxwing.db").display().to_string()
    }

    /// Another program at the file, that does not ask for the lock.
    async fn beside(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path());
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.beside().await).await.unwrap()
    }
}

fn options() -> Options {
    Options { at_hand: vec![AT_HAND], ..Options::default() }
}

impl Bed for Folder {
    async fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::new(Sqlite::open(&self.path(), &options()).await.unwrap())
    }

    async fn usurp(&self) {
        let raise = sqlx::query("UPDATE writer SET epoch = epoch + 1");
        raise.execute(&mut self.beside().await).await.unwrap();
    }
}

suite::suite!(Folder);

fn why<T>(outcome: Result<T, Fault>) -> String {
    match outcome {
        Err(Fault::Refused(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not refused"),
    }
}

#[tokio::test]
async fn a_second_process_is_kept_out_with_one_clear_error() {
    let mut folder = Folder::new().await;
    let store = folder.open().await;
    let epoch = folder.number("SELECT epoch FROM writer").await;
    let second = why(Sqlite::open(&folder.path(), &options()).await);
    assert_eq!(second, format!("another process has {} open", folder.path()));
    assert_eq!(folder.number("SELECT epoch FROM writer").await, epoch);
    drop(store);
    folder.open().await;
    assert_eq!(folder.number("SELECT epoch FROM writer").await, epoch + 1);
}

#[tokio::test]
async fn a_newer_database_is_refused_and_not_touched() {
    let mut folder = Folder::new().await;
    drop(folder.open().await);
    let mut beside = folder.beside().await;
    let newer = "
        INSERT INTO _sqlx_migrations
        SELECT 9999, 'later', installed_on, TRUE, checksum, 0 FROM _sqlx_migrations LIMIT 1";
    sqlx::raw_sql(newer).execute(&mut beside).await.unwrap();
    // Until the threads of the store have ended the file is theirs, too.
    let alone = async {
        while sqlx::raw_sql("PRAGMA journal_mode = DELETE").execute(&mut beside).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), alone).await.expect("it closes its file");
    beside.close().await.unwrap();
    let before = fs::read(folder.path()).unwrap();
    let refusal = why(Sqlite::open(&folder.path(), &options()).await);
    assert!(refusal.starts_with("the database is of a newer version"), "{refusal}");
    assert!(fs::read(folder.path()).unwrap() == before);
}

#[tokio::test]
async fn an_older_database_is_migrated_with_all_that_it_has() {
    const OLD: &str = "
        INSERT INTO log (kind, jid, node) VALUES (1, 'a@example.com', 1);
        INSERT INTO account (log, domain, local, changed) VALUES (1, 'example.com', 'a', 7);
        INSERT INTO entry (log, pos, flags, peer, stanza)
        VALUES (1, 5, 6, 'b@example.com', CAST('<message/>' AS BLOB))";
    for versions in 2..migrate::SQLITE.iter().count() as i64 {
        let mut folder = Folder::new().await;
        fs::create_dir(folder.0.path().join("data")).unwrap();
        let options = SqliteConnectOptions::new().filename(folder.path()).create_if_missing(true);
        let mut old = SqliteConnection::connect_with(&options).await.unwrap();
        migrate::first(&migrate::SQLITE, versions).run(&mut old).await.unwrap();
        sqlx::raw_sql(OLD).execute(&mut old).await.unwrap();
        old.close().await.unwrap();
        let mut desk = Desk::at(folder.open().await).await;
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
    let (folder, mut desk) = Desk::with::<Folder>(&["a@example.com"]).await;
    for _ in 0..3 {
        desk.commit((0..900).map(|_| said("a@example.com", "<message/>")).collect()).await;
    }
    desk.change(Change::Delete(bare("a@example.com"))).await.unwrap();
    assert_eq!(folder.number(ROWS).await, 2_501, "not all in the writer's time");
    assert_eq!(desk.store.purge(&Retention::default()).await, Ok(2_500));
    assert_eq!(folder.number(ROWS).await, 0);
}

#[tokio::test]
async fn a_writer_whose_disk_was_full_writes_again_when_there_is_room() {
    let folder = Folder::new().await;
    let store = Arc::new(Sqlite::open(&folder.path(), &options()).await.unwrap());
    let mut desk = Desk::at(store.clone()).await;
    desk.change(Change::Create(bare("a@example.com"), <_>::default())).await.unwrap();
    store.writing.lock().await.fills_the_disk().await;
    let large = format!("<message><body>{}</body></message>", "x".repeat(1 << 20));
    let batch = |number, last| {
        let units = vec![(said("a@example.com", &large), vec![last])];
        Batch { number, last, units }
    };
    let (number, last) = store.last().await.unwrap();
    let batch = batch(number + 1, Pos(last.0 + 1));
    let full = store.commit(&batch).await;
    assert!(matches!(&full, Err(Fault::Away(why)) if why.contains("full")), "{full:?}");
    assert_eq!(store.last().await, Ok((number, last)), "nothing of it happened");
    assert_eq!(store.commit(&batch).await, Ok(vec![Ok(Written::Now)]));
    assert_eq!(desk.texts("a@example.com").await, [large]);
}

#[tokio::test]
async fn what_could_not_be_synced_is_written_again_before_it_is_believed() {
    let (folder, mut desk) = Desk::with::<Folder>(&["a@example.com"]).await;
    desk.one(said("a@example.com", "<message/>")).await.unwrap();
    // As a process leaves it that may not go on.
    let mut left = Folder::new().await;
    fs::create_dir(left.0.path().join("data")).unwrap();
    for ending in ["", "-wal"] {
        fs::copy(folder.path() + ending, left.path() + ending).unwrap();
    }
    let (path, journal) = (left.path(), left.path() + "-wal");
    file::is_unsynced(Path::new(&path));
    let written = fs::read(&journal).unwrap();
    file::write_again(Path::new(&path)).unwrap();
    assert_eq!(fs::read(&journal).unwrap(), written);
    assert!(!written.is_empty() && !Path::new(&(path + ".unsynced")).exists());
    let again = Desk::at(left.open().await).await;
    assert_eq!(again.texts("a@example.com").await, ["<message/>"]);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = Folder::new().await;
    let path = folder.0.path().join("notes.txt");
    fs::write(&path, "a shopping list, and not a short one: eggs, milk, bread".repeat(20)).unwrap();
    let path = path.display().to_string();
    assert!(why(Sqlite::open(&path, &options()).await).contains("cannot be opened"));
    for url in ["", ":memory:"] {
        assert!(why(Sqlite::open(url, &options()).await).contains("names a file"));
    }
}

#[tokio::test]
async fn a_log_number_is_never_given_twice() {
    let (folder, mut desk) = Desk::with::<Folder>(&["a@example.com"]).await;
    let first = folder.number("SELECT id FROM log").await;
    desk.change(Change::Delete(bare("a@example.com"))).await.unwrap();
    desk.change(Change::Create(bare("a@example.com"), <_>::default())).await.unwrap();
    assert!(folder.number("SELECT id FROM log").await > first);
}

#[tokio::test]
async fn deleting_leaves_no_row_behind() {
    const ROWS: &str = "
        SELECT (SELECT count(*) FROM entry) + (SELECT count(*) FROM cell)
            + (SELECT count(*) FROM account) + (SELECT count(*) FROM log)";
    let (folder, mut desk) = Desk::with::<Folder>(&["a@example.com"]).await;
    let a = bare("a@example.com");
    desk.one(said("a@example.com", "<message/>")).await.unwrap();
    desk.change(Change::Put(AT_HAND, a.clone(), "k".into(), vec![1])).await.unwrap();
    assert_eq!(folder.number(ROWS).await, 4);
    desk.change(Change::Delete(a)).await.unwrap();
    assert_eq!(folder.number(ROWS).await, 0);
}

#[tokio::test]
async fn what_rooms_have_of_an_account_is_found_by_an_index() {
    let mut folder = Folder::new().await;
    drop(folder.open().await);
    for (sql, index) in [
        (MARKS_GONE, "cell_affiliation (key=?)"),
        (AFFILIATIONS_GONE, "cell_affiliation (key=?)"),
        (OWN_GONE, "cell_room (key=?)"),
    ] {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let rows = query.fetch_all(&mut folder.beside().await).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        assert!(plan.iter().any(|step| step.ends_with(index)), "{plan:?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{plan:?}");
    }
}

#[tokio::test]
async fn commits_are_synced_to_the_disk() {
    let folder = Folder::new().await;
    let store = Sqlite::open(&folder.path(), &options()).await.unwrap();
    let (mode, synchronous) = store.writing.lock().await.durability().await;
    assert_eq!((mode.as_str(), synchronous), ("wal", 2), "2 is FULL");
}

#[tokio::test]
async fn nodes_have_fences_of_their_own() {
    let (folder, desk) = Desk::with::<Folder>(&["a@example.com"]).await;
    drop(desk);
    let other = Options { node: Node(2), ..options() };
    let other = Sqlite::open(&folder.path(), &other).await.unwrap();
    assert_eq!(other.last().await, Ok((0, Pos(0))));
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, mut desk) = Desk::with::<Folder>(&["a@example.com"]).await;
    desk.one(said("a@example.com", "<message/>")).await.unwrap();
    for file in fs::read_dir(folder.0.path().join("data")).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
}

#[tokio::test]
async fn what_a_relaxed_store_has_committed_is_on_disk_when_it_has_been_synced() {
    let folder = Folder::new().await;
    let relaxed = Options { relaxed: true, ..options() };
    let store = Arc::new(Sqlite::open(&folder.path(), &relaxed).await.unwrap());
    let mut desk = Desk::at(store.clone()).await;
    desk.change(Change::Create(bare("juliet@example.com"), <_>::default())).await.unwrap();
    desk.one(said("juliet@example.com", "<message/>")).await.unwrap();
    let journal = || fs::metadata(folder.path() + "-wal").unwrap().len();
    assert!(journal() > 0);
    store.sync().await.unwrap();
    assert_eq!(journal(), 0, "all of it has been moved into the file, and that synced");
    desk.one(said("juliet@example.com", "<message/>")).await.unwrap();
    assert_eq!(desk.texts("juliet@example.com").await.len(), 2);
}

#[tokio::test]
async fn of_what_was_removed_or_told_anew_no_word_stays_in_the_file() {
    let (folder, mut desk) =
        Desk::with::<Folder>(&["juliet@example.com", "romeo@example.com"]).await;
    let big = "poison".repeat(2_000);
    let mut places = Vec::new();
    for words in ["poison", &*big] {
        for of in ["juliet@example.com", "romeo@example.com"] {
            let text = format!("<message><body>{words}</body></message>");
            places.push(desk.one(said(of, &text)).await.unwrap().places.remove(0));
        }
    }
    let is_there = || {
        let file = fs::read(folder.path()).unwrap();
        file.windows(6).any(|word| word == b"poison")
    };
    desk.store.sync().await.unwrap();
    assert!(is_there());
    desk.change(Change::Delete(bare("romeo@example.com"))).await.unwrap();
    for (of, pos) in places.into_iter().filter(|(of, _)| of.as_str() == "juliet@example.com") {
        desk.change(Change::Redact(of, pos, "<message/>".into())).await.unwrap();
    }
    desk.store.sync().await.unwrap();
    assert!(!is_there());
}
