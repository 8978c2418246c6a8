//! Who enters, or comes back to, many rooms in which much was said, over a line that takes little
//! at once.

use super::deaf::{Deaf, connect, start};
use crate::{
    client::Client,
    server::Server,
    watch::{Echo, is_calm, until},
};
use std::collections::BTreeMap;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// So many that what each tells at once, 128 KiB or more, is more than a mailbox holds, and than
/// the system keeps of a connection besides: 1.25 and some 3 MiB.
const ROOMS: usize = 48;
/// Said in each: more than a page.
const SAID: usize = 40;
/// Of that who enters is told so many.
const HISTORY: usize = 20;
const BODY_BYTES: usize = 8_000;
/// How often others have said something for each room, before anything is read.
const ROUNDS: usize = 10;
const JOIN: &str = "<x xmlns='http://jabber.org/protocol/muc'/>";

type Tls = Client<TlsStream<TcpStream>>;

fn room(number: usize) -> String {
    format!("garden{number}@conference.localhost")
}

fn enters(number: usize, nick: &str) -> String {
    format!("<presence to='{}/{nick}'>{JOIN}</presence>", room(number))
}

/// Up to the subject. How many stanzas it has heard.
async fn is_in(client: &mut Client<impl AsyncRead + AsyncWrite + Unpin>) -> usize {
    let heard = client.hear("<subject").await + &client.hear("</message>").await;
    stanzas(&heard)
}

fn stanzas(heard: &str) -> usize {
    heard.matches("<message ").count() + heard.matches("<presence ").count()
}

/// All are made by one who is in them.
async fn rooms(server: &Server) -> Tls {
    let mut owner = Client::starttls(server).await;
    owner.login("owner").await;
    owner.say("<presence/>").await;
    for number in 0..ROOMS {
        owner.say(&enters(number, "owner")).await;
        is_in(&mut owner).await;
        let form = "<x xmlns='jabber:x:data' type='submit'/>";
        let query = format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query>");
        owner.say(&format!("<iq type='set' to='{}' id='m'>{query}</iq>", room(number))).await;
        owner.hear("id='m'").await;
    }
    owner
}

async fn says_much(owner: &mut Tls) {
    let body = "x".repeat(BODY_BYTES);
    for number in 0..ROOMS {
        for said in 0..SAID {
            let head = format!("to='{}' type='groupchat' id='{number}-{said}'", room(number));
            owner.say(&format!("<message {head}><body>{body}</body></message>")).await;
        }
        owner.hear(&format!("id='{number}-{}'", SAID - 1)).await;
    }
}

/// Meanwhile all rooms tell somebody what they would at once, who does not read.
async fn others_go_on(echo: &mut Echo) {
    for _ in 0..ROOMS * ROUNDS {
        echo.sounds().await;
    }
}

/// What comes from each room, up to this of it, is all that was said behind that in order, once.
async fn hears(client: &mut Tls, from: usize, mut got: impl FnMut(usize) -> Option<String>) {
    let mut next: BTreeMap<usize, usize> = (0..ROOMS).map(|number| (number, from)).collect();
    while !next.is_empty() {
        let heard = client.hear("</message>").await;
        if let Some(answer) = got(stanzas(&heard)) {
            client.say(&answer).await;
        }
        let (_, message) = heard.rsplit_once("<message ").unwrap();
        if message.contains("<subject") {
            continue;
        }
        let id = message.split_once("id='").and_then(|(_, id)| id.split_once('\'')).unwrap().0;
        let (number, said) = id.split_once('-').unwrap();
        let number = number.parse().unwrap();
        let wanted = next.get_mut(&number).unwrap_or_else(|| panic!("{id} once more"));
        assert_eq!(said.parse::<usize>().unwrap(), *wanted, "of room {number}");
        *wanted += 1;
        if *wanted == SAID {
            next.remove(&number);
        }
    }
}

#[tokio::test]
async fn who_comes_back_slowly_to_many_rooms_is_told_all_of_them() {
    let (server, mut echo) = start(1, 0).await;
    let mut owner = rooms(&server).await;
    let Deaf { who, id, mut client } = Deaf::come(&server, "deaf0", 0).await;
    let mut h = 0;
    for number in 0..ROOMS {
        client.say(&enters(number, "slow")).await;
        h += is_in(&mut client).await;
    }
    drop(client);
    let gone = "waxwing_active_connections 2";
    until(gone, async || server.get("/metrics").await.lines().any(|line| line == gone)).await;
    says_much(&mut owner).await;
    let mut client = connect(&server).await;
    client.authenticate(&who).await;
    client.say(&format!("<resume xmlns='urn:xmpp:sm:3' h='{h}' previd='{id}'/>")).await;
    client.hear("<resumed ").await;
    others_go_on(&mut echo).await;
    let acknowledges = |heard| {
        h += heard;
        Some(format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>"))
    };
    hears(&mut client, 0, acknowledges).await;
    is_calm(&server);
}

#[tokio::test]
async fn who_enters_many_rooms_at_once_and_reads_slowly_is_told_all_of_them() {
    let (server, mut echo) = start(1, 256 << 20).await;
    let mut owner = rooms(&server).await;
    says_much(&mut owner).await;
    let mut client = connect(&server).await;
    client.login_as("deaf0", "0").await;
    let all: String = (0..ROOMS).map(|number| enters(number, "slow")).collect();
    client.say(&format!("<presence/>{all}")).await;
    others_go_on(&mut echo).await;
    hears(&mut client, SAID - HISTORY, |_| None).await;
    is_calm(&server);
}
