//! An account's archive, page by page (XEP-0313), and what must be in it.

use anyhow::{Context, Result, bail, ensure};
use wire::{Element, Kind, Name, Stanza, ns};

use crate::message::Mark;
use crate::session::Session;

const MAM: &str = "urn:xmpp:mam:2";
const RSM: &str = "http://jabber.org/protocol/rsm";
const RESULT: Name = Name::new(MAM, "result");
const FIN: Name = Name::new(MAM, "fin");
const FORWARDED: Name = Name::new("urn:xmpp:forward:0", "forwarded");
const DELAY: Name = Name::new("urn:xmpp:delay", "delay");
const MESSAGE: Name = Name::new(ns::CLIENT, "message");
const BODY: Name = Name::new(ns::CLIENT, "body");
const SET: Name = Name::new(RSM, "set");

/// Where a page begins, or ends.
#[derive(Clone, Debug)]
pub enum Place {
    /// The oldest.
    Oldest,
    /// The oldest that came at this time or later (XEP-0082).
    Since(String),
    /// What follows this id.
    After(String),
    /// The newest.
    Newest,
    /// What precedes this id.
    Before(String),
}

/// One message of an archive.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name there.
    pub id: String,
    /// When it came (XEP-0203).
    pub stamp: String,
    /// What it says.
    pub mark: Mark,
}

/// What a query was answered with.
pub struct Page {
    /// In the order in which they came.
    pub rows: Vec<Row>,
    /// There is nothing beyond it.
    pub is_complete: bool,
}

impl Page {
    /// Asks for at most `max` messages of the session's account.
    ///
    /// # Errors
    /// When the server refuses, or does not answer as the document says.
    pub async fn ask(session: &mut Session, from: &Place, max: usize) -> Result<Self> {
        Self::ask_of(None, session, from, max).await
    }

    /// The same of a room.
    async fn ask_of(
        room: Option<&str>,
        session: &mut Session,
        from: &Place,
        max: usize,
    ) -> Result<Self> {
        let mut rows = Vec::with_capacity(max);
        let query = from.query(max);
        let answer = session
            .request_of(room, "page", "set", &query, |stanza| {
                rows.extend(result(stanza).map(Row::read));
            })
            .await
            .with_context(|| format!("a page from {from:?}"))?;
        let fin = answer.child(FIN).context("no <fin/>")?;
        let is_complete = fin.attribute("complete").is_some_and(|said| said == "true");
        let rows: Vec<Row> = rows.into_iter().collect::<Result<_>>()?;
        let page = Self { rows, is_complete };
        page.check_ends(fin)?;
        Ok(page)
    }

    /// Section 4.3: the set names the first and the last of the page.
    fn check_ends(&self, fin: Element<'_>) -> Result<()> {
        let (Some(first), Some(last)) = (self.rows.first(), self.rows.last()) else {
            return Ok(());
        };
        let set = fin.child(SET).context("no <set/>")?;
        for (name, row) in [("first", first), ("last", last)] {
            let told = set.child(Name::new(RSM, name)).with_context(|| format!("no <{name}/>"))?;
            ensure!(told.text() == row.id, "<{name}/> is not that of the page");
        }
        Ok(())
    }

    /// The page must have `count` of the messages `from`, `from` + 1 … of one sender's run.
    ///
    /// # Errors
    /// Says what it has instead.
    pub fn expect(&self, run: u32, from: u64, count: u64) -> Result<()> {
        let found: Vec<u64> = self.rows.iter().map(|row| row.mark.sequence).collect();
        let is_run = self.rows.iter().all(|row| row.mark.run == run);
        if !is_run || !found.iter().copied().eq(from..from + count) {
            bail!("not {count} from {from} of run {run:08x}, but {found:?}");
        }
        Ok(())
    }
}

impl Place {
    fn query(&self, max: usize) -> String {
        let (form, set) = match self {
            Self::Oldest => (String::new(), String::new()),
            Self::Since(start) => (started(start), String::new()),
            Self::After(id) => (String::new(), format!("<after>{id}</after>")),
            Self::Newest => (String::new(), "<before/>".to_owned()),
            Self::Before(id) => (String::new(), format!("<before>{id}</before>")),
        };
        format!("<query xmlns='{MAM}'>{form}<set xmlns='{RSM}'><max>{max}</max>{set}</set></query>")
    }
}

/// Section 4.1.2.
fn started(start: &str) -> String {
    format!(
        "<x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE' type='hidden'><value>{MAM}</value></field>\
         <field var='start'><value>{start}</value></field></x>"
    )
}

