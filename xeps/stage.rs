//! Where the tests of XEPs play: all hooks, one account, a store that commits at once.

use engine::{
    account::{Account, Input, Look, Output},
    ctx::{Ctx, Moment, Random},
    hook::{self, IqKind, Of, Reply},
    hooks::Hooks,
    parcel::{Claim, End, Link, Order, Owed, Parcel, Said, Say, Ticket},
    port::{Fault, Loaded, Logged, Node},
    request::{Found, Line, answer},
    settings::Settings,
    stream::{machine::Tls, sasl::Advertised},
    unit::{Committed, Entry, Flags, Once, Pos, Unit},
    wire::*,
};
use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
};

pub const ROMEO: &str = "romeo@wax.example";
pub const JULIET: &str = "juliet@wax.example";

/// 2006-12-19T17:58:35.999Z.
const NOW: u64 = 1_166_551_115_999;

/// Words are always the same; numbers, by which sessions are known, never are.
struct Zero;

impl Random for Zero {
    fn fill(&self, bytes: &mut [u8]) {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        bytes.fill(0);
        if let Ok(number) = <&mut [u8; 8]>::try_from(bytes) {
            *number = NUMBERS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        }
    }
}

/// What an operator has who chose nothing.
pub fn settings() -> Settings {
    let domains = ["wax.example", "y.example"].map(|domain| Bare::host(domain).unwrap());
    Settings::of(domains.into(), [0; 32])
}

