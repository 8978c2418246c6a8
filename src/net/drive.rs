//! One task per connection: bytes → machine → bytes and parcels. Together with
//! `engine/passage.rs` the place where log lines and metrics are made.

use crate::{
    arrival::Arrived,
    bandwidth::Bandwidth,
    bosh::Line,
    credit::Credit,
    guests,
    listen::Pass,
    mailbox::{Letters, Mailbox, Wants},
    outgoing::Outgoing,
    post::NODE,
    shell::Shell,
    socket::Socket,
    story::Story,
    websocket::Frames,
};
use engine::{
    ctx::Moment,
    parcel::{End, Link, Parcel, Said, Say},
    port::Pending,
    stream::{
        c2s::{C2s, Security},
        machine::{Act, Closed, Fact, Input, Machine, Out, Tls},
    },
    wire::{Bare, Framing, StreamCondition, StreamError},
};
use std::{
    borrow::Cow,
    cell::Cell,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::time::{Sleep, sleep_until};

mod transport;

thread_local! {
    /// What machines write into. Borrowed for one poll, so that no connection owns it.
    static SCRATCH: Cell<Out> = Cell::default();
}

/// How often it is looked in one poll whether there is more to do: what is taken from a mailbox, or
/// read from a socket, at once, comes to a millisecond then.
const TURNS_MAX: usize = 4;

/// A connection. It holds no buffer while nothing is under way.
struct Drive {
    shell: Arc<Shell>,
    link: Link,
    mailbox: Arc<Mailbox>,
    machine: C2s,
    socket: Socket,
    /// What stands between socket and machine, when it is a WebSocket.
    frames: Option<Box<Frames>>,
    /// What stands in the place of a socket, when it is a session of BOSH.
    line: Option<Arc<Line>>,
    outgoing: Outgoing,
    /// Nothing more will come from the peer.
    heard_end: bool,
    credit: Credit,
    bandwidth: Bandwidth,
    asked: Option<Pending<'static, Fact>>,
    /// When the machine wants its tick.
    wake: Option<Moment>,
    /// When the handshake, or the goodbye, must be over.
    deadline: Option<Moment>,
    timer: Option<(Moment, Pin<Box<Sleep>>)>,
    phase: Phase,
    /// An account has heard of this stream and must hear of its end.
    bound: Option<Bare>,
    story: Story,
    pass: Pass,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// As the machine wants it.
    Open,
    /// STARTTLS: what is unsent goes out in the clear, then comes the handshake.
    Upgrading,
    /// What is unsent goes out, then the socket is shut down.
    Flushing,
    /// We have said all; the peer may still be speaking. To close a socket with unread bytes
    /// would reset it, and the peer might never see our last words.
    Lingering,
    /// Nothing is left to do.
    Over,
}

/// How a stream begins.
pub(crate) enum Begins {
    /// In the clear.
    StartTls,
    /// With a TLS handshake.
    Handshake,
    /// Its handshake is done.
    Secured(Tls),
    /// As a WebSocket, of which these bytes have come already.
    WebSocket(Tls, Vec<u8>),
    /// As a session of BOSH.
    Bosh(Tls, Arc<Line>),
}

/// Runs a connection in a task of its own.
pub(crate) fn spawn(shell: &Arc<Shell>, arrived: Arrived, begins: Begins) {
    let Arrived { mut socket, peer, pass, .. } = arrived;
    let (security, framing) = match &begins {
        Begins::StartTls => (Security::Required, Framing::Stream),
        Begins::Handshake | Begins::Secured(_) => (Security::Direct, Framing::Stream),
        Begins::WebSocket(..) | Begins::Bosh(..) => (Security::Direct, Framing::Framed),
    };
    let mut deadline = None;
    let (mut secured, mut frames, mut line) = (None, None, None);
    match begins {
        Begins::StartTls => {}
        Begins::Handshake => {
            socket.secure(&shell.tls.direct, &shell.turnstile);
            deadline = Some(shell.clock.now().after(shell.limits.handshake_ms_max));
        }
        Begins::Secured(tls) => secured = Some(tls),
        Begins::WebSocket(tls, unread) => {
            secured = Some(tls);
            frames = Some(Box::new(Frames::after(unread)));
        }
        Begins::Bosh(tls, begun) => {
            secured = Some(tls);
            line = Some(begun);
        }
    }
    let (number, mailbox) = shell.post.mailboxes.open();
    let mut drive = Drive {
        link: Link { node: NODE, number },
        mailbox,
        machine: shell.with_ctx(|ctx| C2s::new(ctx, security, framing)),
        socket,
        frames,
        line,
        outgoing: Outgoing::default(),
        heard_end: false,
        credit: Credit::default(),
        bandwidth: Bandwidth::default(),
        asked: None,
        wake: None,
        deadline,
        timer: None,
        phase: Phase::Open,
        bound: None,
        story: Story::opened(peer, shell.clock.now()),
        shell: shell.clone(),
        pass,
    };
    // It answers with its first deadline.
    let mut out = Out::default();
    drive.tell(Input::Tick, &mut out);
    if let Some(tls) = secured {
        drive.story.secured(tls.version);
        drive.tell(Input::Secured(tls), &mut out);
    }
    tokio::spawn(drive);
}

impl Future for Drive {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let drive = self.get_mut();
        let mut out = SCRATCH.take();
        let mut turns = 1;
        while drive.turn(cx, &mut out) {
            if turns == TURNS_MAX {
                // Who is told a long list does not keep all others waiting for its end.
                cx.waker().wake_by_ref();
                break;
            }
            turns += 1;
        }
        out.bytes.clear();
        SCRATCH.set(out);
        match drive.phase {
            Phase::Over => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl Drive {
    /// Does what can be done now. Returns whether there may be more: what has told all it had wakes
    /// the task when it has something again, if that is still what it waits for.
    fn turn(&mut self, cx: &mut Context<'_>, out: &mut Out) -> bool {
        if let Some(line) = &self.line {
            line.register(cx);
        }
        let wants = self.wants();
        let mut moved = wants.is_some_and(|wants| self.hear_letters(wants, cx, out));
        moved |= self.hear_fact(cx, out);
        moved |= self.hear_time(cx, out);
        moved |= self.shake_hands(cx, out);
        moved |= self.read(cx, out);
        moved |= self.write(cx, out);
        // Whoever binds may have said so much behind that that its credit is spent by now.
        (moved || self.wants() != wants) && self.phase != Phase::Over
    }

    /// By what of its letters it is to be woken.
    fn wants(&self) -> Option<Wants> {
        match self.phase {
            Phase::Open if self.is_congested() => Some(Wants::Urgent),
            Phase::Open if self.credit.is_spent(&self.shell.limits) => Some(Wants::Settled),
            Phase::Open | Phase::Upgrading => Some(Wants::Letters),
            Phase::Flushing | Phase::Lingering | Phase::Over => None,
        }
    }
}

/// What comes in. Each returns whether more may come at once, or something else may go on now.
impl Drive {
    fn hear_letters(&mut self, wants: Wants, cx: &Context<'_>, out: &mut Out) -> bool {
        let Some(letters) = self.mailbox.take(wants, cx) else { return false };
        let Letters { say, weight, settled, overflow, shutdown, more } = letters;
        self.shell.post.mailboxes.taken(say.len(), weight);
        self.credit.settle(settled);
        for say in say {
            match &say {
                Say::Stanza(stanza) => self.shell.meters.sent(stanza.kind()),
                Say::Bound(jid, _) => self.story.bound(jid),
                Say::Resumed(jid, _) => self.story.resumed(jid),
                _ => {}
            }
            self.tell(Input::Say(say), out);
        }
        if overflow {
            let text = Some(Cow::Borrowed("the client does not read what it is sent"));
            let condition = StreamCondition::ResourceConstraint;
            self.tell(Input::Say(Say::End(StreamError { condition, text, app: None })), out);
        }
        if shutdown {
            self.tell(Input::Shutdown, out);
        }
        more
    }

    fn hear_fact(&mut self, cx: &mut Context<'_>, out: &mut Out) -> bool {
        let Some(asked) = &mut self.asked else { return false };
        let Poll::Ready(fact) = asked.as_mut().poll(cx) else { return false };
        self.asked = None;
        self.tell(Input::Fact(fact), out);
        true
    }

    fn hear_time(&mut self, cx: &mut Context<'_>, out: &mut Out) -> bool {
        let line = self.line.as_ref().and_then(|line| line.wake());
        let bytes_max = self.shell.limits.bytes_per_second_max;
        let waits = self.bandwidth.until(bytes_max);
        let next = self.wake.into_iter().chain(self.deadline).chain(line).chain(waits).min();
        let Some(next) = next else { return false };
        let clock = self.shell.clock;
        // A timer that comes too early is set anew then; most are moved and never come.
        let (at, timer) =
            self.timer.get_or_insert_with(|| (next, Box::pin(sleep_until(clock.instant(next)))));
        if next < *at {
            timer.as_mut().reset(clock.instant(next));
            *at = next;
        }
        if timer.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.timer = None;
        let now = clock.now();
        if let Some(line) = &self.line {
            line.tick();
        }
        self.bandwidth.rest(now, bytes_max);
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.late();
        } else if self.wake.is_some_and(|wake| wake <= now) {
            self.wake = None;
            // How long that may be, BOSH knows, and ends it itself.
            if self.line.as_ref().is_some_and(|line| line.is_away()) {
                self.tell(Input::Alive, out);
            }
            self.tell(Input::Tick, out);
        }
        true
    }

    /// Nothing can be said in the middle of a handshake, or to a peer that did not take what was
    /// said before.
    fn late(&mut self) {
        if let Socket::Handshake(_) = self.socket {
            self.shell.meters.handshake("late");
            self.story.closed(&self.shell, "late", "the TLS handshake took too long");
        }
        self.phase = Phase::Over;
    }
}

/// What the machine does with it.
impl Drive {
    fn tell(&mut self, input: Input<'_>, out: &mut Out) {
        let machine = &mut self.machine;
        self.shell.with_ctx(|ctx| machine.handle(ctx, input, out));
        let mut acts = mem::take(&mut out.acts);
        acts.drain(..).for_each(|act| self.obey(act));
        out.acts = acts;
    }

    fn obey(&mut self, act: Act) {
        match act {
            Act::StartTls => self.phase = Phase::Upgrading,
            Act::Ask(question) => {
                let (attempt, asked) = self.shell.ask(question, self.pass.address());
                self.story.attempts(attempt);
                self.asked = Some(asked);
            }
            Act::Submit(account, said) => self.submit(account, said),
            Act::Impersonates(by, account) => self.story.impersonates(by, &account),
            Act::Tried(mechanism, outcome) => self.story.tried(&self.shell, mechanism, outcome),
            Act::Ping => {
                if let Some(frames) = &mut self.frames {
                    frames.ping();
                }
            }
            Act::Forget(account) => guests::expire(&self.shell.accounts, account),
            Act::Wake(at) => self.wake = Some(at),
            Act::Close(closed) => self.close(closed),
        }
    }

    fn submit(&mut self, account: Bare, said: Said) {
        match &said {
            Said::Stanza(stanza) => {
                self.shell.meters.received(stanza.kind());
                self.credit.spend(stanza.wire_len());
            }
            Said::Bind { .. } | Said::Resume { .. } => self.bound = Some(account.clone()),
            Said::Gone(_) => self.bound = None,
            Said::Nonza(nonza) => self.credit.spend(nonza.as_str().len()),
            Said::Silent => {}
        }
        let cluster = &self.shell.cluster;
        let home = cluster.home(&account);
        let parcel = Parcel::FromSocket(account, self.link, said);
        if let Err(error) = cluster.carry(home, parcel) {
            tracing::warn!(condition = error.condition.as_str(), "an account's home is away");
            let end = Say::End(StreamCondition::InternalServerError.into());
            self.shell.post.mailboxes.push(self.link.number, end);
        }
    }

    fn close(&mut self, closed: Closed) {
        let (kind, why) = match closed {
            Closed::Properly => ("closed", ""),
            Closed::Peer => ("peer", ""),
            Closed::Error(condition, why) => (condition.as_str(), why),
        };
        self.story.closed(&self.shell, kind, why);
        self.shell.post.mailboxes.close(self.link.number);
        self.wake = None;
        self.asked = None;
        let patience = self.shell.settings.load().limits.close_ms_max;
        self.deadline = Some(self.shell.clock.now().after(patience));
        self.phase = match self.socket {
            Socket::Handshake(_) => Phase::Over,
            _ => Phase::Flushing,
        };
    }
}

impl Drop for Drive {
    /// Also when its task is torn down: the account must not keep a session without a stream.
    fn drop(&mut self) {
        self.shell.post.mailboxes.close(self.link.number);
        if let Some(line) = &self.line {
            line.close();
        }
        if let Some(account) = self.bound.take() {
            self.submit(account, Said::Gone(End::Broken));
        }
    }
}
