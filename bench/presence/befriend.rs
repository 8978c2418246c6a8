//! Workload `befriend`: an account gets contacts who see each other's presence, for `presence`.
//! They ask and agree as people do (RFC 6121 §3.1), so any server is filled.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wire::{Kind, Stanza};

use crate::connect::connect;
use crate::crowd::gather;
use crate::outcome::Outcome;
use crate::process::ensure_files;
use crate::session::Session;
use crate::target::{Target, TargetArgs};

/// For one contact.
const PATIENCE: Duration = Duration::from_secs(60);

/// Options of `befriend`.
#[derive(Args)]
pub struct BefriendArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// How many contacts the first account gets: the next accounts
    #[arg(long, default_value_t = 500)]
    contacts: usize,
    /// How many at a time
    #[arg(long, default_value_t = 16)]
    concurrency: usize,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    contacts: usize,
}

/// Makes them friends.
///
/// # Errors
/// When a login fails, or a friendship does not come about.
pub async fn run(args: BefriendArgs) -> Result<Outcome> {
    ensure!(args.contacts > 0 && args.concurrency > 0, "nothing to do");
    ensure_files(args.concurrency + 1)?;
    let target = Target::new(args.target)?;
    let mut hub = connect(&target, 0).await?;
    // Who has not asked for the roster is not told of subscriptions (RFC 6121 §3.1.6).
    hub.friends().await?;
    hub.appear().await?;
    let account: Arc<str> = hub.account().into();
    let (there, coming) = mpsc::unbounded_channel();
    let contacts = gather(args.contacts, args.concurrency, |n| {
        agree(target.clone(), n + 1, account.clone(), there.clone())
    });
    tokio::select! {
        done = contacts => { done?; }
        broken = ask_all(&mut hub, coming) => broken?,
    }
    let friends = hub.friends().await?;
    ensure!(friends == args.contacts, "{friends} of {} are friends", args.contacts);
    hub.close().await?;
    Outcome::passed(&Figures { workload: "befriend", contacts: args.contacts })
}

/// The first account asks who is there, and agrees to who asks it. Does not end by itself.
async fn ask_all(hub: &mut Session, mut coming: mpsc::UnboundedReceiver<String>) -> Result<()> {
    loop {
        tokio::select! {
            account = coming.recv() => {
                let account = account.context("nobody comes any more")?;
                hub.post(presence("subscribe", &account).as_bytes());
            }
            stanza = hub.stanza() => {
                let stanza = stanza.context("the first account")?;
                ensure!(stanza.head.type_str() != "error", "refused: {}", stanza.to_text());
                if is_presence(&stanza, "subscribe") && let Some(from) = &stanza.head.from {
                    hub.post(presence("subscribed", from.as_str()).as_bytes());
                }
            }
        }
    }
}

/// A contact tells that it is there, agrees, asks, and is agreed to.
async fn agree(
    target: Target,
    index: usize,
    hub: Arc<str>,
    there: mpsc::UnboundedSender<String>,
) -> Result<()> {
    let mut session = connect(&target, index).await?;
    if session.friends().await? > 0 {
        return session.close().await;
    }
    session.appear().await?;
    there.send(session.account().to_owned())?;
    let is_friend = async {
        loop {
            let stanza = session.stanza().await?;
            ensure!(stanza.head.type_str() != "error", "refused: {}", stanza.to_text());
            if is_presence(&stanza, "subscribe") {
                session.post(presence("subscribed", &hub).as_bytes());
                session.post(presence("subscribe", &hub).as_bytes());
            }
            if is_presence(&stanza, "subscribed") {
                return Ok(());
            }
        }
    };
    let is_friend = timeout(PATIENCE, is_friend).await;
    is_friend.with_context(|| format!("contact {index} is not agreed to"))??;
    session.close().await
}

fn presence(kind: &str, to: &str) -> String {
    format!("<presence type='{kind}' to='{to}'/>")
}

fn is_presence(stanza: &Stanza, kind: &str) -> bool {
    stanza.kind() == Kind::Presence && stanza.head.type_str() == kind
}
