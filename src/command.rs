//! The command line.

use clap::{Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf};

/// An XMPP server: what it has acknowledged is durable.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Command {
    /// The settings [default: waxwing.toml, when there is one].
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do; nothing said: serve.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Serve until SIGTERM; SIGHUP reads settings and certificate again.
    Serve,
    /// Accounts, also while the server runs.
    #[command(subcommand)]
    User(User),
    /// Look for what is wrong, say how to mend it, and print the DNS records to create.
    ///
    /// Each line is `ok`, `warning` or `problem`, what has been looked at, what is so, and how to
    /// mend it. It looks at settings, store, certificates, ports, at DNS (SRV, A, AAAA, CAA and
    /// TLSA) of each domain, calls every address that is listened on or that DNS names, and
    /// asks for host-meta. Domains such as localhost, and a server that listens on loopback only,
    /// are not looked up. What others see from outside can only be guessed from inside.
    /// Exit status: 0 when nothing is a problem, warnings or not; else 1.
    Check(Check),
    /// Copy the store into a file, also while the server runs, and verify the copy.
    ///
    /// It has all that was durable at one moment, and nothing else. With PostgreSQL this calls
    /// pg_dump, and prints the command when it is not here. Settings, certificates and ACME's
    /// account are files beside it: copy waxwing.toml and the data folder too.
    Backup {
        /// A file that is not there yet.
        to: PathBuf,
    },
    /// Verify such a file and put it in the place of the store; no server may run.
    ///
    /// It is read as a whole first: integrity, schema, references, counts. Clients then log in
    /// anew and read their archives. With PostgreSQL this calls pg_restore.
    Restore {
        /// The file.
        from: PathBuf,
        /// Overwrite the store that is there.
        #[arg(long)]
        force: bool,
    },
    /// Print every setting with its documentation and default.
    Settings,
    /// Print the stations of a stanza's life and which XEPs stand where.
    Life,
}

/// How to look.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Ask nobody but this machine: no DNS, no connection elsewhere.
    #[arg(long)]
    pub no_network: bool,
    /// Ask this name server instead of the system's, also about domains that are not on the
    /// internet.
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "no_network")]
    pub resolver: Option<SocketAddr>,
    /// One JSON object a line, for programs.
    #[arg(long)]
    pub json: bool,
}

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Make an account.
    Add(Whose),
    /// Give an account another password; its sessions end.
    Passwd(Whose),
    /// Remove an account with all it owns; its sessions end.
    Delete {
        /// Such as juliet@localhost.
        jid: String,
    },
    /// End the sessions of an account and let nobody log in to it; what it has stays, and what is
    /// for it is kept.
    Disable {
        /// Such as juliet@localhost.
        jid: String,
    },
    /// Let an account log in again that has been disabled.
    Enable {
        /// Such as juliet@localhost.
        jid: String,
    },
    /// Print the devices that an account has logged in from: id, first and last login, whether it
    /// has a token, software and name.
    Devices {
        /// Such as juliet@localhost.
        jid: String,
    },
    /// Print with whom an account talks, and the rooms of which it is a member: how many messages
    /// it has not seen, when the last was said, and up to when it has seen them. With people as it
    /// was gathered last: a client that asks, or 1,000 more messages, bring it up to date.
    Inbox {
        /// Such as juliet@localhost.
        jid: String,
    },
    /// Print where the last messages of an account went, and why: stored, delivered to which
    /// device, acknowledged, pushed, answered. Only while the server runs and has the account in
    /// memory.
    Trace {
        /// Such as juliet@localhost.
        jid: String,
    },
    /// Take the tokens of a device and end its sessions. Who knows the password comes back.
    Revoke {
        /// Such as juliet@localhost.
        jid: String,
        /// As `devices` prints it; absent: all of them.
        device: Option<String>,
    },
    /// Print the accounts, one per line.
    List {
        /// Only those of this domain.
        domain: Option<String>,
    },
}

/// An account, and where its password comes from.
#[derive(Debug, clap::Args)]
pub struct Whose {
    /// Such as juliet@localhost.
    pub jid: String,
    /// Read the password from the first line of standard input instead of asking for it.
    #[arg(long)]
    pub password_stdin: bool,
}
