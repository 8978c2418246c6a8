//! Every limit of the shell, each with its unit last.

use std::time::Duration;

/// What one peer, or all of them, may make the shell hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections of clients, all together.
    pub connections_max: usize,
    /// Connections of clients from one address (IPv6: from one /64). Of this and all others of one
    /// address, 0: any number.
    pub connections_per_address_max: usize,
    /// So many of them at once, and as many within a minute, whether they stay or not.
    pub connections_per_address_per_minute_max: u64,
    /// What one connection may send, on average; 0: any number.
    pub bytes_per_second_max: u64,
    /// Sessions of BOSH, all together.
    pub bosh_sessions_max: usize,
    /// Sessions of BOSH from one address (IPv6: from one /64).
    pub bosh_sessions_per_address_max: usize,
    /// Logins of people who stay unknown (XEP-0175), within an hour.
    pub anonymous_per_hour_max: u64,
    /// The same from one address (IPv6: from one /64).
    pub anonymous_per_address_per_hour_max: u64,
    /// For a TLS handshake.
    pub handshake_ms_max: u64,
    /// For what was written to a connection to be acknowledged by the system of its peer.
    pub unreached_ms_max: u32,
    /// For the head of an HTTP request, from when it may come.
    pub http_head_ms_max: u64,
    /// From the first word of stopping to the last.
    pub shutdown_ms_max: u64,
    /// Stanzas of one stream that are not settled yet. When it is spent, its socket is not read.
    pub credit_stanzas_max: usize,
    /// The same in bytes.
    pub credit_bytes_max: usize,
    /// Stanzas that wait for one socket. One more ends its stream.
    pub mailbox_stanzas_max: usize,
    /// The same in bytes.
    pub mailbox_bytes_max: usize,
    /// What may wait for all sockets together before no mailbox may hold more than that, in bytes:
    /// until then one may hold an eighth of what is left of it.
    pub mailboxes_bytes_max: usize,
    /// Parcels that wait for one shard before stanzas between accounts are refused.
    pub inbox_parcels_max: usize,
    /// Reads of the store at the same time.
    pub reads_max: usize,
    /// Passwords hashed at the same time; 0: as many as there are cores. By Argon2id each takes
    /// the memory that it is set to.
    pub hashes_running_max: usize,
    /// Passwords that wait to be hashed. Who comes then is told to come again.
    pub hashes_waiting_max: usize,
    /// Failed logins to one account from one address, before more of them are refused; 0: none are.
    pub login_failures_max: u64,
    /// Failed logins from one address, whatever the accounts.
    pub login_failures_per_address_max: u64,
    /// Failed logins to one account, wherever from, before all are delayed for the longest time.
    pub login_failures_per_account_max: u64,
    /// In this time so many are forgotten; and so long are logins refused.
    pub login_failures_ms: u64,
    /// The longest delay of a login.
    pub login_delay_ms_max: u64,
    /// Accounts, addresses, and pairs of both, of which failed logins are counted: of each so many.
    pub login_failures_kept_max: usize,
    /// For a request that reads the store.
    pub world_ms_max: u64,
    /// How long a unit waits for a store that is away.
    pub store_patience_ms: u64,
    /// From the beginning of one commit to that of the next one, at least.
    pub gather_ms: u64,
    /// How many days entries of the log are kept; 0: forever.
    pub keep_days_max: u64,
    /// How many entries of one log are kept, its newest; 0: any number.
    pub keep_entries_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 100_000,
            connections_per_address_max: 10_000,
            connections_per_address_per_minute_max: 10_000,
            bytes_per_second_max: 256 << 10,
            bosh_sessions_max: 10_000,
            bosh_sessions_per_address_max: 1_000,
            anonymous_per_hour_max: 10_000,
            anonymous_per_address_per_hour_max: 100,
            handshake_ms_max: 10_000,
            unreached_ms_max: 30_000,
            http_head_ms_max: 60_000,
            shutdown_ms_max: 10_000,
            credit_stanzas_max: 64,
            credit_bytes_max: 256 << 10,
            mailbox_stanzas_max: 4_000,
            mailbox_bytes_max: 2 << 20,
            mailboxes_bytes_max: 256 << 20,
            inbox_parcels_max: 100_000,
            reads_max: 32,
            hashes_running_max: 0,
            hashes_waiting_max: 4_000,
            login_failures_max: 10,
            login_failures_per_address_max: 100,
            login_failures_per_account_max: 100,
            login_failures_ms: 600_000,
            login_delay_ms_max: 4_000,
            login_failures_kept_max: 100_000,
            world_ms_max: 30_000,
            store_patience_ms: 10_000,
            gather_ms: 0,
            keep_days_max: 0,
            keep_entries_max: 0,
        }
    }
}

