//! One bound session: says what a client says, answers what a client answers.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::time::timeout;
use wire::{Element, Frame, Framing, Kind, Name, Payload, Stanza, ns};

use crate::connect::Secured;

/// XEP-0198.
const SM: &str = "urn:xmpp:sm:3";
/// XEP-0280.
const CARBONS: &str = "urn:xmpp:carbons:2";
/// How long to wait for an answer that every server gives.
const PATIENCE: Duration = Duration::from_secs(60);
/// With stream management, an `<r/>` follows every this many stanzas.
const STANZAS_PER_REQUEST: u64 = 4;

/// A client's session.
pub struct Session {
    link: Secured,
    jid: String,
    management: Option<Management>,
}

/// The counters of XEP-0198 §4.
#[derive(Default)]
struct Management {
    sent: u64,
    acknowledged: u64,
    received: u32,
}

impl Session {
    /// A session that has just been bound to `jid`.
    pub fn new(link: Secured, jid: String) -> Self {
        Self { link, jid, management: None }
    }

    /// Its address.
    pub fn jid(&self) -> &str {
        &self.jid
    }

    /// The bare JID of the account.
    pub fn account(&self) -> &str {
        self.jid.split_once('/').map_or(&self.jid, |(bare, _)| bare)
    }

    /// Sends initial presence and waits until the server has taken it, which it shows by sending
    /// it back (RFC 6121 §4.2.2).
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn appear(&mut self) -> Result<()> {
        self.post(b"<presence/>");
        let jid = self.jid.clone();
        let is_own = |stanza: &Stanza| {
            stanza.kind() == Kind::Presence
                && stanza.head.from.as_ref().is_some_and(|from| from.as_str() == jid)
        };
        self.wait_for(is_own).await.with_context(|| format!("presence of {}", self.jid))?;
        Ok(())
    }

    /// Turns carbons on (XEP-0280 §4).
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn enable_carbons(&mut self) -> Result<()> {
        self.request("carbons", "set", &format!("<enable xmlns='{CARBONS}'/>")).await?;
        Ok(())
    }

    /// Turns stream management on (XEP-0198 §3).
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn enable_management(&mut self) -> Result<()> {
        self.link.say(&format!("<enable xmlns='{SM}' resume='true'/>"));
        timeout(PATIENCE, self.link.expect(Name::new(SM, "enabled"))).await??;
        self.management = Some(Management::default());
        Ok(())
    }

