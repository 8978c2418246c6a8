//! Views of canonical elements. They cannot fail, because the bytes have passed the decoder.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;
use quick_xml::{Reader, events::Event};

use crate::decoder::Decoder;
use crate::{Limits, Name, Text, escape, ns};

/// A view of one canonical element.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    /// From `<` to the last `>`.
    raw: &'a str,
    /// The namespace of an element that does not say `xmlns`.
    outer: &'a str,
}

impl<'a> Element<'a> {
    /// A view of `raw`, which must be one canonical element.
    pub(crate) fn new(raw: &'a str, outer: &'a str) -> Self {
        debug_assert!(is_element(raw), "not canonical: {raw}");
        Self { raw, outer }
    }

    /// Whether it has this name. Content-namespace elements are `jabber:client`.
    pub fn is(self, name: Name) -> bool {
        let Some(after) = self.raw[1..].strip_prefix(name.local) else { return false };
        after.starts_with(ENDS_NAME)
            && match after.strip_prefix(XMLNS) {
                Some(ns) => ns.strip_prefix(name.ns).is_some_and(|rest| rest.starts_with('\'')),
                None => self.outer == name.ns,
            }
    }

    /// The namespace, `""` for none; escaped, should it hold a character that XML escapes.
    pub fn ns(self) -> &'a str {
        declared_ns(self.after_name()).unwrap_or(self.outer)
    }

    /// The local name.
    pub fn local(self) -> &'a str {
        &self.raw[1..self.name_end()]
    }

    /// The value of an attribute: a plain name, or `xml:lang`.
    pub fn attribute(self, name: &str) -> Option<Cow<'a, str>> {
        self.attributes().find(|(key, _)| *key == name).map(|(_, value)| escape::unescape(value))
    }

    /// Names and escaped values of all attributes but `xmlns`.
    pub(crate) fn attributes(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.after_name();
        std::iter::from_fn(move || {
            loop {
                let (name, after) = split_at_byte(rest.strip_prefix(' ')?, b'=')?;
                let (value, after) = split_at_byte(after.strip_prefix('\'')?, b'\'')?;
                rest = after;
                if name != "xmlns" {
                    return Some((name, value));
                }
            }
        })
    }

    /// The text that stands directly in it, unescaped.
    pub fn text(self) -> Cow<'a, str> {
        let content = self.content();
        if !content.contains('<') {
            return escape::unescape(content);
        }
        let Some(mut reader) = self.enter() else { return Cow::Borrowed("") };
        let mut text = String::new();
        loop {
            let start = position(&reader);
            match reader.read_event() {
                Ok(Event::Text(_) | Event::GeneralRef(_)) => {
                    text.push_str(&self.raw[start..position(&reader)]);
                }
                Ok(Event::Start(tag)) if reader.read_to_end(tag.name()).is_ok() => {}
                Ok(Event::Empty(_)) => {}
                _ => return Cow::Owned(escape::unescape(&text).into_owned()),
            }
        }
    }

    /// Its child elements, in order.
    pub fn children(self) -> impl Iterator<Item = Element<'a>> {
        let outer = self.ns();
        let mut reader = self.enter();
        std::iter::from_fn(move || {
            let reader = reader.as_mut()?;
            loop {
                let start = position(reader);
                match reader.read_event() {
                    Ok(Event::Start(tag)) if reader.read_to_end(tag.name()).is_ok() => {}
                    Ok(Event::Empty(_)) => {}
                    Ok(Event::Text(_) | Event::GeneralRef(_)) => continue,
                    _ => return None,
                }
                return Some(Element { raw: &self.raw[start..position(reader)], outer });
            }
        })
    }

    /// The first child of this name.
    pub fn child(self, name: Name) -> Option<Element<'a>> {
        self.children().find(|child| child.is(name))
    }

    /// The canonical bytes. They say `xmlns` only if it differs from that of the parent.
    pub fn as_str(self) -> &'a str {
        self.raw
    }

    /// A copy that owns its bytes and can stand in a stanza.
    pub fn to_payload(self) -> Payload {
        Payload::from_canonical(self.inside(ns::CLIENT).into_owned())
    }

    /// Reads it as a type of `xmpp-parsers` or one that derives `FromXml`. The content namespace
    /// is `jabber:client` on every stream, and `xml:lang` is not inherited from outside.
    ///
    /// # Errors
    /// When the element is not what `T` wants.
    pub fn read<T: xso::FromXml>(self) -> Result<T, xso::error::Error> {
        let document = match declared_ns(self.after_name()) {
            Some(_) => Cow::Borrowed(self.raw),
            None => Cow::Owned(self.with_ns()),
        };
        let options =
            rxml::Options { max_token_length: document.len().max(64), ..Default::default() };
        xso::from_bytes_with_options(document.as_bytes(), options)
    }

    /// The bytes with `xmlns` said outright.
    pub(crate) fn with_ns(self) -> String {
        let (name, rest) = self.raw.split_at(self.name_end());
        match declared_ns(rest) {
            Some(_) => self.raw.to_owned(),
            None => format!("{name} xmlns='{}'{rest}", self.outer),
        }
    }

    /// The bytes as they must stand in a parent of the namespace `parent`.
    pub(crate) fn inside(self, parent: &str) -> Cow<'a, str> {
        let (name, rest) = self.raw.split_at(self.name_end());
        match declared_ns(rest) {
            Some(own) if own == parent => {
                let after = &rest[" xmlns=''".len() + own.len()..];
                Cow::Owned(format!("{name}{after}"))
            }
            None if self.outer != parent => Cow::Owned(self.with_ns()),
            _ => Cow::Borrowed(self.raw),
        }
    }

    /// A reader behind the start tag, `None` for an empty element. It begins with the tag and not
    /// with the content, for it would take U+FEFF at its beginning for a byte order mark.
    fn enter(self) -> Option<Reader<&'a [u8]>> {
        let mut reader = Reader::from_str(self.raw);
        matches!(reader.read_event(), Ok(Event::Start(_))).then_some(reader)
    }

    fn name_end(self) -> usize {
        name_len(self.raw)
    }

    fn after_name(self) -> &'a str {
        &self.raw[self.name_end()..]
    }

    /// What stands between the tags.
    fn content(self) -> &'a str {
        let Some(end) = memchr(b'>', self.raw.as_bytes()) else { return "" };
        if self.raw[..end].ends_with('/') {
            return "";
        }
        let closing = "</>".len() + self.name_end() - 1;
        self.raw.get(end + 1..self.raw.len() - closing).unwrap_or_default()
    }
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.raw)
    }
}

