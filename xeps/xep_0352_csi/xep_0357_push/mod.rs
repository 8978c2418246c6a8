//! XEP-0357: Push Notifications. <https://xmpp.org/extensions/xep-0357.html>
//!
//! A device that has said where its notifications go is notified of a message when it does not
//! have it in front of its user: it has no session, or one that has lost its stream (XEP-0198) or
//! sleeps (XEP-0352). What the other devices have does not count: each asks for its own. It must be
//! able to find the message when it comes: what nothing keeps, and it was not sent, it is not
//! notified of. Nor of what cannot be seen, such as receipts and chat states, nor of what its own
//! user has said elsewhere. When a stream breaks, what was last written to it and not acknowledged
//! (XEP-0198) may never have come, so its device is notified of it then.
//!
//! One notification is enough until the device comes back: it finds all there is. But it may have
//! been lost, so there is another when something comes after `burst_seconds`. Calls (XEP-0353) are
//! told of each time, and urgently: one that rings, and one that rings no more.
//!
//! A device that has lost its access to the account (XEP-0494) is notified of nothing more: its
//! registrations go with it.
//!
//! In a room that is those who sit there and have no stream, and its members wherever they are: of
//! what their owner wants to know (XEP-0492). Where very many belong, that is what is
//! addressed to them.
//!
//! The service hears from the account's own address, and how it answers decides what becomes of the
//! registration (section 7.1). What will not pass, such as a node that is gone, ends it at once;
//! what may pass, `failures_max` in a row, silence among them. Only the service itself is believed,
//! and only by the id of the last request, which nobody can guess.

mod burst;
mod publish;
mod registration;

use super::{
    Client, is_wanted,
    weight::{Summons, summons},
};
use crate::xep_0492_notification_settings as notifications;
use burst::Bursts;
use engine::{
    ctx::{Ctx, Moment},
    hook::*,
    passage::{Passage, Walk},
    request::Line,
    setting::{Kind as Choosing, Setting},
    trace::Step,
    wire::*,
};
use publish::publish;
use registration::{REGISTRATIONS, Registration, all, cell, concerns, key, options};

/// Who is away is told that there is something.
pub const XEP: Xep = Xep {
    number: 357,
    name: "Push Notifications",
    version: "0.4.1",
    status: Status::Complete,
    hooks: &[
        Hook::Setting(&SUMMARY),
        Hook::Setting(&REGISTRATIONS_MAX),
        Hook::Setting(&BURST_SECONDS),
        Hook::Setting(&FAILURES_MAX),
        Hook::Feature(Of::Account, NS),
        Hook::set(Of::Account, ENABLE, Answer::Pure(enable)),
        Hook::set(Of::Account, DISABLE, Answer::Pure(disable)),
        Hook::AtHand(REGISTRATIONS),
        Hook::OfDevice(REGISTRATIONS, registration::is_of),
        Hook::AtHand(notifications::SETTINGS),
        Hook::slot::<Bursts>(),
        Hook::At(Station::Keep, hear),
        Hook::At(Station::Keep, count_unanswered),
        Hook::At(Station::Copy, notice),
        Hook::At(Station::Push, push),
    ],
};

/// What push services, and those whom they ask, are told.
pub const SUMMARY: Setting = Setting {
    xep: 357,
    key: "summary",
    kind: Choosing::Choice(&["notice", "count", "sender", "body"]),
    doc: "What push services are told: how many messages; and that there is one, in words that say \
          nothing of it (notice), or from whom (sender), or what was said, too (body).",
};
/// Registrations of one account.
pub const REGISTRATIONS_MAX: Setting = Setting {
    xep: 357,
    key: "registrations_max",
    kind: Choosing::Number { default: 20, from: 1, to: 1_000 },
    doc: "Devices of one account that may be notified.",
};
/// How long one notification is enough.
pub const BURST_SECONDS: Setting = Setting {
    xep: 357,
    key: "burst_seconds",
    kind: Choosing::Number { default: 15, from: 0, to: 86_400 },
    doc: "A device that does not come is notified again when something comes so much later.",
};
/// Failures that a registration outlives.
pub const FAILURES_MAX: Setting = Setting {
    xep: 357,
    key: "failures_max",
    kind: Choosing::Number { default: 10, from: 1, to: 1_000 },
    doc: "Notifications in a row that a service may leave unanswered, or refuse for now.",
};

const NS: &str = "urn:xmpp:push:0";
const ENABLE: Name = Name::new(NS, "enable");
const DISABLE: Name = Name::new(NS, "disable");

