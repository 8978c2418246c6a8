//! Whether the clock can be believed. One that has jumped years ahead, by a slip of the operator's
//! or an empty battery, would make everything too old to be kept; and what is removed does not come
//! back when the clock does. So a clock that is ahead of what it said last, and of what has passed
//! since, is believed when it has gone on from there for a day.
//!
//! For how long the server did not run nobody knows but the clock. So what it said first, and has
//! not taken back on any of the days on which the server ran since, is believed when these make a
//! day; what it has said later waits until that is as old. Of a server that runs for an hour now
//! and then things are removed late, but they are.

/// So far ahead it may be: by a correction, or after a night in which the server did not run.
const AHEAD_MS: u64 = 24 * 3_600_000;
/// So long one that is further ahead is doubted, while the server runs.
const DOUBTED_MS: u64 = 24 * 3_600_000;

/// What is believed of the clock, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// What it was.
    believed: u64,
    /// What it says at least, if that is not believed, and for how long it has said so.
    ahead: Option<(u64, u64)>,
}

impl Doubt {
    /// It was this late at least.
    pub(super) fn new(believed: u64) -> Self {
        Self { believed, ahead: None }
    }

    /// Whether it is doubted.
    pub(super) fn is_ahead(&self) -> bool {
        self.ahead.is_some()
    }

    /// The clock says this, and so much has passed since it was asked last, when it said `before`
    /// to this process: what time it is taken to be. Behind what it said before it is believed:
    /// nothing is removed too early.
    pub(super) fn judge(&mut self, clock: u64, before: Option<u64>, passed: u64) -> u64 {
        let expected = self.believed.saturating_add(passed);
        if clock <= expected.saturating_add(AHEAD_MS) {
            *self = Self::new(clock);
            return clock;
        }
        let is_off = |said: u64| clock.abs_diff(said.saturating_add(passed)) > AHEAD_MS;
        let (said, doubted) = match self.ahead {
            Some((said, doubted)) if !before.is_some_and(is_off) => {
                (said.saturating_add(passed), doubted.saturating_add(passed))
            }
            _ => (clock, 0),
        };
        *self = match said {
            // It takes that back.
            _ if clock.saturating_add(AHEAD_MS) < said => Self::doubting(expected, clock),
            _ if doubted < DOUBTED_MS => Self { believed: expected, ahead: Some((said, doubted)) },
            _ if clock <= said.saturating_add(AHEAD_MS) => Self::new(clock),
            _ => Self::doubting(said, clock),
        };
        self.believed
    }

    fn doubting(believed: u64, clock: u64) -> Self {
        Self { believed, ahead: Some((clock, 0)) }
    }

    /// As the store has it.
    pub(super) fn save(&self) -> Vec<u8> {
        let (said, doubted) = self.ahead.unwrap_or_default();
        [self.believed, said, doubted].into_iter().flat_map(u64::to_be_bytes).collect()
    }

