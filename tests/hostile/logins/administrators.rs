//! AT-13: who has an administrator's name elsewhere, one that looks like it, or only wants to be.

use super::{Intruder, PASSWORD, Profile, SETTINGS, encoded, siege::Siege};
use crate::server::Server;
use conformance::tree::{CLIENT, Tree};

const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
const COMMANDS: &str = "http://jabber.org/protocol/commands";
const ADMINISTRATION: [&str; 9] = [
    "add-user",
    "delete-user",
    "end-user-session",
    "change-user-password",
    "get-user-roster",
    "user-stats",
    "get-registered-users-list",
    "get-online-users-num",
    "announce",
];
/// Local part, domain and resource; the second has a Cyrillic letter.
const NOBODIES: [(&str, &str, &str); 3] = [
    ("admin", "other.localhost", "desk"),
    ("\u{430}dmin", "localhost", "desk"),
    ("romeo", "localhost", "admin@localhost/"),
];
/// What is juliet's or the administrator's, and how it is refused to others.
const OTHERS: [(&str, &str, &str, &str); 6] = [
    ("get", "admin@localhost", "<query xmlns='jabber:iq:roster'/>", "forbidden"),
    ("get", "juliet@localhost", "<query xmlns='jabber:iq:roster'/>", "forbidden"),
    (
        "set",
        "juliet@localhost",
        "<query xmlns='jabber:iq:roster'><item jid='evil@evil.example'/></query>",
        "forbidden",
    ),
    ("set", "juliet@localhost", "<vCard xmlns='vcard-temp'><FN>evil</FN></vCard>", "forbidden"),
    (
        "set",
        "juliet@localhost",
        "<query xmlns='jabber:iq:private'><a xmlns='evil'/></query>",
        "service-unavailable",
    ),
    // CVE-2009-1595, at one's own domain.
    (
        "set",
        "",
        "<query xmlns='jabber:iq:register'><username>juliet</username><password>evil</password>\
         </query>",
        "forbidden",
    ),
];

impl Intruder {
    pub fn enters(&mut self, local: &str, domain: &str, resource: &str) {
        let header = format!("to='{domain}'");
        self.header(&header);
        self.features();
        let message = encoded(format!("\0{local}\0{PASSWORD}"));
        let said = self.begin(Profile::Rfc6120, "PLAIN", &message, "");
        self.succeeded(&said);
        self.again(&header);
        self.features();
        let resource = format!("<bind xmlns='{BIND}'><resource>{resource}</resource></bind>");
        let bound = self.asks("set", domain, &resource);
        assert_eq!(bound.attribute("type"), Some("result"), "{:?}: {bound}", self.over);
    }

    pub fn asks(&mut self, kind: &str, to: &str, payload: &str) -> Tree {
        let to = if payload.contains(BIND) { String::new() } else { format!("to='{to}'") };
        self.say(&format!("<iq type='{kind}' id='q' {to}>{payload}</iq>"));
        self.hear()
    }

    /// An error of this condition, and nothing else.
    fn is_denied(&self, said: &Tree, condition: &str, what: &str) {
        let error = said.child(CLIENT, "error");
        let named = error.and_then(|it| it.child("urn:ietf:params:xml:ns:xmpp-stanzas", condition));
        assert!(named.is_some(), "{:?}: {what}: {condition} expected: {said}", self.over);
    }
}

fn wants_to_rule(intruder: &mut Intruder) {
    for (local, domain, resource) in NOBODIES {
        intruder.enters(local, domain, &format!("{resource}{:?}", intruder.over));
        for name in ADMINISTRATION {
            let node = format!("http://jabber.org/protocol/admin#{name}");
            let command = format!("<command xmlns='{COMMANDS}' node='{node}' action='execute'/>");
            let said = intruder.asks("set", "localhost", &command);
            intruder.is_denied(&said, "forbidden", &node);
        }
        let list =
            format!("<query xmlns='http://jabber.org/protocol/disco#items' node='{COMMANDS}'/>");
        let said = intruder.asks("get", "localhost", &list);
        let query = said.children().next().expect("a query");
        assert_eq!(query.children().count(), 0, "no command is shown: {said}");
        for (kind, to, payload, condition) in OTHERS {
            let said = intruder.asks(kind, if to.is_empty() { domain } else { to }, payload);
            intruder.is_denied(&said, condition, payload);
        }
        // AT-36: the administrator's address on a stanza of one's own.
        intruder.say(
            "<iq type='get' id='q' from='admin@localhost/desk' to='localhost'>\
             <ping xmlns='urn:xmpp:ping'/></iq>",
        );
        intruder.errs("invalid-from");
    }
}

#[tokio::test]
async fn at_13_nobody_rules_but_the_administrator_whatever_the_way_in() {
    let more = SETTINGS.replace("[server]\n", "[server]\nadmins = [\"admin@localhost\"]\n");
    let server = Server::start(&more).await;
    for account in ["admin@localhost", "admin@other.localhost", "\u{430}dmin@localhost"] {
        server.add(account, PASSWORD).await;
    }
    let mut siege = Siege::of(server).await;
    siege.bears(wants_to_rule).await;
    // The administrator is one over every way in.
    siege
        .bears(|intruder| {
            intruder.enters("admin", "localhost", &format!("{:?}", intruder.over));
            let node = "http://jabber.org/protocol/admin#get-online-users-num";
            let command = format!("<command xmlns='{COMMANDS}' node='{node}' action='execute'/>");
            let said = intruder.asks("set", "localhost", &command);
            assert_eq!(said.attribute("type"), Some("result"), "{:?}: {said}", intruder.over);
        })
        .await;
    siege.ends().await;
}
