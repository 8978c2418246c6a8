//! What a workload came to.

use anyhow::Result;
use serde::Serialize;

/// One line of figures, and whether they are fit to be quoted.
pub struct Outcome {
    /// JSON, without a line break.
    pub line: String,
    /// False when a message was lost, duplicated, reordered, or a connection was dropped.
    pub passed: bool,
}

impl Outcome {
    /// Figures of a run without fault.
    ///
    /// # Errors
    /// When they cannot be written as JSON.
    pub fn passed(figures: &impl Serialize) -> Result<Self> {
        Self::judged(figures, true)
    }

    /// Figures of a run that may have had faults.
    ///
    /// # Errors
    /// When they cannot be written as JSON.
    pub fn judged(figures: &impl Serialize, passed: bool) -> Result<Self> {
        Ok(Self { line: serde_json::to_string(figures)?, passed })
    }
}
