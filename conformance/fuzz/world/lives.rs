//! Sessions that outlive their streams (XEP-0198 §5), as clients know them: what they have got and
//! said, what they claim, rightly or not; and the end of the process.

use super::*;
use arbitrary::Arbitrary;
use engine::{
    managed::token,
    wire::{Element, Payload, ns},
};

const SM: &str = "urn:xmpp:sm:3";
const SASL2: &str = "urn:xmpp:sasl:2";

/// A session whose stream is managed.
pub(super) struct Life {
    /// By this the ledger knows it.
    session: Link,
    /// The stream that it has, or had last.
    link: Link,
    seat: usize,
    jid: Jid,
    /// By which it is resumed.
    id: Option<String>,
    /// So many stanzas has it got since counting began (XEP-0198 §4: of 32 bits).
    got: u32,
    /// What it has said since.
    said: Vec<Saying>,
    /// So many of which have been dealt with, as it was told.
    acked: usize,
    /// Nobody may come back to it.
    over: bool,
    /// The process was killed, and it has not been resumed since.
    killed: bool,
    /// Its client has said what may have been stanzas, or none.
    garbled: bool,
}

impl Life {
    /// So many of what it has said were stanzas, as it is told.
    fn has_said(&mut self, h: usize) {
        while self.garbled && self.said.len() < h {
            self.said.push(Saying { number: None, again: false, xml: String::new() });
        }
    }
}

/// What was said on a managed stream.
pub(super) struct Saying {
    number: Option<usize>,
    /// It is said again when it may have been lost.
    again: bool,
    xml: String,
}

/// By what a session is claimed.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Token {
    Right,
    Garbage(u8),
    Empty,
    Long,
    None,
}

/// How many stanzas a client says that it has got.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Count {
    Right,
    Behind(u8),
    Ahead(u8),
    Huge,
    Negative,
    NoNumber,
    None,
}

/// How a session is claimed.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Way {
    /// Behind SASL; what follows when it fails.
    Alone { binds: bool },
    /// Inline in SASL2, with a wish for a resource or not (XEP-0386).
    Inline { binds: bool },
}

impl Token {
    fn of(self, id: &str) -> Option<String> {
        Some(match self {
            Self::Right => id.to_owned(),
            Self::Garbage(byte) => {
                let at = usize::from(byte) % id.len();
                format!("{}{}", &id[..at], byte)
            }
            Self::Empty => String::new(),
            Self::Long => id.repeat(100),
            Self::None => return None,
        })
    }
}

impl Count {
    fn of(self, got: u32) -> Option<String> {
        Some(match self {
            Self::Right => got.to_string(),
            Self::Behind(by) => got.saturating_sub(u32::from(by % 8)).to_string(),
            Self::Ahead(by) => got.wrapping_add(u32::from(by % 8)).to_string(),
            Self::Huge => u32::MAX.to_string(),
            Self::Negative => "-1".into(),
            Self::NoNumber => "many".into(),
            Self::None => return None,
        })
    }
}

/// What a client claims.
pub(super) struct Claim {
    id: String,
    h: Option<u32>,
    /// What it says when it does not get that.
    next: String,
}

/// What clients do.
impl World {
    /// A client loses its stream, and the server does not hear of that.
    pub fn loses(&mut self, stream: usize) {
        if let Some(stream) = self.pick(stream) {
            stream.lost = true;
        }
    }

    /// The server hears of a stream that its client has lost.
    pub fn hears_of_loss(&mut self, which: usize) -> bool {
        let lost: Vec<_> = self.streams.iter().filter(|one| one.lost && !one.closed).collect();
        let Some(at) = which.checked_rem(lost.len()) else { return false };
        let link = lost[at].link;
        self.tell(link, machine::Input::Gone);
        true
    }

    /// A client tells what it has got.
    pub fn acks(&mut self, stream: usize, count: Count) {
        let Some(link) = self.pick(stream).map(|stream| stream.link) else { return };
        // Who does not know yet that it has its session has nothing to tell.
        let Some(got) = self.life(link).map(|life| life.got) else { return };
        self.stream(link).errs |= !matches!(count, Count::Right);
        let ack = format!("<a xmlns='{SM}'{}/>", attribute(count.of(got).as_deref()));
        self.tell(link, machine::Input::Bytes(ack.as_bytes()));
    }

