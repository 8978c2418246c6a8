//! Roles and affiliations, and what each may do (XEP-0045 §5).

use engine::wire::StanzaCondition;
use std::fmt;

/// What somebody is to a room, whether there or not (§5.2). In order of power.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Affiliation {
    Outcast,
    #[default]
    None,
    Member,
    Admin,
    Owner,
}

/// What an occupant may do for as long as it is there (§5.1). In order of power.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    #[default]
    None,
    Visitor,
    Participant,
    Moderator,
}

impl Affiliation {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Outcast, Self::None, Self::Member, Self::Admin, Self::Owner];

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Outcast => "outcast",
            Self::None => "none",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    /// Whether who is this may make somebody `to` who is `from` (§5.2.2).
    ///
    /// # Errors
    /// `forbidden` for who is not an admin (§9), and for what is an owner's alone to do (§10.3 to
    /// §10.8); `not-allowed` for an admin who bans whom he may not (§9.1).
    pub fn may_change(self, from: Self, to: Self) -> Result<(), StanzaCondition> {
        match self {
            Self::Owner => Ok(()),
            Self::Admin if from < Self::Admin && to < Self::Admin => Ok(()),
            Self::Admin if to == Self::Outcast => Err(StanzaCondition::NotAllowed),
            _ => Err(StanzaCondition::Forbidden),
        }
    }
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Visitor, Self::Participant, Self::Moderator];

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Visitor => "visitor",
            Self::Participant => "participant",
            Self::Moderator => "moderator",
        }
    }

    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    /// What who enters begins as (§5.1.2).
    pub const fn at_first(of: Affiliation, is_moderated: bool) -> Self {
        match (of, is_moderated) {
            (Affiliation::Outcast, _) => Self::None,
            (Affiliation::Owner | Affiliation::Admin, _) => Self::Moderator,
            (Affiliation::None, true) => Self::Visitor,
            (Affiliation::None, false) | (Affiliation::Member, _) => Self::Participant,
        }
    }
}

/// Somebody as the rules see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    pub affiliation: Affiliation,
    pub role: Role,
}

impl Rank {
    /// Whether who has this does what moderators do (§8): by its role, or as an admin by its
    /// affiliation, be it here or not.
    pub fn moderates(self) -> bool {
        self.role == Role::Moderator || self.affiliation >= Affiliation::Admin
    }

    /// Whether who has this may give `role` to somebody of that rank.
    ///
    /// # Errors
    /// `forbidden` for who is no moderator (§8), and for what is an admin's to do (§9);
    /// `not-allowed` for whom it may not be done to.
    pub fn may_give(self, role: Role, to: Self) -> Result<(), StanzaCondition> {
        if !self.moderates() {
            return Err(StanzaCondition::Forbidden);
        }
        let is_admin = self.affiliation >= Affiliation::Admin;
        let unmakes = to.role == Role::Moderator;
        let may = match role {
            // §9.6
            Role::Moderator => return is_admin.then_some(()).ok_or(StanzaCondition::Forbidden),
            // §9.7: of an admin nobody takes what comes with being one.
            Role::Participant if unmakes && to.affiliation >= Affiliation::Admin => false,
            Role::Participant if unmakes && !is_admin => return Err(StanzaCondition::Forbidden),
            Role::Participant => true,
            Role::Visitor => self.may_silence(to) && (!unmakes || is_admin),
            // §8.2, §5.1.3
            Role::None => to.affiliation <= self.affiliation && (!unmakes || is_admin),
        };
        may.then_some(()).ok_or(StanzaCondition::NotAllowed)
    }

    /// §8.4: voice is not revoked from an admin, nor from whoever is at least as much to the room.
    /// Who is nothing to it, is not at anybody's level.
    fn may_silence(self, to: Self) -> bool {
        let is_above = to.affiliation < self.affiliation || to.affiliation == Affiliation::None;
        to.affiliation < Affiliation::Admin && is_above
    }
}

impl fmt::Display for Affiliation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
