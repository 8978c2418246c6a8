//! Logins that fail, are refused, and go on by another way of keeping passwords.

use crate::{
    client::{Client, HEADER},
    server::{LOG, PATIENCE, Server, settings},
};
use conformance::sasl;
use regex::Regex;
use std::{fs, path::Path, time::Instant};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

const FAILURE: &str = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>";
const CHEAP: &str = "argon2id_kib = 64\nargon2id_passes = 1\nargon2id_lanes = 1\n";

async fn greeted(server: &Server) -> (Client<TlsStream<TcpStream>>, String) {
    let mut client = Client::starttls(server).await;
    client.say(HEADER).await;
    let features = client.hear("</stream:features>").await;
    (client, features)
}

/// Tries a password on a connection of its own; what the server says.
async fn tries(server: &Server, local: &str, password: &str) -> String {
    let (mut client, _) = greeted(server).await;
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>";
    client.say(&format!("{auth}{}</auth></stream:stream>", sasl::plain(local, password))).await;
    client.hear_all().await.replace("</stream:stream>", "")
}

fn failed(condition: &str) -> String {
    format!("{FAILURE}<{condition}/></failure>")
}

fn log(server: &Server) -> String {
    fs::read_to_string(server.folder.path().join(LOG)).unwrap()
}

/// Stops it; the folder that it leaves, with other settings.
async fn again(server: Server, more: &str) -> Server {
    server.signal("TERM").await;
    let Server { folder, mut child, .. } = server;
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    settings(folder.path(), more);
    Server::start_in(folder).await
}

/// The expressions of the filter, as Rust reads them.
fn filter() -> Vec<Regex> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fail2ban/waxwing.conf");
    let file = fs::read_to_string(file).unwrap();
    let (_, lines) = file.split_once("failregex = ").unwrap();
    let (lines, _) = lines.split_once("\n\n").unwrap();
    let address = r"(?P<addr>\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:]*:[0-9a-f:.]*)";
    let read = |line: &str| Regex::new(&line.trim().replace("<ADDR>", address)).unwrap();
    lines.lines().map(read).collect()
}

/// The address that the filter finds in a line, when it has taken away the date as fail2ban does.
fn found(filter: &[Regex], line: &str) -> Option<String> {
    let date = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z").unwrap();
    let line = date.replace(line, "");
    let found = filter.iter().find_map(|it| it.captures(&line));
    found.map(|found| found["addr"].to_owned())
}

#[tokio::test]
async fn at_62_a_failed_login_is_a_line_that_fail2ban_reads() {
    let filter = filter();
    for format in ["human", "json"] {
        let server = Server::start(&format!("[log]\nformat = \"{format}\"\n")).await;
        server.add("juliet@localhost", "secret").await;
        for (local, password) in [("juliet", "wrong-password"), ("nobody", "secret")] {
            assert_eq!(tries(&server, local, password).await, failed("not-authorized"));
        }
        let (mut stranger, _) = greeted(&server).await;
        stranger.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X'/>").await;
        stranger.hear("<invalid-mechanism/></failure>").await;
        let log = log(&server);
        let lines: Vec<_> = log.lines().filter(|line| line.contains("login failed")).collect();
        assert_eq!(lines.len(), 3, "{log}");
        let found: Vec<_> = log.lines().filter_map(|line| found(&filter, line)).collect();
        assert_eq!(found, ["127.0.0.1"; 2], "{log}");
        assert!(lines[0].contains("juliet@localhost") && lines[1].contains("nobody@localhost"));
        assert!(!log.contains("wrong-password"));
    }
}

#[test]
fn the_filter_reads_what_the_documentation_shows_and_nothing_like_it() {
    let filter = filter();
    let doc = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fail2ban.md");
    let doc = fs::read_to_string(doc).unwrap();
    let shown: Vec<_> =
        doc.lines().filter(|line| line.starts_with("    ")).map(str::trim).collect();
    let shown: Vec<_> = shown.into_iter().filter(|line| line.contains("login failed")).collect();
    assert_eq!(shown.len(), 2);
    for line in shown {
        assert_eq!(found(&filter, line).as_deref(), Some("192.0.2.1"), "{line}");
        // As the journal of systemd has it, from which fail2ban takes no date away.
        for journal in [format!("chat waxwing[123]: {line}"), format!("chat my-xmpp[1]: {line}")] {
            let by_journal = filter.iter().find_map(|it| it.captures(&journal));
            assert_eq!(&by_journal.unwrap()["addr"], "192.0.2.1", "{journal}");
        }
        let six = line.replace("192.0.2.1:", "[2001:db8::1]:");
        assert_eq!(found(&filter, &six).as_deref(), Some("2001:db8::1"), "{six}");
        let ours = line.replace("not-authorized", "temporary-auth-failure");
        assert_eq!(found(&filter, &ours), None, "{ours}");
        let quoted = format!("2026-11-28T07:00:00.123456Z  INFO net::story: client bound {line}");
        assert_eq!(found(&filter, &quoted), None, "{quoted}");
    }
}

