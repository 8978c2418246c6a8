//! One account at its home: its sessions, its roster, its line of uncommitted units.
//! A value with one synchronous verb, [`Account::handle`].

mod iq;
mod last_presence;
mod line;
mod message;
mod orders;
mod presence;
mod reads;
mod subscribe;
mod wait;
mod waiting;

use crate::{
    cells::Cells,
    ctx::Ctx,
    hook::{Feel, IqKind, Leaving, Replied},
    parcel::{End, Link, Order, Owed, Parcel, Said, Say, Ticket},
    passage::Ended,
    port::{Fault, Loaded},
    roster::Roster,
    session::{Session, Written},
    shard::WorldAnswer,
    unit::{Change, Committed, Unit},
};
use reads::Reads;
use std::collections::VecDeque;
use wait::{Place, Then, Wait};
use waiting::Waiting;
use wire::{Bare, Jid, Payload, Stanza, StanzaCondition, StanzaError, StreamCondition, Text};

pub use last_presence::{LAST_PRESENCE, LastPresence};
pub use waiting::{Holding, WAITING_BYTES_MAX, WAITING_STANZAS_MAX};

/// What an account weighs without its roster, in bytes.
const ACCOUNT_BYTES: usize = 1024;

/// One account at its home.
pub struct Account {
    /// Its address.
    pub jid: Bare,
    /// Its bound resources.
    pub sessions: Vec<Session>,
    /// Its contacts.
    pub roster: Roster,
    /// Its cells at hand.
    pub cells: Cells,
    /// The last number of [`Account::rise`].
    risen: u64,
    /// The last presence is being written, and this is to be written next.
    remembering: Option<Option<Change>>,
    /// Since when its password is this, in ms of the Unix clock; 0: for longer than it is here.
    keyed: u64,
    /// Devices that were revoked lately, and when: a login of one may be under way still. At most
    /// `DEVICES_MAX`.
    revoked: Vec<(Text, u64)>,
    /// It is not written to any more: it is gone, or the store has it otherwise.
    departs: bool,
    waiting: Waiting,
    /// Requests that wait until what is to change at hand is committed.
    asked: VecDeque<(IqKind, Stanza, Link)>,
    reads: Reads,
}

/// What a new session shall be.
struct Wish {
    resource: Option<Text>,
    device: Option<Text>,
    inline: Vec<Payload>,
}

/// What happens to an account.
#[derive(Debug)]
pub enum Input {
    /// One of its streams says something.
    Said(Link, Said),
    /// A stanza for it.
    Routed(Stanza, Option<Owed>),
    /// The recipient's half of one of its units.
    Half(Ticket, Result<Unit, StanzaError>),
    /// A unit that it gave half of to a sender has been committed, or not.
    Release(Owed, Result<Committed, Fault>),
    /// A unit of its own has been committed, or not.
    Committed(Ticket, Result<Committed, Fault>),
    /// The store has been read for an iq.
    Answered(u64, Replied),
    /// The operator did something to it.
    Order(Order),
}

/// What an account causes.
pub enum Output {
    /// To be carried.
    Parcel(Parcel),
    /// To be committed; comes back as `Input::Committed`.
    Commit(Ticket, Unit),
    /// To be read beside the line; comes back as `Input::Answered`.
    World(u64, Stanza, WorldAnswer),
    /// What it holds in memory is not what the store has: forget it once it is idle, and load
    /// it again when it is needed. Its streams have been ended.
    Leave,
}

impl Account {
    /// As it was loaded.
    pub fn load(jid: Bare, loaded: Loaded) -> Self {
        Self {
            jid,
            roster: Roster::load(loaded.roster, loaded.unrostered),
            cells: Cells::load(loaded.cells),
            sessions: Vec::new(),
            risen: 0,
            keyed: 0,
            revoked: Vec::new(),
            remembering: None,
            departs: false,
            waiting: Waiting::default(),
            asked: VecDeque::new(),
            reads: Reads::default(),
        }
    }

    /// Whether nothing would be lost if it were forgotten.
    pub fn is_idle(&self) -> bool {
        self.sessions.is_empty() && self.waiting.is_empty() && self.reads.is_empty()
    }

    /// About what it takes in memory, in bytes.
    pub fn weight(&self) -> usize {
        ACCOUNT_BYTES + self.roster.weight() + self.cells.weight()
    }

    /// A number above every one before and above `least`: the order in which things are kept. It
    /// begins with the clock, so it goes on rising after a restart.
    pub fn rise(&mut self, least: u64, ctx: &Ctx<'_>) -> u64 {
        self.risen = (ctx.unix_ms << 20).max(self.risen + 1).max(least.saturating_add(1));
        self.risen
    }

    /// What is to be kept for who comes, and is on its way yet.
    pub fn holding(&self) -> &Holding {
        self.waiting.holding()
    }

