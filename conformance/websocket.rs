//! The world of a server that is reached by WebSocket (RFC 7395).
//!
//! The frames are read by tungstenite, and each message by itself: what is not one whole element in
//! namespaces of its own is a flaw, whatever would come behind it.

use crate::{
    driver::{Broken, Came, Door, Driver, Link, Patience, Transport},
    framing::{Said, take_apart},
    tls::{self, Secured},
    tree::{Heard, STREAM, Tree, document, escaped},
    web::Server,
};
use rustls::ClientConfig;
use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};
use tungstenite::{
    ClientRequestBuilder, Error, HandshakeError, Message, WebSocket,
    client::client,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

/// The namespace of `<open/>` and `<close/>` (RFC 7395 §3.3).
pub const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";

/// Connections to a server.
pub struct WebSockets {
    server: Server,
    config: Arc<ClientConfig>,
    sockets: Vec<Option<Socket>>,
}

struct Socket {
    web: WebSocket<Carrier>,
    /// Whether each side has said that its stream ends.
    closed: Closed,
}

#[derive(Default)]
struct Closed {
    here: bool,
    there: bool,
}

enum Carrier {
    Plain(TcpStream),
    Tls(Box<Secured>),
}

impl Carrier {
    fn patient(&mut self, patience: Duration) -> io::Result<()> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(secured) => &mut secured.sock,
        };
        socket.set_read_timeout(Some(patience))
    }
}

impl Read for Carrier {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(secured) => secured.read(buffer),
        }
    }
}

impl Write for Carrier {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(secured) => secured.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(secured) => secured.flush(),
        }
    }
}

impl WebSockets {
    /// No connection yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(server: Server) -> Result<Self, Broken> {
        Ok(Self { server, config: tls::any_certificate()?, sockets: Vec::new() })
    }

    /// From now on handshakes begin with this.
    pub fn by(self, config: Arc<ClientConfig>) -> Self {
        Self { config, ..self }
    }

    fn connect(&self) -> Result<WebSocket<Carrier>, Broken> {
        let Server { endpoint, domain, answer, .. } = &self.server;
        let address = &endpoint.address;
        let broken = |error: &dyn std::fmt::Display| Broken(format!("{address}: {error}"));
        let plain = TcpStream::connect_timeout(address, *answer).map_err(|e| broken(&e))?;
        plain.set_nodelay(true).map_err(|error| broken(&error))?;
        let mut carrier = match endpoint.secure {
            true => Carrier::Tls(Box::new(tls::handshake(plain, &self.config, domain, *answer)?)),
            false => Carrier::Plain(plain),
        };
        carrier.patient(*answer).map_err(|error| broken(&error))?;
        let scheme = if endpoint.secure { "wss" } else { "ws" };
        let url = format!("{scheme}://{domain}:{}{}", address.port(), endpoint.path);
        let url = url.parse().map_err(|error| Broken(format!("{url}: {error}")))?;
        // Of a server that does not choose it, nothing is believed (RFC 7395 §3.1).
        let request = ClientRequestBuilder::new(url).with_sub_protocol("xmpp");
        match client(request, carrier) {
            Ok((web, _)) => Ok(web),
            Err(HandshakeError::Failure(error)) => Err(broken(&error)),
            Err(HandshakeError::Interrupted(_)) => Err(broken(&"no answer to the handshake")),
        }
    }
}

impl Socket {
    /// A failure shows as the end of the connection to whoever listens.
    fn say(&mut self, said: Said) {
        let _ = match said {
            Said::Close if self.closed.here => Ok(()),
            Said::Close => {
                self.closed.here = true;
                self.send(Said::Close).and_then(|()| self.part())
            }
            other => self.send(other),
        };
    }

    /// Bytes that are no UTF-8 are sent as they are.
    fn send(&mut self, said: Said) -> tungstenite::Result<()> {
        let text = OpCode::Data(Data::Text);
        self.web.send(Message::Frame(Frame::message(framed(said), text, true)))
    }

    /// When both streams have ended, the client ends the connection (RFC 7395 §3.6).
    fn part(&mut self) -> tungstenite::Result<()> {
        if self.closed.here && self.closed.there { self.web.close(None) } else { Ok(()) }
    }

    fn took(&mut self, message: &Message) -> Result<Option<Heard>, String> {
        let text = match message {
            Message::Text(text) => text.as_str(),
            Message::Binary(_) => return Err("a binary message".into()),
            _ => return Ok(None),
        };
        let heard = unframed(text).map_err(|flaw| format!("{flaw}: {text}"))?;
        if heard == Heard::Close {
            self.closed.there = true;
            // Whoever is told that a stream ends, ends its own (§3.6).
            match self.closed.here {
                true => drop(self.part()),
                false => self.say(Said::Close),
            }
        }
        Ok(Some(heard))
    }
}

