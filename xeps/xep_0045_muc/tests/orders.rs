//! In which order things are told (XEP-0045 §7.1, §7.14, §8.2), and to which sessions (§7.2.8).

use super::{FOUNDER, affiliate, codes, enter, founded, give_role, item, leave, refusal, say, to};
use engine::wire::*;

const JULIET: &str = "juliet@wax.example/balcony";
const PHONE: &str = "juliet@wax.example/phone";
const ROMEO: &str = "romeo@wax.example/orchard";

fn kinds(heard: &[&Stanza]) -> Vec<String> {
    let kind = |one: &&Stanza| {
        let own = if codes(one).contains(&110) { "own " } else { "" };
        let from = one.head.from.as_ref().and_then(|from| from.resource()).unwrap_or("room");
        let subject = one.child(Name::new(ns::CLIENT, "subject")).map_or("", |_| " subject");
        format!("{own}{from} {}{subject}", one.head.type_str())
    };
    heard.iter().map(kind).collect()
}

#[test]
fn who_enters_hears_of_the_others_of_itself_of_what_was_said_and_of_the_subject_section_7_1() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    say(&mut house, ROMEO, "one");
    house.late = true;
    let mut heard = enter(&mut house, JULIET, "juliet");
    heard.extend(say(&mut house, ROMEO, "two"));
    assert!(heard.is_empty(), "nothing is told before it is durable: {heard:?}");
    while house.waits() > 0 {
        heard.extend(house.goes_on(Ok(())));
    }
    let wanted = [
        "founder ",
        "romeo ",
        "own juliet ",
        "romeo groupchat",
        "room groupchat subject",
        "romeo groupchat",
    ];
    assert_eq!(kinds(&to(&heard, JULIET)), wanted);
    let again = enter(&mut house, JULIET, "juliet");
    house.late = false;
    let mut again = again;
    while house.waits() > 0 {
        again.extend(house.goes_on(Ok(())));
    }
    let wanted = [
        "founder ",
        "romeo ",
        "own juliet ",
        "romeo groupchat",
        "romeo groupchat",
        "room groupchat subject",
    ];
    assert_eq!(
        kinds(&to(&again, JULIET)),
        wanted,
        "and so again, when it asks again (section 7.2.1)"
    );
}

#[test]
fn who_enters_again_under_another_nick_is_told_all_that_who_enters_is_section_17_3() {
    for is_shared in [false, true] {
        let mut house = founded(&[("whois", "anyone")]);
        enter(&mut house, ROMEO, "romeo");
        say(&mut house, ROMEO, "one");
        enter(&mut house, JULIET, "juliet");
        if is_shared {
            enter(&mut house, PHONE, "juliet");
        }
        let heard = enter(&mut house, JULIET, "capulet");
        let own = to(&heard, JULIET);
        let others = if is_shared {
            &["founder ", "juliet ", "romeo "][..]
        } else {
            &["founder ", "romeo "]
        };
        let wanted = [
            &["own juliet unavailable"][..],
            others,
            &["own capulet ", "romeo groupchat", "room groupchat subject"],
        ];
        assert_eq!(kinds(&own), wanted.concat());
        assert_eq!(
            (codes(own[0]), item(own[0], "nick").as_deref()),
            (vec![303, 110], Some("capulet"))
        );
        let itself = own.iter().find(|one| kinds(&[one]) == ["own capulet "]).unwrap();
        assert_eq!(codes(itself), [100, 170, 110]);
        let gone = if is_shared { &[][..] } else { &["juliet unavailable"] };
        assert_eq!(kinds(&to(&heard, ROMEO)), [gone, &["capulet "]].concat());
        assert_eq!(kinds(&to(&say(&mut house, ROMEO, "two"), JULIET)), ["romeo groupchat"]);
    }
}

#[test]
fn what_takes_something_back_is_written_with_it_and_before_what_is_said_then_xep_0424() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    house.late = true;
    let retracts = "<message type='groupchat' id='r'>\
        <retract xmlns='urn:xmpp:message-retract:1' id='x'/><body>retracts</body></message>";
    let mut heard = house.says(ROMEO, retracts);
    heard.extend(say(&mut house, FOUNDER, "two"));
    assert_eq!(house.waits(), 1, "what it takes back is looked for, nothing is written yet");
    heard.extend(house.goes_on(Ok(())));
    assert_eq!(house.waits(), 2, "then both are");
    while house.waits() > 0 {
        heard.extend(house.goes_on(Ok(())));
    }
    assert_eq!(kinds(&to(&heard, ROMEO)), ["romeo groupchat", "founder groupchat"]);
    let said = |text: &str| house.log.iter().position(|(_, entry)| entry.stanza.contains(text));
    assert!(said("retracts") < said("two"), "{:?}", house.log);
}

