//! What a session is not to hear yet: its log has something of the same sender that it is to be
//! told before (RFC 6120 §10.1).

use crate::{
    ctx::Moment,
    delivery::{Untaken, supersedes, untaken},
    hook::Leaving,
    unit::Pos,
};
use std::{
    collections::{BTreeMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};
use wire::{Bare, Kind, Stanza};

/// Stanzas of which no log has a place and that wait for what one session is to be told before.
pub(crate) const BEHIND_STANZAS_MAX: usize = 256;
/// The same in bytes.
pub(crate) const BEHIND_BYTES_MAX: usize = 1 << 20;
/// How long a request waits so before its asker is told to try again.
pub(crate) const BEHIND_MS_MAX: u64 = 30_000;
/// Senders of whom it is known what stands last. What others say waits as if it were theirs.
const SENDERS_MAX: usize = 1024;

/// What waits for what a session is to be told out of its log, and for how much of that.
#[derive(Debug, Default)]
pub(crate) struct Behind {
    /// Of each sender, by its hash.
    last: BTreeMap<u64, Pos>,
    /// Of those for whom there was no room.
    others: Pos,
    /// Up to here it has not been seen whose it is.
    unread: Pos,
    waiting: VecDeque<Waits>,
    bytes: usize,
}

#[derive(Debug)]
struct Waits {
    leaving: Leaving,
    /// It is told when the log has been up to here.
    behind: Pos,
    /// Who says it, where what of it stands up to there has not been seen yet.
    unsure: Option<u64>,
    until: Moment,
}

impl Waits {
    fn is_request(&self) -> bool {
        let stanza = &self.leaving.stanza;
        stanza.kind() == Kind::Iq && untaken(stanza) != Untaken::Ignore
    }
}

/// Who says it, as a number: the accounts of others, the resources of one's own. None: it is what
/// an account or a host says for itself, and that is in no order with what its clients say.
pub(crate) fn sender(stanza: &Stanza, me: &Bare) -> Option<u64> {
    let from = stanza.head.from.as_ref()?;
    let is_own = from.bare() == *me;
    if from.is_bare() && (is_own || stanza.kind() == Kind::Iq) {
        return None;
    }
    let resource = from.resource().filter(|_| is_own);
    let mut hasher = DefaultHasher::new();
    (from.local(), from.domain(), resource).hash(&mut hasher);
    Some(hasher.finish())
}

impl Behind {
    /// The log has something of this sender there; the session has been told of it up to `told`.
    pub fn stands(&mut self, sender: u64, pos: Pos, told: Pos) {
        if self.last.len() >= SENDERS_MAX && !self.last.contains_key(&sender) {
            self.last.retain(|_, last| *last > told);
            if self.last.len() >= SENDERS_MAX {
                self.others = self.others.max(pos);
                return;
            }
        }
        let last = self.last.entry(sender).or_default();
        *last = pos.max(*last);
    }

    /// The log has something up to there, and it is not known whose.
    pub fn is_unread(&mut self, upto: Pos) {
        self.unread = self.unread.max(upto);
    }

    /// Whose a page of the log is that the session is to be told next, each with its place;
    /// `whole`: there is nothing behind it.
    pub fn reads(&mut self, page: &[(u64, Pos)], whole: bool, told: Pos) {
        page.iter().for_each(|&(sender, pos)| self.stands(sender, pos, told));
        if !whole {
            return;
        }
        self.unread = Pos::default();
        for one in &mut self.waiting {
            let Some(sender) = one.unsure.take() else { continue };
            let before = |&&(by, pos): &&(u64, Pos)| by == sender && pos <= one.behind;
            one.behind = page.iter().rfind(before).map(|(_, pos)| *pos).unwrap_or_default();
        }
    }

    /// Where the last stands that this sender is not to overtake.
    pub fn last_of(&self, sender: u64) -> Pos {
        self.last.get(&sender).copied().unwrap_or_default().max(self.others)
    }

    /// What this sender says waits until then at most, if it is not to overtake something of which
    /// the session, which has been told up to there, has not been told; gives it back if it is not.
    /// Whether something of it may stand in what has not been read.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn put(
        &mut self,
        leaving: Leaving,
        sender: u64,
        (told, until, may_stand): (Pos, Moment, bool),
    ) -> Result<Option<Leaving>, Leaving> {
        let unread = if may_stand { self.unread } else { Pos::default() };
        let last = self.last_of(sender);
        if last.max(unread) <= told {
            return Ok(Some(leaving));
        }
        let unsure = (unread > last).then_some(sender);
        self.keep(Waits { leaving, behind: last.max(unread), unsure, until }).map(|()| None)
    }

    /// What waited so before the process ended: behind that place, of a session that has been told
    /// up to `told`. Of what was kept there is never more than there is room for.
    pub fn again(&mut self, stanza: Stanza, me: &Bare, (pos, told): (Pos, Pos), until: Moment) {
        if let Some(sender) = sender(&stanza, me) {
            self.stands(sender, pos, told);
        }
        drop(self.push(stanza.into(), pos, until));
    }

    /// It waits until the session has been told of the log up to `behind`.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn push(&mut self, leaving: Leaving, behind: Pos, until: Moment) -> Result<(), Leaving> {
        self.keep(Waits { leaving, behind, unsure: None, until })
    }

    fn keep(&mut self, one: Waits) -> Result<(), Leaving> {
        self.supersede(&one.leaving.stanza);
        let bytes = one.leaving.stanza.wire_len();
        if self.waiting.len() >= BEHIND_STANZAS_MAX || self.bytes + bytes > BEHIND_BYTES_MAX {
            return Err(one.leaving);
        }
        self.bytes += bytes;
        self.waiting.push_back(one);
        Ok(())
    }

    /// Of presence only what is said last counts.
    fn supersede(&mut self, newer: &Stanza) {
        let is_older = |one: &Waits| supersedes(newer, &one.leaving.stanza);
        if let Some(at) = self.waiting.iter().position(is_older) {
            self.remove(at);
        }
    }

    fn remove(&mut self, at: usize) -> Option<Leaving> {
        let leaving = self.waiting.remove(at)?.leaving;
        self.bytes -= leaving.stanza.wire_len();
        Some(leaving)
    }

    /// The next that waits no more, when the session has been told up to `told`: what was said
    /// before something that this waited for, too, is told before what was said behind it.
    pub fn next(&mut self, told: Pos) -> Option<Leaving> {
        let waiting = self.waiting.iter().enumerate().filter(|(_, one)| one.behind <= told);
        let (at, _) = waiting.min_by_key(|(_, one)| one.behind)?;
        self.remove(at)
    }

    /// All that this sender has said and that waits only for what has not been read, in order,
    /// when there is no room for more of it; nothing where something of it is known to stand.
    pub fn give_way(&mut self, sender: u64, told: Pos) -> Vec<Leaving> {
        if self.last_of(sender) > told {
            return Vec::new();
        }
        let of_it = |one: &Waits| one.unsure == Some(sender);
        let places: Vec<_> =
            (0..self.waiting.len()).filter(|&at| of_it(&self.waiting[at])).collect();
        places.into_iter().enumerate().filter_map(|(gone, at)| self.remove(at - gone)).collect()
    }

    /// The next request that has waited for too long.
    pub fn overdue(&mut self, now: Moment) -> Option<Stanza> {
        let mut waiting = self.waiting.iter();
        let at = waiting.position(|one| one.is_request() && one.until <= now)?;
        self.remove(at).map(|leaving| leaving.stanza)
    }

    /// When the first request has waited for too long.
    pub fn until(&self) -> Option<Moment> {
        self.waiting.iter().find(|one| one.is_request()).map(|one| one.until)
    }

    /// What of it no room's log has either, and behind which place it waits.
    pub fn unlogged(&self) -> impl Iterator<Item = (&Stanza, Pos)> {
        let unlogged = self.waiting.iter().filter(|one| one.leaving.told.is_none());
        unlogged.map(|one| (&one.leaving.stanza, one.behind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaving(xml: &str) -> Leaving {
        Stanza::parse_one(xml).unwrap().into()
    }

    fn next(behind: &mut Behind, told: i64) -> Option<String> {
        behind.next(Pos(told)).map(|leaving| leaving.stanza.head.id.clone().unwrap().to_string())
    }

    #[test]
    fn each_waits_for_its_own_and_of_one_sender_in_order() {
        let mut behind = Behind::default();
        for (id, pos) in [("a", 9), ("b", 5), ("c", 9), ("d", 5)] {
            let iq = leaving(&format!("<iq from='{id}@x/r' type='get' id='{id}'><q/></iq>"));
            behind.push(iq, Pos(pos), Moment(0)).unwrap();
        }
        assert_eq!(next(&mut behind, 4), None);
        let five = [next(&mut behind, 5), next(&mut behind, 5), next(&mut behind, 5)];
        assert_eq!(five, [Some("b".into()), Some("d".into()), None]);
        // What follows something that the log is to tell again.
        behind.push(leaving("<iq id='e'/>"), Pos(7), Moment(0)).unwrap();
        let all = [next(&mut behind, 9), next(&mut behind, 9), next(&mut behind, 9)];
        assert_eq!(all, [Some("e".into()), Some("a".into()), Some("c".into())]);
        assert_eq!(behind.bytes, 0);
    }

    #[test]
    fn of_presence_the_last_waits_and_there_is_an_end_of_room() {
        let mut behind = Behind::default();
        for number in 0..2 * BEHIND_STANZAS_MAX {
            let presence = format!("<presence from='a@x/{}' id='{number}'/>", number % 2);
            behind.push(leaving(&presence), Pos(1), Moment(0)).unwrap();
        }
        assert_eq!(behind.waiting.len(), 2);
        for number in 2..BEHIND_STANZAS_MAX {
            let message = format!("<message from='a@x/r' id='{number}'/>");
            behind.push(leaving(&message), Pos(1), Moment(0)).unwrap();
        }
        assert!(behind.push(leaving("<message/>"), Pos(1), Moment(0)).is_err());
        assert!(behind.until().is_none(), "only requests may have waited for too long");
        let mut large = Behind::default();
        let text = "x".repeat(BEHIND_BYTES_MAX);
        let message = leaving(&format!("<message><body>{text}</body></message>"));
        assert!(large.push(message, Pos(1), Moment(0)).is_err());
    }

    #[test]
    fn where_there_are_too_many_senders_all_wait_for_the_last() {
        let mut behind = Behind::default();
        for number in 0..=SENDERS_MAX as u64 {
            behind.stands(number, Pos(5 + number as i64), Pos(4));
        }
        let last = Pos(5 + SENDERS_MAX as i64);
        assert_eq!((behind.last_of(0), behind.last_of(u64::MAX)), (last, last));
        let mut told = Behind::default();
        for number in 0..=SENDERS_MAX as u64 {
            told.stands(number, Pos(5), Pos(5));
        }
        assert_eq!((told.last.len(), told.last_of(u64::MAX)), (1, Pos::default()));
    }

    #[test]
    fn an_account_and_a_host_are_no_clients_and_own_resources_are_several() {
        let me = Bare::parse("juliet@x").unwrap();
        let of = |xml: &str| sender(&Stanza::parse_one(xml).unwrap(), &me);
        assert_eq!(
            of("<presence from='romeo@x'/>"),
            of("<iq from='romeo@x/a' id='1' type='get'/>")
        );
        assert!(of("<message from='romeo@x/a'/>").is_some());
        assert_ne!(of("<message from='juliet@x/a'/>"), of("<message from='juliet@x/b'/>"));
        for xml in ["<message/>", "<message from='juliet@x'/>", "<iq from='x' id='1' type='set'/>"]
        {
            assert_eq!(of(xml), None, "{xml}");
        }
    }
}
