//! A client: it counts as XEP-0198 says, resumes what it can, and sends again what it does not know
//! the fate of.

use crate::world::World;
use engine::{
    parcel::{Claim, End, Link, Parcel, Said, Say},
    shard::Input,
    wire::{Bare, Draft, Element, Jid, Kind, Name, Payload, Stanza},
};
use std::collections::{BTreeMap, VecDeque};

const SM: &str = "urn:xmpp:sm:3";
const CARBONS: &str = "urn:xmpp:carbons:2";
/// In seconds.
const RESUMABLE: &str = "900";

/// What a client has got of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Got {
    pub id: String,
    pub stanza_id: Option<String>,
    pub delayed: bool,
    pub is_copy: bool,
    pub kills: u32,
    pub copies: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    Away,
    /// It has asked to bind or resume.
    Asks,
    Here,
}

pub struct Client {
    pub jid: Jid,
    pub account: Bare,
    pub state: State,
    pub link: Option<Link>,
    /// By which it can resume.
    pub previd: Option<String>,
    counts: bool,
    /// What it has got since counting began.
    h: u32,
    /// What it has said since counting began, by number; what is acknowledged of it.
    pub out: Vec<Stanza>,
    pub acked: usize,
    /// On their way.
    wire: VecDeque<Say>,
    upstream: VecDeque<Said>,
    /// Of each session that it had, what it got there.
    pub lives: Vec<Vec<Got>>,
    /// The same with all copies: what the log has, and how often the process had been killed then.
    pub heard: Vec<Vec<(String, u32)>>,
    /// Answers, by the id of what was asked.
    pub answers: BTreeMap<String, u32>,
    /// Counted, not in the store then, and not refused yet: an answer, too, keeps its place behind
    /// what the log is to tell before it.
    pub refused_later: Vec<String>,
    /// The process was killed while it had this session.
    pub killed: bool,
    /// What it will not ask again, for its session has ended.
    pub forlorn: Vec<String>,
    /// Requests of others, that it is to answer.
    asked: VecDeque<Stanza>,
    pub inline: bool,
    /// Streams that have broken, and the server has not heard of it.
    abandoned: Vec<Link>,
}

fn named(local: &'static str) -> Draft {
    Draft::new(Name::new(SM, local))
}

impl Client {
    pub fn of(jid: &str) -> Self {
        let jid = Jid::parse(jid).unwrap();
        let account = jid.bare();
        let (previd, out, wire, upstream, answers, forlorn, asked) = Default::default();
        let (lives, heard) = Default::default();
        Self {
            jid,
            account,
            state: State::Away,
            link: None,
            previd,
            counts: false,
            h: 0,
            out,
            acked: 0,
            wire,
            upstream,
            lives,
            heard,
            answers,
            refused_later: Vec::new(),
            killed: false,
            forlorn,
            asked,
            inline: true,
            abandoned: Vec::new(),
        }
    }

    pub fn comes(&mut self, world: &mut World) {
        if self.state != State::Away {
            return;
        }
        self.link = Some(world.link());
        self.state = State::Asks;
        let since = world.unix_ms();
        match &self.previd {
            Some(id) => {
                let claim = Claim { id: id.as_str().into(), h: self.h };
                self.upstream.push_back(Said::Resume { claim, since, device: None });
            }
            None => self.binds(since),
        }
    }

    fn binds(&mut self, since: u64) {
        let resource = self.jid.resource().map(Into::into);
        let mut inline = vec![Draft::new(Name::new(CARBONS, "enable")).finish()];
        if self.inline {
            inline.push(enable());
        }
        self.upstream.push_back(Said::Bind { resource, since, device: None, inline, reads: false });
    }

    /// What it has said reaches the server, one after the other.
    pub fn reaches(&mut self, world: &mut World, most: usize) -> bool {
        let Some(link) = self.link else { return false };
        let mut any = false;
        for _ in 0..most {
            let Some(said) = self.upstream.pop_front() else { break };
            world.hears(Input::Parcel(Parcel::FromSocket(self.account.clone(), link, said)));
            any = true;
        }
        any
    }

    pub fn is_told(&mut self, say: Say) {
        self.wire.push_back(say);
    }

