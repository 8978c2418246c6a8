//! XEP-0313: Message Archive Management. <https://xmpp.org/extensions/xep-0313.html>
//!
//! The archive of an account is its log: what is kept here is durable before anybody gets it, and
//! what is acknowledged stands in it. What the archive does not show stands there, too, until it
//! has been delivered.

mod entry;
mod page;
mod query;
mod retry;
pub mod xep_0359_ids;
pub mod xep_0430_inbox;
pub mod xep_0431_fulltext;
pub mod xep_0441_preferences;

use crate::{
    xep_0082_dates::date_time_ms,
    xep_0297_forwarding::forwarded,
    xep_0334_hints::{NO_PERMANENT_STORE, hints},
};
use engine::{
    archive,
    ctx::Ctx,
    hook::*,
    passage::{Passage, Walk},
    port::Pending,
    request::Line,
    settings::Settings,
    unit::{Flags, Pos},
    wire::*,
};
use query::{QUERY, Query};

/// What was said.
pub const XEP: Xep = Xep {
    number: 313,
    name: "Message Archive Management",
    version: "1.1.3",
    status: Status::Complete,
    hooks: &[
        Hook::Feature(Of::Account, NS),
        // Not an archive itself (section 8), but the only one that profanity 0.13 asks.
        Hook::Feature(Of::Host, NS),
        Hook::Feature(Of::Account, "urn:xmpp:mam:2#extended"),
        Hook::Feature(Of::Account, "urn:xmpp:mam:2#groupchat-field"),
        Hook::Feature(Of::Room, NS),
        Hook::Feature(Of::Room, "urn:xmpp:mam:2#extended"),
        Hook::get(Of::Room, QUERY, Answer::Pure(form)),
        Hook::set(Of::Room, QUERY, Answer::World(query_of_room)),
        Hook::get(Of::Room, METADATA, Answer::World(metadata)),
        Hook::At(Station::Guard, keep_others_out),
        Hook::At(Station::Keep, keep),
        Hook::Keeps(keeps),
        Hook::get(Of::Account, QUERY, Answer::Pure(form)),
        Hook::set(Of::Account, QUERY, Answer::World(query)),
        Hook::get(Of::Account, METADATA, Answer::World(metadata)),
        Hook::Ends(ends),
        Hook::CatchUp(catches_up),
    ],
};

/// The namespace of archives, their queries and preferences.
const NS: &str = "urn:xmpp:mam:2";
const RESULT: Name = Name::new(NS, "result");
const FIN: Name = Name::new(NS, "fin");
const METADATA: Name = Name::new(NS, "metadata");
/// Of whom a message in a room really was. Beside a request: whoever asks may see it.
const MUC_USER: Name = Name::new("http://jabber.org/protocol/muc#user", "x");

/// Section 9.1 asks for `forbidden`; but an account that does not exist cannot say so, and the word
/// would tell that one does (RFC 6120 §13.11).
fn keep_others_out(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let iq = &passage.stanza;
    let asks = iq.kind() == Kind::Iq && matches!(iq.head.type_str(), "get" | "set");
    let of_account = iq.head.to.as_ref().is_some_and(|to| to.is_bare());
    if passage.walk != Walk::Received || !asks || !of_account {
        return Verdict::Go;
    }
    if ![QUERY, METADATA].into_iter().any(|name| iq.child(name).is_some()) {
        return Verdict::Go;
    }
    Verdict::Refuse(StanzaCondition::ServiceUnavailable.into(), Why("the archive of another"))
}

/// Section 6.1. The sender's log and the recipient's have it both, each as its owner wants it.
fn keep(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    if passage.stanza.kind() != Kind::Message || !entry::is_entry(passage) {
        return Verdict::Go;
    }
    let is_shown = !hints(&passage.stanza, NO_PERMANENT_STORE)
        && xep_0441_preferences::is_archived(passage, ctx);
    match is_shown {
        true => passage.keep(Flags::ARCHIVE, xep_0359_ids::stamp),
        false => passage.keep(Flags::TRANSIT, unnamed),
    }
    if passage.walk != Walk::Sent {
        return Verdict::Go;
    }
    let retry = retry::retry(&passage.stanza, &passage.account.jid, ctx.unix_ms);
    if let Some(retry::Retry { key, since, repeatable }) = retry {
        passage.once(key, since, repeatable);
    }
    Verdict::Go
}

