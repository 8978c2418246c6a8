//! Logins as attackers try them, over every transport at once. Each refusal must have the right
//! name, lead to no session, be counted and be a line of the log; others are served meanwhile.

#[path = "logins/administrators.rs"]
mod administrators;
#[path = "logins/amounts.rs"]
mod amounts;
#[path = "logins/binding.rs"]
mod binding;
#[path = "logins/certificates.rs"]
mod certificates;
#[path = "logins/clear.rs"]
mod clear;
#[path = "logins/enumeration.rs"]
mod enumeration;
#[path = "logins/ids.rs"]
mod ids;
#[path = "logins/names.rs"]
mod names;
#[path = "logins/revoked.rs"]
mod revoked;
#[path = "logins/siege.rs"]
mod siege;
#[path = "logins/slow.rs"]
mod slow;
#[path = "logins/tokens.rs"]
mod tokens;

use crate::server::Server;
use base64::{Engine, prelude::BASE64_STANDARD};
use conformance::{
    actor::{Actor, Next},
    bosh::{Bosh, HTTPBIND},
    driver::{Driver, Patience, Transport},
    sasl::Seen,
    script::{Character, Kind},
    tcp::{self, Tcp},
    tls,
    tree::{Heard, STREAM, Tree},
    web::{self, Endpoint},
    websocket::WebSockets,
};
use siege::besieged;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use tokio_rustls::rustls::ClientConfig;

const SETTINGS: &str = "https = [\"127.0.0.1:0\"]\n\
    [server]\ndomains = [\"localhost\", \"other.localhost\"]\n\
    [log]\nlevel = \"trace\"\nformat = \"json\"\n\
    [limits]\nlogin_failures_max = 100000\nlogin_failures_per_account_max = 100000\n\
    login_delay_seconds_max = 0\nbosh_sessions_per_address_max = 10000\n";
/// Of romeo@localhost, as whom the attackers may log in.
const PASSWORD: &str = "wherefore-art-thou";
const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
const SASL2: &str = "urn:xmpp:sasl:2";
const PING: &str = "<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>";

/// How SASL travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    Rfc6120,
    Xep0388,
}

impl Profile {
    const ALL: [Self; 2] = [Self::Rfc6120, Self::Xep0388];

    fn ns(self) -> &'static str {
        match self {
            Self::Rfc6120 => SASL,
            Self::Xep0388 => SASL2,
        }
    }

    fn begin(self, mechanism: &str, message: &str, more: &str) -> String {
        match self {
            Self::Rfc6120 => {
                format!("<auth xmlns='{SASL}' mechanism='{mechanism}'>{message}</auth>")
            }
            Self::Xep0388 => format!(
                "<authenticate xmlns='{SASL2}' mechanism='{mechanism}'>\
                 <initial-response>{message}</initial-response>{more}</authenticate>"
            ),
        }
    }
}

fn encoded(message: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(message)
}

fn decoded(message: &str) -> String {
    String::from_utf8(BASE64_STANDARD.decode(message).unwrap()).unwrap()
}

fn plain(authzid: &str, password: &str) -> String {
    encoded(format!("{authzid}\0romeo\0{password}"))
}

/// Where a server is.
#[derive(Clone, Copy)]
struct Doors {
    starttls: SocketAddr,
    direct: SocketAddr,
    http: SocketAddr,
    https: SocketAddr,
}

impl Doors {
    fn of(server: &Server) -> Self {
        let (starttls, direct) = (server.starttls(), server.direct());
        Self { starttls, direct, http: server.address("http "), https: server.address("https") }
    }

    /// A way in, with TLS where `secure`.
    fn driver(self, over: Transport, secure: bool) -> Box<dyn Driver> {
        self.driver_by(over, secure, tls::any_certificate().unwrap())
    }

    /// The same with handshakes that begin with this; over BOSH they always begin with nothing.
    fn driver_by(
        self,
        over: Transport,
        secure: bool,
        config: Arc<ClientConfig>,
    ) -> Box<dyn Driver> {
        let (answer, quiet) = (Duration::from_secs(30), Duration::from_millis(150));
        let domain = || "localhost".to_owned();
        let web = |path: &str| {
            let address = if secure { self.https } else { self.http };
            let endpoint = Endpoint { secure, address, path: path.into() };
            web::Server { endpoint, domain: domain(), answer, quiet }
        };
        let (starttls, direct) = (self.starttls, Some(self.direct));
        let tcp = || tcp::Server { starttls, direct, domain: domain(), answer, quiet };
        match over {
            Transport::Tcp => Box::new(Tcp::new(tcp()).unwrap().by(config)),
            Transport::Direct => Box::new(Tcp::direct(tcp()).unwrap().by(config)),
            Transport::WebSocket => Box::new(WebSockets::new(web("/ws")).unwrap().by(config)),
            Transport::Bosh => Box::new(Bosh::new(web("/bosh"))),
        }
    }
}

/// Why logins were refused, by the labels of log and metric, and what must not be in the log.
#[derive(Default)]
struct Told {
    refused: Vec<(String, String)>,
    secrets: Vec<String>,
}

/// Who attacks, one connection after the other.
struct Intruder {
    over: Transport,
    /// Whether it speaks under TLS.
    secure: bool,
    driver: Box<dyn Driver>,
    actor: Actor,
    told: Told,
    /// Was heard in the place of what led on.
    heard: Option<Tree>,
}

