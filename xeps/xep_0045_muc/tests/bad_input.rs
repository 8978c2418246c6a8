//! What a room does with what is wrong (AT-34, AT-43, AT-46; XEP-0045 §17.1, §17.3): the specified
//! error, and nothing else is changed by it.

use super::{FOUNDER, admin, affiliate, codes, configure, enter, founded, leave, refusal, say, to};
use crate::{stage_room::House, xep_0045_muc::making};
use engine::wire::*;

const ROMEO: &str = "romeo@wax.example/orchard";
const TYBALT: &str = "tybalt@wax.example/street";
const USER: &str = "http://jabber.org/protocol/muc#user";

#[test]
fn at_34_nobody_but_the_room_says_what_only_a_room_says() {
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    enter(&mut house, TYBALT, "tybalt");
    let forged = "<stanza-id xmlns='urn:xmpp:sid:0' by='garden@conference.wax.example' id='1'/>\
        <stanza-id xmlns='urn:xmpp:sid:0' by='GARDEN@conference.wax.example' id='2'/>\
        <stanza-id xmlns='urn:xmpp:sid:0' by='garden@conference.wax.example/romeo' id='3'/>\
        <o:occupant-id xmlns:o='urn:xmpp:occupant-id:0' id='4'/>\
        <occupant-id xmlns='urn:xmpp:occupant-id:0' id='5'/>\
        <delay xmlns='urn:xmpp:delay' from='garden@conference.wax.example' \
         stamp='1970-01-01T00:00:00Z'/>\
        <d:delay xmlns:d='urn:xmpp:delay' from='conference.wax.example' \
         stamp='1970-01-01T00:00:00Z'/>\
        <delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:00Z'/>\
        <x xmlns='jabber:x:delay' stamp='19700101T00:00:00'/>\
        <x xmlns='http://jabber.org/protocol/muc#user'><status code='307'/></x>\
        <m:x xmlns:m='http://jabber.org/protocol/muc#user'><m:item affiliation='owner'/></m:x>\
        <item xmlns='http://jabber.org/protocol/muc#user' affiliation='owner'/>";
    let ours = [
        ("urn:xmpp:sid:0", 1),
        ("urn:xmpp:occupant-id:0", 1),
        ("urn:xmpp:delay", 0),
        ("jabber:x:delay", 0),
        (USER, 0),
    ];
    let groupchat = format!("<message type='groupchat' id='m'><body>b</body>{forged}</message>");
    let heard = house.says(TYBALT, &groupchat);
    let seen = to(&heard, ROMEO)[0];
    for (ns, count) in ours {
        let all: Vec<_> = seen.children().filter(|child| child.ns() == ns).collect();
        assert_eq!(all.len(), count, "{ns}: {seen:?}");
        let forged = ["1", "2", "3", "4", "5"];
        assert!(all.iter().all(|one| !forged.contains(&one.attribute("id").unwrap().as_ref())));
    }
    assert_eq!(house.log.last().unwrap().1.stanza.matches("delay").count(), 0, "nor in the log");
    let chat = format!(
        "<message type='chat' \
         to='garden@conference.wax.example/romeo'><body>b</body>{forged}</message>"
    );
    let heard = house.says(TYBALT, &chat);
    let seen = to(&heard, ROMEO)[0];
    for (ns, count) in
        [("urn:xmpp:sid:0", 0), ("urn:xmpp:occupant-id:0", 1), ("urn:xmpp:delay", 0), (USER, 1)]
    {
        assert_eq!(
            seen.children().filter(|child| child.ns() == ns).count(),
            count,
            "{ns}: {seen:?}"
        );
    }
    let presence =
        format!("<presence to='garden@conference.wax.example/tybalt'>{forged}</presence>");
    let heard = house.says(TYBALT, &presence);
    let seen = to(&heard, ROMEO)[0];
    for (ns, count) in [("urn:xmpp:occupant-id:0", 1), (USER, 1)] {
        assert_eq!(
            seen.children().filter(|child| child.ns() == ns).count(),
            count,
            "{ns}: {seen:?}"
        );
    }
    assert_eq!(super::item(seen, "affiliation").as_deref(), Some("none"));
    // What another has kept may be told (section 7.9).
    let kept = "<message type='groupchat'><body>b</body><delay xmlns='urn:xmpp:delay' \
        from='tybalt@wax.example' stamp='2026-01-01T00:00:00Z'/></message>";
    assert!(to(&house.says(TYBALT, kept), ROMEO)[0].to_text().contains("2026-01-01"));
}

