//! Who gets it (RFC 6121 §8.5).

use crate::{account::Account, session::Session};
use wire::{Jid, Kind, Stanza, StanzaCondition};

/// What becomes of a stanza that nobody here takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untaken {
    /// Nothing.
    Ignore,
    /// The sender is told.
    Refuse(StanzaCondition),
}

impl Account {
    /// The sessions that a stanza for this account goes to, by address.
    pub(crate) fn takers(&self, stanza: &Stanza) -> Vec<Jid> {
        let takers = match exact(self, stanza) {
            Some(session) => vec![session],
            None => self.bare_takers(stanza),
        };
        takers.into_iter().map(|session| session.jid.clone()).collect()
    }

    /// To the bare address, or to a resource that is not there.
    fn bare_takers(&self, stanza: &Stanza) -> Vec<&Session> {
        let full = stanza.head.to.as_ref().is_some_and(|to| !to.is_bare());
        let available = self.sessions.iter().filter(|session| session.presence.is_some());
        match (stanza.kind(), stanza.head.type_str()) {
            (Kind::Iq, _) => Vec::new(),
            // RFC 6121 §8.5.3.2.2: a resource that is gone gets no presence.
            (Kind::Presence, "" | "unavailable") if full => Vec::new(),
            (Kind::Presence, "error") => Vec::new(),
            (Kind::Presence, _) => available.collect(),
            // RFC 6121 §8.5.3.2.1: chat for a resource that is gone goes to the account.
            (Kind::Message, "error" | "groupchat") => Vec::new(),
            (Kind::Message, kind) if full && kind != "chat" => Vec::new(),
            // All of non-negative priority, never only the most available: so the log alone
            // tells who got a message itself and who gets a copy.
            (Kind::Message, _) => available.filter(|session| session.priority >= 0).collect(),
        }
    }
}

/// RFC 6121 §8.5.3.1: the resource that is named, available or not.
fn exact<'a>(account: &'a Account, stanza: &Stanza) -> Option<&'a Session> {
    let to = stanza.head.to.as_ref()?;
    account.sessions.iter().find(|session| session.jid == *to)
}

/// What the sender hears when nobody takes it and nothing keeps it (RFC 6121 §8.5). Where the
/// RFC allows silence or an error for a body, an error: silence would be a loss.
pub fn untaken(stanza: &Stanza) -> Untaken {
    let unavailable = Untaken::Refuse(StanzaCondition::ServiceUnavailable);
    match (stanza.kind(), stanza.head.type_str()) {
        (Kind::Presence, _) | (_, "error" | "result") => Untaken::Ignore,
        (Kind::Message, "headline") if stanza.head.to.as_ref().is_some_and(Jid::is_bare) => {
            Untaken::Ignore
        }
        _ => unavailable,
    }
}

/// The same for an account that does not exist: it must look like one that is away (RFC 6120
/// §13.11), so a headline is refused just where an existing account would refuse it.
pub fn nobody(stanza: &Stanza) -> Option<Stanza> {
    match untaken(stanza) {
        Untaken::Ignore => None,
        Untaken::Refuse(condition) => stanza.refused(&condition.into()),
    }
}
