//! `waxwing check`, with a name server of its own on loopback.

use crate::{
    dns::Zone,
    server::{Server, run},
};
use std::{net::TcpListener, path::Path};
use tempfile::TempDir;

const DOMAIN: &str = "chat.example";

/// A folder whose settings name ports that were free just now: records must be able to name them.
fn folder() -> (TempDir, u16, u16) {
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [c2s, c2s_tls] = sockets.map(|socket| socket.local_addr().unwrap().port());
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "[server]\ndomains = [\"{DOMAIN}\"]\n[listen]\nc2s = [\"127.0.0.1:{c2s}\"]\n\
         c2s_tls = [\"127.0.0.1:{c2s_tls}\"]\nhttp = []\n"
    );
    std::fs::write(folder.path().join("waxwing.toml"), settings).unwrap();
    (folder, c2s, c2s_tls)
}

/// What it prints, and how it ends.
async fn check(folder: &Path, words: &[&str]) -> (String, Option<i32>) {
    let words = [&["check"], words].concat();
    let checked = run(folder, &words, "").await;
    (String::from_utf8(checked.stdout).unwrap(), checked.status.code())
}

fn has(said: &str, begin: &str, found: &str) -> bool {
    said.lines().any(|line| line.starts_with(begin) && line.contains(found))
}

#[tokio::test]
async fn dns_that_leads_to_the_server_is_followed_and_found_right() {
    let (folder, c2s, c2s_tls) = folder();
    let server = Server::start_in(folder).await;
    let zone = Zone::default()
        .srv("_xmpp-client._tcp.chat.example.", c2s, "alias.chat.example.")
        .srv("_xmpps-client._tcp.chat.example.", c2s_tls, "x.chat.example.")
        .alias("alias.chat.example.", "x.chat.example.")
        .address("x.chat.example.", [127, 0, 0, 1]);
    let resolver = zone.serve().await.to_string();
    let (said, code) = check(server.folder.path(), &["--resolver", &resolver]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(has(&said, "warning  dns", "another name for x.chat.example (CNAME)"), "{said}");
    let led = format!("clients go to x.chat.example:{c2s_tls}");
    assert!(has(&said, "ok       reach", "this server answers, with TLS and features"), "{said}");
    assert!(
        has(&said, "ok       reach", &format!("127.0.0.1:{c2s} (alias.chat.example)")),
        "{said}"
    );
    assert!(has(&said, "ok       dns", &led), "{said}");
    assert!(has(&said, "warning  dns", "the private address 127.0.0.1"), "{said}");
    assert!(has(&said, "ok       reach", "can only be guessed"), "{said}");
    let record = format!("SRV 10 0 {c2s} x.chat.example.");
    assert!(has(&said, "_xmpp-client._tcp.chat.example. 3600 IN", &record), "{said}");
    assert!(has(&said, "x.chat.example. 3600 IN", "A 127.0.0.1 ; is there"), "{said}");
}

#[tokio::test]
async fn dns_that_leads_elsewhere_is_a_problem_and_its_status_1() {
    let (folder, c2s, c2s_tls) = folder();
    let server = Server::start_in(folder).await;
    let zone = Zone::default()
        .srv("_xmpp-client._tcp.chat.example.", c2s_tls, "x.chat.example.")
        .srv("_xmpps-client._tcp.chat.example.", c2s, "y.chat.example.")
        .text("_xmppconnect.chat.example.", "_xmpp-client-xbosh=http://chat.example/bosh")
        .address("x.chat.example.", [127, 0, 0, 1]);
    let resolver = zone.serve().await.to_string();
    let (said, code) = check(server.folder.path(), &["--resolver", &resolver]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(has(&said, "problem  dns", "y.chat.example, which has no address"), "{said}");
    assert!(has(&said, "problem  reach", "TLS from the first byte"), "{said}");
    assert!(has(&said, "warning  dns", "which listen.c2s does not name"), "{said}");
    assert!(has(&said, "warning  dns", "_xmppconnect.chat.example has TXT records"), "{said}");
    let (said, code) = check(server.folder.path(), &["--resolver", &resolver, "--json"]).await;
    assert_eq!(code, Some(1), "{said}");
    let lines: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["level"] == "problem" && line["what"] == "dns"));
    assert!(lines.last().unwrap()["records"].is_array(), "{said}");
}

