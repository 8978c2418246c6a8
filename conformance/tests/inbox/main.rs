//! An inbox (XEP-0430) over a store: it is what a look through the whole log would tell, in
//! however many pieces it is gathered, and whatever is lost of it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../../fuzz/registry.rs"]
#[expect(dead_code, reason = "nothing is asked for that it would cause")]
mod registry;
mod rooms;

use engine::{
    ctx::Moment,
    hook::{Answer, IqKind, Of, Replied, Reply, World},
    hooks::Hooks,
    inbox::CONVERSATIONS_MAX,
    port::{Reads, Store},
    settings::Settings,
    unit::{Change, Credentials, Entry, Flags, Pos, Unit},
    wire::{Bare, Element, Name, Stanza, StanzaCondition},
    writer::{Writer, WriterLimits},
};
use registry::Registry;
use std::{
    collections::BTreeMap,
    pin::pin,
    task::{Context, Poll, Waker},
};
use store::Memory;

const OWNER: &str = "juliet@localhost";
const PEERS: [&str; 3] = ["romeo@example.net", "nurse@localhost", "日本@example.com"];
const INBOX: &str = "urn:xmpp:inbox:1";
const ENTRY: Name = Name::new(INBOX, "entry");
const FIN: Name = Name::new(INBOX, "fin");
const DISPLAYED: Name = Name::new("urn:xmpp:mds:displayed:0", "displayed");
const STANZA_ID: Name = Name::new("urn:xmpp:sid:0", "stanza-id");
const RESULT: Name = Name::new("urn:xmpp:mam:2", "result");
const RSM: &str = "http://jabber.org/protocol/rsm";
const RECEIVED: Flags = Flags::RECEIVED.and(Flags::ARCHIVE);
const SENT: Flags = Flags::SENT.and(Flags::ARCHIVE);

/// An account's log, and who asks for its inbox.
struct Account {
    store: Memory,
    registry: Registry,
    settings: Settings,
    hooks: Hooks,
    owner: Bare,
    writer: Writer<()>,
    said: usize,
}

/// The futures of the store in memory are ready at once.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it waits"),
    }
}

impl Account {
    fn new() -> Self {
        let domain = Bare::host("localhost").unwrap();
        let hooks = Hooks::of(xeps::ALL);
        let mut settings = Settings::of(vec![domain], [0; 32]);
        settings.services = hooks.services(&settings);
        let mut account = Self {
            store: Memory::new(&[]),
            registry: Registry::default(),
            settings,
            hooks,
            owner: Bare::parse(OWNER).unwrap(),
            writer: Writer::resume((0, Pos(0)), WriterLimits::default()),
            said: 0,
        };
        account.commit(Change::Create(account.owner.clone(), Credentials::default()).into());
        account
    }

    fn commit(&mut self, unit: Unit) -> Option<Pos> {
        self.writer.push((), unit, Moment(0)).map_err(|((), fault)| fault).unwrap();
        let batch = self.writer.next_batch(1_767_225_600_000).unwrap();
        let answer = ready(self.store.commit(&batch));
        let outcome = self.writer.outcome(answer).remove(0).1.unwrap();
        outcome.places.first().map(|(_, pos)| *pos)
    }

    /// One more entry; where it stands.
    fn says(&mut self, flags: Flags, peer: &str, content: &str) -> Pos {
        self.said += 1;
        let (peer, id) = (Bare::parse(peer).unwrap(), self.said);
        let stanza = Stanza::parse_one(&format!("<message id='{id}'>{content}</message>"));
        let entry = Entry {
            log: self.owner.clone(),
            flags,
            peer,
            key: None,
            settles: None,
            foreign_id: None,
            stanza: stanza.unwrap().to_text(),
        };
        self.commit(Unit { entries: vec![entry], ..Unit::default() }).unwrap()
    }

    fn receives(&mut self, peer: &str) -> Pos {
        self.says(RECEIVED, peer, "<body>hark</body>")
    }

    /// The owner has seen the one of this id.
    fn has_seen(&mut self, peer: &str, id: impl std::fmt::Display) {
        self.says(SENT, peer, &format!("<displayed xmlns='urn:xmpp:chat-markers:0' id='{id}'/>"));
    }

