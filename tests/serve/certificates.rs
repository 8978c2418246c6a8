//! The certificates of the built server: which it shows to whom, and how it gets new ones.

use crate::{
    authority::{Authority, TLS},
    client::{self, Client},
    server::{LOG, PATIENCE, Server, folder, run},
    trust::{believe, leaf, put, shake, shown},
};
use std::{fs, net::SocketAddr, path::Path};
use tempfile::TempDir;
use tokio::time::timeout;

/// Begins a stream, and hears what answers it: it lives.
async fn greet<S>(client: &mut Client<S>, domain: &str)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let names = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'";
    client.say(&format!("<stream:stream to='{domain}' version='1.0' {names}>")).await;
    client.hear("</stream:features>").await;
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join(LOG)).unwrap()
}

/// Waits until the server's log says this.
async fn logged(server: &Server, what: &str) {
    let said = async {
        while !log(server.folder.path()).contains(what) {
            tokio::task::yield_now().await;
        }
    };
    let said = timeout(PATIENCE, said).await;
    said.unwrap_or_else(|_| panic!("{what} is not in\n{}", log(server.folder.path())));
}

/// Waits until Prometheus is told this.
pub async fn measured(server: &Server, line: &str) {
    let told = async {
        while !server.get("/metrics").await.lines().any(|it| it == line) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, told).await.unwrap_or_else(|_| panic!("{line} is not measured"));
}

async fn check(folder: &Path) -> (Option<i32>, String) {
    let checked = run(folder, &["check"], "").await;
    (checked.status.code(), String::from_utf8(checked.stdout).unwrap())
}

/// A server of two domains with a pair for each in a folder, in both layouts.
async fn two_domains() -> Server {
    let folder = folder(
        "[server]\ndomains = [\"a.example\", \"bücher.example\"]\n[tls]\nfolder = \"tls\"\n",
    );
    let tls = folder.path().join("tls");
    fs::create_dir_all(tls.join("books")).unwrap();
    put(&tls.join("a.crt"), &tls.join("a.key"), &["a.example"]);
    let books = tls.join("books");
    let (file, key) = (books.join("fullchain.pem"), books.join("privkey.pem"));
    put(&file, &key, &["xn--bcher-kva.example", "*.xn--bcher-kva.example"]);
    Server::start_in(folder).await
}

