//! Rooms that not everybody in them is shown to: by their owners' wish (XEP-0045 §16.5.3, presence
//! broadcast), or because there are too many.

use super::{
    FOUNDER, affiliate, codes, configure, enter, founded, give_role, item, leave, say, to,
};
use crate::{
    stage_room::House,
    xep_0045_muc::{SHOWN_OCCUPANTS_MAX, telling::TURN_OUTPUTS_MAX},
};
use engine::{setting::Value, wire::*};

const ROMEO: &str = "romeo@wax.example/orchard";
const JULIET: &str = "juliet@wax.example/balcony";
const CHAMBER: &str = "juliet@wax.example/chamber";
const PARIS: &str = "paris@wax.example/street";

fn presences(heard: &[Stanza], who: &str) -> Vec<String> {
    let all = to(heard, who).into_iter().filter(|one| one.kind() == Kind::Presence);
    let nick = |one: &Stanza| one.head.from.as_ref()?.resource().map(String::from);
    all.filter_map(|one| Some(format!("{}{}", nick(one)?, one.head.type_str()))).collect()
}

/// Two have been shown, all that may be.
fn channel() -> House {
    let mut house = founded(&[]);
    house.settings.choose(&SHOWN_OCCUPANTS_MAX, Value::Number(2));
    enter(&mut house, ROMEO, "romeo");
    house
}

#[test]
fn who_comes_when_there_are_many_is_shown_to_nobody_else_and_sees_moderators_alone() {
    let mut house = channel();
    let heard = enter(&mut house, JULIET, "juliet");
    assert_eq!(presences(&heard, JULIET), ["founder", "juliet"]);
    assert_eq!(codes(to(&heard, JULIET)[1]), [170, 110]);
    assert!(presences(&heard, ROMEO).is_empty() && presences(&heard, FOUNDER).is_empty());
    let heard = enter(&mut house, PARIS, "paris");
    assert_eq!(presences(&heard, PARIS), ["founder", "paris"]);
    let heard = say(&mut house, JULIET, "hark");
    assert!([JULIET, ROMEO, PARIS, FOUNDER].iter().all(|who| to(&heard, who).len() == 1));
    // Nor does anybody hear that it is there in another way, or gone.
    let heard = house.says(JULIET, "<presence to='garden@conference.wax.example/capulet'/>");
    assert_eq!(presences(&heard, JULIET), ["julietunavailable", "capulet"]);
    assert!(presences(&heard, PARIS).is_empty());
    let heard = leave(&mut house, JULIET, "capulet");
    assert_eq!(presences(&heard, JULIET), ["capuletunavailable"]);
    assert_eq!(heard.len(), 1, "{heard:?}");
    // Who was shown is seen to go by whom it was shown to.
    let heard = leave(&mut house, ROMEO, "romeo");
    assert_eq!(presences(&heard, FOUNDER), ["romeounavailable"]);
    assert!(presences(&heard, PARIS).is_empty());
}

#[test]
fn who_sees_moderators_alone_is_told_of_nobody_elses_changes() {
    let mut house = channel();
    enter(&mut house, JULIET, "juliet");
    let told = |heard: &[Stanza]| presences(heard, JULIET);
    for shown in [
        "<presence to='garden@conference.wax.example/romeo'><show>away</show></presence>",
        "<presence to='garden@conference.wax.example/montague'/>",
    ] {
        let heard = house.says(ROMEO, shown);
        assert!(told(&heard).is_empty() && !presences(&heard, FOUNDER).is_empty(), "{shown}");
    }
    let heard = affiliate(&mut house, FOUNDER, ROMEO, "member");
    assert!(told(&heard).is_empty() && presences(&heard, ROMEO) == ["montague"]);
    let heard = give_role(&mut house, FOUNDER, "montague", "none");
    assert!(told(&heard).is_empty() && presences(&heard, FOUNDER) == ["montagueunavailable"]);
    // Of moderators it is, and of its own.
    let own = "<presence to='garden@conference.wax.example/juliet'><show>xa</show></presence>";
    assert_eq!(told(&house.says(JULIET, own)), ["juliet"]);
    let host = "<presence to='garden@conference.wax.example/host'/>";
    assert_eq!(told(&house.says(FOUNDER, host)), ["founderunavailable", "host"]);
    assert_eq!(told(&leave(&mut house, FOUNDER, "host")), ["hostunavailable"]);
}

