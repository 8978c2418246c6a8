//! Requests and their answers (RFC 6120 §8.2.3, RFC 6121 §8).

use super::{
    Account, Output,
    wait::{By, Then, Wait},
};
use crate::{
    ctx::Ctx,
    delivery::ROSTER,
    hook::{IqKind, Of, Reply},
    parcel::Parcel,
    passage::{Ended, Walk, decide},
    request::{Asks, Found, Home, Line, answer, asks, stanzas},
    roster::RosterReply,
    stream::bind,
    unit::{Change, Unit},
};
use wire::{Bare, Jid, Kind, Stanza, StanzaCondition};

/// Requests of its own sessions that may wait for the cells at hand of an account.
pub(super) const ASKED_MAX: usize = 256;

impl Account {
    pub(super) fn iq_sent(&mut self, by: By, iq: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let kind = match asks(&iq) {
            Ok(Asks::Request(kind)) => Some(kind),
            Ok(Asks::Response) => None,
            Err(error) => {
                self.refuse(&iq, &error, ctx, out);
                return self.settle(by, ctx, out);
            }
        };
        if let Some(request) = bind::request(&iq, &self.jid) {
            self.bound_before(&request, &iq, ctx, out);
            return self.settle(by, ctx, out);
        }
        // RFC 6120 §10.3.3: without `to` the server answers on behalf of the account.
        let mine = iq.head.to.as_ref().is_none_or(|to| to.is_bare() && to.bare() == self.jid);
        match kind {
            Some(kind) if mine => return self.ask_in_turn(kind, iq, by, ctx, out),
            None if mine => self.response_heard(iq, ctx, out),
            _ => self.iq_on(iq, ctx, out),
        }
        self.settle(by, ctx, out);
    }

    /// What a client answers it has got, whether it acknowledges it or not: when its session ends,
    /// nobody answers that once more.
    pub(super) fn answers(&mut self, by: By, stanza: &Stanza) {
        if stanza.kind() != Kind::Iq || !matches!(asks(stanza), Ok(Asks::Response)) {
            return;
        }
        if let Some(managed) = self.session(by.link).and_then(|one| one.managed.as_mut()) {
            managed.unacked.answers(stanza);
        }
    }

    /// It has its resource (RFC 6120 §7.1), and a session is nothing (RFC 3921 §3). The stream
    /// could say so itself, but both sides count what is said here (XEP-0198 §4).
    fn bound_before(
        &mut self,
        request: &bind::Request,
        iq: &Stanza,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        match request {
            bind::Request::Session => self.send(iq.result(), ctx, out),
            bind::Request::Bind => {
                self.refuse(iq, &StanzaCondition::NotAllowed.into(), ctx, out);
            }
        }
    }

    /// The client answers its account: what XEPs have asked.
    fn response_heard(&mut self, iq: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let pair = (iq.head.from.clone(), Some(self.jid.clone().into()));
        if let Ok((unit, _)) = decide(Walk::Sent, iq, self, ctx) {
            self.wait(Wait::for_unit(unit, pair, Then::Nothing, None), ctx, out);
        }
    }

    /// To somebody else, a host, or a resource of this account.
    fn iq_on(&mut self, iq: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let iq = match decide(Walk::Sent, iq, self, ctx) {
            Ok((_, walked)) => walked.stanza,
            Err(ended) => return self.iq_ended(*ended, ctx, out),
        };
        let Some(to) = iq.head.to.as_ref().map(Jid::bare) else { return };
        if to == self.jid {
            self.take_turn(iq, ctx, out);
        } else if ctx.settings.lets_reach(&self.jid, to.domain()) {
            out.push(Output::Parcel(Parcel::Routed { to, stanza: iq, owed: None }));
        } else {
            self.refuse(&iq, &StanzaCondition::RemoteServerNotFound.into(), ctx, out);
        }
    }

    /// RFC 6120 §8.2.3: a request is answered, also one that is dropped.
    fn iq_ended(&mut self, ended: Ended, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let error = ended.error.unwrap_or_else(|| StanzaCondition::ServiceUnavailable.into());
        self.refuse(&ended.stanza, &error, ctx, out);
    }

    /// RFC 6121 §8.5.2.1.3: to the bare address, the server answers and no client sees it.
    /// §8.5.3: to a resource, it is that resource's, or `service-unavailable`.
    pub(super) fn iq_received(&mut self, iq: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let (unit, iq) = match decide(Walk::Received, iq, self, ctx) {
            Ok((unit, walked)) => (unit, walked.stanza),
            Err(ended) => return self.iq_ended(*ended, ctx, out),
        };
        let Some(to) = iq.head.to.clone() else { return };
        if let Some(place) = self.sessions.iter().position(|session| session.jid == to) {
            return self.deliver(place, iq.into(), ctx, out);
        }
        match asks(&iq) {
            Ok(Asks::Request(_)) if self.waiting.is_overrun() => {
                self.refuse(&iq, &StanzaCondition::ResourceConstraint.into(), ctx, out);
            }
            Ok(Asks::Request(kind)) if to.is_bare() => self.asked_of_me(kind, iq, None, ctx, out),
            Ok(Asks::Request(_)) => {
                self.refuse(&iq, &StanzaCondition::ServiceUnavailable.into(), ctx, out);
            }
            // An answer is never answered. XEPs may have asked.
            Ok(Asks::Response) => {
                let pair = (iq.head.from.clone(), Some(to));
                self.wait(Wait::for_unit(unit, pair, Then::Nothing, None), ctx, out);
            }
            Err(error) => self.refuse(&iq, &error, ctx, out),
        }
    }

