//! What of a client's stanzas goes no further: what is addressed to nobody that can be, what there
//! is no room for, and what is for too many (RFC 6120 §13.12, item 5).

use super::Account;
use crate::{
    ctx::{Ctx, Moment},
    parcel::Link,
};
use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
};
use wire::{Bare, ErrorType, Stanza, StanzaCondition, StanzaError};

const MINUTE_MS: u64 = 60_000;

/// To whom a client has spoken since a minute began.
#[derive(Debug)]
pub(crate) struct Recipients {
    since: Moment,
    /// By hashes: an address may have two thousand bytes.
    whom: BTreeSet<u64>,
}

impl Recipients {
    fn from(since: Moment) -> Self {
        Self { since, whom: BTreeSet::new() }
    }

    /// Whether it may speak to this one, too.
    fn admits(&mut self, whom: &Bare, now: Moment, max: usize) -> bool {
        if now >= self.since.after(MINUTE_MS) {
            *self = Self::from(now);
        }
        let mut hasher = DefaultHasher::new();
        whom.as_str().hash(&mut hasher);
        let hash = hasher.finish();
        if self.whom.len() < max {
            self.whom.insert(hash);
        }
        self.whom.contains(&hash)
    }
}

impl Account {
    /// Why this goes no further.
    pub(super) fn unsayable(
        &mut self,
        link: Link,
        stanza: &Stanza,
        ctx: &Ctx<'_>,
    ) -> Option<StanzaError> {
        if stanza.head.to_malformed {
            return Some(StanzaCondition::JidMalformed.into());
        }
        if self.waiting.is_full() {
            return Some(StanzaCondition::ResourceConstraint.into());
        }
        if self.addresses_too_many(link, stanza, ctx) {
            return Some(StanzaError::new(ErrorType::Wait, StanzaCondition::PolicyViolation));
        }
        None
    }

    /// What answers others is owed to them, however many they are.
    fn addresses_too_many(&mut self, link: Link, stanza: &Stanza, ctx: &Ctx<'_>) -> bool {
        let max = ctx.settings.limits.recipients_per_minute_max;
        if max == 0 || matches!(stanza.head.type_str(), "result" | "error") {
            return false;
        }
        let Some(to) = stanza.head.to.as_ref().map(|to| to.bare()) else { return false };
        if to == self.jid || (to.local().is_none() && ctx.settings.serves(to.domain())) {
            return false;
        }
        let Some(session) = self.session(link) else { return false };
        let recipients =
            session.recipients.get_or_insert_with(|| Box::new(Recipients::from(ctx.now)));
        !recipients.admits(&to, ctx.now, max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_a_minute_they_are_counted_and_then_anew() {
        let mut recipients = Recipients::from(Moment(1_000));
        let mut admits = |ms, who: &str| {
            let whom = Bare::parse(&format!("{who}@x")).unwrap();
            recipients.admits(&whom, Moment(ms), 2)
        };
        for (who, may) in [("a", true), ("b", true), ("a", true), ("c", false), ("b", true)] {
            assert_eq!(admits(1_000, who), may, "{who}");
        }
        assert!(!admits(60_999, "c"));
        assert!(admits(61_000, "c") && admits(61_000, "a") && !admits(61_000, "b"));
    }
}
