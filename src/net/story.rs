//! A connection as the log tells it: opened, secured, bound, closed and why. Never a stanza or
//! a password.

use crate::{logins::Attempt, shell::Shell};
use engine::{
    ctx::Moment,
    stream::sasl::Failure,
    wire::{Bare, Jid},
};
use std::net::SocketAddr;
use tracing::field::display;

/// What is told of one connection.
pub(crate) struct Story {
    peer: SocketAddr,
    opened: Moment,
    jid: Option<Jid>,
    /// Who it is, when it acts as another account.
    by: Option<Box<Bare>>,
    /// The login under way. Boxed: it is there for a moment, the connection for days.
    attempt: Option<Box<Attempt>>,
}

impl Story {
    pub(crate) fn opened(peer: SocketAddr, now: Moment) -> Self {
        tracing::debug!(%peer, "connection opened");
        Self { peer, opened: now, jid: None, by: None, attempt: None }
    }

    pub(crate) fn secured(&self, version: &'static str) {
        tracing::debug!(peer = %self.peer, version, "connection secured");
    }

    /// Somebody wants to log in, if there is an attempt. Who is asked about more than once while
    /// it does (its password, then its device) makes one.
    pub(crate) fn attempts(&mut self, attempt: Option<Attempt>) {
        let Some(attempt) = attempt else { return };
        if self.attempt.as_ref().is_none_or(|under_way| under_way.account() != attempt.account()) {
            self.attempt = Some(Box::new(attempt));
        }
    }

    /// Who logs in is not whose account it is.
    pub(crate) fn impersonates(&mut self, by: Bare, account: &Bare) {
        tracing::info!(peer = %self.peer, %by, %account, "logged in as another account");
        self.by = Some(Box::new(by));
    }

    /// A login has ended. The line of one that failed is documented (`docs/fail2ban.md`): programs
    /// read it.
    pub(crate) fn tried(
        &mut self,
        shell: &Shell,
        mechanism: &'static str,
        outcome: Result<(), Failure>,
    ) {
        let (peer, attempt) = (self.peer, self.attempt.take());
        match outcome {
            Ok(()) => shell.meters.login(mechanism, "ok"),
            Err(failure) => {
                let why = failure.why();
                shell.meters.login(mechanism, why);
                let account = attempt.as_ref().map(|it| display(it.account()));
                tracing::info!(%peer, mechanism, why, account, "login failed");
            }
        }
        if let Some(attempt) = attempt {
            attempt.ended(outcome, shell.clock.now());
        }
    }

    pub(crate) fn bound(&mut self, jid: &Jid) {
        tracing::info!(peer = %self.peer, %jid, by = self.by(), "client bound");
        self.jid = Some(jid.clone());
    }

    pub(crate) fn resumed(&mut self, jid: &Jid) {
        tracing::info!(peer = %self.peer, %jid, "client resumed");
        self.jid = Some(jid.clone());
    }

    /// `kind` is one of few words, for the metric; `why` is for people.
    pub(crate) fn closed(&self, shell: &Shell, kind: &'static str, why: &str) {
        shell.meters.closed(kind);
        let seconds = shell.clock.now().0.saturating_sub(self.opened.0) / 1000;
        let peer = self.peer;
        match &self.jid {
            Some(jid) => {
                tracing::info!(%peer, %jid, by = self.by(), kind, why, seconds, "client gone");
            }
            None => tracing::debug!(%peer, kind, why, seconds, "connection closed"),
        }
    }

    fn by(&self) -> Option<&str> {
        self.by.as_ref().map(|by| by.as_str())
    }
}
