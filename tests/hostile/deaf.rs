//! AT-60: clients that do not read, while others write to them. Each may make the server hold so
//! much and no more; then its stream ends, its session waits, and the log has the rest.

use crate::{
    client::{Client, handshake},
    server::{PATIENCE, Server},
    watch::{Echo, GROWTH_KIB_MAX, is_calm, memory, until},
};
use std::{collections::BTreeSet, time::Instant};
use tokio::net::TcpSocket;
use tokio_rustls::client::TlsStream;

type Tls = Client<TlsStream<tokio::net::TcpStream>>;

/// `mailbox_bytes_max`: what one of them may make wait.
const MAILBOX_KIB: u64 = 1_280;
/// Of one that is deaf, and of its system.
const BUFFER_BYTES: u32 = 4096;
const BODY_BYTES: usize = 40_000;
/// Who write at once: together less than may be under way to one account.
const AT_ONCE: usize = 100;
/// How often two hundred write before it is counted: more than the store has room for at hand.
const WARM_ROUNDS: usize = 3;
/// Sessions of one account.
const DEVICES: usize = 50;

/// What may wait for all together before each may make no more wait than that.
pub async fn start(accounts: usize, together_bytes: usize) -> (Server, Echo) {
    let server = Server::start(&format!(
        "[limits]\nmailbox_bytes_max = {}\nmailboxes_bytes_max = {together_bytes}\n\
         close_seconds_max = 1\nsessions_max = 1000\nbytes_per_second_max = 0\n",
        MAILBOX_KIB << 10
    ))
    .await;
    for who in ["juliet", "nurse"] {
        server.add(&format!("{who}@localhost"), "secret").await;
    }
    for number in 0..accounts {
        server.add(&format!("deaf{number}@localhost"), "secret").await;
    }
    let mut echo = Echo::start(&server).await;
    echo.sounds().await;
    (server, echo)
}

pub async fn connect(server: &Server) -> Tls {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(BUFFER_BYTES).unwrap();
    let socket = socket.connect(server.direct()).await.unwrap();
    Client::over(handshake(server, socket, &[]).await.unwrap())
}

/// It has logged in, and reads no more.
pub struct Deaf {
    pub who: String,
    pub id: String,
    /// It is there, and takes nothing.
    pub client: Tls,
}

impl Deaf {
    pub async fn come(server: &Server, who: &str, resource: usize) -> Self {
        let mut client = connect(server).await;
        client.login_as(who, &resource.to_string()).await;
        client.say("<presence/><enable xmlns='urn:xmpp:sm:3' resume='true'/>").await;
        client.hear("<enabled ").await;
        let enabled = client.hear("/>").await;
        let (_, id) = enabled.split_once("id='").unwrap();
        let id = id.split('\'').next().unwrap().to_owned();
        Self { who: who.to_owned(), id, client }
    }

