//! One connection to the toy.

use super::{Bug, Live, Unit, World, kept::Message, lock, say};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use conformance::tree::{Growth, Heard, Tree};
use std::{io::Read, net::TcpStream, sync::Mutex};

const RSM: &str = "http://jabber.org/protocol/rsm";
const CARBONS: &str = "urn:xmpp:carbons:2";
const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='x' from='localhost'>";

struct Connection {
    bug: Bug,
    socket: TcpStream,
    account: String,
    jid: String,
    session: Option<String>,
    serial: u64,
}

/// Serves it until it ends, or a kill has made the world another one.
pub fn serve(bug: Bug, mut reader: TcpStream, world: &Mutex<World>) {
    reader.set_nodelay(true).unwrap();
    let socket = reader.try_clone().unwrap();
    let (kills, serial) = {
        let mut world = lock(world);
        world.sockets.push(socket.try_clone().unwrap());
        world.serials += 1;
        (world.kills, world.serials)
    };
    let (account, jid, session) = (String::new(), String::new(), None);
    let mut connection = Connection { bug, socket, account, jid, session, serial };
    let mut growth = Growth::new();
    let mut bytes = [0; 8192];
    while let Ok(count @ 1..) = reader.read(&mut bytes) {
        for heard in growth.read(&bytes[..count]).0 {
            let mut world = lock(world);
            if world.kills != kills {
                return;
            }
            match heard {
                Heard::Header(_) => connection.greet(),
                Heard::Element(tree) if tree.local == "auth" => {
                    connection.authenticate(&tree);
                    growth = Growth::new();
                }
                Heard::Element(tree) => connection.take(&mut world, &tree),
                Heard::Close => break,
            }
        }
    }
    let mut world = lock(world);
    if world.kills == kills {
        connection.leave(&mut world);
    }
}

impl Connection {
    fn say(&mut self, text: &str) {
        say(&mut self.socket, text);
    }

    fn greet(&mut self) {
        let offer = match self.account.as_str() {
            "" => {
                "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN\
                 </mechanism></mechanisms>"
            }
            _ => "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='urn:xmpp:sm:3'/>",
        };
        self.say(&format!("{HEADER}<stream:features>{offer}</stream:features>"));
    }

