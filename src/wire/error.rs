//! Stream errors and stanza errors (RFC 6120 §4.9 and §8.3).

use std::borrow::Cow;
use std::fmt;

use crate::{Draft, Framing, Name, Payload, ns};

/// A closed set of condition names that are element names on the wire.
macro_rules! conditions {
    ($(#[$doc:meta])* $type:ident { $($(#[$about:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[$about])* $variant,)+ }

        impl $type {
            /// All of them, in the order of the RFC.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The one with this name on the wire.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

conditions! {
    /// Why a stream ends (RFC 6120 §4.9.3).
    StreamCondition {
        /// XML that cannot be processed (§4.9.3.1).
        BadFormat = "bad-format",
        /// A prefix that is not supported, or none where one is needed (§4.9.3.2).
        BadNamespacePrefix = "bad-namespace-prefix",
        /// A newer stream conflicts with this one (§4.9.3.3).
        Conflict = "conflict",
        /// The peer is thought to be unreachable (§4.9.3.4).
        ConnectionTimeout = "connection-timeout",
        /// The domain of `to` is no longer served (§4.9.3.5).
        HostGone = "host-gone",
        /// The domain of `to` is not served (§4.9.3.6).
        HostUnknown = "host-unknown",
        /// A stanza between servers lacks `to` or `from` (§4.9.3.7).
        ImproperAddressing = "improper-addressing",
        /// A fault of our own (§4.9.3.8).
        InternalServerError = "internal-server-error",
        /// `from` does not match the authorized identity (§4.9.3.9).
        InvalidFrom = "invalid-from",
        /// The stream or content namespace is not supported (§4.9.3.10).
        InvalidNamespace = "invalid-namespace",
        /// XML that is invalid against a schema (§4.9.3.11).
        InvalidXml = "invalid-xml",
        /// An action before authentication (§4.9.3.12).
        NotAuthorized = "not-authorized",
        /// Not well-formed, by XML or by Namespaces in XML (§4.9.3.13).
        NotWellFormed = "not-well-formed",
        /// A local policy is violated, limits included (§4.9.3.14).
        PolicyViolation = "policy-violation",
        /// A remote entity needed for authentication cannot be reached (§4.9.3.15).
        RemoteConnectionFailed = "remote-connection-failed",
        /// Security-relevant things changed, the stream must start anew (§4.9.3.16).
        Reset = "reset",
        /// Not enough resources to serve the stream (§4.9.3.17).
        ResourceConstraint = "resource-constraint",
        /// A feature of XML that RFC 6120 §11.1 forbids (§4.9.3.18).
        RestrictedXml = "restricted-xml",
        /// The peer shall go elsewhere (§4.9.3.19).
        SeeOtherHost = "see-other-host",
        /// The server is shutting down (§4.9.3.20).
        SystemShutdown = "system-shutdown",
        /// Something else, told by an application-specific element (§4.9.3.21).
        UndefinedCondition = "undefined-condition",
        /// An encoding other than UTF-8 (§4.9.3.22).
        UnsupportedEncoding = "unsupported-encoding",
        /// A mandatory feature that is not supported (§4.9.3.23).
        UnsupportedFeature = "unsupported-feature",
        /// A first-level element that is not understood (§4.9.3.24).
        UnsupportedStanzaType = "unsupported-stanza-type",
        /// A version of XMPP that is not supported (§4.9.3.25).
        UnsupportedVersion = "unsupported-version",
    }
}

conditions! {
    /// Why a stanza is refused (RFC 6120 §8.3.3).
    StanzaCondition {
        /// XML that is malformed or cannot be processed (§8.3.3.1).
        BadRequest = "bad-request",
        /// An existing resource has the same name (§8.3.3.2).
        Conflict = "conflict",
        /// Not implemented (§8.3.3.3).
        FeatureNotImplemented = "feature-not-implemented",
        /// The sender lacks permission (§8.3.3.4).
        Forbidden = "forbidden",
        /// The recipient is no longer at this address (§8.3.3.5).
        Gone = "gone",
        /// A fault of our own (§8.3.3.6).
        InternalServerError = "internal-server-error",
        /// The addressed item does not exist (§8.3.3.7).
        ItemNotFound = "item-not-found",
        /// An address is malformed (§8.3.3.8).
        JidMalformed = "jid-malformed",
        /// The criteria of the recipient are not met (§8.3.3.9).
        NotAcceptable = "not-acceptable",
        /// Nobody may do this (§8.3.3.10).
        NotAllowed = "not-allowed",
        /// The sender must first authenticate (§8.3.3.11).
        NotAuthorized = "not-authorized",
        /// A local policy is violated (§8.3.3.12).
        PolicyViolation = "policy-violation",
        /// The recipient is temporarily unavailable (§8.3.3.13).
        RecipientUnavailable = "recipient-unavailable",
        /// Requests go elsewhere for now (§8.3.3.14).
        Redirect = "redirect",
        /// Registration is required (§8.3.3.15).
        RegistrationRequired = "registration-required",
        /// The domain of `to` does not exist or speaks no XMPP (§8.3.3.16).
        RemoteServerNotFound = "remote-server-not-found",
        /// The domain of `to` could not be reached in time (§8.3.3.17).
        RemoteServerTimeout = "remote-server-timeout",
        /// Not enough resources to serve this (§8.3.3.18).
        ResourceConstraint = "resource-constraint",
        /// The service is not provided here (§8.3.3.19).
        ServiceUnavailable = "service-unavailable",
        /// A subscription is required (§8.3.3.20).
        SubscriptionRequired = "subscription-required",
        /// Something else, told by an application-specific element (§8.3.3.21).
        UndefinedCondition = "undefined-condition",
        /// Understood, but not expected at this time (§8.3.3.22).
        UnexpectedRequest = "unexpected-request",
    }
}

conditions! {
    /// What the sender of a refused stanza can do about it (RFC 6120 §8.3.2).
    ErrorType {
        /// Retry after providing credentials.
        Auth = "auth",
        /// Do not retry.
        Cancel = "cancel",
        /// Proceed: it was only a warning.
        Continue = "continue",
        /// Retry after changing the data.
        Modify = "modify",
        /// Retry after waiting.
        Wait = "wait",
    }
}

impl StanzaCondition {
    /// The type that RFC 6120 §8.3.3 associates with the condition.
    pub const fn default_type(self) -> ErrorType {
        match self {
            Self::BadRequest
            | Self::JidMalformed
            | Self::NotAcceptable
            | Self::PolicyViolation
            | Self::Redirect
            | Self::UndefinedCondition => ErrorType::Modify,
            Self::Forbidden
            | Self::NotAuthorized
            | Self::RegistrationRequired
            | Self::SubscriptionRequired => ErrorType::Auth,
            Self::RecipientUnavailable
            | Self::RemoteServerTimeout
            | Self::ResourceConstraint
            | Self::UnexpectedRequest => ErrorType::Wait,
            Self::Conflict
            | Self::FeatureNotImplemented
            | Self::Gone
            | Self::InternalServerError
            | Self::ItemNotFound
            | Self::NotAllowed
            | Self::RemoteServerNotFound
            | Self::ServiceUnavailable => ErrorType::Cancel,
        }
    }
}

/// Why the decoder refused: becomes a stream error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The condition to close the stream with.
    pub condition: StreamCondition,
    /// What was wrong, for the peer's developer and our log. Never holds the peer's data.
    pub why: &'static str,
}

impl Flaw {
    pub(crate) const fn new(condition: StreamCondition, why: &'static str) -> Self {
        Self { condition, why }
    }

    pub(crate) const fn not_well_formed(why: &'static str) -> Self {
        Self::new(StreamCondition::NotWellFormed, why)
    }

    pub(crate) const fn restricted(why: &'static str) -> Self {
        Self::new(StreamCondition::RestrictedXml, why)
    }

    pub(crate) const fn policy(why: &'static str) -> Self {
        Self::new(StreamCondition::PolicyViolation, why)
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.condition, self.why)
    }
}

impl std::error::Error for Flaw {}

/// The last thing said on a stream that failed (RFC 6120 §4.9).
#[derive(Clone, Debug)]
pub struct StreamError {
    /// Which of the conditions.
    pub condition: StreamCondition,
    /// A sentence for humans. For `see-other-host`, the address to go to.
    pub text: Option<Cow<'static, str>>,
    /// An application-specific condition.
    pub app: Option<Payload>,
}

impl StreamError {
    /// Appends `<stream:error>…</stream:error>`; in a stream the header has declared the prefix.
    pub fn write(&self, framing: Framing, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<stream:error");
        out.extend_from_slice(framing.declaration().as_bytes());
        out.push(b'>');
        let mut condition = Draft::new(Name::new(ns::STREAM_ERRORS, self.condition.as_str()));
        let see_other = self.condition == StreamCondition::SeeOtherHost;
        if let (true, Some(host)) = (see_other, &self.text) {
            condition = condition.text(host);
        }
        out.extend_from_slice(condition.finish().as_str().as_bytes());
        if let (false, Some(text)) = (see_other, &self.text) {
            let text = Draft::new(Name::new(ns::STREAM_ERRORS, "text"))
                .attribute("xml:lang", "en")
                .text(text);
            out.extend_from_slice(text.finish().as_str().as_bytes());
        }
        if let Some(app) = &self.app {
            out.extend_from_slice(app.as_str().as_bytes());
        }
        out.extend_from_slice(b"</stream:error>");
    }
}

impl From<StreamCondition> for StreamError {
    fn from(condition: StreamCondition) -> Self {
        Self { condition, text: None, app: None }
    }
}

impl From<Flaw> for StreamError {
    fn from(flaw: Flaw) -> Self {
        Self { condition: flaw.condition, text: Some(Cow::Borrowed(flaw.why)), app: None }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(self.condition.as_str(), self.text.as_deref(), f)
    }
}

impl std::error::Error for StreamError {}

/// Why a stanza was refused (RFC 6120 §8.3).
#[derive(Clone, Debug)]
pub struct StanzaError {
    /// What the sender can do about it.
    pub type_: ErrorType,
    /// Which of the conditions.
    pub condition: StanzaCondition,
    /// A sentence for humans. For `gone` and `redirect`, the new address as a URI.
    pub text: Option<Cow<'static, str>>,
    /// An application-specific condition.
    pub app: Option<Payload>,
}

impl StanzaError {
    /// An error with another type than the usual one of its condition.
    pub const fn new(type_: ErrorType, condition: StanzaCondition) -> Self {
        Self { type_, condition, text: None, app: None }
    }

    /// The same with a sentence for humans.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// The same with an application-specific condition.
    #[must_use]
    pub fn with_app(mut self, app: Payload) -> Self {
        self.app = Some(app);
        self
    }

    /// The `<error/>` child.
    pub fn to_payload(&self) -> Payload {
        let mut condition = Draft::new(Name::new(ns::STANZA_ERRORS, self.condition.as_str()));
        let moved = matches!(self.condition, StanzaCondition::Gone | StanzaCondition::Redirect);
        if let (true, Some(uri)) = (moved, &self.text) {
            condition = condition.text(uri);
        }
        let mut error = Draft::new(Name::new(ns::CLIENT, "error"))
            .attribute("type", self.type_.as_str())
            .child(condition);
        if let (false, Some(text)) = (moved, &self.text) {
            let text = Draft::new(Name::new(ns::STANZA_ERRORS, "text"))
                .attribute("xml:lang", "en")
                .text(text);
            error = error.child(text);
        }
        match &self.app {
            Some(app) => error.payload(app).finish(),
            None => error.finish(),
        }
    }
}

impl From<StanzaCondition> for StanzaError {
    fn from(condition: StanzaCondition) -> Self {
        Self::new(condition.default_type(), condition)
    }
}

impl fmt::Display for StanzaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(self.condition.as_str(), self.text.as_deref(), f)
    }
}

impl std::error::Error for StanzaError {}

fn describe(condition: &str, text: Option<&str>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match text {
        Some(text) => write!(f, "{condition}: {text}"),
        None => f.write_str(condition),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Condition and type, transcribed. Where there are two types, the first.
    const TYPES: &str = "bad-request modify, conflict cancel, feature-not-implemented cancel, \
        forbidden auth, gone cancel, internal-server-error cancel, item-not-found cancel, \
        jid-malformed modify, not-acceptable modify, not-allowed cancel, not-authorized auth, \
        policy-violation modify, recipient-unavailable wait, redirect modify, \
        registration-required auth, remote-server-not-found cancel, remote-server-timeout wait, \
        resource-constraint wait, service-unavailable cancel, subscription-required auth, \
        unexpected-request wait";

    #[test]
    fn each_condition_has_the_type_that_rfc6120_8_3_3_gives_it() {
        for pair in TYPES.split(", ") {
            let (name, type_) = pair.split_once(' ').unwrap();
            let condition = StanzaCondition::from_name(name).unwrap();
            assert_eq!(condition.default_type().as_str(), type_, "{name}");
        }
    }
}
