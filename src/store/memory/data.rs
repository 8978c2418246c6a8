//! The rows, and how a unit changes them: in whole or not at all.

use super::walk::Walk;
use crate::{check::check, purge::TRANSIT_MS};
use engine::{
    inbox::{Gathered, Inbox},
    port::{Batch, Fault, Loaded, Retention, Verdict, Written},
    roster::{Item, REMOVED_ITEMS_MAX, State},
    unit::{Change, Credentials, Entry, Flags, OCCUPANTS, Once, Pos, Resumable, Table, Unit},
    wire::{Bare, Jid},
};
use std::{collections::BTreeMap, ops::Bound};

#[derive(Default)]
pub(super) struct Data {
    epoch: i64,
    batch: i64,
    pos: Pos,
    /// The verdicts of the last batch, for who asks for them again.
    verdicts: Vec<Verdict>,
    pub(super) logs: BTreeMap<Bare, Log>,
    secret: Option<[u8; 32]>,
}

/// The log of an account, room or host, and what belongs to it.
#[derive(Default)]
pub(super) struct Log {
    /// Only an account has it.
    pub(super) account: Option<Account>,
    pub(super) entries: BTreeMap<Pos, Entry>,
    pub(super) cells: BTreeMap<Table, BTreeMap<String, Vec<u8>>>,
    sessions: BTreeMap<i64, Resumable>,
    delivered: Pos,
    /// Only an account has one that is not empty.
    pub(super) inbox: Inbox,
}

#[derive(Default)]
pub(super) struct Account {
    pub(super) credentials: Credentials,
    roster: BTreeMap<Jid, Item>,
    removed: BTreeMap<Jid, i64>,
}

impl Data {
    /// A new process takes the store.
    pub(super) fn take(&mut self) -> i64 {
        self.epoch += 1;
        self.epoch
    }

    pub(super) fn last(&self, epoch: i64) -> Result<(i64, Pos), Fault> {
        if self.epoch != epoch {
            return Err(Fault::Fenced);
        }
        Ok((self.batch, self.pos))
    }

    pub(super) fn secret(&mut self, fresh: [u8; 32]) -> [u8; 32] {
        *self.secret.get_or_insert(fresh)
    }

    pub(super) fn log(&self, of: &Bare) -> Option<&Log> {
        self.logs.get(of)
    }

    pub(super) fn account(&self, of: &Bare) -> Option<&Account> {
        self.logs.get(of)?.account.as_ref()
    }

    pub(super) fn load(&self, of: &Bare, at_hand: &[Table]) -> Option<Loaded> {
        let log = self.logs.get(of)?;
        let none = Account::default();
        let account = match &log.account {
            Some(account) => account,
            None if of.local().is_some() => &none,
            None => return None,
        };
        let mut unrostered: Vec<_> =
            account.removed.iter().map(|(jid, &ver)| (jid.clone(), ver)).collect();
        unrostered.sort_by_key(|&(_, ver)| ver);
        let cells = log.cells.iter().filter(|(table, _)| at_hand.contains(table));
        let cells = cells.flat_map(|(table, cells)| {
            let name = table.name().to_owned();
            cells.iter().map(move |(key, value)| (name.clone(), key.clone(), value.clone()))
        });
        Some(Loaded {
            roster: account.roster.values().cloned().collect(),
            unrostered,
            cells: cells.collect(),
            sessions: log.sessions.values().map(|session| log.remembered(session)).collect(),
            delivered: log.delivered,
            last: self.pos,
        })
    }

    pub(super) fn accounts(&self, domain: &Bare, after: Option<&str>, max: usize) -> Vec<Bare> {
        let mut accounts = self.those(domain, |of, _| of.local() > after);
        accounts.truncate(max);
        accounts
    }

    pub(super) fn disabled(&self, domain: &Bare, max: usize) -> (u64, Vec<Bare>) {
        let mut disabled = self.those(domain, |_, account| account.credentials.disabled);
        let count = disabled.len() as u64;
        disabled.truncate(max);
        (count, disabled)
    }

    /// Accounts of a domain, in order.
    fn those(&self, domain: &Bare, which: impl Fn(&Bare, &Account) -> bool) -> Vec<Bare> {
        let accounts = self.logs.iter().filter_map(|(of, log)| Some((of, log.account.as_ref()?)));
        let mut those: Vec<_> = accounts
            .filter(|(of, account)| of.domain() == domain.domain() && which(of, account))
            .map(|(of, _)| of.clone())
            .collect();
        those.sort_by(|one, other| one.local().cmp(&other.local()));
        those
    }

    pub(super) fn resumable(&self, unix_ms: u64, after: Option<&Bare>, max: usize) -> Vec<Bare> {
        let waits = |log: &Log| {
            let is_occupied = log.cells.get(&OCCUPANTS).is_some_and(|cells| !cells.is_empty());
            is_occupied || log.sessions.values().any(|one| one.expires > unix_ms)
        };
        let waiting = self.logs.iter().filter(|(_, log)| waits(log)).map(|(of, _)| of);
        let after = after.map_or("", |after| after.as_str());
        let mut found: Vec<_> = waiting.filter(|of| of.as_str() > after).cloned().collect();
        found.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        found.truncate(max);
        found
    }

