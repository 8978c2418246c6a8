//! AT-65: who dawdles, at every step of every way in, is closed at the deadline of that step. Who
//! does not is served meanwhile, within the same deadlines.

use super::{Intruder, siege::Siege};
use crate::{
    browser::Browser,
    client::{Client, HEADER, handshake},
    server::{PATIENCE, Server},
    watch::{files, log, memory, settled, until},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::{Semaphore, SemaphorePermit},
    task::JoinSet,
    time::timeout,
};

/// One reader of the store, or the more of them there are, the more files are open.
const SETTINGS: &str = "https = [\"127.0.0.1:0\"]\n[log]\nlevel = \"debug\"\nformat = \"json\"\n\
    [limits]\nhandshake_seconds_max = 10\nhttp_head_seconds_max = 10\nauth_seconds_max = 20\n\
    close_seconds_max = 1\nstore_readers_max = 1\n";
/// At each step.
const EACH: usize = 20;
/// How many hurry at once to where they dawdle: they have the deadlines of everybody there.
const HURRYING_MAX: usize = 2;
/// Between two bytes.
const DRIP: Duration = Duration::from_millis(300);
/// The record of TLS that begins a handshake, without the rest of it.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03half a hello";
const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const PROCEED: &str = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

/// Where somebody stops to hurry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Header,
    BeforeStartTls,
    Handshake,
    HandshakeOfDirect,
    HandshakeOfHttps,
    HeaderUnderTls,
    Login,
    HeadOfWebSocket,
    Frame,
    HeadOfBosh,
    BodyOfBosh,
}

const STEPS: [Step; 11] = [
    Step::Header,
    Step::BeforeStartTls,
    Step::Handshake,
    Step::HandshakeOfDirect,
    Step::HandshakeOfHttps,
    Step::HeaderUnderTls,
    Step::Login,
    Step::HeadOfWebSocket,
    Step::Frame,
    Step::HeadOfBosh,
    Step::BodyOfBosh,
];

/// One byte after the other, until nobody listens; others may hurry meanwhile.
async fn drips(
    hurry: SemaphorePermit<'_>,
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    begun: &[u8],
) {
    socket.write_all(begun).await.unwrap();
    socket.flush().await.unwrap();
    drop(hurry);
    let (mut from, mut to) = tokio::io::split(socket);
    let ends = async {
        let mut said = [0; 4096];
        while from.read(&mut said).await.is_ok_and(|count| count > 0) {}
    };
    let drips = async {
        loop {
            tokio::time::sleep(DRIP).await;
            if to.write_all(b"x").await.is_err() || to.flush().await.is_err() {
                return;
            }
        }
    };
    let closed = async { tokio::select!(() = ends => {}, () = drips => {}) };
    timeout(PATIENCE, closed).await.expect("it is closed");
}

async fn connect(to: SocketAddr) -> TcpStream {
    TcpStream::connect(to).await.unwrap()
}