/// An element to be spoilt: its name, its attributes, its children.
#[derive(Clone)]
struct Tree(&'static str, Vec<(&'static str, &'static str)>, Vec<Tree>, &'static str);

impl Tree {
    fn write(&self) -> String {
        let Self(name, attributes, children, text) = self;
        let attributes = attributes.iter().map(|(name, value)| format!(" {name}='{value}'"));
        let children = children.iter().map(Self::write);
        format!(
            "<{name}{}>{text}{}</{name}>",
            attributes.collect::<String>(),
            children.collect::<String>()
        )
    }

    /// Everything that is this, with one thing wrong.
    fn spoilt(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for place in 0..self.1.len() {
            if self.1[place].0 != "xmlns" {
                let mut without = self.clone();
                without.1.remove(place);
                all.push(without);
            }
            for wrong in ["", "nonsense", "&amp;&#x1F339;", "@", "99999999999999999999"] {
                let mut other = self.clone();
                other.1[place].1 = wrong;
                all.push(other);
            }
        }
        for place in 0..self.2.len() {
            let (mut without, mut doubled) = (self.clone(), self.clone());
            without.2.remove(place);
            doubled.2.push(self.2[place].clone());
            all.extend([without, doubled]);
            all.extend(self.2[place].spoilt().into_iter().map(|child| {
                let mut other = self.clone();
                other.2[place] = child;
                other
            }));
        }
        let mut text = self.clone();
        text.3 = "words that are not meant to be here";
        let mut foreign = self.clone();
        foreign.2.push(Tree("foreign", vec![("xmlns", "urn:example:foreign")], vec![], ""));
        all.extend([text, foreign]);
        all
    }
}

fn field(var: &'static str, value: &'static str) -> Tree {
    Tree("field", vec![("var", var)], vec![Tree("value", vec![], vec![], value)], "")
}

/// What is asked of a room by a request, each of it right.
fn requests() -> Vec<(&'static str, Tree)> {
    let admin = |item| {
        Tree("query", vec![("xmlns", "http://jabber.org/protocol/muc#admin")], vec![item], "")
    };
    let reason = Tree("reason", vec![], vec![], "because");
    let form = |fields| Tree("x", vec![("xmlns", "jabber:x:data"), ("type", "submit")], fields, "");
    let owner =
        |child| Tree("query", vec![("xmlns", "http://jabber.org/protocol/muc#owner")], child, "");
    let config = form(vec![
        field("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig"),
        field("muc#roomconfig_roomname", "Garden"),
        field("muc#roomconfig_whois", "anyone"),
        field("muc#roomconfig_maxusers", "30"),
        field("muc#roomconfig_allowpm", "anyone"),
        field("muc#roomconfig_membersonly", "0"),
        field("muc#maxhistoryfetch", "5"),
        field("muc#roomconfig_passwordprotectedroom", "0"),
    ]);
    let register = form(vec![
        field("FORM_TYPE", "http://jabber.org/protocol/muc#register"),
        field("muc#register_roomnick", "queen"),
    ]);
    vec![
        (
            "set",
            admin(Tree(
                "item",
                vec![("nick", "tybalt"), ("role", "visitor")],
                vec![reason.clone()],
                "",
            )),
        ),
        (
            "set",
            admin(Tree(
                "item",
                vec![("jid", "tybalt@wax.example"), ("affiliation", "member"), ("nick", "ty")],
                vec![reason],
                "",
            )),
        ),
        ("get", admin(Tree("item", vec![("affiliation", "member")], vec![], ""))),
        ("get", admin(Tree("item", vec![("role", "moderator")], vec![], ""))),
        ("set", owner(vec![config])),
        ("get", owner(vec![])),
        (
            "set",
            owner(vec![Tree(
                "destroy",
                vec![("jid", "other@conference.wax.example")],
                vec![Tree("reason", vec![], vec![], "r")],
                "",
            )]),
        ),
        ("set", Tree("query", vec![("xmlns", "jabber:iq:register")], vec![register], "")),
        ("get", Tree("query", vec![("xmlns", "jabber:iq:register")], vec![], "")),
        (
            "get",
            Tree(
                "query",
                vec![
                    ("xmlns", "http://jabber.org/protocol/disco#info"),
                    ("node", "x-roomuser-item"),
                ],
                vec![],
                "",
            ),
        ),
    ]
}

