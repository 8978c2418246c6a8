//! How many accounts strangers may make in an hour.

use crate::clock::unix_ms;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

const HOUR_MS: u64 = 3_600_000;

/// What has been made in this hour of the clock. It never holds more addresses than may make
/// accounts in one hour.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Hour>);

#[derive(Debug, Default)]
struct Hour {
    number: u64,
    all: u64,
    peers: HashMap<IpAddr, u64>,
}

impl Throttle {
    /// Whether one more may be made, of `all` and `per_peer`; counted when it may.
    pub(crate) fn admits(&self, peer: Option<IpAddr>, maxima: (u64, u64)) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admits(unix_ms(), peer, maxima)
    }
}

impl Hour {
    fn admits(&mut self, unix_ms: u64, peer: Option<IpAddr>, (all, per_peer): (u64, u64)) -> bool {
        let number = unix_ms / HOUR_MS;
        if number != self.number {
            *self = Self { number, ..Self::default() };
        }
        let by_peer = peer.and_then(|peer| self.peers.get(&peer)).copied().unwrap_or_default();
        if self.all >= all || by_peer >= per_peer {
            return false;
        }
        self.all += 1;
        if let Some(peer) = peer {
            self.peers.insert(peer, by_peer + 1);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_an_hour_all_together_and_each_address_are_bounded() {
        let mut hour = Hour::default();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().ok());
        let mut admits = |ms, peer| hour.admits(ms, peer, (3, 2));
        assert_eq!([one, one, one].map(|peer| admits(5, peer)), [true, true, false]);
        assert_eq!([other, other].map(|peer| admits(6, peer)), [true, false], "three are all");
        assert!(admits(HOUR_MS, other), "another hour");
        assert_eq!(hour.peers.len(), 1);
    }
}
