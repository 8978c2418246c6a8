//! Searches of a log: each store finds what a look through the whole of it would.

use super::*;
use engine::{
    archive::{Found, Search},
    words::Words,
};

const OWNER: &str = "juliet@example.com";
const PEERS: [&str; 3] = ["romeo@example.net", "nurse@example.com", "日本@example.com"];

/// A log of 60 entries in three months, beside another.
async fn full<B: Bed>() -> (B, Desk) {
    let (bed, mut desk) = Desk::with::<B>(&[OWNER, "nurse@example.com"]).await;
    for n in 0..60_usize {
        desk.unix_ms += if n % 20 == 19 { 50 * 86_400_000 } else { 1 };
        let flags = if n % 5 == 0 { Flags::TRANSIT } else { Flags::ARCHIVE };
        let text = format!(
            "<message xmlns='jabber:client'><body>Rose {n}, mod {}</body></message>",
            n % 7
        );
        let flags = flags.and(if n % 2 == 0 { Flags::SENT } else { Flags::RECEIVED });
        let flags = flags.and(if n % 4 == 1 { Flags::SPEAKS } else { Flags::default() });
        let mine = Entry { flags, peer: bare(PEERS[n % 3]), ..entry(OWNER, &text) };
        let unit = Unit { entries: vec![mine], ..Unit::default() };
        desk.one(unit.join(said("nurse@example.com", &text))).await.unwrap();
    }
    (bed, desk)
}

async fn search(desk: &Desk, what: &Search) -> Found {
    desk.store.search(&bare(OWNER), what).await.unwrap()
}

