//! What has been said, what became of it, and the rules that it must keep. Each stanza has a
//! number of its own in its `id`: `m7`, `p8`, `q9`.

use crate::words::{Mood, To, Tone, Verdict, Words};
use engine::{
    parcel::Link,
    roster::State,
    unit::{Change, Unit},
    wire::{Bare, Jid, Kind, Name, Stanza},
};
use std::collections::{BTreeMap, BTreeSet};

const DELAY: Name = Name::new("urn:xmpp:delay", "delay");

/// One stanza.
pub struct Entry {
    /// None: it came from another server.
    pub by: Option<Link>,
    /// Who said it: a full address.
    from: Jid,
    to: To,
    is: Is,
    /// Who was given it, and how often the process had been killed then. A stream may have ended
    /// meanwhile.
    pub reached: BTreeMap<Link, u32>,
    went_abroad: bool,
    /// How often its sender was told that it goes no further, or what was asked for.
    answered: u32,
    /// The client that was given the request has answered it.
    client_answered: Option<Link>,
    /// Something of it was on its way to who had lost its stream.
    is_missed: bool,
    /// Nobody expects anything of it any more.
    is_excused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Is {
    Message {
        tone: Tone,
        body: bool,
    },
    Presence(Mood),
    Request {
        roster: bool,
    },
    /// Without an id.
    Anonymous,
    Answer,
    AnonymousAnswer,
}

/// All of them.
#[derive(Default)]
pub struct Ledger {
    entries: Vec<Entry>,
    /// Answers without an id: those that are owed to a stream, and those it has got.
    anonymous: BTreeMap<Link, (u32, u32)>,
    /// Of each that hears, and each pair: the last that it heard, since it has become available:
    /// what the account got before that it is told then, behind what it got before itself.
    order: BTreeMap<(Link, Jid, To), usize>,
    /// Who may see whose presence: by the store, or by what is about to be written.
    allowed: BTreeSet<(Bare, Bare)>,
    /// What the store has of each roster.
    rosters: BTreeMap<(Bare, Jid), State>,
    directed: BTreeSet<(Jid, Bare)>,
    /// Who is there, as each stream has heard.
    believed: BTreeMap<Link, BTreeSet<Jid>>,
    /// Who has answered whose presence with an error, or went before it heard of it, and need not
    /// hear of its end.
    declined: BTreeSet<(Bare, Jid)>,
    /// Who has said that nobody looks (XEP-0352): what it hears of presence may be old.
    asleep: BTreeSet<Link>,
    /// Whose stream is managed (XEP-0198): what it has not acknowledged may not have reached it.
    managed: BTreeSet<Link>,
    /// Numbers of which something is in the store.
    written: BTreeSet<usize>,
    /// Whether every message with a body is kept before it is delivered.
    keeps: bool,
    /// Who has said that it has got more, or less, than it has.
    liars: BTreeSet<Link>,
    /// Who has become available.
    shown: BTreeSet<Link>,
    /// Whose client has never got what it says it has.
    forgoes: BTreeSet<Bare>,
    /// Who was there when the process was killed.
    shaken: BTreeSet<Link>,
    /// How often it was.
    kills: u32,
    /// The store has refused something: an account that had more in memory was read anew.
    refuses: bool,
}

impl To {
    fn jid(self) -> Option<Jid> {
        self.address().and_then(|to| Jid::parse(to).ok())
    }
}

/// The numbers in the ids and names of what is written.
fn numbers(text: &str) -> impl Iterator<Item = usize> {
    let words = text.split(['\'', '"', '<', '>', ' ']);
    words.filter_map(|word| word.strip_prefix(['m', 'n', 'p', 'q'])?.parse().ok())
}

impl Ledger {
    /// With nothing in it.
    pub fn new(keeps: bool) -> Self {
        Self { keeps, ..Self::default() }
    }

