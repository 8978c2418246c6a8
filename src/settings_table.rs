//! Every setting, once. What `waxwing settings` prints, what a file is checked against and what
//! is true without a file all come from this table.

use crate::settings_limits::LIMITS;

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

const fn store(key: &'static str, to: u64, doc: &'static str) -> Setting {
    Setting { section: "store", key, kind: Kind::Number(0, to), default: "0", doc }
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Setting> + Clone {
    SETTINGS.iter().chain(LIMITS)
}

/// The table, but for limits. Its order is that of `waxwing settings`.
const SETTINGS: &[Setting] = &[
    texts(
        "server",
        "domains",
        r#"["localhost"]"#,
        "The domains served: the part of an address behind the @. The first is the default.",
    ),
    text(
        "server",
        "drain_to",
        r#""""#,
        "Where clients go when this server stops, as host:port, such as another one of the same \
         domains: they are told see-other-host instead of system-shutdown. Browsers are not.",
    ),
    text("server", "data", r#""data""#, "The folder for what this server makes itself."),
    texts(
        "server",
        "admins",
        "[]",
        "Addresses of accounts that may give the commands of XEP-0133, and configure and end each \
         room and say who is what in it, as its owners do.",
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
        "XMPP for browsers: WebSocket at /ws, BOSH at /bosh, and host-meta, which tells where they \
         are. Clients that ask for xmpp-client by ALPN get XMPP on the same port (XEP-0368), so \
         that 443 alone can serve everybody.",
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
         fsync or synchronous_commit may be off). An orderly stop leaves everything on disk.",
    ),
    store(
        "gather_ms",
        1000,
        "How long after the beginning of a commit the next one begins, at the earliest. What comes \
         meanwhile is committed together, which takes less of the processor and the disk for each, \
         and waits that long to be acknowledged and delivered. 0: as soon as the store is free.",
    ),
    store(
        "keep_days_max",
        36_500,
        "How many days messages are kept. What is older is removed, delivered or not; by a clock \
         that has jumped ahead only when it has gone on from there for a day. 0: forever.",
    ),
    store(
        "keep_entries_max",
        1_000_000_000,
        "How many messages are kept for each account, its newest. 0: any number.",
    ),
    choice(
        "auth",
        "password_storage",
        &["scram", "argon2id"],
        r#""scram""#,
        "scram: keys of SCRAM-SHA-1, -256 and -512, from which nobody can log in elsewhere; \
         clients need not tell the password. argon2id: a verifier that costs memory to guess at \
         (RFC 9106); clients must tell the password, so PLAIN is the only mechanism for it. \
         Accounts that exist log in by PLAIN all the same, and are kept as this says from then on. \
         Back to scram: clients that try SCRAM first and nothing else then need a new password.",
    ),
    number("token_days_max", (1, 365), "14", "How long a device logs in by a token (XEP-0484)."),
    text(
        "auth",
        "token_key",
        "",
        "What tokens are made with: 32 characters or more, unguessable. With it the store alone \
         lets nobody in. Another one makes all tokens void. Absent: a secret that the store keeps.",
    ),
    number("argon2id_kib", (8, 1_048_576), "65536", "Memory for one password, in KiB."),
    number("argon2id_passes", (1, 100), "3", "Passes over that memory."),
    number(
        "argon2id_lanes",
        (1, 64),
        "4",
        "Lanes of that memory. The defaults are the second recommended option of RFC 9106 §4.",
    ),
    text(
        "auth",
        "client_certificates",
        "",
        "PEM file: who vouches for certificates of clients. Who shows one that names its address \
         logs in by it (XEP-0178). Absent: clients are not asked for certificates.",
    ),
    texts(
        "auth",
        "anonymous_domains",
        "[]",
        "Of server.domains those where nobody has a password: whoever comes gets an address of its \
         own while it is there, and reaches the users of this server only (XEP-0175).",
    ),
    texts(
        "auth",
        "impersonators",
        "[]",
        "Accounts that may act as any other account of server.domains: they log in with their own \
         password (or certificate) and name the other account as the one to act as (authzid, \
         RFC 6120 §6.3.8). They get a session of that account and can do all that its owner can, \
         but no token. The log names both.",
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
        for setting in all().filter(|setting| setting.section == section) {
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
        for (number, setting) in all().enumerate() {
            assert!(SECTIONS.iter().any(|(name, _)| *name == setting.section), "{}", setting.key);
            let same =
                |other: &Setting| (other.section, other.key) == (setting.section, setting.key);
            assert!(!all().skip(number + 1).any(same), "{} twice", setting.key);
            assert!(setting.doc.ends_with('.'), "{}", setting.key);
        }
    }
}
