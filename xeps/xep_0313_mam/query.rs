//! What of an archive is asked for (XEP-0313 §4.1).

use super::{NS, xep_0431_fulltext as fulltext};
use crate::{
    xep_0004_forms::{FIELD, FORM_TYPE, Field, Given, Kind, Layout, X},
    xep_0059_rsm as rsm, xep_0082_dates as dates,
};
use engine::{settings::Settings, unit::Pos, wire::*, words::Words};

/// What asks for a page, and for the form.
pub(super) const QUERY: Name = Name::new(NS, "query");
const FLIP_PAGE: Name = Name::new(NS, "flip-page");

/// The longest name of a query, in bytes: it is said again with each message of the answer.
const QUERY_ID_BYTES_MAX: usize = 256;
/// Messages that may be asked for by their ids in one query.
const IDS_MAX: usize = 50;

/// Section 4.1.5; the last one is not always there.
const FIELDS: &[Field] = &[
    Field { var: "with", kind: Kind::JidSingle, label: "From or to", required: false },
    Field { var: "start", kind: Kind::TextSingle, label: "Not before", required: false },
    Field { var: "end", kind: Kind::TextSingle, label: "Not after", required: false },
    Field { var: "before-id", kind: Kind::TextSingle, label: "Before", required: false },
    Field { var: "after-id", kind: Kind::TextSingle, label: "After", required: false },
    Field { var: "ids", kind: Kind::ListMultiOpen, label: "Ids", required: false },
    Field { var: GROUPCHAT, kind: Kind::Boolean, label: "Groupchat", required: false },
    fulltext::FIELD,
];
const FULL_FORM: Layout =
    Layout { form_type: NS, title: "Archive", instructions: "Which messages?", fields: FIELDS };
const FORM: Layout = Layout { fields: FIELDS.split_at(FIELDS.len() - 1).0, ..FULL_FORM };

/// By which is asked.
pub(super) fn form(settings: &Settings) -> &'static Layout {
    if fulltext::is_enabled(settings) { &FULL_FORM } else { &FORM }
}

/// Of rooms nothing is in an account's archive: it is theirs. So whatever this says is done.
const GROUPCHAT: &str = "include-groupchat";

/// A query, read.
#[derive(Debug, Default)]
pub(super) struct Query {
    /// What the client calls it.
    pub id: Option<String>,
    /// Only what is from or to them.
    pub with: Option<Jid>,
    /// Only from then to then: places of a log, the first excluded.
    pub time: (Pos, Option<Pos>),
    /// Only what follows this one.
    pub after: Option<String>,
    /// Only what precedes this one.
    pub before: Option<String>,
    /// Only these.
    pub ids: Vec<String>,
    /// Only what has these (XEP-0431).
    pub words: Option<Words>,
    /// Of all that.
    pub page: rsm::Asked,
    /// The newest of the page comes first.
    pub is_flipped: bool,
}

impl Query {
    /// Reads the payload of a request.
    ///
    /// # Errors
    /// What the sections name, and `bad-request`.
    pub(super) fn read(query: Element<'_>, settings: &Settings) -> Result<Self, StanzaError> {
        // Section 6.1.3: an archive of a node, and an account has none.
        if query.attribute("node").is_some() {
            return Err(StanzaCondition::ItemNotFound.into());
        }
        let id = query.attribute("queryid").map(|id| id.into_owned());
        if id.as_ref().is_some_and(|id| id.len() > QUERY_ID_BYTES_MAX) {
            return Err(StanzaCondition::BadRequest.into());
        }
        let page = rsm::Asked::read(query)?;
        let is_flipped = query.child(FLIP_PAGE).is_some();
        let filters = match query.child(X) {
            Some(x) => Self::filtered(submitted(x, form(settings))?)?,
            None => Self::default(),
        };
        Ok(Self { id, page, is_flipped, ..filters })
    }

    /// The one resource that it is about.
    pub(super) fn resource(&self) -> Option<&Jid> {
        self.with.as_ref().filter(|with| !with.is_bare())
    }

    fn filtered(given: Given) -> Result<Self, StanzaError> {
        let id = |var| given.one(var).map(str::to_owned);
        let with = given.jids("with").into_iter().next();
        let (after, before, ids) = (id("after-id"), id("before-id"), given.all("ids").to_vec());
        if ids.len() > IDS_MAX {
            let error = StanzaError::from(StanzaCondition::PolicyViolation);
            return Err(error.with_text(format!("no more than {IDS_MAX} ids")));
        }
        let (time, words) = (time(&given)?, fulltext::words(&given)?);
        Ok(Self { with, time, after, before, ids, words, ..Self::default() })
    }
}

