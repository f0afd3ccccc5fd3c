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

use crate::{
    free_port,
    process::{Process, find, folder, is_alive, last_words, pid_in, signal},
};

/// Much longer than a start takes.
const START: Duration = Duration::from_secs(60);
/// Pause between two checks.
const PAUSE: Duration = Duration::from_millis(10);

/// A server that stores nothing on disk. Ends when dropped.
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
    /// Redis is missing, or does not start; the message says why.
    #[must_use]
    pub fn start() -> Self {
        let folder = folder("redis");
        fs::create_dir_all(&folder).unwrap();
        let mut server = Self { folder, port: free_port(), running: None };
        server.restart();
        server
    }

    /// The server's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Sends SIGKILL: connections break.
    ///
    /// # Panics
    /// The server does not run.
    pub fn kill(&mut self) {
        signal(self.pid(), "KILL");
        drop(self.running.take());
    }

    /// Sends SIGSTOP: connections stay open, but get no answer.
    ///
    /// # Panics
    /// The server does not run.
    pub fn freeze(&self) {
        signal(self.pid(), "STOP");
    }

    /// Ends [`Redis::freeze`].
    ///
    /// # Panics
    /// The server does not run.
    pub fn thaw(&self) {
        signal(self.pid(), "CONT");
    }

    /// Closes the connections of all clients, except the one that sends this command.
    ///
    /// # Panics
    /// The server does not answer.
    pub fn cut(&self) {
        for kind in ["normal", "pubsub"] {
            self.ask(&format!("CLIENT KILL TYPE {kind} SKIPME yes\r\n")).unwrap();
        }
    }

    /// Whether the server runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        let pid = pid_in(&self.folder.join("pid"));
        self.running.is_some() && pid.is_some_and(is_alive)
    }

    /// Starts the server, and waits until it answers.
    ///
    /// # Panics
    /// The server does not start; the message holds the end of its log.
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

    /// The server's process id.
    ///
    /// # Panics
    /// The server does not run.
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
        // A folder that can't be removed is only a temporary one.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
