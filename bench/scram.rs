//! SCRAM-SHA-1, the client's side (RFC 5802), without channel binding.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};

/// A server that asks for more rounds of PBKDF2 is refused.
const ITERATIONS_MAX: u32 = 1_000_000;

type Key = [u8; 20];
/// Salt, rounds, password.
type Salting = (Vec<u8>, u32, String);

/// Salted passwords by salt, rounds and password, so that PBKDF2 runs once for each.
#[derive(Default)]
pub struct SaltedPasswords {
    known: Mutex<HashMap<Salting, Key>>,
}

/// One exchange, from the first message to the server's signature.
pub struct Exchange {
    first_bare: String,
    nonce: String,
    password: String,
    server_signature: Option<Key>,
}

impl Exchange {
    /// Begins for `user`; `nonce` must be fresh and printable without commas.
    pub fn new(user: &str, password: &str, nonce: String) -> Self {
        // RFC 5802 §5.1: `=` and `,` in the name are escaped.
        let name = user.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={name},r={nonce}");
        Self { first_bare, nonce, password: password.to_owned(), server_signature: None }
    }

    /// client-first-message.
    pub fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// client-final-message in answer to the server's first.
    ///
    /// # Errors
    /// When the server's message is malformed, or its nonce does not continue ours.
    pub fn last(&mut self, server_first: &str, salted: &SaltedPasswords) -> Result<String> {
        let nonce = attribute(server_first, 'r')?;
        let salt = BASE64_STANDARD.decode(attribute(server_first, 's')?)?;
        let iterations: u32 = attribute(server_first, 'i')?.parse()?;
        ensure!(
            nonce.len() > self.nonce.len() && nonce.starts_with(&self.nonce),
            "the server's nonce does not continue ours"
        );
        ensure!((1..=ITERATIONS_MAX).contains(&iterations), "{iterations} iterations");

        let salted_password = salted.get(&salt, iterations, &self.password);
        let client_key = hmac(&salted_password, b"Client Key");
        let stored_key: Key = Sha1::digest(client_key).into();
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{server_first},{without_proof}", self.first_bare);
        let client_signature = hmac(&stored_key, signed.as_bytes());
        let proof: Key = std::array::from_fn(|i| client_key[i] ^ client_signature[i]);
        let server_key = hmac(&salted_password, b"Server Key");
        self.server_signature = Some(hmac(&server_key, signed.as_bytes()));
        Ok(format!("{without_proof},p={}", BASE64_STANDARD.encode(proof)))
    }

    /// Does server-final-message prove that the server knows the password too?
    ///
    /// # Errors
    /// When it does not.
    pub fn verify(&self, server_final: &str) -> Result<()> {
        let signature = BASE64_STANDARD.decode(attribute(server_final, 'v')?)?;
        let expected = self.server_signature.context("success before the challenge")?;
        ensure!(signature == expected, "the server's signature is wrong");
        Ok(())
    }
}

impl SaltedPasswords {
    fn get(&self, salt: &[u8], iterations: u32, password: &str) -> Key {
        let key = (salt.to_vec(), iterations, password.to_owned());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(key).or_insert_with(|| {
            pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password.as_bytes(), salt, iterations)
        })
    }
}

fn attribute(message: &str, name: char) -> Result<&str> {
    for part in message.split(',') {
        if let Some(value) = part.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            return Ok(value);
        }
    }
    bail!("no {name}= in the server's message {message:?}")
}

fn hmac(key: &Key, data: &[u8]) -> Key {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104 §3)");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER_FIRST: &str =
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";

    fn exchange() -> Exchange {
        Exchange::new("user", "pencil", "fyko+d2lbbFgONRv9qkxdawL".to_owned())
    }

    #[test]
    fn the_example_of_rfc_5802_section_5() {
        let salted = SaltedPasswords::default();
        let mut exchange = exchange();
        assert_eq!(exchange.first(), "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        assert_eq!(
            exchange.last(SERVER_FIRST, &salted).expect("a valid challenge"),
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
        );
        exchange.verify("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=").expect("the server's signature");
        assert!(exchange.verify("v=AAAApqV8S7suAoZWja4dJRkFsKQ=").is_err());
    }

    #[test]
    fn pbkdf2_runs_once_for_a_salt_and_password() {
        let salted = SaltedPasswords::default();
        for _ in 0..2 {
            exchange().last(SERVER_FIRST, &salted).expect("a valid challenge");
        }
        let known = salted.known.lock().expect("no panic");
        assert_eq!(known.len(), 1);
    }

    #[test]
    fn a_foreign_nonce_is_refused_section_5_1() {
        let salted = SaltedPasswords::default();
        for challenge in ["r=other,s=QSXCR+Q6sek8bf92,i=4096", "s=QSXCR+Q6sek8bf92,i=4096"] {
            assert!(exchange().last(challenge, &salted).is_err(), "{challenge}");
        }
    }

    #[test]
    fn absurd_iterations_are_refused() {
        let salted = SaltedPasswords::default();
        for iterations in ["0", "4294967295", "x"] {
            let challenge = SERVER_FIRST.replace("4096", iterations);
            assert!(exchange().last(&challenge, &salted).is_err(), "{challenge}");
        }
    }

    #[test]
    fn success_before_the_challenge_is_refused() {
        assert!(exchange().verify("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=").is_err());
    }

    #[test]
    fn a_name_is_escaped_section_5_1() {
        let exchange = Exchange::new("a=b,c", "", "n".to_owned());
        assert_eq!(exchange.first(), "n,,n=a=3Db=2Cc,r=n");
    }
}
