//! An account is removed: whoever takes its name is nobody to the room, unless it was banned.

use super::{
    FOUNDER, admin, affiliate, configure, enter, founded, give_role, hats::command, item, leave,
    refusal, registered, say, to,
};
use crate::{stage_room::House, xep_0045_muc::members::AFFILIATIONS};
use engine::wire::*;

const NURSE: &str = "nurse@wax.example/chamber";
const PHONE: &str = "nurse@wax.example/phone";
const ROMEO: &str = "romeo@wax.example/orchard";

/// The account of a session is removed, and the room hears of it.
fn is_removed(house: &mut House, who: &str) -> Vec<Stanza> {
    let who = Jid::parse(who).unwrap().bare();
    house.removes(who.as_str());
    house.departs(who.as_str())
}

/// The keys by which the store has something of somebody in the room, but that he has left.
fn kept(house: &House, who: &str) -> Vec<String> {
    let who = Jid::parse(who).unwrap().bare();
    let own = house.cells.keys().filter(|(_, of, _)| *of == house.jid);
    own.map(|(_, _, key)| key.clone()).filter(|key| key.contains(who.as_str())).collect()
}

/// What somebody is shown to be who comes in now.
fn comes_as(house: &mut House, who: &str, nick: &str) -> (String, String) {
    let heard = enter(house, who, nick);
    let own = to(&heard, who).into_iter().rfind(|one| item(one, "role").is_some());
    let own = own.unwrap_or_else(|| panic!("{heard:?}"));
    (item(own, "affiliation").unwrap(), item(own, "role").unwrap())
}

/// Of which version the affiliations are, as who enters is told (XEP-0463).
fn version(house: &mut House, who: &str) -> String {
    leave(house, who, "versions");
    let join = "<x xmlns='http://jabber.org/protocol/muc'>\
        <mav xmlns='urn:xmpp:muc:affiliations:1'/></x>";
    let to = format!("{}/versions", house.jid);
    let heard = house.says(who, &format!("<presence to='{to}'>{join}</presence>"));
    let text = heard.iter().map(|one| one.to_text()).find(|one| one.contains(" until='")).unwrap();
    let (_, version) = text.split_once(" until='").unwrap();
    version.split_once('\'').unwrap().0.to_owned()
}

/// With everything that one can be in a room, and from two sessions.
fn with_nurse(fields: &[(&str, &str)]) -> House {
    let mut house = founded(fields);
    let hat = [("uri", "urn:hat"), ("title", "Teacher")];
    command(&mut house, FOUNDER, "create", &hat);
    let whom = [("jid", "nurse@wax.example"), ("uri", "urn:hat")];
    command(&mut house, FOUNDER, "assign", &whom);
    admin(
        &mut house,
        FOUNDER,
        "<item jid='nurse@wax.example' affiliation='owner' nick='angelica'/>",
    );
    enter(&mut house, NURSE, "nurse");
    enter(&mut house, PHONE, "nurse");
    say(&mut house, NURSE, "anon");
    house.wakes();
    house
}

#[test]
fn who_has_the_name_of_an_account_that_was_removed_is_nobody() {
    let mut house = with_nurse(&[]);
    let reserved = enter(&mut house, ROMEO, "angelica");
    assert_eq!(refusal(&reserved, ROMEO).as_deref(), Some("conflict"));
    let heard = is_removed(&mut house, NURSE);
    let gone = to(&heard, FOUNDER);
    let [gone] = gone[..] else { panic!("{gone:?}") };
    assert_eq!(gone.head.type_str(), "unavailable");
    assert_eq!(gone.head.from.as_ref().unwrap().resource(), Some("nurse"));
    assert_eq!(kept(&house, NURSE), [""; 0]);
    for restarts in [false, true] {
        if restarts {
            house.restarts(&[]);
        }
        let none = ("none".to_owned(), "participant".to_owned());
        let heard = enter(&mut house, NURSE, "nurse");
        assert!(!heard.iter().any(|one| one.to_text().contains("Teacher")), "{heard:?}");
        leave(&mut house, NURSE, "nurse");
        assert_eq!(comes_as(&mut house, NURSE, "nurse"), none, "{restarts}");
        let heard = affiliate(&mut house, NURSE, ROMEO, "owner");
        assert_eq!(refusal(&heard, NURSE).as_deref(), Some("forbidden"), "{restarts}");
        assert_eq!(refusal(&enter(&mut house, ROMEO, "angelica"), ROMEO), None, "{restarts}");
        leave(&mut house, NURSE, "nurse");
        leave(&mut house, ROMEO, "angelica");
    }
}

