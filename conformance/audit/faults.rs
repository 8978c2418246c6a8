//! What is done to a server while the devices talk.

mod strike;

use super::{
    crowd::{Crowd, Plan},
    device::chance::Chance,
    history::Event,
    process::Program,
    report::Report,
    shim::Shim,
};
use std::{error::Error, ops::Range, path::Path, time::Duration};
use store::private_postgres::PrivatePostgres;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// `kill -9`, and a start on the same data (F-K9)
    Kill,
    /// The same, and what was written but not synced is gone (F-PWR); SQLite only
    Power,
    /// SIGTERM, and a start on the same data (F-DRAIN)
    Drain,
    /// The same between a copy and its restoration: `waxwing backup`, another store in the place of
    /// the one that is copied, `waxwing restore`
    Restore,
    /// PostgreSQL is restarted, in order and at once by turns (F-PG1)
    Database,
    /// PostgreSQL takes half a second for every commit, for five seconds (F-PG3)
    Slow,
    /// The disk is full for five seconds (F-DSK); SQLite only
    Disk,
    /// The disk does not sync: the process must end, and the next one may not believe what it
    /// reads; then the power is lost, too (F-DSK); SQLite only
    Sick,
    /// Some devices stop reading for ten seconds (F-SLOW)
    Deaf,
    /// The clock goes forwards by an hour, and back (F-CLK)
    Clock,
    /// The process is frozen for three seconds (F-CLK)
    Freeze,
    /// Half of the connections are cut
    Cut,
}

impl Kind {
    /// Whether it needs a database that is a process of its own.
    pub fn needs_postgres(self) -> bool {
        matches!(self, Self::Database | Self::Slow)
    }

    /// Whether what was not synced is to be lost.
    fn takes_back(self) -> bool {
        matches!(self, Self::Power | Self::Sick)
    }

    fn needs_shim(self) -> bool {
        matches!(self, Self::Power | Self::Disk | Self::Sick | Self::Clock)
    }
}

/// A run against one server.
pub struct Siege<'a> {
    /// Where the server is, and how it is started.
    pub program: Program,
    /// Who talks.
    pub plan: &'a Plan,
    /// What is done.
    pub kind: Kind,
    /// How often.
    pub times: u32,
    /// How long to wait in between, in milliseconds, from here to there.
    pub gap_ms: Range<u64>,
    /// What must besides have happened since the fault before, however slow the machine is.
    pub enough: fn(&[Event]) -> bool,
    /// Where the history is kept.
    pub history: &'a Path,
    /// The database and its name in there, if it is not SQLite.
    pub postgres: Option<(&'a PrivatePostgres, &'a str)>,
    /// Settings beside those of ports and store.
    pub settings: &'a str,
}

/// How long devices may take to be back after the last fault.
const RETURN: Duration = Duration::from_secs(60);

/// Whatever can go wrong with a run.
pub type Failure = Box<dyn Error + Send + Sync>;

impl Siege<'_> {
    /// Starts the server, makes the accounts, lets them talk, does what is to be done, and judges.
    ///
    /// # Errors
    /// When the server does not start, or the devices do not come back.
    pub fn run(mut self) -> Result<Report, Failure> {
        let shim = match self.kind.needs_shim() {
            true => Some(Shim::install(&mut self.program, self.kind.takes_back())?),
            false => None,
        };
        let store = match self.postgres {
            Some((postgres, name)) => {
                format!("[store]\nurl = \"{}\"\n", postgres.database(name, None)?)
            }
            None => String::new(),
        };
        self.program.configure(&format!("{store}{}", self.settings))?;
        let mut server = self.program.start()?;
        for account in self.plan.accounts() {
            self.program.add(&account, "secret")?;
        }
        if let Some(shim) = shim.as_ref().filter(|_| self.kind.takes_back()) {
            // What is about to be lost are not the accounts.
            server.drain()?;
            shim.write_back()?;
            server = self.program.start()?;
        }
        let crowd = Crowd::gather(self.plan, server.door, self.history);
        let crowd = crowd.map_err(|broken| broken.to_string())?;
        let mut chance = Chance::new(self.plan.seed);
        let mut scene = strike::Scene::new(&self, server, shim, &crowd);
        for number in 0..self.times {
            if number + 1 == self.times {
                crowd.vanish();
            }
            let gap = self.gap_ms.start + chance.below(self.gap_ms.end - self.gap_ms.start);
            self.waits(gap, &crowd)?;
            scene.strike(number)?;
        }
        self.waits(self.gap_ms.start, &crowd)?;
        crowd.all_online(RETURN).map_err(|broken| broken.to_string())?;
        // The server stays until all are judged.
        let (ready, more, server) = scene.end();
        let outcome = crowd.settle().map_err(|broken| broken.to_string())?;
        drop(server);
        let title = format!("{:?}, {} times, seed {}", self.kind, self.times, self.plan.seed);
        Ok(Report { title, faults: self.times, ready, more, outcome })
    }

    fn waits(&self, gap_ms: u64, crowd: &Crowd) -> Result<(), Failure> {
        std::thread::sleep(Duration::from_millis(gap_ms));
        crowd.live_until(self.enough).map_err(|broken| broken.to_string().into())
    }
}
