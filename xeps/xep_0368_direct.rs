//! XEP-0368: SRV records for XMPP over TLS. <https://xmpp.org/extensions/xep-0368.html>
//!
//! No stanza is about it: it is what `listen.c2s_tls` and `listen.https` serve, and the names that
//! `src/net/tls.rs` knows in the handshake.

use engine::hook::{Status, Xep};

/// TLS from the first byte, also beside HTTP on one port.
pub const XEP: Xep = Xep {
    number: 368,
    name: "SRV records for XMPP over TLS",
    version: "1.1.0",
    status: Status::Partial("between servers: not yet"),
    hooks: &[],
};
