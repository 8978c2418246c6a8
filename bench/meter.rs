//! What a stretch of time cost: the server, and the load generator itself.

use std::time::Instant;

use anyhow::Result;

use crate::process::{Watched, own_cpu_micros};

/// A reading of all clocks.
pub struct Reading {
    at: Instant,
    cpu_micros: Option<u64>,
    own_cpu_micros: u64,
}

/// The difference between two readings.
pub struct Spent {
    pub seconds: f64,
    cpu_micros: Option<u64>,
    own_cpu_micros: u64,
}

impl Reading {
    /// Reads now.
    ///
    /// # Errors
    /// When a watched process has ended.
    pub fn take(watched: &Watched) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            cpu_micros: watched.cpu_micros()?,
            own_cpu_micros: own_cpu_micros()?,
        })
    }

    /// What was spent from this reading to `later`.
    pub fn until(&self, later: &Self) -> Spent {
        let cpu_micros = later.cpu_micros.zip(self.cpu_micros);
        Spent {
            seconds: (later.at - self.at).as_secs_f64(),
            cpu_micros: cpu_micros.map(|(after, before)| after.saturating_sub(before)),
            own_cpu_micros: later.own_cpu_micros - self.own_cpu_micros,
        }
    }
}

impl Spent {
    /// CPU-µs of the watched processes for each of `units`; None when nothing was watched.
    pub fn cpu_us_per(&self, units: u64) -> Option<f64> {
        self.cpu_micros.map(|micros| rounded(micros as f64 / units.max(1) as f64))
    }

    /// CPU-µs of the load generator for each of `units`.
    pub fn own_cpu_us_per(&self, units: u64) -> f64 {
        rounded(self.own_cpu_micros as f64 / units.max(1) as f64)
    }

    /// Units per second.
    pub fn rate(&self, units: u64) -> f64 {
        rounded(units as f64 / self.seconds)
    }
}

/// To one decimal, so that a line of figures can be read.
pub fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
