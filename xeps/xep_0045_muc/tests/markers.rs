//! Up to where the members of a room have read (XEP-0333).

use super::{FOUNDER, affiliate, enter, founded, leave, refusal, say, to};
use crate::{
    stage_room::House,
    xep_0045_muc::xep_0333_markers::{FANOUT_MAX, MARKS, Mark},
};
use engine::{
    port::Fault,
    setting::Value,
    unit::{Flags, Pos},
    wire::*,
};

const JULIET: &str = "juliet@wax.example/balcony";
const ROMEO: &str = "romeo@far.example/orchard";
const TYBALT: &str = "tybalt@wax.example/street";
const BODY: Name = Name::new(ns::CLIENT, "body");

fn bare(jid: &str) -> Bare {
    Jid::parse(jid).unwrap().bare()
}

/// A room with the founder, Juliet and Romeo, who are members, and Tybalt, who is not.
fn garden(fields: &[(&str, &str)]) -> House {
    let mut house = founded(fields);
    for (who, nick) in [(JULIET, "juliet"), (ROMEO, "romeo"), (TYBALT, "tybalt")] {
        if who != TYBALT {
            affiliate(&mut house, FOUNDER, who, "member");
        }
        enter(&mut house, who, nick);
    }
    house
}

/// What the store has of somebody's mark.
fn kept(house: &House, who: &str) -> Option<Mark> {
    let key = (MARKS.name(), house.jid.clone(), bare(who).as_str().to_owned());
    house.cells.get(&key).map(|value| Mark::load(value).unwrap())
}

/// The same, once a moment has passed.
fn mark(house: &mut House, who: &str) -> Option<Pos> {
    house.wakes();
    kept(house, who).map(|mark| mark.displayed).filter(|displayed| *displayed > Pos::default())
}

fn last(house: &House) -> Pos {
    house.log.last().unwrap().0
}

fn name(house: &House, pos: Pos) -> String {
    house.settings.names.name(&house.jid, pos)
}

fn displays(house: &mut House, who: &str, id: &str, beside: &str) -> Vec<Stanza> {
    let marker = format!("<displayed xmlns='urn:xmpp:chat-markers:0' id='{id}'/>");
    house.says(who, &format!("<message type='groupchat' id='d'>{marker}{beside}</message>"))
}

fn asks(house: &mut House, who: &str, set: &str) -> Vec<Stanza> {
    let marks = format!("<marks xmlns='urn:waxwing:room-marks:0'>{set}</marks>");
    let heard = house.says(who, &format!("<iq type='get' id='m'>{marks}</iq>"));
    heard.into_iter().filter(|one| one.kind() == Kind::Iq).collect()
}

/// Of each mark: whose it is, its address, up to where.
fn told(answer: &[Stanza]) -> Vec<(String, Option<String>, String)> {
    let marks = answer[0].child(Name::new("urn:waxwing:room-marks:0", "marks")).unwrap();
    let id = |of: Element<'_>, name| of.child(name).unwrap().attribute("id").unwrap().into_owned();
    let told = marks.children().filter(|child| child.local() == "mark").map(|mark| {
        (
            id(mark, Name::new("urn:xmpp:occupant-id:0", "occupant-id")),
            mark.attribute("jid").map(|jid| jid.into_owned()),
            id(mark, Name::new("urn:xmpp:sid:0", "stanza-id")),
        )
    });
    told.collect()
}

#[test]
fn a_marker_says_up_to_where_a_member_has_read_and_only_moves_on_section_5() {
    let mut house = garden(&[]);
    let said: Vec<_> = ["1", "2", "3"]
        .map(|body| {
            say(&mut house, FOUNDER, body);
            last(&house)
        })
        .into();
    let second = name(&house, said[1]);
    let heard = displays(&mut house, JULIET, &second, "");
    assert_eq!(to(&heard, ROMEO).len(), 1, "in a small room everybody hears of it");
    assert!(house.log.last().unwrap().1.stanza.contains("displayed"), "and the archive has it");
    assert_eq!(kept(&house, JULIET).unwrap().displayed, Pos::default(), "not written at once");
    assert_eq!(mark(&mut house, JULIET), Some(said[1]));
    for (id, then) in [(0, 1), (1, 1), (2, 2), (0, 2)] {
        let id = name(&house, said[id]);
        displays(&mut house, JULIET, &id, "");
        assert_eq!(mark(&mut house, JULIET), Some(said[then]));
    }
    assert_eq!(mark(&mut house, ROMEO), None, "another member");
}

#[test]
fn an_id_that_is_of_no_message_of_the_room_says_nothing_section_5() {
    let mut house = garden(&[]);
    say(&mut house, FOUNDER, "1");
    let elsewhere = house.settings.names.name(&bare(JULIET), last(&house));
    for id in ["1", "", "no such id", &elsewhere] {
        displays(&mut house, JULIET, id, "");
        assert_eq!(mark(&mut house, JULIET), None, "{id}");
    }
}

