//! What leaves a room: to where it is addressed, and to who waits for it.

use super::line::Asker;
use engine::{
    account::Output,
    parcel::{Owed, Parcel},
    unit::Unit,
    wire::*,
};

/// Bytes of what a room itself answers. A stream ends for which more waits than its mailbox takes,
/// be it one stanza: who asks for too long a list is told so instead.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Of a list that is not told.
pub const TOO_LONG: &str = "the list is too long to be told";

/// An answer that is not too long to be told.
///
/// # Errors
/// `policy-violation`.
pub fn short_enough(told: Payload) -> Result<Payload, StanzaError> {
    match told.as_str().len() > ANSWER_BYTES_MAX {
        true => Err(StanzaError::from(StanzaCondition::PolicyViolation).with_text(TOO_LONG)),
        false => Ok(told),
    }
}

/// To where it is addressed.
pub fn send(stanza: Stanza, out: &mut Vec<Output>) {
    if let Some(to) = stanza.head.to.as_ref().map(Jid::bare) {
        out.push(Output::Parcel(Parcel::Routed { to, stanza, owed: None }));
    }
}

/// Who waits for a half goes on, or not.
pub fn give_half(owed: Owed, half: Result<Unit, StanzaError>, out: &mut Vec<Output>) {
    let Owed { sender: to, ticket } = owed;
    out.push(Output::Parcel(Parcel::Half { to, ticket, half }));
}

/// Whoever asked is told that nothing of it is done.
pub fn refuse_asker(asker: Asker, error: &StanzaError, out: &mut Vec<Output>) {
    match asker {
        Asker::Owed(owed) => give_half(owed, Err(error.clone()), out),
        Asker::Sender(stanza) => {
            stanza.refused(error).into_iter().for_each(|refused| send(refused, out));
        }
        Asker::Nobody => {}
    }
}
