//! TLS as a client that believes whatever certificate a server under test shows.

use crate::driver::Broken;
use rustls::{
    ClientConfig, ClientConnection, ConfigBuilder, DigitallySignedStruct, SignatureScheme,
    StreamOwned,
    client::{
        ResolvesClientCert, WantsClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest, Sha256};
use std::{fmt::Display, net::TcpStream, sync::Arc, time::Duration};

/// A socket under TLS.
pub type Secured = StreamOwned<ClientConnection, TcpStream>;

/// What to begin handshakes with.
///
/// # Errors
/// When the provider knows no version of TLS.
pub fn any_certificate() -> Result<Arc<ClientConfig>, Broken> {
    Ok(Arc::new(believing()?.with_no_client_auth()))
}

/// The same for a client that has certificates of its own.
///
/// # Errors
/// When the provider knows no version of TLS.
pub fn showing(own: Arc<dyn ResolvesClientCert>) -> Result<Arc<ClientConfig>, Broken> {
    Ok(Arc::new(believing()?.with_client_cert_resolver(own)))
}

fn believing() -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Broken> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone());
    let config = config.with_safe_default_protocol_versions().map_err(|error| broken(&error))?;
    let any = Arc::new(AnyCertificate(provider));
    Ok(config.dangerous().with_custom_certificate_verifier(any))
}

/// Shakes hands, and waits at most so long for each answer.
///
/// # Errors
/// When the handshake fails.
pub fn handshake(
    plain: TcpStream,
    config: &Arc<ClientConfig>,
    domain: &str,
    answer: Duration,
) -> Result<Secured, Broken> {
    let name = ServerName::try_from(domain.to_owned()).map_err(|error| broken(&error))?;
    let tls = ClientConnection::new(config.clone(), name).map_err(|error| broken(&error))?;
    let mut stream = StreamOwned::new(tls, plain);
    stream.sock.set_read_timeout(Some(answer)).map_err(|error| broken(&error))?;
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| broken(&error))?;
    }
    Ok(stream)
}

/// What binds the channel by this type: RFC 9266, or RFC 5929 §4 for a certificate that is signed
/// with SHA-256, as nearly all are.
pub fn channel(stream: &Secured, kind: &str) -> Option<Vec<u8>> {
    match kind {
        "tls-exporter" => {
            let label = b"EXPORTER-Channel-Binding";
            let exported = stream.conn.export_keying_material([0; 32], label, Some(b""));
            exported.ok().map(Vec::from)
        }
        "tls-server-end-point" => {
            let certificate = stream.conn.peer_certificates()?.first()?;
            Some(Sha256::digest(certificate).to_vec())
        }
        _ => None,
    }
}

fn broken(error: &dyn Display) -> Broken {
    Broken(format!("TLS: {error}"))
}

/// A server under test shows whatever certificate it has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
