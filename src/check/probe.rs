//! Calls an address as a client would, as far as the features: what answers there?

use super::{served::Service, trust::Trust};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    client::TlsStream,
    rustls::{
        AlertDescription, Error,
        pki_types::{CertificateDer, ServerName},
    },
};

/// For a connection.
const CONNECT_SECONDS_MAX: u64 = 3;
/// For the connection and everything that is said on it.
pub const CALL_SECONDS_MAX: u64 = 6;
/// What an answer may have before it is no answer to us.
const ANSWER_BYTES_MAX: usize = 65_536;
/// What a load balancer says that speaks for itself (the PROXY protocol, section 2.1).
const FOR_ITSELF: &str = "PROXY UNKNOWN\r\n";
/// The content type of an alert and of a handshake (RFC 8446 §5.1).
const TLS_RECORDS: [u8; 2] = [21, 22];

/// What has answered as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The certificate that was shown.
    pub certificate: Option<CertificateDer<'static>>,
    /// What was said after TLS: features of a stream.
    pub features: String,
    /// The protocol was agreed upon (RFC 7301).
    pub alpn: bool,
}

/// What has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection.
    Unreachable(String),
    /// A connection, and then nothing that would be an answer.
    Mute,
    /// It has hung up in the middle.
    Closed,
    /// A web server.
    Web,
    /// TLS from the first byte, where STARTTLS is expected.
    OnlyTls,
    /// No TLS, where TLS from the first byte is expected.
    NoTls,
    /// TLS that serves something else.
    NoAlpn,
    /// XMPP without STARTTLS.
    NoStarttls,
    /// Its certificate is not to be believed.
    Certificate(String),
    /// An error of the stream.
    Refused(String),
    /// Something else.
    Strange(String),
}

/// Who is called.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The served domain, in ASCII.
    pub domain: &'a str,
    /// What should be there.
    pub service: Service,
    /// Where.
    pub address: SocketAddr,
    /// Whoever listens there takes us for a load balancer.
    pub as_balancer: bool,
}

impl Call<'_> {
    /// Calls.
    ///
    /// # Errors
    /// What is there instead.
    pub async fn make(&self, trust: &Trust) -> Result<Heard, Failure> {
        let called = async {
            let socket = connect(self.address, self.as_balancer).await?;
            match self.service {
                Service::Client | Service::Server => self.starttls(socket, trust).await,
                Service::ClientTls | Service::ServerTls => self.direct(socket, trust).await,
            }
        };
        let time = Duration::from_secs(CALL_SECONDS_MAX);
        timeout(time, called).await.unwrap_or(Err(Failure::Mute))
    }

    /// RFC 6120 §5.
    async fn starttls(&self, mut socket: TcpStream, trust: &Trust) -> Result<Heard, Failure> {
        let features = self.features(&mut socket).await?;
        if !features.contains("<starttls") {
            return Err(Failure::NoStarttls);
        }
        say(&mut socket, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await?;
        if !hear(&mut socket, ">").await?.contains("<proceed") {
            return Err(Failure::NoStarttls);
        }
        self.inside(secure(socket, trust, self.domain, &[]).await?).await
    }

    /// XEP-0368 §3.
    async fn direct(&self, socket: TcpStream, trust: &Trust) -> Result<Heard, Failure> {
        let alpn = match self.service {
            Service::Client | Service::ClientTls => "xmpp-client",
            Service::Server | Service::ServerTls => "xmpp-server",
        };
        self.inside(secure(socket, trust, self.domain, &[alpn]).await?).await
    }

    async fn inside(&self, mut socket: TlsStream<TcpStream>) -> Result<Heard, Failure> {
        let features = self.features(&mut socket).await?;
        // Whether the goodbye arrives matters to nobody any more.
        drop(say(&mut socket, "</stream:stream>").await);
        let (_, tls) = socket.get_ref();
        let shown = tls.peer_certificates().and_then(|chain| chain.first());
        let certificate = shown.map(|certificate| certificate.clone().into_owned());
        Ok(Heard { certificate, features, alpn: tls.alpn_protocol().is_some() })
    }

    async fn features<S>(&self, socket: &mut S) -> Result<String, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let namespace = match self.service {
            Service::Client | Service::ClientTls => "jabber:client",
            Service::Server | Service::ServerTls => "jabber:server",
        };
        let header = format!(
            "<?xml version='1.0'?><stream:stream to='{}' version='1.0' xmlns='{namespace}' \
             xmlns:stream='http://etherx.jabber.org/streams'>",
            self.domain
        );
        say(socket, &header).await?;
        hear(socket, "</stream:features>").await
    }
}

