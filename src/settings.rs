//! What the operator chose, from plain values to what the rings want.

use crate::{
    settings_auth::{self, Tokens},
    settings_limits,
    settings_tls::Certificates,
    settings_values::{Values, Wrong},
    settings_xeps::Chosen,
};
use anyhow::{Context, bail};
use engine::{hooks::Hooks, settings::Passwords, wire::Bare};
use net::certificates::Sources;
use net::{Network, Pages};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The file that is read when the command line names none.
const FILE: &str = "waxwing.toml";

/// What the operator chose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file, when there is one.
    pub file: Option<PathBuf>,
    /// The domains served; never empty.
    pub domains: Vec<Bare>,
    /// Who gets what is sent to a domain.
    pub admins: Vec<Bare>,
    /// Where clients go when it stops.
    pub drain_to: Option<Arc<str>>,
    /// The folder for what the server makes itself.
    pub data: PathBuf,
    /// Where it listens.
    pub listen: Listen,
    /// Where certificates are from.
    pub tls: Certificates,
    /// Who vouches for certificates of clients.
    pub client_certificates: Option<PathBuf>,
    /// The domains whose users stay unknown.
    pub anonymous: Vec<Bare>,
    /// Accounts that may act as others.
    pub impersonators: Vec<Bare>,
    /// The store.
    pub store: Store,
    /// Limits of streams and accounts.
    pub streams: engine::settings::StreamLimits,
    /// Limits of the shell.
    pub shell: net::Limits,
    /// How passwords are kept.
    pub passwords: Passwords,
    /// The tokens of devices.
    pub tokens: Tokens,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which there are.
    pub log_level: String,
    /// What HTTP serves.
    pub pages: Pages,
    /// What was chosen about XEPs.
    pub xeps: Chosen,
}

/// Where it listens.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Clients, STARTTLS.
    pub c2s: Vec<SocketAddr>,
    /// Clients, TLS from the first byte.
    pub c2s_tls: Vec<SocketAddr>,
    /// HTTP in the clear.
    pub http: Vec<SocketAddr>,
    /// HTTP under TLS.
    pub https: Vec<SocketAddr>,
    /// Load balancers.
    pub proxies: Vec<Network>,
    /// Settings that are set, but not served by this version.
    pub unserved: Vec<&'static str>,
}

/// Where the store is, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// `sqlite:PATH`, `postgres://…` or `memory:`. May hold a password.
    pub url: String,
    /// A commit need not survive a power cut.
    pub relaxed: bool,
    /// Connections for reading.
    pub readers_max: u32,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, else JSON.
    Auto,
    /// One line to read.
    Human,
    /// One JSON object per line.
    Json,
}

impl Settings {
    /// Reads the file that the command line names, or `waxwing.toml` when there is one.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong: which line, and how to mend it.
    pub fn load(named: Option<&Path>) -> anyhow::Result<Self> {
        let file = match named {
            Some(named) => Some(named.to_owned()),
            None => Some(PathBuf::from(FILE)).filter(|file| file.exists()),
        };
        let Some(file) = file else { return Self::read("", Path::new("")) };
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read the settings {}", file.display()))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let settings = Self::read(&text, folder).with_context(|| file.display().to_string())?;
        Ok(Self { file: Some(file), ..settings })
    }

    fn read(text: &str, folder: &Path) -> anyhow::Result<Self> {
        let mut values = Values::read(text).map_err(|wrong: Wrong| anyhow::anyhow!("{wrong}"))?;
        Self::of(&mut values, folder)
    }

    fn of(values: &mut Values, folder: &Path) -> anyhow::Result<Self> {
        let path = |text: String| folder.join(text);
        let data = path(values.text("server", "data").unwrap_or_default());
        let domains = domains(values.texts("server", "domains"))?;
        let anonymous = anonymous(values.texts("auth", "anonymous_domains"), &domains)?;
        let impersonators = settings_auth::impersonators(values, &domains, &anonymous)?;
        let admins = values.texts("server", "admins").into_iter().map(|jid| account(&jid));
        let settings = Self {
            file: None,
            domains,
            anonymous,
            impersonators,
            client_certificates: values.text("auth", "client_certificates").map(path),
            drain_to: drain_to(values)?,
            admins: admins.collect::<Result<_, _>>().context("server.admins")?,
            listen: Listen::of(values)?,
            tls: Certificates::of(values, folder, &data)?,
            store: Store::of(values, folder, &data)?,
            streams: settings_limits::streams(values),
            shell: settings_limits::shell(values),
            passwords: settings_auth::passwords(values)?,
            tokens: settings_auth::tokens(values)?,
            log_format: match values.text("log", "format").as_deref() {
                Some("human") => LogFormat::Human,
                Some("json") => LogFormat::Json,
                _ => LogFormat::Auto,
            },
            log_level: level(values.text("log", "level").unwrap_or_default())?,
            pages: pages(values)?,
            data,
            xeps: std::mem::take(&mut values.xeps),
        };
        settings.fits(&settings.shell)?;
        Ok(settings)
    }

