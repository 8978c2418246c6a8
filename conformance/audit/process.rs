//! The built server as a process: started, killed, started again on the same data.

use super::link::{Begin, Door};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Error, Result, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// How long an orderly end may take.
const DRAIN: Duration = Duration::from_secs(60);

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Program {
    /// The built binary.
    pub binary: PathBuf,
    /// Where it runs: its settings and its data.
    pub folder: PathBuf,
    /// What is set in its environment.
    pub environment: Vec<(String, String)>,
}

/// A server that is up.
pub struct Process {
    program: Program,
    child: Child,
    /// Where clients go.
    pub door: Door,
    /// From the start of the process to its word that it is ready.
    pub ready: Duration,
}

impl Program {
    /// Writes the settings: free ports on loopback, and these lines.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn configure(&self, more: &str) -> Result<()> {
        let any = "[\"127.0.0.1:0\"]";
        let listen = format!("[listen]\nc2s = {any}\nc2s_tls = {any}\nhttp = {any}\n");
        fs::write(self.folder.join("waxwing.toml"), format!("{listen}{more}"))
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it ends instead: what it has said.
    pub fn start(&self) -> Result<Process> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let begun = Instant::now();
        let mut command = Command::new(&self.binary);
        command.current_dir(&self.folder).arg("serve").stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn()?;
        let Some(told) = child.stdout.take() else { return Err(Error::other("no output")) };
        let mut address = None;
        for line in BufReader::new(told).lines() {
            let line = line?;
            if let Some(rest) = line.strip_prefix("clients, direct TLS") {
                address = rest.trim().parse().ok();
            }
            if line.starts_with("ready") {
                break;
            }
        }
        let ready = begun.elapsed();
        let Some(address) = address else {
            let _ = child.kill();
            let ended = child.wait()?;
            let said = fs::read_to_string(self.log()).unwrap_or_default();
            return Err(Error::other(format!("the server is not ready ({ended}): {said}")));
        };
        let door = Door { address, begin: Begin::Tls };
        Ok(Process { program: self.clone(), child, door, ready })
    }

    /// Makes an account, while the server runs.
    ///
    /// # Errors
    /// What the command says.
    pub fn add(&self, jid: &str, password: &str) -> Result<()> {
        self.told(&["user", "add", jid, "--password-stdin"], password).map(drop)
    }

    /// Gives the operator's command. What it says.
    ///
    /// # Errors
    /// The same when it fails.
    pub fn does(&self, command: &[&str]) -> Result<String> {
        self.told(command, "")
    }

    fn told(&self, words: &[&str], line: &str) -> Result<String> {
        let mut command = Command::new(&self.binary);
        command.current_dir(&self.folder).args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            writeln!(stdin, "{line}")?;
        }
        let output = child.wait_with_output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(Error::other(text(&output.stderr))),
        }
    }

    /// Where it writes its log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Where its data is.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

impl Process {
    /// How it was started.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it had ended before.
    pub fn kill(mut self) -> Result<()> {
        if let Some(ended) = self.child.try_wait()? {
            return Err(Error::other(format!("the server had ended by itself: {ended}")));
        }
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Sends a signal by its name.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn signal(&self, name: &str) -> Result<()> {
        let id = self.id().to_string();
        match Command::new("kill").args(["-s", name, &id]).status()? {
            status if status.success() => Ok(()),
            status => Err(Error::other(format!("kill -s {name} {id}: {status}"))),
        }
    }

    /// SIGTERM, and the end that follows: how long that took, and how it ended.
    ///
    /// # Errors
    /// When it does not end.
    pub fn drain(self) -> Result<(Duration, ExitStatus)> {
        self.signal("TERM")?;
        self.ends()
    }

    /// Waits for its end: how long that took, and how it ended.
    ///
    /// # Errors
    /// When it does not end.
    pub fn ends(mut self) -> Result<(Duration, ExitStatus)> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok((begun.elapsed(), status));
            }
            if begun.elapsed() > DRAIN {
                return Err(Error::other("the server does not end"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its resident memory in KiB, or nothing when it has ended.
    pub fn rss_kib(&self) -> Option<u64> {
        let status =
            fs::read_to_string(Path::new("/proc").join(self.id().to_string()).join("status"));
        let status = status.ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
