//! `waxwing serve`, as an operator and a client meet it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "serve/authority.rs"]
mod authority;
#[path = "serve/away.rs"]
mod away;
#[path = "serve/backup.rs"]
mod backup;
#[path = "serve/bosh.rs"]
mod bosh;
#[path = "serve/browser.rs"]
mod browser;
#[path = "serve/certificates.rs"]
mod certificates;
#[path = "serve/check.rs"]
mod check;
#[path = "serve/client.rs"]
mod client;
#[path = "serve/departed.rs"]
mod departed;
#[path = "serve/dns.rs"]
mod dns;
#[path = "serve/logins.rs"]
mod logins;
#[path = "serve/passwordless.rs"]
mod passwordless;
#[path = "serve/resume.rs"]
mod resume;
#[path = "serve/server.rs"]
mod server;
#[path = "serve/trust.rs"]
mod trust;
#[path = "serve/upgrade.rs"]
mod upgrade;
#[path = "serve/ways.rs"]
mod ways;

use client::{Client, handshake};
use server::{LOG, PATIENCE, Server, fails, folder, run, settings};
use std::{fs, os::unix::fs::PermissionsExt};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

#[tokio::test]
async fn it_says_when_it_is_ready_and_where() {
    let folder = folder("");
    // The first start makes keys and tables; a warm one has them.
    let first = Server::start_in(folder).await;
    first.signal("TERM").await;
    let Server { folder, mut child, .. } = first;
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    let server = Server::start_in(folder).await;
    let ready = server.greeting.lines().find(|line| line.starts_with("ready")).unwrap();
    assert!(ready.split(' ').nth(2).unwrap().parse::<u64>().is_ok(), "{ready}");
    assert!(server.greeting.contains("waxwing user add juliet@localhost"), "{}", server.greeting);
    let private = |file: &str| {
        let mode = fs::metadata(server.folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} is not private");
    };
    let files = ["data", "data/waxwing.sock", "data/waxwing.db", "data/self-signed.key"];
    files.iter().for_each(|file| private(file));
}

#[tokio::test]
async fn accounts_come_and_go_while_it_runs_and_their_sessions_with_them() {
    let server = Server::start("").await;
    let here = server.folder.path();
    server.add("juliet@localhost", "secret").await;
    server.add("romeo@localhost", "other").await;
    let list = run(here, &["user", "list"], "").await;
    assert_eq!(String::from_utf8_lossy(&list.stdout), "juliet@localhost\nromeo@localhost\n");
    let mut juliet = Client::starttls(&server).await;
    juliet.login("balcony").await;
    let passwd = ["user", "passwd", "juliet@localhost", "--password-stdin"];
    assert!(run(here, &passwd, "secret\n").await.status.success());
    let said = juliet.hear_all().await;
    assert!(said.contains("<reset "), "{said}");
    let mut juliet = Client::starttls(&server).await;
    juliet.login("balcony").await;
    assert!(run(here, &["user", "delete", "juliet@localhost"], "").await.status.success());
    let said = juliet.hear_all().await;
    assert!(said.contains("<not-authorized "), "{said}");
    let list = run(here, &["user", "list"], "").await;
    assert_eq!(String::from_utf8_lossy(&list.stdout), "romeo@localhost\n");
}

#[tokio::test]
async fn an_operator_sees_where_the_messages_of_an_account_went() {
    let server = Server::start("").await;
    server.add("juliet@localhost", "secret").await;
    let mut juliet = Client::starttls(&server).await;
    juliet.login("balcony").await;
    juliet.say("<message to='juliet@localhost/balcony' id='m1'><body>1</body></message>").await;
    juliet.hear("<body>1</body>").await;
    let trace = run(server.folder.path(), &["user", "trace", "juliet@localhost"], "").await;
    let trace = String::from_utf8_lossy(&trace.stdout).into_owned();
    let received = "  m1  received from juliet@localhost/balcony: ";
    assert!(trace.lines().any(|line| line.contains(received)), "{trace}");
    assert!(trace.contains("delivered to balcony"), "{trace}");
    assert!(!trace.contains("<body>"), "never what was said: {trace}");
    let elsewhere = ["user", "trace", "juliet@example.org"];
    assert!(fails(server.folder.path(), &elsewhere, "").await.contains("localhost"));
}

