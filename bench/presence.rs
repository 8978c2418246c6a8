//! Workload `presence`: what does it cost when somebody comes whom many know, and when presence
//! changes? Everybody must hear everything once and in order.

mod befriend;
mod circle;
mod contact;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use tokio::time::{Instant, timeout};
use wire::{Kind, Stanza};

pub use self::befriend::{BefriendArgs, run as befriend};
use self::circle::{Circle, PATIENCE};
use self::contact::{number, status};
use crate::connect::connect;
use crate::latency::{Latencies, Summary};
use crate::meter::{Reading, Spent};
use crate::outcome::Outcome;
use crate::process::ensure_files;
use crate::session::Session;
use crate::target::{Target, TargetArgs};

/// Options of `presence`.
#[derive(Args)]
pub struct PresenceArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// How many contacts the first account has, by `befriend`: the next accounts; all are online
    #[arg(long, default_value_t = 500)]
    contacts: usize,
    /// How often the first account comes and goes
    #[arg(long, default_value_t = 20)]
    logins: u64,
    /// How often it changes its presence, and each contact its own
    #[arg(long, default_value_t = 40)]
    changes: usize,
    /// How many changes of the first account are under way at most
    #[arg(long, default_value_t = 4)]
    window: usize,
    /// How many log in at a time
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    contacts: usize,
    login: Login,
    /// The presence of one goes to all.
    out: Deliveries,
    /// The presence of all goes to one.
    r#in: Deliveries,
}

/// To come, to be seen and to see, and to go.
#[derive(Serialize)]
struct Login {
    logins: u64,
    cpu_us_per_login: Option<f64>,
    database_cpu_us_per_login: Option<f64>,
    client_cpu_us_per_login: f64,
    /// From presence to that of the last contact.
    #[serde(flatten)]
    latency: Option<Summary>,
}

#[derive(Serialize)]
struct Deliveries {
    deliveries: u64,
    cpu_us_per_delivery: Option<f64>,
    client_cpu_us_per_delivery: f64,
    #[serde(flatten)]
    latency: Option<Summary>,
}

