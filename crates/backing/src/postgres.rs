//! A PostgreSQL server.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    free_port,
    process::{Process, find, folder, is_alive, is_root, last_words, output, pid_in, signal},
};

/// Much longer than a start takes, crash recovery included.
const START: Duration = Duration::from_secs(60);
/// Pause between two checks.
const PAUSE: Duration = Duration::from_millis(20);

/// The request for a certificate that can't sign others.
const CERTIFICATE: &str = "
[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = localhost
[extensions]
subjectAltName = DNS:localhost
basicConstraints = CA:FALSE
";

/// A server and its data. Ends when dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    log: PathBuf,
    port: u16,
    running: Option<Process>,
    databases: AtomicU32,
    settings: Vec<String>,
}

impl Postgres {
    /// A new server on a free port.
    ///
    /// # Panics
    /// PostgreSQL is missing, or does not start; the message says why.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A new server with extra settings, such as `wal_level=replica`.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    #[must_use]
    pub fn with(settings: &[&str]) -> Self {
        let mut server = Self::made(settings);
        server.restart();
        server
    }

    /// A server that accepts TLS, with its own certificate for `localhost`. Returns the
    /// certificate's file, which clients can also trust as the authority.
    ///
    /// # Panics
    /// As [`Postgres::start`]; or `openssl` is missing.
    #[must_use]
    pub fn with_tls() -> (Self, PathBuf) {
        let mut server = Self::made(&["ssl=on"]);
        let config = server.folder.with_extension("cnf");
        fs::write(&config, CERTIFICATE).unwrap();
        let mut openssl = as_postgres(&find("openssl", &[], "openssl"));
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-config"]);
        openssl.arg(&config).arg("-keyout").arg(server.folder.join("server.key"));
        openssl.arg("-out").arg(server.folder.join("server.crt")).current_dir("/");
        let made = output(&mut openssl);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::remove_file(&config).unwrap();
        server.restart();
        let file = server.folder.join("server.crt");
        (server, file)
    }

    /// A server with its data folder, not started yet.
    fn made(settings: &[&str]) -> Self {
        let folder = folder("pg");
        let log = folder.with_extension("log");
        let mut init = as_postgres(&program("initdb"));
        init.arg("-D").arg(&folder).args(["-U", "postgres", "-A", "trust", "-E", "UTF8"]);
        init.args(["--locale=C", "--no-sync"]).current_dir("/");
        let made = output(&mut init);
        let words = String::from_utf8_lossy(&made.stderr).into_owned();
        assert!(made.status.success(), "initdb: {words}");
        let settings = settings.iter().map(ToString::to_string).collect();
        let databases = AtomicU32::new(0);
        Self { folder, log, port: free_port(), running: None, databases, settings }
    }