#[tokio::test]
async fn who_guesses_is_refused_for_a_while_whatever_comes_next() {
    let server =
        Server::start("[limits]\nlogin_failures_max = 2\nlogin_delay_seconds_max = 0\n").await;
    for account in ["juliet@localhost", "romeo@localhost"] {
        server.add(account, "secret").await;
    }
    let refused = format!(
        "{FAILURE}<temporary-auth-failure/>\
         <text xml:lang='en'>Too many logins have failed. Try again later.</text></failure>"
    );
    for local in ["juliet", "nobody"] {
        for _ in 0..2 {
            assert_eq!(tries(&server, local, "wrong").await, failed("not-authorized"));
        }
        for password in ["wrong", "secret"] {
            assert_eq!(tries(&server, local, password).await, refused, "{local} {password}");
        }
    }
    assert!(tries(&server, "romeo", "secret").await.starts_with("<success"));
    let metrics = server.get("/metrics").await;
    for line in [
        "waxwing_logins_total{mechanism=\"PLAIN\",outcome=\"not-authorized\"} 4",
        "waxwing_logins_total{mechanism=\"PLAIN\",outcome=\"throttled\"} 4",
        "waxwing_logins_delayed_total 0",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn who_has_failed_often_waits() {
    let more = "[limits]\nlogin_failures_max = 3\nlogin_delay_seconds_max = 1\n";
    let server = Server::start(more).await;
    for _ in 0..2 {
        tries(&server, "juliet", "wrong").await;
    }
    let begun = Instant::now();
    assert_eq!(tries(&server, "juliet", "wrong").await, failed("not-authorized"));
    assert!(begun.elapsed().as_millis() >= 500);
    let metrics = server.get("/metrics").await;
    assert!(metrics.contains("waxwing_logins_delayed_total 1"), "{metrics}");
}

/// Waits for the line that says that a password is kept otherwise.
async fn kept_anew(server: &Server) {
    let begun = Instant::now();
    while !log(server).contains("password kept as auth.password_storage has it") {
        assert!(begun.elapsed() < PATIENCE, "{}", log(server));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn passwords_are_kept_by_argon2id_and_by_scram_again_as_their_owners_log_in() {
    let slow = format!("[auth]\npassword_storage = \"argon2id\"\n{CHEAP}");
    let fast = format!("[auth]\n{CHEAP}");
    let server = Server::start(&fast).await;
    server.add("juliet@localhost", "secret").await;
    let (_, offered) = greeted(&server).await;
    assert!(offered.contains("<mechanism>SCRAM-SHA-256</mechanism>"), "{offered}");
    let server = again(server, &slow).await;
    server.add("romeo@localhost", "secret").await;
    let (mut client, offered) = greeted(&server).await;
    assert!(!offered.contains("SCRAM") && offered.contains("<mechanism>PLAIN</mechanism>"));
    let first = sasl::plain("juliet", "n,,n=juliet,r=abc");
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>";
    client.say(&format!("{auth}{first}</auth>")).await;
    client.hear(&failed("invalid-mechanism")).await;
    for local in ["juliet", "romeo"] {
        assert_eq!(tries(&server, local, "wrong").await, failed("not-authorized"), "{local}");
        assert!(tries(&server, local, "secret").await.starts_with("<success"), "{local}");
    }
    kept_anew(&server).await;
    assert!(tries(&server, "juliet", "secret").await.starts_with("<success"));
    let server = again(server, &fast).await;
    for local in ["juliet", "romeo", "nobody"] {
        assert_eq!(tries(&server, local, "wrong").await, failed("not-authorized"), "{local}");
    }
    for local in ["juliet", "romeo"] {
        assert!(tries(&server, local, "secret").await.starts_with("<success"), "{local}");
    }
    kept_anew(&server).await;
}
