//! A shard, its writer and store, and the streams of its clients, in one thread. What a store
//! does late, it does when it is told to; what it cannot do fails.

use crate::{
    ledger::Ledger,
    registry::Registry,
    words::{SEATS, Words},
};
use engine::{
    account::Look,
    ctx::{Ctx, Moment, Random},
    hook::{Replied, World as Readable},
    hooks::Hooks,
    parcel::{Link, Order, Parcel, Said, Say, Ticket},
    port::{Fault, Node, Reads, Store},
    setting::Value,
    settings::Settings,
    shard::{Input, Output, Shard, WorldAnswer},
    stream::{
        c2s::{C2s, Security},
        machine::{self, Act, Fact, Machine, Out, Question, Tls},
    },
    unit::{Change, Credentials, Pos, ScramKeys, Unit},
    wire::{Bare, Content, Decoder, Frame, Framing, Jid, Limits, Stanza, StanzaCondition},
    writer::{Outcome, Writer, WriterLimits},
};
use std::{
    cell::Cell,
    collections::{BTreeSet, VecDeque},
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};
use store::Memory;

mod lives;
mod server;

use lives::Life;
pub use lives::{Count, Token, Way};
use server::ready;

const HEADER: &str = "<stream:stream to='x' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
/// `\0juliet\0x` and so on.
const PLAIN: [(&str, &str); 4] = [
    ("juliet", "AGp1bGlldAB4"),
    ("romeo", "AHJvbWVvAHg="),
    ("nurse", "AG51cnNlAHg="),
    ("nobody", "AG5vYm9keQB4"),
];
/// Streams that are open at once.
const STREAMS_MAX: usize = 8;

struct Counting(Cell<u64>);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
            let mixed = self.0.get() ^ (self.0.get() >> 31);
            chunk.copy_from_slice(&mixed.to_be_bytes()[..chunk.len()]);
        }
    }
}

/// Whether what can wait is done at once, and what else differs from run to run.
pub struct Habits {
    pub hooks: Hooks,
    pub loads: bool,
    pub commits: bool,
    pub keeps: bool,
    pub federates: bool,
}

struct Stream {
    link: Link,
    /// The first stream of its session: by that it is known in the ledger.
    session: Link,
    seat: usize,
    machine: C2s,
    /// The client's side.
    decoder: Decoder,
    jid: Option<Jid>,
    closed: bool,
    /// It has said what is no XML, or half of it: nobody knows what became of the rest.
    garbled: bool,
    /// Its client has lost it; the server has not heard of that.
    lost: bool,
    /// It has told a count that may be wrong.
    errs: bool,
    /// It has asked for its stream to be managed, and what it has said since.
    enabling: Option<Vec<lives::Saying>>,
    /// The session that it claims.
    claims: Option<lives::Claim>,
    /// Requests that it has been given, and their askers.
    asked: Vec<(usize, Stanza)>,
    said: u32,
    settled: u32,
}

struct Asked {
    account: Bare,
    number: u64,
    iq: Stanza,
    answer: WorldAnswer,
}

/// The server and its clients.
pub struct World {
    now: Moment,
    random: Counting,
    settings: Settings,
    habits: Habits,
    shard: Shard,
    inbox: VecDeque<Input>,
    /// Whether parcels wait.
    pub holds: bool,
    writer: Writer<(Bare, Ticket, Option<Bare>)>,
    store: Memory,
    /// The last batch that the store has committed.
    taken: i64,
    loads: VecDeque<Bare>,
    looks: VecDeque<(Bare, i64, Look)>,
    asked: Vec<Asked>,
    registrar: Registry,
    streams: Vec<Stream>,
    lives: Vec<Life>,
    links: u64,
    ledger: Ledger,
}

