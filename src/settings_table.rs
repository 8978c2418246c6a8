//! Every setting, once. What `waxwing settings` prints, what a file is checked against and what
//! is true without a file all come from this table.

/// One setting.
pub struct Setting {
    /// Its table in the file.
    pub section: &'static str,
    /// Its key there.
    pub key: &'static str,
    /// What it can be.
    pub kind: Kind,
    /// What it is when the file says nothing, as TOML. Empty: it is absent.
    pub default: &'static str,
    /// For the operator.
    pub doc: &'static str,
}

/// What a setting can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A list of strings.
    Texts,
    /// A list of `address:port`.
    Addresses,
    /// A whole number between these, both included.
    Number(u64, u64),
    /// One of these strings.
    Choice(&'static [&'static str]),
}

/// What each table of the file is about.
pub const SECTIONS: &[(&str, &str)] = &[
    ("server", "Who this server is."),
    ("listen", "Where it listens. An empty list: not at all. Port 0: any free port."),
    ("http", "What it says to browsers, on the http and https addresses."),
    (
        "tls",
        "Its certificates. Each domain gets the one that names it. They are read again when a file \
         changes, and on SIGHUP.",
    ),
    (
        "acme",
        "Orders certificates for the domains that no file is for, and renews them (RFC 8555).",
    ),
    ("store", "Where accounts, rosters and messages are kept."),
    ("limits", "What one peer, or all of them, may make the server hold. The unit is in the name."),
    ("auth", "How clients log in."),
    ("log", "What it tells the operator, on standard error."),
    ("metrics", "What it tells Prometheus, at /metrics on the http address."),
];

const fn text(
    section: &'static str,
    key: &'static str,
    default: &'static str,
    doc: &'static str,
) -> Setting {
    Setting { section, key, kind: Kind::Text, default, doc }
}

const fn texts(
    section: &'static str,
    key: &'static str,
    default: &'static str,
    doc: &'static str,
) -> Setting {
    Setting { section, key, kind: Kind::Texts, default, doc }
}

const fn addresses(key: &'static str, default: &'static str, doc: &'static str) -> Setting {
    Setting { section: "listen", key, kind: Kind::Addresses, default, doc }
}

const fn choice(
    section: &'static str,
    key: &'static str,
    of: &'static [&'static str],
    default: &'static str,
    doc: &'static str,
) -> Setting {
    Setting { section, key, kind: Kind::Choice(of), default, doc }
}

const fn number(
    key: &'static str,
    (from, to): (u64, u64),
    default: &'static str,
    doc: &'static str,
) -> Setting {
    Setting { section: "auth", key, kind: Kind::Number(from, to), default, doc }
}

const fn limit(
    key: &'static str,
    (from, to): (u64, u64),
    default: &'static str,
    doc: &'static str,
) -> Setting {
    Setting { section: "limits", key, kind: Kind::Number(from, to), default, doc }
}

