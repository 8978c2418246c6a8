//! Goes on with an inbox from where it was gathered last to the end of the log (section 4).

use super::content::{displayed, names, retracted, speaks};
use engine::{
    archive::Search,
    hook::World,
    inbox::{CONVERSATIONS_MAX, Conversation, Gathered, Inbox},
    port::{Fault, Logged},
    unit::{Change, Entry, Flags, Pos},
    wire::*,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

/// Entries that are in memory at once.
const PAGE_ENTRIES: usize = 100;
/// Entries that are gone through at once; whoever asks again goes on behind them.
const GATHERED_ENTRIES_MAX: usize = 20_000;
/// Received messages that are remembered, so that what is said of them finds them.
const RECENT_MESSAGES: usize = 1_000;
/// How far the store is looked through for what is said of a message that is not.
const LOOKED_BACK_ENTRIES: usize = 200;
/// How often that is done at once.
const LOOKS_BACK_MAX: usize = 100;

/// What the archive shows that others said.
const RECEIVED: Flags = Flags::RECEIVED.and(Flags::ARCHIVE);

/// An inbox on its way.
pub(super) struct Gathering<'a> {
    world: &'a World<'a>,
    /// Where it began.
    from: Pos,
    upto: Pos,
    conversations: BTreeMap<Bare, Conversation>,
    changed: BTreeSet<Bare>,
    recent: VecDeque<Recent>,
    /// All that was received behind this is among `recent`.
    known: Pos,
    looks_back: usize,
}

/// A message to be read.
struct Recent {
    pos: Pos,
    peer: Bare,
    names: [Option<String>; 2],
}

impl<'a> Gathering<'a> {
    /// As it was left.
    pub(super) async fn of(world: &'a World<'a>) -> Result<Self, Fault> {
        let Inbox { upto, conversations } = world.store.inbox(world.account).await?;
        let by_peer = |one: Conversation| (one.peer.clone(), one);
        let conversations = conversations.into_iter().map(by_peer).collect();
        let (changed, recent, looks_back) = Default::default();
        let (from, known) = (upto, upto);
        Ok(Self { world, from, upto, conversations, changed, recent, known, looks_back })
    }

