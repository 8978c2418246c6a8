//! What the decoder gives out.

use crate::{Element, Payload, Stanza, Text};

/// One step of a stream.
#[derive(Clone, Debug)]
pub enum Frame {
    /// The stream header.
    Open(Open),
    /// A message, presence or iq in the content namespace.
    Stanza(Stanza),
    /// Any other first-level element.
    Element(Payload),
    /// The stream footer.
    Close,
}

impl Frame {
    /// The element; the stream header and footer give none.
    pub(crate) fn into_payload(self) -> Option<Payload> {
        match self {
            Self::Stanza(stanza) => Some(stanza.to_payload()),
            Self::Element(payload) => Some(payload),
            Self::Open(_) | Self::Close => None,
        }
    }
}

/// The stream header as received (RFC 6120 §4.7, RFC 7395 §3.4). The decoder does not judge it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Local name of the root element.
    pub name: Text,
    /// Namespace of the root element, `""` for none.
    pub ns: Text,
    /// The default namespace that the root declares, if it does.
    pub default_ns: Option<Text>,
    /// Prefix of the root element, `""` for none.
    pub prefix: Text,
    /// `to`.
    pub to: Option<Text>,
    /// `from`.
    pub from: Option<Text>,
    /// `id`.
    pub id: Option<Text>,
    /// `version`.
    pub version: Option<Text>,
    /// `xml:lang`.
    pub lang: Option<Text>,
    /// The root as an empty element, with all its attributes.
    pub(crate) element: Payload,
}

impl Open {
    /// An element that came where the header of a stream in messages must stand.
    pub fn framed(element: Payload) -> Self {
        let root = element.element();
        let value = |name| root.attribute(name).map(|value| Text::from(value.into_owned()));
        Self {
            name: root.local().into(),
            ns: root.ns().into(),
            default_ns: None,
            prefix: Text::new(),
            to: value("to"),
            from: value("from"),
            id: value("id"),
            version: value("version"),
            lang: value("xml:lang"),
            element,
        }
    }

    /// The root as an empty element, with all its attributes.
    pub fn element(&self) -> Element<'_> {
        self.element.element()
    }
}
