use super::*;
use crate::stage::{JULIET, ROMEO, Stage};
use engine::port::Fault;

const BODY: Name = Name::new("jabber:client", "body");

fn chat(to: &str, body: &str) -> String {
    let from = format!("{ROMEO}/orchard");
    format!(
        "<message from='{from}' to='{to}' type='chat' id='{body}'><body>{body}</body></message>"
    )
}

/// The bodies that were written to a client, `*` in front of those said again later; `?` is a ping.
fn told(juliet: &mut Stage, resource: &str) -> Vec<String> {
    let written = juliet.written_to(resource);
    let told = written.iter().filter_map(|stanza| match stanza.child(BODY) {
        Some(body) if stanza.children().any(|child| child.ns() == DELAY) => {
            Some(format!("*{}", body.text()))
        }
        Some(body) => Some(body.text().into_owned()),
        None => stanza.child(PING).map(|_| "?".to_owned()),
    });
    told.collect()
}

/// A client answers a ping of ours, with a result or an error.
fn answers(juliet: &mut Stage, resource: &str, kind: &str, number: u64) {
    juliet.says_at(resource, &format!("<iq type='{kind}' id='offline-{number}' to='{JULIET}'/>"));
}

/// Juliet, whom nobody reaches, has been told these.
fn waiting(bodies: &[&str]) -> Stage {
    let mut juliet = Stage::empty(JULIET);
    for body in bodies {
        assert!(juliet.hears(&chat(JULIET, body)).is_empty(), "the sender hears no error");
    }
    juliet
}

fn comes(juliet: &mut Stage, resource: &'static str) -> Vec<String> {
    juliet.joins(resource);
    juliet.says_at(resource, "<presence/>");
    told(juliet, resource)
}

const KINDS: [&str; 7] = ["", "normal", "sonnet", "chat", "headline", "groupchat", "error"];
const HINTED: [&str; 6] =
    ["", "store", "no-store", "no-permanent-store", "no-copy", "store no-store"];
/// What a message contains, and whether that is worth keeping.
const CONTENTS: [(&str, bool); 10] = [
    ("", false),
    ("<composing xmlns='http://jabber.org/protocol/chatstates'/>", false),
    ("<thread>t</thread><active xmlns='http://jabber.org/protocol/chatstates'/>", false),
    ("<origin-id xmlns='urn:xmpp:sid:0' id='1'/>", false),
    ("<delay xmlns='urn:xmpp:delay' stamp='2006-12-19T17:58:35Z'/>", false),
    ("<body>hark</body>", true),
    ("<body>hark</body><active xmlns='http://jabber.org/protocol/chatstates'/>", true),
    ("<subject>hark</subject>", true),
    ("<received xmlns='urn:xmpp:receipts' id='1'/>", true),
    ("<encrypted xmlns='eu.siacs.conversations.axolotl'/>", true),
];

/// Whether a message of this kind, to a resource that is gone or to the account, is kept.
fn is_kept(kind: &str, gone: bool, worthy: bool, hints: &str) -> bool {
    let by_type = match kind {
        "chat" => true,
        "headline" | "groupchat" | "error" => false,
        _ => !gone,
    };
    let forbidden = hints.contains("no-store") || hints == "no-copy" && gone;
    by_type && !forbidden && (worthy || hints == "store")
}

#[test]
fn what_is_kept_is_decided_by_type_address_content_and_hints() {
    let gone = format!("{JULIET}/gone");
    let addresses = [(JULIET, false), (gone.as_str(), true)];
    let kinds = KINDS.iter().flat_map(|kind| addresses.map(|address| (kind, address)));
    let all = kinds.flat_map(|kind| CONTENTS.map(|content| (kind, content)));
    let all: Vec<_> = all.flat_map(|one| HINTED.map(|hints| (one, hints))).collect();
    assert_eq!(all.len(), 840);
    for (((kind, (to, gone)), (content, worthy)), hints) in all {
        let hinted =
            hints.split_whitespace().map(|hint| format!("<{hint} xmlns='urn:xmpp:hints'/>"));
        let hinted: String = hinted.collect();
        let head = format!("<message from='{ROMEO}/r' to='{to}' type='{kind}' id='m'>");
        let xml = format!("{head}{content}{hinted}</message>");
        let mut juliet = Stage::empty(JULIET);
        let heard = juliet.hears(&xml);
        juliet.joins("balcony");
        juliet.says("<presence/>");
        let told = juliet.written_to("balcony");
        let told = told.iter().any(|stanza| stanza.kind() == Kind::Message);
        assert_eq!(told, is_kept(kind, gone, worthy, hints), "{xml}");
        let by_type = is_kept(kind, gone, true, "");
        let ignored = kind == &"error" || kind == &"headline" && !gone || by_type && !worthy;
        assert_eq!(heard.len(), usize::from(!told && !ignored), "kept, ignored or refused: {xml}");
    }
}

