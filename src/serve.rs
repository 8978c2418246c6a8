//! `waxwing serve`: from the settings to the last goodbye.

use crate::{logs, open_store, settings::Settings, user};
use anyhow::{Context, bail};
use engine::{
    hooks::Hooks,
    port::Store,
    settings::{Passwords, Settings as EngineSettings, Storage},
};
use net::{
    ClientCertificates, Keeper, Limits, Listeners, Parts, Post, Server, Tls, control, listen,
};
use std::{
    io::{Write, stdout},
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::Instant,
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

/// Serves until a signal, or until the store is taken away.
///
/// # Errors
/// It cannot begin, or must not go on: in one line for the operator.
pub async fn run(settings: Settings, named: Option<&Path>, begun: Instant) -> anyhow::Result<()> {
    let level = logs::start(&settings)?;
    let mut signals = Signals::new()?;
    let limits = within_files(settings.shell);
    settings.make_data()?;
    let keeper = Keeper::begin(settings.certificates()).context("no certificate can be served")?;
    let tls = Tls::new(keeper.certificates(), clients(&settings)?).context("TLS")?;
    let sockets = Sockets::bind(&settings)?;
    let store = open_store(&settings).await?;
    let secret = store.secret(net::seed()).await?;
    let passwords = passwords(&*store, &settings).await?;
    let path = settings.control();
    if user::serves(&settings).await? {
        bail!("another server runs with the data folder {}", settings.data.display());
    }
    let control = control::bind(&path).with_context(|| path.display().to_string())?;
    let post = Post::new(limits, std::thread::available_parallelism()?.get());
    let parts = Parts {
        settings: EngineSettings { passwords, ..settings.engine(secret) },
        limits,
        hooks: Hooks::of(crate::XEPS),
        store,
        cluster: Arc::new(crate::cluster(post.clone())),
        post,
        tls,
        keeper,
        pages: settings.pages.clone(),
        proxies: settings.listen.proxies.clone(),
    };
    let told = sockets.told(&settings)?;
    let Sockets { c2s, c2s_tls, http, https } = sockets;
    let listeners = Listeners { c2s, c2s_tls, http, https, control };
    let mut server = Server::start(parts, listeners).await?;
    greet(&told, begun)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "serving");
    warn_of(&settings.listen.unserved);
    let reload = Reload { named, level, secret, passwords };
    loop {
        tokio::select! {
            said = signals.next() => match said {
                Said::Reload => reload.all(&settings, &server),
                Said::Stop(signal) => {
                    tracing::info!(signal, "stopping");
                    break;
                }
            },
            () = server.broken() => {
                bail!("the store may not be written to any more, or a task has panicked");
            }
        }
    }
    let done = server.stop().await;
    drop(std::fs::remove_file(&path));
    match done {
        true => tracing::info!("stopped"),
        false => tracing::warn!("stopped; not all streams or units ended within the deadline"),
    }
    Ok(())
}

/// How passwords are kept, here and by the settings before these.
async fn passwords(store: &dyn Store, settings: &Settings) -> anyhow::Result<Passwords> {
    let passwords = Passwords { mixed: store.keeps_argon2id().await?, ..settings.passwords };
    if passwords.mixed && passwords.storage == Storage::Scram {
        tracing::warn!("accounts kept by argon2id log in by PLAIN only, until a password is set");
    }
    Ok(passwords)
}

fn warn_of(unserved: &[&str]) {
    for key in unserved {
        tracing::warn!(setting = format!("listen.{key}"), "is set, but not served by this version");
    }
}

/// Who vouches for certificates of clients.
fn clients(settings: &Settings) -> anyhow::Result<Option<ClientCertificates>> {
    let file = settings.client_certificates.as_deref();
    let clients = file.map(ClientCertificates::trusted_by).transpose();
    clients.map_err(anyhow::Error::msg).context("auth.client_certificates")
}

/// What the system says.
enum Said {
    Reload,
    Stop(&'static str),
}

/// The signals that are heard.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Said {
        tokio::select! {
            _ = self.terminate.recv() => Said::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Said::Stop("SIGINT"),
            _ = self.hangup.recv() => Said::Reload,
        }
    }
}

