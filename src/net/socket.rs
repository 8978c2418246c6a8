//! A socket: in the clear, in the middle of a handshake, or under TLS.

use crate::{
    acme::TLS_PROTOCOL, client_certificate::ClientCertificates, facts::Bindings,
    limits::READ_BYTES_MAX, secure::Secure, turnstile::Turnstile,
};
use engine::stream::machine;
use rustls::{ProtocolVersion, ServerConfig};
use std::{
    io,
    mem::{self, MaybeUninit},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A socket. What TLS needs is boxed: a connection begins without it, or ends without.
pub(crate) enum Socket {
    Plain(TcpStream),
    Handshake(Box<Secure>),
    Secure(Box<Secure>),
    /// It failed, or was never there.
    Gone,
}

impl Socket {
    /// Begins a TLS handshake as its server, one of those who pass here.
    pub(crate) fn secure(&mut self, config: &Arc<ServerConfig>, turnstile: &Turnstile) {
        *self = match mem::replace(self, Self::Gone) {
            Self::Plain(socket) => match Secure::new(socket, config.clone(), turnstile) {
                Ok(secure) => Self::Handshake(Box::new(secure)),
                Err(_) => Self::Gone,
            },
            other => other,
        };
    }

    /// Goes on with the handshake. Pending for ever when there is none. `clients` vouch for a
    /// certificate that the client shows.
    pub(crate) fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
        clients: Option<&ClientCertificates>,
    ) -> Poll<io::Result<machine::Tls>> {
        let Self::Handshake(secure) = self else { return Poll::Pending };
        let shaken = ready!(secure.poll_handshake(cx));
        let Self::Handshake(mut secure) = mem::replace(self, Self::Gone) else {
            unreachable!("it was a handshake two lines before");
        };
        shaken?;
        // RFC 8737 §4: the handshake was all that it wanted.
        if secure.alpn() == Some(TLS_PROTOCOL) {
            let over = "the challenge of a certificate authority is over";
            return Poll::Ready(Err(io::Error::other(over)));
        }
        let version = match secure.version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "unknown",
        };
        let Bindings { exporter, end_point } = secure.take_bindings();
        let identities = clients.map(|clients| clients.identities(secure.client_chain()));
        let identities = identities.unwrap_or_default();
        *self = Self::Secure(secure);
        Poll::Ready(Ok(machine::Tls { version, exporter, end_point, identities }))
    }

    /// The protocol that the client has asked for in the handshake.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        match self {
            Self::Secure(secure) => secure.alpn(),
            _ => None,
        }
    }

    /// What the peer says; nothing at the end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        match self {
            Self::Plain(socket) => {
                let mut bytes = [const { MaybeUninit::uninit() }; READ_BYTES_MAX];
                let mut bytes = ReadBuf::uninit(&mut bytes);
                ready!(Pin::new(socket).poll_read(cx, &mut bytes))?;
                Poll::Ready(Ok(bytes.filled().to_vec()))
            }
            Self::Secure(secure) => secure.poll_read(cx),
            Self::Handshake(_) => Poll::Pending,
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Secure(secure) => secure.poll_write(cx, bytes),
            Self::Handshake(_) => Poll::Pending,
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Pushes out what TLS holds back.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Secure(secure) => secure.poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Says that nothing more comes: `close_notify`, then the end of the TCP stream.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Secure(secure) => secure.poll_shutdown(cx),
            Self::Handshake(_) | Self::Gone => Poll::Ready(Ok(())),
        }
    }
}
