//! How elements are told apart: inside one document, or each in a message of its own (RFC 7395).

use super::{C2s, State};
use crate::{
    ctx::Ctx,
    stream::machine::{Machine, Out},
    violation::Violation,
};
use wire::{Frame, Framing, Open, Stanza, StanzaError, ns};

/// What comes in.
impl C2s {
    /// One message, which is one element (RFC 7395 §3.3). A stream begins with its header, also
    /// after a restart (§3.4, §3.7); none has two.
    pub(super) fn message(&mut self, ctx: &Ctx<'_>, bytes: &[u8], out: &mut Out) {
        if matches!(self.state, State::Ended) {
            return;
        }
        debug_assert!(self.hungry(), "a message for who cannot take it");
        self.heard = ctx.now;
        let mut rest = bytes;
        let payload = match self.decoder.next(&mut rest) {
            Err(flaw) => return self.fail(ctx, flaw.into(), flaw.why, out),
            Ok(None) => return self.violated(ctx, Violation::HalfElement, out),
            Ok(Some(_)) if bytes[0] != b'<' || !rest.is_empty() => {
                return self.violated(ctx, Violation::NotOneElement, out);
            }
            Ok(Some(Frame::Element(payload))) => payload,
            Ok(Some(frame)) if self.spoken => return self.frame(ctx, frame, out),
            Ok(Some(_)) => return self.violated(ctx, Violation::StreamNamespace, out),
        };
        let element = payload.element();
        let frame = match element.local() {
            "close" if element.ns() == ns::FRAMING => Frame::Close,
            _ if self.spoken => Frame::Element(payload),
            _ => Frame::Open(Open::framed(payload)),
        };
        self.frame(ctx, frame, out);
    }
}

/// What goes out.
impl C2s {
    pub(super) fn write(&self, stanza: &Stanza, out: &mut Out) {
        out.say(|out| stanza.write(self.framing, out));
    }

    pub(super) fn refuse(&self, request: &Stanza, error: &StanzaError, out: &mut Out) {
        if let Some(refusal) = request.refused(error) {
            self.write(&refusal, out);
        }
    }

    pub(super) fn farewell(&self, out: &mut Out) {
        out.say(|out| out.extend_from_slice(self.framing.footer().as_bytes()));
    }

    /// Elements that would share a message are a mistake of ours.
    pub(super) fn check_ends(&self, out: &Out) {
        let all = out.ends.last().copied().unwrap_or(0) == out.bytes.len();
        debug_assert!(all || self.framing == Framing::Stream, "what was said last has no end");
    }
}
