//! What a committed entry costs: CPU of this process and of the database, and time, for batches
//! of 1, 10 and 100 entries of 400 bytes, and for a page of 50 read back.
//!
//! `cargo bench -p waxwing-store --features private-postgres [-- sqlite]`

use engine::{
    ctx::Moment,
    port::Store,
    unit::{Change, Credentials, Entry, Flags, Pos, Unit},
    wire::{Bare, Text},
    writer::{Writer, WriterLimits},
};
use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use store::{Memory, Options, Postgres, Sqlite, private_postgres::PrivatePostgres};

const ACCOUNTS: usize = 100;
const RUN: Duration = Duration::from_secs(4);
/// `CLK_TCK`, which is 100 wherever Linux runs.
const TICK_US: u64 = 10_000;

type Anything = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Anything {
    let named: Vec<_> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|one| one == name);
    println!("store     batch   rows/s  µs/row  CPU-µs/row here  in the database");
    if wanted("memory") {
        measure("memory", Arc::new(Memory::new(&[])), None).await?;
    }
    if wanted("sqlite") {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("waxwing.db").display().to_string();
        let store = Sqlite::open(&path, &Options::default()).await?;
        measure("sqlite", Arc::new(store), None).await?;
    }
    if wanted("postgres") {
        let server = PrivatePostgres::start(true)?;
        let url = server.database("waxwing", None)?;
        let data = server.folder().join("data");
        let store = Postgres::open(&url, &Options::default()).await?;
        measure("postgres", Arc::new(store), Some(&data)).await?;
    }
    Ok(())
}

async fn measure(name: &str, store: Arc<dyn Store>, data: Option<&Path>) -> Anything {
    let mut writer = Writer::resume(store.last().await?, WriterLimits::default());
    let accounts: Vec<_> = (0..ACCOUNTS)
        .map(|n| Bare::parse(&format!("user{n}@example.com")))
        .collect::<Result<_, _>>()?;
    let create = |of: &Bare| Change::Create(of.clone(), Credentials::default());
    let create = Unit::of(accounts.iter().map(create).collect());
    commit(&*store, &mut writer, vec![create]).await?;
    for size in [1, 10, 100] {
        let (start, here, there) = (Instant::now(), cpu_here(), cpu_in(data));
        let mut rows = 0;
        while start.elapsed() < RUN {
            let units = (rows..rows + size).map(|n| said(&accounts[n % ACCOUNTS])).collect();
            commit(&*store, &mut writer, units).await?;
            rows += size;
        }
        let per_row = |us: u64| us as f64 / rows as f64;
        let wall = start.elapsed().as_micros() as u64;
        println!(
            "{name:9} {size:5} {:8.0} {:7.1} {:16.1} {:16.1}",
            1e6 / per_row(wall),
            per_row(wall),
            per_row(cpu_here() - here),
            per_row(cpu_in(data) - there),
        );
    }
    pages(name, &*store, &accounts).await
}

async fn pages(name: &str, store: &dyn Store, accounts: &[Bare]) -> Anything {
    let (start, here) = (Instant::now(), cpu_here());
    let mut pages = 0;
    while start.elapsed() < RUN / 2 {
        let page = store.page(&accounts[pages % ACCOUNTS], Pos(0), 50).await?;
        assert_eq!(page.len(), 50, "enough was written before");
        pages += 1;
    }
    let wall = start.elapsed().as_micros() as f64 / pages as f64;
    let cpu = (cpu_here() - here) as f64 / pages as f64;
    println!("{name:9} a page of 50: {wall:.0} µs, {cpu:.0} CPU-µs here");
    Ok(())
}

async fn commit(store: &dyn Store, writer: &mut Writer<()>, units: Vec<Unit>) -> Anything {
    for unit in units {
        writer.push((), unit, Moment(0)).map_err(|((), fault)| fault)?;
    }
    let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let batch = writer.next_batch(unix_ms).ok_or("no batch")?;
    for (_, outcome) in writer.outcome(store.commit(&batch).await) {
        outcome?;
    }
    Ok(())
}

fn said(log: &Bare) -> Unit {
    let body = "x".repeat(290);
    let stanza = format!(
        "<message id='01234567-89ab-cdef' type='chat' from='a@example.com/phone' \
         to='b@example.com'><body>{body}</body></message>"
    );
    let entry = Entry {
        log: log.clone(),
        flags: Flags::SENT.and(Flags::ARCHIVE),
        peer: log.clone(),
        key: Some(stanza.len() as i64),
        settles: Some((1, 2)),
        foreign_id: None,
        stanza: Text::from(stanza),
    };
    Unit { entries: vec![entry], ..Unit::default() }
}

fn cpu_here() -> u64 {
    cpu_of(Path::new("/proc/self"))
}

/// CPU of all processes that work in this folder, as those of a database do.
fn cpu_in(folder: Option<&Path>) -> u64 {
    let Some(folder) = folder else { return 0 };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|one| one.path());
    processes
        .filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder))
        .map(|process| cpu_of(&process))
        .sum()
}

/// Microseconds of user and system time (proc(5), stat).
fn cpu_of(process: &Path) -> u64 {
    let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
    // After the name, which may hold anything and ends with the last parenthesis.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * TICK_US
}
