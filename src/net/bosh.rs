//! Sessions of BOSH (XEP-0124): between the requests that HTTP brings and the task that drives a
//! session's stream stands a [`Line`], as a socket stands between a peer and its task.

use crate::{
    limits::Limits,
    listen::{Gate, Pass},
    shell::Shell,
};
use engine::{
    ctx::{Ctx, Moment},
    stream::bosh::{Answer, Bosh, Condition, Heard, Reply, Ticket},
    wire::{self, Body},
};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};
use tokio::sync::oneshot;

/// All sessions, by their names, which only their clients know.
pub(crate) struct Sessions {
    lines: Mutex<HashMap<String, Arc<Line>>>,
    /// How many there are, altogether and from each address.
    gate: Arc<Gate>,
}

/// One session, seen from both sides.
pub(crate) struct Line {
    shell: Arc<Shell>,
    /// It has begun under TLS of ours, and goes on so (XEP-0124 §19.1).
    pub(crate) secure: bool,
    inner: Mutex<Inner>,
}

struct Inner {
    bosh: Bosh,
    /// What a wrapper may hold.
    limits: wire::Limits,
    /// HTTP requests that wait for their responses.
    waiting: HashMap<Ticket, oneshot::Sender<Reply>>,
    tickets: Ticket,
    /// The task that drives the stream.
    waker: Option<Waker>,
}

/// An HTTP request that waits. Dropped before, its connection is lost.
pub(crate) struct Wait {
    line: Arc<Line>,
    ticket: Ticket,
    reply: oneshot::Receiver<Reply>,
}

impl Sessions {
    pub(crate) fn new(limits: Limits) -> Self {
        let gate = Gate::new(Limits {
            connections_max: limits.bosh_sessions_max,
            connections_per_address_max: limits.bosh_sessions_per_address_max,
            ..limits
        });
        Self { lines: Mutex::default(), gate }
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<String, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of this name.
    pub(crate) fn find(&self, sid: &str) -> Option<Arc<Line>> {
        self.lines().get(sid).cloned()
    }

    /// Lets one begin.
    ///
    /// # Errors
    /// The limit that is reached.
    pub(crate) fn admit(&self, address: IpAddr) -> Result<Pass, &'static str> {
        self.gate.admit(address).map_err(|limit| match limit {
            "connections_max" => "bosh_sessions_max",
            "connections_per_address_max" => "bosh_sessions_per_address_max",
            other => other,
        })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.gate.count()
    }

    /// Waits until there are none.
    pub(crate) async fn empty(&self) {
        self.gate.empty().await;
    }
}

