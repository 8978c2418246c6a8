//! Who comes back after the process was killed: its account writes what it was told within a
//! second, and what it was told in the last one may be lost. So what was shown in a room in the ten
//! seconds before what was shown last, it is shown again.
//!
//! That is what differs, or little more: so it costs no more when all come back at once than it
//! did when it happened. What was shown before, each of them had been written to have been told.
//!
//! Who has not come back when the process ends once more has missed both: as long as somebody is
//! away since it began, it is kept with the room up to where things had been shown then.

use super::{
    line::{Effect, Step},
    occupants::{self, SeenBy},
    room::{ROOM, Room, Turn, send},
    show::{Audience, Viewer, addressed},
    sight::at_once,
};
use engine::{
    ctx::{Ctx, Moment},
    hearing::Attends,
    unit::{Change, Pos, Table},
    wire::*,
};
use std::collections::VecDeque;

/// With a room: by nick, when it was left lately, and whose it was.
pub const LEFT: Table = Table::named("left");
/// Before an address, if all saw that it was: no address has a space before its resource.
const BY_ALL: &str = "seen ";
/// Of [`ROOM`]: when what was shown last had been, each time that the process began; of the times
/// since which somebody has not come back.
pub const ENDS: &str = "ends";
/// What was shown longer than this before what was shown last, in milliseconds, everybody has been
/// told, and that is written: it takes an account a second.
const LATE_MS: u64 = 10_000;
/// Such times of one room; of more, the first are not known any more.
const ENDS_MAX: usize = 16;
/// How long, in milliseconds, who had only come in when the process ended may take to say it again.
const AGAIN_MS: u64 = 60_000;
/// Nicks of one room that were left lately; of more than that, the first are not told again.
const LEFT_NICKS_MAX: usize = 1_000;

/// What was shown lately.
#[derive(Debug, Default)]
pub struct Lately {
    /// The nicks that were left, in that order, and when.
    left: VecDeque<(u64, Text)>,
    /// Those that were when the process began, whose they were, and who saw that.
    before: Vec<(Text, Jid, SeenBy)>,
    /// When what was shown last had been, when the process began, in ms of the Unix clock.
    newest: u64,
    /// The same of the times before, and of this one once that is written: since the first of them
    /// somebody has not come back.
    ends: VecDeque<u64>,
    /// It has been written, or nobody is away since.
    is_noted: bool,
    /// When it was last looked for whether somebody still is.
    looked_ms: u64,
    /// Who had only come in when the process ended, so that their accounts do not know it: from
    /// where on they may have missed what was said, and until when they may say again that they
    /// come in. No more than sat then.
    lost: Vec<(Jid, Pos, Moment)>,
}

impl Lately {
    /// A nick that was left; one that nobody can read is not told again.
    pub fn load(&mut self, nick: &str, value: &[u8]) {
        let text = std::str::from_utf8(value).ok();
        let Some((ms, rest)) = text.and_then(|text| text.split_once(' ')) else { return };
        let (jid, seen) = match rest.strip_prefix(BY_ALL) {
            Some(jid) => (jid, SeenBy::All),
            None => (rest, SeenBy::Most),
        };
        let (Ok(ms), Ok(jid)) = (ms.parse(), Jid::parse(jid)) else { return };
        self.left.push_back((ms, nick.into()));
        self.before.push((nick.into(), jid, seen));
        self.newest = self.newest.max(ms);
    }

    /// Up to where things had been shown when the process began before.
    pub fn load_ends(&mut self, value: &str) {
        self.ends = value.split(' ').filter_map(|ms| ms.parse().ok()).collect();
    }

    /// Somebody had been shown then.
    pub fn shown(&mut self, ms: u64) {
        self.newest = self.newest.max(ms);
    }

    /// Whether what was shown then may not have been told to all, when the process began.
    fn is_late(&self, ms: u64) -> bool {
        self.end(ms).is_some()
    }

    /// When what was shown last had been, when the process began shortly after that.
    fn end(&self, ms: u64) -> Option<u64> {
        let mut ends = self.ends.iter().chain([&self.newest]).copied();
        ends.find(|end| ms <= *end && ms.saturating_add(LATE_MS) >= *end)
    }

