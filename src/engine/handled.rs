//! How far an account has got with what one of its streams said.

use std::collections::BTreeSet;

/// Counts what a stream says and what of it has been dealt with. The count that may be told
/// (XEP-0198 §4) has no gap: it stops before the first that has not.
#[derive(Clone, Debug, Default)]
pub struct Handled {
    said: u64,
    settled: u64,
    /// Settled before one that came earlier. At most the credit of a stream.
    ahead: BTreeSet<u64>,
    /// What waits for something else than its commit.
    held: BTreeSet<u64>,
}

impl Handled {
    /// The number of one more that it says, from 1 on.
    pub fn say(&mut self) -> u64 {
        self.said += 1;
        self.said
    }

    /// How many it has said.
    pub fn said(&self) -> u64 {
        self.said
    }

    /// How many have been dealt with, without a gap.
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// Whether all have been.
    pub fn is_done(&self) -> bool {
        self.settled == self.said
    }

    /// This one waits, and what is committed behind it says nothing of it.
    pub fn hold(&mut self, number: u64) {
        self.held.insert(number);
    }

    /// It does not wait any more.
    pub fn release(&mut self, number: u64) {
        self.held.remove(&number);
    }

    /// This one has been dealt with.
    pub fn settle(&mut self, number: u64) {
        self.held.remove(&number);
        if number > self.settled {
            self.ahead.insert(number);
        }
        while self.ahead.first() == Some(&(self.settled + 1)) {
            self.ahead.pop_first();
            self.settled += 1;
        }
    }

    /// How many will have been dealt with when this one is committed: units are committed in
    /// order, but not what waits for something else.
    pub fn covered_by(&self, number: u64) -> u64 {
        self.held.first().map_or(number, |first| number.min(first - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_stops_before_a_gap() {
        let mut handled = Handled::default();
        for number in 1..=4 {
            assert_eq!(handled.say(), number);
        }
        handled.settle(2);
        handled.settle(4);
        assert_eq!((handled.settled(), handled.is_done()), (0, false));
        handled.settle(1);
        assert_eq!(handled.settled(), 2);
        handled.settle(3);
        handled.settle(3);
        assert_eq!((handled.settled(), handled.is_done()), (4, true));
    }

    #[test]
    fn a_commit_says_nothing_of_what_waits_for_something_else() {
        let mut handled = Handled::default();
        assert_eq!((0..5).map(|_| handled.say()).max(), Some(5));
        assert_eq!(handled.covered_by(3), 3);
        handled.hold(2);
        assert_eq!((handled.covered_by(1), handled.covered_by(5)), (1, 1));
        handled.release(2);
        assert_eq!(handled.covered_by(5), 5);
        handled.hold(4);
        handled.settle(4);
        assert_eq!(handled.covered_by(5), 5);
    }
}