/// The numbers of what was found.
fn numbers(found: &Found) -> Vec<usize> {
    let number = |logged: &Logged| {
        let text = logged.entry.stanza.to_string();
        text.split("Rose ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap()
    };
    found.entries.iter().map(number).collect()
}

/// Everything, counted.
fn all() -> Search {
    Search { max: 100, count_max: 100, ..Search::default() }
}

pub(crate) async fn a_search_narrows_by_all_that_it_names<B: Bed>() {
    let (_bed, desk) = full::<B>().await;
    let pos: Vec<_> = desk.page(OWNER, 0, 99).await.iter().map(|logged| logged.pos).collect();
    let with = Some(bare(PEERS[2]));
    let (archive, sent) = (Flags::ARCHIVE, Flags::ARCHIVE.and(Flags::SENT));
    let (after, before) = (pos[17], Some(pos[42]));
    let words = |text: &str| Some(Words::of(text));
    type Wanted<'a> = &'a dyn Fn(usize) -> bool;
    let unread = Flags::ARCHIVE.and(Flags::SPEAKS);
    let cases: [(Search, Wanted<'_>); 11] = [
        (Search { flags: unread, after, ..all() }, &|n| n > 17 && n % 4 == 1 && n % 5 != 0),
        (Search { flags: unread, with: with.clone(), ..all() }, &|n| {
            n % 3 == 2 && n % 4 == 1 && n % 5 != 0
        }),
        (all(), &|_| true),
        (Search { after, ..all() }, &|n| n > 17),
        (Search { before, ..all() }, &|n| n < 42),
        (Search { flags: archive, ..all() }, &|n| n % 5 != 0),
        (Search { flags: sent, after, ..all() }, &|n| n > 17 && n % 5 != 0 && n % 2 == 0),
        (Search { with: with.clone(), ..all() }, &|n| n % 3 == 2),
        (Search { with: with.clone(), after, before, flags: archive, ..all() }, &|n| {
            n > 17 && n < 42 && n % 3 == 2 && n % 5 != 0
        }),
        (Search { words: words("MOD, rose 3"), ..all() }, &|n| n % 7 == 3 || n == 3),
        (Search { words: words("3 mod"), with, before, ..all() }, &|n| {
            n < 42 && n % 3 == 2 && n % 7 == 3
        }),
    ];
    for (what, wanted) in cases {
        let expected: Vec<_> = (0..60).filter(|&n| wanted(n)).collect();
        for newest in [false, true] {
            let found = search(&desk, &Search { newest, ..what.clone() }).await;
            assert_eq!(numbers(&found), expected, "{what:?}");
            assert_eq!((found.more, found.count), (false, Some(expected.len() as u64)), "{what:?}");
        }
    }
}

pub(crate) async fn a_page_of_a_search_says_whether_there_is_more<B: Bed>() {
    let (_bed, desk) = full::<B>().await;
    let what = Search { flags: Flags::ARCHIVE, ..all() };
    for words in [None, Some(Words::of("rose"))] {
        let what = Search { words, ..what.clone() };
        for (max, more) in [(0, true), (1, true), (47, true), (48, false), (usize::MAX, false)] {
            let oldest = search(&desk, &Search { max, ..what.clone() }).await;
            let newest = search(&desk, &Search { max, newest: true, ..what.clone() }).await;
            let every: Vec<_> = (0..60).filter(|n| n % 5 != 0).collect();
            let taken = max.min(every.len());
            assert_eq!(numbers(&oldest), every[..taken]);
            assert_eq!(numbers(&newest), every[every.len() - taken..]);
            for found in [oldest, newest] {
                assert_eq!((found.more, found.count), (more, Some(48)), "{max}");
            }
        }
    }
    let none = Search { with: Some(bare("nobody@example.com")), ..all() };
    let empty = Found { count: Some(0), ..Found::default() };
    assert_eq!(search(&desk, &none).await, empty);
    assert_eq!(desk.store.search(&bare("nobody@example.com"), &all()).await, Ok(empty));
}

pub(crate) async fn a_search_counts_up_to_what_it_is_told<B: Bed>() {
    let (_bed, desk) = full::<B>().await;
    for words in [None, Some(Words::of("rose"))] {
        for (count_max, count) in
            [(0, None), (1, None), (59, None), (60, Some(60)), (u64::MAX, Some(60))]
        {
            for max in [0, 7, 100] {
                let what = Search { words: words.clone(), max, count_max, ..Search::default() };
                assert_eq!(search(&desk, &what).await.count, count, "{count_max} {max}");
            }
        }
    }
}

pub(crate) async fn an_empty_stretch_has_nothing<B: Bed>() {
    let (_bed, desk) = full::<B>().await;
    let pos: Vec<_> = desk.page(OWNER, 0, 99).await.iter().map(|logged| logged.pos).collect();
    let stretches = [
        (pos[5], Some(pos[5])),
        (pos[6], Some(pos[5])),
        (pos[5], Some(pos[6])),
        (Pos(i64::MAX), None),
        (Pos(i64::MAX), Some(Pos(i64::MAX))),
        (Pos(0), Some(Pos(0))),
        (Pos(0), Some(Pos(i64::MIN))),
        (Pos(i64::MAX), Some(Pos(i64::MIN))),
    ];
    for (after, before) in stretches {
        for newest in [false, true] {
            let found = search(&desk, &Search { after, before, newest, ..all() }).await;
            assert_eq!(found, Found { count: Some(0), ..Found::default() }, "{after:?} {before:?}");
        }
    }
    assert_eq!(search(&desk, &Search { after: Pos(i64::MIN), ..all() }).await.count, Some(60));
    assert_eq!(desk.page(OWNER, i64::MAX, 9).await, []);
}

pub(crate) async fn entries_are_found_by_their_places<B: Bed>() {
    let (_bed, desk) = full::<B>().await;
    let page = desk.page(OWNER, 0, 99).await;
    let others = desk.page("nurse@example.com", 0, 99).await;
    let at = [page[40].pos, page[3].pos, Pos(1), page[3].pos, others[9].pos, Pos(i64::MAX)];
    let found = desk.store.entries(&bare(OWNER), &at).await.unwrap();
    assert_eq!(found, [page[3].clone(), page[40].clone()]);
    assert_eq!(desk.store.entries(&bare(OWNER), &[]).await, Ok(vec![]));
    assert_eq!(desk.store.entries(&bare("nobody@example.com"), &at).await, Ok(vec![]));
}
