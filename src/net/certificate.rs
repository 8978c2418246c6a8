//! The certificate: read from files, or made and signed by itself.

use crate::end_point::end_point;
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use std::{
    fmt, fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// How long a certificate that we make is valid.
const SELF_SIGNED_DAYS: i64 = 3650;

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Two PEM files.
    Files {
        /// The certificate, then its chain.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// Made when there is none yet, or none for these domains.
    SelfSigned {
        /// Where it is kept.
        folder: PathBuf,
        /// Whom it names.
        domains: Vec<String>,
    },
}

/// A certificate that can be served, and what it says.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// For rustls.
    pub(crate) key: Arc<CertifiedKey>,
    /// What binds a channel to it (RFC 5929 §4).
    pub(crate) end_point: Option<Arc<[u8]>>,
    /// The names it is for, as it spells them.
    pub names: Vec<String>,
    /// Seconds since 1970.
    pub expires: i64,
    /// Nobody vouches for it.
    pub self_signed: bool,
}

/// Why there is no certificate.
#[derive(Debug)]
pub enum CertificateError {
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// A file is not what it should be.
    Content(PathBuf, String),
    /// The key is that of another certificate.
    Mismatch(PathBuf, PathBuf),
    /// One could not be made.
    Make(String),
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file, error) => write!(f, "{}: {error}", file.display()),
            Self::Content(file, what) => write!(f, "{}: {what}", file.display()),
            Self::Mismatch(certificate, key) => {
                let (certificate, key) = (certificate.display(), key.display());
                write!(f, "{key} is not the key of {certificate}")
            }
            Self::Make(why) => write!(f, "no certificate could be made: {why}"),
        }
    }
}

impl std::error::Error for CertificateError {}

impl Source {
    /// Reads it, or makes it.
    ///
    /// # Errors
    /// The file that is to blame, and why.
    pub fn load(&self) -> Result<Certificate, CertificateError> {
        match self {
            Self::Files { certificate, key } => read(certificate, key),
            Self::SelfSigned { folder, domains } => self_signed(folder, domains),
        }
    }
}

impl Certificate {
    /// The certificate, then those that lead to its authority.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.key.cert
    }

    /// Whether it names this domain (RFC 6125 §6.4: a wildcard stands for one label).
    pub fn covers(&self, domain: &str) -> bool {
        let rest = domain.split_once('.').map(|(_, rest)| rest);
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(wild) => rest.is_some_and(|rest| rest.eq_ignore_ascii_case(wild)),
            None => name.eq_ignore_ascii_case(domain),
        })
    }

    /// Days until it expires; negative: since.
    pub fn days_left(&self) -> i64 {
        (self.expires - OffsetDateTime::now_utc().unix_timestamp()).div_euclid(86_400)
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Certificate, CertificateError> {
    let content = |file: &Path, what: &str| CertificateError::Content(file.into(), what.into());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&bytes(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| content(certificate, &format!("not PEM: {error}")))?;
    let first = chain.first().ok_or_else(|| content(certificate, "has no certificate in it"))?;
    let told = Told::by(first).map_err(|why| content(certificate, &why))?;
    let end_point = end_point(first);
    let private = PrivateKeyDer::from_pem_slice(&bytes(key)?)
        .map_err(|error| content(key, &format!("has no private key in it: {error}")))?;
    let private = aws_lc_rs::default_provider()
        .key_provider
        .load_private_key(private)
        .map_err(|error| content(key, &format!("not a key that can be used: {error}")))?;
    let served = CertifiedKey::new(chain, private);
    match served.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        Err(_) => return Err(CertificateError::Mismatch(certificate.into(), key.into())),
    }
    let Told { names, expires, self_signed } = told;
    Ok(Certificate { key: Arc::new(served), end_point, names, expires, self_signed })
}

fn bytes(file: &Path) -> Result<Vec<u8>, CertificateError> {
    fs::read(file).map_err(|error| CertificateError::File(file.into(), error))
}

/// What a certificate says of itself.
struct Told {
    names: Vec<String>,
    expires: i64,
    self_signed: bool,
}

impl Told {
    fn by(der: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, x509) = X509Certificate::from_der(der)
            .map_err(|error| format!("not a certificate that can be read: {error}"))?;
        let san = x509.subject_alternative_name().map_err(|error| error.to_string())?;
        let names = san.map(|san| san.value.general_names.iter()).into_iter().flatten();
        let name = |name: &GeneralName<'_>| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(octets) => address(octets),
            _ => None,
        };
        Ok(Self {
            names: names.filter_map(name).collect(),
            expires: x509.validity().not_after.timestamp(),
            self_signed: x509.subject() == x509.issuer(),
        })
    }
}