#[test]
fn all_is_told_in_order_with_its_time_behind_the_presence_and_a_ping_behind_it() {
    let mut juliet = Stage::empty(JULIET);
    for body in ["1", "2", "3"] {
        juliet.hears(&chat(JULIET, body));
        juliet.pass(60_000);
    }
    juliet.joins("balcony");
    juliet.says_at("balcony", "<presence/>");
    juliet.hears(&chat(JULIET, "4"));
    let written = juliet.written_to("balcony");
    let presence = written.iter().rposition(|stanza| stanza.kind() == Kind::Presence).unwrap();
    let first = written.iter().position(|stanza| stanza.kind() == Kind::Message).unwrap();
    assert!(presence < first, "{written:?}");
    let first = &written[first];
    let (at, from) = (JULIET, format!("{ROMEO}/orchard"));
    let head = &first.head;
    assert_eq!(head.from.as_ref().unwrap().as_str(), from);
    assert_eq!(head.to.as_ref().unwrap().as_str(), at);
    let children: Vec<_> = first.children().map(|child| child.as_str().to_owned()).collect();
    assert_eq!(children[0], "<body>1</body>");
    let stamp = "stamp='2006-12-19T17:58:35.999Z'";
    let delay = format!("<delay xmlns='urn:xmpp:delay' from='wax.example' {stamp}/>");
    assert_eq!(children[1], delay);
    let id = format!("<stanza-id xmlns='urn:xmpp:sid:0' by='{JULIET}' id='");
    assert!(children[2].starts_with(&id), "the id that the archive has, too");
    juliet.says_at("balcony", "<presence type='unavailable'/>");
    let mut again = waiting(&["1", "2", "3"]);
    again.joins("balcony");
    again.says_at("balcony", "<presence/>");
    again.hears(&chat(JULIET, "4"));
    assert_eq!(told(&mut again, "balcony"), ["*1", "*2", "*3", "?", "4"]);
}

#[test]
fn the_word_of_others_on_the_delay_stays_and_a_forged_one_of_ours_goes_xep0203() {
    let mut juliet = Stage::empty(JULIET);
    let delay = |from: &str| {
        format!("<delay xmlns='urn:xmpp:delay' from='{from}' stamp='2001-01-01T00:00:00Z'/>")
    };
    let (room, ours) = (delay("coven@macbeth.example"), delay("wax.example"));
    let body = "<body>1</body>";
    juliet.hears(&format!("<message from='{ROMEO}/r' to='{JULIET}'>{body}{room}{ours}</message>"));
    juliet.joins("balcony");
    juliet.says("<presence/>");
    let written = juliet.written_to("balcony");
    let message = written.iter().find(|stanza| stanza.kind() == Kind::Message).unwrap();
    let delays = message.children().filter(|child| child.ns() == DELAY);
    let from: Vec<_> = delays.map(|delay| delay.attribute("from").unwrap()).collect();
    assert_eq!(from, ["coven@macbeth.example", "wax.example"]);
    assert!(!message.to_text().contains(&ours));
}

#[test]
fn what_is_answered_is_delivered_and_what_is_not_is_told_to_the_next() {
    for kind in ["result", "error"] {
        let mut juliet = waiting(&["1", "2"]);
        assert_eq!(comes(&mut juliet, "balcony"), ["*1", "*2", "?"]);
        juliet.vanishes("balcony");
        assert_eq!(comes(&mut juliet, "phone"), ["*1", "*2", "?"], "nothing is lost");
        answers(&mut juliet, "phone", kind, 1);
        juliet.vanishes("phone");
        assert_eq!(comes(&mut juliet, "garden"), [""; 0], "it was delivered");
    }
}

