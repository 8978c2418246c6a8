//! What is said again: written once, and told where it stands since.

use super::*;
use engine::unit::Once;

const OWNER: &str = "juliet@example.com";

/// Said by the owner, once.
fn once(key: i64, stanza: &str) -> Unit {
    let said = Entry { key: Some(key), ..entry(OWNER, stanza) };
    let (since, besides) = (Pos(0), None);
    let once = Once { log: bare(OWNER), key, since, besides };
    Unit { once: Some(once), entries: vec![said], changes: vec![] }
}

/// By this session.
fn by(session: i64, mut unit: Unit) -> Unit {
    unit.entries[0].settles = Some((session, 1));
    unit
}

/// What was committed, as the place in the owner's log, and whether it had been said before.
fn told(outcome: &Result<Committed, Fault>) -> (Pos, bool) {
    let committed = outcome.as_ref().unwrap();
    (committed.in_log(&bare(OWNER)).unwrap(), committed.repeated)
}

pub(crate) async fn what_is_said_again_is_written_once<B: Bed>() {
    let (mut bed, mut desk) = Desk::with::<B>(&[OWNER, "nurse@example.com"]).await;
    let put = Change::Put(ASIDE, bare(OWNER), "k".into(), b"1".to_vec());
    let unit = |text| {
        let mut unit = once(7, text).join(said("nurse@example.com", text));
        unit.changes.push(put.clone());
        unit
    };
    let (first, repeated) = told(&desk.one(unit("<message id='1'/>")).await);
    assert!(!repeated);
    desk.change(Change::Cut(ASIDE, bare(OWNER), "k".into())).await.unwrap();
    let again = desk.one(unit("<message id='2'/>")).await;
    assert_eq!(told(&again), (first, true));
    drop(desk);
    let mut desk = Desk::at(bed.open().await).await;
    assert_eq!(told(&desk.one(unit("<message id='3'/>")).await), (first, true));
    for log in [OWNER, "nurse@example.com"] {
        assert_eq!(desk.texts(log).await, ["<message id='1'/>"]);
    }
    assert_eq!(desk.store.cell(ASIDE, &bare(OWNER), "k").await, Ok(None), "nothing of it");
}

pub(crate) async fn of_two_alike_in_one_batch_the_first_is_written<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let outcomes = desk
        .commit(vec![
            once(1, "<message id='1'/>"),
            once(2, "<message id='2'/>"),
            once(1, "<message id='3'/>"),
            once(1, "<message id='4'/>"),
        ])
        .await;
    let told: Vec<_> = outcomes.iter().map(told).collect();
    assert!(!told[0].1 && !told[1].1);
    assert_eq!(told[2..], [(told[0].0, true); 2]);
    assert_eq!(desk.texts(OWNER).await, ["<message id='1'/>", "<message id='2'/>"]);
}

pub(crate) async fn what_repeats_a_refused_unit_is_written_for_itself<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let bad = once(1, "<message id='1'/>").join(said("nobody@example.com", "<message/>"));
    let outcomes = desk
        .commit(vec![bad.clone(), once(1, "<message id='2'/>"), once(1, "<message id='3'/>"), bad])
        .await;
    assert!(is_refused(&outcomes[0]));
    let (second, repeated) = told(&outcomes[1]);
    assert!(!repeated, "the first is nowhere");
    assert_eq!(told(&outcomes[2]), (second, true));
    assert_eq!(told(&outcomes[3]), (second, true), "nothing of it is to be written");
    assert_eq!(desk.texts(OWNER).await, ["<message id='2'/>"]);
}

pub(crate) async fn only_the_log_key_and_stretch_that_are_meant_count<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER, "nurse@example.com"]).await;
    let mut other = said("nurse@example.com", "<message/>");
    other.entries[0].key = Some(7);
    desk.one(other).await.unwrap();
    desk.one(said(OWNER, "<message id='0'/>")).await.unwrap();
    let (first, repeated) = told(&desk.one(once(7, "<message id='1'/>")).await);
    assert!(!repeated, "the key stands in another log");
    assert!(!told(&desk.one(once(-7, "<message id='2'/>")).await).1);
    let since = |pos: i64| {
        let mut unit = once(7, "<message id='3'/>");
        unit.once = unit.once.map(|once| Once { since: Pos(pos), ..once });
        unit
    };
    assert_eq!(told(&desk.one(since(first.0 - 1)).await), (first, true));
    let (second, repeated) = told(&desk.one(since(first.0)).await);
    assert!(!repeated, "it stands too far back");
    assert_eq!(told(&desk.one(since(0)).await), (second, true), "the newest is told");
    let unknown = Once { log: bare("nobody@example.com"), ..since(0).once.unwrap() };
    let unit = Unit { once: Some(unknown), ..said(OWNER, "<message id='4'/>") };
    assert!(!told(&desk.one(unit).await).1);
    let expected = [0, 1, 2, 3, 4].map(|n| format!("<message id='{n}'/>"));
    assert_eq!(desk.texts(OWNER).await, expected);
}

