//! A session of BOSH: a connection made of HTTP requests (XEP-0124, XEP-0206).
//!
//! It stands where a socket stands: what clients send, in the order of their request ids, is
//! [taken](Bosh::take) by the stream's machine element by element, and what the machine says is
//! the payload of the next response.

mod keys;
mod reply;
mod request;
mod respond;
mod terms;
#[cfg(test)]
mod tests;

pub use reply::{Answer, Condition, Reply, Ticket};
pub use request::Heard;

use crate::ctx::{Ctx, Moment};
use keys::Keys;
use request::Request;
use std::collections::{BTreeMap, VecDeque};
use terms::Terms;
use wire::{Body, Text, ns};

/// Bytes of payloads that wait for a request from which on no more are taken.
const SAID_BYTES_MAX: usize = 32 << 10;
/// How often requests may be sent again before a new one comes (XEP-0124 §14.3).
const REPEATS_MAX: u32 = 16;
/// How old a response is that the client should have, before it is told of it (XEP-0124 §9.2).
const REPORT_MS: u64 = 1000;

/// A session.
#[derive(Debug)]
pub struct Bosh {
    sid: String,
    terms: Terms,
    keys: Keys,
    phase: Phase,
    /// All requests up to this have come.
    received: u64,
    /// Requests that came before their turn.
    early: BTreeMap<u64, Request>,
    /// Requests without a response, in order.
    waiting: VecDeque<Request>,
    /// The last responses, for who did not get them.
    kept: VecDeque<Kept>,
    /// Requests sent again since the last new one.
    repeats: u32,
    said: Said,
    /// The request before the next one.
    last: Last,
    /// A response that the client has not said it has: for which request, and how old it is.
    report: Option<(u64, u64)>,
    /// How long the client said it would not be there.
    pause_ms: Option<u64>,
    /// Since when nobody waits for a response.
    quiet: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first response, with the terms, is to be given.
    Beginning,
    Open,
    /// The client has said its last.
    Leaving,
    /// The stream has ended; the client is to be told.
    Ended,
    /// Nothing is left to do.
    Over,
}

/// Payloads for the client.
#[derive(Debug, Default)]
struct Said {
    payloads: String,
    /// One of them has the prefix `stream`.
    streams: bool,
    /// The last of them is a stream error.
    error: bool,
}

#[derive(Debug)]
struct Kept {
    rid: u64,
    key: Option<Text>,
    reply: Reply,
    at: Moment,
}

#[derive(Debug)]
struct Last {
    at: Moment,
    /// It asked for nothing but payloads.
    empty: bool,
    /// The last response had none.
    in_vain: bool,
}

/// What comes in.
impl Bosh {
    /// Begins a session.
    ///
    /// # Errors
    /// What the client is answered instead.
    pub fn begin(ctx: &Ctx<'_>, body: Body, ticket: Ticket) -> Result<Self, Reply> {
        let legacy = body.attribute("ver").is_none();
        let refuse = |condition| Reply::terminal(condition, legacy);
        let terms = Terms::read(&body, ctx.settings).map_err(refuse)?;
        let header = Heard::Element(terms.header(&body));
        let mut first = Request::read(body, ticket, ctx.now, &terms).map_err(refuse)?;
        // Whatever it says beside, what a stream begins with is its header.
        first.heard = [header].into();
        first.empty = false;
        Ok(Self {
            sid: ctx.token(),
            keys: Keys::begin(first.new_key.take()),
            terms,
            phase: Phase::Beginning,
            received: first.rid,
            early: BTreeMap::new(),
            waiting: [first].into(),
            kept: VecDeque::new(),
            repeats: 0,
            said: Said::default(),
            last: Last { at: ctx.now, empty: false, in_vain: false },
            report: None,
            pause_ms: None,
            quiet: ctx.now,
        })
    }

