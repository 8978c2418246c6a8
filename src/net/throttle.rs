//! How many accounts strangers may make within an hour.

use crate::clock::unix_ms;
use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// What is counted together, and forgotten together.
const SPAN_MS: u64 = 600_000;
/// Spans that are counted: the present one and those that an hour before now can have touched. So
/// no hour, wherever it begins, has more than the maxima; what counts is at most 70 minutes old.
const SPANS: u64 = 7;

/// What has been made lately. It never holds more addresses than may make accounts in that time.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Lately>);

/// Spans, oldest first.
#[derive(Debug, Default)]
struct Lately(VecDeque<Span>);

#[derive(Debug, Default)]
struct Span {
    number: u64,
    all: u64,
    peers: HashMap<IpAddr, u64>,
}

impl Throttle {
    /// Whether one more may be made, of `all` and `per_peer` (0: any number); counted when it may.
    pub(crate) fn admits(&self, peer: Option<IpAddr>, maxima: (u64, u64)) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admits(unix_ms(), peer, maxima)
    }
}

impl Lately {
    fn admits(&mut self, unix_ms: u64, peer: Option<IpAddr>, (all, per_peer): (u64, u64)) -> bool {
        let now = unix_ms / SPAN_MS;
        // After a clock that was put back nothing counts for longer than it would have.
        self.0.retain(|span| span.number <= now && now - span.number < SPANS);
        let of_peer = |span: &Span| peer.and_then(|peer| span.peers.get(&peer)).copied();
        let by_all: u64 = self.0.iter().map(|span| span.all).sum();
        let by_peer: u64 = self.0.iter().filter_map(of_peer).sum();
        if by_all >= all || (1..=by_peer).contains(&per_peer) {
            return false;
        }
        if self.0.back().is_none_or(|span| span.number != now) {
            self.0.push_back(Span { number: now, ..Span::default() });
        }
        if let Some(span) = self.0.back_mut() {
            span.all += 1;
            peer.into_iter().for_each(|peer| *span.peers.entry(peer).or_default() += 1);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    #[test]
    fn within_an_hour_all_together_and_each_address_are_bounded() {
        let mut lately = Lately::default();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().ok());
        let mut admits = |ms, peer| lately.admits(ms, peer, (3, 2));
        assert_eq!([one, one, one].map(|peer| admits(5, peer)), [true, true, false]);
        assert_eq!([other, other].map(|peer| admits(6, peer)), [true, false], "three are all");
        assert!(admits(HOUR_MS + SPAN_MS, other), "another hour");
        let held: usize = lately.0.iter().map(|span| span.peers.len()).sum();
        assert_eq!(held, 1);
    }

    #[test]
    fn where_all_come_from_one_address_only_all_are_bounded() {
        let mut lately = Lately::default();
        let peer = "192.0.2.1".parse().ok();
        let admitted = (0..9).filter(|_| lately.admits(5, peer, (7, 0))).count();
        assert_eq!(admitted, 7);
    }

    #[test]
    fn no_hour_has_more_wherever_it_begins() {
        let mut lately = Lately::default();
        let mut made = Vec::new();
        for minute in 0..600 {
            let ms = minute * 60_000 + 59_999;
            made.extend(lately.admits(ms, None, (5, 1)).then_some(ms));
        }
        for begin in &made {
            let hour = made.iter().filter(|ms| (*begin..begin + HOUR_MS).contains(ms));
            assert!(hour.count() <= 5, "{made:?}");
        }
        assert!(made.len() >= 5 * 600 / 70, "and it goes on: {made:?}");
    }
}
