//! What comes before stanzas: header, TLS, SASL, resource (RFC 6120 §4.3).

use super::{C2s, State, login::Login};
use crate::{
    ctx::Ctx,
    parcel::{End, Said},
    stream::{
        bind, features, header,
        machine::{Act, Closed, Out, Tls},
        sasl::{
            Advertised, Failure,
            profile::{Auth, Profile, Said as Sasl},
        },
    },
    violation::Violation,
};
use std::borrow::Cow;
use wire::{Bare, Content, Element, Header, Name, Open, Payload, Stanza, StanzaError, ns};

/// What is known of a connection that has not been secured.
static NOTHING: Tls = Tls::UNKNOWN;
const STARTTLS: Name = Name::new(ns::TLS, "starttls");
const PEER_ERROR: Name = Name::new(ns::STREAM, "error");
/// Refused requests for a resource on one stream: the first and nine retries. RFC 6120 §7.7.3 wants
/// 5 to 10 of these.
const BIND_TRIES_MAX: u32 = 10;

/// What our header repeats or takes from the client's.
pub(super) struct Spoken<'a> {
    /// The domain that it is for, if it is one of ours.
    pub from: Option<&'a Bare>,
    /// Who the client says it is, bare (§4.7.2).
    pub to: Option<&'a Bare>,
    /// The version that both speak (§4.7.5).
    pub version: Option<Cow<'static, str>>,
}

impl Default for Spoken<'_> {
    /// The client has said nothing yet.
    fn default() -> Self {
        Self { from: None, to: None, version: Some(header::OURS.into()) }
    }
}

/// Header and TLS.
impl C2s {
    pub(super) fn open(&mut self, ctx: &Ctx<'_>, open: &Open, out: &mut Out) {
        let domain = header::domain(open, ctx.settings);
        let claimed = header::from(open);
        let checked = header::check(open, Content::Client, self.framing);
        let version = match checked {
            Err(Violation::VersionTooLow) => header::version(open.version.as_deref()),
            _ => Some(header::OURS.into()),
        };
        // Who has logged in is known, whatever the header says.
        let account = match &self.state {
            State::Authenticated(account) => Some(account.clone()),
            _ => None,
        };
        let to = claimed.as_ref().map(|claimed| account.as_ref().unwrap_or(claimed));
        self.speak(ctx, Spoken { from: domain.as_ref().ok(), to, version }, out);
        let same = |domain: Bare| match &self.domain {
            Some(before) if *before != domain => Err(Violation::HostChanged),
            _ => Ok(domain),
        };
        // §4.9.3.9.
        let known = |domain| match (&account, &claimed) {
            (Some(account), Some(other)) if other != account => Err(Violation::FromOther),
            _ => Ok(domain),
        };
        match checked.and(domain).and_then(same).and_then(known) {
            Ok(domain) => self.domain = Some(domain),
            Err(violation) => return self.violated(ctx, violation, out),
        }
        self.lang = header::lang(open);
        // Only what is said under TLS is its own word.
        self.claimed = claimed.filter(|_| matches!(self.state, State::Secure));
        let Some(advertised) = self.advertised(ctx) else { return };
        let framing = self.framing;
        out.say(|out| match &self.state {
            State::Plain => features::insecure(out),
            State::Authenticated(_) => {
                features::authenticated(ctx, &advertised, framing, false, out);
            }
            _ => features::secure(ctx, &advertised, framing, out),
        });
    }

