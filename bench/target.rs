//! Which server, which accounts: what all workloads are told.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

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
}

/// How an account proves itself.
#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 5802.
    #[value(name = "scram-sha-1")]
    ScramSha1,
    /// RFC 4616.
    Plain,
}

/// Options of every workload.
#[derive(Args)]
pub struct TargetArgs {
    /// Where the server listens
    #[arg(long, default_value = "127.0.0.1:5222")]
    address: SocketAddr,
    /// How TLS begins
    #[arg(long, value_enum, default_value = "starttls")]
    tls: Secure,
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
    pub tls: Tls,
    pub mechanism: Mechanism,
    pub salted: Arc<SaltedPasswords>,
    pub watched: Watched,
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
            tls: Tls::new(&args.domain)?,
            mechanism: args.mechanism,
            salted: Arc::default(),
            watched: Watched::new(args.pids)?,
            domain: args.domain.into(),
            user_pattern: args.user_pattern.into(),
            password: args.password.into(),
        })
    }

    /// The domain of all accounts.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The password of all accounts.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The local part of account `index`, counted from 0.
    pub fn user(&self, index: usize) -> String {
        self.user_pattern.replace("%d", &(index + 1).to_string())
    }
}

impl Secure {
    /// As on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starttls => "starttls",
            Self::Direct => "direct",
        }
    }
}

impl Mechanism {
    /// The registered name of the mechanism.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::Plain => "PLAIN",
        }
    }
}
