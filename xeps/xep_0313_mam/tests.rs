use super::*;
use crate::stage::{JULIET, ROMEO, Stage};
use engine::setting::Value;

const SENT: Flags = Flags::SENT.and(Flags::ARCHIVE);
const RECEIVED: Flags = Flags::RECEIVED.and(Flags::ARCHIVE);
const IDS: &str = "urn:xmpp:sid:0";

fn present() -> Stage {
    let mut juliet = Stage::of(JULIET);
    juliet.says("<presence/>");
    juliet.written_to("balcony");
    juliet
}

fn flags(stage: &Stage) -> Vec<Flags> {
    stage.logged().into_iter().map(|(flags, _)| flags).collect()
}

/// What Juliet's log has of a message with this content, sent and received alike.
fn kept(attributes: &str, content: &str) -> Vec<Flags> {
    let mut juliet = present();
    juliet.says(&format!("<message to='{ROMEO}' {attributes}>{content}</message>"));
    let sent = flags(&juliet);
    let mut juliet = present();
    let from = format!("{ROMEO}/orchard");
    juliet.hears(&format!("<message from='{from}' to='{JULIET}' {attributes}>{content}</message>"));
    let received = flags(&juliet);
    let turned = |flags: &Flags| Flags(flags.0 ^ Flags::SENT.0 ^ Flags::RECEIVED.0);
    assert_eq!(sent.iter().map(turned).collect::<Vec<_>>(), received, "{attributes} {content}");
    sent
}

#[test]
fn what_people_say_is_an_entry() {
    for content in [
        "<body>hark</body>",
        "<body/>",
        "<body>hark</body><active xmlns='http://jabber.org/protocol/chatstates'/>",
        "<received xmlns='urn:xmpp:receipts' id='1'/>",
        "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>",
        "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>",
        "<reactions xmlns='urn:xmpp:reactions:0' id='1'/>",
        "<encrypted xmlns='eu.siacs.conversations.axolotl'/>",
        "<encrypted xmlns='urn:xmpp:omemo:2'/><encryption xmlns='urn:xmpp:eme:0' namespace='n'/>",
        "<openpgp xmlns='urn:xmpp:openpgp:0'/>",
        "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>",
        "<finish xmlns='urn:xmpp:jingle-message:0' id='1'/>",
        "<x xmlns='jabber:x:conference' jid='a@b'/>",
        "<x xmlns='http://jabber.org/protocol/muc#user'><invite to='a@b'/></x>",
        "<whatever xmlns='urn:x'/><store xmlns='urn:xmpp:hints'/>",
    ] {
        for kind in ["", "type='chat'", "type='normal'", "type='sonnet'"] {
            assert_eq!(kept(kind, content), [SENT], "{kind} {content}");
        }
        for kind in ["error", "groupchat", "headline"] {
            let entry = kind == "headline" && content.contains("<store ");
            assert_eq!(kept(&format!("type='{kind}'"), content).len(), usize::from(entry));
        }
    }
}

#[test]
fn what_only_tells_of_the_moment_is_none() {
    for content in [
        "",
        "<subject>s</subject>",
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>\
         <x xmlns='http://jabber.org/protocol/muc#user'/>",
        "<markable xmlns='urn:xmpp:chat-markers:0'/>",
        "<request xmlns='urn:xmpp:receipts'/>",
        "<body xmlns='urn:x'>hark</body>",
        "<event xmlns='http://jabber.org/protocol/pubsub#event'/>",
        "<body>hark</body><no-store xmlns='urn:xmpp:hints'/>",
        "<body>hark</body><store xmlns='urn:xmpp:hints'/><no-store xmlns='urn:xmpp:hints'/>",
    ] {
        assert_eq!(kept("type='chat'", content), [], "{content}");
    }
}

