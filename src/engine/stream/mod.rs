//! Sans-IO stream machines, one file per side (RFC 6120).

pub mod machine;
pub mod sasl;
mod timer;
