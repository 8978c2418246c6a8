//! What has been sent on a stream and the client has not acknowledged (XEP-0198 §4, §5).

use crate::{
    delivery::supersedes,
    hook::Leaving,
    replay::{AHEAD_BYTES_MAX, AHEAD_STANZAS_MAX},
    unit::Pos,
};
use std::collections::{BTreeMap, VecDeque};
use wire::{Bare, Kind, Stanza};

/// Stanzas of one session that are kept whole until they are acknowledged, presence not counted,
/// first those that no log has. What a log has it tells again.
pub const UNACKED_STANZAS_MAX: usize = 1024;
/// Of presence so many are. In a night many come to and leave the rooms that a device is in; of
/// each the last is told it in the morning. All of it has room in a mailbox.
pub const UNACKED_PRESENCES_MAX: usize = 2048;
/// Both in bytes.
pub const UNACKED_BYTES_MAX: usize = 1 << 20;
/// Stanzas that a client may leave unacknowledged while rooms tell it what it has missed.
const FAR_AHEAD_STANZAS_MAX: usize = 1024;
/// Stanzas that a client may leave unacknowledged. With more than that its session cannot be
/// resumed until it has acknowledged them; what the log has of them, it still has.
pub const UNACKED_PLACES_MAX: usize = 4096;

/// One that has been sent.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Where the log has it, if it does.
    pub pos: Option<Pos>,
    /// Where the log of a room has it, if one does.
    pub room: Option<(Bare, Pos)>,
    /// None: there was no room for it.
    pub stanza: Option<Stanza>,
    /// A request that its client has answered.
    pub answered: bool,
    /// There was no room for it, and no log is known to have it: it cannot be told again.
    pub lost: bool,
}

impl Sent {
    /// Whether a log has it.
    pub fn is_logged(&self) -> bool {
        self.pos.is_some() || self.room.is_some()
    }
}

/// What has been sent and not acknowledged, in order.
#[derive(Clone, Debug, Default)]
pub struct Unacked {
    /// So many have been acknowledged.
    acked: u32,
    queue: VecDeque<Sent>,
    whole: Whole,
    /// So many of them cannot be told again.
    lost: usize,
    /// What has been sent behind them, and has no place of its own.
    beyond: Beyond,
    /// From here on it has not been sent at all: there is no stream.
    unsent: Option<usize>,
}

/// Of what no place is kept for: so a client that acknowledges nothing costs no more than one that
/// does.
#[derive(Clone, Debug, Default)]
struct Beyond {
    stanzas: usize,
    /// The last place in the log among them.
    pos: Option<Pos>,
}

/// How much is kept whole.
#[derive(Clone, Debug, Default)]
struct Whole {
    stanzas: usize,
    presences: usize,
    /// Of both.
    bytes: usize,
}

impl Whole {
    fn add(&mut self, stanza: &Stanza) {
        *self.of(stanza) += 1;
        self.bytes += stanza.wire_len();
    }

    fn remove(&mut self, stanza: &Stanza) {
        *self.of(stanza) -= 1;
        self.bytes -= stanza.wire_len();
    }

    fn of(&mut self, stanza: &Stanza) -> &mut usize {
        match stanza.kind() {
            Kind::Presence => &mut self.presences,
            Kind::Message | Kind::Iq => &mut self.stanzas,
        }
    }

    fn has_room(&self, stanza: &Stanza) -> bool {
        let has_place = match stanza.kind() {
            Kind::Presence => self.presences < UNACKED_PRESENCES_MAX,
            Kind::Message | Kind::Iq => self.stanzas < UNACKED_STANZAS_MAX,
        };
        has_place && self.bytes + stanza.wire_len() <= UNACKED_BYTES_MAX
    }
}

/// What a client has not got and memory has not, or is to be told behind that.
#[derive(Debug, Default)]
pub struct Lacking {
    /// Where the log has it.
    pub places: Vec<Pos>,
    /// What no log has, and which of these it follows.
    pub following: Vec<(Pos, Stanza)>,
}

/// What an acknowledgement says is more than was sent (XEP-0198 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooHigh {
    /// So many were sent.
    pub sent: u32,
}

impl Unacked {
    /// As it was: so many acknowledged, and these not.
    pub fn of(acked: u32, queue: Vec<Sent>) -> Self {
        let mut unacked = Self { acked, ..Self::default() };
        queue.into_iter().for_each(|sent| unacked.keep(sent));
        unacked
    }

