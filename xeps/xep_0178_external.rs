//! XEP-0178: Best Practices for Use of SASL EXTERNAL with Certificates.
//! <https://xmpp.org/extensions/xep-0178.html>
//!
//! The mechanism is in `engine/stream/sasl/`; what a certificate is worth the shell finds out.

use engine::hook::*;

/// A client logs in by its certificate.
pub const XEP: Xep = Xep {
    number: 178,
    name: "Best Practices for Use of SASL EXTERNAL with Certificates",
    version: "1.2",
    status: Status::Partial("clients only; certificates without an address of XMPP name nobody"),
    hooks: &[],
};
