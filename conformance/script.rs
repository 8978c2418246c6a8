//! A script: who plays, and what they do, line by line. The grammar is in README.md.

mod moved;

use crate::driver::Transport;
pub use moved::moved;
use std::{collections::BTreeMap, fmt};

/// The local part of the administrator's account: the same one in all scripts, for a server knows
/// its administrators before they are played.
pub const ADMIN: &str = "admin";
const OUR_CHOICE: &str = "our choice";

/// A whole script.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its first comment line.
    pub title: String,
    /// Its `## tag` lines.
    pub tags: Vec<String>,
    /// Who plays.
    pub characters: Vec<Character>,
    /// What they do.
    pub steps: Vec<Step>,
}

/// One who plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Character {
    /// As the script calls it.
    pub name: String,
    /// How far `connects` goes.
    pub kind: Kind,
    /// The indented `key: value` lines under its name.
    pub properties: BTreeMap<String, String>,
}

/// The kinds of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `connects` logs in and binds.
    Client,
    /// `connects` only opens the connection.
    Stream,
}

impl Character {
    /// Its bare JID; empty when it has none.
    pub fn bare(&self) -> &str {
        let jid = self.property("jid").unwrap_or_default();
        jid.split_once('/').map_or(jid, |(bare, _)| bare)
    }

    /// The part of its JID before the `@`.
    pub fn local(&self) -> &str {
        self.bare().split_once('@').map_or("", |(local, _)| local)
    }

    /// The domain of its JID.
    pub fn domain(&self) -> &str {
        self.bare().split_once('@').map_or(self.bare(), |(_, domain)| domain)
    }

    /// The resource it asks for; without one, the server makes it.
    pub fn resource(&self) -> Option<&str> {
        let jid = self.property("jid").unwrap_or_default();
        self.property("resource").or_else(|| Some(jid.split_once('/')?.1))
    }

    /// One of its properties.
    pub fn property(&self, key: &str) -> Option<&str> {
        self.properties.get(key).map(String::as_str)
    }
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it stands, counted from one.
    pub line: usize,
    /// What happens.
    pub deed: Deed,
    /// Whether the section that it stands under says that this is our choice of several.
    pub ours: bool,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Nothing happens for so many seconds.
    Pass(u64),
    /// A character, by number, does something.
    Act(usize, Verb),
}

/// What a character does. The strings are blocks of XML with `${…}` in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Opens the connection; a client logs in.
    Connect,
    /// Logs in and is refused with this element.
    FailToConnect(String),
    /// Closes its stream, and waits until the server has closed its own.
    Disconnect,
    /// Is gone without a word.
    BreakOff,
    /// Says stanzas.
    Send(String),
    /// Says these very bytes.
    SendRaw(String),
    /// Hears these, one after the other, and nothing in between.
    Receive(String),
    /// Hears these in any order.
    ReceiveAnyOrder(String),
    /// Hears nothing.
    ReceiveNothing,
    /// Hears this start tag of a stream.
    ReceiveHeader(String),
    /// Hears the end tag of the stream.
    ReceiveClose,
    /// The connection ends.
    Disconnected,
    /// Says a stream header; hears the server's, and its features.
    Open,
    /// Asks for TLS and begins it.
    StartTls,
    /// Begins TLS, which has been agreed upon.
    Secure,
    /// Says who it is, until `<success/>`.
    Authenticate,
    /// Says who it is, and this beside it (XEP-0388), until the exchange ends.
    AuthenticateWith(String),
    /// Gets its resource.
    Bind,
    /// Expects a new stream header from the server.
    Restart,
}

