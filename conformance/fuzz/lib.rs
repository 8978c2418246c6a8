//! What the targets share.

pub mod archive;
pub mod events;
pub mod exchange;
pub mod infoset;
pub mod ledger;
pub mod registry;
pub mod toy;
#[path = "../tree.rs"]
pub mod tree;
pub mod words;
pub mod world;
