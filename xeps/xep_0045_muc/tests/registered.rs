//! Who asks to be a member where only members may enter, and who says so (XEP-0045 §7.10, §9.9).

use super::{FOUNDER, affiliate, enter, founded, give_role, item, leave, refusal, say, to};
use crate::stage_room::House;
use engine::wire::*;

const ROMEO: &str = "romeo@wax.example/orchard";
const NURSE: &str = "nurse@wax.example/chamber";

pub fn register(house: &mut House, who: &str, nick: &str) -> Vec<Stanza> {
    house.says(
        who,
        &format!(
            "<iq type='set' id='r'><query xmlns='jabber:iq:register'>\
             <x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>\
             <field var='muc#register_roomnick'><value>{nick}</value></field>\
             </x></query></iq>"
        ),
    )
}

pub fn answer(house: &mut House, who: &str, whom: &str, nick: &str, allow: &str) -> Vec<Stanza> {
    house.says(
        who,
        &format!(
            "<message><x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>\
             <field var='muc#jid'><value>{whom}</value></field>\
             <field var='muc#register_roomnick'><value>{nick}</value></field>\
             <field var='muc#register_allow'><value>{allow}</value></field></x></message>"
        ),
    )
}

#[test]
fn admins_and_owners_say_who_becomes_a_member_section_9_9() {
    let mut house = founded(&[("membersonly", "1")]);
    affiliate(&mut house, FOUNDER, NURSE, "admin");
    affiliate(&mut house, FOUNDER, "paris@wax.example/x", "member");
    enter(&mut house, "paris@wax.example/x", "paris");
    let heard = register(&mut house, ROMEO, "montague");
    assert_eq!(refusal(&heard, ROMEO), None);
    for (whom, is_asked) in
        [(FOUNDER, true), ("nurse@wax.example", true), ("paris@wax.example/x", false)]
    {
        let asked: Vec<_> = to(&heard, whom).iter().map(|one| one.to_text()).collect();
        assert_eq!(asked.len(), usize::from(is_asked), "{whom}");
        assert!(asked.iter().all(|one| one.contains("<value>romeo@wax.example</value>")));
        assert!(asked.iter().all(|one| one.contains("muc#register_allow")), "{asked:?}");
    }
    assert_eq!(register(&mut house, ROMEO, "montague").len(), 1, "he has asked");
    assert_eq!(
        refusal(&enter(&mut house, ROMEO, "montague"), ROMEO).as_deref(),
        Some("registration-required")
    );
    let no_admin = "paris@wax.example/x";
    let heard = answer(&mut house, no_admin, "romeo@wax.example", "montague", "1");
    assert_eq!(refusal(&heard, no_admin).as_deref(), Some("forbidden"));
    // An admin who is not here may, too.
    let heard = answer(&mut house, NURSE, "romeo@wax.example", "montague", "1");
    assert_eq!(refusal(&heard, NURSE), None);
    let invited = heard.iter().find(|one| one.to_text().contains("<invite "));
    assert!(invited.is_some(), "he hears of it: {heard:?}");
    let heard = enter(&mut house, ROMEO, "montague");
    let own = to(&heard, ROMEO).into_iter().next_back().unwrap();
    assert_eq!(own.head.type_str(), "groupchat", "he is in: {heard:?}");
    let own = to(&heard, FOUNDER);
    assert_eq!(item(own[0], "affiliation").as_deref(), Some("member"));
    let late = answer(&mut house, FOUNDER, "romeo@wax.example", "montague", "0");
    assert_eq!(refusal(&late, FOUNDER).as_deref(), Some("item-not-found"), "another has answered");
}

#[test]
fn who_is_not_let_in_can_ask_again_and_nobody_is_made_a_member_who_never_asked() {
    let mut house = founded(&[("membersonly", "1")]);
    register(&mut house, ROMEO, "montague");
    let heard = answer(&mut house, FOUNDER, "romeo@wax.example", "montague", "0");
    assert_eq!(refusal(&heard, FOUNDER), None);
    assert_eq!(
        refusal(&enter(&mut house, ROMEO, "montague"), ROMEO).as_deref(),
        Some("registration-required")
    );
    assert_eq!(register(&mut house, ROMEO, "montague").len(), 2, "he asks again");
    let heard = answer(&mut house, FOUNDER, "tybalt@wax.example", "tybalt", "1");
    assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("item-not-found"));
    let heard = answer(&mut house, FOUNDER, "romeo@wax.example", "founder", "1");
    assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("conflict"), "that is another's nick");
    for wrong in ["", "<field var='muc#jid'><value>@</value></field>"] {
        let form = format!(
            "<message><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
             <value>http://jabber.org/protocol/muc#register</value></field>{wrong}</x></message>"
        );
        let heard = house.says(FOUNDER, &form);
        assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("bad-request"), "{wrong}");
    }
    leave(&mut house, FOUNDER, "founder");
    for n in 0..120 {
        let who = format!("u{n}@wax.example/x");
        let refused = refusal(&register(&mut house, &who, &format!("nick{n}")), &who);
        let wanted = if n < 99 { None } else { Some("resource-constraint") };
        assert_eq!(refused.as_deref(), wanted, "{n}");
    }
}

#[test]
fn who_is_cast_out_may_not_register_section_7_10() {
    let mut house = founded(&[]);
    affiliate(&mut house, FOUNDER, ROMEO, "outcast");
    let heard = register(&mut house, ROMEO, "montague");
    assert_eq!(refusal(&heard, ROMEO).as_deref(), Some("not-allowed"));
}

