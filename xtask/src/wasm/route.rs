//! The compiler that builds the wasm module on this machine.
//!
//! In order of preference: the toolchain's own wasm32 target, the same after `rustup target add`,
//! and Debian's compiler, which can build its standard library from source.
//! `TIDINGS_WASM_ROUTE=installed` or `=debian` skips the search.

use std::path::Path;
use std::process::Command;

use super::debian::Debian;
use crate::failure::Failure;
use crate::steps::Step;
use crate::system::{find, output_of};

/// The target of everything in this module.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Features that every engine since Safari 15 supports; both routes give them to rustc and
/// wasm-opt.
pub(crate) const FEATURES: &str =
    "+bulk-memory,+nontrapping-fptoint,+sign-ext,+mutable-globals,+multivalue,+reference-types";

/// The purpose of a build.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// For pages: every byte counts.
    Ship,
    /// For the browser tests: panics need their texts.
    Test,
}

/// The preference between two compilers that are both installed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The compiler that is ready soonest.
    Soonest,
    /// Debian's compiler if it is installed: the committed sizes were measured with it.
    Measured,
}

/// A compiler that can build for the browser.
pub(crate) enum Route {
    /// The toolchain in use, with its wasm32 target.
    Installed,
    /// Debian's compiler with its standard library's source.
    Debian(Debian),
}

impl Route {
    /// Picks a route and installs what it needs; reports it on the step's line.
    pub(crate) fn pick(goal: Goal, step: &mut Step) -> Result<Self, Failure> {
        let asked = std::env::var("TIDINGS_WASM_ROUTE").ok();
        match asked.as_deref() {
            Some("debian") => return Debian::set_up(step).map(Self::Debian),
            Some("installed") if target_is_installed() => return Ok(Self::Installed),
            Some("installed") => return Err(no_target()),
            Some(other) => {
                let why = format!("TIDINGS_WASM_ROUTE={other}: it is `installed` or `debian`");
                return Err(Failure::Usage(why));
            }
            None => {}
        }
        if goal == Goal::Measured
            && let Some(debian) = Debian::find()
        {
            return Ok(Self::Debian(debian));
        }
        if target_is_installed() || add_target(step)? {
            return Ok(Self::Installed);
        }
        step.note("rustup could not add the target: going on with Debian's compiler")?;
        Debian::set_up(step).map(Self::Debian).map_err(|debian| Failure::Missing {
            what: format!("a compiler for {TARGET}; Debian's can't stand in ({debian})"),
            fix: format!("rustup target add {TARGET}"),
        })
    }

    /// The name under which sizes are stored.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Debian(_) => "debian",
        }
    }

    /// Text for a user who waits.
    pub(crate) fn about(&self) -> &'static str {
        match self {
            Self::Installed => "the toolchain's wasm32 target",
            Self::Debian(_) => "Debian's compiler, about a minute",
        }
    }

    /// `cargo <subcommand>` for the browser crate, with everything but the subcommand's own flags.
    /// Release modules are built by `rustc`, whose flags end the line.
    pub(crate) fn cargo(&self, subcommand: &str, purpose: Purpose) -> Command {
        let mut command = match self {
            Self::Installed => {
                let mut command = Command::new("cargo");
                command.arg(subcommand).env("RUSTFLAGS", format!("-Ctarget-feature={FEATURES}"));
                command
            }
            Self::Debian(debian) => debian.cargo(subcommand, purpose),
        };
        command.args(["--package", "tidings-client-wasm", "--target", TARGET]);
        command.arg("--target-dir").arg(self.target_dir());
        if let Purpose::Ship = purpose {
            command.args(["--profile", "small", "--crate-type", "cdylib"]);
            // The linker's table of references, by which xtask-bindgen splits the module.
            command.args(["--", "-Clink-arg=--emit-relocs", "-Clink-arg=--no-demangle"]);
        }
        command
    }

    /// Its own target folder: different flags would overwrite each other's results.
    pub(crate) fn target_dir(&self) -> std::path::PathBuf {
        crate::repo::target().join(format!("wasm-{}", self.name()))
    }
}

fn target_is_installed() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    output_of(&mut rustc).is_some_and(|libdir| Path::new(libdir.trim()).is_dir())
}

/// Whether rustup could add the target. It can't without rustup, without network, or if the mirror
/// lacks it.
fn add_target(step: &mut Step) -> Result<bool, Failure> {
    if find("rustup").is_none() {
        return Ok(false);
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).env("RUSTUP_MAX_RETRIES", "1");
    Ok(step.status(&mut rustup)?.success() && target_is_installed())
}

fn no_target() -> Failure {
    Failure::Missing {
        what: format!("the target {TARGET}, which TIDINGS_WASM_ROUTE=installed asks for"),
        fix: format!("rustup target add {TARGET}"),
    }
}
