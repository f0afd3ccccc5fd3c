//! Logs: one JSON object a line on standard error, control characters escaped, secrets left out by their types.

use std::io;

use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt as _};

use crate::config::{ConfigError, LogFormat, LogSettings};

/// Starts logging for the whole process. A library leaves this to its app.
///
/// # Errors
/// `log.level` is no filter, or somebody logs already.
pub fn start(settings: &LogSettings) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&settings.level)
        .map_err(|error| ConfigError::Value("log.level", format!("is no filter: {error}")))?;
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    match settings.format {
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(false).finish().try_init()
        }
        LogFormat::Text => lines.with_target(false).finish().try_init(),
    }
    .map_err(|error| ConfigError::Value("log", format!("can't start: {error}")))
}
