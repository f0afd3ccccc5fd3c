//! An nginx server.

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
    process::{Process, find, folder, last_words, pid_in, signal},
};

/// Much longer than a start takes.
const START: Duration = Duration::from_secs(60);
/// Pause between two checks.
const PAUSE: Duration = Duration::from_millis(10);

/// A proxy with one `server`. Ends when dropped.
#[derive(Debug)]
pub struct Nginx {
    folder: PathBuf,
    port: u16,
    running: Option<Process>,
    /// How often nginx was configured. `/configured` answers with this number.
    configured: u32,
}

impl Nginx {
    /// A new proxy on a free port, with these directives in `http { … }` and in `server { … }`.
    ///
    /// # Panics
    /// nginx is missing, or does not start; the message says why.
    #[must_use]
    pub fn start(http: &str, server: &str) -> Self {
        let folder = folder("nginx");
        fs::create_dir_all(folder.join("temp")).unwrap();
        let mut nginx = Self { folder, port: free_port(), running: None, configured: 0 };
        nginx.write(http, server);
        let mut command = Command::new(find("nginx", &[PathBuf::from("/usr/sbin")], "nginx-light"));
        command.arg("-p").arg(&nginx.folder).args(["-c", "nginx.conf", "-e", "error.log"]);
        let log = nginx.folder.join("log");
        nginx.running = Some(Process::start(&command, "TERM", &nginx.folder, &log));
        nginx.wait();
        nginx
    }

    /// Loads other directives. Open connections stay open.
    ///
    /// # Panics
    /// nginx does not accept the directives; the message says why.
    pub fn configure(&mut self, http: &str, server: &str) {
        self.write(http, server);
        signal(pid_in(&self.folder.join("nginx.pid")).expect("nginx runs"), "HUP");
        self.wait();
    }

    /// The proxy's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The access log: one line for each request that has ended.
    #[must_use]
    pub fn access_log(&self) -> String {
        fs::read_to_string(self.folder.join("access.log")).unwrap_or_default()
    }

    fn write(&mut self, http: &str, server: &str) {
        self.configured += 1;
        let (port, configured) = (self.port, self.configured);
        let temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temps: String =
            temps.iter().map(|name| format!("{name}_temp_path temp/{name};\n")).collect();
        // When nginx is started by root, its workers would run as another user, who can't write
        // into the folder.
        let id = Command::new("id").arg("-u").output().expect("id runs");
        let user =
            if String::from_utf8_lossy(&id.stdout).trim() == "0" { "user root;" } else { "" };
        let text = format!(
            "{user}
            daemon off;
            worker_processes 1;
            pid nginx.pid;
            error_log error.log warn;
            events {{ worker_connections 512; }}
            http {{
                access_log access.log;
                {temps}
                {http}
                server {{
                    listen 127.0.0.1:{port};
                    location = /configured {{ return 200 \"{configured}.\"; }}
                    {server}
                }}
            }}"
        );
        fs::write(self.folder.join("nginx.conf"), text).unwrap();
    }

    /// Waits until nginx serves the configuration that was written last.
    fn wait(&mut self) {
        let began = Instant::now();
        while !self.is_configured() {
            let words = || {
                let logs = ["log", "error.log"].map(|name| last_words(&self.folder.join(name)));
                logs.join("\n")
            };
            assert!(began.elapsed() < START, "nginx does not answer: {}", words());
            let ended = self.running.as_mut().is_none_or(Process::has_ended);
            assert!(!ended, "nginx has ended: {}", words());
            thread::sleep(PAUSE);
        }
    }

    fn is_configured(&self) -> bool {
        let asked = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(b"GET /configured HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        asked().is_ok_and(|answer| answer.ends_with(&format!("\r\n\r\n{}.", self.configured)))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.running.take());
        if thread::panicking() {
            for name in ["log", "error.log", "access.log"] {
                eprintln!("nginx' {name}:\n{}", last_words(&self.folder.join(name)));
            }
        }
        // A folder that can't be removed is only a temporary one.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
