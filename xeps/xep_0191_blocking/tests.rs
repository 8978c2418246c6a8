use super::*;
use crate::stage::{self, JULIET, ROMEO, Stage};
use engine::port::Fault;
use std::collections::BTreeMap;

const ORCHARD: &str = "romeo@wax.example/orchard";

fn iq(kind: &str, payload: &str) -> String {
    format!("<iq type='{kind}' id='1'>{payload}</iq>")
}

fn list_of(stage: &mut Stage) -> String {
    let heard = stage.says(&iq("get", "<blocklist xmlns='urn:xmpp:blocking'/>"));
    heard[0].children().next().unwrap().as_str().to_owned()
}

fn told_to(verb: &str, jids: &[&str]) -> String {
    let items: String = jids.iter().map(|jid| format!("<item jid='{jid}'/>")).collect();
    iq("set", &format!("<{verb} xmlns='urn:xmpp:blocking'>{items}</{verb}>"))
}

fn blocked_by_juliet(jids: &[&str]) -> Stage {
    let mut juliet = Stage::of(JULIET);
    let heard = juliet.says(&told_to("block", jids));
    assert_eq!(heard.last().unwrap().head.type_str(), "result", "{heard:?}");
    juliet
}

fn texts(stanzas: &[Stanza]) -> Vec<String> {
    stanzas.iter().map(|stanza| stanza.to_text().to_string()).collect()
}

fn condition(heard: &[Stanza]) -> Option<&'static str> {
    let text = texts(heard).concat();
    let known = ["not-acceptable", "service-unavailable", "forbidden", "bad-request"];
    let more = ["jid-malformed", "resource-constraint", "internal-server-error"];
    known.into_iter().chain(more).find(|condition| text.contains(&format!("<{condition} ")))
}

/// What becomes of a stanza between the user and whom he has blocked.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Passes,
    Silence,
    Answer(&'static str),
}

/// By kind and type: sent by the user, received at the account's address, at a resource's.
const FATES: &[(&str, &str, Fate, Fate, Fate)] = {
    use Fate::{Answer, Silence};
    const OUT: Fate = Answer("not-acceptable");
    const IN: Fate = Answer("service-unavailable");
    &[
        ("message", "", OUT, IN, IN),
        ("message", "normal", OUT, IN, IN),
        ("message", "chat", OUT, IN, IN),
        ("message", "groupchat", OUT, IN, IN),
        ("message", "headline", OUT, Silence, IN),
        ("message", "error", Silence, Silence, Silence),
        ("presence", "", OUT, Silence, Silence),
        ("presence", "unavailable", OUT, Silence, Silence),
        ("presence", "subscribe", OUT, Silence, Silence),
        ("presence", "subscribed", OUT, Silence, Silence),
        ("presence", "unsubscribe", OUT, Silence, Silence),
        ("presence", "unsubscribed", OUT, Silence, Silence),
        ("presence", "probe", OUT, Silence, Silence),
        ("presence", "error", Silence, Silence, Silence),
        ("iq", "get", OUT, IN, IN),
        ("iq", "set", OUT, IN, IN),
        ("iq", "result", Silence, Silence, Silence),
        ("iq", "error", Silence, Silence, Silence),
    ]
};

fn stanza(kind: &str, of_type: &str, from: &str, to: &str) -> String {
    let of_type = match of_type {
        "" => String::new(),
        some => format!("type='{some}' "),
    };
    format!("<{kind} {of_type}id='7' from='{from}' to='{to}'><q xmlns='q'/></{kind}>")
}

/// Whom an item matches, of these (section 6).
const OTHERS: [&str; 6] = [
    "tybalt@y.example/street",
    "tybalt@y.example/tomb",
    "tybalt@y.example",
    "y.example/street",
    "y.example",
    "nurse@y.example/street",
];
const ITEMS: &[(&str, [bool; 6])] = &[
    ("tybalt@y.example/street", [true, false, false, false, false, false]),
    ("tybalt@y.example", [true, true, true, false, false, false]),
    ("y.example/street", [false, false, false, true, false, false]),
    ("y.example", [true, true, true, true, true, true]),
    ("example", [false; 6]),
    ("ybalt@y.example", [false; 6]),
    ("tybalt@y.example/stree", [false; 6]),
];

