//! Accounts that are removed and made anew: what rooms know of them.

use crate::{
    client::Client,
    server::{Server, folder, run},
};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

type Person = Client<TlsStream<TcpStream>>;

const GARDEN: &str = "garden@conference.localhost";
const HALL: &str = "hall@conference.localhost";

async fn comes(server: &Server, who: &str, password: &str) -> Person {
    let mut client = Client::starttls(server).await;
    client.authenticate_by(who, password).await;
    client.bind("here").await;
    client
}

/// Somebody comes into a room; what it is told up to its own presence, or that it may not.
async fn enters(person: &mut Person, room: &str, nick: &str) -> String {
    let x = "<x xmlns='http://jabber.org/protocol/muc'/>";
    person.say(&format!("<presence id='in' to='{room}/{nick}'>{x}</presence>")).await;
    let told = person.hear("</presence>").await;
    // Others who are there are shown first.
    match told.contains("code='110'") || told.contains("type='error'") {
        true => told,
        false => told + &person.hear("code='110'").await + &person.hear("</presence>").await,
    }
}

async fn asks(person: &mut Person, room: &str, query: &str) -> String {
    person.say(&format!("<iq type='set' to='{room}' id='q'>{query}</iq>")).await;
    person.hear("<iq ").await;
    let told = person.hear(">").await;
    // A result is empty.
    if told.ends_with("/>") { told } else { told + &person.hear("</iq>").await }
}

/// As its owner would.
async fn configures(person: &mut Person, room: &str) -> String {
    let form = "<x xmlns='jabber:x:data' type='submit'/>";
    let query = format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query>");
    asks(person, room, &query).await
}

/// Bob makes the room, and bans Tybalt.
async fn makes(bob: &mut Person, room: &str) {
    assert!(enters(bob, room, "bob").await.contains("affiliation='owner'"));
    assert!(configures(bob, room).await.contains("'result'"));
    let ban = "<query xmlns='http://jabber.org/protocol/muc#admin'>\
        <item jid='tybalt@localhost' affiliation='outcast'/></query>";
    assert!(asks(bob, room, ban).await.contains("'result'"));
}

/// The account is removed and made anew.
async fn is_another(folder: &std::path::Path, jid: &str, password: &str) {
    assert!(run(folder, &["user", "delete", jid], "").await.status.success());
    let add = ["user", "add", jid, "--password-stdin"];
    assert!(run(folder, &add, &format!("{password}\n")).await.status.success());
}

/// Whoever has these names now owns nothing, and is banned where one of that name was.
async fn have_inherited_nothing(server: &Server, rooms: &[&str]) {
    let mut bob = comes(server, "bob", "other").await;
    let mut tybalt = comes(server, "tybalt", "other").await;
    for room in rooms {
        let told = enters(&mut bob, room, "bob").await;
        assert!(told.contains("affiliation='none'"), "{room}: {told}");
        assert!(!told.contains("affiliation='owner'"), "{room}: {told}");
        let told = configures(&mut bob, room).await;
        assert!(told.contains("<forbidden "), "{room}: {told}");
        let told = enters(&mut tybalt, room, "tybalt").await;
        assert!(told.contains("<forbidden "), "{room}: {told}");
        bob.say(&format!("<presence type='unavailable' to='{room}/bob'/>")).await;
        bob.hear("code='110'").await;
    }
}

async fn stops(server: Server) -> tempfile::TempDir {
    server.signal("TERM").await;
    let Server { folder, mut child, .. } = server;
    child.wait().await.unwrap();
    folder
}

#[tokio::test]
async fn whoever_takes_the_name_of_an_account_has_nothing_of_it_in_rooms_but_its_bans() {
    let server = Server::start_in(folder("")).await;
    for who in ["juliet", "bob", "tybalt"] {
        server.add(&format!("{who}@localhost"), "secret").await;
    }
    let mut juliet = comes(&server, "juliet", "secret").await;
    let mut bob = comes(&server, "bob", "secret").await;
    // Somebody is in the garden all the time, and nobody in the hall.
    for room in [GARDEN, HALL] {
        makes(&mut bob, room).await;
    }
    enters(&mut juliet, GARDEN, "juliet").await;
    bob.say(&format!("<presence type='unavailable' to='{HALL}/bob'/>")).await;
    bob.hear(&format!("from='{HALL}/bob'")).await;
    for who in ["bob", "tybalt"] {
        is_another(server.folder.path(), &format!("{who}@localhost"), "other").await;
    }
    assert!(bob.hear_all().await.contains("<not-authorized "));
    let gone = juliet.hear(&format!("from='{GARDEN}/bob'")).await;
    let gone = gone + &juliet.hear("</presence>").await;
    let (_, gone) = gone.rsplit_once("<presence ").unwrap();
    assert!(gone.contains("type='unavailable'"), "{gone}");
    have_inherited_nothing(&server, &[GARDEN, HALL]).await;
    let server = Server::start_in(stops(server).await).await;
    have_inherited_nothing(&server, &[GARDEN, HALL]).await;
}

#[tokio::test]
async fn nor_when_that_was_while_no_server_ran() {
    let server = Server::start("").await;
    for who in ["bob", "tybalt"] {
        server.add(&format!("{who}@localhost"), "secret").await;
    }
    let mut bob = comes(&server, "bob", "secret").await;
    makes(&mut bob, GARDEN).await;
    let folder = stops(server).await;
    for who in ["bob", "tybalt"] {
        is_another(folder.path(), &format!("{who}@localhost"), "other").await;
    }
    let server = Server::start_in(folder).await;
    have_inherited_nothing(&server, &[GARDEN]).await;
}
