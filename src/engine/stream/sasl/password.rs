//! What is kept of a password, and whether a password is it.
//!
//! A wrong password costs the same CPU and memory whosever it is and however it is kept, also
//! when there is no such account (attack class: enumeration by time). A right one costs only what
//! it must: whoever knows it learns nothing by that.

use super::{Hash, argon2id, key};
use crate::{
    ctx::Random,
    settings::{Passwords, Settings, Storage},
    unit::{Credentials, ScramKeys},
};
use std::hint::black_box;
use subtle::ConstantTimeEq;
use wire::Bare;

/// In the order of which decides. One is enough to know; SHA-256 costs the least of those that
/// are strong.
const HASHES: [Hash; 3] = [Hash::Sha256, Hash::Sha512, Hash::Sha1];

/// What is kept of a new password, as the operator wants it kept, each hash with a salt of its
/// own. Costs milliseconds of CPU, or what Argon2id shall cost. `None`: there is no memory for it.
pub fn credentials(
    password: &str,
    passwords: &Passwords,
    random: &dyn Random,
) -> Option<Credentials> {
    let salt = || key::salt(random);
    let scram = |hash: Hash| Some(key::derive(password, &salt(), hash.iterations(), hash));
    let none = Credentials::default();
    Some(match passwords.storage {
        Storage::Scram => Credentials {
            sha1: scram(Hash::Sha1),
            sha256: scram(Hash::Sha256),
            sha512: scram(Hash::Sha512),
            ..none
        },
        Storage::Argon2id => {
            let hash = argon2id::hash(&key::prepare(password), &salt(), &passwords.argon2id)?;
            Credentials { argon2id: Some(hash), ..none }
        }
    })
}

/// Whether it is kept as the operator wants it kept.
pub fn is_kept_so(kept: &Credentials, passwords: &Passwords) -> bool {
    let hashes = HASHES.iter().filter(|hash| hash.keys(kept).is_some()).count();
    let cost = kept.argon2id.as_deref().map(argon2id::cost);
    match passwords.storage {
        Storage::Scram => hashes == HASHES.len() && cost.is_none(),
        Storage::Argon2id => hashes == 0 && cost == Some(Some(passwords.argon2id)),
    }
}

/// What is made up for an account that does not exist, or has nothing of some kind: the same at
/// every try. It has all that any account here may have, and no password passes it.
pub(super) fn made_up(settings: &Settings, account: &Bare) -> Credentials {
    let Settings { passwords, secret, .. } = settings;
    let scram = key::made_up(secret, account);
    if passwords.storage == Storage::Scram && !passwords.mixed {
        return scram;
    }
    let make = |what: &[u8]| {
        Hash::Sha256.hmac(secret, &[what, b"\0argon2id\0", account.as_str().as_bytes()])
    };
    let mut salt = make(b"salt");
    salt.truncate(key::SALT_BYTES);
    let hash = make(b"hash");
    Credentials { argon2id: argon2id::made_up(&salt, &hash, &passwords.argon2id), ..scram }
}

/// One way to look.
#[derive(Debug, PartialEq, Eq)]
enum Way<'a> {
    Scram(Hash, &'a ScramKeys),
    Argon2id(&'a str),
}

/// Whether the password is the one that is kept. When nothing is, and when it is wrong, all the
/// ways are gone that the made-up credentials have. Costs milliseconds of CPU, or what Argon2id
/// costs. `None`: there is no memory to find out.
pub fn verify(password: &str, kept: &Credentials, made_up: &Credentials) -> Option<bool> {
    let password = key::prepare(password);
    let (deciding, others) = ways(kept, made_up);
    if let Some(way) = deciding
        && way.passes(&password)?
    {
        return Some(true);
    }
    for way in others {
        // Nobody looks at what it says; it must be done all the same.
        black_box(way.passes(&password)?);
    }
    Some(false)
}

/// The way that decides, and those that only cost.
fn ways<'a>(
    kept: &'a Credentials,
    made_up: &'a Credentials,
) -> (Option<Way<'a>>, impl Iterator<Item = Way<'a>>) {
    let deciding = all(kept).next();
    let kind = deciding.as_ref().map(Way::kind);
    (deciding, all(made_up).filter(move |way| Some(way.kind()) != kind))
}

fn all(of: &Credentials) -> impl Iterator<Item = Way<'_>> {
    let hashes = HASHES.iter().filter_map(|&hash| Some(Way::Scram(hash, hash.keys(of)?)));
    hashes.chain(of.argon2id.as_deref().map(Way::Argon2id))
}

