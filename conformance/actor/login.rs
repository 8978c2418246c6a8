//! How a character says who it is, by SASL in its two profiles.

use super::{Actor, Next, SASL2, Trouble};
use crate::{
    driver::{Driver, Patience},
    sasl::{self, Scram, Seen},
    tree::{Heard, Tree},
};

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
const CHANNEL: &str = "urn:xmpp:sasl-cb:0";

impl Actor {
    /// Says who it is (RFC 6120 §6.4).
    ///
    /// # Errors
    /// `<failure/>`, or what else comes in the place of `<success/>`.
    pub fn authenticate(&mut self, driver: &mut dyn Driver) -> Result<(), Trouble> {
        let local = self.character.local().to_owned();
        let password = self.character.property("password").unwrap_or_default().to_owned();
        let mechanism = self.mechanism()?;
        if mechanism == "ANONYMOUS" {
            // XEP-0175 §3: with nothing to say.
            self.say(driver, format!("<auth xmlns='{SASL}' mechanism='{mechanism}'/>").as_bytes())?;
            self.expect(driver, SASL, "success")?;
        } else if mechanism == "PLAIN" {
            let message = sasl::plain(&local, &password);
            self.say(driver, auth("PLAIN", &message).as_bytes())?;
            self.expect(driver, SASL, "success")?;
        } else {
            self.scram(driver, &mechanism, &local, &password)?;
        }
        self.restart();
        Ok(())
    }

    fn mechanism(&self) -> Result<String, Trouble> {
        if let Some(mechanism) = self.character.property("mechanism") {
            return Ok(mechanism.to_owned());
        }
        let features = self.features.last().ok_or("has not heard any features".to_owned())?;
        let offered = mechanisms(features);
        let mechanism = sasl::choose(offered.iter().map(String::as_str));
        Ok(mechanism.ok_or(format!("knows no mechanism of {offered:?}"))?.to_owned())
    }

    /// What it has seen of its connection: that it is bound to what `binding` says.
    fn seen(&self, driver: &dyn Driver) -> Result<Seen, Trouble> {
        let kind = self.character.property("binding").unwrap_or("tls-exporter");
        let channel = driver.channel(self.link()?, kind).map(|data| (kind.to_owned(), data));
        let features = self.features.last();
        let types = features.and_then(|last| last.child(CHANNEL, "sasl-channel-binding"));
        let named = |of: &Tree| of.attribute("type").map(str::to_owned);
        let types = types.map(|types| types.children().filter_map(named).collect());
        Ok(Seen {
            channel,
            mechanisms: features.map(mechanisms).unwrap_or_default(),
            types: types.unwrap_or_default(),
        })
    }

    fn scram(
        &mut self,
        driver: &mut dyn Driver,
        mechanism: &str,
        local: &str,
        password: &str,
    ) -> Result<(), Trouble> {
        let seen = self.seen(driver)?;
        let (mut scram, first) = Scram::start(mechanism, local, password, &seen)
            .ok_or(format!("does not know {mechanism}"))?;
        self.say(driver, auth(mechanism, &first).as_bytes())?;
        let challenge = self.expect(driver, SASL, "challenge")?.text();
        let answer = scram.answer(&challenge).ok_or(format!("bad challenge: {challenge}"))?;
        if self.character.property("offer") == Some("hashed") && !scram.is_told() {
            return Err(format!("no hash of what was offered: {challenge}").into());
        }
        self.say(driver, format!("<response xmlns='{SASL}'>{answer}</response>").as_bytes())?;
        let last = self.expect(driver, SASL, "success")?.text();
        if scram.is_proven(&last) { Ok(()) } else { Err("bad server signature".to_owned().into()) }
    }

    /// Says who it is, and this beside it (XEP-0388 §2.3). What ends the exchange is heard next.
    ///
    /// # Errors
    /// When the server does not know the password, or what comes is not SASL.
    pub fn authenticate_with(
        &mut self,
        driver: &mut dyn Driver,
        more: &str,
    ) -> Result<(), Trouble> {
        let local = self.character.local().to_owned();
        let password = self.character.property("password").unwrap_or_default().to_owned();
        let mechanism = self.mechanism()?;
        let (mut scram, first) = match mechanism.as_str() {
            "PLAIN" => (None, sasl::plain(&local, &password)),
            _ => {
                let started = Scram::start(&mechanism, &local, &password, &self.seen(driver)?);
                let (scram, first) = started.ok_or(format!("does not know {mechanism}"))?;
                (Some(scram), first)
            }
        };
        let first = format!(
            "<authenticate xmlns='{SASL2}' mechanism='{mechanism}'>\
             <initial-response>{first}</initial-response>{more}</authenticate>"
        );
        self.say(driver, first.as_bytes())?;
        if let Some(scram) = &mut scram {
            let challenge = match self.expect(driver, SASL2, "challenge") {
                Ok(challenge) => challenge.text(),
                Err(Trouble::Refused(tree)) => {
                    self.unhear(tree);
                    return Ok(());
                }
                Err(trouble) => return Err(trouble),
            };
            let answer = scram.answer(&challenge).ok_or(format!("bad challenge: {challenge}"))?;
            self.say(driver, format!("<response xmlns='{SASL2}'>{answer}</response>").as_bytes())?;
        }
        let last = match self.next(driver, Patience::Answer)? {
            Next::Heard(Heard::Element(tree)) if tree.ns == SASL2 => tree,
            other => return Err(format!("<success/> expected, {}", other.words()).into()),
        };
        let words = last.child(SASL2, "additional-data").map(Tree::text);
        let is_proven =
            scram.is_none_or(|scram| words.is_some_and(|words| scram.is_proven(&words)));
        if last.local != "failure" && !is_proven {
            return Err("bad server signature".to_owned().into());
        }
        self.unhear(last);
        Ok(())
    }
}

fn mechanisms(features: &Tree) -> Vec<String> {
    let list = features.child(SASL, "mechanisms");
    list.map(|list| list.children().map(Tree::text).collect()).unwrap_or_default()
}

fn auth(mechanism: &str, message: &str) -> String {
    format!("<auth xmlns='{SASL}' mechanism='{mechanism}'>{message}</auth>")
}
