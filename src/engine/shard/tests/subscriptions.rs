//! A random walk of two accounts through everything that moves a subscription, compared with a
//! model that knows only who wants to see whom (RFC 6121 §3, §4, Appendix A).

use super::*;
use crate::{roster::State, subscription::Standing};

const LOCAL: [&str; 2] = ["juliet@x", "romeo@x"];
const REMOTE: [&str; 2] = ["juliet@x", "romeo@y"];
const STEPS: usize = 5_000;
const WALKS: u32 = 10_000;
const SHORT_STEPS: usize = 8;
const RESOURCES: [&str; 2] = ["a", "b"];

/// Whether one sees the other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Sees {
    #[default]
    No,
    Asked,
    Yes,
}

/// Both sides at once: `sees[0]` is whether Juliet sees Romeo, `approved[0]` that she has said
/// yes before he asked (§3.4), `listed[0]` that he stands in her roster.
#[derive(Clone, Debug, Default)]
struct Model {
    sees: [Sees; 2],
    approved: [bool; 2],
    listed: [bool; 2],
}

impl Model {
    /// Returns what each account's roster-minded sessions are delivered.
    fn say(&mut self, me: usize, ask: &str) -> [Vec<&'static str>; 2] {
        let (you, mut heard) = (1 - me, [vec![], vec![]]);
        match (ask, self.sees[me], self.sees[you]) {
            ("subscribe", Sees::No, _) if self.approved[you] => {
                (self.sees[me], self.approved[you], self.listed[me]) = (Sees::Yes, false, true);
                heard[me].push("subscribed");
            }
            ("subscribe", Sees::No, _) => (self.sees[me], self.listed[me]) = (Sees::Asked, true),
            ("unsubscribe", Sees::Asked | Sees::Yes, _) => {
                self.sees[me] = Sees::No;
                heard[you].push("unsubscribe");
            }
            ("subscribed", _, Sees::Asked) => {
                (self.sees[you], self.listed[me]) = (Sees::Yes, true);
                heard[you].push("subscribed");
            }
            ("subscribed", _, Sees::No) => (self.approved[me], self.listed[me]) = (true, true),
            ("unsubscribed", _, was) => {
                (self.sees[you], self.approved[me]) = (Sees::No, false);
                heard[you].extend((was != Sees::No).then_some("unsubscribed"));
            }
            _ => {}
        }
        heard
    }

    fn remove(&mut self, me: usize) -> [Vec<&'static str>; 2] {
        if !self.listed[me] {
            return [vec![], vec![]];
        }
        let mut heard = self.say(me, "unsubscribe");
        let more = self.say(me, "unsubscribed");
        heard.iter_mut().zip(more).for_each(|(heard, more)| heard.extend(more));
        self.listed[me] = false;
        heard
    }

    /// Its place among the nine states, and whether the other is approved before it asks.
    fn standing(&self, me: usize) -> (Standing, bool) {
        let (mine, theirs) = (self.sees[me], self.sees[1 - me]);
        let (to, asked) = (mine == Sees::Yes, mine == Sees::Asked);
        let state = State { to, from: theirs == Sees::Yes, asked };
        (Standing { state, requested: theirs == Sees::Asked }, self.approved[me])
    }

    /// `subscription`, `ask` and `approved` of the other in this one's roster.
    fn item(&self, me: usize) -> Option<(&'static str, bool, bool)> {
        let (to, from) = (self.sees[me] == Sees::Yes, self.sees[1 - me] == Sees::Yes);
        let subscription = ["none", "from", "to", "both"][2 * usize::from(to) + usize::from(from)];
        let asked = self.sees[me] == Sees::Asked;
        self.listed[me].then_some((subscription, asked, self.approved[me]))
    }
}

/// A resource that comes and goes, and what it believes.
#[derive(Default)]
struct Resource {
    link: Option<Link>,
    /// What it last said of itself, while it is available.
    shows: Option<u32>,
    /// Who is available, and what they show.
    believes: BTreeMap<String, u32>,
}

