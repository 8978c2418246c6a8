//! EXTERNAL by the certificate of a client (XEP-0178 §2).

use super::*;

fn greeted(identities: &[&str]) -> (Peer, String) {
    let mut peer = Peer::of(Security::Direct, &["capulet.lit", "montague.lit"]);
    let identities = identities.iter().map(|identity| bare(identity)).collect();
    peer.hears(Input::Secured(Tls { identities, ..Tls::UNKNOWN }));
    let said = peer.says(HEADER);
    (peer, said)
}

#[test]
fn it_is_offered_first_to_who_has_proven_an_address_of_the_streams_domain_xep_0178_2() {
    for (identities, offered) in [
        (&["juliet@capulet.lit"][..], true),
        (&["romeo@montague.lit", "juliet@capulet.lit"], true),
        (&["nobody@capulet.lit"], true),
        (&["romeo@montague.lit"], false),
        (&["juliet@elsewhere.lit"], false),
        (&[], false),
    ] {
        let (mut peer, said) = greeted(identities);
        let first = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
                     <mechanism>EXTERNAL</mechanism><mechanism>SCRAM";
        assert_eq!(said.contains(first), offered, "{identities:?} {said}");
        assert_eq!(said.contains("EXTERNAL"), offered);
        let said = peer.says(&auth("EXTERNAL", "juliet@capulet.lit"));
        assert_eq!(said == failure("invalid-mechanism"), !offered, "AT-11 {identities:?} {said}");
    }
}

#[test]
fn one_address_need_not_be_named_xep_0178_2() {
    for message in ["=", "anVsaWV0QGNhcHVsZXQubGl0", "SnVsaWV0QENhcHVsZXQubGl0"] {
        let (mut peer, _) = greeted(&["juliet@capulet.lit", "romeo@montague.lit"]);
        let said = peer.says(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>{message}</auth>"
        ));
        assert_eq!(said, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "{message}");
        assert!(peer.says(HEADER).contains("<bind"));
        peer.says(&bind("balcony"));
        assert!(matches!(peer.submitted()[..], [Said::Bind { .. }]));
    }
    let (mut peer, _) = greeted(&["juliet@capulet.lit"]);
    let said = peer.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'/>");
    assert_eq!(said, "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    assert!(peer.says(&response("")).starts_with("<success"));
}

#[test]
fn of_several_addresses_one_must_be_named_xep_0178_2() {
    let (mut peer, _) = greeted(&["nurse@capulet.lit", "juliet@capulet.lit"]);
    let said =
        peer.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>");
    assert_eq!(said, failure("invalid-authzid"));
    assert!(peer.says(&auth("EXTERNAL", "juliet@capulet.lit")).starts_with("<success"));
}

#[test]
fn at_10_nobody_is_who_the_certificate_does_not_name_rfc6120_6_5_6() {
    for authzid in [
        "romeo@capulet.lit",
        "juliet@capulet.lit/balcony",
        "juliet",
        "capulet.lit",
        "romeo@montague.lit",
        "\u{430}@capulet.lit",
        "*@capulet.lit",
    ] {
        let (mut peer, _) = greeted(&["juliet@capulet.lit", "romeo@montague.lit"]);
        let said = peer.says(&auth("EXTERNAL", authzid));
        assert_eq!(said, failure("invalid-authzid"), "{authzid}");
    }
}

#[test]
fn a_certificate_makes_no_account_rfc6120_6_5_10() {
    let (mut peer, _) = greeted(&["nobody@capulet.lit"]);
    assert_eq!(peer.says(&auth("EXTERNAL", "nobody@capulet.lit")), failure("not-authorized"));
    let (mut peer, _) = greeted(&["juliet@capulet.lit"]);
    peer.juliet = Err(Fault::Away("gone".to_owned()));
    let said = peer.says(&auth("EXTERNAL", "juliet@capulet.lit"));
    assert_eq!(said, failure("temporary-auth-failure"));
}