#[test]
fn who_is_kicked_goes_then_it_is_done_then_the_others_hear_section_8_2() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    enter(&mut house, JULIET, "juliet");
    let heard = give_role(&mut house, FOUNDER, "romeo", "none");
    let whom: Vec<_> = heard.iter().map(|one| one.head.to.as_ref().unwrap().as_str()).collect();
    assert_eq!(whom, [ROMEO, FOUNDER, FOUNDER, JULIET]);
    assert_eq!(heard[1].kind(), Kind::Iq);
    let actor = heard[0].to_text();
    assert!(actor.contains("<actor nick='founder'/>"), "{actor}");
}

/// From the decision on nobody else hears it, but whoever sat when something was said is told it.
#[test]
fn who_is_removed_while_something_is_being_written_is_told_that_and_then_that_it_is_out() {
    let admins = |items: &str| {
        format!(
            "<iq type='set' id='k'><query xmlns='http://jabber.org/protocol/muc#admin'>{items}\
             </query></iq>"
        )
    };
    let owns = |what: &str| {
        let query = "<query xmlns='http://jabber.org/protocol/muc#owner'>";
        format!("<iq type='set' id='k'>{query}{what}</query></iq>")
    };
    let closes = "<x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_membersonly'>\
                  <value>1</value></field></x>";
    for how in [
        admins("<item nick='juliet' role='none'/>"),
        admins("<item jid='juliet@wax.example' affiliation='outcast'/>"),
        owns(closes),
        owns("<destroy/>"),
    ] {
        let mut house = founded(&[]);
        enter(&mut house, ROMEO, "romeo");
        enter(&mut house, JULIET, "juliet");
        enter(&mut house, PHONE, "juliet");
        house.goes_away(PHONE);
        house.late = true;
        let mut heard = say(&mut house, ROMEO, "one");
        heard.extend(house.says(FOUNDER, &how));
        heard.extend(say(&mut house, FOUNDER, "two"));
        assert!(to(&heard, JULIET).is_empty(), "{heard:?}");
        while house.waits() > 0 {
            heard.extend(house.goes_on(Ok(())));
        }
        let wanted = ["romeo groupchat", "own juliet unavailable"];
        assert_eq!(kinds(&to(&heard, JULIET)), wanted, "{how}");
        assert_eq!(kinds(&to(&heard, PHONE)), wanted[1..], "it has no stream");
    }
}

/// It has crossed that on the way.
#[test]
fn who_leaves_while_it_is_being_removed_hears_no_more_but_that_it_is_out() {
    let mut house = founded(&[]);
    enter(&mut house, JULIET, "juliet");
    house.late = true;
    say(&mut house, FOUNDER, "one");
    let outcast = "<item jid='juliet@wax.example' affiliation='outcast'/>";
    let query = format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{outcast}</query>");
    house.says(FOUNDER, &format!("<iq type='set' id='k'>{query}</iq>"));
    let mut heard = leave(&mut house, JULIET, "juliet");
    while house.waits() > 0 {
        heard.extend(house.goes_on(Ok(())));
    }
    assert_eq!(kinds(&to(&heard, JULIET)), ["own juliet unavailable"]);
}

#[test]
fn who_is_told_that_it_is_not_here_hears_nothing_of_when_it_was_after_that_section_7_2_18() {
    let mut house = founded(&[]);
    say(&mut house, FOUNDER, "one");
    house.late = true;
    let mut heard = enter(&mut house, JULIET, "juliet");
    heard.extend(leave(&mut house, JULIET, "juliet"));
    let away = format!("<presence to='{}/juliet'><show>away</show></presence>", house.jid);
    heard.extend(house.says(JULIET, &away));
    while house.waits() > 0 {
        heard.extend(house.goes_on(Ok(())));
    }
    let wanted = ["founder ", "own juliet ", "founder groupchat", "room groupchat subject"];
    let wanted = [&wanted[..], &["own juliet unavailable"; 2]].concat();
    assert_eq!(kinds(&to(&heard, JULIET)), wanted);
}

