//! The real server binary as a process that can be killed.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tidings_backing::free_port;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Far longer than a start takes, even on a busy machine.
const START: Duration = Duration::from_secs(60);

/// `TIDINGS_BIN`, or the binary of this workspace, built with the profile and target folder of this
/// test.
pub(crate) fn binary() -> PathBuf {
    if let Some(path) = env::var_os("TIDINGS_BIN") {
        return path.into();
    }
    // …/target/debug/deps/chaos-0123
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "tidings-server", "--bin", "tidings"]);
    build.arg("--target-dir").arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        build.arg("--release");
    }
    let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
    assert!(status.success(), "the server does not build");
    profile.join("tidings")
}

/// A server that keeps its port and its data over restarts.
pub(crate) struct Server {
    binary: PathBuf,
    folder: Folder,
    port: u16,
    running: Option<Child>,
    /// Settings as environment variables, such as the URLs of its store and bus.
    settings: Vec<(&'static str, String)>,
}

impl Server {
    pub(crate) fn new(binary: PathBuf) -> Self {
        Self {
            binary,
            folder: Folder::new(),
            port: free_port(),
            running: None,
            settings: Vec::new(),
        }
    }

    /// A node on a store and a bus that other nodes share.
    pub(crate) fn node(binary: PathBuf, store: String, bus: String) -> Self {
        Self::new(binary).set("TIDINGS_STORE_URL", store).set("TIDINGS_BUS_URL", bus)
    }

    /// Adds a setting by its environment variable.
    pub(crate) fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts the server and waits until it is ready.
    pub(crate) async fn start(&mut self, http: &reqwest::Client) {
        let log = std::fs::File::options().append(true).create(true).open(self.log()).unwrap();
        let mut command = Command::new(&self.binary);
        // Settings for this test, or for another server, do not apply to this server.
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"TIDINGS_") {
                command.env_remove(name);
            }
        }
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        let child = command
            .args(["serve", "--dev", "--listen", &format!("127.0.0.1:{}", self.port), "--data"])
            .arg(self.folder.0.join("data"))
            .arg("--config")
            .arg(self.folder.0.join("tidings.toml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.running = Some(child);
        let began = Instant::now();
        // Asks until the answer is yes; the pause only keeps it from spinning.
        let mut again = interval(Duration::from_millis(5));
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            again.tick().await;
            let asked = http.get(format!("{}/readyz", self.url())).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            let ended = self.running.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the server ended by itself ({ended:?}): {}",
                self.last_words()
            );
            assert!(began.elapsed() < START, "the server is not ready: {}", self.last_words());
        }
    }

    /// SIGKILL: no close frame, no flush.
    pub(crate) fn kill(&mut self) {
        self.running.as_mut().unwrap().kill().unwrap();
    }

    /// Waits for the end of the killed process, which frees its port and its lock on the data.
    pub(crate) fn bury(&mut self) {
        let mut child = self.running.take().unwrap();
        let status = child.wait().unwrap();
        assert!(!status.success(), "it was killed, but ended well: {status}");
    }

    /// SIGTERM: it closes its connections and ends by itself.
    pub(crate) async fn drain(&mut self) {
        let mut child = self.running.take().unwrap();
        let mut kill = Command::new("kill");
        assert!(kill.arg("-TERM").arg(child.id().to_string()).status().unwrap().success());
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
        assert!(ended.success(), "it was asked to end, but {ended}: {}", self.last_words());
    }

    fn log(&self) -> PathBuf {
        self.folder.0.join("server.log")
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let mut lines: Vec<_> = log.lines().rev().take(20).collect();
        lines.reverse();
        lines.join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.running {
            // Either call fails only if the process has already ended.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("last words of the server:\n{}", self.last_words());
        }
    }
}

/// A folder that is deleted, unless the test failed: then it is evidence.
struct Folder(PathBuf);

/// Lists are compared as a whole, so retention must remove nothing.
const CONFIG: &str = "[retention]\nitems = 100000\n";

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tidings-chaos-{}-{number}", std::process::id());
        let path = env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("tidings.toml"), CONFIG).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the server's data is kept in {}", self.0.display());
        } else {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }
}