/// The place of the same without resource; the nurse's has none, and she is matched alike.
const BARE: [usize; 6] = [2, 2, 2, 4, 4, 5];

/// What became of it: an unblocked one goes on, whatever the engine does with it then.
fn fate(heard: &[Stanza], unblocked: &[Stanza], same: bool) -> Fate {
    match condition(heard) {
        _ if same && texts(heard) == texts(unblocked) => Fate::Passes,
        Some(condition) => Fate::Answer(condition),
        None if heard.is_empty() => Fate::Silence,
        None => panic!("{heard:?}"),
    }
}

#[test]
fn every_stanza_to_and_from_whom_is_blocked_meets_its_fate_section_3_3() {
    let balcony = format!("{JULIET}/balcony");
    for (item, matched) in ITEMS {
        for (place, other) in OTHERS.into_iter().enumerate() {
            for &(kind, of_type, sent, at_account, at_resource) in FATES {
                let out = stanza(kind, of_type, &balcony, other);
                let back = [JULIET, &balcony].map(|to| stanza(kind, of_type, other, to));
                let check = |xml: &str, hears: fn(&mut Stage, &str) -> Vec<Stanza>, should| {
                    let heard = hears(&mut blocked_by_juliet(&[item]), xml);
                    let unblocked = hears(&mut Stage::of(JULIET), xml);
                    let is = fate(&heard, &unblocked, should == Fate::Passes);
                    assert_eq!(is, should, "{item} blocked: {xml}: {heard:?}");
                };
                let if_blocked = |place: usize, fate| match matched[place] {
                    true => fate,
                    false => Fate::Passes,
                };
                // A subscription is asked of an account (RFC 6121 §3.1.2).
                let subscribes = of_type.contains("subscribe");
                let reached = if subscribes { BARE[place] } else { place };
                check(&out, Stage::says, if_blocked(reached, sent));
                check(&back[0], Stage::hears, if_blocked(place, at_account));
                check(&back[1], Stage::hears, if_blocked(place, at_resource));
            }
        }
    }
}

/// To an error the room answers by putting out whoever sends it (XEP-0045 §18.1.2).
#[test]
fn to_a_room_that_she_is_in_no_error_says_that_an_occupant_is_blocked() {
    let mut juliet = Stage::of(JULIET);
    let balcony = format!("{JULIET}/balcony");
    juliet.says("<presence to='garden@y.example/juliet'/>");
    juliet.says(&told_to("block", &["garden@y.example/tybalt", "hall@y.example"]));
    let message = |of_type: &str, from: &str| stanza("message", of_type, from, &balcony);
    for (of_type, from, answer) in [
        ("groupchat", "garden@y.example/tybalt", None),
        ("chat", "garden@y.example/tybalt", None),
        ("", "garden@y.example/tybalt", None),
        ("groupchat", "hall@y.example/tybalt", Some("service-unavailable")),
    ] {
        let heard = juliet.hears(&message(of_type, from));
        assert_eq!(condition(&heard), answer, "{of_type} {from}: {heard:?}");
        assert_eq!(juliet.written_to("balcony").iter().filter(|one| is_message(one)).count(), 0);
    }
    juliet.hears(&message("groupchat", "garden@y.example/nurse"));
    assert_eq!(juliet.written_to("balcony").len(), 1, "others she hears");
    let asks = stanza("iq", "get", "garden@y.example/tybalt", &balcony);
    assert_eq!(condition(&juliet.hears(&asks)), Some("service-unavailable"), "a request");
}

fn is_message(stanza: &Stanza) -> bool {
    stanza.kind() == Kind::Message
}

#[test]
fn a_roster_request_by_whom_is_blocked_is_refused_as_by_nobody() {
    let mut juliet = blocked_by_juliet(&[ROMEO]);
    let query = "<query xmlns='jabber:iq:roster'/>";
    let iq = format!("<iq type='get' id='1' from='{ORCHARD}' to='{JULIET}'>{query}</iq>");
    assert_eq!(condition(&juliet.hears(&iq)), Some("forbidden"));
}

