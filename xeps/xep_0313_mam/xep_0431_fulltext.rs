//! XEP-0431: Full Text Search in MAM. <https://xmpp.org/extensions/xep-0431.html>
//!
//! What is searched are the bodies of the messages that the archive shows, in every language, for
//! all words of the text, in whichever order: `engine::words` says what a word is. No character
//! has a meaning of its own (section 3.2). What is encrypted has nothing to be found but what its
//! body says instead.

use crate::xep_0004_forms::{Field, Given, Kind};
use engine::{
    hook::*,
    setting::{self, Setting},
    settings::Settings,
    wire::*,
    words::Words,
};

/// What was said about that?
pub const XEP: Xep = Xep {
    number: 431,
    name: "Full Text Search in MAM",
    version: "0.2.0",
    status: Status::Complete,
    hooks: &[
        Hook::Setting(&ENABLED),
        Hook::FeatureIf(Of::Account, NS, is_enabled),
        Hook::FeatureIf(Of::Room, NS, is_enabled),
        Hook::Index(is_enabled),
    ],
};

/// Off by default: the index takes room and time.
const ENABLED: Setting = Setting {
    xep: 431,
    key: "enabled",
    kind: setting::Kind::Choice(&["no", "yes"]),
    doc: "Whether clients may search the bodies of messages for words; an index of these is kept.",
};

const NS: &str = "urn:xmpp:fulltext:0";
const FULLTEXT: &str = "{urn:xmpp:fulltext:0}fulltext";

/// The longest text that is searched for, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;

/// Section 3.1.
pub(super) const FIELD: Field =
    Field { var: FULLTEXT, kind: Kind::TextSingle, label: "Words", required: false };

/// Else there is no such field.
pub(super) fn is_enabled(settings: &Settings) -> bool {
    settings.choice(&ENABLED) == "yes"
}

/// Section 2.2: an empty text asks for nothing.
///
/// # Errors
/// `policy-violation` when it is too long.
pub(super) fn words(given: &Given) -> Result<Option<Words>, StanzaError> {
    let Some(text) = given.one(FULLTEXT) else { return Ok(None) };
    if text.len() > TEXT_BYTES_MAX {
        let error = StanzaError::from(StanzaCondition::PolicyViolation);
        return Err(error.with_text(format!("no more than {TEXT_BYTES_MAX} bytes of text")));
    }
    Ok(Some(Words::of(text)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::stage;
    use engine::setting::Value;

    pub(in super::super) fn enabled() -> Settings {
        let mut settings = stage::settings();
        settings.choose(&ENABLED, Value::Choice("yes".into()));
        settings
    }

    #[test]
    fn it_is_advertised_only_where_it_is_enabled() {
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let form = "<query xmlns='urn:xmpp:mam:2'/>";
        for (settings, told) in [(stage::settings(), false), (enabled(), true)] {
            let ask = |query| stage::asked_under(&settings, Of::Account, "get", query).unwrap();
            assert_eq!(ask(info).contains(&format!("<feature var='{NS}'/>")), told);
            let asks = ask(form).contains(&format!("<field var='{FULLTEXT}' type='text-single'"));
            assert_eq!(asks, told, "{}", ask(form));
            let has = |of| {
                stage::under(&settings, 0, |ctx| {
                    ctx.hooks.features(of, ctx.settings).any(|it| it == NS)
                })
            };
            assert_eq!([Of::Account, Of::Room, Of::Host].map(has), [told, told, false]);
        }
    }
}
