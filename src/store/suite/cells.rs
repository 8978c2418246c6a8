//! Cells of the tables, and whose they may be.

use super::*;

const OWNER: &str = "juliet@example.com";

fn put(of: &str, key: &str, value: &[u8]) -> Change {
    Change::Put(ASIDE, bare(of), key.to_owned(), value.to_vec())
}

pub(crate) async fn cells_are_put_cut_and_listed_by_key<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let owner = bare(OWNER);
    let bytes: Vec<u8> = (0..=255).collect();
    for (key, value) in [("b", &b"1"[..]), ("é", b"2"), ("", b""), ("B 'x' \"y\" %_", &bytes)] {
        desk.change(put(OWNER, key, value)).await.unwrap();
    }
    desk.change(put(OWNER, "b", b"new")).await.unwrap();
    desk.change(Change::Cut(ASIDE, owner.clone(), "é".into())).await.unwrap();
    desk.change(Change::Cut(ASIDE, owner.clone(), "never".into())).await.unwrap();
    let expected =
        [(String::new(), vec![]), ("B 'x' \"y\" %_".into(), bytes), ("b".into(), b"new".to_vec())];
    assert_eq!(desk.store.cells(ASIDE, &owner).await.unwrap(), expected);
    assert_eq!(desk.store.cell(ASIDE, &owner, "b").await.unwrap(), Some(b"new".to_vec()));
    assert_eq!(desk.store.cell(ASIDE, &owner, "é").await.unwrap(), None);
    assert_eq!(desk.store.cell(AT_HAND, &owner, "b").await.unwrap(), None, "another table");
}

pub(crate) async fn cells_are_read_in_pieces_in_the_order_of_their_bytes<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    for key in ["b", "é", "a/2", "a/1", "a", "B", "a0"] {
        desk.change(put(OWNER, key, key.as_bytes())).await.unwrap();
    }
    let owner = bare(OWNER);
    for (from, max, expected) in [
        ("", 9, &["B", "a", "a/1", "a/2", "a0", "b", "é"][..]),
        ("a/", 2, &["a/1", "a/2"]),
        ("a/2", 1, &["a/2"]),
        ("c", 9, &["é"]),
        ("ê", 9, &[]),
        ("", 0, &[]),
    ] {
        let read = desk.store.cells_from(ASIDE, &owner, from, max).await.unwrap();
        let keys: Vec<_> = read.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, expected, "{from} {max}");
        assert!(read.iter().all(|(key, value)| key.as_bytes() == value));
    }
    assert_eq!(desk.store.cells_from(AT_HAND, &owner, "", 9).await.unwrap(), [], "another table");
    assert_eq!(desk.store.cells_from(ASIDE, &bare("no@one"), "", 9).await.unwrap(), []);
}

pub(crate) async fn a_key_has_up_to_1024_bytes<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    // Four bytes a letter, and none like its neighbour: it does not compress.
    let letters = (0..256_u32).map(|n| char::from_u32(0x1_0000 + n * 577 % 0x4_0000));
    let key: String = letters.map(|letter| letter.unwrap()).collect();
    assert_eq!(key.len(), 1_024);
    desk.change(put(OWNER, &key, b"1")).await.unwrap();
    assert_eq!(desk.store.cell(ASIDE, &bare(OWNER), &key).await.unwrap(), Some(b"1".to_vec()));
    assert!(is_refused(&desk.change(put(OWNER, &format!("{key}x"), b"1")).await));
    assert!(is_refused(&desk.change(put(OWNER, "a\0b", b"1")).await));
}

pub(crate) async fn cells_at_hand_come_with_the_account<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER, "other@example.com"]).await;
    for of in [OWNER, "other@example.com"] {
        for key in ["b", "a"] {
            let value = format!("{of} {key}").into_bytes();
            desk.change(Change::Put(AT_HAND, bare(of), key.into(), value)).await.unwrap();
        }
        desk.change(put(of, "photo", &[0; 100])).await.unwrap();
    }
    let loaded = desk.store.load(&bare(OWNER)).await.unwrap().unwrap();
    let cell = |key: &str| {
        (AT_HAND.name().to_owned(), key.to_owned(), format!("{OWNER} {key}").into_bytes())
    };
    assert_eq!(loaded.cells, [cell("a"), cell("b")]);
}