#[test]
fn the_error_outbound_is_that_of_the_document_section_3_3() {
    let mut juliet = blocked_by_juliet(&[ROMEO]);
    let heard = juliet.says(&format!("<message to='{ORCHARD}' id='m'><body>hark</body></message>"));
    let xml = texts(&heard).concat();
    let error = "<error type='cancel'>\
        <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
        <blocked xmlns='urn:xmpp:blocking:errors'/></error>";
    let head = format!("id='m' type='error' from='{ORCHARD}' to='{JULIET}/balcony'");
    assert_eq!(xml, format!("<message {head}>{error}</message>"));
}

#[test]
fn the_list_is_empty_then_has_what_was_blocked_then_not_any_more() {
    let mut juliet = Stage::of(JULIET);
    assert_eq!(list_of(&mut juliet), "<blocklist xmlns='urn:xmpp:blocking'/>");
    let long = format!("{}@y.example/{}", "a".repeat(1023), "c".repeat(1023));
    let all = ["Romeo@Wax.example", "y.example", "y.example/r", "a@y.example/r", &long];
    juliet.says(&told_to("block", &all));
    let list = list_of(&mut juliet);
    for jid in ["romeo@wax.example", "y.example", "y.example/r", "a@y.example/r", &long] {
        assert_eq!(list.matches(&format!("<item jid='{jid}'/>")).count(), 1, "{list}");
    }
    let hark = format!("<message id='1' from='{long}' to='{JULIET}'><body>hark</body></message>");
    assert_eq!(condition(&juliet.hears(&hark)), Some("service-unavailable"));
    juliet.says(&told_to("unblock", &[&long, "y.example", "never@y.example"]));
    let list = list_of(&mut juliet);
    assert_eq!(list.matches("<item ").count(), 3, "{list}");
    assert!(!list.contains(&long) && !list.contains("'y.example'"), "{list}");
    juliet.says(&told_to("unblock", &[]));
    assert_eq!(list_of(&mut juliet), "<blocklist xmlns='urn:xmpp:blocking'/>");
}

#[test]
fn pushes_go_to_those_who_have_asked_and_tell_only_what_changed_section_3_3() {
    let mut juliet = Stage::of(JULIET);
    juliet.joins("garden");
    juliet.joins("deaf");
    for resource in ["balcony", "garden"] {
        juliet.says_at(resource, &iq("get", "<blocklist xmlns='urn:xmpp:blocking'/>"));
    }
    let pushed = |heard: &[Stanza]| {
        let (last, pushes) = heard.split_last().unwrap();
        assert_eq!((last.head.type_str(), last.child_count()), ("result", 0));
        let pushes = pushes.iter().map(|push| {
            assert_eq!(push.head.from, Some(Bare::parse(JULIET).unwrap().into()));
            assert_eq!((push.kind(), push.head.type_str()), (Kind::Iq, "set"));
            let to = push.head.to.as_ref().unwrap().resource().unwrap().to_owned();
            (to, push.children().next().unwrap().as_str().to_owned())
        });
        pushes.collect::<Vec<_>>()
    };
    let both = |payload: &str| ["balcony", "garden"].map(|to| (to.to_owned(), payload.to_owned()));
    let heard = juliet.says_at("deaf", &told_to("block", &[ROMEO]));
    let romeo = format!("<block xmlns='urn:xmpp:blocking'><item jid='{ROMEO}'/></block>");
    assert_eq!(pushed(&heard), both(&romeo));
    let heard = juliet.says(&told_to("block", &[ROMEO, "y.example"]));
    let more = "<block xmlns='urn:xmpp:blocking'><item jid='y.example'/></block>";
    assert_eq!(pushed(&heard), both(more));
    assert_eq!(pushed(&juliet.says(&told_to("block", &[ROMEO]))), []);
    let heard = juliet.says(&told_to("unblock", &[ROMEO, "z.example"]));
    assert_eq!(
        pushed(&heard),
        both(&romeo.replace("block xmlns", "unblock xmlns").replace("/block", "/unblock"))
    );
    let heard = juliet.says(&told_to("unblock", &[]));
    assert_eq!(pushed(&heard), both("<unblock xmlns='urn:xmpp:blocking'/>"));
    assert_eq!(pushed(&juliet.says(&told_to("unblock", &[]))), []);
}