    /// It comes back, reads, and has been told each of these once.
    async fn hears_all(self, server: &Server, wanted: usize) {
        drop(self.client);
        let mut client = connect(server).await;
        client.authenticate(&self.who).await;
        client.say(&format!("<resume xmlns='urn:xmpp:sm:3' h='0' previd='{}'/>", self.id)).await;
        client.hear("<resumed ").await;
        let (mut h, mut ids) = (0, BTreeSet::new());
        while ids.len() < wanted {
            let heard = client.hear("</message>").await;
            h += ["<message ", "<presence ", "<iq "]
                .map(|one| heard.matches(one).count())
                .iter()
                .sum::<usize>();
            let (_, id) = heard.rsplit_once("<message ").unwrap();
            let (_, id) = id.split_once(" id='").unwrap();
            let id = id.split('\'').next().unwrap().to_owned();
            assert!(ids.insert(id.clone()), "{id} once more");
            client.say(&format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>")).await;
        }
    }
}

fn message(to: &str, id: &str) -> String {
    let body = "x".repeat(BODY_BYTES);
    format!("<message to='{to}@localhost' type='chat' id='{id}'><body>{body}</body></message>")
}

/// Answered behind the commit of what the same session has said before.
const ASK: &str =
    "<iq id='p' type='get'><query xmlns='jabber:iq:private'><n xmlns='n'/></query></iq>";

/// Its stream has ended, and so have those of all like it.
async fn ended(server: &Server, left: usize) {
    let gone = format!("waxwing_active_connections {left}");
    until(&gone, async || server.get("/metrics").await.lines().any(|line| line == gone)).await;
}

/// All of them write, so often.
async fn write(many: &mut [Tls], to: &str, round: usize) {
    for (wave, some) in many.chunks_mut(AT_ONCE).enumerate() {
        for (number, writer) in some.iter_mut().enumerate() {
            writer.say(&(message(to, &format!("{round}-{wave}-{number}")) + ASK)).await;
        }
        for writer in some {
            writer.hear("type='result'").await;
        }
    }
}

async fn many_write_to_one(writers: usize, rounds: usize) {
    let (server, mut echo) = start(1, 0).await;
    let mut many = Vec::new();
    for _ in 0..writers {
        let mut writer = Client::starttls(&server).await;
        writer.login_as("juliet", &format!("w{}", many.len())).await;
        many.push(writer);
    }
    let deaf = Deaf::come(&server, "deaf0", 0).await;
    // What it costs that so many write at all, and what the store keeps at hand of any writing.
    for round in 0..WARM_ROUNDS {
        write(&mut many, "nurse", round).await;
    }
    echo.sounds().await;
    let before = memory(&server, "VmRSS");
    // What is under way at once, and what the allocator keeps of that: less than half of what
    // waits in the end.
    let most = before + 3 * GROWTH_KIB_MAX;
    for round in 0..rounds {
        write(&mut many, "deaf0", round).await;
        echo.sounds().await;
        // What nobody reads is more by far.
        let now = memory(&server, "VmRSS");
        assert!(now < most, "round {round}: from {before} KiB to {now} KiB");
    }
    ended(&server, writers + 1).await;
    deaf.hears_all(&server, writers * rounds).await;
    is_calm(&server);
}

async fn one_writes_to_many(accounts: usize, messages: usize) {
    let (server, mut echo) = start(accounts, 0).await;
    let mut writer = Client::starttls(&server).await;
    writer.login("writer").await;
    let mut many = Vec::new();
    for number in 0..accounts * DEVICES {
        let who = format!("deaf{}", number / DEVICES);
        many.push(Deaf::come(&server, &who, number % DEVICES).await);
    }
    write(std::slice::from_mut(&mut writer), "nurse", 0).await;
    echo.sounds().await;
    let before = memory(&server, "VmRSS");
    let most = before + GROWTH_KIB_MAX + many.len() as u64 * MAILBOX_KIB;
    for number in 0..messages {
        for account in 0..accounts {
            writer.say(&message(&format!("deaf{account}"), &number.to_string())).await;
        }
        writer.say(ASK).await;
        writer.hear("type='result'").await;
        let begun = Instant::now();
        echo.sounds().await;
        assert!(begun.elapsed() < PATIENCE / 10, "others wait: {:?}", begun.elapsed());
        let now = memory(&server, "VmRSS");
        assert!(now < most, "message {number}: from {before} KiB to {now} KiB");
    }
    ended(&server, 2).await;
    // One of each account.
    for deaf in many.into_iter().step_by(DEVICES) {
        deaf.hears_all(&server, messages).await;
    }
    is_calm(&server);
}

/// How many; `AT_60=1000` for as many as the catalogue has.
fn crowd(here: usize) -> usize {
    std::env::var("AT_60").ok().and_then(|number| number.parse().ok()).unwrap_or(here)
}

#[tokio::test]
async fn at_60_hundreds_who_write_to_one_who_does_not_read_cost_what_one_may() {
    many_write_to_one(crowd(200), 16).await;
}

#[tokio::test]
async fn at_60_hundreds_who_do_not_read_cost_what_each_may_and_nobody_waits() {
    one_writes_to_many(crowd(100).div_ceil(DEVICES), 50).await;
}
