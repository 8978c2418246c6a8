//! A shard, its writer and its store. What can wait, waits until it is told to go on; the process
//! ends and begins anew on the same store.

use crate::registry::Registry;
use engine::{
    ctx::{Ctx, Moment, Random},
    hook,
    hooks::Hooks,
    parcel::{Link, Parcel, Say, Ticket},
    port::{Fault, Logged, Node, Reads, Store},
    settings::Settings,
    shard::{Input, Output, Shard, outcome},
    unit::{Change, Credentials, Pos},
    wire::{Bare, Stanza},
    writer::{Outcome, Writer, WriterLimits},
};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::Future,
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
};
use store::Memory;

static HOOKS: LazyLock<Hooks> = LazyLock::new(|| Hooks::of(xeps::ALL));
/// 1 January 2026.
const BEGIN_UNIX_MS: u64 = 1_767_225_600_000;

/// Chance that is the same every time (SplitMix64).
pub struct Dice(Cell<u64>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)))
    }

    pub fn roll(&self, sides: usize) -> usize {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 16) as usize % sides
    }
}

impl Random for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = self.roll(256) as u8);
    }
}

/// Whose unit it is, and who gave half of it.
type Token = (Bare, Ticket, Option<Bare>);

pub struct World {
    pub now: Moment,
    pub dice: Dice,
    settings: Settings,
    shard: Shard,
    inbox: VecDeque<Input>,
    writer: Writer<Token>,
    store: Memory,
    /// What is asked of the store beside the line.
    asked: VecDeque<Output>,
    registry: Registry,
    /// What streams were told.
    pub said: Vec<(Link, Say)>,
    /// Ids of what is in the store.
    pub committed: BTreeSet<String>,
    pub kills: u32,
    /// How often the process had been killed when this was said first.
    said_at: BTreeMap<String, u32>,
    links: u64,
}

impl World {
    pub fn of(seed: u64, accounts: &[&str]) -> Self {
        let settings = Settings::of(vec![Bare::host("x").unwrap()], [7; 32]);
        let store = Memory::new(HOOKS.at_hand());
        let limits = WriterLimits { batch_units_max: 3, ..WriterLimits::default() };
        let writer = Writer::resume(ready(store.last()).unwrap(), limits);
        let (now, dice) = (Moment(0), Dice::new(seed));
        let (shard, inbox, asked, registry, said, committed) = Default::default();
        let (kills, said_at, links) = (0, BTreeMap::new(), 0);
        let mut world = Self {
            now,
            dice,
            settings,
            shard,
            inbox,
            writer,
            store,
            asked,
            registry,
            said,
            committed,
            kills,
            said_at,
            links,
        };
        for name in accounts {
            let jid = Bare::parse(name).unwrap();
            let unit = Change::Create(jid.clone(), Credentials::default()).into();
            world.writer.push((jid, Ticket(u64::MAX), None), unit, now).unwrap();
        }
        while world.commits() {}
        world.inbox.clear();
        world
    }

    pub fn link(&mut self) -> Link {
        self.links += 1;
        Link { node: Node(1), number: self.links }
    }

    /// Somebody says something new.
    pub fn is_new(&mut self, id: &str) {
        self.said_at.insert(id.to_owned(), self.kills);
    }

    /// How often the process had been killed when it was said.
    pub fn said_at(&self, id: &str) -> u32 {
        self.said_at[id]
    }

    pub fn unix_ms(&self) -> u64 {
        BEGIN_UNIX_MS + self.now.0
    }

    pub fn hears(&mut self, input: Input) {
        self.inbox.push_back(input);
        self.flows();
    }

    fn flows(&mut self) {
        while let Some(input) = self.inbox.pop_front() {
            let unix_ms = self.unix_ms();
            let Self { now, dice, settings, shard, .. } = self;
            let ctx = Ctx { now: *now, unix_ms, random: dice, settings, hooks: &HOOKS };
            let mut out = Vec::new();
            shard.handle(&ctx, input, &mut out);
            out.into_iter().for_each(|output| self.does(output));
        }
    }

    fn does(&mut self, output: Output) {
        match output {
            Output::Parcel(Parcel::ToSocket(link, say)) => self.said.push((link, say)),
            Output::Parcel(parcel) => self.inbox.push_back(Input::Parcel(parcel)),
            Output::Commit(jid, ticket, unit, recipient) => {
                let pushed = self.writer.push((jid, ticket, recipient), unit, self.now);
                pushed.map_err(|(_, fault)| fault).unwrap();
            }
            Output::Load(_) | Output::World { .. } | Output::Look(..) => {
                self.asked.push_back(output);
            }
            Output::Expire(_) => panic!("nobody is unknown here"),
            Output::Departed(account) => self.inbox.push_back(Input::Departed(account)),
            Output::Counted(..) | Output::Fate(_) => {}
        }
    }

