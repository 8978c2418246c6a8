//! Against the buffered client of rustls.

use super::*;
use crate::{Tls, certificates::Sources};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use std::future::poll_fn;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::TcpListener,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

struct Bed {
    listener: TcpListener,
    config: Arc<ServerConfig>,
    roots: RootCertStore,
    client: TlsConnector,
}

impl Bed {
    async fn new(version: &'static rustls::SupportedProtocolVersion) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let domains = vec!["localhost".to_owned()];
        let data = folder.path().into();
        let sources = Sources { domains, pair: None, acme: None, folder: None, data };
        let config = Tls::new(&sources.load(None).unwrap(), None).unwrap().starttls;
        let mut roots = RootCertStore::empty();
        let file = folder.path().join("self-signed.pem");
        roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
        let client = client(&roots, rustls::crypto::aws_lc_rs::default_provider(), version);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, config, roots, client }
    }

    async fn tcp(&self) -> (TcpStream, Secure) {
        let client = TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap();
        let server = self.listener.accept().await.unwrap().0;
        (client, Secure::new(server, self.config.clone(), &Turnstile::default()).unwrap())
    }

    /// Both sides, after the handshake.
    async fn pair(&self) -> (TlsStream<TcpStream>, Secure) {
        let (client, mut server) = self.tcp().await;
        let name = ServerName::try_from("localhost").unwrap();
        let (client, shaken) = tokio::join!(
            self.client.connect(name, client),
            poll_fn(|cx| server.poll_handshake(cx))
        );
        shaken.unwrap();
        (client.unwrap(), server)
    }
}

fn client(
    roots: &RootCertStore,
    provider: CryptoProvider,
    version: &'static rustls::SupportedProtocolVersion,
) -> TlsConnector {
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn hear(server: &mut Secure, length: usize) -> Vec<u8> {
    let mut heard = Vec::new();
    while heard.len() < length {
        let more = poll_fn(|cx| server.poll_read(cx)).await.unwrap();
        assert!(!more.is_empty(), "it ended");
        heard.extend(more);
    }
    heard
}

async fn say(server: &mut Secure, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let taken = poll_fn(|cx| server.poll_write(cx, bytes)).await.unwrap();
        bytes = &bytes[taken..];
    }
    poll_fn(|cx| server.poll_flush(cx)).await.unwrap();
}

#[tokio::test]
async fn both_versions_carry_both_ways_and_keep_nothing() {
    for version in [&TLS12, &TLS13] {
        let (mut client, mut server) = Bed::new(version).await.pair().await;
        let long: Vec<u8> = (0..3_000_000u32).map(|byte| byte.to_le_bytes()[0]).collect();
        for text in [&b"a word"[..], &long] {
            let (there, ()) = tokio::join!(hear(&mut server, text.len()), async {
                client.write_all(text).await.unwrap();
                client.flush().await.unwrap();
            });
            assert!(there == text);
            let mut back = vec![0; text.len()];
            let (read, ()) = tokio::join!(client.read_exact(&mut back), say(&mut server, text));
            read.unwrap();
            assert!(back == text);
        }
        let kept = [&server.incoming, &server.outgoing, &server.heard];
        assert!(kept.iter().all(|buffer| buffer.capacity() == 0), "{kept:?}");
    }
}

#[tokio::test]
async fn a_goodbye_is_heard_and_said() {
    for version in [&TLS12, &TLS13] {
        let (mut client, mut server) = Bed::new(version).await.pair().await;
        client.write_all(b"last words").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(hear(&mut server, 10).await, b"last words");
        assert!(poll_fn(|cx| server.poll_read(cx)).await.unwrap().is_empty());
        say(&mut server, b"farewell").await;
        poll_fn(|cx| server.poll_shutdown(cx)).await.unwrap();
        let mut heard = Vec::new();
        // It fails when there is no `close_notify` before the end.
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"farewell");
    }
}

