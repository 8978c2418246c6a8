//! The header exchange (RFC 6120 §4.7, §4.8).

use super::*;

fn header(attributes: &str) -> String {
    format!("<stream:stream xmlns:stream='http://etherx.jabber.org/streams' {attributes}>")
}

/// The value of an attribute of our header.
fn said<'a>(answer: &'a str, attribute: &str) -> Option<&'a str> {
    let header = &answer[answer.find("<stream:stream")?..];
    let header = &header[..header.find('>')?];
    let (_, value) = header.split_once(&format!(" {attribute}='"))?;
    Some(value.split_once('\'')?.0)
}

#[test]
fn the_header_comes_before_features_and_its_id_is_new_rfc6120_4_7_3() {
    let mut ids = Vec::new();
    let mut peer = Peer::secured();
    let first = peer.says(HEADER);
    assert!(first.starts_with("<?xml version='1.0'?><stream:stream "), "{first}");
    ids.push(said(&first, "id").unwrap().to_owned());
    peer.says(&auth_plain("juliet", PASSWORD));
    ids.push(said(&peer.says(HEADER), "id").unwrap().to_owned());
    assert!(ids.iter().all(|id| id.len() >= 32));
    assert_ne!(ids[0], ids[1]);
    assert_eq!(said(&first, "version"), Some("1.0"));
    assert_eq!(said(&first, "xml:lang"), Some("en"));
}

#[test]
fn from_is_the_domain_asked_for_rfc6120_4_7_1() {
    let mut peer = Peer::of(Security::Required, &["capulet.lit", "montague.lit"]);
    let answer = peer.says(&header("xmlns='jabber:client' version='1.0' to='MONTAGUE.lit'"));
    assert_eq!(said(&answer, "from"), Some("montague.lit"));
    assert!(answer.contains("<stream:features>"));
}

#[test]
fn to_repeats_from_as_a_bare_address_and_is_not_there_without_it_rfc6120_4_7_2() {
    let header =
        header("xmlns='jabber:client' version='1.0' to='capulet.lit' from='juliet@capulet.lit/x'");
    let mut peer = Peer::new(Security::Required);
    assert_eq!(said(&peer.says(&header), "to"), Some("juliet@capulet.lit"));
    peer.says(STARTTLS);
    peer.hears(Input::Secured(Tls::default()));
    assert_eq!(said(&peer.says(&header), "to"), Some("juliet@capulet.lit"));
    peer.says(&auth_plain("juliet", PASSWORD));
    assert_eq!(said(&peer.says(&header), "to"), Some("juliet@capulet.lit"));
    assert_eq!(said(&Peer::secured().says(HEADER), "to"), None);
}

#[test]
fn who_the_header_says_under_tls_is_who_must_log_in_rfc6120_6_4_6() {
    let from = |jid: &str| {
        header(&format!("xmlns='jabber:client' version='1.0' to='capulet.lit' from='{jid}'"))
    };
    let mut peer = Peer::secured();
    peer.says(&from("romeo@capulet.lit"));
    let said = peer.fails(&auth_plain("juliet", PASSWORD), "invalid-from");
    assert!(!said.contains("<success"), "{said}");
    let mut peer = Peer::secured();
    peer.says(&from("JULIET@capulet.lit"));
    assert!(peer.says(&auth_plain("juliet", PASSWORD)).starts_with("<success"));
    // What was said in the clear may be anybody's.
    let mut peer = Peer::new(Security::Required);
    peer.says(&from("romeo@capulet.lit"));
    peer.says(STARTTLS);
    peer.hears(Input::Secured(Tls::default()));
    peer.says(HEADER);
    assert!(peer.says(&auth_plain("juliet", PASSWORD)).starts_with("<success"));
}

#[test]
fn who_has_logged_in_is_nobody_else_in_the_next_header_rfc6120_4_9_3_9() {
    let header = |from: &str| {
        header(&format!("xmlns='jabber:client' version='1.0' to='capulet.lit' from='{from}'"))
    };
    for other in ["romeo@capulet.lit", "juliet@montague.lit", "capulet.lit"] {
        let mut peer = Peer::greeted();
        peer.says(&auth_plain("juliet", PASSWORD));
        let answer = peer.fails(&header(other), "invalid-from");
        assert_eq!(said(&answer, "to"), Some("juliet@capulet.lit"), "{other}");
    }
    let mut peer = Peer::greeted();
    peer.says(&auth_plain("juliet", PASSWORD));
    assert!(peer.says(&header("Juliet@capulet.lit/x")).contains("<bind"));
}

