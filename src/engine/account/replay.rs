//! The log, told to a session: to who was away (XEP-0160), to who comes back (XEP-0198 §5).

use super::{Account, Look, Output};
use crate::{
    behind::sender,
    ctx::{Ctx, Moment},
    hook::Leaving,
    passage::{arrive, leave},
    port::{Fault, Logged},
    replay::{PAGE_BYTES_MAX, PAGE_ENTRIES, Replay, Telling},
    unit::{Flags, Pos},
};
use wire::{Jid, Stanza};

impl Account {
    /// From now on the session at this place gets what came while nobody was there, and then what
    /// is new.
    pub(super) fn replay(&mut self, place: usize, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let patience = self.patience(&self.sessions[place], ctx);
        let session = &mut self.sessions[place];
        let after = self.delivered.max(session.told);
        let (skip, reads) = (std::mem::take(&mut session.had), session.reads);
        let replay = Replay { skip, reads, patience, ..Replay::away(after, self.released) };
        session.replay = Some(Box::new(replay));
        self.look_on(place, out);
    }

    /// Whether what the log has here waits behind what a session is told of before, or has been
    /// told of that.
    pub(super) fn is_for_replay(&mut self, place: usize, pos: Pos) -> bool {
        let Some(session) = self.sessions.get_mut(place) else { return true };
        if pos <= session.told {
            return true;
        }
        let Some(replay) = &mut session.replay else { return false };
        match replay.goes_on() {
            true => replay.missed = replay.missed.max(pos),
            false => replay.since = replay.since.max(pos),
        }
        replay.goes_on()
    }

    /// A page of the log has been read for a session, as it was asked.
    pub(super) fn page_seen(
        &mut self,
        id: i64,
        look: Look,
        page: Result<Vec<Logged>, Fault>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(place) = self.place(id) else { return };
        let Some(replay) = &mut self.sessions[place].replay else { return };
        if replay.state != Telling::Reads || replay.look != look.number {
            return;
        }
        match page {
            Ok(page) => self.tell_page(id, page, ctx, out),
            Err(fault) => {
                tracing::warn!(%fault, "the log could not be read for a session");
                replay.state = Telling::Fails;
                self.wake(ctx.now.after(RETRY_MS), out);
            }
        }
    }

    fn tell_page(&mut self, id: i64, page: Vec<Logged>, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        // What is committed and not released yet has its turn in the line, behind what was said
        // before it and is in no log.
        let released = self.released;
        let is_ahead = |one: &Logged| one.pos > released;
        let mut whole = page.len() < PAGE_ENTRIES || page.last().is_some_and(is_ahead);
        let read = |one: Logged| (Stanza::parse_one(&one.entry.stanza).ok(), one);
        let page: Vec<_> = page.into_iter().filter(|one| !is_ahead(one)).map(read).collect();
        self.know_senders(id, &page, whole, ctx, out);
        let mut room = PAGE_BYTES_MAX;
        for (stanza, logged) in page {
            if room == 0 {
                whole = false;
                break;
            }
            let Some(place) = self.place(id) else { return };
            let is_shown = logged.entry.flags.has(Flags::RECEIVED.and(Flags::ARCHIVE));
            if self.is_hoped_for(place, is_shown, logged.pos, ctx.now) {
                return self.hope(place, out);
            }
            room = room.saturating_sub(self.retell(place, stanza, &logged, ctx, out));
            // What it causes may have ended the session.
            let Some(place) = self.place(id) else { return };
            let session = &mut self.sessions[place];
            session.told = session.told.max(logged.pos);
            if let Some(replay) = &mut session.replay {
                replay.after = logged.pos;
            }
            self.let_on(id, ctx, out);
        }
        if let Some(place) = self.place(id) {
            self.replay_on(place, whole, room < PAGE_BYTES_MAX, ctx, out);
        }
    }

    /// What no log has waits for what its sender has said on this page: now that is known.
    fn know_senders(
        &mut self,
        id: i64,
        page: &[(Option<Stanza>, Logged)],
        whole: bool,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let said = page.iter().filter_map(|(stanza, logged)| {
            let received = stanza.as_ref().filter(|_| logged.entry.flags.has(Flags::RECEIVED))?;
            Some((sender(received, &self.jid)?, logged.pos))
        });
        let said: Vec<_> = said.collect();
        let replay = self.place(id).and_then(|place| self.sessions[place].replay.as_mut());
        if let Some(replay) = replay {
            replay.behind.reads(&said, whole, replay.after);
            self.let_on(id, ctx, out);
        }
    }

