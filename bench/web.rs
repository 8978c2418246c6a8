//! A WebSocket that carries XMPP (RFC 7395), as its client.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyhow::{Result, bail};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Its own choice would take 1.3 GB for 10,000 connections.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// What may stand in the content namespace without saying so in a stream.
const STANZAS: [&str; 3] = ["<message", "<presence", "<iq"];

/// A WebSocket, and the messages that it is still to take.
pub struct Web<S> {
    socket: WebSocketStream<S>,
    waiting: VecDeque<Message>,
    unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Web<S> {
    /// Opens it (RFC 6455 §4.1); the server must choose the subprotocol.
    ///
    /// # Errors
    /// When it does not, or does not open it at all.
    pub async fn open(socket: S, domain: &str, path: &str) -> Result<Self> {
        let url = format!("wss://{domain}{path}").parse()?;
        let request = ClientRequestBuilder::new(url).with_sub_protocol("xmpp");
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
        let (socket, _) = client_async_with_config(request, socket, Some(config)).await?;
        Ok(Self { socket, waiting: VecDeque::new(), unflushed: false })
    }

    /// Queues one element, which declares its namespace here at the latest (RFC 7395 §3.3.3).
    pub fn say(&mut self, element: String) {
        self.waiting.push_back(Message::text(declared(element)));
    }

    /// Moves what is queued towards the socket; ready when all of it is there.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(io::Error::other)?;
            if let Some(message) = self.waiting.pop_front() {
                Pin::new(&mut self.socket).start_send(message).map_err(io::Error::other)?;
                self.unflushed = true;
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.socket).poll_flush(cx)).map_err(io::Error::other)?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// The next message; pings are answered on the way.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>>> {
        loop {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)).transpose()? {
                Some(Message::Text(text)) => return Poll::Ready(Ok(text.as_bytes().to_vec())),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                Some(other) => return Poll::Ready(refused(&other)),
                None => return Poll::Ready(Ok(Vec::new())),
            }
        }
    }
}

fn declared(mut element: String) -> String {
    let stanza = STANZAS.into_iter().find(|start| element.starts_with(start));
    let start = stanza.map_or(0, str::len);
    if start > 0 && !element[start..].starts_with(" xmlns=") {
        element.insert_str(start, " xmlns='jabber:client'");
    }
    element
}

fn refused(message: &Message) -> Result<Vec<u8>> {
    bail!("the server sends {message:?}")
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt, StreamExt};
    use tokio::io::{DuplexStream, duplex};
    use tokio_tungstenite::accept_hdr_async;
    use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
    use tokio_tungstenite::tungstenite::http::HeaderValue;
    use wire::Frame;

    use super::*;
    use crate::link::Link;

    #[allow(clippy::result_large_err)]
    async fn server(socket: DuplexStream) -> WebSocketStream<DuplexStream> {
        let choose = |request: &Request, mut response: Response| {
            let asked = request.headers().get("sec-websocket-protocol");
            assert_eq!(asked, Some(&HeaderValue::from_static("xmpp")));
            let chosen = HeaderValue::from_static("xmpp");
            response.headers_mut().insert("sec-websocket-protocol", chosen);
            Ok(response)
        };
        accept_hdr_async(socket, choose).await.expect("a handshake")
    }

    #[tokio::test]
    async fn a_stream_goes_in_messages_rfc_7395() {
        let (near, far) = duplex(4096);
        let (link, mut server) = tokio::join!(Link::web(near, "localhost", "/ws"), server(far));
        let mut link = link.expect("a WebSocket");
        for text in [
            "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='localhost' version='1.0'/>",
            "<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>",
            "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>",
        ] {
            server.send(Message::text(text)).await.expect("room");
        }
        link.open("localhost").await.expect("features");
        link.say("<presence/>");
        link.say_close();
        assert!(matches!(link.frame().await, Ok(Frame::Close)));
        let mut heard = Vec::new();
        for _ in 0..3 {
            heard.push(server.next().await.expect("more").expect("a message").into_text());
        }
        let heard: Vec<_> = heard.iter().flatten().map(|text| text.as_str()).collect();
        assert!(heard[0].starts_with("<open xmlns="), "{heard:?}");
        assert_eq!(heard[1], "<presence xmlns='jabber:client'/>");
        assert!(heard[2].starts_with("<close xmlns="), "{heard:?}");
    }

    #[test]
    fn a_stanza_declares_its_namespace_once() {
        let said = |text: &str| declared(text.to_owned());
        assert_eq!(said("<iq id='1'/>"), "<iq xmlns='jabber:client' id='1'/>");
        let whole = "<iq xmlns='jabber:client' id='1'/>";
        assert_eq!(said(whole), whole);
        let other = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
        assert_eq!(said(other), other);
    }
}