#[test]
fn its_own_account_says_that_its_sessions_are_gone_before_or_behind_it() {
    for says_before in [false, true] {
        let mut house = with_nurse(&[]);
        let says = |house: &mut House| {
            let mut heard = leave(house, NURSE, "nurse");
            heard.extend(leave(house, PHONE, "nurse"));
            heard
        };
        let mut heard = Vec::new();
        if says_before {
            heard.extend(says(&mut house));
        }
        heard.extend(is_removed(&mut house, NURSE));
        if !says_before {
            heard.extend(says(&mut house));
        }
        let gone = to(&heard, FOUNDER).into_iter();
        let gone = gone.filter(|one| one.head.type_str() == "unavailable").count();
        assert_eq!((gone, kept(&house, NURSE)), (1, vec![]), "{says_before}");
        assert_eq!(comes_as(&mut house, NURSE, "nurse").0, "none");
    }
}

#[test]
fn a_ban_outlives_the_account_section_9_1() {
    for restarts in [false, true] {
        let mut house = founded(&[]);
        admin(
            &mut house,
            FOUNDER,
            "<item jid='romeo@wax.example' affiliation='outcast'><reason>Treason</reason></item>",
        );
        assert_eq!(is_removed(&mut house, ROMEO), []);
        if restarts {
            house.restarts(&[]);
        }
        let heard = enter(&mut house, ROMEO, "romeo");
        assert_eq!(refusal(&heard, ROMEO).as_deref(), Some("forbidden"), "{restarts}");
        let asked = "<iq type='get' id='l'><query xmlns='http://jabber.org/protocol/muc#admin'>\
            <item affiliation='outcast'/></query></iq>";
        let heard = house.says(FOUNDER, asked);
        assert!(heard[0].to_text().contains("Treason"), "{heard:?}");
    }
}

/// However much of it is written when the account is removed, and when the room hears of it.
#[test]
fn what_is_written_of_somebody_behind_the_removal_is_taken_out_again() {
    for (removed, heard) in (0..5).flat_map(|one| (one..5).map(move |other| (one, other))) {
        let mut house = with_nurse(&[]);
        enter(&mut house, ROMEO, "romeo");
        let before = {
            affiliate(&mut house, FOUNDER, ROMEO, "admin");
            let before = version(&mut house, ROMEO);
            affiliate(&mut house, FOUNDER, NURSE, "none");
            assert_ne!(version(&mut house, ROMEO), before);
            version(&mut house, ROMEO)
        };
        house.late = true;
        affiliate(&mut house, FOUNDER, NURSE, "admin");
        let whom = [("jid", "nurse@wax.example"), ("uri", "urn:hat")];
        command(&mut house, FOUNDER, "unassign", &whom);
        command(&mut house, FOUNDER, "assign", &whom);
        affiliate(&mut house, FOUNDER, NURSE, "owner");
        for step in 0..5 {
            if step == removed {
                house.removes("nurse@wax.example");
            }
            if step == heard {
                house.departs("nurse@wax.example");
            }
            house.goes_on(Ok(()));
        }
        while house.waits() > 0 {
            house.goes_on(Ok(()));
        }
        house.late = false;
        assert_eq!(kept(&house, NURSE), [""; 0], "{removed}, {heard}");
        assert_eq!(version(&mut house, ROMEO), before, "{removed}, {heard}");
        assert_eq!(comes_as(&mut house, NURSE, "nurse").0, "none", "{removed}, {heard}");
        leave(&mut house, NURSE, "nurse");
        house.restarts(&[]);
        assert_eq!(version(&mut house, ROMEO), before, "{removed}, {heard}");
    }
}

