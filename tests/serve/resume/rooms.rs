//! In a room: what was said while a session had no stream, or the process was not there, it is told
//! when it comes back, out of the room's log.

use super::*;
use crate::settings;

const ROOM: &str = "garden@conference.localhost";

async fn enters(person: &mut Person) {
    let x = "<x xmlns='http://jabber.org/protocol/muc'/>";
    person.say(&format!("<presence to='{ROOM}/{}'>{x}</presence>", person.who)).await;
    person.hear("<subject").await;
    person.hear("</message>").await;
}

/// Who of the room it was (XEP-0421).
fn author(told: &str) -> String {
    let id = told.rsplit_once("<occupant-id ").and_then(|(_, id)| id.split_once("id='"));
    let id = id.and_then(|(_, id)| id.split_once('\''));
    id.unwrap_or_else(|| panic!("no occupant id: {told}")).0.to_owned()
}

async fn says(person: &mut Person, id: &str) {
    let head = format!("to='{ROOM}' type='groupchat' id='{id}'");
    person.say(&format!("<message {head}><body>{id}</body></message>")).await;
}

/// Juliet, whose room it is, and Romeo; both are in it.
async fn guests(server: &Server, ways: [Way; 2]) -> [Person; 2] {
    for jid in ["juliet@localhost", "romeo@localhost"] {
        server.add(jid, "secret").await;
    }
    let mut juliet = Person::come(server, "juliet", ways[0]).await;
    let mut romeo = Person::come(server, "romeo", ways[1]).await;
    enters(&mut juliet).await;
    let form = "<x xmlns='jabber:x:data' type='submit'/>";
    let query = format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query>");
    juliet.say(&format!("<iq type='set' to='{ROOM}' id='made'>{query}</iq>")).await;
    juliet.hear("id='made'").await;
    juliet.hear("/>").await;
    enters(&mut romeo).await;
    for person in [&mut juliet, &mut romeo] {
        person.settles().await;
        person.heard.clear();
    }
    [juliet, romeo]
}

async fn stream_is_lost(server: &Server, way: Way) {
    const SAID: usize = 600;
    let [mut juliet, mut romeo] = guests(server, [Way::Tls, way]).await;
    romeo.wire = Wire::open(server, way).await;
    // More than is kept of one session in memory, and than is told at once.
    for number in 1..=SAID {
        says(&mut juliet, &format!("m{number}")).await;
        juliet.hears(&format!("m{number}")).await;
        if number % 50 == 0 {
            juliet.settles().await;
        }
    }
    assert_eq!(romeo.resume(server).await, romeo.said);
    for number in 1..=SAID {
        romeo.hears(&format!("m{number}")).await;
        romeo.acks().await;
    }
    says(&mut juliet, "live").await;
    romeo.hears("live").await;
    romeo.settles().await;
    for number in 1..=SAID {
        assert_eq!(romeo.times(&format!("m{number}"))[0], 1, "m{number}");
    }
    assert_eq!(romeo.times("live"), [1, 0]);
    assert!(!romeo.heard.contains("'unavailable'"), "{}", romeo.heard);
}

#[tokio::test]
async fn who_has_lost_the_stream_is_told_all_that_was_said_in_a_room() {
    let server = Server::start("").await;
    stream_is_lost(&server, Way::Tls).await;
}

async fn process_is_killed(more: &str, ways: [Way; 2]) {
    let server = Server::start(more).await;
    let [mut juliet, mut romeo] = guests(&server, ways).await;
    for id in ["heard1", "heard2", "lost1", "lost2", "lost3"] {
        says(&mut juliet, id).await;
        juliet.hears(id).await;
    }
    juliet.settles().await;
    // Not acknowledged; what follows it, its client never reads.
    let juliets = author(&romeo.hears("heard2").await);
    let server = again(server, "KILL").await;
    assert_eq!(juliet.resume(&server).await, juliet.said);
    says(&mut juliet, "late").await;
    juliet.hears("late").await;
    assert_eq!(romeo.resume(&server).await, romeo.said);
    for id in ["lost1", "lost2", "lost3", "late"] {
        let told = romeo.hears(id).await;
        assert!(told.contains("<delay "), "{told}");
        assert_eq!(author(&told), juliets, "XEP-0421 section 3: the same after a restart");
        romeo.acks().await;
    }
    says(&mut romeo, "live").await;
    let told = romeo.hears("live").await;
    assert!(!told.contains("<delay "), "it is in the room still: {told}");
    assert_ne!(author(&told), juliets);
    juliet.hears("live").await;
    romeo.settles().await;
    for id in ["lost1", "lost2", "lost3", "late", "live"] {
        assert_eq!(romeo.times(id)[0], 1, "{id}");
    }
    for id in ["heard1", "heard2"] {
        let told = romeo.heard.split("<message ").filter(|told| told.contains(&format!(">{id}<")));
        let (late, at_once): (Vec<_>, Vec<_>) = told.partition(|told| told.contains("<delay "));
        assert!(at_once.len() == 1 && late.len() < 2, "{}", romeo.heard);
    }
}