impl Intruder {
    fn new(over: Transport, doors: Doors, secure: bool) -> Self {
        Self::by(over, secure, doors.driver(over, secure))
    }

    fn by(over: Transport, secure: bool, driver: Box<dyn Driver>) -> Self {
        let properties = BTreeMap::from([("jid".to_owned(), "romeo@localhost".to_owned())]);
        let character = Character { name: "Romeo".into(), kind: Kind::Stream, properties };
        let secrets = vec![PASSWORD.into(), plain("", PASSWORD)];
        let told = Told { secrets, ..Told::default() };
        Self { over, secure, driver, actor: Actor::new(character), told, heard: None }
    }

    /// Whether the stream is one document, in which a header can come again.
    fn is_on_tcp(&self) -> bool {
        matches!(self.over, Transport::Tcp | Transport::Direct)
    }

    /// On a connection of its own, a stream with this header's attributes; no answer is heard.
    fn header(&mut self, attributes: &str) {
        self.heard = None;
        self.actor.cut(&mut *self.driver);
        self.actor.connect(&mut *self.driver).unwrap();
        self.again(attributes);
        if self.over != Transport::Tcp || !self.secure {
            return;
        }
        let said = self.hear();
        if said.is(STREAM, "features") {
            self.actor.start_tls(&mut *self.driver).unwrap();
            self.again(attributes);
        } else {
            self.heard = Some(said);
        }
    }

    /// The stream begins anew.
    fn again(&mut self, attributes: &str) {
        self.actor.restart();
        self.say(&format!(
            "<stream:stream {attributes} version='1.0' xmlns='jabber:client' \
             xmlns:stream='{STREAM}'>"
        ));
    }

    /// What the server has offered on a new stream.
    fn connect(&mut self) -> Tree {
        self.header("to='localhost'");
        self.features()
    }

    fn features(&mut self) -> Tree {
        let features = self.hear();
        assert!(features.is(STREAM, "features"), "{:?}: {features}", self.over);
        features
    }

    fn say(&mut self, xml: &str) {
        self.actor.say(&mut *self.driver, xml.as_bytes()).unwrap();
    }

    /// The next element.
    fn hear(&mut self) -> Tree {
        if let Some(heard) = self.heard.take() {
            return heard;
        }
        loop {
            match self.actor.next(&mut *self.driver, Patience::Answer).unwrap() {
                Next::Heard(Heard::Element(tree)) => return tree,
                Next::Heard(Heard::Header(_)) => {}
                other => panic!("{:?}: an element expected, {}", self.over, other.words()),
            }
        }
    }

    fn channel(&self, kind: &str) -> Vec<u8> {
        self.actor.channel(&*self.driver, kind).unwrap()
    }

    /// Begins a login on this stream.
    fn begin(&mut self, profile: Profile, mechanism: &str, message: &str, more: &str) -> Tree {
        self.say(&profile.begin(mechanism, message, more));
        self.hear()
    }

    /// Begins one on a new stream.
    fn login(&mut self, profile: Profile, mechanism: &str, message: &str, more: &str) -> Tree {
        self.connect();
        self.begin(profile, mechanism, message, more)
    }

    fn respond(&mut self, profile: Profile, message: &str) -> Tree {
        self.say(&format!("<response xmlns='{}'>{message}</response>", profile.ns()));
        self.hear()
    }

    /// The login was refused with this condition, and nobody is logged in.
    fn refused(&mut self, said: &Tree, condition: &str, (mechanism, why): (&str, &str)) {
        let over = self.over;
        assert!(said.local == "failure", "{over:?}, {mechanism}, {why}: {said}");
        assert!(said.child(SASL, condition).is_some(), "{over:?}, {mechanism}, {why}: {said}");
        self.told.refused.push((mechanism.into(), why.into()));
        self.say(PING);
        self.errs("not-authorized");
    }

    /// The stream ends with this error.
    fn errs(&mut self, condition: &str) {
        let error = self.hear();
        if error.is(HTTPBIND, "body") {
            // There has been no stream that could end (XEP-0124 §17.2).
            return assert_eq!(error.attribute("condition"), Some(condition), "{error}");
        }
        assert!(error.is(STREAM, "error"), "{:?}: {error}", self.over);
        let named = error.child("urn:ietf:params:xml:ns:xmpp-streams", condition);
        assert!(named.is_some(), "{:?}: {condition} expected: {error}", self.over);
    }

    fn succeeded(&self, said: &Tree) {
        assert_eq!(said.local, "success", "{:?}: {said}", self.over);
    }
}

/// The mechanisms and types of channel binding in what was offered.
fn seen(features: &Tree) -> Seen {
    let mechanisms = features.child(SASL, "mechanisms").expect("SASL is offered");
    let mechanisms = mechanisms.children().map(Tree::text).collect();
    let types = features.child("urn:xmpp:sasl-cb:0", "sasl-channel-binding");
    let named = |of: &Tree| of.attribute("type").map(str::to_owned);
    let types = types.map(|types| types.children().filter_map(named).collect());
    Seen { channel: None, mechanisms, types: types.unwrap_or_default() }
}
