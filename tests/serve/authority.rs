//! A certificate authority: Pebble, the server to test clients of ACME with, and the DNS that it
//! believes. Both come with Debian's package `pebble`.

use crate::{
    server::PATIENCE,
    trust::{believe, believe_in, put, shake},
};
use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};
use tokio_rustls::rustls::RootCertStore;

/// Where it comes to, to find out whose a domain is.
pub const HTTP: u16 = 8080;
pub const TLS: u16 = 8443;
const ACME: u16 = 14000;
const MANAGEMENT: u16 = 15000;
const DNS: u16 = 8053;
const DNS_MANAGEMENT: u16 = 8055;

pub struct Authority {
    pub address: Ipv4Addr,
    folder: TempDir,
    _pebble: Child,
    _dns: Child,
}

impl Authority {
    /// One whose certificates are valid for so long.
    pub async fn start(seconds: u64) -> Self {
        let (address, folder) = (address(), tempfile::tempdir().unwrap());
        let here = folder.path();
        put(&here.join("cert.pem"), &here.join("key.pem"), &[&address.to_string()]);
        let config = format!(
            r#"{{"pebble": {{
                "listenAddress": "{address}:{ACME}",
                "managementListenAddress": "{address}:{MANAGEMENT}",
                "certificate": "cert.pem", "privateKey": "key.pem",
                "httpPort": {HTTP}, "tlsPort": {TLS},
                "ocspResponderURL": "", "externalAccountBindingRequired": false,
                "certificateValidityPeriod": {seconds}
            }}}}"#
        );
        fs::write(here.join("config.json"), config).unwrap();
        let dns = format!("{address}:{DNS}");
        let (all, management) = (address.to_string(), format!("{address}:{DNS_MANAGEMENT}"));
        let mut words = vec!["-defaultIPv4", &all, "-defaultIPv6", "", "-dns01", &dns];
        words.extend(["-management", &management]);
        words.extend(["-http01", "", "-https01", "", "-tlsalpn01", ""]);
        let names = start(here, "pebble-challtestsrv", &words);
        let pebble = start(here, "pebble", &["-config", "config.json", "-dnsserver", &dns]);
        let authority = Self { address, folder, _pebble: pebble, _dns: names };
        for port in [ACME, MANAGEMENT, DNS, DNS_MANAGEMENT] {
            let listens = async {
                while TcpStream::connect((address, port)).await.is_err() {
                    tokio::task::yield_now().await;
                }
            };
            timeout(PATIENCE, listens).await.expect("it listens");
        }
        authority
    }

    /// What a server must be told about it.
    pub fn settings(&self, challenge: &str) -> String {
        let (address, root) = (self.address, self.folder.path().join("cert.pem"));
        format!(
            "[listen]\nc2s = []\nc2s_tls = [\"{address}:{TLS}\"]\nhttp = [\"{address}:{HTTP}\"]\n\
             [acme]\nterms_agreed = \"yes\"\ncontact = \"admin@a.example\"\n\
             challenges = [\"{challenge}\"]\n\
             directory = \"https://{address}:{ACME}/dir\"\nroot = \"{}\"\n",
            root.display()
        )
    }

    /// Lets a name lead elsewhere.
    pub async fn lead(&self, name: &str, to: Ipv4Addr) {
        let body = format!("{{\"host\": \"{name}\", \"addresses\": [\"{to}\"]}}");
        let mut http = TcpStream::connect((self.address, DNS_MANAGEMENT)).await.unwrap();
        let length = body.len();
        let asked = format!("POST /add-a HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}");
        http.write_all(asked.as_bytes()).await.unwrap();
        let mut answer = String::new();
        http.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(" 200 "), "{answer}");
    }

    /// Those who believe in what it signs.
    pub async fn believers(&self) -> RootCertStore {
        let (own, address) = (believe(&self.folder.path().join("cert.pem")), self.address);
        let to = SocketAddr::from((address, MANAGEMENT));
        let mut https = shake(&own, to, &address.to_string()).await.unwrap();
        https.write_all(b"GET /roots/0 HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        https.read_to_end(&mut answer).await.unwrap();
        believe_in(&answer)
    }
}

fn start(folder: &Path, program: &str, words: &[&str]) -> Child {
    let log = File::create(folder.join(format!("{program}.log"))).unwrap();
    let mut command = Command::new(program);
    command.args(words).current_dir(folder).kill_on_drop(true);
    // It would wait some seconds before each look, believe what it has seen before, and refuse
    // what is right now and then.
    command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_AUTHZREUSE", "0");
    command.env("PEBBLE_WFE_NONCEREJECT", "0");
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    command
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; conformance/environment installs it"))
}

/// An address of loopback where nobody listens: the ports that an authority comes to must be
/// known to it before the server runs.
fn address() -> Ipv4Addr {
    let process = std::process::id().to_be_bytes();
    let free = |address: &Ipv4Addr| {
        let ports = [HTTP, TLS, ACME, MANAGEMENT, DNS, DNS_MANAGEMENT];
        ports.iter().all(|port| TcpListener::bind((*address, *port)).is_ok())
    };
    let mut all = (1..=254).map(|last| Ipv4Addr::new(127, 1 + process[2] % 250, process[3], last));
    static ONE_AT_A_TIME: std::sync::Mutex<u8> = std::sync::Mutex::new(0);
    let mut taken = ONE_AT_A_TIME.lock().unwrap();
    let address = all.by_ref().skip(usize::from(*taken)).find(free).expect("a free address");
    *taken = address.octets()[3];
    address
}
