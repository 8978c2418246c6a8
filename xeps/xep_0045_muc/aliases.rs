//! What other servers call fields of the configuration, by which clients and bots set them, too.

use super::fields::{ARCHIVED, HISTORY, MODERATED, PRIVATE, QUERIES, VOICE};
use crate::xep_0004_forms as forms;
use engine::wire::*;

/// What a field of another name means.
#[derive(Clone, Copy)]
enum Meaning {
    /// The same as that one.
    Same(&'static str),
    /// The contrary of that one.
    Contrary(&'static str),
    /// Of that one the first when it is not so, and the second when it is.
    Either(&'static str, &'static str, &'static str),
}

/// ejabberd's, its hosted service's, Prosody's.
const ALIASES: &[(&str, Meaning)] = &[
    ("mam", Meaning::Same(ARCHIVED)),
    ("muc#roomconfig_mam", Meaning::Same(ARCHIVED)),
    ("muc#roomconfig_historylength", Meaning::Same(HISTORY)),
    ("members_by_default", Meaning::Contrary(MODERATED)),
    ("muc#roomconfig_allow_query_users", Meaning::Same(QUERIES)),
    ("allow_voice_requests", Meaning::Same(VOICE)),
    ("allow_private_messages", Meaning::Either(PRIVATE, "none", "anyone")),
];

impl Meaning {
    fn var(self) -> &'static str {
        match self {
            Self::Same(var) | Self::Contrary(var) | Self::Either(var, ..) => var,
        }
    }

    fn value(self, given: &str) -> String {
        let is_so = matches!(given, "1" | "true");
        match self {
            Self::Same(_) => given,
            Self::Contrary(_) if is_so => "0",
            Self::Contrary(_) => "1",
            Self::Either(_, no, _) if !is_so => no,
            Self::Either(_, _, yes) => yes,
        }
        .to_owned()
    }
}

/// The same form by our names. What is given by ours, too, is that; of two that mean the same, the
/// first.
pub fn translated(form: Element<'_>) -> Payload {
    let fields = || form.children().filter(|child| child.is(forms::FIELD));
    let mut known: Vec<_> = fields().filter_map(|field| field.attribute("var")).collect();
    let mut draft = Draft::new(forms::X);
    if let Some(kind) = form.attribute("type") {
        draft = draft.attribute("type", kind);
    }
    for field in fields() {
        let var = field.attribute("var").unwrap_or_default();
        let meaning = ALIASES.iter().find(|(name, _)| *name == var).map(|(_, meaning)| *meaning);
        let Some(meaning) = meaning else {
            draft = draft.payload(&field.to_payload());
            continue;
        };
        if known.iter().any(|one| *one == meaning.var()) {
            continue;
        }
        known.push(meaning.var().into());
        let value = field.child(forms::VALUE).map(|value| value.text().into_owned());
        let value = Draft::new(forms::VALUE).text(meaning.value(&value.unwrap_or_default()));
        let field = Draft::new(forms::FIELD).attribute("var", meaning.var());
        draft = draft.child(field.child(value));
    }
    draft.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated_of(fields: &[(&str, &str)]) -> String {
        let field = |(var, value): &(&str, &str)| {
            format!("<field var='{var}'><value>{value}</value></field>")
        };
        let fields: String = fields.iter().map(field).collect();
        let iq = format!("<iq><x xmlns='jabber:x:data' type='submit'>{fields}</x></iq>");
        let iq = Stanza::parse_one(&iq).unwrap();
        let form = translated(iq.child(forms::X).unwrap());
        form.as_str().split_once('>').unwrap().1.replace("</x>", "").replace('"', "'")
    }

    #[test]
    fn what_other_servers_call_a_field_means_the_same() {
        for (given, wanted) in [
            (("mam", "1"), (ARCHIVED, "1")),
            (("members_by_default", "0"), (MODERATED, "1")),
            (("members_by_default", "true"), (MODERATED, "0")),
            (("allow_voice_requests", "0"), (VOICE, "0")),
            (("allow_private_messages", "0"), (PRIVATE, "none")),
            (("allow_private_messages", "1"), (PRIVATE, "anyone")),
            (("muc#roomconfig_historylength", "5"), (HISTORY, "5")),
        ] {
            let wanted = format!("<field var='{}'><value>{}</value></field>", wanted.0, wanted.1);
            assert_eq!(translated_of(&[given]), wanted);
        }
        let both = translated_of(&[("mam", "1"), ("muc#roomconfig_mam", "1"), (ARCHIVED, "0")]);
        assert_eq!(both.matches("var=").count(), 1, "{both}");
        assert!(both.contains("<value>0</value>"), "{both}");
        let two = translated_of(&[("mam", "1"), ("muc#roomconfig_mam", "0")]);
        assert_eq!(two.matches("var=").count(), 1, "{two}");
    }
}
