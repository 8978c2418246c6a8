//! Requests before login.

use super::*;

fn knock(kind: &str, id: &str) -> String {
    format!("<iq type='{kind}' id='{id}'><door xmlns='toy'/></iq>")
}

fn refused() -> Replied {
    Err(StanzaCondition::Conflict.into())
}

#[test]
fn a_xep_may_answer_who_has_not_logged_in_and_login_goes_on() {
    let mut peer = Peer::greeted();
    assert_eq!(peer.says(&knock("get", "1")), "<iq id='1' type='result'/>");
    assert_eq!(peer.says(&knock("set", "2")), "<iq id='2' type='result'/>");
    assert!(peer.says(&auth_plain("juliet", PASSWORD)).contains("<success"));
}

#[test]
fn what_follows_is_heard_when_it_is_answered() {
    let mut peer = Peer::greeted();
    peer.answering = false;
    assert_eq!(peer.says(&(knock("get", "1") + &knock("get", "2"))), "");
    assert!(!peer.machine.hungry());
    let said = peer.hears(Input::Fact(Fact::Replied(Ok(Reply::Empty))));
    assert_eq!(said, "<iq id='1' type='result'/>");
    let said = peer.hears(Input::Fact(Fact::Replied(Ok(Reply::Empty))));
    assert_eq!(said, "<iq id='2' type='result'/>");
    assert!(peer.machine.hungry());
}

#[test]
fn one_change_is_enough_for_a_stream_xep0077_3_1_1() {
    let mut peer = Peer::greeted();
    peer.says(&knock("set", "1"));
    assert!(peer.says(&knock("set", "2")).contains("<not-acceptable "));
}

#[test]
fn who_fills_in_a_form_has_ten_times_as_long_once() {
    let mut peer = Peer::new(Security::Direct);
    let (start, patience) = (peer.now, peer.settings.limits.auth_ms_max);
    peer.hears(Input::Tick);
    peer.hears(Input::Secured(Tls::default()));
    peer.says(HEADER);
    assert_eq!(peer.wakes().last(), Some(&start.after(patience)));
    peer.says(&knock("get", "1"));
    assert_eq!(peer.wakes().last(), Some(&start.after(10 * patience)));
    peer.now = peer.now.after(1);
    peer.says(&knock("get", "2"));
    assert_eq!(peer.wakes(), []);
}

#[test]
fn refusals_are_counted_with_failed_logins() {
    let mut peer = Peer::greeted();
    peer.reply = refused();
    let tries = peer.settings.limits.auth_tries_max;
    for number in 1..tries {
        let said = peer.says(&knock("set", &number.to_string()));
        assert!(said.contains("<conflict ") && !said.contains("stream:error"), "{said}");
    }
    let said = peer.says(&knock("set", "last"));
    assert!(said.contains("<conflict ") && said.contains("<policy-violation "), "{said}");
    let mut peer = Peer::greeted();
    let said: String =
        (0..=tries).map(|number| peer.says(&knock("set", &number.to_string()))).collect();
    assert_eq!(said.matches("<not-acceptable ").count(), tries as usize, "{said}");
    assert!(said.contains("<policy-violation "), "{said}");
}

#[test]
fn all_else_is_too_early_rfc6120_4_9_3_12() {
    for xml in [
        "<iq type='get' id='1'><window xmlns='toy'/></iq>",
        "<iq type='get' id='1' to='montague.lit'><door xmlns='toy'/></iq>",
        "<iq type='get' id='1' to='juliet@capulet.lit'><door xmlns='toy'/></iq>",
        "<iq type='set' id='1' to='@@'><door xmlns='toy'/></iq>",
        "<iq type='get'><door xmlns='toy'/></iq>",
        "<iq type='result' id='1'><door xmlns='toy'/></iq>",
        "<message><door xmlns='toy'/></message>",
    ] {
        let said = Peer::greeted().says(xml);
        assert!(said.contains("<stream:error><not-authorized "), "{xml}: {said}");
    }
    let mut plain = Peer::new(Security::Required);
    plain.says(HEADER);
    assert!(plain.says(&knock("get", "1")).contains("<stream:error><not-authorized "));
}