#[test]
fn a_room_that_was_read_before_the_removal_has_nothing_of_it_when_it_has_heard() {
    let mut house = with_nurse(&[]);
    for who in [NURSE, PHONE] {
        leave(&mut house, who, "nurse");
    }
    leave(&mut house, FOUNDER, "founder");
    house.restarts(&[]);
    house.wakes();
    assert!(house.is_loaded());
    is_removed(&mut house, NURSE);
    assert_eq!(comes_as(&mut house, NURSE, "nurse").0, "none");
    assert_eq!(kept(&house, NURSE), [""; 0]);
}

#[test]
fn who_wants_versions_is_told_who_is_nothing_any_more_xep_0463_5_2_2() {
    let mut house = with_nurse(&[("whois", "anyone")]);
    affiliate(&mut house, FOUNDER, ROMEO, "owner");
    let before = version(&mut house, ROMEO);
    let heard = is_removed(&mut house, NURSE);
    let told = to(&heard, ROMEO).into_iter().map(|one| one.to_text());
    let told: Vec<_> = told.filter(|one| one.contains(&format!("since='{before}'"))).collect();
    assert_eq!(told.len(), 1, "{heard:?}");
    let until = version(&mut house, ROMEO);
    assert!(told[0].contains(&format!("until='{until}'")), "{told:?}");
    assert!(told[0].contains("jid='nurse@wax.example' affiliation='none'"), "{told:?}");
}

#[test]
fn a_room_whose_last_owner_was_removed_goes_on_without_one() {
    let mut house = founded(&[]);
    affiliate(&mut house, FOUNDER, NURSE, "admin");
    enter(&mut house, NURSE, "nurse");
    is_removed(&mut house, FOUNDER);
    for restarts in [false, true] {
        if restarts {
            house.restarts(&[]);
        }
        let info = "<iq type='get' id='i'><query xmlns='http://jabber.org/protocol/disco#info'/>\
            </iq>";
        let heard = house.says(FOUNDER, info);
        assert_eq!(refusal(&heard, FOUNDER), None);
        assert!(!heard[0].to_text().contains("contactjid"), "nobody to turn to: {heard:?}");
        assert_eq!(comes_as(&mut house, FOUNDER, "founder").0, "none");
        let heard = configure(&mut house, FOUNDER, &[("membersonly", "1")]);
        assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("forbidden"));
        leave(&mut house, FOUNDER, "founder");
        for to in ["outcast", "none"] {
            let heard = affiliate(&mut house, NURSE, ROMEO, to);
            assert_eq!(refusal(&heard, NURSE), None, "its admins see to it still");
        }
        let heard = affiliate(&mut house, NURSE, NURSE, "owner");
        assert_eq!(refusal(&heard, NURSE).as_deref(), Some("forbidden"));
    }
}

#[test]
fn a_room_that_does_not_stay_goes_with_the_account_of_who_was_alone_in_it() {
    for (is_locked, fields) in [(true, &[][..]), (false, &[("persistentroom", "0")])] {
        let mut house = match is_locked {
            true => House::empty(crate::ALL),
            false => founded(fields),
        };
        if is_locked {
            enter(&mut house, FOUNDER, "founder");
        }
        is_removed(&mut house, FOUNDER);
        assert!(!house.is_made && !house.is_loaded(), "{is_locked}");
        assert!(house.cells.keys().all(|(_, of, _)| *of != house.jid), "{is_locked}");
    }
}

#[test]
fn nobody_makes_a_room_after_its_account_was_removed() {
    let mut house = House::empty(crate::ALL);
    house.late = true;
    enter(&mut house, FOUNDER, "founder");
    assert_eq!(house.waits(), 1, "it is asked whether there is a place for it");
    is_removed(&mut house, FOUNDER);
    while house.waits() > 0 {
        house.goes_on(Ok(()));
    }
    assert!(!house.is_made);
}