pub(crate) async fn what_the_same_session_says_again_is_meant<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let besides = |session, unit: Unit| {
        let mut unit = by(session, unit);
        unit.once = unit.once.map(|once| Once { besides: Some(session), ..once });
        unit
    };
    let outcomes = desk
        .commit(vec![
            besides(1, once(7, "<message id='1'/>")),
            besides(1, once(7, "<message id='2'/>")),
        ])
        .await;
    assert!(outcomes.iter().all(|outcome| !told(outcome).1));
    assert!(!told(&desk.one(besides(1, once(7, "<message id='3'/>"))).await).1);
    let last = desk.page(OWNER, 0, 9).await[2].pos;
    assert_eq!(told(&desk.one(besides(2, once(7, "<message/>"))).await), (last, true));
    // What came by no session counts for all.
    let (plain, _) = told(&desk.one(once(8, "<message id='4'/>")).await);
    assert_eq!(told(&desk.one(besides(1, once(8, "<message/>"))).await), (plain, true));
    assert_eq!(desk.texts(OWNER).await.len(), 4);
}

pub(crate) async fn what_was_taken_away_was_not_said<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let (first, _) = told(&desk.one(once(7, "<message id='1'/>")).await);
    let outcomes = desk
        .commit(vec![
            once(7, "<message/>"),
            changes(vec![Change::Expunge(bare(OWNER), vec![first])]),
            once(7, "<message id='2'/>"),
            changes(vec![
                Change::Delete(bare(OWNER)),
                Change::Create(bare(OWNER), Credentials::default()),
            ]),
            once(7, "<message id='3'/>"),
            once(7, "<message/>"),
        ])
        .await;
    let repeated: Vec<_> = [0, 2, 4, 5].map(|unit| told(&outcomes[unit]).1).to_vec();
    assert_eq!(repeated, [true, false, false, true]);
    assert_eq!(desk.texts(OWNER).await, ["<message id='3'/>"]);
}

pub(crate) async fn a_repeat_among_bad_units_is_known<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let (first, _) = told(&desk.one(once(0, "<message id='0'/>")).await);
    let unit = |n: i64| match n % 4 {
        0 => once(0, "<message/>"),
        1 => once(n, &format!("<message id='{n}'/>")),
        2 => said("nobody@example.com", "<message/>"),
        _ => once(n - 2, "<message/>"),
    };
    let outcomes = desk.commit((0..40).map(unit).collect()).await;
    for (n, outcome) in outcomes.iter().enumerate() {
        match n % 4 {
            0 => assert_eq!(told(outcome), (first, true)),
            1 => assert!(!told(outcome).1),
            2 => assert!(is_refused(outcome)),
            _ => assert_eq!(told(outcome), (told(&outcomes[n - 2]).0, true)),
        }
    }
    assert_eq!(desk.texts(OWNER).await.len(), 11);
}

pub(crate) async fn many_keys_are_looked_up_at_once<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let all = |keys: std::ops::Range<i64>| {
        keys.map(|key| once(key, &format!("<message id='{key}'/>"))).collect::<Vec<_>>()
    };
    let first: Vec<_> = desk.commit(all(0..300)).await.iter().map(told).collect();
    assert!(first.iter().all(|told| !told.1));
    let again: Vec<_> = desk.commit(all(150..450)).await.iter().map(told).collect();
    for (number, told) in again.iter().enumerate() {
        match first.get(150 + number) {
            Some(before) => assert_eq!(*told, (before.0, true)),
            None => assert!(!told.1),
        }
    }
    assert_eq!(desk.texts(OWNER).await.len(), 450);
}