#[test]
fn a_moderator_is_shown_and_stays_so_and_a_restart_changes_nothing() {
    let mut house = channel();
    enter(&mut house, JULIET, "juliet");
    enter(&mut house, PARIS, "paris");
    house.restarts(&[]);
    let heard = give_role(&mut house, FOUNDER, "juliet", "moderator");
    assert_eq!(presences(&heard, ROMEO), ["juliet"]);
    assert_eq!(presences(&heard, PARIS), ["juliet"]);
    // It sees all who are shown to anybody now, and whose each is.
    assert_eq!(presences(&heard, JULIET), ["juliet", "founder", "romeo"]);
    assert_eq!(item(to(&heard, JULIET)[2], "jid").as_deref(), Some(ROMEO));
    let heard = give_role(&mut house, FOUNDER, "juliet", "participant");
    assert_eq!(presences(&heard, PARIS), ["juliet"]);
    house.restarts(&[]);
    let away = "<presence to='garden@conference.wax.example/romeo'><show>away</show></presence>";
    let heard = house.says(ROMEO, away);
    assert_eq!(presences(&heard, JULIET), ["romeo"], "who has seen some sees them go");
    assert!(presences(&heard, PARIS).is_empty());
    let heard = leave(&mut house, JULIET, "juliet");
    assert_eq!(presences(&heard, PARIS), ["julietunavailable"]);
    // Who is cast out is told so first, and nobody else.
    let heard = affiliate(&mut house, FOUNDER, PARIS, "outcast");
    assert_eq!(codes(&heard[0]), [301, 110]);
    assert_eq!(heard.iter().filter(|one| one.kind() == Kind::Presence).count(), 1);
}

#[test]
fn who_left_in_the_last_seconds_before_a_kill_is_told_to_who_saw_it() {
    let mut house = founded(&[]);
    house.settings.choose(&SHOWN_OCCUPANTS_MAX, Value::Number(3));
    enter(&mut house, ROMEO, "romeo");
    enter(&mut house, PARIS, "paris");
    enter(&mut house, JULIET, "juliet");
    give_role(&mut house, FOUNDER, "paris", "moderator");
    leave(&mut house, ROMEO, "romeo");
    leave(&mut house, PARIS, "paris");
    let heard = house.restarts(&[]);
    let left = |who| {
        let mut left = presences(&heard, who);
        left.retain(|nick| nick.ends_with("unavailable"));
        left
    };
    assert_eq!(left(FOUNDER), ["parisunavailable", "romeounavailable"]);
    assert_eq!(left(JULIET), ["parisunavailable"]);
}

#[test]
fn who_becomes_a_moderator_where_everybody_sees_addresses_is_shown_whom_it_did_not_see() {
    let mut house = founded(&[("whois", "anyone")]);
    house.settings.choose(&SHOWN_OCCUPANTS_MAX, Value::Number(2));
    enter(&mut house, ROMEO, "romeo");
    enter(&mut house, JULIET, "juliet");
    let heard = affiliate(&mut house, FOUNDER, JULIET, "admin");
    assert_eq!(presences(&heard, JULIET), ["juliet", "founder", "romeo"]);
    let heard = give_role(&mut house, FOUNDER, "romeo", "moderator");
    assert_eq!(presences(&heard, ROMEO), ["romeo"], "it saw them all");
}

#[test]
fn a_session_that_takes_the_nick_of_a_moderator_sees_what_that_sees() {
    let mut house = channel();
    enter(&mut house, JULIET, "juliet");
    enter(&mut house, CHAMBER, "capulet");
    give_role(&mut house, FOUNDER, "capulet", "moderator");
    let heard = house.says(JULIET, "<presence to='garden@conference.wax.example/capulet'/>");
    let seen = presences(&heard, JULIET);
    assert_eq!(seen, ["julietunavailable", "capulet", "founder", "romeo"]);
    assert_eq!(presences(&leave(&mut house, ROMEO, "romeo"), JULIET), ["romeounavailable"]);
    // The nick is shown until the last of its sessions has gone.
    assert!(presences(&leave(&mut house, CHAMBER, "capulet"), FOUNDER).is_empty());
    assert_eq!(presences(&leave(&mut house, JULIET, "capulet"), FOUNDER), ["capuletunavailable"]);
}

#[test]
fn when_there_are_not_many_any_more_who_comes_again_sees_all() {
    let mut house = channel();
    enter(&mut house, JULIET, "juliet");
    enter(&mut house, PARIS, "paris");
    leave(&mut house, PARIS, "paris");
    house.settings.choose(&SHOWN_OCCUPANTS_MAX, Value::Number(9));
    let away = "<presence to='garden@conference.wax.example/romeo'><show>away</show></presence>";
    assert!(presences(&house.says(ROMEO, away), JULIET).is_empty(), "it sees whom it saw");
    let heard = enter(&mut house, JULIET, "juliet");
    assert_eq!(presences(&heard, JULIET), ["founder", "romeo", "juliet"]);
    house.restarts(&[]);
    assert_eq!(presences(&leave(&mut house, ROMEO, "romeo"), JULIET), ["romeounavailable"]);
    let heard = enter(&mut house, PARIS, "paris");
    assert_eq!(presences(&heard, FOUNDER), ["paris"]);
    assert_eq!(presences(&heard, JULIET), ["paris"]);
}