impl fmt::Display for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.raw)
    }
}

/// One owned element that can stand in a stanza or directly in a stream. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    canonical: Text,
}

impl Payload {
    /// `canonical` must be one canonical element, written for the content namespace.
    pub(crate) fn from_canonical(canonical: impl Into<Text>) -> Self {
        Self { canonical: canonical.into() }
    }

    /// A view of it.
    pub fn element(&self) -> Element<'_> {
        Element::new(&self.canonical, ns::CLIENT)
    }

    /// The canonical bytes; no `xmlns` means the content namespace.
    pub fn as_str(&self) -> &str {
        &self.canonical
    }

    /// Writes a type of `xmpp-parsers` or one that derives `AsXml`.
    ///
    /// # Errors
    /// When the type cannot be written, or writes something that is not XML.
    pub fn from_typed<T: xso::AsXml>(typed: &T) -> Result<Self, xso::error::Error> {
        let document = xso::to_vec(typed)?;
        let frame = Decoder::read_one(&document, Limits::OWN)
            .map_err(|flaw| xso::error::Error::Other(flaw.why))?;
        frame.into_payload().ok_or(xso::error::Error::Other("not an element"))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical)
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical)
    }
}

/// What may follow the name in a tag.
const ENDS_NAME: [char; 3] = [' ', '/', '>'];
/// How canonical bytes declare a namespace: before all attributes, or not at all.
const XMLNS: &str = " xmlns='";

/// Bytes up to the end of the name in the tag that `canonical` starts with.
pub(crate) fn name_len(canonical: &str) -> usize {
    canonical.bytes().position(|byte| matches!(byte, b' ' | b'/' | b'>')).unwrap_or_default()
}

/// What stands before the first such byte, which is ASCII, and behind it.
fn split_at_byte(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = memchr(byte, text.as_bytes())?;
    Some((&text[..at], &text[at + 1..]))
}

/// The value of `xmlns`.
fn declared_ns(after_name: &str) -> Option<&str> {
    let (value, _) = split_at_byte(after_name.strip_prefix(XMLNS)?, b'\'')?;
    Some(value)
}

/// Whether it is one element and nothing else.
fn is_element(canonical: &str) -> bool {
    let mut reader = Reader::from_str(canonical);
    let read = match reader.read_event() {
        Ok(Event::Start(tag)) => reader.read_to_end(tag.name()).is_ok(),
        Ok(Event::Empty(_)) => true,
        _ => false,
    };
    read && position(&reader) == canonical.len()
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).expect("a place in a slice")
}

#[cfg(test)]
mod tests;
