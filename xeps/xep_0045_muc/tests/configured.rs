//! What owners choose, and what everybody hears of it (XEP-0045 §10.2).

use super::{FOUNDER, affiliate, codes, configure, enter, founded, item, leave, refusal, to};
use crate::{stage_room::House, xep_0045_muc::CREATION};
use engine::{setting::Value, wire::*};
use std::collections::BTreeMap;

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
        ("enablelogging", "0", &[104, 171]),
        ("enablelogging", "1", &[104, 170]),
        ("publicroom", "0", &[104, 171]),
        ("publicroom", "1", &[104, 170]),
        ("publicroom", "1", &[]),
    ] {
        let heard = configure(&mut house, FOUNDER, &[(field, value)]);
        assert_eq!(told(&heard, ROMEO), wanted, "{field} {value}");
    }
}

#[test]
fn so_it_is_to_who_has_no_stream_when_it_changes_sections_10_2_1_and_14_5() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    house.goes_away(ROMEO);
    let heard = configure(&mut house, FOUNDER, &[("whois", "anyone")]);
    assert_eq!(told(&heard, ROMEO), [104, 172]);
    let types = "<message type='groupchat'><composing \
                 xmlns='http://jabber.org/protocol/chatstates'/></message>";
    assert!(to(&house.says(FOUNDER, types), ROMEO).is_empty(), "that is over when it is back");
    assert!(to(&house.comes_back(ROMEO), ROMEO).is_empty(), "once");
    // Nor has anybody when the process has just begun.
    house.unread = Some(Jid::parse(ROMEO).unwrap());
    house.restarts(&[]);
    let heard = configure(&mut house, FOUNDER, &[("whois", "moderators")]);
    assert_eq!(told(&heard, ROMEO), [104, 173]);
}

/// What a room tells of itself to who asks: its features, and its form.
fn disco(house: &mut House, who: &str) -> (Vec<String>, BTreeMap<String, Vec<String>>) {
    let ns = "http://jabber.org/protocol/disco#info";
    let heard = house.says(who, &format!("<iq type='get' id='d'><query xmlns='{ns}'/></iq>"));
    let query = heard[0].children().next().unwrap();
    let var = |child: Element<'_>| child.attribute("var").map(|var| var.into_owned());
    let features = query.children().filter(|child| child.local() == "feature").filter_map(var);
    let form = query.children().find(|child| child.local() == "x").unwrap();
    let values = |field: Element<'_>| {
        let values = field.children().filter(|child| child.local() == "value");
        values.map(|value| value.text().into_owned()).collect()
    };
    (
        features.collect(),
        form.children().map(|field| (var(field).unwrap(), values(field))).collect(),
    )
}

#[test]
fn what_clients_look_for_is_told_by_each_of_its_names_section_6_4() {
    let subjects =
        ["muc#roominfo_subjectmod", "muc#roominfo_changesubject", "muc#roomconfig_changesubject"];
    for value in ["0", "1"] {
        let node = "xmpp:pubsub.wax.example?;node=roses";
        let mut house = founded(&[
            ("changesubject", value),
            ("allowregister", value),
            ("allow_query_users", value),
            ("pubsub", if value == "1" { node } else { "" }),
        ]);
        let (features, form) = disco(&mut house, ROMEO);
        for var in subjects.into_iter().chain(["muc#roomconfig_allow_query_users"]) {
            assert_eq!(form[var], [value], "{var}");
        }
        for register in ["jabber:iq:register", "http://jabber.org/protocol/muc#register"] {
            assert_eq!(features.iter().any(|one| one == register), value == "1", "{register}");
        }
        for pubsub in ["muc#roomconfig_pubsub", "muc#roominfo_pubsub"] {
            let told = form.get(pubsub).map(|told| told[0].as_str());
            assert_eq!(told, (value == "1").then_some(node));
        }
    }
}

#[test]
fn how_many_are_in_an_open_room_is_told_whatever_is_kept_of_it_section_14_4() {
    for (field, value, is_told) in [
        ("enablearchiving", "0", true),
        ("enablelogging", "0", true),
        ("membersonly", "1", false),
        ("publicroom", "0", false),
    ] {
        let mut house = founded(&[(field, value)]);
        house.says(FOUNDER, "<message type='groupchat'><subject>roses</subject></message>");
        for (who, is_told) in [(ROMEO, is_told), (FOUNDER, true)] {
            let (_, form) = disco(&mut house, who);
            let told = ["occupants", "subject"]
                .map(|var| !form[&format!("muc#roominfo_{var}")].is_empty());
            assert_eq!(told, [is_told; 2], "{who} {field} {value}");
        }
    }
}