#[test]
fn who_speaks_has_read_what_was_said_before_xep_0430_section_4() {
    let mut house = garden(&[]);
    say(&mut house, FOUNDER, "1");
    say(&mut house, JULIET, "2");
    let own = last(&house);
    assert!(house.log.last().unwrap().1.flags.has(Flags::SPEAKS));
    assert_eq!(mark(&mut house, JULIET), Some(own));
    let react = "<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>x</reaction></reactions>";
    house.says(JULIET, &format!("<message type='groupchat'>{react}</message>"));
    assert!(last(&house) > own && !house.log.last().unwrap().1.flags.has(Flags::SPEAKS));
    assert_eq!(mark(&mut house, JULIET), Some(own), "which is not to be read");
}

#[test]
fn in_a_large_room_a_marker_is_told_to_nobody_else_and_not_kept() {
    let mut house = garden(&[]);
    house.settings.choose(&FANOUT_MAX, Value::Number(3));
    say(&mut house, FOUNDER, "1");
    let first = last(&house);
    let id = name(&house, first);
    let before = house.settled;
    let beside = "<thread>t</thread><origin-id xmlns='urn:xmpp:sid:0' id='o'/>\
        <store xmlns='urn:xmpp:hints'/><active xmlns='http://jabber.org/protocol/chatstates'/>";
    let heard = displays(&mut house, JULIET, &id, beside);
    assert_eq!(heard.len(), 1);
    assert_eq!(to(&heard, JULIET).len(), 1, "its sender hears it as it does in any room");
    assert_eq!((last(&house), house.settled), (first, before + 1));
    assert_eq!(mark(&mut house, JULIET), Some(first));
    let heard = displays(&mut house, ROMEO, "unknown", "");
    assert_eq!((heard.len(), to(&heard, ROMEO).len()), (1, 1));
    // What says more is for everybody.
    let heard = displays(&mut house, ROMEO, &id, "<body>And I!</body>");
    assert_eq!(heard.len(), 4);
    assert!(last(&house) > first);
    house.settings.choose(&FANOUT_MAX, Value::Number(4));
    assert_eq!(displays(&mut house, FOUNDER, &id, "").len(), 4, "as many as the limit says");
}

#[test]
fn of_who_is_no_member_nothing_is_kept() {
    let mut house = garden(&[]);
    say(&mut house, FOUNDER, "1");
    let id = name(&house, last(&house));
    displays(&mut house, TYBALT, &id, "");
    say(&mut house, TYBALT, "2");
    assert_eq!(mark(&mut house, TYBALT), None);
}

#[test]
fn what_was_said_before_somebody_became_a_member_is_no_news() {
    let mut house = garden(&[]);
    say(&mut house, FOUNDER, "1");
    affiliate(&mut house, FOUNDER, TYBALT, "member");
    let first = last(&house);
    assert_eq!(kept(&house, TYBALT), Some(Mark { since: first, ..Mark::default() }));
    let id = name(&house, first);
    displays(&mut house, TYBALT, &id, "");
    house.wakes();
    assert_eq!(
        kept(&house, TYBALT),
        Some(Mark { displayed: first, since: first, ..Mark::default() })
    );
    affiliate(&mut house, FOUNDER, TYBALT, "admin");
    assert_eq!(
        kept(&house, TYBALT),
        Some(Mark { displayed: first, since: first, ..Mark::default() }),
        "it stays"
    );
    let id = name(&house, last(&house));
    displays(&mut house, TYBALT, &id, "");
    affiliate(&mut house, FOUNDER, TYBALT, "none");
    assert_eq!(mark(&mut house, TYBALT), None);
    assert_eq!(kept(&house, TYBALT), None, "nor of who was one");
}

#[test]
fn marks_outlive_the_process_and_the_room_stays_until_they_are_written() {
    let mut house = garden(&[("persistentroom", "1")]);
    say(&mut house, FOUNDER, "1");
    let first = last(&house);
    house.wakes();
    let id = name(&house, first);
    displays(&mut house, JULIET, &id, "");
    house.wakes();
    house.restarts(&[]);
    say(&mut house, FOUNDER, "2");
    displays(&mut house, JULIET, &id, "");
    assert_eq!(mark(&mut house, JULIET), Some(first));
    say(&mut house, FOUNDER, "3");
    let third = last(&house);
    let id = name(&house, third);
    displays(&mut house, JULIET, &id, "");
    for (who, nick) in [(JULIET, "juliet"), (TYBALT, "tybalt"), (FOUNDER, "founder")] {
        leave(&mut house, who, nick);
    }
    assert_eq!(mark(&mut house, JULIET), Some(third));
}