    pub(super) fn count(&self, domain: &Bare) -> u64 {
        let accounts = self.logs.iter().filter(|(_, log)| log.account.is_some());
        accounts.filter(|(of, _)| of.domain() == domain.domain()).count() as u64
    }

    pub(super) fn keeps_argon2id(&self) -> bool {
        let accounts = self.logs.values().filter_map(|log| log.account.as_ref());
        accounts.into_iter().any(|account| account.credentials.argon2id.is_some())
    }

    pub(super) fn commit(&mut self, epoch: i64, batch: &Batch) -> Result<Vec<Verdict>, Fault> {
        if self.epoch != epoch {
            return Err(Fault::Fenced);
        }
        if self.batch == batch.number {
            return Ok(self.verdicts.clone());
        }
        if self.batch + 1 != batch.number {
            return Err(Fault::Fenced);
        }
        self.batch = batch.number;
        self.pos = batch.last;
        self.verdicts =
            batch.units.iter().map(|(unit, positions)| self.unit(unit, positions)).collect();
        Ok(self.verdicts.clone())
    }

    pub(super) fn purge(&mut self, what: &Retention) -> u64 {
        self.logs.values_mut().map(|log| log.purge(what)).sum()
    }

    fn unit(&mut self, unit: &Unit, positions: &[Pos]) -> Verdict {
        assert_eq!(unit.entries.len(), positions.len(), "a position for each entry");
        check(unit)?;
        if let Some(pos) = unit.once.as_ref().and_then(|once| self.said_before(once)) {
            return Ok(Written::Before(pos));
        }
        Walk::of(self).unit(unit)?;
        for change in &unit.changes {
            self.change(change);
        }
        for (entry, &pos) in unit.entries.iter().zip(positions) {
            let log = self.logs.entry(entry.log.clone()).or_default();
            log.entries.insert(pos, entry.clone());
        }
        Ok(Written::Now)
    }

    fn said_before(&self, once: &Once) -> Option<Pos> {
        let behind = (Bound::Excluded(once.since), Bound::Unbounded);
        let behind = self.logs.get(&once.log)?.entries.range(behind);
        let like = |entry: &Entry| {
            let by = entry.settles.map(|(session, _)| session);
            entry.key == Some(once.key) && (once.besides.is_none() || by != once.besides)
        };
        behind.rev().find(|(_, entry)| like(entry)).map(|(&pos, _)| pos)
    }

    fn change(&mut self, change: &Change) {
        let of = owner(change);
        if let Change::Delete(_) = change {
            self.logs.remove(of);
            return self.leave_rooms(of);
        }
        if let Change::Cut(table, _, key) | Change::Swap(table, _, key, _, None) = change {
            let log = self.logs.get_mut(of);
            let cells = log.and_then(|log| log.cells.get_mut(table));
            cells.map(|cells| cells.remove(key));
            return;
        }
        if let Change::Forsake(_, contact) = change {
            let account = self.logs.get_mut(of).and_then(|log| log.account.as_mut());
            account.into_iter().for_each(|account| account.forsake(contact));
            return;
        }
        if let Change::Unsession(..)
        | Change::Delivered(..)
        | Change::Gathered(..)
        | Change::Expunge(..)
        | Change::Redact(..) = change
        {
            return self.logs.get_mut(of).into_iter().for_each(|log| log.tidy(change));
        }
        let log = self.logs.entry(of.clone()).or_default();
        match change {
            Change::Session(_, session) => {
                log.sessions.insert(session.id, (**session).clone());
            }
            Change::Put(table, _, key, value) | Change::Swap(table, _, key, _, Some(value)) => {
                log.cells.entry(*table).or_default().insert(key.clone(), value.clone());
            }
            Change::Room(_) => {}
            _ => log.account.get_or_insert_default().change(change),
        }
    }
}

impl Log {
    /// As it is loaded: the log may know of more that was dealt with.
    fn remembered(&self, session: &Resumable) -> Resumable {
        let of = |entry: &Entry| entry.settles.filter(|(id, _)| *id == session.id);
        let told = self.entries.values().filter_map(of).map(|(_, h)| h).max();
        Resumable { h: session.h.max(told.unwrap_or_default()), ..session.clone() }
    }

