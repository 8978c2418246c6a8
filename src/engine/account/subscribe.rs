//! Subscriptions (RFC 6121 §3): the states are the roster's, what they cause is sent from here.

use super::{
    Account, Output,
    presence::{addressed, unavailable},
    settle,
};
use crate::{
    ctx::Ctx,
    parcel::Link,
    passage::{Ended, Walk, decide},
    roster::{Set, Step},
    session::Session,
    subscription::Ask,
    unit::Unit,
};
use wire::{Bare, Head, Jid, Kind, Stanza, StanzaCondition};

impl Account {
    /// §3.1.2: from the bare address, to the bare address. Committed before it leaves.
    pub(super) fn ask_sent(
        &mut self,
        link: Link,
        ask: Ask,
        mut stanza: Stanza,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(to) = stanza.head.to.as_ref().map(Jid::bare) else {
            self.refuse(&stanza, &StanzaCondition::BadRequest.into(), ctx, out);
            return settle(link, out);
        };
        let asked = stanza.clone();
        stanza.head.from = Some(self.jid.clone().into());
        stanza.head.to = Some(to.clone().into());
        if to == self.jid {
            return settle(link, out); // everybody is subscribed to themselves (§4.2.2)
        }
        let decided = decide(Walk::Sent, stanza, self, ctx);
        let stanza = match decided {
            Ok(_) if !ctx.settings.serves(to.domain()) => {
                self.refuse(&asked, &StanzaCondition::RemoteServerNotFound.into(), ctx, out);
                return settle(link, out);
            }
            Ok((_, walked)) => walked.stanza,
            Err(ended) => {
                if let Ended::Refused(error) = ended {
                    self.refuse(&asked, &error, ctx, out);
                }
                return settle(link, out);
            }
        };
        let step = self.roster.sent(&self.jid, &to, ask, ctx);
        if let Some(condition) = step.refusal {
            self.refuse(&asked, &condition.into(), ctx, out);
            return settle(link, out);
        }
        let mut stanzas = Vec::new();
        stanzas.extend(step.pass.then_some(stanza));
        let pair = (asked.head.from, Some(to.clone().into()));
        self.take_step(step, &to, stanzas, pair, Some(link), ctx, out);
    }

    pub(super) fn ask_received(
        &mut self,
        ask: Ask,
        stanza: Stanza,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(from) = stanza.head.from.as_ref().map(Jid::bare) else { return };
        let step = self.roster.received(&self.jid, &from, ask, &stanza, ctx);
        let mut stanzas = Vec::new();
        if step.pass {
            // A request to who is available (§3.1.3), what it leads to to who listens to the
            // roster (§3.1.6, §3.2.3, §3.3.3).
            let hears = |session: &&Session| match ask {
                Ask::Subscribe => session.presence.is_some(),
                Ask::Subscribed | Ask::Unsubscribe | Ask::Unsubscribed => session.interested,
            };
            let hearing = self.sessions.iter().filter(hears);
            stanzas.extend(hearing.map(|session| addressed(&stanza, session.jid.clone())));
        }
        let pair = (Some(from.clone().into()), Some(self.jid.clone().into()));
        self.take_step(step, &from, stanzas, pair, None, ctx, out);
    }

    /// What a change of state causes, after its commit: the stanza itself, the push, the answer
    /// that goes by itself, and the presence that now may or may no longer be seen.
    #[expect(clippy::too_many_arguments, reason = "one call of two, both in this file")]
    fn take_step(
        &mut self,
        step: Step,
        contact: &Bare,
        mut stanzas: Vec<Stanza>,
        pair: (Option<Jid>, Option<Jid>),
        settles: Option<Link>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if let Some(item) = &step.push {
            stanzas.extend(self.pushes(&item.push(item.ver), ctx));
        }
        stanzas.extend(step.reply.map(|ask| self.asking(ask, contact)));
        let present = self.present().into_iter();
        let contact: Jid = contact.clone().into();
        if step.became_from {
            stanzas.extend(present.map(|presence| addressed(&presence, contact.clone())));
        } else if step.lost_from {
            let gone = present.filter_map(|presence| presence.head.from);
            stanzas.extend(gone.map(|from| addressed(&unavailable(&from), contact.clone())));
        }
        let unit = Unit { entries: Vec::new(), changes: step.changes };
        self.commit_then_send(unit, pair, stanzas, settles, ctx, out);
    }

    /// What a removed contact hears (§2.5.2): that nobody watches any more, and why it sees nobody.
    pub(super) fn parting(&self, set: &Set) -> Vec<Stanza> {
        let contact = set.contact.bare();
        let mut stanzas: Vec<_> = set.sends.iter().map(|ask| self.asking(*ask, &contact)).collect();
        if set.lost_from {
            let gone = self.present().into_iter().filter_map(|presence| presence.head.from);
            let to: Jid = contact.into();
            stanzas.extend(gone.map(|from| addressed(&unavailable(&from), to.clone())));
        }
        stanzas
    }

    /// A subscription stanza that the server makes for the account.
    fn asking(&self, ask: Ask, contact: &Bare) -> Stanza {
        let head = Head::new(Kind::Presence).with_type(ask.as_str());
        Stanza::new(head.with_from(self.jid.clone()).with_to(contact.clone()))
    }
}
