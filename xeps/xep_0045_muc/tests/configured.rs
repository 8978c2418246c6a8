//! What owners choose, and what everybody hears of it (XEP-0045 §10.2).

use super::{FOUNDER, affiliate, codes, configure, enter, founded, item, refusal, to};
use crate::{stage_room::House, xep_0045_muc::CREATION};
use engine::{setting::Value, wire::*};

const ROMEO: &str = "romeo@wax.example/orchard";
const NURSE: &str = "nurse@wax.example/chamber";

/// The codes of the message that says that the configuration has changed.
fn told(heard: &[Stanza], who: &str) -> Vec<u16> {
    let heard = to(heard, who);
    let mut messages = heard.iter().filter(|one| one.kind() == Kind::Message);
    messages.next().map(|message| codes(message)).unwrap_or_default()
}

/// Submits lists of addresses.
fn list(house: &mut House, lists: &[(&str, &[&str])]) -> Vec<Stanza> {
    let field = |(var, all): &(&str, &[&str])| {
        let values: String = all.iter().map(|one| format!("<value>{one}</value>")).collect();
        format!("<field var='muc#roomconfig_{var}'>{values}</field>")
    };
    let fields: String = lists.iter().map(field).collect();
    house.says(
        FOUNDER,
        &format!(
            "<iq type='set' id='c'><query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'>{fields}</x></query></iq>"
        ),
    )
}

/// The addresses of an affiliation.
fn listed(house: &mut House, affiliation: &str) -> Vec<String> {
    let asked = format!(
        "<iq type='get' id='l'><query xmlns='http://jabber.org/protocol/muc#admin'>\
         <item affiliation='{affiliation}'/></query></iq>"
    );
    let heard = house.says(FOUNDER, &asked);
    let query = heard[0].children().next().unwrap();
    query.children().map(|item| item.attribute("jid").unwrap().into_owned()).collect()
}

#[test]
fn what_concerns_privacy_is_told_by_its_own_code_section_10_2_1() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    for (field, value, wanted) in [
        ("roomname", "Roses", &[104][..]),
        ("whois", "anyone", &[104, 172]),
        ("whois", "moderators", &[104, 173]),
        ("enablearchiving", "0", &[104, 171]),
        ("enablearchiving", "1", &[104, 170]),
        ("publicroom", "0", &[104, 171]),
        ("publicroom", "1", &[104, 170]),
        ("publicroom", "1", &[]),
    ] {
        let heard = configure(&mut house, FOUNDER, &[(field, value)]);
        assert_eq!(told(&heard, ROMEO), wanted, "{field} {value}");
    }
}

#[test]
fn who_enters_is_told_whether_everybody_can_read_what_is_said_section_7_2_12() {
    for (field, value, wanted) in
        [("roomname", "Roses", true), ("enablearchiving", "0", false), ("publicroom", "0", false)]
    {
        let mut house = founded(&[(field, value)]);
        let heard = enter(&mut house, ROMEO, "romeo");
        let own = to(&heard, ROMEO).into_iter().find(|one| codes(one).contains(&110)).unwrap();
        assert_eq!(codes(own).contains(&170), wanted, "{field}");
    }
}

#[test]
fn a_form_lists_all_admins_and_owners_and_who_is_left_out_is_none_section_10_2() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    let heard = list(&mut house, &[("roomadmins", &["romeo@wax.example/x", "nurse@wax.example"])]);
    assert_eq!(refusal(&heard, FOUNDER), None);
    let seen = to(&heard, FOUNDER).into_iter().find(|one| one.kind() == Kind::Presence).unwrap();
    assert_eq!(item(seen, "affiliation").as_deref(), Some("admin"));
    assert_eq!(item(seen, "role").as_deref(), Some("moderator"));
    assert_eq!(listed(&mut house, "admin"), ["nurse@wax.example", "romeo@wax.example"]);
    assert_eq!(listed(&mut house, "owner"), ["founder@wax.example"], "nobody listed owners");
    list(&mut house, &[("roomadmins", &["nurse@wax.example"])]);
    assert_eq!(listed(&mut house, "member"), ["romeo@wax.example"]);
    let owners = ["nurse@wax.example", "founder@wax.example"];
    list(&mut house, &[("roomowners", &owners)]);
    assert_eq!(listed(&mut house, "owner"), ["founder@wax.example", "nurse@wax.example"]);
    let form = house.says(
        FOUNDER,
        "<iq type='get' id='f'><query xmlns='http://jabber.org/protocol/muc#owner'/></iq>",
    );
    let form = form[0].to_text();
    let owners: String =
        ["founder", "nurse"].map(|one| format!("<value>{one}@wax.example</value>")).concat();
    assert!(form.contains(&format!("label='All owners'>{owners}")), "{form}");
    // An owner who is listed no more is an admin.
    list(&mut house, &[("roomowners", &["founder@wax.example"])]);
    assert_eq!(listed(&mut house, "admin"), ["nurse@wax.example"]);
}

