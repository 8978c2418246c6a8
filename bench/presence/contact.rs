//! One contact of the first account: online all the time, it hears what that does.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::mpsc;
use wire::{Kind, Name, Stanza, ns};

use super::circle::Watch;
use crate::session::Session;

const STATUS: Name = Name::new(ns::CLIENT, "status");

/// A contact.
pub struct Contact {
    watch: Arc<Watch>,
    session: Session,
    /// The number that the next presence must have; none when the first account is not here.
    expects: Option<usize>,
}

impl Contact {
    pub fn new(watch: Arc<Watch>, session: Session) -> Self {
        Self { watch, session, expects: None }
    }

    /// Hears, and says what it is told to, until nobody tells it anything any more.
    ///
    /// # Errors
    /// When the connection is lost, or something is heard that must not be.
    pub async fn live(mut self, mut told: mpsc::UnboundedReceiver<usize>) -> Result<()> {
        loop {
            let said = tokio::select! {
                biased;
                stanza = self.session.stanza() => {
                    let stanza = stanza.context("a contact")?;
                    self.hear(&stanza)?;
                    continue;
                }
                said = told.recv() => said,
            };
            match said {
                Some(number) => self.session.post(status(number).as_bytes()),
                None => return self.session.close().await,
            }
        }
    }

    fn hear(&mut self, stanza: &Stanza) -> Result<()> {
        if stanza.kind() != Kind::Presence || !self.watch.is_of_hub(stanza) {
            return Ok(());
        }
        match (stanza.head.type_str(), self.expects, number(stanza)) {
            ("", None, None) => {
                self.expects = Some(0);
                self.watch.seen();
            }
            ("", Some(expected), Some(heard)) => {
                ensure!(heard == expected, "heard change {heard}, not {expected}");
                self.expects = Some(expected + 1);
                self.watch.heard(heard)?;
            }
            ("unavailable", Some(_), _) => {
                self.expects = None;
                self.watch.gone();
            }
            _ => bail!("heard {} when it expected {:?}", stanza.to_text(), self.expects),
        }
        Ok(())
    }
}

/// Presence with a number.
pub fn status(number: usize) -> String {
    format!("<presence><status>{number}</status></presence>")
}

/// The number of a presence.
pub fn number(presence: &Stanza) -> Option<usize> {
    presence.child(STATUS)?.text().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presence_carries_its_number() {
        let stanza = Stanza::parse_one(&status(41)).expect("a stanza");
        assert_eq!(number(&stanza), Some(41));
        let other = Stanza::parse_one("<presence><status>at home</status></presence>");
        assert_eq!(number(&other.expect("a stanza")), None);
    }
}
