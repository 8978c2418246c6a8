//! The messages of `chat`: who sent it, which one it is, and when, in the body itself.

use std::io::Write;

use anyhow::Result;
use wire::{Kind, Name, Stanza, ns};

const BODY: Name = Name::new(ns::CLIENT, "body");
/// Nobody may store it (XEP-0334 §4.2).
const NO_STORE: &str = "<no-store xmlns='urn:xmpp:hints'/>";

/// The largest mark there can be: a body is at least so long.
pub const MARK_BYTES_MAX: usize = 8 + 1 + 5 + 1 + 20 + 1 + 20 + 1;

/// What a body begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Chosen anew for every run: what an earlier run left behind is not mistaken for ours.
    pub run: u32,
    /// The number of the pair.
    pub pair: u16,
    /// 0, 1, 2 … of this sender.
    pub sequence: u64,
    /// Microseconds since the run began.
    pub sent_us: u64,
}

/// A number for a run.
///
/// # Errors
/// When the system has no random numbers.
pub fn new_run() -> Result<u32> {
    let mut number = [0; 4];
    getrandom::fill(&mut number)?;
    Ok(u32::from_ne_bytes(number))
}

/// Writes the messages of one sender, all to one recipient.
pub struct Composer {
    recipient: String,
    kind: &'static str,
    /// What follows the body.
    hint: &'static str,
    padding: String,
    body_bytes: usize,
}

impl Composer {
    /// Messages to `recipient` with bodies of `body_bytes` (at least `MARK_BYTES_MAX`).
    pub fn new(recipient: &str, body_bytes: usize) -> Self {
        let body_bytes = body_bytes.max(MARK_BYTES_MAX);
        let (recipient, padding) = (recipient.to_owned(), "x".repeat(body_bytes));
        Self { recipient, kind: "chat", hint: "", padding, body_bytes }
    }

    /// The same, which nobody may store.
    pub fn unstored(self) -> Self {
        Self { hint: NO_STORE, ..self }
    }

    /// The same to a room.
    pub fn groupchat(room: &str, body_bytes: usize) -> Self {
        Self { kind: "groupchat", ..Self::new(room, body_bytes) }
    }

    /// Appends one message.
    pub fn write(&self, mark: Mark, output: &mut Vec<u8>) {
        let Mark { run, pair, sequence, sent_us } = mark;
        let Self { recipient, kind, hint, .. } = self;
        write!(output, "<message to='{recipient}' type='{kind}' id='{run:08x}-{sequence}'><body>")
            .expect("a Vec takes all");
        let start = output.len();
        write!(output, "{run:08x} {pair} {sequence} {sent_us} ").expect("a Vec takes all");
        let padding = self.body_bytes - (output.len() - start);
        output.extend_from_slice(&self.padding.as_bytes()[..padding]);
        for end in ["</body>", hint, "</message>"] {
            output.extend_from_slice(end.as_bytes());
        }
    }
}

impl Mark {
    /// The mark of a message; None when it has none.
    pub fn of(stanza: &Stanza) -> Option<Self> {
        if stanza.kind() != Kind::Message {
            return None;
        }
        Self::parse(&stanza.child(BODY)?.text())
    }

    /// The mark that a body begins with.
    pub fn parse(body: &str) -> Option<Self> {
        let mut parts = body.split(' ');
        let mark = Self {
            run: u32::from_str_radix(parts.next()?, 16).ok()?,
            pair: parts.next()?.parse().ok()?,
            sequence: parts.next()?.parse().ok()?,
            sent_us: parts.next()?.parse().ok()?,
        };
        // A truncated number would be another number: what follows it must be there.
        parts.next().map(|_padding| mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(mark: Mark, body_bytes: usize) -> Stanza {
        let mut output = Vec::new();
        Composer::new("b@localhost", body_bytes).write(mark, &mut output);
        Stanza::parse_one(std::str::from_utf8(&output).expect("UTF-8")).expect("a stanza")
    }

    #[test]
    fn a_mark_survives_the_way() {
        let mark = Mark { run: 0xabc, pair: 7, sequence: 41, sent_us: 123_456_789 };
        assert_eq!(Mark::of(&composed(mark, 100)), Some(mark));
    }

    #[test]
    fn what_nobody_may_store_says_so_beside_its_body_xep_0334() {
        let mark = Mark { run: 1, pair: 2, sequence: 3, sent_us: 4 };
        let mut output = Vec::new();
        Composer::new("b@localhost", 100).unstored().write(mark, &mut output);
        let text = std::str::from_utf8(&output).expect("UTF-8");
        let stanza = Stanza::parse_one(text).expect("a stanza");
        assert!(stanza.child(Name::new("urn:xmpp:hints", "no-store")).is_some());
        assert_eq!(Mark::of(&stanza), Some(mark));
    }

    #[test]
    fn a_body_is_as_long_as_asked_whatever_the_mark() {
        let least = Mark { run: 0, pair: 0, sequence: 0, sent_us: 0 };
        let most = Mark { run: u32::MAX, pair: u16::MAX, sequence: u64::MAX, sent_us: u64::MAX };
        for (mark, asked, length) in [(least, 100, 100), (most, 100, 100), (most, 0, 57)] {
            let stanza = composed(mark, asked);
            let body = stanza.child(BODY).expect("a body");
            assert_eq!(body.text().len(), length);
            assert_eq!(Mark::of(&stanza), Some(mark));
        }
    }

    #[test]
    fn other_messages_have_no_mark() {
        for body in ["", "hello", "1 2 3", "0000000a 1 2 3", "zz 1 2 3 x"] {
            assert_eq!(Mark::parse(body), None, "{body}");
        }
    }
}
