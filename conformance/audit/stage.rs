//! What all devices of a run share: where the server is, what they are to do, how far they are.

use super::{
    history::{Device, Log},
    journal::Journal,
    link::Door,
};
use crate::{driver::Broken, tls};
use rustls::ClientConfig;
use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// What devices are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Be online, and send.
    Talk,
    /// Send nothing new; have all acknowledged.
    Settle,
    /// Tell who is in the rooms.
    List,
    /// Read the archives.
    Read,
    /// Leave.
    Leave,
}

/// What is ordered at the moment.
#[derive(Clone, Copy, Debug)]
pub struct Orders {
    /// Where the server is, if it is up.
    pub door: Option<Door>,
    /// What devices are to do.
    pub phase: Phase,
    /// How often connections were to be cut.
    pub cuts: u32,
    /// Whether those that can be deaf are.
    pub deaf: bool,
    /// Whether those that are to vanish do.
    pub vanish: bool,
}

/// Who a device is, and what it does.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its number.
    pub device: Device,
    /// The localpart of its account.
    pub local: String,
    /// The domain.
    pub domain: String,
    /// The resource.
    pub resource: String,
    /// The archive of its account.
    pub log: Log,
    /// Whom it writes to, a bare JID.
    pub peer: String,
    /// The archive of that account.
    pub peer_log: Log,
    /// The mean time between two messages that it sends.
    pub pause: Duration,
    /// Whether it reads the archive at the end.
    pub reads: bool,
    /// Whether it stops reading when that is ordered.
    pub deaf: bool,
    /// Its place in a room.
    pub seat: Option<Seat>,
}

/// The place of a device in a room.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The log of the room.
    pub log: Log,
    /// The address of the room.
    pub room: String,
    /// The device that makes the room.
    pub maker: Device,
    /// What it does there besides talking.
    pub role: Role,
    /// All accounts that are to be in it, the owner first.
    pub accounts: Vec<Log>,
    /// The mean time between what the owner does to the others, and a tenth of that between two
    /// departures of one of them.
    pub pause: Duration,
}

/// What a device does in a room besides talking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It makes the room, stays in it, bans, kicks and affiliates the others.
    Owner,
    /// It comes and goes.
    Guest,
    /// The same, and vanishes when that is ordered, until the archives are read.
    Vanishing,
    /// It is banned from the beginning to the end, and tries to enter.
    Hostage,
}

impl Seat {
    /// The nick of an account.
    pub fn nick(account: Log) -> String {
        format!("p{account}")
    }

    /// The account of a nick.
    pub fn account(nick: &str) -> Option<Log> {
        nick.strip_prefix('p')?.parse().ok()
    }
}

impl Part {
    /// The address of its account.
    pub fn account(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    /// Its full JID.
    pub fn full(&self) -> String {
        format!("{}/{}", self.account(), self.resource)
    }
}

/// How far a device is.
#[derive(Default)]
pub struct Progress {
    /// Whether it has a session.
    pub online: AtomicBool,
    /// How many of its messages are not acknowledged.
    pub waiting: AtomicUsize,
    /// Whether it is still fetching from the archive.
    pub fetching: AtomicBool,
    /// Whether its room is made, and others may enter.
    pub opened: AtomicBool,
    /// Whether it is about to enter its room or to do something there.
    pub busy: AtomicBool,
    /// Whether it has vanished.
    pub vanished: AtomicBool,
    /// Whether it has told who is in its room.
    pub listed: AtomicBool,
    /// Whether it has read the archive.
    pub read: AtomicBool,
    /// What kept it from going on, the last time.
    pub trouble: Mutex<String>,
}

/// The shared state of a run.
pub struct Stage {
    /// Tells this run's messages from others.
    pub run: u32,
    /// The password of all accounts.
    pub password: String,
    /// What happens is noted here.
    pub journal: Journal,
    /// What handshakes are begun with.
    pub tls: Arc<ClientConfig>,
    /// How far each device is.
    pub progress: Vec<Progress>,
    begun: Instant,
    heard_ms: AtomicU64,
    orders: Mutex<Orders>,
    ordered: Condvar,
}

impl Stage {
    /// Nobody is there yet, and no server.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(run: u32, journal: Journal, devices: usize) -> Result<Self, Broken> {
        Ok(Self {
            run,
            password: "secret".to_owned(),
            journal,
            tls: tls::any_certificate()?,
            progress: (0..devices).map(|_| Progress::default()).collect(),
            begun: Instant::now(),
            heard_ms: AtomicU64::new(0),
            orders: Mutex::new(Orders {
                door: None,
                phase: Phase::Talk,
                cuts: 0,
                deaf: false,
                vanish: false,
            }),
            ordered: Condvar::new(),
        })
    }

    /// What is ordered now.
    pub fn orders(&self) -> Orders {
        *self.lock()
    }

    /// Orders something else.
    pub fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.lock());
        self.ordered.notify_all();
    }

    /// Waits for a server that is up; nothing, when all are to leave.
    pub fn door(&self) -> Option<Door> {
        let mut orders = self.lock();
        loop {
            if orders.phase == Phase::Leave {
                return None;
            }
            if let Some(door) = orders.door {
                return Some(door);
            }
            orders = self.ordered.wait(orders).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until this phase has come, or a later one.
    pub fn await_phase(&self, phase: Phase) {
        let mut orders = self.lock();
        while orders.phase < phase {
            orders = self.ordered.wait(orders).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Something has come to some device.
    pub fn heard(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard_ms.fetch_max(now, Relaxed);
    }

    /// Since when nothing has come to anybody.
    pub fn silence(&self) -> Duration {
        let heard = Duration::from_millis(self.heard_ms.load(Relaxed));
        self.begun.elapsed().saturating_sub(heard)
    }

    /// Waits until this holds for every device, and for how long nothing has come.
    ///
    /// # Errors
    /// The devices for which it does not hold in time.
    pub fn wait(
        &self,
        within: Duration,
        silence: Duration,
        holds: impl Fn(&Progress) -> bool,
    ) -> Result<(), String> {
        let until = Instant::now() + within;
        loop {
            let open = self.progress.iter().enumerate().filter(|(_, progress)| !holds(progress));
            let open: Vec<_> = open.map(|(device, _)| device).collect();
            if open.is_empty() && self.silence() >= silence {
                return Ok(());
            }
            if Instant::now() > until {
                let first = open.first().map_or(String::new(), |device| self.trouble(*device));
                return Err(format!("after {within:?} still not: devices {open:?}; {first}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Something has kept a device from going on.
    pub fn troubled(&self, device: Device, why: &Broken) {
        let trouble = &self.progress[usize::from(device)].trouble;
        *trouble.lock().unwrap_or_else(PoisonError::into_inner) = why.to_string();
    }

    fn trouble(&self, device: usize) -> String {
        let trouble = self.progress[device].trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