/// The same of what somebody says in a room: its log has it once, for all (section 6.2).
fn keeps(said: &Stanza, by: &Bare, ctx: &Ctx<'_>) -> Option<Kept> {
    let is_kept = entry::is_said(said) && !hints(said, NO_PERMANENT_STORE);
    let retry = retry::retry(said, by, ctx.unix_ms);
    let once = retry.map(|retry::Retry { key, since, repeatable }| (key, since, repeatable));
    let flags = match xep_0430_inbox::is_to_be_read(said) {
        true => Flags::ARCHIVE.and(Flags::SPEAKS),
        false => Flags::ARCHIVE,
    };
    is_kept.then_some(Kept { flags, once })
}

/// Section 3.3: an id is told of what the archive shows, for clients ask it for what came after.
fn unnamed(message: Stanza, _: &Bare, _: Pos, _: &Ctx<'_>) -> Stanza {
    message
}

/// Section 4.1.5.
fn form(_: &Stanza, _: &mut Line<'_>, ctx: &Ctx<'_>) -> Replied {
    let form = query::form(ctx.settings).form();
    Ok(Reply::Payload(Draft::new(QUERY).child(form).finish()))
}

/// Section 4.
fn query<'a>(iq: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(answer(iq, world, |said| said))
}

/// The same of a room (section 6.1.2), which says whether addresses may be seen.
fn query_of_room<'a>(iq: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    match iq.child(MUC_USER) {
        Some(_) => query(iq, world),
        None => Box::pin(answer(iq, world, |said| said.without(MUC_USER))),
    }
}

async fn answer(iq: &Stanza, world: &World<'_>, seen: fn(Stanza) -> Stanza) -> Replied {
    let asked = iq.child(QUERY).ok_or(StanzaCondition::BadRequest)?;
    let asked = Query::read(asked, world.settings)?;
    let page = page::read(&asked, world).await?;
    let fin = Draft::new(FIN);
    // Section 4.3.2: what is committed stays as it is, so nothing is said of `stable`.
    let fin = if page.is_complete { fin.attribute("complete", "true") } else { fin };
    let results = page.entries.into_iter().map(|(pos, said)| {
        let id = world.settings.names.name(world.account, pos);
        told(iq, world).with(result(pos, id, &seen(said), asked.id.as_deref()).finish())
    });
    let mut results: Vec<_> = results.collect();
    if asked.is_flipped {
        results.reverse();
    }
    Ok(Reply::After(results, Some(fin.child(page.set.draft()).finish())))
}

/// Whether a query leads to the end of all that there is. Who looks at one conversation, back, or
/// only how much there is, has not caught up with the others; nor who searches for words, who
/// begins at a time, before which something may wait, or who has not been told the last of it.
fn catches_up(iq: &Stanza, reply: &Reply, settings: &Settings) -> bool {
    let Reply::After(_, Some(fin)) = reply else { return false };
    if fin.element().attribute("complete").as_deref() != Some("true") {
        return false;
    }
    let asked = iq.child(QUERY).map(|query| Query::read(query, settings));
    let Some(Ok(asked)) = asked else { return false };
    let Query { with: None, time: (from, None), before: None, words: None, page, .. } = &asked
    else {
        return false;
    };
    *from == Pos::default() && asked.ids.is_empty() && page.before.is_none() && page.max != Some(0)
}

/// What the account tells who asks.
fn told(iq: &Stanza, world: &World<'_>) -> Stanza {
    let mut head = Head::new(Kind::Message).with_from(world.account.clone());
    head.to.clone_from(&iq.head.from);
    Stanza::new(head)
}

/// Section 4.2: what stands in a log at `pos`, which is called `id` there.
fn result(pos: Pos, id: String, said: &Stanza, query_id: Option<&str>) -> Draft {
    let result = Draft::new(RESULT);
    let result = match query_id {
        Some(id) => result.attribute("queryid", id),
        None => result,
    };
    let result = result.attribute("id", id);
    result.child(forwarded(said, Some(date_time_ms(pos.unix_ms()))))
}

/// Section 5.
fn metadata<'a>(_: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let found = archive::ends(world.store, world.account).await?;
        Ok(Reply::Payload(ends(world.account, found, world.settings)))
    })
}

fn ends(of: &Bare, found: Option<(Pos, Pos)>, settings: &Settings) -> Payload {
    let end = |name: &'static str, pos: Pos| {
        Draft::new(Name::new(NS, name))
            .attribute("id", settings.names.name(of, pos))
            .attribute("timestamp", date_time_ms(pos.unix_ms()))
    };
    let metadata = Draft::new(METADATA);
    match found {
        Some((first, last)) => metadata.child(end("start", first)).child(end("end", last)).finish(),
        None => metadata.finish(),
    }
}

#[cfg(test)]
mod tests;
