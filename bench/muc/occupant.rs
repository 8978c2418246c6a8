//! One occupant of the room: a session that enters, hears, and says what it is told to.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep};
use wire::{Kind, Name, Stanza, ns};

use super::floor::Floor;
use crate::message::{Composer, Mark};
use crate::session::Session;

const MUC: &str = "http://jabber.org/protocol/muc";
const USER: &str = "http://jabber.org/protocol/muc#user";
const OWNER: &str = "http://jabber.org/protocol/muc#owner";
const FORMS: &str = "jabber:x:data";
const QUERY: Name = Name::new(OWNER, "query");
const FORM: Name = Name::new(FORMS, "x");
/// What servers call how much is told to who enters.
const HISTORY: [&str; 2] = ["muc#maxhistoryfetch", "muc#roomconfig_historylength"];

/// How long after it was told to wait an occupant tries again.
const AGAIN: Duration = Duration::from_millis(200);

/// What all share.
pub struct Room {
    pub jid: String,
    pub floor: Mutex<Floor>,
    /// Occupants whom each has seen, all added up.
    pub seen: Mutex<u64>,
    /// Who are in.
    pub inside: AtomicU64,
    /// How many may be under way at once: one more with each message that all have heard.
    pub window: Semaphore,
    pub body_bytes: usize,
}

impl Room {
    /// Of which nothing has been heard, with a window of so many messages.
    pub fn new(jid: String, floor: Floor, window: usize, body_bytes: usize) -> Self {
        Self {
            jid,
            floor: Mutex::new(floor),
            seen: Mutex::new(0),
            inside: AtomicU64::new(0),
            window: Semaphore::new(window),
            body_bytes,
        }
    }

    pub fn floor(&self) -> MutexGuard<'_, Floor> {
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn seen(&self) -> MutexGuard<'_, u64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an occupant is told to do.
pub enum Command {
    /// Enter, and tell when it is in.
    Enter(oneshot::Sender<()>),
    /// Say the next thing, due at this time.
    Say(Instant),
    /// Give the session back.
    Rise,
}

/// An occupant.
pub struct Occupant {
    room: Arc<Room>,
    number: usize,
    session: Session,
    composer: Composer,
    /// One bit for each occupant that it sees.
    sees: Vec<u64>,
    enters: Option<oneshot::Sender<()>>,
}

impl Occupant {
    pub fn new(room: Arc<Room>, number: usize, occupants: usize, session: Session) -> Self {
        let composer = Composer::groupchat(&room.jid, room.body_bytes);
        let sees = vec![0; occupants.div_ceil(64)];
        Self { room, number, session, composer, sees, enters: None }
    }

    /// Hears, and does what it is told, until it is to give the session back.
    ///
    /// # Errors
    /// When the connection is lost, or something is heard that must not be.
    pub async fn live(mut self, mut told: mpsc::UnboundedReceiver<Command>) -> Result<Session> {
        loop {
            let command = tokio::select! {
                biased;
                stanza = self.session.stanza() => {
                    let stanza = stanza.with_context(|| format!("occupant {}", self.number))?;
                    self.hear(&stanza)?;
                    continue;
                }
                command = told.recv() => command,
            };
            match command {
                Some(Command::Enter(is_in)) => {
                    self.session.post(enter(&self.room.jid, self.number, 0).as_bytes());
                    self.enters = Some(is_in);
                }
                Some(Command::Say(due)) => {
                    let sender = u16::try_from(self.number)?;
                    let mark = self.room.floor().says(sender, due);
                    self.session.compose(|output| self.composer.write(mark, output));
                }
                Some(Command::Rise) | None => return Ok(self.session),
            }
        }
    }

    fn hear(&mut self, stanza: &Stanza) -> Result<()> {
        ensure!(stanza.head.type_str() != "error", "refused: {}", stanza.to_text());
        match stanza.kind() {
            Kind::Message => {
                let Some(mark) = Mark::of(stanza) else { return Ok(()) };
                if self.room.floor().hears(self.number, mark)? {
                    self.room.window.add_permits(1);
                }
            }
            Kind::Presence => self.see(stanza)?,
            Kind::Iq => {}
        }
        Ok(())
    }

