//! Cells that XEPs want at hand: read with the account, and then always what the store has.

use crate::unit::{Change, Table};
use std::collections::BTreeMap;

/// What a cell takes in memory beyond its bytes.
const CELL_OVERHEAD_BYTES: usize = 64;

/// The cells at hand of one account, by table and key. A change is seen here when it has been
/// committed, never before.
#[derive(Clone, Debug, Default)]
pub struct Cells {
    tables: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    bytes: usize,
}

impl Cells {
    /// What the store kept: table, key, value.
    pub fn load(cells: Vec<(String, String, Vec<u8>)>) -> Self {
        let mut loaded = Self::default();
        for (table, key, value) in cells {
            loaded.put(&table, &key, &value);
        }
        loaded
    }

    /// The value at this key.
    pub fn get(&self, table: Table, key: &str) -> Option<&[u8]> {
        self.tables.get(table.name())?.get(key).map(Vec::as_slice)
    }

    /// The cells of a table, in the order of their keys.
    pub fn of(&self, table: Table) -> impl DoubleEndedIterator<Item = (&str, &[u8])> {
        let cells = self.tables.get(table.name()).into_iter().flatten();
        cells.map(|(key, value)| (key.as_str(), value.as_slice()))
    }

    /// How many cells a table has.
    pub fn count(&self, table: Table) -> usize {
        self.tables.get(table.name()).map_or(0, BTreeMap::len)
    }

    /// About what all of them take in memory, in bytes.
    pub fn weight(&self) -> usize {
        self.bytes
    }

    /// Takes in a change that is in the store now.
    pub(crate) fn learn(&mut self, change: &Change) {
        match change {
            Change::Put(table, _, key, value) => self.put(table.name(), key, value),
            Change::Cut(table, _, key) | Change::Swap(table, _, key, _, None) => {
                self.cut(table.name(), key);
            }
            Change::Swap(table, _, key, _, Some(value)) => self.put(table.name(), key, value),
            _ => {}
        }
    }

    fn put(&mut self, table: &str, key: &str, value: &[u8]) {
        self.cut(table, key);
        self.bytes += weight(key, value);
        let cells = self.tables.entry(table.to_owned()).or_default();
        cells.insert(key.to_owned(), value.to_vec());
    }

    fn cut(&mut self, table: &str, key: &str) {
        let Some(cells) = self.tables.get_mut(table) else { return };
        if let Some(value) = cells.remove(key) {
            self.bytes -= weight(key, &value);
        }
        if cells.is_empty() {
            self.tables.remove(table);
        }
    }
}

fn weight(key: &str, value: &[u8]) -> usize {
    CELL_OVERHEAD_BYTES + key.len() + value.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Bare;

    const TABLE: Table = Table::named("notes");

    #[test]
    fn what_is_put_is_there_and_what_is_cut_is_not() {
        let owner = Bare::parse("juliet@x").unwrap();
        let put = |key: &str, value: &[u8]| {
            Change::Put(TABLE, owner.clone(), key.to_owned(), value.to_vec())
        };
        let mut cells = Cells::load(vec![("notes".into(), "b".into(), b"1".to_vec())]);
        cells.learn(&put("a", b"2"));
        cells.learn(&put("b", b"33"));
        let all: Vec<_> = cells.of(TABLE).collect();
        assert_eq!(all, [("a", &b"2"[..]), ("b", &b"33"[..])]);
        assert_eq!((cells.count(TABLE), cells.get(TABLE, "b")), (2, Some(&b"33"[..])));
        let swap = |value: Option<&[u8]>| {
            let value = value.map(<[u8]>::to_vec);
            Change::Swap(TABLE, owner.clone(), "c".to_owned(), None, value)
        };
        cells.learn(&swap(Some(b"4")));
        assert_eq!(cells.get(TABLE, "c"), Some(&b"4"[..]));
        cells.learn(&swap(None));
        assert_eq!(cells.get(TABLE, "c"), None);
        for key in ["a", "b", "never"] {
            cells.learn(&Change::Cut(TABLE, owner.clone(), key.into()));
        }
        assert_eq!((cells.count(TABLE), cells.weight()), (0, 0));
    }
}
