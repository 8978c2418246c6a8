//! XEP-0054: vcard-temp. <https://xmpp.org/extensions/xep-0054.html>

use engine::{
    ctx::Ctx,
    hook::*,
    passage::{Passage, Walk},
    port::Pending,
    request::Line,
    setting::{self, Setting},
    unit::Table,
    wire::*,
};

/// What people tell of themselves.
pub const XEP: Xep = Xep {
    number: 54,
    name: "vcard-temp",
    version: "1.3.0",
    status: Status::Complete,
    hooks: &[
        Hook::Setting(&BYTES_MAX),
        Hook::Feature(Of::Host, VCARD.ns),
        Hook::Feature(Of::Account, VCARD.ns),
        Hook::AtHand(SHOWN),
        Hook::At(Station::Guard, refuse),
        Hook::get(Of::Account, VCARD, Answer::World(get)),
        Hook::set(Of::Account, VCARD, Answer::Pure(set)),
    ],
};

const VCARD: Name = Name::new("vcard-temp", "vCard");

/// The vCard, which may hold a picture.
const CARD: Table = Table::named("vcard");
/// Whether there is one. At hand, so that who asks an account without a vCard waits no longer, and
/// may ask no less often, than who asks an account that does not exist.
const SHOWN: Table = Table::named("vcard-shown");
const KEY: &str = "";

const BYTES_MAX: Setting = Setting {
    xep: 54,
    key: "vcard_bytes_max",
    kind: setting::Kind::Number { default: 192 << 10, from: 10_000, to: 16 << 20 },
    doc: "One vCard, with the picture in it.",
};

/// What needs no look at the vCard to be refused.
fn refuse(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    let Head { kind, to, .. } = &*passage.stanza.head;
    let Some(to) = to.as_ref().filter(|to| to.is_bare() && to.local().is_some()) else {
        return Verdict::Go;
    };
    if *kind != Kind::Iq || passage.stanza.child(VCARD).is_none() {
        return Verdict::Go;
    }
    match (passage.walk, passage.stanza.head.type_str()) {
        // Section 3.2. Said at the sender's account, because there it says nothing of the other.
        (Walk::Sent, "set") if ctx.settings.serves(to.domain()) => {
            Verdict::Refuse(StanzaCondition::Forbidden.into(), Why("the vCard of another"))
        }
        // Section 3.3: as an account that does not exist.
        (Walk::Received, "get") if passage.account.cells.get(SHOWN, KEY).is_none() => {
            Verdict::Refuse(StanzaCondition::ServiceUnavailable.into(), Why("there is no vCard"))
        }
        _ => Verdict::Go,
    }
}

fn get<'a>(iq: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let card = world.store.cell(CARD, world.account, KEY).await?;
        let mine = iq.head.from.as_ref().is_some_and(|from| from.bare() == *world.account);
        answer(card, mine)
    })
}

/// Sections 3.1 and 3.3.
fn answer(card: Option<Vec<u8>>, mine: bool) -> Replied {
    let Some(card) = card else {
        // Of the two that section 3.1 allows, what clients edit without a thought.
        let none = Reply::Payload(Draft::new(VCARD).finish());
        return if mine { Ok(none) } else { Err(StanzaCondition::ServiceUnavailable.into()) };
    };
    let iq = format!("<iq>{}</iq>", String::from_utf8_lossy(&card));
    let read = Stanza::parse_one(&iq).map_err(|_| StanzaCondition::InternalServerError)?;
    let card = read.child(VCARD).ok_or(StanzaCondition::InternalServerError)?;
    Ok(Reply::Payload(card.to_payload()))
}

