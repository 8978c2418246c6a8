//! Who is away: a session without a stream is told what was said when it comes back, out of the
//! log. So a message costs nothing for it, and nothing is lost with a process.

use super::{
    history,
    line::{Asker, Effect, Step},
    names::STANZA_ID,
    occupants::Seat,
    room::{Room, Turn},
    show::addressed,
    telling::tell_one,
};
use engine::{
    account::Output,
    ctx::Ctx,
    hearing::Attends,
    hook::{Replied, Reply},
    unit::Pos,
    wire::*,
};

/// What sessions are told at once that come back together, in stanzas; those that it ends with may
/// be told a page more.
const RETOLD_STANZAS_MAX: usize = 500;
/// How long after a failure the room's log is read again.
const RETRY_MS: u64 = 1_000;

impl Room {
    /// A session says whether it takes what is said here.
    pub fn attends(&mut self, session: Jid, attends: Attends, turn: &mut Turn<'_, '_>) {
        let Some(seat) = self.seat_mut(&session) else {
            self.tell_who_left(&session, attends, turn);
            return self.asks_removed(session, attends, turn);
        };
        match attends {
            Attends::Away => {
                (seat.is_away, seat.comes_back, seat.begins_anew) = (true, None, false);
            }
            // It does in its turn already: from where it was told least.
            Attends::Back(after) if seat.comes_back.is_some() => {
                seat.comes_back = seat.comes_back.map(|before| before.min(after));
            }
            Attends::Back(after) => {
                seat.comes_back = Some(after);
                let is_blind = seat.is_blind;
                let mut step = self.step(Asker::Nobody);
                if is_blind {
                    step.effects.push(Effect::Greet(session.clone()));
                }
                step.effects.push(Effect::CatchUp(session));
                self.take(step, turn);
            }
        }
    }

    /// A session that sits, or is about to hear that it does not any more.
    fn seat_mut(&mut self, session: &Jid) -> Option<&mut Seat> {
        match self.occupants.nick_of(session).is_some() {
            true => self.occupants.seat_mut(session),
            false => self.removed.going_mut(session),
        }
    }

    /// It is here no more, and has not been told all that was said while it was.
    fn asks_removed(&mut self, session: Jid, attends: Attends, turn: &mut Turn<'_, '_>) {
        let Attends::Back(Some(after)) = attends else { return };
        if self.removed.asks(&session, after, turn.ctx.now) {
            let mut step = self.step(Asker::Nobody);
            step.effects.push(Effect::CatchUp(session));
            self.take(step, turn);
        }
    }

    /// A session that has just come in, or has said again that it does, hears what is said from
    /// here on. What was said before, it is not told after a restart either: until that is written
    /// it is told nothing that is said, but is told it then, out of the log.
    pub fn sits(&mut self, session: &Jid, turn: &mut Turn<'_, '_>) {
        let is_ours = turn.ctx.settings.hosts(session.domain());
        let Some(seat) = self.occupants.seat_mut(session) else { return };
        if std::mem::take(&mut seat.begins_anew) {
            (seat.is_away, seat.comes_back) = (false, None);
            (seat.is_blind, seat.told) = (false, Pos::default());
        }
        if seat.start >= self.released {
            return;
        }
        seat.start = self.released;
        if is_ours {
            seat.unwritten += 1;
            if !seat.is_away {
                (seat.is_away, seat.comes_back) = (true, Some(None));
            }
        }
        let mut step = self.step(Asker::Nobody);
        self.keep_seat(session, &mut step);
        // The step that it has come by goes on: what is behind that waits.
        let unit = self.line.push(step);
        turn.out.extend(unit.map(|(ticket, unit)| Output::Commit(ticket, unit, None)));
        if is_ours {
            let mut step = self.step(Asker::Nobody);
            step.effects.extend([Effect::Sat(session.clone()), Effect::CatchUp(session.clone())]);
            self.line.push(step);
        }
    }

