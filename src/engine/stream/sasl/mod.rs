//! SASL (RFC 6120 §6, RFC 4422): each mechanism is a small machine, free of XML. A state consumes
//! itself and says what comes next.

mod advertised;
mod anonymous;
mod argon2id;
mod authorization;
mod binding;
mod external;
mod key;
mod password;
mod plain;
pub mod profile;
mod scram;
#[cfg(test)]
pub(super) mod tests;
mod token;

pub use advertised::Advertised;
pub use binding::Binding;
pub use key::{Hash, derive, salt, salted};
pub use password::{credentials, is_kept_so, verify};
pub use token::{Ht, Known};

use crate::{
    ctx::Ctx,
    device::{Slot, Use},
    settings::{Passwords, Storage},
    stream::machine::{Fact, Question},
    unit::Credentials,
};
use anonymous::Anonymous;
use authorization::Authorization;
use external::External;
use plain::Plain;
use scram::Scram;
use token::Token;
use wire::{Bare, Text};

/// A mechanism that we know. What a stream offers of them, [`Advertised`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 5802, RFC 7677, bound to the channel.
    ScramPlus(Hash),
    /// RFC 5802, RFC 7677.
    Scram(Hash),
    /// RFC 4616.
    Plain,
    /// RFC 4422 §A: by the client's certificate.
    External,
    /// RFC 4505.
    Anonymous,
}

impl Mechanism {
    /// All of them, in our order of preference (RFC 6120 §6.3.3).
    pub const ALL: [Self; 9] = [
        Self::External,
        Self::ScramPlus(Hash::Sha512),
        Self::ScramPlus(Hash::Sha256),
        Self::ScramPlus(Hash::Sha1),
        Self::Scram(Hash::Sha512),
        Self::Scram(Hash::Sha256),
        Self::Scram(Hash::Sha1),
        Self::Plain,
        Self::Anonymous,
    ];

    /// Its registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramPlus(Hash::Sha512) => "SCRAM-SHA-512-PLUS",
            Self::ScramPlus(Hash::Sha256) => "SCRAM-SHA-256-PLUS",
            Self::ScramPlus(Hash::Sha1) => "SCRAM-SHA-1-PLUS",
            Self::Scram(Hash::Sha512) => "SCRAM-SHA-512",
            Self::Scram(Hash::Sha256) => "SCRAM-SHA-256",
            Self::Scram(Hash::Sha1) => "SCRAM-SHA-1",
            Self::Plain => "PLAIN",
            Self::External => "EXTERNAL",
            Self::Anonymous => "ANONYMOUS",
        }
    }

    /// Whether passwords that are kept so can be known by it.
    fn suits(self, passwords: &Passwords) -> bool {
        match self {
            Self::ScramPlus(_) | Self::Scram(_) => passwords.storage == Storage::Scram,
            Self::Plain | Self::External | Self::Anonymous => true,
        }
    }

    /// The mechanism of this name, if we know it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }
}

/// Why an exchange failed (RFC 6120 §6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The client gave up (§6.5.1).
    Aborted,
    /// Somebody who may has disabled the account (§6.5.2). Told to its owner only.
    AccountDisabled,
    /// They were good, and are no more (§6.5.3).
    CredentialsExpired,
    /// TLS comes first (§6.5.4).
    EncryptionRequired,
    /// Not base64 (§6.5.5).
    IncorrectEncoding,
    /// Wants to act as somebody else, and may not (§6.5.6).
    InvalidAuthzid,
    /// Not offered (§6.5.7).
    InvalidMechanism,
    /// Not what the mechanism wants to read (§6.5.8).
    MalformedRequest,
    /// Wrong password, or no such account: never told apart (§6.5.10).
    NotAuthorized,
    /// `not-authorized`: bound to another channel. Somebody is between us (RFC 5802 §6).
    ChannelBindingMismatch,
    /// `not-authorized`: the client has seen no mechanism with channel binding, but there are. So
    /// somebody has taken them away (RFC 5802 §6).
    ChannelBindingStripped,
    /// `not-authorized`: bound by what is not offered for that (RFC 5802 §6).
    ChannelBindingUnsupported,
    /// Our side failed (§6.5.11).
    TemporaryAuthFailure,
    /// `temporary-auth-failure`: too many logins have failed. Told to right passwords too.
    Throttled,
}

