//! How much presence an account may make others hear (RFC 6120 §13.12): whoever sees it hears each.

use super::Account;
use crate::{parcel::Link, session::Session};
use wire::{Stanza, StanzaCondition, StanzaError};

/// Bytes of one presence.
pub(crate) const PRESENCE_BYTES_MAX: usize = 16 << 10;
/// Bytes of what all sessions of an account show: a probe is answered with all of it at once, and
/// who comes probes all of its contacts.
pub(crate) const SHOWN_BYTES_MAX: usize = 256 << 10;

impl Account {
    /// Why this presence goes no further.
    pub(super) fn unshowable(&self, presence: &Stanza) -> Option<StanzaError> {
        let is_large = presence.wire_len() > PRESENCE_BYTES_MAX;
        is_large.then(|| StanzaCondition::PolicyViolation.into())
    }

    /// Whether its sessions show so much that this one may not show this, too.
    pub(super) fn shows_too_much(&self, link: Link, presence: &Stanza) -> bool {
        let shown = |session: &Session| {
            let hidden = session.managed.as_ref().and_then(|managed| managed.hidden.as_ref());
            session.presence.as_ref().or(hidden).map_or(0, Stanza::wire_len)
        };
        let others = self.sessions.iter().filter(|session| session.link != link);
        others.map(shown).sum::<usize>() + presence.wire_len() > SHOWN_BYTES_MAX
    }
}
