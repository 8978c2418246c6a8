//! Who learns whose address (XEP-0045 §6.5, §7.2.3, §7.2.4, §17.4; AT-40): in a semi-anonymous room
//! moderators do, and nobody else, whatever is said and whatever goes wrong.

use super::{FOUNDER, affiliate, configure, enter, founded, give_role, leave, refusal, say, to};
use crate::{stage_room::House, xep_0045_muc::SHOWN_OCCUPANTS_MAX};
use engine::{setting::Value, wire::*};

const JULIET: &str = "juliet@wax.example/balcony";
const PHONE: &str = "juliet@wax.example/phone";
const ROMEO: &str = "romeo@wax.example/orchard";
const TYBALT: &str = "tybalt@far.example/street";
/// Who never enters.
const PARIS: &str = "paris@wax.example/court";
const ALL: [&str; 6] = [FOUNDER, JULIET, PHONE, ROMEO, TYBALT, PARIS];

fn bare(jid: &str) -> &str {
    jid.split_once('/').unwrap().0
}

/// A room in which all sit but one; what everybody heard is kept.
struct Watched {
    house: House,
    /// Whoever is a moderator now.
    moderators: Vec<&'static str>,
    /// Every stanza to who was no moderator then.
    heard: Vec<Stanza>,
}

impl Watched {
    fn keep(&mut self, heard: Vec<Stanza>) -> Vec<Stanza> {
        let is_moderator = |one: &&Stanza| {
            let to = one.head.to.as_ref().map(|to| to.bare().as_str().to_owned());
            self.moderators.iter().any(|jid| Some(bare(jid)) == to.as_deref())
        };
        self.heard.extend(heard.iter().filter(|one| !is_moderator(one)).cloned());
        heard
    }

    fn says(&mut self, who: &str, xml: &str) -> Vec<Stanza> {
        let heard = self.house.says(who, xml);
        self.keep(heard)
    }

    fn does(&mut self, what: impl FnOnce(&mut House) -> Vec<Stanza>) -> Vec<Stanza> {
        let heard = what(&mut self.house);
        self.keep(heard)
    }
}

fn room(whois: &str) -> Watched {
    let house = founded(&[("whois", whois), ("allowinvites", "1"), ("changesubject", "1")]);
    let mut watched = Watched { house, moderators: vec![FOUNDER], heard: Vec::new() };
    for (who, nick) in [(JULIET, "juliet"), (PHONE, "juliet"), (ROMEO, "romeo"), (TYBALT, "tybalt")]
    {
        watched.does(|house| enter(house, who, nick));
    }
    watched
}

/// All of it that names somebody else's address.
fn leaks(heard: &[Stanza]) -> Vec<String> {
    let names_another = |one: &&Stanza| {
        let to = one.head.to.as_ref().map(Jid::bare);
        let mut told = (*one).clone();
        told.head.to = None;
        let text = told.to_text();
        let others = ALL.iter().map(|jid| bare(jid));
        others
            .filter(|jid| to.as_ref().is_none_or(|to| to.as_str() != *jid))
            .any(|jid| text.contains(jid))
    };
    heard
        .iter()
        .filter(names_another)
        .map(|one| format!("{:?} {}", one.head.to, one.to_text()))
        .collect()
}

#[test]
fn at_40_presence_and_messages_of_a_semi_anonymous_room_name_nobody() {
    let heard = lives_through(room("moderators"));
    assert_eq!(leaks(&heard), Vec::<String>::new());
    assert!(heard.len() > 60, "{}", heard.len());
}

#[test]
fn at_40_nor_do_they_where_not_all_see_each_other() {
    let mut room = room("moderators");
    room.house.settings.choose(&SHOWN_OCCUPANTS_MAX, Value::Number(2));
    let heard = lives_through(room);
    assert_eq!(leaks(&heard), Vec::<String>::new());
    assert!(heard.len() > 40, "{}", heard.len());
}

