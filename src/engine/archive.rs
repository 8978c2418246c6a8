//! The archive: what is searched for in a log, and how its places are named outside.

use crate::{
    port::{Fault, Logged, Reads},
    unit::{Flags, Pos},
    words::Words,
};
use aes::{
    Aes128, Block,
    cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use wire::Bare;

/// What of a log is searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Only what stands behind it.
    pub after: Pos,
    /// Only what stands before it.
    pub before: Option<Pos>,
    /// Only what was said with them.
    pub with: Option<Bare>,
    /// Only what has all of these.
    pub flags: Flags,
    /// Only what has all of these in its bodies.
    pub words: Option<Words>,
    /// The newest of it, not the oldest.
    pub newest: bool,
    /// At most so many.
    pub max: usize,
    /// Counted up to here; 0: not counted.
    pub count_max: u64,
    /// For words at most so many are looked at; `None`: any number.
    pub looked_at_max: Option<usize>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// In the order of the log.
    pub entries: Vec<Logged>,
    /// There is more of it: behind these, or before them when the newest were asked for.
    pub more: bool,
    /// How many there are in all; `None`: more than `count_max`, or than could be looked at.
    pub count: Option<u64>,
    /// So many were looked at for their words.
    pub looked_at: usize,
    /// There may be more of it, but the search ended here, for no more were to be looked at.
    pub stopped: Option<Pos>,
}

/// The first and the last that the archive of a log shows; `None`: it shows nothing.
///
/// # Errors
/// The store's.
pub async fn ends(store: &dyn Reads, log: &Bare) -> Result<Option<(Pos, Pos)>, Fault> {
    let oldest = Search { flags: Flags::ARCHIVE, max: 1, ..Search::default() };
    let Some(first) = store.search(log, &oldest).await?.entries.pop() else { return Ok(None) };
    let newest = Search { newest: true, ..oldest };
    let last = store.search(log, &newest).await?.entries.pop();
    Ok(Some((first.pos, last.map_or(first.pos, |last| last.pos))))
}

/// Names the places of logs. A name tells nothing of how many there are or when (XEP-0359 §6,
/// XEP-0313 §3.2), nobody can guess one, and it is found again without being looked up.
#[derive(Clone)]
pub struct Names {
    cipher: Aes128,
    tags: Hmac<Sha256>,
}

/// The digits of a name (RFC 4648 §6), in lower case.
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Of 128 bits, five in each.
const NAME_DIGITS: u32 = 26;

impl Names {
    /// By the secret of the server: who has another reads nothing in them.
    pub fn of(secret: &[u8; 32]) -> Self {
        let hmac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
        let key = hmac.clone().chain_update("archive id: key").finalize().into_bytes();
        let cipher = Aes128::new_from_slice(&key[..16]).expect("AES-128 takes 16 bytes");
        Self { cipher, tags: hmac.chain_update("archive id: log") }
    }

    /// The name of a place in a log: 26 letters and digits.
    pub fn name(&self, log: &Bare, pos: Pos) -> String {
        let mut block = Block::default();
        block[..8].copy_from_slice(&pos.0.to_be_bytes());
        block[8..].copy_from_slice(&self.tag(log));
        self.cipher.encrypt_block(&mut block);
        let word = u128::from_be_bytes(block.into());
        let digit = |at: u32| char::from(DIGITS[(word >> (5 * at) & 31) as usize]);
        (0..NAME_DIGITS).rev().map(digit).collect()
    }

    /// The place of this name in a log; `None`: it is not one of that log.
    pub fn pos(&self, log: &Bare, name: &str) -> Option<Pos> {
        let word = parse(name)?;
        let mut block = Block::from(word.to_be_bytes());
        self.cipher.decrypt_block(&mut block);
        let (pos, tag) = block.split_at(8);
        let pos = i64::from_be_bytes(pos.try_into().ok()?);
        (tag == self.tag(log)).then_some(Pos(pos))
    }

    fn tag(&self, log: &Bare) -> [u8; 8] {
        let tag = self.tags.clone().chain_update(log.as_str()).finalize().into_bytes();
        let mut short = [0; 8];
        short.copy_from_slice(&tag[..8]);
        short
    }
}

/// The number that these digits are.
fn parse(name: &str) -> Option<u128> {
    let mut word = 0_u128;
    // 26 digits are two bits more than a name has: the first is one of four.
    if name.len() != NAME_DIGITS as usize
        || !name.starts_with(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
    {
        return None;
    }
    for byte in name.bytes() {
        let value = DIGITS.iter().position(|&digit| digit == byte)?;
        word = word << 5 | value as u128;
    }
    Some(word)
}

/// Tells nothing: who has it reads the names of others.
impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare(text: &str) -> Bare {
        Bare::parse(text).unwrap()
    }

    #[test]
    fn a_name_is_found_again_in_its_log_alone() {
        let names = Names::of(&[1; 32]);
        let (juliet, romeo) = (bare("juliet@x"), bare("romeo@x"));
        for pos in [0, 1, 1_795_000_000_000 << 20, i64::MAX].map(Pos) {
            let name = names.name(&juliet, pos);
            assert_eq!(name.len(), 26);
            assert_eq!(names.pos(&juliet, &name), Some(pos));
            assert_eq!(names.pos(&romeo, &name), None);
            assert_eq!(Names::of(&[2; 32]).pos(&juliet, &name), None);
        }
    }

    #[test]
    fn places_that_follow_one_another_have_names_that_do_not() {
        let names = Names::of(&[1; 32]);
        let one = names.name(&bare("juliet@x"), Pos(1));
        let next = names.name(&bare("juliet@x"), Pos(2));
        let same = one.bytes().zip(next.bytes()).filter(|(one, next)| one == next).count();
        assert!(same < 10, "{one} {next}");
    }

    #[test]
    fn what_is_no_name_is_none() {
        let names = Names::of(&[1; 32]);
        let juliet = bare("juliet@x");
        let good = names.name(&juliet, Pos(1));
        let upper = good.to_uppercase();
        let long = format!("{good}a");
        let other = format!("h{}", &good[1..]);
        let high = format!("z{}", &good[1..]);
        for bad in
            ["", "a", &upper, &long, &high, &good[1..], "ääääääääääääää", "18446744073709551615"]
        {
            assert_eq!(names.pos(&juliet, bad), None, "{bad}");
        }
        assert!(other == good || names.pos(&juliet, &other).is_none());
    }
}