#[test]
fn who_sleeps_is_told_what_was_said_before_it_hears_that_the_room_is_no_more_section_10_9() {
    let destroys = "<iq type='set' id='d'><query xmlns='http://jabber.org/protocol/muc#owner'>\
                    <destroy/></query></iq>";
    for answers in [true, false] {
        let mut house = founded(&[]);
        enter(&mut house, ROMEO, "romeo");
        enter(&mut house, JULIET, "juliet");
        say(&mut house, ROMEO, "zero");
        house.asleep = Some(Jid::parse(JULIET).unwrap());
        for body in ["one", "two"] {
            assert_eq!(to(&say(&mut house, ROMEO, body), JULIET).len(), 0);
        }
        house.mute = !answers;
        let mut heard = house.says(FOUNDER, destroys);
        if !answers {
            // What comes meanwhile waits, and finds no room any more.
            assert!(heard.is_empty() && say(&mut house, ROMEO, "three").is_empty(), "{heard:?}");
            (0..4).for_each(|_| assert!(house.wakes().is_empty()));
            heard = house.wakes();
            assert_eq!(refusal(&heard, ROMEO).as_deref(), Some("item-not-found"));
        }
        let wanted = ["romeo groupchat", "romeo groupchat", "own juliet unavailable"];
        assert_eq!(kinds(&to(&heard, JULIET)), wanted[if answers { 0 } else { 2 }..]);
        assert!(!house.is_made && !house.is_loaded());
        assert!(heard.iter().any(|one| one.kind() == Kind::Iq && one.head.type_str() == "result"));
    }
}

/// It goes with them, and its log with it.
#[test]
fn the_last_of_a_room_that_is_not_to_stay_are_told_what_slept_before_they_are_put_out() {
    let admin = |item: &str| {
        let query = "<query xmlns='http://jabber.org/protocol/muc#admin'>";
        format!("<iq type='set' id='k'>{query}{item}</query></iq>")
    };
    let closes = "<iq type='set' id='k'><query xmlns='http://jabber.org/protocol/muc#owner'>\
                  <x xmlns='jabber:x:data' type='submit'><field \
                  var='muc#roomconfig_membersonly'><value>1</value></field></x></query></iq>";
    for how in [
        admin("<item nick='juliet' role='none'/>"),
        admin("<item jid='juliet@wax.example' affiliation='outcast'/>"),
        closes.to_owned(),
    ] {
        for answers in [true, false] {
            let mut house = founded(&[("persistentroom", "0")]);
            enter(&mut house, JULIET, "juliet");
            enter(&mut house, PHONE, "juliet");
            say(&mut house, JULIET, "zero");
            leave(&mut house, FOUNDER, "founder");
            house.asleep = Some(Jid::parse(JULIET).unwrap());
            say(&mut house, PHONE, "one");
            house.mute = !answers;
            let mut heard = house.says(FOUNDER, &how);
            if !answers {
                assert!(heard.is_empty(), "{heard:?}");
                (0..5).for_each(|_| heard.extend(house.wakes()));
            }
            let wanted = ["juliet groupchat", "own juliet unavailable"];
            assert_eq!(kinds(&to(&heard, JULIET)), wanted[usize::from(!answers)..], "{how}");
            assert_eq!(to(&heard, FOUNDER)[0].head.type_str(), "result");
            assert!(!house.is_made && !house.is_loaded());
        }
    }
}

#[test]
fn nobody_who_may_not_or_does_not_remove_anybody_makes_a_room_wait() {
    let mut house = founded(&[("persistentroom", "0")]);
    enter(&mut house, JULIET, "juliet");
    enter(&mut house, ROMEO, "romeo");
    say(&mut house, JULIET, "zero");
    leave(&mut house, FOUNDER, "founder");
    house.mute = true;
    let stranger = "tybalt@wax.example/street";
    assert!(refusal(&give_role(&mut house, stranger, "juliet", "none"), stranger).is_some());
    assert!(!affiliate(&mut house, FOUNDER, JULIET, "member").is_empty());
    assert_eq!(to(&say(&mut house, JULIET, "one"), ROMEO).len(), 1);
}

