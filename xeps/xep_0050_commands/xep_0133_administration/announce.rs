//! What all hear who are online.

use super::*;
use engine::port::Pending;

const ANNOUNCEMENT: Field =
    Field { var: "announcement", kind: Kind::TextMulti, label: "The announcement", required: true };
const BODY: Name = Name::new(ns::CLIENT, "body");

/// Section 4.23.
pub const ANNOUNCE: Command = Command {
    node: "http://jabber.org/protocol/admin#announce",
    name: "Send Announcement to Online Users",
    form: Some(&Layout {
        form_type: NS,
        title: "Making an Announcement",
        instructions: "Fill out this form to tell something to all users who are online.",
        fields: &[ANNOUNCEMENT],
    }),
    run: announce,
};

/// A headline: news to which no answer is expected (RFC 6121 §5.2.2).
fn announce(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let host = order.world.account;
        let head =
            Head::new(engine::wire::Kind::Message).with_type("headline").with_from(host.clone());
        let body = Draft::new(BODY).text(order.given.text(ANNOUNCEMENT.var)).finish();
        order.world.registrar.announce(host, Stanza::new(head).with(body));
        Ok(Done::noted(Severity::Info, "the announcement has been made"))
    })
}
