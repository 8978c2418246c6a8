//! What is said in a room, as its occupants hear it: the same for all, once each, in one order.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::Instant;

use crate::latency::Latencies;
use crate::message::Mark;

/// All occupants hear what the first of them to hear it made the next.
pub struct Floor {
    run: u32,
    started: Instant,
    occupants: u32,
    /// In the order in which it was heard, and by how many.
    heard: Vec<(Mark, u32)>,
    /// How much of it each occupant has heard.
    ears: Vec<usize>,
    /// What each sender has sent, and how much of that was heard.
    senders: HashMap<u16, (u64, u64)>,
    /// Copies that occupants have heard.
    pub deliveries: u64,
    /// Messages that all have heard.
    pub complete: u64,
    /// Times from when they were sent to when the last had heard them, of those sent since …
    pub latencies: Latencies,
    measured_from: Instant,
    last_arrival: Instant,
}

impl Floor {
    /// Nobody has said anything.
    pub fn new(run: u32, occupants: u32, started: Instant) -> Self {
        Self {
            run,
            started,
            occupants,
            heard: Vec::new(),
            ears: vec![0; occupants as usize],
            senders: HashMap::new(),
            deliveries: 0,
            complete: 0,
            latencies: Latencies::default(),
            measured_from: started,
            last_arrival: started,
        }
    }

    /// What is sent from now on is measured.
    pub fn measure_from(&mut self, now: Instant) {
        self.measured_from = now;
    }

    /// The mark of what this sender is about to say; it counts from `due`.
    pub fn says(&mut self, sender: u16, due: Instant) -> Mark {
        let sent = &mut self.senders.entry(sender).or_default().0;
        let sequence = *sent;
        *sent += 1;
        let sent_us = due.saturating_duration_since(self.started).as_micros() as u64;
        Mark { run: self.run, pair: sender, sequence, sent_us }
    }

    /// An occupant hears this. True when it is the last to.
    ///
    /// # Errors
    /// When it is not what comes next, for it or for all.
    pub fn hears(&mut self, occupant: usize, mark: Mark) -> Result<bool> {
        if mark.run != self.run {
            return Ok(false);
        }
        let place = self.ears[occupant];
        if place == self.heard.len() {
            let (sent, next) = self.senders.entry(mark.pair).or_default();
            ensure!(mark.sequence < *sent, "occupant {occupant} hears {mark:?}, never sent");
            ensure!(mark.sequence == *next, "occupant {occupant} hears {mark:?}, not {next}");
            *next += 1;
            self.heard.push((mark, 0));
        }
        let (expected, count) = &mut self.heard[place];
        ensure!(*expected == mark, "occupant {occupant} hears {mark:?}, others {expected:?}");
        *count += 1;
        self.ears[occupant] += 1;
        self.deliveries += 1;
        self.last_arrival = Instant::now();
        let is_last = *count == self.occupants;
        if is_last {
            self.complete += 1;
            let sent = self.started + Duration::from_micros(mark.sent_us);
            if sent >= self.measured_from {
                let took = self.last_arrival.saturating_duration_since(sent);
                self.latencies.note(took.as_micros() as u64);
            }
        }
        Ok(is_last)
    }

    /// Since when nobody has heard anything.
    pub fn silence(&self) -> Duration {
        self.last_arrival.elapsed()
    }

    /// Messages that were sent.
    pub fn sent(&self) -> u64 {
        self.senders.values().map(|(sent, _)| sent).sum()
    }

    /// Copies that nobody has heard.
    pub fn lost(&self) -> u64 {
        self.sent() * u64::from(self.occupants) - self.deliveries
    }

    /// The last messages, oldest first.
    pub fn last(&self, count: usize) -> Vec<Mark> {
        let from = self.heard.len().saturating_sub(count);
        self.heard[from..].iter().map(|(mark, _)| *mark).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two occupants, who say one thing each.
    fn floor() -> (Floor, Mark, Mark) {
        let mut floor = Floor::new(7, 2, Instant::now());
        let (one, other) = (floor.says(0, Instant::now()), floor.says(1, Instant::now()));
        (floor, one, other)
    }

    #[test]
    fn what_all_have_heard_in_one_order_is_complete() {
        let (mut floor, one, other) = floor();
        for (occupant, mark, is_last) in
            [(0, other, false), (0, one, false), (1, other, true), (1, one, true)]
        {
            assert_eq!(floor.hears(occupant, mark).expect("it is next"), is_last);
        }
        assert_eq!((floor.complete, floor.deliveries, floor.lost()), (2, 4, 0));
        assert_eq!(floor.last(1), [one]);
        assert_eq!(floor.last(9), [other, one]);
    }

    #[test]
    fn what_was_not_heard_is_lost() {
        let (mut floor, one, _) = floor();
        floor.hears(0, one).expect("it is next");
        assert_eq!((floor.complete, floor.lost()), (0, 3));
    }

    #[test]
    fn another_order_a_second_copy_a_gap_and_what_was_never_sent_are_told() {
        let (mut floor, one, other) = floor();
        let next = floor.says(0, Instant::now());
        floor.hears(0, one).expect("it is next");
        assert!(floor.hears(1, other).is_err(), "another order");
        assert!(floor.hears(0, one).is_err(), "a second copy");
        assert!(floor.hears(0, Mark { sequence: 9, ..next }).is_err(), "never sent");
        floor.hears(0, other).expect("it is next");
        assert!(floor.hears(0, Mark { sent_us: 5, ..other }).is_err(), "a second copy");
        floor.says(0, Instant::now());
        assert!(floor.hears(0, Mark { sequence: 2, ..next }).is_err(), "a gap");
    }

    #[test]
    fn what_another_run_has_left_is_passed_over() {
        let (mut floor, one, _) = floor();
        assert!(!floor.hears(0, Mark { run: 8, ..one }).expect("it is not ours"));
        assert_eq!(floor.deliveries, 0);
    }
}