/// Section 5. A stranger hears what it would hear if the account did not exist.
fn enable(iq: &Stanza, line: &mut Line<'_>, ctx: &Ctx<'_>) -> Replied {
    let session = line.asker(iq).ok_or(StanzaCondition::ServiceUnavailable)?;
    let enable = iq.child(ENABLE).ok_or(StanzaCondition::BadRequest)?;
    let cell = cell(session, &options(enable)?);
    let (service, node) = place(enable)?;
    let key = key(&service, node.as_deref());
    let cells = line.home.ok_or(StanzaCondition::ServiceUnavailable)?.cells;
    let max = usize::try_from(ctx.settings.number(&REGISTRATIONS_MAX)).unwrap_or(usize::MAX);
    if cells.count(REGISTRATIONS) >= max && cells.get(REGISTRATIONS, &key).is_none() {
        return Err(StanzaCondition::ResourceConstraint.into());
    }
    line.put(REGISTRATIONS, &key, cell)?;
    Ok(Reply::Empty)
}

/// Section 6: of a service all, or the node that is named.
fn disable(iq: &Stanza, line: &mut Line<'_>, _: &Ctx<'_>) -> Replied {
    line.asker(iq).ok_or(StanzaCondition::ServiceUnavailable)?;
    let disable = iq.child(DISABLE).ok_or(StanzaCondition::BadRequest)?;
    let (service, node) = place(disable)?;
    let cells = line.home.ok_or(StanzaCondition::ServiceUnavailable)?.cells;
    let keys = cells.of(REGISTRATIONS).map(|(key, _)| key);
    let concerned = keys.filter(|key| concerns(key, &service, node.as_deref()));
    concerned.for_each(|key| line.cut(REGISTRATIONS, key));
    Ok(Reply::Empty)
}

fn place(element: Element<'_>) -> Result<(Jid, Option<String>), StanzaError> {
    let service = element.attribute("jid").ok_or(StanzaCondition::BadRequest)?;
    let service = Jid::parse(&service).map_err(|_| StanzaCondition::JidMalformed)?;
    Ok((service, element.attribute("node").map(|node| node.into_owned())))
}

/// Section 7.1: how a service has answered.
fn hear(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    let Head { kind, id, from, .. } = &*passage.stanza.head;
    let (Walk::Received, Kind::Iq, Some(id), Some(from)) = (passage.walk, *kind, id, from) else {
        return Verdict::Go;
    };
    let fails = match passage.stanza.head.type_str() {
        "result" => None,
        "error" => Some(is_passing(&passage.stanza)),
        _ => return Verdict::Go,
    };
    let account = &mut *passage.account;
    let mut those = all(&account.cells).into_iter().filter(|one| one.service == *from);
    let bursts = account.slot::<Bursts>(ctx);
    let answered = those.find_map(|one| Some((bursts.answered(&one, id)?, one)));
    let Some((traced, one)) = answered else { return Verdict::Go };
    if let Some(number) = traced {
        let answer = Step::Answered(one.shown(), told(&passage.stanza));
        account.trace.tell(number, ctx.unix_ms, answer);
    }
    match fails {
        None if one.failures == 0 => {}
        None => write(passage, &one, 0),
        Some(true) => fail(passage, &one, ctx),
        Some(false) => passage.cut(REGISTRATIONS, &one.key),
    }
    Verdict::Go
}

/// An answer, in a word: `result`, or the error's condition.
fn told(answer: &Stanza) -> String {
    let error = answer.child(Name::new(ns::CLIENT, "error"));
    let condition = error.and_then(|error| error.children().next());
    let known = condition.and_then(|condition| StanzaCondition::from_name(condition.local()));
    match known {
        Some(condition) => condition.as_str().to_owned(),
        None => answer.head.type_str().to_owned(),
    }
}

/// Whether it may be otherwise another time: the service is not there, or has too much to do.
fn is_passing(error: &Stanza) -> bool {
    const PASSING: [&str; 6] = [
        "remote-server-not-found",
        "remote-server-timeout",
        "service-unavailable",
        "recipient-unavailable",
        "resource-constraint",
        "internal-server-error",
    ];
    let error = error.child(Name::new(ns::CLIENT, "error"));
    error.is_some_and(|error| {
        error.attribute("type").as_deref() == Some("wait")
            || error.children().any(|condition| PASSING.contains(&condition.local()))
    })
}

fn fail(passage: &mut Passage<'_>, one: &Registration, ctx: &Ctx<'_>) {
    match one.failures + 1 {
        failures if failures >= ctx.settings.number(&FAILURES_MAX) => {
            passage.cut(REGISTRATIONS, &one.key);
        }
        failures => write(passage, one, failures),
    }
}

fn write(passage: &mut Passage<'_>, one: &Registration, failures: u64) {
    let written = passage.put(REGISTRATIONS, &one.key, one.failed(failures));
    debug_assert!(written.is_ok(), "the cell is there already");
}

