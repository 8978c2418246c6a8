//! A client that sends anything at all within a session of BOSH, at any moment, while connections
//! are lost and the stream says and ends what it likes: every request is answered once, in time;
//! no more of them are held than was agreed on; and the stream hears each of them once, in order.
//!
//! `cargo +nightly fuzz run f10_bodies` in `conformance`.

#![no_main]

use arbitrary::Arbitrary;
use cap::Cap;
use engine::{
    ctx::{Ctx, Moment, Random},
    hooks::Hooks,
    settings::Settings,
    stream::bosh::{Answer, Bosh, Condition, Heard, Reply, Ticket},
    wire::{Bare, Body, BodyDecoder, Limits, Text},
};
use libfuzzer_sys::fuzz_target;
use std::{
    alloc::System,
    cell::Cell,
    collections::{BTreeMap, BTreeSet, hash_map::DefaultHasher},
    fmt::Write,
    hash::{Hash, Hasher},
};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

const RID: u64 = 1_573_741_820;
const FEATURES: &str = "<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>";
const ERROR: &str = "<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>";
const RECOVERABLE: &str = "<body xmlns='http://jabber.org/protocol/httpbind' type='error'/>";
/// Bytes of the longest element that the stream says.
const ELEMENT_BYTES_MAX: usize = 16 << 10;
/// Bytes that a session keeps for one request that has been answered, or that comes next: what
/// it takes until it is full, one element more, and the wrapper.
const RESPONSE_BYTES_MAX: usize = (32 << 10) + ELEMENT_BYTES_MAX + (2 << 10);
/// By this a payload says of which request it is.
const MARK: &str = "rid-";

/// What happens next.
#[derive(Arbitrary, Debug)]
enum Event<'a> {
    /// A request as most clients make it, so many before its turn, with so many payloads.
    Next(u8, u8),
    /// It comes again.
    Repeated(u8, u8),
    Request(Request<'a>),
    /// The same request again, by how many it is before the last one.
    Again(u8, Request<'a>),
    /// Something that may not be a wrapper.
    Bytes(&'a [u8]),
    /// The connection of one of the requests that wait is lost.
    Lost(u8),
    Take,
    Listen,
    Say(u16),
    Error,
    End,
    Cut,
    Tick(u32),
    Pass(u32),
}

#[derive(Arbitrary, Debug)]
struct Request<'a> {
    rid: Rid<'a>,
    said: Vec<Attribute<'a>>,
    stanzas: u8,
    more: Said<'a>,
}

/// So that not all but a few sessions end at their first request.
#[derive(Arbitrary, Debug)]
enum Said<'a> {
    Nothing,
    Usual,
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Rid<'a> {
    /// So many behind the one that is due.
    Next(u8),
    Far(u64),
    Other(&'a str),
    None,
}

#[derive(Arbitrary, Debug)]
enum Attribute<'a> {
    Ack(Number<'a>),
    Pause(Number<'a>),
    Key(Key<'a>),
    NewKey(Key<'a>),
    Terminate,
    Restart,
    /// It has so many bytes.
    Huge(u16),
}

#[derive(Arbitrary, Debug)]
enum Number<'a> {
    Small(u8),
    Rid(u8),
    Any(u64),
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Key<'a> {
    /// Two that follow each other (XEP-0124 §15, example).
    Last,
    First,
    Other(&'a str),
}

/// How it begins.
#[derive(Arbitrary, Debug)]
struct Begin<'a> {
    hold_max: u8,
    /// In the end the session is measured, instead of left alone until it ends.
    measured: bool,
    wait: Option<Number<'a>>,
    hold: Option<Number<'a>>,
    version: Said<'a>,
    content: Said<'a>,
    to: Said<'a>,
    request: Request<'a>,
}

impl Number<'_> {
    fn text(&self) -> String {
        match self {
            Self::Small(number) => number.to_string(),
            Self::Rid(number) => (RID + u64::from(*number)).to_string(),
            Self::Any(number) => number.to_string(),
            Self::Other(text) => (*text).to_owned(),
        }
    }
}

impl Said<'_> {
    fn or<'b>(&'b self, usual: &'b str) -> Option<&'b str> {
        match self {
            Self::Nothing => None,
            Self::Usual => Some(usual),
            Self::Other(text) => Some(text),
        }
    }
}

impl Key<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Last => "ca393b51b682f61f98e7877d61146407f3d0a770",
            Self::First => "bfb06a6f113cd6fd3838ab9d300fdb4fe3da2f7d",
            Self::Other(text) => text,
        }
    }
}

