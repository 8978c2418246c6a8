//! The life of a message or presence: the only place where stations are run.
//! The commit cuts it in two.

use crate::{
    account::{Account, Output},
    ctx::Ctx,
    hearing::{News, Told},
    hook::{Leaving, Station, Verdict, Why},
    session::Session,
    unit::{Change, Committed, Entry, Flags, KEY_BYTES_MAX, Once, Pos, Table, Unit},
};
use wire::{Bare, Head, Jid, Kind, Stanza, StanzaCondition, StanzaError};

/// Whose account the line is walked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// The sender's.
    Sent,
    /// The recipient's.
    Received,
}

/// How the place in a log is written on the stanza, at release.
pub type Stamp = fn(Stanza, &Bare, Pos, &Ctx<'_>) -> Stanza;

/// A stanza on its way through an account, and what it has caused so far.
pub struct Passage<'a> {
    /// Whose account this is.
    pub walk: Walk,
    /// The stanza. A look may replace it.
    pub stanza: Stanza,
    /// The account.
    pub account: &'a mut Account,
    /// Which sessions took it: known from Miss on.
    pub reached: Vec<Jid>,
    /// It was said before, then, in milliseconds since 1970, and is told now.
    pub said_ms: Option<u64>,
    /// The key of the cell that keeps it for who comes (see [`Passage::hold`]).
    pub held: Option<String>,
    /// Where it stands in the account's log: known from Copy on, if it was kept.
    pub pos: Option<Pos>,
    /// The log of a room has it, which tells it to one of the account's sessions.
    pub told: Option<Told>,
    /// A room's log has it, and this is to be known of it: see Push.
    pub news: Option<News>,
    /// Its number in the account's trace: known from Copy on, if it is traced.
    pub traced: Option<u64>,
    /// This session was sent it, and lost its stream before it said that it has it: see Push.
    pub lost: Option<Jid>,
    /// The session that sends it, and the count that its entry settles there.
    settles: Option<(i64, i64)>,
    unit: Unit,
    stamp: Option<Stamp>,
    also: Vec<(Jid, Leaving)>,
    sends: Vec<Stanza>,
}

/// What waits for the commit.
#[derive(Clone, Debug)]
pub struct Walked {
    /// Whose account walked it.
    pub walk: Walk,
    /// The stanza, as the first half left it.
    pub stanza: Stanza,
    /// It is in this account's log; the stamp is put on at release.
    pub kept: Option<Stamp>,
    /// It waits in a cell of this account, at this key.
    pub held: Option<String>,
    /// Where the log of the room that tells it has it.
    pub told: Option<Told>,
    /// What else is to be known of it.
    pub news: Option<News>,
}

/// A stanza that went no further.
#[derive(Debug)]
pub struct Ended {
    /// As far as it came.
    pub stanza: Stanza,
    /// What the sender is told; nothing when it is dropped.
    pub error: Option<StanzaError>,
}

impl<'a> Passage<'a> {
    pub(crate) fn of(walk: Walk, stanza: Stanza, account: &'a mut Account) -> Self {
        let (reached, said_ms, held, pos, told, news) = <_>::default();
        let (traced, lost, settles) = <_>::default();
        let (unit, stamp, also, sends) = <_>::default();
        Self {
            walk,
            stanza,
            account,
            reached,
            said_ms,
            held,
            pos,
            told,
            news,
            traced,
            lost,
            settles,
            unit,
            stamp,
            also,
            sends,
        }
    }

    /// Puts it into the account's log, once; what the archive shows is more than what is only on
    /// its way. The stamp is put on at release.
    pub fn keep(&mut self, flags: Flags, stamp: Stamp) {
        if let Some(entry) = self.unit.entries.first_mut() {
            if flags.has(Flags::ARCHIVE) && !entry.flags.has(Flags::ARCHIVE) {
                entry.flags = entry.flags.without(Flags::TRANSIT).and(flags);
                self.stamp = Some(stamp);
            }
            return;
        }
        let (direction, peer) = match self.walk {
            Walk::Sent => (Flags::SENT, self.stanza.head.to.as_ref()),
            Walk::Received => (Flags::RECEIVED, self.stanza.head.from.as_ref()),
        };
        self.unit.entries.push(Entry {
            log: self.account.jid.clone(),
            flags: flags.and(direction),
            peer: peer.map_or_else(|| self.account.jid.clone(), Jid::bare),
            key: None,
            settles: self.settles,
            foreign_id: None,
            stanza: self.stanza.to_text(),
        });
        self.stamp = Some(stamp);
    }

    /// What was kept is one that its sender tries again when the acknowledgement is lost: it is
    /// written and delivered only when the log has none of this key behind `since`.
    /// `repeatable`: within one stream the same may be meant twice; when nobody knows later by
    /// which it came, all of it is taken as meant.
    pub fn once(&mut self, key: i64, since: Pos, repeatable: bool) {
        let Some(entry) = self.unit.entries.first_mut() else { return };
        let by = entry.settles.map(|(session, _)| session);
        if repeatable && by.is_none() {
            return;
        }
        entry.key = Some(key);
        let besides = by.filter(|_| repeatable);
        self.unit.once = Some(Once { log: entry.log.clone(), key, since, besides });
    }