    /// Where it begins is written.
    pub fn sat(&mut self, session: &Jid) {
        // Also of one that is about to hear that it is out: that waits for what it has missed.
        let seat = self.seat_mut(session);
        seat.into_iter().for_each(|seat| seat.unwritten = seat.unwritten.saturating_sub(1));
    }

    /// It enters where it sits: in its turn it has a stream, and knows of nothing that it was told.
    /// Where what it may have missed begins, if it had only come in when the process ended, or has
    /// not been told yet what was said while it had no stream.
    pub fn begins_anew(&mut self, session: &Jid) -> Option<Pos> {
        let seat = self.occupants.seat_mut(session)?;
        seat.begins_anew = true;
        let is_unsure = self.unsure.remove(&seat.since);
        let late = self.lately.since(seat.shown_ms).filter(|_| is_unsure);
        let comes_back = seat.comes_back.map(Option::unwrap_or_default);
        late.or(comes_back).map(|late| late.max(seat.start))
    }

    /// Its client says once more that it comes in, because that was not acknowledged before the
    /// process ended; it had heard that it was in. It does not hear the history that it does not
    /// want, but all that was said since.
    pub fn goes_on(&mut self, session: &Jid, before: Option<Pos>, step: &mut Step) {
        let reads = step.effects.iter().any(|effect| matches!(effect, Effect::History(_)));
        let Some(before) = before.filter(|_| !reads) else { return };
        let Some(seat) = self.occupants.seat_mut(session) else { return };
        (seat.start, seat.is_away, seat.comes_back) = (before, true, Some(None));
        (seat.begins_anew, seat.is_blind, seat.told) = (false, false, Pos::default());
        seat.unwritten += 1;
        // Behind what was written of it as of one that begins anew.
        self.keep_seat(session, step);
        step.effects.retain(|effect| !matches!(effect, Effect::Sits(_)));
        step.effects.extend([Effect::Sat(session.clone()), Effect::CatchUp(session.clone())]);
    }

    /// From now on it takes what is said; what is to be read of what it has missed. While the log
    /// cannot be read it stays away.
    pub fn catch_up(&mut self, session: Jid) -> Option<Stanza> {
        if self.reads_again.is_some() {
            return None;
        }
        let (after, from) = match self.seat_mut(&session) {
            Some(seat) => (seat.comes_back?, seat.is_back()?),
            None => {
                let (after, from) = self.removed.reads(&session)?;
                (Some(after), from)
            }
        };
        if from >= self.released {
            return None;
        }
        let asked = history::missed_by(&self.jid, &session, from);
        self.catches_up = Some(Missing { session, after, from });
        Some(asked)
    }

    /// The log could not be read: the session is away again, as are those behind it, until it is
    /// read once more.
    fn misses(&mut self, by: &Missing, turn: &mut Turn<'_, '_>) {
        let seat = self.seat_mut(&by.session);
        // It may have lost its stream meanwhile, or said once more that it is back.
        if let Some(seat) = seat.filter(|seat| !seat.is_away && seat.comes_back.is_none()) {
            (seat.is_away, seat.comes_back) = (true, Some(by.after));
        }
        let at = turn.ctx.now.after(RETRY_MS);
        self.reads_again = Some(at);
        turn.out.push(Output::Wake(at));
    }

    /// Whoever waits for the log that could not be read.
    pub fn read_again(&mut self, turn: &mut Turn<'_, '_>) {
        if self.reads_again.take_if(|at| *at <= turn.ctx.now).is_none() {
            return;
        }
        let waits = |seat: &mut Seat| seat.comes_back.map(|_| seat.jid.clone());
        let waiting: Vec<_> = self.occupants.seats_mut().filter_map(waits).collect();
        let mut step = self.step(Asker::Nobody);
        step.effects.extend(waiting.into_iter().map(Effect::CatchUp));
        self.take(step, turn);
    }

