//! A port for the demo: the usual one, or the next that is free.

use std::net::{Ipv4Addr, TcpListener};

use crate::failure::Failure;

/// How many ports are tried.
const TRIES: u16 = 50;

/// The first free port from `usual` on; reports it if it is another.
pub(crate) fn free_from(usual: u16) -> Result<u16, Failure> {
    let candidates = usual..usual.saturating_add(TRIES);
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let found = candidates.into_iter().find(free).ok_or_else(|| {
        Failure::Check(format!("no free port from {usual} to {}", usual.saturating_add(TRIES)))
    })?;
    if found != usual {
        println!("Port {usual} is taken: using {found}.");
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_over_a_port_that_is_taken() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_from(port).unwrap(), port);
    }
}
