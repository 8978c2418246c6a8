//! XEP-0206: XMPP Over BOSH. <https://xmpp.org/extensions/xep-0206.html>
//!
//! No stanza is about it: `src/engine/stream/bosh.rs` restarts streams and wraps their features
//! and errors; `src/wire/body.rs` knows its attributes.

use engine::hook::{Status, Xep};

/// What XMPP says in wrappers of BOSH.
pub const XEP: Xep = Xep {
    number: 206,
    name: "XMPP Over BOSH",
    version: "1.4",
    status: Status::Complete,
    hooks: &[],
};