    fn see(&mut self, presence: &Stanza) -> Result<()> {
        let Some(number) = occupant(presence, &self.room.jid) else { return Ok(()) };
        ensure!(presence.head.type_str().is_empty(), "left: {}", presence.to_text());
        if is_own(presence)
            && let Some(is_in) = self.enters.take()
        {
            self.room.inside.fetch_add(1, Relaxed);
            // Who waits for it may have given up.
            let _ = is_in.send(());
        }
        let Some(seen) = self.sees.get_mut(number / 64) else {
            bail!("an occupant {number}");
        };
        let bit = 1 << (number % 64);
        if *seen & bit == 0 {
            *seen |= bit;
            *self.room.seen() += 1;
        }
        Ok(())
    }
}

/// The presence by which occupant `number` enters; it wants so much of what was said.
pub fn enter(room: &str, number: usize, history: usize) -> String {
    format!(
        "<presence to='{room}/o{number}'><x xmlns='{MUC}'><history maxstanzas='{history}'/></x>\
         </presence>"
    )
}

/// Whether it is of the session itself (XEP-0045 §7.2.2).
pub fn is_own(presence: &Stanza) -> bool {
    let x = presence.child(Name::new(USER, "x"));
    x.is_some_and(|x| {
        let mut statuses = x.children().filter(|child| child.local() == "status");
        statuses.any(|status| status.attribute("code").is_some_and(|code| code == "110"))
    })
}

/// Which occupant of the room it is from.
fn occupant(stanza: &Stanza, room: &str) -> Option<usize> {
    let from = stanza.head.from.as_ref()?.as_str().strip_prefix(room)?;
    from.strip_prefix("/o")?.parse().ok()
}

/// Opens the room that the session has just made, so that who enters is told `history` messages.
///
/// # Errors
/// When the server refuses.
pub async fn open(session: &mut Session, room: &str, history: usize) -> Result<()> {
    let empty = format!("<query xmlns='{OWNER}'><x xmlns='{FORMS}' type='submit'/></query>");
    session.request_of(Some(room), "open", "set", &empty, |_| {}).await?;
    let asked = format!("<query xmlns='{OWNER}'/>");
    let told = session.request_of(Some(room), "form", "get", &asked, |_| {}).await?;
    let form = told.child(QUERY).and_then(|query| query.child(FORM)).context("no form")?;
    let field = form.children().filter_map(|field| field.attribute("var"));
    let field = field.into_iter().find(|var| HISTORY.contains(&&**var));
    let Some(field) = field else { return Ok(()) };
    let filled = format!(
        "<query xmlns='{OWNER}'><x xmlns='{FORMS}' type='submit'><field var='FORM_TYPE'>\
         <value>http://jabber.org/protocol/muc#roomconfig</value></field><field var='{field}'>\
         <value>{history}</value></field></x></query>"
    );
    session.request_of(Some(room), "fill", "set", &filled, |_| {}).await?;
    Ok(())
}

/// Enters, and hears what was said before: exactly this, and then the subject (§7.2.13, §7.2.15).
/// While the room has no room in its line (all have just left it) it says that one shall try again.
///
/// # Errors
/// When it hears something else.
pub async fn enter_and_hear(
    session: &mut Session,
    room: &str,
    number: usize,
    said: &[Mark],
) -> Result<()> {
    session.post(enter(room, number, said.len()).as_bytes());
    let mut heard = Vec::with_capacity(said.len());
    loop {
        let stanza = session.stanza().await?;
        if is_to_wait(&stanza) {
            sleep(AGAIN).await;
            session.post(enter(room, number, said.len()).as_bytes());
            continue;
        }
        ensure!(stanza.head.type_str() != "error", "refused: {}", stanza.to_text());
        heard.extend(Mark::of(&stanza));
        if stanza.child(Name::new(ns::CLIENT, "subject")).is_some() {
            break;
        }
    }
    ensure!(heard == said, "it hears {} messages, not the last {}", heard.len(), said.len());
    Ok(())
}

/// Whether what was asked for may be asked for again later (RFC 6120 §8.3.2).
fn is_to_wait(stanza: &Stanza) -> bool {
    let error = stanza.child(Name::new(ns::CLIENT, "error"));
    error.and_then(|error| error.attribute("type")).is_some_and(|kind| kind == "wait")
}

/// Leaves, and waits until it is out.
///
/// # Errors
/// When the connection is lost.
pub async fn leave(session: &mut Session, room: &str, number: usize) -> Result<()> {
    session.post(format!("<presence type='unavailable' to='{room}/o{number}'/>").as_bytes());
    loop {
        let stanza = session.stanza().await?;
        let is_gone = stanza.kind() == Kind::Presence && stanza.head.type_str() == "unavailable";
        if is_gone && occupant(&stanza, room) == Some(number) {
            return Ok(());
        }
    }
}
