//! What happens to a device in a room (XEP-0045).

use super::Log;
use serde::{Deserialize, Serialize};

/// What a device does in a room, or sees there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "does", rename_all = "kebab-case")]
pub enum Does {
    /// It asks to be let in.
    Enters,
    /// It says once more that it enters, in a session that was resumed before that was
    /// acknowledged: it begins anew there.
    EntersAgain,
    /// It was told that it is in.
    Inside,
    /// It is not in, or not any more.
    Outside {
        /// By what it knows.
        why: String,
    },
    /// Its session was resumed: it asks the archive of the room whether something is missing.
    Doubts,
    /// It goes away without a word, for longer than its session can be resumed.
    Vanishes,
    /// It is told whether somebody is in. Owners alone note this.
    Sees {
        /// Of this account.
        account: Log,
        /// Whether it has come, or is there in another way; else it has gone.
        inside: bool,
    },
    /// It asks for something to be done to somebody.
    Asks {
        /// To whom.
        account: Log,
        /// What.
        wish: Wish,
    },
    /// It is told that this is done.
    Done {
        /// To whom.
        account: Log,
        /// What.
        wish: Wish,
    },
    /// Whom it sees in the room at the end, by presence.
    Views {
        /// The accounts.
        accounts: Vec<Log>,
    },
    /// Who is in the room at the end, as the room lists it (XEP-0045 §6.5).
    Lists {
        /// The accounts.
        accounts: Vec<Log>,
    },
    /// Who is what at the end, as the room lists it (§9), but for owners.
    Affiliates {
        /// The accounts.
        accounts: Vec<(Log, Wish)>,
    },
}

/// What is done to somebody, or what somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    /// Sent out (§8.2); may come back.
    Kick,
    /// Banned (§9.1).
    Outcast,
    /// Not affiliated.
    None,
    /// A member (§9.3).
    Member,
    /// An admin (§10.6).
    Admin,
}

impl Wish {
    /// Those that a room keeps.
    pub const KEPT: [Self; 3] = [Self::Outcast, Self::Member, Self::Admin];

    /// As an affiliation is called; a kick is none.
    pub fn affiliation(self) -> Option<&'static str> {
        match self {
            Self::Kick => None,
            Self::Outcast => Some("outcast"),
            Self::None => Some("none"),
            Self::Member => Some("member"),
            Self::Admin => Some("admin"),
        }
    }
}
