//! Probes and directed presence (RFC 6121 §4.3, §4.6).

use super::*;

const NURSE: &str = "nurse@x/kitchen";

/// Romeo sees Juliet.
fn subscribed(world: &mut World, romeo: Link, juliet: Link) {
    world.says(romeo, ROMEO, "<presence to='juliet@x' type='subscribe'/>");
    world.says(juliet, JULIET, "<presence to='romeo@x' type='subscribed'/>");
    world.said.clear();
}

#[test]
fn a_clients_probe_is_answered_to_who_may_see_rfc6121_4_3() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    subscribed(&mut world, romeo, juliet);
    world.says(juliet, JULIET, "<presence id='p1'><show>dnd</show></presence>");
    world.said.clear();
    world.says(romeo, ROMEO, "<presence to='juliet@x' type='probe' id='probe1'/>");
    let heard = world.heard(romeo);
    assert_eq!(heard.len(), 1, "{heard:?}");
    for part in ["from='juliet@x/balcony'", "id='p1'", "<show>dnd</show>"] {
        assert!(heard[0].contains(part), "{part}: {heard:?}");
    }
    assert_eq!(world.heard(juliet), [""; 0], "no client sees a probe");
}

#[test]
fn a_probe_of_one_resource_tells_no_more_than_that_it_is_there_rfc6121_4_3_2() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.online("juliet@x/garden", 3);
    subscribed(&mut world, romeo, juliet);
    world.says(juliet, JULIET, "<presence id='p1'><show>dnd</show></presence>");
    world.said.clear();
    world.says(romeo, ROMEO, &format!("<presence to='{JULIET}' type='probe'/>"));
    let mere = format!("<presence id='p1' to='{ROMEO}' from='{JULIET}'/>");
    let heard: Vec<_> = world.heard(romeo).iter().map(|xml| Stanza::parse_one(xml)).collect();
    assert_eq!(heard, [Stanza::parse_one(&mere)]);
}

#[test]
fn who_sees_an_account_hears_that_nobody_is_there_with_the_probes_id_rfc6121_4_3_2_1() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    subscribed(&mut world, romeo, juliet);
    world.leaves(juliet, JULIET);
    world.said.clear();
    world.says(romeo, ROMEO, "<presence to='juliet@x' type='probe' id='probe2'/>");
    let heard = world.heard(romeo);
    assert!(heard.len() == 1 && heard[0].contains("type='unavailable'"), "{heard:?}");
    assert!(heard[0].contains("id='probe2'"), "{heard:?}");
}

#[test]
fn a_stranger_is_told_unsubscribed_with_the_probes_id_rfc6121_4_3_2() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.connected(ROMEO, 2));
    world.says(romeo, ROMEO, "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>");
    subscribed(&mut world, romeo, juliet);
    // Juliet's side of it is lost.
    world.leaves(juliet, JULIET);
    world.forgets("juliet@x");
    for exists in [true, false] {
        if exists {
            world.stored.extend([stored("juliet@x")]);
        } else {
            world.stored.remove(&Bare::parse("juliet@x").unwrap());
        }
        world.said.clear();
        world.says(romeo, ROMEO, &format!("<presence to='{JULIET}' type='probe' id='probe3'/>"));
        let heard = world.heard(romeo).concat();
        if exists {
            assert!(heard.contains("type='unsubscribed'") && heard.contains("probe3"), "{heard}");
            assert!(!heard.contains("from='juliet@x/"), "{heard}");
        } else {
            assert_eq!(heard, "", "he knows by now");
        }
    }
}