#[test]
fn versions_rfc6120_4_7_5() {
    for version in ["1.0", "1.7", "2.0", "01.00"] {
        let mut peer = Peer::secured();
        let xml = header(&format!("xmlns='jabber:client' to='capulet.lit' version='{version}'"));
        let answer = peer.says(&xml);
        assert_eq!(said(&answer, "version"), Some("1.0"), "{version}");
        assert!(answer.contains("<mechanisms"), "{version}");
    }
    for (version, answered) in
        [("", None), ("version='0.9'", Some("0.9")), ("version='1'", None), ("version='x'", None)]
    {
        let mut peer = Peer::secured();
        let answer = peer.fails(
            &header(&format!("xmlns='jabber:client' to='capulet.lit' {version}")),
            "unsupported-version",
        );
        let opening = answer.split_once("?>").unwrap().1;
        assert_eq!(said(opening, "version"), answered, "{version}");
        assert!(!answer.contains("features"), "{answer}");
    }
}

#[test]
fn the_streams_language_is_that_of_stanzas_without_one_rfc6120_8_1_5() {
    let mut peer = Peer::greeted();
    peer.says(&auth_plain("juliet", PASSWORD));
    peer.says(&header("xmlns='jabber:client' version='1.0' xml:lang='it' to='capulet.lit'"));
    peer.says(&bind("balcony"));
    peer.hears(Input::Say(Say::Bound(jid("juliet@capulet.lit/balcony"), Vec::new())));
    peer.says("<presence/>");
    assert!(peer.submitted_stanza().contains("xml:lang='it'"));
    peer.says("<presence xml:lang='de'/>");
    assert!(peer.submitted_stanza().contains("xml:lang='de'"));
}

#[test]
fn a_language_that_is_none_is_not_put_on_stanzas() {
    for lang in ["", "it it", &"x".repeat(65)] {
        let mut peer = Peer::greeted();
        peer.says(&auth_plain("juliet", PASSWORD));
        let lang = format!("xmlns='jabber:client' version='1.0' xml:lang='{lang}'");
        peer.says(&header(&lang));
        peer.says(&bind("balcony"));
        peer.hears(Input::Say(Say::Bound(jid("juliet@capulet.lit/balcony"), Vec::new())));
        peer.says("<presence/>");
        assert_eq!(peer.submitted_stanza(), "<presence from='juliet@capulet.lit/balcony'/>");
    }
}

#[test]
fn a_restart_drops_all_parser_state_rfc6120_4_3_3() {
    let mut peer = Peer::secured();
    peer.says(&header(
        "xmlns='jabber:client' xmlns:old='urn:old' version='1.0' to='capulet.lit' xml:lang='it'",
    ));
    peer.says(&auth_plain("juliet", PASSWORD));
    peer.says(HEADER);
    peer.says(&bind("balcony"));
    peer.hears(Input::Say(Say::Bound(jid("juliet@capulet.lit/balcony"), Vec::new())));
    peer.says("<presence/>");
    assert!(!peer.submitted_stanza().contains("lang"));
    let said = peer.says("<message><old:x/></message>");
    assert!(said.contains("<stream:error><"), "the prefix has outlived its stream: {said}");
}

#[test]
fn a_restart_needs_a_new_header_rfc6120_6_4_6() {
    let mut peer = Peer::greeted();
    peer.says(&auth_plain("juliet", PASSWORD));
    let answer = peer.says(&bind("balcony"));
    assert!(said(&answer, "id").is_some(), "an error needs a header of ours: {answer}");
    assert!(peer.submitted().is_empty());
    assert!(matches!(peer.closed(), Some(Closed::Error(..))));
}

#[test]
fn white_space_between_two_streams_is_nothing_rfc6120_4_6_1() {
    let mut peer = Peer::greeted();
    peer.says(&format!("{}\n", auth_plain("juliet", PASSWORD)));
    assert_eq!(peer.says(" \n"), "");
    assert!(peer.says(&format!("\n{HEADER}\n")).contains("<bind"));
}

#[test]
fn a_wrong_stream_namespace_is_invalid_rfc6120_4_9_3_10() {
    for xml in [
        "<stream:stream xmlns:stream='urn:x' xmlns='jabber:client' to='capulet.lit' version='1.0'>",
        "<stream xmlns='jabber:client' to='capulet.lit' version='1.0'>",
        "<html>",
    ] {
        let answer = Peer::secured().fails(xml, "invalid-namespace");
        assert!(said(&answer, "from") == Some("capulet.lit"), "{answer}");
    }
}

