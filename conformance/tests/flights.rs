//! XEP-0484, XEP-0386, XEP-0388: who comes back is online in one round trip behind TLS, shown by
//! counting flights: what one side says before it has to hear something.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use conformance::{
    actor::{Actor, Next},
    driver::{Broken, Came, Door, Driver, Link, Patience, Transport},
    sasl,
    script::Script,
    simulated::Simulated,
    tree::{Heard, STREAM, Tree},
};

const CAST: &str = "# Flights\n\n[Stream] Romeo\n\tjid: romeo@localhost\n\tpassword: secret\n\
    \tmechanism: SCRAM-SHA-256\n\n-----\n";
const AGENT: &str =
    "<user-agent xmlns='urn:xmpp:sasl:2' id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>";
const BIND: &str = "<bind xmlns='urn:xmpp:bind:0'><tag>phone</tag></bind>";

/// A world that counts the flights of the client.
struct Flights {
    world: Simulated,
    flown: usize,
    heard: bool,
}

impl Driver for Flights {
    fn transport(&self) -> Transport {
        self.world.transport()
    }

    fn open(&mut self, door: Door) -> Result<Link, Broken> {
        self.world.open(door)
    }

    fn say(&mut self, link: Link, bytes: &[u8]) {
        self.flown += usize::from(std::mem::take(&mut self.heard));
        self.world.say(link, bytes);
    }

    fn secure(&mut self, link: Link) -> Result<(), Broken> {
        self.world.secure(link)
    }

    fn channel(&self, link: Link, kind: &str) -> Option<Vec<u8>> {
        self.world.channel(link, kind)
    }

    fn hear(&mut self, link: Link, patience: Patience) -> Came {
        let came = self.world.hear(link, patience);
        self.heard |= matches!(came, Came::Bytes(_) | Came::Heard(_));
        came
    }

    fn cut(&mut self, link: Link) {
        self.world.cut(link);
    }

    fn pass(&mut self, ms: u64) {
        self.world.pass(ms);
    }
}

fn world(over: Transport) -> (Flights, Actor) {
    let script = Script::parse(CAST).unwrap();
    let world = Simulated::over(over, "localhost", script.accounts()).unwrap();
    let actor = Actor::new(script.characters[0].clone());
    (Flights { world, flown: 0, heard: true }, actor)
}

/// Up to the stream behind TLS, on which nothing has been said.
fn secured(driver: &mut Flights, actor: &mut Actor) {
    actor.connect(driver).unwrap();
    if driver.transport() == Transport::Tcp {
        actor.open(driver).unwrap();
        actor.start_tls(driver).unwrap();
    }
    (driver.flown, driver.heard) = (0, true);
}

/// All that comes without another word of the client.
fn heard(driver: &mut Flights, actor: &mut Actor) -> Vec<Heard> {
    let mut all = Vec::new();
    while let Next::Heard(heard) = actor.next(driver, Patience::Quiet).unwrap() {
        all.push(heard);
    }
    all
}

fn elements<'a>(heard: &'a [Heard]) -> Vec<&'a Tree> {
    let element = |heard: &'a Heard| match heard {
        Heard::Element(tree) => Some(tree),
        _ => None,
    };
    heard.iter().filter_map(element).collect()
}

fn token(driver: &mut Flights, actor: &mut Actor) -> String {
    secured(driver, actor);
    actor.open(driver).unwrap();
    let wish = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-EXPR'/>";
    actor.authenticate_with(driver, &format!("{AGENT}{wish}")).unwrap();
    let heard = heard(driver, actor);
    let success = elements(&heard)[0];
    let token = success.child("urn:xmpp:fast:0", "token").unwrap().attribute("token").unwrap();
    actor.cut(driver);
    token.to_owned()
}

fn comes_back_in_one_flight(over: Transport) {
    let (mut driver, mut actor) = world(over);
    let token = token(&mut driver, &mut actor);
    secured(&mut driver, &mut actor);
    let channel = actor.channel(&driver, "tls-exporter").unwrap();
    let (code, answer) = sasl::by_token("HT-SHA-256-EXPR", "romeo", &token, &channel).unwrap();
    let said = format!(
        "<stream:stream from='romeo@localhost' to='localhost' version='1.0' \
         xmlns='jabber:client' xmlns:stream='{STREAM}'><authenticate xmlns='urn:xmpp:sasl:2' \
         mechanism='HT-SHA-256-EXPR'><initial-response>{code}</initial-response>{AGENT}{BIND}\
         <fast xmlns='urn:xmpp:fast:0' count='1'/></authenticate>"
    );
    actor.say(&mut driver, said.as_bytes()).unwrap();
    let heard = heard(&mut driver, &mut actor);
    assert!(matches!(heard[0], Heard::Header(_)), "{heard:?}");
    let [before, success, features] = elements(&heard)[..] else { panic!("{heard:?}") };
    assert!(before.is(STREAM, "features") && features.is(STREAM, "features"));
    let shown = success.child("urn:xmpp:sasl:2", "additional-data").unwrap();
    assert_eq!(shown.text(), answer);
    assert!(success.child("urn:xmpp:bind:0", "bound").is_some(), "{success}");
    assert!(actor.full().unwrap().starts_with("romeo@localhost/phone"));
    assert_eq!(driver.flown, 1, "one flight there, and one back");
}

#[test]
fn a_returning_client_is_online_after_one_flight_each_way_behind_starttls() {
    comes_back_in_one_flight(Transport::Tcp);
}

#[test]
fn a_returning_client_is_online_after_one_flight_each_way_over_websocket() {
    comes_back_in_one_flight(Transport::WebSocket);
}

/// To see that flights are counted at all (RFC 6120 §9.1).
#[test]
fn a_client_that_logs_in_as_ever_needs_five() {
    let (mut driver, mut actor) = world(Transport::Tcp);
    secured(&mut driver, &mut actor);
    actor.open(&mut driver).unwrap();
    actor.authenticate(&mut driver).unwrap();
    actor.open(&mut driver).unwrap();
    actor.bind(&mut driver).unwrap();
    assert_eq!(driver.flown, 5);
}