    /// Takes it down; returns its number, and what to send.
    pub fn says(
        &mut self,
        by: Option<Link>,
        from: &Jid,
        words: &Words,
        head: &str,
    ) -> (usize, String) {
        let number = self.entries.len();
        let body = words.has_body();
        let is = match words {
            Words::Message(_, tone, _) => Is::Message { tone: *tone, body },
            Words::Presence(_, mood, _) => Is::Presence(*mood),
            Words::Wrong(_, crate::words::Flaw::NoId) => Is::Anonymous,
            Words::Answer(_, Verdict::NoId) => Is::AnonymousAnswer,
            Words::Answer(..) => Is::Answer,
            Words::Roster(..) => Is::Request { roster: true },
            Words::Request(..) | Words::Unroster(..) | Words::Wrong(..) => {
                Is::Request { roster: false }
            }
        };
        let to = words.to();
        if let (Is::Presence(Mood::Available), Some(jid)) = (is, to.jid()) {
            self.directed.insert((from.clone(), jid.bare()));
        }
        if let (Is::Presence(Mood::Error), Some(jid)) = (is, to.jid()) {
            self.declined.insert((from.bare(), jid));
        }
        if let (Is::Presence(Mood::Subscribed), Some(jid)) = (is, to.jid()) {
            self.approves(from, &jid);
        }
        if let (Is::Anonymous, Some(link)) = (is, by) {
            self.anonymous.entry(link).or_default().0 += 1;
        }
        self.entries.push(Entry {
            by,
            from: from.clone(),
            to,
            is,
            reached: BTreeMap::new(),
            went_abroad: false,
            answered: 0,
            client_answered: None,
            is_missed: false,
            is_excused: false,
        });
        (number, words.xml(number, head))
    }

    /// RFC 6121 §3.1.5: who has asked, and is told yes, sees the presence, also while the account
    /// cannot write that yet: its line waits for half of what stands before it.
    fn approves(&mut self, from: &Jid, to: &Jid) {
        let asks = |entry: &Entry| {
            let of = entry.to.jid().is_some_and(|asked| asked.bare() == from.bare());
            entry.is == Is::Presence(Mood::Subscribe) && of && entry.from.bare() == to.bare()
        };
        if self.entries.iter().any(asks) {
            self.allowed.insert((from.bare(), to.bare()));
        }
    }

    /// The entry that a stanza's id names.
    pub fn number(stanza: &Stanza) -> Option<usize> {
        let id = stanza.head.id.as_ref()?;
        id.strip_prefix(['m', 'p', 'q'])?.parse().ok()
    }

    /// A stream is given a stanza, though it may have ended already.
    pub fn hears(&mut self, link: Link, me: &Jid, stanza: &Stanza) {
        self.believes(link, me, stanza);
        let Some(number) = Self::number(stanza) else { return self.hears_server(link, me, stanza) };
        let Some(entry) = self.entries.get(number) else { panic!("invented: {stanza:?}") };
        let from = stanza.head.from.as_ref();
        let kind = stanza.head.type_str();
        if entry.is == Is::Presence(Mood::Probe) && kind != "error" {
            return self.hears_probe_answered(number, me, stanza);
        }
        let answers = match entry.is {
            Is::Request { .. } => matches!(kind, "result" | "error"),
            Is::Message { tone, .. } => kind == "error" && tone != Tone::Error,
            Is::Presence(mood) => kind == "error" && mood != Mood::Error,
            Is::Anonymous | Is::AnonymousAnswer => panic!("it had no id: {stanza:?}"),
            Is::Answer => false,
        };
        if answers {
            return self.hears_answer(link, me, number, stanza);
        }
        let is = entry.is;
        let sender = from.expect("says from whom it is");
        let managing = matches!(
            is,
            Is::Presence(
                Mood::Subscribe | Mood::Subscribed | Mood::Unsubscribe | Mood::Unsubscribed
            )
        );
        match managing {
            // RFC 6121 §3.1.2
            true => assert_eq!(*sender, *entry.from.bare(), "{stanza:?}"),
            // What was said last, when nobody is there any more (§4.3.2).
            false if is == Is::Presence(Mood::Unavailable) && entry.to == To::None => {
                assert_eq!(sender.bare(), entry.from.bare(), "{stanza:?}");
            }
            false => assert_eq!(
                *sender, entry.from,
                "not who said it ({is:?} to {:?}): {stanza:?}",
                entry.to
            ),
        }
        match (is, entry.to.jid()) {
            (Is::Presence(mood), to) => self.sees(link, me, number, mood, to, stanza),
            (_, Some(to)) if to == *me => {}
            // RFC 6121 §8.5.2.1.1, and §8.5.3.2.1 for a resource that is gone.
            (Is::Message { tone, .. }, Some(to)) if to.is_bare() || tone == Tone::Chat => {
                assert_eq!(to.bare(), me.bare(), "not for them: {stanza:?}");
            }
            (Is::Message { .. }, None) => assert_eq!(sender.bare(), me.bare(), "{stanza:?}"),
            (_, to) => panic!("for {to:?}, but {me} got {stanza:?}"),
        }
        self.delivered(link, number, stanza);
    }

