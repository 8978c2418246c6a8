//! Which server, which accounts: what all workloads are told.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use tokio::sync::OwnedMutexGuard;

use crate::device::Device;
use crate::hash::Hash;
use crate::process::Watched;
use crate::scram::SaltedPasswords;
use crate::tls::Tls;

/// How a connection becomes TLS.
#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Secure {
    /// RFC 6120 §5.
    Starttls,
    /// XEP-0368.
    Direct,
    /// From the first byte; XMPP goes in a WebSocket (RFC 7395).
    Wss,
}

/// How an account proves itself.
#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 5802.
    #[value(name = "scram-sha-1")]
    ScramSha1,
    /// RFC 7677, bound to the channel by `tls-exporter` (RFC 9266).
    #[value(name = "scram-sha-256-plus")]
    ScramSha256Plus,
    /// RFC 4616.
    Plain,
    /// A token bound to the channel, by SASL2 with Bind 2 (XEP-0484).
    #[value(name = "ht-sha-256-expr")]
    HtSha256Expr,
    /// The same without channel binding.
    #[value(name = "ht-sha-256-none")]
    HtSha256None,
}

/// Options of every workload.
#[derive(Args, Clone)]
pub struct TargetArgs {
    /// Where the server listens
    #[arg(long, default_value = "127.0.0.1:5222")]
    address: SocketAddr,
    /// How TLS begins
    #[arg(long, value_enum, default_value = "starttls")]
    tls: Secure,
    /// Every login of an account but its first resumes its TLS session
    #[arg(long)]
    resume: bool,
    /// Where the WebSocket is
    #[arg(long, default_value = "/ws")]
    path: String,
    /// The XMPP domain of the accounts
    #[arg(long, default_value = "localhost")]
    domain: String,
    /// Local parts of the accounts; %d is 1, 2, 3 …
    #[arg(long, default_value = "user%d")]
    user_pattern: String,
    /// The password of all accounts
    #[arg(long)]
    password: String,
    /// The SASL mechanism
    #[arg(long, value_enum, default_value = "scram-sha-1")]
    mechanism: Mechanism,
    /// Tell with a token how often it was used (XEP-0484 §3.3), which the server has to remember
    #[arg(long)]
    count: bool,
    /// A process to measure, with its descendants: first the server, then its database
    #[arg(long = "pid")]
    pids: Vec<u32>,
    /// Threads of the load generator
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
}

/// The server under load. Cheap to clone.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub secure: Secure,
    pub resume: bool,
    pub path: Arc<str>,
    pub mechanism: Mechanism,
    pub count: bool,
    pub salted: Arc<SaltedPasswords>,
    pub watched: Watched,
    /// What the system keeps for who does not read, in bytes; none: as it likes.
    pub receive_buffer: Option<u32>,
    tls: Tls,
    /// One for each account.
    devices: Arc<Mutex<HashMap<usize, Arc<tokio::sync::Mutex<Device>>>>>,
    domain: Arc<str>,
    user_pattern: Arc<str>,
    password: Arc<str>,
}

impl Target {
    /// Checks the options.
    ///
    /// # Errors
    /// When the pattern has no `%d`, or a process to be measured does not run.
    pub fn new(args: TargetArgs) -> Result<Self> {
        ensure!(args.user_pattern.contains("%d"), "--user-pattern needs a %d");
        Ok(Self {
            address: args.address,
            secure: args.tls,
            resume: args.resume,
            path: args.path.into(),
            mechanism: args.mechanism,
            count: args.count,
            salted: Arc::default(),
            watched: Watched::new(args.pids)?,
            receive_buffer: None,
            tls: Tls::new(&args.domain, args.tls.alpn())?,
            devices: Arc::default(),
            domain: args.domain.into(),
            user_pattern: args.user_pattern.into(),
            password: args.password.into(),
        })
    }

    /// The same server, for other accounts.
    pub fn of(&self, user_pattern: &str) -> Self {
        let (devices, user_pattern) = (Arc::default(), user_pattern.into());
        Self { devices, user_pattern, ..self.clone() }
    }

    /// The domain of all accounts.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The password of all accounts.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The device of account `index`, for as long as it logs in: one login at a time.
    pub async fn device(&self, index: usize) -> OwnedMutexGuard<Device> {
        let device = {
            let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
            devices.entry(index).or_insert_with(|| Arc::new(self.new_device().into())).clone()
        };
        device.lock_owned().await
    }

    fn new_device(&self) -> Device {
        Device::new(if self.resume { self.tls.resuming() } else { self.tls.clone() })
    }

    /// The local part of account `index`, counted from 0.
    pub fn user(&self, index: usize) -> String {
        self.user_pattern.replace("%d", &(index + 1).to_string())
    }

    /// The index of the account with this local part.
    pub fn index(&self, user: &str) -> Option<usize> {
        let (before, after) = self.user_pattern.split_once("%d")?;
        let number = user.strip_prefix(before)?.strip_suffix(after)?;
        number.parse::<usize>().ok()?.checked_sub(1)
    }
}

impl Secure {
    /// As on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starttls => "starttls",
            Self::Direct => "direct",
            Self::Wss => "wss",
        }
    }

    /// What is asked for in the handshake (RFC 7301).
    fn alpn(self) -> &'static [u8] {
        match self {
            Self::Starttls | Self::Direct => b"xmpp-client",
            Self::Wss => b"http/1.1",
        }
    }
}

impl Mechanism {
    /// The registered name of the mechanism.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::Plain => "PLAIN",
            Self::HtSha256Expr => "HT-SHA-256-EXPR",
            Self::HtSha256None => "HT-SHA-256-NONE",
        }
    }

    /// The hash of one that is SCRAM.
    pub fn scram(self) -> Option<Hash> {
        match self {
            Self::ScramSha1 => Some(Hash::Sha1),
            Self::ScramSha256Plus => Some(Hash::Sha256),
            Self::Plain | Self::HtSha256Expr | Self::HtSha256None => None,
        }
    }

    /// Whether it is shown a token, which was given out at an earlier login.
    pub fn is_token(self) -> bool {
        matches!(self, Self::HtSha256Expr | Self::HtSha256None)
    }

    /// Whether it binds to the channel.
    pub fn binds(self) -> bool {
        matches!(self, Self::ScramSha256Plus | Self::HtSha256Expr)
    }
}
