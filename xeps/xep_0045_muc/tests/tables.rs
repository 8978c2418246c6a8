//! The tables of XEP-0045 §5, each with every rank of who asks and of whom it is about.

use super::{
    FOUNDER, admin, affiliate, codes, configure, document, document::Rank, enter, founded,
    give_role, item, leave, refusal, say, to,
};
use crate::stage_room::House;

const BY: &str = "by@wax.example/phone";
const OF: &str = "of@wax.example/phone";
const NICKS: [(&str, &str); 2] = [(BY, "by"), (OF, "of")];

/// A room with these two in it, or not.
fn room(by: Rank, of: Rank, fields: &[(&str, &str)]) -> House {
    let mut house = founded(fields);
    for ((who, nick), (affiliation, role)) in NICKS.into_iter().zip([by, of]) {
        if affiliation != "none" {
            affiliate(&mut house, FOUNDER, who, affiliation);
        }
        if role != "none" {
            let heard = enter(&mut house, who, nick);
            assert_eq!(refusal(&heard, who), None, "{affiliation} {role}");
            let first = to(&heard, FOUNDER).last().and_then(|seen| item(seen, "role"));
            if first.as_deref() != Some(role) {
                let heard = give_role(&mut house, FOUNDER, nick, role);
                assert_eq!(refusal(&heard, FOUNDER), None, "{affiliation} {role}");
            }
        }
    }
    house
}

fn pairs() -> Vec<(Rank, Rank)> {
    let ranks = document::ranks();
    ranks.iter().flat_map(|by| ranks.iter().map(|of| (*by, *of))).collect()
}

#[test]
fn roles_are_given_and_taken_by_whom_section_5_1_3_lets() {
    for (by, of) in pairs() {
        for role in document::ROLES {
            let mut house = room(by, of, &[]);
            let heard = give_role(&mut house, BY, "of", role);
            let case = format!("{by:?} makes {of:?} {role}: {heard:?}");
            let wanted = document::role(by, of, role);
            assert_eq!(refusal(&heard, BY), wanted.err().map(String::from), "{case}");
            let seen = to(&heard, FOUNDER);
            if wanted.is_err() {
                assert!(seen.is_empty(), "{case}");
                continue;
            }
            let seen = seen.first().unwrap_or_else(|| panic!("{case}"));
            assert_eq!(item(seen, "role").as_deref(), Some(role), "{case}");
            assert_eq!(seen.head.type_str() == "unavailable", role == "none", "{case}");
            assert_eq!(codes(seen).contains(&307), role == "none", "{case}");
            assert!(to(&heard, BY).iter().any(|one| one.head.type_str() == "result"), "{case}");
        }
    }
}

#[test]
fn affiliations_are_given_and_taken_by_whom_section_5_2_2_lets() {
    for (by, of) in pairs() {
        for affiliation in document::AFFILIATIONS {
            let mut house = room(by, of, &[]);
            let heard = affiliate(&mut house, BY, OF, affiliation);
            let case = format!("{by:?} makes {of:?} {affiliation}: {heard:?}");
            let wanted = document::affiliation(by.0, of.0, affiliation);
            assert_eq!(refusal(&heard, BY), wanted.err().map(String::from), "{case}");
            let seen = to(&heard, FOUNDER);
            if wanted.is_err() || of.1 == "none" || of.0 == affiliation {
                assert!(seen.is_empty(), "{case}");
                continue;
            }
            let seen = seen.first().unwrap_or_else(|| panic!("{case}"));
            assert_eq!(item(seen, "affiliation").as_deref(), Some(affiliation), "{case}");
            assert_eq!(codes(seen).contains(&301), affiliation == "outcast", "{case}");
            let role = match affiliation {
                "outcast" => "none",
                other => document::role_after(of.0, other, of.1, false),
            };
            assert_eq!(item(seen, "role").as_deref(), Some(role), "{case}");
        }
    }
}

#[test]
fn who_loses_membership_of_a_members_only_room_goes_section_9_4() {
    for role in ["participant", "visitor", "moderator"] {
        let mut house = room(("none", "none"), ("member", role), &[("membersonly", "1")]);
        let heard = affiliate(&mut house, FOUNDER, OF, "none");
        let seen = to(&heard, FOUNDER);
        let seen = seen.iter().find(|one| one.head.type_str() == "unavailable").unwrap();
        assert_eq!(codes(seen), [321], "{seen:?}");
        assert_eq!(
            refusal(&enter(&mut house, OF, "of"), OF).as_deref(),
            Some("registration-required")
        );
    }
}

