//! Who gets it (RFC 6121 §8.5).

use crate::{account::Account, session::Session, subscription::Ask};
use smallvec::SmallVec;
use wire::{Head, Jid, Kind, Name, Stanza, StanzaCondition, ns};

/// What asks for, or changes, a roster.
pub(crate) const ROSTER: Name = Name::new(ns::ROSTER, "query");

/// What becomes of a stanza that nobody here takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untaken {
    /// Nothing.
    Ignore,
    /// The sender is told.
    Refuse(StanzaCondition),
}

/// Places of sessions among their account's.
pub(crate) type Takers = SmallVec<[usize; 8]>;

impl Account {
    /// The sessions that a stanza for this account goes to.
    pub(crate) fn takers(&self, stanza: &Stanza) -> Takers {
        let full = stanza.head.to.as_ref().filter(|to| !to.is_bare());
        // RFC 6121 §8.5.3.1: the resource that is named, available or not.
        let named = |to: &Jid| self.sessions.iter().position(|session| session.jid == *to);
        match full.and_then(named) {
            Some(place) => Takers::from_slice(&[place]),
            None => self.bare_takers(stanza, full.is_some()),
        }
    }

    /// To the bare address, or to a resource that is not there.
    fn bare_takers(&self, stanza: &Stanza, full: bool) -> Takers {
        let takes: fn(&Session) -> bool = match (stanza.kind(), stanza.head.type_str()) {
            (Kind::Iq, _) => return Takers::new(),
            // RFC 6121 §8.5.3.2.2: a resource that is gone gets no presence.
            (Kind::Presence, "" | "unavailable") if full => return Takers::new(),
            (Kind::Presence, "error") => return Takers::new(),
            (Kind::Presence, "unavailable") => Session::hears_of_ends,
            (Kind::Presence, _) => |session| session.presence.is_some(),
            // RFC 6121 §8.5.3.2.1: chat for a resource that is gone goes to the account.
            (Kind::Message, "error" | "groupchat") => return Takers::new(),
            (Kind::Message, kind) if full && kind != "chat" => return Takers::new(),
            // All of non-negative priority, never only the most available: so the log alone
            // tells who got a message itself and who gets a copy.
            (Kind::Message, _) => |session| session.presence.is_some() && session.priority >= 0,
        };
        let sessions = self.sessions.iter().enumerate();
        sessions.filter(|(_, session)| takes(session)).map(|(place, _)| place).collect()
    }
}

/// What the sender hears when nobody takes it and nothing keeps it (RFC 6121 §8.5). Where the
/// RFC allows silence or an error for a body, an error: silence would be a loss.
pub fn untaken(stanza: &Stanza) -> Untaken {
    let unavailable = Untaken::Refuse(StanzaCondition::ServiceUnavailable);
    match (stanza.kind(), stanza.head.type_str()) {
        (Kind::Presence, _) | (_, "error" | "result") => Untaken::Ignore,
        (Kind::Message, "headline") if stanza.head.to.as_ref().is_some_and(is_account) => {
            Untaken::Ignore
        }
        _ => unavailable,
    }
}

fn is_account(to: &Jid) -> bool {
    to.is_bare() && to.local().is_some()
}

/// Whether this tells how somebody is there, and the older one how the same had been: of what
/// waits only what is said last counts.
pub(crate) fn supersedes(newer: &Stanza, older: &Stanza) -> bool {
    let shows = |stanza: &Stanza| {
        let shows = matches!(stanza.head.type_str(), "" | "unavailable");
        stanza.kind() == Kind::Presence && shows
    };
    shows(newer) && shows(older) && older.head.from == newer.head.from
}

/// Whether there are presences of this type (RFC 6121 §4.7.1).
pub(crate) fn is_presence_type(name: &str) -> bool {
    matches!(name, "" | "unavailable" | "probe" | "error") || Ask::parse(name).is_some()
}

/// The same for an account that does not exist: it must look like one that is away (RFC 6120
/// §13.11), so a headline is refused just where an existing account would refuse it.
pub fn nobody(stanza: &Stanza) -> Option<Stanza> {
    match (stanza.kind(), stanza.head.type_str()) {
        (Kind::Presence, "probe") => return unsubscribed(stanza),
        (Kind::Presence, name) if !is_presence_type(name) => {
            return stanza.refused(&StanzaCondition::BadRequest.into());
        }
        _ => {}
    }
    match untaken_by_nobody(stanza) {
        Untaken::Ignore => None,
        Untaken::Refuse(condition) => stanza.refused(&condition.into()),
    }
}

/// The error alone.
pub fn untaken_by_nobody(stanza: &Stanza) -> Untaken {
    let asks_account = stanza.kind() == Kind::Iq && stanza.head.to.as_ref().is_some_and(is_account);
    match untaken(stanza) {
        // What an account that exists says to a stranger (RFC 6121 §2.3.3).
        Untaken::Refuse(_) if asks_account && stanza.child(ROSTER).is_some() => {
            Untaken::Refuse(StanzaCondition::Forbidden)
        }
        untaken => untaken,
    }
}

/// What a probe hears from whom it is not subscribed to (RFC 6121 §4.3.2), with its id (§4.3.2.1).
pub(crate) fn unsubscribed(probe: &Stanza) -> Option<Stanza> {
    let (from, to) = (probe.head.to.as_ref()?.bare(), probe.head.from.as_ref()?.bare());
    let head = Head::new(Kind::Presence).with_type(Ask::Unsubscribed.as_str());
    let mut told = Stanza::new(head.with_from(from).with_to(to));
    told.head.id.clone_from(&probe.head.id);
    Some(told)
}
