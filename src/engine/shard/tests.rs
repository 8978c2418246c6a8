//! Two or three accounts in one shard, with a store that commits when it is told to.

use super::*;
use crate::{
    account::{Account, Look},
    ctx::{Moment, Random},
    hearing::{Attends, Told},
    hook::{
        Answer, Desk, Hook, Leaving, Leavings, Output as Spoken, Reply, Station, Status, Tell,
        Verdict, Why, Xep,
    },
    hooks::Hooks,
    parcel::{End, Link, Order, Said, Say},
    passage::Passage,
    port::{Logged, Node},
    roster::Item,
    session::Session,
    settings::Settings,
    slot::Slot,
    unit::{Change, Flags, Pos, Table},
};
use std::{cell::Cell, collections::VecDeque, sync::Arc};
use wire::{Draft, Element, Head, Jid, Name, Payload, StreamError, Text};

mod appendix_a;
mod at_hand;
mod away;
mod behind;
mod chaos;
mod credit;
mod crowded;
mod delivery;
mod departed;
mod devices;
mod endings;
mod guests;
mod lasting;
mod limits;
mod order;
mod outliving;
mod overrun;
mod presence;
mod pushes;
mod showing;
mod storm;
mod subscriptions;
mod turns;
mod wakes;

/// A XEP for these tests: keeps messages with a body, refuses swear words, counts what is written.
const TOY: Xep = Xep {
    number: 9999,
    name: "Toy",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[
        Hook::At(Station::Guard, refuse_swearing),
        Hook::At(Station::Keep, keep),
        Hook::slot::<Count>(),
        Hook::Nonza(HOW_MANY, how_many),
        Hook::Inline(BEGIN, "toy", |_, _, _| vec![Draft::new(BEGUN).finish()]),
        Hook::Write(Desk::Count, count),
        Hook::get(Of::Account, READ, Answer::World(|_, _| Box::pin(std::future::ready(read())))),
        Hook::AtHand(PAGES),
        Hook::set(Of::Account, PAGE, Answer::Pure(turn)),
    ],
};
const NONE: &[&Xep] = &[];
const TOYS: &[&Xep] = &[&TOY];
const BODY: Name = Name::new("jabber:client", "body");
const BEGIN: Name = Name::new("toy", "begin");
const BEGUN: Name = Name::new("toy", "begun");
const HOW_MANY: Name = Name::new("toy", "how-many");
const READ: Name = Name::new("toy", "read");
const PAGE: Name = Name::new("toy", "page");
const PAGES: Table = Table::named("pages");

#[derive(Default)]
struct Count(u32);

impl Slot for Count {
    const KEY: &'static str = "count";
}

fn refuse_swearing(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let swears = passage.stanza.child(BODY).is_some_and(|body| body.text() == "zounds");
    match swears && passage.walk == crate::passage::Walk::Received {
        true => Verdict::Refuse(StanzaCondition::PolicyViolation.into(), Why("swearing")),
        false => Verdict::Go,
    }
}

fn keep(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    if passage.stanza.child(BODY).is_some() {
        passage.keep(Flags::ARCHIVE, stamp);
    }
    Verdict::Go
}

fn stamp(stanza: Stanza, by: &Bare, pos: Pos, _: &Ctx<'_>) -> Stanza {
    let stamp = Draft::new(Name::new("toy", "pos"));
    stanza.with(stamp.attribute("by", by.as_str()).attribute("pos", pos.0.to_string()).finish())
}

fn count(leaving: Leaving, session: &mut Session, _: &Ctx<'_>) -> Leavings {
    session.slot::<Count>().0 += 1;
    [leaving].into()
}

fn how_many(
    _: Element<'_>,
    session: &mut Session,
    _: &Ctx<'_>,
) -> Result<Vec<Spoken>, StreamError> {
    let count = session.slot::<Count>().0.to_string();
    Ok(vec![Spoken::Nonza(Draft::new(HOW_MANY).text(count).finish())])
}

fn read() -> Replied {
    Ok(Reply::Empty)
}