/// The first message of a stream (RFC 7395 §3.3.2).
fn open(header: &Tree) -> String {
    let attributes = header.attributes.iter().map(|((ns, local), value)| {
        let prefix = if ns.is_empty() { "" } else { "xml:" };
        format!(" {prefix}{local}='{}'", escaped(value))
    });
    format!("<open xmlns='{FRAMING}'{}/>", attributes.collect::<String>())
}

/// The message that says it.
pub fn framed(said: Said) -> Vec<u8> {
    match said {
        Said::Header(header) => open(&header).into_bytes(),
        Said::Element(bytes) | Said::Rest(bytes) => bytes,
        Said::Close => format!("<close xmlns='{FRAMING}'/>").into_bytes(),
    }
}

/// What a message says, on a stream of TCP.
///
/// # Errors
/// Why it may not be said so.
pub fn unframed(text: &str) -> Result<Heard, String> {
    if !text.starts_with('<') {
        return Err("a message that does not begin with '<' (RFC 7395 §3.3.3)".into());
    }
    let tree = document(text.as_bytes())?;
    if tree.is(FRAMING, "open") {
        let missing = ["from", "id", "version"].iter().find(|name| tree.attribute(name).is_none());
        if let Some(name) = missing {
            return Err(format!("<open/> without {name}"));
        }
        return Ok(Heard::Header(Tree { ns: STREAM.into(), local: "stream".into(), ..tree }));
    }
    match tree.is(FRAMING, "close") {
        true => Ok(Heard::Close),
        false if tree.is(STREAM, "stream") => Err("the header of a stream on TCP".into()),
        false => Ok(Heard::Element(tree)),
    }
}

impl Driver for WebSockets {
    fn transport(&self) -> Transport {
        Transport::WebSocket
    }

    fn open(&mut self, _: Door) -> Result<Link, Broken> {
        let socket = Socket { web: self.connect()?, closed: Closed::default() };
        self.sockets.push(Some(socket));
        Ok(Link(self.sockets.len() - 1))
    }

    fn say(&mut self, link: Link, bytes: &[u8]) {
        if let Some(socket) = &mut self.sockets[link.0] {
            take_apart(bytes).into_iter().for_each(|said| socket.say(said));
        }
    }

    fn secure(&mut self, _: Link) -> Result<(), Broken> {
        Err(Broken("TLS is not negotiated on WebSocket (RFC 7395 §3.7)".into()))
    }

    fn channel(&self, link: Link, kind: &str) -> Option<Vec<u8>> {
        match self.sockets[link.0].as_ref()?.web.get_ref() {
            Carrier::Tls(secured) => tls::channel(secured, kind),
            Carrier::Plain(_) => None,
        }
    }

    fn hear(&mut self, link: Link, patience: Patience) -> Came {
        let Some(socket) = &mut self.sockets[link.0] else { return Came::End };
        let patience = match patience {
            Patience::Answer => self.server.answer,
            Patience::Quiet => self.server.quiet,
        };
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Came::Nothing;
            }
            if socket.web.get_mut().patient(left).is_err() {
                return Came::End;
            }
            match socket.web.read() {
                Ok(message) => match socket.took(&message) {
                    Ok(Some(heard)) => return Came::Heard(vec![heard]),
                    Ok(None) => {}
                    Err(flaw) => return Came::Flaw(flaw),
                },
                Err(Error::Io(error)) if is_patience_at_end(&error) => {}
                Err(Error::Utf8(flaw)) => return Came::Flaw(flaw),
                Err(_) => return Came::End,
            }
        }
    }

    fn cut(&mut self, link: Link) {
        self.sockets[link.0] = None;
    }
}

fn is_patience_at_end(error: &io::Error) -> bool {
    [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted].contains(&error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_element_in_namespaces_of_its_own() {
        let open = format!("<open xmlns='{FRAMING}' from='a' id='1' version='1.0'/>");
        assert!(matches!(unframed(&open), Ok(Heard::Header(_))));
        assert_eq!(unframed(&format!("<close xmlns='{FRAMING}'/>")), Ok(Heard::Close));
        assert!(matches!(unframed("<a xmlns='u'/>"), Ok(Heard::Element(_))));
        for wrong in [
            "<stream:features/>",
            " <a xmlns='u'/>",
            "<a xmlns='u'/><b/>",
            "<a xmlns='u'>",
            "<?xml version='1.0'?><a/>",
            &format!("<open xmlns='{FRAMING}' from='a' version='1.0'/>"),
        ] {
            assert!(unframed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_header_opens_a_stream() {
        let said = take_apart(
            b"<s:stream to='a' xml:lang='it' xmlns='jabber:client' \
              xmlns:s='http://etherx.jabber.org/streams'>",
        );
        let [Said::Header(header)] = &said[..] else { panic!("{said:?}") };
        assert_eq!(open(header), format!("<open xmlns='{FRAMING}' to='a' xml:lang='it'/>"));
    }
}