    fn authenticate(&mut self, tree: &Tree) {
        let plain = String::from_utf8(BASE64.decode(tree.text()).unwrap()).unwrap();
        self.account = format!("{}@localhost", plain.split('\0').nth(1).unwrap());
        self.say("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    }

    /// Its session has no connection any more, and can be resumed.
    fn leave(&mut self, world: &mut World) {
        let Some(session) = &self.session else { return };
        if world.live.get(session).is_some_and(|live| live.serial == self.serial) {
            let live = world.live.remove(session).unwrap();
            world.left.insert(session.clone(), live.out);
        }
    }

    fn take(&mut self, world: &mut World, tree: &Tree) {
        match tree.local.as_str() {
            "enable" => self.enable(world),
            "resume" => self.resume(world, tree),
            "r" => {
                let h = self.h(world);
                self.say(&format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>"));
            }
            "a" => self.acked(world, tree),
            _ => self.stanza(world, tree),
        }
    }

    fn live<'w>(&self, world: &'w mut World) -> Option<&'w mut Live> {
        let live = world.live.get_mut(self.session.as_ref()?)?;
        (live.serial == self.serial).then_some(live)
    }

    fn h(&self, world: &mut World) -> u32 {
        let received = self.live(world).map_or(0, |live| live.received);
        if self.bug == Bug::AckBeforeCommit {
            return received;
        }
        self.session.as_ref().map_or(0, |session| world.kept.session(session).h)
    }

    fn goes_live(&mut self, world: &mut World, id: &str, received: u32, available: bool) {
        let (socket, serial) = (self.socket.try_clone().unwrap(), self.serial);
        let live = Live { socket, received, out: Vec::new(), available, serial };
        world.live.insert(id.to_owned(), live);
        self.session = Some(id.to_owned());
    }

    fn enable(&mut self, world: &mut World) {
        let id = world.kept.begin(&self.account, &self.jid);
        self.goes_live(world, &id, 0, false);
        self.say(&format!("<enabled xmlns='urn:xmpp:sm:3' id='{id}' resume='true'/>"));
    }

    fn resume(&mut self, world: &mut World, tree: &Tree) {
        let id = tree.attribute("previd").unwrap().to_owned();
        let told: u32 = tree.attribute("h").unwrap().parse().unwrap();
        if !world.kept.knows(&id) {
            return self.say("<failed xmlns='urn:xmpp:sm:3'/>");
        }
        // The connection before may not have been seen to end.
        let live = world.live.remove(&id).map(|live| live.out);
        let left = world.left.remove(&id).or(live);
        let session = world.kept.session(&id).clone();
        let h = session.h;
        self.say(&format!("<resumed xmlns='urn:xmpp:sm:3' previd='{id}' h='{h}'/>"));
        self.goes_live(world, &id, h, true);
        let killed = left.is_none();
        // After a kill nobody knows what the client has: all since the mark is sent again.
        let missing: Vec<Option<usize>> = left.map_or_else(
            || (session.mark..session.cursor).map(Some).collect(),
            |out| {
                let has = (told.wrapping_sub(session.acked) as usize).min(out.len());
                let twice = if self.bug == Bug::DuplicateOnResume { 2 } else { 0 };
                out[has.saturating_sub(twice)..].to_vec()
            },
        );
        world.kept.session_mut(&id).acked = told;
        self.resend(world, &id, &missing, killed);
    }

    fn resend(&self, world: &mut World, id: &str, missing: &[Option<usize>], killed: bool) {
        let session = world.kept.session(id).clone();
        let mark = if self.bug == Bug::RenamedOnResume { "x" } else { "" };
        for place in missing {
            let text = place.and_then(|place| world.kept.stanza(&session, place, killed, mark));
            // An answer to a request of the client is not sent again.
            self.send(world, *place, text.as_deref().unwrap_or("<presence/>"));
        }
        let rows = world.kept.rows(&session.account);
        match self.bug {
            Bug::WrongCursor if session.cursor < rows => {
                world.kept.moved(id, session.cursor + 1);
            }
            Bug::DroppedCarbon => {
                for place in session.cursor..rows {
                    let text = world.kept.stanza(&session, place, true, "");
                    if let Some(text) = text.filter(|text| !text.contains(CARBONS)) {
                        self.send(world, Some(place), &text);
                    }
                }
                world.kept.moved(id, rows);
            }
            _ => {}
        }
        world.deliver(id, true);
    }

    fn acked(&self, world: &mut World, tree: &Tree) {
        let h: u32 = tree.attribute("h").unwrap().parse().unwrap();
        let World { kept, live, .. } = world;
        let Some(session) = &self.session else { return };
        let Some(live) = live.get_mut(session) else { return };
        let known = kept.session_mut(session);
        let count = (h.wrapping_sub(known.acked) as usize).min(live.out.len());
        known.acked = h;
        let last = live.out.drain(..count).flatten().last();
        known.mark = last.map_or(known.mark, |place| place + 1);
    }

    fn stanza(&mut self, world: &mut World, tree: &Tree) {
        if let Some(live) = self.live(world) {
            live.received += 1;
        }
        match tree.local.as_str() {
            "message" => self.message(world, tree),
            "presence" => {
                let Some(live) = self.live(world) else { return };
                live.available = true;
                self.settled(world);
                world.deliver(&self.session.clone().unwrap(), true);
            }
            _ => self.iq(world, tree),
        }
    }

    /// What was received last needs no commit, if nothing before it waits for one.
    fn settled(&self, world: &mut World) {
        let Some(id) = &self.session else { return };
        if world.waiting.iter().any(|unit| unit.session == *id) {
            return;
        }
        if let Some(live) = world.live.get(id) {
            world.kept.settle(id, live.received);
        }
    }

    fn message(&mut self, world: &mut World, tree: &Tree) {
        let addressee = tree.attribute("to").unwrap().to_owned();
        let to = addressee.split('/').next().unwrap().to_owned();
        let (from, sender) = (self.account.clone(), self.jid.clone());
        let inside = tree.children().map(Tree::to_string).collect();
        let id = tree.attribute("id").unwrap().to_owned();
        let row = Message { from, to, sender, addressee, inside, id };
        let Some(live) = self.live(world) else { return };
        let number = live.received;
        let session = self.session.clone().unwrap();
        world.waiting.push(Unit { session, number, row });
        if self.bug == Bug::AckBeforeCommit {
            self.say(&format!("<a xmlns='urn:xmpp:sm:3' h='{number}'/>"));
        }
    }

    fn iq(&mut self, world: &mut World, tree: &Tree) {
        let id = tree.attribute("id").unwrap();
        let child = tree.children().next().unwrap();
        let text = match child.local.as_str() {
            "bind" => {
                let resource = child.children().next().unwrap().text();
                self.jid = format!("{}/{resource}", self.account);
                let jid = format!("<jid>{}</jid>", self.jid);
                format!("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{jid}</bind>")
            }
            "enable" => String::new(),
            "query" => self.query(world, id, child),
            _ => panic!("the toy does not know {tree}"),
        };
        self.settled(world);
        self.send(world, None, &format!("<iq type='result' id='{id}'>{text}</iq>"));
    }

    fn query(&self, world: &mut World, id: &str, query: &Tree) -> String {
        let set = query.child(RSM, "set").unwrap();
        let max = set.child(RSM, "max").unwrap().text().parse().unwrap();
        let after = set.child(RSM, "after").map(Tree::text);
        let account = &self.account;
        let rows = world.kept.page(account, after.as_deref(), max);
        for (name, text) in &rows {
            let text = format!(
                "<message from='{account}'><result xmlns='urn:xmpp:mam:2' queryid='{id}' \
                 id='{name}'><forwarded xmlns='urn:xmpp:forward:0'>{text}</forwarded></result>\
                 </message>"
            );
            self.send(world, None, &text);
        }
        let complete = rows.len() < max;
        let last = rows.last().map_or(String::new(), |(name, _)| format!("<last>{name}</last>"));
        let set = format!("<set xmlns='{RSM}'>{last}</set>");
        format!("<fin xmlns='urn:xmpp:mam:2' complete='{complete}'>{set}</fin>")
    }

    fn send(&self, world: &mut World, place: Option<usize>, text: &str) {
        match self.live(world) {
            Some(live) => {
                live.out.push(place);
                say(&mut live.socket, text);
            }
            None => say(&mut self.socket.try_clone().unwrap(), text),
        }
    }
}
