//! How searches are planned, whatever the values are.

use super::*;
use crate::{
    purge::{TRANSIT_GONE, TRANSIT_LOGS},
    search::Stretch,
};
use engine::{archive::Search, unit::Flags};

/// Thirty thousand entries of fifty logs, in the partitions of these two.
const FILL: &str = "
    INSERT INTO entry (log, pos, flags, peer, key, stanza)
    SELECT n % 50 + 1, base + n, 4, 'peer' || n / 50 % 20, n, repeat('x', 200)::bytea
    FROM generate_series(1, 15000) AS n, (SELECT pos AS base FROM entry) AS bases";

/// What is known of the entries: nothing yet; what they are.
const KNOWN: [&str; 2] = ["SELECT", "ANALYZE entry"];

/// The entries, and a connection that plans as those of the store do.
async fn filled() -> (Database, Client) {
    let (database, mut desk) = Desk::with::<Database>(&["a@example.com"]).await;
    for _ in 0..2 {
        desk.one(said("a@example.com", "<message/>")).await.unwrap();
        desk.unix_ms += 50 * 86_400_000;
    }
    let client = database.beside().await;
    client.batch_execute(FILL).await.unwrap();
    (database, client)
}

async fn plan(client: &Client, sql: &str, values: &str) -> Vec<String> {
    client.batch_execute(&format!("DEALLOCATE ALL; PREPARE asked AS {sql}")).await.unwrap();
    let explain = format!("EXPLAIN (COSTS OFF) EXECUTE asked ({values})");
    let rows = client.query(&explain, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn no_search_looks_through_the_whole_log() {
    let (_database, client) = filled().await;
    for known in KNOWN {
        client.batch_execute(known).await.unwrap();
        searches_go_by_index(&client).await;
    }
}

async fn searches_go_by_index(client: &Client) {
    let owner = bare("a@example.com");
    for (with, flags, index) in [
        (None, Flags::ARCHIVE, "_pkey"),
        (None, Flags::SPEAKS, "_log_pos_flags_idx"),
        (Some(bare("peer1")), Flags::ARCHIVE, "_log_peer_pos_idx"),
    ] {
        for newest in [false, true] {
            let what = Search { with: with.clone(), flags, newest, ..Search::default() };
            let stretch = Stretch::of(&owner, &what).unwrap();
            for sql in [stretch.rows_sql(""), stretch.count_sql("")] {
                let with = if with.is_some() { ", 'peer1'" } else { "" };
                let asked = format!("0, 9223372036854775807, {}, 1001", flags.0);
                let values = format!("'a@example.com', {asked}{with}");
                let plan = plan(client, &sql, &values).await;
                let scans = plan.iter().filter(|step| step.contains("on entry_"));
                let by_index = scans.clone().filter(|step| step.contains(index)).count();
                assert_eq!((scans.count(), by_index), (2, 2), "{plan:#?}");
                assert!(!plan.iter().any(|step| step.contains("Sort")), "{plan:#?}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_said_again_is_looked_for_by_its_key() {
    let (_database, client) = filled().await;
    let values = "ARRAY[0], ARRAY['a@example.com'], ARRAY[7], ARRAY[0], ARRAY[NULL::int8]";
    for known in KNOWN {
        client.batch_execute(known).await.unwrap();
        let plan = plan(&client, steps::SAID_BEFORE, values).await;
        let scans: Vec<_> = plan.iter().filter(|step| step.contains(" entry_")).collect();
        assert!(!scans.is_empty(), "{plan:#?}");
        assert!(scans.iter().all(|step| step.contains("log_key_idx")), "{plan:#?}");
    }
}

#[tokio::test]
async fn what_is_only_delivered_is_found_by_its_own_index() {
    let (_database, client) = filled().await;
    client.batch_execute(KNOWN[1]).await.unwrap();
    for (sql, values) in [(TRANSIT_LOGS, "0, 500"), (TRANSIT_GONE, "1, 9223372036854775807")] {
        let plan = plan(&client, sql, values).await;
        let scans: Vec<_> = plan.iter().filter(|step| step.contains(" on entry_")).collect();
        let by_index = |step: &&String| step.contains("_log_pos_idx") || step.contains("Delete");
        assert!(scans.iter().any(|step| step.contains("_log_pos_idx")), "{plan:#?}");
        assert!(scans.into_iter().all(|step| by_index(&step)), "{plan:#?}");
    }
}
