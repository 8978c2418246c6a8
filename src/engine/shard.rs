//! The accounts and hosts of one core: loads them when they are needed, hands each what is
//! addressed to it, forgets the idle. A value with one synchronous verb, [`Shard::handle`].

use crate::{
    account::{self, Account},
    ctx::Ctx,
    delivery::nobody,
    hook::{Of, Replied, World},
    parcel::{Owed, Parcel, Said, Say, Ticket},
    port::{Fault, Loaded, Pending},
    request::{Asks, Found, Line, answer, asks, stanzas},
    unit::{Committed, Unit},
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use wire::{Bare, ErrorType, Kind, Stanza, StanzaCondition, StanzaError, StreamCondition};

/// Accounts kept in memory though nobody uses them, the least recently used forgotten first.
pub const IDLE_ACCOUNTS_MAX: usize = 10_000;
/// What may wait for one account to be loaded.
pub const PARKED_INPUTS_MAX: usize = 1024;
/// Requests to hosts that the store may be being read for.
const QUESTIONS_MAX: usize = 4096;

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
}

/// What a shard causes.
pub enum Output {
    /// To be carried to its home or its socket.
    Parcel(Parcel),
    /// To be read; comes back as `Input::Loaded`.
    Load(Bare),
    /// To be committed, in this order; comes back as `Input::Committed`.
    Commit(Bare, Ticket, Unit),
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
}

enum Hosted {
    Loading(VecDeque<account::Input>),
    Here { account: Box<Account>, idle_since: Option<u64> },
}

/// The values of one core.
#[derive(Default)]
pub struct Shard {
    hosted: HashMap<Bare, Hosted>,
    idle: BTreeMap<u64, Bare>,
    turn: u64,
    asked: BTreeMap<u64, Stanza>,
}

impl Shard {
    /// The one verb.
    pub fn handle(&mut self, ctx: &Ctx<'_>, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Parcel(parcel) => self.parcel(parcel, ctx, out),
            Input::Loaded(jid, loaded) => self.loaded(jid, loaded, ctx, out),
            Input::Committed(jid, ticket, outcome) => {
                self.hand_over(jid, account::Input::Committed(ticket, outcome), ctx, out);
            }
            Input::Answered(jid, number, replied) => match self.asked.remove(&number) {
                Some(iq) if jid.local().is_none() => carry_all(stanzas(&iq, replied), out),
                _ => self.hand_over(jid, account::Input::Answered(number, replied), ctx, out),
            },
        }
    }

    /// How many accounts are in memory.
    pub fn accounts(&self) -> usize {
        self.hosted.len()
    }

    fn parcel(&mut self, parcel: Parcel, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let (jid, input) = match parcel {
            Parcel::FromSocket(jid, link, said) => (jid, account::Input::Said(link, said)),
            Parcel::Routed { to, stanza, .. } if to.local().is_none() => {
                return self.ask_host(&to, stanza, ctx, out);
            }
            Parcel::Routed { to, stanza, owed } => (to, account::Input::Routed(stanza, owed)),
            Parcel::Half { to, ticket, half } => (to, account::Input::Half(ticket, half)),
            Parcel::Release { to, owed, outcome } => (to, account::Input::Release(owed, outcome)),
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
        match self.hosted.get_mut(&jid) {
            Some(Hosted::Here { .. }) => self.run(&jid, input, ctx, out),
            Some(Hosted::Loading(parked)) if parked.len() < PARKED_INPUTS_MAX => {
                parked.push_back(input);
            }
            Some(Hosted::Loading(_)) => {
                turn_away(&jid, input, &StanzaCondition::ResourceConstraint.into(), out);
            }
            // Nothing to tell an account that nobody uses.
            None if !wakes(&input) => {}
            None => {
                out.push(Output::Load(jid.clone()));
                self.hosted.insert(jid, Hosted::Loading(VecDeque::from([input])));
            }
        }
    }

    fn loaded(
        &mut self,
        jid: Bare,
        loaded: Result<Option<Loaded>, Fault>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(Hosted::Loading(parked)) = self.hosted.remove(&jid) else { return };
        match loaded {
            Ok(Some(loaded)) => {
                let account = Box::new(Account::load(jid.clone(), loaded));
                self.hosted.insert(jid.clone(), Hosted::Here { account, idle_since: None });
                for input in parked {
                    self.hand_over(jid.clone(), input, ctx, out);
                }
            }
            Ok(None) => parked.into_iter().for_each(|input| to_nobody(&jid, input, out)),
            Err(fault) => {
                tracing::warn!(%fault, "an account could not be loaded");
                let error = StanzaError {
                    type_: ErrorType::Wait,
                    ..StanzaCondition::InternalServerError.into()
                };
                parked.into_iter().for_each(|input| turn_away(&jid, input, &error, out));
            }
        }
    }

    fn run(&mut self, jid: &Bare, input: account::Input, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Some(Hosted::Here { account, idle_since }) = self.hosted.get_mut(jid) else { return };
        let (mut caused, mut ruined) = (Vec::new(), false);
        account.handle(ctx, input, &mut caused);
        if caused.iter().any(|output| matches!(output, account::Output::Ruined)) {
            ruined = true;
            account.end_all(StreamCondition::InternalServerError, ctx, &mut caused);
        }
        out.extend(caused.into_iter().filter_map(|output| match output {
            account::Output::Parcel(parcel) => Some(Output::Parcel(parcel)),
            account::Output::Commit(ticket, unit) => {
                Some(Output::Commit(jid.clone(), ticket, unit))
            }
            account::Output::World(number, iq, answer) => {
                Some(Output::World { account: jid.clone(), number, iq, answer })
            }
            account::Output::Ruined => None,
        }));
        let idle = account.is_idle();
        if let Some(turn) = idle_since.take() {
            self.idle.remove(&turn);
        }
        if ruined {
            self.hosted.remove(jid);
        } else if idle {
            self.turn += 1;
            *idle_since = Some(self.turn);
            self.idle.insert(self.turn, jid.clone());
            self.forget_idle();
        }
    }

    fn forget_idle(&mut self) {
        while self.idle.len() > IDLE_ACCOUNTS_MAX {
            let Some((_, jid)) = self.idle.pop_first() else { return };
            self.hosted.remove(&jid);
        }
    }

    /// RFC 6120 §10.5.1: a host answers iqs; messages and presence to it are nobody's.
    fn ask_host(&mut self, host: &Bare, stanza: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let bare = stanza.head.to.as_ref().is_some_and(|to| to.is_bare());
        let request = match (stanza.kind(), asks(&stanza)) {
            (Kind::Iq, Ok(Asks::Request(kind))) if bare => kind,
            _ => return carry_all(nobody(&stanza).into_iter().collect(), out),
        };
        let line = Line { asked: host, sessions: &mut [], unit: Unit::default() };
        match answer(Of::Host, request, &stanza, line, ctx) {
            Found::Now(replied, _) => carry_all(stanzas(&stanza, replied), out),
            Found::Beside(_) if self.asked.len() >= QUESTIONS_MAX => {
                let busy = stanza.refused(&StanzaCondition::ResourceConstraint.into());
                carry_all(busy.into_iter().collect(), out);
            }
            Found::Beside(answer) => {
                self.turn += 1;
                self.asked.insert(self.turn, stanza.clone());
                let (account, number) = (host.clone(), self.turn);
                out.push(Output::World { account, number, iq: stanza, answer });
            }
        }
    }
}

