use super::*;

#[test]
fn a_request_waits_for_payloads_xep_0124_8() {
    let mut session = Session::open();
    session.says(1, "");
    session.pass(10_000);
    assert_eq!(session.responses(), []);
    session.say(HELLO);
    assert_eq!(session.responses(), [(1, with_payload(HELLO))]);
}

#[test]
fn and_no_longer_than_agreed_xep_0124_8() {
    let mut session = Session::open();
    session.says(1, "");
    session.pass(59_999);
    assert_eq!(session.responses(), []);
    session.pass(1);
    assert_eq!(session.responses(), [(1, EMPTY.to_owned())]);
}

#[test]
fn no_more_wait_than_agreed_the_oldest_leaves_xep_0124_8() {
    let mut session = Session::open();
    session.says(1, "");
    session.says(2, HELLO);
    let [(1, text)] = &session.responses()[..] else { panic!("no response") };
    assert!(!text.contains("<message"), "{text}");
    session.pass(59_000);
    assert_eq!(session.responses(), []);
}

#[test]
fn payloads_that_came_meanwhile_are_the_response_to_the_next_request() {
    let mut session = Session::open();
    session.say(HELLO);
    session.say("<r xmlns='urn:x'/>");
    session.says(1, "");
    let both = format!("{HELLO}<r xmlns='urn:x'/>");
    assert_eq!(session.responses(), [(1, with_payload(&both))]);
}

#[test]
fn a_request_is_answered_when_the_stream_is_done_with_it() {
    let mut session = Session::open_with("hold='0' ver='1.6'");
    session.send(1, "", HELLO);
    let first = session.with(|bosh, ctx, out| bosh.take(ctx, out));
    assert_eq!(first, Some(Heard::Element(HELLO.into())));
    session.pass(70_000);
    assert_eq!(session.responses(), [], "the stream waits for something: so does the client");
    session.say("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>r</challenge>");
    session.listen();
    let [(1, text)] = &session.responses()[..] else { panic!("no response") };
    assert!(text.contains("<challenge"), "{text}");
}

#[test]
fn who_polls_is_answered_at_once_xep_0124_12() {
    for polls in ["hold='0'", "wait='0'"] {
        let mut session = Session::open_with(polls);
        session.says(1, "");
        assert_eq!(session.responses(), [(1, EMPTY.to_owned())], "{polls}");
        session.say(HELLO);
        session.pass(6_000);
        session.says(2, "");
        assert_eq!(session.responses(), [(2, with_payload(HELLO))], "{polls}");
    }
}

#[test]
fn who_polls_too_often_is_refused_xep_0124_12() {
    let mut session = Session::open_with("hold='0' ver='1.6'");
    session.says(1, "");
    session.pass(5_000);
    session.says(2, "");
    session.pass(4_999);
    assert_eq!(session.responses().len(), 2);
    session.says(3, "");
    assert_eq!(session.responses(), [(3, terminal("policy-violation"))]);
}

#[test]
fn who_got_something_may_ask_for_more_at_once_xep_0124_12() {
    let mut session = Session::open_with("hold='0' ver='1.6'");
    for nth in 1..5 {
        session.say(HELLO);
        session.says(nth, "");
        assert_eq!(session.responses(), [(nth, with_payload(HELLO))]);
    }
}

#[test]
fn two_empty_requests_at_once_are_too_many_xep_0124_11() {
    let mut session = Session::open();
    session.says(1, "");
    session.pass(4_999);
    session.says(2, "");
    assert_eq!(
        session.responses(),
        [(1, terminal("other-request")), (2, terminal("policy-violation"))]
    );
    let mut session = Session::open();
    session.says(1, "");
    session.pass(5_000);
    session.says(2, "");
    assert!(!session.bosh.is_over());
}

