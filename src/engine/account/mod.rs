//! One account at its home: its sessions, its roster, its line of uncommitted units.
//! A value with one synchronous verb, [`Account::handle`].

mod behind;
mod bucket;
mod delivery;
mod iq;
mod last_presence;
mod line;
mod message;
mod notes;
mod orders;
mod presence;
mod probes;
mod readers;
mod reads;
mod recipients;
mod replay;
mod resume;
mod rooms;
mod showing;
mod streams;
mod subscribe;
mod verb;
mod wait;
mod waiting;

use crate::{
    cells::Cells,
    ctx::{Ctx, Moment},
    hook::IqKind,
    parcel::{End, Link, Owed, Parcel, Said, Say},
    passage::{Ended, notify},
    port::Loaded,
    roster::Roster,
    session::{Session, Written},
    slot::Kept,
    trace::Trace,
    unit::{Change, Committed, Pos},
};
use reads::Reads;
pub(crate) use recipients::Recipients;
use resume::Expired;
use showing::Showing;
#[cfg(test)]
pub(crate) use showing::{PRESENCE_BYTES_MAX, SHOWN_AT_ONCE_MAX, SHOWN_BYTES_MAX};
use std::collections::VecDeque;
use streams::Wish;
use wait::{By, Place, Then, Wait};
use waiting::Waiting;
use wire::{Bare, Jid, Kind, Stanza, StanzaCondition, StanzaError, StreamCondition, Text};

pub use last_presence::{LAST_PRESENCE, LastPresence};
pub(crate) use readers::READERS;
pub use verb::{Input, Look, Output};
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
    /// It is gone: there is no such account any more.
    pub(crate) is_deleted: bool,
    /// The streams of sessions that end with it, and that the store has still: their clients come
    /// back to them, and say again what no log has.
    outlived: Vec<Link>,
    /// Resources that may have ended when the account was read anew: who comes back to a session of
    /// before may believe in them.
    gone: Vec<Jid>,
    waiting: Waiting,
    /// Requests that wait until what is to change at hand is committed.
    asked: VecDeque<(IqKind, Stanza, By)>,
    reads: Reads,
    showing: Showing,
    /// What the log has up to here has been delivered, or need not be (XEP-0160).
    delivered: Pos,
    /// The same, as the store has it.
    delivered_noted: Pos,
    /// Everything that the log has up to here has passed.
    released: Pos,
    /// When what the store has otherwise is to be written.
    notes_at: Option<Moment>,
    /// Sessions that are no more, and the store has them still.
    unforgotten: Vec<i64>,
    /// When it comes back at the latest.
    wakes: Option<Moment>,
    /// A room told something while there was no room for it in the line.
    crowded: bool,
    /// Sessions that have answered that they have got what they were told.
    paced: Vec<i64>,
    /// How often its log has been read for its sessions.
    looks: u64,
    /// Sessions that can be resumed no more.
    expired: Vec<Expired>,
    pub(crate) slots: Box<[Option<Kept>]>,
    /// Where its last messages went.
    pub trace: Trace,
}

