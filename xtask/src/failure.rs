//! Errors of the commands. Written by hand: a derive would double the compile time of xtask.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Why a command stopped. Each variant says what to do next, if that is known.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The machine lacks something that xtask can't (or may not) install.
    Missing {
        /// The missing thing, and its purpose.
        what: String,
        /// The command or page that helps.
        fix: String,
    },
    /// A program ended with an error.
    Command {
        /// The command line as a user would type it.
        shown: String,
        /// How it ended.
        status: ExitStatus,
        /// Where its output is, if it was not shown.
        log: Option<PathBuf>,
    },
    /// The system refused an operation.
    Io {
        /// The operation as a phrase: "read npm/size.json".
        doing: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// A check failed.
    Check(String),
    /// The command line is wrong.
    Usage(String),
}

impl Failure {
    /// Wraps an I/O error with the operation and its file.
    pub(crate) fn io(verb: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let doing = format!("{verb} {}", path.display());
        move |source| Self::Io { doing, source }
    }

    /// The log with the output, if there is one.
    pub(crate) fn log(&self) -> Option<&Path> {
        match self {
            Self::Command { log, .. } => log.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { what, fix } => write!(f, "missing: {what}\n  to fix: {fix}"),
            Self::Command { shown, status, log } => {
                write!(f, "`{shown}` ended with {status}")?;
                match log {
                    Some(log) => write!(f, " (log: {})", log.display()),
                    None => Ok(()),
                }
            }
            Self::Io { doing, source } => write!(f, "could not {doing}: {source}"),
            Self::Check(found) => f.write_str(found),
            Self::Usage(why) => write!(f, "{why}\n  `cargo xtask help` lists the commands"),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}
