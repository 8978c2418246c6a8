//! Who sat when the process began, and may be there no more (XEP-0045 §18.1.2).

use super::{
    line::Asker,
    names::status,
    occupants::{self, Seat},
    room::{Room, Turn, send},
};
use engine::wire::*;

impl Room {
    /// Asks the accounts of who sat when the process began whether they are there still.
    pub fn look_around(&mut self, turn: &mut Turn<'_, '_>) {
        if turn.ctx.settings.service(self.jid.domain()).is_none() {
            return self.shut_down(turn);
        }
        for (nick, occupant) in self.occupants.iter() {
            for seat in &occupant.seats {
                let head = Head::new(Kind::Presence).with_type("probe");
                let head = head.with_from(self.occupant(nick)).with_to(seat.jid.clone());
                let mut probe = Stanza::new(head);
                probe.head.id = Some(seat.since.to_string().into());
                send(probe, turn.out);
            }
        }
        let mut step = self.step(Asker::Nobody);
        for (nick, seat) in std::mem::take(&mut self.unseated) {
            step.write(occupants::forgotten(&self.jid, seat.since));
            self.unsure.remove(&seat.since);
            // Who sits under another nick, was never told of this one, or that it has left it.
            if self.occupants.nick_of(&seat.jid).is_none() {
                step.send(self.not_here(&seat.jid, &nick, vec![status::LOST], turn.ctx));
            }
        }
        if !step.unit.changes.is_empty() {
            self.take(step, turn);
        }
    }

    /// A session that sat when the process began is not there any more.
    pub fn lost(&mut self, stanza: &Stanza, turn: &mut Turn<'_, '_>) {
        let Some(since) = stanza.head.id.as_deref().and_then(|id| id.parse().ok()) else { return };
        if !self.unsure.remove(&since) {
            return;
        }
        let who = stanza.head.from.as_ref().map(Jid::bare);
        let is_it = |seat: &&Seat| seat.since == since && Some(seat.jid.bare()) == who;
        let lost = {
            let mut seats = self.occupants.iter().flat_map(|(_, occupant)| &occupant.seats);
            seats.find(is_it).map(|seat| (seat.jid.clone(), seat.shown_ms, seat.start))
        };
        let Some((jid, shown_ms, start)) = lost else { return };
        self.lately.loses(&jid, shown_ms, start, turn.ctx.now);
        self.drop_lost(&jid, turn);
    }

    /// Who was here when the process began, and enters under another nick, knows of no nick that it
    /// could be leaving.
    pub fn forget_unsure(&mut self, from: &Jid, nick: &str, turn: &mut Turn<'_, '_>) {
        let Some((old, occupant)) = self.occupants.by(from) else { return };
        let since = occupant.seat(from).map(|seat| seat.since);
        if &**old != nick && since.is_some_and(|since| self.unsure.contains(&since)) {
            self.drop_lost(from, turn);
        }
    }

    /// Whether it only answers that: then it says no more than that it is there.
    pub fn is_answer(&mut self, from: &Jid, stanza: &Stanza) -> bool {
        let seat = self.occupants.by(from).and_then(|(_, occupant)| occupant.seat(from));
        let was_unsure = seat.is_some_and(|seat| self.unsure.remove(&seat.since));
        was_unsure && stanza.child_count() == 0
    }
}
