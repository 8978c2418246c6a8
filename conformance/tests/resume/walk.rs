//! One walk: steps by chance, then peace, and the judgement.

use crate::{
    client::{Client, State},
    judge::judge,
    world::World,
};
use engine::wire::Stanza;

const ACCOUNTS: [&str; 2] = ["juliet@x", "romeo@x"];
const CLIENTS: [&str; 3] = ["juliet@x/a", "juliet@x/b", "romeo@x/a"];

/// What may happen.
#[derive(Clone, Copy, Debug)]
pub struct Fates {
    pub restarts: bool,
    pub kills: bool,
    pub faults: bool,
}

pub struct Walk {
    seed: u64,
    fates: Fates,
    pub world: World,
    pub clients: Vec<Client>,
    said: u32,
    journal: Vec<String>,
}

impl Drop for Walk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}, {:?}:\n  {}", self.seed, self.fates, self.journal.join("\n  "));
        }
    }
}

impl Walk {
    pub fn of(seed: u64, fates: Fates) -> Self {
        let world = World::of(seed, &ACCOUNTS);
        let clients = CLIENTS.iter().map(|jid| Client::of(jid)).collect();
        let mut walk = Self { seed, fates, world, clients, said: 0, journal: Vec::new() };
        for client in &mut walk.clients {
            client.inline = walk.world.dice.roll(2) == 0;
        }
        walk.peace();
        walk
    }

