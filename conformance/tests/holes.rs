//! AT-43: all that any script says, with each attribute and child dropped, doubled, emptied or
//! mistyped. A request is answered once; after all else the stream stands or has ended with an
//! error that says why; a login is answered; and nothing is ever a fault of ours.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use conformance::{
    actor::{Actor, Next},
    driver::Patience,
    fill,
    script::{Deed, Script, Verb},
    simulated::Simulated,
    tree::{self, CLIENT, Heard, Node, STREAM, Tree},
};
use std::{collections::BTreeMap, fs, path::Path};

/// Who makes all these requests: somebody, and an administrator.
const CAST: &str = "# Holes\n\n[Client] Juliet\n\tjid: juliet@localhost/balcony\n\tpassword: p\n\n\
    [Client] Admin\n\tjid: admin@localhost/desk\n\tpassword: p\n\n-----\n\nJuliet connects\n";
const SOMEBODY: usize = 0;
const ADMIN: usize = 1;
/// Requests, each mutated, that there are at least: fewer, and the scripts were not read.
const MUTANTS_MIN: usize = 5_000;
/// The same of messages, presence, and what is no stanza.
const WORDS_MIN: usize = 2_000;
/// The same of logins.
const LOGINS_MIN: usize = 300;
/// Juliet's message in PLAIN.
const PLAIN: &str = "AGp1bGlldABw";
const SASL2: &str = "urn:xmpp:sasl:2";
const LOGIN: [&str; 3] =
    ["urn:ietf:params:xml:ns:xmpp-sasl", SASL2, "urn:ietf:params:xml:ns:xmpp-tls"];
const PING: &str = "<iq type='get' id='alive'><ping xmlns='urn:xmpp:ping'/></iq>";

/// What all scripts say, each once. What a script fills in is filled in with Juliet.
fn said() -> Vec<Tree> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        for step in Script::parse(&source).unwrap().steps {
            let block = match step.deed {
                Deed::Act(_, Verb::Send(block) | Verb::SendRaw(block)) => block,
                Deed::Act(_, Verb::AuthenticateWith(wishes)) => format!(
                    "<authenticate xmlns='{SASL2}' mechanism='PLAIN'>\
                     <initial-response>{PLAIN}</initial-response>{wishes}</authenticate>"
                ),
                _ => continue,
            };
            let Ok(block) = fill::fill(&block, &meaning) else { continue };
            let trees = tree::parse_block(&block).unwrap_or_default();
            found.extend(trees.into_iter().map(|tree| (tree.to_string(), tree)));
        }
    }
    found.into_values().collect()
}

fn meaning(name: &str) -> Option<String> {
    let meaning = match name {
        name if name.ends_with("full JID") => "juliet@localhost/balcony",
        name if name.ends_with("JID") => "juliet@localhost",
        name if name.ends_with("localpart") => "juliet",
        name if name.ends_with("PLAIN") => PLAIN,
        _ => "nothing",
    };
    Some(meaning.to_owned())
}

/// What goes to a resource is not the server's to answer.
fn is_request(stanza: &Tree) -> bool {
    let to_resource = stanza.attribute("to").is_some_and(|to| to.contains('/'));
    let asks = matches!(stanza.attribute("type"), Some("get" | "set"));
    stanza.is(CLIENT, "iq") && asks && stanza.attribute("id").is_some() && !to_resource
}

/// All that can be wrong with what is in an element.
fn mutants(of: &Tree) -> Vec<Tree> {
    let mut mutants = Vec::new();
    for (place, node) in of.nodes.iter().enumerate() {
        let Node::Tree(child) = node else { continue };
        let mut with = |nodes: Vec<Node>| {
            let mut mutant = of.clone();
            mutant.nodes.splice(place..=place, nodes);
            mutants.push(mutant);
        };
        with(vec![]);
        with(vec![node.clone(), node.clone()]);
        let own = own_mutants(child).into_iter().chain(self::mutants(child));
        own.for_each(|mutant| with(vec![Node::Tree(mutant)]));
    }
    mutants
}

fn own_mutants(of: &Tree) -> Vec<Tree> {
    let mut mutants = vec![
        Tree { nodes: Vec::new(), ..of.clone() },
        Tree { nodes: vec![Node::Text("\u{1f426} 'x'".into())], ..of.clone() },
        Tree { local: "other".into(), ..of.clone() },
        Tree { ns: "urn:other".into(), ..of.clone() },
        Tree { attributes: BTreeMap::new(), ..of.clone() },
    ];
    for key in of.attributes.keys() {
        for value in
            ["", "\u{1f426}", "a@b@c", "-1", "99999999999999999999", "@", "juliet@localhost"]
        {
            let mut mutant = of.clone();
            mutant.attributes.insert(key.clone(), value.into());
            mutants.push(mutant);
        }
        let mut without = of.clone();
        without.attributes.remove(key);
        mutants.push(without);
    }
    mutants
}

struct Stage {
    world: Simulated,
    actor: Actor,
}

impl Stage {
    fn of(who: usize) -> Self {
        let script = Script::parse(CAST).unwrap();
        let mut world = Simulated::new("localhost", script.accounts()).unwrap();
        let mut actor = Actor::new(script.characters[who].clone());
        actor.log_in(&mut world).unwrap();
        Self { world, actor }
    }

