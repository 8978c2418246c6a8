//! The world in one thread: the engine's own values, a store in memory, and time that passes when
//! it is told to. Nothing sleeps; silence is when nobody has anything left to do.

mod dice;
mod hosts;
mod registrar;

use crate::{
    driver::{Broken, Came, Door, Driver, Link, Patience, Transport},
    framing::{Said, take_apart},
    script::ADMIN,
    tree::Heard,
    websocket::{framed, unframed},
};
use dice::Dice;
use engine::{
    ctx::{Ctx, Moment},
    hooks::Hooks,
    parcel::{Link as Socket, Parcel, Say},
    port::{Node, Online},
    setting::Value,
    settings::Settings,
    shard::{self, Shard},
    stream::{
        c2s::{C2s, Security},
        machine::{Act, Input, Machine, Out, Tls},
        sasl::Binding,
    },
    wire::{Bare, Framing},
};
use hosts::Desk;
use std::collections::VecDeque;

/// How long an answer is waited for, in virtual time.
const ANSWER_MS_MAX: u64 = 10_000;
/// 1 January 2026, when every simulation begins.
const BEGIN_UNIX_MS: u64 = 1_767_225_600_000;
const NODE: Node = Node(1);
/// The domain below, where everybody stays unknown (XEP-0175).
const GUESTS: &str = "guests";
/// Who hears of abuse (XEP-0157).
const CONTACTS: [&str; 2] = ["mailto:abuse@localhost", "xmpp:abuse@localhost"];

/// A server and the connections to it.
pub struct Simulated {
    transport: Transport,
    told: Told,
    shard: Shard,
    inbox: VecDeque<shard::Input>,
    desk: Desk,
    connections: Vec<Connection>,
}

/// What every call is told.
struct Told {
    now_ms: u64,
    dice: Dice,
    settings: Settings,
    hooks: Hooks,
}

impl Told {
    fn ctx(&self) -> Ctx<'_> {
        Ctx {
            now: Moment(self.now_ms),
            unix_ms: BEGIN_UNIX_MS + self.now_ms,
            random: &self.dice,
            settings: &self.settings,
            hooks: &self.hooks,
        }
    }
}

struct Connection {
    machine: C2s,
    phase: Phase,
    wake: Option<Moment>,
    /// From the client, not yet taken: messages of a transport that has some, or one.
    unread: VecDeque<Vec<u8>>,
    /// From the server, not yet heard, likewise.
    said: VecDeque<Vec<u8>>,
    /// The client has said, in a message, that its stream ends.
    closed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Only a TLS handshake leads on.
    Handshake,
    Ended,
}

impl Simulated {
    /// A server of `domain` with these accounts and their passwords; [`ADMIN`] administrates it.
    ///
    /// # Errors
    /// When the domain or an account is not an address.
    pub fn new<'a>(
        domain: &str,
        accounts: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Broken> {
        Self::over(Transport::Tcp, domain, accounts)
    }

    /// The same, for streams that are carried so.
    ///
    /// # Errors
    /// Likewise, and for BOSH, which is not simulated.
    pub fn over<'a>(
        transport: Transport,
        domain: &str,
        accounts: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Broken> {
        if transport == Transport::Bosh {
            return Err(Broken("BOSH is not simulated".into()));
        }
        let host = Bare::host(domain).map_err(|error| Broken(format!("{domain}: {error}")))?;
        let dice = Dice::new(1);
        let guests = Bare::host(&format!("{GUESTS}.{domain}"));
        let guests = guests.map_err(|error| Broken(format!("{domain}: {error}")))?;
        let mut settings = Settings::of(vec![host, guests.clone()], dice.bytes());
        settings.anonymous = vec![guests];
        let admin = Bare::parse(&format!("{ADMIN}@{domain}"));
        settings.admins = vec![admin.map_err(|error| Broken(format!("{domain}: {error}")))?];
        settings.chosen.insert((157, "abuse"), Value::Texts(CONTACTS.map(String::from).into()));
        // Closed by default; scripts make accounts.
        settings.chosen.insert((77, "registration"), Value::Choice("open".into()));
        // Off by default, too.
        settings.chosen.insert((431, "enabled"), Value::Choice("yes".into()));
        let hooks = Hooks::of(xeps::ALL);
        settings.services = hooks.services(&settings);
        let told = Told { now_ms: 0, dice, settings, hooks };
        let desk = Desk::new(&told.ctx(), accounts)?;
        let (shard, inbox) = (Shard::default(), VecDeque::new());
        Ok(Self { transport, told, shard, inbox, desk, connections: Vec::new() })
    }