#[test]
fn only_the_answer_to_a_ping_of_ours_counts() {
    let mut juliet = waiting(&["1"]);
    assert_eq!(comes(&mut juliet, "balcony"), ["*1", "?"]);
    for answer in [
        "<iq type='result' id='offline-0'/>".to_owned(),
        "<iq type='result' id='offline-'/>".to_owned(),
        "<iq type='result' id='1'/>".to_owned(),
        "<iq type='get' id='offline-1'><ping xmlns='urn:xmpp:ping'/></iq>".to_owned(),
        format!("<iq type='result' id='offline-1' to='{ROMEO}'/>"),
        format!("<iq type='result' id='offline-1' to='{JULIET}/balcony'/>"),
        "<message id='offline-1'/>".to_owned(),
    ] {
        juliet.says(&answer);
    }
    assert_eq!(comes(&mut juliet, "phone"), ["*1", "?"]);
    juliet.hears(&format!("<iq type='result' id='offline-1' from='{ROMEO}/r' to='{JULIET}'/>"));
    juliet.vanishes("balcony");
    juliet.vanishes("phone");
    assert_eq!(comes(&mut juliet, "garden"), ["*1", "?"]);
    juliet.says("<iq type='result' id='offline-18446744073709551615'/>");
    juliet.vanishes("garden");
    assert_eq!(comes(&mut juliet, "attic"), ["*1", "?"], "that one was never asked");
}

/// Its ids can be guessed; it is who answers, and whom, that counts.
#[test]
fn at_33_nobody_answers_for_the_client_that_was_told() {
    let mut juliet = waiting(&["1"]);
    assert_eq!(comes(&mut juliet, "balcony"), ["*1", "?"]);
    juliet.joins("phone");
    let strangers =
        [format!("{ROMEO}/r"), "juliet@evil.example/balcony".to_owned(), "wax.example".to_owned()];
    for id in ["offline-1", "offline-2", "offline-18446744073709551615"] {
        for kind in ["result", "error"] {
            for to in [String::new(), format!("to='{JULIET}'"), format!("to='{JULIET}/balcony'")] {
                juliet.says_at("phone", &format!("<iq type='{kind}' id='{id}' {to}/>"));
            }
            for from in &strangers {
                for to in [JULIET.to_owned(), format!("{JULIET}/balcony")] {
                    juliet.hears(&format!("<iq type='{kind}' id='{id}' from='{from}' to='{to}'/>"));
                }
            }
        }
    }
    juliet.vanishes("balcony");
    assert_eq!(comes(&mut juliet, "garden"), ["*1", "?"], "it has not been delivered");
}

#[test]
fn no_client_is_told_anything_twice() {
    let mut juliet = waiting(&["1"]);
    assert_eq!(comes(&mut juliet, "balcony"), ["*1", "?"]);
    for presence in ["<presence/>", "<presence><show>away</show></presence>"] {
        juliet.says(presence);
        assert_eq!(told(&mut juliet, "balcony"), [""; 0]);
    }
    juliet.says("<presence type='unavailable'/>");
    juliet.hears(&chat(JULIET, "2"));
    juliet.says("<presence/>");
    assert_eq!(told(&mut juliet, "balcony"), ["*2", "?"]);
    answers(&mut juliet, "balcony", "result", 2);
    juliet.says("<presence type='unavailable'/>");
    juliet.says("<presence/>");
    assert_eq!(told(&mut juliet, "balcony"), [""; 0]);
}

#[test]
fn who_comes_before_the_first_has_answered_is_told_too() {
    let mut juliet = waiting(&["1"]);
    assert_eq!(comes(&mut juliet, "balcony"), ["*1", "?"]);
    assert_eq!(comes(&mut juliet, "phone"), ["*1", "?"]);
    answers(&mut juliet, "balcony", "result", 1);
    answers(&mut juliet, "phone", "result", 1);
    assert_eq!(comes(&mut juliet, "garden"), [""; 0]);
}

#[test]
fn a_negative_priority_takes_nothing_until_it_rises_rfc6121_8_5_2_1_1() {
    let mut juliet = Stage::of(JULIET);
    juliet.says("<presence><priority>-1</priority></presence>");
    assert!(juliet.hears(&chat(JULIET, "1")).is_empty());
    assert_eq!(told(&mut juliet, "balcony"), [""; 0]);
    juliet.says("<presence><priority>0</priority></presence>");
    assert_eq!(told(&mut juliet, "balcony"), ["*1", "?"]);
}

