//! The metrics of the shell. Handles are made once; a record is an atomic increment.

use engine::wire::Kind;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

const STANZAS: &str = "waxwing_stanzas_total";
const FATES: &str = "waxwing_message_fates_total";
const COMMIT_SECONDS: &str = "waxwing_commit_seconds";
const COMMIT_UNITS: &str = "waxwing_commit_units";
const CERTIFICATE_EXPIRY: &str = "waxwing_certificate_expiry_seconds";
const CERTIFICATE_SELF_SIGNED: &str = "waxwing_certificate_self_signed";

/// Counters, gauges, histograms.
pub struct Meters {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    received: [Counter; 3],
    sent: [Counter; 3],
    /// Streams now.
    pub(crate) connections: Gauge,
    /// Sessions of BOSH now.
    pub(crate) bosh: Gauge,
    /// Connections of HTTP now.
    pub(crate) guests: Gauge,
    /// Stanzas that wait for sockets.
    pub(crate) mailboxes: Gauge,
    /// Parcels that wait for shards.
    pub(crate) inboxes: Gauge,
    /// Units that wait for the writer.
    pub(crate) units: Gauge,
    /// Stanzas that a full inbox refused.
    pub(crate) dropped: Counter,
    /// Logins that had to wait, because others had failed.
    pub(crate) delayed: Counter,
    /// How long a commit took.
    pub(crate) commit_seconds: Histogram,
    /// How many units it took in.
    pub(crate) commit_units: Histogram,
}

impl Default for Meters {
    fn default() -> Self {
        Self::new()
    }
}

impl Meters {
    /// All at zero.
    pub fn new() -> Self {
        let seconds = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1];
        let seconds: Vec<f64> = seconds.into_iter().chain([0.25, 0.5, 1.0, 2.5, 5.0]).collect();
        let units: Vec<f64> = (0..11).map(|power| f64::from(1 << power)).collect();
        let buckets = |name: &str| Matcher::Full(name.to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(buckets(COMMIT_SECONDS), &seconds)
            .and_then(|it| it.set_buckets_for_metric(buckets(COMMIT_UNITS), &units))
            .expect("there are buckets")
            .build_recorder();
        metrics::with_local_recorder(&recorder, describe);
        let stanzas = |direction: &'static str| {
            [Kind::Message, Kind::Presence, Kind::Iq]
                .map(|kind| counter!(STANZAS, "kind" => kind.as_str(), "direction" => direction))
        };
        let (received, sent) =
            metrics::with_local_recorder(&recorder, || (stanzas("in"), stanzas("out")));
        let gauge = |name: &'static str| metrics::with_local_recorder(&recorder, || gauge!(name));
        let histogram =
            |name: &'static str| metrics::with_local_recorder(&recorder, || histogram!(name));
        Self {
            received,
            sent,
            connections: gauge("waxwing_active_connections"),
            bosh: gauge("waxwing_bosh_sessions"),
            guests: gauge("waxwing_http_connections"),
            mailboxes: gauge("waxwing_message_queue_depth"),
            inboxes: gauge("waxwing_inbox_depth"),
            units: gauge("waxwing_writer_queue_depth"),
            commit_seconds: histogram(COMMIT_SECONDS),
            commit_units: histogram(COMMIT_UNITS),
            delayed: metrics::with_local_recorder(&recorder, || {
                counter!("waxwing_logins_delayed_total")
            }),
            dropped: metrics::with_local_recorder(&recorder, || {
                counter!("waxwing_stanzas_dropped_total")
            }),
            handle: recorder.handle(),
            recorder,
        }
    }

    /// A client sent a stanza.
    pub(crate) fn received(&self, kind: Kind) {
        self.received[index(kind)].increment(1);
    }

    /// A stanza goes to a client.
    pub(crate) fn sent(&self, kind: Kind) {
        self.sent[index(kind)].increment(1);
    }

    /// A login by this mechanism ended so.
    pub(crate) fn login(&self, mechanism: &'static str, outcome: &'static str) {
        metrics::with_local_recorder(&self.recorder, || {
            counter!("waxwing_logins_total", "mechanism" => mechanism, "outcome" => outcome)
                .increment(1);
        });
    }

    /// A TLS handshake ended so.
    pub(crate) fn handshake(&self, outcome: &'static str) {
        metrics::with_local_recorder(&self.recorder, || {
            counter!("waxwing_handshakes_total", "outcome" => outcome).increment(1);
        });
    }

    /// An order for a certificate ended so.
    pub(crate) fn ordered(&self, outcome: &'static str) {
        metrics::with_local_recorder(&self.recorder, || {
            counter!("waxwing_certificate_orders_total", "outcome" => outcome).increment(1);
        });
    }

    /// A domain is served with such a certificate.
    pub(crate) fn certificate(&self, domain: &str, expires: i64, self_signed: bool) {
        let expires = u32::try_from(expires.max(0)).unwrap_or(u32::MAX);
        metrics::with_local_recorder(&self.recorder, || {
            gauge!(CERTIFICATE_EXPIRY, "domain" => domain.to_owned()).set(expires);
            let self_signed = u32::from(self_signed);
            gauge!(CERTIFICATE_SELF_SIGNED, "domain" => domain.to_owned()).set(self_signed);
        });
    }

    /// A stream ended so.
    pub(crate) fn closed(&self, why: &'static str) {
        metrics::with_local_recorder(&self.recorder, || {
            counter!("waxwing_streams_closed_total", "why" => why).increment(1);
        });
    }

    /// A connection was not taken.
    pub(crate) fn refused(&self, why: &'static str) {
        metrics::with_local_recorder(&self.recorder, || {
            counter!("waxwing_connections_refused_total", "why" => why).increment(1);
        });
    }

    /// A message has come to this.
    pub(crate) fn fate(&self, fate: &'static str) {
        metrics::with_local_recorder(&self.recorder, || {
            counter!(FATES, "fate" => fate).increment(1);
        });
    }

    /// As Prometheus wants it.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }

    /// Moves what was recorded into its buckets. To be called now and then, also when nobody
    /// asks, for samples wait in memory until then.
    pub(crate) fn settle(&self) {
        self.handle.run_upkeep();
    }
}