    /// Somebody claims a session: who had it, or another.
    pub fn resumes(
        &mut self,
        which: usize,
        by: Option<usize>,
        (token, count): (Token, Count),
        way: Way,
    ) {
        let known: Vec<_> = self.lives.iter().filter(|life| life.id.is_some()).collect();
        let Some(at) = which.checked_rem(known.len()) else { return };
        let (life, seat) = (known[at], by.map_or(known[at].seat, |seat| seat % SEATS.len()));
        let (previd, h) = (token.of(life.id.as_deref().unwrap()), count.of(life.got));
        let (last, id) = (life.link, previd.clone().unwrap_or_default());
        if SEATS[seat].0 == SEATS[life.seat].0 {
            // What it had before it looks at no more.
            let is_its = |one: &&mut Stream| {
                one.link == last || one.claims.as_ref().is_some_and(|claim| claim.id == id)
            };
            self.streams.iter_mut().filter(is_its).for_each(|stream| stream.lost = true);
        }
        let Some(link) = self.arrives(seat) else { return };
        let previd = previd.map_or_else(String::new, |id| format!(" previd='{id}'"));
        let resume = format!("<resume xmlns='{SM}'{previd}{}/>", attribute(h.as_deref()));
        let h = h.and_then(|h| h.parse().ok());
        let (login, next) = match way {
            Way::Alone { binds } => {
                let next = if binds { bind(seat) } else { String::new() };
                (format!("{}{resume}", login(seat)), next)
            }
            Way::Inline { binds } => {
                if binds {
                    self.ledger.may_count(link);
                    self.stream(link).enabling = Some(Vec::new());
                }
                let next = if binds { String::new() } else { bind(seat) };
                (at_once(seat, &resume, binds), next)
            }
        };
        let stream = self.stream(link);
        stream.errs = !matches!(count, Count::Right);
        stream.claims = Some(Claim { id, h, next });
        self.tell(link, machine::Input::Bytes(login.as_bytes()));
    }

    /// It asks for its stream to be managed.
    pub(super) fn enables(&mut self, link: Link) {
        let is_managed = self.life(link).is_some();
        if !is_managed {
            self.stream(link).enabling.get_or_insert_default();
        }
    }

    /// Nobody knows what it says.
    pub(super) fn is_garbled(&mut self, link: Link) {
        self.stream(link).garbled = true;
        if let Some(life) = self.life(link) {
            life.garbled = true;
        }
    }

    /// It says a stanza.
    pub(super) fn noted(&mut self, link: Link, number: Option<usize>, again: bool, xml: &str) {
        let saying = Saying { number, again, xml: xml.to_owned() };
        if let Some(life) = self.life(link) {
            life.said.push(saying);
        } else if let Some(said) = &mut self.stream(link).enabling {
            said.push(saying);
        }
    }

    /// It closes its stream: nobody will come back.
    pub(super) fn leaves(&mut self, link: Link) {
        let garbled = self.stream(link).garbled;
        if let Some(life) = self.life(link).filter(|_| !garbled) {
            life.over = true;
        }
    }

    pub(super) fn stream(&mut self, link: Link) -> &mut Stream {
        self.streams.iter_mut().find(|stream| stream.link == link).expect("has come")
    }

    fn life(&mut self, link: Link) -> Option<&mut Life> {
        self.lives.iter_mut().find(|life| life.link == link)
    }
}

/// What clients hear.
impl World {
    /// Returns what it says to that.
    pub(super) fn reads(&mut self, link: Link, mut bytes: &[u8], mut known: bool) -> Vec<String> {
        let mut says = Vec::new();
        while let Some(frame) = self.stream(link).decoder.next(&mut bytes).expect("we write XML") {
            match frame {
                Frame::Element(payload) => self.element_read(link, payload.element(), &mut says),
                Frame::Stanza(stanza) => {
                    if let Some(life) = self.life(link) {
                        life.got = life.got.wrapping_add(1);
                    }
                    // One of the account's has been looked at before the machine wrote it.
                    if !std::mem::take(&mut known) {
                        self.client_hears(link, &stanza);
                    }
                }
                _ => {}
            }
        }
        says
    }

    fn client_hears(&mut self, link: Link, stanza: &Stanza) {
        let Stream { session, jid: Some(jid), .. } = self.stream(link) else { return };
        let (session, jid) = (*session, jid.clone());
        if stanza.head.id.as_deref() == Some("bind") {
            return;
        }
        let mut stanza = stanza.clone();
        // What the machine itself answers comes from the account, to the resource.
        stanza.head.from.get_or_insert_with(|| jid.bare().into());
        self.ledger.hears(session, &jid, &stanza);
    }

