//! Where all devices of a run write what happens to them, in one order.

use super::history::{self, Device, Event, Fault, Log, What};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// An append-only log of events.
pub struct Journal {
    begun: Instant,
    path: PathBuf,
    kept: Mutex<Kept>,
    happened: Condvar,
}

struct Kept {
    events: Vec<Event>,
    forgot: u32,
    file: BufWriter<File>,
    broken: Option<io::Error>,
}

impl Journal {
    /// Keeps the history in this file as well, from now on.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        let kept = Mutex::new(Kept { events: Vec::new(), forgot: 0, file, broken: None });
        let (begun, happened) = (Instant::now(), Condvar::new());
        Ok(Self { begun, path: path.to_owned(), kept, happened })
    }

    /// Where it is kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Something has happened.
    pub fn note(&self, what: What) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that times rise.
        let at_us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let forgets = matches!(what, What::Fault { fault } if fault.forgets());
        kept.forgot += u32::from(forgets);
        let event = Event { at_us, what };
        if let Err(error) = history::write(&event, &mut kept.file) {
            kept.broken.get_or_insert(error);
        }
        kept.events.push(event);
        drop(kept);
        self.happened.notify_all();
    }

    /// There is this log.
    pub fn log(&self, log: Log, jid: &str, room: bool) {
        self.note(What::Log { log, jid: jid.to_owned(), room });
    }

    /// There is this device of an account, and it hears of these logs.
    pub fn device(&self, device: Device, jid: &str, hears: Vec<Log>) {
        self.note(What::Device { device, jid: jid.to_owned(), hears });
    }

    /// This was done to the server.
    pub fn fault(&self, fault: Fault) {
        self.note(What::Fault { fault });
    }

    /// How often the server has been made to forget.
    pub fn forgot(&self) -> u32 {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).forgot
    }

    /// Waits until this holds of what has happened since the last fault; whether it did in time.
    pub fn waits(&self, within: Duration, holds: impl Fn(&[Event]) -> bool) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fault = |event: &Event| matches!(event.what, What::Fault { .. });
        let is_short = |kept: &mut Kept| {
            let since = kept.events.iter().rposition(is_fault).map_or(0, |at| at + 1);
            !holds(&kept.events[since..])
        };
        let waited = self.happened.wait_timeout_while(kept, within, is_short);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// All that has happened.
    ///
    /// # Errors
    /// When it could not be written to its file.
    pub fn end(&self) -> io::Result<Vec<Event>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.file.flush()?;
        match kept.broken.take() {
            Some(error) => Err(error),
            None => Ok(std::mem::take(&mut kept.events)),
        }
    }
}