    /// Writes something else in the same unit.
    ///
    /// # Errors
    /// `not-acceptable` when the key is longer than `KEY_BYTES_MAX`.
    pub fn put(&mut self, table: Table, key: &str, value: Vec<u8>) -> Result<(), StanzaError> {
        put(&mut self.unit, &self.account.jid, table, key, value)
    }

    /// Removes a cell in the same unit.
    pub fn cut(&mut self, table: Table, key: &str) {
        self.unit.changes.push(Change::Cut(table, self.account.jid.clone(), key.into()));
    }

    /// Keeps it in a cell for a resource that comes later: its sender hears of no error, though
    /// nobody takes it.
    ///
    /// # Errors
    /// As [`Passage::put`].
    pub fn hold(&mut self, table: Table, key: String, value: Vec<u8>) -> Result<(), StanzaError> {
        self.put(table, &key, value)?;
        self.held = Some(key);
        Ok(())
    }

    /// Whether a session of this account takes it now (RFC 6121 §8.5).
    pub fn is_taken(&self) -> bool {
        !self.account.takers(&self.stanza).is_empty()
    }

    /// The sessions of this account that take it now (RFC 6121 §8.5).
    pub fn takers(&self) -> Vec<Jid> {
        let takers = self.account.takers(&self.stanza);
        takers.into_iter().map(|place| self.account.sessions[place].jid.clone()).collect()
    }

    /// The session that tells its presence to all (RFC 6121 §4.2, §4.4, §4.5), when this is that.
    pub fn broadcaster(&mut self) -> Option<&mut Session> {
        let Head { kind, from, to, .. } = &*self.stanza.head;
        if self.walk != Walk::Sent || *kind != Kind::Presence || to.is_some() {
            return None;
        }
        let mut sessions = self.account.sessions.iter_mut();
        sessions.find(|session| Some(&session.jid) == from.as_ref())
    }

    /// Tells a session of this account what was said before, at `said_ms`, if it still may hear it.
    pub fn tell_again(&mut self, to: &Jid, stanza: Stanza, said_ms: u64, ctx: &Ctx<'_>) {
        let account = &mut *self.account;
        if let Some(stanza) = let_pass(Walk::Received, stanza, Some(said_ms), account, ctx) {
            self.also(to, stanza);
        }
    }

    /// Sends one more stanza because of this one, to a session of this account.
    pub fn also(&mut self, to: &Jid, stanza: Stanza) {
        self.also.push((to.clone(), stanza.into()));
    }

    /// Sends a stanza of the account's because of this one, to whomever; from Copy on. What a
    /// request of its own is answered passes Guard, Mark and Keep when it is received.
    pub fn send(&mut self, stanza: Stanza) {
        self.sends.push(stanza);
    }

    /// Sends what this stanza says to a session of this account, in another form: what the log has
    /// of it has reached that session with this.
    pub fn copy(&mut self, to: &Jid, stanza: Stanza) {
        self.also.push((to.clone(), Leaving { pos: self.pos, ..Leaving::from(stanza) }));
    }
}

/// A cell in the unit, its key checked.
pub(crate) fn put(
    unit: &mut Unit,
    of: &Bare,
    table: Table,
    key: &str,
    value: Vec<u8>,
) -> Result<(), StanzaError> {
    if key.len() > KEY_BYTES_MAX {
        return Err(StanzaCondition::NotAcceptable.into());
    }
    unit.changes.push(Change::Put(table, of.clone(), key.into(), value));
    Ok(())
}

/// The first half: Guard, Mark, Keep. When it ends, nothing has left the account.
///
/// # Errors
/// The stanza and the verdict that ended it.
pub fn decide(
    walk: Walk,
    stanza: Stanza,
    account: &mut Account,
    ctx: &Ctx<'_>,
) -> Result<(Unit, Walked), Box<Ended>> {
    walk_on(Passage::of(walk, stanza, account), ctx)
}

/// The same of what a session of the account says, which settles a count there.
///
/// # Errors
/// As [`decide`].
pub fn decide_said(
    settles: Option<(i64, i64)>,
    stanza: Stanza,
    account: &mut Account,
    ctx: &Ctx<'_>,
) -> Result<(Unit, Walked), Box<Ended>> {
    let passage = Passage::of(Walk::Sent, stanza, account);
    walk_on(Passage { settles, ..passage }, ctx)
}

fn walk_on(mut passage: Passage<'_>, ctx: &Ctx<'_>) -> Result<(Unit, Walked), Box<Ended>> {
    for &(_, number, look) in ctx.hooks.looks(Station::Guard, Station::Keep) {
        let error = match look(&mut passage, ctx) {
            Verdict::Go => continue,
            Verdict::Drop(Why(why)) => {
                tracing::debug!(xep = number, why, "dropped");
                None
            }
            Verdict::Refuse(error, Why(why)) => {
                tracing::debug!(xep = number, why, "refused");
                Some(error)
            }
        };
        return Err(Box::new(Ended { stanza: passage.stanza, error }));
    }
    let Passage { walk, stanza, unit, stamp: kept, held, .. } = passage;
    Ok((unit, Walked { walk, stanza, kept, held, told: None, news: None }))
}

