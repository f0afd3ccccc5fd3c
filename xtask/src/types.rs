//! `cargo xtask types`: generates TypeScript from the Rust types of the wire and of the browser's
//! border.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::repo;
use crate::steps::shown;

/// A committed file, and the program that prints it.
struct Generated {
    path: &'static str,
    program: &'static [&'static str],
}

const PROTOCOL: &[&str] = &["tidings-protocol", "--features", "ts", "--example", "types"];
const OPS: &[&str] = &["tidings-client-wasm", "--example", "ops", "--", "ops"];
const LAZY_OPS: &[&str] = &["tidings-client-wasm", "--example", "ops", "--", "lazy"];
const SAMPLES: &[&str] = &["tidings-client-wasm", "--example", "ops", "--", "samples"];

const FILES: [Generated; 4] = [
    Generated { path: "npm/src/generated/protocol.ts", program: PROTOCOL },
    Generated { path: "npm/src/generated/ops.ts", program: OPS },
    Generated { path: "npm/src/generated/lazy-ops.ts", program: LAZY_OPS },
    Generated { path: "npm/test/core/samples.ts", program: SAMPLES },
];

/// Generates the files.
pub(crate) fn write() -> Result<(), Failure> {
    for file in &FILES {
        repo::write(&file.path(), file.generate()?.as_bytes())?;
        println!("wrote {}", file.path);
    }
    Ok(())
}

/// Fails if a committed file differs from the generated one.
pub(crate) fn check() -> Result<(), Failure> {
    FILES.iter().try_for_each(Generated::check)
}

impl Generated {
    fn path(&self) -> PathBuf {
        repo::root().join(self.path)
    }

    fn check(&self) -> Result<(), Failure> {
        let (committed, generated) = (repo::read(&self.path())?, self.generate()?);
        if committed == generated {
            return Ok(());
        }
        let same = committed.lines().zip(generated.lines()).take_while(|(a, b)| a == b).count();
        Err(Failure::Check(format!(
            "{} differs from the Rust types, from line {} on: run `cargo xtask types`",
            self.path,
            same + 1
        )))
    }

    fn generate(&self) -> Result<String, Failure> {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(repo::root()).args(["run", "--quiet", "--package"]).args(self.program);
        let output =
            cargo.output().map_err(|source| Failure::Io { doing: shown(&cargo), source })?;
        if output.status.success() && !output.stdout.is_empty() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        Err(Failure::Command { shown: shown(&cargo), status: output.status, log: None })
    }
}
