//! Sessions that outlive the process (XEP-0198 §5): over every transport and both stores, after it
//! was killed and after it was told to stop.

#[path = "resume/rooms.rs"]
mod rooms;

use crate::{
    browser::Browser,
    client::{Client, HEADER},
    server::{PATIENCE, Server, folder},
};
use conformance::sasl;
use std::time::Duration;
use store::private_postgres::PrivatePostgres;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;

const OPEN: &str =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>";
const AUTH: &str = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>";
const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";
const R: &str = "<r xmlns='urn:xmpp:sm:3'/>";

/// How a client comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Tls,
    /// With SASL2, the resumption in the same breath.
    Inline,
    WebSocket,
}

enum Wire {
    Tls(Box<Client<TlsStream<TcpStream>>>),
    Web(Browser<TcpStream>, String),
}

impl Wire {
    async fn open(server: &Server, way: Way) -> Self {
        if way == Way::WebSocket {
            let socket = TcpStream::connect(server.address("http ")).await.unwrap();
            return Self::Web(Browser::open(socket, "").await, String::new());
        }
        Self::Tls(Box::new(Client::starttls(server).await))
    }

    async fn say(&mut self, xml: &str) {
        match self {
            Self::Tls(client) => client.say(xml).await,
            Self::Web(browser, _) => browser.say(xml).await,
        }
    }

    /// What is said up to and with this.
    async fn hear(&mut self, end: &str) -> String {
        let (browser, unread) = match self {
            Self::Tls(client) => return client.hear(end).await,
            Self::Web(browser, unread) => (browser, unread),
        };
        while !unread.contains(end) {
            *unread += &browser.hear().await;
        }
        let rest = unread.split_off(unread.find(end).unwrap() + end.len());
        std::mem::replace(unread, rest)
    }

    /// Everything until it ends.
    async fn hear_all(&mut self) -> String {
        let (browser, unread) = match self {
            Self::Tls(client) => return client.hear_all().await,
            Self::Web(browser, unread) => (browser, unread),
        };
        while let Some((first, payload)) = browser.next().await {
            match first {
                0x81 => *unread += &String::from_utf8(payload).unwrap(),
                _ => browser.frame(0x88, &1000_u16.to_be_bytes()).await,
            }
        }
        std::mem::take(unread)
    }

    /// A stream, and what is offered in it.
    async fn begin(&mut self) -> String {
        match self {
            Self::Tls(client) => client.say(HEADER).await,
            Self::Web(browser, _) => browser.say(OPEN).await,
        }
        self.hear("</stream:features>").await
    }

    async fn authenticate(&mut self, who: &str) {
        self.begin().await;
        self.say(&format!("{AUTH}{}</auth>", sasl::plain(who, "secret"))).await;
        self.hear("<success ").await;
        self.begin().await;
    }

    /// Both in one breath (XEP-0388), with what else is wished.
    async fn enter(&mut self, who: &str, wish: &str) -> String {
        self.begin().await;
        let head = "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>";
        let initial = sasl::plain(who, "secret");
        let initial = format!("<initial-response>{initial}</initial-response>");
        self.say(&format!("{head}{initial}{wish}</authenticate>")).await;
        self.hear("</success>").await
    }
}

fn value<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!(" {name}='")).unwrap_or_else(|| panic!("{xml}"));
    rest.split('\'').next().unwrap()
}

/// A client that counts.
struct Person {
    who: &'static str,
    way: Way,
    wire: Wire,
    id: String,
    jid: String,
    /// Of the stanzas that it was sent.
    h: u32,
    /// What it was sent, all of it.
    heard: String,
    /// How many stanzas it has sent.
    said: u32,
}

impl Person {
    /// With a session that can be resumed.
    async fn come(server: &Server, who: &'static str, way: Way) -> Self {
        let mut wire = Wire::open(server, way).await;
        let (jid, enabled) = if way == Way::Inline {
            let wish = format!("<bind xmlns='urn:xmpp:bind:0'>{ENABLE}</bind>");
            let success = wire.enter(who, &wish).await;
            let (_, jid) = success.split_once("<authorization-identifier>").unwrap();
            let jid = jid.split('<').next().unwrap().to_owned();
            (jid, success[success.find("<enabled ").unwrap()..].to_owned())
        } else {
            wire.authenticate(who).await;
            let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
            wire.say(&format!("<iq xmlns='jabber:client' id='b' type='set'>{bind}</iq>")).await;
            let bound = wire.hear("</iq>").await;
            let (_, jid) = bound.split_once("<jid>").unwrap();
            let jid = jid.split('<').next().unwrap().to_owned();
            wire.say(ENABLE).await;
            (jid, wire.hear("/>").await)
        };
        let id = value(&enabled, "id").to_owned();
        let (h, heard, said) = (0, String::new(), 0);
        Self { who, way, wire, id, jid, h, heard, said }
    }

