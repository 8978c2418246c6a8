//! The accounts and hosts of one core: loads them when they are needed, hands each what is
//! addressed to it, forgets the idle. A value with one synchronous verb, [`Shard::handle`].

use crate::{
    account::{self, Look},
    ctx::{Ctx, Moment},
    delivery::nobody,
    hook::{Of, Replied, World},
    parcel::{Order, Owed, Parcel, Ticket},
    port::{Fault, Loaded, Logged, Online, Pending},
    request::{Asks, Found, Line, answer, asks, stanzas, unwritten},
    session::Session,
    unit::{Committed, Unit},
};
use idle::Idle;
pub use idle::{IDLE_ACCOUNTS_MAX, IDLE_BYTES_MAX};
use parked::{Parked, to_nobody, turn_away};
use questions::Questions;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use value::Value;
use wire::{Bare, Kind, Stanza, StanzaCondition};

/// The function of an `Answer::World`.
pub type WorldAnswer = for<'a> fn(&'a Stanza, &'a World<'a>) -> Pending<'a, Replied>;

/// What happens to a shard.
pub enum Input {
    /// Something addressed to one of its accounts or hosts.
    Parcel(Parcel),
    /// An account has been read; `None`: there is no such account.
    Loaded(Bare, Result<Option<Loaded>, Fault>),
    /// A unit has been committed, or not.
    Committed(Bare, Ticket, Result<Committed, Fault>),
    /// The store has been read for an iq.
    Answered(Bare, u64, Replied),
    /// Who of this domain is online is wanted, or what of this account, with at most so many names.
    Count(u64, Bare, usize),
    /// Every available resource of this domain gets this.
    Announce(Bare, Stanza),
    /// This account is no more: the rooms that are here forget it.
    Departed(Bare),
    /// The log of an account has been read for its session of this number, as it was asked.
    Seen(Bare, i64, Look, Result<Vec<Logged>, Fault>),
    /// The moment that `Shard::wakes` tells has come.
    Tick,
    /// What the store has otherwise than memory is to be written now.
    Note,
    /// An account has sessions that wait for their clients: it is to be here.
    Revive(Bare),
}

