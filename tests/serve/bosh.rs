//! XMPP over BOSH (XEP-0124, XEP-0206), request by request, and what goes wrong with it.

use crate::{
    certificates::measured,
    client::{Client, handshake},
    server::{PATIENCE, Server},
};
use conformance::sasl;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinHandle,
    time::timeout,
};

const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
const HTTPS: &str = "https = [\"127.0.0.1:0\"]\n";

/// What a request is answered: head and body.
type Answer = (String, String);

/// One request on a connection of its own.
async fn send<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S, head: &str, body: &str) -> Answer {
    let length = body.len();
    let end = format!("Host: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    // Who is refused early may find nobody who reads the rest.
    drop(socket.write_all(format!("{head}{end}{body}").as_bytes()).await);
    drop(socket.flush().await);
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("an answer");
    read.unwrap_or(0);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_lowercase(), body.to_owned())
}

async fn post(server: &Server, body: &str) -> Answer {
    let socket = TcpStream::connect(server.address("http ")).await.unwrap();
    send(socket, "POST /bosh HTTP/1.1\r\nContent-Type: text/xml\r\n", body).await
}

fn wrapper(attributes: &str, payloads: &str) -> String {
    format!("<body xmlns='http://jabber.org/protocol/httpbind' {attributes}>{payloads}</body>")
}

/// The value of an attribute of the wrapper.
fn value<'a>(body: &'a str, name: &str) -> &'a str {
    let (_, rest) = body.split_once(&format!(" {name}='")).unwrap_or_else(|| panic!("{body}"));
    rest.split('\'').next().unwrap()
}

/// A session.
struct Session {
    http: SocketAddr,
    sid: String,
    rid: u64,
}

impl Session {
    async fn begin(server: &Server) -> Self {
        let rid = 573_741_820;
        let terms = "to='localhost' ver='1.6' wait='60' hold='1' \
            xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0'";
        let (head, body) = post(server, &wrapper(&format!("rid='{rid}' {terms}"), "")).await;
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert!(body.contains("<mechanism>PLAIN</mechanism>"), "{body}");
        Self { http: server.address("http "), sid: value(&body, "sid").to_owned(), rid }
    }

    /// As juliet, with the password `secret`, and with a resource.
    async fn login(server: &Server, resource: &str) -> Self {
        let mut session = Self::authenticated(server).await;
        let bind = format!("<bind xmlns='{BIND}'><resource>{resource}</resource></bind>");
        let bound = session.say(&format!("<iq id='b' type='set'>{bind}</iq>")).await;
        assert!(bound.contains(&format!("/{resource}</jid>")), "{bound}");
        session
    }

    async fn authenticated(server: &Server) -> Self {
        let mut session = Self::begin(server).await;
        let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>";
        let auth = format!("{auth}{}</auth>", sasl::plain("juliet", "secret"));
        assert!(session.say(&auth).await.contains("<success "));
        let restart = "xmlns:x='urn:xmpp:xbosh' x:restart='true' to='localhost'";
        let features = session.send(restart, "").await.unwrap();
        assert!(features.contains(" xmlns:stream='http://etherx.jabber.org/streams'><stream:"));
        session
    }

    /// The next request, under way.
    fn send(&mut self, attributes: &str, payloads: &str) -> JoinHandle<String> {
        self.rid += 1;
        let (sid, rid) = (&self.sid, self.rid);
        self.again(&wrapper(&format!("sid='{sid}' rid='{rid}' {attributes}"), payloads))
    }

    fn again(&self, body: &str) -> JoinHandle<String> {
        let (http, body) = (self.http, body.to_owned());
        tokio::spawn(async move {
            let socket = TcpStream::connect(http).await.unwrap();
            send(socket, "POST /bosh HTTP/1.1\r\n", &body).await.1
        })
    }

    async fn say(&mut self, payloads: &str) -> String {
        self.send("", payloads).await.unwrap()
    }