    /// Says a stanza.
    async fn say(&mut self, xml: &str) {
        self.said += 1;
        let (name, rest) = xml.split_at(xml.find([' ', '/', '>']).unwrap());
        self.wire.say(&format!("{name} xmlns='jabber:client'{rest}")).await;
    }

    async fn message(&mut self, to: &str, id: &str) {
        let to = format!("to='{to}@localhost' type='chat' id='{id}'");
        self.say(&format!("<message {to}><body>{id}</body></message>")).await;
    }

    fn count(&mut self, heard: &str) {
        let all = ["<message ", "<presence ", "<iq "].map(|start| heard.matches(start).count());
        self.h += u32::try_from(all.iter().sum::<usize>()).unwrap();
        self.heard += heard;
    }

    /// What is said up to and with the end of a stanza.
    async fn hear(&mut self, end: &str) -> String {
        let heard = self.wire.hear(end).await;
        self.count(&heard);
        heard
    }

    /// The message of this id, with all before it.
    async fn hears(&mut self, id: &str) -> String {
        let mut heard = self.hear(&format!("<body>{id}</body>")).await;
        heard += &self.hear("</message>").await;
        heard
    }

    /// All that it has said is durable, and all that it has been sent it has.
    async fn settles(&mut self) {
        self.wire.say(R).await;
        let wanted = format!(" h='{}'", self.said);
        while !self.hear("/>").await.ends_with(&format!("{wanted}/>")) {}
        self.acks().await;
    }

