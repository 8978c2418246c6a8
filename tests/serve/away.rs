//! The store does not answer: what must be durable waits, and nothing else does.

use crate::{client::Client, server::Server};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{fs, path::Path, process::Command};
use store::private_postgres::PrivatePostgres;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

const TYPING: &str = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";

/// The processes of a PostgreSQL, which stand still until this is dropped.
struct Stopped(Vec<String>);

impl Stopped {
    fn all(postgres: &PrivatePostgres) -> Self {
        let data = postgres.folder().join("data");
        let is_one = |process: &Path| fs::read_link(process.join("cwd")).is_ok_and(|at| at == data);
        let all = fs::read_dir("/proc").unwrap().flatten().map(|process| process.path());
        let name = |process: &Path| process.file_name().unwrap().to_str().unwrap().to_owned();
        let pids = all.filter(|one| is_one(one)).map(|one| name(&one));
        // Those that clean up come and go.
        let pids: Vec<_> = pids.filter(|pid| signal("-STOP", pid)).collect();
        assert!(pids.len() > 3, "{pids:?}");
        Self(pids)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.iter().for_each(|pid| assert!(signal("-CONT", pid)));
    }
}

/// Whether there is such a process.
fn signal(name: &str, pid: &str) -> bool {
    Command::new("kill").args([name, pid]).status().unwrap().success()
}

struct Person(Client<TlsStream<TcpStream>>);

impl Person {
    async fn come(server: &Server, name: &str) -> Self {
        server.add(&format!("{name}@localhost"), "secret").await;
        let mut client = Client::starttls(server).await;
        client.login_as(name, "r").await;
        client.say("<presence/>").await;
        client.hear("<presence ").await;
        // Nothing overtakes what was kept for it: it hears itself when that has been read.
        let itself = format!("<message to='{name}@localhost/r' type='chat'>{TYPING}</message>");
        client.say(&itself).await;
        client.hear("<composing ").await;
        Self(client)
    }

    /// Hears everything that was told before this is answered.
    async fn asks_the_server(&mut self) -> String {
        self.0.say(&format!("<iq type='get' id='asked' to='localhost'>{PING}</iq>")).await;
        self.0.hear("id='asked'").await
    }
}

/// Two talk about what is archived, two do not: the store goes away, and comes back.
async fn all_goes_on<T>(server: Server, away: impl AsyncFnOnce() -> T) {
    let mut juliet = Person::come(&server, "juliet").await;
    let mut romeo = Person::come(&server, "romeo").await;
    let mut nurse = Person::come(&server, "nurse").await;
    let mut peter = Person::come(&server, "peter").await;
    let away = away().await;
    let body = "<body>hark</body>";
    juliet.0.say(&format!("<message to='romeo@localhost/r' type='chat'>{body}</message>")).await;

    // Others, and she herself, as long as it is not between these two.
    for (person, name) in [(&mut nurse, "peter"), (&mut juliet, "peter")] {
        person.asks_the_server().await;
        let to = format!("to='{name}@localhost/r'");
        person.0.say(&format!("<message {to} type='chat'>{TYPING}</message>")).await;
        peter.0.hear("<composing ").await;
        person.0.say(&format!("<presence {to}><status>here</status></presence>")).await;
        peter.0.hear("<status>here</status>").await;
        person.0.say(&format!("<iq {to} type='get' id='q'>{PING}</iq>")).await;
        let asked = peter.0.hear("<ping ").await;
        let from = asked.split("from='").last().unwrap().split('\'').next().unwrap();
        peter.0.say(&format!("<iq to='{from}' type='result' id='q'/>")).await;
        person.0.hear("id='q'").await;
    }
    assert!(!romeo.asks_the_server().await.contains("hark"), "it is not durable");

    drop(away);
    romeo.0.hear(body).await;
}

#[tokio::test]
async fn a_file_that_is_locked_holds_nothing_that_is_not_archived() {
    let server = Server::start("").await;
    let file = server.folder.path().join("data/waxwing.db");
    let lock = async || {
        let options = SqliteConnectOptions::new().filename(file);
        let mut other = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        other
    };
    all_goes_on(server, lock).await;
}

#[tokio::test]
async fn a_postgresql_that_stands_still_holds_nothing_that_is_not_archived() {
    let postgres = PrivatePostgres::start(true).unwrap();
    let url = postgres.database("waxwing", None).unwrap();
    let server = Server::start(&format!("[store]\nurl = \"{url}\"\n")).await;
    all_goes_on(server, async || Stopped::all(&postgres)).await;
}
