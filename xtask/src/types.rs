//! `cargo xtask types`: generates the TypeScript types of the wire from the Rust types.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::repo;
use crate::steps::shown;

/// The committed file.
fn file() -> PathBuf {
    repo::root().join("npm/src/generated/protocol.ts")
}

/// Generates the file.
pub(crate) fn write() -> Result<(), Failure> {
    repo::write(&file(), generate()?.as_bytes())?;
    println!("wrote {}", repo::shown(&file()));
    Ok(())
}

/// Fails if the committed file differs from the generated one.
pub(crate) fn check() -> Result<(), Failure> {
    let (committed, generated) = (repo::read(&file())?, generate()?);
    if committed == generated {
        return Ok(());
    }
    let line = committed.lines().zip(generated.lines()).take_while(|(a, b)| a == b).count() + 1;
    Err(Failure::Check(format!(
        "{} is not what crates/protocol says, from line {line} on: run `cargo xtask types`",
        repo::shown(&file())
    )))
}

fn generate() -> Result<String, Failure> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(repo::root()).args(["run", "--quiet", "--package", "tidings-protocol"]);
    cargo.args(["--features", "ts", "--example", "types"]);
    let output = cargo.output().map_err(|source| Failure::Io { doing: shown(&cargo), source })?;
    if output.status.success() && !output.stdout.is_empty() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    Err(Failure::Command { shown: shown(&cargo), status: output.status, log: None })
}
