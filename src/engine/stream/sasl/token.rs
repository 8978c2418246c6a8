//! HT-* (draft-schmaus-kitten-sasl-ht): a token shown as a code of it, bound to the connection, in
//! one round trip. Which device's token it is, the profile tells.

use super::{Binding, Exchange, Failure, Hash, Kept, Step, Success, account};
use crate::{
    ctx::Ctx,
    device::{Device, Shown, Use},
    stream::machine::{Fact, Question, Tls},
    unit::Credentials,
};
use wire::{Bare, Text};

/// A mechanism for tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ht {
    hash: Hash,
    binding: Option<Binding>,
}

impl Ht {
    const ALL: [Self; 6] = [
        Self::of(Hash::Sha256, Some(Binding::Exporter)),
        Self::of(Hash::Sha256, Some(Binding::EndPoint)),
        Self::of(Hash::Sha256, None),
        Self::of(Hash::Sha512, Some(Binding::Exporter)),
        Self::of(Hash::Sha512, Some(Binding::EndPoint)),
        Self::of(Hash::Sha512, None),
    ];

    const fn of(hash: Hash, binding: Option<Binding>) -> Self {
        Self { hash, binding }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match (self.hash, self.binding) {
            (Hash::Sha512, Some(Binding::Exporter)) => "HT-SHA-512-EXPR",
            (Hash::Sha512, Some(Binding::EndPoint)) => "HT-SHA-512-ENDP",
            (Hash::Sha512, None) => "HT-SHA-512-NONE",
            (_, Some(Binding::Exporter)) => "HT-SHA-256-EXPR",
            (_, Some(Binding::EndPoint)) => "HT-SHA-256-ENDP",
            (_, None) => "HT-SHA-256-NONE",
        }
    }

    /// The mechanism of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ht| ht.name() == name)
    }

    /// Those that this connection can be bound by, the strongest binding first.
    pub fn offered(tls: &Tls) -> impl Iterator<Item = Self> + '_ {
        Self::ALL.into_iter().filter(|ht| ht.data(tls).is_some())
    }

    /// What it binds to.
    fn data(self, tls: &Tls) -> Option<&[u8]> {
        self.binding.map_or(Some(&[]), |binding| binding.data(tls))
    }

    /// What shows that the client has the token.
    pub fn initiator(self, secret: &str, binding: &[u8]) -> Vec<u8> {
        self.hash.hmac(secret.as_bytes(), &[b"Initiator", binding])
    }

    /// What shows that we have it too.
    pub fn responder(self, secret: &str, binding: &[u8]) -> Vec<u8> {
        self.hash.hmac(secret.as_bytes(), &[b"Responder", binding])
    }
}

/// Where the exchange is.
pub struct Token {
    kind: Ht,
    domain: Bare,
    /// Whose token it is.
    device: Text,
    used: Use,
    binding: Vec<u8>,
    /// Who it says that it is, and what shows it.
    shown: Option<(Bare, Vec<u8>)>,
}

impl Token {
    /// None when the connection has nothing that the mechanism binds to.
    pub(super) fn new(kind: Ht, domain: Bare, tls: &Tls, device: Text, used: Use) -> Option<Self> {
        let binding = kind.data(tls)?.to_vec();
        Some(Self { kind, domain, device, used, binding, shown: None })
    }

    /// `authcid NUL code`.
    pub(super) fn response(mut self, message: &[u8]) -> Result<Step, Failure> {
        if self.shown.is_some() {
            return Err(Failure::MalformedRequest);
        }
        let nul = message.iter().position(|byte| *byte == 0).ok_or(Failure::MalformedRequest)?;
        let user = std::str::from_utf8(&message[..nul]).map_err(|_| Failure::MalformedRequest)?;
        let account = account(user, &self.domain)?;
        let question = Question::Device(account.clone(), self.device.clone());
        self.shown = Some((account, message[nul + 1..].to_vec()));
        Ok(Step::Ask(Exchange::Token(Box::new(self)), question))
    }

    pub(super) fn fact(self, ctx: &Ctx<'_>, fact: Fact) -> Result<Step, Failure> {
        let (Some((account, code)), Fact::Device(Ok(found))) = (self.shown, fact) else {
            return Err(Failure::TemporaryAuthFailure);
        };
        let (credentials, cell) = found.unwrap_or_default();
        let kept = cell.as_deref().and_then(Device::load);
        let shown = Shown { kind: self.kind, code: &code, binding: &self.binding, used: self.used };
        // As much work for whom there is not.
        let device = kept.unwrap_or_else(|| Device::made_up(ctx, self.kind));
        let by = (&account, &*self.device);
        let of = Kept::from(&credentials);
        let (slot, words) = device.check(ctx, by, of.changed, &shown)?;
        let (words, token) = (Some(words), Some((slot, Known { credentials, cell })));
        let success = Success::without_password(account, &of);
        Ok(Step::Success(Success { words, token, ..success }))
    }
}

/// What the store has of an account's password and of one of its devices.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Of the password.
    pub credentials: Credentials,
    /// Of the device.
    pub cell: Option<Vec<u8>>,
}
