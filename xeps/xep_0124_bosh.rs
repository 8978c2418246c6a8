//! XEP-0124: Bidirectional-streams Over Synchronous HTTP (BOSH).
//! <https://xmpp.org/extensions/xep-0124.html>
//!
//! No stanza is about it: a session is `src/engine/stream/bosh.rs`, its requests are read by
//! `src/wire/body.rs` and answered by `src/net/http/bosh.rs`.

use engine::hook::{Status, Xep};

/// Streams for who has HTTP only.
pub const XEP: Xep = Xep {
    number: 124,
    name: "Bidirectional-streams Over Synchronous HTTP (BOSH)",
    version: "1.11.2",
    status: Status::Partial("one stream in a session, no compression of HTTP"),
    hooks: &[],
};