/// A connection; one that a load balancer would make begins with a word about whom it is for.
///
/// # Errors
/// Why there is none.
pub async fn connect(address: SocketAddr, as_balancer: bool) -> Result<TcpStream, Failure> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::Unreachable("nothing listens".to_owned()),
        _ => Failure::Unreachable(error.to_string()),
    };
    let time = Duration::from_secs(CONNECT_SECONDS_MAX);
    let connected = timeout(time, TcpStream::connect(address)).await;
    let connected = connected.map_err(|_| Failure::Unreachable("no answer".to_owned()))?;
    let mut socket = connected.map_err(failed)?;
    if as_balancer {
        say(&mut socket, FOR_ITSELF).await?;
    }
    Ok(socket)
}

/// Goes over to TLS, and believes nobody whom this machine's programs would not.
///
/// # Errors
/// What is there instead.
pub async fn secure(
    socket: TcpStream,
    trust: &Trust,
    name: &str,
    alpn: &[&str],
) -> Result<TlsStream<TcpStream>, Failure> {
    let strange = |error: Error| Failure::Strange(error.to_string());
    let plain = name.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(plain).map_err(|error| Failure::Strange(error.to_string()))?;
    let connector = trust.connector(alpn).map_err(strange)?;
    connector.connect(name, socket).await.map_err(|error| {
        match error.get_ref().and_then(|error| error.downcast_ref::<Error>()) {
            Some(Error::InvalidCertificate(why)) => Failure::Certificate(why.to_string()),
            Some(Error::InvalidMessage(_)) => Failure::NoTls,
            Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => Failure::NoAlpn,
            Some(error) => strange(error.clone()),
            None => failed(&error),
        }
    })
}

fn failed(error: &io::Error) -> Failure {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => Failure::Closed,
        _ => Failure::Strange(error.to_string()),
    }
}

async fn say<S: AsyncWrite + Unpin>(socket: &mut S, text: &str) -> Result<(), Failure> {
    let said = async {
        socket.write_all(text.as_bytes()).await?;
        socket.flush().await
    };
    said.await.map_err(|error| failed(&error))
}

/// What is said up to and with this.
async fn hear<S: AsyncRead + Unpin>(socket: &mut S, end: &str) -> Result<String, Failure> {
    let mut heard = Vec::new();
    let mut bytes = [0; 4096];
    while heard.len() < ANSWER_BYTES_MAX {
        let read = socket.read(&mut bytes).await.map_err(|error| failed(&error))?;
        heard.extend_from_slice(&bytes[..read]);
        if heard.starts_with(b"HTTP/") {
            return Err(Failure::Web);
        }
        if heard.first().is_some_and(|first| TLS_RECORDS.contains(first)) {
            return Err(Failure::OnlyTls);
        }
        let text = String::from_utf8_lossy(&heard);
        if let Some(condition) = condition(&text) {
            return Err(Failure::Refused(condition));
        }
        match read {
            _ if text.contains(end) => return Ok(text.into_owned()),
            0 if heard.is_empty() => return Err(Failure::Closed),
            0 => break,
            _ => {}
        }
    }
    let begin: String = String::from_utf8_lossy(&heard).chars().take(40).collect();
    Err(Failure::Strange(format!("{begin:?} is no stream")))
}

/// The name of a stream's error (RFC 6120 §4.9).
fn condition(text: &str) -> Option<String> {
    let (_, error) = text.split_once("<stream:error>")?;
    let name = error.strip_prefix('<')?.split([' ', '/', '>']).next()?;
    Some(name.to_owned())
}
