//! Settings in the form that the parts of the server take.

use std::{sync::Arc, thread, time::Duration};

use tidings_server_core::{fair, retention_clock::Doubts, store::Retention};

use super::{Config, RetentionSettings};
use crate::{
    driver::{node, registry},
    listen,
    log::Connector,
};

/// A development server is restarted often.
const DEV_DRAIN: Duration = Duration::from_secs(1);

impl Config {
    pub(crate) fn driver(&self) -> node::Settings {
        let (limits, store) = (&self.limits, &self.store);
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        node::Settings {
            limits: Arc::new(limits.core()),
            bounds: registry::Bounds {
                per_user: limits.connections_per_user,
                total: limits.connections,
                strangers: self.strangers(),
            },
            send_timeout: Duration::from_millis(limits.send_timeout_ms),
            close_timeout: Duration::from_millis(limits.close_timeout_ms),
            fragments: limits.fragments,
            body_timeout: Duration::from_millis(limits.body_timeout_ms),
            streams: node::Streams {
                retry_ms: limits.retry_ms,
                poll_ms: limits.poll_ms,
                poll_bytes: limits.poll_bytes,
            },
            write_queue: fair::Bounds { each: store.write_queue_each, total: store.write_queue },
            shards: if store.shards == 0 { cores() } else { store.shards },
            poll: Duration::from_millis(store.poll_ms),
            lease: Duration::from_millis(store.lease_ms),
        }
    }

    pub(crate) fn read_queue(&self) -> fair::Bounds {
        fair::Bounds { each: self.store.read_queue_each, total: self.store.read_queue }
    }

    /// The connection to the database, if the log is in one.
    #[must_use]
    pub fn postgres(&self) -> Option<Connector> {
        let store = &self.store;
        let ca_file = Some(store.ca_file.clone()).filter(|path| !path.as_os_str().is_empty());
        (!store.url.0.is_empty()).then(|| Connector {
            url: store.url.0.clone(),
            ca_file,
            connections: store.connections,
            patience: Duration::from_millis(store.timeout_ms),
        })
    }

    pub(crate) fn listener(&self) -> listen::Bounds {
        let limits = &self.limits;
        listen::Bounds {
            header_timeout: Duration::from_millis(limits.header_timeout_ms),
            keep_alive: Duration::from_millis(limits.keep_alive_ms),
            user_timeout: Duration::from_millis(limits.user_timeout_ms),
            send_timeout: Duration::from_millis(limits.send_timeout_ms),
            accept_rate: limits.accept_per_second,
            waiting: fair::Bounds {
                each: limits.accept_queue_per_address,
                total: limits.accept_queue,
            },
            links: limits.links,
            files: self.files_of_links(),
            strangers: self.strangers(),
            links_per_user: limits.links_per_user,
        }
    }

    const fn strangers(&self) -> fair::Bounds {
        let limits = &self.limits;
        fair::Bounds { each: limits.unauthenticated_per_address, total: limits.unauthenticated }
    }

    pub(crate) fn retention(&self) -> Retention {
        let RetentionSettings {
            records,
            age_ms,
            items,
            keys_ms,
            lanes_ms,
            empty_lanes_ms,
            channels_ms,
            ..
        } = self.retention;
        Retention { records, age_ms, items, keys_ms, lanes_ms, empty_lanes_ms, channels_ms }
    }

    pub(crate) fn doubts(&self) -> Doubts {
        let RetentionSettings { clock_step_ms, clock_trust_ms, .. } = self.retention;
        Doubts { step_ms: clock_step_ms, trust_ms: clock_trust_ms }
    }

    pub(crate) fn trim_interval(&self) -> Duration {
        Duration::from_millis(self.store.trim_interval_ms)
    }

    pub(crate) fn drain(&self) -> Duration {
        let drain = Duration::from_millis(self.drain_ms);
        if self.dev { drain.min(DEV_DRAIN) } else { drain }
    }

    pub(crate) const fn serves_metrics(&self) -> bool {
        self.metrics
    }
}
