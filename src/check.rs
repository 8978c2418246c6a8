//! `waxwing check`: what is wrong, and how to mend it.

use crate::{open_store, settings::Settings, user};
use std::{
    fmt::Display,
    time::{SystemTime, UNIX_EPOCH},
};

/// Days before its end from which on a certificate is worth a word.
const EXPIRY_DAYS_MIN: i64 = 14;
/// How far the store may be ahead of the clock before it is worth a word.
const AHEAD_MS_MAX: u64 = 1_000;

/// What has been found.
#[derive(Default)]
struct Findings {
    wrong: bool,
}

impl Findings {
    fn good(&self, what: &str, found: impl Display) {
        println!("ok     {what:<12} {found}");
    }

    fn note(&self, what: &str, found: impl Display) {
        println!("note   {what:<12} {found}");
    }

    fn wrong(&mut self, what: &str, found: impl Display) {
        println!("WRONG  {what:<12} {found}");
        self.wrong = true;
    }
}

/// Looks at everything and prints a line for each. Returns whether all is well.
pub async fn run(settings: &Settings) -> bool {
    let mut findings = Findings::default();
    match &settings.file {
        Some(file) => findings.good("settings", file.display()),
        None => findings.good("settings", "no waxwing.toml: the defaults"),
    }
    for key in &settings.listen.unserved {
        findings.note("settings", format!("listen.{key} is not served by this version"));
    }
    let runs = match user::serves(settings).await {
        Ok(runs) => runs,
        Err(error) => {
            findings.wrong("server", format!("{error:#}; run this as the user that serves"));
            false
        }
    };
    match settings.make_data() {
        Ok(()) => findings.good("data", settings.data.display()),
        Err(error) => findings.wrong("data", format!("{error:#}; set server.data")),
    }
    certificate(settings, &mut findings);
    store(settings, runs, &mut findings).await;
    ports(settings, runs, &mut findings);
    !findings.wrong
}

fn certificate(settings: &Settings, findings: &mut Findings) {
    let what = "certificate";
    let certificate = match settings.certificate().load() {
        Ok(certificate) => certificate,
        Err(error) => {
            return findings.wrong(what, format!("{error}; see tls.certificate and tls.key"));
        }
    };
    for domain in settings.domains.iter().map(|domain| domain.domain()) {
        match certificate.covers(domain) {
            true => findings.good(what, format!("for {domain}")),
            false => {
                let names = certificate.names.join(", ");
                findings.wrong(what, format!("not for {domain}, but for {names}: get one that is"));
            }
        }
    }
    match certificate.days_left() {
        days if days < 0 => findings.wrong(what, format!("expired {} days ago: renew it", -days)),
        days if days < EXPIRY_DAYS_MIN => {
            findings.note(what, format!("expires in {days} days: renew it, then send SIGHUP"));
        }
        days => findings.good(what, format!("expires in {days} days")),
    }
    if certificate.self_signed {
        findings.note(what, "signed by itself: clients will ask their users, other servers refuse");
    }
}

async fn store(settings: &Settings, runs: bool, findings: &mut Findings) {
    let shown = settings.store.shown();
    if settings.store.relaxed {
        findings.note("store", "store.relaxed: what was acknowledged may be lost in a power cut");
    }
    if runs {
        return findings.good("store", format!("{shown}, in the hands of the running server"));
    }
    let last = match open_store(settings).await {
        Ok(store) => store.last().await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    match last {
        Ok((_, last)) => {
            findings.good("store", format!("{shown}: reachable, its schema is ours"));
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            let stamp = u128::from(last.0.cast_unsigned() >> 20);
            if stamp > now + u128::from(AHEAD_MS_MAX) {
                let seconds = (stamp - now) / 1000;
                let said = "new messages get the time of the last one until the clock is there";
                findings.note("clock", format!("{seconds} s behind the store: {said}"));
            }
        }
        Err(error) => findings.wrong("store", format!("{error:#}; see store.url")),
    }
}

fn ports(settings: &Settings, runs: bool, findings: &mut Findings) {
    let listen = &settings.listen;
    let all = [
        ("listen.c2s", &listen.c2s),
        ("listen.c2s_tls", &listen.c2s_tls),
        ("listen.http", &listen.http),
    ];
    for (setting, addresses) in all {
        for address in addresses {
            match net::listen::bind(setting, &[*address]) {
                Ok(_) => findings.good("port", format!("{address} is free ({setting})")),
                Err(taken) if runs && taken.error.kind() == std::io::ErrorKind::AddrInUse => {
                    findings.good("port", format!("{address} is ours already ({setting})"));
                }
                Err(taken) => {
                    findings.wrong("port", format!("{taken}; stop that, or set {setting}"));
                }
            }
        }
    }
}