#[test]
fn what_may_not_be_archived_is_delivered_without_an_id_xep0334_4_1() {
    let content = "<body>hark</body><no-permanent-store xmlns='urn:xmpp:hints'/>";
    assert_eq!(kept("type='chat'", content), [Flags::SENT.and(Flags::TRANSIT)]);
    let mut juliet = present();
    juliet.hears(&format!("<message from='{ROMEO}/r' to='{JULIET}'>{content}</message>"));
    let message = juliet.written_to("balcony").remove(0);
    assert!(message.children().all(|child| child.ns() != IDS), "{message:?}");
}

#[test]
fn a_note_to_oneself_is_one_entry_that_has_one_id() {
    let mut juliet = present();
    juliet.says(&format!("<message to='{JULIET}' type='chat'><body>note</body></message>"));
    assert_eq!(flags(&juliet), [SENT.and(RECEIVED)]);
    let message = juliet.written_to("balcony").remove(0);
    let ids = message.children().filter(|child| child.ns() == IDS);
    let ids: Vec<_> = ids.map(|id| id.attribute("id").unwrap()).collect();
    let pos = juliet.log[0].0;
    assert_eq!(ids, [juliet.settings.names.name(&Bare::parse(JULIET).unwrap(), pos)]);
}

#[test]
fn what_is_refused_is_not_in_the_archive_section_6() {
    let gone = format!("{JULIET}/gone");
    for (to, kind, content, entries) in [
        (gone.as_str(), "chat", "", 1),
        (&gone, "normal", "", 0),
        (&gone, "headline", "<store xmlns='urn:xmpp:hints'/>", 0),
        (&gone, "chat", "<no-copy xmlns='urn:xmpp:hints'/>", 0),
        (JULIET, "chat", "<no-copy xmlns='urn:xmpp:hints'/>", 1),
        (JULIET, "normal", "", 1),
    ] {
        let mut juliet = Stage::empty(JULIET);
        let heard = juliet.hears(&format!(
            "<message from='{ROMEO}/r' to='{to}' type='{kind}'><body>1</body>{content}</message>"
        ));
        let refused = heard.iter().any(|heard| heard.head.type_str() == "error");
        assert_eq!((juliet.log.len(), refused), (entries, entries == 0), "{to} {kind} {content}");
    }
}

/// Each id of a message that came, by whom.
fn ids(message: &Stanza) -> Vec<(String, String)> {
    let ids = message.children().filter(|child| child.is(xep_0359_ids::STANZA_ID));
    let text = |id: Element<'_>, name| id.attribute(name).unwrap_or_default().into_owned();
    ids.map(|id| (text(id, "by"), text(id, "id"))).collect()
}

#[test]
fn at_34_nobody_speaks_for_the_account_xep0359_3() {
    let by = |by: &str| format!("<stanza-id xmlns='{IDS}' by='{by}' id='forged'/>");
    let ours = [JULIET, "JULIET@Wax.Example", "juliet@wax.example/balcony"].map(by).concat()
        + &format!("<p:stanza-id xmlns:p='{IDS}' by='{JULIET}' id='forged'/>");
    let others = ["nurse@wax.example", "wax.example", "/"].map(by).concat();
    let content = format!("<body>1</body>{ours}{others}");
    let mut juliet = present();
    juliet.hears(&format!("<message from='{ROMEO}/r' to='{JULIET}'>{content}</message>"));
    let message = juliet.written_to("balcony").remove(0);
    let (last, rest) = ids(&message).split_last().map(|(l, r)| (l.clone(), r.to_vec())).unwrap();
    let forged = |by: &str| (by.to_owned(), "forged".to_owned());
    assert_eq!(rest, ["nurse@wax.example", "wax.example", "/"].map(forged));
    let (pos, entry) = &juliet.log[0];
    assert_eq!(last.1, juliet.settings.names.name(&entry.log, *pos));
    assert_eq!(last.0, JULIET);
    assert_eq!(ids(&Stanza::parse_one(&entry.stanza).unwrap()), rest);
    let left = juliet.says(&format!("<message to='{ROMEO}'>{content}</message>"));
    assert_eq!(ids(&left[0]), rest, "section 3.3 of XEP-0313: contacts are not told our ids");
}

