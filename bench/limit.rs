//! Workload `limit`: what is left of a message's cost without XML, accounts and a log. Frames of
//! the size of a message go through `relay`, every one checked: once each, in order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::client::TlsStream;

use crate::chat::spread;
use crate::connect::dial;
use crate::crowd::gather;
use crate::latency::{Latencies, Summary};
use crate::meter::{Reading, Spent};
use crate::outcome::Outcome;
use crate::pair::Pace;
use crate::process::ensure_files;
use crate::relay::HELLO_BYTES;
use crate::target::{Target, TargetArgs};

/// A message of 100 bytes of body, with its addresses and ids.
const FRAME_BYTES: usize = 300;
/// Most that is under way of a group in an open loop.
const UNDER_WAY_MAX: u32 = 10_000;
/// At the end: how long the rest may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Options of `limit`.
#[derive(Args)]
pub struct LimitArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// How many groups, in each of which one talks
    #[arg(long, default_value_t = 100)]
    groups: u16,
    /// How many listen in each
    #[arg(long, default_value_t = 1)]
    listeners: u16,
    /// Closed loop: how many frames of a group are under way, until the last has heard them
    #[arg(long, default_value_t = 4, conflicts_with = "rate")]
    window: u32,
    /// Open loop: frames per second of all groups together
    #[arg(long)]
    rate: Option<f64>,
    /// How long to measure
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How long to talk beforehand
    #[arg(long, default_value_t = 2)]
    warm_seconds: u64,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    groups: u16,
    listeners: u16,
    seconds: f64,
    deliveries: u64,
    messages_per_s: f64,
    cpu_us_per_delivery: Option<f64>,
    /// The same, where one listens to one.
    cpu_us_per_message: Option<f64>,
    client_cpu_us_per_delivery: f64,
    #[serde(flatten)]
    latency: Option<Summary>,
    distribution: Vec<(f64, f64)>,
}

/// One who talks, and those who listen.
struct Group {
    started: Instant,
    measured: [Instant; 2],
    listeners: u16,
    window: Semaphore,
    window_max: u32,
    deliveries: Arc<AtomicU64>,
    way: Mutex<Way>,
}

/// What is under way: how many are still to hear each frame, from the oldest on.
#[derive(Default)]
struct Way {
    oldest: u64,
    missing: VecDeque<u16>,
    latencies: Latencies,
}

/// Lets all groups talk through a relay.
///
/// # Errors
/// When a connection is lost, or a frame is not what it must be.
pub async fn run(args: LimitArgs) -> Result<Outcome> {
    ensure!(args.groups > 0 && args.listeners > 0 && args.window > 0, "nothing to do");
    let in_each = usize::from(args.listeners) + 1;
    ensure_files(usize::from(args.groups) * in_each)?;
    let target = Target::new(args.target.clone())?;
    let call = |n| dial_in(target.clone(), n, (n / in_each) as u16, n % in_each > 0);
    let mut streams = gather(usize::from(args.groups) * in_each, 8, call).await?;
    streams.sort_by_key(|(number, _)| *number);
    let mut streams = streams.into_iter().map(|(_, stream)| stream);

    let started = Instant::now();
    let begins = started + Duration::from_secs(args.warm_seconds);
    let measured = [begins, begins + Duration::from_secs(args.seconds)];
    let window_max = if args.rate.is_some() { UNDER_WAY_MAX } else { args.window };
    let deliveries = Arc::new(AtomicU64::new(0));
    let (mut talking, mut listening) = (JoinSet::new(), JoinSet::new());
    for number in 0..args.groups {
        let group = Arc::new(Group {
            started,
            measured,
            listeners: args.listeners,
            window: Semaphore::new(window_max as usize),
            window_max,
            deliveries: deliveries.clone(),
            way: Mutex::default(),
        });
        let pace = args.rate.map(|rate| spread(rate, args.groups, number));
        let talker = streams.next().context("nobody talks")?;
        talking.spawn(group.clone().talk(talker, pace));
        for stream in streams.by_ref().take(args.listeners.into()) {
            listening.spawn(group.clone().listen(stream));
        }
    }
    let (spent, heard) = measure(measured, &deliveries, &target).await?;
    let mut latencies = Latencies::default();
    while let Some(talked) = talking.join_next().await {
        let talked: Result<Latencies> = talked?;
        // A listener that found a fault has ended, and says more than that it heard nothing.
        if talked.is_err()
            && let Some(found) = listening.try_join_next()
        {
            found??;
        }
        latencies.add(talked?);
    }
    Outcome::passed(&Figures {
        workload: "limit",
        groups: args.groups,
        listeners: args.listeners,
        seconds: spent.seconds,
        deliveries: heard,
        messages_per_s: spent.rate(heard / u64::from(args.listeners)),
        cpu_us_per_delivery: spent.cpu_us_per(heard),
        cpu_us_per_message: spent.cpu_us_per(heard).filter(|_| args.listeners == 1),
        client_cpu_us_per_delivery: spent.own_cpu_us_per(heard),
        distribution: latencies.distribution(),
        latency: latencies.summary(),
    })
}