#[test]
fn chat_for_a_resource_that_is_gone_waits_for_any_rfc6121_8_5_3_2_1() {
    let mut juliet = Stage::empty(JULIET);
    let gone = format!("{JULIET}/gone");
    assert!(juliet.hears(&chat(&gone, "1")).is_empty());
    juliet.joins("balcony");
    juliet.says("<presence/>");
    let written = juliet.written_to("balcony");
    let message = written.iter().find(|stanza| stanza.kind() == Kind::Message).unwrap();
    assert_eq!(message.head.to.as_ref().unwrap().as_str(), gone);
    let refused =
        juliet.hears(&format!("<message from='{ROMEO}/r' to='{gone}'><body>1</body></message>"));
    assert!(
        refused[0].to_text().contains("<service-unavailable "),
        "a normal one is not for others"
    );
}

#[test]
fn a_note_to_oneself_is_kept_too() {
    let mut juliet = Stage::of(JULIET);
    let note = format!("<message to='{JULIET}' type='chat'><body>note</body></message>");
    assert!(juliet.says(&note).is_empty());
    juliet.says("<presence/>");
    assert_eq!(told(&mut juliet, "balcony"), ["*note", "?"]);
}

#[test]
fn who_comes_before_the_commit_gets_it_live_and_answers_for_it() {
    for answered in [true, false] {
        let mut juliet = waiting(&["1"]);
        juliet.late = true;
        juliet.hears(&chat(JULIET, "2"));
        juliet.hears(&chat(JULIET, "3"));
        assert_eq!(comes(&mut juliet, "balcony"), ["*1", "?"], "2 and 3 are not in the store");
        juliet.commit(Ok(()));
        juliet.commit(Ok(()));
        assert_eq!(told(&mut juliet, "balcony"), ["2", "3"]);
        juliet.late = false;
        if answered {
            answers(&mut juliet, "balcony", "result", 1);
        }
        juliet.vanishes("balcony");
        let rest: &[&str] = if answered { &[] } else { &["*1", "*2", "*3", "?"] };
        assert_eq!(comes(&mut juliet, "phone"), rest);
    }
}

#[test]
fn a_store_that_fails_keeps_nothing_and_the_sender_is_told() {
    let mut juliet = Stage::empty(JULIET);
    juliet.late = true;
    juliet.hears(&chat(JULIET, "1"));
    let refused = juliet.commit(Err(Fault::Refused("disk full".into())));
    let refused = refused[0].to_text();
    assert!(refused.contains("type='wait'") && refused.contains("<internal-server-error "));
    juliet.late = false;
    assert_eq!(comes(&mut juliet, "balcony"), [""; 0]);
    juliet.vanishes("balcony");
    juliet.hears(&chat(JULIET, "2"));
    assert_eq!(comes(&mut juliet, "balcony"), ["*2", "?"]);
}

fn off_the_record(body: &str) -> String {
    let hint = "<no-permanent-store xmlns='urn:xmpp:hints'/></message>";
    chat(JULIET, body).replace("</message>", hint)
}

/// Of what waits the archive shows all but 2.
fn waiting_off_the_record() -> Stage {
    let mut juliet = waiting(&["1"]);
    juliet.hears(&off_the_record("2"));
    juliet.hears(&chat(JULIET, "3"));
    juliet
}

#[test]
fn who_binds_by_bind_2_is_told_what_no_archive_shows_and_that_once_xep0386_3_2() {
    let mut juliet = waiting_off_the_record();
    juliet.joins_at_once("phone", "");
    juliet.hears(&chat(JULIET, "4"));
    juliet.says_at("phone", "<presence/>");
    let behind_its_bind = "*4";
    assert_eq!(told(&mut juliet, "phone"), ["*2", behind_its_bind, "?"]);
    juliet.says_at("phone", "<presence><show>away</show></presence>");
    assert_eq!(told(&mut juliet, "phone"), [""; 0]);
    answers(&mut juliet, "phone", "result", 1);
    for at_once in [true, false] {
        juliet.vanishes("phone");
        if at_once {
            juliet.joins_at_once("phone", "");
        } else {
            juliet.joins("phone");
        }
        juliet.says_at("phone", "<presence/>");
        assert_eq!(told(&mut juliet, "phone"), [""; 0], "it has been told, or has read");
    }
}