    /// The engine's part; `shell` are the limits that the running server has.
    pub fn engine(&self, secret: [u8; 32]) -> engine::settings::Settings {
        let mut settings = engine::settings::Settings {
            admins: self.admins.clone(),
            drain_to: self.drain_to.clone(),
            anonymous: self.anonymous.clone(),
            impersonators: self.impersonators.clone(),
            limits: self.streams,
            passwords: self.passwords,
            token_key: self.tokens.key.unwrap_or(secret),
            token_ms_max: self.tokens.ms_max,
            chosen: self.xeps.clone(),
            ..engine::settings::Settings::of(self.domains.clone(), secret)
        };
        settings.services = Hooks::of(crate::XEPS).services(&settings);
        settings
    }

    /// The settings that a running server cannot take over, where `new` differs.
    pub fn fixed(&self, new: &Self) -> Vec<&'static str> {
        let shown = |settings: &Self| {
            let Self { domains, data, listen, store, shell, passwords, .. } = settings;
            let Self { anonymous, client_certificates, log_format, pages, .. } = settings;
            [
                ("auth", format!("{passwords:?}")),
                ("server.domains", format!("{domains:?}")),
                ("auth.anonymous_domains", format!("{anonymous:?}")),
                ("auth.client_certificates", format!("{client_certificates:?}")),
                ("server.data", format!("{data:?}")),
                ("listen", format!("{listen:?}")),
                ("store", format!("{store:?}")),
                ("limits of connections, queues and the store", format!("{shell:?}")),
                ("log.format", format!("{log_format:?}")),
                ("metrics and http", format!("{pages:?}")),
            ]
        };
        let (old, new) = (shown(self), shown(new));
        let changed = old.into_iter().zip(new).filter(|(old, new)| old.1 != new.1);
        changed.map(|((name, _), _)| name).collect()
    }

    /// Where the running server hears the operator.
    pub fn control(&self) -> PathBuf {
        self.data.join("waxwing.sock")
    }

    /// Where the certificates are.
    pub fn certificates(&self) -> Sources {
        self.tls.sources(&self.domains, &self.data)
    }

    /// Makes the data folder, for nobody else to read.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make_data(&self) -> anyhow::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.data);
        made.with_context(|| format!("cannot make the data folder {}", self.data.display()))
    }
}

/// An address with a local part and no resource.
///
/// # Errors
/// It is something else.
pub fn account(jid: &str) -> anyhow::Result<Bare> {
    let bare = Bare::parse(jid).map_err(|error| anyhow::anyhow!("{jid:?}: {error}"))?;
    if bare.local().is_none() {
        bail!("{jid:?}: an account has a name before the @, such as juliet@{jid}");
    }
    Ok(bare)
}

fn domains(texts: Vec<String>) -> anyhow::Result<Vec<Bare>> {
    if texts.is_empty() {
        bail!("server.domains must name at least one domain");
    }
    let domain = |text: &String| {
        Bare::host(text).map_err(|error| anyhow::anyhow!("server.domains: {text:?}: {error}"))
    };
    texts.iter().map(domain).collect()
}

/// A host, or an address of IPv6 in brackets, and a port (RFC 6120 §4.9.3.19). It is told as it is.
fn drain_to(values: &mut Values) -> anyhow::Result<Option<Arc<str>>> {
    let Some(text) = values.text("server", "drain_to").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let named = text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let is_host = |host: &str| {
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match inner {
            Some(six) => six.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.contains(':') && Bare::host(host).is_ok(),
        }
    };
    match named.is_some_and(|(host, _)| is_host(host)) {
        true => Ok(Some(text.into())),
        false => bail!("server.drain_to: {text:?} is not a host and port, as other.example:5222"),
    }
}

fn anonymous(texts: Vec<String>, served: &[Bare]) -> anyhow::Result<Vec<Bare>> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let domains = domains(texts).context("auth.anonymous_domains")?;
    match domains.iter().find(|domain| !served.contains(domain)) {
        Some(other) => bail!("auth.anonymous_domains: {other} is not one of server.domains"),
        None => Ok(domains),
    }
}

fn level(level: String) -> anyhow::Result<String> {
    match crate::logs::is_level(&level) {
        true => Ok(level),
        false => bail!("log.level: {level:?} is neither error, warn, info, debug, trace nor off"),
    }
}

