//! Who sat when the process began, and may be there no more (XEP-0045 §18.1.2): accounts are asked
//! until they have answered.

use super::{
    line::Asker,
    names::status,
    occupants::{self, Seat},
    room::{Room, Turn, send},
};
use engine::{account::Output, ctx::Ctx, wire::*};
use std::collections::BTreeSet;

/// How the id begins of what a room asks; behind it is the number of the seat. By that it knows the
/// answer, which else looks like what a client says: it comes late, when the session has shown
/// something else meanwhile, taken another nick or come in once more.
const ASKED: &str = "sits-";
/// How long an account may take to answer, in milliseconds. What it was asked is lost when it could
/// not be read, or had too much to do.
const ANSWER_MS_MAX: u64 = 60_000;

impl Room {
    /// Asks the accounts of who sat when the process began whether they are there still.
    pub fn look_around(&mut self, turn: &mut Turn<'_, '_>) {
        if turn.ctx.settings.service(self.jid.domain()).is_none() {
            return self.shut_down(turn);
        }
        self.ask_unsure(turn);
        let mut step = self.step(Asker::Nobody);
        for (nick, seat) in std::mem::take(&mut self.unseated) {
            step.write(occupants::forgotten(&self.jid, seat.since));
            // Who sits under another nick, was never told of this one, or that it has left it.
            if self.occupants.nick_of(&seat.jid).is_none() {
                step.send(self.not_here(&seat.jid, &nick, vec![status::LOST], turn.ctx));
            }
        }
        if !step.unit.changes.is_empty() {
            self.take(step, turn);
        }
    }

    /// Those that have not answered are asked again, when they have had time to.
    pub fn ask_again(&mut self, turn: &mut Turn<'_, '_>) {
        if self.asks_at.take_if(|at| *at <= turn.ctx.now).is_some() {
            self.ask_unsure(turn);
        }
    }

    fn ask_unsure(&mut self, turn: &mut Turn<'_, '_>) {
        let mut asked = BTreeSet::new();
        for (nick, occupant) in self.occupants.iter() {
            for seat in occupant.seats.iter().filter(|seat| self.unsure.contains(&seat.since)) {
                let head = Head::new(Kind::Presence).with_type("probe");
                let head = head.with_from(self.occupant(nick)).with_to(seat.jid.clone());
                send(Stanza::new(head.with_id(format!("{ASKED}{}", seat.since))), turn.out);
                asked.insert(seat.since);
            }
        }
        // Of who has been removed meanwhile nobody wants to know it.
        self.unsure = asked;
        if !self.unsure.is_empty() {
            let at = turn.ctx.now.after(ANSWER_MS_MAX);
            self.asks_at = Some(at);
            turn.out.push(Output::Wake(at));
        }
    }

    /// A session that sat when the process began is not there any more.
    pub fn lost(&mut self, stanza: &Stanza, turn: &mut Turn<'_, '_>) {
        let id = stanza.head.id.as_deref().and_then(|id| id.strip_prefix(ASKED));
        let Some(since) = id.and_then(|since| since.parse::<u64>().ok()) else { return };
        if !self.unsure.contains(&since) {
            return;
        }
        let who = stanza.head.from.as_ref().map(Jid::bare);
        let is_it = |seat: &&Seat| seat.since == since && Some(seat.jid.bare()) == who;
        let lost = {
            let mut seats = self.occupants.iter().flat_map(|(_, occupant)| &occupant.seats);
            seats.find(is_it).map(|seat| (seat.jid.clone(), seat.shown_ms, seat.start))
        };
        let Some((jid, shown_ms, start)) = lost else { return };
        self.lately.loses(&jid, shown_ms, start, turn.ctx.now);
        self.drop_lost(&jid, turn);
    }

    /// Who was here when the process began, and enters under another nick, knows of no nick that it
    /// could be leaving.
    pub fn forget_unsure(&mut self, from: &Jid, nick: &str, turn: &mut Turn<'_, '_>) {
        let Some((old, occupant)) = self.occupants.by(from) else { return };
        let since = occupant.seat(from).map(|seat| seat.since);
        if &**old != nick && since.is_some_and(|since| self.unsure.contains(&since)) {
            self.drop_lost(from, turn);
        }
    }

    /// Whether it only answers that: then it says no more than that the session is there. An
    /// account of another server need not say what it answers.
    pub fn is_answer(&mut self, from: &Jid, nick: &str, stanza: &Stanza, ctx: &Ctx<'_>) -> bool {
        let Some((own, occupant)) = self.occupants.by(from) else { return false };
        let Some(since) = occupant.seat(from).map(|seat| seat.since) else { return false };
        let names_it = stanza.head.id.as_deref().is_some_and(|id| id.starts_with(ASKED));
        let may_be = || &**own == nick && self.unsure.contains(&since);
        let is_it = names_it || !ctx.settings.hosts(from.domain()) && may_be();
        let is_it = is_it && stanza.child_count() == 0;
        if is_it {
            self.unsure.remove(&since);
        }
        is_it
    }
}
