//! The scripts of `conformance/scripts`, over every transport, against the built server.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use conformance::{
    bosh::Bosh,
    driver::{Broken, Driver, Transport},
    run::{Untold, play},
    script::{ADMIN, Script, moved},
    tcp::{self, Tcp},
    web::{self, Endpoint},
    websocket::WebSockets,
};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use tempfile::TempDir;

const WAXWING: &str = env!("CARGO_BIN_EXE_waxwing");
const SETTINGS: &str = "[server]\nadmins = [\"admin@localhost\"]\n\
    domains = [\"localhost\", \"guests.localhost\"]\n\
    [auth]\nanonymous_domains = [\"guests.localhost\"]\n\
    [listen]\nc2s = [\"127.0.0.1:0\"]\nc2s_tls = [\"127.0.0.1:0\"]\n\
    s2s = []\nhttp = [\"127.0.0.1:0\"]\nhttps = [\"127.0.0.1:0\"]\n\
    [xep.0077]\nregistration = \"open\"\naccounts_per_address_per_hour_max = 100\n\
    [xep.0431]\nenabled = \"yes\"\n\
    [xep.0157]\nabuse = [\"mailto:abuse@localhost\", \"xmpp:abuse@localhost\"]\n";
/// Scripts at once. Each mostly waits.
const THREADS: usize = 8;

/// A server of `localhost` in a folder of its own; it ends with the test.
struct Server {
    child: Child,
    folder: TempDir,
    starttls: SocketAddr,
    direct: SocketAddr,
    https: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("waxwing.toml"), SETTINGS).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut child = Command::new(WAXWING)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let told: Vec<String> =
            told.by_ref().take_while(|line| !line.starts_with("ready")).collect();
        let address = |what: &str| {
            let line = told.iter().find(|line| line.contains(what));
            let line = line.unwrap_or_else(|| panic!("no {what} in {told:?}"));
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        let (starttls, direct) = (address("STARTTLS"), address("direct TLS"));
        let https = address("https");
        Self { child, folder, starttls, direct, https }
    }

    fn add(&self, account: &str, password: &str) {
        let mut user = Command::new(WAXWING)
            .args(["user", "add", account, "--password-stdin"])
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(user.stdin.take().unwrap(), "{password}").unwrap();
        assert!(user.wait().unwrap().success(), "cannot add {account}");
    }

    fn driver(&self, over: Transport) -> Result<Box<dyn Driver>, Broken> {
        let (answer, quiet) = (Duration::from_secs(10), Duration::from_millis(150));
        let tcp = || tcp::Server {
            starttls: self.starttls,
            direct: Some(self.direct),
            domain: "localhost".into(),
            answer,
            quiet,
        };
        let web = |path: &str| web::Server {
            endpoint: Endpoint { secure: true, address: self.https, path: path.into() },
            domain: "localhost".into(),
            answer,
            quiet,
        };
        Ok(match over {
            Transport::Tcp => Box::new(Tcp::new(tcp())?),
            Transport::Direct => Box::new(Tcp::direct(tcp())?),
            Transport::WebSocket => Box::new(WebSockets::new(web("/ws"))?),
            Transport::Bosh => Box::new(Bosh::new(web("/bosh"))),
        })
    }

    fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/scripts");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut scripts: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "scs")).collect();
    scripts.sort();
    scripts
}

/// Plays one script with accounts of its own. `false`: it can only be simulated, or says nothing
/// over this transport.
fn one(server: &Server, over: Transport, number: usize, path: &Path) -> Result<bool, String> {
    let source = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let source = moved(&source, &format!(".{number}"), "localhost");
    let script = source.and_then(|source| Script::parse(&source));
    let script = script.map_err(|misspelt| misspelt.to_string())?;
    if script.has_tag("simulated") || !script.is_over(over) {
        return Ok(false);
    }
    let accounts = script.accounts().into_iter();
    for (account, password) in accounts.filter(|(account, _)| !is_admin(account)) {
        server.add(account, password);
    }
    let mut driver = server.driver(over).map_err(|broken| broken.to_string())?;
    play(&script, &mut *driver, Untold::Wrong).map_err(|failure| failure.to_string())?;
    Ok(true)
}

fn is_admin(account: &str) -> bool {
    account.split_once('@').is_some_and(|(local, _)| local == ADMIN)
}

/// The password of the administrator, the first time that a script tells it.
fn admin_password(path: &Path) -> Option<String> {
    let script = Script::parse(&fs::read_to_string(path).ok()?).ok()?;
    let mut accounts = script.accounts().into_iter();
    accounts.find(|(account, _)| is_admin(account)).map(|(_, password)| password.to_owned())
}

#[test]
fn every_script_passes_over_tcp() {
    play_all(Transport::Tcp);
}

#[test]
fn every_script_passes_with_tls_from_the_first_byte() {
    play_all(Transport::Direct);
}

#[test]
fn every_script_passes_over_websocket() {
    play_all(Transport::WebSocket);
}

#[test]
fn every_script_passes_over_bosh() {
    play_all(Transport::Bosh);
}

fn play_all(over: Transport) {
    let server = Server::start();
    // What an administrator does concerns all: those are played last, one after the other.
    let (admin, scripts): (Vec<_>, Vec<_>) =
        scripts().into_iter().partition(|path| admin_password(path).is_some());
    let (next, played) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let left_out = Mutex::new(Vec::new());
    let worker = || {
        let mut failures = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = scripts.get(number) else { return failures };
            match one(&server, over, number, path) {
                Ok(true) => _ = played.fetch_add(1, Ordering::Relaxed),
                Ok(false) => left_out.lock().unwrap().push(path.file_stem().unwrap()),
                Err(why) => failures.push(format!("{}, {why}", path.display())),
            }
        }
    };
    let mut failures: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    if let Some(password) = admin.first().and_then(|path| admin_password(path)) {
        server.add("admin@localhost", &password);
    }
    for (number, path) in admin.iter().enumerate() {
        let outcome = one(&server, over, scripts.len() + number, path);
        failures.extend(outcome.err().map(|why| format!("{}, {why}", path.display())));
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    let mut left_out = left_out.into_inner().unwrap();
    left_out.sort();
    println!("not over {}: {left_out:?}", over.name());
    assert!(played.into_inner() > 50, "too few scripts were played, not {left_out:?}");
    server.stop();
}
