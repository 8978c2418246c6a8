//! XEP-0386: Bind 2. <https://xmpp.org/extensions/xep-0386.html>

use engine::{ctx::Ctx, hook::*, stream::sasl::profile::Bind, wire::*};

/// A resource together with the login.
pub const XEP: Xep =
    Xep { number: 386, name: "Bind 2", version: "1.1.0", status: Status::Complete, hooks: &[] };

const NS: &str = "urn:xmpp:bind:0";
const BIND: Name = Name::new(NS, "bind");
const TAG: Name = Name::new(NS, "tag");
/// What a session begins with: more than a client can mean.
const INLINE_ELEMENTS_MAX: usize = 16;

/// Section 3.
pub(super) fn feature(ctx: &Ctx<'_>) -> Draft {
    let feature = |var: &str| Draft::new(Name::new(NS, "feature")).attribute("var", var);
    let mut known = ctx.hooks.inline().map(feature).peekable();
    let bind = Draft::new(BIND);
    match known.peek() {
        Some(_) => bind.child(known.fold(Draft::new(Name::new(NS, "inline")), Draft::child)),
        None => bind,
    }
}

/// Section 4.1.
pub(super) fn wish(authenticate: Element<'_>) -> Option<Bind> {
    let bind = authenticate.child(BIND)?;
    let tag = bind.child(TAG).map(|tag| tag.text().into_owned());
    let others = bind.children().filter(|child| child.ns() != NS).take(INLINE_ELEMENTS_MAX);
    Some(Bind { tag, inline: others.map(Element::to_payload).collect() })
}

/// Section 4.3.
pub(super) fn bound(begun: &[Payload]) -> Draft {
    begun.iter().fold(Draft::new(Name::new(NS, "bound")), Draft::payload)
}