/// Turns one page, and tells every resource which one is open when that is committed.
fn turn(_: &Stanza, line: &mut Line<'_>, _: &Ctx<'_>) -> Replied {
    let open = line.home.unwrap().cells.get(PAGES, "open").map_or(0, |open| open[0]);
    line.put(PAGES, "open", vec![open.wrapping_add(1)])?;
    Ok(Reply::Told(Arc::new(Turned)))
}

#[derive(Debug)]
struct Turned;

impl Tell for Turned {
    fn tell(&self, line: &mut Line<'_>, _: &Ctx<'_>) -> Vec<Stanza> {
        let open = line.home.unwrap().cells.get(PAGES, "open").unwrap()[0];
        let page = Draft::new(PAGE).text(open.to_string()).finish();
        let all = line.sessions.iter().map(|session| {
            let head = Head::new(Kind::Message).with_to(session.jid.clone());
            Stanza::new(head).with(page.clone())
        });
        all.collect()
    }
}

struct Counter(Cell<u8>);

impl Random for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.set(self.0.get().wrapping_add(1));
        bytes.fill(self.0.get());
    }
}

struct World {
    shard: Shard,
    /// Another server of the same people's store.
    elsewhere: Option<(Shard, Settings)>,
    hooks: Hooks,
    settings: Settings,
    random: Counter,
    /// Whether units are committed at once.
    commits: bool,
    held: VecDeque<(Bare, Ticket, Unit, Option<Bare>)>,
    /// Whether accounts are read at once.
    loads: bool,
    loading: VecDeque<Bare>,
    /// Whether logs are read at once; then nothing is found there.
    looks: bool,
    looking: VecDeque<(Bare, i64, Look)>,
    /// What has been committed, of all logs.
    log: Vec<Logged>,
    now: u64,
    /// Who exists, and what the store has of them.
    stored: BTreeMap<Bare, BTreeMap<Jid, Item>>,
    pos: i64,
    questions: Vec<(Bare, u64)>,
    counted: Online,
    expired: Vec<Bare>,
    said: Vec<(Link, Say)>,
    /// Every stanza that went from one home to another.
    carried: Vec<String>,
    /// What rooms are asked for.
    attends: Vec<(Bare, Attends)>,
}