    /// Asks again and again until this is said.
    async fn hear(&mut self, mut held: JoinHandle<String>, what: &str) {
        loop {
            let heard = held.await.unwrap();
            assert!(!heard.contains(" type='terminate'"), "{what} expected: {heard}");
            if heard.contains(what) {
                return;
            }
            held = self.send("", "");
        }
    }

    /// Whether it goes on.
    async fn lives(&mut self) -> bool {
        let ping = "<iq xmlns='jabber:client' id='p' type='get' to='localhost'>\
                    <ping xmlns='urn:xmpp:ping'/></iq>";
        self.say(ping).await.contains(" type='result'")
    }
}

async fn start(more: &str) -> Server {
    let server = Server::start(more).await;
    server.add("juliet@localhost", "secret").await;
    server
}

#[tokio::test]
async fn browsers_chat_over_bosh() {
    let server = start("").await;
    let mut juliet = Session::login(&server, "bosh").await;
    let mut other = Client::starttls(&server).await;
    other.login("tcp").await;
    let held = juliet.send("", "<presence/>");
    juliet.hear(held, "<presence xmlns='jabber:client' from='juliet@localhost/bosh' ").await;
    let held = juliet.send("", "");
    other.say("<message to='juliet@localhost/bosh'><body>hark &amp; 🎭</body></message>").await;
    juliet.hear(held, "<body>hark &amp; 🎭</body>").await;
    // While one request is held another one says something: the first is answered at once.
    let held = juliet.send("", "");
    let message = "<message xmlns='jabber:client' to='juliet@localhost/tcp'>\
                   <body>adieu</body></message>";
    let next = juliet.send("", message);
    assert!(!held.await.unwrap().contains("<message"));
    assert!(other.hear("</message>").await.contains("<body>adieu</body>"));
    other.say("<message to='juliet@localhost/bosh'><body>good night</body></message>").await;
    juliet.hear(next, "good night").await;
    let end = juliet.send("type='terminate'", "<presence type='unavailable'/>").await.unwrap();
    assert_eq!(end, "<body xmlns='http://jabber.org/protocol/httpbind' type='terminate'/>");
    assert!(juliet.say("").await.contains("condition='item-not-found'"));
    measured(&server, "waxwing_bosh_sessions 0").await;
}

#[tokio::test]
async fn a_session_that_can_be_resumed_outlives_that_of_bosh_and_the_server() {
    let server = start("").await;
    let mut juliet = Session::login(&server, "bosh").await;
    let enabled = juliet.say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>").await;
    let id = value(&enabled, "id").to_owned();
    // The first is answered because there is a second, which the server then holds: it says
    // something, for two that ask for nothing are too many (XEP-0124 §11).
    let (first, held) = (juliet.send("", ""), juliet.send("", "<a xmlns='urn:xmpp:sm:3' h='0'/>"));
    first.await.unwrap();
    server.signal("TERM").await;
    let end = held.await.unwrap();
    assert!(end.contains(" type='terminate'") && end.contains("<system-shutdown "), "{end}");
    let Server { folder, mut child, .. } = server;
    assert_eq!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().code(), Some(0));
    let server = Server::start_in(folder).await;
    let mut juliet = Session::authenticated(&server).await;
    let resume = format!("<resume xmlns='urn:xmpp:sm:3' h='0' previd='{id}'/>");
    let resumed = juliet.say(&resume).await;
    assert!(resumed.contains("<resumed "), "{resumed}");
    assert!(juliet.lives().await);
}

const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";

