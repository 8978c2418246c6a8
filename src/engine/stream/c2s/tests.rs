//! A client on the other side of a simulated wire.

mod authentication;
mod binding;
mod channel;
mod closing;
mod external;
mod framing;
mod guests;
mod header;
mod impersonation;
mod stranger;
mod tls;

use super::*;
use crate::{
    ctx::Random,
    hook::{Answer, Hook, Of, Replied, Reply, Status, Xep},
    hooks::Hooks,
    port::Fault,
    settings::Settings,
    stream::{
        machine::{Question, Tls},
        sasl,
    },
    unit::Credentials,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::cell::Cell;
use wire::{StanzaCondition, StreamCondition, StreamError};

pub(super) const HEADER: &str = "<?xml version='1.0'?><stream:stream to='capulet.lit' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
pub(super) const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
pub(super) const PASSWORD: &str = "r0m30myr0m30";

const DOOR: wire::Name = wire::Name::new("toy", "door");
const ASKED: wire::Name = wire::Name::new("toy", "asked");
const ANSWER: wire::Name = wire::Name::new("toy", "answer");

/// A XEP that answers who has not logged in, what, the peer of the test decides; and that asks
/// something itself.
const DOORMAN: Xep = Xep {
    number: 9997,
    name: "Doorman",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[
        Hook::get(Of::Stream, DOOR, Answer::World(|_, _| unreachable!("the peer answers"))),
        Hook::set(Of::Stream, DOOR, Answer::World(|_, _| unreachable!("the peer answers"))),
        Hook::Asks(ASKED, ANSWER),
    ],
};

/// Never the same twice, always the same from the start.
struct Seeded(Cell<u8>);

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0.set(self.0.get().wrapping_mul(5).wrapping_add(73));
            *byte = self.0.get();
        }
        self.0.set(self.0.get().wrapping_add(1));
    }
}

/// The machine, and the world that it sees. `juliet@capulet.lit` has an account.
pub(super) struct Peer {
    pub machine: C2s,
    pub now: Moment,
    pub settings: Settings,
    /// What is kept of juliet's password, or why it cannot be read.
    pub juliet: Result<Credentials, Fault>,
    /// What requests before login are answered.
    pub reply: Replied,
    /// Whether accounts are made for guests.
    pub hospitable: bool,
    /// Whether questions are answered as they come.
    pub answering: bool,
    pub acts: Vec<Act>,
    hooks: Hooks,
    random: Seeded,
}

impl Peer {
    pub fn new(security: Security) -> Self {
        Self::of(security, &["capulet.lit"])
    }

    pub fn of(security: Security, domains: &[&str]) -> Self {
        Self::by(security, domains, Framing::Stream)
    }

    fn by(security: Security, domains: &[&str], framing: Framing) -> Self {
        let domains = domains.iter().map(|domain| Bare::host(domain).unwrap()).collect();
        let settings = Settings::of(domains, [7; 32]);
        let random = Seeded(Cell::new(1));
        let hooks = Hooks::of(&[&DOORMAN]);
        let now = Moment(1_000);
        let ctx = Ctx { now, unix_ms: 0, random: &random, settings: &settings, hooks: &hooks };
        let machine = C2s::new(&ctx, security, framing);
        let juliet = Ok(weak_credentials(PASSWORD));
        let (acts, reply) = (Vec::new(), Ok(Reply::Empty));
        Self {
            machine,
            now,
            settings,
            juliet,
            reply,
            hospitable: true,
            answering: true,
            acts,
            hooks,
            random,
        }
    }

    /// Under TLS, nothing said yet.
    pub fn secured() -> Self {
        let mut peer = Self::new(Security::Direct);
        assert_eq!(peer.hears(Input::Secured(Tls::default())), "");
        peer
    }

    /// The same, with each element in a message of its own.
    pub fn framed() -> Self {
        let mut peer = Self::by(Security::Direct, &["capulet.lit"], Framing::Framed);
        assert_eq!(peer.hears(Input::Secured(Tls::default())), "");
        peer
    }

    /// Its header has been answered with mechanisms.
    pub fn greeted() -> Self {
        let mut peer = Self::secured();
        assert!(peer.says(HEADER).contains("<mechanism>"));
        peer
    }

