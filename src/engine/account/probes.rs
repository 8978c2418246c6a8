//! What an account answers when it is asked how it is (RFC 6121 §4.3.2, §4.6.6).

use super::{
    Account, LastPresence, Output,
    presence::{addressed, unavailable},
};
use crate::{ctx::Ctx, delivery::unsubscribed, passage::leave, session::Session};
use wire::{Head, Jid, Kind, Stanza};

impl Account {
    /// §4.3.2. Who is not subscribed is told just that, as by an account that does not exist:
    /// so a subscription of which only one side knows ends.
    pub(super) fn probed(&mut self, probe: &Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Some(from) = probe.head.from.clone() else { return };
        let mere = self.mere_presence(probe, &from);
        if !mere.is_empty() {
            if ctx.settings.service(from.domain()).is_some() {
                return self.answer_room(probe, mere, ctx, out);
            }
            return mere.into_iter().for_each(|answer| self.tell_one(answer, ctx, out));
        }
        if !self.roster.is_seen_by(&self.jid, &from.bare()) {
            return unsubscribed(probe).into_iter().for_each(|told| self.send(told, ctx, out));
        }
        let to = probe.head.to.as_ref().filter(|to| !to.is_bare());
        let asked = self.sessions.iter().filter(|session| to.is_none_or(|to| session.jid == *to));
        let answers: Vec<_> = asked.filter_map(|session| session.presence.clone()).collect();
        if answers.is_empty() {
            return self.tell_absence(probe, from, ctx, out);
        }
        for answer in answers {
            self.tell_one(addressed(&answer, from.clone()), ctx, out);
        }
    }

    /// What a probe hears when nobody is there: what was said last, and when. From the account, as
    /// there is no resource, and with the probe's id (§4.3.2.1).
    fn tell_absence(&mut self, probe: &Stanza, to: Jid, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let of = probe.head.to.clone().unwrap_or_else(|| self.jid.clone().into());
        let last = LastPresence::of(&self.cells);
        let last = last.filter(|last| of.is_bare() || last.stanza.head.from.as_ref() == Some(&of));
        let (said_ms, stanza) = match last {
            Some(LastPresence { unix_ms, stanza }) => (Some(unix_ms), stanza),
            None => (None, unavailable(&of)),
        };
        let mut stanza = addressed(&stanza, to);
        stanza.head.from = Some(of);
        stanza.head.id.clone_from(&probe.head.id);
        if let Some(stanza) = leave(stanza, said_ms, self, ctx) {
            self.send(stanza, ctx, out);
        }
    }

    /// Of a resource that is named no more than that it is there, to who sees the account (§4.3.2);
    /// likewise of those that sent it presence, to who does not (§4.6.6).
    fn mere_presence(&self, probe: &Stanza, from: &Jid) -> Vec<Stanza> {
        let named = probe.head.to.as_ref().filter(|to| !to.is_bare());
        let sees = self.roster.is_seen_by(&self.jid, &from.bare());
        let told = [from.clone(), from.bare().into()];
        let shows = |session: &&Session| match named {
            Some(named) if session.jid != *named => false,
            Some(_) if sees && session.presence.is_some() => true,
            None if sees => false,
            _ => told.iter().any(|to| session.directed.contains(to)),
        };
        let mere = |session: &Session| {
            let head = Head::new(Kind::Presence).with_from(session.jid.clone());
            let mut mere = Stanza::new(head.with_to(from.clone()));
            mere.head.id = session.presence.as_ref().and_then(|said| said.head.id.clone());
            mere
        };
        self.sessions.iter().filter(shows).map(mere).collect()
    }
}
