//! What goes out: what the peer did not take yet is kept, and no more than that.

use crate::{limits::UNSENT_BYTES_MAX, socket::Socket};
use std::{
    io, mem,
    task::{Context, Poll},
};

/// Bytes that wait for a peer. Nothing is allocated while there are none.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    unsent: Vec<u8>,
    /// How much of `unsent` has been taken nevertheless.
    sent: usize,
    /// TLS may hold back what it took.
    unflushed: bool,
}

impl Outgoing {
    /// The peer does not take what we have for it: nothing more is made for it meanwhile.
    pub(crate) fn is_congested(&self) -> bool {
        self.unsent.len() - self.sent > UNSENT_BYTES_MAX
    }

    /// The peer, or at least the kernel, has everything.
    pub(crate) fn is_done(&self) -> bool {
        self.unsent.is_empty() && !self.unflushed
    }

    /// First what could not be sent before, then what is new; what cannot be sent now is kept.
    /// Returns whether anything was taken. What is the `last` leaves when the socket is shut down,
    /// with the goodbye of TLS.
    ///
    /// # Errors
    /// The socket's.
    pub(crate) fn write(
        &mut self,
        socket: &mut Socket,
        cx: &mut Context<'_>,
        fresh: &mut Vec<u8>,
        last: bool,
    ) -> io::Result<bool> {
        if self.is_done() && fresh.is_empty() {
            return Ok(false);
        }
        let mut taken = 0;
        if !self.unsent.is_empty() {
            self.unsent.append(fresh);
            taken = write_to(socket, cx, &self.unsent[self.sent..])?;
            self.sent += taken;
            if self.sent == self.unsent.len() {
                (self.unsent, self.sent) = (Vec::new(), 0);
            } else if self.sent > UNSENT_BYTES_MAX {
                self.unsent.drain(..mem::take(&mut self.sent));
            }
        } else if !fresh.is_empty() {
            taken = write_to(socket, cx, fresh)?;
            self.unsent = fresh[taken..].to_vec();
            fresh.clear();
        }
        self.unflushed = (self.unflushed || taken > 0) && !last;
        if self.unflushed {
            match socket.poll_flush(cx) {
                Poll::Ready(flushed) => flushed.map(|()| self.unflushed = false)?,
                Poll::Pending => {}
            }
        }
        Ok(taken > 0)
    }
}

fn write_to(socket: &mut Socket, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        match socket.poll_write(cx, &bytes[taken..]) {
            Poll::Pending => break,
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(more) => taken += more?,
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::{
        io::AsyncReadExt,
        net::{TcpListener, TcpStream},
    };

    #[tokio::test]
    async fn what_the_peer_does_not_take_is_kept_and_follows_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut socket = Socket::Plain(listener.accept().await.unwrap().0);
        let mut outgoing = Outgoing::default();
        let mut said = Vec::new();
        let mut next = 0u32;
        while !outgoing.is_congested() {
            let mut fresh = next.to_be_bytes().repeat(10_000);
            said.extend_from_slice(&fresh);
            next += 1;
            let wrote =
                poll_fn(|cx| Poll::Ready(outgoing.write(&mut socket, cx, &mut fresh, false))).await;
            wrote.unwrap();
            assert!(fresh.is_empty());
        }
        let reader = tokio::spawn(async move {
            let mut heard = Vec::new();
            peer.read_to_end(&mut heard).await.unwrap();
            heard
        });
        poll_fn(|cx| {
            outgoing.write(&mut socket, cx, &mut Vec::new(), false).unwrap();
            if outgoing.is_done() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        drop(socket);
        assert!(reader.await.unwrap() == said);
        assert_eq!(outgoing.unsent.capacity(), 0);
    }
}
