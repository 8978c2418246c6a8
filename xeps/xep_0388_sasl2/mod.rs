//! XEP-0388: Extensible SASL Profile. <https://xmpp.org/extensions/xep-0388.html>
//!
//! The login in one go: with it a resource (0386), a token for the next time (0484), new keys
//! (0480). The stream's machine does all that; here is how it travels.

pub mod xep_0386_bind2;
pub mod xep_0480_upgrade;
pub mod xep_0484_fast;

use base64::{Engine, prelude::BASE64_STANDARD};
use engine::{
    ctx::Ctx,
    device::Agent,
    hook::*,
    stream::sasl::{
        Advertised, Failure,
        profile::{Auth, Granted, Profile, Said, Says, Wishes},
    },
    wire::*,
};

/// The login in one go.
pub const XEP: Xep = Xep {
    number: 388,
    name: "Extensible SASL Profile",
    version: "1.0.4",
    status: Status::Complete,
    hooks: &[
        Hook::StreamFeature(Stage::Authenticate, |ctx, offered| Some(feature(ctx, offered))),
        Hook::Profile(&Sasl2),
    ],
};

const NS: &str = "urn:xmpp:sasl:2";
const INITIAL_RESPONSE: Name = Name::new(NS, "initial-response");
const USER_AGENT: Name = Name::new(NS, "user-agent");
const SOFTWARE: Name = Name::new(NS, "software");
const DEVICE: Name = Name::new(NS, "device");

fn named(local: &'static str) -> Draft {
    Draft::new(Name::new(NS, local))
}

/// Section 2.1.
fn feature(ctx: &Ctx<'_>, advertised: &Advertised<'_>) -> Payload {
    let mechanism = |name: &str| named("mechanism").text(name);
    let offered = advertised.mechanisms.iter().map(|one| mechanism(one.name()));
    // A guest has no password, and comes back as another (XEP-0175).
    let lasts = !ctx.settings.is_anonymous(advertised.domain);
    let fast = lasts.then(|| xep_0484_fast::feature(advertised.tls));
    let inline = [xep_0386_bind2::feature(ctx)].into_iter().chain(fast);
    let inline = inline.fold(named("inline"), Draft::child);
    let claims = ctx.hooks.claims().filter(|_| lasts).map(|claims| claims.offer());
    let inline = claims.iter().fold(inline, Draft::payload);
    let upgrades = xep_0480_upgrade::features(ctx).filter(|_| lasts);
    let children = offered.chain([inline]).chain(upgrades);
    children.fold(named("authentication"), Draft::child).finish()
}

struct Sasl2;

impl Profile for Sasl2 {
    fn read(&self, element: Element<'_>) -> Option<Result<Said, Failure>> {
        if element.ns() != NS {
            return None;
        }
        match element.local() {
            "authenticate" => Some(authenticate(element).map(Said::Auth)),
            "response" => Some(decode(element).map(Said::Response)),
            "abort" => Some(Ok(Said::Abort)),
            "next" => Some(Ok(Said::Task(xep_0480_upgrade::next(element)))),
            "task-data" => Some(xep_0480_upgrade::salted(element).map(Said::Salted)),
            _ => None,
        }
    }

    fn write(&self, says: Says<'_>, out: &mut Vec<u8>) {
        let element = match says {
            Says::Challenge(message) => named("challenge").text(BASE64_STANDARD.encode(message)),
            Says::Task(hash, words) => {
                let tasks = named("tasks").child(xep_0480_upgrade::task(hash));
                additional(named("continue"), words).child(tasks)
            }
            Says::Salt(salt, iterations) => {
                named("task-data").child(xep_0480_upgrade::salt(salt, iterations))
            }
            Says::Success(granted) => success(&granted),
            Says::Failure(failure) => {
                let condition = Draft::new(Name::new(ns::SASL, failure.as_str()));
                let text = failure.text().map(|text| named("text").text(text));
                text.into_iter().fold(named("failure").child(condition), Draft::child)
            }
        };
        out.extend_from_slice(element.finish().as_str().as_bytes());
    }
}

/// Section 2.3.
fn authenticate(element: Element<'_>) -> Result<Auth, Failure> {
    let wishes = Wishes {
        agent: element.child(USER_AGENT).and_then(agent),
        used: xep_0484_fast::used(element)?,
        token: xep_0484_fast::wish(element),
        upgrades: xep_0480_upgrade::wishes(element),
        claim: None,
        bind: xep_0386_bind2::wish(element),
    };
    Ok(Auth {
        mechanism: element.attribute("mechanism").unwrap_or_default().into_owned(),
        initial: element.child(INITIAL_RESPONSE).map(decode).transpose()?,
        wishes: Some(Box::new(wishes)),
    })
}

/// An id is only recommended; without one it is nobody whom we would know again.
fn agent(agent: Element<'_>) -> Option<Agent> {
    let text = |name| agent.child(name).map(|child| child.text()).unwrap_or_default();
    Agent::of(&agent.attribute("id")?, &text(SOFTWARE), &text(DEVICE))
}

/// Section 2.2: senders should not wrap it.
fn decode(element: Element<'_>) -> Result<Vec<u8>, Failure> {
    let text = element.text();
    BASE64_STANDARD.decode(text.trim_ascii()).map_err(|_| Failure::IncorrectEncoding)
}

fn additional(to: Draft, words: Option<&[u8]>) -> Draft {
    match words {
        Some(words) => to.child(named("additional-data").text(BASE64_STANDARD.encode(words))),
        None => to,
    }
}

/// Section 2.6.1.
fn success(granted: &Granted<'_>) -> Draft {
    let claimed = granted.claimed.and_then(|(jid, _)| jid);
    let who = claimed.or(granted.bound.map(|(jid, _)| jid));
    let who = who.map_or(granted.account.as_str(), Jid::as_str);
    let mut success = additional(named("success"), granted.words)
        .child(named("authorization-identifier").text(who));
    if let Some((_, told)) = granted.claimed {
        success = success.payload(told);
    }
    if let Some((_, begun)) = granted.bound {
        success = success.child(xep_0386_bind2::bound(begun));
    }
    if let Some(issued) = granted.token {
        success = success.child(xep_0484_fast::token(issued));
    }
    success
}

#[cfg(test)]
mod tests;
