//! The demo's programs: started with a log, watched, and ended with the demo.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::repo;
use crate::steps::shown;

/// How long a program may take to answer.
const START: Duration = Duration::from_secs(20);
/// How long it may take to end by itself.
const STOP: Duration = Duration::from_secs(5);

/// A program that ends with the demo, even if the demo fails.
pub(crate) struct Child {
    process: process::Child,
    log: PathBuf,
    ended: bool,
}

impl Child {
    /// Starts a program; its output is appended to `target/xtask/logs/{name}.log`.
    pub(crate) fn start(mut command: Command, name: &str) -> Result<Self, Failure> {
        let log = repo::scratch().join(format!("logs/{name}.log"));
        repo::make_parent(&log)?;
        let open = || OpenOptions::new().create(true).append(true).open(&log);
        let out = open().map_err(Failure::io("open", &log))?;
        let err = open().map_err(Failure::io("open", &log))?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        // Ctrl-C goes only to the demo, which ends its programs in order.
        command.process_group(0);
        let process = command.spawn().map_err(|source| Failure::Io {
            doing: format!("run `{}`", shown(&command)),
            source,
        })?;
        Ok(Self { process, log, ended: false })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its log file.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Its exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Failure> {
        let status =
            self.process.try_wait().map_err(Failure::io("watch the writer of", &self.log))?;
        self.ended = status.is_some();
        Ok(status)
    }

    /// Waits until it answers HTTP with success, it ends, or `stop` is set.
    pub(crate) fn wait_until_it_answers(
        &mut self,
        port: u16,
        path: &str,
        stop: &AtomicBool,
    ) -> Result<(), Failure> {
        let began = Instant::now();
        while !stop.load(Ordering::SeqCst) {
            if answers(port, path) {
                return Ok(());
            }
            let why = match self.ended()? {
                Some(status) => format!("ended with {status}"),
                None if began.elapsed() > START => "does not answer".to_owned(),
                None => {
                    pause(Duration::from_millis(50), stop);
                    continue;
                }
            };
            let log = repo::shown(&self.log);
            let tail = crate::steps::tail(&self.log, 20);
            return Err(Failure::Check(format!("the program of {log} {why}:\n{tail}")));
        }
        Ok(())
    }

    /// Asks it to end, and kills it if that takes too long.
    pub(crate) fn stop(&mut self) {
        if self.ended {
            return;
        }
        // The standard library only offers SIGKILL, which would cut the drain short.
        let _ = Command::new("kill").arg(self.pid().to_string()).stderr(Stdio::null()).status();
        let began = Instant::now();
        while began.elapsed() < STOP {
            if !matches!(self.process.try_wait(), Ok(None)) {
                self.ended = true;
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.ended = true;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Sleeps, but ends early when the demo is stopped.
pub(crate) fn pause(length: Duration, stop: &AtomicBool) {
    let began = Instant::now();
    while began.elapsed() < length && !stop.load(Ordering::SeqCst) {
        thread::sleep(length.min(Duration::from_millis(50)));
    }
}

/// Whether a GET is answered with 2xx. Written by hand: an HTTP client is much to compile for one
/// status line.
fn answers(port: u16, path: &str) -> bool {
    let get = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut status = [0; 10];
        stream.read_exact(&mut status)?;
        Ok(status.starts_with(b"HTTP/1.1 2"))
    };
    get().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    fn serve_once(answer: &'static str) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer.as_bytes());
        });
        port
    }

    #[test]
    fn only_success_counts_as_an_answer() {
        assert!(answers(serve_once("HTTP/1.1 200 OK\r\n\r\n"), "/healthz"));
        assert!(!answers(serve_once("HTTP/1.1 503 Service Unavailable\r\n\r\n"), "/healthz"));
        let nobody =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        assert!(!answers(nobody, "/healthz"));
    }

    #[test]
    fn a_program_that_ends_early_is_reported_with_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no data folder; exit 3"]);
        let mut child = Child::start(command, &format!("child-test-{}", process::id())).unwrap();
        let error = child.wait_until_it_answers(1, "/", &AtomicBool::new(false)).unwrap_err();
        assert!(error.to_string().contains("no data folder"), "{error}");
        std::fs::remove_file(child.log()).unwrap();
    }
}