/// What a shard causes.
pub enum Output {
    /// To be carried to its home or its socket.
    Parcel(Parcel),
    /// To be read; comes back as `Input::Loaded`.
    Load(Bare),
    /// To be committed, in this order; what is told of it is [`outcome`]. The last is who gave half
    /// of it.
    Commit(Bare, Ticket, Unit, Option<Bare>),
    /// To be read beside the line; comes back as `Input::Answered`.
    World {
        /// Who is asked.
        account: Bare,
        /// To be brought back.
        number: u64,
        /// The request.
        iq: Stanza,
        /// The function.
        answer: WorldAnswer,
    },
    /// To be removed: nobody but its last session could have come back to it.
    Expire(Bare),
    /// This account is no more, and has said all that it ever will: every shard is to be told.
    Departed(Bare),
    /// The answer to `Input::Count`, of this shard.
    Counted(u64, Online),
    /// Of the log of an account, to be read for its session of this number; comes back as
    /// `Input::Seen`.
    Look(Bare, i64, Look),
    /// A message has come to this.
    Fate(&'static str),
}

/// What is told of a unit that has been committed, or not: to the account whose it is, and to who
/// gave half of it. Told in the order of the commits, so that each account hears of what is in its
/// log in the order in which it stands there, whichever shards they are of.
pub fn outcome(
    account: Bare,
    ticket: Ticket,
    recipient: Option<Bare>,
    outcome: Result<Committed, Fault>,
) -> impl Iterator<Item = (Bare, Input)> {
    let release = recipient.map(|to| {
        let (owed, outcome) = (Owed { sender: account.clone(), ticket }, outcome.clone());
        (to.clone(), Input::Parcel(Parcel::Release { to, owed, outcome }))
    });
    let committed = (account.clone(), Input::Committed(account, ticket, outcome));
    std::iter::once(committed).chain(release)
}

enum Hosted {
    /// It is being read.
    Loading(Parked),
    /// It is here.
    Here {
        value: Value,
        idle: Option<Idle>,
        /// What it holds is no longer what the store has: it is read anew as soon as nothing of
        /// it waits for anybody. Not before: what comes back from the writer would find nobody,
        /// or a successor that it is not for. What came meanwhile is for the successor.
        leaves: Option<Parked>,
    },
}

impl Hosted {
    fn sessions(&self) -> &[Session] {
        match self {
            Self::Here { value: Value::Account(account), .. } => &account.sessions,
            Self::Loading(_) | Self::Here { .. } => &[],
        }
    }
}

/// The values of one core.
#[derive(Default)]
pub struct Shard {
    hosted: HashMap<Bare, Hosted>,
    idle: BTreeMap<u64, Bare>,
    idle_bytes: usize,
    parked_bytes: usize,
    turn: u64,
    /// When an account is to be told `Tick`.
    wakes: BTreeMap<Moment, BTreeSet<Bare>>,
    /// Whose moment has come, and who has not had their turn yet.
    due: VecDeque<Bare>,
    questions: Questions,
    /// Empty between two calls; kept for its room.
    caused: Vec<account::Output>,
}

impl Shard {
    /// The one verb.
    pub fn handle(&mut self, ctx: &Ctx<'_>, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Parcel(parcel) => self.parcel(parcel, ctx, out),
            Input::Loaded(jid, loaded) => self.loaded(&jid, loaded, ctx, out),
            Input::Committed(jid, ticket, outcome) => {
                self.hand_over(jid, account::Input::Committed(ticket, outcome), ctx, out);
            }
            Input::Answered(host, number, replied) if host.local().is_none() => {
                let Some(iq) = self.questions.answered(number, out) else { return };
                carry_all(stanzas(&iq, unwritten(replied)), out);
            }
            Input::Answered(jid, number, replied) => {
                self.hand_over(jid, account::Input::Answered(number, replied), ctx, out);
            }
            Input::Count(number, whom, max) => {
                out.push(Output::Counted(number, self.online(&whom, max)));
            }
            Input::Seen(jid, session, look, page) => {
                self.hand_over(jid, account::Input::Seen(session, look, page), ctx, out);
            }
            Input::Departed(account) => self.departed(&account, ctx, out),
            Input::Tick => self.tick(ctx, out),
            Input::Note => self.note(ctx, out),
            Input::Revive(jid) => self.hand_over(jid, account::Input::Tick, ctx, out),
            Input::Announce(domain, stanza) => {
                for jid in self.busy(&domain) {
                    let order = account::Input::Order(Order::Hear(stanza.clone()));
                    self.hand_over(jid, order, ctx, out);
                }
            }
        }
    }

    /// How many accounts are in memory.
    pub fn accounts(&self) -> usize {
        self.hosted.len()
    }

    fn parcel(&mut self, parcel: Parcel, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let (jid, input) = match parcel {
            Parcel::Routed { ref to, .. } if !ctx.settings.reaches(to.domain()) => {
                return unreached(parcel, out);
            }
            Parcel::Routed { ref to, .. } if !ctx.settings.hosts(to.domain()) => {
                return out.push(Output::Parcel(parcel));
            }
            Parcel::FromSocket(jid, link, said) => (jid, account::Input::Said(link, said)),
            Parcel::Routed { to, stanza, owed: None } if to.local().is_none() => {
                return self.ask_host(&to, stanza, ctx, out);
            }
            // A host keeps no log, but who waits for its half is answered.
            Parcel::Routed { to, stanza, owed } if to.local().is_none() => {
                return to_nobody(&to, account::Input::Routed(stanza, owed), ctx, out);
            }
            Parcel::Routed { to, stanza, owed } => (to, account::Input::Routed(stanza, owed)),
            Parcel::Half { to, ticket, half } => (to, account::Input::Half(ticket, half)),
            Parcel::Release { to, owed, outcome } => (to, account::Input::Release(owed, outcome)),
            Parcel::Told { to, message, told, news } => {
                (to, account::Input::Told(message, told, news))
            }
            Parcel::Beside { to, stanza, beside } => (to, account::Input::Beside(stanza, beside)),
            Parcel::News { to, message, news } => (to, account::Input::News(message, news)),
            Parcel::Missed { to, session, room } => (to, account::Input::Missed(session, room)),
            Parcel::Attends { room, session, attends } => {
                (room, account::Input::Attends(session, attends))
            }
            Parcel::Order(jid, order) => (jid, account::Input::Order(order)),
            elsewhere @ Parcel::ToSocket(..) => return out.push(Output::Parcel(elsewhere)),
        };
        self.hand_over(jid, input, ctx, out);
    }