impl World {
    fn of(xeps: &'static [&'static Xep]) -> Self {
        let domain = Bare::parse("x").unwrap();
        Self {
            shard: Shard::default(),
            elsewhere: None,
            hooks: Hooks::of(xeps),
            settings: Settings::of(vec![domain], [0; 32]),
            random: Counter(Cell::new(0)),
            commits: true,
            held: VecDeque::new(),
            loads: true,
            loading: VecDeque::new(),
            looks: true,
            looking: VecDeque::new(),
            log: Vec::new(),
            now: 0,
            stored: ["juliet@x", "romeo@x", "nurse@x"].map(stored).into(),
            pos: 0,
            questions: Vec::new(),
            counted: Online::default(),
            expired: Vec::new(),
            said: Vec::new(),
            carried: Vec::new(),
            attends: Vec::new(),
        }
    }

    fn feed(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Self { shard, elsewhere, hooks, settings, random, now, .. } = self;
            let (shard, settings) = match elsewhere {
                Some((there, theirs)) if theirs.serves(home(&input).domain()) => (there, theirs),
                _ => (shard, settings),
            };
            let (hooks, settings, random) = (&*hooks, &*settings, &*random);
            let ctx = Ctx { now: Moment(*now), unix_ms: 1, random, settings, hooks };
            let mut out = Vec::new();
            shard.handle(&ctx, input, &mut out);
            for output in out {
                match output {
                    Output::Parcel(Parcel::ToSocket(link, say)) => self.said.push((link, say)),
                    Output::Parcel(parcel) => inputs.extend(self.carry(parcel)),
                    Output::Load(jid) if self.loads => inputs.push_back(self.loaded(jid)),
                    Output::Load(jid) => self.loading.push_back(jid),
                    Output::Commit(jid, ticket, unit, recipient) => {
                        self.held.push_back((jid, ticket, unit, recipient));
                    }
                    Output::World { account, number, .. } => self.questions.push((account, number)),
                    Output::Counted(_, online) => self.counted = online,
                    Output::Expire(jid) => self.expired.push(jid),
                    Output::Departed(jid) => inputs.push_back(Input::Departed(jid)),
                    Output::Look(jid, session, look) if self.looks => {
                        inputs.push_back(Input::Seen(jid, session, look, Ok(Vec::new())));
                    }
                    Output::Look(jid, session, look) => {
                        self.looking.push_back((jid, session, look));
                    }
                    Output::Fate(_) => {}
                }
            }
            if self.commits && inputs.is_empty() {
                inputs.extend(self.next_commit().into_iter().flatten());
            }
        }
    }

    /// To where it is addressed; what is for nobody's domain only lies in `carried`.
    fn carry(&mut self, parcel: Parcel) -> Option<Input> {
        let domain = parcel.account()?.domain();
        let there = self.elsewhere.as_ref().is_some_and(|(_, theirs)| theirs.serves(domain));
        if let Parcel::Attends { room, attends, .. } = &parcel {
            self.attends.push((room.clone(), *attends));
        }
        let served = there || self.settings.hosts(domain);
        if let Parcel::Routed { stanza, .. } = &parcel {
            self.carried.push(stanza.to_text().to_string());
        }
        served.then_some(Input::Parcel(parcel))
    }

    fn next_commit(&mut self) -> Option<Vec<Input>> {
        let (jid, ticket, unit, recipient) = self.held.pop_front()?;
        for change in unit.changes {
            match change {
                Change::Roster(of, item) => {
                    self.stored.entry(of).or_default().insert(item.jid.clone(), item);
                }
                Change::Unroster(of, jid, _) => {
                    self.stored.entry(of).or_default().remove(&jid);
                }
                _ => {}
            }
        }
        let positions = unit.entries.iter().map(|entry| {
            self.pos += 1;
            self.log.push(Logged { pos: Pos(self.pos), entry: entry.clone() });
            (entry.log.clone(), Pos(self.pos))
        });
        let committed = Committed { places: positions.collect(), repeated: false };
        let told = outcome(jid, ticket, recipient, Ok(committed));
        Some(told.map(|(_, input)| input).collect())
    }

    fn loaded(&self, jid: Bare) -> Input {
        let loaded = self
            .stored
            .get(&jid)
            .map(|items| Loaded { roster: items.values().cloned().collect(), ..Loaded::default() });
        Input::Loaded(jid, Ok(loaded))
    }

    /// Reads the account that has waited longest for it.
    fn load(&mut self) {
        let jid = self.loading.pop_front().expect("an account to load");
        let loaded = self.loaded(jid);
        self.feed(loaded);
    }

    /// Reads the log for the session that has waited longest for it.
    fn look(&mut self) {
        let (jid, session, look) = self.looking.pop_front().expect("a log to read");
        let page = self.page(&jid, look);
        self.feed(Input::Seen(jid, session, look, Ok(page)));
    }

    fn page(&self, jid: &Bare, look: Look) -> Vec<Logged> {
        let behind = |one: &&Logged| one.entry.log == *jid && one.pos > look.after;
        self.log.iter().filter(behind).take(look.max).cloned().collect()
    }

    /// The same until all have been told.
    fn look_all(&mut self) {
        while !self.looking.is_empty() {
            self.look();
        }
    }

    fn account(&self, jid: &str) -> &Account {
        match self.shard.hosted.get(jid) {
            Some(Hosted::Here { value: Value::Account(account), .. }) => account,
            _ => panic!("{jid} is not here"),
        }
    }

    /// Commits all that is held.
    fn feed_commits(&mut self) {
        while let Some(told) = self.next_commit() {
            told.into_iter().for_each(|input| self.feed(input));
        }
    }

    fn commit(&mut self) {
        let told = self.next_commit().expect("a unit to commit");
        told.into_iter().for_each(|input| self.feed(input));
    }

    fn fail(&mut self) {
        let (jid, ticket, _, recipient) = self.held.pop_front().expect("a unit to fail");
        let fault = Fault::Refused("disk full".into());
        for (_, input) in outcome(jid, ticket, recipient, Err(fault)) {
            self.feed(input);
        }
    }

    /// Binds `resource` and makes it available.
    fn online(&mut self, jid: &str, number: u64) -> Link {
        let link = self.connected(jid, number);
        self.says(link, jid, "<presence/>");
        self.said.clear();
        link
    }

    fn connected(&mut self, jid: &str, number: u64) -> Link {
        self.connected_since(jid, number, 1)
    }

    /// Its login began then.
    fn connected_since(&mut self, jid: &str, number: u64, since: u64) -> Link {
        let (jid, link) = (Jid::parse(jid).unwrap(), Link { node: Node(1), number });
        let resource = jid.resource().map(Text::from);
        self.feed(Input::Parcel(Parcel::FromSocket(
            jid.bare(),
            link,
            Said::Bind { resource, since, device: None, inline: Vec::new(), reads: false },
        )));
        link
    }

    fn leaves(&mut self, link: Link, jid: &str) {
        let bare = Jid::parse(jid).unwrap().bare();
        self.feed(Input::Parcel(Parcel::FromSocket(bare, link, Said::Gone(End::Broken))));
    }

    fn orders(&mut self, jid: &str, order: Order) {
        self.feed(Input::Parcel(Parcel::Order(Bare::parse(jid).unwrap(), order)));
    }

    /// Nobody uses this account for long.
    fn forgets(&mut self, jid: &str) {
        let hosted = self.shard.hosted.remove(jid);
        let Some(Hosted::Here { idle, .. }) = hosted else { panic!("{jid} is not here") };
        self.shard.wake(Some(idle.expect("it is idle")));
    }

    /// Something from elsewhere.
    fn routed(&mut self, xml: &str) {
        let stanza = Stanza::parse_one(xml).unwrap();
        let to = stanza.head.to.as_ref().unwrap().bare();
        self.feed(Input::Parcel(Parcel::Routed { to, stanza, owed: None }));
    }

    fn says(&mut self, link: Link, from: &str, xml: &str) {
        let from = Jid::parse(from).unwrap();
        let mut stanza = Stanza::parse_one(xml).unwrap();
        stanza.head.from = Some(from.clone());
        self.feed(Input::Parcel(Parcel::FromSocket(from.bare(), link, Said::Stanza(stanza))));
    }

    /// What was written to a stream since the last time.
    fn heard(&mut self, by: Link) -> Vec<String> {
        let mut heard = Vec::new();
        self.said.retain(|(link, say)| match written(say) {
            Some(xml) if *link == by => {
                heard.push(xml);
                false
            }
            _ => true,
        });
        heard
    }

    /// How many stanzas of a stream have been settled since the last time.
    fn settled(&mut self, of: Link) -> u32 {
        let mut settled = 0;
        self.said.retain(|(link, say)| match say {
            Say::Settled(stanzas) if *link == of => {
                settled += stanzas;
                false
            }
            _ => true,
        });
        settled
    }

    fn bodies(&mut self, by: Link) -> Vec<String> {
        let heard = self.heard(by).into_iter().filter_map(|xml| Stanza::parse_one(&xml).ok());
        heard.filter_map(|stanza| Some(stanza.child(BODY)?.text().into_owned())).collect()
    }
}

