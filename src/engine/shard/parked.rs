//! What waits for an account to be read, and what becomes of what cannot wait.

use super::carry_all;
use crate::{
    account::Input,
    ctx::Ctx,
    delivery::{Untaken, nobody, untaken},
    hearing::Beside,
    parcel::{Link, Order, Owed, Parcel, Said, Say},
    unit::Unit,
};
use std::collections::VecDeque;
use wire::{Bare, Jid, Kind, Stanza, StanzaCondition, StanzaError, StreamCondition};

/// What may wait for one account to be loaded.
pub const PARKED_INPUTS_MAX: usize = 1024;
/// What may wait for all accounts of a shard, in bytes.
pub const PARKED_BYTES_MAX: usize = 64 << 20;
/// What one input takes beyond the bytes of its stanza.
const INPUT_OVERHEAD_BYTES: usize = 512;

impl Input {
    /// What a room says beside its log, as what anybody says: nobody is here to be told it in its
    /// place.
    fn into_routed(self) -> Self {
        match self {
            Self::Beside(stanza, Beside { owed, is_copy: false }) => Self::Routed(stanza, owed),
            other => other,
        }
    }
}

/// What waits for one account.
#[derive(Default)]
pub(super) struct Parked {
    /// In order.
    inputs: VecDeque<Input>,
    /// Resources that it had when it was left to be read anew.
    pub gone: Vec<Jid>,
}

impl Parked {
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.gone.is_empty()
    }

    /// Parks it, or turns it away when there is no room. `total` is the shard's.
    pub fn put(
        &mut self,
        jid: &Bare,
        input: Input,
        total: &mut usize,
        out: &mut Vec<super::Output>,
    ) {
        let bytes = weight(&input);
        if matches!(input, Input::Said(link, Said::Gone(_)) if !self.binds(link)) {
            return; // it ends nothing
        }
        // Streams are bounded by their sockets; and what the operator did has been done.
        // So has what a session says of itself, and that an account is gone: that is said once.
        let exempt = matches!(
            input,
            Input::Said(..)
                | Input::Order(_)
                | Input::Attends(..)
                | Input::Missed(..)
                | Input::Departed(_)
        );
        let full = self.inputs.len() >= PARKED_INPUTS_MAX || *total + bytes > PARKED_BYTES_MAX;
        if full && !exempt {
            let error = StanzaCondition::ResourceConstraint.into();
            return turn_away(jid, input, &error, out);
        }
        *total += bytes;
        self.inputs.push_back(input);
    }

    /// Whether this stream will have a session.
    fn binds(&self, of: Link) -> bool {
        let binds = |input: &Input| match input {
            Input::Said(link, Said::Bind { .. } | Said::Resume { .. }) => *link == of,
            _ => false,
        };
        self.inputs.iter().any(binds)
    }

    /// All of it; `total` is the shard's.
    pub fn take(&mut self, total: &mut usize) -> VecDeque<Input> {
        *total -= self.inputs.iter().map(weight).sum::<usize>();
        std::mem::take(&mut self.inputs)
    }
}

fn weight(input: &Input) -> usize {
    INPUT_OVERHEAD_BYTES
        + match input {
            Input::Routed(stanza, _) | Input::Said(_, Said::Stanza(stanza)) => stanza.wire_len(),
            Input::Told(message, ..) | Input::News(message, _) => message.wire_len(),
            Input::Beside(stanza, _) => stanza.wire_len(),
            _ => 0,
        }
}

/// Whether an account must be loaded for it. Not for what only a session could take or must
/// hear: an account that is not here has none.
pub(super) fn wakes(input: &Input) -> bool {
    match input {
        Input::Routed(stanza, _) | Input::Beside(stanza, Beside { is_copy: false, .. }) => {
            match (stanza.kind(), stanza.head.type_str()) {
                (Kind::Presence, "" | "unavailable" | "error") => false,
                (Kind::Iq, "result" | "error") => false,
                (Kind::Iq, _) => stanza.head.to.as_ref().is_some_and(|to| to.is_bare()),
                (Kind::Presence | Kind::Message, _) => true,
            }
        }
        Input::Said(_, said) => matches!(said, Said::Bind { .. } | Said::Resume { .. }),
        // Sessions of it wait for their clients, or devices to be told.
        Input::Tick | Input::News(..) => true,
        // It remembers who may not bind any more.
        Input::Order(
            Order::Created { .. }
            | Order::PasswordChanged { .. }
            | Order::Disabled { .. }
            | Order::Revoked { .. },
        ) => true,
        _ => false,
    }
}

