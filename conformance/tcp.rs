//! The world of a server that listens on TCP.

use crate::{
    driver::{Broken, Came, Door, Driver, Link, Patience, Transport},
    tls::{self, Secured},
};
use rustls::ClientConfig;
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
    transport: Transport,
    sockets: Vec<Socket>,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<Secured>),
    Cut,
}

impl Tcp {
    /// No connection yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(server: Server) -> Result<Self, Broken> {
        let (config, transport) = (tls::any_certificate()?, Transport::Tcp);
        Ok(Self { server, config, transport, sockets: Vec::new() })
    }

    /// No connection yet; all of them begin with TLS.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn direct(server: Server) -> Result<Self, Broken> {
        Ok(Self { transport: Transport::Direct, ..Self::new(server)? })
    }

    /// From now on handshakes begin with this.
    pub fn by(self, config: Arc<ClientConfig>) -> Self {
        Self { config, ..self }
    }
}

impl Driver for Tcp {
    fn transport(&self) -> Transport {
        self.transport
    }

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
        let Server { domain, answer, .. } = &self.server;
        let secured = tls::handshake(plain, &self.config, domain, *answer)?;
        self.sockets[link.0] = Socket::Tls(Box::new(secured));
        Ok(())
    }

    fn channel(&self, link: Link, kind: &str) -> Option<Vec<u8>> {
        match &self.sockets[link.0] {
            Socket::Tls(stream) => tls::channel(stream, kind),
            Socket::Plain(_) | Socket::Cut => None,
        }
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
}
