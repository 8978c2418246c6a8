//! One connection of HTTP, as hyper reads and writes it.

use crate::{
    arrival::{Arrived, Near},
    limits::HTTP_SILENCE_MAX,
    listen::Seat,
};
use axum::http::HeaderMap;
use engine::stream::machine::Tls;
use std::{
    io, mem,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// One connection of HTTP.
pub(crate) struct Guest {
    pub(super) arrived: Arrived,
    pub(super) visitor: Arc<Visitor>,
    /// What was read and not asked for yet.
    unread: Vec<u8>,
    /// Runs while the peer does not take what it asked for.
    stalled: Option<Pin<Box<Sleep>>>,
    _seat: Seat,
}

/// What a request's answer may depend on: who asks, and how.
#[derive(Debug)]
pub(crate) struct Visitor {
    /// The client, also behind a load balancer.
    pub(crate) peer: SocketAddr,
    /// Under TLS of ours.
    pub(crate) tls: Option<Tls>,
    pub(crate) near: Near,
}

impl Visitor {
    /// Whether what it says can have crossed no wire in the clear: passwords may be among it.
    pub(crate) fn is_private(&self) -> bool {
        self.tls.is_some() || self.near != Near::Far
    }

    /// For whom it asks. A web server beside us hands on what others ask, and writes the address
    /// of each behind what was in `X-Forwarded-For` before; nobody else is believed.
    pub(crate) fn client(&self, headers: &HeaderMap) -> IpAddr {
        let believed = self.tls.is_none() && self.near == Near::Here;
        let last = headers.get_all("x-forwarded-for").iter().next_back().filter(|_| believed);
        let last = last.and_then(|last| last.to_str().ok()?.rsplit(',').next());
        last.and_then(|last| last.trim().parse().ok()).unwrap_or(self.peer.ip())
    }
}

impl Guest {
    pub(crate) fn new(arrived: Arrived, tls: Option<Tls>) -> Self {
        let visitor = Arc::new(Visitor { peer: arrived.peer, tls, near: arrived.near });
        let _seat = arrived.pass.seat();
        Self { arrived, visitor, unread: Vec::new(), stalled: None, _seat }
    }

    /// The connection again, and what was read of it.
    pub(super) fn leave(self) -> (Arrived, Vec<u8>) {
        (self.arrived, self.unread)
    }

    /// Who does not take what it asked for holds memory of ours.
    fn stall<T>(
        &mut self,
        cx: &mut Context<'_>,
        moved: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            self.stalled = None;
            return moved;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(HTTP_SILENCE_MAX)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            self.unread = ready!(self.arrived.socket.poll_read(cx))?;
        }
        let taken = self.unread.len().min(into.remaining());
        into.put_slice(&self.unread[..taken]);
        if taken == self.unread.len() {
            drop(mem::take(&mut self.unread));
        } else {
            self.unread.drain(..taken);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guest {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.arrived.socket.poll_write(cx, bytes);
        self.stall(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.arrived.socket.poll_flush(cx);
        self.stall(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = self.arrived.socket.poll_shutdown(cx);
        self.stall(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(near: Near, tls: bool) -> Visitor {
        let peer = "127.0.0.1:4369".parse().unwrap();
        Visitor { peer, tls: tls.then(Tls::default), near }
    }

    #[test]
    fn in_the_clear_passwords_come_from_this_machine_and_from_balancers_only() {
        assert!(!visitor(Near::Far, false).is_private());
        for near in [Near::Far, Near::Here, Near::Balancer] {
            assert!(visitor(near, true).is_private());
        }
        assert!(visitor(Near::Here, false).is_private());
        assert!(visitor(Near::Balancer, false).is_private());
    }

    #[test]
    fn who_is_forwarded_is_told_by_a_web_server_beside_us_and_nobody_else() {
        let told = |near, tls, forwarded: &'static [&'static str]| {
            let lines = forwarded.iter().map(|line| {
                let name = axum::http::HeaderName::from_static("x-forwarded-for");
                (name, axum::http::HeaderValue::from_static(line))
            });
            visitor(near, tls).client(&lines.collect()).to_string()
        };
        // What stands before the last was said by the client itself.
        assert_eq!(told(Near::Here, false, &["192.0.2.1, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(told(Near::Here, false, &["192.0.2.1", "2001:db8::7"]), "2001:db8::7");
        for nothing in [&[][..], &["me"], &["192.0.2.1, "]] {
            assert_eq!(told(Near::Here, false, nothing), "127.0.0.1");
        }
        assert_eq!(told(Near::Here, true, &["192.0.2.7"]), "127.0.0.1");
        assert_eq!(told(Near::Balancer, false, &["192.0.2.7"]), "127.0.0.1");
        assert_eq!(told(Near::Far, false, &["192.0.2.7"]), "127.0.0.1");
    }
}
