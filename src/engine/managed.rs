//! A session whose stream is managed (XEP-0198): both sides count, and it may outlive its stream.

use crate::{
    ctx::Moment,
    handled::Handled,
    parcel::{Claim, Link},
    unacked::{TooHigh, Unacked},
    unit::Pos,
};
use sha2::{Digest, Sha256};
use wire::{Element, Payload, Stanza, StreamError};

/// What both sides of a managed stream have counted.
#[derive(Debug)]
pub struct Managed {
    /// How many the client had said when counting began.
    start: u64,
    /// The count then: of a session that has been loaded, what it was before.
    base: u32,
    /// How many of what the client has said are known to have been dealt with also after the
    /// process was killed: by the session's row, or by the log.
    kept: u64,
    /// What has been sent to it.
    pub unacked: Unacked,
    /// How it may be resumed, if it may.
    pub resumption: Option<Resumption>,
    /// Until when it waits for its client, which has no stream.
    pub detached: Option<Moment>,
    /// Until when its contacts see it though it has no stream.
    pub(crate) shown: Option<Moment>,
    /// What they saw of it, to be told again when it comes back.
    pub(crate) hidden: Option<Stanza>,
    /// The newest that the client has acknowledged and that nobody has been told of.
    pub(crate) got: Option<Pos>,
    /// Who has acknowledged the first of these has got all up to the second: it has read the rest.
    pub(crate) read: Option<(Pos, Pos)>,
    /// It has been read from the store, and has had no stream since.
    pub(crate) revived: bool,
    /// It has come back after the process ended: until then what its client acknowledges is
    /// written soon, or one that ends again would have it told the same once more.
    pub(crate) recovers: Option<Moment>,
    /// The stream that is to have it, when all that it has said is dealt with.
    pub(crate) claim: Option<(Link, Claim)>,
    /// What the store has of it, or is about to have, as a hash; 0: nothing.
    pub(crate) written: u64,
    /// How often the store has been told of it, or to forget it.
    pub(crate) notes: u64,
    /// Something of it may be other than the store has it.
    pub(crate) changed: bool,
    /// The same, by what no log tells: presence, requests.
    pub(crate) unlogged: bool,
}

/// How a session may be resumed (XEP-0198 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumption {
    /// What is kept of the id that the client knows it by.
    pub token: [u8; 32],
    /// For how long, in milliseconds.
    pub ms: u64,
}

impl Resumption {
    /// By this id, for so long.
    pub fn by(id: &str, ms: u64) -> Self {
        Self { token: token(id), ms }
    }
}

/// How a session that outlived its stream is claimed, as it travels in XML (XEP-0198 §5).
pub trait Claims: Sync {
    /// The claim that an element makes; `None`: it makes none.
    ///
    /// # Errors
    /// It makes none that could be meant; what is answered.
    fn read(&self, element: Element<'_>) -> Option<Result<Claim, Payload>>;
    /// The session is its again; so many stanzas of the client have been dealt with.
    fn granted(&self, claim: &Claim, h: u32) -> Payload;
    /// There is no such session; so many stanzas had been dealt with, if that is known.
    fn refused(&self, claim: &Claim, h: Option<u32>) -> Payload;
    /// The client has got more than so many that were sent.
    fn too_high(&self, h: u32, sent: u32) -> StreamError;
    /// What tells a client that logs in that it may claim one at once.
    fn offer(&self) -> Payload;
}

/// What is kept of an id: who reads the store can resume nothing.
pub fn token(id: &str) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}

impl Managed {
    /// Counting begins behind what the client has said.
    pub fn from_now(handled: &Handled, resumption: Option<Resumption>) -> Self {
        Self::with(handled.said(), 0, Unacked::default(), resumption)
    }

    /// As it was before the process began: nothing has been said since.
    pub(crate) fn again(base: u32, unacked: Unacked, resumption: Resumption) -> Self {
        Self { revived: true, ..Self::with(0, base, unacked, Some(resumption)) }
    }

