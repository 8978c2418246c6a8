//! Two people, a shard, a writer and a store: what one says goes the way that it goes in the
//! server, but for sockets and tasks.

use crate::{
    registry::Registry,
    tree::{Tree, parse_block},
};
use engine::{
    ctx::{Ctx, Moment, Random},
    hook::World,
    hooks::Hooks,
    parcel::{Link, Parcel, Ticket},
    port::{Node, Retention, Store},
    settings::Settings,
    shard::{Input, Output, Shard, outcome},
    stream::{
        c2s::{C2s, Security},
        machine::{self, Act, Fact, Machine, Out, Question, Tls},
    },
    unit::{Change, Credentials, ScramKeys},
    wire::{Bare, Framing},
    writer::{Writer, WriterLimits},
};
use std::{cell::Cell, collections::VecDeque, sync::Arc};
use store::Options;
use tokio::runtime::{Builder, Runtime};

const BEGIN_UNIX_MS: u64 = 1_767_225_600_000;
/// The language of their streams.
pub const LANG: &str = "en";
/// Who they are, with their passwords as PLAIN has them.
const PEOPLE: [(&str, &str); 2] = [("juliet", "AGp1bGlldAB4"), ("romeo", "AHJvbWVvAHg=")];
/// Messages of one log that are kept when some are removed.
const KEPT_ENTRIES_MAX: u64 = 100;

struct Counting(Cell<u64>);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0.set(self.0.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            *byte = (self.0.get() >> 56) as u8;
        }
    }
}

/// Their streams are bound.
pub struct Exchange {
    runtime: Runtime,
    store: Arc<dyn Store>,
    hooks: Hooks,
    settings: Settings,
    random: Counting,
    now: Moment,
    registry: Registry,
    shard: Shard,
    writer: Writer<(Bare, Ticket, Option<Bare>)>,
    inbox: VecDeque<Input>,
    machines: [C2s; 2],
    heard: [Vec<u8>; 2],
}

impl Exchange {
    /// In an empty store.
    pub fn new(url: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let hooks = Hooks::of(xeps::ALL);
        let settings = Settings::of(vec![Bare::host("x").unwrap()], [7; 32]);
        let at_hand = hooks.at_hand().to_vec();
        let options = Options { at_hand, relaxed: true, ..Options::default() };
        let store = runtime.block_on(store::open(url, &options)).unwrap();
        let last = runtime.block_on(store.last()).unwrap();
        let (random, now) = (Counting(Cell::new(1)), Moment(0));
        let ctx = Ctx {
            now,
            unix_ms: BEGIN_UNIX_MS,
            random: &random,
            settings: &settings,
            hooks: &hooks,
        };
        let machines = PEOPLE.map(|_| C2s::new(&ctx, Security::Direct, Framing::Stream));
        let (registry, shard, inbox, heard) = Default::default();
        let writer = Writer::resume(last, WriterLimits::default());
        let mut exchange = Self {
            runtime,
            store,
            hooks,
            settings,
            random,
            now,
            registry,
            shard,
            writer,
            inbox,
            machines,
            heard,
        };
        for (of, (name, plain)) in PEOPLE.into_iter().enumerate() {
            exchange.comes(of, name, plain);
        }
        exchange
    }

    fn comes(&mut self, of: usize, name: &str, plain: &str) {
        let jid = Bare::parse(&format!("{name}@x")).unwrap();
        let create = Change::Create(jid.clone(), credentials()).into();
        self.writer.push((jid, Ticket(u64::MAX), None), create, self.now).unwrap();
        self.commits();
        self.inbox.clear();
        self.tells(of, machine::Input::Secured(Tls::default()));
        let header = format!(
            "<stream:stream to='x' xmlns='jabber:client' xml:lang='{LANG}' version='1.0' \
             xmlns:stream='http://etherx.jabber.org/streams'>"
        );
        let sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
        let bind = "urn:ietf:params:xml:ns:xmpp-bind";
        let login = format!(
            "{header}<auth xmlns='{sasl}' mechanism='PLAIN'>{plain}</auth>{header}\
             <iq type='set' id='b'><bind xmlns='{bind}'><resource>a</resource></bind></iq>\
             <presence/>"
        );
        self.tells(of, machine::Input::Bytes(login.as_bytes()));
        self.flows();
        self.heard[of].clear();
    }

    /// One of them says this; all that follows from it happens.
    pub fn says(&mut self, who: usize, xml: &str) {
        self.now = self.now.after(1);
        self.tells(who, machine::Input::Bytes(xml.as_bytes()));
        self.flows();
    }

