use super::{weight::Weight, *};
use crate::stage::{self, JULIET, ROMEO, Stage};
use engine::{hook, setting::Value, stream::machine::Tls};
use proptest::prelude::*;

const SLEEP: &str = "<inactive xmlns='urn:xmpp:csi:0'/>";
const WAKE: &str = "<active xmlns='urn:xmpp:csi:0'/>";
const COMPOSING: &str = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
const PAUSED: &str = "<paused xmlns='http://jabber.org/protocol/chatstates'/>";
const BODY: &str = "<body>1</body>";
const RECEIPT: &str = "<received xmlns='urn:xmpp:receipts' id='1'/>";
const DISPLAYED: &str = "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>";
const EVENT: &str = "<event xmlns='http://jabber.org/protocol/pubsub#event'/>";

/// Juliet's client is here, and sleeps.
fn asleep() -> Stage {
    let mut juliet = Stage::of(JULIET);
    juliet.says("<presence/>");
    juliet.says(&roster_item("romeo"));
    juliet.written_to("balcony");
    juliet.signals_at("balcony", SLEEP);
    juliet
}

fn roster_item(contact: &str) -> String {
    format!(
        "<iq type='set' id='r'><query xmlns='jabber:iq:roster'>\
         <item jid='{contact}@wax.example'/></query></iq>"
    )
}

/// With an id, by which it is known again.
fn message(id: &str, from: &str, content: &str) -> String {
    format!(
        "<message from='{from}' to='{JULIET}/balcony' type='chat' id='{id}'>{content}</message>"
    )
}

fn presence(id: &str, from: &str, kind: &str) -> String {
    let kind = if kind.is_empty() { String::new() } else { format!(" type='{kind}'") };
    format!("<presence from='{from}' to='{JULIET}/balcony'{kind} id='{id}'/>")
}

/// The ids of what the client was written since the last time.
fn ids(juliet: &mut Stage) -> Vec<String> {
    let written = juliet.written_to("balcony");
    written.iter().map(|stanza| stanza.head.id.as_deref().unwrap_or("-").to_owned()).collect()
}

/// Whether a sleeping client gets this at once.
fn wakes(stanza: &str) -> bool {
    let stanza = Stanza::parse_one(stanza).unwrap();
    !weigh(&stanza, &Bare::parse(JULIET).unwrap()).waits
}

#[test]
fn what_people_say_comes_at_once_and_what_can_wait_waits() {
    let romeo = format!("{ROMEO}/garden");
    let encrypted = "<encrypted xmlns='eu.siacs.conversations.axolotl'/>";
    let call = "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>";
    let hint = "<no-store xmlns='urn:xmpp:hints'/>";
    let thread = "<thread>1</thread>";
    let request = "<request xmlns='urn:xmpp:receipts'/>";
    let markable = "<markable xmlns='urn:xmpp:chat-markers:0'/>";
    for content in [BODY, encrypted, call, request, markable, "<a xmlns='urn:x'/>", ""] {
        assert!(wakes(&message("1", &romeo, content)), "{content}");
        assert!(wakes(&message("1", &romeo, &format!("{content}{BODY}{COMPOSING}"))));
    }
    for content in [COMPOSING, RECEIPT, DISPLAYED, EVENT] {
        assert!(!wakes(&message("1", &romeo, content)), "{content}");
        assert!(!wakes(&message("1", &romeo, &format!("{thread}{content}{hint}"))), "{content}");
        assert!(wakes(&message("1", &romeo, &format!("{content}{BODY}"))), "{content}");
    }
    assert!(wakes(&format!("<message from='{romeo}' type='error'>{COMPOSING}</message>")));
    assert!(wakes(&format!("<message from='x@y.example/z' type='groupchat'>{BODY}</message>")));
    assert!(wakes(&format!("<message from='{JULIET}' type='headline'>{EVENT}</message>")));
    assert!(!wakes(&format!("<message from='{ROMEO}' type='headline'>{EVENT}</message>")));
}

#[test]
fn presence_waits_and_requests_of_people_do_not() {
    let room = |content: &str| {
        let x = "<x xmlns='http://jabber.org/protocol/muc#user'>";
        format!("<presence from='room@y.example/x'>{x}{content}</x></presence>")
    };
    for kind in ["", "unavailable"] {
        assert!(!wakes(&presence("1", ROMEO, kind)), "{kind}");
    }
    for kind in ["subscribe", "subscribed", "unsubscribe", "unsubscribed", "error"] {
        assert!(wakes(&presence("1", ROMEO, kind)), "{kind}");
    }
    assert!(!wakes(&room("<status code='100'/>")));
    assert!(wakes(&room("<status code='100'/><status code='110'/>")));
    assert!(wakes(&room("<destroy/>")));
    assert!(wakes(&format!("<iq type='get' id='1' from='{ROMEO}'><a xmlns='urn:x'/></iq>")));
}

