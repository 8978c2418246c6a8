//! The shell's part: parcels, reads, commits; and what must hold when all is quiet.

use super::*;

/// Sessions that are over and whose count an account remembers.
const EXPIRED_MAX: usize = 16;

/// Of the writer.
pub(super) fn limits() -> WriterLimits {
    WriterLimits { batch_units_max: 2, ..WriterLimits::default() }
}

impl World {
    /// What waits in the inbox is handled, unless it is held.
    pub fn flow(&mut self) {
        if self.holds {
            return;
        }
        loop {
            if let Some(input) = self.inbox.pop_front() {
                self.shard_hears(input);
            } else if self.habits.loads && (self.load(None) || self.look(false))
                || self.habits.commits && self.commit(None)
            {
                continue;
            } else {
                return;
            }
        }
    }

    /// An account goes when it is gone from the store. Another like it comes then, which has all
    /// but its sessions.
    fn loses_sessions(&mut self, jid: &Bare) {
        while self.commit(None) {}
        let loaded = ready(self.store.load(jid)).unwrap().unwrap_or_default();
        let lost = loaded.sessions.iter().map(|row| Change::Unsession(jid.clone(), row.id));
        let unit = Unit::of(lost.collect());
        if !unit.is_empty() {
            self.writer.push((jid.clone(), Ticket(u64::MAX), None), unit, self.now).unwrap();
        }
        while self.commit(None) {}
    }

    fn shard_hears(&mut self, input: Input) {
        if let Input::Parcel(Parcel::Order(jid, Order::Deleted { .. })) = &input {
            self.loses_sessions(jid);
        }
        let mut out = Vec::new();
        let Self { now, random, settings, habits, shard, .. } = self;
        let unix_ms = 1_767_225_600_000 + now.0;
        let ctx = Ctx { now: *now, unix_ms, random, settings, hooks: &habits.hooks };
        shard.handle(&ctx, input, &mut out);
        for output in out {
            match output {
                Output::Parcel(Parcel::ToSocket(link, say)) => self.says_to(link, say),
                Output::Parcel(parcel) => self.carry(parcel),
                Output::Load(jid) => self.loads.push_back(jid),
                Output::Commit(jid, ticket, unit, recipient) => {
                    assert!(!unit.is_empty(), "nothing is to be written");
                    self.ledger.writes(&unit);
                    let full = self.writer.push((jid, ticket, recipient), unit, self.now);
                    assert!(full.is_ok(), "so many units wait");
                }
                Output::World { account, number, iq, answer } => {
                    self.asked.push(Asked { account, number, iq, answer });
                }
                Output::Expire(_) => panic!("nobody is unknown here"),
                Output::Departed(account) => self.inbox.push_back(Input::Departed(account)),
                Output::Look(jid, session, look) => self.looks.push_back((jid, session, look)),
                Output::Counted(..) | Output::Fate(_) => {}
            }
        }
    }

