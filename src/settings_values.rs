//! From a file to values that the table allows; every error names its line.

use crate::{
    settings_table::{Kind, Setting, all},
    settings_xeps::{self, Chosen},
};
use std::{collections::BTreeMap, fmt, net::SocketAddr, ops::Range};
use toml::de::{DeTable, DeValue};

/// What a file says, and for the rest the defaults.
#[derive(Debug)]
pub struct Values {
    values: BTreeMap<(&'static str, &'static str), Value>,
    /// Of the tables `[xep.NNNN]`.
    pub xeps: Chosen,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Texts(Vec<String>),
    Number(u64),
}

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    /// From 1; 0 when no line is to blame.
    pub line: usize,
    /// What, and how to mend it.
    pub what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.what),
            line => write!(f, "line {line}: {}", self.what),
        }
    }
}

impl Values {
    /// Checks a file against the table.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(file: &str) -> Result<Self, Wrong> {
        let (mut values, mut xeps) = (defaults(), Chosen::new());
        let line = |at: Range<usize>| 1 + file[..at.start].matches('\n').count();
        let root = DeTable::parse(file).map_err(|error| Wrong {
            line: error.span().map_or(0, line),
            what: error.message().trim().replace('\n', "; "),
        })?;
        for (name, table) in root.get_ref() {
            let wrong = |what| Wrong { line: line(name.span()), what };
            if let ("xep", DeValue::Table(tables)) = (name.get_ref().as_ref(), table.get_ref()) {
                xeps = settings_xeps::read(tables, line)?;
                continue;
            }
            let section = section(name.get_ref()).map_err(wrong)?;
            let DeValue::Table(table) = table.get_ref() else {
                return Err(wrong(format!("{section} is a table: write [{section}]")));
            };
            for (key, value) in table {
                let setting = setting(section, key.get_ref())
                    .map_err(|what| Wrong { line: line(key.span()), what })?;
                let value = checked(setting, value.get_ref())
                    .map_err(|what| Wrong { line: line(value.span()), what })?;
                values.insert((setting.section, setting.key), value);
            }
        }
        Ok(Self { values, xeps })
    }

    /// A string; none when absent.
    pub fn text(&mut self, section: &'static str, key: &'static str) -> Option<String> {
        match self.values.remove(&(section, key)) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A list of strings.
    pub fn texts(&mut self, section: &'static str, key: &'static str) -> Vec<String> {
        match self.values.remove(&(section, key)) {
            Some(Value::Texts(texts)) => texts,
            _ => Vec::new(),
        }
    }

    /// A list of addresses; `checked` has seen that they are.
    pub fn addresses(&mut self, key: &'static str) -> Vec<SocketAddr> {
        self.texts("listen", key).iter().filter_map(|text| text.parse().ok()).collect()
    }

    /// A limit.
    pub fn limit(&mut self, key: &'static str) -> u64 {
        self.number("limits", key)
    }

    /// A number.
    pub fn number(&mut self, section: &'static str, key: &'static str) -> u64 {
        match self.values.remove(&(section, key)) {
            Some(Value::Number(number)) => number,
            _ => unreachable!("{section}.{key} is in the table, with a default, and read once"),
        }
    }

    /// What nobody has asked for yet.
    #[cfg(test)]
    pub fn left(&self) -> Vec<String> {
        self.values.keys().map(|(section, key)| format!("{section}.{key}")).collect()
    }
}

fn defaults() -> BTreeMap<(&'static str, &'static str), Value> {
    let given = all().filter(|setting| !setting.default.is_empty());
    let value = |setting: &'static Setting| {
        let parsed = DeValue::parse(setting.default).expect("a default of the table is TOML");
        let value = checked(setting, parsed.get_ref()).expect("a default is allowed by its kind");
        ((setting.section, setting.key), value)
    };
    given.map(value).collect()
}

fn section(name: &str) -> Result<&'static str, String> {
    let known = || all().map(|setting| setting.section);
    if let Some(section) = known().find(|section| *section == name) {
        return Ok(section);
    }
    if let Some(setting) = all().find(|setting| setting.key == name) {
        return Err(format!("unknown table {name:?}: {name} belongs into [{}]", setting.section));
    }
    Err(format!("unknown table [{name}]{}", hint(name, known())))
}

