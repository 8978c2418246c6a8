//! Searches for words: each store finds what a look at each message would, wherever its index has
//! come.

use super::*;
use engine::{archive::Search, port::Retention, wire::Stanza, words::Words};

pub(crate) const OWNER: &str = "juliet@example.com";
const NURSE: &str = "nurse@example.com";
const PEERS: [&str; 2] = ["romeo@example.net", NURSE];

const BODIES: [&str; 20] = [
    "What's in a name? That which we call a rose",
    "By any other name would smell as sweet;",
    "ROSE, rose; Röse & rosé",
    "ro\u{308}se de\u{301}compose\u{301}e",
    "Die Straße, STRASSE, strasse",
    "ο δρόμος, Ο ΔΡΌΜΟΣ",
    "роза, Роза и ёж",
    "我住在東京都。",
    "京都は東にある",
    "バラとハラ、ﾊﾞﾗ",
    "장미 한 송이",
    "ดอกกุหลาบสีแดง",
    "مُحَمَّد وَرْدَة",
    "गुलाब हिन्दी",
    "🌹 👍🏽 ❤️",
    "rose🌹rose 🌹name🌹",
    "a \"quoted\" phrase, a star* and NEAR(me) OR not",
    "'x' & 'y' | !z <-> (w) : \\ % _ {c}",
    "1e5 3.14 0x1f 42nd 2026-11-28T13:00:00Z https://example.com/a?b=c",
    "",
];

const TEXTS: [&str; 34] = [
    "rose",
    "ROSE!",
    "rosé name",
    "name rose",
    "rös",
    "decomposee",
    "strasse",
    "straße",
    "δρομος",
    "роза еж",
    "東京",
    "京都",
    "東",
    "京東",
    "ばら",
    "ハラ",
    "バラ",
    "장미",
    "กุหลาบ",
    "محمد",
    "हिन्दी",
    "🌹",
    "🌹 rose",
    "\"quoted phrase\"",
    "star*",
    "sta*",
    "NEAR(me)",
    "rose OR name",
    "x & y",
    "!z | w",
    "1e5",
    "3.14 42nd",
    "example.com b",
    "",
];

fn message(body: &str) -> String {
    let body = body.replace('&', "&amp;").replace('<', "&lt;");
    format!("<message xmlns='jabber:client'><body>{body}</body></message>")
}

/// One that the archive of the owner shows.
pub(crate) fn shown(number: usize, body: &str) -> Entry {
    let said = if number.is_multiple_of(2) { Flags::SENT } else { Flags::RECEIVED };
    let (flags, peer) = (said.and(Flags::ARCHIVE), bare(PEERS[number % 3 % 2]));
    Entry { flags, peer, ..entry(OWNER, &message(body)) }
}

fn unit(entries: Vec<Entry>) -> Unit {
    Unit { entries, ..Unit::default() }
}

pub(crate) fn by(text: &str) -> Search {
    let words = Some(Words::of(text));
    Search { words, flags: Flags::ARCHIVE, max: 1_000, count_max: 1_000, ..Search::default() }
}

/// Goes on with the index until it has caught up.
pub(crate) async fn catch_up(desk: &Desk) {
    while desk.store.index().await.unwrap() > 0 {}
}

async fn places(desk: &Desk, what: &Search) -> Vec<Pos> {
    let found = desk.store.search(&bare(OWNER), what).await.unwrap();
    assert_eq!(found.count, Some(found.entries.len() as u64));
    found.entries.iter().map(|logged| logged.pos).collect()
}

/// What a look at each message finds.
fn looked_for(page: &[Logged], what: &Search) -> Vec<Pos> {
    let is_it = |logged: &&Logged| {
        let Logged { pos, entry } = logged;
        let said = Stanza::parse_one(&entry.stanza).unwrap();
        entry.flags.has(what.flags)
            && *pos > what.after
            && what.before.is_none_or(|before| *pos < before)
            && what.with.as_ref().is_none_or(|with| entry.peer == *with)
            && what.words.as_ref().is_none_or(|words| words.are_in(&said))
    };
    page.iter().filter(is_it).map(|logged| logged.pos).collect()
}

