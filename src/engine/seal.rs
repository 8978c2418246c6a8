//! What this server has said and hears again: sealed with its key, so that it need not remember
//! more than what has been used up.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{
    collections::BTreeSet,
    fmt::Write,
    sync::{Mutex, MutexGuard, PoisonError},
};
use subtle::ConstantTimeEq;

/// Bytes of a seal: nobody guesses one.
const SEAL_BYTES: usize = 16;

/// The seal of these words by this server, in hexadecimal digits. The first says what it is for.
pub fn seal(secret: &[u8; 32], words: &[&str]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    for word in words {
        // With its length before it, no word can be taken for two.
        mac.update(&(word.len() as u64).to_be_bytes());
        mac.update(word.as_bytes());
    }
    let bytes = mac.finalize().into_bytes();
    bytes.iter().take(SEAL_BYTES).fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("writing to a String cannot fail");
        digits
    })
}

/// Whether this is the seal of these words.
pub fn is_sealed(secret: &[u8; 32], words: &[&str], by: &str) -> bool {
    seal(secret, words).as_bytes().ct_eq(by.as_bytes()).into()
}

/// Seals that are remembered as used.
pub const SPENT_SEALS_MAX: usize = 4096;

/// Seals that have been used, each with the moment until which it would be good. Of too
/// many the one whose moment is nearest is forgotten.
#[derive(Debug, Default)]
pub struct Spent(Mutex<BTreeSet<(u64, String)>>);

impl Spent {
    fn seals(&self) -> MutexGuard<'_, BTreeSet<(u64, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses a seal. Whether it had not been used before.
    pub fn spend(&self, seal: &str, until_unix_ms: u64) -> bool {
        let mut seals = self.seals();
        let first = seals.insert((until_unix_ms, seal.into()));
        if seals.len() > SPENT_SEALS_MAX {
            seals.pop_first();
        }
        first
    }

    /// Nothing has come of its use: it may be used again.
    pub fn restore(&self, seal: &str, until_unix_ms: u64) {
        self.seals().remove(&(until_unix_ms, seal.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_of_these_words_by_this_server_alone() {
        let by = seal(&[1; 32], &["for", "a", "bc"]);
        assert_eq!(by.len(), 2 * SEAL_BYTES);
        assert!(is_sealed(&[1; 32], &["for", "a", "bc"], &by));
        for (secret, words) in [
            ([2; 32], ["for", "a", "bc"]),
            ([1; 32], ["for", "ab", "c"]),
            ([1; 32], ["or", "a", "bc"]),
        ] {
            assert!(!is_sealed(&secret, &words, &by), "{words:?}");
        }
        assert!(!is_sealed(&[1; 32], &["for", "a", "bc"], ""));
    }

    #[test]
    fn of_too_many_spent_seals_the_one_that_is_over_first_is_forgotten() {
        let spent = Spent::default();
        for number in (1..=SPENT_SEALS_MAX).rev() {
            assert!(spent.spend(&number.to_string(), number as u64));
        }
        assert!(!spent.spend("1", 1));
        assert!(spent.spend("one more", 1_000));
        assert!(!spent.spend("2", 2));
        assert!(spent.spend("1", 1), "forgotten");
        assert!(!spent.spend("one more", 1_000));
        spent.restore("one more", 1_000);
        assert!(spent.spend("one more", 1_000));
    }
}
