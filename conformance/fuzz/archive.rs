//! An archive of many messages, and whatever can be asked of it (XEP-0313): what the server
//! answers is what a list answers that is gone through from its beginning to its end.

use crate::registry::Registry;
use engine::{
    archive::Names,
    ctx::Moment,
    hook::{Answer, IqKind, Of, Replied, Reply, World},
    hooks::Hooks,
    port::Store,
    setting::Value,
    settings::Settings,
    unit::{Change, Credentials, Entry, Flags, Pos, Unit},
    wire::{Bare, Jid, Payload, Stanza, StanzaCondition, Text},
    writer::{Writer, WriterLimits},
};
use std::{fmt::Write, sync::Arc};
use store::Options;
use tokio::runtime::{Builder, Runtime};

const OWNER: &str = "juliet@localhost";
/// More than are counted.
const ENTRIES: usize = 1_500;
/// 1 January 2026.
const BEGIN_UNIX_MS: u64 = 1_767_225_600_000;
/// With whom; of nobody are there as many as are counted.
const PEERS: [&str; 8] = [
    "romeo@localhost/orchard",
    "romeo@localhost/phone",
    "romeo@localhost",
    "nurse@localhost/chamber",
    "juliet@localhost/balcony",
    "juliet@localhost",
    "localhost",
    "tybalt@localhost/street",
];
/// As the documents and ours have it.
const COUNT_MAX: usize = 1_000;
const PAGE_ENTRIES: u64 = 50;
const PAGE_ENTRIES_MAX: u64 = 250;
const IDS_MAX: usize = 50;

/// Bytes, by which it is chosen; behind their end the first is, always.
pub struct Choices<'a>(pub &'a [u8]);

