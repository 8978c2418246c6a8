//! A full room, as trouble for others: all enter it at once, or it is told something all the time.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Result, ensure};
use tokio::time::{Instant, timeout_at};

use super::crowd::Crowd;
use super::floor::Floor;
use super::occupant::Room;
use super::{arrive, found};
use crate::crowd::gather;
use crate::latency::{Latencies, Summary};
use crate::message::new_run;
use crate::target::Target;

/// Who log in, or enter, at a time.
const AT_ONCE: usize = 50;
const BODY_BYTES: usize = 100;

/// A room, and all who are to be in it; when it is dropped, they are gone.
pub struct Hall {
    room: Arc<Room>,
    crowd: Crowd,
}

impl Hall {
    /// Brings so many accounts online, from `first` on; the room is there, and nobody in it.
    ///
    /// # Errors
    /// When a login fails, or the room is not made.
    pub async fn prepare(target: &Target, first: usize, occupants: usize) -> Result<Self> {
        let run = new_run()?;
        let jid = format!("r{run:08x}@conference.{}", target.domain());
        let floor = Floor::new(run, u32::try_from(occupants)?, Instant::now());
        let room = Arc::new(Room::new(jid, floor, 1, BODY_BYTES));
        let mut sessions = gather(occupants, AT_ONCE, |n| arrive(target.clone(), first, n)).await?;
        // As accounts are, whoever has come first.
        sessions.sort_by_key(|(number, _)| *number);
        found(&mut sessions, &room, 0).await?;
        let crowd = Crowd::seat(&room, sessions);
        Ok(Self { room, crowd })
    }

    /// All enter, or as many as can until then. Whether all are in.
    ///
    /// # Errors
    /// When somebody is refused, or a connection is lost.
    pub async fn enter(&mut self, until: Instant) -> Result<bool> {
        match timeout_at(until, self.crowd.enter(AT_ONCE, 0)).await {
            Ok(took) => took.map(|_| true),
            Err(_) => Ok(false),
        }
    }

    /// They are told so many messages a second until then; how long the last of them waited.
    ///
    /// # Errors
    /// When somebody does not hear all of it, in order.
    pub async fn listen(&mut self, rate: f64, until: Instant) -> Result<Option<Summary>> {
        self.crowd.listen(rate, until).await?;
        let mut floor = self.room.floor();
        ensure!(floor.lost() == 0, "{} copies are lost", floor.lost());
        Ok(std::mem::take::<Latencies>(&mut floor.latencies).summary())
    }

    /// How many are in.
    pub fn occupants(&self) -> u64 {
        self.room.inside.load(Relaxed)
    }

    /// How many copies have been heard.
    pub fn deliveries(&self) -> u64 {
        self.room.floor().deliveries
    }
}
