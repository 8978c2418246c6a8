//! XEP-0004: Data Forms. <https://xmpp.org/extensions/xep-0004.html>
//!
//! A vocabulary for XEPs that ask by a form: its layout is a constant, which writes the empty form
//! and reads what was submitted.

use engine::{hook::*, wire::*};
use std::collections::BTreeSet;

/// What is asked, what is given, what is told.
pub const XEP: Xep =
    Xep { number: 4, name: "Data Forms", version: "2.13.2", status: Status::Complete, hooks: &[] };

/// The namespace of forms.
pub const NS: &str = "jabber:x:data";
/// A form.
pub const X: Name = Name::new(NS, "x");
/// A field of a form.
pub const FIELD: Name = Name::new(NS, "field");
/// A value of a field.
pub const VALUE: Name = Name::new(NS, "value");
const VALIDATE: Name = Name::new("http://jabber.org/protocol/xdata-validate", "validate");
/// The field that says which form it is (XEP-0068).
pub const FORM_TYPE: &str = "FORM_TYPE";

/// A form as it is known to the XEP that asks by it.
pub struct Layout {
    /// Which form it is (XEP-0068).
    pub form_type: &'static str,
    /// For humans.
    pub title: &'static str,
    /// For humans.
    pub instructions: &'static str,
    /// In the order in which they are shown.
    pub fields: &'static [Field],
}

/// A field that is asked for, or told of.
pub struct Field {
    /// Its name.
    pub var: &'static str,
    /// What it can be.
    pub kind: Kind,
    /// For humans.
    pub label: &'static str,
    /// Without it nothing is done.
    pub required: bool,
}

/// Field types (section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Boolean,
    /// Any texts, none of them offered (XEP-0122).
    ListMultiOpen,
    /// An address.
    JidSingle,
    /// Addresses.
    JidMulti,
    /// One of these.
    ListSingle(&'static [&'static str]),
    /// A whole number, from 0 on (XEP-0122).
    Number {
        /// The greatest.
        max: u64,
    },
    /// One of these, or another text (XEP-0122).
    ListSingleOpen(&'static [&'static str]),
    /// Lines of text.
    TextMulti,
    /// A line of text that nobody may look at.
    TextPrivate,
    /// A line of text.
    TextSingle,
}

/// What was given, by field.
#[derive(Debug, Default)]
pub struct Given {
    values: Vec<(&'static str, Vec<String>)>,
}

/// Why a submission cannot be taken. The field is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is not a form of this layout (section 3.2).
    Malformed(&'static str),
    /// A required field has not been filled in.
    Missing(&'static str),
    /// The data is not valid (section 4).
    Invalid(&'static str),
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::ListMultiOpen => "list-multi",
            Self::JidSingle => "jid-single",
            Self::JidMulti => "jid-multi",
            Self::ListSingle(_) | Self::ListSingleOpen(_) => "list-single",
            Self::TextMulti => "text-multi",
            Self::TextPrivate => "text-private",
            Self::Number { .. } | Self::TextSingle => "text-single",
        }
    }

    /// Section 3.2: only some types have more than one value.
    const fn is_multi(self) -> bool {
        matches!(self, Self::JidMulti | Self::ListMultiOpen | Self::TextMulti)
    }

    /// Section 3.3: an address is valid, and a choice is one of those that were offered.
    fn allows(self, value: &str) -> bool {
        match self {
            Self::JidSingle | Self::JidMulti => Jid::parse(value).is_ok(),
            Self::ListSingle(options) => options.contains(&value),
            Self::Number { max } => value.parse().is_ok_and(|number: u64| number <= max),
            Self::Boolean => ["0", "1", "false", "true"].contains(&value),
            Self::ListMultiOpen | Self::ListSingleOpen(_) => true,
            Self::TextMulti | Self::TextPrivate | Self::TextSingle => true,
        }
    }
}

impl Layout {
    /// The empty form (section 3.1).
    pub fn form(&self) -> Draft {
        let form = started("form", self.form_type, |form| {
            let title = Draft::new(Name::new(NS, "title")).text(self.title);
            let instructions = Draft::new(Name::new(NS, "instructions")).text(self.instructions);
            form.child(title).child(instructions)
        });
        self.fields.iter().map(Field::asked).fold(form, Draft::child)
    }