/// A stanza that the server makes for the account, or tells again, if it may leave: Guard and Mark
/// alone. Presence that everybody is told passes here once for each who would hear it.
pub fn leave(
    stanza: Stanza,
    said_ms: Option<u64>,
    account: &mut Account,
    ctx: &Ctx<'_>,
) -> Option<Stanza> {
    let_pass(Walk::Sent, stanza, said_ms, account, ctx)
}

/// What came before, at `said_ms` if that is known, and is delivered again, if it may still reach
/// the account.
pub fn arrive(
    stanza: Stanza,
    said_ms: Option<u64>,
    account: &mut Account,
    ctx: &Ctx<'_>,
) -> Option<Stanza> {
    let_pass(Walk::Received, stanza, said_ms, account, ctx)
}

fn let_pass(
    walk: Walk,
    stanza: Stanza,
    said_ms: Option<u64>,
    account: &mut Account,
    ctx: &Ctx<'_>,
) -> Option<Stanza> {
    let mut passage = Passage::of(walk, stanza, account);
    passage.said_ms = said_ms;
    let mut looks = ctx.hooks.looks(Station::Guard, Station::Mark).iter();
    let goes = looks.all(|(_, _, look)| matches!(look(&mut passage, ctx), Verdict::Go));
    goes.then_some(passage.stanza)
}

/// The second half, with the sessions of this moment: Copy, delivery, Miss, Push.
/// Gives back what nobody here took, and neither a log nor a cell of the account has.
pub fn release(
    walked: Walked,
    committed: &Committed,
    account: &mut Account,
    ctx: &Ctx<'_>,
    out: &mut Vec<Output>,
) -> Option<Stanza> {
    let Walked { walk, mut stanza, kept, held, told, news } = walked;
    let refusable = kept.is_none() && held.is_none();
    let pos = committed.in_log(&account.jid).filter(|_| kept.is_some());
    if let (Some(stamp), Some(pos)) = (kept, pos) {
        stanza = stamp(stanza, &account.jid, pos, ctx);
    }
    let mut passage = Passage::of(walk, stanza, account);
    (passage.held, passage.pos) = (held, pos);
    (passage.told, passage.news) = (told, news);
    passage.begin_trace(refusable, ctx);
    stop(Station::Copy, &mut passage, ctx, out);
    if walk == Walk::Sent {
        return None;
    }
    let takers = passage.account.takers(&passage.stanza);
    if passage.is_read_later(&takers, ctx) {
        stop(Station::Push, &mut passage, ctx, out);
        return None;
    }
    passage.trace_takers(&takers, ctx);
    if ctx.hooks.looks(Station::Miss, Station::Push).is_empty() {
        let Passage { account, stanza, .. } = passage;
        let Some((&last, others)) = takers.split_last() else {
            return Some(stanza).filter(|_| refusable);
        };
        for &place in others {
            account.deliver(place, Leaving { stanza: stanza.clone(), pos, told }, ctx, out);
        }
        account.deliver(last, Leaving { stanza, pos, told }, ctx, out);
        return None;
    }
    for &place in &takers {
        passage.reached.push(passage.account.sessions[place].jid.clone());
        let leaving = Leaving { stanza: passage.stanza.clone(), pos, told };
        passage.account.deliver(place, leaving, ctx, out);
    }
    if takers.is_empty() {
        stop(Station::Miss, &mut passage, ctx, out);
    }
    stop(Station::Push, &mut passage, ctx, out);
    Some(passage.stanza).filter(|_| takers.is_empty() && refusable)
}

/// A message in a room that none of the sessions hears: Guard and Mark, then Push.
pub(crate) fn notify(
    message: Stanza,
    news: News,
    account: &mut Account,
    ctx: &Ctx<'_>,
    out: &mut Vec<Output>,
) {
    let Some(message) = arrive(message, None, account, ctx) else { return };
    let mut passage = Passage::of(Walk::Received, message, account);
    passage.news = Some(news);
    passage.begin_trace(true, ctx);
    stop(Station::Push, &mut passage, ctx, out);
}

/// What its looks send besides goes out before the next station.
pub(crate) fn stop(at: Station, passage: &mut Passage<'_>, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
    for &(_, number, look) in ctx.hooks.looks(at, at) {
        let verdict = look(passage, ctx);
        debug_assert!(matches!(verdict, Verdict::Go), "XEP-{number:04}: it is in the log already");
    }
    for (to, leaving) in std::mem::take(&mut passage.also) {
        if at == Station::Copy {
            passage.trace_copy(&to, ctx);
        }
        passage.account.write(&to, leaving, ctx, out);
    }
    for stanza in std::mem::take(&mut passage.sends) {
        passage.account.send(stanza, ctx, out);
    }
}
