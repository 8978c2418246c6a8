//! Talks to a server that is killed, and says whether anything was lost; see ../README.md.

use clap::{Args, Parser};
use conformance::audit::{
    check,
    crowd::{Crowd, Plan},
    faults::{Kind, Siege},
    history,
    link::{Begin, Door},
    process::Program,
    report::Report,
};
use std::{
    error::Error,
    fs::File,
    io::BufReader,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use store::private_postgres::PrivatePostgres;

/// Talks to a server that is killed, and says whether anything was lost
#[derive(Parser)]
#[command(version)]
enum Command {
    /// Starts the built server in a folder of its own, and does this to it again and again
    Run(RunArgs),
    /// Talks to any server that is up, and cuts connections; accounts a0, a1 … must exist
    Visit(VisitArgs),
    /// Judges a history that was kept
    Check {
        /// The history
        history: PathBuf,
    },
}

#[derive(Args)]
struct PlanArgs {
    /// Pairs of accounts
    #[arg(long, default_value_t = 20)]
    pairs: u16,
    /// Devices of each account
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=2))]
    devices: u16,
    /// Rooms that the accounts are dealt out to, at least four to each
    #[arg(long, default_value_t = 0)]
    rooms: u16,
    /// Seconds after which nobody may be listed in a room who is not there
    #[arg(long, default_value_t = 90)]
    ghosts_after: u64,
    /// Messages a second
    #[arg(long, default_value_t = 400.0)]
    rate: f64,
    /// The domain
    #[arg(long, default_value = "localhost")]
    domain: String,
    /// What chance begins with
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
struct RunArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// What is done to the server
    #[arg(long, value_enum, default_value = "kill")]
    fault: Kind,
    /// How often
    #[arg(long, visible_alias = "kills", default_value_t = 5)]
    times: u32,
    /// Milliseconds in between, at least
    #[arg(long, default_value_t = 2000)]
    gap_ms_min: u64,
    /// Milliseconds in between, at most
    #[arg(long, default_value_t = 5000)]
    gap_ms_max: u64,
    /// The built server
    #[arg(long, default_value = "target/debug/waxwing")]
    binary: PathBuf,
    /// With a PostgreSQL of its own in the place of SQLite
    #[arg(long)]
    postgres: bool,
    /// More settings, as in waxwing.toml
    #[arg(long, default_value = "")]
    settings: String,
}

#[derive(Args)]
struct VisitArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// Where the server is
    #[arg(long)]
    server: SocketAddr,
    /// TLS is negotiated there (STARTTLS)
    #[arg(long)]
    starttls: bool,
    /// How often half of the connections are cut
    #[arg(long, default_value_t = 5)]
    cuts: u32,
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("waxwing-audit: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<bool, Box<dyn Error + Send + Sync>> {
    match command {
        Command::Run(args) => siege(args),
        Command::Visit(args) => visit(args),
        Command::Check { history } => {
            let verdict = check::check(&history::read(&mut BufReader::new(File::open(history)?))?);
            for finding in &verdict.findings {
                println!("{:?}: {}", finding.wrong, finding.why);
            }
            println!(
                "{} findings, {} acked of {}",
                verdict.findings.len(),
                verdict.acked,
                verdict.sent
            );
            Ok(verdict.is_clean())
        }
    }
}

fn siege(args: RunArgs) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let folder = std::env::temp_dir().join(format!("waxwing-audit-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let binary = args.binary.canonicalize()?;
    let program = Program { binary, folder: folder.clone(), environment: Vec::new() };
    let needed = args.postgres || args.fault.needs_postgres();
    let postgres = if needed { Some(PrivatePostgres::start(true)?) } else { None };
    let siege = Siege {
        program,
        plan: &plan(args.plan),
        kind: args.fault,
        times: args.times,
        gap_ms: args.gap_ms_min..args.gap_ms_max.max(args.gap_ms_min + 1),
        enough: |_| true,
        history: &folder.join("history.jsonl"),
        postgres: postgres.as_ref().map(|postgres| (postgres, "audit")),
        settings: &args.settings,
    };
    told(&siege.run()?, &folder)
}

fn visit(args: VisitArgs) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let begin = if args.starttls { Begin::StartTls } else { Begin::Tls };
    let door = Door { address: args.server, begin };
    let folder = std::env::temp_dir().join(format!("waxwing-audit-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let plan = plan(args.plan);
    let crowd = Crowd::gather(&plan, door, &folder.join("history.jsonl"));
    let crowd = crowd.map_err(|broken| broken.to_string())?;
    for _ in 0..args.cuts {
        std::thread::sleep(Duration::from_secs(1));
        crowd.cut();
    }
    std::thread::sleep(Duration::from_secs(1));
    let outcome = crowd.settle().map_err(|broken| broken.to_string())?;
    let title = format!("Cut, {} times, seed {}", args.cuts, plan.seed);
    let report = Report { title, faults: args.cuts, ready: Vec::new(), more: Vec::new(), outcome };
    told(&report, &folder)
}

fn plan(args: PlanArgs) -> Plan {
    let PlanArgs { pairs, devices, rooms, ghosts_after, rate, domain, seed } = args;
    let (deaf, ghosts_after) = ((pairs / 4).max(1), Duration::from_secs(ghosts_after));
    Plan { pairs, devices, rooms, ghosts_after, rate, domain, deaf, seed }
}

/// Prints it; what a run has left behind stays only when something is wrong.
fn told(report: &Report, folder: &Path) -> Result<bool, Box<dyn Error + Send + Sync>> {
    print!("{report}");
    if report.is_clean() {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(report.is_clean())
}