#[test]
fn a_copy_weighs_what_it_contains_if_the_account_has_made_it() {
    let copy = |from: &str, how: &str, content: &str| {
        format!(
            "<message from='{from}'><{how} xmlns='urn:xmpp:carbons:2'><forwarded \
             xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='{ROMEO}/garden' \
             to='{JULIET}/phone'>{content}</message></forwarded></{how}></message>"
        )
    };
    for (how, content, awake) in [
        ("received", BODY, true),
        ("sent", BODY, true),
        ("received", COMPOSING, false),
        ("sent", COMPOSING, false),
        ("received", DISPLAYED, false),
        ("sent", DISPLAYED, true),
        ("sent", RECEIPT, false),
    ] {
        assert_eq!(wakes(&copy(JULIET, how, content)), awake, "{how} {content}");
        assert!(wakes(&copy(ROMEO, how, content)), "what others claim is no copy");
    }
}

#[test]
fn what_is_held_comes_in_order_before_what_cannot_wait_or_when_the_client_wakes() {
    let mut juliet = asleep();
    for stanza in [
        presence("1", "romeo@wax.example/a", ""),
        message("2", "nurse@wax.example/b", RECEIPT),
        presence("3", "room@y.example/c", ""),
    ] {
        juliet.hears(&stanza);
    }
    assert!(ids(&mut juliet).is_empty());
    juliet.hears(&message("4", "nurse@wax.example/b", BODY));
    assert_eq!(ids(&mut juliet), ["1", "2", "3", "4"]);
    juliet.hears(&presence("5", "romeo@wax.example/a", "unavailable"));
    assert!(ids(&mut juliet).is_empty(), "it sleeps on");
    juliet.signals_at("balcony", WAKE);
    assert_eq!(ids(&mut juliet), ["5"]);
    juliet.hears(&presence("6", "romeo@wax.example/a", ""));
    assert_eq!(ids(&mut juliet), ["6"], "it is awake");
}

