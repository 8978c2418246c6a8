//! Writing the canonical form of what was read: elements without prefix, one way of quoting and
//! escaping, `xmlns` only where it changes, prefixes of attributes declared where they are used.

use crate::scope::{Entered, Scope};
use crate::tag::{self, Attribute, Role, StartTag};
use crate::{Flaw, chars};

/// Keeps at most this many bytes between two stanzas.
const KEPT_BYTES_MAX: usize = 1024;

/// The canonical bytes of the element that is being read.
#[derive(Debug, Default)]
pub(crate) struct Canonical {
    bytes: Vec<u8>,
    /// The innermost start tag lacks its `>`.
    open: bool,
    bytes_max: usize,
}

impl Canonical {
    /// Forgets everything, keeps a little memory.
    pub(crate) fn clear(&mut self, bytes_max: usize) {
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        }
        self.open = false;
        self.bytes_max = bytes_max;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes on the heap.
    pub(crate) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Runs `write` on the bytes, outside of any element.
    pub(crate) fn with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Flaw> {
        write(&mut self.bytes);
        self.check()
    }

    /// Appends a start tag.
    pub(crate) fn start(
        &mut self,
        scope: &Scope,
        entered: &Entered,
        s: &[u8],
        tag: &StartTag,
        attributes: &[Attribute],
    ) -> Result<(), Flaw> {
        self.close_tag();
        if tag.tidy && entered.says_ns == attributes.first().is_some_and(is_default) {
            self.copy(s, tag, attributes);
        } else {
            self.bytes.push(b'<');
            self.bytes.extend_from_slice(scope.local());
            if entered.says_ns {
                self.declare(b"", scope.uri(entered.ns));
            }
            self.attributes(scope, s, attributes, |_| true)?;
        }
        self.open = true;
        self.check()
    }

    /// Appends a tag that is canonical but perhaps for its quotes, without its end.
    fn copy(&mut self, s: &[u8], tag: &StartTag, attributes: &[Attribute]) {
        let start = self.bytes.len();
        let end = attributes.last().map_or(tag.name.end(), |last| last.quotes().1 + 1);
        self.bytes.extend_from_slice(&s[..end]);
        for attribute in attributes {
            let (opening, closing) = attribute.quotes();
            self.bytes[start + opening] = b'\'';
            self.bytes[start + closing] = b'\'';
        }
    }

    /// Appends the attributes that `wanted` picks, and the declarations that they need.
    pub(crate) fn attributes(
        &mut self,
        scope: &Scope,
        s: &[u8],
        attributes: &[Attribute],
        wanted: impl Fn(&Attribute) -> bool,
    ) -> Result<(), Flaw> {
        for (at, attribute) in attributes.iter().enumerate() {
            let prefix = attribute.name.prefix(s);
            let said =
                |other: &Attribute| other.role == Role::Prefixed && other.name.prefix(s) == prefix;
            if attribute.role == Role::Prefixed && !attributes[..at].iter().any(said) {
                self.declare(prefix, scope.uri(scope.lookup(prefix)?));
            }
        }
        for attribute in attributes.iter().filter(|one| !one.role.declares() && wanted(one)) {
            self.bytes.push(b' ');
            self.bytes.extend_from_slice(attribute.name.raw(s));
            self.bytes.extend_from_slice(b"='");
            escape_value(attribute, s, &mut self.bytes);
            self.bytes.push(b'\'');
        }
        self.check()
    }

    /// Appends the end tag of the innermost element.
    pub(crate) fn end(&mut self, local: &[u8]) -> Result<(), Flaw> {
        if self.open {
            self.bytes.extend_from_slice(b"/>");
            self.open = false;
        } else {
            self.bytes.extend_from_slice(b"</");
            self.bytes.extend_from_slice(local);
            self.bytes.push(b'>');
        }
        self.check()
    }

    /// Appends text that needs no escaping.
    pub(crate) fn text(&mut self, text: &[u8]) -> Result<(), Flaw> {
        self.close_tag();
        self.bytes.extend_from_slice(text);
        self.check()
    }

    fn declare(&mut self, prefix: &[u8], uri: &[u8]) {
        self.bytes.extend_from_slice(b" xmlns");
        if !prefix.is_empty() {
            self.bytes.push(b':');
            self.bytes.extend_from_slice(prefix);
        }
        self.bytes.extend_from_slice(b"='");
        self.bytes.extend_from_slice(uri);
        self.bytes.push(b'\'');
    }

    fn close_tag(&mut self) {
        if self.open {
            self.bytes.push(b'>');
            self.open = false;
        }
    }

    /// The canonical form may be longer than what was received.
    fn check(&self) -> Result<(), Flaw> {
        if self.bytes.len() > self.bytes_max {
            return Err(Flaw::policy("stanza is too big"));
        }
        Ok(())
    }
}

fn is_default(attribute: &Attribute) -> bool {
    attribute.role == Role::Default
}

/// Appends the value as an application sees it (XML 1.0 §3.3.3).
pub(crate) fn decode_value(attribute: &Attribute, s: &[u8], out: &mut Vec<u8>) {
    value(attribute, s, false, out);
}

/// Appends the value as it stands in canonical bytes.
pub(crate) fn escape_value(attribute: &Attribute, s: &[u8], out: &mut Vec<u8>) {
    value(attribute, s, true, out);
}

/// Appends the value with white space normalized and references resolved, escaped or not.
fn value(attribute: &Attribute, s: &[u8], escaped: bool, out: &mut Vec<u8>) {
    let mut rest = attribute.value(s);
    if attribute.plain {
        out.extend_from_slice(rest);
        return;
    }
    while let Some(&byte) = rest.first() {
        let mut used = 1;
        match byte {
            b'&' => {
                if let Ok(Some((c, len))) = tag::reference(rest) {
                    used = len;
                    push_value_char(c, escaped, out);
                }
            }
            b'\r' if rest.get(1) == Some(&b'\n') => {}
            b'\t' | b'\n' | b'\r' => out.push(b' '),
            _ if escaped => push_value_byte(byte, out),
            _ => out.push(byte),
        }
        rest = &rest[used..];
        let plain = chars::plain_value_len(rest);
        out.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
    }
}

fn push_value_char(c: char, escaped: bool, out: &mut Vec<u8>) {
    for &byte in c.encode_utf8(&mut [0; 4]).as_bytes() {
        if escaped { push_value_byte(byte, out) } else { out.push(byte) }
    }
}

fn push_value_byte(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'\t' => out.extend_from_slice(b"&#9;"),
        b'\n' => out.extend_from_slice(b"&#10;"),
        b'\'' => out.extend_from_slice(b"&apos;"),
        _ => push_text_byte(byte, out),
    }
}

/// Appends a byte of text, escaped.
pub(crate) fn push_text_byte(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'&' => out.extend_from_slice(b"&amp;"),
        b'<' => out.extend_from_slice(b"&lt;"),
        b'>' => out.extend_from_slice(b"&gt;"),
        b'\r' => out.extend_from_slice(b"&#13;"),
        _ => out.push(byte),
    }
}
