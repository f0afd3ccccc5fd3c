//! Programs of the machine, and packages that may be installed on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::steps::Step;

/// A Debian package, and a file that shows that it is installed.
pub(crate) struct Package {
    /// The name for apt-get.
    pub(crate) name: &'static str,
    /// A file of the package; a file from another source is accepted, too.
    pub(crate) brings: &'static str,
    /// Its purpose, as a phrase.
    pub(crate) purpose: &'static str,
}

/// The browser the e2e suite drives.
pub(crate) const CHROMIUM: Package =
    Package { name: "chromium", brings: "chromium", purpose: "tests in a real browser" };
/// Its WebDriver, which the wasm tests drive.
pub(crate) const CHROMEDRIVER: Package =
    Package { name: "chromium-driver", brings: "chromedriver", purpose: "tests in a real browser" };
/// Another browser engine, which speaks WebDriver BiDi itself.
pub(crate) const FIREFOX: Package =
    Package { name: "firefox-esr", brings: "firefox-esr", purpose: "tests in Firefox's engine" };
/// The engine of Safari, with its WebDriver and a browser to drive.
pub(crate) const WEBKIT: Package = Package {
    name: "webkit2gtk-driver",
    brings: "WebKitWebDriver",
    purpose: "tests in Safari's engine",
};
/// A display for that browser, which needs one.
pub(crate) const XVFB: Package =
    Package { name: "xvfb", brings: "Xvfb", purpose: "tests in Safari's engine" };
/// Traces system calls, to test that fdatasync comes before the answer.
pub(crate) const STRACE: Package =
    Package { name: "strace", brings: "strace", purpose: "the test that answers follow the sync" };

/// The database of a cluster.
pub(crate) const POSTGRESQL: Package =
    Package { name: "postgresql", brings: "initdb", purpose: "several nodes on one log" };
/// The bus between the cluster's nodes.
pub(crate) const REDIS: Package =
    Package { name: "redis-server", brings: "redis-server", purpose: "several nodes on one log" };
/// The proxy in front of the cluster's nodes.
pub(crate) const NGINX: Package =
    Package { name: "nginx", brings: "nginx", purpose: "a proxy in front of several nodes" };

impl Package {
    fn is_there(&self) -> bool {
        if self.brings.starts_with('/') {
            Path::new(self.brings).exists()
        } else {
            find(self.brings).is_some() || is_off_the_path(self.brings)
        }
    }
}

/// Whether a program is in a folder where Debian puts programs that are not on every user's path.
fn is_off_the_path(program: &str) -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let postgresql = versions.map(|version| version.path().join("bin"));
    let mut folders = postgresql.chain([PathBuf::from("/usr/sbin")]);
    folders.any(|folder| folder.join(program).is_file())
}

/// Installs missing packages, or names them and says how to install them.
pub(crate) fn ensure(packages: &[Package], step: &mut Step) -> Result<(), Failure> {
    let missing: Vec<_> = packages.iter().filter(|package| !package.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|package| package.name).collect();
    let fix = format!("apt-get install -y --no-install-recommends {}", names.join(" "));
    let Some(root) = may_install() else {
        let wanted: Vec<_> =
            missing.iter().map(|p| format!("{} ({})", p.name, p.purpose)).collect();
        let fix = format!("{fix} (as root, on Debian or Ubuntu; elsewhere the same programs)");
        return Err(Failure::Missing { what: wanted.join(", "), fix });
    };
    step.retitle(&format!("installing {}", names.join(", ")));
    // A failed update is not final: the machine's package lists may be good enough.
    let _ = step.status(root.apt_get().arg("update"))?;
    let install = ["install", "-y", "--no-install-recommends"];
    step.run(root.apt_get().args(install).args(&names))?;
    match missing.iter().find(|package| !package.is_there()) {
        None => Ok(()),
        Some(package) => Err(Failure::Missing {
            what: format!("{}, although {} is installed now", package.brings, package.name),
            fix,
        }),
    }
}

/// How to get root's rights on this machine.
#[derive(Clone, Copy)]
enum Root {
    Already,
    Sudo,
}

impl Root {
    fn apt_get(self) -> Command {
        let mut command = match self {
            Self::Already => Command::new("apt-get"),
            Self::Sudo => {
                let mut sudo = Command::new("sudo");
                sudo.args(["-n", "apt-get"]);
                sudo
            }
        };
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    }
}

fn may_install() -> Option<Root> {
    find("apt-get")?;
    if is_root() {
        return Some(Root::Already);
    }
    output_of(Command::new("sudo").args(["-n", "true"])).map(|_| Root::Sudo)
}

/// Whether this runs as root.
pub(crate) fn is_root() -> bool {
    output_of(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0")
}

/// A program on the search path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The output of a program, if it runs and succeeds.
pub(crate) fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