/// As browsers write it (RFC 6454 §6.1): in lower case, without a path.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let is_plain = !text.bytes().any(|byte| byte.is_ascii_uppercase() || byte <= b' ');
    is_plain && !scheme.is_empty() && !host.is_empty() && !host.contains('/')
}

fn pages(values: &mut Values) -> anyhow::Result<Pages> {
    let yes = |values: &mut Values, key| values.text("metrics", key).as_deref() == Some("yes");
    let origins = values.texts("http", "origins");
    if let Some(other) = origins.iter().find(|origin| !is_origin(origin)) {
        bail!("http.origins: {other:?} is not as browsers write it: https://chat.example.org")
    }
    let public_url = values.text("http", "public_url");
    // It is written into XML and JSON as it is, and paths follow it.
    let plain = |url: &str| {
        let host = url.strip_prefix("https://").unwrap_or_default();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]/~%".contains(&byte);
        !host.is_empty() && host.bytes().all(allowed) && !host.ends_with('/')
    };
    match public_url.as_deref() {
        Some(url) if !plain(url) => {
            bail!("http.public_url: {url:?} is not https:// and a host, with nothing behind")
        }
        _ => {}
    }
    Ok(Pages {
        metrics: yes(values, "serve"),
        metrics_by_https: yes(values, "https"),
        public_url,
        origins,
    })
}

impl Listen {
    fn of(values: &mut Values) -> anyhow::Result<Self> {
        let unserved = ["s2s", "s2s_tls", "component"];
        let unserved = unserved.into_iter().filter(|key| !values.addresses(key).is_empty());
        let unserved = unserved.collect();
        let (c2s, c2s_tls) = (values.addresses("c2s"), values.addresses("c2s_tls"));
        let (http, https) = (values.addresses("http"), values.addresses("https"));
        let network = |text: &String| {
            let wrong = || anyhow::anyhow!("listen.proxies: {text:?} is no address or network");
            text.parse().map_err(|()| wrong())
        };
        let proxies = values.texts("listen", "proxies");
        let proxies = proxies.iter().map(network).collect::<anyhow::Result<_>>()?;
        Ok(Self { c2s, c2s_tls, http, https, proxies, unserved })
    }
}

impl Store {
    fn of(values: &mut Values, folder: &Path, data: &Path) -> anyhow::Result<Self> {
        let url = values.text("store", "url");
        let sqlite = |file: PathBuf| format!("sqlite:{}", file.display());
        let url = match url.as_deref().map(|url| (url, url.split_once(':'))) {
            None => sqlite(data.join("waxwing.db")),
            Some((_, Some(("sqlite", file)))) => {
                sqlite(folder.join(file.strip_prefix("//").unwrap_or(file)))
            }
            Some((url, Some(("memory" | "postgres" | "postgresql", _)))) => url.to_owned(),
            Some(_) => bail!("store.url must begin with sqlite:, postgres: or memory:"),
        };
        let relaxed = values.text("store", "relaxed").as_deref() == Some("yes");
        let readers_max = u32::try_from(values.limit("store_readers_max")).unwrap_or(u32::MAX);
        Ok(Self { url, relaxed, readers_max })
    }

