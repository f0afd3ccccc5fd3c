//! Logs: one JSON object a line on standard error. Control characters are escaped, and secrets are
//! left out by their types. Other crates do not know which data is secret, so only their warnings
//! and errors are logged, never their lines about frames, statements and requests.

use std::io;

use tracing_subscriber::{EnvFilter, filter::ParseError, fmt, util::SubscriberInitExt as _};

use crate::config::{ConfigError, LogFormat, LogSettings};

/// Crates that log the data they process: tickets, tokens and payloads.
const TALKATIVE: [&str; 8] = [
    "tungstenite",
    "tokio_tungstenite",
    "tokio_postgres",
    "hyper",
    "hyper_util",
    "reqwest",
    "redis",
    "rustls",
];

/// Starts logging for the whole process. A library leaves this to its app.
///
/// # Errors
/// `log.level` is no filter, or another logger is already set.
pub fn start(settings: &LogSettings) -> Result<(), ConfigError> {
    let filter = filter(&settings.level)?;
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    match settings.format {
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(false).finish().try_init()
        }
        LogFormat::Text => lines.with_target(false).finish().try_init(),
    }
    .map_err(|error| ConfigError::Value("log", format!("can't start: {error}")))
}

fn filter(level: &str) -> Result<EnvFilter, ConfigError> {
    let wrong = |error: String| ConfigError::Value("log.level", format!("is no filter: {error}"));
    let mut filter = EnvFilter::try_new(level).map_err(|error| wrong(error.to_string()))?;
    for name in TALKATIVE {
        let directive = format!("{name}=warn").parse();
        filter =
            filter.add_directive(directive.map_err(|error: ParseError| wrong(error.to_string()))?);
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_level_makes_other_crates_say_what_passes_through_them() {
        for level in ["trace", "tungstenite=trace", "info,tokio_postgres=debug,hyper=trace"] {
            let filter = filter(level).unwrap().to_string();
            for name in TALKATIVE {
                assert!(filter.split(',').any(|part| part == format!("{name}=warn")), "{filter}");
            }
            assert!(
                !filter.contains("tungstenite=trace") && !filter.contains("=debug"),
                "{filter}"
            );
        }
        assert!(filter("tidings_server=loud").is_err());
    }
}
