//! One certificate: read from files, and what it says of itself.

use crate::end_point::end_point;
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
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// A certificate that can be served, and what it says.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// For rustls.
    pub(crate) key: Arc<CertifiedKey>,
    /// What binds a channel to it (RFC 5929 §4).
    pub(crate) end_point: Option<Arc<[u8]>>,
    /// The names it is for, as DNS spells them.
    pub names: Vec<String>,
    /// Since when, in seconds since 1970.
    pub begins: i64,
    /// Until when, in seconds since 1970.
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
    /// A key to which no certificate belongs.
    Alone(PathBuf),
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
            Self::Alone(key) => {
                write!(f, "{}: there is no certificate of that name beside it", key.display())
            }
            Self::Make(why) => write!(f, "no certificate could be made: {why}"),
        }
    }
}

impl std::error::Error for CertificateError {}

impl Certificate {
    /// Reads two PEM files: a certificate with its chain, and its key.
    ///
    /// # Errors
    /// The file that is to blame, and why.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let content = |file: &Path, what: String| CertificateError::Content(file.into(), what);
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&bytes(certificate)?)
                .collect::<Result<_, _>>()
                .map_err(|error| content(certificate, format!("not PEM: {error}")))?;
        let none = || content(certificate, "has no certificate in it".into());
        let first = chain.first().ok_or_else(none)?;
        let told = Told::by(first).map_err(|why| content(certificate, why))?;
        let end_point = end_point(first);
        let private = PrivateKeyDer::from_pem_slice(&bytes(key)?)
            .map_err(|error| content(key, format!("has no private key in it: {error}")))?;
        let private = aws_lc_rs::default_provider()
            .key_provider
            .load_private_key(private)
            .map_err(|error| content(key, format!("not a key that can be used: {error}")))?;
        let served = CertifiedKey::new(chain, private);
        match served.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(_) => return Err(CertificateError::Mismatch(certificate.into(), key.into())),
        }
        let Told { names, begins, expires, self_signed } = told;
        Ok(Self { key: Arc::new(served), names, begins, expires, self_signed, end_point })
    }

    /// The certificate, then those that lead to its authority.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.key.cert
    }

    /// Whether it names this domain (RFC 9525 §6.3: a wildcard stands for one whole label, the
    /// first; a name that is not ASCII is compared as DNS spells it).
    pub fn covers(&self, domain: &str) -> bool {
        let domain = ascii(domain);
        let rest = domain.split_once('.').map(|(_, rest)| rest);
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(wild) => rest.is_some_and(|rest| rest.eq_ignore_ascii_case(wild)),
            None => name.eq_ignore_ascii_case(&domain),
        })
    }

    /// Whether this is a time it is for.
    pub fn is_current(&self) -> bool {
        (self.begins..self.expires).contains(&now())
    }

    /// Days until it expires; negative: since.
    pub fn days_left(&self) -> i64 {
        (self.expires - now()).div_euclid(86_400)
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// How DNS, and so a certificate, spells a domain: `xn--…` for what is not ASCII.
pub(crate) fn ascii(domain: &str) -> String {
    // What is no name of DNS, such as an address in brackets, is left as it is.
    idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_ascii_lowercase())
}

fn bytes(file: &Path) -> Result<Vec<u8>, CertificateError> {
    fs::read(file).map_err(|error| CertificateError::File(file.into(), error))
}

/// What a certificate says of itself.
struct Told {
    names: Vec<String>,
    begins: i64,
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
            begins: x509.validity().not_before.timestamp(),
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

/// Whole or not at all, and never readable for more than its mode says.
pub(crate) fn write(file: &Path, mode: u32, text: &str) -> Result<(), CertificateError> {
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
    use rcgen::{CertificateParams, KeyPair};

    /// Both files of a pair, in a folder.
    fn pair(folder: &Path, names: &[&str]) -> (PathBuf, PathBuf) {
        let (file, key) = (folder.join("it.pem"), folder.join("it.key"));
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let pair = KeyPair::generate().unwrap();
        let made = CertificateParams::new(names).unwrap().self_signed(&pair).unwrap();
        fs::write(&file, made.pem()).unwrap();
        fs::write(&key, pair.serialize_pem()).unwrap();
        (file, key)
    }

    fn made(names: &[&str]) -> Certificate {
        let folder = tempfile::tempdir().unwrap();
        let (file, key) = pair(folder.path(), names);
        Certificate::read(&file, &key).unwrap()
    }

    #[test]
    fn a_wildcard_stands_for_one_label_rfc9525_6_3() {
        let wild = made(&["*.example.org", "f*.example.net"]);
        assert!(wild.covers("chat.example.org") && wild.covers("CHAT.Example.ORG"));
        assert!(!wild.covers("example.org") && !wild.covers("a.b.example.org"));
        assert!(!wild.covers("foo.example.net"), "only a whole label can be one");
    }

    #[test]
    fn what_is_not_ascii_is_compared_as_dns_spells_it_rfc9525_6_3() {
        let certificate = made(&["xn--bcher-kva.example", "*.xn--rksmrgs-5wao1o.example"]);
        assert!(certificate.covers("bücher.example") && certificate.covers("BÜCHER.example"));
        assert!(certificate.covers("chat.räksmörgås.example"));
        assert!(certificate.covers("ü.räksmörgås.example"), "a label is a label");
        assert!(!certificate.covers("bucher.example"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (file, key) = pair(one.path(), &["a.example"]);
        let (_, foreign) = pair(other.path(), &["a.example"]);
        let load = |file: &Path, key: &Path| {
            Certificate::read(file, key).expect_err("it cannot be used").to_string()
        };
        assert!(load(&one.path().join("none.pem"), &key).contains("none.pem: No such file"));
        assert!(load(&key, &key).contains("has no certificate in it"));
        assert!(load(&file, &file).contains("has no private key in it"));
        assert!(load(&file, &foreign).contains("is not the key of"));
    }
}
