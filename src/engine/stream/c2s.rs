//! A client's stream, from its first byte to its last (RFC 6120 §4 to §7).

use super::{
    bind,
    machine::{Act, Closed, Fact, Input, Machine, Out, Tls},
    sasl::Exchange,
    timer::{Timer, Timers},
};
use crate::{
    ctx::{Ctx, Moment},
    parcel::{End, Said, Say},
    violation::Violation,
};
use std::{borrow::Cow, mem};
use wire::{Bare, Content, Decoder, Frame, Framing, Jid, Limits, Stanza, Text, ns};

mod ending;
mod entry;
mod framing;
mod login;
mod negotiation;
mod stranger;
mod task;
#[cfg(test)]
mod tests;

use ending::is_answer;
use entry::Entry;
use login::Login;

/// What a first-level element may not be of once a resource is bound: it is the account's to
/// judge all others.
const NEGOTIATION: [&str; 4] = [ns::STREAM, ns::FRAMING, ns::TLS, ns::SASL];

/// How the connection becomes private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// By STARTTLS, before anything else (RFC 6120 §5).
    Required,
    /// TLS from the first byte (RFC 7590 §3, XEP-0368).
    Direct,
}

// ```text
//                    ┌─────────── starttls ──────────┐
//   Required ──▶ Plain                               ▼
//   Direct ─────────────────────────────────────▶ Handshake
//                                                    │ Secured; the stream restarts (§5.4.3.3)
//                        failure                     ▼
//            ┌────────────────────────────────▶ Secure ◀──────────┐
//            │                                       │ auth       │ failure
//            │            question                   ▼            │
//        Challenged ◀──────────────────────────── (Exchange) ─────┤
//            └─ response ─▶ (Exchange) ◀─ fact ── Asking ◀────────┘
//                                │ success; the stream restarts (§6.4.6)
//                                ▼       bind
//                          Authenticated ──────▶ Binding
//                                ▲   unbound       │  │ bound (§7)
//                                └─────────────────┘  ▼
//        Authenticated ─ claim ─▶ Claiming ─ resumed ─▶ Bound
//   any ── error, footer, socket's end ──▶ Ended
// ```
//
// From Secure a request may lead to Requested, and its answer back.
// In Plain, Secure and Authenticated the stream header may still be awaited; the decoder gives
// nothing else before it.
enum State {
    /// Only TLS is spoken of.
    Plain,
    /// Bytes belong to TLS.
    Handshake,
    /// SASL is offered.
    Secure,
    /// The client must respond.
    Challenged(Exchange),
    /// The world must answer.
    Asking(Exchange),
    /// It is known who it is; what it wishes for is under way.
    Entering(Box<Entry>),
    /// A request of somebody who has not logged in must be answered.
    Requested(Box<Stanza>),
    /// A resource must be bound.
    Authenticated(Bare),
    /// The account must answer this request.
    Binding(Bare, Box<Stanza>),
    /// The account must give a session that is claimed (XEP-0198 §5).
    Claiming(Bare),
    /// Stanzas flow.
    Bound(Bare, Jid),
    /// Nothing is heard or said any more.
    Ended,
}

/// A client's stream.
pub struct C2s {
    state: State,
    framing: Framing,
    decoder: Decoder,
    /// Our header stands, so that features, stanzas and errors may follow (§4.9.1.2).
    spoken: bool,
    /// The domain the stream is for. Once said it stays.
    domain: Option<Bare>,
    /// For stanzas that do not say theirs (§8.1.5).
    lang: Option<Text>,
    /// Who the client says that it is, before it proves it.
    claimed: Option<Bare>,
    /// Failed logins, and refused requests before login.
    tries: u32,
    /// Logins that failed before a password was in question, because the client cannot bind them.
    unbound: u32,
    /// A set before login has been granted: one is enough (XEP-0077 §3.1.1).
    granted: bool,
    /// A form may be being filled in: a get before login has been answered.
    filling: bool,
    /// Refused requests for a resource.
    binds: u32,
    /// What is known of the connection; let go when a resource is bound.
    tls: Option<Box<Tls>>,
    /// The login under way.
    login: Option<Login>,
    /// The device that has logged in, to be bound.
    device: Option<Text>,
    /// The account that was made for it, while nobody else knows that it is there.
    guest: Option<Box<Bare>>,
    /// When the last one began, in ms of the Unix clock: its keys may be as old.
    since: u64,
    /// When the peer said something last.
    heard: Moment,
    /// When it was asked something that it has not answered.
    asked: Option<Moment>,
    timers: Timers,
    /// What came behind that which is waited for. Never more than one `Input::Bytes` brought.
    kept: Vec<u8>,
}

