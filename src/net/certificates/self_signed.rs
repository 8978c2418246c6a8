//! A certificate that nobody vouches for: made once, for the domains that have no other.

use crate::certificate::{Certificate, CertificateError, ascii, write};
use rcgen::{CertificateParams, DnType, KeyPair};
use std::path::Path;
use time::{Duration, OffsetDateTime};

/// Its file.
pub(super) const FILE: &str = "self-signed.pem";
/// How long a certificate that we make is valid.
const VALID_DAYS: i64 = 3650;

/// What is kept in the folder is used while it names all domains and is valid; else there is a
/// new one.
pub(super) fn load(folder: &Path, domains: &[&str]) -> Result<Certificate, CertificateError> {
    let (certificate, key) = (folder.join(FILE), folder.join("self-signed.key"));
    if certificate.exists() && key.exists() {
        match Certificate::read(&certificate, &key) {
            // It was stopped between writing the one and the other.
            Err(CertificateError::Mismatch(..)) => {}
            Err(error) => return Err(error),
            Ok(kept) if kept.is_current() && domains.iter().all(|it| kept.covers(it)) => {
                return Ok(kept);
            }
            Ok(_) => {}
        }
    }
    let (made, private) = make(domains).map_err(|why| CertificateError::Make(why.to_string()))?;
    write(&key, 0o600, &private)?;
    write(&certificate, 0o644, &made)?;
    Certificate::read(&certificate, &key)
}

/// The certificate and its key.
fn make(domains: &[&str]) -> Result<(String, String), rcgen::Error> {
    // An address in brackets is how a domain spells IPv6 (RFC 7622 §3.2).
    let plain = |domain: &&str| ascii(domain).trim_matches(['[', ']']).to_owned();
    let mut params = CertificateParams::new(domains.iter().map(plain).collect::<Vec<_>>())?;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::DAY;
    params.not_after = now + Duration::days(VALID_DAYS);
    params.distinguished_name.push(DnType::CommonName, domains[0]);
    let pair = KeyPair::generate()?;
    Ok((params.self_signed(&pair)?.pem(), pair.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn one_is_made_once_for_all_domains_with_a_key_nobody_else_reads() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let domains = ["localhost", "127.0.0.1", "[::1]", "bücher.example"];
        let first = load(folder, &domains).unwrap();
        assert!(domains.iter().all(|domain| first.covers(domain)), "{:?}", first.names);
        assert!(first.self_signed && (3600..=3650).contains(&first.days_left()));
        let mode = fs::metadata(folder.join("self-signed.key")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        assert_eq!(load(folder, &["localhost"]).unwrap().key.cert, first.key.cert);
        let other = load(folder, &["localhost", "example.org"]).unwrap();
        assert_ne!(other.key.cert, first.key.cert);
    }

    #[test]
    fn a_key_whose_certificate_was_not_written_any_more_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        load(folder.path(), &["localhost"]).unwrap();
        let key = KeyPair::generate().unwrap().serialize_pem();
        fs::write(folder.path().join("self-signed.key"), key).unwrap();
        assert!(load(folder.path(), &["localhost"]).unwrap().covers("localhost"));
    }
}