    /// The URL of a new, empty database.
    ///
    /// # Panics
    /// The server does not answer.
    #[must_use]
    pub fn database(&self) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.execute("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Executes SQL in a database and returns the output of `psql`.
    ///
    /// # Panics
    /// The SQL failed.
    pub fn execute(&self, database: &str, sql: &str) -> String {
        let output = output(&mut self.psql(database, sql));
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{sql}: {words}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Sends SIGKILL to the server: no shutdown, no flush. Its data stays.
    ///
    /// # Panics
    /// The server does not run.
    pub fn kill(&mut self) {
        signal(self.pid(), "KILL");
        // The server's child processes end by themselves once they notice. The keeper stays until
        // its pipe closes.
        drop(self.running.take());
    }

    /// Makes the database a standby and promotes it: the data is the same, the timeline is a new
    /// one.
    ///
    /// # Panics
    /// The server does not come back.
    pub fn change_timeline(&mut self) {
        drop(self.running.take());
        let mut touch = as_postgres(Path::new("/usr/bin/touch"));
        touch.arg(self.folder.join("standby.signal")).current_dir("/");
        assert!(touch.status().unwrap().success(), "no standby.signal");
        self.restart();
        let promoted = self.execute("postgres", "SELECT pg_promote(true, 60)");
        assert_eq!(promoted, "t", "not promoted");
    }

    /// Sends SIGSTOP to the server and its child processes: connections stay open, but get no
    /// answer.
    ///
    /// # Panics
    /// The server does not run.
    pub fn freeze(&self) {
        self.everybody("STOP");
    }

    /// Ends [`Postgres::freeze`].
    ///
    /// # Panics
    /// The server does not run.
    pub fn thaw(&self) {
        self.everybody("CONT");
    }

    /// Whether the server runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        let pid = pid_in(&self.folder.join("postmaster.pid"));
        self.running.is_some() && pid.is_some_and(is_alive)
    }

    /// Starts the server on its data, and waits until it answers.
    ///
    /// # Panics
    /// The server does not start; the message holds the end of its log.
    pub fn restart(&mut self) {
        let began = Instant::now();
        if !self.runs() {
            drop(self.running.take());
        }
        // After a kill, processes of the old server may hold its shared memory for a moment.
        while self.running.is_none() {
            let mut running = self.spawn();
            while !running.has_ended() && !self.answers() {
                assert!(began.elapsed() < START, "PostgreSQL: {}", last_words(&self.log));
                if self.refused_to_start() {
                    break;
                }
                thread::sleep(PAUSE);
            }
            if self.answers() {
                self.running = Some(running);
            } else {
                assert!(began.elapsed() < START, "PostgreSQL: {}", last_words(&self.log));
                drop(running);
                fs::remove_file(&self.log).unwrap_or_default();
                thread::sleep(PAUSE);
            }
        }
    }

    /// The server's process id.
    ///
    /// # Panics
    /// The server does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        pid_in(&self.folder.join("postmaster.pid")).expect("PostgreSQL runs")
    }

    /// The folder of its data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn spawn(&self) -> Process {
        let mut command = as_postgres(&program("postgres"));
        command.arg("-D").arg(&self.folder).arg("-p").arg(self.port.to_string());
        command.arg("-k").arg(&self.folder);
        let common = ["listen_addresses=127.0.0.1", "max_connections=200", "shared_buffers=32MB"];
        for setting in common.into_iter().chain(self.settings.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        Process::start(&command, "QUIT", &self.folder, &self.log)
    }

    fn answers(&self) -> bool {
        let mut asked = self.psql("postgres", "SELECT 1");
        asked.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|it| it.success())
    }

    fn refused_to_start(&self) -> bool {
        fs::read_to_string(&self.log).unwrap_or_default().contains("FATAL:  pre-existing shared")
            || fs::read_to_string(&self.log).unwrap_or_default().contains("FATAL:  lock file")
    }

    fn psql(&self, database: &str, sql: &str) -> Command {
        let mut command = Command::new(program("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"]);
        command.arg(self.url(database)).args(["-c", sql]).stdin(Stdio::null());
        command.env("PGCONNECT_TIMEOUT", "5").current_dir("/");
        command
    }

    fn everybody(&self, name: &str) {
        let pid = self.pid();
        let listed = Command::new("ps").args(["-o", "pid=", "--ppid", &pid.to_string()]).output();
        let listed = String::from_utf8_lossy(&listed.unwrap().stdout).into_owned();
        let children = listed.lines().filter_map(|line| line.trim().parse::<u32>().ok());
        signal(pid, name);
        for child in children {
            // The connection may have ended meanwhile.
            let _ = Command::new("kill").arg(format!("-{name}")).arg(child.to_string()).status();
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.running.take());
        if thread::panicking() {
            eprintln!("PostgreSQL's last words:\n{}", last_words(&self.log));
        }
        // Files that can't be removed are only temporary ones.
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.log);
    }
}

/// A program of PostgreSQL, from the newest installed version.
fn program(name: &str) -> PathBuf {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    let version = |folder: &PathBuf| {
        let name = folder.parent().and_then(Path::file_name).unwrap_or_default();
        name.to_string_lossy().parse::<u32>().unwrap_or_default()
    };
    folders.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    // Debian's wrapper for `psql` looks for the system's clusters; the program itself does not.
    if let Some(own) = folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()) {
        return own;
    }
    find(name, &[], "postgresql")
}

/// The program as a command of a user who is allowed to run it.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let user = env::var("TIDINGS_POSTGRES_USER").unwrap_or_else(|_| "postgres".to_owned());
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={user}")).arg(format!("--regid={user}"));
    command.arg("--clear-groups").arg(program);
    command
}
