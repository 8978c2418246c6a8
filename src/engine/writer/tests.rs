use super::*;
use crate::unit::{Entry, Flags, Table};
use wire::{Bare, Text};

const NOW: Moment = Moment(1_000);
const UNIX_MS: u64 = 1_790_000_000_000;

fn bare(text: &str) -> Bare {
    Bare::parse(text).unwrap()
}

fn entry(log: &str, body: &str) -> Entry {
    Entry {
        log: bare(log),
        flags: Flags::SENT,
        peer: bare("romeo@example.net"),
        key: None,
        settles: None,
        foreign_id: None,
        stanza: Text::from(body),
    }
}

fn unit(logs: &[&str]) -> Unit {
    Unit { entries: logs.iter().map(|log| entry(log, "<message/>")).collect(), ..Unit::default() }
}

fn writer(limits: WriterLimits) -> Writer<u32> {
    Writer::resume((7, Pos(0)), limits)
}

fn small() -> WriterLimits {
    WriterLimits {
        batch_units_max: 3,
        batch_bytes_max: 10_000,
        queue_units_max: 5,
        store_patience_ms: 500,
    }
}

/// A writer with these tokens queued, one entry each.
fn queued(tokens: &[u32]) -> Writer<u32> {
    let mut writer = writer(small());
    for &token in tokens {
        writer.push(token, unit(&["juliet@example.com"]), NOW).unwrap();
    }
    writer
}

fn went_away() -> Result<Vec<Verdict>, Fault> {
    Err(Fault::Away("the connection was closed".into()))
}

fn tokens(outcomes: &[Outcome<u32>]) -> Vec<u32> {
    outcomes.iter().map(|(token, _)| *token).collect()
}

#[test]
fn a_batch_gives_each_entry_a_position_of_its_own_in_queue_order() {
    let mut writer = writer(small());
    writer.push(1, unit(&["juliet@example.com", "romeo@example.com"]), NOW).unwrap();
    writer.push(2, unit(&["juliet@example.com"]), NOW).unwrap();
    let batch = writer.next_batch(UNIX_MS).unwrap();
    let clock = (UNIX_MS as i64) << 20;
    assert_eq!(batch.number, 8);
    assert_eq!(batch.units[0].1, [Pos(clock), Pos(clock + 1)]);
    assert_eq!(batch.units[1].1, [Pos(clock + 2)]);
    assert_eq!(batch.last, Pos(clock + 2));
    let outcomes = writer.outcome(Ok(vec![Ok(Written::Now), Ok(Written::Now)]));
    assert_eq!(tokens(&outcomes), [1, 2]);
    let first = outcomes[0].1.as_ref().unwrap();
    assert_eq!(first.in_log(&bare("romeo@example.com")), Some(Pos(clock + 1)));
}

#[test]
fn positions_rise_when_the_clock_steps_back() {
    let mut writer = queued(&[1]);
    let before = writer.next_batch(UNIX_MS).unwrap().last;
    writer.outcome(Ok(vec![Ok(Written::Now)]));
    writer.push(2, unit(&["juliet@example.com"]), NOW).unwrap();
    let after = writer.next_batch(UNIX_MS - 3_600_000).unwrap().last;
    assert_eq!(after, Pos(before.0 + 1));
}

#[test]
fn positions_go_on_from_what_an_earlier_process_gave() {
    let ahead = Pos(((UNIX_MS + 86_400_000) << 20) as i64);
    let mut writer = Writer::resume((41, ahead), small());
    writer.push(1, unit(&["juliet@example.com"]), NOW).unwrap();
    let batch = writer.next_batch(UNIX_MS).unwrap();
    assert_eq!((batch.number, batch.last), (42, Pos(ahead.0 + 1)));
}

#[test]
fn one_batch_is_under_way_at_a_time_and_the_next_follows_it() {
    let mut writer = queued(&[1]);
    assert_eq!(writer.next_batch(UNIX_MS).unwrap().number, 8);
    writer.push(2, unit(&["juliet@example.com"]), NOW).unwrap();
    assert!(writer.next_batch(UNIX_MS).is_none());
    writer.outcome(Ok(vec![Ok(Written::Now)]));
    assert_eq!(writer.next_batch(UNIX_MS).unwrap().number, 9);
    writer.outcome(Ok(vec![Ok(Written::Now)]));
    assert!(writer.next_batch(UNIX_MS).is_none());
}

#[test]
fn a_batch_is_bounded_by_units() {
    let mut writer = queued(&[1, 2, 3, 4]);
    assert_eq!(writer.next_batch(UNIX_MS).unwrap().units.len(), 3);
    assert_eq!(writer.queue_units(), 1);
}

