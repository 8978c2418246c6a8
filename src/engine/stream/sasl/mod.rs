//! SASL (RFC 6120 §6, RFC 4422): each mechanism is a small machine, free of XML. A state consumes
//! itself and says what comes next.

mod binding;
pub mod envelope;
mod key;
mod plain;
mod scram;
#[cfg(test)]
pub(super) mod tests;

pub use binding::Binding;
pub use key::{Hash, credentials, derive, verify};

use crate::{
    ctx::Ctx,
    stream::machine::{Fact, Question},
};
use plain::Plain;
use scram::Scram;
use wire::Bare;

/// What we offer. Never anything that is not in this list (attack class: an unoffered mechanism
/// is accepted).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 5802, RFC 7677.
    Scram(Hash),
    /// RFC 4616.
    Plain,
}

impl Mechanism {
    /// All of them, in our order of preference (RFC 6120 §6.3.3).
    pub const ALL: [Self; 4] = [
        Self::Scram(Hash::Sha512),
        Self::Scram(Hash::Sha256),
        Self::Scram(Hash::Sha1),
        Self::Plain,
    ];

    /// Its registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scram(Hash::Sha512) => "SCRAM-SHA-512",
            Self::Scram(Hash::Sha256) => "SCRAM-SHA-256",
            Self::Scram(Hash::Sha1) => "SCRAM-SHA-1",
            Self::Plain => "PLAIN",
        }
    }

    /// The mechanism of this name, if we offer it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }
}

/// Why an exchange failed (RFC 6120 §6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The client gave up (§6.5.1).
    Aborted,
    /// TLS comes first (§6.5.4).
    EncryptionRequired,
    /// Not base64 (§6.5.5).
    IncorrectEncoding,
    /// Wants to act as somebody else (§6.5.6).
    InvalidAuthzid,
    /// Not offered (§6.5.7).
    InvalidMechanism,
    /// Not what the mechanism wants to read (§6.5.8).
    MalformedRequest,
    /// Wrong password, or no such account: never told apart (§6.5.10).
    NotAuthorized,
    /// Our side failed (§6.5.11).
    TemporaryAuthFailure,
}

impl Failure {
    /// Its element.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::EncryptionRequired => "encryption-required",
            Self::IncorrectEncoding => "incorrect-encoding",
            Self::InvalidAuthzid => "invalid-authzid",
            Self::InvalidMechanism => "invalid-mechanism",
            Self::MalformedRequest => "malformed-request",
            Self::NotAuthorized => "not-authorized",
            Self::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }
}

/// What an exchange says.
pub enum Step {
    /// To the client: this, and a response is awaited.
    Challenge(Exchange, String),
    /// To the world: a fact is awaited.
    Ask(Exchange, Question),
    /// Authenticated as this account. The mechanism's last words, if it has any.
    Success(Bare, Option<String>),
    /// The exchange is over.
    Failure(Failure),
}

/// An exchange under way.
pub enum Exchange {
    /// PLAIN.
    Plain(Plain),
    /// SCRAM. Boxed: it is there for two round trips, the stream that holds it for days.
    Scram(Box<Scram>),
}

impl Exchange {
    /// An exchange for an account of `domain`. The client speaks first.
    pub fn new(mechanism: Mechanism, domain: Bare) -> Self {
        match mechanism {
            Mechanism::Plain => Self::Plain(Plain::new(domain)),
            Mechanism::Scram(hash) => Self::Scram(Box::new(Scram::new(hash, domain))),
        }
    }

    /// The client says this, decoded.
    pub fn response(self, ctx: &Ctx<'_>, message: &[u8]) -> Step {
        let Ok(message) = std::str::from_utf8(message) else {
            return Step::Failure(Failure::MalformedRequest);
        };
        let step = match self {
            Self::Plain(plain) => plain.response(message),
            Self::Scram(scram) => scram.response(ctx, message),
        };
        step.unwrap_or_else(Step::Failure)
    }

    /// The world answers.
    pub fn fact(self, ctx: &Ctx<'_>, fact: Fact) -> Step {
        let step = match self {
            Self::Plain(plain) => plain.fact(ctx, fact),
            Self::Scram(scram) => scram.fact(ctx, fact),
        };
        step.unwrap_or_else(Step::Failure)
    }
}

/// The account of `domain` that a user name means. What is no local part names no account.
fn account(user: &str, domain: &Bare) -> Result<Bare, Failure> {
    let jid = wire::Jid::new(Some(user), domain.domain(), None);
    jid.map(|jid| jid.bare()).map_err(|_| Failure::NotAuthorized)
}

/// A client may act as itself only: an empty identity, or its own bare address (RFC 6120 §6.3.8).
fn authorize(authzid: &str, account: &Bare) -> Result<(), Failure> {
    let own = authzid.is_empty() || Bare::parse(authzid).is_ok_and(|bare| bare == *account);
    own.then_some(()).ok_or(Failure::InvalidAuthzid)
}
