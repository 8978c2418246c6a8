//! Log lines: on standard error, for people or for machines.

use crate::settings::{LogFormat, Settings};
use anyhow::Context;
use std::io::{IsTerminal, stderr};
use tracing_subscriber::{
    EnvFilter, Registry, filter::LevelFilter, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

/// Swaps the level while the server runs.
pub struct Level(reload::Handle<EnvFilter, Registry>);

/// Begins to log.
///
/// # Errors
/// `log.level` is not one.
pub fn start(settings: &Settings) -> anyhow::Result<Level> {
    let (filter, handle) = reload::Layer::new(filter(settings)?);
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr);
    let human = match settings.log_format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    match human {
        true => registry.with(lines.with_ansi(stderr().is_terminal())).init(),
        false => registry.with(lines.json().flatten_event(true)).init(),
    }
    Ok(Level(handle))
}

impl Level {
    /// Takes the level of these settings.
    ///
    /// # Errors
    /// `log.level` is not one.
    pub fn swap(&self, settings: &Settings) -> anyhow::Result<()> {
        Ok(self.0.reload(filter(settings)?)?)
    }
}

fn filter(settings: &Settings) -> anyhow::Result<EnvFilter> {
    let level = &settings.log_level;
    EnvFilter::try_new(level).with_context(|| format!("log.level = {level:?} is not a level"))
}

/// Whether something can be `log.level`: a level, or levels of modules (`net=debug,info`). A word
/// that is neither would be taken for a module of which all is wanted, and nothing of all others.
pub fn is_level(level: &str) -> bool {
    let is_one = |part: &str| !part.is_empty() && part.parse::<LevelFilter>().is_ok();
    let is_word = |part: &str| part.contains('=') || is_one(part.trim());
    level.split(',').all(is_word) && EnvFilter::try_new(level).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_would_silence_everything() {
        for level in ["info", "WARN", "off", "net=debug,info", "net::story=trace, warn"] {
            assert!(is_level(level), "{level}");
        }
        for wrong in ["warning", "verbose", "notice", "", "info,loud", "net=loud"] {
            assert!(!is_level(wrong), "{wrong}");
        }
    }
}
