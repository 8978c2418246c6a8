//! Who is where.

use crate::parcel::Parcel;
use wire::{Bare, StanzaError};

/// A node of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub u32);

/// Homes, and the way between them.
pub trait Cluster: Send + Sync {
    /// The one node that may write this account's or room's log.
    fn home(&self, of: &Bare) -> Node;

    /// Hands a parcel over; never waits.
    ///
    /// # Errors
    /// `resource-constraint` when the other side's inbox is full,
    /// `remote-server-timeout` when the node cannot be reached.
    fn carry(&self, to: Node, parcel: Parcel) -> Result<(), StanzaError>;
}