/// XEP-0198 §4. How long a client of BOSH may be away is agreed: one that is there must answer, one
/// that has said that it pauses (XEP-0124 §12) need not.
#[tokio::test]
async fn who_is_asked_answers_unless_it_pauses() {
    let server = start("[limits]\nunanswered_seconds_max = 10\n").await;
    let mut pauses = Session::login(&server, "pauses").await;
    let mut holds = Session::login(&server, "holds").await;
    for session in [&mut pauses, &mut holds] {
        assert!(session.say(ENABLE).await.contains("<enabled "));
    }
    pauses.send("pause='60'", "").await.unwrap();
    let mut other = Client::starttls(&server).await;
    other.login("tcp").await;
    let held = holds.send("", "");
    for to in ["pauses", "holds"] {
        other
            .say(&format!("<message to='juliet@localhost/{to}'><body>hark</body></message>"))
            .await;
    }
    holds.hear(held, "<r xmlns='urn:xmpp:sm:3'/>").await;
    let end = holds.send("", "").await.unwrap();
    assert!(end.contains("<connection-timeout "), "{end}");
    // It has been asked before that one, and hears of it now.
    let held = pauses.send("", "");
    pauses.hear(held, "<r xmlns='urn:xmpp:sm:3'/>").await;
    assert!(pauses.lives().await);
}

#[tokio::test]
async fn however_much_came_between_two_requests_the_next_one_takes_it() {
    let server = start("").await;
    let mut juliet = Session::login(&server, "bosh").await;
    let mut other = Client::starttls(&server).await;
    other.login("tcp").await;
    let body = "x".repeat(40_000);
    for (id, to) in [("one", "bosh"), ("two", "bosh"), ("here", "tcp")] {
        let message = format!("<message to='juliet@localhost/{to}' id='{id}'>");
        other.say(&format!("{message}<body>{body}</body></message>")).await;
    }
    other.hear("id='here'").await;
    let next = juliet.send("", "");
    juliet.hear(next, "id='two'").await;
    assert!(juliet.lives().await);
}

