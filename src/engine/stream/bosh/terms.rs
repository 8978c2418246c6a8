//! What client and server agree on when a session begins (XEP-0124 §7, XEP-0206 §3, §4).

use super::{
    reply::{Attributes, Condition},
    request::{RID_MAX, number},
};
use crate::settings::{BoshLimits, Settings};
use std::borrow::Cow;
use wire::{Bare, Body, Content, Framing, Header, Text};

/// The version of BOSH that we speak, and its minor number.
const VERSION: (u64, u64) = (1, 11);
/// Bytes of the longest `Content-Type` that a client may want.
const CONTENT_BYTES_MAX: usize = 128;
/// Bytes of the longest version or language that is remembered.
const SAID_BYTES_MAX: usize = 64;

/// The terms of a session.
#[derive(Debug)]
pub(super) struct Terms {
    /// How long a request may wait for its response; 0: not at all.
    pub(super) wait_ms: u64,
    /// How many requests may wait at once; 0: none.
    pub(super) hold: usize,
    /// How many requests the client may make at once.
    pub(super) requests: usize,
    /// How long no request need be there.
    pub(super) inactivity_ms: u64,
    /// How long a client that asks for nothing waits before it asks again; 0: not at all.
    pub(super) polling_ms: u64,
    /// The longest pause.
    pub(super) pause_ms_max: u64,
    /// The client says which responses it has.
    pub(super) acks: bool,
    /// The version of BOSH that both speak. A client that says none knows HTTP's errors only.
    pub(super) version: Option<String>,
    /// What `Content-Type` its responses must have.
    pub(super) content: Option<String>,
    domain: Bare,
    lang: Option<Text>,
    /// Of XMPP.
    xmpp: Text,
}

impl Terms {
    /// Reads the request that shall begin a session.
    ///
    /// # Errors
    /// Why it cannot begin.
    pub(super) fn read(body: &Body, settings: &Settings) -> Result<Self, Condition> {
        let limits = &settings.limits.bosh;
        let wait_ms = number(body, "wait")?.map_or(u64::MAX, |wait| wait.saturating_mul(1000));
        let wait_ms = wait_ms.min(limits.wait_ms_max);
        let hold = number(body, "hold")?.unwrap_or(1);
        let hold = usize::try_from(hold).map_or(limits.hold_max, |hold| hold.min(limits.hold_max));
        let polls = hold == 0 || wait_ms == 0;
        let kept = |text: Option<Cow<'_, str>>| {
            text.filter(|text| text.len() <= SAID_BYTES_MAX).map(|text| Text::from(&*text))
        };
        Ok(Self {
            wait_ms,
            hold,
            requests: hold + 1,
            inactivity_ms: inactivity(polls, limits),
            polling_ms: limits.polling_ms,
            pause_ms_max: limits.pause_ms_max,
            acks: body.attribute("ack").as_deref() == Some("1"),
            version: body.attribute("ver").as_deref().map(lower),
            content: content(body)?,
            domain: domain(body, settings)?,
            lang: kept(body.attribute("xml:lang")),
            xmpp: kept(body.xmpp("version")).unwrap_or("1.0".into()),
        })
    }

    /// The client asks from time to time instead of waiting (XEP-0124 §12).
    pub(super) fn polls(&self) -> bool {
        self.hold == 0 || self.wait_ms == 0
    }

    /// The header of the stream, or of the stream that follows it (XEP-0206 §5).
    pub(super) fn header(&self, body: &Body) -> Text {
        let (to, from, lang) = ["to", "from", "xml:lang"].map(|name| body.attribute(name)).into();
        let header = Header {
            content: Content::Client,
            from: from.as_deref(),
            to: Some(to.as_deref().unwrap_or(self.domain.as_str())),
            id: None,
            version: Some(&self.xmpp),
            lang: lang.as_deref().or(self.lang.as_deref()),
        };
        let mut out = Vec::new();
        header.write(Framing::Framed, &mut out);
        Text::try_from(out).expect("made of str")
    }

    /// What the first response says of them.
    pub(super) fn tell<'a>(&'a self, sid: &'a str, attributes: &mut Attributes<'a>) {
        attributes.text("sid", sid);
        attributes.number("wait", self.wait_ms / 1000);
        attributes.number("requests", u64::try_from(self.requests).unwrap_or(RID_MAX));
        attributes.number("hold", u64::try_from(self.hold).unwrap_or(RID_MAX));
        attributes.number("inactivity", self.inactivity_ms / 1000);
        if self.polling_ms > 0 {
            attributes.number("polling", self.polling_ms / 1000);
        }
        if self.pause_ms_max > 0 {
            attributes.number("maxpause", self.pause_ms_max / 1000);
        }
        if let Some(version) = &self.version {
            attributes.text("ver", &**version);
        }
        attributes.text("from", self.domain.as_str());
        attributes.text("xmpp:version", "1.0");
        attributes.text("xmpp:restartlogic", "true");
    }
}

/// Who polls is there more seldom (XEP-0124 §12).
fn inactivity(polls: bool, limits: &BoshLimits) -> u64 {
    match polls {
        true => 2 * (limits.inactivity_ms + limits.polling_ms),
        false => limits.inactivity_ms,
    }
}

/// The domain of ours that it is for. `route` may be ignored by who serves its own (§7.1).
fn domain(body: &Body, settings: &Settings) -> Result<Bare, Condition> {
    let Some(to) = body.attribute("to").filter(|to| !to.is_empty()) else {
        let [only] = &settings.domains[..] else { return Err(Condition::ImproperAddressing) };
        return Ok(only.clone());
    };
    let host = Bare::parse(&to).ok().filter(|host| host.local().is_none());
    host.filter(|host| settings.serves(host.domain())).ok_or(Condition::HostUnknown)
}

/// It becomes a header of HTTP.
fn content(body: &Body) -> Result<Option<String>, Condition> {
    let Some(content) = body.attribute("content") else { return Ok(None) };
    let plain = content.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    match plain && (1..=CONTENT_BYTES_MAX).contains(&content.len()) {
        true => Ok(Some(content.into_owned())),
        false => Err(Condition::BadRequest),
    }
}

/// The lower of both versions, numbers compared as numbers; ours for one that is none.
fn lower(theirs: &str) -> String {
    let numbers = theirs.split_once('.').and_then(|(major, minor)| {
        let (major, minor) = (major.parse::<u64>().ok()?, minor.parse::<u64>().ok()?);
        Some((major, minor))
    });
    let (major, minor) = numbers.unwrap_or(VERSION).min(VERSION);
    format!("{major}.{minor}")
}
