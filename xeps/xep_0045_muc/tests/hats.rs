//! Who wears which hat (XEP-0317), and who says so.

use super::{FOUNDER, affiliate, configure, enter, founded, refusal, to};
use crate::stage_room::House;
use engine::wire::*;

const ROMEO: &str = "romeo@wax.example/orchard";
const NURSE: &str = "nurse@wax.example/chamber";
const TEACHER: &str = "http://tech.example/hats#Teacher";

pub fn command(house: &mut House, who: &str, node: &str, fields: &[(&str, &str)]) -> Vec<Stanza> {
    let field = |(var, value): &(&str, &str)| {
        format!("<field var='hats#{var}'><value>{value}</value></field>")
    };
    let fields: String = fields.iter().map(field).collect();
    let form = match fields.as_str() {
        "" => String::new(),
        fields => format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>"),
    };
    house.says(
        who,
        &format!(
            "<iq type='set' id='h'><command xmlns='http://jabber.org/protocol/commands' \
             node='urn:xmpp:hats:commands:{node}'>{form}</command></iq>"
        ),
    )
}

/// What somebody sees of another's hats in a presence.
fn hats(heard: &[Stanza], who: &str, of: &str) -> Option<Vec<String>> {
    let heard = to(heard, who);
    let of = |one: &&&Stanza| {
        let from = one.head.from.as_ref().and_then(|from| from.resource());
        one.kind() == Kind::Presence && from == Some(of)
    };
    let seen = heard.iter().rev().find(of)?;
    let hats = seen.child(Name::new("urn:xmpp:hats:0", "hats"));
    let hats = hats.into_iter().flat_map(|hats| hats.children());
    Some(hats.map(|hat| hat.attribute("title").unwrap().into_owned()).collect())
}

fn with_teacher() -> House {
    let mut house = founded(&[]);
    let hat = [("uri", TEACHER), ("title", "Teacher"), ("hue", "327.25")];
    assert_eq!(refusal(&command(&mut house, FOUNDER, "create", &hat), FOUNDER), None);
    house
}

#[test]
fn a_hat_is_made_given_changed_taken_and_destroyed_sections_3_2_to_3_6() {
    let mut house = with_teacher();
    enter(&mut house, ROMEO, "romeo");
    let whom = [("jid", "romeo@wax.example"), ("uri", TEACHER)];
    let heard = command(&mut house, FOUNDER, "assign", &whom);
    assert!(to(&heard, FOUNDER).iter().any(|one| one.to_text().contains("status='completed'")));
    for who in [FOUNDER, ROMEO] {
        assert_eq!(hats(&heard, who, "romeo"), Some(vec!["Teacher".into()]), "{who}");
    }
    // Who comes later sees it, too.
    let heard = enter(&mut house, NURSE, "nurse");
    assert_eq!(hats(&heard, NURSE, "romeo"), Some(vec!["Teacher".into()]));
    assert_eq!(hats(&heard, NURSE, "nurse"), Some(vec![]));
    let other = [("uri", TEACHER), ("title", "Tutor")];
    let heard = command(&mut house, FOUNDER, "create", &other);
    assert_eq!(hats(&heard, NURSE, "romeo"), Some(vec!["Tutor".into()]));
    assert!(to(&heard, NURSE)[0].to_text().contains("code='104'"), "{heard:?}");
    house.restarts(&[]);
    let heard = house.says(ROMEO, &format!("<presence to='{}/romeo'/>", house.jid));
    assert_eq!(hats(&heard, NURSE, "romeo"), Some(vec!["Tutor".into()]), "after a restart");
    let heard = command(&mut house, FOUNDER, "unassign", &whom);
    assert_eq!(hats(&heard, NURSE, "romeo"), Some(vec![]));
    command(&mut house, FOUNDER, "assign", &whom);
    let heard = command(&mut house, FOUNDER, "destroy", &[("uri", TEACHER)]);
    assert_eq!(hats(&heard, NURSE, "romeo"), Some(vec![]));
    let heard = command(&mut house, FOUNDER, "assign", &whom);
    assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some("item-not-found"));
}

#[test]
fn nobody_but_the_room_says_who_wears_a_hat() {
    let mut house = with_teacher();
    let forged = "<hats xmlns='urn:xmpp:hats:0'><hat title='Host' uri='urn:host'/></hats>";
    let join = format!(
        "<presence to='{}/romeo'><x xmlns='http://jabber.org/protocol/muc'/>{forged}</presence>",
        house.jid
    );
    let heard = house.says(ROMEO, &join);
    assert_eq!(hats(&heard, FOUNDER, "romeo"), Some(vec![]));
    let heard =
        house.says(ROMEO, &format!("<presence to='{}/romeo'>{forged}</presence>", house.jid));
    assert_eq!(hats(&heard, FOUNDER, "romeo"), Some(vec![]));
}