/// Whose input it is.
fn home(input: &Input) -> &Bare {
    match input {
        Input::Parcel(parcel) => parcel.account().expect("no socket is a shard"),
        Input::Loaded(jid, _) | Input::Committed(jid, ..) | Input::Answered(jid, ..) => jid,
        Input::Count(_, domain, _) | Input::Announce(domain, _) => domain,
        Input::Seen(jid, ..) | Input::Revive(jid) | Input::Departed(jid) => jid,
        Input::Tick | Input::Note => unreachable!("no time passes here"),
    }
}

fn written(say: &Say) -> Option<String> {
    match say {
        Say::Stanza(stanza) => Some(stanza.to_text().to_string()),
        Say::Nonza(nonza) | Say::Resumed(_, nonza) | Say::Unresumed(nonza) => {
            Some(nonza.as_str().into())
        }
        Say::End(error) => Some(format!("end: {}", error.condition)),
        Say::Unbound(error) => Some(format!("unbound: {}", error.condition)),
        Say::Bound(..) | Say::Settled(_) => None,
    }
}

fn stored(jid: &str) -> (Bare, BTreeMap<Jid, Item>) {
    (Bare::parse(jid).unwrap(), BTreeMap::new())
}

const JULIET: &str = "juliet@x/balcony";
const ROMEO: &str = "romeo@x/orchard";

