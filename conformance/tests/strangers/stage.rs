//! A world with a stranger in it.

use conformance::{
    actor::{Actor, Next},
    driver::{Driver, Patience},
    script::Script,
    simulated::Simulated,
    tree::{Heard, Tree},
};

/// Who can be somebody; `nobody@localhost` has no account.
const CAST: &str = "# Strangers\n
[Client] Romeo\n\tjid: romeo@localhost/orchard\n\tpassword: p
[Client] Juliet\n\tjid: juliet@localhost/balcony\n\tpassword: p
[Client] Mercutio\n\tjid: mercutio@localhost/balcony\n\tpassword: p
[Client] Nurse\n\tjid: nurse@localhost/balcony\n\tpassword: p
[Client] Phone\n\tjid: juliet@localhost/phone\n\tpassword: p
-----\n\nRomeo connects\n";

/// The stranger. Available.
pub const ROMEO: usize = 0;
/// Available.
pub const JULIET: usize = 1;
/// Connected, but has sent no presence.
pub const MERCUTIO: usize = 2;
/// Away.
pub const NURSE: usize = 3;
/// Another resource of Juliet's, which connects only when it is told to.
pub const PHONE: usize = 4;

/// A server, and these people.
pub struct Stage {
    pub world: Simulated,
    pub actors: Vec<Actor>,
}

impl Stage {
    pub fn new() -> Self {
        let script = Script::parse(CAST).unwrap();
        let world = Simulated::new("localhost", script.accounts()).unwrap();
        let actors = script.characters.iter().cloned().map(Actor::new).collect();
        let mut stage = Self { world, actors };
        for who in [JULIET, MERCUTIO, ROMEO] {
            stage.connects(who);
        }
        for who in [JULIET, ROMEO] {
            stage.says(who, "<presence/>");
        }
        stage.forget();
        stage
    }

    pub fn connects(&mut self, who: usize) {
        self.actors[who].log_in(&mut self.world).unwrap();
    }

    pub fn says(&mut self, who: usize, xml: &str) {
        self.actors[who].say(&mut self.world, xml.as_bytes()).unwrap();
    }

    pub fn passes(&mut self, seconds: u64) {
        self.world.pass(seconds * 1000);
    }

    /// What somebody has heard since the last time; the end of a stream is the last of it.
    pub fn heard(&mut self, who: usize) -> Vec<Tree> {
        let mut all = Vec::new();
        while let Some(next) = self.next(who) {
            all.extend(next);
        }
        all
    }

    fn next(&mut self, who: usize) -> Option<Option<Tree>> {
        match self.actors[who].next(&mut self.world, Patience::Quiet).unwrap() {
            Next::Heard(Heard::Element(tree)) => Some(Some(tree)),
            Next::Heard(_) => Some(None),
            Next::Nothing | Next::End => None,
        }
    }

    /// Whether somebody's stream has ended. What came before that is forgotten.
    pub fn is_gone(&mut self, who: usize) -> bool {
        self.heard(who);
        self.actors[who].next(&mut self.world, Patience::Quiet).unwrap() == Next::End
    }

    /// What everybody has heard until now does not count.
    pub fn forget(&mut self) {
        for who in 0..self.actors.len() {
            if self.actors[who].is_connected() {
                self.heard(who);
            }
        }
    }

    /// What was heard, in words.
    pub fn words(&mut self, who: usize) -> Vec<String> {
        self.heard(who).iter().map(Tree::to_string).collect()
    }
}