pub(crate) async fn a_host_has_cells_without_being_made<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[]).await;
    desk.change(put("example.com", "invite", b"1")).await.unwrap();
    desk.change(put("example.com", "invite", b"2")).await.unwrap();
    let host = Bare::host("example.com").unwrap();
    assert_eq!(desk.store.cell(ASIDE, &host, "invite").await.unwrap(), Some(b"2".to_vec()));
    desk.one(said("example.net", "<message/>")).await.unwrap();
    assert_eq!(desk.texts("example.net").await.len(), 1);
    assert_eq!(desk.store.load(&host).await.unwrap(), None, "it is no account");
    assert!(desk.store.accounts(&host, None, 9).await.unwrap().is_empty());
}

pub(crate) async fn a_room_is_made_before_it_is_written_to<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[]).await;
    let room = bare("garden@rooms.example.com");
    let unit = Unit {
        once: None,
        entries: vec![entry("garden@rooms.example.com", "<message/>")],
        changes: vec![
            Change::Room(room.clone()),
            Change::Room(room.clone()),
            put("garden@rooms.example.com", "subject", b"roses"),
        ],
    };
    desk.one(unit).await.unwrap();
    assert_eq!(desk.texts("garden@rooms.example.com").await.len(), 1);
    assert_eq!(desk.store.cell(ASIDE, &room, "subject").await.unwrap(), Some(b"roses".to_vec()));
    assert_eq!(desk.store.credentials(&room).await.unwrap(), None, "it is no account");
    assert!(is_refused(&desk.change(Change::Create(room.clone(), <_>::default())).await));
    desk.change(Change::Delete(room.clone())).await.unwrap();
    assert_eq!(desk.store.cell(ASIDE, &room, "subject").await.unwrap(), None);
    assert!(is_refused(&desk.one(said("garden@rooms.example.com", "<message/>")).await));
}

pub(crate) async fn cells_of_nobody_are_refused<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[]).await;
    assert!(is_refused(&desk.change(put("nobody@example.com", "key", b"1")).await));
    let cut = Change::Cut(ASIDE, bare("nobody@example.com"), "key".into());
    desk.change(cut).await.unwrap();
    let nobody = bare("nobody@example.com");
    assert_eq!(desk.store.cell(ASIDE, &nobody, "key").await.unwrap(), None);
}

pub(crate) async fn the_rooms_of_somebody_are_found_by_what_it_is_to_them<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let rooms = ["a.b@r.example.com", "a@r.example.com", "é@r.example.com", "z@s.example.com"];
    let to = |room: &str, who: &str, what: &str| {
        Change::Put(AFFILIATIONS, bare(room), who.into(), what.into())
    };
    for room in rooms {
        let unit = vec![
            Change::Room(bare(room)),
            to(room, OWNER, room),
            to(room, "nurse@example.com", "member"),
            to(room, &format!("{OWNER}x"), "owner"),
            put(room, OWNER, b"of another table"),
        ];
        desk.one(changes(unit)).await.unwrap();
    }
    // Not a room.
    desk.change(to(OWNER, OWNER, "owner")).await.unwrap();
    let found = async |desk: &Desk, after: Option<&str>, max| {
        let (who, after) = (bare(OWNER), after.map(bare));
        let found = desk.store.affiliated(&who, after.as_ref(), max).await.unwrap();
        let text = |(room, what): (Bare, Vec<u8>)| {
            assert_eq!(room.as_str().as_bytes(), what);
            room.as_str().to_owned()
        };
        found.into_iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(found(&desk, None, 9).await, [rooms[0], rooms[1], rooms[3], rooms[2]]);
    assert_eq!(found(&desk, Some(rooms[0]), 2).await, [rooms[1], rooms[3]]);
    assert!(found(&desk, Some(rooms[2]), 9).await.is_empty());
    desk.change(Change::Cut(AFFILIATIONS, bare(rooms[1]), OWNER.into())).await.unwrap();
    desk.change(Change::Delete(bare(rooms[3]))).await.unwrap();
    assert_eq!(found(&desk, None, 9).await, [rooms[0], rooms[2]]);
    let nobody = bare("nobody@example.com");
    assert!(desk.store.affiliated(&nobody, None, 9).await.unwrap().is_empty());
}