    fn with(start: u64, base: u32, unacked: Unacked, resumption: Option<Resumption>) -> Self {
        let (detached, shown, hidden, got, read, claim) = Default::default();
        let (written, changed) = (0, true);
        Self {
            start,
            base,
            kept: start,
            unacked,
            resumption,
            detached,
            shown,
            hidden,
            got,
            read,
            revived: false,
            recovers: None,
            claim,
            written,
            notes: 0,
            changed,
            unlogged: false,
        }
    }

    /// The client has so many.
    ///
    /// # Errors
    /// More than were sent.
    pub fn ack(&mut self, h: u32) -> Result<(), TooHigh> {
        self.got = self.got.max(self.unacked.ack(h)?);
        let read = self.read.take_if(|(told, _)| Some(*told) <= self.got);
        self.got = self.got.max(read.map(|(_, upto)| upto));
        self.changed = true;
        Ok(())
    }

    /// Of what the log has up to there its client has read what it was not told. Whether it has
    /// acknowledged what it was; else it has got the rest with that.
    pub(crate) fn has_got_rest(&mut self, upto: Pos) -> bool {
        let told = self.unacked.iter().filter_map(|sent| sent.pos).filter(|pos| *pos <= upto);
        self.read = told.max().map(|told| (told, upto));
        self.read.is_none()
    }

    /// So many of the client's stanzas have been dealt with, if so many of all that it said have.
    #[expect(clippy::cast_possible_truncation, reason = "it goes round (XEP-0198 §4)")]
    pub fn h(&self, settled: u64) -> u32 {
        self.base.wrapping_add(settled.saturating_sub(self.start) as u32)
    }

    /// The count that the client may be told, if so many have been dealt with: what it was told
    /// once may not be less when it comes back, or it takes for lost, or for arrived, what is not.
    pub fn h_told(&self, settled: u64) -> u32 {
        self.h(self.told(settled))
    }

    /// Of so many that have been dealt with those that the client may be told of. Also of a session
    /// that cannot be resumed, until the store has forgotten it: after a kill it could be.
    pub fn told(&self, settled: u64) -> u64 {
        let is_kept = self.can_be_resumed() || self.is_kept();
        if is_kept { settled.min(self.kept) } else { settled }
    }

    /// The store is told this of it, when so many have been dealt with; whether it does not have
    /// that already.
    pub(crate) fn writes(&mut self, hash: u64, settled: u64) -> bool {
        if self.written == 0 {
            // Of that all may have been told: no row was to be kept up with.
            self.keeps(settled);
        }
        let is_new = std::mem::replace(&mut self.written, hash) != hash;
        self.notes += u64::from(is_new);
        is_new
    }

    /// The store is told to forget it: until it has, there may be a row, though none that is known.
    pub(crate) fn unwrites(&mut self) {
        (self.written, self.notes) = (1, self.notes + 1);
    }

    /// The store has forgotten it as it was told by this note. It may have been told of it again.
    pub(crate) fn is_forgotten(&mut self, note: u64) {
        if self.notes == note {
            self.written = 0;
        }
    }

    /// The store has it that so many have been dealt with.
    pub(crate) fn keeps(&mut self, settled: u64) {
        self.kept = self.kept.max(settled);
    }

    /// How many have been dealt with when this was the count; so many have been by now.
    pub(crate) fn settled_at(&self, h: u32, settled: u64) -> u64 {
        settled.saturating_sub(u64::from(self.h(settled).wrapping_sub(h)))
    }

    /// Whether the store has not been told of it yet, and is to be.
    pub(crate) fn is_new(&self) -> bool {
        self.can_be_resumed() && self.written == 0
    }

    /// Whether the store has been told of it.
    pub(crate) fn is_kept(&self) -> bool {
        self.written != 0
    }

    /// For how long it has had no stream, if it has none.
    pub(crate) fn away_ms(&self, now: Moment) -> Option<u64> {
        let left = self.detached?.0.saturating_sub(now.0);
        Some(self.resumption.as_ref()?.ms.saturating_sub(left))
    }

    /// Whether it can be resumed if its stream ends now.
    pub fn can_be_resumed(&self) -> bool {
        self.resumption.is_some() && !self.unacked.is_overrun()
    }
}
