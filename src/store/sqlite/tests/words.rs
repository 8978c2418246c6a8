//! The index of words: how it is asked, and what is left in it.

use super::*;
use crate::{
    search::Stretch,
    sqlite::words::proposed_sql,
    suite::{by, catch_up, shown},
};
use engine::{
    archive::Search,
    unit::{Entry, Flags, Unit},
};
use sqlx::Row;

const OWNER: &str = "juliet@example.com";
const ROWS: &str = "SELECT count(*) FROM words";

/// A fifth of a thousand entries says it all.
async fn full() -> (Folder, Desk) {
    let (folder, mut desk) = Desk::with::<Folder>(&[OWNER]).await;
    let body = |n| ["rose", "red rose", "sweet", "", "sweet red rose"][n % 5];
    let unit = |n| Unit { entries: vec![shown(n, body(n))], ..Unit::default() };
    desk.commit((0..1_000).map(unit).collect()).await;
    catch_up(&desk).await;
    (folder, desk)
}

/// The tokens that FTS5 has anywhere, and whether it agrees with what it is an index of.
async fn tokens(folder: &Folder) -> i64 {
    let mut beside = folder.beside().await;
    for sql in [
        "INSERT INTO words_index (words_index, rank) VALUES ('integrity-check', 1)",
        "CREATE VIRTUAL TABLE temp.tokens USING fts5vocab('main', 'words_index', 'row')",
    ] {
        sqlx::raw_sql(sql).execute(&mut beside).await.unwrap();
    }
    sqlx::query_scalar("SELECT count(*) FROM temp.tokens").fetch_one(&mut beside).await.unwrap()
}

#[tokio::test]
async fn of_what_is_removed_no_token_stays() {
    let (folder, mut desk) = full().await;
    // Three words and two peers; what says nothing has no row.
    assert_eq!((folder.number(ROWS).await, tokens(&folder).await), (800, 5));
    let page = desk.page(OWNER, 0, 1_000).await;
    let sweet = page.iter().enumerate().filter(|(n, _)| matches!(n % 5, 2 | 4));
    let places: Vec<_> = sweet.map(|(_, logged)| logged.pos).collect();
    let (some, others) = places.split_at(200);
    let owner = bare(OWNER);
    for pos in some {
        let tombstone = Change::Redact(owner.clone(), *pos, "<message/>".into());
        desk.change(tombstone).await.unwrap();
    }
    desk.change(Change::Expunge(owner.clone(), others.to_vec())).await.unwrap();
    assert_eq!((folder.number(ROWS).await, tokens(&folder).await), (400, 4));
    desk.store.purge(&Retention::of(desk.unix_ms, 0, 2)).await.unwrap();
    assert_eq!(folder.number(ROWS).await, 1);
    desk.change(Change::Delete(owner)).await.unwrap();
    assert_eq!((folder.number(ROWS).await, tokens(&folder).await), (0, 0));
}

#[tokio::test]
async fn a_removed_account_leaves_no_token_of_a_long_log() {
    let (folder, mut desk) = full().await;
    desk.change(Change::Delete(bare(OWNER))).await.unwrap();
    desk.store.purge(&Retention::default()).await.unwrap();
    assert_eq!((folder.number(ROWS).await, tokens(&folder).await), (0, 0));
}

#[tokio::test]
async fn only_what_an_archive_shows_is_in_the_index() {
    let (folder, mut desk) = Desk::with::<Folder>(&[OWNER]).await;
    let hidden = Entry { flags: Flags::TRANSIT, ..shown(0, "rose") };
    desk.one(Unit { entries: vec![hidden], ..Unit::default() }).await.unwrap();
    desk.one(said(OWNER, "no stanza")).await.unwrap();
    catch_up(&desk).await;
    assert_eq!(folder.number(ROWS).await, 0);
    assert_eq!(folder.number("SELECT indexed > 0 FROM log").await, 1);
}

#[tokio::test]
async fn the_index_is_walked_through_and_never_sorted() {
    let (folder, _desk) = full().await;
    let owner = bare(OWNER);
    for newest in [false, true] {
        let what = Search { newest, ..by("rose") };
        let sql = proposed_sql(&Stretch::of(&owner, &what).unwrap());
        let query = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
        let rows = query.fetch_all(&mut folder.beside().await).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        // By tokens, between two rows, in this order: what FTS5 calls M1><, 64 and 128 more.
        let number = if newest { 192 } else { 64 };
        let by_tokens = format!("SCAN words_index VIRTUAL TABLE INDEX {number}:M1><");
        assert_eq!(plan[0], by_tokens, "{plan:?}");
        assert!(plan.contains(&"SEARCH words USING INTEGER PRIMARY KEY (rowid=?)".into()));
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:?}");
    }
}

#[tokio::test]
async fn a_copy_has_the_index_too() {
    let (folder, _desk) = full().await;
    let copy = folder.0.path().join("copy/waxwing.db");
    fs::create_dir(copy.parent().unwrap()).unwrap();
    backup::backup(&folder.path(), &copy).await.unwrap();
    let copy = Sqlite::open(&copy.display().to_string(), &options()).await.unwrap();
    let found = copy.search(&bare(OWNER), &by("sweet")).await.unwrap();
    assert_eq!(found.count, Some(400));
}
