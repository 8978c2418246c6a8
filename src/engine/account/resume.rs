//! Sessions that outlive their streams (XEP-0198 §5): they wait for their client, are claimed by
//! it, and stand in the store, so that they outlive the process too.

use super::{
    Account, Output,
    presence::{addressed, unavailable},
    to_socket,
};
use crate::{
    behind::BEHIND_MS_MAX,
    ctx::{Ctx, Moment},
    delivery::{Untaken, untaken},
    hearing::Attends,
    hook::{Claims, Station},
    managed::token,
    parcel::{Claim, Link, Parcel, Say},
    passage::{Passage, Walk, stop},
    replay::Replay,
    session::{Session, Written},
};
use std::cmp::Reverse;
use wire::{Jid, Stanza, StanzaError, StreamCondition};

/// How long what is noted of a session is written sooner, after its client has come back to it
/// as the store had it.
const RECOVERY_MS: u64 = 10_000;

/// A session that can be resumed no more: what is kept of its id, its count, its number.
pub(super) type Expired = ([u8; 32], u32, i64);

/// Leaving and coming back.
impl Account {
    /// A stream has broken: its session waits, if it may.
    pub(super) fn detach(&mut self, link: Link, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        self.forget_claim(link);
        let departs = self.departs;
        let Some(session) = self.session(link) else { return };
        let managed = session.managed.as_mut().filter(|one| !departs && one.can_be_resumed());
        let Some(managed) = managed else { return self.leave(link, ctx, out) };
        if managed.detached.is_some() {
            return;
        }
        let ms = managed.resumption.as_ref().map_or(0, |resumption| resumption.ms);
        let until = ctx.now.after(ms);
        let shown = ctx.now.after(ctx.settings.limits.detached_shown_ms);
        (managed.detached, managed.shown, managed.changed) = (Some(until), Some(shown), true);
        managed.unacked.is_away(true);
        self.tell_rooms(link, |_| Attends::Away, ctx, out);
        self.feel(link, ctx.hooks.detached(), ctx, out);
        self.note_now(ctx, out);
        self.wake(until.min(shown), out);
        self.show_last(link, ctx, out);
    }

    /// A stream is gone, and nobody knows whether its client has got what it was last told: those
    /// whom that wakes are to wake its device, as if it had not been there.
    pub(super) fn lose(&mut self, link: Link, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let looks = |session: &&mut Session| session.is_attached() && !session.inactive;
        let by = self.session(link).filter(looks).map(|session| session.jid.clone());
        self.detach(link, ctx, out);
        if ctx.hooks.looks(Station::Push, Station::Push).is_empty() {
            return;
        }
        let Some((by, session)) = by.zip(self.session(link)) else { return };
        let unacked = session.managed.iter().flat_map(|managed| managed.unacked.iter());
        let logged = unacked.filter_map(|sent| Some((sent.stanza.clone()?, sent.pos?)));
        for (message, pos) in logged.collect::<Vec<_>>() {
            let mut passage = Passage::of(Walk::Received, message, self);
            (passage.pos, passage.lost) = (Some(pos), Some(by.clone()));
            passage.traced = passage.account.trace.of(pos);
            stop(Station::Push, &mut passage, ctx, out);
        }
    }

    /// A session ends that a stream has claimed and does not have yet.
    pub(super) fn disappoint(&self, session: &mut Session, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let h = session.h();
        let claim = session.managed.as_mut().and_then(|managed| managed.claim.take());
        if let Some(((link, claim), claims)) = claim.zip(ctx.hooks.claims()) {
            let refused = Say::Unresumed(claims.refused(&claim, h));
            out.push(Output::Parcel(Parcel::ToSocket(link, refused)));
        }
    }

    /// The stream that claims a session has gone itself.
    pub(super) fn forget_claim(&mut self, link: Link) {
        for managed in self.sessions.iter_mut().filter_map(|one| one.managed.as_mut()) {
            if managed.claim.as_ref().is_some_and(|(by, _)| *by == link) {
                managed.claim = None;
            }
        }
    }

