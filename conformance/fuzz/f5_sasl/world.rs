//! The server's side: juliet, romeo and nurse have accounts; and what must never be.

use crate::words::{Channel, Device, Kind, Mechanism};
use base64::{Engine, prelude::BASE64_STANDARD};
use engine::{
    ctx::{Ctx, Moment, Random},
    device,
    hooks::Hooks,
    parcel::{Said, Say},
    port::Fault,
    settings::Settings,
    stream::{
        c2s::{C2s, Security},
        machine::{Act, Closed, Fact, Input, Machine, Out, Question, Tls},
        sasl::{self, Hash},
    },
    unit::{Credentials, ScramKeys},
    wire::{Bare, Framing, StanzaCondition, StreamCondition},
};
use std::{cell::Cell, collections::BTreeMap, sync::LazyLock};
use xeps::xep_0388_sasl2;

pub const PASSWORD: &str = "wherefore art thou";
const HEADER: &str = "<stream:stream to='capulet.lit' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const JULIET: &str = "juliet@capulet.lit";
const ROMEO: &str = "romeo@capulet.lit";
const NURSE: &str = "nurse@capulet.lit";
/// When the world begins.
const BEGINNING: Moment = Moment(1_000);

/// A login of romeo's that is under way, in one go.
pub struct Login {
    pub device: Device,
    pub wish: Option<Kind>,
    /// The token that it is by: whether that was the fresh one, its count, and whether it is the
    /// last use.
    pub uses: Option<(bool, u64, bool)>,
}

/// A token that romeo was given.
pub struct Given {
    pub secret: String,
    pub kind: Kind,
    pub changed: u64,
    pub expires_ms: u64,
    pub count: u64,
}

/// A device's tokens.
#[derive(Default)]
struct Tokens {
    fresh: Option<Given>,
    current: Option<Given>,
}

