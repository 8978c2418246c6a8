//! The command line.

use clap::{Parser, Subcommand};
use std::path::PathBuf;

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
    /// Look for what is wrong, and say how to mend it.
    Check,
    /// Print every setting with its documentation and default.
    Settings,
    /// Print the stations of a stanza's life and which XEPs stand where.
    Life,
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