    /// A request of this session has come.
    pub fn request(&mut self, ctx: &Ctx<'_>, body: Body, ticket: Ticket, out: &mut Vec<Answer>) {
        let request = match Request::read(body, ticket, ctx.now, &self.terms) {
            Ok(request) => request,
            Err(condition) => return self.terminate(condition, Some(ticket), out),
        };
        let rid = request.rid;
        if rid <= self.received || self.early.contains_key(&rid) {
            return self.repeat(ctx, &request, out);
        }
        let window = u64::try_from(self.terms.requests).unwrap_or(u64::MAX);
        if rid - self.received > window || !self.is_open() {
            return self.terminate(Condition::ItemNotFound, Some(ticket), out);
        }
        self.early.insert(rid, request);
        while let Some(next) = self.early.remove(&(self.received + 1)) {
            self.received += 1;
            let ticket = next.ticket;
            if let Err(condition) = self.accept(ctx.now, next) {
                return self.terminate(condition, ticket, out);
            }
        }
        self.settle(ctx.now, out);
    }

    /// Something came that is no wrapper, or a wrapper that is too big.
    pub fn broken(&mut self, why: Condition, ticket: Ticket, out: &mut Vec<Answer>) {
        self.terminate(why, Some(ticket), out);
    }

    /// Whoever waited for this response is gone.
    pub fn lost(&mut self, ctx: &Ctx<'_>, ticket: Ticket) {
        let all = self.waiting.iter_mut().chain(self.early.values_mut());
        for request in all.filter(|request| request.ticket == Some(ticket)) {
            request.ticket = None;
        }
        self.note_quiet(ctx.now);
    }

    /// The moment of `wake` has come.
    pub fn tick(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Answer>) {
        if self.phase != Phase::Over && !self.is_held() && ctx.now >= self.patience() {
            return self.terminate(Condition::ItemNotFound, None, out);
        }
        self.settle(ctx.now, out);
    }

    /// Takes a request whose turn has come.
    fn accept(&mut self, now: Moment, request: Request) -> Result<(), Condition> {
        if !self.keys.admit(request.key.as_ref(), request.new_key.as_ref()) {
            return Err(Condition::ItemNotFound);
        }
        let leaves = request.terminates || request.pause_ms.is_some();
        if self.waiting.len() >= self.terms.requests + usize::from(leaves)
            || request.pause_ms.is_some_and(|pause| pause > self.terms.pause_ms_max)
            || self.is_hasty(now, &request)
        {
            return Err(Condition::PolicyViolation);
        }
        if self.terms.acks {
            self.acknowledged(now, request.ack.unwrap_or(request.rid - 1));
        }
        if request.terminates && self.phase != Phase::Ended {
            self.phase = Phase::Leaving;
        }
        self.repeats = 0;
        self.pause_ms = request.pause_ms;
        self.last = Last { at: now, empty: request.empty, ..self.last };
        self.waiting.push_back(request);
        Ok(())
    }

    /// It asks for payloads more often than agreed (XEP-0124 §11, §12).
    fn is_hasty(&self, now: Moment, request: &Request) -> bool {
        if !request.empty || now >= self.last.at.after(self.terms.polling_ms) {
            return false;
        }
        match self.terms.polls() {
            true => self.last.empty && self.last.in_vain,
            false => self.waiting.len() + 1 == self.terms.requests,
        }
    }

    /// The client has the responses up to this. Of one that it lacks for long it is told.
    fn acknowledged(&mut self, now: Moment, rid: u64) {
        self.kept.retain(|kept| kept.rid > rid);
        let lacks = self.kept.front().filter(|kept| now >= kept.at.after(REPORT_MS));
        self.report = lacks.map(|kept| (kept.rid, now.0 - kept.at.0));
    }

