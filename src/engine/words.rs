//! The words of messages, as archives are searched for them.
//!
//! Letters and digits make words; whatever else stands between them parts them. Case, the marks
//! above and below letters, and how a letter is composed make no difference. Where a script is
//! written without spaces, each of its characters is a word, and those that stand together in what
//! is searched for must do so in what was said.

use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashSet};
use unicode_normalization::{UnicodeNormalization, char::canonical_combining_class};
use wire::{Name, Stanza, ns};

const BODY: Name = Name::new(ns::CLIENT, "body");

/// What is searched for: all of it must be in the bodies of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Each with the words that stand together.
    runs: Vec<Vec<String>>,
}

impl Words {
    /// The words of a text.
    pub fn of(text: &str) -> Self {
        Self { runs: runs(text) }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether all are in the bodies of this stanza, in whichever order. No words are in none.
    pub fn are_in(&self, stanza: &Stanza) -> bool {
        if self.runs.is_empty() {
            return false;
        }
        let said = said(stanza);
        let known: HashSet<&str> = said.iter().map(String::as_str).collect();
        let has = |run: &Vec<String>| {
            run.iter().all(|word| known.contains(word.as_str()))
                && (run.len() == 1 || said.windows(run.len()).any(|words| words == run))
        };
        self.runs.iter().all(has)
    }

    /// The keys of all of them: who lacks one has not all words.
    pub fn keys(&self) -> BTreeSet<u32> {
        self.runs.iter().flatten().map(|word| key(word)).collect()
    }
}

/// The keys of the words in the bodies of this stanza.
pub fn keys(stanza: &Stanza) -> BTreeSet<u32> {
    said(stanza).iter().map(|word| key(word)).collect()
}

/// A number for a word, always the same: what an index knows of it. Others may have it, too.
pub fn key(word: &str) -> u32 {
    let hash = Sha256::digest(word);
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

fn said(stanza: &Stanza) -> Vec<String> {
    let bodies = stanza.children().filter(|child| child.is(BODY));
    bodies.flat_map(|body| runs(&body.text())).flatten().collect()
}

/// What a character does to the word before it.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// Goes on with it, or begins one.
    Letter,
    /// Is a word.
    Word,
    /// Changes it: the voiced sound marks of kana (ば is not は).
    Voicing,
    /// Nothing: a mark.
    Mark,
    /// Ends it.
    Gap,
}

impl Part {
    fn of(c: char) -> Self {
        /// The class of the voiced sound marks.
        const VOICING: u8 = 8;
        match canonical_combining_class(c) {
            VOICING => Self::Voicing,
            1.. => Self::Mark,
            0 if !c.is_alphanumeric() => Self::Gap,
            0 if is_of_spaceless_script(c) => Self::Word,
            0 => Self::Letter,
        }
    }
}

/// Thai and Lao, Myanmar, Khmer, kana, Han.
fn is_of_spaceless_script(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{2e80}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The words of a text, those together that stand so.
fn runs(text: &str) -> Vec<Vec<String>> {
    let mut runs: Vec<Vec<String>> = Vec::new();
    let mut last = Part::Gap;
    for c in text.nfkd() {
        let part = Part::of(c);
        match (part, last) {
            (Part::Mark, _) | (Part::Voicing, Part::Gap) => continue,
            (Part::Gap, _) => {}
            (Part::Letter, Part::Letter) | (Part::Voicing, _) => {
                let word = runs.last_mut().and_then(|run| run.last_mut());
                word.into_iter().for_each(|word| word.push(c));
            }
            (_, Part::Gap) => runs.push(vec![c.into()]),
            (_, _) => runs.last_mut().into_iter().for_each(|run| run.push(c.into())),
        }
        // Behind a mark of its own a character is still a word.
        last = if part == Part::Voicing { Part::Word } else { part };
    }
    runs.iter_mut().flatten().for_each(|word| *word = folded(word));
    runs
}

/// Upper case first: `ß` is `SS` there, and both sigmas are one.
fn folded(word: &str) -> String {
    word.to_uppercase().to_lowercase().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> Stanza {
        let body = body.replace('&', "&amp;").replace('<', "&lt;");
        Stanza::parse_one(&format!("<message><body>{body}</body></message>")).unwrap()
    }

    fn found(text: &str, body: &str) -> bool {
        let (words, message) = (Words::of(text), message(body));
        let found = words.are_in(&message);
        assert!(!found || keys(&message).is_superset(&words.keys()), "{text:?} {body:?}");
        found
    }

    fn words(text: &str) -> Vec<String> {
        Words::of(text).runs.into_iter().flatten().collect()
    }

    #[test]
    fn letters_and_digits_make_words_and_all_else_parts_them() {
        assert_eq!(
            words("What's in a name? 42nd:x_y"),
            ["what", "s", "in", "a", "name", "42nd", "x", "y"]
        );
        assert_eq!(words(" \t\n.,;!?-–—…«»\"'()[]{}*&|^~:/\\@#%+=<>$€🌹👍🏽❤️"), [""; 0]);
        assert_eq!(words("rose\u{200d}\u{ad}red 🌹rose🌹"), ["rose", "red", "rose"]);
    }

    #[test]
    fn case_marks_and_composition_make_no_difference() {
        for (one, other) in [
            ("ÉCLAIR", "eclair"),
            ("e\u{301}clair", "éclair"),
            ("Straße", "STRASSE"),
            ("ΟΔΌΣ", "οδος"),
            ("İstanbul", "istanbul"),
            ("ﬁne ½", "fine 1⁄2"),
            ("Ａｂｃ１", "abc1"),
            ("ё", "е"),
            ("مُحَمَّد", "محمد"),
            ("한국어", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}\u{110b}\u{1165}"),
        ] {
            assert_eq!(words(one), words(other));
            assert!(found(one, other) && found(other, one), "{one} {other}");
        }
        assert!(!found("ば", "は") && !found("は", "ば") && found("ﾊﾞ", "バ"));
        assert_eq!(words("हिन्दी"), ["हिनदी"]);
    }

    #[test]
    fn a_script_without_spaces_is_found_by_what_stands_together() {
        assert_eq!(
            words("我住在東京。iPhone手机"),
            ["我", "住", "在", "東", "京", "iphone", "手", "机"]
        );
        assert!(found("東京", "我住在東京。") && found("住在", "我住在東京。"));
        assert!(!found("京東", "我住在東京。") && found("京 東", "我住在東京。"));
        assert!(found("ばら", "あかいばらのはな") && !found("はら", "あかいばらのはな"));
        assert!(found("กุหลาบ", "ดอกกุหลาบ"));
    }

    #[test]
    fn all_words_must_be_said_in_whichever_order() {
        let body = "A rose by any other name";
        assert!(found("name rose", body) && found("rose, rose!", body));
        assert!(!found("rose red", body) && !found("ros", body) && !found("roses", body));
        for operator in ["\"rose\"", "rose*", "rose & name", "(rose | !name)", "name:rose", "-rose"]
        {
            assert!(found(operator, body), "{operator}");
        }
        assert!(!found("rose AND name", body) && !found("NEAR(rose name)", body));
    }

    #[test]
    fn no_words_are_in_nothing() {
        for text in ["", " ", "?!", "🌹", "\u{301}", "\u{3099}"] {
            assert!(!found(text, "rose") && !found(text, text), "{text:?}");
        }
    }

    #[test]
    fn only_bodies_are_searched() {
        let stanza = "<message id='rose'><subject>rose</subject><body>name</body>\
            <body xml:lang='de'>Rose<!-- --></body><x xmlns='urn:x'><body>red</body></x></message>"
            .replace("<!-- -->", "");
        let stanza = Stanza::parse_one(&stanza).unwrap();
        assert!(Words::of("name rose").are_in(&stanza) && !Words::of("red").are_in(&stanza));
        assert_eq!(keys(&stanza), [key("name"), key("rose")].into());
        assert!(!Words::of("rose").are_in(&message("")));
    }
}
