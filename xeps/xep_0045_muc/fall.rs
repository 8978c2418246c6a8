//! What becomes of a room when the store has refused something, and when its service is no more.

use super::{
    line::{Asker, Effect, Step},
    names::status,
    rank::Role,
    room::{Room, Turn},
    show::{Audience, Show, Word},
};
use engine::wire::*;

impl Room {
    /// What it decided since is on sand: everybody is told that they are not in it any more
    /// (status 333), and it is read anew.
    pub fn fall(&mut self, refused: &Step, turn: &mut Turn<'_, '_>) {
        self.removed.never_came(refused.number);
        let mut step = self.step(Asker::Nobody);
        refused.effects.iter().filter_map(unsaid).for_each(|show| step.show(show));
        // They hear that they are out, so they are: a client of another server would say of itself
        // that it is there (`ghosts.rs`).
        refused.risen.iter().for_each(|seat| step.rise(&self.jid, *seat));
        self.vacate(status::LOST, step, turn);
    }

    /// There is no service any more at which it could stand (status 332). It stays in the store,
    /// for when there is one again.
    pub fn shut_down(&mut self, turn: &mut Turn<'_, '_>) {
        let step = self.step(Asker::Nobody);
        self.vacate(status::SHUT_DOWN, step, turn);
    }

    /// Nobody is in it any more, for this reason, and it leaves the memory.
    fn vacate(&mut self, code: u16, mut step: Step, turn: &mut Turn<'_, '_>) {
        let seats: Vec<Jid> = self
            .occupants
            .iter()
            .flat_map(|(_, occupant)| occupant.seats.iter().map(|seat| seat.jid.clone()))
            .collect();
        self.departs = true;
        for jid in seats {
            if let Some(mut show) = self.rise(&jid, None, &mut step, turn.ctx) {
                show.statuses.push(code);
                step.show(show);
            }
        }
        let unit = std::mem::take(&mut step.unit);
        self.take(step, turn);
        // They are told in any case. That they are out is written, too; if not even that can be,
        // their accounts are asked when the room is read, and have heard it (`Service::sits`).
        let mut last = self.step(Asker::Nobody);
        last.unit = unit;
        last.effects.push(Effect::Vanish);
        self.take(last, turn);
    }
}

/// Of what could not be done: who was to leave, the room or a nick, has not been told so, and may
/// sit nowhere else.
fn unsaid(effect: &Effect) -> Option<Show> {
    let Effect::Show(show) = effect else { return None };
    (show.is_gone && show.audience != Audience::Others).then(|| {
        let (audience, word, role) = (Audience::Own, Word::default(), Role::None);
        let (statuses, destroyed) = (vec![status::LOST], None);
        Show { statuses, audience, word, role, destroyed, ..(**show).clone() }
    })
}
