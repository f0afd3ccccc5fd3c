//! Scenarios of both cores together, one file each, and properties over many seeds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod broadcasts;
mod cut_while_marking;
mod drain;
mod duplicates;
mod epoch_change;
mod fallback;
mod half_open;
mod lost_last_message;
mod marks_converge;
mod paging;
mod properties;
mod publish_and_see;
mod reload;
mod retention_gap;
mod rooms;
mod server_restart;
mod slow_consumer;
mod streams;
mod tickets;

use tidings_protocol::MarkSet;

const READ: MarkSet = MarkSet { seen: None, read: Some(true), archived: None };
const UNREAD: MarkSet = MarkSet { seen: None, read: Some(false), archived: None };
const ARCHIVED: MarkSet = MarkSet { seen: None, read: None, archived: Some(true) };

/// Ids of the items that a device shows, newest first.
fn ids(world: &mut tidings_simulation::World, device: usize) -> Vec<String> {
    world.devices[device].view().items.iter().map(|item| item.id.to_string()).collect()
}

/// Offsets of the records that arrived in a device's inbox.
fn arrived(world: &tidings_simulation::World, device: usize) -> Vec<u64> {
    let keys = world.devices[device].seen.arrived.iter();
    keys.filter(|key| !key.channel.is_system()).map(|key| key.offset).collect()
}
