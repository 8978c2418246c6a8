//! What sessions hear of the rooms that they are in (see `hearing.rs`).

use super::{
    Account, Output,
    wait::{Place, Then, Wait},
};
use crate::{
    ctx::Ctx,
    hearing::{Attends, Beside, Heard, News, Told},
    hook::Leaving,
    parcel::{Link, Parcel},
    passage::{Passage, Walk, Walked, decide},
    session::Session,
    unit::{Committed, Pos},
};
use std::collections::BTreeSet;
use wire::{Bare, Jid, Stanza, StanzaCondition};

/// Rooms that a session is in no more, but may not have been told all of.
const LEFT_ROOMS_MAX: usize = 16;

impl Account {
    /// A room says something to one of the sessions beside its log.
    pub(super) fn beside(
        &mut self,
        stanza: Stanza,
        beside: Beside,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        match beside {
            Beside { owed: Some(owed), is_copy: true } => {
                self.copy_received(stanza, owed, ctx, out)
            }
            Beside { owed, .. } => self.routed(stanza, owed, ctx, out),
        }
    }

    /// A room tells one of the sessions what its log has.
    pub(super) fn told(
        &mut self,
        message: Stanza,
        told: Told,
        news: Option<News>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(session) = message.head.to.as_ref().and_then(|to| self.named(to)) else {
            return self.refuse(&message, &StanzaCondition::ServiceUnavailable.into(), ctx, out);
        };
        let pair = (message.head.from.clone(), message.head.to.clone());
        let is_overrun = self.waiting.is_overrun();
        // What comes with news is said now, and counted here.
        if is_overrun || news.is_none() && self.sessions[session].is_far_ahead() {
            // The next one may be long in coming.
            if let Some(by) = pair.0 {
                let due = (!is_overrun).then_some(told.pos);
                self.sessions[session].hearings.crowds_out(by.bare(), due);
            }
            self.crowded |= is_overrun;
            return;
        }
        match decide(Walk::Received, message, self, ctx) {
            Ok((_, walked)) => {
                let walked = Walked { told: Some(told), news, kept: None, ..walked };
                let nothing = Committed::default();
                match self.waiting.holds(&pair) {
                    false => self.release(walked, &nothing, ctx, out),
                    true => {
                        let ready = Place::Ready(Ok(nothing));
                        self.wait(Wait::of(ready, pair, Then::Walk(walked), None), ctx, out);
                    }
                }
                self.hear_on(session, out);
            }
            // What goes no further is not missed. But what waits was told before it: then it is
            // missed with the next, and comes again when nothing waits.
            Err(_) if self.waiting.holds(&pair) => {}
            Err(ended) => {
                let Some(by) = &ended.stanza.head.from else { return };
                if !self.sessions[session].sleeps(&by.bare(), told, false) {
                    let (id, room) = (self.sessions[session].id, by.bare());
                    self.hears_next(session, by, told, out);
                    self.follow_room(id, &room, ctx, out);
                    self.ends_page(id, told, ctx, out);
                }
            }
        }
    }

    fn named(&self, to: &Jid) -> Option<usize> {
        self.sessions.iter().position(|session| session.jid == *to)
    }

    /// Whether the session at this place hears next what a room tells it, if it is a room.
    pub(super) fn is_next_of_room(
        &mut self,
        place: usize,
        leaving: &Leaving,
        out: &mut Vec<Output>,
    ) -> bool {
        let (Some(told), Some(by)) = (leaving.told, &leaving.stanza.head.from) else { return true };
        let session = &mut self.sessions[place];
        if session.hearings.len() > session.directed.len() + LEFT_ROOMS_MAX {
            let rooms: BTreeSet<_> = session.directed.iter().map(Jid::bare).collect();
            session.hearings.retain(|one| by.is_of(one) || rooms.contains(one));
        }
        self.hears_next(place, by, told, out)
    }

    /// The same; what is missing before it is asked for.
    fn hears_next(&mut self, place: usize, by: &Jid, told: Told, out: &mut Vec<Output>) -> bool {
        let session = &mut self.sessions[place];
        match session.hearings.hear(by, told) {
            Heard::New => true,
            Heard::Again => false,
            // It has left meanwhile: it wants to hear no more, and of its end at once.
            Heard::Gap(last) if last == Pos::default() && !session.is_in_room(by) => {
                session.hearings.forget(&by.bare());
                false
            }
            Heard::Gap(last) => {
                let session = session.jid.clone();
                out.push(attends(by.bare(), session, Attends::Back(Some(last))));
                false
            }
        }
    }