    /// RFC 6121 §4.3.2: what a probe is answered with has its id.
    fn hears_probe_answered(&self, number: usize, me: &Jid, stanza: &Stanza) {
        let (entry, from) = (&self.entries[number], stanza.head.from.as_ref());
        let from = from.expect("says from whom it is");
        assert_eq!(entry.from.bare(), me.bare(), "somebody else has asked: {stanza:?}");
        let seen = match stanza.head.type_str() {
            "" | "unavailable" => self.may_see(from, me),
            kind => kind == "unsubscribed",
        };
        assert!(seen, "{me} sees a stranger's: {stanza:?}");
    }

    fn delivered(&mut self, link: Link, number: usize, stanza: &Stanza) {
        if self.liars.contains(&link) {
            self.entries[number].reached.insert(link, self.kills);
            return;
        }
        let held = stanza.child(DELAY).is_some();
        let entry = &mut self.entries[number];
        let before = entry.reached.insert(link, self.kills);
        let fresh = before.is_none();
        match entry.is {
            Is::Message { body, .. } => {
                // Who was there when the process was killed may be told of the log again.
                let told = before.is_some_and(|kills| kills < self.kills) && held;
                let again = told && self.written.contains(&number);
                assert!(fresh || again, "twice: {stanza:?}");
                assert_eq!(entry.answered, 0, "refused before: {stanza:?}");
                let kept = self.written.contains(&number);
                assert!(!self.keeps || !body || kept, "before its commit: {stanza:?}");
            }
            Is::Request { .. } => {
                assert_eq!(entry.reached.len(), 1, "two are asked: {stanza:?}");
                assert_eq!(entry.answered, 0, "answered before: {stanza:?}");
            }
            Is::Answer => assert!(fresh, "twice: {stanza:?}"),
            // Asked for by probes, and told again when a session becomes available.
            Is::Presence(_) => {
                let entry = &self.entries[number];
                let managing = !matches!(
                    entry.is,
                    Is::Presence(Mood::Available | Mood::Unavailable | Mood::Error)
                );
                if entry.to == To::None || managing {
                    return self.shows(link, number);
                }
                assert!(fresh, "twice: {stanza:?}");
            }
            Is::Anonymous | Is::AnonymousAnswer => {}
        }
        // RFC 6120 §10.1
        let entry = &self.entries[number];
        let last = self.order.insert((link, entry.from.clone(), entry.to), number);
        assert!(last.is_none_or(|last| last < number), "behind {last:?}: {stanza:?}");
    }

    /// It hears of somebody who tells all that see it; maybe of itself.
    fn shows(&mut self, link: Link, number: usize) {
        let entry = &self.entries[number];
        if entry.by != Some(link) || entry.to != To::None {
            return;
        }
        match entry.is {
            Is::Presence(Mood::Available) if self.shown.insert(link) => {
                self.order.retain(|(by, ..), _| *by != link);
            }
            Is::Presence(Mood::Unavailable) => drop(self.shown.remove(&link)),
            _ => {}
        }
    }

    /// The sender is told.
    fn hears_answer(&mut self, link: Link, me: &Jid, number: usize, stanza: &Stanza) {
        let entry = &mut self.entries[number];
        // XEP-0198 §4: what was not acknowledged when its session ended is given back.
        let given = entry.reached.keys().all(|link| self.managed.contains(link));
        assert_eq!(entry.from, *me, "an answer for somebody else: {stanza:?}");
        entry.answered += 1;
        let again = self.liars.contains(&link);
        assert!(entry.answered == 1 || again, "answered twice: {stanza:?}");
        match entry.is {
            Is::Message { .. } => assert!(given, "delivered too: {stanza:?}"),
            Is::Request { roster } => {
                let by_client = entry.client_answered.is_some();
                assert!(given || by_client, "a client was asked: {stanza:?}");
                let done = roster && stanza.head.type_str() == "result" && !by_client;
                let kept = self.written.contains(&number);
                assert!(!done || kept, "before its commit: {stanza:?} {link:?}");
            }
            _ => {}
        }
    }