/// What is found when no more than so many are looked at for one answer, and the next goes on where
/// that stopped.
pub(crate) async fn a_search_goes_on_where_it_had_to_stop<T: Bed>() {
    const LOOKED_AT_MAX: usize = 30;
    let (_bed, mut desk) = Desk::with::<T>(&[OWNER]).await;
    let body = |n: usize| if n.is_multiple_of(70) { "red rose" } else { "rose red apple" };
    let unit_of = |n| unit(vec![shown(n, body(n))]);
    desk.commit((0..500).map(unit_of).collect()).await;
    let page = desk.page(OWNER, 0, 1_000).await;
    for indexes in [false, true] {
        if indexes {
            catch_up(&desk).await;
        }
        for (text, newest) in
            [("red -", true), ("red rose", false), ("apple", true), ("sweet", false)]
        {
            let mut what =
                Search { newest, max: 20, looked_at_max: Some(LOOKED_AT_MAX), ..by(text) };
            let (expected, mut seen) = (looked_for(&page, &by(text)), Vec::new());
            for _ in 0..500 {
                let found = desk.store.search(&bare(OWNER), &what).await.unwrap();
                assert!(found.looked_at <= LOOKED_AT_MAX && found.entries.len() <= 20);
                assert!(found.stopped.is_none() || found.count.is_none() && found.more);
                let places = found.entries.iter().map(|logged| logged.pos);
                let first = found.entries.first().map(|logged| logged.pos);
                let last = found.entries.last().map(|logged| logged.pos);
                match newest {
                    true => seen.splice(0..0, places).for_each(drop),
                    false => seen.extend(places),
                }
                match (found.more, newest) {
                    (false, _) => break,
                    (_, true) => what.before = found.stopped.or(first),
                    (_, false) => what.after = found.stopped.or(last).unwrap(),
                }
            }
            assert_eq!(seen, expected, "{text:?}, {newest}, {indexes}");
        }
    }
}

async fn say_all(desk: &mut Desk) {
    for (number, body) in BODIES.into_iter().enumerate() {
        desk.unix_ms += if number == 9 { 60 * 86_400_000 } else { 1 };
        desk.one(unit(vec![shown(number, body)]).join(said(NURSE, &message(body)))).await.unwrap();
        let hidden = Entry { flags: Flags::TRANSIT, ..shown(number, body) };
        desk.one(unit(vec![hidden])).await.unwrap();
    }
}

async fn finds_what_a_look_does(desk: &Desk) -> usize {
    let page = desk.page(OWNER, 0, 10_000).await;
    let middle = page[page.len() / 2].pos;
    let mut found = 0;
    for text in TEXTS {
        for with in [None, Some(bare(PEERS[1]))] {
            for flags in [Flags::default(), Flags::ARCHIVE, Flags::ARCHIVE.and(Flags::SENT)] {
                for (after, before) in [(Pos(0), None), (middle, None), (Pos(0), Some(middle))] {
                    let what = Search { after, before, with: with.clone(), flags, ..by(text) };
                    let expected = looked_for(&page, &what);
                    assert_eq!(places(desk, &what).await, expected, "{text:?} {what:?}");
                    found += expected.len();
                }
            }
        }
    }
    found
}

pub(crate) async fn words_are_found_wherever_the_index_has_come<B: Bed>() {
    let (mut bed, mut desk) = Desk::with::<B>(&[OWNER, NURSE]).await;
    say_all(&mut desk).await;
    let once = finds_what_a_look_does(&desk).await;
    assert!(once > 200, "{once}");
    desk.store.index().await.unwrap();
    assert_eq!(finds_what_a_look_does(&desk).await, once);
    catch_up(&desk).await;
    assert_eq!(finds_what_a_look_does(&desk).await, once);
    say_all(&mut desk).await;
    let twice = finds_what_a_look_does(&desk).await;
    assert!(twice > once);
    // Another process goes on where it has ended.
    drop(desk);
    let desk = Desk::at(bed.open().await).await;
    assert_eq!(finds_what_a_look_does(&desk).await, twice);
    catch_up(&desk).await;
    assert_eq!(finds_what_a_look_does(&desk).await, twice);
}