    /// The client may read the rest itself, and is told nothing of it yet.
    fn hope(&mut self, place: usize, out: &mut Vec<Output>) {
        let Some(replay) = &mut self.sessions[place].replay else { return };
        replay.state = Telling::Hopes;
        let until = self.sessions[place].hopes_until();
        until.into_iter().for_each(|until| self.wake(until, out));
    }

    /// The next page, when the client has got this one, if it was told something of it; or all has
    /// been told.
    fn replay_on(
        &mut self,
        place: usize,
        whole: bool,
        told: bool,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let session = &mut self.sessions[place];
        let Some(replay) = &mut session.replay else { return };
        if whole && replay.missed <= replay.asked {
            // It was there to be read; if it was not read, it has been purged.
            replay.after = replay.after.max(replay.missed);
        }
        if whole && replay.missed <= replay.after {
            let (id, after) = (session.id, replay.after);
            replay.state = Telling::Done;
            self.let_on(id, ctx, out);
            if self.place(id) == Some(place) {
                self.replay_ends(place, after, ctx, out);
            }
            return;
        }
        if whole {
            return self.look_on(place, out);
        }
        match &session.managed {
            Some(managed) if !managed.unacked.is_ahead() => self.look_on(place, out),
            None if !told => self.look_on(place, out),
            Some(_) => replay.state = Telling::Paced,
            None => {
                replay.state = Telling::Paced;
                self.pace(place, ctx, out);
            }
        }
    }

    /// The log has no more for the session at this place.
    fn replay_ends(&mut self, place: usize, after: Pos, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        self.hears_crowded(place, out);
        let session = &mut self.sessions[place];
        let Some(replay) = &session.replay else { return };
        if session.managed.is_none() && replay.told {
            return self.pace(place, ctx, out);
        }
        let read = Some(replay.news.min(after)).filter(|_| replay.spared);
        session.replay = None;
        let got = match &mut session.managed {
            Some(managed) => read.filter(|read| managed.has_got_rest(*read)),
            None => Some(after),
        };
        got.into_iter().for_each(|got| self.has_got(place, got, ctx, out));
    }

    /// Reads on for a session that is told what it has missed.
    pub(super) fn look_on(&mut self, place: usize, out: &mut Vec<Output>) {
        let released = self.released;
        let session = &mut self.sessions[place];
        let Some(replay) = session.replay.as_mut().filter(|replay| replay.goes_on()) else {
            return;
        };
        self.looks += 1;
        (replay.state, replay.asked, replay.look) = (Telling::Reads, released, self.looks);
        let (after, max, number) = (replay.after, PAGE_ENTRIES, self.looks);
        out.push(Output::Look(session.id, Look { after, max, number }));
    }

    /// The client is asked to answer when it has got so far.
    pub(super) fn pace(&mut self, place: usize, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let link = self.sessions[place].link;
        self.feel(link, ctx.hooks.pace(), ctx, out);
    }

    /// The client has answered: it has got what it was told before it was asked.
    pub fn paced(&mut self, by: &Jid) {
        self.paced.extend(self.sessions.iter().find(|one| one.jid == *by).map(|one| one.id));
    }

    /// What those who have answered get now.
    pub(super) fn replay_paced(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        for id in std::mem::take(&mut self.paced) {
            let Some(place) = self.place(id) else { continue };
            self.hear_more(place, out);
            let Some(replay) = &self.sessions[place].replay else { continue };
            let (after, since) = (replay.after, replay.since);
            match replay.state {
                Telling::Paced => {
                    self.has_got(place, after, ctx, out);
                    self.look_on(place, out);
                }
                Telling::Done => {
                    self.sessions[place].replay = None;
                    self.hears_crowded(place, out);
                    self.has_got(place, after.max(since), ctx, out);
                }
                Telling::Rests | Telling::Reads | Telling::Fails | Telling::Hopes => {}
            }
        }
    }

