//! Is it XMPP? Scripts, and the worlds in which they are played.
//!
//! README.md tells how to read and write a script.

pub mod actor;
pub mod announced;
pub mod audit;
pub mod bosh;
pub mod driver;
pub mod fill;
pub mod framing;
pub mod pattern;
pub mod run;
pub mod sasl;
pub mod script;
pub mod simulated;
pub mod tcp;
pub mod tls;
pub mod tree;
pub mod web;
pub mod websocket;