    /// From where on everybody who was shown then may not have been told what was said; nothing
    /// when that was long before the process began.
    pub fn since(&self, ms: u64) -> Option<Pos> {
        self.end(ms).map(|end| Pos::before(end.saturating_sub(LATE_MS)))
    }

    /// A session is not here any more as far as its account knows.
    pub fn loses(&mut self, session: &Jid, shown_ms: u64, start: Pos, now: Moment) {
        if let Some(late) = self.since(shown_ms) {
            self.lost.push((session.clone(), late.max(start), now.after(AGAIN_MS)));
        }
    }

    /// It comes in: from where on it may have missed what was said.
    pub fn finds(&mut self, session: &Jid, now: Moment) -> Option<Pos> {
        self.lost.retain(|(.., until)| *until > now);
        let at = self.lost.iter().position(|(jid, ..)| jid == session)?;
        Some(self.lost.swap_remove(at).1)
    }

    /// Whether a session of this account may have missed something.
    pub fn lost_one_of(&self, who: &Bare) -> bool {
        self.lost.iter().any(|(jid, ..)| jid.is_of(who))
    }

    /// There is no such account any more.
    pub fn forget_all_of(&mut self, who: &Bare) {
        self.lost.retain(|(jid, ..)| !jid.is_of(who));
    }

    /// About what it takes, in bytes.
    pub fn weight(&self) -> usize {
        let nicks = self.left.len() + self.before.len();
        nicks * size_of::<(Text, Jid, SeenBy)>() + self.lost.len() * size_of::<(Jid, Pos, Moment)>()
    }
}

impl Room {
    /// What this step shows to all is written with when.
    pub fn note_shown(&mut self, step: &mut Step, ctx: &Ctx<'_>) {
        if self.departs || !self.is_made {
            return;
        }
        let shown = |effect: &Effect| match effect {
            Effect::Show(show) if show.audience != Audience::Own => {
                Some((Text::from(show.from.resource()?), show.jid.clone(), show.seen))
            }
            _ => None,
        };
        let shown: Vec<_> = step.effects.iter().filter_map(shown).collect();
        if !shown.is_empty() {
            self.note_ends(step, ctx.unix_ms);
        }
        for (nick, jid, seen) in shown {
            let Some(occupant) = self.occupants.get_mut(&nick) else {
                self.note_left(nick, (&jid, seen), step, ctx.unix_ms);
                continue;
            };
            let role = occupant.role;
            let seat = occupant.seats.last_mut().filter(|seat| seat.shown_ms != ctx.unix_ms);
            if let Some(seat) = seat {
                seat.shown_ms = ctx.unix_ms;
                step.write(occupants::kept(&self.jid, &nick, role, seat));
            }
        }
        if !step.unit.changes.is_empty() {
            self.forget_left(step, ctx.unix_ms);
        }
    }

    /// Before what is shown now is the last that was: what was late when the process began is so
    /// still for who has not come back since.
    fn note_ends(&mut self, step: &mut Step, now_ms: u64) {
        let lately = &mut self.lately;
        let is_over = lately.is_noted && lately.ends.is_empty();
        if is_over || now_ms < lately.looked_ms.saturating_add(LATE_MS) {
            return;
        }
        lately.looked_ms = now_ms;
        let mut seats = self.occupants.iter().flat_map(|(_, occupant)| &occupant.seats);
        let key = || (ROOM, self.jid.clone(), ENDS.to_owned());
        match (seats.any(|seat| seat.is_blind), std::mem::replace(&mut lately.is_noted, true)) {
            (true, true) => {}
            (true, false) => {
                lately.ends.push_back(lately.newest);
                while lately.ends.len() > ENDS_MAX {
                    lately.ends.pop_front();
                }
                let ends: Vec<_> = lately.ends.iter().map(u64::to_string).collect();
                let (table, room, key) = key();
                step.write(Change::Put(table, room, key, ends.join(" ").into_bytes()));
            }
            (false, _) if lately.ends.is_empty() => {}
            (false, _) => {
                lately.ends.clear();
                let (table, room, key) = key();
                step.write(Change::Cut(table, room, key));
            }
        }
    }