    /// The ways to log in that this stream offers. None before its header.
    pub(super) fn advertised(&self, ctx: &Ctx<'_>) -> Option<Advertised<'_>> {
        let domain = self.domain.as_ref()?;
        Some(Advertised::on(ctx, domain, self.tls()))
    }

    /// What is known of the connection.
    pub(super) fn tls(&self) -> &Tls {
        self.tls.as_deref().unwrap_or(&NOTHING)
    }

    /// Our header (RFC 6120 §4.7), with an id that nobody can guess.
    pub(super) fn speak(&mut self, ctx: &Ctx<'_>, spoken: Spoken<'_>, out: &mut Out) {
        let from = spoken.from.or(self.domain.as_ref()).or(ctx.settings.domains.first());
        let header = Header {
            content: Content::Client,
            from: from.map(|domain| domain.as_str()),
            to: spoken.to.map(|to| to.as_str()),
            id: Some(&ctx.token()),
            version: spoken.version.as_deref(),
            lang: Some("en"),
        };
        out.say(|out| header.write(self.framing, out));
        self.spoken = true;
    }

    pub(super) fn secured(&mut self, tls: Tls) {
        if matches!(self.state, State::Handshake) {
            self.tls = Some(Box::new(tls));
            self.state = State::Secure;
            self.restart();
        }
    }

    /// A new stream on the same connection: nothing of the old one is left (§4.3.3).
    pub(super) fn restart(&mut self) {
        self.decoder.restart();
        self.spoken = false;
        self.lang = None;
    }

    pub(super) fn element(&mut self, ctx: &Ctx<'_>, element: Element<'_>, out: &mut Out) {
        if element.is(PEER_ERROR) {
            self.farewell(out);
            return self.end(End::Broken, Closed::Peer, out);
        }
        let read = |profile: &&'static dyn Profile| Some((*profile, profile.read(element)?));
        let mut sasl = ctx.hooks.profiles().iter().find_map(read);
        if let Some((_, Ok(Sasl::Auth(Auth { wishes: Some(wishes), .. })))) = &mut sasl {
            // What cannot be meant claims nothing (XEP-0198 §9).
            let claims = ctx.hooks.claims();
            let claim = |child| claims.and_then(|claims| claims.read(child)?.ok());
            wishes.claim = element.children().find_map(claim);
        }
        match (&self.state, sasl) {
            (State::Plain, None) if element.is(STARTTLS) => {
                let proceed = b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
                out.say(|out| out.extend_from_slice(proceed));
                out.acts.push(Act::StartTls);
                self.state = State::Handshake;
            }
            (State::Plain, Some((profile, _))) => {
                self.login = Some(Login::none(profile));
                self.failure(ctx, Failure::EncryptionRequired, out);
            }
            (State::Secure | State::Challenged(_) | State::Authenticated(_), None)
                if element.is(STARTTLS) =>
            {
                let failure = b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
                out.say(|out| out.extend_from_slice(failure));
                self.farewell(out);
                self.end(End::Closed, Closed::Properly, out);
            }
            (State::Secure | State::Challenged(_), Some((profile, said))) => {
                self.sasl(ctx, profile, said, out);
            }
            (State::Entering(_), Some((_, said))) => self.task(ctx, said, out),
            (State::Authenticated(account), None) => {
                let account = account.clone();
                match ctx.hooks.claims().and_then(|claims| claims.read(element)) {
                    Some(Ok(claim)) => {
                        let (since, device) = (self.since, self.device.clone());
                        let said = Said::Resume { claim, since, device };
                        out.acts.push(Act::Submit(account.clone(), said));
                        self.state = State::Claiming(account);
                    }
                    Some(Err(told)) => self.unclaimed(ctx, &told, out),
                    None => self.violated(ctx, Violation::ElementUnknown, out),
                }
            }
            (State::Authenticated(_) | State::Bound(..), Some(_)) => {
                self.violated(ctx, Violation::AuthAfterSuccess, out);
            }
            _ => self.violated(ctx, Violation::ElementUnknown, out),
        }
    }
}

/// Binding.
impl C2s {
    pub(super) fn bind(&mut self, ctx: &Ctx<'_>, account: Bare, request: Stanza, out: &mut Out) {
        match bind::resource(&request, &account) {
            Ok(resource) => {
                let (device, inline) = (self.device.clone(), Vec::new());
                let said = Said::Bind { resource, since: self.since, device, inline, reads: false };
                out.acts.push(Act::Submit(account.clone(), said));
                self.state = State::Binding(account, Box::new(request));
            }
            Err(error) => self.unbound(ctx, &request, &error, out),
        }
    }

    /// The session that it claims is not there; how often, is bounded as for resources.
    pub(super) fn unclaimed(&mut self, ctx: &Ctx<'_>, told: &Payload, out: &mut Out) {
        out.say(|out| out.extend_from_slice(told.as_str().as_bytes()));
        self.binds += 1;
        if self.binds >= BIND_TRIES_MAX {
            self.violated(ctx, Violation::BindTries, out);
        }
    }

    /// The resource is refused; how often, is bounded (§7.7.3).
    pub(super) fn unbound(
        &mut self,
        ctx: &Ctx<'_>,
        request: &Stanza,
        error: &StanzaError,
        out: &mut Out,
    ) {
        self.refuse(request, error, out);
        self.binds += 1;
        if self.binds >= BIND_TRIES_MAX {
            self.violated(ctx, Violation::BindTries, out);
        }
    }
}
