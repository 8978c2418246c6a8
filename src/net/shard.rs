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
use std::{
    collections::VecDeque,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// How long a turn takes, behind which others have theirs. Most inputs take some microseconds; to
/// find out what one is shown who comes to a thousand takes some milliseconds. What is caused in
/// it wakes fewer tasks than tokio's queue of a core holds, which are 256: what is too much for it
/// is moved to where all cores look, and stands before who was ready first.
const TURN: Duration = Duration::from_micros(500);
/// Inputs of a turn, at most: what these cause here is handled in it, too, so that a socket is told
/// all of it at once, and a message does not wait at each of its stations.
const TURN_INPUTS: usize = 64;
/// How long who has gone on waits for its next turn, at most, while what has come before waits,
/// what it said itself among that: so the inbox does not fill with what ten rooms tell thousands.
const GOES_ON: Duration = Duration::from_millis(10);
/// Inputs from which on threads outside the runtime have their turn behind one in which somebody
/// has gone on, as a room does that tells thousands: where there is one core for all, who has the
/// database would be kept waiting until the system takes that away, some milliseconds later.
const SLICE_INPUTS: usize = 32;

/// Hosts the shard of this number until the process ends.
pub(crate) async fn run(shell: Arc<Shell>, number: usize, writer: Queue) {
    let (shard, inputs, outputs) = Default::default();
    let ticked = Instant::now();
    let mut host =
        Host { shell, number, writer, shard, inputs, outputs, ticked, is_due: false, tells: false };
    loop {
        host.wait().await;
        if host.turn() {
            thread::yield_now();
        }
        // Inboxes are not sockets: the runtime does not make us give way on its own.
        give_way().await;
    }
}

struct Host {
    shell: Arc<Shell>,
    number: usize,
    writer: Queue,
    shard: Shard,
    /// Taken from the inbox. What is left behind a turn is handled in the next.
    inputs: VecDeque<Input>,
    /// Empty between two calls; kept for its room.
    outputs: Vec<Output>,
    /// When who wants to come back did so last.
    ticked: Instant,
    /// Whether somebody wants to, behind a turn: that is work that is under way.
    is_due: bool,
    /// Whether those who did had anything to say. Else they come back by the clock, a millisecond
    /// later.
    tells: bool,
}

impl Host {
    /// Until there is something to do.
    async fn wait(&mut self) {
        let Self { shell, number, shard, inputs, .. } = self;
        if inputs.is_empty() && !(self.is_due && self.tells) {
            tokio::select! {
                () = shell.post.take(*number, inputs, TURN_INPUTS) => {}
                () = shell.clock.reaches(shard.wakes()) => {}
            }
        }
    }

    /// Handles what there is, until others have their turn; returns whether that was a slice of
    /// something longer.
    fn turn(&mut self) -> bool {
        // A room that goes on telling one has its part, and who hears that.
        self.shell.post.take_now(self.number, &mut self.inputs, TURN_INPUTS);
        let goes_on = self.is_due() && self.may_go_on();
        if goes_on {
            self.tick();
        }
        let until = Instant::now() + TURN;
        let mut handled = 0;
        loop {
            self.shell.post.take_now(self.number, &mut self.inputs, TURN_INPUTS - handled);
            if self.inputs.is_empty() {
                break;
            }
            handled += self.handle(until);
            if !self.inputs.is_empty() || Instant::now() >= until {
                break;
            }
        }
        let is_due = self.is_due();
        match (is_due, std::mem::replace(&mut self.is_due, is_due)) {
            (true, false) => self.shell.post.work().begin(),
            (false, true) => self.shell.post.work().done(),
            _ => {}
        }
        goes_on && handled >= SLICE_INPUTS
    }

    /// Whether somebody wants to come back now.
    fn is_due(&self) -> bool {
        self.shard.wakes().is_some_and(|at| at <= self.shell.clock.now())
    }

    /// Whether it may, though others wait.
    fn may_go_on(&self) -> bool {
        self.inputs.len() < TURN_INPUTS || self.ticked.elapsed() >= GOES_ON
    }

    /// Handles what has been taken, one at least, until then.
    fn handle(&mut self, until: Instant) -> usize {
        let Self { shell, writer, shard, inputs, outputs, .. } = self;
        let before = inputs.len();
        shell.with_ctx(|ctx| {
            while let Some(input) = inputs.pop_front() {
                shard.handle(ctx, input, outputs);
                outputs.drain(..).for_each(|output| execute(shell, writer, output));
                shell.post.work().done();
                if Instant::now() >= until {
                    break;
                }
            }
        });
        before - inputs.len()
    }

    fn tick(&mut self) {
        let Self { shell, writer, shard, outputs, .. } = self;
        self.ticked = Instant::now();
        shell.with_ctx(|ctx| shard.handle(ctx, Input::Tick, outputs));
        self.tells = !outputs.is_empty();
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
