//! How a stream ends: by silence, an error, a word of either side (RFC 6120 §4.4, §4.6, §4.9).

use super::{C2s, State, negotiation::Spoken};
use crate::{
    ctx::Ctx,
    parcel::{End, Said},
    stream::{
        machine::{Act, Closed, Out},
        timer::{Timer, Timers},
    },
    violation::Violation,
};
use std::{borrow::Cow, mem};
use wire::{Framing, Payload, StreamCondition, StreamError};

/// Silence.
impl C2s {
    pub(super) fn tick(&mut self, ctx: &Ctx<'_>, out: &mut Out) {
        self.timers.ticked();
        match self.timers.expired(ctx.now) {
            Some(Timer::Auth) => self.violated(ctx, Violation::AuthTime, out),
            Some(Timer::Idle) => self.idle(ctx, out),
            Some(Timer::Answer) => self.unanswered(ctx, out),
            None => {}
        }
    }

    /// The deadline is not moved by what is heard, only looked at anew when it has come.
    fn idle(&mut self, ctx: &Ctx<'_>, out: &mut Out) {
        let patience = ctx.settings.limits.idle_ms_max;
        let ping = self.heard.after(patience);
        let give_up = ping.after(patience);
        if ctx.now >= give_up {
            return self.violated(ctx, Violation::Silent, out);
        }
        if ctx.now < ping {
            return self.timers.set(Timer::Idle, ping);
        }
        match self.framing {
            Framing::Stream => out.bytes.push(b' '),
            Framing::Framed => out.acts.push(Act::Ping),
        }
        if let State::Bound(account, _) = &self.state {
            out.acts.push(Act::Submit(account.clone(), Said::Silent));
        }
        self.timers.set(Timer::Idle, give_up);
    }

    /// It is said to the peer; if it must be answered, its time begins.
    pub(super) fn asks(&mut self, ctx: &Ctx<'_>, nonza: &Payload) {
        let asks = ctx.hooks.asks().is_some_and(|(asked, _)| nonza.element().is(asked));
        if !asks || self.asked.is_some() {
            return;
        }
        self.asked = Some(ctx.now);
        if !self.timers.is_set(Timer::Answer) {
            let patience = ctx.settings.limits.unanswered_ms_max;
            self.timers.set(Timer::Answer, ctx.now.after(patience));
        }
    }

    /// XEP-0198 §4. Nor is this deadline moved by each answer and question. Who is heard is not
    /// gone: its answer may come slowly, behind all else that it says.
    fn unanswered(&mut self, ctx: &Ctx<'_>, out: &mut Out) {
        let Some(asked) = self.asked else { return };
        let give_up = self.heard.max(asked).after(ctx.settings.limits.unanswered_ms_max);
        if ctx.now >= give_up {
            return self.violated(ctx, Violation::Unanswered, out);
        }
        self.timers.set(Timer::Answer, give_up);
    }
}

/// Whether this is how what we ask is answered.
pub(super) fn is_answer(ctx: &Ctx<'_>, nonza: &Payload) -> bool {
    ctx.hooks.asks().is_some_and(|(_, answer)| nonza.element().is(answer))
}

/// The end.
impl C2s {
    pub(super) fn violated(&mut self, ctx: &Ctx<'_>, violation: Violation, out: &mut Out) {
        let error = StreamError::from(violation.condition());
        self.fail(ctx, error, violation.why(), out);
    }

    /// Ends the stream with an error (§4.9.1.1), in a stream of ours even when the peer has
    /// opened none (§4.9.1.2). In the middle of a TLS handshake nothing can be said.
    pub(super) fn fail(
        &mut self,
        ctx: &Ctx<'_>,
        error: StreamError,
        why: &'static str,
        out: &mut Out,
    ) {
        let condition = error.condition;
        if !matches!(self.state, State::Handshake | State::Ended) {
            if !self.spoken {
                self.speak(ctx, Spoken::default(), out);
            }
            let text = error.text.or(Some(Cow::Borrowed(why)));
            out.say(|out| StreamError { text, ..error }.write(self.framing, out));
            self.farewell(out);
        }
        self.end(End::Broken, Closed::Error(condition, why), out);
    }

    /// A session that can be resumed waits for its client. A host and port are nothing to who
    /// speaks XMPP in HTTP, which knows addresses of its own (RFC 7395 §3.6.1); and in the clear
    /// somebody else could have said them (§4.9.3.19).
    pub(super) fn shut_down(&mut self, ctx: &Ctx<'_>, out: &mut Out) {
        let leads = self.framing == Framing::Stream && !matches!(self.state, State::Plain);
        let error = match ctx.settings.drain_to.as_ref().filter(|_| leads) {
            Some(place) => StreamError {
                text: Some(Cow::Owned(place.to_string())),
                ..StreamCondition::SeeOtherHost.into()
            },
            None => StreamCondition::SystemShutdown.into(),
        };
        self.fail(ctx, error, "the server stops", out);
    }

    /// Once. The account hears of it if it has heard of the stream at all.
    pub(super) fn end(&mut self, end: End, closed: Closed, out: &mut Out) {
        match mem::replace(&mut self.state, State::Ended) {
            State::Ended => return,
            State::Binding(account, _) | State::Claiming(account) | State::Bound(account, _) => {
                out.acts.push(Act::Submit(account, Said::Gone(end)));
            }
            State::Entering(entry) if entry.is_known_to_account() => {
                out.acts.push(Act::Submit(entry.account, Said::Gone(end)));
            }
            _ => {}
        }
        self.forget(out);
        self.kept = Vec::new();
        self.timers = Timers::default();
        out.acts.push(Act::Close(closed));
    }

    /// An account that was made for this stream alone must not outlive it unseen.
    pub(super) fn forget(&mut self, out: &mut Out) {
        out.acts.extend(self.guest.take().map(|account| Act::Forget(*account)));
    }
}
