//! XML as it may be written: any tree of elements, attributes and text, and any of the ways in
//! which that can be spelled.

use crate::tree::{CLIENT, Node, Tree};
use arbitrary::{Result, Unstructured};
use std::collections::BTreeMap;

const XML: &str = "http://www.w3.org/XML/1998/namespace";
const NAMESPACES: [&str; 8] = [
    "urn:a",
    "urn:b",
    CLIENT,
    "",
    "http://www.w3.org/1999/xhtml",
    "urn:\u{e9}:\u{1f9a5}",
    "urn:<&>'\"",
    "jabber:x:oob",
];
const NAMES: [&str; 10] =
    ["a", "b", "body", "x", "_", "a-.9", "\u{e9}l", "\u{3b1}\u{b7}", "\u{4e00}", "xmlish"];
/// Deeper than any client goes, less deep than the server lets one.
const DEPTH_MAX: usize = 8;
/// Elements of one stanza.
const ELEMENTS_MAX: usize = 60;

/// A message with this address and id, and anything in it.
pub fn message(to: &str, id: usize, choices: &mut Unstructured<'_>) -> Result<Tree> {
    let mut room = ELEMENTS_MAX;
    let mut message = element(0, &mut room, choices)?;
    (message.ns, message.local) = (CLIENT.to_owned(), "message".to_owned());
    message.nodes.retain(|node| matches!(node, Node::Tree(_)));
    // What is for servers is not for this one: `type`, `to` and so on are names like any other.
    for (name, value) in [("to", to), ("id", &id.to_string())] {
        message.attributes.insert((String::new(), name.to_owned()), value.to_owned());
    }
    let mut body = named(CLIENT, "body");
    body.nodes.push(Node::Text(format!("{id} {}", text(choices)?)));
    let at = choices.int_in_range(0..=message.nodes.len())?;
    message.nodes.insert(at, Node::Tree(body));
    Ok(message)
}

fn named(ns: &str, local: &str) -> Tree {
    let (ns, local) = (ns.to_owned(), local.to_owned());
    Tree { ns, local, attributes: BTreeMap::new(), nodes: Vec::new() }
}

fn element(depth: usize, room: &mut usize, choices: &mut Unstructured<'_>) -> Result<Tree> {
    let mut tree = named(choices.choose(&NAMESPACES)?, choices.choose(&NAMES)?);
    for _ in 0..choices.int_in_range(0..=3)? {
        let ns = match choices.int_in_range(0..=5)? {
            0 => *choices.choose(&NAMESPACES)?,
            1 => XML,
            _ => "",
        };
        let local = match ns {
            XML => *choices.choose(&["lang", "space", "base"])?,
            _ => *choices.choose(&NAMES)?,
        };
        let value = if ns == XML { "de".to_owned() } else { text(choices)? };
        tree.attributes.insert((ns.to_owned(), local.to_owned()), value);
    }
    if depth >= DEPTH_MAX {
        return Ok(tree);
    }
    for _ in 0..choices.int_in_range(0..=4)? {
        let is_text =
            matches!(tree.nodes.last(), Some(Node::Tree(_)) | None) && choices.ratio(1, 3)?;
        if is_text {
            let text = text(choices)?;
            tree.nodes.extend((!text.is_empty()).then_some(Node::Text(text)));
        } else if *room > 0 {
            *room -= 1;
            tree.nodes.push(Node::Tree(element(depth + 1, room, choices)?));
        }
    }
    Ok(tree)
}

fn text(choices: &mut Unstructured<'_>) -> Result<String> {
    (0..choices.int_in_range(0..=6)?).map(|_| character(choices)).collect()
}

fn character(choices: &mut Unstructured<'_>) -> Result<char> {
    Ok(match choices.int_in_range(0..=7)? {
        0 => *choices.choose(&['\t', '\n', '\r', ' ', '\u{85}', '\u{2028}', '\u{7f}'])?,
        1 => *choices.choose(&['<', '>', '&', '\'', '"', ']'])?,
        2 => ']',
        3 => *choices.choose(&['\u{feff}', '\u{fffd}', '\u{d7ff}', '\u{e000}', '\u{10fffd}'])?,
        4 => {
            let any = char::from_u32(choices.int_in_range(0x20..=0x10_ffff)?);
            any.filter(|any| !matches!(any, '\u{fffe}' | '\u{ffff}')).unwrap_or('\u{1f9a5}')
        }
        _ => char::from(choices.int_in_range(b'a'..=b'z')?),
    })
}

/// What prefixes mean, the empty one too; later ones win.
type Scope<'a> = Vec<(String, &'a str)>;

/// One of the ways to write it, on a stream.
pub fn spelled(tree: &Tree, choices: &mut Unstructured<'_>) -> Result<String> {
    let mut scope = vec![(String::new(), CLIENT), ("xml".to_owned(), XML)];
    let mut out = String::new();
    spell(tree, &mut scope, choices, &mut out)?;
    Ok(out)
}