    /// It reads what it is told.
    pub fn reads(&mut self, world: &mut World, most: usize) -> bool {
        let mut any = false;
        for _ in 0..most {
            let Some(say) = self.wire.pop_front() else { break };
            any = true;
            match say {
                Say::Bound(_, begun) => self.bound(&begun),
                Say::Resumed(_, resumed) => self.resumed(world, count(resumed.element())),
                Say::Unresumed(failed) => self.unresumed(world, failed.element()),
                Say::Nonza(nonza) => self.nonza(world, nonza.element()),
                Say::Stanza(stanza) => self.stanza(world, &stanza),
                Say::Unbound(error) => panic!("{}: {error:?}", self.jid),
                Say::End(_) => {
                    self.lost();
                    break;
                }
                Say::Settled(_) => {}
            }
        }
        any
    }

    fn bound(&mut self, begun: &[Payload]) {
        self.state = State::Here;
        self.lives.push(Vec::new());
        self.heard.push(Vec::new());
        (self.counts, self.h, self.killed) = (false, 0, false);
        let before = std::mem::take(&mut self.out);
        let unknown = before.into_iter().skip(std::mem::take(&mut self.acked));
        let unknown: Vec<_> = unknown.collect();
        for payload in begun {
            self.enabled(payload.element());
        }
        if !self.counts {
            self.upstream.push_back(Said::Nonza(enable()));
        }
        self.says(Stanza::parse_one("<presence/>").unwrap());
        for stanza in unknown {
            match stanza.kind() {
                Kind::Message => self.says(stanza),
                _ => self.forlorn.extend(stanza.head.id.as_ref().map(|id| id.to_string())),
            }
        }
    }

    fn enabled(&mut self, element: Element<'_>) {
        if element.is(Name::new(SM, "enabled")) {
            self.counts = true;
            self.previd = element.attribute("id").map(|id| id.into_owned());
        }
    }

    /// XEP-0198 §5: what it has not said yet, as the server knows, it says again.
    fn resumed(&mut self, world: &World, h: usize) {
        self.state = State::Here;
        assert!(h <= self.out.len(), "{}: {h} of {}", self.jid, self.out.len());
        self.check_h(world, h);
        if h < self.acked {
            assert!(self.killed, "{}: {h} after {}", self.jid, self.acked);
            let between: Vec<_> = self.out.drain(h..self.acked).collect();
            assert!(!between.iter().any(is_kept), "{}: {between:?}", self.jid);
        }
        self.acked = h;
        let again: Vec<_> = self.out[h..].iter().cloned().map(Said::Stanza).collect();
        self.upstream.extend(again);
    }

    /// What is counted is in the store, or its author is told that it is not; then it never will
    /// be there, as is judged in the end.
    fn check_h(&mut self, world: &World, h: usize) {
        for stanza in self.out[..h].iter().filter(|stanza| is_kept(stanza)) {
            let id = stanza.head.id.as_deref().unwrap();
            let is_known = world.committed.contains(id) || self.answers.contains_key(id);
            if !is_known && !self.killed {
                self.refused_later.push(id.to_owned());
            }
        }
    }

    fn unresumed(&mut self, world: &World, failed: Element<'_>) {
        if let Some(h) = failed.attribute("h") {
            // What was refused meanwhile is counted too, and who would be told is not there.
            self.acked = self.acked.max(h.parse().unwrap());
        }
        self.previd = None;
        self.binds(world.unix_ms());
    }

    fn nonza(&mut self, world: &World, nonza: Element<'_>) {
        match nonza.local() {
            "enabled" => self.enabled(nonza),
            "r" => self.acknowledges(),
            "a" => {
                let h = count(nonza);
                assert!(h >= self.acked && h <= self.out.len(), "{}: {h}", self.jid);
                self.check_h(world, h);
                self.acked = h;
            }
            other => panic!("{}: {other}", self.jid),
        }
    }

    /// It tells what it has got.
    pub fn acknowledges(&mut self) {
        if self.state == State::Here && self.counts {
            let h = self.h.to_string();
            self.upstream.push_back(Said::Nonza(named("a").attribute("h", h).finish()));
        }
    }

    /// It asks what has been counted.
    pub fn asks(&mut self) {
        if self.state == State::Here && self.counts {
            self.upstream.push_back(Said::Nonza(named("r").finish()));
        }
    }

    /// It sleeps, or wakes (XEP-0352).
    pub fn rests(&mut self, active: bool) {
        if self.state == State::Here {
            let local = if active { "active" } else { "inactive" };
            let state = Draft::new(Name::new("urn:xmpp:csi:0", local)).finish();
            self.upstream.push_back(Said::Nonza(state));
        }
    }

    pub fn says(&mut self, mut stanza: Stanza) {
        stanza.head.from = Some(self.jid.clone());
        self.out.push(stanza.clone());
        self.upstream.push_back(Said::Stanza(stanza));
    }

