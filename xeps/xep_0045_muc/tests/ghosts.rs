//! Who sat when the process began: whether it is there still (XEP-0045 §18.1.2).

use super::*;

const JULIET: &str = "juliet@wax.example/balcony";
const ROMEO: &str = "romeo@wax.example/orchard";
const PARIS: &str = "paris@wax.example/church";
/// Of another server, which knows nothing of where its sessions have gone in.
const BENVOLIO: &str = "benvolio@far.example/street";
const MERCUTIO: &str = "mercutio@far.example/square";
const JOIN: &str = "<x xmlns='http://jabber.org/protocol/muc'/>";

/// The owner, Juliet and Romeo.
fn house() -> House {
    let mut house = founded(&[]);
    for (who, nick) in [(JULIET, "juliet"), (ROMEO, "romeo")] {
        enter(&mut house, who, nick);
    }
    house
}

fn presence(house: &House, nick: &str, children: &str) -> String {
    format!("<presence to='{}/{nick}'>{children}</presence>", house.jid)
}

/// Who comes in sees them: each nick, with what it shows.
fn seen(house: &mut House) -> Vec<(String, String)> {
    let heard = enter(house, PARIS, "paris");
    let presence = to(&heard, PARIS).into_iter().filter(|one| one.kind() == Kind::Presence);
    let seen = presence.map(|one| {
        let nick = one.head.from.as_ref().and_then(|from| from.resource()).unwrap_or_default();
        let show = one.child(Name::new(ns::CLIENT, "show"));
        (nick.to_owned(), show.map(|show| show.text().into_owned()).unwrap_or_default())
    });
    seen.filter(|(nick, _)| !["founder", "romeo", "paris"].contains(&&**nick)).collect()
}

/// What is asked of the accounts.
fn asked(heard: &[Stanza]) -> Vec<&Stanza> {
    heard.iter().filter(|one| one.head.type_str() == "probe").collect()
}

/// By which id Juliet's account is asked for her session when the process begins anew.
fn restarts_and_asks(house: &mut House) -> Text {
    let heard = house.restarts(&[]);
    let is_hers = |one: &&Stanza| one.head.to.as_ref().is_some_and(|to| to.as_str() == JULIET);
    let asked = asked(&heard).into_iter().find(is_hers);
    asked.and_then(|asked| asked.head.id.clone()).unwrap()
}

/// The room is loaded for what she says, asks her account at once, and is answered behind that.
#[test]
fn that_a_session_is_there_is_not_taken_for_what_it_shows_or_is_called() {
    let shows = "<show>dnd</show>";
    for (nick, children, show) in [
        ("juliet", String::new(), ""),
        ("juliet", shows.to_owned(), "dnd"),
        ("juliet", format!("{JOIN}{shows}"), "dnd"),
        ("jules", String::new(), ""),
        ("jules", shows.to_owned(), "dnd"),
        ("jules", format!("{JOIN}{shows}"), "dnd"),
    ] {
        let mut house = house();
        let away = presence(&house, "juliet", "<show>away</show>");
        house.says(JULIET, &away);
        house.ends(&[]);
        let says = presence(&house, nick, &children);
        house.says(JULIET, &says);
        assert_eq!(seen(&mut house), [(nick.to_owned(), show.to_owned())], "{says}");
    }
}

#[test]
fn that_a_session_is_there_is_said_of_none_that_has_come_in_since() {
    let mut house = house();
    house.unread = Some(Jid::parse(JULIET).unwrap());
    let id = restarts_and_asks(&mut house);
    leave(&mut house, JULIET, "juliet");
    let comes = presence(&house, "juliet", &format!("{JOIN}<show>dnd</show>"));
    house.says(JULIET, &comes);
    let answer = format!("<presence to='{}/juliet' id='{id}'/>", house.jid);
    assert_eq!(house.says(JULIET, &answer), []);
    assert_eq!(seen(&mut house), [("juliet".to_owned(), "dnd".to_owned())]);
}

#[test]
fn nobody_says_of_somebody_else_that_it_is_not_there_any_more() {
    let mut house = house();
    house.unread = Some(Jid::parse(JULIET).unwrap());
    let id = restarts_and_asks(&mut house);
    let says = format!("<presence type='unsubscribed' to='{}' id='{id}'/>", house.jid);
    assert_eq!(house.says(ROMEO, &says), []);
    assert_eq!(seen(&mut house), [("juliet".to_owned(), String::new())]);
    let heard = house.says("juliet@wax.example", &says);
    assert_eq!(codes(to(&heard, ROMEO)[0]), [333]);
}