fn full() -> House {
    let mut house = founded(&[]);
    enter(&mut house, TYBALT, "tybalt");
    house
}

#[test]
fn at_43_a_request_with_a_hole_in_it_is_answered_once_and_never_by_a_fault_of_ours() {
    let (mut asked, mut refused) = (0, 0);
    for (kind, right) in requests() {
        let mut all = right.spoilt();
        all.push(right);
        for tree in all {
            for kind in [kind, "get", "set"] {
                let mut house = full();
                let iq = format!("<iq type='{kind}' id='i'>{}</iq>", tree.write());
                let heard = house.says(FOUNDER, &iq);
                let answers: Vec<_> = to(&heard, FOUNDER)
                    .into_iter()
                    .filter(|one| one.kind() == Kind::Iq && one.head.id.as_deref() == Some("i"))
                    .collect();
                assert_eq!(answers.len(), 1, "{iq}: {heard:?}");
                asked += 1;
                if let Some(condition) = refusal(&heard, FOUNDER) {
                    let known = [
                        "bad-request",
                        "not-acceptable",
                        "jid-malformed",
                        "item-not-found",
                        "not-allowed",
                        "conflict",
                        "service-unavailable",
                        "policy-violation",
                    ];
                    assert!(known.contains(&&*condition), "{iq}: {condition}");
                    refused += 1;
                }
            }
        }
    }
    assert!(asked > 500 && refused > 200, "{asked} asked, {refused} refused");
}

#[test]
fn at_43_a_message_with_a_hole_in_it_is_taken_or_refused_and_never_by_a_fault_of_ours() {
    let x = |child| Tree("x", vec![("xmlns", USER)], vec![child], "");
    let reason = Tree("reason", vec![], vec![], "come");
    let voice =
        |fields| Tree("x", vec![("xmlns", "jabber:x:data"), ("type", "submit")], fields, "");
    let request = field("FORM_TYPE", "http://jabber.org/protocol/muc#request");
    let right = [
        x(Tree("invite", vec![("to", "paris@wax.example")], vec![reason.clone()], "")),
        x(Tree("decline", vec![("to", "founder@wax.example")], vec![reason], "")),
        voice(vec![request.clone(), field("muc#role", "participant")]),
        voice(vec![request, field("muc#roomnick", "tybalt"), field("muc#request_allow", "1")]),
        Tree("subject", vec![], vec![], "roses"),
        Tree("body", vec![], vec![], "b"),
    ];
    for tree in right.iter().flat_map(|right| right.spoilt().into_iter().chain([right.clone()])) {
        for kind in ["groupchat", "normal", "chat", "headline", "nonsense"] {
            for room in ["garden@conference.wax.example", "garden@conference.wax.example/tybalt"] {
                let mut house = full();
                let message =
                    format!("<message id='i' type='{kind}' to='{room}'>{}</message>", tree.write());
                let heard = house.says(FOUNDER, &message);
                let refused = refusal(&heard, FOUNDER);
                let is_whispered = room.contains('/') && kind != "groupchat";
                let answers = usize::from(refused.is_some()) + house.settled;
                assert!(answers == 1 || is_whispered, "{message}: {heard:?}");
                assert_ne!(refused.as_deref(), Some("internal-server-error"), "{message}");
            }
        }
    }
}