impl C2s {
    /// A stream that has just been accepted. Give it `Input::Tick` at once: it answers with the
    /// moment of its first deadline, which also bounds the TLS handshake. A stream in messages
    /// has its TLS below it: it is `Direct`, and `Input::Secured` follows.
    pub fn new(ctx: &Ctx<'_>, security: Security, framing: Framing) -> Self {
        let decoder = match framing {
            Framing::Stream => Decoder::new,
            Framing::Framed => Decoder::framed,
        };
        let mut timers = Timers::default();
        timers.set(Timer::Auth, ctx.now.after(ctx.settings.limits.auth_ms_max));
        Self {
            state: match security {
                Security::Required => State::Plain,
                Security::Direct => State::Handshake,
            },
            framing,
            decoder: decoder(Content::Client, ctx.settings.limits.before_auth),
            spoken: false,
            domain: None,
            lang: None,
            claimed: None,
            tries: 0,
            unbound: 0,
            granted: false,
            filling: false,
            binds: 0,
            tls: None,
            login: None,
            device: None,
            guest: None,
            since: 0,
            heard: ctx.now,
            asked: None,
            timers,
            kept: Vec::new(),
        }
    }

    /// What one element may be that it would take now.
    pub fn limits(&self) -> Limits {
        *self.decoder.limits()
    }

    /// Bytes of the longest element that it would take now.
    pub fn element_bytes_max(&self) -> usize {
        self.decoder.limits().stanza_bytes_max
    }
}

impl Machine for C2s {
    fn handle(&mut self, ctx: &Ctx<'_>, input: Input<'_>, out: &mut Out) {
        match input {
            Input::Bytes(bytes) if self.framing == Framing::Framed => {
                self.message(ctx, bytes, out);
            }
            Input::Bytes(bytes) => self.bytes(ctx, bytes, out),
            Input::Alive => self.heard = ctx.now,
            Input::Secured(tls) => self.secured(tls),
            Input::Fact(fact) => self.fact(ctx, fact, out),
            Input::Say(say) => self.say(ctx, say, out),
            Input::Tick => self.tick(ctx, out),
            Input::Gone => self.end(End::Broken, Closed::Peer, out),
            Input::Shutdown => self.shut_down(ctx, out),
        }
        if let Some(at) = self.timers.wake() {
            out.acts.push(Act::Wake(at));
        }
        self.check_ends(out);
    }

    fn hungry(&self) -> bool {
        match self.state {
            State::Plain
            | State::Secure
            | State::Challenged(_)
            | State::Authenticated(_)
            | State::Bound(..) => true,
            State::Entering(ref entry) => entry.hears(),
            State::Handshake
            | State::Asking(_)
            | State::Requested(_)
            | State::Binding(..)
            | State::Claiming(_)
            | State::Ended => false,
        }
    }
}

/// What comes in.
impl C2s {
    fn bytes(&mut self, ctx: &Ctx<'_>, bytes: &[u8], out: &mut Out) {
        self.heard = ctx.now;
        let mut rest = bytes;
        while self.hungry() {
            // White space behind the last element of the stream before belongs to that (§4.6.1).
            if !self.spoken && self.domain.is_some() && self.decoder.is_idle() {
                rest = rest.trim_ascii_start();
            }
            match self.decoder.next(&mut rest) {
                Ok(Some(frame)) => self.frame(ctx, frame, out),
                Ok(None) => return,
                Err(flaw) => return self.fail(ctx, flaw.into(), flaw.why, out),
            }
        }
        // What was not protected, and what follows the end, is nothing (§5.4.3.3, §4.9.1.1).
        if !matches!(self.state, State::Handshake | State::Ended) {
            self.kept.extend_from_slice(rest);
        }
    }

    /// What was waited for has come: on with what the peer has said meanwhile.
    fn resume(&mut self, ctx: &Ctx<'_>, out: &mut Out) {
        let kept = mem::take(&mut self.kept);
        if !kept.is_empty() {
            self.bytes(ctx, &kept, out);
        }
    }

    fn frame(&mut self, ctx: &Ctx<'_>, frame: Frame, out: &mut Out) {
        match frame {
            Frame::Stanza(stanza) => self.stanza(ctx, stanza, out),
            Frame::Element(payload) => match &self.state {
                State::Bound(account, _) if !NEGOTIATION.contains(&payload.element().ns()) => {
                    self.asked.take_if(|_| is_answer(ctx, &payload));
                    out.acts.push(Act::Submit(account.clone(), Said::Nonza(payload)));
                }
                _ => self.element(ctx, payload.element(), out),
            },
            Frame::Open(open) => self.open(ctx, &open, out),
            Frame::Close => {
                self.farewell(out);
                self.end(End::Closed, Closed::Properly, out);
            }
        }
    }

