//! What must come one after the other, and what must end.

use super::*;
use crate::hook::Reply;

const LATER: &str = "<iq type='get' id='ID' to='TO'><read xmlns='toy'/></iq>";

/// Answers at a host beside the line.
const CLERK: Xep = Xep {
    number: 9996,
    name: "Clerk of a host",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[
        Hook::get(Of::Host, READ, Answer::World(|_, _| Box::pin(std::future::ready(read())))),
        Hook::get(Of::Account, READ, Answer::World(|_, _| Box::pin(std::future::ready(read())))),
        Hook::AtHand(PAGES),
    ],
};
const CLERKS: &[&Xep] = &[&CLERK];

fn question(id: &str, to: &str) -> String {
    LATER.replace("ID", id).replace("TO", to)
}

#[test]
fn a_host_answers_one_question_of_an_asker_after_the_other_rfc6120_10_1() {
    let mut world = World::of(CLERKS);
    let (juliet, romeo) = (world.connected(JULIET, 1), world.connected(ROMEO, 2));
    world.says(juliet, JULIET, &question("1", "x"));
    world.says(juliet, JULIET, &question("2", "x"));
    world.says(romeo, ROMEO, &question("3", "x"));
    assert_eq!(world.questions.len(), 2, "one of each asker");
    let (host, first) = world.questions.remove(0);
    world.feed(Input::Answered(host, first, Ok(Reply::Empty)));
    assert_eq!(world.heard(juliet).len(), 1);
    assert_eq!(world.questions.len(), 2, "the second has begun");
    while let Some((host, number)) = world.questions.pop() {
        world.feed(Input::Answered(host, number, Ok(Reply::Empty)));
    }
    assert_eq!((world.heard(juliet).len(), world.heard(romeo).len()), (1, 1));
}

#[test]
fn what_was_asked_behind_a_write_is_read_behind_its_commit_rfc6120_10_1() {
    let mut world = World::of(CLERKS);
    let juliet = world.connected(JULIET, 1);
    world.commits = false;
    world.says(juliet, JULIET, &question("1", "juliet@x"));
    world.says(juliet, JULIET, &question("2", "juliet@x"));
    let (account, first) = world.questions.pop().unwrap();
    let put = Change::Put(PAGES, account.clone(), "open".into(), vec![1]);
    world.feed(Input::Answered(account, first, Ok(Reply::Write(vec![put], None))));
    assert!(world.questions.is_empty(), "what is written could not be read yet");
    world.commit();
    assert_eq!((world.heard(juliet).len(), world.questions.len()), (1, 1));
}

/// What its archive told, to one question.
fn is_told(world: &mut World, messages: usize) {
    let (account, number) = world.questions.remove(0);
    let page = (0..messages).map(|_| Stanza::parse_one("<message to='nobody@gone'/>").unwrap());
    world.feed(Input::Answered(account, number, Ok(Reply::After(page.collect(), None))));
}

#[test]
fn at_68_an_account_is_told_of_its_archive_as_much_as_it_may_be_and_the_rest_later() {
    let mut world = World::of(CLERKS);
    world.settings.limits.archive_messages_per_minute_max = 1_000;
    let (juliet, other) = (world.connected(JULIET, 1), world.connected("juliet@x/chamber", 2));
    let romeo = world.connected(ROMEO, 3);
    for id in ["1", "2", "3"] {
        world.says(juliet, JULIET, &question(id, "juliet@x"));
    }
    is_told(&mut world, 599);
    is_told(&mut world, 599);
    assert_eq!(world.settled(juliet), 2, "there was something in the bucket");
    // Two hundred too many: others are read for, also by it; its own devices wait.
    assert!(world.questions.is_empty());
    world.says(other, "juliet@x/chamber", &question("4", "juliet@x"));
    world.says(romeo, ROMEO, &question("5", "romeo@x"));
    world.says(romeo, ROMEO, &question("6", "juliet@x"));
    assert_eq!(world.questions.len(), 2, "{:?}", world.questions);
    world.questions.clear();
    world.now = 200 * 60 - 1;
    world.feed(Input::Tick);
    assert!(world.questions.is_empty());
    world.now += 1;
    world.feed(Input::Tick);
    assert_eq!(world.questions.len(), 2, "each of its devices goes on");
    is_told(&mut world, 0);
    assert_eq!(world.settled(juliet), 1);
    // A minute later it is full again.
    world.now += 120_000;
    world.feed(Input::Tick);
    is_told(&mut world, 0);
    for _ in 0..3 {
        world.says(other, "juliet@x/chamber", &question("7", "juliet@x"));
        is_told(&mut world, 332);
    }
    world.says(other, "juliet@x/chamber", &question("8", "juliet@x"));
    assert_eq!(world.questions.len(), 1, "999 in a minute");
}

#[test]
fn what_goes_to_a_domain_that_nobody_serves_is_refused_and_does_not_circle() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    for kind in ["iq", "message", "presence"] {
        let (id, to) = ("type='get' id='1'", "romeo@gone.example");
        let stanza = match kind {
            "iq" => format!("<iq {id} from='{JULIET}' to='{to}'><read xmlns='toy'/></iq>"),
            other => format!("<{other} from='{JULIET}' to='{to}'/>"),
        };
        world.routed(&stanza);
        let heard = world.heard(juliet);
        let refused = heard.iter().filter(|xml| xml.contains("remote-server-not-found")).count();
        assert_eq!((heard.len(), refused), if kind == "presence" { (0, 0) } else { (1, 1) });
    }
    world.routed(&format!("<message from='{ROMEO}' to='a@gone.example' type='error'/>"));
}

#[test]
fn one_last_presence_at_a_time_is_written_and_the_newest_of_those_that_came_meanwhile() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    world.commits = false;
    for number in 0..100 {
        let status = format!("<status>{number}</status>");
        world.says(juliet, JULIET, &format!("<presence type='unavailable'>{status}</presence>"));
        world.says(juliet, JULIET, "<presence/>");
    }
    let written = |world: &World| match &world.held[0].2.changes[..] {
        [Change::Put(_, _, _, cell)] => String::from_utf8_lossy(cell).into_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(world.held.len(), 1);
    assert!(written(&world).contains("<status>0</status>"));
    world.commit();
    assert_eq!(world.held.len(), 1);
    assert!(written(&world).contains("<status>99</status>"));
    world.fail();
    assert!(world.held.is_empty());
}

#[test]
fn who_was_told_by_directed_presence_hears_the_end_with_the_subscription_rfc6121_4_6_3() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.connected(JULIET, 1), world.connected(ROMEO, 2));
    world.says(romeo, ROMEO, "<presence type='subscribe' to='juliet@x'/>");
    world.says(juliet, JULIET, "<presence type='subscribed' to='romeo@x'/>");
    world.says(juliet, JULIET, &format!("<presence to='{ROMEO}'/>"));
    world.heard(romeo);
    world.says(juliet, JULIET, "<presence type='unsubscribed' to='romeo@x'/>");
    let heard = world.heard(romeo);
    let gone = heard.iter().position(|xml| xml.contains("type='unavailable'"));
    assert!(gone.is_some(), "{heard:?}");
}
