//! Certificates of clients: whom they name, once somebody whom the operator trusts vouches for it
//! (RFC 6120 §13.7.1.2, §13.7.2). Who shows one that is worth nothing may log in otherwise.

use crate::limits::{CLIENT_CHAIN_BYTES_MAX, CLIENT_CHAIN_CERTIFICATES_MAX, CLIENT_IDENTITIES_MAX};
use engine::wire::Bare;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, UnixTime, pem::PemObject},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use std::{fmt, path::Path, sync::Arc};
use x509_parser::{
    asn1_rs::{Any, Class, Tag, Utf8String},
    oid_registry::asn1_rs::{Oid, oid},
    prelude::{FromDer, GeneralName, X509Certificate},
};

/// An address of XMPP, in the place of an alternative name (RFC 6120 §13.7.1.4).
const XMPP_ADDR: Oid<'static> = oid!(1.3.6.1.5.5.7.8.5);

/// Who vouches for clients.
#[derive(Clone, Debug)]
pub struct ClientCertificates(Arc<dyn ClientCertVerifier>);

impl ClientCertificates {
    /// Those in a PEM file.
    ///
    /// # Errors
    /// The file cannot be read, or holds no certificate that can vouch: in words.
    pub fn trusted_by(file: &Path) -> Result<Self, String> {
        let at = |what: &dyn fmt::Display| format!("{}: {what}", file.display());
        let pem = std::fs::read(file).map_err(|error| at(&error))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| at(&format!("not PEM: {error}")))?;
            roots.add(certificate).map_err(|error| at(&error))?;
        }
        Self::of(roots).map_err(|why| at(&why))
    }

    fn of(roots: RootCertStore) -> Result<Self, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
        Ok(Self(builder.build().map_err(|error| error.to_string())?))
    }

    /// The addresses that a client has proven to be its own by this chain; none when nobody vouches
    /// for it now, or it names too many. Its key has been used in the handshake, or in that of the
    /// session that was resumed.
    pub(crate) fn identities(&self, chain: &[CertificateDer<'_>]) -> Vec<Bare> {
        let Some((own, others)) = chain.split_first() else { return Vec::new() };
        match self.0.verify_client_cert(own, others, UnixTime::now()) {
            Ok(_) => named(own).unwrap_or_default(),
            Err(error) => {
                tracing::debug!(%error, "a client's certificate is worth nothing");
                Vec::new()
            }
        }
    }
}

/// The addresses in a certificate, each once. Names that are common, or of hosts, are no addresses,
/// and one that is malformed makes all of it suspect.
fn named(certificate: &[u8]) -> Option<Vec<Bare>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    let names = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::OtherName(kind, value) if *kind == XMPP_ADDR => Some(*value),
        _ => None,
    });
    let mut addresses = Vec::new();
    for name in names {
        let address = address(name)?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
        if addresses.len() > CLIENT_IDENTITIES_MAX {
            return None;
        }
    }
    Some(addresses)
}

/// `[0] EXPLICIT UTF8String`, with nothing behind it, outside or inside: an account's address.
fn address(value: &[u8]) -> Option<Bare> {
    let (behind, outer) = Any::from_der(value).ok()?;
    let explicit = outer.class() == Class::ContextSpecific && outer.header.is_constructed();
    let (rest, text) = Utf8String::from_der(outer.data).ok()?;
    let whole = explicit && outer.tag() == Tag(0) && behind.is_empty() && rest.is_empty();
    let address = Bare::parse(text.as_ref()).ok()?;
    (whole && address.local().is_some()).then_some(address)
}

/// Asks for certificates, and lets everybody through whose chain is not too long: what it is worth,
/// [`ClientCertificates::identities`] finds out, when a session is resumed too.
#[derive(Debug)]
pub(crate) struct Asking(pub(crate) ClientCertificates);

impl ClientCertVerifier for Asking {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let bytes: usize = others.iter().chain([own]).map(|it| it.len()).sum();
        if others.len() >= CLIENT_CHAIN_CERTIFICATES_MAX || bytes > CLIENT_CHAIN_BYTES_MAX {
            let too_long = CertificateError::ApplicationVerificationFailure;
            return Err(Error::InvalidCertificate(too_long));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
