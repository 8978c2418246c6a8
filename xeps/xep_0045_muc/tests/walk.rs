//! Five people walk through a room at random, some of them with two sessions, beside a model that
//! knows no more than the document: whoever is in the room sees who else is, as they are; all hear
//! the same in the same order; who is out hears nothing. Now and then they are too many to see each
//! other. Who has no stream for a while is told later all that was said to all, in that order.
//! Whose account is removed is nobody from then on, unless it was banned.

use super::document;
use crate::{stage_room::House, xep_0045_muc::SHOWN_OCCUPANTS_MAX};
use engine::{hook::Xep, port::Fault, setting::Value, wire::*};
use std::collections::BTreeMap;

/// The sessions, and whose each is. The first person makes the room, and stays its owner.
pub const SESSIONS: [(&str, usize); 7] = [
    ("ann@wax.example/desk", 0),
    ("ann@wax.example/phone", 0),
    ("bob@wax.example/desk", 1),
    ("bob@wax.example/phone", 1),
    ("cyd@wax.example/desk", 2),
    ("dan@far.example/desk", 3),
    ("eve@far.example/desk", 4),
];
const PEOPLE: [&str; 5] =
    ["ann@wax.example", "bob@wax.example", "cyd@wax.example", "dan@far.example", "eve@far.example"];
/// The fourth looks like the third.
const NICKS: [&str; 5] = ["ann", "bob", "cyd", "Cyd", "dan"];
/// Which fields of the configuration change.
const FIELDS: [&str; 3] = ["membersonly", "moderatedroom", "whois"];
const USER: &str = "http://jabber.org/protocol/muc#user";

/// Somebody who is in the room.
#[derive(Clone, Debug)]
struct Occupant {
    person: usize,
    role: &'static str,
    /// The last of them is the one that spoke last: what it shows is shown.
    sessions: Vec<usize>,
    seen: SeenBy,
}

/// Who of the others sees an occupant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SeenBy {
    Nobody,
    Early,
    All,
}

