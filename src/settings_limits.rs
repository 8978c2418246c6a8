//! The settings of `[limits]`: what one peer, or all of them, may make the server hold.

use crate::{
    settings_table::{Kind, Setting},
    settings_values::Values,
};
use engine::wire::Limits;

const fn limit(
    key: &'static str,
    (from, to): (u64, u64),
    default: &'static str,
    doc: &'static str,
) -> Setting {
    Setting { section: "limits", key, kind: Kind::Number(from, to), default, doc }
}

/// The table of them. Its order is that of `waxwing settings`.
pub const LIMITS: &[Setting] = &[
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
        (0, 10_000_000),
        "10000",
        "Connections of clients from one address (IPv6: from one /64). 0: any number, for where \
         they all seem to come from one: behind a proxy on another machine that cannot say for \
         whom it comes. One that can is named in listen.proxies, and everybody has an own address \
         again.",
    ),
    limit(
        "connections_per_address_per_minute_max",
        (0, 10_000_000),
        "10000",
        "The same, within a minute, whether they stay or not. Not of loopback, where a proxy may \
         be. 0: any number, when connections_per_address_max is 0.",
    ),
    limit(
        "bytes_per_second_max",
        (0, 1_000_000_000),
        "262144",
        "What one connection of a client may send, on average: it is read no faster (RFC 6120 \
         §13.12), so that nobody who floods the server makes others wait. That is five hundred \
         messages a second. 0: as fast as it comes.",
    ),
    limit(
        "handshake_seconds_max",
        (1, 600),
        "10",
        "For a TLS handshake, and before it for the header of a load balancer.",
    ),
    limit(
        "unreached_seconds_max",
        (5, 3_600),
        "30",
        "How long what was sent to a client may stay unacknowledged by its system (TCP), before \
         its connection is given up: then its device is notified (XEP-0357). Not of clients behind \
         a web server or load balancer, whose own limit counts: see unanswered_seconds_max.",
    ),
    limit(
        "http_head_seconds_max",
        (1, 600),
        "60",
        "For the head of an HTTP request, counted from the answer to the one before.",
    ),
    limit(
        "auth_seconds_max",
        (1, 3600),
        "30",
        "From the connection to the bound resource; ten times as long for who fills in a form \
         (XEP-0077).",
    ),
    limit(
        "auth_tries_max",
        (2, 5),
        "3",
        "Failed logins on one stream (RFC 6120 §6.4.5). One by each mechanism of SCRAM that fails \
         because its client binds it by a type that is not offered is not counted.",
    ),
    limit(
        "login_failures_max",
        (0, 1_000_000),
        "10",
        "Failed logins to one account from one address (IPv6: from one /64), before it is refused \
         there; elsewhere it is not. Logins are delayed from a third of them on. 0: any number, \
         where all seem to come from one address: else one who guesses keeps the owner out.",
    ),
    limit(
        "login_failures_per_address_max",
        (0, 1_000_000),
        "100",
        "The same from one address, whatever the accounts. Not of loopback, where a proxy may be. \
         0: any number, when connections_per_address_max is 0: else one who guesses keeps all out.",
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
        "unanswered_seconds_max",
        (10, 3_600),
        "60",
        "How long a client that is asked what it has got (XEP-0198) may say nothing at all, before \
         its stream is ended: then its device is notified (XEP-0357), and its client can resume. \
         Also behind a load balancer, and of one whose system is there while it is not.",
    ),
    limit(
        "detached_shown_seconds",
        (0, 604_800),
        "300",
        "How long contacts see a client that has lost its stream and may come back.",
    ),
    limit(
        "restart_shown_seconds",
        (0, 86_400),
        "60",
        "The same after the server has started, so that contacts see no restart.",
    ),
    limit(
        "close_seconds_max",
        (1, 60),
        "5",
        "For the peer's goodbye, and for unsent bytes to leave.",
    ),
    limit("shutdown_seconds_max", (1, 600), "10", "From SIGTERM to the end of the process."),
    limit(
        "stanza_bytes_max",
        (10_000, 16_777_216),
        "262144",
        "One stanza of a client. limits.mailbox_bytes_max must be 1 MiB more.",
    ),
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
    limit(
        "mailbox_stanzas_max",
        (3_000, 1_000_000),
        "4000",
        "Stanzas that wait for one slow client.",
    ),
    limit(
        "mailbox_bytes_max",
        // What a resumed session is told at once (XEP-0198 §5), and one stanza more.
        (1_310_720, 1_073_741_824),
        "2097152",
        "The same in bytes.",
    ),
    limit(
        "mailboxes_bytes_max",
        (0, 68_719_476_736),
        "268435456",
        "What may wait for all clients together, in bytes, before none is given more than that: \
         until then one may have an eighth of what is left of it.",
    ),
    limit("inbox_parcels_max", (100, 10_000_000), "100000", "Stanzas that wait for one core."),
    limit(
        "sessions_max",
        (1, 1000),
        "64",
        "Clients of one account at the same time, those included that may come back to their \
         session; for one more, the one ends that has been away for longest.",
    ),
    limit(
        "roster_items_max",
        (10, 100_000),
        "2000",
        "Contacts of one account. As its clients are told them they may take 512 KiB together, or \
         256 bytes for each that is allowed here, if that is more. limits.mailbox_bytes_max must \
         be twice that, and limits.mailbox_stanzas_max 1000 more than contacts. Clients that are \
         told more than 1 MiB at once cannot resume that session.",
    ),
    limit("directed_max", (10, 100_000), "1000", "Addresses one client sent directed presence to."),
    limit(
        "recipients_per_minute_max",
        (0, 1_000_000),
        "0",
        "Accounts that one client may write to within a minute, before it is told to wait (RFC \
         6120 §13.12); 0: any number.",
    ),
    limit(
        "archive_messages_per_minute_max",
        (0, 100_000_000),
        "60000",
        "Messages that the clients of one account are told out of its archive within a minute: as \
         many at once, then as they come free; what is asked for meanwhile waits. 0: any number.",
    ),
    limit("bosh_sessions_max", (1, 10_000_000), "10000", "Sessions of BOSH, all together."),
    limit(
        "bosh_sessions_per_address_max",
        (0, 10_000_000),
        "1000",
        "Sessions of BOSH from one address (IPv6: from one /64). 0: any number, when \
         connections_per_address_max is 0.",
    ),
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
    limit(
        "anonymous_per_hour_max",
        (1, 10_000_000),
        "10000",
        "Logins at the domains of auth.anonymous_domains within an hour.",
    ),
    limit(
        "anonymous_per_address_per_hour_max",
        (0, 10_000_000),
        "100",
        "The same from one address (IPv6: from one /64). 0: any number, when \
         connections_per_address_max is 0.",
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
];