fn address(octets: &[u8]) -> Option<String> {
    use std::net::{Ipv4Addr, Ipv6Addr};
    let four = <[u8; 4]>::try_from(octets).map(|octets| Ipv4Addr::from(octets).to_string());
    let six = <[u8; 16]>::try_from(octets).map(|octets| format!("[{}]", Ipv6Addr::from(octets)));
    four.ok().or(six.ok())
}

/// What is kept is used while it names all domains and is valid; else there is a new one.
fn self_signed(folder: &Path, domains: &[String]) -> Result<Certificate, CertificateError> {
    let (certificate, key) = (folder.join("self-signed.pem"), folder.join("self-signed.key"));
    if certificate.exists() && key.exists() {
        match read(&certificate, &key) {
            // It was stopped between writing the one and the other.
            Err(CertificateError::Mismatch(..)) => {}
            Err(error) => return Err(error),
            Ok(kept) if kept.days_left() > 0 && domains.iter().all(|it| kept.covers(it)) => {
                return Ok(kept);
            }
            Ok(_) => {}
        }
    }
    let make = |error: rcgen::Error| CertificateError::Make(error.to_string());
    // An address in brackets is how a domain spells IPv6 (RFC 7622 §3.2).
    let plain = |domain: &String| domain.trim_matches(['[', ']']).to_owned();
    let names: Vec<String> = domains.iter().map(plain).collect();
    let mut params = CertificateParams::new(names).map_err(make)?;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::DAY;
    params.not_after = now + Duration::days(SELF_SIGNED_DAYS);
    params.distinguished_name.push(rcgen::DnType::CommonName, domains[0].as_str());
    let pair = KeyPair::generate().map_err(make)?;
    let signed = params.self_signed(&pair).map_err(make)?;
    write(&key, 0o600, &pair.serialize_pem())?;
    write(&certificate, 0o644, &signed.pem())?;
    read(&certificate, &key)
}

/// Whole or not at all, and never readable for more than its mode says.
fn write(file: &Path, mode: u32, text: &str) -> Result<(), CertificateError> {
    let fresh = file.with_extension("new");
    let written = || {
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut to = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh)?;
        to.write_all(text.as_bytes())?;
        to.sync_all()?;
        fs::rename(&fresh, file)
    };
    written().map_err(|error| CertificateError::File(file.into(), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn made(folder: &Path, domains: &[&str]) -> Certificate {
        let domains = domains.iter().map(|&domain| domain.to_owned()).collect();
        Source::SelfSigned { folder: folder.into(), domains }.load().unwrap()
    }

    #[test]
    fn one_is_made_once_for_all_domains_with_a_key_nobody_else_reads() {
        let folder = tempfile::tempdir().unwrap();
        let first = made(folder.path(), &["localhost", "127.0.0.1"]);
        assert!(first.covers("localhost") && first.covers("127.0.0.1") && first.self_signed);
        assert!((3600..=3650).contains(&first.days_left()));
        let mode = fs::metadata(folder.path().join("self-signed.key")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        let again = made(folder.path(), &["localhost"]);
        assert_eq!(again.key.cert, first.key.cert);
        let other = made(folder.path(), &["localhost", "example.org"]);
        assert_ne!(other.key.cert, first.key.cert);
    }

    #[test]
    fn a_key_whose_certificate_was_not_written_any_more_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        made(folder.path(), &["localhost"]);
        let key = KeyPair::generate().unwrap().serialize_pem();
        fs::write(folder.path().join("self-signed.key"), key).unwrap();
        assert!(made(folder.path(), &["localhost"]).covers("localhost"));
    }

    #[test]
    fn a_wildcard_stands_for_one_label_rfc6125_6_4_3() {
        let folder = tempfile::tempdir().unwrap();
        let wild = made(folder.path(), &["*.example.org"]);
        assert!(wild.covers("chat.example.org"));
        assert!(!wild.covers("example.org") && !wild.covers("a.b.example.org"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        fs::create_dir(&one).unwrap();
        fs::create_dir(&other).unwrap();
        made(&one, &["a.example"]);
        made(&other, &["a.example"]);
        let load = |certificate: &Path, key: &Path| {
            Source::Files { certificate: certificate.into(), key: key.into() }
                .load()
                .expect_err("it cannot be used")
                .to_string()
        };
        let (pem, key) = (one.join("self-signed.pem"), one.join("self-signed.key"));
        assert!(load(&one.join("none.pem"), &key).contains("none.pem: No such file"));
        assert!(load(&key, &key).contains("has no certificate in it"));
        assert!(load(&pem, &pem).contains("has no private key in it"));
        assert!(load(&pem, &other.join("self-signed.key")).contains("is not the key of"));
    }
}
