//! The whole table of RFC 6121 §8.5 for messages, with our choices where it leaves one.

use super::*;

/// A: to all of non-negative priority. D: to the one that is named. E: `service-unavailable`.
/// S: silence. =: as to the bare address. Where the RFC allows silence or an error, an error; but
/// an account that does not exist answers as one that is away (RFC 6120 §13.11).
const TABLE: &str = "
                            | normal | chat | groupchat | headline | error
    bare, no account        | E      | E    | E         | S        | S
    full, no account        | E      | E    | E         | E        | S
    bare, none available    | E      | E    | E         | S        | S
    bare, all negative      | E      | E    | E         | S        | S
    bare, some non-negative | A      | A    | E         | A        | S
    full, named             | D      | D    | D         | D        | D
    full, named, away       | D      | D    | D         | D        | D
    full, gone              | E      | =    | E         | E        | S";

const PRIORITIES: &[&[i8]] = &[&[-1], &[0], &[-1, 0], &[0, 5], &[5, 5], &[-1, -1]];

fn cell(case: &str, kind: &str) -> char {
    let split = |line: &'static str| line.split('|').map(str::trim).collect::<Vec<_>>();
    let mut lines = TABLE.trim_start_matches('\n').lines().map(split);
    let column = lines.next().unwrap().iter().position(|head| *head == kind).unwrap();
    let row = lines.find(|row| row[0] == case).unwrap();
    row[column].chars().next().unwrap()
}

struct Scene {
    world: World,
    juliet: Link,
    /// Romeo's resources, by number, with their priorities.
    romeos: Vec<(Link, i8)>,
}

impl Scene {
    fn of(xeps: &'static [&'static Xep], priorities: &[i8], available: bool) -> Self {
        let mut world = World::of(xeps);
        let juliet = world.online(JULIET, 1);
        let mut romeos = Vec::new();
        for (number, priority) in priorities.iter().enumerate() {
            let jid = format!("romeo@x/{number}");
            let link = world.connected(&jid, 10 + number as u64);
            if available {
                let presence = format!("<presence><priority>{priority}</priority></presence>");
                world.says(link, &jid, &presence);
            }
            romeos.push((link, *priority));
        }
        world.said.clear();
        Self { world, juliet, romeos }
    }

    /// Sends it; returns who of Romeo's resources got it, and what Juliet heard.
    fn send(&mut self, kind: &str, to: &str) -> (Vec<usize>, Vec<String>) {
        let xml = format!("<message to='{to}' type='{kind}' id='7'><body>hark</body></message>");
        self.world.says(self.juliet, JULIET, &xml);
        let mut reached = Vec::new();
        for (number, (link, _)) in self.romeos.iter().enumerate() {
            for heard in self.world.heard(*link) {
                assert!(heard.contains(&format!(" to='{to}'")), "not rewritten: {heard}");
                reached.push(number);
            }
        }
        assert_eq!(self.world.settled(self.juliet), 1, "{xml}");
        (reached, self.world.heard(self.juliet))
    }

    fn check(&mut self, case: &str, kind: &str, to: &str, named: Option<usize>) {
        let said = match cell(case, kind) {
            '=' if self.romeos.iter().any(|one| one.1 >= 0) => {
                cell("bare, some non-negative", kind)
            }
            '=' => cell("bare, all negative", kind),
            said => said,
        };
        let all = self.romeos.iter().enumerate().filter(|(_, one)| one.1 >= 0);
        let reached: Vec<_> = match said {
            'A' => all.map(|(number, _)| number).collect(),
            'D' => named.into_iter().collect(),
            _ => Vec::new(),
        };
        let priorities: Vec<_> = self.romeos.iter().map(|one| one.1).collect();
        let at = format!("{case}: {kind} to {to} of {priorities:?}");
        let (got, heard) = self.send(kind, to);
        assert_eq!(got, reached, "{at}");
        assert_eq!(heard.len(), usize::from(said == 'E'), "{at}: {heard:?}");
        for error in heard {
            let head = format!("<message id='7' type='error' from='{to}' to='{JULIET}'>");
            assert!(error.starts_with(&head) && error.contains("service-unavailable"), "{error}");
        }
    }
}

#[test]
fn every_cell_of_the_table_holds_rfc6121_8_5() {
    for kind in ["normal", "chat", "groupchat", "headline", "error"] {
        for priorities in PRIORITIES {
            let mut here = Scene::of(NONE, priorities, true);
            here.check("bare, no account", kind, "nobody@x", None);
            here.check("full, no account", kind, "nobody@x/0", None);
            let bare = match priorities.iter().any(|priority| *priority >= 0) {
                true => "bare, some non-negative",
                false => "bare, all negative",
            };
            here.check(bare, kind, "romeo@x", None);
            here.check("full, gone", kind, "romeo@x/gone", None);
            let mut away = Scene::of(NONE, priorities, false);
            away.check("bare, none available", kind, "romeo@x", None);
            for number in 0..priorities.len() {
                let to = format!("romeo@x/{number}");
                here.check("full, named", kind, &to, Some(number));
                away.check("full, named, away", kind, &to, Some(number));
            }
        }
    }
}

#[test]
fn a_message_without_type_or_of_an_unknown_one_is_normal_rfc6121_5_2_2() {
    for priorities in PRIORITIES {
        for head in ["", "type='telegram'"] {
            for to in ["romeo@x", "romeo@x/gone", "romeo@x/0", "nobody@x"] {
                let mut scene = Scene::of(NONE, priorities, true);
                let normal = scene.send("normal", to);
                let xml = format!("<message to='{to}' {head}><body>hark</body></message>");
                scene.world.says(scene.juliet, JULIET, &xml);
                let romeos = scene.romeos.clone();
                let got = romeos.iter().map(|one| scene.world.heard(one.0).len()).sum::<usize>();
                let heard = scene.world.heard(scene.juliet).len();
                assert_eq!((got, heard), (normal.0.len(), normal.1.len()), "{xml}");
            }
        }
    }
}

#[test]
fn what_a_log_keeps_for_who_is_away_is_not_refused_rfc6121_8_5_2_2_1() {
    for (kind, to) in [("normal", "romeo@x"), ("chat", "romeo@x"), ("chat", "romeo@x/gone")] {
        let mut scene = Scene::of(TOYS, &[-1], true);
        scene.world.commits = false;
        let xml = format!("<message to='{to}' type='{kind}'><body>hark</body></message>");
        scene.world.says(scene.juliet, JULIET, &xml);
        let logs: Vec<_> = scene.world.held[0].2.entries.iter().map(|e| e.log.as_str()).collect();
        assert_eq!(logs, ["juliet@x", "romeo@x"]);
        scene.world.commit();
        assert_eq!(scene.world.heard(scene.juliet), [""; 0], "{kind} to {to}");
    }
}

#[test]
fn a_message_to_ones_own_account_comes_once_to_each_resource_rfc6121_8_5_2_1_1() {
    for xeps in [NONE, TOYS] {
        for to in ["", "to='juliet@x'"] {
            let mut world = World::of(xeps);
            let (one, two) = (world.online(JULIET, 1), world.online("juliet@x/garden", 2));
            world.says(one, JULIET, &format!("<message {to} type='chat'><body>o</body></message>"));
            assert_eq!((world.heard(one).len(), world.heard(two).len()), (1, 1));
            assert_eq!(world.settled(one), 1);
        }
    }
}
