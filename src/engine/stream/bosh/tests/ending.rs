use super::*;

const CLOSE: &str = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
const ERROR: &str = "<stream:error xmlns:stream='http://etherx.jabber.org/streams'>\
    <conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";

#[test]
fn who_leaves_is_heard_to_the_last_word_and_told_so_xep_0124_13() {
    let mut session = Session::open();
    session.says(1, "");
    let goodbye = "<presence xmlns='jabber:client' type='unavailable'/>";
    session.send(2, "type='terminate'", goodbye);
    session.listen();
    assert_eq!(session.elements(), [goodbye, CLOSE]);
    session.responses();
    session.say(CLOSE);
    session.end();
    let last = "<body xmlns='http://jabber.org/protocol/httpbind' type='terminate'/>";
    assert_eq!(session.responses(), [(2, last.to_owned())]);
    assert!(session.bosh.is_over());
}

#[test]
fn the_end_is_told_on_the_oldest_request_xep_0124_13() {
    let mut session = Session::open_with("hold='2' ver='1.6'");
    session.says(1, "");
    session.says(2, HELLO);
    session.end();
    let last = "<body xmlns='http://jabber.org/protocol/httpbind' type='terminate'/>";
    assert_eq!(session.responses(), [(1, last.to_owned()), (2, EMPTY.to_owned())]);
}

#[test]
fn after_its_last_word_a_client_says_no_more() {
    let mut session = Session::open();
    session.send(1, "type='terminate'", "");
    session.send(2, "", HELLO);
    assert_eq!(
        session.responses(),
        [(1, terminal("other-request")), (2, terminal("item-not-found"))]
    );
}

#[test]
fn a_stream_error_comes_behind_what_was_said_before_it_xep_0206_6() {
    let mut session = Session::open();
    session.say(HELLO);
    session.say(ERROR);
    session.say(CLOSE);
    session.end();
    assert_eq!(session.responses(), [], "it waits for a request");
    session.says(1, "");
    assert_eq!(
        session.responses(),
        [(
            1,
            format!(
                "<body xmlns='http://jabber.org/protocol/httpbind' \
                 xmlns:stream='http://etherx.jabber.org/streams' type='terminate' \
                 condition='remote-stream-error'>{HELLO}{ERROR}</body>"
            )
        )]
    );
    assert!(session.bosh.is_over());
}

#[test]
fn an_error_and_the_end_are_one_response_xep_0206_6() {
    let mut session = Session::open();
    session.says(1, "");
    session.say(ERROR);
    session.end();
    let [(1, text)] = &session.responses()[..] else { panic!("no response") };
    assert!(text.contains("type='terminate' condition='remote-stream-error'"), "{text}");
}

#[test]
fn an_error_before_the_first_response_is_that_response() {
    let mut session = Session::begin(START);
    session.with(|bosh, ctx, out| bosh.take(ctx, out));
    session.say(ERROR);
    session.end();
    let [(0, text)] = &session.responses()[..] else { panic!("no response") };
    assert!(text.contains("condition='remote-stream-error'"), "{text}");
}

#[test]
fn what_cannot_be_read_ends_the_session_at_02() {
    let mut session = Session::open();
    session.says(1, "");
    session.with(|bosh, _, out| bosh.broken(Condition::BadRequest, 2, out));
    assert_eq!(session.responses(), [(1, terminal("other-request")), (2, terminal("bad-request"))]);
}

#[test]
fn a_client_without_version_knows_errors_of_http_only_xep_0124_17_1() {
    for (nth, attributes, status) in [(1, "pause='x'", 400), (1, "pause='999'", 403), (9, "", 404)]
    {
        let mut session = Session::open_with("to='capulet.lit'");
        session.send(nth, attributes, "");
        assert_eq!(session.answers[0].reply.status, status);
    }
}

#[test]
fn a_restart_is_a_new_header_and_payloads_beside_it_are_ignored_xep_0206_5() {
    let mut session = Session::open();
    let restart = "xmlns:x='urn:xmpp:xbosh' x:restart='true' to='capulet.lit' xml:lang='de'";
    session.send(1, restart, HELLO);
    session.listen();
    let header = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' \
        to='capulet.lit' xml:lang='de'/>";
    assert_eq!(session.elements(), [header]);
    session.say(FEATURES);
    let [(1, text)] = &session.responses()[..] else { panic!("no response") };
    assert_eq!(
        *text,
        format!(
            "<body xmlns='http://jabber.org/protocol/httpbind' \
             xmlns:stream='http://etherx.jabber.org/streams'>{FEATURES}</body>"
        )
    );
    session.send(2, "xmlns:x='urn:xmpp:xbosh' x:restart='1'", "");
    session.listen();
    assert_eq!(session.elements(), [header.replace("'de'", "'en'")], "what it said first holds");
}

#[test]
fn more_streams_are_not_offered_so_their_attributes_are_ignored_xep_0124_16_3() {
    let mut session = Session::open();
    session.send(1, "to='montague.lit' stream='second'", "");
    session.listen();
    assert_eq!(session.heard, [Heard::Alive]);
    assert!(!session.bosh.is_over());
}