    fn fact(&mut self, ctx: &Ctx<'_>, fact: Fact, out: &mut Out) {
        match (mem::replace(&mut self.state, State::Secure), fact) {
            (State::Asking(exchange), fact) => {
                let step = exchange.fact(ctx, fact);
                self.step(ctx, step, out);
                self.resume(ctx, out);
            }
            (State::Entering(entry), fact) => {
                self.entering(ctx, entry, fact, out);
                self.resume(ctx, out);
            }
            (State::Requested(iq), Fact::Replied(replied)) => {
                self.replied(ctx, &iq, replied, out);
                self.resume(ctx, out);
            }
            (other, _) => self.state = other,
        }
    }

    fn say(&mut self, ctx: &Ctx<'_>, say: Say, out: &mut Out) {
        match (say, &self.state) {
            (_, State::Ended) => {}
            (Say::Stanza(stanza), State::Bound(..)) => {
                self.write(&stanza, out);
            }
            (Say::Nonza(nonza), State::Bound(..)) => {
                self.asks(ctx, &nonza);
                out.say(|out| out.extend_from_slice(nonza.as_str().as_bytes()));
            }
            (Say::Bound(jid, _), State::Binding(account, request)) => {
                self.write(&bind::bound(request, &jid), out);
                self.is_bound(ctx, account.clone(), jid);
                self.resume(ctx, out);
            }
            (
                say @ (Say::Bound(..) | Say::Unbound(_) | Say::Resumed(..) | Say::Unresumed(_)),
                State::Entering(entry),
            ) if entry.asks_account() => self.answered(ctx, say, out),
            (say @ (Say::Stanza(_) | Say::Nonza(_)), State::Entering(_)) => {
                self.early(ctx, say, out);
            }
            (Say::Resumed(jid, told), State::Claiming(account)) => {
                let account = account.clone();
                out.say(|out| out.extend_from_slice(told.as_str().as_bytes()));
                self.is_bound(ctx, account, jid);
                self.resume(ctx, out);
            }
            (Say::Unresumed(told), State::Claiming(account)) => {
                self.state = State::Authenticated(account.clone());
                self.unclaimed(ctx, &told, out);
                self.resume(ctx, out);
            }
            (Say::Unbound(error), State::Binding(account, request)) => {
                let (account, request) = (account.clone(), request.clone());
                self.state = State::Authenticated(account);
                self.unbound(ctx, &request, &error, out);
                self.resume(ctx, out);
            }
            (Say::End(error), _) => {
                let why = match error.text {
                    Some(Cow::Borrowed(text)) => text,
                    _ => error.condition.as_str(),
                };
                self.fail(ctx, error, why, out);
            }
            (Say::Settled(_) | Say::Stanza(_) | Say::Nonza(_), _) => {}
            (Say::Bound(..) | Say::Unbound(_) | Say::Resumed(..) | Say::Unresumed(_), _) => {}
        }
    }

    fn is_bound(&mut self, ctx: &Ctx<'_>, account: Bare, jid: Jid) {
        self.state = State::Bound(account, jid);
        (self.tls, self.guest, self.device) = (None, None, None);
        self.timers.stop(Timer::Auth);
        self.timers.set(Timer::Idle, self.heard.after(ctx.settings.limits.idle_ms_max));
    }
}

/// Stanzas.
impl C2s {
    fn stanza(&mut self, ctx: &Ctx<'_>, stanza: Stanza, out: &mut Out) {
        match &self.state {
            State::Bound(account, jid) => match self.bound(account, jid, stanza, out) {
                Ok(()) => {}
                Err(violation) => self.violated(ctx, violation, out),
            },
            State::Authenticated(account) => match bind::request(&stanza, account) {
                Some(bind::Request::Bind) => self.bind(ctx, account.clone(), stanza, out),
                _ => self.violated(ctx, Violation::StanzaBeforeBind, out),
            },
            State::Secure => self.requested(ctx, stanza, out),
            _ => self.violated(ctx, Violation::StanzaBeforeAuth, out),
        }
    }

    /// The way of nearly every stanza.
    fn bound(
        &self,
        account: &Bare,
        jid: &Jid,
        mut stanza: Stanza,
        out: &mut Out,
    ) -> Result<(), Violation> {
        match &stanza.head.from {
            _ if stanza.head.from_malformed => return Err(Violation::FromMalformed),
            Some(from) if from != jid && *from != **account => return Err(Violation::FromForged),
            _ => {}
        }
        stanza.head.from = Some(jid.clone());
        if stanza.head.lang.is_none() {
            stanza.head.lang.clone_from(&self.lang);
        }
        out.acts.push(Act::Submit(account.clone(), Said::Stanza(stanza)));
        Ok(())
    }
}