#[test]
fn a_wrong_content_namespace_is_invalid_rfc6120_4_8_2() {
    for ns in ["jabber:server", "urn:x", "http://etherx.jabber.org/streams"] {
        let xml = header(&format!("xmlns='{ns}' to='capulet.lit' version='1.0'"));
        Peer::secured().fails(&xml, "invalid-namespace");
    }
}

#[test]
fn another_prefix_for_the_stream_is_refused_rfc6120_4_9_3_2() {
    let xml = "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:client' \
               to='capulet.lit' version='1.0'>";
    Peer::secured().fails(xml, "bad-namespace-prefix");
}

#[test]
fn stream_without_prefix_and_content_with_one_rfc6120_4_8_5() {
    let mut peer = Peer::secured();
    let answer = peer
        .says("<stream xmlns='http://etherx.jabber.org/streams' to='capulet.lit' version='1.0'>");
    assert!(answer.contains("<mechanisms"), "{answer}");
    peer.says(&auth_plain("juliet", PASSWORD));
    let answer = peer.says(&header("xmlns:c='jabber:client' to='capulet.lit' version='1.0'"));
    assert!(answer.contains("<bind"), "{answer}");
    let answer = peer
        .says("<c:iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></c:iq>");
    assert_eq!(answer, "");
    assert!(matches!(peer.submitted()[..], [Said::Bind { resource: None, .. }]));
}

#[test]
fn a_root_that_is_no_stream_is_bad_format_rfc6120_4_9_3_1() {
    let xml = header("xmlns='jabber:client' version='1.0'").replacen(":stream ", ":flow ", 1);
    Peer::secured().fails(&xml, "bad-format");
}

#[test]
fn an_error_before_the_header_comes_in_a_stream_of_ours_rfc6120_4_9_1_2() {
    for xml in ["GET / HTTP/1.1\r\n\r\n", "</stream:stream>", "<<", "\u{1}"] {
        let answer = Peer::new(Security::Required).fails(xml, "not-well-formed");
        assert!(answer.starts_with("<?xml version='1.0'?><stream:stream "), "{answer}");
        assert_eq!(said(&answer, "from"), Some("capulet.lit"));
        assert!(said(&answer, "id").is_some());
    }
}

#[test]
fn an_unknown_host_is_told_by_a_known_one_rfc6120_4_9_3_6() {
    for to in ["montague.lit", "juliet@capulet.lit", "", "a b", "capulet.lit/x"] {
        let xml = header(&format!("xmlns='jabber:client' version='1.0' to='{to}'"));
        let answer = Peer::secured().fails(&xml, "host-unknown");
        assert_eq!(said(&answer, "from"), Some("capulet.lit"), "{to}");
    }
}

#[test]
fn without_to_it_is_the_one_domain_if_there_is_but_one_rfc6120_4_7_2() {
    let xml = header("xmlns='jabber:client' version='1.0'");
    let answer = Peer::secured().says(&xml);
    assert_eq!(said(&answer, "from"), Some("capulet.lit"));
    let mut peer = Peer::of(Security::Required, &["capulet.lit", "montague.lit"]);
    peer.fails(&xml, "host-unknown");
}

#[test]
fn at_12_the_domain_stays_what_it_was_rfc6120_4_3_3() {
    let other = HEADER.replace("capulet.lit", "montague.lit");
    let mut peer = Peer::of(Security::Direct, &["capulet.lit", "montague.lit"]);
    peer.hears(Input::Secured(Tls::default()));
    peer.says(HEADER);
    peer.says(&auth_plain("juliet", PASSWORD));
    peer.fails(&other, "host-unknown");
    assert!(peer.submitted().is_empty());

    let mut peer = Peer::of(Security::Required, &["capulet.lit", "montague.lit"]);
    peer.says(&format!("{HEADER}{STARTTLS}"));
    peer.hears(Input::Secured(Tls::default()));
    peer.fails(&other, "host-unknown");
}

#[test]
fn a_byte_order_mark_and_a_declaration_may_come_first_rfc6120_11_5() {
    let answer = Peer::secured().says(&format!("\u{feff}{HEADER}"));
    assert!(answer.contains("<mechanisms"), "{answer}");
    Peer::secured().fails(&format!(" {HEADER}"), "restricted-xml");
}

#[test]
fn another_encoding_is_unsupported_rfc6120_4_9_3_22() {
    let latin = HEADER.replace("version='1.0'?", "version='1.0' encoding='ISO-8859-1'?");
    Peer::secured().fails(&latin, "unsupported-encoding");
    let mut peer = Peer::secured();
    let utf16: Vec<u8> = HEADER.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let answer = peer.hears(Input::Bytes(&utf16));
    peer.has_failed(&answer, "unsupported-encoding");
}
