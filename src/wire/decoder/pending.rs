//! The start of a token that the input has cut, and the search for its end.

/// Keeps at most this many bytes of memory between two tokens.
const KEPT_BYTES_MAX: usize = 1024;
/// A tag of so few bytes is read again with every chunk, so that a flaw is told at once; a longer
/// one only when it has doubled, which keeps the whole linear.
const SHORT_TAG_BYTES: usize = 256;

/// The bytes of an unfinished token.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    /// Inside of a quoted value: its quote.
    quote: Option<u8>,
    /// How many bytes to have before the next early look.
    look_at: usize,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes on the heap.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Keeps the start of a token.
    pub(super) fn start(&mut self, s: &[u8]) {
        self.bytes.extend_from_slice(s);
        self.look_at = 2 * s.len();
        self.quote = None;
        find_end(s, &mut self.quote);
    }

    /// Takes bytes up to the end of the token. Gives how many, and whether it is time to read
    /// the token.
    pub(super) fn take(&mut self, s: &[u8]) -> (usize, bool) {
        if !self.is_tag() {
            self.bytes.extend_from_slice(&s[..s.len().min(1)]);
            if self.is_tag() {
                self.quote = None;
                find_end(&self.bytes, &mut self.quote);
            }
            return (s.len().min(1), true);
        }
        let end = find_end(s, &mut self.quote);
        let taken = end.unwrap_or(s.len());
        self.bytes.extend_from_slice(&s[..taken]);
        let len = self.bytes.len();
        let early = len <= SHORT_TAG_BYTES || len >= self.look_at;
        if early {
            self.look_at = 2 * len;
        }
        (taken, end.is_some() || early)
    }

    /// Lends the bytes out; `put_back` must follow.
    pub(super) fn release(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Takes the bytes back that were not used.
    pub(super) fn put_back(&mut self, rest: Vec<u8>) {
        let keep = !rest.is_empty() || rest.capacity() <= KEPT_BYTES_MAX;
        self.bytes = if keep { rest } else { Vec::new() };
    }

    /// Tags and declarations can be long, and end with `>`. Everything else is short, and is
    /// read again with every byte.
    fn is_tag(&self) -> bool {
        matches!(self.bytes[..], [b'<', next, ..] if next != b'!')
    }
}

/// Finds the end of the first `>` outside of quotes.
fn find_end(s: &[u8], quote: &mut Option<u8>) -> Option<usize> {
    for (at, &byte) in s.iter().enumerate() {
        match (*quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'\'' | b'"') => *quote = Some(byte),
            (Some(open), _) if open == byte => *quote = None,
            _ => {}
        }
    }
    None
}