struct Stage {
    world: World,
    who: [&'static str; 2],
    dice: u32,
    /// Whether the model is to be compared: not while stanzas cross.
    exact: bool,
    links: u64,
    model: Model,
    /// Connected, never available; does and hears all that is about rosters.
    desks: [Link; 2],
    rosters: [Option<(String, bool, bool)>; 2],
    resources: [[Resource; 2]; 2],
    said: u32,
    settled: u32,
}

impl Stage {
    fn of(mut world: World, who: [&'static str; 2], seed: u32) -> Self {
        // Whoever is idle is forgotten at once.
        let there = world.elsewhere.iter_mut().map(|(shard, _)| shard);
        for shard in there.chain([&mut world.shard]) {
            shard.idle_bytes = IDLE_BYTES_MAX;
        }
        let link = Link { node: Node(0), number: 0 };
        let mut stage = Self {
            world,
            who,
            dice: seed,
            exact: true,
            links: 0,
            model: Model::default(),
            desks: [link; 2],
            rosters: [None, None],
            resources: Default::default(),
            said: 0,
            settled: 0,
        };
        (0..2).for_each(|who| stage.open_desk(who));
        stage
    }

    fn roll(&mut self, sides: u32) -> u32 {
        self.dice = self.dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.dice >> 16) % sides
    }

    fn connect(&mut self, who: usize, resource: &str) -> Link {
        self.links += 1;
        self.world.connected(&format!("{}/{resource}", self.who[who]), self.links)
    }

    fn open_desk(&mut self, who: usize) {
        self.desks[who] = self.connect(who, "desk");
        self.ask(who, "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>");
        let heard = self.world.heard(self.desks[who]);
        let roster = heard.iter().find(|xml| xml.contains("'result'")).unwrap();
        self.rosters[who] = listed(roster);
    }

    fn ask(&mut self, who: usize, xml: &str) {
        self.said += 1;
        self.world.says(self.desks[who], &format!("{}/desk", self.who[who]), xml);
    }

    /// One step of somebody; returns what desks are to be delivered.
    fn step(&mut self) -> [Vec<&'static str>; 2] {
        let (me, resource) = (self.roll(2) as usize, self.roll(2) as usize);
        let you = self.who[1 - me];
        match self.roll(16) {
            0..8 => {
                let asks = ["subscribe", "subscribe", "subscribed", "subscribed"];
                let asks =
                    [asks, ["unsubscribe", "unsubscribed", "subscribe", "subscribed"]].concat();
                let ask = asks[self.roll(8) as usize];
                self.ask(me, &format!("<presence to='{you}' type='{ask}'/>"));
                return self.model.say(me, ask);
            }
            8 => {
                self.ask(me, &roster_set(&format!("<item jid='{you}' name='N'/>")));
                self.model.listed[me] = true;
            }
            9 => {
                let item = format!("<item jid='{you}' subscription='remove'/>");
                self.ask(me, &roster_set(&item));
                return self.model.remove(me);
            }
            10..13 => self.come(me, resource),
            13 => self.withdraw(me, resource),
            14 => self.leave(me, resource),
            _ => self.everybody_leaves(me),
        }
        [vec![], vec![]]
    }

    fn come(&mut self, who: usize, resource: usize) {
        let jid = format!("{}/{}", self.who[who], RESOURCES[resource]);
        if self.resources[who][resource].link.is_none() {
            let link = self.connect(who, RESOURCES[resource]);
            self.resources[who][resource].link = Some(link);
        }
        let (shows, link) = (self.roll(1_000), self.resources[who][resource].link.unwrap());
        let initial = self.resources[who][resource].shows.replace(shows).is_none();
        self.said += 1;
        self.world.says(link, &jid, &format!("<presence><status>{shows}</status></presence>"));
        let asked = self.world.said.iter().filter(|(to, say)| {
            *to == link && written(say).is_some_and(|xml| xml.contains("type='subscribe'"))
        });
        let waits = self.model.sees[1 - who] == Sees::Asked && initial;
        if self.world.commits && self.exact {
            assert_eq!(asked.count(), usize::from(waits), "§3.1.3: {jid}");
        }
    }

    fn withdraw(&mut self, who: usize, resource: usize) {
        let Some(link) = self.resources[who][resource].link else { return };
        let jid = format!("{}/{}", self.who[who], RESOURCES[resource]);
        self.said += 1;
        self.world.says(link, &jid, "<presence type='unavailable'/>");
        self.resources[who][resource].shows = None;
    }

