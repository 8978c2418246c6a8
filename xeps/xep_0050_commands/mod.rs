//! XEP-0050: Ad-Hoc Commands. <https://xmpp.org/extensions/xep-0050.html>
//!
//! Commands of a host, for its administrators only. Each is done at once, or asks by one form
//! first; the form brings all that must be known, so nothing is kept between the two stages.

mod session;
pub mod xep_0133_administration;

#[cfg(test)]
mod tests;

use crate::xep_0004_forms::{self as forms, Given, Layout, Wrong};
use engine::{ctx::Ctx, hook::*, port::Pending, request::stanzas, settings::Settings, wire::*};
use session::Session;
use xep_0133_administration::COMMANDS;

/// Asks for things that have no protocol of their own.
pub const XEP: Xep = Xep {
    number: 50,
    name: "Ad-Hoc Commands",
    version: "1.3.0",
    status: Status::Complete,
    hooks: &[
        Hook::Feature(Of::Host, NS),
        Hook::Nodes(Of::Host, find),
        Hook::set(Of::Host, COMMAND, Answer::World(execute)),
    ],
};

const NS: &str = "http://jabber.org/protocol/commands";
const COMMAND: Name = Name::new(NS, "command");

/// What our words are written in.
const LANG: &str = "en";

/// A command.
struct Command {
    /// How it is called (section 3.2).
    node: &'static str,
    /// For humans.
    name: &'static str,
    /// What must be known first; none: it is done at once.
    form: Option<&'static Layout>,
    /// Does it.
    run: for<'a> fn(Order<'a>) -> Pending<'a, Result<Done, StanzaError>>,
}

/// A command with all that it needs.
struct Order<'a> {
    /// Who gives it.
    by: &'a Jid,
    /// What the form says.
    given: Given,
    world: &'a World<'a>,
    request: &'a Stanza,
    /// As which it is answered.
    command: &'a Command,
    session: &'a str,
}

impl Order<'_> {
    /// The answer, for who will not be there for it.
    fn answer(&self, done: Done) -> Option<Stanza> {
        let answer = finished(answered(self.command, self.session, "completed"), done);
        stanzas(self.request, Ok(Reply::Payload(answer.finish()))).pop()
    }
}

/// What has come of a command.
struct Done {
    note: Option<(Severity, String)>,
    /// A form that tells more.
    result: Option<Draft>,
}

/// Section 4.3.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Severity {
    Info,
    Warn,
    Error,
}

impl Done {
    fn noted(severity: Severity, note: impl Into<String>) -> Self {
        Self { note: Some((severity, note.into())), result: None }
    }

    fn told(result: Draft) -> Self {
        Self { note: None, result: Some(result) }
    }
}

/// The whole address counts: who has an administrator's name elsewhere is nobody here.
fn administrates(who: &Jid, settings: &Settings) -> bool {
    settings.admins.contains(&who.bare())
}

/// Section 2.2. Who may not give commands sees none.
fn find(node: &str, iq: &Stanza, ctx: &Ctx<'_>) -> Option<Result<Node, StanzaError>> {
    let may = iq.head.from.as_ref().is_some_and(|from| administrates(from, ctx.settings));
    let (category, features) = ("automation", &[NS, forms::NS][..]);
    if node == NS {
        let shown = COMMANDS.iter().filter(|_| may);
        let items = shown.map(|command| Item { node: command.node, name: command.name });
        let (kind, name, features) = ("command-list", "Ad-Hoc Commands", &[NS][..]);
        return Some(Ok(Node { category, kind, name, features, items: items.collect() }));
    }
    let command = COMMANDS.iter().find(|command| command.node == node)?;
    if !may {
        return Some(Err(StanzaCondition::Forbidden.into()));
    }
    let (kind, items) = ("command-node", Vec::new());
    Some(Ok(Node { category, kind, name: command.name, features, items }))
}

/// Section 2.4.
fn execute<'a>(iq: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let by = iq.head.from.as_ref().ok_or(StanzaCondition::BadRequest)?;
        let request = iq.child(COMMAND).ok_or(StanzaCondition::BadRequest)?;
        let node = request.attribute("node").ok_or(StanzaCondition::BadRequest)?;
        // Section 4.4 has type `cancel` here; RFC 6120 §8.3.3.4 says `auth`, as servers do.
        if !administrates(by, world.settings) {
            return Err(StanzaCondition::Forbidden.into());
        }
        let command = COMMANDS.iter().find(|command| command.node == node);
        let command = command.ok_or_else(|| xep_0133_administration::lacking(&node))?;
        if request.attribute("xml:lang").is_some_and(|lang| !is_english(&lang)) {
            return Err(refused("bad-locale"));
        }
        let session = Session { by, node: command.node, world };
        let (id, step) = next(command, request, &session, iq)?;
        let ends = !matches!(step, Step::Ask(_));
        // What is done with its first request has not ended before.
        let begins = request.attribute("sessionid").is_none();
        if ends && !session.end(&id) && !begins {
            return Err(session::expired());
        }
        let answer = match step {
            Step::Cancel => answered(command, &id, "canceled"),
            Step::Ask(form) => {
                answered(command, &id, "executing").child(actions()).child(form.form())
            }
            Step::Run(given) => {
                let order = Order { by, given, world, request: iq, command, session: &id };
                let done = (command.run)(order).await.inspect_err(|_| session.resume(&id))?;
                finished(answered(command, &id, "completed"), done)
            }
        };
        Ok(Reply::Payload(answer.finish()))
    })
}