/// Carries every byte on its own.
async fn dribble(mut one: DuplexStream, mut other: TcpStream) {
    loop {
        tokio::select! {
            byte = one.read_u8() => {
                let Ok(byte) = byte else { return };
                other.write_u8(byte).await.unwrap();
                tokio::task::yield_now().await;
            }
            byte = other.read_u8() => {
                let Ok(byte) = byte else { return };
                one.write_u8(byte).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn records_may_come_byte_by_byte() {
    for version in [&TLS12, &TLS13] {
        let bed = Bed::new(version).await;
        let (client, mut server) = bed.tcp().await;
        client.set_nodelay(true).unwrap();
        let (near, far) = duplex(1 << 16);
        tokio::spawn(dribble(far, client));
        let name = ServerName::try_from("localhost").unwrap();
        let (client, shaken) =
            tokio::join!(bed.client.connect(name, near), poll_fn(|cx| server.poll_handshake(cx)));
        shaken.unwrap();
        let mut client = client.unwrap();
        client.write_all(&[7; 5000]).await.unwrap();
        assert!(hear(&mut server, 5000).await == [7; 5000]);
        say(&mut server, b"and back").await;
        let mut heard = [0; 8];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"and back");
    }
}

#[tokio::test]
async fn what_is_not_tls_is_told_so_and_ended() {
    let bed = Bed::new(&TLS13).await;
    let (mut client, mut server) = bed.tcp().await;
    client.write_all(b"<stream:stream xmlns='jabber:client'>").await.unwrap();
    let shaken = poll_fn(|cx| server.poll_handshake(cx)).await;
    assert_eq!(shaken.unwrap_err().kind(), io::ErrorKind::InvalidData);
    drop(server);
    let mut alert = Vec::new();
    // What it did not read makes the end a reset.
    drop(client.read_to_end(&mut alert).await);
    assert_eq!(alert.first(), Some(&21), "an alert (RFC 8446 §6): {alert:?}");
}

/// Half of a client hello, and then what may not follow it, or is too long for any.
#[tokio::test]
async fn a_handshake_message_that_is_broken_off_ends_the_handshake() {
    let record = |kind: u8, part: &[u8]| {
        let length = u16::try_from(part.len()).unwrap().to_be_bytes();
        [&[kind, 3, 1], &length[..], part].concat()
    };
    let half = record(22, &[&[1, 0, 4, 0][..], &[0; 500]].concat());
    let huge = record(22, &[&[1, 0xff, 0xff, 0xff][..], &[0; 600]].concat());
    for (second, told) in
        [(record(23, b"data"), None), (record(99, b"what"), Some(&21)), (huge, Some(&21))]
    {
        let bed = Bed::new(&TLS13).await;
        let (mut client, mut server) = bed.tcp().await;
        for part in [&half, &second] {
            client.write_all(part).await.unwrap();
        }
        let shaken = poll_fn(|cx| server.poll_handshake(cx)).await;
        assert_eq!(shaken.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(poll_fn(|cx| server.poll_write(cx, b"more")).await.is_err());
        drop(server);
        let mut alert = Vec::new();
        drop(client.read_to_end(&mut alert).await);
        assert_eq!(alert.first(), told, "{second:?}: an alert (RFC 8446 §6): {alert:?}");
    }
}

#[tokio::test]
async fn a_handshake_message_without_end_is_not_held() {
    let bed = Bed::new(&TLS13).await;
    let (mut client, mut server) = bed.tcp().await;
    // A client hello of 64 KiB, in records of 1 KiB.
    let mut message = vec![1, 0, 0xff, 0xff];
    message.resize(0xffff, 0);
    let flood = tokio::spawn(async move {
        for part in message.chunks(1024) {
            let length = u16::try_from(part.len()).unwrap().to_be_bytes();
            let record = [&[22, 3, 1], &length[..], part].concat();
            if client.write_all(&record).await.is_err() {
                return;
            }
        }
    });
    let shaken = poll_fn(|cx| server.poll_handshake(cx)).await;
    assert_eq!(shaken.unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert!(server.incoming.len() <= TLS_INCOMING_BYTES_MAX);
    drop(server);
    flood.await.unwrap();
}

#[tokio::test]
async fn both_sides_export_the_same_rfc9266_2() {
    let bed = Bed::new(&TLS13).await;
    let mut seen = Vec::new();
    // The second and third are resumed.
    for _ in 0..3 {
        let (mut client, mut server) = bed.pair().await;
        say(&mut server, b"so that the ticket is read").await;
        client.read_exact(&mut [0; 26]).await.unwrap();
        let connection = client.get_ref().1;
        let label = b"EXPORTER-Channel-Binding";
        let theirs = connection.export_keying_material([0; 32], label, Some(b"")).unwrap();
        let ours = server.take_bindings();
        assert_eq!(ours.exporter, Some(theirs));
        let certificate = &connection.peer_certificates().unwrap()[0];
        assert_eq!(ours.end_point, crate::end_point::end_point(certificate));
        assert!(ours.end_point.is_some());
        assert_eq!(server.take_bindings(), Bindings::default(), "kept no longer than asked for");
        assert!(!seen.contains(&theirs), "of each connection its own");
        seen.push(theirs);
    }
    let resumed = bed.pair().await.0.get_ref().1.handshake_kind();
    assert_eq!(resumed, Some(rustls::HandshakeKind::Resumed));
}

#[tokio::test]
async fn tls_1_2_exports_nothing_and_has_an_end_point_rfc5929_4() {
    let (client, mut server) = Bed::new(&TLS12).await.pair().await;
    let ours = server.take_bindings();
    assert_eq!(ours.exporter, None);
    let certificate = &client.get_ref().1.peer_certificates().unwrap()[0];
    assert_eq!(ours.end_point, crate::end_point::end_point(certificate));
}

#[tokio::test]
async fn every_suite_exports_by_its_own_hash_rfc8446_7_5() {
    for suite in rustls::crypto::aws_lc_rs::DEFAULT_CIPHER_SUITES {
        if suite.tls13().is_none() {
            continue;
        }
        let mut bed = Bed::new(&TLS13).await;
        let provider = CryptoProvider {
            cipher_suites: vec![*suite],
            ..rustls::crypto::aws_lc_rs::default_provider()
        };
        bed.client = client(&bed.roots, provider, &TLS13);
        let (client, mut server) = bed.pair().await;
        let label = b"EXPORTER-Channel-Binding";
        let theirs = client.get_ref().1.export_keying_material([0; 32], label, None).unwrap();
        assert_eq!(server.take_bindings().exporter, Some(theirs), "{suite:?}");
    }
}
