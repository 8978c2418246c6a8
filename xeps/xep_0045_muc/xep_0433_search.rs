//! XEP-0433: Extended Channel Search. <https://xmpp.org/extensions/xep-0433.html>
//!
//! The service searches the rooms that everybody may find, without waking them. About how many are
//! in one that is for all, the room says when it is no more what it said last (`service.rs`).

use super::{
    config::Config,
    service::{Found, listed, page},
};
use crate::{
    xep_0004_forms::{FIELD, FORM_TYPE, Field, Given, Kind, Layout, VALUE, Wrong, X},
    xep_0059_rsm as rsm,
};
use engine::{hook::*, port::Pending, wire::*};

/// Which room is about what.
pub const XEP: Xep = Xep {
    number: 433,
    name: "Extended Channel Search",
    version: "0.1.0",
    status: Status::Complete,
    hooks: &[
        Hook::Feature(Of::Service, SEARCH.ns),
        Hook::get(Of::Service, SEARCH, Answer::World(search)),
    ],
};

const SEARCH: Name = Name::new("urn:xmpp:channel-search:0:search", "search");
const RESULT: Name = Name::new(SEARCH.ns, "result");
const ITEM: Name = Name::new(SEARCH.ns, "item");
const ERRORS: &str = "urn:xmpp:channel-search:0:error";
const BY_ADDRESS: &str = "{urn:xmpp:channel-search:0:order}address";
const BY_USERS: &str = "{urn:xmpp:channel-search:0:order}nusers";
const SERVICE_TYPE: &str = "xep-0045";

const Q: &str = "q";
const ALL: &str = "all";
const IN_NAME: &str = "sinname";
const IN_DESCRIPTION: &str = "sindescription";
const IN_ADDRESS: &str = "sinaddress";
const TYPES: &str = "types";
const KEY: &str = "key";

/// Section 6.1.
const FORM: Layout = Layout {
    form_type: "urn:xmpp:channel-search:0:search-params",
    title: "Rooms",
    instructions: "About what?",
    fields: &[
        Field { var: Q, kind: Kind::TextSingle, label: "Search for", required: false },
        Field { var: ALL, kind: Kind::Boolean, label: "All of them", required: false },
        Field { var: IN_NAME, kind: Kind::Boolean, label: "Search in names", required: false },
        Field {
            var: IN_DESCRIPTION,
            kind: Kind::Boolean,
            label: "Search in descriptions",
            required: false,
        },
        Field {
            var: IN_ADDRESS,
            kind: Kind::Boolean,
            label: "Search in addresses",
            required: false,
        },
        Field { var: TYPES, kind: Kind::ListMultiOpen, label: "Of which kind", required: false },
        Field {
            var: KEY,
            kind: Kind::ListSingle(&[BY_ADDRESS, BY_USERS]),
            label: "Order",
            required: false,
        },
    ],
};

/// Words of one search.
const TERMS_MAX: usize = 8;

/// What the service knows of a room that everybody may find.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// For humans; it may have none.
    pub name: String,
    description: String,
    lang: String,
    is_open: bool,
    is_non_anonymous: bool,
    /// About how many are in it, where everybody may know that.
    occupants: Option<usize>,
}

impl Listed {
    /// With this configuration, and so many in it.
    pub fn of(config: &Config, occupants: usize) -> Self {
        Self {
            occupants: config.is_open().then_some(occupants),
            name: config.name.replace('\n', " "),
            description: config.description.clone(),
            lang: config.lang.replace('\n', " "),
            is_open: !config.is_members_only && config.password.is_none(),
            is_non_anonymous: config.is_non_anonymous,
        }
    }

    /// Four lines, and then the description.
    pub fn save(&self) -> Vec<u8> {
        let Self { name, description, lang, is_open, is_non_anonymous, occupants } = self;
        let occupants = occupants.map(|occupants| format!(" {occupants}")).unwrap_or_default();
        format!("{name}\n{lang}\n{is_open}\n{is_non_anonymous}{occupants}\n{description}")
            .into_bytes()
    }

    /// As it was kept; `None`: nobody can read it.
    pub fn load(kept: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(kept).ok()?.splitn(5, '\n');
        let (name, lang) = (lines.next()?.into(), lines.next()?.into());
        let is_open = lines.next()? == "true";
        let mut words = lines.next()?.split(' ');
        let is_non_anonymous = words.next() == Some("true");
        // Older programs did not write it.
        let occupants = words.next().and_then(|number| number.parse().ok());
        let description = lines.next()?.into();
        Some(Self { name, description, lang, is_open, is_non_anonymous, occupants })
    }