impl Attribute<'_> {
    fn name_and_value(&self) -> (&'static str, String) {
        match self {
            Self::Ack(number) => ("ack", number.text()),
            Self::Pause(number) => ("pause", number.text()),
            Self::Key(key) => ("key", key.text().to_owned()),
            Self::NewKey(key) => ("newkey", key.text().to_owned()),
            Self::Terminate => ("type", "terminate".to_owned()),
            Self::Restart => ("xmpp:restart", "true".to_owned()),
            Self::Huge(length) => ("huge", "x".repeat(usize::from(*length))),
        }
    }
}

fn attribute(name: &str, value: &str, out: &mut String) {
    write!(out, " {name}='{value}'").expect("writing to a String cannot fail");
}

impl Request<'_> {
    fn ordinary(early: u8, payloads: u8) -> Self {
        let rid = Rid::Next(early);
        Self { rid, said: Vec::new(), stanzas: payloads, more: Said::Nothing }
    }

    /// The document; `rid` is the number when it is one that can be marked.
    fn document(&self, rid: &str, more: &str) -> String {
        let mut out = "<body xmlns='http://jabber.org/protocol/httpbind' sid='s'".to_owned();
        attribute("rid", rid, &mut out);
        attribute("xmlns:xmpp", "urn:xmpp:xbosh", &mut out);
        out.push_str(more);
        // None twice, or it is no XML.
        let said: BTreeMap<_, _> = self.said.iter().map(Attribute::name_and_value).collect();
        said.iter().for_each(|(name, value)| attribute(name, value, &mut out));
        out.push('>');
        for nth in 0..self.stanzas % 4 {
            write!(out, "<message xmlns='jabber:client' id='{MARK}{rid}' type='{nth}'/>")
                .expect("writing to a String cannot fail");
        }
        let more = self.more.or("<presence xmlns='jabber:client'/>");
        out.push_str(more.filter(|text| !text.contains(MARK)).unwrap_or_default());
        out.push_str("</body>");
        out
    }
}

fn read(document: &[u8]) -> Result<Body, Condition> {
    let mut decoder = BodyDecoder::new(Limits::BEFORE_AUTH);
    let mut rest = document;
    let mut read = || {
        decoder.read(&mut rest)?;
        decoder.read(&mut rest)
    };
    let read = read();
    read.and_then(|_| decoder.finish()).map_err(|_| Condition::BadRequest)
}

/// The same for the same response, and too short to be what is measured.
fn digest(reply: &Reply) -> u64 {
    let mut hasher = DefaultHasher::new();
    (reply.status, &*reply.body).hash(&mut hasher);
    hasher.finish()
}

/// Never the same twice, always the same from the start.
struct Counting(Cell<u8>);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0.set(self.0.get().wrapping_mul(5).wrapping_add(73));
            *byte = self.0.get();
        }
    }
}

/// Both sides of a session.
struct World {
    bosh: Bosh,
    now: Moment,
    settings: Settings,
    hooks: Hooks,
    random: Counting,
    /// What was agreed on.
    hold: usize,
    /// All requests up to this have come, and some behind it.
    received: u64,
    early: BTreeSet<u64>,
    /// HTTP requests without a response, and their numbers.
    waiting: BTreeMap<Ticket, Option<u64>>,
    tickets: Ticket,
    /// What was answered to which number.
    answered: BTreeMap<u64, u64>,
    /// Bytes of documents that were sent.
    sent_bytes: usize,
    /// The number of the payload that the stream has heard last, and its place.
    heard: (u64, u8),
    ended: bool,
}