#[test]
fn who_was_sent_presence_may_ask_whether_that_resource_is_there_still_rfc6121_4_6_6() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    world.online("juliet@x/garden", 3);
    let nurse = world.online(NURSE, 2);
    world.says(juliet, JULIET, &format!("<presence to='{NURSE}'><show>chat</show></presence>"));
    world.said.clear();
    for to in [JULIET, "juliet@x"] {
        world.says(nurse, NURSE, &format!("<presence to='{to}' type='probe'/>"));
        let mere = format!("<presence to='{NURSE}' from='{JULIET}'/>");
        let heard: Vec<_> = world.heard(nurse).iter().map(|xml| Stanza::parse_one(xml)).collect();
        assert_eq!(heard, [Stanza::parse_one(&mere)], "{to}");
    }
    world.says(nurse, NURSE, "<presence to='juliet@x/garden' type='probe'/>");
    assert_eq!(world.heard(nurse), [""; 0], "that one told nothing");
    world.says(juliet, JULIET, &format!("<presence to='{NURSE}' type='unavailable'/>"));
    world.said.clear();
    world.says(nurse, NURSE, &format!("<presence to='{JULIET}' type='probe'/>"));
    assert_eq!(world.heard(nurse), [""; 0], "nothing is shared any more");
}

#[test]
fn a_room_that_asks_whether_who_is_in_it_is_there_is_answered_with_its_id_xep_0045_18_1_2() {
    let mut world = World::of(NONE);
    world.settings.services = vec![(Bare::parse("rooms.x").unwrap(), 45)];
    let juliet = world.online(JULIET, 1);
    world.loads = false;
    let shows = "<presence to='garden@rooms.x/j' id='p'><show>dnd</show></presence>";
    world.says(juliet, JULIET, shows);
    world.routed(&format!("<presence type='probe' from='garden@rooms.x/j' to='{JULIET}' id='7'/>"));
    let answer = world.carried.last().map(|xml| Stanza::parse_one(xml));
    let wanted = format!("<presence from='{JULIET}' to='garden@rooms.x/j' id='7'/>");
    assert_eq!(answer, Some(Stanza::parse_one(&wanted)));
}

#[test]
fn a_probe_of_a_stranger_takes_back_no_pre_approval_rfc6121_4_3_2() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.says(romeo, ROMEO, "<presence to='juliet@x' type='subscribed'/>");
    world.says(romeo, ROMEO, "<presence to='juliet@x' type='probe'/>");
    world.said.clear();
    world.says(juliet, JULIET, "<presence to='romeo@x' type='subscribe'/>");
    let heard = world.heard(juliet);
    assert!(heard.iter().any(|xml| xml.contains(&format!("from='{ROMEO}'"))), "{heard:?}");
}

#[test]
fn who_is_unavailable_need_not_hear_of_the_end_rfc6121_4_6_1() {
    let mut world = World::of(NONE);
    let (juliet, nurse) = (world.online(JULIET, 1), world.online(NURSE, 2));
    world.says(juliet, JULIET, &format!("<presence to='{NURSE}'/>"));
    world.says(nurse, NURSE, &format!("<presence to='{JULIET}' type='unavailable'/>"));
    world.said.clear();
    world.says(juliet, JULIET, "<presence type='unavailable'/>");
    assert_eq!(world.heard(nurse), [""; 0]);
}

#[test]
fn who_answers_directed_presence_with_an_error_need_not_hear_of_the_end_rfc6121_4_6_3() {
    let mut world = World::of(NONE);
    let (juliet, nurse) = (world.online(JULIET, 1), world.online(NURSE, 2));
    world.says(juliet, JULIET, &format!("<presence to='{NURSE}'/>"));
    world.says(nurse, NURSE, &format!("<presence to='{JULIET}' type='error'/>"));
    world.said.clear();
    world.says(juliet, JULIET, "<presence type='unavailable'/>");
    assert_eq!(world.heard(nurse), [""; 0]);
}

