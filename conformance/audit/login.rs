//! A device comes online: SASL, then its old session, or a new one.

use super::link::Link;
use crate::{
    driver::Broken,
    sasl::{self, Scram, Seen},
    tree::{CLIENT, Tree, escaped},
};

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
const CHANNEL: &str = "urn:xmpp:sasl-cb:0";
const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// The namespace of XEP-0198.
pub const SM: &str = "urn:xmpp:sm:3";

/// What became of `<resume/>` (XEP-0198 §5).
pub enum Resumption {
    /// The session goes on, with the server's count.
    Resumed(u32),
    /// It does not; the server's count, if it still had that.
    Failed(Option<u32>),
}

/// Says who it is, by a password (RFC 6120 §6.4).
///
/// # Errors
/// When the server does not believe it.
pub fn authenticate(
    link: &mut Link,
    features: &Tree,
    local: &str,
    password: &str,
) -> Result<(), Broken> {
    let offered: Vec<_> = features
        .child(SASL, "mechanisms")
        .map_or(Vec::new(), |mechanisms| mechanisms.children().map(Tree::text).collect());
    let mechanism = sasl::choose(offered.iter().map(String::as_str));
    let mechanism = mechanism.ok_or(Broken(format!("no mechanism of {offered:?}")))?;
    if mechanism == "PLAIN" {
        link.say(&auth(mechanism, &sasl::plain(local, password)))?;
        link.expect("success")?;
        return Ok(());
    }
    // XEP-0474 §5: the server may say what it has offered, and it must be this.
    let types = features.child(CHANNEL, "sasl-channel-binding");
    let named = |of: &Tree| of.attribute("type").map(str::to_owned);
    let types = types.map(|types| types.children().filter_map(named).collect());
    let seen = Seen { channel: None, mechanisms: offered, types: types.unwrap_or_default() };
    let begun = Scram::start(mechanism, local, password, &seen);
    let (mut scram, first) = begun.ok_or(Broken("no random bytes".into()))?;
    link.say(&auth(mechanism, &first))?;
    let challenge = link.expect("challenge")?.text();
    let answer = scram.answer(&challenge).ok_or(Broken("a bad challenge".into()))?;
    link.say(&format!("<response xmlns='{SASL}'>{answer}</response>"))?;
    let last = link.expect("success")?.text();
    if scram.is_proven(&last) { Ok(()) } else { Err(Broken("a bad signature".into())) }
}

/// Asks for its old session.
///
/// # Errors
/// When the server does not answer.
pub fn resume(link: &mut Link, id: &str, h: u32) -> Result<Resumption, Broken> {
    link.say(&format!("<resume xmlns='{SM}' previd='{}' h='{h}'/>", escaped(id)))?;
    let answer = link.answer()?;
    let h = answer.attribute("h").and_then(|h| h.parse().ok());
    match (answer.local.as_str(), h) {
        ("resumed", Some(h)) => Ok(Resumption::Resumed(h)),
        ("failed", h) => Ok(Resumption::Failed(h)),
        _ => Err(Broken(format!("no answer to <resume/>: {answer}"))),
    }
}

/// Gets its resource (RFC 6120 §7), and what makes the session resumable: the id, if it is.
///
/// # Errors
/// When the server does not give a resource, or manages no streams.
pub fn bind(link: &mut Link, resource: &str) -> Result<Option<String>, Broken> {
    let wish = format!("<resource>{resource}</resource>");
    link.say(&format!("<iq type='set' id='bind'><bind xmlns='{BIND}'>{wish}</bind></iq>"))?;
    let bound = link.expect("iq")?;
    let jid = bound.child(BIND, "bind").and_then(|bind| bind.child(BIND, "jid")).map(Tree::text);
    if !jid.is_some_and(|jid| jid.ends_with(&format!("/{resource}"))) {
        return Err(Broken(format!("not the resource {resource}: {bound}")));
    }
    link.say(&format!("<enable xmlns='{SM}' resume='true'/>"))?;
    let enabled = loop {
        let answer = link.answer()?;
        if answer.ns != CLIENT {
            break answer;
        }
    };
    if !enabled.is(SM, "enabled") {
        return Err(Broken(format!("no stream management: {enabled}")));
    }
    let resumes = matches!(enabled.attribute("resume"), Some("true" | "1"));
    Ok(enabled.attribute("id").filter(|_| resumes).map(str::to_owned))
}

fn auth(mechanism: &str, message: &str) -> String {
    format!("<auth xmlns='{SASL}' mechanism='{mechanism}'>{message}</auth>")
}
