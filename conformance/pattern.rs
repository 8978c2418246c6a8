//! Whether what came is what a script expects.
//!
//! An element is matched loosely or strictly. Loosely: what is expected must be there, more may
//! be, in any order. Strictly: nothing else may be there, and the order counts. Stanzas and their
//! children in the stanza's namespace are matched loosely; from the first element of another
//! namespace on, strictly. `scansion:strict='true'` or `'false'` says otherwise for one element.

use crate::tree::{CLIENT, SCANSION, STREAM, Tree};
use std::collections::BTreeMap;

/// What `{scansion:capture:NAME}` has caught so far.
pub type Captures = BTreeMap<String, String>;

/// Matches one element; catches what the pattern names.
///
/// # Errors
/// The first difference, in words. `captures` is then as it was.
pub fn matches(expected: &Tree, came: &Tree, captures: &mut Captures) -> Result<(), String> {
    let mut caught = captures.clone();
    compare(expected, came, false, &mut caught)?;
    *captures = caught;
    Ok(())
}

fn compare(
    expected: &Tree,
    came: &Tree,
    foreign: bool,
    captures: &mut Captures,
) -> Result<(), String> {
    let path = &expected.local;
    if (&expected.ns, path) != (&came.ns, &came.local) {
        return Err(format!(
            "<{path} xmlns='{}'> expected, <{} xmlns='{}'> came",
            expected.ns, came.local, came.ns
        ));
    }
    let foreign = foreign || ![CLIENT, STREAM].contains(&expected.ns.as_str());
    let told = expected.attributes.get(&(SCANSION.to_owned(), "strict".to_owned()));
    let strict = told.map_or(foreign, |told| told == "true");
    attributes(expected, came, strict, captures)?;
    text(expected, came, strict, captures)?;
    if strict {
        in_order(expected, came, foreign, captures)
    } else {
        anywhere(expected, came, foreign, captures)
    }
}

fn attributes(
    expected: &Tree,
    came: &Tree,
    strict: bool,
    captures: &mut Captures,
) -> Result<(), String> {
    let path = &expected.local;
    for (key, pattern) in expected.attributes.iter().filter(|((ns, _), _)| ns != SCANSION) {
        let Some(value) = came.attributes.get(key) else {
            return Err(format!("<{path}> has no attribute {}", key.1));
        };
        if !value_matches(pattern, value, captures) {
            return Err(format!("{} of <{path}>: {pattern:?} expected, {value:?} came", key.1));
        }
    }
    let more = came.attributes.keys().find(|key| !expected.attributes.contains_key(*key));
    match more {
        Some((_, name)) if strict => Err(format!("<{path}> has another attribute: {name}")),
        _ => Ok(()),
    }
}

fn text(expected: &Tree, came: &Tree, strict: bool, captures: &mut Captures) -> Result<(), String> {
    let (pattern, value) = (expected.text(), came.text());
    let blank = pattern.trim().is_empty();
    let same = if blank {
        !strict || value.trim().is_empty()
    } else {
        value_matches(&pattern, &value, captures)
    };
    if same {
        return Ok(());
    }
    Err(format!("text of <{}>: {pattern:?} expected, {value:?} came", expected.local))
}

fn value_matches(pattern: &str, value: &str, captures: &mut Captures) -> bool {
    if pattern == "{scansion:any}" {
        return true;
    }
    let inside = |kind: &str| pattern.strip_prefix(kind).and_then(|rest| rest.strip_suffix('}'));
    if let Some(beginning) = inside("{scansion:begins:") {
        return value.starts_with(beginning);
    }
    match inside("{scansion:capture:") {
        Some(name) => captures.entry(name.to_owned()).or_insert_with(|| value.to_owned()) == value,
        None => pattern == value,
    }
}

