//! Cells at hand, what waits in them, and what is done to all accounts at once.

use super::*;

const NOTES: Table = Table::named("notes");
const NOTE: Name = Name::new("toy", "note");
const NOTE_LATER: Name = Name::new("toy", "note-later");

/// Keeps a note for an account, tells it again; holds messages that nobody takes.
const CLERK: Xep = Xep {
    number: 9998,
    name: "Clerk",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[
        Hook::AtHand(NOTES),
        Hook::get(Of::Account, NOTE, Answer::Pure(|_, line, _| Ok(told(line.home.unwrap().cells)))),
        Hook::set(Of::Account, NOTE, Answer::Pure(note)),
        Hook::set(Of::Account, NOTE_LATER, Answer::World(|_, _| Box::pin(async { read() }))),
        Hook::At(Station::Guard, quiet_for_the_nurse),
        Hook::At(Station::Keep, hold),
    ],
};
const CLERKS: &[&Xep] = &[&CLERK];

fn told(cells: &crate::cells::Cells) -> Reply {
    let note = cells.get(NOTES, "note").unwrap_or_default();
    Reply::Payload(Draft::new(NOTE).text(String::from_utf8_lossy(note)).finish())
}

fn note(iq: &Stanza, line: &mut crate::request::Line<'_>, _: &Ctx<'_>) -> Replied {
    let text = iq.child(NOTE).unwrap().text().into_owned();
    match text.as_str() {
        "" => line.cut(NOTES, "note"),
        text => line.put(NOTES, "note", text.into())?,
    }
    Ok(Reply::Empty)
}

fn hold(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    let nobody = passage.account.sessions.is_empty();
    if passage.walk == crate::passage::Walk::Received
        && nobody
        && passage.stanza.child(BODY).is_some()
    {
        let key = format!("{:016x}", passage.account.rise(0, ctx));
        passage.hold(NOTES, key, passage.stanza.to_text().as_bytes().to_vec()).unwrap();
    }
    Verdict::Go
}

/// Nothing leaves an account for the nurse.
fn quiet_for_the_nurse(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let to = passage.stanza.head.to.as_ref().map(|to| to.bare().to_string());
    match passage.walk == crate::passage::Walk::Sent && to.as_deref() == Some("nurse@x") {
        true => Verdict::Drop(Why("she sleeps")),
        false => Verdict::Go,
    }
}

fn iq(kind: &str, query: &str) -> String {
    format!("<iq type='{kind}' id='1'>{query}</iq>")
}

fn asked(world: &mut World, by: Link, jid: &str) -> String {
    world.says(by, jid, &iq("get", "<note xmlns='toy'/>"));
    world.heard(by).pop().unwrap()
}

#[test]
fn a_cell_at_hand_is_what_is_committed_and_never_before() {
    let mut world = World::of(CLERKS);
    let juliet = world.connected(JULIET, 1);
    world.commits = false;
    world.says(juliet, JULIET, &iq("set", "<note xmlns='toy'>hark</note>"));
    assert!(world.heard(juliet).is_empty(), "not before it is committed");
    world.commit();
    assert_eq!(world.heard(juliet).len(), 1);
    assert!(asked(&mut world, juliet, JULIET).contains(">hark<"));
    world.says(juliet, JULIET, &iq("set", "<note xmlns='toy'>hush</note>"));
    world.fail();
    assert!(world.heard(juliet)[0].contains("internal-server-error"));
    assert!(asked(&mut world, juliet, JULIET).contains(">hark<"), "it is not in the store");
    world.says(juliet, JULIET, &iq("set", "<note xmlns='toy'/>"));
    world.commit();
    world.heard(juliet);
    assert!(!asked(&mut world, juliet, JULIET).contains("hark"));
}

#[test]
fn what_looks_at_cells_at_hand_waits_until_what_was_asked_for_before_is_committed() {
    let mut world = World::of(TOYS);
    let (balcony, garden) = (world.online(JULIET, 1), world.online("juliet@x/garden", 2));
    let turn = iq("set", "<page xmlns='toy'/>");
    world.commits = false;
    world.says(balcony, JULIET, &turn);
    world.says(garden, "juliet@x/garden", &turn);
    world.says(balcony, JULIET, &turn);
    assert_eq!((world.held.len(), world.settled(garden)), (1, 0));
    world.says(garden, "juliet@x/garden", &iq("get", "<q xmlns='q'/>"));
    world.commit();
    world.fail();
    world.commit();
    let pages = |heard: Vec<String>| {
        let heard = heard.iter().map(|xml| xml.split_once("<page xmlns='toy'>"));
        let pages = heard.flatten().map(|(_, rest)| rest[..1].to_owned());
        pages.collect::<String>()
    };
    assert_eq!(pages(world.heard(balcony)), "12", "the second was not committed");
    let heard = world.heard(garden);
    assert!(heard[heard.len() - 1].contains("service-unavailable"), "in its turn: {heard:?}");
    assert_eq!(pages(heard), "12");
    assert_eq!((world.settled(balcony), world.settled(garden)), (2, 2));
}

