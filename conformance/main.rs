//! `waxwing-scs`: plays scripts against any XMPP server, over TCP, WebSocket or BOSH.

use clap::{Parser, ValueEnum};
use conformance::{
    announced::announced,
    bosh::Bosh,
    driver::{Broken, Driver},
    run::{Failure, Untold, play},
    script::{ADMIN, Character, Kind, Script, moved, section},
    tcp::{self, Tcp},
    web::{self, Endpoint},
    websocket::WebSockets,
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// Plays .scs scripts against an XMPP server.
#[derive(Parser)]
#[command(name = "waxwing-scs", version)]
struct Args {
    /// Scripts, or folders of scripts.
    #[arg(required = true)]
    scripts: Vec<PathBuf>,
    /// Where the server listens for streams that negotiate TLS.
    #[arg(long, default_value = "127.0.0.1:5222")]
    server: SocketAddr,
    /// Where it listens for streams that begin with TLS.
    #[arg(long)]
    direct: Option<SocketAddr>,
    /// Play over TLS from the first byte, or over WebSocket or BOSH: `direct`, the address of a
    /// WebSocket (`ws://…`, `wss://…`) or of BOSH (`http://…`, `https://…`).
    #[arg(long, default_value = "tcp")]
    over: String,
    /// The domain it serves; put in the place of `localhost`.
    #[arg(long, default_value = "localhost")]
    domain: String,
    /// A shell command that makes an account; `{user}`, `{domain}` and `{password}` are filled in.
    #[arg(long)]
    create: Option<String>,
    /// A shell command that deletes an account, run before `--create`; it may fail.
    #[arg(long)]
    delete: Option<String>,
    /// Put behind the local part of every account of the cast; `{n}` is the script's number.
    #[arg(long, default_value = "")]
    suffix: String,
    /// Stanzas that a script does not tell of are wrong.
    #[arg(long)]
    exact: bool,
    /// Skip scripts that carry this tag.
    #[arg(long, default_values_t = ["simulated".to_owned()])]
    skip_tag: Vec<String>,
    /// Scripts at once; give each accounts of its own by `--suffix`.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// What is printed for each script.
    #[arg(long, value_enum, default_value_t = Report::Text)]
    report: Report,
    /// Milliseconds to wait for an answer.
    #[arg(long, default_value_t = 5000)]
    answer_ms: u64,
    /// Milliseconds of silence that are believed.
    #[arg(long, default_value_t = 300)]
    quiet_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Report {
    /// For eyes.
    Text,
    /// For programs: outcome, file, title, line, section and difference, between tabs.
    Tabs,
}

/// What became of a script.
struct Verdict {
    title: String,
    outcome: Outcome,
}

enum Outcome {
    /// With the sections where it chose otherwise than the script.
    Pass(Vec<String>),
    /// For this reason.
    Skip(String),
    /// It failed, and the server does not announce this, which the script needs.
    Lacks(String),
    Fail {
        line: usize,
        section: String,
        why: String,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let files = files(&args.scripts).into_iter().enumerate();
    // What an administrator does concerns all: those are played last, one after the other.
    let (last, files): (Vec<_>, Vec<_>) = files.partition(|(_, path)| has_admin(path));
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut tally = Tally::default();
        loop {
            let next = next.fetch_add(1, Ordering::Relaxed);
            let Some((number, path)) = files.get(next) else { return tally };
            tally.count(&shown(&args, *number, path, false));
        }
    };
    let mut tally = thread::scope(|scope| {
        let workers: Vec<_> = (0..args.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        let tallies = workers.into_iter().map(|worker| worker.join());
        tallies
            .map(|tally| tally.expect("a worker has panicked"))
            .fold(Tally::default(), Tally::add)
    });
    let mut is_made = false;
    for (number, path) in &last {
        let outcome = shown(&args, *number, path, is_made);
        is_made |= !matches!(outcome, Outcome::Skip(_));
        tally.count(&outcome);
    }
    if args.report == Report::Text {
        let Tally { passed, failed, lacked, skipped } = tally;
        println!("{passed} passed, {failed} failed, {lacked} lacked, {skipped} skipped");
    }
    if tally.failed + tally.lacked == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Clone, Copy, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    lacked: usize,
    skipped: usize,
}

impl Tally {
    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Pass(_) => self.passed += 1,
            Outcome::Skip(_) => self.skipped += 1,
            Outcome::Lacks(_) => self.lacked += 1,
            Outcome::Fail { .. } => self.failed += 1,
        }
    }

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            lacked: self.lacked + other.lacked,
            skipped: self.skipped + other.skipped,
        }
    }
}

/// Plays a script and prints what became of it. `admin`: the administrator's account is made.
fn shown(args: &Args, number: usize, path: &Path, admin: bool) -> Outcome {
    let verdict = verdict(args, number, path, admin);
    show(args.report, path, &verdict);
    verdict.outcome
}

fn show(report: Report, path: &Path, verdict: &Verdict) {
    let name = path.display();
    if report == Report::Tabs {
        let none = String::new();
        let (word, line, section, why) = match &verdict.outcome {
            Outcome::Pass(choices) => ("pass", 0, &choices.join("; "), &none),
            Outcome::Skip(why) => ("skip", 0, &none, why),
            Outcome::Lacks(what) => ("lacks", 0, &none, what),
            Outcome::Fail { line, section, why } => ("fail", *line, section, why),
        };
        let why = why.replace(char::is_control, " ");
        println!("{word}\t{name}\t{}\t{line}\t{section}\t{why}", verdict.title);
        return;
    }
    match &verdict.outcome {
        Outcome::Pass(choices) if choices.is_empty() => println!("pass {name}"),
        Outcome::Pass(choices) => println!("pass {name}, other than {}", choices.join("; ")),
        Outcome::Skip(why) => println!("skip {name}: {why}"),
        Outcome::Lacks(what) => println!("LACKS {name}: {what}"),
        Outcome::Fail { line, why, .. } => println!("FAIL {name}:{line}: {why}"),
    }
}

