//! Where the database is, how it is connected to, and how sqlx is told the same.

use crate::{check::refused, migrate};
use deadpool_postgres::{
    Connect,
    tokio_postgres::{
        Client, Config, Error, NoTls,
        config::{Host, SslMode},
    },
};
use engine::port::Fault;
use sqlx::{
    ConnectOptions, Connection,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgSslMode},
};
use std::{pin::Pin, time::Duration};
use tokio::task::JoinHandle;

/// How statements are planned: once for each connection, and by an index. What is known of a
/// partition that is new says nothing, so that the planner would look through all of it; and a
/// plan for the values at hand, of which it thinks better, costs more than what it saves, for it
/// is made anew each time and looks at every partition.
///
/// Set when it is connected: PgBouncer refuses who asks for it with the first packet. What the URL
/// asks for there has the source 'client', and wins.
const PLANNING: &str = "
    SELECT set_config(name, value, FALSE)
    FROM (VALUES
        ('plan_cache_mode', 'force_generic_plan'), ('enable_seqscan', 'off'),
        ('enable_bitmapscan', 'off'), ('max_parallel_workers_per_gather', '0'), ('jit', 'off')
    ) AS ours (name, value) JOIN pg_settings USING (name)
    WHERE source <> 'client'";

/// Connects those who read and write.
pub(super) struct Planned;

/// A connection, and what it runs in. It ends with the client.
type Connected = Result<(Client, JoinHandle<()>), Error>;

impl Connect for Planned {
    fn connect(
        &self,
        config: &Config,
    ) -> Pin<Box<dyn Future<Output = Connected> + Send + 'static>> {
        let config = config.clone();
        Box::pin(async move { planned(&config).await })
    }
}

/// Connects; what is asked there is planned as we mean it.
pub(super) async fn planned(config: &Config) -> Connected {
    let (client, task) = plain(config).await?;
    client.batch_execute(PLANNING).await?;
    Ok((client, task))
}

/// Connects; PostgreSQL plans as it likes.
pub(super) async fn plain(config: &Config) -> Connected {
    let (client, connection) = config.connect(NoTls).await?;
    let task = tokio::spawn(async move {
        // Whoever waits for an answer is told why the connection ended.
        drop(connection.await);
    });
    Ok((client, task))
}

/// Reads the URL. What it says wins over what we would choose.
pub(super) fn config(url: &str, answer: Duration) -> Result<Config, Fault> {
    // The reason only: the URL may hold a password.
    let mut config: Config =
        url.parse().map_err(|error| refused(format!("the URL of the store is wrong: {error}")))?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err(refused("TLS to PostgreSQL is not supported: use a socket or a tunnel"));
    }
    config.ssl_mode(SslMode::Disable);
    if config.get_application_name().is_none() {
        config.application_name("waxwing");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(answer);
    }
    config.keepalives_idle(Duration::from_secs(30));
    let socket = config.get_hosts().iter().any(is_socket);
    Ok(if socket && config.get_hosts().len() > 1 { at_socket(&config) } else { config })
}

fn is_socket(host: &Host) -> bool {
    matches!(host, Host::Unix(_))
}

/// `?host=/path` stands instead of the host before it, as libpq has it.
fn at_socket(config: &Config) -> Config {
    let mut only = Config::new();
    for host in config.get_hosts() {
        if let Host::Unix(folder) = host {
            only.host_path(folder);
        }
    }
    config.get_ports().iter().for_each(|&port| {
        only.port(port);
    });
    config.get_user().map(|user| only.user(user));
    config.get_password().map(|password| only.password(password));
    config.get_dbname().map(|name| only.dbname(name));
    config.get_options().map(|options| only.options(options));
    config.get_application_name().map(|name| only.application_name(name));
    config.get_connect_timeout().map(|&timeout| only.connect_timeout(timeout));
    only.ssl_mode(config.get_ssl_mode());
    only
}

/// Runs the migrations, which sqlx does for both dialects.
pub(super) async fn migrate(config: &Config, by: &Migrator) -> Result<(), Fault> {
    let connect = sqlx_options(config).connect().await;
    let mut connection =
        connect.map_err(|error| Fault::Away(format!("the database cannot be reached: {error}")))?;
    by.run(&mut connection).await.map_err(migrate::failed)?;
    connection.close().await.map_err(|error| Fault::Away(error.to_string()))
}