#[test]
fn marks_that_could_not_be_written_are_written_again_and_nobody_is_shown_out() {
    let mut house = garden(&[]);
    say(&mut house, FOUNDER, "1");
    let first = last(&house);
    house.wakes();
    house.late = true;
    let id = name(&house, first);
    displays(&mut house, JULIET, &id, "");
    house.goes_on(Ok(())); // the marker itself
    house.wakes();
    assert_eq!(house.waits(), 1);
    house.wakes();
    assert_eq!(house.waits(), 1, "not asked twice");
    let heard = house.goes_on(Err(Fault::Away("out for lunch".into())));
    assert!(heard.is_empty(), "{heard:?}");
    house.wakes();
    house.goes_on(Ok(()));
    assert_eq!(kept(&house, JULIET).unwrap().displayed, first);
    assert_eq!(house.waits(), 0);
}

#[test]
fn a_room_that_is_no_more_has_no_marks() {
    let mut house = garden(&[]);
    say(&mut house, JULIET, "1");
    house.says(
        FOUNDER,
        "<iq type='set' id='x'><query xmlns='http://jabber.org/protocol/muc#owner'><destroy/>\
         </query></iq>",
    );
    house.wakes();
    assert!(!house.is_made && kept(&house, JULIET).is_none());
    assert_eq!(house.waits(), 0);
}

#[test]
fn the_writers_word_of_marks_comes_to_no_other_room() {
    let mut house = garden(&[]);
    say(&mut house, JULIET, "1");
    house.late = true;
    house.wakes();
    assert_eq!(house.waits(), 1);
    house.says(
        FOUNDER,
        "<iq type='set' id='x'><query xmlns='http://jabber.org/protocol/muc#owner'><destroy/>\
         </query></iq>",
    );
    // The marks and the end of the room come to the store in this order.
    assert!(house.is_loaded());
    while house.waits() > 0 {
        assert!(house.is_loaded());
        house.goes_on(Ok(()));
    }
    assert!(!house.is_loaded() && !house.is_made && kept(&house, JULIET).is_none());
}

#[test]
fn who_has_read_what_is_told_to_members_and_who_is_here() {
    let mut house = garden(&[("whois", "moderators")]);
    say(&mut house, JULIET, "1");
    let first = name(&house, last(&house));
    say(&mut house, ROMEO, "2");
    let second = name(&house, last(&house));
    let ids = |who: &str, house: &House| {
        let said =
            house.log.iter().rev().map(|(_, entry)| Stanza::parse_one(&entry.stanza).unwrap());
        let nick = format!("/{who}");
        let mut theirs =
            said.filter(|one| one.head.from.as_ref().unwrap().as_str().ends_with(&nick));
        let spoke = theirs.find(|one| one.child(BODY).is_some()).unwrap();
        let id = spoke.child(Name::new("urn:xmpp:occupant-id:0", "occupant-id")).unwrap();
        id.attribute("id").unwrap().into_owned()
    };
    let mut wanted =
        [(ids("juliet", &house), bare(JULIET), first), (ids("romeo", &house), bare(ROMEO), second)];
    wanted.sort();
    let all = |sees: bool| -> Vec<_> {
        let address = |who: &Bare| sees.then(|| who.as_str().to_owned());
        wanted.iter().map(|(id, who, upto)| (id.clone(), address(who), upto.clone())).collect()
    };
    for (who, sees) in [(JULIET, false), (TYBALT, false), (FOUNDER, true)] {
        assert_eq!(told(&asks(&mut house, who, "")), all(sees), "{who}");
    }
    leave(&mut house, ROMEO, "romeo");
    assert_eq!(told(&asks(&mut house, ROMEO, "")), all(false), "a member who is away");
    leave(&mut house, TYBALT, "tybalt");
    let heard = asks(&mut house, TYBALT, "");
    assert_eq!(refusal(&heard, TYBALT).as_deref(), Some("forbidden"));
}

#[test]
fn marks_are_told_page_by_page() {
    let mut house = garden(&[]);
    for who in [FOUNDER, JULIET, ROMEO] {
        say(&mut house, who, "x");
    }
    let all = told(&asks(&mut house, FOUNDER, ""));
    assert_eq!(all.len(), 3);
    let rsm = |set: &str| format!("<set xmlns='http://jabber.org/protocol/rsm'>{set}</set>");
    for (set, page) in [
        ("<max>2</max>".to_owned(), 0..2),
        (format!("<max>2</max><after>{}</after>", all[1].0), 2..3),
        (format!("<after>{}</after>", all[2].0), 3..3),
        ("<max>2</max><before/>".to_owned(), 1..3),
        (format!("<before>{}</before>", all[1].0), 0..1),
        (format!("<after>{0}</after><before>{0}</before>", all[1].0), 2..2),
        ("<max>0</max>".to_owned(), 0..0),
    ] {
        assert_eq!(told(&asks(&mut house, FOUNDER, &rsm(&set))), all[page], "{set}");
    }
    let heard = asks(&mut house, FOUNDER, &rsm("<after>nobody</after>"));
    assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("item-not-found"));
    let heard = asks(&mut house, FOUNDER, &rsm("<max>many</max>"));
    assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("bad-request"));
}