#[test]
fn more_requests_than_agreed_are_too_many_xep_0124_11() {
    let mut session = Session::open();
    // The stream does not take them, so none of them is answered.
    for nth in 1..=3 {
        session.send(nth, "", HELLO);
    }
    assert_eq!(
        session.responses(),
        [
            (1, terminal("other-request")),
            (2, terminal("other-request")),
            (3, terminal("policy-violation"))
        ]
    );
}

#[test]
fn one_more_may_be_made_to_leave_or_to_pause_xep_0124_11() {
    for last in ["type='terminate'", "pause='60'"] {
        let mut session = Session::open();
        session.send(1, "", HELLO);
        session.send(2, "", HELLO);
        session.send(3, last, "");
        assert!(!session.bosh.is_over(), "{last}");
    }
}

#[test]
fn a_client_with_much_to_say_is_never_too_fast() {
    let mut session = Session::open();
    for nth in 1..100 {
        session.says(nth, HELLO);
    }
    assert_eq!(session.elements().len(), 99);
    assert_eq!(session.responses().len(), 98);
}

#[test]
fn who_is_away_for_too_long_is_forgotten_without_a_word_xep_0124_10() {
    let mut session = Session::open();
    session.pass(59_999);
    assert!(!session.bosh.is_over());
    session.pass(1);
    assert!(session.bosh.is_over());
    assert_eq!(session.responses(), []);
    session.says(1, "");
    assert_eq!(session.responses(), [(1, terminal("item-not-found"))]);
}

#[test]
fn who_waits_is_not_away_and_who_lost_its_connection_is() {
    let mut session = Session::open_with("wait='60' ver='1.6'");
    session.says(1, "");
    session.pass(55_000);
    session.lose(1);
    session.pass(59_999);
    assert!(!session.bosh.is_over());
    session.pass(1);
    assert!(session.bosh.is_over());
}

#[test]
fn a_pause_answers_all_and_is_remembered_xep_0124_10() {
    let mut session = Session::open();
    session.says(1, "");
    session.send(2, "pause='120'", "");
    session.listen();
    let tickets: Vec<_> = session.responses().iter().map(|(ticket, _)| *ticket).collect();
    assert_eq!(tickets, [1, 2]);
    session.say(HELLO);
    session.pass(119_999);
    session.says(3, "");
    assert_eq!(session.responses(), [(3, with_payload(HELLO))]);
    session.pass(60_000);
    assert!(session.bosh.is_over(), "the next request ended the pause");
}

#[test]
fn the_response_to_a_pause_has_no_payloads_and_is_not_kept_xep_0124_10_14_3() {
    let mut session = Session::open();
    session.say(HELLO);
    session.send(1, "pause='60'", "");
    session.listen();
    assert_eq!(session.responses(), [(1, EMPTY.to_owned())]);
    session.send_as(9, 1, "pause='60'", "");
    assert_eq!(session.responses(), [(9, terminal("item-not-found"))]);
}

#[test]
fn a_pause_longer_than_agreed_is_refused() {
    for pause in ["121", "18446744073709551616"] {
        let mut session = Session::open();
        session.send(1, &format!("pause='{pause}'"), "");
        assert_eq!(session.responses(), [(1, terminal("policy-violation"))]);
    }
}

#[test]
fn the_stream_hears_that_an_empty_request_came() {
    let mut session = Session::open();
    session.says(1, "");
    assert_eq!(session.heard, [Heard::Alive]);
}

#[test]
fn what_nobody_takes_fills_it_and_no_more() {
    let mut session = Session::open();
    let mut told = 0;
    while !session.bosh.is_full() {
        session.say(HELLO);
        told += 1;
    }
    assert!(told * HELLO.len() < SAID_BYTES_MAX + HELLO.len());
    // Who comes for it must be heard first.
    session.send(1, "", "");
    assert!(!session.bosh.is_full());
    session.listen();
    assert!(!session.bosh.is_full());
    assert!(session.responses()[0].1.len() > SAID_BYTES_MAX);
}
