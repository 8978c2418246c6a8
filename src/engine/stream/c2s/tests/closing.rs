//! How a stream ends: footers, errors, timers (RFC 6120 §4.4, §4.6, §4.9).

use super::*;

/// Ends a bound stream by these bytes.
#[track_caller]
fn ends(xml: &str, condition: &str) {
    let mut peer = Peer::bound();
    peer.fails(xml, condition);
    assert!(matches!(peer.submitted()[..], [Said::Gone(End::Broken)]));
}

#[test]
fn a_footer_is_answered_rfc6120_4_4() {
    let mut peer = Peer::bound();
    assert_eq!(peer.says("<presence/></stream:stream>"), "</stream:stream>");
    assert!(matches!(peer.submitted()[..], [Said::Stanza(_), Said::Gone(End::Closed)]));
    assert_eq!(peer.closed(), Some(Closed::Properly));
    assert_eq!(peer.says("<presence/>"), "");
    peer.hears(Input::Gone);
    assert_eq!(peer.submitted().len(), 2, "gone once");
}

#[test]
fn a_footer_before_a_resource_is_nobodys_news() {
    for mut peer in [Peer::greeted(), Peer::authenticated()] {
        assert_eq!(peer.says("</stream:stream>"), "</stream:stream>");
        assert!(peer.submitted().is_empty());
        assert_eq!(peer.closed(), Some(Closed::Properly));
    }
}

#[test]
fn a_lost_socket_is_told_once() {
    let mut peer = Peer::bound();
    assert_eq!(peer.hears(Input::Gone), "");
    peer.hears(Input::Gone);
    assert!(matches!(peer.submitted()[..], [Said::Gone(End::Broken)]));
    assert_eq!(peer.closed(), Some(Closed::Peer));

    let mut peer = Peer::authenticated();
    peer.says(&bind("x"));
    peer.hears(Input::Gone);
    assert!(matches!(peer.submitted()[..], [Said::Bind { .. }, Said::Gone(End::Broken)]));
    assert_eq!(peer.hears(Input::Say(Say::Bound(jid("juliet@capulet.lit/x"), Vec::new()))), "");

    let mut peer = Peer::authenticated();
    peer.hears(Input::Gone);
    assert!(peer.submitted().is_empty());
}

#[test]
fn the_peers_error_ends_the_stream_rfc6120_4_9_1_1() {
    let error = "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
    let mut peer = Peer::bound();
    assert_eq!(peer.says(&format!("{error}</stream:stream>")), "</stream:stream>");
    assert!(matches!(peer.submitted()[..], [Said::Gone(End::Broken)]));
    assert_eq!(peer.closed(), Some(Closed::Peer));
}

#[test]
fn what_is_not_well_formed_rfc6120_4_9_3_13() {
    for xml in ["<message></presence>", "<message a='1' a='2'/>", "<message>\u{1}</message>"] {
        ends(xml, "not-well-formed");
    }
}

#[test]
fn bad_format_is_well_formed_but_not_a_stream_rfc6120_4_9_3_1() {
    ends("and then he said", "bad-format");
}

#[test]
fn restricted_xml_rfc6120_4_9_3_18() {
    for xml in [
        "<!-- comment -->",
        "<message><!-- comment --></message>",
        "<?php echo ?>",
        "<message><?x?></message>",
        "<message><body>&nbsp;</body></message>",
        "<!DOCTYPE x>",
    ] {
        ends(xml, "restricted-xml");
    }
    let dtd = "<?xml version='1.0'?><!DOCTYPE lolz [<!ENTITY lol 'lol'>]>";
    Peer::new(Security::Required).fails(dtd, "restricted-xml");
}

#[test]
fn a_prefix_without_declaration_is_not_well_formed_rfc6120_4_9_3_13() {
    ends("<message><x:y/></message>", "not-well-formed");
}

#[test]
fn a_stanza_of_another_content_namespace_rfc6120_4_9_3_10() {
    ends("<message xmlns='jabber:server'/>", "invalid-namespace");
}

