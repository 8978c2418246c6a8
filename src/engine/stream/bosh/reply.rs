//! What an HTTP request is answered (XEP-0124 §17).

use std::borrow::Cow;
use wire::{Text, Wrapper};

/// By this the shell finds an HTTP request again. It gives each one of its own.
pub type Ticket = u64;

/// What one HTTP request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which one.
    pub ticket: Ticket,
    /// With what.
    pub reply: Reply,
}

/// An HTTP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200, or what a client without `ver` understands (§17.1).
    pub status: u16,
    /// The wrapper.
    pub body: Text,
}

/// Why a session ends, or does not begin (§17.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The wrapper cannot be read.
    BadRequest,
    /// The domain is not served here.
    HostUnknown,
    /// It is not said for which domain, and there are several.
    ImproperAddressing,
    /// No such session, or no such request.
    ItemNotFound,
    /// Another request has ended the session.
    OtherRequest,
    /// A limit is reached, or a rule of the session is broken.
    PolicyViolation,
    /// The stream has ended with an error, which is a payload: also when the server stops.
    RemoteStreamError,
}

impl Condition {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::HostUnknown => "host-unknown",
            Self::ImproperAddressing => "improper-addressing",
            Self::ItemNotFound => "item-not-found",
            Self::OtherRequest => "other-request",
            Self::PolicyViolation => "policy-violation",
            Self::RemoteStreamError => "remote-stream-error",
        }
    }

    /// What HTTP says of it to a client that did not say its version.
    const fn legacy_status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::PolicyViolation => 403,
            Self::ItemNotFound => 404,
            _ => 200,
        }
    }
}

impl Reply {
    pub(super) fn of(wrapper: Wrapper<'_>) -> Self {
        Self { status: 200, body: wrapper.to_text() }
    }

    /// Nothing to say.
    pub(super) fn empty() -> Self {
        Self::of(Wrapper::default())
    }

    /// The request has been sent again, elsewhere (§14.3, §17.3).
    pub(super) fn recoverable() -> Self {
        Self::of(Wrapper { attributes: &[("type", "error".into())], ..Wrapper::default() })
    }

    /// The end of a session, or its refusal.
    pub fn terminal(condition: Condition, legacy: bool) -> Self {
        let attributes = [("type", "terminate".into()), ("condition", condition.as_str().into())];
        let reply = Self::of(Wrapper { attributes: &attributes, ..Wrapper::default() });
        let status = if legacy { condition.legacy_status() } else { 200 };
        Self { status, ..reply }
    }
}

/// Attributes of a wrapper, as they are put together.
#[derive(Debug, Default)]
pub(super) struct Attributes<'a>(pub(super) Vec<(&'static str, Cow<'a, str>)>);

impl<'a> Attributes<'a> {
    pub(super) fn text(&mut self, name: &'static str, value: impl Into<Cow<'a, str>>) {
        self.0.push((name, value.into()));
    }

    pub(super) fn number(&mut self, name: &'static str, value: u64) {
        self.text(name, value.to_string());
    }
}