    /// Reads the store for whoever asked, anybody of them; or cannot.
    pub fn reads(&mut self, which: usize, fails: bool) -> bool {
        let Some(which) = which.checked_rem(self.asked.len()) else { return false };
        let fault = || Fault::Away("a walk".into());
        let input = match self.asked.remove(which).unwrap() {
            Output::Load(jid) => {
                let loaded = if fails { Err(fault()) } else { ready(self.store.load(&jid)) };
                Input::Loaded(jid, loaded)
            }
            Output::Look(jid, session, look) => {
                let page = ready(self.store.page(&jid, look.after, look.max));
                Input::Seen(jid, session, look, if fails { Err(fault()) } else { page })
            }
            Output::World { account: of, number, iq, answer } => {
                let (store, registrar) = (&self.store, &self.registry);
                let (unix_ms, settings) = (self.unix_ms(), &self.settings);
                let (account, peer, hooks) = (&of, None, &*HOOKS);
                let world =
                    hook::World { store, registrar, account, peer, unix_ms, settings, hooks };
                let replied = ready(answer(&iq, &world));
                Input::Answered(of, number, replied)
            }
            _ => return false,
        };
        self.hears(input);
        true
    }

    /// The store takes a batch, and tells.
    pub fn commits(&mut self) -> bool {
        self.recovers();
        let Some(batch) = self.writer.next_batch(self.unix_ms()) else { return false };
        let answer = self.takes(&batch);
        self.tells(answer);
        true
    }

    /// The store takes a batch or does not, and does not tell; or refuses it.
    pub fn fails(&mut self) -> bool {
        self.recovers();
        let Some(batch) = self.writer.next_batch(self.unix_ms()) else { return false };
        let answer = match self.dice.roll(3) {
            0 => {
                drop(self.takes(&batch));
                Err(Fault::Away("a walk".into()))
            }
            1 => Err(Fault::Away("a walk".into())),
            _ if ready(self.store.last()).unwrap().0 == batch.number => self.takes(&batch),
            _ => Err(Fault::Refused("a walk".into())),
        };
        self.tells(answer);
        true
    }

    fn recovers(&mut self) {
        if self.writer.asks_last() {
            let last = ready(self.store.last());
            let outcomes = self.writer.recovered(last, self.now);
            self.pass_on(outcomes);
        }
    }

    fn takes(&mut self, batch: &engine::port::Batch) -> Result<Vec<engine::port::Verdict>, Fault> {
        let answer = ready(self.store.commit(batch));
        for ((unit, _), verdict) in batch.units.iter().zip(answer.iter().flatten()) {
            if verdict.is_ok() {
                self.committed.extend(unit.entries.iter().map(|entry| id_of(&entry.stanza)));
            }
        }
        answer
    }

    fn tells(&mut self, answer: Result<Vec<engine::port::Verdict>, Fault>) {
        let outcomes = self.writer.outcome(answer);
        self.pass_on(outcomes);
    }

    fn pass_on(&mut self, outcomes: Vec<Outcome<Token>>) {
        for ((jid, ticket, recipient), done) in outcomes {
            self.inbox.extend(outcome(jid, ticket, recipient, done).map(|(_, input)| input));
        }
        self.flows();
    }

    /// Time passes, and whoever is to be woken is.
    pub fn passes(&mut self, ms: u64) {
        let end = self.now.after(ms);
        while let Some(at) = self.shard.wakes().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.hears(Input::Tick);
        }
        self.now = end;
    }

    /// The process is gone; another begins with what the store has.
    pub fn begins_anew(&mut self) {
        self.now = self.now.after(5);
        self.store = self.store.reopen();
        let limits = WriterLimits { batch_units_max: 3, ..WriterLimits::default() };
        self.writer = Writer::resume(ready(self.store.last()).unwrap(), limits);
        self.shard = Shard::default();
        self.inbox.clear();
        self.asked.clear();
        self.said.clear();
    }

    pub fn revives(&mut self, account: &Bare) {
        self.hears(Input::Revive(account.clone()));
    }

    /// What the log of an account has.
    pub fn log(&self, of: &Bare) -> Vec<Logged> {
        ready(self.store.page(of, Pos(0), usize::MAX)).unwrap()
    }

    /// Whether nothing is under way.
    pub fn is_quiet(&self) -> bool {
        self.asked.is_empty() && self.writer.queue_units() == 0 && !self.writer.asks_last()
    }
}

fn id_of(stanza: &str) -> String {
    let stanza = Stanza::parse_one(stanza).unwrap();
    stanza.head.id.as_ref().map(|id| id.to_string()).unwrap_or_default()
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}