#[tokio::test]
async fn each_domain_shows_its_certificate_and_check_and_metrics_tell_of_each() {
    let server = two_domains().await;
    let tls = server.folder.path().join("tls");
    let (a, books) = (believe(&tls.join("a.crt")), believe(&tls.join("books/fullchain.pem")));
    for (roots, name) in [
        (&a, "a.example"),
        (&books, "xn--bcher-kva.example"),
        (&books, "chat.xn--bcher-kva.example"),
    ] {
        shake(roots, server.direct(), name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(shake(&books, server.direct(), "elsewhere.example").await.is_err());
    let metrics = server.get("/metrics").await;
    for domain in ["a.example", "bücher.example"] {
        let expiry = format!("waxwing_certificate_expiry_seconds{{domain=\"{domain}\"}} ");
        assert!(metrics.contains(&expiry), "{metrics}");
    }
    let (code, said) = check(server.folder.path()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("of bücher.example is in tls/books/fullchain.pem"), "{said}");
}

#[tokio::test]
async fn a_file_that_changes_is_served_and_a_bad_one_is_not_and_no_stream_ends() {
    let server = two_domains().await;
    let tls = server.folder.path().join("tls");
    let (file, key) = (tls.join("a.crt"), tls.join("a.key"));
    let first = shake(&believe(&file), server.direct(), "a.example").await.unwrap();
    let old = leaf(&first);
    let mut stream = Client::over(first);
    greet(&mut stream, "a.example").await;
    put(&file, &key, &["a.example"]);
    let second = shown(&believe(&file), server.direct(), "a.example", Some(&old)).await;
    let roots = believe(&file);
    fs::write(&file, "no certificate").unwrap();
    logged(&server, "a.crt: has no certificate in it").await;
    let third = shake(&roots, server.direct(), "a.example").await.unwrap();
    assert_eq!(leaf(&third), leaf(&second));
    let (code, said) = check(server.folder.path()).await;
    assert!(code == Some(1) && said.contains("a.crt: has no certificate in it"), "{said}");
    put(&file, &key, &["a.example"]);
    server.signal("HUP").await;
    shown(&believe(&file), server.direct(), "a.example", Some(&leaf(&third))).await;
    stream.say("</stream:stream>").await;
    assert!(stream.hear_all().await.ends_with("</stream:stream>"), "it has lived until now");
}

/// A server that gets its certificates from this authority.
async fn served_by(authority: &Authority, challenge: &str, domains: &str) -> Server {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let settings = authority.settings(challenge);
    let settings = format!("[server]\ndomains = {domains}\n{settings}");
    fs::write(folder.path().join("waxwing.toml"), settings).unwrap();
    Server::start_in(folder).await
}

#[tokio::test]
async fn http_01_gets_a_certificate_and_a_bad_domain_does_not_keep_it_from_others() {
    let authority = Authority::start(86_400).await;
    let nobody = authority.address.octets();
    // Of the same network of loopback; nobody listens there.
    authority.lead("bad.example", [127, 255, nobody[2], nobody[3]].into()).await;
    let domains = r#"["bad.example", "a.example", "b.example"]"#;
    let server = served_by(&authority, "http-01", domains).await;
    let (to, believers) = (server.direct(), authority.believers().await);
    for name in ["a.example", "b.example"] {
        shown(&believers, to, name, None).await;
        measured(&server, &format!("waxwing_certificate_self_signed{{domain=\"{name}\"}} 0")).await;
    }
    logged(&server, "no certificate was ordered").await;
    measured(&server, "waxwing_certificate_orders_total{outcome=\"ok\"} 2").await;
    measured(&server, "waxwing_certificate_orders_total{outcome=\"failed\"} 1").await;
    measured(&server, "waxwing_certificate_self_signed{domain=\"bad.example\"} 1").await;
    let self_signed = believe(&server.folder.path().join("data/self-signed.pem"));
    shake(&self_signed, to, "bad.example").await.unwrap();
    let (code, said) = check(server.folder.path()).await;
    let failed = said.lines().find(|line| line.contains("for bad.example was ordered in vain"));
    assert!(failed.is_some_and(|line| line.contains("connection refused")), "{said}");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("of a.example is in data/acme/"), "{said}");
    let account = format!("the account is https://{}:", authority.address);
    assert!(said.contains(&account) && said.contains("it has no name for CAA records"), "{said}");
    // What was ordered is kept.
    server.signal("TERM").await;
    let Server { folder, mut child, .. } = server;
    child.wait().await.unwrap();
    let server = Server::start_in(folder).await;
    shake(&believers, server.direct(), "a.example").await.unwrap();
}

#[tokio::test]
async fn tls_alpn_01_gets_a_certificate_and_renews_it_while_streams_go_on() {
    let authority = Authority::start(15).await;
    let server = served_by(&authority, "tls-alpn-01", r#"["bücher.example"]"#).await;
    let (believers, name) = (authority.believers().await, "xn--bcher-kva.example");
    let to = SocketAddr::from((authority.address, TLS));
    let first = shown(&believers, to, name, None).await;
    let old = leaf(&first);
    let mut stream = Client::over(first);
    greet(&mut stream, "bücher.example").await;
    shown(&believers, to, name, Some(&old)).await;
    stream.say("</stream:stream>").await;
    assert!(stream.hear_all().await.ends_with("</stream:stream>"), "it has lived until now");
    drop(server);
}

/// RFC 8737 §4: whoever wants a challenge when there is none is refused, and nobody can speak in
/// its protocol.
#[tokio::test]
async fn a_handshake_of_a_challenge_carries_no_stream() {
    let server = Server::start("").await;
    let connect = || async { tokio::net::TcpStream::connect(server.direct()).await.unwrap() };
    let alone = client::handshake(&server, connect().await, &["acme-tls/1"]).await;
    assert!(alone.is_err(), "none is expected");
    let both = client::handshake(&server, connect().await, &["h2", "acme-tls/1"]).await;
    let mut stream = Client::over(both.unwrap());
    assert_eq!(stream.hear_all().await, "");
}