fn files(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in paths {
        let Ok(folder) = path.read_dir() else {
            files.push(path.clone());
            continue;
        };
        let entries = folder.filter_map(|entry| Some(entry.ok()?.path()));
        let mut scripts: Vec<_> = entries.filter(|path| is_script(path)).collect();
        scripts.sort();
        files.append(&mut scripts);
    }
    files
}

fn is_script(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "scs")
}

fn has_admin(path: &Path) -> bool {
    let source = std::fs::read_to_string(path).unwrap_or_default();
    Script::parse(&source).is_ok_and(|script| script.has_admin())
}

fn verdict(args: &Args, number: usize, path: &Path, admin: bool) -> Verdict {
    let mut title = String::new();
    let outcome = one(args, number, path, admin, &mut title).unwrap_or_else(|failure| {
        let source = std::fs::read_to_string(path).unwrap_or_default();
        let section = section(&source, failure.line).unwrap_or_default().to_owned();
        Outcome::Fail { line: failure.line, section, why: failure.why }
    });
    Verdict { title, outcome }
}

fn one(
    args: &Args,
    number: usize,
    path: &Path,
    admin: bool,
    title: &mut String,
) -> Result<Outcome, Failure> {
    let before = |why: String| Failure { line: 0, why };
    let source = std::fs::read_to_string(path).map_err(|error| before(error.to_string()))?;
    let suffix = args.suffix.replace("{n}", &number.to_string());
    let script = moved(&source, &suffix, &args.domain).and_then(|source| Script::parse(&source));
    let script = script.map_err(|wrong| Failure { line: wrong.line, why: wrong.why })?;
    title.clone_from(&script.title);
    if let Some(tag) = args.skip_tag.iter().find(|tag| script.has_tag(tag)) {
        return Ok(Outcome::Skip(tag.clone()));
    }
    let mut driver = driver(args).map_err(|broken| before(broken.to_string()))?;
    let driver = driver.as_mut();
    let over = driver.transport();
    if !script.is_over(over) {
        return Ok(Outcome::Skip(format!("not over {}", over.name())));
    }
    accounts(args, &script, admin).map_err(before)?;
    let untold = if args.exact { Untold::Wrong } else { Untold::Ignored };
    let failure = match play(&script, driver, untold) {
        Ok(choices) => {
            let mut sections: Vec<_> =
                choices.iter().filter_map(|choice| section(&source, choice.line)).collect();
            sections.dedup();
            return Ok(Outcome::Pass(sections.into_iter().map(str::to_owned).collect()));
        }
        Err(failure) => failure,
    };
    lacking(&script, driver).map(Outcome::Lacks).ok_or(failure)
}

fn driver(args: &Args) -> Result<Box<dyn Driver>, Broken> {
    let (answer, quiet) =
        (Duration::from_millis(args.answer_ms), Duration::from_millis(args.quiet_ms));
    let domain = args.domain.clone();
    let over = args.over.as_str();
    if let "tcp" | "direct" = over {
        let (starttls, direct) = (args.server, args.direct);
        let server = tcp::Server { starttls, direct, domain, answer, quiet };
        let driver = if over == "tcp" { Tcp::new(server)? } else { Tcp::direct(server)? };
        return Ok(Box::new(driver));
    }
    let scheme = if over.starts_with("ws") { "ws" } else { "http" };
    let endpoint = Endpoint::parse(over, scheme).map_err(Broken)?;
    let server = web::Server { endpoint, domain, answer, quiet };
    Ok(match scheme {
        "ws" => Box::new(WebSockets::new(server)?),
        _ => Box::new(Bosh::new(server)),
    })
}

/// The first of the script's needs that the server does not announce to the first account that
/// still can log in.
fn lacking(script: &Script, driver: &mut dyn Driver) -> Option<String> {
    let mut needs = script.needs().peekable();
    needs.peek()?;
    let mut logins = script.accounts().into_iter().map(|(account, password)| Character {
        name: account.to_owned(),
        kind: Kind::Client,
        properties: [("jid", account), ("password", password)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    });
    let announced = logins.find_map(|login| announced(login, driver).ok())?;
    needs.find(|need| !announced.contains(*need)).map(str::to_owned)
}

/// Makes the accounts of the cast; that of the administrator only once.
fn accounts(args: &Args, script: &Script, has_admin: bool) -> Result<(), String> {
    for (account, password) in script.accounts() {
        let (user, domain) = account.split_once('@').unwrap_or((account, ""));
        if has_admin && user == ADMIN {
            continue;
        }
        let filled = |command: &String| {
            let command = command.replace("{user}", user).replace("{domain}", domain);
            command.replace("{password}", password)
        };
        let shell = |command: &Option<String>| {
            let command = command.as_ref().map(filled)?;
            Some((Command::new("sh").arg("-c").arg(&command).output(), command))
        };
        shell(&args.delete);
        if let Some((output, command)) = shell(&args.create) {
            let output = output.map_err(|error| format!("{command}: {error}"))?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(format!("{command}: {said}"));
            }
        }
    }
    Ok(())
}