fn sqlx_options(config: &Config) -> PgConnectOptions {
    let mut options = PgConnectOptions::new_without_pgpass().ssl_mode(PgSslMode::Disable);
    // No number with a fraction is asked for, and PgBouncer does not know the word.
    options = options.extra_float_digits(None);
    options = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => options.host(host),
        Some(Host::Unix(folder)) => options.socket(folder),
        None => options,
    };
    if let Some(&port) = config.get_ports().first() {
        options = options.port(port);
    }
    if let Some(user) = config.get_user() {
        options = options.username(user);
    }
    if let Some(password) = config.get_password() {
        options = options.password(&String::from_utf8_lossy(password));
    }
    if let Some(name) = config.get_dbname() {
        options = options.database(name);
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{io::AsyncReadExt, net::TcpListener};

    fn hosts(url: &str) -> Vec<Host> {
        config(url, Duration::from_secs(1)).unwrap().get_hosts().to_vec()
    }

    #[test]
    fn the_url_names_a_host_or_the_folder_of_a_socket() {
        let socket = Host::Unix("/run/pg".into());
        assert_eq!(hosts("postgres://me:pw@db.example/x"), [Host::Tcp("db.example".into())]);
        for url in [
            "postgres://me@localhost/x?host=/run/pg",
            "postgres:///x?host=/run/pg",
            "postgres://me@%2Frun%2Fpg/x",
        ] {
            assert_eq!(hosts(url), std::slice::from_ref(&socket), "{url}");
        }
    }

    #[test]
    fn the_socket_keeps_all_that_the_url_says() {
        let url = "postgres://me:p%40ss@localhost:6543/x?host=/run/pg&application_name=w\
                   &options=-c%20jit%3Don";
        let config = config(url, Duration::from_secs(3)).unwrap();
        assert_eq!(config.get_user(), Some("me"));
        assert_eq!(config.get_password(), Some(&b"p@ss"[..]));
        assert_eq!(config.get_ports(), [6543]);
        assert_eq!(config.get_dbname(), Some("x"));
        assert_eq!(config.get_application_name(), Some("w"));
        assert_eq!(config.get_options(), Some("-c jit=on"));
        let options = sqlx_options(&config);
        assert_eq!(options.get_socket(), Some(&"/run/pg".into()));
        assert_eq!((options.get_port(), options.get_username()), (6543, "me"));
    }

    /// What a client says first: the names of what it asks for.
    async fn asked(listener: &TcpListener) -> Vec<String> {
        let mut stream = listener.accept().await.unwrap().0;
        let length = stream.read_u32().await.unwrap();
        let mut packet = vec![0; length as usize - 4];
        stream.read_exact(&mut packet).await.unwrap();
        let words: Vec<_> = packet[4..].split(|byte| *byte == 0).collect();
        let (pairs, _) = words.as_chunks::<2>();
        let names = pairs.iter().map(|[name, _]| String::from_utf8_lossy(name).into_owned());
        names.filter(|name| !name.is_empty()).collect()
    }

    #[tokio::test]
    async fn what_is_said_first_is_what_a_pooler_understands() {
        // PgBouncer refuses all others, unless it is told to ignore them.
        const KNOWN: [&str; 6] =
            ["user", "database", "client_encoding", "datestyle", "timezone", "application_name"];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("postgres://me@127.0.0.1:{port}/x");
        let config = config(&url, Duration::from_secs(10)).unwrap();
        let connects = async {
            assert!(planned(&config).await.is_err());
            assert!(plain(&config).await.is_err());
            assert!(migrate(&config, &migrate::POSTGRES).await.is_err());
        };
        let listens = async {
            for _ in 0..3 {
                let names = asked(&listener).await;
                let is_known = |name: &String| KNOWN.contains(&&*name.to_lowercase());
                assert!(names.len() > 2 && names.iter().all(is_known), "{names:?}");
            }
        };
        tokio::join!(connects, listens);
    }

    #[test]
    fn a_password_is_never_in_a_refusal() {
        for url in ["postgres://me:secret@h:port/x", "postgres://me:secret@h/x?sslmode=require"] {
            let Err(Fault::Refused(why)) = config(url, Duration::ZERO) else { panic!("{url}") };
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