/// Section 3.2. Nothing is asked of it but its name: clients leave out what the DTD requires.
fn set(iq: &Stanza, line: &mut Line<'_>, ctx: &Ctx<'_>) -> Replied {
    line.asker(iq).ok_or(StanzaCondition::ServiceUnavailable)?;
    let card = iq.child(VCARD).ok_or(StanzaCondition::BadRequest)?;
    // Who empties it has one that says nothing: it is no less there for who looks.
    if card.children().next().is_none() && !card.text().trim().is_empty() {
        return Err(StanzaCondition::BadRequest.into());
    }
    let card = card.to_payload();
    let bytes_max = ctx.settings.number(&BYTES_MAX);
    if card.as_str().len() as u64 > bytes_max {
        let why = format!("no vCard of more than {bytes_max} bytes is kept");
        return Err(StanzaError::from(StanzaCondition::NotAcceptable).with_text(why));
    }
    line.put(CARD, KEY, card.as_str().into())?;
    line.put(SHOWN, KEY, Vec::new())?;
    Ok(Reply::Empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{JULIET, ROMEO, Stage};

    fn vcard(content: &str) -> String {
        format!("<vCard xmlns='vcard-temp'>{content}</vCard>")
    }

    /// The condition that the account's own client hears when it sets this; none for success.
    fn set(stage: &mut Stage, to: &str, vcard: &str) -> Option<String> {
        let answers = stage.says(&format!("<iq type='set' id='1'{to}>{vcard}</iq>"));
        assert_eq!(answers.len(), 1, "{answers:?}");
        let error = answers[0].children().next().map(|error| error.to_payload());
        assert_eq!(answers[0].head.type_str() == "error", error.is_some());
        error.map(|error| error.element().children().next().unwrap().local().to_owned())
    }

    fn heard_by_another(stage: &mut Stage, kind: &str) -> Vec<Stanza> {
        let vcard = vcard("<FN>R</FN>");
        let iq = format!("<iq type='{kind}' id='1' from='{ROMEO}/r' to='{JULIET}'>{vcard}</iq>");
        stage.hears(&iq)
    }

    #[test]
    fn what_is_kept_comes_back_byte_for_byte() {
        let card = vcard(
            "<N><GIVEN>J&amp;</GIVEN><MIDDLE/></N><PHOTO><TYPE>image/png</TYPE>\
             <BINVAL>\niVBORw0KGgo=\n</BINVAL></PHOTO><x xmlns='urn:x' y='&apos;\"'/>",
        );
        let Ok(Reply::Payload(told)) = answer(Some(card.clone().into()), false) else { panic!() };
        assert_eq!(told.as_str(), card);
    }

    #[test]
    fn without_a_vcard_oneself_is_told_so_and_others_nothing_section_3_3() {
        let Ok(Reply::Payload(none)) = answer(None, true) else { panic!() };
        assert_eq!(none.as_str(), "<vCard xmlns='vcard-temp'/>");
        let refused = answer(None, false).unwrap_err().condition;
        assert_eq!(refused, StanzaCondition::ServiceUnavailable);
    }

    #[test]
    fn at_62_a_stranger_is_refused_at_once_where_there_is_no_vcard() {
        let mut juliet = Stage::of(JULIET);
        let refused = |answers: &[Stanza]| {
            answers.len() == 1 && answers[0].to_text().contains("<service-unavailable ")
        };
        assert!(refused(&heard_by_another(&mut juliet, "get")));
        assert_eq!(set(&mut juliet, "", &vcard("<FN>Juliet</FN>")), None);
        assert!(heard_by_another(&mut juliet, "get").is_empty(), "the store is read for it");
        assert_eq!(set(&mut juliet, "", &vcard("")), None);
        assert!(heard_by_another(&mut juliet, "get").is_empty(), "an empty one is one");
        assert!(refused(&heard_by_another(&mut juliet, "set")));
    }

    #[test]
    fn the_vcard_of_another_cannot_be_set_whether_there_is_another_section_3_2() {
        let mut juliet = Stage::of(JULIET);
        for to in [ROMEO, "nobody@wax.example"] {
            let refused = set(&mut juliet, &format!(" to='{to}'"), &vcard("<FN>R</FN>"));
            assert_eq!(refused.as_deref(), Some("forbidden"));
        }
        assert_eq!(set(&mut juliet, &format!(" to='{JULIET}'"), &vcard("<FN>J</FN>")), None);
    }

    #[test]
    fn at_43_a_vcard_is_not_text_and_not_too_big() {
        let mut juliet = Stage::of(JULIET);
        assert_eq!(set(&mut juliet, "", &vcard("Juliet")).as_deref(), Some("bad-request"));
        let of = |bytes: usize| {
            let spare = vcard("<FN></FN>").len();
            vcard(&format!("<FN>{}</FN>", "x".repeat(bytes - spare)))
        };
        assert_eq!(set(&mut juliet, "", &of(192 << 10)), None);
        let refused = set(&mut juliet, "", &of((192 << 10) + 1));
        assert_eq!(refused.as_deref(), Some("not-acceptable"));
    }
}
