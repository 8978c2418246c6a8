//! What a server says that it can do: its stream features, mechanisms and service discovery.

use crate::{
    actor::{Actor, Next, Trouble},
    driver::{Driver, Patience},
    script::Character,
    tree::{CLIENT, Heard, Tree, escaped},
};
use std::collections::BTreeSet;

const DISCO: &str = "http://jabber.org/protocol/disco#info";

/// Logs in as `character` and asks. Gives the namespaces of stream features (RFC 6120 §4.3.2), the
/// names of SASL mechanisms, and the features of the domain, of the account (XEP-0030 §3.1), and of
/// the service at `conference.` of the domain, where scripts have their rooms.
///
/// # Errors
/// When it cannot log in.
pub fn announced(
    character: Character,
    driver: &mut dyn Driver,
) -> Result<BTreeSet<String>, Trouble> {
    let (domain, account) = (character.domain(), character.bare());
    let asked = [domain.to_owned(), account.to_owned(), format!("conference.{domain}")];
    let mut actor = Actor::new(character);
    actor.log_in(driver)?;
    let mut announced: BTreeSet<String> = actor.offered().iter().flat_map(names).collect();
    for (number, address) in asked.iter().enumerate() {
        let id = format!("announced{number}");
        let iq = format!(
            "<iq type='get' to='{}' id='{id}'><query xmlns='{DISCO}'/></iq>",
            escaped(address)
        );
        actor.say(driver, iq.as_bytes())?;
        announced.extend(features(&mut actor, driver, &id)?);
    }
    actor.cut(driver);
    Ok(announced)
}

/// Of one list of stream features.
fn names(offered: &Tree) -> Vec<String> {
    let of_lists = offered.children().flat_map(Tree::children);
    let mechanisms = of_lists.filter(|item| item.local == "mechanism").map(Tree::text);
    offered.children().map(|feature| feature.ns.clone()).chain(mechanisms).collect()
}

/// Waits for the answer `id`, and passes over what else a server sends.
fn features(actor: &mut Actor, driver: &mut dyn Driver, id: &str) -> Result<Vec<String>, Trouble> {
    loop {
        let came = actor.next(driver, Patience::Answer)?;
        let Next::Heard(Heard::Element(answer)) = came else {
            return Err(format!("no answer to disco#info: {}", came.words()).into());
        };
        if answer.is(CLIENT, "iq") && answer.attribute("id") == Some(id) {
            let query = answer.child(DISCO, "query");
            let named = query.into_iter().flat_map(Tree::children);
            return Ok(named
                .filter_map(|feature| Some(feature.attribute("var")?.to_owned()))
                .collect());
        }
    }
}