/// All that happens in a room; what everybody heard who was no moderator then.
fn lives_through(mut room: Watched) -> Vec<Stanza> {
    room.says(
        JULIET,
        "<presence to='garden@conference.wax.example/juliet'><show>away</show></presence>",
    );
    room.says(ROMEO, "<presence to='garden@conference.wax.example/montague'/>");
    room.says(ROMEO, "<presence to='garden@conference.wax.example/juliet'/>");
    room.says(PHONE, "<presence to='garden@conference.wax.example/capulet'/>");
    room.does(|house| say(house, TYBALT, "peace"));
    room.says(TYBALT, "<message type='groupchat'><subject>a brawl</subject></message>");
    room.says(
        TYBALT,
        "<message type='chat' to='garden@conference.wax.example/montague'><body>b</body></message>",
    );
    for (role, who) in [("visitor", "tybalt"), ("participant", "tybalt"), ("none", "tybalt")] {
        room.does(|house| give_role(house, FOUNDER, who, role));
    }
    room.does(|house| enter(house, TYBALT, "tybalt"));
    room.does(|house| affiliate(house, FOUNDER, TYBALT, "member"));
    room.does(|house| affiliate(house, FOUNDER, TYBALT, "outcast"));
    room.does(|house| enter(house, TYBALT, "tybalt"));
    room.does(|house| enter(house, PARIS, "montague"));
    room.does(|house| enter(house, PARIS, "paris"));
    room.does(|house| leave(house, PHONE, "capulet"));
    room.says(
        PARIS,
        "<presence type='error' to='garden@conference.wax.example/paris'><error type='cancel'>\
         <gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>",
    );
    room.does(|house| configure(house, FOUNDER, &[("membersonly", "1")]));
    room.heard
}

#[test]
fn at_40_lists_disco_and_forms_name_nobody() {
    let mut room = room("moderators");
    for who in [JULIET, PARIS] {
        for list in ["owner", "admin", "member", "outcast", "none"] {
            room.says(
                who,
                &format!(
                    "<iq type='get' id='l'><query xmlns='http://jabber.org/protocol/muc#admin'>\
                 <item affiliation='{list}'/></query></iq>"
                ),
            );
        }
        for role in ["moderator", "participant", "visitor"] {
            room.says(
                who,
                &format!(
                    "<iq type='get' id='l'><query xmlns='http://jabber.org/protocol/muc#admin'>\
                 <item role='{role}'/></query></iq>"
                ),
            );
        }
        for disco in ["info", "items"] {
            let ns = format!("http://jabber.org/protocol/disco#{disco}");
            room.says(who, &format!("<iq type='get' id='d'><query xmlns='{ns}'/></iq>"));
            room.says(
                who,
                &format!(
                    "<iq type='get' id='d' \
             to='garden@conference.wax.example/romeo'><query xmlns='{ns}'/></iq>"
                ),
            );
        }
    }
    room.does(|house| give_role(house, FOUNDER, "romeo", "visitor"));
    let form = "<message><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
        <value>http://jabber.org/protocol/muc#request</value></field><field var='muc#role'>\
        <value>participant</value></field></x></message>";
    let asked = room.says(ROMEO, form);
    assert!(to(&asked, FOUNDER)[0].to_text().contains(ROMEO), "a moderator sees who it is");
    assert_eq!(leaks(&room.heard), Vec::<String>::new());
}

#[test]
fn an_invitation_tells_who_invites_section_7_8_2() {
    let mut room = room("moderators");
    let invite = format!(
        "<message><x xmlns='http://jabber.org/protocol/muc#user'><invite to='{}'><reason>come\
         </reason></invite></x></message>",
        bare(PARIS)
    );
    let invited = room.says(JULIET, &invite);
    assert_eq!(invited.len(), 1);
    let text = invited[0].to_text();
    assert!(text.contains(&format!("invite from='{}'", bare(JULIET))), "{text}");
    let also = "<x xmlns='jabber:x:conference' jid='garden@conference.wax.example' reason='come'";
    assert!(text.contains(also), "{text}");
}

#[test]
fn at_40_who_is_made_a_member_does_not_learn_by_whom_section_9_5() {
    let mut room = room("moderators");
    room.does(|house| configure(house, FOUNDER, &[("membersonly", "1")]));
    room.does(|house| affiliate(house, FOUNDER, "nurse@wax.example", "member"));
    let invited = to(&room.heard, "nurse@wax.example");
    assert!(invited[0].to_text().contains("invite from='garden@conference.wax.example/"));
    assert_eq!(leaks(&room.heard), Vec::<String>::new());
}