#[test]
fn who_is_not_seen_can_be_written_to_and_is_named_to_moderators_alone() {
    let mut house = channel();
    enter(&mut house, JULIET, "juliet");
    enter(&mut house, PARIS, "paris");
    let whisper = "<message type='chat' to='garden@conference.wax.example/paris'>\
                   <body>b</body></message>";
    assert_eq!(to(&house.says(JULIET, whisper), PARIS).len(), 1);
    let mut named = |who: &str| {
        let items = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
        let heard = house.says(who, &format!("<iq type='get' id='i'>{items}</iq>"));
        let text = heard[0].to_text();
        let all = ["founder", "romeo", "juliet", "paris"];
        let is_named = |nick: &&str| text.contains(&format!("name='{nick}'"));
        all.into_iter().filter(is_named).collect::<Vec<_>>()
    };
    assert_eq!(named(FOUNDER), ["founder", "romeo", "juliet", "paris"]);
    assert_eq!(named(ROMEO), ["founder", "romeo"]);
    assert_eq!(named(PARIS), ["founder", "paris"]);
}

#[test]
fn versions_of_affiliations_are_told_to_who_does_not_see_whose_they_are_xep_0463() {
    let mut house = founded(&[("whois", "anyone")]);
    house.settings.choose(&SHOWN_OCCUPANTS_MAX, Value::Number(2));
    enter(&mut house, ROMEO, "romeo");
    let join = "<presence to='garden@conference.wax.example/juliet'>\
        <x xmlns='http://jabber.org/protocol/muc'><mav xmlns='urn:xmpp:muc:affiliations:1'/></x>\
        </presence>";
    house.says(JULIET, join);
    let heard = affiliate(&mut house, FOUNDER, ROMEO, "member");
    let told = to(&heard, JULIET);
    assert_eq!((told.len(), told[0].kind()), (1, Kind::Message), "{told:?}");
    assert_eq!(item(told[0], "affiliation").as_deref(), Some("member"));
    // Of whom it sees then, by presence.
    let heard = affiliate(&mut house, FOUNDER, ROMEO, "admin");
    let told = to(&heard, JULIET);
    assert_eq!((told.len(), told[0].kind()), (1, Kind::Presence), "{told:?}");
    assert!(told[0].to_text().contains("urn:xmpp:muc:affiliations:1"));
}

#[test]
fn owners_choose_which_roles_are_shown_section_16_5_3() {
    let mut house = founded(&[("presencebroadcast", "moderator"), ("moderatedroom", "1")]);
    let heard = enter(&mut house, ROMEO, "romeo");
    assert_eq!(presences(&heard, ROMEO), ["founder", "romeo"]);
    assert!(presences(&heard, FOUNDER).is_empty());
    give_role(&mut house, FOUNDER, "romeo", "participant");
    let heard = enter(&mut house, JULIET, "juliet");
    assert_eq!(presences(&heard, JULIET), ["founder", "juliet"]);
    let heard = give_role(&mut house, FOUNDER, "romeo", "moderator");
    assert_eq!(presences(&heard, JULIET), ["romeo"]);
}

#[test]
fn what_befalls_many_is_told_in_turns_between_which_others_have_theirs_section_10_2() {
    const CROWD: usize = 12;
    let mut house = founded(&[]);
    let crowd: Vec<_> = (0..CROWD).map(|one| format!("p{one}@wax.example/x")).collect();
    for (number, who) in crowd.iter().enumerate() {
        enter(&mut house, who, &format!("n{number}"));
    }
    house.caused_max = 0;
    let heard = configure(&mut house, FOUNDER, &[("moderatedroom", "1")]);
    let told = presences(&heard, FOUNDER);
    assert_eq!(told.len(), CROWD, "{told:?}");
    for who in &crowd {
        assert_eq!(presences(&heard, who), told, "{who}");
    }
    // All of them at once are a hundred and fifty.
    let most = house.caused_max;
    assert!((TURN_OUTPUTS_MAX..TURN_OUTPUTS_MAX + CROWD + 2).contains(&most), "{most}");
}

#[test]
fn what_comes_while_many_are_told_is_decided_in_turns_between_which_others_have_theirs() {
    const CROWD: usize = 12;
    let mut house = founded(&[]);
    for number in 0..CROWD {
        enter(&mut house, &format!("p{number}@wax.example/x"), &format!("n{number}"));
    }
    house.late = true;
    configure(&mut house, FOUNDER, &[("moderatedroom", "1")]);
    house.decided_max = 0;
    let comes = |number: usize| {
        let xml = format!(
            "<presence from='q{number}@wax.example/x' \
            to='garden@conference.wax.example/late{number}'>\
            <x xmlns='http://jabber.org/protocol/muc'/></presence>"
        );
        Stanza::parse_one(&xml).unwrap()
    };
    let mut heard = house.goes_on_among((0..6).map(comes).collect());
    // What one of them is shown is more than a turn's.
    assert_eq!(house.decided_max, 1);
    while house.waits() > 0 {
        heard.extend(house.goes_on(Ok(())));
    }
    for number in 0..6 {
        let told = presences(&heard, &format!("q{number}@wax.example/x"));
        let before = (0..CROWD).map(|one| format!("n{one}"));
        assert!(before.clone().all(|nick| told.contains(&nick)), "{told:?}");
        assert_eq!(told.iter().filter(|nick| **nick == format!("late{number}")).count(), 1);
        assert_eq!(told.len(), CROWD + 7, "{told:?}");
    }
}
