//! Plays a script in a world.

use crate::{
    actor::{Actor, Next, Trouble},
    driver::{Driver, Patience},
    fill,
    pattern::{self, Captures},
    sasl,
    script::{Deed, Kind, Script, Verb},
    tree::{self, CLIENT, Heard, Tree},
};
use std::fmt;

const CAPS: &str = "http://jabber.org/protocol/caps";

/// Where a script and a server part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line of the script.
    pub line: usize,
    /// What is different, in words.
    pub why: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// What is thought of stanzas that the script does not tell of, at that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// They are passed over, and may be told of later. So scripts written for another server run,
    /// which sends other things in between.
    Ignored,
    /// There must be none: what a character receives is the next thing it hears.
    Wrong,
}

/// Plays a script to its end. Gives the differences where the script says that the choice is ours:
/// other servers may choose otherwise. Where nothing untold is allowed they are failures, too.
///
/// # Errors
/// The first difference of any other kind.
pub fn play(
    script: &Script,
    driver: &mut dyn Driver,
    untold: Untold,
) -> Result<Vec<Failure>, Failure> {
    let actors = script.characters.iter().cloned().map(Actor::new).collect();
    let passed_over = vec![Vec::new(); script.characters.len()];
    let mut play = Play { driver, actors, captures: Captures::new(), untold, passed_over };
    let (mut outcome, mut choices) = (Ok(()), Vec::new());
    for step in &script.steps {
        let done = play.step(&step.deed).map_err(|why| Failure { line: step.line, why });
        match done {
            Err(choice) if step.ours && untold == Untold::Ignored => choices.push(choice),
            _ => outcome = done,
        }
        if outcome.is_err() {
            break;
        }
    }
    let line = script.steps.last().map_or(0, |step| step.line);
    let outcome = outcome.and_then(|()| play.end().map_err(|why| Failure { line, why }));
    for actor in &mut play.actors {
        actor.cut(play.driver);
    }
    outcome.map(|()| choices)
}

struct Play<'a> {
    driver: &'a mut dyn Driver,
    actors: Vec<Actor>,
    captures: Captures,
    untold: Untold,
    /// By character: what it heard before it was expected.
    passed_over: Vec<Vec<Tree>>,
}

