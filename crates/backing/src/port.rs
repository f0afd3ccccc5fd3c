//! Ports that no other test takes.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process,
    sync::Mutex,
};

/// Below the ports that the system gives to outgoing connections: from 32,768 on Linux, from 49,152
/// elsewhere.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// The same for all processes, whatever their folder for temporary files.
const LOCKS: &str = "/tmp/tidings-ports";

/// Locked until this process ends.
static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A free port of this machine, for a server that is started later or again. No other caller gets
/// it while this process lives, whichever process it is in.
///
/// A port that the system chose and took back may be given to another process before the server
/// starts. Then two tests use one server, without an error.
///
/// # Panics
/// There is no free port, or no file can be made for its lock.
#[must_use]
pub fn free_port() -> u16 {
    fs::create_dir_all(LOCKS).expect("a folder for temporary files");
    let mut taken = TAKEN.lock().unwrap();
    // Processes begin at different places, so that they seldom meet.
    let begin = process::id().wrapping_mul(97).wrapping_add(taken.len() as u32);
    for step in 0..u32::from(COUNT) {
        let port = FIRST + (begin.wrapping_add(step) % u32::from(COUNT)) as u16;
        let Ok(file) = File::create(lock_of(port)) else { continue };
        if file.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            taken.push(file);
            return port;
        }
    }
    panic!("no port is free, or {LOCKS} can't be written");
}

fn lock_of(port: u16) -> PathBuf {
    Path::new(LOCKS).join(port.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: BTreeSet<u16> = (0..50).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()));
    }

    #[test]
    fn a_port_stays_locked() {
        let port = free_port();
        let again = File::create(lock_of(port)).unwrap();
        assert!(again.try_lock().is_err(), "another file of the same name can't be locked");
    }
}
