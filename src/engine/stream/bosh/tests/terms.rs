use super::*;

fn first_response(attributes: &str) -> String {
    let mut session = Session::begin(attributes);
    session.listen();
    session.say(FEATURES);
    session.listen();
    session.responses().remove(0).1
}

fn refused(attributes: &str, domains: &[&str]) -> Reply {
    match Session::try_begin(attributes, settings(domains)) {
        Ok(session) => panic!("{:?}", session.bosh),
        Err(reply) => reply,
    }
}

#[test]
fn the_first_response_has_the_terms_and_the_features_xep_0206_4() {
    let mut session = Session::begin(START);
    session.listen();
    assert_eq!(session.responses(), [], "the features are worth waiting for");
    session.say("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' id='i' from='capulet.lit'/>");
    session.say(FEATURES);
    let sid = session.bosh.sid().to_owned();
    session.listen();
    assert_eq!(
        session.responses(),
        [(
            0,
            format!(
                "<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' \
                 xmlns:stream='http://etherx.jabber.org/streams' sid='{sid}' wait='60' \
                 requests='2' hold='1' inactivity='60' polling='5' maxpause='120' ver='1.6' \
                 from='capulet.lit' xmpp:version='1.0' xmpp:restartlogic='true' ack='{RID}'>\
                 {FEATURES}</body>"
            )
        )]
    );
    assert_eq!(
        session.elements(),
        ["<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' to='capulet.lit' \
          xml:lang='en'/>"]
    );
}

#[test]
fn a_sid_has_128_bits_and_more_at_20() {
    let sid = Session::open().bosh.sid().to_owned();
    assert!(sid.len() == 40 && sid.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

#[test]
fn what_a_client_wants_is_granted_up_to_the_limits_at_54() {
    for (wants, gets) in [
        ("wait='30' hold='1'", "wait='30' requests='2' hold='1'"),
        ("wait='3600' hold='1'", "wait='60' requests='2' hold='1'"),
        ("wait='60' hold='255'", "wait='60' requests='3' hold='2'"),
        (
            "wait='99999999999999999999999' hold='99999999999999999999999'",
            "wait='60' requests='3' hold='2'",
        ),
        ("requests='99'", "wait='60' requests='2' hold='1' inactivity='60'"),
        ("wait='60' hold='0'", "wait='60' requests='1' hold='0' inactivity='130'"),
        ("wait='0' hold='1'", "wait='0' requests='2' hold='1' inactivity='130'"),
    ] {
        let response = first_response(wants);
        assert!(response.contains(gets), "{wants}: {response}");
    }
}

#[test]
fn versions_are_numbers_xep_0124_7_1() {
    for (theirs, both) in [("1.6", "1.6"), ("1.11", "1.11"), ("1.12", "1.11"), ("2.0", "1.11")] {
        assert!(first_response(&format!("ver='{theirs}'")).contains(&format!("ver='{both}'")));
    }
    assert!(first_response("ver='x'").contains("ver='1.11'"));
    assert!(!first_response("").contains(" ver="));
}

#[test]
fn it_begins_for_a_domain_that_is_served_xep_0124_17_2() {
    let two = ["capulet.lit", "montague.lit"];
    for (attributes, domains, condition) in [
        ("ver='1.6' to='evil.lit'", &two[..], "host-unknown"),
        ("ver='1.6' to='juliet@capulet.lit'", &two, "host-unknown"),
        ("ver='1.6' to='@@'", &two, "host-unknown"),
        ("ver='1.6'", &two, "improper-addressing"),
        ("ver='1.6' to=''", &two, "improper-addressing"),
        ("to='evil.lit'", &two, "host-unknown"),
    ] {
        let reply = refused(attributes, domains);
        assert_eq!((reply.status, &*reply.body), (200, &*terminal(condition)), "{attributes}");
    }
    assert!(first_response("route='xmpp:evil.lit:9999'").contains("from='capulet.lit'"));
}

#[test]
fn what_is_no_number_is_a_bad_request() {
    for wrong in ["wait='-1'", "hold='x'", "wait=''", "hold='1.5'", "pause='+1'", "content='&#9;'"]
    {
        let reply = refused(&format!("ver='1.6' {wrong}"), &["capulet.lit"]);
        assert_eq!((reply.status, &*reply.body), (200, &*terminal("bad-request")), "{wrong}");
        assert_eq!(refused(wrong, &["capulet.lit"]).status, 400, "{wrong}");
    }
}

#[test]
fn a_rid_is_between_1_and_2_to_the_53_at_54() {
    let begin = |rid: &str| {
        let (hooks, random) = (Hooks::of(&[]), Counting(Cell::new(1)));
        let settings = settings(&["capulet.lit"]);
        let now = Moment(0);
        let ctx = Ctx { now, unix_ms: 0, random: &random, settings: &settings, hooks: &hooks };
        Bosh::begin(&ctx, body(rid, ""), 0).is_ok()
    };
    assert!(begin("rid='1'") && begin("rid='9007199254740991'"));
    for rid in ["", "rid='0'", "rid='9007199254740992'", "rid='99999999999999999999'"] {
        assert!(!begin(rid), "{rid}");
    }
}

#[test]
fn attributes_cannot_smuggle_elements_into_the_stream_at_07() {
    let mut session = Session::begin(
        "from='a&apos;/>&lt;auth/>' xml:lang='&lt;x>' xmlns:x='urn:xmpp:xbosh' \
         x:version='1.0&quot;&apos;'",
    );
    session.listen();
    let [header] = &session.elements()[..] else { panic!("more than a header") };
    assert_eq!(header.matches('<').count(), 1, "{header}");
    assert_eq!(header.matches('\'').count(), 10, "{header}");
}

#[test]
fn a_client_that_can_take_but_one_content_type_gets_it_xep_0124_7_1() {
    let content = |attributes| {
        let session = Session::open_with(attributes);
        session.bosh.content_type().map(str::to_owned)
    };
    assert_eq!(
        content("content='text/html; charset=utf-8'").as_deref(),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(content(""), None);
}
