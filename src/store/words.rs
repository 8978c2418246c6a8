//! What a message speaks of, for searches of its words.

use engine::wire::{Name, Stanza, ns};

const BODY: Name = Name::new(ns::CLIENT, "body");

/// Whether the bodies of this stanza have every word of `text`, in whichever case.
pub(crate) fn speaks_of(stanza: &str, text: &str) -> bool {
    let Ok(stanza) = Stanza::parse_one(stanza) else { return false };
    let bodies: Vec<_> = stanza.children().filter(|child| child.is(BODY)).collect();
    let said: Vec<_> = bodies.iter().flat_map(|body| words(&body.text())).collect();
    words(text).iter().all(|word| said.contains(word))
}

/// The words of a text, in lower case: what stands between anything but letters and digits.
pub(crate) fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}
