//! A Redis server.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::process::{Process, find, folder, free_port, is_alive, last_words, pid_in, signal};

/// Far more than a start takes.
const START: Duration = Duration::from_secs(60);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(10);

/// A server that keeps nothing. Ends when dropped.
#[derive(Debug)]
pub struct Redis {
    folder: PathBuf,
    port: u16,
    running: Option<Process>,
}

impl Redis {
    /// A new server on a free port.
    ///
    /// # Panics
    /// Redis is missing, or does not start: the text says why.
    #[must_use]
    pub fn start() -> Self {
        let folder = folder("redis");
        fs::create_dir_all(&folder).unwrap();
        let mut server = Self { folder, port: free_port(), running: None };
        server.restart();
        server
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// SIGKILL: connections break.
    ///
    /// # Panics
    /// It does not run.
    pub fn kill(&mut self) {
        signal(self.pid(), "KILL");
        drop(self.running.take());
    }

    /// SIGSTOP: connections stay open and nothing answers.
    ///
    /// # Panics
    /// It does not run.
    pub fn freeze(&self) {
        signal(self.pid(), "STOP");
    }

    /// Ends [`Redis::freeze`].
    ///
    /// # Panics
    /// It does not run.
    pub fn thaw(&self) {
        signal(self.pid(), "CONT");
    }

    /// Ends every client's connection but the one that asks for it.
    ///
    /// # Panics
    /// It does not answer.
    pub fn cut(&self) {
        for kind in ["normal", "pubsub"] {
            self.ask(&format!("CLIENT KILL TYPE {kind} SKIPME yes\r\n")).unwrap();
        }
    }

    /// Whether it runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        let pid = pid_in(&self.folder.join("pid"));
        self.running.is_some() && pid.is_some_and(is_alive)
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    /// It does not: the text holds its last words.
    pub fn restart(&mut self) {
        drop(self.running.take());
        let mut command = Command::new(find("redis-server", &[], "redis-server"));
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(&self.folder);
        command.arg("--pidfile").arg(self.folder.join("pid"));
        let log = self.folder.join("log");
        let mut running = Process::start(&command, "KILL", &self.folder, &log);
        let began = Instant::now();
        while self.ask("PING\r\n").is_none() {
            assert!(began.elapsed() < START, "Redis does not answer: {}", last_words(&log));
            assert!(!running.has_ended(), "Redis has ended: {}", last_words(&log));
            thread::sleep(PAUSE);
        }
        self.running = Some(running);
    }

    /// Its process id.
    ///
    /// # Panics
    /// It does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        pid_in(&self.folder.join("pid")).expect("Redis runs")
    }

    fn ask(&self, command: &str) -> Option<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream.write_all(command.as_bytes()).ok()?;
        let mut answer = [0; 1];
        stream.read_exact(&mut answer).ok()?;
        (answer[0] == b'+' || answer[0] == b':').then_some(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.running.take());
        // What can't be removed is in a temporary folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