    /// Authenticated as juliet; bind is offered.
    pub fn authenticated() -> Self {
        let mut peer = Self::greeted();
        let said = peer.says(&auth_plain("juliet", PASSWORD));
        assert_eq!(said, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
        assert!(peer.says(HEADER).contains("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"));
        peer
    }

    /// `juliet@capulet.lit/balcony`, with nothing left to do.
    pub fn bound() -> Self {
        let mut peer = Self::authenticated();
        peer.says(&bind("balcony"));
        peer.hears(Input::Say(Say::Bound(jid("juliet@capulet.lit/balcony"), Vec::new())));
        peer.acts.clear();
        peer
    }

    /// What the server says to this.
    pub fn says(&mut self, xml: &str) -> String {
        self.hears(Input::Bytes(xml.as_bytes()))
    }

    /// What the server says when this happens, and after its questions have been answered.
    pub fn hears(&mut self, input: Input<'_>) -> String {
        self.messages(input).concat()
    }

    /// The same, each element for itself.
    pub fn messages(&mut self, input: Input<'_>) -> Vec<String> {
        let mut out = Out::default();
        let Self { now, ref settings, ref hooks, ref random, .. } = *self;
        let ctx = Ctx { now, unix_ms: now.0, random, settings, hooks };
        self.machine.handle(&ctx, input, &mut out);
        let mut rest = &*String::from_utf8(out.bytes).expect("UTF-8 is sent");
        let mut said = Vec::new();
        let mut begin = 0;
        for end in out.ends {
            let (one, after) = rest.split_at(end - begin);
            said.push(one.to_owned());
            (rest, begin) = (after, end);
        }
        // White space.
        said.extend((!rest.is_empty()).then(|| rest.to_owned()));
        for act in out.acts {
            match act {
                Act::Ask(question) if self.answering => {
                    let fact = self.answer(question);
                    said.extend(self.messages(Input::Fact(fact)));
                }
                act => self.acts.push(act),
            }
        }
        said
    }

    pub fn answer(&self, question: Question) -> Fact {
        match question {
            Question::Credentials(account) if account == bare("juliet@capulet.lit") => {
                Fact::Credentials(self.juliet.clone().map(Some))
            }
            Question::Credentials(_) => Fact::Credentials(Ok(None)),
            Question::Verify { password, kept, made_up, .. } => {
                Fact::Verified(sasl::verify(&password.0, &kept, &made_up).unwrap())
            }
            Question::Account(_) if self.juliet.is_err() => {
                Fact::Account(self.juliet.clone().map(|_| true))
            }
            Question::Account(account) => {
                let there = ["juliet@capulet.lit", "romeo@montague.lit"];
                Fact::Account(Ok(there.contains(&account.as_str())))
            }
            // No profile hangs here in which these are asked.
            Question::Ends(_) => Fact::Ends(Ok(None)),
            Question::Device(..) => Fact::Device(Ok(None)),
            Question::Settle { .. } | Question::Upgrade(..) => {
                Fact::Settled(Err(Fault::Refused("nobody asks for it".into())))
            }
            Question::Guest(_) => Fact::Guest(self.hospitable),
            Question::Request { .. } => Fact::Replied(self.reply.clone()),
        }
    }

    /// What has been handed to the account, newest last.
    pub fn submitted(&self) -> Vec<&Said> {
        let said = self.acts.iter().map(|act| match act {
            Act::Submit(account, said) => {
                assert_eq!(*account, bare("juliet@capulet.lit"));
                Some(said)
            }
            _ => None,
        });
        said.flatten().collect()
    }

    /// The last stanza handed to the account.
    pub fn submitted_stanza(&self) -> String {
        match self.submitted().last() {
            Some(Said::Stanza(stanza)) => stanza.to_text().to_string(),
            other => panic!("no stanza but {other:?}"),
        }
    }

    pub fn closed(&self) -> Option<Closed> {
        let mut closed = self.acts.iter().filter_map(|act| match act {
            Act::Close(closed) => Some(*closed),
            _ => None,
        });
        let first = closed.next();
        assert_eq!(closed.next(), None, "closed twice");
        first
    }

    pub fn wakes(&mut self) -> Vec<Moment> {
        let wakes = self.acts.extract_if(.., |act| matches!(act, Act::Wake(_)));
        wakes.map(|act| if let Act::Wake(at) = act { at } else { unreachable!() }).collect()
    }

    /// `says`, and the stream ends with this error behind our header and anything else.
    #[track_caller]
    pub fn fails(&mut self, xml: &str, condition: &str) -> String {
        let said = self.says(xml);
        self.has_failed(&said, condition);
        said
    }

    /// The error was the last word, and nothing is heard any more.
    #[track_caller]
    pub fn has_failed(&mut self, said: &str, condition: &str) {
        let error = format!(
            "<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text "
        );
        assert!(said.contains(&error), "{condition} expected: {said}");
        assert!(said.ends_with("</stream:error></stream:stream>"), "{said}");
        let Some(Closed::Error(closed, _)) = self.closed() else { panic!("not closed: {said}") };
        assert_eq!(closed.as_str(), condition);
        assert!(!self.machine.hungry());
        let acts = self.acts.len();
        assert_eq!(self.says("<message/></stream:stream>"), "");
        assert_eq!(self.hears(Input::Tick), "");
        assert_eq!(self.hears(Input::Gone), "");
        assert_eq!(self.acts.len(), acts, "something was done after the end");
    }
}

pub(super) fn bare(text: &str) -> Bare {
    Bare::parse(text).unwrap()
}

pub(super) fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

pub(super) fn auth_plain(user: &str, password: &str) -> String {
    auth("PLAIN", &format!("\0{user}\0{password}"))
}

pub(super) fn auth(mechanism: &str, message: &str) -> String {
    let message = BASE64_STANDARD.encode(message);
    format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{message}</auth>"
    )
}

pub(super) fn response(message: &str) -> String {
    let message = BASE64_STANDARD.encode(message);
    format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{message}</response>")
}

pub(super) fn failure(condition: &str) -> String {
    format!("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><{condition}/></failure>")
}

pub(super) fn bind(resource: &str) -> String {
    format!(
        "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <resource>{resource}</resource></bind></iq>"
    )
}

/// Keys of one iteration: tests are many.
fn weak_credentials(password: &str) -> Credentials {
    let keys = |hash| Some(sasl::derive(password, b"salt of a test..", 1, hash));
    Credentials {
        sha1: keys(sasl::Hash::Sha1),
        sha256: keys(sasl::Hash::Sha256),
        sha512: keys(sasl::Hash::Sha512),
        ..Credentials::default()
    }
}
