//! What is said again: found in the log, or among the earlier units of the same batch.

use engine::{
    port::{Batch, Verdict, Written},
    unit::{Change, Once, Pos, Unit},
    wire::Bare,
};
use std::{collections::HashMap, ops::Range};

/// The repeats of a batch. A value: the adapter asks the log, and says what it found.
pub(crate) struct Repeats<'a> {
    units: &'a [(Unit, Vec<Pos>)],
    /// Entries of the batch by their key: which unit has it, and where in it.
    said: HashMap<i64, Vec<(usize, usize)>>,
    /// What takes entries away.
    gone: Vec<(usize, &'a Change)>,
    /// What the log had before the batch, by the unit that says it again.
    logged: HashMap<usize, Pos>,
}

impl<'a> Repeats<'a> {
    pub(crate) fn of(batch: &'a Batch) -> Self {
        let units = &batch.units[..];
        let mut repeats =
            Self { units, said: HashMap::new(), gone: Vec::new(), logged: HashMap::new() };
        if repeats.asked().next().is_some() {
            units.iter().enumerate().for_each(|(number, (unit, _))| repeats.take_in(number, unit));
        }
        repeats
    }

    fn take_in(&mut self, number: usize, unit: &'a Unit) {
        for (at, entry) in unit.entries.iter().enumerate() {
            if let Some(key) = entry.key {
                self.said.entry(key).or_default().push((number, at));
            }
        }
        let takes = |change: &&Change| matches!(change, Change::Delete(_) | Change::Expunge(..));
        self.gone.extend(unit.changes.iter().filter(takes).map(|change| (number, change)));
    }

    /// What the log is to be asked for: the newest entry like this, by the unit's number.
    pub(crate) fn asked(&self) -> impl Iterator<Item = (usize, &'a Once)> + use<'a> {
        let units = self.units.iter().enumerate();
        units.filter_map(|(number, (unit, _))| Some((number, unit.once.as_ref()?)))
    }

    /// The log had this.
    pub(crate) fn found(&mut self, unit: usize, pos: Pos) {
        self.logged.insert(unit, pos);
    }

    /// Judges a range that is tried next, unless its units are refused already. Every unit before
    /// it has its verdict.
    pub(crate) fn judge(&self, range: Range<usize>, verdicts: &mut [Verdict]) {
        for number in range {
            if verdicts[number].is_ok() {
                let before = self.before(number, verdicts);
                verdicts[number] = Ok(before.map_or(Written::Now, Written::Before));
            }
        }
    }

    /// Where the same was said before. The first of two of one batch counts only when it is
    /// written.
    fn before(&self, number: usize, verdicts: &[Verdict]) -> Option<Pos> {
        let once = self.units[number].0.once.as_ref()?;
        let is_written = |unit: usize| verdicts[unit] == Ok(Written::Now);
        let is_gone = |since: Option<usize>, pos| {
            let mut later = self.gone.iter().filter(|(unit, _)| {
                *unit < number && since.is_none_or(|since| *unit > since) && is_written(*unit)
            });
            later.any(|(_, change)| takes_away(change, &once.log, pos))
        };
        let like = |&&(unit, at): &&(usize, usize)| {
            let (entry, pos) = (&self.units[unit].0.entries[at], self.units[unit].1[at]);
            let by = entry.settles.map(|(session, _)| session);
            unit < number
                && entry.log == once.log
                && pos > once.since
                && (once.besides.is_none() || by != once.besides)
                && is_written(unit)
                && !is_gone(Some(unit), pos)
        };
        let said = self.said.get(&once.key).and_then(|said| said.iter().rev().find(like));
        let here = said.map(|&(unit, at)| self.units[unit].1[at]);
        here.or_else(|| self.logged.get(&number).copied().filter(|&pos| !is_gone(None, pos)))
    }
}

fn takes_away(change: &Change, log: &Bare, pos: Pos) -> bool {
    match change {
        Change::Delete(of) => of == log,
        Change::Expunge(of, places) => of == log && places.contains(&pos),
        _ => false,
    }
}
