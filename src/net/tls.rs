//! TLS towards clients: versions, tickets, and certificates that can be swapped while the
//! server runs.

use crate::{
    acme::{Challenges, TLS_PROTOCOL},
    certificate::{Certificate, ascii},
    certificates::Certificates,
    client_certificate::{Asking, ClientCertificates},
    facts,
};
use arc_swap::ArcSwap;
use rustls::{
    CipherSuite, ServerConfig, SupportedCipherSuite,
    crypto::aws_lc_rs,
    server::{ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{collections::HashMap, sync::Arc};

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
    tickets: Arc<Tickets>,
    /// What an authority may ask while it makes a certificate.
    pub(crate) challenges: Arc<Challenges>,
    /// After STARTTLS.
    pub(crate) starttls: Arc<ServerConfig>,
    /// From the first byte.
    pub(crate) direct: Arc<ServerConfig>,
    /// From the first byte, on a port of HTTP.
    pub(crate) https: Arc<ServerConfig>,
    /// Who vouches for clients that show a certificate. They are asked for one when somebody does.
    pub(crate) clients: Option<ClientCertificates>,
}

impl Tls {
    /// TLS 1.2 (with extended master secret, so that channel bindings are sound: RFC 7627) and
    /// 1.3; sessions are resumed by tickets; no 0-RTT, which could be replayed: no ticket allows
    /// it, and what a client says so nevertheless is skipped.
    ///
    /// # Errors
    /// The provider cannot make what is asked of it.
    pub fn new(
        certificates: &Certificates,
        clients: Option<ClientCertificates>,
    ) -> Result<Self, rustls::Error> {
        let challenges = Arc::<Challenges>::default();
        let named = ArcSwap::from_pointee(Named::of(certificates));
        let current = Arc::new(Current { named, challenges: challenges.clone() });
        let tickets = Arc::new(Tickets(ArcSwap::from_pointee(aws_lc_rs::Ticketer::new()?)));
        let mut provider = aws_lc_rs::default_provider();
        // AES-128 before AES-256 in TLS 1.3: no less sound, and the handshake hashes with SHA-256,
        // which processors do, instead of SHA-384, which many do not.
        let first = |suite: &SupportedCipherSuite| suite.suite() != FIRST_SUITE;
        provider.cipher_suites.sort_by_key(first);
        let provider = Arc::new(provider);
        let config = |clients: Option<ClientCertificates>| {
            let config = ServerConfig::builder_with_provider(provider.clone())
                .with_safe_default_protocol_versions()?;
            let config = match clients {
                Some(clients) => config.with_client_cert_verifier(Arc::new(Asking(clients))),
                None => config.with_no_client_auth(),
            };
            let mut config = config.with_cert_resolver(current.clone());
            config.require_ems = true;
            config.key_log = Arc::new(facts::Exporter);
            config.ignore_client_order = true;
            config.ticketer = tickets.clone();
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.max_early_data_size = 0;
            // Not none: without a ticket the last flight of a client that delays its segments
            // waits for an acknowledgement that we delay too.
            config.send_tls13_tickets = 1;
            Ok::<_, rustls::Error>(config)
        };
        let starttls = config(clients.clone())?;
        let direct = speaking(&starttls, &[XMPP]);
        // A browser would ask its user which certificate to show.
        let https = speaking(&config(None)?, &[HTTP, XMPP]);
        let starttls = Arc::new(starttls);
        Ok(Self { current, tickets, challenges, starttls, direct, https, clients })
    }

    /// Connections from now on see these certificates.
    ///
    /// # Errors
    /// No tickets can be made: the certificates before stay.
    pub fn swap(&self, certificates: &Certificates) -> Result<(), rustls::Error> {
        let named = Named::of(certificates);
        if !named.same_as(&self.current.named.load()) {
            // A client that resumes a session believes in the certificate that began it, and would
            // bind its login to that one (RFC 5929 §4).
            self.tickets.0.store(Arc::new(aws_lc_rs::Ticketer::new()?));
        }
        self.current.named.store(Arc::new(named));
        Ok(())
    }
}

/// The same for streams or requests that begin with TLS, of these protocols, the preferred first;
/// and for the challenges of ACME, wherever an authority comes to.
fn speaking(config: &ServerConfig, protocols: &[&[u8]]) -> Arc<ServerConfig> {
    let mut config = config.clone();
    let protocols = protocols.iter().chain([&TLS_PROTOCOL]);
    config.alpn_protocols = protocols.map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

/// Seals what resumes a session. The keys are forgotten when a certificate changes.
#[derive(Debug)]
struct Tickets(ArcSwap<Arc<dyn ProducesTickets>>);

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        self.0.load().enabled()
    }

    fn lifetime(&self) -> u32 {
        self.0.load().lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.0.load().encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.0.load().decrypt(cipher)
    }
}

/// The certificates that are served now.
#[derive(Debug)]
struct Current {
    named: ArcSwap<Named>,
    challenges: Arc<Challenges>,
}

impl ResolvesServerCert for Current {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737 §3: it offers this protocol and no other.
        if hello.alpn().is_some_and(|mut all| all.all(|it| it == TLS_PROTOCOL)) {
            return self.challenges.certificate(hello.server_name()?);
        }
        let named = self.named.load();
        let certificate = named.find(hello.server_name())?;
        facts::serve(certificate.end_point.as_ref());
        Some(certificate.key.clone())
    }
}

/// Certificates by the names that clients ask for (SNI, RFC 6066 §3), as DNS spells them.
#[derive(Debug)]
struct Named {
    names: HashMap<String, Arc<Certificate>>,
    /// For who names nobody, or somebody else.
    default: Option<Arc<Certificate>>,
}

impl Named {
    fn of(certificates: &Certificates) -> Self {
        let served = certificates.served.iter();
        let mut names: HashMap<_, _> =
            served.map(|(domain, it)| (ascii(domain), it.certificate.clone())).collect();
        let mut found: Vec<_> = certificates.found.iter().map(|it| &it.certificate).collect();
        found.sort_by_key(|it| std::cmp::Reverse((it.is_current(), it.expires)));
        for certificate in found {
            for name in &certificate.names {
                let name = name.to_ascii_lowercase();
                names.entry(name).or_insert_with(|| certificate.clone());
            }
        }
        let default = certificates.served.first().map(|(_, it)| it.certificate.clone());
        Self { names, default }
    }

    fn find(&self, name: Option<&str>) -> Option<&Arc<Certificate>> {
        let named = |name: &str| {
            let name = name.to_ascii_lowercase();
            let wild = || self.names.get(&format!("*.{}", name.split_once('.')?.1));
            self.names.get(&name).or_else(wild)
        };
        name.and_then(named).or(self.default.as_ref())
    }

    fn same_as(&self, other: &Self) -> bool {
        let leaf = |it: &Certificate| it.key.cert.first().cloned();
        let same = |name, it: &Certificate| {
            other.names.get(name).is_some_and(|other| leaf(other) == leaf(it))
        };
        self.names.len() == other.names.len()
            && self.names.iter().all(|(name, it)| same(name, it))
            && self.default.as_deref().map(leaf) == other.default.as_deref().map(leaf)
    }
}

#[cfg(test)]
mod tests;
