//! What is large: told in parts, in short or not at all, so that nobody who enters, comes back or
//! asks is told more at once than waits for one socket (XEP-0045 §7.2.2, §7.2.14).

use super::{FOUNDER, admin, codes, configure, enter, founded, leave, refusal, to};
use crate::stage_room::House;
use engine::wire::*;

const JULIET: &str = "juliet@wax.example/balcony";
const ROMEO: &str = "romeo@wax.example/orchard";
const ROOM: &str = "garden@conference.wax.example";
const KIB: usize = 1 << 10;

/// Presence of somebody with this status.
fn shows(house: &mut House, who: &str, nick: &str, status: usize, enters: bool) -> Vec<Stanza> {
    let join = if enters { "<x xmlns='http://jabber.org/protocol/muc'/>" } else { "" };
    let status = "x".repeat(status);
    let c = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>";
    let said = format!("<show>away</show><status>{status}</status>{c}{join}");
    house.says(who, &format!("<presence to='{ROOM}/{nick}'>{said}</presence>"))
}

fn has(stanza: &Stanza, child: &str) -> bool {
    stanza.children().any(|one| one.local() == child)
}

#[test]
fn who_comes_back_is_told_what_was_large_page_by_page_and_once() {
    let mut house = founded(&[]);
    enter(&mut house, JULIET, "juliet");
    house.goes_away(JULIET);
    let sizes = [50, 50, 50, 300, 1, 50];
    for (id, kib) in sizes.into_iter().enumerate() {
        let body = "x".repeat(kib * KIB);
        let said = format!("<message type='groupchat' id='{id}'><body>{body}</body></message>");
        house.says(FOUNDER, &said);
    }
    house.late = true;
    let ids = |heard: &[Stanza]| -> Vec<usize> {
        let id = |one: &&Stanza| one.head.id.as_deref().and_then(|id| id.parse().ok());
        to(heard, JULIET).iter().filter_map(id).collect()
    };
    let heard = house.comes_back(JULIET);
    let mut pages = vec![ids(&heard)];
    while house.waits() > 0 {
        let heard = house.goes_on(Ok(()));
        pages.push(ids(&heard));
    }
    pages.retain(|page| !page.is_empty());
    assert_eq!(pages, [vec![0, 1], vec![2], vec![3], vec![4, 5]]);
}

#[test]
fn who_enters_sees_all_though_not_all_that_they_say_section_7_2_2() {
    let mut house = founded(&[]);
    shows(&mut house, ROMEO, "romeo", 10, true);
    let loud = 200;
    for n in 0..loud {
        let heard =
            shows(&mut house, &format!("m{n}@far.example/x"), &format!("m{n}"), 3_900, true);
        assert_eq!(refusal(&heard, &format!("m{n}@far.example/x")), None);
    }
    let heard = enter(&mut house, JULIET, "juliet");
    let shown = to(&heard, JULIET);
    let shown: Vec<_> = shown.into_iter().filter(|one| one.kind() == Kind::Presence).collect();
    assert_eq!(shown.len(), loud + 3, "the founder, Romeo, herself");
    let bytes: usize = shown.iter().map(|one| one.wire_len()).sum();
    assert!(bytes < 700 * KIB, "{bytes}");
    assert_eq!(codes(shown[loud + 2]), [170, 110], "herself last");
    let romeo =
        shown.iter().find(|one| one.head.from.as_ref().unwrap().resource() == Some("romeo"));
    assert!(romeo.is_some_and(|one| has(one, "status")), "who says little says all of it");
    let short: Vec<_> =
        shown.iter().filter(|one| has(one, "show") && !has(one, "status")).collect();
    assert!((50..150).contains(&short.len()), "{}", short.len());
    assert!(short.iter().all(|one| has(one, "c") && has(one, "x")));
}

#[test]
fn nobody_says_so_much_of_itself_that_others_cannot_be_told() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    let constraint = Some("resource-constraint".to_owned());
    let heard = shows(&mut house, JULIET, "juliet", 4 * KIB, true);
    assert_eq!((refusal(&heard, JULIET), to(&heard, ROMEO).len()), (constraint.clone(), 0));
    enter(&mut house, JULIET, "juliet");
    let heard = shows(&mut house, JULIET, "juliet", 4 * KIB, false);
    assert_eq!((refusal(&heard, JULIET), to(&heard, ROMEO).len()), (constraint, 0));
    // Who leaves does.
    let status = "x".repeat(4 * KIB);
    let heard = house.says(
        JULIET,
        &format!("<presence type='unavailable' to='{ROOM}/j'><status>{status}</status></presence>"),
    );
    let gone = to(&heard, ROMEO)[0];
    assert_eq!((gone.head.type_str(), has(gone, "status")), ("unavailable", false));
    let heard = leave(&mut house, ROMEO, "romeo");
    assert_eq!(to(&heard, FOUNDER)[0].head.type_str(), "unavailable");
}

