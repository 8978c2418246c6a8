//! XEP-0013: Flexible Offline Message Retrieval. <https://xmpp.org/extensions/xep-0013.html>
//!
//! Of it only to be rid of them all: who reads the archive wants no flood. It is not advertised,
//! for who finds the feature may count on the rest.

use engine::{ctx::Ctx, hook::*, request::Line, wire::*};

/// No flood.
pub const XEP: Xep = Xep {
    number: 13,
    name: "Flexible Offline Message Retrieval",
    version: "1.3",
    status: Status::Partial("only purge"),
    hooks: &[Hook::set(Of::Account, OFFLINE, Answer::Pure(purge))],
};

const NS: &str = "http://jabber.org/protocol/offline";
const OFFLINE: Name = Name::new(NS, "offline");
const PURGE: Name = Name::new(NS, "purge");

/// Section 2.7.
fn purge(iq: &Stanza, line: &mut Line<'_>, _: &Ctx<'_>) -> Replied {
    line.asker(iq).ok_or(StanzaCondition::ServiceUnavailable)?;
    let offline = iq.child(OFFLINE).ok_or(StanzaCondition::BadRequest)?;
    let mut wishes = offline.children();
    match (wishes.next().is_some_and(|wish| wish.is(PURGE)), wishes.next()) {
        (true, None) => line.purge(),
        _ => return Err(StanzaCondition::FeatureNotImplemented.into()),
    }
    Ok(Reply::Empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage;

    #[test]
    fn a_stranger_purges_nothing() {
        let purge = "<offline xmlns='http://jabber.org/protocol/offline'><purge/></offline>";
        let refused = stage::asked(Of::Account, "set", purge).unwrap_err();
        assert_eq!(refused.condition, StanzaCondition::ServiceUnavailable);
    }
}