/// Runs `with` at this moment.
pub fn at<T>(now: u64, with: impl FnOnce(&Ctx<'_>) -> T) -> T {
    under(&settings(), now, with)
}

/// Runs `with` at this moment, with these settings.
pub fn under<T>(settings: &Settings, now: u64, with: impl FnOnce(&Ctx<'_>) -> T) -> T {
    let hooks = Hooks::of(crate::ALL);
    let (now, unix_ms) = (Moment(now), NOW + now);
    with(&Ctx { now, unix_ms, random: &Zero, settings, hooks: &hooks })
}

/// The features that XEPs offer at this stage of a stream, over a connection of which this is
/// known.
pub fn offered(at: hook::Stage, tls: &Tls) -> Vec<Payload> {
    let host = Bare::host("wax.example").unwrap();
    self::at(0, |ctx| {
        let advertised = Advertised::on(ctx, &host, tls);
        ctx.hooks.offers(at).filter_map(|offer| offer(ctx, &advertised)).collect()
    })
}

/// What a stranger hears who asks this of the host or of an account; `""` is an empty result.
pub fn asked(of: Of, kind: &str, query: &str) -> Result<String, StanzaError> {
    asked_under(&settings(), of, kind, query)
}

/// The same with these settings.
pub fn asked_under(
    settings: &Settings,
    of: Of,
    kind: &str,
    query: &str,
) -> Result<String, StanzaError> {
    let of_whom = if of == Of::Host { "wax.example" } else { JULIET };
    let iq = format!("<iq type='{kind}' id='1' from='{ROMEO}/r' to='{of_whom}'>{query}</iq>");
    let iq = Stanza::parse_one(&iq).unwrap();
    let asked = Bare::parse(of_whom).unwrap();
    let kind = if kind == "get" { IqKind::Get } else { IqKind::Set };
    let line = Line::of_host(&asked);
    match under(settings, 0, |ctx| answer(of, kind, &iq, line, ctx)) {
        Found::Now(Ok(Reply::Payload(payload)), _) => Ok(payload.as_str().to_owned()),
        Found::Now(Ok(Reply::Empty), _) => Ok(String::new()),
        Found::Now(Err(error), _) => Err(error),
        _ => panic!("{iq:?} is answered in another way"),
    }
}

fn elements(xml: &str) -> Vec<Payload> {
    let message = Stanza::parse_one(&format!("<message>{xml}</message>")).unwrap();
    message.children().map(Element::to_payload).collect()
}

/// An account with one resource, `balcony`; more can join.
pub struct Stage {
    account: Account,
    now: u64,
    /// The resources that ever joined; the number of a link is the place here, from 1.
    joined: Vec<&'static str>,
    /// What the operator chose.
    pub settings: Settings,
    /// What was written to whom.
    written: Vec<(Link, Stanza)>,
    /// Whether the store commits only when it is told to.
    pub late: bool,
    commits: VecDeque<(Ticket, Unit)>,
    /// All entries that were written.
    pub log: Vec<(Pos, Entry)>,
}

impl Stage {
    pub fn of(jid: &str) -> Self {
        let mut stage = Self::empty(jid);
        stage.joins("balcony");
        stage
    }

    /// An account without resources.
    pub fn empty(jid: &str) -> Self {
        let account = Account::load(Bare::parse(jid).unwrap(), Loaded::default(), NOW);
        let (now, joined, written, late, commits, log) = Default::default();
        Self { account, now, joined, settings: settings(), written, late, commits, log }
    }

    pub fn joins(&mut self, resource: &'static str) {
        self.joins_with(resource, "");
    }

    /// One more resource, which begins with these elements (XEP-0386).
    pub fn joins_with(&mut self, resource: &'static str, inline: &str) {
        self.binds(resource, None, inline, false);
    }

    /// One more resource, on the device of this id.
    pub fn joins_on(&mut self, resource: &'static str, device: &str) {
        self.binds(resource, Some(device.into()), "", false);
    }

    /// One more resource, by Bind 2: it reads the archive.
    pub fn joins_at_once(&mut self, resource: &'static str, inline: &str) {
        self.binds(resource, None, inline, true);
    }

    fn binds(&mut self, resource: &'static str, device: Option<Text>, inline: &str, reads: bool) {
        self.joined.push(resource);
        let (since, inline) = (0, elements(inline));
        let bind = Said::Bind { resource: Some(resource.into()), since, device, inline, reads };
        self.plays(Input::Said(self.link(resource), bind));
    }

    /// The operator, or a XEP, has done this to it.
    pub fn ordered(&mut self, order: Order) -> Vec<Stanza> {
        self.plays(Input::Order(order))
    }

    pub fn vanishes(&mut self, resource: &str) -> Vec<Stanza> {
        self.plays(Input::Said(self.link(resource), Said::Gone(End::Broken)))
    }

    /// A client comes back to the one session that can be resumed (XEP-0198), and has got so many
    /// stanzas.
    pub fn resumes(&mut self, resource: &'static str, got: usize) {
        self.joined.push(resource);
        // Words are always the same here.
        let (id, h) = ("0".repeat(40).into(), u32::try_from(got).unwrap());
        let resume = Said::Resume { claim: Claim { id, h }, since: 0, device: None };
        self.plays(Input::Said(self.link(resource), resume));
    }

    fn link(&self, resource: &str) -> Link {
        let place = self.joined.iter().rposition(|joined| *joined == resource).unwrap();
        Link { node: Node(1), number: 1 + place as u64 }
    }

    pub fn jid(&self) -> Jid {
        self.account.sessions[0].jid.clone()
    }

    /// Its first client says this. Returns all that leaves the account, to whomever.
    pub fn says(&mut self, xml: &str) -> Vec<Stanza> {
        let first = self.jid();
        self.says_at(first.resource().unwrap(), xml)
    }

    /// The same of another client.
    pub fn says_at(&mut self, resource: &str, xml: &str) -> Vec<Stanza> {
        let mut stanza = Stanza::parse_one(xml).unwrap();
        stanza.head.from = Some(self.account.jid.with_resource(resource).unwrap());
        self.plays(Input::Said(self.link(resource), Said::Stanza(stanza)))
    }

    /// A client says this element, which is not a stanza.
    pub fn signals_at(&mut self, resource: &str, nonza: &str) -> Vec<Stanza> {
        let nonza = elements(nonza).remove(0);
        self.plays(Input::Said(self.link(resource), Said::Nonza(nonza)))
    }

    /// Somebody else says this to it.
    pub fn hears(&mut self, xml: &str) -> Vec<Stanza> {
        self.plays(Input::Routed(Stanza::parse_one(xml).unwrap(), None))
    }

    /// What was written to a client since the last time.
    pub fn written_to(&mut self, resource: &str) -> Vec<Stanza> {
        let link = self.link(resource);
        let (its, others) = self.written.drain(..).partition(|(to, _)| *to == link);
        self.written = others;
        let its: Vec<(Link, Stanza)> = its;
        its.into_iter().map(|(_, stanza)| stanza).collect()
    }

    /// What its operator sees of its last messages.
    pub fn traced(&self) -> Vec<String> {
        self.account.trace.lines()
    }

    /// Time passes.
    pub fn pass(&mut self, ms: u64) {
        self.now += ms;
    }

    /// Whether anything waits for the store.
    pub fn waits(&self) -> bool {
        !self.commits.is_empty()
    }

    /// The store commits what has waited longest, or does not.
    pub fn commit(&mut self, outcome: Result<(), Fault>) -> Vec<Stanza> {
        let (ticket, unit) = self.commits.pop_front().unwrap();
        let outcome = outcome.map(|()| self.write(unit));
        self.plays(Input::Committed(ticket, outcome))
    }

    /// As the writer and the store do.
    fn write(&mut self, unit: Unit) -> Committed {
        if let Some(place) = unit.once.as_ref().and_then(|once| self.said_before(once)) {
            return Committed { places: vec![place], repeated: true };
        }
        let mut committed = Committed::default();
        for entry in unit.entries {
            let last = self.log.last().map_or_else(Pos::default, |(pos, _)| *pos);
            let pos = Pos::next(last, NOW + self.now);
            committed.places.push((entry.log.clone(), pos));
            self.log.push((pos, entry));
        }
        committed
    }

    fn said_before(&self, once: &Once) -> Option<(Bare, Pos)> {
        let is_it = |(pos, entry): &&(Pos, Entry)| {
            let by = entry.settles.map(|(session, _)| session);
            entry.log == once.log
                && entry.key == Some(once.key)
                && *pos > once.since
                && (once.besides.is_none() || by != once.besides)
        };
        self.log.iter().find(is_it).map(|(pos, entry)| (entry.log.clone(), *pos))
    }

    /// What the account reads of its log.
    fn look(&self, look: Look) -> Vec<Logged> {
        let own = self.log.iter().filter(|(_, entry)| entry.log == self.account.jid);
        let meant = own.filter(|(pos, _)| *pos > look.after).take(look.max);
        meant.map(|(pos, entry)| Logged { pos: *pos, entry: entry.clone() }).collect()
    }

    /// What the account's log has: the flags, and the stanza.
    pub fn logged(&self) -> Vec<(Flags, Stanza)> {
        let own = self.log.iter().filter(|(_, entry)| entry.log == self.account.jid);
        own.map(|(_, entry)| (entry.flags, Stanza::parse_one(&entry.stanza).unwrap())).collect()
    }

    fn plays(&mut self, input: Input) -> Vec<Stanza> {
        let (mut inputs, mut left) = (vec![input], Vec::new());
        while let Some(input) = inputs.pop() {
            let mut out = Vec::new();
            let Self { account, settings, now, .. } = self;
            under(settings, *now, |ctx| account.handle(ctx, input, &mut out));
            for output in out {
                match output {
                    Output::Commit(ticket, unit, _) if self.late => {
                        self.commits.push_back((ticket, unit));
                    }
                    Output::Commit(ticket, unit, _) => {
                        inputs.push(Input::Committed(ticket, Ok(self.write(unit))));
                    }
                    Output::Look(session, look) => {
                        inputs.push(Input::Seen(session, look, Ok(self.look(look))));
                    }
                    Output::Parcel(Parcel::ToSocket(link, Say::Stanza(stanza))) => {
                        self.written.push((link, stanza.clone()));
                        left.push(stanza);
                    }
                    Output::Parcel(Parcel::Routed { stanza, owed, .. }) => {
                        left.push(stanza);
                        // Whoever it is for takes it, and keeps nothing.
                        if let Some(Owed { ticket, .. }) = owed {
                            inputs.push(Input::Half(ticket, Ok(Unit::default())));
                        }
                    }
                    _ => {}
                }
            }
        }
        left
    }
}