#[test]
fn what_is_said_in_private_comes_behind_what_was_said_to_all_before_rfc6120_10_1() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    enter(&mut house, JULIET, "juliet");
    enter(&mut house, PHONE, "juliet");
    house.late = true;
    let mut heard = say(&mut house, ROMEO, "to all");
    let private = "<message type='chat' to='garden@conference.wax.example/juliet'>\
                   <body>to one</body></message>";
    heard.extend(house.says(ROMEO, private));
    assert!(heard.is_empty(), "{heard:?}");
    while house.waits() > 0 {
        heard.extend(house.goes_on(Ok(())));
    }
    for who in [JULIET, PHONE] {
        let heard = to(&heard, who).into_iter();
        assert_eq!(kinds(&heard.collect::<Vec<_>>()), ["romeo groupchat", "romeo chat"], "{who}");
    }
}

/// Whether it is told them is its account's to say: when the one that is kept is committed.
#[test]
fn copies_of_what_is_said_in_private_go_with_it_and_before_what_is_said_to_all_then() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    enter(&mut house, JULIET, "juliet");
    enter(&mut house, PHONE, "juliet");
    house.slow = true;
    let private = "<message type='chat' to='garden@conference.wax.example/juliet'>\
                   <body>to one</body></message>";
    let mut heard = house.says(ROMEO, private);
    heard.extend(say(&mut house, ROMEO, "to all"));
    for who in [JULIET, PHONE] {
        assert_eq!(kinds(&to(&heard, who)), ["romeo chat", "romeo groupchat"], "{who}");
    }
}

#[test]
fn sessions_of_one_person_share_a_nick_until_the_last_goes_section_7_2_8() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    enter(&mut house, JULIET, "juliet");
    assert_eq!(refusal(&enter(&mut house, PHONE, "juliet"), PHONE), None);
    assert_eq!(refusal(&enter(&mut house, ROMEO, "Juliet"), ROMEO).as_deref(), Some("conflict"));
    for who in [JULIET, PHONE] {
        assert_eq!(to(&say(&mut house, ROMEO, who), who).len(), 1);
        assert_eq!(to(&say(&mut house, who, &format!("by {who}")), ROMEO).len(), 1);
    }
    let private =
        "<message type='chat' to='garden@conference.wax.example/juliet'><body>b</body></message>";
    let heard = house.says(ROMEO, private);
    assert_eq!((to(&heard, JULIET).len(), to(&heard, PHONE).len()), (1, 1));
    // One of them takes another nick: it alone, and the other stays.
    let renamed = house.says(PHONE, "<presence to='garden@conference.wax.example/capulet'/>");
    let own = to(&renamed, PHONE);
    assert_eq!((codes(own[0]), item(own[0], "nick").as_deref()), (vec![303, 110], Some("capulet")));
    assert_eq!(kinds(&to(&renamed, PHONE)), ["own juliet unavailable", "own capulet ", "juliet "]);
    assert_eq!(kinds(&to(&renamed, ROMEO)), ["capulet ", "juliet "], "as the balcony shows it");
    leave(&mut house, PHONE, "capulet");
    enter(&mut house, PHONE, "juliet");
    let gone = leave(&mut house, JULIET, "juliet");
    assert_eq!(kinds(&to(&gone, JULIET)), ["own juliet unavailable"]);
    assert!(to(&gone, ROMEO).is_empty(), "{gone:?}");
    let gone = leave(&mut house, PHONE, "juliet");
    assert_eq!(kinds(&to(&gone, ROMEO)), ["juliet unavailable"]);
}

#[test]
fn a_session_whose_presence_was_seen_gives_way_to_the_other_section_7_2_8() {
    let mut house = founded(&[]);
    enter(&mut house, JULIET, "juliet");
    house.says(
        JULIET,
        "<presence to='garden@conference.wax.example/juliet'><show>dnd</show></presence>",
    );
    enter(&mut house, PHONE, "juliet");
    let heard = leave(&mut house, PHONE, "juliet");
    assert!(to(&heard, FOUNDER)[0].to_text().contains("<show>dnd</show>"), "{heard:?}");
}

#[test]
fn nor_does_one_that_has_taken_another_nick_show_what_the_old_one_is_section_7_6() {
    let garden = "garden@conference.wax.example";
    for speaks in [JULIET, PHONE] {
        let mut house = founded(&[]);
        enter(&mut house, ROMEO, "romeo");
        enter(&mut house, JULIET, "juliet");
        enter(&mut house, PHONE, "juliet");
        house.says(speaks, &format!("<presence to='{garden}/juliet'><show>dnd</show></presence>"));
        let heard = house.says(PHONE, &format!("<presence to='{garden}/capulet'/>"));
        let all = ["capulet ", "juliet "];
        let (by_all, by_founder) = (to(&heard, ROMEO), to(&heard, FOUNDER));
        let changes = speaks == PHONE;
        assert_eq!(kinds(&by_all), all[..1 + usize::from(changes)], "{speaks}");
        if changes {
            assert!(!by_all[1].to_text().contains("dnd"), "{by_all:?}");
            assert_eq!(item(by_founder[1], "jid").as_deref(), Some(JULIET));
        }
        let own = ["own juliet unavailable", "own capulet ", "juliet "];
        assert_eq!(kinds(&to(&heard, PHONE)), own, "{speaks}");
        assert_eq!(kinds(&to(&heard, JULIET))[0], "capulet ", "{speaks}");
    }
}