/// Why a script cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misspelt {
    /// Where, counted from one.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Misspelt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// The first line that is not in the grammar.
    pub fn parse(source: &str) -> Result<Self, Misspelt> {
        let mut script = Self {
            title: String::new(),
            tags: Vec::new(),
            characters: Vec::new(),
            steps: Vec::new(),
        };
        let mut lines = Lines { rest: source.lines().enumerate().collect::<Vec<_>>(), at: 0 };
        script.parse_head(&mut lines)?;
        while let Some((line, text)) = lines.next() {
            let misspelt = |why: String| Misspelt { line, why };
            if text.starts_with(char::is_whitespace) {
                return Err(misspelt("an indented line without an action above it".into()));
            }
            let block = lines.block();
            let deed = script.deed(text.trim_end(), block).map_err(misspelt)?;
            let ours = section(source, line).is_some_and(|section| section.contains(OUR_CHOICE));
            script.steps.push(Step { line, deed, ours });
        }
        Ok(script)
    }

    /// Whether an administrator plays. What one does may concern everybody on the server.
    pub fn has_admin(&self) -> bool {
        self.characters.iter().any(|character| character.local() == ADMIN)
    }

    /// Whether it carries `## tag`.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|have| have == tag)
    }

    /// What a server must announce for this script, by its `## needs …` lines.
    pub fn needs(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().filter_map(|tag| tag.strip_prefix("needs ")).map(str::trim)
    }

    /// Whether it says something over this transport, by its line `## over …`; without such a line
    /// it does over every one.
    pub fn is_over(&self, transport: Transport) -> bool {
        let over = self.tags.iter().find_map(|tag| tag.strip_prefix("over "));
        over.is_none_or(|over| over.split(", ").any(|name| name == transport.name()))
    }

    /// The accounts of the cast, each once, with their passwords. `account: none` marks one that
    /// must not exist.
    pub fn accounts(&self) -> BTreeMap<&str, &str> {
        let real = self.characters.iter().filter(|character| {
            !character.local().is_empty() && character.property("account") != Some("none")
        });
        let mut accounts = BTreeMap::new();
        for character in real {
            // the first one knows the password, the others may try another
            let password = character.property("password").unwrap_or_default();
            accounts.entry(character.bare()).or_insert(password);
        }
        accounts
    }

    fn parse_head(&mut self, lines: &mut Lines<'_>) -> Result<(), Misspelt> {
        for (line, text) in lines.rest.iter().take_while(|(_, text)| text.starts_with('#')) {
            if let Some(name) = text.strip_prefix("## over ").and_then(unknown_transport) {
                let why = format!("no such transport: {name}");
                return Err(Misspelt { line: line + 1, why });
            }
            match text.strip_prefix("##") {
                Some(tag) => self.tags.push(tag.trim().to_owned()),
                None if self.title.is_empty() => self.title = text[1..].trim().to_owned(),
                None => {}
            }
        }
        while let Some((line, text)) = lines.next() {
            if text.starts_with("---") {
                return Ok(());
            }
            let misspelt = |why: &str| Misspelt { line, why: why.to_owned() };
            if text.starts_with(char::is_whitespace) {
                let (key, value) = text.split_once(':').ok_or(misspelt("expected 'key: value'"))?;
                let character = self.characters.last_mut();
                let character = character.ok_or(misspelt("expected '[Client] Name' above"))?;
                character.properties.insert(key.trim().to_owned(), value.trim().to_owned());
                continue;
            }
            let (kind, name) = text
                .strip_prefix('[')
                .and_then(|rest| rest.split_once(']'))
                .ok_or(misspelt("expected '[Client] Name', '[Stream] Name' or '-----'"))?;
            let kind = match kind {
                "Client" => Kind::Client,
                "Stream" => Kind::Stream,
                _ => return Err(misspelt("a character is a Client or a Stream")),
            };
            let name = name.trim().to_owned();
            self.characters.push(Character { name, kind, properties: BTreeMap::new() });
        }
        Err(Misspelt { line: lines.at, why: "no line of dashes ends the cast".into() })
    }

    fn deed(&self, text: &str, block: String) -> Result<Deed, String> {
        if let Some(seconds) = text.strip_suffix("seconds pass") {
            let seconds = seconds.trim().parse();
            return seconds.map(Deed::Pass).map_err(|_| "how many seconds pass?".into());
        }
        let named = |character: &Character| {
            text.strip_prefix(&character.name).is_some_and(|rest| rest.starts_with(' '))
        };
        // Juliet's phone before Juliet
        let who = (0..self.characters.len())
            .filter(|&number| named(&self.characters[number]))
            .max_by_key(|&number| self.characters[number].name.len())
            .ok_or_else(|| format!("nobody in the cast can do this: {text}"))?;
        let verb = text[self.characters[who].name.len()..].trim();
        Ok(Deed::Act(who, Verb::parse(verb, block)?))
    }
}