    /// What one of them has heard since the last time, as another's parser reads it.
    pub fn heard(&mut self, who: usize) -> Vec<Tree> {
        let heard = String::from_utf8(std::mem::take(&mut self.heard[who])).expect("is UTF-8");
        parse_block(&heard).unwrap_or_else(|flaw| panic!("{flaw}: {heard}"))
    }

    /// Of what is in the logs the oldest go.
    pub fn forgets(&mut self) {
        let what = Retention::of(self.unix_ms(), 0, KEPT_ENTRIES_MAX);
        self.runtime.block_on(self.store.purge(&what)).unwrap();
    }

    fn unix_ms(&self) -> u64 {
        BEGIN_UNIX_MS + self.now.0
    }

    fn tells(&mut self, who: usize, input: machine::Input<'_>) {
        let mut out = Out::default();
        let unix_ms = self.unix_ms();
        let Self { now, random, settings, hooks, .. } = self;
        let ctx = Ctx { now: *now, unix_ms, random, settings, hooks };
        self.machines[who].handle(&ctx, input, &mut out);
        self.heard[who].extend_from_slice(&out.bytes);
        for act in out.acts {
            match act {
                Act::Ask(Question::Credentials(_)) => {
                    let fact = Fact::Credentials(Ok(Some(credentials())));
                    self.tells(who, machine::Input::Fact(fact));
                }
                Act::Ask(Question::Verify { .. }) => {
                    self.tells(who, machine::Input::Fact(Fact::Verified(true)));
                }
                Act::Submit(account, said) => {
                    let link = Link { node: Node(1), number: who as u64 };
                    let parcel = Parcel::FromSocket(account, link, said);
                    self.inbox.push_back(Input::Parcel(parcel));
                }
                Act::Wake(_) | Act::Tried(..) => {}
                other => panic!("{other:?}: {}", String::from_utf8_lossy(&self.heard[who])),
            }
        }
    }

    fn flows(&mut self) {
        loop {
            while let Some(input) = self.inbox.pop_front() {
                let mut out = Vec::new();
                let unix_ms = self.unix_ms();
                let Self { now, random, settings, hooks, shard, .. } = self;
                let ctx = Ctx { now: *now, unix_ms, random, settings, hooks };
                shard.handle(&ctx, input, &mut out);
                out.into_iter().for_each(|output| self.does(output));
            }
            if !self.commits() {
                return;
            }
        }
    }

    fn does(&mut self, output: Output) {
        let input = match output {
            Output::Parcel(Parcel::ToSocket(link, say)) => {
                return self.tells(link.number as usize, machine::Input::Say(say));
            }
            Output::Parcel(parcel) => Input::Parcel(parcel),
            Output::Load(jid) => {
                let loaded = self.runtime.block_on(self.store.load(&jid));
                Input::Loaded(jid, loaded)
            }
            Output::Look(jid, session, look) => {
                let page = self.store.page(&jid, look.after, look.max);
                let page = self.runtime.block_on(page);
                Input::Seen(jid, session, look, page)
            }
            Output::World { account: of, number, iq, answer } => {
                let (store, registrar) = (&*self.store, &self.registry);
                let (unix_ms, settings, hooks) = (self.unix_ms(), &self.settings, &self.hooks);
                let (account, peer) = (&of, None);
                let world = World { store, registrar, account, peer, unix_ms, settings, hooks };
                let replied = self.runtime.block_on(answer(&iq, &world));
                Input::Answered(of, number, replied)
            }
            Output::Commit(jid, ticket, unit, recipient) => {
                let pushed = self.writer.push((jid, ticket, recipient), unit, self.now);
                return pushed.map_err(|(_, fault)| fault).unwrap();
            }
            Output::Expire(_) => panic!("nobody is unknown here"),
            Output::Departed(account) => Input::Departed(account),
            Output::Counted(..) | Output::Fate(_) => return,
        };
        self.inbox.push_back(input);
    }

    fn commits(&mut self) -> bool {
        let Some(batch) = self.writer.next_batch(self.unix_ms()) else { return false };
        let answer = self.runtime.block_on(self.store.commit(&batch));
        for ((jid, ticket, recipient), done) in self.writer.outcome(answer) {
            assert!(done.is_ok(), "{done:?}");
            self.inbox.extend(outcome(jid, ticket, recipient, done).map(|(_, input)| input));
        }
        true
    }
}

/// Keys that nobody knows the password of; nobody asks for it here.
fn credentials() -> Credentials {
    let key = || vec![1; 20];
    let keys = ScramKeys { salt: key(), iterations: 1, stored_key: key(), server_key: key() };
    Credentials { sha1: Some(keys), ..Credentials::default() }
}
