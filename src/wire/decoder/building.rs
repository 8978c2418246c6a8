//! From tags to frames: the head of a stanza, the index of its children, the canonical bytes.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::{Decoder, Stage, Step};
use crate::canonical::{self, Canonical};
use crate::scope::{Entered, Ns, OTHER_CONTENT};
use crate::stanza::{Span, Spans};
use crate::tag::{self, Attribute, Role, StartTag};
use crate::{Flaw, Frame, Head, Jid, Kind, Open, Payload, Stanza, Text, escape};

/// Keeps room for at most so many attributes between two stanzas.
const ATTRIBUTES_KEPT_MAX: usize = 16;

/// The frame that is being read.
#[derive(Debug, Default)]
pub(super) struct Build {
    /// The stream header or footer.
    root: Option<Box<Frame>>,
    head: Option<PartialHead>,
    children: Spans,
    child_start: usize,
    elements: usize,
}

/// A head whose texts are still ranges of the canonical bytes.
#[derive(Debug)]
struct PartialHead {
    head: Head,
    id: Option<Range<usize>>,
    type_: Option<Range<usize>>,
    lang: Option<Range<usize>>,
    others: Range<usize>,
}

impl Build {
    /// Whether a stanza is being read, and no other element.
    pub(super) fn is_stanza(&self) -> bool {
        self.head.is_some()
    }

    /// Bytes on the heap.
    pub(super) fn held_bytes(&self) -> usize {
        if self.children.spilled() { self.children.capacity() * size_of::<Span>() } else { 0 }
    }
}

impl Decoder {
    pub(super) fn start_tag(&mut self, s: &[u8]) -> Result<Step, Flaw> {
        let mut attributes = std::mem::take(&mut self.attributes);
        let tag = tag::start_tag(s, &self.limits, &mut attributes);
        let step = match tag {
            Ok(Some(tag)) => self.open(s, &tag, &attributes),
            Ok(None) => Ok(Step::More),
            Err(flaw) => Err(flaw),
        };
        self.attributes = attributes;
        step
    }

    fn open(&mut self, s: &[u8], tag: &StartTag, attributes: &[Attribute]) -> Result<Step, Flaw> {
        if self.stage == Stage::Prolog {
            return self.open_root(s, tag, attributes);
        }
        let depth = self.depth();
        if depth == 0 {
            self.build.elements = 0;
            self.canonical.clear(self.limits.stanza_bytes_max);
        }
        self.build.elements += 1;
        if depth + 1 > self.limits.depth_max {
            return Err(Flaw::policy("elements are nested too deep"));
        }
        if self.build.elements > self.limits.elements_max {
            return Err(Flaw::policy("too many elements in a stanza"));
        }
        let entered = self.scope.enter(s, tag, attributes, &self.limits)?;
        match self.stanza_kind(depth, &entered)? {
            Some(kind) => self.start_stanza(kind, s, attributes)?,
            None => {
                self.build.child_start =
                    if depth == 1 { self.canonical.len() } else { self.build.child_start };
                self.canonical.start(&self.scope, &entered, s, tag, attributes)?;
            }
        }
        if tag.empty { self.leave(tag.len) } else { Ok(Step::Used(tag.len)) }
    }

    /// The kind of stanza, if it is one and not any other element.
    fn stanza_kind(&self, depth: usize, entered: &Entered) -> Result<Option<Kind>, Flaw> {
        if depth > 0 || !entered.content {
            return Ok(None);
        }
        let uri = self.scope.uri(entered.ns);
        if uri != self.content.ns().as_bytes() && !self.scope.is_alias(uri) {
            return Err(OTHER_CONTENT);
        }
        Ok(Kind::from_name(self.scope.local()).filter(|_| !self.wrapped))
    }

    fn start_stanza(&mut self, kind: Kind, s: &[u8], attributes: &[Attribute]) -> Result<(), Flaw> {
        let mut partial =
            PartialHead { head: Head::new(kind), id: None, type_: None, lang: None, others: 0..0 };
        let out = &mut self.canonical;
        let mut others = false;
        for attribute in attributes {
            let local = attribute.name.local(s);
            match (attribute.role, local) {
                (Role::Plain, b"id") => partial.id = Some(keep(out, attribute, s)?),
                (Role::Plain, b"type") => partial.type_ = Some(keep(out, attribute, s)?),
                (Role::Xml, b"lang") => partial.lang = Some(keep(out, attribute, s)?),
                (Role::Plain, b"from") => {
                    partial.head.from = address(attribute, s).map(|(from, _)| from);
                    partial.head.from_malformed = partial.head.from.is_none();
                }
                (Role::Plain, b"to") => {
                    let to = address(attribute, s);
                    partial.head.to_malformed = to.is_none();
                    partial.head.to_respelled = to.as_ref().is_some_and(|(_, is)| *is);
                    partial.head.to = to.map(|(to, _)| to);
                }
                (role, _) => others |= !role.declares(),
            }
        }
        if others {
            let start = out.len();
            out.attributes(&self.scope, s, attributes, |attribute| is_other(attribute, s))?;
            partial.others = start..out.len();
        }
        self.build.head = Some(partial);
        Ok(())
    }

    pub(super) fn end_tag(&mut self, s: &[u8]) -> Result<Step, Flaw> {
        let Some(name) = self.scope.name() else {
            return Err(Flaw::not_well_formed("end tag without a start tag"));
        };
        let Some(len) = tag::end_tag(s, name)? else { return Ok(Step::More) };
        if self.depth() == 0 {
            self.scope.leave();
            self.stage = Stage::Closed;
            self.build.root = Some(Box::new(Frame::Close));
            return Ok(Step::Done(len));
        }
        self.leave(len)
    }