fn result(stanza: &Stanza) -> Option<Element<'_>> {
    (stanza.kind() == Kind::Message).then(|| stanza.child(RESULT)).flatten()
}

impl Row {
    /// Section 4.2.
    fn read(result: Element<'_>) -> Result<Self> {
        let id = result.attribute("id").context("a result without id")?.into_owned();
        let forwarded = result.child(FORWARDED).context("no <forwarded/>")?;
        let delay = forwarded.child(DELAY).context("no <delay/>")?;
        let stamp = delay.attribute("stamp").context("no stamp")?.into_owned();
        let body = forwarded.child(MESSAGE).and_then(|message| message.child(BODY));
        let mark = body.and_then(|body| Mark::parse(&body.text()));
        Ok(Self { id, stamp, mark: mark.context("a message that is not ours")? })
    }
}

/// The newest message in the session's archive must be this one.
///
/// # Errors
/// When it is not.
pub async fn expect_newest(session: &mut Session, run: u32, sequence: u64) -> Result<()> {
    let page = Page::ask(session, &Place::Newest, 1).await?;
    page.expect(run, sequence, 1).with_context(|| format!("archive of {}", session.account()))
}

/// The newest message in the session's archive must be of another run.
///
/// # Errors
/// When it is not.
pub async fn expect_nothing(session: &mut Session, run: u32) -> Result<()> {
    let page = Page::ask(session, &Place::Newest, 1).await?;
    let is_ours = page.rows.iter().any(|row| row.mark.run == run);
    ensure!(!is_ours, "archive of {}: it was to keep nothing", session.account());
    Ok(())
}

/// Tells the archive of the session's account what to keep: all, or nothing (section 6).
///
/// # Errors
/// When the server refuses.
pub async fn prefer(session: &mut Session, archived: bool) -> Result<()> {
    let default = if archived { "always" } else { "never" };
    let prefs = format!("<prefs xmlns='{MAM}' default='{default}'><always/><never/></prefs>");
    session.request_with("prefs", "set", &prefs, |_| {}).await?;
    Ok(())
}

/// The newest message in the archive of this room must be this one.
///
/// # Errors
/// When it is not.
pub async fn expect_newest_of(
    session: &mut Session,
    room: &str,
    run: u32,
    sequence: u64,
) -> Result<()> {
    let page = Page::ask_of(Some(room), session, &Place::Newest, 1).await?;
    page.expect(run, sequence, 1).with_context(|| format!("archive of {room}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sequence: u64) -> Row {
        let mark = Mark { run: 7, pair: 0, sequence, sent_us: 0 };
        Row { id: sequence.to_string(), stamp: String::new(), mark }
    }

    fn page(sequences: &[u64]) -> Page {
        Page { rows: sequences.iter().copied().map(row).collect(), is_complete: false }
    }

    #[test]
    fn a_page_without_a_gap_is_as_expected() {
        page(&[4, 5, 6]).expect(7, 4, 3).expect("it is");
        page(&[]).expect(7, 4, 0).expect("it is");
    }

    #[test]
    fn what_is_missing_doubled_disordered_or_strange_is_told() {
        for wrong in [&[4, 6][..], &[4, 4, 5], &[4, 6, 5], &[4, 5], &[4, 5, 6, 7], &[5, 6, 7]] {
            assert!(page(wrong).expect(7, 4, 3).is_err(), "{wrong:?}");
        }
        assert!(page(&[4, 5, 6]).expect(8, 4, 3).is_err());
    }

    #[test]
    fn a_result_is_read_and_its_set_compared_xep_0313_section_4() {
        let message = Stanza::parse_one(&format!(
            "<message><result xmlns='{MAM}' id='28'><forwarded xmlns='urn:xmpp:forward:0'>\
             <delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>\
             <message xmlns='jabber:client'><body>00000007 0 41 5 xx</body></message>\
             </forwarded></result></message>"
        ));
        let message = message.expect("a stanza");
        let row = Row::read(result(&message).expect("a result")).expect("a row");
        assert_eq!((&*row.id, &*row.stamp), ("28", "2010-07-10T23:08:25Z"));
        assert_eq!(row.mark.sequence, 41);
        let fin = |first| {
            let iq = format!(
                "<iq><fin xmlns='{MAM}'><set xmlns='{RSM}'><first>{first}</first>\
                 <last>28</last></set></fin></iq>"
            );
            Stanza::parse_one(&iq).expect("a stanza")
        };
        let page = Page { rows: vec![row], is_complete: true };
        page.check_ends(fin("28").child(FIN).expect("fin")).expect("they agree");
        assert!(page.check_ends(fin("27").child(FIN).expect("fin")).is_err());
    }
}
