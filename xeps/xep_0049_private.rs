//! XEP-0049: Private XML Storage. <https://xmpp.org/extensions/xep-0049.html>

use crate::xep_0492_notification_settings as notifications;
use engine::{
    ctx::Ctx,
    hook::*,
    passage::{Passage, Walk},
    port::Pending,
    setting::{self, Setting},
    settings::Settings,
    unit::{Change, KEY_BYTES_MAX, Table},
    wire::*,
};
use std::collections::BTreeMap;

/// What clients keep for themselves.
pub const XEP: Xep = Xep {
    number: 49,
    name: "Private XML Storage",
    version: "1.2",
    status: Status::Complete,
    hooks: &[
        Hook::Setting(&ELEMENTS_MAX),
        Hook::Setting(&BYTES_MAX),
        Hook::Feature(Of::Host, QUERY.ns),
        Hook::Feature(Of::Account, QUERY.ns),
        Hook::At(Station::Guard, keep_others_out),
        Hook::get(Of::Account, QUERY, Answer::World(get)),
        Hook::set(Of::Account, QUERY, Answer::World(set)),
    ],
};

const QUERY: Name = Name::new("jabber:iq:private", "query");
/// The key of bookmarks (XEP-0048 §4).
const BOOKMARKS: &str = "storage storage:bookmarks";
/// Elements as they stand in the query, by their name.
const PRIVATE: Table = Table::named("private");

const ELEMENTS_MAX: Setting = Setting {
    xep: 49,
    key: "private_elements_max",
    kind: setting::Kind::Number { default: 256, from: 8, to: 4096 },
    doc: "Elements that clients of one account may keep, each under its own name.",
};
const BYTES_MAX: Setting = Setting {
    xep: 49,
    key: "private_bytes_max",
    kind: setting::Kind::Number { default: 1 << 20, from: 10_000, to: 64 << 20 },
    doc: "What they may take together, their names included.",
};

/// Section 2.3 allows `service-unavailable`, which an account that does not exist would say too.
fn keep_others_out(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let iq = &passage.stanza;
    let asks = iq.kind() == Kind::Iq && matches!(iq.head.type_str(), "get" | "set");
    let of_account = iq.head.to.as_ref().is_some_and(|to| to.is_bare());
    if passage.walk != Walk::Received || !asks || !of_account || iq.child(QUERY).is_none() {
        return Verdict::Go;
    }
    Verdict::Refuse(StanzaCondition::ServiceUnavailable.into(), Why("private XML of another"))
}

fn get<'a>(iq: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let asked = asked(iq)?;
        let kept = world.store.cell(PRIVATE, world.account, &key(asked)?).await?;
        Ok(Reply::Payload(query(kept, asked)?))
    })
}

fn set<'a>(iq: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let said = said(iq)?;
        let kept = world.store.cells(PRIVATE, world.account).await?;
        Ok(Reply::Write(changes(world.account, said, &kept, world.settings)?, None))
    })
}

/// The one element that is asked for. Section 3 says `bad-format`, which is a stream's condition
/// (RFC 6120 §4.9.3.1); of a stanza's, `bad-request` is the same.
fn asked(iq: &Stanza) -> Result<Element<'_>, StanzaError> {
    let query = iq.child(QUERY).ok_or(StanzaCondition::BadRequest)?;
    let mut elements = query.children();
    match (elements.next(), elements.next()) {
        (Some(asked), None) => Ok(asked),
        _ => Err(StanzaCondition::BadRequest.into()),
    }
}

/// What is to be kept, by name. Elements of the same name are kept together; an empty one is what
/// is found where nothing is kept, so nothing is.
fn said(iq: &Stanza) -> Result<BTreeMap<String, String>, StanzaError> {
    let mut said = BTreeMap::<String, String>::new();
    for element in iq.children().filter(|child| child.is(QUERY)).flat_map(Element::children) {
        let kept = said.entry(key(element)?).or_default();
        if element.as_str() != empty(element) {
            kept.push_str(element.as_str());
        }
    }
    match said.is_empty() {
        true => Err(StanzaCondition::NotAcceptable.into()),
        false => Ok(said),
    }
}

/// Section 2.3: an element of a namespace of its own, which is not one of XMPP's.
fn key(element: Element<'_>) -> Result<String, StanzaError> {
    let (local, ns) = (element.local(), element.ns());
    let reserved = ["jabber:", "http://jabber.org/"].iter().any(|start| ns.starts_with(start));
    let key = format!("{local} {ns}");
    if ns.is_empty() || ns == "vcard-temp" || reserved || key.len() > KEY_BYTES_MAX {
        return Err(StanzaCondition::NotAcceptable.into());
    }
    Ok(key)
}

