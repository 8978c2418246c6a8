//! XEP-0484: Fast Authentication Streamlining Tokens. <https://xmpp.org/extensions/xep-0484.html>

use crate::xep_0082_dates::date_time;
use engine::{
    device::{Issued, Use},
    hook::*,
    stream::{
        machine::Tls,
        sasl::{Failure, Ht},
    },
    wire::*,
};

/// A login by token, in one round trip.
pub const XEP: Xep = Xep {
    number: 484,
    name: "Fast Authentication Streamlining Tokens",
    version: "0.2.0",
    status: Status::Complete,
    hooks: &[],
};

const NS: &str = "urn:xmpp:fast:0";
const FAST: Name = Name::new(NS, "fast");
const REQUEST_TOKEN: Name = Name::new(NS, "request-token");

/// Section 3.1. TLS 0-RTT is not offered: nothing of it is ever processed.
pub(super) fn feature(tls: &Tls) -> Draft {
    let mechanism = |ht: Ht| Draft::new(Name::new(NS, "mechanism")).text(ht.name());
    Ht::offered(tls).map(mechanism).fold(Draft::new(FAST), Draft::child)
}

/// Section 3.2. A mechanism that we do not know is no reason to refuse a login: the client may
/// remember it from elsewhere, and does without a token.
pub(super) fn wish(authenticate: Element<'_>) -> Option<Ht> {
    Ht::named(&authenticate.child(REQUEST_TOKEN)?.attribute("mechanism")?)
}

/// Sections 3.3 and 3.5.
pub(super) fn used(authenticate: Element<'_>) -> Result<Option<Use>, Failure> {
    let Some(fast) = authenticate.child(FAST) else { return Ok(None) };
    let count = fast.attribute("count").map(|count| count.parse());
    let count = count.transpose().map_err(|_| Failure::MalformedRequest)?;
    let invalidate = fast.attribute("invalidate");
    let invalidate = invalidate.is_some_and(|value| value == "true" || value == "1");
    Ok(Some(Use { count, invalidate }))
}

/// Section 3.2.
pub(super) fn token(issued: &Issued) -> Draft {
    Draft::new(Name::new(NS, "token"))
        .attribute("token", &issued.secret)
        .attribute("expiry", date_time(issued.expires_ms))
}