    fn hand_over(
        &mut self,
        jid: Bare,
        input: account::Input,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let total = &mut self.parked_bytes;
        match self.hosted.get_mut(&jid) {
            // To be waited for by somebody that it may wait for itself would never end.
            Some(Hosted::Here { leaves: Some(_), .. }) if parked::is_awaited(&input) => {
                let leaves = Fault::Refused("the account is read anew".into());
                turn_away(&jid, input, &leaves.into(), out);
            }
            Some(Hosted::Here { leaves: Some(parked), .. }) if !parked::concludes(&input) => {
                parked.put(&jid, input, total, out);
            }
            Some(Hosted::Here { .. }) => self.run(&jid, input, ctx, out),
            Some(Hosted::Loading(parked)) => parked.put(&jid, input, total, out),
            None if !parked::wakes(&input)
                && (!is_room(&jid, ctx) || parked::concludes(&input)) =>
            {
                to_nobody(&jid, input, ctx, out);
            }
            None => {
                let mut parked = Parked::default();
                parked.put(&jid, input, total, out);
                if !parked.is_empty() {
                    out.push(Output::Load(jid.clone()));
                    self.hosted.insert(jid, Hosted::Loading(parked));
                }
            }
        }
    }

    fn loaded(
        &mut self,
        jid: &Bare,
        loaded: Result<Option<Loaded>, Fault>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(Hosted::Loading(parked)) = self.hosted.get_mut(jid) else { return };
        let gone = std::mem::take(&mut parked.gone);
        let parked = parked.take(&mut self.parked_bytes);
        match loaded.map(|loaded| Value::load(jid, loaded, ctx)) {
            Ok(Some((value, kept))) => {
                self.hosted.insert(jid.clone(), Hosted::Here { value, idle: None, leaves: None });
                if !kept.is_empty() {
                    self.run(jid, account::Input::Revive(kept, gone), ctx, out);
                }
                for input in parked {
                    self.hand_over(jid.clone(), input, ctx, out);
                }
            }
            Ok(None) => {
                self.hosted.remove(jid);
                parked.into_iter().for_each(|input| to_nobody(jid, input, ctx, out));
            }
            Err(fault) => {
                tracing::warn!(%fault, "an account could not be loaded");
                self.hosted.remove(jid);
                let error = fault.into();
                parked.into_iter().for_each(|input| match input {
                    // What the operator did has been done.
                    order @ account::Input::Order(_) => to_nobody(jid, order, ctx, out),
                    other => turn_away(jid, other, &error, out),
                });
            }
        }
    }

    fn run(&mut self, jid: &Bare, input: account::Input, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Some(Hosted::Here { value, leaves, idle }) = self.hosted.get_mut(jid) else { return };
        value.handle(jid, ctx, input, &mut self.caused, out);
        let weight = value.is_idle().then(|| value.weight());
        let rests = weight.is_some() || idle.is_some();
        for caused in self.caused.drain(..) {
            out.push(match caused {
                account::Output::Parcel(parcel) => Output::Parcel(parcel),
                account::Output::Commit(ticket, unit, recipient) => {
                    Output::Commit(jid.clone(), ticket, unit, recipient)
                }
                account::Output::World(number, iq, answer) => {
                    Output::World { account: jid.clone(), number, iq, answer }
                }
                account::Output::Look(session, look) => Output::Look(jid.clone(), session, look),
                account::Output::Wake(at) => {
                    self.wakes.entry(at).or_default().insert(jid.clone());
                    continue;
                }
                account::Output::Leave(seen) => {
                    leaves.get_or_insert_default().gone.extend(seen);
                    continue;
                }
            });
        }
        if rests {
            self.rest(jid, weight, out);
        }
    }

