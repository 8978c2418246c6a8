//! The tokio shell: moves bytes, decides nothing.
//!
//! One task per connection ([`drive`]), one per core hosting a shard ([`shard`]), one hosting
//! the writer ([`writer`]). They share nothing but [`post`]: inboxes and mailboxes into which
//! putting never waits.

pub mod acme;
mod arrival;
mod bandwidth;
mod bosh;
pub mod certificate;
pub mod certificates;
mod client_certificate;
mod clock;
pub mod control;
mod credit;
mod devices;
mod drive;
mod end_point;
mod facts;
mod guests;
mod hashing;
mod housekeeping;
mod http;
mod inbox;
mod indexing;
mod keeper;
mod limits;
pub mod listen;
mod logins;
mod look_up;
mod mailbox;
mod meters;
pub mod operator;
mod outgoing;
mod post;
mod proxied;
mod registrar;
mod revival;
mod secure;
mod server;
mod shard;
mod shell;
mod socket;
mod story;
mod throttle;
mod tls;
mod turnstile;
mod websocket;
mod writer;

pub use client_certificate::ClientCertificates;
pub use clock::seed;
pub use http::Pages;
pub use keeper::Keeper;
pub use limits::Limits;
pub use post::{NODE, Post};
pub use proxied::Network;
pub use server::{Listeners, Parts, Server};
pub use tls::{Tls, install_provider};