    /// The form with what is (section 3.1): the values of each field.
    pub fn filled<T: AsRef<str>>(&self, values: impl Fn(&Field) -> Vec<T>) -> Draft {
        let title = Draft::new(Name::new(NS, "title")).text(self.title);
        let form = started("form", self.form_type, |form| form.child(title));
        let fields = self.fields.iter().map(|field| field.filled(values(field)));
        fields.fold(form, Draft::child)
    }

    /// What an `<x/>` says of these fields. Others are ignored (section 3.1), and so is the type
    /// that is said of a field: we know it (section 3.2). An empty value is none (section 3.6).
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(&self, x: Element<'_>) -> Result<Given, Wrong> {
        let mut given = Given::default();
        for field in x.children().filter(|child| child.is(FIELD)) {
            let Some(var) = field.attribute("var") else {
                match field.attribute("type").as_deref() {
                    Some("fixed") => continue,
                    _ => return Err(Wrong::Malformed("field")),
                }
            };
            let values = values(field);
            if var == FORM_TYPE && values != [self.form_type] {
                return Err(Wrong::Malformed(FORM_TYPE));
            }
            let Some(known) = self.fields.iter().find(|known| known.var == var) else { continue };
            if given.values.iter().any(|(var, _)| *var == known.var) {
                return Err(Wrong::Malformed(known.var));
            }
            given.values.push((known.var, known.check(values)?));
        }
        let missing = self.fields.iter().find(|field| {
            let blank = given.all(field.var).iter().all(|line| line.trim().is_empty());
            field.required && blank
        });
        missing.map_or(Ok(given), |field| Err(Wrong::Missing(field.var)))
    }
}

impl Field {
    /// In a form of type `form`.
    fn asked(&self) -> Draft {
        let field = self.head();
        let field = match self.required {
            true => field.child(Draft::new(Name::new(NS, "required"))),
            false => field,
        };
        let (field, options) = match self.kind {
            Kind::ListSingle(options) => (field, options),
            Kind::ListSingleOpen(options) => (field.child(any_text()), options),
            Kind::ListMultiOpen => return field.child(any_text()),
            Kind::Number { max } => return field.child(number_up_to(max)),
            _ => return field,
        };
        let options = options.iter().map(|option| {
            let draft = Draft::new(Name::new(NS, "option")).attribute("label", option);
            draft.child(Draft::new(VALUE).text(option))
        });
        options.fold(field, Draft::child)
    }

    /// With what it is now, in a form of type `form`.
    pub fn filled<T: AsRef<str>>(&self, values: impl IntoIterator<Item = T>) -> Draft {
        let values = values.into_iter().map(|value| Draft::new(VALUE).text(value));
        values.fold(self.asked(), Draft::child)
    }

    /// With what is known of it, in a form of type `result`.
    pub fn told<T: AsRef<str>>(&self, values: impl IntoIterator<Item = T>) -> Draft {
        let values = values.into_iter().map(|value| Draft::new(VALUE).text(value));
        values.fold(self.head(), Draft::child)
    }

    fn head(&self) -> Draft {
        let field = Draft::new(FIELD).attribute("var", self.var);
        field.attribute("type", self.kind.as_str()).attribute("label", self.label)
    }

    fn check(&self, mut values: Vec<String>) -> Result<Vec<String>, Wrong> {
        // An empty line of a text is one.
        if self.kind != Kind::TextMulti {
            values.retain(|value| !value.is_empty());
        }
        if values.len() > 1 && !self.kind.is_multi() {
            return Err(Wrong::Malformed(self.var));
        }
        match values.iter().all(|value| self.kind.allows(value)) {
            true => Ok(values),
            false => Err(Wrong::Invalid(self.var)),
        }
    }
}

impl Given {
    /// All values of a field, in order.
    pub fn all(&self, var: &str) -> &[String] {
        self.values.iter().find(|(name, _)| *name == var).map_or(&[], |(_, values)| values)
    }

    /// Whether a field was given, be it empty.
    pub fn has(&self, var: &str) -> bool {
        self.values.iter().any(|(name, _)| *name == var)
    }

