//! Waxwing, an XMPP server. Here is what it is made of; nobody else names a concrete adapter.

mod backup;
mod check;
mod command;
mod logs;
mod serve;
mod settings;
mod settings_auth;
mod settings_limits;
mod settings_mailbox;
mod settings_table;
mod settings_tls;
mod settings_values;
mod settings_xeps;
mod user;

use clap::Parser;
use command::{Action, Command};
use engine::{hook::Xep, hooks::Hooks, port::Store};
use settings::Settings;
use std::{process::ExitCode, sync::Arc, time::Instant};
use tikv_jemallocator::Jemalloc;

/// What a message takes is given back at once, by many connections in turns: that of the C library
/// spends more on joining the pieces again, and is no smaller.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// What this server speaks.
const XEPS: &[&Xep] = xeps::ALL;

/// Tasks that are polled before sockets and timers are looked at again, when there is always one
/// that is ready. Tokio's 61 of five hundred logins take 10 ms, for which what the database answers
/// would wait, and with it everybody.
const POLLS_BETWEEN_EVENTS: u32 = 8;
/// The same before what threads outside the runtime have woken is looked at: one of them has the
/// database. While a message is told to five thousand there is always something else that is ready,
/// and of these one had its turn for some twenty of those. With 1 they would come before all
/// others: but what is too much for the queue of a core stands there as well, and of three hundred
/// who are always ready those would never have their turn who have waited for longest.
const POLLS_BETWEEN_OTHERS: u32 = 2;

fn main() -> ExitCode {
    let begun = Instant::now();
    net::install_provider();
    match run(Command::parse(), begun) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("waxwing: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, begun: Instant) -> anyhow::Result<ExitCode> {
    let config = command.config.as_deref();
    let action = command.action.unwrap_or(Action::Serve);
    match action {
        Action::Settings => return Ok(print(&settings_table::print())),
        Action::Life => return Ok(print(&engine::life::table(&Hooks::of(XEPS)))),
        Action::Serve | Action::User(_) | Action::Check(_) => {}
        Action::Backup { .. } | Action::Restore { .. } => {}
    }
    let settings = Settings::load(config)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.event_interval(POLLS_BETWEEN_EVENTS).global_queue_interval(POLLS_BETWEEN_OTHERS);
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(async {
        match action {
            Action::User(user) => user::run(user, &settings).await.map(|()| ExitCode::SUCCESS),
            Action::Backup { to } => {
                backup::backup(&settings, &to).await.map(|()| ExitCode::SUCCESS)
            }
            Action::Restore { from, force } => {
                backup::restore(&settings, &from, force).await.map(|()| ExitCode::SUCCESS)
            }
            Action::Check(check) => Ok(match check::run(&settings, &check).await {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            }),
            _ => serve::run(settings, config, begun).await.map(|()| ExitCode::SUCCESS),
        }
    })
}

fn print(text: &str) -> ExitCode {
    use std::io::Write;
    // Whoever reads only the beginning has seen what they wanted.
    drop(std::io::stdout().lock().write_all(text.as_bytes()));
    ExitCode::SUCCESS
}

/// Opens the store and takes it: one process per store.
async fn open_store(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    let settings::Store { url, relaxed, readers_max } = &settings.store;
    let options = store::Options {
        node: net::NODE,
        relaxed: *relaxed,
        readers_max: *readers_max,
        at_hand: Hooks::of(XEPS).at_hand().to_vec(),
        ..store::Options::default()
    };
    Ok(Arc::new(store::Devices::new(store::open(url, &options).await?)))
}

/// One node: what is carried anywhere is delivered here.
fn cluster(post: Arc<net::Post>) -> cluster::Alone {
    cluster::Alone::new(net::NODE, move |parcel| post.deliver(parcel))
}
