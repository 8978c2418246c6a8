//! Who hears what is said: those who sat when it was, and are not away, each by a head of its own
//! before the one body; and members elsewhere, who may want to know of it.
//!
//! Many are told in slices, between which all others go on. Meanwhile nothing happens in the room:
//! what comes to it waits.

use super::{
    line::{Asker, Step, WAITING_STEPS_MAX},
    members::Member,
    names::{BODY, stanza_id},
    occupants::{Occupant, Seat},
    room::{Room, Turn, refuse_asker, send},
    show::addressed,
    subject::is_subject,
};
use crate::xep_0492_notification_settings::Mentions;
use engine::{
    account::{Input, Output},
    hearing::{News, Told},
    parcel::Parcel,
    unit::Pos,
    wire::*,
};
use std::collections::{BTreeSet, VecDeque};

/// What may be caused in one turn before others have theirs: who writes to somebody meanwhile
/// waits for that at each station, and one presence takes some ten microseconds until it is sent.
/// In tests it is so little that it is often reached.
pub const TURN_OUTPUTS_MAX: usize = if cfg!(test) { 8 } else { 100 };
/// Occupants who are told at once; in tests so few that all rooms are told in slices.
const SLICE_OCCUPANTS: usize = if cfg!(test) { 2 } else { 50 };
/// Of many members, those to whom one message may be news: who names hundreds wakes no more.
const MENTIONED_MEMBERS_MAX: usize = 50;

/// Something that is being told.
#[derive(Debug)]
pub struct Telling {
    message: Stanza,
    by: Bare,
    pos: Option<Pos>,
    /// Who sat down behind this does not hear it.
    number: u64,
    /// Of this nick and those before it all have been told.
    after: Option<Text>,
    /// Who is away hears it: nothing keeps it until they come back.
    passes_away: bool,
    is_news: bool,
    is_private: bool,
}

/// A slice has been done, and the rest of its step waits, as does what came meanwhile.
#[derive(Debug, Default)]
pub struct Slices {
    rest: Option<(Option<Telling>, Step)>,
    pub held: VecDeque<Input>,
}

impl Slices {
    /// Whether nothing is half done.
    pub fn is_done(&self) -> bool {
        self.rest.is_none()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.rest.is_none() && self.held.is_empty()
    }
}

impl Turn<'_, '_> {
    /// Whether others are to have their turn before anything else is caused: of a thousand who
    /// lose their voice at once (§10.2) each of the others is told.
    pub fn is_over(&self) -> bool {
        self.out.len() >= TURN_OUTPUTS_MAX
    }

    /// The same before anything else is decided: to find out what one who comes to a thousand is
    /// shown takes as long as to tell it.
    pub fn is_full(&self) -> bool {
        self.out.len() + self.decided >= TURN_OUTPUTS_MAX
    }
}

impl Room {
    /// What is told; nothing when it has been said before, then at most its sender hears it.
    pub fn telling(
        &mut self,
        message: Stanza,
        by: &Jid,
        step: &Step,
        turn: &mut Turn<'_, '_>,
    ) -> Option<Telling> {
        let pos = step.pos(&self.jid);
        let message = match pos {
            Some(pos) => message.with(stanza_id(&self.jid, pos, turn.ctx.settings)),
            None => message,
        };
        if step.committed.repeated {
            // What was said since it came in, it has been told, or is when it comes back: in its
            // place, before what was said later.
            let seat = self.occupants.by(by).and_then(|(_, occupant)| occupant.seat(by));
            let is_ours = turn.ctx.settings.hosts(by.domain());
            if !is_ours || seat.is_some_and(|seat| pos <= Some(seat.start)) {
                send(addressed(&message, by), turn.out);
            }
            return None;
        }
        // What no log has, such as that somebody types, is of no use to who comes back; but what
        // has become of the room is (§10.2.1).
        let by_room = message.head.from.as_ref().is_some_and(Jid::is_bare);
        let says = message.child(BODY).is_some() || is_subject(&message);
        let passes_away = pos.is_none() && (by_room || says);
        let is_news = pos.is_some() && is_news(&message);
        let (number, is_private) = (step.number, self.config.is_members_only);
        let (by, after, message) = (by.bare(), None, message.settled());
        Some(Telling { message, by, pos, number, after, passes_away, is_news, is_private })
    }

    /// The next slice; gives back what is left.
    pub fn tell(&mut self, mut telling: Telling, turn: &mut Turn<'_, '_>) -> Option<Telling> {
        let after = telling.after.take();
        let behind = self.occupants.behind_mut(after.as_ref());
        for (told, (nick, occupant)) in behind.enumerate() {
            // One may have many sessions.
            if told == SLICE_OCCUPANTS || told > 0 && turn.is_over() {
                return Some(telling);
            }
            telling.after = Some(nick.clone());
            telling.tell(nick, occupant, turn);
        }
        // Who is out already as far as it was decided, and has not heard so, sat when it was said.
        for seat in self.removed.sat_mut(telling.number) {
            telling.tell_seat(seat, None, turn);
        }
        if telling.is_news {
            self.tell_members(&telling, turn);
        }
        None
    }

    /// Others go on; then the room does, with what it was telling and the rest of the step.
    pub fn pause(&mut self, telling: Option<Telling>, rest: Step, turn: &mut Turn<'_, '_>) {
        self.slices.rest = Some((telling, rest));
        turn.out.push(Output::Wake(turn.ctx.now));
    }