    /// After an account has been busy; `weight` is told when nothing keeps it here.
    fn rest(&mut self, jid: &Bare, weight: Option<usize>, out: &mut Vec<Output>) {
        let Some(Hosted::Here { value, idle, leaves }) = self.hosted.get_mut(jid) else { return };
        let (was_idle, leaves) = (idle.take(), leaves.as_mut().filter(|_| weight.is_some()));
        let parked = leaves.map(std::mem::take);
        let is_gone = parked.is_some() && value.is_deleted();
        self.wake(was_idle);
        out.extend(is_gone.then(|| Output::Departed(jid.clone())));
        match (parked, weight) {
            (Some(parked), _) if parked.is_empty() => {
                self.hosted.remove(jid);
            }
            (Some(parked), _) => {
                out.push(Output::Load(jid.clone()));
                self.hosted.insert(jid.clone(), Hosted::Loading(parked));
            }
            (None, Some(bytes)) => self.lull(jid, bytes),
            (None, None) => {}
        }
    }

    /// RFC 6120 §10.5.1: a host answers iqs; messages to it are nobody's, and so is presence that
    /// nobody waits for.
    fn ask_host(&mut self, host: &Bare, stanza: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let bare = stanza.head.to.as_ref().is_some_and(|to| to.is_bare());
        let is_service = ctx.settings.service(host.domain()).is_some();
        let of = if is_service { Of::Service } else { Of::Host };
        let comes = bare && stanza.kind() == Kind::Presence && stanza.head.type_str().is_empty();
        if let Some(read) = ctx.hooks.comes(of, &stanza).filter(|_| comes) {
            // Who asks too much is told nothing, and may ask again.
            if !self.questions.are_too_many(&stanza) {
                self.questions.ask(host.clone(), stanza, read, out);
            }
            return;
        }
        let request = match (stanza.kind(), asks(&stanza)) {
            (Kind::Iq, Ok(Asks::Request(kind))) if bare => kind,
            _ => return carry_all(nobody(&stanza).into_iter().collect(), out),
        };
        match answer(of, request, &stanza, Line::of_host(host), ctx) {
            Found::Now(replied, _) => carry_all(stanzas(&stanza, unwritten(replied)), out),
            Found::Beside(_) if self.questions.are_too_many(&stanza) => {
                let busy = stanza.refused(&StanzaCondition::ResourceConstraint.into());
                carry_all(busy.into_iter().collect(), out);
            }
            Found::Beside(answer) => self.questions.ask(host.clone(), stanza, answer, out),
        }
    }
}

/// Whether what stands at this address is a service's to say.
fn is_room(jid: &Bare, ctx: &Ctx<'_>) -> bool {
    ctx.settings.service(jid.domain()).is_some()
}

/// Nobody takes it further; whoever waits is told (RFC 6120 §10.4).
fn unreached(parcel: Parcel, out: &mut Vec<Output>) {
    let Parcel::Routed { to, stanza, owed } = parcel else { return };
    let error = StanzaCondition::RemoteServerNotFound.into();
    turn_away(&to, account::Input::Routed(stanza, owed), &error, out);
}

/// Stanzas of a host, or of nobody: to the accounts they are addressed to.
fn carry_all(stanzas: Vec<Stanza>, out: &mut Vec<Output>) {
    for stanza in stanzas {
        if let Some(to) = stanza.head.to.as_ref().map(|to| to.bare()) {
            out.push(Output::Parcel(Parcel::Routed { to, stanza, owed: None }));
        }
    }
}

mod departed;
mod idle;
mod online;
mod parked;
mod questions;
mod value;
mod wakes;

#[cfg(test)]
mod tests;