/// Comes as far as this step, and no farther.
async fn dawdles(server: &Server, step: Step, hurrying: &Semaphore) {
    let hurry = hurrying.acquire().await.unwrap();
    let (starttls, direct, https) = (server.starttls(), server.direct(), server.address("https"));
    let secure =
        async |to, alpn: &[&str]| handshake(server, connect(to).await, alpn).await.unwrap();
    match step {
        Step::Header => {
            drips(hurry, connect(starttls).await, b"<?xml version='1.0'?><stream:str").await;
        }
        Step::BeforeStartTls | Step::Handshake => {
            let mut client = Client::connect(starttls).await;
            client.say(HEADER).await;
            client.hear("</stream:features>").await;
            if step == Step::BeforeStartTls {
                return drips(hurry, client.into_inner(), b"<startt").await;
            }
            client.say(STARTTLS).await;
            client.hear(PROCEED).await;
            drips(hurry, client.into_inner(), HALF_A_HELLO).await;
        }
        Step::HandshakeOfDirect => drips(hurry, connect(direct).await, HALF_A_HELLO).await,
        Step::HandshakeOfHttps => drips(hurry, connect(https).await, HALF_A_HELLO).await,
        Step::HeaderUnderTls => drips(hurry, secure(direct, &[]).await, b"<stream:str").await,
        Step::Login => {
            let begun = format!("{HEADER}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' a='");
            drips(hurry, secure(direct, &[]).await, begun.as_bytes()).await;
        }
        Step::HeadOfWebSocket => {
            drips(hurry, secure(https, &["http/1.1"]).await, b"GET /ws HTTP/1.1\r\nHost: l").await;
        }
        Step::Frame => {
            let mut browser = Browser::open(secure(https, &["http/1.1"]).await, "").await;
            browser.begin().await;
            drips(hurry, browser.0, &[0x81, 0x80 | 125, 0, 0, 0, 0, b'<']).await;
        }
        Step::HeadOfBosh => {
            drips(hurry, secure(https, &["http/1.1"]).await, b"POST /bosh HTTP/1.1\r\nHost: l")
                .await;
        }
        Step::BodyOfBosh => {
            let head = b"POST /bosh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n<bo";
            drips(hurry, secure(https, &["http/1.1"]).await, head).await;
        }
    }
}

/// A session of BOSH that is not logged in to.
async fn begins_bosh(server: &Server) {
    let body = "<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='localhost' \
                ver='1.6' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0'/>";
    let asked = format!(
        "POST /bosh HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = handshake(server, connect(server.address("https")).await, &[]).await.unwrap();
    socket.write_all(asked.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut said)).await.expect("an answer").unwrap_or(0);
    assert!(String::from_utf8_lossy(&said).contains(" sid='"));
}

/// Somebody who does not dawdle.
fn comes_and_goes(intruder: &mut Intruder, round: usize) {
    intruder.enters("romeo", "localhost", &format!("{:?}{round}", intruder.over));
    intruder.actor.cut(&mut *intruder.driver);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_65_who_dawdles_at_any_step_of_any_way_in_is_closed_and_others_are_not() {
    let mut siege = Siege::of(Server::start(SETTINGS).await).await;
    let server = siege.server.clone();
    // What it opens at the first login stays open.
    siege.bears(|intruder| comes_and_goes(intruder, 0)).await;
    let (memory_before, files_before) = (memory(&server, "VmRSS"), files(&server));
    let (mut slow, hurrying) = (JoinSet::new(), Arc::new(Semaphore::new(HURRYING_MAX)));
    for step in STEPS {
        for _ in 0..EACH {
            let (server, hurrying) = (server.clone(), hurrying.clone());
            slow.spawn(async move { dawdles(&server, step, &hurrying).await });
        }
    }
    for _ in 0..EACH {
        begins_bosh(&server).await;
    }
    let mut round = 1;
    while !slow.is_empty() {
        siege.bears(move |intruder| comes_and_goes(intruder, round)).await;
        round += 1;
        while let Some(one) = slow.try_join_next() {
            one.unwrap();
        }
    }
    assert!(round > 2);
    settled(&server, 1, memory_before, files_before).await;
    let late = format!("waxwing_handshakes_total{{outcome=\"late\"}} {}", 3 * EACH);
    let closed = format!("waxwing_streams_closed_total{{why=\"connection-timeout\"}} {}", 6 * EACH);
    for line in [&late, &closed, "waxwing_bosh_sessions 0", "waxwing_http_connections 0"] {
        until(line, async || server.get("/metrics").await.lines().any(|it| it == line)).await;
    }
    let log = log(&server);
    for (said, count) in
        [("\"connection-timeout\"", 6 * EACH), ("\"the TLS handshake took too long\"", 3 * EACH)]
    {
        let told = |line: &&str| line.contains("\"peer\":\"127.0.0.1:") && line.contains(said);
        assert_eq!(log.lines().filter(told).count(), count, "{said}");
    }
    siege.ends().await;
}
