//! What a script needs of a world: connections that carry bytes, and time.

use std::fmt;

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
    /// Some bytes.
    Bytes(Vec<u8>),
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
    /// Opens a connection to the server.
    ///
    /// # Errors
    /// When there is no such door, or nobody answers.
    fn open(&mut self, door: Door) -> Result<Link, Broken>;
    /// Says bytes. On a connection that has ended they are lost.
    fn say(&mut self, link: Link, bytes: &[u8]);
    /// Begins TLS as its client.
    ///
    /// # Errors
    /// When the handshake fails.
    fn secure(&mut self, link: Link) -> Result<(), Broken>;
    /// Waits for what the server says.
    fn hear(&mut self, link: Link, patience: Patience) -> Came;
    /// Breaks the connection off.
    fn cut(&mut self, link: Link);
    /// Lets time pass.
    fn pass(&mut self, ms: u64);
}
