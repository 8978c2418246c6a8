//! One request within a session, and what it asks for.

use super::{
    reply::{Condition, Ticket},
    terms::Terms,
};
use crate::ctx::Moment;
use std::collections::VecDeque;
use wire::{Body, Framing, Text};

/// The greatest number of a request, 2^53 - 1 (XEP-0124 §14.1).
pub(super) const RID_MAX: u64 = (1 << 53) - 1;
/// Bytes of the longest key: hexadecimal SHA-1 (XEP-0124 §15.3).
const KEY_BYTES: usize = 40;

/// What a session has heard for its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// One element: a header, a payload, a footer.
    Element(Text),
    /// The client is there and says nothing.
    Alive,
}

/// A request without a response.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) rid: u64,
    /// Where its response goes; nowhere when its connection is lost.
    pub(super) ticket: Option<Ticket>,
    /// When it came last.
    pub(super) since: Moment,
    /// What of it the stream has not taken yet.
    pub(super) heard: VecDeque<Heard>,
    /// The stream has taken all, and come back for more.
    pub(super) done: bool,
    /// The client has received all responses up to this.
    pub(super) ack: Option<u64>,
    pub(super) key: Option<Text>,
    pub(super) new_key: Option<Text>,
    /// No request will be there for so long.
    pub(super) pause_ms: Option<u64>,
    /// The session shall end.
    pub(super) terminates: bool,
    /// It asks for nothing but payloads.
    pub(super) empty: bool,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn read(
        body: Body,
        ticket: Ticket,
        now: Moment,
        terms: &Terms,
    ) -> Result<Self, Condition> {
        let pause_ms = number(&body, "pause")?.map(|pause| pause.saturating_mul(1000));
        let terminates = body.attribute("type").as_deref() == Some("terminate");
        let restarts = matches!(body.xmpp("restart").as_deref(), Some("true" | "1"));
        let mut request = Self {
            rid: rid(&body)?,
            ticket: Some(ticket),
            since: now,
            heard: VecDeque::new(),
            done: false,
            ack: number(&body, "ack")?,
            key: key(&body, "key")?,
            new_key: key(&body, "newkey")?,
            pause_ms,
            terminates,
            empty: false,
        };
        if restarts {
            // Payloads beside it are ignored (XEP-0206 §5).
            request.heard.push_back(Heard::Element(terms.header(&body)));
        } else {
            request.empty = body.payloads().is_empty() && !terminates && pause_ms.is_none();
            request.heard.extend(body.into_payloads().into_iter().map(Heard::Element));
        }
        if terminates {
            request.heard.push_back(Heard::Element(Framing::Framed.footer().into()));
        }
        if request.heard.is_empty() {
            request.heard.push_back(Heard::Alive);
        }
        Ok(request)
    }

    /// Somebody waits for its response.
    pub(super) fn is_held(&self) -> bool {
        self.ticket.is_some()
    }
}

/// Its number.
pub(super) fn rid(body: &Body) -> Result<u64, Condition> {
    let rid = number(body, "rid")?.filter(|rid| (1..=RID_MAX).contains(rid));
    rid.ok_or(Condition::BadRequest)
}

/// A number without sign; one that is too great is the greatest.
pub(super) fn number(body: &Body, name: &str) -> Result<Option<u64>, Condition> {
    let Some(value) = body.attribute(name) else { return Ok(None) };
    let digits = value.trim_ascii();
    match !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(Some(digits.parse().unwrap_or(u64::MAX))),
        false => Err(Condition::BadRequest),
    }
}

pub(super) fn key(body: &Body, name: &str) -> Result<Option<Text>, Condition> {
    let Some(value) = body.attribute(name) else { return Ok(None) };
    let hex = value.len() == KEY_BYTES && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| Some(Text::from(value.to_ascii_lowercase()))).ok_or(Condition::ItemNotFound)
}
