//! XEP-0059: Result Set Management. <https://xmpp.org/extensions/xep-0059.html>
//!
//! A vocabulary for XEPs whose answers are long: which page is asked for, and which one it is.

use engine::{hook::*, wire::*};

/// A long answer, page by page.
pub const XEP: Xep = Xep {
    number: 59,
    name: "Result Set Management",
    version: "1.0",
    status: Status::Partial("without pages by index"),
    hooks: &[],
};

/// The namespace.
pub const NS: &str = "http://jabber.org/protocol/rsm";
/// A page, asked for or told of.
pub const SET: Name = Name::new(NS, "set");
const MAX: Name = Name::new(NS, "max");
const AFTER: Name = Name::new(NS, "after");
const BEFORE: Name = Name::new(NS, "before");
const INDEX: Name = Name::new(NS, "index");
const FIRST: Name = Name::new(NS, "first");
const LAST: Name = Name::new(NS, "last");
const COUNT: Name = Name::new(NS, "count");

/// Which page is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// At most so many items.
    pub max: Option<u32>,
    /// What follows this item (section 2.2).
    pub after: Option<String>,
    /// What precedes this item (section 2.3).
    pub before: Option<String>,
    /// The end of it: that before `before`, or the last page (section 2.5).
    pub newest: bool,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The first item and the last, of a page that has some.
    pub ends: Option<(String, String)>,
    /// The place of the first in the whole set, from 0.
    pub index: Option<u64>,
    /// How many items the whole set has.
    pub count: Option<u64>,
}

impl Asked {
    /// What a request asks for; without `<set/>`, nothing in particular. Both `after` and `before`
    /// bound the page, and of what lies between it is the end: the document leaves that open.
    ///
    /// # Errors
    /// `feature-not-implemented` for a page by its index (section 2.6), `bad-request` for a `max`
    /// that is none (section 9: a number without sign of 32 bits).
    pub fn read(request: Element<'_>) -> Result<Self, StanzaError> {
        let Some(set) = request.child(SET) else { return Ok(Self::default()) };
        if set.child(INDEX).is_some() {
            return Err(StanzaCondition::FeatureNotImplemented.into());
        }
        let text = |name| set.child(name).map(|child| child.text().trim().to_owned());
        let max = text(MAX).map(|max| max.parse());
        let max = max.transpose().map_err(|_| StanzaCondition::BadRequest)?;
        let before = text(BEFORE);
        let newest = before.is_some();
        let named = |id: &String| !id.is_empty();
        Ok(Self { max, after: text(AFTER).filter(named), before: before.filter(named), newest })
    }
}

impl Page {
    /// What an answer says of it.
    pub fn draft(&self) -> Draft {
        let mut set = Draft::new(SET);
        if let Some((first, last)) = &self.ends {
            let first = Draft::new(FIRST).text(first);
            let first = match self.index {
                Some(index) => first.attribute("index", index.to_string()),
                None => first,
            };
            set = set.child(first).child(Draft::new(LAST).text(last));
        }
        match self.count {
            Some(count) => set.child(Draft::new(COUNT).text(count.to_string())),
            None => set,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(content: &str) -> Result<Asked, StanzaCondition> {
        let iq = format!("<iq><query xmlns='q'><set xmlns='{NS}'>{content}</set></query></iq>");
        let iq = Stanza::parse_one(&iq).unwrap();
        let asked = Asked::read(iq.children().next().unwrap());
        asked.map_err(|error| error.condition)
    }

    #[test]
    fn a_page_is_asked_for_by_what_is_next_to_it() {
        let page = |max, after: &str, before: &str, newest| {
            let id = |id: &str| Some(id.to_owned()).filter(|id| !id.is_empty());
            Ok(Asked { max, after: id(after), before: id(before), newest })
        };
        assert_eq!(asked(""), page(None, "", "", false));
        assert_eq!(asked("<max>10</max>"), page(Some(10), "", "", false));
        assert_eq!(asked("<max>0</max>"), page(Some(0), "", "", false));
        assert_eq!(asked("<max> 4294967295\n</max>"), page(Some(u32::MAX), "", "", false));
        assert_eq!(asked("<after>a</after>"), page(None, "a", "", false));
        assert_eq!(asked("<after/>"), page(None, "", "", false));
        assert_eq!(asked("<before/>"), page(None, "", "", true));
        assert_eq!(asked("<before>b</before><after>a</after>"), page(None, "a", "b", true));
    }

    #[test]
    fn at_44_a_max_that_is_no_number_is_a_bad_request() {
        for max in ["", "-1", "x", "1.5", "4294967296", "18446744073709551616", "1e3", "' OR 1"] {
            let asked = asked(&format!("<max>{max}</max>"));
            assert_eq!(asked, Err(StanzaCondition::BadRequest), "{max}");
        }
    }

    #[test]
    fn pages_by_index_are_not_there_section_2_6() {
        let asked = asked("<max>1</max><index>371</index>");
        assert_eq!(asked, Err(StanzaCondition::FeatureNotImplemented));
    }

    #[test]
    fn an_answer_tells_its_ends_and_how_many_there_are() {
        let ends = Some(("a".to_owned(), "<".to_owned()));
        let told = |page: Page| page.draft().finish().as_str().to_owned();
        assert_eq!(
            told(Page { ends: ends.clone(), index: Some(0), count: Some(800) }),
            format!(
                "<set xmlns='{NS}'><first index='0'>a</first><last>&lt;</last>\
                 <count>800</count></set>"
            )
        );
        assert_eq!(
            told(Page { ends, ..Page::default() }),
            format!("<set xmlns='{NS}'><first>a</first><last>&lt;</last></set>")
        );
        let count = format!("<set xmlns='{NS}'><count>0</count></set>");
        assert_eq!(told(Page { count: Some(0), ..Page::default() }), count);
        assert_eq!(told(Page::default()), format!("<set xmlns='{NS}'/>"));
    }
}
