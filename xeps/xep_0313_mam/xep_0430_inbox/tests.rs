use super::*;
use crate::stage::{JULIET, ROMEO, Stage};

#[test]
fn a_stranger_learns_nothing() {
    let mut juliet = Stage::of(JULIET);
    for payload in [INBOX, GATHER] {
        for kind in ["get", "set"] {
            let Name { ns, local } = payload;
            let answers = juliet.hears(&format!(
                "<iq type='{kind}' id='1' from='{ROMEO}/r' to='{JULIET}'><{local} xmlns='{ns}'/>\
                 </iq>"
            ));
            let answer = answers[0].to_text().to_string();
            assert!(answer.contains("<service-unavailable "), "{local} {kind}: {answer}");
        }
    }
}

#[test]
fn it_is_gathered_when_much_has_been_added() {
    let mut juliet = Stage::of(JULIET);
    let gathers = |left: Vec<Stanza>| left.iter().any(|iq| iq.child(GATHER).is_some());
    let message = format!("<message from='{ROMEO}/r' to='{JULIET}'><body>x</body></message>");
    let typing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    let typing = format!("<message from='{ROMEO}/r' to='{JULIET}'>{typing}</message>");
    for _ in 0..2 {
        for _ in 1..GROWTH_ENTRIES {
            assert!(!gathers(juliet.hears(&message)));
            assert!(!gathers(juliet.hears(&typing)));
        }
        assert!(gathers(juliet.hears(&message)));
    }
}
