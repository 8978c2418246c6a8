//! Walks a unit before anything is changed, so that it is changed in whole or not at all.

use super::data::{Data, owner};
use crate::check::{exists, is_host, no_account, no_log, other_cell, other_password};
use engine::{
    port::Fault,
    unit::{Change, Table, Unit},
    wire::Bare,
};
use std::collections::{HashMap, HashSet};

/// What a log is of.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Account,
    Other,
}

/// The data as they are after some changes of a unit.
pub(super) struct Walk<'a> {
    data: &'a Data,
    /// Logs that have been made or removed.
    kinds: HashMap<&'a Bare, Option<Kind>>,
    /// Those that have been removed: what the data hold of them is gone.
    removed: HashSet<&'a Bare>,
    /// Cells that have been written or removed.
    cells: HashMap<(&'a Bare, Table, &'a str), Option<&'a [u8]>>,
    /// Passwords that have been set, and when.
    passwords: HashMap<&'a Bare, u64>,
}

impl<'a> Walk<'a> {
    pub(super) fn of(data: &'a Data) -> Self {
        let (kinds, removed, cells, passwords) = Default::default();
        Self { data, kinds, removed, cells, passwords }
    }

    /// When this says yes, nothing of the unit can fail.
    pub(super) fn unit(&mut self, unit: &'a Unit) -> Result<(), Fault> {
        unit.changes.iter().try_for_each(|change| self.change(change))?;
        let mut logs = unit.entries.iter().map(|entry| &entry.log);
        let known = logs.all(|of| self.kind(of).is_some() || is_host(of));
        if known { Ok(()) } else { Err(no_log()) }
    }

    fn change(&mut self, change: &'a Change) -> Result<(), Fault> {
        let of = owner(change);
        let kind = self.kind(of);
        let account = kind == Some(Kind::Account);
        match change {
            Change::Create(..) if kind.is_some() => return Err(exists()),
            Change::Password(..)
            | Change::Disabled(..)
            | Change::Roster(..)
            | Change::Unroster(..)
            | Change::Session(..)
                if !account =>
            {
                return Err(no_account());
            }
            Change::Put(..) | Change::Swap(.., Some(_)) if kind.is_none() && !is_host(of) => {
                return Err(no_log());
            }
            Change::Swap(table, _, key, old, _) if self.cell(of, *table, key) != old.as_deref() => {
                return Err(other_cell());
            }
            Change::Upgrade(_, given) | Change::Rehash(_, given)
                if self.changed(of) != Some(given.changed) =>
            {
                return Err(other_password());
            }
            _ => {}
        }
        self.take_in(of, kind, change);
        Ok(())
    }

    fn take_in(&mut self, of: &'a Bare, kind: Option<Kind>, change: &'a Change) {
        match change {
            Change::Create(_, given) => {
                self.kinds.insert(of, Some(Kind::Account));
                self.passwords.insert(of, given.changed);
            }
            Change::Password(_, given) => {
                let before = self.changed(of).unwrap_or_default();
                self.passwords.insert(of, given.changed.max(before + 1));
            }
            Change::Delete(_) => {
                self.kinds.insert(of, None);
                self.removed.insert(of);
                self.cells.retain(|(owner, ..), _| *owner != of);
                self.passwords.remove(of);
            }
            Change::Put(table, _, key, value) | Change::Swap(table, _, key, _, Some(value)) => {
                self.kinds.insert(of, kind.or(Some(Kind::Other)));
                self.cells.insert((of, *table, key), Some(value));
            }
            Change::Cut(table, _, key) | Change::Swap(table, _, key, _, None) => {
                self.cells.insert((of, *table, key), None);
            }
            Change::Room(_) => {
                self.kinds.insert(of, kind.or(Some(Kind::Other)));
            }
            _ => {}
        }
    }

    fn kind(&self, of: &Bare) -> Option<Kind> {
        if let Some(kind) = self.kinds.get(of) {
            return *kind;
        }
        let log = self.data.log(of)?;
        Some(if log.account.is_some() { Kind::Account } else { Kind::Other })
    }

    fn cell(&self, of: &Bare, table: Table, key: &str) -> Option<&[u8]> {
        if let Some(cell) = self.cells.get(&(of, table, key)) {
            return *cell;
        }
        let log = self.data.log(of).filter(|_| !self.removed.contains(of))?;
        log.cells.get(&table)?.get(key).map(Vec::as_slice)
    }

    fn changed(&self, of: &Bare) -> Option<u64> {
        if let Some(changed) = self.passwords.get(of) {
            return Some(*changed);
        }
        let account = self.data.account(of).filter(|_| !self.removed.contains(of))?;
        Some(account.credentials.changed)
    }
}
