//! Sessions that can be resumed, and what of a log is delivered, taken away or told anew.

use super::*;
use engine::{
    port::Loaded,
    unit::{OCCUPANTS, Resumable},
};

const OWNER: &str = "juliet@example.com";

fn resumable(id: i64) -> Resumable {
    Resumable {
        id,
        token: id.to_be_bytes().to_vec(),
        resource: Text::from("balcony"),
        device: None,
        h: 3,
        out: 5,
        mark: Pos(7),
        state: vec![0, 0xff],
        expires: UNIX_MS,
    }
}

fn kept(of: &str, session: &Resumable) -> Change {
    Change::Session(bare(of), Box::new(session.clone()))
}

async fn sessions(desk: &Desk, of: &str) -> Vec<Resumable> {
    desk.store.load(&bare(of)).await.unwrap().unwrap().sessions
}

/// An entry that settles this `h` of a session.
fn settled(session: i64, h: i64) -> Unit {
    let settles = Some((session, h));
    let entry = Entry { settles, ..entry(OWNER, "<message/>") };
    Unit { entries: vec![entry], ..Unit::default() }
}

pub(crate) async fn sessions_are_kept_as_given_and_written_whole<B: Bed>() {
    let (mut bed, mut desk) = Desk::with::<B>(&[OWNER, "nurse@example.com"]).await;
    let first = Resumable { device: Some(Text::from("📱 '1'")), ..resumable(i64::MIN) };
    let second = Resumable { resource: Text::from("日本"), state: vec![], ..resumable(2) };
    let third = Resumable { expires: i64::MAX as u64, h: i64::MAX, ..resumable(i64::MAX) };
    desk.change(kept("nurse@example.com", &resumable(9))).await.unwrap();
    for session in [&third, &first, &second] {
        desk.change(kept(OWNER, session)).await.unwrap();
    }
    assert_eq!(sessions(&desk, OWNER).await, [first.clone(), second, third.clone()]);
    let anew = Resumable {
        token: vec![],
        resource: Text::from("garden"),
        device: Some(Text::from("d")),
        h: 4,
        out: 6,
        mark: Pos(8),
        state: vec![1],
        expires: 1,
        id: 2,
    };
    desk.change(kept(OWNER, &anew)).await.unwrap();
    drop(desk);
    let mut desk = Desk::at(bed.open().await).await;
    assert_eq!(sessions(&desk, OWNER).await, [first.clone(), anew, third.clone()]);
    for id in [2, 2, 9] {
        desk.change(Change::Unsession(bare(OWNER), id)).await.unwrap();
    }
    assert_eq!(sessions(&desk, OWNER).await, [first, third]);
    assert_eq!(sessions(&desk, "nurse@example.com").await, [resumable(9)], "not the owner's");
    desk.change(Change::Delete(bare(OWNER))).await.unwrap();
    desk.change(Change::Create(bare(OWNER), Credentials::default())).await.unwrap();
    assert_eq!(sessions(&desk, OWNER).await, []);
}

pub(crate) async fn only_an_account_has_sessions<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let room = "garden@rooms.example.com";
    desk.change(Change::Room(bare(room))).await.unwrap();
    for of in ["nobody@example.com", room] {
        let outcome = desk.change(kept(of, &resumable(1))).await;
        assert_eq!(outcome, Err(Fault::Refused("there is no such account".into())));
        desk.change(Change::Unsession(bare(of), 1)).await.unwrap();
    }
    let bad = Resumable { device: Some(Text::from("a\0b")), ..resumable(1) };
    assert!(is_refused(&desk.change(kept(OWNER, &bad)).await));
    assert_eq!(sessions(&desk, OWNER).await, []);
}

pub(crate) async fn accounts_whose_sessions_can_be_resumed_are_paged<B: Bed>() {
    let owners = ["a-b@example.com", "a@example.com", "ä@example.com", OWNER, "z@a.example"];
    let (_bed, mut desk) = Desk::with::<B>(&owners).await;
    desk.change(Change::Create(bare("none@example.com"), Credentials::default())).await.unwrap();
    for (number, of) in owners.iter().enumerate() {
        let id = i64::try_from(number).unwrap();
        desk.change(kept(of, &resumable(id))).await.unwrap();
        let gone = Resumable { expires: UNIX_MS - 9, ..resumable(100 + id) };
        desk.change(kept(of, &gone)).await.unwrap();
    }
    let page = async |unix_ms, after: Option<&str>, max| {
        let after = after.map(bare);
        let page = desk.store.resumable(unix_ms, after.as_ref(), max).await.unwrap();
        page.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let mut all = owners.map(str::to_owned);
    all.sort();
    assert_eq!(page(UNIX_MS - 1, None, 9).await, all);
    assert_eq!(page(UNIX_MS - 1, None, 2).await, all[..2]);
    assert_eq!(page(UNIX_MS - 1, Some(&all[1]), 2).await, all[2..4]);
    assert_eq!(page(UNIX_MS - 1, Some(&all[4]), 2).await, Vec::<String>::new());
    assert_eq!(page(UNIX_MS, None, 9).await, Vec::<String>::new(), "too late");
}

pub(crate) async fn a_room_is_loaded_and_comes_back_while_somebody_is_in_it<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let rooms = ["garden@rooms.example.com", "tomb@rooms.example.com"].map(bare);
    for room in &rooms {
        assert_eq!(desk.store.load(room).await.unwrap(), None);
        desk.change(Change::Room(room.clone())).await.unwrap();
        let loaded = Loaded { last: desk.store.last().await.unwrap().1, ..Loaded::default() };
        assert_eq!(desk.store.load(room).await.unwrap(), Some(loaded));
    }
    desk.change(Change::Put(AT_HAND, rooms[0].clone(), "k".into(), b"v".to_vec())).await.unwrap();
    let cells = vec![(AT_HAND.name().to_owned(), "k".to_owned(), b"v".to_vec())];
    let loaded = Loaded { cells, last: desk.store.last().await.unwrap().1, ..Loaded::default() };
    assert_eq!(desk.store.load(&rooms[0]).await.unwrap(), Some(loaded));
    assert_eq!(desk.store.resumable(UNIX_MS, None, 9).await.unwrap(), []);
    let occupant =
        |value: &[u8]| Change::Put(OCCUPANTS, rooms[1].clone(), OWNER.into(), value.to_vec());
    desk.change(occupant(b"thirdwitch")).await.unwrap();
    assert_eq!(desk.store.resumable(UNIX_MS, None, 9).await.unwrap(), rooms[1..]);
    desk.change(Change::Cut(OCCUPANTS, rooms[1].clone(), OWNER.into())).await.unwrap();
    assert_eq!(desk.store.resumable(UNIX_MS, None, 9).await.unwrap(), []);
}

