//! The WebSocket conformance cases of Autobahn, driven by PyPI's kosoku against the echo example.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Counts;
use super::list::cargo;
use crate::failure::Failure;
use crate::repo;
use crate::steps::Step;
use crate::system::find;

/// Pinned, because a new version may have other cases.
const KOSOKU: &str = "kosoku==0.1.0";
/// Compression is not offered: it costs memory per connection and helps small messages little.
const LEFT_OUT: [&str; 2] = ["12.*", "13.*"];

/// Installs kosoku into its own folder, runs it, and counts its cases.
pub(crate) fn run(step: &mut Step) -> Result<Counts, Failure> {
    let kosoku = install(step)?;
    step.run(&mut cargo(&["build", "--package", "tidings-server", "--example", "echo"]))?;
    let address = free_address()?;
    let server = Echo::start(&address)?;

    let reports = repo::target().join("test-logs/conformance");
    if reports.is_dir() {
        std::fs::remove_dir_all(&reports).map_err(Failure::io("empty", &reports))?;
    }
    let mut run = Command::new(kosoku);
    run.arg(format!("ws://{address}")).arg("--outdir").arg(&reports);
    run.args(LEFT_OUT.iter().flat_map(|case| ["--exclude", case]));
    let succeeded = step.status(&mut run)?.success();
    drop(server);

    let index = reports.join("index.json");
    let text = repo::read(&index)?;
    let index: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::Check(format!("{}: {error}", repo::shown(&index))))?;
    let (mut counts, bad) = judge(&index);
    for case in bad {
        step.note(&format!("failed: {case}"))?;
    }
    if let Some(contradiction) = counts.settle(succeeded) {
        step.note(contradiction)?;
    }
    Ok(counts)
}

/// Counts the cases, and names those that failed. "Non-strict" is Autobahn's word for a close that
/// came later than possible; "informational" cases have no correct answer.
fn judge(index: &Value) -> (Counts, Vec<String>) {
    let mut counts = Counts::default();
    let mut bad = Vec::new();
    let agents = index.as_object().into_iter().flatten();
    for (case, result) in agents.flat_map(|(_, cases)| cases.as_object().into_iter().flatten()) {
        let words = ["behavior", "behaviorClose"].map(|key| result[key].as_str().unwrap_or("?"));
        if words.contains(&"UNIMPLEMENTED") {
            counts.skipped += 1;
        } else if words.iter().all(|w| ["OK", "NON-STRICT", "INFORMATIONAL"].contains(w)) {
            counts.passed += 1;
        } else {
            counts.failed += 1;
            bad.push(format!("{case}: {} / {}", words[0], words[1]));
        }
    }
    (counts, bad)
}

fn install(step: &mut Step) -> Result<PathBuf, Failure> {
    let folder = repo::target().join("conformance-venv");
    let (kosoku, pip) = (folder.join("bin/kosoku"), folder.join("bin/pip"));
    if kosoku.is_file() {
        return Ok(kosoku);
    }
    let fix = "apt-get install python3 python3-venv".to_owned();
    if find("python3").is_none() {
        return Err(Failure::Missing {
            what: "python3, for the conformance suite".to_owned(),
            fix,
        });
    }
    step.run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    step.run(Command::new(pip).args(["install", "--quiet", KOSOKU]))?;
    Ok(kosoku)
}

pub(super) fn free_address() -> Result<String, Failure> {
    let nowhere = Path::new("a free port");
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Failure::io("bind", nowhere))?;
    let address = listener.local_addr().map_err(Failure::io("read", nowhere))?;
    Ok(address.to_string())
}

/// The echo example; ended when it is dropped.
struct Echo(Child);

impl Echo {
    fn start(address: &str) -> Result<Self, Failure> {
        let program = repo::target().join("debug/examples/echo");
        let child = Command::new(&program)
            .arg(address)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Failure::io("run", &program))?;
        let mut echo = Self(child);
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = echo.0.try_wait().map_err(Failure::io("watch", &program))?.is_some();
            if ended || began.elapsed() > Duration::from_secs(10) {
                return Err(Failure::Check(format!(
                    "the echo example does not listen on {address}"
                )));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(echo)
    }
}

impl Drop for Echo {
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
    fn a_case_passes_when_both_behaviour_and_close_do() {
        let index = json!({ "server": {
            "1.1.1": { "behavior": "OK", "behaviorClose": "OK" },
            "3.2": { "behavior": "NON-STRICT", "behaviorClose": "OK" },
            "6.1.1": { "behavior": "OK", "behaviorClose": "FAILED" },
            "7.1.6": { "behavior": "INFORMATIONAL", "behaviorClose": "INFORMATIONAL" },
            "12.1.1": { "behavior": "UNIMPLEMENTED", "behaviorClose": "UNIMPLEMENTED" },
        }});
        let (counts, bad) = judge(&index);
        assert_eq!(counts, Counts { passed: 3, failed: 1, skipped: 1 });
        assert_eq!(bad, ["6.1.1: OK / FAILED"]);
    }
}
