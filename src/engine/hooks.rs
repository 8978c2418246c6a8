//! What all XEPs hung where, found by what a stanza brings. Built once, at the start.

use crate::{
    account::{LAST_PRESENCE, READERS},
    ctx::Ctx,
    hook::*,
    passage::Stamp,
    room::Service,
    session::Session,
    settings::Settings,
    shard::WorldAnswer,
    slot::Plan,
    stream::sasl::profile::{Profile, Rfc6120},
    unit::{Flags, Table},
};
use std::{collections::BTreeMap, sync::Arc};
use wire::{Bare, Element, Name, Stanza, StanzaError};

/// An iq's key: whom, how, namespace, name.
type Asked<'a> = (Of, IqKind, &'a str, &'a str);

/// All hooks, sorted by what they wait for.
pub struct Hooks {
    xeps: &'static [&'static Xep],
    features: BTreeMap<Of, Vec<(&'static str, Option<IsChosen>)>>,
    indexes: Vec<IsChosen>,
    looks: Vec<(Station, u16, Look)>,
    /// Where the looks of each station begin; the last ends where none begins.
    begins: [usize; Station::Push as usize + 2],
    amends: Vec<(Name, WorldAnswer)>,
    comes: Vec<(Of, Name, WorldAnswer)>,
    keeps: Option<Keeps>,
    conversations: Vec<Conversations>,
    wakes: Vec<Wakes>,
    answers: BTreeMap<Asked<'static>, (u16, Answer)>,
    nodes: Vec<(Of, Find)>,
    nonzas: Vec<(Name, Hear)>,
    asks: Option<(Name, Name)>,
    writes: Vec<(Desk, Write)>,
    offers: Vec<(Stage, Offer)>,
    profiles: Vec<&'static dyn Profile>,
    inline: Vec<(Name, &'static str, Begin)>,
    claims: Option<&'static dyn Claims>,
    ends: Option<Ends>,
    catch_ups: Vec<CatchUp>,
    services: Vec<(u16, &'static dyn Service)>,
    settled: Vec<Feel>,
    sent: Vec<Feel>,
    detached: Vec<Feel>,
    resumed: Vec<Feel>,
    pace: Vec<Feel>,
    again: Vec<Stamp>,
    aside: Vec<Aside>,
    bound: Vec<Feel>,
    unbound: Vec<Feel>,
    silent: Vec<Feel>,
    plans: Arc<[Plan]>,
    at_hand: Vec<Table>,
    /// The XEPs that have cells at hand.
    lookers: Vec<u16>,
}

impl Hooks {
    /// Sorts by station and desk; ties keep the order of the list.
    pub fn of(xeps: &'static [&'static Xep]) -> Self {
        let mut hooks = Self {
            xeps,
            features: BTreeMap::new(),
            indexes: Vec::new(),
            looks: Vec::new(),
            begins: Default::default(),
            amends: Vec::new(),
            comes: Vec::new(),
            keeps: None,
            conversations: Vec::new(),
            wakes: Vec::new(),
            answers: BTreeMap::new(),
            nodes: Vec::new(),
            nonzas: Vec::new(),
            asks: None,
            writes: Vec::new(),
            offers: Vec::new(),
            profiles: vec![&Rfc6120],
            inline: Vec::new(),
            claims: None,
            ends: None,
            catch_ups: Vec::new(),
            services: Vec::new(),
            settled: Vec::new(),
            sent: Vec::new(),
            detached: Vec::new(),
            resumed: Vec::new(),
            pace: Vec::new(),
            again: Vec::new(),
            aside: Vec::new(),
            bound: Vec::new(),
            unbound: Vec::new(),
            silent: Vec::new(),
            plans: Arc::new([]),
            at_hand: vec![LAST_PRESENCE, READERS],
            lookers: Vec::new(),
        };
        let mut plans = Vec::new();
        for (number, hook) in
            xeps.iter().flat_map(|xep| xep.hooks.iter().map(|hook| (xep.number, hook)))
        {
            hooks.hang(number, hook, &mut plans);
        }
        hooks.looks.sort_by_key(|&(station, ..)| station);
        let looks = &hooks.looks;
        hooks.begins = std::array::from_fn(|station| {
            looks.partition_point(|&(before, ..)| (before as usize) < station)
        });
        hooks.writes.sort_by_key(|&(desk, _)| desk);
        hooks.plans = plans.into();
        hooks
    }

    fn hang(&mut self, number: u16, hook: &Hook, plans: &mut Vec<Plan>) {
        match *hook {
            Hook::Setting(_) | Hook::OfDevice(..) => {}
            Hook::Feature(of, feature) => self.feature(of, feature, None),
            Hook::FeatureIf(of, feature, chosen) => self.feature(of, feature, Some(chosen)),
            Hook::Index(chosen) => self.indexes.push(chosen),
            Hook::Nodes(of, find) => self.nodes.push((of, find)),
            Hook::Iq { of, kind, payload, answer } => {
                self.answers.insert((of, kind, payload.ns, payload.local), (number, answer));
            }
            Hook::At(station, look) => self.looks.push((station, number, look)),
            Hook::Amend(name, read) => self.amends.push((name, read)),
            Hook::Comes(of, name, read) => self.comes.push((of, name, read)),
            Hook::Keeps(keeps) => self.keeps = Some(keeps),
            Hook::Conversations(read) => self.conversations.push(read),
            Hook::Wakes(wakes) => self.wakes.push(wakes),
            Hook::Nonza(name, hear) => self.nonzas.push((name, hear)),
            Hook::Asks(asked, answer) => self.asks = Some((asked, answer)),
            Hook::Write(desk, write) => self.writes.push((desk, write)),
            Hook::Slot(plan) => plans.push(plan),
            Hook::Service(service) => self.services.push((number, service)),
            Hook::AtHand(table) => {
                self.at_hand.push(table);
                self.lookers.push(number);
            }
            Hook::Profile(profile) => self.profiles.push(profile),
            Hook::Inline(name, var, begin) => self.inline.push((name, var, begin)),
            Hook::StreamFeature(stage, offer) => self.offers.push((stage, offer)),
            Hook::Resumption(claims) => self.claims = Some(claims),
            Hook::CatchUp(catch_up) => self.catch_ups.push(catch_up),
            Hook::Ends(ends) => self.ends = Some(ends),
            Hook::Settled(feel) => self.settled.push(feel),
            Hook::Sent(feel) => self.sent.push(feel),
            Hook::Detached(feel) => self.detached.push(feel),
            Hook::Resumed(feel) => self.resumed.push(feel),
            Hook::Pace(feel) => self.pace.push(feel),
            Hook::Again(stamp) => self.again.push(stamp),
            Hook::Aside(aside) => self.aside.push(aside),
            Hook::Bound(feel) => self.bound.push(feel),
            Hook::Unbound(feel) => self.unbound.push(feel),
            Hook::Silent(feel) => self.silent.push(feel),
        }
    }

    fn feature(&mut self, of: Of, feature: &'static str, chosen: Option<IsChosen>) {
        let features = self.features.entry(of).or_default();
        if !features.iter().any(|(known, _)| *known == feature) {
            features.push((feature, chosen));
        }
    }

    /// The XEPs, in the order of the list.
    pub fn xeps(&self) -> &'static [&'static Xep] {
        self.xeps
    }

    /// The disco features of an entity, in the order of the list, each once.
    pub fn features<'a>(
        &'a self,
        of: Of,
        settings: &'a Settings,
    ) -> impl Iterator<Item = &'static str> + 'a {
        let features = self.features.get(&of).into_iter().flatten();
        let told = features.filter(|(_, chosen)| chosen.is_none_or(|chosen| chosen(settings)));
        told.map(|&(feature, _)| feature)
    }

    /// Whether archives are searched for words.
    pub fn indexes(&self, settings: &Settings) -> bool {
        self.indexes.iter().any(|chosen| chosen(settings))
    }

    /// What stands at a node of an entity, for who asks with this iq. The first XEP that knows of
    /// it tells; `None`: nobody does.
    pub fn node(
        &self,
        of: Of,
        node: &str,
        iq: &Stanza,
        ctx: &Ctx<'_>,
    ) -> Option<Result<Node, StanzaError>> {
        let finds = self.nodes.iter().filter(|(whose, _)| *whose == of);
        finds.map(|(_, find)| find).find_map(|find| find(node, iq, ctx))
    }

    /// Who answers, and the number of its XEP.
    pub fn answer(&self, of: Of, kind: IqKind, payload: Element<'_>) -> Option<(u16, Answer)> {
        let answers: &BTreeMap<Asked<'_>, _> = &self.answers;
        answers.get(&(of, kind, payload.ns(), payload.local())).copied()
    }

    /// Whether an account's answer to it is of a XEP that has cells at hand.
    pub fn looks_at_hand(&self, kind: IqKind, payload: Element<'_>) -> bool {
        let answer = self.answer(Of::Account, kind, payload);
        answer.is_some_and(|(number, _)| self.lookers.contains(&number))
    }

    /// How SASL may travel in XML, that of RFC 6120 first.
    pub fn profiles(&self) -> &[&'static dyn Profile] {
        &self.profiles
    }

    /// What a session can begin with when its resource is bound together with the login, as it is
    /// offered.
    pub fn inline(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.inline.iter().map(|&(_, var, _)| var)
    }

    /// Who begins a session with this element.
    pub fn begins(&self, element: Element<'_>) -> Option<Begin> {
        let found = self.inline.iter().find(|(name, ..)| element.is(*name));
        found.map(|&(.., begin)| begin)
    }

    /// The looks between two stations, both included.
    pub fn looks(&self, from: Station, to: Station) -> &[(Station, u16, Look)] {
        &self.looks[self.begins[from as usize]..self.begins[to as usize + 1]]
    }

    /// What a message changes of those before it in a log.
    pub fn amends(&self, message: &Stanza) -> Option<WorldAnswer> {
        let found = self.amends.iter().find(|(name, _)| message.child(*name).is_some());
        found.map(|&(_, read)| read)
    }

    /// Who reads the store for presence that is shown to a domain.
    pub fn comes(&self, of: Of, presence: &Stanza) -> Option<WorldAnswer> {
        let is_it = |(whose, name, _): &&(Of, Name, WorldAnswer)| {
            *whose == of && presence.child(*name).is_some()
        };
        self.comes.iter().find(is_it).map(|&(.., read)| read)
    }

    /// What of a message the log of a room keeps that `by` has sent.
    pub fn keeps(&self, said: &Stanza, by: &Bare, ctx: &Ctx<'_>) -> Option<Kept> {
        self.keeps.and_then(|keeps| keeps(said, by, ctx))
    }

    /// Who knows conversations that stand in other logs than that of an account.
    pub fn conversations(&self) -> &[Conversations] {
        &self.conversations
    }

    /// Who says whether something is worth that a client is woken.
    pub fn wakes(&self) -> &[Wakes] {
        &self.wakes
    }

    /// Who stands at which station.
    pub fn stations(&self) -> impl Iterator<Item = (Station, u16)> {
        self.looks.iter().map(|&(station, number, _)| (station, number))
    }

    /// Who hears this element.
    pub fn hears(&self, nonza: Element<'_>) -> Option<Hear> {
        self.nonzas.iter().find(|(name, _)| nonza.is(*name)).map(|&(_, hear)| hear)
    }

    /// What of ours must be answered, and by what.
    pub fn asks(&self) -> Option<(Name, Name)> {
        self.asks
    }

    /// The looks before a stanza is written, from this desk on.
    pub fn writes(&self, from: Desk) -> &[(Desk, Write)] {
        let start = self.writes.partition_point(|&(desk, _)| desk < from);
        &self.writes[start..]
    }

    /// The offers of this stage of negotiation.
    pub fn offers(&self, stage: Stage) -> impl Iterator<Item = Offer> {
        self.offers.iter().filter(move |(at, _)| *at == stage).map(|&(_, offer)| offer)
    }

    /// How sessions are claimed that outlived their streams, if they can be.
    pub fn claims(&self) -> Option<&'static dyn Claims> {
        self.claims
    }

    /// Whether who asks this catches up with the archive.
    pub fn catches_up(&self, iq: &Stanza, reply: &Reply, settings: &Settings) -> bool {
        self.catch_ups.iter().any(|is_it| is_it(iq, reply, settings))
    }

    /// What is told of the ends of an archive, if there are archives.
    pub fn ends(&self) -> Option<Ends> {
        self.ends
    }

    /// The domains of all services on a server with these settings, and the XEPs that host them.
    pub fn services(&self, settings: &Settings) -> Vec<(Bare, u16)> {
        let hosts = |&(number, service): &(u16, &'static dyn Service)| {
            service.hosts(settings).into_iter().map(move |host| (host, number))
        };
        self.services.iter().flat_map(hosts).collect()
    }

    /// The service at this domain.
    pub fn service(&self, domain: &str, settings: &Settings) -> Option<&'static dyn Service> {
        let number = settings.service(domain)?;
        let found = self.services.iter().find(|(of, _)| *of == number);
        found.map(|&(_, service)| service)
    }

    /// The service whose rooms those are that somebody sits in, at a domain that is served no more.
    pub fn past_service(&self) -> Option<&'static dyn Service> {
        self.services.first().map(|&(_, service)| service)
    }

    /// Who wants to know what of a managed stream has been dealt with.
    pub fn settled(&self) -> &[Feel] {
        &self.settled
    }

    /// Who wants to know of what is written to a managed stream.
    pub fn sent(&self) -> &[Feel] {
        &self.sent
    }

    /// Who wants to know of a session whose stream has broken.
    pub fn detached(&self) -> &[Feel] {
        &self.detached
    }

    /// Who wants to know of a client that has come back to its session.
    pub fn resumed(&self) -> &[Feel] {
        &self.resumed
    }

    /// Who makes a client tell how far it has got.
    pub fn pace(&self) -> &[Feel] {
        &self.pace
    }

    /// What a stanza of the log carries when it is told again.
    pub fn again(&self) -> &[Stamp] {
        &self.again
    }

    /// What a session gets of what was not for it; the first that gives something counts.
    pub fn aside(
        &self,
        stanza: &Stanza,
        flags: Flags,
        session: &mut Session,
        ctx: &Ctx<'_>,
    ) -> Option<Stanza> {
        self.aside.iter().find_map(|aside| aside(stanza, flags, session, ctx))
    }

    /// Who wants to know of a new resource.
    pub fn bound(&self) -> &[Feel] {
        &self.bound
    }

    /// Who wants to know of a session's end.
    pub fn unbound(&self) -> &[Feel] {
        &self.unbound
    }

    /// Who breaks a session's silence.
    pub fn silent(&self) -> &[Feel] {
        &self.silent
    }

    /// The tables whose cells are read with an account.
    pub fn at_hand(&self) -> &[Table] {
        &self.at_hand
    }

    /// How slots are made.
    pub fn plans(&self) -> &Arc<[Plan]> {
        &self.plans
    }
}
