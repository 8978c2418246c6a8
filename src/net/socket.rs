//! A socket: in the clear, in the middle of a handshake, or under TLS.

use crate::limits::TLS_BYTES_MAX;
use engine::stream::machine;
use rustls::ProtocolVersion;
use std::{
    io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{Accept, TlsAcceptor, server::TlsStream};

/// A socket. The large ones are boxed: a connection is in the handshake once.
pub(crate) enum Socket {
    Plain(TcpStream),
    Handshake(Box<Accept<TcpStream>>),
    Secure(Box<TlsStream<TcpStream>>),
    /// It failed, or was never there.
    Gone,
}

impl Socket {
    /// Begins a TLS handshake as its server.
    pub(crate) fn secure(&mut self, with: &TlsAcceptor) {
        *self = match mem::replace(self, Self::Gone) {
            Self::Plain(socket) => {
                let limited = |tls: &mut rustls::ServerConnection| {
                    tls.set_buffer_limit(Some(TLS_BYTES_MAX));
                };
                Self::Handshake(Box::new(with.accept_with(socket, limited)))
            }
            other => other,
        };
    }

    /// Goes on with the handshake. Pending for ever when there is none.
    pub(crate) fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<machine::Tls>> {
        let Self::Handshake(handshake) = self else { return Poll::Pending };
        match ready!(Pin::new(&mut **handshake).poll(cx)) {
            Ok(tls) => {
                let version = match tls.get_ref().1.protocol_version() {
                    Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                    Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                    _ => "unknown",
                };
                *self = Self::Secure(Box::new(tls));
                Poll::Ready(Ok(machine::Tls { version }))
            }
            Err(error) => {
                *self = Self::Gone;
                Poll::Ready(Err(error))
            }
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, into),
            Self::Secure(socket) => Pin::new(&mut **socket).poll_read(cx, into),
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
            Self::Secure(socket) => Pin::new(&mut **socket).poll_write(cx, bytes),
            Self::Handshake(_) => Poll::Pending,
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Pushes out what TLS holds back.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Secure(socket) => Pin::new(&mut **socket).poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Says that nothing more comes: `close_notify`, then the end of the TCP stream.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Secure(socket) => Pin::new(&mut **socket).poll_shutdown(cx),
            Self::Handshake(_) | Self::Gone => Poll::Ready(Ok(())),
        }
    }
}
