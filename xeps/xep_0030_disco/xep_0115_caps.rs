//! XEP-0115: Entity Capabilities. <https://xmpp.org/extensions/xep-0115.html>
//!
//! Ours only: those of the host in the stream features, those of the account in a presence to
//! each resource that becomes available. Those of clients pass through in their presence.

use super::{Entity, HOST, account};
use crate::xep_0004_forms as forms;
use base64::{Engine, engine::general_purpose::STANDARD};
use engine::{ctx::Ctx, hook::*, passage::Passage, slot::Slot, wire::*};
use sha1::{Digest, Sha1};

/// What we are and can do, in one hash that clients know already.
pub const XEP: Xep = Xep {
    number: 115,
    name: "Entity Capabilities",
    version: "1.6.0",
    status: Status::Partial("no caps optimization (section 8.4)"),
    hooks: &[
        Hook::Feature(Of::Host, C.ns),
        Hook::Feature(Of::Account, C.ns),
        Hook::StreamFeature(Stage::Bind, |ctx, _| Some(caps(&HOST, ctx))),
        Hook::slot::<Greeting>(),
        Hook::At(Station::Keep, notice),
        Hook::At(Station::Copy, greet),
    ],
};

const C: Name = Name::new("http://jabber.org/protocol/caps", "c");
/// Which software this is.
const NODE: &str = "https://waxwing.im";

/// Whether the resource is about to become available.
#[derive(Default)]
struct Greeting {
    due: bool,
}

impl Slot for Greeting {
    const KEY: &'static str = "caps greeting";
}

/// The node at which disco answers for these capabilities (section 6.2).
pub(super) fn node(entity: &Entity, ctx: &Ctx<'_>) -> String {
    format!("{NODE}#{}", ver(entity, ctx))
}

fn ver(entity: &Entity, ctx: &Ctx<'_>) -> String {
    STANDARD.encode(Sha1::digest(verification_string(entity, ctx)))
}

/// `<c/>` (section 6.1).
fn caps(entity: &Entity, ctx: &Ctx<'_>) -> Payload {
    let caps = Draft::new(C).attribute("hash", "sha-1").attribute("node", NODE);
    caps.attribute("ver", ver(entity, ctx)).finish()
}

/// Before the commit the session still has the presence it had before.
fn notice(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let available = passage.stanza.head.type_str() == "";
    if let Some(session) = passage.broadcaster() {
        session.slot::<Greeting>().due = available && session.presence.is_none();
    }
    Verdict::Go
}

/// The account tells the resource what it can do, as a contact would.
fn greet(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    let Some(session) = passage.broadcaster() else { return Verdict::Go };
    if std::mem::take(&mut session.slot::<Greeting>().due) {
        let (to, from) = (session.jid.clone(), session.jid.bare());
        let caps = caps(account(&from, ctx), ctx);
        let head = Head::new(Kind::Presence).with_from(from).with_to(to.clone());
        passage.also(&to, Stanza::new(head).with(caps));
    }
    Verdict::Go
}

/// What is hashed of the answer to disco#info (section 5.1), made of what that is made of: every
/// login asks for it. `sort` on strings is i;octet.
fn verification_string(entity: &Entity, ctx: &Ctx<'_>) -> String {
    let Entity { of, category, kind, name, form } = *entity;
    let name = name.unwrap_or_default();
    let mut features: Vec<_> = ctx.hooks.features(of, ctx.settings).collect();
    features.sort_unstable();
    let mut hashed = format!("{category}/{kind}//{name}<");
    for feature in features {
        hashed.push_str(feature);
        hashed.push('<');
    }
    let form = form(ctx).map(|form| form_string(form.finish().element()));
    hashed + &form.unwrap_or_default()
}

/// A form (XEP-0128): its type, then its fields with their values.
fn form_string(form: Element<'_>) -> String {
    let values = |field: Element<'_>| {
        let values: Vec<_> = field.children().filter(|child| child.is(forms::VALUE)).collect();
        ended(values.into_iter().map(|value| value.text().into_owned()))
    };
    let (mut kind, mut fields) = (String::new(), Vec::new());
    for field in form.children().filter(|child| child.is(forms::FIELD)) {
        match field.attribute("var").unwrap_or_default() {
            var if var == forms::FORM_TYPE => kind = values(field),
            var => fields.push(format!("{var}<{}", values(field))),
        }
    }
    kind + &sorted(fields.into_iter())
}

fn ended(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<_> = words.collect();
    // As they are: with its end, one would come behind another that goes on with `#`.
    words.sort_unstable();
    words.into_iter().map(|word| word + "<").collect()
}

