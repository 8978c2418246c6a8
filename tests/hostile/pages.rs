//! AT-53: pages in a browser that make it ask for them, with what it knows of its user.
//!
//! To a port of XMPP a page can send a form at the most, in which somebody's stanzas may stand: the
//! first line of the request is no XML, and nothing behind it is read.

use crate::{
    browser::{Browser, CLOSE, ask, request},
    client::{Client, handshake},
    server::Server,
    watch::is_calm,
};
use conformance::sasl;
use tokio::net::TcpStream;

const HTTPS: &str = "https = [\"127.0.0.1:0\"]\n";
const CHOSEN: &str = "[http]\norigins = [\"https://chat.example\"]\n";
const EVIL: &str = "Origin: https://evil.example\r\n";
const LENT: [&str; 2] = ["Cookie: a=b\r\n", "Authorization: Basic YTpi\r\n"];
const BODY: &str = "<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='localhost' \
                    ver='1.6' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0'/>";

fn post(path: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\n{more}Content-Type: text/plain\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

async fn secure(server: &Server) -> tokio_rustls::client::TlsStream<TcpStream> {
    let socket = TcpStream::connect(server.address("https")).await.unwrap();
    handshake(server, socket, &["http/1.1"]).await.unwrap()
}

async fn is_answered(server: &Server, asked: &str, status: &str) -> String {
    let head = request(&mut secure(server).await, asked).await;
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{asked}: {head}");
    assert!(head.contains("frame-ancestors 'none'"), "{asked}: {head}");
    assert!(head.contains("x-content-type-options: nosniff"), "{asked}: {head}");
    assert!(!head.contains("allow-credentials"), "{asked}: {head}");
    head.to_lowercase()
}

#[tokio::test]
async fn at_53_a_page_begins_no_session_with_what_it_does_not_know() {
    let server = Server::start(HTTPS).await;
    for lent in LENT {
        for path in ["/bosh", "/ws", "/.well-known/host-meta", "/none"] {
            is_answered(&server, &post(path, &format!("{EVIL}{lent}"), BODY), "403").await;
            is_answered(&server, &post(path, &format!("Origin: null\r\n{lent}"), BODY), "403")
                .await;
        }
    }
    let metrics = server.get("/metrics").await;
    assert!(metrics.contains("waxwing_bosh_sessions 0\n"), "{metrics}");
    // Without it every page may speak XMPP: it knows the password itself.
    let head = is_answered(&server, &post("/bosh", EVIL, BODY), "200").await;
    assert!(head.contains("access-control-allow-origin: *\r\n"), "{head}");
    is_calm(&server);
}

#[tokio::test]
async fn at_53_where_the_operator_has_chosen_pages_no_other_speaks_xmpp() {
    let server = Server::start(&format!("{HTTPS}{CHOSEN}")).await;
    server.add("juliet@localhost", "secret").await;
    let head = is_answered(&server, &post("/bosh", EVIL, BODY), "403").await;
    assert!(!head.contains("access-control-allow-origin"), "{head}");
    let preflight = "OPTIONS /bosh HTTP/1.1\r\nHost: localhost\r\n";
    let head = is_answered(&server, &format!("{preflight}{EVIL}\r\n"), "204").await;
    assert!(!head.contains("access-control-allow-origin"), "{head}");
    let metrics = server.get("/metrics").await;
    assert!(metrics.contains("waxwing_bosh_sessions 0\n"), "{metrics}");
    let chosen = "Origin: https://chat.example\r\n";
    let head = is_answered(&server, &post("/bosh", chosen, BODY), "200").await;
    assert!(head.contains("access-control-allow-origin: https://chat.example\r\n"), "{head}");
    let more = format!("Sec-WebSocket-Protocol: xmpp\r\n{EVIL}");
    let head = ask(&mut secure(&server).await, &more).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    let mut page = Browser::open(secure(&server).await, chosen).await;
    page.login("page").await;
    page.say(CLOSE).await;
    assert_eq!(page.ends().await, (vec![CLOSE.to_owned()], 1000));
    is_calm(&server);
}

#[tokio::test]
async fn at_53_a_form_that_is_sent_to_a_port_of_xmpp_is_not_read() {
    let server = Server::start(HTTPS).await;
    server.add("juliet@localhost", "secret").await;
    let login = format!(
        "<stream:stream to='localhost' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>\
         <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{}</auth>",
        sasl::plain("juliet", "secret")
    );
    let form = post("/", EVIL, &login);
    let mut clear = Client::connect(server.starttls()).await;
    clear.say(&form).await;
    let socket = async |port| TcpStream::connect(port).await.unwrap();
    let (direct, https) = (server.direct(), server.address("https"));
    // A browser says what it speaks, and who speaks nothing else is refused.
    for alpn in [&["http/1.1"][..], &["h2", "http/1.1"]] {
        assert!(handshake(&server, socket(direct).await, alpn).await.is_err());
    }
    let mut said = vec![clear.hear_all().await];
    for (port, alpn) in [(direct, &[][..]), (https, &["xmpp-client"])] {
        let mut client = Client::over(handshake(&server, socket(port).await, alpn).await.unwrap());
        client.say(&form).await;
        said.push(client.hear_all().await);
    }
    for said in said {
        assert!(said.contains("<not-well-formed "), "{said}");
        assert!(!said.contains("<success"), "{said}");
    }
    let metrics = server.get("/metrics").await;
    assert!(!metrics.contains("waxwing_logins_total{"), "{metrics}");
    is_calm(&server);
}