impl Line {
    /// A session that its first request begins; that request waits for its response.
    ///
    /// # Errors
    /// What it is answered instead.
    pub(crate) fn begin(
        shell: &Arc<Shell>,
        secure: bool,
        body: Body,
    ) -> Result<(Arc<Self>, Wait), Reply> {
        let bosh = shell.with_ctx(|ctx| Bosh::begin(ctx, body, 0))?;
        let (sender, reply) = oneshot::channel();
        let inner = Inner {
            limits: shell.settings.load().limits.before_auth,
            waiting: [(0, sender)].into(),
            tickets: 0,
            waker: None,
            bosh,
        };
        let sid = inner.bosh.sid().to_owned();
        let line = Arc::new(Self { shell: shell.clone(), secure, inner: Mutex::new(inner) });
        shell.bosh.lines().insert(sid, line.clone());
        Ok((line.clone(), Wait { line, ticket: 0, reply }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it is held.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, call: impl FnOnce(&mut Inner, &Ctx<'_>, &mut Vec<Answer>) -> T) -> T {
        let mut inner = self.lock();
        let mut answers = Vec::new();
        let done = self.shell.with_ctx(|ctx| call(&mut inner, ctx, &mut answers));
        for Answer { ticket, reply } in answers {
            if let Some(sender) = inner.waiting.remove(&ticket) {
                // Whoever waited may just have gone: then the response is kept for it.
                drop(sender.send(reply));
            }
        }
        done
    }
}

/// Towards HTTP.
impl Line {
    /// A request of this session has come, or something that is none.
    pub(crate) fn request(self: &Arc<Self>, body: Result<Body, Condition>) -> Wait {
        let (sender, reply) = oneshot::channel();
        let ticket = self.with(|inner, ctx, answers| {
            inner.tickets += 1;
            let ticket = inner.tickets;
            inner.waiting.insert(ticket, sender);
            match body {
                Ok(body) => inner.bosh.request(ctx, body, ticket, answers),
                Err(condition) => inner.bosh.broken(condition, ticket, answers),
            }
            ticket
        });
        self.rouse();
        Wait { line: self.clone(), ticket, reply }
    }

    /// What a wrapper may hold.
    pub(crate) fn limits(&self) -> wire::Limits {
        self.lock().limits
    }

    /// What `Content-Type` its responses must have.
    pub(crate) fn content_type(&self) -> Option<String> {
        self.lock().bosh.content_type().map(str::to_owned)
    }

    /// The stream's task has to look.
    fn rouse(&self) {
        let waker = self.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Towards the stream's task.
impl Line {
    /// Who is to be woken when anything comes.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        let mut inner = self.lock();
        match &inner.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => inner.waker = Some(cx.waker().clone()),
        }
    }

    /// What the stream hears next; `None` when the session is over. The next wrapper may hold
    /// this.
    pub(crate) fn poll_take(&self, limits: wire::Limits) -> Poll<Option<Heard>> {
        self.with(|inner, ctx, answers| {
            inner.limits = limits;
            match inner.bosh.take(ctx, answers) {
                None if !inner.bosh.is_over() => Poll::Pending,
                heard => Poll::Ready(heard),
            }
        })
    }

    /// The stream says these elements.
    pub(crate) fn say(&self, bytes: &[u8], ends: &[usize]) {
        let mut start = 0;
        self.with(|inner, ctx, answers| {
            for &end in ends {
                let element = std::str::from_utf8(&bytes[start..end]);
                element.into_iter().for_each(|element| inner.bosh.say(ctx, element, answers));
                start = end;
            }
        });
    }

    /// The stream has ended. Ready when the client knows, or has gone.
    pub(crate) fn poll_end(&self) -> Poll<()> {
        self.with(|inner, ctx, answers| {
            inner.bosh.end(ctx, answers);
            if inner.bosh.is_over() { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    /// So much waits for the client that no more is made for it.
    pub(crate) fn is_full(&self) -> bool {
        self.lock().bosh.is_full()
    }

    /// No request of the client's is there, and it need not be: what is said waits for one.
    pub(crate) fn is_away(&self) -> bool {
        let inner = self.lock();
        !inner.bosh.is_held() && !inner.bosh.is_over()
    }

    /// When `tick` is wanted.
    pub(crate) fn wake(&self) -> Option<Moment> {
        self.lock().bosh.wake()
    }

    /// That moment has come.
    pub(crate) fn tick(&self) {
        self.with(|inner, ctx, answers| inner.bosh.tick(ctx, answers));
    }

    /// Its task is gone: nobody finds it any more, and whoever waits hears that it is over.
    pub(crate) fn close(&self) {
        let sid = self.with(|inner, _, answers| {
            inner.bosh.cut(answers);
            inner.bosh.sid().to_owned()
        });
        self.shell.bosh.lines().remove(&sid);
    }
}

impl Wait {
    /// The response, and what `Content-Type` it must have.
    pub(crate) async fn reply(mut self) -> (Reply, Option<String>) {
        let reply = (&mut self.reply).await;
        // Every request is answered; that its sender is dropped cannot be.
        let over = |_| Reply::terminal(Condition::ItemNotFound, false);
        (reply.unwrap_or_else(over), self.line.content_type())
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let waited = self.line.with(|inner, ctx, _| {
            let waited = inner.waiting.remove(&self.ticket).is_some();
            if waited {
                inner.bosh.lost(ctx, self.ticket);
            }
            waited
        });
        if waited {
            self.line.rouse();
        }
    }
}