#[test]
fn at_43_presence_with_a_hole_in_it_enters_or_is_refused() {
    let history =
        Tree("history", vec![("maxstanzas", "1"), ("since", "2026-01-01T00:00:00Z")], vec![], "");
    let join = Tree(
        "x",
        vec![("xmlns", "http://jabber.org/protocol/muc")],
        vec![history, Tree("password", vec![], vec![], "p")],
        "",
    );
    for tree in join.spoilt() {
        let mut house = full();
        let presence = format!(
            "<presence to='garden@conference.wax.example/romeo'>{}</presence>",
            tree.write()
        );
        let heard = house.says(ROMEO, &presence);
        let own = to(&heard, ROMEO);
        let is_told =
            own.iter().any(|one| one.head.type_str() == "error" || codes(one).contains(&110));
        assert!(is_told, "{presence}: {heard:?}");
    }
    let mut house = full();
    let no_nick = house.says(
        ROMEO,
        "<presence to='garden@conference.wax.example'><x \
     xmlns='http://jabber.org/protocol/muc'/></presence>",
    );
    assert_eq!(refusal(&no_nick, ROMEO).as_deref(), Some("jid-malformed"));
    let unasked = house.says(ROMEO, "<presence to='garden@conference.wax.example/romeo'/>");
    assert_eq!(codes(to(&unasked, ROMEO)[0]), [307, 333, 110], "section 7.2.18");
    for kind in ["probe", "subscribe", "subscribed", "unsubscribe", "unavailable"] {
        let heard = house.says(
            ROMEO,
            &format!(
                "<presence type='{kind}' \
         to='garden@conference.wax.example/romeo'><x \
         xmlns='http://jabber.org/protocol/muc'/></presence>"
            ),
        );
        assert!(heard.iter().all(|one| !codes(one).contains(&110)), "{kind} enters (section 17.3)");
    }
}

#[test]
fn at_46_a_nick_is_neither_too_long_nor_invisible_nor_another_s() {
    let mut house = full();
    enter(&mut house, ROMEO, "romeo");
    let (long, longer) = ("n".repeat(257), "n".repeat(1_023));
    for (nick, wanted) in [
        (&*long, "not-acceptable"),
        (&*longer, "not-acceptable"),
        ("\u{a0}", "not-acceptable"),
        ("\u{200b}\u{200d}", "not-acceptable"),
        ("TYBALT", "conflict"),
        ("ty balt", "conflict"),
        ("\u{ff34}ybalt", "conflict"),
        ("ty\u{ad}balt", "conflict"),
    ] {
        if house.jid.with_resource(nick).is_err() {
            continue; // nobody can be addressed so
        }
        for heard in [
            enter(&mut house, "paris@wax.example/court", nick),
            house.says(ROMEO, &format!("<presence to='{}/{nick}'/>", crate::stage_room::ROOM)),
        ] {
            let error = heard.iter().find(|one| one.head.type_str() == "error");
            let refused = error.map(|one| one.to_text()).unwrap_or_default();
            let is_known = refused.contains(wanted) || refused.contains("jid-malformed");
            assert!(is_known, "{nick:?}: {heard:?}");
        }
    }
    // A nick that is reserved is nobody else's either, nor what looks like it.
    admin(
        &mut house,
        FOUNDER,
        "<item jid='juliet@wax.example' affiliation='member' nick='Juliet'/>",
    );
    for nick in ["Juliet", "juliet", "JULIET"] {
        let heard = enter(&mut house, "paris@wax.example/court", nick);
        assert_eq!(
            refusal(&heard, "paris@wax.example/court").as_deref(),
            Some("conflict"),
            "{nick}"
        );
    }
    assert_eq!(
        refusal(&enter(&mut house, "juliet@wax.example/b", "juliet"), "juliet@wax.example/b"),
        None
    );
}

