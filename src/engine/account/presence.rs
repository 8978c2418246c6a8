//! Presence (RFC 6121 §4): a session tells, contacts hear.

use super::{Account, Output, wait::By};
use crate::{
    ctx::Ctx,
    delivery::is_presence_type,
    parcel::{Link, Parcel},
    passage::{Ended, Walk, arrive, decide, leave},
    roster::State,
    session::Session,
    subscription::Ask,
    unit::Committed,
};
use std::collections::BTreeSet;
use wire::{Head, Jid, Kind, Name, Stanza, StanzaCondition, ns};

const PRIORITY: Name = Name::new(ns::CLIENT, "priority");

/// Bytes of the addresses that one session has sent directed presence to.
const DIRECTED_BYTES_MAX: usize = 64 << 10;

impl Account {
    pub(super) fn presence_sent(
        &mut self,
        by: By,
        stanza: Stanza,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if let Some(why) = self.unshowable(by.link, &stanza, ctx) {
            self.refuse(&stanza, &why, ctx, out);
            return self.settle(by, ctx, out);
        }
        let kind = stanza.head.type_str();
        if let Some(ask) = Ask::parse(kind) {
            return self.ask_sent(by, ask, stanza, ctx, out);
        }
        let done = match (kind, &stanza.head.to) {
            ("", None) if priority(&stanza).is_some() => return self.show(by, stanza, ctx, out),
            ("" | "unavailable", None) => self.broadcast(by, stanza, ctx, out),
            // §4.3: a client need not probe, but what it sends is answered like any probe.
            ("" | "unavailable" | "error" | "probe", Some(_)) => self.direct(by, stanza, ctx, out),
            ("probe" | "error", None) => Ok(()),
            _ => refused(stanza, StanzaCondition::BadRequest),
        };
        if let Err(ended) = done {
            self.ended(&ended, ctx, out);
        }
        self.settle(by, ctx, out);
    }

