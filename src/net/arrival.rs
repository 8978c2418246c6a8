//! What a connection goes through before it is a stream's or that of HTTP: the word of a load
//! balancer, the gate, and on ports of HTTPS the handshake, in which it says what it will speak.

use crate::{
    drive::{self, Begins},
    http::{self, Guest, Web},
    listen::Pass,
    proxied,
    shell::Shell,
    socket::Socket,
    tls::XMPP,
};
use engine::stream::machine::Tls;
use socket2::SockRef;
use std::{future::poll_fn, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::watch, time::timeout};

/// What is spoken at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// XMPP, with STARTTLS.
    StartTls,
    /// XMPP under TLS from the first byte.
    Tls,
    /// HTTP in the clear.
    Http,
    /// HTTP under TLS, and XMPP for who asks for that (XEP-0368 §3).
    Https,
}

/// A connection that was let in.
pub(crate) struct Arrived {
    pub(crate) socket: Socket,
    /// The client, also behind a load balancer.
    pub(crate) peer: SocketAddr,
    pub(crate) pass: Pass,
    /// It came by a load balancer of ours, or from this machine.
    pub(crate) near: Near,
}

/// How near to us the other end of a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Near {
    /// Anywhere.
    Far,
    /// On this machine.
    Here,
    /// A load balancer, who has told for whom it speaks.
    Balancer,
}

/// What the system keeps of a connection and has not sent, in bytes: with more of it each of a
/// thousand that do not read takes megabytes outside of every limit of ours.
const UNSENT_SYSTEM_BYTES_MAX: u32 = 256 << 10;

/// Without the first the last flight of a login may wait 40 ms for an acknowledgement. Without the
/// second nobody finds out that a phone is gone without a word for as long as its messages are
/// tried again: a quarter of an hour.
fn prepare(socket: &TcpStream, unreached_ms_max: u32) {
    drop(socket.set_nodelay(true));
    #[cfg(target_os = "linux")]
    drop(
        SockRef::from(socket)
            .set_tcp_user_timeout(Some(Duration::from_millis(unreached_ms_max.into()))),
    );
    #[cfg(target_os = "linux")]
    drop(SockRef::from(socket).set_tcp_notsent_lowat(UNSENT_SYSTEM_BYTES_MAX));
}

/// Takes a connection over.
pub(crate) fn meet(
    web: &Arc<Web>,
    socket: TcpStream,
    peer: SocketAddr,
    port: Port,
    stopping: &watch::Receiver<bool>,
) {
    let shell = &web.shell;
    prepare(&socket, shell.limits.unreached_ms_max);
    if shell.proxies.iter().any(|proxy| proxy.holds(peer.ip())) {
        tokio::spawn(introduced(web.clone(), socket, peer, port, stopping.clone()));
        return;
    }
    let address = peer.ip().to_canonical();
    let same = |own: SocketAddr| own.ip().to_canonical() == address;
    let here = address.is_loopback() || socket.local_addr().is_ok_and(same);
    let near = if here { Near::Here } else { Near::Far };
    // Whoever looks after the server must see it when it is full, too, and takes nobody's place.
    let watches = near == Near::Here && port == Port::Http;
    let reserved = watches.then(|| shell.reserve.admit(peer.ip())).and_then(Result::ok);
    let pass = reserved.map_or_else(|| shell.gate.admit(peer.ip()), Ok);
    match pass {
        Ok(pass) => {
            let socket = Socket::Plain(socket);
            admitted(web, Arrived { socket, peer, pass, near }, port, stopping);
        }
        Err(why) => shell.meters.refused(why),
    }
}

/// A load balancer says first for whom it speaks.
async fn introduced(
    web: Arc<Web>,
    mut socket: TcpStream,
    balancer: SocketAddr,
    port: Port,
    mut stopping: watch::Receiver<bool>,
) {
    let shell = &web.shell;
    let entrant = match shell.gate.enter() {
        Ok(entrant) => entrant,
        Err(why) => return shell.meters.refused(why),
    };
    let said = tokio::select! {
        said = timeout(patience(shell), proxied::header(&mut socket)) => said,
        // Nothing has been said that would want an answer.
        _ = stopping.wait_for(|stopping| *stopping) => return,
    };
    let peer = match said {
        Ok(Ok(peer)) => peer.unwrap_or(balancer),
        Ok(Err(_)) | Err(_) => {
            tracing::debug!(peer = %balancer, "a load balancer has not said for whom it speaks");
            return shell.meters.refused("proxy_header");
        }
    };
    match entrant.from(peer.ip()) {
        Ok(pass) => {
            let socket = Socket::Plain(socket);
            admitted(&web, Arrived { socket, peer, pass, near: Near::Balancer }, port, &stopping);
        }
        Err(why) => shell.meters.refused(why),
    }
}

fn admitted(web: &Arc<Web>, arrived: Arrived, port: Port, stopping: &watch::Receiver<bool>) {
    match port {
        Port::StartTls => drive::spawn(&web.shell, arrived, Begins::StartTls),
        Port::Tls => drive::spawn(&web.shell, arrived, Begins::Handshake),
        Port::Http => {
            let guest = Guest::new(arrived, None);
            tokio::spawn(http::serve(web.clone(), guest, stopping.clone()));
        }
        Port::Https => {
            tokio::spawn(shake_hands(web.clone(), arrived, stopping.clone()));
        }
    }
}

/// The handshake tells what comes then.
async fn shake_hands(web: Arc<Web>, mut arrived: Arrived, mut stopping: watch::Receiver<bool>) {
    let shell = &web.shell;
    arrived.socket.secure(&shell.tls.https, &shell.turnstile);
    let shaken = poll_fn(|cx| arrived.socket.poll_handshake(cx, shell.tls.clients.as_ref()));
    let shaken = tokio::select! {
        shaken = timeout(patience(shell), shaken) => shaken,
        // Nothing has been said that would want an answer.
        _ = stopping.wait_for(|stopping| *stopping) => return,
    };
    let tls: Tls = match shaken {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => {
            tracing::debug!(peer = %arrived.peer, %error, "TLS handshake failed");
            return shell.meters.handshake("failed");
        }
        Err(_) => {
            tracing::debug!(peer = %arrived.peer, "the TLS handshake took too long");
            return shell.meters.handshake("late");
        }
    };
    shell.meters.handshake("ok");
    if arrived.socket.alpn() == Some(XMPP) {
        return drive::spawn(shell, arrived, Begins::Secured(tls));
    }
    // It outlives the handshake, whose memory goes with this task.
    tokio::spawn(http::serve(web.clone(), Guest::new(arrived, Some(tls)), stopping));
}

fn patience(shell: &Shell) -> Duration {
    Duration::from_millis(shell.limits.handshake_ms_max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn what_a_peer_does_not_acknowledge_is_not_tried_for_ever() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (socket, _) = accepted.unwrap();
        prepare(&socket, 30_000);
        assert!(client.is_ok() && socket.nodelay().unwrap());
        let unreached = SockRef::from(&socket).tcp_user_timeout().unwrap();
        assert_eq!(unreached, Some(Duration::from_secs(30)));
    }

    #[tokio::test]
    async fn the_system_keeps_little_for_a_peer_that_does_not_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (client, (socket, _)) = (client.unwrap(), accepted.unwrap());
        SockRef::from(&client).set_recv_buffer_size(4096).unwrap();
        prepare(&socket, 30_000);
        let (mut taken, much) = (0, vec![0; 64 << 10]);
        while let Ok(more) = socket.try_write(&much) {
            taken += more;
        }
        assert!(taken < 1 << 20, "{taken} bytes");
    }
}