#[test]
fn at_46_a_flood_of_joins_and_nicks_leaves_who_is_there_and_nothing_else() {
    let mut house = full();
    house.late = true;
    let mut refused = 0;
    for round in 0..6_000 {
        let nick = format!("romeo{}", round % 7);
        let heard = match round % 3 {
            0 => enter(&mut house, ROMEO, &nick),
            1 => house.says(ROMEO, &format!("<presence to='{}/{nick}'/>", house.jid)),
            _ => super::leave(&mut house, ROMEO, &nick),
        };
        refused += usize::from(refusal(&heard, ROMEO).as_deref() == Some("resource-constraint"));
    }
    assert!(refused > 0, "the line has an end");
    while house.waits() > 0 {
        house.goes_on(Ok(()));
    }
    house.late = false;
    super::leave(&mut house, ROMEO, "romeo");
    let seats = house.cells.keys().filter(|(table, ..)| *table == "occupant").count();
    assert_eq!(seats, 2, "{:?}", house.cells.keys());
    for session in 0..40 {
        let who = format!("romeo@wax.example/{session}");
        let heard = enter(&mut house, &who, "romeo");
        let wanted = (session >= 32).then_some("resource-constraint");
        assert_eq!(refusal(&heard, &who).as_deref(), wanted, "{session}");
    }
}

#[test]
fn a_thousand_affiliations_at_once_are_done_and_one_more_is_not() {
    let mut house = full();
    let items = |count: usize| -> String {
        let item = |n| format!("<item jid='m{n}@wax.example' affiliation='member' nick='m{n}'/>");
        (0..count).map(item).collect()
    };
    assert_eq!(
        refusal(&admin(&mut house, FOUNDER, &items(1_001)), FOUNDER).as_deref(),
        Some("policy-violation")
    );
    assert_eq!(refusal(&admin(&mut house, FOUNDER, &items(1_000)), FOUNDER), None);
    let members = house.cells.keys().filter(|(table, ..)| *table == "affiliation").count();
    assert_eq!(members, 1_001);
}

#[test]
fn of_a_request_all_is_done_or_nothing_section_9_2() {
    let long = format!("{}@{}", "a".repeat(1_023), "wax.example");
    let mut house = full();
    let before = house.cells.clone();
    for (items, wanted) in [
        (
            "<item jid='a@x' affiliation='outcast'/><item jid='founder@wax.example' \
         affiliation='outcast'/>"
                .to_owned(),
            "conflict",
        ),
        (
            "<item jid='a@x' affiliation='owner'/><item jid='a@x' \
         affiliation='none'/>"
                .into(),
            "bad-request",
        ),
        (
            "<item jid='a@x' affiliation='owner'/><item jid='founder@wax.example' \
         affiliation='none'/><item jid='a@x' affiliation='none'/>"
                .into(),
            "bad-request",
        ),
        (
            "<item nick='tybalt' role='none'/><item nick='nobody' \
         role='none'/>"
                .into(),
            "item-not-found",
        ),
        (
            "<item nick='tybalt' role='none'/><item nick='tybalt' \
         role='visitor'/>"
                .into(),
            "bad-request",
        ),
        (
            "<item jid='a@x' affiliation='member' nick='n'/><item jid='b@x' affiliation='member' \
         nick='N'/>"
                .into(),
            "conflict",
        ),
        (
            format!(
                "<item jid='a@x' affiliation='member'/><item jid='{long}' \
         affiliation='member'/>"
            ),
            "not-acceptable",
        ),
        (
            "<item jid='a@x' affiliation='member' role='visitor' \
         nick='tybalt'/>"
                .into(),
            "bad-request",
        ),
        ("<item jid='x' affiliation='owner'/>".into(), "not-acceptable"),
        ("<item jid='founder@wax.example' affiliation='admin'/>".into(), "conflict"),
        (String::new(), "bad-request"),
    ] {
        let heard = admin(&mut house, FOUNDER, &items);
        assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some(wanted), "{items}");
        assert!(house.cells == before, "{items}");
    }
    assert_eq!(to(&say(&mut house, FOUNDER, "x"), TYBALT).len(), 1, "nobody has been kicked");
}