    fn element_read(&mut self, link: Link, element: Element<'_>, says: &mut Vec<String>) {
        match (element.ns(), element.local()) {
            (SASL2, "success") => {
                for child in element.children() {
                    self.element_read(link, child, says);
                }
                // What cannot be meant claims nothing.
                if let Some(claim) = self.stream(link).claims.take() {
                    says.push(claim.next);
                }
            }
            ("urn:xmpp:bind:0", "bound") => {
                for child in element.children() {
                    self.element_read(link, child, says);
                }
            }
            (ns::STREAM, "error") => {
                let too_high = |child: Element<'_>| child.local() == "handled-count-too-high";
                let errs = self.stream(link).errs || !element.children().any(too_high);
                assert!(errs, "it has got what it says: {}", element.as_str());
            }
            (_, "success") => self.stream(link).decoder.restart(),
            (SM, "enabled") => self.is_enabled(link, element),
            (SM, "resumed") => self.goes_on(link, count(element).expect("a count"), says),
            (SM, "failed") => self.is_refused(link, count(element), says),
            (SM, "a") => self.is_told(link, count(element).expect("a count")),
            _ => {}
        }
    }

    fn is_enabled(&mut self, link: Link, enabled: Element<'_>) {
        let stream = self.stream(link);
        let said = stream.enabling.take().expect("has asked for it");
        let (session, seat, garbled) = (stream.session, stream.seat, stream.garbled);
        let jid = stream.jid.clone().expect("is bound");
        let id = enabled.attribute("id").map(|id| id.into_owned());
        let (got, acked, over, killed) = (0, 0, false, false);
        let life = Life { session, link, seat, jid, id, got, said, acked, over, killed, garbled };
        self.lives.push(life);
    }

    /// So much of what it has said has been dealt with: what is to be kept is kept, or it has been
    /// told that it is not.
    fn is_told(&mut self, link: Link, h: usize) {
        let Self { lives, ledger, .. } = self;
        let life = lives.iter_mut().find(|life| life.link == link).expect("is managed");
        life.has_said(h);
        assert!(h >= life.acked && h <= life.said.len(), "{}: {h} after {}", life.jid, life.acked);
        for number in life.said[life.acked..h].iter().filter_map(|saying| saying.number) {
            ledger.is_handled(number, true);
        }
        life.acked = h;
    }

    /// It has its session again, and says what may not have reached the server.
    fn goes_on(&mut self, link: Link, h: usize, says: &mut Vec<String>) {
        (self.stream(link).claims, self.stream(link).enabling) = (None, None);
        let Self { lives, ledger, .. } = self;
        let life = lives.iter_mut().find(|life| life.link == link).expect("is its own");
        life.has_said(h);
        assert!(h <= life.said.len(), "{}: {h} of {}", life.jid, life.said.len());
        let acked = std::mem::replace(&mut life.acked, h);
        assert!(h >= acked || life.killed, "{}: {h} after {acked}", life.jid);
        for number in life.said[..h].iter().filter_map(|saying| saying.number) {
            ledger.is_handled(number, false);
        }
        for (at, saying) in life.said.split_off(h).into_iter().enumerate() {
            let Some(number) = saying.number else { continue };
            let was_handled = h + at < acked && ledger.must_be_kept(number);
            assert!(!was_handled, "{}: {number} was handled, and is not any more", life.jid);
            if ledger.says_again(number, life.session, saying.again) {
                says.push(saying.xml.clone());
                life.said.push(saying);
            }
        }
        life.killed = false;
    }

    /// It does not get the session that it claims; or it may not have its stream managed.
    fn is_refused(&mut self, link: Link, h: Option<usize>, says: &mut Vec<String>) {
        let stream = self.stream(link);
        let seat = stream.seat;
        let Some(Claim { id, h: claimed, next }) = stream.claims.take() else {
            if stream.jid.is_none() {
                stream.enabling = None;
            }
            return;
        };
        says.push(next);
        let its = self.lives.iter_mut().find(|life| life.id.as_ref() == Some(&id));
        let Some(life) = its.filter(|life| SEATS[life.seat].0 == SEATS[seat].0) else {
            return assert_eq!(h, None, "it is told of what another has said");
        };
        life.has_said(h.unwrap_or_default());
        assert!(h.is_none_or(|h| h <= life.said.len() && (h >= life.acked || life.killed)));
        // What cannot be meant is refused for that alone.
        life.over |= claimed.is_some() && !self.ledger.has_refused();
    }
}

/// What accounts do.
impl World {
    pub(super) fn is_bound(&mut self, at: usize, jid: &Jid) {
        let stream = &mut self.streams[at];
        stream.jid = Some(jid.clone());
        // The newcomer gets the resource.
        let others = self.lives.iter_mut().filter(|life| life.session != stream.session);
        others.filter(|life| life.jid == *jid).for_each(|life| life.over = true);
    }