#[test]
fn who_enters_has_the_role_of_section_5_1_2() {
    for is_moderated in [false, true] {
        for is_for_members in [false, true] {
            let flag = |is: bool| if is { "1" } else { "0" };
            let fields =
                [("moderatedroom", flag(is_moderated)), ("membersonly", flag(is_for_members))];
            for affiliation in document::AFFILIATIONS {
                let mut house = room((affiliation, "none"), ("none", "none"), &fields);
                let heard = enter(&mut house, BY, "by");
                let refused = match affiliation {
                    "outcast" => Some("forbidden"),
                    "none" if is_for_members => Some("registration-required"),
                    _ => None,
                };
                assert_eq!(refusal(&heard, BY).as_deref(), refused, "{affiliation} {fields:?}");
                if refused.is_none() {
                    let own = to(&heard, BY).into_iter().find(|one| codes(one).contains(&110));
                    let role = own.and_then(|own| item(own, "role"));
                    let wanted = document::role_at_first(affiliation, is_moderated);
                    assert_eq!(role.as_deref(), Some(wanted), "{affiliation} {fields:?}");
                }
            }
        }
    }
}

#[test]
fn who_may_speak_does_section_7_4() {
    for by in document::ranks() {
        let mut house = room(by, ("none", "participant"), &[]);
        let heard = say(&mut house, BY, "hark");
        let refused = match by.1 {
            "none" => Some("not-acceptable"),
            "visitor" => Some("forbidden"),
            _ => None,
        };
        assert_eq!(refusal(&heard, BY).as_deref(), refused, "{by:?}");
        assert_eq!(to(&heard, OF).len(), usize::from(refused.is_none()), "{by:?}: {heard:?}");
    }
}

#[test]
fn who_may_change_the_subject_does_section_8_1() {
    for by in document::ranks() {
        for may_all in [false, true] {
            let fields = [("changesubject", if may_all { "1" } else { "0" })];
            let mut house = room(by, ("none", "visitor"), &fields);
            let subject = "<message type='groupchat'><subject>roses</subject></message>";
            let heard = house.says(BY, subject);
            let refused = match by.1 {
                "none" => Some("not-acceptable"),
                "moderator" => None,
                "participant" if may_all => None,
                _ => Some("forbidden"),
            };
            assert_eq!(refusal(&heard, BY).as_deref(), refused, "{by:?} {fields:?}");
            assert_eq!(to(&heard, OF).len(), usize::from(refused.is_none()), "{by:?}");
        }
    }
}

#[test]
fn who_may_write_privately_does_section_7_5() {
    let roles = ["none", "visitor", "participant", "moderator"];
    for whom in ["anyone", "participants", "moderators", "none"] {
        for (by, of) in roles.iter().flat_map(|by| roles.map(|of| (*by, of))) {
            let mut house = room(("member", by), ("none", of), &[("allowpm", whom)]);
            let message = "<message type='chat' to='garden@conference.wax.example/of'>\
                <body>psst</body></message>";
            let heard = house.says(BY, message);
            let may = match whom {
                _ if by == "moderator" => true,
                "anyone" => true,
                "participants" => by == "participant",
                "moderators" => of == "moderator",
                _ => false,
            };
            let refused = match (by, of) {
                ("none", _) => Some("not-acceptable"),
                (_, "none") => Some("item-not-found"),
                _ if may => None,
                _ => Some("forbidden"),
            };
            let case = format!("{by} to {of} where {whom}: {heard:?}");
            assert_eq!(refusal(&heard, BY).as_deref(), refused, "{case}");
            assert_eq!(to(&heard, OF).len(), usize::from(refused.is_none()), "{case}");
        }
    }
}

#[test]
fn an_admin_bans_by_a_nick_whom_it_sees_section_9_1() {
    let mut house = founded(&[]);
    enter(&mut house, OF, "of");
    enter(&mut house, BY, "by");
    let ban = |nick: &str| format!("<item nick='{nick}' affiliation='outcast'/>");
    for (who, nick, wanted) in [
        (BY, "of", Some("bad-request")),
        (FOUNDER, "nobody", Some("item-not-found")),
        (FOUNDER, "", Some("bad-request")),
        (FOUNDER, "founder", Some("conflict")),
        (FOUNDER, "of", None),
    ] {
        let heard = admin(&mut house, who, &ban(nick));
        assert_eq!(refusal(&heard, who).as_deref(), wanted, "{who} bans {nick}: {heard:?}");
    }
    let heard = enter(&mut house, OF, "of");
    assert_eq!(refusal(&heard, OF).as_deref(), Some("forbidden"));
}

#[test]
fn who_may_see_a_list_does_sections_9_5_and_10_5() {
    for by in document::ranks() {
        for whois in ["moderators", "anyone"] {
            for list in document::AFFILIATIONS {
                let mut house = room(by, ("member", "none"), &[("whois", whois)]);
                let heard = house.says(
                    BY,
                    &format!(
                        "<iq type='get' id='l'><query xmlns='http://jabber.org/protocol/muc#admin'>\
                     <item affiliation='{list}'/></query></iq>"
                    ),
                );
                let is_admin = ["admin", "owner"].contains(&by.0);
                let is_of_them = by.0 == "member" || ["participant", "moderator"].contains(&by.1);
                let is_of_members = ["member", "admin", "owner"].contains(&list);
                // §10.5, §10.8: of owners and admins, where addresses are not for all.
                let is_of_owners = ["admin", "owner"].contains(&list) && whois == "moderators";
                let may = by.0 == "owner"
                    || is_admin && !is_of_owners
                    || whois == "anyone" && is_of_them && is_of_members;
                let refused = (!may).then_some("forbidden");
                assert_eq!(refusal(&heard, BY).as_deref(), refused, "{by:?} {whois} {list}");
            }
            for list in document::ROLES {
                let mut house = room(by, ("member", "none"), &[("whois", whois)]);
                let heard = house.says(
                    BY,
                    &format!(
                        "<iq type='get' id='l'><query xmlns='http://jabber.org/protocol/muc#admin'>\
                     <item role='{list}'/></query></iq>"
                    ),
                );
                let is_admin = ["admin", "owner"].contains(&by.0);
                // §9: the list of moderators is for admins.
                let may = is_admin || by.1 == "moderator" && list != "moderator";
                let refused = (!may).then_some("forbidden");
                assert_eq!(refusal(&heard, BY).as_deref(), refused, "{by:?} {whois} {list}");
            }
        }
    }
}

