//! Where the steps are played: a shard with all XEPs, and two accounts that are online.

use engine::{
    ctx::{Ctx, Moment, Random},
    hooks::Hooks,
    parcel::{Link, Parcel, Said},
    port::{Loaded, Node},
    settings::Settings,
    shard::{Input, Output, Shard, outcome},
    unit::Committed,
    wire::*,
};
use std::{
    collections::VecDeque,
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
};

/// 2006-12-19T17:58:35.999Z.
pub const UNIX_MS: u64 = 1_166_551_115_999;

/// Numbers are never the same, and the same each time.
struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
        let number = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let length = bytes.len().min(number.len());
        bytes[..length].copy_from_slice(&number[..length]);
    }
}

pub struct Stage {
    pub juliet: Jid,
    pub romeo: Jid,
    shard: Shard,
    hooks: Hooks,
    settings: Settings,
    random: Counting,
}

impl Stage {
    pub fn set() -> Self {
        let domain = Bare::host("capulet.example").expect("a host");
        let (hooks, mut settings) = (Hooks::of(xeps::ALL), Settings::of(vec![domain], [7; 32]));
        settings.services = hooks.services(&settings);
        let address = |text| Jid::parse(text).expect("an address");
        let mut stage = Self {
            juliet: address("juliet@capulet.example/balcony-3f9c"),
            romeo: address("romeo@capulet.example/orchard-77aa"),
            shard: Shard::default(),
            hooks,
            settings,
            random: Counting(AtomicU64::new(1)),
        };
        stage.comes(&stage.juliet.clone());
        stage.comes(&stage.romeo.clone());
        stage
    }

    pub fn link(&self, of: &Jid) -> Link {
        Link { node: Node(0), number: if *of == self.juliet { 1 } else { 2 } }
    }

    pub fn handle(&mut self, step: &str, input: Input) -> Vec<Output> {
        black_box(step);
        let Self { shard, hooks, settings, random, .. } = self;
        let mut outputs = Vec::with_capacity(8);
        let ctx = Ctx { now: Moment(0), unix_ms: UNIX_MS, random, settings, hooks };
        shard.handle(&ctx, input, &mut outputs);
        outputs
    }

    /// Binds a resource, and is available.
    fn comes(&mut self, jid: &Jid) {
        let resource = jid.resource().map(Text::from);
        let (since, device, inline, reads) = Default::default();
        let bind = Said::Bind { resource, since, device, inline, reads };
        let mut presence = Stanza::parse_one("<presence/>").expect("presence");
        presence.head.from = Some(jid.clone());
        for said in [bind, Said::Stanza(presence)] {
            self.settle(Input::Parcel(Parcel::FromSocket(jid.bare(), self.link(jid), said)));
        }
    }

    /// And what that causes; the store has nothing, and writes at once.
    fn settle(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for output in self.handle("before", input) {
                match output {
                    Output::Parcel(Parcel::ToSocket(..)) => {}
                    Output::Parcel(parcel) => inputs.push_back(Input::Parcel(parcel)),
                    Output::Load(jid) => {
                        inputs.push_back(Input::Loaded(jid, Ok(Some(Loaded::default()))));
                    }
                    Output::Commit(jid, ticket, _, recipient) => {
                        let done = outcome(jid, ticket, recipient, Ok(Committed::default()));
                        inputs.extend(done.map(|(_, input)| input));
                    }
                    Output::Look(jid, session, look) => {
                        inputs.push_back(Input::Seen(jid, session, look, Ok(Vec::new())));
                    }
                    Output::World { .. }
                    | Output::Expire(_)
                    | Output::Departed(_)
                    | Output::Counted(..)
                    | Output::Fate(_) => {}
                }
            }
        }
    }
}