fn message(to: &str, body: &str) -> String {
    format!("<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>")
}

#[test]
fn a_message_goes_to_every_resource_of_priority_zero_or_more_rfc6121_8_5_2_1_1() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    let (a, b, c) = (world.online("romeo@x/a", 2), world.online("romeo@x/b", 3), 4);
    let away = world.connected("romeo@x/c", c);
    world.says(away, "romeo@x/c", "<presence><priority>-1</priority></presence>");
    world.says(juliet, JULIET, &message("romeo@x", "hark"));
    assert_eq!(world.bodies(a), ["hark"]);
    assert_eq!(world.bodies(b), ["hark"]);
    assert_eq!(world.bodies(away), [""; 0]);
}

#[test]
fn nobody_there_is_told_to_the_sender_whether_the_account_exists_or_not_rfc6120_13_11() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    for to in ["romeo@x", "nobody@x", "romeo@x/gone"] {
        world.says(juliet, JULIET, &message(to, "hark"));
        let heard = world.heard(juliet);
        assert!(heard[0].contains("service-unavailable"), "{to}: {heard:?}");
    }
    world.says(juliet, JULIET, "<message to='nobody@x' type='error'/>");
    assert_eq!(world.heard(juliet), [""; 0], "an error is never answered");
}

#[test]
fn another_server_is_not_found_while_there_is_no_federation_rfc6120_10_4() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    for xml in [
        "<message to='a@elsewhere.example'><body>hark</body></message>",
        "<iq to='elsewhere.example' type='get' id='1'><q xmlns='q'/></iq>",
        "<presence to='a@elsewhere.example' type='subscribe'/>",
    ] {
        world.says(juliet, JULIET, xml);
        assert!(world.heard(juliet)[0].contains("remote-server-not-found"), "{xml}");
    }
}

#[test]
fn nothing_is_delivered_before_it_is_committed() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.commits = false;
    world.says(juliet, JULIET, &message("romeo@x", "hark"));
    assert_eq!(world.held.len(), 1);
    let logs: Vec<_> = world.held[0].2.entries.iter().map(|e| e.log.to_string()).collect();
    assert_eq!(logs, ["juliet@x", "romeo@x"], "one unit for both logs");
    assert!(world.said.is_empty(), "neither delivered nor settled");
    world.commit();
    let heard = world.heard(romeo);
    assert!(heard[0].contains("by='romeo@x' pos='2'"), "stamped with his own position: {heard:?}");
    assert!(matches!(world.said[..], [(link, Say::Settled(1))] if link == juliet));
}

#[test]
fn what_has_no_unit_waits_only_behind_its_own_pair_rfc6120_10_1() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    let nurse = world.online("nurse@x/kitchen", 3);
    world.commits = false;
    let typing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    world.says(juliet, JULIET, &message(ROMEO, "hark"));
    world.says(juliet, JULIET, &format!("<message to='{ROMEO}' type='chat'>{typing}</message>"));
    world.says(nurse, "nurse@x/kitchen", &format!("<message to='{ROMEO}'>{typing}</message>"));
    let heard = world.heard(romeo);
    assert_eq!(heard.len(), 1, "only the nurse's: {heard:?}");
    assert!(heard[0].contains("nurse"));
    world.commit();
    let heard = world.heard(romeo);
    assert!(heard[0].contains("hark") && heard[1].contains("composing"), "{heard:?}");
}

