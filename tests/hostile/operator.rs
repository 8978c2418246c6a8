//! The operator's side: the control socket, signals, the log, files that run out.

use crate::{
    assault::exchange,
    client::{Client, HEADER, handshake},
    server::{LOG, PATIENCE, Server, command, fails, folder, run, settings},
    watch::{Echo, files, is_calm, log, until},
};
use std::{fs, os::unix::fs::PermissionsExt, process::Stdio, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    process::Command,
    task::JoinSet,
    time::timeout,
};

async fn control(server: &Server) -> UnixStream {
    UnixStream::connect(server.folder.path().join("data/waxwing.sock")).await.unwrap()
}

async fn all(mut socket: UnixStream) -> String {
    let mut said = Vec::new();
    drop(timeout(PATIENCE, socket.read_to_end(&mut said)).await.expect("an end"));
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn the_control_socket_stands_what_is_no_request() {
    let server = Server::start("").await;
    let mode = fs::metadata(server.folder.path().join("data/waxwing.sock")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    // One that says half a line and stays, while others speak.
    let mut half = control(&server).await;
    half.write_all(b"{\"do\":\"user-").await.unwrap();
    let mut huge = control(&server).await;
    drop(huge.write_all(&vec![b'x'; 1 << 20]).await);
    assert_eq!(all(huge).await, "");
    for garbage in ["{}", "\u{0}\u{1}", "null", "[[[[[[[[", "{\"do\":\"user-list\"}", ""] {
        let mut socket = control(&server).await;
        socket.write_all(format!("{garbage}\n").as_bytes()).await.unwrap();
        socket.shutdown().await.unwrap();
        let said = all(socket).await;
        assert!(said.starts_with("{\"failed\":\"not a request"), "{garbage}: {said}");
    }
    let mut deep = control(&server).await;
    deep.write_all(format!("{}\n", "[".repeat(60_000)).as_bytes()).await.unwrap();
    deep.shutdown().await.unwrap();
    assert!(all(deep).await.starts_with("{\"failed\":"));
    server.add("juliet@localhost", "secret").await;
    let again = ["user", "add", "juliet@localhost", "--password-stdin"];
    let said = fails(server.folder.path(), &again, "secret\n").await;
    assert_eq!(said, "waxwing: juliet@localhost exists already");
    half.write_all(b"list\",\"domain\":\"localhost\",\"after\":null}\n").await.unwrap();
    half.shutdown().await.unwrap();
    assert_eq!(all(half).await, "{\"accounts\":[\"juliet@localhost\"]}\n");
    is_calm(&server);
}

#[tokio::test]
async fn two_operators_who_make_the_same_account_make_it_once() {
    let server = Server::start("").await;
    let add = ["user", "add", "juliet@localhost", "--password-stdin"];
    let here = server.folder.path();
    let both = tokio::join!(run(here, &add, "secret\n"), run(here, &add, "other\n"));
    let made = [both.0, both.1].iter().filter(|output| output.status.success()).count();
    assert_eq!(made, 1);
    is_calm(&server);
}

#[tokio::test]
async fn sighup_with_a_broken_certificate_keeps_the_old_one() {
    let server = Server::start("").await;
    let leaf = async || {
        let socket = TcpStream::connect(server.direct()).await.unwrap();
        let tls = handshake(&server, socket, &[]).await.expect("a handshake");
        let leaf = tls.get_ref().1.peer_certificates().unwrap()[0].clone();
        let mut client = Client::over(tls);
        client.say(HEADER).await;
        client.hear("</stream:features>").await;
        leaf
    };
    let old = leaf().await;
    let here = server.folder.path();
    let broken = here.join("broken.pem");
    let key = here.join("data/self-signed.key");
    let tls = format!("[tls]\ncertificate = {broken:?}\nkey = {key:?}\n");
    settings(here, &tls);
    let pem = fs::read_to_string(here.join("data/self-signed.pem")).unwrap();
    let half = &pem[..pem.len() / 2];
    let flipped = pem.replacen("MII", "AAA", 1);
    for (number, content) in ["", "no PEM", half, &flipped].into_iter().enumerate() {
        fs::write(&broken, content).unwrap();
        server.signal("HUP").await;
        let stays = "what was there before stays";
        until(stays, async || log(&server).matches(stays).count() > number).await;
        assert_eq!(leaf().await, old);
    }
    is_calm(&server);
}

#[tokio::test]
async fn no_password_and_no_body_is_ever_logged_at_58() {
    let server = Server::start("[log]\nlevel = \"trace\"\n").await;
    server.add("juliet@localhost", "secret").await;
    let mut juliet = Client::starttls(&server).await;
    juliet.login("balcony").await;
    juliet
        .say("<message to='juliet@localhost' id='m'><body>heart of hearts</body></message>")
        .await;
    juliet.say("<message to='juliet@localhost/balcony' id='me'/>").await;
    juliet.hear("id='me'").await;
    let passwd = ["user", "passwd", "juliet@localhost", "--password-stdin"];
    assert!(run(server.folder.path(), &passwd, "unheard-of\n").await.status.success());
    juliet.hear_all().await;
    let log = log(&server);
    assert!(log.contains("client bound"), "{log}");
    for private in ["\"secret\"", "AGp1bGlldABzZWNyZXQ=", "unheard-of", "heart of hearts"] {
        let line = log.lines().find(|line| line.contains(private));
        assert_eq!(line, None, "{private}");
    }
    is_calm(&server);
}

#[tokio::test]
async fn a_log_that_nobody_reads_any_more_harms_nobody() {
    let folder = folder("[log]\nlevel = \"trace\"\n");
    let mut serve = command(folder.path(), &["serve"]);
    // Every write fails from the first.
    serve.stderr(Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap()));
    let server = Server::start_as(folder, serve).await;
    server.add("juliet@localhost", "secret").await;
    let mut echo = Echo::start(&server).await;
    echo.sounds().await;
    drop(echo);
    server.signal("TERM").await;
    assert_eq!(server.ended().await, Some(0));
}

/// Seconds of CPU that it has used.
fn cpu(server: &Server) -> f64 {
    let pid = server.child.id().unwrap();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

#[tokio::test]
async fn without_files_left_it_waits_and_goes_on_when_there_are_again() {
    let server = Server::start("").await;
    server.add("juliet@localhost", "secret").await;
    let mut echo = Echo::start(&server).await;
    echo.sounds().await;
    let limit = async |files: usize| {
        let pid = server.child.id().unwrap().to_string();
        let limit = format!("--nofile={files}:");
        let set = Command::new("prlimit").args(["--pid", &pid, &limit]).status().await.unwrap();
        assert!(set.success());
    };
    limit(files(&server) + 4).await;
    let mut strangers = Vec::new();
    for _ in 0..20 {
        strangers.push(TcpStream::connect(server.starttls()).await.unwrap());
    }
    let cannot = "cannot accept connections";
    until(cannot, async || log(&server).contains(cannot)).await;
    // The operator's socket has none left either.
    let waiting = control(&server).await;
    until("the operator waits", async || log(&server).contains("operator")).await;
    let (before, begun) = (cpu(&server), std::time::Instant::now());
    // While it is out of files, it must neither spin nor flood its log.
    while begun.elapsed() < Duration::from_secs(1) {
        echo.sounds().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (spent, seconds) = (cpu(&server) - before, begun.elapsed().as_secs_f64());
    assert!(spent < 0.5 * seconds, "{spent} s of CPU in {seconds} s");
    let lines = log(&server).lines().filter(|line| line.contains("cannot ")).count();
    assert!((lines as f64) < 200.0 * seconds, "{lines} lines in {seconds} s");
    drop((strangers, waiting));
    let list = run(server.folder.path(), &["user", "list"], "").await;
    assert_eq!(String::from_utf8_lossy(&list.stdout), "juliet@localhost\n");
    Echo::start(&server).await.sounds().await;
    is_calm(&server);
}

#[tokio::test]
async fn clients_never_take_the_last_files() {
    let folder = folder("");
    let mut serve = Command::new("sh");
    serve.args(["-c", "ulimit -n 300; exec \"$0\" serve 2> log", env!("CARGO_BIN_EXE_waxwing")]);
    serve.current_dir(folder.path()).kill_on_drop(true).stdout(Stdio::piped());
    let server = Server::start_as(folder, serve).await;
    server.add("juliet@localhost", "secret").await;
    let mut echo = Echo::start(&server).await;
    let mut strangers = Vec::new();
    for _ in 0..400 {
        strangers.push(TcpStream::connect(server.starttls()).await.unwrap());
    }
    let metrics = server.get("/metrics").await;
    assert!(metrics.contains("connections_max"), "{metrics}");
    let list = run(server.folder.path(), &["user", "list"], "").await;
    assert_eq!(String::from_utf8_lossy(&list.stdout), "juliet@localhost\n");
    echo.sounds().await;
    assert!(!log(&server).contains("cannot accept connections"));
    is_calm(&server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stops_in_time_while_everybody_wants_something() {
    let server = Arc::new(Server::start("[limits]\nshutdown_seconds_max = 50\n").await);
    server.add("juliet@localhost", "secret").await;
    let mut echo = Echo::start(&server).await;
    echo.sounds().await;
    let mut crowd = JoinSet::new();
    for number in 0..60 {
        let server = server.clone();
        // Until the server listens no more.
        crowd.spawn(async move {
            let to = if number % 2 == 0 { server.direct() } else { server.starttls() };
            while let Ok(socket) = TcpStream::connect(to).await {
                match number % 4 {
                    0 => drop(handshake(&server, socket, &[]).await),
                    1 => drop(exchange(socket, HEADER.as_bytes(), 7).await),
                    2 => drop(exchange(socket, b"\x16\x03\x01", 1).await),
                    _ => drop(exchange(socket, b"</>", 1).await),
                }
            }
        });
    }
    let mut deaf = Client::starttls(&server).await;
    deaf.login("deaf").await;
    for signal in ["HUP", "TERM", "HUP", "TERM"] {
        server.signal(signal).await;
    }
    while let Some(done) = crowd.join_next().await {
        done.unwrap();
    }
    let server = Arc::into_inner(server).expect("the crowd has gone");
    let Server { folder, mut child, .. } = server;
    let ended = timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
    let said = fs::read_to_string(folder.path().join(LOG)).unwrap();
    assert_eq!(ended.code(), Some(0), "{said}");
    assert!(!said.contains("panicked") && !said.contains("not all streams"), "{said}");
    // Neither has read or said goodbye.
    drop((echo, deaf));
}
