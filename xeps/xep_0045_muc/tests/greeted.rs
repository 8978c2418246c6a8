//! Who comes back after the process was killed is shown what was shown lately; and who sat where
//! there is no service any more is told so.

use super::*;
use crate::xep_0045_muc::greet::LEFT;
use engine::port::Fault;

const JULIET: &str = "juliet@wax.example/balcony";
const ROMEO: &str = "romeo@wax.example/orchard";
const NURSE: &str = "nurse@wax.example/hall";
const PARIS: &str = "paris@wax.example/church";
const LATER_MS: u64 = 60_000;

/// The owner, Juliet, Romeo and the nurse, for a minute.
fn house() -> House {
    let mut house = founded(&[]);
    for (who, nick) in [(JULIET, "juliet"), (ROMEO, "romeo"), (NURSE, "nurse")] {
        enter(&mut house, who, nick);
    }
    house.unix_ms += LATER_MS;
    house
}

/// What of it somebody is shown: nick, type and codes, in order.
fn shown(heard: &[Stanza], who: &str) -> Vec<(String, String, Vec<u16>)> {
    let presence = to(heard, who).into_iter().filter(|one| one.kind() == Kind::Presence);
    let shown = presence.filter(|one| one.head.type_str() != "probe").map(|one| {
        let nick = one.head.from.as_ref().and_then(|from| from.resource()).unwrap_or_default();
        (nick.to_owned(), one.head.type_str().to_owned(), codes(one))
    });
    shown.collect()
}

fn show(house: &mut House, who: &str, nick: &str) -> Vec<Stanza> {
    let to = format!("{}/{nick}", house.jid);
    house.says(who, &format!("<presence to='{to}'><show>dnd</show></presence>"))
}

fn expected(all: &[(&str, &str, &[u16])]) -> Vec<(String, String, Vec<u16>)> {
    all.iter().map(|(nick, kind, codes)| ((*nick).into(), (*kind).into(), codes.to_vec())).collect()
}

#[test]
fn who_comes_back_is_shown_what_changed_in_the_last_seconds_and_itself_last() {
    let mut house = house();
    enter(&mut house, PARIS, "paris");
    leave(&mut house, NURSE, "nurse");
    show(&mut house, ROMEO, "romeo");
    let heard = house.restarts(&[]);
    let told = [
        ("nurse", "unavailable", &[][..]),
        ("paris", "", &[][..]),
        ("romeo", "", &[][..]),
        ("juliet", "", &[110][..]),
    ];
    assert_eq!(shown(&heard, JULIET), expected(&told));
    let of_romeo = to(&heard, JULIET).into_iter().find(|one| one.to_text().contains("dnd"));
    assert!(of_romeo.is_some_and(|one| item(one, "jid").is_none()), "no participant sees it");
    let by_owner = to(&heard, FOUNDER);
    let addresses: Vec<_> = by_owner.iter().filter_map(|one| item(one, "jid")).collect();
    assert_eq!(addresses, [NURSE, PARIS, ROMEO, FOUNDER]);
    assert_eq!(shown(&house.comes_back(JULIET), JULIET), [], "once");
}

#[test]
fn who_was_back_before_what_changed_lately_is_shown_nothing_of_the_others() {
    let mut house = house();
    house.unix_ms += LATER_MS;
    show(&mut house, ROMEO, "romeo");
    let heard = house.restarts(&[]);
    let told = [("romeo", "", &[][..]), ("juliet", "", &[110][..])];
    assert_eq!(shown(&heard, JULIET), expected(&told));
    house.unix_ms += LATER_MS;
    let heard = house.comes_back(ROMEO);
    assert_eq!(shown(&heard, ROMEO), []);
}

#[test]
fn a_session_that_only_lost_its_stream_is_shown_nothing_again() {
    let mut house = house();
    show(&mut house, ROMEO, "romeo");
    house.goes_away(JULIET);
    assert_eq!(shown(&house.comes_back(JULIET), JULIET), []);
}

#[test]
fn who_stays_away_over_two_restarts_is_shown_what_was_late_at_either() {
    let ends = |house: &House| house.cells.keys().any(|(.., key)| key == "ends");
    let mut house = house();
    show(&mut house, ROMEO, "romeo");
    leave(&mut house, NURSE, "nurse");
    house.unread = Some(Jid::parse(JULIET).unwrap());
    house.restarts(&[]);
    house.unix_ms += LATER_MS;
    enter(&mut house, PARIS, "paris");
    assert!(ends(&house));
    house.restarts(&[]);
    house.unread = None;
    let told = [
        ("nurse", "unavailable", &[][..]),
        ("paris", "", &[][..]),
        ("romeo", "", &[][..]),
        ("juliet", "", &[110][..]),
    ];
    assert_eq!(shown(&house.comes_back(JULIET), JULIET), expected(&told));
    show(&mut house, ROMEO, "romeo");
    assert!(!ends(&house), "all have come back");
}

#[test]
fn what_a_nick_was_left_for_is_written_with_it() {
    let mut house = house();
    let as_jules = format!("{}/jules", house.jid);
    house.says(JULIET, &format!("<presence to='{as_jules}'/>"));
    affiliate(&mut house, FOUNDER, NURSE, "outcast");
    affiliate(&mut house, FOUNDER, ROMEO, "member");
    let heard = house.restarts(&[]);
    let told = [
        ("juliet", "unavailable", &[][..]),
        ("nurse", "unavailable", &[][..]),
        ("jules", "", &[][..]),
        ("romeo", "", &[110][..]),
    ];
    assert_eq!(shown(&heard, ROMEO), expected(&told));
    // Who took the nick meanwhile is there.
    enter(&mut house, PARIS, "juliet");
    let heard = house.restarts(&[]);
    let kinds: Vec<_> = shown(&heard, ROMEO).into_iter().filter(|one| one.0 == "juliet").collect();
    assert_eq!(kinds, expected(&[("juliet", "", &[])]));
}

