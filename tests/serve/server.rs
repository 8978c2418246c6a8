//! The real binary, in a folder of its own, on free ports.

use std::{fs::File, net::SocketAddr, path::Path, process::Output, process::Stdio, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

/// Nothing here takes so long, but on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where what it says on standard error is kept, in its folder.
pub const LOG: &str = "log";

pub struct Server {
    pub folder: TempDir,
    pub child: Child,
    /// What it printed before it was ready.
    pub greeting: String,
}

/// A folder with settings: free ports, and this.
pub fn folder(more: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    settings(folder.path(), more);
    folder
}

pub fn settings(folder: &Path, more: &str) {
    let any = "[\"127.0.0.1:0\"]";
    let listen = format!("[listen]\nc2s = {any}\nc2s_tls = {any}\nhttp = {any}\n");
    std::fs::write(folder.join("waxwing.toml"), format!("{listen}{more}")).unwrap();
}

pub fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waxwing"));
    command.args(words).current_dir(folder).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command to its end.
pub async fn run(folder: &Path, words: &[&str], given: &str) -> Output {
    let mut child = command(folder, words).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(given.as_bytes()).await.unwrap();
    drop(stdin);
    timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap()
}

/// Runs a command that must fail, with one line on standard error. Returns the line.
pub async fn fails(folder: &Path, words: &[&str], given: &str) -> String {
    let output = run(folder, words, given).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{words:?} succeeded: {said}");
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("waxwing: ")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    lines[0].to_owned()
}

impl Server {
    /// Starts it and waits until it is ready.
    pub async fn start(more: &str) -> Self {
        Self::start_in(folder(more)).await
    }

    pub async fn start_in(folder: TempDir) -> Self {
        let mut serve = command(folder.path(), &["serve"]);
        serve.stderr(File::create(folder.path().join(LOG)).unwrap());
        Self::start_as(folder, serve).await
    }

    /// Starts it with a command of one's own, whose standard output is a pipe.
    pub async fn start_as(folder: TempDir, mut serve: Command) -> Self {
        let mut child = serve.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = String::new();
        while !greeting.lines().any(|line| line.starts_with("ready")) {
            let read = timeout(PATIENCE, lines.read_line(&mut greeting)).await;
            if read.expect("it is ready soon").unwrap() == 0 {
                let said = std::fs::read_to_string(folder.path().join(LOG));
                panic!("it has ended: {greeting}{}", said.unwrap_or_default());
            }
        }
        Self { folder, child, greeting }
    }

    /// The address it printed behind this word.
    pub fn address(&self, word: &str) -> SocketAddr {
        let line = self.greeting.lines().find_map(|line| line.strip_prefix(word));
        line.expect("it is printed").trim().parse().unwrap()
    }

    pub fn starttls(&self) -> SocketAddr {
        self.address("clients, STARTTLS")
    }

    pub fn direct(&self) -> SocketAddr {
        self.address("clients, direct TLS")
    }

    /// Makes an account while it runs.
    pub async fn add(&self, jid: &str, password: &str) {
        let words = ["user", "add", jid, "--password-stdin"];
        let added = run(self.folder.path(), &words, &format!("{password}\n")).await;
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    }

    /// The body of an HTTP answer.
    pub async fn get(&self, path: &str) -> String {
        let mut http = TcpStream::connect(self.address("http")).await.unwrap();
        let asked = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        http.write_all(asked.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, http.read_to_string(&mut answer)).await.expect("it answers").unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
    }

    /// Sends a signal.
    pub async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Its exit code.
    pub async fn ended(mut self) -> Option<i32> {
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap().code()
    }
}
