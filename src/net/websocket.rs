//! The frames of a WebSocket (RFC 6455 §5), as its server: bytes in, messages out, and back. No
//! extension is agreed on, so no frame is compressed. Nothing is held while nothing is under way.

use engine::wire::StreamCondition;
use std::{io::Cursor, mem};
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{CloseCode, Control, Data, OpCode},
};

/// Frames of one message. RFC 6455 §5.4 sets no limit, and they may be empty.
const FRAGMENTS_MAX: usize = 1024;
/// Bytes that a control frame carries (RFC 6455 §5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// What a peer said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A whole message. Whether it is UTF-8, its reader finds out.
    Message(Vec<u8>),
    /// That it is there.
    Alive,
    /// Goodbye.
    Close,
}

/// Why a peer is not listened to any more: for the stream, and for the WebSocket (§7.4.1).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) condition: StreamCondition,
    pub(crate) why: &'static str,
    code: CloseCode,
}

impl Refused {
    const fn protocol(why: &'static str) -> Self {
        Self { condition: StreamCondition::BadFormat, why, code: CloseCode::Protocol }
    }

    const BINARY: Self = Self {
        condition: StreamCondition::BadFormat,
        why: "messages of XMPP are text (RFC 7395 §3.2)",
        code: CloseCode::Unsupported,
    };
    const TOO_BIG: Self = Self {
        condition: StreamCondition::PolicyViolation,
        why: "stanza is too big",
        code: CloseCode::Size,
    };
    const FRAGMENTS: Self = Self {
        condition: StreamCondition::PolicyViolation,
        why: "a message has too many fragments",
        code: CloseCode::Policy,
    };
}

/// Both directions of one WebSocket.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// What came and is not done with, from `used` on.
    unread: Vec<u8>,
    used: usize,
    /// The message whose last fragment has not come, and of how many it is so far.
    message: Vec<u8>,
    fragments: usize,
    /// It has shown that it is there, and said nothing since.
    alive: bool,
    /// What the last ping said: it is the one to answer (§5.5.3).
    pinged: Option<Vec<u8>>,
    /// The peer is to be asked whether it is there.
    ping: bool,
    /// How to say goodbye.
    code: Option<CloseCode>,
    said_close: bool,
}

impl Frames {
    /// Frames of which these bytes have come already.
    pub(crate) fn after(unread: Vec<u8>) -> Self {
        Self { unread, ..Self::default() }
    }

    /// More has come.
    pub(crate) fn read(&mut self, bytes: Vec<u8>) {
        if self.unread.len() == self.used {
            (self.unread, self.used) = (bytes, 0);
        } else {
            self.unread.drain(..mem::take(&mut self.used));
            self.unread.extend_from_slice(&bytes);
        }
    }

    /// What the bytes say that have come; `None` when more are needed. No message may have more
    /// bytes than this.
    ///
    /// # Errors
    /// What is wrong. Final.
    pub(crate) fn next(&mut self, bytes_max: usize) -> Result<Option<Heard>, Refused> {
        let heard = self.advance(bytes_max);
        if let Err(refused) = &heard {
            self.code = Some(refused.code);
        }
        if self.unread.len() == self.used {
            (self.unread, self.used) = (Vec::new(), 0);
        }
        heard
    }

    fn advance(&mut self, bytes_max: usize) -> Result<Option<Heard>, Refused> {
        loop {
            let mut rest = Cursor::new(&self.unread[self.used..]);
            let header = FrameHeader::parse(&mut rest)
                .map_err(|_| Refused::protocol("a frame of a kind that is not known"))?;
            let Some((header, length)) = header else { return Ok(self.quiet()) };
            let start = self.used + usize::try_from(rest.position()).unwrap_or(0);
            let mask = check(&header, length)?;
            // What stands between the fragments of a message is no part of it (§5.4).
            let room = match header.opcode {
                OpCode::Control(_) => bytes_max,
                OpCode::Data(_) => bytes_max.saturating_sub(self.message.len()),
            };
            let Some(length) = usize::try_from(length).ok().filter(|length| *length <= room) else {
                return Err(Refused::TOO_BIG);
            };
            let Some(payload) = self.unread.get_mut(start..start + length) else {
                return Ok(self.quiet());
            };
            for (place, byte) in payload.iter_mut().enumerate() {
                *byte ^= mask[place % 4];
            }
            self.used = start + length;
            if let Some(heard) = self.frame(&header, start)? {
                return Ok(Some(heard));
            }
        }
    }

