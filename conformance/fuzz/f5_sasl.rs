//! A client that says anything at all to the machine of its stream. Nobody is authenticated but who
//! has just shown its secret, and as nobody else; and nothing panics.
//!
//! juliet's secrets are nobody's here. romeo's are the client's, sometimes: so it also comes to
//! what is behind a login, and has tokens to use wrong.
//!
//! `cargo +nightly fuzz run f5_sasl` in `conformance`.

#![no_main]

#[path = "f5_sasl/words.rs"]
mod words;
#[path = "f5_sasl/world.rs"]
mod world;

use arbitrary::Arbitrary;
use engine::{
    parcel::Say,
    stream::{
        c2s::Security,
        machine::{Fact, Input},
    },
    wire::{Jid, StreamCondition},
};
use libfuzzer_sys::fuzz_target;
use words::{Channel, Mechanism, Message, Name, Password, TokenUse, Wishes};
use world::World;

const SASL: &str = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
const SASL2: &str = "xmlns='urn:xmpp:sasl:2'";
const DAY_MS: u64 = 86_400_000;

/// What happens next.
#[derive(Arbitrary, Debug)]
enum Event<'a> {
    /// romeo comes by his password, and as somebody else if he is told to.
    Comes(Channel, Option<Name<'a>>, Wishes),
    /// romeo comes back by a token of this device, the fresh one or the other.
    Returns(Channel, bool, Option<u8>, bool, Wishes),
    Bytes(&'a [u8]),
    Header,
    StartTls,
    Secured(Channel),
    Auth(Mechanism, Option<Message<'a>>),
    Response(Message<'a>),
    Abort,
    /// In one go (XEP-0388).
    Authenticate(Mechanism, Option<Message<'a>>, Wishes),
    Token(TokenUse<'a>, Wishes),
    Response2(Message<'a>),
    Abort2,
    Next(Task),
    TaskData(&'a [u8]),
    /// The account takes no session, or some again.
    Full(bool),
    /// The store is away, or back.
    Away(bool),
    /// romeo's password is set again.
    PasswordSet,
    Days(u8),
    /// Another connection.
    Reconnect(Option<Channel>),
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
    OtherAccount,
    Busy,
    Throttled,
    Shutdown,
    Gone,
}

#[derive(Arbitrary, Debug)]
enum Task {
    Sha1,
    Sha256,
    Sha512,
    Other,
}

impl World {
    fn happens(&mut self, event: Event<'_>) {
        match event {
            Event::Comes(..) | Event::Returns(..) => self.comes(event),
            Event::Bytes(bytes) => self.bytes(bytes),
            Event::Header => self.greets(),
            Event::StartTls => self.says("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            Event::Secured(channel) => self.secured(&channel),
            Event::Auth(..) | Event::Response(_) | Event::Abort => self.logs_in(event),
            Event::Authenticate(..) | Event::Token(..) | Event::Response2(_) | Event::Abort2 => {
                self.logs_in_at_once(event);
            }
            Event::Next(_) | Event::TaskData(_) => self.does_a_task(event),
            Event::Full(full) => self.full = full,
            Event::Away(away) => self.away = away,
            Event::PasswordSet => self.romeo.changed += 1,
            Event::Days(days) => self.now = self.now.after(u64::from(days) * DAY_MS),
            Event::Reconnect(channel) => self.reconnects(channel),
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
            other => self.is_told(other),
        }
    }

    fn comes(&mut self, event: Event<'_>) {
        match event {
            Event::Comes(channel, authzid, wishes) => {
                self.reconnects(Some(channel));
                let (authzid, user) = (authzid.unwrap_or(Name::None), Name::Romeo);
                let message = Message::Plain { authzid, user, password: Password::Romeos };
                let begins = Event::Authenticate(Mechanism::Plain, Some(message), wishes);
                self.logs_in_at_once(begins);
            }
            Event::Returns(channel, fresh, count, invalidate, wishes) => {
                self.reconnects(Some(channel));
                let device = wishes.device;
                let Some(kind) = self.given(device, fresh).map(|given| given.kind) else { return };
                let used = TokenUse {
                    user: Name::Romeo,
                    device,
                    fresh,
                    guessed: None,
                    kind,
                    responder: false,
                    bound: kind.flag(),
                    count,
                    invalidate,
                };
                self.logs_in_at_once(Event::Token(used, wishes));
            }
            _ => {}
        }
    }

    fn logs_in(&mut self, event: Event<'_>) {
        match event {
            Event::Auth(mechanism, message) => {
                let is_true = message.as_ref().is_some_and(|message| self.is_true(message));
                self.begins(self.is_certified(&mechanism) || is_true, None);
                let message = message.map(|message| self.message(&message)).unwrap_or_default();
                let mechanism = mechanism.name();
                self.says(&format!("<auth {SASL} mechanism='{mechanism}'>{message}</auth>"));
            }
            Event::Response(message) => {
                self.shown |= self.is_true(&message);
                let message = self.message(&message);
                self.says(&format!("<response {SASL}>{message}</response>"));
            }
            _ => self.says(&format!("<abort {SASL}/>")),
        }
    }

    fn logs_in_at_once(&mut self, event: Event<'_>) {
        match event {
            Event::Authenticate(mechanism, message, wishes) => {
                let is_true = message.as_ref().is_some_and(|message| self.is_true(message));
                self.begins(self.is_certified(&mechanism) || is_true, Some(wishes.login(None)));
                let message = message.map(|message| self.message(&message));
                self.authenticates(mechanism.name(), message, &wishes.text());
            }
            Event::Token(used, wishes) => {
                let (message, uses) = self.token(&used);
                let is_true = uses.is_some() && used.device == wishes.device;
                self.begins(is_true, Some(wishes.login(uses)));
                let wishes = format!("{}{}", used.text(), wishes.text());
                self.authenticates(used.kind.name(), Some(message), &wishes);
            }
            Event::Response2(message) => {
                self.shown |= self.is_true(&message);
                let message = self.message(&message);
                self.says(&format!("<response {SASL2}>{message}</response>"));
            }
            _ => self.says(&format!("<abort {SASL2}/>")),
        }
    }

    fn authenticates(&mut self, mechanism: &str, message: Option<String>, wishes: &str) {
        let initial = message.map(|text| format!("<initial-response>{text}</initial-response>"));
        self.says(&format!(
            "<authenticate {SASL2} mechanism='{mechanism}'>{}{wishes}</authenticate>",
            initial.unwrap_or_default()
        ));
    }

    fn does_a_task(&mut self, event: Event<'_>) {
        match event {
            Event::Next(task) => {
                let name = match task {
                    Task::Sha1 => "UPGR-SCRAM-SHA-1",
                    Task::Sha256 => "UPGR-SCRAM-SHA-256",
                    Task::Sha512 => "UPGR-SCRAM-SHA-512",
                    Task::Other => "UPGR-BLOOP2",
                };
                self.says(&format!("<next {SASL2} task='{name}'/>"));
            }
            Event::TaskData(bytes) => {
                let hash = words::encoded(bytes);
                self.says(&format!(
                    "<task-data {SASL2}><hash xmlns='urn:xmpp:scram-upgrade:0'>{hash}</hash>\
                     </task-data>"
                ));
            }
            _ => {}
        }
    }

    fn is_told(&mut self, event: Event<'_>) {
        let input = match event {
            Event::Bound => {
                let jid = Jid::parse("juliet@capulet.lit/x").expect("is an address");
                Input::Say(Say::Bound(jid, Vec::new()))
            }
            Event::Ended => Input::Say(Say::End(StreamCondition::Conflict.into())),
            Event::Settled => Input::Say(Say::Settled(1)),
            Event::Verified(yes) => Input::Fact(Fact::Verified(yes)),
            Event::NoAccount => Input::Fact(Fact::Credentials(Ok(None))),
            Event::OtherAccount => Input::Fact(Fact::Account(Ok(true))),
            Event::Busy => Input::Fact(Fact::Busy),
            Event::Throttled => Input::Fact(Fact::Throttled),
            Event::Shutdown => Input::Shutdown,
            _ => Input::Gone,
        };
        self.hears(input);
    }
}

fuzz_target!(|input: (Option<Channel>, bool, Vec<Event<'_>>)| {
    let (direct, impersonates, events) = input;
    let mut world = World::new(impersonates);
    if direct.is_some() {
        world.reconnects(direct);
    } else {
        world.connects(Security::Required);
    }
    for event in events {
        world.happens(event);
    }
});