    /// A stream claims a session.
    pub(super) fn claim(&mut self, link: Link, claim: Claim, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Some(claims) = ctx.hooks.claims() else { return };
        let token = token(&claim.id);
        let is_claimed = |session: &Session| {
            let managed = session.managed.as_ref().filter(|managed| managed.can_be_resumed());
            let resumption = managed.and_then(|managed| managed.resumption.as_ref());
            resumption.is_some_and(|resumption| resumption.token == token)
        };
        let Some(place) = self.sessions.iter().position(is_claimed) else {
            let known = self.expired.iter().find(|(of, ..)| *of == token).map(|&(_, h, _)| h);
            let refused = Say::Unresumed(claims.refused(&claim, known));
            return out.push(Output::Parcel(Parcel::ToSocket(link, refused)));
        };
        let session = &mut self.sessions[place];
        let (id, old) = (session.id, session.link);
        let Some(managed) = &mut session.managed else { return };
        // The newest claim counts: who made the one before has most likely lost its stream.
        let conflict = || Say::End(StreamCondition::Conflict.into());
        if let Some((before, _)) = managed.claim.replace((link, claim)) {
            out.push(Output::Parcel(Parcel::ToSocket(before, conflict())));
        }
        if managed.detached.is_none() {
            out.push(Output::Parcel(Parcel::ToSocket(old, conflict())));
            self.detach(old, ctx, out);
        }
        self.resume(id, ctx, out);
    }

    /// Something waits for a client that has no stream; `only_here`: no log has it, and no newer
    /// one takes its place, so the store is to have it.
    pub(super) fn put_aside(
        &mut self,
        place: usize,
        only_here: bool,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(managed) = &self.sessions[place].managed else { return };
        match managed.can_be_resumed() {
            true => self.waits_otherwise(place, only_here, ctx, out),
            false => self.leave_at(place, true, ctx, out),
        }
    }

    /// Goes on with a session that is claimed, once all that it said has been dealt with.
    pub(super) fn resume(&mut self, id: i64, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Some(place) = self.place(id) else { return };
        let Some(claims) = ctx.hooks.claims() else { return };
        let session = &mut self.sessions[place];
        let (is_done, is_known) = (session.handled.is_done(), session.replay.is_none());
        let is_claimed = session.managed.as_ref().is_some_and(|managed| managed.claim.is_some());
        if is_done && is_claimed && !session.tells(session.handled.settled()) {
            // Its client is told a count that the store has: also after a kill it is never less.
            return self.note_now(ctx, out);
        }
        let session = &mut self.sessions[place];
        let Some(managed) = session.managed.as_mut().filter(|_| is_done) else { return };
        let Some((link, claim)) = managed.claim.take() else { return };
        let got = managed.unacked.places(claim.h);
        match managed.ack(claim.h) {
            Ok(()) => {}
            Err(high) if is_known => {
                let end = Say::End(claims.too_high(claim.h, high.sent));
                return out.push(Output::Parcel(Parcel::ToSocket(link, end)));
            }
            // More may have been sent than was noted before the process ended.
            Err(_) => managed.unacked.has_all(claim.h),
        }
        managed.unacked.is_away(false);
        (managed.detached, managed.shown, managed.changed) = (None, None, true);
        if managed.revived {
            managed.recovers = Some(ctx.now.after(RECOVERY_MS));
        }
        session.link = link;
        session.lacks_of_rooms();
        // All are asked below.
        session.hearings.comes_back();
        session.catch_up(got, self.released, ctx.now.after(BEHIND_MS_MAX));
        self.take_acks(place, ctx, out);
        self.resumed(place, &claim, claims, ctx, out);
    }