#[test]
fn at_40_requests_pass_between_occupants_and_neither_learns_who_the_other_is() {
    let mut room = room("moderators");
    let asks = |child: &str| {
        format!("<iq type='get' id='q1' to='garden@conference.wax.example/romeo'>{child}</iq>")
    };
    for child in [
        "<query xmlns='jabber:iq:version'/>",
        "<vCard xmlns='vcard-temp'/>",
        "<ping xmlns='urn:xmpp:ping'/>",
    ] {
        let passed = room.says(PHONE, &asks(child));
        assert_eq!(passed.len(), 1, "{passed:?}");
        let asked = &passed[0];
        assert_eq!(
            asked.head.from.as_ref().unwrap().as_str(),
            "garden@conference.wax.example/juliet"
        );
        let by = asked.head.to.clone().unwrap();
        assert_eq!(by.is_bare(), child.contains("vcard"), "an account answers for its owner");
        let mut error = asked.refused(&StanzaCondition::ServiceUnavailable.into()).unwrap();
        error = error.without(Name::new(ns::CLIENT, "error"));
        let error_of_his = Stanza::parse_one(
            "<iq><error type='cancel' by='romeo@wax.example'><gone xmlns='urn:ietf:params:xml:ns:\
             xmpp-stanzas'>xmpp:romeo@wax.example</gone></error></iq>",
        );
        let payload = error_of_his.unwrap().children().next().unwrap().to_payload();
        for answer in [asked.result(), error.with(payload)] {
            let heard = room.does(|house| house.takes(answer));
            assert_eq!(to(&heard, PHONE).len(), 1, "{heard:?}");
            assert_eq!(heard[0].head.id.as_deref(), Some("q1"));
            assert_eq!(
                heard[0].head.from.as_ref().unwrap().as_str(),
                "garden@conference.wax.example/romeo"
            );
        }
        // Nobody else answers for him.
        let mut forged = asked.result();
        forged.head.from = Some(Jid::parse(TYBALT).unwrap());
        assert!(room.does(|house| house.takes(forged)).is_empty());
    }
    assert_eq!(leaks(&room.heard), Vec::<String>::new());
}

#[test]
fn at_40_an_error_of_a_private_message_does_not_tell_whose_it_is() {
    let mut room = room("moderators");
    room.house.is_foreign = true;
    let message = "<message type='chat' id='p' \
     to='garden@conference.wax.example/romeo'><body>b</body></message>";
    let passed = room.says(TYBALT, message);
    let error = Stanza::parse_one(
        "<message type='error' id='p'><body>b</body><error type='cancel' by='romeo@wax.example'>\
         <policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text \
         xmlns='urn:ietf:params:\
         xml:ns:xmpp-stanzas'>romeo@wax.example wants none</text></error></message>",
    );
    let mut error = error.unwrap();
    error.head.from.clone_from(&passed[0].head.to);
    error.head.to.clone_from(&passed[0].head.from);
    let heard = room.does(|house| house.takes(error));
    assert_eq!(refusal(&heard, TYBALT).as_deref(), Some("policy-violation"));
    assert_eq!(leaks(&room.heard), Vec::<String>::new());
}

#[test]
fn in_a_non_anonymous_room_everybody_is_told_and_warned_section_7_2_3() {
    let mut room = room("anyone");
    let heard = room.does(|house| enter(house, PARIS, "paris"));
    let own = to(&heard, PARIS);
    let text: String = own.iter().map(|one| one.to_text().to_string()).collect();
    for (who, _) in [(JULIET, 0), (ROMEO, 0), (TYBALT, 0), (FOUNDER, 0)] {
        assert!(text.contains(bare(who)), "{who}: {text}");
    }
    let last = own.iter().rev().find(|one| one.kind() == Kind::Presence).unwrap();
    assert_eq!(super::codes(last), [100, 170, 110]);
    for who in [JULIET, ROMEO, TYBALT] {
        assert_eq!(super::item(to(&heard, who)[0], "jid").as_deref(), Some(PARIS));
    }
}

#[test]
fn who_becomes_a_moderator_learns_the_addresses_section_8() {
    let mut room = room("moderators");
    room.moderators.push(ROMEO);
    let heard = room.does(|house| give_role(house, FOUNDER, "romeo", "moderator"));
    let text: String = to(&heard, ROMEO).iter().map(|one| one.to_text().to_string()).collect();
    for who in [FOUNDER, PHONE, TYBALT] {
        assert!(text.contains(who), "{who}: {text}");
    }
    assert_eq!(leaks(&room.heard), Vec::<String>::new());
}
