//! Whether the certificate of a domain is one that clients and other servers accept.

use super::{
    domain::Domain,
    finding::Finding,
    trust::{Chain, Trust},
};
use crate::settings::Settings;
use net::{
    acme::Failure,
    certificate::{Certificate, CertificateError},
    certificates::{Found, Sources},
};
use std::collections::BTreeMap;

const WHAT: &str = "certificate";
/// Days before its end from which on a certificate is worth a word.
const EXPIRY_DAYS_MIN: i64 = 14;

/// With which certificate each domain is served.
pub type Certificates = BTreeMap<String, Found>;

/// Loads them.
pub fn load(settings: &Settings) -> (Certificates, Vec<Finding>) {
    let sources = settings.certificates();
    let loaded = match sources.load(None) {
        Ok(loaded) => loaded,
        Err(error) => {
            let mend = "see tls.certificate, tls.key and tls.folder";
            return (BTreeMap::new(), vec![Finding::problem(WHAT, error.to_string(), mend)]);
        }
    };
    let unread = |error: &CertificateError| {
        Finding::problem(WHAT, error.to_string(), "mend or remove it: it is not served")
    };
    let mut findings: Vec<Finding> = loaded.troubles.iter().map(unread).collect();
    findings.extend(orders(&sources));
    let mut certificates = BTreeMap::new();
    for (domain, found) in loaded.served {
        let file = found.file.display();
        findings.push(Finding::ok(WHAT, format!("of {domain} is in {file}")));
        certificates.insert(domain, found);
    }
    (certificates, findings)
}

/// Those that have failed.
fn orders(sources: &Sources) -> Vec<Finding> {
    let Some(acme) = &sources.acme else { return Vec::new() };
    let wanted = acme.wanted(&sources.domains).into_iter();
    let failed = wanted.filter_map(|name| Some((acme.failure(&name)?, name)));
    let found = |(Failure { failures, why, .. }, name)| {
        let found = format!("for {name} was ordered in vain ({failures}): {why}");
        Finding::problem(WHAT, found, "it is ordered again by itself; see [acme]")
    };
    failed.map(found).collect()
}

/// What is served for one domain.
pub struct Shown {
    /// The names it is for.
    pub names: Vec<String>,
    /// Whether the domain is among them.
    pub covers: bool,
    /// Days until it expires; negative: since.
    pub days_left: i64,
    /// Nobody vouches for it.
    pub self_signed: bool,
    /// Whether it leads to somebody whom this machine knows.
    pub chain: Chain,
}

impl Shown {
    /// What the certificate says, and what this machine thinks of it.
    pub fn of(domain: &Domain, certificate: &Certificate, trust: &Trust) -> Self {
        Self {
            names: certificate.names.clone(),
            covers: certificate.covers(&domain.ascii),
            days_left: certificate.days_left(),
            self_signed: certificate.self_signed,
            chain: trust.chain(certificate.chain(), &domain.ascii),
        }
    }
}

/// Without an authority all certificates but those that are signed by themselves lead nowhere.
pub fn authorities(trust: &Trust) -> Option<Finding> {
    let found = "this machine knows no authority, so that every chain leads to nobody";
    trust.is_empty().then(|| Finding::warning(WHAT, found, "install ca-certificates"))
}

/// What is wrong with it, and what is right.
pub fn judge(domain: &Domain, shown: &Shown) -> Vec<Finding> {
    let name = &domain.name;
    let mut findings = vec![if shown.covers {
        Finding::ok(WHAT, format!("for {name}"))
    } else {
        let names = shown.names.join(", ");
        Finding::problem(WHAT, format!("not for {name}, but for {names}"), "get one that is")
    }];
    findings.push(match shown.days_left {
        days if days < 0 => {
            Finding::problem(WHAT, format!("of {name} expired {} days ago", -days), "renew it")
        }
        days if days < EXPIRY_DAYS_MIN => {
            let found = format!("of {name} expires in {days} days");
            Finding::warning(WHAT, found, "renew it; the server notices by itself")
        }
        days => Finding::ok(WHAT, format!("of {name} expires in {days} days")),
    });
    if shown.self_signed {
        let found = format!("of {name} is signed by itself: clients will ask their users");
        findings.push(Finding::warning(WHAT, found, "get one by an authority for others to use"));
        return findings;
    }
    findings.push(match &shown.chain {
        Chain::Complete => {
            Finding::ok(WHAT, format!("of {name}: its chain leads to an authority known here"))
        }
        Chain::Unknown => {
            let found = format!("of {name}: its chain leads to nobody whom this machine knows");
            let mend = "put the authority's intermediate certificates behind it into the file; \
                        an authority of one's own must be known to all who come";
            Finding::warning(WHAT, found, mend)
        }
        Chain::Wrong(why) => {
            Finding::problem(WHAT, format!("of {name}: {why}"), "get one that is right")
        }
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Level::{self, Ok as Fine, Problem, Warning};

    fn level(change: impl FnOnce(&mut Shown)) -> Level {
        let mut shown = Shown {
            names: vec!["example.org".to_owned()],
            covers: true,
            days_left: 60,
            self_signed: false,
            chain: Chain::Complete,
        };
        change(&mut shown);
        let findings = judge(&Domain::of("example.org"), &shown);
        findings.into_iter().map(|finding| finding.level).max().unwrap()
    }

    #[test]
    fn names_days_and_chain_are_judged() {
        assert_eq!(level(|_| {}), Fine);
        assert_eq!(level(|shown| shown.covers = false), Problem);
        assert_eq!(level(|shown| shown.days_left = -1), Problem);
        assert_eq!(level(|shown| shown.days_left = 13), Warning);
        assert_eq!(level(|shown| shown.days_left = 14), Fine);
        assert_eq!(level(|shown| shown.self_signed = true), Warning);
        assert_eq!(level(|shown| shown.chain = Chain::Unknown), Warning);
        assert_eq!(level(|shown| shown.chain = Chain::Wrong("bad".to_owned())), Problem);
    }
}
