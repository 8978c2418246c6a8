//! What the operator chose about passwords, and about the tokens that stand for them.

use crate::{settings, settings_values::Values};
use anyhow::{Context, bail};
use engine::{
    settings::{Argon2id, Passwords, Storage},
    stream::sasl::Hash,
    wire::Bare,
};

/// Bytes of a key that nobody guesses.
const KEY_BYTES_MIN: usize = 32;
const DAY_MS: u64 = 86_400_000;

/// The tokens of devices.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// What they are made with; none: the server's own secret, which the store has.
    pub key: Option<[u8; 32]>,
    /// How long one is good.
    pub ms_max: u64,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

/// How passwords are kept.
///
/// # Errors
/// What is chosen does not go together.
pub fn passwords(values: &mut Values) -> anyhow::Result<Passwords> {
    let mut cost = |key| u32::try_from(values.number("auth", key)).unwrap_or(u32::MAX);
    let argon2id = Argon2id {
        kib: cost("argon2id_kib"),
        passes: cost("argon2id_passes"),
        lanes: cost("argon2id_lanes"),
    };
    // RFC 9106 §3.1.
    if argon2id.kib < 8 * argon2id.lanes {
        bail!("auth.argon2id_kib must be at least 8 for each of auth.argon2id_lanes");
    }
    let storage = match values.text("auth", "password_storage").as_deref() {
        Some("argon2id") => Storage::Argon2id,
        _ => Storage::Scram,
    };
    Ok(Passwords { storage, argon2id, mixed: false })
}

/// Accounts that may act as others.
///
/// # Errors
/// Nobody can log in to one of them.
pub fn impersonators(
    values: &mut Values,
    served: &[Bare],
    anonymous: &[Bare],
) -> anyhow::Result<Vec<Bare>> {
    let at_home = |account: &Bare| {
        let is = |domain: &Bare| domain.domain() == account.domain();
        served.iter().any(is) && !anonymous.iter().any(is)
    };
    let impersonator = |jid: &String| {
        let account = settings::account(jid).context("auth.impersonators")?;
        if !at_home(&account) {
            bail!("auth.impersonators: nobody logs in to {account} here");
        }
        Ok(account)
    };
    values.texts("auth", "impersonators").iter().map(impersonator).collect()
}

/// The tokens of devices.
///
/// # Errors
/// The key could be guessed.
pub fn tokens(values: &mut Values) -> anyhow::Result<Tokens> {
    let ms_max = DAY_MS * values.number("auth", "token_days_max");
    let Some(key) = values.text("auth", "token_key") else {
        return Ok(Tokens { key: None, ms_max });
    };
    if key.len() < KEY_BYTES_MIN {
        bail!(
            "auth.token_key must have {KEY_BYTES_MIN} characters or more, such as \
             `openssl rand -hex 32` makes"
        );
    }
    let digest = Hash::Sha256.digest(key.as_bytes());
    Ok(Tokens { key: digest.try_into().ok(), ms_max })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens_of(file: &str) -> anyhow::Result<Tokens> {
        tokens(&mut Values::read(file).expect("it is well-formed"))
    }

    #[test]
    fn a_key_keeps_what_tokens_are_made_with_out_of_the_store() {
        let own = tokens_of("").expect("the defaults are right");
        assert!(own.key.is_none() && own.ms_max == 14 * DAY_MS);
        let key = |text: &str| tokens_of(&format!("[auth]\ntoken_key = {text:?}"));
        let given = key(&"k".repeat(32)).expect("it is long enough");
        assert!(given.key.is_some() && given.key != key(&"l".repeat(32)).expect("as well").key);
        assert!(key("secret").is_err());
    }

    #[test]
    fn who_acts_as_others_can_log_in_here() {
        let host = |name: &str| Bare::host(name).expect("it is a domain");
        let (served, anonymous) = ([host("x"), host("guests.x")], [host("guests.x")]);
        let of = |jid: &str| {
            let file = format!("[auth]\nimpersonators = [{jid:?}]");
            let mut values = Values::read(&file).expect("it is well-formed");
            impersonators(&mut values, &served, &anonymous).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(of("Admin@x").expect("it is an account"), [Bare::parse("admin@x").unwrap()]);
        for wrong in ["admin@y", "admin@guests.x", "x", "admin@x/phone", ""] {
            let error = of(wrong).expect_err(wrong);
            assert!(error.starts_with("auth.impersonators"), "{error}");
        }
    }
}