    /// How many have been acknowledged.
    pub fn acked(&self) -> u32 {
        self.acked
    }

    /// How many have been sent.
    pub fn sent(&self) -> u32 {
        let unacked = u32::try_from(self.len()).unwrap_or(u32::MAX);
        self.acked.wrapping_add(unacked)
    }

    /// How many have not been acknowledged.
    pub fn len(&self) -> usize {
        self.queue.len() + self.beyond.stanzas
    }

    /// What has not been acknowledged, in order; not what is beyond the places.
    pub fn iter(&self) -> impl Iterator<Item = &Sent> {
        self.queue.iter()
    }

    /// Whether all has been acknowledged.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether something was too much to be kept, and has not been acknowledged: it cannot be told
    /// again.
    pub fn is_overrun(&self) -> bool {
        self.lost > 0 || self.beyond.stanzas > 0
    }

    /// About what it takes in memory, in bytes.
    pub fn weight(&self) -> usize {
        self.whole.bytes + self.queue.len() * size_of::<Sent>()
    }

    /// There is no stream from now on, or there is again.
    pub fn is_away(&mut self, away: bool) {
        self.unsent = away.then_some(self.queue.len());
    }

    /// One more is to be sent when there is a stream. Of presence only what is said last counts.
    fn supersede(&mut self, newer: &Stanza) {
        let Some(unsent) = self.unsent else { return };
        let is_older =
            |sent: &Sent| sent.stanza.as_ref().is_some_and(|older| supersedes(newer, older));
        let mut waiting = self.queue.iter().skip(unsent);
        let Some(at) = waiting.position(is_older) else { return };
        if let Some(Sent { stanza: Some(stanza), .. }) = self.queue.remove(unsent + at) {
            self.whole.remove(&stanza);
        }
    }

    /// One more is sent.
    pub fn push(&mut self, leaving: &Leaving) {
        self.supersede(&leaving.stanza);
        let room = leaving.room().map(|(by, pos)| (by.bare(), pos));
        let (pos, stanza) = (leaving.pos, Some(leaving.stanza.clone()));
        self.keep(Sent { pos, room, stanza, ..Sent::default() });
    }

    fn keep(&mut self, mut sent: Sent) {
        if self.beyond.stanzas > 0 || self.queue.len() >= UNACKED_PLACES_MAX {
            // Only how many there are matters now, and what of the log is among them.
            self.beyond.stanzas += 1;
            self.beyond.pos = self.beyond.pos.max(sent.pos);
            return;
        }
        let is_kept = sent.stanza.as_ref().is_none_or(|stanza| match sent.is_logged() {
            true => self.whole.has_room(stanza),
            false => self.makes_room(stanza),
        });
        sent.stanza.take_if(|_| !is_kept);
        sent.stanza.iter().for_each(|stanza| self.whole.add(stanza));
        sent.lost = !is_kept && !sent.is_logged();
        self.lost += usize::from(sent.lost);
        self.queue.push_back(sent);
    }

    /// What was beyond the places has one, now that there are some again: else a client to which
    /// something is always on its way could never come back.
    fn find_places(&mut self) {
        while self.beyond.stanzas > 0 && self.queue.len() < UNACKED_PLACES_MAX {
            self.beyond.stanzas -= 1;
            self.lost += 1;
            let pos = self.beyond.pos.take_if(|_| self.beyond.stanzas == 0);
            self.queue.push_back(Sent { pos, lost: true, ..Sent::default() });
        }
    }

    /// So many are not to be told again. The last place in the log among them.
    fn forget(&mut self, stanzas: usize) -> Option<Pos> {
        let placed = stanzas.min(self.queue.len());
        let mut last = None;
        for sent in self.queue.drain(..placed) {
            sent.stanza.iter().for_each(|stanza| self.whole.remove(stanza));
            self.lost -= usize::from(sent.lost);
            last = last.max(sent.pos);
        }
        self.beyond.stanzas = self.beyond.stanzas.saturating_sub(stanzas - placed);
        if self.beyond.stanzas == 0 {
            last = last.max(self.beyond.pos.take());
        }
        self.find_places();
        last
    }

