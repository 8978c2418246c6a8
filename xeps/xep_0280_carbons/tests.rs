use super::*;
use crate::stage::{self, JULIET, ROMEO, Stage};

const ON: &str = "<iq type='set' id='on'><enable xmlns='urn:xmpp:carbons:2'/></iq>";
const OFF: &str = "<iq type='set' id='off'><disable xmlns='urn:xmpp:carbons:2'/></iq>";
const BALCONY: &str = "juliet@wax.example/balcony";

/// Juliet with balcony, phone, which take messages and want copies, and old, which wants none.
fn juliet() -> Stage {
    let mut juliet = Stage::of(JULIET);
    juliet.says(&format!("<iq type='set' id='a'>{}</iq>", "<enable xmlns='urn:xmpp:carbons:2'/>"));
    juliet.joins_with("phone", "<enable xmlns='urn:xmpp:carbons:2'/>");
    juliet.joins("old");
    for resource in ["balcony", "phone", "old"] {
        juliet.says_at(resource, "<presence/>");
    }
    forget(&mut juliet);
    juliet
}

fn forget(juliet: &mut Stage) {
    for resource in ["balcony", "phone", "old"] {
        juliet.written_to(resource);
    }
}

/// What a client has been written: `<` a copy of what was received, `>` of what was sent, `=` the
/// message itself, each with its id.
fn got(juliet: &mut Stage, resource: &str) -> Vec<String> {
    let written = juliet.written_to(resource);
    let messages = written.iter().filter(|stanza| stanza.kind() == Kind::Message);
    messages.map(|message| copied(message).unwrap_or_else(|| itself(message))).collect()
}

fn itself(message: &Stanza) -> String {
    format!("={}", message.head.id.as_deref().unwrap_or_default())
}

fn copied(message: &Stanza) -> Option<String> {
    let copy = message.children().find(|child| child.is(SENT) || child.is(RECEIVED))?;
    if message.head.from.as_ref()?.as_str() != JULIET {
        return None;
    }
    let inner = copy.child(FORWARDED)?.child(Name::new(ns::CLIENT, "message"))?;
    let id = inner.attribute("id").unwrap_or_default();
    Some(format!("{}{id}", if copy.is(SENT) { '>' } else { '<' }))
}

fn from_romeo(to: &str, kind: &str, content: &str) -> String {
    format!("<message from='{ROMEO}/garden' to='{to}' type='{kind}' id='m'>{content}</message>")
}

const FORWARDED: Name = Name::new("urn:xmpp:forward:0", "forwarded");

fn parsed(xml: &str) -> Stanza {
    Stanza::parse_one(xml).unwrap()
}

fn text(xml: &str) -> String {
    parsed(xml).to_text().to_string()
}

/// What was written to a client, without the ids of the archive.
fn said_to(juliet: &mut Stage, resource: &str) -> Vec<String> {
    let unnamed = |stanza: &Stanza| {
        let mut xml = stanza.to_text().to_string();
        while let Some(begin) = xml.find("<stanza-id ") {
            let end = begin + xml[begin..].find("/>").unwrap() + "/>".len();
            xml.replace_range(begin..end, "");
        }
        text(&xml)
    };
    juliet.written_to(resource).iter().map(unnamed).collect()
}

#[test]
fn what_one_client_gets_the_others_that_want_it_get_in_the_form_of_the_document() {
    let mut juliet = juliet();
    let inner = format!(
        "type='chat' from='{ROMEO}/garden' to='{BALCONY}'><body>What man art thou</body>\
         <thread>0e3141cd80894871a68e6fe6b1ec56fa</thread></message>"
    );
    juliet.hears(&format!("<message {inner}"));
    assert_eq!(said_to(&mut juliet, "balcony"), [text(&format!("<message {inner}"))]);
    let copy = format!(
        "<message from='{JULIET}' to='{JULIET}/phone' type='chat'>\
         <received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>\
         <message xmlns='jabber:client' {inner}</forwarded></received></message>"
    );
    assert_eq!(said_to(&mut juliet, "phone"), [text(&copy)]);
    assert!(juliet.written_to("old").is_empty());
}

#[test]
fn what_one_client_sends_the_others_that_want_it_get_whether_it_wants_copies_or_not() {
    let mut juliet = juliet();
    let sent = format!(
        "<message xmlns='jabber:client' id='m' type='chat' from='{JULIET}/old' \
         to='{ROMEO}/garden'><body>Neither, fair saint</body></message>"
    );
    juliet.says_at("old", &sent);
    let copy = |to: &str| {
        text(&format!(
            "<message from='{JULIET}' to='{JULIET}/{to}' type='chat'>\
             <sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>{sent}\
             </forwarded></sent></message>"
        ))
    };
    for resource in ["phone", "balcony"] {
        assert_eq!(said_to(&mut juliet, resource), [copy(resource)]);
    }
    assert!(juliet.written_to("old").is_empty());
}