    fn purge(&mut self, what: &Retention) -> u64 {
        let held = self.entries.len() + self.sessions.len();
        let ended = what.unix_ms.saturating_sub(Resumable::KEPT_MS);
        self.sessions.retain(|_, session| session.expires >= ended);
        let got = self.sessions.values().map(|session| session.mark).fold(self.delivered, Pos::min);
        let until = got.min(Pos::next(Pos(0), what.unix_ms.saturating_sub(TRANSIT_MS)));
        let is_transit = |flags: Flags| flags.has(Flags::TRANSIT) && !flags.has(Flags::ARCHIVE);
        self.entries.retain(|&pos, entry| pos > until || !is_transit(entry.flags));
        self.entries.retain(|&pos, _| pos >= what.before);
        let most = usize::try_from(what.entries_max).unwrap_or(usize::MAX);
        while most > 0 && self.entries.len() > most {
            self.entries.pop_first();
        }
        (held - self.entries.len() - self.sessions.len()) as u64
    }

    fn gather(&mut self, gathered: &Gathered) {
        let Gathered { upto, oldest, conversations } = gathered;
        if *upto <= self.inbox.upto {
            return;
        }
        self.inbox.upto = *upto;
        let anew = |peer: &Bare| conversations.iter().any(|one| one.peer == *peer);
        self.inbox.conversations.retain(|one| one.upto >= *oldest && !anew(&one.peer));
        self.inbox.conversations.extend(conversations.iter().cloned());
    }

    fn tidy(&mut self, change: &Change) {
        match change {
            Change::Unsession(_, id) => {
                self.sessions.remove(id);
            }
            Change::Delivered(_, pos) => self.delivered = self.delivered.max(*pos),
            Change::Gathered(_, gathered) if self.account.is_some() => self.gather(gathered),
            Change::Expunge(_, places) => self.entries.retain(|pos, _| !places.contains(pos)),
            Change::Redact(_, pos, stanza) => {
                self.entries.get_mut(pos).into_iter().for_each(|entry| {
                    entry.stanza = stanza.clone();
                    entry.flags = entry.flags.without(Flags::SPEAKS);
                });
            }
            _ => {}
        }
    }
}

impl Account {
    fn change(&mut self, change: &Change) {
        match change {
            Change::Create(_, credentials) | Change::Rehash(_, credentials) => {
                let disabled = self.credentials.disabled;
                self.credentials = Credentials { disabled, ..credentials.clone() };
            }
            Change::Password(_, credentials) => {
                let Credentials { changed, disabled, .. } = self.credentials;
                let changed = credentials.changed.max(changed + 1);
                self.credentials = Credentials { changed, disabled, ..credentials.clone() };
            }
            Change::Disabled(_, disabled) => self.credentials.disabled = *disabled,
            Change::Upgrade(_, given) => self.upgrade(given),
            Change::Roster(_, item) => {
                self.roster.insert(item.jid.clone(), item.clone());
            }
            Change::Unroster(_, jid, ver) => {
                self.roster.remove(jid);
                self.removed.insert(jid.clone(), *ver);
                self.forget();
            }
            _ => {}
        }
    }

    fn upgrade(&mut self, given: &Credentials) {
        let Credentials { sha1, sha256, sha512, argon2id, .. } = &mut self.credentials;
        for (mine, given) in [(sha1, &given.sha1), (sha256, &given.sha256), (sha512, &given.sha512)]
        {
            *mine = mine.take().or_else(|| given.clone());
        }
        *argon2id = argon2id.take().or_else(|| given.argon2id.clone());
    }

    fn forsake(&mut self, contact: &Bare) {
        let vers = self.roster.values().map(|item| item.ver).chain(self.removed.values().copied());
        let ver = vers.max().unwrap_or_default() + 1;
        let Some(item) = self.roster.get_mut(&Jid::from(contact.clone())) else { return };
        if !item.is_listed() {
            let gone = Change::Unroster(contact.clone(), item.jid.clone(), ver);
            return self.change(&gone);
        }
        let before = (item.state, item.approved, item.request.take());
        (item.state, item.approved) = (State::default(), false);
        if before != (item.state, false, None) {
            item.ver = ver;
        }
    }

    /// Keeps the newest removals.
    fn forget(&mut self) {
        while self.removed.len() > REMOVED_ITEMS_MAX {
            let oldest = self.removed.iter().min_by_key(|&(_, ver)| ver);
            let Some(oldest) = oldest.map(|(jid, _)| jid.clone()) else { return };
            self.removed.remove(&oldest);
        }
    }
}

/// Whose row it is.
pub(super) fn owner(change: &Change) -> &Bare {
    match change {
        Change::Create(of, _)
        | Change::Password(of, _)
        | Change::Upgrade(of, _)
        | Change::Rehash(of, _)
        | Change::Disabled(of, _)
        | Change::Room(of)
        | Change::Delete(of)
        | Change::Roster(of, _)
        | Change::Unroster(of, ..)
        | Change::Forsake(of, _)
        | Change::Session(of, _)
        | Change::Unsession(of, _)
        | Change::Delivered(of, _)
        | Change::Gathered(of, _)
        | Change::Expunge(of, _)
        | Change::Redact(of, ..)
        | Change::Put(_, of, ..)
        | Change::Cut(_, of, _)
        | Change::Swap(_, of, ..) => of,
    }
}