#[tokio::test]
async fn accounts_come_and_go_while_it_does_not_run() {
    let folder = folder("");
    let here = folder.path();
    let add = ["user", "add", "juliet@localhost", "--password-stdin"];
    assert!(run(here, &add, "secret\n").await.status.success());
    assert_eq!(fails(here, &add, "secret\n").await, "waxwing: juliet@localhost exists already");
    let stranger = ["user", "add", "juliet@example.org", "--password-stdin"];
    let said = fails(here, &stranger, "secret\n").await;
    assert!(said.contains("this server serves localhost"), "{said}");
    let host = ["user", "add", "localhost", "--password-stdin"];
    assert!(fails(here, &host, "secret\n").await.contains("juliet@localhost"));
    assert!(fails(here, &add[..3], "").await.contains("--password-stdin"));
    let server = Server::start_in(folder).await;
    Client::starttls(&server).await.login("balcony").await;
}

/// What is said behind it is durable when this has been answered.
const ROSTER_SET: &str = "<iq type='set' id='durable'><query xmlns='jabber:iq:roster'>\
                          <item jid='romeo@localhost'/></query></iq>";

#[tokio::test]
async fn an_offline_message_outlives_the_server_but_not_the_account() {
    let server = Server::start("").await;
    server.add("juliet@localhost", "secret").await;
    let mut juliet = Client::starttls(&server).await;
    juliet.login("balcony").await;
    let note = "<message to='juliet@localhost' type='chat' id='n'><body>hark</body></message>";
    juliet.say(&format!("{note}{ROSTER_SET}")).await;
    assert!(!juliet.hear("id='durable'").await.contains("hark"), "nobody is available");
    server.signal("KILL").await;
    let Server { folder, mut child, .. } = server;
    child.wait().await.unwrap();
    let server = Server::start_in(folder).await;
    let mut told = Vec::new();
    for resource in ["balcony", "garden"] {
        let mut juliet = Client::starttls(&server).await;
        juliet.login(resource).await;
        juliet.say("<presence/>").await;
        let said = juliet.hear("<ping ").await;
        let message = said.find("<message ").unwrap();
        told.push(said[message..].split("</message>").next().unwrap().to_owned());
    }
    assert!(told[0].contains("<body>hark</body><delay "), "{told:?}");
    assert_eq!(told[0], told[1], "who does not answer has lost nothing");
    let here = server.folder.path();
    assert!(run(here, &["user", "delete", "juliet@localhost"], "").await.status.success());
    server.add("juliet@localhost", "secret").await;
    let mut juliet = Client::starttls(&server).await;
    juliet.login("balcony").await;
    juliet.say(&format!("<presence/>{ROSTER_SET}")).await;
    assert!(!juliet.hear("id='durable'").await.contains("hark"), "another's");
}

#[tokio::test]
async fn however_much_was_kept_for_an_account_it_comes_as_fast_as_its_client_takes_it() {
    let server = Server::start("[limits]\nmailboxes_bytes_max = 0\n").await;
    server.add("juliet@localhost", "secret").await;
    let mut juliet = Client::starttls(&server).await;
    juliet.login("balcony").await;
    // More than a mailbox holds.
    let body = "x".repeat(1_500);
    for number in 0..5_000 {
        let head = format!("<message to='juliet@localhost' type='chat' id='n{number}'>");
        juliet.say(&format!("{head}<body>{body}</body></message>")).await;
    }
    juliet.say(ROSTER_SET).await;
    juliet.hear("id='durable'").await;
    juliet.say("<presence/>").await;
    let mut told = Vec::new();
    for page in 1.. {
        let said = juliet.hear("<ping ").await;
        let ids = said.match_indices(" id='n").map(|(at, _)| &said[at + 6..]);
        told.extend(ids.map(|rest| rest.split('\'').next().unwrap().parse::<usize>().unwrap()));
        if told.len() == 5_000 {
            break;
        }
        let answer = format!("<iq type='result' id='offline-{page}' to='juliet@localhost'/>");
        juliet.say(&answer).await;
    }
    assert!(told.into_iter().eq(0..5_000), "in order");
}

#[tokio::test]
async fn metrics_count_what_clients_do() {
    let server = Server::start("").await;
    server.add("juliet@localhost", "secret").await;
    let mut juliet = Client::starttls(&server).await;
    juliet.login("balcony").await;
    juliet.say("<iq id='p' type='get'><ping xmlns='urn:xmpp:ping'/></iq>").await;
    juliet.hear("type='result'").await;
    let metrics = server.get("/metrics").await;
    for line in [
        "waxwing_active_connections 1",
        "waxwing_message_queue_depth 0",
        "waxwing_stanzas_total{kind=\"iq\",direction=\"in\"} 1",
        "waxwing_stanzas_total{kind=\"iq\",direction=\"out\"} 1",
        "waxwing_logins_total{mechanism=\"PLAIN\",outcome=\"ok\"} 1",
        "waxwing_commit_units_count 1",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line} is not in\n{metrics}");
    }
    assert_eq!(server.get("/health").await, "ok\n");
}