/// Whether it ends something that a leaving account has begun, or comes from a stream that it has
/// ended; all else is for the account that is read after it.
pub(super) fn concludes(input: &Input) -> bool {
    match input {
        Input::Half(..) | Input::Release(..) | Input::Committed(..) | Input::Answered(..) => true,
        Input::Seen(..) | Input::Revive(..) | Input::Tick | Input::Note => true,
        Input::Said(_, said) => matches!(said, Said::Stanza(_) | Said::Nonza(_)),
        Input::Order(_) => true,
        Input::Routed(..) | Input::Told(..) | Input::News(..) | Input::Beside(..) => false,
        Input::Attends(..) | Input::Missed(..) | Input::Departed(_) => false,
    }
}

/// Whether its sender holds something back until it is answered.
pub(super) fn is_awaited(input: &Input) -> bool {
    match input {
        Input::Routed(_, owed) => owed.is_some(),
        Input::Beside(_, beside) => beside.owed.is_some() && !beside.is_copy,
        _ => false,
    }
}

/// There is no such account, or none here that it could be for.
pub(super) fn to_nobody(jid: &Bare, input: Input, ctx: &Ctx<'_>, out: &mut Vec<super::Output>) {
    match input.into_routed() {
        Input::Order(Order::Deleted { farewells, .. }) => {
            let reached = farewells.into_iter().filter(|stanza| {
                stanza.head.to.as_ref().is_some_and(|to| ctx.settings.reaches(to.domain()))
            });
            carry_all(reached.collect(), out);
            out.push(super::Output::Departed(jid.clone()));
        }
        // It was there when the stream logged in.
        Input::Said(link, Said::Bind { .. } | Said::Resume { .. }) => not_authorized(link, out),
        Input::Routed(stanza, None) | Input::Told(stanza, ..) => {
            carry_all(nobody(&stanza).into_iter().collect(), out);
        }
        // What an account that is away would ignore must look the same (RFC 6120 §13.11).
        Input::Routed(stanza, Some(owed)) if untaken(&stanza) == Untaken::Ignore => {
            half(owed, Ok(Unit::default()), out);
        }
        other => turn_away(jid, other, &StanzaCondition::ServiceUnavailable.into(), out),
    }
}

/// It cannot be handled: whoever waits is told. Presence is dropped, unless it is for one resource:
/// who enters a room waits for an answer, and who was told of nothing need not hear of its end.
pub(super) fn turn_away(
    jid: &Bare,
    input: Input,
    error: &StanzaError,
    out: &mut Vec<super::Output>,
) {
    match input.into_routed() {
        Input::Routed(_, Some(owed)) => half(owed, Err(error.clone()), out),
        Input::Routed(stanza, None) if stanza.kind() != Kind::Presence || is_directed(&stanza) => {
            carry_all(stanza.refused(error).into_iter().collect(), out);
        }
        Input::Said(link, Said::Bind { .. }) => {
            out.push(super::Output::Parcel(Parcel::ToSocket(link, Say::Unbound(error.clone()))));
        }
        // It may try again: what it claims may be there still.
        Input::Said(link, Said::Resume { .. }) => {
            let end = Say::End(StreamCondition::InternalServerError.into());
            out.push(super::Output::Parcel(Parcel::ToSocket(link, end)));
        }
        Input::Said(link, Said::Stanza(_) | Said::Nonza(_)) => {
            tracing::debug!(account = %jid, "a stream without a session");
            not_authorized(link, out);
        }
        _ => {}
    }
}

/// RFC 6121 §4.6: not a broadcast, which goes to bare addresses.
fn is_directed(presence: &Stanza) -> bool {
    let is_to_one = presence.head.to.as_ref().is_some_and(|to| !to.is_bare());
    is_to_one && presence.head.type_str().is_empty()
}

fn not_authorized(link: Link, out: &mut Vec<super::Output>) {
    let end = Say::End(StreamCondition::NotAuthorized.into());
    out.push(super::Output::Parcel(Parcel::ToSocket(link, end)));
}

fn half(owed: Owed, half: Result<Unit, StanzaError>, out: &mut Vec<super::Output>) {
    let Owed { sender: to, ticket } = owed;
    out.push(super::Output::Parcel(Parcel::Half { to, ticket, half }));
}
