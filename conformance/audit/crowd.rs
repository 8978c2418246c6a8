//! A run: accounts in pairs, a thread for each of their devices, and the verdict at the end.

use super::{
    check::{self, Verdict},
    device,
    history::{Device, Event, Fault, How, Log, What},
    journal::Journal,
    link::Door,
    stage::{Part, Phase, Progress, Role, Seat, Stage},
};
use crate::driver::Broken;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    thread::JoinHandle,
    time::Duration,
};

/// How long all may take to come online.
const ARRIVAL: Duration = Duration::from_secs(120);
/// How long it may take until all is acknowledged, once nothing is done to the server any more.
const SETTLEMENT: Duration = Duration::from_secs(60);
/// Nothing comes to anybody for so long: nothing is under way.
const SILENCE: Duration = Duration::from_millis(1500);
/// How long it may take until all have told who is in the rooms.
const LISTING: Duration = Duration::from_secs(30);
/// How long it may take until enough has happened.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long reading all archives may take.
const READING: Duration = Duration::from_secs(300);
/// The mean time between two things that the owner of a room does to the others.
const ORDERS: Duration = Duration::from_millis(800);
/// Of the two devices of an account, the one that some messages are addressed to.
const RESOURCES: [&str; 2] = ["desk", "phone"];

/// Who takes part.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Pairs of accounts that write to each other.
    pub pairs: u16,
    /// Devices of each account: one or two.
    pub devices: u16,
    /// Rooms that the accounts are dealt out to; at least four to each.
    pub rooms: u16,
    /// How long after all has settled nobody may be listed in a room who is not there.
    pub ghosts_after: Duration,
    /// Messages a second, of all together.
    pub rate: f64,
    /// The domain.
    pub domain: String,
    /// How many devices stop reading when that is ordered.
    pub deaf: u16,
    /// What chance begins with.
    pub seed: u64,
}

impl Plan {
    /// The addresses of all accounts.
    pub fn accounts(&self) -> Vec<String> {
        (0..2 * self.pairs).map(|account| format!("a{account}@{}", self.domain)).collect()
    }

    fn parts(&self) -> Vec<Part> {
        let devices = 2 * self.pairs * self.devices;
        let pause = Duration::from_secs_f64(f64::from(devices) / self.rate);
        let part = |device: Device| {
            let log: Log = device / self.devices;
            let (peer_log, number) = (log ^ 1, device % self.devices);
            Part {
                device,
                local: format!("a{log}"),
                domain: self.domain.clone(),
                resource: RESOURCES[usize::from(number)].to_owned(),
                log,
                peer: format!("a{peer_log}@{}", self.domain),
                peer_log,
                pause,
                reads: number == 0,
                deaf: device < self.deaf,
                seat: self.seat(device),
            }
        };
        (0..devices).map(part).collect()
    }

    /// Accounts are dealt out to rooms one after the other.
    fn seat(&self, device: Device) -> Option<Seat> {
        let account: Log = device / self.devices;
        let room = account.checked_rem(self.rooms)?;
        let accounts = (0..2 * self.pairs).filter(|other| other % self.rooms == room);
        let accounts: Vec<Log> = accounts.collect();
        let place = accounts.iter().position(|other| *other == account)?;
        let role = match accounts.len() - place {
            1 => Role::Hostage,
            2 => Role::Vanishing,
            // The owner's other device is a guest of the same nick.
            _ if place == 0 && device.is_multiple_of(self.devices) => Role::Owner,
            _ => Role::Guest,
        };
        let log = 2 * self.pairs + room;
        let maker = accounts[0] * self.devices;
        let room = self.room(room);
        Some(Seat { log, room, maker, role, accounts, pause: ORDERS })
    }

    fn room(&self, room: u16) -> String {
        format!("r{room}@conference.{}", self.domain)
    }

    fn logs(&self) -> Vec<(String, bool)> {
        let accounts = self.accounts().into_iter().map(|account| (account, false));
        accounts.chain((0..self.rooms).map(|room| (self.room(room), true))).collect()
    }
}

/// Devices that live.
pub struct Crowd {
    stage: Arc<Stage>,
    threads: Vec<JoinHandle<()>>,
    ghosts_after: Option<Duration>,
}

/// What a run comes to.
pub struct Outcome {
    /// What the auditor says.
    pub verdict: Verdict,
    /// All that happened.
    pub history: Vec<Event>,
    /// Where the history is kept.
    pub kept: PathBuf,
    /// From the first try to connect to a session, in microseconds, sorted; without first logins.
    pub reconnects_us: Vec<u64>,
    /// From the first time that a message is sent to its acknowledgement, the same.
    pub acks_us: Vec<u64>,
}

impl Crowd {
    /// Brings all devices online at this door. The history is kept in this file.
    ///
    /// # Errors
    /// When they do not come online.
    pub fn gather(plan: &Plan, door: Door, history: &Path) -> Result<Self, Broken> {
        let journal = Journal::create(history).map_err(|error| Broken(error.to_string()))?;
        let parts = plan.parts();
        let run = plan.seed as u32 ^ std::process::id();
        let stage = Arc::new(Stage::new(run, journal, parts.len())?);
        for (log, (jid, is_room)) in (0..).zip(plan.logs()) {
            stage.journal.log(log, &jid, is_room);
        }
        for part in &parts {
            let room = part.seat.as_ref().map(|seat| seat.log);
            let hears = [part.log].into_iter().chain(room).collect();
            stage.journal.device(part.device, &part.full(), hears);
        }
        // Nobody writes before all are there: who is not cannot hear.
        stage.order(|orders| (orders.phase, orders.door) = (Phase::Settle, Some(door)));
        let seed = plan.seed;
        for part in &parts {
            let progress = &stage.progress[usize::from(part.device)];
            progress.read.store(!part.reads, Relaxed);
            progress.listed.store(part.seat.is_none(), Relaxed);
            progress.busy.store(part.seat.is_some(), Relaxed);
        }
        let living = parts.into_iter().map(|part| {
            let stage = Arc::clone(&stage);
            std::thread::spawn(move || device::live(&part, &stage, seed))
        });
        let ghosts_after = (plan.rooms > 0).then_some(plan.ghosts_after);
        let crowd = Self { threads: living.collect(), stage, ghosts_after };
        let settled =
            |progress: &Progress| progress.online.load(Relaxed) && !progress.busy.load(Relaxed);
        crowd.stage.wait(ARRIVAL, Duration::ZERO, settled).map_err(Broken)?;
        crowd.stage.order(|orders| orders.phase = Phase::Talk);
        Ok(crowd)
    }