    /// How many contacts the roster has.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn contacts(&mut self) -> Result<usize> {
        let query = format!("<query xmlns='{}'/>", ns::ROSTER);
        let answer = self.request("roster", "get", &query).await?;
        let query = answer.child(Name::new(ns::ROSTER, "query")).context("no <query/>")?;
        Ok(query.children().count())
    }

    /// Asks for the roster, as clients do (RFC 6121 §2.2), which must have `count` contacts.
    ///
    /// # Errors
    /// When it has not.
    pub async fn fetch_roster(&mut self, count: usize) -> Result<()> {
        let found = self.contacts().await?;
        ensure!(found == count, "the roster has {found} contacts, not {count}: run `fill`");
        Ok(())
    }

    /// Puts `count` contacts into the roster (RFC 6121 §2.3); they need not exist.
    ///
    /// # Errors
    /// When the server refuses one.
    pub async fn fill_roster(&mut self, count: usize, domain: &str) -> Result<()> {
        for n in 1..=count {
            let item = format!(
                "<query xmlns='{}'><item jid='contact{n}@{domain}' name='Contact {n}'/></query>",
                ns::ROSTER
            );
            self.request("fill", "set", &item).await?;
        }
        Ok(())
    }

    /// How many contacts of the roster see this account, and are seen by it (RFC 6121 §2.1.2.5).
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn friends(&mut self) -> Result<usize> {
        let query = format!("<query xmlns='{}'/>", ns::ROSTER);
        let answer = self.request("friends", "get", &query).await?;
        let query = answer.child(Name::new(ns::ROSTER, "query")).context("no <query/>")?;
        let is_mutual = |item: &Element<'_>| {
            item.attribute("subscription").is_some_and(|subscription| subscription == "both")
        };
        Ok(query.children().filter(is_mutual).count())
    }

    async fn request(&mut self, id: &str, type_: &str, payload: &str) -> Result<Stanza> {
        self.request_with(id, type_, payload, |_| {}).await
    }

    /// Asks the own account, and waits for its answer; `meanwhile` is shown what comes before it.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn request_with(
        &mut self,
        id: &str,
        type_: &str,
        payload: &str,
        meanwhile: impl FnMut(&Stanza),
    ) -> Result<Stanza> {
        self.request_of(None, id, type_, payload, meanwhile).await
    }

    /// The same of somebody else.
    ///
    /// # Errors
    /// When it refuses or does not answer.
    pub async fn request_of(
        &mut self,
        to: Option<&str>,
        id: &str,
        type_: &str,
        payload: &str,
        mut meanwhile: impl FnMut(&Stanza),
    ) -> Result<Stanza> {
        let to = to.map_or(String::new(), |to| format!(" to='{to}'"));
        self.post(format!("<iq type='{type_}' id='{id}'{to}>{payload}</iq>").as_bytes());
        let is_answer = |stanza: &Stanza| {
            let is_it = stanza.kind() == Kind::Iq
                && stanza.head.id.as_ref().is_some_and(|got| &**got == id);
            if !is_it {
                meanwhile(stanza);
            }
            is_it
        };
        let answer = self.wait_for(is_answer).await.with_context(|| format!("{id} request"))?;
        ensure!(answer.head.type_str() == "result", "{}", answer.to_text());
        Ok(answer)
    }

    async fn wait_for(&mut self, mut wanted: impl FnMut(&Stanza) -> bool) -> Result<Stanza> {
        let search = async {
            loop {
                let stanza = self.stanza().await?;
                if wanted(&stanza) {
                    return Ok(stanza);
                }
            }
        };
        timeout(PATIENCE, search).await.context("no answer in time")?
    }

    /// Says everything that is to be said, then waits for the next stanza of interest.
    ///
    /// # Errors
    /// When the session has ended.
    pub async fn stanza(&mut self) -> Result<Stanza> {
        poll_fn(|cx| self.poll_stanza(cx)).await
    }

    /// Queues one stanza, given as XML; it leaves with the next poll.
    pub fn post(&mut self, stanza: &[u8]) {
        self.compose(|output| output.extend_from_slice(stanza));
    }

    /// Queues one stanza, which `write` appends to the output.
    pub fn compose(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.link.compose(write);
        let Some(management) = &mut self.management else { return };
        management.sent += 1;
        if management.sent.is_multiple_of(STANZAS_PER_REQUEST) {
            self.request_ack();
        }
    }

    /// Asks how much the server has taken responsibility for (XEP-0198 §4); without stream
    /// management nothing is asked.
    pub fn request_ack(&mut self) {
        if self.management.is_some() {
            self.link.say(&format!("<r xmlns='{SM}'/>"));
        }
    }

    /// Tells how much has been received, without being asked (XEP-0198 §4); without stream
    /// management nothing is told.
    pub fn acknowledge(&mut self) {
        if let Some(management) = &self.management {
            let h = management.received;
            self.link.say(&format!("<a xmlns='{SM}' h='{h}'/>"));
        }
    }

    /// How many stanzas the server has not acknowledged; 0 without stream management.
    pub fn unacknowledged(&self) -> u64 {
        self.management.as_ref().map_or(0, |counted| counted.sent - counted.acknowledged)
    }

    /// Moves output on, and returns the next stanza that the session does not answer by itself.
    pub fn poll_stanza(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stanza>> {
        loop {
            if let Poll::Ready(Err(error)) = self.link.poll_flush(cx) {
                return Poll::Ready(Err(error.into()));
            }
            match self.link.poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(frame)) => match self.take(frame) {
                    Ok(None) => {}
                    Ok(Some(stanza)) => return Poll::Ready(Ok(stanza)),
                    Err(error) => return Poll::Ready(Err(error)),
                },
            }
        }
    }

    fn take(&mut self, frame: Frame) -> Result<Option<Stanza>> {
        match frame {
            Frame::Stanza(stanza) => Ok(self.take_stanza(stanza)),
            Frame::Element(payload) => self.take_element(&payload).map(|()| None),
            Frame::Open(_) | Frame::Close => bail!("the server ended the stream of {}", self.jid),
        }
    }

    fn take_stanza(&mut self, stanza: Stanza) -> Option<Stanza> {
        if let Some(management) = &mut self.management {
            management.received = management.received.wrapping_add(1);
        }
        let is_query = stanza.kind() == Kind::Iq && matches!(stanza.head.type_str(), "get" | "set");
        if !is_query {
            return Some(stanza);
        }
        // A server that pings wants to hear something (XEP-0199 §4.1).
        self.compose(|output| stanza.result().write(Framing::Stream, output));
        None
    }

    fn take_element(&mut self, payload: &Payload) -> Result<()> {
        let element = payload.element();
        let Some(management) = self.management.as_mut().filter(|_| element.ns() == SM) else {
            bail!("the server says {}", payload.as_str());
        };
        if element.local() == "r" {
            self.acknowledge();
            return Ok(());
        }
        let h = element.attribute("h").context("<a/> without h")?;
        management.acknowledge(h.parse()?)
    }

    /// Ends the stream in order (RFC 6120 §4.4): waits until the server has ended its side.
    ///
    /// # Errors
    /// When the close could not be said.
    pub async fn close(mut self) -> Result<()> {
        self.link.say_close();
        self.link.flush().await?;
        let farewell =
            async { while !matches!(self.link.frame().await, Ok(Frame::Close) | Err(_)) {} };
        timeout(PATIENCE, farewell).await.context("the server does not end its stream")
    }
}

impl Management {
    /// `h` counts modulo 2^32 (XEP-0198 §4).
    fn acknowledge(&mut self, h: u32) -> Result<()> {
        let advance = h.wrapping_sub(self.acknowledged as u32);
        let acknowledged = self.acknowledged + u64::from(advance);
        ensure!(acknowledged <= self.sent, "h='{h}' is more than the {} sent", self.sent);
        self.acknowledged = acknowledged;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h_counts_on_past_two_to_the_32_xep_0198_section_4() {
        let start = u64::from(u32::MAX) - 1;
        let mut management = Management { sent: start + 4, acknowledged: start, received: 0 };
        management.acknowledge(1).expect("three more");
        assert_eq!(management.acknowledged, start + 3);
    }

    #[test]
    fn an_h_beyond_what_was_sent_is_an_error_xep_0198_section_4() {
        let mut management = Management { sent: 3, ..Management::default() };
        assert!(management.acknowledge(4).is_err());
        management.acknowledge(3).expect("all of it");
    }
}
