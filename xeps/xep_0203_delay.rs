//! XEP-0203: Delayed Delivery. <https://xmpp.org/extensions/xep-0203.html>
//!
//! A vocabulary, and the look that says of what the server tells again when it was said.

use crate::xep_0082_dates::date_time_ms;
use engine::{
    ctx::Ctx,
    hook::*,
    passage::{Passage, Walk},
    wire::*,
};

/// When it was said.
pub const XEP: Xep = Xep {
    number: 203,
    name: "Delayed Delivery",
    version: "2.0",
    status: Status::Complete,
    hooks: &[Hook::At(Station::Mark, tell_when)],
};

const DELAY: Name = Name::new("urn:xmpp:delay", "delay");

/// RFC 6121 §4.3.2: the account tells the last presence of who is away. XEP-0160 §2: the host
/// tells a message that was kept.
fn tell_when(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let Some(said_ms) = passage.said_ms else { return Verdict::Go };
    let account = passage.account.jid.clone();
    let by = match passage.walk {
        Walk::Sent => Ok(account),
        Walk::Received => Bare::host(account.domain()),
    };
    if let Ok(by) = by {
        passage.stanza = delayed(passage.stanza.clone(), &by, said_ms);
    }
    Verdict::Go
}

/// The stanza with the word of `by` that it was said then, in milliseconds since 1970; in the place
/// of what else was said of it in that name (section 4: who delays it writes its own). To the
/// millisecond, as an archive has it (XEP-0313): a client that hears it both ways orders by that.
fn delayed(stanza: Stanza, by: &Bare, unix_ms: u64) -> Stanza {
    let stamp = date_time_ms(unix_ms);
    let delay = Draft::new(DELAY).attribute("from", by.as_str()).attribute("stamp", stamp);
    let ours = |child: Element<'_>| {
        child.is(DELAY) && child.attribute("from").as_deref() == Some(by.as_str())
    };
    stanza.retain(|child| !ours(child)).with(delay.finish())
}