    fn carry(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::Routed { to, stanza, .. } if !self.settings.serves(to.domain()) => {
                self.ledger.goes_abroad(&stanza);
            }
            parcel => self.inbox.push_back(Input::Parcel(parcel)),
        }
    }

    fn says_to(&mut self, link: Link, say: Say) {
        let stream = self.streams.iter().position(|stream| stream.link == link);
        let at = stream.expect("a stream of ours");
        match &say {
            Say::Bound(jid, _) => self.is_bound(at, jid),
            Say::Resumed(jid, granted) => self.is_resumed(at, jid, granted),
            Say::Settled(stanzas) => {
                let stream = &mut self.streams[at];
                stream.settled += stanzas;
                assert!(stream.settled <= stream.said, "settled twice");
            }
            Say::Stanza(stanza) => {
                let stream = &mut self.streams[at];
                let jid = stream.jid.clone().expect("is bound");
                let (session, reaches) = (stream.session, stream.is_heard());
                if let Some(number) = self.ledger.request(stanza).filter(|_| reaches) {
                    stream.asked.push((number, stanza.clone()));
                }
                match reaches || !self.ledger.is_managed(session) {
                    true => self.ledger.hears(session, &jid, stanza),
                    false => self.ledger.misses(stanza),
                }
            }
            Say::Unbound(_) | Say::Unresumed(_) | Say::Nonza(_) | Say::End(_) => {}
        }
        self.tell(link, machine::Input::Say(say));
    }

    /// Reads the account that has waited longest for it.
    pub fn load(&mut self, fault: Option<Fault>) -> bool {
        let Some(jid) = self.loads.pop_front() else { return false };
        let loaded = fault.map_or_else(|| ready(self.store.load(&jid)), Err);
        self.inbox.push_back(Input::Loaded(jid, loaded));
        true
    }

    /// Reads the log for the session that has waited longest for it.
    pub fn look(&mut self, fails: bool) -> bool {
        let Some((jid, session, look)) = self.looks.pop_front() else { return false };
        let page = match fails {
            true => Err(Fault::Away("fuzz".into())),
            false => ready(self.store.page(&jid, look.after, look.max)),
        };
        self.inbox.push_back(Input::Seen(jid, session, look, page));
        true
    }

    /// Reads an account, or else a log.
    pub fn read_on(&mut self, fault: Option<Fault>) {
        let fails = fault.is_some();
        if !self.load(fault) {
            self.look(fails);
        }
    }

    /// Commits a batch; or it fails, or nobody knows.
    pub fn commit(&mut self, fault: Option<Fault>) -> bool {
        if self.writer.asks_last() {
            let last = ready(self.store.last());
            let outcomes = self.writer.recovered(last, self.now);
            self.tell_outcomes(outcomes);
        }
        let unix_ms = 1_767_225_600_000 + self.now.0;
        let Some(batch) = self.writer.next_batch(unix_ms) else { return false };
        let answer = match fault {
            // Whether it happened before the store went away is a matter of chance.
            Some(Fault::Away(why)) => {
                if batch.number % 2 == 0 {
                    drop(self.store_takes(&batch));
                }
                Err(Fault::Away(why))
            }
            // Of what it has committed already, a store tells that.
            Some(fault) if batch.number != self.taken => {
                self.ledger.refuses();
                Err(fault)
            }
            _ => self.store_takes(&batch),
        };
        let outcomes = self.writer.outcome(answer);
        self.tell_outcomes(outcomes);
        true
    }

    fn store_takes(
        &mut self,
        batch: &engine::port::Batch,
    ) -> Result<Vec<engine::port::Verdict>, Fault> {
        self.taken = batch.number;
        let answer = ready(self.store.commit(batch));
        for ((unit, _), verdict) in batch.units.iter().zip(answer.iter().flatten()) {
            if verdict.is_ok() {
                self.ledger.wrote(unit);
            }
        }
        answer
    }

    fn tell_outcomes(&mut self, outcomes: Vec<Outcome<(Bare, Ticket, Option<Bare>)>>) {
        for ((jid, ticket, recipient), done) in outcomes {
            let told = engine::shard::outcome(jid, ticket, recipient, done);
            self.inbox.extend(told.map(|(_, input)| input));
        }
    }

    pub(super) fn read(&self, iq: &Stanza, account: &Bare, answer: WorldAnswer) -> Replied {
        let (store, registrar) = (&self.store.share(), &self.registrar);
        let Ctx { unix_ms, settings, hooks, .. } = self.ctx();
        let world = Readable { store, registrar, account, peer: None, unix_ms, settings, hooks };
        ready(answer(iq, &world))
    }

    /// Answers one of the questions to the store.
    pub fn answer(&mut self, which: usize, fails: bool) -> bool {
        let Some(which) = which.checked_rem(self.asked.len()) else { return false };
        let Asked { account, number, iq, answer } = self.asked.remove(which);
        let replied = match fails {
            true => Err(StanzaCondition::InternalServerError.into()),
            false => self.read(&iq, &account, answer),
        };
        self.inbox.extend(self.registrar.caused());
        self.inbox.push_back(Input::Answered(account, number, replied));
        true
    }

    /// All that is under way comes to its end, and what is to be noted is.
    pub fn settle(&mut self) {
        self.holds = false;
        while self.hears_of_loss(0) {}
        self.revives();
        // Longer than anybody could come back, also those that end because they are silent.
        loop {
            let open = self.streams.iter().filter(|stream| !stream.closed).count();
            self.rest();
            self.passes(700_000);
            self.rest();
            self.passes(1_000);
            self.rest();
            if self.streams.iter().filter(|stream| !stream.closed).count() == open {
                break;
            }
        }
        self.all_are_over();
        self.judge();
    }

    /// All that is under way comes to its end, but no time passes.
    pub fn rest(&mut self) {
        loop {
            self.flow();
            let moved =
                self.load(None) || self.look(false) || self.commit(None) || self.answer(0, false);
            if !moved && self.inbox.is_empty() {
                break;
            }
        }
    }

    fn judge(&mut self) {
        let streams = &self.streams;
        let sound = |stream: &&Stream| stream.is_heard() && !stream.garbled && stream.jid.is_some();
        self.ledger.settled(|link| streams.iter().filter(sound).any(|one| one.session == link));
        for stream in streams.iter().filter(|stream| !stream.closed) {
            let owed = stream.said - stream.settled;
            assert_eq!(owed, 0, "credit of {:?} ({:?})", stream.link, stream.jid);
        }
        let open = || streams.iter().filter(|stream| !stream.closed);
        let there = |jid: &Jid| open().any(|stream| stream.jid.as_ref() == Some(jid));
        for stream in open().filter(|stream| !stream.lost) {
            let Some(jid) = &stream.jid else { continue };
            self.ledger.exorcise(stream.session, &jid.bare(), there);
            let same = |other: &&Stream| other.jid.as_ref() == Some(jid);
            assert_eq!(open().filter(same).count(), 1, "streams of {jid}");
        }
        self.check_limits();
    }

    fn check_limits(&self) {
        for (name, _) in SEATS {
            let jid = Bare::parse(&format!("{name}@x")).unwrap();
            let bound = |stream: &&Stream| stream.jid.as_ref().is_some_and(|it| it.bare() == jid);
            let open = self.streams.iter().filter(|stream| !stream.closed).filter(bound);
            let sessions_max = self.settings.limits.sessions_max;
            assert!(open.count() <= sessions_max, "sessions of {jid}");
            let loaded = ready(self.store.load(&jid)).unwrap().unwrap_or_default();
            assert!(loaded.sessions.len() <= sessions_max + EXPIRED_MAX, "rows of {jid}");
            // Those that ask are not its own.
            assert!(self.ledger.roster_items(&jid) <= self.settings.limits.roster_items_max + 4);
        }
        assert_eq!(self.writer.queue_units(), 0);
    }

    /// No log has anything twice.
    fn check_logs(&self) {
        for (name, _) in SEATS {
            let jid = Bare::parse(&format!("{name}@x")).unwrap();
            let log = ready(self.store.page(&jid, Pos(0), usize::MAX)).unwrap();
            let mut known = BTreeSet::new();
            for logged in log {
                let stanza = Stanza::parse_one(&logged.entry.stanza).unwrap();
                let Some(number) = Ledger::number(&stanza) else { continue };
                assert!(known.insert(number), "{jid} keeps {number} twice");
            }
        }
    }

    /// When all have left, nothing of them remains.
    pub fn end(mut self) {
        self.settle();
        for at in 0..self.streams.len() {
            let link = self.streams[at].link;
            self.tell(link, machine::Input::Gone);
        }
        self.settle();
        self.check_logs();
        // They are removed: an account that nothing holds leaves at once, and what it says to its
        // contacts then brings nobody back.
        for (name, _) in SEATS {
            let jid = Bare::parse(&format!("{name}@x")).unwrap();
            let unit = Unit::of(vec![Change::Delete(jid.clone())]);
            self.writer.push((jid, Ticket(u64::MAX), None), unit, self.now).unwrap();
        }
        while self.commit(None) {}
        self.inbox.clear();
        for seat in 0..SEATS.len() {
            self.order(seat, Order::Deleted { last: None, farewells: Vec::new() });
        }
        self.settle();
        assert_eq!(self.shard.accounts(), 0, "something waits for what will never come");
        assert!(self.streams.iter().all(|stream| stream.closed));
    }
}

/// An executor: what awaits nothing but a store in memory is ready when it is asked.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}
