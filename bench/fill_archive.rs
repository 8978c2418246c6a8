//! Workload `fill-archive`: messages for `mam`, said from one account to another as fast as the
//! server takes them. So any server can be filled, in the way in which it fills.

use std::future::poll_fn;
use std::task::Poll;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use std::time::Duration;
use tokio::time::timeout;
use wire::Stanza;

use crate::archive::expect_newest;
use crate::connect::connect;
use crate::message::{Composer, Mark, new_run};
use crate::meter::rounded;
use crate::order::Order;
use crate::outcome::Outcome;
use crate::session::Session;
use crate::target::{Target, TargetArgs};

/// How long nothing may arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// Options of `fill-archive`.
#[derive(Args)]
pub struct FillArchiveArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// Whose archives: the accounts of this pair, which must be empty
    #[arg(long, default_value_t = 1)]
    pair: usize,
    /// How many messages
    #[arg(long, default_value_t = 100_000)]
    rows: u64,
    /// How many are under way at most
    #[arg(long, default_value_t = 64)]
    window: u64,
    /// Bytes of a body (at least 57: the mark that each carries)
    #[arg(long, default_value_t = 100)]
    body_bytes: usize,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    rows: u64,
    rows_per_s: f64,
}

/// Says them all, and looks whether both archives have the last one.
///
/// # Errors
/// When one is lost, doubled, disordered, or not archived.
pub async fn run(args: FillArchiveArgs) -> Result<Outcome> {
    ensure!(args.pair > 0 && args.rows > 0 && args.window > 0, "nothing to do");
    let target = Target::new(args.target)?;
    let mut sender = connect(&target, 2 * (args.pair - 1)).await?;
    let mut receiver = connect(&target, 2 * (args.pair - 1) + 1).await?;
    receiver.appear().await?;
    let composer = Composer::new(receiver.account(), args.body_bytes);
    let mut talk = Talk { run: new_run()?, sent: 0, order: Order::default() };
    let begun = std::time::Instant::now();
    while talk.order.received() < args.rows {
        while talk.sent < args.rows.min(talk.order.received() + args.window) {
            talk.say(&mut sender, &composer, begun.elapsed());
        }
        let heard = timeout(PATIENCE, talk.hear(&mut sender, &mut receiver)).await;
        heard.context("nothing arrives any more").flatten()?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(talk.order.verdict(talk.sent).is_clean(), "something came twice, or out of order");
    for session in [&mut sender, &mut receiver] {
        expect_newest(session, talk.run, args.rows - 1).await?;
    }
    sender.close().await?;
    receiver.close().await?;
    Outcome::passed(&Figures {
        workload: "fill-archive",
        rows: args.rows,
        rows_per_s: rounded(args.rows as f64 / seconds),
    })
}

/// What comes back to the sender must not be an error.
fn accepted(stanza: &Stanza) -> Result<()> {
    ensure!(stanza.head.type_str() != "error", "refused: {}", stanza.to_text());
    Ok(())
}

struct Talk {
    run: u32,
    sent: u64,
    order: Order,
}

impl Talk {
    fn say(&mut self, sender: &mut Session, composer: &Composer, at: Duration) {
        let sent_us = at.as_micros() as u64;
        let mark = Mark { run: self.run, pair: 0, sequence: self.sent, sent_us };
        sender.compose(|output| composer.write(mark, output));
        self.sent += 1;
    }

    /// Moves bytes both ways; returns when anything has arrived.
    async fn hear(&mut self, sender: &mut Session, receiver: &mut Session) -> Result<()> {
        poll_fn(|cx| {
            if let Poll::Ready(stanza) = sender.poll_stanza(cx) {
                return Poll::Ready(stanza.and_then(|stanza| accepted(&stanza)));
            }
            let mut arrived = false;
            while let Poll::Ready(stanza) = receiver.poll_stanza(cx) {
                let mark = Mark::of(&stanza?).filter(|mark| mark.run == self.run);
                if let Some(mark) = mark {
                    self.order.arrived(mark.sequence, self.sent);
                }
                arrived = true;
            }
            if arrived { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }
}
