//! The commands by which hats are made and given (sections 3.2 to 3.7). Each is done at once, or
//! asks by one form first; the form brings all that must be known, so nothing is kept between.

use super::{COMMAND, COMMANDS, Hat, TEXT_BYTES_MAX};
use crate::{
    xep_0004_forms::{self as forms, Field, Given, Kind, Layout},
    xep_0045_muc::{
        line::{Asker, Step},
        rank::{Affiliation, Role},
        reply::short_enough,
        room::{Room, Turn, send},
    },
};
use engine::{ctx::Ctx, wire::*};

const FORM_TYPE: &str = "urn:xmpp:hats:commands";
const TITLE: &str = "hats#title";
const URI: &str = "hats#uri";
const HUE: &str = "hats#hue";
const JID: &str = "hats#jid";

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Create,
    Destroy,
    List,
    Assign,
    Unassign,
    ListAssigned,
}

/// A command: its node, for humans, and what must be known first.
type Command = (What, &'static str, &'static str, &'static [Field]);

const ALL: &[Command] = &[
    (What::Create, "urn:xmpp:hats:commands:create", "Create a hat", &[URI_OF, TITLE_OF, HUE_OF]),
    (What::Destroy, "urn:xmpp:hats:commands:destroy", "Destroy a hat", &[URI_OF]),
    (What::List, "urn:xmpp:hats:commands:list", "List hats", &[]),
    (What::Assign, "urn:xmpp:hats:commands:assign", "Assign a hat", &[JID_OF, URI_OF]),
    (What::Unassign, "urn:xmpp:hats:commands:unassign", "Remove a hat", &[JID_OF, URI_OF]),
    (What::ListAssigned, "urn:xmpp:hats:commands:list-assigned", "List who wears hats", &[]),
];

const URI_OF: Field = Field { var: URI, kind: Kind::TextSingle, label: "URI", required: true };
const TITLE_OF: Field =
    Field { var: TITLE, kind: Kind::TextSingle, label: "Title", required: true };
const HUE_OF: Field = Field { var: HUE, kind: Kind::TextSingle, label: "Hue", required: false };
const JID_OF: Field = Field { var: JID, kind: Kind::JidSingle, label: "Address", required: true };

/// All that any of them asks for.
const LAYOUT: Layout = Layout {
    form_type: FORM_TYPE,
    title: "",
    instructions: "",
    fields: &[
        Field { required: false, ..JID_OF },
        Field { required: false, ..URI_OF },
        Field { required: false, ..TITLE_OF },
        HUE_OF,
    ],
};

impl What {
    /// Admins and owners make and give; who is in the room may know which there are, and who sees
    /// addresses, who wears which.
    fn may(self, room: &Room, from: &Jid) -> bool {
        let rank = room.rank(from);
        let is_here = rank.role > Role::None || rank.affiliation >= Affiliation::Member;
        rank.affiliation >= Affiliation::Admin
            || is_here && self == Self::List
            || rank.role > Role::None
                && self == Self::ListAssigned
                && room.shows_addresses_to(rank.role)
    }
}

impl Room {
    /// XEP-0050 §2.2: what somebody may ask for.
    pub fn commands(&self, from: &Jid) -> impl Iterator<Item = (&'static str, &'static str)> {
        let may = ALL.iter().filter(move |(what, ..)| what.may(self, from));
        may.map(|&(_, node, name, _)| (node, name))
    }

    /// A command.
    ///
    /// # Errors
    /// `item-not-found` for one that there is not, `forbidden` for who may not, `bad-request` and
    /// `not-acceptable` for a form that nothing can be made of; what the command itself refuses.
    pub fn command(
        &mut self,
        iq: &Stanza,
        from: &Jid,
        asked: Element<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let node = asked.attribute("node").ok_or(StanzaCondition::BadRequest)?;
        let command = ALL.iter().find(|(_, known, ..)| *known == node);
        let &(what, node, name, fields) = command.ok_or(StanzaCondition::ItemNotFound)?;
        if !what.may(self, from) {
            return Err(StanzaCondition::Forbidden.into());
        }
        let session = asked.attribute("sessionid").map(|id| id.into_owned());
        let session = session.unwrap_or_else(|| format!("{:x}", turn.ctx.number()));
        let answer = |status| {
            let answer = Draft::new(COMMAND).attribute("node", node);
            answer.attribute("sessionid", &session).attribute("status", status)
        };
        let answer = match (asked.attribute("action").as_deref(), asked.child(forms::X)) {
            (Some("cancel"), _) => answer("canceled"),
            (None | Some("execute" | "complete"), None) if !fields.is_empty() => {
                answer("executing").child(actions()).child(self.asked_form(name, fields))
            }
            (None | Some("execute" | "complete"), form) => {
                let given = form.map(|form| read(form, fields)).transpose()?.unwrap_or_default();
                let mut step = self.step(Asker::Sender(iq.clone()));
                let told = self.obey(what, &given, &mut step, turn.ctx)?;
                let done = told.into_iter().fold(answer("completed"), Draft::child);
                // Only what changes nothing tells much.
                step.send(iq.result().with(short_enough(done.finish())?));
                self.take(step, turn);
                return Ok(());
            }
            _ => return Err(bad("bad-action")),
        };
        send(iq.result().with(answer.finish()), turn.out);
        Ok(())
    }

    fn obey(
        &mut self,
        what: What,
        given: &Given,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Result<Option<Draft>, StanzaError> {
        let uri = given.one(URI).unwrap_or_default();
        let who = given.jids(JID).first().map(Jid::bare).ok_or(StanzaCondition::BadRequest);
        match what {
            What::List => return Ok(Some(self.list_of_hats())),
            What::ListAssigned => return Ok(Some(self.list_of_wearers())),
            What::Create => {
                let text = |var| given.one(var).unwrap_or_default().to_owned();
                self.make_hat(uri, Hat { title: text(TITLE), hue: text(HUE) }, step, ctx)?;
            }
            What::Destroy => self.destroy_hat(uri, step, ctx)?,
            What::Assign => self.assign_hat(&who?, uri, step, ctx)?,
            What::Unassign => self.unassign_hat(&who?, uri, step, ctx)?,
        }
        Ok(None)
    }

    /// Which hat is meant, is one of those that there are; a new one is none of them.
    fn asked_form(&self, name: &str, fields: &[Field]) -> Draft {
        let is_new = fields.iter().any(|field| field.var == TITLE);
        let fields = fields.iter().map(|field| match field.var {
            URI if !is_new => {
                let draft = Draft::new(forms::FIELD).attribute("var", URI);
                let draft = draft.attribute("type", "list-single").attribute("label", "Hat");
                let draft = draft.child(Draft::new(Name::new(forms::NS, "required")));
                let options = self.hats.made.iter().map(|(uri, hat)| {
                    let option = Draft::new(Name::new(forms::NS, "option"));
                    let option = option.attribute("label", &hat.title);
                    option.child(Draft::new(forms::VALUE).text(uri))
                });
                options.fold(draft, Draft::child)
            }
            _ => field.filled([""; 0]),
        });
        fields.fold(started("form", name), Draft::child)
    }

    fn list_of_hats(&self) -> Draft {
        let items = self
            .hats
            .made
            .iter()
            .map(|(uri, hat)| item(&[(TITLE, &hat.title), (URI, uri), (HUE, &hat.hue)]));
        let head = started("result", "Hats").child(reported(&[TITLE, URI, HUE]));
        items.fold(head, Draft::child)
    }

    fn list_of_wearers(&self) -> Draft {
        let all = self.hats.worn.iter();
        let all = all.flat_map(|(who, worn)| worn.iter().map(move |uri| (who, uri)));
        let items = all.filter_map(|(who, uri)| {
            let hat = self.hats.made.get(uri)?;
            Some(item(&[(JID, who.as_str()), (URI, uri), (TITLE, &hat.title), (HUE, &hat.hue)]))
        });
        let head = started("result", "Who wears hats");
        items.fold(head.child(reported(&[JID, URI, TITLE, HUE])), Draft::child)
    }
}

fn read(form: Element<'_>, fields: &[Field]) -> Result<Given, StanzaError> {
    let given = LAYOUT.read(form).map_err(|_| bad("bad-payload"))?;
    let is_given = |field: &Field| !field.required || given.one(field.var).is_some();
    if form.attribute("type").as_deref() != Some("submit") || !fields.iter().all(is_given) {
        return Err(bad("bad-payload"));
    }
    let is_text = |var| {
        let text = given.one(var).unwrap_or_default();
        text.len() <= TEXT_BYTES_MAX && !text.contains(|c: char| c.is_control())
    };
    let hue = given.one(HUE).map_or(Ok(0.0), str::parse::<f64>);
    let is_hue = hue.is_ok_and(|hue| (0.0..=360.0).contains(&hue));
    match is_text(URI) && is_text(TITLE) && is_text(HUE) && is_hue {
        true => Ok(given),
        false => Err(StanzaCondition::NotAcceptable.into()),
    }
}

/// XEP-0050 §4.4.
fn bad(why: &'static str) -> StanzaError {
    let error = StanzaError::new(ErrorType::Modify, StanzaCondition::BadRequest);
    error.with_app(Draft::new(Name::new(COMMANDS, why)).finish())
}

fn actions() -> Draft {
    let actions = Draft::new(Name::new(COMMANDS, "actions")).attribute("execute", "complete");
    actions.child(Draft::new(Name::new(COMMANDS, "complete")))
}

fn started(kind: &str, title: &str) -> Draft {
    let hidden = Draft::new(forms::FIELD).attribute("var", forms::FORM_TYPE);
    let hidden = hidden.attribute("type", "hidden").child(Draft::new(forms::VALUE).text(FORM_TYPE));
    let title = Draft::new(Name::new(forms::NS, "title")).text(title);
    Draft::new(forms::X).attribute("type", kind).child(title).child(hidden)
}

fn reported(vars: &[&'static str]) -> Draft {
    let fields = vars.iter().map(|var| Draft::new(forms::FIELD).attribute("var", var));
    fields.fold(Draft::new(Name::new(forms::NS, "reported")), Draft::child)
}

fn item(values: &[(&'static str, &str)]) -> Draft {
    let fields = values.iter().map(|(var, value)| {
        let value = Draft::new(forms::VALUE).text(*value);
        Draft::new(forms::FIELD).attribute("var", var).child(value)
    });
    fields.fold(Draft::new(Name::new(forms::NS, "item")), Draft::child)
}
