//! `waxwing backup` while clients talk, and `waxwing restore`.

use crate::{
    client::Client,
    server::{Server, fails, folder, run},
};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Output};
use store::private_postgres::PrivatePostgres;

const PEOPLE: [&str; 2] = ["juliet@localhost", "romeo@localhost"];

fn told(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A server, and Juliet, who has said this much to Romeo.
async fn start(more: &str, count: usize) -> (Server, impl AsyncFnMut(usize)) {
    let server = Server::start(more).await;
    for jid in PEOPLE {
        server.add(jid, "secret").await;
    }
    let mut juliet = Client::starttls(&server).await;
    juliet.login("balcony").await;
    juliet.say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>").await;
    juliet.hear("/>").await;
    let mut said = 0;
    let mut speak = async move |until: usize| {
        while said < until {
            said += 1;
            let head = format!("<message to='romeo@localhost' type='chat' id='{said}'>");
            let message = format!("{head}<body>{said}</body></message>");
            juliet.say(&format!("{message}<r xmlns='urn:xmpp:sm:3'/>")).await;
            while !juliet.hear("/>").await.contains(&format!(" h='{said}'")) {}
        }
    };
    speak(count).await;
    (server, speak)
}

/// The bodies in each log, in order.
async fn bodies(file: &Path) -> Vec<Vec<usize>> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut look = SqliteConnection::connect_with(&options).await.unwrap();
    let mut all = Vec::new();
    for jid in PEOPLE {
        let query = "SELECT stanza FROM entry JOIN log ON log.id = entry.log
                     WHERE jid = $1 ORDER BY pos";
        let query = sqlx::query_scalar(query).bind(jid);
        let stanzas: Vec<Vec<u8>> = query.fetch_all(&mut look).await.unwrap();
        let body = |stanza: &Vec<u8>| {
            let text = String::from_utf8_lossy(stanza).into_owned();
            let (_, rest) = text.split_once("<body>").unwrap();
            rest.split('<').next().unwrap().parse().unwrap()
        };
        all.push(stanzas.iter().map(body).collect());
    }
    all
}

#[tokio::test]
async fn a_backup_while_clients_talk_is_all_that_was_acknowledged_before_and_nothing_half() {
    let (server, mut speak) = start("", 100).await;
    let here = server.folder.path();
    let (output, ()) = tokio::join!(run(here, &["backup", "copy.db"], ""), speak(300));
    let said = told(&output);
    assert!(said.starts_with("copy.db has been written and verified: schema "), "{said}");
    assert!(said.contains(" 2 accounts, "), "{said}");
    let copy = here.join("copy.db");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o077, 0, "it holds keys");
    let logs = bodies(&copy).await;
    assert_eq!(logs[0], logs[1], "both halves of each message");
    assert!(logs[0].iter().copied().eq(1..=logs[0].len()), "a prefix: {:?}", logs[0]);
    assert!(logs[0].len() >= 100, "{}", logs[0].len());
    assert!(fails(here, &["backup", "copy.db"], "").await.contains("copy.db exists"));

    let other = folder("");
    let (there, from) = (other.path(), copy.to_str().unwrap());
    // Whoever may read the copy: what is made of it is its owner's.
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o444)).unwrap();
    let said = told(&run(there, &["restore", from], "").await);
    assert!(said.contains("has been restored and verified: "), "{said}");
    let database = there.join("data/waxwing.db");
    assert_eq!(fs::metadata(&database).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(bodies(&database).await, logs);
    let restored = Server::start_in(other).await;
    let mut juliet = Client::starttls(&restored).await;
    juliet.login("balcony").await;
}

