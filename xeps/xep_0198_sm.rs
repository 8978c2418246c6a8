//! XEP-0198: Stream Management. <https://xmpp.org/extensions/xep-0198.html>
//!
//! What both sides count and what waits for a client that has lost its stream is the engine's
//! (`engine/managed.rs`); here is how it travels. A count that is told is durable: every message up
//! to it that is to be archived is in the logs of both sides, and all else has been dealt with.

use engine::{
    ctx::Ctx,
    hook::*,
    managed::Resumption,
    parcel::Claim,
    session::Session,
    setting::{Kind as Choosing, Setting},
    slot::Slot,
    unacked::TooHigh,
    wire::*,
};

/// Nothing is lost with a stream.
pub const XEP: Xep = Xep {
    number: 198,
    name: "Stream Management",
    version: "1.6.3",
    status: Status::Complete,
    hooks: &[
        Hook::Setting(&RESUME_SECONDS_MAX),
        Hook::StreamFeature(Stage::Bind, |_, _| Some(Draft::new(SM).finish())),
        Hook::Inline(ENABLE, NS, |enable, session, ctx| vec![enabled(enable, session, ctx)]),
        Hook::Resumption(&Travels),
        Hook::Nonza(ENABLE, enable),
        Hook::Nonza(RESUME, |_, _, _| Ok(vec![unexpected()])),
        Hook::Nonza(REQUEST, requested),
        Hook::Nonza(ANSWER, answered),
        Hook::Asks(REQUEST, ANSWER),
        Hook::Write(Desk::Count, count),
        Hook::Settled(settled),
        Hook::Sent(ask),
        Hook::Resumed(ask_again),
        Hook::slot::<Asked>(),
    ],
};

/// How long a client has to come back.
pub const RESUME_SECONDS_MAX: Setting = Setting {
    xep: 198,
    key: "resume_seconds_max",
    kind: Choosing::Number { default: 86_400, from: 0, to: 604_800 },
    doc: "How long a client that has lost its stream can come back to its session; 0: never.",
};

const NS: &str = "urn:xmpp:sm:3";
const SM: Name = Name::new(NS, "sm");
const ENABLE: Name = Name::new(NS, "enable");
const RESUME: Name = Name::new(NS, "resume");
const REQUEST: Name = Name::new(NS, "r");
const ANSWER: Name = Name::new(NS, "a");

fn named(local: &'static str) -> Draft {
    Draft::new(Name::new(NS, local))
}

/// What has been asked on both sides.
#[derive(Default)]
struct Asked {
    /// The client asked, and was told less than it had said: it is told once more when all that is
    /// dealt with.
    by_client: Option<u64>,
    /// We asked, and have not been answered.
    by_us: bool,
}

impl Slot for Asked {
    const KEY: &'static str = "stream management asked";
}

/// Section 3.
fn enable(
    element: Element<'_>,
    session: &mut Session,
    ctx: &Ctx<'_>,
) -> Result<Vec<Output>, StreamError> {
    if session.managed.is_some() {
        return Ok(vec![unexpected()]);
    }
    Ok(vec![Output::Nonza(enabled(element, session, ctx))])
}

fn enabled(enable: Element<'_>, session: &mut Session, ctx: &Ctx<'_>) -> Payload {
    let wishes = matches!(enable.attribute("resume").as_deref(), Some("true" | "1"));
    let most = ctx.settings.number(&RESUME_SECONDS_MAX);
    let wished = enable.attribute("max").and_then(|max| max.parse().ok()).unwrap_or(most);
    // A client that names no time, or none that can be, gets the longest.
    let seconds = if wished == 0 { most } else { wished.min(most) };
    // Who stays unknown (XEP-0175) comes back as somebody else.
    let guest = ctx.settings.is_anonymous(&session.jid.bare());
    if !wishes || seconds == 0 || guest {
        session.manage(None);
        return named("enabled").finish();
    }
    let id = ctx.token();
    session.manage(Some(Resumption::by(&id, seconds * 1_000)));
    let enabled = named("enabled").attribute("id", id).attribute("resume", "true");
    enabled.attribute("max", seconds.to_string()).finish()
}