impl World {
    /// Three accounts that nobody uses yet.
    pub fn new(habits: Habits) -> Self {
        let mut settings = Settings::of(vec![Bare::host("x").unwrap()], [7; 32]);
        (settings.limits.sessions_max, settings.limits.directed_max) = (2, 3);
        settings.limits.roster_items_max = 4;
        settings.federates = habits.federates;
        // Closed by default.
        settings.chosen.insert((77, "registration"), Value::Choice("open".into()));
        let store = Memory::new(habits.hooks.at_hand());
        let last = ready(store.last()).unwrap();
        let keeps = habits.keeps;
        let mut world = Self {
            now: Moment(0),
            random: Counting(Cell::new(0)),
            settings,
            habits,
            shard: Shard::default(),
            inbox: VecDeque::new(),
            holds: false,
            writer: Writer::resume(last, server::limits()),
            store,
            taken: 0,
            loads: VecDeque::new(),
            looks: VecDeque::new(),
            asked: Vec::new(),
            registrar: Registry::default(),
            streams: Vec::new(),
            lives: Vec::new(),
            links: 0,
            ledger: Ledger::new(keeps),
        };
        for name in ["juliet", "romeo", "nurse"] {
            let jid = Bare::parse(&format!("{name}@x")).unwrap();
            let changes = vec![Change::Create(jid.clone(), credentials())];
            let unit = Unit { changes, ..Unit::default() };
            world.writer.push((jid, Ticket(u64::MAX), None), unit, world.now).unwrap();
        }
        while world.commit(None) {}
        world.inbox.clear();
        world
    }

    /// From now on, accounts are read and units committed when it is told to.
    pub fn is_late(&mut self, loads: bool, commits: bool) {
        (self.habits.loads, self.habits.commits) = (!loads, !commits);
    }

    /// A client comes; where there is no room, nothing happens.
    pub fn connect(&mut self, seat: usize) {
        let seat = seat % SEATS.len();
        let Some(link) = self.arrives(seat) else { return };
        let login = format!("{}{}", login(seat), bind(seat));
        self.tell(link, machine::Input::Bytes(login.as_bytes()));
    }

    /// A stream begins, under TLS.
    fn arrives(&mut self, seat: usize) -> Option<Link> {
        if self.streams.iter().filter(|stream| !stream.closed).count() >= STREAMS_MAX {
            return None;
        }
        self.links += 1;
        let link = Link { node: Node(1), number: self.links };
        let machine = C2s::new(&self.ctx(), Security::Direct, Framing::Stream);
        self.streams.push(Stream {
            link,
            session: link,
            seat,
            machine,
            decoder: Decoder::new(Content::Client, Limits::SERVER),
            jid: None,
            closed: false,
            garbled: false,
            lost: false,
            errs: false,
            enabling: None,
            claims: None,
            asked: Vec::new(),
            said: 0,
            settled: 0,
        });
        self.tell(link, machine::Input::Tick);
        self.tell(link, machine::Input::Secured(Tls::default()));
        Some(link)
    }

    /// Whose a stream is.
    pub fn seat(&mut self, stream: usize) -> Option<usize> {
        self.pick(stream).map(|stream| stream.seat)
    }

    /// The client that came last says something.
    pub fn newest_says(&mut self, words: &Words) {
        let open = self.streams.iter().filter(|stream| stream.is_heard()).count();
        self.says(open.saturating_sub(1), words, "");
    }

    /// A client says something well-formed.
    pub fn says(&mut self, stream: usize, words: &Words, from: &str) {
        let Some(stream) = self.pick(stream) else { return };
        let Some(jid) = stream.jid.clone() else { return };
        let (link, session, garbled) = (stream.link, stream.session, stream.garbled);
        // What is said in the middle of something else is nothing, and nobody owes an answer.
        if garbled {
            return;
        }
        let (number, xml) = self.ledger.says(Some(session), &jid, words, from);
        let again = words.has_body() && from.is_empty();
        self.noted(link, Some(number), again, &xml);
        self.tell(link, machine::Input::Bytes(xml.as_bytes()));
    }

    /// A client says any bytes.
    pub fn babbles(&mut self, stream: usize, bytes: &[u8]) {
        let Some(stream) = self.pick(stream) else { return };
        let link = stream.link;
        self.is_garbled(link);
        self.tell(link, machine::Input::Bytes(bytes));
    }

