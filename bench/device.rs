//! What an installation of a client keeps from one login to the next.

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::HandshakeKind;

use crate::tls::Tls;

/// The one device of an account.
pub struct Device {
    tls: Tls,
    /// What the next handshake must be.
    handshake: HandshakeKind,
    /// How it logs in without a password (XEP-0484).
    pub token: Option<Token>,
}

/// A token of XEP-0484.
pub struct Token {
    pub secret: String,
    /// How often it was used.
    pub uses: u64,
}

impl Device {
    /// One that has never been here.
    pub fn new(tls: Tls) -> Self {
        Self { tls, handshake: HandshakeKind::Full, token: None }
    }

    /// TLS on a connected socket, resumed if it can be.
    ///
    /// # Errors
    /// When the handshake fails, or is a full one where it should be resumed.
    pub async fn secure(&mut self, socket: TcpStream) -> anyhow::Result<TlsStream<TcpStream>> {
        let stream = self.tls.handshake(socket, self.handshake).await?;
        if self.tls.resumes {
            self.handshake = HandshakeKind::Resumed;
        }
        Ok(stream)
    }
}
