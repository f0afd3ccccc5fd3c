//! `tidings doctor`.

use tidings_server::{
    Config,
    config::Flags,
    log::{Connector, OpenToOthers, Postgres, Sqlite, open_to_others},
};
use tidings_server_core::store::Store as _;

use super::{Failure, files::Files};

pub(super) fn doctor(new_epochs: bool, flags: &Flags) -> Result<(), Failure> {
    let config = Config::load(flags, std::env::vars_os())?;
    for warning in config.warnings(std::env::var("TIDINGS_API_KEY").ok().as_deref()) {
        println!("warning     {warning}");
    }
    println!("settings    valid");
    let files = Files::raise(&config);
    if files.suffice() {
        println!("open files  {} needed, allowed", files.needed);
    } else {
        println!(
            "open files  {} needed by `limits.links`, {} allowed: raise the hard limit, or lower the setting",
            files.needed, files.allowed
        );
    }
    if let Some(connector) = config.postgres() {
        return shared(new_epochs, &connector);
    }
    let open = if new_epochs { Sqlite::open_with_new_epochs } else { Sqlite::open };
    // A missing folder is created here, for this user only.
    let before = open_to_others(&config.data).unwrap_or_default();
    let store = open(&config.data).map_err(tidings_server::StartError::from)?;
    println!("data        {}", config.data.display());
    access(&before, &open_to_others(&config.data)?);
    let report = store.examine().map_err(|error| Failure::Refused(error.to_string()))?;
    println!(
        "log         {} channels, {} records, {} items, {} commits",
        report.channels, report.records, report.items, report.commits
    );
    if new_epochs {
        println!("epochs      new; clients reload all data");
    }
    store.health().map_err(|error| Failure::Refused(error.to_string()))?;
    if !report.damage.is_empty() {
        for line in &report.damage {
            println!("damage      {line}");
        }
        return Err(Failure::Refused(
            "the log is damaged: restore the folder from a backup, then run `tidings doctor --new-epochs`".to_owned(),
        ));
    }
    println!("checksums   valid");
    Ok(())
}

/// Prints which files other users could read, and which they still can.
fn access(before: &[OpenToOthers], after: &[OpenToOthers]) {
    for one in before {
        match after.contains(one) {
            true => println!(
                "access      other users can read {one}, and its mode could not be changed: run chmod as its owner"
            ),
            false => println!("access      other users could read {one}: closed to them now"),
        }
    }
    if before.is_empty() {
        println!("access      only the server's user and root");
    }
}

/// Checks a database that servers may be using at the same time.
fn shared(new_epochs: bool, connector: &Connector) -> Result<(), Failure> {
    let open = if new_epochs { Postgres::open_with_new_epochs } else { Postgres::open };
    let store = open(connector).map_err(tidings_server::StartError::from)?;
    println!("database    reachable, its tables are of this version");
    let report = store.examine().map_err(|error| Failure::Refused(error.to_string()))?;
    for line in &report.notes {
        println!("{line}");
    }
    if new_epochs {
        println!("epochs      new; clients reload all data");
    }
    if report.damage.is_empty() {
        println!("log         checksums valid, offsets without gaps");
        return Ok(());
    }
    for line in &report.damage {
        println!("damage      {line}");
    }
    Err(Failure::Refused(
        "the log is damaged: restore the database from a backup, then run `tidings doctor --new-epochs`".to_owned(),
    ))
}
