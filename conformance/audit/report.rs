//! What a run comes to, in a few lines for people.

use super::{check::Wrong, crowd::Outcome};
use std::{fmt, time::Duration};

/// Findings that are printed; the history has all.
const FINDINGS_MAX: usize = 20;

/// The figures of a run.
pub struct Report {
    /// What was run.
    pub title: String,
    /// How often something was done to the server.
    pub faults: u32,
    /// From the start of a process to its word that it is ready, after each fault.
    pub ready: Vec<Duration>,
    /// What a fault adds: names and values.
    pub more: Vec<(String, String)>,
    /// What the devices lived through.
    pub outcome: Outcome,
}

impl Report {
    /// Whether the server has done nothing wrong.
    pub fn is_clean(&self) -> bool {
        self.outcome.verdict.is_clean()
    }

    /// How long all but one in a hundred waited for the acknowledgement of what they sent.
    pub fn ack_p99(&self) -> Duration {
        Duration::from_micros(at(&self.outcome.acks_us, 99))
    }

    /// How many of the sessions that were to be resumed were, in percent.
    pub fn resumed_percent(&self) -> f64 {
        let (resumed, renewed) = (self.outcome.verdict.resumed, self.outcome.verdict.renewed);
        100.0 * resumed as f64 / ((resumed + renewed).max(1)) as f64
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = &self.outcome.verdict;
        let count = |wrong| verdict.count(wrong);
        writeln!(f, "{}", self.title)?;
        let mut ready: Vec<_> = self.ready.iter().map(Duration::as_millis).collect();
        ready.sort_unstable();
        let took = |all: &[u64]| {
            let [median, most_of, most] = [50, 99, 100].map(|share| at(all, share) / 1000);
            format!("median {median}, p99 {most_of}, most {most}")
        };
        let lines = [
            ("faults", format!("{}", self.faults)),
            ("sent", format!("{}, {} of them again", verdict.sent, verdict.retried)),
            ("acked", format!("{}, refused {}", verdict.acked, verdict.refused)),
            ("lost", format!("{}", count(Wrong::Lost))),
            ("duplicates", format!("{}", count(Wrong::Duplicate))),
            ("reorders", format!("{}", count(Wrong::Reorder))),
            ("repeats", format!("{}, late {}", verdict.repeats, verdict.late_repeats)),
            ("missed", format!("{}", count(Wrong::Missed))),
            ("torn", format!("{}", count(Wrong::Torn))),
            ("misnamed", format!("{}", count(Wrong::Misnamed))),
            ("refused and kept", format!("{}", count(Wrong::Contradiction))),
            ("forgotten", format!("{}", count(Wrong::Forgotten))),
            ("ghosts", format!("{}, unlisted {}", count(Wrong::Ghost), count(Wrong::Unlisted))),
            ("protocol", format!("{}", count(Wrong::Protocol))),
            ("arrived", format!("{}, fetched {}", verdict.received, verdict.fetched)),
            ("both", format!("{} arrived that had been fetched", verdict.overlaps)),
            ("rows", format!("{}", verdict.rows)),
            ("rooms", format!("entries {}, orders {}", verdict.entries, verdict.orders)),
            ("banned", format!("{} tries to enter", verdict.pushes)),
            ("echoes", format!("{}", verdict.echoes)),
            ("behind", format!("{}, stale {}", verdict.behind, verdict.stale)),
            ("ready ms", format!("median {}, most {}", at(&ready, 50), at(&ready, 100))),
            ("resumed", format!("{:.1} %, {} not", self.resumed_percent(), verdict.renewed)),
            ("reconnect ms", took(&self.outcome.reconnects_us)),
            ("ack ms", took(&self.outcome.acks_us)),
        ];
        let more = self.more.iter().map(|(name, value)| (name.as_str(), value.clone()));
        for (name, value) in lines.into_iter().chain(more) {
            writeln!(f, "  {name:<16} {value}")?;
        }
        for finding in verdict.findings.iter().take(FINDINGS_MAX) {
            writeln!(f, "  {:?}: {}", finding.wrong, finding.why)?;
        }
        if !verdict.is_clean() {
            writeln!(f, "  the history is kept in {}", self.outcome.kept.display())?;
        }
        Ok(())
    }
}

/// The value below which this share of all sorted values is, in percent.
fn at<T: Copy + Default>(sorted: &[T], percent: usize) -> T {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<u64> = (1..=100).collect();
        assert_eq!((at(&values, 50), at(&values, 99), at(&values, 100)), (50, 99, 100));
        assert_eq!((at(&values[..1], 50), at::<u64>(&[], 99)), (1, 0));
    }
}
