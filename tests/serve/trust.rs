//! Who believes in what: pairs of files, and handshakes that check them.

use crate::server::PATIENCE;
use rcgen::{CertificateParams, KeyPair};
use std::{fs, io, net::SocketAddr, path::Path, sync::Arc};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

/// Puts a certificate for these names there, signed by itself, and its key.
pub fn put(certificate: &Path, key: &Path, names: &[&str]) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let pair = KeyPair::generate().unwrap();
    let made = CertificateParams::new(names).unwrap().self_signed(&pair).unwrap();
    fs::write(key, pair.serialize_pem()).unwrap();
    fs::write(certificate, made.pem()).unwrap();
}

/// Those who believe in the certificates of this file, and in no other.
pub fn believe(file: &Path) -> RootCertStore {
    believe_in(&fs::read(file).unwrap())
}

pub fn believe_in(pem: &[u8]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem) {
        roots.add(root.unwrap()).unwrap();
    }
    roots
}

/// A handshake with the server of this name.
pub async fn shake(
    roots: &RootCertStore,
    to: SocketAddr,
    name: &str,
) -> io::Result<TlsStream<TcpStream>> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots.clone()).with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let socket = TcpStream::connect(to).await?;
    let shaken = TlsConnector::from(Arc::new(config)).connect(name, socket);
    timeout(PATIENCE, shaken).await.expect("a handshake ends")
}

/// What the server showed.
pub fn leaf(tls: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    tls.get_ref().1.peer_certificates().unwrap()[0].clone()
}

/// Shakes hands until it is believed, and shows another certificate than `before`.
pub async fn shown(
    roots: &RootCertStore,
    to: SocketAddr,
    name: &str,
    before: Option<&CertificateDer<'_>>,
) -> TlsStream<TcpStream> {
    let shown = async {
        loop {
            if let Ok(tls) = shake(roots, to, name).await
                && before != Some(&leaf(&tls))
            {
                return tls;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, shown).await.unwrap_or_else(|_| panic!("{name} shows no other certificate"))
}
