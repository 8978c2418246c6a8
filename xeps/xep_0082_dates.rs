//! XEP-0082: XMPP Date and Time Profiles. <https://xmpp.org/extensions/xep-0082.html>
//!
//! A vocabulary: other XEPs write their dates with it.

use engine::hook::{Status, Xep};

pub use engine::ctx::date_time;

/// How dates are written.
pub const XEP: Xep = Xep {
    number: 82,
    name: "XMPP Date and Time Profiles",
    version: "1.1.1",
    status: Status::Complete,
    hooks: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_in_the_examples() {
        assert_eq!(date_time(0), "1970-01-01T00:00:00Z");
        assert_eq!(date_time(1_166_551_115_999), "2006-12-19T17:58:35Z");
        assert_eq!(date_time(u64::MAX), "1970-01-01T00:00:00Z");
    }
}
