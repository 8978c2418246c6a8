use super::*;

fn message(id: &str) -> String {
    format!("<message xmlns='jabber:client' id='{id}'/>")
}

#[test]
fn bodies_are_heard_in_the_order_of_their_rids_xep_0124_14_2() {
    let mut session = Session::open_with("hold='2' ver='1.6'");
    session.says(2, &(message("2a") + &message("2b")));
    assert_eq!(session.elements(), [""; 0]);
    session.says(1, &message("1"));
    assert_eq!(session.elements(), [message("1"), message("2a"), message("2b")]);
    assert_eq!(session.responses(), []);
    session.say(HELLO);
    let acknowledged = format!(
        "<body xmlns='http://jabber.org/protocol/httpbind' ack='{}'>{HELLO}</body>",
        RID + 2
    );
    assert_eq!(session.responses(), [(1, acknowledged)]);
}

#[test]
fn a_rid_beyond_the_window_ends_the_session_xep_0124_14_2() {
    for nth in [3, 4, 1_000_000] {
        let mut session = Session::open();
        session.says(nth, "");
        assert_eq!(session.responses(), [(nth, terminal("item-not-found"))]);
        assert!(session.bosh.is_over());
    }
}

#[test]
fn a_rid_too_great_ends_the_session_and_nothing_overflows_at_54() {
    let mut session = Session::open();
    let rid = body("rid='9007199254740992'", "");
    session.with(|bosh, ctx, out| bosh.request(ctx, rid, 1, out));
    assert_eq!(session.responses(), [(1, terminal("bad-request"))]);
    let mut session = Session::open();
    session.bosh.received = request::RID_MAX;
    let first = body("rid='9007199254740991'", "");
    session.with(|bosh, ctx, out| bosh.request(ctx, first, 1, out));
    assert_eq!(session.responses(), [(1, terminal("item-not-found"))]);
}

#[test]
fn a_request_sent_again_gets_the_response_that_was_kept_xep_0124_14_3() {
    let mut session = Session::open();
    session.says(1, "");
    session.say(HELLO);
    let [(1, first)] = &session.responses()[..] else { panic!("no response") };
    session.send_as(9, 1, "", "");
    assert_eq!(session.responses(), [(9, first.clone())]);
    session.listen();
    assert!(session.elements().is_empty(), "it is not heard again");
}

#[test]
fn as_many_responses_are_kept_as_requests_may_be_made_xep_0124_14_3() {
    let mut session = Session::open();
    for nth in 1..=4 {
        session.says(nth, &message("x"));
        session.say(HELLO);
    }
    session.responses();
    session.send_as(9, 4, "", "");
    session.send_as(9, 3, "", "");
    assert_eq!(session.responses().len(), 2);
    session.send_as(9, 2, "", "");
    assert_eq!(session.responses(), [(9, terminal("item-not-found"))]);
}

#[test]
fn a_request_sent_again_while_it_waits_takes_the_place_of_the_first_xep_0124_14_3() {
    let mut session = Session::open();
    session.says(1, &message("a"));
    session.send_as(9, 1, "", &message("a"));
    let error = "<body xmlns='http://jabber.org/protocol/httpbind' type='error'/>";
    assert_eq!(session.responses(), [(1, error.to_owned())]);
    session.listen();
    assert_eq!(session.elements(), [message("a")]);
    session.say(HELLO);
    assert_eq!(session.responses(), [(9, with_payload(HELLO))]);
}

#[test]
fn who_sends_the_same_again_and_again_is_refused_at_54() {
    let mut session = Session::open();
    session.says(1, "");
    for _ in 0..REPEATS_MAX {
        session.send_as(9, 1, "", "");
    }
    assert!(session.responses().iter().all(|(_, text)| text.contains("type='error'")));
    session.send_as(10, 1, "", "");
    assert_eq!(
        session.responses(),
        [(9, terminal("other-request")), (10, terminal("policy-violation"))]
    );
}