/// What one peer may make a stream hold.
pub fn streams(values: &mut Values) -> engine::settings::StreamLimits {
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    engine::settings::StreamLimits {
        before_auth: Limits {
            stanza_bytes_max: size(values.limit("stanza_bytes_before_auth_max")),
            ..Limits::BEFORE_AUTH
        },
        after_auth: Limits {
            stanza_bytes_max: size(values.limit("stanza_bytes_max")),
            ..Limits::CLIENT
        },
        auth_ms_max: 1000 * values.limit("auth_seconds_max"),
        auth_tries_max: u32::try_from(values.limit("auth_tries_max")).unwrap_or(u32::MAX),
        close_ms_max: 1000 * values.limit("close_seconds_max"),
        idle_ms_max: 1000 * values.limit("idle_seconds_max"),
        unanswered_ms_max: 1000 * values.limit("unanswered_seconds_max"),
        detached_shown_ms: 1000 * values.limit("detached_shown_seconds"),
        revived_shown_ms: 1000 * values.limit("restart_shown_seconds"),
        sessions_max: size(values.limit("sessions_max")),
        roster_items_max: size(values.limit("roster_items_max")),
        directed_max: size(values.limit("directed_max")),
        recipients_per_minute_max: size(values.limit("recipients_per_minute_max")),
        archive_messages_per_minute_max: values.limit("archive_messages_per_minute_max"),
        bosh: engine::settings::BoshLimits {
            wait_ms_max: 1000 * values.limit("bosh_wait_seconds_max"),
            hold_max: size(values.limit("bosh_hold_max")),
            inactivity_ms: 1000 * values.limit("bosh_inactivity_seconds"),
            polling_ms: 1000 * values.limit("bosh_polling_seconds"),
            pause_ms_max: 1000 * values.limit("bosh_pause_seconds_max"),
        },
    }
}

/// What all of them may make the server hold.
pub fn shell(values: &mut Values) -> net::Limits {
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    net::Limits {
        connections_max: size(values.limit("connections_max")),
        connections_per_address_max: size(values.limit("connections_per_address_max")),
        connections_per_address_per_minute_max: values
            .limit("connections_per_address_per_minute_max"),
        bytes_per_second_max: values.limit("bytes_per_second_max"),
        bosh_sessions_max: size(values.limit("bosh_sessions_max")),
        bosh_sessions_per_address_max: size(values.limit("bosh_sessions_per_address_max")),
        anonymous_per_hour_max: values.limit("anonymous_per_hour_max"),
        anonymous_per_address_per_hour_max: values.limit("anonymous_per_address_per_hour_max"),
        handshake_ms_max: 1000 * values.limit("handshake_seconds_max"),
        unreached_ms_max: u32::try_from(1000 * values.limit("unreached_seconds_max"))
            .unwrap_or(u32::MAX),
        http_head_ms_max: 1000 * values.limit("http_head_seconds_max"),
        shutdown_ms_max: 1000 * values.limit("shutdown_seconds_max"),
        credit_stanzas_max: size(values.limit("credit_stanzas_max")),
        credit_bytes_max: size(values.limit("credit_bytes_max")),
        mailbox_stanzas_max: size(values.limit("mailbox_stanzas_max")),
        mailbox_bytes_max: size(values.limit("mailbox_bytes_max")),
        mailboxes_bytes_max: size(values.limit("mailboxes_bytes_max")),
        inbox_parcels_max: size(values.limit("inbox_parcels_max")),
        reads_max: size(values.limit("reads_max")),
        login_failures_max: values.limit("login_failures_max"),
        login_failures_per_address_max: values.limit("login_failures_per_address_max"),
        login_failures_per_account_max: values.limit("login_failures_per_account_max"),
        login_failures_ms: 1000 * values.limit("login_failures_seconds"),
        login_delay_ms_max: 1000 * values.limit("login_delay_seconds_max"),
        login_failures_kept_max: size(values.limit("login_failures_kept_max")),
        hashes_running_max: size(values.limit("hashes_running_max")),
        hashes_waiting_max: size(values.limit("hashes_waiting_max")),
        world_ms_max: 1000 * values.limit("world_seconds_max"),
        store_patience_ms: 1000 * values.limit("store_patience_seconds"),
        gather_ms: values.number("store", "gather_ms"),
        keep_days_max: values.number("store", "keep_days_max"),
        keep_entries_max: values.number("store", "keep_entries_max"),
    }
}