    /// What was saved.
    pub(super) fn load(saved: &[u8]) -> Option<Self> {
        let (words, rest) = saved.as_chunks::<8>();
        let words: Vec<_> = words.iter().map(|word| u64::from_be_bytes(*word)).collect();
        let [believed, said, doubted] = words[..] else { return None };
        let ahead = Some((said, doubted)).filter(|(said, _)| *said > 0);
        rest.is_empty().then_some(Self { believed, ahead })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const YEAR: u64 = 365 * 24 * HOUR;
    const NOW: u64 = 1_795_000_000_000;

    /// Hours that pass, the clock being so much ahead; what time it is taken to be at the end.
    fn hours(doubt: &mut Doubt, count: u64, clock: &mut u64) -> u64 {
        hours_since(None, doubt, count, clock)
    }

    /// The same, in a process that has asked the clock before.
    fn hours_since(mut before: Option<u64>, doubt: &mut Doubt, count: u64, clock: &mut u64) -> u64 {
        let mut judged = 0;
        for _ in 0..count {
            *clock += HOUR;
            judged = doubt.judge(*clock, before, HOUR);
            before = Some(*clock);
            assert_eq!(Doubt::load(&doubt.save()), Some(*doubt), "it may be another process");
        }
        judged
    }

    #[test]
    fn a_clock_that_goes_on_is_believed() {
        let (mut doubt, mut clock) = (Doubt::new(NOW), NOW);
        assert_eq!(hours(&mut doubt, 100, &mut clock), NOW + 100 * HOUR);
        // Summer time of who has set it so, and back.
        clock += HOUR;
        assert_eq!(hours(&mut doubt, 1, &mut clock), clock);
        clock -= 3 * HOUR;
        assert_eq!(hours(&mut doubt, 1, &mut clock), clock);
        assert!(!doubt.is_ahead());
    }

    #[test]
    fn f_clk_one_that_has_jumped_ahead_is_not() {
        let (mut doubt, mut clock) = (Doubt::new(NOW), NOW + YEAR);
        assert_eq!(hours(&mut doubt, 24, &mut clock), NOW + 24 * HOUR);
        assert!(doubt.is_ahead());
        // It is set right.
        clock -= YEAR;
        assert_eq!(hours(&mut doubt, 1, &mut clock), NOW + 25 * HOUR);
        assert!(!doubt.is_ahead());
        // It jumps about.
        for _ in 0..100 {
            let before = Some(clock);
            clock += YEAR;
            let judged = hours_since(before, &mut doubt, 1, &mut clock);
            assert!(judged < NOW + 200 * HOUR, "{judged}");
        }
    }

    #[test]
    fn one_that_goes_on_from_there_for_a_day_is_believed() {
        // The server was not running for a year.
        let (mut doubt, mut clock) = (Doubt::new(NOW), NOW + YEAR);
        assert_eq!(hours(&mut doubt, 25, &mut clock), NOW + YEAR + 25 * HOUR);
        assert!(!doubt.is_ahead());
        assert_eq!(hours(&mut doubt, 1, &mut clock), NOW + YEAR + 26 * HOUR);
    }

    #[test]
    fn of_a_server_that_runs_rarely_it_is_believed_late() {
        let (mut doubt, mut clock) = (Doubt::new(NOW), NOW);
        let mut seen = Vec::new();
        for week in 0..100 {
            clock += 7 * 24 * HOUR;
            let judged = hours(&mut doubt, 2, &mut clock);
            seen.push(clock);
            assert!(judged <= clock);
            // What it said when the server had run for two days less.
            let late: &u64 = seen.iter().rev().nth(25).unwrap_or(&NOW);
            assert!(judged >= *late, "{week}");
        }
    }

    #[test]
    fn f_clk_what_it_takes_back_when_the_server_runs_again_is_not_believed() {
        let mut doubt = Doubt::new(NOW);
        for run in 0..100 {
            // Each time it comes up years ahead, somewhere.
            let mut clock = NOW + YEAR * (20 - run % 20) + run * HOUR;
            let judged = hours(&mut doubt, 1, &mut clock);
            assert!(judged <= NOW + YEAR * 2, "{run}: {judged}");
        }
    }

    #[test]
    fn f_clk_only_what_it_has_said_for_a_day_is_believed() {
        let (mut doubt, mut clock) = (Doubt::new(NOW), NOW);
        clock += 30 * 24 * HOUR;
        hours(&mut doubt, 20, &mut clock);
        // Now it is wrong.
        clock += 9 * YEAR;
        let judged = hours(&mut doubt, 24, &mut clock);
        assert!((NOW + 30 * 24 * HOUR..NOW + 40 * 24 * HOUR).contains(&judged), "{judged}");
        // And is set right.
        clock -= 9 * YEAR;
        assert_eq!(hours(&mut doubt, 1, &mut clock), clock);
    }

    #[test]
    fn what_was_not_saved_by_us_is_not_read() {
        let saved = Doubt::new(NOW).save();
        assert_eq!(Doubt::load(&saved[1..]), None);
        assert_eq!(Doubt::load(&[&saved[..], &[0]].concat()), None);
        assert_eq!(Doubt::load(b""), None);
    }
}
