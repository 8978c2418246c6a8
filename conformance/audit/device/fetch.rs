//! Page by page, a device reads the archive of its account (XEP-0313, XEP-0059).

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
    /// The rows so far, when all of them are wanted: noted when they are complete.
    rows: Option<Vec<(String, u64)>>,
    page: u32,
}

impl Fetch {
    /// What a device has missed since it saw this name.
    pub fn missed(since: Option<String>) -> Self {
        Self { after: since, rows: None, page: 0 }
    }

    /// The whole archive.
    pub fn all() -> Self {
        Self { after: None, rows: Some(Vec::new()), page: 0 }
    }

    /// The same on another connection, from the page that did not come.
    pub fn anew(self) -> Self {
        Self { page: self.page + 1, ..self }
    }

    fn id(&self) -> String {
        format!("page{}", self.page)
    }

    fn query(&self) -> String {
        let after = self
            .after
            .as_ref()
            .map_or(String::new(), |after| format!("<after>{}</after>", escaped(after)));
        let id = self.id();
        format!(
            "<iq type='set' id='{id}'><query xmlns='{MAM}' queryid='{id}'><set xmlns='{RSM}'>\
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
        let rows = self.fetch.as_mut().and_then(|fetch| fetch.rows.as_mut());
        let Some(rows) = rows else { return false };
        let Some((name, id)) = message::row(self.stage.run, stanza) else { return false };
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
            let why = format!("no page of the archive: {answer}");
            self.note(What::Wrong { device: self.part.device, why });
            self.progress().fetching.store(false, Relaxed);
            self.progress().read.store(true, Relaxed);
            return Ok(());
        };
        let last = fin.child(RSM, "set").and_then(|set| set.child(RSM, "last")).map(Tree::text);
        let complete = matches!(fin.attribute("complete"), Some("true" | "1"));
        match last.filter(|_| !complete) {
            Some(last) => {
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
        if let Some(rows) = fetch.rows {
            let log = self.part.log;
            for (stanza_id, id) in rows {
                self.note(What::Row { log, stanza_id, id });
            }
            self.progress().read.store(true, Relaxed);
        }
        self.progress().fetching.store(false, Relaxed);
    }
}