impl World {
    /// A session; `None` when it is refused, as it should be.
    fn begin(begin: &Begin<'_>) -> Option<Self> {
        let mut settings = Settings::of(vec![Bare::host("capulet.lit").unwrap()], [7; 32]);
        settings.limits.bosh.hold_max = usize::from(begin.hold_max % 9);
        let (hooks, random, now) = (Hooks::of(&[]), Counting(Cell::new(1)), Moment(1_000));
        let mut more = String::new();
        let [wait, hold] = [&begin.wait, &begin.hold].map(|one| one.as_ref().map(Number::text));
        for (name, value) in [
            ("wait", wait.as_deref()),
            ("hold", hold.as_deref()),
            ("ver", begin.version.or("1.6")),
            ("content", begin.content.or("text/html")),
            ("to", begin.to.or("capulet.lit")),
        ] {
            value.into_iter().for_each(|value| attribute(name, value, &mut more));
        }
        let document = begin.request.document(&RID.to_string(), &more);
        let body = read(document.as_bytes()).ok()?;
        let ctx = Ctx { now, unix_ms: 0, random: &random, settings: &settings, hooks: &hooks };
        let hold = hold.map_or(1, |hold| hold.trim_ascii().parse().unwrap_or(usize::MAX));
        let hold = hold.min(settings.limits.bosh.hold_max);
        let bosh = match Bosh::begin(&ctx, body, 0) {
            Ok(bosh) => bosh,
            Err(reply) => {
                assert!(reply.body.contains("type='terminate'"), "{reply:?}");
                return None;
            }
        };
        Some(Self {
            bosh,
            now,
            hooks,
            random,
            hold,
            received: RID,
            early: BTreeSet::new(),
            waiting: [(0, Some(RID))].into(),
            tickets: 0,
            answered: BTreeMap::new(),
            sent_bytes: document.len(),
            heard: (0, 0),
            ended: false,
            settings,
        })
    }

