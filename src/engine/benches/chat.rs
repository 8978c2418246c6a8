//! What a chat message costs between two accounts of one shard: time and allocations.
//!
//!     cargo bench -p waxwing-engine --bench chat

use divan::{AllocProfiler, Bencher};
use engine::{
    ctx::{Ctx, Moment, Random},
    hook::{Hook, Station, Status, Verdict, Xep},
    hooks::Hooks,
    parcel::{Link, Parcel, Said},
    passage::Passage,
    port::{Loaded, Node},
    settings::Settings,
    shard::{Input, Output, Shard, outcome},
    unit::{Committed, Flags, Pos},
    wire::{Bare, Jid, Stanza, Text},
};
use std::{collections::VecDeque, hint::black_box};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const JULIET: &str = "juliet@capulet.example/balcony";
const ROMEO: &str = "romeo@capulet.example/orchard";

/// Keeps every message in both logs.
const KEEPER: Xep = Xep {
    number: 9999,
    name: "Keeper",
    version: "1",
    status: Status::Complete,
    hooks: &[Hook::At(Station::Keep, keep)],
};

fn keep(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    passage.keep(Flags::ARCHIVE, |stanza, _, _, _| stanza);
    Verdict::Go
}

struct Zeros;

impl Random for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// A shard, with a store that commits at once and accounts that all exist.
struct Bed {
    shard: Shard,
    hooks: Hooks,
    settings: Settings,
    inputs: VecDeque<Input>,
    outputs: Vec<Output>,
    said: usize,
    pos: i64,
    /// Whether commits are kept for later.
    holds: bool,
    held: Vec<Input>,
}

impl Bed {
    fn of(xeps: &'static [&'static Xep]) -> Self {
        let domain = Bare::parse("capulet.example").expect("well-formed");
        let mut bed = Self {
            shard: Shard::default(),
            hooks: Hooks::of(xeps),
            settings: Settings::of(vec![domain], [0; 32]),
            inputs: VecDeque::new(),
            outputs: Vec::new(),
            said: 0,
            pos: 0,
            holds: false,
            held: Vec::new(),
        };
        bed.online(JULIET, 1);
        bed.online(ROMEO, 2);
        bed.said = 0;
        bed
    }

    fn online(&mut self, jid: &str, number: u64) {
        let jid = Jid::parse(jid).expect("well-formed");
        let wish = jid.resource().map(Text::from);
        let link = Link { node: Node(0), number };
        self.feed(Parcel::FromSocket(
            jid.bare(),
            link,
            Said::Bind { resource: wish, since: 0, device: None, inline: Vec::new(), reads: false },
        ));
        let mut presence = Stanza::parse_one("<presence/>").expect("well-formed");
        presence.head.from = Some(jid.clone());
        self.feed(Parcel::FromSocket(jid.bare(), link, Said::Stanza(presence)));
    }

    fn feed(&mut self, parcel: Parcel) {
        self.inputs.push_back(Input::Parcel(parcel));
        self.run();
    }

    fn run(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            let Self { shard, hooks, settings, outputs, .. } = self;
            let ctx = Ctx { now: Moment(0), unix_ms: 1, random: &Zeros, settings, hooks };
            shard.handle(&ctx, input, outputs);
            for output in self.outputs.drain(..) {
                match output {
                    Output::Parcel(Parcel::ToSocket(_, say)) => {
                        black_box(say);
                        self.said += 1;
                    }
                    Output::Parcel(parcel) => self.inputs.push_back(Input::Parcel(parcel)),
                    Output::Load(jid) => {
                        self.inputs.push_back(Input::Loaded(jid, Ok(Some(Loaded::default()))));
                    }
                    Output::Commit(jid, ticket, unit, recipient) => {
                        let positions = unit.entries.iter().map(|entry| {
                            self.pos += 1;
                            (entry.log.clone(), Pos(self.pos))
                        });
                        let committed = Committed { places: positions.collect(), repeated: false };
                        let told = outcome(jid, ticket, recipient, Ok(committed));
                        let told = told.map(|(_, input)| input);
                        match self.holds {
                            true => self.held.extend(told),
                            false => self.inputs.extend(told),
                        }
                    }
                    Output::World { .. }
                    | Output::Counted(..)
                    | Output::Look(..)
                    | Output::Fate(_)
                    | Output::Expire(_)
                    | Output::Departed(_) => {}
                }
            }
        }
    }
}

fn chat(bencher: Bencher<'_, '_>, xeps: &'static [&'static Xep], to: &str) {
    let mut bed = Bed::of(xeps);
    let juliet = Jid::parse(JULIET).expect("well-formed");
    let xml = format!(
        "<message to='{to}' type='chat' id='a6f1c2d3'><body>Wherefore art thou?</body>\
         <origin-id xmlns='urn:xmpp:sid:0' id='a6f1c2d3'/></message>"
    );
    let mut message = Stanza::parse_one(&xml).expect("well-formed");
    message.head.from = Some(juliet.clone());
    let (account, link) = (juliet.bare(), Link { node: Node(0), number: 1 });
    let said = || Parcel::FromSocket(account.clone(), link, Said::Stanza(message.clone()));
    bed.feed(said());
    assert_eq!(bed.said, 2, "delivered to one, settled for the other");
    bencher.bench_local(|| bed.feed(said()));
}

#[divan::bench(sample_count = 200, sample_size = 200)]
fn to_the_account(bencher: Bencher<'_, '_>) {
    chat(bencher, &[], "romeo@capulet.example");
}

#[divan::bench(sample_count = 200, sample_size = 200)]
fn to_a_resource(bencher: Bencher<'_, '_>) {
    chat(bencher, &[], ROMEO);
}

#[divan::bench(sample_count = 200, sample_size = 200)]
fn kept_in_both_logs(bencher: Bencher<'_, '_>) {
    chat(bencher, &[&KEEPER], "romeo@capulet.example");
}

/// Half of them wait behind one another, half alone, all for their commits.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn four_thousand_wait(bencher: Bencher<'_, '_>) {
    let mut bed = Bed::of(&[&KEEPER]);
    let juliet = Jid::parse(JULIET).expect("well-formed");
    let (account, link) = (juliet.bare(), Link { node: Node(0), number: 1 });
    let messages: Vec<_> = (0..4_000)
        .map(|number| {
            let to = if number % 2 == 0 { ROMEO.into() } else { format!("{ROMEO}{number}") };
            let xml = format!("<message to='{to}' type='chat'><body>{number}</body></message>");
            let mut message = Stanza::parse_one(&xml).expect("well-formed");
            message.head.from = Some(juliet.clone());
            message
        })
        .collect();
    bencher.bench_local(|| {
        bed.holds = true;
        for message in &messages {
            bed.feed(Parcel::FromSocket(account.clone(), link, Said::Stanza(message.clone())));
        }
        bed.holds = false;
        let held = std::mem::take(&mut bed.held);
        bed.inputs.extend(held);
        bed.run();
    });
    assert_eq!(bed.said % 8_000, 0, "each delivered and settled");
}

fn main() {
    divan::main();
}
