//! TLS over a socket, with no buffer while nothing is under way. The buffered side of rustls keeps
//! 4 KiB of each connection for what might come; here what comes is read into a buffer of the
//! thread, and only what cannot be used yet, or is not taken yet, is kept.

use crate::{
    facts::{self, Bindings},
    limits::{TLS_INCOMING_BYTES_MAX, TLS_PLAIN_BYTES_MAX},
    turnstile::{Turnstile, Waits},
};
use rustls::{
    ServerConfig,
    pki_types::CertificateDer,
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{
        ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
    },
};
use std::{
    cell::Cell,
    io, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

thread_local! {
    /// Borrowed to read records into.
    static INCOMING: Cell<Vec<u8>> = Cell::default();
    /// Borrowed for records that leave at once.
    static OUTGOING: Cell<Vec<u8>> = Cell::default();
}

/// Bytes of a record.
type Made = Result<usize, EncryptError>;

/// The server's side of a TLS connection.
pub(crate) struct Secure {
    socket: TcpStream,
    tls: UnbufferedServerConnection,
    /// The beginning of a record, or of a handshake message, whose rest has not come.
    incoming: Vec<u8>,
    /// Records that have not been flushed, or that the kernel has not taken.
    outgoing: Vec<u8>,
    /// Decrypted, and not asked for yet.
    heard: Vec<u8>,
    /// Until the handshake is over, what it does comes in turn.
    turns: Option<Box<Waits>>,
    /// Asked for once the handshake is over.
    bindings: Option<Box<Bindings>>,
    /// The peer has said `close_notify`.
    heard_close: bool,
    /// We have.
    said_close: bool,
    /// Its records were none; rustls may not be asked again.
    failed: bool,
}

impl Secure {
    /// Begins a handshake.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub(crate) fn new(
        socket: TcpStream,
        config: Arc<ServerConfig>,
        turnstile: &Turnstile,
    ) -> Result<Self, rustls::Error> {
        Ok(Self {
            socket,
            tls: UnbufferedServerConnection::new(config)?,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            heard: Vec::new(),
            turns: Some(Box::new(turnstile.waits())),
            bindings: None,
            heard_close: false,
            said_close: false,
            failed: false,
        })
    }

    /// The protocol version, once it is agreed on.
    pub(crate) fn version(&self) -> Option<rustls::ProtocolVersion> {
        self.tls.protocol_version()
    }

    /// The certificates that the client has shown, its own first. Only its key is known to be its
    /// own.
    pub(crate) fn client_chain(&self) -> &[CertificateDer<'static>] {
        self.tls.peer_certificates().unwrap_or_default()
    }

    /// What binds this channel, told once.
    pub(crate) fn take_bindings(&mut self) -> Bindings {
        self.bindings.take().map(|bindings| *bindings).unwrap_or_default()
    }

    /// The protocol that the client has asked for, once it is agreed on (RFC 7301).
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.tls.alpn_protocol()
    }

    /// Goes on with the handshake.
    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let over = !self.tls.is_handshaking();
            // Who has said more already is answered at once: the ticket goes with the answer.
            if !over || self.heard.is_empty() {
                ready!(self.poll_flush(cx))?;
            }
            if over {
                self.turns = None;
                return Poll::Ready(Ok(()));
            }
            ready!(self.socket.poll_read_ready(cx))?;
            if let Some(turns) = &mut self.turns {
                ready!(turns.poll_pass(cx));
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// What the peer says; nothing when it has ended, with a `close_notify` or without: what
    /// ends a stream is said inside it.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        loop {
            if !self.heard.is_empty() || self.heard_close {
                return Poll::Ready(Ok(mem::take(&mut self.heard)));
            }
            // The peer may wait for what we hold.
            if !self.outgoing.is_empty()
                && let Poll::Ready(flushed) = self.poll_flush(cx)
            {
                flushed?;
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Ok(Vec::new()));
            }
        }
    }

    /// Encrypts; returns how much of `plain` was taken. It leaves with the next flush, together
    /// with what is said until then.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        plain: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.settle()?;
        if self.outgoing.len() > TLS_PLAIN_BYTES_MAX {
            ready!(self.poll_flush(cx))?;
        }
        if self.outgoing.is_empty() {
            self.outgoing = OUTGOING.take();
        }
        let plain = &plain[..plain.len().min(TLS_PLAIN_BYTES_MAX)];
        self.encrypt(|traffic, room| traffic.encrypt(plain, room))?;
        Poll::Ready(Ok(plain.len()))
    }

    /// Sends the records that the kernel has not taken.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outgoing.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let sent = poll_send(&mut self.socket, cx, &self.outgoing)?;
        if sent < self.outgoing.len() {
            self.outgoing.drain(..sent);
            self.outgoing.shrink_to_fit();
            return Poll::Pending;
        }
        let mut lent = mem::take(&mut self.outgoing);
        lent.clear();
        OUTGOING.set(lent);
        Poll::Ready(Ok(()))
    }

    /// Says `close_notify`, then ends our side of the TCP stream.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.said_close {
            self.said_close = true;
            self.settle()?;
            // After the peer's own goodbye, or a failure, there is nobody to say it to.
            drop(self.encrypt(|traffic, room| traffic.queue_close_notify(room)));
        }
        ready!(self.poll_flush(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Records and what is in them.
impl Secure {
    /// Reads what has come; 0 at the end of the TCP stream.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buffer = INCOMING.take();
        buffer.resize(TLS_INCOMING_BYTES_MAX, 0);
        let filled = self.poll_fill_from(cx, &mut buffer);
        INCOMING.set(buffer);
        filled
    }

    fn poll_fill_from(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let held = self.incoming.len();
        if held == buffer.len() {
            let long =
                io::Error::new(io::ErrorKind::InvalidData, "a handshake message is too long");
            return Poll::Ready(Err(long));
        }
        let mut read = ReadBuf::new(&mut buffer[held..]);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
        let got = read.filled().len();
        if got > 0 {
            buffer[..held].copy_from_slice(&self.incoming);
            let all = &mut buffer[..held + got];
            let used = self.advance(all);
            let used = used.map_err(|error| self.violated(cx, &error))?;
            self.incoming = all[used..].to_vec();
        }
        Poll::Ready(Ok(got))
    }

    /// Tells the peer what was wrong with its records, if it will hear it.
    fn violated(&mut self, cx: &mut Context<'_>, error: &rustls::Error) -> io::Error {
        drop(self.poll_flush(cx));
        io::Error::new(io::ErrorKind::InvalidData, error.to_string())
    }

    /// What the peer must be told of an error waits in front of what rustls cannot go on with.
    /// That it wants to see again each time, for it remembers how far it came in it.
    fn alert(&mut self, records: &mut [u8]) {
        if let Ok(ConnectionState::EncodeTlsData(mut alert)) =
            self.tls.process_tls_records(records).state
        {
            encode(&mut alert, &mut self.outgoing);
        }
        self.failed = true;
    }

    /// Handles what is held, if there is anything, and what rustls wants to say.
    fn settle(&mut self) -> io::Result<()> {
        if self.failed {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let mut held = mem::take(&mut self.incoming);
        let used = self.advance(&mut held).map_err(io::Error::other)?;
        held.drain(..used);
        self.incoming = held;
        Ok(())
    }

    /// Goes through the records. Returns how many bytes of them are done with.
    fn advance(&mut self, records: &mut [u8]) -> Result<usize, rustls::Error> {
        if !self.tls.is_handshaking() {
            return self.process(records);
        }
        let (used, found) = facts::gather(|| self.process(records));
        let suite = self.tls.negotiated_cipher_suite();
        self.bindings.get_or_insert_default().add(found, suite);
        used
    }

    fn process(&mut self, records: &mut [u8]) -> Result<usize, rustls::Error> {
        let mut used = 0;
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.tls.process_tls_records(&mut records[used..]);
            let mut more = true;
            let state = match state {
                Ok(state) => state,
                Err(error) => {
                    self.alert(&mut records[used + discard..]);
                    return Err(error);
                }
            };
            match state {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        self.heard.extend_from_slice(record.payload);
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => encode(&mut data, &mut self.outgoing),
                // It leaves before anything that is encrypted later.
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.heard_close = true,
                _ => more = false,
            }
            used += discard;
            if !more {
                return Ok(used);
            }
        }
    }

    /// Appends a record that `make` makes.
    fn encrypt(
        &mut self,
        mut make: impl FnMut(&mut WriteTraffic<'_, ServerConnectionData>, &mut [u8]) -> Made,
    ) -> io::Result<()> {
        let mut held = mem::take(&mut self.incoming);
        let records = &mut self.outgoing;
        let begin = records.len();
        // `settle` has left nothing in it that could be done with.
        let state = self.tls.process_tls_records(&mut held).state;
        let made = match state.map_err(io::Error::other)? {
            ConnectionState::WriteTraffic(mut traffic) => loop {
                match make(&mut traffic, &mut records[begin..]) {
                    Ok(length) => break Ok(length),
                    Err(EncryptError::InsufficientSize(needs)) => {
                        records.resize(begin + needs.required_size, 0);
                    }
                    Err(exhausted) => break Err(io::Error::other(exhausted)),
                }
            },
            _ => Err(io::ErrorKind::NotConnected.into()),
        };
        records.truncate(begin + *made.as_ref().unwrap_or(&0));
        self.incoming = held;
        made.map(drop)
    }
}

fn encode(data: &mut EncodeTlsData<'_, ServerConnectionData>, into: &mut Vec<u8>) {
    let begin = into.len();
    while let Err(EncodeError::InsufficientSize(needs)) = data.encode(&mut into[begin..]) {
        into.resize(begin + needs.required_size, 0);
    }
}

/// How much of it the kernel takes now; for the rest the task is woken.
fn poll_send(socket: &mut TcpStream, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match Pin::new(&mut *socket).poll_write(cx, &bytes[sent..]) {
            Poll::Pending => break,
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(more) => sent += more?,
        }
    }
    Ok(sent)
}

#[cfg(test)]
mod tests;