#[test]
fn units_go_to_the_writer_in_the_order_of_the_senders_stanzas() {
    let mut world = World::of(TOYS);
    let juliet = world.online(JULIET, 1);
    world.online(ROMEO, 2);
    world.commits = false;
    for (to, body) in [("romeo@x", "1"), ("juliet@x", "2"), ("romeo@x", "3")] {
        world.says(juliet, JULIET, &message(to, body));
    }
    let stanzas = world.held.iter().map(|(_, _, unit, _)| unit.entries[0].stanza.to_string());
    let ids: Vec<_> = stanzas.map(|xml| xml.split('\'').nth(1).unwrap().to_string()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(world.held[1].2.entries.len(), 1, "a message to oneself is one entry");
}

#[test]
fn the_recipient_may_refuse_before_the_commit_and_then_nothing_is_written() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.commits = false;
    world.says(juliet, JULIET, &message("romeo@x", "zounds"));
    assert!(world.held.is_empty());
    assert_eq!(world.bodies(romeo), [""; 0]);
    let heard = world.heard(juliet);
    assert!(heard[0].contains("policy-violation"), "{heard:?}");
    assert_eq!(heard.len(), 1);
}

#[test]
fn a_message_that_could_not_be_committed_is_refused_once_and_delivered_never() {
    let mut world = World::of(TOYS);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.commits = false;
    world.says(juliet, JULIET, &message("romeo@x", "hark"));
    world.fail();
    assert_eq!(world.bodies(romeo), [""; 0]);
    let settled = world.said.iter().filter(|(_, say)| matches!(say, Say::Settled(1))).count();
    let heard = world.heard(juliet);
    assert_eq!((heard.len(), settled), (1, 1), "{heard:?}");
    assert!(heard[0].contains("type='wait'") && heard[0].contains("internal-server-error"));
}

#[test]
fn a_roster_change_that_the_store_refused_ends_the_streams_and_is_forgotten() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    world.commits = false;
    let set =
        "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='romeo@x'/></query></iq>";
    world.says(juliet, JULIET, set);
    assert!(matches!(world.held[0].2.changes[..], [Change::Roster(..)]));
    world.fail();
    assert_eq!(world.heard(juliet), ["end: internal-server-error"]);
    let again = world.online(JULIET, 2);
    world.commits = true;
    world.says(again, JULIET, "<iq type='get' id='2'><query xmlns='jabber:iq:roster'/></iq>");
    assert!(!world.heard(again)[0].contains("romeo"));
}

#[test]
fn a_taken_resource_goes_to_the_newcomer_and_the_old_end_does_not_touch_it_rfc6120_7_7_2_2() {
    let mut world = World::of(NONE);
    let old = world.online(ROMEO, 1);
    let new = world.connected(ROMEO, 2);
    assert_eq!(world.heard(old), ["end: conflict"]);
    world.says(new, ROMEO, "<presence/>");
    let gone = Said::Gone(End::Broken);
    world.feed(Input::Parcel(Parcel::FromSocket(Bare::parse("romeo@x").unwrap(), old, gone)));
    let juliet = world.online(JULIET, 3);
    world.says(juliet, JULIET, &message(ROMEO, "hark"));
    assert_eq!(world.bodies(new), ["hark"]);
}

#[test]
fn sessions_of_one_account_are_bounded_rfc6120_7_6_2_1() {
    let mut world = World::of(NONE);
    let max = world.settings.limits.sessions_max as u64;
    for number in 0..max {
        world.connected(&format!("romeo@x/{number}"), number);
    }
    world.said.clear();
    let refused = world.connected("romeo@x/more", max);
    assert_eq!(world.heard(refused), ["unbound: resource-constraint"]);
}

#[test]
fn an_element_that_nobody_hears_ends_the_stream_rfc6120_4_9_3_24() {
    let mut world = World::of(TOYS);
    let romeo = world.online(ROMEO, 1);
    let bare = Bare::parse("romeo@x").unwrap();
    let nonza = |name| Said::Nonza(Draft::new(name).finish());
    world.feed(Input::Parcel(Parcel::FromSocket(bare.clone(), romeo, nonza(HOW_MANY))));
    assert_eq!(world.heard(romeo), ["<how-many xmlns='toy'>1</how-many>"], "his own presence");
    let other = nonza(Name::new("toy", "other"));
    world.feed(Input::Parcel(Parcel::FromSocket(bare, romeo, other)));
    assert_eq!(world.heard(romeo), ["end: unsupported-stanza-type"]);
}

