//! What of a conversation is to be read by people, and what tells that it has been (section 4).

use super::super::xep_0359_ids::origin_id;
use engine::wire::*;

const BODY: Name = Name::new("jabber:client", "body");
const RECEIPTS: &str = "urn:xmpp:receipts";
const MARKERS: &str = "urn:xmpp:chat-markers:0";

/// For nobody else's eyes; with the child without which it only moves keys (XEP-0384 §5).
const ENCRYPTED: &[(Name, Option<&str>)] = &[
    (Name::new("eu.siacs.conversations.axolotl", "encrypted"), Some("payload")),
    (Name::new("urn:xmpp:omemo:1", "encrypted"), Some("payload")),
    (Name::new("urn:xmpp:omemo:2", "encrypted"), Some("payload")),
    (Name::new("urn:xmpp:openpgp:0", "openpgp"), None),
    (Name::new("jabber:x:encrypted", "x"), None),
];
/// A file (XEP-0447).
const FILE: Name = Name::new("urn:xmpp:sfs:0", "file-sharing");

/// XEP-0424.
const RETRACT: Name = Name::new("urn:xmpp:message-retract:1", "retract");

/// What is said of another message, whatever else it has for clients that do not know of this.
const ABOUT_ANOTHER: &[Name] = &[
    Name::new(RECEIPTS, "received"),
    Name::new(MARKERS, "received"),
    Name::new(MARKERS, "displayed"),
    Name::new(MARKERS, "acknowledged"),
    // XEP-0424, and as it was.
    RETRACT,
    Name::new("urn:xmpp:fasten:0", "apply-to"),
    // XEP-0444, XEP-0308.
    Name::new("urn:xmpp:reactions:0", "reactions"),
    Name::new("urn:xmpp:message-correct:0", "replace"),
];

/// Whether it is an instant message, which begins unread.
pub(in super::super) fn speaks(message: &Stanza) -> bool {
    let is_about = |child: Element<'_>| ABOUT_ANOTHER.iter().any(|name| child.is(*name));
    message.children().any(says) && !message.children().any(is_about)
}

fn says(child: Element<'_>) -> bool {
    let is_one = |(name, needs): &(Name, Option<&str>)| {
        let has = |wanted: &str| child.children().any(|inner| inner.local() == wanted);
        child.is(*name) && needs.is_none_or(has)
    };
    let is_text = child.is(BODY) && !child.text().is_empty();
    is_text || child.is(FILE) || ENCRYPTED.iter().any(is_one)
}

/// Which message it says has been seen (XEP-0333).
pub(super) fn displayed(message: &Stanza) -> Option<String> {
    let markers = ["displayed", "acknowledged"].map(|local| Name::new(MARKERS, local));
    let marker = markers.into_iter().find_map(|name| message.child(name))?;
    marker.attribute("id").map(|id| id.into_owned()).filter(|id| !id.is_empty())
}

/// Which message its author takes back (XEP-0424).
pub(super) fn retracted(message: &Stanza) -> Option<String> {
    let id = message.child(RETRACT)?.attribute("id")?;
    Some(id.into_owned()).filter(|id| !id.is_empty())
}

/// What the other calls the message, each in its way.
pub(super) fn names(message: &Stanza) -> [Option<String>; 2] {
    let id = message.head.id.as_deref().map(str::to_owned);
    [id, origin_id(message).map(|id| id.into_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &str) -> Stanza {
        Stanza::parse_one(&format!("<message id='m'>{content}</message>")).unwrap()
    }

    #[test]
    fn what_is_to_be_read_begins_unread_section_4() {
        for content in [
            "<body>hark</body>",
            "<body>hark</body><request xmlns='urn:xmpp:receipts'/>\
             <markable xmlns='urn:xmpp:chat-markers:0'/>",
            "<encrypted xmlns='eu.siacs.conversations.axolotl'><header/><payload/></encrypted>",
            "<encrypted xmlns='urn:xmpp:omemo:2'><header/><payload/></encrypted>",
            "<openpgp xmlns='urn:xmpp:openpgp:0'>x</openpgp>",
            "<file-sharing xmlns='urn:xmpp:sfs:0'/>",
        ] {
            assert!(speaks(&message(content)), "{content}");
        }
        let about = "<body>for old clients</body>";
        for content in [
            "",
            "<body/>",
            "<encrypted xmlns='eu.siacs.conversations.axolotl'><header/></encrypted>",
            "<received xmlns='urn:xmpp:receipts' id='1'/>",
            "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>",
            &format!("<retract xmlns='urn:xmpp:message-retract:1' id='1'/>{about}"),
            &format!("<reactions xmlns='urn:xmpp:reactions:0' id='1'/>{about}"),
            &format!("<replace xmlns='urn:xmpp:message-correct:0' id='1'/>{about}"),
            "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>",
        ] {
            assert!(!speaks(&message(content)), "{content}");
        }
    }

    #[test]
    fn markers_name_what_has_been_seen_section_4() {
        let marker = |local| format!("<{local} xmlns='urn:xmpp:chat-markers:0' id='1'/>");
        assert_eq!(displayed(&message(&marker("displayed"))), Some("1".into()));
        assert_eq!(displayed(&message(&marker("acknowledged"))), Some("1".into()));
        assert_eq!(displayed(&message(&marker("received"))), None);
        let receipt = "<received xmlns='urn:xmpp:receipts' id='1'/>";
        assert_eq!(displayed(&message(receipt)), None);
        assert_eq!(displayed(&message("<displayed xmlns='urn:xmpp:chat-markers:0'/>")), None);
        let named = names(&message("<origin-id xmlns='urn:xmpp:sid:0' id='o'/>"));
        assert_eq!(named, [Some("m".into()), Some("o".into())]);
    }
}
