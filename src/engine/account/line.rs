//! How the account's stanzas pass the line: in, to the writer, and on.

use super::{
    Account, LAST_PRESENCE, Output,
    subscribe::Outgoing,
    wait::{Accounts, By, Pair, Place, Then, Wait},
};
use crate::{
    ctx::Ctx,
    delivery::{Untaken, untaken},
    parcel::{Owed, Parcel, Ticket},
    passage::{Walked, release},
    port::Fault,
    request::{Home, Line},
    unit::{Change, Committed, Table, Unit},
};
use wire::{Bare, Kind, Stanza, StanzaError};

impl Account {
    /// Puts something into the line; lets it go at once when it waits for nothing.
    pub(super) fn wait(&mut self, mut wait: Wait, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        if let Some(unit) = &wait.unit {
            wait.learns = self.learnt(unit, ctx);
        }
        if matches!(wait.place, Place::Ready(_)) && !self.waiting.holds(&wait.pair) {
            return self.let_go(wait, ctx, out);
        }
        self.waiting.push(wait);
        self.give_units(out);
    }

    /// What of a unit the cells at hand will learn.
    pub(super) fn learnt(&self, unit: &Unit, ctx: &Ctx<'_>) -> Vec<Change> {
        // That one has been learnt when it was said.
        let at_hand =
            |table: &Table| *table != LAST_PRESENCE && ctx.hooks.at_hand().contains(table);
        let learnt = unit.changes.iter().filter(|change| match change {
            Change::Put(table, of, ..)
            | Change::Cut(table, of, _)
            | Change::Swap(table, of, ..) => *of == self.jid && at_hand(table),
            _ => false,
        });
        learnt.cloned().collect()
    }

    /// Commits `unit`, then sends these; at once when there is nothing to commit.
    pub(super) fn commit_then_send(
        &mut self,
        unit: Unit,
        pair: Pair,
        outgoing: impl Into<Outgoing>,
        settles: Option<By>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let then = Then::Send(outgoing.into());
        self.wait(Wait::for_unit(unit, pair, then, settles), ctx, out);
    }

    /// The recipient's half has come: joined in, or it refused and nothing is written.
    pub(super) fn half(
        &mut self,
        ticket: Ticket,
        half: Result<Unit, StanzaError>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(wait) = self.waiting.at(ticket) else { return };
        if !matches!(wait.place, Place::Half) {
            return;
        }
        let is_some = |ours: &Unit| !ours.is_empty();
        match half {
            Ok(theirs) if wait.unit.as_ref().is_some_and(is_some) || !theirs.is_empty() => {
                let is_late = wait.unit.is_none();
                let ours = wait.unit.take().unwrap_or_default();
                (wait.place, wait.unit) = (Place::Mine, Some(ours.join(theirs)));
                if is_late {
                    self.waiting.has_unit(ticket);
                }
            }
            // Nothing is written, and so nobody else tells whoever took it on that it may go on.
            Ok(_) => {
                let (to, pair) = (wait.recipient.take(), wait.pair.clone());
                (wait.unit, wait.place) = (None, Place::Ready(Ok(Committed::default())));
                self.tell_recipient(to, ticket, Ok(Committed::default()), out);
                self.advance(&pair, ctx, out);
            }
            Err(error) => {
                if let Then::Walk(walked) = &wait.then {
                    let refused: Vec<_> = walked.stanza.refused(&error).into_iter().collect();
                    wait.then = Then::Send(refused.into());
                }
                let room = wait.recipient.take();
                let room = room.filter(|to| ctx.settings.service(to.domain()).is_some());
                (wait.unit, wait.place) = (None, Place::Ready(Ok(Committed::default())));
                let pair = wait.pair.clone();
                // A room may have passed it on, and heard nothing of the refusal.
                let refused = Fault::Refused("the recipient has refused it".into());
                self.tell_recipient(room, ticket, Err(refused), out);
                self.waiting.lesson(ticket);
                self.advance(&pair, ctx, out);
                self.ask_on(ctx, out);
            }
        }
        self.give_units(out);
    }

    fn tell_recipient(
        &self,
        to: Option<Bare>,
        ticket: Ticket,
        outcome: Result<Committed, Fault>,
        out: &mut Vec<Output>,
    ) {
        let owed = Owed { sender: self.jid.clone(), ticket };
        let release = to.map(|to| Parcel::Release { to, owed, outcome });
        out.extend(release.map(Output::Parcel));
    }

    /// A unit of this account's has been committed, or not.
    pub(super) fn committed(
        &mut self,
        ticket: Ticket,
        outcome: Result<Committed, Fault>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(wait) = self.waiting.at(ticket) else { return };
        if !matches!(wait.place, Place::Mine) {
            return;
        }
        let is_committed = outcome.is_ok();
        wait.place = Place::Ready(outcome);
        let pair = wait.pair.clone();
        self.learn(ticket, is_committed);
        self.advance(&pair, ctx, out);
        self.ask_on(ctx, out);
    }

    /// A unit of a sender's, with a half of ours, has been committed, or not; then it is the
    /// sender's account that tells.
    pub(super) fn released(
        &mut self,
        owed: &Owed,
        outcome: Result<Committed, Fault>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let is_committed = outcome.is_ok();
        let mut committed = outcome.unwrap_or_default();
        for ticket in self.waiting.owed(owed) {
            let Some(wait) = self.waiting.at(ticket) else { continue };
            if !is_committed {
                wait.then = Then::Nothing;
            }
            // Of copies the log has nothing.
            let of_copies = Committed { repeated: committed.repeated, ..Committed::default() };
            let committed = std::mem::replace(&mut committed, of_copies);
            wait.place = Place::Ready(Ok(committed));
            let pair = wait.pair.clone();
            self.learn(ticket, is_committed);
            self.advance(&pair, ctx, out);
            self.ask_on(ctx, out);
        }
    }