#[test]
fn admins_and_owners_make_and_give_hats_and_nobody_else() {
    let mut house = with_teacher();
    enter(&mut house, ROMEO, "romeo");
    affiliate(&mut house, FOUNDER, NURSE, "admin");
    let hat = [("uri", "urn:host"), ("title", "Host")];
    let whom = [("jid", "romeo@wax.example"), ("uri", TEACHER)];
    for (node, fields) in [
        ("create", &hat[..]),
        ("destroy", &hat),
        ("assign", &whom),
        ("unassign", &whom),
        ("list-assigned", &[]),
    ] {
        let heard = command(&mut house, ROMEO, node, fields);
        assert_eq!(refusal(&heard, ROMEO).as_deref(), Some("forbidden"), "{node}");
    }
    assert_eq!(refusal(&command(&mut house, NURSE, "create", &hat), NURSE), None);
    assert_eq!(refusal(&command(&mut house, NURSE, "assign", &whom), NURSE), None);
    let list = |house: &mut House, who: &str, node: &str| {
        command(house, who, node, &[])[0].to_text().to_string()
    };
    assert!(list(&mut house, ROMEO, "list").contains(TEACHER));
    assert!(list(&mut house, NURSE, "list-assigned").contains("romeo@wax.example"));
    configure(&mut house, FOUNDER, &[("whois", "anyone")]);
    assert!(list(&mut house, ROMEO, "list-assigned").contains("romeo@wax.example"));
    let stranger = "tybalt@wax.example/street";
    assert!(list(&mut house, stranger, "list").contains("forbidden"));
    let items = "<iq type='get' id='i'><query xmlns='http://jabber.org/protocol/disco#items' \
        node='http://jabber.org/protocol/commands'/></iq>";
    let found = |house: &mut House, who: &str| {
        house.says(who, items)[0].to_text().matches("<item ").count()
    };
    assert_eq!(found(&mut house, FOUNDER), 6);
    assert_eq!(found(&mut house, ROMEO), 2);
    assert_eq!(found(&mut house, stranger), 0);
}

#[test]
fn commands_ask_by_forms_and_say_what_is_wrong_with_them() {
    let mut house = with_teacher();
    let form = command(&mut house, FOUNDER, "assign", &[])[0].to_text().to_string();
    assert!(form.contains("status='executing'") && form.contains("hats#jid"), "{form}");
    assert!(form.contains(&format!("<option label='Teacher'><value>{TEACHER}</value>")), "{form}");
    let long = "x".repeat(300);
    for (node, fields, wanted) in [
        ("create", &[("uri", "urn:a")][..], "bad-request"),
        ("create", &[("uri", ""), ("title", "A")], "bad-request"),
        ("create", &[("uri", "urn:a"), ("title", &long)], "not-acceptable"),
        ("create", &[("uri", "urn:a&#10;b"), ("title", "A")], "not-acceptable"),
        ("create", &[("uri", "urn:a"), ("title", "A"), ("hue", "blue")], "not-acceptable"),
        ("create", &[("uri", "urn:a"), ("title", "A"), ("hue", "400")], "not-acceptable"),
        ("create", &[("uri", "urn:a"), ("title", "A"), ("hue", "NaN")], "not-acceptable"),
        ("destroy", &[("uri", "urn:a")], "item-not-found"),
        ("assign", &[("uri", TEACHER), ("jid", "@")], "bad-request"),
        ("assign", &[("uri", TEACHER), ("jid", "wax.example")], "not-acceptable"),
        ("unassign", &[("uri", TEACHER), ("jid", "romeo@wax.example")], "item-not-found"),
        ("dance", &[("uri", TEACHER)], "item-not-found"),
    ] {
        let heard = command(&mut house, FOUNDER, node, fields);
        assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some(wanted), "{node} {fields:?}");
    }
    for n in 0..60 {
        let uri = format!("urn:{n}");
        let heard = command(&mut house, FOUNDER, "create", &[("uri", &uri), ("title", "T")]);
        let wanted = if n < 49 { None } else { Some("resource-constraint") };
        assert_eq!(refusal(&heard, FOUNDER).as_deref(), wanted, "{n}");
        let whom = [("uri", uri.as_str()), ("jid", "romeo@wax.example")];
        let heard = command(&mut house, FOUNDER, "assign", &whom);
        assert_eq!(refusal(&heard, FOUNDER).is_some(), n >= 10, "{n}");
    }
}