#[test]
fn the_answer_of_a_reading_hook_comes_when_the_store_has_been_read() {
    let mut world = World::of(TOYS);
    let romeo = world.online(ROMEO, 1);
    world.says(romeo, ROMEO, "<iq type='get' id='7'><read xmlns='toy'/></iq>");
    assert!(world.said.is_empty(), "not settled yet");
    let (account, number) = world.questions.pop().unwrap();
    world.feed(Input::Answered(account, number, Ok(crate::hook::Reply::Empty)));
    assert_eq!(world.heard(romeo).len(), 1);
}

#[test]
fn every_request_is_answered_once_and_an_answer_never_rfc6120_8_2_3() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    for (xml, condition) in [
        ("<iq type='get'><q xmlns='q'/></iq>", "bad-request"),
        ("<iq type='get' id='1'/>", "bad-request"),
        ("<iq type='set' id='1'><q xmlns='q'/><q xmlns='q'/></iq>", "bad-request"),
        ("<iq type='ask' id='1'><q xmlns='q'/></iq>", "bad-request"),
        ("<iq type='get' id='1'><q xmlns='q'/></iq>", "service-unavailable"),
        ("<iq type='get' id='1' to='x'><q xmlns='q'/></iq>", "service-unavailable"),
        ("<iq type='get' id='1' to='romeo@x'><q xmlns='q'/></iq>", "service-unavailable"),
        ("<iq type='get' id='1' to='romeo@x/gone'><q xmlns='q'/></iq>", "service-unavailable"),
        ("<iq type='get' id='1' to='nobody@x'><q xmlns='q'/></iq>", "service-unavailable"),
        ("<iq type='get' id='1' to='romeo@x'><query xmlns='jabber:iq:roster'/></iq>", "forbidden"),
        ("<iq type='get' id='1' to='nobody@x'><query xmlns='jabber:iq:roster'/></iq>", "forbidden"),
    ] {
        world.says(juliet, JULIET, xml);
        let heard = world.heard(juliet);
        assert!(heard.len() == 1 && heard[0].contains(condition), "{xml}: {heard:?}");
    }
    for to in ["", "to='x'", "to='romeo@x'", "to='nobody@x/a'"] {
        world.says(juliet, JULIET, &format!("<iq type='result' id='1' {to}/>"));
        assert_eq!(world.heard(juliet), [""; 0]);
    }
    world.says(juliet, JULIET, &format!("<iq type='result' id='1' to='{ROMEO}'/>"));
    assert_eq!(world.heard(romeo).len(), 1, "an answer to a resource is carried");
}

#[test]
fn presence_follows_a_subscription_and_is_withdrawn_at_the_end_rfc6121_4() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.says(romeo, ROMEO, "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>");
    assert!(world.heard(romeo)[0].contains("result"), "whoever reads the roster hears answers");
    world.says(romeo, ROMEO, "<presence to='juliet@x' type='subscribe'/>");
    let asked = world.heard(juliet);
    assert!(asked[0].contains("from='romeo@x'") && asked[0].contains("subscribe"), "{asked:?}");
    world.says(juliet, JULIET, "<presence to='romeo@x' type='subscribed'/>");
    let heard = world.heard(romeo);
    assert!(heard.iter().any(|xml| xml.contains("type='subscribed'")), "{heard:?}");
    assert!(heard.iter().any(|xml| xml.contains(&format!("from='{JULIET}'"))), "{heard:?}");
    let gone = Said::Gone(End::Broken);
    world.feed(Input::Parcel(Parcel::FromSocket(Bare::parse("juliet@x").unwrap(), juliet, gone)));
    let heard = world.heard(romeo);
    assert!(heard.len() == 1 && heard[0].contains("unavailable"), "{heard:?}");
    let juliet = world.connected(JULIET, 3);
    world.says(juliet, JULIET, "<presence><show>away</show></presence>");
    assert!(world.heard(romeo)[0].contains("away"));
    assert!(!world.heard(juliet).iter().any(|xml| xml.contains("romeo@x/")), "one way only");
}