    /// A client is active again: rooms are asked for what it was not told meanwhile.
    pub(super) fn looks_again(&mut self, link: Link, out: &mut Vec<Output>) {
        let Some(session) = self.session(link) else { return };
        for (room, last) in session.hearings.take_slept() {
            out.push(attends(room, session.jid.clone(), Attends::Back(Some(last))));
        }
        let until = session.hearings.until();
        until.into_iter().for_each(|until| self.wake(until, out));
    }

    /// Rooms are asked for what sleeps of them, when something waits that is to be told behind it.
    pub(super) fn call_rooms(&mut self, place: usize, out: &mut Vec<Output>) {
        // It may have ended by that, as one that waits for its client and has no room for more.
        let Some(session) = self.sessions.get_mut(place) else { return };
        let Some(until) = session.hearings.until() else { return };
        for (room, last) in session.hearings.take_called() {
            out.push(attends(room, session.jid.clone(), Attends::Back(Some(last))));
        }
        self.wake(until, out);
    }

    /// What waited for what this room has told now follows that.
    pub(super) fn follow_room(
        &mut self,
        id: i64,
        room: &Bare,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(place) = self.place(id) else { return };
        self.sessions[place].hearings.hopes_on(room, ctx.now);
        self.follow_rooms(id, ctx, out);
    }

    /// What waits for no room any more is told.
    fn follow_rooms(&mut self, id: i64, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        while let Some(place) = self.place(id) {
            let Some(next) = self.sessions[place].hearings.next_following() else { return };
            self.follow(place, next, ctx, out);
        }
    }

    /// What has waited for a room for too long goes on.
    pub(super) fn wait_for_rooms_no_more(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let late =
            |session: &&mut Session| session.hearings.until().is_some_and(|until| until <= ctx.now);
        let late = self.sessions.iter_mut().filter(late).map(|session| {
            session.hearings.hope_no_more(ctx.now);
            session.id
        });
        for id in late.collect::<Vec<_>>() {
            self.follow_rooms(id, ctx, out);
        }
    }

    /// The session at this place has been told its log or has acknowledged much, or the account's
    /// line has room again: rooms are asked for what could not wait for that.
    pub(super) fn hears_crowded(&mut self, place: usize, out: &mut Vec<Output>) {
        let session = &mut self.sessions[place];
        for (room, last) in session.hearings.take_crowded() {
            out.push(attends(room, session.jid.clone(), Attends::Back(Some(last))));
        }
    }

    /// There is room in the line again: rooms are asked for what they told while there was none.
    pub(super) fn has_room_again(&mut self, out: &mut Vec<Output>) {
        if !self.crowded || self.waiting.is_overrun() {
            return;
        }
        self.crowded = false;
        for place in 0..self.sessions.len() {
            let session = &self.sessions[place];
            // Who is told its log asks when it has been, and who is away when it comes back.
            if session.is_attached() && session.replay.is_none() {
                self.hears_crowded(place, out);
            }
        }
    }

    /// A room asks whether a session is there: it is, as these say. By the id of what it asked the
    /// room knows that the session has not said so itself.
    pub(super) fn answer_room(
        &mut self,
        probe: &Stanza,
        answers: Vec<Stanza>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if let (Some(room), Some(session)) = (&probe.head.from, &probe.head.to) {
            self.asked_by_room(session, room.bare(), out);
        }
        for mut answer in answers {
            answer.head.id.clone_from(&probe.head.id);
            self.tell_one(answer, ctx, out);
        }
    }

    /// A room does not know whether a session of its occupant's takes what is said, or what of it
    /// sleeps: if it has a stream it takes all now.
    pub(super) fn asked_by_room(&mut self, session: &Jid, room: Bare, out: &mut Vec<Output>) {
        let Some(place) = self.named(session) else {
            return out.push(attends(room, session.clone(), Attends::Away));
        };
        let session = &mut self.sessions[place];
        let is_in = session.directed.iter().any(|to| to.bare() == room);
        if session.is_attached() && is_in {
            let last = session.hearings.wakes(&room);
            if session.is_far_ahead() {
                // What it is told now it would not hear. It is asked for that when it would.
                return session.hearings.crowds_out(room, None);
            }
            out.push(attends(room, session.jid.clone(), Attends::Back(last)));
        }
    }

