//! Bugs of rooms, planted into a history that was good: the auditor finds them.

use conformance::audit::{
    check::{Verdict, Wrong, check},
    history::{Device, Does, Event, Fault, How, Log, Send, Via, What, Wish},
};

/// Of accounts 0, 1 and 2, and of the room.
const ROOM: Log = 3;
const OWNER: Device = 0;
const GUEST: Device = 1;
/// Banned.
const OUTCAST: Device = 2;

fn at(history: &mut Vec<Event>, what: What) {
    history.push(Event { at_us: history.len() as u64, what });
}

fn does(history: &mut Vec<Event>, device: Device, does: Does) {
    at(history, What::Room { device, log: ROOM, does });
}

fn session(history: &mut Vec<Event>, device: Device, how: How, forgot: u32) {
    at(history, What::Session { device, how, took_us: 1, forgot });
}

fn comes(history: &mut Vec<Event>, device: Device, id: Send, via: Via) {
    let (stanza_id, delay) = (Some(format!("s{id}")), via != Via::Live);
    at(history, What::Recv { device, id, log: ROOM, stanza_id, via, delay });
}

/// Two people talk in a room, one of whom makes a third one an outcast; the server is killed.
fn good() -> Vec<Event> {
    let mut history = Vec::new();
    for (log, jid) in (0..).zip(["a@x", "b@x", "c@x", "r@y"]) {
        at(&mut history, What::Log { log, jid: jid.into(), room: log == ROOM });
    }
    for (device, jid) in [(OWNER, "a@x/1"), (GUEST, "b@x/1"), (OUTCAST, "c@x/1")] {
        let hears = if device == OUTCAST { vec![2] } else { vec![device, ROOM] };
        at(&mut history, What::Device { device, jid: jid.into(), hears });
        session(&mut history, device, How::New, 0);
    }
    for device in [OWNER, GUEST] {
        does(&mut history, device, Does::Enters);
        does(&mut history, device, Does::Inside);
    }
    for id in [10, 11] {
        at(&mut history, What::Send { device: GUEST, id, logs: vec![ROOM] });
        comes(&mut history, OWNER, id, Via::Live);
        comes(&mut history, GUEST, id, Via::Live);
    }
    at(&mut history, What::Acked { device: GUEST, h: 2, ids: vec![10, 11] });
    does(&mut history, OWNER, Does::Asks { account: 2, wish: Wish::Outcast });
    does(&mut history, OWNER, Does::Done { account: 2, wish: Wish::Outcast });
    at(&mut history, What::Fault { fault: Fault::Kill });
    for device in [OWNER, GUEST] {
        session(&mut history, device, How::Resumed, 1);
        does(&mut history, device, Does::Doubts);
    }
    does(&mut history, OUTCAST, Does::Enters);
    does(&mut history, OUTCAST, Does::Outside { why: "forbidden".into() });
    does(&mut history, OWNER, Does::Lists { accounts: vec![0, 1] });
    does(&mut history, OWNER, Does::Affiliates { accounts: vec![(2, Wish::Outcast)] });
    for device in [OWNER, GUEST] {
        does(&mut history, device, Does::Views { accounts: vec![0, 1] });
    }
    for id in [10, 11] {
        at(&mut history, What::Row { log: ROOM, stanza_id: format!("s{id}"), id });
    }
    history
}

#[track_caller]
fn judged(plant: impl FnOnce(&mut Vec<Event>)) -> Verdict {
    let mut history = good();
    let verdict = check(&history);
    assert_eq!((verdict.findings, verdict.pushes), (vec![], 1));
    plant(&mut history);
    assert_ne!(history, good(), "nothing was planted");
    check(&history)
}

#[track_caller]
fn only(verdict: &Verdict, wrong: Wrong) {
    let kinds: Vec<_> = verdict.findings.iter().map(|finding| finding.wrong).collect();
    assert_eq!(kinds, [wrong], "{:?}", verdict.findings);
}

fn place(history: &[Event], is_it: impl Fn(&What) -> bool) -> usize {
    history.iter().position(|event| is_it(&event.what)).unwrap()
}

fn told(history: &mut [Event], is_it: impl Fn(&Does) -> bool) -> &mut Does {
    let mut all = history.iter_mut().filter_map(|event| match &mut event.what {
        What::Room { does, .. } => Some(does),
        _ => None,
    });
    all.find(|does| is_it(does)).unwrap()
}

fn insert(history: &mut Vec<Event>, at: usize, what: What) {
    history.insert(at, Event { at_us: 0, what });
}

fn is_refusal(does: &Does) -> bool {
    matches!(does, Does::Outside { why } if why == "forbidden")
}

#[test]
fn who_is_banned_and_is_let_in_after_a_kill() {
    let verdict = judged(|history| *told(history, is_refusal) = Does::Inside);
    assert!(verdict.count(Wrong::Forgotten) == 1 && verdict.count(Wrong::Unlisted) == 1);
}

#[test]
fn who_is_banned_is_seen_to_enter_by_who_was_told_of_the_ban() {
    let verdict = judged(|history| {
        let at = place(history, |what| matches!(what, What::Fault { .. }));
        let does = Does::Sees { account: 2, inside: true };
        insert(history, at, What::Room { device: OWNER, log: ROOM, does });
    });
    only(&verdict, Wrong::Forgotten);
}

#[test]
fn who_is_pardoned_may_enter_as_soon_as_that_is_asked_for() {
    let mut history = good();
    history.retain(|event| {
        !matches!(&event.what, What::Room { does, .. } if is_refusal(does)
            || matches!(does, Does::Affiliates { .. } | Does::Lists { .. }))
    });
    does(&mut history, OWNER, Does::Asks { account: 2, wish: Wish::None });
    does(&mut history, OWNER, Does::Sees { account: 2, inside: true });
    does(&mut history, OUTCAST, Does::Inside);
    assert_eq!(check(&history).findings, []);
}