fn unknown_transport(over: &str) -> Option<&str> {
    let known = |name: &str| Transport::ALL.iter().any(|transport| transport.name() == name);
    over.trim().split(", ").find(|name| !known(name))
}

impl Verb {
    fn parse(words: &str, block: String) -> Result<Self, String> {
        let (words, inline) = match words.split_once(':') {
            Some((words, inline)) => (words.trim_end(), Some(inline.trim())),
            None => (words, None),
        };
        let block = match inline {
            Some("nothing") if words == "receives" => return Ok(Self::ReceiveNothing),
            Some(inline) if !inline.is_empty() => format!("{inline}\n{block}").trim_end().into(),
            _ => block,
        };
        let speaks = [
            "fails to connect",
            "sends",
            "sends raw",
            "receives",
            "receives in any order",
            "receives header",
            "authenticates with",
        ];
        if speaks.contains(&words) == block.is_empty() {
            return Err(format!("'{words}' and a block of XML below it do not fit together"));
        }
        Ok(match words {
            "connects" => Self::Connect,
            "fails to connect" => Self::FailToConnect(block),
            "disconnects" => Self::Disconnect,
            "breaks off" => Self::BreakOff,
            "sends" => Self::Send(block),
            "sends raw" => Self::SendRaw(block),
            "receives" => Self::Receive(block),
            "receives in any order" => Self::ReceiveAnyOrder(block),
            "receives header" => Self::ReceiveHeader(block),
            "receives close" => Self::ReceiveClose,
            "is disconnected" => Self::Disconnected,
            "opens" => Self::Open,
            "starts tls" => Self::StartTls,
            "secures" => Self::Secure,
            "authenticates" => Self::Authenticate,
            "authenticates with" => Self::AuthenticateWith(block),
            "binds" => Self::Bind,
            "restarts" => Self::Restart,
            _ => return Err(format!("no such verb: {words}")),
        })
    }
}

/// The lines that say something, with their numbers.
struct Lines<'a> {
    rest: Vec<(usize, &'a str)>,
    at: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<(usize, &'a str)> {
        loop {
            let &(number, text) = self.rest.get(self.at)?;
            self.at += 1;
            let comment = ["#", "//", "--"].iter().any(|mark| text.starts_with(mark));
            let comment = comment && !text.starts_with("---");
            if !text.trim().is_empty() && !comment {
                return Some((number + 1, text));
            }
        }
    }

    /// The indented lines that follow, without what they have in common at the start.
    fn block(&mut self) -> String {
        let mut taken = Vec::new();
        while let Some(&(_, text)) = self.rest.get(self.at) {
            if !text.trim().is_empty() && !text.starts_with(char::is_whitespace) {
                break;
            }
            taken.push(text.trim_end());
            self.at += 1;
        }
        let indent = |text: &&str| text.len() - text.trim_start().len();
        let common = taken.iter().filter(|text| !text.is_empty()).map(indent).min().unwrap_or(0);
        let lines: Vec<_> = taken.iter().map(|text| text.get(common..).unwrap_or("")).collect();
        lines.join("\n").trim_matches('\n').to_owned()
    }
}

