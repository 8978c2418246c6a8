//! Adapters of the store port: `memory`, the reference; `sqlite`, the embedded default;
//! `postgres`, for production. One suite, which every one of them runs, says what they do.

pub mod backup;
mod bisect;
mod check;
mod devices;
mod index;
mod large;
mod memory;
mod migrate;
mod options;
mod partial;
mod postgres;
#[cfg(all(unix, any(test, feature = "private-postgres")))]
pub mod private_postgres;
mod purge;
mod repeats;
mod rooms;
mod rows;
mod scram;
mod search;
mod sqlite;
#[cfg(test)]
mod suite;
mod swap;
mod worded;

pub use check::ROSTER_JID_BYTES_MAX;
pub use devices::Devices;
pub use memory::Memory;
pub use options::{Options, open};
pub use postgres::Postgres;
pub use sqlite::Sqlite;