struct Sockets {
    c2s: Vec<TcpListener>,
    c2s_tls: Vec<TcpListener>,
    http: Vec<TcpListener>,
    https: Vec<TcpListener>,
}

impl Sockets {
    fn bind(settings: &Settings) -> Result<Self, listen::Taken> {
        let listen = &settings.listen;
        Ok(Self {
            c2s: listen::bind("listen.c2s", &listen.c2s)?,
            c2s_tls: listen::bind("listen.c2s_tls", &listen.c2s_tls)?,
            http: listen::bind("listen.http", &listen.http)?,
            https: listen::bind("listen.https", &listen.https)?,
        })
    }

    /// What a person who has just started it wants to know.
    fn told(&self, settings: &Settings) -> anyhow::Result<String> {
        let addresses = |sockets: &[TcpListener]| -> std::io::Result<String> {
            let all = sockets.iter().map(TcpListener::local_addr);
            let all: Vec<SocketAddr> = all.collect::<Result<_, _>>()?;
            Ok(all.iter().map(|address| format!("  {address}")).collect())
        };
        let domains: Vec<_> = settings.domains.iter().map(ToString::to_string).collect();
        let first = &domains[0];
        let mut told =
            format!("waxwing {} for {}\n", env!("CARGO_PKG_VERSION"), domains.join(", "));
        for (name, sockets) in [
            ("clients, STARTTLS   ", &self.c2s),
            ("clients, direct TLS ", &self.c2s_tls),
            ("http                ", &self.http),
            ("https               ", &self.https),
        ] {
            if !sockets.is_empty() {
                told += &format!("{name}{}\n", addresses(sockets)?);
            }
        }
        told += &format!("store                 {}\n", settings.store.shown());
        told += &format!("add an account        waxwing user add juliet@{first}\n");
        Ok(told)
    }
}

fn greet(told: &str, begun: Instant) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{told}ready in {} ms", begun.elapsed().as_millis())?;
    Ok(out.flush()?)
}

/// Each connection is a file to the system. What else needs files, the store above all, must
/// never find that clients have taken the last.
fn within_files(limits: Limits) -> Limits {
    const OTHER_FILES: usize = 256;
    let wanted = limits.connections_max.saturating_add(OTHER_FILES);
    let files = match rlimit::increase_nofile_limit(u64::try_from(wanted).unwrap_or(u64::MAX)) {
        Ok(files) => usize::try_from(files).unwrap_or(usize::MAX),
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be raised");
            return limits;
        }
    };
    if files >= wanted {
        return limits;
    }
    let connections_max = files.saturating_sub(OTHER_FILES).max(files / 2);
    tracing::warn!(files, wanted, connections_max, "so few open files are allowed");
    Limits { connections_max, ..limits }
}

/// What SIGHUP does.
struct Reload<'a> {
    named: Option<&'a Path>,
    level: logs::Level,
    secret: [u8; 32],
    passwords: Passwords,
}

impl Reload<'_> {
    fn all(&self, old: &Settings, server: &Server) {
        let fitting = |new: Settings| {
            new.fits(&old.shell).context("until the next start mailboxes are as they are")?;
            Ok(new)
        };
        let new = match Settings::load(self.named).and_then(fitting) {
            Ok(new) => new,
            Err(error) => {
                let error = format!("{error:#}");
                return tracing::error!(error, "SIGHUP: nothing changed, the settings are wrong");
            }
        };
        // The domains and the folder are those that it has begun with.
        server.reload_certificates(new.tls.sources(&old.domains, &old.data));
        if let Err(error) = self.level.swap(&new) {
            let error = format!("{error:#}");
            tracing::error!(error, "SIGHUP: the old log.level stays");
        }
        let (domains, anonymous) = (old.domains.clone(), old.anonymous.clone());
        let services = old.engine(self.secret).services;
        let (passwords, new_ones) = (self.passwords, new.engine(self.secret));
        let settings = EngineSettings { domains, anonymous, services, passwords, ..new_ones };
        server.reload(settings);
        for name in old.fixed(&new) {
            tracing::warn!(name, "SIGHUP: takes effect at the next start only");
        }
        tracing::info!("SIGHUP: server.admins, log.level and limits of streams were read again");
    }
}
