//! The whole: what is started, and how it stops.

use crate::{
    arrival::Port,
    bosh::Sessions,
    certificates::Sources,
    clock::Clock,
    control, guests,
    hashing::Hashing,
    housekeeping,
    http::{self, Pages, Web},
    indexing,
    keeper::Keeper,
    limits::{HTTP_RESERVE_CONNECTIONS, Limits},
    listen::{self, Gate},
    logins::Logins,
    meters::Meters,
    operator::Operator,
    post::Post,
    proxied::Network,
    registrar::Accounts,
    revival, shard,
    shell::Shell,
    throttle::Throttle,
    tls::Tls,
    turnstile::Turnstile,
    writer::{self, Queue},
};
use engine::{
    hooks::Hooks,
    port::{Cluster, Fault, Store},
    settings::Settings,
    shard::Input,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::{Semaphore, watch},
    task::JoinSet,
};

/// What a server is made of.
pub struct Parts {
    /// The engine's part of the settings.
    pub settings: Settings,
    /// The shell's.
    pub limits: Limits,
    /// What the XEPs hung where.
    pub hooks: Hooks,
    /// Open, and ours.
    pub store: Arc<dyn Store>,
    /// Homes, and the way between them.
    pub cluster: Arc<dyn Cluster>,
    /// What the cluster delivers to on this node.
    pub post: Arc<Post>,
    /// Towards clients.
    pub tls: Tls,
    /// Of the certificates in it.
    pub keeper: Keeper,
    /// What HTTP serves.
    pub pages: Pages,
    /// Load balancers, who say by the PROXY protocol for whom they speak.
    pub proxies: Vec<Network>,
}

/// Bound sockets.
pub struct Listeners {
    /// Clients, STARTTLS.
    pub c2s: Vec<TcpListener>,
    /// Clients, TLS from the first byte.
    pub c2s_tls: Vec<TcpListener>,
    /// HTTP in the clear.
    pub http: Vec<TcpListener>,
    /// HTTP under TLS, and clients who ask for XMPP there.
    pub https: Vec<TcpListener>,
    /// The operator.
    pub control: UnixListener,
}

/// A server that runs.
pub struct Server {
    shell: Arc<Shell>,
    store: Arc<dyn Store>,
    stopping: watch::Sender<bool>,
    sources: watch::Sender<Sources>,
    accepting: JoinSet<()>,
    /// The writer and the shards: none of them ends while all is well.
    core: JoinSet<()>,
}

impl Server {
    /// Starts all tasks.
    ///
    /// # Errors
    /// The store is away.
    pub async fn start(parts: Parts, listeners: Listeners) -> Result<Self, Fault> {
        let Parts { settings, limits, hooks, store, cluster, post, tls, keeper, pages, proxies } =
            parts;
        let (meters, clock, queue) = (Arc::new(Meters::new()), Clock::start(), Queue::default());
        let last = store.last().await?;
        let left = guests::left(&*store, &settings.domains).await?;
        let (kept, host_of_all) = (store.clone(), settings.domains[0].clone());
        let synced = store.clone();
        let host = writer::Host {
            store: store.clone(),
            queue: queue.clone(),
            clock,
            post: post.clone(),
            meters: meters.clone(),
        };
        let mut core = JoinSet::new();
        core.spawn(host.run(last, limits));
        let hashing = Hashing::new(&limits, settings.passwords);
        let accounts = Accounts::new(store.clone(), queue.clone(), hashing, post.clone());
        let operator = Operator::new(settings, hooks, accounts);
        let shell = Arc::new(Shell {
            clock,
            settings: operator.settings.clone(),
            hooks: operator.hooks.clone(),
            limits,
            store: store.clone(),
            cluster,
            post,
            tls,
            gate: Gate::new(limits),
            reserve: Gate::new(Limits { connections_max: HTTP_RESERVE_CONNECTIONS, ..limits }),
            bosh: Sessions::new(limits),
            proxies,
            logins: Logins::new(&limits),
            meters,
            turnstile: Turnstile::default(),
            reads: Semaphore::new(limits.reads_max),
            hashing: operator.accounts.hashing.clone(),
            accounts: operator.accounts.clone(),
            guests: Throttle::default(),
        });
        guests::expire_all(&shell.accounts, left);
        for number in 0..shell.post.shards() {
            core.spawn(shard::run(shell.clone(), number, queue.clone()));
        }
        let (stopping, stop) = watch::channel(false);
        let keeping = housekeeping::run((kept, queue.clone()), host_of_all, limits, stop.clone());
        tokio::spawn(keeping);
        let web = Web::new(shell.clone(), queue, pages);
        let (accepting, control) = accept(listeners, &web, &stop);
        tokio::spawn(indexing::run(shell.clone(), store.clone(), stop.clone()));
        tokio::spawn(revival::revive_all(shell.clone(), store, stop.clone()));
        tokio::spawn(http::settle(shell.clone()));
        let (sources, told) = watch::channel(keeper.sources().clone());
        tokio::spawn(keeper.run(shell.tls.clone(), shell.meters.clone(), told, stop.clone()));
        tokio::spawn(control::serve(control, operator, stop));
        Ok(Self { shell, store: synced, stopping, sources, accepting, core })
    }

    /// Swaps the engine's part of the settings.
    pub fn reload(&self, settings: Settings) {
        self.shell.settings.store(Arc::new(settings));
    }

    /// Reads all certificates again, from these files.
    pub fn reload_certificates(&self, sources: Sources) {
        self.sources.send_replace(sources);
    }

    /// Ends when the process must: the store belongs to another one or does not sync, or a task
    /// that all depend on has panicked.
    pub async fn broken(&mut self) {
        self.core.join_next().await;
    }

    /// Stops: no new connections, `system-shutdown` to every stream, then whatever is under way
    /// becomes durable. Returns whether all was done within `shutdown_ms_max`.
    pub async fn stop(mut self) -> bool {
        let time = Duration::from_millis(self.shell.limits.shutdown_ms_max);
        self.stopping.send_replace(true);
        let done = async {
            while self.accepting.join_next().await.is_some() {}
            self.shell.post.mailboxes.shutdown();
            self.shell.bosh.empty().await;
            self.shell.gate.empty().await;
            // Web servers beside us have come by it, and last words of BOSH may be on their way.
            self.shell.reserve.empty().await;
            self.shell.post.work().quiet().await;
            self.shell.post.tell_all(|| Input::Note);
            self.shell.post.work().quiet().await;
            let synced = self.store.sync().await;
            if let Err(fault) = &synced {
                tracing::warn!(%fault, "what was committed last may not be on disk yet");
            }
            synced.is_ok()
        };
        tokio::time::timeout(time, done).await == Ok(true)
    }
}

/// Takes connections at all ports until the server stops. Gives back the operator's socket.
fn accept(
    listeners: Listeners,
    web: &Arc<Web>,
    stop: &watch::Receiver<bool>,
) -> (JoinSet<()>, UnixListener) {
    let Listeners { c2s, c2s_tls, http, https, control } = listeners;
    let mut accepting = JoinSet::new();
    for (sockets, port) in
        [(c2s, Port::StartTls), (c2s_tls, Port::Tls), (http, Port::Http), (https, Port::Https)]
    {
        for socket in sockets {
            accepting.spawn(listen::accept(socket, port, web.clone(), stop.clone()));
        }
    }
    (accepting, control)
}
