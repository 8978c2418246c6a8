//! Clients that read the archive themselves (XEP-0313 §4): what waits for the account, and the
//! archive shows, they are not told besides (XEP-0160).
//!
//! Who has caught up with the archive in its session need not be told what was there then. Most
//! say first that they are available, and read a moment later: who is known to read, by its device
//! or by the resource that it asks for, is not told at once, but has that moment. Who lets it pass
//! is told everything, and known no more: somebody else may have come by that name, and nothing is
//! kept from who cannot read.

use super::{Account, Output};
use crate::{
    ctx::{Ctx, Moment},
    parcel::Link,
    replay::{Replay, Telling},
    session::Session,
    unit::{Change, Pos, Table, Unit},
};
use wire::Text;

/// Who has read the archive: when it did so, in milliseconds since 1970.
pub(crate) const READERS: Table = Table::named("reader");
/// Readers of one account that are known, those that have read last.
const READERS_MAX: usize = 16;
/// How long one that is known to read is waited for, in milliseconds.
pub(crate) const PATIENCE_MS: u64 = 10_000;
/// When a reader has read is written again after so long, in milliseconds.
const RENEWED_MS: u64 = 7 * 86_400_000;

/// By what a client is known when it comes again: its device, or else the resource that it asks
/// for. A resource that the server makes is another each time.
pub(super) fn known_as(device: Option<&Text>, resource: Option<&Text>) -> Option<Text> {
    let device = device.map(|id| format!("d{id}"));
    device.or_else(|| Some(format!("r{}", resource?))).map(Text::from)
}

impl Account {
    /// This request, sent when the log had passed up to there, has been answered from the archive:
    /// its client reads by itself.
    pub(super) fn has_read(&mut self, by: Link, upto: Pos, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Some(place) = self.sessions.iter().position(|one| one.link == by) else { return };
        let session = &mut self.sessions[place];
        session.reads = session.reads.max(upto);
        let (reads, known_as) = (session.reads, session.known_as.clone());
        if let Some(replay) = &mut session.replay {
            replay.reads = reads;
        }
        known_as.into_iter().for_each(|key| self.know(&key, ctx, out));
        if self.sessions[place].replay.as_ref().is_some_and(|one| one.state == Telling::Hopes) {
            self.look_on(place, out);
        }
    }

    fn know(&mut self, key: &str, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let since = self.cells.get(READERS, key).map(read_ms);
        if self.departs || since.is_some_and(|since| ctx.unix_ms.abs_diff(since) < RENEWED_MS) {
            return;
        }
        let cell = ctx.unix_ms.to_be_bytes().to_vec();
        let mut unit = Unit::from(Change::Put(READERS, self.jid.clone(), key.to_owned(), cell));
        if since.is_none() && self.cells.count(READERS) >= READERS_MAX {
            let eldest = self.cells.of(READERS).min_by_key(|(_, cell)| read_ms(cell));
            unit.changes.extend(eldest.map(|(key, _)| self.unknow(key)));
        }
        self.commit_quietly(unit, ctx, out);
    }

    fn unknow(&self, key: &str) -> Change {
        Change::Cut(READERS, self.jid.clone(), key.to_owned())
    }

    /// Until when a session that becomes available may be expected to read.
    pub(super) fn patience(&self, session: &Session, ctx: &Ctx<'_>) -> Option<Moment> {
        let key = session.known_as.as_ref()?;
        self.cells.get(READERS, key).map(|_| ctx.now.after(PATIENCE_MS))
    }

    /// Whether a session is to read this itself, and may be about to.
    pub(super) fn is_hoped_for(&self, place: usize, is_shown: bool, pos: Pos, now: Moment) -> bool {
        let replay = self.sessions[place].replay.as_deref();
        let waits = |replay: &Replay| {
            replay.is_missed(pos) && replay.patience.is_some_and(|until| until > now)
        };
        is_shown && replay.is_some_and(waits)
    }

    /// Those who have not read in time are told.
    pub(super) fn hope_no_more(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        for place in 0..self.sessions.len() {
            let session = &mut self.sessions[place];
            let is_due = session.hopes_until().is_some_and(|until| until <= ctx.now);
            let Some(replay) = session.replay.as_mut().filter(|_| is_due) else { continue };
            replay.patience = None;
            let forgotten = session.known_as.clone().map(|key| self.unknow(&key));
            if let Some(change) = forgotten.filter(|_| !self.departs) {
                self.commit_quietly(change.into(), ctx, out);
            }
            self.look_on(place, out);
        }
    }
}

fn read_ms(cell: &[u8]) -> u64 {
    cell.try_into().map(u64::from_be_bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        account::Input,
        ctx::Random,
        hooks::Hooks,
        port::Loaded,
        settings::Settings,
        unit::{Committed, KEY_BYTES_MAX},
    };
    use wire::Bare;

    struct Zero;

    impl Random for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    /// One more has read, then; whether that was written.
    fn reads(account: &mut Account, key: &str, unix_ms: u64) -> bool {
        let hooks = Hooks::of(&[]);
        let settings = Settings::of(vec![Bare::host("x").unwrap()], [0; 32]);
        let now = Moment(0);
        let ctx = Ctx { now, unix_ms, random: &Zero, settings: &settings, hooks: &hooks };
        let mut out = Vec::new();
        account.know(key, &ctx, &mut out);
        let commits = out.into_iter().filter_map(|caused| match caused {
            Output::Commit(ticket, ..) => Some(ticket),
            _ => None,
        });
        let commits: Vec<_> = commits.collect();
        for ticket in &commits {
            let done = Input::Committed(*ticket, Ok(Committed::default()));
            account.handle(&ctx, done, &mut Vec::new());
        }
        !commits.is_empty()
    }

    #[test]
    fn those_that_have_read_last_are_known() {
        let jid = Bare::parse("juliet@x").unwrap();
        let mut account = Account::load(jid, Loaded::default(), 0);
        for number in 0..READERS_MAX as u64 {
            assert!(reads(&mut account, &format!("r{number}"), 1_000 + number));
        }
        assert!(!reads(&mut account, "r0", 2_000), "it is known");
        assert!(reads(&mut account, "r0", 1_000 + RENEWED_MS), "to have read again");
        assert!(reads(&mut account, "dphone", RENEWED_MS));
        let known: Vec<_> = account.cells.of(READERS).map(|(key, _)| key).collect();
        assert_eq!(known.len(), READERS_MAX);
        assert!(known.contains(&"r0") && known.contains(&"dphone") && !known.contains(&"r1"));
    }

    #[test]
    fn a_client_is_known_by_its_device_or_by_the_resource_that_it_asks_for() {
        let (device, resource) = (Text::from("phone"), Text::from("x".repeat(1_023)));
        assert_eq!(known_as(Some(&device), Some(&resource)).as_deref(), Some("dphone"));
        let longest = known_as(None, Some(&resource)).unwrap();
        assert_eq!(longest.len(), KEY_BYTES_MAX);
        assert_eq!(known_as(None, None), None);
    }
}