#[test]
fn a_batch_is_bounded_by_bytes_and_a_larger_unit_goes_alone() {
    let mut writer = writer(small());
    let large = |body: usize| Unit {
        entries: vec![entry("juliet@example.com", &"x".repeat(body))],
        ..Unit::default()
    };
    for (token, body) in [(1, 6_000), (2, 6_000), (3, 20_000), (4, 10)] {
        writer.push(token, large(body), NOW).unwrap();
    }
    for expected in [[1], [2], [3], [4]] {
        assert_eq!(writer.next_batch(UNIX_MS).unwrap().units.len(), 1);
        assert_eq!(tokens(&writer.outcome(Ok(vec![Ok(Written::Now)]))), expected);
    }
}

#[test]
fn cells_weigh_in_a_batch() {
    let mut writer = writer(small());
    let table = Table::named("vcard");
    let put = Change::Put(table, bare("juliet@example.com"), "photo".into(), vec![0; 9_000]);
    for token in [1, 2] {
        let changes = vec![put.clone()];
        writer.push(token, Unit::of(changes), NOW).unwrap();
    }
    assert_eq!(writer.next_batch(UNIX_MS).unwrap().units.len(), 1);
}

#[test]
fn a_full_queue_refuses_at_once() {
    let mut writer = queued(&[1, 2, 3, 4, 5]);
    let (token, fault) = writer.push(6, unit(&["juliet@example.com"]), NOW).unwrap_err();
    assert_eq!(token, 6);
    assert!(matches!(fault, Fault::Refused(_)));
    assert_eq!(writer.queue_units(), 5);
}

#[test]
fn a_refused_unit_leaves_its_neighbours_standing() {
    let mut writer = queued(&[1, 2, 3]);
    writer.next_batch(UNIX_MS).unwrap();
    let bad = Fault::Refused("the account exists already".into());
    let outcomes = writer.outcome(Ok(vec![Ok(Written::Now), Err(bad.clone()), Ok(Written::Now)]));
    assert_eq!(tokens(&outcomes), [1, 2, 3]);
    assert!(outcomes[0].1.is_ok() && outcomes[2].1.is_ok());
    assert_eq!(outcomes[1].1, Err(bad));
}

#[test]
fn a_refused_batch_refuses_its_units_and_its_number_is_used_again() {
    let mut writer = queued(&[1]);
    let before = writer.next_batch(UNIX_MS).unwrap();
    let outcomes = writer.outcome(Err(Fault::Refused("permission denied".into())));
    assert!(matches!(outcomes[0], (1, Err(Fault::Refused(_)))));
    writer.push(2, unit(&["juliet@example.com"]), NOW).unwrap();
    let after = writer.next_batch(UNIX_MS).unwrap();
    assert_eq!(after.number, before.number);
    assert!(after.last > before.last);
}

#[test]
fn an_unknown_outcome_is_told_when_the_store_says_committed() {
    let mut writer = queued(&[1, 2]);
    let batch = writer.next_batch(UNIX_MS).unwrap();
    assert_eq!(writer.outcome(went_away()), []);
    assert!(writer.asks_last());
    assert!(writer.next_batch(UNIX_MS).is_none(), "nothing before the outcome is known");
    // Long after the patience: it was committed, so it must not be refused.
    assert_eq!(writer.recovered(Ok((batch.number, batch.last)), NOW.after(60_000)), []);
    let again = writer.next_batch(UNIX_MS + 60_000).unwrap();
    assert_eq!(again, batch, "the same batch, to which the store only tells the verdicts");
    let outcomes = writer.outcome(Ok(vec![Ok(Written::Now), Ok(Written::Now)]));
    assert_eq!(tokens(&outcomes), [1, 2]);
    assert_eq!(outcomes[0].1.as_ref().unwrap().places[0].1, batch.units[0].1[0]);
}

#[test]
fn an_unknown_outcome_is_tried_again_when_the_store_says_not_committed() {
    let mut writer = queued(&[1, 2]);
    let batch = writer.next_batch(UNIX_MS).unwrap();
    writer.outcome(went_away());
    writer.push(3, unit(&["juliet@example.com"]), NOW).unwrap();
    assert_eq!(writer.recovered(Ok((7, Pos(0))), NOW.after(499)), []);
    assert_eq!(writer.next_batch(UNIX_MS).unwrap(), batch);
    assert_eq!(tokens(&writer.outcome(Ok(vec![Ok(Written::Now), Ok(Written::Now)]))), [1, 2]);
    assert_eq!(writer.next_batch(UNIX_MS).unwrap().number, 9);
    assert_eq!(tokens(&writer.outcome(Ok(vec![Ok(Written::Now)]))), [3]);
}