/// How many of these Juliet has sent, one after the other, stand in her log.
fn entries(messages: &[(u64, &str)]) -> usize {
    let mut juliet = present();
    for (ms, message) in messages {
        juliet.pass(*ms);
        juliet.says(&format!("<message to='{ROMEO}' {message}</message>"));
    }
    juliet.log.len()
}

#[test]
fn what_is_sent_again_under_its_origin_id_is_one_for_a_day() {
    let hark = "type='chat'><body>hark</body><origin-id xmlns='urn:xmpp:sid:0' id='1'/>";
    let other = hark.replace("hark", "no");
    assert_eq!(entries(&[(0, hark), (86_000_000, hark)]), 1);
    assert_eq!(entries(&[(0, hark), (86_500_000, hark)]), 2);
    assert_eq!(entries(&[(0, hark), (0, &other), (0, hark), (0, &other)]), 2);
    let bare = "type='chat'><body>hark</body>";
    assert_eq!(entries(&[(0, bare), (0, bare)]), 2);
}

#[test]
fn within_a_stream_a_message_that_has_only_an_id_may_be_meant_twice() {
    let hark = "type='chat' id='1'><body>hark</body>";
    assert_eq!(entries(&[(0, hark), (0, hark)]), 2);
}

#[test]
fn what_others_send_again_is_for_their_accounts_to_know() {
    let mut juliet = present();
    for _ in 0..2 {
        juliet.hears(&format!(
            "<message from='{ROMEO}/r' to='{JULIET}'><body>1</body>\
             <origin-id xmlns='{IDS}' id='1'/></message>"
        ));
    }
    assert_eq!(juliet.log.len(), 2);
}

fn prefs(content: &str) -> String {
    format!("<iq type='set' id='1'><prefs xmlns='{NS}' {content}</prefs></iq>")
}

/// Whether the archive of an account with these preferences shows what it sends, and is told.
fn shows(stage: &mut Stage, other: &str) -> bool {
    stage.log.clear();
    stage.says(&format!("<message to='{other}'><body>1</body></message>"));
    stage.hears(&format!("<message from='{other}' to='{JULIET}'><body>1</body></message>"));
    let flags: Vec<_> = flags(stage).iter().map(|flags| flags.has(Flags::ARCHIVE)).collect();
    assert_eq!(flags.len(), 2);
    assert_eq!(flags[0], flags[1]);
    flags[0]
}

#[test]
fn lists_come_before_the_default_and_resources_before_accounts_xep0441() {
    let (nurse, phone) = ("nurse@wax.example", "nurse@wax.example/phone");
    let mut juliet = present();
    juliet.settings.choose(&xep_0441_preferences::DEFAULT, Value::Choice("roster".into()));
    assert!(!shows(&mut juliet, ROMEO) && !shows(&mut juliet, nurse));
    juliet.says(&format!(
        "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='{nurse}'/></query></iq>"
    ));
    assert!(!shows(&mut juliet, ROMEO) && shows(&mut juliet, phone));
    for (default, expected) in
        [("always", [true; 2]), ("never", [false; 2]), ("roster", [false, true])]
    {
        juliet.says(&prefs(&format!("default='{default}'>")));
        assert_eq!([ROMEO, nurse].map(|other| shows(&mut juliet, other)), expected);
    }
    let lists = format!(
        "<always><jid>{phone}</jid><jid>{ROMEO}</jid></always><never><jid>{nurse}</jid></never>"
    );
    juliet.says(&prefs(&format!("default='roster'>{lists}")));
    let shown = [ROMEO, "romeo@wax.example/r", nurse, phone, "nurse@wax.example/tv"];
    assert_eq!(shown.map(|other| shows(&mut juliet, other)), [true, true, false, true, false]);
}

/// What an account is told of its preferences.
fn told(stage: &mut Stage) -> String {
    let get = format!("<iq type='get' id='1'><prefs xmlns='{NS}'/></iq>");
    let answer = stage.says(&get).remove(0);
    answer.children().next().unwrap().as_str().to_owned()
}