#[test]
fn who_is_made_a_member_of_a_room_for_members_is_invited_section_9_5() {
    let mut house = founded(&[("membersonly", "1")]);
    let heard = affiliate(&mut house, FOUNDER, JULIET, "member");
    let invited = heard.iter().find(|one| one.kind() == Kind::Message).unwrap();
    assert_eq!(invited.head.to.as_ref().unwrap().as_str(), "juliet@wax.example");
    assert!(
        affiliate(&mut house, FOUNDER, JULIET, "admin")
            .iter()
            .all(|one| one.kind() != Kind::Message)
    );
    let mut open = founded(&[]);
    let heard = affiliate(&mut open, FOUNDER, JULIET, "member");
    assert!(heard.iter().all(|one| one.kind() != Kind::Message), "{heard:?}");
}

#[test]
fn an_owner_who_invites_takes_the_room_as_it_is_section_10_1_1() {
    let mut house = crate::stage_room::House::empty(crate::ALL);
    enter(&mut house, FOUNDER, "founder");
    let refused = enter(&mut house, JULIET, "juliet");
    assert_eq!(refusal(&refused, JULIET).as_deref(), Some("item-not-found"));
    let invite = "<message><x xmlns='http://jabber.org/protocol/muc#user'><invite \
        to='juliet@wax.example'/></x></message>";
    let heard = house.says(FOUNDER, invite);
    assert_eq!(to(&heard, "juliet@wax.example").len(), 1);
    let heard = enter(&mut house, JULIET, "juliet");
    assert_eq!(refusal(&heard, JULIET), None, "{heard:?}");
    leave(&mut house, FOUNDER, "founder");
    leave(&mut house, JULIET, "juliet");
    assert!(house.is_made, "it stays");
}

#[test]
fn a_room_that_is_never_configured_goes_with_who_made_it_section_10_1_3() {
    let mut house = crate::stage_room::House::empty(crate::ALL);
    enter(&mut house, FOUNDER, "founder");
    assert!(house.is_made);
    let heard = leave(&mut house, FOUNDER, "founder");
    assert!(heard[0].to_text().contains("<destroy"), "{heard:?}");
    assert!(!house.is_made && !house.is_loaded());
    enter(&mut house, FOUNDER, "founder");
    let cancel = "<iq type='set' id='c'><query xmlns='http://jabber.org/protocol/muc#owner'>\
        <x xmlns='jabber:x:data' type='cancel'/></query></iq>";
    let heard = house.says(FOUNDER, cancel);
    assert!(heard[0].to_text().contains("<destroy"), "{heard:?}");
    assert!(!house.is_made && house.cells.is_empty(), "{:?}", house.cells);
}

/// It does not know whether it was heard, and has left meanwhile (XEP-0198 §5).
#[test]
fn what_was_said_and_is_said_again_from_outside_is_not_refused_and_told_to_nobody() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    let message = |id: &str| {
        format!(
            "<message type='groupchat' id='1'><body>x</body>\
             <origin-id xmlns='urn:xmpp:sid:0' id='{id}'/></message>"
        )
    };
    assert_eq!(house.says(ROMEO, &message("one")).len(), 2);
    leave(&mut house, ROMEO, "romeo");
    assert!(house.says(ROMEO, &message("one")).is_empty());
    let heard = house.says(ROMEO, &message("two"));
    assert_eq!(refusal(&heard, ROMEO).as_deref(), Some("not-acceptable"));
}

#[test]
fn who_cannot_be_reached_is_not_invited_section_7_8_2() {
    let mut house = founded(&[]);
    let invite = "<message><x xmlns='http://jabber.org/protocol/muc#user'><invite \
                  to='paris@nowhere.example'/></x></message>";
    let heard = house.says(FOUNDER, invite);
    assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("item-not-found"));
}
