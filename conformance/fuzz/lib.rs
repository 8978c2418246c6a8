//! What the targets share.

pub mod archive;
pub mod events;
pub mod ledger;
pub mod registry;
pub mod toy;
pub mod words;
pub mod world;