#[tokio::test]
async fn a_name_server_that_fails_is_told_apart_from_one_that_knows_nothing() {
    let (folder, ..) = folder();
    let resolver = Zone::default().fails("_xmpp-client._tcp.chat.example.").serve().await;
    let (said, code) = check(folder.path(), &["--resolver", &resolver.to_string()]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(has(&said, "problem  dns", "the name server fails with"), "{said}");
    let resolver = Zone::default().serve().await;
    let (said, code) = check(folder.path(), &["--resolver", &resolver.to_string()]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(has(&said, "problem  dns", "_xmpp-client._tcp.chat.example is not there"), "{said}");
}

#[tokio::test]
async fn a_laptop_asks_nobody_and_has_no_problem() {
    let (folder, _, port) = folder();
    let (said, code) = check(folder.path(), &[]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(has(&said, "ok       dns", "for this machine only: DNS is not asked"), "{said}");
    let listening = |address: &str| {
        let settings = format!(
            "[server]\ndomains = [\"chat.example.org\"]\n[listen]\nc2s = []\n\
             c2s_tls = [\"{address}:{port}\"]\nhttp = []\n"
        );
        std::fs::write(folder.path().join("waxwing.toml"), settings).unwrap();
    };
    listening("127.0.0.1");
    let (said, code) = check(folder.path(), &[]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(has(&said, "warning  dns", "everything listens on loopback only"), "{said}");
    listening("0.0.0.0");
    let (said, code) = check(folder.path(), &["--no-network"]).await;
    assert_eq!(code, Some(0), "{said}");
    let led = format!("SRV 0 0 {port} chat.example.org.");
    assert!(has(&said, "_xmpps-client._tcp.chat.example.org. 3600 IN", &led), "{said}");
    let none = "_xmpp-client._tcp.chat.example.org. 3600 IN SRV 0 0 0 .";
    assert!(said.lines().any(|line| line == none), "{said}");
}

/// A server on one port for all, and DNS that leads there; with these settings.
async fn on_one_port(more: &str) -> (Server, u16, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "[server]\ndomains = [\"{DOMAIN}\"]\n[listen]\nc2s = []\nc2s_tls = []\nhttp = []\n\
         https = [\"127.0.0.1:{port}\"]\n{more}"
    );
    std::fs::write(folder.path().join("waxwing.toml"), settings).unwrap();
    let server = Server::start_in(folder).await;
    let zone = Zone::default()
        .srv("_xmpp-client._tcp.chat.example.", 0, ".")
        .srv("_xmpps-client._tcp.chat.example.", port, "chat.example.")
        .address("chat.example.", [127, 0, 0, 1]);
    let resolver = zone.serve().await.to_string();
    (server, port, resolver)
}

#[tokio::test]
async fn browsers_are_led_by_host_meta_to_websocket_and_bosh_of_this_server() {
    let (server, port, resolver) = on_one_port("").await;
    let (said, code) = check(server.folder.path(), &["--resolver", &resolver]).await;
    assert_eq!(code, Some(0), "{said}");
    let at = format!("chat.example at 127.0.0.1:{port}");
    for (name, path, scheme) in [("WebSocket", "/ws", "wss"), ("BOSH", "/bosh", "https")] {
        let own = format!("{name} for {at}{path} answers");
        assert!(has(&said, "ok       https", &own), "{own}: {said}");
        let href = format!("{scheme}://chat.example:{port}{path}");
        assert!(has(&said, "ok       host-meta", &format!("{at}: {name} is at {href}")), "{said}");
        let followed = format!("{href}: {name} answers, its certificate is this server's");
        assert!(has(&said, "ok       host-meta", &followed), "{followed}: {said}");
    }
    // Browsers ask at port 443, where this server does not listen.
    assert!(has(&said, "warning  host-meta", "chat.example: /.well-known/host-meta"), "{said}");
    let record = format!("SRV 20 0 {port} chat.example.");
    assert!(has(&said, "_xmpps-client._tcp.chat.example. 3600 IN", &record), "{said}");
}

#[tokio::test]
async fn where_host_meta_leads_nowhere_it_is_told() {
    let more = "[http]\npublic_url = \"https://elsewhere.example/xmpp\"\n";
    let (server, port, resolver) = on_one_port(more).await;
    let (said, _) = check(server.folder.path(), &["--resolver", &resolver]).await;
    let own = format!("WebSocket for chat.example at 127.0.0.1:{port}/ws answers");
    assert!(has(&said, "ok       https", &own), "{said}");
    let lost = "wss://elsewhere.example/xmpp/ws: its host has no address";
    assert!(has(&said, "warning  host-meta", lost), "{said}");
}

#[tokio::test]
async fn a_listener_that_takes_us_for_a_load_balancer_is_spoken_to_as_one() {
    let (server, _, resolver) = on_one_port("proxies = [\"127.0.0.1\"]\n").await;
    let (said, code) = check(server.folder.path(), &["--resolver", &resolver]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(has(&said, "ok       reach", "this server answers, with TLS and features"), "{said}");
    assert!(has(&said, "ok       https", "/ws answers"), "{said}");
    assert!(has(&said, "ok       host-meta", "/bosh: BOSH answers"), "{said}");
}

#[tokio::test]
async fn whoever_issues_certificates_must_be_allowed_to_by_dns_rfc8657() {
    let (folder, ..) = folder();
    let file = folder.path().join("waxwing.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{settings}[acme]\nterms_agreed = \"yes\"\n")).unwrap();
    let resolver = Zone::default().issuer("chat.example.", "ca.example.").serve().await;
    let resolver = resolver.to_string();
    let (said, code) = check(folder.path(), &["--resolver", &resolver]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(has(&said, "ok       acme", "there is no account yet"), "{said}");
    assert!(has(&said, "problem  caa", "letsencrypt.org is not among them"), "{said}");
    let account = "https://acme-v02.api.letsencrypt.org/acme/acct/1";
    let kept = folder.path().join("data/acme/acme-v02.api.letsencrypt.org-directory");
    std::fs::create_dir_all(&kept).unwrap();
    std::fs::write(kept.join("account.json"), format!("{{\"id\": \"{account}\"}}")).unwrap();
    let (said, _) = check(folder.path(), &["--resolver", &resolver]).await;
    assert!(has(&said, "ok       acme", &format!("the account is {account}")), "{said}");
    let record = format!(
        "chat.example. 3600 IN CAA 0 issue \"letsencrypt.org; accounturi={account}; \
         validationmethods=http-01,tls-alpn-01\""
    );
    assert!(said.lines().any(|line| line == record), "{said}");
}