    async fn acks(&mut self) {
        self.wire.say(&format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", self.h)).await;
    }

    /// Comes back to its session; returns the server's count.
    async fn resume(&mut self, server: &Server) -> u32 {
        let resumed = self.claim(server).await;
        assert!(resumed.starts_with("<resumed "), "{resumed}");
        assert_eq!(value(&resumed, "previd"), self.id);
        value(&resumed, "h").parse().unwrap()
    }

    async fn claim(&mut self, server: &Server) -> String {
        self.wire = Wire::open(server, self.way).await;
        let claim = format!("<resume xmlns='urn:xmpp:sm:3' h='{}' previd='{}'/>", self.h, self.id);
        if self.way == Way::Inline {
            let success = self.wire.enter(self.who, &claim).await;
            let at = success.find("<resumed ").or_else(|| success.find("<failed "));
            return success[at.unwrap()..].to_owned();
        }
        self.wire.authenticate(self.who).await;
        self.wire.say(&claim).await;
        self.wire.hear(">").await
    }

    /// Is sent more than is kept of what no log has.
    async fn is_flooded_by(&mut self, other: &mut Self) {
        let head = format!("to='{}' type='chat'", self.jid);
        let no_store = "<no-store xmlns='urn:xmpp:hints'/>";
        for id in 0..1_100 {
            other.say(&format!("<message {head}><body>{id}</body>{no_store}</message>")).await;
        }
    }

    /// How often it was told the message of this id; and of those how often with the time at which
    /// it was said.
    fn times(&self, id: &str) -> [usize; 2] {
        let body = format!("<body>{id}</body>");
        let all = self.heard.matches(&body).count();
        [all, self.heard.matches(&format!("{body}<delay ")).count()]
    }
}

/// From now on one sees when the other is there.
async fn see(one: &mut Person, other: &mut Person) {
    one.say(&format!("<presence to='{}@localhost' type='subscribe'/>", other.who)).await;
    one.settles().await;
    other.say(&format!("<presence to='{}@localhost' type='subscribed'/>", one.who)).await;
    other.settles().await;
}

/// Juliet and Romeo, who see each other.
async fn lovers(server: &Server, ways: [Way; 2]) -> [Person; 2] {
    for jid in ["juliet@localhost", "romeo@localhost"] {
        server.add(jid, "secret").await;
    }
    let mut juliet = Person::come(server, "juliet", ways[0]).await;
    let mut romeo = Person::come(server, "romeo", ways[1]).await;
    see(&mut juliet, &mut romeo).await;
    see(&mut romeo, &mut juliet).await;
    for person in [&mut juliet, &mut romeo] {
        person.say("<presence><status>here</status></presence>").await;
        person.settles().await;
    }
    // Each has heard the other's: what follows comes behind it.
    juliet.message("romeo", "m1").await;
    romeo.hears("m1").await;
    romeo.message("juliet", "m2").await;
    juliet.hears("m2").await;
    for person in [&mut juliet, &mut romeo] {
        person.settles().await;
        // From here on it counts.
        person.heard.clear();
    }
    [juliet, romeo]
}

/// The same folder, after this signal.
async fn again(server: Server, signal: &str) -> Server {
    server.signal(signal).await;
    let Server { folder, mut child, .. } = server;
    let ended = timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
    assert_eq!(ended.code(), (signal == "TERM").then_some(0));
    Server::start_in(folder).await
}

async fn killed(more: &str, ways: [Way; 2]) {
    let server = Server::start(more).await;
    let [mut juliet, mut romeo] = lovers(&server, ways).await;
    let server = again(server, "KILL").await;
    // Contacts come back first; what they say meanwhile waits.
    assert_eq!(romeo.resume(&server).await, romeo.said);
    romeo.message("juliet", "m3").await;
    romeo.settles().await;
    assert_eq!(juliet.resume(&server).await, juliet.said, "{ways:?}");
    let told = juliet.hears("m3").await;
    assert!(told.contains("<delay "), "{told}");
    juliet.message("romeo", "m4").await;
    romeo.hears("m4").await;
    for person in [&mut juliet, &mut romeo] {
        person.settles().await;
        assert!(!person.heard.contains("'unavailable'"), "{}", person.heard);
    }
    // What was acknowledged within the last second may be told again, as what it is.
    for (person, id) in [(&juliet, "m2"), (&romeo, "m1")] {
        let [all, repeats] = person.times(id);
        assert_eq!(all, repeats, "{}", person.heard);
    }
    assert_eq!((juliet.times("m3"), romeo.times("m4")[0]), ([1, 1], 1), "{ways:?}");
}

#[tokio::test]
async fn who_comes_back_after_a_kill_finds_all_as_it_was() {
    killed("", [Way::Tls, Way::Inline]).await;
}

/// Its system takes what it is sent; nobody is there who reads it.
async fn unanswered(way: Way) {
    let server = Server::start("[limits]\nunanswered_seconds_max = 10\n").await;
    let [mut juliet, mut romeo] = lovers(&server, [way, Way::Tls]).await;
    romeo.message("juliet", "m3").await;
    juliet.hears("m3").await;
    let end = juliet.wire.hear_all().await;
    assert!(end.contains("<connection-timeout "), "{way:?}: {end}");
    assert!(end.contains("nothing was acknowledged"), "{way:?}: {end}");
    // It was its stream that ended, not its session.
    romeo.message("juliet", "m4").await;
    assert_eq!(juliet.resume(&server).await, juliet.said);
    juliet.hears("m4").await;
    assert_eq!([juliet.times("m3"), juliet.times("m4")].map(|[all, _]| all), [1, 1], "{way:?}");
}

#[tokio::test]
async fn who_does_not_answer_is_gone_and_comes_back_xep0198_4() {
    tokio::join!(unanswered(Way::Tls), unanswered(Way::WebSocket));
}

/// XEP-0198 §4: else a client takes for arrived what is not, or ends its stream.
#[tokio::test]
async fn a_count_that_was_told_is_never_less_after_a_kill() {
    let mut server = Server::start("").await;
    server.add("juliet@localhost", "secret").await;
    let mut juliet = Person::come(&server, "juliet", Way::Tls).await;
    for _ in 0..4 {
        // No log has any of it.
        for id in 1..=3 {
            let ping = "<ping xmlns='urn:xmpp:ping'/>";
            juliet.say(&format!("<iq type='get' to='localhost' id='{id}'>{ping}</iq>")).await;
        }
        juliet.settles().await;
        server = again(server, "KILL").await;
        assert_eq!(juliet.resume(&server).await, juliet.said);
    }
    juliet.settles().await;
}

/// It waits until the store has the count; of a session that can be resumed no more, it never will.
#[tokio::test]
async fn a_count_that_was_asked_for_is_told_also_when_the_session_cannot_be_resumed_any_more() {
    let server = Server::start("").await;
    for jid in ["juliet@localhost", "romeo@localhost"] {
        server.add(jid, "secret").await;
    }
    let mut juliet = Person::come(&server, "juliet", Way::Tls).await;
    let mut romeo = Person::come(&server, "romeo", Way::Tls).await;
    let ping = "<ping xmlns='urn:xmpp:ping'/>";
    juliet.say(&format!("<iq type='get' to='localhost' id='p'>{ping}</iq>")).await;
    juliet.wire.say(R).await;
    juliet.hear("id='p'").await;
    juliet.is_flooded_by(&mut romeo).await;
    juliet.hear("<a xmlns='urn:xmpp:sm:3' h='1'/>").await;
}

/// What is told then is not written down: who came back to what the store has had of it would find
/// a lower count.
#[tokio::test]
async fn who_can_be_resumed_no_more_cannot_be_after_a_kill_either() {
    let server = Server::start("").await;
    for jid in ["juliet@localhost", "romeo@localhost"] {
        server.add(jid, "secret").await;
    }
    let mut juliet = Person::come(&server, "juliet", Way::Tls).await;
    let mut romeo = Person::come(&server, "romeo", Way::Tls).await;
    juliet.settles().await;
    juliet.is_flooded_by(&mut romeo).await;
    juliet.hears("1099").await;
    let ping = "<ping xmlns='urn:xmpp:ping'/>";
    juliet.say(&format!("<iq type='get' to='localhost' id='p'>{ping}</iq>")).await;
    juliet.wire.say(R).await;
    juliet.hear(&format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", juliet.said)).await;
    let server = again(server, "KILL").await;
    let failed = juliet.claim(&server).await;
    assert!(failed.starts_with("<failed "), "{failed}");
}

#[tokio::test]
async fn over_websocket_too() {
    killed("", [Way::WebSocket, Way::WebSocket]).await;
}

#[tokio::test]
async fn and_on_postgresql() {
    let postgres = PrivatePostgres::start(true).unwrap();
    let url = postgres.database("waxwing", None).unwrap();
    killed(&format!("[store]\nurl = \"{url}\"\n"), [Way::Inline, Way::Tls]).await;
}

#[tokio::test]
async fn who_is_not_there_at_the_restart_and_does_not_come_back_is_seen_to_go() {
    let more = "[limits]\nrestart_shown_seconds = 1\n[xep.0198]\nresume_seconds_max = 15\n";
    let server = Server::start(more).await;
    let [mut juliet, mut romeo] = lovers(&server, [Way::Tls, Way::Tls]).await;
    let server = again(server, "KILL").await;
    romeo.resume(&server).await;
    // First it is only not shown any more.
    romeo.hear(" type='unavailable'").await;
    let gone = romeo.hear("/>").await;
    assert!(gone.contains(&juliet.jid), "{gone}");
    // Then, when the time that it was given is over, it is. Who asked before would be given more.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let failed = juliet.claim(&server).await;
    assert!(failed.starts_with("<failed "), "{failed}");
    assert!(failed.contains(&format!(" h='{}'", juliet.said)), "{failed}");
}

async fn drained(more: &str, ways: [Way; 2]) {
    let server = Server::start(more).await;
    let [mut juliet, mut romeo] = lovers(&server, ways).await;
    // Not acknowledged, and in no log: what a client asks.
    romeo.message("juliet", "m3").await;
    romeo.say(&format!("<iq to='{}' id='asked' type='get'><x xmlns='x'/></iq>", juliet.jid)).await;
    romeo.settles().await;
    server.signal("TERM").await;
    for person in [&mut juliet, &mut romeo] {
        let end = person.wire.hear_all().await;
        assert!(end.contains("<system-shutdown "), "{end}");
        let stanzas = end.split("<stream:error").next().unwrap().to_owned();
        person.count(&stanzas);
    }
    let Server { folder, mut child, .. } = server;
    assert_eq!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().code(), Some(0));
    let server = Server::start_in(folder).await;
    assert_eq!(juliet.resume(&server).await, juliet.said);
    assert_eq!(romeo.resume(&server).await, romeo.said);
    juliet.message("romeo", "m4").await;
    romeo.hears("m4").await;
    for person in [&mut juliet, &mut romeo] {
        person.settles().await;
        assert!(!person.heard.contains("'unavailable'"), "{}", person.heard);
    }
    let counts = [juliet.times("m2"), juliet.times("m3"), romeo.times("m1"), romeo.times("m4")];
    assert_eq!(counts.map(|[all, _]| all), [0, 1, 0, 1], "no repeats");
    assert_eq!(juliet.heard.matches("id='asked'").count(), 1, "{}", juliet.heard);
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_leaves_every_session_exactly_as_it_is() {
    drained("", [Way::Tls, Way::Inline]).await;
}

#[tokio::test]
async fn also_those_of_websockets() {
    drained("", [Way::WebSocket, Way::Tls]).await;
}

#[tokio::test]
async fn also_on_postgresql() {
    let postgres = PrivatePostgres::start(true).unwrap();
    let url = postgres.database("waxwing", None).unwrap();
    drained(&format!("[store]\nurl = \"{url}\"\n"), [Way::Tls, Way::WebSocket]).await;
}

/// RFC 6120 §4.9.3.19.
#[tokio::test]
async fn who_is_to_go_elsewhere_is_told_where() {
    let folder = folder("[server]\ndrain_to = \"other.example:5222\"\n");
    let server = Server::start_in(folder).await;
    server.add("juliet@localhost", "secret").await;
    let mut juliet = Person::come(&server, "juliet", Way::Tls).await;
    let mut web = Person::come(&server, "juliet", Way::WebSocket).await;
    server.signal("TERM").await;
    let end = juliet.wire.hear_all().await;
    let place = "<see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>other.example:5222<";
    assert!(end.contains(place), "{end}");
    // A browser could do nothing with a host and port of TCP.
    assert!(web.wire.hear_all().await.contains("<system-shutdown "));
    assert_eq!(server.ended().await, Some(0));
}