    /// A client answers the oldest request that it was given.
    pub fn answers(&mut self, stream: usize, with_error: bool) {
        let Some(stream) = self.pick(stream).filter(|stream| !stream.garbled) else { return };
        if stream.asked.is_empty() || stream.jid.is_none() {
            return;
        }
        let (number, request) = stream.asked.remove(0);
        let (link, session) = (stream.link, stream.session);
        // Who has forgotten that it was asked is asked again.
        if self.ledger.has_answered(number) {
            return;
        }
        let mut answer = match with_error {
            true => request.refused(&StanzaCondition::NotAllowed.into()).unwrap(),
            false => request.result(),
        };
        answer.head.from = None;
        self.ledger.client_answers(session, number);
        let xml = answer.to_text();
        self.noted(link, None, false, &xml);
        self.tell(link, machine::Input::Bytes(xml.as_bytes()));
    }

    /// A stream's machine is told something.
    pub fn stream_hears(&mut self, stream: usize, input: machine::Input<'_>) {
        let Some(stream) = self.pick(stream) else { return };
        let (link, session) = (stream.link, stream.session);
        let says =
            |what: &[u8]| matches!(input, machine::Input::Bytes(bytes) if bytes.starts_with(what));
        if says(b"<inactive ") {
            self.ledger.may_sleep(session);
        }
        if says(b"<enable ") {
            self.ledger.may_count(session);
            self.enables(link);
        }
        if says(b"<a ") {
            self.stream(link).errs = true;
        }
        if says(b"</stream:stream>") {
            self.leaves(link);
        }
        self.tell(link, input);
    }

    /// Another server says something.
    pub fn abroad_says(&mut self, words: &Words) {
        let from = Jid::parse("tybalt@y/a").unwrap();
        let Some(to) = words.to().address().and_then(|to| Jid::parse(to).ok()) else { return };
        if to.domain() != "x" {
            return;
        }
        let (_, xml) = self.ledger.says(None, &from, words, "");
        let mut stanza = Stanza::parse_one(&xml).unwrap();
        let managing = ["subscribe", "subscribed", "unsubscribe", "unsubscribed"];
        let managing = xml.starts_with("<presence") && managing.contains(&stanza.head.type_str());
        stanza.head.from = Some(if managing { from.bare().into() } else { from });
        stanza.head.to = Some(to.clone());
        self.inbox.push_back(Input::Parcel(Parcel::Routed { to: to.bare(), stanza, owed: None }));
    }

    /// The operator does something.
    pub fn order(&mut self, seat: usize, order: Order) {
        let jid = Bare::parse(&format!("{}@x", SEATS[seat % SEATS.len()].0)).unwrap();
        self.inbox.push_back(Input::Parcel(Parcel::Order(jid, order)));
    }

    /// Time passes.
    pub fn passes(&mut self, ms: u64) {
        self.now = self.now.after(ms);
        if self.shard.wakes().is_some_and(|at| at <= self.now) {
            self.inbox.push_back(Input::Tick);
        }
        let links: Vec<_> = self.streams.iter().map(|stream| stream.link).collect();
        links.into_iter().for_each(|link| self.tell(link, machine::Input::Tick));
    }

    fn pick(&mut self, stream: usize) -> Option<&mut Stream> {
        let open: Vec<_> =
            (0..self.streams.len()).filter(|at| self.streams[*at].is_heard()).collect();
        let at = *open.get(stream.checked_rem(open.len())?)?;
        Some(&mut self.streams[at])
    }

