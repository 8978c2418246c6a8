//! A plain client: bytes under TLS, and as much XMPP as it takes to log in.

use crate::server::{PATIENCE, Server};
use conformance::sasl;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

pub const HEADER: &str = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' \
                          xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

pub struct Client<S> {
    socket: S,
    unread: String,
}

impl Client<TcpStream> {
    pub async fn connect(to: SocketAddr) -> Self {
        let socket = TcpStream::connect(to).await.unwrap();
        Self { socket, unread: String::new() }
    }

    /// STARTTLS, as RFC 6120 §5 has it.
    pub async fn starttls(server: &Server) -> Client<TlsStream<TcpStream>> {
        let mut client = Self::connect(server.starttls()).await;
        client.say(HEADER).await;
        client.hear("</stream:features>").await;
        client.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await;
        client.hear("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await;
        let socket = handshake(server, client.socket, &[]).await.expect("a handshake");
        Client { socket, unread: String::new() }
    }
}

/// A handshake that believes in nothing but the certificate that the server made itself.
pub async fn handshake(
    server: &Server,
    socket: TcpStream,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let file = server.folder.path().join("data/self-signed.pem");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn over(socket: S) -> Self {
        Self { socket, unread: String::new() }
    }

    pub async fn say(&mut self, xml: &str) {
        self.socket.write_all(xml.as_bytes()).await.unwrap();
        self.socket.flush().await.unwrap();
    }

    /// What is said up to and with this.
    pub async fn hear(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.unread.find(end) {
                let rest = self.unread.split_off(at + end.len());
                return std::mem::replace(&mut self.unread, rest);
            }
            assert!(self.more().await, "the stream ended before {end}: {}", self.unread);
        }
    }

    /// Everything until the stream ends.
    pub async fn hear_all(&mut self) -> String {
        while self.more().await {}
        std::mem::take(&mut self.unread)
    }

    async fn more(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let read = timeout(PATIENCE, self.socket.read(&mut bytes)).await.expect("an answer");
        let read = read.unwrap_or(0);
        self.unread += std::str::from_utf8(&bytes[..read]).unwrap();
        read > 0
    }

    /// Logs in as juliet, with the password `secret`.
    pub async fn login(&mut self, resource: &str) {
        self.login_as("juliet", resource).await;
    }

    /// The same as somebody else.
    pub async fn login_as(&mut self, local: &str, resource: &str) {
        self.authenticate(local).await;
        self.bind(resource).await;
    }

    /// A resource, when it is authenticated.
    pub async fn bind(&mut self, resource: &str) {
        let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>";
        self.say(&format!("<iq id='b' type='set'>{bind}{resource}</resource></bind></iq>")).await;
        self.hear("</iq>").await;
    }

    /// Up to the resource, which is still to be bound.
    pub async fn authenticate(&mut self, local: &str) {
        self.authenticate_by(local, "secret").await;
    }

    /// The same by another password.
    pub async fn authenticate_by(&mut self, local: &str, password: &str) {
        self.say(HEADER).await;
        self.hear("</stream:features>").await;
        let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>";
        self.say(&format!("{auth}{}</auth>", sasl::plain(local, password))).await;
        self.hear("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>").await;
        self.say(HEADER).await;
        self.hear("</stream:features>").await;
    }
}

impl<S> Client<S> {
    pub fn into_inner(self) -> S {
        self.socket
    }
}