#[test]
fn what_waits_for_cells_at_hand_is_bounded() {
    let mut world = World::of(TOYS);
    let juliet = world.online(JULIET, 1);
    world.commits = false;
    for _ in 0..260 {
        world.says(juliet, JULIET, &iq("set", "<page xmlns='toy'/>"));
    }
    let heard = world.heard(juliet);
    assert_eq!(heard.len(), 3);
    assert!(heard.iter().all(|xml| xml.contains("resource-constraint")), "{heard:?}");
    world.commits = true;
    world.feed_commits();
    assert_eq!((world.heard(juliet).len(), world.settled(juliet)), (2 * 257, 260));
}

#[test]
fn what_is_told_of_a_change_is_told_to_who_is_there_when_it_is_committed() {
    let mut world = World::of(TOYS);
    let (balcony, garden) = (world.online(JULIET, 1), world.online("juliet@x/garden", 2));
    world.commits = false;
    world.says(balcony, JULIET, &iq("set", "<page xmlns='toy'/>"));
    world.leaves(garden, "juliet@x/garden");
    let attic = world.connected("juliet@x/attic", 3);
    world.commit();
    assert!(world.heard(attic)[0].contains("page"));
    let heard = world.heard(balcony);
    assert!(heard[heard.len() - 1].contains("type='result'"), "it comes last: {heard:?}");
}

#[test]
fn what_a_reading_answer_writes_is_committed_before_it_answers() {
    let mut world = World::of(CLERKS);
    let juliet = world.connected(JULIET, 1);
    world.commits = false;
    for outcome in ["hark", "hush"] {
        world.says(juliet, JULIET, &iq("set", "<note-later xmlns='toy'/>"));
        let (account, number) = world.questions.pop().unwrap();
        let put = Change::Put(NOTES, account.clone(), "note".into(), outcome.into());
        let replied = Ok(Reply::Write(vec![put], None));
        world.feed(Input::Answered(account, number, replied));
        assert!(world.heard(juliet).is_empty(), "not before it is committed");
        match outcome {
            "hark" => world.commit(),
            _ => world.fail(),
        }
        let heard = world.heard(juliet);
        assert_eq!(heard[0].contains("type='result'"), outcome == "hark", "{heard:?}");
    }
    assert!(asked(&mut world, juliet, JULIET).contains(">hark<"));
    assert_eq!(world.settled(juliet), 3);
}

#[test]
fn what_is_held_for_who_comes_is_no_loss_to_its_sender() {
    let mut world = World::of(CLERKS);
    let romeo = world.online(ROMEO, 2);
    world.commits = false;
    world.says(romeo, ROMEO, &message("juliet@x", "hush"));
    world.fail();
    assert!(world.heard(romeo)[0].contains("internal-server-error"));
    world.says(romeo, ROMEO, &message("juliet@x", "hark"));
    assert_eq!(world.held.len(), 1);
    world.commit();
    assert!(world.heard(romeo).is_empty());
    let juliet = world.connected(JULIET, 1);
    world.commits = true;
    world.says(juliet, JULIET, "<presence/>");
    assert!(!world.heard(juliet).iter().any(|xml| xml.contains("hark")), "its XEP tells it");
}

#[test]
fn what_is_held_is_on_its_way_until_it_is_released_or_given_up() {
    let mut world = World::of(CLERKS);
    let romeo = world.online(ROMEO, 2);
    world.commits = false;
    for body in ["hark", "hush"] {
        world.says(romeo, ROMEO, &message("juliet@x", body));
    }
    let held = world.held.iter().map(|(_, _, unit, _)| match &unit.changes[..] {
        [Change::Put(_, _, key, _)] => key.clone(),
        changes => panic!("{changes:?}"),
    });
    let held: Vec<_> = held.collect();
    let holding = |world: &World| {
        let holding = world.account("juliet@x").holding();
        let holds: Vec<_> = held.iter().map(|key| holding.holds(key)).collect();
        (holding.count(), holding.bytes() > 0, holds)
    };
    assert_eq!(holding(&world), (2, true, vec![true, true]));
    world.commit();
    assert_eq!(holding(&world), (1, true, vec![false, true]));
    world.fail();
    assert_eq!(holding(&world), (0, false, vec![false, false]));
}