#[test]
fn resources_become_unavailable_before_the_cancellation_rfc6121_3_2_2() {
    let types = |heard: Vec<String>| -> Vec<String> {
        let heard = heard.iter().map(|xml| Stanza::parse_one(xml).unwrap());
        let presence = heard.filter(|it| it.kind() == Kind::Presence);
        presence.map(|it| it.head.type_str().to_owned()).collect()
    };
    let roster = "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>";
    let removal = "<iq type='set' id='2'><query xmlns='jabber:iq:roster'>\
        <item jid='romeo@x' subscription='remove'/></query></iq>";
    for cancels in ["<presence to='romeo@x' type='unsubscribed'/>", removal] {
        let mut world = World::of(NONE);
        let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
        world.says(romeo, ROMEO, roster);
        subscribed(&mut world, romeo, juliet);
        world.says(juliet, JULIET, cancels);
        assert_eq!(types(world.heard(romeo)), ["unavailable", "unsubscribed"], "{cancels}");
    }
}

#[test]
fn directed_presence_ends_with_the_subscription_rfc6121_4_6_1() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    subscribed(&mut world, romeo, juliet);
    world.says(juliet, JULIET, &format!("<presence to='{ROMEO}'/>"));
    world.says(juliet, JULIET, "<presence to='romeo@x' type='unsubscribed'/>");
    assert!(world.heard(romeo).iter().any(|xml| xml.contains("unavailable")));
    world.says(juliet, JULIET, "<presence type='unavailable'/>");
    assert_eq!(world.heard(romeo), [""; 0], "he sees her no more");
}

#[test]
fn for_a_resource_that_is_gone_there_are_only_requests_rfc6121_8_5_3_2_2() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    world.says(juliet, JULIET, "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>");
    world.says(juliet, JULIET, "<presence to='romeo@x' type='subscribe'/>");
    world.said.clear();
    for kind in ["subscribed", "unsubscribe", "unsubscribed", "", "unavailable"] {
        world.routed(&format!("<presence from='romeo@x' to='juliet@x/gone' type='{kind}'/>"));
        assert_eq!(world.heard(juliet), [""; 0], "{kind}");
    }
    world.routed("<presence from='romeo@x' to='juliet@x/gone' type='subscribe'/>");
    let heard = world.heard(juliet);
    assert!(heard.len() == 1 && heard[0].contains("to='juliet@x'"), "{heard:?}");
}

#[test]
fn a_host_refuses_every_message_rfc6120_10_5_1() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    for to in ["x", "x/announce"] {
        for kind in ["normal", "chat", "groupchat", "headline"] {
            world.says(juliet, JULIET, &format!("<message to='{to}' type='{kind}' id='m'/>"));
            let heard = world.heard(juliet);
            assert!(heard.len() == 1 && heard[0].contains("service-unavailable"), "{kind} {to}");
        }
        world.says(juliet, JULIET, &format!("<message to='{to}' type='error' id='m'/>"));
        world.says(juliet, JULIET, &format!("<presence to='{to}'/>"));
        assert_eq!(world.heard(juliet), [""; 0]);
    }
    world.says(juliet, JULIET, "<iq to='x/y' type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert!(world.heard(juliet)[0].contains("service-unavailable"));
}

#[test]
fn who_enters_a_room_that_cannot_be_read_is_told_so_xep_0045() {
    let mut world = World::of(NONE);
    world.settings.services = vec![(Bare::parse("rooms.x").unwrap(), 45)];
    let juliet = world.online(JULIET, 1);
    world.loads = false;
    for (presence, wanted) in [
        ("<presence to='garden@rooms.x/j' id='p'/>", true),
        ("<presence to='garden@rooms.x/j' id='p' type='unavailable'/>", false),
        ("<presence to='garden@rooms.x' id='p'/>", false),
    ] {
        world.says(juliet, JULIET, presence);
        while let Some(jid) = world.loading.pop_front() {
            world.feed(Input::Loaded(jid, Err(Fault::Away("gone".into()))));
        }
        let heard = world.heard(juliet).concat();
        let is_refused = heard.contains("from='garden@rooms.x/j'")
            && heard.contains("type='wait'")
            && heard.contains("internal-server-error");
        assert_eq!(is_refused, wanted, "{presence}: {heard}");
        assert_eq!(heard.is_empty(), !wanted, "{presence}: {heard}");
    }
}
