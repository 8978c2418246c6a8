//! A stanza: a head that may be rewritten, and canonical children that are not.

use smallvec::SmallVec;

use crate::decoder::Decoder;
use crate::{Element, Flaw, Frame, Head, Kind, Limits, Payload, Shared, StanzaError};
use crate::{StreamCondition, Text, ns};

/// How a stanza is separated from the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Inside a stream: the content namespace is inherited from the header.
    Stream,
    /// A document of its own (RFC 7395 §3.3.3): says `xmlns='jabber:client'`.
    Framed,
}

/// Where a child stands in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

pub(crate) type Spans = SmallVec<[Span; 6]>;

/// A stanza: two pointers. Cheap to move, and to clone: clones share the children, and the head
/// until one of them is given another.
#[derive(Clone, Debug)]
pub struct Stanza {
    /// Kind and common attributes.
    pub head: Shared<Head>,
    children: Shared<Children>,
}

#[derive(Clone, Debug, Default)]
struct Children {
    body: Text,
    /// Those that came with it, in `body`.
    own: Spans,
    /// Those that it was given since.
    added: SmallVec<[Payload; 1]>,
}

impl Stanza {
    /// A stanza without children.
    pub fn new(head: impl Into<Shared<Head>>) -> Self {
        Self { head: head.into(), children: Shared::default() }
    }

    pub(crate) fn from_canonical(head: Head, body: Text, own: Spans) -> Self {
        let children = Children { body, own, added: SmallVec::new() };
        Self { head: head.into(), children: children.into() }
    }

    /// Message, presence or iq.
    pub fn kind(&self) -> Kind {
        self.head.kind
    }

    /// The first child of this name; content-namespace children are `jabber:client` on every
    /// stream.
    pub fn child(&self, name: crate::Name) -> Option<Element<'_>> {
        self.children().find(|child| child.is(name))
    }

    /// The children, in order.
    pub fn children(&self) -> impl Iterator<Item = Element<'_>> {
        let Children { body, own, added } = &*self.children;
        let own = own.iter().map(|span| view(body, *span));
        own.chain(added.iter().map(Payload::element))
    }

    /// How many children there are.
    pub fn child_count(&self) -> usize {
        self.children.own.len() + self.children.added.len()
    }

    /// The same with one more child, the last.
    #[must_use]
    pub fn with(mut self, payload: Payload) -> Self {
        self.children.added.push(payload);
        self
    }

    /// The same without any child of this name.
    #[must_use]
    pub fn without(self, name: crate::Name) -> Self {
        self.retain(|child| !child.is(name))
    }

    /// The same with only the children that `keep` wants.
    #[must_use]
    pub fn retain(mut self, mut keep: impl FnMut(Element<'_>) -> bool) -> Self {
        let Children { body, own, added } = &mut *self.children;
        own.retain(|span| keep(view(body, *span)));
        added.retain(|payload| keep(payload.element()));
        self
    }

    /// Appends the stanza as it goes over the wire.
    pub fn write(&self, framing: Framing, out: &mut Vec<u8>) {
        let name = self.head.kind.as_str().as_bytes();
        out.push(b'<');
        out.extend_from_slice(name);
        if framing == Framing::Framed {
            out.extend_from_slice(b" xmlns='jabber:client'");
        }
        self.head.write_attributes(out);
        if self.child_count() == 0 {
            out.extend_from_slice(b"/>");
            return;
        }
        out.push(b'>');
        self.write_children(out);
        out.extend_from_slice(b"</");
        out.extend_from_slice(name);
        out.push(b'>');
    }

    /// Children that stand side by side are copied in one piece.
    fn write_children(&self, out: &mut Vec<u8>) {
        let Children { body, own, added } = &*self.children;
        let mut spans = own.iter().copied().peekable();
        while let Some(mut span) = spans.next() {
            while let Some(next) = spans.next_if(|next| next.start == span.end) {
                span.end = next.end;
            }
            out.extend_from_slice(slice(body, span).as_bytes());
        }
        for payload in added {
            out.extend_from_slice(payload.as_str().as_bytes());
        }
    }

    /// The bytes of [`Framing::Stream`]: self-contained, to be stored or hashed.
    pub fn to_text(&self) -> Text {
        let mut out = Vec::with_capacity(self.wire_len());
        self.write(Framing::Stream, &mut out);
        Text::try_from(out).expect("made of str")
    }

    /// The same with what was added among its children: for many, whose clones share it all.
    #[must_use]
    pub fn settled(self) -> Self {
        match self.children.added.is_empty() {
            true => self,
            false => Self::parse_one(&self.to_text()).unwrap_or(self),
        }
    }

    /// The stanza as an element, to be wrapped in another.
    pub fn to_payload(&self) -> Payload {
        Payload::from_canonical(self.to_text())
    }

    /// Bytes it takes in [`Framing::Framed`]; a few more when an attribute must be escaped.
    pub fn wire_len(&self) -> usize {
        let Children { own, added, .. } = &*self.children;
        let own: u32 = own.iter().map(|span| span.end - span.start).sum();
        let added: usize = added.iter().map(|payload| payload.as_str().len()).sum();
        let tags = "< xmlns='jabber:client'></>".len() + 2 * self.head.kind.as_str().len();
        tags + self.head.attributes_len() + own as usize + added
    }

    /// The answer that refuses it (RFC 6120 §8.3.1): same kind and id, addresses swapped.
    /// `None` where an answer is forbidden: to an error, and to the result of an iq.
    pub fn refused(&self, error: &StanzaError) -> Option<Stanza> {
        match (self.kind(), self.head.type_str()) {
            (_, "error") | (Kind::Iq, "result") => None,
            _ => Some(Stanza::new(self.head.answer("error")).with(error.to_payload())),
        }
    }

    /// The empty result of an iq (RFC 6120 §8.2.3): same id, addresses swapped.
    pub fn result(&self) -> Stanza {
        Stanza::new(self.head.answer("result"))
    }

    /// Reads one whole stanza in `jabber:client`, said or not, through the same decoder.
    ///
    /// # Errors
    /// When it is not exactly one well-formed stanza.
    pub fn parse_one(xml: &str) -> Result<Stanza, Flaw> {
        match Decoder::read_one(xml.as_bytes(), Limits::OWN)? {
            Frame::Stanza(stanza) => Ok(stanza),
            _ => Err(Flaw::new(StreamCondition::UnsupportedStanzaType, "not a stanza")),
        }
    }
}

/// Same head, same children in the same order.
impl PartialEq for Stanza {
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head
            && self.children().map(Element::as_str).eq(other.children().map(Element::as_str))
    }
}

impl Eq for Stanza {}

fn slice(body: &str, span: Span) -> &str {
    &body[span.start as usize..span.end as usize]
}

fn view(body: &str, span: Span) -> Element<'_> {
    Element::new(slice(body, span), ns::CLIENT)
}

#[cfg(test)]
mod tests;