impl Way<'_> {
    fn kind(&self) -> Option<Hash> {
        match self {
            Self::Scram(hash, _) => Some(*hash),
            Self::Argon2id(_) => None,
        }
    }

    fn passes(&self, password: &str) -> Option<bool> {
        match self {
            Self::Scram(hash, kept) => {
                let derived = key::derive(password, &kept.salt, kept.iterations, *hash);
                Some(derived.stored_key.ct_eq(&kept.stored_key).into())
            }
            Self::Argon2id(verifier) => argon2id::verify(password, verifier),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Argon2id;

    struct Counting;

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            (1..).zip(bytes).for_each(|(count, byte)| *byte = count);
        }
    }

    fn settings(storage: Storage, mixed: bool) -> Settings {
        let argon2id = Argon2id { kib: 32, passes: 1, lanes: 1 };
        let passwords = Passwords { storage, mixed, argon2id };
        Settings { passwords, ..Settings::of(vec![Bare::host("x").unwrap()], [7; 32]) }
    }

    fn juliet() -> Bare {
        Bare::parse("juliet@x").unwrap()
    }

    fn kept(storage: Storage) -> Credentials {
        credentials("pencil", &settings(storage, false).passwords, &Counting).unwrap()
    }

    /// What accounts may have: all hashes, each alone, Argon2id, and both.
    fn all_kinds() -> Vec<Credentials> {
        let (all, none) = (kept(Storage::Scram), Credentials::default);
        let slow = kept(Storage::Argon2id);
        vec![
            Credentials { sha1: all.sha1.clone(), ..none() },
            Credentials { sha256: all.sha256.clone(), ..none() },
            Credentials { sha512: all.sha512.clone(), ..none() },
            Credentials { argon2id: slow.argon2id.clone(), ..all.clone() },
            all,
            slow,
        ]
    }

    #[test]
    fn whatever_is_kept_of_a_password_knows_it_and_no_other() {
        let settings = settings(Storage::Scram, true);
        let made_up = made_up(&settings, &juliet());
        for kept in all_kinds() {
            let verify = |password| verify(password, &kept, &made_up);
            assert_eq!(["pencil", "Pencil", ""].map(verify), [true, false, false].map(Some));
            // Prepared by SASLprep, as SCRAM's clients do (RFC 5802 §2.2).
            assert_eq!(verify("pen\u{ad}cil"), Some(true));
        }
        assert_eq!(verify("pencil", &Credentials::default(), &made_up), Some(false));
    }

    /// What a wrong password costs: which hashes, how often.
    fn cost(kept: &Credentials, made_up: &Credentials) -> Vec<String> {
        let (deciding, others) = ways(kept, made_up);
        let cost = |way: Way<'_>| match way {
            Way::Scram(hash, keys) => format!("{hash:?} {}", keys.iterations),
            Way::Argon2id(verifier) => format!("{:?}", argon2id::cost(verifier).unwrap()),
        };
        let mut cost: Vec<_> = deciding.into_iter().chain(others).map(cost).collect();
        cost.sort();
        cost
    }

    #[test]
    fn at_16_a_wrong_password_costs_the_same_however_it_is_kept_and_if_nothing_is() {
        for storage in [Storage::Scram, Storage::Argon2id] {
            let settings = settings(storage, true);
            let made_up = made_up(&settings, &juliet());
            let nobody = cost(&Credentials::default(), &made_up);
            assert_eq!(nobody.len(), 4);
            for kept in all_kinds() {
                assert_eq!(cost(&kept, &made_up), nobody, "{kept:?}");
            }
        }
        // Where no account has Argon2id, nobody pays for it.
        let made_up = made_up(&settings(Storage::Scram, false), &juliet());
        let nobody = cost(&Credentials::default(), &made_up);
        assert_eq!(nobody.len(), 3);
        for kept in all_kinds().into_iter().filter(|kept| kept.argon2id.is_none()) {
            assert_eq!(cost(&kept, &made_up), nobody, "{kept:?}");
        }
    }

    #[test]
    fn what_is_not_kept_as_the_operator_wants_it_is_known() {
        let passwords = |storage| settings(storage, false).passwords;
        let so = |storage| {
            let passwords = passwords(storage);
            all_kinds().iter().map(|kept| is_kept_so(kept, &passwords)).collect::<Vec<_>>()
        };
        assert_eq!(so(Storage::Scram), [false, false, false, false, true, false]);
        assert_eq!(so(Storage::Argon2id), [false, false, false, false, false, true]);
        let dearer = Passwords {
            argon2id: Argon2id { kib: 64, passes: 1, lanes: 1 },
            ..passwords(Storage::Argon2id)
        };
        assert!(!is_kept_so(&kept(Storage::Argon2id), &dearer));
    }

    #[test]
    fn what_is_made_up_is_stable_and_differs_by_account() {
        let settings = settings(Storage::Argon2id, false);
        let of = |account: &str| made_up(&settings, &Bare::parse(account).unwrap());
        assert_eq!(of("a@x"), of("a@x"));
        assert_ne!(of("a@x").argon2id, of("b@x").argon2id);
        let (made_up, real) = (of("a@x").argon2id.unwrap(), kept(Storage::Argon2id).argon2id);
        assert_eq!(made_up.len(), real.unwrap().len());
    }
}
