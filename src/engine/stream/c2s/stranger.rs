//! Requests of somebody who has not logged in: what a XEP answers to `Of::Stream`.

use super::{C2s, State};
use crate::{
    ctx::Ctx,
    hook::{Answer, IqKind, Of, Replied},
    request::{Asks, asks, stanzas, unwritten},
    stream::{
        machine::{Act, Out, Question},
        timer::Timer,
    },
    violation::Violation,
};
use wire::{Kind, Stanza, StanzaCondition};

/// How much longer than for the rest of a login who has asked for something may take to answer:
/// people fill in forms (XEP-0077 §3.1).
const FORM_TIMES: u64 = 10;

impl C2s {
    /// What a XEP answers to who has not logged in; all else is too early (§4.9.3.12).
    pub(super) fn requested(&mut self, ctx: &Ctx<'_>, mut iq: Stanza, out: &mut Out) {
        let early = Violation::StanzaBeforeAuth;
        let Some(host) = self.domain.clone() else { return self.violated(ctx, early, out) };
        let ours = iq.head.to.as_ref().is_none_or(|to| *to == *host) && !iq.head.to_malformed;
        let kind = match asks(&iq) {
            Ok(Asks::Request(kind)) if iq.kind() == Kind::Iq && ours => kind,
            _ => return self.violated(ctx, early, out),
        };
        let payload = iq.children().next();
        let found = payload.and_then(|payload| ctx.hooks.answer(Of::Stream, kind, payload));
        let Some((_, Answer::World(answer))) = found else {
            return self.violated(ctx, early, out);
        };
        iq.head.from = None;
        if kind == IqKind::Set && self.granted {
            return self.replied(ctx, &iq, Err(StanzaCondition::NotAcceptable.into()), out);
        }
        let question = Question::Request { host, iq: iq.clone(), answer };
        out.acts.push(Act::Ask(question));
        self.state = State::Requested(Box::new(iq));
    }

    /// A refusal counts as a failed login does: who guesses names is not told many.
    pub(super) fn replied(&mut self, ctx: &Ctx<'_>, iq: &Stanza, replied: Replied, out: &mut Out) {
        let refused = replied.is_err();
        self.granted |= !refused && iq.head.type_str() == "set";
        if !refused && iq.head.type_str() == "get" && !std::mem::replace(&mut self.filling, true) {
            let patience = FORM_TIMES * ctx.settings.limits.auth_ms_max;
            self.timers.set(Timer::Auth, ctx.now.after(patience));
        }
        for answer in stanzas(iq, unwritten(replied)) {
            self.write(&answer, out);
        }
        self.tries += u32::from(refused);
        if refused && self.tries >= ctx.settings.limits.auth_tries_max {
            self.violated(ctx, Violation::AuthTries, out);
        }
    }
}
