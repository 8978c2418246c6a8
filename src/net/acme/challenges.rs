//! What an authority asks while an order is under way, and what it is answered.

use super::Challenge;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::{crypto::aws_lc_rs, pki_types::PrivateKeyDer, sign::CertifiedKey};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The protocol of a handshake that is a challenge (RFC 8737 §6.2).
pub(crate) const TLS_PROTOCOL: &[u8] = b"acme-tls/1";

/// What is expected to be asked now: no more than orders are under way.
#[derive(Debug, Default)]
pub(crate) struct Challenges {
    /// By token.
    answers: Mutex<HashMap<String, String>>,
    /// By name.
    certificates: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

/// A challenge is expected until this is dropped.
#[must_use]
pub(super) struct Expected {
    challenges: Arc<Challenges>,
    challenge: Challenge,
    key: String,
}

impl Challenges {
    /// To a request of this token (RFC 8555 §8.3).
    pub(crate) fn answer(&self, token: &str) -> Option<String> {
        lock(&self.answers).get(token).cloned()
    }

    /// To a handshake for this name (RFC 8737 §3).
    pub(crate) fn certificate(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        lock(&self.certificates).get(name).cloned()
    }

    pub(super) fn expect_request(self: &Arc<Self>, token: &str, answer: &str) -> Expected {
        lock(&self.answers).insert(token.to_owned(), answer.to_owned());
        let (challenges, challenge) = (self.clone(), Challenge::Http);
        Expected { challenges, challenge, key: token.to_owned() }
    }

    pub(super) fn expect_handshake(
        self: &Arc<Self>,
        name: &str,
        digest: &[u8],
    ) -> Result<Expected, String> {
        let certificate = certificate(name, digest)?;
        lock(&self.certificates).insert(name.to_owned(), Arc::new(certificate));
        let (challenges, challenge) = (self.clone(), Challenge::Tls);
        Ok(Expected { challenges, challenge, key: name.to_owned() })
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        match self.challenge {
            Challenge::Http => drop(lock(&self.challenges.answers).remove(&self.key)),
            Challenge::Tls => drop(lock(&self.challenges.certificates).remove(&self.key)),
        }
    }
}

fn lock<T>(map: &Mutex<T>) -> MutexGuard<'_, T> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For this name alone, with the digest in it (RFC 8737 §3).
fn certificate(name: &str, digest: &[u8]) -> Result<CertifiedKey, String> {
    let make = || {
        let pair = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        Ok((params.self_signed(&pair)?, pair))
    };
    let (made, pair) = make().map_err(|error: rcgen::Error| error.to_string())?;
    let key = PrivateKeyDer::Pkcs8(pair.serialize_der().into());
    let key = aws_lc_rs::default_provider().key_provider.load_private_key(key);
    let key = key.map_err(|error| error.to_string())?;
    Ok(CertifiedKey::new(vec![made.der().clone()], key))
}