/// The section that a line stands under: the first line of the nearest comment that cites one.
pub fn section(source: &str, line: usize) -> Option<&str> {
    let above: Vec<&str> = source.lines().take(line).collect();
    let names = ["§", "ection ", "ections "]; // with a large letter, and with a small one
    let cites = |text: &str| text.starts_with("# ") && names.iter().any(|one| text.contains(one));
    let cited = above.iter().rposition(|text| cites(text))?;
    let first = above[..cited].iter().rposition(|text| !text.starts_with("# "));
    Some(above[first.map_or(0, |before| before + 1)][1..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "# Title\n# more\n## slow\n\n[Client] Juliet\n\tjid: juliet@localhost\n\
        \tpassword: password\n\n[Client] Juliet's phone\n\tjid: juliet@localhost/phone\n\n\
        [Stream] Mallory\n\n---------\n\n# comment\nJuliet connects\nJuliet's phone sends:\n\
        \t<presence/>\n\n\t<message\n\t\tto='juliet@localhost'/>\n\nJuliet receives: nothing\n\
        60 seconds pass\nMallory sends raw:\n\t<a>\n";

    #[test]
    fn a_script_has_a_cast_and_steps() {
        let script = Script::parse(SCRIPT).unwrap();
        assert_eq!(script.title, "Title");
        assert!(script.has_tag("slow"));
        assert_eq!(script.characters[1].resource(), Some("phone"));
        assert_eq!(script.characters[2].kind, Kind::Stream);
        let block = "<presence/>\n\n<message\n\tto='juliet@localhost'/>".to_owned();
        let deeds: Vec<_> = script.steps.into_iter().map(|step| step.deed).collect();
        assert_eq!(
            deeds,
            [
                Deed::Act(0, Verb::Connect),
                Deed::Act(1, Verb::Send(block)),
                Deed::Act(0, Verb::ReceiveNothing),
                Deed::Pass(60),
                Deed::Act(2, Verb::SendRaw("<a>".into())),
            ]
        );
    }

    #[test]
    fn a_line_outside_the_grammar_is_named() {
        let wrong = |line: &str| Script::parse(&format!("{SCRIPT}{line}")).unwrap_err().line;
        for line in ["Romeo connects", "Juliet dances", "Juliet sends:", "Juliet connects:\n\t<a/>"]
        {
            assert_eq!(wrong(line), SCRIPT.lines().count() + 1, "{line}");
        }
        assert_eq!(Script::parse("[Nurse] N\n---").unwrap_err().line, 1);
        assert!(Script::parse("[Client] Romeo\n").is_err());
    }

    #[test]
    fn a_line_stands_under_the_section_above_it() {
        let source = "# RFC 6120 §4\n\nA connects\n# More,\n# as Section 4.2 has it\nA binds\n\
            # Sections 5, 6\nA closes\n";
        let sections: Vec<_> = [1, 3, 6, 8].map(|line| section(source, line).unwrap()).into();
        assert_eq!(sections, ["RFC 6120 §4", "RFC 6120 §4", "More,", "Sections 5, 6"]);
        assert_eq!(section("A connects", 1), None);
    }

    #[test]
    fn a_step_is_our_choice_until_the_next_section() {
        let source = "# T\n[Client] A\n---\n# §1, our choice: x\nA connects\n\
            # §2\nA disconnects\n";
        let ours: Vec<bool> =
            Script::parse(source).unwrap().steps.iter().map(|step| step.ours).collect();
        assert_eq!(ours, [true, false]);
    }

    #[test]
    fn a_script_tells_what_it_needs() {
        let script = Script::parse("# T\n## simulated\n## needs urn:a\n## needs b\n---\n");
        assert_eq!(script.unwrap().needs().collect::<Vec<_>>(), ["urn:a", "b"]);
    }

    #[test]
    fn a_script_tells_over_what_it_is_played() {
        let over = |tag: &str| Script::parse(&format!("# T\n{tag}\n---\n"));
        let some = over("## over tcp, websocket").unwrap();
        assert!(some.is_over(Transport::Tcp) && some.is_over(Transport::WebSocket));
        assert!(!some.is_over(Transport::Direct) && !some.is_over(Transport::Bosh));
        assert!(over("## needs x").unwrap().is_over(Transport::Bosh));
        assert_eq!(over("## over tcp, pigeon").unwrap_err().line, 2);
    }
}