#[test]
fn who_takes_it_gets_no_copy_and_who_may_not_take_it_does() {
    let mut juliet = juliet();
    juliet.hears(&from_romeo(JULIET, "chat", "<body>1</body>"));
    for resource in ["balcony", "phone", "old"] {
        assert_eq!(got(&mut juliet, resource), ["=m"]);
    }
    juliet.says_at("phone", "<presence><priority>-1</priority></presence>");
    juliet.says_at("balcony", "<presence type='unavailable'/>");
    forget(&mut juliet);
    juliet.hears(&from_romeo(JULIET, "chat", "<body>1</body>"));
    assert_eq!(got(&mut juliet, "old"), ["=m"]);
    assert_eq!(got(&mut juliet, "phone"), ["<m"]);
    assert_eq!(got(&mut juliet, "balcony"), ["<m"], "it has not said that it is here");
    // RFC 6121 §8.5.3.2.1: chat to a resource that is gone.
    juliet.hears(&from_romeo(&format!("{JULIET}/gone"), "chat", "<body>1</body>"));
    assert_eq!(got(&mut juliet, "old"), ["=m"]);
    assert_eq!(got(&mut juliet, "phone"), ["<m"]);
}

#[test]
fn a_copy_does_not_count_as_told_and_nothing_is_refused_because_of_one() {
    let mut juliet = juliet();
    for resource in ["balcony", "phone", "old"] {
        juliet.says_at(resource, "<presence type='unavailable'/>");
    }
    forget(&mut juliet);
    assert!(
        juliet
            .hears(&from_romeo(JULIET, "chat", "<body>1</body>"))
            .iter()
            .all(|stanza| { stanza.head.type_str() != "error" })
    );
    assert_eq!(got(&mut juliet, "phone"), ["<m"]);
    juliet.says_at("old", "<presence/>");
    assert_eq!(got(&mut juliet, "old"), ["=m"], "it was kept for who comes");
}

#[test]
fn of_a_message_to_oneself_everybody_has_one() {
    let mut juliet = juliet();
    // Each with words of its own: the same again would be a retry.
    let to =
        |to: &str| format!("<message to='{to}' type='chat' id='m'><body>to {to}</body></message>");
    juliet.says_at("old", &to(JULIET));
    for resource in ["balcony", "phone", "old"] {
        assert_eq!(got(&mut juliet, resource), ["=m"]);
    }
    juliet.says_at("old", &to(BALCONY));
    assert_eq!(got(&mut juliet, "balcony"), ["=m"]);
    assert_eq!(got(&mut juliet, "phone"), [">m"]);
    assert!(got(&mut juliet, "old").is_empty());
    juliet.says_at("phone", &to(&format!("{JULIET}/phone")));
    assert_eq!(got(&mut juliet, "balcony"), [">m"]);
    assert_eq!(got(&mut juliet, "phone"), ["=m"]);
}

const STATE: &str = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
const PRIVATE_ELEMENT: &str = "<private xmlns='urn:xmpp:carbons:2'/>";
const NO_COPY_HINT: &str = "<no-copy xmlns='urn:xmpp:hints'/>";
const X: &str = "<x xmlns='http://jabber.org/protocol/muc#user'/>";

#[test]
fn what_is_copied_is_decided_by_the_rules_of_section_6_1() {
    let invite = "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='x@y.example'/></x>";
    let direct = "<x xmlns='jabber:x:conference' jid='room@y.example'/>";
    let receipt = "<received xmlns='urn:xmpp:receipts' id='1'/>";
    let marker = "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>";
    let both = |content: &'static str, kinds: &[(&'static str, bool)]| -> Vec<_> {
        kinds.iter().map(|&(kind, copied)| (content, kind, copied, copied)).collect()
    };
    let mut rules = both("<a xmlns='urn:x'/>", &[("chat", true), ("normal", false)]);
    rules.extend(both("<body>1</body>", &[("chat", true), ("normal", true), ("sonnet", true)]));
    rules.extend(both("<body>1</body>", &[("headline", false), ("groupchat", false)]));
    rules.extend(both("<body>1</body>", &[("error", false)]));
    for payload in [STATE, receipt, marker, invite, direct] {
        rules.extend(both(payload, &[("chat", true), ("normal", true), ("headline", true)]));
        rules.extend(both(payload, &[("groupchat", false)]));
    }
    rules.extend(both(PRIVATE_ELEMENT, &[("chat", false)]));
    rules.extend(both(NO_COPY_HINT, &[("chat", false)]));
    // Sent, and received.
    rules.push((X, "normal", false, false));
    rules.push((X, "chat", false, false));
    for (content, kind, received, sent) in rules {
        let mut juliet = juliet();
        juliet.hears(&from_romeo(BALCONY, kind, content));
        assert_eq!(got(&mut juliet, "phone").contains(&"<m".into()), received, "{kind} {content}");
        let attributes = format!("to='{ROMEO}/garden' type='{kind}' id='m'");
        juliet.says(&format!("<message {attributes}>{content}</message>"));
        assert_eq!(got(&mut juliet, "phone").contains(&">m".into()), sent, "{kind} {content}");
    }
}