    fn note_left(&mut self, nick: Text, (jid, seen): (&Jid, SeenBy), step: &mut Step, now_ms: u64) {
        if self.occupants.is_empty() {
            return; // nobody is left who could come back
        }
        let seen = if seen == SeenBy::All { BY_ALL } else { "" };
        let value = format!("{now_ms} {seen}{jid}").into_bytes();
        step.write(Change::Put(LEFT, self.jid.clone(), nick.to_string(), value));
        self.lately.left.retain(|(_, other)| *other != nick);
        self.lately.left.push_back((now_ms, nick));
    }

    /// What everybody has been told of since, or nobody will come back for.
    fn forget_left(&mut self, step: &mut Step, now_ms: u64) {
        let is_empty = self.occupants.is_empty();
        let mut left = std::mem::take(&mut self.lately.left);
        left.retain(|(ms, nick)| {
            let is_missed = !self.lately.ends.is_empty() && self.lately.is_late(*ms);
            let stays = !is_empty && (is_missed || ms.saturating_add(LATE_MS) >= now_ms);
            if !stays {
                step.write(Change::Cut(LEFT, self.jid.clone(), nick.to_string()));
            }
            stays
        });
        while left.len() > LEFT_NICKS_MAX {
            let Some((_, nick)) = left.pop_front() else { break };
            step.write(Change::Cut(LEFT, self.jid.clone(), nick.to_string()));
        }
        self.lately.left = left;
    }

    /// A session comes back that sat when the process began: the others, then itself (§7.2.2).
    pub fn greet(&mut self, session: &Jid, turn: &mut Turn<'_, '_>) {
        let Some((own, occupant)) = self.occupants.by(session) else { return };
        // Else it has been.
        let Some(seat) = occupant.seat(session).filter(|seat| seat.is_blind) else { return };
        let viewer = |is_own: bool| Viewer {
            sees_address: self.shows_addresses_to(occupant.role),
            is_own,
            wants_versions: false,
        };
        let is_late = |nick: &str| {
            let seats = self.occupants.get(nick).map(|one| &one.seats[..]).unwrap_or_default();
            seats.last().is_some_and(|seat| self.lately.is_late(seat.shown_ms))
        };
        let left = self.lately.before.iter();
        let left = left.filter(|(.., seen)| seat.sees(*seen));
        let left = left.filter(|(nick, ..)| self.occupants.get(nick).is_none());
        let left = left.map(|(nick, jid, _)| self.gone(jid, nick, Vec::new(), turn.ctx));
        let shown = self
            .occupants
            .iter()
            .filter(|(nick, other)| *nick != own && seat.sees(other.seen()) && is_late(nick));
        let shown = shown.filter_map(|(nick, _)| self.show(nick, turn.ctx));
        let told = at_once(left.chain(shown).collect(), viewer(false));
        let itself = (!told.is_empty() || is_late(own)).then(|| self.show(own, turn.ctx));
        let itself = itself.flatten().map(|show| show.to(viewer(true)));
        let told: Vec<_> = told.iter().chain(&itself).map(|one| addressed(one, session)).collect();
        told.into_iter().for_each(|stanza| send(stanza, turn.out));
        self.has_seen(session);
    }

    /// A session comes back that was here until the last seconds, and may not have been told that
    /// it is not any more.
    pub fn tell_who_left(&mut self, session: &Jid, attends: Attends, turn: &mut Turn<'_, '_>) {
        let is_back = matches!(attends, Attends::Back(_));
        let left = self.lately.before.iter().filter(|(_, jid, _)| is_back && jid == session);
        let left: Vec<_> = left.map(|(nick, ..)| nick.clone()).collect();
        left.iter().for_each(|nick| self.is_not_here(session, nick, turn));
    }

    /// It sees who is here.
    fn has_seen(&mut self, session: &Jid) {
        if let Some(seat) = self.occupants.seat_mut(session) {
            seat.is_blind = false;
        }
    }
}
