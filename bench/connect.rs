//! From nothing to a bound session: TCP, TLS, perhaps a WebSocket, the login.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use wire::{Name, ns};

use crate::device::Device;
use crate::link::Link;
use crate::session::Session;
use crate::target::{Secure, Target};
use crate::{sasl, sasl2, tls};

/// How long one login may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream under TLS.
pub type Secured = Link<TlsStream<TcpStream>>;

/// Logs account `index` in, up to and including bind; no presence is sent.
///
/// # Errors
/// Says which account, and at which step what went wrong.
pub async fn connect(target: &Target, index: usize) -> Result<Session> {
    let user = target.user(index);
    let mut device = target.device(index).await;
    timeout(PATIENCE, negotiate(target, &mut device, &user))
        .await
        .context("no answer in time")
        .flatten()
        .with_context(|| format!("login of {user}@{}", target.domain()))
}

async fn negotiate(target: &Target, device: &mut Device, user: &str) -> Result<Session> {
    let socket = dial(target).await.context("connecting")?;
    socket.set_nodelay(true)?;
    let socket = match target.secure {
        Secure::Direct | Secure::Wss => socket,
        Secure::Starttls => starttls(socket, target.domain()).await.context("STARTTLS")?,
    };
    let secured = device.secure(socket).await.context("TLS")?;
    let binding = target.mechanism.binds().then(|| tls::exporter(&secured)).transpose()?;
    let binding = binding.as_ref().map(<[u8; 32]>::as_slice);
    let mut link = match target.secure {
        Secure::Direct | Secure::Starttls => Link::new(secured),
        Secure::Wss => {
            let opened = Link::web(secured, target.domain(), &target.path).await;
            opened.context("WebSocket")?
        }
    };
    let jid = match target.mechanism.is_token() {
        true => sasl2::log_in(&mut link, target, device, user, binding).await?,
        false => sasl::log_in(&mut link, target, user, binding).await?,
    };
    let account = format!("{user}@{}/", target.domain());
    ensure!(jid.len() > account.len() && jid.starts_with(&account), "it was bound to {jid}");
    Ok(Session::new(link, jid))
}

/// A socket that is connected.
///
/// # Errors
/// When it cannot be.
pub async fn dial(target: &Target) -> Result<TcpStream> {
    let socket = match target.address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(bytes) = target.receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    Ok(socket.connect(target.address).await?)
}

/// RFC 6120 §5.4.2.
async fn starttls(socket: TcpStream, domain: &str) -> Result<TcpStream> {
    let mut link = Link::new(socket);
    let features = link.open(domain).await?;
    let offered = features.element().child(Name::new(ns::TLS, "starttls")).is_some();
    ensure!(offered, "not offered: {}", features.as_str());
    link.say(&format!("<starttls xmlns='{}'/>", ns::TLS));
    link.expect(Name::new(ns::TLS, "proceed")).await?;
    link.into_socket()
}
