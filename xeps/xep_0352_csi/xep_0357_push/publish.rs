//! The notification, as it is published (section 7).

use super::{SUMMARY, registration::Registration};
use crate::{
    xep_0004_forms::{FIELD, FORM_TYPE, VALUE, X},
    xep_0352_csi::weight::Summons,
};
use engine::{ctx::Ctx, wire::*};

const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
const NOTIFICATION: Name = Name::new(super::NS, "notification");
/// As app servers of several families know it.
const PRIORITY: Name = Name::new("tigase:push:priority:0", "priority");
const BODY: Name = Name::new(ns::CLIENT, "body");
/// Told in place of what was said: some app servers make a notification that can be seen, and
/// heard, only when there is a text.
const NOTICE: &str = "New message";

/// The request that tells the service of this message, the last of so many.
pub fn publish(
    of: &Registration,
    account: &Bare,
    message: &Stanza,
    summons: Summons,
    missed: u64,
    ctx: &Ctx<'_>,
) -> Stanza {
    let named = |name| Draft::new(Name::new(PUBSUB, name));
    let mut notification = Draft::new(NOTIFICATION).child(summary(message, missed, ctx));
    if summons == Summons::Call {
        notification = notification.child(Draft::new(PRIORITY).text("high"));
    }
    let mut publish = named("publish");
    if let Some(node) = &of.node {
        publish = publish.attribute("node", node);
    }
    let mut pubsub = named("pubsub").child(publish.child(named("item").child(notification)));
    if let Some(options) = of.options() {
        pubsub = pubsub.child(named("publish-options").payload(&options));
    }
    let head = Head::new(Kind::Iq).with_type("set").with_id(ctx.token());
    let head = head.with_from(account.clone()).with_to(of.service.clone());
    Stanza::new(head).with(pubsub.finish())
}

/// What the operator lets strangers know.
fn summary(message: &Stanza, missed: u64, ctx: &Ctx<'_>) -> Draft {
    let field = |form: Draft, var: &str, value: &str| {
        let field = Draft::new(FIELD).attribute("var", var);
        form.child(field.child(Draft::new(VALUE).text(value)))
    };
    let form = Draft::new(X).attribute("type", "submit");
    let form = field(form, FORM_TYPE, "urn:xmpp:push:summary");
    let form = field(form, "message-count", &missed.to_string());
    let told = ctx.settings.choice(&SUMMARY);
    let sender = message.head.from.as_ref().filter(|_| matches!(told, "sender" | "body"));
    let form = sender
        .into_iter()
        .fold(form, |form, sender| field(form, "last-message-sender", sender.as_str()));
    let body = message.child(BODY).filter(|_| told == "body");
    match body.map(Element::text) {
        Some(body) => field(form, "last-message-body", &body),
        None if told == "count" => form,
        None => field(form, "last-message-body", NOTICE),
    }
}
