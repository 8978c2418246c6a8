//! A room (XEP-0045): its state, its verb, and how what it decided gets out.

pub use super::reply::{give_half, refuse_asker, send};
use super::{
    attends::Missing,
    config::Config,
    ends::Ends,
    ghosts::Asks,
    greet::{self, Lately},
    line::{Asker, Effect, Line, Step},
    members::Members,
    occupants::{self, Occupants, Seat, SeenBy},
    rank::{Affiliation, Rank, Role},
    removed::Removed,
    requests::Requests,
    show::{Audience, Show, Word},
    subject::Subject,
    telling::Slices,
    visits::Visits,
    whisper::Whispered,
    xep_0317_hats::Hats,
    xep_0333_markers::{MARKS, Marks},
    xep_0421_occupant_id as occupant_id, xep_0486_avatar as avatar,
    xep_0500_slow_mode::Spoke,
};
use engine::{
    account::{Input, Output},
    ctx::{Ctx, Moment},
    port::Loaded,
    unit::{Change, Pos},
    wire::*,
};
use std::collections::{BTreeMap, BTreeSet};

pub use engine::unit::ROOM;

/// What a room weighs that nobody is in, in bytes.
const ROOM_BYTES: usize = 1024;

/// A room at its home.
#[derive(Debug)]
pub struct Room {
    pub jid: Bare,
    /// Whether the store has it.
    pub is_made: bool,
    /// Nobody may enter before its owner has configured it (§10.1.1).
    pub is_locked: bool,
    pub config: Config,
    pub members: Members,
    pub occupants: Occupants,
    /// Who was shown lately, and who has left.
    pub lately: Lately,
    /// Who was removed lately.
    pub removed: Removed,
    /// What role somebody had on the last visit.
    pub visits: Visits,
    pub subject: Subject,
    pub whispered: Whispered,
    /// The hashes of its pictures (XEP-0486).
    pub avatar: Vec<String>,
    /// Who wears which hat (XEP-0317).
    pub hats: Hats,
    /// Up to where its members have read (XEP-0333).
    pub marks: Marks,
    /// Who spoke last when (XEP-0500).
    pub spoke: Spoke,
    pub line: Line,
    /// Since which step everybody sees addresses, if they do.
    pub open_since: u64,
    /// The last number of a step.
    pub number: u64,
    /// Everything that its log has up to here has been told.
    pub released: Pos,
    /// Requests that the store is read for.
    pub asked: BTreeMap<u64, Stanza>,
    /// What is being told to many.
    pub slices: Slices,
    /// Who is being told what it has missed.
    pub catches_up: Option<Missing>,
    /// It is about to end.
    pub ends: Option<Ends>,
    /// The log could not be read for who comes back: when it is read again.
    pub reads_again: Option<Moment>,
    /// Sessions that sat when the process began, by number: whether they are there still.
    pub unsure: BTreeSet<u64>,
    /// When those of them are asked again that have not answered.
    pub asks: Option<Asks>,
    /// Sessions that the store has under a nick that is another's, or twice, as can be after it has
    /// refused something.
    pub unseated: Vec<(Text, Seat)>,
    /// Who waits for an answer whether it becomes a member.
    pub requests: Requests,
    /// Its place among the rooms of who made it.
    pub place: Option<String>,
    /// How many are here, as its service knows.
    pub counted: usize,
    /// What it holds is not what the store has: it is read anew once nothing waits for it.
    pub departs: bool,
    /// It has been asked nothing since it was loaded.
    is_new: bool,
}

/// One call: what is told, and what is caused.
pub struct Turn<'a, 'c> {
    pub ctx: &'a Ctx<'c>,
    pub out: &'a mut Vec<Output>,
    /// How many effects have been decided, which happen later.
    pub decided: usize,
}

impl Room {
    /// As it was loaded; without anything: nobody has made it yet.
    pub fn load(jid: Bare, loaded: Option<Loaded>, ctx: &Ctx<'_>) -> Self {
        let is_made = loaded.is_some();
        let last = loaded.as_ref().map_or_else(Pos::default, |loaded| loaded.last);
        let (members, occupants, subject, whispered, line) = <_>::default();
        let (asked, unsure, avatar, spoke, catches_up) = <_>::default();
        let (lately, visits, reads_again, asks) = <_>::default();
        let mut room = Self {
            jid,
            is_made,
            is_locked: false,
            config: Config::default(),
            members,
            occupants,
            lately,
            removed: Removed::default(),
            visits,
            subject,
            whispered,
            avatar,
            marks: Marks::default(),
            spoke,
            line,
            open_since: 0,
            number: 0,
            released: Pos::before(ctx.unix_ms).max(last),
            asked,
            slices: Slices::default(),
            catches_up,
            ends: None,
            reads_again,
            unsure,
            asks,
            unseated: Vec::new(),
            place: None,
            counted: 0,
            hats: Hats::default(),
            requests: Requests::default(),
            departs: false,
            is_new: true,
        };
        for (table, key, value) in loaded.map(|loaded| loaded.cells).unwrap_or_default() {
            room.take_in(&table, &key, &value, ctx);
        }
        room.occupants.order();
        room.counted = room.occupants.len();
        room
    }

