//! Is what arrives what was sent: once each, in order?

use std::collections::BTreeSet;

use serde::Serialize;

/// Watches one sender's sequence numbers (0, 1, 2 …) at its receiver.
#[derive(Default)]
pub struct Order {
    /// The lowest number not yet passed.
    next: u64,
    /// Numbers below `next` that have not arrived.
    missing: BTreeSet<u64>,
    received: u64,
    duplicated: u64,
    reordered: u64,
    unsent: u64,
}

/// What a watch came to.
#[derive(Serialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Sent and never arrived.
    pub lost: u64,
    /// Arrivals of a number that had arrived before.
    pub duplicated: u64,
    /// Arrivals after a higher number.
    pub reordered: u64,
    /// Arrivals of a number that had not been sent.
    pub unsent: u64,
}

impl Order {
    /// Notes the arrival of `sequence` when the numbers below `sent` are under way.
    /// True if it is the first arrival of that number.
    pub fn arrived(&mut self, sequence: u64, sent: u64) -> bool {
        if sequence >= sent {
            self.unsent += 1;
            return false;
        }
        if sequence >= self.next {
            self.missing.extend(self.next..sequence);
            self.next = sequence + 1;
        } else if self.missing.remove(&sequence) {
            self.reordered += 1;
        } else {
            self.duplicated += 1;
            return false;
        }
        self.received += 1;
        true
    }

    /// How many different numbers have arrived.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The verdict if nothing more arrives of the `sent` numbers.
    pub fn verdict(&self, sent: u64) -> Verdict {
        Verdict {
            lost: sent - self.received,
            duplicated: self.duplicated,
            reordered: self.reordered,
            unsent: self.unsent,
        }
    }
}

impl Verdict {
    /// Nothing lost, duplicated, reordered or made up.
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }

    /// Adds the findings of another watch.
    pub fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.unsent += other.unsent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(arrivals: &[u64], sent: u64) -> Verdict {
        let mut order = Order::default();
        for &sequence in arrivals {
            order.arrived(sequence, sent);
        }
        order.verdict(sent)
    }

    #[test]
    fn a_faithful_sequence_is_clean() {
        assert!(verdict(&[0, 1, 2, 3], 4).is_clean());
    }

    #[test]
    fn a_gap_and_a_missing_tail_are_lost() {
        assert_eq!(verdict(&[0, 2], 4), Verdict { lost: 2, ..Verdict::default() });
    }

    #[test]
    fn a_repeat_is_duplicated_wherever_it_comes() {
        assert_eq!(verdict(&[0, 0, 1, 2, 1], 3), Verdict { duplicated: 2, ..Verdict::default() });
    }

    #[test]
    fn a_late_number_is_reordered_once_and_not_lost() {
        assert_eq!(verdict(&[0, 2, 1, 3], 4), Verdict { reordered: 1, ..Verdict::default() });
    }

    #[test]
    fn a_late_number_that_comes_twice_is_reordered_and_duplicated() {
        let expected = Verdict { reordered: 1, duplicated: 1, ..Verdict::default() };
        assert_eq!(verdict(&[1, 0, 0], 2), expected);
    }

    #[test]
    fn a_number_never_sent_is_told_apart_and_costs_no_memory() {
        let mut order = Order::default();
        assert!(!order.arrived(u64::MAX, 3));
        assert!(order.missing.is_empty());
        assert_eq!(order.verdict(3), Verdict { lost: 3, unsent: 1, ..Verdict::default() });
    }

    #[test]
    fn only_first_arrivals_are_counted() {
        let mut order = Order::default();
        assert!(order.arrived(1, 2));
        assert!(!order.arrived(1, 2));
        assert!(order.arrived(0, 2));
        assert_eq!(order.received(), 2);
    }
}
