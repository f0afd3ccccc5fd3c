//! `tidings token`.

use tidings_server::{Config, auth, config::Flags};

use super::Failure;

pub(super) fn token(user: &str, flags: &Flags) -> Result<(), Failure> {
    let config = Config::load(flags, std::env::vars())?;
    let token =
        auth::dev_token(&config.data, user).map_err(|error| Failure::Refused(error.to_string()))?;
    println!("{token}");
    Ok(())
}
