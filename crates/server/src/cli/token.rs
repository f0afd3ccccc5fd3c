//! `tidings token`.

use tidings_server::{Config, config::Flags};

use super::Failure;

pub(super) fn token(user: &str, flags: &Flags) -> Result<(), Failure> {
    let config = Config::load(flags, std::env::vars_os())?;
    let token = tidings_server::dev_token(&config, user)?;
    println!("{token}");
    Ok(())
}
