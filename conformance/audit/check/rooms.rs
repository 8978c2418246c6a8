//! What must hold of rooms besides their logs (XEP-0045): a ban that was told to be done is kept,
//! and so is every other affiliation; nobody is listed who is not there, and nobody takes itself
//! for there who is not listed.

use super::{Facts, Verdict, Wrong};
use crate::audit::history::{Device, Does, Event, How, Log, What, Wish};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of who is in rooms, and who is what there.
#[derive(Default)]
struct Rooms {
    /// By room and account: what was told to be done last, unless something else was asked since.
    standing: BTreeMap<(Log, Log), Option<Wish>>,
    /// Devices that asked to be let in while they were banned for certain.
    pushing: BTreeSet<(Log, Device)>,
    inside: BTreeSet<(Log, Device)>,
    /// How often the server had forgotten when the last session of a device began.
    kills: BTreeMap<Device, u32>,
    /// Devices that have asked to be let in, and have not been answered.
    entering: BTreeSet<(Log, Device)>,
    /// Devices that were inside or about to be when it forgot, and came back to their session.
    survivors: BTreeSet<(Log, Device)>,
    listed: BTreeMap<Log, BTreeSet<Log>>,
    views: Vec<(Device, Log, BTreeSet<Log>)>,
}

impl Rooms {
    /// Whether that account is banned for certain.
    fn bans(&self, log: Log, account: Log) -> bool {
        self.standing.get(&(log, account)) == Some(&Some(Wish::Outcast))
    }

    fn session(&mut self, device: Device, how: How, forgot: u32) {
        let before = self.kills.insert(device, forgot);
        if how == How::Renewed {
            self.inside.retain(|(_, inside)| *inside != device);
        }
        if how == How::Resumed && before.is_some_and(|before| before < forgot) {
            let there = self.inside.iter().chain(&self.entering);
            self.survivors.extend(there.filter(|(_, there)| *there == device));
        }
    }
}

