//! Debian's own Rust. It has no wasm32 target, but it has the standard library's source and a
//! linker for wasm, so it can build one. It also accepts the unstable flags that make the module a
//! third smaller; therefore the size check uses it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::route::{FEATURES, Purpose};
use crate::failure::Failure;
use crate::steps::Step;
use crate::system::{self, Package, output_of};

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const LIBRARY: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";

/// `rustc-web` is the Rust that Debian keeps new enough to build browsers from source.
const PACKAGES: [Package; 4] = [
    Package { name: "rustc-web", brings: RUSTC, purpose: "compiling for the browser" },
    Package { name: "cargo-web", brings: CARGO, purpose: "compiling for the browser" },
    Package { name: "rust-web-src", brings: LIBRARY, purpose: "compiling for the browser" },
    Package { name: "lld-22", brings: "/usr/bin/wasm-ld-22", purpose: "linking for the browser" },
];

/// Debian's compiler, with all of its parts.
pub(crate) struct Debian {
    linker: PathBuf,
}

impl Debian {
    /// Looks for it, without installing anything.
    pub(crate) fn find() -> Option<Self> {
        let there = [CARGO, RUSTC, LIBRARY].iter().all(|file| Path::new(file).exists());
        let version = output_of(Command::new(RUSTC).arg("--version"))?;
        if !there || minor(&version)? < minor_of_workspace()? {
            return None;
        }
        newest_linker(Path::new("/usr/bin")).map(|linker| Self { linker })
    }

    /// Looks for it, and installs missing parts.
    pub(crate) fn set_up(step: &mut Step) -> Result<Self, Failure> {
        if let Some(found) = Self::find() {
            return Ok(found);
        }
        system::ensure(&PACKAGES, step)?;
        Self::find().ok_or_else(|| Failure::Missing {
            what: "a Debian compiler that is complete and new enough".to_owned(),
            fix: "apt-get install rustc-web cargo-web rust-web-src lld-22, on Debian 12 or newer"
                .to_owned(),
        })
    }

    /// Debian's cargo, set up to build a standard library for wasm.
    pub(crate) fn cargo(&self, subcommand: &str, purpose: Purpose) -> Command {
        let mut command = Command::new(CARGO);
        // rustup's wrapper leaves its toolchain in the environment of its child processes.
        for name in ["RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH", "CARGO", "CARGO_ENCODED_RUSTFLAGS"] {
            command.env_remove(name);
        }
        command
            .arg(subcommand)
            .env("RUSTC", RUSTC)
            .env("RUSTDOC", "/usr/bin/rustdoc")
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &self.linker)
            .arg("-Zbuild-std=std,panic_abort");
        match purpose {
            Purpose::Test => {
                command.env("RUSTFLAGS", format!("-Ctarget-feature={FEATURES}"));
            }
            // No texts of panics, locations or Debug formatting: a page does not show them, and a
            // trap is reported with its wasm offset instead.
            Purpose::Ship => {
                let flags = "-Zunstable-options -Zlocation-detail=none -Zfmt-debug=none \
                             -Cforce-unwind-tables=no";
                command
                    .env("RUSTFLAGS", format!("{flags} -Ctarget-feature={FEATURES}"))
                    .arg("-Zbuild-std-features=optimize_for_size")
                    .arg("-Zpanic-immediate-abort")
                    .args(["--config", "profile.small.panic=\"immediate-abort\""]);
            }
        }
        command
    }
}

/// The `wasm-ld-NN` with the highest number: the version depends on Debian's release.
fn newest_linker(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let numbered = entries.filter_map(|entry| {
        let number: u32 = entry.file_name().to_str()?.strip_prefix("wasm-ld-")?.parse().ok()?;
        Some((number, entry.path()))
    });
    numbered.max().map(|(_, path)| path)
}

/// The minor version in `rustc 1.96.0 (…)`; Rust has had no other major version.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()
}

fn minor_of_workspace() -> Option<u32> {
    env!("CARGO_PKG_RUST_VERSION").strip_prefix("1.")?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_compiler_versions() {
        assert_eq!(minor("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a tarball)\n"), Some(96));
        assert_eq!(minor("error: rustup could not choose a version"), None);
        assert!(minor_of_workspace().is_some_and(|minor| minor >= 90));
    }
}
