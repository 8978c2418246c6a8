//! What sessions hear of rooms. The room's log is the truth: each message says which one its
//! hearer was told before it, so that what is lost on the way, or with the process, is missed and
//! told again out of the log. So is what a session was not told that has no stream.

use crate::unit::Pos;
use std::collections::BTreeMap;
use wire::{Bare, Jid, Text};

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
    /// Something could not wait, for what its own log tells it or in the line: there was no room.
    crowded: bool,
}

/// What a session hears of the rooms that it is in.
#[derive(Debug, Default)]
pub(crate) struct Hearings(BTreeMap<Bare, Hearing>);

impl Hearings {
    /// A message of a room has come, by an occupant of it.
    pub fn hear(&mut self, by: &Jid, told: Told) -> Heard {
        let one = match self.0.get_mut(by.bare_str()) {
            Some(one) => one,
            None => self.0.entry(by.bare()).or_default(),
        };
        if told.pos <= one.last {
            return Heard::Again;
        }
        if told.after > one.last {
            let asks = one.asks.is_multiple_of(ASKED_AGAIN_MESSAGES);
            one.asks += 1;
            return if asks { Heard::Gap(one.last) } else { Heard::Again };
        }
        (one.last, one.asks, one.more) = (told.pos, 0, told.more);
        Heard::New
    }

    /// Whether a message of a room is not told, because the session is inactive: it is told out of
    /// the log when the session is active again, or before the next message that `wakes` it.
    pub fn sleeps(&mut self, room: &Bare, told: Told, wakes: bool) -> bool {
        let one = self.0.entry(room.clone()).or_default();
        // Behind the last of a page the room waits to be asked for more.
        if wakes || told.more {
            one.wakes = one.wakes.max(told.pos);
        }
        if told.pos <= one.wakes.max(one.last) {
            return false;
        }
        one.slept = true;
        true
    }

    /// The rooms of which something was not told, each with what was told last.
    pub fn take_slept(&mut self) -> Vec<(Bare, Pos)> {
        let slept = |(room, one): (&Bare, &mut Hearing)| {
            std::mem::take(&mut one.slept).then(|| (room.clone(), one.last))
        };
        self.0.iter_mut().filter_map(slept).collect()
    }

    /// There was no room for what a room told while the session's own log was told it, or while
    /// much waited in the account's line.
    pub fn crowds_out(&mut self, room: Bare) {
        self.0.entry(room).or_default().crowded = true;
    }

    /// The rooms of which that is said, each with what was told last.
    pub fn take_crowded(&mut self) -> Vec<(Bare, Pos)> {
        let crowded = |(room, one): (&Bare, &mut Hearing)| {
            std::mem::take(&mut one.crowded).then(|| (room.clone(), one.last))
        };
        self.0.iter_mut().filter_map(crowded).collect()
    }

    /// A hook has held a message back, or let it go with all that was held before it.
    pub fn holds(&mut self, told: Option<(&Jid, Pos)>, passes: bool) {
        if passes {
            return self.0.values_mut().for_each(|one| one.held = None);
        }
        let one = told.and_then(|(by, pos)| Some((self.0.get_mut(by.bare_str())?, pos)));
        if let Some((one, pos)) = one {
            one.held.get_or_insert(pos);
        }
    }

    /// What was told from there on has not reached the client.
    pub fn lacks(&mut self, room: &Bare, first: Pos) {
        if let Some(one) = self.0.get_mut(room) {
            one.last = one.last.min(Pos(first.0 - 1));
        }
    }

    /// It comes back: rooms are told anew what it has.
    pub fn comes_back(&mut self) {
        for one in self.0.values_mut() {
            (one.asks, one.wakes) = (0, Pos::default());
            (one.more, one.slept, one.crowded) = (false, false, false);
        }
    }

    /// Up to where it has been told.
    pub fn last(&self, room: &Bare) -> Option<Pos> {
        self.0.get(room).map(|one| one.last)
    }

    /// Rooms that wait to be asked for more, each with what it has told.
    pub fn take_more(&mut self) -> Vec<(Bare, Pos)> {
        let waits = |(room, one): (&Bare, &mut Hearing)| {
            std::mem::take(&mut one.more).then(|| (room.clone(), one.last))
        };
        self.0.iter_mut().filter_map(waits).collect()
    }

    /// It is in this room no more.
    pub fn forget(&mut self, room: &Bare) {
        self.0.remove(room);
    }

    /// Forgets the rooms of which this is not said.
    pub fn retain(&mut self, is_in: impl Fn(&Bare) -> bool) {
        self.0.retain(|room, _| is_in(room));
    }

    /// How many rooms.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What is kept: of each room the last that has not only been held back.
    pub fn kept(&self) -> impl Iterator<Item = (&Bare, Pos)> {
        let before = |one: &Hearing| one.held.map_or(one.last, |held| Pos(held.0 - 1));
        self.0.iter().map(move |(room, one)| (room, before(one)))
    }

    /// What was kept.
    pub fn load(&mut self, room: Bare, last: Pos) {
        self.0.insert(room, Hearing { last, ..Hearing::default() });
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

    #[test]
    fn what_there_was_no_room_for_is_asked_for_once() {
        let (room, mut hearings) = (Bare::parse("garden@rooms.x").unwrap(), Hearings::default());
        hearings.hear(&room, told(0, 5));
        hearings.crowds_out(room.clone());
        hearings.crowds_out(room.clone());
        assert_eq!(hearings.take_crowded(), [(room.clone(), Pos(5))]);
        assert_eq!(hearings.take_crowded(), []);
        hearings.crowds_out(room.clone());
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
