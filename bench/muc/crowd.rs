//! All occupants of the room, and what they do together.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::occupant::{Command, Occupant, Room};
use super::{MucArgs, PATIENCE};
use crate::crowd::gather;
use crate::meter::{Reading, Spent};
use crate::session::Session;
use crate::target::Target;

/// After the last message is sent: how long nothing may arrive before the rest counts as lost.
const QUIET: Duration = Duration::from_secs(10);
/// How often it is looked whether all have arrived.
const GLANCE: Duration = Duration::from_millis(50);

/// All occupants, each a task of its own.
pub struct Crowd {
    room: Arc<Room>,
    commands: Vec<mpsc::UnboundedSender<Command>>,
    living: JoinSet<Result<(usize, Session)>>,
}

impl Crowd {
    pub fn seat(room: &Arc<Room>, sessions: Vec<(usize, Session)>) -> Self {
        let (mut commands, mut living) = (Vec::new(), JoinSet::new());
        let occupants = sessions.len();
        for (number, session) in sessions {
            let (command, told) = mpsc::unbounded_channel();
            let occupant = Occupant::new(room.clone(), number, occupants, session);
            commands.push(command);
            living.spawn(async move { Ok((number, occupant.live(told).await?)) });
        }
        Self { room: room.clone(), commands, living }
    }

    /// Whatever goes wrong with one occupant goes wrong with the run.
    async fn unless_broken<T>(&mut self, done: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = done => done,
            broken = self.living.join_next() => {
                broken.context("nobody")???;
                anyhow::bail!("an occupant has ended")
            }
        }
    }

    /// All enter, so many at a time; it is over when they have seen so many of each other, all
    /// added up. How many microseconds each has waited.
    pub async fn enter(&mut self, at_once: usize, wanted: u64) -> Result<Vec<u64>> {
        let began = Instant::now();
        let (room, commands) = (self.room.clone(), self.commands.clone());
        let occupants = commands.len();
        let entrance = |number: usize| {
            let (command, began) = (commands[number].clone(), Instant::now());
            async move {
                let (is_in, inside) = oneshot::channel();
                command.send(Command::Enter(is_in))?;
                timeout(PATIENCE, inside).await.context("not in, in time")??;
                Ok(began.elapsed().as_micros() as u64)
            }
        };
        let entrances = async {
            let took = gather(occupants, at_once, entrance).await?;
            while *room.seen() < wanted {
                ensure!(began.elapsed() < PATIENCE * 5, "they have seen {}", *room.seen());
                sleep(GLANCE).await;
            }
            Ok(took)
        };
        self.unless_broken(entrances).await
    }

    /// The first of them says so many messages a second until then; it is over when all have
    /// heard all, or nothing has come for long.
    pub async fn listen(&mut self, rate: f64, ends: Instant) -> Result<()> {
        let (room, commands) = (self.room.clone(), self.commands.clone());
        self.unless_broken(async {
            speak(&room, &commands, (Some(rate), 1), ends).await?;
            sleep_until(ends).await;
            hush(&room).await;
            Ok(())
        })
        .await
    }

    /// Some talk. Costs, messages that all have heard and copies, between two moments of steady
    /// load.
    pub async fn talk(&mut self, args: &MucArgs, target: &Target) -> Result<(Spent, u64, u64)> {
        let measured_from = Instant::now() + Duration::from_secs(args.warm_seconds);
        let ends = measured_from + Duration::from_secs(args.seconds);
        let (room, commands) = (self.room.clone(), self.commands.clone());
        let speaking = {
            let (room, args) = (room.clone(), (args.rate, args.talkers));
            tokio::spawn(async move { speak(&room, &commands, args, ends).await })
        };
        let measured = async {
            sleep_until(measured_from).await;
            let before = Reading::take(&target.watched)?;
            let (complete, deliveries) = {
                let mut floor = room.floor();
                floor.measure_from(measured_from);
                (floor.complete, floor.deliveries)
            };
            sleep_until(ends).await;
            let spent = before.until(&Reading::take(&target.watched)?);
            let (complete, deliveries) = {
                let floor = room.floor();
                (floor.complete - complete, floor.deliveries - deliveries)
            };
            speaking.abort();
            hush(&room).await;
            Ok((spent, complete, deliveries))
        };
        self.unless_broken(measured).await
    }

    pub async fn rise(mut self) -> Result<Vec<(usize, Session)>> {
        for command in &self.commands {
            command.send(Command::Rise)?;
        }
        let mut sessions = Vec::new();
        while let Some(session) = self.living.join_next().await {
            sessions.push(session??);
        }
        sessions.sort_by_key(|(number, _)| *number);
        Ok(sessions)
    }
}

/// Waits until all have heard all, or nothing has come for long.
async fn hush(room: &Room) {
    while room.floor().lost() > 0 && room.floor().silence() < QUIET {
        sleep(GLANCE).await;
    }
}

/// Talkers in turns, each when it is due: as soon as there is room in the window, or at intervals.
async fn speak(
    room: &Room,
    commands: &[mpsc::UnboundedSender<Command>],
    (rate, talkers): (Option<f64>, usize),
    ends: Instant,
) -> Result<()> {
    let began = Instant::now();
    for turn in 0_u32.. {
        let due = match rate {
            Some(rate) => began + Duration::from_secs_f64(f64::from(turn) / rate),
            None => {
                room.window.acquire().await?.forget();
                Instant::now()
            }
        };
        if due >= ends {
            break;
        }
        sleep_until(due).await;
        commands[turn as usize % talkers].send(Command::Say(due))?;
    }
    Ok(())
}
