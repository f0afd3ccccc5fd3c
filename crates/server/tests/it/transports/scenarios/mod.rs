//! Scenarios that every transport must pass.

mod ending;
mod receiving;
mod sending;

use serde_json::json;

pub(super) use self::{ending::*, receiving::*, sending::*};
use super::{
    connect_request::{ConnectRequest, Kind, Offer},
    link::Link,
};
use crate::harness::Server;

async fn ticket(server: &Server, user: &str) -> Offer {
    let all = json!([{ "pattern": "room:*", "allow": ["subscribe", "publish", "history"] }]);
    Offer::Ticket(server.ticket(user, json!({ "channels": all })).await)
}

async fn open(server: &Server, kind: Kind, user: &str, request: ConnectRequest) -> Link {
    Link::open(kind, server.at, ticket(server, user).await, request).await
}

/// A connected client that was greeted.
async fn enter(server: &Server, kind: Kind, user: &str, request: ConnectRequest) -> Link {
    let rooms = request.channels.len();
    let mut link = open(server, kind, user, request).await;
    let connected = link.hear("connected").await;
    assert_eq!(connected["user_id"], user);
    // Inbox and `system:all` come together, each room once it is read.
    let mut begun = 0;
    let mut snapshot = false;
    while begun < 2 + rooms || !snapshot {
        match link.next().await["type"].as_str().unwrap() {
            "subscribed" => begun += 1,
            "snapshot" => snapshot = true,
            other => panic!("heard {other}"),
        }
    }
    link
}
