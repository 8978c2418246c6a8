//! Cells that XEPs want at hand: read with the account, and then always what the store has.

use crate::unit::{Change, Table};

/// What a cell takes in memory beyond its bytes.
const CELL_OVERHEAD_BYTES: usize = 64;

/// The cells at hand of one account. A change is seen here when it has been committed, never
/// before.
#[derive(Clone, Debug, Default)]
pub struct Cells {
    /// By table and key. Every client online has its own, and few cells: a list has no room to
    /// spare, and is changed seldom.
    cells: Vec<Cell>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Cell {
    table: Box<str>,
    key: Box<str>,
    value: Box<[u8]>,
}

impl Cell {
    fn place(&self) -> (&str, &str) {
        (&self.table, &self.key)
    }

    fn weight(&self) -> usize {
        CELL_OVERHEAD_BYTES + self.key.len() + self.value.len()
    }
}

impl Cells {
    /// What the store kept: table, key, value.
    pub fn load(cells: Vec<(String, String, Vec<u8>)>) -> Self {
        let cell = |(table, key, value): (String, String, Vec<u8>)| Cell {
            table: table.into(),
            key: key.into(),
            value: value.into(),
        };
        let mut cells: Vec<_> = cells.into_iter().map(cell).collect();
        cells.sort_by(|one, other| one.place().cmp(&other.place()));
        cells.shrink_to_fit();
        let bytes = cells.iter().map(Cell::weight).sum();
        Self { cells, bytes }
    }

    /// Where it is, or would be.
    fn place(&self, table: &str, key: &str) -> Result<usize, usize> {
        self.cells.binary_search_by(|cell| cell.place().cmp(&(table, key)))
    }

    fn table(&self, table: Table) -> &[Cell] {
        let start = self.cells.partition_point(|cell| &*cell.table < table.name());
        let end = self.cells.partition_point(|cell| &*cell.table <= table.name());
        &self.cells[start..end]
    }

    /// The value at this key.
    pub fn get(&self, table: Table, key: &str) -> Option<&[u8]> {
        self.place(table.name(), key).ok().map(|place| &*self.cells[place].value)
    }

    /// The cells of a table, in the order of their keys.
    pub fn of(&self, table: Table) -> impl DoubleEndedIterator<Item = (&str, &[u8])> {
        self.table(table).iter().map(|cell| (&*cell.key, &*cell.value))
    }

    /// How many cells a table has.
    pub fn count(&self, table: Table) -> usize {
        self.table(table).len()
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
        let cell = Cell { table: table.into(), key: key.into(), value: value.into() };
        self.bytes += cell.weight();
        match self.place(table, key) {
            Ok(place) => {
                let before = std::mem::replace(&mut self.cells[place], cell);
                self.bytes -= before.weight();
            }
            Err(place) => {
                self.cells.reserve_exact(1);
                self.cells.insert(place, cell);
            }
        }
    }

    fn cut(&mut self, table: &str, key: &str) {
        if let Ok(place) = self.place(table, key) {
            self.bytes -= self.cells.remove(place).weight();
        }
    }
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