#[test]
fn policy_violation_on_size_depth_attributes_rfc6120_4_9_3_14() {
    let limits = Peer::bound().settings.limits.after_auth;
    let big = "x".repeat(limits.stanza_bytes_max);
    ends(&format!("<message><body>{big}</body></message>"), "policy-violation");
    ends(&format!("<message>{}", "<a>".repeat(limits.depth_max)), "policy-violation");
    let attributes: String = (0..=limits.attributes_max).map(|n| format!(" a{n}=''")).collect();
    ends(&format!("<message{attributes}/>"), "policy-violation");
}

#[test]
fn limits_are_smaller_before_authentication_rfc6120_13_12() {
    let body = format!("<x xmlns='urn:x'>{}</x>", "x".repeat(9_000));
    Peer::greeted().fails(&body, "policy-violation");
    Peer::authenticated().fails(&body, "unsupported-stanza-type");
    let mut peer = Peer::bound();
    peer.says(&format!("<message><body>{body}</body></message>"));
    assert_eq!(peer.submitted().len(), 1);
}

#[test]
fn the_account_ends_a_stream_rfc6120_4_9_3_3() {
    for condition in [StreamCondition::Conflict, StreamCondition::ResourceConstraint] {
        let mut peer = Peer::bound();
        let said = peer.hears(Input::Say(Say::End(condition.into())));
        peer.has_failed(&said, condition.as_str());
        assert!(matches!(peer.submitted()[..], [Said::Gone(End::Broken)]));
    }
}

#[test]
fn a_server_that_stops_says_so_rfc6120_4_9_3_20() {
    for mut peer in [Peer::new(Security::Required), Peer::greeted(), Peer::bound()] {
        let said = peer.hears(Input::Shutdown);
        peer.has_failed(&said, "system-shutdown");
    }
}

#[test]
fn who_is_to_go_elsewhere_is_told_where_behind_tls_only_rfc6120_4_9_3_19() {
    for (mut peer, condition) in [
        (Peer::new(Security::Required), "system-shutdown"),
        (Peer::greeted(), "see-other-host"),
        (Peer::bound(), "see-other-host"),
        (Peer::framed(), "system-shutdown"),
    ] {
        peer.settings.drain_to = Some("other.example:5222".into());
        let said = peer.hears(Input::Shutdown);
        assert!(said.contains(condition), "{said}");
        assert_eq!(said.contains("other.example"), condition == "see-other-host", "{said}");
    }
}

#[test]
fn an_error_has_one_condition_and_a_text_rfc6120_4_9_2() {
    let said = Peer::bound().says("<message from='romeo@montague.lit'/>");
    assert_eq!(
        said,
        "<stream:error><invalid-from xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>\
         this is not the address of this stream</text></stream:error></stream:stream>"
    );
}

#[test]
fn at_65_who_does_not_bind_in_time_is_closed_rfc6120_4_9_3_4() {
    let start = Moment(1_000);
    for mut peer in [Peer::new(Security::Required), Peer::greeted(), Peer::authenticated()] {
        peer.hears(Input::Tick);
        let at = start.after(peer.settings.limits.auth_ms_max);
        assert_eq!(peer.wakes().last(), Some(&at));
        peer.now = Moment(at.0 - 1);
        assert_eq!(peer.says(" "), "", "a drip does not move the deadline");
        assert_eq!(peer.hears(Input::Tick), "");
        peer.now = at;
        let said = peer.hears(Input::Tick);
        peer.has_failed(&said, "connection-timeout");
    }
}

#[test]
fn silence_is_broken_by_white_space_and_then_ends_rfc6120_4_6_2() {
    let mut peer = Peer::bound();
    let idle = peer.settings.limits.idle_ms_max;
    peer.says("<presence/>");
    let ping = peer.now.after(idle);
    assert!(peer.wakes().is_empty(), "told when bound");
    peer.now = ping;
    assert_eq!(peer.hears(Input::Tick), " ");
    assert!(matches!(peer.submitted()[..], [_, Said::Silent]), "a XEP may make it answer");
    assert_eq!(peer.wakes(), [ping.after(idle)]);
    peer.now = ping.after(idle);
    let said = peer.hears(Input::Tick);
    peer.has_failed(&said, "connection-timeout");
}

