//! What somebody's role was on the last visit to a moderated room (XEP-0045 §5.1): whose voice was
//! taken does not have it again by coming back, and who was given it need not ask again.

use super::{
    line::Step,
    rank::{Affiliation, Role},
    room::{ROOM, Room},
};
use engine::{
    unit::{Change, KEY_BYTES_MAX, ROLE_OF},
    wire::*,
};
use std::collections::BTreeMap;

/// Addresses of one room whose role is kept.
const ROLES_KEPT_MAX: usize = 1_000;

/// Who has voice, and who has not, other than by what they are to the room.
#[derive(Debug, Default)]
pub struct Visits(BTreeMap<Bare, Role>);

impl Visits {
    /// One that was kept; one that nobody can read was none. Whether it was one at all.
    pub fn load(&mut self, key: &str, value: &[u8]) -> bool {
        let Some(who) = key.strip_prefix(ROLE_OF) else { return false };
        let role = std::str::from_utf8(value).ok().and_then(Role::parse);
        if let (Ok(who), Some(role)) = (Bare::parse(who), role) {
            self.0.insert(who, role);
        }
        true
    }

    /// Whether something is known of somebody.
    pub fn know(&self, who: &Bare) -> bool {
        self.0.contains_key(who)
    }

    /// About what they take, in bytes.
    pub fn weight(&self) -> usize {
        self.0.len() * size_of::<(Bare, Role)>()
    }
}

impl Room {
    /// What who enters begins as (§5.1.2), or goes on as.
    pub fn role_on_entry(&self, who: &Bare, affiliation: Affiliation) -> Role {
        let kept = self.visits.0.get(who).filter(|_| self.config.is_moderated);
        match kept {
            Some(role) if affiliation < Affiliation::Admin => *role,
            _ => Role::at_first(affiliation, self.config.is_moderated),
        }
    }

    /// A moderator has given an occupant its role.
    pub fn keep_role(&mut self, nick: &str, step: &mut Step) {
        let Some(occupant) = self.occupants.get(nick) else { return };
        let (who, role) = (occupant.who.clone(), occupant.role);
        let at_first = Role::at_first(self.members.of(&who), self.config.is_moderated);
        let differs = role != at_first && role.max(at_first) < Role::Moderator;
        let has_room = self.visits.0.len() < ROLES_KEPT_MAX || self.visits.0.contains_key(&who);
        let key = format!("{ROLE_OF}{who}");
        if !(self.config.is_moderated && differs && has_room && key.len() <= KEY_BYTES_MAX) {
            return self.forget_role(&who, step);
        }
        let value = role.as_str().as_bytes().to_vec();
        step.write(Change::Put(ROOM, self.jid.clone(), key, value));
        self.visits.0.insert(who, role);
    }

    /// Somebody is something else to the room.
    pub fn forget_role(&mut self, who: &Bare, step: &mut Step) {
        if self.visits.0.remove(who).is_some() {
            step.write(Change::Cut(ROOM, self.jid.clone(), format!("{ROLE_OF}{who}")));
        }
    }

    /// Everybody may speak.
    pub fn forget_roles(&mut self, step: &mut Step) {
        for (who, _) in std::mem::take(&mut self.visits.0) {
            step.write(Change::Cut(ROOM, self.jid.clone(), format!("{ROLE_OF}{who}")));
        }
    }
}