pub(crate) async fn what_is_found_by_words_is_paged_in_the_order_of_the_log<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let mut all = Vec::new();
    for part in 0..3 {
        let units = (0..300).map(|n| unit(vec![shown(0, if n % 3 == 0 { "rose" } else { "red" })]));
        let units: Vec<_> = units.collect();
        for (n, committed) in desk.commit(units).await.into_iter().enumerate() {
            let pos = committed.unwrap().in_log(&bare(OWNER)).unwrap();
            all.extend(Some(pos).filter(|_| n % 3 == 0));
        }
        // The last part is not in the index.
        if part < 2 {
            catch_up(&desk).await;
        }
        desk.unix_ms += 60 * 86_400_000;
    }
    for (max, newest) in [(7, false), (7, true), (250, false), (250, true)] {
        let (mut what, mut seen) = (Search { max, newest, ..by("Rose") }, Vec::new());
        loop {
            let found = desk.store.search(&bare(OWNER), &what).await.unwrap();
            let places: Vec<_> = found.entries.iter().map(|logged| logged.pos).collect();
            assert_eq!(places.len(), max.min(all.len() - seen.len()));
            match newest {
                true => {
                    what.before = places.first().copied();
                    seen.splice(0..0, places);
                }
                false => {
                    what.after = *places.last().unwrap();
                    seen.extend(places);
                }
            }
            assert_eq!(found.more, seen.len() < all.len());
            if !found.more {
                break;
            }
        }
        assert_eq!(seen, all);
    }
    for (count_max, count) in [(299, None), (300, Some(300)), (0, None)] {
        let what = Search { max: 0, count_max, ..by("rose") };
        let found = desk.store.search(&bare(OWNER), &what).await.unwrap();
        assert_eq!((found.entries.len(), found.more, found.count), (0, true, count));
    }
}

/// A walk by chance: what is said, taken away, indexed and searched for comes as it comes.
pub(crate) async fn whatever_is_said_and_searched_for_is_found_as_by_a_look<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER, NURSE]).await;
    let mut word = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |count: usize| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        (word >> 32) as usize % count
    };
    let pieces: Vec<&str> = BODIES.iter().flat_map(|body| body.split_inclusive(' ')).collect();
    for _ in 0..400 {
        match below(8) {
            0..4 => {
                let body: String = (0..below(6)).map(|_| pieces[below(pieces.len())]).collect();
                let flags = if below(5) == 0 { Flags::TRANSIT } else { Flags::ARCHIVE };
                let entry = shown(below(9), &body);
                let flags = Flags(entry.flags.0 & !Flags::ARCHIVE.0).and(flags);
                desk.one(unit(vec![Entry { flags, ..entry }])).await.unwrap();
                desk.unix_ms += [0, 1, 3 * 86_400_000][below(3)];
            }
            4 => {
                let page = desk.page(OWNER, 0, 10_000).await;
                let Some(logged) = page.get(below(page.len().max(1))) else { continue };
                let (log, pos) = (bare(OWNER), logged.pos);
                let change = match below(2) {
                    0 => Change::Expunge(log, vec![pos]),
                    _ => Change::Redact(log, pos, Text::from("<message/>")),
                };
                desk.change(change).await.unwrap();
            }
            5 => _ = desk.store.index().await.unwrap(),
            _ => {
                let page = desk.page(OWNER, 0, 10_000).await;
                let text: String = (0..=below(2)).map(|_| pieces[below(pieces.len())]).collect();
                let with = Some(bare(PEERS[below(2)])).filter(|_| below(2) == 0);
                let what = Search { with, newest: below(2) == 0, ..by(&text) };
                assert_eq!(places(&desk, &what).await, looked_for(&page, &what), "{what:?}");
            }
        }
    }
}