#[test]
fn at_43_wrong_commands_are_refused_and_change_nothing() {
    let ns = "xmlns='urn:xmpp:blocking'";
    let good = format!("<item jid='{ROMEO}'/>");
    let wrong = [
        (format!("<block {ns}/>"), "bad-request"),
        (format!("<block {ns}>{ROMEO}</block>"), "bad-request"),
        (format!("<block {ns}><item/></block>"), "bad-request"),
        (format!("<block {ns}>{good}<item/></block>"), "bad-request"),
        (format!("<block {ns}><item xmlns='q' jid='{ROMEO}'/></block>"), "bad-request"),
        (format!("<block {ns}><jid>{ROMEO}</jid></block>"), "bad-request"),
        (format!("<block {ns}><item jid=''/></block>"), "jid-malformed"),
        (format!("<block {ns}>{good}<item jid='a@b@c'/></block>"), "jid-malformed"),
        (format!("<block {ns}><item jid='@y.example'/></block>"), "jid-malformed"),
        (format!("<block {ns}><item jid='y.example/'/></block>"), "jid-malformed"),
        (format!("<unblock {ns}><item/></unblock>"), "bad-request"),
        (format!("<unblock {ns}>{good}<item jid='a@b@c'/></unblock>"), "jid-malformed"),
        (format!("<unblock {ns}><jid/></unblock>"), "bad-request"),
        (format!("<blocklist {ns}/>"), "service-unavailable"),
        (format!("<item {ns} jid='{ROMEO}'/>"), "service-unavailable"),
        (format!("<block {ns}>{good}</block><block {ns}>{good}</block>"), "bad-request"),
    ];
    let mut juliet = blocked_by_juliet(&["y.example"]);
    for (payload, should) in wrong {
        let heard = juliet.says(&iq("set", &payload));
        assert_eq!((heard.len(), condition(&heard)), (1, Some(should)), "{payload}: {heard:?}");
        assert!(list_of(&mut juliet).ends_with("<item jid='y.example'/></blocklist>"), "{payload}");
    }
    for verb in ["block", "unblock"] {
        let heard = juliet.says(&iq("get", &format!("<{verb} {ns}>{good}</{verb}>")));
        assert_eq!(condition(&heard), Some("service-unavailable"));
    }
}

#[test]
fn a_reason_beside_the_address_is_passed_over_xep_0377() {
    let mut juliet = Stage::of(JULIET);
    let report = "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'/>";
    let item = format!("<item jid='{ROMEO}'>{report}</item>");
    list_of(&mut juliet);
    let heard =
        juliet.says(&iq("set", &format!("<block xmlns='urn:xmpp:blocking'>{item}</block>")));
    let pushed = heard[0].children().next().unwrap().as_str().to_owned();
    assert_eq!(pushed, format!("<block xmlns='urn:xmpp:blocking'><item jid='{ROMEO}'/></block>"));
}

