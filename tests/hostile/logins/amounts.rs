//! AT-54: more than anybody needs, on a stream that is carried as well as on one that carries
//! itself. What only one way has (frames, requests and their numbers) is in `tests/serve`.

use super::{Intruder, PASSWORD, Profile, besieged, plain};
use conformance::tree::CLIENT;

/// Of `limits.stanza_bytes_before_auth_max` and `limits.stanza_bytes_max`, each and a little.
const BYTES_BEFORE_AUTH: usize = 9_000;
const BYTES: usize = 300_000;
/// Between two words of somebody who is logged in.
const SPACES: usize = 200_000;

fn message(bytes: usize) -> String {
    format!("<message xmlns='{CLIENT}'><body>{}</body></message>", "x".repeat(bytes))
}

fn wants_too_much(intruder: &mut Intruder) {
    let deep = "<a xmlns='u'>".repeat(100) + &"</a>".repeat(100);
    let many = format!("<a xmlns='u'>{}</a>", "<b/>".repeat(1_000));
    let wide = format!("<a xmlns='u' {}/>", numbered(200, |n| format!("a{n}='' ")));
    let names = format!("<a xmlns='u' {}/>", numbered(200, |n| format!("xmlns:a{n}='u' ")));
    for flood in [message(BYTES_BEFORE_AUTH), deep, many, wide, names] {
        intruder.connect();
        intruder.say(&flood);
        intruder.errs("policy-violation");
    }
    intruder.enters("romeo", "localhost", &format!("{:?}", intruder.over));
    intruder.say(&" ".repeat(SPACES * usize::from(intruder.is_on_tcp())));
    let said = intruder.asks("get", "localhost", "<ping xmlns='urn:xmpp:ping'/>");
    assert_eq!(said.attribute("type"), Some("result"), "{said}");
    // More than before, and not without end.
    intruder.say(&message(BYTES_BEFORE_AUTH).replace(CLIENT, "jabber:client' to='localhost"));
    let said = intruder.hear();
    assert_eq!(said.attribute("type"), Some("error"), "{said}");
    intruder.say(&message(BYTES));
    intruder.errs("policy-violation");
    let said = intruder.login(Profile::Rfc6120, "PLAIN", &plain("", PASSWORD), "");
    intruder.succeeded(&said);
}

fn numbered(count: usize, one: fn(usize) -> String) -> String {
    (0..count).map(one).collect()
}

#[tokio::test]
async fn at_54_an_element_has_its_limits_before_and_after_login_whatever_the_way_in() {
    besieged(wants_too_much).await;
}