#[test]
fn preferences_are_told_as_they_apply_xep0441_2_1() {
    let mut juliet = present();
    let empty = format!("<prefs xmlns='{NS}' default='always'><always/><never/></prefs>");
    assert_eq!(told(&mut juliet), empty);
    juliet.says(&prefs(&format!(
        "default='never'><never><jid>B@x</jid><jid>{ROMEO}</jid></never>\
         <always><jid>{ROMEO}</jid><jid>a@x/R</jid></always>"
    )));
    let wanted = format!(
        "<prefs xmlns='{NS}' default='never'><always><jid>a@x/R</jid></always>\
         <never><jid>b@x</jid><jid>{ROMEO}</jid></never></prefs>"
    );
    assert_eq!(told(&mut juliet), wanted);
    juliet.says(&prefs("default='always'>"));
    assert_eq!(told(&mut juliet), empty);
}

#[test]
fn at_43_preferences_that_are_none_change_nothing() {
    let mut juliet = present();
    let before = told(&mut juliet);
    let jids = |count: usize| -> String {
        (0..count).map(|number| format!("<jid>{number}@x</jid>")).collect()
    };
    let long = format!("<jid>{}@x</jid>", "l".repeat(1000));
    let longs: String = (0..99).map(|at| long.replacen("l", &format!("{at:03}"), 1)).collect();
    for (content, condition) in [
        (">".to_owned(), "bad-request"),
        ("default=''>".into(), "bad-request"),
        ("default='often'>".into(), "bad-request"),
        ("default='roster'><never><jid>@</jid></never>".into(), "jid-malformed"),
        ("default='roster'><always><jid/></always>".into(), "jid-malformed"),
        (format!("default='roster'><never>{}</never>", jids(1001)), "resource-constraint"),
        (format!("default='roster'><never>{longs}</never>"), "resource-constraint"),
    ] {
        let answer = juliet.says(&prefs(&content)).remove(0).to_text();
        assert!(answer.contains(&format!("<{condition} ")), "{answer}");
    }
    assert_eq!(told(&mut juliet), before);
    juliet.says(&prefs(&format!("default='roster'><never>{}</never>", jids(1000))));
    assert_ne!(told(&mut juliet), before);
}

#[test]
fn another_hears_of_preferences_what_an_account_that_does_not_exist_says() {
    let mut juliet = present();
    for iq in [prefs("default='never'>"), prefs(">").replace("'set'", "'get'")] {
        let iq = iq.replace("<iq ", &format!("<iq from='{ROMEO}/r' to='{JULIET}' "));
        let answers = juliet.hears(&iq);
        assert!(answers[0].to_text().contains("<service-unavailable "), "{answers:?}");
    }
    assert!(told(&mut juliet).contains("'always'"));
}

/// Whether somebody who submits this field has caught up, by an answer that says this of itself.
fn has_caught_up(var: &str, value: &str, complete: &str) -> bool {
    let settings = xep_0431_fulltext::tests::enabled();
    let field =
        |var: &str, value: &str| format!("<field var='{var}'><value>{value}</value></field>");
    let fields = field("FORM_TYPE", NS) + &field(var, value);
    let form = format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>");
    let iq = format!("<iq type='set' id='1'><query xmlns='{NS}'>{form}</query></iq>");
    let fin = Draft::new(FIN).attribute("complete", complete).finish();
    let reply = Reply::After(Vec::new(), Some(fin));
    catches_up(&Stanza::parse_one(&iq).unwrap(), &reply, &settings)
}

#[test]
fn who_searches_for_words_has_not_caught_up() {
    let has = |text: &str| has_caught_up("{urn:xmpp:fulltext:0}fulltext", text, "true");
    assert!(!has("rose") && !has("?!") && has(""));
}

#[test]
fn who_has_not_come_to_the_end_or_begins_at_a_time_has_not_caught_up() {
    assert!(has_caught_up("after-id", "a", "true"));
    assert!(!has_caught_up("after-id", "a", "false"));
    assert!(!has_caught_up("start", "2026-01-01T00:00:00Z", "true"));
}