/// Section 3.7: a language that was asked for outright. That of the stream or the stanza is only
/// what the client speaks, and no reason to refuse it everything.
fn is_english(lang: &str) -> bool {
    let primary = lang.split('-').next().unwrap_or_default();
    primary.is_empty() || primary.eq_ignore_ascii_case(LANG)
}

/// Where a request leads.
enum Step {
    Cancel,
    Ask(&'static Layout),
    Run(Given),
}

/// The step, and the id of the session that it belongs to (sections 3.3, 3.4). A submission that
/// belongs to none is taken too: it says all that must be known.
fn next(
    command: &Command,
    request: Element<'_>,
    session: &Session<'_>,
    iq: &Stanza,
) -> Result<(String, Step), StanzaError> {
    let action = request.attribute("action");
    let action = action.as_deref().unwrap_or("execute");
    match action {
        "execute" | "complete" | "cancel" => {}
        // There is one stage: nothing comes before or after it.
        "prev" | "next" => return Err(refused("bad-action")),
        _ => return Err(refused("malformed-action")),
    }
    let submitted = submitted(request)?;
    let Some(id) = request.attribute("sessionid") else {
        let step = match (command.form, submitted) {
            _ if action != "execute" => return Err(refused("bad-sessionid")),
            (Some(form), None) => Step::Ask(form),
            (form, submitted) => Step::Run(given(form, submitted)?),
        };
        return Ok((session.begin(iq), step));
    };
    session.goes_on(&id)?;
    // What is done at once has ended with its first answer.
    let form = command.form.ok_or_else(session::expired)?;
    let step = match action {
        "cancel" => Step::Cancel,
        _ => Step::Run(given(Some(form), submitted)?),
    };
    Ok((id.into_owned(), step))
}

/// The form of a request; section 3.5.1: `cancel` is taken for `submit`.
fn submitted(request: Element<'_>) -> Result<Option<Element<'_>>, StanzaError> {
    let found: Vec<_> = request.children().filter(|child| child.is(forms::X)).take(2).collect();
    match *found {
        [] => Ok(None),
        [form] if matches!(form.attribute("type").as_deref(), Some("submit" | "cancel")) => {
            Ok(Some(form))
        }
        _ => Err(refused("bad-payload")),
    }
}

/// No form is one with nothing filled in.
fn given(form: Option<&Layout>, submitted: Option<Element<'_>>) -> Result<Given, StanzaError> {
    let Some(form) = form else { return Ok(Given::default()) };
    let empty = Draft::new(forms::X).finish();
    let read = form.read(submitted.unwrap_or_else(|| empty.element()));
    read.map_err(|wrong| match wrong {
        Wrong::Malformed(field) | Wrong::Missing(field) => {
            refused("bad-payload").with_text(format!("{field} is missing or not as it must be"))
        }
        Wrong::Invalid(field) => not_acceptable(format!("{field} is not valid")),
    })
}

/// XEP-0004 section 4.
fn not_acceptable(why: impl Into<std::borrow::Cow<'static, str>>) -> StanzaError {
    StanzaError::from(StanzaCondition::NotAcceptable).with_text(why)
}

/// A request that cannot be taken, and what of it (section 4.4).
fn refused(what: &'static str) -> StanzaError {
    let what = Draft::new(Name::new(NS, what)).finish();
    StanzaError::from(StanzaCondition::BadRequest).with_app(what)
}

/// Section 4.1; section 3.7 for the language.
fn answered(command: &Command, session: &str, status: &str) -> Draft {
    let answer = Draft::new(COMMAND).attribute("node", command.node);
    let answer = answer.attribute("sessionid", session).attribute("status", status);
    answer.attribute("xml:lang", LANG)
}

/// Section 3.4: `execute` means to complete it, and nothing else may be done but to cancel.
fn actions() -> Draft {
    let actions = Draft::new(Name::new(NS, "actions")).attribute("execute", "complete");
    actions.child(Draft::new(Name::new(NS, "complete")))
}

fn finished(answer: Draft, Done { note, result }: Done) -> Draft {
    let answer = result.into_iter().fold(answer, Draft::child);
    let Some((severity, text)) = note else { return answer };
    let severity = match severity {
        Severity::Info => "info",
        Severity::Warn => "warn",
        Severity::Error => "error",
    };
    answer.child(Draft::new(Name::new(NS, "note")).attribute("type", severity).text(text))
}
