//! Between socket and machine: the handshake, bytes or messages in, bytes or messages out.

use super::{Drive, Phase};
use crate::{bosh::Line, outgoing::Outgoing, socket::Socket, websocket::Heard};
use engine::{
    parcel::Say,
    stream::{
        bosh,
        machine::{Input, Machine, Out},
    },
    wire::StreamError,
};
use std::{
    borrow::Cow,
    task::{Context, Poll},
};

/// What comes in. Each returns whether more may come at once.
impl Drive {
    pub(super) fn shake_hands(&mut self, cx: &mut Context<'_>, out: &mut Out) -> bool {
        match self.socket.poll_handshake(cx, self.shell.tls.clients.as_ref()) {
            Poll::Pending => return false,
            Poll::Ready(Ok(tls)) => {
                self.deadline = None;
                self.shell.meters.handshake("ok");
                self.story.secured(tls.version);
                self.tell(Input::Secured(tls), out);
            }
            Poll::Ready(Err(error)) => {
                self.shell.meters.handshake("failed");
                self.story.closed(&self.shell, "handshake", &error.to_string());
                self.phase = Phase::Over;
            }
        }
        true
    }

    pub(super) fn read(&mut self, cx: &mut Context<'_>, out: &mut Out) -> bool {
        let reads = match self.phase {
            Phase::Open => {
                self.machine.hungry()
                    && !self.is_congested()
                    && !self.credit.is_spent(&self.shell.limits)
                    && self.bandwidth.until(self.shell.limits.bytes_per_second_max).is_none()
            }
            Phase::Lingering => true,
            Phase::Upgrading | Phase::Flushing | Phase::Over => false,
        };
        if !reads {
            return false;
        }
        if let Some(line) = self.line.clone() {
            return self.hear_line(&line, out);
        }
        if self.phase == Phase::Open && self.hear_message(out) {
            return true;
        }
        match self.socket.poll_read(cx) {
            Poll::Pending => return false,
            Poll::Ready(Ok(bytes)) if !bytes.is_empty() => {
                self.take(bytes.len());
                match &mut self.frames {
                    _ if self.phase != Phase::Open => {}
                    Some(frames) => frames.read(bytes),
                    None => self.tell(Input::Bytes(&bytes), out),
                }
            }
            Poll::Ready(ended) => self.peer_gone(ended.is_err(), out),
        }
        true
    }

    fn take(&mut self, bytes: usize) {
        let Self { bandwidth, shell, .. } = self;
        bandwidth.take(bytes, shell.clock.now(), shell.limits.bytes_per_second_max);
    }

    /// One message of those that have come already.
    fn hear_message(&mut self, out: &mut Out) -> bool {
        let bytes_max = self.machine.element_bytes_max();
        let Some(frames) = &mut self.frames else { return false };
        match frames.next(bytes_max) {
            Ok(None) => return false,
            Ok(Some(Heard::Message(message))) => self.tell(Input::Bytes(&message), out),
            Ok(Some(Heard::Alive)) => self.tell(Input::Alive, out),
            Ok(Some(Heard::Close)) => self.peer_gone(false, out),
            Err(refused) => {
                let (condition, text) = (refused.condition, Some(Cow::Borrowed(refused.why)));
                let error = StreamError { condition, text, app: None };
                self.tell(Input::Say(Say::End(error)), out);
            }
        }
        true
    }

    /// One element of those that requests of BOSH have brought.
    fn hear_line(&mut self, line: &Line, out: &mut Out) -> bool {
        match line.poll_take(self.machine.limits()) {
            Poll::Pending => return false,
            Poll::Ready(Some(bosh::Heard::Element(element))) => {
                self.take(element.as_bytes().len());
                self.tell(Input::Bytes(element.as_bytes()), out);
            }
            Poll::Ready(Some(bosh::Heard::Alive)) => self.tell(Input::Alive, out),
            Poll::Ready(None) => self.peer_gone(false, out),
        }
        true
    }

    fn peer_gone(&mut self, failed: bool, out: &mut Out) {
        if failed {
            self.socket = Socket::Gone;
        }
        match self.phase {
            Phase::Open => {
                self.heard_end = true;
                self.tell(Input::Gone, out);
            }
            _ => self.phase = Phase::Over,
        }
    }
}

/// What goes out. Each returns whether something else may go on now.
impl Drive {
    /// The peer does not take what we have for it: nothing more is made for it meanwhile.
    pub(super) fn is_congested(&self) -> bool {
        self.outgoing.is_congested() || self.line.as_ref().is_some_and(|line| line.is_full())
    }

    /// As payloads of responses.
    fn write_line(&mut self, line: &Line, out: &mut Out) -> bool {
        let said = !out.ends.is_empty();
        if said {
            line.say(&out.bytes, &out.ends);
        }
        out.bytes.clear();
        out.ends.clear();
        if self.phase == Phase::Flushing && line.poll_end().is_ready() {
            self.phase = Phase::Over;
        }
        said
    }

    pub(super) fn write(&mut self, cx: &mut Context<'_>, out: &mut Out) -> bool {
        if self.phase == Phase::Over {
            return false;
        }
        if let Some(line) = self.line.clone() {
            return self.write_line(&line, out);
        }
        let last = self.phase == Phase::Flushing;
        let was_congested = self.is_congested();
        if let Some(frames) = &mut self.frames {
            frames.write(&mut out.bytes, &mut out.ends, last);
        }
        out.ends.clear();
        let written = self.outgoing.write(&mut self.socket, cx, &mut out.bytes, last);
        let written = match written {
            Ok(written) => written,
            Err(_) => {
                // Whoever is unheard need not be listened to.
                self.outgoing = Outgoing::default();
                self.socket = Socket::Gone;
                self.peer_gone(true, out);
                return true;
            }
        };
        if written && was_congested {
            // Whoever takes what has waited for it is there.
            self.tell(Input::Alive, out);
        }
        let written = written && (last || was_congested);
        let all = self.outgoing.is_done();
        match self.phase {
            Phase::Upgrading if all => {
                self.socket.secure(&self.shell.tls.starttls, &self.shell.turnstile);
                let patience = self.shell.limits.handshake_ms_max;
                self.deadline = Some(self.shell.clock.now().after(patience));
                self.phase = Phase::Open;
                true
            }
            Phase::Flushing if all => match self.socket.poll_shutdown(cx) {
                Poll::Pending => written,
                Poll::Ready(Ok(())) if !self.heard_end => {
                    self.phase = Phase::Lingering;
                    true
                }
                Poll::Ready(_) => {
                    self.phase = Phase::Over;
                    true
                }
            },
            _ => written,
        }
    }
}
