//! ANONYMOUS (RFC 4505, XEP-0175): whoever wants gets an account that nobody can guess, for as long
//! as its session lives. Offered on domains that are for that, and nothing else is offered there.

use super::{Exchange, Failure, Kept, Step, Success};
use crate::{
    ctx::Ctx,
    stream::machine::{Fact, Question},
};
use wire::{Bare, Jid};

/// The longest that a client may say about itself (RFC 4505 §2), in characters. It is not kept.
const TRACE_CHARACTERS_MAX: usize = 255;

/// Where the exchange is.
pub struct Anonymous(State);

enum State {
    /// What the client says about itself is awaited, which is nothing to us (XEP-0175 §2).
    Trace(Bare),
    /// The account is being made.
    Made(Bare),
}

impl Anonymous {
    pub(super) fn new(domain: Bare) -> Self {
        Self(State::Trace(domain))
    }

    pub(super) fn response(self, ctx: &Ctx<'_>, trace: &str) -> Result<Step, Failure> {
        let State::Trace(domain) = self.0 else { return Err(Failure::MalformedRequest) };
        if trace.chars().count() > TRACE_CHARACTERS_MAX {
            return Err(Failure::MalformedRequest);
        }
        let account = Jid::new(Some(&ctx.token()), domain.domain(), None);
        let account = account.map_err(|_| Failure::TemporaryAuthFailure)?.bare();
        let question = Question::Guest(account.clone());
        Ok(Step::Ask(Exchange::Anonymous(Self(State::Made(account))), question))
    }

    pub(super) fn fact(self, fact: Fact) -> Result<Step, Failure> {
        match (self.0, fact) {
            (State::Made(account), Fact::Guest(true)) => {
                Ok(Step::Success(Success::without_password(account, &Kept::default())))
            }
            _ => Err(Failure::TemporaryAuthFailure),
        }
    }
}