/// What the document says that the room is.
#[derive(Clone, Debug)]
struct Model {
    affiliations: [&'static str; 5],
    /// What role somebody has when he comes again, if not that of his affiliation.
    voices: [Option<&'static str>; 5],
    occupants: BTreeMap<String, Occupant>,
    /// So many see each other.
    shown_max: usize,
    /// Who has come when there were more, and sees moderators alone.
    is_late: [bool; 7],
    /// Which session shows that it is away.
    shows_away: [bool; 7],
    is_for_members: bool,
    is_moderated: bool,
    is_open: bool,
}

/// What a session has been told.
#[derive(Clone, Debug, Default)]
struct Client {
    /// Its nick, when it is in.
    nick: Option<String>,
    /// Who else is, with affiliation and role, and whether it shows that it is away.
    seen: BTreeMap<String, (String, String, bool)>,
    /// What it heard said since the last look.
    said: Vec<String>,
    /// It has no stream.
    is_away: bool,
    /// What it was told that had been said before, since it came back.
    retold: Vec<String>,
    /// What was said since it has no stream, if that is known.
    missed: Option<Vec<String>>,
    /// The number of what it heard last.
    last: u32,
}

/// What is being done.
enum Deed {
    Enter(usize, &'static str),
    Shows(usize),
    Leave(usize),
    Rename(usize, &'static str),
    Say(usize, u32),
    Whisper(usize, &'static str, u32),
    Role(usize, &'static str, &'static str),
    Affiliation(usize, usize, &'static str),
    Configure(usize, &'static str, bool),
}

/// A room, its model, and what each client knows.
pub struct Walk {
    house: House,
    model: Model,
    clients: [Client; 7],
    words: u32,
    /// What was done last.
    trail: Vec<String>,
    /// So many deeds were allowed, and refused.
    pub done: usize,
    pub refused: usize,
}

impl Model {
    fn seat(&self, session: usize) -> Option<(&String, &Occupant)> {
        self.occupants.iter().find(|(_, occupant)| occupant.sessions.contains(&session))
    }

    fn rank(&self, session: usize) -> document::Rank {
        let role = self.seat(session).map_or("none", |(_, occupant)| occupant.role);
        (self.affiliations[SESSIONS[session].1], role)
    }

    /// §7.2.8: whether a nick is somebody else's, or looks like it.
    fn is_taken(&self, nick: &str, person: usize) -> bool {
        let is_like = |other: &str| other.to_lowercase() == nick.to_lowercase();
        self.occupants.iter().any(|(other, one)| is_like(other) && one.person != person)
    }

    fn rise(&mut self, session: usize) {
        for occupant in self.occupants.values_mut() {
            occupant.sessions.retain(|one| *one != session);
        }
        self.occupants.retain(|_, occupant| !occupant.sessions.is_empty());
    }

    /// Whoever has the name next is nobody.
    fn departs(&mut self, person: usize) {
        (0..SESSIONS.len()).filter(|one| SESSIONS[*one].1 == person).for_each(|one| self.rise(one));
        self.voices[person] = None;
        if self.affiliations[person] != "outcast" {
            self.affiliations[person] = "none";
        }
    }

    fn sit(&mut self, session: usize, nick: &str, role: &'static str, seen: SeenBy) {
        let person = SESSIONS[session].1;
        let new = || Occupant { person, role, sessions: Vec::new(), seen };
        let occupant = self.occupants.entry(nick.into()).or_insert_with(new);
        occupant.sessions.push(session);
        self.is_late[session] &= occupant.role != "moderator";
        self.shows_away[session] = false;
    }

    /// It shows this from now on, and is the one that spoke last.
    fn shows(&mut self, session: usize, is_away: bool) {
        let nick = self.seat(session).map(|(nick, _)| nick.clone());
        let Some(occupant) = nick.and_then(|nick| self.occupants.get_mut(&nick)) else { return };
        occupant.sessions.retain(|one| *one != session);
        occupant.sessions.push(session);
        self.shows_away[session] = is_away;
    }

    fn are_many(&self) -> bool {
        self.occupants.len() >= self.shown_max
    }

    fn seen_as(&self, role: &str) -> SeenBy {
        match role {
            "moderator" => SeenBy::All,
            _ if self.are_many() => SeenBy::Nobody,
            _ => SeenBy::Early,
        }
    }

    /// Who was seen stays so; a moderator is seen by all, and sees all who are seen by any.
    fn gets_role(&mut self, nick: &str, role: &'static str) {
        let seen = self.seen_as(role);
        let occupant = self.occupants.get_mut(nick).expect("an occupant");
        if occupant.role == role {
            return;
        }
        (occupant.role, occupant.seen) = (role, occupant.seen.max(seen));
        for session in &occupant.sessions {
            self.is_late[*session] &= role != "moderator";
        }
    }

    /// Whether a session sees who has this nick.
    fn sees(&self, session: usize, nick: &str) -> bool {
        let least = if self.is_late[session] { SeenBy::All } else { SeenBy::Early };
        let other = self.occupants.get(nick);
        other.is_some_and(|other| other.sessions.contains(&session) || other.seen >= least)
    }

    /// Whether it may be done, and what is then.
    fn does(&mut self, deed: &Deed) -> Result<(), &'static str> {
        match *deed {
            Deed::Enter(session, nick) => self.enters(session, nick),
            Deed::Rename(session, nick) => match self.seat(session) {
                Some(_) if self.is_taken(nick, SESSIONS[session].1) => Err("conflict"),
                Some(_) => {
                    self.moves(session, nick);
                    Ok(())
                }
                None => Ok(()),
            },
            Deed::Shows(session) => {
                self.shows(session, true);
                Ok(())
            }
            Deed::Leave(session) => {
                self.rise(session);
                Ok(())
            }
            Deed::Say(session, _) => match self.rank(session).1 {
                "none" => Err("not-acceptable"),
                "visitor" => Err("forbidden"),
                _ => Ok(()),
            },
            Deed::Whisper(session, nick, _) => match self.seat(session) {
                None => Err("not-acceptable"),
                Some(_) if !self.occupants.contains_key(nick) => Err("item-not-found"),
                Some(_) => Ok(()),
            },
            Deed::Role(session, nick, to) => {
                let of = self.occupants.get(nick);
                let of = of.map_or(("none", "none"), |of| (self.affiliations[of.person], of.role));
                document::role(self.rank(session), of, to)?;
                let person = self.occupants[nick].person;
                let at_first = self.role_at_first(person);
                match to {
                    "none" => drop(self.occupants.remove(nick)),
                    to => {
                        self.gets_role(nick, to);
                        let of_a_moderator = [to, at_first].contains(&"moderator");
                        let is_kept = self.is_moderated && to != at_first && !of_a_moderator;
                        self.voices[person] = is_kept.then_some(to);
                    }
                }
                Ok(())
            }
            Deed::Affiliation(session, person, to) => self.affiliates(session, person, to),
            Deed::Configure(session, field, is) => self.configures(session, field, is),
        }
    }

    fn enters(&mut self, session: usize, nick: &str) -> Result<(), &'static str> {
        let person = SESSIONS[session].1;
        if self.seat(session).is_some() {
            if self.is_taken(nick, person) {
                return Err("conflict");
            }
            self.moves(session, nick);
            self.is_late[session] &= self.are_many();
            return Ok(());
        }
        match self.affiliations[person] {
            "outcast" => return Err("forbidden"),
            "none" if self.is_for_members => return Err("registration-required"),
            _ if self.is_taken(nick, person) => return Err("conflict"),
            _ => {}
        }
        let role = self.voices[person].unwrap_or_else(|| self.role_at_first(person));
        let seen = self.seen_as(role);
        self.is_late[session] = self.are_many();
        self.sit(session, nick, role, seen);
        Ok(())
    }

    /// To another nick, with the role that it has.
    fn moves(&mut self, session: usize, nick: &str) {
        let Some((old, Occupant { role, seen, .. })) = self.seat(session) else { return };
        let (is_other, role, seen) = (old != nick, *role, *seen);
        if is_other {
            self.rise(session);
            self.sit(session, nick, role, seen);
        } else {
            self.shows(session, false);
        }
    }

    /// Those whom it concerns, by nick.
    fn nicks(&self, concerns: impl Fn(&Occupant) -> bool) -> Vec<String> {
        let nicks = self.occupants.iter().filter(|(_, one)| concerns(one));
        nicks.map(|(nick, _)| nick.clone()).collect()
    }

    fn role_at_first(&self, person: usize) -> &'static str {
        document::role_at_first(self.affiliations[person], self.is_moderated)
    }

    fn affiliates(
        &mut self,
        session: usize,
        person: usize,
        to: &'static str,
    ) -> Result<(), &'static str> {
        let (by, before) = (self.affiliations[SESSIONS[session].1], self.affiliations[person]);
        if !["admin", "owner"].contains(&by) {
            return Err("forbidden");
        }
        if SESSIONS[session].1 == person && to == "outcast" {
            return Err("conflict");
        }
        document::affiliation(by, before, to)?;
        self.affiliations[person] = to;
        let (is_moderated, is_for_members) = (self.is_moderated, self.is_for_members);
        let goes = to == "outcast" || is_for_members && to == "none";
        self.occupants.retain(|_, one| one.person != person || !goes);
        if before != to {
            self.voices[person] = None;
            for nick in self.nicks(|one| one.person == person) {
                let role = self.occupants[&nick].role;
                self.gets_role(&nick, document::role_after(before, to, role, is_moderated));
            }
        }
        Ok(())
    }

    fn configures(&mut self, session: usize, field: &str, is: bool) -> Result<(), &'static str> {
        if self.affiliations[SESSIONS[session].1] != "owner" {
            return Err("forbidden");
        }
        let affiliations = self.affiliations;
        let is_none = |one: &Occupant| affiliations[one.person] == "none";
        match field {
            "membersonly" => {
                self.is_for_members = is;
                self.occupants.retain(|_, one| !(is && is_none(one)));
            }
            "moderatedroom" if self.is_moderated != is => {
                self.is_moderated = is;
                if !is {
                    self.voices = [None; 5];
                }
                let (was, role) =
                    if is { ("participant", "visitor") } else { ("visitor", "participant") };
                for nick in self.nicks(|one| one.role == was && (!is || is_none(one))) {
                    self.gets_role(&nick, role);
                }
            }
            "whois" => self.is_open = is,
            _ => {}
        }
        Ok(())
    }
}

impl Deed {
    fn by(&self) -> usize {
        match *self {
            Self::Enter(by, _) | Self::Shows(by) | Self::Leave(by) => by,
            Self::Rename(by, _) | Self::Say(by, _) | Self::Whisper(by, ..) => by,
            Self::Role(by, ..) | Self::Affiliation(by, ..) | Self::Configure(by, ..) => by,
        }
    }

    fn xml(&self, own: &str) -> String {
        const ROOM: &str = crate::stage_room::ROOM;
        let admin = |item: String| {
            format!(
                "<iq type='set' id='a'><query xmlns='http://jabber.org/protocol/muc#admin'>{item}\
                 </query></iq>"
            )
        };
        match self {
            Self::Enter(_, nick) => format!(
                "<presence to='{ROOM}/{nick}'><x \
                 xmlns='http://jabber.org/protocol/muc'/></presence>"
            ),
            Self::Rename(_, nick) => format!("<presence to='{ROOM}/{nick}'/>"),
            Self::Shows(_) => format!("<presence to='{ROOM}/{own}'><show>away</show></presence>"),
            Self::Leave(_) => format!("<presence type='unavailable' to='{ROOM}/{own}'/>"),
            Self::Say(_, word) => {
                format!("<message type='groupchat' id='w{word}'><body>w{word}</body></message>")
            }
            Self::Whisper(_, nick, word) => format!(
                "<message type='chat' to='{ROOM}/{nick}' id='w{word}'><body>w{word}</body>\
                 </message>"
            ),
            Self::Role(_, nick, to) => admin(format!("<item nick='{nick}' role='{to}'/>")),
            Self::Affiliation(_, person, to) => {
                admin(format!("<item jid='{}' affiliation='{to}'/>", PEOPLE[*person]))
            }
            Self::Configure(_, field, is) => {
                let value = match (*field, is) {
                    ("whois", true) => "anyone",
                    ("whois", false) => "moderators",
                    (_, true) => "1",
                    (_, false) => "0",
                };
                format!(
                    "<iq type='set' id='c'><query xmlns='http://jabber.org/protocol/muc#owner'>\
                     <x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_{field}'>\
                     <value>{value}</value></field></x></query></iq>"
                )
            }
        }
    }
}

impl Client {
    /// It hears this.
    fn hears(&mut self, stanza: &Stanza) {
        let from = stanza.head.from.as_ref().expect("an address");
        let kind = stanza.head.type_str();
        // In private it may be written to until the room has asked who is there still: when the
        // store refused that it leaves, the room that is read anew has it from there.
        if stanza.kind() == Kind::Message && kind == "groupchat" {
            assert!(self.nick.is_some(), "who is out hears {}", stanza.to_text());
            let body = stanza.child(Name::new(ns::CLIENT, "body"));
            // What is told with a delay had been said before it came, or while it was away.
            let is_told_again = stanza.child(Name::new("urn:xmpp:delay", "delay")).is_some();
            let said = if is_told_again { &mut self.retold } else { &mut self.said };
            said.extend(body.map(|body| body.text().into_owned()));
        }
        let (Kind::Presence, Some(nick)) = (stanza.kind(), from.resource()) else { return };
        let Some(x) = stanza.child(Name::new(USER, "x")) else { return };
        let all: Vec<_> =
            stanza.children().filter(|child| child.is(Name::new(USER, "x"))).collect();
        assert_eq!(all.len(), 1, "§7.2.2: {}", stanza.to_text());
        let codes = x.children().filter(|child| child.local() == "status");
        let codes: Vec<_> =
            codes.filter_map(|one| one.attribute("code").map(|it| it.into_owned())).collect();
        let has = |code: &str| codes.iter().any(|one| one == code);
        let item = x.children().find(|child| child.local() == "item").expect("an item");
        let word = |name| item.attribute(name).unwrap_or_default().into_owned();
        match kind {
            "" => {
                let is_away = stanza.child(Name::new(ns::CLIENT, "show")).is_some();
                self.seen.insert(nick.into(), (word("affiliation"), word("role"), is_away));
                if has("110") {
                    self.nick = Some(nick.into());
                    // What was said before follows, if it comes in.
                    self.last = 0;
                }
            }
            "unavailable" if has("110") && !has("303") => {
                (self.nick, self.seen) = (None, BTreeMap::new());
            }
            "unavailable" => {
                assert!(has("303") || word("role") == "none", "§7.14: {}", stanza.to_text());
                self.seen.remove(nick);
            }
            _ => {}
        }
    }
}

/// The number of what is said to all.
fn number(stanza: &Stanza) -> Option<u32> {
    let to_all = Some(stanza).filter(|one| one.head.type_str() == "groupchat");
    let word = to_all?.child(Name::new(ns::CLIENT, "body"))?.text().into_owned();
    word.strip_prefix('w')?.parse().ok()
}

impl Walk {
    /// The room has just been made, and its owner is in it.
    pub fn begin(xeps: &'static [&'static Xep]) -> Self {
        let model = Model {
            affiliations: ["owner", "none", "none", "none", "none"],
            voices: [None; 5],
            occupants: BTreeMap::new(),
            shown_max: 1_000,
            is_late: [false; 7],
            shows_away: [false; 7],
            is_for_members: false,
            is_moderated: false,
            is_open: false,
        };
        let clients = <[Client; 7]>::default();
        let house = House::empty(xeps);
        let mut walk =
            Self { house, model, clients, words: 0, trail: Vec::new(), done: 0, refused: 0 };
        let config = Deed::Configure(0, "membersonly", false);
        walk.plays(&Deed::Enter(0, "ann"));
        walk.plays(&config);
        walk
    }

    /// One of the things that can happen; `choose` gives a number below another.
    pub fn step(&mut self, choose: &mut dyn FnMut(usize) -> usize) {
        let deed = self.choose(choose);
        match choose(40) {
            0 => self.restarts(choose),
            1 | 2 => self.is_late(deed, choose),
            3 => self.sees_so_many([1_000, 1_000, 2, 3][choose(4)]),
            4..7 => self.goes_away(choose(SESSIONS.len())),
            7 => self.comes_back(choose(SESSIONS.len())),
            8 => {
                self.departs(1 + choose(2));
                self.agrees();
            }
            _ => self.plays(&deed),
        }
    }

    /// The operator chooses how many see each other: nothing is another for who is there.
    fn sees_so_many(&mut self, shown_max: usize) {
        self.trail.push(format!("{shown_max} see each other"));
        self.house.settings.choose(&SHOWN_OCCUPANTS_MAX, Value::Number(shown_max as u64));
        self.model.shown_max = shown_max;
        self.agrees();
    }

    fn choose(&mut self, choose: &mut dyn FnMut(usize) -> usize) -> Deed {
        let (by, nick) = (choose(SESSIONS.len()), NICKS[choose(NICKS.len())]);
        self.words += 1;
        match choose(15) {
            0..3 => Deed::Enter(by, nick),
            3 => Deed::Leave(by),
            4 => Deed::Rename(by, nick),
            5 => Deed::Shows(by),
            6..8 => Deed::Say(by, self.words),
            8..10 => Deed::Role(by, nick, document::ROLES[choose(4)]),
            10..12 => {
                // The founder remains what it is.
                Deed::Affiliation(by, 1 + choose(4), document::AFFILIATIONS[choose(5)])
            }
            12 => Deed::Configure(choose(2), FIELDS[choose(3)], choose(3) == 0),
            _ => Deed::Whisper(by, nick, self.words),
        }
    }

    /// It is done, and all is as the model says.
    fn plays(&mut self, deed: &Deed) {
        self.comes_back(deed.by());
        let before = self.model.clone();
        let heard = self.says(deed);
        let outcome = self.model.does(deed);
        match outcome {
            Ok(()) => self.done += 1,
            Err(_) => self.refused += 1,
        }
        self.is_answered(deed, &before, outcome, &heard);
        self.names_whom_it_may(&before, &heard);
        self.shows_whom_it_may(&before, &heard);
        self.hear(&heard);
        let said = match (deed, outcome) {
            (Deed::Say(_, word), Ok(())) => vec![format!("w{word}")],
            _ => Vec::new(),
        };
        for (session, client) in self.clients.iter_mut().enumerate() {
            let is_in = self.model.seat(session).is_some();
            let wanted = if is_in && !client.is_away { &said[..] } else { &[] };
            if let Some(missed) = client.missed.as_mut().filter(|_| is_in) {
                missed.extend(said.iter().cloned());
            }
            let heard = std::mem::take(&mut client.said);
            let trail = &self.trail[self.trail.len().saturating_sub(20)..];
            assert_eq!(heard, wanted, "{} after {trail:#?}", SESSIONS[session].0);
        }
        self.agrees();
    }

    fn says(&mut self, deed: &Deed) -> Vec<Stanza> {
        let by = deed.by();
        let own = self.model.seat(by).map_or("nobody", |(nick, _)| nick).to_owned();
        let xml = deed.xml(&own);
        self.trail.push(format!("{} says {xml}", SESSIONS[by].0));
        self.house.unix_ms += 1;
        self.house.says(SESSIONS[by].0, &xml)
    }

    fn hear(&mut self, heard: &[Stanza]) {
        for stanza in heard {
            let to = stanza.head.to.as_ref().map(Jid::as_str);
            let session = SESSIONS.iter().position(|(jid, _)| Some(*jid) == to);
            if let Some(session) = session {
                self.in_order(session, stanza);
                self.clients[session].hears(stanza);
            }
        }
    }

    /// What is said to all everybody hears in the order in which it was.
    fn in_order(&mut self, session: usize, stanza: &Stanza) {
        let Some(number) = number(stanza) else { return };
        let last = std::mem::replace(&mut self.clients[session].last, number);
        let (jid, _) = SESSIONS[session];
        assert!(number > last, "{jid} hears w{number} behind w{last} after {:#?}", self.last());
    }

    /// The account of somebody of this server's is removed, and made anew.
    fn departs(&mut self, person: usize) {
        let who = PEOPLE[person];
        self.trail.push(format!("{who} is removed"));
        let before = self.model.clone();
        self.house.removes(who);
        let heard = self.house.departs(who);
        self.model.departs(person);
        for (session, client) in self.clients.iter_mut().enumerate() {
            if SESSIONS[session].1 == person {
                (client.is_away, client.missed) = (false, None);
            }
        }
        self.names_whom_it_may(&before, &heard);
        self.shows_whom_it_may(&before, &heard);
        self.hear(&heard);
    }

    /// A session of this server's loses its stream.
    fn goes_away(&mut self, session: usize) {
        let (jid, _) = SESSIONS[session];
        if jid.contains("@wax.") && !self.clients[session].is_away {
            self.trail.push(format!("{jid} goes away"));
            let heard = self.house.goes_away(jid);
            assert!(heard.is_empty(), "{heard:?}");
            let client = &mut self.clients[session];
            (client.is_away, client.missed) = (true, Some(Vec::new()));
        }
    }

    /// Its client comes back, and is told all that it has missed.
    fn comes_back(&mut self, session: usize) {
        if !std::mem::take(&mut self.clients[session].is_away) {
            return;
        }
        let (jid, _) = SESSIONS[session];
        self.trail.push(format!("{jid} comes back"));
        self.clients[session].retold.clear();
        let heard = self.house.comes_back(jid);
        self.hear(&heard);
        let client = &mut self.clients[session];
        let retold = std::mem::take(&mut client.retold);
        let is_in = self.model.seat(session).is_some();
        // Who was put out meanwhile is told that alone.
        if let Some(missed) = client.missed.take().filter(|_| is_in) {
            assert_eq!(retold, missed, "{jid} after {:#?}", self.last());
        }
        self.agrees();
    }

    /// Who asks is answered once, as the document says.
    fn is_answered(
        &self,
        deed: &Deed,
        before: &Model,
        outcome: Result<(), &str>,
        heard: &[Stanza],
    ) {
        let by = SESSIONS[deed.by()].0;
        let to_it =
            heard.iter().filter(|one| one.head.to.as_ref().is_some_and(|to| to.as_str() == by));
        let errors: Vec<_> = to_it.filter(|one| one.head.type_str() == "error").collect();
        let is_presence = matches!(deed, Deed::Shows(_) | Deed::Rename(..));
        let was_out = before.seat(deed.by()).is_none();
        let case = || format!("{} {} {before:?} {heard:?}", by, deed.xml("own"));
        match outcome {
            _ if is_presence && was_out => {
                // §7.2.18: whoever believes that it is in is told that it is not.
                let text = heard.first().map(|one| one.to_text()).unwrap_or_default();
                assert!(text.contains("'333'") && text.contains("'307'"), "{}", case());
            }
            Ok(()) => assert!(errors.is_empty(), "{}", case()),
            Err(condition) => {
                assert_eq!(heard.len(), 1, "{}", case());
                assert_eq!(errors.len(), 1, "{}", case());
                assert!(errors[0].to_text().contains(condition), "{condition}: {}", case());
            }
        }
    }

    /// §7.2.4: an address is told to whom it may be told, and to whose it is.
    fn names_whom_it_may(&self, before: &Model, heard: &[Stanza]) {
        for stanza in heard {
            let Some(to) = stanza.head.to.as_ref().map(Jid::as_str) else { continue };
            let Some(session) = SESSIONS.iter().position(|(jid, _)| *jid == to) else { continue };
            let person = SESSIONS[session].1;
            // §8.4: what was asked for, and may not be done, is told to who asked for it.
            if stanza.kind() == Kind::Iq && stanza.head.type_str() == "error" {
                continue;
            }
            let may = [before, &self.model]
                .iter()
                .any(|model| model.is_open || model.rank(session).1 == "moderator");
            let mut told = stanza.clone();
            told.head.to = None;
            let text = told.to_text();
            let names = |other: usize| other != person && text.contains(PEOPLE[other]);
            assert!(may || !(0..PEOPLE.len()).any(names), "{to} is told {text}");
        }
    }

    /// Who sees moderators alone is told of nobody else, be it that they go.
    fn shows_whom_it_may(&self, before: &Model, heard: &[Stanza]) {
        let shown = heard.iter().filter(|one| one.kind() == Kind::Presence);
        for stanza in shown.filter(|one| one.head.type_str() != "error") {
            let Head { from: Some(from), to: Some(to), .. } = &*stanza.head else { continue };
            let session = SESSIONS.iter().position(|(jid, _)| *jid == to.as_str());
            let (Some(session), Some(nick)) = (session, from.resource()) else { continue };
            let sees = [before, &self.model].iter().any(|model| model.sees(session, nick));
            let is_own = stanza.to_text().contains("code='110'");
            assert!(sees || is_own, "{} after {:#?}", stanza.to_text(), self.last());
        }
    }

    fn last(&self) -> &[String] {
        &self.trail[self.trail.len().saturating_sub(20)..]
    }

    /// Every client sees what is.
    fn agrees(&self) {
        let Model { occupants, affiliations, .. } = &self.model;
        let there = self.clients.iter().enumerate().filter(|(_, client)| !client.is_away);
        for (session, client) in there {
            let name = SESSIONS[session].0;
            let seen = occupants.iter().filter(|(nick, _)| self.model.sees(session, nick));
            let as_shown = |(nick, one): (&String, &Occupant)| {
                let is_away = one.sessions.last().is_some_and(|one| self.model.shows_away[*one]);
                (nick.clone(), (affiliations[one.person].into(), one.role.into(), is_away))
            };
            let all: BTreeMap<String, (String, String, bool)> = seen.map(as_shown).collect();
            match self.model.seat(session) {
                Some((nick, _)) => {
                    assert_eq!(client.nick.as_ref(), Some(nick), "{name} after {:#?}", self.last());
                    assert_eq!(client.seen, all, "{name} after {:#?}", self.last());
                }
                None => {
                    let is_out = client.nick.is_none() && client.seen.is_empty();
                    assert!(is_out, "{name}: {client:?} after {:#?}", self.last());
                }
            }
        }
    }

    /// The process ends; some sessions do not come back.
    fn restarts(&mut self, choose: &mut dyn FnMut(usize) -> usize) {
        let lost: Vec<usize> = (0..SESSIONS.len()).filter(|_| choose(5) == 0).collect();
        let gone: Vec<Jid> =
            lost.iter().map(|one| Jid::parse(SESSIONS[*one].0).expect("an address")).collect();
        self.trail.push(format!("a restart without {gone:?}"));
        let heard = match self.choose_first(&lost, choose) {
            Some(first) => {
                self.house.ends(&gone);
                let mut heard = self.says(&first);
                let _ = self.model.does(&first);
                heard.extend(self.house.all_come_back());
                heard
            }
            None => self.house.restarts(&gone),
        };
        for client in &mut self.clients {
            (client.is_away, client.missed) = (false, None);
        }
        self.hear(&heard);
        for session in lost {
            self.model.rise(session);
            self.clients[session] = Client::default();
        }
        self.agrees();
    }

    /// What is said to the room before it has asked who is there still, if anything is: by one of
    /// this server who is.
    fn choose_first(&self, lost: &[usize], choose: &mut dyn FnMut(usize) -> usize) -> Option<Deed> {
        let (by, nick) = (choose(SESSIONS.len()), NICKS[choose(NICKS.len())]);
        let is_ours = SESSIONS[by].0.contains("@wax.") && !lost.contains(&by);
        self.model.seat(by).filter(|_| is_ours)?;
        match choose(3) {
            0 => Some(Deed::Shows(by)),
            1 => Some(Deed::Rename(by, nick)),
            _ => None,
        }
    }

    /// The store is late: several things are asked before anything is done. All are told the same
    /// in the same order; when all is done, what each sees is what the model says, unless the store
    /// has refused something.
    fn is_late(&mut self, first: Deed, choose: &mut dyn FnMut(usize) -> usize) {
        self.house.late = true;
        self.trail.push("the store is late".into());
        let fails = choose(3) == 0;
        let mut has_failed = false;
        let mut deed = Some(first);
        for _ in 0..2 + choose(6) {
            let next = deed.take().unwrap_or_else(|| self.choose(choose));
            if self.clients[next.by()].is_away {
                continue;
            }
            let heard = self.says(&next);
            self.hear(&heard);
            let _ = self.model.does(&next);
            if choose(12) == 0 {
                self.departs(1 + choose(2));
            }
            for _ in 0..choose(3) {
                has_failed |= self.goes_on(fails && !has_failed && choose(4) == 0);
            }
        }
        while self.house.waits() > 0 {
            has_failed |= self.goes_on(fails && !has_failed && choose(4) == 0);
        }
        self.house.late = false;
        self.clients.iter_mut().for_each(|client| client.missed = None);
        self.hear_the_same();
        match has_failed {
            true => self.find_out(),
            false => self.agrees(),
        }
    }

    fn goes_on(&mut self, fails: bool) -> bool {
        let outcome = if fails { Err(Fault::Refused("full".into())) } else { Ok(()) };
        self.trail.push(format!("the store does it: {outcome:?}"));
        let heard = self.house.goes_on(outcome);
        self.hear(&heard);
        fails
    }

    /// What two have both heard they have heard in one order.
    fn hear_the_same(&mut self) {
        let said: Vec<_> =
            self.clients.iter_mut().map(|one| std::mem::take(&mut one.said)).collect();
        for one in &said {
            for other in &said {
                let common = |of: &[String], in_: &[String]| -> Vec<String> {
                    of.iter().filter(|word| in_.contains(word)).cloned().collect()
                };
                assert_eq!(common(one, other), common(other, one));
            }
        }
    }

    /// What the room is after the store has refused something, it says itself; and everybody knows
    /// whether it is in (XEP-0410).
    fn find_out(&mut self) {
        let heard = self.house.wakes();
        self.hear(&heard);
        for (session, (jid, _)) in SESSIONS.into_iter().enumerate() {
            if std::mem::take(&mut self.clients[session].is_away) {
                let heard = self.house.comes_back(jid);
                self.hear(&heard);
            }
        }
        for (session, (jid, _)) in SESSIONS.into_iter().enumerate() {
            let nick = self.clients[session].nick.clone();
            let own = nick.clone().unwrap_or_else(|| "ann".into());
            let ping = format!(
                "<iq type='get' id='p' to='{}/{own}'><ping xmlns='urn:xmpp:ping'/></iq>",
                crate::stage_room::ROOM
            );
            let heard = self.house.says(jid, &ping);
            let answer = heard.iter().find(|one| one.head.id.as_deref() == Some("p"));
            let is_in = answer.is_some_and(|one| one.head.type_str() == "result");
            assert_eq!(is_in, nick.is_some(), "{jid} after {:#?}", self.last());
            self.hear(&heard);
            if is_in {
                let leave = Deed::Leave(session);
                let heard = self.says(&leave);
                self.hear(&heard);
            }
        }
        self.model.occupants.clear();
        let form = self.house.says(
            SESSIONS[0].0,
            "<iq type='get' id='f'><query xmlns='http://jabber.org/protocol/muc#owner'/></iq>",
        );
        let form = form.first().map(|form| form.to_text().to_string()).unwrap_or_default();
        let value = |field: &str| {
            let from = form.find(&format!("muc#roomconfig_{field}'")).expect("a field");
            let end = form[from..].find("</field>").map_or(form.len(), |end| from + end);
            // Options have values, too; the field's own are behind them.
            let field = &form[from..end];
            let own = field.rfind("</option>").unwrap_or_default();
            field[own..]
                .split_once("<value>")
                .and_then(|(_, rest)| rest.split_once('<'))
                .map(|it| it.0.to_owned())
        };
        self.model.is_for_members = value("membersonly").as_deref() == Some("1");
        self.model.is_moderated = value("moderatedroom").as_deref() == Some("1");
        self.model.is_open = value("whois").as_deref() == Some("anyone");
        for (voice, person) in self.model.voices.iter_mut().zip(PEOPLE) {
            let room = Bare::parse(crate::stage_room::ROOM).expect("an address");
            let kept = self.house.cells.get(&("room", room, format!("role/{person}")));
            *voice = kept.map(|role| match &role[..] {
                b"visitor" => "visitor",
                _ => "participant",
            });
        }
        self.model.affiliations = ["none"; 5];
        for affiliation in document::AFFILIATIONS {
            let list = self.house.says(
                SESSIONS[0].0,
                &format!(
                    "<iq type='get' id='l'><query xmlns='http://jabber.org/protocol/muc#admin'>\
                 <item affiliation='{affiliation}'/></query></iq>"
                ),
            );
            let list = list.first().map(|list| list.to_text().to_string()).unwrap_or_default();
            for (person, jid) in PEOPLE.iter().enumerate() {
                if list.contains(&format!("jid='{jid}'")) {
                    self.model.affiliations[person] = affiliation;
                }
            }
        }
        self.agrees();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of all walks together.
    const STEPS: usize = 100_000;
    const STEPS_OF_ONE: usize = 2_000;

    #[test]
    fn whoever_walks_through_a_room_sees_what_is_there() {
        let (mut done, mut refused) = (0, 0);
        for seed in 1..=STEPS / STEPS_OF_ONE {
            let mut dice = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed as u64);
            let mut choose = |below: usize| {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                usize::try_from((dice >> 33) % below as u64).unwrap()
            };
            let mut walk = Walk::begin(crate::ALL);
            (0..STEPS_OF_ONE).for_each(|_| walk.step(&mut choose));
            (done, refused) = (done + walk.done, refused + walk.refused);
        }
        assert!(done > STEPS / 4 && refused > STEPS / 8, "{done} done, {refused} refused");
    }
}