#[test]
fn owners_alone_configure_and_destroy_sections_10_2_and_10_9() {
    for by in document::ranks() {
        let refused = (by.0 != "owner").then_some("forbidden");
        let of = ("none", "visitor");
        let heard = configure(&mut room(by, of, &[]), BY, &[("roomname", "x")]);
        assert_eq!(refusal(&heard, BY).as_deref(), refused, "{by:?}");
        let query = "<query xmlns='http://jabber.org/protocol/muc#owner'";
        let heard = room(by, of, &[]).says(BY, &format!("<iq type='get' id='g'>{query}/></iq>"));
        assert_eq!(refusal(&heard, BY).as_deref(), refused, "{by:?}");
        let destroy = format!("<iq type='set' id='d'>{query}><destroy/></query></iq>");
        let heard = room(by, of, &[]).says(BY, &destroy);
        assert_eq!(refusal(&heard, BY).as_deref(), refused, "{by:?}");
        let ends = to(&heard, OF).iter().any(|one| one.to_text().contains("<destroy"));
        assert_eq!(ends, refused.is_none(), "{by:?}: {heard:?}");
    }
}

#[test]
fn who_may_invite_does_sections_7_8_2_and_9_5() {
    let member_invites = "{http://prosody.im/protocol/muc}roomconfig_allowmemberinvites";
    for by in document::ranks() {
        for (is_for_members, all, members) in [false, true]
            .iter()
            .flat_map(|a| [(*a, false, false), (*a, true, false), (*a, false, true)])
        {
            if is_for_members && by.0 == "none" && by.1 != "none" {
                continue; // nobody such is in a room for members
            }
            let flag = |is: bool| if is { "1" } else { "0" };
            let fields = [
                ("membersonly", flag(is_for_members)),
                ("allowinvites", flag(all)),
                (member_invites, flag(members)),
            ];
            let mut house = room(by, ("none", "none"), &fields);
            let heard = house.says(BY, &format!(
                "<message><x xmlns='http://jabber.org/protocol/muc#user'><invite to='{OF}'/></x>\
                 </message>"
            ));
            let is_admin = ["admin", "owner"].contains(&by.0);
            let may = match (is_for_members, by.1) {
                _ if is_admin => true,
                (true, _) => members && by.1 != "visitor",
                (false, "moderator") => true,
                (false, role) => all && role == "participant",
            };
            let refused = match by.1 {
                "none" if !is_admin => Some("not-acceptable"),
                _ => (!may).then_some("forbidden"),
            };
            let case = format!("{by:?} {fields:?}: {heard:?}");
            assert_eq!(refusal(&heard, BY).as_deref(), refused, "{case}");
            assert_eq!(to(&heard, OF).len(), usize::from(refused.is_none()), "{case}");
            let enters = refusal(&enter(&mut house, OF, "of"), OF);
            assert_eq!(enters.is_none(), !is_for_members || refused.is_none(), "{case}");
        }
    }
}

#[test]
fn nobody_bans_himself_and_the_last_owner_stays_one_sections_9_1_and_10_4() {
    let mut house = room(("owner", "moderator"), ("admin", "moderator"), &[]);
    let refused = |heard: &[_], who| refusal(heard, who);
    for who in [BY, OF, FOUNDER] {
        let heard = affiliate(&mut house, who, who, "outcast");
        assert_eq!(refused(&heard, who).as_deref(), Some("conflict"), "{who}");
    }
    assert_eq!(refused(&affiliate(&mut house, BY, BY, "admin"), BY), None);
    for lower in ["admin", "member", "none"] {
        let heard = affiliate(&mut house, FOUNDER, FOUNDER, lower);
        assert_eq!(refused(&heard, FOUNDER).as_deref(), Some("conflict"), "{lower}");
    }
    let both = "<item jid='by@wax.example' affiliation='owner'/>\
        <item jid='founder@wax.example' affiliation='none'/>";
    assert_eq!(refused(&super::admin(&mut house, FOUNDER, both), FOUNDER), None);
    leave(&mut house, BY, "by");
    assert_eq!(refused(&affiliate(&mut house, BY, OF, "member"), BY), None, "from outside, too");
}