#[test]
fn who_asked_to_be_a_member_is_made_none_under_a_name_that_is_another_s() {
    let mut house = founded(&[("membersonly", "1")]);
    registered::register(&mut house, ROMEO, "montague");
    is_removed(&mut house, ROMEO);
    let heard = registered::answer(&mut house, FOUNDER, "romeo@wax.example", "montague", "1");
    assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("item-not-found"));
    assert!(
        !house
            .cells
            .keys()
            .any(|(table, _, key)| { *table == AFFILIATIONS.name() && key == "romeo@wax.example" })
    );
}

#[test]
fn voice_that_was_given_goes_with_the_account() {
    for restarts in [false, true] {
        let mut house = founded(&[("moderatedroom", "1")]);
        enter(&mut house, ROMEO, "romeo");
        give_role(&mut house, FOUNDER, "romeo", "participant");
        leave(&mut house, ROMEO, "romeo");
        assert_eq!(comes_as(&mut house, ROMEO, "romeo").1, "participant");
        is_removed(&mut house, ROMEO);
        if restarts {
            house.restarts(&[]);
        }
        assert_eq!(comes_as(&mut house, ROMEO, "romeo").1, "visitor", "{restarts}");
    }
}

#[test]
fn what_somebody_did_last_is_done_before_he_is_forgotten() {
    let mut house = with_nurse(&[]);
    house.late = true;
    say(&mut house, FOUNDER, "hark");
    registered::register(&mut house, ROMEO, "montague");
    enter(&mut house, ROMEO, "romeo");
    let mut heard = is_removed(&mut house, ROMEO);
    while house.waits() > 0 {
        heard.extend(house.goes_on(Ok(())));
    }
    house.late = false;
    let shown = to(&heard, FOUNDER).into_iter().filter(|one| {
        let from = one.head.from.as_ref().and_then(|from| from.resource());
        one.kind() == Kind::Presence && from == Some("romeo")
    });
    let shown: Vec<_> = shown.map(|one| one.head.type_str()).collect();
    assert_eq!(shown.last(), Some(&"unavailable"), "{heard:?}");
    assert_eq!(kept(&house, ROMEO), [""; 0]);
    assert_eq!(comes_as(&mut house, ROMEO, "romeo").0, "none");
}

#[test]
fn administrators_of_the_server_do_in_each_room_what_its_owners_may() {
    const ADMIN: &str = "nurse@wax.example/chamber";
    let mut house = founded(&[("membersonly", "1")]);
    let mut seen = enter(&mut house, ROMEO, "romeo");
    assert_eq!(refusal(&seen, ROMEO).as_deref(), Some("registration-required"));
    leave(&mut house, FOUNDER, "founder");
    is_removed(&mut house, FOUNDER);
    house.wakes();
    let owners = "<iq type='get' id='o'><query xmlns='http://jabber.org/protocol/muc#admin'>\
        <item affiliation='owner'/></query></iq>";
    for is_admin in [false, true] {
        let refused = (!is_admin).then(|| "forbidden".to_owned());
        if is_admin {
            house.settings.admins = vec![Jid::parse(ADMIN).unwrap().bare()];
        }
        let heard = house.says(ADMIN, owners);
        assert_eq!(refusal(&heard, ADMIN), refused);
        let heard = configure(&mut house, ADMIN, &[("membersonly", "0")]);
        assert_eq!(refusal(&heard, ADMIN), refused);
        let heard = affiliate(&mut house, ADMIN, ROMEO, "owner");
        assert_eq!(refusal(&heard, ADMIN), refused);
    }
    seen = enter(&mut house, ROMEO, "romeo");
    assert_eq!(item(to(&seen, ROMEO)[0], "affiliation").as_deref(), Some("owner"));
    assert_eq!(comes_as(&mut house, ADMIN, "nurse"), ("none".into(), "participant".into()));
    let destroys = "<iq type='set' id='d'><query xmlns='http://jabber.org/protocol/muc#owner'>\
        <destroy/></query></iq>";
    let heard = house.says(ADMIN, destroys);
    assert_eq!((refusal(&heard, ADMIN), house.is_made), (None, false));
}