/// Section 4.1.5: a field that is not known is not ignored.
fn submitted(x: Element<'_>, form: &Layout) -> Result<Given, StanzaError> {
    let vars = x.children().filter(|child| child.is(FIELD));
    let vars: Vec<_> = vars.filter_map(|field| field.attribute("var")).collect();
    let is_typed = vars.iter().any(|var| var == FORM_TYPE);
    if x.attribute("type").as_deref() != Some("submit") || !is_typed {
        return Err(StanzaCondition::BadRequest.into());
    }
    let is_known = |var: &str| form.fields.iter().any(|field| field.var == var);
    if !vars.iter().all(|var| var == FORM_TYPE || is_known(var)) {
        return Err(StanzaCondition::FeatureNotImplemented.into());
    }
    Ok(form.read(x).map_err(|_| StanzaCondition::BadRequest)?)
}

/// Section 4.1.2: both are included. A message came in the millisecond of its place.
fn time(given: &Given) -> Result<(Pos, Option<Pos>), StanzaError> {
    let read = |var| match given.one(var) {
        Some(date) => dates::read(date).map(Some).ok_or(StanzaCondition::BadRequest),
        None => Ok(None),
    };
    let from = read("start")?.map(|(ms, is_exact)| ms.saturating_add(i64::from(!is_exact)));
    let until = read("end")?.map(|(ms, _)| ms.saturating_add(1));
    let after = from.map_or(Pos::default(), |ms| Pos(first_of(ms).saturating_sub(1).max(0)));
    Ok((after, until.map(|ms| Pos(first_of(ms).max(0)))))
}

