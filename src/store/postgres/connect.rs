//! Where the database is, and how sqlx is told the same.

use crate::{check::refused, migrate};
use deadpool_postgres::tokio_postgres::{
    Config,
    config::{Host, SslMode},
};
use engine::port::Fault;
use sqlx::{
    ConnectOptions, Connection,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgSslMode},
};
use std::time::Duration;

/// How statements are planned: once for each connection, and by an index. What is known of a
/// partition that is new says nothing, so that the planner would look through all of it; and a
/// plan for the values at hand, of which it thinks better, costs more than what it saves, for it
/// is made anew each time and looks at every partition.
const PLANNING: &str = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off \
    -c enable_bitmapscan=off -c max_parallel_workers_per_gather=0 -c jit=off";

/// Reads the URL. What it says wins over what we would choose.
pub(super) fn config(url: &str, answer: Duration) -> Result<Config, Fault> {
    // The reason only: the URL may hold a password.
    let mut config: Config =
        url.parse().map_err(|error| refused(format!("the URL of the store is wrong: {error}")))?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err(refused("TLS to PostgreSQL is not supported: use a socket or a tunnel"));
    }
    config.ssl_mode(SslMode::Disable);
    let theirs = config.get_options().unwrap_or_default();
    let options = format!("{PLANNING} {theirs}");
    config.options(options);
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
        let options = config.get_options().unwrap();
        assert!(options.starts_with(PLANNING) && options.ends_with(" -c jit=on"), "{options}");
        let options = sqlx_options(&config);
        assert_eq!(options.get_socket(), Some(&"/run/pg".into()));
        assert_eq!((options.get_port(), options.get_username()), (6543, "me"));
    }

    #[test]
    fn a_password_is_never_in_a_refusal() {
        for url in ["postgres://me:secret@h:port/x", "postgres://me:secret@h/x?sslmode=require"] {
            let Err(Fault::Refused(why)) = config(url, Duration::ZERO) else { panic!("{url}") };
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
