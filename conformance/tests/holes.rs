//! AT-43: every request that any script makes, with each attribute and child dropped, doubled,
//! emptied or mistyped. It is answered once, and never by a fault of ours.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use conformance::{
    actor::{Actor, Next},
    driver::Patience,
    fill,
    script::{Deed, Script, Verb},
    simulated::Simulated,
    tree::{self, CLIENT, Heard, Node, Tree},
};
use std::{collections::BTreeMap, fs, path::Path};

/// Who makes all these requests: somebody, and an administrator.
const CAST: &str = "# Holes\n\n[Client] Juliet\n\tjid: juliet@localhost/balcony\n\tpassword: p\n\n\
    [Client] Admin\n\tjid: admin@localhost/desk\n\tpassword: p\n\n-----\n\nJuliet connects\n";
const SOMEBODY: usize = 0;
const ADMIN: usize = 1;
/// Requests, each mutated, that there are at least: fewer, and the scripts were not read.
const MUTANTS_MIN: usize = 5_000;

/// The requests of all scripts, each once. What a script fills in is filled in with Juliet.
fn requests() -> Vec<Tree> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        for step in Script::parse(&source).unwrap().steps {
            let Deed::Act(_, Verb::Send(block)) = step.deed else { continue };
            let Ok(block) = fill::fill(&block, &meaning) else { continue };
            for stanza in tree::parse_block(&block).unwrap_or_default() {
                if is_request(&stanza) {
                    found.insert(stanza.to_string(), stanza);
                }
            }
        }
    }
    found.into_values().collect()
}

fn meaning(name: &str) -> Option<String> {
    let meaning = match name {
        name if name.ends_with("full JID") => "juliet@localhost/balcony",
        name if name.ends_with("JID") => "juliet@localhost",
        name if name.ends_with("localpart") => "juliet",
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
            [one] if !one.to_string().contains("internal-server-error") => Ok(stands),
            [one] => Err(format!("answered by {one}")),
            all => Err(format!("answered {} times", all.len())),
        }
    }
}

#[test]
fn at_43_whatever_is_missing_doubled_or_mistyped_in_a_request_is_answered_once() {
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for who in [SOMEBODY, ADMIN] {
        let mut stage = Stage::of(who);
        for mutant in requests().iter().flat_map(mutants) {
            asked += 1;
            match stage.ask(&mutant) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(why) => wrong.push(format!("{mutant}\n    {why}")),
            }
            stage = Stage::of(who);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {asked}:\n{}",
        wrong.len(),
        wrong[..20.min(wrong.len())].join("\n")
    );
    assert!(asked > MUTANTS_MIN, "only {asked}");
}
