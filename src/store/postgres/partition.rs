//! Partitions of `entry` and `words`, made when the first row of one comes.

use super::{fault, line::Line};
use engine::{
    port::{Batch, Fault},
    unit::Pos,
};
use std::collections::BTreeSet;

/// A partition holds 2^52 positions: 2^32 ms, 49.7 days.
const BITS: u32 = 52;

/// The partitions of `entry` that are known to be there.
#[derive(Default)]
pub(super) struct Partitions(BTreeSet<i64>);

impl Partitions {
    /// Makes those that the batch needs. Outside its transaction, so that one that fails later
    /// need not make them again, and so that no lock on the table is held for long.
    pub(super) async fn make(&mut self, line: &Line, batch: &Batch) -> Result<(), Fault> {
        let positions = batch.units.iter().flat_map(|(_, positions)| positions);
        for number in positions.map(number).collect::<BTreeSet<_>>() {
            if self.0.contains(&number) {
                continue;
            }
            line.client.batch_execute(&sql("entry", number)).await.map_err(fault)?;
            self.0.insert(number);
        }
        Ok(())
    }
}

/// Makes those of `words` that these places need.
pub(super) async fn of_words(line: &Line, places: impl Iterator<Item = Pos>) -> Result<(), Fault> {
    for number in places.map(|pos| number(&pos)).collect::<BTreeSet<_>>() {
        line.client.batch_execute(&sql("words", number)).await.map_err(fault)?;
    }
    Ok(())
}

/// Whether all of the partition of this name stands before this place.
pub(super) fn ends_before(name: &str, pos: Pos) -> bool {
    let named = ["entry_", "words_"].into_iter().find_map(|table| name.strip_prefix(table));
    let named = named.and_then(|number| number.parse::<i64>().ok());
    named.is_some_and(|of| of < self::number(&pos))
}

fn number(pos: &Pos) -> i64 {
    pos.0 >> BITS
}

fn sql(table: &str, number: i64) -> String {
    let from = number << BITS;
    let to = (number + 1).checked_mul(1 << BITS);
    let to = to.map_or("MAXVALUE".to_owned(), |to| to.to_string());
    format!(
        "CREATE TABLE IF NOT EXISTS {table}_{number}
        PARTITION OF {table} FOR VALUES FROM ({from}) TO ({to})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_ends_before_the_next_one_begins() {
        let second = Pos(1 << BITS);
        assert!(ends_before("entry_0", second) && ends_before("words_0", second));
        assert!(!ends_before("entry_0", Pos(second.0 - 1)) && !ends_before("entry_1", second));
        assert!(!ends_before("entry_x", Pos(i64::MAX)) && !ends_before("log", Pos(i64::MAX)));
    }

    #[test]
    fn partitions_meet_and_the_last_has_no_end() {
        assert!(sql("entry", 0).contains("FROM (0) TO (4503599627370496)"));
        assert!(sql("entry", 1).contains("FROM (4503599627370496) TO"));
        assert_eq!(number(&Pos(i64::MAX)), 2_047);
        assert!(sql("words", 2_047).ends_with("TO (MAXVALUE)"));
    }
}
