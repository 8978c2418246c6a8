use super::{registration::OPTIONS_BYTES_MAX, *};
use crate::stage::{self, JULIET, ROMEO, Stage};
use engine::{parcel::Order, port::Fault, setting::Value};

const SERVICE: &str = "app@y.example/push";
const NODE: &str = "yxs32uqsflafdk3iuqo";
const OPTIONS: &str = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>\
    http://jabber.org/protocol/pubsub#publish-options</value></field><field var='secret'>\
    <value>eruio234vzxc2kla-91</value></field></x>";
const SLEEP: &str = "<inactive xmlns='urn:xmpp:csi:0'/>";
const WAKE: &str = "<active xmlns='urn:xmpp:csi:0'/>";
const BODY: &str = "<body>Wherefore art thou?</body>";

/// Juliet, whose phone has registered and is gone.
fn away() -> Stage {
    let mut juliet = registered();
    juliet.vanishes("phone");
    juliet
}

/// Juliet, whose phone has registered.
fn registered() -> Stage {
    let mut juliet = Stage::empty(JULIET);
    juliet.joins("phone");
    assert_eq!(set(&mut juliet, &enabling(NODE, OPTIONS)), "result");
    juliet
}

fn enabling(node: &str, options: &str) -> String {
    format!("<enable xmlns='urn:xmpp:push:0' jid='{SERVICE}' node='{node}'>{options}</enable>")
}

/// The type of the answer, or the error's condition.
fn set(juliet: &mut Stage, payload: &str) -> String {
    let answers = juliet.says(&format!("<iq type='set' id='s'>{payload}</iq>"));
    let [answer] = &answers[..] else { panic!("{answers:?}") };
    match answer.child(Name::new(ns::CLIENT, "error")) {
        Some(error) => error.children().next().unwrap().local().to_owned(),
        None => answer.head.type_str().to_owned(),
    }
}

fn says(content: &str) -> String {
    format!("<message from='{ROMEO}/garden' to='{JULIET}' type='chat' id='m'>{content}</message>")
}

/// What push services are told because of this.
fn pushed(juliet: &mut Stage, xml: &str) -> Vec<Stanza> {
    let mut left = juliet.hears(xml);
    left.retain(|stanza| stanza.kind() == Kind::Iq && stanza.head.to != Some(juliet_phone()));
    left
}

fn juliet_phone() -> Jid {
    Jid::parse(&format!("{JULIET}/phone")).unwrap()
}

/// How many push services are told because of this.
fn count(juliet: &mut Stage, content: &str) -> usize {
    pushed(juliet, &says(content)).len()
}

fn answers(juliet: &mut Stage, request: &Stanza, condition: Option<&str>) {
    answers_from(juliet, SERVICE, request, condition);
}

