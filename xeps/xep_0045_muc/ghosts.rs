//! Who sat when the process began, and may be there no more (XEP-0045 §18.1.2): accounts of this
//! server are asked until they have answered, clients of other servers as often as is fair.

use super::{
    line::Asker,
    message::is_unreachable,
    names::status,
    occupants::{self, Seat},
    room::{Room, Turn, send},
    whisper::error_of,
};
use engine::{
    account::Output,
    ctx::{Ctx, Moment},
    wire::*,
};
use std::collections::BTreeSet;

/// How the id begins of what a room asks; behind it is the number of the seat. By that it knows the
/// answer, which else looks like what a client says: it comes late, when the session has shown
/// something else meanwhile, taken another nick or come in once more.
const ASKED: &str = "sits-";
/// How long whoever is asked may take to answer, in milliseconds. What it was asked is lost when
/// its account could not be read, or had too much to do, or the way to its server was cut.
const ANSWER_MS_MAX: u64 = 25_000;
/// How often a client of another server is asked, before it is taken to be gone: within 90 seconds.
const FOREIGN_ASKED_MAX: u32 = 3;
/// After so long there is room in the line again, in milliseconds.
const WRITTEN_MS: u64 = 100;
const PING: Name = Name::new("urn:xmpp:ping", "ping");

