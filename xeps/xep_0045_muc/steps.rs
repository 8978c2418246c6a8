//! What a room does in its turn, once it is written.

use super::{
    history,
    line::{Effect, Step},
    occupants::Occupant,
    rank::Role,
    reply::{give_half, refuse_asker, send},
    room::{Room, Turn},
    show::Show,
    telling::Telling,
};
use engine::{
    account::Output,
    ctx::Ctx,
    hearing::Beside,
    parcel::{Parcel, Ticket},
    port::Fault,
    shard::WorldAnswer,
    unit::{Committed, Unit},
    wire::*,
};
use std::collections::VecDeque;

/// Why a step waits.
enum Pause {
    /// The store is read first.
    Read(Stanza, WorldAnswer),
    /// Others go on before the next are told.
    Slice(Telling),
    /// Others go on before anything else is done.
    Turn,
}

impl Room {
    /// What a step decided is written, and done in its turn.
    pub fn take(&mut self, mut step: Step, turn: &mut Turn<'_, '_>) {
        self.note_shown(&mut step, turn.ctx);
        self.count_anew(&mut step);
        turn.decided += step.effects.len();
        if let Some((ticket, unit)) = self.line.push(step) {
            turn.out.push(Output::Commit(ticket, unit, None));
        }
        self.advance(turn);
    }

    /// What was said changes what had been said before: both are written at once, so that nobody
    /// who has heard the one finds the other unchanged.
    pub fn take_amended(
        &mut self,
        step: Step,
        said: Stanza,
        read: WorldAnswer,
        turn: &mut Turn<'_, '_>,
    ) {
        let number = self.line.draft(step);
        turn.out.push(Output::World(number, said, read));
    }

    pub fn advance(&mut self, turn: &mut Turn<'_, '_>) {
        while self.slices.is_done() {
            let Some(step) = self.line.ready() else { return };
            if let Some(pos) = step.pos(&self.jid) {
                self.released = self.released.max(pos);
            }
            self.do_step(step, turn);
        }
    }

    /// Goes on with a step that had to pause, and with those behind it.
    pub fn do_rest(&mut self, step: Step, turn: &mut Turn<'_, '_>) {
        self.do_step(step, turn);
        self.advance(turn);
    }

    fn do_step(&mut self, mut step: Step, turn: &mut Turn<'_, '_>) {
        let mut effects = VecDeque::from(std::mem::take(&mut step.effects));
        while let Some(effect) = effects.pop_front() {
            let pause = self.do_it(effect, &step, &mut effects, turn);
            let Some(pause) = pause.or_else(|| turn.is_over().then_some(Pause::Turn)) else {
                continue;
            };
            step.effects = effects.into();
            return match pause {
                Pause::Read(asked, read) => {
                    let asked = history::until(asked, self.released);
                    let number = self.line.read(step);
                    turn.out.push(Output::World(number, asked, read));
                }
                Pause::Slice(telling) => self.pause(Some(telling), step, turn),
                Pause::Turn => self.pause(None, step, turn),
            };
        }
    }

    /// What each who sat hears of what somebody is now.
    fn showing(&mut self, show: Show, step: &Step, ctx: &Ctx<'_>) -> Vec<Stanza> {
        if show.is_gone {
            self.removed.are_out(step.number, ctx);
        }
        // A right that is not written yet when something is told had not been given.
        let is_open = self.config.is_non_anonymous && self.open_since <= step.number;
        let sees = |one: &Occupant| {
            is_open || one.role == Role::Moderator && one.role_since <= step.number
        };
        show.to_all(&self.occupants, step.number, sees)
    }

    /// What must happen before anything else of the step is done, the rest of which is here.
    fn do_it(
        &mut self,
        effect: Effect,
        step: &Step,
        rest: &mut VecDeque<Effect>,
        turn: &mut Turn<'_, '_>,
    ) -> Option<Pause> {
        match effect {
            Effect::History(asked) => return Some(Pause::Read(asked, history::read)),
            Effect::CatchUp(session) => {
                return Some(Pause::Read(self.catch_up(session)?, history::missed));
            }
            Effect::Sits(session) => self.sits(&session, turn),
            Effect::Sat(session) => self.sat(&session),
            Effect::Greet(session) => self.greet(&session, turn),
            Effect::Retell(message, pos, more) => self.retell(message, pos, more, turn),
            Effect::Send(stanza) => send(stanza, turn.out),
            Effect::Whisper(to, stanza, owed) => {
                let parcel = Parcel::Routed { to, stanza, owed: Some(owed) };
                turn.out.push(Output::Parcel(parcel));
            }
            Effect::Copy(to, stanza, owed) => {
                let beside = Beside { owed: Some(owed), is_copy: true };
                turn.out.push(Output::Parcel(Parcel::Beside { to, stanza, beside }));
            }
            Effect::Show(show) => {
                // One by one, in as many turns as that takes.
                let told = self.showing(*show, step, turn.ctx);
                told.into_iter().rev().for_each(|one| rest.push_front(Effect::Send(one)));
            }
            Effect::Tell(message, by) => {
                let telling = self.telling(message, &by, step, turn)?;
                return self.tell(telling, turn).map(Pause::Slice);
            }
            Effect::Seen(who) => self.has_spoken(&who, step, turn),
            Effect::Settle(owed) => give_half(owed, Ok(Unit::default()), turn.out),
            Effect::Refuse(error) => super::message::refuse_unsaid(&error, step, turn.out),
            Effect::Vanish => turn.out.push(Output::Leave(Vec::new())),
        }
        None
    }

    pub fn committed(
        &mut self,
        ticket: Ticket,
        outcome: Result<Committed, Fault>,
        turn: &mut Turn<'_, '_>,
    ) {
        if self.marks_written(ticket, outcome.is_ok(), turn) {
            return;
        }
        if let Some((step, fault)) = self.line.committed(ticket, outcome) {
            refuse_asker(step.asker.clone(), &fault.into(), turn.out);
            if step.is_change {
                self.fall(&step, turn);
            }
        }
        self.advance(turn);
    }
}
