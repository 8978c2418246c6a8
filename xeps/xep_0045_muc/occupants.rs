//! Who is in a room: nicks, and the sessions behind each (XEP-0045 §7.2).

use super::rank::Role;
use engine::{
    unit::{Change, OCCUPANTS, Pos},
    wire::*,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::confusable_detection::skeleton;

/// Somebody who is in a room, by one session or several (§7.2.8).
#[derive(Debug)]
pub struct Occupant {
    pub who: Bare,
    pub role: Role,
    /// Since which number of the room's: what was decided before is not for that role.
    pub role_since: u64,
    /// The order in which they came, or spoke last; never empty.
    pub seats: Vec<Seat>,
}

/// A session that is in a room.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Its full address.
    pub jid: Jid,
    /// When it came in, as a number of the room's; by it, it is kept.
    pub since: u64,
    /// By what the log knows what it said: another after the room has been loaded.
    pub voice: i64,
    /// What the log has up to here was said before it came in.
    pub start: Pos,
    /// The last that it was told of what the log has.
    pub told: Pos,
    /// It has no stream: what the log has, it is told when it comes back.
    pub is_away: bool,
    /// It takes what is said again, behind that place, in its turn.
    pub comes_back: Option<Option<Pos>>,
    /// It has said again that it comes in, and that has not had its turn.
    pub begins_anew: bool,
    /// So often where it begins is being written: until it is, it is told nothing of the log.
    pub unwritten: u32,
    /// It has not come back since the process began: it may not see who is here.
    pub is_blind: bool,
    /// Who of the others sees it: the same for all sessions of an occupant.
    pub seen: SeenBy,
    /// It came when there were many: of the others it sees those alone whom all see.
    pub sees_few: bool,
    /// When it was shown to all, in ms of the Unix clock.
    pub shown_ms: u64,
    /// What it shows: the children of its presence that are for everybody.
    pub presence: Stanza,
    /// Whether it wants to know of which version an affiliation is (XEP-0463). Forgotten with the
    /// process: who enters next time asks again.
    pub wants_versions: bool,
}

/// By whom an occupant is seen. Who has been seen stays so: else it would be there for ever for who
/// is not told that it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeenBy {
    /// By itself alone.
    Itself,
    /// By those who came when there were not many.
    #[default]
    Most,
    /// By all: it is a moderator, or was.
    All,
}

/// All who are in a room.
#[derive(Debug, Default)]
pub struct Occupants {
    by_nick: BTreeMap<Text, Occupant>,
    nicks: BTreeMap<Jid, Text>,
    /// How nicks look, each with its nick.
    looks: BTreeSet<(String, Text)>,
    /// About what all seats take, in bytes: it is asked after all that a room does.
    bytes: usize,
}

impl Occupants {
    pub fn is_empty(&self) -> bool {
        self.by_nick.is_empty()
    }

    /// How many nicks.
    pub fn len(&self) -> usize {
        self.by_nick.len()
    }

    pub fn get(&self, nick: &str) -> Option<&Occupant> {
        self.by_nick.get(nick)
    }

    pub fn get_mut(&mut self, nick: &str) -> Option<&mut Occupant> {
        self.by_nick.get_mut(nick)
    }

    /// The nick of a session.
    pub fn nick_of(&self, jid: &Jid) -> Option<&Text> {
        self.nicks.get(jid)
    }

    /// Who a session is.
    pub fn by(&self, jid: &Jid) -> Option<(&Text, &Occupant)> {
        let nick = self.nicks.get(jid)?;
        self.by_nick.get(nick).map(|occupant| (nick, occupant))
    }

