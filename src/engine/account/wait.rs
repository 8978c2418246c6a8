//! What waits in an account's line: for what, with whom it keeps its order, and what is done then.

use super::subscribe::Outgoing;
use crate::{
    hook::Tell,
    parcel::{Link, Owed},
    passage::Walked,
    port::Fault,
    unit::{Change, Committed, Unit},
};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};
use wire::{Bare, Jid, Stanza};

/// One stanza's place in the line.
pub(super) struct Wait {
    pub place: Place,
    /// The order that it must keep.
    pub pair: Accounts,
    /// Not given to the writer yet.
    pub unit: Option<Unit>,
    /// Who owes the other half of the unit; told of the outcome.
    pub recipient: Option<Bare>,
    pub then: Then,
    /// What the cells at hand learn when it is committed.
    pub learns: Vec<Change>,
    /// Whose credit it holds. None: it came from elsewhere.
    pub settles: Option<By>,
    /// The key of the cell that is to keep it when nobody takes it, and its bytes.
    pub held: Option<(String, usize)>,
    /// It leaves the account only when it is let go.
    pub leaves: bool,
    /// The next of its pair.
    pub next: Option<u64>,
    pub bytes: usize,
}

/// A stanza that one of the account's streams has said: whose, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct By {
    pub link: Link,
    pub number: u64,
    /// Up to there all have been dealt with once the log has it; 0: the log says nothing of that.
    pub covers: u64,
}

/// From and to, as the stanza has them.
pub(super) type Pair = (Option<Jid>, Option<Jid>);

/// A pair without its resources, as a number. RFC 6120 §10.1: the bare and the full address are the
/// same recipient. The same sender too: its subscriptions come from the bare one (RFC 6121 §3). Two
/// pairs that have the same number by chance only wait for each other.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Accounts(u64);

impl From<&Pair> for Accounts {
    fn from((from, to): &Pair) -> Self {
        let mut hasher = DefaultHasher::new();
        for jid in [from, to] {
            jid.as_ref().map(|jid| (jid.local(), jid.domain())).hash(&mut hasher);
        }
        Self(hasher.finish())
    }
}

impl From<&Accounts> for Accounts {
    fn from(accounts: &Accounts) -> Self {
        accounts.clone()
    }
}

pub(super) enum Place {
    /// A unit of ours, the recipient's half still to come.
    Half,
    /// A unit of ours.
    Mine,
    /// A unit of the sender's, that we gave half of.
    Theirs(Owed),
    /// Its outcome is known; it waits behind its pair.
    Ready(Result<Committed, Fault>),
}

/// What is done at last.
pub(super) enum Then {
    /// The second half of this walk.
    Walk(Walked),
    /// Of these, both ours: Sent, then Received.
    Walks(Box<[Walked; 2]>),
    /// These go out; when they cannot, memory is ahead of the store.
    Send(Outgoing),
    /// This request is answered so; when it cannot, it is refused.
    Answer(Stanza, Vec<Stanza>),
    /// This request has an empty result, behind what is to be told then.
    Tell(Stanza, Arc<dyn Tell>),
    /// This came from elsewhere, for the session of this number, and is handled in its turn.
    Handle(Stanza, Option<i64>),
    /// A session said this, and it goes on in its turn; the credit too is given back there.
    Say(By, Stanza),
    /// The last presence of the account is written: what has been said since goes next.
    Remember,
    /// The second half of this walk, and off to another server.
    WalkAway(Walked),
    /// What the message of this number has to do with those before it is done (see `reads.rs`).
    Amended(u64),
    /// The store has the counts of sessions; but if it cannot be written, it is to be again.
    Noted(Noted),
    /// Nothing: whoever must be told is told by another.
    Nothing,
}

/// What is written of sessions, by their numbers.
pub(super) struct Noted {
    /// They are no more, or cannot be resumed as they are; and the number of that note of theirs.
    pub gone: Vec<(i64, u64)>,
    /// So many of what they said have been dealt with.
    pub counts: Vec<(i64, i64)>,
}

impl Wait {
    pub fn of(place: Place, pair: Pair, then: Then, settles: Option<By>) -> Self {
        let pair = Accounts::from(&pair);
        let (bytes, held, leaves) = (then.bytes(), then.held(), then.leaves());
        let (unit, recipient, learns, next) = Default::default();
        Self { place, pair, unit, recipient, then, learns, settles, held, leaves, next, bytes }
    }

    /// These, when it is committed.
    pub fn learning(self, learns: Vec<Change>) -> Self {
        Self { learns, ..self }
    }

    /// With a unit to be committed; nothing to wait for when it is empty.
    pub fn for_unit(unit: Unit, pair: Pair, then: Then, settles: Option<By>) -> Self {
        if unit.is_empty() {
            return Self::of(Place::Ready(Ok(Committed::default())), pair, then, settles);
        }
        Self { unit: Some(unit), ..Self::of(Place::Mine, pair, then, settles) }
    }
}

impl Then {
    /// Whether it leaves the account only then. A message to an account of ours has left already:
    /// its recipient keeps its place.
    fn leaves(&self) -> bool {
        matches!(self, Self::Send(_) | Self::Say(..) | Self::WalkAway(_))
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Walk(walked) | Self::WalkAway(walked) => walked.stanza.wire_len(),
            Self::Handle(stanza, _) | Self::Say(_, stanza) | Self::Answer(stanza, _) => {
                stanza.wire_len()
            }
            Self::Tell(stanza, _) => stanza.wire_len(),
            Self::Walks(_)
            | Self::Send(_)
            | Self::Remember
            | Self::Amended(_)
            | Self::Noted(_)
            | Self::Nothing => 0,
        }
    }

    fn held(&self) -> Option<(String, usize)> {
        let walked = match self {
            Self::Walk(walked) => walked,
            Self::Walks(both) => &both[1],
            _ => return None,
        };
        Some((walked.held.clone()?, walked.stanza.wire_len()))
    }
}