#[test]
fn at_61_a_list_is_bounded_in_items_and_bytes_and_a_request_is_done_whole_or_not() {
    let mut juliet = Stage::of(JULIET);
    let many: Vec<_> = (0..BLOCKED_ITEMS_MAX).map(|n| format!("{n}@y.example")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    juliet.says(&told_to("block", &many[1..]));
    let heard = juliet.says(&told_to("block", &["a@z.example", "b@z.example"]));
    assert_eq!(condition(&heard), Some("resource-constraint"));
    assert!(!list_of(&mut juliet).contains("z.example"), "none of both");
    assert_eq!(condition(&juliet.says(&told_to("block", &[many[0]]))), None);
    assert_eq!(condition(&juliet.says(&told_to("block", &many))), None, "they are there already");
    assert_eq!(list_of(&mut juliet).matches("<item ").count(), BLOCKED_ITEMS_MAX);
    let mut juliet = Stage::of(JULIET);
    let long = |n| format!("{n}@y.example/{}", "r".repeat(1000));
    let refused = (0..BLOCKED_ITEMS_MAX).find(|&n| {
        condition(&juliet.says(&told_to("block", &[&long(n)]))) == Some("resource-constraint")
    });
    assert_eq!(refused, Some(BLOCKED_BYTES_MAX / 1015));
}

#[test]
fn strangers_are_told_what_nobody_would_tell_them() {
    for (kind, query) in [("get", "blocklist"), ("set", "block"), ("set", "unblock")] {
        let query = format!("<{query} xmlns='urn:xmpp:blocking'/>");
        let error = stage::asked(Of::Account, kind, &query).unwrap_err();
        assert_eq!(error.condition, StanzaCondition::ServiceUnavailable);
    }
}

#[test]
fn ones_own_resources_and_server_are_never_blocked_but_other_users_of_the_domain_are() {
    let balcony = format!("{JULIET}/balcony");
    let mut juliet = blocked_by_juliet(&[JULIET, &balcony, "wax.example"]);
    let chat = |from: &str| {
        format!("<message id='1' type='chat' from='{from}' to='{balcony}'><q xmlns='q'/></message>")
    };
    for from in [balcony.as_str(), &format!("{JULIET}/garden"), "wax.example", "wax.example/news"] {
        assert_eq!(texts(&juliet.hears(&chat(from))), [chat(from)], "{from}");
        let to = from;
        let heard = juliet.says(&format!("<iq type='get' id='1' to='{to}'><q xmlns='q'/></iq>"));
        assert_ne!(condition(&heard), Some("not-acceptable"), "{to}");
    }
    assert_eq!(condition(&juliet.hears(&chat(ORCHARD))), Some("service-unavailable"));
    assert_eq!(
        condition(&juliet.says(&chat(ORCHARD).replace(&balcony, ROMEO))),
        Some("not-acceptable")
    );
}

/// Romeo, Tybalt and the nurse see Juliet, and she sees them.
fn befriended() -> Stage {
    let mut juliet = Stage::of(JULIET);
    juliet.says("<presence/>");
    for friend in [ROMEO, "tybalt@wax.example", "nurse@wax.example"] {
        juliet.hears(&format!("<presence type='subscribe' from='{friend}' to='{JULIET}'/>"));
        juliet.says(&format!("<presence type='subscribed' to='{friend}'/>"));
        juliet.says(&format!("<presence type='subscribe' to='{friend}'/>"));
        juliet.hears(&format!("<presence type='subscribed' from='{friend}' to='{JULIET}'/>"));
    }
    juliet
}

/// Type, resource of the sender, recipient.
fn presences(stanzas: &[Stanza]) -> Vec<(String, String, String)> {
    let presences = stanzas.iter().filter(|stanza| stanza.kind() == Kind::Presence);
    let presences = presences.map(|Stanza { head, .. }| {
        let from = head.from.as_ref().and_then(|from| from.resource()).unwrap_or_default();
        let to = head.to.as_ref().map(ToString::to_string).unwrap_or_default();
        (head.type_str().to_owned(), from.to_owned(), to)
    });
    presences.collect()
}

fn told(of_type: &str, from: &str, to: &str) -> (String, String, String) {
    (of_type.to_owned(), from.to_owned(), to.to_owned())
}

#[test]
fn a_block_makes_every_resource_unavailable_to_who_saw_it_section_3_3() {
    let mut juliet = befriended();
    juliet.joins("garden");
    juliet.says_at("garden", "<presence/>");
    juliet.joins("cellar");
    let heard = juliet.says(&told_to("block", &[ROMEO]));
    let gone = |to| ["balcony", "garden"].map(|from| told("unavailable", from, to));
    assert_eq!(presences(&heard), gone(ROMEO));
    let heard = juliet.says(&told_to("block", &[ORCHARD, ROMEO]));
    assert_eq!(presences(&heard), [], "he had been blocked before");
    let heard = juliet.says(&told_to("block", &["wax.example"]));
    let mut should: Vec<_> = gone("nurse@wax.example").into();
    should.extend(gone("tybalt@wax.example"));
    should.sort_by(|a, b| (&a.1, &a.2).cmp(&(&b.1, &b.2)));
    assert_eq!(presences(&heard), should, "Romeo hears nothing new");
}

#[test]
fn at_47_nothing_of_the_users_presence_reaches_whom_is_blocked() {
    let mut juliet = befriended();
    juliet.says(&told_to("block", &[ROMEO]));
    juliet.joins("garden");
    let mut left = juliet.says_at("garden", "<presence/>");
    left.extend(juliet.says("<presence><show>away</show></presence>"));
    left.extend(juliet.hears(&format!("<presence type='probe' from='{ORCHARD}' to='{JULIET}'/>")));
    left.extend(juliet.says("<presence type='unavailable'/>"));
    left.extend(juliet.vanishes("garden"));
    let to = |name: &str| presences(&left).iter().filter(|(.., to)| to.starts_with(name)).count();
    assert_eq!(to("romeo"), 0, "{left:?}");
    assert_eq!(to("nurse"), 5, "garden comes and asks, away, two go: {left:?}");
}

#[test]
fn a_blocked_contact_that_is_removed_hears_that_the_subscriptions_end_rfc6121_2_5_2() {
    let mut juliet = befriended();
    juliet.says(&told_to("block", &[ROMEO]));
    let item = format!("<item jid='{ROMEO}' subscription='remove'/>");
    let heard = juliet.says(&iq("set", &format!("<query xmlns='jabber:iq:roster'>{item}</query>")));
    let ends = ["unsubscribe", "unsubscribed"].map(|of_type| told(of_type, "", ROMEO));
    assert_eq!(presences(&heard), ends, "and nothing of her resources");
}

#[test]
fn directed_presence_ends_by_a_block_section_3_3() {
    let mut juliet = Stage::of(JULIET);
    for to in [ORCHARD, "room@y.example/nick", "wax.example"] {
        juliet.says(&format!("<presence to='{to}'/>"));
    }
    let heard = juliet.says(&told_to("block", &[ROMEO, "wax.example"]));
    assert_eq!(presences(&heard), [told("unavailable", "balcony", ORCHARD)]);
    juliet.says(&told_to("unblock", &[]));
    let heard = juliet.says(&told_to("block", &[ROMEO]));
    assert_eq!(presences(&heard), [], "nothing is left to end");
    assert_eq!(juliet.vanishes("balcony").len(), 2, "the room and the host hear of the end");
}

#[test]
fn an_unblock_shows_the_user_again_and_asks_for_the_contact_section_3_4() {
    let mut juliet = befriended();
    juliet.says(&told_to("block", &[ROMEO, "wax.example", ORCHARD]));
    let heard = juliet.says(&told_to("unblock", &[ROMEO]));
    assert_eq!(presences(&heard), [], "the domain is blocked");
    juliet.says(&told_to("unblock", &["wax.example"]));
    juliet.says(&told_to("block", &[ROMEO]));
    let heard = juliet.says(&told_to("unblock", &[ROMEO]));
    assert_eq!(presences(&heard), [told("", "balcony", ROMEO), told("probe", "", ROMEO)]);
    let heard = juliet.says(&told_to("unblock", &[]));
    assert_eq!(presences(&heard), [told("", "balcony", ORCHARD), told("probe", "", ORCHARD)]);
    juliet.says(&told_to("block", &["y.example", ROMEO]));
    juliet.says("<presence type='unavailable'/>");
    let heard = juliet.says(&told_to("unblock", &[]));
    assert_eq!(presences(&heard), [], "she is not available");
}

#[test]
fn who_asks_to_see_the_user_is_not_heard_while_blocked_and_a_request_of_before_waits() {
    let mut juliet = Stage::of(JULIET);
    juliet.says("<presence/>");
    let ask = |from: &str| format!("<presence type='subscribe' from='{from}' to='{JULIET}'/>");
    juliet.hears(&ask(ROMEO));
    juliet.says(&told_to("block", &["wax.example"]));
    assert_eq!(juliet.hears(&ask("tybalt@wax.example")).len(), 0);
    let comes = |juliet: &mut Stage| {
        juliet.says("<presence type='unavailable'/>");
        let heard = presences(&juliet.says("<presence/>"));
        heard.into_iter().filter(|(of_type, ..)| of_type == "subscribe").count()
    };
    assert_eq!(comes(&mut juliet), 0);
    juliet.says(&told_to("unblock", &[]));
    assert_eq!(comes(&mut juliet), 1, "Romeo's of before; Tybalt's was not kept");
}

#[test]
fn presence_follows_the_list_however_late_it_is_committed() {
    let mut juliet = befriended();
    juliet.joins("garden");
    juliet.late = true;
    juliet.says(&told_to("block", &[ROMEO]));
    juliet.says_at("garden", "<presence/>");
    let heard = presences(&juliet.commit(Ok(())));
    assert!(heard.contains(&told("unavailable", "garden", ROMEO)), "{heard:?}");
    juliet.says(&told_to("unblock", &[ROMEO]));
    juliet.vanishes("garden");
    juliet.says("<presence><show>away</show></presence>");
    let heard = juliet.commit(Ok(()));
    let shown = heard.iter().filter(|stanza| stanza.head.to == Some(Jid::parse(ROMEO).unwrap()));
    let shown = texts(&shown.cloned().collect::<Vec<_>>());
    assert_eq!(shown.len(), 2, "the resource that is left, and a probe: {shown:?}");
    assert!(shown[0].contains("away"), "{shown:?}");
}

const SEATS: [&str; 3] = ["balcony", "garden", "cellar"];

/// What Romeo, who is subscribed, sees of Juliet, whatever she does and however late or never it is
/// committed.
struct Watched {
    juliet: Stage,
    dice: u32,
    /// Her resources: bound or not, and what they show.
    there: [Option<Option<String>>; 3],
    seen: BTreeMap<String, String>,
}

impl Watched {
    fn roll(&mut self, sides: usize) -> usize {
        self.dice = self.dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.dice >> 8) as usize % sides
    }

    fn sees(&mut self, left: &[Stanza]) {
        for Stanza { head, .. } in left {
            let to_romeo = head.to.as_ref().is_some_and(|to| to.bare().as_str() == ROMEO);
            let from = head.from.as_ref().and_then(|from| from.resource());
            if let (Kind::Presence, true, Some(from)) = (head.kind, to_romeo, from) {
                match (head.type_str(), &head.id) {
                    ("unavailable", _) => self.seen.remove(from).map_or((), drop),
                    ("", Some(id)) => drop(self.seen.insert(from.into(), id.to_string())),
                    _ => {}
                }
            }
        }
    }

    fn step(&mut self, round: usize) {
        // Oftener nobody is shown (RFC 6120 §13.12).
        self.juliet.pass(500);
        let seat = self.roll(3);
        let resource = SEATS[seat];
        let list = ["romeo@wax.example", "wax.example", "nurse@wax.example"];
        let some = &list[self.roll(3)..][..1];
        let left = match (self.roll(12), &self.there[seat]) {
            (0..3, Some(_)) => {
                self.there[seat] = Some(Some(round.to_string()));
                self.juliet.says_at(resource, &format!("<presence id='{round}'/>"))
            }
            (3, Some(Some(_))) => {
                self.there[seat] = Some(None);
                self.juliet.says_at(resource, "<presence type='unavailable'/>")
            }
            (4, Some(_)) => {
                self.there[seat] = None;
                self.juliet.vanishes(resource)
            }
            (_, None) => {
                self.juliet.joins(resource);
                self.there[seat] = Some(None);
                Vec::new()
            }
            (5 | 6, _) => self.juliet.says_at(resource, &told_to("block", some)),
            (7, _) => self.juliet.says_at(resource, &told_to("unblock", some)),
            (8, _) => self.juliet.says_at(resource, &told_to("unblock", &[])),
            (9, _) if self.juliet.waits() => {
                self.juliet.commit(Err(Fault::Refused("disk full".into())))
            }
            (10.., _) if self.juliet.waits() => self.juliet.commit(Ok(())),
            _ => Vec::new(),
        };
        self.sees(&left);
    }

    fn settle(&mut self) {
        while self.juliet.waits() {
            let left = self.juliet.commit(Ok(()));
            self.sees(&left);
        }
    }
}