/// The table. Its order is that of `waxwing settings`.
pub const SETTINGS: &[Setting] = &[
    texts(
        "server",
        "domains",
        r#"["localhost"]"#,
        "The domains served: the part of an address behind the @. The first is the default.",
    ),
    text("server", "data", r#""data""#, "The folder for what this server makes itself."),
    texts(
        "server",
        "admins",
        "[]",
        "Addresses of accounts that may give the commands of XEP-0133.",
    ),
    addresses("c2s", r#"["127.0.0.1:5222"]"#, "Clients, who then turn on TLS (STARTTLS)."),
    addresses("c2s_tls", r#"["127.0.0.1:5223"]"#, "Clients, TLS from the first byte (XEP-0368)."),
    addresses("s2s", "[]", "Other servers. Not served by this version."),
    addresses(
        "s2s_tls",
        "[]",
        "Other servers, TLS from the first byte. Not served by this version.",
    ),
    addresses("component", "[]", "Components (XEP-0114). Not served by this version."),
    addresses(
        "http",
        r#"["127.0.0.1:5280"]"#,
        "HTTP in the clear: /metrics and /health; for a web server on this machine, or one of \
         listen.proxies, that has the TLS, also what https serves.",
    ),
    addresses(
        "https",
        "[]",
        "XMPP for browsers: WebSocket at /ws, and host-meta, which tells where that is. Clients \
         that ask for xmpp-client by ALPN get XMPP on the same port (XEP-0368), so that 443 \
         alone can serve everybody.",
    ),
    texts(
        "listen",
        "proxies",
        "[]",
        "Load balancers: addresses, or networks such as 10.0.0.0/8. Each of their connections, to \
         any port, must begin with a header of the PROXY protocol, version 1 or 2.",
    ),
    text(
        "http",
        "public_url",
        "",
        "What host-meta tells clients to begin with, such as https://chat.example.org. Absent: \
         https:// and the host and port that were asked.",
    ),
    texts(
        "http",
        "origins",
        "[]",
        "The origins of web pages that may use XMPP, such as https://chat.example.org. Empty: all; \
         no browser adds a password or cookie that this server would take.",
    ),
    text(
        "tls",
        "certificate",
        "",
        "PEM file: the certificate, then its chain. Domains that no file is for get a certificate \
         that signs itself, made in data.",
    ),
    text("tls", "key", "", "PEM file: the private key of the certificate."),
    text(
        "tls",
        "folder",
        "",
        "A folder with more of them: NAME/fullchain.pem and NAME/privkey.pem, as certbot has them \
         in /etc/letsencrypt/live, or NAME.crt (or NAME.pem) and NAME.key.",
    ),
    choice(
        "acme",
        "terms_agreed",
        &["no", "yes"],
        r#""no""#,
        "yes: the terms of service of the authority are agreed to, and certificates are ordered.",
    ),
    text(
        "acme",
        "directory",
        r#""https://acme-v02.api.letsencrypt.org/directory""#,
        "The authority.",
    ),
    text("acme", "contact", "", "A mail address, for the authority."),
    texts(
        "acme",
        "domains",
        "[]",
        "For whom certificates are ordered, hosts of other names too. Empty: for every domain \
         served that no file is for.",
    ),
    texts(
        "acme",
        "challenges",
        r#"["http-01", "tls-alpn-01"]"#,
        "How the authority finds out that a domain is ours; after a failure the other one's turn \
         comes. http-01: it comes to port 80, which must lead to listen.http. tls-alpn-01: it \
         comes to port 443, which must lead to listen.c2s_tls or listen.https.",
    ),
    text(
        "acme",
        "root",
        "",
        "PEM file: the root certificate of a private authority. Absent: those of the system.",
    ),
    text(
        "store",
        "url",
        "",
        "sqlite:FILE, postgres://USER:PASSWORD@HOST/DATABASE, or memory: (forgets at the end). \
         Absent: sqlite:waxwing.db in the data folder.",
    ),
    choice(
        "store",
        "relaxed",
        &["no", "yes"],
        r#""no""#,
        "yes: a commit need not survive a power cut (SQLite: synchronous = NORMAL; PostgreSQL: \
         fsync or synchronous_commit may be off).",
    ),
    limit("store_readers_max", (1, 1000), "4", "Connections to the store for reading."),
    limit(
        "store_patience_seconds",
        (1, 600),
        "10",
        "How long stanzas wait for a store that is away, before they are refused.",
    ),
    limit("connections_max", (1, 10_000_000), "100000", "Connections of clients, all together."),
    limit(
        "connections_per_address_max",
        (1, 10_000_000),
        "10000",
        "Connections of clients from one address (IPv6: from one /64).",
    ),
    limit(
        "handshake_seconds_max",
        (1, 600),
        "10",
        "For a TLS handshake, and before it for the header of a load balancer.",
    ),
    limit(
        "http_head_seconds_max",
        (1, 600),
        "60",
        "For the head of an HTTP request, counted from the answer to the one before.",
    ),
    limit("auth_seconds_max", (1, 3600), "30", "From the connection to the bound resource."),
    limit("auth_tries_max", (2, 5), "3", "Failed logins on one stream (RFC 6120 §6.4.5)."),
    limit(
        "login_failures_max",
        (1, 1_000_000),
        "10",
        "Failed logins to one account from one address (IPv6: from one /64), before it is refused \
         there; elsewhere it is not. Logins are delayed from a third of them on.",
    ),
    limit(
        "login_failures_per_address_max",
        (1, 1_000_000),
        "100",
        "The same from one address, whatever the accounts. Not of loopback, where a proxy may be.",
    ),
    limit(
        "login_failures_per_account_max",
        (1, 1_000_000),
        "100",
        "The same to one account, wherever from: its logins are delayed, never refused.",
    ),
    limit(
        "login_failures_seconds",
        (1, 86_400),
        "600",
        "In this time so many failed logins are forgotten; and so long are logins refused.",
    ),
    limit("login_delay_seconds_max", (0, 20), "4", "The longest delay of a login."),
    limit(
        "login_failures_kept_max",
        (100, 10_000_000),
        "100000",
        "Accounts, addresses, and pairs of both, of which failed logins are counted: of each so \
         many.",
    ),
    limit(
        "idle_seconds_max",
        (10, 86_400),
        "600",
        "Silence, before a client must show it is there.",
    ),
    limit(
        "close_seconds_max",
        (1, 60),
        "5",
        "For the peer's goodbye, and for unsent bytes to leave.",
    ),
    limit("shutdown_seconds_max", (1, 600), "10", "From SIGTERM to the end of the process."),
    limit("stanza_bytes_max", (10_000, 16_777_216), "262144", "One stanza of a client."),
    limit(
        "stanza_bytes_before_auth_max",
        (4096, 1_048_576),
        "8192",
        "The same before the client has logged in.",
    ),
    limit(
        "credit_stanzas_max",
        (1, 10_000),
        "64",
        "Stanzas of one stream that are not settled yet.",
    ),
    limit("credit_bytes_max", (4096, 67_108_864), "262144", "The same in bytes."),
    limit("mailbox_stanzas_max", (10, 1_000_000), "4000", "Stanzas that wait for one slow client."),
    limit("mailbox_bytes_max", (65_536, 1_073_741_824), "2097152", "The same in bytes."),
    limit("inbox_parcels_max", (100, 10_000_000), "100000", "Stanzas that wait for one core."),
    limit("sessions_max", (1, 1000), "64", "Clients of one account at the same time."),
    limit("roster_items_max", (10, 100_000), "2000", "Contacts of one account."),
    limit("directed_max", (10, 100_000), "1000", "Addresses one client sent directed presence to."),
    limit("bosh_wait_seconds_max", (1, 600), "60", "A request of BOSH that waits (XEP-0124)."),
    limit("bosh_hold_max", (1, 8), "2", "Requests of one session of BOSH that wait at once."),
    limit(
        "bosh_inactivity_seconds",
        (5, 3600),
        "60",
        "How long no request of a session of BOSH need be there; for who polls, twice as long.",
    ),
    limit(
        "bosh_polling_seconds",
        (0, 60),
        "5",
        "How long a client of BOSH that has nothing to say waits before it asks again.",
    ),
    limit(
        "bosh_pause_seconds_max",
        (0, 3600),
        "120",
        "How long a client of BOSH may announce that it will be away.",
    ),
    limit("reads_max", (1, 1000), "32", "Reads of the store at the same time."),
    limit(
        "hashes_running_max",
        (0, 1024),
        "0",
        "Passwords hashed at the same time. 0: as many as there are cores. With Argon2id each \
         takes auth.argon2id_kib.",
    ),
    limit(
        "hashes_waiting_max",
        (1, 1_000_000),
        "4000",
        "Passwords that wait to be hashed, before clients are told to come again.",
    ),
    limit("world_seconds_max", (1, 600), "30", "For a request that reads the store."),
    choice(
        "auth",
        "password_storage",
        &["scram", "argon2id"],
        r#""scram""#,
        "scram: keys of SCRAM-SHA-1, -256 and -512, from which nobody can log in elsewhere; \
         clients need not tell the password. argon2id: a verifier that costs memory to guess at \
         (RFC 9106); clients must tell the password, so PLAIN is the only mechanism for it. \
         Accounts that exist log in by PLAIN all the same, and are kept as this says from then on.",
    ),
    number("argon2id_kib", (8, 1_048_576), "65536", "Memory for one password, in KiB."),
    number("argon2id_passes", (1, 100), "3", "Passes over that memory."),
    number(
        "argon2id_lanes",
        (1, 64),
        "4",
        "Lanes of that memory. The defaults are the second recommended option of RFC 9106 §4.",
    ),
    choice(
        "log",
        "format",
        &["auto", "human", "json"],
        r#""auto""#,
        "auto: human on a terminal, else JSON lines.",
    ),
    text(
        "log",
        "level",
        r#""info""#,
        "error, warn, info, debug, trace; or a list such as info,net=debug.",
    ),
    choice("metrics", "serve", &["yes", "no"], r#""yes""#, "no: /metrics is not there."),
    choice(
        "metrics",
        "https",
        &["no", "yes"],
        r#""no""#,
        "yes: /metrics and /health are on the https addresses too, for everybody who comes there.",
    ),
];

const HEAD: &str = "\
# Every setting of waxwing with its default. Write into waxwing.toml what shall be otherwise.
# Relative paths start at the folder of that file.
";

/// The file that `waxwing settings` prints: every setting with its default, nothing to change.
pub fn print() -> String {
    let mut file = String::from(HEAD);
    for &(section, about) in SECTIONS {
        file += &format!("\n# {about}\n[{section}]\n");
        for setting in SETTINGS.iter().filter(|setting| setting.section == section) {
            file += &format!("\n# {}\n", setting.doc);
            file += &match setting.kind {
                Kind::Number(from, to) => format!("# From {from} to {to}.\n"),
                Kind::Choice(of) if of.len() > 1 => format!("# One of: {}.\n", of.join(", ")),
                _ => String::new(),
            };
            file += &match setting.default {
                "" => format!("# {} = \"…\"\n", setting.key),
                default => format!("{} = {default}\n", setting.key),
            };
        }
    }
    file + &crate::settings_xeps::print()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_stands_in_a_section_that_is_explained_and_only_once() {
        for (number, setting) in SETTINGS.iter().enumerate() {
            assert!(SECTIONS.iter().any(|(name, _)| *name == setting.section), "{}", setting.key);
            let same =
                |other: &Setting| (other.section, other.key) == (setting.section, setting.key);
            assert!(!SETTINGS[number + 1..].iter().any(same), "{} twice", setting.key);
            assert!(setting.doc.ends_with('.'), "{}", setting.key);
        }
    }
}
