//! The brain: streams, sessions, accounts, routing, delivery, hooks, ports.
//!
//! Deterministic: `(state, now, input) -> outputs`. Nothing here does I/O, asks a clock or a
//! dice, or knows a runtime. Read `hook.rs` first; then `passage.rs` and `account/`.

pub mod account;
pub mod archive;
mod behind;
pub mod cells;
pub mod ctx;
pub mod delivery;
pub mod departure;
pub mod device;
mod following;
pub mod handled;
pub mod hearing;
pub mod hook;
pub mod hooks;
pub mod inbox;
pub mod life;
pub mod managed;
pub mod parcel;
pub mod passage;
pub mod port;
mod replay;
pub mod request;
pub mod room;
pub mod roster;
mod saved;
pub mod seal;
pub mod session;
pub mod setting;
pub mod settings;
pub mod shard;
pub mod slot;
pub mod stream;
pub mod subscription;
pub mod trace;
pub mod unacked;
pub mod unit;
pub mod violation;
pub mod words;
pub mod writer;

pub use wire;
