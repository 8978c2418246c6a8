//! PLAIN (RFC 4616). Offered under TLS only.

use super::{Exchange, Failure, Kept, Step, Success, account, authorization, password};
use crate::{
    ctx::Ctx,
    stream::machine::{Fact, Question, Secret},
};
use wire::Bare;

/// Where the exchange is.
pub struct Plain(State);

enum State {
    /// The message is awaited.
    Message { domain: Bare },
    /// The account's keys are awaited.
    Keys { account: Bare, other: Option<Bare>, password: Secret },
    /// The comparison with the account's password is awaited.
    Verdict { account: Bare, other: Option<Bare>, known: bool, of: Kept },
}

impl Plain {
    pub(super) fn new(domain: Bare) -> Self {
        Self(State::Message { domain })
    }

    pub(super) fn response(self, ctx: &Ctx<'_>, message: &str) -> Result<Step, Failure> {
        let State::Message { domain } = self.0 else { return Err(Failure::MalformedRequest) };
        let (authzid, user, password) = read(message).ok_or(Failure::MalformedRequest)?;
        let account = account(user, &domain)?;
        let other = authorization::other(ctx, authzid, &account)?;
        let question = Question::Credentials(account.clone());
        let password = Secret(password.to_owned());
        Ok(Step::Ask(Exchange::Plain(Self(State::Keys { account, other, password })), question))
    }

    pub(super) fn fact(self, ctx: &Ctx<'_>, fact: Fact) -> Result<Step, Failure> {
        match (self.0, fact) {
            (State::Keys { account, other, password }, Fact::Credentials(Ok(found))) => {
                let made_up = password::made_up(ctx.settings, &account);
                let known = found.as_ref().is_some_and(|found| !found.is_empty());
                let kept = found.unwrap_or_default();
                let of = Kept::from(&kept);
                let next = State::Verdict { account: account.clone(), other, known, of };
                let question = Question::Verify { account, password, kept, made_up };
                Ok(Step::Ask(Exchange::Plain(Self(next)), question))
            }
            (State::Verdict { account, other, known: true, of }, Fact::Verified(true)) => {
                Ok(Step::Success(Success::of(account, &of, None).wanting(other)))
            }
            (State::Verdict { .. }, Fact::Verified(_)) => Err(Failure::NotAuthorized),
            _ => Err(Failure::TemporaryAuthFailure),
        }
    }
}

/// `[authzid] NUL authcid NUL passwd`, none of the last two empty (RFC 4616 §2).
fn read(message: &str) -> Option<(&str, &str, &str)> {
    let mut parts = message.split('\0');
    let (authzid, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = parts.next().is_none() && !user.is_empty() && !password.is_empty();
    whole.then_some((authzid, user, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_three_parts_rfc4616_2() {
        assert_eq!(read("\0tim\0tanstaaftanstaaf"), Some(("", "tim", "tanstaaftanstaaf")));
        assert_eq!(read("Ursel\0Kurt\0xipj3plmq"), Some(("Ursel", "Kurt", "xipj3plmq")));
        for bad in ["", "tim", "\0tim", "\0tim\0", "\0\0pass", "a\0b\0c\0d", "\0\0"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
