//! The whole of RFC 6121 §8.5 as tables: messages, presence and iq, with our choices where it
//! leaves one.

use super::*;

/// A: to all of non-negative priority. D: to the one that is named. E: `service-unavailable`.
/// S: silence. =: as to the bare address. Where the RFC allows silence or an error, an error; but
/// an account that does not exist answers as one that is away (RFC 6120 §13.11).
const MESSAGES: &str = "
                            | normal | chat | groupchat | headline | error
    bare, no account        | E      | E    | E         | S        | S
    full, no account        | E      | E    | E         | E        | S
    bare, none available    | E      | E    | E         | S        | S
    bare, all negative      | E      | E    | E         | S        | S
    bare, some non-negative | A      | A    | E         | A        | S
    full, named             | D      | D    | D         | D        | D
    full, named, away       | D      | D    | D         | D        | D
    full, gone              | E      | =    | E         | E        | S";

/// From a stranger. P: to all that are available, of whatever priority. U: the server says
/// `unsubscribed` (§4.3.2), also for an account that does not exist. A request to a resource is
/// one to the account (§8.5.3.1: the rules of §3).
const PRESENCES: &str = "
                     | available | unavailable | error | probe | subscribe | subscribed \
                     | unsubscribe | unsubscribed
    bare, no account        | S  | S           | S     | U     | S         | S          \
                     | S           | S
    full, no account        | S  | S           | S     | U     | S         | S          \
                     | S           | S
    bare, none available    | S  | S           | S     | U     | S         | S          \
                     | S           | S
    bare, all negative      | P  | P           | S     | U     | P         | S          \
                     | S           | S
    bare, some non-negative | P  | P           | S     | U     | P         | S          \
                     | S           | S
    full, named             | D  | D           | D     | U     | P         | S          \
                     | S           | S
    full, named, away       | D  | D           | D     | U     | S         | S          \
                     | S           | S
    full, gone              | S  | S           | S     | U     | P         | S          \
                     | S           | S";

/// With a payload that nobody here understands. To the bare address the server answers
/// (§8.5.2.1.3).
const IQS: &str = "
                            | get | set | result | error
    bare, no account        | E   | E   | S      | S
    full, no account        | E   | E   | S      | S
    bare, none available    | E   | E   | S      | S
    bare, all negative      | E   | E   | S      | S
    bare, some non-negative | E   | E   | S      | S
    full, named             | D   | D   | D      | D
    full, named, away       | D   | D   | D      | D
    full, gone              | E   | E   | S      | S";

const PRIORITIES: &[&[i8]] = &[&[-1], &[0], &[-1, 0], &[0, 5], &[5, 5], &[-1, -1]];

