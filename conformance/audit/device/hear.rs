//! What comes to a device.

use super::{FIRST_STANZAS, Living};
use crate::{
    audit::{
        history::{Log, Via, What},
        link::Link,
        login::SM,
        message::{self, Came},
    },
    driver::Broken,
    tree::{CLIENT, Tree, escaped},
};
use std::time::Instant;

impl Living<'_> {
    pub(super) fn take(&mut self, link: &mut Link, tree: &Tree) -> Result<(), Broken> {
        self.heard = Instant::now();
        if tree.ns != CLIENT {
            return self.take_nonza(link, tree);
        }
        let came = message::read(self.stage.run, &self.account, tree);
        let id = came.as_ref().filter(|came| came.refused.is_none()).map(|came| came.id);
        if let Some(management) = &mut self.management {
            management.receives(id);
        }
        if self.take_row(tree) {
            return Ok(());
        }
        match came {
            Some(came) => self.take_message(came),
            None if tree.local == "iq" => return self.take_iq(link, tree),
            None if tree.local == "presence" => return self.take_presence(link, tree),
            None => {}
        }
        Ok(())
    }

    fn take_nonza(&mut self, link: &mut Link, tree: &Tree) -> Result<(), Broken> {
        if tree.is(SM, "r") {
            return self.tell(link);
        }
        if tree.is(SM, "a") {
            let h = tree.attribute("h").and_then(|h| h.parse().ok());
            return self.acked(h.ok_or(Broken(format!("no h: {tree}")))?);
        }
        Err(Broken(format!("came {tree}")))
    }

    /// What it has.
    pub(super) fn tell(&mut self, link: &mut Link) -> Result<(), Broken> {
        let Some(management) = &mut self.management else { return Ok(()) };
        let (h, ids) = (management.h(), management.tell());
        self.note(What::Told { device: self.part.device, ids });
        link.say(&format!("<a xmlns='{SM}' h='{h}'/>"))
    }

    pub(super) fn acked(&mut self, h: u32) -> Result<(), Broken> {
        let Some(management) = &mut self.management else { return Ok(()) };
        let device = self.part.device;
        self.available |= h >= FIRST_STANZAS;
        match management.ack(h) {
            Ok(ids) if ids.is_empty() => Ok(()),
            Ok(ids) => {
                self.note(What::Acked { device, h, ids });
                Ok(())
            }
            Err(why) => {
                self.note(What::Wrong { device, why: why.clone() });
                // Nothing is known of what it has: all of it is sent again, in another session.
                self.give_up();
                Err(Broken(why))
            }
        }
    }

    fn take_message(&mut self, came: Came) {
        let device = self.part.device;
        if let Some(condition) = came.refused {
            self.is_refused(&condition);
            return self.note(What::Refused { device, id: came.id, condition });
        }
        self.stage.heard();
        let via = match came.via {
            Via::Offline if self.resumed => Via::SmResend,
            Via::Live if !self.available && came.room.is_none() => Via::Early,
            via => via,
        };
        let stanza_id = came.name.map(|(_, name)| name);
        let was_fetched = via == Via::Mam;
        let log = self.heard_in(came.room.as_deref(), stanza_id.as_ref(), was_fetched);
        let Some(log) = log else { return };
        let (id, delay) = (came.id, came.delay);
        self.note(What::Recv { device, id, log, stanza_id, via, delay });
    }

    fn take_iq(&mut self, link: &mut Link, iq: &Tree) -> Result<(), Broken> {
        let id = iq.attribute("id").unwrap_or_default();
        if matches!(iq.attribute("type"), Some("get" | "set")) {
            let to = iq.attribute("from").map(|from| format!(" to='{}'", escaped(from)));
            let to = to.unwrap_or_default();
            return self.say(link, format!("<iq type='result' id='{}'{to}/>", escaped(id)), None);
        }
        if self.is_answered(link, id, iq)? {
            return Ok(());
        }
        self.fetched(link, id, iq)
    }

    /// The log of what has come by this name, which is the newest there now; nothing, of a room
    /// that is none of its own.
    fn heard_in(
        &mut self,
        room: Option<&str>,
        stanza_id: Option<&String>,
        was_fetched: bool,
    ) -> Option<Log> {
        let Some(room) = room else {
            self.newest = stanza_id.cloned().or(self.newest.take());
            return Some(self.part.log);
        };
        let attendance = self.attendance.as_mut().filter(|attendance| attendance.is(room))?;
        Some(attendance.hears(stanza_id, was_fetched))
    }
}
