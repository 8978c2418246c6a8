//! One character on its connection: negotiates, speaks, and hears one thing after the other.

mod login;

use crate::{
    driver::{Broken, Came, Door, Driver, Link, Patience, Transport},
    script::Character,
    tree::{CLIENT, Growth, Heard, STREAM, Tree, escaped},
};
use std::collections::VecDeque;

const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
const SASL2: &str = "urn:xmpp:sasl:2";
const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";

/// Why negotiation went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The server said this instead of what would have led on.
    Refused(Tree),
    /// Anything else.
    Other(String),
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Self {
        Self::Other(broken.0)
    }
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self::Other(why)
    }
}

impl From<Trouble> for String {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(tree) => format!("was refused with {tree}"),
            Trouble::Other(why) => why,
        }
    }
}

/// What is heard next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This.
    Heard(Heard),
    /// Nothing, as long as patience lasted.
    Nothing,
    /// The end of the connection.
    End,
}

impl Next {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Heard(heard) => format!("came {heard}"),
            Self::Nothing => "came nothing".into(),
            Self::End => "the connection ended".into(),
        }
    }
}

/// A character and its connection.
pub struct Actor {
    character: Character,
    link: Option<Link>,
    growth: Growth,
    heard: VecDeque<Heard>,
    flaw: Option<String>,
    features: Vec<Tree>,
    full: Option<String>,
}

impl Actor {
    /// Not connected.
    pub fn new(character: Character) -> Self {
        Self {
            character,
            link: None,
            growth: Growth::new(),
            heard: VecDeque::new(),
            flaw: None,
            features: Vec::new(),
            full: None,
        }
    }

    /// Who it is.
    pub fn character(&self) -> &Character {
        &self.character
    }

    /// The full JID of its last session.
    pub fn full(&self) -> Option<&str> {
        self.full.as_deref()
    }

    /// The stream features it has heard on its connection, list by list.
    pub fn offered(&self) -> &[Tree] {
        &self.features
    }

    /// Whether it has a connection that neither side is known to have ended.
    pub fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// Opens the connection, and nothing else.
    ///
    /// # Errors
    /// When there is nobody to connect to.
    pub fn connect(&mut self, driver: &mut dyn Driver) -> Result<(), Trouble> {
        let transport = driver.transport();
        let asked = self.character.property("door") == Some("direct");
        let direct = transport == Transport::Direct || transport == Transport::Tcp && asked;
        let door = if direct { Door::Direct } else { Door::StartTls };
        self.heard.clear();
        self.features.clear();
        self.flaw = None;
        self.link = Some(driver.open(door)?);
        self.restart();
        if direct { self.secure(driver) } else { Ok(()) }
    }

    /// Connects, secures, authenticates, binds.
    ///
    /// # Errors
    /// Where this does not lead on.
    pub fn log_in(&mut self, driver: &mut dyn Driver) -> Result<(), Trouble> {
        self.connect(driver)?;
        self.open(driver)?;
        if self.features.last().is_some_and(|last| last.child(TLS, "starttls").is_some()) {
            self.start_tls(driver)?;
            self.open(driver)?;
        }
        self.authenticate(driver)?;
        self.open(driver)?;
        self.bind(driver)
    }

    /// Says a stream header; hears the server's, and its features (RFC 6120 §4.3).
    ///
    /// # Errors
    /// When something else comes.
    pub fn open(&mut self, driver: &mut dyn Driver) -> Result<(), Trouble> {
        let header = format!(
            "<?xml version='1.0'?><stream:stream to='{}' version='1.0' xmlns='{CLIENT}' \
             xmlns:stream='{STREAM}'>",
            escaped(self.character.domain())
        );
        self.say(driver, header.as_bytes())?;
        match self.next(driver, Patience::Answer)? {
            Next::Heard(Heard::Header(_)) => {}
            other => return Err(format!("a stream header expected, {}", other.words()).into()),
        }
        self.expect(driver, STREAM, "features")?;
        Ok(())
    }

    /// Asks for TLS and begins it (RFC 6120 §5.4). Where there is TLS already, or none, what it
    /// leads to is had by another connection: a stream on which nothing has been said.
    ///
    /// # Errors
    /// When the server does not want it, or the handshake fails.
    pub fn start_tls(&mut self, driver: &mut dyn Driver) -> Result<(), Trouble> {
        if driver.transport() != Transport::Tcp {
            self.cut(driver);
            return self.connect(driver);
        }
        self.say(driver, format!("<starttls xmlns='{TLS}'/>").as_bytes())?;
        self.expect(driver, TLS, "proceed")?;
        self.secure(driver)
    }