impl Choices<'_> {
    fn below(&mut self, number: usize) -> usize {
        let (word, rest) = self.0.split_at(self.0.len().min(2));
        self.0 = rest;
        let word = word.iter().fold(0, |word, byte| word << 8 | usize::from(*byte));
        word % number.max(1)
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// One message.
struct Row {
    pos: Pos,
    id: String,
    stanza: Stanza,
    peer: Bare,
    is_shown: bool,
    is_there: bool,
}

/// Juliet's, in a store.
pub struct Archive {
    runtime: Runtime,
    store: Arc<dyn Store>,
    registry: Registry,
    settings: Settings,
    hooks: Hooks,
    owner: Bare,
    rows: Vec<Row>,
}

impl Archive {
    /// Filled by these choices, in the store at this URL, which is empty.
    pub fn filled(url: &str, choices: &mut Choices<'_>) -> Self {
        let (mut archive, mut writer) = Self::empty(url);
        let mut unix_ms = BEGIN_UNIX_MS;
        for number in 0..ENTRIES {
            unix_ms += choices.of(&[0, 0, 1, 999, 60_000]);
            archive.add(&mut writer, number, unix_ms, choices);
        }
        let gone: Vec<_> = (0..ENTRIES).filter(|_| choices.below(30) == 1).collect();
        let places = gone.iter().map(|&number| archive.rows[number].pos).collect();
        archive.commit(&mut writer, Change::Expunge(archive.owner.clone(), places).into(), unix_ms);
        gone.iter().for_each(|&number| archive.rows[number].is_there = false);
        archive
    }

    /// Of so many messages, that can be searched for what they say.
    pub fn worded(entries: usize, said: impl Fn(usize) -> &'static str) -> Self {
        let (mut archive, mut writer) = Self::empty("memory:");
        archive.settings.chosen.insert((431, "enabled"), Value::Choice("yes".into()));
        let entries = (0..entries).map(|number| {
            let text = format!("<message><body>{}</body></message>", said(number));
            let peer = Bare::parse(PEERS[2]).unwrap();
            archive.entry(peer, Flags::ARCHIVE.and(Flags::RECEIVED), text.as_str().into())
        });
        let unit = Unit { entries: entries.collect(), ..Unit::default() };
        archive.commit(&mut writer, unit, BEGIN_UNIX_MS);
        archive
    }

    /// Pages of what says this, until the last, as a client goes through them, forth or back: the
    /// ids of the messages on each.
    pub fn pages(&self, text: &str, is_back: bool) -> Vec<Vec<String>> {
        let (mut query, mut pages) = (Query { text: Some(text.into()), ..<_>::default() }, vec![]);
        query.before = is_back.then(String::new);
        loop {
            let told = self.answer(&query.iq()).unwrap();
            pages.push(told.results.into_iter().map(|(id, _)| id).collect());
            match told.ends.filter(|_| !told.is_complete) {
                Some((first, _)) if is_back => query.before = Some(first),
                Some((_, last)) => query.after = Some(last),
                None => return pages,
            }
        }
    }

    fn empty(url: &str) -> (Self, Writer<()>) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let owner = Bare::parse(OWNER).unwrap();
        let (hooks, settings) =
            (Hooks::of(xeps::ALL), Settings::of(vec![Bare::host("localhost").unwrap()], [7; 32]));
        let at_hand = hooks.at_hand().to_vec();
        // What is asked here does not depend on what a power cut leaves.
        let options = Options { at_hand, relaxed: true, ..Options::default() };
        let store = runtime.block_on(store::open(url, &options)).unwrap();
        let (registry, rows) = (Registry::default(), Vec::new());
        let archive = Self { runtime, store, registry, settings, hooks, owner, rows };
        let mut writer = Writer::resume((0, Pos(0)), WriterLimits::default());
        let create = Change::Create(archive.owner.clone(), Credentials::default());
        archive.commit(&mut writer, create.into(), BEGIN_UNIX_MS);
        (archive, writer)
    }

    fn entry(&self, peer: Bare, flags: Flags, stanza: Text) -> Entry {
        let log = self.owner.clone();
        Entry { log, flags, peer, key: None, settles: None, foreign_id: None, stanza }
    }

    fn add(
        &mut self,
        writer: &mut Writer<()>,
        number: usize,
        unix_ms: u64,
        choices: &mut Choices<'_>,
    ) {
        let peer = PEERS[choices.below(PEERS.len() * 2) % PEERS.len()];
        let is_sent = choices.below(2) == 1;
        let own = format!("{OWNER}/{}", choices.of(&["balcony", "tv"]));
        let (from, to) = if is_sent { (own.as_str(), peer) } else { (peer, own.as_str()) };
        let text =
            format!("<message from='{from}' to='{to}' id='{number}'><body>x</body></message>");
        let (stanza, peer) = (Stanza::parse_one(&text).unwrap(), Jid::parse(peer).unwrap().bare());
        let is_shown = choices.below(10) != 1;
        let shown = if is_shown { Flags::ARCHIVE } else { Flags::TRANSIT };
        let flags = shown.and(if is_sent { Flags::SENT } else { Flags::RECEIVED });
        let entry = self.entry(peer.clone(), flags, stanza.to_text());
        let pos = self.commit(writer, Unit { entries: vec![entry], ..Unit::default() }, unix_ms);
        let pos = pos.unwrap();
        let id = self.settings.names.name(&self.owner, pos);
        self.rows.push(Row { pos, id, stanza, peer, is_shown, is_there: true });
    }

    /// Where the entry of the unit stands.
    fn commit(&self, writer: &mut Writer<()>, unit: Unit, unix_ms: u64) -> Option<Pos> {
        writer.push((), unit, Moment(0)).map_err(|((), fault)| fault).unwrap();
        let batch = writer.next_batch(unix_ms).unwrap();
        let answer = self.runtime.block_on(self.store.commit(&batch));
        let outcome = writer.outcome(answer).remove(0).1.unwrap();
        outcome.places.first().map(|(_, pos)| *pos)
    }

    /// Asks whatever is chosen; how many messages came.
    ///
    /// # Panics
    /// When the answer is not that of the list.
    pub fn ask(&self, choices: &mut Choices<'_>) -> usize {
        let query = Query::chosen(self, choices);
        let iq = query.iq();
        let told = self.answer(&iq);
        let wanted = self.wanted(&query);
        assert_eq!(told, wanted, "{}", iq.to_text());
        told.map_or(0, |told| told.results.len())
    }

    fn answer(&self, iq: &Stanza) -> Result<Told, StanzaCondition> {
        let payload = iq.children().next().unwrap();
        let Some((_, Answer::World(answer))) = self.hooks.answer(Of::Account, IqKind::Set, payload)
        else {
            panic!("nobody answers");
        };
        let world = World {
            store: &*self.store,
            registrar: &self.registry,
            account: &self.owner,
            peer: None,
            unix_ms: BEGIN_UNIX_MS,
            settings: &self.settings,
            hooks: &self.hooks,
        };
        let replied: Replied = self.runtime.block_on(answer(iq, &world));
        match replied {
            Ok(Reply::After(results, Some(fin))) => Ok(Told::read(&results, &fin)),
            Err(error) => Err(error.condition),
            Ok(other) => panic!("{other:?}"),
        }
    }

    /// What a list answers.
    fn wanted(&self, query: &Query) -> Result<Told, StanzaCondition> {
        let max = match query.max {
            Some("-1" | "4294967296" | "") => return Err(StanzaCondition::BadRequest),
            Some(max) => max.parse::<u64>().unwrap().min(PAGE_ENTRIES_MAX),
            None => PAGE_ENTRIES,
        };
        if query.ids.len() > IDS_MAX {
            return Err(StanzaCondition::PolicyViolation);
        }
        let [after, before] =
            [&query.after_id, &query.before_id].map(|id| self.place(id.as_deref()));
        let page_after = query.after.as_deref().filter(|id| !id.is_empty());
        let page_before = query.before.as_deref().filter(|id| !id.is_empty());
        let [page_after, page_before] = [page_after, page_before].map(|id| self.place(id));
        let (after, before, page_after, page_before) = (after?, before?, page_after?, page_before?);
        for id in &query.ids {
            self.place(Some(id))?;
        }
        let set = self.rows.iter().filter(|row| row.is_shown && row.is_there && query.has(row));
        let set: Vec<_> = set.filter(|row| lies_between(row.pos, after, before)).collect();
        let lies = |row: &&&Row| lies_between(row.pos, page_after, page_before);
        let part: Vec<_> = set.iter().filter(lies).copied().collect();
        let fits = part.len().min(usize::try_from(max).unwrap());
        let page = match query.before {
            Some(_) => &part[part.len() - fits..],
            None => &part[..fits],
        };
        let is_counted =
            !query.is_of_resource() && (set.len() <= COUNT_MAX || !query.ids.is_empty());
        let first = page.first().map(|row| set.iter().position(|other| other.pos == row.pos));
        let ends = page.first().map(|first| (first.id.clone(), page[page.len() - 1].id.clone()));
        let mut results: Vec<_> =
            page.iter().map(|row| (row.id.clone(), row.stanza.to_payload())).collect();
        if query.is_flipped {
            results.reverse();
        }
        Ok(Told {
            results,
            is_complete: fits == part.len(),
            ends,
            // Who pages backwards is not told it.
            index: first
                .flatten()
                .filter(|_| is_counted && query.before.is_none())
                .map(|index| index.to_string()),
            count: is_counted.then(|| set.len().to_string()),
        })
    }

    /// Only what the archive shows has a place for those who ask.
    fn place(&self, id: Option<&str>) -> Result<Option<Pos>, StanzaCondition> {
        let Some(id) = id else { return Ok(None) };
        let row = self.rows.iter().find(|row| row.id == id && row.is_shown && row.is_there);
        row.map(|row| Some(row.pos)).ok_or(StanzaCondition::ItemNotFound)
    }
}