impl Account {
    /// As it was loaded.
    pub fn load(jid: Bare, loaded: Loaded, unix_ms: u64) -> Self {
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
            is_deleted: false,
            outlived: Vec::new(),
            gone: Vec::new(),
            waiting: Waiting::default(),
            asked: VecDeque::new(),
            reads: Reads::default(),
            showing: Showing::default(),
            delivered: loaded.delivered,
            delivered_noted: loaded.delivered,
            released: Pos::before(unix_ms).max(loaded.last),
            notes_at: None,
            unforgotten: Vec::new(),
            wakes: None,
            crowded: false,
            paced: Vec::new(),
            looks: 0,
            expired: Vec::new(),
            slots: Box::default(),
            trace: Trace::default(),
        }
    }

    /// Whether nothing would be lost if it were forgotten.
    pub fn is_idle(&self) -> bool {
        let is_busy = !(self.waiting.is_empty() && self.reads.is_empty());
        self.sessions.is_empty() && !is_busy && (self.departs || self.unforgotten.is_empty())
    }

    /// About what it takes in memory, in bytes.
    pub fn weight(&self) -> usize {
        ACCOUNT_BYTES + self.roster.weight() + self.cells.weight() + self.trace.weight()
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
            Input::Beside(stanza, beside) => self.beside(stanza, beside, ctx, out),
            Input::Told(message, told, news) => self.told(message, told, news, ctx, out),
            Input::News(message, news) => notify(message, news, self, ctx, out),
            Input::Half(ticket, half) => self.half(ticket, half, ctx, out),
            Input::Release(owed, outcome) => self.released(&owed, outcome, ctx, out),
            Input::Committed(ticket, outcome) => self.committed(ticket, outcome, ctx, out),
            Input::Answered(number, replied) => self.answered(number, replied, ctx, out),
            Input::Order(order) => self.ordered(order, ctx, out),
            Input::Revive(kept, gone) => self.revive(kept, gone, ctx, out),
            Input::Seen(session, look, page) => self.page_seen(session, look, page, ctx, out),
            Input::Tick => self.tick(ctx, out),
            Input::Note => self.note_all(ctx, out),
            Input::Missed(session, room) => self.asked_by_room(&session, room, out),
            Input::Attends(..) | Input::Departed(_) => {}
        }
        if !self.paced.is_empty() {
            self.replay_paced(ctx, out);
        }
    }

    fn said(&mut self, link: Link, said: Said, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        match said {
            Said::Bind { since, device, .. } | Said::Resume { since, device, .. }
                if self.is_outdated(since, device.as_ref(), ctx) =>
            {
                let end = Say::End(StreamCondition::NotAuthorized.into());
                out.push(Output::Parcel(Parcel::ToSocket(link, end)));
            }
            Said::Bind { resource, device, inline, reads, .. } => {
                let wish = Wish { resource, device, inline, reads };
                self.bind(link, wish, ctx, out);
            }
            Said::Stanza(stanza) => {
                // Or its session has ended meanwhile, and it has been told.
                let Some(session) = self.session(link) else { return };
                let by = By { link, number: session.handled.say(), covers: 0 };
                self.sent(by, stanza, ctx, out);
            }
            Said::Nonza(nonza) => {
                self.hear(link, &nonza, ctx, out);
                give_credit(link, out);
            }
            Said::Silent => self.feel(link, ctx.hooks.silent(), ctx, out),
            Said::Resume { claim, .. } => self.claim(link, claim, ctx, out),
            Said::Gone(End::Broken) => self.lose(link, ctx, out),
            Said::Gone(End::Closed) => {
                self.forget_claim(link);
                self.leave(link, ctx, out);
            }
        }
    }

    fn sent(&mut self, by: By, stanza: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        if let Some(why) = self.unsayable(by.link, &stanza, ctx) {
            self.refuse(&stanza, &why, ctx, out);
            return self.settle(by, ctx, out);
        }
        self.answers(by, &stanza);
        if self.is_held_back(&stanza) {
            let pair = (stanza.head.from.clone(), stanza.head.to.clone());
            let place = Place::Ready(Ok(Committed::default()));
            let wait = Wait::of(place, pair, Then::Say(by, stanza), Some(by));
            self.hold(by);
            return self.wait(wait, ctx, out);
        }
        self.say(by, stanza, ctx, out);
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

    fn say(&mut self, by: By, stanza: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let is_message = stanza.kind() == wire::Kind::Message;
        self.note_unlogged(by.link, is_message, ctx, out);
        match stanza.kind() {
            Kind::Message => self.message_sent(by, stanza, ctx, out),
            Kind::Presence => self.presence_sent(by, stanza, ctx, out),
            Kind::Iq => self.iq_sent(by, stanza, ctx, out),
        }
    }

    fn routed(&mut self, stanza: Stanza, owed: Option<Owed>, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        match stanza.kind() {
            Kind::Message => self.message_received(stanza, owed, ctx, out),
            Kind::Presence | Kind::Iq => self.take_turn(stanza, ctx, out),
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
            let then = Then::Handle(stanza, pair.1.as_ref().and_then(|to| self.number_of(to)));
            return self.wait(Wait::of(place, pair, then, None), ctx, out);
        }
        if stanza.kind() == Kind::Iq {
            self.refuse(&stanza, &StanzaCondition::ResourceConstraint.into(), ctx, out);
        }
    }

    /// The number of the session at this address.
    fn number_of(&self, to: &Jid) -> Option<i64> {
        self.sessions.iter().find(|session| session.jid == *to).map(|session| session.id)
    }

    /// Its turn has come. Presence for a session that is no more, or was not there when it came
    /// (RFC 6121 §8.5.3.2.1), is not for another that has its resource: whoever sent it may have
    /// heard since that it is gone, and tells it of no end.
    fn handle_late(
        &mut self,
        stanza: Stanza,
        session: Option<i64>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let shows = stanza.kind() == Kind::Presence && stanza.head.type_str().is_empty();
        let now = stanza.head.to.as_ref().and_then(|to| self.number_of(to));
        if shows && session != now {
            return;
        }
        self.handle_routed(stanza, ctx, out);
    }

    fn handle_routed(&mut self, stanza: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        match stanza.kind() {
            Kind::Message => self.message_received(stanza, None, ctx, out),
            Kind::Presence => self.presence_received(stanza, ctx, out),
            Kind::Iq => self.iq_received(stanza, ctx, out),
        }
    }

    pub(crate) fn session(&mut self, link: Link) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.link == link)
    }

    /// Sends a stanza of ours to where it is addressed: a session here, another account, a host.
    pub(crate) fn send(&mut self, stanza: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Some(to) = stanza.head.to.clone() else { return };
        if to.bare() == self.jid && !to.is_bare() {
            self.write(&to, stanza, ctx, out);
        } else if ctx.settings.lets_reach(&self.jid, to.domain()) {
            let to = to.bare();
            out.push(Output::Parcel(Parcel::Routed { to, stanza, owed: None }));
        }
    }

    /// It waits for something else than its commit.
    fn hold(&mut self, by: By) {
        if let Some(session) = self.session(by.link) {
            session.handled.hold(by.number);
        }
    }

    /// A stanza of one of its streams has been dealt with.
    fn settle(&mut self, by: By, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        give_credit(by.link, out);
        let Some(session) = self.session(by.link) else { return };
        session.handled.settle(by.number);
        if session.managed.is_some() {
            self.settled(by.link, ctx, out);
        }
    }

    fn settle_if(&mut self, by: Option<By>, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        if let Some(by) = by {
            self.settle(by, ctx, out);
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
fn give_credit(link: Link, out: &mut Vec<Output>) {
    out.push(Output::Parcel(Parcel::ToSocket(link, Say::Settled(1))));
}

fn to_socket(link: Link, written: Written) -> Output {
    let say = match written {
        Written::Stanza(stanza) => Say::Stanza(stanza),
        Written::Nonza(nonza) => Say::Nonza(nonza),
    };
    Output::Parcel(Parcel::ToSocket(link, say))
}
