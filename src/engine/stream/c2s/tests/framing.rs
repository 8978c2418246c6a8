//! A stream in messages (RFC 7395): the same machine, with other words around the elements.

use super::*;

const OPEN: &str =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='capulet.lit' version='1.0'/>";
const CLOSE: &str = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
const ERROR: &str = "<stream:error xmlns:stream='http://etherx.jabber.org/streams'>";
const FEATURES: &str = "<stream:features xmlns:stream='http://etherx.jabber.org/streams'>";

impl Peer {
    /// What the server says to this message, each in one of its own.
    fn told(&mut self, message: &str) -> Vec<String> {
        self.messages(Input::Bytes(message.as_bytes()))
    }

    /// `juliet@capulet.lit/balcony`, with nothing left to do.
    pub(super) fn framed_and_bound() -> Self {
        let mut peer = Self::framed();
        peer.told(OPEN);
        peer.told(&auth_plain("juliet", PASSWORD));
        peer.told(OPEN);
        peer.told(&bind("balcony").replacen("<iq", "<iq xmlns='jabber:client'", 1));
        let bound =
            peer.messages(Input::Say(Say::Bound(jid("juliet@capulet.lit/balcony"), Vec::new())));
        assert!(bound[0].starts_with("<iq xmlns='jabber:client' "), "{bound:?}");
        assert_eq!(bound.len(), 1);
        peer.acts.clear();
        peer
    }

    /// The message ends the stream, in three or two messages: header (if none was said), error
    /// and footer.
    #[track_caller]
    fn is_refused(&mut self, message: &str, condition: &str) {
        let opened = self.machine.spoken;
        let mut said = self.told(message);
        assert_eq!(said.pop().as_deref(), Some(CLOSE), "{said:?}");
        let error = said.pop().unwrap_or_default();
        let start =
            format!("{ERROR}<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text ");
        assert!(error.starts_with(&start), "{message:?}: {condition} expected: {error}");
        match &said[..] {
            [] => assert!(opened, "no header before {error}"),
            [header] => assert!(!opened && header.starts_with("<open "), "{header}"),
            more => panic!("{more:?}"),
        }
        let Some(Closed::Error(closed, _)) = self.closed() else { panic!("not closed") };
        assert_eq!(closed.as_str(), condition);
        assert!(self.told("<message xmlns='jabber:client'/>").is_empty());
    }
}

#[test]
fn header_and_features_are_a_message_each_rfc7395_3_4() {
    let mut peer = Peer::framed();
    let [header, features] = &peer.told(OPEN)[..] else { panic!("not two messages") };
    let start = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' id='";
    assert!(header.starts_with(start), "{header}");
    assert!(header.ends_with(" from='capulet.lit' xml:lang='en'/>"), "{header}");
    assert!(features.starts_with(FEATURES) && features.contains("<mechanism>"), "{features}");
    assert!(!features.contains("starttls"), "TLS is below the stream (RFC 7395 §3.9)");
}

#[test]
fn after_sasl_the_stream_begins_anew_with_open_rfc7395_3_7() {
    let mut peer = Peer::framed();
    peer.told(OPEN);
    let said = peer.told(&auth_plain("juliet", PASSWORD));
    assert_eq!(said, ["<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"]);
    let said = peer.told(OPEN);
    assert!(said[0].starts_with("<open ") && said[1].contains("<bind "), "{said:?}");
    let mut peer = Peer::framed();
    peer.told(OPEN);
    peer.told(&auth_plain("juliet", PASSWORD));
    let early = bind("balcony").replacen("<iq", "<iq xmlns='jabber:client'", 1);
    peer.is_refused(&early, "invalid-namespace");
}

#[test]
fn stanzas_say_their_namespace_both_ways_rfc7395_3_3_3() {
    let mut peer = Peer::framed_and_bound();
    peer.told("<message xmlns='jabber:client' to='romeo@capulet.lit'><body>hark</body></message>");
    assert_eq!(
        peer.submitted_stanza(),
        "<message from='juliet@capulet.lit/balcony' to='romeo@capulet.lit'>\
         <body>hark</body></message>"
    );
    let stanza = Stanza::parse_one("<message id='1'><body>soft</body></message>").unwrap();
    let twice =
        [stanza.clone(), stanza].map(|stanza| peer.messages(Input::Say(Say::Stanza(stanza))));
    let framed = "<message xmlns='jabber:client' id='1'><body>soft</body></message>";
    assert_eq!(twice, [[framed], [framed]]);
    peer.told("<message/>");
    assert!(matches!(peer.submitted().last(), Some(Said::Nonza(_))), "no stanza without it");
}

#[test]
fn a_message_is_one_element_and_nothing_else_rfc7395_3_3() {
    let presence = "<presence xmlns='jabber:client'/>";
    for (message, condition) in [
        (format!("{presence}{presence}"), "bad-format"),
        (format!("{presence} "), "bad-format"),
        (format!(" {presence}"), "bad-format"),
        (format!("{presence}and"), "bad-format"),
        ("and".to_owned(), "bad-format"),
        ("<presence xmlns='jabber:client'>".to_owned(), "not-well-formed"),
        (String::new(), "not-well-formed"),
        (" ".to_owned(), "not-well-formed"),
        ("<presence".to_owned(), "not-well-formed"),
        ("</presence>".to_owned(), "not-well-formed"),
        (format!("<?xml version='1.0'?>{presence}"), "restricted-xml"),
    ] {
        Peer::framed_and_bound().is_refused(&message, condition);
    }
}