#[test]
fn section_5_1_what_was_held_comes_before_the_answer_to_what_is_asked_next() {
    let mut juliet = asleep();
    juliet.hears(&presence("1", "romeo@wax.example/a", ""));
    juliet.signals_at("balcony", WAKE);
    juliet.says("<iq type='get' id='ping'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert_eq!(ids(&mut juliet), ["1", "ping"]);
}

#[test]
fn the_newest_presence_of_each_resource_and_the_newest_chat_state_are_enough() {
    let mut juliet = asleep();
    for stanza in [
        presence("1", "romeo@wax.example/a", ""),
        presence("2", "romeo@wax.example/b", ""),
        message("3", "nurse@wax.example/c", COMPOSING),
        message("4", "romeo@wax.example/a", COMPOSING),
        presence("5", "romeo@wax.example/a", "unavailable"),
        message("6", "nurse@wax.example/c", PAUSED),
    ] {
        juliet.hears(&stanza);
    }
    juliet.signals_at("balcony", WAKE);
    assert_eq!(ids(&mut juliet), ["2", "4", "5", "6"]);
    juliet.signals_at("balcony", SLEEP);
    juliet.hears(&message("7", "nurse@wax.example/c", COMPOSING));
    juliet.hears(&message("8", "nurse@wax.example/c", &format!("{BODY}{PAUSED}")));
    assert_eq!(ids(&mut juliet), ["8"], "what is said tells that it is typed no more");
}

#[test]
fn all_that_is_held_goes_when_it_is_too_much() {
    let one =
        |number: u8| presence(&number.to_string(), &format!("romeo@wax.example/{number}"), "");
    let bytes = Stanza::parse_one(&one(0)).unwrap().wire_len() as u64;
    for (setting, max) in [(&STANZAS_MAX, 3), (&BYTES_MAX, 3 * bytes)] {
        let mut juliet = asleep();
        juliet.settings.choose(setting, Value::Number(max));
        juliet.hears(&one(0));
        (0..9).for_each(|number| drop(juliet.hears(&one(number))));
        assert_eq!(ids(&mut juliet), ["0", "1", "2", "3", "4", "5", "6", "7"]);
        juliet.signals_at("balcony", WAKE);
        assert_eq!(ids(&mut juliet), ["8"]);
    }
    let mut juliet = asleep();
    juliet.settings.choose(&STANZAS_MAX, Value::Number(0));
    juliet.hears(&presence("1", ROMEO, ""));
    assert_eq!(ids(&mut juliet), ["1"]);
}

#[test]
fn a_client_can_begin_asleep() {
    let mut juliet = Stage::empty(JULIET);
    juliet.joins_with("balcony", SLEEP);
    juliet.hears(&presence("1", "romeo@wax.example/a", ""));
    assert!(ids(&mut juliet).is_empty());
    juliet.signals_at("balcony", WAKE);
    assert_eq!(ids(&mut juliet), ["1"]);
}

#[test]
fn section_5_2_a_session_that_is_resumed_is_awake_and_has_what_was_held() {
    stage::at(0, |ctx| {
        let jid = Jid::parse("juliet@wax.example/balcony").unwrap();
        let link = engine::parcel::Link { node: engine::port::Node(1), number: 1 };
        let mut session = Session::bound(link, jid, 1, ctx.hooks.plans());
        session.inactive = true;
        let one = Stanza::parse_one(&presence("1", ROMEO, "")).unwrap();
        assert!(hold(one.clone().into(), &mut session, ctx).is_empty());
        let said: Vec<_> =
            ctx.hooks.resumed().iter().flat_map(|feel| feel(&mut session, ctx)).collect();
        assert!(matches!(&said[..], [Output::Stanza(leaving)] if leaving.stanza == one));
        assert_eq!(hold(one.into(), &mut session, ctx).len(), 1);
    });
}

#[test]
fn it_is_offered_to_who_has_logged_in() {
    let offers = |at| stage::offered(at, &Tls::UNKNOWN);
    let csi = |offers: Vec<Payload>| offers.iter().any(|offer| offer.element().is(CSI));
    assert!(csi(offers(hook::Stage::Bind)));
    assert!(!csi(offers(hook::Stage::Authenticate)));
}

/// What may happen to a client.
#[derive(Clone, Debug)]
enum Event {
    Hears(String),
    Sleeps,
    Wakes,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let who =
        prop::sample::select(vec!["romeo@wax.example/a", "romeo@wax.example/b", "x@y.example/c"]);
    let contents = vec![COMPOSING, PAUSED, RECEIPT, DISPLAYED, EVENT, BODY, "<a xmlns='urn:x'/>"];
    let content = prop::collection::vec(prop::sample::select(contents), 0..3);
    let says =
        (who.clone(), content).prop_map(|(from, content)| message("ID", from, &content.concat()));
    let kinds = prop::sample::select(vec!["", "unavailable", "error"]);
    let shows = (who, kinds).prop_map(|(from, kind)| presence("ID", from, kind));
    let event = prop_oneof![
        4 => says.prop_map(Event::Hears),
        6 => shows.prop_map(Event::Hears),
        1 => Just(Event::Sleeps),
        1 => Just(Event::Wakes),
    ];
    prop::collection::vec(event, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn in_the_end_a_client_has_all_but_what_newer_presence_and_chat_states_took_the_place_of(
        events in events(),
    ) {
        let (mut quiet, mut loud) = (asleep(), Stage::of(JULIET));
        quiet.settings.choose(&STANZAS_MAX, Value::Number(8));
        loud.says("<presence/>");
        loud.written_to("balcony");
        for (number, event) in events.iter().enumerate() {
            match event {
                Event::Hears(xml) => {
                    let xml = xml.replace("ID", &number.to_string());
                    quiet.hears(&xml);
                    loud.hears(&xml);
                }
                Event::Sleeps => drop(quiet.signals_at("balcony", SLEEP)),
                Event::Wakes => drop(quiet.signals_at("balcony", WAKE)),
            }
        }
        quiet.signals_at("balcony", WAKE);
        let (has, all) = (quiet.written_to("balcony"), loud.written_to("balcony"));
        let account = Bare::parse(JULIET).unwrap();
        let mut has = has.iter().peekable();
        for (place, stanza) in all.iter().enumerate() {
            if has.next_if(|next| *next == stanza).is_some() {
                continue;
            }
            let Weight { waits, topic } = weigh(stanza, &account);
            prop_assert!(waits && topic.is_some(), "lost, or out of order: {stanza:?}");
            let newer = all[place + 1..].iter().any(|later| weigh(later, &account).topic == topic);
            prop_assert!(newer, "nothing took the place of {stanza:?}");
        }
        prop_assert!(has.next().is_none(), "twice: {has:?}");
    }
}
