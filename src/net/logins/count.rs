//! Failures that are forgotten evenly, as a bucket leaks.

/// How many, in which time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Failures that fill it.
    pub(crate) max: u64,
    /// In this time one is forgotten.
    every_ms: u64,
}

impl Pace {
    /// So many are forgotten in this time.
    pub(crate) fn new(max: u64, ms: u64) -> Self {
        let max = max.max(1);
        Self { max, every_ms: (ms / max).max(1) }
    }
}

/// Failures of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// When all are forgotten.
    until: u64,
    /// It has been full, and is so until all are forgotten.
    full: bool,
}

impl Count {
    pub(crate) fn add(&mut self, now: u64, pace: &Pace) {
        let most = now + pace.max * pace.every_ms;
        self.full = self.is_full(now);
        self.until = (self.until.max(now) + pace.every_ms).min(most);
        self.full |= self.level(now, pace) >= pace.max;
    }

    pub(crate) fn is_full(&self, now: u64) -> bool {
        self.full && now < self.until
    }

    /// How many are not forgotten.
    pub(crate) fn level(&self, now: u64, pace: &Pace) -> u64 {
        self.until.saturating_sub(now).div_ceil(pace.every_ms)
    }

    /// How long the next must wait: not before a third of what fills it, then ever longer.
    pub(crate) fn delay(&self, now: u64, pace: &Pace, ms_max: u64) -> u64 {
        let free = pace.max.div_ceil(3);
        let beyond = self.level(now, pace).saturating_sub(free);
        ms_max * beyond / (pace.max - free).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { max: 10, every_ms: 60 };

    fn after(failures: u64) -> Count {
        let mut count = Count::default();
        (0..failures).for_each(|_| count.add(1_000, &PACE));
        count
    }

    #[test]
    fn failures_fill_it_and_are_forgotten_evenly() {
        assert!(!after(9).is_full(1_000));
        let full = after(10);
        assert_eq!(full.level(1_000, &PACE), 10);
        // It is full until all are forgotten, not only the last.
        assert!(full.is_full(1_000 + 599) && !full.is_full(1_000 + 600));
        assert_eq!(full, after(25), "what comes when it is full keeps it so no longer");
        assert_eq!(after(9).level(1_000 + 300, &PACE), 4);
    }

    #[test]
    fn a_trickle_never_fills_it() {
        let mut count = Count::default();
        for number in 0..1_000 {
            count.add(number * 60, &PACE);
            assert!(!count.is_full(number * 60));
        }
    }

    #[test]
    fn delays_begin_at_a_third_and_grow() {
        let delays: Vec<_> = (0..=10).map(|it| after(it).delay(1_000, &PACE, 6_000)).collect();
        assert_eq!(delays, [0, 0, 0, 0, 0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000]);
        let one = Pace::new(1, 600);
        assert_eq!(Count::default().delay(0, &one, 6_000), 0);
    }
}
