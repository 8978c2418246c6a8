//! XEP-0297: Stanza Forwarding. <https://xmpp.org/extensions/xep-0297.html>
//!
//! A vocabulary for what the server forwards: pages of an archive, copies.

use engine::{hook::*, wire::*};

/// What somebody said, inside of what another says.
pub const XEP: Xep = Xep {
    number: 297,
    name: "Stanza Forwarding",
    version: "1.0",
    status: Status::Complete,
    hooks: &[],
};

const FORWARDED: Name = Name::new("urn:xmpp:forward:0", "forwarded");
const DELAY: Name = Name::new("urn:xmpp:delay", "delay");

/// The stanza, and by its date when it came (section 3.2, rule 2; XEP-0203 §2).
pub fn forwarded(stanza: &Stanza, stamp: Option<String>) -> Draft {
    let forwarded = Draft::new(FORWARDED);
    let forwarded = match stamp {
        Some(stamp) => forwarded.child(Draft::new(DELAY).attribute("stamp", stamp)),
        None => forwarded,
    };
    forwarded.payload(&stanza.to_payload())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_of_the_stanza_is_said_section_3_2() {
        let said = Stanza::parse_one("<message from='a@b/c' to='d@e'><body>x</body></message>");
        let said = said.unwrap();
        let message = "<message xmlns='jabber:client' from='a@b/c' to='d@e'><body>x</body>\
            </message></forwarded>";
        let told = forwarded(&said, None).finish();
        assert_eq!(told.as_str(), format!("<forwarded xmlns='urn:xmpp:forward:0'>{message}"));
        let told = forwarded(&said, Some("2010-07-10T23:08:25Z".into())).finish();
        let delay = "<delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>";
        let wanted = format!("<forwarded xmlns='urn:xmpp:forward:0'>{delay}{message}");
        assert_eq!(told.as_str(), wanted);
    }
}
