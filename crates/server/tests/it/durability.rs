//! `stored` means on disk: the system calls of the real binary show the sync before each answer.
//!
//! Killing the process would prove nothing, because the kernel keeps written data. Only the order
//! of the calls proves it.

use std::{
    fs,
    io::{BufRead as _, BufReader, ErrorKind},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::json;

const PUBLISHES: usize = 20;

/// The binary under strace. strace runs as its grandchild, so the child is the server itself.
struct Traced {
    server: Child,
    url: String,
}

impl Traced {
    /// `None`: strace is missing.
    fn start(folder: &Path, trace: &Path) -> Option<Self> {
        let started = Command::new("strace")
            .args(["-D", "-f", "-y", "-s", "32", "-e"])
            .arg("trace=fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg")
            .arg("-o")
            .arg(trace)
            .arg(env!("CARGO_BIN_EXE_tidings"))
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut server = match started {
            Ok(server) => server,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => panic!("strace does not start: {error}"),
        };
        let mut greeting = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
        let url = greeting.split_whitespace().last().unwrap_or_default().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "the server greets: {greeting:?}");
        Some(Self { server, url })
    }

    /// Ends the server and returns its trace.
    async fn end(mut self, trace: &Path) -> Vec<String> {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
        let server = self.server.id().to_string();
        let ended = |line: &str| {
            let (thread, what) = line.split_once(char::is_whitespace).unwrap_or_default();
            thread == server && what.trim_start().starts_with("+++")
        };
        // strace writes the end of its child last. The pause only avoids busy waiting.
        let mut again = tokio::time::interval(Duration::from_millis(5));
        for _ in 0..6_000 {
            again.tick().await;
            let text = fs::read_to_string(trace).unwrap_or_default();
            if text.lines().any(ended) {
                return text.lines().map(str::to_owned).collect();
            }
        }
        panic!("the trace has no end");
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The relevant steps in a trace, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The log's file was written …
    Written,
    /// … and synced: the call has returned successfully.
    Synced,
    /// An answer with status `201` was passed to the kernel.
    Answered,
}

fn steps(lines: &[String]) -> Vec<Step> {
    // Threads with a sync of the log in progress.
    let mut syncing = Vec::new();
    let mut steps = Vec::new();
    for line in lines {
        let (thread, call) = line.split_once(char::is_whitespace).unwrap_or_default();
        let call = call.trim_start();
        let sync = call.starts_with("fdatasync(") || call.starts_with("fsync(");
        if call.starts_with("pwrite64(") && call.contains("tidings.db-wal>") {
            steps.push(Step::Written);
        } else if sync && call.contains("tidings.db-wal>") {
            if call.ends_with("= 0") {
                steps.push(Step::Synced);
            } else if call.ends_with("<unfinished ...>") {
                syncing.push(thread.to_owned());
            }
        } else if call.contains("sync resumed>") && call.ends_with("= 0") {
            if let Some(place) = syncing.iter().position(|waiting| waiting == thread) {
                syncing.swap_remove(place);
                steps.push(Step::Synced);
            }
        } else if call.contains("HTTP/1.1 201") {
            steps.push(Step::Answered);
        }
    }
    steps
}

#[tokio::test]
async fn each_answer_comes_after_the_sync_of_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let Some(server) = Traced::start(&folder.path().join("data"), &trace) else {
        println!("SKIPPED: strace is not installed; `cargo xtask setup` installs it");
        return;
    };
    let http = reqwest::Client::new();
    for number in 0..PUBLISHES {
        let body = json!({
            "to": { "user": "mina" }, "type": "message", "title": format!("number {number}"),
        });
        let asked = http.post(format!("{}/v1/notifications", server.url)).bearer_auth("dev");
        assert_eq!(asked.json(&body).send().await.unwrap().status(), 201);
    }
    let lines = server.end(&trace).await;
    let steps = steps(&lines);
    let answers: Vec<&[Step]> = steps.split_inclusive(|step| *step == Step::Answered).collect();
    let answers: Vec<_> =
        answers.into_iter().filter(|before| before.ends_with(&[Step::Answered])).collect();
    assert_eq!(answers.len(), PUBLISHES, "one answer for each publish");
    for before in answers {
        let written = before.iter().position(|step| *step == Step::Written);
        let synced = before.iter().rposition(|step| *step == Step::Synced);
        assert!(written.is_some() && written < synced, "an answer before its sync: {before:?}");
    }
}

#[test]
fn the_trace_is_read_right() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let good = lines(
        "1 pwrite64(9</d/tidings.db-wal>, \"\", 24, 0) = 24\n\
         1 fdatasync(9</d/tidings.db-wal> <unfinished ...>\n\
         2 fdatasync(3</d/commits.new>) = 0\n\
         1 <... fdatasync resumed>) = 0\n\
         2 sendto(7<socket:[1]>, \"HTTP/1.1 201 Created\", 20, 0, NULL, 0) = 20",
    );
    assert_eq!(steps(&good), [Step::Written, Step::Synced, Step::Answered]);
    let early = lines(
        "1 pwrite64(9</d/tidings.db-wal>, \"\", 24, 0) = 24\n\
         1 fdatasync(9</d/tidings.db-wal> <unfinished ...>\n\
         2 writev(7<socket:[1]>, [{iov_base=\"HTTP/1.1 201 Created\", iov_len=20}], 1) = 20\n\
         1 <... fdatasync resumed>) = 0",
    );
    assert_eq!(steps(&early), [Step::Written, Step::Answered, Step::Synced]);
    let failed = lines("1 fdatasync(9</d/tidings.db-wal>) = -1 EIO (Input/output error)");
    assert_eq!(steps(&failed), []);
}