    fn stanza(&mut self, world: &World, stanza: &Stanza) {
        self.h += u32::from(self.counts);
        let id = stanza.head.id.as_deref().unwrap_or_default();
        match (stanza.kind(), stanza.head.type_str()) {
            (Kind::Iq, "get" | "set") => self.asked.push_back(stanza.clone()),
            // A copy of what another was answered.
            (Kind::Message, "error") if id.is_empty() => {}
            (Kind::Iq, _) | (Kind::Message, "error") => {
                let answers = self.answers.entry(id.to_owned()).or_default();
                *answers += 1;
                assert!(*answers == 1 || self.killed, "{}: twice {stanza:?}", self.jid);
            }
            (Kind::Message, _) => self.message(world, stanza),
            (Kind::Presence, _) => {}
        }
    }

    fn message(&mut self, world: &World, stanza: &Stanza) {
        let copied = copied(stanza);
        let is_copy = copied.is_some();
        let inner = copied.unwrap_or_else(|| stanza.clone());
        let Some(id) = inner.head.id.as_deref().filter(|_| inner.head.type_str() != "error") else {
            return;
        };
        let mine = |child: &Element<'_>| {
            child.is(Name::new("urn:xmpp:sid:0", "stanza-id"))
                && child.attribute("by").as_deref() == Some(self.account.as_str())
        };
        let stanza_id = inner.children().find(mine);
        let stanza_id = stanza_id.and_then(|one| one.attribute("id").map(|id| id.into_owned()));
        let delay = Name::new("urn:xmpp:delay", "delay");
        let delayed = stanza.child(delay).is_some() || inner.child(delay).is_some();
        let kills = world.kills;
        let got = Got { id: id.to_owned(), stanza_id, delayed, is_copy, kills, copies: 1 };
        if got.stanza_id.is_some() {
            self.heard.last_mut().unwrap().push((got.id.clone(), kills));
        }
        let life = self.lives.last_mut().unwrap();
        if let Some(first) = life.iter_mut().find(|first| first.id == got.id) {
            first.copies += 1;
            // What no log has, nobody knows again: its sender says it once more after each kill.
            let since = if got.stanza_id.is_some() { first.kills } else { world.said_at(id) };
            assert!(kills > since, "{}: twice {stanza:?}", self.jid);
            let most = 1 + kills - world.said_at(id);
            assert!(first.copies <= most, "{}: {} copies {stanza:?}", self.jid, first.copies);
            let is_told = got.delayed && got.stanza_id == first.stanza_id;
            assert!(is_told || got.stanza_id.is_none(), "{}: {stanza:?}", self.jid);
            return;
        }
        life.push(got);
    }

    /// It answers one request.
    pub fn replies(&mut self) {
        if self.state != State::Here {
            return;
        }
        if let Some(request) = self.asked.pop_front() {
            self.says(request.result());
        }
    }

    /// Its stream breaks; the server hears of it now, or not.
    pub fn breaks(&mut self, world: &mut World, is_heard: bool) {
        let Some(link) = self.link else { return };
        self.lost();
        self.abandoned.push(link);
        if is_heard {
            self.is_gone(world);
        }
    }

    /// The server hears of all streams that have broken.
    pub fn is_gone(&mut self, world: &mut World) {
        for link in std::mem::take(&mut self.abandoned) {
            let gone = Said::Gone(End::Broken);
            world.hears(Input::Parcel(Parcel::FromSocket(self.account.clone(), link, gone)));
        }
    }

    /// There is no stream any more.
    pub fn lost(&mut self) {
        (self.link, self.state) = (None, State::Away);
        self.wire.clear();
        self.upstream.clear();
    }
}

fn enable() -> Payload {
    named("enable").attribute("resume", "true").attribute("max", RESUMABLE).finish()
}

fn count(element: Element<'_>) -> usize {
    element.attribute("h").unwrap().parse().unwrap()
}

/// What a copy is of (XEP-0280).
fn copied(stanza: &Stanza) -> Option<Stanza> {
    let copy = stanza.children().find(|child| child.ns() == CARBONS)?;
    let message = copy.children().next()?.children().next()?;
    Stanza::parse_one(message.as_str()).ok()
}

/// Whether it is to be in the log.
pub fn is_kept(stanza: &Stanza) -> bool {
    let no_store = Name::new("urn:xmpp:hints", "no-store");
    stanza.kind() == Kind::Message && stanza.child(no_store).is_none()
}