/// So many become members, with addresses so long and such a reason.
fn members(house: &mut House, count: usize, address: usize, reason: &str) {
    for thousand in 0..count.div_ceil(1_000) {
        let numbers = 1_000 * thousand..count.min(1_000 * (thousand + 1));
        let items = numbers.map(|n| {
            let who = format!("{n:0>address$}@wax.example");
            format!("<item jid='{who}' affiliation='member'><reason>{reason}</reason></item>")
        });
        let heard = admin(house, FOUNDER, &items.collect::<String>());
        assert_eq!(refusal(&heard, FOUNDER), None);
    }
}

fn list(house: &mut House) -> Vec<Stanza> {
    house.says(
        FOUNDER,
        "<iq type='get' id='l'><query xmlns='http://jabber.org/protocol/muc#admin'>\
         <item affiliation='member'/></query></iq>",
    )
}

#[test]
fn a_long_list_names_everybody_and_not_every_reason_section_9_5() {
    let mut house = founded(&[]);
    members(&mut house, 400, 5, &"&amp;".repeat(500));
    let heard = list(&mut house);
    assert!(heard[0].wire_len() < 320 * KIB, "{}", heard[0].wire_len());
    let items: Vec<_> = heard[0].children().next().unwrap().children().collect();
    let reasons = items.iter().filter(|item| item.children().next().is_some()).count();
    assert_eq!(items.len(), 400);
    assert!((90..110).contains(&reasons), "{reasons}");
}

#[test]
fn who_asks_for_too_long_a_list_is_told_so_section_9_5() {
    let mut house = founded(&[]);
    members(&mut house, 3_000, 400, "");
    let heard = list(&mut house);
    assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("policy-violation"));
    assert!(heard[0].to_text().contains("too long"));
    // So is who enters and wants to know of all (XEP-0463), and is in all the same.
    leave(&mut house, FOUNDER, "founder");
    let mav = "<mav xmlns='urn:xmpp:muc:affiliations:1'/>";
    let join = format!("<x xmlns='http://jabber.org/protocol/muc'>{mav}</x>");
    let heard = house.says(FOUNDER, &format!("<presence to='{ROOM}/founder'>{join}</presence>"));
    assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("policy-violation"));
    let told = to(&heard, FOUNDER);
    let own = told.iter().find(|one| one.kind() == Kind::Presence).unwrap();
    assert_eq!(codes(own), [170, 110]);
    assert!(!own.to_text().contains("mav"), "it has no version of what it was not told");
}

#[test]
fn a_name_is_short_unless_it_has_been_long_before_section_10_2() {
    let mut house = founded(&[("roomname", "Garden")]);
    let long = "&".repeat(513);
    let escaped = "&amp;".repeat(513);
    for field in ["roomname", "lang"] {
        let heard = configure(&mut house, FOUNDER, &[(field, &escaped)]);
        assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("not-acceptable"), "{field}");
    }
    let config = house.cells.iter_mut().find(|((_, _, key), _)| key == "config").unwrap().1;
    let older = String::from_utf8(config.clone()).unwrap().replace("Garden", &escaped);
    *config = older.into_bytes();
    house.restarts(&[]);
    let heard = configure(&mut house, FOUNDER, &[("roomname", &escaped), ("moderatedroom", "1")]);
    assert_eq!(refusal(&heard, FOUNDER), None, "as it is, it may stay");
    let info = "<iq type='get' id='i'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>";
    let told = house.says(ROMEO, info)[0].to_text();
    assert!(told.contains("muc_moderated"), "{told}");
    let query = Stanza::parse_one(&told).unwrap();
    let identity = query.children().next().unwrap().children().next().unwrap();
    assert_eq!(identity.attribute("name").as_deref(), Some(long.as_str()));
    let heard = configure(&mut house, FOUNDER, &[("roomname", "Orchard")]);
    assert_eq!(refusal(&heard, FOUNDER), None);
    let heard = configure(&mut house, FOUNDER, &[("roomname", &escaped)]);
    assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("not-acceptable"));
}