    /// Lets everybody do what they have to do.
    fn settle(&mut self) {
        loop {
            if let Some(input) = self.inbox.pop_front() {
                let mut caused = Vec::new();
                self.shard.handle(&self.told.ctx(), input, &mut caused);
                caused.into_iter().for_each(|output| self.shard_says(output));
            } else if let Some(committed) = self.desk.commit(&self.told.ctx()) {
                self.inbox.extend(committed);
            } else if !self.read_one() {
                return;
            }
        }
    }

    fn shard_says(&mut self, output: shard::Output) {
        match output {
            // A matter between the shell and its socket.
            shard::Output::Parcel(Parcel::ToSocket(_, Say::Settled(_))) => {}
            shard::Output::Parcel(Parcel::ToSocket(to, say)) => {
                let number = usize::try_from(to.number).unwrap_or(usize::MAX);
                self.tell(number, Input::Say(say));
            }
            shard::Output::Parcel(parcel) => self.inbox.push_back(shard::Input::Parcel(parcel)),
            other => {
                let online = self.online();
                self.inbox.extend(self.desk.serve(&self.told.ctx(), other, online));
            }
        }
    }

    fn online(&mut self) -> Online {
        let ctx = self.told.ctx();
        let Some(domain) = ctx.settings.domains.first().cloned() else { return Online::default() };
        let mut caused = Vec::new();
        self.shard.handle(&ctx, shard::Input::Count(0, domain, usize::MAX), &mut caused);
        let counted = caused.into_iter().find_map(|output| match output {
            shard::Output::Counted(_, online) => Some(online),
            _ => None,
        });
        counted.unwrap_or_default()
    }

    /// Gives the first hungry stream what its client said.
    fn read_one(&mut self) -> bool {
        let hungry = |connection: &Connection| {
            !connection.unread.is_empty()
                && connection.phase == Phase::Open
                && connection.machine.hungry()
        };
        let Some(number) = self.connections.iter().position(hungry) else { return false };
        if let Some(bytes) = self.connections[number].unread.pop_front() {
            self.tell(number, Input::Bytes(&bytes));
        }
        true
    }

    /// Tells a stream something, and does what it wants.
    fn tell(&mut self, number: usize, input: Input<'_>) {
        let Some(connection) = self.connections.get_mut(number) else { return };
        if connection.phase == Phase::Ended {
            return;
        }
        let mut out = Out::default();
        connection.machine.handle(&self.told.ctx(), input, &mut out);
        let mut rest = out.bytes.as_slice();
        if self.transport == Transport::WebSocket {
            let mut begin = 0;
            for end in out.ends {
                let (message, behind) = rest.split_at(end - begin);
                connection.said.push_back(message.to_vec());
                (rest, begin) = (behind, end);
            }
        }
        if !rest.is_empty() {
            connection.said.push_back(rest.to_vec());
        }
        for act in out.acts {
            self.act(number, act);
        }
    }

    fn act(&mut self, number: usize, act: Act) {
        match act {
            Act::StartTls => {
                // What came before the handshake was not protected (RFC 6120 §5.4.3.3).
                self.connections[number].unread.clear();
                self.connections[number].phase = Phase::Handshake;
            }
            Act::Ask(question) => {
                let (fact, caused) = self.desk.find_out(&self.told.ctx(), question);
                self.inbox.extend(caused);
                self.tell(number, Input::Fact(fact));
            }
            Act::Submit(account, said) => {
                let link = Socket { node: NODE, number: number as u64 };
                let parcel = Parcel::FromSocket(account, link, said);
                self.inbox.push_back(shard::Input::Parcel(parcel));
            }
            Act::Impersonates(..) | Act::Tried(..) | Act::Ping => {}
            Act::Forget(account) => {
                let caused = self.desk.expire(&self.told.ctx(), &account);
                self.inbox.extend(caused);
            }
            Act::Wake(moment) => self.connections[number].wake = Some(moment),
            Act::Close(_) => self.connections[number].phase = Phase::Ended,
        }
    }

    /// Lets time pass until the next alarm, at most until `end_ms`. Whether there was one.
    fn wait(&mut self, end_ms: u64) -> bool {
        let open = self.connections.iter().filter(|connection| connection.phase != Phase::Ended);
        let next = open.filter_map(|connection| connection.wake).chain(self.shard.wakes()).min();
        let Some(at) = next.filter(|at| at.0 <= end_ms) else {
            self.told.now_ms = end_ms;
            return false;
        };
        self.told.now_ms = self.told.now_ms.max(at.0);
        for number in 0..self.connections.len() {
            if self.connections[number].wake.is_some_and(|wake| wake <= at) {
                self.connections[number].wake = None;
                self.tell(number, Input::Tick);
            }
        }
        if self.shard.wakes().is_some_and(|wake| wake <= at) {
            self.inbox.push_back(shard::Input::Tick);
        }
        self.settle();
        true
    }
}

