//! Where the tests of rooms play: one room, its store (`stage_store.rs`), and the accounts of those
//! who are in it. The store commits at once, or when it is told to, or not.

// Said where it is: the fuzz target of rooms takes this file by its path.
#[path = "stage_room/process.rs"]
mod process;

use crate::stage_store::NOW;
use engine::{
    account::{Input, Output},
    ctx::{Ctx, Moment, Random},
    hearing::{Attends, News},
    hook::Xep,
    hooks::Hooks,
    parcel::{Owed, Parcel, Ticket},
    port::{Fault, Loaded},
    room::{Room, Service},
    settings::Settings,
    unit::{Committed, Entry, Pos, Unit},
    wire::*,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::atomic::{AtomicU64, Ordering},
};

pub const ROOM: &str = "garden@conference.wax.example";

/// Numbers are never the same.
#[derive(Default)]
struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
        if let Ok(number) = <&mut [u8; 8]>::try_from(bytes) {
            *number = (1 + self.0.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
        }
    }
}

type Cells = BTreeMap<(&'static str, Bare, String), Vec<u8>>;

/// A room, what the store has of it, and what the accounts of others know.
pub struct House {
    pub jid: Bare,
    /// `None`: it is not in memory.
    room: Option<Box<dyn Room>>,
    pub now: Moment,
    /// The Unix clock, in ms.
    pub unix_ms: u64,
    leaves: bool,
    hooks: Hooks,
    /// What the operator chose.
    pub settings: Settings,
    random: Counting,
    /// Whether the store has it.
    pub is_made: bool,
    pub cells: Cells,
    pub log: Vec<(Pos, Entry)>,
    /// Whether the store does things only when it is told to.
    pub late: bool,
    /// Whether nobody ever gives the half of a private message.
    pub slow: bool,
    commits: VecDeque<(Ticket, Unit)>,
    reads: VecDeque<(u64, Stanza)>,
    /// Where each session has sent its presence (RFC 6121 §4.6).
    directed: BTreeMap<Jid, BTreeSet<Jid>>,
    /// Who none of whose sessions hears it was told of a message.
    pub news: Vec<(Bare, News)>,
    /// The last that each session has heard of the room's log.
    heard: BTreeMap<Jid, Pos>,
    /// Whether messages come from other servers: nobody waits for them.
    pub is_foreign: bool,
    /// The client of this session is inactive: its account lets sleep what it is told.
    pub asleep: Option<Jid>,
    /// Whether accounts, and clients of other servers, do not answer what a room asks them.
    pub mute: bool,
    /// This session is not read yet when the process has begun, or its server cannot be reached: it
    /// says nothing of itself.
    pub unread: Option<Jid>,
    /// What the senders' accounts wait for.
    waiting: BTreeMap<Ticket, Stanza>,
    last: u64,
    /// So many of the messages have been taken.
    pub settled: usize,
    /// The most that the room has caused in one turn.
    pub caused_max: usize,
    /// The most that it has decided in one turn.
    pub decided_max: usize,
}

impl House {
    /// Nobody has made it yet.
    pub fn empty(xeps: &'static [&'static Xep]) -> Self {
        let domains = vec![Bare::host("wax.example").expect("a host")];
        let (hooks, mut settings) = (Hooks::of(xeps), Settings::of(domains, [7; 32]));
        settings.services = hooks.services(&settings);
        let jid = Bare::parse(ROOM).expect("an address");
        let (cells, log, commits, reads, directed) = <_>::default();
        let (news, heard, waiting, random) = <_>::default();
        Self {
            jid,
            room: None,
            now: Moment(0),
            unix_ms: NOW,
            leaves: false,
            hooks,
            settings,
            random,
            is_made: false,
            cells,
            log,
            late: false,
            slow: false,
            commits,
            reads,
            directed,
            news,
            heard,
            is_foreign: false,
            asleep: None,
            mute: false,
            unread: None,
            waiting,
            last: 0,
            settled: 0,
            caused_max: 0,
            decided_max: 0,
        }
    }

    /// A session says this. Returns all that leaves the room, and what the sender's account makes
    /// of its answer.
    pub fn says(&mut self, from: &str, xml: &str) -> Vec<Stanza> {
        let mut stanza = Stanza::parse_one(xml).expect("a stanza");
        stanza.head.from = Some(Jid::parse(from).expect("an address"));
        if stanza.head.to.is_none() {
            stanza.head.to = Some(self.jid.clone().into());
        }
        self.takes(stanza)
    }

    pub fn takes(&mut self, stanza: Stanza) -> Vec<Stanza> {
        let Head { from, to, .. } = &*stanza.head;
        let (Some(from), Some(to)) = (from.clone(), to.clone()) else { return Vec::new() };
        if stanza.kind() == Kind::Presence {
            match stanza.head.type_str() {
                "" => self.directed.entry(from).or_default().insert(to),
                "unavailable" => {
                    self.heard.remove(&from);
                    self.directed.entry(from).or_default().remove(&to)
                }
                _ => false,
            };
            return self.plays(Input::Routed(stanza, None));
        }
        let mut owed = None;
        if stanza.kind() == Kind::Message && !self.is_foreign {
            self.last += 1;
            owed = Some(Owed { sender: from.bare(), ticket: Ticket(self.last) });
            self.waiting.insert(Ticket(self.last), stanza.clone());
        }
        self.plays(Input::Routed(stanza, owed))
    }

    /// How much waits for the store.
    pub fn waits(&self) -> usize {
        self.commits.len() + self.reads.len()
    }

    /// Whether the room is in memory.
    pub fn is_loaded(&self) -> bool {
        self.room.is_some()
    }

    /// The store does what it was told first, or does not; what is to be read comes first.
    pub fn goes_on(&mut self, outcome: Result<(), Fault>) -> Vec<Stanza> {
        if let Some((number, asked)) = self.reads.pop_front() {
            let read = outcome.map_err(StanzaError::from).and_then(|()| self.read(&asked));
            return self.plays(Input::Answered(number, read));
        }
        let Some((ticket, unit)) = self.commits.pop_front() else { return Vec::new() };
        let outcome = outcome.and_then(|()| self.write(unit));
        self.plays(Input::Committed(ticket, outcome))
    }

    /// The store has done what it was told first, and before the room has told all of that, these
    /// come in.
    pub fn goes_on_among(&mut self, comers: Vec<Stanza>) -> Vec<Stanza> {
        let (ticket, unit) = self.commits.pop_front().expect("something to write");
        let committed = Input::Committed(ticket, self.write(unit));
        let comers = comers.into_iter().map(|comes| Input::Routed(comes, None));
        self.plays_all([committed].into_iter().chain(comers).collect())
    }

    /// A second passes. The room is loaded, if it is not there.
    pub fn wakes(&mut self) -> Vec<Stanza> {
        self.now = self.now.after(1_000);
        self.plays(Input::Tick)
    }

    /// This account is no more, and what it has said has come. The room hears of it, if it is in
    /// memory and has anything of it.
    pub fn departs(&mut self, who: &str) -> Vec<Stanza> {
        let who = Bare::parse(who).expect("an address");
        self.directed.retain(|session, _| !session.is_of(&who));
        self.heard.retain(|session, _| !session.is_of(&who));
        match self.room.as_ref().is_some_and(|room| room.knows(&who)) {
            true => self.plays(Input::Departed(who)),
            false => Vec::new(),
        }
    }

    /// A session has lost its stream.
    pub fn goes_away(&mut self, who: &str) -> Vec<Stanza> {
        self.plays(Input::Attends(Jid::parse(who).expect("an address"), Attends::Away))
    }

    /// It is there again.
    pub fn comes_back(&mut self, who: &str) -> Vec<Stanza> {
        let last = self.last_heard(who);
        self.asks_behind(who, last)
    }

    /// Where what stands that it was told last.
    pub fn last_heard(&self, who: &str) -> Option<Pos> {
        self.heard.get(&Jid::parse(who).expect("an address")).copied()
    }

    /// Its account has let sleep what it was told behind that place.
    pub fn asks_behind(&mut self, who: &str, last: Option<Pos>) -> Vec<Stanza> {
        let jid = Jid::parse(who).expect("an address");
        self.heard.extend(last.map(|last| (jid.clone(), last)));
        self.plays(Input::Attends(jid, Attends::Back(last)))
    }

    fn plays(&mut self, input: Input) -> Vec<Stanza> {
        self.plays_all([input].into())
    }

    fn plays_all(&mut self, mut inputs: VecDeque<Input>) -> Vec<Stanza> {
        let mut left = Vec::new();
        while let Some(input) = inputs.pop_front() {
            let mut out = Vec::new();
            let room = self.room.take();
            let unix_ms = self.unix_ms;
            let Self { now, random, settings, hooks, .. } = &*self;
            let ctx = Ctx { now: *now, unix_ms, random, settings, hooks };
            let mut room = room.unwrap_or_else(|| self.load(&ctx));
            room.handle(&ctx, input, &mut out);
            self.caused_max = self.caused_max.max(out.len());
            let decided = out.iter().filter(|output| matches!(output, Output::Commit(..)));
            self.decided_max = self.decided_max.max(decided.count());
            self.leaves |= out.iter().any(|output| matches!(output, Output::Leave(_)));
            self.room = Some(room).filter(|room| !(self.leaves && room.is_idle()));
            self.leaves &= self.room.is_some();
            out.into_iter().for_each(|output| self.cause(output, &mut inputs, &mut left));
        }
        left
    }

    fn service(&self) -> &'static dyn Service {
        let service = self.hooks.service(self.jid.domain(), &self.settings);
        service.or(self.hooks.past_service()).expect("a service")
    }

    fn load(&self, ctx: &Ctx<'_>) -> Box<dyn Room> {
        let service = self.service();
        let own = self.cells.iter().filter(|((_, of, _), _)| *of == self.jid);
        let cells =
            own.map(|((table, _, key), value)| ((*table).into(), key.clone(), value.clone()));
        let last = self.log.last().map(|(pos, _)| *pos).unwrap_or_default();
        let loaded = Loaded { cells: cells.collect(), last, ..Loaded::default() };
        service.room(self.jid.clone(), self.is_made.then_some(loaded), ctx)
    }

    fn cause(&mut self, output: Output, inputs: &mut VecDeque<Input>, left: &mut Vec<Stanza>) {
        match output {
            Output::Commit(ticket, unit, _) if self.late => self.commits.push_back((ticket, unit)),
            Output::Commit(ticket, unit, _) => {
                let outcome = self.write(unit);
                inputs.push_back(Input::Committed(ticket, outcome));
            }
            Output::World(number, asked, _) if self.late => self.reads.push_back((number, asked)),
            Output::World(number, asked, _) => {
                inputs.push_back(Input::Answered(number, self.read(&asked)));
            }
            Output::Parcel(Parcel::Half { ticket, half, .. }) => {
                let asked = self.waiting.remove(&ticket);
                match half {
                    Ok(_) => self.settled += 1,
                    Err(error) => left.extend(asked.and_then(|asked| asked.refused(&error))),
                }
            }
            Output::Wake(at) if at <= self.now => inputs.push_back(Input::Tick),
            Output::Parcel(Parcel::Missed { session, .. }) if !self.mute => {
                self.asleep.take_if(|asleep| *asleep == session);
                let last = self.heard.get(&session).copied();
                inputs.push_back(Input::Attends(session, Attends::Back(last)));
            }
            Output::Parcel(Parcel::Told { message, .. })
                if self.asleep.is_some() && message.head.to == self.asleep => {}
            Output::Parcel(Parcel::News { to, news, .. }) => self.news.push((to, news)),
            Output::Parcel(Parcel::Told { message, told, .. }) => {
                let Some(to) = message.head.to.clone() else { return };
                let last = self.heard.entry(to.clone()).or_default();
                if told.after > *last {
                    inputs.push_back(Input::Attends(to, Attends::Back(Some(*last))));
                } else if told.pos > *last {
                    *last = told.pos;
                    left.push(message);
                    let more = told.more.then_some(Attends::Back(Some(told.pos)));
                    inputs.extend(more.map(|back| Input::Attends(to, back)));
                }
            }
            Output::Parcel(Parcel::Beside { stanza, beside, .. }) => {
                let owed = beside.owed.filter(|_| !beside.is_copy);
                let owed = owed.filter(|_| !self.slow);
                inputs.extend(owed.map(|owed| self.gives_half(owed)));
                inputs.extend(self.reaches(&stanza));
                left.push(stanza);
            }
            Output::Parcel(Parcel::Routed { stanza, owed, .. }) => {
                let owed = owed.filter(|_| !self.slow);
                inputs.extend(owed.map(|owed| self.gives_half(owed)));
                inputs.extend(self.reaches(&stanza));
                left.push(stanza);
            }
            _ => {}
        }
    }

    /// The recipient's half of a private message: both are written at once.
    fn gives_half(&mut self, owed: Owed) -> Input {
        self.waiting.remove(&owed.ticket);
        Input::Release(owed, Ok(Committed::default()))
    }

    /// What an account does with a stanza of the room's, as far as the room hears of it.
    fn reaches(&mut self, stanza: &Stanza) -> Option<Input> {
        let Head { from: Some(from), to: Some(to), .. } = &*stanza.head else { return None };
        if self.is_pinged(stanza) {
            return Some(self.answers_ping(to, stanza));
        }
        if stanza.kind() != Kind::Presence || self.unread.as_ref() == Some(to) {
            return None;
        }
        let service = self.service();
        let directed = self.directed.entry(to.clone()).or_default();
        match stanza.head.type_str() {
            "unavailable" if service.sits(stanza) != Some(false) => None,
            "" if service.sits(stanza) == Some(true) => {
                directed.insert(from.clone());
                None
            }
            "unavailable" | "error" => {
                directed.remove(from);
                None
            }
            "probe" => {
                let is_there = directed.contains(from);
                let (kind, by) =
                    if is_there { ("", to.clone()) } else { ("unsubscribed", to.bare().into()) };
                let mut head = Head::new(Kind::Presence).with_from(by);
                head = head.with_to(if is_there { from.clone() } else { from.bare().into() });
                if !is_there {
                    head = head.with_type(kind);
                }
                head.id.clone_from(&stanza.head.id);
                Some(Input::Routed(Stanza::new(head), None))
            }
            _ => None,
        }
    }
}

/// The condition of the error that somebody hears.
pub fn refusal(heard: &[Stanza], by: &str) -> Option<String> {
    let by = Jid::parse(by).expect("an address");
    let mut to_it = heard.iter().filter(|one| one.head.to.as_ref() == Some(&by));
    let refused = to_it.find(|one| one.head.type_str() == "error")?;
    let error = refused.child(Name::new(ns::CLIENT, "error"))?;
    error.children().find(|child| child.ns() == ns::STANZA_ERRORS).map(|it| it.local().to_owned())
}
