//! Who comes back when.

use super::*;
use crate::room::{Identity, Room, Service};

const RESTLESS: Xep = Xep {
    number: 9998,
    name: "Restless",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[Hook::Service(&Rooms)],
};

/// Rooms that come back at once, always, and say so.
struct Rooms;

#[derive(Debug)]
struct Restless(Bare);

impl Service for Rooms {
    fn hosts(&self, _: &Settings) -> Vec<Bare> {
        vec![Bare::host("rooms.x").unwrap()]
    }

    fn identity(&self) -> Identity {
        Identity { category: "conference", kind: "text", name: "Rooms" }
    }

    fn sits(&self, _: &Stanza) -> Option<bool> {
        None
    }

    fn room(&self, jid: Bare, _: Option<Loaded>, _: &Ctx<'_>) -> Box<dyn Room> {
        Box::new(Restless(jid))
    }
}

impl Room for Restless {
    fn handle(&mut self, ctx: &Ctx<'_>, _: account::Input, out: &mut Vec<account::Output>) {
        let head = Head::new(Kind::Message).with_from(self.0.clone());
        let (to, stanza, owed) = (Bare::parse("juliet@x").unwrap(), Stanza::new(head), None);
        out.push(account::Output::Parcel(Parcel::Routed { to, stanza, owed }));
        out.push(account::Output::Wake(ctx.now));
    }

    fn knows(&self, _: &Bare) -> bool {
        false
    }

    fn is_idle(&self) -> bool {
        false
    }

    fn weight(&self) -> usize {
        0
    }
}

/// So many of them, and the shard that has them.
fn restless(count: usize, ctx: &Ctx<'_>) -> Shard {
    let (mut shard, mut out) = (Shard::default(), Vec::new());
    for number in 0..count {
        let room = Bare::parse(&format!("garden{number}@rooms.x")).unwrap();
        shard.handle(ctx, Input::Revive(room.clone()), &mut out);
        shard.handle(ctx, Input::Loaded(room, Ok(None)), &mut out);
    }
    shard
}

/// What so many of them cause in each of three turns, by name.
fn turns(count: usize) -> [Vec<String>; 3] {
    let hooks = Hooks::of(&[&RESTLESS]);
    let mut settings = Settings::of(vec![Bare::host("x").unwrap()], [0; 32]);
    settings.services = hooks.services(&settings);
    let (now, random) = (Moment(7), &Counter(Cell::new(0)));
    let ctx = Ctx { now, unix_ms: 1, random, settings: &settings, hooks: &hooks };
    let mut shard = restless(count, &ctx);
    std::array::from_fn(|_| {
        let mut out = Vec::new();
        assert!(shard.wakes().is_some_and(|at| at <= now));
        shard.handle(&ctx, Input::Tick, &mut out);
        let by = out.into_iter().filter_map(|output| match output {
            Output::Parcel(Parcel::Routed { stanza, .. }) => stanza.head.from.clone(),
            _ => None,
        });
        by.map(|by| by.to_string()).collect()
    })
}

#[test]
fn who_comes_back_at_once_lets_others_come_before() {
    for told in turns(2) {
        assert_eq!(told, ["garden0@rooms.x", "garden1@rooms.x"], "each once");
    }
}

#[test]
fn of_more_than_a_turn_has_time_for_all_come_back_before_any_does_twice() {
    let [one, next, last] = turns(100);
    assert!(one.len() < 100, "{} of 100", one.len());
    let told = one.iter().chain(&next).chain(&last).take(100);
    assert_eq!(told.collect::<BTreeSet<_>>().len(), 100);
}
