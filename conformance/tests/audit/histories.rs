//! Bugs planted into a history that was good: the auditor alone finds them.

use super::{Strike, play, toy::Bug};
use conformance::audit::{
    check::{Verdict, Wrong, check},
    history::{Device, Event, Log, Send, Via, What},
};
use std::{collections::HashSet, sync::LazyLock};

/// What happened at a server without bugs, under kills.
static GOOD: LazyLock<Vec<Event>> =
    LazyLock::new(|| play("history", Bug::None, Strike::Kill).history);

#[track_caller]
fn judged(plant: impl FnOnce(&mut Vec<Event>)) -> Verdict {
    let mut history = GOOD.clone();
    assert_eq!(check(&history).findings, []);
    plant(&mut history);
    assert_ne!(history, *GOOD, "nothing was planted");
    check(&history)
}

#[track_caller]
fn only(verdict: &Verdict, wrong: Wrong, count: usize) {
    let kinds: Vec<_> = verdict.findings.iter().map(|finding| finding.wrong).collect();
    assert_eq!(kinds, vec![wrong; count], "{:?}", verdict.findings);
}

fn acked(history: &[Event]) -> Vec<Send> {
    let ids = history.iter().filter_map(|event| match &event.what {
        What::Acked { ids, .. } => Some(ids),
        _ => None,
    });
    ids.flatten().copied().collect()
}

/// A message from the middle of those that were acknowledged.
fn one(history: &[Event]) -> Send {
    let acked = acked(history);
    acked[acked.len() / 2]
}

fn row_at(history: &[Event], of: Send, nth: usize) -> usize {
    let is_row = |event: &Event| matches!(event.what, What::Row { id, .. } if id == of);
    let rows = history.iter().enumerate().filter(|(_, event)| is_row(event));
    rows.map(|(at, _)| at).nth(nth).unwrap()
}

fn arrival_at(history: &[Event], wanted: impl Fn(&What) -> bool) -> usize {
    history.iter().position(|event| wanted(&event.what)).unwrap()
}

fn live(what: &What) -> bool {
    matches!(what, What::Recv { via: Via::Live, delay: false, .. })
}

/// Where two live messages stand that came to one device one right after the other.
fn neighbours(history: &[Event]) -> [usize; 2] {
    let came = |event: &Event| matches!(event.what, What::Recv { device: 0, .. });
    let came = history.iter().enumerate().filter(|(_, event)| came(event));
    let came: Vec<_> = came.map(|(at, event)| (at, live(&event.what))).collect();
    let two = came.windows(2).find(|two| two[0].1 && two[1].1).unwrap();
    [two[0].0, two[1].0]
}

#[test]
fn an_ack_before_a_commit_that_never_came() {
    let verdict = judged(|history| {
        let id = one(history);
        history.retain(|event| match event.what {
            What::Row { id: row, .. } | What::Recv { id: row, .. } => row != id,
            _ => true,
        });
    });
    only(&verdict, Wrong::Lost, 2);
}

#[test]
fn a_batch_that_was_lost_when_it_was_tried_again() {
    let verdict = judged(|history| {
        let acked = acked(history);
        let batch: HashSet<_> = acked[acked.len() / 2..][..10].iter().copied().collect();
        history.retain(|event| match event.what {
            What::Row { id, .. } | What::Recv { id, .. } => !batch.contains(&id),
            _ => true,
        });
    });
    only(&verdict, Wrong::Lost, 20);
}

#[test]
fn the_recipients_row_alone_is_missing() {
    let verdict = judged(|history| {
        let at = row_at(history, one(history), 1);
        history.remove(at);
    });
    assert_eq!(verdict.count(Wrong::Lost), 1, "{:?}", verdict.findings);
}

#[test]
fn rows_of_one_sender_that_change_places() {
    let verdict = judged(|history| {
        let rows = |device: Device, log: Log| {
            let of = move |event: &Event| {
                matches!(event.what, What::Row { id, log: in_log, .. }
                    if in_log == log && id >> 32 == u64::from(device))
            };
            history.iter().enumerate().filter(move |(_, event)| of(event)).map(|(at, _)| at)
        };
        let places: Vec<_> = rows(0, 0).take(2).collect();
        history.swap(places[0], places[1]);
    });
    assert!(verdict.count(Wrong::Reorder) >= 1, "{:?}", verdict.findings);
}