#[test]
fn whose_a_room_is_is_told_to_who_may_list_owners_section_10_5() {
    for (whois, is_told) in [("moderators", false), ("anyone", true)] {
        let mut house = founded(&[("whois", whois)]);
        enter(&mut house, ROMEO, "romeo");
        let contacts = "muc#roominfo_contactjid";
        let told = disco(&mut house, ROMEO).1.remove(contacts);
        assert_eq!(told, is_told.then(|| vec!["founder@wax.example".into()]), "{whois}");
        assert_eq!(disco(&mut house, NURSE).1.remove(contacts), None, "from outside");
        assert!(disco(&mut house, FOUNDER).1.contains_key(contacts));
    }
}

#[test]
fn in_a_room_for_members_the_fields_say_whether_they_may_invite_section_9_5() {
    const ALL: &str = "allowinvites";
    const MEMBERS: &str = "{http://prosody.im/protocol/muc}roomconfig_allowmemberinvites";
    for (given, may) in [
        (&[][..], false),
        (&[(ALL, "1")], true),
        (&[(ALL, "0")], false),
        (&[(MEMBERS, "1")], true),
        (&[(ALL, "0"), (MEMBERS, "1")], true),
        // As they were: neither says anything new.
        (&[(ALL, "1"), (MEMBERS, "0")], false),
    ] {
        let mut house = founded(&[&[("membersonly", "1")], given].concat());
        let told =
            |house: &mut House| disco(house, ROMEO).1["muc#roomconfig_allowinvites"] == ["1"];
        assert_eq!(told(&mut house), may, "{given:?}");
        house.restarts(&[]);
        assert_eq!(told(&mut house), may, "{given:?}");
        // The form as it is then, with the other choice made in one place.
        let flag = |is: bool| if is { "1" } else { "0" };
        for changed in [ALL, MEMBERS] {
            let may = told(&mut house);
            let value = |field| flag(if field == changed { !may } else { may });
            configure(&mut house, FOUNDER, &[(ALL, value(ALL)), (MEMBERS, value(MEMBERS))]);
            assert_eq!(told(&mut house), !may, "{given:?} {changed}");
        }
        configure(&mut house, FOUNDER, &[("membersonly", "0")]);
        assert!(told(&mut house), "who is in an open room may, as before");
    }
}

