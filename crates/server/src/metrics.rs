//! Prometheus metrics. None has a label for users, channels or sessions: such labels grow without
//! bound, and reveal secrets.

use std::{sync::OnceLock, time::Duration};

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tidings_protocol::ErrorCode;

/// Histogram buckets for times, in seconds: from a sync on a fast disk to a client that is given
/// up.
const SECONDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];
/// Histogram buckets for writes in one commit.
const WRITES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// The process's recorder: made once, shared by all servers in it. `None` if the embedding app has
/// its own recorder, which then gets the metrics.
pub fn recorder() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let handle = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
                .and_then(|builder| {
                    builder.set_buckets_for_metric(Matcher::Suffix("_writes".to_owned()), WRITES)
                })
                .map_err(|error| tracing::warn!(%error, "no figures"))
                .ok()?
                .install_recorder()
                .map_err(|error| tracing::debug!(%error, "figures go to the app's own recorder"))
                .ok();
            describe();
            handle
        })
        .as_ref()
}

/// The metrics in Prometheus' format. `None` if they go to the app's own recorder.
pub fn render() -> Option<String> {
    recorder().map(PrometheusHandle::render)
}

/// Counts a connection or poll that was refused.
pub fn refused(transport: &'static str, code: ErrorCode) {
    let labels = [("transport", transport), ("code", code.as_str())];
    metrics::counter!("tidings_refused_total", &labels).increment(1);
}

/// Folds collected histogram samples: without it their memory would grow until the next scrape.
pub async fn upkeep() {
    let Some(handle) = recorder() else { return };
    let mut every = tokio::time::interval(Duration::from_secs(5));
    loop {
        every.tick().await;
        handle.run_upkeep();
    }
}

fn describe() {
    describe_gauge!("tidings_connections", "Open connections, by transport.");
    describe_counter!("tidings_frames_received_total", "Messages from clients, by transport.");
    describe_counter!("tidings_records_total", "Records that became durable.");
    describe_counter!("tidings_deliveries_total", "Records queued for live subscribers.");
    describe_counter!(
        "tidings_opened_total",
        "Connections opened, by transport; each poll counts as one."
    );
    describe_counter!("tidings_refused_total", "Connections refused, by transport and code.");
    describe_counter!(
        "tidings_budget_refusals_total",
        "Calls of users above their budgets, by kind."
    );
    describe_counter!("tidings_auth_failures_total", "Credentials refused, by code.");
    describe_counter!(
        "tidings_shares_hit_total",
        "Times a share was used up, by share and holder (address, user, key, all)."
    );
    describe_counter!(
        "tidings_slow_consumers_total",
        "Connections closed because their client read too slowly, by transport."
    );
    describe_counter!("tidings_requests_total", "REST requests, by route and status.");
    describe_histogram!(
        "tidings_request_seconds",
        Unit::Seconds,
        "Time from a REST request to its answer, by route."
    );
    describe_histogram!(
        "tidings_publish_seconds",
        Unit::Seconds,
        "Time from a write request to its records in every live subscriber's queue."
    );
    describe_histogram!(
        "tidings_store_commit_seconds",
        Unit::Seconds,
        "Time of one commit of the log, with its sync."
    );
    describe_histogram!(
        "tidings_store_read_seconds",
        Unit::Seconds,
        "Time of one read of the log, by a connection that catches up or by REST."
    );
    describe_gauge!("tidings_store_up", "1 while PostgreSQL answers.");
    describe_counter!("tidings_store_reconnects_total", "Times PostgreSQL came back.");
    describe_gauge!("tidings_bus_up", "1 while Redis answers.");
    describe_counter!("tidings_bus_reconnects_total", "Times the connection to Redis broke.");
    describe_counter!(
        "tidings_bus_signals_total",
        "Messages between nodes, by direction (in, out)."
    );
    describe_counter!(
        "tidings_bus_lost_total",
        "Messages to other nodes that were dropped because the queue was full."
    );
    describe_counter!(
        "tidings_hole_reads_total",
        "Pages read because records of other nodes were missing."
    );
    describe_counter!("tidings_polled_channels_total", "Channels whose newest offset was polled.");
    describe_counter!(
        "tidings_poll_finds_total",
        "Channels in which a poll found records without a hint."
    );
    describe_histogram!("tidings_store_commit_writes", "Writes in one commit.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rendered_with_their_buckets() {
        let handle = recorder().unwrap();
        metrics::histogram!("tidings_store_commit_seconds").record(0.002);
        metrics::histogram!("tidings_store_commit_writes").record(3.0);
        let text = handle.render();
        assert!(text.contains("tidings_store_commit_seconds_bucket{le=\"0.0025\"}"), "{text}");
        assert!(text.contains("tidings_store_commit_writes_bucket{le=\"4\"}"), "{text}");
    }
}
