//! To whom a message in a room is addressed (section 4): by a mention (XEP-0372), as a reply
//! (XEP-0461), or by name. There is one rule, whoever asks: an account, whether it is to its owner,
//! and a room of many members, to whom of them.
//!
//! A name is one where it stands as words of their own, whatever the case: no letter and no digit
//! is at either end of it. So "Bob:", "@bob," and "bob's" are Bob, and "Bobby" is not; and a name
//! may have several words. What is encrypted names nobody whom a server could see.

use engine::wire::*;
use percent_encoding::percent_decode_str;
use std::{
    borrow::Cow,
    collections::{BTreeSet, btree_set::Range},
    ops::Bound,
};

const BODY: Name = Name::new(ns::CLIENT, "body");
const REFERENCE: Name = Name::new("urn:xmpp:reference:0", "reference");
const REPLY: Name = Name::new("urn:xmpp:reply:0", "reply");

/// Names that are looked up among many for one message: about so many words of it count.
const LOOKED_UP_NAMES_MAX: usize = 2_000;
/// Mentions and replies that are looked up among many for one message.
const LOOKED_UP_ADDRESSES_MAX: usize = 100;
/// Of many, those who are looked at for one message.
const LOOKED_AT_PEOPLE_MAX: usize = 1_000;

/// Behind a name, before whose it is: what XML cannot have (XML 1.0 §2.2), and less than anything
/// that it can.
const END: char = '\0';

/// All that a message may be addressed by.
pub struct Mentions {
    room: Option<Bare>,
    addresses: Vec<Jid>,
    /// Its bodies, in small letters.
    texts: Vec<String>,
}

/// Something that a message may be addressed by.
#[derive(Clone, Copy, Debug)]
pub enum Mention<'a> {
    /// To whom a mention points, or a reply is.
    Address(&'a Jid),
    /// A body from where a name may begin, in small letters.
    Text(&'a str),
}

/// Somebody, as who is in a room speaks of him.
pub struct Addressee<'a> {
    who: &'a Bare,
    occupant: Option<Jid>,
    /// In small letters.
    name: String,
}

impl Mentions {
    /// Those of a message.
    pub fn of(message: &Stanza) -> Self {
        let mut mentions = Self {
            room: message.head.from.as_ref().map(Jid::bare),
            addresses: Vec::new(),
            texts: Vec::new(),
        };
        for child in message.children() {
            mentions.addresses.extend(address(child));
            if child.is(BODY) {
                mentions.texts.push(child.text().to_lowercase());
            }
        }
        mentions
    }

    /// Who is called so.
    pub fn addressee<'a>(&self, name: &str, who: &'a Bare) -> Addressee<'a> {
        let occupant = self.room.as_ref().and_then(|room| room.with_resource(name).ok());
        Addressee { who, occupant, name: name.to_lowercase() }
    }

    /// Whether any of them is of somebody.
    pub fn are_of(&self, addressee: &Addressee<'_>) -> bool {
        let addresses = self.addresses.iter().map(Mention::Address);
        addresses.chain(self.words().map(Mention::Text)).any(|mention| mention.is_of(addressee))
    }

    /// All places where a name may begin.
    fn words(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().flat_map(|text| {
            let mut before = None;
            let begin = text.char_indices().filter(move |(_, c)| !is_word(before.replace(*c)));
            begin.map(move |(at, _)| text.split_at(at).1)
        })
    }

    /// What an occupant of the room is called, whose address this is.
    fn nick<'a>(&self, address: &'a Jid) -> Option<&'a str> {
        self.room.as_ref().filter(|room| address.is_of(room)).and_then(|_| address.resource())
    }
}

impl Mention<'_> {
    /// Whether it is of somebody: here, and nowhere else, it is decided.
    pub fn is_of(&self, addressee: &Addressee<'_>) -> bool {
        match self {
            Self::Address(to) => {
                Some(*to) == addressee.occupant.as_ref() || to.as_str() == addressee.who.as_str()
            }
            Self::Text(text) => {
                let rest =
                    text.strip_prefix(&addressee.name).filter(|_| !addressee.name.is_empty());
                rest.is_some_and(|rest| !is_word(rest.chars().next()))
            }
        }
    }
}