impl Simulated {
    fn message(&mut self, number: usize, said: Said) {
        let connection = &mut self.connections[number];
        connection.closed |= said == Said::Close;
        if connection.phase == Phase::Open {
            connection.unread.push_back(framed(said));
            self.settle();
        }
    }

    /// What a message of the server says.
    fn unframed(&mut self, number: usize, message: Vec<u8>) -> Came {
        let heard = String::from_utf8(message).map_err(|flaw| flaw.to_string());
        let heard =
            heard.and_then(|text| unframed(&text).map_err(|flaw| format!("{flaw}: {text}")));
        // Whoever is told that a stream ends, ends its own (RFC 7395 §3.6).
        if heard == Ok(Heard::Close) && !self.connections[number].closed {
            self.message(number, Said::Close);
        }
        heard.map_or_else(Came::Flaw, |heard| Came::Heard(vec![heard]))
    }
}

impl Driver for Simulated {
    fn transport(&self) -> Transport {
        self.transport
    }

    fn open(&mut self, door: Door) -> Result<Link, Broken> {
        let (security, phase) = match (self.transport, door) {
            (Transport::Tcp, Door::StartTls) => (Security::Required, Phase::Open),
            _ => (Security::Direct, Phase::Handshake),
        };
        let framing = match self.transport {
            Transport::WebSocket => Framing::Framed,
            _ => Framing::Stream,
        };
        let machine = C2s::new(&self.told.ctx(), security, framing);
        let (unread, said) = (VecDeque::new(), VecDeque::new());
        let connection = Connection { machine, phase, wake: None, unread, said, closed: false };
        self.connections.push(connection);
        let number = self.connections.len() - 1;
        self.tell(number, Input::Tick);
        self.settle();
        if self.transport == Transport::WebSocket {
            self.secure(Link(number))?;
        }
        Ok(Link(number))
    }

    fn say(&mut self, link: Link, bytes: &[u8]) {
        if self.transport == Transport::WebSocket {
            return take_apart(bytes).into_iter().for_each(|said| self.message(link.0, said));
        }
        let connection = &mut self.connections[link.0];
        if connection.phase == Phase::Open {
            connection.unread.push_back(bytes.to_vec());
            self.settle();
        }
    }

    fn secure(&mut self, link: Link) -> Result<(), Broken> {
        let connection = &mut self.connections[link.0];
        if connection.phase != Phase::Handshake {
            return Err(Broken("TLS: the server does not expect a handshake".into()));
        }
        connection.phase = Phase::Open;
        self.tell(link.0, Input::Secured(tls(link)));
        self.settle();
        Ok(())
    }

    fn channel(&self, link: Link, kind: &str) -> Option<Vec<u8>> {
        let tls = tls(link);
        let binding = Binding::ALL.into_iter().find(|binding| binding.name() == kind)?;
        binding.data(&tls).map(<[u8]>::to_vec)
    }

    fn hear(&mut self, link: Link, patience: Patience) -> Came {
        let end_ms = self.told.now_ms + ANSWER_MS_MAX;
        loop {
            let connection = &mut self.connections[link.0];
            if let Some(said) = connection.said.pop_front() {
                return match self.transport {
                    Transport::WebSocket => self.unframed(link.0, said),
                    _ => Came::Bytes(said),
                };
            }
            if connection.phase == Phase::Ended {
                return Came::End;
            }
            if patience == Patience::Quiet || !self.wait(end_ms) {
                return Came::Nothing;
            }
        }
    }

    fn cut(&mut self, link: Link) {
        self.tell(link.0, Input::Gone);
        self.connections[link.0].phase = Phase::Ended;
        self.settle();
    }

    fn pass(&mut self, ms: u64) {
        let end_ms = self.told.now_ms + ms;
        while self.wait(end_ms) {}
    }
}

/// As TLS 1.3 would have it: each connection exports something else, all see one certificate.
fn tls(link: Link) -> Tls {
    let mut exporter = [7; 32];
    exporter[..8].copy_from_slice(&link.0.to_be_bytes());
    let end_point = Some([9; 32].as_slice().into());
    Tls { version: "simulated", exporter: Some(exporter), end_point, ..Tls::UNKNOWN }
}
