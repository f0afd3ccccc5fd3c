//! A backend that repeats each publish with its key until it is acknowledged, before it makes the
//! next one.

use std::sync::Arc;

use tidings_protocol::{
    Json,
    rest::{PublishNotification, Stored, Target},
};

use crate::{
    api::{Api, Published},
    dice::Dice,
    storm::Storm,
};

/// An acknowledged publish.
pub(crate) struct Acknowledged {
    /// `{publisher}-{number}`: the key, and the notification's title.
    pub(crate) key: String,
    pub(crate) stored: Stored,
}

/// Publishes until the storm finishes; returns the acknowledged publishes in order.
pub(crate) async fn publish(
    api: Api,
    storm: Arc<Storm>,
    publisher: usize,
    users: Arc<[String]>,
    seed: u64,
) -> Vec<Acknowledged> {
    let mut dice = Dice::new(seed);
    let mut acknowledged = Vec::new();
    for number in 1_u64.. {
        let key = format!("{publisher}-{number}");
        let body = notification(&key, target(&mut dice, &users));
        let mut repeat = false;
        let stored = loop {
            if !storm.begin(repeat).await {
                return acknowledged;
            }
            repeat = true;
            match api.publish(&body, &key).await {
                Published::Stored { stored, replayed } => {
                    storm.end(true, replayed);
                    break stored;
                }
                Published::Unknown => storm.end(false, false),
            }
        };
        acknowledged.push(Acknowledged { key, stored });
    }
    acknowledged
}

pub(crate) fn notification(title: &str, to: Target) -> PublishNotification {
    PublishNotification {
        to,
        kind: String::from("chaos"),
        title: title.to_owned(),
        message: None,
        url: None,
        data: Some(Json::string(title)),
    }
}

/// One publish in eight is to everyone.
fn target(dice: &mut Dice, users: &[String]) -> Target {
    if dice.below(8) == 0 {
        return Target { everyone: Some(true), ..Target::default() };
    }
    let user = usize::try_from(dice.below(users.len() as u64)).unwrap();
    Target { user: Some(users[user].clone()), ..Target::default() }
}
