//! Times between sending and arrival, and their percentiles.

use serde::Serialize;

/// Every time that was measured, in microseconds (4 bytes each).
#[derive(Default)]
pub struct Latencies {
    micros: Vec<u32>,
}

/// The shares, in percent, at which a distribution is told.
const SHARES: [f64; 13] =
    [1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 100.0];

/// The usual three figures, in milliseconds.
#[derive(Serialize, Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Half of them took no longer.
    pub p50_ms: f64,
    /// 99 in 100 took no longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Latencies {
    /// Notes one time; what exceeds 71 minutes counts as 71 minutes.
    pub fn note(&mut self, micros: u64) {
        self.micros.push(u32::try_from(micros).unwrap_or(u32::MAX));
    }

    /// Takes over what another measured.
    pub fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
    }

    /// So many percent took no longer than so many milliseconds; empty when nothing was measured.
    pub fn distribution(&mut self) -> Vec<(f64, f64)> {
        self.micros.sort_unstable();
        let at = |share: f64| Some((share, millis(percentile(&self.micros, share)?)));
        SHARES.into_iter().filter_map(at).collect()
    }

    /// The summary; None when nothing was measured.
    pub fn summary(mut self) -> Option<Summary> {
        self.micros.sort_unstable();
        Some(Summary {
            p50_ms: millis(percentile(&self.micros, 50.0)?),
            p99_ms: millis(percentile(&self.micros, 99.0)?),
            max_ms: millis(*self.micros.last()?),
        })
    }
}

/// Nearest rank: the smallest value that at least `percent` of all do not exceed.
fn percentile(sorted: &[u32], percent: f64) -> Option<u32> {
    let rank = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

fn millis(micros: u32) -> f64 {
    f64::from(micros) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let hundred: Vec<u32> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 50.0), Some(50));
        assert_eq!(percentile(&hundred, 99.0), Some(99));
        assert_eq!(percentile(&hundred, 100.0), Some(100));
        assert_eq!(percentile(&[15, 20, 35, 40, 50], 30.0), Some(20));
        assert_eq!(percentile(&[7], 1.0), Some(7));
        assert_eq!(percentile(&[], 50.0), None);
    }

    #[test]
    fn a_summary_does_not_depend_on_the_order_of_arrival() {
        let mut latencies = Latencies::default();
        (0..1000u64).for_each(|n| latencies.note((n * 7919 % 1000 + 1) * 1000));
        let expected = Summary { p50_ms: 500.0, p99_ms: 990.0, max_ms: 1000.0 };
        assert_eq!(latencies.summary(), Some(expected));
    }

    #[test]
    fn a_distribution_rises_to_the_longest() {
        let mut latencies = Latencies::default();
        (1..=1000u64).rev().for_each(|millis| latencies.note(millis * 1000));
        let told = latencies.distribution();
        assert!(told.is_sorted());
        assert!(told.contains(&(50.0, 500.0)) && told.contains(&(99.9, 999.0)));
        assert_eq!(told.last(), Some(&(100.0, 1000.0)));
    }

    #[test]
    fn nothing_measured_has_no_summary() {
        assert_eq!(Latencies::default().summary(), None);
        assert!(Latencies::default().distribution().is_empty());
    }

    #[test]
    fn a_time_beyond_the_range_stays_the_largest() {
        let mut latencies = Latencies::default();
        latencies.note(u64::MAX);
        latencies.note(1);
        assert_eq!(latencies.summary().map(|s| s.max_ms > 4_000_000.0), Some(true));
    }
}
