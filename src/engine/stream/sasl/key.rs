//! Keys made of passwords (RFC 5802 §3), and their comparison.

use super::Mechanism;
use crate::{
    ctx::Random,
    unit::{Credentials, ScramKeys},
};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use std::borrow::Cow;
use wire::Bare;

/// Random bytes of a salt. RFC 5802's examples have 16; more would not make it stronger.
pub(super) const SALT_BYTES: usize = 16;

/// The hash of a SCRAM mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// RFC 5802.
    Sha1,
    /// RFC 7677.
    Sha256,
    /// draft-melnikov-scram-sha-512.
    Sha512,
}

impl Hash {
    /// PBKDF2 iterations of new keys. The client pays them at every login, a phone too, and the
    /// server for PLAIN. SHA-1 is kept for old clients and stays at the least that RFC 5802 §5.1
    /// allows; the others take what the server implementations in use take, 10 000.
    pub fn iterations(self) -> u32 {
        match self {
            Self::Sha1 => 4_096,
            Self::Sha256 | Self::Sha512 => 10_000,
        }
    }

    /// The keys of this hash among an account's.
    pub fn keys(self, of: &Credentials) -> Option<&ScramKeys> {
        match self {
            Self::Sha1 => of.sha1.as_ref(),
            Self::Sha256 => of.sha256.as_ref(),
            Self::Sha512 => of.sha512.as_ref(),
        }
    }

    /// Bytes of its digest, and of a password salted by it.
    pub fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Credentials with keys of this hash only.
    pub fn alone(self, keys: ScramKeys) -> Credentials {
        let none = Credentials::default();
        match self {
            Self::Sha1 => Credentials { sha1: Some(keys), ..none },
            Self::Sha256 => Credentials { sha256: Some(keys), ..none },
            Self::Sha512 => Credentials { sha512: Some(keys), ..none },
        }
    }

    /// HMAC (RFC 5802 §2.2).
    pub fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha1 => mac::<Hmac<Sha1>>(key, parts),
            Self::Sha256 => mac::<Hmac<Sha256>>(key, parts),
            Self::Sha512 => mac::<Hmac<Sha512>>(key, parts),
        }
    }

    /// H (RFC 5802 §2.2).
    pub fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// Hi, which is PBKDF2 (RFC 5802 §2.2).
    pub fn stretch(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password, salt, iterations).into(),
            Self::Sha256 => {
                pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations).into()
            }
            Self::Sha512 => {
                pbkdf2::pbkdf2_hmac_array::<Sha512, 64>(password, salt, iterations).into()
            }
        }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// The keys that this password derives (RFC 5802 §3). Costs up to some milliseconds of CPU.
pub fn derive(password: &str, salt: &[u8], iterations: u32, hash: Hash) -> ScramKeys {
    let password = hash.stretch(prepare(password).as_bytes(), salt, iterations);
    salted(&password, salt.to_vec(), iterations, hash)
}

/// The same of a password that has been salted already (RFC 5802 §3, `SaltedPassword`).
pub fn salted(password: &[u8], salt: Vec<u8>, iterations: u32, hash: Hash) -> ScramKeys {
    let client_key = hash.hmac(password, &[b"Client Key"]);
    ScramKeys {
        salt,
        iterations,
        stored_key: hash.digest(&client_key),
        server_key: hash.hmac(password, &[b"Server Key"]),
    }
}

/// A salt that has never been before.
pub fn salt(random: &dyn Random) -> Vec<u8> {
    let mut salt = vec![0; SALT_BYTES];
    random.fill(&mut salt);
    salt
}

/// Keys for an account that does not exist: the same at every try, and of the shape of those that
/// exist, so that a stranger cannot tell one from the other. No password derives them.
pub(super) fn made_up(secret: &[u8; 32], account: &Bare) -> Credentials {
    let keys = |hash: Hash| {
        let of = [Mechanism::Scram(hash).name(), account.as_str()].map(str::as_bytes);
        let make = |what: &[u8]| hash.hmac(secret, &[what, b"\0", of[0], b"\0", of[1]]);
        let mut salt = make(b"salt");
        salt.truncate(SALT_BYTES);
        let (stored_key, server_key) = (make(b"stored key"), make(b"server key"));
        Some(ScramKeys { salt, iterations: hash.iterations(), stored_key, server_key })
    };
    Credentials {
        sha1: keys(Hash::Sha1),
        sha256: keys(Hash::Sha256),
        sha512: keys(Hash::Sha512),
        ..Credentials::default()
    }
}

/// Passwords are prepared by SASLprep (RFC 4013), as RFC 5802 §2.2 has it and clients do. What it
/// refuses (mostly characters newer than Unicode 3.2, such as emoji) is taken as it is, as
/// clients without SASLprep send it: a user may have any password.
pub(super) fn prepare(password: &str) -> Cow<'_, str> {
    stringprep::saslprep(password).unwrap_or(Cow::Borrowed(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_keys_are_stable_and_differ_by_account_and_hash() {
        let account = |name: &str| Bare::parse(name).unwrap();
        let made = |name: &str| made_up(&[7; 32], &account(name));
        assert_eq!(made("a@x"), made("a@x"));
        assert_ne!(made("a@x"), made("b@x"));
        assert_ne!(made("a@x"), made_up(&[8; 32], &account("a@x")));
        for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha512] {
            let real = derive("pencil", &[1; SALT_BYTES], hash.iterations(), hash);
            let made = made("a@x");
            let made = hash.keys(&made).unwrap();
            assert_eq!(made.iterations, real.iterations);
            assert_eq!(made.salt.len(), real.salt.len());
            assert_eq!(made.stored_key.len(), real.stored_key.len());
            assert_eq!(made.server_key.len(), real.server_key.len());
        }
        assert_ne!(made("a@x").sha256.unwrap().salt, made("a@x").sha512.unwrap().salt);
    }

    #[test]
    fn a_password_is_prepared_rfc4013_3() {
        assert_eq!(prepare("I\u{ad}X"), "IX");
        assert_eq!(prepare("user"), "user");
        assert_eq!(prepare("\u{aa}"), "a");
        assert_eq!(prepare("\u{2168}"), "IX");
        // Newer than Unicode 3.2, so that SASLprep would refuse it.
        assert_eq!(prepare("\u{1f9a5}"), "\u{1f9a5}");
    }
}