#[test]
fn payloads_wait_for_somebody_to_take_them() {
    let mut session = Session::open();
    session.says(1, "");
    session.lose(1);
    session.say(HELLO);
    assert_eq!(session.responses(), []);
    session.send_as(9, 1, "", "");
    assert_eq!(session.responses(), [(9, with_payload(HELLO))]);
}

#[test]
fn who_lost_a_request_and_goes_on_gets_payloads_with_the_next_one() {
    let mut session = Session::open();
    session.says(1, "");
    session.lose(1);
    session.say(HELLO);
    session.pass(10_000);
    session.says(2, "");
    assert_eq!(session.responses(), [(2, with_payload(HELLO))]);
    session.send_as(9, 1, "", "");
    let [(9, missed)] = &session.responses()[..] else { panic!("no response") };
    assert!(missed.contains("ack=") && !missed.contains("<message"), "{missed}");
}

#[test]
fn a_gap_that_is_never_filled_ends_with_the_patience_at_54() {
    let mut session = Session::open();
    session.says(2, &message("2"));
    session.pass(59_999);
    assert_eq!(session.responses(), []);
    session.pass(1);
    assert_eq!(session.responses(), [(2, terminal("item-not-found"))]);
    assert!(session.bosh.is_over() && session.bosh.wake().is_none());
    session.listen();
    assert!(session.elements().is_empty());
}

#[test]
fn acknowledgements_tell_of_later_requests_xep_0124_9_1() {
    let mut session = Session::open();
    session.says(1, "");
    session.says(2, &message("2"));
    let [(1, text)] = &session.responses()[..] else { panic!("no response") };
    assert!(text.contains(&format!("ack='{}'", RID + 2)), "{text}");
    session.say(HELLO);
    assert_eq!(session.responses(), [(2, with_payload(HELLO))], "its own is not said");
}

#[test]
fn a_client_is_told_of_a_response_that_it_lacks_xep_0124_9_2() {
    let mut session = Session::open_with("ack='1' ver='1.6'");
    session.says(1, "");
    session.say(HELLO);
    session.responses();
    session.pass(852 + REPORT_MS);
    session.send(2, &format!("ack='{RID}'"), &message("2"));
    session.listen();
    let [(2, text)] = &session.responses()[..] else { panic!("no response") };
    assert!(text.contains(&format!("report='{}' time='1852'", RID + 1)), "{text}");
    session.send(3, "", &message("3"));
    session.listen();
    assert_eq!(session.responses(), []);
    assert_eq!(session.bosh.kept.len(), 0, "it has them all");
}

#[test]
fn keys_must_follow_each_other_xep_0124_15() {
    let newkey = "newkey='ca393b51b682f61f98e7877d61146407f3d0a770' ver='1.6'";
    let mut session = Session::open_with(newkey);
    session.send(1, "key='BFB06a6f113cd6fd3838ab9d300fdb4fe3da2f7d'", "");
    assert_eq!(session.responses(), []);
    for wrong in ["", "key='x'", "key='bfb06a6f113cd6fd3838ab9d300fdb4fe3da2f7d'"] {
        let mut session = Session::open_with(newkey);
        session.send(1, "key='bfb06a6f113cd6fd3838ab9d300fdb4fe3da2f7d'", "");
        session.send(2, wrong, &message("2"));
        session.listen();
        let responses = session.responses();
        assert!(responses.contains(&(2, terminal("item-not-found"))), "{wrong}: {responses:?}");
        assert!(session.elements().is_empty(), "{wrong}: what is not proven is not heard");
    }
    let mut session = Session::open_with(newkey);
    session.send(1, "key='bfb06a6f113cd6fd3838ab9d300fdb4fe3da2f7d'", "");
    session.send_as(9, 1, "", "");
    let responses = session.responses();
    assert!(
        responses.contains(&(9, terminal("item-not-found"))),
        "sent again without: {responses:?}"
    );
}