    /// The server is about to go, by this.
    pub fn goes(&self, fault: Fault) {
        self.stage.order(|orders| orders.door = None);
        self.stage.journal.fault(fault);
    }

    /// The server is there again.
    pub fn returns(&self, door: Door) {
        self.stage.order(|orders| orders.door = Some(door));
    }

    /// Something is done to the server, which stays where it is.
    pub fn suffers(&self, fault: Fault) {
        self.stage.journal.fault(fault);
    }

    /// Cuts the connections of half of the devices.
    pub fn cut(&self) {
        self.stage.journal.fault(Fault::Cut);
        self.stage.order(|orders| orders.cuts += 1);
    }

    /// Those that can be deaf are, or hear again.
    pub fn deafen(&self, deaf: bool) {
        self.stage.order(|orders| orders.deaf = deaf);
    }

    /// Those that are to vanish do, until the archives are read.
    pub fn vanish(&self) {
        self.stage.order(|orders| orders.vanish = true);
    }

    /// How many devices have a session.
    pub fn online(&self) -> usize {
        let progress = self.stage.progress.iter();
        progress.filter(|progress| progress.online.load(Relaxed)).count()
    }

    /// Waits until all devices have a session, but for those that have vanished.
    ///
    /// # Errors
    /// Those that have none in time.
    pub fn all_online(&self, within: Duration) -> Result<(), Broken> {
        let online =
            |progress: &Progress| progress.online.load(Relaxed) || progress.vanished.load(Relaxed);
        self.stage.wait(within, Duration::ZERO, online).map_err(Broken)
    }

    /// Waits until this holds of what has happened since the last fault.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn live_until(&self, enough: impl Fn(&[Event]) -> bool) -> Result<(), Broken> {
        match self.stage.journal.waits(PATIENCE, enough) {
            true => Ok(()),
            false => Err(Broken(format!("not enough has happened in {PATIENCE:?}"))),
        }
    }

    /// Lets all be acknowledged and delivered, reads the archives, and judges.
    ///
    /// # Errors
    /// When it is not all acknowledged in time, or an archive cannot be read.
    pub fn settle(self) -> Result<Outcome, Broken> {
        let stage = Arc::clone(&self.stage);
        stage.order(|orders| orders.phase = Phase::Settle);
        let settled = |progress: &Progress| {
            (progress.online.load(Relaxed) || progress.vanished.load(Relaxed))
                && progress.waiting.load(Relaxed) == 0
                && !progress.busy.load(Relaxed)
                && !progress.fetching.load(Relaxed)
        };
        let settlement = stage.wait(SETTLEMENT, SILENCE, settled);
        let listing = match self.ghosts_after {
            Some(ghosts_after) => {
                std::thread::sleep(ghosts_after);
                stage.order(|orders| orders.phase = Phase::List);
                let listed = |progress: &Progress| progress.listed.load(Relaxed);
                stage.wait(LISTING, Duration::ZERO, listed)
            }
            None => Ok(()),
        };
        stage.order(|orders| orders.phase = Phase::Read);
        let read = |progress: &Progress| progress.read.load(Relaxed);
        // Who has been away comes back only now.
        let silence = if self.ghosts_after.is_some() { SILENCE } else { Duration::ZERO };
        let reading = stage.wait(READING, silence, read);
        stage.order(|orders| orders.phase = Phase::Leave);
        let kept = stage.journal.path().to_owned();
        for thread in self.threads {
            thread.join().map_err(|_| Broken("a device panicked".into()))?;
        }
        let unfinished = settlement.and(listing).and(reading);
        unfinished.map_err(|why| Broken(format!("{why}; see {}", kept.display())))?;
        let history = stage.journal.end().map_err(|error| Broken(error.to_string()))?;
        let (reconnects_us, acks_us) = (reconnects(&history), acks(&history));
        Ok(Outcome { verdict: check::check(&history), history, kept, reconnects_us, acks_us })
    }
}

fn reconnects(history: &[Event]) -> Vec<u64> {
    let took = |event: &Event| match event.what {
        What::Session { how: How::Resumed | How::Renewed, took_us, .. } => Some(took_us),
        _ => None,
    };
    let mut took: Vec<_> = history.iter().filter_map(took).collect();
    took.sort_unstable();
    took
}

fn acks(history: &[Event]) -> Vec<u64> {
    let (mut sent, mut took) = (HashMap::new(), Vec::new());
    for Event { at_us, what } in history {
        match what {
            What::Send { id, .. } => _ = sent.entry(id).or_insert(at_us),
            What::Acked { ids, .. } => {
                let since = ids.iter().filter_map(|id| sent.get(id));
                took.extend(since.map(|since| at_us - *since));
            }
            _ => {}
        }
    }
    took.sort_unstable();
    took
}