fn index(kind: Kind) -> usize {
    match kind {
        Kind::Message => 0,
        Kind::Presence => 1,
        Kind::Iq => 2,
    }
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_gauge!("waxwing_active_connections", "Connections of clients now");
    describe_gauge!("waxwing_bosh_sessions", "Sessions of BOSH now");
    describe_gauge!("waxwing_http_connections", "Connections of HTTP now");
    describe_gauge!("waxwing_message_queue_depth", "Stanzas that wait for sockets");
    describe_gauge!("waxwing_inbox_depth", "Parcels that wait for shards");
    describe_gauge!("waxwing_writer_queue_depth", "Units that wait for the writer");
    describe_gauge!(CERTIFICATE_EXPIRY, "When a domain's certificate expires (since 1970)");
    describe_counter!("waxwing_certificate_orders_total", "Orders for certificates, by ACME");
    describe_gauge!(CERTIFICATE_SELF_SIGNED, "1: nobody vouches for a domain's certificate");
    describe_counter!(FATES, "What became of messages that nobody took at once, and notifications");
    describe_counter!(STANZAS, "Stanzas from and to clients");
    describe_counter!("waxwing_stanzas_dropped_total", "Stanzas that a full inbox refused");
    describe_counter!("waxwing_logins_total", "Logins");
    describe_counter!("waxwing_logins_delayed_total", "Logins that waited, as others had failed");
    describe_counter!("waxwing_handshakes_total", "TLS handshakes");
    describe_counter!("waxwing_streams_closed_total", "Streams that ended");
    describe_counter!("waxwing_connections_refused_total", "Connections not taken");
    describe_histogram!(COMMIT_SECONDS, "How long a commit took");
    describe_histogram!(COMMIT_UNITS, "Units of a commit");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_rendered() {
        let meters = Meters::new();
        meters.received(Kind::Iq);
        meters.login("PLAIN", "ok");
        meters.connections.set(3.0);
        meters.commit_units.record(5.0);
        meters.certificate("a.example", 1_800_000_000, false);
        let text = meters.render();
        for line in [
            "waxwing_stanzas_total{kind=\"iq\",direction=\"in\"} 1",
            "waxwing_stanzas_total{kind=\"iq\",direction=\"out\"} 0",
            "waxwing_logins_total{mechanism=\"PLAIN\",outcome=\"ok\"} 1",
            "waxwing_active_connections 3",
            "waxwing_certificate_expiry_seconds{domain=\"a.example\"} 1800000000",
            "waxwing_certificate_self_signed{domain=\"a.example\"} 0",
            "waxwing_commit_units_bucket{le=\"8\"} 1",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
        }
    }
}