impl Failure {
    /// Its element.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::AccountDisabled => "account-disabled",
            Self::CredentialsExpired => "credentials-expired",
            Self::EncryptionRequired => "encryption-required",
            Self::IncorrectEncoding => "incorrect-encoding",
            Self::InvalidAuthzid => "invalid-authzid",
            Self::InvalidMechanism => "invalid-mechanism",
            Self::MalformedRequest => "malformed-request",
            Self::NotAuthorized
            | Self::ChannelBindingMismatch
            | Self::ChannelBindingStripped
            | Self::ChannelBindingUnsupported => "not-authorized",
            Self::TemporaryAuthFailure | Self::Throttled => "temporary-auth-failure",
        }
    }

    /// Whether the client would bind it otherwise than is done here. That is found out before a
    /// password is in question.
    pub fn is_of_the_channel(self) -> bool {
        matches!(self, Self::ChannelBindingStripped | Self::ChannelBindingUnsupported)
    }

    /// What the client is told besides, in English.
    pub fn text(self) -> Option<&'static str> {
        match self {
            Self::Throttled => Some("Too many logins have failed. Try again later."),
            Self::ChannelBindingMismatch => {
                Some("The login is bound to another connection: somebody may be reading along.")
            }
            Self::ChannelBindingStripped => Some("Channel binding is offered here."),
            Self::ChannelBindingUnsupported => {
                Some("That type of channel binding is not offered here.")
            }
            _ => None,
        }
    }

    /// What the log and its metric call it: what hints at an attack has a name of its own, that
    /// of RFC 5802 §7.
    pub fn why(self) -> &'static str {
        match self {
            Self::ChannelBindingMismatch => "channel-bindings-dont-match",
            Self::ChannelBindingStripped => "server-does-support-channel-binding",
            Self::ChannelBindingUnsupported => "unsupported-channel-binding-type",
            Self::Throttled => "throttled",
            other => other.as_str(),
        }
    }
}

/// What an exchange says.
pub enum Step {
    /// To the client: this, and a response is awaited.
    Challenge(Exchange, String),
    /// To the world: a fact is awaited.
    Ask(Exchange, Question),
    /// Authenticated.
    Success(Success),
    /// The exchange is over.
    Failure(Failure),
}

impl Step {
    /// Who has shown who it is may not log in, or not be who it wants to be. Nobody else learns
    /// that an account is disabled: it would tell who exists.
    fn authorized(self, ctx: &Ctx<'_>) -> Result<Self, Failure> {
        match self {
            Self::Success(success) if success.disabled => Err(Failure::AccountDisabled),
            Self::Success(success) => Authorization::of(ctx, success),
            other => Ok(other),
        }
    }
}

/// An exchange that has succeeded.
pub struct Success {
    /// As whom.
    pub account: Bare,
    /// The mechanism's last words, if it has any.
    pub words: Option<Vec<u8>>,
    /// It has shown that it knows the password.
    pub by_password: bool,
    /// When that was set, or the one that the token goes back to, in unix ms: the account may have
    /// another by now.
    pub changed: u64,
    /// The account may not be logged in to.
    pub disabled: bool,
    /// The token it was, if it was one, and what the store has of it.
    pub token: Option<(Slot, Known)>,
    /// The other account that it wants to act as.
    pub other: Option<Bare>,
    /// Who acts as this account, if that is another one.
    pub by: Option<Bare>,
}

impl Success {
    /// By the account's password.
    pub fn of(account: Bare, kept: &Kept, words: Option<String>) -> Self {
        let words = words.map(String::into_bytes);
        Self { words, by_password: true, ..Self::without_password(account, kept) }
    }

    /// By something else, that has nothing more to say.
    pub fn without_password(account: Bare, kept: &Kept) -> Self {
        let Kept { changed, disabled } = *kept;
        let (words, token, other, by) = Default::default();
        Self { account, words, by_password: false, changed, disabled, token, other, by }
    }