#[test]
fn nicks_that_were_left_are_forgotten() {
    let left = |house: &House| -> Vec<String> {
        let cells = house.cells.keys().filter(|(table, ..)| *table == LEFT.name());
        cells.map(|(_, _, nick)| nick.clone()).collect()
    };
    let mut house = house();
    leave(&mut house, NURSE, "nurse");
    leave(&mut house, ROMEO, "romeo");
    assert_eq!(left(&house), ["nurse", "romeo"]);
    house.unix_ms += LATER_MS;
    leave(&mut house, JULIET, "juliet");
    assert_eq!(left(&house), ["juliet"]);
    leave(&mut house, FOUNDER, "founder");
    assert_eq!(left(&house), [""; 0], "nobody could come back");
}

#[test]
fn who_sat_where_there_is_no_service_any_more_is_told_so_section_11_2() {
    let mut house = house();
    let number = house.settings.services[0].1;
    house.settings.services = vec![(Bare::host("rooms.wax.example").unwrap(), number)];
    let heard = house.restarts(&[]);
    for (who, nick) in [(JULIET, "juliet"), (FOUNDER, "founder")] {
        assert_eq!(shown(&heard, who), expected(&[(nick, "unavailable", &[332, 110])]));
    }
    let is_seat = |table: &str| table == engine::unit::OCCUPANTS.name();
    assert!(house.is_made && !house.cells.keys().any(|(table, ..)| is_seat(table)));
    assert!(!house.is_loaded());
}

#[test]
fn all_who_come_back_at_once_are_told_what_they_have_missed_out_of_one_page() {
    let mut house = founded(&[]);
    let all: Vec<_> = (0..9).map(|number| format!("who{number}@wax.example/x")).collect();
    for (number, who) in all.iter().enumerate() {
        enter(&mut house, who, &format!("who{number}"));
    }
    for (number, who) in all.iter().enumerate() {
        house.goes_away(who);
        super::say(&mut house, FOUNDER, &number.to_string());
    }
    house.late = true;
    let mut heard: Vec<_> = all.iter().flat_map(|who| house.comes_back(who)).collect();
    assert_eq!((heard.len(), house.waits()), (0, 1), "{heard:?}");
    heard.extend(house.goes_on(Ok(())));
    assert_eq!(house.waits(), 0);
    for (number, who) in all.iter().enumerate() {
        let said = to(&heard, who).into_iter().map(|one| {
            let body = one.child(Name::new(ns::CLIENT, "body")).expect("a body");
            body.text().parse().expect("a number")
        });
        assert_eq!(said.collect::<Vec<usize>>(), (number..9).collect::<Vec<_>>(), "{who}");
    }
    house.late = false;
    let heard = super::say(&mut house, FOUNDER, "new");
    assert!(all.iter().all(|who| to(&heard, who).len() == 1), "{heard:?}");
}

#[test]
fn who_was_removed_in_the_last_seconds_and_comes_back_is_told_so() {
    let mut house = house();
    give_role(&mut house, FOUNDER, "juliet", "none");
    house.restarts(&[]);
    let told = expected(&[("juliet", "unavailable", &[307, 333, 110][..])]);
    assert_eq!(shown(&house.comes_back(JULIET), JULIET), told);
    assert_eq!(shown(&house.comes_back(PARIS), PARIS), [], "who never was here");
    enter(&mut house, JULIET, "juliet");
    assert_eq!(shown(&house.comes_back(JULIET), JULIET), []);
}

#[test]
fn who_comes_back_while_the_log_cannot_be_read_is_told_when_it_can_be() {
    let mut house = house();
    for who in [JULIET, ROMEO] {
        house.goes_away(who);
    }
    super::say(&mut house, FOUNDER, "1");
    super::say(&mut house, FOUNDER, "2");
    house.wakes(); // what its founder has read is written
    house.late = true;
    for who in [JULIET, ROMEO] {
        assert!(to(&house.comes_back(who), who).is_empty());
    }
    let gone = || Err(Fault::Away("out for lunch".into()));
    for _ in 0..3 {
        assert_eq!(house.waits(), 1, "one read, whoever waits for it");
        assert!(house.goes_on(gone()).is_empty());
        assert_eq!(house.waits(), 0, "not at once again");
        house.wakes();
    }
    house.goes_away(ROMEO);
    house.goes_on(gone());
    house.late = false;
    let heard = super::say(&mut house, FOUNDER, "3");
    assert!(to(&heard, JULIET).is_empty(), "what is before it is told first");
    let heard = house.wakes();
    let said = |heard: &[Stanza], who: &str| -> Vec<String> {
        let said = to(heard, who).into_iter();
        said.filter_map(|one| Some(one.child(Name::new(ns::CLIENT, "body"))?.text().into()))
            .collect()
    };
    assert_eq!(said(&heard, JULIET), ["1", "2", "3"]);
    assert!(to(&heard, ROMEO).is_empty(), "he is not there any more");
    assert_eq!(said(&super::say(&mut house, FOUNDER, "4"), JULIET), ["4"]);
    assert_eq!(said(&house.comes_back(ROMEO), ROMEO), ["1", "2", "3", "4"]);
}