    /// Who is answered here without an id: this stream, or one that had its resource before.
    fn anonymous_asker(&self, link: Link, me: &Jid) -> Link {
        let is_owed = |by: &Link| self.anonymous.get(by).is_some_and(|(owed, got)| owed > got);
        let asked = self.entries.iter().filter(|entry| entry.is == Is::Anonymous);
        let before = asked.filter(|entry| entry.from == *me).filter_map(|entry| entry.by);
        std::iter::once(link).chain(before).find(is_owed).unwrap_or(link)
    }

    /// Of no number: the server's own.
    fn hears_server(&mut self, link: Link, me: &Jid, stanza: &Stanza) {
        let kind = stanza.head.type_str();
        if (stanza.kind(), kind, &stanza.head.id) == (Kind::Iq, "error", &None) {
            let asker = self.anonymous_asker(link, me);
            let (owed, got) = self.anonymous.entry(asker).or_default();
            *got += 1;
            let shaken = self.shaken.contains(&link) || self.liars.contains(&link);
            assert!(got <= owed || shaken, "answered twice, or an answer: {stanza:?}");
            return;
        }
        let Some(from) = stanza.head.from.as_ref() else { return };
        match (stanza.kind(), kind) {
            // Of a client, to nobody's question.
            (Kind::Iq, "result" | "error") => {
                assert!(stanza.head.id.is_none() && !from.is_bare(), "not asked: {stanza:?}");
            }
            (Kind::Presence, "probe") => panic!("a client sees a probe: {stanza:?}"),
            // Of a client that has told everybody nothing, so that there is no id.
            (Kind::Presence, "") => assert!(
                from.bare() == me.bare() || self.is_mere(me, stanza, |entry| entry.from == *from),
                "a stranger's: {stanza:?}"
            ),
            (Kind::Presence, "unavailable") => assert!(
                self.may_see(from, me) || self.directed.contains(&(from.clone(), me.bare())),
                "a stranger's: {stanza:?}"
            ),
            _ => {}
        }
    }

    fn believes(&mut self, link: Link, me: &Jid, stanza: &Stanza) {
        let Some(from) = stanza.head.from.clone() else { return };
        let believed = self.believed.entry(link).or_default();
        match (stanza.kind(), stanza.head.type_str()) {
            // To who is not available nobody owes the end of what was directed to it.
            (Kind::Presence, "") if from == *me || believed.contains(me) => {
                believed.insert(from);
            }
            // Who is no longer available hears no more of others.
            (Kind::Presence, "unavailable") if from == *me => believed.clear(),
            (Kind::Presence, "unavailable") => {
                believed.remove(&from);
                if self.directed.contains(&(me.clone(), from.bare())) {
                    self.declined.insert((from.bare(), me.clone()));
                }
            }
            _ => {}
        }
    }

    /// This one may begin to count.
    pub fn may_count(&mut self, link: Link) {
        self.managed.insert(link);
    }

    /// This one may say that nobody looks.
    pub fn may_sleep(&mut self, link: Link) {
        self.asleep.insert(link);
    }

    /// Nobody believes in somebody of our accounts who has gone. After a kill some may: what of
    /// presence waited for who was away, no log has, and who was there is not told it again.
    pub fn exorcise(&self, link: Link, me: &Bare, is_there: impl Fn(&Jid) -> bool) {
        if self.kills > 0 || self.asleep.contains(&link) || self.liars.contains(&link) {
            return;
        }
        let believed = self.believed.get(&link).into_iter().flatten();
        let ours = believed.filter(|jid| jid.domain() == "x" && !jid.is_bare());
        for jid in ours.filter(|jid| !self.declined.contains(&(me.clone(), (*jid).clone()))) {
            assert!(is_there(jid), "{me} ({link:?}) sees the ghost of {jid}");
        }
    }

    /// The store refuses something.
    pub fn refuses(&mut self) {
        self.refuses = true;
    }

    /// Whether it has: the session of who was told that it is over may be there still, as the
    /// store had it.
    pub fn has_refused(&self) -> bool {
        self.refuses
    }

    fn may_see(&self, from: &Jid, me: &Jid) -> bool {
        let (from, me) = (from.bare(), me.bare());
        from == me || from.domain() != "x" || self.allowed.contains(&(from, me))
    }

