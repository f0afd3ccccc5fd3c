//! Progress: one line per step, updated while it runs; a log keeps the output of programs.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal as _, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::repo;

/// A numbered series of steps: `[3/6] Building the server… done in 41 s`.
pub(crate) struct Steps {
    total: usize,
    begun: usize,
}

/// How a step ended, if it did not fail.
pub(crate) enum Outcome {
    /// It did its work.
    Done,
    /// Its inputs are the same as last time.
    Unchanged,
    /// It ended with its own message.
    Said(String),
}

impl Steps {
    /// A series of `total` steps.
    pub(crate) fn new(total: usize) -> Self {
        Self { total, begun: 0 }
    }

    /// Runs one step and prints its line. The output of its programs goes to `log`.
    pub(crate) fn run(
        &mut self,
        title: &str,
        log: &Path,
        work: impl FnOnce(&mut Step) -> Result<Outcome, Failure>,
    ) -> Result<(), Failure> {
        self.begun += 1;
        let mut step = Step::begin(format!("[{}/{}] {title}…", self.begun, self.total), log)?;
        let outcome = work(&mut step);
        step.end(outcome.as_ref());
        outcome.map(drop)
    }
}

/// A step under way.
pub(crate) struct Step {
    title: String,
    log: PathBuf,
    began: Instant,
    terminal: bool,
    /// When the line was last updated, in seconds since the step began.
    shown_at: u64,
}

impl Step {
    /// Starts a step outside any series, with an empty log.
    pub(crate) fn begin(title: String, log: &Path) -> Result<Self, Failure> {
        repo::write(log, b"")?;
        let terminal = std::io::stdout().is_terminal();
        print!("{title}");
        let _ = std::io::stdout().flush();
        Ok(Self { title, log: log.to_path_buf(), began: Instant::now(), terminal, shown_at: 0 })
    }

    /// The log of this step's programs.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Adds a detail to the step's title, once it is known how the work will be done.
    pub(crate) fn retitle(&mut self, detail: &str) {
        self.title = format!("{} ({detail})…", self.title.trim_end_matches('…'));
        if self.terminal {
            print!("\r\x1b[2K{}", self.title);
        } else {
            print!(" ({detail})");
        }
        let _ = std::io::stdout().flush();
    }

    /// Runs a program with its output in the log; returns its exit status.
    pub(crate) fn status(&mut self, command: &mut Command) -> Result<ExitStatus, Failure> {
        let mut log = self.append()?;
        let _ = writeln!(log, "$ {}", shown(command));
        let errors = log.try_clone().map_err(Failure::io("open", &self.log))?;
        let mut child =
            command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().map_err(|source| {
                Failure::Io { doing: format!("run `{}`", shown(command)), source }
            })?;
        // Polled, because the line also shows a clock; short pauses at first, for short commands.
        let mut pause = Duration::from_millis(5);
        loop {
            if let Some(status) = child.try_wait().map_err(Failure::io("wait for", &self.log))? {
                return Ok(status);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(200));
            self.tick();
        }
    }

    /// Runs a program that must succeed.
    pub(crate) fn run(&mut self, command: &mut Command) -> Result<(), Failure> {
        let status = self.status(command)?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::Command { shown: shown(command), status, log: Some(self.log.clone()) })
    }

    /// Adds a line to the log.
    pub(crate) fn note(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.append()?, "{line}").map_err(Failure::io("write", &self.log))
    }

    fn append(&self) -> Result<File, Failure> {
        let file = OpenOptions::new().append(true).open(&self.log);
        file.map_err(Failure::io("open", &self.log))
    }

    fn tick(&mut self) {
        let seconds = self.began.elapsed().as_secs();
        let every = if self.terminal { 1 } else { 20 };
        if seconds < self.shown_at + every {
            return;
        }
        self.shown_at = seconds;
        if self.terminal {
            let last = last_line(&self.log);
            print!("\r\x1b[2K{} {seconds} s {last}", self.title);
        } else {
            print!(" {seconds} s,");
        }
        let _ = std::io::stdout().flush();
    }

    /// Finishes the line.
    pub(crate) fn end(&self, outcome: Result<&Outcome, &Failure>) {
        if self.terminal {
            print!("\r\x1b[2K{}", self.title);
        }
        let took = took(self.began.elapsed());
        match outcome {
            Ok(Outcome::Done) => println!(" done in {took}"),
            Ok(Outcome::Unchanged) => println!(" unchanged"),
            Ok(Outcome::Said(what)) => println!(" {what} in {took}"),
            Err(_) => println!(" failed after {took}"),
        }
    }
}

/// A command line as a user would type it, without the environment.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ").replace(&format!("{}/", repo::root().display()), "")
}

/// A duration for the reader.
pub(crate) fn took(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// The last `lines` lines of a log, to show why a step failed.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text = end_of(log, 64 * 1024);
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// The newest line of a log, cut to fit beside a title.
fn last_line(log: &Path) -> String {
    let text = end_of(log, 512);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("");
    line.trim().chars().filter(|c| !c.is_control()).take(40).collect()
}

fn end_of(log: &Path, bytes: u64) -> String {
    let mut text = Vec::new();
    if let Ok(mut file) = File::open(log) {
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(bytes)));
        let _ = file.read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}