    /// The session has its stream: what the client has not got follows, then what is new.
    fn resumed(
        &mut self,
        place: usize,
        claim: &Claim,
        claims: &dyn Claims,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let session = &mut self.sessions[place];
        let (link, jid) = (session.link, session.jid.clone());
        let granted = claims.granted(claim, session.h().unwrap_or_default());
        out.push(Output::Parcel(Parcel::ToSocket(link, Say::Resumed(jid, granted))));
        let unacked = session.managed.iter().flat_map(|managed| managed.unacked.iter());
        for stanza in unacked.filter_map(|sent| sent.stanza.clone()) {
            out.push(to_socket(link, Written::Stanza(stanza)));
        }
        self.feel(link, ctx.hooks.resumed(), ctx, out);
        self.note_now(ctx, out);
        self.look_on(place, out);
        self.tell_rooms(link, Attends::Back, ctx, out);
        self.show_again(place, ctx, out);
    }

    /// Its contacts see it again, and it sees them: presence is in no log, so what they said while
    /// it was not seen, or while the process was not there, it would never hear otherwise.
    fn show_again(&mut self, place: usize, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let session = &mut self.sessions[place];
        let jid = session.jid.clone();
        let Some(managed) = &mut session.managed else { return };
        let (hidden, revived) = (managed.hidden.take(), std::mem::take(&mut managed.revived));
        if revived {
            self.exorcise(&jid, ctx, out);
        }
        let session = &mut self.sessions[place];
        let missed = hidden.is_some() || revived && session.presence.is_some();
        if let Some(presence) = hidden {
            session.presence = Some(presence.clone());
            self.tell(&presence, ctx, out);
        }
        if missed {
            self.greet(&jid, ctx, out);
        }
    }

    /// It hears of siblings that are there no more since the account was read anew: nobody has told
    /// it of their end.
    fn exorcise(&mut self, to: &Jid, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let is_there = |jid: &Jid| {
            self.sessions.iter().any(|session| session.jid == *jid && session.presence.is_some())
        };
        let gone: Vec<_> = self.gone.iter().filter(|jid| !is_there(jid)).cloned().collect();
        for jid in gone {
            let end = addressed(&unavailable(&jid), self.jid.clone().into());
            self.write(to, end, ctx, out);
        }
        let revived = |session: &Session| session.managed.as_ref().is_some_and(|one| one.revived);
        if !self.sessions.iter().any(revived) {
            self.gone.clear();
        }
    }

    /// They do not any more, but it may still come back.
    fn hide(&mut self, place: usize, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let released = self.released;
        let session = &mut self.sessions[place];
        let (link, priority) = (session.link, session.priority);
        let presence = session.presence.clone();
        if let Some(managed) = &mut session.managed {
            (managed.shown, managed.hidden, managed.changed) = (None, presence, true);
        }
        // What comes from now on is not for it, and it is told when it comes back.
        session.replay.get_or_insert_with(|| Box::new(Replay::missed(released)));
        // Nobody need see it, but in a room it is still there: it will come back.
        let is_room = |to: &Jid| ctx.settings.service(to.domain()).is_some();
        let (rooms, others) = std::mem::take(&mut session.directed).into_iter().partition(is_room);
        session.directed = others;
        self.withdraw(link, None, ctx, out);
        let session = &mut self.sessions[place];
        (session.priority, session.directed) = (priority, rooms);
        self.note(ctx, out);
    }
}

/// The end of waiting, and the store.
impl Account {
    /// Something that a managed stream said has been dealt with.
    pub(super) fn settled(&mut self, link: Link, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Some(session) = self.session(link) else { return };
        let (id, attached) = (session.id, session.is_attached());
        if let Some(managed) = &mut session.managed {
            managed.changed = true;
        }
        self.note(ctx, out);
        match attached {
            true => self.feel(link, ctx.hooks.settled(), ctx, out),
            false => self.resume(id, ctx, out),
        }
    }

    /// What a managed stream has acknowledged since, nobody need be told later.
    pub(super) fn take_acks(&mut self, place: usize, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let managed = self.sessions.get_mut(place).and_then(|one| one.managed.as_mut());
        let Some(managed) = managed else { return };
        let is_noted = !managed.changed;
        if let Some(got) = managed.got.take() {
            let by = self.sessions[place].jid.resource().unwrap_or_default();
            self.trace.acknowledge(by, got, ctx.unix_ms);
            self.has_got(place, got, ctx, out);
        }
        self.replay_acked(place, out);
        self.hear_on(place, out);
        if !is_noted {
            self.note(ctx, out);
        }
    }

