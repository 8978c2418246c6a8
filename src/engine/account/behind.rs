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
use wire::{Jid, Kind, StanzaCondition};

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

    /// Gives back what need not wait behind what the session at this place is told out of its log,
    /// or is to be told when its client comes back.
    pub(super) fn behind(
        &mut self,
        place: usize,
        leaving: Leaving,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) -> Option<Leaving> {
        let Some(session) = self.sessions.get_mut(place) else { return Some(leaving) };
        let replay = session.replay.as_mut().filter(|replay| replay.goes_on());
        let Some(replay) = replay else { return Some(leaving) };
        let Some(sender) = sender(&leaving.stanza, &self.jid) else { return Some(leaving) };
        let (until, kind) = (ctx.now.after(BEHIND_MS_MAX), leaving.stanza.kind());
        let only_here = leaving.told.is_none() && kind != Kind::Presence;
        // What is said in a room to all is in no account's log, and whoever enters many hears much.
        let is_room = |from: &Jid| ctx.settings.service(from.domain()).is_some();
        let may_stand = !leaving.stanza.head.from.as_ref().is_some_and(is_room);
        let told = replay.after;
        match replay.behind.put(leaving, sender, (told, until, may_stand)) {
            Ok(Some(leaving)) => return Some(leaving),
            Ok(None) => {
                if kind == Kind::Iq {
                    self.wake(until, out);
                }
                self.waits_otherwise(place, only_here, ctx, out);
            }
            // When its turn has come the room is asked for it.
            Err(full) if full.told.is_some() => {
                let hearings = &mut self.sessions[place].hearings;
                full.room().into_iter().for_each(|(by, _)| hearings.crowds_out(by.bare(), None));
            }
            Err(full) if replay.behind.last_of(sender) <= told => {
                let (before, id) = (replay.behind.give_way(sender, told), session.id);
                for one in before.into_iter().chain([full]) {
                    let Some(place) = self.place(id) else { break };
                    self.deliver_now(place, one, ctx, out);
                }
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

    /// What waited for what the session of this id has been told by now; all of it, when it has
    /// been told all.
    pub(super) fn let_on(&mut self, id: i64, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        while let Some(place) = self.place(id) {
            let Some(replay) = &mut self.sessions[place].replay else { return };
            let told = if replay.goes_on() { replay.after } else { Pos(i64::MAX) };
            let Some(leaving) = replay.behind.next(told) else { return };
            self.waits_otherwise(place, leaving.told.is_none(), ctx, out);
            self.deliver_now(place, leaving, ctx, out);
        }
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
