//! Certificates ordered from an authority by ACME (RFC 8555): which, when, and what the operator
//! chose about it.

mod challenges;
mod desk;
mod order;
mod shelf;

pub(crate) use challenges::{Challenges, TLS_PROTOCOL};
pub(crate) use desk::Desk;

use crate::{
    certificate::{Certificate, ascii, now},
    limits::{ACME_BACKOFF_SECONDS_MAX, ACME_BACKOFF_SECONDS_MIN},
};
use serde::{Deserialize, Serialize};
use shelf::Shelf;
use std::{net::IpAddr, path::PathBuf};

/// Which part of a certificate's life is left when it is renewed, as one over this.
const RENEWED_WITH: i64 = 3;

/// What the operator chose about ACME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// Where the authority's directory is.
    pub directory: String,
    /// The operator's mail address, for the authority.
    pub contact: Option<String>,
    /// Whom to order certificates for; empty: for every domain served that has a name in DNS.
    pub domains: Vec<String>,
    /// How the authority may find out that a domain is ours; the next one when one has failed.
    pub challenges: Vec<Challenge>,
    /// A PEM file with the root of a private authority.
    pub root: Option<PathBuf>,
    /// Where account and certificates are kept.
    pub folder: PathBuf,
}

/// How an authority finds out that a domain is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// It asks on port 80 (RFC 8555 §8.3).
    Http,
    /// It shakes hands on port 443 (RFC 8737).
    Tls,
}

/// Why there is no new certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// How often in a row.
    pub failures: u32,
    /// When the next attempt is due, in seconds since 1970.
    pub next: i64,
    /// What the authority said, or why it could not.
    pub why: String,
}

impl Acme {
    /// For whom certificates are to be ordered, as DNS spells them.
    pub fn wanted(&self, served: &[String]) -> Vec<String> {
        match self.domains.is_empty() {
            true => served.iter().map(|it| ascii(it)).filter(|it| is_orderable(it)).collect(),
            false => self.domains.iter().map(|it| ascii(it)).collect(),
        }
    }

    /// Why the last order for this name failed, if it did.
    pub fn failure(&self, name: &str) -> Option<Failure> {
        self.shelf().failure(name)
    }

    /// The URL of the account at the authority (RFC 8555 §7.3), when there is one.
    pub fn account(&self) -> Option<String> {
        self.shelf().account_url()
    }

    /// How the authority is to find out, after so many failures.
    fn challenge(&self, failures: u32) -> Challenge {
        let turn = usize::try_from(failures).unwrap_or_default();
        let ways = &self.challenges;
        turn.checked_rem(ways.len()).map_or(Challenge::Http, |turn| ways[turn])
    }

    pub(crate) fn shelf(&self) -> Shelf {
        Shelf::of(self)
    }

    /// Whether to order now, for a name that has this certificate.
    pub(crate) fn is_due(&self, name: &str, certificate: Option<&Certificate>) -> bool {
        let now = now();
        now >= renewal(certificate) && self.failure(name).is_none_or(|it| now >= it.due(now))
    }
}

impl Failure {
    /// One more than `before`.
    pub(crate) fn after(before: Option<Self>, now: i64, why: String) -> Self {
        let failures = before.map_or(0, |before| before.failures).saturating_add(1);
        let pause = ACME_BACKOFF_SECONDS_MIN.saturating_mul(1 << (failures - 1).min(16));
        Self { failures, next: now + pause.min(ACME_BACKOFF_SECONDS_MAX), why }
    }

    /// A clock that was ahead must not keep us from trying.
    fn due(&self, now: i64) -> i64 {
        self.next.min(now + ACME_BACKOFF_SECONDS_MAX)
    }
}

/// When a third of its life is left.
fn renewal(certificate: Option<&Certificate>) -> i64 {
    certificate.map_or(i64::MIN, |it| it.expires - (it.expires - it.begins) / RENEWED_WITH)
}

/// No authority vouches for `localhost`, and few for addresses.
fn is_orderable(name: &str) -> bool {
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    name.contains('.') && address.is_err()
}

#[cfg(test)]
mod tests;