    /// Whether there is room for what no log has: of what one has, the last need not be kept whole.
    pub fn makes_room(&mut self, stanza: &Stanza) -> bool {
        let logged = self.queue.iter_mut().rev().filter(|sent| sent.is_logged());
        let mut whole = logged.filter_map(|sent| sent.stanza.take());
        while !self.whole.has_room(stanza) {
            let Some(last) = whole.next() else { return false };
            self.whole.remove(&last);
        }
        true
    }

    /// The client has got what it answers, acknowledged or not: nobody else need answer that.
    pub fn answers(&mut self, answer: &Stanza) {
        let (id, asker) = (&answer.head.id, &answer.head.to);
        let asks = |sent: &&mut Sent| {
            let asks = |one: &Stanza| {
                let is_request = matches!(one.head.type_str(), "get" | "set");
                one.kind() == Kind::Iq
                    && is_request
                    && one.head.id == *id
                    && one.head.from == *asker
            };
            !sent.answered && sent.stanza.as_ref().is_some_and(asks)
        };
        if let Some(sent) = self.queue.iter_mut().find(asks) {
            sent.answered = true;
        }
    }

    /// Where the log has what the client has got, when it has so many.
    pub fn places(&self, h: u32) -> Vec<Pos> {
        let news = usize::try_from(h.wrapping_sub(self.acked)).unwrap_or(usize::MAX);
        let news = news.min(self.unsent.unwrap_or(usize::MAX));
        self.queue.iter().take(news).filter_map(|sent| sent.pos).collect()
    }

    /// The client has so many, which is all that had been sent, and more than is known. What waits
    /// for a stream has not been.
    pub fn has_all(&mut self, h: u32) {
        self.forget(self.unsent.unwrap_or(self.len()));
        (self.acked, self.unsent) = (h, self.unsent.map(|_| 0));
    }

    /// Takes out what rooms have told from the first on that is not kept whole: their logs tell it
    /// again. Of each room where that stands.
    pub fn take_lacking_of_rooms(&mut self) -> BTreeMap<Bare, Pos> {
        let mut lacking = BTreeMap::new();
        let whole = &mut self.whole;
        self.queue.retain(|sent| {
            let Some((room, pos)) = &sent.room else { return true };
            let is_first = sent.stanza.is_none() && !lacking.contains_key(room);
            is_first.then(|| lacking.insert(room.clone(), *pos));
            let stays = !lacking.contains_key(room);
            let goes = sent.stanza.iter().filter(|_| !stays);
            goes.for_each(|stanza| whole.remove(stanza));
            stays
        });
        lacking
    }

    /// Takes out what the log has from the first on that is not kept whole: it tells it again, in
    /// its order. What no log has follows the last of that which stands before it.
    pub fn take_lacking(&mut self) -> Lacking {
        let mut lacking = Lacking::default();
        let whole = &mut self.whole;
        self.queue.retain_mut(|sent| {
            let last = lacking.places.last().copied();
            let goes = sent.pos.filter(|_| sent.stanza.is_none() || last.is_some());
            lacking.places.extend(goes);
            let follows = last.filter(|_| !sent.is_logged());
            if goes.is_none() && follows.is_none() {
                return sent.stanza.is_some();
            }
            if let Some(stanza) = sent.stanza.take() {
                whole.remove(&stanza);
                // What the client has answered it has got.
                let follows = follows.filter(|_| !sent.answered);
                lacking.following.extend(follows.map(|last| (last, stanza)));
            }
            false
        });
        lacking
    }

    /// Whether there is no room for another message.
    pub fn is_full(&self) -> bool {
        self.whole.stanzas >= UNACKED_STANZAS_MAX || self.whole.bytes >= UNACKED_BYTES_MAX
    }

    /// Whether the client has so much to acknowledge that it is told no more of a log before it
    /// does.
    pub fn is_ahead(&self) -> bool {
        self.queue.len() > AHEAD_STANZAS_MAX || self.whole.bytes > AHEAD_BYTES_MAX
    }

    /// Whether it has so much to acknowledge that rooms tell it nothing more of what it has missed.
    /// Many may tell it at once, and all of that waits for its socket. Who never acknowledges
    /// anything would hear them no more.
    pub fn is_far_ahead(&self) -> bool {
        let is_far = self.queue.len() > FAR_AHEAD_STANZAS_MAX;
        self.acked > 0 && (is_far || self.whole.bytes > AHEAD_BYTES_MAX)
    }

