//! Entries: their order, their text, and bad ones among good ones.

use super::*;

const OWNER: &str = "juliet@example.com";

fn numbered(n: usize) -> String {
    format!("<message id='{n}'><body>{n}</body></message>")
}

pub(crate) async fn pages_follow_one_another_in_order<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER, "other@example.com"]).await;
    let mut expected = Vec::new();
    for batch in 0..5 {
        let texts: Vec<_> = (0..23).map(|n| numbered(batch * 100 + n)).collect();
        let units = texts
            .iter()
            .flat_map(|text| [said(OWNER, text), said("other@example.com", "<message/>")]);
        let outcomes = desk.commit(units.collect()).await;
        assert!(outcomes.iter().all(Result::is_ok));
        expected.extend(texts);
    }
    let mut paged = Vec::new();
    let mut after = 0;
    loop {
        let page = desk.page(OWNER, after, 10).await;
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 10);
        assert!(page[0].pos.0 > after && page.is_sorted_by_key(|logged| logged.pos));
        after = last.pos.0;
        paged.extend(page.into_iter().map(|logged| logged.entry.stanza.to_string()));
    }
    assert_eq!(paged, expected);
    assert!(desk.page("nobody@example.com", 0, 10).await.is_empty());
}

pub(crate) async fn a_message_in_two_logs_is_two_entries<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER, "nurse@example.com"]).await;
    let both = said(OWNER, "<message/>").join(said("nurse@example.com", "<message/>"));
    let committed = desk.one(both).await.unwrap();
    for account in [OWNER, "nurse@example.com"] {
        let page = desk.page(account, 0, 10).await;
        assert_eq!(page.len(), 1);
        assert_eq!(committed.in_log(&bare(account)), Some(page[0].pos));
    }
}

pub(crate) async fn entries_are_kept_as_given<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let plain = entry(OWNER, "<message/>");
    let full = Entry {
        flags: Flags::SENT.and(Flags::TRANSIT),
        peer: bare("日本@xn--mnchen-3ya.example"),
        key: Some(i64::MIN),
        settles: Some((i64::MAX, 17)),
        foreign_id: Some(Text::from("f'\"\\ 💘".to_owned() + &"x".repeat(5_000))),
        ..entry(OWNER, "<message id='2'/>")
    };
    for given in [&plain, &full] {
        desk.one(Unit { entries: vec![given.clone()], ..Unit::default() }).await.unwrap();
    }
    let page = desk.page(OWNER, 0, 10).await;
    let kept: Vec<_> = page.into_iter().map(|logged| logged.entry).collect();
    assert_eq!(kept, [plain, full]);
}

pub(crate) async fn any_text_comes_back_as_it_was<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let texts = [
        "\u{80}\u{ff}éß",
        "👩‍👩‍👧‍👦🏳️‍🌈",
        "'\"`\\ \\x00 \\n $1 ?1 %s {} NULL",
        "\t\n\u{85}\u{2028}\u{feff}\u{fffd}\u{10fffd}",
        "e\u{301} ≠ é",
        "\u{202e}right",
    ];
    let stanzas: Vec<_> =
        texts.iter().map(|text| format!("<message><body>{text}</body></message>")).collect();
    desk.commit(stanzas.iter().map(|stanza| said(OWNER, stanza)).collect()).await;
    assert_eq!(desk.texts(OWNER).await, stanzas);
}

pub(crate) async fn a_big_stanza_is_kept<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let big = format!("<message><body>{}</body></message>", "0123456789abcdef".repeat(16_000));
    assert!(big.len() > 250 * 1024);
    desk.commit(vec![said(OWNER, "<message/>"), said(OWNER, &big)]).await;
    assert!(desk.texts(OWNER).await[1] == big);
}

