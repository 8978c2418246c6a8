//! Credit: how much a client may say before what it said is settled.

use crate::limits::Limits;
use std::collections::VecDeque;

/// Sizes of the stanzas that are not settled yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    sizes: VecDeque<u32>,
    bytes: usize,
}

impl Credit {
    /// A stanza of this size has been handed over.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.sizes.push_back(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// So many stanzas are settled.
    pub(crate) fn settle(&mut self, stanzas: u32) {
        for _ in 0..stanzas {
            let Some(bytes) = self.sizes.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(usize::try_from(bytes).unwrap_or(0));
        }
        if self.sizes.is_empty() {
            // An idle connection keeps no room for what it once said.
            *self = Self::default();
        }
    }

    /// None is left: the socket is not read.
    pub(crate) fn is_spent(&self, limits: &Limits) -> bool {
        self.sizes.len() >= limits.credit_stanzas_max || self.bytes >= limits.credit_bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_is_spent_in_stanzas_or_bytes_and_given_back_oldest_first() {
        let limits = Limits { credit_stanzas_max: 3, credit_bytes_max: 1000, ..Limits::default() };
        let mut credit = Credit::default();
        credit.spend(999);
        assert!(!credit.is_spent(&limits));
        credit.spend(1);
        assert!(credit.is_spent(&limits));
        credit.settle(1);
        assert!(!credit.is_spent(&limits));
        credit.spend(1);
        credit.spend(1);
        assert!(credit.is_spent(&limits));
        credit.settle(9);
        assert!(!credit.is_spent(&limits));
        assert_eq!(credit.bytes, 0);
    }
}
