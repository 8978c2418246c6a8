//! The inbox: with whom an account talks, and what of that its owner has not seen. It is gathered
//! from the log, later than that is written, up to a place that is kept with it: what is lost of
//! it is gathered again, and comes out the same.

use crate::unit::Pos;
use wire::Bare;

/// Conversations of one account that are kept; the ones that rest longest are forgotten.
pub const CONVERSATIONS_MAX: usize = 10_000;

/// All that was said with one other, as its owner has seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The other.
    pub peer: Bare,
    /// The newest that the archive shows of it, of whatever kind.
    pub upto: Pos,
    /// The newest that says something.
    pub last: Pos,
    /// So many that say something have not been seen.
    pub unread: u32,
    /// Everything up to there has been seen.
    pub displayed: Pos,
}

/// What has been gathered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inbox {
    /// From the log up to here.
    pub upto: Pos,
    /// In no order.
    pub conversations: Vec<Conversation>,
}

/// What has come to an inbox: how its conversations are at `upto`, not how they have changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// From the log up to here.
    pub upto: Pos,
    /// Those of which nothing was heard behind this are forgotten.
    pub oldest: Pos,
    /// Those that have changed, each once; all of them behind `oldest`.
    pub conversations: Vec<Conversation>,
}
