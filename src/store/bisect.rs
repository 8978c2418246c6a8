//! Finds the units of a batch that the database refuses. A value: the adapter tries a range,
//! and says when it was refused.

use std::ops::Range;

/// The ranges still to be written, in order.
pub(crate) struct Bisect {
    /// The next one last.
    ranges: Vec<Range<usize>>,
}

impl Bisect {
    /// Of a batch of so many units.
    pub(crate) fn of(units: usize) -> Self {
        Self { ranges: Vec::from_iter(std::iter::once(0..units)) }
    }

    /// The range to try next; `None` when all is written or refused.
    pub(crate) fn next(&mut self) -> Option<Range<usize>> {
        self.ranges.pop().filter(|range| !range.is_empty())
    }

    /// This range was undone, and is tried again as it is.
    pub(crate) fn again(&mut self, range: Range<usize>) {
        self.ranges.push(range);
    }

    /// This range was refused and undone. Returns the unit that is to blame, if it is known;
    /// else the halves are tried.
    pub(crate) fn refused(&mut self, range: Range<usize>) -> Option<usize> {
        if range.len() == 1 {
            return Some(range.start);
        }
        let middle = range.start + range.len() / 2;
        self.ranges.push(middle..range.end);
        self.ranges.push(range.start..middle);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_unit_is_found_and_every_good_one_written_once_in_order() {
        let bad = [0, 6, 7, 99];
        let mut bisect = Bisect::of(100);
        let (mut written, mut blamed, mut tries) = (Vec::new(), Vec::new(), 0);
        while let Some(range) = bisect.next() {
            tries += 1;
            if !bad.iter().any(|unit| range.contains(unit)) {
                written.extend(range);
                continue;
            }
            blamed.extend(bisect.refused(range));
        }
        assert_eq!(blamed, bad);
        assert_eq!(written, (0..100).filter(|unit| !bad.contains(unit)).collect::<Vec<_>>());
        assert!(tries < 50, "{tries} tries are not bisecting");
    }

    #[test]
    fn an_empty_batch_has_nothing_to_try() {
        assert_eq!(Bisect::of(0).next(), None);
    }
}
