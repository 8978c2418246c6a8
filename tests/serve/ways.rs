//! Every way in that is not plain TCP: WebSocket, HTTPS and XMPP on one port, load balancers.

use crate::{
    browser::{Browser, CLOSE, ask, request},
    client::{Client, HEADER, handshake},
    server::{LOG, PATIENCE, Server},
};
use std::{
    fs,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

const PING: &str = "<iq xmlns='jabber:client' id='p' type='get'><ping xmlns='urn:xmpp:ping'/></iq>";
const HTTPS: &str = "https = [\"127.0.0.1:0\"]\n";

async fn http(server: &Server) -> TcpStream {
    TcpStream::connect(server.address("http ")).await.unwrap()
}

async fn https(server: &Server, alpn: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(server.address("https")).await.unwrap();
    handshake(server, socket, alpn).await
}

/// The whole answer to a GET, on a connection that ends with it.
async fn get(
    mut socket: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    asked: &str,
) -> String {
    let asked = format!("{asked}Connection: close\r\n\r\n");
    socket.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = timeout(PATIENCE, socket.read_to_string(&mut answer)).await.expect("an answer");
    // Who closes without `close_notify` has said all nevertheless.
    read.unwrap_or(0);
    answer
}

/// Nothing that is told wakes the connection when the credit is there again.
#[tokio::test]
async fn what_is_said_in_one_breath_with_the_bind_is_heard_though_it_takes_all_credit() {
    // Timers of its own would wake it much later.
    let limits = "[limits]\ncredit_stanzas_max = 4\nhandshake_seconds_max = 600\n\
                  auth_seconds_max = 600\nidle_seconds_max = 600\n\
                  unanswered_seconds_max = 600\nunreached_seconds_max = 600\n";
    let server = Server::start(limits).await;
    for who in ["juliet@localhost", "romeo@localhost"] {
        server.add(who, "secret").await;
    }
    let mut juliet = Client::<TcpStream>::starttls(&server).await;
    juliet.authenticate("juliet").await;
    let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
    let bind = format!("<iq id='b' type='set'>{bind}</iq>");
    let hark = "<message to='romeo@localhost' type='chat'><body>hark</body></message>".repeat(10);
    juliet.say(&format!("{bind}{hark}")).await;
    juliet.hear("</iq>").await;
    juliet.say(PING).await;
    // It is woken by the credit.
    juliet.hear("id='p'").await;
}

#[tokio::test]
async fn browsers_chat_over_websocket_with_and_without_tls_of_ours() {
    let server = Server::start(HTTPS).await;
    server.add("juliet@localhost", "secret").await;
    let mut plain = Browser::open(http(&server).await, "").await;
    plain.login("plain").await;
    let mut secure = Browser::open(https(&server, &["http/1.1"]).await.unwrap(), "").await;
    secure.login("secure").await;
    let to_plain = "<message xmlns='jabber:client' to='juliet@localhost/plain'>";
    secure.say(&format!("{to_plain}<body>hark</body></message>")).await;
    let heard = plain.hear().await;
    assert!(heard.starts_with("<message xmlns='jabber:client' "), "{heard}");
    assert!(heard.contains("<body>hark</body>"), "{heard}");
    // In three fragments, with a question of the transport between them.
    let (first, rest) = PING.split_at(10);
    plain.frame(0x01, first.as_bytes()).await;
    plain.frame(0x89, b"there?").await;
    plain.frame(0x00, b"").await;
    plain.frame(0x80, rest.as_bytes()).await;
    assert_eq!(plain.next().await, Some((0x8a, b"there?".to_vec())));
    assert!(plain.hear().await.contains(" type='result'"));
    plain.say(CLOSE).await;
    assert_eq!(plain.ends().await, (vec![CLOSE.to_owned()], 1000));
    secure.frame(0x88, &1001_u16.to_be_bytes()).await;
    assert_eq!(secure.ends().await, (Vec::new(), 1000));
}

#[tokio::test]
async fn one_port_serves_pages_websockets_and_xmpp_xep_0368() {
    let server = Server::start(HTTPS).await;
    server.add("juliet@localhost", "secret").await;
    let xmpp = https(&server, &["xmpp-client"]).await.unwrap();
    assert_eq!(xmpp.get_ref().1.alpn_protocol(), Some(&b"xmpp-client"[..]));
    Client::over(xmpp).login("balcony").await;
    for alpn in [&["h2", "http/1.1"][..], &[]] {
        let mut secure = https(&server, alpn).await.unwrap();
        let answer = request(&mut secure, "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        Browser::open(secure, "").await.login("chamber").await;
    }
    assert!(https(&server, &["h2"]).await.is_err());
}

#[tokio::test]
async fn what_is_no_websocket_of_xmpp_is_told_why() {
    let server = Server::start("[http]\norigins = [\"https://chat.example\"]\n").await;
    let refused = async |more: &str, status: &str| {
        let head = ask(&mut http(&server).await, more).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{more}: {head}");
    };
    // AT-54: without the subprotocol, or with another.
    refused("", "400").await;
    refused("Sec-WebSocket-Protocol: xmppp, mqtt\r\n", "400").await;
    refused("Sec-WebSocket-Protocol: mqtt, xmpp\r\n", "101").await;
    let xmpp = "Sec-WebSocket-Protocol: xmpp\r\n";
    refused(&format!("{xmpp}Origin: https://evil.example\r\n"), "403").await;
    refused(&format!("{xmpp}Origin: https://chat.example\r\n"), "101").await;
    // AT-54: nobody's bomb is unpacked.
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    Browser::open(http(&server).await, offer).await;
    for (asked, status) in [
        ("GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n", "426"),
        ("POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "405"),
        ("GET /ws HTTP/1.1\r\n\r\n", "426"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let head = request(&mut http(&server).await, asked).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{asked}: {head}");
    }
    let too_long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(20_000));
    let head = request(&mut http(&server).await, &too_long).await;
    assert!(head.starts_with("HTTP/1.1 4"), "{head}");
}

#[tokio::test]
async fn at_53_a_page_cannot_borrow_what_a_browser_adds_and_is_shown_nowhere() {
    let server = Server::start("").await;
    let post = |more: &str| {
        format!("POST /ws HTTP/1.1\r\nHost: localhost:80\r\n{more}Content-Length: 0\r\n\r\n")
    };
    for lent in ["Cookie: a=b\r\n", "Authorization: Basic YTpi\r\n"] {
        for (origin, status) in
            [("https://evil.example", "403"), ("null", "403"), ("https://localhost:80", "405")]
        {
            let asked = post(&format!("Origin: {origin}\r\n{lent}"));
            let head = request(&mut http(&server).await, &asked).await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{asked}: {head}");
            assert!(head.contains("frame-ancestors 'none'"), "{head}");
        }
    }
}

#[tokio::test]
async fn host_meta_tells_where_a_domain_is_reached_xep_0156() {
    let server = Server::start(HTTPS).await;
    let ask = |page: &str, host: &str| {
        format!("GET /.well-known/{page} HTTP/1.1\r\nHost: {host}\r\nOrigin: https://x.example\r\n")
    };
    let answer = get(https(&server, &[]).await.unwrap(), &ask("host-meta", "localhost:443")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("content-type: application/xrd+xml\r\n"), "{answer}");
    assert!(answer.contains("access-control-allow-origin: *\r\n"), "{answer}");
    assert!(!answer.contains("access-control-allow-credentials"), "{answer}");
    let link = "<Link rel='urn:xmpp:alt-connections:websocket' href='wss://localhost:443/ws'/>";
    assert!(answer.contains(link), "{answer}");
    let answer = get(http(&server).await, &ask("host-meta.json", "LOCALHOST")).await;
    assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
    assert!(answer.contains("\"href\":\"wss://LOCALHOST/ws\""), "{answer}");
    for (page, host) in [("host-meta", "example.org"), ("host-meta.json", "")] {
        let answer = get(http(&server).await, &ask(page, host)).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
    let options = "OPTIONS /.well-known/host-meta HTTP/1.1\r\nHost: localhost\r\n";
    let answer = get(http(&server).await, options).await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert!(answer.contains("access-control-allow-methods: GET\r\n"), "{answer}");

    let chosen = "[http]\npublic_url = \"https://chat.example/xmpp\"\n";
    let server = Server::start(chosen).await;
    let answer = get(http(&server).await, &ask("host-meta", "localhost")).await;
    assert!(answer.contains(" href='wss://chat.example/xmpp/ws'/>"), "{answer}");
}

#[tokio::test]
async fn streams_of_this_machine_count_and_leave_the_reserve_to_who_watches_it() {
    let server = Server::start("[limits]\nconnections_max = 20\n").await;
    let mut open = Vec::new();
    for _ in 0..20 {
        let mut browser = Browser::open(http(&server).await, "").await;
        // It has an answer, so it is a stream.
        browser.begin().await;
        open.push(browser);
    }
    let metrics = server.get("/metrics").await;
    assert!(metrics.contains("waxwing_active_connections 20\n"), "{metrics}");
    let mut more = http(&server).await;
    ask(&mut more, "Sec-WebSocket-Protocol: xmpp\r\n").await;
    let mut said = Vec::new();
    let ended = timeout(PATIENCE, more.read_to_end(&mut said)).await.expect("it is closed");
    assert!(ended.is_err() || said.is_empty(), "{said:?}");
    assert_eq!(server.get("/health").await, "ok\n");
}

#[tokio::test]
async fn who_has_not_said_all_does_not_hold_a_server_that_stops_at_65() {
    let limits = "[limits]\nclose_seconds_max = 1\nshutdown_seconds_max = 60\n";
    let server = Server::start(&format!("{HTTPS}{limits}")).await;
    let _silent = TcpStream::connect(server.address("https")).await.unwrap();
    let mut half = http(&server).await;
    half.write_all(b"GET /health HTTP/1.1\r\nHost: ").await.unwrap();
    // Who came after it has been served, so it is there.
    assert_eq!(server.get("/health").await, "ok\n");
    let begun = Instant::now();
    server.signal("TERM").await;
    assert_eq!(server.ended().await, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_operators_ask_is_not_everybodys() {
    let asked = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n";
    let server = Server::start(HTTPS).await;
    let answer = get(https(&server, &[]).await.unwrap(), asked).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    let server = Server::start(&format!("{HTTPS}[metrics]\nhttps = \"yes\"\n")).await;
    let answer = get(https(&server, &[]).await.unwrap(), asked).await;
    assert!(answer.contains("waxwing_http_connections 1"), "{answer}");
}

/// Over a WebSocket that has been logged in or not.
async fn at_54(server: &Server, login: bool, frames: &[u8]) -> (String, u16) {
    let mut browser = Browser::open(http(server).await, "").await;
    if login {
        browser.login("balcony").await;
    } else {
        browser.begin().await;
    }
    browser.raw(frames).await;
    let (mut said, code) = browser.ends().await;
    assert_eq!(said.pop().as_deref(), Some(CLOSE), "{said:?}");
    (said.pop().unwrap(), code)
}

#[tokio::test]
async fn at_54_frames_that_no_browser_sends_end_the_stream() {
    let server = Server::start("").await;
    server.add("juliet@localhost", "secret").await;
    let huge = [&[0x81, 0xff][..], &(1_u64 << 63).to_be_bytes(), &[0; 4]].concat();
    let many = [&[0x01, 0x80, 0, 0, 0, 0][..], &[0, 0x80, 0, 0, 0, 0].repeat(2000)].concat();
    for login in [false, true] {
        for (frames, condition, code) in [
            (&b"\x81\x04<a/>"[..], "bad-format", 1002),
            (b"\x82\x80\0\0\0\0", "bad-format", 1003),
            (b"\xc1\x80\0\0\0\0", "bad-format", 1002),
            (b"\x81\x81\0\0\0\0\xff", "unsupported-encoding", 1000),
            (&huge, "policy-violation", 1009),
            (&many, "policy-violation", 1008),
        ] {
            let (said, ended) = at_54(&server, login, frames).await;
            assert!(said.contains(&format!("<{condition} ")), "{frames:?}: {said}");
            assert_eq!(ended, code, "{said}");
        }
    }
    let dtd = "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>";
    for login in [false, true] {
        let frame = [&[0x81, 0x80 | u8::try_from(dtd.len()).unwrap(), 0, 0, 0, 0], dtd.as_bytes()];
        let (said, _) = at_54(&server, login, &frame.concat()).await;
        assert!(said.contains("<restricted-xml "), "AT-02: {said}");
    }
}

#[tokio::test]
async fn at_54_a_message_may_be_as_long_as_a_stanza_and_longer_after_login() {
    let server = Server::start("").await;
    server.add("juliet@localhost", "secret").await;
    let long = format!("<a>{}</a>", "x".repeat(9000));
    let mut browser = Browser::open(http(&server).await, "").await;
    browser.begin().await;
    browser.say(&long).await;
    let (said, code) = browser.ends().await;
    assert!(said[0].contains("<policy-violation ") && code == 1009, "{said:?} {code}");
    let mut browser = Browser::open(http(&server).await, "").await;
    browser.login("balcony").await;
    let note = "<message xmlns='jabber:client' to='juliet@localhost/balcony'><body>";
    browser.say(&format!("{note}{long}</body></message>")).await;
    assert!(browser.hear().await.contains(&long));
}

#[tokio::test]
async fn at_54_a_flood_of_pings_holds_nobody_up() {
    let server = Server::start("").await;
    server.add("juliet@localhost", "secret").await;
    let mut browser = Browser::open(http(&server).await, "").await;
    browser.login("balcony").await;
    for _ in 0..100 {
        browser.raw(&b"\x89\x80\0\0\0\0".repeat(1000)).await;
    }
    browser.say(PING).await;
    let mut pongs = 0;
    loop {
        match browser.next().await.unwrap() {
            (0x8a, _) => pongs += 1,
            (0x81, said) => break assert!(String::from_utf8(said).unwrap().contains("result")),
            other => panic!("{other:?}"),
        }
    }
    assert!((1..10_000).contains(&pongs), "{pongs}");
}

#[tokio::test]
async fn a_websocket_that_is_silent_is_pinged_and_ended_rfc7395_3_8() {
    let server = Server::start("[limits]\nidle_seconds_max = 10\n").await;
    server.add("juliet@localhost", "secret").await;
    let mut browser = Browser::open(http(&server).await, "").await;
    browser.login("balcony").await;
    let mut pinged = false;
    let end = loop {
        match browser.next().await.unwrap() {
            (0x89, _) => pinged = true,
            (0x81, said) => {
                let said = String::from_utf8(said).unwrap();
                match said.contains("<stream:error ") {
                    true => break said,
                    // The ping of XEP-0199, which the client leaves unanswered too.
                    false => assert!(said.contains("<ping "), "{said}"),
                }
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(pinged && end.contains("<connection-timeout "), "{end}");
}

#[tokio::test]
async fn who_stands_behind_a_load_balancer_is_who_is_counted_and_logged() {
    let more = format!(
        "{HTTPS}proxies = [\"127.0.0.0/8\"]\n[limits]\nhandshake_seconds_max = 10\n\
                        connections_per_address_max = 2\n"
    );
    let server = Server::start(&more).await;
    server.add("juliet@localhost", "secret").await;
    let first = |host: &str| format!("PROXY TCP4 {host} 127.0.0.1 4369 5222\r\n");
    let mut starttls = TcpStream::connect(server.starttls()).await.unwrap();
    starttls.write_all(first("192.0.2.7").as_bytes()).await.unwrap();
    let mut starttls = Client::over(starttls);
    starttls.say(HEADER).await;
    starttls.hear("</stream:features>").await;
    // Version 2, with TLS behind it.
    let mut direct = TcpStream::connect(server.direct()).await.unwrap();
    let second = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\x11\x12\x14\x67";
    direct.write_all(second).await.unwrap();
    let mut direct = Client::over(handshake(&server, direct, &[]).await.unwrap());
    direct.login("balcony").await;
    // Two are as many as that address may have; others may come.
    let mut third = TcpStream::connect(server.starttls()).await.unwrap();
    third.write_all(first("192.0.2.7").as_bytes()).await.unwrap();
    assert_eq!(third.read(&mut [0]).await.unwrap_or(0), 0);
    for (port, host) in [("http ", "192.0.2.8"), ("https", "192.0.2.9")] {
        let mut socket = TcpStream::connect(server.address(port)).await.unwrap();
        socket.write_all(first(host).as_bytes()).await.unwrap();
        match port {
            "https" => {
                let secure = handshake(&server, socket, &[]).await.unwrap();
                Browser::open(secure, "").await.login("secure").await;
            }
            // The balancer has the TLS.
            _ => Browser::open(socket, "").await.login("plain").await,
        }
    }
    // A balancer that looks whether we are there.
    let mut local = TcpStream::connect(server.starttls()).await.unwrap();
    local.write_all(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").await.unwrap();
    let mut local = Client::over(local);
    local.say(HEADER).await;
    local.hear("</stream:features>").await;
    for wrong in [HEADER, "PROXY TCP4 here there 1 2\r\n", "PROXY"] {
        let mut socket = TcpStream::connect(server.starttls()).await.unwrap();
        socket.write_all(wrong.as_bytes()).await.unwrap();
        assert_eq!(socket.read(&mut [0]).await.unwrap_or(0), 0, "{wrong}");
    }
    let log = fs::read_to_string(server.folder.path().join(LOG)).unwrap();
    for peer in ["192.0.2.7:4370", "192.0.2.8:4369", "192.0.2.9:4369"] {
        assert!(log.contains(peer), "{peer} is not in\n{log}");
    }
}

#[tokio::test]
async fn nobody_else_says_for_whom_they_speak() {
    let server = Server::start("").await;
    let proxy = "PROXY TCP4 192.0.2.7 127.0.0.1 4369 5222\r\n";
    let mut client = Client::connect(server.starttls()).await;
    client.say(&format!("{proxy}{HEADER}")).await;
    assert!(client.hear_all().await.contains("<not-well-formed "));
    let asked = format!("{proxy}GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = request(&mut http(&server).await, &asked).await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
}

#[tokio::test]
async fn a_web_server_beside_us_says_who_asks() {
    let server = Server::start("").await;
    server.add("juliet@localhost", "secret").await;
    let forwarded = "X-Forwarded-For: 192.0.2.66, 192.0.2.7\r\n";
    Browser::open(http(&server).await, forwarded).await.login("balcony").await;
    let log = fs::read_to_string(server.folder.path().join(LOG)).unwrap();
    assert!(log.contains("192.0.2.7:") && !log.contains("192.0.2.66"), "{log}");
}

#[tokio::test]
async fn at_65_who_dawdles_over_http_is_closed_and_others_are_served() {
    // All at once, and for others as well.
    let limits = "[limits]\nhandshake_seconds_max = 10\nhttp_head_seconds_max = 10\n\
                  auth_seconds_max = 10\nclose_seconds_max = 1\n";
    let server = Server::start(&format!("{HTTPS}{limits}")).await;
    server.add("juliet@localhost", "secret").await;
    let mut slow = Vec::new();
    for begun in ["", "GET /he", "GET /health HTTP/1.1\r\nHost: loc"] {
        let mut socket = http(&server).await;
        socket.write_all(begun.as_bytes()).await.unwrap();
        slow.push(socket);
    }
    let mut shaking = TcpStream::connect(server.address("https")).await.unwrap();
    shaking.write_all(&[0x16, 3, 1]).await.unwrap();
    slow.push(shaking);
    let mut silent = Browser::open(http(&server).await, "").await;
    Browser::open(https(&server, &[]).await.unwrap(), "").await.login("balcony").await;
    for mut socket in slow {
        let mut rest = Vec::new();
        let closed = timeout(PATIENCE, socket.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "it is still open");
    }
    let (said, _) = silent.ends().await;
    assert!(said[0].starts_with("<open ") && said[1].contains("<connection-timeout "), "{said:?}");
}

#[tokio::test]
async fn a_server_that_stops_says_so_and_waits_for_no_idle_connection_of_http() {
    // Far longer than anybody waits here.
    let limits = "[limits]\nhttp_head_seconds_max = 600\nshutdown_seconds_max = 300\n";
    let server = Server::start(&format!("{HTTPS}{limits}")).await;
    server.add("juliet@localhost", "secret").await;
    let mut idle = http(&server).await;
    request(&mut idle, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut browser = Browser::open(https(&server, &[]).await.unwrap(), "").await;
    browser.login("balcony").await;
    server.signal("TERM").await;
    let (said, _) = browser.ends().await;
    assert!(said[0].contains("<system-shutdown "), "{said:?}");
    assert_eq!(server.ended().await, Some(0));
}
