//! One connection of a device: text out, elements in.

use crate::{
    driver::Broken,
    tls::{self, Secured},
    tree::{CLIENT, Growth, Heard, STREAM, Tree},
};
use rustls::ClientConfig;
use std::{
    collections::VecDeque,
    fmt::Display,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

/// How long an answer may take while a session is made; a server that is killed never gives it.
const ANSWER: Duration = Duration::from_secs(20);
/// How long the server may leave a socket unread.
const UNREAD: Duration = Duration::from_secs(60);
const INPUT_BYTES: usize = 16 << 10;

/// How a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With TLS.
    Tls,
    /// With STARTTLS (RFC 6120 §5).
    StartTls,
    /// In the clear, for servers that are simulated.
    Clear,
}

/// Where a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// The address.
    pub address: SocketAddr,
    /// How a stream begins there.
    pub begin: Begin,
}

/// A connection.
pub struct Link {
    socket: Socket,
    growth: Growth,
    heard: VecDeque<Tree>,
    /// Why nothing will come behind what was heard.
    ended: Option<String>,
    input: Vec<u8>,
}

enum Socket {
    Clear(TcpStream),
    Tls(Box<Secured>),
}

impl Link {
    /// Connects, secures the connection, and opens a stream. Gives what the server offers.
    ///
    /// # Errors
    /// When there is nobody, or not somebody who speaks XMPP.
    pub fn open(
        door: Door,
        domain: &str,
        config: &Arc<ClientConfig>,
    ) -> Result<(Self, Tree), Broken> {
        let socket = TcpStream::connect_timeout(&door.address, ANSWER).map_err(broken)?;
        socket.set_nodelay(true).map_err(broken)?;
        socket.set_write_timeout(Some(UNREAD)).map_err(broken)?;
        let mut link = Self {
            socket: Socket::Clear(socket),
            growth: Growth::new(),
            heard: VecDeque::new(),
            ended: None,
            input: vec![0; INPUT_BYTES],
        };
        if door.begin == Begin::StartTls {
            link.restart(domain)?;
            link.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")?;
            link.expect("proceed")?;
        }
        if door.begin != Begin::Clear {
            link = link.secure(domain, config)?;
        }
        let features = link.restart(domain)?;
        Ok((link, features))
    }

    fn secure(self, domain: &str, config: &Arc<ClientConfig>) -> Result<Self, Broken> {
        let Socket::Clear(plain) = self.socket else { return Err(Broken("TLS in TLS".into())) };
        let secured = tls::handshake(plain, config, domain, ANSWER)?;
        Ok(Self { socket: Socket::Tls(Box::new(secured)), ..self })
    }

    /// Opens a stream, the first time or again (RFC 6120 §4.3.3). Gives what the server offers.
    ///
    /// # Errors
    /// When something else comes.
    pub fn restart(&mut self, domain: &str) -> Result<Tree, Broken> {
        self.growth = Growth::new();
        self.say(&format!(
            "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xmlns='{CLIENT}' \
             xmlns:stream='{STREAM}'>"
        ))?;
        self.expect("features")
    }

    /// Says this.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn say(&mut self, text: &str) -> Result<(), Broken> {
        let written = match &mut self.socket {
            Socket::Clear(socket) => socket.write_all(text.as_bytes()),
            Socket::Tls(tls) => tls.write_all(text.as_bytes()).and_then(|()| tls.flush()),
        };
        written.map_err(broken)
    }

    /// The next element, which must be called so.
    ///
    /// # Errors
    /// When it is another one, or none comes.
    pub fn expect(&mut self, local: &str) -> Result<Tree, Broken> {
        match self.answer()? {
            tree if tree.local == local => Ok(tree),
            tree => Err(Broken(format!("<{local}/> expected, came {tree}"))),
        }
    }

    /// The next element.
    ///
    /// # Errors
    /// When none comes.
    pub fn answer(&mut self) -> Result<Tree, Broken> {
        self.hear(ANSWER)?.ok_or(Broken("no answer".into()))
    }

    /// The next element, if one comes within this time.
    ///
    /// # Errors
    /// When the connection or the stream has ended.
    pub fn hear(&mut self, within: Duration) -> Result<Option<Tree>, Broken> {
        let until = Instant::now() + within;
        loop {
            if let Some(tree) = self.heard.pop_front() {
                return Ok(Some(tree));
            }
            if let Some(why) = &self.ended {
                return Err(Broken(why.clone()));
            }
            let left = until.saturating_duration_since(Instant::now());
            if !self.read(left.max(Duration::from_millis(1)))? {
                return Ok(None);
            }
        }
    }

    /// The next element, if it has been read already.
    pub fn hear_at_once(&mut self) -> Option<Tree> {
        self.heard.pop_front()
    }

    /// Whether there was something to read.
    fn read(&mut self, within: Duration) -> Result<bool, Broken> {
        let socket = match &self.socket {
            Socket::Clear(socket) => socket,
            Socket::Tls(tls) => &tls.sock,
        };
        socket.set_read_timeout(Some(within)).map_err(broken)?;
        let read = match &mut self.socket {
            Socket::Clear(socket) => socket.read(&mut self.input),
            Socket::Tls(tls) => tls.read(&mut self.input),
        };
        let count = match read {
            Ok(0) => return Err(Broken("the connection has ended".into())),
            Ok(count) => count,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {
                    return Ok(false);
                }
                _ => return Err(broken(error)),
            },
        };
        let (heard, flaw) = self.growth.read(&self.input[..count]);
        for heard in heard {
            match heard {
                Heard::Element(tree) => self.heard.push_back(tree),
                Heard::Header(_) => {}
                Heard::Close => self.ended = Some("the stream has ended".into()),
            }
        }
        if let Some(flaw) = flaw {
            self.ended = Some(format!("what came is no stream: {flaw}"));
        }
        Ok(true)
    }
}

fn broken(error: impl Display) -> Broken {
    Broken(error.to_string())
}