    /// What looks at cells at hand finds there what was asked for before: it waits until that is
    /// committed, and what is asked next waits behind it.
    fn ask_in_turn(
        &mut self,
        kind: IqKind,
        iq: Stanza,
        by: By,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if self.asked.is_empty() && !self.must_wait(kind, &iq, ctx) {
            return self.asked_of_me(kind, iq, Some(by), ctx, out);
        }
        if self.asked.len() < ASKED_MAX {
            self.hold(by);
            return self.asked.push_back((kind, iq, by));
        }
        self.refuse(&iq, &StanzaCondition::ResourceConstraint.into(), ctx, out);
        self.settle(by, ctx, out);
    }

    fn must_wait(&self, kind: IqKind, iq: &Stanza, ctx: &Ctx<'_>) -> bool {
        let mut payload = iq.children();
        self.waiting.is_learning()
            && payload.next().is_some_and(|payload| ctx.hooks.looks_at_hand(kind, payload))
    }

    /// What waited for the cells at hand goes on, one after the other.
    pub(super) fn ask_on(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        while let Some((kind, iq, by)) = self.asked.pop_front() {
            if self.must_wait(kind, &iq, ctx) {
                return self.asked.push_front((kind, iq, by));
            }
            self.asked_of_me(kind, iq, Some(by), ctx, out);
        }
    }

    /// Answered on behalf of the account: the roster here, the rest by XEPs.
    fn asked_of_me(
        &mut self,
        kind: IqKind,
        iq: Stanza,
        settles: Option<By>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if iq.child(ROSTER).is_some() {
            return self.roster_asked(kind, iq, settles, ctx, out);
        }
        let (roster, cells, released) = (&self.roster, &self.cells, self.released);
        let home = Home { roster, cells, released };
        let line = Line::of(&self.jid, &mut self.sessions, home);
        match answer(Of::Account, kind, &iq, line, ctx) {
            Found::Now(replied, unit) => {
                let pair = (Some(self.jid.clone().into()), iq.head.from.clone());
                let unit = if replied.is_ok() { unit } else { Unit::default() };
                self.purges(&unit);
                let then = match replied {
                    Ok(Reply::Told(told)) => Then::Tell(iq, told),
                    replied => Then::Answer(iq.clone(), stanzas(&iq, replied)),
                };
                self.wait(Wait::for_unit(unit, pair, then, settles), ctx, out);
            }
            Found::Beside(read) => self.read(iq, read, settles, ctx, out),
        }
    }

    /// What the answer has written off need not be written once more.
    fn purges(&mut self, unit: &Unit) {
        for change in &unit.changes {
            if let Change::Delivered(_, pos) = change {
                self.delivered = self.delivered.max(*pos);
                self.delivered_noted = self.delivered_noted.max(*pos);
            }
        }
    }

    /// RFC 6121 §2. Nobody else reads or writes an account's roster.
    fn roster_asked(
        &mut self,
        kind: IqKind,
        iq: Stanza,
        settles: Option<By>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let asker = iq.head.from.as_ref().filter(|from| from.bare() == self.jid).cloned();
        let Some(asker) = asker else {
            self.refuse(&iq, &StanzaCondition::Forbidden.into(), ctx, out);
            return self.settle_if(settles, ctx, out);
        };
        match kind {
            IqKind::Get => self.roster_get(&iq, &asker, settles, ctx, out),
            IqKind::Set => self.roster_set(&iq, settles, ctx, out),
        }
    }

    fn roster_get(
        &mut self,
        iq: &Stanza,
        asker: &Jid,
        settles: Option<By>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if let Some(session) = self.sessions.iter_mut().find(|session| session.jid == *asker) {
            session.interested = true;
        }
        let mut stanzas = Vec::new();
        match self.roster.get(iq) {
            RosterReply::Full(query) => stanzas.push(iq.result().with(query)),
            RosterReply::Empty => stanzas.push(iq.result()),
            // RFC 6121 §2.6.3: the result first, then what has changed, as pushes.
            RosterReply::Changed(queries) => {
                stanzas.push(iq.result());
                stanzas.extend(queries.into_iter().map(|query| push_to(asker, query, ctx)));
            }
        }
        let pair = (Some(self.jid.clone().into()), iq.head.from.clone());
        self.commit_then_send(Unit::default(), pair, stanzas, settles, ctx, out);
    }

    fn roster_set(
        &mut self,
        iq: &Stanza,
        settles: Option<By>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let pair = (Some(self.jid.clone().into()), iq.head.from.clone());
        let set = match self.roster.set(&self.jid, iq, ctx) {
            Ok(set) => set,
            Err(error) => {
                let refused: Vec<_> = iq.refused(&error).into_iter().collect();
                return self.commit_then_send(Unit::default(), pair, refused, settles, ctx, out);
            }
        };
        let mut stanzas = self.pushes(&set.push, ctx);
        stanzas.push(iq.result());
        stanzas.extend(self.parting(&set, ctx));
        let unit = Unit::of(set.changes);
        self.commit_then_send(unit, pair, stanzas, settles, ctx, out);
    }

    /// A push for every interested resource (RFC 6121 §2.1.6).
    pub(super) fn pushes(&self, query: &wire::Payload, ctx: &Ctx<'_>) -> Vec<Stanza> {
        let interested = self.sessions.iter().filter(|session| session.interested);
        interested.map(|session| push_to(&session.jid, query.clone(), ctx)).collect()
    }
}

/// RFC 6121 §2.1.6. From the account, which is what no `from` means.
fn push_to(to: &Jid, query: wire::Payload, ctx: &Ctx<'_>) -> Stanza {
    let account: Bare = to.bare();
    let head = wire::Head::new(wire::Kind::Iq).with_type("set").with_id(ctx.token());
    Stanza::new(head.with_from(account).with_to(to.clone())).with(query)
}