impl Play<'_> {
    fn step(&mut self, deed: &Deed) -> Result<(), String> {
        match deed {
            Deed::Pass(seconds) => {
                self.driver.pass(seconds.saturating_mul(1000));
                Ok(())
            }
            Deed::Act(who, verb) => {
                let name = self.actors[*who].character().name.clone();
                self.act(*who, verb).map_err(|why| format!("{name}: {why}"))
            }
        }
    }

    fn act(&mut self, who: usize, verb: &Verb) -> Result<(), String> {
        match verb {
            Verb::FailToConnect(block) => return self.fail_to_connect(who, block),
            Verb::Disconnect => return self.disconnect(who),
            Verb::Send(block) => return self.send(who, block),
            Verb::SendRaw(block) => return self.send_raw(who, block),
            Verb::Receive(block) => return self.receive(who, block),
            Verb::ReceiveAnyOrder(block) => return self.receive_any_order(who, block),
            Verb::ReceiveNothing => return self.receive_nothing(who),
            Verb::ReceiveHeader(block) => return self.receive_header(who, block),
            Verb::ReceiveClose => return self.receive_close(who),
            Verb::Disconnected => return self.disconnected(who),
            Verb::AuthenticateWith(block) => return self.authenticate_with(who, block),
            _ => {}
        }
        let (actor, driver) = (&mut self.actors[who], &mut *self.driver);
        match verb {
            Verb::Connect if actor.character().kind == Kind::Client => actor.log_in(driver)?,
            Verb::Connect => actor.connect(driver)?,
            Verb::Open => actor.open(driver)?,
            Verb::StartTls => actor.start_tls(driver)?,
            Verb::Secure => actor.secure(driver)?,
            Verb::Authenticate => actor.authenticate(driver)?,
            Verb::Bind => actor.bind(driver)?,
            Verb::BreakOff => actor.cut(driver),
            _ => actor.restart(),
        }
        Ok(())
    }

    fn fail_to_connect(&mut self, who: usize, block: &str) -> Result<(), String> {
        let expected = self.one(block)?;
        match self.actors[who].log_in(self.driver) {
            Ok(()) => Err("has logged in".into()),
            Err(Trouble::Refused(tree)) => pattern::matches(&expected, &tree, &mut self.captures)
                .map_err(|why| difference(&why, &tree)),
            Err(Trouble::Other(why)) => Err(why),
        }
    }

    fn disconnect(&mut self, who: usize) -> Result<(), String> {
        if !self.actors[who].is_connected() {
            return Ok(());
        }
        let before = self.actors[who].disconnect(self.driver)?;
        match before.iter().find(|heard| !self.is_greeting(who, heard)) {
            Some(heard) if self.untold == Untold::Wrong => {
                Err(format!("the script does not tell of {heard}"))
            }
            _ => Ok(()),
        }
    }

    fn send(&mut self, who: usize, block: &str) -> Result<(), String> {
        for tree in self.trees(block)? {
            self.actors[who].say(self.driver, tree.to_string().as_bytes())?;
        }
        Ok(())
    }

    fn authenticate_with(&mut self, who: usize, block: &str) -> Result<(), String> {
        let more: String = self.trees(block)?.iter().map(Tree::to_string).collect();
        Ok(self.actors[who].authenticate_with(self.driver, &more)?)
    }

    fn send_raw(&mut self, who: usize, block: &str) -> Result<(), String> {
        let bytes = fill::fill_raw(block, &|name| self.meaning(name))?;
        Ok(self.actors[who].say(self.driver, &bytes)?)
    }

    fn receive(&mut self, who: usize, block: &str) -> Result<(), String> {
        for expected in self.trees(block)? {
            match self.untold {
                Untold::Wrong => self.receive_next(who, &expected)?,
                Untold::Ignored => self.receive_somewhere(who, &expected)?,
            }
        }
        Ok(())
    }

    fn receive_next(&mut self, who: usize, expected: &Tree) -> Result<(), String> {
        let came = self.next_element(who, expected)?;
        pattern::matches(expected, &came, &mut self.captures).map_err(|why| difference(&why, &came))
    }

    /// A server may write the language of a stream into all its stanzas (RFC 6120 §8.1.5): where
    /// none is expected it does not count.
    fn receive_somewhere(&mut self, who: usize, expected: &Tree) -> Result<(), String> {
        let spoken = expected.tells_language();
        let heard = |came: &Tree| {
            let came = came.clone();
            if spoken { came } else { came.without_languages() }
        };
        let captures = &mut self.captures;
        let passed_over = &mut self.passed_over[who];
        let place = passed_over
            .iter()
            .position(|came| pattern::matches(expected, &heard(came), captures).is_ok());
        if let Some(place) = place {
            passed_over.remove(place);
            return Ok(());
        }
        let alike = |came: &&Tree| {
            came.local == expected.local && came.attribute("type") == expected.attribute("type")
        };
        let mut nearest = passed_over.iter().rev().find(alike).and_then(|came| {
            let why = pattern::matches(expected, &heard(came), captures).err()?;
            Some(difference(&why, came))
        });
        loop {
            let came = match self.next_element(who, expected) {
                Ok(came) => came,
                Err(why) => return Err(nearest.unwrap_or(why)),
            };
            let Err(why) = pattern::matches(expected, &heard(&came), &mut self.captures) else {
                return Ok(());
            };
            if nearest.is_none() || came.local == expected.local {
                nearest = Some(difference(&why, &came));
            }
            self.passed_over[who].push(came);
        }
    }

    fn receive_any_order(&mut self, who: usize, block: &str) -> Result<(), String> {
        let mut missing = self.trees(block)?;
        if self.untold == Untold::Ignored {
            return missing.iter().try_for_each(|expected| self.receive_somewhere(who, expected));
        }
        while let Some(first) = missing.first() {
            let came = self.next_element(who, first)?;
            let captures = &mut self.captures;
            let place = missing
                .iter()
                .position(|expected| pattern::matches(expected, &came, captures).is_ok());
            let Some(place) = place else {
                return Err(difference("none of those that are missing", &came));
            };
            missing.remove(place);
        }
        Ok(())
    }

    fn next_element(&mut self, who: usize, expected: &Tree) -> Result<Tree, String> {
        loop {
            match self.actors[who].next(self.driver, Patience::Answer)? {
                Next::Heard(Heard::Element(tree)) if tells_caps(expected) => return Ok(tree),
                Next::Heard(heard) if self.is_greeting(who, &heard) => {}
                Next::Heard(Heard::Element(tree)) => return Ok(tree),
                other => return Err(format!("{expected} expected, {}", other.words())),
            }
        }
    }

    fn receive_nothing(&mut self, who: usize) -> Result<(), String> {
        loop {
            match self.actors[who].next(self.driver, Patience::Quiet)? {
                Next::Nothing => return Ok(()),
                Next::Heard(heard) if self.is_greeting(who, &heard) => {}
                other => return Err(format!("nothing expected, {}", other.words())),
            }
        }
    }

    /// A server may tell a resource what its account can do (XEP-0115). It is passed over, unless
    /// the script tells of it.
    fn is_greeting(&self, who: usize, heard: &Heard) -> bool {
        let Heard::Element(tree) = heard else { return false };
        let own = tree.attribute("from") == Some(self.actors[who].character().bare());
        own && tree.is(CLIENT, "presence") && tree.attribute("type").is_none() && tells_caps(tree)
    }

    fn receive_header(&mut self, who: usize, block: &str) -> Result<(), String> {
        let expected = self.one(block)?;
        match self.actors[who].next(self.driver, Patience::Answer)? {
            Next::Heard(Heard::Header(tree)) => {
                pattern::matches(&expected, &tree, &mut self.captures)
                    .map_err(|why| difference(&why, &tree))
            }
            other => Err(format!("a stream header expected, {}", other.words())),
        }
    }

    fn receive_close(&mut self, who: usize) -> Result<(), String> {
        match self.actors[who].next(self.driver, Patience::Answer)? {
            Next::Heard(Heard::Close) => Ok(()),
            other => Err(format!("the end tag of the stream expected, {}", other.words())),
        }
    }

    fn disconnected(&mut self, who: usize) -> Result<(), String> {
        match self.actors[who].next(self.driver, Patience::Answer)? {
            Next::End => {
                self.actors[who].cut(self.driver);
                Ok(())
            }
            other => Err(format!("the end of the connection expected, {}", other.words())),
        }
    }

    fn end(&mut self) -> Result<(), String> {
        if self.untold == Untold::Ignored {
            return Ok(());
        }
        for who in 0..self.actors.len() {
            if self.actors[who].is_connected() {
                let name = self.actors[who].character().name.clone();
                self.receive_nothing(who).map_err(|why| format!("{name}, at the end: {why}"))?;
            }
        }
        Ok(())
    }

    fn one(&self, block: &str) -> Result<Tree, String> {
        let mut trees = self.trees(block)?;
        if trees.len() == 1 { Ok(trees.remove(0)) } else { Err("one element expected".into()) }
    }

    fn trees(&self, block: &str) -> Result<Vec<Tree>, String> {
        tree::parse_block(&fill::fill(block, &|name| self.meaning(name))?)
    }

    /// What `${name}` stands for.
    fn meaning(&self, name: &str) -> Option<String> {
        if let Some(caught) = self.captures.get(name) {
            return Some(caught.clone());
        }
        let of = |suffix: &str| {
            let who = name.strip_suffix(suffix)?;
            self.actors.iter().find(|actor| actor.character().name == who)
        };
        if let Some(actor) = of("'s full JID") {
            return actor.full().map(str::to_owned);
        }
        if let Some(actor) = of("'s PLAIN") {
            let password = actor.character().property("password").unwrap_or_default();
            return Some(sasl::plain(actor.character().local(), password));
        }
        if let Some(actor) = of("'s localpart") {
            return Some(actor.character().local().to_owned());
        }
        if let Some((words, token)) = name.split_once(" by ") {
            return self.by_token(words, self.captures.get(token)?);
        }
        of("'s JID").map(|actor| actor.character().bare().to_owned())
    }
}

impl Play<'_> {
    /// `Romeo's HT-SHA-256-NONE` shows a token; with `answer to` before it, it is the server's.
    fn by_token(&self, words: &str, token: &str) -> Option<String> {
        let (words, is_answer) = match words.strip_prefix("answer to ") {
            Some(words) => (words, true),
            None => (words, false),
        };
        let (who, mechanism) = words.rsplit_once("'s ")?;
        let actor = self.actors.iter().find(|actor| actor.character().name == who)?;
        let channel = match sasl::token_binding(mechanism) {
            Some(kind) => actor.channel(&*self.driver, kind)?,
            None => Vec::new(),
        };
        let local = actor.character().local();
        let (message, answer) = sasl::by_token(mechanism, local, token, &channel)?;
        Some(if is_answer { answer } else { message })
    }
}

fn tells_caps(tree: &Tree) -> bool {
    tree.child(CAPS, "c").is_some()
}

fn difference(why: &str, came: &Tree) -> String {
    format!("{why}\n    came {came}")
}
