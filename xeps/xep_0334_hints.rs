//! XEP-0334: Message Processing Hints. <https://xmpp.org/extensions/xep-0334.html>
//!
//! A vocabulary: what stores or copies messages asks here what their senders wish.

use engine::{hook::*, wire::*};

/// What a sender wishes that a server does with a message.
pub const XEP: Xep = Xep {
    number: 334,
    name: "Message Processing Hints",
    version: "1.0.0",
    status: Status::Complete,
    hooks: &[],
};

/// The namespace of hints.
pub const NS: &str = "urn:xmpp:hints";
/// Not into an archive (section 4.1).
pub const NO_PERMANENT_STORE: Name = Name::new(NS, "no-permanent-store");
/// Nowhere, not even for who is away (section 4.2).
pub const NO_STORE: Name = Name::new(NS, "no-store");
/// For this resource alone (section 4.3).
pub const NO_COPY: Name = Name::new(NS, "no-copy");
/// Worth storing, whatever it looks like (section 4.4).
pub const STORE: Name = Name::new(NS, "store");

/// Whether a message hints at this. Those in an error are of the message that it answers
/// (section 5), and `no-copy` says something only of one resource (section 4.3).
pub fn hints(message: &Stanza, at: Name) -> bool {
    let Head { to, .. } = &*message.head;
    let is_meant = at != NO_COPY || to.as_ref().is_some_and(|to| !to.is_bare());
    is_meant && message.head.type_str() != "error" && message.child(at).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hinted(attributes: &str, hint: Name) -> bool {
        let all = [NO_PERMANENT_STORE, NO_STORE, NO_COPY, STORE];
        let xml = format!("<message {attributes}><{} xmlns='{NS}'/></message>", hint.local);
        let message = Stanza::parse_one(&xml).unwrap();
        let others = all.into_iter().filter(|other| *other != hint);
        assert!(others.into_iter().all(|other| !hints(&message, other)), "{xml}");
        hints(&message, hint)
    }

    #[test]
    fn each_hint_is_heard_and_none_in_an_error_section_5() {
        for hint in [NO_PERMANENT_STORE, NO_STORE, STORE] {
            assert!(hinted("to='a@b'", hint) && hinted("to='a@b/c'", hint));
            assert!(!hinted("to='a@b/c' type='error'", hint));
        }
    }

    #[test]
    fn no_copy_is_about_one_resource_section_4_3() {
        assert!(hinted("to='a@b/c'", NO_COPY));
        assert!(!hinted("to='a@b'", NO_COPY) && !hinted("", NO_COPY));
    }
}
