//! TLS of the client: full or resumed handshakes, any certificate.

use std::sync::Arc;

use anyhow::{Result, ensure};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, HandshakeKind, ProtocolVersion, SignatureScheme,
    crypto,
};

/// Of one device there are never more tickets than a handshake brings.
const SESSIONS: usize = 4;

/// What connections are made with: one for a run, or one for each device that resumes sessions.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// Whether every handshake but the first is a resumed one.
    pub resumes: bool,
}

impl Tls {
    /// For connections to `domain`, each with a full handshake.
    ///
    /// # Errors
    /// When `domain` is no name that TLS can carry.
    pub fn new(domain: &str, alpn: &[u8]) -> Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate { provider }))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![alpn.to_vec()];
        let name = ServerName::try_from(domain.to_owned())?;
        Ok(Self { config: Arc::new(config), name, resumes: false })
    }

    /// The same for one device, which resumes its sessions.
    pub fn resuming(&self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Self { config: Arc::new(config), name: self.name.clone(), resumes: true }
    }

    /// The handshake on a connected socket, which is to be of this kind.
    ///
    /// # Errors
    /// When it fails, or was of another kind.
    pub async fn handshake(
        &self,
        socket: TcpStream,
        expected: HandshakeKind,
    ) -> Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(self.config.clone());
        let stream = connector.connect(self.name.clone(), socket).await?;
        let kind = stream.get_ref().1.handshake_kind();
        // A server without our first key share asks again, and that is a full one too.
        let full = matches!(kind, Some(HandshakeKind::FullWithHelloRetryRequest));
        let kind = if full { Some(HandshakeKind::Full) } else { kind };
        ensure!(kind == Some(expected), "the handshake was {kind:?}, not {expected:?}");
        Ok(stream)
    }
}

/// What binds to this very connection: `tls-exporter` (RFC 9266 §2).
///
/// # Errors
/// When there is nothing of the kind.
pub fn exporter(stream: &TlsStream<TcpStream>) -> Result<[u8; 32]> {
    let connection = stream.get_ref().1;
    ensure!(
        connection.protocol_version() == Some(ProtocolVersion::TLSv1_3),
        "nothing binds to a channel older than TLS 1.3 (RFC 9266 §4.2)"
    );
    Ok(connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""))?)
}

/// Load on loopback meets self-signed certificates: the chain is not looked at. The signature of
/// the handshake is verified, as by any client.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
