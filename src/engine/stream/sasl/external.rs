//! EXTERNAL (RFC 4422 §A): who it is, TLS has found out, by a certificate of the client that was
//! verified and names addresses (RFC 6120 §6.3.4, XEP-0178 §2). Offered to who has shown one for
//! an address of the stream's domain.

use super::{Advertised, Exchange, Failure, Step, Success};
use crate::stream::machine::{Fact, Question};
use wire::Bare;

/// Where the exchange is.
pub struct External(State);

enum State {
    /// The identity to act as is awaited; these are the client's.
    Message(Vec<Bare>),
    /// Whether there is such an account is awaited.
    Account(Bare),
}

impl External {
    pub(super) fn new(advertised: &Advertised<'_>) -> Self {
        Self(State::Message(advertised.identities().cloned().collect()))
    }

    pub(super) fn response(self, authzid: &str) -> Result<Step, Failure> {
        let State::Message(identities) = self.0 else { return Err(Failure::MalformedRequest) };
        let account = chosen(authzid, &identities).ok_or(Failure::InvalidAuthzid)?;
        let question = Question::Credentials(account.clone());
        Ok(Step::Ask(Exchange::External(Self(State::Account(account.clone()))), question))
    }

    pub(super) fn fact(self, fact: Fact) -> Result<Step, Failure> {
        match (self.0, fact) {
            (State::Account(account), Fact::Credentials(Ok(Some(kept)))) => {
                Ok(Step::Success(Success::without_password(account, kept.changed)))
            }
            (State::Account(_), Fact::Credentials(Ok(None))) => Err(Failure::NotAuthorized),
            _ => Err(Failure::TemporaryAuthFailure),
        }
    }
}

/// The one that the certificate names; of several, the one that the client wants to be (XEP-0178
/// §2, step 10).
fn chosen<'a>(authzid: &str, identities: &'a [Bare]) -> Option<&'a Bare> {
    match (authzid, identities) {
        ("", [one]) => Some(one),
        ("", _) => None,
        (named, all) => {
            let named = Bare::parse(named).ok()?;
            all.iter().find(|identity| **identity == named)
        }
    }
}