/// A room that has all there is of the owner, and of another.
fn known_in(room: &str, affiliation: &str) -> Vec<Change> {
    let put = |table, key: &str, value: &str| {
        Change::Put(table, bare(room), key.to_owned(), value.into())
    };
    let mut all = vec![Change::Room(bare(room)), put(ROOM, "config", "open")];
    for who in [OWNER, "nurse@example.com"] {
        all.extend([
            put(AFFILIATIONS, who, affiliation),
            put(MARKS, who, "1 2 3"),
            put(ROOM, &format!("{HATS_OF}{who}"), "urn:hat"),
            put(ROOM, &format!("{ROLE_OF}{who}"), "participant"),
            put(ROOM, &format!("{REQUEST_OF}{who}"), "1767225600000"),
            put(ASIDE, who, "of another table"),
        ]);
    }
    all
}

pub(crate) async fn what_rooms_have_of_an_account_goes_with_it_but_that_it_is_banned<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER, "nurse@example.com"]).await;
    let rooms = [
        ("a@r.example.com", "owner here\nnick\n\n"),
        ("b@r.example.com", "outcast\n\ntreason\n"),
        ("c@r.example.com", "admin"),
        ("d@r.example.com", "out"),
    ];
    for (room, affiliation) in rooms {
        desk.one(changes(known_in(room, affiliation))).await.unwrap();
    }
    let worn = Change::Put(ROOM, bare(rooms[0].0), format!("{HATS_OF}{OWNER}x"), vec![1]);
    desk.change(worn).await.unwrap();
    desk.change(Change::Delete(bare(OWNER))).await.unwrap();
    for (room, affiliation) in rooms {
        let is_banned = affiliation.starts_with("outcast");
        let has = async |table, key: String| {
            desk.store.cell(table, &bare(room), &key).await.unwrap().is_some()
        };
        for (who, stays) in [(OWNER, false), ("nurse@example.com", true)] {
            assert_eq!(has(AFFILIATIONS, who.into()).await, stays || is_banned, "{room} {who}");
            assert_eq!(has(MARKS, who.into()).await, stays, "{room} {who}");
            for of in OWN_KEYS {
                assert_eq!(has(ROOM, format!("{of}{who}")).await, stays, "{of} {room} {who}");
            }
            assert!(has(ASIDE, who.into()).await, "what nobody knows the meaning of");
        }
        assert!(has(ROOM, "config".into()).await);
    }
    let other = desk.store.cell(ROOM, &bare(rooms[0].0), &format!("{HATS_OF}{OWNER}x")).await;
    assert_eq!(other, Ok(Some(vec![1])));
    let held = desk.store.affiliated(&bare(OWNER), None, 9).await.unwrap();
    assert_eq!(held, [(bare(rooms[1].0), rooms[1].1.into())]);
}

pub(crate) async fn who_is_anything_to_a_room_again_is_so_behind_the_removal<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let room = "a@r.example.com";
    let again = vec![
        Change::Delete(bare(OWNER)),
        Change::Create(bare(OWNER), <_>::default()),
        Change::Put(AFFILIATIONS, bare(room), OWNER.into(), "member".into()),
    ];
    let refused = again.iter().cloned().chain([Change::Create(bare(OWNER), <_>::default())]);
    let outcomes = desk
        .commit(vec![
            changes(known_in(room, "owner")),
            changes(refused.collect()),
            changes(again.clone()),
        ])
        .await;
    let held: Vec<_> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(held, [true, false, true], "{outcomes:?}");
    let held = desk.store.affiliated(&bare(OWNER), None, 9).await.unwrap();
    assert_eq!(held, [(bare(room), "member".into())]);
    assert_eq!(desk.store.cell(MARKS, &bare(room), OWNER).await, Ok(None));
}

