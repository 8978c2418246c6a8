//! AT-67: an error, and the answer to a request, is never answered (RFC 6120 §8.2.3, §8.3.1).

use crate::stage::{JULIET, MERCUTIO, ROMEO, Stage};

/// Everybody and everything, well-formed or not, and nobody in particular.
const TARGETS: [&str; 15] = [
    "",
    "to='localhost'",
    "to='localhost/service'",
    "to='juliet@localhost'",
    "to='juliet@localhost/balcony'",
    "to='juliet@localhost/gone'",
    "to='mercutio@localhost/balcony'",
    "to='nurse@localhost'",
    "to='nurse@localhost/balcony'",
    "to='nobody@localhost'",
    "to='nobody@localhost/balcony'",
    "to='romeo@localhost'",
    "to='romeo@localhost/gone'",
    "to='somebody@elsewhere.example'",
    "to='a@b@c'",
];
const CONTENTS: [&str; 7] = [
    "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
    "<error/>",
    "<error/><error/>",
    "",
    "<query xmlns='jabber:iq:roster'/>",
    "<ping xmlns='urn:xmpp:ping'/><body>hark</body>",
    "<priority>9999</priority>",
];
const IDS: [&str; 2] = ["id='e1'", ""];

fn stanzas(target: &str) -> Vec<String> {
    let kinds = [("message", "error"), ("presence", "error"), ("iq", "error"), ("iq", "result")];
    let headed = kinds.iter().flat_map(|(kind, type_)| {
        IDS.map(|id| (kind, format!("<{kind} type='{type_}' {id} {target}>")))
    });
    let all =
        headed.flat_map(|(kind, head)| CONTENTS.map(|content| format!("{head}{content}</{kind}>")));
    all.collect()
}

#[test]
fn at_67_no_error_and_no_result_is_answered_whoever_it_is_for() {
    let mut wrong = Vec::new();
    for target in TARGETS {
        for xml in stanzas(target) {
            let mut stage = Stage::new();
            stage.says(ROMEO, &xml);
            let answer = stage.words(ROMEO);
            let (juliet, mercutio) = (stage.words(JULIET), stage.words(MERCUTIO));
            // A result with two children, or an iq without an id, goes no further (§8.2.3).
            let goes = |who: &str| target.contains(&format!("{who}@localhost/balcony"));
            let quiet = juliet.len() <= usize::from(goes("juliet"))
                && mercutio.len() <= usize::from(goes("mercutio"));
            if !answer.is_empty() || !quiet {
                wrong.push(format!("{xml}\n    {answer:?} {juliet:?} {mercutio:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Two clients that refuse all that may be refused: each refusal is one hop, and there it ends.
#[test]
fn at_67_between_two_who_refuse_everything_an_error_is_the_last_word() {
    let mut stage = Stage::new();
    for xml in [
        "<message id='1' to='juliet@localhost/balcony'><body>hark</body></message>",
        "<message id='2' to='juliet@localhost' type='chat'><body>hark</body></message>",
        "<message id='3' to='nobody@localhost'><body>hark</body></message>",
        "<iq id='4' type='get' to='juliet@localhost/balcony'><q xmlns='q'/></iq>",
        "<presence id='5' to='juliet@localhost/balcony'/>",
        "<presence id='6' to='juliet@localhost' type='subscribe'/>",
    ] {
        stage.says(ROMEO, xml);
        let mut hops = 0;
        while refuse_all(&mut stage) {
            hops += 1;
        }
        assert!(hops <= 1, "{xml}: {hops} hops");
    }
}

/// Whether anybody had anything to refuse.
fn refuse_all(stage: &mut Stage) -> bool {
    let mut refused = false;
    for who in [JULIET, ROMEO] {
        for heard in stage.heard(who) {
            let (type_, to) = (heard.attribute("type"), heard.attribute("from"));
            if matches!(type_, Some("error" | "result")) {
                continue;
            }
            let (kind, id) = (&heard.local, heard.attribute("id").unwrap_or_default());
            let to = to.unwrap();
            stage.says(who, &format!("<{kind} type='error' id='{id}' to='{to}'/>"));
            refused = true;
        }
    }
    refused
}

/// Whom an error does not reach any more: it is neither kept (XEP-0160 §3) nor sent back.
#[test]
fn at_67_an_error_for_who_has_left_is_forgotten() {
    let mut stage = Stage::new();
    stage.actors[ROMEO].cut(&mut stage.world);
    stage.forget();
    for to in ["romeo@localhost/orchard", "romeo@localhost"] {
        for kind in ["message", "iq", "presence"] {
            stage.says(JULIET, &format!("<{kind} type='error' id='1' to='{to}'><error/></{kind}>"));
        }
    }
    assert_eq!(stage.words(JULIET), [""; 0]);
    stage.connects(ROMEO);
    stage.says(ROMEO, "<presence/>");
    let heard = stage.words(ROMEO);
    assert!(!heard.iter().any(|xml| xml.contains("type='error'")), "{heard:?}");
}
