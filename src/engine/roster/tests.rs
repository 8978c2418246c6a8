//! The roster and subscriptions (RFC 6121 §2, §3, Appendix A): tests are named after the section.

use super::*;
use crate::{
    ctx::{Moment, Random},
    hooks::Hooks,
    settings::Settings,
};
use std::collections::BTreeMap;

struct Zero;

impl Random for Zero {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// Runs `with` at this time in 1970, with room for 8 items.
fn at<T>(unix_ms: u64, with: impl FnOnce(&Ctx<'_>) -> T) -> T {
    allowing(8, unix_ms, with)
}

/// The same with room for so many.
fn allowing<T>(items_max: usize, unix_ms: u64, with: impl FnOnce(&Ctx<'_>) -> T) -> T {
    let mut settings = Settings::of(vec![Bare::host("wax.example").unwrap()], [0; 32]);
    settings.limits.roster_items_max = items_max;
    let hooks = Hooks::of(&[]);
    let now = Moment(unix_ms);
    with(&Ctx { now, unix_ms, random: &Zero, settings: &settings, hooks: &hooks })
}

fn bare(jid: &str) -> Bare {
    Bare::parse(jid).unwrap()
}

fn romeo() -> Bare {
    bare("romeo@wax.example")
}

fn juliet() -> Bare {
    bare("juliet@capulet.example")
}

fn jid(of: &Bare) -> Jid {
    of.clone().into()
}

fn request(from: &Bare, status: &str) -> Stanza {
    let xml = format!(
        "<presence type='subscribe' from='{from}' to='romeo@wax.example'><status>{status}</status>\
         </presence>"
    );
    Stanza::parse_one(&xml).unwrap()
}

fn iq(kind: &str, query: &str) -> Stanza {
    let xml =
        format!("<iq type='{kind}' id='1'><query xmlns='jabber:iq:roster'{query}</query></iq>");
    Stanza::parse_one(&xml).unwrap()
}

fn set(roster: &mut Roster, unix_ms: u64, items: &str) -> Result<Set, StanzaCondition> {
    let iq = iq("set", &format!(">{items}"));
    at(unix_ms, |ctx| roster.set(&romeo(), &iq, ctx)).map_err(|error| error.condition)
}

fn sent(roster: &mut Roster, unix_ms: u64, ask: Ask) -> Step {
    at(unix_ms, |ctx| roster.sent(&romeo(), &juliet(), ask, ctx))
}

fn received(roster: &mut Roster, unix_ms: u64, ask: Ask) -> Step {
    let stanza = request(&juliet(), "it is I");
    at(unix_ms, |ctx| roster.received(&romeo(), &juliet(), ask, &stanza, ctx))
}

fn full(roster: &Roster) -> String {
    match roster.get(&iq("get", ">")) {
        RosterReply::Full(payload) => payload.as_str().to_owned(),
        other => panic!("not the whole roster: {other:?}"),
    }
}

fn since(roster: &Roster, ver: &str) -> Vec<String> {
    match roster.get(&iq("get", &format!(" ver='{ver}'>"))) {
        RosterReply::Changed(pushes) => pushes.iter().map(|push| push.as_str().into()).collect(),
        RosterReply::Empty => Vec::new(),
        RosterReply::Full(payload) => panic!("the whole roster: {payload}"),
    }
}

fn pushed(step: &Step) -> String {
    step.push.as_ref().map_or_else(String::new, |item| item.push(item.ver).as_str().to_owned())
}

/// What the store would give back.
fn reloaded(roster: &Roster) -> Roster {
    Roster::load(roster.items().cloned().collect(), roster.removed.iter().cloned().collect())
}

#[test]
fn a_set_keeps_name_and_groups_and_pushes_them_2_3() {
    let mut roster = Roster::default();
    let done = set(
        &mut roster,
        5,
        "<item jid='juliet@capulet.example' name='J&amp;'><group>b</group><group>a</group></item>",
    );
    let done = done.unwrap();
    let push = "<query xmlns='jabber:iq:roster' ver='5'>\
        <item jid='juliet@capulet.example' name='J&amp;' subscription='none'>\
        <group>b</group><group>a</group></item></query>";
    assert_eq!(done.push.as_str(), push);
    assert_eq!(full(&roster), push);
    let item = roster.item(&juliet()).unwrap().clone();
    assert_eq!(done.changes, [Change::Roster(romeo(), item)]);
    assert!(done.sends.is_empty());
}

#[test]
fn a_client_cannot_set_subscription_ask_or_approved_2_1_2() {
    let mut roster = Roster::default();
    set(
        &mut roster,
        5,
        "<item jid='juliet@capulet.example' subscription='both' ask='subscribe' approved='true'/>",
    )
    .unwrap();
    assert!(full(&roster).contains("<item jid='juliet@capulet.example' subscription='none'/>"));
    received(&mut roster, 6, Ask::Subscribed);
    sent(&mut roster, 7, Ask::Subscribe);
    received(&mut roster, 8, Ask::Subscribed);
    set(&mut roster, 9, "<item jid='juliet@capulet.example' name='J' subscription='none'/>")
        .unwrap();
    assert!(full(&roster).contains("name='J' subscription='to'/>"));
}

#[test]
fn a_bad_set_is_refused_and_changes_nothing_2_3_3() {
    use StanzaCondition::{BadRequest, ItemNotFound, JidMalformed, NotAcceptable};
    let long = "x".repeat(LABEL_BYTES_MAX + 1);
    let many = (0..=GROUPS_MAX).map(|n| format!("<group>{n}</group>")).collect::<String>();
    let cases = [
        (String::new(), BadRequest),
        ("<item jid='a@b'/><item jid='c@d'/>".into(), BadRequest),
        ("<item name='nobody'/>".into(), BadRequest),
        ("<item jid='@b'/>".into(), JidMalformed),
        ("<item jid='a@b'><group>x</group><group>x</group></item>".into(), BadRequest),
        ("<item jid='a@b'><group/></item>".into(), NotAcceptable),
        (format!("<item jid='a@b'><group>{long}</group></item>"), NotAcceptable),
        (format!("<item jid='a@b'>{many}</item>"), NotAcceptable),
        (format!("<item jid='a@b' name='{long}'/>"), NotAcceptable),
        ("<item jid='a@b' subscription='remove'/>".into(), ItemNotFound),
    ];
    let mut roster = Roster::default();
    for (items, condition) in cases {
        assert_eq!(set(&mut roster, 5, &items).unwrap_err(), condition, "{items}");
    }
    assert_eq!(full(&roster), "<query xmlns='jabber:iq:roster' ver='0'/>");
    let longest = "x".repeat(LABEL_BYTES_MAX);
    set(&mut roster, 5, &format!("<item jid='a@b' name='{longest}'/>")).unwrap();
}

#[test]
fn one_item_too_many_is_refused_but_those_there_can_change() {
    let mut roster = Roster::default();
    for n in 0..8 {
        set(&mut roster, 5, &format!("<item jid='{n}@b'/>")).unwrap();
    }
    let more = set(&mut roster, 5, "<item jid='8@b'/>");
    assert_eq!(more.unwrap_err(), StanzaCondition::ResourceConstraint);
    set(&mut roster, 5, "<item jid='7@b' name='seven'/>").unwrap();
    let step = sent(&mut roster, 6, Ask::Subscribe);
    assert_eq!(step.refusal, Some(StanzaCondition::ResourceConstraint));
    assert!(!step.pass && step.changes.is_empty());
    assert!(roster.item(&juliet()).is_none());
}

#[test]
fn strangers_cannot_ask_without_end() {
    let mut roster = Roster::default();
    let ask = |roster: &mut Roster, n: usize| {
        let from = bare(&format!("{n}@spam.example"));
        let stanza = request(&from, "");
        at(5, |ctx| roster.received(&romeo(), &from, Ask::Subscribe, &stanza, ctx))
    };
    for n in 0..REQUESTS_MAX {
        assert!(ask(&mut roster, n).pass);
    }
    let step = ask(&mut roster, REQUESTS_MAX);
    assert!(!step.pass && step.changes.is_empty());
    assert_eq!(roster.requests().count(), REQUESTS_MAX);
    // A contact of the user's own is heard all the same.
    set(&mut roster, 6, "<item jid='juliet@capulet.example'/>").unwrap();
    assert!(received(&mut roster, 7, Ask::Subscribe).pass);
}

fn asks(roster: &mut Roster, from: &str, status: &str) -> Step {
    let from = bare(from);
    let stanza = request(&from, status);
    at(5, |ctx| roster.received(&romeo(), &from, Ask::Subscribe, &stanza, ctx))
}

fn told(roster: &Roster) -> usize {
    roster.requests().map(Stanza::wire_len).sum()
}

#[test]
fn what_strangers_ask_is_bounded_in_bytes_whatever_makes_it_long() {
    let (long_status, long_name) = ("x".repeat(800), "x".repeat(1000));
    for (name, status) in [("", &*long_status), (&*long_name, "")] {
        let mut roster = Roster::default();
        for n in 0..REQUESTS_MAX {
            asks(&mut roster, &format!("{name}{n}@spam.example"), status);
        }
        let told = told(&roster);
        assert!((REQUESTS_BYTES_MAX / 2..=REQUESTS_BYTES_MAX).contains(&told), "{told}");
    }
}

#[test]
fn the_roster_and_what_strangers_ask_can_be_told_before_anything_is_acknowledged() {
    let told = bytes_max(Settings::of(Vec::new(), [0; 32]).limits.roster_items_max);
    assert!(told + REQUESTS_BYTES_MAX < crate::unacked::UNACKED_BYTES_MAX);
    const { assert!(PUSHES_MAX < crate::unacked::UNACKED_STANZAS_MAX) };
}

#[test]
fn requests_that_were_kept_when_longer_ones_were_are_told_by_their_addresses() {
    let long = |n: usize| {
        let from = bare(&format!("{n}@spam.example"));
        let request = Some(Box::new(request(&from, &"x".repeat(4000))));
        Item { request, ..Item::of(&from) }
    };
    let roster = Roster::load((0..REQUESTS_MAX).map(long).collect(), Vec::new());
    assert_eq!(roster.requests().count(), REQUESTS_MAX);
    assert!(told(&roster) <= REQUESTS_BYTES_MAX);
    let first = roster.requests().next().unwrap();
    assert_eq!((first.head.type_str(), first.child_count()), ("subscribe", 0));
    assert_eq!(first.head.to, Some(jid(&romeo())));
}

#[test]
fn requests_that_are_too_much_to_be_told_are_when_some_are_answered_and_contacts_first() {
    let long = |n: usize| {
        let from = bare(&format!("{n:04}@spam.example"));
        let request = Some(Box::new(request(&from, &"x".repeat(800))));
        Item { request, ..Item::of(&from) }
    };
    let mut roster = Roster::load((0..400).map(long).collect(), Vec::new());
    set(&mut roster, 5, "<item jid='zoe@capulet.example'/>").unwrap();
    assert!(asks(&mut roster, "zoe@capulet.example", "").pass);
    let before: Vec<_> = roster.requests().map(|one| one.head.from.clone().unwrap()).collect();
    assert!(before.len() < 401);
    assert_eq!(before[0].as_str(), "zoe@capulet.example");
    for from in &before[1..101] {
        let from = from.bare();
        at(6, |ctx| roster.sent(&romeo(), &from, Ask::Unsubscribed, ctx));
    }
    let after = roster.requests().last().unwrap().head.from.clone();
    assert!(after.as_ref() > before.last());
}

#[test]
fn what_strangers_ask_takes_no_room_from_the_users_contacts() {
    let mut roster = Roster::default();
    for n in 0..REQUESTS_MAX {
        asks(&mut roster, &format!("{n}@spam.example"), &"x".repeat(800));
    }
    let groups = groups(40, 'x');
    for n in 0..8 {
        set(&mut roster, 6, &format!("<item jid='{n}@b'>{groups}</item>")).unwrap();
    }
}

/// So many groups, as long as they may be.
fn groups(count: usize, letter: char) -> String {
    let group = |n| format!("{n:02}{}", letter.to_string().repeat(LABEL_BYTES_MAX - 2));
    let group = |n| format!("<group>{}</group>", group(n).replace('&', "&amp;"));
    (0..count).map(group).collect()
}

#[test]
fn a_roster_takes_no_more_than_its_answer_may_but_can_be_made_shorter_when_it_does() {
    let mut roster = Roster::default();
    let long = |jid: &str, count| format!("<item jid='{jid}'>{}</item>", groups(count, '&'));
    set(&mut roster, 5, &long("a@b", 64)).unwrap();
    assert!(full(&roster).len() > ROSTER_BYTES_MAX / 2, "as it is told");
    let more = set(&mut roster, 6, &long("c@d", 64));
    assert_eq!(more.unwrap_err(), StanzaCondition::ResourceConstraint);
    set(&mut roster, 7, &long("c@d", 30)).unwrap();
    assert!(full(&roster).len() <= ROSTER_BYTES_MAX);
    // As if the limit had been another.
    let mut items: Vec<_> = roster.items().cloned().collect();
    items[1].groups = items[0].groups.clone();
    let mut roster = Roster::load(items, Vec::new());
    assert!(full(&roster).len() > ROSTER_BYTES_MAX);
    let more = set(&mut roster, 8, "<item jid='e@f'/>");
    assert_eq!(more.unwrap_err(), StanzaCondition::ResourceConstraint);
    set(&mut roster, 9, &long("c@d", 63)).unwrap();
    let more = set(&mut roster, 10, &long("c@d", 64));
    assert_eq!(more.unwrap_err(), StanzaCondition::ResourceConstraint);
    assert!(set(&mut roster, 11, "<item jid='a@b' subscription='remove'/>").is_ok());
    set(&mut roster, 12, "<item jid='e@f'/>").unwrap();
}

#[test]
fn a_stranger_is_denied_also_when_there_is_no_room_for_another_contact_3_2() {
    let mut roster = Roster::default();
    for n in 0..8 {
        set(&mut roster, 5, &format!("<item jid='{n}@b'/>")).unwrap();
    }
    received(&mut roster, 6, Ask::Subscribe);
    let step = sent(&mut roster, 7, Ask::Subscribed);
    assert_eq!(step.refusal, Some(StanzaCondition::ResourceConstraint));
    let step = sent(&mut roster, 8, Ask::Unsubscribed);
    assert!(step.pass && step.refusal.is_none());
    assert_eq!(roster.requests().count(), 0);
    received(&mut roster, 9, Ask::Subscribe);
    assert!(received(&mut roster, 10, Ask::Unsubscribe).pass);
    assert_eq!(roster.requests().count(), 0);
}

#[test]
fn whom_the_user_asks_takes_room_in_the_roster_too() {
    let mut roster = Roster::default();
    let ask = |roster: &mut Roster, n: usize| {
        let to = bare(&format!("{n:04}{}@capulet.example", "x".repeat(1000)));
        allowing(2_000, 5, |ctx| roster.sent(&romeo(), &to, Ask::Subscribe, ctx))
    };
    let refused = (0..2_000).find_map(|n| ask(&mut roster, n).refusal);
    assert_eq!(refused, Some(StanzaCondition::ResourceConstraint));
    assert!(full(&roster).len() <= ROSTER_BYTES_MAX);
}

#[test]
fn an_item_is_told_in_no_more_bytes_than_are_counted_for_it() {
    let mut roster = Roster::default();
    let label = "&lt;&gt;&amp;'é&#10;";
    let label = label.replace('\'', "&apos;");
    set(&mut roster, 5, &format!("<item jid='a@b' name='{label}'><group>{label}</group></item>"))
        .unwrap();
    set(&mut roster, 5, "<item jid='c@d/&lt;&apos;&gt;'/>").unwrap();
    sent(&mut roster, 6, Ask::Subscribe);
    sent(&mut roster, 7, Ask::Subscribed);
    assert!(full(&roster).contains("ask='subscribe' approved='true'/>"));
    let counted = roster.items().map(Item::told_bytes).sum::<usize>();
    let frame = "<query xmlns='jabber:iq:roster' ver='7'></query>".len();
    let told = full(&roster).len() - frame;
    assert!((told..told + 150).contains(&counted), "{told} of {counted}");
    assert_eq!((roster.told_bytes, reloaded(&roster).told_bytes), (counted, counted));
    set(&mut roster, 8, "<item jid='a@b' subscription='remove'/>").unwrap();
    set(&mut roster, 9, "<item jid='c@d/&lt;&apos;&gt;' name='c'/>").unwrap();
    assert_eq!(roster.told_bytes, reloaded(&roster).told_bytes);
}

#[test]
fn as_many_contacts_as_may_be_have_room_with_ordinary_names_and_two_groups() {
    let item = "<item jid='bartholomew.featherstone@capulet.example' \
                name='Bartholomew Featherstone'><group>Verona, Montague and Capulet</group>\
                <group>Friends</group></item>";
    let mut roster = Roster::default();
    set(&mut roster, 5, item).unwrap();
    for items_max in [2_000, 100_000] {
        assert!(items_max * roster.told_bytes <= bytes_max(items_max), "{}", roster.told_bytes);
    }
}

#[test]
fn a_removal_takes_back_what_the_state_demands_2_5_2() {
    /// Who said what, what goes to the contact with the removal, whether it loses sight.
    type Case<'a> = (&'a [(bool, Ask)], &'a [Ask], bool);
    let cases: [Case<'_>; 5] = [
        (&[], &[], false),
        (&[(true, Ask::Subscribe)], &[Ask::Unsubscribe], false),
        (&[(false, Ask::Subscribe)], &[Ask::Unsubscribed], false),
        (&[(true, Ask::Subscribe), (false, Ask::Subscribed)], &[Ask::Unsubscribe], false),
        (
            &[
                (true, Ask::Subscribe),
                (false, Ask::Subscribed),
                (false, Ask::Subscribe),
                (true, Ask::Subscribed),
            ],
            &[Ask::Unsubscribe, Ask::Unsubscribed],
            true,
        ),
    ];
    for (story, sends, lost_from) in cases {
        let mut roster = Roster::default();
        set(&mut roster, 5, "<item jid='juliet@capulet.example'/>").unwrap();
        for &(ours, ask) in story {
            let walk = if ours { sent } else { received };
            walk(&mut roster, 6, ask);
        }
        let remove = "<item jid='juliet@capulet.example' subscription='remove'/>";
        let done = set(&mut roster, 20, remove).unwrap();
        assert_eq!((&*done.sends, done.lost_from), (sends, lost_from), "{story:?}");
        let push = "<query xmlns='jabber:iq:roster' ver='20'>\
            <item jid='juliet@capulet.example' subscription='remove'/></query>";
        assert_eq!(done.push.as_str(), push);
        assert_eq!(done.changes, [Change::Unroster(romeo(), jid(&juliet()), 20)]);
        assert!(roster.item(&juliet()).is_none());
    }
}

#[test]
fn versions_rise_with_every_change_also_when_the_clock_steps_back_2_6() {
    let mut roster = Roster::default();
    set(&mut roster, 1_000, "<item jid='a@b'/>").unwrap();
    set(&mut roster, 10, "<item jid='c@d'/>").unwrap();
    set(&mut roster, 10, "<item jid='a@b' subscription='remove'/>").unwrap();
    assert!(full(&roster).contains("ver='1002'"));
    assert!(full(&reloaded(&roster)).contains("ver='1002'"));
}

#[test]
fn a_known_version_gets_only_what_changed_since_in_order_2_6_3() {
    let mut roster = Roster::default();
    for (unix_ms, items) in [
        (10, "<item jid='a@b'/>"),
        (20, "<item jid='c@d'/>"),
        (30, "<item jid='e@f'/>"),
        (40, "<item jid='a@b' name='once'/>"),
        (50, "<item jid='c@d' subscription='remove'/>"),
        (60, "<item jid='a@b' name='twice'/>"),
    ] {
        set(&mut roster, unix_ms, items).unwrap();
    }
    for roster in [&roster, &reloaded(&roster)] {
        let changed = [
            "<query xmlns='jabber:iq:roster' ver='50'>\
             <item jid='c@d' subscription='remove'/></query>",
            "<query xmlns='jabber:iq:roster' ver='60'>\
             <item jid='a@b' name='twice' subscription='none'/></query>",
        ];
        assert_eq!(since(roster, "30"), changed);
        assert_eq!(since(roster, "60"), <[&str; 0]>::default());
        for unknown in ["", "61", "9", "nonsense"] {
            let reply = roster.get(&iq("get", &format!(" ver='{unknown}'>")));
            assert!(matches!(reply, RosterReply::Full(_)), "{unknown}");
        }
    }
}

#[test]
fn a_removed_item_that_came_back_is_not_removed_2_6_3() {
    let mut roster = Roster::default();
    set(&mut roster, 10, "<item jid='a@b'/>").unwrap();
    set(&mut roster, 20, "<item jid='c@d'/>").unwrap();
    set(&mut roster, 30, "<item jid='c@d' subscription='remove'/>").unwrap();
    set(&mut roster, 40, "<item jid='c@d' name='again'/>").unwrap();
    let changed = since(&roster, "20");
    assert_eq!(changed.len(), 1);
    assert!(changed[0].contains("name='again'"));
}

#[test]
fn a_version_older_than_the_oldest_remembered_removal_gets_the_whole_roster() {
    let mut roster = Roster::default();
    set(&mut roster, 10, "<item jid='a@b'/>").unwrap();
    for n in 0..=REMOVED_ITEMS_MAX {
        set(&mut roster, 0, &format!("<item jid='{n}@d'/>")).unwrap();
        set(&mut roster, 0, &format!("<item jid='{n}@d' subscription='remove'/>")).unwrap();
    }
    assert_eq!(roster.removed.len(), REMOVED_ITEMS_MAX);
    assert!(matches!(roster.get(&iq("get", " ver='10'>")), RosterReply::Full(_)));
    assert!(matches!(roster.get(&iq("get", " ver='12'>")), RosterReply::Full(_)));
    assert!(matches!(roster.get(&iq("get", " ver='14'>")), RosterReply::Full(_)));
    assert_eq!(since(&roster, &(roster.ver - 128).to_string()).len(), PUSHES_MAX);
}

#[test]
fn who_has_missed_much_gets_the_whole_roster_in_place_of_a_push_for_each_2_6_3() {
    let mut roster = Roster::default();
    for n in 0..=PUSHES_MAX + 1 {
        let item = iq("set", &format!("><item jid='{n}@b'/>"));
        allowing(1_000, 0, |ctx| roster.set(&romeo(), &item, ctx)).unwrap();
    }
    assert_eq!(since(&roster, "2").len(), PUSHES_MAX);
    assert!(matches!(roster.get(&iq("get", " ver='1'>")), RosterReply::Full(_)));
}

#[test]
fn a_request_is_kept_whole_and_never_shown_3_1_3_a_1() {
    let mut roster = Roster::default();
    let step = received(&mut roster, 5, Ask::Subscribe);
    assert!(step.pass);
    assert_eq!(pushed(&step), "");
    assert_eq!(full(&roster), "<query xmlns='jabber:iq:roster' ver='5'/>");
    let kept: Vec<_> = roster.requests().cloned().collect();
    assert_eq!(kept, [request(&juliet(), "it is I")]);
    let again = received(&mut roster, 6, Ask::Subscribe);
    assert!(!again.pass && again.changes.is_empty());
    let removal = set(&mut roster, 7, "<item jid='juliet@capulet.example' subscription='remove'/>");
    assert_eq!(removal.unwrap_err(), StanzaCondition::ItemNotFound);
}

#[test]
fn of_a_very_long_request_only_the_addresses_are_kept() {
    let mut roster = Roster::default();
    let stanza = request(&juliet(), &"x".repeat(REQUEST_BYTES_MAX));
    at(5, |ctx| roster.received(&romeo(), &juliet(), Ask::Subscribe, &stanza, ctx));
    let kept = roster.requests().next().unwrap();
    assert_eq!((kept.head.type_str(), kept.child_count()), ("subscribe", 0));
    assert_eq!(kept.head.from, Some(jid(&juliet())));
}

#[test]
fn a_denied_stranger_leaves_nothing_behind_3_2() {
    for (by_user, ask) in [(true, Ask::Unsubscribed), (false, Ask::Unsubscribe)] {
        let walk = if by_user { sent } else { received };
        let mut roster = Roster::default();
        received(&mut roster, 5, Ask::Subscribe);
        let step = walk(&mut roster, 6, ask);
        assert!(step.pass && step.push.is_none());
        assert!(matches!(*step.changes, [Change::Unroster(..)]), "{:?}", step.changes);
        assert_eq!(roster.items().count(), 0);
    }
}

#[test]
fn a_contact_of_the_user_survives_its_denied_request() {
    let mut roster = Roster::default();
    set(&mut roster, 5, "<item jid='juliet@capulet.example'/>").unwrap();
    received(&mut roster, 6, Ask::Subscribe);
    assert!(full(&reloaded(&roster)).contains("juliet"));
    let step = sent(&mut roster, 7, Ask::Unsubscribed);
    assert!(step.pass && step.push.is_none());
    assert!(full(&roster).contains("juliet"));
}

#[test]
fn a_mutual_subscription_pushes_each_visible_change_3_1() {
    let mut roster = Roster::default();
    let ask = sent(&mut roster, 1, Ask::Subscribe);
    assert!(pushed(&ask).contains("subscription='none' ask='subscribe'/>"));
    assert!(!ask.became_to);
    let yes = received(&mut roster, 2, Ask::Subscribed);
    assert!(pushed(&yes).contains("subscription='to'/>"));
    assert!(yes.pass && yes.became_to && roster.is_to(&juliet()));
    assert_eq!(pushed(&received(&mut roster, 3, Ask::Subscribe)), "");
    let approved = sent(&mut roster, 4, Ask::Subscribed);
    assert!(pushed(&approved).contains("subscription='both'/>"));
    assert!(approved.pass && approved.became_from && roster.is_from(&juliet()));
    assert_eq!(roster.requests().count(), 0);
    let cut = received(&mut roster, 5, Ask::Unsubscribe);
    assert!(pushed(&cut).contains("subscription='to'/>"));
    assert!(cut.pass && cut.lost_from && !cut.lost_to);
    let end = sent(&mut roster, 6, Ask::Unsubscribe);
    assert!(pushed(&end).contains("subscription='none'/>"));
    assert!(end.pass && end.lost_to && !end.lost_from);
}

#[test]
fn who_is_subscribed_already_is_answered_for_the_user_3_1_3() {
    let mut roster = Roster::default();
    received(&mut roster, 1, Ask::Subscribe);
    sent(&mut roster, 2, Ask::Subscribed);
    let step = received(&mut roster, 3, Ask::Subscribe);
    assert_eq!(step.reply, Some(Ask::Subscribed));
    assert!(!step.pass && step.push.is_none() && step.changes.is_empty());
}

#[test]
fn an_unasked_approval_is_not_delivered_3_1_6() {
    let mut roster = Roster::default();
    let step = received(&mut roster, 1, Ask::Subscribed);
    assert!(!step.pass && step.changes.is_empty());
    received(&mut roster, 2, Ask::Subscribe);
    sent(&mut roster, 3, Ask::Subscribed);
    let step = received(&mut roster, 4, Ask::Subscribed);
    assert!(!step.pass && !roster.is_to(&juliet()));
}

#[test]
fn a_pre_approved_contact_is_let_in_without_asking_the_user_3_4() {
    let mut roster = Roster::default();
    let step = sent(&mut roster, 1, Ask::Subscribed);
    assert!(!step.pass);
    assert!(pushed(&step).contains("subscription='none' approved='true'/>"));
    let mut roster = reloaded(&roster);
    let step = received(&mut roster, 2, Ask::Subscribe);
    assert!(!step.pass && step.became_from);
    assert_eq!(step.reply, Some(Ask::Subscribed));
    assert!(pushed(&step).contains("subscription='from'/>"));
    assert!(sent(&mut roster, 3, Ask::Subscribed).changes.is_empty());
}

#[test]
fn a_pre_approval_can_be_taken_back_3_4_2() {
    let mut roster = Roster::default();
    sent(&mut roster, 1, Ask::Subscribed);
    let step = sent(&mut roster, 2, Ask::Unsubscribed);
    assert!(!step.pass);
    assert!(pushed(&step).contains("subscription='none'/>"));
    let step = received(&mut roster, 3, Ask::Subscribe);
    assert!(step.pass && step.reply.is_none());
}

#[test]
fn nobody_subscribes_to_himself() {
    let mut roster = Roster::default();
    let step = at(1, |ctx| roster.sent(&romeo(), &romeo(), Ask::Subscribe, ctx));
    assert!(!step.pass && step.changes.is_empty());
    assert_eq!(roster.items().count(), 0);
}

/// What a client believes: its version, and the items as it was told them.
#[derive(Clone, Default)]
struct Belief {
    ver: String,
    items: BTreeMap<String, String>,
}

impl Belief {
    fn pushed(&mut self, query: &Payload) {
        let query = query.element();
        self.ver = query.attribute("ver").unwrap().into_owned();
        for item in query.children() {
            let jid = item.attribute("jid").unwrap().into_owned();
            match item.attribute("subscription").as_deref() {
                Some("remove") => self.items.remove(&jid),
                _ => self.items.insert(jid, item.as_str().to_owned()),
            };
        }
    }

    fn connects(&mut self, roster: &Roster) {
        match roster.get(&iq("get", &format!(" ver='{}'>", self.ver))) {
            RosterReply::Full(query) => {
                self.items.clear();
                self.pushed(&query);
            }
            RosterReply::Empty => {}
            RosterReply::Changed(queries) => queries.iter().for_each(|query| self.pushed(query)),
        }
    }
}

#[test]
fn whoever_listens_or_comes_back_believes_what_is_true_2_1_6_and_2_6() {
    let asks = [Ask::Subscribe, Ask::Subscribed, Ask::Unsubscribe, Ask::Unsubscribed];
    let (mut roster, mut dice) = (Roster::default(), 3_u32);
    let (mut listens, mut away) = (Belief::default(), Belief::default());
    for round in 0..5_000 {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let ask = asks[(dice >> 18) as usize % 4];
        let contact = bare(&format!("{}@b", (dice >> 20) % 5));
        let item = format!("<item jid='{contact}' name='{round}'/>");
        let removal = format!("<item jid='{contact}' subscription='remove'/>");
        let stanza = request(&contact, "");
        match (dice >> 24) % 8 {
            0 => listens.pushed(&set(&mut roster, 9, &item).unwrap().push),
            1 => drop(set(&mut roster, 9, &removal).map(|done| listens.pushed(&done.push))),
            2 => away.connects(&roster),
            3 => roster = reloaded(&roster),
            walk => {
                let step = at(9, |ctx| match walk {
                    4 | 5 => roster.sent(&romeo(), &contact, ask, ctx),
                    _ => roster.received(&romeo(), &contact, ask, &stanza, ctx),
                });
                step.push.iter().for_each(|item| listens.pushed(&item.push(item.ver)));
            }
        }
        let mut truth = Belief::default();
        truth.connects(&roster);
        assert_eq!(listens.items, truth.items, "after round {round}");
        let mut back = away.clone();
        back.connects(&roster);
        assert_eq!(back.items, truth.items, "after round {round}");
    }
}

#[test]
fn a_contact_takes_little_memory() {
    // Every client online has some dozens of them.
    assert!(size_of::<Item>() <= 144, "{}", size_of::<Item>());
}
