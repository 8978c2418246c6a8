//! The stream header and footer that we send (RFC 6120 §4.7).

use crate::{Content, escape, ns};

/// The footer: closes the stream (RFC 6120 §4.4).
pub const CLOSE: &str = "</stream:stream>";

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
    /// Appends the XML declaration and the opening tag.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<?xml version='1.0'?><stream:stream");
        let attributes = [
            ("xmlns", Some(self.content.ns())),
            ("xmlns:stream", Some(ns::STREAM)),
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
        out.push(b'>');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_declares_content_and_stream_namespaces_rfc6120_4_8() {
        let mut out = Vec::new();
        let header = Header {
            content: Content::Server,
            from: Some("a'b"),
            to: None,
            id: Some("<1>"),
            version: Some("1.0"),
            lang: Some("en"),
        };
        header.write(&mut out);
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            "<?xml version='1.0'?><stream:stream xmlns='jabber:server' \
             xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='&lt;1&gt;' \
             from='a&apos;b' xml:lang='en'>"
        );
    }
}