fn split(line: &'static str) -> Vec<&'static str> {
    line.split('|').map(str::trim).collect()
}

fn lines(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.trim_start_matches('\n').lines().map(split)
}

fn cell(table: &'static str, case: &str, kind: &str) -> char {
    let mut lines = lines(table);
    let column = lines.next().unwrap().iter().position(|head| *head == kind).unwrap();
    let row = lines.find(|row| row[0] == case).unwrap();
    row[column].chars().next().unwrap()
}

/// A stanza of this name and type.
fn stanza(name: &str, kind: &str, to: &str) -> String {
    let content = match (name, kind) {
        ("message", _) => "<body>hark</body>",
        ("iq", _) => "<q xmlns='q'/>",
        _ => "",
    };
    match kind {
        "available" => format!("<{name} to='{to}' id='7'/>"),
        kind => format!("<{name} to='{to}' type='{kind}' id='7'>{content}</{name}>"),
    }
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
    fn send(&mut self, xml: &str) -> (Vec<usize>, Vec<String>) {
        self.world.says(self.juliet, JULIET, xml);
        assert_eq!(self.world.settled(self.juliet), 1, "{xml}");
        self.reached(xml)
    }

    /// Who of Romeo's resources got it, and what Juliet heard.
    fn reached(&mut self, xml: &str) -> (Vec<usize>, Vec<String>) {
        let mut reached = Vec::new();
        let to = Stanza::parse_one(xml).unwrap().head.to.clone().unwrap();
        // A request is the account's, whatever resource it named (§3.1.3).
        let to = if xml.contains("'subscribe'") { to.bare().into() } else { to };
        for (number, (link, _)) in self.romeos.iter().enumerate() {
            for heard in self.world.heard(*link) {
                assert!(heard.contains(&format!(" to='{to}'")), "not rewritten: {heard}");
                reached.push(number);
            }
        }
        (reached, self.world.heard(self.juliet))
    }

    fn check(&mut self, table: &'static str, case: &str, xml: &str, named: Option<usize>) {
        let (name, kind) = name_and_kind(xml);
        let some = self.romeos.iter().any(|one| one.1 >= 0);
        let bare = if some { "bare, some non-negative" } else { "bare, all negative" };
        let said = match cell(table, case, kind) {
            '=' => cell(table, bare, kind),
            said => said,
        };
        let everybody = self.romeos.iter().enumerate();
        let expected: Vec<_> = match said {
            'A' => everybody.filter(|(_, one)| one.1 >= 0).map(|(number, _)| number).collect(),
            'P' => everybody.map(|(number, _)| number).collect(),
            'D' => named.into_iter().collect(),
            _ => Vec::new(),
        };
        let priorities: Vec<_> = self.romeos.iter().map(|one| one.1).collect();
        let at = format!("{case}, {priorities:?}: {xml}");
        self.world.carried.clear();
        let (reached, heard) = match (name, kind) {
            // What a client may not say at any time comes from elsewhere.
            ("presence", "probe" | "subscribe" | "subscribed" | "unsubscribe" | "unsubscribed") => {
                self.world.routed(&xml.replace("id=", "from='juliet@x' id="));
                self.reached(xml)
            }
            _ => self.send(xml),
        };
        assert_eq!(reached, expected, "{at}");
        assert_eq!(heard.len(), usize::from(said == 'E'), "{at}: {heard:?}");
        for error in heard {
            let to = Stanza::parse_one(xml).unwrap().head.to.clone().unwrap();
            let head = format!("<{name} id='7' type='error' from='{to}' to='{JULIET}'>");
            assert!(error.starts_with(&head) && error.contains("service-unavailable"), "{error}");
        }
        let answers = self.world.carried.iter().filter(|xml| xml.contains(" to='juliet@x'"));
        let unsubscribed = answers.filter(|xml| xml.contains("type='unsubscribed'")).count();
        assert_eq!(unsubscribed, usize::from(said == 'U'), "{at}: {:?}", self.world.carried);
    }
}

fn name_and_kind(xml: &str) -> (&str, &str) {
    let name = xml.trim_start_matches('<').split(' ').next().unwrap();
    let kind =
        xml.split_once("type='").map_or("available", |(_, rest)| rest.split('\'').next().unwrap());
    (name, kind)
}

/// Returns how many cells were looked at.
fn check_all(name: &str, table: &'static str) -> usize {
    let kinds = lines(table).next().unwrap();
    let mut cells = 0;
    for (kind, priorities) in
        kinds[1..].iter().flat_map(|kind| PRIORITIES.iter().map(move |them| (*kind, *them)))
    {
        let bare = match priorities.iter().any(|priority| *priority >= 0) {
            true => "bare, some non-negative",
            false => "bare, all negative",
        };
        let mut cases: Vec<_> = [
            ("bare, no account", "nobody@x", None),
            ("full, no account", "nobody@x/0", None),
            (bare, "romeo@x", None),
            ("full, gone", "romeo@x/gone", None),
            ("bare, none available", "romeo@x", None),
        ]
        .map(|(case, to, named)| (case, to.to_owned(), named))
        .into();
        for number in 0..priorities.len() {
            let to = format!("romeo@x/{number}");
            cases.push(("full, named", to.clone(), Some(number)));
            cases.push(("full, named, away", to, Some(number)));
        }
        for (case, to, named) in cases {
            let available = !case.ends_with("away") && !case.ends_with("none available");
            let mut scene = Scene::of(NONE, priorities, available);
            scene.check(table, case, &stanza(name, kind, &to), named);
            cells += 1;
        }
    }
    cells
}

#[test]
fn every_cell_of_the_messages_holds_rfc6121_8_5() {
    assert_eq!(check_all("message", MESSAGES), 5 * (6 * 5 + 2 * 10));
}

#[test]
fn every_cell_of_the_presences_holds_rfc6121_8_5() {
    assert_eq!(check_all("presence", PRESENCES), 8 * (6 * 5 + 2 * 10));
}

#[test]
fn every_cell_of_the_iqs_holds_rfc6121_8_5() {
    assert_eq!(check_all("iq", IQS), 4 * (6 * 5 + 2 * 10));
}

/// §4.3.2: each available resource, or the one that is named, or that it is not there.
#[test]
fn a_probe_of_who_is_subscribed_is_answered_by_the_server_rfc6121_4_3_2() {
    for priorities in PRIORITIES {
        for (available, to) in
            [true, false].into_iter().flat_map(|is| ["", "/0", "/gone"].map(|to| (is, to)))
        {
            let mut scene = Scene::of(NONE, priorities, available);
            scene.world.routed("<presence type='subscribe' from='juliet@x' to='romeo@x'/>");
            let (romeo, _) = scene.romeos[0];
            let yes = "<presence type='subscribed' to='juliet@x'/>";
            scene.world.says(romeo, "romeo@x/0", yes);
            scene.world.said.clear();
            let probe = format!("<presence type='probe' from='{JULIET}' to='romeo@x{to}'/>");
            scene.world.routed(&probe);
            let heard = scene.world.heard(scene.juliet);
            let from: Vec<_> = match (available, to) {
                (true, "") => (0..priorities.len()).map(|at| format!("romeo@x/{at}")).collect(),
                _ => vec![format!("romeo@x{to}")],
            };
            assert_eq!(heard.len(), from.len(), "{probe}: {heard:?}");
            for (heard, from) in heard.iter().zip(from) {
                assert!(heard.contains(&format!("from='{from}'")), "{probe}: {heard}");
                let gone = heard.contains("type='unavailable'");
                assert_eq!(gone, !available || to == "/gone", "{probe}: {heard}");
            }
            let romeos = scene.romeos.clone();
            let reached = romeos.iter().map(|one| scene.world.heard(one.0).len()).sum::<usize>();
            assert_eq!(reached, 0, "no client sees a probe");
        }
    }
}

#[test]
fn a_message_without_type_or_of_an_unknown_one_is_normal_rfc6121_5_2_2() {
    for priorities in PRIORITIES {
        for head in ["", "type='telegram'"] {
            for to in ["romeo@x", "romeo@x/gone", "romeo@x/0", "nobody@x"] {
                let mut scene = Scene::of(NONE, priorities, true);
                let normal = scene.send(&stanza("message", "normal", to));
                let xml = format!("<message to='{to}' {head}><body>hark</body></message>");
                let (reached, heard) = scene.send(&xml);
                assert_eq!((reached, heard.len()), (normal.0, normal.1.len()), "{xml}");
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

#[test]
fn a_second_bind_is_not_allowed_rfc6120_7_1() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
    world.says(juliet, JULIET, &format!("<iq type='set' id='1'>{bind}</iq>"));
    let heard = world.heard(juliet);
    assert!(heard.len() == 1 && heard[0].contains("<not-allowed "), "{heard:?}");
}

#[test]
fn a_session_is_granted_to_old_clients_rfc3921_3() {
    let mut world = World::of(NONE);
    let juliet = world.online(JULIET, 1);
    let session = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>";
    for to in ["", "to='x'", "to='juliet@x'"] {
        world.says(juliet, JULIET, &format!("<iq type='set' id='1' {to}>{session}</iq>"));
        let heard = world.heard(juliet);
        assert!(heard.len() == 1 && heard[0].contains("type='result'"), "{to}: {heard:?}");
    }
    world.says(juliet, JULIET, &format!("<iq type='set' id='1' to='romeo@x'>{session}</iq>"));
    let heard = world.heard(juliet);
    assert!(heard[0].contains("type='error'"), "what is for another is his to grant: {heard:?}");
}
