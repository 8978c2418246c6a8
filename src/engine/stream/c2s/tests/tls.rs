//! STARTTLS comes first (RFC 6120 §5).

use super::*;

#[test]
fn nothing_but_tls_is_offered_rfc6120_5_3_1() {
    let mut peer = Peer::new(Security::Required);
    let said = peer.says(HEADER);
    let (_, features) = said.split_once('>').and_then(|(_, rest)| rest.split_once('>')).unwrap();
    assert_eq!(
        features,
        "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/>\
         </starttls></stream:features>"
    );
}

#[test]
fn starttls_proceeds_and_the_stream_starts_anew_rfc6120_5_4_3_3() {
    let mut peer = Peer::new(Security::Required);
    peer.says(HEADER);
    assert_eq!(peer.says(STARTTLS), "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert!(matches!(peer.acts[..], [Act::Wake(_), Act::StartTls]));
    assert!(!peer.machine.hungry());
    assert_eq!(peer.hears(Input::Secured(Tls::default())), "");
    assert!(peer.machine.hungry());
    assert!(peer.says(HEADER).contains("<mechanism>SCRAM-SHA-1</mechanism>"));
}

#[test]
fn starttls_may_come_in_one_piece_with_the_header() {
    let mut peer = Peer::new(Security::Required);
    let said = peer.says(&format!("{HEADER}{STARTTLS}"));
    assert!(said.ends_with("</stream:features><proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"));
}

#[test]
fn at_19_what_comes_behind_starttls_unprotected_is_never_seen() {
    let mut peer = Peer::new(Security::Required);
    let injected = format!("{HEADER}{}", auth_plain("juliet", PASSWORD));
    peer.says(&format!("{HEADER}{STARTTLS}{injected}"));
    assert_eq!(peer.says(&injected), "", "the handshake is under way");
    assert_eq!(peer.hears(Input::Secured(Tls::default())), "");
    let said = peer.says(HEADER);
    assert_eq!(said.matches("<stream:stream").count(), 1);
    assert!(!said.contains("success"), "{said}");
}

#[test]
fn at_14_a_password_in_the_clear_is_not_looked_at_rfc6120_6_5_4() {
    let mut peer = Peer::new(Security::Required);
    peer.says(HEADER);
    peer.answering = false;
    let refused = peer.says(&auth_plain("juliet", PASSWORD));
    assert_eq!(refused, failure("encryption-required"));
    assert!(!peer.acts.iter().any(|act| matches!(act, Act::Ask(_))));
    assert!(peer.says(STARTTLS).contains("<proceed"));
}

#[test]
fn at_14_all_else_in_the_clear_ends_the_stream() {
    let auth = "<query xmlns='jabber:iq:auth'/>";
    for (xml, condition) in [
        ("<presence/>", "not-authorized"),
        (&*format!("<iq type='get' id='1'>{auth}</iq>"), "not-authorized"),
        (&bind("x"), "not-authorized"),
        ("<compress xmlns='http://jabber.org/protocol/compress'/>", "unsupported-stanza-type"),
        ("<result xmlns='jabber:server:dialback'/>", "unsupported-stanza-type"),
        ("<stream:features/>", "unsupported-stanza-type"),
    ] {
        let mut peer = Peer::new(Security::Required);
        peer.says(HEADER);
        peer.fails(xml, condition);
    }
}

#[test]
fn starttls_under_tls_fails_and_closes_rfc6120_5_4_2_2() {
    let mut peer = Peer::greeted();
    assert_eq!(
        peer.says(STARTTLS),
        "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>"
    );
    assert_eq!(peer.closed(), Some(Closed::Properly));
}

#[test]
fn at_65_a_handshake_that_never_ends_is_closed_without_a_word_rfc6120_5_4_3_2() {
    let mut peer = Peer::new(Security::Direct);
    assert_eq!(peer.hears(Input::Tick), "");
    assert_eq!(peer.wakes(), [Moment(31_000)]);
    peer.now = Moment(31_000);
    assert_eq!(peer.hears(Input::Tick), "");
    let why = Violation::AuthTime;
    assert_eq!(peer.closed(), Some(Closed::Error(why.condition(), why.why())));
}