#[tokio::test]
async fn what_is_there_is_not_overwritten_without_force_nor_under_a_server() {
    let (server, mut speak) = start("", 3).await;
    let here = server.folder.path().to_owned();
    told(&run(&here, &["backup", "copy.db"], "").await);
    speak(5).await;
    let said = fails(&here, &["restore", "copy.db", "--force"], "").await;
    assert!(said.contains("stop it first"), "{said}");
    server.signal("KILL").await;
    let Server { folder, mut child, .. } = server;
    child.wait().await.unwrap();
    let said = fails(&here, &["restore", "copy.db"], "").await;
    assert!(said.contains("--force overwrites it"), "{said}");
    assert_eq!(bodies(&here.join("data/waxwing.db")).await[0], [1, 2, 3, 4, 5]);
    let said = told(&run(&here, &["restore", "copy.db", "--force"], "").await);
    assert!(said.contains(" 0 sessions, epoch "), "{said}");
    let epoch = |said: &str| said.split(" epoch ").nth(1).unwrap().lines().next().unwrap().parse();
    let epoch: u64 = epoch(&said).unwrap();
    assert!(epoch > 1, "above that of who wrote to either: {said}");
    assert_eq!(bodies(&here.join("data/waxwing.db")).await[0], [1, 2, 3]);
    let server = Server::start_in(folder).await;
    Client::starttls(&server).await.login("balcony").await;
}

#[tokio::test]
async fn a_copy_that_is_damaged_or_something_else_is_refused_and_nothing_is_touched() {
    let (server, _speak) = start("", 200).await;
    let here = server.folder.path().to_owned();
    told(&run(&here, &["backup", "copy.db"], "").await);
    let whole = fs::read(here.join("copy.db")).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 4096].fill(0x55);
    let other = folder("");
    for (name, bytes) in
        [("damaged", &damaged[..]), ("cut", &whole[..middle]), ("text", b"no db"), ("empty", b"")]
    {
        let file = other.path().join(name);
        fs::write(&file, bytes).unwrap();
        fails(other.path(), &["restore", name], "").await;
    }
    fails(other.path(), &["restore", "none"], "").await;
    assert!(!other.path().join("data/waxwing.db").exists());
}

#[tokio::test]
async fn postgresql_is_copied_and_restored_by_its_own_tools() {
    let postgres = PrivatePostgres::start(false).unwrap();
    let store = |url: &str| format!("[store]\nurl = \"{url}\"\nrelaxed = \"yes\"\n");
    let url = postgres.database("waxwing", None).unwrap();
    let more = store(&url);
    let (server, mut speak) = start(&more, 5).await;
    let here = server.folder.path();
    let (output, ()) = tokio::join!(run(here, &["backup", "copy"], ""), speak(50));
    let said = told(&output);
    assert!(said.contains(" 2 accounts, "), "{said}");
    let other = folder(&store(&postgres.database("other", None).unwrap()));
    let from = here.join("copy");
    let restore = ["restore", from.to_str().unwrap()];
    let said = told(&run(other.path(), &restore, "").await);
    assert!(said.contains(" 2 accounts, "), "{said}");
    let said = fails(other.path(), &restore, "").await;
    assert!(said.contains("--force overwrites it"), "{said}");
    told(&run(other.path(), &[restore[0], restore[1], "--force"], "").await);
    fs::write(other.path().join("text"), "no dump").unwrap();
    let said = fails(other.path(), &["restore", "text", "--force"], "").await;
    assert!(said.contains("pg_restore --list text"), "{said}");
    // Its list of contents is whole, what follows is not.
    let whole = fs::read(&from).unwrap();
    fs::write(other.path().join("cut"), &whole[..whole.len() - 100]).unwrap();
    for _ in 0..2 {
        let said = fails(other.path(), &["restore", "cut", "--force"], "").await;
        assert!(said.contains("--single-transaction") && said.contains("end of file"), "{said}");
    }
    let restored = Server::start_in(other).await;
    let mut juliet = Client::starttls(&restored).await;
    juliet.login("balcony").await;
}

#[tokio::test]
async fn what_a_relaxed_server_has_committed_is_on_disk_when_it_has_stopped() {
    let (server, _speak) = start("[store]\nrelaxed = \"yes\"\n", 20).await;
    server.signal("TERM").await;
    let Server { folder, mut child, .. } = server;
    assert!(child.wait().await.unwrap().success());
    let data = folder.path().join("data");
    // The journal is synced when it is moved into the file.
    let left = fs::metadata(data.join("waxwing.db-wal")).map_or(0, |journal| journal.len());
    assert_eq!(left, 0);
    let said: Vec<_> = (1..=20).collect();
    assert_eq!(bodies(&data.join("waxwing.db")).await, [said.clone(), said]);
}
