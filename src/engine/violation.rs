//! What a peer did that the RFCs forbid: one variant per sentence, closed. Each ends the stream.

use wire::StreamCondition;

/// What a peer did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Violation {
    /// The root element is in the stream namespace, but is not `<stream/>` (RFC 6120 §4.9.3.1).
    RootNotStream,
    /// The root element is not in the stream namespace (§4.8.1).
    StreamNamespace,
    /// The default namespace is not the content namespace of this kind of stream (§4.8.2).
    ContentNamespace,
    /// The prefix of the root element is neither `stream` nor absent (§4.8.5).
    StreamPrefix,
    /// A message of the transport is not one element and nothing else (RFC 7395 §3.3).
    NotOneElement,
    /// A message of the transport ends before its element does (RFC 7395 §3.3).
    HalfElement,
    /// The version is absent, below 1.0 or no number (§4.7.5).
    VersionTooLow,
    /// `to` names no domain of ours (§4.9.3.6).
    HostUnknown,
    /// `to` is absent, and we serve more than one domain (§4.7.2).
    HostMissing,
    /// A restarted stream has another `to` than the stream before (§4.3.3).
    HostChanged,
    /// A stanza before the client has authenticated (§4.9.3.12).
    StanzaBeforeAuth,
    /// A stanza other than the bind request before a resource is bound (§7.1).
    StanzaBeforeBind,
    /// A first-level element that is no stanza and not known at this stage (§4.9.3.24).
    ElementUnknown,
    /// SASL again after success (§6.4.6).
    AuthAfterSuccess,
    /// More failed SASL exchanges, or refused requests before login, than allowed (§6.4.5).
    AuthTries,
    /// Authenticated as somebody else than the stream header said under TLS (§6.4.6).
    FromOther,
    /// More refused requests for a resource than allowed (§7.7.3).
    BindTries,
    /// No resource bound in time (§4.9.3.4).
    AuthTime,
    /// `from` is not the address of this stream (§8.1.2.1).
    FromForged,
    /// `from` is no address (§8.1.2.1).
    FromMalformed,
    /// Silence, also after white space was sent (§4.6.2).
    Silent,
    /// What is to be answered was not, and nothing else was heard (XEP-0198 §4).
    Unanswered,
}

impl Violation {
    /// The stream error it is answered with.
    pub fn condition(self) -> StreamCondition {
        self.facts().0
    }

    /// For the log and for `<text/>`.
    pub fn why(self) -> &'static str {
        self.facts().1
    }

    fn facts(self) -> (StreamCondition, &'static str) {
        use StreamCondition as Is;
        match self {
            Self::RootNotStream => (Is::BadFormat, "the root element is not a stream"),
            Self::StreamNamespace => {
                (Is::InvalidNamespace, "the root element is not in the stream namespace")
            }
            Self::ContentNamespace => {
                (Is::InvalidNamespace, "the default namespace is not that of this kind of stream")
            }
            Self::StreamPrefix => (Is::BadNamespacePrefix, "the stream's prefix must be 'stream'"),
            Self::NotOneElement => (Is::BadFormat, "a message must be one element, nothing else"),
            Self::HalfElement => (Is::NotWellFormed, "the message ends before its element does"),
            Self::VersionTooLow => (Is::UnsupportedVersion, "version 1.0 or higher is needed"),
            Self::HostUnknown => (Is::HostUnknown, "this domain is not served here"),
            Self::HostMissing => (Is::HostUnknown, "the stream header does not say to whom"),
            Self::HostChanged => (Is::HostUnknown, "a restarted stream must keep its domain"),
            Self::StanzaBeforeAuth => (Is::NotAuthorized, "a stanza before authentication"),
            Self::StanzaBeforeBind => (Is::NotAuthorized, "a stanza before a resource is bound"),
            Self::ElementUnknown => {
                (Is::UnsupportedStanzaType, "this element is not understood at this stage")
            }
            Self::AuthAfterSuccess => (Is::PolicyViolation, "already authenticated"),
            Self::AuthTries => (Is::PolicyViolation, "too many failed authentications"),
            Self::FromOther => (Is::InvalidFrom, "the stream header named another account"),
            Self::BindTries => (Is::PolicyViolation, "too many refused resources"),
            Self::AuthTime => (Is::ConnectionTimeout, "no resource was bound in time"),
            Self::FromForged => (Is::InvalidFrom, "this is not the address of this stream"),
            Self::FromMalformed => (Is::InvalidFrom, "the sender's address is malformed"),
            Self::Silent => (Is::ConnectionTimeout, "nothing was heard for too long"),
            Self::Unanswered => (Is::ConnectionTimeout, "nothing was acknowledged for too long"),
        }
    }
}
