//! Anybody says anything while commits, loads and readings come late, or fail. Whatever happens,
//! what is said is settled once, and nothing of it stays when all have left.

use super::*;

const SEATS: [&str; 6] = [
    "juliet@x/balcony",
    "juliet@x/garden",
    "romeo@x/orchard",
    "romeo@x/street",
    "nurse@x/kitchen",
    "nobody@x/nowhere",
];

struct Chaos {
    world: World,
    dice: u32,
    links: u64,
    seats: [Option<Link>; 6],
    /// Of each stream that has not ended: stanzas said and not settled.
    owed: BTreeMap<Link, u32>,
    everything: Vec<String>,
    messages: Vec<String>,
}

impl Chaos {
    fn of(seed: u32) -> Self {
        let mut world = World::of(TOYS);
        // Whoever is idle is forgotten at once.
        world.shard.idle_bytes = IDLE_BYTES_MAX;
        (world.commits, world.loads) = (false, false);
        let (seats, owed) = Default::default();
        let everything = credit::everything();
        let kept = |xml: &&String| xml.contains("hark") && xml.contains("to='");
        let messages = everything.iter().filter(kept).cloned().collect();
        Self { world, dice: seed, links: 0, seats, owed, everything, messages }
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.dice = self.dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.dice >> 8) as usize % sides
    }

    fn step(&mut self) {
        let seat = self.roll(6);
        match self.roll(1_000) {
            0..600 => self.say(seat),
            600..700 => self.come(seat),
            700..715 => self.leave(seat),
            715..980 => {
                self.world_moves();
            }
            980..995 => self.world_fails(),
            995..998 => self
                .world
                .orders(bare(seat).as_str(), Order::PasswordChanged { spared: None, unix_ms: 1 }),
            _ => self.world.orders(bare(seat).as_str(), deleted()),
        }
        self.hear();
    }

    fn say(&mut self, seat: usize) {
        let Some(link) = self.seats[seat] else { return };
        // Every other is a message that is kept, for those have the longest way.
        let from = match self.roll(2) {
            0 => &self.everything,
            _ => &self.messages,
        };
        let xml = &from[self.dice as usize / 7 % from.len()];
        self.world.says(link, SEATS[seat], xml);
        *self.owed.entry(link).or_default() += 1;
    }

    fn come(&mut self, seat: usize) {
        if self.seats[seat].is_some() {
            return;
        }
        self.links += 1;
        let link = self.world.connected(SEATS[seat], self.links);
        // A client says nothing before it is bound.
        while !self.world.said.iter().any(|(to, say)| {
            *to == link && matches!(say, Say::Bound(..) | Say::Unbound(_) | Say::End(_))
        }) {
            if self.roll(9) == 0 {
                self.world.leaves(link, SEATS[seat]);
                return;
            }
            self.world_moves();
        }
        let bound = |(to, say): &(Link, Say)| *to == link && matches!(say, Say::Bound(..));
        if self.world.said.iter().any(bound) {
            self.seats[seat] = Some(link);
            self.owed.insert(link, 1);
            self.world.says(link, SEATS[seat], "<presence/>");
        }
    }

    fn leave(&mut self, seat: usize) {
        if let Some(link) = self.seats[seat].take() {
            self.world.leaves(link, SEATS[seat]);
            self.owed.remove(&link);
        }
    }

    /// Something that was waited for happens, if there is anything.
    fn world_moves(&mut self) -> bool {
        let loading = self.world.loading.len();
        let (held, asked) = (self.world.held.len(), self.world.questions.len());
        match self.roll(3) {
            0 if loading > 0 => self.world.load(),
            1 if asked > 0 => {
                let question = self.roll(asked);
                let (account, number) = self.world.questions.swap_remove(question);
                self.world.feed(Input::Answered(account, number, read()));
            }
            _ if held > 0 => self.world.commit(),
            _ => return loading + asked > 0,
        }
        true
    }

    fn world_fails(&mut self) {
        match self.roll(2) {
            0 if !self.world.held.is_empty() => self.world.fail(),
            _ => {
                if let Some(jid) = self.world.loading.pop_front() {
                    self.world.feed(Input::Loaded(jid, Err(Fault::Away("gone".into()))));
                }
            }
        }
    }

    fn hear(&mut self) {
        for (link, say) in std::mem::take(&mut self.world.said) {
            match say {
                Say::Settled(stanzas) => {
                    let Some(owed) = self.owed.get_mut(&link) else { continue };
                    *owed = owed.checked_sub(stanzas).expect("settled twice");
                }
                Say::End(_) => {
                    self.owed.remove(&link);
                    self.seats.iter_mut().filter(|seat| **seat == Some(link)).for_each(|seat| {
                        *seat = None;
                    });
                }
                _ => {}
            }
        }
    }

    fn settle(&mut self) {
        while self.world_moves() {}
        // What was said too soon is told.
        self.world.now += 60_000;
        self.world.feed(Input::Tick);
        while self.world_moves() {}
        self.hear();
    }
}

fn bare(seat: usize) -> Bare {
    Jid::parse(SEATS[seat]).unwrap().bare()
}

#[test]
fn whatever_happens_all_is_settled_and_nothing_stays() {
    for seed in [5, 1564, 1616] {
        let mut chaos = Chaos::of(seed);
        for round in 0..60 {
            (0..300).for_each(|_| chaos.step());
            chaos.settle();
            let leaks: Vec<_> = chaos.owed.iter().filter(|(_, owed)| **owed > 0).collect();
            assert!(leaks.is_empty(), "seed {seed}, round {round}: {leaks:?}");
            if round % 4 == 3 {
                (0..6).for_each(|seat| chaos.leave(seat));
                chaos.settle();
                let shard = &chaos.world.shard;
                let left = (shard.accounts(), shard.parked_bytes, shard.questions.len());
                assert_eq!(left, (0, 0, 0), "seed {seed}, round {round}");
            }
        }
        assert!(chaos.world.pos > 1_000, "much was kept: {}", chaos.world.pos);
    }
}

#[test]
fn a_stream_that_goes_before_its_account_is_read_leaves_no_session() {
    for full in [false, true] {
        let mut world = World::of(NONE);
        world.loads = false;
        world.shard.parked_bytes = if full { parked::PARKED_BYTES_MAX } else { 0 };
        let juliet = world.connected(JULIET, 1);
        world.leaves(juliet, JULIET);
        world.load();
        assert_eq!(world.shard.idle.len(), 1, "nobody uses it");
    }
}