pub(crate) async fn what_goes_from_a_log_is_found_no_more<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    for _ in 0..6 {
        desk.one(unit(vec![shown(0, "rose")])).await.unwrap();
        desk.unix_ms += 86_400_000;
    }
    catch_up(&desk).await;
    let all = places(&desk, &by("rose")).await;
    let owner = bare(OWNER);
    desk.change(Change::Expunge(owner.clone(), vec![all[5]])).await.unwrap();
    let tombstone = Text::from("<message/>");
    desk.change(Change::Redact(owner.clone(), all[4], tombstone)).await.unwrap();
    assert_eq!(places(&desk, &by("rose")).await, all[..4]);
    desk.store.purge(&Retention::of(desk.unix_ms, 5, 0)).await.unwrap();
    assert_eq!(places(&desk, &by("rose")).await, all[1..4]);
    desk.one(said(OWNER, "<message/>")).await.unwrap();
    desk.store.purge(&Retention::of(desk.unix_ms, 0, 3)).await.unwrap();
    assert_eq!(places(&desk, &by("rose")).await, all[3..4]);
    desk.change(Change::Delete(owner.clone())).await.unwrap();
    assert_eq!(places(&desk, &by("rose")).await, []);
    desk.change(Change::Create(owner, Credentials::default())).await.unwrap();
    assert_eq!(places(&desk, &by("rose")).await, [], "another account");
    catch_up(&desk).await;
    desk.one(unit(vec![shown(0, "rose")])).await.unwrap();
    catch_up(&desk).await;
    assert_eq!(places(&desk, &by("rose")).await.len(), 1);
}

pub(crate) async fn many_logs_are_indexed_piece_by_piece<B: Bed>() {
    let accounts: Vec<_> = (0..120).map(|n| format!("u{n}@example.com")).collect();
    let names: Vec<_> = accounts.iter().map(String::as_str).chain([OWNER]).collect();
    let (_bed, mut desk) = Desk::with::<B>(&names).await;
    for account in &accounts {
        let mine = |n: usize| Entry { log: bare(account), ..shown(n, "rose") };
        desk.commit((0..4).map(|n| unit(vec![mine(n)])).collect()).await;
    }
    // More words than are kept of one message.
    let many: String = (0..12_000).map(|n| format!("w{n} ")).collect();
    desk.one(unit(vec![shown(0, &(many + "rose"))])).await.unwrap();
    desk.commit((0..500).map(|n| unit(vec![shown(n, "rose")])).collect()).await;
    catch_up(&desk).await;
    assert_eq!(places(&desk, &by("rose")).await.len(), 501);
    assert_eq!(places(&desk, &by("rose w11999")).await.len(), 1);
    for account in &accounts {
        let found = desk.store.search(&bare(account), &by("rose")).await.unwrap();
        assert_eq!(found.count, Some(4));
    }
    assert_eq!(desk.store.index().await, Ok(0));
}

pub(crate) async fn the_writer_goes_on_while_words_are_indexed<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER, NURSE]).await;
    for _ in 0..4 {
        desk.commit((0..900).map(|n| unit(vec![shown(n, "rose")])).collect()).await;
    }
    let (store, all) = (desk.store.clone(), Retention::of(desk.unix_ms, 0, 1_000));
    let index = tokio::spawn(async move { while store.index().await.unwrap() > 0 {} });
    let store = desk.store.clone();
    let purge = tokio::spawn(async move { store.purge(&all).await.unwrap() });
    for _ in 0..20 {
        desk.one(said(NURSE, "<message/>")).await.unwrap();
    }
    index.await.unwrap();
    purge.await.unwrap();
    catch_up(&desk).await;
    let found = desk.store.search(&bare(OWNER), &by("rose")).await.unwrap();
    assert_eq!(found.entries.len(), 1_000);
}