pub(crate) async fn positions_rise_when_the_clock_steps_back<B: Bed>() {
    let (mut bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    desk.one(said(OWNER, "<message id='1'/>")).await.unwrap();
    desk.unix_ms -= 100 * 86_400_000;
    desk.one(said(OWNER, "<message id='2'/>")).await.unwrap();
    let clock = desk.unix_ms;
    drop(desk);
    let mut desk = Desk::at(bed.open().await).await;
    desk.unix_ms = clock;
    desk.one(said(OWNER, "<message id='3'/>")).await.unwrap();
    // And far ahead: the next months' partition.
    desk.unix_ms += 400 * 86_400_000;
    desk.one(said(OWNER, "<message id='4'/>")).await.unwrap();
    let page = desk.page(OWNER, 0, 10).await;
    assert!(page.is_sorted_by(|one, next| one.pos < next.pos));
    let ids: Vec<_> = page.iter().map(|logged| &*logged.entry.stanza).collect();
    let expected = [1, 2, 3, 4].map(|n| format!("<message id='{n}'/>"));
    assert_eq!(ids, expected);
    let after = page[1].pos.0;
    assert_eq!(desk.page(OWNER, after, 10).await.len(), 2);
}

pub(crate) async fn a_bad_unit_does_not_fail_its_neighbours<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let half = said(OWNER, "<message id='half'/>").join(said("nobody@example.com", "<message/>"));
    let outcomes =
        desk.commit(vec![said(OWNER, &numbered(1)), half, said(OWNER, &numbered(3))]).await;
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    assert_eq!(outcomes[1], Err(Fault::Refused("there is no such account or room".into())));
    assert_eq!(desk.texts(OWNER).await, [numbered(1), numbered(3)], "not half a unit either");
    desk.one(said(OWNER, &numbered(4))).await.unwrap();
}

pub(crate) async fn many_bad_units_are_each_told<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let is_bad = |n: usize| n % 7 == 3 || n > 90;
    let unit = |n: usize| match (is_bad(n), n % 2) {
        (false, _) => said(OWNER, &numbered(n)),
        (true, 0) => changes(vec![Change::Create(bare(OWNER), Credentials::default())]),
        (true, _) => said("nobody@example.com", &numbered(n)),
    };
    let outcomes = desk.commit((0..100).map(unit).collect()).await;
    let refused: Vec<_> = (0..100).filter(|&n| is_refused(&outcomes[n])).collect();
    assert_eq!(refused, (0..100).filter(|&n| is_bad(n)).collect::<Vec<_>>());
    let good: Vec<_> = (0..100).filter(|&n| !is_bad(n)).map(numbered).collect();
    assert_eq!(desk.texts(OWNER).await, good);
}

pub(crate) async fn changes_and_entries_keep_the_order_of_the_queue<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[]).await;
    let owner = bare(OWNER);
    let put =
        |value: &[u8]| changes(vec![Change::Put(ASIDE, owner.clone(), "k".into(), value.to_vec())]);
    let outcomes = desk
        .commit(vec![
            said(OWNER, &numbered(1)),
            changes(vec![Change::Create(owner.clone(), Credentials::default())]),
            said(OWNER, &numbered(2)),
            put(b"1"),
            said(OWNER, &numbered(3)),
            put(b"2"),
            changes(vec![Change::Delete(owner.clone())]),
            said(OWNER, &numbered(4)),
            changes(vec![Change::Create(owner.clone(), Credentials::default())]),
            said(OWNER, &numbered(5)),
            put(b"3"),
        ])
        .await;
    let refused: Vec<_> = (0..outcomes.len()).filter(|&n| is_refused(&outcomes[n])).collect();
    assert_eq!(refused, [0, 7]);
    assert_eq!(desk.texts(OWNER).await, [numbered(5)]);
    assert_eq!(desk.store.cell(ASIDE, &owner, "k").await.unwrap(), Some(b"3".to_vec()));
}

pub(crate) async fn readers_see_only_whole_units_while_the_writer_writes<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let store = desk.store.clone();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let readers = (0..3).map(|_| {
        let (store, stopped) = (store.clone(), stopped.clone());
        tokio::spawn(async move {
            let mut seen = 0;
            while !*stopped.borrow() {
                let page = store.page(&bare(OWNER), Pos(0), 1_000).await.unwrap();
                assert!(page.len() >= seen, "what was seen stays");
                assert_eq!(page.len() % 2, 0, "no half unit");
                assert!(
                    page.iter()
                        .enumerate()
                        .all(|(n, logged)| { logged.entry.stanza == numbered(n) }),
                    "no gap"
                );
                seen = page.len();
                tokio::task::yield_now().await;
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    for n in 0..60 {
        let entries = [2 * n, 2 * n + 1].map(|n| entry(OWNER, &numbered(n))).to_vec();
        desk.one(Unit { entries, ..Unit::default() }).await.unwrap();
    }
    stop.send(true).unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(desk.texts(OWNER).await.len(), 120);
}