    /// The moment has come that was asked for.
    pub(super) fn tick(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        self.wakes = None;
        self.read_paced(ctx, out);
        self.show_paced(ctx, out);
        if self.notes_at.is_some_and(|at| at <= ctx.now) {
            self.note_now(ctx, out);
        }
        self.replay_failed(out);
        self.hope_no_more(ctx, out);
        self.wait_for_rooms_no_more(ctx, out);
        self.refuse_overdue(ctx, out);
        self.expire(ctx, out);
        let managed = self.sessions.iter().filter_map(|one| one.managed.as_ref());
        let due = managed.flat_map(|one| one.detached.into_iter().chain(one.shown));
        let hoped = self.sessions.iter().filter_map(Session::hopes_until);
        let hoped = hoped.chain(self.sessions.iter().filter_map(|one| one.hearings.until()));
        if let Some(next) = due.chain(hoped).chain(self.notes_at).chain(self.overdue_at()).min() {
            self.wake(next, out);
        }
    }

    /// Sessions that nobody has come back to, and those that have been seen long enough without.
    fn expire(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let unseen = |session: &Session| {
            let shown = session.managed.as_ref().and_then(|managed| managed.shown);
            shown.is_some_and(|until| until <= ctx.now)
        };
        while let Some(place) = self.sessions.iter().position(unseen) {
            self.hide(place, ctx, out);
        }
        let over = |session: &&Session| {
            let detached = session.managed.as_ref().and_then(|managed| managed.detached);
            detached.is_some_and(|until| until <= ctx.now)
        };
        let over: Vec<_> = self.sessions.iter().filter(over).map(|one| one.id).collect();
        for id in over {
            let Some(place) = self.place(id) else { continue };
            self.abandon(place, false, ctx, out);
        }
    }

    /// The session that has been without a stream for longest, and that no stream is to have.
    pub(super) fn longest_away(&self, now: Moment) -> Option<usize> {
        let away = self.sessions.iter().enumerate().filter_map(|(place, session)| {
            let managed = session.managed.as_ref().filter(|managed| managed.claim.is_none())?;
            Some((managed.away_ms(now)?, Reverse(place)))
        });
        away.max().map(|(_, Reverse(place))| place)
    }

    /// A session ends that nobody has come back to; who does it later is told its count for a
    /// while. `forget`: the store has it still, and its time is not over there.
    pub(super) fn abandon(
        &mut self,
        place: usize,
        forget: bool,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let session = &self.sessions[place];
        let kept = session.managed.as_ref().and_then(|one| one.resumption.clone());
        let ended = kept.zip(session.h()).map(|(kept, h)| (kept.token, h, session.id));
        if let Some(forgotten) = ended.and_then(|ended| self.end_kept(ended)) {
            self.commit_quietly(forgotten.into(), ctx, out);
        }
        self.leave_at(place, forget, ctx, out);
    }

    /// What a session was sent that its client never got, and no log has: who asked is told. What
    /// was for the account is not given back while another may have got it.
    pub(super) fn give_back(&mut self, session: &Session, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let unacked = session.managed.iter().flat_map(|managed| managed.unacked.iter());
        let unlogged = unacked.filter(|sent| !sent.is_logged() && !sent.answered);
        let waiting = session.replay.iter().flat_map(|replay| replay.behind.unlogged());
        let waiting = waiting.map(|(stanza, _)| stanza).chain(session.hearings.unlogged());
        let is_alone = self.sessions.is_empty();
        let lost = |stanza: &&Stanza| is_alone || stanza.head.to.as_ref() == Some(&session.jid);
        let unlogged = unlogged.filter_map(|sent| sent.stanza.as_ref()).chain(waiting);
        for stanza in unlogged.filter(lost) {
            if let Untaken::Refuse(condition) = untaken(stanza) {
                self.refuse(stanza, &StanzaError::from(condition), ctx, out);
            }
        }
    }
}
