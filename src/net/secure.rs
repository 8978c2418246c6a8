//! TLS over a socket, with no buffer while nothing is under way. The buffered side of rustls keeps
//! 4 KiB of each connection for what might come; here what comes is read into a buffer of the
//! thread, and only what cannot be used yet, or is not taken yet, is kept.

use crate::{
    facts::{self, Bindings},
    limits::{TLS_INCOMING_BYTES_MAX, TLS_PLAIN_BYTES_MAX},
};
use rustls::{
    ServerConfig,
    pki_types::CertificateDer,
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus},
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
    /// Borrowed to encrypt into.
    static OUTGOING: Cell<Vec<u8>> = Cell::default();
}

/// The server's side of a TLS connection.
pub(crate) struct Secure {
    socket: TcpStream,
    tls: UnbufferedServerConnection,
    /// The beginning of a record, or of a handshake message, whose rest has not come.
    incoming: Vec<u8>,
    /// Records that the kernel has not taken.
    outgoing: Vec<u8>,
    sent: usize,
    /// Decrypted, and not asked for yet.
    heard: Vec<u8>,
    /// Asked for once the handshake is over.
    bindings: Option<Box<Bindings>>,
    /// The peer has said `close_notify`.
    heard_close: bool,
    /// We have.
    said_close: bool,
}

impl Secure {
    /// Begins a handshake.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub(crate) fn new(socket: TcpStream, config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self {
            socket,
            tls: UnbufferedServerConnection::new(config)?,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            sent: 0,
            heard: Vec::new(),
            bindings: None,
            heard_close: false,
            said_close: false,
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
            ready!(self.poll_flush(cx))?;
            if !self.tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// What the peer says; nothing when it has ended, with a `close_notify` or without: what
    /// ends a stream is said inside it.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        if !self.outgoing.is_empty()
            && let Poll::Ready(flushed) = self.poll_flush(cx)
        {
            flushed?;
        }
        loop {
            if !self.heard.is_empty() || self.heard_close {
                return Poll::Ready(Ok(mem::take(&mut self.heard)));
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Ok(Vec::new()));
            }
        }
    }

    /// Encrypts and sends; returns how much of `plain` was taken. What was taken before must
    /// have left.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        plain: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.settle()?;
        ready!(self.poll_flush(cx))?;
        let plain = &plain[..plain.len().min(TLS_PLAIN_BYTES_MAX)];
        let mut records = OUTGOING.take();
        let written = self.encrypt(plain, &mut records).and_then(|length| {
            let sent = poll_send(&mut self.socket, cx, &records[..length])?;
            self.outgoing = records[sent..length].to_vec();
            Ok(plain.len())
        });
        OUTGOING.set(records);
        Poll::Ready(written)
    }

    /// Sends the records that the kernel has not taken.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sent += poll_send(&mut self.socket, cx, &self.outgoing[self.sent..])?;
        if self.sent < self.outgoing.len() {
            return Poll::Pending;
        }
        (self.outgoing, self.sent) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    /// Says `close_notify`, then ends our side of the TCP stream.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.said_close {
            self.said_close = true;
            self.settle()?;
            self.close()?;
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
        // The alert waits in front of what rustls cannot go on with.
        if let Ok(ConnectionState::EncodeTlsData(mut alert)) =
            self.tls.process_tls_records(&mut []).state
        {
            encode(&mut alert, &mut self.outgoing);
            drop(self.poll_flush(cx));
        }
        io::Error::new(io::ErrorKind::InvalidData, error.to_string())
    }

    /// Handles what is held, if there is anything, and what rustls wants to say.
    fn settle(&mut self) -> io::Result<()> {
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
            match state? {
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

    /// Makes records of `plain`; returns their length. The buffer keeps its size.
    fn encrypt(&mut self, plain: &[u8], records: &mut Vec<u8>) -> io::Result<usize> {
        let mut held = mem::take(&mut self.incoming);
        // `settle` has left nothing in it that could be done with.
        let state = self.tls.process_tls_records(&mut held).state;
        let encrypted = match state.map_err(io::Error::other)? {
            ConnectionState::WriteTraffic(mut traffic) => loop {
                match traffic.encrypt(plain, records) {
                    Ok(length) => break Ok(length),
                    Err(error) => grow(records, error)?,
                }
            },
            _ => Err(io::ErrorKind::NotConnected.into()),
        };
        self.incoming = held;
        encrypted
    }

    fn close(&mut self) -> io::Result<()> {
        let mut held = mem::take(&mut self.incoming);
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) =
            self.tls.process_tls_records(&mut held).state
        {
            let mut record = Vec::new();
            let length = loop {
                match traffic.queue_close_notify(&mut record) {
                    Ok(length) => break length,
                    Err(error) => grow(&mut record, error)?,
                }
            };
            record.truncate(length);
            self.outgoing.append(&mut record);
        }
        self.incoming = held;
        Ok(())
    }
}

fn encode(data: &mut EncodeTlsData<'_, ServerConnectionData>, into: &mut Vec<u8>) {
    let begin = into.len();
    while let Err(EncodeError::InsufficientSize(needs)) = data.encode(&mut into[begin..]) {
        into.resize(begin + needs.required_size, 0);
    }
}

fn grow(records: &mut Vec<u8>, error: EncryptError) -> io::Result<()> {
    match error {
        EncryptError::InsufficientSize(needs) => records.resize(needs.required_size, 0),
        exhausted @ EncryptError::EncryptExhausted => return Err(io::Error::other(exhausted)),
    }
    Ok(())
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