#[test]
fn an_affiliation_that_a_kill_has_taken_back() {
    let verdict = judged(|history| {
        let lists = told(history, |does| matches!(does, Does::Affiliates { .. }));
        *lists = Does::Affiliates { accounts: vec![(2, Wish::Member)] };
    });
    only(&verdict, Wrong::Forgotten);
}

#[test]
fn somebody_is_listed_who_has_gone_for_good() {
    let verdict = judged(|history| {
        let at = place(history, |what| matches!(what, What::Fault { .. }));
        insert(history, at, What::Room { device: GUEST, log: ROOM, does: Does::Vanishes });
    });
    only(&verdict, Wrong::Ghost);
}

#[test]
fn somebody_takes_itself_for_there_and_is_not_listed() {
    let verdict = judged(|history| {
        let lists = told(history, |does| matches!(does, Does::Lists { .. }));
        *lists = Does::Lists { accounts: vec![0] };
    });
    // And each who was there through the kill sees somebody who is not listed.
    only(&verdict, Wrong::Unlisted);
    assert_eq!(verdict.stale, 2);
}

#[test]
fn who_has_entered_after_the_kill_sees_others_than_are_listed() {
    for (sees, wrong) in [(vec![0, 1, 2], Wrong::Ghost), (vec![1], Wrong::Unlisted)] {
        let verdict = judged(|history| {
            let at =
                place(history, |what| matches!(what, What::Room { does: Does::Lists { .. }, .. }));
            let inside = What::Room { device: GUEST, log: ROOM, does: Does::Inside };
            insert(history, at, inside);
            let enters = What::Room { device: GUEST, log: ROOM, does: Does::Enters };
            insert(history, at, enters);
            let of_guest = |what: &What| {
                matches!(what, What::Room { device: GUEST, does: Does::Views { .. }, .. })
            };
            let at = place(history, of_guest);
            let does = Does::Views { accounts: sees.clone() };
            history[at].what = What::Room { device: GUEST, log: ROOM, does };
        });
        only(&verdict, wrong);
        assert_eq!(verdict.stale, 0);
    }
}

#[test]
fn what_was_acknowledged_is_not_in_the_room() {
    let verdict = judged(|history| {
        history.retain(|event| {
            !matches!(event.what, What::Row { id: 10, .. } | What::Recv { id: 10, .. })
        });
    });
    only(&verdict, Wrong::Lost);
}

#[test]
fn one_occupant_hears_in_another_order_than_the_others_and_the_archive() {
    let verdict = judged(|history| {
        let heard = |id: Send| {
            place(history, |what| match what {
                What::Recv { device: OWNER, id: heard, .. } => *heard == id,
                _ => false,
            })
        };
        let (one, other) = (heard(10), heard(11));
        history.swap(one, other);
    });
    only(&verdict, Wrong::Reorder);
}

#[test]
fn what_is_said_does_not_come_back_to_who_has_said_it() {
    let verdict = judged(|history| {
        history.retain(|event| !matches!(event.what, What::Recv { device: GUEST, id: 11, .. }));
    });
    only(&verdict, Wrong::Missed);
}

#[test]
fn it_comes_back_as_often_as_it_was_said_and_no_oftener() {
    let echo = |history: &mut Vec<Event>| {
        let at = place(history, |what| matches!(what, What::Acked { .. }));
        let (stanza_id, via) = (Some("s10".to_owned()), Via::Live);
        let (device, log) = (GUEST, ROOM);
        insert(history, at, What::Recv { device, id: 10, log, stanza_id, via, delay: false });
        at
    };
    only(&judged(|history| _ = echo(history)), Wrong::Duplicate);
    let verdict = judged(|history| {
        let at = echo(history);
        insert(history, at, What::Send { device: GUEST, id: 10, logs: vec![ROOM] });
    });
    assert_eq!((verdict.findings, verdict.echoes), (vec![], 1));
}

#[test]
fn a_retry_that_a_room_keeps_again() {
    let verdict = judged(|history| {
        at(history, What::Row { log: ROOM, stanza_id: "other".into(), id: 10 });
    });
    only(&verdict, Wrong::Duplicate);
}

#[test]
fn what_a_room_leaves_out_when_it_tells_a_resumed_session_on_is_counted() {
    let left_out = |tells_on: bool, enters_again: bool| {
        let verdict = judged(|history| {
            let of = |what: &What| matches!(what, What::Recv { device: OWNER, id: 10, .. });
            history.remove(place(history, of));
            comes(history, OWNER, 10, Via::Mam);
            if enters_again {
                does(history, OWNER, Does::EntersAgain);
            }
            if tells_on {
                comes(history, OWNER, 11, Via::SmResend);
            }
        });
        assert_eq!(verdict.findings, vec![]);
        verdict.behind
    };
    assert_eq!(left_out(true, false), 1);
    assert_eq!(left_out(false, false), 0, "it may follow");
    assert_eq!(left_out(true, true), 0, "it begins anew");
}

#[test]
fn who_has_stayed_away_for_too_long_is_not_counted_as_one_who_could_not_resume() {
    let renews = |history: &mut Vec<Event>| session(history, GUEST, How::Renewed, 1);
    let verdict = judged(renews);
    assert_eq!((verdict.resumed, verdict.renewed), (2, 1));
    let verdict = judged(|history| {
        does(history, GUEST, Does::Vanishes);
        renews(history);
    });
    assert_eq!((verdict.resumed, verdict.renewed), (2, 0));
}