fn lies_between(pos: Pos, after: Option<Pos>, before: Option<Pos>) -> bool {
    after.is_none_or(|after| pos > after) && before.is_none_or(|before| pos < before)
}

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    results: Vec<(String, Payload)>,
    is_complete: bool,
    ends: Option<(String, String)>,
    index: Option<String>,
    count: Option<String>,
}

impl Told {
    fn read(results: &[Stanza], fin: &Payload) -> Self {
        let result = |message: &Stanza| {
            let result = message.children().next().unwrap();
            let forwarded = result.children().next().unwrap();
            let stanza = forwarded.children().last().unwrap().to_payload();
            (result.attribute("id").unwrap().into_owned(), stanza)
        };
        let set = fin.element().children().next().unwrap();
        let part = |name| set.children().find(|child| child.local() == name);
        let text = |name| part(name).map(|child| child.text().into_owned());
        let index = part("first").and_then(|first| first.attribute("index"));
        Self {
            results: results.iter().map(result).collect(),
            is_complete: fin.element().attribute("complete").as_deref() == Some("true"),
            ends: text("first").zip(text("last")),
            index: index.map(|index| index.into_owned()),
            count: text("count"),
        }
    }
}

/// What is asked for.
#[derive(Debug, Default)]
struct Query {
    with: Option<&'static str>,
    /// A date, and the first millisecond that it includes.
    start: Option<(String, i64)>,
    /// A date, and the last one.
    end: Option<(String, i64)>,
    after_id: Option<String>,
    before_id: Option<String>,
    ids: Vec<String>,
    max: Option<&'static str>,
    after: Option<String>,
    before: Option<String>,
    is_flipped: bool,
    text: Option<String>,
}

