//! What sessions hear of rooms. The room's log is the truth: each message says which one its
//! hearer was told before it, so that what is lost on the way, or with the process, is missed and
//! told again out of the log. So is what a session was not told that has no stream.

use crate::{
    ctx::Moment,
    following::{FOLLOWING_MS_MAX, Following},
    hook::{Leaving, Leavings},
    parcel::Owed,
    unit::Pos,
};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Bare, Jid, Kind, Stanza, Text};

/// Where a message that a room tells an occupant stands in the room's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Here.
    pub pos: Pos,
    /// What the occupant was told before it stands there.
    pub after: Pos,
    /// There is more that the occupant has missed: told when it is asked for.
    pub more: bool,
}

/// When a session is told what the log of a room does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// It is a private message: who waits for the half of who gets it.
    pub owed: Option<Owed>,
    /// The half is given for the same message to another session of theirs: this one is told when
    /// that one is, and not if that is refused.
    pub is_copy: bool,
}

/// What somebody who belongs to a room should know of a message there, wherever they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// What they are called there.
    pub nick: Text,
    /// The room is for its members alone.
    pub is_private: bool,
    /// Another session of theirs has been told so already.
    pub again: bool,
}

/// Whether a session that is in a room takes what is said there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attends {
    /// It has no stream: what the log has, it is told when it comes back.
    Away,
    /// It takes what follows this place; `None`: it has been told nothing yet.
    Back(Option<Pos>),
}

/// What a message is to who hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The next.
    New,
    /// It has been heard, or is told once more anyway.
    Again,
    /// Something is missing before it, behind this place.
    Gap(Pos),
}

/// What was asked for is asked for again after so many messages that cannot be heard before it.
const ASKED_AGAIN_MESSAGES: u32 = 64;

/// What a session hears of one room.
#[derive(Clone, Copy, Debug, Default)]
struct Hearing {
    /// The last that it was told.
    last: Pos,
    /// The first of what a hook holds back.
    held: Option<Pos>,
    /// So often something was missing since the room was asked for it.
    asks: u32,
    /// The room has more, and waits to be asked for it.
    more: bool,
    /// What stands up to here it hears though it is inactive: the last of it is worth it.
    wakes: Pos,
    /// Something was not told to it because it is inactive.
    slept: bool,
    /// The last of that, and of what is known to be missing: until it has been told this, nothing
    /// else of the room overtakes it.
    due: Pos,
    /// Something could not wait, for what its own log tells it, in the line or for its client:
    /// there was no room.
    crowded: bool,
}

/// What a session hears of the rooms that it is in.
#[derive(Debug, Default)]
pub(crate) struct Hearings {
    rooms: BTreeMap<Bare, Hearing>,
    following: Following,
    /// Rooms of which something sleeps that something else waits for.
    called: BTreeSet<Bare>,
}

impl Hearings {
    /// A message of a room has come, by an occupant of it.
    pub fn hear(&mut self, by: &Jid, told: Told) -> Heard {
        let one = match self.rooms.get_mut(by.bare_str()) {
            Some(one) => one,
            None => self.rooms.entry(by.bare()).or_default(),
        };
        if told.pos <= one.last {
            return Heard::Again;
        }
        if told.after > one.last {
            let asks = one.asks.is_multiple_of(ASKED_AGAIN_MESSAGES);
            (one.asks, one.due) = (one.asks + 1, one.due.max(told.pos));
            return if asks { Heard::Gap(one.last) } else { Heard::Again };
        }
        (one.last, one.asks, one.more) = (told.pos, 0, told.more);
        Heard::New
    }

    /// Whether a message of a room is not told, because the session is inactive: it is told out of
    /// the log when the session is active again, or before the next message that `wakes` it.
    pub fn sleeps(&mut self, room: &Bare, told: Told, wakes: bool) -> bool {
        let one = self.rooms.entry(room.clone()).or_default();
        // Behind the last of a page the room waits to be asked for more.
        if wakes || told.more {
            one.wakes = one.wakes.max(told.pos);
        }
        if told.pos <= one.wakes.max(one.last) {
            return false;
        }
        (one.slept, one.due) = (true, one.due.max(told.pos));
        true
    }

    /// The rooms of which something was not told, each with what was told last.
    pub fn take_slept(&mut self) -> Vec<(Bare, Pos)> {
        self.called.clear();
        let slept = |(room, one): (&Bare, &mut Hearing)| {
            one.wakes = one.wakes.max(one.due);
            std::mem::take(&mut one.slept).then(|| (room.clone(), one.last))
        };
        self.rooms.iter_mut().filter_map(slept).collect()
    }