    /// All, by nick.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Occupant)> {
        self.by_nick.iter()
    }

    /// Those behind this nick, by nick.
    pub fn behind_mut(
        &mut self,
        nick: Option<&Text>,
    ) -> impl Iterator<Item = (&Text, &mut Occupant)> {
        let start = nick.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_nick.range_mut::<Text, _>((start, Bound::Unbounded))
    }

    /// All that sit.
    pub fn seats_mut(&mut self) -> impl Iterator<Item = &mut Seat> {
        self.by_nick.values_mut().flat_map(|occupant| &mut occupant.seats)
    }

    /// The session at this address.
    pub fn seat_mut(&mut self, jid: &Jid) -> Option<&mut Seat> {
        let occupant = self.by_nick.get_mut(self.nicks.get(jid)?)?;
        occupant.seats.iter_mut().find(|seat| seat.jid == *jid)
    }

    /// Whether a session of somebody is here.
    pub fn has(&self, who: &Bare) -> bool {
        let theirs = format!("{who}/");
        let mut behind = self.nicks.range::<str, _>((Bound::Included(&*theirs), Bound::Unbounded));
        behind.next().is_some_and(|(jid, _)| jid.is_of(who))
    }

    /// The nicks of somebody.
    pub fn nicks_of(&self, who: &Bare) -> Vec<Text> {
        let theirs = self.by_nick.iter().filter(|(_, occupant)| occupant.who == *who);
        theirs.map(|(nick, _)| nick.clone()).collect()
    }

    /// The sessions of somebody, by address.
    pub fn sessions_of(&self, who: &Bare) -> impl Iterator<Item = &Jid> {
        let from = format!("{who}/");
        let behind = self.nicks.range::<str, _>((Bound::Included(from.as_str()), Bound::Unbounded));
        behind.map(|(jid, _)| jid).take_while(|jid| jid.is_of(who))
    }

    /// Whether somebody else has a nick that looks like this one: who reads it would not see that
    /// it is another (§7.2.9; RFC 8266 §4).
    pub fn has_like(&self, nick: &str, who: &Bare) -> bool {
        looks(nick).into_iter().any(|look| {
            let alike = self.looks.range((look.clone(), Text::new())..);
            let mut alike = alike.take_while(|(other, _)| *other == look);
            alike.any(|(_, other)| self.get(other).is_some_and(|occupant| occupant.who != *who))
        })
    }

    /// A session sits down under a nick that is free or its owner's; then it is seen as that is.
    pub fn sit(&mut self, nick: Text, role: Role, mut seat: Seat) {
        if let Some(there) = self.by_nick.get(&nick) {
            seat.seen = there.seen();
        }
        self.nicks.insert(seat.jid.clone(), nick.clone());
        self.looks.extend(looks(&nick).map(|look| (look, nick.clone())));
        self.bytes += seat.weight();
        let (who, role_since) = (seat.jid.bare(), seat.since);
        let new = || Occupant { who, role, role_since, seats: Vec::new() };
        self.by_nick.entry(nick).or_insert_with(new).seats.push(seat);
    }

    /// Those that were loaded are in the order in which they spoke last, not in which they came.
    pub fn order(&mut self) {
        for occupant in self.by_nick.values_mut() {
            occupant.seats.sort_by_key(|seat| seat.shown_ms);
        }
    }

    /// A session rises. With its nick and role, and whether nobody sits there any more.
    pub fn rise(&mut self, jid: &Jid) -> Option<(Text, Role, Seat, bool)> {
        let nick = self.nicks.remove(jid)?;
        let occupant = self.by_nick.get_mut(&nick)?;
        let place = occupant.seats.iter().position(|seat| seat.jid == *jid)?;
        let (role, seat) = (occupant.role, occupant.seats.remove(place));
        self.bytes -= seat.weight();
        let is_last = occupant.seats.is_empty();
        if is_last {
            self.by_nick.remove(&nick);
            for look in looks(&nick) {
                self.looks.remove(&(look, nick.clone()));
            }
        }
        Some((nick, role, seat, is_last))
    }

    /// About what they take, in bytes.
    pub fn weight(&self) -> usize {
        self.bytes
    }

    /// A session shows this from now on, and counts as the one that spoke last. What it is now,
    /// and its role.
    pub fn shows(
        &mut self,
        jid: &Jid,
        presence: Stanza,
        wants_versions: bool,
        now_ms: u64,
    ) -> Option<(Role, &Seat)> {
        let occupant = self.by_nick.get_mut(self.nicks.get(jid)?)?;
        let place = occupant.seats.iter().position(|seat| seat.jid == *jid)?;
        let mut seat = occupant.seats.remove(place);
        self.bytes -= seat.weight();
        (seat.presence, seat.shown_ms) = (presence, now_ms);
        seat.wants_versions |= wants_versions;
        self.bytes += seat.weight();
        occupant.seats.push(seat);
        Some((occupant.role, occupant.seats.last()?))
    }
}

impl Seat {
    /// A session that comes in by this number, behind what the log has; it has been told nothing.
    pub fn new(jid: Jid, since: u64, start: Pos, presence: Stanza) -> Self {
        Self {
            jid,
            since,
            voice: 0,
            start,
            told: Pos::default(),
            is_away: false,
            comes_back: None,
            begins_anew: false,
            unwritten: 0,
            is_blind: false,
            seen: SeenBy::Most,
            sees_few: false,
            shown_ms: 0,
            presence,
            wants_versions: false,
        }
    }

    /// Whether it sees another that is seen by these.
    pub fn sees(&self, other: SeenBy) -> bool {
        other >= if self.sees_few { SeenBy::All } else { SeenBy::Most }
    }

    fn weight(&self) -> usize {
        self.presence.wire_len() + 2 * self.jid.as_str().len() + 256
    }
}