/// When whoever has not answered is asked again, and how often they have been.
#[derive(Debug)]
pub struct Asks {
    at: Moment,
    times: u32,
}

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

    /// Those that have not answered are asked again, when they have had time to. An account of this
    /// server does answer at some time; a client of another one is taken to be gone.
    /// Never in the middle of something that is being told, or before the end of the room.
    pub fn ask_again(&mut self, turn: &mut Turn<'_, '_>) {
        let is_due = |asks: &&Asks| asks.at <= turn.ctx.now;
        let Some(asks) = self.asks.as_ref().filter(is_due) else { return };
        if !self.slices.is_done() || self.ends.is_some() || self.departs {
            return;
        }
        match asks.times < FOREIGN_ASKED_MAX || self.drop_silent(turn) {
            true => self.ask_unsure(turn),
            // Others have their turn before the rest of them, and what is decided is written.
            false if self.line.is_full() => self.ask_at(turn.ctx.now.after(WRITTEN_MS), turn),
            false => turn.out.push(Output::Wake(turn.ctx.now)),
        }
    }

    /// Whether none is left of those of other servers that have not answered.
    fn drop_silent(&mut self, turn: &mut Turn<'_, '_>) -> bool {
        while !turn.is_full() && !self.line.is_full() && self.slices.is_done() {
            let Some(silent) = self.silent(turn.ctx) else { return true };
            self.drop_lost(&silent, turn);
        }
        false
    }

    /// A session of another server that has not answered.
    fn silent(&self, ctx: &Ctx<'_>) -> Option<Jid> {
        let mut seats = self.occupants.iter().flat_map(|(_, occupant)| &occupant.seats);
        let is_it = |seat: &&Seat| {
            self.unsure.contains(&seat.since) && !ctx.settings.hosts(seat.jid.domain())
        };
        seats.find(is_it).map(|seat| seat.jid.clone())
    }

    fn ask_unsure(&mut self, turn: &mut Turn<'_, '_>) {
        let mut asked = BTreeSet::new();
        for (nick, occupant) in self.occupants.iter() {
            for seat in occupant.seats.iter().filter(|seat| self.unsure.contains(&seat.since)) {
                let is_ours = turn.ctx.settings.hosts(seat.jid.domain());
                let mut asks = match is_ours {
                    true => self.probe(nick),
                    false => self.ping(),
                };
                asks.head.to = Some(seat.jid.clone());
                asks.head.id = Some(format!("{ASKED}{}", seat.since).into());
                send(asks, turn.out);
                asked.insert(seat.since);
            }
        }
        // Of who has been removed meanwhile nobody wants to know it.
        self.unsure = asked;
        let times = self.asks.take().map_or(0, |asks| asks.times).saturating_add(1);
        if !self.unsure.is_empty() {
            self.asks = Some(Asks { at: turn.ctx.now, times });
            self.ask_at(turn.ctx.now.after(ANSWER_MS_MAX), turn);
        }
    }

    fn ask_at(&mut self, at: Moment, turn: &mut Turn<'_, '_>) {
        self.asks.iter_mut().for_each(|asks| asks.at = at);
        turn.out.push(Output::Wake(at));
    }

    /// What an account of this server is asked, which knows where its sessions have gone in.
    fn probe(&self, nick: &str) -> Stanza {
        Stanza::new(Head::new(Kind::Presence).with_type("probe").with_from(self.occupant(nick)))
    }

    /// What a client is asked whose server does not say of it where it has gone in (XEP-0199).
    fn ping(&self) -> Stanza {
        let head = Head::new(Kind::Iq).with_type("get").with_from(self.jid.clone());
        Stanza::new(head).with(Draft::new(PING).finish())
    }

    /// Who says something is there; whether it knows that it is in, its presence tells. Of the
    /// sessions of this server their accounts say it, and what they have missed.
    pub fn is_heard_of(&mut self, from: &Jid, ctx: &Ctx<'_>) {
        if self.unsure.is_empty() || ctx.settings.hosts(from.domain()) {
            return;
        }
        let seat = self.occupants.by(from).and_then(|(_, occupant)| occupant.seat(from));
        self.unsure.retain(|since| seat.is_none_or(|seat| seat.since != *since));
    }

    /// What the ping has come to: that it cannot be reached, or any other answer of its client.
    /// That says nothing of it when there is no way to its server now, or when its client may be
    /// one that knows no pings: it is asked again.
    pub fn pinged(&mut self, from: &Jid, answer: &Stanza, turn: &mut Turn<'_, '_>) {
        let Some(since) = asked_of(answer).filter(|since| self.unsure.contains(since)) else {
            return;
        };
        let seat = self.occupants.by(from).and_then(|(_, occupant)| occupant.seat(from));
        if seat.is_none_or(|seat| seat.since != since) {
            return;
        }
        match answer.head.type_str() {
            "error" if is_unclear(answer) => {}
            "error" if is_unreachable(answer) => self.drop_lost(from, turn),
            _ => drop(self.unsure.remove(&since)),
        }
    }

    /// A session that sat when the process began is not there any more.
    pub fn lost(&mut self, stanza: &Stanza, turn: &mut Turn<'_, '_>) {
        let Some(since) = asked_of(stanza).filter(|since| self.unsure.contains(since)) else {
            return;
        };
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

    /// Whether it only answers that: then it says no more than that the session is there.
    pub fn is_answer(&mut self, from: &Jid, stanza: &Stanza) -> bool {
        let Some((_, occupant)) = self.occupants.by(from) else { return false };
        let Some(since) = occupant.seat(from).map(|seat| seat.since) else { return false };
        let names_it = stanza.head.id.as_deref().is_some_and(|id| id.starts_with(ASKED));
        let is_it = names_it && stanza.child_count() == 0;
        if is_it {
            self.unsure.remove(&since);
        }
        is_it
    }
}

/// Whether it may be there nevertheless. What a client says that knows no pings, its server says as
/// well when it is gone (RFC 6120 §8.4, RFC 6121 §8.5.3.2.3).
fn is_unclear(error: &Stanza) -> bool {
    const UNCLEAR: [StanzaCondition; 3] = [
        StanzaCondition::RemoteServerNotFound,
        StanzaCondition::RemoteServerTimeout,
        StanzaCondition::ServiceUnavailable,
    ];
    UNCLEAR.contains(&error_of(error).condition)
}

/// The number of the seat that this answer is of.
fn asked_of(answer: &Stanza) -> Option<u64> {
    answer.head.id.as_deref()?.strip_prefix(ASKED)?.parse().ok()
}
