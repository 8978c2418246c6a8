//! What an operator may choose about a XEP: a key of the table `[xep.NNNN]`.

use crate::settings::Settings;
use std::fmt;

/// One choice. Hung up with `Hook::Setting`, read with `Settings::number`, `choice`, `texts`.
#[derive(Debug)]
pub struct Setting {
    /// 77 for XEP-0077.
    pub xep: u16,
    /// Its key in the XEP's table.
    pub key: &'static str,
    /// What it can be, and what it is when nothing is said.
    pub kind: Kind,
    /// For the operator: a sentence.
    pub doc: &'static str,
}

/// What a setting can be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A whole number between two, both included.
    Number {
        /// When nothing is said.
        default: u64,
        /// The least.
        from: u64,
        /// The greatest.
        to: u64,
    },
    /// One of these strings; the first when nothing is said.
    Choice(&'static [&'static str]),
    /// A list of strings, empty when nothing is said.
    Texts {
        /// What each of them is: "an address such as …".
        each: &'static str,
        /// Whether a string is that.
        is: fn(&str) -> bool,
    },
}

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of a `Kind::Number`.
    Number(u64),
    /// Of a `Kind::Choice`.
    Choice(String),
    /// Of a `Kind::Texts`.
    Texts(Vec<String>),
}

impl Setting {
    /// Whether this may be chosen.
    ///
    /// # Errors
    /// What it must be.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let good = match (self.kind, value) {
            (Kind::Number { from, to, .. }, Value::Number(number)) => (from..=to).contains(number),
            (Kind::Choice(of), Value::Choice(choice)) => of.contains(&choice.as_str()),
            (Kind::Texts { is, .. }, Value::Texts(texts)) => {
                return match texts.iter().find(|text| !is(text)) {
                    Some(bad) => Err(format!("{}, not {bad:?}", self.kind)),
                    None => Ok(()),
                };
            }
            _ => false,
        };
        if good { Ok(()) } else { Err(self.kind.to_string()) }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { from, to, .. } => write!(f, "a number from {from} to {to}"),
            Self::Choice(of) => write!(f, "one of: {}", of.join(", ")),
            Self::Texts { each, .. } => write!(f, "a list of strings, each {each}"),
        }
    }
}

impl Settings {
    /// The number that was chosen.
    pub fn number(&self, of: &Setting) -> u64 {
        match (self.chosen.get(&(of.xep, of.key)), of.kind) {
            (Some(Value::Number(number)), _) => *number,
            (_, Kind::Number { default, .. }) => default,
            _ => 0,
        }
    }

    /// The string that was chosen.
    pub fn choice(&self, of: &Setting) -> &str {
        match (self.chosen.get(&(of.xep, of.key)), of.kind) {
            (Some(Value::Choice(choice)), _) => choice,
            (_, Kind::Choice(of)) => of.first().copied().unwrap_or_default(),
            _ => "",
        }
    }

    /// The strings that were listed.
    pub fn texts(&self, of: &Setting) -> &[String] {
        match self.chosen.get(&(of.xep, of.key)) {
            Some(Value::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// Chooses; for tests and simulations. A file is checked before.
    pub fn choose(&mut self, of: &Setting, value: Value) {
        self.chosen.insert((of.xep, of.key), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Bare;

    const HOURS: Setting = Setting {
        xep: 1,
        key: "hours",
        kind: Kind::Number { default: 8, from: 1, to: 24 },
        doc: "How long.",
    };
    const WHEN: Setting =
        Setting { xep: 1, key: "when", kind: Kind::Choice(&["never", "always"]), doc: "When." };
    const WHOM: Setting = Setting {
        xep: 1,
        key: "whom",
        kind: Kind::Texts { each: "an address", is: |text| text.contains('@') },
        doc: "Whom.",
    };

    #[test]
    fn what_was_not_chosen_is_the_default() {
        let mut settings = Settings::of(vec![Bare::host("x").unwrap()], [0; 32]);
        assert_eq!(settings.number(&HOURS), 8);
        assert_eq!(settings.choice(&WHEN), "never");
        assert!(settings.texts(&WHOM).is_empty());
        settings.choose(&HOURS, Value::Number(3));
        settings.choose(&WHEN, Value::Choice("always".into()));
        settings.choose(&WHOM, Value::Texts(vec!["a@b".into()]));
        assert_eq!(settings.number(&HOURS), 3);
        assert_eq!(settings.choice(&WHEN), "always");
        assert_eq!(settings.texts(&WHOM), ["a@b"]);
    }

    #[test]
    fn what_may_not_be_chosen_says_what_must() {
        let wrong = |of: &Setting, value| of.check(&value).unwrap_err();
        assert_eq!(HOURS.check(&Value::Number(24)), Ok(()));
        assert_eq!(wrong(&HOURS, Value::Number(25)), "a number from 1 to 24");
        assert_eq!(wrong(&HOURS, Value::Choice("x".into())), "a number from 1 to 24");
        assert_eq!(WHEN.check(&Value::Choice("always".into())), Ok(()));
        assert_eq!(wrong(&WHEN, Value::Choice("often".into())), "one of: never, always");
        assert_eq!(WHOM.check(&Value::Texts(vec!["a@b".into()])), Ok(()));
        let bad = wrong(&WHOM, Value::Texts(vec!["a@b".into(), "c".into()]));
        assert_eq!(bad, "a list of strings, each an address, not \"c\"");
        assert!(wrong(&WHOM, Value::Number(1)).contains("a list of strings"));
    }
}
