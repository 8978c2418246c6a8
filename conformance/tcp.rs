//! The world of a server that listens on TCP.

use crate::driver::{Broken, Came, Door, Driver, Link, Patience};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

/// Where a server is, and how long we wait for it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Of streams that negotiate TLS.
    pub starttls: SocketAddr,
    /// Of streams that begin with TLS.
    pub direct: Option<SocketAddr>,
    /// The domain it serves.
    pub domain: String,
    /// For an answer.
    pub answer: Duration,
    /// Before we believe that nothing comes.
    pub quiet: Duration,
}

/// Connections to a server.
pub struct Tcp {
    server: Server,
    config: Arc<ClientConfig>,
    sockets: Vec<Socket>,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Cut,
}

impl Tcp {
    /// No connection yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(server: Server) -> Result<Self, Broken> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Broken(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth();
        Ok(Self { server, config: Arc::new(config), sockets: Vec::new() })
    }

    fn handshake(&self, plain: TcpStream) -> Result<Socket, Broken> {
        let broken = |error: &dyn std::fmt::Display| Broken(format!("TLS: {error}"));
        let name = ServerName::try_from(self.server.domain.clone()).map_err(|e| broken(&e))?;
        let tls = ClientConnection::new(self.config.clone(), name).map_err(|e| broken(&e))?;
        let mut stream = StreamOwned::new(tls, plain);
        stream.sock.set_read_timeout(Some(self.server.answer)).map_err(|e| broken(&e))?;
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|e| broken(&e))?;
        }
        Ok(Socket::Tls(Box::new(stream)))
    }
}

impl Driver for Tcp {
    fn open(&mut self, door: Door) -> Result<Link, Broken> {
        let address = match door {
            Door::StartTls => self.server.starttls,
            Door::Direct => self.server.direct.ok_or(Broken("no address for direct TLS".into()))?,
        };
        let plain = TcpStream::connect_timeout(&address, self.server.answer)
            .map_err(|error| Broken(format!("{address}: {error}")))?;
        plain.set_nodelay(true).map_err(|error| Broken(error.to_string()))?;
        self.sockets.push(Socket::Plain(plain));
        Ok(Link(self.sockets.len() - 1))
    }

    fn say(&mut self, link: Link, bytes: &[u8]) {
        // A failure shows as the end of the connection to whoever listens.
        let _ = match &mut self.sockets[link.0] {
            Socket::Plain(stream) => stream.write_all(bytes),
            Socket::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Socket::Cut => Ok(()),
        };
    }

    fn secure(&mut self, link: Link) -> Result<(), Broken> {
        let socket = std::mem::replace(&mut self.sockets[link.0], Socket::Cut);
        let Socket::Plain(plain) = socket else { return Err(Broken("not a plain socket".into())) };
        self.sockets[link.0] = self.handshake(plain)?;
        Ok(())
    }

    fn hear(&mut self, link: Link, patience: Patience) -> Came {
        let patience = match patience {
            Patience::Answer => self.server.answer,
            Patience::Quiet => self.server.quiet,
        };
        let until = Instant::now() + patience;
        let mut buffer = vec![0; 16 << 10];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Came::Nothing;
            }
            let read = match &mut self.sockets[link.0] {
                Socket::Plain(stream) => {
                    stream.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut buffer))
                }
                Socket::Tls(stream) => {
                    stream.sock.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut buffer))
                }
                Socket::Cut => return Came::End,
            };
            match read {
                Ok(0) => return Came::End,
                Ok(count) => return Came::Bytes(buffer[..count].to_vec()),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Came::End,
                },
            }
        }
    }

    fn cut(&mut self, link: Link) {
        self.sockets[link.0] = Socket::Cut;
    }

    fn pass(&mut self, ms: u64) {
        std::thread::sleep(Duration::from_millis(ms));
    }
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
