//! As whom a client acts (RFC 6120 §6.3.8): as itself, or, if the operator lets it, as another
//! account. It shows its own password for that, and gets a session of the other account.

use super::{Exchange, Failure, Kept, Step, Success};
use crate::{
    ctx::Ctx,
    stream::machine::{Fact, Question},
};
use wire::Bare;

/// The other account that this client, if it is who it says, wants to act as. Whether just it may,
/// it is told when it has shown who it is: nobody else need know who may.
pub(super) fn other(ctx: &Ctx<'_>, authzid: &str, account: &Bare) -> Result<Option<Bare>, Failure> {
    if authzid.is_empty() {
        return Ok(None);
    }
    let other = Bare::parse(authzid).map_err(|_| Failure::InvalidAuthzid)?;
    if other == *account {
        return Ok(None);
    }
    let lent = ctx.settings.lends(&other);
    lent.then_some(Some(other)).ok_or(Failure::InvalidAuthzid)
}

/// Of who has shown who it is, and wants to act as another account: whether there is that one is
/// awaited.
pub struct Authorization(Success);

impl Authorization {
    /// What becomes of a login that has come to this.
    pub(super) fn of(ctx: &Ctx<'_>, success: Success) -> Result<Step, Failure> {
        let Some(other) = &success.other else { return Ok(Step::Success(success)) };
        if !ctx.settings.impersonators.contains(&success.account) {
            return Err(Failure::InvalidAuthzid);
        }
        let question = Question::Account(other.clone());
        Ok(Step::Ask(Exchange::Authorization(Box::new(Self(success))), question))
    }

    /// Nothing of the other account's password, devices and tokens is the client's.
    pub(super) fn fact(self, fact: Fact) -> Result<Step, Failure> {
        let Success { account, other, words, .. } = self.0;
        match (fact, other) {
            (Fact::Account(Ok(true)), Some(other)) => {
                let success = Success::without_password(other, &Kept::default());
                Ok(Step::Success(Success { words, by: Some(account), ..success }))
            }
            (Fact::Account(Ok(false)), _) => Err(Failure::InvalidAuthzid),
            _ => Err(Failure::TemporaryAuthFailure),
        }
    }
}
