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

#[test]
fn who_comes_back_at_once_lets_others_come_before() {
    let hooks = Hooks::of(&[&RESTLESS]);
    let mut settings = Settings::of(vec![Bare::host("x").unwrap()], [0; 32]);
    settings.services = hooks.services(&settings);
    let (now, random) = (Moment(7), &Counter(Cell::new(0)));
    let ctx = Ctx { now, unix_ms: 1, random, settings: &settings, hooks: &hooks };
    let (mut shard, mut out) = (Shard::default(), Vec::new());
    let rooms = ["garden@rooms.x", "hall@rooms.x"].map(|room| Bare::parse(room).unwrap());
    for room in &rooms {
        shard.handle(&ctx, Input::Revive(room.clone()), &mut out);
        shard.handle(&ctx, Input::Loaded(room.clone(), Ok(None)), &mut out);
    }
    for _ in 0..3 {
        out.clear();
        assert_eq!(shard.wakes(), Some(now));
        shard.handle(&ctx, Input::Tick, &mut out);
        assert_eq!(out.len(), rooms.len(), "each once");
    }
}