#[test]
fn directed_presence_is_ended_by_unavailable_and_tells_nobody_else_rfc6121_4_6() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    let nurse = world.online("nurse@x/kitchen", 3);
    world.says(juliet, JULIET, &format!("<presence to='{ROMEO}'/>"));
    assert_eq!(world.heard(romeo).len(), 1);
    world.says(juliet, JULIET, "<presence type='unavailable'/>");
    let heard = world.heard(romeo);
    assert!(heard.len() == 1 && heard[0].contains("unavailable"), "{heard:?}");
    assert_eq!(world.heard(nurse), [""; 0]);
    assert_eq!(world.heard(juliet).len(), 1, "her own unavailable presence");
}

#[test]
fn an_error_to_who_got_directed_presence_does_not_end_it_rfc6121_4_6_3() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.says(juliet, JULIET, &format!("<presence to='{ROMEO}'/>"));
    world.says(juliet, JULIET, &format!("<presence type='error' to='{ROMEO}'/>"));
    assert_eq!(world.heard(romeo).len(), 2);
    world.leaves(juliet, JULIET);
    let heard = world.heard(romeo);
    assert!(heard.len() == 1 && heard[0].contains("unavailable"), "{heard:?}");
}

#[test]
fn a_probe_from_a_stranger_is_not_answered_rfc6121_4_3_2() {
    let mut world = World::of(NONE);
    let (juliet, romeo) = (world.online(JULIET, 1), world.online(ROMEO, 2));
    world.says(juliet, JULIET, "<presence to='romeo@x' type='probe'/>");
    assert_eq!((world.heard(juliet), world.heard(romeo)), (vec![], vec![]));
}

#[test]
fn wrong_presence_is_refused_rfc6121_4_7() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    for xml in [
        "<presence type='here'/>",
        "<presence><priority>128</priority></presence>",
        "<presence><priority>high</priority></presence>",
        "<presence type='subscribe'/>",
    ] {
        world.says(juliet, JULIET, xml);
        let heard = world.heard(juliet);
        assert!(heard.len() == 1 && heard[0].contains("bad-request"), "{xml}: {heard:?}");
    }
    world.says(juliet, JULIET, "<presence to='a@b@c'/>");
    assert!(world.heard(juliet)[0].contains("jid-malformed"));
}

#[test]
fn presence_of_an_unknown_type_reaches_nobody_also_from_elsewhere_rfc6121_4_7_1() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    world.online(ROMEO, 2);
    for to in ["juliet@x", JULIET, "juliet@x/gone", "nobody@x", "x"] {
        world.carried.clear();
        world.routed(&format!("<presence type='here' from='{ROMEO}' to='{to}'/>"));
        assert_eq!(world.heard(juliet), [""; 0], "{to}");
        let [answer] = &world.carried[..] else { panic!("{to}: {:?}", world.carried) };
        assert!(answer.contains("type='error'") && answer.contains("bad-request"), "{answer}");
    }
}

fn deleted() -> Order {
    Order::Deleted { last: None, farewells: Vec::new() }
}

#[test]
fn a_deleted_account_has_no_streams() {
    let mut world = World::of(NONE);
    let romeo = world.online(ROMEO, 1);
    let bare = Bare::parse("romeo@x").unwrap();
    world.feed(Input::Parcel(Parcel::Order(bare, deleted())));
    assert_eq!(world.heard(romeo), ["end: not-authorized"]);
}

#[test]
fn idle_accounts_are_forgotten_beyond_a_limit_and_busy_ones_are_not() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    world.says(juliet, JULIET, &message("romeo@x", "hark"));
    assert_eq!(world.shard.accounts(), 2);
    assert_eq!(world.shard.idle.len(), 1);
    world.says(juliet, JULIET, &message("nobody@x", "hark"));
    assert_eq!(world.shard.accounts(), 2, "who does not exist takes no room");
}