#[test]
fn who_binds_by_bind_2_and_has_all_of_it_from_the_archive_leaves_nothing_to_others_xep0386_3_2() {
    let mut juliet = waiting(&["1", "2"]);
    juliet.joins_at_once("phone", "");
    juliet.says_at("phone", "<presence/>");
    assert_eq!(told(&mut juliet, "phone"), [""; 0]);
    assert_eq!(comes(&mut juliet, "garden"), [""; 0]);
}

#[test]
fn who_binds_by_bind_2_and_ends_before_it_is_available_has_taken_nothing_from_anybody() {
    let mut juliet = waiting_off_the_record();
    juliet.joins_at_once("phone", "");
    juliet.vanishes("phone");
    juliet.joins_at_once("tablet", "");
    juliet.says_at("tablet", "<presence><priority>-1</priority></presence>");
    juliet.vanishes("tablet");
    assert_eq!(comes(&mut juliet, "garden"), ["*1", "*2", "*3", "?"]);
}

#[test]
fn of_several_devices_each_is_told_what_it_does_not_read() {
    let mut juliet = waiting_off_the_record();
    juliet.joins_at_once("phone", "");
    juliet.joins_at_once("tablet", "");
    juliet.says_at("phone", "<presence/>");
    assert_eq!(told(&mut juliet, "phone"), ["*2", "?"]);
    assert_eq!(comes(&mut juliet, "garden"), ["*1", "*2", "*3", "?"], "it reads nothing");
    answers(&mut juliet, "phone", "result", 1);
    juliet.says_at("tablet", "<presence/>");
    assert_eq!(told(&mut juliet, "tablet"), [""; 0], "the account has got it");
}

#[test]
fn who_reads_answers_only_for_what_it_is_told_however_much_it_reads() {
    let mut juliet = Stage::empty(JULIET);
    for number in 0..250 {
        juliet.hears(&chat(JULIET, &number.to_string()));
    }
    juliet.hears(&off_the_record("last"));
    juliet.joins_at_once("phone", "");
    juliet.says_at("phone", "<presence/>");
    assert_eq!(told(&mut juliet, "phone"), ["*last", "?"]);
    answers(&mut juliet, "phone", "result", 1);
    assert_eq!(comes(&mut juliet, "garden"), [""; 0]);
}

const SM: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";

#[test]
fn who_reads_and_acknowledges_what_it_was_told_has_got_all_xep0198_4() {
    let rest: [&[&str]; 2] = [&["*1", "*2", "*3", "?"], &[]];
    for (acknowledges, rest) in [false, true].into_iter().zip(rest) {
        let mut juliet = waiting_off_the_record();
        juliet.joins_at_once("phone", SM);
        juliet.says_at("phone", "<presence/>");
        let got = juliet.written_to("phone").len();
        if acknowledges {
            juliet.signals_at("phone", &format!("<a xmlns='urn:xmpp:sm:3' h='{got}'/>"));
        }
        juliet.vanishes("phone");
        assert_eq!(comes(&mut juliet, "garden"), rest);
    }
}

#[test]
fn what_tells_of_the_moment_is_not_kept_for_a_resource_that_has_no_stream() {
    let mut juliet = Stage::empty(JULIET);
    juliet.joins_with("phone", SM);
    juliet.says_at("phone", "<presence/>");
    let (got, full) = (juliet.written_to("phone").len(), format!("{JULIET}/phone"));
    juliet.vanishes("phone");
    for to in [JULIET, &full] {
        for _ in 0..300 {
            let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
            let head = format!("<message from='{ROMEO}/r' to='{to}' type='chat' id='s'>");
            assert!(juliet.hears(&format!("{head}{state}</message>")).is_empty());
        }
        juliet.hears(&chat(to, "1"));
    }
    juliet.resumes("phone", got);
    let written = juliet.written_to("phone");
    let ids: Vec<_> = written.iter().filter_map(|stanza| stanza.head.id.as_deref()).collect();
    assert_eq!(ids, ["1", "1"]);
}