    /// A session goes to a stream: to nobody but whose it is, who asks for it, while it is there.
    pub(super) fn is_resumed(&mut self, at: usize, jid: &Jid, granted: &Payload) {
        let Self { lives, streams, ledger, .. } = self;
        let id = granted.element().attribute("previd").map(|id| id.into_owned());
        let life = lives.iter_mut().find(|life| life.id == id).expect("a session that there is");
        let Stream { link, seat, .. } = streams[at];
        assert_eq!(SEATS[seat].0, SEATS[life.seat].0, "it gets the session of {}", life.jid);
        assert!(!life.over, "the session of {} was over", life.jid);
        assert_eq!(life.jid, *jid);
        let claim = streams[at].claims.as_ref().expect("it claims one");
        assert_eq!(Some(&claim.id), id.as_ref(), "it claims another");
        let h = claim.h.expect("says what it has");
        if h != life.got {
            ledger.lies(life.session, (h > life.got).then(|| jid.bare()));
            life.got = h;
        }
        let before = streams.iter_mut().find(|stream| stream.link == life.link);
        let asked = before.map(|stream| std::mem::take(&mut stream.asked)).unwrap_or_default();
        let stream = &mut streams[at];
        (stream.session, stream.jid, stream.asked) = (life.session, Some(jid.clone()), asked);
        life.link = link;
    }

    /// Longer has passed than anybody could come back.
    pub(super) fn all_are_over(&mut self) {
        let Self { lives, streams, .. } = self;
        for life in lives {
            let is_open = |stream: &Stream| stream.link == life.link && !stream.closed;
            life.over |= !streams.iter().any(is_open);
        }
    }

    /// The process ends, in peace or not, and another begins with what the store has.
    pub fn restarts(&mut self, is_killed: bool, revives: bool) {
        if is_killed {
            self.ledger.is_killed();
            self.lives.iter_mut().for_each(|life| life.killed = true);
            self.forgets_ends();
        } else {
            self.holds = false;
            for at in 0..self.streams.len() {
                let link = self.streams[at].link;
                self.tell(link, machine::Input::Shutdown);
            }
            self.rest();
            self.inbox.push_back(Input::Note);
            self.rest();
        }
        self.forgets_streams();
        // Nothing is done in no time.
        self.now = self.now.after(5);
        self.store = self.store.reopen();
        let last = ready(self.store.last()).unwrap();
        self.writer = Writer::resume(last, server::limits());
        (self.shard, self.registrar) = (Shard::default(), Registry::default());
        (self.inbox, self.loads, self.looks) = Default::default();
        self.asked.clear();
        if revives {
            self.revives();
        }
    }

    /// What had ended, and the store was not told of that yet, has not ended.
    fn forgets_ends(&mut self) {
        let Self { lives, store, .. } = self;
        for life in lives {
            let Some(id) = &life.id else { continue };
            let loaded = ready(store.load(&life.jid.bare())).unwrap().unwrap_or_default();
            life.over &= loaded.sessions.iter().all(|row| row.token != token(id));
        }
    }

    /// Sessions that wait for their clients are told of that, in time.
    pub(super) fn revives(&mut self) {
        let unix_ms = self.ctx().unix_ms;
        let waiting = ready(self.store.resumable(unix_ms, None, usize::MAX)).unwrap();
        self.inbox.extend(waiting.into_iter().map(Input::Revive));
    }

    /// They are gone with the process.
    fn forgets_streams(&mut self) {
        let unix_ms = self.ctx().unix_ms;
        let Self { now, random, settings, habits, streams, .. } = self;
        let ctx = Ctx { now: *now, unix_ms, random, settings, hooks: &habits.hooks };
        for stream in streams {
            stream.machine.handle(&ctx, machine::Input::Gone, &mut Out::default());
            stream.closed = true;
        }
    }
}

/// Login, session and resource in one go (XEP-0388, XEP-0386).
fn at_once(seat: usize, resume: &str, binds: bool) -> String {
    let (plain, (_, tag)) = (plain(seat), SEATS[seat]);
    let enable = format!("<enable xmlns='{SM}' resume='true' max='600'/>");
    let bind = format!("<bind xmlns='urn:xmpp:bind:0'><tag>{tag}</tag>{enable}</bind>");
    let bind = if binds { &bind } else { "" };
    format!(
        "{HEADER}<authenticate xmlns='{SASL2}' mechanism='PLAIN'>\
         <initial-response>{plain}</initial-response>{resume}{bind}</authenticate>"
    )
}

fn attribute(h: Option<&str>) -> String {
    h.map_or_else(String::new, |h| format!(" h='{h}'"))
}

fn count(element: Element<'_>) -> Option<usize> {
    element.attribute("h").map(|h| h.parse().expect("a number"))
}
