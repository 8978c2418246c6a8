//! What `waxwing check` says: one line for each thing it has looked at.

use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, but not for long, not for all or not as well as it could.
    Warning,
    /// Somebody who does as the standards say does not get in, or data is in danger.
    Problem,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What has been looked at.
    pub what: &'static str,
    /// What is so.
    pub found: String,
    /// What to do about it; empty: nothing.
    pub mend: String,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

impl Finding {
    /// All is well.
    pub fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self { level: Level::Ok, what, found: found.into(), mend: String::new() }
    }

    /// See [`Level::Warning`].
    pub fn warning(what: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level: Level::Warning, what, found: found.into(), mend: mend.into() }
    }

    /// See [`Level::Problem`].
    pub fn problem(what: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level: Level::Problem, what, found: found.into(), mend: mend.into() }
    }

    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        let Self { level, what, found, mend } = self;
        serde_json::json!({ "level": level.word(), "what": what, "found": found, "mend": mend })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, what, found, mend } = self;
        write!(f, "{:<8} {what:<12} {found}", level.word())?;
        match mend.as_str() {
            "" => Ok(()),
            mend => write!(f, "; {mend}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_of_level_subject_and_remedy() {
        let found = Finding::problem("port", "taken", "stop the other");
        assert_eq!(found.to_string(), "problem  port         taken; stop the other");
        assert_eq!(Finding::ok("port", "free").to_string(), "ok       port         free");
        assert_eq!(
            found.json().to_string(),
            r#"{"found":"taken","level":"problem","mend":"stop the other","what":"port"}"#
        );
    }
}