#[test]
fn a_retry_that_was_stored_again() {
    let verdict = judged(|history| {
        let at = row_at(history, one(history), 0);
        let What::Row { log, id, .. } = history[at].what else { unreachable!() };
        let stanza_id = "another".to_owned();
        history[at + 1..].iter().position(|event| matches!(event.what, What::Row { .. })).unwrap();
        let what = What::Row { log, stanza_id, id };
        history.insert(at + 1, Event { what, ..history[at] });
    });
    only(&verdict, Wrong::Duplicate, 1);
}

#[test]
fn a_second_copy_without_a_kill_before_it() {
    let verdict = judged(|history| {
        let at = arrival_at(history, live);
        history.insert(at + 1, history[at].clone());
    });
    only(&verdict, Wrong::Duplicate, 1);
}

#[test]
fn a_repeat_without_a_delay_or_with_another_name() {
    for rename in [false, true] {
        let verdict = judged(|history| {
            let resent = |what: &What| matches!(what, What::Recv { via: Via::SmResend, .. });
            let mut seen = HashSet::new();
            let at = history.iter().position(|event| match &event.what {
                What::Recv { device, id, .. } => {
                    !seen.insert((*device, *id)) && resent(&event.what)
                }
                _ => false,
            });
            let What::Recv { stanza_id, delay, .. } = &mut history[at.unwrap()].what else {
                unreachable!()
            };
            match rename {
                true => *stanza_id = Some("another".into()),
                false => *delay = false,
            }
        });
        assert_eq!(verdict.count(Wrong::Duplicate), 1, "{:?}", verdict.findings);
    }
}

#[test]
fn a_carbon_that_was_dropped_on_a_resume() {
    let verdict = judged(|history| {
        let carbon = |what: &What| matches!(what, What::Recv { via: Via::Carbon, .. });
        let at = arrival_at(history, carbon);
        let What::Recv { device, id, .. } = history[at].what else { unreachable!() };
        history.retain(|event| {
            !matches!(event.what, What::Recv { device: at, id: row, .. }
                if at == device && row == id)
        });
    });
    only(&verdict, Wrong::Missed, 1);
}

#[test]
fn a_cursor_behind_which_rows_were_skipped() {
    let verdict = judged(|history| {
        let arrivals = history.iter().filter_map(|event| match event.what {
            What::Recv { device: 1, id, .. } => Some(id),
            _ => None,
        });
        let skipped: HashSet<_> = arrivals.skip(20).take(3).collect();
        history.retain(|event| {
            !matches!(event.what, What::Recv { device: 1, id, .. } if skipped.contains(&id))
        });
    });
    only(&verdict, Wrong::Missed, 3);
}

#[test]
fn arrivals_out_of_order() {
    let verdict = judged(|history| {
        let [one, next] = neighbours(history);
        history.swap(one, next);
    });
    only(&verdict, Wrong::Reorder, 1);
}

#[test]
fn a_refusal_of_what_is_kept() {
    let verdict = judged(|history| {
        let id = one(history);
        let device = u16::try_from(id >> 32).unwrap();
        let what = What::Refused { device, id, condition: "wait".into() };
        history.push(Event { at_us: u64::MAX, what });
    });
    only(&verdict, Wrong::Contradiction, 2);
}

#[test]
fn a_name_that_is_not_that_of_the_row() {
    let verdict = judged(|history| {
        let at = arrival_at(history, live);
        let What::Recv { stanza_id, .. } = &mut history[at].what else { unreachable!() };
        *stanza_id = None;
    });
    only(&verdict, Wrong::Misnamed, 1);
}

#[test]
fn an_h_beyond_what_was_sent() {
    let verdict = judged(|history| {
        let what = What::Wrong { device: 0, why: "h='9' after h='3'".into() };
        history.push(Event { at_us: u64::MAX, what });
    });
    only(&verdict, Wrong::Protocol, 1);
}

#[test]
fn what_a_device_is_told_before_it_is_available_is_in_no_order_with_what_waits_for_that() {
    // The same as above, but it says so.
    let verdict = judged(|history| {
        let [one, next] = neighbours(history);
        history.swap(one, next);
        if let What::Recv { via, .. } = &mut history[one].what {
            *via = Via::Early;
        }
    });
    assert_eq!(verdict.findings, []);
}
