//! A client and a stream on both sides of a session, in virtual time.

use super::*;
use crate::{ctx::Random, hooks::Hooks, settings::Settings};
use std::cell::Cell;
use wire::{Bare, BodyDecoder, Limits};

mod ending;
mod order;
mod terms;
mod waiting;

const RID: u64 = 1_573_741_820;
const START: &str = "ver='1.6' to='capulet.lit' hold='1' wait='60' xml:lang='en' \
    xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'";
const FEATURES: &str = "<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>";
const EMPTY: &str = "<body xmlns='http://jabber.org/protocol/httpbind'/>";
const HELLO: &str = "<message xmlns='jabber:client'><body>Hello</body></message>";

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

fn body(attributes: &str, payloads: &str) -> Body {
    let document =
        format!("<body xmlns='http://jabber.org/protocol/httpbind' {attributes}>{payloads}</body>");
    let mut decoder = BodyDecoder::new(Limits::CLIENT);
    let mut input = document.as_bytes();
    decoder.read(&mut input).unwrap();
    decoder.read(&mut input).unwrap();
    decoder.finish().unwrap()
}

/// A session, the clock, and the HTTP responses that came: of the request with which number, and
/// what.
struct Session {
    bosh: Bosh,
    now: Moment,
    settings: Settings,
    hooks: Hooks,
    random: Counting,
    answers: Vec<Answer>,
    /// What the stream has heard.
    heard: Vec<Heard>,
}

impl Session {
    fn try_begin(attributes: &str, settings: Settings) -> Result<Self, Reply> {
        let (hooks, random, now) = (Hooks::of(&[]), Counting(Cell::new(1)), Moment(1_000));
        let ctx = Ctx { now, unix_ms: 0, random: &random, settings: &settings, hooks: &hooks };
        let bosh = Bosh::begin(&ctx, body(&format!("rid='{RID}' {attributes}"), ""), 0)?;
        Ok(Self { bosh, now, settings, hooks, random, answers: vec![], heard: vec![] })
    }

    fn begin(attributes: &str) -> Self {
        Self::try_begin(attributes, settings(&["capulet.lit"])).unwrap()
    }

    /// A session whose first request has been answered with features.
    fn open_with(attributes: &str) -> Self {
        let mut session = Self::begin(attributes);
        session.listen();
        session.say(FEATURES);
        session.listen();
        assert_eq!(session.answers.len(), 1);
        session.answers.clear();
        session.heard.clear();
        session
    }

    fn open() -> Self {
        Self::open_with(START)
    }

    fn with<T>(&mut self, call: impl FnOnce(&mut Bosh, &Ctx<'_>, &mut Vec<Answer>) -> T) -> T {
        let Self { bosh, now, settings, hooks, random, answers, .. } = self;
        let ctx = Ctx { now: *now, unix_ms: 0, random, settings, hooks };
        call(bosh, &ctx, answers)
    }

    /// The client sends its nth request. The ticket is that number.
    fn send(&mut self, nth: u64, attributes: &str, payloads: &str) {
        self.send_as(nth, nth, attributes, payloads);
    }

    fn send_as(&mut self, ticket: Ticket, nth: u64, attributes: &str, payloads: &str) {
        let body = body(&format!("rid='{}' sid='s' {attributes}", RID + nth), payloads);
        self.with(|bosh, ctx, out| bosh.request(ctx, body, ticket, out));
    }

    /// The same, and the stream takes it all.
    fn says(&mut self, nth: u64, payloads: &str) {
        self.send(nth, "", payloads);
        self.listen();
    }

    fn listen(&mut self) {
        while let Some(heard) = self.with(|bosh, ctx, out| bosh.take(ctx, out)) {
            self.heard.push(heard);
        }
    }

    fn say(&mut self, element: &str) {
        self.with(|bosh, ctx, out| bosh.say(ctx, element, out));
    }

    fn end(&mut self) {
        self.with(|bosh, ctx, out| bosh.end(ctx, out));
    }

    fn lose(&mut self, ticket: Ticket) {
        self.with(|bosh, ctx, _| bosh.lost(ctx, ticket));
    }

    /// Time passes; the session is called when it wants to be, and not again and again.
    fn pass(&mut self, ms: u64) {
        let until = self.now.after(ms);
        for _ in 0..20 {
            let Some(wake) = self.bosh.wake().filter(|wake| *wake <= until) else {
                self.now = until;
                return;
            };
            self.now = wake.max(self.now);
            self.with(|bosh, ctx, out| bosh.tick(ctx, out));
        }
        panic!("it wakes for nothing: {:?}", self.bosh);
    }

    /// The responses since the last look: tickets and bodies.
    fn responses(&mut self) -> Vec<(Ticket, String)> {
        let all = self.answers.drain(..);
        all.map(|answer| (answer.ticket, answer.reply.body.to_string())).collect()
    }

    /// What the stream has heard since the last look, empty requests left out.
    fn elements(&mut self) -> Vec<String> {
        let all = self.heard.drain(..).filter_map(|heard| match heard {
            Heard::Element(element) => Some(element.to_string()),
            Heard::Alive => None,
        });
        all.collect()
    }
}

fn settings(domains: &[&str]) -> Settings {
    Settings::of(domains.iter().map(|domain| Bare::host(domain).unwrap()).collect(), [7; 32])
}

fn with_payload(payload: &str) -> String {
    format!("<body xmlns='http://jabber.org/protocol/httpbind'>{payload}</body>")
}

fn terminal(condition: &str) -> String {
    format!(
        "<body xmlns='http://jabber.org/protocol/httpbind' type='terminate' \
         condition='{condition}'/>"
    )
}