    fn take_in(&mut self, table: &str, key: &str, value: &[u8], ctx: &Ctx<'_>) {
        let text = || std::str::from_utf8(value).ok();
        if table == super::members::AFFILIATIONS.name() {
            self.members.load(key, value);
        } else if table == greet::LEFT.name() {
            self.lately.load(key, value);
        } else if table == MARKS.name() {
            self.marks.load(key, value);
        } else if table == engine::unit::OCCUPANTS.name() {
            if let Some((nick, role, seat)) = occupants::load(key, value) {
                self.number = self.number.max(seat.since);
                self.unsure.insert(seat.since);
                // Who is of another server has a stream of its own.
                let is_away = ctx.settings.hosts(seat.jid.domain());
                self.lately.shown(seat.shown_ms);
                let seat = Seat { voice: ctx.number(), is_away, is_blind: is_away, ..seat };
                if let Some((nick, _, old, _)) = self.occupants.rise(&seat.jid) {
                    self.unseated.push((nick, old));
                }
                match self.occupants.get(&nick).is_some_and(|one| one.who != seat.jid.bare()) {
                    true => self.unseated.push((nick, seat)),
                    false => self.occupants.sit(nick, role, seat),
                }
            }
        } else if table == ROOM.name() {
            match key {
                "config" => {
                    let config = text().and_then(Config::load);
                    self.config = config.unwrap_or_else(Config::closed);
                }
                "subject" => self.subject = text().and_then(Subject::load).unwrap_or_default(),
                "locked" => self.is_locked = true,
                greet::ENDS => self.lately.load_ends(text().unwrap_or_default()),
                super::making::PLACE => self.place = text().map(String::from),
                avatar::HASHES => {
                    let hashes = text().unwrap_or_default().split(' ');
                    self.avatar = hashes.map(String::from).collect();
                }
                _ if self.visits.load(key, value) || self.requests.load(key, value) => {}
                _ => self.hats.load(key, text().unwrap_or_default()),
            }
        }
    }

    /// Who it is that asks.
    pub fn rank(&self, jid: &Jid) -> Rank {
        let role = self.occupants.by(jid).map_or(Role::None, |(_, occupant)| occupant.role);
        Rank { affiliation: self.members.of(&jid.bare()), role }
    }

    /// Whether who has this role sees addresses (§7.2.3, §7.2.4).
    pub fn shows_addresses_to(&self, role: Role) -> bool {
        self.config.is_non_anonymous || role == Role::Moderator
    }

    /// As what somebody rules: in each room an administrator of the server may do what owners may,
    /// so that one whose owners are no more is not lost. It enters, and is shown, as what it is.
    pub fn ruler(&self, jid: &Jid, ctx: &Ctx<'_>) -> Rank {
        let rank = self.rank(jid);
        match ctx.settings.admins.contains(&jid.bare()) {
            true => Rank { affiliation: Affiliation::Owner, ..rank },
            false => rank,
        }
    }

    /// The address of an occupant.
    pub fn occupant(&self, nick: &str) -> Jid {
        // A nick was a resource when it came in.
        self.jid.with_resource(nick).unwrap_or_else(|_| self.jid.clone().into())
    }

    /// A step that begins now.
    pub fn step(&mut self, asker: Asker) -> Step {
        self.number += 1;
        Step { number: self.number, asker, ..Step::default() }
    }

    /// What an occupant shows.
    pub fn show(&self, nick: &str, ctx: &Ctx<'_>) -> Option<Show> {
        let occupant = self.occupants.get(nick)?;
        let jid = occupant.seats.last()?.jid.clone();
        Some(Show {
            from: self.occupant(nick),
            shown: occupant.shown().clone(),
            is_gone: false,
            affiliation: self.members.of(&occupant.who),
            role: occupant.role,
            id: occupant_id::of(&self.jid, &occupant.who, ctx),
            jid,
            own: occupant.seats.iter().map(|seat| seat.jid.clone()).collect(),
            word: Word::default(),
            statuses: Vec::new(),
            own_statuses: Vec::new(),
            audience: match occupant.seen() {
                SeenBy::Itself => Audience::Own,
                SeenBy::Most | SeenBy::All => Audience::Everybody,
            },
            seen: occupant.seen(),
            destroyed: None,
            hats: self.hats.shown(&occupant.who),
            stanza_id: None,
        })
    }

