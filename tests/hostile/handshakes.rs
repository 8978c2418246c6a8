//! AT-15: TLS that is too old or too weak, that would begin anew for ever, or that says things
//! before it is there. Streams of TCP have their ports, WebSocket and BOSH that of HTTPS.
//!
//! Renegotiation there is none (RFC 6120 §5.3.5, §13.8): TLS 1.3 has no such thing, and by TLS 1.2,
//! where OpenSSL's client asks for it, it is refused. What is left of it is to ask for new keys
//! again and again. Chains of certificates without end are AT-18
//! (`tests/hostile/logins/certificates.rs`).

use crate::{
    client::{Client, HEADER},
    server::{PATIENCE, Server},
    watch::{Echo, is_calm, log},
};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream as Blocking},
    process::Stdio,
    sync::Arc,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::Command,
    time::timeout,
};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

const HTTPS: &str = "https = [\"127.0.0.1:0\"]\n[log]\nlevel = \"debug\"\nformat = \"json\"\n";
const PROTOCOL_VERSION: u8 = 70;
const HANDSHAKE_FAILURE: u8 = 40;
/// RC4, 3DES, export, NULL, and AES with the key of the certificate.
const WEAK: [u16; 8] = [0x0005, 0x000a, 0x0003, 0x0001, 0x003b, 0x002f, 0x009c, 0xc011];
/// What TLS 1.2 is allowed here.
const STRONG: [u16; 2] = [0xc02b, 0xc02f];
const NEW_KEYS: usize = 1_000;
const RENEGOTIATIONS: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    StartTls,
    Direct,
    Https,
}

const DOORS: [Door; 3] = [Door::StartTls, Door::Direct, Door::Https];

impl Door {
    fn address(self, server: &Server) -> SocketAddr {
        match self {
            Self::StartTls => server.starttls(),
            Self::Direct => server.direct(),
            Self::Https => server.address("https"),
        }
    }

    /// A socket on which a handshake may begin.
    async fn open(self, server: &Server) -> TcpStream {
        if self != Self::StartTls {
            return TcpStream::connect(self.address(server)).await.unwrap();
        }
        let mut client = Client::connect(self.address(server)).await;
        client.say(HEADER).await;
        client.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await;
        client.hear("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await;
        client.into_inner()
    }

    /// What makes the server say something.
    fn word(self) -> &'static [u8] {
        match self {
            Self::Https => b"GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n",
            _ => HEADER.as_bytes(),
        }
    }
}

