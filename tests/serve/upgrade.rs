//! An account that was imported with keys of one hash gains the others from its owner's client
//! (XEP-0480).

use crate::{
    client::{Client, HEADER},
    server::Server,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use conformance::sasl::{Scram, Seen};
use engine::stream::sasl::Hash;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::path::Path;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

const SASL2: &str = "xmlns='urn:xmpp:sasl:2'";
const HASHES: [(&str, Hash); 2] = [("SHA-512", Hash::Sha512), ("SHA-256", Hash::Sha256)];

/// As an import from a server leaves it that has known SCRAM-SHA-1 only.
async fn forget_other_hashes(folder: &Path) {
    let connect = SqliteConnectOptions::new().filename(folder.join("data/waxwing.db"));
    let mut database = SqliteConnection::connect_with(&connect).await.unwrap();
    let cut = "DELETE FROM credential WHERE mechanism <> 'SCRAM-SHA-1'";
    assert_eq!(sqlx::query(cut).execute(&mut database).await.unwrap().rows_affected(), 2);
    database.close().await.unwrap();
}

/// What stands behind the first of these, up to the second.
fn between<'a>(said: &'a str, before: &str, behind: &str) -> &'a str {
    let (_, rest) = said.split_once(before).unwrap_or_else(|| panic!("no {before} in {said}"));
    rest.split_once(behind).unwrap_or_else(|| panic!("no {behind} in {rest}")).0
}

/// A login by SCRAM and SASL2 on a connection of its own, up to the server's word about the proof.
async fn logs_in(
    server: &Server,
    mechanism: &str,
    wishes: &str,
) -> (Client<TlsStream<TcpStream>>, Scram, String) {
    let mut client = Client::starttls(server).await;
    client.say(HEADER).await;
    let features = client.hear("</stream:features>").await;
    let offered = between(&features, "<mechanisms", "</mechanisms>").split("<mechanism>").skip(1);
    let offered = offered.map(|name| name.split_once('<').unwrap().0.to_owned());
    let types = features.split("<channel-binding type='").skip(1);
    let types = types.map(|name| name.split_once('\'').unwrap().0.to_owned());
    let seen = Seen { channel: None, mechanisms: offered.collect(), types: types.collect() };
    let (mut scram, first) = Scram::start(mechanism, "juliet", "secret", &seen).unwrap();
    let begin = format!("<authenticate {SASL2} mechanism='{mechanism}'>");
    let first = format!("<initial-response>{first}</initial-response>");
    client.say(&format!("{begin}{first}{wishes}</authenticate>")).await;
    let said = client.hear("</challenge>").await;
    let last = scram.answer(between(&said, "'urn:xmpp:sasl:2'>", "</challenge>")).unwrap();
    client.say(&format!("<response {SASL2}>{last}</response>")).await;
    let said = client.hear(">").await;
    (client, scram, said)
}

#[tokio::test]
async fn an_account_that_came_with_one_hash_gains_the_others_xep_0480_4() {
    let server = Server::start("").await;
    server.add("juliet@localhost", "secret").await;
    server.signal("TERM").await;
    let Server { folder, mut child, .. } = server;
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    forget_other_hashes(folder.path()).await;
    let server = Server::start_in(folder).await;
    for (name, _) in HASHES {
        let (.., said) = logs_in(&server, &format!("SCRAM-{name}"), "").await;
        assert_eq!(said, format!("<failure {SASL2}>"), "there are no keys for it");
    }
    let upgrade = |name| format!("<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>{name}</upgrade>");
    let upgrades = HASHES.map(|(name, _)| upgrade(format!("UPGR-SCRAM-{name}"))).concat();
    let wishes = format!("{upgrades}<bind xmlns='urn:xmpp:bind:0'/>");
    let (mut client, scram, mut said) = logs_in(&server, "SCRAM-SHA-1", &wishes).await;
    for (number, (name, hash)) in HASHES.into_iter().enumerate() {
        if number > 0 {
            said = client.hear(">").await;
        }
        assert_eq!(said, format!("<continue {SASL2}>"));
        let said = client.hear("</continue>").await;
        if number == 0 {
            assert!(scram.is_proven(between(&said, "<additional-data>", "</additional-data>")));
        }
        assert_eq!(between(&said, "<task>", "</task>"), format!("UPGR-SCRAM-{name}"));
        client.say(&format!("<next {SASL2} task='UPGR-SCRAM-{name}'/>")).await;
        let said = client.hear("</task-data>").await;
        let iterations = between(&said, "iterations='", "'").parse().unwrap();
        let salt = between(&said, "iterations='", "</salt>").split_once('>').unwrap().1;
        let salt = BASE64_STANDARD.decode(salt).unwrap();
        let salted = BASE64_STANDARD.encode(hash.stretch(b"secret", &salt, iterations));
        let hash = format!("<hash xmlns='urn:xmpp:scram-upgrade:0'>{salted}</hash>");
        client.say(&format!("<task-data {SASL2}>{hash}</task-data>")).await;
    }
    let said = client.hear("</success>").await;
    assert!(said.contains("<authorization-identifier>juliet@localhost/"), "{said}");
    for (name, _) in HASHES {
        let (mut client, scram, said) = logs_in(&server, &format!("SCRAM-{name}"), &wishes).await;
        assert_eq!(said, format!("<success {SASL2}>"), "nothing is left to do");
        let said = client.hear("</success>").await;
        assert!(scram.is_proven(between(&said, "<additional-data>", "</additional-data>")));
    }
}