/// Unsent bytes of one connection from which on nothing more is made for it, nor read from it.
pub(crate) const UNSENT_BYTES_MAX: usize = 32 << 10;
/// Bytes of letters made ready for a socket at once.
pub(crate) const TAKEN_BYTES_MAX: usize = 32 << 10;
/// Bytes read from a socket at once. On the stack while it is polled: an idle connection has no
/// buffer.
pub(crate) const READ_BYTES_MAX: usize = 16 << 10;
/// Bytes of a TLS record, or of a handshake message of several, with room for some more.
pub(crate) const TLS_INCOMING_BYTES_MAX: usize = 20 << 10;
/// Bytes encrypted at once.
pub(crate) const TLS_PLAIN_BYTES_MAX: usize = 64 << 10;
/// Certificates in what a client shows of itself: its own, and who vouches for whom.
pub(crate) const CLIENT_CHAIN_CERTIFICATES_MAX: usize = 8;
/// The same in bytes: whoever resumes the session says them again, and that must fit into
/// `TLS_INCOMING_BYTES_MAX`.
pub(crate) const CLIENT_CHAIN_BYTES_MAX: usize = 12 << 10;
/// Addresses in one certificate.
pub(crate) const CLIENT_IDENTITIES_MAX: usize = 16;
/// Addresses whose connections within a minute are counted.
pub(crate) const ARRIVALS_KEPT_ADDRESSES_MAX: usize = 100_000;
/// Connections that the kernel may hold ready for us.
pub(crate) const BACKLOG_CONNECTIONS_MAX: u32 = 4096;
/// How long accepting pauses when the system has no more sockets.
pub(crate) const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// How long certificates are not looked at.
pub(crate) const WATCH_PAUSE: Duration = Duration::from_secs(5);
/// Orders for certificates at the same time.
pub(crate) const ACME_ORDERS_MAX: usize = 4;
/// For one order, from the account to the certificate.
pub(crate) const ACME_ORDER_TIME_MAX: Duration = Duration::from_secs(300);
/// For an authority to find out that a domain is ours, and to make a certificate.
pub(crate) const ACME_POLL_TIME_MAX: Duration = Duration::from_secs(120);
/// From an order that failed to the next one. Each failure doubles it: five in the first hour, as
/// many as Let's Encrypt takes.
pub(crate) const ACME_BACKOFF_SECONDS_MIN: i64 = 120;
/// From one order to the next at the most.
pub(crate) const ACME_BACKOFF_SECONDS_MAX: i64 = 6 * 3600;
/// One request of the operator.
pub(crate) const REQUEST_BYTES_MAX: usize = 64 << 10;
/// Accounts in one answer to the operator.
pub(crate) const PAGE_ACCOUNTS_MAX: usize = 1000;
/// Bytes of a PROXY header behind its fixed part: addresses, and what balancers add.
pub(crate) const PROXY_BYTES_MAX: usize = 2048;
/// Bytes of the head of an HTTP request, or of its body, that are read ahead.
pub(crate) const HTTP_BUFFER_BYTES_MAX: usize = 16 << 10;
/// Connections of HTTP from this machine when all others are taken.
pub(crate) const HTTP_RESERVE_CONNECTIONS: usize = 16;
/// Lines in the head of an HTTP request.
pub(crate) const HTTP_HEADERS_MAX: usize = 64;
/// How long an answer by HTTP may wait for a peer that does not take it.
pub(crate) const HTTP_SILENCE_MAX: Duration = Duration::from_secs(30);
