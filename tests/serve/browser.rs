//! A client of HTTP and WebSocket: requests as text, frames byte by byte, so that it can also
//! send what no browser would.

use crate::server::PATIENCE;
use conformance::sasl;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

const OPEN: &str =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>";
pub const CLOSE: &str = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";

const ASKED: &str = "Host: localhost\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/// For that key (RFC 6455 §1.3).
const ACCEPTED: &str = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The head of the answer to a request for a WebSocket.
pub async fn ask<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut S, more: &str) -> String {
    request(socket, &format!("GET /ws HTTP/1.1\r\n{ASKED}{more}\r\n")).await
}

/// The head of the answer to a request.
pub async fn request<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut S, asked: &str) -> String {
    socket.write_all(asked.as_bytes()).await.unwrap();
    socket.flush().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match timeout(PATIENCE, socket.read_u8()).await.expect("an answer") {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// A WebSocket that speaks XMPP.
pub struct Browser<S>(pub S);

impl<S: AsyncRead + AsyncWrite + Unpin> Browser<S> {
    pub async fn open(mut socket: S, more: &str) -> Self {
        let head = ask(&mut socket, &format!("Sec-WebSocket-Protocol: xmpp\r\n{more}")).await;
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
        let lower = head.to_lowercase();
        assert!(lower.contains(&ACCEPTED.to_lowercase()), "{head}");
        assert!(lower.contains("sec-websocket-protocol: xmpp\r\n"), "{head}");
        assert!(!lower.contains("sec-websocket-extensions"), "{head}");
        Self(socket)
    }

    /// A message.
    pub async fn say(&mut self, xml: &str) {
        self.frame(0x81, xml.as_bytes()).await;
    }

    /// A frame that begins with this byte.
    pub async fn frame(&mut self, first: u8, payload: &[u8]) {
        let mask = [7, 11, 13, 17];
        let mut bytes = vec![first];
        match payload.len() {
            short @ ..=125 => bytes.push(0x80 | u8::try_from(short).unwrap()),
            long => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(long).unwrap().to_be_bytes());
            }
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.raw(&bytes).await;
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        // Whoever is refused may not be listened to any more.
        drop(self.0.write_all(bytes).await);
        drop(self.0.flush().await);
    }

    /// The first byte of the next frame, and its payload; `None` at the end.
    pub async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = timeout(PATIENCE, self.0.read_u8()).await.expect("an answer").ok()?;
        let length = match self.0.read_u8().await.unwrap() {
            126 => usize::from(self.0.read_u16().await.unwrap()),
            127 => usize::try_from(self.0.read_u64().await.unwrap()).unwrap(),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.unwrap();
        Some((first, payload))
    }

    /// The next message.
    pub async fn hear(&mut self) -> String {
        match self.next().await {
            Some((0x81, payload)) => String::from_utf8(payload).unwrap(),
            other => panic!("no message but {other:?}"),
        }
    }

    /// The codes of the goodbye that ends everything, with the messages before it.
    pub async fn ends(&mut self) -> (Vec<String>, u16) {
        let mut said = Vec::new();
        loop {
            match self.next().await {
                Some((0x81, payload)) => said.push(String::from_utf8(payload).unwrap()),
                Some((0x88, payload)) => {
                    let code = u16::from_be_bytes(payload[..2].try_into().unwrap());
                    assert_eq!(self.next().await, None);
                    return (said, code);
                }
                Some((0x8a, _)) => {}
                other => panic!("no goodbye but {other:?} after {said:?}"),
            }
        }
    }

    /// Opens the stream, and returns what is offered there.
    pub async fn begin(&mut self) -> String {
        self.say(OPEN).await;
        let header = self.hear().await;
        assert!(header.starts_with("<open "), "{header}");
        self.hear().await
    }

    /// Logs in as juliet, with the password `secret`.
    pub async fn login(&mut self, resource: &str) {
        let features = self.begin().await;
        assert!(features.contains("<mechanism>PLAIN</mechanism>"), "{features}");
        let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>";
        self.say(&format!("{auth}{}</auth>", sasl::plain("juliet", "secret"))).await;
        assert!(self.hear().await.starts_with("<success "));
        let features = self.begin().await;
        assert!(features.contains("<bind "), "{features}");
        let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>";
        self.say(&format!(
            "<iq xmlns='jabber:client' id='b' type='set'>{bind}{resource}</resource></bind></iq>"
        ))
        .await;
        assert!(self.hear().await.contains(&format!("/{resource}</jid>")));
    }
}