impl Facts<'_> {
    pub(super) fn check_rooms(&self, history: &[Event], verdict: &mut Verdict) {
        let mut rooms = Rooms::default();
        for Event { what, .. } in history {
            match what {
                What::Room { device, log, does } => {
                    self.does(*device, *log, does, &mut rooms, verdict);
                }
                What::Session { device, how, forgot, .. } => rooms.session(*device, *how, *forgot),
                _ => {}
            }
        }
        for (log, listed) in &rooms.listed {
            self.check_listed(*log, listed, &rooms, verdict);
        }
        for (device, log, views) in &rooms.views {
            self.check_view(*device, *log, views, &rooms, verdict);
        }
    }

    fn does(
        &self,
        device: Device,
        log: Log,
        does: &Does,
        rooms: &mut Rooms,
        verdict: &mut Verdict,
    ) {
        match does {
            Does::Enters => self.enters(device, log, rooms, verdict),
            Does::Inside => self.enters_at_last(device, log, rooms, verdict),
            Does::Outside { .. } | Does::Vanishes => {
                rooms.inside.remove(&(log, device));
                rooms.entering.remove(&(log, device));
                rooms.survivors.remove(&(log, device));
            }
            Does::Sees { account, inside } => {
                if *inside && rooms.bans(log, *account) {
                    let (who, account) = (self.device(device), self.log(*account));
                    let why = format!("{who} has banned {account}, and sees it enter");
                    verdict.find(Wrong::Forgotten, None, why);
                }
            }
            Does::Asks { wish: Wish::Kick, .. } | Does::Doubts | Does::EntersAgain => {}
            Does::Asks { account, .. } => {
                rooms.standing.insert((log, *account), None);
                let of = |(_, device): &(Log, Device)| self.account_of(*device) == Some(*account);
                rooms.pushing.retain(|pushing| pushing.0 != log || !of(pushing));
            }
            Does::Done { account, wish } => {
                verdict.orders += 1;
                if *wish != Wish::Kick {
                    rooms.standing.insert((log, *account), Some(*wish));
                }
            }
            Does::Lists { accounts } => {
                rooms.listed.insert(log, accounts.iter().copied().collect());
            }
            Does::Views { accounts } => {
                rooms.views.push((device, log, accounts.iter().copied().collect()));
            }
            Does::Affiliates { accounts } => {
                self.check_affiliations(log, accounts, &rooms.standing, verdict);
            }
        }
    }

    fn enters(&self, device: Device, log: Log, rooms: &mut Rooms, verdict: &mut Verdict) {
        rooms.pushing.remove(&(log, device));
        rooms.entering.insert((log, device));
        rooms.survivors.remove(&(log, device));
        if self.account_of(device).is_some_and(|own| rooms.bans(log, own)) {
            rooms.pushing.insert((log, device));
            verdict.pushes += 1;
        }
    }

    fn enters_at_last(&self, device: Device, log: Log, rooms: &mut Rooms, verdict: &mut Verdict) {
        verdict.entries += 1;
        rooms.inside.insert((log, device));
        rooms.entering.remove(&(log, device));
        if rooms.pushing.remove(&(log, device)) {
            let why = format!("{} is banned, and was let in", self.device(device));
            verdict.find(Wrong::Forgotten, None, why);
        }
    }

    /// Who is listed is there, and who is there is listed (G6).
    fn check_listed(&self, log: Log, listed: &BTreeSet<Log>, rooms: &Rooms, verdict: &mut Verdict) {
        let inside = rooms.inside.iter().filter(|(room, _)| *room == log);
        let there: BTreeSet<Log> =
            inside.filter_map(|(_, device)| self.account_of(*device)).collect();
        for ghost in listed.difference(&there) {
            let why = format!("{} lists {}, who is not there", self.log(log), self.log(*ghost));
            verdict.find(Wrong::Ghost, None, why);
        }
        for lost in there.difference(listed) {
            let why = format!("{} is in {}, as it was told", self.log(*lost), self.log(log));
            verdict.find(Wrong::Unlisted, None, format!("{why}; it is not listed"));
        }
    }

    /// Who is inside sees by presence whom the room lists.
    fn check_view(
        &self,
        device: Device,
        log: Log,
        views: &BTreeSet<Log>,
        rooms: &Rooms,
        verdict: &mut Verdict,
    ) {
        let Some(listed) = rooms.listed.get(&log) else { return };
        if !rooms.inside.contains(&(log, device)) {
            return;
        }
        if rooms.survivors.contains(&(log, device)) {
            verdict.stale += views.symmetric_difference(listed).count() as u64;
            return;
        }
        let who = self.device(device);
        for ghost in views.difference(listed) {
            let why = format!("{who} sees {}, who is not listed", self.log(*ghost));
            verdict.find(Wrong::Ghost, None, why);
        }
        for lost in listed.difference(views) {
            let why = format!("{who} does not see {}, who is listed", self.log(*lost));
            verdict.find(Wrong::Unlisted, None, why);
        }
    }

    fn check_affiliations(
        &self,
        log: Log,
        kept: &[(Log, Wish)],
        standing: &BTreeMap<(Log, Log), Option<Wish>>,
        verdict: &mut Verdict,
    ) {
        let kept: BTreeMap<Log, Wish> = kept.iter().copied().collect();
        for ((room, account), wish) in standing {
            let Some(wish) = wish.filter(|_| *room == log) else { continue };
            let is = kept.get(account).copied().unwrap_or(Wish::None);
            if is != wish {
                let (account, room) = (self.log(*account), self.log(log));
                let why = format!("{account} was made {wish:?} in {room}, and is {is:?}");
                verdict.find(Wrong::Forgotten, None, why);
            }
        }
    }

    /// The account of a device is the first of what it hears of.
    fn account_of(&self, device: Device) -> Option<Log> {
        self.devices.get(&device)?.1.first().copied()
    }
}
