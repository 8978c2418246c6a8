//! What the server costs, and whether it is well.

use crate::{
    client::{Client, HEADER},
    server::{LOG, PATIENCE, Server},
};
use conformance::tree::Growth;
use std::{fs, time::Instant};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;

/// How much the memory of the server may grow over what it was.
pub const GROWTH_KIB_MAX: u64 = 16 << 10;

/// A line of `/proc/PID/status`, in KiB.
pub fn memory(server: &Server, name: &str) -> u64 {
    let pid = server.child.id().expect("it runs");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it lives");
    line.trim_matches([':', '\t', ' ', 'k', 'B']).parse().unwrap()
}

pub fn files(server: &Server) -> usize {
    let pid = server.child.id().expect("it runs");
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Waits until it is so.
pub async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::task::yield_now().await;
    }
}

/// Waits until all connections of clients but these are gone, and what they took with them.
pub async fn settled(server: &Server, connections: usize, memory_before: u64, files_before: usize) {
    let gone = format!("waxwing_active_connections {connections}");
    until(&gone, async || server.get("/metrics").await.lines().any(|line| line == gone)).await;
    until("its files are closed", async || files(server) <= files_before).await;
    let most = memory_before + GROWTH_KIB_MAX;
    let now = memory(server, "VmRSS");
    assert!(now < most, "from {memory_before} KiB to {now} KiB");
}

pub fn log(server: &Server) -> String {
    fs::read_to_string(server.folder.path().join(LOG)).unwrap()
}

/// Nothing has panicked.
pub fn is_calm(server: &Server) {
    let log = log(server);
    assert!(!log.contains("panicked"), "{log}");
}

/// A client whose messages to itself must always arrive.
pub struct Echo(Client<TlsStream<TcpStream>>, usize);

impl Echo {
    pub async fn start(server: &Server) -> Self {
        let mut client = Client::starttls(server).await;
        client.login("echo").await;
        Self(client, 0)
    }

    pub async fn sounds(&mut self) {
        self.1 += 1;
        let id = format!("echo-{}", self.1);
        let message = format!("<message to='juliet@localhost/echo' id='{id}'/>");
        self.0.say(&message).await;
        timeout(PATIENCE, self.0.hear(&id)).await.expect("an echo");
    }
}

/// Judges all that the server said to a hostile peer, by eyes that are not its own: streams
/// that are well-formed, and behind an error nothing but the end tag.
pub fn judge(said: &[u8], opened: bool) -> Result<(), String> {
    const DECLARATION: &str = "<?xml";
    const PROCEED: &str = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    // Behind it there is TLS, or its failure.
    let end = said.windows(PROCEED.len()).position(|window| window == PROCEED.as_bytes());
    let said = &said[..end.unwrap_or(said.len())];
    let said = std::str::from_utf8(said).map_err(|flaw| format!("{flaw}: {said:?}"))?;
    if said.contains("<stream:error>") && !said.ends_with("</stream:error></stream:stream>") {
        return Err(format!("an error that is not the end: {said}"));
    }
    for (number, part) in said.split(DECLARATION).enumerate() {
        let header = match number {
            0 if opened => HEADER,
            0 if part.is_empty() => continue,
            0 => return Err(format!("no header: {said}")),
            _ => DECLARATION,
        };
        let (_, flaw) = Growth::new().read(format!("{header}{part}").as_bytes());
        if let Some(flaw) = flaw {
            return Err(format!("{flaw}: {said}"));
        }
    }
    Ok(())
}
