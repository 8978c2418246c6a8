//! What a document means: its events, namespaces resolved, text joined.

use std::collections::BTreeMap;

use wire::{Jid, ns};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Namespace and local name, and the attributes by theirs.
    Start(String, String, BTreeMap<(String, String), String>),
    Text(String),
    End,
}

/// Appends text, joined with the text before it.
pub fn push_text(items: &mut Vec<Item>, more: &str) {
    match items.last_mut() {
        Some(Item::Text(text)) => text.push_str(more),
        _ if more.is_empty() => {}
        _ => items.push(Item::Text(more.to_owned())),
    }
}

/// What the canonical form changes on purpose: content namespaces are one, text between stanzas
/// and between the children of a stanza is gone, addresses are prepared.
pub fn normalize(items: Vec<Item>) -> Vec<Item> {
    let mut path: Vec<(bool, bool)> = Vec::new(); // in content, is a stanza
    let mut out = Vec::new();
    for item in items {
        match item {
            Item::Start(mut ns, local, mut attributes) => {
                let parent = path.len() < 2 || path[path.len() - 1].0;
                let content = parent && is_content(&ns);
                if content {
                    ns = ns::CLIENT.to_owned();
                }
                let is_kind = matches!(&*local, "message" | "presence" | "iq");
                let stanza = path.len() == 1 && content && is_kind;
                if stanza {
                    prepare(&mut attributes);
                }
                path.push((content, stanza));
                out.push(Item::Start(ns, local, attributes));
            }
            Item::Text(_) if path.len() < 2 || path[path.len() - 1].1 => {}
            Item::Text(text) => out.push(Item::Text(text)),
            Item::End => {
                path.pop();
                out.push(Item::End);
            }
        }
    }
    out
}

fn is_content(ns: &str) -> bool {
    matches!(ns, ns::CLIENT | ns::SERVER | "jabber:component:accept")
}

fn prepare(attributes: &mut BTreeMap<(String, String), String>) {
    for name in ["from", "to"] {
        let key = (String::new(), name.to_owned());
        if let Some(address) = attributes.remove(&key)
            && let Ok(jid) = Jid::parse(&address)
        {
            attributes.insert(key, jid.as_str().to_owned());
        }
    }
}
