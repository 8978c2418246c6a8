//! What the engine must know of the operator's choices. Parsed elsewhere, from TOML.

use crate::{archive::Names, setting::Value};
use std::{collections::BTreeMap, sync::Arc};
use wire::{Bare, Limits};

/// The engine's part of the settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The domains served, prepared. Never empty; the first is the default.
    pub domains: Vec<Bare>,
    /// Of them those where whoever wants is somebody for as long as a session lives (XEP-0175), and
    /// nobody logs in otherwise.
    pub anonymous: Vec<Bare>,
    /// Accounts that may act as any other account here, with their own password.
    pub impersonators: Vec<Bare>,
    /// Administrators: who may do to accounts what the operator may.
    pub admins: Vec<Bare>,
    /// Where clients go when the server stops: a host and a port (RFC 6120 §4.9.3.19).
    pub drain_to: Option<Arc<str>>,
    /// Limits on what one peer may make us hold.
    pub limits: StreamLimits,
    /// How passwords are kept.
    pub passwords: Passwords,
    /// Keyed into the salts of accounts that do not exist, so that they look like those that do.
    pub secret: [u8; 32],
    /// Names the places of logs, by that secret.
    pub names: Names,
    /// What the tokens of devices are made with: who has it and the store can log in.
    pub token_key: [u8; 32],
    /// How long a token is good.
    pub token_ms_max: u64,
    /// Whether stanzas go to domains that are not served here. What is sent to one leaves the
    /// shard as a parcel for it.
    pub federates: bool,
    /// The domains of services, prepared, and the XEPs that host them (see `Hooks::services`).
    pub services: Vec<(Bare, u16)>,
    /// What was chosen about XEPs, by number and key.
    pub chosen: BTreeMap<(u16, &'static str), Value>,
}

impl Settings {
    /// Whether `domain` (prepared) is served here.
    pub fn serves(&self, domain: &str) -> bool {
        self.domains.iter().any(|served| served.domain() == domain)
    }

    /// The XEP whose service `domain` (prepared) is.
    pub fn service(&self, domain: &str) -> Option<u16> {
        let mut services = self.services.iter();
        services.find(|(host, _)| host.domain() == domain).map(|&(_, number)| number)
    }

    /// Whether `domain` is served here, or one of our services.
    pub fn hosts(&self, domain: &str) -> bool {
        self.serves(domain) || self.service(domain).is_some()
    }

    /// Whether a stanza for `domain` can be sent there: it is ours, or federates with us.
    pub fn reaches(&self, domain: &str) -> bool {
        self.federates || self.hosts(domain)
    }

    /// Whether the accounts of this domain, or at it, are of people who stay unknown.
    pub fn is_anonymous(&self, of: &Bare) -> bool {
        self.anonymous.iter().any(|domain| domain.domain() == of.domain())
    }

    /// Whether somebody might act as this account without its password.
    pub fn lends(&self, account: &Bare) -> bool {
        let served = self.serves(account.domain()) && !self.is_anonymous(account);
        !self.impersonators.is_empty() && served && account.local().is_some()
    }

    /// Whether this account may send a stanza to `domain`: who stays unknown here may not to other
    /// servers (XEP-0175 §2).
    pub fn lets_reach(&self, account: &Bare, domain: &str) -> bool {
        self.hosts(domain) || self.federates && !self.is_anonymous(account)
    }

    /// Settings of a server for these domains, everything else as documented.
    pub fn of(domains: Vec<Bare>, secret: [u8; 32]) -> Self {
        let limits = StreamLimits::default();
        let (anonymous, impersonators, admins, chosen, passwords) = Default::default();
        Self {
            domains,
            anonymous,
            impersonators,
            admins,
            drain_to: None,
            limits,
            passwords,
            secret,
            names: Names::of(&secret),
            token_key: secret,
            token_ms_max: 14 * 86_400_000,
            federates: false,
            services: Vec::new(),
            chosen,
        }
    }
}

/// The most memory that one Argon2id verifier may take, in KiB.
pub const ARGON2ID_KIB_MAX: u32 = 1 << 20;
/// The most passes that one may go over it.
pub const ARGON2ID_PASSES_MAX: u32 = 100;
/// The most lanes that one may have.
pub const ARGON2ID_LANES_MAX: u32 = 64;