#[test]
fn who_is_subscribed_sees_what_there_is_or_nothing_whatever_crosses() {
    let mut juliet = befriended();
    juliet.vanishes("balcony");
    juliet.late = true;
    let (there, seen) = Default::default();
    let mut watched = Watched { juliet, dice: 191, there, seen };
    let mut outcomes = [0; 2];
    for round in 0..30_000 {
        watched.step(round);
        if watched.roll(50) > 0 {
            continue;
        }
        watched.settle();
        let mut there = watched.there.iter().enumerate();
        let Some((seat, _)) = there.find(|(_, there)| there.is_some()) else { continue };
        let blocklist = iq("get", "<blocklist xmlns='urn:xmpp:blocking'/>");
        let list = texts(&watched.juliet.says_at(SEATS[seat], &blocklist)).concat();
        let hidden = list.contains("'romeo@") || list.contains("'wax.example'");
        let all = watched.there.iter().enumerate();
        let shown = all.filter_map(|(seat, there)| Some((SEATS[seat].to_owned(), there.clone()??)));
        let should = if hidden { BTreeMap::new() } else { shown.collect() };
        assert_eq!(watched.seen, should, "round {round}, {list}");
        outcomes[usize::from(hidden)] += usize::from(!should.is_empty() || hidden);
    }
    assert!(outcomes.into_iter().all(|times| times > 50), "{outcomes:?}");
}