    fn leave(&mut self, who: usize, resource: usize) {
        let Some(link) = self.resources[who][resource].link.take() else { return };
        let jid = format!("{}/{}", self.who[who], RESOURCES[resource]);
        self.world.leaves(link, &jid);
        self.drain();
        self.resources[who][resource] = Resource::default();
    }

    /// The account is forgotten and read again.
    fn everybody_leaves(&mut self, who: usize) {
        (0..2).for_each(|resource| self.leave(who, resource));
        self.world.leaves(self.desks[who], &format!("{}/desk", self.who[who]));
        self.settle();
        self.open_desk(who);
    }

    /// All is committed and heard.
    fn settle(&mut self) {
        self.world.commits = true;
        self.world.feed_commits();
        self.drain();
    }

    /// What the resources have heard makes them believe.
    fn drain(&mut self) {
        for who in 0..2 {
            for resource in 0..2 {
                let Some(link) = self.resources[who][resource].link else { continue };
                let heard = self.world.heard(link);
                self.settled += self.world.settled(link);
                let believes = &mut self.resources[who][resource].believes;
                heard.iter().for_each(|xml| believe(believes, xml));
                if self.resources[who][resource].shows.is_none() {
                    self.resources[who][resource].believes.clear();
                }
            }
            self.settled += self.world.settled(self.desks[who]);
        }
    }

    /// What this one's resources should believe.
    fn seen_by(&self, who: usize) -> BTreeMap<String, u32> {
        let mut seen = BTreeMap::new();
        for of in [Some(who), Some(1 - who).filter(|_| self.model.sees[who] == Sees::Yes)] {
            let Some(of) = of else { continue };
            for (resource, name) in self.resources[of].iter().zip(RESOURCES) {
                seen.extend(
                    resource.shows.map(|shows| (format!("{}/{name}", self.who[of]), shows)),
                );
            }
        }
        seen
    }

