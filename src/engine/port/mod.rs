//! What the brain asks of the world: traits, no code.

mod cluster;
mod registrar;
mod store;

pub use cluster::{Cluster, Node};
pub use registrar::{Online, Registered, Registrar, Unregistered};
pub use store::{
    Batch, Device, Fault, Loaded, Logged, Pending, Reads, Retention, Store, Stored, Verdict,
    Written,
};