    /// Leaves the innermost element, whose last token has `len` bytes.
    fn leave(&mut self, len: usize) -> Result<Step, Flaw> {
        let depth = self.depth() - 1;
        if depth > 0 || !self.build.is_stanza() {
            self.canonical.end(self.scope.local())?;
        }
        self.scope.leave();
        if depth == 0 {
            return Ok(Step::Done(len));
        }
        if depth == 1 && self.build.is_stanza() {
            let (start, end) = (self.build.child_start as u32, self.canonical.len() as u32);
            self.build.children.push(Span { start, end });
        }
        Ok(Step::Used(len))
    }

    /// The frame is complete: its bytes go into an allocation of their own, of the exact size.
    pub(super) fn finish(&mut self) -> Frame {
        if let Some(root) = self.build.root.take() {
            return *root;
        }
        let body = freeze(&self.canonical);
        self.canonical.clear(self.limits.stanza_bytes_max);
        self.scope.shrink();
        self.attributes.shrink_to(ATTRIBUTES_KEPT_MAX);
        let children = std::mem::take(&mut self.build.children);
        let Some(partial) = self.build.head.take() else {
            return Frame::Element(Payload::from_canonical(body));
        };
        let part = |range: Range<usize>| body.slice_ref(&body[range]);
        let head = Head {
            id: partial.id.map(part),
            type_: partial.type_.map(part),
            lang: partial.lang.map(part),
            others: if partial.others.is_empty() { Text::new() } else { part(partial.others) },
            ..partial.head
        };
        Frame::Stanza(Stanza::from_canonical(head, body, children))
    }

    fn open_root(
        &mut self,
        s: &[u8],
        tag: &StartTag,
        attributes: &[Attribute],
    ) -> Result<Step, Flaw> {
        self.canonical.clear(self.limits.stanza_bytes_max);
        let entered = self.scope.enter(s, tag, attributes, &self.limits)?;
        self.canonical.start(&self.scope, &entered, s, tag, attributes)?;
        self.canonical.end(self.scope.local())?;
        let declares_default = attributes.iter().any(|one| one.role == Role::Default);
        let default = declares_default.then(|| self.uri(self.scope.default_ns()));
        let plain = |name| value_of(s, attributes, Role::Plain, name);
        let open = Open {
            name: text_of(tag.name.local(s)),
            ns: self.uri(entered.ns),
            default_ns: default,
            prefix: text_of(tag.name.prefix(s)),
            to: plain(b"to"),
            from: plain(b"from"),
            id: plain(b"id"),
            version: plain(b"version"),
            lang: value_of(s, attributes, Role::Xml, b"lang"),
            element: Payload::from_canonical(freeze(&self.canonical)),
        };
        self.canonical.clear(self.limits.stanza_bytes_max);
        self.stage = Stage::Inside;
        self.scope.make_root();
        if tag.empty {
            self.scope.leave();
            self.stage = Stage::Ending;
        }
        self.build.root = Some(Box::new(Frame::Open(open)));
        Ok(Step::Done(tag.len))
    }

    fn uri(&self, ns: Ns) -> Text {
        let canonical = text_of(self.scope.uri(ns));
        match escape::unescape(&canonical) {
            Cow::Borrowed(_) => canonical,
            Cow::Owned(plain) => plain.into(),
        }
    }
}

/// Keeps a decoded value among the canonical bytes of the stanza.
fn keep(out: &mut Canonical, attribute: &Attribute, s: &[u8]) -> Result<Range<usize>, Flaw> {
    let start = out.len();
    out.with(|bytes| canonical::decode_value(attribute, s, bytes))?;
    Ok(start..out.len())
}

/// And whether its resource was spelled otherwise.
fn address(attribute: &Attribute, s: &[u8]) -> Option<(Jid, bool)> {
    let parse = |bytes| {
        let text = std::str::from_utf8(bytes).ok()?;
        let jid = Jid::parse(text).ok()?;
        let said = || text.split_once('/').map(|(_, resource)| resource);
        let is_respelled = jid.as_str() != text && jid.resource() != said();
        Some((jid, is_respelled))
    };
    if attribute.plain {
        return parse(attribute.value(s));
    }
    let mut decoded = Vec::new();
    canonical::decode_value(attribute, s, &mut decoded);
    parse(&decoded)
}

/// Whether the attribute of a stanza is none of the five common ones (RFC 6120 §8.1).
fn is_other(attribute: &Attribute, s: &[u8]) -> bool {
    match attribute.role {
        Role::Plain => !matches!(attribute.name.raw(s), b"id" | b"type" | b"from" | b"to"),
        Role::Xml => attribute.name.local(s) != b"lang",
        _ => true,
    }
}

fn value_of(s: &[u8], attributes: &[Attribute], role: Role, name: &[u8]) -> Option<Text> {
    let found = attributes.iter().find(|one| one.role == role && one.name.local(s) == name)?;
    let mut decoded = Vec::new();
    canonical::decode_value(found, s, &mut decoded);
    Some(text_of(&decoded))
}

fn text_of(bytes: &[u8]) -> Text {
    Text::try_from(bytes).expect("the scanner lets only UTF-8 through")
}

fn freeze(canonical: &Canonical) -> Text {
    let bytes = Bytes::copy_from_slice(canonical.bytes());
    Text::try_from(bytes).expect("the scanner lets only UTF-8 through")
}
