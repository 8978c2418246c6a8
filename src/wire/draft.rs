//! Building elements: what we say ourselves is canonical by construction.

use crate::{Name, Payload, Text, escape, ns};

/// An element in the making.
///
/// ```
/// # use wire::{Draft, Name};
/// let ping = Draft::new(Name::new("urn:xmpp:ping", "ping")).finish();
/// assert_eq!(ping.as_str(), "<ping xmlns='urn:xmpp:ping'/>");
/// ```
#[derive(Clone, Debug)]
pub struct Draft {
    name: Name,
    attributes: Vec<u8>,
    content: Vec<u8>,
}

impl Draft {
    /// An empty element.
    pub const fn new(name: Name) -> Self {
        Self { name, attributes: Vec::new(), content: Vec::new() }
    }

    /// Adds an attribute: a name without prefix, or `xml:lang`. Each name only once.
    /// What XML cannot carry in the value becomes U+FFFD.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: impl AsRef<str>) -> Self {
        debug_assert!(is_attribute_name(name), "attribute name {name:?}");
        escape::attribute(name, value.as_ref(), &mut self.attributes);
        self
    }

    /// Appends text. What XML cannot carry becomes U+FFFD.
    #[must_use]
    pub fn text(mut self, text: impl AsRef<str>) -> Self {
        escape::text(text.as_ref(), &mut self.content);
        self
    }

    /// Appends a child.
    #[must_use]
    pub fn child(mut self, child: Draft) -> Self {
        child.write(self.name.ns, &mut self.content);
        self
    }

    /// Appends a finished element.
    #[must_use]
    pub fn payload(mut self, payload: &Payload) -> Self {
        let inside = payload.element().inside(self.name.ns);
        self.content.extend_from_slice(inside.as_bytes());
        self
    }

    /// Done: can stand in a stanza or directly in a stream.
    pub fn finish(self) -> Payload {
        let mut out = Vec::with_capacity(
            32 + self.name.ns.len() + self.attributes.len() + self.content.len(),
        );
        self.write(ns::CLIENT, &mut out);
        Payload::from_canonical(Text::try_from(out).expect("made of str"))
    }

    fn write(&self, parent: &str, out: &mut Vec<u8>) {
        out.push(b'<');
        out.extend_from_slice(self.name.local.as_bytes());
        if self.name.ns != parent {
            escape::attribute("xmlns", self.name.ns, out);
        }
        out.extend_from_slice(&self.attributes);
        if self.content.is_empty() {
            out.extend_from_slice(b"/>");
            return;
        }
        out.push(b'>');
        out.extend_from_slice(&self.content);
        out.extend_from_slice(b"</");
        out.extend_from_slice(self.name.local.as_bytes());
        out.push(b'>');
    }
}

fn is_attribute_name(name: &str) -> bool {
    let plain = name.strip_prefix("xml:").unwrap_or(name);
    !plain.is_empty()
        && plain != "xmlns"
        && !plain.contains(|c: char| c.is_whitespace() || "<>&'\"=/:".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Name = Name::new("urn:a", "a");
    const B: Name = Name::new("urn:b", "b");
    const BODY: Name = Name::new(ns::CLIENT, "body");

    #[test]
    fn xmlns_is_said_only_where_it_changes() {
        let a = Draft::new(A).child(Draft::new(Name::new("urn:a", "c"))).child(Draft::new(B));
        assert_eq!(a.finish().as_str(), "<a xmlns='urn:a'><c/><b xmlns='urn:b'/></a>");
        assert_eq!(Draft::new(BODY).text("hi").finish().as_str(), "<body>hi</body>");
        let wrapped = Draft::new(A).child(Draft::new(BODY)).finish();
        assert_eq!(wrapped.as_str(), "<a xmlns='urn:a'><body xmlns='jabber:client'/></a>");
    }

    #[test]
    fn a_payload_is_fitted_to_its_parent() {
        let b = Draft::new(B).text("x").finish();
        let body = Draft::new(BODY).finish();
        assert_eq!(
            Draft::new(B).payload(&b).payload(&body).finish().as_str(),
            "<b xmlns='urn:b'><b>x</b><body xmlns='jabber:client'/></b>"
        );
    }

    #[test]
    fn at_08_what_is_put_in_is_read_back() {
        for nasty in ["'\"<>&]]>", "a\tb\nc\rd", "</a><message to='x'/>", "&lt;"] {
            let payload = Draft::new(A).attribute("k", nasty).text(nasty).finish();
            assert_eq!(payload.element().attribute("k").as_deref(), Some(nasty));
            assert_eq!(payload.element().text(), nasty);
            assert_eq!(payload.element().children().count(), 0);
        }
    }
}
