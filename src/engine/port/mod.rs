//! What the brain asks of the world: traits, no code.

mod cluster;
mod store;

pub use cluster::{Cluster, Node};
pub use store::{Batch, Fault, Loaded, Logged, Pending, Reads, Store, Stored, Verdict};