/// The first place of a millisecond.
fn first_of(ms: i64) -> i64 {
    ms.saturating_mul(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{stage, xep_0313_mam::xep_0431_fulltext::tests::enabled};
    use StanzaCondition::*;

    fn read(attributes: &str, content: &str) -> Result<Query, StanzaCondition> {
        read_under(&stage::settings(), attributes, content)
    }

    fn read_under(
        settings: &Settings,
        attributes: &str,
        content: &str,
    ) -> Result<Query, StanzaCondition> {
        let iq = format!("<iq><query xmlns='{NS}' {attributes}>{content}</query></iq>");
        let iq = Stanza::parse_one(&iq).unwrap();
        Query::read(iq.child(QUERY).unwrap(), settings).map_err(|error| error.condition)
    }

    fn form(fields: &[(&str, &str)]) -> String {
        let field = |(var, value): &(&str, &str)| {
            format!("<field var='{var}'><value>{value}</value></field>")
        };
        let fields: String = fields.iter().map(field).collect();
        let typed = field(&(FORM_TYPE, NS));
        format!("<x xmlns='jabber:x:data' type='submit'>{typed}{fields}</x>")
    }

    fn time_of(fields: &[(&str, &str)]) -> (i64, Option<i64>) {
        let (after, before) = read("", &form(fields)).unwrap().time;
        (after.0, before.map(|pos| pos.0))
    }

    #[test]
    fn start_and_end_are_included_section_4_1_2() {
        let ms = 1_275_868_800_000_i64;
        let (start, end) = (("start", "2010-06-07T00:00:00Z"), ("end", "2010-06-07T00:00:00Z"));
        assert_eq!(time_of(&[]), (0, None));
        assert_eq!(time_of(&[start]), ((ms << 20) - 1, None));
        assert_eq!(time_of(&[end]), (0, Some((ms + 1) << 20)));
        assert_eq!(time_of(&[("start", "2010-06-07T02:00:00.0001+02:00")]).0, ((ms + 1) << 20) - 1);
        assert_eq!(time_of(&[("end", "2010-06-07T00:00:00.0019Z")]).1, Some((ms + 2) << 20));
    }

    #[test]
    fn absurd_ranges_are_empty_or_everything() {
        assert_eq!(time_of(&[("start", "0001-01-01T00:00:00Z")]), (0, None));
        assert_eq!(time_of(&[("start", "9999-12-31T23:59:59Z")]).0, i64::MAX - 1);
        assert_eq!(time_of(&[("end", "0001-01-01T00:00:00Z")]).1, Some(0));
        assert_eq!(time_of(&[("end", "9999-12-31T23:59:59Z")]).1, Some(i64::MAX));
        let turned = [("start", "2011-01-01T00:00:00Z"), ("end", "2010-01-01T00:00:00Z")];
        let (after, before) = time_of(&turned);
        assert!(before.unwrap() < after);
    }

    #[test]
    fn at_43_what_is_wrong_with_a_query_is_named() {
        let long = "x".repeat(QUERY_ID_BYTES_MAX);
        assert!(read(&format!("queryid='{long}'"), "").is_ok());
        let ids = |count| "<value>1</value>".repeat(count);
        let ids =
            |count| form(&[("ids", &ids(count)[7..])]).replace("</value></value>", "</value>");
        assert_eq!(read("", &ids(IDS_MAX)).unwrap().ids.len(), IDS_MAX);
        let field = "<field var='with'><value>a@b</value></field>";
        for (attributes, content, wrong) in [
            (format!("queryid='{long}x'"), String::new(), BadRequest),
            ("node='fdp/submitted'".into(), String::new(), ItemNotFound),
            (String::new(), form(&[("with", "@")]), BadRequest),
            (String::new(), form(&[("with", "a@b"), ("with", "c@d")]), BadRequest),
            (String::new(), form(&[("start", "yesterday")]), BadRequest),
            (String::new(), form(&[("end", "2010-06-07")]), BadRequest),
            (String::new(), form(&[("{urn:x}free-text", "x")]), FeatureNotImplemented),
            (String::new(), form(&[("include-groupchat", "maybe")]), BadRequest),
            (String::new(), ids(IDS_MAX + 1), PolicyViolation),
            (String::new(), form(&[]).replace("'submit'", "'form'"), BadRequest),
            (String::new(), form(&[]).replace(NS, "urn:xmpp:mam:1"), BadRequest),
            (String::new(), form(&[]).replace(FORM_TYPE, "with"), BadRequest),
            (
                String::new(),
                format!("<x xmlns='jabber:x:data' type='submit'>{field}</x>"),
                BadRequest,
            ),
            (String::new(), format!("<set xmlns='{}'><max>-1</max></set>", rsm::NS), BadRequest),
        ] {
            assert_eq!(read(&attributes, &content).unwrap_err(), wrong, "{attributes} {content}");
        }
    }

    #[test]
    fn all_that_is_asked_for_is_read() {
        let fields = [("with", "Juliet@Capulet.lit"), ("after-id", "a"), ("before-id", "b")];
        let more = form(&[fields[0], fields[1], fields[2], ("ids", "c"), (GROUPCHAT, "true")]);
        let set = format!("<set xmlns='{}'><max>5</max><before/></set><flip-page/>", rsm::NS);
        let query = read("queryid='f27'", &(more + &set)).unwrap();
        assert_eq!(query.id.as_deref(), Some("f27"));
        assert_eq!(query.with, Some(Jid::parse("juliet@capulet.lit").unwrap()));
        assert_eq!((query.after.as_deref(), query.before.as_deref()), (Some("a"), Some("b")));
        assert_eq!(query.ids, ["c"]);
        assert!(query.is_flipped && query.page.newest && query.page.max == Some(5));
    }

    #[test]
    fn words_are_searched_for_where_that_is_enabled() {
        let fulltext = |text: &str| form(&[("{urn:xmpp:fulltext:0}fulltext", text)]);
        assert_eq!(read("", &fulltext("rose")).unwrap_err(), FeatureNotImplemented);
        let settings = enabled();
        let words = |text: &str| read_under(&settings, "", &fulltext(text)).map(|it| it.words);
        assert_eq!(
            words("rose, \"red\" &amp; NOT blue*"),
            Ok(Some(Words::of("rose red not blue")))
        );
        assert_eq!(words(""), Ok(None), "XEP-0431 §2.2");
        assert_eq!(words("?! 🌹"), Ok(Some(Words::default())));
        assert!(words(&"x".repeat(1_024)).is_ok());
        assert_eq!(words(&"x ".repeat(5_120)), Err(PolicyViolation));
        let twice = fulltext("a").replace("<value>a</value>", "<value>a</value><value>b</value>");
        assert_eq!(read_under(&settings, "", &twice).unwrap_err(), BadRequest);
    }
}
