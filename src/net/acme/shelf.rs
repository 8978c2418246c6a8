//! Where what an authority gave is kept: nobody else may read it.

use super::{Acme, Failure};
use crate::{
    certificate::{Certificate, CertificateError, write},
    certificates::Pair,
};
use instant_acme::AccountCredentials;
use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
};

/// One folder for each authority: what one gave says nothing about another.
pub(crate) struct Shelf(PathBuf);

impl Shelf {
    pub(super) fn of(acme: &Acme) -> Self {
        let directory = acme.directory.trim_start_matches("https://");
        let plain = |it: char| if it.is_ascii_alphanumeric() || it == '.' { it } else { '-' };
        Self(acme.folder.join(directory.chars().map(plain).collect::<String>()))
    }

    /// The files of the certificate of this name.
    pub(crate) fn pair(&self, name: &str) -> Pair {
        Pair { certificate: self.file(name, "crt"), key: self.file(name, "key") }
    }

    /// Keeps a certificate. Unless it can be served, the one before stays.
    pub(super) fn put(
        &self,
        name: &str,
        chain: &str,
        key: &str,
    ) -> Result<Certificate, CertificateError> {
        self.make()?;
        let fresh = self.pair(&format!("{name}.fresh"));
        let kept = self.pair(name);
        write(&fresh.certificate, 0o600, chain)?;
        write(&fresh.key, 0o600, key)?;
        let certificate = Certificate::read(&fresh.certificate, &fresh.key)?;
        for (fresh, kept) in [(fresh.key, kept.key), (fresh.certificate, kept.certificate)] {
            fs::rename(&fresh, &kept).map_err(|error| CertificateError::File(kept, error))?;
        }
        Ok(certificate)
    }

    pub(super) fn failure(&self, name: &str) -> Option<Failure> {
        serde_json::from_slice(&fs::read(self.file(name, "failure")).ok()?).ok()
    }

    /// Keeps why there is no certificate, or forgets it. When it cannot be written the next start
    /// of the server tries sooner, and that is all.
    pub(super) fn set_failure(&self, name: &str, failure: Option<&Failure>) {
        let file = self.file(name, "failure");
        match failure.and_then(|failure| serde_json::to_string(failure).ok()) {
            Some(text) => drop(self.make().and_then(|()| write(&file, 0o600, &text))),
            None => drop(fs::remove_file(file)),
        }
    }

    /// The account, when there is one.
    pub(super) fn account(&self) -> Result<Option<AccountCredentials>, CertificateError> {
        let file = self.0.join(ACCOUNT);
        match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| CertificateError::Content(file, error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CertificateError::File(file, error)),
        }
    }

    /// What the account is called at the authority: the credentials keep that to themselves, but
    /// not what is written of them.
    pub(super) fn account_url(&self) -> Option<String> {
        let text = fs::read(self.0.join(ACCOUNT)).ok()?;
        let kept: serde_json::Value = serde_json::from_slice(&text).ok()?;
        kept.get("id")?.as_str().map(str::to_owned)
    }

    pub(super) fn set_account(&self, account: &AccountCredentials) -> Result<(), CertificateError> {
        self.make()?;
        let text = serde_json::to_string(account);
        let text = text.map_err(|error| CertificateError::Make(error.to_string()))?;
        write(&self.0.join(ACCOUNT), 0o600, &text)
    }

    /// The authority does not know it any more.
    pub(super) fn forget_account(&self) {
        drop(fs::remove_file(self.0.join(ACCOUNT)));
    }

    fn make(&self) -> Result<(), CertificateError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.map_err(|error| CertificateError::File(self.0.clone(), error))
    }

    fn file(&self, name: &str, of: &str) -> PathBuf {
        self.0.join(format!("{}.{of}", name.replace('/', "-")))
    }
}

/// The account's file. No domain is called so: a certificate's file ends otherwise.
const ACCOUNT: &str = "account.json";