    /// Something of a room that its log does not tell waits until all has been told that is due of
    /// that. Requests and answers are in no order with what is said.
    pub fn precedes(&mut self, leaving: Leaving, now: Moment) -> Leavings {
        if leaving.told.is_some() || leaving.stanza.kind() == Kind::Iq {
            return [leaving].into();
        }
        let from = leaving.stanza.head.from.as_ref();
        let found = from.and_then(|from| self.rooms.get_key_value(from.bare_str()));
        let is_due = |room: &Bare, one: &Hearing| {
            one.last < one.due || !self.following.is_empty() && self.following.waits_for(room)
        };
        let Some((room, one)) = found.filter(|(room, one)| is_due(room, one)) else {
            return [leaving].into();
        };
        let (room, due, slept) = (room.clone(), one.due, one.slept);
        let until = now.after(FOLLOWING_MS_MAX);
        if let Err(leaving) = self.following.push(leaving, (room.clone(), due), until) {
            self.give_up(&room);
            let mut all: Leavings = self.following.take(&room).into();
            all.push(leaving);
            return all;
        }
        if slept {
            self.called.insert(room);
        }
        Leavings::new()
    }

    /// The rooms of which something sleeps that something else waits for, each with what was told
    /// last. It hears it now.
    pub fn take_called(&mut self) -> Vec<(Bare, Pos)> {
        let called = std::mem::take(&mut self.called).into_iter();
        called.filter_map(|room| self.wakes(&room).map(|last| (room, last))).collect()
    }

    /// What sleeps of this room it hears now; up to where it has been told.
    pub fn wakes(&mut self, room: &Bare) -> Option<Pos> {
        let one = self.rooms.get_mut(room)?;
        (one.wakes, one.slept) = (one.wakes.max(one.due), false);
        Some(one.last)
    }

    /// The next that waits for nothing any more.
    pub fn next_following(&mut self) -> Option<Leaving> {
        self.following.next(|room| Some(self.rooms.get(room)?.last))
    }

    /// A room tells what was waited for, though not all of it yet.
    pub fn hopes_on(&mut self, room: &Bare, now: Moment) {
        self.following.hopes_on(room, now.after(FOLLOWING_MS_MAX));
    }

    /// What waits for the rooms that have not told what was due in time waits no more.
    pub fn hope_no_more(&mut self, now: Moment) {
        for room in self.following.overdue(now) {
            self.following.let_go(&room);
            self.give_up(&room);
        }
    }

    fn give_up(&mut self, room: &Bare) {
        self.rooms.get_mut(room).into_iter().for_each(|one| one.due = one.last);
    }

    /// Whether something waits for a room.
    pub fn delays(&self) -> bool {
        !self.following.is_empty()
    }

    /// Until when something is waited for.
    pub fn until(&self) -> Option<Moment> {
        self.following.until()
    }

    /// What waits for a room and is in no log.
    pub fn unlogged(&self) -> impl Iterator<Item = &Stanza> {
        self.following.unlogged()
    }

    /// Where the first of what waits stands in the session's own log.
    pub fn first_following(&self) -> Option<Pos> {
        self.following.first()
    }

    /// There was no room for what a room told while the session's own log was told it, or while
    /// much waited in the account's line or for the client's acknowledgement. Up to a place it may
    /// be due; not where something waits that was said before.
    pub fn crowds_out(&mut self, room: Bare, due: Option<Pos>) {
        let one = self.rooms.entry(room).or_default();
        (one.crowded, one.due) = (true, one.due.max(due.unwrap_or_default()));
    }

    /// The rooms of which that is said, each with what was told last.
    pub fn take_crowded(&mut self) -> Vec<(Bare, Pos)> {
        let crowded = |(room, one): (&Bare, &mut Hearing)| {
            std::mem::take(&mut one.crowded).then(|| (room.clone(), one.last))
        };
        self.rooms.iter_mut().filter_map(crowded).collect()
    }

    /// A hook has held a message back, or let it go with all that was held before it.
    pub fn holds(&mut self, told: Option<(&Jid, Pos)>, passes: bool) {
        if passes {
            return self.rooms.values_mut().for_each(|one| one.held = None);
        }
        let one = told.and_then(|(by, pos)| Some((self.rooms.get_mut(by.bare_str())?, pos)));
        if let Some((one, pos)) = one {
            one.held.get_or_insert(pos);
        }
    }

    /// What was told from there on has not reached the client.
    pub fn lacks(&mut self, room: &Bare, first: Pos) {
        if let Some(one) = self.rooms.get_mut(room) {
            one.last = one.last.min(Pos(first.0 - 1));
        }
    }

    /// It comes back: rooms are told anew what it has.
    pub fn comes_back(&mut self) {
        for one in self.rooms.values_mut() {
            (one.asks, one.wakes) = (0, Pos::default());
            (one.more, one.slept, one.crowded) = (false, false, false);
        }
    }

    /// Up to where it has been told.
    pub fn last(&self, room: &Bare) -> Option<Pos> {
        self.rooms.get(room).map(|one| one.last)
    }

