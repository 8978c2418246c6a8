//! Sans-IO stream machines, one file per side (RFC 6120).

pub(crate) mod bind;
pub mod bosh;
pub mod c2s;
mod features;
mod header;
pub mod machine;
pub mod sasl;
mod timer;