fn sorted(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<_> = words.collect();
    words.sort();
    words.concat()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{FEATURE, GUEST, IDENTITY, xep_0157_contact::ALL as CONTACTS},
        *,
    };
    use crate::stage::{self, JULIET};
    use engine::{setting::Value, stream::machine::Tls};

    /// What a client hashes of an answer.
    fn hashed(info: Element<'_>) -> String {
        let identities = info.children().filter(|child| child.is(IDENTITY)).map(|identity| {
            let [category, kind, lang, name] = ["category", "type", "xml:lang", "name"]
                .map(|name| identity.attribute(name).unwrap_or_default());
            format!("{category}/{kind}/{lang}/{name}")
        });
        let features = info.children().filter(|child| child.is(FEATURE));
        let features = features.map(|feature| feature.attribute("var").unwrap_or_default().into());
        let forms = info.children().filter(|child| child.is(forms::X)).map(form_string);
        ended(identities) + &ended(features) + &sorted(forms)
    }

    fn hash(info: &str) -> String {
        let iq = Stanza::parse_one(&format!("<iq type='result' id='1'>{info}</iq>")).unwrap();
        let info = iq.children().next().unwrap();
        STANDARD.encode(Sha1::digest(hashed(info)))
    }

    #[test]
    fn the_simple_example_of_section_5_2() {
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity category='client' name='Exodus 0.9.1' type='pc'/>\
            <feature var='http://jabber.org/protocol/caps'/>\
            <feature var='http://jabber.org/protocol/disco#items'/>\
            <feature var='http://jabber.org/protocol/disco#info'/>\
            <feature var='http://jabber.org/protocol/muc'/></query>";
        assert_eq!(hash(info), "QgayPKawpkPSDYmwT/WM94uAlu0=");
    }

    #[test]
    fn the_complex_example_of_section_5_3() {
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
            <identity xml:lang='el' category='client' name='\u{3a8} 0.11' type='pc'/>\
            <feature var='http://jabber.org/protocol/caps'/>\
            <feature var='http://jabber.org/protocol/disco#info'/>\
            <feature var='http://jabber.org/protocol/disco#items'/>\
            <feature var='http://jabber.org/protocol/muc'/>\
            <x xmlns='jabber:x:data' type='result'>\
            <field var='os'><value>Mac</value></field>\
            <field var='FORM_TYPE' type='hidden'>\
            <value>urn:xmpp:dataforms:softwareinfo</value></field>\
            <field var='ip_version' type='text-multi'>\
            <value>ipv6</value><value>ipv4</value></field>\
            <field var='os_version'><value>10.5.1</value></field>\
            <field var='software'><value>Psi</value></field>\
            <field var='software_version'><value>0.11</value></field></x></query>";
        assert_eq!(hash(info), "q07IKJEyjvHSyhy//CH0CxmKi8w=");
    }

    #[test]
    fn the_stream_feature_names_the_hash_of_what_disco_tells() {
        let query = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let ver = hash(&stage::asked(Of::Host, "get", query).unwrap());
        let offers = stage::offered(Stage::Bind, &Tls::UNKNOWN);
        let caps = offers.iter().find(|offer| offer.element().is(C)).unwrap();
        let wanted = format!(
            "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' \
             node='https://waxwing.im' ver='{ver}'/>"
        );
        assert_eq!(caps.as_str(), wanted);
    }

    #[test]
    fn what_is_told_beside_the_features_is_hashed_as_clients_do() {
        let query = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let mut settings = stage::settings();
        settings.anonymous = settings.domains.clone();
        let addresses = ["mailto:b@example.org", "mailto:a@example.org"].map(str::to_owned);
        for setting in CONTACTS {
            settings.choose(setting, Value::Texts(addresses.to_vec()));
        }
        let info = stage::asked_under(&settings, Of::Host, "get", query).unwrap();
        assert!(info.contains("mailto:b@example.org"), "{info}");
        let ver = stage::under(&settings, 0, |ctx| super::ver(&HOST, ctx));
        assert_eq!(ver, hash(&info));
        let info = stage::asked_under(&settings, Of::Account, "get", query).unwrap();
        assert!(info.contains("type='anonymous'"), "{info}");
        let ver = stage::under(&settings, 0, |ctx| super::ver(&GUEST, ctx));
        assert_eq!(ver, hash(&info));
    }

    fn greetings(heard: &[Stanza]) -> Vec<&Stanza> {
        let caps = heard.iter().filter(|stanza| stanza.child(C).is_some());
        caps.filter(|stanza| stanza.head.from.as_ref().is_some_and(Jid::is_bare)).collect()
    }

    #[test]
    fn a_resource_that_becomes_available_hears_what_its_account_can_do() {
        let mut juliet = stage::Stage::of(JULIET);
        let query = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let ver = hash(&stage::asked(Of::Account, "get", query).unwrap());
        let heard = juliet.says("<presence/>");
        let [greeting] = *greetings(&heard) else { panic!("{heard:?}") };
        assert_eq!(greeting.child(C).unwrap().attribute("ver").unwrap(), ver);
        assert_eq!(greeting.head.to, Some(juliet.jid()));
        assert!(greetings(&juliet.says("<presence><show>away</show></presence>")).is_empty());
        juliet.says("<presence type='unavailable'/>");
        assert_eq!(greetings(&juliet.says("<presence/>")).len(), 1);
    }
}
