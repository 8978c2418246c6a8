//! What is to follow what a room has yet to tell a session: a session that is inactive is not told
//! what can wait, and is told it out of the room's log before all else of that room, so that
//! between the two of any pair of addresses nothing overtakes anything (RFC 6120 §10.1).

use crate::{ctx::Moment, delivery::supersedes, hook::Leaving, unit::Pos};
use std::collections::VecDeque;
use wire::{Bare, Stanza};

/// How long it waits for a room to tell the next, which may be gone, or have nothing any more of
/// what it is waited for.
pub(crate) const FOLLOWING_MS_MAX: u64 = 5_000;
/// Stanzas that wait so for one session; of a room of which one more comes all go on.
const FOLLOWING_STANZAS_MAX: usize = 256;
/// The same in bytes.
const FOLLOWING_BYTES_MAX: usize = 1 << 20;

/// What waits so, in order.
#[derive(Debug, Default)]
pub(crate) struct Following {
    waiting: VecDeque<Follows>,
    bytes: usize,
}

#[derive(Debug)]
struct Follows {
    room: Bare,
    leaving: Leaving,
    /// It is told when the room has told what stands there.
    behind: Pos,
    until: Moment,
}

impl Following {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// It waits for what stands there in the log of that room.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn push(
        &mut self,
        leaving: Leaving,
        (room, behind): (Bare, Pos),
        until: Moment,
    ) -> Result<(), Leaving> {
        self.supersede(&leaving.stanza);
        let bytes = leaving.stanza.wire_len();
        let is_full = self.waiting.len() >= FOLLOWING_STANZAS_MAX;
        if is_full || self.bytes + bytes > FOLLOWING_BYTES_MAX {
            return Err(leaving);
        }
        self.bytes += bytes;
        self.waiting.push_back(Follows { room, leaving, behind, until });
        Ok(())
    }

    /// Of presence only what is said last counts.
    fn supersede(&mut self, newer: &Stanza) {
        let is_older = |one: &Follows| supersedes(newer, &one.leaving.stanza);
        if let Some(at) = self.waiting.iter().position(is_older) {
            self.remove(at);
        }
    }

    fn remove(&mut self, at: usize) -> Option<Leaving> {
        let leaving = self.waiting.remove(at)?.leaving;
        self.bytes -= leaving.stanza.wire_len();
        Some(leaving)
    }

    /// The next that waits no more, when rooms have told up to there; `None`: the session is not in
    /// that one.
    pub fn next(&mut self, told: impl Fn(&Bare) -> Option<Pos>) -> Option<Leaving> {
        let waits = |one: &Follows| told(&one.room).is_some_and(|told| told < one.behind);
        let at = self.waiting.iter().position(|one| !waits(one))?;
        self.remove(at)
    }

    /// All that waits for that room, in order.
    pub fn take(&mut self, room: &Bare) -> Vec<Leaving> {
        let all = std::mem::take(&mut self.waiting).into_iter();
        let (of_it, others): (VecDeque<_>, _) = all.partition(|one| one.room == *room);
        self.waiting = others;
        let taken: Vec<_> = of_it.into_iter().map(|one| one.leaving).collect();
        self.bytes -= taken.iter().map(|leaving| leaving.stanza.wire_len()).sum::<usize>();
        taken
    }

    /// What waits for that room waits no more.
    pub fn let_go(&mut self, room: &Bare) {
        let of_it = self.waiting.iter_mut().filter(|one| one.room == *room);
        of_it.for_each(|one| one.behind = Pos::default());
    }

    /// What waits for that room waits until then.
    pub fn hopes_on(&mut self, room: &Bare, until: Moment) {
        let of_it = self.waiting.iter_mut().filter(|one| one.room == *room);
        of_it.for_each(|one| one.until = until);
    }

    /// Whether something waits for that room.
    pub fn waits_for(&self, room: &Bare) -> bool {
        self.waiting.iter().any(|one| one.room == *room)
    }

    /// The rooms that something has waited for too long.
    pub fn overdue(&self, now: Moment) -> Vec<Bare> {
        let late = self.waiting.iter().filter(|one| one.until <= now);
        late.map(|one| one.room.clone()).collect()
    }

    /// When something has waited for too long.
    pub fn until(&self) -> Option<Moment> {
        self.waiting.iter().map(|one| one.until).min()
    }

    /// What of it no log has.
    pub fn unlogged(&self) -> impl Iterator<Item = &Stanza> {
        let unlogged = self.waiting.iter().filter(|one| one.leaving.pos.is_none());
        unlogged.map(|one| &one.leaving.stanza)
    }

    /// Where the first of what waits stands in the session's own log.
    pub fn first(&self) -> Option<Pos> {
        self.waiting.iter().filter_map(|one| one.leaving.pos).min()
    }
}
