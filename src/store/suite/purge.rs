//! What is kept no longer.

use super::*;
use engine::{port::Retention, unit::Resumable};

const OWNER: &str = "juliet@example.com";
const NURSE: &str = "nurse@example.com";
const DAY_MS: u64 = 86_400_000;

fn of(flags: Flags, stanza: &str) -> Unit {
    Unit { entries: vec![Entry { flags, ..entry(OWNER, stanza) }], ..Unit::default() }
}

/// Twelve entries of each, one in ten days.
async fn year<B: Bed>() -> (B, Desk) {
    let (bed, mut desk) = Desk::with::<B>(&[OWNER, NURSE]).await;
    for n in 0..12 {
        let text = format!("<message id='{n}'/>");
        desk.one(said(OWNER, &text).join(said(NURSE, &text))).await.unwrap();
        desk.unix_ms += 10 * DAY_MS;
    }
    (bed, desk)
}

fn ids(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|n| format!("<message id='{n}'/>")).collect()
}

pub(crate) async fn what_is_too_old_goes<B: Bed>() {
    let (_bed, mut desk) = year::<B>().await;
    let forever = Retention::of(desk.unix_ms, 0, 0);
    assert_eq!(desk.store.purge(&forever).await, Ok(0));
    assert_eq!(desk.texts(OWNER).await, ids(0..12));
    desk.store.purge(&Retention::of(desk.unix_ms, 35, 0)).await.unwrap();
    for log in [OWNER, NURSE] {
        assert_eq!(desk.texts(log).await, ids(9..12));
    }
    desk.one(said(OWNER, "<message id='12'/>")).await.unwrap();
    let last = desk.page(OWNER, 0, 99).await.pop().unwrap();
    desk.store.purge(&Retention::of(desk.unix_ms + DAY_MS, 1, 0)).await.unwrap();
    assert_eq!(desk.page(OWNER, 0, 99).await, std::slice::from_ref(&last), "not a ms too early");
    desk.store.purge(&Retention::of(desk.unix_ms + DAY_MS + 1, 1, 0)).await.unwrap();
    assert_eq!(desk.page(OWNER, 0, 99).await, []);
    desk.one(said(OWNER, "<message id='13'/>")).await.unwrap();
    assert!(desk.page(OWNER, 0, 99).await[0].pos > last.pos);
}

pub(crate) async fn of_a_log_that_is_too_long_the_newest_stay<B: Bed>() {
    let (_bed, mut desk) = year::<B>().await;
    let five = Retention::of(desk.unix_ms, 0, 5);
    assert_eq!(desk.store.purge(&five).await, Ok(14));
    assert_eq!(desk.store.purge(&five).await, Ok(0));
    let units = (12..900).map(|n| said(OWNER, &format!("<message id='{n}'/>")));
    desk.commit(units.collect()).await;
    assert_eq!(desk.store.purge(&five).await, Ok(888));
    assert_eq!(desk.texts(OWNER).await, ids(895..900));
    assert_eq!(desk.texts(NURSE).await, ids(7..12));
}

pub(crate) async fn what_is_only_delivered_goes_when_it_is<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let units = [
        of(Flags::SENT.and(Flags::TRANSIT), "<message id='0'/>"),
        of(Flags::RECEIVED.and(Flags::TRANSIT), "<message id='1'/>"),
        of(Flags::RECEIVED.and(Flags::ARCHIVE), "<message id='2'/>"),
        of(Flags::RECEIVED.and(Flags::ARCHIVE).and(Flags::TRANSIT), "<message id='3'/>"),
        of(Flags::RECEIVED.and(Flags::TRANSIT), "<message id='4'/>"),
        of(Flags::RECEIVED.and(Flags::TRANSIT), "<message id='5'/>"),
    ];
    desk.commit(units.to_vec()).await;
    let at: Vec<_> = desk.page(OWNER, 0, 9).await.iter().map(|logged| logged.pos).collect();
    let later = Retention::of(desk.unix_ms + DAY_MS, 0, 0);
    assert_eq!(desk.store.purge(&later).await, Ok(0), "nothing of it is delivered");
    desk.change(Change::Delivered(bare(OWNER), at[4])).await.unwrap();
    let session = Resumable { id: 1, mark: at[1], expires: i64::MAX as u64, ..<_>::default() };
    desk.change(Change::Session(bare(OWNER), Box::new(session))).await.unwrap();
    assert_eq!(desk.store.purge(&Retention::of(desk.unix_ms, 0, 0)).await, Ok(0), "too new");
    assert_eq!(desk.store.purge(&later).await, Ok(2), "a session may lack what is behind its mark");
    assert_eq!(desk.texts(OWNER).await, ids(2..6));
    desk.change(Change::Unsession(bare(OWNER), 1)).await.unwrap();
    assert_eq!(desk.store.purge(&later).await, Ok(1));
    assert_eq!(desk.texts(OWNER).await, [ids(2..4), ids(5..6)].concat());
}

pub(crate) async fn sessions_go_when_their_h_was_kept_long_enough<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    for id in [1_i64, 2] {
        let expires = desk.unix_ms + id.unsigned_abs();
        let session = Resumable { id, expires, ..Resumable::default() };
        desk.change(Change::Session(bare(OWNER), Box::new(session))).await.unwrap();
    }
    let then = desk.unix_ms + 2 + Resumable::KEPT_MS;
    for (unix_ms, left) in [(then - 1, vec![1, 2]), (then, vec![2]), (then + 1, vec![])] {
        desk.store.purge(&Retention::of(unix_ms, 0, 0)).await.unwrap();
        let loaded = desk.store.load(&bare(OWNER)).await.unwrap().unwrap();
        assert_eq!(loaded.sessions.iter().map(|session| session.id).collect::<Vec<_>>(), left);
    }
}

pub(crate) async fn a_removed_account_takes_a_long_log_with_it<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    for _ in 0..3 {
        desk.commit((0..900).map(|_| said(OWNER, "<message/>")).collect()).await;
        desk.unix_ms += 60 * DAY_MS;
    }
    desk.change(Change::Delete(bare(OWNER))).await.unwrap();
    assert_eq!(desk.texts(OWNER).await.len(), 0);
    desk.change(Change::Create(bare(OWNER), Credentials::default())).await.unwrap();
    assert_eq!(desk.texts(OWNER).await.len(), 0, "another account");
    desk.one(said(OWNER, "<message id='0'/>")).await.unwrap();
    desk.store.purge(&Retention::of(desk.unix_ms, 0, 0)).await.unwrap();
    assert_eq!(desk.texts(OWNER).await, ids(0..1));
    assert_eq!(desk.store.purge(&Retention::of(desk.unix_ms, 0, 0)).await, Ok(0));
}

pub(crate) async fn the_writer_goes_on_while_much_is_removed<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER, NURSE]).await;
    for _ in 0..8 {
        desk.commit((0..900).map(|_| said(OWNER, "<message/>")).collect()).await;
    }
    let (store, ten) = (desk.store.clone(), Retention::of(desk.unix_ms, 0, 10));
    let purge = tokio::spawn(async move { store.purge(&ten).await });
    for text in ids(0..20) {
        desk.one(said(NURSE, &text)).await.unwrap();
    }
    assert!(purge.await.unwrap().unwrap() >= 7_190);
    assert_eq!(desk.texts(OWNER).await.len(), 10);
    assert!(desk.texts(NURSE).await.ends_with(&ids(10..20)));
}
