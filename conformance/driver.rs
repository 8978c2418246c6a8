//! What a script needs of a world: connections that carry streams, and time.

use crate::tree::Heard;
use std::{fmt, time::Duration};

/// A connection, counted by its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link(pub usize);

/// Where a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Plain; TLS is negotiated (RFC 6120 §5).
    StartTls,
    /// TLS from the first byte (XEP-0368).
    Direct,
}

/// How streams are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP, and TLS by STARTTLS where a character does not ask for another door.
    Tcp,
    /// TCP, and TLS from the first byte, for every character.
    Direct,
    /// WebSocket (RFC 7395).
    WebSocket,
    /// BOSH (XEP-0124, XEP-0206).
    Bosh,
}

impl Transport {
    /// All.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::Direct, Self::WebSocket, Self::Bosh];

    /// As scripts call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Direct => "direct",
            Self::WebSocket => "websocket",
            Self::Bosh => "bosh",
        }
    }
}

/// How long silence is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// An answer is expected.
    Answer,
    /// Silence is expected.
    Quiet,
}

/// What came along a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// Some bytes of a stream.
    Bytes(Vec<u8>),
    /// What a transport with frames of its own has carried whole.
    Heard(Vec<Heard>),
    /// What this transport forbids, in words.
    Flaw(String),
    /// Nothing, as long as patience lasted.
    Nothing,
    /// Its end.
    End,
}

/// A world's own failure: not a difference between script and server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A world in which a script is played.
pub trait Driver {
    /// How it carries streams.
    fn transport(&self) -> Transport;
    /// Opens a connection to the server.
    ///
    /// # Errors
    /// When there is no such door, or nobody answers.
    fn open(&mut self, door: Door) -> Result<Link, Broken>;
    /// Says bytes of a stream, as they would be on TCP. On a connection that has ended they are
    /// lost.
    fn say(&mut self, link: Link, bytes: &[u8]);
    /// Begins TLS as its client.
    ///
    /// # Errors
    /// When the handshake fails, or this is not the transport's way.
    fn secure(&mut self, link: Link) -> Result<(), Broken>;
    /// What binds this connection's channel by this type (RFC 5056), if it is secure and has it.
    fn channel(&self, link: Link, kind: &str) -> Option<Vec<u8>>;
    /// Waits for what the server says.
    fn hear(&mut self, link: Link, patience: Patience) -> Came;
    /// Breaks the connection off.
    fn cut(&mut self, link: Link);
    /// Lets time pass: really, where it is not simulated.
    fn pass(&mut self, ms: u64) {
        std::thread::sleep(Duration::from_millis(ms));
    }
}