fn swap(of: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> Change {
    let [old, new] = [old, new].map(|value| value.map(<[u8]>::to_vec));
    Change::Swap(ASIDE, bare(of), "token".into(), old, new)
}

async fn token(desk: &Desk, of: &str) -> Option<Vec<u8>> {
    desk.store.cell(ASIDE, &bare(of), "token").await.unwrap()
}

pub(crate) async fn a_cell_is_swapped_when_it_is_what_it_was<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let bytes: Vec<u8> = (0..=255).collect();
    let (one, other) = (Some(&b""[..]), Some(&bytes[..]));
    for (held, old, new) in [
        (true, None, None),
        (false, one, None),
        (false, other, one),
        (true, None, one),
        (false, None, other),
        (false, None, None),
        (false, other, None),
        (false, other, one),
        (true, one, other),
        (true, other, other),
        (true, other, None),
    ] {
        let before = token(&desk, OWNER).await;
        let outcome = desk.change(swap(OWNER, old, new)).await;
        let after = if held { new.map(<[u8]>::to_vec) } else { before };
        assert_eq!((outcome.is_ok(), is_refused(&outcome)), (held, !held), "{old:?} {new:?}");
        assert_eq!(token(&desk, OWNER).await, after);
    }
    assert!(is_refused(&desk.change(swap("nobody@example.com", None, one)).await));
    assert!(is_refused(&desk.change(swap("nobody@example.com", one, None)).await));
    desk.change(swap("nobody@example.com", None, None)).await.unwrap();
    desk.change(swap("example.com", None, one)).await.unwrap();
    assert_eq!(token(&desk, "example.com").await, Some(vec![]));
}

pub(crate) async fn of_two_swaps_of_one_cell_the_second_sees_the_first<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let swapped = |text: &str, old: Option<&[u8]>, new: Option<&[u8]>| {
        let entries = vec![entry(OWNER, &format!("<message id='{text}'/>"))];
        Unit { entries, changes: vec![swap(OWNER, old, new)], once: None }
    };
    let outcomes = desk
        .commit(vec![
            said(OWNER, "<message id='before'/>"),
            swapped("one", None, Some(b"1")),
            swapped("other", None, Some(b"2")),
            swapped("next", Some(b"1"), Some(b"3")),
            swapped("late", Some(b"1"), None),
            said(OWNER, "<message id='behind'/>"),
        ])
        .await;
    let held: Vec<_> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(held, [true, true, false, true, false, true], "{outcomes:?}");
    assert_eq!(token(&desk, OWNER).await, Some(b"3".to_vec()));
    let texts = ["before", "one", "next", "behind"].map(|id| format!("<message id='{id}'/>"));
    assert_eq!(desk.texts(OWNER).await, texts);
}

pub(crate) async fn a_swap_sees_what_its_unit_has_done<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let put = |value: &[u8]| Change::Put(ASIDE, bare(OWNER), "token".into(), value.to_vec());
    let cut = || Change::Cut(ASIDE, bare(OWNER), "token".into());
    desk.change(put(b"1")).await.unwrap();
    for (held, unit) in [
        (true, vec![put(b"2"), swap(OWNER, Some(b"2"), Some(b"3"))]),
        (false, vec![put(b"4"), swap(OWNER, Some(b"3"), Some(b"5"))]),
        (true, vec![cut(), swap(OWNER, None, Some(b"6"))]),
        (true, vec![swap(OWNER, Some(b"6"), None), swap(OWNER, None, Some(b"7"))]),
        (false, vec![swap(OWNER, Some(b"7"), Some(b"8")), swap(OWNER, Some(b"7"), None)]),
    ] {
        let outcome = desk.one(changes(unit.clone())).await;
        assert_eq!((outcome.is_ok(), is_refused(&outcome)), (held, !held), "{unit:?}");
    }
    assert_eq!(token(&desk, OWNER).await, Some(b"7".to_vec()));
    // Who comes again has nothing of who went.
    let again = vec![
        Change::Delete(bare(OWNER)),
        Change::Create(bare(OWNER), <_>::default()),
        swap(OWNER, None, Some(b"9")),
    ];
    desk.one(changes(again)).await.unwrap();
    assert_eq!(token(&desk, OWNER).await, Some(b"9".to_vec()));
}