    /// Begins TLS; a new stream header is expected from the server.
    ///
    /// # Errors
    /// When the handshake fails.
    pub fn secure(&mut self, driver: &mut dyn Driver) -> Result<(), Trouble> {
        let link = self.link()?;
        driver.secure(link)?;
        self.restart();
        Ok(())
    }

    /// From now on a new stream header is expected (RFC 6120 §4.3.3).
    pub fn restart(&mut self) {
        self.growth = Growth::new();
    }

    /// Hears it again, next.
    fn unhear(&mut self, tree: Tree) {
        self.heard.push_front(Heard::Element(tree));
    }

    /// What binds its channel by this type.
    pub fn channel(&self, driver: &dyn Driver, kind: &str) -> Option<Vec<u8>> {
        driver.channel(self.link?, kind)
    }

    /// Gets its resource (RFC 6120 §7).
    ///
    /// # Errors
    /// The error, or what else comes in the place of a result.
    pub fn bind(&mut self, driver: &mut dyn Driver) -> Result<(), Trouble> {
        let wish = self.character.resource().map_or(String::new(), |resource| {
            format!("<resource>{}</resource>", escaped(resource))
        });
        let iq = format!("<iq type='set' id='bind'><bind xmlns='{BIND}'>{wish}</bind></iq>");
        self.say(driver, iq.as_bytes())?;
        let reply = self.expect(driver, CLIENT, "iq")?;
        let jid = reply.child(BIND, "bind").and_then(|bind| bind.child(BIND, "jid"));
        match jid {
            Some(jid) if reply.attribute("type") == Some("result") => {
                self.full = Some(jid.text());
                Ok(())
            }
            _ => Err(Trouble::Refused(reply)),
        }
    }

    /// Closes its stream and waits for the server's end tag. Gives what came before it.
    ///
    /// # Errors
    /// When the server does not close its stream.
    pub fn disconnect(&mut self, driver: &mut dyn Driver) -> Result<Vec<Heard>, Trouble> {
        self.say(driver, b"</stream:stream>")?;
        let mut before = Vec::new();
        loop {
            match self.next(driver, Patience::Answer)? {
                Next::Heard(Heard::Close) => break,
                Next::Heard(heard) => before.push(heard),
                other => {
                    let why = format!("the end tag of the stream expected, {}", other.words());
                    return Err(why.into());
                }
            }
        }
        self.cut(driver);
        Ok(before)
    }

    /// Breaks the connection off.
    pub fn cut(&mut self, driver: &mut dyn Driver) {
        if let Some(link) = self.link.take() {
            driver.cut(link);
        }
    }

    /// Says bytes.
    ///
    /// # Errors
    /// When it is not connected.
    pub fn say(&mut self, driver: &mut dyn Driver, bytes: &[u8]) -> Result<(), Trouble> {
        driver.say(self.link()?, bytes);
        Ok(())
    }

    /// What it hears next.
    ///
    /// # Errors
    /// When what comes is not XML, or it is not connected.
    pub fn next(&mut self, driver: &mut dyn Driver, patience: Patience) -> Result<Next, Trouble> {
        loop {
            if let Some(heard) = self.heard.pop_front() {
                if let Heard::Element(tree) = &heard
                    && tree.is(STREAM, "features")
                {
                    self.features.push(tree.clone());
                }
                if let Heard::Element(tree) = &heard {
                    self.is_called(tree);
                }
                return Ok(Next::Heard(heard));
            }
            if let Some(flaw) = &self.flaw {
                return Err(format!("what came is no stream: {flaw}").into());
            }
            match driver.hear(self.link()?, patience) {
                Came::Bytes(bytes) => {
                    let (heard, flaw) = self.growth.read(&bytes);
                    self.heard.extend(heard);
                    self.flaw = flaw;
                }
                Came::Heard(heard) => self.heard.extend(heard),
                Came::Flaw(flaw) => self.flaw = Some(flaw),
                Came::Nothing => return Ok(Next::Nothing),
                Came::End => return Ok(Next::End),
            }
        }
    }

    /// Where a login has bound a resource, it tells so (XEP-0386 §4.3).
    fn is_called(&mut self, tree: &Tree) {
        let who = tree.child(SASL2, "authorization-identifier").map(Tree::text);
        self.full = who.filter(|who| who.contains('/')).or(self.full.take());
    }

    fn expect(&mut self, driver: &mut dyn Driver, ns: &str, local: &str) -> Result<Tree, Trouble> {
        match self.next(driver, Patience::Answer)? {
            Next::Heard(Heard::Element(tree)) if tree.is(ns, local) => Ok(tree),
            Next::Heard(Heard::Element(tree)) => Err(Trouble::Refused(tree)),
            other => Err(format!("<{local}/> expected, {}", other.words()).into()),
        }
    }

    fn link(&self) -> Result<Link, Trouble> {
        self.link.ok_or("is not connected".to_owned().into())
    }
}