#[test]
fn at_02_document_types_and_the_like_are_refused_in_messages_too() {
    let bomb = "<!DOCTYPE a [<!ENTITY b 'c'>]><message xmlns='jabber:client'>&b;</message>";
    for message in [bomb, "<!-- c -->", "<?php echo ?>", "<a>&b;</a>", "<![CDATA[x]]>"] {
        Peer::framed().is_refused(message, "restricted-xml");
        Peer::framed_and_bound().is_refused(message, "restricted-xml");
    }
}

#[test]
fn the_first_message_opens_the_stream_rfc7395_3_4() {
    for (message, condition) in [
        (HEADER, "restricted-xml"),
        (HEADER.split_once("?>").unwrap().1, "not-well-formed"),
        ("<presence xmlns='jabber:client'/>", "invalid-namespace"),
        ("<open to='capulet.lit' version='1.0'/>", "invalid-namespace"),
        ("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>", "invalid-namespace"),
        ("<start xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='capulet.lit'/>", "bad-format"),
    ] {
        Peer::framed().is_refused(message, condition);
    }
    let open = |more| format!("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' {more}/>");
    for (message, condition) in [
        (open("to='montague.lit' version='1.0'"), "host-unknown"),
        (open("to='capulet.lit'"), "unsupported-version"),
    ] {
        let said = Peer::framed().told(&message);
        assert!(said[0].starts_with("<open ") && said[1].contains(condition), "{said:?}");
        assert_eq!(said[2], CLOSE);
    }
}

#[test]
fn a_stream_is_opened_once() {
    let again = "unsupported-stanza-type";
    let mut peer = Peer::framed();
    peer.told(OPEN);
    peer.is_refused(OPEN, again);
    Peer::framed_and_bound().is_refused(OPEN, again);
}

#[test]
fn a_footer_is_answered_by_one_rfc7395_3_6() {
    let mut peer = Peer::framed_and_bound();
    assert_eq!(peer.told(CLOSE), [CLOSE]);
    assert!(matches!(peer.submitted()[..], [Said::Gone(End::Closed)]));
    assert_eq!(peer.closed(), Some(Closed::Properly));
    let mut peer = Peer::framed();
    assert_eq!(peer.told(CLOSE), [CLOSE], "also before the stream was opened");
    assert_eq!(peer.closed(), Some(Closed::Properly));
}

#[test]
fn the_peers_error_ends_the_stream_in_messages_too() {
    let error = "<error xmlns='http://etherx.jabber.org/streams'>\
                 <reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>";
    let mut peer = Peer::framed_and_bound();
    assert_eq!(peer.told(error), [CLOSE]);
    assert_eq!(peer.closed(), Some(Closed::Peer));
}

#[test]
fn open_says_the_language_of_the_stream_and_who_the_client_is() {
    let mut peer = Peer::framed();
    let open = OPEN.replace("<open", "<open xml:lang='it' from='juliet@capulet.lit'");
    peer.told(&open);
    peer.told(&auth_plain("juliet", PASSWORD));
    assert!(peer.told(&open)[0].contains(" to='juliet@capulet.lit' "));
    peer.told(&bind("x").replacen("<iq", "<iq xmlns='jabber:client'", 1));
    peer.messages(Input::Say(Say::Bound(jid("juliet@capulet.lit/x"), Vec::new())));
    peer.told("<presence xmlns='jabber:client'/>");
    assert!(peer.submitted_stanza().contains("xml:lang='it'"));
}

#[test]
fn silence_is_answered_by_a_ping_of_the_transport_and_never_by_white_space_rfc7395_3_8() {
    let mut peer = Peer::framed_and_bound();
    let patience = peer.settings.limits.idle_ms_max;
    peer.now = peer.now.after(patience);
    assert!(peer.messages(Input::Tick).is_empty());
    assert!(peer.acts.iter().any(|act| matches!(act, Act::Ping)), "{:?}", peer.acts);
    peer.hears(Input::Alive);
    peer.acts.clear();
    peer.now = peer.now.after(patience);
    assert!(peer.messages(Input::Tick).is_empty());
    assert_eq!(peer.closed(), None, "a pong is a sign of life");
    peer.now = peer.now.after(patience);
    let said = peer.messages(Input::Tick);
    assert!(said[0].contains("<connection-timeout "), "{said:?}");
    assert_eq!(said[1], CLOSE);
}

#[test]
fn how_long_an_element_may_be_depends_on_who_says_it() {
    let mut peer = Peer::framed();
    let limits = peer.settings.limits;
    assert_eq!(peer.machine.element_bytes_max(), limits.before_auth.stanza_bytes_max);
    peer.is_refused(&"<a>".repeat(limits.before_auth.stanza_bytes_max), "policy-violation");
    let peer = Peer::framed_and_bound();
    assert_eq!(peer.machine.element_bytes_max(), limits.after_auth.stanza_bytes_max);
}