    /// A managed stream has acknowledged something: it may be told more.
    pub(super) fn replay_acked(&mut self, place: usize, out: &mut Vec<Output>) {
        let session = &self.sessions[place];
        let (Some(replay), Some(managed)) = (&session.replay, &session.managed) else { return };
        let has_room = !managed.unacked.is_ahead();
        if has_room && replay.state == Telling::Paced && session.is_attached() {
            self.look_on(place, out);
        }
    }

    /// Asks the store again that has failed.
    pub(super) fn replay_failed(&mut self, out: &mut Vec<Output>) {
        for place in 0..self.sessions.len() {
            let replay = &self.sessions[place].replay;
            if replay.as_ref().is_some_and(|replay| replay.state == Telling::Fails) {
                self.look_on(place, out);
            }
        }
    }

    /// Tells a session an entry of the log, if it is for it; of so many bytes.
    fn retell(
        &mut self,
        place: usize,
        stanza: Option<Stanza>,
        logged: &Logged,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) -> usize {
        let Some(replay) = &mut self.sessions[place].replay else { return 0 };
        if !replay.tells(logged.pos) {
            return 0;
        }
        if logged.entry.flags.has(Flags::ARCHIVE) && replay.spares(logged.pos) {
            replay.spared = true;
            return 0;
        }
        let told = stanza.and_then(|stanza| self.retold(place, stanza, logged, ctx));
        let Some(stanza) = told else { return 0 };
        if let Some(replay) = &mut self.sessions[place].replay {
            replay.told |= logged.pos <= replay.news;
        }
        let bytes = stanza.wire_len();
        self.put_out(place, Leaving { pos: Some(logged.pos), ..Leaving::from(stanza) }, ctx, out);
        bytes
    }

    /// An entry of the log as a session is told it, if it is for it.
    fn retold(
        &mut self,
        place: usize,
        stanza: Stanza,
        logged: &Logged,
        ctx: &Ctx<'_>,
    ) -> Option<Stanza> {
        let (pos, flags) = (logged.pos, logged.entry.flags);
        let replay = self.sessions[place].replay.as_ref()?;
        let is_missed = pos <= replay.news;
        let away = replay.away && is_missed;
        // RFC 6121 §8.5.2.2.1: who was not there then hears of no headline.
        if away && (!flags.has(Flags::RECEIVED) || stanza.head.type_str() == "headline") {
            return None;
        }
        let said_ms = is_missed.then(|| pos.unix_ms());
        let is_received = flags.has(Flags::RECEIVED);
        let stanza = match is_received {
            true => arrive(stanza, said_ms, self, ctx)?,
            // It knows what it said itself.
            false if stanza.head.from.as_ref() == Some(&self.sessions[place].jid) => return None,
            false => leave(stanza, said_ms, self, ctx)?,
        };
        let direct = is_received && self.takers(&stanza).contains(&place);
        let stamps = ctx.hooks.again().iter().filter(|_| flags.has(Flags::ARCHIVE));
        let stanza = stamps.fold(stanza, |one, stamp| stamp(one, &self.jid, pos, ctx));
        match direct {
            true => Some(stanza),
            false if away => None,
            false => ctx.hooks.aside(&stanza, flags, &mut self.sessions[place], ctx),
        }
    }

    /// A session that takes what is for the account has got what the log has up to here: who comes
    /// later need not be told of it.
    pub(super) fn has_got(&mut self, place: usize, pos: Pos, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        // What of it a hook holds back, or what waits for a room, it has not got yet.
        let held = self.sessions[place].held.map_or(pos, |held| Pos(held.0 - 1));
        let pos = pos.min(held);
        if self.sessions[place].takes_messages() && pos > self.delivered {
            self.delivered = pos;
            self.note(ctx, out);
        }
    }

    /// Where the session of this id stands.
    pub(super) fn place(&self, id: i64) -> Option<usize> {
        self.sessions.iter().position(|session| session.id == id)
    }
}

/// How long after a failure the store is asked again.
const RETRY_MS: u64 = 1_000;

/// The earlier of two moments.
pub(super) fn earlier(one: Option<Moment>, other: Moment) -> Moment {
    one.map_or(other, |one| one.min(other))
}
