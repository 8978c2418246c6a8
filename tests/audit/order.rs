//! F-PWR, the order: what acknowledges a message is sent behind the sync of the file that has it.
//! strace sees both, since on loopback a WebSocket may be in the clear.

use conformance::{
    audit::process::Program,
    run::{Untold, play},
    script::Script,
    web::{Endpoint, Server},
    websocket::WebSockets,
};
use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

const WAXWING: &str = env!("CARGO_BIN_EXE_waxwing");
const SETTINGS: &str = "[listen]\nc2s = []\nc2s_tls = []\nhttp = [\"127.0.0.1:0\"]\n";
const BODY: &str = "it was the nightingale";
const SCRIPT: &str = "\
[Client] Juliet
    jid: juliet@localhost/balcony
    password: secret

-----

Juliet connects

Juliet sends:
    <enable xmlns='urn:xmpp:sm:3'/>

Juliet receives:
    <enabled xmlns='urn:xmpp:sm:3'/>

Juliet sends:
    <message to='romeo@localhost' type='chat'><body>it was the nightingale</body></message>
    <r xmlns='urn:xmpp:sm:3'/>

Juliet receives:
    <a xmlns='urn:xmpp:sm:3' h='1'/>

Juliet disconnects
";

struct Traced(Child);

impl Drop for Traced {
    fn drop(&mut self) {
        // strace ends with the server, and not before.
        let id = self.0.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let server = children.unwrap_or_default();
        let _ = Command::new("kill").args(["-s", "TERM", server.trim()]).status();
        let _ = self.0.wait();
    }
}

/// The server under strace, and its port of HTTP.
fn start(folder: &Path, trace: &Path) -> (Traced, std::net::SocketAddr) {
    let calls = "trace=write,pwrite64,writev,sendto,sendmsg,fsync,fdatasync";
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s", "65536", "-e", calls, "-e", "signal=none", "-o"]).arg(trace);
    strace.arg(WAXWING).arg("serve").current_dir(folder);
    strace.stdout(Stdio::piped()).stderr(fs::File::create(folder.join("log")).unwrap());
    let mut child = strace.spawn().expect("strace is installed");
    let told = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told: Vec<_> = told.take_while(|line| !line.starts_with("ready")).collect();
    let traced = Traced(child);
    let http = told.iter().find_map(|line| line.strip_prefix("http "));
    let http = http.unwrap_or_else(|| panic!("no http in {told:?}")).trim().parse().unwrap();
    (traced, http)
}

#[test]
fn f_pwr_an_acknowledgement_follows_the_sync_of_what_it_acknowledges() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("waxwing.toml"), SETTINGS).unwrap();
    let trace = folder.path().join("trace");
    let (traced, http) = start(folder.path(), &trace);
    let (binary, environment) = (PathBuf::from(WAXWING), Vec::new());
    let program = Program { binary, folder: folder.path().to_owned(), environment };
    for account in ["juliet@localhost", "romeo@localhost"] {
        program.add(account, "secret").unwrap();
    }
    let (answer, quiet) = (Duration::from_secs(60), Duration::from_millis(150));
    let endpoint = Endpoint { secure: false, address: http, path: "/ws".into() };
    let server = Server { endpoint, domain: "localhost".into(), answer, quiet };
    let mut sockets = WebSockets::new(server).unwrap();
    let script = Script::parse(SCRIPT).unwrap();
    play(&script, &mut sockets, Untold::Ignored).map_err(|failure| failure.to_string()).unwrap();
    drop(traced);
    judge(&fs::read_to_string(&trace).unwrap());
}

/// Goes through what the server did: the body is written, the file synced, then the count sent.
fn judge(trace: &str) {
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let (mut written, mut synced) = (None, false);
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        let file = call.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        let file = file.map_or("", |(file, _)| file);
        let syncs = call.starts_with("fsync(") || call.starts_with("fdatasync(");
        if file.ends_with(".db-wal") && call.contains(BODY) {
            (written, synced) = (Some(file), false);
        } else if syncs && call.contains("unfinished") {
            begun.insert(thread, file);
        } else if syncs && call.ends_with("= 0") {
            synced |= written == Some(file);
        } else if call.contains("sync resumed>") && call.ends_with("= 0") {
            synced |= begun.remove(thread).is_some_and(|file| written == Some(file));
        } else if call.contains("urn:xmpp:sm:3") && call.contains("<a ") && call.contains("'1'") {
            assert!(written.is_some(), "acknowledged before it was written");
            assert!(synced, "acknowledged before it was synced");
            return;
        }
    }
    panic!("no acknowledgement was seen");
}

#[test]
fn an_acknowledgement_before_the_sync_is_seen() {
    let write = format!("7 write(9</d/waxwing.db-wal>, \"{BODY}\", 4096) = 4096\n");
    let sync = "7 fdatasync(9</d/waxwing.db-wal>) = 0\n";
    let ack = "8 sendto(5<socket:[1]>, \"\\201<a xmlns='urn:xmpp:sm:3' h='1'/>\", 30) = 30\n";
    let late = "7 fdatasync(9</d/waxwing.db-wal> <unfinished ...>\n".to_owned()
        + ack
        + "7 <... fdatasync resumed>) = 0\n";
    judge(&format!("{write}{sync}{ack}"));
    for wrong in [format!("{write}{ack}{sync}"), format!("{ack}{write}{sync}"), write + &late] {
        assert!(std::panic::catch_unwind(|| judge(&wrong)).is_err(), "{wrong}");
    }
}