    pub fn goes(mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
        }
        self.journal.push("peace".into());
        self.peace();
        judge(&self);
    }

    fn note(&mut self, of: usize, what: &str) {
        self.journal.push(format!("{} {what}", CLIENTS[of]));
    }

    fn step(&mut self) {
        let of = self.world.dice.roll(CLIENTS.len());
        match self.world.dice.roll(100) {
            0..26 => self.says(of),
            26..29 => {
                self.note(of, "asks");
                self.clients[of].asks();
            }
            29..32 => {
                self.note(of, "acknowledges");
                self.clients[of].acknowledges();
            }
            32..36 => {
                self.note(of, "replies");
                self.clients[of].replies();
            }
            36..39 => {
                self.note(of, "rests");
                let active = self.world.dice.roll(2) == 0;
                self.clients[of].rests(active);
            }
            39..54 => {
                let most = 1 + self.world.dice.roll(4);
                self.note(of, &format!("reaches {most}"));
                self.clients[of].reaches(&mut self.world, most);
            }
            54..68 => {
                let most = 1 + self.world.dice.roll(6);
                self.note(of, &format!("reads {most}"));
                self.clients[of].reads(&mut self.world, most);
            }
            68..74 => {
                let is_heard = self.world.dice.roll(4) > 0;
                self.note(of, &format!("breaks {is_heard}"));
                self.clients[of].breaks(&mut self.world, is_heard);
            }
            74..82 => {
                self.note(of, "comes");
                self.clients[of].comes(&mut self.world);
            }
            _ => self.world_moves(),
        }
        self.carry();
    }

    fn world_moves(&mut self) {
        match self.world.dice.roll(100) {
            0..45 => {
                self.journal.push("commits".into());
                self.world.commits();
            }
            45..70 => {
                let which = self.world.dice.roll(8);
                self.journal.push(format!("store reads {which}"));
                self.world.reads(which, false);
            }
            70..78 if self.fates.faults => {
                let which = self.world.dice.roll(2);
                match which {
                    0 => {
                        self.journal.push("commit fails".into());
                        self.world.fails();
                    }
                    _ => {
                        self.journal.push("read fails".into());
                        self.world.reads(which, true);
                    }
                }
            }
            78..94 => {
                let ms = [10, 400, 1_100, 40_000, 310_000][self.world.dice.roll(5)];
                let ms = if self.world.dice.roll(12) == 0 { 950_000 } else { ms };
                self.journal.push(format!("{ms} ms pass"));
                self.world.passes(ms);
            }
            94..97 if self.fates.restarts => self.restarts(),
            97.. if self.fates.kills => self.is_killed(),
            _ => {}
        }
    }

    /// Streams end, what is to be written is, and a new process goes on.
    fn restarts(&mut self) {
        self.journal.push("restarts".into());
        for client in &mut self.clients {
            client.breaks(&mut self.world, true);
            client.is_gone(&mut self.world);
        }
        while self.world.commits() || self.world.reads(0, false) {}
        self.world.passes(1_500);
        while self.world.commits() || self.world.reads(0, false) {}
        self.world.begins_anew();
        self.revives();
    }

    fn is_killed(&mut self) {
        self.journal.push("is killed".into());
        self.world.kills += 1;
        for client in &mut self.clients {
            client.lost();
            client.killed = true;
        }
        self.world.begins_anew();
        self.revives();
    }

    fn revives(&mut self) {
        if self.world.dice.roll(3) > 0 {
            for client in &self.clients {
                self.world.revives(&client.account);
            }
        }
    }

    fn says(&mut self, of: usize) {
        if self.clients[of].state != State::Here {
            return;
        }
        self.said += 1;
        let number = self.said;
        let to = ["juliet@x", "juliet@x/a", "juliet@x/b", "romeo@x", "romeo@x/a"];
        let to = to[self.world.dice.roll(5)];
        let xml = match self.world.dice.roll(20) {
            0..13 => format!(
                "<message to='{to}' id='m{number}' type='chat'><body>{number}</body>\
                 <origin-id xmlns='urn:xmpp:sid:0' id='m{number}'/></message>"
            ),
            13..15 => format!(
                "<message to='{to}' id='u{number}' type='chat'><body>{number}</body>\
                 <no-store xmlns='urn:xmpp:hints'/><no-copy xmlns='urn:xmpp:hints'/></message>"
            ),
            15 => format!(
                "<iq to='{to}' id='q{number}' type='get'><ping xmlns='urn:xmpp:ping'/></iq>"
            ),
            16 => {
                format!("<iq to='x' id='q{number}' type='get'><ping xmlns='urn:xmpp:ping'/></iq>")
            }
            17 => format!(
                "<iq id='q{number}' type='set'><query xmlns='urn:xmpp:mam:2'>\
                 <set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set></query></iq>"
            ),
            _ => format!("<presence id='p{number}'><status>{number}</status></presence>"),
        };
        self.note(of, &xml);
        let stanza = Stanza::parse_one(&xml).unwrap();
        self.world.is_new(stanza.head.id.as_deref().unwrap_or_default());
        self.clients[of].says(stanza);
    }

    /// What streams are told is on its way to their clients.
    fn carry(&mut self) {
        for (link, say) in std::mem::take(&mut self.world.said) {
            let client = self.clients.iter_mut().find(|client| client.link == Some(link));
            client.into_iter().for_each(|client| client.is_told(say.clone()));
        }
    }

    /// Nothing happens any more but what must.
    pub fn peace(&mut self) {
        for _ in 0..4 {
            self.rest();
            self.world.passes(2_500);
            self.clients.iter_mut().for_each(Client::acknowledges);
        }
        self.rest();
        for client in &self.clients {
            assert_eq!(client.state, State::Here, "{} does not come back", client.jid);
        }
    }

    fn rest(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "it goes on for ever");
            let mut moved = false;
            for client in &mut self.clients {
                moved |= client.state == State::Away;
                client.comes(&mut self.world);
                moved |= client.reaches(&mut self.world, usize::MAX);
            }
            self.carry();
            for client in &mut self.clients {
                moved |= client.reads(&mut self.world, usize::MAX);
                client.replies();
            }
            moved |= self.world.commits() || self.world.reads(0, false);
            self.carry();
            if !moved && self.world.is_quiet() {
                return;
            }
        }
    }
}
