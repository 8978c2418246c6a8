//! The head of a stanza: the only part that a server rewrites.

use std::fmt;

use crate::{Jid, Text, escape};

/// The three kinds of stanza (RFC 6120 §8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Push.
    Message,
    /// Broadcast.
    Presence,
    /// Request and response.
    Iq,
}

impl Kind {
    /// The name of the element.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Presence => "presence",
            Self::Iq => "iq",
        }
    }

    pub(crate) fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"message" => Some(Self::Message),
            b"presence" => Some(Self::Presence),
            b"iq" => Some(Self::Iq),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Kind and common attributes of a stanza (RFC 6120 §8.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Message, presence or iq.
    pub kind: Kind,
    /// `id`, as the peer chose it.
    pub id: Option<Text>,
    /// `type`.
    pub type_: Option<Text>,
    /// `from`, prepared.
    pub from: Option<Jid>,
    /// `to`, prepared.
    pub to: Option<Jid>,
    /// `xml:lang`.
    pub lang: Option<Text>,
    /// There was a `to`, but it is no address: answer `jid-malformed`.
    pub to_malformed: bool,
    /// There was a `from`, but it is no address.
    pub from_malformed: bool,
    /// The resource of `to` is spelled otherwise than the peer did: prepared.
    pub to_respelled: bool,
    /// All other attributes, canonical, each with a leading space; kept through routing.
    pub(crate) others: Text,
}

impl Head {
    /// A head that says nothing but its kind.
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            id: None,
            type_: None,
            from: None,
            to: None,
            lang: None,
            to_malformed: false,
            from_malformed: false,
            to_respelled: false,
            others: Text::new(),
        }
    }

    /// The same with this `id`.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Text>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The same with this `type`.
    #[must_use]
    pub fn with_type(mut self, type_: impl Into<Text>) -> Self {
        self.type_ = Some(type_.into());
        self
    }

    /// The same with this `from`.
    #[must_use]
    pub fn with_from(mut self, from: impl Into<Jid>) -> Self {
        self.from = Some(from.into());
        self.from_malformed = false;
        self
    }

    /// The same with this `to`.
    #[must_use]
    pub fn with_to(mut self, to: impl Into<Jid>) -> Self {
        self.to = Some(to.into());
        (self.to_malformed, self.to_respelled) = (false, false);
        self
    }

    /// The same with this `xml:lang`.
    #[must_use]
    pub fn with_lang(mut self, lang: impl Into<Text>) -> Self {
        self.lang = Some(lang.into());
        self
    }

    /// `type`, or `""` when absent.
    pub fn type_str(&self) -> &str {
        self.type_.as_deref().unwrap_or_default()
    }

    /// The answer to this head: same kind and id, `to` and `from` swapped.
    pub(crate) fn answer(&self, type_: &'static str) -> Self {
        Self {
            id: self.id.clone(),
            type_: Some(Text::from_static(type_)),
            from: self.to.clone(),
            to: self.from.clone(),
            ..Self::new(self.kind)
        }
    }

    /// Appends the attributes, each with a leading space.
    pub(crate) fn write_attributes(&self, out: &mut Vec<u8>) {
        let attributes = [
            ("id", self.id.as_deref()),
            ("type", self.type_.as_deref()),
            ("from", self.from.as_ref().map(Jid::as_str)),
            ("to", self.to.as_ref().map(Jid::as_str)),
            ("xml:lang", self.lang.as_deref()),
        ];
        for (name, value) in attributes {
            if let Some(value) = value {
                escape::attribute(name, value, out);
            }
        }
        out.extend_from_slice(self.others.as_bytes());
    }

    /// Bytes that the attributes will take; more when something must be escaped.
    pub(crate) fn attributes_len(&self) -> usize {
        let one = |name: usize, value: Option<usize>| value.map_or(0, |value| name + value + 4);
        one(2, self.id.as_ref().map(|id| id.len()))
            + one(4, self.type_.as_ref().map(|type_| type_.len()))
            + one(4, self.from.as_ref().map(|from| from.as_str().len()))
            + one(2, self.to.as_ref().map(|to| to.as_str().len()))
            + one(8, self.lang.as_ref().map(|lang| lang.len()))
            + self.others.len()
    }
}