#[test]
fn white_space_is_a_sign_of_life_rfc6120_4_6_1() {
    let mut peer = Peer::bound();
    let idle = peer.settings.limits.idle_ms_max;
    let bound = peer.now;
    peer.now = bound.after(idle / 2);
    assert_eq!(peer.says(" "), "");
    let heard = peer.now;
    peer.now = bound.after(idle);
    assert_eq!(peer.hears(Input::Tick), "", "heard since");
    assert_eq!(peer.wakes(), [heard.after(idle)]);
    peer.now = heard.after(idle);
    assert_eq!(peer.hears(Input::Tick), " ");
    peer.says("\n");
    peer.now = heard.after(2 * idle);
    assert_eq!(peer.hears(Input::Tick), " ", "answered the last one");
    assert_eq!(peer.closed(), None);
}

/// The server asks something.
fn is_asked(peer: &mut Peer) -> Moment {
    peer.hears(Input::Say(Say::Nonza(wire::Draft::new(ASKED).finish())));
    peer.now
}

#[test]
fn who_is_asked_and_says_nothing_is_gone_xep0198_4() {
    for mut peer in [Peer::bound(), Peer::framed_and_bound()] {
        let patience = peer.settings.limits.unanswered_ms_max;
        let asked = is_asked(&mut peer);
        assert_eq!(peer.wakes(), [asked.after(patience)]);
        peer.acts.clear();
        peer.now = asked.after(patience / 2);
        is_asked(&mut peer);
        peer.now = asked.after(patience);
        let said = peer.messages(Input::Tick).concat();
        assert!(said.contains("<connection-timeout "), "the first question counts: {said}");
        // So its session waits for it.
        assert!(matches!(peer.submitted()[..], [Said::Gone(End::Broken)]));
    }
}

#[test]
fn who_has_answered_or_is_heard_is_there_xep0198_4() {
    let mut peer = Peer::bound();
    let patience = peer.settings.limits.unanswered_ms_max;
    let asked = is_asked(&mut peer);
    peer.acts.clear();
    // What is heard is no answer, but is not nothing.
    let mut now = asked.after(patience - 1);
    for sign in ["<message/>", " ", ""] {
        peer.now = now;
        match sign {
            "" => peer.hears(Input::Alive),
            said => peer.says(said),
        };
        peer.now = now.after(patience - 1);
        assert_eq!(peer.hears(Input::Tick), "");
        assert_eq!(peer.wakes().last(), Some(&now.after(patience)));
        now = peer.now;
    }
    peer.now = now;
    peer.says("<answer xmlns='toy'/>");
    peer.now = now.after(patience);
    assert_eq!(peer.hears(Input::Tick), "", "nothing is asked");
    let again = is_asked(&mut peer);
    peer.now = again.after(patience - 1);
    assert_eq!(peer.hears(Input::Tick), "");
    peer.now = again.after(patience);
    let said = peer.hears(Input::Tick);
    peer.has_failed(&said, "connection-timeout");
}

#[test]
fn the_shell_is_woken_once_per_deadline_and_never_per_stanza() {
    let mut peer = Peer::authenticated();
    assert_eq!(peer.wakes().len(), 1, "the deadline of the login");
    peer.says(&bind("balcony"));
    peer.hears(Input::Say(Say::Bound(jid("juliet@capulet.lit/balcony"), Vec::new())));
    assert_eq!(peer.wakes(), [peer.now.after(peer.settings.limits.idle_ms_max)]);
    for _ in 0..100 {
        peer.now = peer.now.after(10);
        peer.says("<message><body>x</body></message>");
    }
    assert!(peer.wakes().is_empty());
    assert_eq!(peer.submitted().len(), 101);
    let asked = is_asked(&mut peer);
    for _ in 0..100 {
        peer.says("<answer xmlns='toy'/>");
        peer.now = peer.now.after(10);
        is_asked(&mut peer);
    }
    assert_eq!(peer.wakes(), [asked.after(peer.settings.limits.unanswered_ms_max)]);
}
