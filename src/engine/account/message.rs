//! Messages: sent by a session, received for the account.

use super::{
    Account, Output,
    wait::{By, Pair, Place, Then, Wait},
};
use crate::{
    ctx::Ctx,
    delivery::{Untaken, untaken},
    hook::Station,
    parcel::{Owed, Parcel},
    passage::{Ended, Walk, Walked, decide, decide_said},
    unit::Unit,
};
use wire::{Stanza, StanzaCondition, StanzaError};

impl Account {
    /// RFC 6121 §8.2, §10.3.1: without `to` it is for the account itself.
    pub(super) fn message_sent(
        &mut self,
        mut by: By,
        mut stanza: Stanza,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        stanza.head.to.get_or_insert_with(|| self.jid.clone().into());
        let settles = self.session(by.link).map(|session| {
            let managed = session.managed.as_ref();
            by.covers = session.handled.covered_by(by.number);
            (session.id, managed.map_or(0, |managed| i64::from(managed.h(by.covers))))
        });
        match decide_said(settles, stanza, self, ctx) {
            Ok((unit, walked)) => self.pass_on(by, unit, walked, ctx, out),
            Err(ended) => {
                self.ended(&ended, ctx, out);
                self.settle(by, ctx, out);
            }
        }
    }

    /// The sender's half is decided: on to the recipient, wherever it is.
    fn pass_on(
        &mut self,
        by: By,
        unit: Unit,
        walked: Walked,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(to) = walked.stanza.head.to.as_ref().map(|to| to.bare()) else {
            return self.settle(by, ctx, out);
        };
        if to == self.jid {
            return self.send_to_self(by, unit, walked, ctx, out);
        }
        if !ctx.settings.lets_reach(&self.jid, to.domain()) {
            let error = StanzaCondition::RemoteServerNotFound.into();
            self.refuse(&walked.stanza, &error, ctx, out);
            return self.settle(by, ctx, out);
        }
        let pair = pair(&walked.stanza);
        let copied = !ctx.hooks.looks(Station::Copy, Station::Copy).is_empty();
        let is_room = ctx.settings.service(to.domain()).is_some();
        if unit.is_empty() && !copied && !is_room && !self.waiting.holds(&pair) {
            // Nothing is left to be done here.
            let stanza = walked.stanza;
            out.push(Output::Parcel(Parcel::Routed { to, stanza, owed: None }));
            return self.settle(by, ctx, out);
        }
        if !ctx.settings.hosts(to.domain()) {
            // The other server keeps a half of its own.
            let wait = Wait::for_unit(unit, pair, Then::WalkAway(walked), Some(by));
            return self.wait(wait, ctx, out);
        }
        let stanza = walked.stanza.clone();
        // Nothing of it is ours. But what the recipient keeps of it stands in order with what it
        // keeps of what was said before, and is said next, and that is committed here: so is this.
        let follows = unit.is_empty() && !is_room;
        let mut wait = Wait::for_unit(unit, pair, Then::Walk(walked), Some(by));
        let mut owed = None;
        if follows {
            (wait.place, wait.unit) = (Place::Mine, Some(Unit::default()));
        }
        // What a room keeps, its own log has: nobody is told that it is durable before it is.
        if is_room {
            // It is in another's hands: no count that a log of ours has may cover it meanwhile.
            self.hold(by);
        }
        if is_room || matches!(wait.place, Place::Mine) {
            owed = Some(Owed { sender: self.jid.clone(), ticket: self.waiting.ticket() });
            (wait.place, wait.recipient) = (Place::Half, Some(to.clone()));
        }
        out.push(Output::Parcel(Parcel::Routed { to, stanza, owed }));
        self.wait(wait, ctx, out);
    }

    /// Both walks are this account's: one unit, one entry.
    fn send_to_self(
        &mut self,
        by: By,
        sent: Unit,
        walked: Walked,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        match self.take(walked.stanza.clone(), ctx) {
            Ok((received, half)) => {
                let (unit, pair) = (sent.join(received), pair(&walked.stanza));
                let then = Then::Walks(Box::new([walked, half]));
                self.wait(Wait::for_unit(unit, pair, then, Some(by)), ctx, out);
            }
            Err(ended) => {
                self.ended(&ended, ctx, out);
                self.settle(by, ctx, out);
            }
        }
    }

    /// The recipient's half.
    pub(super) fn message_received(
        &mut self,
        stanza: Stanza,
        owed: Option<Owed>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let decided = match self.waiting.is_overrun() {
            true => {
                let error = Some(StanzaCondition::ResourceConstraint.into());
                Err(Box::new(Ended { stanza, error }))
            }
            false => self.take(stanza, ctx),
        };
        match (decided, owed) {
            (Ok((unit, walked)), None) => {
                let pair = pair(&walked.stanza);
                let wait = Wait::for_unit(unit, pair, Then::Walk(walked), None);
                self.wait(wait, ctx, out);
            }
            (Ok((unit, walked)), Some(owed)) => {
                let learns = self.learnt(&unit, ctx);
                give_half(&owed, Ok(unit), out);
                let (place, pair) = (Place::Theirs(owed), pair(&walked.stanza));
                let wait = Wait::of(place, pair, Then::Walk(walked), None);
                self.wait(wait.learning(learns), ctx, out);
            }
            (Err(ended), None) => self.ended(&ended, ctx, out),
            (Err(ended), Some(owed)) => {
                give_half(&owed, ended.error.map_or_else(|| Ok(Unit::default()), Err), out);
            }
        }
    }

    /// A copy of a private message whose half this account has given, for another session: behind
    /// that. If it was refused, or there is no room, it is told to nobody; the log has it, or its
    /// sender knows.
    pub(super) fn copy_received(
        &mut self,
        copy: Stanza,
        owed: Owed,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if !self.waiting.is_owed(&owed) || self.waiting.is_overrun() {
            return;
        }
        let Ok((_, walked)) = self.take(copy, ctx) else { return };
        let pair = pair(&walked.stanza);
        self.wait(Wait::of(Place::Theirs(owed), pair, Then::Walk(walked), None), ctx, out);
    }

    /// Walks Received up to the commit. What nobody takes and nothing keeps is refused here.
    fn take(&mut self, stanza: Stanza, ctx: &Ctx<'_>) -> Result<(Unit, Walked), Box<Ended>> {
        let (unit, walked) = decide(Walk::Received, stanza, self, ctx)?;
        let waits = walked.kept.is_some() || walked.held.is_some();
        if waits || !self.takers(&walked.stanza).is_empty() {
            return Ok((unit, walked));
        }
        let error = match untaken(&walked.stanza) {
            Untaken::Ignore => None,
            Untaken::Refuse(condition) => Some(condition.into()),
        };
        Err(Box::new(Ended { stanza: walked.stanza, error }))
    }
}

fn pair(stanza: &Stanza) -> Pair {
    (stanza.head.from.clone(), stanza.head.to.clone())
}

/// Gives the sender what it waits for.
fn give_half(owed: &Owed, half: Result<Unit, StanzaError>, out: &mut Vec<Output>) {
    let (to, ticket) = (owed.sender.clone(), owed.ticket);
    out.push(Output::Parcel(Parcel::Half { to, ticket, half }));
}
