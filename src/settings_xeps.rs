//! The tables `[xep.NNNN]`: what each XEP lets the operator choose.

use crate::{
    XEPS,
    settings_values::{Wrong, hint, number, text, texts},
};
use engine::{
    hook::{Hook, Xep},
    setting::{Kind, Setting, Value},
};
use std::{collections::BTreeMap, ops::Range};
use toml::de::{DeTable, DeValue};

/// What was chosen, by XEP and key.
pub type Chosen = BTreeMap<(u16, &'static str), Value>;

fn settings(xep: &'static Xep) -> impl Iterator<Item = &'static Setting> {
    xep.hooks.iter().filter_map(|hook| match hook {
        Hook::Setting(setting) => Some(*setting),
        _ => None,
    })
}

/// Reads the table `xep` of a file.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(tables: &DeTable<'_>, line: impl Fn(Range<usize>) -> usize) -> Result<Chosen, Wrong> {
    let mut chosen = Chosen::new();
    for (name, table) in tables {
        let wrong = |what| Wrong { line: line(name.span()), what };
        let xep = find(name.get_ref()).map_err(wrong)?;
        let DeValue::Table(table) = table.get_ref() else {
            return Err(wrong(format!("xep.{0} is a table: write [xep.{0}]", name.get_ref())));
        };
        for (key, value) in table {
            let setting = setting(xep, key.get_ref())
                .map_err(|what| Wrong { line: line(key.span()), what })?;
            let value = checked(setting, value.get_ref())
                .map_err(|what| Wrong { line: line(value.span()), what })?;
            chosen.insert((setting.xep, setting.key), value);
        }
    }
    Ok(chosen)
}

fn find(name: &str) -> Result<&'static Xep, String> {
    let known = XEPS.iter().copied().find(|xep| format!("{:04}", xep.number) == name);
    let xep = known.ok_or_else(|| {
        format!("unknown table [xep.{name}]: the README lists the XEPs there are, as 0077")
    })?;
    match settings(xep).next() {
        Some(_) => Ok(xep),
        None => Err(format!("XEP-{name} has no settings")),
    }
}

fn setting(xep: &'static Xep, key: &str) -> Result<&'static Setting, String> {
    settings(xep).find(|setting| setting.key == key).ok_or_else(|| {
        let hint = hint(key, settings(xep).map(|setting| setting.key));
        format!("unknown setting xep.{:04}.{key}{hint}", xep.number)
    })
}

fn checked(setting: &Setting, value: &DeValue<'_>) -> Result<Value, String> {
    let read = match setting.kind {
        Kind::Number { .. } => number(value).map(Value::Number),
        Kind::Choice(_) => text(value).map(Value::Choice),
        Kind::Texts { .. } => texts(value).map(Value::Texts),
    };
    let must = |what| format!("xep.{:04}.{} must be {what}", setting.xep, setting.key);
    let read = read.ok_or_else(|| must(setting.kind.to_string()))?;
    setting.check(&read).map_err(must)?;
    Ok(read)
}

/// All of them with their defaults, as a part of a file.
pub fn print() -> String {
    let mut file = String::new();
    for xep in XEPS {
        for (place, setting) in settings(xep).enumerate() {
            if place == 0 {
                file += &format!("\n# {}.\n[xep.{:04}]\n", xep.name, xep.number);
            }
            let (bounds, default) = match setting.kind {
                Kind::Number { default, from, to } => {
                    (format!("# From {from} to {to}.\n"), default.to_string())
                }
                Kind::Choice(of) => {
                    (format!("# One of: {}.\n", of.join(", ")), format!("{:?}", of[0]))
                }
                Kind::Texts { each, .. } => (format!("# Each {each}.\n"), "[]".to_owned()),
            };
            file += &format!("\n# {}\n{bounds}{} = {default}\n", setting.doc, setting.key);
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use crate::settings_values::Values;
    use engine::setting::Value;

    fn wrong(file: &str) -> String {
        Values::read(file).expect_err("it is wrong").to_string()
    }

    #[test]
    fn a_xep_reads_what_was_chosen_about_it() {
        let values = Values::read("[xep.0092]\nos = \"shown\"").expect("it is right");
        assert_eq!(values.xeps.get(&(92, "os")), Some(&Value::Choice("shown".into())));
    }

    #[test]
    fn what_is_wrong_names_its_line_and_what_is_right() {
        assert_eq!(
            wrong("[xep.0092]\n\nos = \"seen\""),
            "line 3: xep.0092.os must be one of: hidden, shown"
        );
        assert_eq!(
            wrong("[xep.0092]\nos = 5"),
            "line 2: xep.0092.os must be one of: hidden, shown"
        );
        assert_eq!(
            wrong("[xep.0092]\noss = 5"),
            "line 2: unknown setting xep.0092.oss; did you mean os?"
        );
        let said = wrong("[xep.0198]\nresume_seconds_max = 604801");
        assert!(said.contains("resume_seconds_max"), "{said}");
        assert!(wrong("[xep.92]\nos = 5").contains("unknown table [xep.92]"));
        assert_eq!(wrong("[xep.0199]\na = 5"), "line 1: XEP-0199 has no settings");
        assert_eq!(wrong("[xep]\n0092 = 5"), "line 2: xep.0092 is a table: write [xep.0092]");
    }
}