    /// Section 6.2.
    fn item(&self, address: &str) -> Draft {
        let text = |name, text: &str| Draft::new(Name::new(SEARCH.ns, name)).text(text);
        let anonymity = match self.is_non_anonymous {
            true => "{urn:xmpp:channel-search:0:anonymity}none",
            false => "muc_semianonymous",
        };
        let known =
            [("name", &self.name), ("description", &self.description), ("language", &self.lang)];
        let known = known.into_iter().filter(|(_, value)| !value.is_empty());
        let item = Draft::new(ITEM).attribute("address", address);
        let item = known.fold(item, |item, (name, value)| item.child(text(name, value)));
        let number = self.occupants.map(|number| text("nusers", &number.to_string()));
        number
            .into_iter()
            .fold(item, Draft::child)
            .child(text("service-type", SERVICE_TYPE))
            .child(text("is-open", if self.is_open { "true" } else { "false" }))
            .child(text("anonymity-mode", anonymity))
    }
}

/// What is searched for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    /// In lower case; none: all rooms.
    terms: Vec<String>,
    in_name: bool,
    in_description: bool,
    in_address: bool,
    /// Whether rooms are wanted at all.
    of_type: bool,
    /// The largest first, not by address.
    by_users: bool,
}

impl Wanted {
    /// Section 4.2.
    fn read(form: Element<'_>) -> Result<Self, StanzaError> {
        let given = FORM.read(form).map_err(|wrong| match wrong {
            Wrong::Invalid(KEY) => {
                let condition = StanzaCondition::FeatureNotImplemented;
                because(ErrorType::Modify, condition, "invalid-sort-key")
            }
            _ => StanzaCondition::BadRequest.into(),
        })?;
        let flag = |var, default| match given.one(var) {
            Some(value) => value == "1" || value == "true",
            None => default,
        };
        let types = given.all(TYPES);
        Ok(Self {
            terms: Self::terms(&given, flag(ALL, false))?,
            in_name: flag(IN_NAME, true),
            in_description: flag(IN_DESCRIPTION, true),
            in_address: flag(IN_ADDRESS, true),
            by_users: given.one(KEY) == Some(BY_USERS),
            of_type: types.is_empty() || types.iter().any(|one| one == SERVICE_TYPE),
        })
    }

    fn terms(given: &Given, all: bool) -> Result<Vec<String>, StanzaError> {
        let bad = |type_, why| because(type_, StanzaCondition::BadRequest, why);
        let q = given.one(Q).unwrap_or_default();
        match (all, given.has(Q)) {
            (true, _) if q.is_empty() => return Ok(Vec::new()),
            (true, _) => return Err(bad(ErrorType::Modify, "conflicting-fields")),
            (false, false) => return Err(bad(ErrorType::Cancel, "no-search-conditions")),
            (false, true) => {}
        }
        let terms: Vec<_> = q.split_whitespace().map(str::to_lowercase).collect();
        match terms.is_empty() || terms.len() > TERMS_MAX {
            true => {
                let why = format!("between one word and {TERMS_MAX} can be searched for");
                Err(bad(ErrorType::Modify, "invalid-search-terms").with_text(why))
            }
            false => Ok(terms),
        }
    }

    /// Whether a room has all the words, wherever they are looked for.
    fn finds(&self, address: &str, room: &Listed) -> bool {
        let texts = [
            (self.in_name, room.name.as_str()),
            (self.in_description, room.description.as_str()),
            (self.in_address, address),
        ];
        let texts = texts.into_iter().filter(|(is_wanted, _)| *is_wanted);
        let texts: Vec<_> = texts.map(|(_, text)| text.to_lowercase()).collect();
        let has = |term: &String| texts.iter().any(|text| text.contains(term.as_str()));
        self.of_type && self.terms.iter().all(has)
    }
}

fn because(type_: ErrorType, condition: StanzaCondition, why: &'static str) -> StanzaError {
    StanzaError::new(type_, condition).with_app(Draft::new(Name::new(ERRORS, why)).finish())
}

/// The form with what each field is when it is left out (section 4.2.1).
fn form() -> Draft {
    let hidden = Draft::new(FIELD).attribute("var", FORM_TYPE).attribute("type", "hidden");
    let hidden = hidden.child(Draft::new(VALUE).text(FORM.form_type));
    let fields = FORM.fields.iter().map(|field| match field.var {
        IN_NAME | IN_DESCRIPTION | IN_ADDRESS => field.filled(["true"]),
        TYPES => field.filled([SERVICE_TYPE]),
        KEY => field.filled([BY_ADDRESS]),
        _ => field.filled([""; 0]),
    });
    fields.fold(Draft::new(X).attribute("type", "form").child(hidden), Draft::child)
}

