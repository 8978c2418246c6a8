//! Subscriptions (RFC 6121 §3): the states are the roster's, what they cause is sent from here.

use super::{
    Account, Output,
    presence::{addressed, unavailable},
    wait::{By, Pair},
};
use crate::{
    ctx::Ctx,
    passage::{Walk, decide, leave},
    roster::{Set, Step},
    session::Session,
    subscription::Ask,
    unit::Unit,
};
use std::collections::BTreeSet;
use wire::{Bare, Head, Jid, Kind, Stanza, StanzaCondition};

/// What goes out after a commit.
#[derive(Default)]
pub(super) struct Outgoing {
    /// To these sessions, `to` as it is (RFC 6121 §3.1.3).
    deliver: Option<(Stanza, Vec<Jid>)>,
    /// To where they are addressed.
    send: Vec<Stanza>,
    /// Who sees the account from now on: its presence of then goes there. That of before would
    /// outlive a resource that leaves while the commit is awaited.
    show_to: Option<Bare>,
}

impl From<Vec<Stanza>> for Outgoing {
    fn from(send: Vec<Stanza>) -> Self {
        Self { send, ..Self::default() }
    }
}

impl Account {
    /// §3.1.2: from the bare address, to the bare address. Committed before it leaves.
    pub(super) fn ask_sent(
        &mut self,
        by: By,
        ask: Ask,
        mut stanza: Stanza,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(to) = stanza.head.to.as_ref().map(Jid::bare) else {
            self.refuse(&stanza, &StanzaCondition::BadRequest.into(), ctx, out);
            return self.settle(by, ctx, out);
        };
        let asked = stanza.clone();
        stanza.head.from = Some(self.jid.clone().into());
        stanza.head.to = Some(to.clone().into());
        if to == self.jid {
            return self.settle(by, ctx, out); // everybody is subscribed to themselves (§4.2.2)
        }
        let stanza = match decide(Walk::Sent, stanza, self, ctx) {
            Ok(_) if !ctx.settings.lets_reach(&self.jid, to.domain()) => {
                self.refuse(&asked, &StanzaCondition::RemoteServerNotFound.into(), ctx, out);
                return self.settle(by, ctx, out);
            }
            Ok((_, walked)) => walked.stanza,
            Err(ended) => {
                let error = ended.error.as_ref();
                error.into_iter().for_each(|error| self.refuse(&asked, error, ctx, out));
                return self.settle(by, ctx, out);
            }
        };
        let step = self.roster.sent(&self.jid, &to, ask, ctx);
        if let Some(condition) = step.refusal {
            self.refuse(&asked, &condition.into(), ctx, out);
            return self.settle(by, ctx, out);
        }
        let mut outgoing = Outgoing::default();
        outgoing.send.extend(step.pass.then_some(stanza));
        let pair = (asked.head.from.clone(), Some(to.clone().into()));
        self.take_step(step, &to, outgoing, pair, Some(by), ctx, out);
    }

    pub(super) fn ask_received(
        &mut self,
        ask: Ask,
        stanza: Stanza,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if self.waiting.is_overrun() {
            tracing::debug!(account = %self.jid, "too much waits: a subscription is dropped");
            return;
        }
        let Some(from) = stanza.head.from.as_ref().map(Jid::bare) else { return };
        let pair = (Some(from.clone().into()), Some(self.jid.clone().into()));
        let step = self.roster.received(&self.jid, &from, ask, &stanza, ctx);
        let mut outgoing = Outgoing::default();
        if step.pass {
            // A request to who is available (§3.1.3), what it leads to to who listens to the
            // roster (§3.1.6, §3.2.3, §3.3.3).
            let hears = |session: &&Session| match ask {
                Ask::Subscribe => session.presence.is_some(),
                Ask::Subscribed | Ask::Unsubscribe | Ask::Unsubscribed => session.interested,
            };
            let hearing = self.sessions.iter().filter(hears);
            let hearing = hearing.map(|session| session.jid.clone()).collect();
            outgoing.deliver = Some((addressed(&stanza, self.jid.clone().into()), hearing));
        }
        self.take_step(step, &from, outgoing, pair, None, ctx, out);
    }

    /// What a change of state causes, after its commit: the stanza itself, the push, the answer
    /// that goes by itself, and the presence that now may or may no longer be seen.
    #[expect(clippy::too_many_arguments, reason = "one call of two, both in this file")]
    fn take_step(
        &mut self,
        step: Step,
        contact: &Bare,
        mut outgoing: Outgoing,
        pair: Pair,
        settles: Option<By>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Outgoing { send, show_to, .. } = &mut outgoing;
        if let Some(item) = &step.push {
            send.extend(self.pushes(&item.push(item.ver), ctx));
        }
        send.extend(step.reply.map(|ask| self.asking(ask, contact)));
        if step.became_from {
            *show_to = Some(contact.clone());
        } else if step.lost_from {
            // §3.2.2: before the contact hears that it sees nothing any more.
            send.splice(0..0, self.absences(contact, ctx));
        }
        let unit = Unit::of(step.changes);
        self.commit_then_send(unit, pair, outgoing, settles, ctx, out);
    }

    /// Sends what was held back for a commit, where there still is anybody.
    pub(super) fn send_off(&mut self, outgoing: Outgoing, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Outgoing { deliver, send, show_to } = outgoing;
        if let Some((stanza, sessions)) = deliver {
            sessions.iter().for_each(|to| self.write(to, stanza.clone(), ctx, out));
        }
        send.into_iter().for_each(|stanza| self.send(stanza, ctx, out));
        if let Some(contact) = show_to {
            for presence in self.present() {
                self.tell_one(addressed(&presence, contact.clone().into()), ctx, out);
            }
        }
    }

    /// What a removed contact hears (§2.5.2): that nobody is there (§3.2.2), and why.
    pub(super) fn parting(&mut self, set: &Set, ctx: &Ctx<'_>) -> Vec<Stanza> {
        let contact = set.contact.bare();
        let mut stanzas = Vec::new();
        if set.lost_from {
            stanzas.extend(self.absences(&contact, ctx));
        }
        stanzas.extend(set.sends.iter().map(|ask| self.asking(*ask, &contact)));
        stanzas
    }

    /// Every available resource becomes unavailable to the contact (§3.2.1, §3.3.3), and every
    /// resource to whom of it was told by directed presence that it is there (§4.6.1, §4.6.3).
    fn absences(&mut self, contact: &Bare, ctx: &Ctx<'_>) -> Vec<Stanza> {
        let mut gone = Vec::new();
        for session in &mut self.sessions {
            let absence = unavailable(&session.jid);
            let account = Jid::from(contact.clone());
            let seen = session.presence.is_some().then_some(account);
            let (told, others) = std::mem::take(&mut session.directed)
                .into_iter()
                .partition::<BTreeSet<_>, _>(|to| to.bare() == *contact);
            session.directed = others;
            let told = told.into_iter().filter(|to| Some(to) != seen.as_ref());
            let all: Vec<_> = seen.clone().into_iter().chain(told).collect();
            gone.extend(all.into_iter().map(|to| addressed(&absence, to)));
        }
        gone.into_iter().filter_map(|absence| leave(absence, None, self, ctx)).collect()
    }

    /// A subscription stanza that the server makes for the account.
    fn asking(&self, ask: Ask, contact: &Bare) -> Stanza {
        let head = Head::new(Kind::Presence).with_type(ask.as_str());
        Stanza::new(head.with_from(self.jid.clone()).with_to(contact.clone()))
    }
}
