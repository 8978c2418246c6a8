//! The index of words: how it is asked, and what is left in it.

use super::*;
use crate::{
    postgres::words::proposed_sql,
    search::Stretch,
    suite::{by, catch_up, shown},
};
use engine::{
    archive::Search,
    unit::{Entry, Flags, Unit},
};

const OWNER: &str = "juliet@example.com";
const ROWS: &str = "SELECT count(*) FROM words";
const TOKENS: &str = "SELECT count(*) FROM ts_stat('SELECT words FROM words')";

async fn full() -> (Database, Desk) {
    let (database, mut desk) = Desk::with::<Database>(&[OWNER]).await;
    let body = |n| ["rose", "red rose", "sweet", "", "sweet red rose"][n % 5];
    let unit = |n| Unit { entries: vec![shown(n, body(n))], ..Unit::default() };
    desk.commit((0..1_000).map(unit).collect()).await;
    catch_up(&desk).await;
    (database, desk)
}

#[tokio::test]
async fn of_what_is_removed_no_token_stays() {
    let (database, mut desk) = full().await;
    // Three words and two peers; what says nothing has no row.
    assert_eq!((database.number(ROWS).await, database.number(TOKENS).await), (800, 5));
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
    assert_eq!((database.number(ROWS).await, database.number(TOKENS).await), (400, 4));
    desk.store.purge(&Retention::of(desk.unix_ms, 0, 2)).await.unwrap();
    assert_eq!(database.number(ROWS).await, 1);
    desk.change(Change::Delete(owner)).await.unwrap();
    assert_eq!(database.number(ROWS).await, 0);
}

#[tokio::test]
async fn a_removed_account_leaves_no_token_of_a_long_log() {
    let (database, mut desk) = full().await;
    desk.change(Change::Delete(bare(OWNER))).await.unwrap();
    desk.store.purge(&Retention::default()).await.unwrap();
    assert_eq!(database.number(ROWS).await, 0);
}

#[tokio::test]
async fn only_what_an_archive_shows_is_in_the_index() {
    let (database, mut desk) = Desk::with::<Database>(&[OWNER]).await;
    let hidden = Entry { flags: Flags::TRANSIT, ..shown(0, "rose") };
    desk.one(Unit { entries: vec![hidden], ..Unit::default() }).await.unwrap();
    desk.one(said(OWNER, "no stanza")).await.unwrap();
    catch_up(&desk).await;
    assert_eq!(database.number(ROWS).await, 0);
    assert_eq!(database.number("SELECT count(*) FROM log WHERE indexed > 0").await, 1);
}

#[tokio::test]
async fn what_is_too_old_goes_with_its_partition() {
    const PARTITIONS: &str = "
        SELECT count(*) FROM pg_inherits WHERE inhparent = 'words'::regclass";
    let (database, mut desk) = Desk::with::<Database>(&[OWNER]).await;
    for _ in 0..4 {
        desk.one(Unit { entries: vec![shown(0, "rose")], ..Unit::default() }).await.unwrap();
        desk.unix_ms += 50 * 86_400_000;
    }
    catch_up(&desk).await;
    assert_eq!(database.number(PARTITIONS).await, 4);
    desk.store.purge(&Retention::of(desk.unix_ms, 101, 0)).await.unwrap();
    assert_eq!((database.number(PARTITIONS).await, database.number(ROWS).await), (2, 2));
    assert_eq!(desk.store.search(&bare(OWNER), &by("rose")).await.unwrap().count, Some(2));
    desk.one(Unit { entries: vec![shown(0, "rose")], ..Unit::default() }).await.unwrap();
    catch_up(&desk).await;
    assert_eq!(desk.store.search(&bare(OWNER), &by("rose")).await.unwrap().count, Some(3));
}

/// Thirty thousand rows of fifty logs, of which each word is in a twentieth; all of them are looked
/// at, so that the plan is the same each time.
const FILL: &str = "
    INSERT INTO words (log, pos, words)
    SELECT log, base + n, array_to_tsvector(ARRAY[
        to_hex(log) || 'x' || to_hex(n % 20), to_hex(log) || 'y' || to_hex(n % 7)
    ])
    FROM generate_series(1, 15000) AS n,
        LATERAL (SELECT n % 50 + 1 AS log) AS logs, (SELECT pos AS base FROM words) AS bases;
    SET default_statistics_target = 1000;
    ANALYZE words;
    SET plan_cache_mode = force_generic_plan";

#[tokio::test]
async fn the_index_is_asked_for_its_tokens() {
    let (database, mut desk) = Desk::with::<Database>(&[OWNER]).await;
    for _ in 0..2 {
        desk.one(Unit { entries: vec![shown(0, "rose")], ..Unit::default() }).await.unwrap();
        desk.unix_ms += 50 * 86_400_000;
    }
    catch_up(&desk).await;
    let client = database.beside().await;
    client.batch_execute(FILL).await.unwrap();
    let owner = bare(OWNER);
    for newest in [false, true] {
        let what = Search { newest, ..by("rose") };
        let sql = proposed_sql(&Stretch::of(&owner, &what).unwrap());
        client.batch_execute(&format!("DEALLOCATE ALL; PREPARE asked AS {sql}")).await.unwrap();
        let explain = "
            EXPLAIN (COSTS OFF) EXECUTE asked ('1xa & 1y2 | 1z', 0, 9223372036854775807, 200)";
        let rows = client.query(explain, &[]).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let scans = plan.iter().filter(|step| step.contains(" on words_"));
        let by_tokens = scans.filter(|step| step.contains("Bitmap Index Scan on words_")).count();
        assert_eq!(by_tokens, 2, "{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("Seq Scan")), "{plan:#?}");
    }
}