    /// Rooms that have more for a session are asked for it, when its client has acknowledged the
    /// most of what it was told.
    pub(super) fn hear_on(&mut self, place: usize, out: &mut Vec<Output>) {
        let Some(session) = self.sessions.get(place) else { return };
        let Some(managed) = session.managed.as_ref().filter(|_| session.is_attached()) else {
            return;
        };
        let is_ahead = managed.unacked.is_ahead();
        let comes_near = managed.unacked.comes_near() && session.replay.is_none();
        if !is_ahead {
            self.hear_more(place, out);
        }
        match comes_near {
            true if self.waiting.is_overrun() => self.crowded = true,
            true => self.hears_crowded(place, out),
            false => {}
        }
    }

    /// A client that acknowledges nothing is asked to answer behind the last of what a room tells
    /// at once: when it does, it has got that.
    pub(super) fn ends_page(&mut self, id: i64, told: Told, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Some(place) = self.place(id).filter(|_| told.more) else { return };
        if self.sessions[place].managed.is_none() {
            self.pace(place, ctx, out);
        }
    }

    /// What rooms have for the session at this place besides, they are asked for.
    pub(super) fn hear_more(&mut self, place: usize, out: &mut Vec<Output>) {
        let session = &mut self.sessions[place];
        for (room, last) in session.hearings.take_more() {
            out.push(attends(room, session.jid.clone(), Attends::Back(Some(last))));
        }
    }

    /// The rooms that a session is in learn whether it takes what is said there.
    pub(super) fn tell_rooms(
        &mut self,
        link: Link,
        how: fn(Option<Pos>) -> Attends,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(session) = self.session(link) else { return };
        // One that has put it out may not have told it all before.
        let heard = session.hearings.kept().map(|(room, _)| room.clone());
        let rooms = session.directed.iter().map(Jid::bare).chain(heard);
        let rooms = rooms.filter(|room| ctx.settings.service(room.domain()).is_some());
        let rooms: BTreeSet<_> = rooms.filter(|room| room.local().is_some()).collect();
        session.hearings.comes_back();
        for room in rooms {
            let how = how(session.hearings.last(&room));
            out.push(attends(room, session.jid.clone(), how));
        }
        let until = session.hearings.until();
        until.into_iter().for_each(|until| self.wake(until, out));
    }
}

impl Passage<'_> {
    /// Whether the session that takes it reads it out of the room's log later: it is inactive, and
    /// it is not worth being woken for. Its own words it waits for.
    pub(crate) fn is_read_later(&mut self, takers: &[usize], ctx: &Ctx<'_>) -> bool {
        let (Some(told), [place]) = (self.told, takers) else { return false };
        let Some(from) = self.stanza.head.from.clone() else { return false };
        let session = &self.account.sessions[*place];
        if !session.inactive {
            return false;
        }
        let is_own = session.directed.contains(&from);
        let wakes = is_own || ctx.hooks.wakes().iter().any(|wakes| wakes(self));
        self.account.sessions[*place].sleeps(&from.bare(), told, wakes)
    }
}

impl Session {
    /// Whether it is told this later, because its client is inactive; unless it `wakes` it.
    fn sleeps(&mut self, room: &Bare, told: Told, wakes: bool) -> bool {
        self.inactive && self.is_attached() && self.hearings.sleeps(room, told, wakes)
    }

    /// Whether its client has so much to acknowledge that rooms do not go on with what it missed.
    fn is_far_ahead(&self) -> bool {
        self.managed.as_ref().is_some_and(|one| one.unacked.is_far_ahead())
    }

    /// Whether it is in the room that somebody speaks in.
    fn is_in_room(&self, by: &Jid) -> bool {
        self.directed.iter().any(|to| to.bare_str() == by.bare_str())
    }

    /// Whether this still is its nick in a room, though it is refused there: of where it has heard
    /// something it is told otherwise that it is out; unless it is there under another.
    pub(super) fn is_still_in_room(&self, nick: &Jid) -> bool {
        let is_other = |to: &Jid| to != nick && to.bare_str() == nick.bare_str();
        self.hearings.last(&nick.bare()).is_some() && !self.directed.iter().any(is_other)
    }

    /// What rooms have told it, and neither its client nor memory has, they tell it again.
    pub(super) fn lacks_of_rooms(&mut self) {
        let Some(managed) = &mut self.managed else { return };
        for (room, first) in managed.unacked.take_lacking_of_rooms() {
            self.hearings.lacks(&room, first);
        }
    }
}

fn attends(room: Bare, session: Jid, attends: Attends) -> Output {
    Output::Parcel(Parcel::Attends { room, session, attends })
}
