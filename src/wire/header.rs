//! The stream header and footer that we send (RFC 6120 §4.7, RFC 7395 §3.4).

use crate::{Content, Framing, escape, ns};

/// The footer: closes the stream (RFC 6120 §4.4).
pub const CLOSE: &str = "</stream:stream>";

impl Framing {
    /// The footer (RFC 6120 §4.4, RFC 7395 §3.6).
    pub const fn footer(self) -> &'static str {
        match self {
            Self::Stream => CLOSE,
            Self::Framed => "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>",
        }
    }

    /// What an element with the prefix `stream` must declare itself.
    pub const fn declaration(self) -> &'static str {
        match self {
            Self::Stream => "",
            Self::Framed => " xmlns:stream='http://etherx.jabber.org/streams'",
        }
    }
}

/// What our stream header says.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// The content namespace.
    pub content: Content,
    /// `from`.
    pub from: Option<&'a str>,
    /// `to`.
    pub to: Option<&'a str>,
    /// `id`, only said by the receiving entity.
    pub id: Option<&'a str>,
    /// `version`; not said to who said none (RFC 6120 §4.7.5).
    pub version: Option<&'a str>,
    /// `xml:lang`.
    pub lang: Option<&'a str>,
}

impl Header<'_> {
    /// Appends the XML declaration and the opening tag; of a stream in messages `<open/>`, which
    /// has no declaration before it.
    pub fn write(&self, framing: Framing, out: &mut Vec<u8>) {
        let (start, end, namespaces) = match framing {
            Framing::Stream => {
                let stream = ("xmlns:stream", ns::STREAM);
                let content = ("xmlns", self.content.ns());
                ("<?xml version='1.0'?><stream:stream", ">", [Some(content), Some(stream)])
            }
            Framing::Framed => ("<open", "/>", [Some(("xmlns", ns::FRAMING)), None]),
        };
        out.extend_from_slice(start.as_bytes());
        for (name, value) in namespaces.into_iter().flatten() {
            escape::attribute(name, value, out);
        }
        let attributes = [
            ("version", self.version),
            ("id", self.id),
            ("from", self.from),
            ("to", self.to),
            ("xml:lang", self.lang),
        ];
        for (name, value) in attributes {
            if let Some(value) = value {
                escape::attribute(name, value, out);
            }
        }
        out.extend_from_slice(end.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header<'_> = Header {
        content: Content::Server,
        from: Some("a'b"),
        to: None,
        id: Some("<1>"),
        version: Some("1.0"),
        lang: Some("en"),
    };

    fn written(framing: Framing) -> String {
        let mut out = Vec::new();
        HEADER.write(framing, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_header_declares_content_and_stream_namespaces_rfc6120_4_8() {
        assert_eq!(
            written(Framing::Stream),
            "<?xml version='1.0'?><stream:stream xmlns='jabber:server' \
             xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='&lt;1&gt;' \
             from='a&apos;b' xml:lang='en'>"
        );
    }

    #[test]
    fn in_messages_the_header_is_an_element_of_its_own_rfc7395_3_4() {
        assert_eq!(
            written(Framing::Framed),
            "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' id='&lt;1&gt;' \
             from='a&apos;b' xml:lang='en'/>"
        );
    }
}
