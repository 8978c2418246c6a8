//! EXTERNAL (RFC 4422 §A): who it is, TLS has found out, by a certificate of the client that was
//! verified and names addresses (RFC 6120 §6.3.4, XEP-0178 §2). Offered to who has shown one for
//! an address of the stream's domain.

use super::{Advertised, Exchange, Failure, Kept, Step, Success, authorization};
use crate::{
    ctx::Ctx,
    stream::machine::{Fact, Question},
};
use wire::Bare;

/// Where the exchange is.
pub struct External(State);

enum State {
    /// The identity to act as is awaited; these are the client's.
    Message(Vec<Bare>),
    /// Whether there is such an account is awaited.
    Account(Bare, Option<Bare>),
}

impl External {
    pub(super) fn new(advertised: &Advertised<'_>) -> Self {
        Self(State::Message(advertised.identities().cloned().collect()))
    }

    pub(super) fn response(self, ctx: &Ctx<'_>, authzid: &str) -> Result<Step, Failure> {
        let State::Message(identities) = self.0 else { return Err(Failure::MalformedRequest) };
        let (account, other) = match chosen(authzid, &identities) {
            Some(account) => (account, None),
            None => lent(ctx, authzid, &identities)?,
        };
        let question = Question::Credentials(account.clone());
        let next = Self(State::Account(account.clone(), other));
        Ok(Step::Ask(Exchange::External(next), question))
    }

    pub(super) fn fact(self, fact: Fact) -> Result<Step, Failure> {
        match (self.0, fact) {
            (State::Account(account, other), Fact::Credentials(Ok(Some(kept)))) => {
                let success = Success::without_password(account, &Kept::from(&kept));
                Ok(Step::Success(success.wanting(other)))
            }
            (State::Account(..), Fact::Credentials(Ok(None))) => Err(Failure::NotAuthorized),
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

/// The one that the certificate names who may act as others, and the other.
fn lent<'a>(
    ctx: &Ctx<'_>,
    authzid: &str,
    identities: &'a [Bare],
) -> Result<(&'a Bare, Option<Bare>), Failure> {
    let may = |identity: &&Bare| ctx.settings.impersonators.contains(identity);
    let account = identities.iter().find(may).ok_or(Failure::InvalidAuthzid)?;
    Ok((account, authorization::other(ctx, authzid, account)?))
}
