//! SCRAM, the client's side (RFC 5802, RFC 7677), with or without channel binding.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::hash::Hash;

/// A server that asks for more rounds of PBKDF2 is refused.
const ITERATIONS_MAX: u32 = 1_000_000;

/// Hash, salt, rounds, password.
type Salting = (Hash, Vec<u8>, u32, String);

/// Salted passwords by all that they are made of, so that PBKDF2 runs once for each.
#[derive(Default)]
pub struct SaltedPasswords {
    known: Mutex<HashMap<Salting, Arc<[u8]>>>,
}

/// One exchange, from the first message to the server's signature.
pub struct Exchange {
    hash: Hash,
    gs2_header: &'static str,
    /// What the exchange is bound to; nothing without channel binding.
    binding: Vec<u8>,
    first_bare: String,
    nonce: String,
    password: String,
    server_signature: Option<Vec<u8>>,
}

impl Exchange {
    /// Begins for `user`; `nonce` must be fresh and printable without commas. `binding` is what
    /// `tls-exporter` gives (RFC 9266), for a mechanism whose name ends with -PLUS.
    pub fn new(
        hash: Hash,
        binding: Option<&[u8]>,
        user: &str,
        password: &str,
        nonce: String,
    ) -> Self {
        // RFC 5802 §5.1: `=` and `,` in the name are escaped.
        let name = user.replace('=', "=3D").replace(',', "=2C");
        Self {
            hash,
            gs2_header: if binding.is_some() { "p=tls-exporter,," } else { "n,," },
            binding: binding.unwrap_or_default().to_vec(),
            first_bare: format!("n={name},r={nonce}"),
            nonce,
            password: password.to_owned(),
            server_signature: None,
        }
    }

    /// client-first-message.
    pub fn first(&self) -> String {
        format!("{}{}", self.gs2_header, self.first_bare)
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

        let hash = self.hash;
        let salted_password = salted.get((hash, salt, iterations, self.password.clone()));
        let client_key = hash.hmac(&salted_password, &[b"Client Key"]);
        let stored_key = hash.digest(&client_key);
        let bound = BASE64_STANDARD.encode([self.gs2_header.as_bytes(), &self.binding].concat());
        let without_proof = format!("c={bound},r={nonce}");
        let signed = format!("{},{server_first},{without_proof}", self.first_bare);
        let client_signature = hash.hmac(&stored_key, &[signed.as_bytes()]);
        let both = client_key.iter().zip(&client_signature);
        let proof: Vec<u8> = both.map(|(key, signature)| key ^ signature).collect();
        let server_key = hash.hmac(&salted_password, &[b"Server Key"]);
        self.server_signature = Some(hash.hmac(&server_key, &[signed.as_bytes()]));
        Ok(format!("{without_proof},p={}", BASE64_STANDARD.encode(proof)))
    }

    /// Does server-final-message prove that the server knows the password too?
    ///
    /// # Errors
    /// When it does not.
    pub fn verify(&self, server_final: &str) -> Result<()> {
        let signature = BASE64_STANDARD.decode(attribute(server_final, 'v')?)?;
        let expected = self.server_signature.as_ref().context("success before the challenge")?;
        ensure!(signature == *expected, "the server's signature is wrong");
        Ok(())
    }
}

impl SaltedPasswords {
    fn get(&self, salting: Salting) -> Arc<[u8]> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(salted) = known.get(&salting) {
            return salted.clone();
        }
        let (hash, salt, iterations, password) = &salting;
        let salted: Arc<[u8]> = hash.pbkdf2(password.as_bytes(), salt, *iterations).into();
        known.insert(salting, salted.clone());
        salted
    }
}

/// A nonce that nobody has used.
///
/// # Errors
/// When the system has no random bytes.
pub fn nonce() -> Result<String> {
    let mut bytes = [0; 18];
    getrandom::fill(&mut bytes)?;
    Ok(BASE64_STANDARD.encode(bytes))
}

fn attribute(message: &str, name: char) -> Result<&str> {
    for part in message.split(',') {
        if let Some(value) = part.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            return Ok(value);
        }
    }
    bail!("no {name}= in the server's message {message:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER_FIRST: &str =
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";

    fn exchange() -> Exchange {
        let nonce = "fyko+d2lbbFgONRv9qkxdawL".to_owned();
        Exchange::new(Hash::Sha1, None, "user", "pencil", nonce)
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
    fn the_example_of_rfc_7677_section_3() {
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        let mut exchange = Exchange::new(Hash::Sha256, None, "user", "pencil", nonce);
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let last = exchange.last(server_first, &SaltedPasswords::default()).expect("valid");
        assert!(last.ends_with(",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), "{last}");
        exchange.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").expect("genuine");
    }

    #[test]
    fn the_channel_is_named_and_bound_rfc_5802_section_6() {
        let mut exchange = Exchange { gs2_header: "p=tls-exporter,,", ..exchange() };
        exchange.binding = b"channel".to_vec();
        assert!(exchange.first().starts_with("p=tls-exporter,,n=user,"));
        let last = exchange.last(SERVER_FIRST, &SaltedPasswords::default()).expect("valid");
        let bound = BASE64_STANDARD.encode("p=tls-exporter,,channel");
        assert!(last.starts_with(&format!("c={bound},r=")), "{last}");
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
        let exchange = Exchange::new(Hash::Sha1, None, "a=b,c", "", "n".to_owned());
        assert_eq!(exchange.first(), "n,,n=a=3Db=2Cc,r=n");
    }
}