    /// The peer takes the one of this id back.
    fn hears_back(&mut self, peer: &str, id: impl std::fmt::Display) {
        let retract = format!("<retract xmlns='urn:xmpp:message-retract:1' id='{id}'/>");
        self.says(RECEIVED, peer, &format!("{retract}<body>for old clients</body>"));
    }

    fn name(&self, pos: Pos) -> String {
        self.settings.names.name(&self.owner, pos)
    }

    fn replied(&self, attributes: &str, set: &str) -> (Vec<Change>, Replied) {
        let to = format!("type='get' id='q' from='{OWNER}/balcony' to='{OWNER}'");
        let set = format!("<set xmlns='{RSM}'>{set}</set>");
        let inbox = format!("<inbox xmlns='{INBOX}' {attributes}>{set}</inbox>");
        let iq = Stanza::parse_one(&format!("<iq {to}>{inbox}</iq>")).unwrap();
        let asked = self.hooks.answer(Of::Account, IqKind::Get, iq.children().next().unwrap());
        let Some((_, Answer::World(answer))) = asked else { panic!("nobody answers") };
        let world = World {
            store: &self.store,
            registrar: &self.registry,
            account: &self.owner,
            peer: None,
            unix_ms: 0,
            settings: &self.settings,
            hooks: &self.hooks,
        };
        match ready(answer(&iq, &world)) {
            Ok(Reply::Noting(changes, replied)) => (changes, *replied),
            other => (vec![], other),
        }
    }

    /// What is told, and what is to be kept.
    fn asked(&self, attributes: &str, set: &str) -> (Vec<Change>, Result<Told, StanzaCondition>) {
        let (changes, replied) = self.replied(attributes, set);
        let told = match replied {
            Ok(Reply::After(entries, Some(fin))) => Ok(Told::read(&entries, fin.as_str())),
            Err(error) => Err(error.condition),
            Ok(other) => panic!("{other:?}"),
        };
        (changes, told)
    }

    /// The same; what has been gathered is kept.
    fn inbox(&mut self, attributes: &str, set: &str) -> Result<Told, StanzaCondition> {
        let (changes, told) = self.asked(attributes, set);
        if !changes.is_empty() {
            self.commit(Unit::of(changes));
        }
        told
    }

