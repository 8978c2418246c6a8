//! What this server has said and hears again: sealed with its key, so that it need not remember.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::Write;
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
}
