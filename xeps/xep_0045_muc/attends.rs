//! Who is away: a session without a stream is told what was said when it comes back, out of the
//! log. So a message costs nothing for it, and nothing is lost with a process.

use super::{
    history,
    line::{Asker, Effect},
    names::STANZA_ID,
    occupants,
    room::{Room, Turn},
    telling::tell_one,
};
use engine::{
    account::Output,
    hearing::Attends,
    hook::{Replied, Reply},
    unit::Pos,
    wire::*,
};

impl Room {
    /// A session says whether it takes what is said here.
    pub fn attends(&mut self, session: Jid, attends: Attends, turn: &mut Turn<'_, '_>) {
        let Some(seat) = self.occupants.seat_mut(&session) else { return };
        match attends {
            Attends::Away => (seat.is_away, seat.comes_back) = (true, None),
            // It does in its turn already: from where it was told least.
            Attends::Back(after) if seat.comes_back.is_some() => {
                seat.comes_back = seat.comes_back.map(|before| before.min(after));
            }
            Attends::Back(after) => {
                seat.comes_back = Some(after);
                let is_blind = seat.is_blind;
                let mut step = self.step(Asker::Nobody);
                if is_blind {
                    step.effects.push(Effect::Greet(session.clone()));
                }
                step.effects.push(Effect::CatchUp(session));
                self.take(step, turn);
            }
        }
    }

    /// A session that has just come in hears what is said from here on. What was said while it
    /// asked to come in, it is not told after a restart either.
    pub fn sits(&mut self, session: &Jid, turn: &mut Turn<'_, '_>) {
        let Some(seat) = self.occupants.seat_mut(session) else { return };
        if seat.start >= self.released {
            return;
        }
        seat.start = self.released;
        let Some((nick, occupant)) = self.occupants.by(session) else { return };
        let Some(seat) = occupant.seat(session) else { return };
        let kept = occupants::kept(&self.jid, nick, occupant.role, seat);
        let mut step = self.step(Asker::Nobody);
        step.write(kept);
        // The step that it has come by goes on: what is behind that waits.
        let unit = self.line.push(step);
        turn.out.extend(unit.map(|(ticket, unit)| Output::Commit(ticket, unit, None)));
    }

    /// It enters where it sits: it has a stream, and knows of nothing that it was told.
    pub fn begins_anew(&mut self, session: &Jid) {
        let Some(seat) = self.occupants.seat_mut(session) else { return };
        self.unsure.remove(&seat.since);
        (seat.is_away, seat.comes_back, seat.told) = (false, None, Pos::default());
        seat.is_blind = false;
    }

    /// From now on it takes what is said; what is to be read of what it has missed.
    pub fn catch_up(&mut self, session: Jid) -> Option<Stanza> {
        let seat = self.occupants.seat_mut(&session)?;
        // Or it has lost its stream once more.
        let after = seat.comes_back.take()?;
        // What was said before it came in is not for it.
        let from = after.unwrap_or_default().max(seat.start);
        (seat.is_away, seat.told) = (false, after.unwrap_or_default());
        if from >= self.released {
            return None;
        }
        let asked = history::missed_by(&self.jid, &session, from);
        self.catches_up = Some(session);
        Some(asked)
    }

    /// It has been read.
    pub fn missed(&mut self, session: &Jid, replied: Replied) -> Vec<Effect> {
        let Some(seat) = self.occupants.seat_mut(session) else { return Vec::new() };
        let (stanzas, more) = match replied {
            Ok(Reply::After(stanzas, more)) => (stanzas, more.is_some()),
            _ => {
                // With the next message it finds that something is missing, and asks again.
                seat.told = self.released;
                return Vec::new();
            }
        };
        if stanzas.is_empty() && more {
            seat.told = self.released;
        }
        let last = stanzas.len().saturating_sub(1);
        let each = stanzas.into_iter().enumerate();
        each.map(|(number, one)| Effect::Retell(one, more && number == last)).collect()
    }

    /// A session is told what it has missed; with more behind it, it is away until it has asked.
    pub fn retell(&mut self, message: Stanza, more: bool, turn: &mut Turn<'_, '_>) {
        let own = |child: &Element<'_>| {
            child.is(STANZA_ID) && child.attribute("by").as_deref() == Some(self.jid.as_str())
        };
        let id = message.children().find(own).and_then(|id| Some(id.attribute("id")?.into_owned()));
        let pos = id.and_then(|id| turn.ctx.settings.names.pos(&self.jid, &id));
        let seat = message.head.to.as_ref().and_then(|to| self.occupants.seat_mut(to));
        let (Some(pos), Some(seat)) = (pos, seat) else { return };
        seat.is_away |= more;
        tell_one(seat, message, pos, (more, None), turn);
    }
}