pub struct World {
    machine: C2s,
    pub now: Moment,
    settings: Settings,
    hooks: Hooks,
    random: Counting,
    /// Of the connection.
    pub tls: Tls,
    /// Of the last challenge.
    pub nonce: String,
    closed: bool,
    pub full: bool,
    pub away: bool,
    pub romeo: Credentials,
    /// romeo's.
    devices: BTreeMap<String, Vec<u8>>,
    tokens: BTreeMap<Device, Tokens>,
    /// juliet's, with a token that nobody has been told.
    juliets: Vec<u8>,
    login: Option<Login>,
    /// When the password was set that the login under way has shown.
    changed: u64,
    /// The client has said bytes of its own since the last login ended: nobody knows what.
    raw: bool,
    /// Who would log in.
    asked: Option<String>,
    /// A secret of romeo's has been shown for the login under way.
    pub shown: bool,
    entered: bool,
    acts_as: Option<Bare>,
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

/// Keys that no password derives.
static JULIETS: LazyLock<Credentials> = LazyLock::new(|| {
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

/// Of one hash, so that there are tasks.
static ROMEOS: LazyLock<Credentials> =
    LazyLock::new(|| Hash::Sha1.alone(sasl::derive(PASSWORD, b"fedcba9876543210", 1, Hash::Sha1)));

fn away() -> Fault {
    Fault::Away("fuzz".to_owned())
}

fn bare(text: &str) -> Bare {
    Bare::parse(text).expect("is an address")
}

fn new(
    (settings, hooks, random): (&Settings, &Hooks, &Counting),
    now: Moment,
    security: Security,
) -> C2s {
    let ctx = Ctx { now, unix_ms: now.0, random, settings, hooks };
    C2s::new(&ctx, security, Framing::Stream)
}

/// What the store has of juliet's phone.
fn juliets((settings, hooks, random): (&Settings, &Hooks, &Counting)) -> Vec<u8> {
    let ctx = Ctx { now: BEGINNING, unix_ms: BEGINNING.0, random, settings, hooks };
    let mut phone = device::Device::new(BEGINNING.0);
    phone.logged_in(
        &ctx,
        &device::Login {
            account: &bare(JULIET),
            agent: &device::Agent::of("phone", "", "").expect("is an id"),
            changed: 0,
            by_password: true,
            by: None,
            wish: Some(Kind::None256.ht()),
        },
    );
    phone.save()
}

impl World {
    pub fn new(impersonates: bool) -> Self {
        let domain = Bare::host("capulet.lit").expect("is a domain");
        let mut settings = Settings::of(vec![domain], [7; 32]);
        settings.impersonators.extend(impersonates.then(|| bare(ROMEO)));
        let hooks = Hooks::of(&[&xep_0388_sasl2::XEP]);
        let random = Counting(Cell::new(0));
        let machine = new((&settings, &hooks, &random), BEGINNING, Security::Required);
        let juliets = juliets((&settings, &hooks, &random));
        Self {
            machine,
            now: BEGINNING,
            settings,
            hooks,
            random,
            tls: Tls::UNKNOWN,
            nonce: String::new(),
            closed: false,
            full: false,
            away: false,
            romeo: ROMEOS.clone(),
            devices: BTreeMap::new(),
            tokens: BTreeMap::new(),
            juliets,
            login: None,
            changed: 0,
            raw: false,
            asked: None,
            shown: false,
            entered: false,
            acts_as: None,
        }
    }

    pub fn connects(&mut self, security: Security) {
        self.machine = new((&self.settings, &self.hooks, &self.random), self.now, security);
        (self.closed, self.raw, self.shown, self.entered) = Default::default();
        (self.login, self.asked, self.acts_as) = Default::default();
        self.tls = Tls::UNKNOWN;
        self.nonce.clear();
    }

    pub fn reconnects(&mut self, channel: Option<Channel>) {
        let Some(channel) = channel else { return self.connects(Security::Required) };
        self.connects(Security::Direct);
        self.secured(&channel);
        self.greets();
    }

    pub fn secured(&mut self, channel: &Channel) {
        // Only what was asked for is done.
        if self.tls == Tls::UNKNOWN {
            self.tls = channel.tls();
        }
        let tls = self.tls.clone();
        self.hears(Input::Secured(tls));
    }

    pub fn greets(&mut self) {
        self.says(HEADER);
    }

    pub fn says(&mut self, xml: &str) {
        self.hears(Input::Bytes(xml.as_bytes()));
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.raw = true;
        self.hears(Input::Bytes(bytes));
    }

    /// A login begins, and shows a secret of romeo's, or not.
    pub fn begins(&mut self, shown: bool, login: Option<Login>) {
        (self.shown, self.login) = (shown, login);
    }

    pub fn is_certified(&self, mechanism: &Mechanism) -> bool {
        matches!(mechanism, Mechanism::External) && self.names_romeo()
    }

    fn names_romeo(&self) -> bool {
        self.tls.identities.iter().any(|identity| identity.as_str() == ROMEO)
    }

    pub fn stored_key(&self) -> Vec<u8> {
        JULIETS.sha1.as_ref().expect("is kept").stored_key.clone()
    }

    pub fn given(&self, device: Device, fresh: bool) -> Option<&Given> {
        let tokens = self.tokens.get(&device)?;
        if fresh { tokens.fresh.as_ref() } else { tokens.current.as_ref() }
    }

    /// As whom the client may come in.
    fn who(&self) -> &str {
        self.acts_as.as_ref().map_or(ROMEO, |account| account.as_str())
    }

    /// Whether somebody may come in now.
    fn is_let_in(&self) -> bool {
        let certified = self.raw && self.names_romeo();
        (self.shown || certified) && self.asked.as_deref() == Some(ROMEO)
    }

    pub fn hears(&mut self, input: Input<'_>) {
        let mut out = Out::default();
        let Self { now, ref settings, ref hooks, ref random, .. } = *self;
        let ctx = Ctx { now, unix_ms: now.0, random, settings, hooks };
        self.machine.handle(&ctx, input, &mut out);
        let said = String::from_utf8(out.bytes).expect("UTF-8 is sent");
        assert!(!self.closed || said.is_empty(), "spoke after the end: {said}");
        assert!(!self.closed || out.acts.is_empty(), "acted after the end: {:?}", out.acts);
        for act in out.acts.extract_if(.., |act| matches!(act, Act::Impersonates(..))) {
            self.act(act);
        }
        for (number, part) in said.split("<success").enumerate() {
            if number > 0 {
                self.succeeded(part);
            }
            if part.contains("<failure") {
                (self.shown, self.login) = (false, None);
            }
        }
        self.remember_nonce(&said);
        for act in out.acts {
            self.act(act);
        }
        assert!(!self.closed || !self.machine.hungry());
    }

    fn remember_nonce(&mut self, said: &str) {
        let Some((_, challenge)) = said.rsplit_once("<challenge xmlns='") else { return };
        let Some((_, challenge)) = challenge.split_once("'>") else { return };
        let (challenge, _) = challenge.split_once('<').expect("is closed");
        let challenge = BASE64_STANDARD.decode(challenge).expect("base64 is sent");
        let challenge = String::from_utf8(challenge).expect("UTF-8 is sent");
        let nonce = challenge.split(',').next().and_then(|nonce| nonce.strip_prefix("r="));
        self.nonce = nonce.unwrap_or_default().to_owned();
    }

    /// What the client was told behind `<success`.
    fn succeeded(&mut self, said: &str) {
        assert!(self.is_let_in(), "{:?} authenticated without the secret: {said}", self.asked);
        self.entered = true;
        let who = self.who();
        if let Some((_, named)) = said.split_once("<authorization-identifier>") {
            assert!(named.starts_with(who), "{who} has become another: {said}");
        }
        let token = said.split_once(" token='").map(|(_, token)| token.split_once('\''));
        let token = token.map(|token| token.expect("is closed").0.to_owned());
        assert!(token.is_none() || self.acts_as.is_none(), "a token for somebody else: {said}");
        if std::mem::take(&mut self.raw) {
            // Which device has which now, nobody knows.
            self.tokens.clear();
        } else if let Some(login) = self.login.take() {
            self.learns(&login, token);
        }
    }

    fn learns(&mut self, login: &Login, token: Option<String>) {
        let Self { changed, .. } = *self;
        let expires_ms = self.now.0 + self.settings.token_ms_max;
        if self.acts_as.is_some() {
            return;
        }
        let tokens = self.tokens.entry(login.device).or_default();
        if let Some((fresh, count, last)) = login.uses {
            if fresh {
                tokens.current = tokens.fresh.take();
            }
            if let Some(current) = &mut tokens.current {
                current.count = current.count.max(count);
            }
            if last {
                *tokens = Tokens::default();
            }
        }
        let Some(secret) = token else { return };
        let due = tokens.current.as_ref().map(|current| current.kind);
        let wish = login.wish.filter(|kind| kind.data(&self.tls).is_some());
        let kind = wish.or(due).expect("is given to who asks, or for another");
        tokens.fresh = Some(Given { secret, kind, changed, expires_ms, count: 0 });
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Ask(question) => self.answer(question),
            Act::Impersonates(by, account) => {
                assert!(self.is_let_in(), "{by} acts as {account} without the secret");
                assert!(by.as_str() == ROMEO && account.as_str() == NURSE);
                assert!(self.settings.impersonators.contains(&by), "{by} may not");
                self.acts_as = Some(account);
            }
            Act::Submit(account, said) => {
                assert!(self.entered || self.is_let_in(), "{account} was told {said:?}");
                assert_eq!(account.as_str(), self.who());
                if let Said::Bind { resource, device, .. } = said {
                    assert!(self.acts_as.is_none() || device.is_none());
                    self.bind(&account, resource.as_deref().unwrap_or("made"));
                }
            }
            Act::Forget(account) => panic!("{account} was never made"),
            Act::Close(closed) => {
                assert!(!matches!(closed, Closed::Error(StreamCondition::InternalServerError, _)));
                self.closed = true;
            }
            Act::StartTls | Act::Tried(..) | Act::Ping | Act::Wake(_) => {}
        }
    }

    fn bind(&mut self, account: &Bare, resource: &str) {
        let say = match account.with_resource(resource) {
            Ok(jid) if !self.full => Say::Bound(jid, Vec::new()),
            _ => Say::Unbound(StanzaCondition::ResourceConstraint.into()),
        };
        self.hears(Input::Say(say));
    }

    fn answer(&mut self, question: Question) {
        if let Some(account) = question.logs_in() {
            self.asked = Some(account.to_string());
        }
        let fact = match question {
            Question::Credentials(account) => {
                self.changed = self.romeo.changed;
                Fact::Credentials(self.credentials(&account))
            }
            Question::Ends(account) => {
                assert_eq!(Some(account.as_str()), self.asked.as_deref());
                Fact::Ends(Ok(None))
            }
            Question::Account(account) => {
                assert!(self.is_let_in() && !self.settings.impersonators.is_empty());
                let there = account.as_str() == NURSE;
                Fact::Account(if self.away { Err(away()) } else { Ok(there) })
            }
            Question::Verify { password, kept, mut made_up, .. } => {
                // Made-up keys take milliseconds; what they take is not what is tested here.
                for keys in [&mut made_up.sha1, &mut made_up.sha256, &mut made_up.sha512] {
                    keys.as_mut().expect("all are made up").iterations = 1;
                }
                let told = sasl::verify(&password.0, &kept, &made_up);
                told.map_or(Fact::Busy, Fact::Verified)
            }
            Question::Device(account, id) => {
                if self.login.as_ref().is_some_and(|login| login.uses.is_some()) {
                    self.changed = self.romeo.changed;
                }
                let cell = match account.as_str() {
                    ROMEO => self.devices.get(&*id).cloned(),
                    JULIET => Some(self.juliets.clone()).filter(|_| &*id == "phone"),
                    _ => None,
                };
                let found = self.credentials(&account);
                Fact::Device(found.map(|found| found.map(|found| (found, cell))))
            }
            Question::Settle { account, id, old, new } => {
                assert!(self.is_let_in() && account.as_str() == ROMEO);
                Fact::Settled(self.settle(&id, old, new))
            }
            Question::Upgrade(account, keys) => {
                assert!(self.is_let_in() && account.as_str() == ROMEO);
                let same = keys.changed == self.romeo.changed;
                Fact::Settled(same.then_some(()).ok_or(Fault::Refused("fuzz".to_owned())))
            }
            Question::Guest(account) => panic!("{account} is made where guests do not come"),
            Question::Request { .. } => unreachable!("no XEP hangs here"),
        };
        self.hears(Input::Fact(fact));
    }

    fn credentials(&self, account: &Bare) -> Result<Option<Credentials>, Fault> {
        match account.as_str() {
            _ if self.away => Err(away()),
            JULIET => Ok(Some(JULIETS.clone())),
            ROMEO => Ok(Some(self.romeo.clone())),
            NURSE => Ok(Some(Credentials::default())),
            name if name.starts_with('f') => Err(away()),
            _ => Ok(None),
        }
    }

    fn settle(&mut self, id: &str, old: Option<Vec<u8>>, new: Vec<u8>) -> Result<(), Fault> {
        if self.away {
            return Err(away());
        }
        if self.devices.get(id) != old.as_ref() {
            return Err(Fault::Refused("fuzz".to_owned()));
        }
        self.devices.insert(id.to_owned(), new);
        Ok(())
    }
}
