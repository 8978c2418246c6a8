//! Connections of nobody: many, and none that gets far.

use crate::{
    client::{Client, HEADER},
    server::Server,
    watch::{Echo, files, is_calm, memory, settled, until},
};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// The record of TLS that begins a handshake, without the rest of it.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03half a hello";
const BATCH: usize = 500;

/// One connection, and how far it goes before it breaks off.
async fn visit(server: &Server, number: usize) {
    match number % 5 {
        0 => drop(TcpStream::connect(server.starttls()).await.unwrap()),
        1 => {
            let mut client = Client::connect(server.starttls()).await;
            client.say(HEADER).await;
            if number.is_multiple_of(2) {
                client.hear("</stream:features>").await;
            }
        }
        2 => {
            let mut socket = TcpStream::connect(server.direct()).await.unwrap();
            socket.write_all(HALF_A_HELLO).await.unwrap();
        }
        3 => {
            let mut client = Client::connect(server.starttls()).await;
            client.say(HEADER).await;
            client.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await;
            client.hear("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await;
            let mut socket = client.into_inner();
            socket.write_all(HALF_A_HELLO).await.unwrap();
            // With a reset instead of an end.
            socket.set_zero_linger().unwrap();
        }
        _ => {
            let mut socket = TcpStream::connect(server.direct()).await.unwrap();
            socket.write_all(b"no TLS at all").await.unwrap();
            let mut alert = Vec::new();
            drop(socket.read_to_end(&mut alert).await);
            assert_eq!(alert.first(), Some(&0x15), "an alert (RFC 8446 §6)");
        }
    }
}

async fn batch(server: &Arc<Server>) {
    let mut visits = JoinSet::new();
    for worker in 0..50 {
        let server = server.clone();
        visits.spawn(async move {
            for number in 0..BATCH / 50 {
                visit(&server, worker * BATCH / 50 + number).await;
            }
        });
    }
    while let Some(done) = visits.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_06_ten_thousand_strangers_leave_nothing_behind() {
    let server = Arc::new(Server::start("").await);
    server.add("juliet@localhost", "secret").await;
    let mut echo = Echo::start(&server).await;
    echo.sounds().await;
    let (memory_before, files_before) = (memory(&server, "VmRSS"), files(&server));
    for _ in 0..10_000 / BATCH {
        batch(&server).await;
        echo.sounds().await;
    }
    settled(&server, 1, memory_before, files_before).await;
    is_calm(&server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_06_who_stays_is_counted_and_one_too_many_is_closed() {
    let server = Server::start("[limits]\nconnections_per_address_max = 300\n").await;
    server.add("juliet@localhost", "secret").await;
    let mut echo = Echo::start(&server).await;
    let (memory_before, files_before) = (memory(&server, "VmRSS"), files(&server));
    let mut here = Vec::new();
    for number in 0..299 {
        let direct = number % 2 == 0;
        let to = if direct { server.direct() } else { server.starttls() };
        let mut socket = TcpStream::connect(to).await.unwrap();
        let bytes = if direct { HALF_A_HELLO } else { HEADER.as_bytes() };
        socket.write_all(bytes).await.unwrap();
        here.push(socket);
    }
    let full = "waxwing_active_connections 300";
    let counted = async || server.get("/metrics").await.lines().any(|line| line == full);
    until(full, counted).await;
    let mut refused = Client::connect(server.starttls()).await;
    assert_eq!(refused.hear_all().await, "");
    echo.sounds().await;
    drop(here);
    settled(&server, 1, memory_before, files_before).await;
    is_calm(&server);
}

#[tokio::test]
async fn silent_connections_to_http_do_not_take_all_files() {
    let limits = "[limits]\nconnections_per_address_max = 60\nhttp_head_seconds_max = 1\n";
    let server = Server::start(limits).await;
    server.add("juliet@localhost", "secret").await;
    let mut echo = Echo::start(&server).await;
    let before = files(&server);
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(server.address("http")).await.unwrap());
    }
    echo.sounds().await;
    // The address's own, and the reserve for who watches; a few files are others'.
    assert!(files(&server) <= before + 60 + 16 + 10, "{before}, then {}", files(&server));
    until("the silent ones are closed", async || files(&server) <= before + 10).await;
    drop(silent);
    assert_eq!(server.get("/health").await, "ok\n");
    echo.sounds().await;
    is_calm(&server);
}
