//! `tidings doctor`.

use tidings_server::{Config, config::Flags, log::Sqlite};
use tidings_server_core::store::Store as _;

use super::Failure;

pub(super) fn doctor(new_epochs: bool, flags: &Flags) -> Result<(), Failure> {
    let config = Config::load(flags, std::env::vars())?;
    println!("settings    good");
    let open = if new_epochs { Sqlite::open_with_new_epochs } else { Sqlite::open };
    let store = open(&config.data).map_err(tidings_server::StartError::from)?;
    println!("data        {}", config.data.display());
    let report = store.examine().map_err(|error| Failure::Refused(error.to_string()))?;
    println!(
        "log         {} channels, {} records, {} items, {} commits",
        report.channels, report.records, report.items, report.commits
    );
    if new_epochs {
        println!("epochs      new; clients start fresh");
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
    println!("checksums   good");
    Ok(())
}
