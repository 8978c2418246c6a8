//! Resource binding (RFC 6120 §7), and the session of RFC 3921 §3, which does nothing.

use wire::{Bare, Draft, Jid, Kind, Name, Stanza, StanzaCondition, StanzaError, Text, ns};

const BIND: Name = Name::new(ns::BIND, "bind");
const RESOURCE: Name = Name::new(ns::BIND, "resource");
const JID: Name = Name::new(ns::BIND, "jid");
const SESSION: Name = Name::new(ns::SESSION, "session");

/// A request that is for the stream itself.
pub enum Request {
    /// For a resource.
    Bind,
    /// For a session.
    Session,
}

/// What a stanza asks of the stream itself, and not of somebody it is addressed to.
pub fn request(stanza: &Stanza, account: &Bare) -> Option<Request> {
    let head = &stanza.head;
    if head.kind != Kind::Iq || head.type_str() != "set" || head.to_malformed {
        return None;
    }
    let ours = |to: &Jid| *to == **account || (to.is_bare() && to.as_str() == account.domain());
    if !head.to.as_ref().is_none_or(ours) {
        return None;
    }
    let is = |name| stanza.child(name).is_some();
    match (is(BIND), is(SESSION)) {
        (true, _) => Some(Request::Bind),
        (false, true) => Some(Request::Session),
        (false, false) => None,
    }
}

/// The resource that the client wants, prepared; `None` leaves it to the server (§7.6).
///
/// # Errors
/// `bad-request` when it cannot be a resource (§7.7.2.1), or when the request has no id.
pub fn resource(request: &Stanza, account: &Bare) -> Result<Option<Text>, StanzaError> {
    let bad = || StanzaError::from(StanzaCondition::BadRequest);
    if request.head.id.is_none() {
        return Err(bad());
    }
    let wish = request.child(BIND).and_then(|bind| bind.child(RESOURCE));
    let Some(wish) = wish.map(|resource| resource.text()).filter(|wish| !wish.is_empty()) else {
        return Ok(None);
    };
    let full = account.with_resource(&wish).map_err(|_| bad())?;
    Ok(full.resource().map(Text::from))
}

/// The answer to a granted request (§7.6.1).
pub fn bound(request: &Stanza, jid: &Jid) -> Stanza {
    let jid = Draft::new(JID).text(jid.as_str());
    request.result().with(Draft::new(BIND).child(jid).finish())
}
