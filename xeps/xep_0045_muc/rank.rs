//! Roles and affiliations, and what each may do (XEP-0045 §5).

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
    pub fn may_change(self, from: Self, to: Self) -> bool {
        match self {
            Self::Owner => true,
            // Of those above and beside it an admin changes none, and makes none.
            Self::Admin => from < Self::Admin && to < Self::Admin,
            Self::Outcast | Self::None | Self::Member => false,
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
    /// Whether who has this may give `role` to somebody of that rank (§5.1.3, §8, §9.6, §9.7):
    /// a moderator gives and takes voice and kicks, but nobody who stands above it; to make or
    /// unmake moderators takes an admin, and who is one by affiliation stays one.
    pub fn may_give(self, role: Role, to: Self) -> bool {
        let is_admin = self.affiliation >= Affiliation::Admin;
        let unmakes = to.role == Role::Moderator && role != Role::Moderator;
        if role == Role::Moderator && to.role != Role::Moderator {
            return is_admin;
        }
        if self.role != Role::Moderator && !is_admin || to.affiliation > self.affiliation {
            return false;
        }
        // §5.1.2: the role that comes with an affiliation is not taken without it.
        let is_fixed = to.affiliation >= Affiliation::Admin;
        match role {
            Role::None => !unmakes || is_admin && !is_fixed,
            _ => !unmakes || is_admin && !is_fixed,
        }
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