/// Who keeps more than allowed, because the limit was another, may still keep less.
fn changes(
    account: &Bare,
    said: BTreeMap<String, String>,
    kept: &[(String, Vec<u8>)],
    settings: &Settings,
) -> Result<Vec<Change>, StanzaError> {
    let before: BTreeMap<_, _> = kept.iter().map(|(key, value)| (&**key, value.len())).collect();
    let mut after = before.clone();
    for (key, value) in &said {
        match value.len() {
            0 => after.remove(&**key),
            bytes => after.insert(key, bytes),
        };
    }
    let bytes = |cells: &BTreeMap<&str, usize>| -> usize {
        cells.iter().map(|(key, bytes)| key.len() + bytes).sum()
    };
    let (elements_max, bytes_max) = (settings.number(&ELEMENTS_MAX), settings.number(&BYTES_MAX));
    if after.len() > before.len() && after.len() as u64 > elements_max {
        return Err(full(format!("no more than {elements_max} elements are kept")));
    }
    if bytes(&after) > bytes(&before) && bytes(&after) as u64 > bytes_max {
        return Err(full(format!("no more than {bytes_max} bytes are kept")));
    }
    let change = |(key, value): (String, String)| match value.is_empty() {
        true => Change::Cut(PRIVATE, account.clone(), key),
        false => Change::Put(PRIVATE, account.clone(), key, value.into()),
    };
    let notified = said.get(BOOKMARKS).map(|kept| notification_settings(account, kept));
    Ok(said.into_iter().map(change).chain(notified).collect())
}

/// Of bookmarks the account must know of which rooms its owner wants to be notified (XEP-0492).
fn notification_settings(account: &Bare, kept: &str) -> Change {
    let iq = Stanza::parse_one(&format!("<iq>{kept}</iq>")).ok();
    let bookmarks = iq.as_ref().and_then(|iq| iq.children().next());
    let rooms = bookmarks.map(notifications::in_bookmarks).unwrap_or_default();
    let (table, key) = (notifications::SETTINGS, notifications::ROOMS.to_owned());
    match rooms.is_empty() {
        true => Change::Cut(table, account.clone(), key),
        false => Change::Put(table, account.clone(), key, rooms.into_bytes()),
    }
}

fn full(why: String) -> StanzaError {
    StanzaError::from(StanzaCondition::ResourceConstraint).with_text(why)
}

/// The answer: what is kept, or the empty element of the name that was asked for.
fn query(kept: Option<Vec<u8>>, asked: Element<'_>) -> Result<Payload, StanzaError> {
    let kept = kept.and_then(|kept| String::from_utf8(kept).ok());
    let content = kept.unwrap_or_else(|| empty(asked));
    let iq = format!("<iq><query xmlns='{}'>{content}</query></iq>", QUERY.ns);
    let read = Stanza::parse_one(&iq).map_err(|_| StanzaCondition::InternalServerError)?;
    let query = read.child(QUERY).ok_or(StanzaCondition::InternalServerError)?;
    Ok(query.to_payload())
}