#[test]
fn what_the_server_tells_for_an_account_passes_guard_for_each_who_would_hear() {
    let mut world = World::of(CLERKS);
    let [juliet, romeo, nurse] =
        [(JULIET, 1), (ROMEO, 2), ("nurse@x/kitchen", 3)].map(|(jid, n)| world.online(jid, n));
    for (from, jid) in [(romeo, ROMEO), (nurse, "nurse@x/kitchen")] {
        world.says(from, jid, "<presence type='subscribe' to='juliet@x'/>");
        let to = Jid::parse(jid).unwrap().bare();
        world.says(juliet, JULIET, &format!("<presence type='subscribed' to='{to}'/>"));
        world.heard(from);
    }
    // The approval was to pass too, so the nurse is no subscriber: made one behind the look.
    world.routed("<presence type='subscribe' from='nurse@x' to='juliet@x'/>");
    world.says(juliet, JULIET, "<presence><show>away</show></presence>");
    assert_eq!(world.heard(romeo).iter().filter(|xml| xml.contains("away")).count(), 1);
    assert_eq!(world.heard(nurse).iter().filter(|xml| xml.contains("away")).count(), 0);
}

#[test]
fn who_is_away_is_told_by_what_was_said_last_rfc6121_4_3_2() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.says(romeo, ROMEO, "<presence type='subscribe' to='juliet@x'/>");
    world.says(juliet, JULIET, "<presence type='subscribed' to='romeo@x'/>");
    let farewell = "<presence type='unavailable'><status>adieu</status></presence>";
    world.commits = false;
    world.says(juliet, JULIET, farewell);
    world.heard(romeo);
    for (to, told) in [("juliet@x", true), (JULIET, true), ("juliet@x/attic", false)] {
        world.routed(&format!("<presence type='probe' from='{ROMEO}' to='{to}'/>"));
        let heard = world.heard(romeo);
        assert_eq!(heard.len(), 1);
        assert!(heard[0].contains("type='unavailable'"));
        assert_eq!(heard[0].contains("adieu"), told, "{heard:?}");
    }
}

#[test]
fn all_who_are_available_hear_an_announcement_and_all_who_are_bound_are_counted() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.connected(ROMEO, 2));
    let host = Bare::host("x").unwrap();
    let news = Stanza::parse_one("<message from='x'><body>news</body></message>").unwrap();
    world.feed(Input::Announce(host.clone(), news.clone()));
    world.feed(Input::Announce(Bare::host("y").unwrap(), news));
    assert_eq!(world.heard(juliet).len(), 1);
    assert!(world.heard(romeo).is_empty());
    let count = |world: &mut World, whom: &str, max| {
        world.feed(Input::Count(7, Bare::parse(whom).unwrap(), max));
        let Online { accounts, available, resources, .. } = world.counted.clone();
        let resources: Vec<_> = resources.iter().map(|jid| jid.as_str().to_owned()).collect();
        (accounts, available, resources)
    };
    assert_eq!(count(&mut world, "x", 1), (2, 1, vec![JULIET.into()]));
    assert_eq!(count(&mut world, "romeo@x", 9), (1, 0, vec![ROMEO.into()]));
    assert_eq!(count(&mut world, "nurse@x", 9), (0, 0, Vec::new()));
}

#[test]
fn the_operator_ends_one_resource_or_all() {
    let mut world = World::of(NONE);
    let (balcony, garden) = (world.online(JULIET, 1), world.online("juliet@x/garden", 2));
    world.orders("juliet@x", Order::End(Some(Jid::parse(JULIET).unwrap())));
    assert!(world.heard(balcony).contains(&"end: policy-violation".to_owned()));
    assert!(!world.heard(garden).iter().any(|xml| xml.starts_with("end")));
    let spared = Some(Jid::parse("juliet@x/garden").unwrap());
    world.orders("juliet@x", Order::PasswordChanged { spared, unix_ms: 1 });
    assert!(world.heard(garden).is_empty());
    world.orders("juliet@x", Order::End(None));
    assert_eq!(world.heard(garden), ["end: policy-violation"]);
}
