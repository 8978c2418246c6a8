//! CPU time and memory of other processes, read from `/proc` (proc(5)).

use std::collections::VecDeque;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::{Instant, sleep};

/// `/proc/*/stat` counts in ticks of USER_HZ, which is 100 on x86-64 and arm64.
const MICROS_PER_TICK: u64 = 10_000;

/// RSS is settled when it moved less than this for `SETTLE_WINDOW`: a share of itself.
const SETTLE_SHARE: f64 = 0.002;
/// How long RSS must have been still.
const SETTLE_WINDOW: Duration = Duration::from_secs(2);
/// How long to wait for it: some servers never rest.
const SETTLE_PATIENCE: Duration = Duration::from_secs(6);
const SETTLE_POLL: Duration = Duration::from_millis(250);

/// The processes whose cost is measured: the server, then its database and others.
/// Each stands for its descendants too (the backends of a PostgreSQL postmaster).
#[derive(Clone)]
pub struct Watched {
    pids: Vec<u32>,
}

/// CPU time, in microseconds: user and system time, also of children that have ended and were
/// waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// Of the server and its descendants.
    pub server_micros: u64,
    /// Of the other processes and theirs.
    pub others_micros: u64,
}

impl Cpu {
    /// What was spent since an earlier reading.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            server_micros: self.server_micros.saturating_sub(earlier.server_micros),
            others_micros: self.others_micros.saturating_sub(earlier.others_micros),
        }
    }
}

/// What RSS came to.
pub struct Rss {
    /// KiB, the server and its descendants.
    pub kib: u64,
    /// False when it still moved when there was no more patience.
    pub settled: bool,
}

impl Watched {
    /// Watches `pids`, of which the first is the server.
    ///
    /// # Errors
    /// When one does not run.
    pub fn new(pids: Vec<u32>) -> Result<Self> {
        let table = table()?;
        for pid in &pids {
            ensure!(table.iter().any(|stat| stat.pid == *pid), "no process {pid}");
        }
        Ok(Self { pids })
    }

    /// CPU time spent so far. None when nothing is watched.
    ///
    /// # Errors
    /// When a watched process has ended.
    pub fn cpu(&self) -> Result<Option<Cpu>> {
        let Some(server) = self.pids.first() else { return Ok(None) };
        let table = table()?;
        for pid in &self.pids {
            ensure!(table.iter().any(|stat| stat.pid == *pid), "process {pid} has ended");
        }
        let micros = |roots: &[u32]| {
            let ticks: u64 = with_descendants(&table, roots).iter().map(|stat| stat.ticks).sum();
            ticks * MICROS_PER_TICK
        };
        let server_micros = micros(&[*server]);
        Ok(Some(Cpu { server_micros, others_micros: micros(&self.pids) - server_micros }))
    }

    /// KiB of the server and its descendants at this moment. None when nothing is watched.
    ///
    /// # Errors
    /// When the server has ended.
    pub fn rss_kib(&self) -> Result<Option<u64>> {
        self.pids.first().map(|server| rss_kib(*server)).transpose()
    }

    /// Waits until the RSS of the server is still. None when nothing is watched.
    ///
    /// # Errors
    /// When the server has ended.
    pub async fn settled_rss(&self) -> Result<Option<Rss>> {
        let Some(server) = self.pids.first() else { return Ok(None) };
        let wanted = usize::try_from(SETTLE_WINDOW.as_millis() / SETTLE_POLL.as_millis())?;
        let deadline = Instant::now() + SETTLE_PATIENCE;
        let mut readings = VecDeque::with_capacity(wanted);
        loop {
            let kib = rss_kib(*server)?;
            readings.push_back(kib);
            if readings.len() > wanted {
                readings.pop_front();
                let settled = is_still(&readings);
                if settled || Instant::now() > deadline {
                    return Ok(Some(Rss { kib, settled }));
                }
            }
            sleep(SETTLE_POLL).await;
        }
    }
}

/// CPU time of this process, in microseconds.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn own_cpu_micros() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/stat").context("reading /proc/self/stat")?;
    let stat = Stat::parse(&text).context("/proc/self/stat is not as expected")?;
    Ok(stat.ticks * MICROS_PER_TICK)
}

/// Refuses early when `sockets` would exceed the limit of open files.
///
/// # Errors
/// Names the limit and the remedy.
pub fn ensure_files(sockets: usize) -> Result<()> {
    let limits = fs::read_to_string("/proc/self/limits").context("reading /proc/self/limits")?;
    let soft = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    let needed = sockets + 64;
    ensure!(
        soft.is_none_or(|soft| soft >= needed),
        "{sockets} connections need `ulimit -n {needed}`, it is {}",
        soft.unwrap_or_default()
    );
    Ok(())
}