    /// No message has come to its end. However many signs of life have come, they are one: a flood
    /// of pings is not worth a pong each.
    fn quiet(&mut self) -> Option<Heard> {
        mem::take(&mut self.alive).then_some(Heard::Alive)
    }

    /// A frame whose payload goes from `start` to `used`.
    fn frame(&mut self, header: &FrameHeader, start: usize) -> Result<Option<Heard>, Refused> {
        let payload = &self.unread[start..self.used];
        match header.opcode {
            OpCode::Control(Control::Close) => return Ok(Some(Heard::Close)),
            OpCode::Control(Control::Ping) => {
                self.pinged = Some(payload.to_vec());
                self.alive = true;
                return Ok(None);
            }
            OpCode::Control(_) => {
                self.alive = true;
                return Ok(None);
            }
            OpCode::Data(Data::Text) if self.fragments == 0 => {}
            OpCode::Data(Data::Continue) if self.fragments > 0 => {}
            OpCode::Data(Data::Binary) => return Err(Refused::BINARY),
            OpCode::Data(_) => return Err(Refused::protocol("a fragment at the wrong place")),
        }
        self.message.extend_from_slice(payload);
        self.fragments += 1;
        if header.is_final {
            (self.fragments, self.alive) = (0, false);
            return Ok(Some(Heard::Message(mem::take(&mut self.message))));
        }
        if self.fragments > FRAGMENTS_MAX {
            return Err(Refused::FRAGMENTS);
        }
        Ok(None)
    }

    /// The peer is to be asked whether it is there.
    pub(crate) fn ping(&mut self) {
        self.ping = true;
    }

    /// What is to be sent now: signs of life, then each element as a message, then, when nothing
    /// follows, goodbye.
    pub(crate) fn write(&mut self, bytes: &mut Vec<u8>, ends: &mut Vec<usize>, last: bool) {
        let goodbye = last && !self.said_close;
        if self.pinged.is_none() && !self.ping && bytes.is_empty() && !goodbye {
            return;
        }
        let mut out = Vec::with_capacity(bytes.len() + 4 * ends.len() + 16);
        if let Some(pinged) = self.pinged.take() {
            frame(OpCode::Control(Control::Pong), &pinged, &mut out);
        }
        if mem::take(&mut self.ping) {
            frame(OpCode::Control(Control::Ping), b"", &mut out);
        }
        let mut start = 0;
        for end in ends.drain(..) {
            frame(OpCode::Data(Data::Text), &bytes[start..end], &mut out);
            start = end;
        }
        if goodbye {
            let code = self.code.unwrap_or(CloseCode::Normal);
            frame(OpCode::Control(Control::Close), &u16::from(code).to_be_bytes(), &mut out);
            self.said_close = true;
        }
        *bytes = out;
    }
}

/// What can be seen of a frame without its payload. Returns its mask.
fn check(header: &FrameHeader, length: u64) -> Result<[u8; 4], Refused> {
    if header.rsv1 || header.rsv2 || header.rsv3 {
        return Err(Refused::protocol("a frame of an extension that was not agreed on"));
    }
    let control = matches!(header.opcode, OpCode::Control(_));
    if control && (length > CONTROL_BYTES_MAX || !header.is_final) {
        return Err(Refused::protocol("a control frame is too long, or a fragment"));
    }
    header.mask.ok_or(Refused::protocol("a client masks its frames (RFC 6455 §5.1)"))
}

fn frame(opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    header.format(length, out).expect("a Vec takes everything");
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests;