    /// A request is sent again, for its connection was lost (XEP-0124 §14.3).
    fn repeat(&mut self, ctx: &Ctx<'_>, again: &Request, out: &mut Vec<Answer>) {
        self.repeats += 1;
        if self.repeats > REPEATS_MAX {
            return self.terminate(Condition::PolicyViolation, again.ticket, out);
        }
        let mut unanswered = self.waiting.iter_mut().chain(self.early.values_mut());
        let same = |rid: u64, key: &Option<Text>| rid == again.rid && *key == again.key;
        if let Some(request) = unanswered.find(|request| same(request.rid, &request.key)) {
            request.since = ctx.now;
            if let Some(ticket) = std::mem::replace(&mut request.ticket, again.ticket) {
                out.push(Answer { ticket, reply: Reply::recoverable() });
            }
            return self.settle(ctx.now, out);
        }
        let kept = self.kept.iter().find(|kept| same(kept.rid, &kept.key));
        match (kept, again.ticket) {
            (Some(kept), Some(ticket)) => {
                out.push(Answer { ticket, reply: kept.reply.clone() });
                self.note_quiet(ctx.now);
            }
            _ => self.terminate(Condition::ItemNotFound, again.ticket, out),
        }
    }
}

/// Towards the stream.
impl Bosh {
    /// What the stream hears next. To come again means that what was taken before is done.
    pub fn take(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Answer>) -> Option<Heard> {
        let mut heard = None;
        for request in self.waiting.iter_mut().filter(|request| !request.done) {
            heard = request.heard.pop_front();
            if heard.is_some() {
                break;
            }
            request.done = true;
        }
        self.settle(ctx.now, out);
        heard.filter(|_| self.phase != Phase::Over)
    }

    /// The stream says one element.
    pub fn say(&mut self, ctx: &Ctx<'_>, element: &str, out: &mut Vec<Answer>) {
        let framing = ["<open xmlns='", "<close xmlns='"]
            .iter()
            .any(|tag| element.strip_prefix(tag).is_some_and(|rest| rest.starts_with(ns::FRAMING)));
        // Header and footer of the stream are told by wrappers.
        if framing {
            return;
        }
        self.said.streams |= element.starts_with("<stream:");
        self.said.error |= element.starts_with("<stream:error");
        self.said.payloads.push_str(element);
        self.settle(ctx.now, out);
    }

    /// The stream has ended.
    pub fn end(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Answer>) {
        if self.phase != Phase::Over {
            self.phase = Phase::Ended;
        }
        self.settle(ctx.now, out);
    }

    /// The stream is gone, and can say no more.
    pub fn cut(&mut self, out: &mut Vec<Answer>) {
        self.terminate(Condition::ItemNotFound, None, out);
    }

    /// So much waits for the client that no more is made for it. While somebody waits for it, it
    /// is not: its response leaves when the stream has heard what it said.
    pub fn is_full(&self) -> bool {
        self.said.payloads.len() >= SAID_BYTES_MAX && !self.is_held()
    }

    /// It has ended, for both sides.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// When `tick` is wanted.
    pub fn wake(&self) -> Option<Moment> {
        if self.phase == Phase::Over {
            return None;
        }
        if !self.is_held() {
            return Some(self.patience());
        }
        let done = self.waiting.front().is_some_and(|first| first.done);
        let held = self.waiting.iter().filter(|request| done && request.is_held());
        held.map(|request| request.since.after(self.terms.wait_ms)).min()
    }

    /// Its name, known to the client alone.
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// What `Content-Type` its responses must have (XEP-0124 §7.1).
    pub fn content_type(&self) -> Option<&str> {
        self.terms.content.as_deref()
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Beginning | Phase::Open | Phase::Ended)
    }

    /// Somebody waits for a response whose turn will come.
    pub fn is_held(&self) -> bool {
        self.waiting.iter().any(Request::is_held)
    }

    /// When the client has been away for too long (XEP-0124 §10).
    fn patience(&self) -> Moment {
        self.quiet.after(self.pause_ms.unwrap_or(self.terms.inactivity_ms))
    }

    fn note_quiet(&mut self, now: Moment) {
        if !self.is_held() {
            self.quiet = now;
        }
    }
}