struct Stat {
    pid: u32,
    parent: u32,
    /// utime + stime + cutime + cstime.
    ticks: u64,
}

impl Stat {
    /// The name in parentheses may itself hold spaces and parentheses: it ends at the last one.
    fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.rsplit_once(')')?;
        let pid = before.split_once(' ')?.0.parse().ok()?;
        // `after` begins with field 3 (state); 4 is ppid, 14–17 are the four times.
        let fields: Vec<&str> = after.split_whitespace().collect();
        let parent = fields.get(1)?.parse().ok()?;
        let ticks = fields.get(11..15)?.iter().map(|f| f.parse::<u64>().ok()).sum::<Option<u64>>();
        Some(Self { pid, parent, ticks: ticks? })
    }
}

fn table() -> Result<Vec<Stat>> {
    let entries = fs::read_dir("/proc").context("reading /proc")?;
    let is_pid = |name: &str| name.bytes().all(|b| b.is_ascii_digit());
    Ok(entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_pid))
        // A process that ends between the listing and the reading is no error.
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter_map(|text| Stat::parse(&text))
        .collect())
}

fn with_descendants<'a>(table: &'a [Stat], roots: &[u32]) -> Vec<&'a Stat> {
    let mut tree: Vec<u32> = Vec::new();
    let mut open: Vec<u32> = roots.to_vec();
    while let Some(pid) = open.pop() {
        if tree.contains(&pid) {
            continue;
        }
        tree.push(pid);
        open.extend(table.iter().filter(|stat| stat.parent == pid).map(|stat| stat.pid));
    }
    table.iter().filter(|stat| tree.contains(&stat.pid)).collect()
}

fn rss_kib(server: u32) -> Result<u64> {
    let table = table()?;
    ensure!(table.iter().any(|stat| stat.pid == server), "process {server} has ended");
    let kib = with_descendants(&table, &[server]).into_iter().filter_map(|stat| {
        let status = fs::read_to_string(format!("/proc/{}/status", stat.pid)).ok()?;
        resident(&status)
    });
    Ok(kib.sum())
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn is_still(readings: &VecDeque<u64>) -> bool {
    let (Some(least), Some(most)) = (readings.iter().min(), readings.iter().max()) else {
        return false;
    };
    (most - least) as f64 <= *most as f64 * SETTLE_SHARE
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "42 (a (b) c) S 7 42 42 0 -1 4194304 1 2 3 4 50 60 7 8 20 0 1 0 9 10 11";

    #[test]
    fn a_stat_line_is_read_past_a_name_with_parentheses() {
        let stat = Stat::parse(LINE).expect("a stat line");
        assert_eq!((stat.pid, stat.parent, stat.ticks), (42, 7, 125));
    }

    #[test]
    fn a_truncated_stat_line_is_no_process() {
        assert!(Stat::parse("42 (cat) S 7 42").is_none());
        assert!(Stat::parse("").is_none());
    }

    #[test]
    fn descendants_are_counted_once_and_strangers_not() {
        let stat = |pid, parent| Stat { pid, parent, ticks: 1 };
        let table = [stat(1, 0), stat(10, 1), stat(11, 10), stat(12, 11), stat(20, 1)];
        let mut pids: Vec<u32> =
            with_descendants(&table, &[10, 11]).iter().map(|s| s.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [10, 11, 12]);
    }

    #[test]
    fn our_own_time_and_memory_can_be_read() {
        let own = Watched::new(vec![std::process::id()]).expect("we run");
        let before = own.cpu().expect("/proc").expect("watched").server_micros;
        let begun = std::time::Instant::now();
        while own_cpu_micros().expect("/proc") < before + 50_000 {
            assert!(begun.elapsed() < Duration::from_secs(20), "CPU time does not rise");
        }
        let after = own.cpu().expect("/proc").expect("watched");
        assert!(after.server_micros >= before + 50_000);
        assert_eq!(after.others_micros, 0);
        assert!(rss_kib(std::process::id()).expect("/proc") > 100);
    }

    #[test]
    fn a_process_that_does_not_run_is_refused() {
        assert!(Watched::new(vec![u32::MAX]).is_err());
    }

    #[test]
    fn stillness_is_relative_to_the_size() {
        assert!(is_still(&VecDeque::from([100_000, 100_100, 100_050])));
        assert!(!is_still(&VecDeque::from([100_000, 101_000])));
    }
}
