//! Resource binding and what follows (RFC 6120 §7, §8).

use super::*;
use wire::StanzaError;

const BAD_REQUEST: &str = "<bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>";

#[test]
fn bind_is_offered_with_what_rfc6121_adds_rfc6120_7_4() {
    let mut peer = Peer::greeted();
    peer.says(&auth_plain("juliet", PASSWORD));
    let said = peer.says(HEADER);
    let (_, features) = said.split_once("<stream:features>").unwrap();
    assert_eq!(
        features,
        "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>\
         <session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>\
         <ver xmlns='urn:xmpp:features:rosterver'/>\
         <sub xmlns='urn:xmpp:features:pre-approval'/></stream:features>"
    );
}

#[test]
fn the_account_answers_the_request_rfc6120_7_6_1() {
    let mut peer = Peer::authenticated();
    let none = "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    assert_eq!(peer.says(none), "");
    assert!(matches!(peer.submitted()[..], [Said::Bind { resource: None, .. }]));
    assert!(!peer.machine.hungry());
    assert_eq!(
        peer.hears(Input::Say(Say::Bound(jid("juliet@capulet.lit/made"), Vec::new()))),
        "<iq id='b1' type='result'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <jid>juliet@capulet.lit/made</jid></bind></iq>"
    );
    assert!(peer.machine.hungry());
}

#[test]
fn the_account_learns_when_the_login_began_that_its_keys_are_not_older_than() {
    let mut peer = Peer::greeted();
    let began = peer.now.0;
    peer.answering = false;
    peer.says(&auth_plain("juliet", PASSWORD));
    peer.now = peer.now.after(7);
    peer.hears(Input::Fact(Fact::Credentials(Ok(Some(weak_credentials(PASSWORD))))));
    peer.hears(Input::Fact(Fact::Verified(true)));
    peer.says(HEADER);
    peer.now = peer.now.after(7);
    peer.says(&bind("x"));
    assert!(matches!(peer.submitted()[..], [Said::Bind { since, .. }] if *since == began));
}

#[test]
fn a_resource_is_prepared_rfc7622_3_4() {
    let mut peer = Peer::authenticated();
    peer.says(&bind("Bal\u{a0}cony \u{1f339}"));
    let submitted = peer.submitted();
    let [Said::Bind { resource: Some(it), .. }] = &submitted[..] else { panic!("{submitted:?}") };
    assert_eq!(&**it, "Bal cony \u{1f339}");
}

#[test]
fn an_empty_resource_is_left_to_the_server_rfc6120_7_6() {
    let mut peer = Peer::authenticated();
    peer.says(&bind(""));
    assert!(matches!(peer.submitted()[..], [Said::Bind { resource: None, .. }]));
}

#[test]
fn a_bad_resource_is_a_bad_request_and_may_be_mended_rfc6120_7_7_2_1() {
    let mut peer = Peer::authenticated();
    for bad in ["a\u{7f}b", &"x".repeat(1024), "\u{e000}"] {
        let said = peer.says(&bind(bad));
        assert!(said.starts_with("<iq id='b1' type='error'>"), "{said}");
        assert!(said.contains(BAD_REQUEST), "{said}");
        assert!(peer.submitted().is_empty());
    }
    peer.says(&bind(&"x".repeat(1023)));
    assert!(matches!(peer.submitted()[..], [Said::Bind { resource: Some(_), .. }]));
}

#[test]
fn a_request_without_id_is_a_bad_request_rfc6120_8_2_3() {
    let said = Peer::authenticated().says(&bind("x").replace(" id='b1'", ""));
    assert!(said.contains(BAD_REQUEST), "{said}");
}

#[test]
fn the_accounts_refusal_is_told_and_another_try_allowed_rfc6120_7_6_2_1() {
    let mut peer = Peer::authenticated();
    peer.says(&bind("x"));
    let error = StanzaError::from(StanzaCondition::ResourceConstraint);
    let said = peer.hears(Input::Say(Say::Unbound(error)));
    assert!(said.contains("<resource-constraint "), "{said}");
    assert!(peer.machine.hungry());
    peer.says(&bind("y"));
    assert_eq!(peer.submitted().len(), 2);
}

#[test]
fn too_many_refused_resources_end_the_stream_rfc6120_7_7_3() {
    let mut peer = Peer::authenticated();
    let refusal = || StanzaError::from(StanzaCondition::ResourceConstraint);
    for _ in 0..4 {
        assert!(peer.says(&bind("\u{e000}")).contains(BAD_REQUEST));
        peer.says(&bind("x"));
        peer.hears(Input::Say(Say::Unbound(refusal())));
    }
    assert!(peer.says(&bind("\u{e000}")).contains(BAD_REQUEST));
    let said = peer.fails(&bind("\u{e000}"), "policy-violation");
    assert!(said.contains(BAD_REQUEST), "{said}");
}

