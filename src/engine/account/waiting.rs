//! What waits for a commit, in the order of the account's stanzas.
//!
//! Units go to the writer in that order, so a committed count is a true prefix. Outputs are
//! released per (from, to) pair in that order (RFC 6120 §10.1): a slow store holds nothing that
//! has no unit, unless the same pair has an uncommitted one before it.

use super::{Account, Output, settle};
use crate::{
    ctx::Ctx,
    parcel::{Link, Owed, Parcel, Ticket},
    passage::{Walk, Walked, release},
    port::Fault,
    unit::{Committed, Unit},
};
use std::collections::VecDeque;
use wire::{Bare, Jid, Stanza, StanzaCondition, StanzaError, StreamCondition};

/// Stanzas of one account that may wait for commits.
pub const WAITING_STANZAS_MAX: usize = 4096;

/// The line of what waits.
#[derive(Default)]
pub(super) struct Waiting {
    line: VecDeque<Wait>,
    last: u64,
}

/// One stanza's place in the line.
pub(super) struct Wait {
    pub place: Place,
    /// The order that it must keep.
    pub pair: Pair,
    /// Not given to the writer yet.
    pub unit: Option<Unit>,
    /// Who owes the other half of the unit; told of the outcome.
    pub recipient: Option<Bare>,
    pub then: Then,
    /// The stream whose credit it holds.
    pub settles: Option<Link>,
}

/// From and to.
pub(super) type Pair = (Option<Jid>, Option<Jid>);

#[derive(PartialEq, Eq)]
pub(super) enum Place {
    /// A unit of ours, the recipient's half still to come.
    Half(Ticket),
    /// A unit of ours.
    Mine(Ticket),
    /// A unit of the sender's, that we gave half of.
    Theirs(Owed),
    /// Its outcome is known; it waits behind its pair.
    Ready(Result<Committed, Fault>),
}

/// What is done at last.
pub(super) enum Then {
    /// The second half of these walks.
    Walk(Vec<Walked>),
    /// These stanzas: to sessions of ours, to others.
    Send(Vec<Stanza>),
}

impl Waiting {
    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.line.len() >= WAITING_STANZAS_MAX
    }

    pub fn ticket(&mut self) -> Ticket {
        self.last += 1;
        Ticket(self.last)
    }

    pub fn push(&mut self, wait: Wait) {
        self.line.push_back(wait);
    }

    fn find(&mut self, place: &Place) -> Option<&mut Wait> {
        self.line.iter_mut().find(|wait| wait.place == *place)
    }

    /// Units that may go to the writer now: all up to the first that lacks its other half.
    fn due(&mut self) -> Vec<(Ticket, Unit)> {
        let mut due = Vec::new();
        for wait in &mut self.line {
            match wait.place {
                Place::Half(_) => break,
                Place::Mine(ticket) => due.extend(wait.unit.take().map(|unit| (ticket, unit))),
                Place::Theirs(_) | Place::Ready(_) => {}
            }
        }
        due
    }

    /// The first that is ready and that none of its pair precedes.
    fn ready(&mut self) -> Option<Wait> {
        let first = self.line.iter().enumerate().position(|(place, wait)| {
            let before = self.line.iter().take(place);
            matches!(wait.place, Place::Ready(_))
                && !before.into_iter().any(|b| b.pair == wait.pair)
        })?;
        self.line.remove(first)
    }
}

impl Account {
    /// Puts something into the line, lets go what can go.
    pub(super) fn wait(&mut self, wait: Wait, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        self.waiting.push(wait);
        self.advance(ctx, out);
    }

    /// Commits `unit`, then sends these; at once when there is nothing to commit.
    pub(super) fn commit_then_send(
        &mut self,
        unit: Unit,
        pair: Pair,
        stanzas: Vec<Stanza>,
        settles: Option<Link>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let (place, unit) = match unit.is_empty() {
            true => (Place::Ready(Ok(Committed::default())), None),
            false => (Place::Mine(self.waiting.ticket()), Some(unit)),
        };
        let then = Then::Send(stanzas);
        self.wait(Wait { place, pair, unit, recipient: None, then, settles }, ctx, out);
    }

    /// The recipient's half has come: joined in, or it refused and nothing is written.
    pub(super) fn half(
        &mut self,
        ticket: Ticket,
        half: Result<Unit, StanzaError>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(wait) = self.waiting.find(&Place::Half(ticket)) else { return };
        match half {
            Ok(theirs) => {
                wait.place = Place::Mine(ticket);
                wait.unit = wait.unit.take().map(|ours| ours.join(theirs));
            }
            Err(error) => {
                let Then::Walk(walked) = std::mem::replace(&mut wait.then, Then::Send(Vec::new()))
                else {
                    return;
                };
                let refused = walked.into_iter().filter_map(|half| half.stanza.refused(&error));
                wait.then = Then::Send(refused.collect());
                wait.place = Place::Ready(Ok(Committed::default()));
                wait.recipient = None;
            }
        }
        self.advance(ctx, out);
    }

    pub(super) fn committed(
        &mut self,
        ticket: Ticket,
        outcome: Result<Committed, Fault>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let sender = self.jid.clone();
        let Some(wait) = self.waiting.find(&Place::Mine(ticket)) else { return };
        if let Some(to) = wait.recipient.take() {
            let (owed, outcome) = (Owed { sender, ticket }, outcome.clone());
            out.push(Output::Parcel(Parcel::Release { to, owed, outcome }));
        }
        wait.place = Place::Ready(outcome);
        self.advance(ctx, out);
    }

    pub(super) fn released(
        &mut self,
        owed: &Owed,
        outcome: Result<Committed, Fault>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(wait) = self.waiting.find(&Place::Theirs(owed.clone())) else { return };
        wait.place = Place::Ready(outcome);
        self.advance(ctx, out);
    }

    fn advance(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        out.extend(self.waiting.due().into_iter().map(|(at, unit)| Output::Commit(at, unit)));
        while let Some(Wait { place, then, settles, .. }) = self.waiting.ready() {
            let Place::Ready(outcome) = place else { return };
            match outcome {
                Ok(committed) => self.go_on(then, &committed, ctx, out),
                Err(fault) => self.give_up(then, &fault, ctx, out),
            }
            if let Some(link) = settles {
                settle(link, out);
            }
        }
    }

    fn go_on(&mut self, then: Then, committed: &Committed, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        match then {
            Then::Walk(walks) => {
                for walked in walks {
                    for (to, stanza) in release(walked, committed, self, ctx) {
                        self.write(&to, stanza, ctx, out);
                    }
                }
            }
            Then::Send(stanzas) => {
                for stanza in stanzas {
                    self.send(stanza, ctx, out);
                }
            }
        }
    }

    /// Nothing of it is in the store. The sender of a message is told to try again (once: by its
    /// own account); what was changed in memory is forgotten with the account.
    fn give_up(&mut self, then: Then, fault: &Fault, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        tracing::warn!(%fault, "not committed");
        let error = StanzaError {
            type_: wire::ErrorType::Wait,
            ..StanzaCondition::InternalServerError.into()
        };
        match then {
            Then::Walk(walks) => {
                let mine = walks.iter().find(|walked| walked.walk == Walk::Sent);
                if let Some(walked) = mine {
                    self.refuse(&walked.stanza, &error, ctx, out);
                }
            }
            Then::Send(_) => self.depart(StreamCondition::InternalServerError, ctx, out),
        }
    }
}