pub(crate) async fn what_the_log_settled_raises_h<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    desk.one(settled(1, 3)).await.unwrap();
    let mark = desk.page(OWNER, 0, 9).await[0].pos;
    let one = Resumable { mark, ..resumable(1) };
    let other = Resumable { mark, ..resumable(2) };
    desk.commit(vec![changes(vec![kept(OWNER, &one), kept(OWNER, &other)])]).await;
    let h = async |desk: &Desk| {
        sessions(desk, OWNER).await.iter().map(|session| session.h).collect::<Vec<_>>()
    };
    assert_eq!(h(&desk).await, [3, 3]);
    desk.commit(vec![settled(1, 4), settled(1, 6), settled(2, 2), settled(3, 99)]).await;
    assert_eq!(h(&desk).await, [6, 3]);
    let anew = Resumable { h: 8, ..one };
    desk.change(kept(OWNER, &anew)).await.unwrap();
    assert_eq!(h(&desk).await, [8, 3]);
    let mine = sessions(&desk, OWNER).await;
    assert_eq!((mine[0].mark, mine[1].mark), (mark, mark), "nothing else is raised");
}

pub(crate) async fn what_is_delivered_only_moves_on<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let delivered =
        async |desk: &Desk| desk.store.load(&bare(OWNER)).await.unwrap().unwrap().delivered;
    assert_eq!(delivered(&desk).await, Pos(0));
    for (pos, then) in [(5, 5), (3, 5), (i64::MAX, i64::MAX)] {
        desk.change(Change::Delivered(bare(OWNER), Pos(pos))).await.unwrap();
        assert_eq!(delivered(&desk).await, Pos(then));
    }
    desk.change(Change::Delivered(bare("nobody@example.com"), Pos(1))).await.unwrap();
}

pub(crate) async fn entries_are_taken_away_and_told_anew<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER, "nurse@example.com"]).await;
    for n in 0..5 {
        let mut both = said(OWNER, &format!("<message id='{n}'/>"));
        both.entries[0].flags = both.entries[0].flags.and(Flags::SPEAKS);
        desk.one(both.join(said("nurse@example.com", "<message/>"))).await.unwrap();
    }
    let before = desk.page(OWNER, 0, 9).await;
    let at = |n: usize| before[n].pos;
    let nurse = desk.page("nurse@example.com", 0, 9).await;
    let places = vec![at(3), at(1), at(1), Pos(1), nurse[0].pos];
    let redact = |pos, text: &str| Change::Redact(bare(OWNER), pos, Text::from(text));
    let outcomes = desk
        .commit(vec![
            changes(vec![Change::Expunge(bare(OWNER), places)]),
            changes(vec![redact(at(2), "<message id='gone'/>")]),
            changes(vec![redact(at(3), "<message/>"), redact(Pos(1), "<message/>")]),
            changes(vec![Change::Expunge(bare("nobody@example.com"), vec![at(0)])]),
            changes(vec![Change::Expunge(bare(OWNER), vec![])]),
        ])
        .await;
    assert!(outcomes.iter().all(Result::is_ok));
    let ids = [0, 2, 4].map(|n| format!("<message id='{n}'/>"));
    let expected = [ids[0].clone(), "<message id='gone'/>".into(), ids[2].clone()];
    assert_eq!(desk.texts(OWNER).await, expected);
    let after = desk.page(OWNER, 0, 9).await;
    let flags = before[2].entry.flags.without(Flags::SPEAKS);
    let stays = Entry { stanza: after[1].entry.stanza.clone(), flags, ..before[2].entry.clone() };
    assert_eq!(after[1].entry, stays, "all else of it");
    assert_eq!(desk.page("nurse@example.com", 0, 9).await, nurse);
}