    /// The URL without the password that it may hold, before the host or among the parameters.
    pub fn shown(&self) -> String {
        let Some((scheme, rest)) = self.url.split_once("://") else { return self.url.clone() };
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let place = match place.rsplit_once('@') {
            Some((who, place)) => format!("{}@{place}", who.split(':').next().unwrap_or(who)),
            None => place.to_owned(),
        };
        let host = parameters.split('&').find(|parameter| parameter.starts_with("host="));
        let host = host.map(|host| format!("?{host}")).unwrap_or_default();
        format!("{scheme}://{place}{host}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<Settings> {
        Settings::read(text, Path::new("/etc"))
    }

    #[test]
    fn without_a_file_it_is_localhost_on_loopback_with_sqlite() {
        let settings = Settings::read("", Path::new("")).expect("the defaults are right");
        assert_eq!(settings.domains, [Bare::host("localhost").expect("a domain")]);
        let listen = &settings.listen;
        let all = listen.c2s.iter().chain(&listen.c2s_tls).chain(&listen.http);
        assert!(all.clone().count() == 3 && all.clone().all(|address| address.ip().is_loopback()));
        assert_eq!(settings.store.url, "sqlite:data/waxwing.db");
        let tls = Certificates { pair: None, folder: None, acme: None };
        assert_eq!(settings.tls, tls);
    }

    #[test]
    fn every_setting_of_the_table_is_used() {
        let mut values = Values::read("").expect("the defaults are right");
        Settings::of(&mut values, Path::new("")).expect("the defaults are right");
        assert_eq!(values.left(), Vec::<String>::new());
    }

    #[test]
    fn paths_start_at_the_folder_of_the_file() {
        let settings = read("[server]\ndata = \"d\"").expect("it is right");
        assert_eq!(settings.store.url, "sqlite:/etc/d/waxwing.db");
        assert_eq!(settings.control(), Path::new("/etc/d/waxwing.sock"));
    }

    #[test]
    fn a_store_is_shown_without_its_password() {
        let shown = |url: &str| {
            let file = format!("[store]\nurl = {url:?}");
            read(&file).expect("it is right").store.shown()
        };
        assert_eq!(shown("postgres://me:secret@db/x"), "postgres://me@db/x");
        assert_eq!(shown("postgres://db/x"), "postgres://db/x");
        assert_eq!(shown("postgres://me:se@cret@db/x"), "postgres://me@db/x");
        let by_socket = "postgres:///x?user=me&password=secret&host=/run/postgresql";
        assert_eq!(shown(by_socket), "postgres:///x?host=/run/postgresql");
        assert_eq!(shown("sqlite://a.db"), "sqlite:/etc/a.db");
    }

    #[test]
    fn what_no_mailbox_has_room_for_is_refused_and_said_why() {
        for (lines, key, least, because) in [
            (
                "[limits]\nstanza_bytes_max = 4194304",
                "limits.mailbox_bytes_max is 2097152",
                5_242_880,
                "limits.stanza_bytes_max is 4194304: a client that comes back",
            ),
            (
                "[limits]\nroster_items_max = 10000\nmailbox_stanzas_max = 100000",
                "limits.mailbox_bytes_max is 2097152",
                5_120_000,
                "limits.roster_items_max is 10000: half of it",
            ),
            (
                "[limits]\nroster_items_max = 4000",
                "limits.mailbox_stanzas_max is 4000",
                5_000,
                "limits.roster_items_max is 4000: all contacts",
            ),
            (
                "[xep.0045]\nshown_occupants_max = 2001",
                "limits.mailbox_stanzas_max is 4000",
                4_002,
                "xep.0045.shown_occupants_max is 2001: half of it",
            ),
            (
                "[xep.0352]\nheld_stanzas_max = 10000",
                "limits.mailbox_stanzas_max is 4000",
                20_000,
                "xep.0352.held_stanzas_max is 10000: half of it",
            ),
            (
                "[xep.0352]\nheld_bytes_max = 16777216",
                "limits.mailbox_bytes_max is 2097152",
                33_554_432,
                "xep.0352.held_bytes_max is 16777216: half of it",
            ),
        ] {
            let wrong = read(lines).expect_err(lines).to_string();
            let said = format!("{key}, but must be at least {least}, as {because}");
            assert!(wrong.starts_with(&said), "{wrong}");
            let (key, _) = key.split_once(' ').expect("a key and its value");
            let key = key.strip_prefix("limits.").expect("a limit");
            let more = match lines.strip_prefix("[limits]") {
                Some(_) => format!("{lines}\n{key} = {least}"),
                None => format!("{lines}\n[limits]\n{key} = {least}"),
            };
            assert!(read(&more).is_ok(), "{more}");
        }
    }

    #[test]
    fn what_is_read_while_it_runs_must_fit_into_the_mailboxes_that_it_has() {
        let running = read("").expect("the defaults are right").shell;
        let both = "[limits]\nstanza_bytes_max = 4194304\nmailbox_bytes_max = 6000000";
        assert!(read(both).expect("it is right").fits(&running).is_err());
        let less = "[limits]\nstanza_bytes_max = 65536\nmailbox_bytes_max = 6000000";
        assert!(read(less).expect("it is right").fits(&running).is_ok());
    }

    #[test]
    fn what_is_well_formed_but_senseless_is_refused() {
        for wrong in [
            "[server]\ndomains = []",
            "[server]\ndomains = [\"juliet@localhost\"]",
            "[server]\nadmins = [\"localhost\"]",
            "[tls]\nkey = \"k\"",
            "[store]\nurl = \"mysql://\"",
            "[auth]\nargon2id_kib = 31\nargon2id_lanes = 4",
            "[auth]\nanonymous_domains = [\"elsewhere.example\"]",
            "[log]\nlevel = \"warning\"",
            "[http]\norigins = [\"https://chat.example.org/\"]",
            "[http]\norigins = [\"https://Chat.example.org\"]",
            "[http]\norigins = [\"chat.example.org\"]",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
