//! The REST API against its own description: PyPI's schemathesis makes valid and invalid requests
//! from `openapi.json`, and checks the server's answers against it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Counts;
use super::conformance::free_address;
use super::list::cargo;
use crate::failure::Failure;
use crate::repo;
use crate::steps::Step;
use crate::system::find;

/// Pinned, because a new version makes other requests from the same seed.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// The same requests each time, so that no failure depends on luck.
const SEED: &str = "17";
/// Requests per operation and phase: a minute in total.
const EXAMPLES: &str = "10";
/// Not `stateful`: no answer supplies the input of another request.
const PHASES: &str = "examples,coverage,fuzzing";

/// Other settings of the server: short polls, and no limit on wrong credentials from one address.
const SETTINGS: [(&str, &str); 3] = [
    ("TIDINGS_LIMITS_POLL_MS", "50"),
    ("TIDINGS_AUTH_FAILURES_PER_MINUTE", "1000000"),
    ("TIDINGS_LOG_LEVEL", "warn"),
];

/// Installs schemathesis into its own folder, runs it against the server's binary, and counts
/// operations.
pub(crate) fn run(step: &mut Step) -> Result<Counts, Failure> {
    let schemathesis = install(step)?;
    step.run(&mut cargo(&["build", "--package", "tidings-server"]))?;
    let folder = repo::target().join("test-logs/contract");
    if folder.is_dir() {
        fs::remove_dir_all(&folder).map_err(Failure::io("empty", &folder))?;
    }
    fs::create_dir_all(&folder).map_err(Failure::io("make", &folder))?;
    let address = free_address()?;
    let server = Server::start(&address, &folder)?;
    let config = folder.join("schemathesis.toml");
    let text = include_str!("contract.toml").replace("TOKEN", &token(&address)?);
    fs::write(&config, text).map_err(Failure::io("write", &config))?;

    let report = folder.join("report.json");
    let mut run = Command::new(schemathesis);
    run.current_dir(&folder).arg("--config-file").arg(&config).arg("run");
    run.arg(repo::root().join("crates/server/openapi.json"));
    run.args(["--url", &format!("http://{address}"), "--seed", SEED, "--max-examples", EXAMPLES]);
    run.args(["--checks", "all", "--phases", PHASES, "--continue-on-failure", "--no-color"]);
    run.args(["--request-timeout", "30", "--report", "json", "--report-json-path"]).arg(&report);
    // The server is on this machine: no proxy.
    run.env("NO_PROXY", "*");
    let succeeded = step.status(&mut run)?.success();
    drop(server);

    let text = repo::read(&report)?;
    let report: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::Check(format!("{}: {error}", repo::shown(&report))))?;
    let (mut counts, bad) = judge(&report);
    for finding in bad {
        step.note(&format!("failed: {finding}"))?;
    }
    if let Some(contradiction) = counts.settle(succeeded) {
        step.note(contradiction)?;
    }
    Ok(counts)
}

/// Counts operations: an operation without findings passed; each kind of finding is a failure, and
/// so is an error of the tester.
fn judge(report: &Value) -> (Counts, Vec<String>) {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut bad = Vec::new();
    let mut with_findings = Vec::new();
    for failure in list(&report["failures"]) {
        for operation in list(&failure["operations"]) {
            bad.push(format!("{}: {}", text(&operation), text(&failure["title"])));
            if !with_findings.contains(&operation) {
                with_findings.push(operation);
            }
        }
    }
    bad.extend(list(&report["errors"]).iter().map(|error| format!("error: {error}")));
    if report["complete"] != Value::Bool(true) {
        bad.push(format!("it broke off: {}", text(&report["stop_reason"])));
    }
    let tested = report["operations"]["tested"].as_u64().unwrap_or_default();
    let passed = tested.saturating_sub(with_findings.len() as u64);
    (Counts { passed, failed: bad.len() as u64, skipped: 0 }, bad)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn install(step: &mut Step) -> Result<PathBuf, Failure> {
    let folder = repo::target().join("contract-venv");
    let (schemathesis, pip) = (folder.join("bin/schemathesis"), folder.join("bin/pip"));
    if schemathesis.is_file() {
        return Ok(schemathesis);
    }
    let fix = "apt-get install python3 python3-venv".to_owned();
    if find("python3").is_none() {
        return Err(Failure::Missing { what: "python3, for the contract suite".to_owned(), fix });
    }
    step.run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    step.run(Command::new(pip).args(["install", "--quiet", SCHEMATHESIS]))?;
    Ok(schemathesis)
}

/// A user's JWT.
fn token(address: &str) -> Result<String, Failure> {
    let nowhere = Path::new("the server");
    let body = r#"{"user":"tess"}"#;
    let mut link = TcpStream::connect(address).map_err(Failure::io("reach", nowhere))?;
    let request = format!(
        "POST /dev/tokens HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    link.write_all(request.as_bytes()).map_err(Failure::io("ask", nowhere))?;
    let mut answer = String::new();
    link.read_to_string(&mut answer).map_err(Failure::io("hear", nowhere))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let token = serde_json::from_str::<Value>(body)
        .ok()
        .and_then(|answer| answer["token"].as_str().map(str::to_owned));
    token.ok_or_else(|| Failure::Check(format!("the server gives no token: {answer}")))
}

/// The server; ended when it is dropped.
struct Server(Child);

impl Server {
    fn start(address: &str, folder: &Path) -> Result<Self, Failure> {
        let program = repo::target().join("debug/tidings");
        let log = folder.join("server.log");
        let log = fs::File::create(&log).map_err(Failure::io("write", &log))?;
        let child = Command::new(&program)
            .args(["serve", "--dev", "--listen", address, "--data"])
            .arg(folder.join("data"))
            .envs(SETTINGS)
            .env_remove("TIDINGS_API_KEY")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(Failure::io("run", &program))?;
        let mut server = Self(child);
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = server.0.try_wait().map_err(Failure::io("watch", &program))?.is_some();
            if ended || began.elapsed() > Duration::from_secs(30) {
                return Err(Failure::Check(format!("the server does not listen on {address}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_of_finding_of_an_operation_is_a_failure() {
        let report = json!({
            "complete": true,
            "operations": { "total": 18, "selected": 14, "tested": 14 },
            "failures": [
                { "title": "Schema-valid request rejected", "operations": ["POST /a", "POST /b"] },
                { "title": "Undocumented status code", "operations": ["POST /a"] },
            ],
            "errors": [],
        });
        let (counts, bad) = judge(&report);
        assert_eq!(counts, Counts { passed: 12, failed: 3, skipped: 0 });
        assert_eq!(bad[0], "POST /a: Schema-valid request rejected");
    }

    #[test]
    fn a_run_that_broke_off_has_failed() {
        let report = json!({ "complete": false, "stop_reason": "interrupted" });
        assert_eq!(judge(&report).0, Counts { passed: 0, failed: 1, skipped: 0 });
    }
}
