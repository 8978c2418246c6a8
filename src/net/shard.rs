//! One task per core, hosting a shard: inputs in, and what it causes carried out.

use crate::{
    guests,
    shell::Shell,
    turnstile::give_way,
    writer::{Queue, Token},
};
use engine::{
    account::Look,
    parcel::Parcel,
    shard::{Input, Output, Shard, WorldAnswer},
    wire::{Bare, Stanza},
};
use std::sync::Arc;

/// Inputs that are handled at one time by the clock.
const MOMENT_INPUTS: usize = 64;
/// Inputs from which on others have their turn. Until then what these cause here is handled, too:
/// so a socket is told all of it at once, and a message does not wait at each of its stations.
const TURN_INPUTS: usize = 512;

/// Hosts the shard of this number until the process ends.
pub(crate) async fn run(shell: Arc<Shell>, number: usize, writer: Queue) {
    let mut host = Host { shell, writer, shard: Shard::default(), outputs: Vec::new() };
    let mut inputs = Vec::new();
    loop {
        tokio::select! {
            () = host.shell.post.take(number, &mut inputs) => {}
            () = host.shell.clock.reaches(host.shard.wakes()) => host.tick(),
        }
        let mut handled = 0;
        while !inputs.is_empty() {
            handled += inputs.len();
            host.handle(&mut inputs);
            if handled < TURN_INPUTS {
                host.shell.post.take_now(number, &mut inputs);
            }
        }
        // Inboxes are not sockets: the runtime does not make us give way on its own.
        give_way().await;
    }
}

struct Host {
    shell: Arc<Shell>,
    writer: Queue,
    shard: Shard,
    /// Empty between two calls; kept for its room.
    outputs: Vec<Output>,
}

impl Host {
    fn handle(&mut self, inputs: &mut Vec<Input>) {
        let Self { shell, writer, shard, outputs } = self;
        let mut inputs = inputs.drain(..);
        while inputs.len() > 0 {
            shell.with_ctx(|ctx| {
                for input in inputs.by_ref().take(MOMENT_INPUTS) {
                    shard.handle(ctx, input, outputs);
                    outputs.drain(..).for_each(|output| execute(shell, writer, output));
                    shell.post.work().done();
                }
            });
        }
    }

    fn tick(&mut self) {
        let Self { shell, writer, shard, outputs } = self;
        shell.with_ctx(|ctx| shard.handle(ctx, Input::Tick, outputs));
        outputs.drain(..).for_each(|output| execute(shell, writer, output));
    }
}

fn execute(shell: &Arc<Shell>, writer: &Queue, output: Output) {
    match output {
        Output::Parcel(Parcel::ToSocket(link, say)) => {
            carry(shell, link.node, Parcel::ToSocket(link, say));
        }
        Output::Parcel(parcel) => {
            if let Some(home) = parcel.account().map(|of| shell.cluster.home(of)) {
                carry(shell, home, parcel);
            }
        }
        Output::Load(account) => load(shell.clone(), account),
        Output::Commit(account, ticket, unit, recipient) => {
            shell.post.work().begin();
            writer.push(Token::Line(account, ticket, recipient), unit);
        }
        Output::World { account, number, iq, answer } => {
            read(shell.clone(), account, number, iq, answer);
        }
        Output::Look(account, session, look) => read_log(shell.clone(), account, session, look),
        Output::Expire(account) => guests::expire(&shell.accounts, account),
        Output::Departed(account) => {
            shell.post.tell_all(|| Input::Departed(account.clone()));
        }
        Output::Fate(fate) => shell.meters.fate(fate),
        Output::Counted(number, online) => shell.accounts.counts.counted(number, online),
    }
}

fn carry(shell: &Shell, home: engine::port::Node, parcel: Parcel) {
    if let Err(error) = shell.cluster.carry(home, parcel) {
        tracing::warn!(condition = error.condition.as_str(), "a parcel could not be carried");
    }
}

fn load(shell: Arc<Shell>, account: Bare) {
    shell.post.work().begin();
    tokio::spawn(async move {
        let read = shell.reads.acquire().await;
        let loaded = shell.store.load(&account).await;
        drop(read);
        shell.post.tell(&account.clone(), Input::Loaded(account, loaded));
        shell.post.work().done();
    });
}

fn read_log(shell: Arc<Shell>, account: Bare, session: i64, look: Look) {
    shell.post.work().begin();
    tokio::spawn(async move {
        let read = shell.reads.acquire().await;
        let page = shell.store.page(&account, look.after, look.max).await;
        drop(read);
        shell.post.tell(&account.clone(), Input::Seen(account, session, look, page));
        shell.post.work().done();
    });
}

fn read(shell: Arc<Shell>, account: Bare, number: u64, iq: Stanza, answer: WorldAnswer) {
    shell.post.work().begin();
    tokio::spawn(async move {
        let replied = shell.read_world(&account, &iq, answer, None).await;
        shell.post.tell(&account.clone(), Input::Answered(account, number, replied));
        shell.post.work().done();
    });
}