    /// The next slice of what is half done.
    fn go_on(&mut self, telling: Option<Telling>, rest: Step, turn: &mut Turn<'_, '_>) {
        match telling.and_then(|telling| self.tell(telling, turn)) {
            Some(telling) => self.pause(Some(telling), rest, turn),
            None => self.do_rest(rest, turn),
        }
    }

    /// Something comes to the room: in its turn.
    pub fn hears(&mut self, input: Input, turn: &mut Turn<'_, '_>) {
        // Marks stand beside the line, whoever is being told something; a step that is taken is
        // behind that.
        match &input {
            Input::Tick => {
                self.note_marks(turn);
                self.read_again(turn);
            }
            Input::Note => self.write_all_marks(turn),
            _ => {}
        }
        match (self.slices.rest.take(), input) {
            (None, Input::Tick) => {}
            (None, input) if self.slices.held.is_empty() => self.hear(input, turn),
            (Some((telling, rest)), Input::Tick) => self.go_on(telling, rest, turn),
            (waits, Input::Routed(stanza, owed)) if self.slices.held.len() >= WAITING_STEPS_MAX => {
                self.slices.rest = waits;
                let asker = owed.map_or(Asker::Sender(stanza), Asker::Owed);
                refuse_asker(asker, &StanzaCondition::ResourceConstraint.into(), turn.out);
            }
            (waits, input) => {
                self.slices.rest = waits;
                self.slices.held.push_back(input);
            }
        }
        self.hear_held(turn);
    }

    /// What came while something else was being done, as much as there is time for.
    pub fn hear_held(&mut self, turn: &mut Turn<'_, '_>) {
        while self.slices.is_done() && !turn.is_full() {
            let Some(input) = self.slices.held.pop_front() else { return };
            if let Some(input) = self.hold_at_end(input, turn) {
                self.hear(input, turn);
            }
        }
        if self.slices.is_done() && !self.slices.held.is_empty() {
            turn.out.push(Output::Wake(turn.ctx.now));
        }
    }

    /// Members who are not here may want to know of it (XEP-0357): all, or of many those to whom it
    /// is addressed.
    fn tell_members(&self, telling: &Telling, turn: &mut Turn<'_, '_>) {
        let ctx = turn.ctx;
        let is_away = |(who, _): &(&Bare, &Member)| {
            let is_ours = ctx.settings.serves(who.domain());
            is_ours && **who != telling.by && !self.occupants.has(who)
        };
        let tell = |(who, member): (&Bare, &Member)| {
            telling.notify(who, member.name(who).into(), turn);
        };
        if !self.members.are_many() {
            self.members.concerned().filter(is_away).for_each(tell);
            return;
        }
        let (mentions, mut told) = (Mentions::of(&telling.message), BTreeSet::new());
        let mentioned = self.members.mentioned(&mentions).filter(is_away);
        let mentioned = mentioned.filter(|(who, _)| told.insert(*who));
        mentioned.take(MENTIONED_MEMBERS_MAX).for_each(tell);
    }
}

impl Telling {
    fn tell(&self, nick: &Text, occupant: &mut Occupant, turn: &mut Turn<'_, '_>) {
        let wants_news = self.is_news && occupant.who != self.by;
        let mut news = wants_news.then(|| self.news(nick.clone()));
        for seat in occupant.seats.iter_mut().filter(|seat| seat.since <= self.number) {
            if self.tell_seat(seat, news.as_ref(), turn) {
                news.iter_mut().for_each(|news| news.again = true);
            }
        }
        if news.is_some_and(|news| !news.again) {
            self.notify(&occupant.who, nick.clone(), turn);
        }
    }

    /// Whether its account is told of news, too.
    fn tell_seat(&self, seat: &mut Seat, news: Option<&News>, turn: &mut Turn<'_, '_>) -> bool {
        if seat.is_away && !self.passes_away {
            return false;
        }
        let message = addressed(&self.message, &seat.jid);
        match self.pos.filter(|_| turn.ctx.settings.hosts(seat.jid.domain())) {
            Some(pos) => tell_one(seat, message, pos, (false, news.cloned()), turn),
            None => {
                send(message, turn.out);
                return false;
            }
        }
        true
    }

    fn news(&self, nick: Text) -> News {
        News { nick, is_private: self.is_private, again: false }
    }

    /// Somebody of this server hears of it wherever they are.
    fn notify(&self, who: &Bare, nick: Text, turn: &mut Turn<'_, '_>) {
        if turn.ctx.settings.serves(who.domain()) {
            let message = addressed(&self.message, &who.clone().into());
            let news = self.news(nick);
            turn.out.push(Output::Parcel(Parcel::News { to: who.clone(), message, news }));
        }
    }
}

/// With what it was told before it, so that it misses what is lost on the way.
pub fn tell_one(
    seat: &mut Seat,
    message: Stanza,
    pos: Pos,
    (more, news): (bool, Option<News>),
    turn: &mut Turn<'_, '_>,
) {
    let told = Told { pos, after: seat.told, more };
    seat.told = pos;
    turn.out.push(Output::Parcel(Parcel::Told { to: seat.jid.bare(), message, told, news }));
}

/// Whether it is something to be read, be it encrypted.
fn is_news(message: &Stanza) -> bool {
    message.children().any(|child| child.is(BODY) || child.local() == "encrypted")
}
