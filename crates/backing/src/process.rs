//! A program that ends with its starter.

use std::{
    env, fs,
    io::Write as _,
    os::unix::{
        fs::MetadataExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// Starts the program, waits until the pipe from the starter closes, and then ends the program. The
/// pipe closes however the starter dies. The first argument is the signal. The second and third, a
/// folder and a log, are removed, unless the starter wrote `keep` first: a starter that dies writes
/// nothing.
const SUPERVISOR: &str = r#"signal=$1; folder=$2; log=$3; shift 3
"$@" & pid=$!
word=$(cat)
kill "-$signal" "$pid" 2> /dev/null
wait "$pid" 2> /dev/null
[ "$word" = keep ] || rm -rf "$folder" "$log""#;

/// A running program.
#[derive(Debug)]
pub(crate) struct Process {
    supervisor: Child,
}

impl Process {
    /// Starts `command` and sends its output to `log`. The process is ended by `signal`. When the
    /// starter dies, `folder` and `log` are removed too.
    pub(crate) fn start(command: &Command, signal: &str, folder: &Path, log: &Path) -> Self {
        let mut supervisor = Command::new("sh");
        supervisor.args(["-c", SUPERVISOR, "sh", signal]).arg(folder).arg(log);
        supervisor.arg(command.get_program()).args(command.get_args());
        let log = fs::File::options().create(true).append(true).open(log).unwrap();
        let errors = log.try_clone().unwrap();
        // The keeper has to clean up after its starter, so it must survive a signal to the
        // starter's process group, such as Ctrl-C.
        supervisor.process_group(0);
        // The current folder may be one that the other user may not enter.
        supervisor.current_dir("/").stdin(Stdio::piped()).stdout(log).stderr(errors);
        Self { supervisor: supervisor.spawn().expect("sh starts") }
    }

    /// Whether the program or its keeper has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.supervisor.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.supervisor.stdin.take() {
            // Fails only if the keeper has ended.
            let _ = pipe.write_all(b"keep");
        }
        // Fails only if the keeper's end was already awaited.
        let _ = self.supervisor.wait();
    }
}

/// A path for a temporary folder. The folder is not created.
pub(crate) fn folder(what: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // The path must be short: PostgreSQL's socket is in this folder, and the length of a socket's
    // path is limited.
    PathBuf::from("/tmp").join(format!("tidings-{what}-{}-{number}", std::process::id()))
}

/// A program on the path, or in one of `folders`.
pub(crate) fn find(program: &str, folders: &[PathBuf], package: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .chain(folders.iter().cloned())
        .map(|folder| folder.join(program))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("{program} is missing: `cargo xtask setup` installs it (Debian: {package})")
    })
}

/// Sends a signal to a process: SIGKILL, SIGSTOP, SIGCONT.
pub(crate) fn signal(pid: u32, signal: &str) {
    let status = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status();
    assert!(status.unwrap().success(), "no signal reaches process {pid}");
}

/// Runs a short program in its own process group and returns its output. Before the program has its
/// own group, a SIGINT to this program's group may still hit it; it has done nothing by then, so it
/// is run again.
pub(crate) fn output(command: &mut Command) -> Output {
    const SIGINT: i32 = 2;
    command.process_group(0);
    loop {
        let output = command.output();
        let output = output.unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
        if output.status.signal() != Some(SIGINT) {
            return output;
        }
    }
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Whether a process exists and runs. A zombie, whose parent has not waited for it yet, does not
/// run.
pub(crate) fn is_alive(pid: u32) -> bool {
    let asked = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output();
    let state = asked.map(|told| String::from_utf8_lossy(&told.stdout).trim().to_owned());
    state.is_ok_and(|state| !state.is_empty() && !state.starts_with('Z'))
}

/// The number in the first line of a file.
pub(crate) fn pid_in(file: &Path) -> Option<u32> {
    fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
}

/// The end of a log, for a message that explains a failed start.
pub(crate) fn last_words(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_process_that_was_killed_is_seen_to_be_gone_before_anybody_waited_for_it() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        assert!(is_alive(child.id()));
        signal(child.id(), "KILL");
        while is_alive(child.id()) {
            thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!is_alive(child.id()));
    }
}