/// Sections 4.2.1 and 4.2.2: the form, or a page of what is found, by address.
fn search<'a>(iq: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let search = iq.child(SEARCH).ok_or(StanzaCondition::BadRequest)?;
        let Some(submitted) = search.child(X) else {
            return Ok(Reply::Payload(Draft::new(SEARCH).child(form()).finish()));
        };
        let (wanted, asked) = (Wanted::read(submitted)?, rsm::Asked::read(search)?);
        let address = |local: &str| format!("{local}@{}", world.account.domain());
        // In another order than theirs they are all looked through.
        let part = if wanted.by_users { &rsm::Asked::default() } else { &asked };
        let (mut rooms, is_all) = listed(world, part).await?;
        rooms.retain(|(local, kept)| {
            Listed::load(kept).is_some_and(|room| wanted.finds(&address(local), &room))
        });
        if wanted.by_users {
            let number = |kept: &[u8]| Listed::load(kept).and_then(|room| room.occupants);
            rooms.sort_by_cached_key(|(_, kept)| std::cmp::Reverse(number(kept)));
        }
        let item = |(local, kept): &Found| {
            let room = Listed::load(kept).unwrap_or_default();
            room.item(&address(local)).finish()
        };
        let (found, items) = page(&rooms, &asked, item)?;
        let told = items.iter().fold(Draft::new(RESULT), Draft::payload);
        let ends = found.first().zip(found.last());
        let ends = ends.map(|((first, _), (last, _))| (first.clone(), last.clone()));
        let count = is_all.then_some(rooms.len() as u64);
        Ok(Reply::Payload(told.child(rsm::Page { ends, index: None, count }.draft()).finish()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)]) -> Result<Wanted, StanzaError> {
        let field = |(var, value): &(&str, &str)| {
            format!("<field var='{var}'><value>{value}</value></field>")
        };
        let fields: String = fields.iter().map(field).collect();
        let iq = format!("<iq><x xmlns='jabber:x:data' type='submit'>{fields}</x></iq>");
        Wanted::read(Stanza::parse_one(&iq).unwrap().child(X).unwrap())
    }

    fn garden() -> Listed {
        Listed {
            name: "The Garden".into(),
            description: "Roses,\nand more".into(),
            lang: "en".into(),
            is_open: true,
            is_non_anonymous: false,
            occupants: Some(12),
        }
    }

    #[test]
    fn a_room_comes_back_as_it_was_kept() {
        assert_eq!(Listed::load(&garden().save()), Some(garden()));
        let older = Listed::load(b"The Garden\nen\ntrue\nfalse\nRoses,\nand more");
        assert_eq!(older, Some(Listed { occupants: None, ..garden() }));
        for damaged in [&b""[..], b"name\nen\ntrue", &[0xff]] {
            assert_eq!(Listed::load(damaged), None);
        }
    }

    #[test]
    fn all_words_must_be_found_wherever_is_looked_for_them_section_6_1() {
        let finds =
            |fields: &[(&str, &str)]| read(fields).unwrap().finds("verona@conference.x", &garden());
        assert!(finds(&[(Q, "garden ROSES verona")]));
        assert!(!finds(&[(Q, "garden tulips")]));
        assert!(!finds(&[(Q, "garden"), (IN_NAME, "false")]));
        assert!(!finds(&[(Q, "roses"), (IN_DESCRIPTION, "0")]));
        assert!(!finds(&[(Q, "verona"), (IN_ADDRESS, "0")]));
        assert!(finds(&[(ALL, "true")]));
        assert!(finds(&[(ALL, "1"), (TYPES, SERVICE_TYPE), (KEY, BY_ADDRESS)]));
        assert!(!finds(&[(ALL, "1"), (TYPES, "xep-0369")]));
        assert!(finds(&[(ALL, "1"), (KEY, BY_USERS)]));
    }

    #[test]
    fn what_is_wrong_with_a_search_is_named_section_4_2_2() {
        let many = "x ".repeat(TERMS_MAX + 1);
        for (fields, app, type_) in [
            (&[(Q, "a"), (ALL, "1")][..], "conflicting-fields", ErrorType::Modify),
            (&[], "no-search-conditions", ErrorType::Cancel),
            (&[(ALL, "0")], "no-search-conditions", ErrorType::Cancel),
            (&[(Q, " ")], "invalid-search-terms", ErrorType::Modify),
            (&[(Q, many.as_str())], "invalid-search-terms", ErrorType::Modify),
            (&[(Q, "a"), (KEY, "{x}y")], "invalid-sort-key", ErrorType::Modify),
        ] {
            let error = read(fields).unwrap_err();
            assert_eq!(error.type_, type_, "{fields:?}");
            assert!(error.to_payload().as_str().contains(app), "{fields:?}");
        }
    }
}