    /// Says something; tells whether the stream still stands, or what should not have been said.
    fn utter(&mut self, word: &Tree) -> Result<bool, String> {
        self.actor.say(&mut self.world, format!("{word}{PING}").as_bytes()).unwrap();
        let mut ended = false;
        loop {
            match self.actor.next(&mut self.world, Patience::Quiet).unwrap() {
                Next::Heard(Heard::Element(heard)) if is_our_fault(&heard) => {
                    return Err(format!("answered by {heard}"));
                }
                Next::Heard(Heard::Element(heard)) => {
                    if heard.attribute("id") == Some("alive") && !ended {
                        return Ok(true);
                    }
                    ended |= heard.local == "error";
                }
                Next::Heard(_) => {}
                Next::End if ended => return Ok(false),
                Next::End => return Err("ended without a word".into()),
                Next::Nothing => return Err("nothing is heard any more".into()),
            }
        }
    }

    /// Makes a request; tells whether the stream still stands, or why it should not have been
    /// answered so.
    fn ask(&mut self, request: &Tree) -> Result<bool, String> {
        let id = request.attribute("id").unwrap();
        self.actor.say(&mut self.world, request.to_string().as_bytes()).unwrap();
        let mut answers = Vec::new();
        let stands = loop {
            match self.actor.next(&mut self.world, Patience::Quiet).unwrap() {
                Next::Heard(Heard::Element(heard)) => {
                    let answer = matches!(heard.attribute("type"), Some("result" | "error"));
                    if answer && heard.is(CLIENT, "iq") && heard.attribute("id") == Some(id) {
                        answers.push(heard);
                    }
                }
                Next::Heard(_) => {}
                Next::Nothing => break true,
                Next::End => break false,
            }
        };
        match &answers[..] {
            [one] if !is_our_fault(one) => Ok(stands),
            [one] => Err(format!("answered by {one}")),
            all => Err(format!("answered {} times", all.len())),
        }
    }
}

/// What nobody can bring about who only says something wrong.
fn is_our_fault(heard: &Tree) -> bool {
    let ours = ["internal-server-error", "undefined-condition", "temporary-auth-failure"];
    ours.iter().any(|condition| heard.to_string().contains(condition))
}

/// Before the login, behind TLS: what is wrong with how it is answered, if anything.
fn log_in(login: &Tree) -> Option<String> {
    let script = Script::parse(CAST).unwrap();
    let mut world = Simulated::new("localhost", script.accounts()).unwrap();
    let mut actor = Actor::new(script.characters[SOMEBODY].clone());
    actor.connect(&mut world).unwrap();
    actor.open(&mut world).unwrap();
    actor.start_tls(&mut world).unwrap();
    actor.open(&mut world).unwrap();
    actor.say(&mut world, login.to_string().as_bytes()).unwrap();
    let mut answers = Vec::new();
    while let Next::Heard(heard) = actor.next(&mut world, Patience::Quiet).unwrap() {
        if let Heard::Element(heard) = heard {
            answers.push(heard);
        }
    }
    let words = ["success", "failure", "challenge", "continue", "error"];
    let answered = answers.iter().filter(|heard| words.contains(&&*heard.local)).count();
    let fault = answers.iter().any(is_our_fault);
    (answered == 0 || fault).then(|| format!("{login}\n    {answers:?}"))
}

fn tell(wrong: &[String], asked: usize, least: usize) {
    let first = &wrong[..20.min(wrong.len())];
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), first.join("\n"));
    assert!(asked > least, "only {asked}");
}

#[test]
fn at_43_whatever_is_wrong_in_what_is_no_request_the_stream_stands_or_says_why_not() {
    let (mut wrong, mut asked) = (Vec::new(), 0);
    let mut stage = Stage::of(SOMEBODY);
    // A client's stream error ends its stream, whatever it says.
    let is_word = |it: &Tree| !it.is(CLIENT, "iq") && !it.is(STREAM, "error");
    let words = said().into_iter().filter(|it| is_word(it) && !LOGIN.contains(&&*it.ns));
    for mutant in words.flat_map(|word| own_mutants(&word).into_iter().chain(mutants(&word))) {
        asked += 1;
        match stage.utter(&mutant) {
            Ok(true) => continue,
            Ok(false) => {}
            Err(why) => wrong.push(format!("{mutant}\n    {why}")),
        }
        stage = Stage::of(SOMEBODY);
    }
    tell(&wrong, asked, WORDS_MIN);
}

#[test]
fn at_43_whatever_is_wrong_in_a_login_it_is_answered() {
    let logins = said().into_iter().filter(|it| LOGIN[..2].contains(&&*it.ns));
    let mutants = logins.flat_map(|it| own_mutants(&it).into_iter().chain(mutants(&it)));
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for mutant in mutants {
        asked += 1;
        wrong.extend(log_in(&mutant));
    }
    tell(&wrong, asked, LOGINS_MIN);
}

#[test]
fn at_43_whatever_is_missing_doubled_or_mistyped_in_a_request_is_answered_once() {
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for who in [SOMEBODY, ADMIN] {
        let mut stage = Stage::of(who);
        for mutant in said().iter().filter(|it| is_request(it)).flat_map(mutants) {
            asked += 1;
            match stage.ask(&mutant) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(why) => wrong.push(format!("{mutant}\n    {why}")),
            }
            stage = Stage::of(who);
        }
    }
    tell(&wrong, asked, MUTANTS_MIN);
}
