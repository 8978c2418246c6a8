//! Logins without a password: guests, and certificates of clients.

use crate::{
    client::{Client, HEADER, handshake},
    server::{PATIENCE, Server, folder, run},
};
use conformance::sasl;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use std::{fs, path::Path, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};

const GUESTS: &str = "[server]\ndomains = [\"localhost\", \"guests.localhost\"]\n\
    [auth]\nanonymous_domains = [\"guests.localhost\"]\n";
const SUCCESS: &str = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";

async fn accounts(folder: &Path) -> String {
    let list = run(folder, &["user", "list"], "").await;
    assert!(list.status.success());
    String::from_utf8(list.stdout).unwrap()
}

/// Waits until there are so many accounts.
async fn until_accounts(server: &Server, count: usize) {
    let there = async { while accounts(server.folder.path()).await.lines().count() != count {} };
    timeout(PATIENCE, there).await.expect("guests' accounts come and go");
}

/// A guest, logged in; `bound` or not.
async fn guest(server: &Server, bound: bool) -> Client<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(server.direct()).await.unwrap();
    let mut guest = Client::over(handshake(server, socket, &[]).await.unwrap());
    let header = HEADER.replace("to='localhost'", "to='guests.localhost'");
    guest.say(&header).await;
    assert!(guest.hear("</stream:features>").await.contains("<mechanism>ANONYMOUS</mechanism>"));
    guest.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>").await;
    guest.hear(SUCCESS).await;
    guest.say(&header).await;
    guest.hear("</stream:features>").await;
    if bound {
        let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
        guest.say(&format!("<iq id='b' type='set'>{bind}</iq>")).await;
        assert!(guest.hear("</iq>").await.contains("@guests.localhost/"));
    }
    guest
}

#[tokio::test]
async fn a_guests_account_goes_with_its_session_and_at_the_next_start() {
    let mut server = Server::start(GUESTS).await;
    server.add("juliet@localhost", "secret").await;
    let (bound, unbound) = (guest(&server, true).await, guest(&server, false).await);
    until_accounts(&server, 3).await;
    drop((bound, unbound));
    until_accounts(&server, 1).await;
    let _left = guest(&server, true).await;
    until_accounts(&server, 2).await;
    server.child.kill().await.unwrap();
    let server = Server::start_in(server.folder).await;
    until_accounts(&server, 1).await;
    assert_eq!(accounts(server.folder.path()).await, "juliet@localhost\n");
}

/// Connects with TLS from the first byte, and shows this certificate.
async fn show(
    server: &Server,
    own: &CertificateDer<'static>,
    key: &KeyPair,
) -> Client<impl AsyncRead + AsyncWrite + Unpin> {
    let file = server.folder.path().join("data/self-signed.pem");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config =
        config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = config.with_client_auth_cert(vec![own.clone()], key).unwrap();
    config.alpn_protocols = vec![b"xmpp-client".to_vec()];
    let socket = TcpStream::connect(server.direct()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let socket = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
    Client::over(socket)
}

#[tokio::test]
async fn a_client_logs_in_by_a_certificate_that_the_operators_authority_vouches_for() {
    let authority = || {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (ours, other) = (authority(), authority());
    let folder = folder("[auth]\nclient_certificates = \"clients.pem\"\n");
    fs::write(folder.path().join("clients.pem"), ours.pem()).unwrap();
    let server = Server::start_in(folder).await;
    server.add("juliet@localhost", "secret").await;
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let address = (vec![1, 3, 6, 1, 5, 5, 7, 8, 5], "juliet@localhost".into());
    params.subject_alt_names = vec![SanType::OtherName(address)];
    let key = KeyPair::generate().unwrap();
    let trusted = params.signed_by(&key, &ours).unwrap().der().clone();
    let stranger = params.signed_by(&key, &other).unwrap().der().clone();

    let mut juliet = show(&server, &trusted, &key).await;
    juliet.say(HEADER).await;
    assert!(juliet.hear("</stream:features>").await.contains("<mechanism>EXTERNAL</mechanism>"));
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>";
    juliet.say(auth).await;
    juliet.hear(SUCCESS).await;

    // Whose certificate is worth nothing has a password still.
    let mut juliet = show(&server, &stranger, &key).await;
    juliet.say(HEADER).await;
    assert!(!juliet.hear("</stream:features>").await.contains("EXTERNAL"));
    juliet.say(auth).await;
    juliet.hear("<invalid-mechanism/></failure>").await;
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>";
    juliet.say(&format!("{auth}{}</auth>", sasl::plain("juliet", "secret"))).await;
    juliet.hear(SUCCESS).await;
}