#[test]
fn the_configuration_that_cannot_be_is_refused_section_10_1_3() {
    let mut house = full();
    for (fields, wanted) in [
        (&[("passwordprotectedroom", "1")][..], "not-acceptable"),
        (&[("whois", "nobody")], "not-acceptable"),
        (&[("allowpm", "some")], "not-acceptable"),
        (&[("maxusers", "many")], "not-acceptable"),
        (&[("membersonly", "perhaps")], "not-acceptable"),
        (&[("roomname", "a"), ("roomname", "b")], "bad-request"),
    ] {
        let heard = configure(&mut house, FOUNDER, fields);
        assert_eq!(refusal(&heard, FOUNDER).as_deref(), Some(wanted), "{fields:?}");
    }
    assert_eq!(refusal(&configure(&mut house, FOUNDER, &[("maxusers", "2")]), FOUNDER), None);
    assert_eq!(
        refusal(&enter(&mut house, ROMEO, "romeo"), ROMEO).as_deref(),
        Some("service-unavailable")
    );
    assert_eq!(
        refusal(&enter(&mut house, "tybalt@wax.example/2", "tybalt"), "tybalt@wax.example/2"),
        None
    );
    affiliate(&mut house, FOUNDER, ROMEO, "admin");
    assert_eq!(refusal(&enter(&mut house, ROMEO, "romeo"), ROMEO), None, "section 7.2.10");
}

#[test]
fn a_password_is_asked_of_everybody_section_7_2_5() {
    let mut house = founded(&[("passwordprotectedroom", "1"), ("roomsecret", "cauldron")]);
    affiliate(&mut house, FOUNDER, ROMEO, "owner");
    let with = |password: &str| {
        format!(
            "<presence to='garden@conference.wax.example/romeo'><x \
             xmlns='http://jabber.org/protocol/muc'>\
         <password>{password}</password></x></presence>"
        )
    };
    assert_eq!(
        refusal(&enter(&mut house, ROMEO, "romeo"), ROMEO).as_deref(),
        Some("not-authorized")
    );
    assert_eq!(
        refusal(&house.says(ROMEO, &with("kettle")), ROMEO).as_deref(),
        Some("not-authorized")
    );
    assert_eq!(refusal(&house.says(ROMEO, &with("cauldron")), ROMEO), None);
}

#[test]
fn at_46_a_nick_that_is_taken_for_anothers_is_a_conflict_section_7_2_8() {
    let mut house = founded(&[]);
    enter(&mut house, "paypal@wax.example/x", "paypal");
    admin(
        &mut house,
        FOUNDER,
        "<item jid='nurse@wax.example' affiliation='member' nick='Bob Il'/>",
    );
    let tybalt = "tybalt@wax.example/street";
    for nick in ["p\u{430}ypal", "PayPal", "\u{ff50}aypal", "\u{392}ob ll", "bob lI"] {
        let heard = enter(&mut house, tybalt, nick);
        assert_eq!(refusal(&heard, tybalt).as_deref(), Some("conflict"), "{nick}");
    }
    enter(&mut house, tybalt, "tybalt");
    let to = format!("{}/p\u{430}ypal", house.jid);
    let heard = house.says(tybalt, &format!("<presence to='{to}'/>"));
    assert_eq!(refusal(&heard, tybalt).as_deref(), Some("conflict"));
    let own = enter(&mut house, "paypal@wax.example/y", "P\u{430}ypal");
    assert_eq!(refusal(&own, "paypal@wax.example/y"), None, "one's own");
}

