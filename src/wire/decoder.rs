//! The decoder: bytes in any chunks to checked, canonical frames.
//!
//! A token is a tag, a reference, a run of text. Tokens are read from the input in place; one
//! that the input cuts is kept in `pending` until its end has come. Which bytes end a token is
//! found without reading it again, so that a peer that sends byte by byte costs no more.

mod building;
mod pending;

use crate::body::BOSH;
use crate::canonical::Canonical;
use crate::prolog::{self, Start};
use crate::scope::Scope;
use crate::tag::{self, Attribute};
use crate::text::{self, TextState};
use crate::{Flaw, Frame, Limits, StreamCondition, chars, ns};
use building::Build;
use pending::Pending;

/// Which content namespace a stream has (RFC 6120 §4.8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// `jabber:client`.
    Client,
    /// `jabber:server`.
    Server,
    /// `jabber:component:accept` (XEP-0114).
    Component,
}

impl Content {
    pub(crate) const ALL: [Self; 3] = [Self::Client, Self::Server, Self::Component];

    /// The namespace.
    pub const fn ns(self) -> &'static str {
        match self {
            Self::Client => ns::CLIENT,
            Self::Server => ns::SERVER,
            Self::Component => "jabber:component:accept",
        }
    }
}

/// How far the document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not one byte was read.
    Start,
    /// Perhaps after a byte order mark: an XML declaration may come.
    Declaration,
    /// The root must come.
    Prolog,
    /// First-level elements come.
    Inside,
    /// The root was one empty tag: its end is still to be told.
    Ending,
    /// After the end of the root.
    Closed,
}

/// What became of the token at the start of the input.
enum Step {
    /// So many bytes were used.
    Used(usize),
    /// So many bytes were used, and they completed a frame: `finish` makes it.
    Done(usize),
    /// Its end has not come; nothing was used.
    More,
}

/// A strict XML decoder for one stream. It accepts what XML 1.0, Namespaces in XML 1.0 and
/// RFC 6120 §11 accept together, within its [`Limits`].
///
/// | refused | as |
/// |---|---|
/// | DTD, processing instruction, comment, entity not predefined (§11.1) | `restricted-xml` |
/// | a name that only the fifth edition of XML 1.0 allows | `restricted-xml` |
/// | all else that is not well-formed, also by namespaces | `not-well-formed` |
/// | another encoding than UTF-8, or bad UTF-8 (§4.9.3.22, §11.6) | `unsupported-encoding` |
/// | text directly in the stream, other than white space; XML 1.1 | `bad-format` |
/// | a first-level element in the content namespace of another stream | `invalid-namespace` |
/// | a breach of the limits | `policy-violation` |
#[derive(Debug)]
pub struct Decoder {
    content: Content,
    limits: Limits,
    /// Every first-level element is a document of its own.
    framed: bool,
    /// The root is the wrapper of BOSH: nothing in it is read as a stanza yet.
    wrapped: bool,
    stage: Stage,
    pending: Pending,
    /// Bytes of the current frame that were used.
    frame_bytes: usize,
    scope: Scope,
    /// Of the tag that is being read; kept for its memory.
    attributes: Vec<Attribute>,
    text: TextState,
    canonical: Canonical,
    build: Build,
    flaw: Option<Flaw>,
}

impl Decoder {
    /// A decoder that awaits a stream header.
    pub fn new(content: Content, limits: Limits) -> Self {
        Self {
            content,
            limits,
            framed: false,
            wrapped: false,
            stage: Stage::Start,
            pending: Pending::default(),
            frame_bytes: 0,
            scope: Scope::default(),
            attributes: Vec::new(),
            text: TextState::default(),
            canonical: Canonical::default(),
            build: Build::default(),
            flaw: None,
        }
    }

    /// A decoder for first-level elements without a stream around them (RFC 7395 §3.3): each
    /// declares its own namespaces.
    pub fn framed(content: Content, limits: Limits) -> Self {
        Self { framed: true, stage: Stage::Inside, ..Self::new(content, limits) }
    }

    /// What one frame may be.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A decoder for one wrapper of BOSH. What is in its namespace is in the content namespace
    /// (XEP-0206 §2), and every first-level element is given as it is.
    pub(crate) fn wrapped(content: Content, limits: Limits) -> Self {
        let mut decoder = Self { wrapped: true, ..Self::new(content, limits) };
        decoder.scope.set_alias(BOSH);
        decoder
    }