    /// Everything is as the model says.
    fn check(&mut self, heard: &[Vec<&'static str>; 2], step: usize) {
        for (who, heard) in heard.iter().enumerate() {
            let at = format!("step {step}, {}: {:?}", self.who[who], self.model);
            let desk = self.world.heard(self.desks[who]);
            let asks: Vec<_> = desk.iter().filter_map(|xml| ask_in(xml)).collect();
            assert_eq!(asks, *heard, "{at}: {desk:?}");
            for push in desk.iter().filter(|xml| xml.contains("type='set'")) {
                self.rosters[who] = listed(push);
            }
            let item = self.rosters[who].as_ref().map(|(to, ask, ok)| (to.as_str(), *ask, *ok));
            assert_eq!(item, self.model.item(who), "{at}");
            let stored = self.world.stored[self.who[who]].values().next();
            let listed = stored.is_some_and(Item::is_listed);
            assert_eq!(listed, self.model.listed[who], "{at}");
            let stored = stored.map(|item| (item.standing(), item.approved));
            assert_eq!(stored.unwrap_or_default(), self.model.standing(who), "{at}");
            let expected = self.seen_by(who);
            for resource in self.resources[who].iter().filter(|one| one.shows.is_some()) {
                assert_eq!(resource.believes, expected, "{at}");
            }
        }
    }
}

fn roster_set(item: &str) -> String {
    format!("<iq type='set' id='1'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
}

fn believe(believes: &mut BTreeMap<String, u32>, xml: &str) {
    let Ok(stanza) = Stanza::parse_one(xml) else { return };
    let from = stanza.head.from.as_ref().unwrap().to_string();
    match (stanza.kind(), stanza.head.type_str()) {
        (Kind::Presence, "") => {
            let status = stanza.child(Name::new("jabber:client", "status")).unwrap();
            believes.insert(from, status.text().parse().unwrap());
        }
        (Kind::Presence, "unavailable") => {
            believes.remove(&from);
        }
        _ => {}
    }
}

/// What manages a subscription.
fn ask_in(xml: &str) -> Option<&'static str> {
    let stanza = Stanza::parse_one(xml).ok().filter(|stanza| stanza.kind() == Kind::Presence)?;
    Some(crate::subscription::Ask::parse(stanza.head.type_str())?.as_str())
}

/// The contact in a roster or a push.
fn listed(xml: &str) -> Option<(String, bool, bool)> {
    const QUERY: Name = Name::new("jabber:iq:roster", "query");
    let stanza = Stanza::parse_one(xml).unwrap();
    let item = stanza.child(QUERY)?.children().next()?;
    let subscription = item.attribute("subscription").unwrap().into_owned();
    let has = |name| item.attribute(name).is_some();
    (subscription != "remove").then(|| (subscription, has("ask"), has("approved")))
}

/// Two servers: each has one of them.
fn two_servers() -> World {
    let mut world = World::of(NONE);
    let mut theirs = Settings::of(vec![Bare::parse("y").unwrap()], [0; 32]);
    (world.settings.federates, theirs.federates) = (true, true);
    world.elsewhere = Some((Shard::default(), theirs));
    world.stored.extend([stored("romeo@y")]);
    world
}

/// Returns how often the model was in which state.
fn walk(mut stage: Stage, steps: usize) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for step in 0..steps {
        stage.world.commits = stage.roll(2) == 0;
        let heard = stage.step();
        stage.settle();
        stage.check(&heard, step);
        assert_eq!(stage.said, stage.settled, "step {step}");
        *seen.entry(format!("{:?}", stage.model)).or_default() += 1;
    }
    seen
}

/// RFC 6121 Appendix A.2, Appendix A.3.
#[test]
fn a_random_walk_agrees_with_the_model_at_every_step_rfc6121_appendix_a() {
    for seed in [1, 2026] {
        let seen = walk(Stage::of(World::of(NONE), LOCAL, seed), STEPS);
        assert_eq!(seen.len(), 25, "all that the model can be: {seen:?}");
    }
}

#[test]
fn a_random_walk_of_two_servers_agrees_with_the_model_too_rfc6121_appendix_a() {
    for seed in [3, 1597] {
        let seen = walk(Stage::of(two_servers(), REMOTE, seed), STEPS);
        assert_eq!(seen.len(), 25, "all that the model can be: {seen:?}");
    }
}

/// Each from the beginning: what a long walk does not come back to.
#[test]
fn ten_thousand_random_walks_agree_with_the_model_rfc6121_appendix_a() {
    let mut seen = BTreeMap::<_, usize>::new();
    for seed in 0..WALKS {
        let world = if seed % 2 == 0 { World::of(NONE) } else { two_servers() };
        let who = if seed % 2 == 0 { LOCAL } else { REMOTE };
        let states = walk(Stage::of(world, who, seed.wrapping_mul(2_654_435_761)), SHORT_STEPS);
        states.into_iter().for_each(|(state, times)| *seen.entry(state).or_default() += times);
    }
    assert_eq!(seen.len(), 25, "all that the model can be: {seen:?}");
}

/// When stanzas cross, both sides may disagree on a subscription (it has no ids to tell which
/// request an answer is for), but whom one sees is there, and shows what it shows.
#[test]
fn nobody_sees_a_ghost_however_commits_and_stanzas_cross() {
    for seed in [3, 1912] {
        let mut stage = Stage::of(World::of(NONE), LOCAL, seed);
        stage.exact = false;
        for step in 0..2_500 {
            stage.world.commits = stage.roll(3) == 0;
            stage.step();
            for _ in 0..stage.roll(3) {
                if !stage.world.held.is_empty() {
                    stage.world.commit();
                }
            }
            if stage.roll(8) > 0 {
                continue;
            }
            stage.settle();
            for (who, name) in stage.who.into_iter().enumerate() {
                stage.world.heard(stage.desks[who]);
                stage.model.sees[who] = Sees::Yes; // what there is to be seen
                let there = stage.seen_by(who);
                for resource in &stage.resources[who] {
                    let ghost = resource
                        .believes
                        .iter()
                        .find(|(jid, shows)| there.get(*jid) != Some(shows));
                    assert_eq!(ghost, None, "step {step}: {name} believes");
                }
            }
        }
    }
}
