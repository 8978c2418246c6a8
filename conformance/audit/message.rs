//! The messages that are sent, and how they are known again.

use super::history::{Send, Via};
use crate::tree::{CLIENT, Tree};

const SID: &str = "urn:xmpp:sid:0";
const CARBONS: &str = "urn:xmpp:carbons:2";
const FORWARD: &str = "urn:xmpp:forward:0";
const DELAY: &str = "urn:xmpp:delay";
const MAM: &str = "urn:xmpp:mam:2";

/// One of ours that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    /// Which.
    pub id: Send,
    /// Its stanza-id, and who gave it.
    pub name: Option<(String, String)>,
    /// On which way; of those without a delay and those with one, the session knows more.
    pub via: Via,
    /// Whether it says that it was delayed.
    pub delay: bool,
    /// The room in which it was said.
    pub room: Option<String>,
    /// The condition, if it is an error.
    pub refused: Option<String>,
}

/// A message as it is sent.
pub fn written(run: u32, id: Send, to: &str, kind: &str) -> String {
    let name = format!("{run:08x}.{id}");
    format!(
        "<message to='{to}' type='{kind}' id='{name}'><body>{id} of {run:08x}</body>\
         <origin-id xmlns='{SID}' id='{name}'/></message>"
    )
}

/// What has come, if it is a message of this run. `own` is the address of the account.
pub fn read(run: u32, own: &str, stanza: &Tree) -> Option<Came> {
    if !stanza.is(CLIENT, "message") {
        return None;
    }
    if let Some(result) = stanza.child(MAM, "result") {
        let forwarded = result.child(FORWARD, "forwarded")?;
        let id = id(run, forwarded.child(CLIENT, "message")?)?;
        let room = stanza.attribute("from").map(bare).filter(|from| *from != own);
        let (by, room) = (room.unwrap_or(own).to_owned(), room.map(str::to_owned));
        let name = Some((by, result.attribute("id")?.to_owned()));
        return Some(Came { id, name, via: Via::Mam, delay: true, room, refused: None });
    }
    let carbon = stanza.children().find(|child| child.ns == CARBONS);
    if let Some(copy) = carbon.filter(|copy| matches!(copy.local.as_str(), "sent" | "received")) {
        // Section 11: only what the own account says is a carbon.
        let forwarded = copy.child(FORWARD, "forwarded")?;
        let inner = forwarded.child(CLIENT, "message")?;
        if stanza.attribute("from") != Some(own) {
            return None;
        }
        let delay = [stanza, forwarded, inner].iter().any(|at| at.child(DELAY, "delay").is_some());
        let (id, name) = (id(run, inner)?, name(inner, own));
        return Some(Came { id, name, via: Via::Carbon, delay, room: None, refused: None });
    }
    let id = id(run, stanza)?;
    let refused = (stanza.attribute("type") == Some("error")).then(|| condition(stanza));
    let delay = stanza.child(DELAY, "delay").is_some();
    let via = if delay { Via::Offline } else { Via::Live };
    let is_groupchat = stanza.attribute("type") == Some("groupchat");
    let room = stanza.attribute("from").map(bare).filter(|_| is_groupchat);
    let name = name(stanza, room.unwrap_or(own));
    Some(Came { id, name, via, delay, room: room.map(str::to_owned), refused })
}

fn bare(jid: &str) -> &str {
    jid.split_once('/').map_or(jid, |(bare, _)| bare)
}

/// The stanza-id of a row that this query was answered with, and the id of a message, if it is
/// ours.
pub fn row(run: u32, stanza: &Tree, query: &str) -> Option<(String, Option<Send>)> {
    let result = stanza.child(MAM, "result")?;
    if result.attribute("queryid") != Some(query) {
        return None;
    }
    let forwarded = result.child(FORWARD, "forwarded")?;
    let id = forwarded.child(CLIENT, "message").and_then(|message| id(run, message));
    Some((result.attribute("id")?.to_owned(), id))
}

/// An error comes back with the `id`, perhaps without what was in the message (RFC 6120 §8.3.1).
fn id(run: u32, message: &Tree) -> Option<Send> {
    let origin = message.child(SID, "origin-id").and_then(|origin| origin.attribute("id"));
    let name = origin.or(message.attribute("id"))?;
    name.strip_prefix(&format!("{run:08x}."))?.parse().ok()
}