#[test]
fn commands_that_follow_each_other_at_once_act_in_their_order_and_keep_the_limits() {
    let mut juliet = Stage::of(JULIET);
    juliet.joins("garden");
    juliet.late = true;
    juliet.says(&told_to("block", &[ROMEO]));
    let out = juliet.says(&format!("<message to='{ROMEO}' id='2'><body>hark</body></message>"));
    assert_eq!(texts(&out).len(), 1, "sent before anybody was told of the block");
    assert!(out[0].head.type_str().is_empty());
    juliet.says_at("garden", &told_to("unblock", &[]));
    juliet.says(&iq("get", "<blocklist xmlns='urn:xmpp:blocking'/>"));
    let many: Vec<_> = (0..700).map(|n| format!("{n}@y.example")).collect();
    let halves = [0, 1].map(|half| {
        let some = many.iter().map(|jid| format!("{half}{jid}"));
        some.collect::<Vec<_>>()
    });
    for half in &halves {
        let half: Vec<_> = half.iter().map(String::as_str).collect();
        assert_eq!(juliet.says(&told_to("block", &half)).len(), 0);
    }
    juliet.says(&told_to("unblock", &[]));
    let mut heard: Vec<_> = Vec::new();
    for _ in 0..5 {
        heard.extend(juliet.commit(Ok(())));
    }
    let short = |stanza: &Stanza| match condition(std::slice::from_ref(stanza)) {
        Some(condition) => condition.to_owned(),
        None => {
            let payload = stanza.children().next();
            let name = payload.map_or("", |payload| payload.local());
            let items = payload.map_or(0, |payload| payload.children().count());
            format!("{} {name} {items}", stanza.head.type_str())
        }
    };
    let heard: Vec<_> = heard.iter().map(short).collect();
    assert_eq!(
        heard,
        [
            "result  0",
            "result  0",
            "result blocklist 0",
            "set block 700",
            "result  0",
            "resource-constraint",
            "set unblock 0",
            "result  0",
        ]
    );
}

#[test]
fn a_block_that_could_not_be_committed_is_none() {
    let mut juliet = befriended();
    juliet.late = true;
    juliet.says(&told_to("block", &[ROMEO]));
    juliet.says(&iq("get", "<blocklist xmlns='urn:xmpp:blocking'/>"));
    let heard = juliet.commit(Err(Fault::Refused("disk full".into())));
    assert_eq!((heard.len(), condition(&heard)), (2, Some("internal-server-error")));
    assert!(heard[1].to_text().contains("<blocklist xmlns='urn:xmpp:blocking'/>"));
    let out = juliet.says(&format!("<message to='{ROMEO}' id='2'><body>hark</body></message>"));
    assert_eq!(condition(&out), None);
}

#[test]
fn a_resource_hears_of_changes_also_after_a_restart() {
    for listens in [true, false] {
        let bytes = Listening(listens).save().unwrap();
        assert_eq!(Listening::load(&bytes).unwrap().0, listens);
    }
}