#[tokio::test]
async fn pages_of_any_origin_may_ask_but_not_with_what_a_browser_knows_at_53() {
    let server = start("").await;
    let http = async || TcpStream::connect(server.address("http ")).await.unwrap();
    let origin = "Origin: https://chat.example\r\n";
    let (head, _) = send(http().await, &format!("OPTIONS /bosh HTTP/1.1\r\n{origin}"), "").await;
    for line in [
        "http/1.1 204 ",
        "access-control-allow-origin: *\r\n",
        "access-control-allow-methods: post\r\n",
        "access-control-allow-headers: content-type\r\n",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    let (head, body) = send(http().await, "GET /bosh HTTP/1.1\r\n", "").await;
    assert!(head.starts_with("http/1.1 200 ") && body.contains("XEP-0124"), "{head}{body}");
    let asked = wrapper("rid='1' to='localhost' content='text/html'", "");
    let (head, _) = send(http().await, &format!("POST /bosh HTTP/1.1\r\n{origin}"), &asked).await;
    for line in [
        "http/1.1 200 ",
        "access-control-allow-origin: *\r\n",
        "content-type: text/html\r\n",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert!(!head.contains("allow-credentials"), "{head}");
    let lent = format!("POST /bosh HTTP/1.1\r\n{origin}Cookie: a=b\r\n");
    let (head, _) = send(http().await, &lent, &asked).await;
    assert!(head.starts_with("http/1.1 403 "), "{head}");
}

#[tokio::test]
async fn only_pages_that_were_named_may_ask() {
    let server = start("[http]\norigins = [\"https://chat.example\"]\n").await;
    let ask = async |origin: &str| {
        let socket = TcpStream::connect(server.address("http ")).await.unwrap();
        let head = format!("POST /bosh HTTP/1.1\r\n{origin}");
        send(socket, &head, &wrapper("rid='1' to='localhost'", "")).await.0
    };
    let named = ask("Origin: https://chat.example\r\n").await;
    assert!(named.starts_with("http/1.1 200 "), "{named}");
    assert!(named.contains("access-control-allow-origin: https://chat.example\r\n"), "{named}");
    let other = ask("Origin: https://evil.example\r\n").await;
    assert!(other.starts_with("http/1.1 403 ") && !other.contains("access-control"), "{other}");
    assert!(ask("").await.starts_with("http/1.1 200 "), "who is no page says no origin");
}

#[tokio::test]
async fn what_is_restricted_in_a_stream_is_restricted_here_at_02() {
    let server = start("").await;
    let hostile = [
        "<!DOCTYPE body [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>",
        "<!DOCTYPE body SYSTEM 'file:///etc/passwd'>",
        "<?xml-stylesheet href='http://127.0.0.1:9/'?>",
        "<!-- a comment -->",
    ];
    for prolog in hostile {
        let (_, body) = post(&server, &(prolog.to_owned() + &wrapper("rid='1'", ""))).await;
        assert!(body.contains("condition='bad-request'"), "{prolog}: {body}");
    }
    for payload in ["<!-- -->", "<?pi?>", "<![CDATA[x]]>", "&foo;", "text", "<a>", "<a/></body>"] {
        for logged_in in [false, true] {
            let mut session = match logged_in {
                true => Session::login(&server, "hostile").await,
                false => Session::begin(&server).await,
            };
            let said = session.say(payload).await;
            assert!(said.contains("condition='bad-request'"), "{payload}: {said}");
            let after = session.say("").await;
            assert!(after.contains("condition='item-not-found'"), "{payload}: {after}");
        }
    }
}

#[tokio::test]
async fn a_body_is_no_bigger_than_a_stanza_may_be_at_54() {
    let server = start("").await;
    let message = |bytes: usize| {
        let body = "x".repeat(bytes);
        format!("<message xmlns='jabber:client' to='localhost'><body>{body}</body></message>")
    };
    let (_, body) = post(&server, &wrapper("rid='1'", &message(10 << 20))).await;
    assert!(body.is_empty() || body.contains("condition='policy-violation'"), "{body}");
    let mut session = Session::begin(&server).await;
    let said = session.say(&message(9_000)).await;
    assert!(said.contains("condition='policy-violation'"), "before login: {said}");
    let mut session = Session::login(&server, "big").await;
    let said = session.say(&message(200_000)).await;
    assert!(said.contains("<service-unavailable"), "{said}");
    session.say(&message(300_000)).await;
    assert!(session.say("").await.contains("condition='item-not-found'"));
}

#[tokio::test]
async fn sessions_are_counted_at_54() {
    let server = start("[limits]\nbosh_sessions_per_address_max = 20\n").await;
    let mut sessions = Vec::new();
    for _ in 0..20 {
        sessions.push(Session::begin(&server).await);
    }
    let asked = wrapper("rid='1' to='localhost' ver='1.6'", "");
    let (head, body) = post(&server, &asked).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(body.contains("condition='policy-violation'"), "{body}");
    let metrics = server.get("/metrics").await;
    assert!(metrics.contains("waxwing_bosh_sessions 20"), "{metrics}");
    assert!(metrics.contains("{why=\"bosh_sessions_per_address_max\"} 1"), "{metrics}");
    let end = sessions[0].send("type='terminate'", "").await.unwrap();
    assert!(end.contains("type='terminate'"), "{end}");
    // Its place is free when its task is gone, which is a moment later.
    while !post(&server, &asked).await.1.contains(" sid='") {}
}

#[tokio::test]
async fn a_sid_is_guessed_by_nobody_and_bound_to_no_address_at_54() {
    let server = start("").await;
    let mut session = Session::login(&server, "roaming").await;
    for sid in ["0".repeat(40), session.sid.clone() + "0", session.sid[1..].to_owned()] {
        let mut wrong = Session { sid, ..session };
        assert!(wrong.say("").await.contains("condition='item-not-found'"));
    }
    assert!(session.lives().await, "whoever guessed wrong did it no harm");
    // A phone that leaves its network keeps its session: what counts is who knows the name.
    session.rid += 1;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let socket = socket.connect(session.http).await.unwrap();
    let ping = "<iq id='q' type='get' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>";
    let body = wrapper(&format!("sid='{}' rid='{}'", session.sid, session.rid), ping);
    let (_, answer) = send(socket, "POST /bosh HTTP/1.1\r\n", &body).await;
    assert!(answer.contains(" type='result'"), "{answer}");
}

#[tokio::test]
async fn a_request_that_is_repeated_is_answered_as_before_and_heard_once_at_54() {
    let server = start("").await;
    let mut session = Session::login(&server, "twice").await;
    let ping = "<iq id='once' type='get' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>";
    session.rid += 1;
    let body = wrapper(&format!("sid='{}' rid='{}'", session.sid, session.rid), ping);
    let first = session.again(&body).await.unwrap();
    assert!(first.contains("id='once'"), "{first}");
    assert_eq!(session.again(&body).await.unwrap(), first);
    assert!(session.lives().await);
}

#[tokio::test]
async fn requests_out_of_order_are_heard_in_order_at_54() {
    let server = start("").await;
    let mut session = Session::login(&server, "order").await;
    let ping = |id: u8| {
        format!("<iq id='n{id}' type='get' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
    };
    let rid = session.rid;
    session.rid = rid + 1;
    let second = session.send("", &ping(2));
    session.rid = rid;
    let first = session.send("", &ping(1)).await.unwrap();
    let mut all = first + &second.await.unwrap();
    session.rid = rid + 2;
    while !all.contains("id='n2'") {
        all += &session.say("").await;
    }
    assert!(all.find("id='n1'").unwrap() < all.find("id='n2'").unwrap(), "{all}");
    session.rid += 2;
    assert!(session.say("").await.contains("condition='item-not-found'"), "beyond the window");
}

#[tokio::test]
async fn what_began_under_tls_goes_on_under_tls_xep_0124_19_1() {
    let server = start(HTTPS).await;
    let secure = async |body: &str| {
        let socket = TcpStream::connect(server.address("https")).await.unwrap();
        let socket = handshake(&server, socket, &["http/1.1"]).await.unwrap();
        send(socket, "POST /bosh HTTP/1.1\r\n", body).await
    };
    let (_, begun) = secure(&wrapper("rid='1' to='localhost' ver='1.6'", "")).await;
    assert!(begun.contains("<mechanism>PLAIN</mechanism>"), "{begun}");
    assert!(!begun.contains("-PLUS"), "requests share no channel: {begun}");
    let next = wrapper(&format!("rid='2' sid='{}' type='terminate'", value(&begun, "sid")), "");
    let (head, _) = post(&server, &next).await;
    assert!(head.starts_with("http/1.1 403 "), "{head}");
    let (_, end) = secure(&next).await;
    assert!(end.contains("type='terminate'") && !end.contains("condition"), "{end}");
}

#[tokio::test]
async fn a_server_that_stops_tells_who_waits() {
    let server = start("").await;
    let mut session = Session::login(&server, "last").await;
    let mut other = Client::starttls(&server).await;
    other.login("tcp").await;
    let held = session.send("", "<message to='juliet@localhost/tcp' id='held'/>");
    other.hear("id='held'").await;
    server.signal("TERM").await;
    let said = held.await.unwrap();
    assert!(said.contains("condition='remote-stream-error'"), "{said}");
    assert!(said.contains("<system-shutdown "), "{said}");
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn a_stream_error_is_told_and_the_session_is_over() {
    let server = start("").await;
    let mut session = Session::begin(&server).await;
    let said = session.say("<message><body>too early</body></message>").await;
    assert!(said.contains(" type='terminate' condition='remote-stream-error'><stream:error"));
    assert!(said.contains("<not-authorized "), "{said}");
    assert!(session.say("").await.contains("condition='item-not-found'"));
}