    /// A session rises from its nick, by a stanza of this id if it said so itself; what is shown of
    /// that: to itself alone, when others of the same nick are there still.
    pub fn rise(
        &mut self,
        jid: &Jid,
        id: Option<Text>,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Option<Show> {
        let nick = self.occupants.nick_of(jid)?.clone();
        let mut show = self.show(&nick, ctx)?;
        show.stanza_id = id;
        let (.., seat, is_last) = self.occupants.rise(jid)?;
        step.rise(&self.jid, seat.since);
        self.unsure.remove(&seat.since);
        (show.is_gone, show.jid, show.role) = (true, jid.clone(), Role::None);
        show.own = vec![jid.clone()];
        if !is_last {
            show.audience = Audience::Own;
        }
        Some(show)
    }

    /// How a session sits is written as it is now.
    pub fn keep_seat(&self, session: &Jid, step: &mut Step) {
        let seat = self.occupants.by(session).and_then(|(nick, occupant)| {
            let seat = occupant.seat(session)?;
            Some(occupants::kept(&self.jid, nick, occupant.role, seat))
        });
        seat.into_iter().for_each(|kept| step.write(kept));
    }

    /// The asker is told that it is done.
    pub fn settle(step: &mut Step) {
        if let Asker::Owed(owed) = &step.asker {
            step.effects.push(Effect::Settle(owed.clone()));
        }
    }

    /// The cell of the configuration and all that begins with a room.
    pub fn keep_config(&self, step: &mut Step) {
        let (jid, config) = (self.jid.clone(), self.config.save());
        step.write(Change::Put(ROOM, jid, "config".into(), config.into_bytes()));
    }

    /// Whether everybody of that affiliation is there for good.
    pub fn has_another_owner(&self, than: &[&Bare]) -> bool {
        self.members.all(Affiliation::Owner).any(|(who, _)| !than.contains(&who))
    }
}

impl engine::room::Room for Room {
    fn handle(&mut self, ctx: &Ctx<'_>, input: Input, out: &mut Vec<Output>) {
        let mut turn = Turn { ctx, out, decided: 0 };
        if self.is_new {
            self.is_new = false;
            self.look_around(&mut turn);
        }
        // Behind what waits already.
        let input = match self.slices.held.is_empty() {
            true => self.hold_at_end(input, &mut turn),
            false => Some(input),
        };
        if let Some(input) = input {
            self.hears(input, &mut turn);
        }
        self.end_in_turn(&mut turn);
        self.ask_again(&mut turn);
        if !self.is_made && !self.departs && engine::room::Room::is_idle(self) {
            turn.out.push(Output::Leave(Vec::new()));
        }
    }

    fn knows(&self, account: &Bare) -> bool {
        self.has_anything_of(account)
    }

    fn is_idle(&self) -> bool {
        let is_still = self.line.is_empty() && self.whispered.is_empty() && self.asked.is_empty();
        let is_still = is_still && self.ends.is_none();
        let is_still = is_still && self.slices.is_empty() && !self.marks.are_awaited();
        let is_empty = self.occupants.is_empty() && self.marks.are_written();
        is_still && (is_empty || self.departs)
    }

    fn weight(&self) -> usize {
        let people = self.members.weight() + self.marks.weight() + self.occupants.weight();
        let people = people + self.lately.weight() + self.removed.weight();
        let people = people + self.visits.weight() + self.requests.weight();
        ROOM_BYTES + people + self.subject.weight() + self.hats.weight()
    }
}

impl Room {
    /// Something has come, and nothing is before it.
    pub fn hear(&mut self, input: Input, turn: &mut Turn<'_, '_>) {
        match input {
            // What it would say of that it does not know any more: it may be asked again.
            Input::Routed(stanza, owed) if self.departs => {
                let asker = owed.map_or(Asker::Sender(stanza), Asker::Owed);
                let error = StanzaError::new(ErrorType::Wait, StanzaCondition::ResourceConstraint);
                refuse_asker(asker, &error, turn.out);
            }
            Input::Routed(stanza, owed) => self.routed(stanza, owed, turn),
            Input::Attends(session, attends) => self.attends(session, attends, turn),
            Input::Departed(account) => self.departed(&account, turn),
            Input::Committed(ticket, outcome) => self.committed(ticket, outcome, turn),
            Input::Release(owed, outcome) => self.release(owed, outcome, turn),
            Input::Answered(number, replied) => self.answered(number, replied, turn),
            Input::Tick
            | Input::Note
            | Input::Said(..)
            | Input::Beside(..)
            | Input::Told(..)
            | Input::News(..)
            | Input::Missed(..)
            | Input::Half(..)
            | Input::Order(_)
            | Input::Revive(..)
            | Input::Seen(..) => {}
        }
    }
}