    /// Rooms that wait to be asked for more, each with what it has told.
    pub fn take_more(&mut self) -> Vec<(Bare, Pos)> {
        let waits = |(room, one): (&Bare, &mut Hearing)| {
            std::mem::take(&mut one.more).then(|| (room.clone(), one.last))
        };
        self.rooms.iter_mut().filter_map(waits).collect()
    }

    /// It is in this room no more.
    pub fn forget(&mut self, room: &Bare) {
        self.rooms.remove(room);
    }

    /// Forgets the rooms of which this is not said.
    pub fn retain(&mut self, is_in: impl Fn(&Bare) -> bool) {
        let following = &self.following;
        self.rooms.retain(|room, _| is_in(room) || following.waits_for(room));
    }

    /// How many rooms.
    pub fn len(&self) -> usize {
        self.rooms.len()
    }

    /// What is kept: of each room the last that has not only been held back.
    pub fn kept(&self) -> impl Iterator<Item = (&Bare, Pos)> {
        let before = |one: &Hearing| one.held.map_or(one.last, |held| Pos(held.0 - 1));
        self.rooms.iter().map(move |(room, one)| (room, before(one)))
    }

    /// What was kept.
    pub fn load(&mut self, room: Bare, last: Pos) {
        self.rooms.insert(room, Hearing { last, ..Hearing::default() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(after: i64, pos: i64) -> Told {
        Told { pos: Pos(pos), after: Pos(after), more: false }
    }

    #[test]
    fn what_is_lost_on_the_way_is_missed_and_asked_for_once() {
        let (room, mut hearings) = (Bare::parse("garden@rooms.x").unwrap(), Hearings::default());
        assert_eq!(
            hearings.hear(&room, told(3, 5)),
            Heard::Gap(Pos(0)),
            "it has heard nothing yet"
        );
        assert_eq!(hearings.hear(&room, told(0, 5)), Heard::New);
        assert_eq!(hearings.hear(&room, told(5, 6)), Heard::New);
        assert_eq!(hearings.hear(&room, told(5, 6)), Heard::Again);
        assert_eq!(hearings.hear(&room, told(8, 9)), Heard::Gap(Pos(6)));
        assert_eq!(hearings.hear(&room, told(9, 10)), Heard::Again, "it has been asked for");
        for (after, pos) in [(6, 8), (8, 9), (9, 10)] {
            assert_eq!(hearings.hear(&room, told(after, pos)), Heard::New, "{pos}");
        }
        assert_eq!(hearings.hear(&room, told(11, 12)), Heard::Gap(Pos(10)), "and so every time");
        for pos in 13..13 + i64::from(ASKED_AGAIN_MESSAGES) - 1 {
            assert_eq!(hearings.hear(&room, told(pos - 1, pos)), Heard::Again);
        }
        assert_eq!(hearings.hear(&room, told(99, 100)), Heard::Gap(Pos(10)), "in case it was lost");
        // What was asked for is no more: the room begins behind it.
        assert_eq!(hearings.hear(&room, told(10, 12)), Heard::New);
    }

    #[test]
    fn what_is_only_held_back_is_not_kept_as_told() {
        let (room, mut hearings) = (Bare::parse("garden@rooms.x").unwrap(), Hearings::default());
        let kept = |hearings: &Hearings| hearings.kept().next().unwrap().1;
        for (pos, passes) in [(5, true), (7, false), (8, false)] {
            hearings.hear(&room, told(0, pos));
            hearings.holds(Some((&room, Pos(pos))), passes);
        }
        assert_eq!((kept(&hearings), hearings.last(&room)), (Pos(6), Some(Pos(8))));
        hearings.holds(None, true);
        assert_eq!(kept(&hearings), Pos(8));
        hearings.lacks(&room, Pos(8));
        assert_eq!(kept(&hearings), Pos(7));
    }

    #[test]
    fn who_is_inactive_is_told_all_before_what_wakes_it_and_the_rest_when_it_is_active() {
        let (room, mut hearings) = (Bare::parse("garden@rooms.x").unwrap(), Hearings::default());
        assert_eq!(hearings.hear(&room, told(0, 5)), Heard::New);
        assert!(hearings.sleeps(&room, told(5, 6), false));
        assert!(hearings.sleeps(&room, told(6, 7), false));
        assert!(!hearings.sleeps(&room, told(7, 8), true));
        assert_eq!(hearings.hear(&room, told(7, 8)), Heard::Gap(Pos(5)), "that is asked for");
        for pos in 6..=8 {
            assert!(!hearings.sleeps(&room, told(pos - 1, pos), false));
            assert_eq!(hearings.hear(&room, told(pos - 1, pos)), Heard::New);
        }
        assert!(hearings.sleeps(&room, told(8, 9), false), "behind it, it sleeps on");
        assert_eq!(hearings.take_slept(), [(room.clone(), Pos(8))]);
        assert_eq!(hearings.take_slept(), []);
        assert!(!hearings.sleeps(&room, Told { more: true, ..told(9, 10) }, false), "more waits");
    }

    fn says(xml: &str) -> Leaving {
        Stanza::parse_one(xml).unwrap().into()
    }

    #[test]
    fn what_an_occupant_says_otherwise_follows_what_sleeps_of_the_room_rfc6120_10_1() {
        let (room, mut hearings) = (Bare::parse("garden@rooms.x").unwrap(), Hearings::default());
        hearings.hear(&room, told(0, 5));
        let private = || says("<message from='garden@rooms.x/nurse'><body>hist</body></message>");
        assert!(hearings.precedes(private(), Moment(0)).len() == 1, "nothing sleeps");
        assert!(hearings.sleeps(&room, told(5, 6), false));
        let others = [
            "<message from='nurse@x/hall'/>",
            "<iq from='garden@rooms.x/nurse' type='get' id='1'><a xmlns='urn:x'/></iq>",
        ];
        assert!(others.iter().all(|xml| hearings.precedes(says(xml), Moment(0)).len() == 1));
        assert!(hearings.precedes(private(), Moment(0)).is_empty());
        assert_eq!(hearings.take_called(), [(room.clone(), Pos(5))]);
        // What is said meanwhile sleeps again, and what comes behind that waits for it.
        assert!(hearings.sleeps(&room, told(6, 7), false));
        let leaves = says("<presence from='garden@rooms.x/nurse' type='unavailable'/>");
        assert!(hearings.precedes(leaves, Moment(9)).is_empty());
        assert!(hearings.next_following().is_none());
        assert!(!hearings.sleeps(&room, told(5, 6), false), "it is woken for that");
        assert_eq!(hearings.hear(&room, told(5, 6)), Heard::New);
        assert_eq!(hearings.next_following().map(|one| one.stanza.kind()), Some(Kind::Message));
        assert!(hearings.next_following().is_none());
        assert_eq!(hearings.take_called(), [(room.clone(), Pos(6))]);
        // As long as the room tells something it is waited for; then it has gone.
        assert_eq!(hearings.until(), Some(Moment(9 + FOLLOWING_MS_MAX)));
        hearings.hopes_on(&room, Moment(20));
        assert_eq!(hearings.until(), Some(Moment(20 + FOLLOWING_MS_MAX)));
        hearings.hope_no_more(Moment(19 + FOLLOWING_MS_MAX));
        assert!(hearings.next_following().is_none());
        hearings.hope_no_more(Moment(20 + FOLLOWING_MS_MAX));
        assert_eq!(hearings.next_following().map(|one| one.stanza.kind()), Some(Kind::Presence));
        assert!(hearings.precedes(private(), Moment(9_000)).len() == 1);
    }

    #[test]
    fn when_too_much_waits_for_a_room_all_of_it_goes_on_in_order() {
        let (room, mut hearings) = (Bare::parse("garden@rooms.x").unwrap(), Hearings::default());
        hearings.sleeps(&room, told(0, 6), false);
        let private =
            |id: usize| says(&format!("<message from='garden@rooms.x/nurse' id='{id}'/>"));
        let told: Vec<_> = (0..=256).map(|id| hearings.precedes(private(id), Moment(0))).collect();
        assert!(told[..256].iter().all(|told| told.is_empty()));
        let ids = told[256].iter().map(|one| one.stanza.head.id.as_deref().unwrap().to_owned());
        assert!(ids.eq((0..=256).map(|id| id.to_string())));
        assert_eq!((hearings.next_following().is_none(), hearings.until()), (true, None));
    }

    #[test]
    fn what_there_was_no_room_for_is_asked_for_once() {
        let (room, mut hearings) = (Bare::parse("garden@rooms.x").unwrap(), Hearings::default());
        hearings.hear(&room, told(0, 5));
        hearings.crowds_out(room.clone(), None);
        hearings.crowds_out(room.clone(), None);
        assert_eq!(hearings.take_crowded(), [(room.clone(), Pos(5))]);
        assert_eq!(hearings.take_crowded(), []);
        hearings.crowds_out(room.clone(), None);
        hearings.comes_back();
        assert_eq!(hearings.take_crowded(), [], "all rooms are told that it is back");
    }

    #[test]
    fn more_is_asked_for_once() {
        let (room, mut hearings) = (Bare::parse("garden@rooms.x").unwrap(), Hearings::default());
        hearings.hear(&room, Told { more: true, ..told(0, 5) });
        assert_eq!(hearings.take_more(), [(room.clone(), Pos(5))]);
        assert_eq!(hearings.take_more(), []);
    }
}
