//! A server under siege: attacked over every transport at once, while others must not notice.

use super::{Doors, Intruder, PASSWORD, SETTINGS, Told};
use crate::{
    server::Server,
    watch::{Echo, is_calm, log},
};
use conformance::driver::Transport;
use regex::Regex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::timeout};

/// Between two messages of who must not notice anything.
const BEAT: Duration = Duration::from_millis(50);

/// A server, who watches it, and what it must have counted and logged by now.
pub struct Siege {
    pub server: Arc<Server>,
    echo: Echo,
    told: Told,
}

/// The same attack over every transport, and nothing else.
pub async fn besieged(attack: fn(&mut Intruder)) {
    let mut siege = Siege::start().await;
    siege.bears(attack).await;
    siege.ends().await;
}

impl Siege {
    pub async fn start() -> Self {
        Self::of(Server::start(SETTINGS).await).await
    }

    /// Of this server, which speaks for localhost.
    pub async fn of(server: Server) -> Self {
        server.add("juliet@localhost", "secret").await;
        server.add("romeo@localhost", PASSWORD).await;
        let echo = Echo::start(&server).await;
        Self { server: Arc::new(server), echo, told: Told::default() }
    }

    /// An attack over every transport at once; what comes of it over each, in their order.
    pub async fn bears<T: Send + 'static>(
        &mut self,
        attack: impl Fn(&mut Intruder) -> T + Clone + Send + 'static,
    ) -> Vec<T> {
        let doors = Doors::of(&self.server);
        let mut attacks = JoinSet::new();
        for over in Transport::ALL {
            let attack = attack.clone();
            attacks.spawn_blocking(move || {
                let mut intruder = Intruder::new(over, doors, true);
                let found = attack(&mut intruder);
                (over as usize, intruder.told, found)
            });
        }
        let mut found = BTreeMap::new();
        loop {
            self.echo.sounds().await;
            match timeout(BEAT, attacks.join_next()).await {
                Ok(Some(one)) => {
                    let (over, told, one) = one.unwrap();
                    self.told.refused.extend(told.refused);
                    self.told.secrets.extend(told.secrets);
                    found.insert(over, one);
                }
                Ok(None) => return found.into_values().collect(),
                Err(_) => {}
            }
        }
    }

    /// Whatever was refused has been counted and logged, and nothing has broken.
    pub async fn ends(self) {
        are_told(&self.server, &self.told).await;
        is_calm(&self.server);
    }
}

/// Every refusal, and no other, has been counted and logged; no secret has.
async fn are_told(server: &Server, told: &Told) {
    let mut counts = BTreeMap::new();
    for (mechanism, why) in &told.refused {
        *counts.entry((mechanism.clone(), why.clone())).or_insert(0) += 1;
    }
    let metrics = server.get("/metrics").await;
    let line = r#"(?m)^waxwing_logins_total\{mechanism="([^"]*)",outcome="([^"]*)"\} (\d+)$"#;
    let line = Regex::new(line).unwrap();
    let counted: BTreeMap<_, usize> = line
        .captures_iter(&metrics)
        .filter(|found| &found[2] != "ok")
        .map(|found| ((found[1].to_owned(), found[2].to_owned()), found[3].parse().unwrap()))
        .collect();
    assert_eq!(counted, counts);
    let log = log(server);
    let line = r#""login failed","peer":"127\.0\.0\.1:\d+","mechanism":"([^"]*)","why":"([^"]*)""#;
    let line = Regex::new(line).unwrap();
    let mut logged = BTreeMap::new();
    for said in log.lines().filter(|said| said.contains("login failed")) {
        let found = line.captures(said).unwrap_or_else(|| panic!("{said}"));
        *logged.entry((found[1].to_owned(), found[2].to_owned())).or_insert(0) += 1;
    }
    assert_eq!(logged, counts);
    for secret in &told.secrets {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
}