    /// It wants to act as this one.
    fn wanting(self, other: Option<Bare>) -> Self {
        Self { other, ..self }
    }
}

/// What of an account's credentials counts when it has been shown who it is.
#[derive(Clone, Copy, Default)]
pub struct Kept {
    /// See [`Success::changed`].
    pub changed: u64,
    /// See [`Success::disabled`].
    pub disabled: bool,
}

impl From<&Credentials> for Kept {
    fn from(&Credentials { changed, disabled, .. }: &Credentials) -> Self {
        Self { changed, disabled }
    }
}

/// An exchange under way.
pub enum Exchange {
    /// PLAIN.
    Plain(Plain),
    /// SCRAM. Boxed: it is there for two round trips, the stream that holds it for days.
    Scram(Box<Scram>),
    /// HT-*.
    Token(Box<Token>),
    /// EXTERNAL.
    External(External),
    /// ANONYMOUS.
    Anonymous(Anonymous),
    /// The end of any of them.
    Authorization(Box<Authorization>),
}

impl Exchange {
    /// An exchange by a mechanism that is offered. The client speaks first.
    ///
    /// # Errors
    /// It is not offered.
    pub fn new(mechanism: Mechanism, advertised: &Advertised<'_>) -> Result<Self, Failure> {
        if !advertised.has(mechanism) {
            return Err(Failure::InvalidMechanism);
        }
        Ok(match mechanism {
            Mechanism::Plain => Self::Plain(Plain::new(advertised.domain.clone())),
            Mechanism::External => Self::External(External::new(advertised)),
            Mechanism::Anonymous => Self::Anonymous(Anonymous::new(advertised.domain.clone())),
            Mechanism::Scram(hash) => Self::Scram(Box::new(Scram::new(hash, false, advertised))),
            Mechanism::ScramPlus(hash) => Self::Scram(Box::new(Scram::new(hash, true, advertised))),
        })
    }

    /// An exchange for a token of a device. None when the connection has nothing that the mechanism
    /// binds to.
    pub fn by_token(
        kind: Ht,
        advertised: &Advertised<'_>,
        device: Text,
        used: Use,
    ) -> Option<Self> {
        let Advertised { domain, tls, .. } = *advertised;
        let token = Token::new(kind, domain.clone(), tls, device, used)?;
        Some(Self::Token(Box::new(token)))
    }

    /// The client says this, decoded.
    pub fn response(self, ctx: &Ctx<'_>, message: &[u8]) -> Step {
        let text = std::str::from_utf8(message).map_err(|_| Failure::MalformedRequest);
        let step = match self {
            Self::Plain(plain) => text.and_then(|text| plain.response(ctx, text)),
            Self::Scram(scram) => text.and_then(|text| scram.response(ctx, text)),
            Self::Token(token) => token.response(message),
            Self::External(external) => text.and_then(|text| external.response(ctx, text)),
            Self::Anonymous(anonymous) => text.and_then(|text| anonymous.response(ctx, text)),
            Self::Authorization(_) => Err(Failure::MalformedRequest),
        };
        step.and_then(|step| step.authorized(ctx)).unwrap_or_else(Step::Failure)
    }

    /// The world answers.
    pub fn fact(self, ctx: &Ctx<'_>, fact: Fact) -> Step {
        if let Fact::Throttled = fact {
            return Step::Failure(Failure::Throttled);
        }
        let step = match self {
            Self::Plain(plain) => plain.fact(ctx, fact),
            Self::Scram(scram) => scram.fact(ctx, fact),
            Self::Token(token) => token.fact(ctx, fact),
            Self::External(external) => external.fact(fact),
            Self::Anonymous(anonymous) => anonymous.fact(fact),
            Self::Authorization(authorization) => authorization.fact(fact),
        };
        step.and_then(|step| step.authorized(ctx)).unwrap_or_else(Step::Failure)
    }
}

/// The account of `domain` that a user name means. What is no local part names no account.
fn account(user: &str, domain: &Bare) -> Result<Bare, Failure> {
    let jid = wire::Jid::new(Some(user), domain.domain(), None);
    jid.map(|jid| jid.bare()).map_err(|_| Failure::NotAuthorized)
}
