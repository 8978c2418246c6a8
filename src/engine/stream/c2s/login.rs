//! SASL on a client's stream (RFC 6120 §6), in whatever profile it travels.

use super::{C2s, State};
use crate::{
    ctx::Ctx,
    stream::{
        machine::{Act, Out},
        sasl::{
            Exchange, Failure, Ht, Mechanism, Step, Success,
            profile::{Auth, Profile, Rfc6120, Said, Says, Wishes},
        },
    },
    violation::Violation,
};
use std::mem;

/// Logins on one stream that are refused for how they would be bound, and are no tries: one by
/// each of SCRAM's mechanisms, with their `-PLUS`. A client that binds by `tls-unique` under TLS
/// 1.3 goes through all of them, and finds what is left on the same stream.
pub(super) const UNBOUND_MAX: u32 = 6;

/// A login under way.
pub(super) struct Login {
    /// How it travels.
    pub profile: &'static dyn Profile,
    /// For the log.
    mechanism: &'static str,
    /// What else the client wants; `None`: to restart the stream.
    pub wishes: Option<Box<Wishes>>,
}

impl Login {
    /// Of which nothing is known but how it would travel.
    pub(super) fn none(profile: &'static dyn Profile) -> Self {
        Self { profile, mechanism: "none", wishes: None }
    }
}

impl C2s {
    pub(super) fn sasl(
        &mut self,
        ctx: &Ctx<'_>,
        profile: &'static dyn Profile,
        said: Result<Said, Failure>,
        out: &mut Out,
    ) {
        let exchange = match mem::replace(&mut self.state, State::Secure) {
            State::Challenged(exchange) => Some(exchange),
            _ => None,
        };
        let step = match (said, exchange) {
            // One that is under way is given up for it (§6.4.2).
            (Ok(Said::Auth(auth)), _) => {
                self.since = ctx.unix_ms;
                self.begin(ctx, profile, auth).unwrap_or_else(Step::Failure)
            }
            (Ok(Said::Response(message)), Some(exchange)) => exchange.response(ctx, &message),
            (Ok(Said::Abort), _) => Step::Failure(Failure::Aborted),
            (Ok(Said::Response(_) | Said::Task(_) | Said::Salted(_)), _) => {
                Step::Failure(Failure::MalformedRequest)
            }
            (Err(failure), _) => Step::Failure(failure),
        };
        // One that is under way goes on as it travels, whatever its client mixes into it.
        self.login.get_or_insert_with(|| Login::none(profile));
        self.step(ctx, step, out);
    }

    fn begin(
        &mut self,
        ctx: &Ctx<'_>,
        profile: &'static dyn Profile,
        auth: Auth,
    ) -> Result<Step, Failure> {
        let Auth { mechanism, initial, wishes } = auth;
        self.login = Some(Login::none(profile));
        let (name, exchange) = self.exchange(ctx, &mechanism, wishes.as_deref())?;
        self.login = Some(Login { profile, mechanism: name, wishes });
        Ok(match initial {
            Some(message) => exchange.response(ctx, &message),
            // XEP-0175 §3: there need be nothing to say.
            None if name == Mechanism::Anonymous.name() => exchange.response(ctx, b""),
            None => Step::Challenge(exchange, String::new()),
        })
    }

    /// The exchange of this mechanism, if it is offered. Tokens are for devices (XEP-0484 §3.3).
    fn exchange(
        &self,
        ctx: &Ctx<'_>,
        name: &str,
        wishes: Option<&Wishes>,
    ) -> Result<(&'static str, Exchange), Failure> {
        let unknown = Failure::InvalidMechanism;
        let advertised = self.advertised(ctx).ok_or(Failure::MalformedRequest)?;
        let Some((wishes, used)) = wishes.and_then(|wishes| Some((wishes, wishes.used?))) else {
            let mechanism = Mechanism::named(name).ok_or(unknown)?;
            return Ok((mechanism.name(), Exchange::new(mechanism, &advertised)?));
        };
        let kind = Ht::named(name).ok_or(unknown)?;
        // Where guests are, nobody else is: not even who had an account there before.
        if ctx.settings.is_anonymous(advertised.domain) {
            return Err(unknown);
        }
        let agent = wishes.agent.as_ref().ok_or(Failure::MalformedRequest)?;
        let exchange = Exchange::by_token(kind, &advertised, agent.id.clone(), used);
        Ok((kind.name(), exchange.ok_or(unknown)?))
    }

    pub(super) fn step(&mut self, ctx: &Ctx<'_>, step: Step, out: &mut Out) {
        match step {
            Step::Challenge(exchange, message) => {
                self.says(Says::Challenge(&message), out);
                self.state = State::Challenged(exchange);
            }
            Step::Ask(exchange, question) => {
                out.acts.push(Act::Ask(question));
                self.state = State::Asking(exchange);
            }
            Step::Success(success) => self.succeeded(ctx, success, out),
            Step::Failure(failure) => self.failure(ctx, failure, out),
        }
    }

    fn succeeded(&mut self, ctx: &Ctx<'_>, success: Success, out: &mut Out) {
        let mut wishes = self.login.as_mut().and_then(|login| login.wishes.take());
        if ctx.settings.is_anonymous(&success.account) {
            self.guest = Some(Box::new(success.account.clone()));
            // It is younger than the login that made it.
            self.since = ctx.unix_ms;
        }
        // Who it said that it is under TLS is who it must be (§6.4.6, XEP-0388 §2.3).
        let other = self.claimed.as_ref().is_some_and(|claimed| *claimed != success.account);
        if let (false, Some(by)) = (other, &success.by) {
            out.acts.push(Act::Impersonates(by.clone(), success.account.clone()));
            // No device or token of the account is for somebody else.
            wishes = wishes.map(|wishes| Box::new(Wishes { bind: wishes.bind, ..<_>::default() }));
        }
        match wishes {
            Some(_) if other => self.failure(ctx, Failure::InvalidAuthzid, out),
            None if other => {
                self.tried(Err(Failure::NotAuthorized), out);
                self.violated(ctx, Violation::FromOther, out);
            }
            Some(wishes) => self.enter(ctx, success, *wishes, out),
            None => {
                let granted = super::entry::granted(&success.account, success.words.as_deref());
                self.says(Says::Success(granted), out);
                self.tried(Ok(()), out);
                self.state = State::Authenticated(success.account);
                self.restart();
                self.decoder.set_limits(ctx.settings.limits.after_auth);
            }
        }
    }

    pub(super) fn says(&self, says: Says<'_>, out: &mut Out) {
        let profile = self.login.as_ref().map_or(&Rfc6120 as &dyn Profile, |login| login.profile);
        out.say(|out| profile.write(says, out));
    }

    /// The client is told, and may try again; how often, is bounded. Retries are of one mechanism,
    /// for who mistypes a password; to another one the client may fall back (§6.4.5).
    pub(super) fn failure(&mut self, ctx: &Ctx<'_>, failure: Failure, out: &mut Out) {
        self.says(Says::Failure(failure), out);
        self.tried(Err(failure), out);
        self.forget(out);
        if failure.is_of_the_channel() && self.unbound < UNBOUND_MAX {
            self.unbound += 1;
            return;
        }
        self.tries += 1;
        if self.tries >= ctx.settings.limits.auth_tries_max {
            self.violated(ctx, Violation::AuthTries, out);
        }
    }

    pub(super) fn tried(&mut self, outcome: Result<(), Failure>, out: &mut Out) {
        let mechanism = self.login.take().map_or("none", |login| login.mechanism);
        out.acts.push(Act::Tried(mechanism, outcome));
    }
}
