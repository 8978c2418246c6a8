//! How much presence an account may make others hear, and how often (RFC 6120 §13.12): whoever sees
//! it hears each, and none of them has asked for more than how it is now.

use super::{Account, Output, bucket::Bucket, wait::By};
use crate::{
    ctx::{Ctx, Moment},
    parcel::Link,
    session::Session,
};
use std::{
    collections::{BTreeMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};
use wire::{Bare, ErrorType, Jid, Stanza, StanzaCondition, StanzaError};

/// Bytes of one presence.
pub(crate) const PRESENCE_BYTES_MAX: usize = 16 << 10;
/// Bytes of what all sessions of an account show: a probe is answered with all of it at once, and
/// who comes probes all of its contacts.
pub(crate) const SHOWN_BYTES_MAX: usize = 256 << 10;
/// Presences that an account may tell all who see it at once, and any other account, …
pub(crate) const SHOWN_AT_ONCE_MAX: u64 = 100;
/// … and how long it then is from one to the next.
const SHOWN_EACH_MS: u64 = 500;
const SHOWN_MS: u64 = SHOWN_AT_ONCE_MAX * SHOWN_EACH_MS;
/// Accounts to which so many are not known to have come far apart. With more than that it is told
/// to wait.
const SHOWN_TO_MAX: usize = 4096;

/// What an account has shown lately, and is about to.
#[derive(Default)]
pub(super) struct Showing {
    /// What is told to all.
    all: Bucket,
    /// What is told to one, by hashes.
    to: BTreeMap<u64, Bucket>,
    /// When those were looked through last.
    swept: Moment,
    /// What is told to all when it is not too soon any more: the last that each stream has said.
    waits: VecDeque<(By, Stanza)>,
}

impl Showing {
    /// Whether it may tell this one something, too.
    fn admits(&mut self, whom: &Bare, now: Moment) -> bool {
        self.sweep(now);
        let mut hasher = DefaultHasher::new();
        whom.as_str().hash(&mut hasher);
        let hash = hasher.finish();
        let bucket = self.to.get(&hash).copied().unwrap_or_default();
        let is_known = self.to.contains_key(&hash) || self.to.len() < SHOWN_TO_MAX;
        if !is_known || bucket.lacks(SHOWN_EACH_MS, SHOWN_MS, now).is_some() {
            return false;
        }
        self.to.entry(hash).or_default().take(SHOWN_EACH_MS, SHOWN_MS, now);
        true
    }

    /// Forgets to whom it has told nothing lately.
    fn sweep(&mut self, now: Moment) {
        if now >= self.swept.after(SHOWN_EACH_MS) {
            self.to.retain(|_, bucket| !bucket.is_full(now));
            self.swept = now;
        }
    }

    /// Takes the place of what its stream has said before, which is given back.
    fn put(&mut self, by: By, presence: Stanza) -> Option<By> {
        let before = self.waits.iter_mut().find(|(before, _)| before.link == by.link);
        let Some(before) = before else {
            self.waits.push_back((by, presence));
            return None;
        };
        Some(std::mem::replace(before, (by, presence)).0)
    }

    /// What of this stream waits.
    pub fn take(&mut self, link: Link) -> Option<(By, Stanza)> {
        let place = self.waits.iter().position(|(by, _)| by.link == link)?;
        self.waits.remove(place)
    }

    /// The next whose time has come.
    fn next(&mut self, now: Moment) -> Option<(By, Stanza)> {
        if self.all.lacks(SHOWN_EACH_MS, SHOWN_MS, now).is_some() {
            return None;
        }
        let next = self.waits.pop_front()?;
        self.all.take(SHOWN_EACH_MS, SHOWN_MS, now);
        Some(next)
    }

    /// When that will be.
    fn until(&self, now: Moment) -> Option<Moment> {
        self.all.lacks(SHOWN_EACH_MS, SHOWN_MS, now).filter(|_| !self.waits.is_empty())
    }
}

impl Account {
    /// Why this presence goes no further. The end of what was shown always does.
    pub(super) fn unshowable(
        &mut self,
        link: Link,
        presence: &Stanza,
        ctx: &Ctx<'_>,
    ) -> Option<StanzaError> {
        if presence.wire_len() > PRESENCE_BYTES_MAX {
            return Some(StanzaCondition::PolicyViolation.into());
        }
        let to = presence.head.to.as_ref()?;
        let ends = presence.head.type_str() == "unavailable" && self.is_shown(link, to);
        let wait = || StanzaError::new(ErrorType::Wait, StanzaCondition::PolicyViolation);
        let admits = ends || self.showing.admits(&to.bare(), ctx.now);
        (!admits).then(wait)
    }

    /// Whether a session has shown itself to this one.
    fn is_shown(&self, link: Link, to: &Jid) -> bool {
        let session = self.sessions.iter().find(|session| session.link == link);
        session.is_some_and(|session| session.directed.contains(to))
    }

    /// Whether its sessions show so much that this one may not show this, too.
    pub(super) fn shows_too_much(&self, link: Link, presence: &Stanza) -> bool {
        let shown = |session: &Session| {
            let hidden = session.managed.as_ref().and_then(|managed| managed.hidden.as_ref());
            session.presence.as_ref().or(hidden).map_or(0, Stanza::wire_len)
        };
        let others = self.sessions.iter().filter(|session| session.link != link);
        others.map(shown).sum::<usize>() + presence.wire_len() > SHOWN_BYTES_MAX
    }

    /// Available presence for all: told now, or when it is not too soon any more, if nothing newer
    /// is said before. It is acknowledged when it is told.
    pub(super) fn show(&mut self, by: By, presence: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        self.hold(by);
        if let Some(before) = self.showing.put(by, presence) {
            self.settle(before, ctx, out);
        }
        self.show_paced(ctx, out);
    }

    /// Tells what has waited for its time.
    pub(super) fn show_paced(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        self.showing.sweep(ctx.now);
        while let Some((by, presence)) = self.showing.next(ctx.now) {
            self.show_now(by, presence, ctx, out);
        }
        self.showing.until(ctx.now).into_iter().for_each(|at| self.wake(at, out));
    }

    /// What is said to all, when its time has come.
    fn show_now(&mut self, by: By, presence: Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        if let Err(ended) = self.broadcast(by, presence, ctx, out) {
            self.ended(&ended, ctx, out);
        }
        self.settle(by, ctx, out);
    }

    /// Tells at once what waits of a stream that has broken: its client comes back when all that it
    /// has said is dealt with.
    pub(super) fn show_last(&mut self, link: Link, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        if let Some((by, presence)) = self.showing.take(link) {
            self.showing.all.take(SHOWN_EACH_MS, SHOWN_MS, ctx.now);
            self.show_now(by, presence, ctx, out);
        }
    }

    /// It is not available any more: what was to say how it is says nothing now.
    pub(super) fn show_no_more(&mut self, link: Link, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        if let Some((by, _)) = self.showing.take(link) {
            self.settle(by, ctx, out);
        }
    }
}