    /// The one verb.
    pub fn handle(&mut self, ctx: &Ctx<'_>, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Said(link, said) => self.said(link, said, ctx, out),
            Input::Routed(stanza, owed) => self.routed(stanza, owed, ctx, out),
            Input::Half(ticket, half) => self.half(ticket, half, ctx, out),
            Input::Release(owed, outcome) => self.released(&owed, outcome, ctx, out),
            Input::Committed(ticket, outcome) => self.committed(ticket, outcome, ctx, out),
            Input::Answered(number, replied) => self.answered(number, replied, ctx, out),
            Input::Order(order) => self.ordered(order, ctx, out),
        }
    }

    fn said(&mut self, link: Link, said: Said, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        match said {
            Said::Bind { since, device, .. } if self.is_outdated(since, device.as_ref(), ctx) => {
                let end = Say::End(StreamCondition::NotAuthorized.into());
                out.push(Output::Parcel(Parcel::ToSocket(link, end)));
            }
            Said::Bind { resource, device, inline, .. } => {
                let wish = Wish { resource, device, inline };
                self.bind(link, wish, ctx, out);
            }
            Said::Stanza(stanza) if self.session(link).is_some() => {
                self.sent(link, stanza, ctx, out);
            }
            Said::Nonza(nonza) => {
                self.hear(link, &nonza, ctx, out);
                settle(link, out);
            }
            Said::Silent => self.feel(link, ctx.hooks.silent(), ctx, out),
            Said::Gone(End::Closed | End::Broken) => self.leave(link, ctx, out),
            // Its session has ended meanwhile, and it has been told.
            Said::Stanza(_) => {}
        }
    }

    fn sent(&mut self, link: Link, stanza: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        if stanza.head.to_malformed {
            self.refuse(&stanza, &StanzaCondition::JidMalformed.into(), ctx, out);
            return settle(link, out);
        }
        if self.waiting.is_full() {
            self.refuse(&stanza, &StanzaCondition::ResourceConstraint.into(), ctx, out);
            return settle(link, out);
        }
        if self.is_held_back(&stanza) {
            let pair = (stanza.head.from.clone(), stanza.head.to.clone());
            let place = Place::Ready(Ok(Committed::default()));
            let wait = Wait::of(place, pair, Then::Say(link, stanza), Some(link));
            return self.wait(wait, ctx, out);
        }
        self.say(link, stanza, ctx, out);
    }

    /// By what the account has said to the same one, and what has not left yet.
    fn is_held_back(&self, stanza: &Stanza) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
        let others = stanza.head.to.as_ref().filter(|to| to.bare() != self.jid);
        others.is_some_and(|to| {
            self.waiting.holds_back(&(stanza.head.from.clone(), Some(to.clone())))
        })
    }

    fn say(&mut self, link: Link, stanza: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        match stanza.kind() {
            wire::Kind::Message => self.message_sent(link, stanza, ctx, out),
            wire::Kind::Presence => self.presence_sent(link, stanza, ctx, out),
            wire::Kind::Iq => self.iq_sent(link, stanza, ctx, out),
        }
    }

    fn routed(&mut self, stanza: Stanza, owed: Option<Owed>, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        match stanza.kind() {
            wire::Kind::Message => self.message_received(stanza, owed, ctx, out),
            wire::Kind::Presence | wire::Kind::Iq => self.take_turn(stanza, ctx, out),
        }
    }

    /// Behind what of the same pair is not committed yet (RFC 6120 §10.1).
    fn take_turn(&mut self, stanza: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let pair = (stanza.head.from.clone(), stanza.head.to.clone());
        if !self.waiting.holds(&pair) {
            return self.handle_routed(stanza, ctx, out);
        }
        if !self.waiting.is_overrun() {
            let place = Place::Ready(Ok(Committed::default()));
            return self.wait(Wait::of(place, pair, Then::Handle(stanza), None), ctx, out);
        }
        if stanza.kind() == wire::Kind::Iq {
            self.refuse(&stanza, &StanzaCondition::ResourceConstraint.into(), ctx, out);
        }
    }

    fn handle_routed(&mut self, stanza: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        match stanza.kind() {
            wire::Kind::Message => self.message_received(stanza, None, ctx, out),
            wire::Kind::Presence => self.presence_received(stanza, ctx, out),
            wire::Kind::Iq => self.iq_received(stanza, ctx, out),
        }
    }

    /// RFC 6120 §7. A resource that is taken goes to the newcomer (§7.7.2.2): the older stream
    /// is most often the one that its owner has lost. So is that of the same device (XEP-0386 §4).
    fn bind(&mut self, link: Link, wish: Wish, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Wish { resource, device, inline } = wish;
        let resource = resource.map_or_else(|| ctx.token(), |wish| wish.to_string());
        let Ok(jid) = self.jid.with_resource(&resource) else {
            let refused = Say::Unbound(StanzaCondition::BadRequest.into());
            return out.push(Output::Parcel(Parcel::ToSocket(link, refused)));
        };
        let same = |session: &Session| {
            session.jid == jid || (device.is_some() && session.device == device)
        };
        self.end_those(same, StreamCondition::Conflict, ctx, out);
        if self.sessions.len() >= ctx.settings.limits.sessions_max {
            let refused = Say::Unbound(StanzaCondition::ResourceConstraint.into());
            return out.push(Output::Parcel(Parcel::ToSocket(link, refused)));
        }
        let mut session = Session::bound(link, jid.clone(), ctx.hooks.plans());
        session.device = device;
        let begin = |one: &Payload| session.begin(one.element(), ctx);
        let begun = inline.iter().flat_map(begin).collect();
        out.push(Output::Parcel(Parcel::ToSocket(link, Say::Bound(jid, begun))));
        // Most accounts have one: a vector that grows on its own would make room for four.
        self.sessions.reserve_exact(1);
        self.sessions.push(session);
        self.feel(link, ctx.hooks.bound(), ctx, out);
    }

    fn feel(&mut self, link: Link, feels: &[Feel], ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Some(session) = self.session(link) else { return };
        for feel in feels {
            let said = feel(session, ctx);
            session.say(said, ctx, &mut |written| out.push(to_socket(link, written)));
        }
    }

    fn hear(&mut self, link: Link, nonza: &Payload, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Some(session) = self.session(link) else { return };
        match session.hear(nonza, ctx) {
            Ok(said) => session.say(said, ctx, &mut |written| out.push(to_socket(link, written))),
            Err(error) => {
                out.push(Output::Parcel(Parcel::ToSocket(link, Say::End(error))));
                self.leave(link, ctx, out);
            }
        }
    }

    /// Ends a stream that the account has had enough of.
    fn end(&mut self, link: Link, why: StreamCondition, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        out.push(Output::Parcel(Parcel::ToSocket(link, Say::End(why.into()))));
        self.leave(link, ctx, out);
    }

    /// A session ends: its presence is withdrawn, then it is forgotten.
    fn leave(&mut self, link: Link, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Some(place) = self.sessions.iter().position(|session| session.link == link) else {
            return;
        };
        self.withdraw(link, None, ctx, out);
        let mut session = self.sessions.remove(place);
        self.sessions.shrink_to_fit();
        for feel in ctx.hooks.unbound() {
            feel(&mut session, ctx);
        }
    }

    pub(crate) fn session(&mut self, link: Link) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.link == link)
    }

    /// Writes to a session of this account, if it is still there.
    pub(crate) fn write(
        &mut self,
        to: &Jid,
        leaving: impl Into<Leaving>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if let Some(place) = self.sessions.iter().position(|session| session.jid == *to) {
            self.deliver(place, leaving.into(), ctx, out);
        }
    }

    /// Writes to the session at this place.
    pub(crate) fn deliver(
        &mut self,
        place: usize,
        leaving: Leaving,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(session) = self.sessions.get_mut(place) else { return };
        let link = session.link;
        session.write(leaving, ctx, &mut |written| out.push(to_socket(link, written)));
    }

    /// Sends a stanza of ours to where it is addressed: a session here, another account, a host.
    fn send(&mut self, stanza: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Some(to) = stanza.head.to.clone() else { return };
        if to.bare() == self.jid && !to.is_bare() {
            self.write(&to, stanza, ctx, out);
        } else if ctx.settings.lets_reach(&self.jid, to.domain()) {
            let to = to.bare();
            out.push(Output::Parcel(Parcel::Routed { to, stanza, owed: None }));
        }
    }

    /// Tells the sender of what was ended, unless it was dropped.
    fn ended(&mut self, ended: &Ended, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        if let Some(error) = &ended.error {
            self.refuse(&ended.stanza, error, ctx, out);
        }
    }

    /// Tells the sender that it goes no further.
    fn refuse(
        &mut self,
        stanza: &Stanza,
        error: &StanzaError,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if let Some(refused) = stanza.refused(error) {
            self.send(refused, ctx, out);
        }
    }
}

/// Gives a stream back the credit of one stanza, or nonza.
fn settle(link: Link, out: &mut Vec<Output>) {
    out.push(Output::Parcel(Parcel::ToSocket(link, Say::Settled(1))));
}

fn to_socket(link: Link, written: Written) -> Output {
    let say = match written {
        Written::Stanza(stanza) => Say::Stanza(stanza),
        Written::Nonza(nonza) => Say::Nonza(nonza),
    };
    Output::Parcel(Parcel::ToSocket(link, say))
}
