//! XEP-0092: Software Version. <https://xmpp.org/extensions/xep-0092.html>

use engine::{
    ctx::Ctx,
    hook::*,
    request::Line,
    setting::{Kind, Setting},
    wire::*,
};

/// Which software this is.
pub const XEP: Xep = Xep {
    number: 92,
    name: "Software Version",
    version: "1.1",
    status: Status::Complete,
    hooks: &[
        Hook::Setting(&OS),
        Hook::Feature(Of::Host, NS),
        Hook::get(Of::Host, QUERY, Answer::Pure(version)),
    ],
};

const OS: Setting = Setting {
    xep: 92,
    key: "os",
    kind: Kind::Choice(&["hidden", "shown"]),
    doc: "Whether who asks for the version is told the operating system.",
};

const NS: &str = "jabber:iq:version";
const QUERY: Name = Name::new(NS, "query");

/// The operating system is told only when the operator wants it (section 5).
fn version(_: &Stanza, _: &mut Line<'_>, ctx: &Ctx<'_>) -> Replied {
    let say = |name, text: &str| Draft::new(Name::new(NS, name)).text(text);
    let query = Draft::new(QUERY)
        .child(say("name", "Waxwing"))
        .child(say("version", env!("CARGO_PKG_VERSION")));
    let query = match ctx.settings.choice(&OS) {
        "shown" => query.child(say("os", std::env::consts::OS)),
        _ => query,
    };
    Ok(Reply::Payload(query.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage;
    use xmpp_parsers::version::VersionResult;

    #[test]
    fn the_operating_system_is_told_when_the_operator_wants_it() {
        let mut settings = stage::settings();
        settings.choose(&OS, engine::setting::Value::Choice("shown".into()));
        let query = "<query xmlns='jabber:iq:version'/>";
        let told = stage::asked_under(&settings, Of::Host, "get", query).unwrap();
        assert!(told.contains(&format!("<os>{}</os>", std::env::consts::OS)), "{told}");
    }

    #[test]
    fn name_and_version_are_told_but_not_the_operating_system() {
        let told = stage::asked(Of::Host, "get", "<query xmlns='jabber:iq:version'/>").unwrap();
        let wanted = format!(
            "<query xmlns='jabber:iq:version'><name>Waxwing</name><version>{}</version></query>",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(told, wanted);
        let stanza = Stanza::parse_one(&format!("<iq>{told}</iq>")).unwrap();
        let read: VersionResult = stanza.child(QUERY).unwrap().read().unwrap();
        assert_eq!((read.name.as_str(), read.os), ("Waxwing", None), "as a client reads it");
    }
}