    /// Sets other limits, from the next token on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Drops all that was read: a new header is awaited (RFC 6120 §4.3.3). The limits stay.
    pub fn restart(&mut self) {
        let new = if self.framed { Self::framed } else { Self::new };
        *self = new(self.content, self.limits);
    }

    /// Reads up to the end of one frame, and takes what it read from `input`. `None`: all was
    /// taken and more is needed.
    ///
    /// # Errors
    /// A [`Flaw`] is final: later calls give the same.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Flaw> {
        if let Some(flaw) = self.flaw {
            return Err(flaw);
        }
        let result = self.advance(input);
        if let Err(flaw) = result {
            self.restart();
            self.flaw = Some(flaw);
        }
        result
    }

    /// Bytes on the heap that belong to what is not complete yet.
    pub fn held_bytes(&self) -> usize {
        self.pending.held_bytes()
            + self.canonical.held_bytes()
            + self.scope.held_bytes()
            + self.attributes.capacity() * size_of::<Attribute>()
            + self.build.held_bytes()
    }

    /// Whether nothing but white space has come since the last frame.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.depth() == 0
    }

    /// Reads one element in `jabber:client`, said or not, and nothing else.
    pub(crate) fn read_one(xml: &[u8], limits: Limits) -> Result<Frame, Flaw> {
        let mut decoder = Self::framed(Content::Client, limits);
        decoder.scope.set_default(ns::CLIENT);
        let mut input = xml;
        let frame = decoder.next(&mut input)?;
        let frame = frame.ok_or(Flaw::not_well_formed("ends before the element does"))?;
        match decoder.next(&mut input)? {
            None if decoder.is_idle() => Ok(frame),
            _ => Err(Flaw::not_well_formed("more than one element")),
        }
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Flaw> {
        if self.stage == Stage::Ending {
            self.stage = Stage::Closed;
            return Ok(Some(Frame::Close));
        }
        while !input.is_empty() {
            if !self.pending.is_empty() {
                if self.resume(input)? {
                    return Ok(Some(self.finish()));
                }
                continue;
            }
            let room = self.limits.stanza_bytes_max.saturating_sub(self.frame_bytes);
            let s = &input[..room.min(input.len())];
            match if s.is_empty() { Step::More } else { self.token(s)? } {
                Step::Used(len) => {
                    self.used(len);
                    *input = &input[len..];
                }
                Step::Done(len) => {
                    self.frame_bytes = 0;
                    *input = &input[len..];
                    return Ok(Some(self.finish()));
                }
                Step::More if s.len() < input.len() => return Err(TOO_BIG),
                Step::More => {
                    self.pending.start(s);
                    *input = &[];
                }
            }
        }
        Ok(None)
    }

    /// Goes on with a token that was cut. Gives whether it completed a frame.
    fn resume(&mut self, input: &mut &[u8]) -> Result<bool, Flaw> {
        let used = self.frame_bytes + self.pending.len();
        let room = self.limits.stanza_bytes_max.saturating_sub(used);
        let clipped = &input[..room.min(input.len())];
        let (taken, ready) = self.pending.take(clipped);
        *input = &input[taken..];
        let full = taken == clipped.len() && !input.is_empty();
        if !ready && !full {
            return Ok(false);
        }
        let mut held = self.pending.release();
        let done = match self.token(&held)? {
            Step::More if full => return Err(TOO_BIG),
            Step::More => {
                self.pending.put_back(held);
                return Ok(false);
            }
            Step::Used(len) => {
                self.used(len);
                held.drain(..len);
                false
            }
            Step::Done(len) => {
                self.frame_bytes = 0;
                held.drain(..len);
                true
            }
        };
        self.pending.put_back(held);
        Ok(done)
    }

    /// Elements open below the root.
    fn depth(&self) -> usize {
        self.scope.depth().saturating_sub(usize::from(!self.framed))
    }

    /// Counts what was used of a frame; between frames there is nothing to count.
    fn used(&mut self, bytes: usize) {
        self.frame_bytes = if self.depth() == 0 { 0 } else { self.frame_bytes + bytes };
    }

    /// Reads the token that `s` begins with. `s` is not empty.
    fn token(&mut self, s: &[u8]) -> Result<Step, Flaw> {
        match self.stage {
            Stage::Inside if self.text.cdata => self.text(s),
            Stage::Inside => match s[0] {
                b'<' => self.markup(s),
                b'&' => self.reference(s),
                _ if self.depth() == 0 => self.between(s),
                _ => self.text(s),
            },
            Stage::Start => {
                self.stage = Stage::Declaration;
                match prolog::byte_order_mark(s)? {
                    Start::Skip(len) => Ok(Step::Used(len)),
                    Start::Nothing => self.token(s),
                    Start::More => {
                        self.stage = Stage::Start;
                        Ok(Step::More)
                    }
                }
            }
            Stage::Declaration => match prolog::declaration(s)? {
                Start::Skip(len) => {
                    self.stage = Stage::Prolog;
                    Ok(Step::Used(len))
                }
                Start::Nothing => {
                    self.stage = Stage::Prolog;
                    self.token(s)
                }
                Start::More => Ok(Step::More),
            },
            Stage::Prolog if s[0] == b'<' => self.markup(s),
            Stage::Prolog | Stage::Ending | Stage::Closed => match chars::space_len(s) {
                0 => Err(Flaw::not_well_formed("something outside of the root element")),
                len => Ok(Step::Used(len)),
            },
        }
    }

    fn markup(&mut self, s: &[u8]) -> Result<Step, Flaw> {
        self.text.interrupt();
        match s.get(1) {
            None => Ok(Step::More),
            Some(b'/') => self.end_tag(s),
            Some(b'!') => self.bang(s),
            Some(b'?') => Err(Flaw::restricted("processing instruction")),
            Some(_) => self.start_tag(s),
        }
    }

    /// `<!` may only start a CDATA section; comments and DTDs are restricted (RFC 6120 §11.1).
    fn bang(&mut self, s: &[u8]) -> Result<Step, Flaw> {
        const CDATA: &[u8] = b"<![CDATA[";
        let known = s.len().min(CDATA.len());
        if s[..known] != CDATA[..known] || self.stage == Stage::Prolog {
            return Err(Flaw::restricted("comment or document type declaration"));
        }
        if known < CDATA.len() {
            return Ok(Step::More);
        }
        if self.depth() == 0 {
            return Err(Flaw::restricted("CDATA section directly in the stream"));
        }
        self.text.cdata = true;
        Ok(Step::Used(known))
    }

    fn text(&mut self, s: &[u8]) -> Result<Step, Flaw> {
        let out = (!self.drops_text()).then_some(&mut self.canonical);
        match self.text.read(s, out)? {
            0 => Ok(Step::More),
            len => Ok(Step::Used(len)),
        }
    }

    fn reference(&mut self, s: &[u8]) -> Result<Step, Flaw> {
        self.text.interrupt();
        if self.depth() == 0 {
            let Some((c, len)) = tag::reference(s)? else { return Ok(Step::More) };
            let space = u8::try_from(c).is_ok_and(chars::is_space);
            return if space { Ok(Step::Used(len)) } else { Err(TEXT_IN_STREAM) };
        }
        let out = (!self.drops_text()).then_some(&mut self.canonical);
        let len = text::reference(s, out)?;
        Ok(len.map_or(Step::More, Step::Used))
    }

    /// White space between first-level elements: keep-alives (RFC 6120 §4.6.1).
    fn between(&self, s: &[u8]) -> Result<Step, Flaw> {
        match (chars::space_len(s), s[0]) {
            (0, 0..0x20) => Err(chars::CONTROL),
            (0, 0x20..0x80) => Err(TEXT_IN_STREAM),
            (0, _) if chars::wide_char(s)?.is_none() => Ok(Step::More),
            (0, _) => Err(TEXT_IN_STREAM),
            (len, _) => Ok(Step::Used(len)),
        }
    }

    /// Text between the children of a stanza means nothing, by any schema.
    fn drops_text(&self) -> bool {
        self.build.is_stanza() && self.depth() == 1
    }
}

const TOO_BIG: Flaw = Flaw::policy("stanza is too big");
const TEXT_IN_STREAM: Flaw = Flaw::new(StreamCondition::BadFormat, "text directly in the stream");

#[cfg(test)]
mod tests;