#[test]
fn who_asks_for_too_much_at_once_leaves_the_store_to_others() {
    let mut house = founded(&[]);
    let (greedy, modest) = ("tybalt@wax.example/a", "nurse@wax.example/b");
    house.late = true;
    let archive = "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>";
    let heard: Vec<_> = (0..20).flat_map(|_| house.says(greedy, archive)).collect();
    assert_eq!((heard.len(), house.waits()), (12, 8));
    assert_eq!(refusal(&heard, greedy).as_deref(), Some("resource-constraint"));
    assert_eq!(
        refusal(&house.says("tybalt@wax.example/c", archive), "tybalt@wax.example/c").as_deref(),
        Some("resource-constraint"),
        "another session of the same"
    );
    assert!(house.says(modest, archive).is_empty());
    while house.waits() > 0 {
        house.goes_on(Ok(()));
    }
    assert!(house.says(greedy, archive).is_empty(), "when that was read, more is");
}

#[test]
fn at_45_nobody_makes_more_rooms_than_he_has_places() {
    let mut house = House::empty(crate::ALL);
    let host = Bare::host(house.jid.domain()).unwrap();
    let places = making::places_of(&Bare::parse("tybalt@wax.example").unwrap());
    let place = |n: usize| (making::PLACES.name(), host.clone(), format!("{places}{n:06}"));
    for n in 0..200 {
        house.cells.insert(place(n), Vec::new());
    }
    let heard = enter(&mut house, TYBALT, "tybalt");
    assert_eq!(refusal(&heard, TYBALT).as_deref(), Some("resource-constraint"));
    assert!(!house.is_made);
    house.cells.remove(&place(77));
    house.late = true;
    enter(&mut house, TYBALT, "tybalt");
    house.goes_on(Ok(()));
    // Meanwhile another room of his has taken the last.
    house.cells.insert(place(77), b"tomb".to_vec());
    let mut heard = Vec::new();
    while house.waits() > 0 {
        heard.extend(house.goes_on(Ok(())));
    }
    assert_eq!(refusal(&heard, TYBALT).as_deref(), Some("internal-server-error"));
    assert!(!house.is_made && !house.is_loaded());
    house.late = false;
    assert_eq!(refusal(&enter(&mut house, ROMEO, "romeo"), ROMEO), None, "others may");
    assert_eq!(house.cells.keys().filter(|key| key.0 == making::PLACES.name()).count(), 201);
    let destroys = "<iq type='set' id='d'><query xmlns='http://jabber.org/protocol/muc#owner'>\
        <destroy/></query></iq>";
    house.says(ROMEO, destroys);
    assert_eq!(house.cells.len(), 200, "and has his place again");
}

#[test]
fn who_leaves_before_its_room_is_made_makes_none() {
    let mut house = House::empty(crate::ALL);
    house.late = true;
    enter(&mut house, ROMEO, "romeo");
    leave(&mut house, ROMEO, "romeo");
    while house.waits() > 0 {
        house.goes_on(Ok(()));
    }
    assert!(!house.is_made && !house.is_loaded());
    enter(&mut house, ROMEO, "romeo");
    enter(&mut house, TYBALT, "tybalt");
    let mut heard = Vec::new();
    while house.waits() > 0 {
        heard.extend(house.goes_on(Ok(())));
    }
    assert_eq!(refusal(&heard, ROMEO), None);
    assert_eq!(refusal(&heard, TYBALT).as_deref(), Some("item-not-found"), "it is locked");
}
