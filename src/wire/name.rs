//! Names of elements, and the namespaces of the RFCs.

/// The expanded name of an element: namespace and local name (Namespaces in XML 1.0 §2.1).
///
/// Children in the content namespace are `jabber:client` here on every stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The namespace URI, `""` for none. Must not hold a character that XML escapes.
    pub ns: &'static str,
    /// The local part, without prefix.
    pub local: &'static str,
}

impl Name {
    /// A name, for constants.
    pub const fn new(ns: &'static str, local: &'static str) -> Self {
        Self { ns, local }
    }
}

/// The namespaces of RFC 6120, RFC 6121, RFC 7395 and XML itself. Those of a XEP live with the XEP.
pub mod ns {
    /// Content of a client stream (RFC 6120 §4.8.2).
    pub const CLIENT: &str = "jabber:client";
    /// Content of a server stream (RFC 6120 §4.8.2).
    pub const SERVER: &str = "jabber:server";
    /// The stream header and its features (RFC 6120 §4.8.1).
    pub const STREAM: &str = "http://etherx.jabber.org/streams";
    /// Header and footer of a stream in messages (RFC 7395 §3.3).
    pub const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
    /// Conditions of stream errors (RFC 6120 §4.9.2).
    pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
    /// Conditions of stanza errors (RFC 6120 §8.3.2).
    pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
    /// STARTTLS (RFC 6120 §5).
    pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
    /// SASL (RFC 6120 §6).
    pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
    /// Resource binding (RFC 6120 §7).
    pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
    /// Session establishment, obsolete, offered for old clients (RFC 6121 §1.4).
    pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
    /// The roster (RFC 6121 §2).
    pub const ROSTER: &str = "jabber:iq:roster";
    /// What the prefix `xml` is bound to (Namespaces in XML 1.0 §3).
    pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
    /// What the prefix `xmlns` is bound to (Namespaces in XML 1.0 §3).
    pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
}