    /// The first value of a field.
    pub fn one(&self, var: &str) -> Option<&str> {
        self.all(var).first().map(String::as_str)
    }

    /// The addresses that a field gives, each once (section 3.3).
    pub fn jids(&self, var: &str) -> Vec<Jid> {
        let jids = self.all(var).iter().filter_map(|value| Jid::parse(value).ok());
        let mut seen = BTreeSet::new();
        jids.filter(|jid| seen.insert(jid.clone())).collect()
    }

    /// The lines of a text, put together again (section 3.3).
    pub fn text(&self, var: &str) -> String {
        self.all(var).join("\n")
    }
}

/// A form that tells something, still without fields (section 3.1).
pub fn result(form_type: &str) -> Draft {
    started("result", form_type, |form| form)
}

fn started(kind: &str, form_type: &str, head: impl FnOnce(Draft) -> Draft) -> Draft {
    let hidden = Draft::new(FIELD).attribute("var", FORM_TYPE).attribute("type", "hidden");
    let hidden = hidden.child(Draft::new(VALUE).text(form_type));
    head(Draft::new(X).attribute("type", kind)).child(hidden)
}

/// What else than the options may be chosen: any text (XEP-0122 §3).
fn any_text() -> Draft {
    let validate = Draft::new(VALIDATE).attribute("datatype", "xs:string");
    validate.child(Draft::new(Name::new(VALIDATE.ns, "open")))
}

/// From 0 on (XEP-0122 §3).
fn number_up_to(max: u64) -> Draft {
    let range = Draft::new(Name::new(VALIDATE.ns, "range"));
    let range = range.attribute("min", "0").attribute("max", max.to_string());
    Draft::new(VALIDATE).attribute("datatype", "xs:integer").child(range)
}

fn values(field: Element<'_>) -> Vec<String> {
    let values = field.children().filter(|child| child.is(VALUE));
    values.map(|value| value.text().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOT: Layout = Layout {
        form_type: "jabber:bot",
        title: "Bot",
        instructions: "Fill out",
        fields: &[
            Field { var: "owner", kind: Kind::JidSingle, label: "Owner", required: true },
            Field { var: "guests", kind: Kind::JidMulti, label: "Guests", required: false },
            Field {
                var: "max",
                kind: Kind::ListSingle(&["10", "none"]),
                label: "Max",
                required: false,
            },
            Field { var: "about", kind: Kind::TextMulti, label: "About", required: false },
            Field { var: "secret", kind: Kind::TextPrivate, label: "Secret", required: false },
            Field { var: "ids", kind: Kind::ListMultiOpen, label: "Ids", required: false },
            Field { var: "public", kind: Kind::Boolean, label: "Public", required: false },
            Field { var: "age", kind: Kind::Number { max: 99 }, label: "Age", required: false },
        ],
    };

    fn read(fields: &str) -> Result<Given, Wrong> {
        let iq = format!("<iq type='set' id='1'><x xmlns='{NS}' type='submit'>{fields}</x></iq>");
        let iq = Stanza::parse_one(&iq).unwrap();
        BOT.read(iq.children().next().unwrap())
    }

    fn field(var: &str, values: &[&str]) -> String {
        let values = values.iter().map(|value| format!("<value>{value}</value>"));
        format!("<field var='{var}'>{}</field>", values.collect::<String>())
    }

    #[test]
    fn a_form_shows_its_fields_in_order() {
        let form = BOT.form().finish();
        let wanted = "<x xmlns='jabber:x:data' type='form'><title>Bot</title>\
            <instructions>Fill out</instructions>\
            <field var='FORM_TYPE' type='hidden'><value>jabber:bot</value></field>\
            <field var='owner' type='jid-single' label='Owner'><required/></field>\
            <field var='guests' type='jid-multi' label='Guests'/>\
            <field var='max' type='list-single' label='Max'>\
            <option label='10'><value>10</value></option>\
            <option label='none'><value>none</value></option></field>\
            <field var='about' type='text-multi' label='About'/>\
            <field var='secret' type='text-private' label='Secret'/>\
            <field var='ids' type='list-multi' label='Ids'>\
            <validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'>\
            <open/></validate></field><field var='public' type='boolean' label='Public'/>\
            <field var='age' type='text-single' label='Age'>\
            <validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:integer'>\
            <range min='0' max='99'/></validate></field></x>";
        assert_eq!(form.as_str(), wanted);
    }

    #[test]
    fn an_open_list_offers_some_and_takes_others() {
        let kind = Kind::ListSingleOpen(&["10"]);
        let field = Field { var: "max", kind, label: "Max", required: false };
        let wanted = "<field xmlns='jabber:x:data' var='max' type='list-single' label='Max'>\
            <validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'>\
            <open/></validate><option label='10'><value>10</value></option></field>";
        assert_eq!(field.asked().finish().as_str(), wanted);
        assert_eq!(field.check(vec!["11".into()]), Ok(vec!["11".into()]));
    }

    #[test]
    fn a_result_tells_values() {
        let told = result("jabber:bot").child(BOT.fields[1].told(["a@b", "c@d"])).finish();
        let wanted = "<x xmlns='jabber:x:data' type='result'>\
            <field var='FORM_TYPE' type='hidden'><value>jabber:bot</value></field>\
            <field var='guests' type='jid-multi' label='Guests'>\
            <value>a@b</value><value>c@d</value></field></x>";
        assert_eq!(told.as_str(), wanted);
    }

    #[test]
    fn a_submission_gives_what_it_says_and_unknown_fields_are_ignored_section_3_1() {
        let given = field("owner", &["Romeo@X"])
            + &field("guests", &["a@b", "A@B", "c@d"])
            + &field("about", &["one", "", "three"])
            + &field("more", &["x", "y"])
            + "<field type='fixed'><value>Section 1</value></field>";
        let given = read(&given).unwrap();
        assert_eq!(given.jids("owner"), [Jid::parse("romeo@x").unwrap()]);
        assert_eq!(given.jids("guests").len(), 2, "duplicates are ignored, section 3.3");
        assert_eq!(given.text("about"), "one\n\nthree");
        assert_eq!(given.one("secret"), None);
        assert!(given.all("more").is_empty());
    }

    #[test]
    fn at_43_what_is_missing_double_empty_or_of_the_wrong_type_is_named() {
        let owner = field("owner", &["romeo@x"]);
        let with = |more: &str| read(&(owner.clone() + more)).map(|_| ());
        assert_eq!(with(""), Ok(()));
        for (fields, wrong) in [
            (String::new(), Wrong::Missing("owner")),
            (field("owner", &[]), Wrong::Missing("owner")),
            (field("owner", &[""]), Wrong::Missing("owner")),
            (field("owner", &["@x"]), Wrong::Invalid("owner")),
            (field("owner", &["a@b", "c@d"]), Wrong::Malformed("owner")),
            (owner.clone() + &owner, Wrong::Malformed("owner")),
            (field("owner", &[]) + &owner, Wrong::Malformed("owner")),
            (owner.clone() + &field("max", &["11"]), Wrong::Invalid("max")),
            (owner.clone() + &field("max", &["10", "none"]), Wrong::Malformed("max")),
            (owner.clone() + &field("guests", &["a@b", "/"]), Wrong::Invalid("guests")),
            (owner.clone() + &field("FORM_TYPE", &["jabber:cat"]), Wrong::Malformed(FORM_TYPE)),
            (owner.clone() + &field("FORM_TYPE", &[]), Wrong::Malformed(FORM_TYPE)),
            (owner.clone() + "<field><value>x</value></field>", Wrong::Malformed("field")),
        ] {
            assert_eq!(read(&fields).unwrap_err(), wrong, "{fields}");
        }
        assert_eq!(with(&field("guests", &["", "a@b"])), Ok(()));
        assert_eq!(with(&field("ids", &["x", "y"])), Ok(()));
        assert_eq!(with(&field("public", &["yes"])), Err(Wrong::Invalid("public")));
        assert_eq!(with(&field("age", &["99"])), Ok(()));
        for value in ["100", "-1", "old", "1.5"] {
            assert_eq!(with(&field("age", &[value])), Err(Wrong::Invalid("age")));
        }
        for value in ["0", "1", "true", "false"] {
            assert_eq!(with(&field("public", &[value])), Ok(()));
        }
    }
}
