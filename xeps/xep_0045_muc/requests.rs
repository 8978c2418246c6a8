//! Who has asked to be a member, and waits for an answer (XEP-0045 §9.9). That may be given days
//! later, when the process is another and nobody has been here meanwhile.

use super::{
    line::Step,
    room::{ROOM, Room},
};
use engine::{
    unit::{Change, KEY_BYTES_MAX, REQUEST_OF},
    wire::*,
};
use std::collections::BTreeMap;

/// Of one room.
const REQUESTS_MAX: usize = 100;
/// Who asks again after that is asked for again: nobody may have seen it. And where there is no
/// room for another, who has waited for so long makes room.
const ASKED_AGAIN_MS: u64 = 86_400_000;

/// All of a room, and when admins and owners were asked, in milliseconds of the Unix clock.
#[derive(Debug, Default)]
pub struct Requests(BTreeMap<Bare, u64>);

impl Requests {
    /// One that was kept; one that nobody can read was none. Whether it was one at all.
    pub fn load(&mut self, key: &str, value: &[u8]) -> bool {
        let Some(who) = key.strip_prefix(REQUEST_OF) else { return false };
        let asked_ms = std::str::from_utf8(value).ok().and_then(|ms| ms.parse().ok());
        if let (Ok(who), Some(asked_ms)) = (Bare::parse(who), asked_ms) {
            self.0.insert(who, asked_ms);
        }
        true
    }

    /// Whether somebody waits for an answer.
    pub fn has(&self, who: &Bare) -> bool {
        self.0.contains_key(who)
    }

    /// Whether admins and owners were asked so lately that they need not be again.
    pub fn has_of_late(&self, who: &Bare, now_ms: u64) -> bool {
        self.0.get(who).is_some_and(|asked_ms| now_ms < asked_ms.saturating_add(ASKED_AGAIN_MS))
    }

    /// Who has waited for longest, if for long enough.
    fn oldest(&self, now_ms: u64) -> Option<Bare> {
        let (who, _) = self.0.iter().min_by_key(|(_, asked_ms)| **asked_ms)?;
        (!self.has_of_late(who, now_ms)).then(|| who.clone())
    }

    /// About what they take, in bytes.
    pub fn weight(&self) -> usize {
        self.0.keys().map(|who| who.as_str().len() + size_of::<(Bare, u64)>()).sum()
    }
}

impl Room {
    /// Admins and owners are asked for somebody now.
    ///
    /// # Errors
    /// `resource-constraint` when too many wait; `not-acceptable` for an address that cannot be
    /// kept.
    pub fn keep_request(
        &mut self,
        who: &Bare,
        now_ms: u64,
        step: &mut Step,
    ) -> Result<(), StanzaError> {
        if key(who).len() > KEY_BYTES_MAX {
            return Err(StanzaCondition::NotAcceptable.into());
        }
        if !self.requests.has(who) && self.requests.0.len() >= REQUESTS_MAX {
            let oldest = self.requests.oldest(now_ms);
            self.forget_request(&oldest.ok_or(StanzaCondition::ResourceConstraint)?, step);
        }
        self.requests.0.insert(who.clone(), now_ms);
        let value = now_ms.to_string().into_bytes();
        step.write(Change::Put(ROOM, self.jid.clone(), key(who), value));
        Ok(())
    }

    /// It has been answered, or somebody, or everybody of a domain, has become something else to
    /// the room.
    pub fn forget_request(&mut self, who: &Bare, step: &mut Step) {
        let is_domain = who.local().is_none();
        let is_theirs = |one: &Bare| one == who || is_domain && one.domain() == who.domain();
        let theirs = self.requests.0.extract_if(.., |one, _| is_theirs(one));
        let room = &self.jid;
        let cut = theirs.map(|(one, _)| Change::Cut(ROOM, room.clone(), key(&one)));
        cut.for_each(|cut| step.write(cut));
    }
}

fn key(who: &Bare) -> String {
    format!("{REQUEST_OF}{who}")
}
