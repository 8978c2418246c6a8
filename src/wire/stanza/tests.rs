use super::*;
use crate::{Draft, Jid, Name, StanzaCondition};

const BODY: Name = Name::new(ns::CLIENT, "body");
const DELAY: Name = Name::new("urn:xmpp:delay", "delay");

fn message() -> Stanza {
    Stanza::parse_one(
        "<message from='a@x/1' to='b@x' id='7' type='chat' xml:lang='en' k='v'>\
         <body>hi</body><delay xmlns='urn:xmpp:delay'/><body>ho</body></message>",
    )
    .expect("a stanza")
}

#[test]
fn a_stanza_reads_as_it_was_written() {
    let stanza = message();
    assert_eq!(stanza.kind(), Kind::Message);
    assert_eq!(stanza.head.type_str(), "chat");
    assert_eq!(stanza.head.from, Some(Jid::parse("a@x/1").expect("a jid")));
    assert_eq!(stanza.child_count(), 3);
    assert_eq!(stanza.child(BODY).expect("body").text(), "hi");
    assert_eq!(
        &*stanza.to_text(),
        "<message id='7' type='chat' from='a@x/1' to='b@x' xml:lang='en' k='v'>\
         <body>hi</body><delay xmlns='urn:xmpp:delay'/><body>ho</body></message>"
    );
    assert_eq!(Stanza::parse_one(&stanza.to_text()), Ok(stanza));
}

#[test]
fn children_are_taken_out_and_added_without_touching_the_others() {
    let added = Draft::new(Name::new("urn:a", "a")).finish();
    let stanza = message().without(DELAY).with(added);
    assert!(
        stanza.to_text().ends_with("><body>hi</body><body>ho</body><a xmlns='urn:a'/></message>")
    );
    let stanza = stanza.retain(|child| child.ns() == "urn:a");
    assert_eq!(stanza.child_count(), 1);
    assert_eq!(stanza.without(Name::new("urn:a", "a")).child_count(), 0);
}

#[test]
fn framed_stanzas_say_their_namespace_rfc7395_3_3_3() {
    let mut out = Vec::new();
    Stanza::new(Head::new(Kind::Presence)).write(Framing::Framed, &mut out);
    assert_eq!(out, b"<presence xmlns='jabber:client'/>");
}

#[test]
fn the_length_on_the_wire_is_not_underestimated() {
    for stanza in [message(), Stanza::new(Head::new(Kind::Iq)), message().without(BODY)] {
        let mut out = Vec::new();
        stanza.write(Framing::Framed, &mut out);
        assert!(out.len() <= stanza.wire_len() && stanza.wire_len() < out.len() + 16);
    }
}

#[test]
fn a_refusal_goes_back_and_an_error_is_never_answered_rfc6120_8_3_1() {
    let error = StanzaError::from(StanzaCondition::ServiceUnavailable);
    let refused = message().refused(&error).expect("an answer");
    assert_eq!(
        &*refused.to_text(),
        "<message id='7' type='error' from='b@x' to='a@x/1'><error type='cancel'>\
         <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    );
    assert!(refused.refused(&error).is_none());
    let result = Stanza::new(Head::new(Kind::Iq).with_type("result"));
    assert!(result.refused(&error).is_none());
}

#[test]
fn clones_share_the_children() {
    let one = message();
    let mut other = one.clone();
    other.head.to = None;
    let address = |stanza: &Stanza| stanza.child(BODY).expect("body").as_str().as_ptr();
    assert_eq!(address(&one), address(&other));
}

#[test]
fn what_was_added_is_among_the_children_of_one_that_is_settled() {
    let added = Draft::new(Name::new("urn:a", "a")).attribute("b", "<").finish();
    let stanza = message().with(added);
    let settled = stanza.clone().settled();
    assert_eq!(settled.to_text(), stanza.to_text());
    assert_eq!((settled.child_count(), settled.children.added.len()), (4, 0));
    assert_eq!(settled.head, stanza.head);
}