    /// What was committed is at hand from now on.
    fn learn(&mut self, ticket: Ticket, is_committed: bool) {
        let lesson = self.waiting.lesson(ticket);
        lesson.iter().filter(|_| is_committed).for_each(|change| self.cells.learn(change));
    }

    fn give_units(&mut self, out: &mut Vec<Output>) {
        while let Some((ticket, unit, recipient)) = self.waiting.due() {
            out.push(Output::Commit(ticket, unit, recipient));
        }
    }

    /// Lets go all of this pair that wait for nothing any more.
    fn advance(&mut self, pair: &Accounts, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        while let Some((ticket, wait)) = self.waiting.ready(pair) {
            self.waiting.turn_begins(pair);
            self.let_go(*wait, ctx, out);
            self.waiting.turn_ends();
            self.read_on(ticket, out);
        }
        self.has_room_again(out);
    }

    fn let_go(&mut self, wait: Wait, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Wait { place: Place::Ready(outcome), then, settles, .. } = wait else { return };
        if let Then::Say(by, stanza) = then {
            return self.say_late(by, stanza, ctx, out);
        }
        match outcome {
            // It was delivered when it was said first.
            Ok(Committed { repeated: true, .. }) => {}
            Ok(committed) => {
                let is_logged = committed.in_log(&self.jid).is_some();
                self.go_on(then, &committed, ctx, out);
                settles.filter(|_| is_logged).into_iter().for_each(|by| self.is_kept(by));
            }
            Err(fault) => self.give_up(then, &fault, ctx, out),
        }
        self.settle_if(settles, ctx, out);
    }

    /// Its session may have ended meanwhile. What it said is not lost; but it is not there any
    /// more. To a session that the store has still its client comes back, and says it again.
    fn say_late(&mut self, by: By, stanza: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let shows = stanza.kind() == Kind::Presence && stanza.head.type_str().is_empty();
        let said_again = self.outlived.contains(&by.link);
        if said_again || shows && self.session(by.link).is_none() {
            return self.settle(by, ctx, out);
        }
        if let Some(session) = self.session(by.link) {
            session.handled.release(by.number);
        }
        self.say(by, stanza, ctx, out);
    }

    fn go_on(&mut self, then: Then, committed: &Committed, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        match then {
            Then::Walk(walked) => self.release(walked, committed, ctx, out),
            Then::Walks(both) => {
                both.into_iter().for_each(|walked| self.release(walked, committed, ctx, out));
            }
            Then::Send(outgoing) => self.send_off(outgoing, ctx, out),
            Then::Answer(_, stanzas) => {
                stanzas.into_iter().for_each(|stanza| self.send(stanza, ctx, out));
            }
            Then::Tell(iq, told) => {
                let (roster, cells, released) = (&self.roster, &self.cells, self.released);
                let home = Home { roster, cells, released };
                let mut line = Line::of(&self.jid, &mut self.sessions, home);
                let stanzas = told.tell(&mut line, ctx);
                stanzas.into_iter().for_each(|stanza| self.send(stanza, ctx, out));
                self.send(iq.result(), ctx, out);
            }
            Then::WalkAway(walked) => {
                let stanza = walked.stanza.clone();
                self.release(walked, committed, ctx, out);
                self.send(stanza, ctx, out);
            }
            Then::Handle(stanza, session) => self.handle_late(stanza, session, ctx, out),
            Then::Remember => self.remember_on(ctx, out),
            Then::Amended(number) => self.amended(number, out),
            Then::Noted(noted) => self.noted(&noted, ctx, out),
            Then::Say(..) | Then::Nothing => {}
        }
    }

    /// The second half of a walk. Who was there to take it may have gone meanwhile: what nobody
    /// gets, and neither a log nor a cell of this account has, is refused even now.
    pub(super) fn release(
        &mut self,
        walked: Walked,
        committed: &Committed,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if let Some(pos) = committed.in_log(&self.jid) {
            self.released = self.released.max(pos);
            self.stands(&walked, pos);
        }
        let amends = walked.kept.and_then(|_| ctx.hooks.amends(&walked.stanza));
        let amends = amends.map(|read| (walked.stanza.clone(), read));
        let missed = release(walked, committed, self, ctx, out);
        if let Some((message, read)) = amends {
            self.amend(message, read, out);
        }
        let Some(missed) = missed else { return };
        if let Untaken::Refuse(condition) = untaken(&missed) {
            self.refuse(&missed, &condition.into(), ctx, out);
        }
    }

    /// Nothing of it is in the store. The sender of a message or request is told to try again;
    /// what else was changed in memory is forgotten with the account.
    fn give_up(&mut self, then: Then, fault: &Fault, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        tracing::warn!(%fault, "not committed");
        let error = fault.clone().into();
        let refused = |stanza: &Stanza| stanza.refused(&error);
        let refusal = match &then {
            Then::Walk(walked) | Then::WalkAway(walked) => refused(&walked.stanza),
            Then::Walks(both) => refused(&both[0].stanza),
            Then::Answer(iq, _) | Then::Tell(iq, _) => refused(iq),
            Then::Send(_) => {
                return self.forget(ctx, out);
            }
            Then::Remember => return self.remember_on(ctx, out),
            Then::Amended(number) => return self.amended(*number, out),
            Then::Noted(noted) => return self.note_again(noted, ctx, out),
            Then::Handle(..) | Then::Say(..) | Then::Nothing => None,
        };
        refusal.into_iter().for_each(|refusal| self.send(refusal, ctx, out));
    }
}