/// Whether an account must be loaded for it.
fn wakes(input: &account::Input) -> bool {
    match input {
        account::Input::Routed(..) => true,
        account::Input::Said(_, said) => !matches!(said, Said::Gone(_)),
        _ => false,
    }
}

/// There is no such account.
fn to_nobody(jid: &Bare, input: account::Input, out: &mut Vec<Output>) {
    let gone: StanzaError = StanzaCondition::ServiceUnavailable.into();
    match input {
        account::Input::Routed(stanza, None) => {
            carry_all(nobody(&stanza).into_iter().collect(), out);
        }
        other => turn_away(jid, other, &gone, out),
    }
}

/// It cannot be handled: whoever waits is told.
fn turn_away(jid: &Bare, input: account::Input, error: &StanzaError, out: &mut Vec<Output>) {
    match input {
        account::Input::Routed(_, Some(Owed { sender, ticket })) => {
            let half = Err(error.clone());
            out.push(Output::Parcel(Parcel::Half { to: sender, ticket, half }));
        }
        account::Input::Routed(stanza, None) => {
            carry_all(stanza.refused(error).into_iter().collect(), out);
        }
        account::Input::Said(link, Said::Bind(_)) => {
            out.push(Output::Parcel(Parcel::ToSocket(link, Say::Unbound(error.clone()))));
        }
        account::Input::Said(link, Said::Stanza(_) | Said::Nonza(_)) => {
            tracing::debug!(account = %jid, "a stream without a session");
            let end = Say::End(StreamCondition::NotAuthorized.into());
            out.push(Output::Parcel(Parcel::ToSocket(link, end)));
        }
        _ => {}
    }
}

/// Stanzas of a host, or of nobody: to the accounts they are addressed to.
fn carry_all(stanzas: Vec<Stanza>, out: &mut Vec<Output>) {
    for stanza in stanzas {
        if let Some(to) = stanza.head.to.as_ref().map(|to| to.bare()) {
            out.push(Output::Parcel(Parcel::Routed { to, stanza, owed: None }));
        }
    }
}

#[cfg(test)]
mod tests;