#[test]
fn what_is_known_not_committed_is_refused_when_its_patience_is_over() {
    let mut writer = writer(small());
    writer.push(1, unit(&["juliet@example.com"]), NOW).unwrap();
    writer.push(2, unit(&["juliet@example.com"]), NOW.after(400)).unwrap();
    let batch = writer.next_batch(UNIX_MS).unwrap();
    writer.outcome(went_away());
    let refused = writer.recovered(Ok((7, Pos(0))), NOW.after(500));
    assert!(matches!(refused[..], [(1, Err(Fault::Refused(_)))]));
    let again = writer.next_batch(UNIX_MS).unwrap();
    assert_eq!((again.number, again.last), (batch.number, batch.last));
    assert_eq!(again.units, batch.units[1..]);
    assert_eq!(tokens(&writer.outcome(Ok(vec![Ok(Written::Now)]))), [2]);
}

#[test]
fn a_batch_whose_units_are_all_refused_frees_its_number() {
    let mut writer = queued(&[1]);
    writer.next_batch(UNIX_MS).unwrap();
    writer.outcome(went_away());
    assert_eq!(tokens(&writer.recovered(Ok((7, Pos(0))), NOW.after(500))), [1]);
    assert!(writer.next_batch(UNIX_MS).is_none());
    writer.push(2, unit(&["juliet@example.com"]), NOW).unwrap();
    assert_eq!(writer.next_batch(UNIX_MS).unwrap().number, 8);
}

#[test]
fn the_queue_expires_while_the_batch_before_it_stays_unknown() {
    let mut writer = queued(&[1]);
    writer.next_batch(UNIX_MS).unwrap();
    writer.outcome(went_away());
    writer.push(2, unit(&["juliet@example.com"]), NOW).unwrap();
    writer.push(3, unit(&["juliet@example.com"]), NOW.after(1)).unwrap();
    assert_eq!(writer.expire(NOW.after(499)), []);
    assert_eq!(tokens(&writer.expire(NOW.after(500))), [2]);
    assert!(writer.asks_last(), "1 may have been committed: it is not refused");
    assert_eq!(writer.queue_units(), 1);
}

#[test]
fn the_fence_stops_everything() {
    let mut writer = queued(&[1, 2, 3, 4]);
    writer.next_batch(UNIX_MS).unwrap();
    let outcomes = writer.outcome(Err(Fault::Fenced));
    assert_eq!(tokens(&outcomes), [1, 2, 3, 4]);
    assert!(outcomes.iter().all(|(_, outcome)| *outcome == Err(Fault::Fenced)));
    assert!(writer.is_stopped());
    assert_eq!(writer.push(5, unit(&[]), NOW), Err((5, Fault::Fenced)));
    assert!(writer.next_batch(UNIX_MS).is_none());
}

#[test]
fn a_disk_that_does_not_sync_stops_everything_and_is_not_asked_again() {
    let unsynced = || Fault::Unsynced("disk I/O error".into());
    let mut writer = queued(&[1, 2, 3, 4]);
    writer.next_batch(UNIX_MS).unwrap();
    let outcomes = writer.outcome(Err(unsynced()));
    assert_eq!(tokens(&outcomes), [1, 2, 3, 4]);
    assert!(outcomes.iter().all(|(_, outcome)| *outcome == Err(unsynced())));
    assert!(writer.is_stopped() && !writer.asks_last());

    let mut writer = queued(&[1]);
    writer.next_batch(UNIX_MS).unwrap();
    writer.outcome(went_away());
    assert_eq!(writer.recovered(Err(unsynced()), NOW), [(1, Err(unsynced()))]);
    assert!(writer.is_stopped());
}

#[test]
fn a_store_that_stays_away_keeps_the_batch_and_expires_the_queue() {
    let mut writer = queued(&[1]);
    writer.next_batch(UNIX_MS).unwrap();
    writer.outcome(went_away());
    writer.push(2, unit(&["juliet@example.com"]), NOW).unwrap();
    let away = || Err(Fault::Away("no answer".into()));
    assert_eq!(writer.recovered(away(), NOW.after(499)), []);
    assert_eq!(tokens(&writer.recovered(away(), NOW.after(500))), [2]);
    assert!(writer.asks_last());
}

#[test]
fn a_store_that_is_fenced_when_it_comes_back_stops_everything() {
    let mut writer = queued(&[1]);
    writer.next_batch(UNIX_MS).unwrap();
    writer.outcome(went_away());
    writer.push(2, unit(&["juliet@example.com"]), NOW).unwrap();
    let outcomes = writer.recovered(Err(Fault::Fenced), NOW);
    assert_eq!(outcomes, [(1, Err(Fault::Fenced)), (2, Err(Fault::Fenced))]);
    assert!(writer.is_stopped());
}

#[test]
fn a_store_that_stands_elsewhere_is_another_process_s() {
    let mut writer = queued(&[1]);
    writer.next_batch(UNIX_MS).unwrap();
    writer.outcome(went_away());
    let outcomes = writer.recovered(Ok((12, Pos(5))), NOW);
    assert_eq!(outcomes, [(1, Err(Fault::Fenced))]);
    assert!(writer.is_stopped());
}