fn spell<'a>(
    tree: &'a Tree,
    scope: &mut Scope<'a>,
    choices: &mut Unstructured<'_>,
    out: &mut String,
) -> Result<()> {
    let outer = scope.len();
    let (mut declared, mut used) = (BTreeMap::new(), Vec::new());
    // Only the default can be no namespace at all.
    let is_default = tree.ns.is_empty() || choices.arbitrary()?;
    let name =
        qualified(&tree.ns, &tree.local, is_default, (scope, &mut declared, &mut used), choices)?;
    let mut attributes = Vec::new();
    for ((ns, local), value) in &tree.attributes {
        let name = match ns.is_empty() {
            true => local.clone(),
            false => qualified(ns, local, false, (scope, &mut declared, &mut used), choices)?,
        };
        attributes.push((name, value.as_str()));
    }
    for (prefix, ns) in declared {
        let name = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
        let at = choices.int_in_range(0..=attributes.len())?;
        attributes.insert(at, (name, ns));
    }
    out.push('<');
    out.push_str(&name);
    for (name, value) in attributes {
        spell_attribute(&name, value, choices, out)?;
    }
    space(0, choices, out)?;
    if tree.nodes.is_empty() && choices.arbitrary()? {
        out.push_str("/>");
    } else {
        out.push('>');
        for node in &tree.nodes {
            match node {
                Node::Tree(tree) => spell(tree, scope, choices, out)?,
                Node::Text(text) => spell_text(text, choices, out)?,
            }
        }
        out.push_str(&format!("</{name}"));
        space(0, choices, out)?;
        out.push('>');
    }
    scope.truncate(outer);
    Ok(())
}

/// What prefixes mean, what this tag declares, and what it uses of what is declared outside.
type Prefixes<'p, 'a> = (&'p mut Scope<'a>, &'p mut BTreeMap<String, &'a str>, &'p mut Vec<String>);

/// By a prefix that means it already, or one that is declared here; the default is one, too.
fn qualified<'a>(
    ns: &'a str,
    local: &str,
    is_default: bool,
    (scope, declared, used): Prefixes<'_, 'a>,
    choices: &mut Unstructured<'_>,
) -> Result<String> {
    let means = |prefix: &str| {
        let meant = scope.iter().rev().find(|(known, _)| known == prefix);
        meant.is_some_and(|(_, meant)| *meant == ns)
    };
    let known = scope.iter().map(|(prefix, _)| prefix.clone());
    let known = known.filter(|prefix| prefix.is_empty() == is_default && means(prefix)).last();
    let prefix = match known {
        Some(known) if ns == XML || is_default || choices.ratio(2, 3)? => {
            used.push(known.clone());
            known
        }
        _ => {
            // What means something else outside is as good as any, unless this tag needs that.
            let mut free = vec!["p", "stream", "a", "q", "r", "s", "t", "u"];
            free.retain(|prefix| {
                !declared.contains_key(*prefix) && !used.iter().any(|one| one == prefix)
            });
            let prefix = if is_default { "" } else { *choices.choose(&free)? };
            declared.insert(prefix.to_owned(), ns);
            scope.push((prefix.to_owned(), ns));
            prefix.to_owned()
        }
    };
    Ok(if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") })
}

fn space(at_least: usize, choices: &mut Unstructured<'_>, out: &mut String) -> Result<()> {
    for at in 0..choices.int_in_range(0..=2)?.max(at_least) {
        out.push(if at == 0 { ' ' } else { *choices.choose(&[' ', '\t', '\n', '\r'])? });
    }
    Ok(())
}

fn spell_attribute(
    name: &str,
    value: &str,
    choices: &mut Unstructured<'_>,
    out: &mut String,
) -> Result<()> {
    space(1, choices, out)?;
    out.push_str(name);
    space(0, choices, out)?;
    out.push('=');
    space(0, choices, out)?;
    let quote = if choices.arbitrary()? { '"' } else { '\'' };
    out.push(quote);
    for symbol in value.chars() {
        // Of what is white only a space stays what it is (XML 1.0 §3.3.3).
        let must = matches!(symbol, '<' | '&' | '\t' | '\n' | '\r') || symbol == quote;
        spell_character(symbol, must, choices, out)?;
    }
    out.push(quote);
    Ok(())
}

fn spell_text(text: &str, choices: &mut Unstructured<'_>, out: &mut String) -> Result<()> {
    let is_raw = !text.contains("]]>") && !text.contains('\r') && choices.ratio(1, 4)?;
    if is_raw {
        out.push_str(&format!("<![CDATA[{text}]]>"));
        return Ok(());
    }
    for symbol in text.chars() {
        // A return alone would be a new line (XML 1.0 §2.11).
        let must = matches!(symbol, '<' | '&' | '\r') || symbol == '>' && out.ends_with("]]");
        spell_character(symbol, must, choices, out)?;
    }
    Ok(())
}

fn spell_character(
    symbol: char,
    must: bool,
    choices: &mut Unstructured<'_>,
    out: &mut String,
) -> Result<()> {
    if !must && !choices.ratio(1, 6)? {
        out.push(symbol);
        return Ok(());
    }
    let entity = match symbol {
        '<' => "&lt;",
        '>' => "&gt;",
        '&' => "&amp;",
        '\'' => "&apos;",
        '"' => "&quot;",
        _ => "",
    };
    match choices.int_in_range(0..=2)? {
        0 if !entity.is_empty() => out.push_str(entity),
        1 => out.push_str(&format!("&#{};", u32::from(symbol))),
        _ => out.push_str(&format!("&#x{:X};", u32::from(symbol))),
    }
    Ok(())
}