    fn sees(
        &self,
        link: Link,
        me: &Jid,
        number: usize,
        mood: Mood,
        to: Option<Jid>,
        stanza: &Stanza,
    ) {
        let from = &self.entries[number].from;
        let directed = self.directed.contains(&(from.clone(), me.bare()));
        let right = match (mood, to) {
            (Mood::Available, None) => {
                self.may_see(from, me) || self.is_probe_answered(number, me, stanza)
            }
            (Mood::Unavailable, None) => directed || self.may_see(from, me),
            (Mood::Probe | Mood::Unknown, _) | (_, None) => false,
            (_, Some(to)) => to.bare() == me.bare(),
        };
        assert!(right, "{me} ({link:?}) sees what is not for them: {stanza:?}");
    }

    /// RFC 6121 §4.6.6: who was sent directed presence by a client during its session, and asks, is
    /// told that it is there, and nothing else.
    fn is_probe_answered(&self, number: usize, me: &Jid, stanza: &Stanza) -> bool {
        let by = self.entries[number].by;
        self.is_mere(me, stanza, |entry| entry.by == by)
    }

    /// Whether it is the answer to who was sent directed presence by one of these.
    fn is_mere(&self, me: &Jid, stanza: &Stanza, is_by: impl Fn(&Entry) -> bool) -> bool {
        let to_me = |entry: &Entry| entry.to.jid().is_some_and(|to| to.bare() == me.bare());
        let directed = |entry: &Entry| {
            entry.is == Is::Presence(Mood::Available) && is_by(entry) && to_me(entry)
        };
        let is_mere = stanza.children().next().is_none();
        is_mere && stanza.head.to.as_ref() == Some(me) && self.entries.iter().any(directed)
    }

    /// It leaves for another server.
    pub fn goes_abroad(&mut self, stanza: &Stanza) {
        let Some(number) = Self::number(stanza) else { return };
        let entry = &mut self.entries[number];
        let answers = matches!(entry.is, Is::Request { .. } | Is::Message { .. })
            && entry.by.is_none()
            && matches!(stanza.head.type_str(), "result" | "error");
        match answers {
            true => {
                entry.answered += 1;
                assert_eq!(entry.answered, 1, "answered twice: {stanza:?}");
                assert!(!matches!(entry.is, Is::Message { tone: Tone::Error, .. }), "{stanza:?}");
            }
            false => entry.went_abroad = true,
        }
    }

    /// What a client is to answer, it has answered.
    pub fn client_answers(&mut self, link: Link, number: usize) {
        self.entries[number].client_answered = Some(link);
    }

    /// Whether it is a request that clients may be given.
    pub fn request(&self, stanza: &Stanza) -> Option<usize> {
        let asks = matches!(stanza.head.type_str(), "get" | "set");
        Self::number(stanza).filter(|_| asks && stanza.kind() == Kind::Iq)
    }

    /// It goes to the writer: memory is as if it were written.
    pub fn writes(&mut self, unit: &Unit) {
        for change in &unit.changes {
            if let Change::Roster(of, item) = change
                && item.state.from
            {
                self.allowed.insert((of.clone(), item.jid.bare()));
            }
        }
    }

    /// It is in the store.
    pub fn wrote(&mut self, unit: &Unit) {
        self.written.extend(unit.entries.iter().flat_map(|entry| numbers(&entry.stanza)));
        for change in &unit.changes {
            match change {
                Change::Roster(of, item) => {
                    self.written.extend(item.name.iter().flat_map(|name| numbers(name)));
                    self.rosters.insert((of.clone(), item.jid.clone()), item.state);
                }
                Change::Unroster(of, jid, _) => {
                    self.rosters.remove(&(of.clone(), jid.clone()));
                }
                Change::Put(_, _, key, value) | Change::Swap(_, _, key, _, Some(value)) => {
                    self.written.extend(numbers(key));
                    self.written.extend(numbers(&String::from_utf8_lossy(value)));
                }
                Change::Delete(account) => self.rosters.retain(|(of, _), _| of != account),
                _ => {}
            }
        }
    }

