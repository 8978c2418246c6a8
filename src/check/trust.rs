//! Whom this machine's programs believe, and the certificates that are served.

use std::{path::Path, sync::Arc};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        CertificateError, ClientConfig, Error, RootCertStore,
        client::{WebPkiServerVerifier, danger::ServerCertVerifier},
        crypto::aws_lc_rs,
        pki_types::{
            CertificateDer, ServerName, UnixTime,
            pem::{self, PemObject},
        },
    },
};

/// Whom this machine's programs believe.
pub struct Trust {
    system: RootCertStore,
    /// The same, and the certificates that this server signed itself.
    all: Arc<RootCertStore>,
}

/// What a certificate is to those who check it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// It leads to an authority that this machine knows.
    Complete,
    /// It leads to nobody whom this machine knows.
    Unknown,
    /// It is wrong otherwise.
    Wrong(String),
}

impl Trust {
    /// The system's authorities.
    pub fn system() -> Self {
        let mut system = RootCertStore::empty();
        // What cannot be read there is the system's business; what is missing shows.
        system.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self { all: Arc::new(system.clone()), system }
    }

    /// Whom this PEM file names, and nobody else.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn only(file: &Path) -> Result<Self, String> {
        let wrong = |error: pem::Error| format!("{}: {error}", file.display());
        let named = CertificateDer::pem_file_iter(file).map_err(wrong)?;
        let mut system = RootCertStore::empty();
        system.add_parsable_certificates(named.collect::<Result<Vec<_>, _>>().map_err(wrong)?);
        Ok(Self { all: Arc::new(system.clone()), system })
    }

    /// Whether the system names no authority at all.
    pub fn is_empty(&self) -> bool {
        self.system.is_empty()
    }

    /// Believes this certificate too, which has signed itself.
    pub fn add(&mut self, certificate: &CertificateDer<'static>) {
        let mut all = RootCertStore::clone(&self.all);
        // One that cannot be a root cannot be believed by anybody, which its own check says.
        all.add_parsable_certificates([certificate.clone()]);
        self.all = Arc::new(all);
    }

    /// For connections that begin with TLS, or go over to it.
    ///
    /// # Errors
    /// There is nobody to believe.
    pub fn connector(&self, alpn: &[&str]) -> Result<TlsConnector, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions()?;
        let mut config = config.with_root_certificates(self.all.clone()).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// What the system thinks of a served chain; names are not its business.
    pub fn chain(&self, chain: &[CertificateDer<'_>], domain: &str) -> Chain {
        let Some((first, rest)) = chain.split_first() else {
            return Chain::Wrong("it is empty".to_owned());
        };
        let (roots, provider) = (Arc::new(self.system.clone()), aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::new(provider));
        let Ok(verifier) = verifier.build() else { return Chain::Unknown };
        let Ok(name) = ServerName::try_from(domain.to_owned()) else {
            return Chain::Wrong(format!("{domain} is no name for it"));
        };
        match verifier.verify_server_cert(first, rest, &name, &[], UnixTime::now()) {
            Ok(_) => Chain::Complete,
            Err(Error::InvalidCertificate(error)) => wrong(error),
            Err(error) => Chain::Wrong(error.to_string()),
        }
    }
}

fn wrong(error: CertificateError) -> Chain {
    match error {
        CertificateError::UnknownIssuer => Chain::Unknown,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Chain::Complete
        }
        error => Chain::Wrong(error.to_string()),
    }
}

#[cfg(test)]
#[path = "trust/tests.rs"]
pub mod tests;