fn setting(section: &str, key: &str) -> Result<&'static Setting, String> {
    let mut known = all().filter(|setting| setting.section == section);
    if let Some(setting) = known.clone().find(|setting| setting.key == key) {
        return Ok(setting);
    }
    if let Some(setting) = all().find(|setting| setting.key == key) {
        let home = setting.section;
        return Err(format!("unknown setting {section}.{key}: {key} belongs into [{home}]"));
    }
    let hint = hint(key, &mut known.by_ref().map(|setting| setting.key));
    Err(format!("unknown setting {section}.{key}{hint}"))
}

/// The nearest name, when one is near.
pub fn hint(name: &str, known: impl Iterator<Item = &'static str>) -> String {
    let near = known.map(|known| (strsim::jaro_winkler(name, known), known));
    match near.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
        Some((near, known)) if near > 0.7 => format!("; did you mean {known}?"),
        _ => "; `waxwing settings` prints all there are".to_owned(),
    }
}

fn checked(setting: &Setting, value: &DeValue<'_>) -> Result<Value, String> {
    let Setting { section, key, kind, .. } = setting;
    let must = |what: String| format!("{section}.{key} must be {what}");
    match kind {
        Kind::Text => text(value).map(Value::Text).ok_or_else(|| must("a string".into())),
        Kind::Texts => {
            texts(value).map(Value::Texts).ok_or_else(|| must("a list of strings".into()))
        }
        Kind::Addresses => {
            let addresses = texts(value).ok_or_else(|| must("a list of strings".into()))?;
            match addresses.iter().find(|text| text.parse::<SocketAddr>().is_err()) {
                Some(bad) => Err(must(format!(
                    "a list of address:port such as \"0.0.0.0:5222\" or \"[::]:5222\", not {bad:?}"
                ))),
                None => Ok(Value::Texts(addresses)),
            }
        }
        Kind::Number(from, to) => {
            let number = number(value).filter(|number| (from..=to).contains(&number));
            number.map(Value::Number).ok_or_else(|| must(format!("a number from {from} to {to}")))
        }
        Kind::Choice(of) => {
            let chosen = text(value).filter(|text| of.contains(&text.as_str()));
            chosen.map(Value::Text).ok_or_else(|| must(format!("one of: {}", of.join(", "))))
        }
    }
}

pub fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        _ => None,
    }
}

pub fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(list) => list.iter().map(|value| text(value.get_ref())).collect(),
        _ => None,
    }
}

pub fn number(value: &DeValue<'_>) -> Option<u64> {
    match value {
        DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(file: &str) -> String {
        Values::read(file).expect_err("it is wrong").to_string()
    }

    #[test]
    fn an_unknown_key_names_the_nearest_and_its_line() {
        let file = "[server]\ndomains = [\"a\"]\n\n[listen]\nc2s_tsl = []\n";
        assert_eq!(wrong(file), "line 5: unknown setting listen.c2s_tsl; did you mean c2s_tls?");
        assert_eq!(wrong("[servr]\n"), "line 1: unknown table [servr]; did you mean server?");
        assert_eq!(
            wrong("[server]\nc2s = []"),
            "line 2: unknown setting server.c2s: c2s belongs into [listen]"
        );
        assert_eq!(
            wrong("domains = []"),
            "line 1: unknown table \"domains\": domains belongs into [server]"
        );
        assert!(wrong("[server]\nqqq = 1").contains("waxwing settings"));
    }

    #[test]
    fn a_wrong_type_or_bound_says_what_it_must_be() {
        assert_eq!(
            wrong("[server]\ndomains = 5"),
            "line 2: server.domains must be a list of strings"
        );
        assert_eq!(
            wrong("[limits]\nauth_tries_max = 9"),
            "line 2: limits.auth_tries_max must be a number from 2 to 5"
        );
        assert_eq!(
            wrong("[limits]\nauth_tries_max = -3"),
            "line 2: limits.auth_tries_max must be a number from 2 to 5"
        );
        assert!(wrong("[listen]\nc2s = [\"localhost\"]").contains("address:port"));
        assert_eq!(
            wrong("[log]\nformat = \"xml\""),
            "line 2: log.format must be one of: auto, human, json"
        );
    }

    #[test]
    fn what_is_not_toml_names_its_line() {
        assert!(
            wrong("[server]\n\ndata = = 3").starts_with("line 3: "),
            "{}",
            wrong("[server]\n\ndata = = 3")
        );
    }

    #[test]
    fn the_file_that_is_printed_is_a_file_that_is_read_and_changes_nothing() {
        let printed = Values::read(&crate::settings_table::print()).expect("it is right");
        assert_eq!(printed.values, defaults());
        assert!(!printed.xeps.is_empty(), "those of XEPs are there too");
    }
}