#[test]
fn who_enters_is_told_whether_everybody_can_read_what_is_said_section_7_2_12() {
    for (field, value, wanted) in [
        ("roomname", "Roses", true),
        ("enablearchiving", "0", false),
        ("enablelogging", "0", false),
        ("publicroom", "0", false),
    ] {
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

#[test]
fn who_is_here_is_told_of_the_picture_by_presence_of_the_room_xep_0153() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    let sets = |house: &mut House, photo: &str| {
        let card = format!("<vCard xmlns='vcard-temp'>{photo}</vCard>");
        house.says(FOUNDER, &format!("<iq type='set' id='v'>{card}</iq>"))
    };
    // The hash of the picture that somebody hears of.
    let seen = |heard: &[Stanza], who: &str| {
        let mut heard = to(heard, who).into_iter();
        let told = heard.find(|one| {
            one.head.from.as_ref().is_some_and(Jid::is_bare) && one.kind() == Kind::Presence
        })?;
        let x = told.child(Name::new("vcard-temp:x:update", "x")).unwrap();
        Some(x.children().next().unwrap().text().into_owned())
    };
    let picture = "<PHOTO><TYPE>x/y</TYPE><BINVAL>YWJj</BINVAL></PHOTO>";
    let hash = Some("a9993e364706816aba3e25717850c26c9cd0d89d".to_owned());
    let heard = sets(&mut house, picture);
    assert_eq!([ROMEO, FOUNDER].map(|who| seen(&heard, who)), [hash.clone(), hash.clone()]);
    let heard = sets(&mut house, &format!("{picture}<FN>The Garden</FN>"));
    assert_eq!(seen(&heard, ROMEO), None, "it is the same still");
    house.restarts(&[]);
    let heard = enter(&mut house, NURSE, "nurse");
    assert_eq!(seen(&heard, NURSE), hash);
    let first = to(&heard, NURSE)[0].head.from.clone().unwrap();
    assert!(first.is_bare(), "before all who are here");
    let heard = sets(&mut house, "");
    assert_eq!(seen(&heard, NURSE), Some(String::new()), "there is none any more");
    assert_eq!(seen(&enter(&mut house, NURSE, "nurse"), NURSE), None);
}

#[test]
fn who_is_called_otherwise_than_it_asked_to_be_is_told_so_sections_7_2_2_and_7_6() {
    let mut house = founded(&[]);
    let own = |heard: &[Stanza]| {
        let mut heard = to(heard, ROMEO).into_iter();
        heard.find(|one| codes(one).contains(&110)).map(codes).unwrap()
    };
    for (nick, is_respelled) in [("rome\u{301}o", true), ("rom\u{e9}o", false), ("x y", false)] {
        let heard = enter(&mut house, ROMEO, nick);
        assert_eq!(own(&heard).contains(&210), is_respelled, "{nick}");
        let others = to(&heard, FOUNDER);
        assert!(others.iter().all(|one| !codes(one).contains(&210)), "{nick}");
        leave(&mut house, ROMEO, nick);
    }
    enter(&mut house, ROMEO, "romeo");
    let to_nick = format!("{}/the\u{a0}knight", house.jid);
    let heard = house.says(ROMEO, &format!("<presence to='{to_nick}'/>"));
    let now = to(&heard, ROMEO).into_iter().find(|one| one.head.type_str() == "").unwrap();
    assert_eq!(now.head.from.as_ref().unwrap().resource(), Some("the knight"));
    assert_eq!(codes(now), [210, 110]);
}

#[test]
fn about_how_many_are_in_an_open_room_its_service_knows_xep_0433_section_6_2() {
    let mut house = founded(&[]);
    // What the service has of the room: the number, and how often it is another.
    let known = |house: &House| {
        let mut cells = house.cells.iter();
        let table = crate::xep_0045_muc::service::ROOMS_AT.name();
        let cell = cells.find(|((of, ..), _)| *of == table).unwrap().1;
        let text = String::from_utf8(cell.clone()).unwrap();
        text.lines()
            .nth(3)
            .unwrap()
            .split(' ')
            .nth(1)
            .map(|number| number.parse::<usize>().unwrap())
    };
    let (mut written, mut last) = (0, Some(1));
    for here in 2..=60 {
        enter(&mut house, &format!("u{here}@wax.example/x"), &format!("nick{here}"));
        let now = known(&house);
        assert!(now.unwrap().abs_diff(here) * 8 <= here, "{now:?} of {here}");
        written += usize::from(now != last);
        last = now;
    }
    assert!(written < 30, "{written}");
    house.restarts(&[]);
    for here in (1..60).rev() {
        let gone = here + 1;
        leave(&mut house, &format!("u{gone}@wax.example/x"), &format!("nick{gone}"));
        assert!(known(&house).unwrap().abs_diff(here) <= 1 + here / 6, "{here}");
    }
    leave(&mut house, FOUNDER, "founder");
    assert_eq!(known(&house), Some(0));
    configure(&mut house, FOUNDER, &[("membersonly", "1")]);
    assert_eq!(known(&house), None, "that is not for all to know");
}

#[test]
fn owners_say_whether_who_may_enter_may_read_before_section_7_2_12() {
    let asks = "<iq type='set' id='m'><query xmlns='urn:xmpp:mam:2'/></iq>";
    for (value, refused) in [("1", None), ("0", Some("forbidden"))] {
        let mut house = founded(&[("enablelogging", value)]);
        assert_eq!(refusal(&house.says(ROMEO, asks), ROMEO).as_deref(), refused);
        enter(&mut house, ROMEO, "romeo");
        assert_eq!(refusal(&house.says(ROMEO, asks), ROMEO), None, "who is here may");
        assert_eq!(refusal(&house.says(FOUNDER, asks), FOUNDER), None);
    }
}
