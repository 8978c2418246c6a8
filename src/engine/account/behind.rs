//! What comes while a session is told its log, and is in none: it keeps its place behind what of
//! the same sender stands there (RFC 6120 §10.1).

use super::{Account, Output};
use crate::{
    behind::{BEHIND_MS_MAX, sender},
    ctx::{Ctx, Moment},
    delivery::{Untaken, untaken},
    hook::Leaving,
    passage::{Walk, Walked},
    unit::Pos,
};
use wire::{Kind, StanzaCondition};

impl Account {
    /// The log has this there: those who are told of it later are told before what its sender says
    /// then.
    pub(super) fn stands(&mut self, walked: &Walked, pos: Pos) {
        let received = Some(&walked.stanza).filter(|_| walked.walk == Walk::Received);
        let Some(sender) = received.and_then(|stanza| sender(stanza, &self.jid)) else { return };
        for session in self.sessions.iter_mut().filter(|session| session.told < pos) {
            let replay = session.replay.as_mut().filter(|replay| replay.goes_on());
            if let Some(replay) = replay.filter(|replay| replay.after < pos) {
                replay.behind.stands(sender, pos, replay.after);
            }
        }
    }

    /// Gives back what need not wait behind what the session at this place is told out of its log.
    /// What is for a client without a stream does not: it stands with what that has not got, which
    /// the store keeps. But with what waited when the process ended it waits: of that nothing has
    /// been sent, so it cannot stand there.
    pub(super) fn behind(
        &mut self,
        place: usize,
        leaving: Leaving,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) -> Option<Leaving> {
        let Some(session) = self.sessions.get_mut(place) else { return Some(leaving) };
        let is_attached = session.is_attached();
        let replay = session.replay.as_mut().filter(|replay| replay.goes_on());
        let replay = replay.filter(|replay| is_attached || !replay.behind.is_empty());
        let Some(replay) = replay else { return Some(leaving) };
        let Some(sender) = sender(&leaving.stanza, &self.jid) else { return Some(leaving) };
        let last = replay.behind.last_of(sender);
        if last <= replay.after {
            return Some(leaving);
        }
        let (until, kind) = (ctx.now.after(BEHIND_MS_MAX), leaving.stanza.kind());
        let only_here = leaving.told.is_none() && kind != Kind::Presence;
        match replay.behind.push(leaving, last, until) {
            Ok(()) => {
                if kind == Kind::Iq {
                    self.wake(until, out);
                }
                self.waits_otherwise(place, only_here, ctx, out);
            }
            // When its turn has come the room is asked for it.
            Err(full) if full.told.is_some() => {
                let hearings = &mut self.sessions[place].hearings;
                full.room().into_iter().for_each(|(by, _)| hearings.crowds_out(by.bare()));
            }
            Err(full) => match untaken(&full.stanza) {
                // Presence and answers are lost if they do not come; late is less.
                Untaken::Ignore => return Some(full),
                Untaken::Refuse(_) => {
                    let error = StanzaCondition::ResourceConstraint.into();
                    self.refuse(&full.stanza, &error, ctx, out);
                }
            },
        }
        None
    }

    /// What waits for a session is not what the store has of it; `only_here`: nor will it have it
    /// otherwise.
    pub(super) fn waits_otherwise(
        &mut self,
        place: usize,
        only_here: bool,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(managed) = &mut self.sessions[place].managed else { return };
        managed.changed = true;
        if only_here {
            self.note(ctx, out);
        }
    }

    /// What waited for what the session of this id has been told by now.
    pub(super) fn let_on(&mut self, id: i64, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        while let Some(place) = self.place(id) {
            let Some(replay) = &mut self.sessions[place].replay else { return };
            let Some(leaving) = replay.behind.next(replay.after) else { return };
            self.waits_otherwise(place, leaving.told.is_none(), ctx, out);
            self.deliver_now(place, leaving, ctx, out);
        }
    }

    /// The session of this id is told no more before it, or it has lost its stream.
    pub(super) fn let_all_on(&mut self, id: i64, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let replay = self.place(id).and_then(|place| self.sessions[place].replay.as_mut());
        if let Some(replay) = replay {
            replay.behind.let_go();
        }
        self.let_on(id, ctx, out);
    }

    /// Who asks is told when the store, or the client that is to take what stands before, does not
    /// come.
    pub(super) fn refuse_overdue(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let mut overdue = Vec::new();
        for place in 0..self.sessions.len() {
            let Some(replay) = &mut self.sessions[place].replay else { continue };
            let before = overdue.len();
            overdue.extend(std::iter::from_fn(|| replay.behind.overdue(ctx.now)));
            if overdue.len() > before {
                self.waits_otherwise(place, true, ctx, out);
            }
        }
        for request in overdue {
            self.refuse(&request, &StanzaCondition::ResourceConstraint.into(), ctx, out);
        }
    }

    /// When somebody is to be told so next.
    pub(super) fn overdue_at(&self) -> Option<Moment> {
        let replays = self.sessions.iter().filter_map(|session| session.replay.as_ref());
        replays.filter_map(|replay| replay.behind.until()).min()
    }
}