/// To whom it points.
fn address(child: Element<'_>) -> Option<Jid> {
    if child.is(REPLY) {
        return Jid::parse(&child.attribute("to")?).ok();
    }
    let uri = child.is(REFERENCE).then(|| child.attribute("uri")).flatten()?;
    let Some(path) = uri.strip_prefix("xmpp:") else { return Jid::parse(&uri).ok() };
    // RFC 5122 §2.2: what is asked of it is behind it.
    let path = path.split(['?', '#']).next().unwrap_or_default();
    Jid::parse(&percent_decode_str(path).decode_utf8().ok()?).ok()
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(char::is_alphanumeric)
}

/// Where a name may end that begins with the text.
fn ends(text: &str) -> impl Iterator<Item = &str> {
    let ends = text.char_indices().map(|(at, c)| text.split_at(at + c.len_utf8()));
    ends.filter(|(_, rest)| !is_word(rest.chars().next())).map(|(name, _)| name)
}

/// What many are called: so whom of them a message mentions is found without asking for each.
#[derive(Debug, Default)]
pub struct Names {
    /// Each name, in small letters, and whose it is.
    lines: BTreeSet<Box<str>>,
    bytes: usize,
}

impl Names {
    /// Somebody is called so.
    pub fn insert(&mut self, name: &str, who: &Bare) {
        let line = line(name, who);
        let bytes = weight(&line);
        if self.lines.insert(line) {
            self.bytes += bytes;
        }
    }

    /// Not any more.
    pub fn remove(&mut self, name: &str, who: &Bare) {
        let line = line(name, who);
        if self.lines.remove(&line) {
            self.bytes -= weight(&line);
        }
    }

    /// About what they take, in bytes.
    pub fn weight(&self) -> usize {
        self.bytes
    }

    /// The addresses of those who may be mentioned, and by what: some several times, and some who
    /// are not. None is left out who is, as far as is looked.
    pub fn proposed<'a>(
        &'a self,
        mentions: &'a Mentions,
    ) -> impl Iterator<Item = (Mention<'a>, &'a str)> {
        let addresses = mentions.addresses.iter().take(LOOKED_UP_ADDRESSES_MAX);
        let addressed = addresses.flat_map(move |to| {
            let nick = mentions.nick(to).map(|nick| Cow::Owned(nick.to_lowercase()));
            let called = nick.into_iter().flat_map(move |nick| self.called(nick));
            called.chain([to.as_str()]).map(move |who| (Mention::Address(to), who))
        });
        let looked_up =
            mentions.words().flat_map(move |text| self.tried(text).map(move |it| (text, it)));
        let named = looked_up.take(LOOKED_UP_NAMES_MAX).flat_map(move |(text, name)| {
            self.called(name.into()).map(move |who| (Mention::Text(text), who))
        });
        addressed.chain(named).take(LOOKED_AT_PEOPLE_MAX)
    }

    /// What of the text may be a name, up to what no name begins with.
    fn tried<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        ends(text).scan(true, move |goes_on, name| {
            if !std::mem::take(goes_on) {
                return None;
            }
            *goes_on = self.behind(name).next().is_some_and(|line| line.starts_with(name));
            Some(name)
        })
    }

    /// The addresses of all who are called so.
    fn called<'a>(&'a self, name: Cow<'a, str>) -> impl Iterator<Item = &'a str> {
        let behind = self.behind(&name);
        behind.map_while(move |line| line.strip_prefix(&*name)?.strip_prefix(END))
    }

    fn behind(&self, name: &str) -> Range<'_, Box<str>> {
        self.lines.range::<str, _>((Bound::Included(name), Bound::Unbounded))
    }
}

fn line(name: &str, who: &Bare) -> Box<str> {
    format!("{}{END}{who}", name.to_lowercase()).into()
}