#[test]
fn no_other_stanza_before_the_resource_rfc6120_7_1() {
    for xml in [
        "<presence/>",
        "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
        &bind("x").replace("set", "get"),
        &bind("x").replace("<iq", "<iq to='romeo@montague.lit'"),
    ] {
        let mut peer = Peer::authenticated();
        peer.fails(xml, "not-authorized");
        assert!(peer.submitted().is_empty());
    }
}

/// So that it is counted (XEP-0198 §4).
#[test]
fn what_is_asked_of_the_stream_when_it_has_its_resource_the_account_answers() {
    let session = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>";
    let mut peer = Peer::bound();
    let session = format!("<iq type='set' id='s' to='capulet.lit'>{session}</iq>");
    assert_eq!(peer.says(&(bind("garden") + &session)), "");
    assert_eq!(peer.submitted().len(), 2);
}

#[test]
fn pipelined_stanzas_wait_for_the_resource() {
    let mut peer = Peer::authenticated();
    peer.says(&format!("{}<presence/><message><bo", bind("balcony")));
    assert_eq!(peer.submitted().len(), 1);
    peer.hears(Input::Say(Say::Bound(jid("juliet@capulet.lit/balcony"), Vec::new())));
    assert_eq!(peer.submitted().len(), 2);
    peer.says("dy>x</body></message>");
    assert_eq!(
        peer.submitted_stanza(),
        "<message from='juliet@capulet.lit/balcony'><body>x</body></message>"
    );
}

#[test]
fn at_36_from_is_the_full_address_or_the_stream_ends_rfc6120_8_1_2_1() {
    for from in [
        "",
        "from='juliet@capulet.lit'",
        "from='juliet@capulet.lit/balcony'",
        "from='JULIET@CAPULET.lit/balcony'",
    ] {
        let mut peer = Peer::bound();
        peer.says(&format!("<message {from}/>"));
        assert_eq!(peer.submitted_stanza(), "<message from='juliet@capulet.lit/balcony'/>");
    }
    for from in [
        "romeo@montague.lit",
        "juliet@capulet.lit/garden",
        "capulet.lit",
        "juliet@",
        "",
        "juliet@capulet.lit/Balcony",
    ] {
        let mut peer = Peer::bound();
        peer.fails(&format!("<message from='{from}'/>"), "invalid-from");
        assert!(matches!(peer.submitted()[..], [Said::Gone(End::Broken)]), "{from}");
    }
}

#[test]
fn what_the_account_says_is_written_as_it_is() {
    let mut peer = Peer::bound();
    let xml = "<message from='romeo@montague.lit'><body>&lt;3</body></message>";
    let stanza = Stanza::parse_one(xml).unwrap();
    assert_eq!(peer.hears(Input::Say(Say::Stanza(stanza))), xml);
    let nonza = wire::Draft::new(wire::Name::new("urn:xmpp:sm:3", "r")).finish();
    assert_eq!(peer.hears(Input::Say(Say::Nonza(nonza))), "<r xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(peer.hears(Input::Say(Say::Settled(1))), "");
}

#[test]
fn another_element_is_the_accounts_to_judge_once_bound_rfc6120_4_9_3_24() {
    let mut peer = Peer::bound();
    peer.says("<r xmlns='urn:xmpp:sm:3'/>");
    assert!(matches!(peer.submitted()[..], [Said::Nonza(r)] if r.element().local() == "r"));
    let error = StreamError::from(StreamCondition::UnsupportedStanzaType);
    let said = peer.hears(Input::Say(Say::End(error)));
    peer.has_failed(&said, "unsupported-stanza-type");
}

#[test]
fn negotiation_is_over_once_bound_rfc6120_4_9_3_24() {
    let mut peer = Peer::bound();
    peer.fails("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "unsupported-stanza-type");
    assert!(matches!(peer.submitted()[..], [Said::Gone(End::Broken)]));
    Peer::bound().fails("<stream:features/>", "unsupported-stanza-type");
}

#[test]
fn another_element_before_the_resource_ends_the_stream_rfc6120_4_9_3_24() {
    for xml in ["<r xmlns='urn:xmpp:sm:3'/>", "<foo/>", "<c xmlns='urn:x'/>"] {
        Peer::greeted().fails(xml, "unsupported-stanza-type");
        Peer::authenticated().fails(xml, "unsupported-stanza-type");
    }
}
