//! An account that is no more: whoever takes its name later is nobody here. The store has let go of
//! what it had of it when it was removed. But what the room decided before it heard of that may
//! have been written since: so it takes it out once more, in its line, behind all of it.
//!
//! A ban stays: else one would get rid of it by removing the account. So do the places of the rooms
//! that somebody has made, and when he spoke last.

use super::{
    line::Asker,
    rank::Affiliation,
    room::{Room, Turn},
    show::Word,
};
use engine::wire::*;

impl Room {
    /// Whether it has anything of an account that goes with it, or something that has come from it
    /// may wait.
    pub fn has_anything_of(&self, who: &Bare) -> bool {
        let waits = self.ends.is_some() || !(self.slices.is_empty() && self.asked.is_empty());
        let is_anything = self.members.of(who) > Affiliation::None;
        let has_any = self.hats.are_worn_by(who) || self.visits.know(who);
        let is_known = self.removed.has_one_of(who) || self.lately.lost_one_of(who);
        let is_here = self.occupants.sessions_of(who).next().is_some();
        waits || is_anything || has_any || is_known || is_here || self.requests.has(who)
    }

    /// It is nobody, and is not here (§7.14). Its own account said so for it, unless that was lost.
    pub fn departed(&mut self, who: &Bare, turn: &mut Turn<'_, '_>) {
        self.asked.retain(|_, one| !one.head.from.as_ref().is_some_and(|from| from.is_of(who)));
        self.removed.forget_all_of(who);
        self.lately.forget_all_of(who);
        let was_empty = self.occupants.is_empty();
        let mut step = self.step(Asker::Nobody);
        let sessions: Vec<Jid> = self.occupants.sessions_of(who).cloned().collect();
        for session in &sessions {
            let gone = self.rise(session, None, &mut step, turn.ctx);
            gone.into_iter().for_each(|gone| step.show(gone));
        }
        self.take_off_all(who, &mut step);
        self.forget_role(who, &mut step);
        self.forget_request(who, &mut step);
        if self.members.of(who) > Affiliation::None {
            let (none, word) = (Affiliation::None, Word::default());
            // An address that was kept can be.
            drop(self.affiliate(who, none, None, word, &mut step, turn.ctx));
        }
        if !was_empty {
            self.close_if_empty(&mut step, turn.ctx);
        }
        self.take(step, turn);
    }
}