/// With being a member comes voice (§5.1.2), which nobody gives himself (§8.3).
#[test]
fn who_has_no_voice_becomes_a_member_when_an_admin_says_so_section_9_9() {
    for is_moderated in [true, false] {
        let moderated = [("moderatedroom", if is_moderated { "1" } else { "0" })];
        let mut house = founded(&moderated);
        enter(&mut house, ROMEO, "montague");
        if !is_moderated {
            give_role(&mut house, FOUNDER, "montague", "visitor");
        }
        let heard = register(&mut house, ROMEO, "montague");
        assert_eq!(refusal(&heard, ROMEO), None);
        assert_eq!(to(&heard, FOUNDER).len(), 1, "the owner is asked: {heard:?}");
        assert!(to(&heard, FOUNDER)[0].to_text().contains("muc#register_allow"), "{heard:?}");
        let heard = say(&mut house, ROMEO, "hark");
        assert_eq!(refusal(&heard, ROMEO).as_deref(), Some("forbidden"), "he is silent still");
        let heard = answer(&mut house, FOUNDER, "romeo@wax.example", "montague", "1");
        let shown = to(&heard, ROMEO);
        assert_eq!(item(shown[0], "affiliation").as_deref(), Some("member"), "{heard:?}");
        assert!(heard.iter().all(|one| !one.to_text().contains("<invite ")), "he is here");
        assert_eq!(refusal(&say(&mut house, ROMEO, "hark"), ROMEO), None);
    }
    let mut house = founded(&[]);
    let heard = register(&mut house, ROMEO, "montague");
    assert_eq!((heard.len(), refusal(&heard, ROMEO)), (1, None), "where all may speak, at once");
    let heard = enter(&mut house, ROMEO, "montague");
    assert_eq!(item(to(&heard, FOUNDER)[0], "affiliation").as_deref(), Some("member"));
}

#[test]
fn who_stays_unknown_does_not_register_section_7_10() {
    const GUEST: &str = "7f3a@guests.example/r";
    let mut house = founded(&[]);
    house.settings.anonymous.push(Bare::host("guests.example").unwrap());
    let heard = register(&mut house, GUEST, "stranger");
    assert_eq!(refusal(&heard, GUEST).as_deref(), Some("not-allowed"));
    let asks = "<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>";
    assert_eq!(refusal(&house.says(GUEST, asks), GUEST).as_deref(), Some("not-allowed"));
    // Whom an admin has made a member may have a nick of its own.
    affiliate(&mut house, FOUNDER, GUEST, "member");
    assert_eq!(refusal(&register(&mut house, GUEST, "stranger"), GUEST), None);
}

#[test]
fn a_request_outlasts_the_process_and_an_empty_room_and_is_gone_when_it_is_answered() {
    for (allow, is_banned, left) in
        [("1", false, 0), ("0", false, 0), ("", true, 0), ("", false, 1)]
    {
        let mut house = founded(&[("membersonly", "1")]);
        assert_eq!(refusal(&register(&mut house, ROMEO, "montague"), ROMEO), None);
        leave(&mut house, FOUNDER, "founder");
        house.restarts(&[]);
        assert!(!house.is_loaded());
        if is_banned {
            affiliate(&mut house, FOUNDER, "wax.example", "outcast");
        }
        if !allow.is_empty() {
            let heard = answer(&mut house, FOUNDER, "romeo@wax.example", "montague", allow);
            assert_eq!(refusal(&heard, FOUNDER), None);
        }
        let kept = house.cells.keys().filter(|(_, _, key)| key.starts_with("register/"));
        assert_eq!(kept.count(), left, "{allow} {is_banned}");
    }
}

#[test]
fn who_asks_again_the_next_day_is_asked_for_again_and_makes_room_for_others_section_9_9() {
    let mut house = founded(&[("membersonly", "1")]);
    register(&mut house, ROMEO, "montague");
    house.unix_ms += 86_400_000 - 1;
    assert_eq!(register(&mut house, ROMEO, "montague").len(), 1);
    house.unix_ms += 1;
    assert_eq!(register(&mut house, ROMEO, "montague").len(), 2, "nobody may have seen it");
    let who = |n: usize| format!("u{n}@wax.example/x");
    for n in 0..99 {
        assert_eq!(refusal(&register(&mut house, &who(n), &format!("nick{n}")), &who(n)), None);
    }
    let heard = register(&mut house, NURSE, "nurse");
    assert_eq!(refusal(&heard, NURSE).as_deref(), Some("resource-constraint"));
    house.unix_ms += 86_400_000;
    assert_eq!(refusal(&register(&mut house, NURSE, "nurse"), NURSE), None);
    let kept = house.cells.keys().filter(|(_, _, key)| key.starts_with("register/"));
    assert_eq!(kept.count(), 100);
    let heard = answer(&mut house, FOUNDER, "romeo@wax.example", "montague", "1");
    assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("item-not-found"), "the first that asked");
    // With the room they go.
    let destroy = "<iq type='set' id='d'><query xmlns='http://jabber.org/protocol/muc#owner'>\
        <destroy/></query></iq>";
    house.says(FOUNDER, destroy);
    enter(&mut house, FOUNDER, "founder");
    let heard = answer(&mut house, FOUNDER, "nurse@wax.example", "nurse", "1");
    assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("item-not-found"));
}