    /// Whom she talks with, and how much of it she has not seen.
    fn unread(&mut self) -> Vec<(String, u32)> {
        let told = self.inbox("", "").unwrap();
        told.entries.into_iter().map(|one| (one.jid, one.unread)).collect()
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Told {
    entries: Vec<One>,
    /// `total`, `unread`, `all-unread`.
    totals: [String; 3],
    /// The place of the first, and how many there are.
    set: (Option<String>, String),
}

#[derive(Debug, PartialEq, Eq)]
struct One {
    jid: String,
    unread: u32,
    id: String,
    displayed: Option<String>,
    /// The id of the last message, and what it is called in the archive.
    last: Option<(String, String)>,
}

impl Told {
    fn read(entries: &[Stanza], fin: &str) -> Self {
        let fin = Stanza::parse_one(&format!("<iq>{fin}</iq>")).unwrap();
        let fin = fin.child(FIN).unwrap();
        let attribute = |name| fin.attribute(name).unwrap().into_owned();
        let set = fin.child(Name::new(RSM, "set")).unwrap();
        let first = set.child(Name::new(RSM, "first"));
        let index = first.map(|first| first.attribute("index").unwrap().into_owned());
        let count = set.child(Name::new(RSM, "count")).unwrap().text().into_owned();
        Self {
            entries: entries.iter().map(One::read).collect(),
            totals: ["total", "unread", "all-unread"].map(attribute),
            set: (index, count),
        }
    }
}

impl One {
    fn read(message: &Stanza) -> Self {
        let entry = message.child(ENTRY).unwrap();
        let attribute = |of: Element<'_>, name| of.attribute(name).unwrap().into_owned();
        let displayed = entry.child(DISPLAYED).and_then(|displayed| displayed.child(STANZA_ID));
        let last = message.child(RESULT).map(|result| {
            assert_eq!(attribute(result, "queryid"), "q");
            let said = result.children().next().unwrap();
            let said = said.children().find(|child| child.local() == "message").unwrap();
            (attribute(said, "id"), attribute(result, "id"))
        });
        Self {
            jid: attribute(entry, "jid"),
            unread: attribute(entry, "unread").parse().unwrap(),
            id: attribute(entry, "id"),
            displayed: displayed.map(|id| attribute(id, "id")),
            last,
        }
    }
}

#[test]
fn the_newest_conversation_comes_first_with_its_last_message() {
    let mut juliet = Account::new();
    let [romeo, nurse, _] = PEERS;
    juliet.receives(nurse);
    juliet.receives(romeo);
    let last = juliet.receives(romeo);
    let receipt = juliet.says(SENT, romeo, "<received xmlns='urn:xmpp:receipts' id='3'/>");
    let said = juliet.says(SENT, nurse, "<body>ay</body>");
    let told = juliet.inbox("", "").unwrap();
    let [first, second] = &told.entries[..] else { panic!("{told:?}") };
    assert_eq!((&*first.jid, first.unread), (nurse, 0));
    // Who answers has seen what was said before.
    assert_eq!(first.displayed, Some(juliet.name(said)));
    assert_eq!((&*second.jid, second.unread, &second.displayed), (romeo, 2, &None));
    assert_eq!(second.last, Some(("3".into(), juliet.name(last))));
    // From there the archive tells what is new, also what is only about a message.
    assert_eq!(second.id, juliet.name(receipt));
    assert_eq!(told.totals, ["2", "1", "2"]);
    let unread = juliet.inbox("unread-only='true'", "").unwrap();
    assert_eq!((unread.entries.len(), unread.totals), (1, told.totals));
    let bare = juliet.inbox("messages='0'", "").unwrap();
    assert!(bare.entries.iter().all(|one| one.last.is_none()));
    for bad in ["unread-only='maybe'", "messages=''"] {
        assert_eq!(juliet.inbox(bad, ""), Err(StanzaCondition::BadRequest));
    }
}

#[test]
fn what_was_seen_is_told_by_markers_of_ones_own() {
    let mut juliet = Account::new();
    let [romeo, nurse, _] = PEERS;
    let places: Vec<_> = (0..4).map(|_| juliet.receives(romeo)).collect();
    juliet.receives(nurse);
    // That he has seen something says nothing of her.
    let marker = "<displayed xmlns='urn:xmpp:chat-markers:0' id='4'/>";
    juliet.says(RECEIVED, romeo, marker);
    let unread = |romeos, nurses| [(romeo.to_owned(), romeos), (nurse.to_owned(), nurses)];
    assert_eq!(juliet.unread(), unread(4, 1));
    juliet.has_seen(romeo, 2);
    assert_eq!(juliet.unread(), unread(2, 1));
    let told = juliet.inbox("", "").unwrap();
    assert_eq!(told.entries[0].displayed, Some(juliet.name(places[1])));
    // A device that comes late says what is known.
    juliet.has_seen(romeo, 1);
    assert_eq!(juliet.unread(), unread(2, 1));
    // By the id that the archive gave it.
    let name = juliet.name(places[2]);
    juliet.has_seen(romeo, name);
    assert_eq!(juliet.unread(), unread(1, 1));
    // What the archive does not have came after all that it has.
    juliet.has_seen(romeo, "unknown");
    assert_eq!(juliet.unread(), unread(0, 1));
}

#[test]
fn what_its_author_takes_back_need_not_be_read_xep_0424() {
    let [romeo, nurse, _] = PEERS;
    for asks in [true, false] {
        let mut juliet = Account::new();
        let places: Vec<_> = (0..4).map(|_| juliet.receives(romeo)).collect();
        let nurses = juliet.receives(nurse);
        let check = |juliet: &mut Account, left: u32| {
            if asks {
                let unread = juliet.unread().into_iter().find(|(peer, _)| peer == romeo);
                assert_eq!(unread, Some((romeo.to_owned(), left)));
            }
        };
        check(&mut juliet, 4);
        juliet.hears_back(romeo, 2);
        check(&mut juliet, 3);
        // Of the one that was retracted a tombstone is left, as soon as that can be written.
        let left = "<message id='2'><retracted xmlns='urn:xmpp:message-retract:1'/></message>";
        let redact = Change::Redact(juliet.owner.clone(), places[1], left.into());
        juliet.commit(redact.into());
        juliet.hears_back(romeo, 2);
        check(&mut juliet, 3);
        // Nobody takes back what another has said.
        juliet.hears_back(romeo, 5);
        juliet.hears_back(romeo, "unknown");
        check(&mut juliet, 3);
        juliet.has_seen(romeo, 1);
        check(&mut juliet, 2);
        // She has seen it already.
        juliet.hears_back(romeo, 1);
        check(&mut juliet, 2);
        juliet.hears_back(romeo, 4);
        let unread = [(romeo.to_owned(), 1), (nurse.to_owned(), 1)];
        assert_eq!(juliet.unread(), unread, "{asks}");
        juliet.hears_back(romeo, 3);
        juliet.commit(Change::Expunge(juliet.owner.clone(), vec![nurses]).into());
        assert_eq!(juliet.unread()[0], (romeo.to_owned(), 0));
    }
}

#[test]
fn of_many_that_are_unread_one_that_is_taken_back_soon_is_one_less() {
    let mut juliet = Account::new();
    let [romeo, ..] = PEERS;
    juliet.receives(romeo);
    juliet.unread();
    (0..300).for_each(|_| _ = juliet.receives(romeo));
    juliet.hears_back(romeo, 290);
    juliet.hears_back(romeo, 290);
    assert_eq!(juliet.unread(), [(romeo.to_owned(), 300)]);
    // The archive says it, however late.
    juliet.has_seen(romeo, 280);
    assert_eq!(juliet.unread(), [(romeo.to_owned(), 20)]);
}

#[test]
fn what_is_not_among_many_newer_ones_is_not_new() {
    let mut juliet = Account::new();
    let [romeo, ..] = PEERS;
    (0..300).for_each(|_| _ = juliet.receives(romeo));
    assert_eq!(juliet.unread(), [(romeo.to_owned(), 300)]);
    juliet.has_seen(romeo, "unknown");
    assert_eq!(juliet.unread(), [(romeo.to_owned(), 300)]);
    juliet.has_seen(romeo, 290);
    assert_eq!(juliet.unread(), [(romeo.to_owned(), 10)]);
}

#[test]
fn an_inbox_is_told_page_by_page() {
    let mut juliet = Account::new();
    let peers: Vec<_> = (0..120).map(|number| format!("p{number}@x")).collect();
    peers.iter().for_each(|peer| _ = juliet.receives(peer));
    let newest: Vec<_> = peers.iter().rev().cloned().collect();
    let jids = |told: &Told| told.entries.iter().map(|one| one.jid.clone()).collect::<Vec<_>>();
    let first = juliet.inbox("", "").unwrap();
    assert_eq!(jids(&first), newest[..50]);
    assert_eq!(first.set, (Some("0".into()), "120".into()));
    let after = &first.entries[49].id;
    // Who has moved to the front meanwhile does not shift the others.
    juliet.receives("p5@x");
    let second = juliet.inbox("", &format!("<max>10</max><after>{after}</after>")).unwrap();
    assert_eq!(jids(&second), newest[50..60]);
    assert_eq!(second.set, (Some("51".into()), "120".into()));
    let before = &second.entries[0].id;
    let back = juliet.inbox("", &format!("<max>3</max><before>{before}</before>")).unwrap();
    assert_eq!(jids(&back), newest[47..50]);
    let last = juliet.inbox("", "<max>2</max><before/>").unwrap();
    assert_eq!(jids(&last), newest[118..]);
    let none = juliet.inbox("", "<max>0</max>").unwrap();
    assert_eq!((none.entries.len(), none.set), (0, (None, "120".into())));
    let most = juliet.inbox("messages='false'", "<max>4294967295</max>").unwrap();
    assert_eq!(most.entries.len(), 120);
    for bad in ["x", "a'b", "aaaaaaaaaaaaaaaaaaaaaaaaaa"].map(|id| id.replace('\'', "")) {
        let asked = juliet.inbox("", &format!("<after>{bad}</after>"));
        assert_eq!(asked, Err(StanzaCondition::ItemNotFound));
    }
}

#[test]
fn a_page_of_big_messages_ends_early() {
    let mut juliet = Account::new();
    let body = format!("<body>{}</body>", "x".repeat(200_000));
    for peer in PEERS {
        juliet.says(RECEIVED, peer, &body);
    }
    let told = juliet.inbox("", "").unwrap();
    assert_eq!((told.entries.len(), told.set.1), (2, "3".into()));
    assert_eq!(juliet.inbox("messages='false'", "").unwrap().entries.len(), 3);
}

#[test]
fn what_the_archive_has_no_more_is_left_out() {
    let mut juliet = Account::new();
    let [romeo, ..] = PEERS;
    let gone = juliet.receives(romeo);
    assert_eq!(juliet.unread(), [(romeo.to_owned(), 1)]);
    juliet.commit(Change::Expunge(juliet.owner.clone(), vec![gone]).into());
    let told = juliet.inbox("", "").unwrap();
    assert_eq!((told.entries[0].unread, &told.entries[0].last), (1, &None));
}

#[test]
fn conversations_that_rest_longest_are_forgotten() {
    let mut juliet = Account::new();
    let peers: Vec<_> = (0..CONVERSATIONS_MAX + 2).map(|number| format!("p{number}@x")).collect();
    peers.iter().for_each(|peer| _ = juliet.receives(peer));
    juliet.unread();
    juliet.receives("p0@x");
    juliet.unread();
    let kept = ready(juliet.store.inbox(&juliet.owner)).unwrap().conversations;
    assert_eq!(kept.len(), CONVERSATIONS_MAX);
    assert!(kept.iter().all(|one| one.peer.as_str() != "p1@x"));
}

#[test]
fn at_44_who_makes_it_look_back_too_often_is_told_to_come_again() {
    let mut juliet = Account::new();
    let [romeo, nurse, _] = PEERS;
    (0..250).for_each(|_| _ = juliet.receives(romeo));
    juliet.receives(nurse);
    (0..250).for_each(|_| juliet.has_seen(romeo, "unknown"));
    for _ in 0..2 {
        assert_eq!(juliet.inbox("", ""), Err(StanzaCondition::ResourceConstraint));
    }
    let unread = [(romeo.to_owned(), 250), (nurse.to_owned(), 1)];
    assert_eq!(juliet.unread(), unread);
}

/// What a look through the whole log tells.
#[derive(Default)]
struct Model {
    received: Vec<Pos>,
    displayed: Pos,
}

#[test]
fn in_however_many_pieces_it_is_gathered_it_comes_out_the_same() {
    let mut word = 7_u64;
    let mut below = move |count: usize| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        (word >> 32) as usize % count
    };
    let mut juliet = Account::new();
    let mut model: BTreeMap<&str, Model> = BTreeMap::new();
    let mut ids: BTreeMap<Pos, usize> = BTreeMap::new();
    let mut lost = 0;
    for _ in 0..2_000 {
        let peer = PEERS[below(PEERS.len())];
        let one = model.entry(peer).or_default();
        match below(8) {
            0..4 => {
                let pos = juliet.receives(peer);
                one.received.push(pos);
                ids.insert(pos, juliet.said);
            }
            4 => _ = juliet.says(Flags::RECEIVED.and(Flags::TRANSIT), peer, "<body>t</body>"),
            5 if below(3) == 0 => one.displayed = juliet.says(SENT, peer, "<body>ay</body>"),
            6 | 7 if !one.received.is_empty() => {
                let back = below(one.received.len().min(30));
                let seen = one.received[one.received.len() - 1 - back];
                one.displayed = one.displayed.max(seen);
                match below(2) {
                    0 => juliet.has_seen(peer, ids[&seen]),
                    _ => juliet.has_seen(peer, juliet.name(seen)),
                }
            }
            _ => _ = juliet.says(SENT, peer, "<received xmlns='urn:xmpp:receipts' id='1'/>"),
        }
        match below(20) {
            // What was gathered is lost, as by a crash.
            0 => lost += usize::from(!juliet.asked("", "").0.is_empty()),
            1 => {
                let told = juliet.inbox("", "").unwrap();
                for (peer, one) in &model {
                    let Some(told) = told.entries.iter().find(|told| told.jid == *peer) else {
                        assert!(one.received.is_empty() && one.displayed == Pos(0));
                        continue;
                    };
                    let unread = one.received.iter().filter(|pos| **pos > one.displayed).count();
                    assert_eq!(told.unread as usize, unread, "{peer}");
                }
            }
            _ => {}
        }
    }
    assert!(lost > 20);
}