fn empty(element: Element<'_>) -> String {
    format!("<{} xmlns='{}'/>", element.local(), element.ns())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{self, JULIET, ROMEO, Stage};
    use StanzaCondition::*;

    fn iq(kind: &str, content: &str) -> Stanza {
        let query = format!("<query xmlns='jabber:iq:private'>{content}</query>");
        Stanza::parse_one(&format!("<iq type='{kind}' id='1'>{query}</iq>")).unwrap()
    }

    fn juliet() -> Bare {
        Bare::parse(JULIET).unwrap()
    }

    type Cells = Vec<(String, Vec<u8>)>;

    fn set_over(kept: &Cells, content: &str) -> Result<Vec<Change>, StanzaCondition> {
        let said = said(&iq("set", content));
        let changes = said.and_then(|said| changes(&juliet(), said, kept, &stage::settings()));
        changes.map_err(|error| error.condition)
    }

    fn kept(content: &str) -> Cells {
        let changes = set_over(&vec![], content).unwrap();
        let cells = changes.into_iter().filter_map(|change| match change {
            Change::Put(PRIVATE, of, key, value) if of == juliet() => Some((key, value)),
            _ => None,
        });
        cells.collect()
    }

    fn got(kept: &Cells, content: &str) -> Result<String, StanzaCondition> {
        let iq = iq("get", content);
        let payload = asked(&iq).and_then(|asked| {
            let key = key(asked)?;
            let cell = kept.iter().find(|(at, _)| *at == key).map(|(_, value)| value.clone());
            query(cell, asked)
        });
        payload.map(|payload| payload.as_str().to_owned()).map_err(|error| error.condition)
    }

    fn answer(content: &str) -> Result<String, StanzaCondition> {
        Ok(format!("<query xmlns='jabber:iq:private'>{content}</query>"))
    }

    #[test]
    fn what_is_kept_comes_back_byte_for_byte() {
        for element in [
            "<exodus xmlns='exodus:prefs'><defaultnick>Hamlet</defaultnick></exodus>",
            "<storage xmlns='storage:bookmarks'><conference jid='a@b' name='&lt;&apos;\"&amp;'>\
             <x xmlns='urn:x' xml:lang='de'> &amp;\n\u{1f600}<y xmlns=''/></x></conference>\
             </storage>",
            "<storage xmlns='storage:metacontacts'><meta jid='a@b' tag='t' order='1'/></storage>",
        ] {
            let cells = kept(element);
            let name = element.split('>').next().unwrap();
            assert_eq!(got(&cells, &format!("{name}/>")), answer(element));
        }
    }

    #[test]
    fn where_nothing_is_kept_the_empty_element_comes_back() {
        let asked = "<storage xmlns='storage:bookmarks'/>";
        assert_eq!(got(&vec![], asked), answer(asked));
        let with_attribute = asked.replace("/>", " a='b'/>");
        assert_eq!(got(&kept(&with_attribute), asked), answer(&with_attribute));
        assert!(matches!(set_over(&vec![], asked).unwrap()[..], [Change::Cut(PRIVATE, ..), ..]));
    }

    #[test]
    fn one_set_may_bring_many_elements_section_2_3() {
        let cells = kept("<a xmlns='u'>1</a><b xmlns='u'>2</b><a xmlns='u'>3</a>");
        assert_eq!(got(&cells, "<b xmlns='u'/>"), answer("<b xmlns='u'>2</b>"));
        let both = "<a xmlns='u'>1</a><a xmlns='u'>3</a>";
        assert_eq!(got(&cells, "<a xmlns='u'/>"), answer(both));
    }

    #[test]
    fn elements_of_one_name_in_two_namespaces_are_two() {
        let cells = kept("<storage xmlns='a'>1</storage><storage xmlns='b'>2</storage>");
        assert_eq!(got(&cells, "<storage xmlns='b'/>"), answer("<storage xmlns='b'>2</storage>"));
    }

    #[test]
    fn at_43_a_get_asks_for_one_element_section_3() {
        for content in ["", "text", "<a xmlns='u'/><b xmlns='u'/>", "<a xmlns='u'/><a xmlns='u'/>"]
        {
            assert_eq!(got(&vec![], content), Err(BadRequest), "{content}");
        }
    }

    #[test]
    fn at_43_a_set_brings_one_element_at_least_section_2_3() {
        for content in ["", "text"] {
            assert_eq!(set_over(&vec![], content), Err(NotAcceptable), "{content}");
        }
    }

    #[test]
    fn at_43_an_element_has_a_namespace_of_its_own_section_2_3() {
        let long = "u".repeat(KEY_BYTES_MAX);
        for ns in [
            "",
            "jabber:iq:private",
            "jabber:client",
            "jabber:iq:roster",
            "http://jabber.org/protocol/muc",
            "vcard-temp",
            &long,
        ] {
            let element = format!("<a xmlns='{ns}'>1</a>");
            assert_eq!(got(&vec![], &element), Err(NotAcceptable), "{ns}");
            let good = "<a xmlns='u'>1</a>";
            assert_eq!(set_over(&vec![], &format!("{good}{element}")), Err(NotAcceptable), "{ns}");
        }
        assert_eq!(got(&vec![], "<a/>"), Err(NotAcceptable));
    }

    #[test]
    fn names_and_bytes_are_limited_and_less_is_always_allowed() {
        let name = |n: usize| (format!("a urn:{n}"), b"<a/>".to_vec());
        let mut cells: Cells = (0..256).map(name).collect();
        let more = "<a xmlns='urn:more'>1</a>";
        assert_eq!(set_over(&cells, more), Err(ResourceConstraint));
        assert_eq!(set_over(&cells, "<a xmlns='urn:1'>1</a>").unwrap().len(), 1);
        assert_eq!(set_over(&cells, &format!("<a xmlns='urn:1'/>{more}")).unwrap().len(), 2);
        cells.truncate(1);
        cells.push(("b u".into(), vec![b'x'; 1 << 20]));
        assert_eq!(set_over(&cells, more), Err(ResourceConstraint));
        assert_eq!(set_over(&cells, "<a xmlns='urn:0'/>").unwrap().len(), 1);
        assert_eq!(set_over(&cells, "<b xmlns='u'>1</b>").unwrap().len(), 1);
    }

    #[test]
    fn another_hears_what_an_account_that_does_not_exist_says() {
        let mut stage = Stage::of(JULIET);
        for kind in ["get", "set"] {
            for content in ["", "<a xmlns='u'>1</a>"] {
                let mut iq = iq(kind, content);
                iq.head.from = Some(Jid::parse(&format!("{ROMEO}/r")).unwrap());
                iq.head.to = Some(juliet().into());
                let answers = stage.hears(&iq.to_text());
                assert_eq!(answers.len(), 1);
                assert!(answers[0].to_text().contains("<service-unavailable "), "{answers:?}");
            }
        }
    }
}
