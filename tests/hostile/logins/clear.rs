//! AT-14: what is said before TLS, or where there is none.
//!
//! Over WebSocket and BOSH there is no STARTTLS that could be left out: who comes by HTTP from
//! elsewhere is sent to HTTPS before anything of XMPP is looked at.

use super::{Doors, Intruder, PASSWORD, PING, Profile, SETTINGS, besieged, plain, siege::Siege};
use crate::{
    server::{PATIENCE, Server},
    watch::log,
};
use conformance::{driver::Transport, tree::STREAM};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::timeout,
};

const UN: &str = "unsupported-stanza-type";
/// What may not be said before a login, and how the stream ends by it.
const NOTHING_ELSE: [(&str, &str); 6] = [
    ("<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>", UN),
    ("<db:result xmlns:db='jabber:server:dialback' from='a.b' to='localhost'>k</db:result>", UN),
    ("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", UN),
    (PING, "not-authorized"),
    ("<presence xmlns='jabber:client'/>", "not-authorized"),
    (
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        "not-authorized",
    ),
];

fn says_all_but_a_login(intruder: &mut Intruder) {
    for (said, condition) in NOTHING_ELSE {
        intruder.connect();
        intruder.say(said);
        intruder.errs(condition);
    }
}

#[tokio::test]
async fn at_14_before_a_login_nothing_else_is_heard_whatever_the_way_in() {
    besieged(says_all_but_a_login).await;
}

/// Over TCP, without TLS.
fn skips_starttls(before: &mut Intruder, doors: Doors) {
    if before.over != Transport::Tcp {
        return;
    }
    let mut intruder = Intruder::new(Transport::Tcp, doors, false);
    for profile in Profile::ALL {
        let features = intruder.connect();
        assert_eq!(features.children().count(), 1, "nothing but STARTTLS: {features}");
        let said = intruder.begin(profile, "PLAIN", &plain("", PASSWORD), "");
        intruder.refused(&said, "encryption-required", ("none", "encryption-required"));
    }
    says_all_but_a_login(&mut intruder);
    before.told.refused.append(&mut intruder.told.refused);
}

/// An address of this machine that is not its loopback. Nothing is sent to find it out.
fn elsewhere() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").expect("this machine has an address beside its loopback");
    socket.local_addr().unwrap().ip()
}

/// What is answered to this by HTTP in the clear to who comes from there.
async fn asks_from(from: IpAddr, http: SocketAddr, request: &str) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut socket = socket.connect(http).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("an answer").unwrap_or(0);
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn at_14_a_password_in_the_clear_is_not_looked_at_whatever_the_way_in() {
    let mut siege = Siege::of(Server::start(SETTINGS).await).await;
    let doors = Doors::of(&siege.server);
    siege.bears(move |intruder| skips_starttls(intruder, doors)).await;
    let body = format!(
        "<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='localhost' ver='1.6' \
         xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0' xmlns:stream='{STREAM}'>{}</body>",
        Profile::Rfc6120.begin("PLAIN", &plain("", PASSWORD), "")
    );
    let end = "Host: localhost\r\nConnection: close\r\nX-Forwarded-For: 127.0.0.1\r\n";
    let post = format!("POST /bosh HTTP/1.1\r\n{end}Content-Length: {}\r\n\r\n{body}", body.len());
    let get = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for request in [get.replace("Upgrade\r\nSec", "Upgrade, close\r\nSec"), post] {
        let answer = asks_from(elsewhere(), doors.http, &request).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{request}: {answer}");
        assert!(answer.ends_with("XMPP wants TLS: ask by https\n"), "{request}: {answer}");
    }
    let metrics = siege.server.get("/metrics").await;
    let refused = "waxwing_connections_refused_total{why=\"in_the_clear\"} 2";
    assert!(metrics.lines().any(|line| line == refused), "{metrics}");
    let peer = format!("\"xmpp by http in the clear refused\",\"peer\":\"{}:", elsewhere());
    assert_eq!(log(&siege.server).matches(&peer).count(), 2);
    siege.ends().await;
}