/// A service that does not answer fails, too. It is found when there is a message to tell of.
fn count_unanswered(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    if !may_be_told_of(passage) {
        return Verdict::Go;
    }
    for one in all(&passage.account.cells) {
        let unanswered = passage.account.slot::<Bursts>(ctx).unanswered(&one, ctx.now);
        let Some(traced) = unanswered else { continue };
        if let Some(number) = traced {
            let silence = Step::Answered(one.shown(), "nothing".to_owned());
            passage.account.trace.tell(number, ctx.unix_ms, silence);
        }
        fail(passage, &one, ctx);
    }
    Verdict::Go
}

/// A device that says that it is there has come back.
fn notice(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    if passage.account.cells.count(REGISTRATIONS) == 0 {
        return Verdict::Go;
    }
    let registrations = all(&passage.account.cells);
    let Some(session) = passage.broadcaster() else { return Verdict::Go };
    let those: Vec<_> = registrations.iter().filter(|one| one.is_of(session)).collect();
    let bursts = passage.account.slot::<Bursts>(ctx);
    bursts.retain(&registrations);
    those.into_iter().for_each(|one| bursts.end(one));
    Verdict::Go
}

fn may_be_told_of(passage: &Passage<'_>) -> bool {
    passage.walk == Walk::Received
        && passage.stanza.kind() == Kind::Message
        && passage.account.cells.count(REGISTRATIONS) > 0
}

/// Section 7.
fn push(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    if !may_be_told_of(passage) {
        return Verdict::Go;
    }
    let account = passage.account.jid.clone();
    let own = passage.stanza.head.from.as_ref().is_some_and(|from| from.bare() == account);
    let Some(summons) = summons(&passage.stanza).filter(|_| !own) else { return Verdict::Go };
    let gap_ms = ctx.settings.number(&BURST_SECONDS) * 1000;
    let is_kept = passage.pos.is_some() || passage.held.is_some() || passage.news.is_some();
    let is_wanted = is_told_once(passage);
    let registrations = all(&passage.account.cells);
    for one in &registrations {
        if !is_wanted {
            passage.trace(Step::Spared(one.shown(), "of this room its user wants no more"), ctx);
            continue;
        }
        if !is_concerned(one, passage) {
            continue;
        }
        let device = device(one, passage);
        let bursts = passage.account.slot::<Bursts>(ctx);
        if device.looks {
            bursts.end(one);
            passage.trace(Step::Spared(one.shown(), "its user looks"), ctx);
            continue;
        }
        let burst = bursts.of(one, &registrations);
        let urgent = summons == Summons::Call;
        if !is_kept && !device.reached {
            passage.trace(Step::Spared(one.shown(), "it would not find it"), ctx);
            continue;
        }
        if !burst.miss(urgent, device.came, gap_ms, ctx.now) {
            passage.trace(Step::Spared(one.shown(), "it was told a moment ago"), ctx);
            continue;
        }
        let request = publish(one, &account, &passage.stanza, summons, burst.missed, ctx);
        if let Some(id) = &request.head.id {
            burst.notify(id, passage.traced, ctx.now);
        }
        passage.trace(Step::Notified(one.shown()), ctx);
        passage.send(request);
    }
    Verdict::Go
}

/// What one session was sent in vain is news to its own device alone.
fn is_concerned(one: &Registration, passage: &Passage<'_>) -> bool {
    let is_lost = |by: &Jid| {
        let mut sessions = passage.account.sessions.iter();
        sessions.any(|session| session.jid == *by && one.is_of(session))
    };
    passage.lost.as_ref().is_none_or(is_lost)
}

/// What is said in a room is told once, and as far as the account's owner wants it.
fn is_told_once(passage: &Passage<'_>) -> bool {
    match &passage.news {
        Some(news) => !news.again && is_wanted(passage),
        None => passage.told.is_none(),
    }
}

/// What is known of a device that has registered.
#[derive(Default)]
struct Device {
    /// Its user looks.
    looks: bool,
    /// It has been sent the message.
    reached: bool,
    /// When it came last, or woke.
    came: Option<Moment>,
}

fn device(one: &Registration, passage: &mut Passage<'_>) -> Device {
    let mut device = Device::default();
    for session in passage.account.sessions.iter_mut().filter(|session| one.is_of(session)) {
        device.reached |= passage.reached.contains(&session.jid);
        let looks = session.is_attached() && !session.inactive;
        let client = session.slot::<Client>();
        device.looks |= looks;
        device.came = device.came.max(client.came);
    }
    device
}

#[cfg(test)]
mod tests;
