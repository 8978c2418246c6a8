//! The wrapper of BOSH: each HTTP request and response is one `<body/>` (XEP-0124 §6, XEP-0206).
//!
//! It is read by the same decoder as a stream: the wrapper is its root, and what the decoder
//! refuses in a stream it refuses here.

use std::borrow::Cow;

use crate::{Content, Decoder, Flaw, Frame, Limits, Payload, StreamCondition, Text, escape, ns};

/// What the wrapper is qualified by.
pub(crate) const BOSH: &str = "http://jabber.org/protocol/httpbind";
/// What the attributes of XEP-0206 are qualified by.
const XMPP: &str = "urn:xmpp:xbosh";
/// Bytes that a wrapper may have in its two tags, beside those of its payloads.
const WRAPPER_BYTES_MAX: usize = 4096;

/// A wrapper that was read.
#[derive(Clone, Debug)]
pub struct Body {
    wrapper: Payload,
    payloads: Vec<Text>,
}

impl Body {
    /// The value of an attribute without prefix, or of `xml:lang`.
    pub fn attribute(&self, name: &str) -> Option<Cow<'_, str>> {
        self.wrapper.element().attribute(name)
    }

    /// The value of an attribute of XEP-0206, whatever its prefix is.
    pub fn xmpp(&self, name: &str) -> Option<Cow<'_, str>> {
        let wrapper = self.wrapper.element();
        let ours = |(key, value): (&'_ str, &'_ str)| {
            let prefix = key.strip_prefix("xmlns:")?;
            (value == XMPP).then(|| format!("{prefix}:{name}"))
        };
        let mut names = wrapper.attributes().filter_map(ours);
        names.find_map(|name| wrapper.attribute(&name))
    }

    /// The payloads, canonical, each with its namespace. What says none, or that of the wrapper,
    /// is `jabber:client` (XEP-0206 §2).
    pub fn payloads(&self) -> &[Text] {
        &self.payloads
    }

    /// The same, to keep.
    pub fn into_payloads(self) -> Vec<Text> {
        self.payloads
    }
}

/// Reads one wrapper, in pieces as they come.
#[derive(Debug)]
pub struct BodyDecoder {
    decoder: Decoder,
    limits: Limits,
    bytes: usize,
    wrapper: Option<Payload>,
    payloads: Vec<Text>,
    payload_bytes: usize,
    ended: bool,
}

impl BodyDecoder {
    /// A decoder for one wrapper. All its payloads together may be as big as one stanza by
    /// `limits`, and have as many elements.
    pub fn new(limits: Limits) -> Self {
        Self {
            decoder: Decoder::wrapped(Content::Client, limits),
            limits,
            bytes: 0,
            wrapper: None,
            payloads: Vec::new(),
            payload_bytes: 0,
            ended: false,
        }
    }

    /// The most bytes that it reads.
    pub fn bytes_max(&self) -> usize {
        self.limits.stanza_bytes_max + WRAPPER_BYTES_MAX
    }

    /// Sets other limits, from the next token on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.decoder.set_limits(limits);
    }

    /// Reads on, and takes what it read from `input`. Once, when the wrapper's start tag has come,
    /// it stops behind it and gives true: its reader may then know better limits.
    ///
    /// # Errors
    /// What the decoder refuses, and what is no wrapper. Final.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<bool, Flaw> {
        let before = input.len();
        let begun = self.frames(input);
        self.bytes += before - input.len();
        match begun {
            Ok(_) if self.bytes > self.bytes_max() => Err(TOO_BIG),
            begun => begun,
        }
    }

    /// The value of an attribute of the wrapper, once its start tag has come.
    pub fn attribute(&self, name: &str) -> Option<Cow<'_, str>> {
        self.wrapper.as_ref()?.element().attribute(name)
    }

    /// All has come.
    ///
    /// # Errors
    /// The wrapper has no end.
    pub fn finish(self) -> Result<Body, Flaw> {
        match self.wrapper {
            Some(wrapper) if self.ended => Ok(Body { wrapper, payloads: self.payloads }),
            _ => Err(Flaw::not_well_formed("ends before the wrapper does")),
        }
    }

    fn frames(&mut self, input: &mut &[u8]) -> Result<bool, Flaw> {
        while let Some(frame) = self.decoder.next(input)? {
            match frame {
                Frame::Open(open) if open.ns == BOSH && open.name == "body" => {
                    self.wrapper = Some(open.element);
                    return Ok(true);
                }
                Frame::Open(_) => return Err(NO_WRAPPER),
                Frame::Stanza(stanza) => self.payload(&stanza.to_payload())?,
                Frame::Element(payload) => self.payload(&payload)?,
                Frame::Close => self.ended = true,
            }
        }
        Ok(false)
    }

    fn payload(&mut self, payload: &Payload) -> Result<(), Flaw> {
        let payload = payload.element().with_ns();
        self.payload_bytes += payload.len();
        self.payloads.push(payload.into());
        let count = self.payloads.len();
        if count > self.limits.elements_max || self.payload_bytes > self.bytes_max() {
            return Err(TOO_BIG);
        }
        Ok(())
    }
}

const TOO_BIG: Flaw = Flaw::policy("the wrapper is too big");
const NO_WRAPPER: Flaw = Flaw::new(StreamCondition::BadFormat, "the root element is no wrapper");

/// A wrapper to be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wrapper<'a> {
    /// Names and values; a name of XEP-0206 has the prefix `xmpp`.
    pub attributes: &'a [(&'static str, Cow<'a, str>)],
    /// Whether the prefix `stream` must be declared (XEP-0206 §2).
    pub streams: bool,
    /// Canonical, each with its namespace.
    pub payloads: &'a str,
}

impl Wrapper<'_> {
    /// The document.
    pub fn to_text(self) -> Text {
        let mut out = Vec::with_capacity(256 + self.payloads.len());
        out.extend_from_slice(b"<body");
        escape::attribute("xmlns", BOSH, &mut out);
        if self.attributes.iter().any(|(name, _)| name.starts_with("xmpp:")) {
            escape::attribute("xmlns:xmpp", XMPP, &mut out);
        }
        if self.streams {
            escape::attribute("xmlns:stream", ns::STREAM, &mut out);
        }
        for (name, value) in self.attributes {
            escape::attribute(name, value, &mut out);
        }
        match self.payloads {
            "" => out.extend_from_slice(b"/>"),
            payloads => {
                out.push(b'>');
                out.extend_from_slice(payloads.as_bytes());
                out.extend_from_slice(b"</body>");
            }
        }
        Text::try_from(out).expect("made of str")
    }
}

#[cfg(test)]
mod tests;
