//! Searches: how they are planned, and whatever is asked, what the reference finds.

use super::*;
use crate::{
    Memory,
    purge::{TRANSIT_GONE, TRANSIT_LOGS},
    search::Stretch,
    sqlite::search::hint,
    suite::entry,
};
use engine::{
    archive::Search,
    unit::{Entry, Flags, Unit},
    words::Words,
};
use proptest::{prelude::*, test_runner::TestRunner};
use sqlx::Row;

const OWNER: &str = "juliet@example.com";
const PEERS: [&str; 3] = ["romeo@example.net", "nurse@example.com", "tybalt@example.com"];
const WORDS: [&str; 5] = ["rose", "Name", "éclair", "sweet", "smell"];
const ROWS: usize = 1_000;

async fn plan(folder: &Folder, sql: &str) -> Vec<String> {
    let query = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
    let rows = query.fetch_all(&mut folder.beside().await).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

#[tokio::test]
async fn no_search_looks_through_the_whole_log() {
    let mut folder = Folder::new().await;
    drop(folder.open().await);
    let owner = bare(OWNER);
    for (with, flags) in
        [(None, Flags::ARCHIVE), (None, Flags::SPEAKS), (Some(bare(PEERS[0])), Flags::SPEAKS)]
    {
        for newest in [false, true] {
            let what = Search { with: with.clone(), flags, newest, ..Search::default() };
            let stretch = Stretch::of(&owner, &what).unwrap();
            let hint = hint(&stretch);
            for sql in [stretch.rows_sql(hint), stretch.count_sql(hint)] {
                let plan = plan(&folder, &sql).await;
                let index = match (&with, flags) {
                    (Some(_), _) => "INDEX entry_peer (log=? AND peer=? AND pos>? AND pos<?)",
                    (None, Flags::SPEAKS) => "INDEX entry_speaks (log=? AND pos>? AND pos<?)",
                    (None, _) => "INDEX sqlite_autoindex_entry_1 (log=? AND pos>? AND pos<?)",
                };
                let by_index = |step: &String| step.starts_with("SEARCH") && step.ends_with(index);
                assert!(plan.iter().any(by_index), "{plan:?}");
                assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_only_delivered_is_found_by_its_own_index() {
    let mut folder = Folder::new().await;
    drop(folder.open().await);
    for sql in [TRANSIT_LOGS, TRANSIT_GONE] {
        let plan = plan(&folder, sql).await;
        assert!(plan.iter().any(|step| step.contains("INDEX entry_transit (log=?")), "{plan:?}");
    }
}

/// The same thousand entries in both.
async fn full(desk: &mut Desk) {
    for batch in 0..ROWS / 50 {
        let units = (0..50).map(|n| {
            let n = batch * 50 + n;
            let words = [WORDS[n % 5], WORDS[n / 5 % 5], WORDS[n / 3 % 5]].join(", ");
            let text = format!("<message xmlns='jabber:client'><body>{words}</body></message>");
            let flags = Flags((n * 7 % 32) as i16);
            let entry = Entry { flags, peer: bare(PEERS[n * n % 3]), ..entry(OWNER, &text) };
            Unit { entries: vec![entry], ..Unit::default() }
        });
        desk.unix_ms += if batch % 3 == 0 { 20 * 86_400_000 } else { 0 };
        assert!(desk.commit(units.collect()).await.iter().all(Result::is_ok));
    }
}

fn searches(places: Vec<Pos>) -> impl Strategy<Value = Search> {
    let places = Arc::new(places);
    let place = prop_oneof![
        8 => (0..ROWS, -1..2_i64).prop_map(move |(n, by)| Pos(places[n].0 + by)),
        1 => any::<i64>().prop_map(Pos),
        1 => Just(Pos(0)),
    ];
    let with = proptest::option::of(prop_oneof![
        9 => proptest::sample::select(&PEERS[..]),
        1 => Just("nobody@example.com"),
    ]);
    let words = proptest::option::weighted(
        0.3,
        proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..3),
    );
    let many = prop_oneof![Just(0), 0..20_usize, 0..2 * ROWS, Just(usize::MAX)];
    let looked_at_max = proptest::option::weighted(0.5, 0..2 * ROWS);
    let narrow = (place.clone(), proptest::option::of(place), with, 0..32_i16, words);
    let most = (many.clone(), many, looked_at_max);
    (narrow, any::<bool>(), most).prop_map(|(narrow, newest, (max, count_max, looked_at_max))| {
        let (after, before, with, flags, words) = narrow;
        Search {
            after,
            before,
            with: with.map(bare),
            flags: Flags(flags),
            words: words.map(|words| Words::of(&words.join(" ").to_uppercase())),
            newest,
            max,
            count_max: count_max as u64,
            looked_at_max,
        }
    })
}

#[test]
fn whatever_is_searched_for_is_found_as_in_the_reference() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_folder, sqlite, memory) = runtime.block_on(async {
        let (folder, mut sqlite) = Desk::with::<Folder>(&[OWNER]).await;
        let mut memory = Desk::at(Arc::new(Memory::new(&[AT_HAND]))).await;
        memory.change(Change::Create(bare(OWNER), <_>::default())).await.unwrap();
        full(&mut sqlite).await;
        full(&mut memory).await;
        (folder, sqlite, memory)
    });
    let owner = bare(OWNER);
    let page = runtime.block_on(memory.page(OWNER, 0, ROWS));
    let places = page.iter().map(|logged| logged.pos).collect();
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..<_>::default() };
    let outcome = TestRunner::new(config).run(&searches(places), |what| {
        // How many were looked at is a matter of each store: what there is has to be the same.
        let found = |desk: &Desk| {
            let found = runtime.block_on(desk.store.search(&owner, &what)).unwrap();
            let is_bounded = what.looked_at_max.is_none_or(|max| found.looked_at <= max);
            (Found { looked_at: 0, ..found }, is_bounded)
        };
        prop_assert_eq!(found(&sqlite), found(&memory));
        Ok(())
    });
    outcome.unwrap();
}
