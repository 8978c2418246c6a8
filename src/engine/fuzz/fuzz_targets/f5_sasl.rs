//! A client that says anything at all to the machine of its stream, but does not know the
//! secret: it is never authenticated, and nothing panics.
//!
//! `cargo +nightly fuzz run f5_sasl` in `src/engine`.

#![no_main]

use arbitrary::Arbitrary;
use base64::{Engine, prelude::BASE64_STANDARD};
use engine::{
    ctx::{Ctx, Moment, Random},
    hooks::Hooks,
    parcel::Say,
    port::Fault,
    settings::Settings,
    stream::{
        c2s::{C2s, Security},
        machine::{Act, Closed, Fact, Input, Machine, Out, Question, Tls},
        sasl,
    },
    unit::{Credentials, ScramKeys},
    wire::{Bare, Framing, Jid, StreamCondition},
};
use libfuzzer_sys::fuzz_target;
use std::{cell::Cell, sync::LazyLock};

const EXPORTER: [u8; 32] = [0xe5; 32];
const END_POINT: [u8; 32] = [0xed; 32];
const HEADER: &str = "<stream:stream to='capulet.lit' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/// What happens next.
#[derive(Arbitrary, Debug)]
enum Event<'a> {
    Bytes(&'a [u8]),
    Header,
    StartTls,
    Secured(Channel),
    Auth(Mechanism, Option<Message<'a>>),
    Response(Message<'a>),
    Abort,
    Bind(&'a str),
    Stanza,
    Footer,
    Tick(u32),
    /// The account says something it should not.
    Bound,
    Ended,
    Settled,
    /// Nobody has asked for these.
    Verified(bool),
    NoAccount,
    Busy,
    Throttled,
    Shutdown,
    Gone,
}

/// What TLS has found out. Certificates name somebody elsewhere, or who has no account.
#[derive(Arbitrary, Debug)]
struct Channel {
    exporter: bool,
    end_point: bool,
    stranger: bool,
    nobody: bool,
}

impl Channel {
    fn identities(&self) -> Vec<Bare> {
        let named = [(self.stranger, "juliet@montague.lit"), (self.nobody, "nobody@capulet.lit")];
        let named = named.into_iter().filter_map(|(is, name)| is.then_some(name));
        named.map(|name| Bare::parse(name).expect("is an address")).collect()
    }
}

#[derive(Arbitrary, Debug)]
enum Mechanism {
    Plain,
    Sha1,
    Sha256,
    Sha512,
    Sha1Plus,
    Sha256Plus,
    Sha512Plus,
    External,
    Anonymous,
    Other,
}

/// What is under the base64, or instead of it.
#[derive(Arbitrary, Debug)]
enum Message<'a> {
    NotBase64(&'a str),
    Bytes(&'a [u8]),
    Plain { authzid: Name<'a>, user: Name<'a>, password: &'a str },
    First { flag: Flag, authzid: Option<Name<'a>>, user: Name<'a>, nonce: &'a str, more: &'a str },
    Final { binding: Flag, nonce: Option<&'a str>, more: &'a str, proof: Proof<'a> },
}

#[derive(Arbitrary, Debug)]
enum Name<'a> {
    None,
    Juliet,
    JulietsAddress,
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Flag {
    No,
    Yes,
    Exporter,
    EndPoint,
    Unique,
}

#[derive(Arbitrary, Debug)]
enum Proof<'a> {
    Zeros(u8),
    StoredKey,
    Bytes(&'a [u8]),
}

impl Name<'_> {
    fn text(&self) -> &str {
        match self {
            Self::None => "",
            Self::Juliet => "juliet",
            Self::JulietsAddress => "juliet@capulet.lit",
            Self::Other(name) => name,
        }
    }
}

impl Flag {
    fn text(&self) -> &str {
        match self {
            Self::No => "n",
            Self::Yes => "y",
            Self::Exporter => "p=tls-exporter",
            Self::EndPoint => "p=tls-server-end-point",
            Self::Unique => "p=tls-unique",
        }
    }

    /// What the channel has of it: a client knows that without the secret.
    fn data(&self) -> &'static [u8] {
        match self {
            Self::No | Self::Yes | Self::Unique => &[],
            Self::Exporter => &EXPORTER,
            Self::EndPoint => &END_POINT,
        }
    }
}

/// The world: juliet has an account, and keys that no password derives.
struct World {
    machine: C2s,
    now: Moment,
    settings: Settings,
    hooks: Hooks,
    random: Counting,
    /// Of the last challenge.
    nonce: String,
    closed: bool,
}

struct Counting(Cell<u8>);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0.set(self.0.get().wrapping_add(1));
            *byte = self.0.get();
        }
    }
}

static JULIET: LazyLock<Credentials> = LazyLock::new(|| {
    let keys = |length: usize| {
        let key = |first: u8| (0..length).map(|at| first ^ (at as u8).wrapping_mul(91)).collect();
        Some(ScramKeys {
            salt: b"0123456789abcdef".to_vec(),
            iterations: 1,
            stored_key: key(201),
            server_key: key(17),
        })
    };
    Credentials { sha1: keys(20), sha256: keys(32), sha512: keys(64), ..Credentials::default() }
});

impl World {
    fn new(security: Security) -> Self {
        let settings = Settings::of(vec![Bare::host("capulet.lit").unwrap()], [7; 32]);
        let (hooks, random, now) = (Hooks::of(&[]), Counting(Cell::new(0)), Moment(0));
        let ctx = Ctx { now, unix_ms: 0, random: &random, settings: &settings, hooks: &hooks };
        let machine = C2s::new(&ctx, security, Framing::Stream);
        Self { machine, now, settings, hooks, random, nonce: String::new(), closed: false }
    }

    fn hears(&mut self, input: Input<'_>) {
        let mut out = Out::default();
        let Self { now, ref settings, ref hooks, ref random, .. } = *self;
        let ctx = Ctx { now, unix_ms: 0, random, settings, hooks };
        self.machine.handle(&ctx, input, &mut out);
        let said = String::from_utf8(out.bytes).expect("UTF-8 is sent");
        assert!(!said.contains("<success"), "authenticated without the secret");
        assert!(!self.closed || said.is_empty(), "spoke after the end: {said}");
        assert!(!self.closed || out.acts.is_empty(), "acted after the end: {:?}", out.acts);
        if let Some((_, challenge)) =
            said.rsplit_once("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>")
        {
            let (challenge, _) = challenge.split_once('<').expect("is closed");
            let challenge = BASE64_STANDARD.decode(challenge).expect("base64 is sent");
            let challenge = String::from_utf8(challenge).expect("UTF-8 is sent");
            let nonce = challenge.split(',').next().and_then(|nonce| nonce.strip_prefix("r="));
            self.nonce = nonce.unwrap_or_default().to_owned();
        }
        for act in out.acts {
            match act {
                Act::Ask(question) => self.answer(question),
                Act::Submit(account, said) => panic!("{account} was told {said:?}"),
                Act::Impersonates(by, account) => panic!("{by} acts as {account}"),
                Act::Forget(account) => panic!("{account} was never made"),
                Act::Close(closed) => self.close(closed),
                Act::StartTls | Act::Tried(..) | Act::Ping | Act::Wake(_) => {}
            }
        }
        assert!(!self.closed || !self.machine.hungry());
    }

    fn close(&mut self, closed: Closed) {
        assert!(!matches!(closed, Closed::Error(StreamCondition::InternalServerError, _)));
        self.closed = true;
    }

    fn answer(&mut self, question: Question) {
        let fact = match question {
            Question::Credentials(account) => Fact::Credentials(match account.local() {
                Some("juliet") => Ok(Some(JULIET.clone())),
                Some(name) if name.starts_with('f') => Err(Fault::Away("fuzz".to_owned())),
                _ => Ok(None),
            }),
            Question::Verify { password, kept, mut made_up, .. } => {
                // Made-up keys take milliseconds; what they take is not what is tested here.
                for keys in [&mut made_up.sha1, &mut made_up.sha256, &mut made_up.sha512] {
                    keys.as_mut().expect("all are made up").iterations = 1;
                }
                let told = sasl::verify(&password.0, &kept, &made_up);
                told.map_or(Fact::Busy, Fact::Verified)
            }
            Question::Account(account) => panic!("nobody may act as {account}"),
            Question::Guest(account) => panic!("{account} is made where guests do not come"),
            Question::Device(..) | Question::Settle { .. } | Question::Upgrade(..) => {
                unreachable!("there is no profile in which these are asked")
            }
            Question::Request { .. } => unreachable!("no XEP hangs here"),
        };
        self.hears(Input::Fact(fact));
    }

    fn says(&mut self, xml: &str) {
        self.hears(Input::Bytes(xml.as_bytes()));
    }

    fn message(&self, message: &Message<'_>) -> String {
        let plain = match message {
            Message::NotBase64(text) => return (*text).to_owned(),
            Message::Bytes(bytes) => return BASE64_STANDARD.encode(bytes),
            Message::Plain { authzid, user, password } => {
                format!("{}\0{}\0{password}", authzid.text(), user.text())
            }
            Message::First { flag, authzid, user, nonce, more } => {
                let authzid = authzid.as_ref().map(|name| format!("a={}", name.text()));
                let (flag, user) = (flag.text(), user.text());
                format!("{flag},{},n={user},r={nonce}{more}", authzid.unwrap_or_default())
            }
            Message::Final { binding, nonce, more, proof } => {
                let header = format!("{},,", binding.text());
                let binding = BASE64_STANDARD.encode([header.as_bytes(), binding.data()].concat());
                let nonce = nonce.unwrap_or(&self.nonce);
                let proof = match proof {
                    Proof::Zeros(length) => vec![0; usize::from(*length)],
                    Proof::StoredKey => JULIET.sha1.as_ref().expect("kept").stored_key.clone(),
                    Proof::Bytes(bytes) => bytes.to_vec(),
                };
                format!("c={binding},r={nonce}{more},p={}", BASE64_STANDARD.encode(proof))
            }
        };
        BASE64_STANDARD.encode(plain)
    }

    fn happens(&mut self, event: Event<'_>) {
        const SASL: &str = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
        match event {
            Event::Bytes(bytes) => self.hears(Input::Bytes(bytes)),
            Event::Header => self.says(HEADER),
            Event::StartTls => self.says("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            Event::Secured(channel) => self.hears(Input::Secured(Tls {
                exporter: channel.exporter.then_some(EXPORTER),
                end_point: channel.end_point.then(|| END_POINT.as_slice().into()),
                identities: channel.identities(),
                ..Tls::UNKNOWN
            })),
            Event::Auth(mechanism, message) => {
                let mechanism = match mechanism {
                    Mechanism::Plain => "PLAIN",
                    Mechanism::Sha1 => "SCRAM-SHA-1",
                    Mechanism::Sha256 => "SCRAM-SHA-256",
                    Mechanism::Sha512 => "SCRAM-SHA-512",
                    Mechanism::Sha1Plus => "SCRAM-SHA-1-PLUS",
                    Mechanism::Sha256Plus => "SCRAM-SHA-256-PLUS",
                    Mechanism::Sha512Plus => "SCRAM-SHA-512-PLUS",
                    Mechanism::External => "EXTERNAL",
                    Mechanism::Anonymous => "ANONYMOUS",
                    Mechanism::Other => "DIGEST-MD5",
                };
                let message = message.map(|message| self.message(&message)).unwrap_or_default();
                self.says(&format!("<auth {SASL} mechanism='{mechanism}'>{message}</auth>"));
            }
            Event::Response(message) => {
                let message = self.message(&message);
                self.says(&format!("<response {SASL}>{message}</response>"));
            }
            Event::Abort => self.says(&format!("<abort {SASL}/>")),
            Event::Bind(resource) => self.says(&format!(
                "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                 <resource>{resource}</resource></bind></iq>"
            )),
            Event::Stanza => self.says("<message to='romeo@montague.lit'><body>x</body></message>"),
            Event::Footer => self.says("</stream:stream>"),
            Event::Tick(ms) => {
                self.now = self.now.after(u64::from(ms % 20_000));
                self.hears(Input::Tick);
            }
            Event::Bound => {
                let jid = Jid::parse("juliet@capulet.lit/x").expect("is an address");
                self.hears(Input::Say(Say::Bound(jid, Vec::new())));
            }
            Event::Ended => self.hears(Input::Say(Say::End(StreamCondition::Conflict.into()))),
            Event::Settled => self.hears(Input::Say(Say::Settled(1))),
            Event::Verified(yes) => self.hears(Input::Fact(Fact::Verified(yes))),
            Event::NoAccount => self.hears(Input::Fact(Fact::Credentials(Ok(None)))),
            Event::Busy => self.hears(Input::Fact(Fact::Busy)),
            Event::Throttled => self.hears(Input::Fact(Fact::Throttled)),
            Event::Shutdown => self.hears(Input::Shutdown),
            Event::Gone => self.hears(Input::Gone),
        }
    }
}

fuzz_target!(|input: (Option<Channel>, Vec<Event<'_>>)| {
    let (direct, events) = input;
    let mut world = World::new(match direct {
        Some(_) => Security::Direct,
        None => Security::Required,
    });
    if let Some(channel) = direct {
        world.happens(Event::Secured(channel));
        world.happens(Event::Header);
    }
    for event in events {
        world.happens(event);
    }
});