#[test]
fn a_list_that_leaves_no_owner_is_a_conflict_and_changes_nothing_section_10_4() {
    let mut house = founded(&[]);
    affiliate(&mut house, FOUNDER, NURSE, "admin");
    let heard = list(&mut house, &[("roomname", &["Tombs"]), ("roomowners", &[])]);
    assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("conflict"));
    for wrong in ["no address@@", "wax.example"] {
        let heard = list(&mut house, &[("roomname", &["Tombs"]), ("roomadmins", &[wrong])]);
        assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("not-acceptable"), "{wrong}");
    }
    assert_eq!(listed(&mut house, "owner"), ["founder@wax.example"]);
    assert_eq!(listed(&mut house, "admin"), ["nurse@wax.example"]);
    let info = "<iq type='get' id='i'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>";
    assert!(!house.says(FOUNDER, info)[0].to_text().contains("Tombs"));
}

#[test]
fn requests_do_not_pass_where_owners_do_not_want_that() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    configure(&mut house, FOUNDER, &[("{x}", "1")]);
    let query = format!(
        "<iq type='get' id='v' to='{}/founder'><query xmlns='jabber:iq:version'/></iq>",
        house.jid
    );
    assert_eq!(refusal(&house.says(ROMEO, &query), ROMEO), None);
    house.says(
        FOUNDER,
        "<iq type='set' id='c'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'><field var='allow_query_users'>\
         <value>0</value></field></x></query></iq>",
    );
    assert_eq!(refusal(&house.says(ROMEO, &query), ROMEO).as_deref(), Some("not-allowed"));
    let ping = format!(
        "<iq type='get' id='p' to='{}/romeo'><ping xmlns='urn:xmpp:ping'/></iq>",
        house.jid
    );
    assert_eq!(refusal(&house.says(ROMEO, &ping), ROMEO), None, "whether it is here");
}

#[test]
fn others_find_a_room_when_its_owner_has_configured_it_section_10_1_1() {
    let is_listed = |house: &House| {
        let mut cells = house.cells.keys();
        cells.any(|(table, ..)| *table == crate::xep_0045_muc::service::ROOMS_AT.name())
    };
    let mut house = House::empty(crate::ALL);
    enter(&mut house, FOUNDER, "founder");
    assert!(!is_listed(&house));
    configure(&mut house, FOUNDER, &[]);
    assert!(is_listed(&house));
    configure(&mut house, FOUNDER, &[("publicroom", "0")]);
    assert!(!is_listed(&house));
}

#[test]
fn who_may_not_make_a_room_is_told_so_section_10_1_1() {
    let may = |chosen: &'static str, who: &str| {
        let mut house = House::empty(crate::ALL);
        house.settings.admins.push(Bare::parse("founder@wax.example").unwrap());
        house.settings.choose(&CREATION, Value::Choice(chosen.into()));
        let refused = refusal(&enter(&mut house, who, "nick"), who);
        assert_eq!(house.is_made, refused.is_none(), "{chosen} {who}");
        assert!(refused.as_deref().is_none_or(|it| it == "not-allowed"), "{chosen} {who}");
        refused.is_none()
    };
    let stranger = "witch@heath.example/cave";
    assert!(may("admins", FOUNDER) && !may("admins", ROMEO) && !may("admins", stranger));
    assert!(may("users", FOUNDER) && may("users", ROMEO) && !may("users", stranger));
    assert!(may("everybody", FOUNDER) && may("everybody", ROMEO) && may("everybody", stranger));
}