/// Each that has a log may add a name of its own (XEP-0359 §3); that of this one comes first.
fn name(message: &Tree, own: &str) -> Option<(String, String)> {
    let names = message.children().filter(|child| child.is(SID, "stanza-id"));
    let name = names.min_by_key(|name| name.attribute("by") != Some(own))?;
    Some((name.attribute("by")?.to_owned(), name.attribute("id")?.to_owned()))
}

fn condition(message: &Tree) -> String {
    let error = message.child(CLIENT, "error");
    let kind = error.and_then(|error| error.attribute("type")).unwrap_or("error").to_owned();
    let name = error.and_then(|error| error.children().next()).map(|name| name.local.as_str());
    format!("{kind}: {}", name.unwrap_or("no condition"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse_block;

    fn came(xml: &str) -> Option<Came> {
        read(0xab, "a@b", &parse_block(xml).unwrap()[0])
    }

    const NAMED: &str = "<origin-id xmlns='urn:xmpp:sid:0' id='000000ab.7'/>\
        <stanza-id xmlns='urn:xmpp:sid:0' by='a@b' id='s'/>";

    #[test]
    fn what_is_written_is_known_again() {
        let came = came(&written(0xab, 7, "a@b", "chat")).unwrap();
        let (via, refused) = (Via::Live, None);
        let wanted = Came { id: 7, name: None, via, delay: false, room: None, refused };
        assert_eq!(came, wanted);
        assert_eq!(self::came(&written(0xac, 7, "a@b", "chat")), None);
    }

    #[test]
    fn a_delay_and_a_stanza_id_are_seen() {
        let delay = "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>";
        let came = came(&format!("<message>{NAMED}{delay}</message>")).unwrap();
        let name = Some(("a@b".into(), "s".into()));
        let (via, room, refused) = (Via::Offline, None, None);
        assert_eq!(came, Came { id: 7, name, via, delay: true, room, refused });
    }

    #[test]
    fn a_carbon_counts_only_from_the_own_account_xep_0280_section_11() {
        let carbon = |from| {
            format!(
                "<message from='{from}'><sent xmlns='urn:xmpp:carbons:2'>\
                 <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>{NAMED}\
                 </message></forwarded></sent></message>"
            )
        };
        let own = came(&carbon("a@b")).unwrap();
        assert_eq!((own.via, own.name.unwrap().1), (Via::Carbon, "s".into()));
        assert_eq!(came(&carbon("x@b")), None);
    }

    #[test]
    fn the_name_in_the_archive_is_that_of_the_result_xep_0313() {
        let xml = format!(
            "<message><result xmlns='urn:xmpp:mam:2' queryid='q' id='r'><forwarded \
             xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>{NAMED}</message>\
             </forwarded></result></message>"
        );
        let came = came(&xml).unwrap();
        assert_eq!((came.via, came.name.unwrap().1), (Via::Mam, "r".into()));
        let result = &parse_block(&xml).unwrap()[0];
        assert_eq!(row(0xab, result, "q"), Some(("r".into(), Some(7))));
        assert_eq!(row(0xab, result, "p"), None, "it is of another query");
    }

    #[test]
    fn what_a_room_says_is_named_by_the_room_xep_0045() {
        let named = "<origin-id xmlns='urn:xmpp:sid:0' id='000000ab.7'/>\
            <stanza-id xmlns='urn:xmpp:sid:0' by='a@b' id='x'/>\
            <stanza-id xmlns='urn:xmpp:sid:0' by='r@c' id='s'/>";
        let xml = format!("<message type='groupchat' from='r@c/n'>{named}</message>");
        let live = came(&xml).unwrap();
        assert_eq!((live.room.as_deref(), live.name.unwrap().1), (Some("r@c"), "s".into()));
        let xml = format!(
            "<message from='r@c'><result xmlns='urn:xmpp:mam:2' id='r'><forwarded \
             xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>{named}</message>\
             </forwarded></result></message>"
        );
        let row = came(&xml).unwrap();
        assert_eq!(row.room.as_deref(), Some("r@c"));
        assert_eq!(row.name, Some(("r@c".into(), "r".into())));
    }

    #[test]
    fn an_error_tells_its_condition() {
        let came = came(
            "<message type='error' id='000000ab.7'><error type='wait'><resource-constraint \
             xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
        );
        assert_eq!(came.unwrap().refused.as_deref(), Some("wait: resource-constraint"));
    }
}
