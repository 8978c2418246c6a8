//! Handshakes in memory.

use super::*;
use crate::certificates::Sources;
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, ServerConnection,
    SignatureScheme, SupportedProtocolVersion,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
    version::{TLS12, TLS13},
};
use std::{fs, path::Path};
use tempfile::TempDir;

/// Believes in everything.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

fn client(version: &'static SupportedProtocolVersion) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous))
        .with_no_client_auth();
    config.enable_early_data = true;
    config
}

/// Both sides after a handshake, and after the tickets.
fn shake(
    tls: &Tls,
    client: &Arc<ClientConfig>,
    name: &str,
) -> (ClientConnection, ServerConnection) {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(client.clone(), name).unwrap();
    assert!(client.early_data().is_none(), "no ticket allows 0-RTT (RFC 8446 §4.2.10)");
    let mut server = ServerConnection::new(tls.starttls.clone()).unwrap();
    while client.wants_write() || server.wants_write() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut &bytes[..]).unwrap();
        server.process_new_packets().unwrap();
        bytes.clear();
        server.write_tls(&mut bytes).unwrap();
        client.read_tls(&mut &bytes[..]).unwrap();
        client.process_new_packets().unwrap();
    }
    (client, server)
}

struct Bed {
    folder: TempDir,
    sources: Sources,
}

impl Bed {
    fn new(domains: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let domains = domains.iter().map(|&domain| domain.to_owned()).collect();
        let (files, data) = (Some(folder.path().into()), folder.path().into());
        Self { folder, sources: Sources { domains, pair: None, acme: None, folder: files, data } }
    }

    /// A pair for these names, in files called so.
    fn put(&self, file: &str, names: &[&str]) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let pair = KeyPair::generate().unwrap();
        let made = CertificateParams::new(names).unwrap().self_signed(&pair).unwrap();
        let file = |of: &str| Path::new(self.folder.path()).join(format!("{file}.{of}"));
        fs::write(file("crt"), made.pem()).unwrap();
        fs::write(file("key"), pair.serialize_pem()).unwrap();
    }

    fn load(&self) -> Certificates {
        self.sources.load(None).unwrap()
    }
}

#[test]
fn who_names_a_domain_gets_its_certificate_and_who_does_not_that_of_the_default() {
    let bed = Bed::new(&["a.example", "bücher.example", "chat.b.example"]);
    bed.put("a", &["a.example", "xmpp.a.example"]);
    bed.put("idn", &["xn--bcher-kva.example"]);
    bed.put("wild", &["*.b.example"]);
    let tls = Tls::new(&bed.load(), None).unwrap();
    let config = Arc::new(client(&TLS13));
    let given = |config: &Arc<ClientConfig>, name: &str| {
        let (client, _) = shake(&tls, config, name);
        let leaf = client.peer_certificates().unwrap()[0].clone();
        let found = bed.load().found;
        let found = found.into_iter().find(|it| it.certificate.key.cert[0] == leaf).unwrap();
        found.file.file_stem().unwrap().to_str().unwrap().to_owned()
    };
    for (name, file) in [
        ("a.example", "a"),
        ("A.EXAMPLE", "a"),
        ("xmpp.a.example", "a"),
        ("xn--bcher-kva.example", "idn"),
        ("chat.b.example", "wild"),
        ("upload.b.example", "wild"),
        ("deep.chat.b.example", "a"),
        ("b.example", "a"),
        ("elsewhere.example", "a"),
        ("192.0.2.1", "a"),
    ] {
        assert_eq!(given(&config, name), file, "{name}");
    }
    let mut silent = client(&TLS13);
    silent.enable_sni = false;
    assert_eq!(given(&Arc::new(silent), "chat.b.example"), "a", "no SNI");
}

#[test]
fn a_session_is_resumed_without_0_rtt_until_a_certificate_changes() {
    for version in [&TLS12, &TLS13] {
        let bed = Bed::new(&["a.example", "b.example"]);
        bed.put("a", &["a.example"]);
        bed.put("b", &["b.example"]);
        let tls = Tls::new(&bed.load(), None).unwrap();
        let config = Arc::new(client(version));
        let kind = |tls: &Tls, name| shake(tls, &config, name).1.handshake_kind();
        assert_eq!(kind(&tls, "a.example"), Some(HandshakeKind::Full));
        assert_eq!(kind(&tls, "a.example"), Some(HandshakeKind::Resumed));
        assert_eq!(kind(&tls, "b.example"), Some(HandshakeKind::Full), "another's ticket");
        tls.swap(&bed.load()).unwrap();
        assert_eq!(kind(&tls, "a.example"), Some(HandshakeKind::Resumed), "all is as it was");
        // It would bind its login to the old certificate, and the server to the new one.
        bed.put("a", &["a.example"]);
        tls.swap(&bed.load()).unwrap();
        assert_eq!(kind(&tls, "a.example"), Some(HandshakeKind::Full));
        assert_eq!(kind(&tls, "a.example"), Some(HandshakeKind::Resumed));
    }
}