fn weight(line: &str) -> usize {
    line.len() + size_of::<Box<str>>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOM: &str = "garden@rooms.x";

    fn bare(jid: &str) -> Bare {
        Bare::parse(jid).unwrap()
    }

    fn message(inner: &str) -> Stanza {
        Stanza::parse_one(&format!("<message from='{ROOM}/romeo'>{inner}</message>")).unwrap()
    }

    fn says(body: &str) -> Stanza {
        message(&format!("<body>{}</body>", body.replace('<', "&lt;")))
    }

    fn is_mentioned(message: &Stanza, name: &str, who: &str) -> bool {
        super::super::mentions(message, name, &bare(who))
    }

    /// Who of them is found.
    fn found(people: &[(&str, &str)], message: &Stanza) -> BTreeSet<String> {
        let mut names = Names::default();
        people.iter().for_each(|(name, who)| names.insert(name, &bare(who)));
        let mentions = Mentions::of(message);
        let is_found = |(mention, who): (Mention<'_>, &str)| {
            let (name, _) = people.iter().find(|(_, other)| *other == who)?;
            mention.is_of(&mentions.addressee(name, &bare(who))).then(|| who.to_owned())
        };
        names.proposed(&mentions).filter_map(is_found).collect()
    }

    #[test]
    fn a_message_is_addressed_by_name_mention_or_reply_section_4() {
        let is_to = |inner: &str| is_mentioned(&message(inner), "Juliet", "juliet@x");
        for inner in [
            "<body>juliet: hark</body>",
            "<body>O JULIET!</body>",
            "<body>@juliet's</body>",
            "<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:juliet@x'/>",
            "<reference xmlns='urn:xmpp:reference:0' uri='xmpp:garden@rooms.x/Juliet'/>",
            "<reference xmlns='urn:xmpp:reference:0' uri='xmpp:juliet@x?message;body=hark'/>",
            "<body>yes</body><reply xmlns='urn:xmpp:reply:0' id='1' to='garden@rooms.x/Juliet'/>",
        ] {
            assert!(is_to(inner), "{inner}");
        }
        let uri = "xmpp:garden@rooms.x/Juliet%20C%C3%A4pulet%3F";
        let mention = message(&format!("<reference xmlns='urn:xmpp:reference:0' uri='{uri}'/>"));
        assert!(is_mentioned(&mention, "Juliet Cäpulet?", "juliet@x"));
        for inner in [
            "<body>Juliets</body>",
            "<body>hark</body>",
            "<subject>Juliet</subject>",
            "<reply xmlns='urn:xmpp:reply:0' id='1' to='garden@rooms.x/Romeo'/>",
            "<reply xmlns='urn:xmpp:reply:0' id='1' to='garden@rooms.x/juliet'/>",
        ] {
            assert!(!is_to(inner), "{inner}");
        }
        assert!(!is_mentioned(&says("hark"), "", "x"));
        assert!(is_mentioned(&says("ẞ Zoë."), "zoë", "z@x"));
        assert!(is_mentioned(&says("ano no no"), "no no", "n@x"));
    }

    #[test]
    fn of_many_those_are_found_to_whom_it_is_addressed() {
        let people = [
            ("Ann", "ann@x"),
            ("Ann Lee", "lee@x"),
            ("ann lee", "lee@y"),
            ("Ann Lee Jr.", "jr@x"),
            ("bob", "bob@x"),
            ("", "rooms.y"),
        ];
        let found = |message: &Stanza| {
            let all: Vec<_> = found(&people, message).into_iter().collect();
            all.join(" ")
        };
        assert_eq!(found(&says("hark, annabel lee")), "");
        assert_eq!(found(&says("ANN, lee")), "ann@x");
        assert_eq!(found(&says("BOB's ann lee: hark!")), "ann@x bob@x lee@x lee@y");
        assert_eq!(found(&says("(ann lee jr.)")), "ann@x jr@x lee@x lee@y");
        let reply = |to: &str| message(&format!("<reply xmlns='urn:xmpp:reply:0' to='{to}'/>"));
        assert_eq!(found(&reply("garden@rooms.x/Ann Lee")), "lee@x");
        assert_eq!(found(&reply("yard@rooms.x/Ann Lee")), "");
        assert_eq!(found(&reply("bob@x")), "bob@x");
        assert_eq!(found(&reply("bob@x/phone")), "");
        assert_eq!(found(&reply("rooms.y")), "rooms.y");
        let encrypted = "<encrypted xmlns='eu.siacs.conversations.axolotl'>bob</encrypted>";
        assert_eq!(found(&message(encrypted)), "");
    }

    #[test]
    fn not_all_words_of_a_long_text_are_looked_up() {
        let people = [("bob", "bob@x"), ("ann", "ann@x")];
        let text = |words: usize| format!("ann {}bob", "hark ".repeat(words));
        assert_eq!(found(&people, &says(&text(LOOKED_UP_NAMES_MAX - 8))).len(), 2);
        assert_eq!(found(&people, &says(&text(LOOKED_UP_NAMES_MAX))).len(), 1);
        // Nor is it dear when many names begin like it.
        let long = "a ".repeat(400) + "b";
        let (mut names, mentions) = (Names::default(), Mentions::of(&says(&"a ".repeat(20_000))));
        names.insert(&long, &bare("long@x"));
        let tried = mentions.words().flat_map(|text| names.tried(text));
        assert_eq!(tried.take(100_000).count(), 100_000);
        assert_eq!(names.proposed(&mentions).count(), 0);
        for number in 0..2 * LOOKED_AT_PEOPLE_MAX {
            names.insert("a", &bare(&format!("{number}@x")));
        }
        assert_eq!(names.proposed(&mentions).count(), LOOKED_AT_PEOPLE_MAX);
    }

    #[test]
    fn what_is_not_there_any_more_weighs_nothing() {
        let mut names = Names::default();
        for _ in 0..2 {
            names.insert("Ann", &bare("ann@x"));
        }
        names.remove("Bob", &bare("ann@x"));
        assert_eq!(names.weight(), "ann?ann@x".len() + size_of::<Box<str>>());
        names.remove("ANN", &bare("ann@x"));
        assert_eq!((names.weight(), names.lines.len()), (0, 0));
    }

    /// The rule of section 4 as the document has it, looked for everywhere.
    fn stands(text: &str, name: &str) -> bool {
        let (text, name) = (text.to_lowercase(), name.to_lowercase());
        let is_at = |at: usize| {
            let (before, rest) = text.split_at(at);
            let is_alone = !before.chars().next_back().is_some_and(char::is_alphanumeric);
            rest.strip_prefix(&name).is_some_and(|after| {
                is_alone && !after.chars().next().is_some_and(char::is_alphanumeric)
            })
        };
        !name.is_empty() && (0..=text.len()).any(|at| text.is_char_boundary(at) && is_at(at))
    }

    fn words() -> impl Strategy<Value = String> {
        const WORDS: [&str; 14] =
            ["a", "A", "ab", "b", "B", " ", " ", "", ":", "'", ".", "ΑΣ", "ß", "🌹"];
        let word = prop::sample::select(WORDS.to_vec());
        prop::collection::vec(word, 0..7).prop_map(|words| words.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
        #[test]
        fn of_many_exactly_those_are_found_of_whom_their_accounts_say_so(
            names in prop::collection::vec(words(), 0..20),
            text in prop::collection::vec(words(), 0..5),
            to in prop::option::of(0..30_usize),
        ) {
            let text = text.join(" ");
            let people = names.iter().enumerate();
            let people: Vec<_> =
                people.map(|(at, name)| (name.as_str(), format!("{at}@x"))).collect();
            let people: Vec<_> = people.iter().map(|(name, who)| (*name, who.as_str())).collect();
            let address = to.map(|to| match people.get(to % 20) {
                Some((name, _)) if to > 9 => format!("{ROOM}/{name}").replace('\'', "&apos;"),
                _ => format!("{to}@x"),
            });
            let reply = address.map(|to| format!("<reply xmlns='urn:xmpp:reply:0' to='{to}'/>"));
            let message = message(&format!("<body>{text}</body>{}", reply.unwrap_or_default()));
            let mentioned = people.iter().filter(|(name, who)| is_mentioned(&message, name, who));
            let mentioned: BTreeSet<_> = mentioned.map(|(_, who)| (*who).to_owned()).collect();
            prop_assert_eq!(found(&people, &message), mentioned);
            for (name, _) in &people {
                let is_named = is_mentioned(&says(&text), name, "nobody@y");
                prop_assert_eq!(is_named, stands(&text, name), "{} in {}", name, text);
            }
        }
    }
}
