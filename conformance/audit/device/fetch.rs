//! Page by page, a device reads the archive of its account or of a room (XEP-0313, XEP-0059).

use super::Living;
use crate::{
    audit::{history::What, link::Link, message},
    driver::Broken,
    tree::{Tree, escaped},
};
use std::sync::atomic::Ordering::Relaxed;

const MAM: &str = "urn:xmpp:mam:2";
const RSM: &str = "http://jabber.org/protocol/rsm";
const ROWS_PER_PAGE: u32 = 100;

/// What is being fetched.
pub struct Fetch {
    /// The name behind which the next page begins.
    after: Option<String>,
    /// The room whose archive it is; none: that of the account.
    room: Option<String>,
    /// The rows so far, when all of them are wanted: noted when they are complete.
    rows: Option<Vec<(String, u64)>>,
    page: u32,
}

impl Fetch {
    /// What a device has missed since it saw this name.
    pub fn missed(since: Option<String>) -> Self {
        Self { after: since, room: None, rows: None, page: 0 }
    }

    /// The whole archive.
    pub fn all() -> Self {
        Self { after: None, room: None, rows: Some(Vec::new()), page: 0 }
    }

    /// The same of a room.
    pub fn of(self, room: &str) -> Self {
        Self { room: Some(room.to_owned()), ..self }
    }

    /// The same on another connection, from the page that did not come.
    pub fn anew(self) -> Self {
        Self { page: self.page + 1, ..self }
    }

    /// Whether it goes on when there is a session again.
    pub fn is_to_go_on(&self) -> bool {
        self.room.is_none() || self.rows.is_some()
    }

    fn id(&self) -> String {
        let whose = if self.room.is_some() { "room-" } else { "" };
        format!("{whose}page{}", self.page)
    }

    fn query(&self) -> String {
        let after = self
            .after
            .as_ref()
            .map_or(String::new(), |after| format!("<after>{}</after>", escaped(after)));
        let id = self.id();
        let to = self.room.as_ref().map_or(String::new(), |room| format!(" to='{room}'"));
        format!(
            "<iq type='set' id='{id}'{to}><query xmlns='{MAM}' queryid='{id}'><set xmlns='{RSM}'>\
             <max>{ROWS_PER_PAGE}</max>{after}</set></query></iq>"
        )
    }
}

impl Living<'_> {
    /// Asks for a page.
    pub(super) fn fetch(&mut self, link: &mut Link, fetch: Fetch) -> Result<(), Broken> {
        let query = fetch.query();
        self.progress().fetching.store(true, Relaxed);
        self.fetch = Some(fetch);
        self.say(link, query, None)
    }

    /// Whether this was a row of the whole archive, which is no arrival.
    pub(super) fn take_row(&mut self, stanza: &Tree) -> bool {
        let Some(fetch) = &mut self.fetch else { return false };
        let query = fetch.id();
        let Some(rows) = &mut fetch.rows else { return false };
        let Some((name, id)) = message::row(self.stage.run, stanza, &query) else { return false };
        rows.extend(id.map(|id| (name, id)));
        true
    }

    /// An answer to one of its requests.
    pub(super) fn fetched(
        &mut self,
        link: &mut Link,
        id: &str,
        answer: &Tree,
    ) -> Result<(), Broken> {
        let Some(mut fetch) = self.fetch.take_if(|fetch| fetch.id() == id) else { return Ok(()) };
        let Some(fin) = answer.child(MAM, "fin") else {
            if !fetch.is_to_go_on() {
                self.asks_later();
                self.progress().fetching.store(false, Relaxed);
                return Ok(());
            }
            let why = format!("no page of the archive: {answer}");
            self.note(What::Wrong { device: self.part.device, why });
            self.complete(fetch);
            return Ok(());
        };
        let last = fin.child(RSM, "set").and_then(|set| set.child(RSM, "last")).map(Tree::text);
        let complete = matches!(fin.attribute("complete"), Some("true" | "1"));
        match last.filter(|_| !complete) {
            Some(last) => {
                if fetch.room.is_some() && fetch.rows.is_none() {
                    self.caught_up(Some(last.clone()));
                }
                fetch.after = Some(last);
                fetch.page += 1;
                self.fetch(link, fetch)
            }
            None => {
                self.complete(fetch);
                Ok(())
            }
        }
    }

    fn complete(&mut self, fetch: Fetch) {
        match fetch.rows {
            Some(rows) => {
                let room = self.attendance.as_ref().filter(|_| fetch.room.is_some());
                let log = room.map_or(self.part.log, |attendance| attendance.log());
                for (stanza_id, id) in rows {
                    self.note(What::Row { log, stanza_id, id });
                }
                self.archives += 1;
            }
            None if fetch.room.is_some() => self.caught_up(None),
            None => {}
        }
        self.progress().fetching.store(false, Relaxed);
    }

    pub(super) fn may_read(&self) -> bool {
        self.fetch.is_none() && !self.progress().read.load(Relaxed)
    }

    /// Reads the next archive that it is to read: that of its account, then that of the room that
    /// it has made.
    pub(super) fn read_on(&mut self, link: &mut Link) -> Result<(), Broken> {
        let room = self.attendance.as_ref().filter(|attendance| attendance.is_owner());
        let room = room.map(|attendance| attendance.room().to_owned());
        match (self.archives, room) {
            (0, _) => self.fetch(link, Fetch::all()),
            (1, Some(room)) => self.fetch(link, Fetch::all().of(&room)),
            _ => {
                self.progress().read.store(true, Relaxed);
                Ok(())
            }
        }
    }
}