/// Section 4: answered at once, with what is durable. What is not follows when it is: also of what
/// no log has, the count is, within a second.
fn requested(
    _: Element<'_>,
    session: &mut Session,
    _: &Ctx<'_>,
) -> Result<Vec<Output>, StreamError> {
    let Some(h) = session.h_told() else { return Ok(vec![unexpected()]) };
    let said = session.handled.said();
    let owes = !session.tells(said);
    session.slot::<Asked>().by_client = owes.then_some(said);
    Ok(vec![answer(h)])
}

fn answer(h: u32) -> Output {
    Output::Nonza(named("a").attribute("h", h.to_string()).finish())
}

/// All that the client had said when it asked has been dealt with.
fn settled(session: &mut Session, _: &Ctx<'_>) -> Vec<Output> {
    let asked = session.slot::<Asked>().by_client;
    if asked.is_none_or(|said| !session.tells(said)) {
        return Vec::new();
    }
    session.slot::<Asked>().by_client = None;
    session.h_told().map(answer).into_iter().collect()
}

/// Section 4: what the client has got.
fn answered(
    element: Element<'_>,
    session: &mut Session,
    _: &Ctx<'_>,
) -> Result<Vec<Output>, StreamError> {
    let Some(managed) = &mut session.managed else { return Ok(vec![unexpected()]) };
    let Some(h) = count_of(element) else {
        return Err(StreamCondition::InvalidXml.into());
    };
    managed.ack(h).map_err(|TooHigh { sent }| too_high(h, sent))?;
    let has_all = managed.unacked.is_empty();
    session.slot::<Asked>().by_us = false;
    Ok(if has_all { Vec::new() } else { request(session) })
}

fn count_of(element: Element<'_>) -> Option<u32> {
    element.attribute("h")?.parse().ok()
}

/// What is written is kept until the client has it.
fn count(leaving: Leaving, session: &mut Session, _: &Ctx<'_>) -> Leavings {
    if let Some(managed) = &mut session.managed {
        managed.unacked.push(&leaving);
    }
    [leaving].into()
}

/// One request is under way while something is not acknowledged, never more.
fn ask(session: &mut Session, _: &Ctx<'_>) -> Vec<Output> {
    request(session)
}

fn ask_again(session: &mut Session, ctx: &Ctx<'_>) -> Vec<Output> {
    *session.slot::<Asked>() = Asked::default();
    let waits = session.managed.as_ref().is_some_and(|managed| !managed.unacked.is_empty());
    if waits { ask(session, ctx) } else { Vec::new() }
}

fn request(session: &mut Session) -> Vec<Output> {
    match std::mem::replace(&mut session.slot::<Asked>().by_us, true) {
        true => Vec::new(),
        false => vec![Output::Nonza(named("r").finish())],
    }
}

fn unexpected() -> Output {
    Output::Nonza(failed(StanzaCondition::UnexpectedRequest, None))
}

/// Section 6.
fn failed(condition: StanzaCondition, h: Option<u32>) -> Payload {
    let failed = named("failed");
    let failed = match h {
        Some(h) => failed.attribute("h", h.to_string()),
        None => failed,
    };
    failed.child(Draft::new(Name::new(ns::STANZA_ERRORS, condition.as_str()))).finish()
}

fn too_high(h: u32, sent: u32) -> StreamError {
    let app = named("handled-count-too-high")
        .attribute("h", h.to_string())
        .attribute("send-count", sent.to_string());
    StreamError { app: Some(app.finish()), ..StreamCondition::UndefinedCondition.into() }
}

/// Section 5.
struct Travels;

impl Claims for Travels {
    fn read(&self, element: Element<'_>) -> Option<Result<Claim, Payload>> {
        if element.is(ENABLE) {
            return Some(Err(failed(StanzaCondition::UnexpectedRequest, None)));
        }
        if !element.is(RESUME) {
            return None;
        }
        let claim = || {
            Some(Claim { id: element.attribute("previd")?.as_ref().into(), h: count_of(element)? })
        };
        Some(claim().ok_or_else(|| failed(StanzaCondition::BadRequest, None)))
    }

    fn granted(&self, claim: &Claim, h: u32) -> Payload {
        let resumed = named("resumed").attribute("previd", &claim.id);
        resumed.attribute("h", h.to_string()).finish()
    }

    fn refused(&self, _: &Claim, h: Option<u32>) -> Payload {
        failed(StanzaCondition::ItemNotFound, h)
    }

    fn too_high(&self, h: u32, sent: u32) -> StreamError {
        too_high(h, sent)
    }

    fn offer(&self) -> Payload {
        Draft::new(SM).finish()
    }
}