    /// Whether it has come to the end of the log.
    pub(super) async fn go_on(&mut self) -> Result<bool, Fault> {
        let mut gathered = 0;
        while gathered < GATHERED_ENTRIES_MAX {
            let page = self.world.store.page(self.world.account, self.upto, PAGE_ENTRIES).await?;
            let is_last = page.len() < PAGE_ENTRIES;
            gathered += page.len();
            for logged in page {
                if self.looks_back >= LOOKS_BACK_MAX {
                    return Ok(false);
                }
                self.take(&logged).await?;
            }
            if is_last {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn take(&mut self, logged: &Logged) -> Result<(), Fault> {
        let Logged { pos, entry } = logged;
        // What cannot be read says nothing.
        if let Ok(said) = Stanza::parse_one(&entry.stanza) {
            let is_shown = entry.flags.has(Flags::ARCHIVE);
            match is_shown && speaks(&said) {
                true => self.speak(*pos, entry, &said),
                false if is_shown => self.touch(*pos, &entry.peer),
                false => {}
            }
            let marked = displayed(&said).filter(|_| entry.flags.has(Flags::SENT));
            if let Some(id) = marked {
                self.mark(*pos, &entry.peer, &id).await?;
            }
            let taken_back = retracted(&said).filter(|_| entry.flags.has(Flags::RECEIVED));
            if let Some(id) = taken_back {
                self.take_back(*pos, &entry.peer, id).await?;
            }
        }
        self.upto = *pos;
        Ok(())
    }

    /// Who speaks has seen what was said before.
    fn speak(&mut self, pos: Pos, entry: &Entry, said: &Stanza) {
        let peer = entry.peer.clone();
        let of = |peer: Bare| {
            let (upto, last, unread, displayed) = (pos, pos, 0, Pos::default());
            Conversation { peer, upto, last, unread, displayed }
        };
        let conversation =
            self.conversations.entry(peer.clone()).or_insert_with(|| of(peer.clone()));
        (conversation.upto, conversation.last) = (pos, pos);
        match entry.flags.has(Flags::SENT) {
            true => (conversation.unread, conversation.displayed) = (0, pos),
            false => {
                conversation.unread = conversation.unread.saturating_add(1);
                self.remember(Recent { pos, peer: peer.clone(), names: names(said) });
            }
        }
        self.changed.insert(peer);
    }

    fn remember(&mut self, recent: Recent) {
        self.recent.push_back(recent);
        if self.recent.len() > RECENT_MESSAGES {
            self.known = self.recent.pop_front().map_or(self.known, |gone| gone.pos);
        }
    }

    /// It says nothing that is to be read: that alone makes no conversation.
    fn touch(&mut self, pos: Pos, peer: &Bare) {
        if let Some(conversation) = self.conversations.get_mut(peer) {
            conversation.upto = pos;
            self.changed.insert(peer.clone());
        }
    }

    /// Everything up to the one of this id has been seen, as the owner said at `pos`.
    async fn mark(&mut self, pos: Pos, peer: &Bare, id: &str) -> Result<(), Fault> {
        let Some(before) = self.conversations.get(peer).filter(|one| one.unread > 0).cloned()
        else {
            return Ok(());
        };
        let Some(seen) = self.place(pos, peer, id).await? else { return Ok(()) };
        if seen <= before.displayed {
            return Ok(());
        }
        let unread = self.unread_behind(seen, pos, peer, None).await?.unwrap_or(before.unread);
        if let Some(conversation) = self.conversations.get_mut(peer) {
            conversation.displayed = seen;
            conversation.unread = unread.min(before.unread);
            self.changed.insert(peer.clone());
        }
        Ok(())
    }

    /// The peer has taken back the one of this id: it need not be read any more. The log may have
    /// a tombstone of it by now, or not yet: so those that are left are counted anew. Where they
    /// are too many, one that has been counted a moment ago is one less.
    async fn take_back(&mut self, pos: Pos, peer: &Bare, id: String) -> Result<(), Fault> {
        let Some(before) = self.conversations.get(peer).filter(|one| one.unread > 0).cloned()
        else {
            return Ok(());
        };
        let is_it =
            |one: &Recent| one.peer == *peer && one.names.iter().flatten().any(|name| *name == id);
        let counted = self.recent.iter().rposition(is_it).and_then(|at| self.recent.remove(at));
        let is_new = counted.is_some_and(|one| one.pos > before.displayed);
        let left = self.unread_behind(before.displayed, pos, peer, Some(id)).await?;
        let unread = left.unwrap_or(before.unread - u32::from(is_new)).min(before.unread);
        if let Some(conversation) = self.conversations.get_mut(peer) {
            conversation.unread = unread;
            self.changed.insert(peer.clone());
        }
        Ok(())
    }

    /// Where the message of this id stands. One that the archive does not have was seen, too, and
    /// all before it; but one that is not found among the newest is not among what is new.
    async fn place(&mut self, pos: Pos, peer: &Bare, id: &str) -> Result<Option<Pos>, Fault> {
        if let Some(named) = self.world.settings.names.pos(self.world.account, id) {
            return Ok(Some(named.min(pos)));
        }
        let is_it = |names: &[Option<String>; 2]| names.iter().flatten().any(|name| name == id);
        let mut recent = self.recent.iter().rev();
        if let Some(found) = recent.find(|one| one.peer == *peer && is_it(&one.names)) {
            return Ok(Some(found.pos));
        }
        let (entries, more) = self.look_back(Pos::default(), pos, peer).await?;
        let mut entries = entries.iter().rev();
        let found = entries.find(|(_, said)| is_it(&names(said))).map(|(pos, _)| *pos);
        Ok(found.or(Some(pos).filter(|_| !more)))
    }

    /// How many received messages stand between that were not taken back, as that of this id is
    /// now; `None`: more than are looked for.
    async fn unread_behind(
        &mut self,
        seen: Pos,
        pos: Pos,
        peer: &Bare,
        taken_back: Option<String>,
    ) -> Result<Option<u32>, Fault> {
        let count = if seen >= self.known {
            let behind = |one: &&Recent| one.pos > seen && one.peer == *peer;
            self.recent.iter().filter(behind).count()
        } else {
            let (entries, more) = self.look_back(seen, pos, peer).await?;
            if more {
                return Ok(None);
            }
            let before = entries.iter().filter_map(|(at, said)| Some((*at, retracted(said)?)));
            let gone: Vec<_> = before.chain(taken_back.map(|id| (pos, id))).collect();
            let is_gone = |at: Pos, said: &Stanza| {
                let names = names(said);
                let mut later = gone.iter().filter(|(by, _)| *by > at);
                later.any(|(_, id)| names.iter().flatten().any(|name| name == id))
            };
            entries.iter().filter(|(at, said)| speaks(said) && !is_gone(*at, said)).count()
        };
        Ok(u32::try_from(count).ok())
    }

    /// The newest that the peer said between, and whether there are more.
    async fn look_back(
        &mut self,
        after: Pos,
        before: Pos,
        peer: &Bare,
    ) -> Result<(Vec<(Pos, Stanza)>, bool), Fault> {
        self.looks_back += 1;
        let search = Search {
            after,
            before: Some(before),
            with: Some(peer.clone()),
            flags: RECEIVED,
            newest: true,
            max: LOOKED_BACK_ENTRIES,
            ..Search::default()
        };
        let found = self.world.store.search(self.world.account, &search).await?;
        let read =
            |logged: Logged| Some((logged.pos, Stanza::parse_one(&logged.entry.stanza).ok()?));
        Ok((found.entries.into_iter().filter_map(read).collect(), found.more))
    }

    /// All that there is.
    pub(super) fn conversations(&self) -> impl Iterator<Item = &Conversation> {
        self.conversations.values()
    }

    /// What is to be written; `None`: nothing was added to the log.
    pub(super) fn change(mut self) -> Option<Change> {
        if self.upto == self.from {
            return None;
        }
        let oldest = self.oldest();
        let changed = self.changed.iter().filter_map(|peer| self.conversations.remove(peer));
        let conversations = changed.filter(|one| one.upto >= oldest).collect();
        let gathered = Gathered { upto: self.upto, oldest, conversations };
        Some(Change::Gathered(self.world.account.clone(), Box::new(gathered)))
    }

    /// What is older is forgotten.
    fn oldest(&self) -> Pos {
        let mut places: Vec<_> = self.conversations.values().map(|one| one.upto).collect();
        places.sort_unstable_by_key(|place| Reverse(*place));
        places.get(CONVERSATIONS_MAX - 1).copied().unwrap_or_default()
    }
}