/// Its account could not be read, or had too much to do.
#[test]
fn whose_account_does_not_answer_is_asked_again_until_it_does_section_18_1_2() {
    for is_there in [false, true] {
        let mut house = house();
        let later = |house: &mut House| {
            house.now = house.now.after(60_000);
            house.wakes()
        };
        house.unread = Some(Jid::parse(JULIET).unwrap());
        if !is_there {
            house.is_not_in(JULIET);
        }
        assert_eq!(asked(&house.restarts(&[])).len(), 3);
        assert_eq!(house.wakes(), [], "not at once");
        let heard = later(&mut house);
        assert_eq!((heard.len(), asked(&heard)[0].head.to.as_ref().unwrap().as_str()), (1, JULIET));
        house.unread = None;
        let heard = later(&mut house);
        assert_eq!(asked(&heard).len(), 1);
        let told = to(&heard, ROMEO).into_iter().map(codes);
        assert_eq!(told.collect::<Vec<_>>(), vec![vec![333]; usize::from(!is_there)]);
        assert_eq!(later(&mut house), [], "then nobody is asked any more");
    }
}

#[test]
fn who_is_put_out_before_its_account_has_answered_is_not_asked_again() {
    let mut house = house();
    house.unread = Some(Jid::parse(JULIET).unwrap());
    house.restarts(&[]);
    give_role(&mut house, FOUNDER, "juliet", "none");
    house.now = house.now.after(60_000);
    assert_eq!(house.wakes(), []);
}

/// Who of another server is pinged, and by which id.
fn pinged(heard: &[Stanza]) -> Vec<(Jid, Text)> {
    let ping = Name::new("urn:xmpp:ping", "ping");
    let pings = heard.iter().filter(|one| one.kind() == Kind::Iq && one.child(ping).is_some());
    let pings = pings.map(|one| (one.head.to.clone().unwrap(), one.head.id.clone().unwrap()));
    pings.collect()
}

/// The ping of Benvolio, who says nothing of himself, and nobody of his server does. Mercutio does.
fn pings_far(house: &mut House) -> Text {
    enter(house, BENVOLIO, "benvolio");
    enter(house, MERCUTIO, "mercutio");
    house.unread = Some(Jid::parse(BENVOLIO).unwrap());
    let heard = house.restarts(&[]);
    assert_eq!(asked(&heard).len(), 3, "accounts of this server");
    let pinged = pinged(&heard);
    assert_eq!(pinged.len(), 2, "clients of others");
    pinged.into_iter().find(|(to, _)| to.as_str() == BENVOLIO).unwrap().1
}

fn later(house: &mut House) -> Vec<Stanza> {
    house.now = house.now.after(25_000);
    house.wakes()
}

#[test]
fn who_of_another_server_stays_silent_is_put_out_within_90_s_section_18_1_2() {
    let mut house = house();
    pings_far(&mut house);
    let began = house.now;
    for _ in 0..2 {
        let heard = later(&mut house);
        assert_eq!((pinged(&heard).len(), heard.len()), (1, 1), "only who is silent");
    }
    let heard = later(&mut house);
    assert_eq!(pinged(&heard), []);
    for who in [ROMEO, BENVOLIO] {
        assert!(codes(to(&heard, who)[0]).contains(&333), "{who}");
    }
    assert!(house.now <= began.after(90_000));
    assert_eq!(later(&mut house), [], "then nobody is asked any more");
    let mut nicks: Vec<_> = seen(&mut house).into_iter().map(|(nick, _)| nick).collect();
    nicks.sort();
    assert_eq!(nicks, ["juliet", "mercutio"]);
}

#[test]
fn what_a_ping_is_answered_says_whether_its_session_is_there() {
    for (condition, is_out, is_asked_again) in [
        ("service-unavailable", false, true),
        ("item-not-found", true, false),
        ("recipient-unavailable", true, false),
        ("remote-server-not-found", false, true),
        ("feature-not-implemented", false, false),
    ] {
        let mut house = house();
        let id = pings_far(&mut house);
        let error = format!(
            "<iq type='error' to='{}' id='{id}'><error type='cancel'>\
             <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
            house.jid
        );
        assert_eq!(house.says(MERCUTIO, &error), [], "of somebody else");
        let heard = house.says(BENVOLIO, &error);
        let told = to(&heard, ROMEO).into_iter().map(codes);
        assert_eq!(told.collect::<Vec<_>>(), vec![vec![333]; usize::from(is_out)]);
        assert_eq!(later(&mut house).len(), usize::from(is_asked_again), "{condition}");
    }
}

#[test]
fn who_of_another_server_says_something_is_there() {
    let mut house = house();
    pings_far(&mut house);
    say(&mut house, BENVOLIO, "here");
    (0..4).for_each(|_| assert_eq!(later(&mut house), []));
}

/// Each of so many is told of each who goes: others have their turn in between.
#[test]
fn many_of_another_server_who_stay_silent_are_put_out_by_and_by() {
    let mut house = house();
    let far = 60;
    for number in 0..far {
        enter(&mut house, &format!("guest{number}@far.example/x"), &format!("guest{number}"));
    }
    house.mute = true;
    house.restarts(&[]);
    later(&mut house);
    later(&mut house);
    (house.caused_max, house.decided_max) = (0, 0);
    let heard = later(&mut house);
    assert_eq!(to(&heard, ROMEO).len(), far);
    assert!(house.decided_max < far, "{} in one turn", house.decided_max);
    assert_eq!(seen(&mut house), [("juliet".to_owned(), String::new())]);
}
