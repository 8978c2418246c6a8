//! AT-31: what looks like a roster push (RFC 6121 §2.1.6), and is none.

use crate::stage::{JULIET, PHONE, ROMEO, Stage};

const ITEM: &str = "<query xmlns='jabber:iq:roster' ver='9'><item jid='tybalt@localhost' \
                    subscription='both'/></query>";

fn push(head: &str) -> String {
    format!("<iq type='set' id='push1' {head}>{ITEM}</iq>")
}

#[test]
fn at_31_a_push_by_a_stranger_to_the_account_is_forbidden_and_changes_nothing() {
    let mut stage = Stage::new();
    stage.says(JULIET, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    stage.forget();
    for to in ["juliet@localhost", "JULIET@localhost", "nurse@localhost", "nobody@localhost"] {
        stage.says(ROMEO, &push(&format!("to='{to}'")));
        let heard = stage.words(ROMEO);
        assert!(heard.len() == 1 && heard[0].contains("<forbidden "), "{to}: {heard:?}");
        assert_eq!(stage.words(JULIET), [""; 0], "{to}");
    }
    stage.says(JULIET, "<iq type='get' id='r2'><query xmlns='jabber:iq:roster'/></iq>");
    let roster = stage.words(JULIET);
    assert!(roster.len() == 1 && !roster[0].contains("tybalt"), "{roster:?}");
}

/// RFC 6121 §2.1.6: a client must ignore what is not from its account; so it must be able to tell.
#[test]
fn at_31_a_push_by_anybody_to_a_resource_comes_from_who_sent_it() {
    let mut stage = Stage::new();
    stage.connects(PHONE);
    for (who, true_from) in [(ROMEO, "romeo@localhost/orchard"), (PHONE, "juliet@localhost/phone")]
    {
        // With the bare address of its stream it says nothing else (RFC 6120 §8.1.2.1).
        let account = true_from.split('/').next().unwrap();
        for from in [String::new(), format!("from='{account}'"), format!("from='{true_from}'")] {
            stage.forget();
            stage.says(who, &push(&format!("{from} to='juliet@localhost/balcony'")));
            let heard = stage.heard(JULIET);
            assert_eq!(heard.len(), 1, "{from}: {heard:?}");
            assert_eq!(heard[0].attribute("from"), Some(true_from), "{from}");
        }
    }
}

#[test]
fn at_31_who_says_to_be_the_account_is_thrown_out_and_nobody_hears_it() {
    for from in ["juliet@localhost", "juliet@localhost/balcony", "localhost", ""] {
        let mut stage = Stage::new();
        stage.says(ROMEO, &push(&format!("from='{from}' to='juliet@localhost/balcony'")));
        let heard = stage.words(ROMEO);
        assert!(heard[0].contains("<invalid-from "), "{from}: {heard:?}");
        assert!(stage.is_gone(ROMEO), "{from}");
        let heard = stage.words(JULIET);
        assert!(!heard.iter().any(|xml| xml.contains("tybalt")), "{from}: {heard:?}");
    }
}

/// Nor does a push come in the clothes of something else.
#[test]
fn at_31_what_carries_a_push_is_from_who_sent_it() {
    let mut stage = Stage::new();
    for (to, xml) in [
        ("juliet@localhost", "<message id='1' type='chat' to='TO'>ITEM</message>"),
        ("juliet@localhost/balcony", "<message id='1' to='TO'>ITEM</message>"),
        ("juliet@localhost", "<presence to='TO'>ITEM</presence>"),
        ("juliet@localhost/balcony", "<iq id='1' type='result' to='TO'>ITEM</iq>"),
    ] {
        stage.forget();
        stage.says(ROMEO, &xml.replace("TO", to).replace("ITEM", ITEM));
        let heard = stage.heard(JULIET);
        assert_eq!(heard.len(), 1, "{xml}: {heard:?}");
        assert_eq!(heard[0].attribute("from"), Some("romeo@localhost/orchard"), "{xml}");
    }
}
