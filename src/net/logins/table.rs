//! A table that forgets what has not been touched for longest: roughly, and without a list of it.

use std::{collections::HashMap, hash::Hash, mem};

/// Two generations: when the younger one is full, the older is forgotten.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    max: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Hash + Eq, V: Default> Table<K, V> {
    /// Of so many entries.
    pub(crate) fn new(max: usize) -> Self {
        Self { max: (max / 2).max(1), young: HashMap::new(), old: HashMap::new() }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.young.get_mut(key).or_else(|| self.old.get_mut(key))
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// The entry, made when there is none; it is young again.
    pub(crate) fn entry(&mut self, key: K) -> &mut V {
        let value = self.old.remove(&key);
        if self.young.len() >= self.max && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        self.young.entry(key).or_insert_with(|| value.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_touched_stays_and_no_more_than_the_limit_is_kept() {
        let mut table: Table<u32, u32> = Table::new(20);
        *table.entry(0) = 7;
        for key in 1..1_000 {
            *table.entry(key) = key;
            *table.entry(0) += 0;
            assert!(table.young.len() + table.old.len() <= 20);
        }
        assert_eq!(table.get(&0), Some(&7));
        assert_eq!((table.get(&1), table.get(&999)), (None, Some(&999)));
    }

    #[test]
    fn what_is_removed_is_gone_from_both_generations() {
        let mut table: Table<u32, u32> = Table::new(4);
        for key in [1, 2, 3] {
            *table.entry(key) = key;
        }
        assert!(table.old.contains_key(&1) && table.young.contains_key(&3));
        *table.get_mut(&1).unwrap() = 5;
        assert_eq!(table.get(&1), Some(&5));
        for key in [1, 3] {
            table.remove(&key);
            assert_eq!(table.get(&key), None);
        }
    }
}
