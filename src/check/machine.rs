//! What stands on this machine: settings, data, store and ports.

use super::finding::Finding;
use crate::{open_store, settings::Settings};
use std::time::{SystemTime, UNIX_EPOCH};

/// How far the store may be ahead of the clock before it is worth a word.
const AHEAD_MS_MAX: u64 = 1_000;

/// What the settings say about themselves.
pub fn settings(settings: &Settings) -> Vec<Finding> {
    let what = "settings";
    let mut findings = vec![match &settings.file {
        Some(file) => Finding::ok(what, file.display().to_string()),
        None => Finding::ok(what, "no waxwing.toml: the defaults"),
    }];
    findings.extend(settings.listen.unserved.iter().map(|key| {
        let found = format!("listen.{key} is not served by this version");
        Finding::warning(what, found, "remove it")
    }));
    findings.push(match settings.make_data() {
        Ok(()) => Finding::ok("data", settings.data.display().to_string()),
        Err(error) => Finding::problem("data", format!("{error:#}"), "set server.data"),
    });
    findings
}

/// Whether the store can be had, and is not ahead of the clock.
pub async fn store(settings: &Settings, runs: bool) -> Vec<Finding> {
    let what = "store";
    let shown = settings.store.shown();
    let mut findings = Vec::new();
    if settings.store.relaxed {
        let found = "what was acknowledged may be lost in a power cut";
        findings.push(Finding::warning(what, found, "set store.relaxed = \"no\""));
    }
    if runs {
        let found = format!("{shown}, in the hands of the running server");
        findings.push(Finding::ok(what, found));
        return findings;
    }
    let last = match open_store(settings).await {
        Ok(store) => store.last().await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    match last {
        Ok((_, last)) => {
            findings.push(Finding::ok(what, format!("{shown}: reachable, its schema is ours")));
            findings.extend(clock(last.0.cast_unsigned() >> 20));
        }
        Err(error) => {
            findings.push(Finding::problem(what, format!("{error:#}"), "see store.url"));
        }
    }
    findings
}

fn clock(stamp: u64) -> Option<Finding> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let ahead = u128::from(stamp).checked_sub(now)?;
    let found = format!("{} s behind the store", ahead / 1000);
    let mend = "set it; new messages get the time of the last one until it is there";
    (ahead > u128::from(AHEAD_MS_MAX)).then(|| Finding::warning("clock", found, mend))
}

/// Whether the ports can be had, or are ours.
pub fn ports(settings: &Settings, runs: bool) -> Vec<Finding> {
    let listen = &settings.listen;
    let all = [
        ("listen.c2s", &listen.c2s),
        ("listen.c2s_tls", &listen.c2s_tls),
        ("listen.http", &listen.http),
        ("listen.https", &listen.https),
    ];
    let mut findings = Vec::new();
    for (setting, addresses) in all {
        findings.extend(addresses.iter().map(|address| {
            match net::listen::bind_one(setting, *address, addresses) {
                Ok(_) => Finding::ok("port", format!("{address} is free ({setting})")),
                Err(taken) if runs && taken.error.kind() == std::io::ErrorKind::AddrInUse => {
                    Finding::ok("port", format!("{address} is ours already ({setting})"))
                }
                Err(taken) => {
                    let mend = format!("stop that, or set {setting}");
                    Finding::problem("port", taken.to_string(), mend)
                }
            }
        }));
    }
    findings
}