fn sized(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

/// A client hello (RFC 5246 §7.4.1.2) of this version, with these suites.
fn hello(version: u16, suites: &[u16]) -> Vec<u8> {
    let suites: Vec<u8> = suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    let extension = |kind: u16, content: &[u8]| [&kind.to_be_bytes()[..], &sized(content)].concat();
    let extensions = [
        extension(10, &sized(&[0, 23, 0, 29])),
        extension(11, &[1, 0]),
        extension(13, &sized(&[4, 3, 8, 4, 4, 1, 2, 1])),
        extension(23, &[]),
    ];
    let body = [
        &version.to_be_bytes()[..],
        &[7; 32],
        &[0],
        &sized(&suites),
        &[1, 0],
        &sized(&extensions.concat()),
    ];
    let body = body.concat();
    let message = [&[1, 0][..], &sized(&body)].concat();
    [&[22, 3, 1][..], &sized(&message)].concat()
}

/// A line with an `R` makes OpenSSL's client ask for another handshake.
#[tokio::test]
async fn at_15_a_handshake_is_not_begun_anew_whatever_the_way_in() {
    let server = Server::start(HTTPS).await;
    for door in DOORS {
        let address = door.address(&server).to_string();
        let mut client = Command::new("openssl");
        client.args(["s_client", "-connect", &address, "-tls1_2", "-servername", "localhost"]);
        if door == Door::StartTls {
            client.args(["-starttls", "xmpp", "-xmpphost", "localhost"]);
        }
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for _ in 0..RENEGOTIATIONS {
            let mut child = client.kill_on_drop(true).spawn().expect("openssl is installed");
            let mut asks = child.stdin.take().unwrap();
            let mut heard = BufReader::new(child.stdout.take().unwrap());
            let mut said = String::new();
            // What follows the certificates is the session: then the handshake is over.
            while !said.contains("Verify return code") {
                assert_ne!(heard.read_line(&mut said).await.unwrap(), 0, "{door:?}: {said}");
            }
            asks.write_all(b"R\n").await.unwrap();
            let ended = timeout(PATIENCE, child.wait_with_output()).await.expect("an end").unwrap();
            let why = String::from_utf8_lossy(&ended.stderr);
            assert!(why.contains("no renegotiation"), "{door:?}: {why}");
        }
    }
    let mut client = Client::starttls(&server).await;
    client.say(HEADER).await;
    client.hear("<mechanism>").await;
}

#[tokio::test]
async fn at_15_what_is_too_old_or_too_weak_is_refused_whatever_the_way_in() {
    let server = Server::start(HTTPS).await;
    let all: Vec<u16> = STRONG.into_iter().chain(WEAK).collect();
    let mut refused = 0;
    for door in DOORS {
        for (what, alert) in [
            (hello(0x0300, &all), PROTOCOL_VERSION),
            (hello(0x0301, &all), PROTOCOL_VERSION),
            (hello(0x0302, &all), PROTOCOL_VERSION),
            (hello(0x0303, &WEAK), HANDSHAKE_FAILURE),
        ] {
            let mut socket = door.open(&server).await;
            socket.write_all(&what).await.unwrap();
            let mut said = Vec::new();
            drop(timeout(PATIENCE, socket.read_to_end(&mut said)).await.expect("an end"));
            assert_eq!(
                (said.first(), said.last()),
                (Some(&21), Some(&alert)),
                "{door:?}: {said:?}"
            );
            refused += 1;
        }
        // The same with what is strong enough is answered.
        let mut socket = door.open(&server).await;
        socket.write_all(&hello(0x0303, &STRONG)).await.unwrap();
        assert_eq!(timeout(PATIENCE, socket.read_u8()).await.unwrap().unwrap(), 22, "{door:?}");
    }
    let metrics = server.get("/metrics").await;
    let line = format!("waxwing_handshakes_total{{outcome=\"failed\"}} {refused}");
    // Who broke off behind a good hello may be counted already.
    let count = metrics.lines().find_map(|line| {
        line.strip_prefix("waxwing_handshakes_total{outcome=\"failed\"} ")?.parse::<usize>().ok()
    });
    assert!(count.is_some_and(|count| count >= refused), "{line}: {metrics}");
    let log = log(&server);
    for why in ["peer is incompatible: Tls12NotOffered", "peer is incompatible: NoCipherSuites"] {
        let told = |line: &&str| line.contains("\"peer\":\"127.0.0.1:") && line.contains(why);
        assert!(log.lines().filter(told).count() >= DOORS.len(), "{why}: {log}");
    }
    is_calm(&server);
}

/// A client that would say things before the handshake is over.
fn eager(server: &Server) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let own = server.folder.path().join("data/self-signed.pem");
    roots.add(CertificateDer::from_pem_file(own).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.enable_early_data = true;
    Arc::new(config)
}

type Secured = StreamOwned<ClientConnection, Blocking>;

/// A handshake in which nothing can be said early.
fn shake(socket: TcpStream, config: &Arc<ClientConfig>) -> Secured {
    let socket = socket.into_std().unwrap();
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(config.clone(), name).unwrap();
    assert!(tls.early_data().is_none(), "no ticket allows it");
    let mut stream = StreamOwned::new(tls, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    assert!(!stream.conn.is_early_data_accepted());
    stream
}

/// A word, and the beginning of the answer.
fn talks(stream: &mut Secured, word: &[u8]) {
    stream.write_all(word).unwrap();
    assert!(stream.read(&mut [0; 16]).unwrap() > 0);
}

#[tokio::test]
async fn at_15_a_session_that_is_resumed_says_nothing_early_whatever_the_way_in() {
    let server = Server::start(HTTPS).await;
    for door in DOORS {
        let config = eager(&server);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let (socket, config) = (door.open(&server).await, config.clone());
            let shaken = tokio::task::spawn_blocking(move || {
                let mut stream = shake(socket, &config);
                talks(&mut stream, door.word());
                stream.conn.handshake_kind()
            });
            assert_eq!(shaken.await.unwrap(), Some(kind), "{door:?}");
        }
    }
    is_calm(&server);
}

#[tokio::test]
async fn at_15_who_wants_new_keys_again_and_again_is_ended_whatever_the_way_in() {
    let server = Server::start(HTTPS).await;
    server.add("juliet@localhost", "secret").await;
    let mut echo = Echo::start(&server).await;
    for door in DOORS {
        let (socket, config) = (door.open(&server).await, eager(&server));
        let ended = tokio::task::spawn_blocking(move || {
            let mut stream = shake(socket, &config);
            talks(&mut stream, door.word());
            for _ in 0..NEW_KEYS {
                // Who is refused may not be listened to any more.
                let asked = stream.conn.refresh_traffic_keys();
                if asked.is_err() || stream.flush().is_err() {
                    return true;
                }
            }
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).is_err() || !rest.is_empty()
        });
        assert!(ended.await.unwrap(), "{door:?}");
        echo.sounds().await;
    }
    is_calm(&server);
}
