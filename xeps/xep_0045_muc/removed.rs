//! Who was removed. It sat while what was decided before was said, and is told that first, though
//! it is in the room no more. And if its client was inactive, its account has been told what was
//! said until then, but has let it sleep in the room's log, and asks for it before it tells that
//! its client is out.

use super::{occupants::Seat, show::addressed};
use engine::{
    account::Output,
    ctx::{Ctx, Moment},
    hearing::Told,
    parcel::Parcel,
    unit::Pos,
    wire::{Bare, Jid, Stanza},
};
use std::collections::VecDeque;

/// For how long it may ask, in milliseconds.
const ASKS_MS: u64 = 60_000;
/// Sessions that were removed from one room of which that is known; of more the last.
const REMOVED_SESSIONS_MAX: usize = 1_000;

/// Sessions that were removed lately.
#[derive(Debug, Default)]
pub struct Removed {
    /// It is decided, but not done: what had been said before is told them first. They are as many
    /// as the steps remove that wait in the line.
    going: Vec<Going>,
    gone: VecDeque<One>,
}

/// A session that is to hear that it is out, by the step of this number.
#[derive(Debug)]
struct Going {
    number: u64,
    seat: Seat,
}

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
    /// A session is removed by the step of this number.
    pub fn goes(&mut self, seat: Seat, number: u64) {
        self.going.push(Going { number, seat });
    }

    /// The session at this address, if it is about to hear that it is out.
    pub fn going_mut(&mut self, session: &Jid) -> Option<&mut Seat> {
        self.going.iter_mut().map(|one| &mut one.seat).find(|seat| seat.jid == *session)
    }

    /// Those who sat before this number, and are to hear that they are out by a later one.
    pub fn sat_mut(&mut self, number: u64) -> impl Iterator<Item = &mut Seat> {
        let sat = self.going.iter_mut().filter(move |one| one.number > number);
        sat.map(|one| &mut one.seat).filter(move |seat| seat.since <= number)
    }

    /// A session leaves, and has not heard that it was to go: it has no wish to hear more.
    pub fn leaves(&mut self, session: &Jid) {
        self.going.retain(|one| one.seat.jid != *session);
        self.gone.retain(|one| one.session != *session);
    }

    /// Whether it is known of a session of this account.
    pub fn has_one_of(&self, who: &Bare) -> bool {
        let mut all = self.going.iter().map(|one| &one.seat.jid);
        all.any(|jid| jid.is_of(who)) || self.gone.iter().any(|one| one.session.is_of(who))
    }

    /// There is no such account any more.
    pub fn forget_all_of(&mut self, who: &Bare) {
        self.going.retain(|one| !one.seat.jid.is_of(who));
        self.gone.retain(|one| !one.session.is_of(who));
    }

    /// What the step of this number was to do could not be written: who would have come in by it
    /// has been refused, though it was to go again meanwhile.
    pub fn never_came(&mut self, number: u64) {
        self.going.retain(|one| one.seat.since != number);
    }

    /// Those whom the step of this number removes hear of it now.
    pub fn are_out(&mut self, number: u64, ctx: &Ctx<'_>) {
        let out: Vec<_> = self.going.extract_if(.., |one| one.number == number).collect();
        out.iter().for_each(|one| self.note(&one.seat, ctx));
    }

    /// A session has been removed. One that is away has been told nothing that could sleep; and who
    /// leaves has no wish to hear more: its account knows the room no more, and would ask for all.
    fn note(&mut self, seat: &Seat, ctx: &Ctx<'_>) {
        self.forget(ctx.now);
        self.gone.retain(|one| one.session != seat.jid);
        let is_ours = ctx.settings.hosts(seat.jid.domain());
        if !is_ours || seat.is_away || seat.told <= seat.start {
            return;
        }
        if self.gone.len() == REMOVED_SESSIONS_MAX {
            self.gone.pop_front();
        }
        self.gone.push_back(One {
            session: seat.jid.clone(),
            start: seat.start,
            until: seat.told,
            // It has asked already.
            after: seat.comes_back.flatten(),
            told: Pos::default(),
            at: ctx.now,
        });
    }

    /// There is no log any more that it could be told from.
    pub fn lose_log(&mut self) {
        self.gone.clear();
    }

    /// It asks what it has missed behind that place; whether there may be something.
    pub fn asks(&mut self, session: &Jid, after: Pos, now: Moment) -> bool {
        self.forget(now);
        let one = self.gone.iter_mut().find(|one| one.session == *session && after < one.until);
        one.map(|one| one.after = Some(after)).is_some()
    }

    /// From where the log is read for it, when it has asked.
    pub fn reads(&mut self, session: &Jid) -> Option<(Pos, Pos)> {
        let one = self.gone.iter_mut().find(|one| one.session == *session)?;
        let after = one.after.take()?;
        one.told = after;
        Some((after, after.max(one.start)))
    }

    /// It is told what stands there, if it was there then.
    pub fn retell(&mut self, message: Stanza, pos: Pos, more: bool, out: &mut Vec<Output>) {
        let to = message.head.to.as_ref();
        let is_it = |one: &&mut One| Some(&one.session) == to && pos <= one.until;
        let Some(one) = self.gone.iter_mut().find(is_it) else { return };
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
        while self.gone.pop_front_if(|one| one.at.after(ASKS_MS) < now).is_some() {}
    }

    /// About what it takes, in bytes.
    pub fn weight(&self) -> usize {
        self.gone.len() * size_of::<One>() + self.going.len() * size_of::<Going>()
    }
}