    fn ctx(&self) -> Ctx<'_> {
        let (random, settings, hooks) = (&self.random, &self.settings, &self.habits.hooks);
        Ctx { now: self.now, unix_ms: 1_767_225_600_000 + self.now.0, random, settings, hooks }
    }

    fn tell(&mut self, link: Link, input: machine::Input<'_>) {
        let Some(at) = self.streams.iter().position(|stream| stream.link == link) else { return };
        let was_closed = self.streams[at].closed;
        // A stanza of the account's has been looked at before the machine wrote it.
        let known = matches!(input, machine::Input::Say(Say::Stanza(_)));
        let mut out = Out::default();
        let Self { now, random, settings, habits, streams, .. } = self;
        let unix_ms = 1_767_225_600_000 + now.0;
        let ctx = Ctx { now: *now, unix_ms, random, settings, hooks: &habits.hooks };
        streams[at].machine.handle(&ctx, input, &mut out);
        let quiet = out.bytes.is_empty() && out.acts.is_empty();
        assert!(!was_closed || quiet, "it goes on after its end: {out:?}");
        let says = match self.streams[at].lost {
            true => Vec::new(),
            false => self.reads(link, &out.bytes, known),
        };
        for act in out.acts {
            self.act(link, act);
        }
        for words in says {
            self.tell(link, machine::Input::Bytes(words.as_bytes()));
        }
    }

    fn act(&mut self, link: Link, act: Act) {
        let stream = self.streams.iter_mut().find(|stream| stream.link == link);
        let stream = stream.expect("acts while it is there");
        match act {
            Act::Ask(Question::Credentials(_)) => {
                let fact = Fact::Credentials(Ok(Some(credentials())));
                self.tell(link, machine::Input::Fact(fact));
            }
            Act::Ask(Question::Verify { .. }) => {
                self.tell(link, machine::Input::Fact(Fact::Verified(true)));
            }
            Act::Ask(Question::Device(..)) => {
                let fact = Fact::Device(Ok(Some((credentials(), None))));
                self.tell(link, machine::Input::Fact(fact));
            }
            Act::Ask(Question::Settle { .. } | Question::Upgrade(..)) => {
                self.tell(link, machine::Input::Fact(Fact::Settled(Ok(()))));
            }
            Act::Ask(Question::Request { host, iq, answer }) => {
                let replied = self.read(&iq, &host, answer);
                self.inbox.extend(self.registrar.caused());
                self.tell(link, machine::Input::Fact(Fact::Replied(replied)));
            }
            Act::Ask(Question::Ends(_)) => {
                self.tell(link, machine::Input::Fact(Fact::Ends(Ok(None))));
            }
            Act::Ask(Question::Account(_)) | Act::Impersonates(..) => panic!("nobody may"),
            Act::Ask(Question::Guest(_)) | Act::Forget(_) => panic!("nobody is unknown here"),
            Act::Submit(account, said) => {
                stream.said += u32::from(matches!(said, Said::Stanza(_) | Said::Nonza(_)));
                self.inbox.push_back(Input::Parcel(Parcel::FromSocket(account, link, said)));
            }
            Act::Close(_) => stream.closed = true,
            Act::StartTls => panic!("TLS in TLS"),
            Act::Tried(..) | Act::Ping | Act::Wake(_) => {}
        }
    }
}

impl Stream {
    /// Whether what its client says reaches the server.
    fn is_heard(&self) -> bool {
        !self.closed && !self.lost
    }
}

fn plain(seat: usize) -> &'static str {
    let (name, _) = SEATS[seat];
    PLAIN.iter().find(|(of, _)| *of == name).unwrap().1
}

/// As RFC 6120 §6 has it.
fn login(seat: usize) -> String {
    let (sasl, plain) = ("urn:ietf:params:xml:ns:xmpp-sasl", plain(seat));
    format!("{HEADER}<auth xmlns='{sasl}' mechanism='PLAIN'>{plain}</auth>{HEADER}")
}

/// As RFC 6120 §7 has it.
fn bind(seat: usize) -> String {
    let resource = format!("<resource>{}</resource>", SEATS[seat].1);
    let bind = format!("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{resource}</bind>");
    format!("<iq type='set' id='bind'>{bind}</iq>")
}

/// Keys that nobody knows the password of; nobody asks for it here.
fn credentials() -> Credentials {
    let key = || vec![1; 20];
    let keys = ScramKeys { salt: key(), iterations: 1, stored_key: key(), server_key: key() };
    Credentials { sha1: Some(keys), ..Credentials::default() }
}
