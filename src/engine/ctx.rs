//! What every call is told from outside: time, chance, settings.

use crate::{hooks::Hooks, settings::Settings};
use chrono::{DateTime, SecondsFormat};
use std::fmt::Write;

/// Milliseconds of a monotonic clock. Ours, so that a simulator can make one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `ms` milliseconds later.
    pub fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// A source of unpredictable bytes: of the operating system in the shell, seeded in a simulator.
pub trait Random {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// Told to every call. Made anew by the shell for each, from things it owns.
#[derive(Clone, Copy)]
pub struct Ctx<'a> {
    /// For timers and order.
    pub now: Moment,
    /// Milliseconds since 1970, for labels.
    pub unix_ms: u64,
    /// For ids and nonces.
    pub random: &'a dyn Random,
    /// What the operator chose; swapped between two calls on a reload.
    pub settings: &'a Settings,
    /// What the XEPs hung where.
    pub hooks: &'a Hooks,
}

impl Ctx<'_> {
    /// An unpredictable number, not negative.
    pub fn number(&self) -> i64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        i64::from_be_bytes(bytes) & i64::MAX
    }

    /// An unpredictable word of 160 bits, 40 hexadecimal digits.
    pub fn token(&self) -> String {
        let mut bytes = [0; 20];
        self.random.fill(&mut bytes);
        bytes.iter().fold(String::with_capacity(40), |mut word, byte| {
            write!(word, "{byte:02x}").expect("writing to a String cannot fail");
            word
        })
    }
}

/// A date as XEP-0082 §3.2 has it, in UTC, to the second; `unix_ms` since 1970.
pub fn date_time(unix_ms: u64) -> String {
    // What chrono cannot express lies 260,000 years ahead.
    let ms = i64::try_from(unix_ms).ok();
    let at = ms.and_then(DateTime::from_timestamp_millis).unwrap_or(DateTime::UNIX_EPOCH);
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
