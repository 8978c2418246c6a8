//! The end of a room (XEP-0045 §10.9). With it goes its log: who has let sleep there what was said,
//! because its client is inactive, is told it first. The room does not know who has, so it asks all
//! whom it has told something. Meanwhile nothing happens in it: what comes to it waits.

use super::{
    line::{Asker, WAITING_STEPS_MAX},
    room::{Room, Turn, refuse_asker},
};
use engine::{
    account::{Input, Output},
    ctx::Moment,
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
    /// What everybody is told of it.
    told: Payload,
    /// Who has not said what it lacks.
    waits: BTreeSet<Jid>,
    until: Moment,
    /// What came to the room since.
    held: VecDeque<Input>,
}

impl Room {
    /// It ends when all have been told what was said.
    pub fn end(&mut self, iq: Stanza, told: Payload, turn: &mut Turn<'_, '_>) {
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

    /// Holds back what comes to the room while it is about to end.
    pub fn hold_at_end(&mut self, input: Input, turn: &mut Turn<'_, '_>) -> Option<Input> {
        let Some(ends) = &mut self.ends else { return Some(input) };
        match input {
            Input::Routed(stanza, owed) if ends.held.len() >= WAITING_STEPS_MAX => {
                let asker = owed.map_or(Asker::Sender(stanza), Asker::Owed);
                refuse_asker(asker, &StanzaCondition::ResourceConstraint.into(), turn.out);
            }
            Input::Routed(..) => ends.held.push_back(input),
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

    /// All have been told, or have taken too long; then what came meanwhile goes on.
    pub fn end_in_turn(&mut self, turn: &mut Turn<'_, '_>) {
        let is_told = |ends: &mut Ends| ends.waits.is_empty() && self.line.is_empty();
        let is_due = |ends: &mut Ends| is_told(ends) || ends.until <= turn.ctx.now;
        let departs = self.departs;
        let Some(ends) = self.ends.take_if(|ends| departs || is_due(ends)) else { return };
        match departs {
            true => {
                let error = StanzaError::new(ErrorType::Wait, StanzaCondition::ResourceConstraint);
                refuse_asker(Asker::Sender(ends.iq), &error, turn.out);
            }
            false => {
                let mut step = self.step(Asker::Sender(ends.iq.clone()));
                self.destroy_for(ends.told, &mut step, turn.ctx);
                step.send(ends.iq.result());
                self.take(step, turn);
            }
        }
        ends.held.into_iter().for_each(|input| self.hear(input, turn));
    }
}