impl Query {
    fn chosen(archive: &Archive, choices: &mut Choices<'_>) -> Self {
        let with = [
            None,
            None,
            Some("romeo@localhost"),
            Some("Romeo@LOCALHOST/orchard"),
            Some("nurse@localhost"),
            Some("juliet@localhost"),
            Some("juliet@localhost/balcony"),
            Some("localhost"),
            Some("nobody@localhost/x"),
        ];
        let sizes = ["0", "1", "2", "10", "50", "249", "250", "251", "1000000000", "-1", ""];
        let sizes = sizes.map(Some).into_iter().chain([None, Some("4294967296")]);
        let sizes: Vec<_> = sizes.collect();
        let count = choices.of(&[0, 0, 0, 0, 1, 3, 50, 51]);
        Self {
            with: choices.of(&with),
            start: date(archive, choices, false),
            end: date(archive, choices, true),
            after_id: id(archive, choices, 6),
            before_id: id(archive, choices, 6),
            ids: (0..count).filter_map(|_| id(archive, choices, 1)).collect(),
            max: choices.of(&sizes),
            after: id(archive, choices, 3),
            before: match choices.below(3) {
                0 => Some(String::new()),
                _ => id(archive, choices, 2),
            },
            is_flipped: choices.below(3) == 1,
            text: None,
        }
    }

    fn iq(&self) -> Stanza {
        let mut form = field("FORM_TYPE", ["urn:xmpp:mam:2"]);
        let fields = [
            ("with", self.with),
            ("start", self.start.as_ref().map(|(date, _)| date.as_str())),
            ("end", self.end.as_ref().map(|(date, _)| date.as_str())),
            ("after-id", self.after_id.as_deref()),
            ("before-id", self.before_id.as_deref()),
            ("{urn:xmpp:fulltext:0}fulltext", self.text.as_deref()),
        ];
        for (var, value) in fields {
            form += &value.map_or_else(String::new, |value| field(var, [value]));
        }
        if !self.ids.is_empty() {
            form += &field("ids", self.ids.iter().map(String::as_str));
        }
        let mut set = String::new();
        let after = self.after.as_deref();
        for (name, value) in
            [("max", self.max), ("after", after), ("before", self.before.as_deref())]
        {
            if let Some(value) = value {
                write!(set, "<{name}>{value}</{name}>").unwrap();
            }
        }
        let flip = if self.is_flipped { "<flip-page/>" } else { "" };
        let iq = format!(
            "<iq type='set' id='1' from='{OWNER}/balcony'><query xmlns='urn:xmpp:mam:2'>\
             <x xmlns='jabber:x:data' type='submit'>{form}</x>\
             <set xmlns='http://jabber.org/protocol/rsm'>{set}</set>{flip}</query></iq>"
        );
        Stanza::parse_one(&iq).unwrap()
    }