fn in_order(
    expected: &Tree,
    came: &Tree,
    foreign: bool,
    captures: &mut Captures,
) -> Result<(), String> {
    let mut rest = came.children();
    for pattern in expected.children() {
        let Some(child) = rest.next() else {
            return Err(format!("<{}> is missing in <{}>", pattern.local, expected.local));
        };
        compare(pattern, child, foreign, captures)?;
    }
    match rest.next() {
        Some(more) => Err(format!("<{}> has another child: <{}>", expected.local, more.local)),
        None => Ok(()),
    }
}

fn anywhere(
    expected: &Tree,
    came: &Tree,
    foreign: bool,
    captures: &mut Captures,
) -> Result<(), String> {
    let mut rest: Vec<&Tree> = came.children().collect();
    for pattern in expected.children() {
        let mut why = format!("<{}> is missing in <{}>", pattern.local, expected.local);
        let found = rest.iter().position(|child| {
            let mut caught = captures.clone();
            match compare(pattern, child, foreign, &mut caught) {
                Ok(()) => {
                    *captures = caught;
                    true
                }
                Err(difference) => {
                    if child.local == pattern.local {
                        why.clone_from(&difference);
                    }
                    false
                }
            }
        });
        rest.remove(found.ok_or(why)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse_block;

    fn outcome(expected: &str, came: &str) -> Result<(), String> {
        let one = |block| parse_block(block).unwrap().remove(0);
        matches(&one(expected), &one(came), &mut Captures::new())
    }

    #[test]
    fn a_stanza_may_bring_more_than_expected() {
        let came = "<message id='1' from='a@b'><x xmlns='u'/><body>hi</body></message>";
        outcome("<message from='a@b'><body>hi</body></message>", came).unwrap();
        outcome("<message><body/></message>", came).unwrap();
        outcome("<message><body>ho</body></message>", came).unwrap_err();
        outcome("<message to='{scansion:any}'/>", came).unwrap_err();
        outcome("<message><y xmlns='u'/></message>", came).unwrap_err();
        outcome("<message scansion:strict='true'><body>hi</body></message>", came).unwrap_err();
    }

    #[test]
    fn another_namespace_is_matched_strictly() {
        let came = "<iq><query xmlns='u' ver='1'><b/><c>t</c></query></iq>";
        outcome("<iq><query xmlns='u' ver='{scansion:any}'><b/><c>t</c></query></iq>", came)
            .unwrap();
        for bad in [
            "<iq><query xmlns='u'><b/><c>t</c></query></iq>",
            "<iq><query xmlns='u' ver='1'><c>t</c><b/></query></iq>",
            "<iq><query xmlns='u' ver='1'><b/></query></iq>",
            "<iq><query xmlns='u' ver='1'><b/><c/></query></iq>",
            "<iq><query xmlns='u' ver='1'><b/><c>t</c><d/></query></iq>",
        ] {
            outcome(bad, came).unwrap_err();
        }
        outcome("<iq><query xmlns='u' scansion:strict='false'><c>t</c></query></iq>", came)
            .unwrap();
    }

    #[test]
    fn each_child_is_taken_once() {
        let expected = "<message><body>a</body><body>a</body></message>";
        outcome(expected, "<message><body>a</body><body>b</body></message>").unwrap_err();
        outcome(expected, "<message><body>a</body><body>a</body></message>").unwrap();
    }

    #[test]
    fn a_value_may_be_known_by_its_beginning() {
        let came = "<iq to='a@b/tag/1'/>";
        outcome("<iq to='{scansion:begins:a@b/tag/}'/>", came).unwrap();
        outcome("<iq to='{scansion:begins:a@b/other/}'/>", came).unwrap_err();
    }

    #[test]
    fn a_capture_holds_its_first_value() {
        let expected = "<iq id='{scansion:capture:x}'><q xmlns='u' n='{scansion:capture:x}'/></iq>";
        outcome(expected, "<iq id='1'><q xmlns='u' n='1'/></iq>").unwrap();
        outcome(expected, "<iq id='1'><q xmlns='u' n='2'/></iq>").unwrap_err();
    }
}