impl Occupant {
    /// What everybody sees of it: what the session shows that came or spoke last.
    pub fn shown(&self) -> &Stanza {
        static NOTHING: std::sync::LazyLock<Stanza> =
            std::sync::LazyLock::new(|| Stanza::new(Head::new(Kind::Presence)));
        self.seats.last().map_or(&NOTHING, |seat| &seat.presence)
    }

    /// Whether that is what this session shows.
    pub fn is_shown_by(&self, jid: &Jid) -> bool {
        self.seats.last().is_some_and(|seat| seat.jid == *jid)
    }

    /// Who of the others sees it.
    pub fn seen(&self) -> SeenBy {
        self.seats.first().map(|seat| seat.seen).unwrap_or_default()
    }

    /// The session at this address.
    pub fn seat(&self, jid: &Jid) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.jid == *jid)
    }
}

/// How a nick looks: in compatibility form, without what nobody sees (RFC 8266 §2.4), and with one
/// letter for all that are taken for it (Unicode Technical Standard 39 §4). Whoever compares two
/// ignores case, so letters that are alike only in one case are alike, too: two nicks look the
/// same if any look of the one is a look of the other.
pub fn looks(nick: &str) -> [String; 2] {
    let seen = || nick.nfkc().filter(|c| !c.is_whitespace() && !is_unseen(*c));
    let small: String = seen().flat_map(char::to_lowercase).collect();
    let seen: String = seen().collect();
    [skeleton(&small).collect(), skeleton(&seen).flat_map(char::to_lowercase).collect()]
}

/// Whether nothing of a nick is to be seen.
pub fn is_unseen_nick(nick: &str) -> bool {
    looks(nick).iter().any(String::is_empty)
}

/// Joiners, directions and other marks that take no room of their own.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// What is written of a session that sits.
pub fn kept(room: &Bare, nick: &str, role: Role, seat: &Seat) -> Change {
    let shown = seat.presence.to_text();
    let few = if seat.sees_few { " few" } else { "" };
    // The last word: so older programs read it.
    let seen = match seat.seen {
        SeenBy::Itself => " hidden",
        SeenBy::Most => "",
        SeenBy::All => " seen",
    };
    let (start, ms) = (seat.start.0, seat.shown_ms);
    let value = format!("{role} {start} {ms}{few}{seen}\n{}\n{nick}\n{shown}", seat.jid);
    Change::Put(OCCUPANTS, room.clone(), key(seat.since), value.into_bytes())
}

/// What is written when it rises.
pub fn forgotten(room: &Bare, since: u64) -> Change {
    Change::Cut(OCCUPANTS, room.clone(), key(since))
}

/// In the order of their numbers.
fn key(since: u64) -> String {
    format!("{since:016x}")
}