    fn is_of_resource(&self) -> bool {
        self.with.is_some_and(|with| with.contains('/'))
    }

    /// But for the ids that bound it.
    fn has(&self, row: &Row) -> bool {
        let ms = row.pos.0 >> 20;
        let with = self.with.map(|with| Jid::parse(with).unwrap());
        let is_with = with.is_none_or(|with| {
            let parties = [&row.stanza.head.from, &row.stanza.head.to];
            let named = parties.into_iter().flatten().any(|party| *party == with);
            row.peer == with.bare() && (with.is_bare() || named)
        });
        is_with
            && self.start.as_ref().is_none_or(|(_, first)| ms >= *first)
            && self.end.as_ref().is_none_or(|(_, last)| ms <= *last)
            && (self.ids.is_empty() || self.ids.contains(&row.id))
    }
}

fn field<'a>(var: &str, values: impl IntoIterator<Item = &'a str>) -> String {
    let values = values.into_iter().map(|value| format!("<value>{value}</value>"));
    format!("<field var='{var}'>{}</field>", values.collect::<String>())
}

/// An id of the archive, more often than not; none, as often as one of `rarely`.
fn id(archive: &Archive, choices: &mut Choices<'_>, rarely: usize) -> Option<String> {
    if choices.below(rarely) != 0 {
        return None;
    }
    let mut later = archive.rows[choices.below(ENTRIES)..].iter();
    let first = later.next()?;
    let is_found = |row: &&Row| row.is_shown && row.is_there;
    let row = match choices.below(20) {
        1 => first,
        _ => later.find(is_found).unwrap_or(first),
    };
    let names = &archive.settings.names;
    let foreign = |log: &str, names: &Names| names.name(&Bare::parse(log).unwrap(), row.pos);
    Some(match choices.below(200) {
        1 => foreign("romeo@localhost", names),
        2 => foreign(OWNER, &Names::of(&[8; 32])),
        3 => names.name(&archive.owner, Pos(row.pos.0 + 1)),
        4 => row.id.to_uppercase(),
        5 => "' OR 1=1; -- %_\u{2019}".to_owned(),
        6 => row.pos.0.to_string(),
        _ => row.id.clone(),
    })
}

/// A date, and the last millisecond that lies before its end, or the first behind its beginning.
fn date(archive: &Archive, choices: &mut Choices<'_>, is_end: bool) -> Option<(String, i64)> {
    let ms = archive.rows[choices.below(ENTRIES)].pos.0 >> 20;
    let ms_text = |ms: i64| xeps::xep_0082_dates::date_time_ms(u64::try_from(ms).unwrap());
    match choices.below(12) {
        1 | 2 => Some((ms_text(ms), ms)),
        3 => Some((ms_text(ms + 1), ms + 1)),
        4 => Some((ms_text(ms - 1), ms - 1)),
        5 => Some((ms_text(ms).replace('Z', "5Z"), ms + i64::from(!is_end))),
        6 => Some(("0001-01-01T00:00:00Z".to_owned(), i64::MIN)),
        7 => Some(("9999-12-31T23:59:59Z".to_owned(), i64::MAX)),
        _ => None,
    }
}
