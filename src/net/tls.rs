//! TLS towards clients: versions, tickets, and a certificate that can be swapped while the
//! server runs.

use crate::{certificate::Certificate, facts};
use arc_swap::ArcSwap;
use rustls::{
    CipherSuite, ServerConfig, SupportedCipherSuite,
    crypto::aws_lc_rs,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::sync::Arc;

/// RFC 7590 §3, XEP-0368 §3: the protocol of a stream that begins with TLS.
pub(crate) const XMPP: &[u8] = b"xmpp-client";
/// RFC 7301 §6.
const HTTP: &[u8] = b"http/1.1";

const FIRST_SUITE: CipherSuite = CipherSuite::TLS13_AES_128_GCM_SHA256;

/// Makes aws-lc-rs the only provider. Call it first thing: with two of them linked, rustls would
/// not know which to take.
pub fn install_provider() {
    // Only the first call counts; the others would install the same.
    drop(aws_lc_rs::default_provider().install_default());
}

/// TLS towards clients.
#[derive(Clone)]
pub struct Tls {
    current: Arc<Current>,
    /// After STARTTLS.
    pub(crate) starttls: Arc<ServerConfig>,
    /// From the first byte.
    pub(crate) direct: Arc<ServerConfig>,
    /// From the first byte, on a port of HTTP.
    pub(crate) https: Arc<ServerConfig>,
}

#[derive(Debug)]
struct Current(ArcSwap<Certificate>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.load();
        facts::serve(current.end_point.as_ref());
        Some(current.key.clone())
    }
}

impl Tls {
    /// TLS 1.2 (with extended master secret, so that channel bindings are sound: RFC 7627) and
    /// 1.3; sessions are resumed by tickets; no 0-RTT, which could be replayed.
    ///
    /// # Errors
    /// The provider cannot make what is asked of it.
    pub fn new(certificate: &Certificate) -> Result<Self, rustls::Error> {
        let current = Arc::new(Current(ArcSwap::from_pointee(certificate.clone())));
        let mut provider = aws_lc_rs::default_provider();
        // AES-128 before AES-256 in TLS 1.3: no less sound, and the handshake hashes with SHA-256,
        // which processors do, instead of SHA-384, which many do not.
        let first = |suite: &SupportedCipherSuite| suite.suite() != FIRST_SUITE;
        provider.cipher_suites.sort_by_key(first);
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.require_ems = true;
        config.key_log = Arc::new(facts::Exporter);
        config.ignore_client_order = true;
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        // Not none: without a ticket the last flight of a client that delays its segments
        // waits for an acknowledgement that we delay too.
        config.send_tls13_tickets = 1;
        let mut direct = config.clone();
        direct.alpn_protocols = vec![XMPP.to_vec()];
        let mut https = config.clone();
        https.alpn_protocols = vec![HTTP.to_vec(), XMPP.to_vec()];
        let [starttls, direct, https] = [config, direct, https].map(Arc::new);
        Ok(Self { current, starttls, direct, https })
    }

    /// Connections from now on see this certificate.
    pub fn swap(&self, certificate: &Certificate) {
        self.current.0.store(Arc::new(certificate.clone()));
    }
}
