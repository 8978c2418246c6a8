//! XEP-0175: Best Practices for Use of SASL ANONYMOUS.
//! <https://xmpp.org/extensions/xep-0175.html>
//!
//! The mechanism is in `engine/stream/sasl/`, the end of the account in `engine/shard.rs`. Guests
//! reach no other server (`Settings::lets_reach`), and service discovery says of them what they are
//! (XEP-0030). What such an account owned and asked for goes with it, as with any that is removed.

use engine::hook::*;

/// Who has no account gets one for a while, where the operator allows it.
pub const XEP: Xep = Xep {
    number: 175,
    name: "Best Practices for Use of SASL ANONYMOUS",
    version: "1.2",
    status: Status::Complete,
    hooks: &[],
};