    /// Nothing is under way any more: whoever is still there has heard what it must.
    pub fn settled(&mut self, is_there: impl Fn(Link) -> bool) {
        for (number, entry) in self.entries.iter().enumerate() {
            let Some(by) = entry.by.filter(|by| is_there(*by)) else { continue };
            let forgone = || entry.to.jid().is_some_and(|to| self.forgoes.contains(&to.bare()));
            if entry.is_excused || self.liars.contains(&by) || forgone() {
                continue;
            }
            let answered = entry.answered == 1;
            let kept = self.written.contains(&number) || entry.went_abroad;
            let done = match entry.is {
                Is::Request { .. } => match entry.client_answered {
                    Some(client) => answered || !is_there(client),
                    None => answered || !entry.reached.is_empty() || entry.went_abroad,
                },
                Is::Message { tone: Tone::Headline | Tone::Error, .. } => true,
                Is::Message { body, .. } => !body || answered || !entry.reached.is_empty() || kept,
                _ => true,
            };
            assert!(
                done,
                "{} {by:?} heard nothing of {number}: {:?} to {:?}",
                entry.from, entry.is, entry.to
            );
        }
        let exact = |link: &Link| !(self.shaken.contains(link) || self.liars.contains(link));
        let anonymous = self.anonymous.iter().filter(|(link, _)| is_there(**link));
        for (link, (owed, got)) in anonymous.filter(|(link, _)| exact(link)) {
            assert_eq!(owed, got, "{link:?}: requests without an id");
        }
        let seen = self.rosters.iter().filter(|(_, state)| state.from);
        self.allowed = seen.map(|((of, jid), _)| (of.clone(), jid.bare())).collect();
    }

    /// Items of this account that the store has.
    pub fn roster_items(&self, of: &Bare) -> usize {
        self.rosters.keys().filter(|(owner, _)| owner == of).count()
    }

    /// Whether a session is managed, or is to be.
    pub fn is_managed(&self, session: Link) -> bool {
        self.managed.contains(&session)
    }

    /// A session is told something on a stream that its client has lost.
    pub fn misses(&mut self, stanza: &Stanza) {
        if let Some(number) = Self::number(stanza) {
            self.entries[number].is_missed = true;
        }
    }

    /// A client says that it has got more, of what is for this account, or less than it has.
    pub fn lies(&mut self, session: Link, forgoes: Option<Bare>) {
        self.liars.insert(session);
        self.forgoes.extend(forgoes);
    }

    /// Whether the client that was asked has answered.
    pub fn has_answered(&self, number: usize) -> bool {
        self.entries[number].client_answered.is_some()
    }

    /// Whether it is to be in the log, wherever it goes.
    pub fn must_be_kept(&self, number: usize) -> bool {
        let entry = &self.entries[number];
        let tells = |tone| !matches!(tone, Tone::Headline | Tone::Error);
        let kept = matches!(entry.is, Is::Message { tone, body: true } if tells(tone));
        kept && self.keeps && self.written.contains(&number)
    }

    /// Who said it is told that it has been dealt with; `now`, behind what it was told of it.
    pub fn is_handled(&mut self, number: usize, now: bool) {
        let Is::Message { tone, body: true } = self.entries[number].is else { return };
        if !self.keeps || matches!(tone, Tone::Headline | Tone::Error) {
            return;
        }
        let kept = self.written.contains(&number);
        let entry = &mut self.entries[number];
        // What becomes of it is looked at when all is quiet.
        entry.is_excused = false;
        let told = entry.answered > 0 || entry.is_missed || entry.went_abroad;
        assert!(kept || told || !now, "{number} is acknowledged and lost: {:?}", entry.is);
    }

    /// It may not have reached the server. Whether it is said again, if it may be.
    pub fn says_again(&mut self, number: usize, by: Link, may_be: bool) -> bool {
        let entry = &mut self.entries[number];
        let again = may_be && entry.answered == 0;
        if let (Is::Anonymous, Some((owed, _))) = (entry.is, self.anonymous.get_mut(&by)) {
            *owed = owed.saturating_sub(1);
        }
        (entry.by, entry.is_excused) = (Some(by), !again);
        again
    }

    /// What is not in the store is gone, and nobody knows what of it was told.
    pub fn is_killed(&mut self) {
        self.kills += 1;
        self.entries.iter_mut().for_each(|entry| entry.is_excused = true);
        let known = self.managed.iter().chain(self.anonymous.keys()).copied();
        self.shaken.extend(known);
        self.order.clear();
        self.believed.clear();
        let seen = self.rosters.iter().filter(|(_, state)| state.from);
        self.allowed = seen.map(|((of, jid), _)| (of.clone(), jid.bare())).collect();
    }
}
