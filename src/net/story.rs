//! A connection as the log tells it: opened, secured, bound, closed and why. Never a stanza or
//! a password.

use crate::shell::Shell;
use engine::{ctx::Moment, stream::sasl::Failure, wire::Jid};
use std::net::SocketAddr;

/// What is told of one connection.
pub(crate) struct Story {
    peer: SocketAddr,
    opened: Moment,
    jid: Option<Jid>,
}

impl Story {
    pub(crate) fn opened(peer: SocketAddr, now: Moment) -> Self {
        tracing::debug!(%peer, "connection opened");
        Self { peer, opened: now, jid: None }
    }

    pub(crate) fn secured(&self, version: &'static str) {
        tracing::debug!(peer = %self.peer, version, "connection secured");
    }

    pub(crate) fn tried(
        &self,
        shell: &Shell,
        mechanism: &'static str,
        outcome: Result<(), Failure>,
    ) {
        let peer = self.peer;
        match outcome {
            Ok(()) => shell.meters.login(mechanism, "ok"),
            Err(failure) => {
                let why = failure.why();
                shell.meters.login(mechanism, why);
                tracing::info!(%peer, mechanism, why, "login failed");
            }
        }
    }

    pub(crate) fn bound(&mut self, jid: &Jid) {
        tracing::info!(peer = %self.peer, %jid, "client bound");
        self.jid = Some(jid.clone());
    }

    /// `kind` is one of few words, for the metric; `why` is for people.
    pub(crate) fn closed(&self, shell: &Shell, kind: &'static str, why: &str) {
        shell.meters.closed(kind);
        let seconds = shell.clock.now().0.saturating_sub(self.opened.0) / 1000;
        let peer = self.peer;
        match &self.jid {
            Some(jid) => tracing::info!(%peer, %jid, kind, why, seconds, "client gone"),
            None => tracing::debug!(%peer, kind, why, seconds, "connection closed"),
        }
    }
}
