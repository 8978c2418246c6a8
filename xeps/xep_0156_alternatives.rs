//! XEP-0156: Discovering Alternative XMPP Connection Methods.
//! <https://xmpp.org/extensions/xep-0156.html>
//!
//! No stanza is about it: what it asks of a server is a page of HTTP, `src/net/http/host_meta.rs`.

use engine::hook::{Status, Xep};

/// Where browsers find a domain.
pub const XEP: Xep = Xep {
    number: 156,
    name: "Discovering Alternative XMPP Connection Methods",
    version: "1.4.0",
    status: Status::Complete,
    hooks: &[],
};