/// How passwords are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passwords {
    /// Those that are new.
    pub storage: Storage,
    /// What `Storage::Argon2id` costs.
    pub argon2id: Argon2id,
    /// Whether there may be accounts whose passwords are kept by Argon2id though new ones are not:
    /// then whoever knows a password wrong pays for it, and is told nothing by the time it takes.
    pub mixed: bool,
}

/// What is kept of a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// The keys of all SCRAM hashes: clients need not tell their password.
    #[default]
    Scram,
    /// An Argon2id verifier: clients must tell it, by PLAIN.
    Argon2id,
}

/// What an Argon2id verifier costs (RFC 9106 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2id {
    /// Memory, in KiB: at least 8 a lane.
    pub kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Argon2id {
    /// The second recommended option (RFC 9106 §4), for who has not 2 GiB for each login.
    fn default() -> Self {
        Self { kib: 64 << 10, passes: 3, lanes: 4 }
    }
}

/// Limits per stream and account, each with its unit last.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// What the decoder allows before authentication.
    pub before_auth: Limits,
    /// What the decoder allows after it.
    pub after_auth: Limits,
    /// From the connection to the bound resource.
    pub auth_ms_max: u64,
    /// Failed SASL exchanges on a stream (RFC 6120 §6.4.5: at least 2, at most 5).
    pub auth_tries_max: u32,
    /// How long we wait for the peer's `</stream:stream>` (RFC 6120 §4.4).
    pub close_ms_max: u64,
    /// Silence after which we send white space, and again after which the stream has ended
    /// with `connection-timeout` (RFC 6120 §4.6).
    pub idle_ms_max: u64,
    /// The same for a peer that is to answer (XEP-0198 §4): silence after which it is gone.
    pub unanswered_ms_max: u64,
    /// How long a session that waits for its client is seen by its contacts (XEP-0198 §5).
    pub detached_shown_ms: u64,
    /// The same of one that was there before the process began: so they see no restart.
    pub revived_shown_ms: u64,
    /// Bound resources of one account.
    pub sessions_max: usize,
    /// Items of one roster.
    pub roster_items_max: usize,
    /// Addresses one session has sent directed presence to.
    pub directed_max: usize,
    /// Accounts that one session may write to within a minute; 0: any number (RFC 6120 §13.12).
    pub recipients_per_minute_max: usize,
    /// Messages of archives that the clients of one account are told within a minute; 0: any
    /// number.
    pub archive_messages_per_minute_max: u64,
    /// What sessions of BOSH may agree on.
    pub bosh: BoshLimits,
}

/// Limits of a session of BOSH (XEP-0124 §7.2), each with its unit last.
#[derive(Clone, Copy, Debug)]
pub struct BoshLimits {
    /// How long a request waits for its response.
    pub wait_ms_max: u64,
    /// Requests of one session that wait at once; the client may make one more.
    pub hold_max: usize,
    /// How long no request need be there.
    pub inactivity_ms: u64,
    /// How long a client that asks for nothing waits before it asks again; 0: not at all.
    pub polling_ms: u64,
    /// How long a client may say that it will not be there; 0: not at all.
    pub pause_ms_max: u64,
}

impl Default for BoshLimits {
    fn default() -> Self {
        Self {
            wait_ms_max: 60_000,
            hold_max: 2,
            inactivity_ms: 60_000,
            polling_ms: 5_000,
            pause_ms_max: 120_000,
        }
    }
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            before_auth: Limits::BEFORE_AUTH,
            after_auth: Limits::CLIENT,
            auth_ms_max: 30_000,
            auth_tries_max: 3,
            close_ms_max: 5_000,
            idle_ms_max: 600_000,
            unanswered_ms_max: 60_000,
            detached_shown_ms: 300_000,
            revived_shown_ms: 60_000,
            sessions_max: 64,
            roster_items_max: 2_000,
            directed_max: 1_000,
            recipients_per_minute_max: 0,
            archive_messages_per_minute_max: 60_000,
            bosh: BoshLimits::default(),
        }
    }
}