/// A session that sat when this was written; `None`: nobody can read it. It has no stream yet.
pub fn load(key: &str, value: &[u8]) -> Option<(Text, Role, Seat)> {
    let since = u64::from_str_radix(key, 16).ok()?;
    let mut lines = std::str::from_utf8(value).ok()?.splitn(4, '\n');
    let mut words = lines.next()?.split(' ');
    let (role, start) = (Role::parse(words.next()?)?, Pos(words.next()?.parse().ok()?));
    let rest: Vec<_> = words.collect();
    let shown_ms = rest.first().and_then(|ms| ms.parse().ok()).unwrap_or_default();
    // Older programs did not write that a moderator is seen by all.
    let seen = match rest.last() {
        Some(&"hidden") => SeenBy::Itself,
        Some(&"seen") => SeenBy::All,
        _ if role == Role::Moderator => SeenBy::All,
        _ => SeenBy::Most,
    };
    let sees_few = rest.contains(&"few");
    let jid = Jid::parse(lines.next()?).ok()?;
    let nick = Text::from(lines.next()?);
    let presence = Stanza::parse_one(lines.next()?).ok()?;
    let seat = Seat::new(jid, since, start, presence);
    let (told, is_away, is_blind) = (start, true, true);
    Some((nick, role, Seat { told, is_away, is_blind, seen, sees_few, shown_ms, ..seat }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(jid: &str, since: u64) -> Seat {
        let presence = Stanza::parse_one("<presence><show>away</show></presence>").unwrap();
        let seat = Seat::new(Jid::parse(jid).unwrap(), since, Pos(7), presence);
        Seat { seen: SeenBy::Itself, sees_few: true, shown_ms: 9, ..seat }
    }

    #[test]
    fn a_session_that_sits_comes_back_as_it_was() {
        let room = Bare::parse("garden@rooms.x").unwrap();
        let before = seat("juliet@x/balcony \u{1f339}", 0x1_0000_0001);
        let Change::Put(_, _, key, value) = kept(&room, "Jul iet", Role::Moderator, &before) else {
            panic!("it is not kept")
        };
        let (nick, role, after) = load(&key, &value).unwrap();
        assert_eq!((&*nick, role), ("Jul iet", Role::Moderator));
        assert_eq!((after.jid, after.since, after.start), (before.jid, before.since, Pos(7)));
        assert!(after.is_away && after.is_blind && after.sees_few);
        assert_eq!((after.seen, after.shown_ms), (SeenBy::Itself, 9));
        assert_eq!(after.presence.to_text(), before.presence.to_text());
        for damaged in [&value[..value.len() - 1], b"king 7\na@b/c\nn\n<presence/>", b"", &[0xff]] {
            assert!(load(&key, damaged).is_none());
        }
    }

    #[test]
    fn who_is_seen_by_whom_is_read_as_older_programs_wrote_it() {
        let read = |line: &str| {
            let value = format!("{line}\na@x/b\nn\n<presence/>");
            let (.., seat) = load("1", value.as_bytes()).unwrap();
            (seat.seen, seat.sees_few, seat.shown_ms)
        };
        for (line, wanted) in [
            ("participant 7", (SeenBy::Most, false, 0)),
            ("participant 7 9", (SeenBy::Most, false, 9)),
            ("participant 7 9 hidden", (SeenBy::Itself, false, 9)),
            ("participant 7 hidden", (SeenBy::Itself, false, 0)),
            ("moderator 7 9", (SeenBy::All, false, 9)),
            ("moderator 7 9 hidden", (SeenBy::Itself, false, 9)),
            ("visitor 7 9 few seen", (SeenBy::All, true, 9)),
            ("visitor 7 9 few", (SeenBy::Most, true, 9)),
        ] {
            assert_eq!(read(line), wanted, "{line}");
        }
    }

    #[test]
    fn a_session_is_seen_as_the_occupant_is_that_it_sits_down_to() {
        let mut occupants = Occupants::default();
        occupants.sit("juliet".into(), Role::Participant, seat("juliet@x/balcony", 1));
        let other = Seat { seen: SeenBy::All, ..seat("juliet@x/chamber", 2) };
        occupants.sit("juliet".into(), Role::Participant, other);
        occupants.rise(&Jid::parse("juliet@x/balcony").unwrap()).unwrap();
        assert_eq!(occupants.get("juliet").unwrap().seen(), SeenBy::Itself);
    }

    #[test]
    fn sessions_of_one_nick_share_it_until_the_last_rises() {
        let mut occupants = Occupants::default();
        occupants.sit("juliet".into(), Role::Participant, seat("juliet@x/balcony", 1));
        occupants.sit("juliet".into(), Role::Participant, seat("juliet@x/chamber", 2));
        assert_eq!((occupants.len(), occupants.get("juliet").unwrap().seats.len()), (1, 2));
        let (.., is_last) = occupants.rise(&Jid::parse("juliet@x/balcony").unwrap()).unwrap();
        assert!(!is_last);
        assert!(occupants.rise(&Jid::parse("juliet@x/balcony").unwrap()).is_none());
        let chamber = Jid::parse("juliet@x/chamber").unwrap();
        let before = occupants.weight();
        let shows = Stanza::parse_one("<presence><show>xa</show></presence>").unwrap();
        let (_, shown) = occupants.shows(&chamber, shows, true, 9).unwrap();
        assert!(shown.wants_versions && occupants.weight() < before);
        let (.., is_last) = occupants.rise(&chamber).unwrap();
        assert!(is_last && occupants.is_empty() && occupants.weight() == 0);
    }

    #[test]
    fn nicks_that_are_taken_for_each_other_look_alike_at_46() {
        let alike = |one: &str, other: &str| {
            let looks_of_other = looks(other);
            looks(one).iter().any(|look| looks_of_other.contains(look))
        };
        for other in
            ["Juliet", "ju liet", "JULIET", "juli\u{435}t", "\u{458}uliet", "\u{200b}juliet"]
        {
            assert!(alike("juliet", other), "{other}");
        }
        // Cyrillic, Greek; letters that are alike only in one case; forms of the same.
        for (one, other) in [
            ("\u{440}\u{430}\u{443}\u{440}\u{430}l", "paypal"),
            ("\u{392}ob", "Bob"),
            ("Il", "l1"),
            ("\u{ff4d}ax", "max"),
            ("rn", "m"),
        ] {
            assert!(alike(one, other), "{one} {other}");
        }
        for (one, other) in [("romeo", "juliet"), ("anna", "hanna"), ("\u{5d0}", "\u{5d1}")] {
            assert!(!alike(one, other), "{one} {other}");
        }
    }
}
