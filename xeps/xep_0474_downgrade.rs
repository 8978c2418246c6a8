//! XEP-0474: SASL SCRAM Downgrade Protection. <https://xmpp.org/extensions/xep-0474.html>
//!
//! The hash of what was advertised stands in SCRAM's first message of the server, and so in
//! `engine/stream/sasl/`: a mechanism is no place where anything could be hung up.

use engine::hook::*;

/// A client notices when mechanisms, or types of channel binding, were taken away on the way.
pub const XEP: Xep = Xep {
    number: 474,
    name: "SASL SCRAM Downgrade Protection",
    version: "0.5.0",
    status: Status::Complete,
    hooks: &[],
};
