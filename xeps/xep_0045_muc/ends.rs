//! The end of a room (XEP-0045 §10.9). With it goes its log: who has let sleep there what was said,
//! because its client is inactive, is told it first. The room does not know who has, so it asks all
//! whom it has told something. Meanwhile nothing happens in it: what comes to it waits. The same
//! before a room that is not to stay may lose its last occupants to somebody who is not in it.

use super::{
    line::{Asker, WAITING_STEPS_MAX},
    names::{ADMIN_ITEM, ADMIN_QUERY, DESTROY, OWNER_QUERY},
    rank::Affiliation,
    room::{Room, Turn, refuse_asker},
};
use engine::{
    account::{Input, Output},
    ctx::{Ctx, Moment},
    parcel::Parcel,
    wire::*,
};
use std::collections::{BTreeSet, VecDeque};

/// How long they may take to be told.
const ENDS_MS_MAX: u64 = 5_000;

/// A room that is about to end.
#[derive(Debug)]
pub struct Ends {
    /// What asked for it.
    iq: Stanza,
    /// What everybody is told of it; `None`: it ends only if what was asked for leaves nobody.
    told: Option<Payload>,
    /// Who has not said what it lacks.
    waits: BTreeSet<Jid>,
    until: Moment,
    /// What came to the room since.
    held: VecDeque<Input>,
}

impl Room {
    /// It ends when all have been told what was said.
    pub fn end(&mut self, iq: Stanza, told: Option<Payload>, turn: &mut Turn<'_, '_>) {
        let hosts = |jid: &Jid| turn.ctx.settings.hosts(jid.domain());
        let seats = self.occupants.iter().flat_map(|(_, occupant)| &occupant.seats);
        // One that is away has no stream that it could be told by.
        let may_lack = seats.filter(|seat| !seat.is_away && seat.told > seat.start);
        let waits = may_lack.map(|seat| seat.jid.clone()).filter(hosts).collect::<BTreeSet<_>>();
        for session in &waits {
            let (to, session, room) = (session.bare(), session.clone(), self.jid.clone());
            turn.out.push(Output::Parcel(Parcel::Missed { to, session, room }));
        }
        let until = turn.ctx.now.after(ENDS_MS_MAX);
        turn.out.push(Output::Wake(until));
        self.ends = Some(Ends { iq, told, waits, until, held: VecDeque::new() });
    }

    /// Whether what is asked for may remove the last occupants of a room that goes with them, by
    /// somebody outside who may do that.
    pub fn may_end_by(&self, iq: &Stanza, ctx: &Ctx<'_>) -> bool {
        let stays = self.config.is_persistent && !self.is_locked;
        let is_busy = self.is_made && !self.occupants.is_empty() && !self.line.is_full();
        let may = |from: &Jid| {
            let affiliation = self.ruler(from, ctx).affiliation;
            self.occupants.nick_of(from).is_none() && affiliation >= Affiliation::Admin
        };
        let removes = |item: Element<'_>| {
            let [role, affiliation] = ["role", "affiliation"].map(|name| item.attribute(name));
            role.as_deref() == Some("none")
                || matches!(affiliation.as_deref(), Some("none" | "outcast"))
        };
        let may_remove = |asked: Element<'_>| match asked {
            query if query.is(ADMIN_QUERY) => {
                query.children().any(|item| item.is(ADMIN_ITEM) && removes(item))
            }
            query => query.is(OWNER_QUERY) && query.child(DESTROY).is_none(),
        };
        let is_set = iq.head.type_str() == "set";
        let is_set = is_set && iq.head.to.as_ref().is_some_and(Jid::is_bare);
        let is_from_outside = iq.head.from.as_ref().is_some_and(may);
        let may_end = is_busy && !stays && is_set && is_from_outside;
        may_end && iq.children().next().is_some_and(may_remove)
    }

    /// Holds back what comes to the room while it is about to end.
    pub fn hold_at_end(&mut self, input: Input, turn: &mut Turn<'_, '_>) -> Option<Input> {
        let Some(ends) = &mut self.ends else { return Some(input) };
        match input {
            Input::Routed(stanza, owed) if ends.held.len() >= WAITING_STEPS_MAX => {
                let asker = owed.map_or(Asker::Sender(stanza), Asker::Owed);
                refuse_asker(asker, &StanzaCondition::ResourceConstraint.into(), turn.out);
            }
            Input::Routed(..) | Input::Departed(_) => ends.held.push_back(input),
            Input::Attends(session, attends) => {
                // What it lacks it is told in its turn.
                ends.waits.remove(&session);
                return Some(Input::Attends(session, attends));
            }
            _ => return Some(input),
        }
        None
    }

    /// There is more for a session, when it asks.
    pub fn ends_behind(&mut self, session: &Jid) {
        if let Some(ends) = &mut self.ends {
            ends.waits.insert(session.clone());
        }
    }

    /// All have been told, or have taken too long; then what came meanwhile goes on. Never in the
    /// middle of something that is being told.
    pub fn end_in_turn(&mut self, turn: &mut Turn<'_, '_>) {
        loop {
            let is_still = self.line.is_empty();
            let is_told = |ends: &Ends| ends.waits.is_empty() && is_still;
            let is_due = |ends: &mut Ends| is_told(ends) || ends.until <= turn.ctx.now;
            let (departs, can_be) = (self.departs, self.slices.is_empty());
            let ends = self.ends.take_if(|ends| departs || can_be && is_due(ends));
            let Some(Ends { iq, told, held, .. }) = ends else { return };
            self.end_now(iq, told, turn);
            self.slices.held.extend(held);
            self.hear_held(turn);
        }
    }

    fn end_now(&mut self, iq: Stanza, told: Option<Payload>, turn: &mut Turn<'_, '_>) {
        match told {
            _ if self.departs => {
                let error = StanzaError::new(ErrorType::Wait, StanzaCondition::ResourceConstraint);
                refuse_asker(Asker::Sender(iq), &error, turn.out);
            }
            None => self.iq(iq, turn),
            Some(told) => {
                let mut step = self.step(Asker::Sender(iq.clone()));
                self.destroy_for(told, &mut step, turn.ctx);
                step.send(iq.result());
                self.take(step, turn);
            }
        }
    }
}
