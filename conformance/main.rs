//! `waxwing-scs`: plays scripts against any XMPP server over TCP.

use clap::Parser;
use conformance::{
    run::{Failure, Untold, play},
    script::{ADMIN, Script, moved},
    tcp::{Server, Tcp},
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
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
    /// The domain it serves; put in the place of `localhost`.
    #[arg(long, default_value = "localhost")]
    domain: String,
    /// A shell command that makes an account; `{user}`, `{domain}` and `{password}` are filled in.
    #[arg(long)]
    create: Option<String>,
    /// A shell command that deletes an account, run before `--create`; it may fail.
    #[arg(long)]
    delete: Option<String>,
    /// Put behind the local part of every account of the cast but `admin`, who must be an
    /// administrator of the server; `{n}` is the script's number.
    #[arg(long, default_value = "")]
    suffix: String,
    /// Stanzas that a script does not tell of are wrong.
    #[arg(long)]
    exact: bool,
    /// Skip scripts that carry this tag.
    #[arg(long, default_values_t = ["simulated".to_owned()])]
    skip_tag: Vec<String>,
    /// Milliseconds to wait for an answer.
    #[arg(long, default_value_t = 5000)]
    answer_ms: u64,
    /// Milliseconds of silence that are believed.
    #[arg(long, default_value_t = 300)]
    quiet_ms: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let (mut passed, mut failed) = (0, 0);
    let mut has_admin = false;
    for (number, path) in files(&args.scripts).iter().enumerate() {
        let name = path.display();
        match one(&args, number, path, &mut has_admin) {
            Ok(true) => {
                passed += 1;
                println!("pass {name}");
            }
            Ok(false) => println!("skip {name}"),
            Err(why) => {
                failed += 1;
                println!("FAIL {name}:{why}");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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

/// Whether the script was played; `false`: skipped.
fn one(args: &Args, number: usize, path: &Path, has_admin: &mut bool) -> Result<bool, String> {
    let source = std::fs::read_to_string(path).map_err(|error| format!(" {error}"))?;
    let suffix = args.suffix.replace("{n}", &number.to_string());
    let source = moved(&source, &suffix, &args.domain).map_err(|wrong| wrong.to_string())?;
    let script = Script::parse(&source).map_err(|wrong| wrong.to_string())?;
    if args.skip_tag.iter().any(|tag| script.has_tag(tag)) {
        return Ok(false);
    }
    accounts(args, &script, *has_admin)?;
    *has_admin |= script.has_admin();
    let mut driver = Tcp::new(Server {
        starttls: args.server,
        direct: args.direct,
        domain: args.domain.clone(),
        answer: Duration::from_millis(args.answer_ms),
        quiet: Duration::from_millis(args.quiet_ms),
    })
    .map_err(|broken| broken.to_string())?;
    let untold = if args.exact { Untold::Wrong } else { Untold::Ignored };
    match play(&script, &mut driver, untold) {
        Ok(()) => Ok(true),
        Err(Failure { line, why }) => Err(format!("{line}: {why}")),
    }
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
            let output = output.map_err(|error| format!(" {command}: {error}"))?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(format!(" {command}: {said}"));
            }
        }
    }
    Ok(())
}
