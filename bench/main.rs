//! How fast is it? One load generator that drives any XMPP server; see README.md.
//!
//! Each run prints one line of JSON. It ends with 1 when a message was lost, duplicated or
//! reordered, or a connection dropped.

mod archive;
mod calm;
mod chat;
mod connect;
mod crowd;
mod device;
mod fair;
mod fill;
mod fill_archive;
mod hash;
mod idle;
mod latency;
mod limit;
mod link;
mod login;
mod mam;
mod message;
mod meter;
mod muc;
mod offline;
mod order;
mod outcome;
mod pair;
mod presence;
mod process;
mod relay;
mod sasl;
mod sasl2;
mod scram;
mod session;
mod target;
mod tls;
mod web;
mod write_accounts;
mod write_archive;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use tokio::runtime::{Builder, Runtime};

/// Drives any XMPP server and measures what it costs
#[derive(Parser)]
#[command(version)]
enum Workload {
    /// Logins and logouts: CPU time per login
    Login(login::LoginArgs),
    /// Rosters for `idle`
    Fill(fill::FillArgs),
    /// An archive for `mam`, by chat
    FillArchive(fill_archive::FillArchiveArgs),
    /// An archive for `mam`, of Waxwing, by its store while it is down
    WriteArchive(write_archive::WriteArchiveArgs),
    /// Accounts of Waxwing, by its store while it is down
    WriteAccounts(write_accounts::WriteAccountsArgs),
    /// Pages of an archive, every one checked: CPU time per page, latency
    Mam(mam::MamArgs),
    /// Connections that are online and silent: memory per connection
    Idle(idle::IdleArgs),
    /// Stanzas that need no database while the database is away: latency
    Calm(calm::CalmArgs),
    /// What others notice of one who reads slowly, floods, or wants too much: CPU time, latency
    Fair(fair::FairArgs),
    /// Messages between pairs, every one checked: CPU time per message, latency
    Chat(chat::ChatArgs),
    /// Messages to who is away, and their delivery: CPU time per message
    Offline(offline::OfflineArgs),
    /// Contacts for `presence`
    Befriend(presence::BefriendArgs),
    /// Logins of who has many contacts online, and their presence: CPU time per login, per delivery
    Presence(presence::PresenceArgs),
    /// A room: CPU time per delivery and of entering, latency to the last occupant, memory
    Muc(muc::MucArgs),
    /// Bytes from one TLS connection to others, without XML: a server for `limit`
    Relay(relay::RelayArgs),
    /// What a message costs a relay: what the kernel and TLS take by themselves
    Limit(limit::LimitArgs),
}

fn main() -> ExitCode {
    match run(Workload::parse()) {
        Ok(outcome) => {
            println!("{}", outcome.line);
            if outcome.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(workload: Workload) -> Result<outcome::Outcome> {
    match workload {
        Workload::Login(args) => runtime(args.target.threads)?.block_on(login::run(args)),
        Workload::Fill(args) => runtime(args.target.threads)?.block_on(fill::run(args)),
        Workload::FillArchive(args) => {
            runtime(args.target.threads)?.block_on(fill_archive::run(args))
        }
        Workload::WriteArchive(args) => runtime(1)?.block_on(write_archive::run(args)),
        Workload::WriteAccounts(args) => runtime(1)?.block_on(write_accounts::run(args)),
        Workload::Mam(args) => runtime(args.target.threads)?.block_on(mam::run(args)),
        Workload::Idle(args) => runtime(args.target.threads)?.block_on(idle::run(args)),
        Workload::Calm(args) => runtime(args.target.threads)?.block_on(calm::run(args)),
        Workload::Fair(args) => runtime(args.target.threads)?.block_on(fair::run(args)),
        Workload::Chat(args) => runtime(args.target.threads)?.block_on(chat::run(args)),
        Workload::Offline(args) => runtime(args.target.threads)?.block_on(offline::run(args)),
        Workload::Befriend(args) => {
            runtime(args.target.threads)?.block_on(presence::befriend(args))
        }
        Workload::Presence(args) => runtime(args.target.threads)?.block_on(presence::run(args)),
        Workload::Muc(args) => runtime(args.target.threads)?.block_on(muc::run(args)),
        Workload::Relay(args) => runtime(1)?.block_on(relay::run(args)),
        Workload::Limit(args) => runtime(1)?.block_on(limit::run(args)),
    }
}

/// One thread is the cheapest, and leaves the other cores to the server.
fn runtime(threads: usize) -> Result<Runtime> {
    ensure!(threads > 0, "--threads must not be 0");
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    Ok(builder.enable_all().build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_all_that_a_workload_must_be_told() {
        let names = "login fill fill-archive idle calm chat offline befriend presence muc limit";
        for name in names.split(' ') {
            let line = ["waxwing-bench", name, "--password", "secret"];
            if let Err(error) = Workload::try_parse_from(line) {
                panic!("{error}");
            }
            assert!(Workload::try_parse_from(&line[..2]).is_err());
        }
    }

    #[test]
    fn a_device_returns_by_a_token_and_a_ticket() {
        let options = ["--tls", "direct", "--mechanism", "ht-sha-256-expr", "--resume", "--count"];
        let line = ["waxwing-bench", "login", "--password", "x"].iter().chain(&options);
        assert!(Workload::try_parse_from(line).is_ok());
    }

    #[test]
    fn a_loop_is_open_or_closed() {
        let both = ["--password", "x", "--rate", "300", "--window", "2"];
        let line = ["waxwing-bench", "chat"].iter().chain(&both);
        assert!(Workload::try_parse_from(line).is_err());
    }
}
