//! AT-33: who answers what the server has asked of somebody else. That offline messages wait for
//! the right answer is tested where they are (XEP-0160).

use crate::stage::{JULIET, PHONE, ROMEO, Stage};

/// Seconds of silence after which a client is asked, and again after which it is gone.
const IDLE_SECONDS: u64 = 600;

/// The id of the ping that somebody has just been sent.
fn ping(stage: &mut Stage, who: usize) -> String {
    let heard = stage.heard(who);
    let ping = heard.iter().find(|iq| iq.child("urn:xmpp:ping", "ping").is_some());
    ping.expect("a ping").attribute("id").unwrap().to_owned()
}

/// XEP-0199 §4.1: only what comes on its own stream proves that a client is there.
#[test]
fn at_33_nobody_else_can_answer_the_ping_of_a_client_that_is_gone() {
    let mut stage = Stage::new();
    stage.connects(PHONE);
    // Time enough for the others to be heard of, and for Juliet to be asked.
    stage.passes(IDLE_SECONDS / 2);
    stage.says(ROMEO, " ");
    stage.says(PHONE, " ");
    stage.passes(IDLE_SECONDS / 2 + 10);
    let id = ping(&mut stage, JULIET);
    for _ in 0..4 {
        for who in [ROMEO, PHONE] {
            for to in ["juliet@localhost/balcony", "juliet@localhost", "localhost"] {
                for kind in ["result", "error"] {
                    stage.says(who, &format!("<iq type='{kind}' id='{id}' to='{to}'/>"));
                }
            }
            stage.says(who, &format!("<iq type='result' id='{id}'/>"));
        }
        stage.passes(IDLE_SECONDS / 4);
    }
    let heard = stage.words(JULIET);
    assert!(heard.last().unwrap().contains("<connection-timeout "), "{heard:?}");
    assert!(stage.is_gone(JULIET));
    for who in [ROMEO, PHONE] {
        assert!(!stage.is_gone(who));
    }
}

/// Whom nobody asked may answer: nobody hears of it but who is named.
#[test]
fn at_33_an_answer_that_nobody_waits_for_goes_nowhere_but_to_the_resource_that_it_names() {
    let mut stage = Stage::new();
    stage.connects(PHONE);
    stage.forget();
    for to in ["", "to='juliet@localhost'", "to='localhost'", "to='juliet@localhost/gone'"] {
        for who in [ROMEO, PHONE] {
            for kind in ["result", "error"] {
                stage.says(who, &format!("<iq type='{kind}' id='offline-1' {to}/>"));
            }
        }
    }
    for who in [JULIET, ROMEO, PHONE] {
        assert_eq!(stage.words(who), [""; 0]);
    }
    stage.says(ROMEO, "<iq type='result' id='offline-1' to='juliet@localhost/balcony'/>");
    let heard = stage.heard(JULIET);
    assert_eq!(heard[0].attribute("from"), Some("romeo@localhost/orchard"));
}
