//! XEP-0157: Contact Addresses for XMPP Services. <https://xmpp.org/extensions/xep-0157.html>

use crate::xep_0004_forms as forms;
use engine::{
    ctx::Ctx,
    hook::*,
    setting::{self, Setting},
    wire::*,
};

/// Whom to turn to about this server.
pub const XEP: Xep = Xep {
    number: 157,
    name: "Contact Addresses for XMPP Services",
    version: "1.1.1",
    status: Status::Complete,
    hooks: &[
        Hook::Setting(&ABUSE),
        Hook::Setting(&ADMIN),
        Hook::Setting(&FEEDBACK),
        Hook::Setting(&SALES),
        Hook::Setting(&SECURITY),
        Hook::Setting(&STATUS),
        Hook::Setting(&SUPPORT),
    ],
};

const ABUSE: Setting = addresses("abuse", "Who hears of abuse.");
const ADMIN: Setting = addresses("admin", "Who runs the server.");
const FEEDBACK: Setting = addresses("feedback", "Who hears what users think.");
const SALES: Setting = addresses("sales", "Who sells.");
const SECURITY: Setting = addresses("security", "Who hears of holes.");
const STATUS: Setting = addresses("status", "Where it says whether the server works.");
const SUPPORT: Setting = addresses("support", "Who helps users.");
pub(super) const ALL: [&Setting; 7] =
    [&ABUSE, &ADMIN, &FEEDBACK, &SALES, &SECURITY, &STATUS, &SUPPORT];

const FORM_TYPE: &str = "http://jabber.org/network/serverinfo";

const fn addresses(key: &'static str, doc: &'static str) -> Setting {
    let each = "a URI such as \"mailto:xmpp@example.org\"";
    Setting { xep: 157, key, kind: setting::Kind::Texts { each, is: is_uri }, doc }
}

/// What is told in the info of the host: the addresses that were chosen. None: no form.
pub(super) fn form(ctx: &Ctx<'_>) -> Option<Draft> {
    let chosen = ALL.map(|setting| (setting.key, ctx.settings.texts(setting)));
    let chosen = chosen.into_iter().filter(|(_, addresses)| !addresses.is_empty());
    let mut fields =
        chosen.map(|(key, addresses)| field(&format!("{key}-addresses"), addresses)).peekable();
    fields.peek()?;
    Some(fields.fold(forms::result(FORM_TYPE), Draft::child))
}

/// With its type, as in the examples: without, a client may take it for a line of text, and end the
/// stream when there are two (Smack does).
fn field(var: &str, values: &[String]) -> Draft {
    let field = Draft::new(forms::FIELD).attribute("var", var).attribute("type", "list-multi");
    let values = values.iter().map(|value| Draft::new(forms::VALUE).text(value));
    values.fold(field, Draft::child)
}

/// A scheme, and something in it (RFC 3986 §3); what else could not stand in a URI is encoded.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let named = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    let encoded = rest.split('%').skip(1).all(|code| {
        code.get(..2).is_some_and(|code| code.chars().all(|digit| digit.is_ascii_hexdigit()))
    });
    named && !rest.is_empty() && rest.chars().all(allowed) && encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage;
    use engine::{setting::Value, settings::Settings};

    const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

    fn chosen(setting: &Setting, addresses: &[&str], of: &mut Settings) {
        let value = Value::Texts(addresses.iter().map(|&address| address.to_owned()).collect());
        setting.check(&value).unwrap();
        of.choose(setting, value);
    }

    fn told(settings: &Settings, of: Of) -> String {
        stage::asked_under(settings, of, "get", INFO).unwrap()
    }

    #[test]
    fn only_the_addresses_that_were_chosen_are_told_of_the_host_section_3() {
        let mut settings = stage::settings();
        assert!(!told(&settings, Of::Host).contains("jabber:x:data"));
        let abuse = ["mailto:abuse@shakespeare.lit", "xmpp:abuse@shakespeare.lit"];
        chosen(&ABUSE, &abuse, &mut settings);
        chosen(&STATUS, &["https://status.shakespeare.lit/?a=1&b=2"], &mut settings);
        chosen(&SALES, &[], &mut settings);
        let form = "<x xmlns='jabber:x:data' type='result'>\
            <field var='FORM_TYPE' type='hidden'>\
            <value>http://jabber.org/network/serverinfo</value></field>\
            <field var='abuse-addresses' type='list-multi'>\
            <value>mailto:abuse@shakespeare.lit</value>\
            <value>xmpp:abuse@shakespeare.lit</value></field>\
            <field var='status-addresses' type='list-multi'>\
            <value>https://status.shakespeare.lit/?a=1&amp;b=2</value></field></x></query>";
        let host = told(&settings, Of::Host);
        assert!(host.ends_with(form), "{host}");
        assert!(!told(&settings, Of::Account).contains("jabber:x:data"));
    }

    #[test]
    fn every_kind_of_address_of_the_registry_is_told_section_7_1() {
        let mut settings = stage::settings();
        for setting in ALL {
            chosen(setting, &["xmpp:x@y"], &mut settings);
        }
        let host = told(&settings, Of::Host);
        for kind in ["abuse", "admin", "feedback", "sales", "security", "status", "support"] {
            let field = format!("var='{kind}-addresses' type='list-multi'><value>xmpp:x@y</value>");
            assert!(host.contains(&field), "{host}");
        }
    }

    #[test]
    fn the_hash_of_the_capabilities_changes_with_the_addresses() {
        let mut settings = stage::settings();
        let node = |settings: &Settings| {
            stage::under(settings, 0, |ctx| {
                super::super::xep_0115_caps::node(&super::super::HOST, ctx)
            })
        };
        let before = node(&settings);
        chosen(&ADMIN, &["mailto:xmpp@shakespeare.lit"], &mut settings);
        let after = node(&settings);
        assert_ne!(before, after);
        let query = INFO.replace("/>", &format!(" node='{after}'/>"));
        let told = stage::asked_under(&settings, Of::Host, "get", &query).unwrap();
        assert!(told.contains("admin-addresses"), "{told}");
    }

    #[test]
    fn an_address_is_a_uri_section_3() {
        for good in [
            "mailto:xmpp@example.org",
            "xmpp:admins@example.org?message",
            "https://example.org/feedback.php?a=%20b#c",
            "tel:+49-30-1",
        ] {
            assert!(is_uri(good), "{good}");
        }
        for bad in [
            "",
            "xmpp@example.org",
            "example.org",
            "mailto:",
            ":x",
            "1a:b",
            "ma ilto:x",
            "https://example.org/a b",
            "https://example.org/%2",
            "https://example.org/%zz",
            "https://exämple.org",
            "mailto:<x@y>",
        ] {
            assert!(!is_uri(bad), "{bad}");
        }
    }
}