    /// Whether so much of that has been acknowledged that rooms may go on.
    pub fn comes_near(&self) -> bool {
        self.queue.len() <= FAR_AHEAD_STANZAS_MAX / 2 && self.whole.bytes <= AHEAD_BYTES_MAX
    }

    /// The client has so many. Tells the last place in the log among them that are news.
    ///
    /// # Errors
    /// More than were sent.
    pub fn ack(&mut self, h: u32) -> Result<Option<Pos>, TooHigh> {
        let news = usize::try_from(h.wrapping_sub(self.acked)).unwrap_or(usize::MAX);
        if news > self.unsent.unwrap_or(self.len()) {
            return Err(TooHigh { sent: self.sent() });
        }
        self.acked = h;
        self.unsent = self.unsent.map(|unsent| unsent.saturating_sub(news));
        Ok(self.forget(news))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaving(pos: Option<i64>, body: usize) -> Leaving {
        let body = "x".repeat(body);
        let stanza = Stanza::parse_one(&format!("<message><body>{body}</body></message>"));
        Leaving { stanza: stanza.unwrap(), pos: pos.map(Pos), told: None }
    }

    #[test]
    fn what_is_acknowledged_is_forgotten_and_its_place_told() {
        let mut unacked = Unacked::default();
        for pos in [Some(5), None, Some(9), None] {
            unacked.push(&leaving(pos, 1));
        }
        assert_eq!((unacked.acked(), unacked.sent()), (0, 4));
        assert_eq!(unacked.ack(0), Ok(None));
        assert_eq!(unacked.ack(2), Ok(Some(Pos(5))));
        assert_eq!(unacked.ack(1), Err(TooHigh { sent: 4 }), "it cannot take back what it said");
        assert_eq!(unacked.ack(5), Err(TooHigh { sent: 4 }));
        assert_eq!(unacked.ack(4), Ok(Some(Pos(9))));
        assert!(unacked.is_empty() && unacked.weight() == 0);
    }

    #[test]
    fn of_presence_that_waits_for_a_stream_the_last_counts() {
        let presence = |from: &str, status: &str| {
            let xml = format!("<presence from='{from}'><status>{status}</status></presence>");
            Leaving::from(Stanza::parse_one(&xml).unwrap())
        };
        let mut unacked = Unacked::default();
        unacked.push(&presence("a@x/1", "sent"));
        unacked.is_away(true);
        for (from, status) in [("a@x/1", "old"), ("b@x/1", "b"), ("a@x/1", "new"), ("a@x/2", "2")] {
            unacked.push(&presence(from, status));
        }
        let text = |sent: &Sent| sent.stanza.as_ref().unwrap().to_text().to_string();
        let all: Vec<_> = unacked.iter().map(text).collect();
        let expected = [("sent", 0), ("b", 1), ("new", 2), ("2", 3)];
        assert_eq!(all.len(), expected.len());
        for (status, at) in expected {
            assert!(all[at].contains(&format!(">{status}<")), "{all:?}");
        }
        assert_eq!(unacked.ack(1), Ok(None));
        unacked.push(&presence("b@x/1", "b2"));
        assert_eq!(unacked.sent(), 4);
        unacked.is_away(false);
        unacked.push(&presence("b@x/1", "b3"));
        assert_eq!(unacked.sent(), 5);
    }

    #[test]
    fn what_waits_for_a_stream_no_count_takes_for_sent() {
        let mut unacked = Unacked::default();
        unacked.push(&leaving(Some(5), 1));
        unacked.is_away(true);
        unacked.push(&leaving(Some(6), 1));
        unacked.push(&leaving(None, 1));
        assert_eq!(unacked.places(9), [Pos(5)]);
        assert!(unacked.ack(2).is_err());
        unacked.has_all(9);
        assert_eq!((unacked.acked(), unacked.sent()), (9, 11));
        unacked.is_away(false);
        assert_eq!(unacked.ack(11), Ok(Some(Pos(6))));
        assert_eq!(unacked.weight(), 0);
    }

    #[test]
    fn presence_of_many_waits_beside_all_else() {
        let presence = |from: usize, kind: &str| {
            let xml = format!("<presence from='hall@rooms.x/{from}'{kind}/>");
            Leaving::from(Stanza::parse_one(&xml).unwrap())
        };
        let mut unacked = Unacked::default();
        unacked.is_away(true);
        for kind in ["", " type='unavailable'"] {
            (0..UNACKED_PRESENCES_MAX).for_each(|from| unacked.push(&presence(from, kind)));
        }
        (0..UNACKED_STANZAS_MAX).for_each(|_| unacked.push(&leaving(None, 1)));
        assert!(!unacked.is_overrun());
        assert_eq!(unacked.sent() as usize, UNACKED_PRESENCES_MAX + UNACKED_STANZAS_MAX);
        let ends = unacked.iter().filter_map(|sent| sent.stanza.as_ref());
        let ends = ends.filter(|stanza| stanza.head.type_str() == "unavailable").count();
        assert_eq!(ends, UNACKED_PRESENCES_MAX);
        let mut acked = unacked.clone();
        acked.is_away(false);
        acked.ack(acked.sent()).unwrap();
        assert_eq!(acked.weight(), 0);
        unacked.push(&presence(UNACKED_PRESENCES_MAX, ""));
        assert!(unacked.is_overrun());
    }

    #[test]
    fn what_follows_something_that_is_lacking_is_told_behind_it() {
        let mut unacked = Unacked::default();
        let max = UNACKED_STANZAS_MAX as i64;
        for pos in 0..=max {
            unacked.push(&leaving(Some(pos), 1));
        }
        // Now there is room for three, behind one for which there was none.
        assert_eq!(unacked.ack(3), Ok(Some(Pos(2))));
        unacked.push(&leaving(Some(max + 1), 1));
        for body in [1, 2] {
            unacked.push(&leaving(None, body));
            unacked.push(&leaving(Some(max + 1 + body as i64), 1));
        }
        let asks = "<iq from='a@x/r' type='get' id='1'><q xmlns='q'/></iq>";
        unacked.push(&Leaving::from(Stanza::parse_one(asks).unwrap()));
        unacked.answers(&Stanza::parse_one("<iq to='a@x/r' type='result' id='1'/>").unwrap());
        let Lacking { places, following } = unacked.take_lacking();
        assert_eq!(places, [0, 1, 2, 3].map(|more| Pos(max + more)));
        let following: Vec<_> =
            following.iter().map(|(last, stanza)| (last.0 - max, stanza.wire_len())).collect();
        let [one, two] = [1, 2].map(|body| leaving(None, body).stanza.wire_len());
        assert_eq!(following, [(1, one), (2, two)]);
        let left: Vec<_> = unacked.iter().map(|sent| sent.pos.map(|pos| pos.0)).collect();
        assert_eq!(left, (3..max).map(Some).collect::<Vec<_>>());
        unacked.ack(unacked.sent()).unwrap();
        assert_eq!(unacked.weight(), 0);
    }

    #[test]
    fn what_the_client_answers_it_has_got() {
        let iq = |xml: &str| Leaving::from(Stanza::parse_one(xml).unwrap());
        let mut unacked = Unacked::default();
        for xml in [
            "<iq from='a@x/r' type='result' id='1'/>",
            "<iq from='b@x/r' type='get' id='1'><q xmlns='q'/></iq>",
            "<iq from='a@x/r' type='get' id='1'><q xmlns='q'/></iq>",
            "<iq from='a@x/r' type='set' id='1'><q xmlns='q'/></iq>",
        ] {
            unacked.push(&iq(xml));
        }
        let answered =
            |unacked: &Unacked| -> Vec<_> { unacked.iter().map(|sent| sent.answered).collect() };
        unacked.answers(&iq("<iq to='a@x/r' type='result' id='1'/>").stanza);
        assert_eq!(answered(&unacked), [false, false, true, false]);
        unacked.answers(&iq("<iq to='a@x/r' type='error' id='1'/>").stanza);
        assert_eq!(answered(&unacked), [false, false, true, true]);
    }

    #[test]
    fn who_has_much_to_acknowledge_is_told_no_more_of_a_log_before_it_does() {
        let mut unacked = Unacked::default();
        (0..=AHEAD_STANZAS_MAX).for_each(|_| unacked.push(&leaving(Some(1), 1)));
        assert!(unacked.is_ahead());
        unacked.ack(1).unwrap();
        assert!(!unacked.is_ahead());
        unacked.push(&leaving(Some(1), AHEAD_BYTES_MAX));
        assert!(unacked.is_ahead());
        unacked.ack(unacked.sent()).unwrap();
        assert!(!unacked.is_ahead());
    }

    #[test]
    fn counts_go_round() {
        let mut unacked = Unacked::of(u32::MAX, Vec::new());
        unacked.push(&leaving(None, 1));
        unacked.push(&leaving(None, 1));
        assert_eq!(unacked.sent(), 1);
        assert_eq!(unacked.ack(0), Ok(None));
        assert_eq!(unacked.ack(1), Ok(None));
        assert!(unacked.is_empty());
    }

    #[test]
    fn what_the_log_has_needs_no_room_and_what_it_has_not_ends_the_hope() {
        let mut unacked = Unacked::default();
        for pos in 0..2 * UNACKED_STANZAS_MAX as i64 {
            unacked.push(&leaving(Some(pos), 1));
        }
        assert_eq!(
            unacked.iter().filter(|sent| sent.stanza.is_some()).count(),
            UNACKED_STANZAS_MAX
        );
        assert!(!unacked.is_overrun());
        // What no log has takes the room of the last that one has.
        for more in 1..=UNACKED_STANZAS_MAX {
            unacked.push(&leaving(None, 1));
            let whole = unacked.iter().filter(|sent| sent.stanza.is_some());
            let logged = whole.filter_map(|sent| sent.pos).map(|pos| pos.0);
            assert!(logged.eq(0..(UNACKED_STANZAS_MAX - more) as i64));
        }
        assert!(!unacked.is_overrun());
        unacked.push(&leaving(None, 1));
        assert!(unacked.is_overrun());
        assert_eq!(unacked.ack(unacked.sent()), Ok(Some(Pos(2 * UNACKED_STANZAS_MAX as i64 - 1))));
        assert_eq!((unacked.weight(), unacked.is_overrun()), (0, false));

        let mut large = Unacked::default();
        large.push(&leaving(Some(1), UNACKED_BYTES_MAX));
        assert!(large.iter().all(|sent| sent.stanza.is_none()) && !large.is_overrun());
    }

    #[test]
    fn what_was_too_much_matters_until_it_is_acknowledged() {
        let mut unacked = Unacked::default();
        let max = UNACKED_STANZAS_MAX as u32;
        (0..max + 2).for_each(|_| unacked.push(&leaving(None, 1)));
        assert_eq!(unacked.ack(max), Ok(None));
        assert!(unacked.is_overrun());
        // More is on its way all the time, and there is room for that.
        unacked.push(&leaving(None, 1));
        unacked.push(&leaving(Some(5), 1));
        assert_eq!(unacked.ack(max + 1), Ok(None));
        assert!(unacked.is_overrun());
        assert_eq!(unacked.ack(max + 2), Ok(None));
        assert!(!unacked.is_overrun());
        let whole = unacked.iter().filter(|sent| sent.stanza.is_some());
        assert_eq!(whole.map(|sent| sent.pos).collect::<Vec<_>>(), [None, Some(Pos(5))]);
    }

    #[test]
    fn a_client_that_acknowledges_nothing_costs_no_more_than_its_places() {
        let (mut unacked, max) = (Unacked::default(), UNACKED_PLACES_MAX as u32);
        (0..3 * max).for_each(|pos| unacked.push(&leaving(Some(pos.into()), 0)));
        unacked.push(&leaving(None, 0));
        assert_eq!((unacked.sent(), unacked.len()), (3 * max + 1, 3 * UNACKED_PLACES_MAX + 1));
        let places = |unacked: &Unacked| unacked.iter().count();
        assert_eq!((places(&unacked), unacked.is_overrun()), (UNACKED_PLACES_MAX, true));
        assert_eq!(unacked.ack(10), Ok(Some(Pos(9))));
        assert_eq!(places(&unacked), UNACKED_PLACES_MAX);
        assert_eq!(unacked.ack(max + 10), Ok(Some(Pos(i64::from(max) - 1))));
        // Until it has the last of them, which no log has, it is known of none which it was.
        assert_eq!(unacked.ack(3 * max), Ok(None));
        assert_eq!((unacked.len(), unacked.is_overrun()), (1, true));
        unacked.push(&leaving(None, 1));
        assert_eq!(unacked.ack(3 * max + 1), Ok(Some(Pos(3 * i64::from(max) - 1))));
        assert_eq!((unacked.len(), unacked.is_overrun()), (1, false));
        assert_eq!(unacked.ack(3 * max + 2), Ok(None));
        assert_eq!(unacked.weight(), 0);
        assert!(unacked.ack(3 * max + 3).is_err());
    }
}