/// Comes and goes, and changes presence.
///
/// # Errors
/// When a login fails, a connection is lost, or somebody hears what it must not, or does not hear
/// what it must in time.
pub async fn run(args: PresenceArgs) -> Result<Outcome> {
    ensure!(args.contacts > 0 && args.concurrency > 0, "nothing to do");
    ensure!(args.logins > 0 && args.changes > 0 && args.window > 0, "nothing to do");
    ensure_files(args.contacts + 1)?;
    let target = Target::new(args.target.clone())?;
    let mut circle = Circle::gather(&target, args.contacts, args.concurrency).await?;
    let login = come_and_go(&target, &mut circle, args.logins).await?;

    let mut hub = come(&target, &circle).await?;
    greet(&mut hub, &mut circle).await?;
    let before = Reading::take(&target.watched)?;
    change(&mut hub, &mut circle, args.changes, args.window).await?;
    let spent = before.until(&Reading::take(&target.watched)?);
    let copies = (args.contacts * args.changes) as u64;
    let out = deliveries(&spent, copies, circle.latencies());

    let before = Reading::take(&target.watched)?;
    let latencies = hear_changes(&mut hub, &mut circle, args.changes).await?;
    let spent = before.until(&Reading::take(&target.watched)?);
    let r#in = deliveries(&spent, copies, latencies);

    hub.close().await?;
    circle.disperse().await?;
    let figures = Figures { workload: "presence", contacts: args.contacts, login, out, r#in };
    Outcome::passed(&figures)
}

fn deliveries(spent: &Spent, deliveries: u64, latencies: Latencies) -> Deliveries {
    Deliveries {
        deliveries,
        cpu_us_per_delivery: spent.cpu_us_per(deliveries),
        client_cpu_us_per_delivery: spent.own_cpu_us_per(deliveries),
        latency: latencies.summary(),
    }
}

/// The first account comes and goes; once before it is measured.
async fn come_and_go(target: &Target, circle: &mut Circle, logins: u64) -> Result<Login> {
    visit(target, circle).await?;
    let mut latencies = Latencies::default();
    let before = Reading::take(&target.watched)?;
    for _ in 0..logins {
        latencies.note(visit(target, circle).await?);
    }
    let spent = before.until(&Reading::take(&target.watched)?);
    Ok(Login {
        logins,
        cpu_us_per_login: spent.cpu_us_per(logins),
        database_cpu_us_per_login: spent.database_cpu_us_per(logins),
        client_cpu_us_per_login: spent.own_cpu_us_per(logins),
        latency: latencies.summary(),
    })
}

async fn visit(target: &Target, circle: &mut Circle) -> Result<u64> {
    let mut hub = come(target, circle).await?;
    let micros = greet(&mut hub, circle).await?;
    hub.close().await?;
    circle.until_it_is_gone().await?;
    Ok(micros)
}

/// A login with the roster, which must be as `befriend` has made it.
async fn come(target: &Target, circle: &Circle) -> Result<Session> {
    let mut hub = connect(target, 0).await?;
    let friends = hub.friends().await?;
    let contacts = circle.contacts();
    ensure!(friends == contacts, "{friends} of {contacts} are friends: run `befriend`");
    Ok(hub)
}

/// Sees all, each once, and is seen by all; microseconds until it has seen the last.
async fn greet(hub: &mut Session, circle: &mut Circle) -> Result<u64> {
    let begun = Instant::now();
    hub.post(b"<presence/>");
    let mut seen = vec![false; circle.contacts()];
    let mut missing = seen.len();
    let domain = hub.account().split_once('@').context("a domain")?.1.to_owned();
    let all = async {
        while missing > 0 {
            let stanza = hub.stanza().await?;
            let Some(index) = circle.contact(&stanza, &domain)? else { continue };
            ensure!(!seen[index], "seen twice: {}", stanza.to_text());
            seen[index] = true;
            missing -= 1;
        }
        Ok(())
    };
    timeout(PATIENCE, all).await.context("has not seen all in time").flatten()?;
    let micros = begun.elapsed().as_micros() as u64;
    circle.until_it_is_seen().await?;
    Ok(micros)
}

/// The first account changes its presence, and all hear it.
async fn change(
    hub: &mut Session,
    circle: &mut Circle,
    changes: usize,
    window: usize,
) -> Result<()> {
    loop {
        let heard = circle.heard();
        while circle.said() < changes.min(heard + window) {
            let number = circle.says();
            hub.post(status(number).as_bytes());
        }
        if heard == changes {
            return Ok(());
        }
        tokio::select! {
            biased;
            stanza = hub.stanza() => refuse_errors(&stanza?)?,
            changed = circle.changed() => changed?,
        }
    }
}

/// All contacts change their presence at once, again and again, and the first account hears it.
async fn hear_changes(hub: &mut Session, circle: &mut Circle, changes: usize) -> Result<Latencies> {
    let domain = hub.account().split_once('@').context("a domain")?.1.to_owned();
    let mut latencies = Latencies::default();
    for change in 0..changes {
        let begun = Instant::now();
        circle.all_say(change)?;
        let mut missing = vec![true; circle.contacts()];
        let hearing = async {
            while missing.contains(&true) {
                let stanza = hub.stanza().await?;
                let Some(index) = circle.contact(&stanza, &domain)? else { continue };
                let is_next = number(&stanza) == Some(change) && missing[index];
                ensure!(is_next, "not {change}, once, but {}", stanza.to_text());
                missing[index] = false;
                latencies.note(begun.elapsed().as_micros() as u64);
            }
            Ok(())
        };
        timeout(PATIENCE, hearing).await.context("has not heard all in time").flatten()?;
    }
    Ok(latencies)
}

fn refuse_errors(stanza: &Stanza) -> Result<()> {
    let is_error = stanza.head.type_str() == "error";
    ensure!(!is_error || stanza.kind() != Kind::Presence, "refused: {}", stanza.to_text());
    Ok(())
}
