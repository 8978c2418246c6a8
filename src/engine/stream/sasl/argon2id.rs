//! Argon2id (RFC 9106): a verifier that costs memory, in the PHC string format. No client can log
//! in by it but with the password itself.

use crate::settings::{ARGON2ID_KIB_MAX, ARGON2ID_LANES_MAX, ARGON2ID_PASSES_MAX, Argon2id};
use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::{
        Error,
        phc::{Output, ParamsString, Salt},
    },
};

/// Bytes of a hash.
pub(super) const HASH_BYTES: usize = 32;

/// The verifier of a prepared password. `None`: there is no memory for it.
pub(super) fn hash(password: &str, salt: &[u8], cost: &Argon2id) -> Option<String> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params(cost)?);
    let hash = argon2.hash_password_with_salt(password.as_bytes(), salt).ok()?;
    Some(hash.to_string())
}

/// Whether the prepared password is the one of this verifier. `None`: there is no memory to find
/// out.
pub(super) fn verify(password: &str, verifier: &str) -> Option<bool> {
    let Some(hash) = read(verifier) else { return Some(false) };
    match Argon2::default().verify_password(password.as_bytes(), &hash) {
        Ok(()) => Some(true),
        Err(Error::PasswordInvalid) => Some(false),
        Err(_) => None,
    }
}

/// What this verifier costs; `None` when nobody can pass it.
pub(super) fn cost(verifier: &str) -> Option<Argon2id> {
    let params = Params::try_from(&read(verifier)?).ok()?;
    Some(Argon2id { kib: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() })
}

/// A verifier that is of nobody's password.
pub(super) fn made_up(salt: &[u8], hash: &[u8], cost: &Argon2id) -> Option<String> {
    let made_up = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params(cost)?).ok()?,
        salt: Some(Salt::new(salt).ok()?),
        hash: Some(Output::new(hash).ok()?),
    };
    Some(made_up.to_string())
}

fn params(cost: &Argon2id) -> Option<Params> {
    Params::new(cost.kib, cost.passes, cost.lanes, Some(HASH_BYTES)).ok()
}

/// A verifier that may be computed: one from elsewhere could ask for all memory there is.
fn read(verifier: &str) -> Option<PasswordHash> {
    let hash = PasswordHash::new(verifier).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let bounded = params.m_cost() <= ARGON2ID_KIB_MAX
        && params.t_cost() <= ARGON2ID_PASSES_MAX
        && params.p_cost() <= ARGON2ID_LANES_MAX;
    let known = hash.algorithm == Algorithm::Argon2id.ident();
    let whole = hash.salt.is_some() && hash.hash.is_some();
    Some(hash).filter(|_| bounded && known && whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Argon2id = Argon2id { kib: 32, passes: 3, lanes: 4 };

    /// One that the reference implementation tests itself with (`src/test.c`).
    #[test]
    fn a_verifier_of_the_reference_implementation_is_understood() {
        let verifier = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$\
            nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert_eq!(verify("password", verifier), Some(true));
        assert_eq!(verify("Password", verifier), Some(false));
        assert_eq!(cost(verifier), Some(Argon2id { kib: 256, passes: 2, lanes: 1 }));
    }

    #[test]
    fn a_verifier_tells_its_cost_and_knows_its_password() {
        let verifier = hash("pencil", b"salt of a test..", &CHEAP).unwrap();
        assert!(verifier.starts_with("$argon2id$v=19$m=32,t=3,p=4$c2FsdCBvZiBhIHRlc3QuLg$"));
        assert_eq!(verify("pencil", &verifier), Some(true));
        assert_eq!(verify("pencils", &verifier), Some(false));
        assert_eq!(cost(&verifier), Some(CHEAP));
    }

    #[test]
    fn what_nobody_can_pass_is_passed_by_nobody() {
        let salt_and_hash = "c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        for wrong in [
            String::new(),
            "pencil".to_owned(),
            format!("$argon2i$v=19$m=256,t=2,p=1${salt_and_hash}"),
            format!("$argon2id$v=19$m=4294967295,t=2,p=1${salt_and_hash}"),
            format!("$argon2id$v=19$m=256,t=4294967295,p=1${salt_and_hash}"),
            format!("$argon2id$v=19$m=1048576,t=2,p=16777215${salt_and_hash}"),
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ".to_owned(),
        ] {
            assert_eq!(verify("password", &wrong), Some(false), "{wrong}");
        }
        let made_up = made_up(&[1; 16], &[2; HASH_BYTES], &CHEAP).unwrap();
        assert_eq!((verify("", &made_up), cost(&made_up)), (Some(false), Some(CHEAP)));
    }
}