fn answers_from(juliet: &mut Stage, from: &str, request: &Stanza, condition: Option<&str>) {
    let id = request.head.id.as_deref().unwrap();
    let answer = match condition {
        None => format!("<iq type='result' from='{from}' to='{JULIET}' id='{id}'/>"),
        Some(condition) => format!(
            "<iq type='error' from='{from}' to='{JULIET}' id='{id}'><error type='cancel'>\
             <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        ),
    };
    assert!(juliet.hears(&answer).is_empty(), "an answer is not answered");
}

#[test]
fn who_is_away_is_notified_in_the_form_of_the_document() {
    let mut juliet = away();
    let told = pushed(&mut juliet, &says(BODY));
    let [told] = &told[..] else { panic!("{told:?}") };
    let id = told.head.id.as_deref().unwrap();
    let wanted = format!(
        "<iq type='set' id='{id}' from='{JULIET}' to='{SERVICE}'>\
         <pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='{NODE}'><item>\
         <notification xmlns='urn:xmpp:push:0'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>urn:xmpp:push:summary</value></field>\
         <field var='message-count'><value>1</value></field>\
         <field var='last-message-body'><value>New message</value></field>\
         </x></notification></item></publish>\
         <publish-options>{OPTIONS}</publish-options></pubsub></iq>"
    );
    assert_eq!(*told, Stanza::parse_one(&wanted).unwrap());
}

#[test]
fn what_services_are_told_is_the_operators_choice() {
    for (choice, sender, body) in [
        ("notice", false, Some("New message")),
        ("count", false, None),
        ("sender", true, Some("New message")),
        ("body", true, Some("Wherefore art thou?")),
    ] {
        let mut juliet = away();
        juliet.settings.choose(&SUMMARY, Value::Choice(choice.into()));
        let told = pushed(&mut juliet, &says(BODY))[0].to_text();
        assert_eq!(told.contains(&format!("<value>{ROMEO}/garden</value>")), sender, "{choice}");
        assert_eq!(told.contains("Wherefore"), body == Some("Wherefore art thou?"), "{choice}");
        assert_eq!(told.contains("last-message-body"), body.is_some(), "{choice}");
        body.into_iter().for_each(|body| assert!(told.contains(body), "{choice}: {told}"));
    }
}

#[test]
fn only_what_can_be_read_and_calls_are_told() {
    let encrypted = "<encrypted xmlns='eu.siacs.conversations.axolotl'/>";
    let invitation = "<x xmlns='jabber:x:conference' jid='room@y.example'/>";
    for (content, told) in [
        (BODY, 1),
        (encrypted, 1),
        (invitation, 1),
        ("<composing xmlns='http://jabber.org/protocol/chatstates'/>", 0),
        ("<received xmlns='urn:xmpp:receipts' id='1'/>", 0),
        ("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", 0),
        ("<subject>Night</subject>", 0),
    ] {
        assert_eq!(count(&mut away(), content), told, "{content}");
    }
    let mine = format!("<message from='{JULIET}/other' to='{JULIET}' type='chat'>{BODY}</message>");
    assert!(pushed(&mut away(), &mine).is_empty(), "her own words");
    let unkept = "<no-store xmlns='urn:xmpp:hints'/>";
    assert_eq!(count(&mut away(), &format!("{BODY}{unkept}")), 0, "she would not find it");
}

#[test]
fn calls_are_told_each_time_and_urgently() {
    let mut juliet = away();
    for content in ["propose", "retract"] {
        let call = format!("<{content} xmlns='urn:xmpp:jingle-message:0' id='1'/>");
        let told = pushed(&mut juliet, &says(&call));
        let urgent = "<priority xmlns='tigase:push:priority:0'>high</priority>";
        assert!(told[0].to_text().contains(urgent), "{told:?}");
    }
    let accept = "<accept xmlns='urn:xmpp:jingle-message:0' id='1'/>";
    assert_eq!(count(&mut juliet, accept), 0);
}

#[test]
fn who_looks_is_not_notified_and_who_sleeps_is() {
    let mut juliet = registered();
    juliet.says("<presence/>");
    assert_eq!(count(&mut juliet, BODY), 0);
    juliet.signals_at("phone", SLEEP);
    assert_eq!(count(&mut juliet, BODY), 1);
    juliet.signals_at("phone", WAKE);
    assert_eq!(count(&mut juliet, BODY), 0);
}

/// A phone that is gone without a word takes messages until that is noticed.
#[test]
fn who_may_not_have_got_the_last_words_before_the_stream_broke_is_notified_of_them() {
    let mut juliet = registered();
    juliet.says("<presence/>");
    juliet.joins("desktop");
    juliet.says_at("desktop", "<presence/>");
    juliet.signals_at("phone", "<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    for (content, told) in [(BODY, 0), ("<subject>Night</subject>", 0), (BODY, 0)] {
        assert_eq!(count(&mut juliet, content), told);
    }
    let left = juliet.vanishes("phone");
    let told: Vec<_> = left.iter().filter(|one| one.kind() == Kind::Iq).collect();
    let [told] = told[..] else { panic!("{left:?}") };
    assert_eq!(told.head.to.as_ref().map(Jid::as_str), Some(SERVICE));
    assert!(juliet.traced()[0].contains("looks, pushed to"), "{:?}", juliet.traced());
    assert!(juliet.vanishes("phone").iter().all(|one| one.kind() != Kind::Iq), "once");
}

#[test]
fn who_has_said_that_it_has_all_is_notified_of_nothing_when_the_stream_breaks() {
    let mut juliet = registered();
    juliet.says("<presence/>");
    juliet.signals_at("phone", "<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    assert_eq!(count(&mut juliet, BODY), 0);
    juliet.signals_at("phone", "<a xmlns='urn:xmpp:sm:3' h='1'/>");
    assert!(juliet.vanishes("phone").iter().all(|one| one.kind() != Kind::Iq));
}

#[test]
fn each_device_is_notified_whatever_the_others_have() {
    let mut juliet = registered();
    juliet.joins("desktop");
    juliet.says_at("desktop", "<presence/>");
    juliet.says_at("phone", "<presence/>");
    juliet.signals_at("phone", SLEEP);
    assert_eq!(count(&mut juliet, BODY), 1, "the desktop is awake, the phone is not");
}

#[test]
fn one_notification_is_enough_for_a_burst_until_the_device_comes_back() {
    let mut juliet = away();
    assert_eq!(count(&mut juliet, BODY), 1);
    juliet.pass(1_000);
    assert_eq!(count(&mut juliet, BODY), 0);
    juliet.pass(14_000);
    let told = pushed(&mut juliet, &says(BODY));
    assert!(told[0].to_text().contains("<field var='message-count'><value>3</value></field>"));
    juliet.pass(1_000);
    juliet.joins("phone");
    juliet.says_at("phone", "<presence/>");
    juliet.vanishes("phone");
    let told = pushed(&mut juliet, &says(BODY));
    assert!(told[0].to_text().contains("<field var='message-count'><value>1</value></field>"));
    juliet.joins("phone");
    juliet.pass(1_000);
    juliet.says_at("phone", "<presence/>");
    juliet.signals_at("phone", SLEEP);
    assert_eq!(count(&mut juliet, BODY), 1, "it came, and sleeps again");
    juliet.pass(1_000);
    juliet.signals_at("phone", WAKE);
    juliet.signals_at("phone", SLEEP);
    assert_eq!(count(&mut juliet, BODY), 1, "it woke, and sleeps again");
    assert_eq!(count(&mut juliet, BODY), 0);
}

#[test]
fn a_device_that_has_lost_its_access_is_notified_no_more_and_the_others_are() {
    let mut juliet = Stage::empty(JULIET);
    for (resource, device, node) in [("phone", "p", "a"), ("tablet", "t", "b")] {
        juliet.joins_on(resource, device);
        let enable = format!("<iq type='set' id='s'>{}</iq>", enabling(node, ""));
        assert_eq!(juliet.says_at(resource, &enable)[0].head.type_str(), "result");
        juliet.vanishes(resource);
    }
    assert_eq!(count(&mut juliet, BODY), 2);
    juliet.pass(60_000);
    juliet.ordered(Order::Revoked { device: "p".into(), unix_ms: 1 });
    let told = pushed(&mut juliet, &says(BODY));
    let [told] = &told[..] else { panic!("{told:?}") };
    assert!(told.to_text().contains("node='b'"), "{told:?}");
}

#[test]
fn what_a_device_registers_while_its_access_is_taken_is_no_registration() {
    let mut juliet = Stage::empty(JULIET);
    juliet.joins_on("phone", "p");
    juliet.late = true;
    let enable = format!("<iq type='set' id='s'>{}</iq>", enabling(NODE, ""));
    assert!(juliet.says(&enable).is_empty(), "it is not in the store");
    juliet.ordered(Order::Revoked { device: "p".into(), unix_ms: 1 });
    while juliet.waits() {
        juliet.commit(Ok(()));
    }
    juliet.late = false;
    assert_eq!(count(&mut juliet, BODY), 0);
}

#[test]
fn what_will_not_pass_ends_a_registration_at_once() {
    for condition in ["item-not-found", "forbidden", "not-authorized", "gone", "bad-request"] {
        let mut juliet = away();
        let told = pushed(&mut juliet, &says(BODY));
        answers(&mut juliet, &told[0], Some(condition));
        juliet.pass(60_000);
        assert_eq!(count(&mut juliet, BODY), 0, "{condition}");
    }
}

#[test]
fn what_may_pass_ends_it_when_it_has_come_often_in_a_row() {
    let mut juliet = away();
    juliet.settings.choose(&FAILURES_MAX, Value::Number(3));
    for condition in [
        Some("remote-server-not-found"),
        Some("service-unavailable"),
        None,
        Some("remote-server-timeout"),
        Some("resource-constraint"),
        Some("remote-server-not-found"),
    ] {
        juliet.pass(60_000);
        let told = pushed(&mut juliet, &says(BODY));
        answers(&mut juliet, &told[0], condition);
    }
    juliet.pass(60_000);
    assert_eq!(count(&mut juliet, BODY), 0);
}

#[test]
fn silence_is_a_failure() {
    let mut juliet = away();
    juliet.settings.choose(&FAILURES_MAX, Value::Number(2));
    assert_eq!(count(&mut juliet, BODY), 1);
    juliet.pass(60_000);
    assert_eq!(count(&mut juliet, BODY), 1, "the first was not answered");
    juliet.pass(60_000);
    assert_eq!(count(&mut juliet, BODY), 0, "nor was the second");
}

#[test]
fn only_the_service_is_believed_and_each_answer_once() {
    let mut juliet = away();
    let told = pushed(&mut juliet, &says(BODY));
    answers_from(&mut juliet, "nurse@wax.example/x", &told[0], Some("gone"));
    answers(&mut juliet, &told[0], None);
    answers(&mut juliet, &told[0], Some("gone"));
    juliet.pass(60_000);
    assert_eq!(count(&mut juliet, BODY), 1);
}

#[test]
fn a_registration_is_of_a_service_and_a_node_and_the_last_word_counts() {
    let mut juliet = registered();
    assert_eq!(set(&mut juliet, &enabling(NODE, "")), "result");
    assert_eq!(set(&mut juliet, &enabling("other", OPTIONS)), "result");
    juliet.signals_at("phone", SLEEP);
    juliet.says("<presence/>");
    let told = pushed(&mut juliet, &says(BODY));
    let with_options = |node: &str| {
        let one = told.iter().find(|one| one.to_text().contains(&format!("node='{node}'")));
        one.unwrap().to_text().contains("<publish-options>")
    };
    assert_eq!((told.len(), with_options(NODE), with_options("other")), (2, false, true));
    juliet.pass(60_000);
    let disable = |node: &str| format!("<disable xmlns='urn:xmpp:push:0' jid='{SERVICE}'{node}/>");
    assert_eq!(set(&mut juliet, &disable(" node='other'")), "result");
    assert_eq!(count(&mut juliet, BODY), 1);
    juliet.pass(60_000);
    assert_eq!(set(&mut juliet, &disable("")), "result");
    assert_eq!(count(&mut juliet, BODY), 0);
    assert_eq!(set(&mut juliet, &disable("")), "result", "it is so already");
}

#[test]
fn what_is_wrong_with_a_registration_is_told() {
    let mut juliet = registered();
    juliet.settings.choose(&REGISTRATIONS_MAX, Value::Number(1));
    let other = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
                 <value>urn:x</value></field></x>";
    let long = OPTIONS.replace("eruio", &"e".repeat(OPTIONS_BYTES_MAX));
    for (payload, condition) in [
        ("<enable xmlns='urn:xmpp:push:0' node='n'/>".to_owned(), "bad-request"),
        ("<enable xmlns='urn:xmpp:push:0' jid='@'/>".to_owned(), "jid-malformed"),
        ("<disable xmlns='urn:xmpp:push:0'/>".to_owned(), "bad-request"),
        (enabling(NODE, other), "bad-request"),
        (enabling(NODE, &long), "not-acceptable"),
        (enabling("another", OPTIONS), "resource-constraint"),
        (enabling(NODE, OPTIONS), "result"),
    ] {
        assert_eq!(set(&mut juliet, &payload), condition, "{payload}");
    }
    juliet.settings.choose(&REGISTRATIONS_MAX, Value::Number(9));
    assert_eq!(set(&mut juliet, &enabling(&"n".repeat(2000), "")), "not-acceptable");
}

#[test]
fn a_stranger_registers_nothing_and_learns_nothing() {
    for payload in [enabling(NODE, ""), format!("<disable xmlns='{NS}' jid='{SERVICE}'/>")] {
        let error = stage::asked(Of::Account, "set", &payload).unwrap_err();
        assert_eq!(error.condition, StanzaCondition::ServiceUnavailable);
    }
}

#[test]
fn an_end_that_is_not_committed_is_none() {
    let mut juliet = away();
    let told = pushed(&mut juliet, &says(BODY));
    juliet.late = true;
    answers(&mut juliet, &told[0], Some("gone"));
    juliet.commit(Err(Fault::Refused("full".into())));
    juliet.late = false;
    juliet.pass(60_000);
    assert_eq!(count(&mut juliet, BODY), 1);
}

#[test]
fn the_operator_sees_who_was_told_of_what_and_what_came_of_it() {
    let mut juliet = away();
    let told = pushed(&mut juliet, &says(BODY));
    pushed(&mut juliet, &says(BODY));
    answers(&mut juliet, &told[0], Some("item-not-found"));
    let mut silent = registered();
    silent.says("<presence/>");
    pushed(&mut silent, &says(BODY));
    silent.vanishes("phone");
    pushed(&mut silent, &says(BODY));
    silent.pass(60_000);
    pushed(&mut silent, &says(BODY));
    let lines = |of: &Stage| -> Vec<String> {
        let lines = of.traced().into_iter();
        let fates = lines.map(|line| line.split_once("/garden: stored at ").unwrap().1.to_owned());
        fates.map(|fate| fate.split_once(", ").unwrap().1.to_owned()).collect()
    };
    let service = format!("{SERVICE} for phone");
    let pushed = format!("waits for who comes, pushed to {service}");
    assert_eq!(
        lines(&juliet),
        [
            format!("{pushed}, {service} answered item-not-found"),
            format!("waits for who comes, not pushed to {service}: it was told a moment ago"),
        ]
    );
    assert_eq!(
        lines(&silent),
        [
            format!("delivered to phone, not pushed to {service}: its user looks"),
            format!("{pushed}, {service} answered nothing after 60 s"),
            pushed,
        ]
    );
}
