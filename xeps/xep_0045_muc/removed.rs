//! Who was removed while its client was inactive: its account has been told what was said until
//! then, but has let it sleep in the room's log, and asks for it before it tells that its client is
//! out.

use super::{occupants::Seat, show::addressed};
use engine::{
    account::Output,
    ctx::{Ctx, Moment},
    hearing::Told,
    parcel::Parcel,
    unit::Pos,
    wire::{Jid, Stanza},
};
use std::collections::VecDeque;

/// For how long it may ask, in milliseconds.
const ASKS_MS: u64 = 60_000;
/// Sessions that were removed from one room of which that is known; of more the last.
const REMOVED_SESSIONS_MAX: usize = 1_000;

/// Sessions that were removed lately.
#[derive(Debug, Default)]
pub struct Removed(VecDeque<One>);

#[derive(Debug)]
struct One {
    session: Jid,
    /// What was said before it came in is not for it.
    start: Pos,
    /// What its account was told last.
    until: Pos,
    /// Behind which place it has asked.
    after: Option<Pos>,
    /// What it is told anew, so far.
    told: Pos,
    at: Moment,
}

impl Removed {
    /// A session has been removed. One that is away has been told nothing that could sleep; and who
    /// leaves has no wish to hear more: its account knows the room no more, and would ask for all.
    pub fn note(&mut self, seat: &Seat, ctx: &Ctx<'_>) {
        self.forget(ctx.now);
        self.0.retain(|one| one.session != seat.jid);
        let is_ours = ctx.settings.hosts(seat.jid.domain());
        if !is_ours || seat.is_away || seat.told <= seat.start {
            return;
        }
        if self.0.len() == REMOVED_SESSIONS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(One {
            session: seat.jid.clone(),
            start: seat.start,
            until: seat.told,
            after: None,
            told: Pos::default(),
            at: ctx.now,
        });
    }

    /// It asks what it has missed behind that place; whether there may be something.
    pub fn asks(&mut self, session: &Jid, after: Pos, now: Moment) -> bool {
        self.forget(now);
        let one = self.0.iter_mut().find(|one| one.session == *session && after < one.until);
        one.map(|one| one.after = Some(after)).is_some()
    }

    /// From where the log is read for it, when it has asked.
    pub fn reads(&mut self, session: &Jid) -> Option<(Pos, Pos)> {
        let one = self.0.iter_mut().find(|one| one.session == *session)?;
        let after = one.after.take()?;
        one.told = after;
        Some((after, after.max(one.start)))
    }

    /// It is told what stands there, if it was there then.
    pub fn retell(&mut self, message: Stanza, pos: Pos, more: bool, out: &mut Vec<Output>) {
        let to = message.head.to.as_ref();
        let is_it = |one: &&mut One| Some(&one.session) == to && pos <= one.until;
        let Some(one) = self.0.iter_mut().find(is_it) else { return };
        let told = Told { pos, after: one.told, more: more && pos < one.until };
        one.told = pos;
        let message = addressed(&message, &one.session);
        out.push(Output::Parcel(Parcel::Told {
            to: one.session.bare(),
            message,
            told,
            news: None,
        }));
    }

    fn forget(&mut self, now: Moment) {
        while self.0.pop_front_if(|one| one.at.after(ASKS_MS) < now).is_some() {}
    }

    /// About what it takes, in bytes.
    pub fn weight(&self) -> usize {
        self.0.len() * size_of::<One>()
    }
}
