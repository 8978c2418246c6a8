//! One stream over one socket or WebSocket: elements out, frames in.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wire::{Content, Decoder, Frame, Framing, Header, Limits, Name, Open, Payload, ns};

use crate::web::Web;

const INPUT_BYTES: usize = 8 * 1024;
/// What a server offers (RFC 6120 §4.3.2).
pub const FEATURES: Name = Name::new(ns::STREAM, "features");

/// A stream; `S` is a socket, with or without TLS.
pub struct Link<S> {
    carrier: Carrier<S>,
    decoder: Decoder,
    input: Vec<u8>,
    /// The part of `input` that the decoder has not taken yet.
    unread: std::ops::Range<usize>,
    output: Vec<u8>,
    written: usize,
    unflushed: bool,
}

enum Carrier<S> {
    Socket(S),
    /// Every element in a message of its own (RFC 7395).
    Web(Box<Web<S>>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Takes over a connected socket on which nothing has been said.
    pub fn new(socket: S) -> Self {
        let decoder = Decoder::new(Content::Client, Limits::SERVER);
        Self::over(Carrier::Socket(socket), decoder, vec![0; INPUT_BYTES])
    }

    /// Opens a WebSocket on a connected socket.
    ///
    /// # Errors
    /// When the server does not.
    pub async fn web(socket: S, domain: &str, path: &str) -> Result<Self> {
        let web = Box::new(Web::open(socket, domain, path).await?);
        let decoder = Decoder::framed(Content::Client, Limits::SERVER);
        Ok(Self::over(Carrier::Web(web), decoder, Vec::new()))
    }

    fn over(carrier: Carrier<S>, decoder: Decoder, input: Vec<u8>) -> Self {
        Self {
            carrier,
            decoder,
            input,
            unread: 0..0,
            output: Vec::new(),
            written: 0,
            unflushed: false,
        }
    }

    /// Gives the socket back, for STARTTLS.
    ///
    /// # Errors
    /// When the server spoke on before TLS (RFC 6120 §5.3.3).
    pub fn into_socket(self) -> Result<S> {
        ensure!(self.unread.is_empty(), "the server spoke between <proceed/> and TLS");
        match self.carrier {
            Carrier::Socket(socket) => Ok(socket),
            Carrier::Web(_) => bail!("TLS is not negotiated on WebSocket (RFC 7395 §3.9)"),
        }
    }

    /// Appends one element to what is to be said; it leaves with the next flush.
    pub fn say(&mut self, element: &str) {
        self.compose(|output| output.extend_from_slice(element.as_bytes()));
    }

    /// Appends one element, which `write` writes, to what is to be said.
    pub fn compose(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.output);
        if let Carrier::Web(web) = &mut self.carrier {
            web.say(String::from_utf8_lossy(&self.output).into_owned());
            self.output.clear();
        }
    }

    /// How elements are put on the wire.
    pub fn framing(&self) -> Framing {
        match self.carrier {
            Carrier::Socket(_) => Framing::Stream,
            Carrier::Web(_) => Framing::Framed,
        }
    }

    /// Ends our side of the stream (RFC 6120 §4.4).
    pub fn say_close(&mut self) {
        self.say(self.framing().footer());
    }

    /// Opens the stream, the first time or again, and returns what the server offers.
    ///
    /// # Errors
    /// When the server answers with anything but a header and features.
    pub async fn open(&mut self, domain: &str) -> Result<Payload> {
        self.greet(domain);
        self.features().await
    }

    /// Says the header of a new stream.
    pub fn greet(&mut self, domain: &str) {
        self.decoder.restart();
        let header = Header {
            content: Content::Client,
            from: None,
            to: Some(domain),
            id: None,
            version: Some("1.0"),
            lang: None,
        };
        let framing = self.framing();
        self.compose(|output| header.write(framing, output));
    }

    /// What the server offers in answer to a header.
    ///
    /// # Errors
    /// When it answers with anything but a header and features.
    pub async fn features(&mut self) -> Result<Payload> {
        match self.frame().await? {
            Frame::Open(_) => self.expect(FEATURES).await,
            _ => bail!("the server does not open its stream"),
        }
    }

    /// The next first-level element, which must be called `name`.
    ///
    /// # Errors
    /// When it is something else, which the error shows.
    pub async fn expect(&mut self, name: Name) -> Result<Payload> {
        match self.frame().await? {
            Frame::Element(payload) if payload.element().is(name) => Ok(payload),
            Frame::Element(payload) => bail!("not <{}/> but {}", name.local, payload.as_str()),
            Frame::Stanza(stanza) => bail!("not <{}/> but {}", name.local, stanza.to_text()),
            Frame::Open(_) | Frame::Close => bail!("not <{}/>, the stream ended", name.local),
        }
    }

    /// Says everything that is to be said, then waits for the next frame.
    ///
    /// # Errors
    /// When the connection is gone or the server's XML is wrong.
    pub async fn frame(&mut self) -> Result<Frame> {
        poll_fn(|cx| {
            if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
                return Poll::Ready(Err(error.into()));
            }
            self.poll_frame(cx)
        })
        .await
    }

    /// Says everything that is to be said.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn flush(&mut self) -> Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await.context("writing")
    }

    /// Moves output towards the socket; ready when all of it is there.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = match &mut self.carrier {
            Carrier::Socket(socket) => socket,
            Carrier::Web(web) => return web.poll_flush(cx),
        };
        while self.written < self.output.len() {
            let rest = &self.output[self.written..];
            let count = ready!(Pin::new(&mut *socket).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            self.unflushed = true;
        }
        self.output.clear();
        self.written = 0;
        if self.unflushed {
            ready!(Pin::new(socket).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// The next frame that has arrived.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame>> {
        loop {
            if !self.unread.is_empty() {
                let mut rest = &self.input[self.unread.clone()];
                let frame = self.decoder.next(&mut rest);
                self.unread.start = self.unread.end - rest.len();
                match frame {
                    Ok(Some(frame)) => return Poll::Ready(Ok(unframed(frame))),
                    Ok(None) => {}
                    Err(flaw) => {
                        return Poll::Ready(Err(anyhow::anyhow!("the server's XML: {flaw}")));
                    }
                }
            }
            ready!(self.poll_read(cx))?;
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let count = match &mut self.carrier {
            Carrier::Socket(socket) => {
                let mut buffer = ReadBuf::new(&mut self.input);
                ready!(Pin::new(socket).poll_read(cx, &mut buffer))?;
                buffer.filled().len()
            }
            Carrier::Web(web) => {
                self.input = ready!(web.poll_read(cx))?;
                self.input.len()
            }
        };
        if count == 0 {
            return Poll::Ready(Err(anyhow::anyhow!("the server closed the connection")));
        }
        self.unread = 0..count;
        Poll::Ready(Ok(()))
    }
}

/// What begins and ends a stream in messages (RFC 7395 §3.4, §3.6) is a frame like on a socket.
fn unframed(frame: Frame) -> Frame {
    match frame {
        Frame::Element(payload) if payload.element().is(Name::new(ns::FRAMING, "open")) => {
            Frame::Open(Open::framed(payload))
        }
        Frame::Element(payload) if payload.element().is(Name::new(ns::FRAMING, "close")) => {
            Frame::Close
        }
        other => other,
    }
}
