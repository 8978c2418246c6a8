//! What a stretch of time cost: the server, and the load generator itself.

use std::time::Instant;

use anyhow::Result;

use crate::process::{Cpu, Watched, own_cpu_micros};

/// A reading of all clocks.
pub struct Reading {
    at: Instant,
    cpu: Option<Cpu>,
    own_cpu_micros: u64,
}

/// The difference between two readings.
pub struct Spent {
    pub seconds: f64,
    cpu: Option<Cpu>,
    own_cpu_micros: u64,
}

impl Reading {
    /// Reads now.
    ///
    /// # Errors
    /// When a watched process has ended.
    pub fn take(watched: &Watched) -> Result<Self> {
        Ok(Self { at: Instant::now(), cpu: watched.cpu()?, own_cpu_micros: own_cpu_micros()? })
    }

    /// What was spent from this reading to `later`.
    pub fn until(&self, later: &Self) -> Spent {
        let cpu = later.cpu.zip(self.cpu);
        Spent {
            seconds: (later.at - self.at).as_secs_f64(),
            cpu: cpu.map(|(after, before)| after.since(before)),
            own_cpu_micros: later.own_cpu_micros - self.own_cpu_micros,
        }
    }
}

impl Spent {
    /// CPU-µs of the watched processes for each of `units`; None when nothing was watched, or there
    /// were none.
    pub fn cpu_us_per(&self, units: u64) -> Option<f64> {
        self.cpu
            .filter(|_| units > 0)
            .map(|cpu| share(cpu.server_micros + cpu.others_micros, units))
    }

    /// How much of it is not the server's own, but its database's.
    pub fn database_cpu_us_per(&self, units: u64) -> Option<f64> {
        self.cpu.filter(|_| units > 0).map(|cpu| share(cpu.others_micros, units))
    }

    /// CPU-µs of the load generator for each of `units`.
    pub fn own_cpu_us_per(&self, units: u64) -> f64 {
        share(self.own_cpu_micros, units)
    }

    /// Units per second.
    pub fn rate(&self, units: u64) -> f64 {
        rounded(units as f64 / self.seconds)
    }
}

fn share(micros: u64, units: u64) -> f64 {
    rounded(micros as f64 / units.max(1) as f64)
}

/// To one decimal, so that a line of figures can be read.
pub fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
