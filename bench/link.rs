//! One stream over one socket: bytes out, frames in.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wire::{Content, Decoder, Frame, Framing, Header, Limits, Name, Payload, ns};

const INPUT_BYTES: usize = 8 * 1024;
const FEATURES: Name = Name::new(ns::STREAM, "features");

/// A stream; `S` is a socket, with or without TLS.
pub struct Link<S> {
    socket: S,
    decoder: Decoder,
    input: Box<[u8]>,
    /// The part of `input` that the decoder has not taken yet.
    unread: std::ops::Range<usize>,
    output: Vec<u8>,
    written: usize,
    unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Takes over a connected socket on which nothing has been said.
    pub fn new(socket: S) -> Self {
        Self {
            socket,
            decoder: Decoder::new(Content::Client, Limits::SERVER),
            input: vec![0; INPUT_BYTES].into(),
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
        Ok(self.socket)
    }

    /// Where to append what is to be said; it leaves with the next flush.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Appends `text` to what is to be said.
    pub fn say(&mut self, text: &str) {
        self.output.extend_from_slice(text.as_bytes());
    }

    /// Opens the stream, the first time or again, and returns what the server offers.
    ///
    /// # Errors
    /// When the server answers with anything but a header and features.
    pub async fn open(&mut self, domain: &str) -> Result<Payload> {
        self.decoder.restart();
        let header = Header {
            content: Content::Client,
            from: None,
            to: Some(domain),
            id: None,
            version: Some("1.0"),
            lang: None,
        };
        header.write(Framing::Stream, &mut self.output);
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
        while self.written < self.output.len() {
            let rest = &self.output[self.written..];
            let count = ready!(Pin::new(&mut self.socket).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            self.unflushed = true;
        }
        self.output.clear();
        self.written = 0;
        if self.unflushed {
            ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
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
                    Ok(Some(frame)) => return Poll::Ready(Ok(frame)),
                    Ok(None) => {}
                    Err(flaw) => {
                        return Poll::Ready(Err(anyhow::anyhow!("the server's XML: {flaw}")));
                    }
                }
            }
            let mut buffer = ReadBuf::new(&mut self.input);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer))?;
            let count = buffer.filled().len();
            if count == 0 {
                return Poll::Ready(Err(anyhow::anyhow!("the server closed the connection")));
            }
            self.unread = 0..count;
        }
    }
}