    fn with<T>(&mut self, call: impl FnOnce(&mut Bosh, &Ctx<'_>, &mut Vec<Answer>) -> T) -> T {
        let mut answers = Vec::new();
        let Self { bosh, now, settings, hooks, random, .. } = self;
        let ctx = Ctx { now: *now, unix_ms: 0, random, settings, hooks };
        let done = call(bosh, &ctx, &mut answers);
        let over = self.bosh.is_over();
        for Answer { ticket, reply } in answers {
            let rid = self.waiting.remove(&ticket).expect("waits, and is answered once");
            if over || &*reply.body == RECOVERABLE {
                continue;
            }
            let rid = rid.expect("what has no number ends the session");
            let said = digest(&reply);
            assert_eq!(*self.answered.entry(rid).or_insert(said), said, "of {rid}");
        }
        assert!(!over || self.waiting.is_empty(), "over, and they wait: {:?}", self.waiting);
        let requests = self.hold + 1;
        assert!(self.waiting.len() <= 2 * requests, "{:?}", self.waiting);
        done
    }

    /// The client's request, or what stands in its place.
    fn send(&mut self, rid: Option<u64>, document: &[u8]) {
        self.sent_bytes += document.len();
        self.tickets += 1;
        let ticket = self.tickets;
        self.waiting.insert(ticket, rid);
        match read(document) {
            Ok(body) => {
                if let Some(rid) = rid.filter(|rid| *rid > self.received) {
                    self.early.insert(rid);
                }
                while self.early.remove(&(self.received + 1)) {
                    self.received += 1;
                }
                self.with(|bosh, ctx, out| bosh.request(ctx, body, ticket, out));
            }
            Err(why) => self.with(|bosh, _, out| bosh.broken(why, ticket, out)),
        }
    }

    fn request(&mut self, request: &Request<'_>) {
        let rid = match request.rid {
            Rid::Next(more) => self.received + 1 + u64::from(more % 4),
            Rid::Far(rid) => rid,
            Rid::Other(text) => return self.unnumbered(request, text),
            Rid::None => return self.unnumbered(request, ""),
        };
        self.send(Some(rid), request.document(&rid.to_string(), "").as_bytes());
    }

    fn again(&mut self, before: u8, request: &Request<'_>) {
        let rid = self.received.saturating_sub(u64::from(before % 8));
        self.send(Some(rid), request.document(&rid.to_string(), "").as_bytes());
    }

    /// It may be one that is a number, after all: then nothing is known of it.
    fn unnumbered(&mut self, request: &Request<'_>, text: &str) {
        if !text.bytes().any(|byte| byte.is_ascii_digit() || b"&'<".contains(&byte)) {
            self.send(None, request.document(text, "").as_bytes());
        }
    }

    fn take(&mut self) -> bool {
        let heard = self.with(|bosh, ctx, out| bosh.take(ctx, out));
        let Some(heard) = heard else { return false };
        let Heard::Element(element) = heard else { return true };
        self.check_order(&element);
        if element.starts_with("<open ") {
            self.with(|bosh, ctx, out| bosh.say(ctx, FEATURES, out));
        } else if element.starts_with("<close ") {
            self.end();
        }
        true
    }

    /// Each payload is heard once, in the order of the requests.
    fn check_order(&mut self, element: &Text) {
        let Some((_, marked)) = element.split_once(MARK) else { return };
        let rid = marked.split('\'').next().and_then(|rid| rid.parse().ok()).expect("a number");
        let nth = marked.split("type='").nth(1).and_then(|nth| nth.bytes().next());
        let place = (rid, nth.expect("has a place"));
        assert!(place > self.heard, "{place:?} comes after {:?}", self.heard);
        self.heard = place;
    }

    /// The stream takes all that has come. Then no more wait than may.
    fn listen(&mut self) {
        while self.take() {}
        let numbers = self.waiting.values().flatten();
        let held = numbers.filter(|rid| **rid <= self.received).count();
        assert!(held <= self.hold, "of {} are held {:?}", self.hold, self.waiting);
        assert!(!self.ended || held == 0, "it has ended, and they wait: {:?}", self.waiting);
    }

    /// As its driver, the stream hears what has come before it goes on.
    fn say(&mut self, element: &str) {
        self.listen();
        if !self.ended && !self.bosh.is_full() {
            self.with(|bosh, ctx, out| bosh.say(ctx, element, out));
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.with(|bosh, ctx, out| bosh.end(ctx, out));
    }

    /// Time passes; the session is called when it wants to be, and not again and again.
    fn pass(&mut self, ms: u64) {
        let until = self.now.after(ms);
        for _ in 0..64 {
            self.listen();
            let Some(wake) = self.bosh.wake().filter(|wake| *wake <= until) else {
                self.now = until;
                return;
            };
            self.now = wake.max(self.now);
            self.with(|bosh, ctx, out| bosh.tick(ctx, out));
        }
        panic!("it wakes for nothing: {:?}", self.bosh);
    }

    fn happens(&mut self, event: &Event<'_>) {
        match event {
            Event::Next(early, payloads) => self.request(&Request::ordinary(*early, *payloads)),
            Event::Repeated(before, payloads) => {
                self.again(*before, &Request::ordinary(0, *payloads));
            }
            Event::Request(request) => self.request(request),
            Event::Again(before, request) => self.again(*before, request),
            Event::Bytes(bytes) => {
                if !read(bytes).is_ok_and(|body| body.attribute("rid").is_some()) {
                    self.send(None, bytes);
                }
            }
            Event::Lost(nth) => {
                let nth = usize::from(*nth) % self.waiting.len().max(1);
                if let Some(ticket) = self.waiting.keys().nth(nth).copied() {
                    self.waiting.remove(&ticket);
                    self.with(|bosh, ctx, _| bosh.lost(ctx, ticket));
                }
            }
            Event::Take => drop(self.take()),
            Event::Listen => self.listen(),
            Event::Say(length) => {
                let text = "x".repeat(usize::from(*length) % (ELEMENT_BYTES_MAX - 64));
                self.say(&format!("<message xmlns='jabber:client'>{text}</message>"));
            }
            Event::Error => {
                self.say(ERROR);
                self.end();
            }
            Event::End => self.end(),
            Event::Cut => self.with(|bosh, _, out| bosh.cut(out)),
            Event::Tick(ms) => {
                self.now = self.now.after(u64::from(ms % 200_000));
                self.with(|bosh, ctx, out| bosh.tick(ctx, out));
            }
            Event::Pass(ms) => self.pass(u64::from(ms % 200_000)),
        }
    }

    /// Nobody comes any more.
    fn is_left_alone(mut self) {
        let limits = self.settings.limits.bosh;
        let inactivity_ms = 2 * (limits.inactivity_ms + limits.polling_ms);
        self.pass(limits.wait_ms_max + inactivity_ms.max(limits.pause_ms_max));
        assert!(self.waiting.is_empty(), "not answered: {:?}", self.waiting);
        assert!(self.bosh.is_over(), "goes on: {:?}", self.bosh);
    }

    /// What it holds: the last responses, the next one, and requests.
    fn is_measured(self) {
        let Self { bosh, hold, sent_bytes, .. } = self;
        let before = MEMORY.allocated();
        drop(bosh);
        let held = before - MEMORY.allocated();
        // A String that grows may take twice what it needs; an element is a small tree.
        let limit = (hold + 3) * RESPONSE_BYTES_MAX + 8 * sent_bytes.min(1 << 20) + (16 << 10);
        assert!(held <= limit, "{held} bytes are held, {limit} may be");
    }
}

fuzz_target!(|input: (Begin<'_>, Vec<Event<'_>>)| {
    let (begin, events) = input;
    let Some(mut world) = World::begin(&begin) else { return };
    for event in &events {
        world.happens(event);
    }
    match begin.measured {
        true => world.is_measured(),
        false => world.is_left_alone(),
    }
});