#[tokio::test]
async fn who_comes_back_after_a_kill_is_in_the_room_and_has_missed_nothing() {
    process_is_killed("", [Way::Tls, Way::Inline]).await;
}

#[tokio::test]
async fn in_rooms_on_postgresql_too() {
    let postgres = PrivatePostgres::start(true).unwrap();
    let url = postgres.database("waxwing", None).unwrap();
    process_is_killed(&format!("[store]\nurl = \"{url}\"\n"), [Way::WebSocket, Way::Tls]).await;
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_repeats_nothing_of_a_room() {
    let server = Server::start("").await;
    let [mut juliet, mut romeo] = guests(&server, [Way::Tls, Way::Tls]).await;
    for id in ["m1", "m2", "m3"] {
        says(&mut juliet, id).await;
        juliet.hears(id).await;
    }
    juliet.settles().await;
    romeo.hears("m2").await;
    let server = again(server, "TERM").await;
    assert_eq!(romeo.resume(&server).await, romeo.said);
    romeo.hears("m3").await;
    says(&mut romeo, "live").await;
    romeo.hears("live").await;
    romeo.settles().await;
    for id in ["m1", "m2", "m3", "live"] {
        assert_eq!(romeo.times(id)[0], 1, "{id}");
    }
}

#[tokio::test]
async fn who_comes_back_after_a_kill_is_shown_who_has_come_gone_and_changed_at_the_last_moment() {
    let server = Server::start("").await;
    let [mut juliet, mut romeo] = guests(&server, [Way::Tls, Way::Inline]).await;
    server.add("nurse@localhost", "secret").await;
    let mut nurse = Person::come(&server, "nurse", Way::Tls).await;
    enters(&mut nurse).await;
    romeo.hear(&format!("from='{ROOM}/nurse'")).await;
    romeo.hear("</presence>").await;
    romeo.settles().await;
    // Of this he hears nothing before the process ends.
    nurse.say(&format!("<presence type='unavailable' to='{ROOM}/nurse'/>")).await;
    nurse.hear("code='110'").await;
    juliet.say(&format!("<presence to='{ROOM}/juliet'><show>dnd</show></presence>")).await;
    juliet.hear("<show>dnd</show>").await;
    let server = again(server, "KILL").await;
    assert_eq!(romeo.resume(&server).await, romeo.said);
    let told = romeo.hear("code='110'").await;
    let gone = format!("from='{ROOM}/nurse'");
    let gone = told.split("<presence ").any(|one| one.contains(&gone) && one.contains("'unavail"));
    assert!(gone && told.contains("<show>dnd</show>"), "{told}");
    romeo.hear("</presence>").await;
    says(&mut romeo, "live").await;
    assert!(!romeo.hears("live").await.contains("<presence "), "once");
}

#[tokio::test]
async fn who_sat_where_there_is_no_service_any_more_is_told_so_after_the_restart() {
    let server = Server::start("").await;
    let [mut juliet, _romeo] = guests(&server, [Way::Tls, Way::Tls]).await;
    settings(server.folder.path(), "[xep.0045]\nhosts = [\"rooms.localhost\"]\n");
    let server = again(server, "TERM").await;
    assert_eq!(juliet.resume(&server).await, juliet.said);
    let told = juliet.hear("</presence>").await;
    assert!(told.contains("'unavailable'") && told.contains("code='332'"), "{told}");
    juliet.say(&format!("<presence to='{ROOM}/juliet'/>")).await;
    assert!(juliet.hear("</presence>").await.contains("<remote-server-not-found"), "it is gone");
}
