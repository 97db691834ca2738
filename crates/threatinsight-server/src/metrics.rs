//! What `/metrics` tells, in OpenMetrics text that Prometheus reads. Every label is bounded.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use threatinsight::{Decision, Engine};

/// The counters; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) events_written: Counter,
    pub(crate) events_dropped: Counter,
    pub(crate) compile_seconds: Histogram,
    /// When the served snapshot came into being, in seconds since the Unix epoch.
    pub(crate) snapshot_since: Gauge,
    decisions: Family<DecisionLabels, Counter>,
    unjudged: Family<GatewayLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    entries: Family<FeedLabels, Gauge>,
    registry: Arc<Registry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    verdict: Label<threatinsight::Verdict>,
    reason: Label<threatinsight::Reason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GatewayLabels {
    gateway: &'static str,
}

/// A label whose value displays itself, and has few values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Label<T>(T);

impl<T: fmt::Display> prometheus_client::encoding::EncodeLabelValue for Label<T> {
    fn encode(
        &self,
        encoder: &mut prometheus_client::encoding::LabelValueEncoder<'_>,
    ) -> Result<(), fmt::Error> {
        use fmt::Write as _;

        write!(encoder, "{}", self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FeedLabels {
    feed: String,
}

impl Metrics {
    pub(crate) fn new(engine: Engine) -> Self {
        let mut registry = Registry::with_prefix("threatinsight");
        let decisions = Family::default();
        registry.register(
            "decisions",
            "Requests judged, by verdict and reason",
            decisions.clone(),
        );
        let unjudged = Family::default();
        registry.register(
            "unjudged",
            "Requests that a gateway asked about without naming a client",
            unjudged.clone(),
        );
        let events_written = Counter::default();
        registry.register(
            "log_events_written",
            "Log events stored",
            events_written.clone(),
        );
        let events_dropped = Counter::default();
        registry.register(
            "log_events_dropped",
            "Log events lost",
            events_dropped.clone(),
        );
        let requests = Family::default();
        registry.register(
            "api_requests",
            "API requests, by route and status",
            requests.clone(),
        );
        let entries = Family::default();
        registry.register("entries", "Entries enforced now, by feed", entries.clone());
        let compile_seconds = Histogram::new(exponential_buckets(0.000_1, 4.0, 9));
        let help = "Time to compile a list or a policy";
        registry.register("compile_seconds", help, compile_seconds.clone());
        let snapshot_since = Gauge::default();
        registry.register(
            "snapshot_timestamp_seconds",
            "When the served snapshot was swapped in",
            snapshot_since.clone(),
        );
        registry.register_collector(Box::new(Served(engine)));
        Self {
            events_written,
            events_dropped,
            compile_seconds,
            snapshot_since,
            decisions,
            unjudged,
            requests,
            entries,
            registry: Arc::new(registry),
        }
    }

    pub(crate) fn decided(&self, decision: &Decision<'_>) {
        let labels = DecisionLabels {
            verdict: Label(decision.verdict),
            reason: Label(decision.reason()),
        };
        self.decisions.get_or_create(&labels).inc();
    }

    /// A gateway asked about a request that cannot be judged, for `error`.
    pub(crate) fn not_judged(&self, gateway: &'static str, error: &str) {
        let before = self
            .unjudged
            .get_or_create(&GatewayLabels { gateway })
            .inc();
        // Nearly always the gateway's configuration is wrong, and all its requests are like the first.
        if before == 0 {
            tracing::warn!(
                gateway,
                error,
                "a request cannot be judged; others are counted in threatinsight_unjudged_total"
            );
        }
    }

    pub(crate) fn answered(&self, method: &'static str, route: String, status: u16) {
        let labels = RequestLabels {
            method,
            route,
            status,
        };
        self.requests.get_or_create(&labels).inc();
    }

    /// Says how many entries of each feed are served; feeds that are not among them are gone.
    pub(crate) fn enforced(&self, entries: &[(String, usize)]) {
        self.entries.clear();
        for (feed, live) in entries {
            let labels = FeedLabels { feed: feed.clone() };
            let gauge = self.entries.get_or_create(&labels);
            gauge.set(i64::try_from(*live).unwrap_or(i64::MAX));
        }
    }

    /// The text of `/metrics`.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// What the engine serves, read when it is asked for.
#[derive(Debug)]
struct Served(Engine);

impl Collector for Served {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let snapshot = self.0.load();
        let generation = ConstGauge::new(i64::try_from(snapshot.generation()).unwrap_or(i64::MAX));
        generation.encode(encoder.encode_descriptor(
            "snapshot_generation",
            "The number of the served snapshot",
            None,
            generation.metric_type(),
        )?)
    }
}