#[tokio::test]
async fn what_is_wrong_in_the_settings_is_named_with_its_line() {
    let folder = folder("[server]\ndomain = [\"localhost\"]\n");
    let said = fails(folder.path(), &["serve"], "").await;
    assert!(said.contains("waxwing.toml: line 6: unknown setting server.domain"), "{said}");
    assert!(said.ends_with("did you mean domains?"), "{said}");
    let said = fails(folder.path(), &["--config", "none.toml"], "").await;
    assert!(said.contains("cannot read the settings none.toml"), "{said}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = format!("[listen]\nc2s = [\"{address}\"]\nc2s_tls = []\nhttp = []\n");
    fs::write(folder.path().join("waxwing.toml"), file).unwrap();
    let said = fails(folder.path(), &["serve"], "").await;
    let expected = format!("cannot listen on {address} (listen.c2s): another process does already");
    assert!(said.ends_with(&expected), "{said}");
    let checked = run(folder.path(), &["check"], "").await;
    assert_eq!(checked.status.code(), Some(1));
    let checked = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.lines().any(|line| line.starts_with("problem  port")), "{checked}");
}

#[tokio::test]
async fn a_store_that_is_in_use_is_not_opened_twice() {
    let server = Server::start("").await;
    let other = folder(&format!("[store]\nurl = \"sqlite:{}/data/waxwing.db\"\n", {
        server.folder.path().display()
    }));
    let said = fails(other.path(), &["serve"], "").await;
    assert!(said.contains("another process has"), "{said}");
    let data = server.folder.path().join("data");
    let other =
        folder(&format!("[server]\ndata = \"{}\"\n[store]\nurl = \"memory:\"\n", data.display()));
    let said = fails(other.path(), &["serve"], "").await;
    assert!(said.contains("another server runs with the data folder"), "{said}");
    server.add("juliet@localhost", "secret").await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_named() {
    let folder = folder("[tls]\ncertificate = \"none.pem\"\nkey = \"none.key\"\n");
    let said = fails(folder.path(), &["serve"], "").await;
    assert!(said.contains("none.pem: No such file"), "{said}");
    fs::write(folder.path().join("none.pem"), "this is no certificate").unwrap();
    let said = fails(folder.path(), &["serve"], "").await;
    assert!(said.contains("none.pem: has no certificate in it"), "{said}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_not_touched() {
    let server = Server::start("").await;
    server.signal("TERM").await;
    let Server { folder, mut child, .. } = server;
    child.wait().await.unwrap();
    let data = folder.path().join("data/waxwing.db");
    add_migration(&data).await;
    let before = fs::read(&data).unwrap();
    let said = fails(folder.path(), &["serve"], "").await;
    assert!(said.contains("the database is of a newer version than this program"), "{said}");
    assert_eq!(fs::read(&data).unwrap(), before);
}

/// As a newer program would leave it.
async fn add_migration(data: &std::path::Path) {
    use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
    let connect = SqliteConnectOptions::new().filename(data);
    let mut database = SqliteConnection::connect_with(&connect).await.unwrap();
    let insert = "INSERT INTO _sqlx_migrations \
                  (version, description, success, checksum, execution_time) \
                  VALUES (99999999999999, 'of tomorrow', true, x'00', 0)";
    sqlx::query(insert).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

#[tokio::test]
async fn sigterm_ends_every_stream_with_system_shutdown_and_the_process_with_0() {
    // Far longer than anybody waits here.
    let server = Server::start("[limits]\nshutdown_seconds_max = 300\n").await;
    server.add("juliet@localhost", "secret").await;
    let mut juliet = Client::starttls(&server).await;
    juliet.login("balcony").await;
    let mut stranger = Client::connect(server.starttls()).await;
    server.signal("TERM").await;
    let said = juliet.hear_all().await;
    assert!(said.contains("<system-shutdown ") && said.ends_with("</stream:stream>"), "{said}");
    let said = stranger.hear_all().await;
    assert!(said.contains("<system-shutdown "), "{said}");
    drop((juliet, stranger));
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn at_65_who_dawdles_is_closed_at_the_deadline() {
    let limits = "[limits]\nhandshake_seconds_max = 1\nauth_seconds_max = 1\n\
                  close_seconds_max = 1\n";
    let server = Server::start(limits).await;
    let mut silent = Client::connect(server.starttls()).await;
    let mut header = Client::connect(server.starttls()).await;
    header.say("<?xml version='1.0'?><stream:str").await;
    let mut handshaking = Client::connect(server.direct()).await;
    // The beginning of a record of TLS, and no more.
    handshaking.say("\u{16}\u{3}\u{1}").await;
    for slow in [&mut silent, &mut header] {
        let said = slow.hear_all().await;
        assert!(said.contains("</stream:error>"), "{said}");
    }
    assert_eq!(handshaking.hear_all().await, "");
    drop((silent, header, handshaking));
    let gone = "waxwing_active_connections 0";
    while !server.get("/metrics").await.lines().any(|line| line == gone) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn tls_from_the_first_byte_knows_its_protocol_xep_0368() {
    let server = Server::start("").await;
    server.add("juliet@localhost", "secret").await;
    let connect = || async { TcpStream::connect(server.direct()).await.unwrap() };
    let named = handshake(&server, connect().await, &["xmpp-client"]).await.unwrap();
    assert_eq!(named.get_ref().1.alpn_protocol(), Some(&b"xmpp-client"[..]));
    Client::over(named).login("balcony").await;
    let unnamed = handshake(&server, connect().await, &[]).await.unwrap();
    Client::over(unnamed).login("garden").await;
    assert!(handshake(&server, connect().await, &["h2"]).await.is_err());
}

/// RFC 6120 §5.4.2.1.
#[tokio::test]
async fn at_19_what_is_said_before_tls_is_not_heard_after_it() {
    let server = Server::start("").await;
    let mut client = Client::connect(server.starttls()).await;
    client
        .say(
            "<stream:stream to='localhost' version='1.0' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>\
             <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\
             <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>",
        )
        .await;
    client.hear("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await;
    let socket = handshake(&server, client.into_inner(), &[]).await.unwrap();
    let mut client = Client::over(socket);
    client.say("<x").await;
    client.say("/>").await;
    let said = client.hear_all().await;
    assert!(!said.contains("failure"), "the login was heard: {said}");
}

/// RFC 6120 §4.9.3.17.
#[tokio::test]
async fn at_60_a_client_that_does_not_read_is_ended_and_the_rest_goes_on() {
    let server =
        Server::start("[limits]\nmailboxes_bytes_max = 16777216\nclose_seconds_max = 1\n").await;
    server.add("juliet@localhost", "secret").await;
    let mut deaf = Client::starttls(&server).await;
    deaf.login("deaf").await;
    let mut juliet = Client::starttls(&server).await;
    juliet.login("balcony").await;
    let body = "x".repeat(50_000);
    let flood = format!("<message to='juliet@localhost/deaf'><body>{body}</body></message>");
    let ping = "<iq id='p' type='get'><ping xmlns='urn:xmpp:ping'/></iq>";
    // Until the kernel's buffers are full, then the mailbox; messages for nobody come back.
    loop {
        juliet.say(&format!("{flood}{ping}")).await;
        let said = juliet.hear("type='result'").await;
        if said.contains("service-unavailable") {
            return;
        }
    }
}

#[tokio::test]
async fn sighup_reads_certificate_and_settings_again_and_says_what_it_cannot() {
    let server = Server::start("").await;
    let made = server.folder.path().join("data/self-signed.pem");
    let handshaken = handshake(&server, TcpStream::connect(server.direct()).await.unwrap(), &[]);
    let old = handshaken.await.unwrap().get_ref().1.peer_certificates().unwrap()[0].clone();
    // A certificate that is there no more is made anew.
    settings(server.folder.path(), "[server]\ndomains = [\"localhost\", \"example.org\"]\n");
    fs::remove_file(&made).unwrap();
    server.signal("HUP").await;
    let again = async {
        while !made.exists() {
            tokio::task::yield_now().await;
        }
        loop {
            let socket = TcpStream::connect(server.direct()).await.unwrap();
            let Ok(tls) = handshake(&server, socket, &[]).await else { continue };
            if tls.get_ref().1.peer_certificates().unwrap()[0] != old {
                return;
            }
        }
    };
    timeout(PATIENCE, again).await.expect("another certificate");
    let log = fs::read_to_string(server.folder.path().join(LOG)).unwrap();
    let told = log.lines().any(|line| line.contains("server.domains") && line.contains("start"));
    assert!(told, "{log}");
}

#[tokio::test]
async fn check_finds_nothing_wrong_with_a_server_that_runs() {
    let server = Server::start("").await;
    let checked = run(server.folder.path(), &["check"], "").await;
    let said = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(0), "{said}");
    assert!(said.contains("in the hands of the running server"), "{said}");
    assert!(said.contains("signed by itself"), "{said}");
}

#[tokio::test]
async fn settings_and_life_are_printed_without_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let printed = run(folder.path(), &["settings"], "").await;
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.contains("[listen]\n") && printed.contains("\nc2s = [\"127.0.0.1:5222\"]\n"));
    let life = run(folder.path(), &["life"], "").await;
    assert!(String::from_utf8(life.stdout).unwrap().contains("commit"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is made");
}