    /// It has been read. When the process was away, many come back at once and have missed the
    /// same: they are told out of the same page.
    pub fn missed(
        &mut self,
        by: &Missing,
        replied: Replied,
        turn: &mut Turn<'_, '_>,
    ) -> Vec<Effect> {
        let Ok(Reply::After(read, more)) = replied else {
            self.misses(by, turn);
            return Vec::new();
        };
        let page = Page::of(&self.jid, by.from, read, more.is_some(), turn.ctx);
        if page.messages.is_empty() && page.more {
            // Nothing on it can be told. With the next message it finds that something is missing,
            // and asks again.
            let released = self.released;
            let seat = self.seat_mut(&by.session);
            seat.into_iter().for_each(|seat| seat.told = released);
            return Vec::new();
        }
        let mut told: Vec<_> = page.told(&by.session, by.from).collect();
        for seat in self.occupants.seats_mut() {
            if told.len() >= RETOLD_STANZAS_MAX {
                break;
            }
            let serves = |after| seat.unwritten == 0 && page.serves(seat.behind(after));
            if seat.comes_back.is_some_and(serves) {
                told.extend(seat.is_blind.then(|| Effect::Greet(seat.jid.clone())));
                told.extend(seat.is_back().into_iter().flat_map(|from| page.told(&seat.jid, from)));
            }
        }
        told
    }

    /// A session is told what it has missed; with more behind it, it is away until it has asked.
    pub fn retell(&mut self, message: Stanza, pos: Pos, more: bool, turn: &mut Turn<'_, '_>) {
        let to = message.head.to.as_ref().filter(|_| more);
        to.into_iter().for_each(|session| self.ends_behind(session));
        let seat = message.head.to.as_ref().and_then(|to| self.seat_mut(to));
        let Some(seat) = seat else {
            return self.removed.retell(message, pos, more, turn.out);
        };
        seat.is_away |= more;
        tell_one(seat, message, pos, (more, None), turn);
    }
}

impl Seat {
    /// What was said before it came in is not for it.
    fn behind(&self, after: Option<Pos>) -> Pos {
        after.unwrap_or_default().max(self.start)
    }

    /// It takes what is said from now on; where begins what it has missed. `None`: it has lost its
    /// stream once more, or does later.
    fn is_back(&mut self) -> Option<Pos> {
        let after = self.comes_back.take_if(|_| self.unwritten == 0)?;
        (self.is_away, self.told) = (false, after.unwrap_or_default());
        Some(self.behind(after))
    }
}

/// Who comes back, and behind which place it has missed what was said.
#[derive(Debug)]
pub struct Missing {
    session: Jid,
    after: Option<Pos>,
    from: Pos,
}

/// What was said behind a place.
struct Page {
    from: Pos,
    messages: Vec<(Pos, Stanza)>,
    more: bool,
}

impl Page {
    fn of(room: &Bare, from: Pos, read: Vec<Stanza>, more: bool, ctx: &Ctx<'_>) -> Self {
        let own = |child: &Element<'_>| {
            child.is(STANZA_ID) && child.attribute("by").as_deref() == Some(room.as_str())
        };
        let placed = read.into_iter().filter_map(|message| {
            let id = message.children().find(own)?.attribute("id")?.into_owned();
            Some((ctx.settings.names.pos(room, &id)?, message.settled()))
        });
        Self { from, messages: placed.collect(), more }
    }

    fn last(&self) -> Option<Pos> {
        self.messages.last().map(|(pos, _)| *pos)
    }

    /// Whether who has missed what was said behind this place is told of it by this page.
    fn serves(&self, from: Pos) -> bool {
        from >= self.from && (!self.more || Some(from) < self.last())
    }

    fn told(&self, to: &Jid, from: Pos) -> impl Iterator<Item = Effect> {
        let behind = self.messages.iter().filter(move |(pos, _)| *pos > from);
        behind.map(|(pos, message)| {
            let more = self.more && Some(*pos) == self.last();
            Effect::Retell(addressed(message, to), *pos, more)
        })
    }
}