    /// Initial, subsequent and unavailable presence (§4.2, §4.4, §4.5).
    pub(super) fn broadcast(
        &mut self,
        by: By,
        stanza: Stanza,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Box<Ended>> {
        let Some(priority) = priority(&stanza) else {
            return refused(stanza, StanzaCondition::BadRequest);
        };
        let ends = stanza.head.type_str() == "unavailable";
        if !ends && self.shows_too_much(by.link, &stanza) {
            return refused(stanza, StanzaCondition::PolicyViolation);
        }
        let (_, walked) = decide(Walk::Sent, stanza, self, ctx)?;
        if ends {
            self.show_no_more(by.link, ctx, out);
            self.withdraw(by.link, Some(walked.stanza), ctx, out);
            return Ok(());
        }
        let Some(session) = self.session(by.link) else { return Ok(()) };
        let took = session.takes_messages();
        let initial = session.presence.replace(walked.stanza.clone()).is_none();
        session.priority = priority;
        let (jid, id) = (session.jid.clone(), session.id);
        let begins = !took && session.takes_messages() && !session.is_behind();
        self.tell(&walked.stanza, ctx, out);
        if initial {
            self.greet(&jid, ctx, out);
        }
        // Before what is kept for who comes and is in no log: that has its place behind what is.
        if let Some(place) = self.place(id).filter(|_| begins) {
            self.replay(place, ctx, out);
        }
        self.release(walked, &Committed::default(), ctx, out);
        Ok(())
    }

    /// To every available resource of the account, the sender included if it is, and to every
    /// contact that sees it.
    pub(super) fn tell(&mut self, stanza: &Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let (ends, from) = (!stanza.head.type_str().is_empty(), stanza.head.from.as_ref());
        let hears = |one: &&Session| {
            let is_other = Some(&one.jid) != from;
            one.presence.is_some() || ends && is_other && one.hears_of_ends()
        };
        let own: Vec<_> = self.sessions.iter().filter(hears).map(|one| one.jid.clone()).collect();
        for jid in own {
            self.write(&jid, addressed(stanza, self.jid.clone().into()), ctx, out);
        }
        for contact in self.watchers() {
            self.tell_one(addressed(stanza, contact), ctx, out);
        }
    }

    /// What a resource hears when it becomes available: its siblings' presence, its contacts'
    /// (asked for by probes, §4.3.1), and the requests that wait for an answer (§3.1.3).
    pub(super) fn greet(&mut self, to: &Jid, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let siblings = self.sessions.iter().filter(|session| session.jid != *to);
        let mut heard: Vec<_> = siblings.filter_map(|session| session.presence.clone()).collect();
        let requests: Vec<_> = self.roster.requests().cloned().collect();
        let mut arrive = |request| arrive(request, None, self, ctx);
        heard.extend(requests.into_iter().filter_map(&mut arrive));
        for stanza in heard {
            let to_account = addressed(&stanza, self.jid.clone().into());
            self.write(to, to_account, ctx, out);
        }
        let watched: Vec<_> = self.contacts(|state| state.to).collect();
        for contact in watched {
            // From the bare address (§4.3.1). To who is here from the resource, as RFC 3921 had it,
            // so that it alone hears the answers.
            let from = match ctx.settings.serves(contact.domain()) {
                true => to.clone(),
                false => self.jid.clone().into(),
            };
            let head = Head::new(Kind::Presence).with_type("probe").with_from(from);
            self.tell_one(Stanza::new(head.with_to(contact)), ctx, out);
        }
    }

    /// What the account tells on its own account, if it may reach that contact.
    pub(super) fn tell_one(&mut self, stanza: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        if let Some(stanza) = leave(stanza, None, self, ctx) {
            self.send(stanza, ctx, out);
        }
    }

    /// A resource is no longer available: all hear it that had heard it was (§4.5.2, §4.6.3),
    /// itself too when it said so.
    pub(super) fn withdraw(
        &mut self,
        link: Link,
        said: Option<Stanza>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(session) = self.session(link) else { return };
        let directed = std::mem::take(&mut session.directed);
        let (jid, was) = (session.jid.clone(), session.presence.take().is_some());
        session.priority = 0;
        let heard_by_itself = said.is_some();
        let stanza = said.unwrap_or_else(|| unavailable(&jid));
        if was {
            self.tell(&stanza, ctx, out);
        }
        if was && !self.departs && self.present().is_empty() {
            self.remember_presence(&stanza, ctx, out);
        }
        if was && heard_by_itself {
            self.write(&jid, addressed(&stanza, self.jid.clone().into()), ctx, out);
        }
        for to in directed {
            if !was || !self.is_told(&to) {
                self.tell_one(addressed(&stanza, to), ctx, out);
            }
        }
    }

    /// Whether `to` hears what everybody is told.
    fn is_told(&self, to: &Jid) -> bool {
        let bare = to.bare();
        let available = |to: &Jid| {
            let named = |session: &&Session| session.jid == *to;
            self.sessions.iter().find(named).is_some_and(|session| session.presence.is_some())
        };
        self.roster.is_from(&bare) || (bare == self.jid && (to.is_bare() || available(to)))
    }

    /// Directed presence (§4.6), errors and probes: to whom they are addressed.
    fn direct(
        &mut self,
        by: By,
        stanza: Stanza,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Box<Ended>> {
        let stanza = decide(Walk::Sent, stanza, self, ctx)?.1.stanza;
        let Some(to) = stanza.head.to.clone() else { return Ok(()) };
        if !ctx.settings.lets_reach(&self.jid, to.domain()) {
            // §4.3: a probe alone is no cause for an error.
            return match stanza.head.type_str() {
                "probe" => Ok(()),
                _ => refused(stanza, StanzaCondition::RemoteServerNotFound),
            };
        }
        if let Some(session) = self.session(by.link) {
            match stanza.head.type_str() {
                "" if !session.directed.contains(&to) && is_full(&session.directed, ctx) => {
                    return refused(stanza, StanzaCondition::ResourceConstraint);
                }
                "" => session.directed.insert(to.clone()),
                "unavailable" => {
                    session.hearings.forget(&to.bare());
                    session.directed.remove(&to)
                }
                _ => false,
            };
        }
        if to.bare() == self.jid {
            self.take_turn(stanza, ctx, out);
        } else {
            let to = to.bare();
            out.push(Output::Parcel(Parcel::Routed { to, stanza, owed: None }));
        }
        Ok(())
    }

    pub(super) fn presence_received(
        &mut self,
        stanza: Stanza,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if !is_presence_type(stanza.head.type_str()) {
            return self.refuse(&stanza, &StanzaCondition::BadRequest.into(), ctx, out);
        }
        let walked = match decide(Walk::Received, stanza, self, ctx) {
            Ok((_, walked)) => walked,
            Err(ended) => return self.ended(&ended, ctx, out),
        };
        let kind = walked.stanza.head.type_str();
        if kind == "probe" {
            return self.probed(&walked.stanza, ctx, out);
        }
        if let Some(ask) = Ask::parse(kind) {
            // §8.5.3.2.2: for a resource that is gone there are only requests.
            let gone = |to: &Jid| !to.is_bare() && self.sessions.iter().all(|one| one.jid != *to);
            if ask != Ask::Subscribe && walked.stanza.head.to.as_ref().is_some_and(gone) {
                return;
            }
            return self.ask_received(ask, walked.stanza, ctx, out);
        }
        // In a room somebody else may leave the name that a session is just taking, and it may be
        // back before it hears that it has gone.
        let service = walked.stanza.head.from.as_ref();
        let service = service.and_then(|from| ctx.hooks.service(from.domain(), ctx.settings));
        let sits = service.map(|service| service.sits(&walked.stanza));
        match (kind, sits) {
            ("error", _) | ("unavailable", None | Some(Some(false))) => {
                self.forget_directed(&walked.stanza);
            }
            ("", Some(Some(true))) => self.note_directed(&walked.stanza, ctx),
            _ => {}
        }
        if self.is_withdrawn(&walked.stanza) {
            return;
        }
        self.release(walked, &Committed::default(), ctx, out);
    }

    /// Available presence of a resource of this account that has left while it waited: whoever is
    /// here has heard that it is gone.
    fn is_withdrawn(&self, presence: &Stanza) -> bool {
        let (Some(from), Some(to)) = (&presence.head.from, &presence.head.to) else { return false };
        if !presence.head.type_str().is_empty() || from.is_bare() || from.bare() != self.jid {
            return false;
        }
        let session = self.sessions.iter().find(|session| session.jid == *from);
        session.is_none_or(|one| one.presence.is_none() && !one.directed.contains(to))
    }

    /// §4.6.1: who is unavailable, or answered directed presence with an error, need not hear of
    /// its end.
    fn forget_directed(&mut self, said: &Stanza) {
        let (Some(from), Some(to)) = (&said.head.from, &said.head.to) else { return };
        for session in self.sessions.iter_mut().filter(|one| to.is_bare() || one.jid == *to) {
            if said.head.type_str() != "error" || !session.is_still_in_room(from) {
                session.directed.remove(from);
            }
        }
    }

    /// What was forgotten as of something earlier is known again.
    fn note_directed(&mut self, said: &Stanza, ctx: &Ctx<'_>) {
        let (Some(from), Some(to)) = (&said.head.from, &said.head.to) else { return };
        let session = self.sessions.iter_mut().find(|one| one.jid == *to);
        if let Some(session) = session.filter(|one| !is_full(&one.directed, ctx)) {
            session.directed.insert(from.clone());
        }
    }

    /// Who sees the account's presence.
    fn watchers(&self) -> Vec<Jid> {
        self.contacts(|state| state.from).collect()
    }

    fn contacts(&self, which: fn(State) -> bool) -> impl Iterator<Item = Jid> {
        let items = self.roster.items().filter(move |item| which(item.state));
        items.map(|item| item.jid.clone())
    }

    /// The presence of every available resource.
    pub(super) fn present(&self) -> Vec<Stanza> {
        self.sessions.iter().filter_map(|session| session.presence.clone()).collect()
    }
}

/// The same stanza for somebody.
pub(super) fn addressed(stanza: &Stanza, to: Jid) -> Stanza {
    let mut addressed = stanza.clone();
    addressed.head.to = Some(to);
    addressed
}

/// Unavailable presence that the server makes.
pub(super) fn unavailable(from: &Jid) -> Stanza {
    Stanza::new(Head::new(Kind::Presence).with_type("unavailable").with_from(from.clone()))
}

fn refused(stanza: Stanza, condition: StanzaCondition) -> Result<(), Box<Ended>> {
    Err(Box::new(Ended { stanza, error: Some(condition.into()) }))
}

/// Whether a session has sent directed presence to as many as it may.
fn is_full(directed: &BTreeSet<Jid>, ctx: &Ctx<'_>) -> bool {
    let bytes = directed.iter().map(|to| to.as_str().len()).sum::<usize>();
    directed.len() >= ctx.settings.limits.directed_max || bytes >= DIRECTED_BYTES_MAX
}

/// RFC 6121 §4.7.2.3: -128 to 127, 0 when it is not there or means nothing, as in unavailable
/// presence. None: it is no such number.
fn priority(presence: &Stanza) -> Option<i8> {
    match presence.child(PRIORITY) {
        Some(priority) if presence.head.type_str().is_empty() => {
            priority.text().trim().parse().ok()
        }
        _ => Some(0),
    }
}
