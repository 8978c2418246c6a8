//! AT-47: what a stranger may learn of somebody's presence, and what not.

use crate::stage::{JULIET, MERCUTIO, NURSE, ROMEO, Stage};

/// All that Juliet tells those who see her, to her end.
fn whole_life(stage: &mut Stage) {
    for xml in [
        "<presence><show>away</show></presence>",
        "<presence><priority>-1</priority></presence>",
        "<presence type='unavailable'/>",
        "<presence><status>back</status></presence>",
    ] {
        stage.says(JULIET, xml);
    }
    stage.actors[JULIET].cut(&mut stage.world);
    stage.connects(JULIET);
    stage.says(JULIET, "<presence/>");
    stage.actors[JULIET].disconnect(&mut stage.world).unwrap();
}

fn subscribe(stage: &mut Stage) {
    stage.says(ROMEO, "<presence type='subscribe' to='juliet@localhost'/>");
}

fn approve(stage: &mut Stage) {
    subscribe(stage);
    stage.says(JULIET, "<presence type='subscribed' to='romeo@localhost'/>");
}

/// What leads to a state in which Romeo may not see her.
type Before = (&'static str, fn(&mut Stage));

const NOT_SUBSCRIBED: [Before; 7] = [
    ("a stranger", |_| {}),
    ("who has asked", subscribe),
    ("who was denied", |stage| {
        subscribe(stage);
        stage.says(JULIET, "<presence type='unsubscribed' to='romeo@localhost'/>");
    }),
    ("who was let in and thrown out", |stage| {
        approve(stage);
        stage.says(JULIET, "<presence type='unsubscribed' to='romeo@localhost'/>");
    }),
    ("who was removed", |stage| {
        approve(stage);
        let item = "<item jid='romeo@localhost' subscription='remove'/>";
        let query = format!("<query xmlns='jabber:iq:roster'>{item}</query>");
        stage.says(JULIET, &format!("<iq type='set' id='r'>{query}</iq>"));
    }),
    ("who is subscribed, but blocked (XEP-0191)", |stage| {
        approve(stage);
        let block = "<block xmlns='urn:xmpp:blocking'><item jid='romeo@localhost'/></block>";
        stage.says(JULIET, &format!("<iq type='set' id='b'>{block}</iq>"));
    }),
    ("whom she sees, who does not see her", |stage| {
        stage.says(JULIET, "<presence type='subscribe' to='romeo@localhost'/>");
        stage.says(ROMEO, "<presence type='subscribed' to='juliet@localhost'/>");
    }),
];

#[test]
fn at_47_who_is_not_subscribed_hears_nothing_of_a_whole_life() {
    for (who, before) in NOT_SUBSCRIBED {
        let mut stage = Stage::new();
        before(&mut stage);
        stage.forget();
        whole_life(&mut stage);
        let heard = stage.words(ROMEO);
        // Whom she sees is asked by her when she comes; the server answers (RFC 6121 §4.3).
        assert_eq!(heard, [""; 0], "{who}");
    }
}

/// What asks for her presence, in whatever way, and for whom.
const QUESTIONS: [(&str, &[&str]); 4] = [
    ("<presence type='probe' id='1' to='TO'/>", &["", "/balcony", "/gone"]),
    ("<iq type='get' id='1' to='TO'><query xmlns='jabber:iq:last'/></iq>", &["", "/balcony"]),
    ("<iq type='get' id='1' to='TO'><ping xmlns='urn:xmpp:ping'/></iq>", &[""]),
    (
        "<iq type='get' id='1' to='TO'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
        &[""],
    ),
];

/// RFC 6121 §4.3.2, XEP-0012 §3 and §4, XEP-0030 §8, XEP-0199 §7.
#[test]
fn at_47_who_is_not_subscribed_and_asks_hears_the_same_whether_she_is_there_or_not() {
    for (who, before) in NOT_SUBSCRIBED {
        let asked = QUESTIONS.iter().flat_map(|(xml, of)| of.iter().map(move |of| (xml, of)));
        for (xml, resource) in asked {
            let heard = [true, false].map(|there| {
                let mut stage = Stage::new();
                before(&mut stage);
                if !there {
                    stage.actors[JULIET].cut(&mut stage.world);
                }
                stage.forget();
                stage.says(ROMEO, &xml.replace("TO", &format!("juliet@localhost{resource}")));
                stage.words(ROMEO)
            });
            assert_eq!(heard[0], heard[1], "{who}, {xml}, {resource}");
            let told =
                heard[0].iter().any(|xml| xml.contains("<presence") && !xml.contains("type"));
            assert!(!told, "{who}, {xml}: {heard:?}");
        }
    }
}

/// Ways in which Juliet goes.
const ENDS: [Before; 4] = [
    ("says so", |stage| stage.says(JULIET, "<presence type='unavailable'/>")),
    ("closes her stream", |stage| drop(stage.actors[JULIET].disconnect(&mut stage.world))),
    ("breaks off", |stage| stage.actors[JULIET].cut(&mut stage.world)),
    ("is thrown out", |stage| stage.says(JULIET, "<!-- -->")),
];

#[test]
fn at_47_the_end_is_told_once_to_whom_the_beginning_was_and_to_nobody_else_rfc6121_4_6_3() {
    for (how, ends) in ENDS {
        for told in ["romeo@localhost", "romeo@localhost/orchard"] {
            let mut stage = Stage::new();
            stage.connects(NURSE);
            stage.says(NURSE, "<presence/>");
            stage.says(JULIET, &format!("<presence to='{told}'/>"));
            stage.says(JULIET, "<presence to='nobody@localhost'/>");
            stage.forget();
            ends(&mut stage);
            let heard = stage.heard(ROMEO);
            assert_eq!(heard.len(), 1, "{how}: {heard:?}");
            assert_eq!(heard[0].attribute("type"), Some("unavailable"), "{how}");
            assert_eq!(heard[0].attribute("from"), Some("juliet@localhost/balcony"), "{how}");
            for who in [MERCUTIO, NURSE] {
                assert_eq!(stage.words(who), [""; 0], "{how}");
            }
        }
    }
}

/// Directed presence shows its one resource, as long as it lasts (RFC 6121 §4.6.6).
#[test]
fn at_47_after_the_end_of_directed_presence_a_probe_tells_nothing_again() {
    let probe = "<presence type='probe' to='juliet@localhost'/>";
    for told in ["romeo@localhost", "romeo@localhost/orchard"] {
        let mut stage = Stage::new();
        stage.says(JULIET, &format!("<presence to='{told}'/>"));
        stage.forget();
        stage.says(ROMEO, probe);
        assert!(stage.words(ROMEO)[0].contains("from='juliet@localhost/balcony'"));
        stage.says(JULIET, &format!("<presence type='unavailable' to='{told}'/>"));
        stage.forget();
        stage.says(ROMEO, probe);
        assert_eq!(stage.words(ROMEO), [""; 0]);
    }
}