/// What was spent in the measured time, and how much was heard.
async fn measure(
    [begins, ends]: [Instant; 2],
    deliveries: &AtomicU64,
    target: &Target,
) -> Result<(Spent, u64)> {
    sleep_until(begins).await;
    let (before, heard) = (Reading::take(&target.watched)?, deliveries.load(Relaxed));
    sleep_until(ends).await;
    let spent = before.until(&Reading::take(&target.watched)?);
    Ok((spent, deliveries.load(Relaxed) - heard))
}

/// A connection that has said what it is, and was heard.
async fn dial_in(
    target: Target,
    number: usize,
    group: u16,
    listens: bool,
) -> Result<(usize, TlsStream<TcpStream>)> {
    let socket = dial(&target).await?;
    socket.set_nodelay(true)?;
    let mut stream = target.device(number).await.secure(socket).await?;
    let [high, low] = group.to_be_bytes();
    stream.write_all(&[listens.into(), high, low]).await?;
    stream.flush().await?;
    stream.read_exact(&mut [0; HELLO_BYTES]).await?;
    Ok((number, stream))
}

impl Group {
    /// Until the end, and until all is heard.
    async fn talk(
        self: Arc<Self>,
        mut stream: TlsStream<TcpStream>,
        pace: Option<Pace>,
    ) -> Result<Latencies> {
        let (mut output, mut sent) = (Vec::new(), 0);
        while Instant::now() < self.measured[1] {
            if let Some(Pace::Every { first, interval }) = pace {
                sleep_until(self.started + first + interval.mul_f64(sent as f64)).await;
            }
            self.window.acquire().await?.forget();
            self.compose(&mut sent, &mut output);
            while pace.is_none() && self.window.try_acquire().map(|room| room.forget()).is_ok() {
                self.compose(&mut sent, &mut output);
            }
            stream.write_all(&output).await?;
            stream.flush().await?;
            output.clear();
        }
        let all = self.window.acquire_many(self.window_max);
        timeout(PATIENCE, all).await.context("frames are lost")??.forget();
        Ok(std::mem::take(&mut self.way.lock().unwrap_or_else(PoisonError::into_inner).latencies))
    }

    /// The next frame: its number and when it was made.
    fn compose(&self, sent: &mut u64, output: &mut Vec<u8>) {
        let micros = self.started.elapsed().as_micros() as u64;
        let end = output.len() + FRAME_BYTES;
        output.extend([sent.to_be_bytes(), micros.to_be_bytes()].concat());
        output.resize(end, b'x');
        *sent += 1;
        let mut way = self.way.lock().unwrap_or_else(PoisonError::into_inner);
        way.missing.push_back(self.listeners);
    }

    /// Until the connection ends, as it does with the run.
    async fn listen(self: Arc<Self>, mut stream: TlsStream<TcpStream>) -> Result<()> {
        let mut frame = [0; FRAME_BYTES];
        let mut due = 0_u64;
        loop {
            stream.read_exact(&mut frame).await?;
            let [number, micros] = [0, 8].map(|at| frame[at..].first_chunk().copied());
            let number = number.map(u64::from_be_bytes).context("a short frame")?;
            ensure!(number == due, "frame {number} came, not {due}");
            due += 1;
            self.deliveries.fetch_add(1, Relaxed);
            self.heard(number, micros.map(u64::from_be_bytes).context("a short frame")?);
        }
    }

    fn heard(&self, number: u64, micros: u64) {
        let mut way = self.way.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (number - way.oldest) as usize;
        way.missing[place] -= 1;
        if way.missing[place] > 0 {
            return;
        }
        // Who is last with one was last with all before it.
        way.missing.pop_front();
        way.oldest += 1;
        let sent = self.started + Duration::from_micros(micros);
        if (self.measured[0]..self.measured[1]).contains(&sent) {
            way.latencies.note(sent.elapsed().as_micros() as u64);
        }
        self.window.add_permits(1);
    }
}