#[test]
fn what_is_sent_to_an_occupant_goes_to_clients_in_the_room_and_what_comes_from_one_to_none() {
    let mut juliet = juliet();
    juliet.says_at("balcony", "<presence to='room@y.example/julie'/>");
    let private =
        format!("<message to='room@y.example/rome' type='chat' id='m'><body>1</body>{X}</message>");
    juliet.says_at("old", &private);
    assert_eq!(got(&mut juliet, "balcony"), [">m"]);
    assert!(got(&mut juliet, "phone").is_empty(), "it could not answer");
    juliet.hears(&format!(
        "<message from='room@y.example/rome' to='{BALCONY}' type='chat' id='m'>\
         <body>1</body>{X}</message>"
    ));
    assert_eq!(got(&mut juliet, "balcony"), ["=m"]);
    assert!(got(&mut juliet, "phone").is_empty());
}

#[test]
fn an_error_is_copied_when_what_it_answers_could_be() {
    let error = |id: &str, from: &str| {
        format!(
            "<message from='{from}' to='{BALCONY}' type='error' id='{id}'><error type='cancel'>\
             <gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        )
    };
    let mut juliet = juliet();
    let says = |id: &str, more: &str| {
        format!("<message to='{ROMEO}' type='chat' id='{id}'><body>1</body>{more}</message>")
    };
    juliet.says(&says("1", ""));
    juliet.says(&says("2", PRIVATE_ELEMENT));
    forget(&mut juliet);
    juliet.hears(&error("1", "nurse@wax.example"));
    juliet.hears(&error("2", ROMEO));
    juliet.hears(&error("3", ROMEO));
    juliet.hears(&error("1", ROMEO));
    assert_eq!(got(&mut juliet, "balcony"), ["=1", "=2", "=3", "=1"]);
    assert_eq!(got(&mut juliet, "phone"), ["<1"], "from whom it was sent to, and could be copied");
    // And the other way round.
    juliet.hears(&from_romeo(BALCONY, "chat", "<body>1</body>"));
    forget(&mut juliet);
    let refuses = |id: &str| format!("<message to='{ROMEO}/garden' type='error' id='{id}'/>");
    juliet.says(&refuses("m"));
    juliet.says(&refuses("n"));
    assert_eq!(got(&mut juliet, "phone"), [">m"]);
}

#[test]
fn as_many_errors_as_are_remembered_are_copied() {
    let mut juliet = juliet();
    for number in 0..=ANSWERABLE_MESSAGES_MAX {
        juliet.says(&format!("<message to='{ROMEO}' type='chat' id='{number}'/>"));
    }
    forget(&mut juliet);
    for number in 0..=ANSWERABLE_MESSAGES_MAX {
        juliet
            .hears(&format!("<message from='{ROMEO}' to='{BALCONY}' type='error' id='{number}'/>"));
    }
    let copied = got(&mut juliet, "phone");
    assert_eq!((copied.len(), copied[0].as_str()), (ANSWERABLE_MESSAGES_MAX, "<1"));
}

#[test]
fn who_wants_copies_may_change_its_mind_as_often_as_it_likes() {
    let mut juliet = juliet();
    for (wish, copies) in [(ON, 1), (ON, 1), (OFF, 0), (OFF, 0), (ON, 1)] {
        let answers = juliet.says_at("phone", wish);
        assert_eq!((answers.len(), answers[0].head.type_str()), (1, "result"));
        forget(&mut juliet);
        juliet.hears(&from_romeo(BALCONY, "chat", "<body>1</body>"));
        assert_eq!(got(&mut juliet, "phone").len(), copies, "{wish}");
    }
}

#[test]
fn a_stranger_who_wants_copies_learns_nothing() {
    for wish in ["enable", "disable"] {
        let wish = format!("<{wish} xmlns='urn:xmpp:carbons:2'/>");
        let error = stage::asked(Of::Account, "set", &wish).unwrap_err();
        assert_eq!(error.condition, StanzaCondition::ServiceUnavailable);
    }
}

#[test]
fn at_30_a_forged_copy_goes_on_as_the_word_of_who_sent_it() {
    let mut juliet = juliet();
    for forged in ["received", "sent"] {
        let inner = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' \
                     from='nurse@wax.example' to='juliet@wax.example'><body>1</body></message>\
                     </forwarded>";
        let forged = format!("<{forged} xmlns='urn:xmpp:carbons:2'>{inner}</{forged}>");
        let message = from_romeo(JULIET, "chat", &forged);
        juliet.hears(&message);
        for resource in ["balcony", "phone", "old"] {
            assert_eq!(juliet.written_to(resource), [parsed(&message)]);
        }
        juliet.hears(&from_romeo(BALCONY, "chat", &forged));
        let copies = juliet.written_to("phone");
        assert_eq!(copies.iter().filter_map(copied).collect::<Vec<_>>(), ["<m"]);
        assert_eq!(copies[0].head.from, Some(Jid::parse(JULIET).unwrap()));
        forget(&mut juliet);
    }
}

#[test]
fn what_a_session_wants_survives_a_restart() {
    for (enabled, marks) in [(true, vec![]), (false, vec![u64::MAX, 1])] {
        let slot = Carbons { enabled, answerable: marks.into() };
        let loaded = Carbons::load(&slot.save().unwrap()).unwrap();
        assert_eq!((loaded.enabled, loaded.answerable), (slot.enabled, slot.answerable));
    }
    assert!(Carbons::load(b"").is_none());
}

#[test]
fn what_a_session_missed_of_the_others_it_is_told_as_a_copy_too() {
    let from = |from: &str, to: &str, content: &str| {
        parsed(&format!("<message type='chat' id='m' from='{from}' to='{to}'>{content}</message>"))
    };
    let (romeo, old) = (format!("{ROMEO}/garden"), format!("{JULIET}/old"));
    let received = from(&romeo, BALCONY, "<body>1</body>");
    let sent = from(&old, &romeo, "<body>1</body>");
    let mine = from(&old, BALCONY, "<body>1</body>");
    let private = from(&romeo, BALCONY, &format!("<body>1</body>{PRIVATE_ELEMENT}"));
    let both = Flags::SENT.and(Flags::RECEIVED);
    stage::at(0, |ctx| {
        let jid = Jid::parse(&format!("{JULIET}/phone")).unwrap();
        let link = engine::parcel::Link { node: engine::port::Node(1), number: 1 };
        let mut session = Session::bound(link, jid, 1, ctx.hooks.plans());
        let mut told = |message: &Stanza, flags, enabled| {
            session.slot::<Carbons>().enabled = enabled;
            ctx.hooks.aside(message, flags, &mut session, ctx).and_then(|copy| copied(&copy))
        };
        assert_eq!(told(&received, Flags::RECEIVED, true).as_deref(), Some("<m"));
        assert_eq!(told(&sent, Flags::SENT, true).as_deref(), Some(">m"));
        assert_eq!(told(&mine, both, true).as_deref(), Some(">m"));
        assert_eq!(told(&private, Flags::RECEIVED, true), None);
        assert_eq!(told(&received, Flags::RECEIVED, false), None);
    });
}

const SM: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";

/// Juliet has balcony; phone, which wants copies, has lost its stream, and had got so many stanzas.
fn with_a_phone_that_sleeps() -> (Stage, usize) {
    let mut juliet = Stage::of(JULIET);
    juliet.says("<presence/>");
    juliet.joins_with("phone", &format!("<enable xmlns='urn:xmpp:carbons:2'/>{SM}"));
    juliet.says_at("phone", "<presence/>");
    let got = juliet.written_to("phone").len();
    juliet.vanishes("phone");
    (juliet, got)
}

#[test]
fn who_has_no_stream_gets_copies_of_what_lasts_and_its_session_of_nothing_else() {
    let (mut juliet, before) = with_a_phone_that_sleeps();
    let no_store = "<body>2</body><no-store xmlns='urn:xmpp:hints'/>";
    for _ in 0..300 {
        juliet.hears(&from_romeo(BALCONY, "chat", STATE));
        juliet.says(&format!("<message to='{ROMEO}' type='chat' id='s'>{STATE}</message>"));
        juliet.hears(&from_romeo(BALCONY, "chat", no_store));
    }
    juliet.says(&format!("<message to='{ROMEO}' type='chat' id='1'><body>1</body></message>"));
    juliet.hears(&from_romeo(BALCONY, "chat", "<body>3</body>"));
    juliet.hears(&format!("<message from='{ROMEO}' to='{BALCONY}' type='error' id='1'/>"));
    juliet.resumes("phone", before);
    assert_eq!(got(&mut juliet, "phone"), [">1", "<m", "<1"]);
    juliet.hears(&from_romeo(BALCONY, "chat", STATE));
    assert_eq!(got(&mut juliet, "phone"), ["<m"], "it is there again");
}
