//! The world of a server that is reached by BOSH (XEP-0124, XEP-0206).
//!
//! Every response is judged by itself: one `<body/>`, with children in namespaces of their own.

mod post;
mod session;

use crate::{
    driver::{Broken, Came, Door, Driver, Link, Patience, Transport},
    framing::take_apart,
    web::Server,
};
use post::Post;
use session::Session;
use std::{sync::Arc, time::Instant};

/// The namespace of `<body/>` (XEP-0124 §19.1).
pub const HTTPBIND: &str = "http://jabber.org/protocol/httpbind";

/// Sessions with a server.
pub struct Bosh {
    server: Server,
    sessions: Vec<Option<Session>>,
}

impl Bosh {
    /// No session yet.
    pub fn new(server: Server) -> Self {
        Self { server, sessions: Vec::new() }
    }
}

impl Driver for Bosh {
    fn transport(&self) -> Transport {
        Transport::Bosh
    }

    fn open(&mut self, _: Door) -> Result<Link, Broken> {
        // On connections of its own: those of one that the server has ended may be closing.
        self.sessions.push(Some(Session::new(Arc::new(Post::new(&self.server)))));
        Ok(Link(self.sessions.len() - 1))
    }

    fn say(&mut self, link: Link, bytes: &[u8]) {
        if let Some(session) = &mut self.sessions[link.0] {
            session.say(take_apart(bytes), Instant::now() + self.server.answer);
        }
    }

    fn secure(&mut self, _: Link) -> Result<(), Broken> {
        Err(Broken("TLS is not negotiated on BOSH (XEP-0206 §4)".into()))
    }

    /// A session is of no one connection.
    fn channel(&self, _: Link, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn hear(&mut self, link: Link, patience: Patience) -> Came {
        let Some(session) = &mut self.sessions[link.0] else { return Came::End };
        let patience = match patience {
            Patience::Answer => self.server.answer,
            Patience::Quiet => self.server.quiet,
        };
        let until = Instant::now() + patience;
        loop {
            match session.hear(until) {
                Ok(Some(heard)) if heard.is_empty() => {}
                Ok(Some(heard)) => return Came::Heard(heard),
                Ok(None) if session.has_ended() => return Came::End,
                Ok(None) => return Came::Nothing,
                Err(flaw) => return Came::Flaw(flaw),
            }
        }
    }

    fn cut(&mut self, link: Link) {
        if let Some(mut session) = self.sessions[link.0].take() {
            session.leave();
        }
    }
}
